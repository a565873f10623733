/*
 * Peers that lie: forged ADDR DEST, to the host at ADDR that has a proc DEST.
 *
 * Records at the wrong time, numbers that were never given, credit that is not
 * there, senders, vouched fields and control that are somebody else's.  Each
 * is refused with the words that say why, or comes to nothing; the name of who
 * tried is free at once, and a link beside it is served all the time.
 */
#include <sys/types.h>

#include "witness.h"

#define WHOLE (HM_DATA_FIRST | HM_DATA_LAST)
#define LARGEST ((uint64_t)1 << 40)

/* What is said, once greeted or instead of a greeting; why it is refused, NULL:
 * it is not. */
struct forgery {
	const char *what;
	void (*say)(struct said *s);
	const char *why;
};

static const char *addr, *dest;
static bool tcp;
static char their[HM_ADDR_SIZE];
static struct witness witness;
static struct hm_id to, me;
static struct hm_head_source src;

/* A good head, for payloads of len bytes, to be spoilt. */
static void
begin(uint64_t len)
{
	hm_id_set(&to, their, dest, "main", 0, 0);
	hm_id_set(&me, their, "forger", "main", 0, 0);
	memset(&src, 0, sizeof src);
	src.payload_len = len;
	src.ttl = 64;
	src.dest = &to;
	src.sender = &me;
	src.type = "text/plain";
}

static unsigned char *
head_of_last(struct said *s, size_t start)
{
	return s->p + start + HM_DATA_HEADER;
}

/* A range of a SETTLE. */
static void
say_settle(struct said *s, unsigned outcome, uint64_t first, uint32_t count)
{
	unsigned char body[20] = {0, 0, 0, 1};

	hm_put64(body + 4, first);
	hm_put32(body + 12, count);
	say_record(s, HM_REC_SETTLE, 0, outcome, body, sizeof body);
}

/* --- records at the wrong time, or none */

static void
two_greetings(struct said *s)
{
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, "", "forger");

	say_hello(s, &hello);
}

static void
greeting_back(struct said *s)
{
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, their, "forger");

	s->n += hm_hello_write(s->p + s->n, HM_REC_HELLO_BACK, &hello);
}

static void
type_0(struct said *s)
{
	say_record(s, 0, 0, 0, "", 0);
}

static void
type_11(struct said *s)
{
	say_record(s, 11, 0, 0, "", 0);
}

static void
four_gigabytes(struct said *s)
{
	say_record(s, HM_REC_DATA, 0, 0, "", 0);
	hm_put32(s->p + s->n - HM_RECORD_HEADER, UINT32_MAX);
}

static void
one_too_many(struct said *s)
{
	static unsigned char body[HM_BODY_MAX + 1];

	say_record(s, HM_REC_DATA, 0, 0, body, sizeof body);
}

static void
hold_of_nothing(struct said *s)
{
	say_record(s, HM_REC_HOLD, 0, 0, "\0\0", 2);
}

static void
hold_unknown(struct said *s)
{
	say_record(s, HM_REC_HOLD, 0, 0, "\6unix:x\1y", 9);
	say_record(s, HM_REC_HOLD, 0, 0, "\6unix:x\1y", 9);
	say_record(s, HM_REC_RESUME, 0, 0, "\6unix:x\1z", 9);
}

static void
abort_unknown(struct said *s)
{
	say_number(s, HM_REC_ABORT, 0, 5);
	say_number(s, HM_REC_ABORT, 0, UINT64_MAX);
}

/* --- settlements and credit */

static void
settle_unsent(struct said *s)
{
	say_settle(s, HM_DELIVERED, 1, 1);
}

static void
settle_everything(struct said *s)
{
	say_settle(s, HM_NOT_SENT, 1, UINT32_MAX);
}

static void
settle_beyond(struct said *s)
{
	say_settle(s, HM_REFUSED, UINT64_MAX, 1);
}

