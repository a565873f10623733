/*
 * Every kind of record, changed in every byte and cut at every byte:
 * mutate ADDR DEST attach | host, to the host or the server at ADDR that takes
 * messages for DEST.
 *
 * Whoever hears such a thing goes on (and answers what comes behind it), waits
 * for more of it, or says BYE with words: the codec's, where that refuses it.
 * The end of a connection is never less than that, and a link beside it is
 * served all the time.
 */
#include <ctype.h>

#include "witness.h"

/* Connections between two questions of the witness. */
#define ASKED_EVERY 64u
/* "unix:" and nothing there. */
#define NOWHERE "unix:/nonexistent/mutate"

enum heard { HEARD_WHY, HEARD_ANSWER, HEARD_NOTHING };

/* A record or more that are good, as long as nobody changes them. */
struct subject {
	const char *what;
	struct said said;
	bool greeting; /* it is what comes first */
	bool answered; /* a message has come before it is said */
};

static const char *addr, *dest;
static enum hm_hello_kind kind;
static bool tcp;
static char their[HM_ADDR_SIZE]; /* the id address of who is dialed */
static struct witness witness;
static unsigned counts[3], connections;

static struct hm_hello
hello_of(const char *id, const char *name)
{
	return kind == HM_HELLO_HOST ? raw_hello(kind, id, "")
				     : raw_hello(kind, "", name);
}

static struct hm_hello
mine(void)
{
	return hello_of(NOWHERE, "mutate");
}

static void
ids(struct hm_id *to, struct hm_id *me)
{
	hm_id_set(to, their, dest, "main", 0, 0);
	hm_id_set(me, kind == HM_HELLO_HOST ? NOWHERE : their, "mutate", "main",
	    0, 0);
}

/* A question whose answer is a message to us. */
static void
ask_answer(struct raw *raw)
{
	static struct said s;
	struct hm_id to, me;
	struct hm_head_source src = {
	    4, 64, 0, &to, &me, "text/plain", NULL, &me};

	s.n = 0;
	ids(&to, &me);
	hm_id_set(&to, their, "service", "host_agent", 0, 0);
	say_data(&s, HM_DATA_FIRST | HM_DATA_LAST, 1, &src, "ping", 4);
	raw_say(raw, &s);
	raw_until(raw, HM_REC_DATA);
}

/* All that comes, to its end; why: the words of a BYE. */
static enum heard
hear(struct raw *raw, char why[HM_ERROR_TEXT])
{
	enum heard heard = HEARD_NOTHING;
	size_t i;

	why[0] = '\0';
	while (raw_next(raw)) {
		CHECK(heard != HEARD_WHY); /* nothing comes behind a BYE */
		if (raw->rec.type == HM_REC_CREDIT &&
		    raw->rec.flags == HM_CREDIT_BACK)
			heard = HEARD_ANSWER;
		if (raw->rec.type != HM_REC_BYE)
			continue;
		heard = HEARD_WHY;
		CHECK(raw->rec.len > 2 && raw->rec.len < 2 + HM_ERROR_TEXT);
		memcpy(why, raw->body + 2, raw->rec.len - 2);
		why[raw->rec.len - 2] = '\0';
		for (i = 0; why[i] != '\0'; i++)
			CHECK((unsigned char)why[i] >= ' ');
	}
	return heard;
}

/* What the codec says of what is said: its words, or "".  True: of the first
 * record. */
static bool
judge(const struct said *s, struct hm_error *err)
{
	struct hm_record rec;
	size_t at = 0;
	int got;

	err->text[0] = '\0';
	while ((got = hm_record_peek(s->p + at, s->n - at, &rec, err)) == 1)
		at += rec.len + HM_RECORD_HEADER;
	if (got != -1)
		err->text[0] = '\0';
	return got == -1 && at == 0;
}