static void
settle_none(struct said *s)
{
	say_record(s, HM_REC_SETTLE, 0, 0,
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
}

static void
settle_with_a_fifth(struct said *s)
{
	say_settle(s, 5, 1, 1);
}

static void
too_much_credit(struct said *s)
{
	say_number(s, HM_REC_CREDIT, 0, LARGEST);
}

static void
all_the_credit(struct said *s)
{
	say_number(s, HM_REC_CREDIT, 0, UINT64_MAX);
}

static void
most_credit(struct said *s)
{
	say_number(s, HM_REC_CREDIT, 0, LARGEST - 65536);
}

static void
credit_asked_for(struct said *s)
{
	say_number(s, HM_REC_CREDIT, HM_CREDIT_ASK, UINT64_MAX);
}

static void
credit_it_has_not(struct said *s)
{
	say_number(s, HM_REC_CREDIT, HM_CREDIT_BACK, 4097);
}

static void
received_too_much(struct said *s)
{
	say_number(s, HM_REC_RECEIVED, 0, 1000);
}

static void
over_its_credit(struct said *s)
{
	uint64_t i;

	begin(1);
	for (i = 1; i <= 40; i++)
		say_data(s, WHOLE, i, &src, "x", 1);
}

/* --- messages */

static void
no_beginning(struct said *s)
{
	say_data(s, HM_DATA_LAST, 9, NULL, "x", 1);
}

static void
piece_of_none(struct said *s)
{
	begin(1);
	say_data(s, WHOLE, 9, &src, "x", 1);
	say_data(s, HM_DATA_LAST, 8, NULL, "x", 1);
}

static void
begun_twice(struct said *s)
{
	begin(2);
	say_data(s, HM_DATA_FIRST, 1, &src, "x", 1);
	say_data(s, HM_DATA_FIRST, 1, &src, "x", 1);
}

static void
too_long(struct said *s)
{
	begin(2);
	say_data(s, HM_DATA_FIRST, 1, &src, "x", 1);
	say_data(s, HM_DATA_LAST, 1, NULL, "xx", 2);
}

static void
too_short(struct said *s)
{
	begin(2);
	say_data(s, WHOLE, 1, &src, "x", 1);
}

static void
no_last(struct said *s)
{
	begin(1);
	say_data(s, HM_DATA_FIRST, 1, &src, "x", 1);
}

static void
came_back(struct said *s)
{
	begin(1);
	src.flags = HM_ENV_RETURN;
	say_data(s, WHOLE, 1, &src, "x", 1);
}

/* An error of five bytes stands where the payload began. */
static void
has_errors(struct said *s)
{
	size_t start = s->n, len;

	begin(1);
	say_data(s, WHOLE, 1, &src, "\1\0\0\0\0x", 6);
	len = hm_get16(s->p + start + 6);
	head_of_last(s, start)[len - 1] = 1;
	hm_put16(s->p + start + 6, (uint16_t)(len + 5));
}

static void
sent_as_other(struct said *s)
{
	begin(1);
	hm_id_set(&me, their, dest, "main", 0, 0);
	say_data(s, WHOLE, 1, &src, "x", 1);
}

static void
sent_as_service(struct said *s)
{
	begin(1);
	hm_id_set(&me, their, "service", "host_agent", 0, 0);
	say_data(s, WHOLE, 1, &src, "x", 1);
}

static void
sent_from_elsewhere(struct said *s)
{
	begin(1);
	hm_id_set(&me, "unix:/nonexistent/h", "forger", "main", 0, 0);
	say_data(s, WHOLE, 1, &src, "x", 1);
}

/* As itself at first: what is remembered of a link is no licence. */
static void
sent_as_other_later(struct said *s)
{
	begin(1);
	say_data(s, WHOLE, 1, &src, "x", 1);
	sent_as_other(s);
}

static void
type_with_space(struct said *s)
{
	begin(1);
	src.type = "text plain";
	say_data(s, WHOLE, 1, &src, "x", 1);
}

static void
too_long_a_type(struct said *s)
{
	begin(1);
	src.type = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		   "aaaaaaa";
	CHECK(strlen(src.type) == HM_TYPE_MAX + 1);
	say_data(s, WHOLE, 1, &src, "x", 1);
}

static void
key_twice(struct said *s)
{
	static const char *const headers[] = {"a", "1", "a", "2", NULL};

	begin(1);
	src.headers = headers;
	say_data(s, WHOLE, 1, &src, "x", 1);
}

static void
head_that_lies(struct said *s)
{
	size_t start = s->n;

	begin(1);
	say_data(s, WHOLE, 1, &src, "x", 1);
	head_of_last(s, start)[HM_HEAD_DEST] = 0xff;
}

/* The longest head there is, with the largest numbers. */
static void
longest_head(struct said *s)
{
	char value[HM_HEAD_MAX];
	const char *headers[] = {"k", value, NULL};
	unsigned char bytes[HM_HEAD_MAX], body[HM_BODY_MAX];
	size_t len, more;

	begin(HM_PIECE_MAX);
	memset(value, 'v', sizeof value);
	value[16] = '\0';
	src.headers = headers;
	src.ttl = UINT8_MAX;
	len = (size_t)hm_head_write(bytes, &src);
	/* hm_head_write leaves room for a reason: the value is made longer. */
	more = HM_HEAD_MAX - len;
	memset(body, 0, sizeof body);
	hm_put64(body, UINT64_MAX - 1);
	memcpy(body + 8, bytes, len - 1);
	memset(body + 8 + len - 1, 'v', more);
	hm_put16(body + 8 + len - 1 - 16 - 2, (uint16_t)(16 + more));
	say_record(
	    s, HM_REC_DATA, HM_DATA_FIRST, HM_HEAD_MAX, body, 8 + HM_HEAD_MAX);
	say_number(s, HM_REC_ABORT, 0, UINT64_MAX - 1);
}

static const struct forgery forgeries[] = {
    {"two greetings", two_greetings, "greeting in the middle"},
    {"a greeting back", greeting_back, "greeting in the middle"},
    {"type 0", type_0, "not a record (type 0)"},
    {"type 11", type_11, "not a record (type 11)"},
    {"4 GiB", four_gigabytes, "record of 4294967295 bytes, at most 18440"},
    {"one byte too many", one_too_many, "record of 18441 bytes, at most 18440"},
    {"a hold of nothing", hold_of_nothing, "malformed record (type 8)"},
    {"a hold of what is unknown", hold_unknown, NULL},
    {"an abort of what is unknown", abort_unknown, NULL},
    {"settles what was not sent", settle_unsent,
	"settlement of message 1, which is not open"},
    {"settles everything", settle_everything,
	"settlement of message 1, which is not open"},
    {"settles beyond all numbers", settle_beyond, "malformed record (type 5)"},
    {"settles nothing", settle_none, "malformed record (type 5)"},
    {"settles with a fifth outcome", settle_with_a_fifth,
	"not a record (type 5)"},
    {"too much credit", too_much_credit, "credit overflows"},
    {"all the credit there is", all_the_credit, "credit overflows"},
    {"the most credit", most_credit, NULL},
    {"credit asked for", credit_asked_for, NULL},
    {"credit it has not", credit_it_has_not,
	"peer gives back credit it has not"},
    {"received too much", received_too_much, "peer has more than was sent"},
    {"over its credit", over_its_credit, "peer ignores its credit"},
    {"no beginning", no_beginning, "message 9 has no beginning"},
    {"a piece of none", piece_of_none, "a piece of no message"},
    {"begun twice", begun_twice, "a message begins again"},
    {"too long", too_long, "payload has not the length said"},
    {"too short", too_short, "payload has not the length said"},
    {"no last piece", no_last, "payload has not the length said"},
    {"came back", came_back, "a message that says it came back"},
    {"has errors", has_errors, "a message that says it came back"},
    {"sent as another", sent_as_other, "is not what this link may send as"},
    {"sent as the host", sent_as_service,
	"a sender of 'service' is not what this link may send as"},
    {"sent from elsewhere", sent_from_elsewhere,
	"a sender of 'forger' is not what this link may send as"},
    {"sent as another, later", sent_as_other_later,
	"is not what this link may send as"},
    {"a type with a space", type_with_space, "message with a bad type"},
    {"too long a type", too_long_a_type, "message with a bad type"},
    {"a key twice", key_twice, "message with a bad second header 'a'"},
    {"a head that lies", head_that_lies, "message with a malformed head"},
    {"the longest head", longest_head, NULL},
};

/* --- greetings */

static void
other_magic(struct said *s)
{
	two_greetings(s);
	s->p[HM_RECORD_HEADER] = 'H';
}

static void
another_major(struct said *s)
{
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, "", "forger");

	hello.major = 2;
	say_hello(s, &hello);
}

static void
another_minor(struct said *s)
{
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, "", "forger");

	hello.minor = 9;
	say_hello(s, &hello);
}

static void
greet_as(struct said *s, unsigned kind, const char *id, const char *name)
{
	struct hm_hello hello = raw_hello((enum hm_hello_kind)kind, id, name);

	say_hello(s, &hello);
}

static void
kind_0(struct said *s)
{
	greet_as(s, 0, "", "forger");
}

static void
kind_6(struct said *s)
{
	greet_as(s, 6, "", "forger");
}

static void
too_long_a_name(struct said *s)
{
	greet_as(s, HM_HELLO_ATTACH, "",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "a");
}

static void
name_of_the_host(struct said *s)
{
	greet_as(s, HM_HELLO_ATTACH, "", "service");
}

static void
name_of_clients(struct said *s)
{
	greet_as(s, HM_HELLO_ATTACH, "", "client-me");
}

static void
name_of_another(struct said *s)
{
	greet_as(s, HM_HELLO_ATTACH, "", dest);
}

static void
joins_as_another(struct said *s)
{
	greet_as(s, HM_HELLO_JOIN, "", dest);
}

static void
joins_as_nobody(struct said *s)
{
	greet_as(s, HM_HELLO_JOIN, "", "");
}

static void
boots_without(struct said *s)
{
	greet_as(s, HM_HELLO_BOOT, "", "forger");
}