static void
complain(const struct subject *subject, size_t at, unsigned value,
    const char *heard, const char *wanted)
{
	fprintf(stderr, "%s, byte %zu, %u: heard '%s', not '%s'\n",
	    subject->what, at, value, heard, wanted);
	exit(1);
}

/* Says s on a connection of its own; all: with a question behind it, and a
 * BYE. */
static enum heard
converse(const struct subject *subject, const struct said *s, bool all,
    char why[HM_ERROR_TEXT])
{
	static struct raw raw;
	static struct said more;
	struct hm_hello hello = mine();
	char id[HM_ADDR_SIZE];
	enum heard heard;

	if (++connections % ASKED_EVERY == 0)
		witness_ask(&witness);
	raw_dial(&raw, addr);
	if (!subject->greeting)
		raw_greet(&raw, &hello, id);
	if (subject->answered)
		ask_answer(&raw);
	more.n = 0;
	if (all) {
		say_number(&more, HM_REC_CREDIT, HM_CREDIT_ASK, 1);
		say_bye(&more);
	}
	raw_say(&raw, s);
	raw_say(&raw, &more);
	raw_end(&raw);
	heard = hear(&raw, why);
	raw_close(&raw);
	counts[heard]++;
	return heard;
}

static void
change(const struct subject *subject, size_t at, unsigned char value)
{
	static struct said s;
	struct hm_error err;
	char why[HM_ERROR_TEXT];
	enum heard heard;
	bool first;

	memcpy(s.p, subject->said.p, subject->said.n);
	s.n = subject->said.n;
	s.p[at] = value;
	first = judge(&s, &err);
	heard = converse(subject, &s, true, why);
	/* What is wrong with its contents may be seen before. */
	if (err.text[0] != '\0' && heard != HEARD_WHY)
		complain(subject, at, value, "", err.text);
	if (first && strstr(why, err.text) == NULL)
		complain(subject, at, value, why, err.text);
}

/* Only the first n bytes come, and then the end of the file. */
static void
cut(const struct subject *subject, size_t n)
{
	static struct said s;
	char why[HM_ERROR_TEXT];

	memcpy(s.p, subject->said.p, n);
	s.n = n;
	if (converse(subject, &s, false, why) == HEARD_WHY)
		complain(subject, n, 0, why, "");
}

/* The first record ends n bytes earlier, and says so. */
static void
shorten(const struct subject *subject, size_t n)
{
	static struct said s;
	struct hm_error err;
	char why[HM_ERROR_TEXT];
	uint32_t len = hm_get32(subject->said.p);

	memcpy(s.p, subject->said.p, HM_RECORD_HEADER + len - n);
	s.n = HM_RECORD_HEADER + len - n;
	hm_put32(s.p, (uint32_t)(len - n));
	(void)judge(&s, &err);
	/* All that is missing is a payload that may come later. */
	if (converse(subject, &s, true, why) != HEARD_WHY &&
	    !(s.p[4] == HM_REC_DATA && s.p[5] == HM_DATA_FIRST && n == 1))
		complain(subject, n, 0, why, "a reason");
	if (err.text[0] != '\0' && strstr(why, err.text) == NULL)
		complain(subject, n, 0, why, err.text);
}

static void
torment(const struct subject *subject)
{
	const struct said *s = &subject->said;
	unsigned char values[] = {0, 0xff, 0, 0, ',', 17};
	char why[HM_ERROR_TEXT];
	size_t i, k;

	if (converse(subject, s, true, why) != HEARD_ANSWER)
		complain(subject, 0, 0, why, "an answer");
	for (i = 0; i < s->n; i++) {
		values[2] = s->p[i] ^ 1;
		values[3] = s->p[i] ^ 0x80;
		/* Nobody is to dial another machine's address. */
		for (k = 0; k < sizeof values && !(tcp && isdigit(s->p[i]));
		     k++) {
			if (values[k] != s->p[i])
				change(subject, i, values[k]);
		}
	}
	for (i = 0; i < s->n; i++)
		cut(subject, i);
	for (i = 1; i <= hm_get32(s->p); i++)
		shorten(subject, i);
	witness_ask(&witness);
}