static void
boots_again(struct said *s)
{
	struct hm_hello hello = raw_hello(HM_HELLO_BOOT, "", dest);

	hello.token.p = "00000000000000000000000000000000";
	hello.token.n = 32;
	say_hello(s, &hello);
}

static void
host_of_ours(struct said *s)
{
	greet_as(s, HM_HELLO_HOST, their, "");
}

static void
host_of_nothing(struct said *s)
{
	greet_as(s, HM_HELLO_HOST, "", "");
}

static void
promises_too_much(struct said *s)
{
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, "", "forger");

	hello.credit = LARGEST + 1;
	say_hello(s, &hello);
}

static void
resumes(struct said *s)
{
	struct hm_hello hello = raw_hello(HM_HELLO_RESUME, "", "");

	hello.session = 7; /* nobody's */
	say_hello(s, &hello);
}

static const struct forgery greetings[] = {
    {"no greeting", no_beginning, "Error: peer does not greet"},
    {"goodbye", say_bye, "Error: peer does not greet"},
    {"a greeting back", greeting_back, "Error: peer does not greet"},
    {"no record", type_0, "Error: not a record (type 0)"},
    {"another magic", other_magic, "Error: peer does not speak hostmux"},
    {"another major version", another_major, "Error: peer speaks 2, this is 1"},
    {"another minor version", another_minor, NULL},
    {"kind 0", kind_0, "Error: a greeting of unknown kind"},
    {"kind 6", kind_6, "Error: a greeting of unknown kind"},
    {"a name too long", too_long_a_name, "Error: peer greets with a bad name"},
    {"as the host", name_of_the_host, "name 'service' belongs to the host"},
    {"as a client", name_of_clients, "name 'client-me' belongs to the host"},
    {"as another", name_of_another, "ProcExists: proc "},
    {"joins as another", joins_as_another, "ProcExists: proc "},
    {"joins as nobody", joins_as_nobody, "a proc that joins needs a name"},
    {"boots without a reservation", boots_without,
	"no reservation of 'forger' with that token"},
    {"boots again", boots_again, "with that token"},
    {"as this host", host_of_ours, "is an address of this host"},
    {"as a host of nothing", host_of_nothing, ": address ''"},
    {"promises too much", promises_too_much, "Error: malformed greeting"},
};

/* --- who hears what */

/* Says what the forgery has to say; the words it is told must be those. */
static void
try_one(const struct forgery *f, bool greeted)
{
	static struct raw raw;
	static struct said s;
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, "", "forger");
	char why[HM_ERROR_TEXT] = "";
	bool answered = false;

	raw_dial(&raw, addr);
	if (greeted)
		raw_greet(&raw, &hello, their);
	s.n = 0;
	f->say(&s);
	say_number(&s, HM_REC_CREDIT, HM_CREDIT_ASK, 0);
	say_bye(&s);
	raw_say(&raw, &s);
	/* A host's greeting with an end behind it is none. */
	if (greeted || f->why == NULL)
		raw_end(&raw);
	while (raw_next(&raw)) {
		if (raw.rec.type == HM_REC_CREDIT &&
		    raw.rec.flags == HM_CREDIT_BACK)
			answered = true;
		if (raw.rec.type == HM_REC_BYE && raw.rec.len > 2)
			(void)snprintf(why, sizeof why, "%.*s",
			    hm_get16(raw.body), (const char *)raw.body + 2);
	}
	raw_close(&raw);
	if (f->why == NULL ? !answered : strstr(why, f->why) == NULL) {
		fprintf(stderr, "%s: told '%s', not '%s'\n", f->what, why,
		    f->why == NULL ? "" : f->why);
		exit(1);
	}
	witness_ask(&witness);
}

static void
try_all(const struct forgery *f, size_t n, bool greeted)
{
	for (; n > 0; n--, f++)
		try_one(f, greeted);
}

static const struct forgery *
over_tcp_or_not(void)
{
	static const struct forgery over_unix = {"resumes", resumes,
					" resumes nothing"},
				    over_tcp = {"resumes", resumes,
					"session is not known any more"};

	return tcp ? &over_tcp : &over_unix;
}

static void
greet(struct raw *raw, const char *name)
{
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, "", name);

	raw_dial(raw, addr);
	raw_greet(raw, &hello, their);
}

static void
leave(struct raw *raw)
{
	static struct said s;

	s.n = 0;
	say_bye(&s);
	raw_say(raw, &s);
	raw_end(raw);
	while (raw_next(raw))
		continue;
	raw_close(raw);
}

static void
expect_bye(struct raw *raw, const char *want)
{
	char why[HM_ERROR_TEXT] = "";

	while (raw_next(raw)) {
		if (raw->rec.type == HM_REC_BYE)
			(void)snprintf(why, sizeof why, "%.*s",
			    hm_get16(raw->body), (const char *)raw->body + 2);
	}
	raw_close(raw);
	if (strstr(why, want) == NULL) {
		fprintf(stderr, "told '%s', not '%s'\n", why, want);
		exit(1);
	}
	witness_ask(&witness);
}

/* --- settled already */

static void
settled_already(void)
{
	static struct raw raw;
	static struct said s;

	greet(&raw, "forger");
	s.n = 0;
	begin(4);
	hm_id_set(&to, their, "service", "host_agent", 0, 0);
	me.depth = HM_ID_PORT;
	src.reply_to = &me;
	say_data(&s, WHOLE, 1, &src, "ping", 4);
	raw_say(&raw, &s);
	raw_until(&raw, HM_REC_DATA);
	s.n = 0;
	say_settle(&s, HM_DELIVERED, hm_get64(raw.body), 1);
	say_settle(&s, HM_REFUSED, hm_get64(raw.body), 1);
	raw_say(&raw, &s);
	expect_bye(&raw, "settlement of message 1, which is not open");
}

/* --- more than may be unfinished, and more than is read */

static void
unfinished(void)
{
	static struct raw raw;
	static struct said s;
	uint64_t credit, i;
	unsigned type;

	greet(&raw, "forger");
	credit = hm_get64(raw.body + 32);
	begin(200000);
	hm_id_set(&to, their, "service", "host_agent", 0, 0);
	for (i = 1; i <= 1025; i++) {
		s.n = 0;
		say_data(&s, HM_DATA_FIRST, i, &src, "", 0);
		while (credit < 256) {
			CHECK(raw_next(&raw));
			type = raw.rec.type;
			CHECK(type == HM_REC_SETTLE || type == HM_REC_CREDIT ||
			      type == HM_REC_RECEIVED);
			if (type == HM_REC_CREDIT && raw.rec.flags == 0)
				credit += hm_get64(raw.body);
		}
		CHECK(s.n <= 256);
		credit -= s.n < 128 ? 128 : s.n;
		raw_say(&raw, &s);
	}
	expect_bye(&raw, "more than 1024 unfinished messages");
}