static void
say_destination(struct said *s, unsigned type)
{
	unsigned char body[2 + HM_ADDR_SIZE + HM_NAME_MAX];
	size_t n = strlen(their), m = strlen(dest);

	body[0] = (unsigned char)n;
	memcpy(body + 1, their, n);
	body[1 + n] = (unsigned char)m;
	memcpy(body + 2 + n, dest, m);
	say_record(s, type, 0, 0, body, 2 + n + m);
}

static void
say_settled(struct said *s)
{
	unsigned char body[20] = {0, 0, 0, 1};

	body[11] = body[15] = 1;
	say_record(s, HM_REC_SETTLE, 0, HM_DELIVERED, body, sizeof body);
}

/* The messages: whole, in pieces, begun and given up. */
static void
torment_messages(struct subject *x)
{
	static const char *const headers[] = {"key", "value", NULL};
	struct hm_id to, me;
	struct hm_head_source src = {
	    3, 64, HM_ENV_NOW, &to, &me, "text/plain", headers, &me};

	ids(&to, &me);
	x->what = "a message";
	say_data(&x->said, HM_DATA_FIRST | HM_DATA_LAST, 2, &src, "hi!", 3);
	torment(x);
	src.headers = NULL;
	src.reply_to = NULL;
	x->what = "a message in pieces";
	x->said.n = 0;
	say_data(&x->said, HM_DATA_FIRST, 2, &src, "h", 1);
	say_data(&x->said, 0, 2, NULL, "i", 1);
	say_data(&x->said, HM_DATA_LAST, 2, NULL, "!", 1);
	torment(x);
	x->what = "a message given up";
	x->said.n = 0;
	say_data(&x->said, HM_DATA_FIRST, 2, &src, "h", 1);
	say_number(&x->said, HM_REC_ABORT, 0, 2);
	torment(x);
}

static void
torment_all(void)
{
	static struct subject x;
	struct hm_hello hello = mine();

	x.what = "a greeting";
	x.greeting = true;
	say_hello(&x.said, &hello);
	torment(&x);
	x.greeting = false;
	x.said.n = 0;
	torment_messages(&x);
	x.what = "RECEIVED";
	x.said.n = 0;
	say_number(&x.said, HM_REC_RECEIVED, 0, 0);
	torment(&x);
	x.what = "CREDIT, granted and asked back";
	x.said.n = 0;
	say_number(&x.said, HM_REC_CREDIT, 0, 4096);
	say_number(&x.said, HM_REC_CREDIT, HM_CREDIT_ASK, 4096);
	say_number(&x.said, HM_REC_CREDIT, HM_CREDIT_BACK, 1);
	torment(&x);
	x.what = "HOLD and RESUME";
	x.said.n = 0;
	say_destination(&x.said, HM_REC_HOLD);
	say_destination(&x.said, HM_REC_RESUME);
	torment(&x);
	x.what = "SETTLE";
	x.said.n = 0;
	x.answered = true;
	say_settled(&x.said);
	if (kind != HM_HELLO_HOST)
		torment(&x);
}

int
main(int argc, char *argv[])
{
	struct hm_hello hello;

	CHECK(argc == 4);
	addr = argv[1];
	dest = argv[2];
	tcp = strncmp(addr, "tcp:", 4) == 0;
	kind = strcmp(argv[3], "host") == 0 ? HM_HELLO_HOST : HM_HELLO_ATTACH;
	hello = hello_of("unix:/nonexistent/witness", "witness");
	witness_init(&witness, addr, &hello, dest, kind != HM_HELLO_HOST);
	memcpy(their, witness.addr, sizeof their);
	torment_all();
	printf("%u connections: %u heard why, %u went on, %u waited\n",
	    connections, counts[HEARD_WHY], counts[HEARD_ANSWER],
	    counts[HEARD_NOTHING]);
	return 0;
}