static void
unread(void)
{
	static struct raw raw;
	static struct said s;
	unsigned i;

	greet(&raw, "forger");
	s.n = 0;
	while (s.n < sizeof s.p - HM_DATA_HEADER)
		say_number(&s, HM_REC_CREDIT, HM_CREDIT_ASK, 0);
	/* More than 4 MiB beyond what the sockets hold. */
	for (i = 0; i < 64; i++)
		raw_say(&raw, &s);
	expect_bye(&raw, "peer does not take what it is told");
}

/* --- settled with a reason, and nothing worse */

static void
settled_as(const char *at, const char *name, uint64_t len, unsigned ttl,
    unsigned outcome, const char *reason)
{
	static struct raw raw;
	static struct said s;
	char why[HM_ERROR_TEXT];

	greet(&raw, "forger");
	s.n = 0;
	begin(len);
	hm_id_set(&to, at, name, "main", 0, 0);
	src.ttl = (uint8_t)ttl;
	say_data(&s, len == 1 ? WHOLE : HM_DATA_FIRST, 1, &src, "x", 1);
	raw_say(&raw, &s);
	raw_until(&raw, HM_REC_SETTLE);
	CHECK(hm_get64(raw.body + 4) == 1 && hm_get32(raw.body + 12) == 1);
	(void)snprintf(why, sizeof why, "%.*s", hm_get16(raw.body + 16),
	    (const char *)raw.body + 18);
	if (raw.rec.extra != outcome || strstr(why, reason) == NULL) {
		fprintf(stderr, "settled as %u, '%s', not '%s'\n",
		    raw.rec.extra, why, reason);
		exit(1);
	}
	leave(&raw);
	witness_ask(&witness);
}

/* --- what only the first host may say */

static void
vouched_for(void)
{
	static struct raw judge, raw;
	static struct said s;
	unsigned flags;
	struct hm_head head;

	greet(&judge, "judge");
	greet(&raw, "forger");
	for (flags = 0; flags < 2; flags++) {
		s.n = 0;
		begin(1);
		hm_id_set(&to, their, "judge", "main", 0, 0);
		src.flags = flags != 0 ? HM_ENV_REMOTE : 0;
		say_data(&s, WHOLE, flags + 1, &src, "x", 1);
		hm_put32(s.p + HM_DATA_HEADER + HM_HEAD_UID, 0x01020304);
		hm_put32(s.p + HM_DATA_HEADER + HM_HEAD_PID, 1);
		raw_say(&raw, &s);
		raw_until(&judge, HM_REC_DATA);
		CHECK(hm_head_read(
			  &head, judge.body + 8, judge.rec.extra, NULL) == 0);
		CHECK(head.ttl == 63);
		CHECK(head.uid == (tcp ? HM_UID_UNKNOWN : (uint32_t)geteuid()));
		CHECK(head.pid == (tcp ? 0 : (uint32_t)getpid()));
		CHECK(
		    (head.flags & HM_ENV_REMOTE) == (tcp ? HM_ENV_REMOTE : 0));
	}
	leave(&judge);
	leave(&raw);
}

/* --- control */

/* What host_agent answers to that, which says it comes from here and root. */
static void
asked_over_tcp(const char *text, const char *want)
{
	static struct raw raw;
	static struct said s;
	char got[4096];
	size_t skip;

	greet(&raw, "forger");
	s.n = 0;
	begin(strlen(text));
	hm_id_set(&to, their, "service", "host_agent", 0, 0);
	me.depth = HM_ID_PORT;
	src.reply_to = &me;
	say_data(&s, WHOLE, 1, &src, text, strlen(text));
	hm_put32(s.p + HM_DATA_HEADER + HM_HEAD_UID, 0);
	hm_put32(s.p + HM_DATA_HEADER + HM_HEAD_PID, 1);
	raw_say(&raw, &s);
	raw_until(&raw, HM_REC_DATA);
	skip = 8u + raw.rec.extra;
	(void)snprintf(got, sizeof got, "%.*s", (int)(raw.rec.len - skip),
	    (const char *)raw.body + skip);
	if (strstr(got, want) == NULL) {
		fprintf(stderr, "%s: answered %s, not %s\n", text, got, want);
		exit(1);
	}
	leave(&raw);
}

static void
control_over_tcp(void)
{
	static const char *const closed[] = {"{\"op\":\"info\"}",
	    "{\"op\":\"watch\"}", "{\"op\":\"reserve\",\"names\":[\"x\"]}",
	    "{\"op\":\"bind\",\"name\":\"x\",\"addr\":\"tcp:127.0.0.1:1\"}",
	    "{\"op\":\"unbind\",\"name\":\"c\"}", "{\"op\":\"local\"}",
	    "{\"op\":\"terminate\",\"all\":true}",
	    "{\"op\":\"kill\",\"all\":true}", "{\"op\":\"reap\",\"all\":true}",
	    "{\"op\":\"shutdown\"}",
	    "{\"op\":\"status\",\"name\":\"c\",\"set\":{}}"};
	size_t i;

	for (i = 0; i < sizeof closed / sizeof *closed; i++)
		asked_over_tcp(
		    closed[i], "may not be asked for from another machine");
	asked_over_tcp("{\"op\":\"ping\"}", "{\"ok\":true}");
	witness_ask(&witness);
}

/* A session that goes on with more than it was sent. */
static void
resumes_too_much(void)
{
	static struct raw raw;
	static struct said s;
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, "", "forger");

	hello.session = 0x1234567812345678;
	raw_dial(&raw, addr);
	raw_greet(&raw, &hello, their);
	raw_close(&raw);
	hello = raw_hello(HM_HELLO_RESUME, "", "");
	hello.session = 0x1234567812345678;
	hello.received = 1000;
	raw_dial(&raw, addr);
	s.n = 0;
	say_hello(&s, &hello);
	raw_say(&raw, &s);
	expect_bye(&raw, "peer has what was never sent");
	greet(&raw, "forger");
	leave(&raw);
}

/* Who says BYE and does not close is closed, and its name is free. */
static void
stays(void)
{
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, "", "stays");
	static struct said said;
	static struct raw raw;

	said.n = 0;
	say_hello(&said, &hello);
	say_bye(&said);
	raw_dial(&raw, addr);
	raw_say(&raw, &said);
	while (raw_next(&raw))
		continue;
	CHECK(close(raw.fd) == 0);
	hello.session++;
	said.n = 0;
	say_hello(&said, &hello);
	raw_dial(&raw, addr);
	raw_say(&raw, &said);
	CHECK(raw_next(&raw) && raw.rec.type == HM_REC_HELLO_BACK);
	leave(&raw);
}

int
main(int argc, char *argv[])
{
	struct hm_hello hello = raw_hello(HM_HELLO_ATTACH, "", "witness");

	CHECK(argc == 3);
	addr = argv[1];
	dest = argv[2];
	tcp = strncmp(addr, "tcp:", 4) == 0;
	witness_init(&witness, addr, &hello, dest, true);
	memcpy(their, witness.addr, sizeof their);
	try_all(forgeries, sizeof forgeries / sizeof *forgeries, true);
	try_all(greetings, sizeof greetings / sizeof *greetings, false);
	try_one(over_tcp_or_not(), false);
	settled_already();
	unfinished();
	unread();
	settled_as(their, dest, UINT64_MAX, 64, HM_REFUSED,
	    "message of 18446744073709551615 bytes, the largest taken is ");
	settled_as(their, dest, 1, 0, HM_NOT_SENT, "TTL expired");
	settled_as(their, "nobody", 1, 64, HM_NOT_SENT, "no proc 'nobody' on ");
	/* The same address, otherwise: it would have another link each time. */
	if (!tcp)
		settled_as("tcp:127.0.0.1:07000", dest, 1, 64, HM_NOT_SENT,
		    "is no address, tcp:127.0.0.1:7000 is");
	vouched_for();
	stays();
	if (tcp) {
		control_over_tcp();
		resumes_too_much();
	}
	leave(&witness.raw);
	return 0;
}
