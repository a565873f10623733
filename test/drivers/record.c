/*
 * Records and heads against test/golden: what is written there is what the
 * codecs write, and they read it back; what is refused, cut short, or changed
 * in any one byte never makes them read past its end.
 */
#include <errno.h>
#include <string.h>

#include <hostmux/json.h>

#include "check.h"
#include "wire/record.h"

#define BYTES_MAX 4096

struct bytes {
	unsigned char p[BYTES_MAX];
	size_t n;
};

static const char *golden = "test/golden";

static FILE *
open_golden(const char *name)
{
	char path[512];
	FILE *in;

	(void)snprintf(path, sizeof path, "%s/%s.hex", golden, name);
	in = fopen(path, "r");
	CHECK(in != NULL);
	return in;
}

static void
add_hex(struct bytes *b, char *line)
{
	unsigned n;
	char *p;

	line[strcspn(line, "#\n")] = '\0';
	for (p = line; *(p += strspn(p, " ")) != '\0'; p += 2) {
		CHECK(sscanf(p, "%2x", &n) == 1 && b->n < BYTES_MAX);
		b->p[b->n++] = (unsigned char)n;
	}
}

static void
load(struct bytes *b, const char *name)
{
	FILE *in = open_golden(name);
	char line[4 * BYTES_MAX];

	b->n = 0;
	while (fgets(line, sizeof line, in) != NULL)
		add_hex(b, line);
	(void)fclose(in);
}

/* The record at the front of b is taken off it. */
static void
expect(struct bytes *b, const struct bytes *want)
{
	CHECK(b->n >= want->n && memcmp(b->p, want->p, want->n) == 0);
	memmove(b->p, b->p + want->n, b->n - want->n);
	b->n -= want->n;
}

static void
begin(struct bytes *b, uint8_t type, uint8_t flags, size_t extra, size_t len)
{
	struct hm_record rec = {(uint32_t)len, type, flags, (uint16_t)extra};

	hm_record_header(b->p, &rec);
	b->n = HM_RECORD_HEADER;
}

static void
add_u64(struct bytes *b, uint64_t n)
{
	hm_put64(b->p + b->n, n);
	b->n += 8;
}

static void
add(struct bytes *b, const void *p, size_t n)
{
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void
add_str16(struct bytes *b, const char *text)
{
	hm_put16(b->p + b->n, (uint16_t)strlen(text));
	b->n += 2;
	add(b, text, strlen(text));
}

static struct hm_slice
slice(const char *text)
{
	struct hm_slice s = {text, strlen(text)};

	return s;
}

static bool
is(struct hm_slice s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static void
test_hello(
    const char *name, enum hm_record_type type, const struct hm_hello *want)
{
	struct bytes b, w;
	struct hm_record rec;
	struct hm_hello got;
	struct hm_error err;

	load(&b, name);
	CHECK(hm_record_peek(b.p, b.n, &rec, &err) == 1);
	CHECK(rec.type == type && rec.len + 8 == b.n);
	CHECK(hm_hello_read(&got, b.p + 8, rec.len, &err) == 0);
	CHECK(got.kind == want->kind && got.session == want->session);
	CHECK(got.received == want->received && got.credit == want->credit);
	CHECK(got.max_message == want->max_message);
	CHECK(is(got.addr, want->addr.p) && is(got.name, want->name.p) &&
	      is(got.token, want->token.p));
	w.n = hm_hello_write(w.p, type, want);
	expect(&b, &w);
	CHECK(b.n == 0);
}

static void
test_hellos(void)
{
	struct hm_hello hello = {HM_WIRE_MAJOR, HM_WIRE_MINOR, HM_HELLO_ATTACH,
	    0x0123456789abcdef, 0, 64 << 20, 4096, slice(""), slice("w1"),
	    slice("")};

	test_hello("hello-attach", HM_REC_HELLO, &hello);
	hello.kind = HM_HELLO_BOOT;
	hello.token = slice("00112233445566778899aabbccddeeff");
	test_hello("hello-boot", HM_REC_HELLO, &hello);
	hello.kind = HM_HELLO_ATTACH;
	hello.received = 17;
	hello.max_message = (uint64_t)10 << 30;
	hello.credit = 65536;
	hello.addr = slice("unix:/run/h/front");
	hello.name = slice("client-7f3a");
	hello.token = slice("");
	test_hello("hello-back", HM_REC_HELLO_BACK, &hello);
}

/* The head that stands in the golden DATA records, for the rest as src says. */
static size_t
write_head(unsigned char *p, const struct hm_head_source *src)
{
	struct hm_head_source full = *src;
	struct hm_id dest, sender;
	long n;

	hm_id_set(&dest, "tcp:10.0.0.7:7000", "w1", "main", 0, 0);
	hm_id_set(&sender, "unix:/run/h/front", "client-7f3a", "main", 0, 0);
	full.dest = &dest;
	full.sender = &sender;
	n = hm_head_write(p, &full);
	CHECK(n >= (long)HM_HEAD_MIN);
	hm_put32(p + HM_HEAD_UID, 1000);
	hm_put32(p + HM_HEAD_PID, 4242);
	return (size_t)n;
}

static void
add_data(struct bytes *w, unsigned flags, uint64_t number,
    const unsigned char *head, size_t head_len, const char *payload)
{
	size_t n = strlen(payload);

	begin(w, HM_REC_DATA, (uint8_t)flags, head_len, 8 + head_len + n);
	add_u64(w, number);
	add(w, head, head_len);
	add(w, payload, n);
}

static void
check_single(const struct hm_head *head)
{
	CHECK(head->payload_len == 2 && head->ttl == 64 && head->flags == 0);
	CHECK(head->uid == 1000 && head->pid == 4242);
	CHECK(is(head->dest.addr, "tcp:10.0.0.7:7000"));
	CHECK(is(head->dest.proc, "w1") && is(head->dest.actor, "main"));
	CHECK(head->dest.index == 0 && head->dest.port == 0);
	CHECK(is(head->sender.addr, "unix:/run/h/front"));
	CHECK(is(head->sender.proc, "client-7f3a"));
	CHECK(is(head->dest_proc, "\x11tcp:10.0.0.7:7000\x02w1"));
	CHECK(is(head->sender_proc, "\x11unix:/run/h/front\x0b"
				    "client-7f3a"));
	CHECK(is(head->type, "text/plain"));
	CHECK(head->headers.p[0] == 2 && head->errors.p[0] == 0);
	CHECK(head->headers.p + head->headers.n == head->errors.p);
	CHECK(head->errors.n == 1);
}

static void
test_single(void)
{
	static const char *const headers[] = {"proc", "w1", NULL};
	unsigned char p[HM_HEAD_MAX];
	struct hm_head_source src = {
	    2, 64, 0, NULL, NULL, "text/plain", headers, NULL};
	struct hm_record rec;
	struct hm_head head;
	struct hm_id reply;
	struct bytes b, w;

	hm_id_set(&reply, "unix:/run/h/front", "client-7f3a", "main", 0, 1024);
	src.reply_to = &reply;
	load(&b, "data-single");
	CHECK(hm_record_peek(b.p, b.n, &rec, NULL) == 1);
	CHECK(hm_head_read(&head, b.p + HM_DATA_HEADER, rec.extra, NULL) == 0);
	check_single(&head);
	add_data(&w, HM_DATA_FIRST | HM_DATA_LAST | HM_DATA_ASK, 1, p,
	    write_head(p, &src), "hi");
	expect(&b, &w);
	CHECK(b.n == 0);
}

static void
test_pieces(void)
{
	unsigned char p[HM_HEAD_MAX];
	struct hm_head_source src = {
	    10, 64, 0, NULL, NULL, "text/plain", NULL, NULL};
	struct bytes b, w;

	load(&b, "data-pieces");
	add_data(&w, HM_DATA_FIRST, 258, p, write_head(p, &src), "0123");
	expect(&b, &w);
	add_data(&w, 0, 258, p, 0, "456");
	expect(&b, &w);
	add_data(&w, HM_DATA_LAST, 258, p, 0, "789");
	expect(&b, &w);
	CHECK(b.n == 0);
}

static void
test_error(void)
{
	struct hm_envelope *env;
	enum hm_outcome kind;
	struct hm_slice reason, at;
	struct hm_record rec;
	struct hm_head head;
	struct bytes b;

	load(&b, "data-error");
	CHECK(hm_record_peek(b.p, b.n, &rec, NULL) == 1);
	CHECK(hm_head_read(&head, b.p + 16, rec.extra, NULL) == 0);
	env = hm_envelope_from_head(b.p + 16, rec.extra);
	CHECK(env != NULL && hm_envelope_errors(env) == 2);
	CHECK(hm_envelope_flags(env) == HM_ENV_REMOTE);
	CHECK(hm_envelope_error_at(env, 0, &kind, &reason, &at));
	CHECK(kind == HM_NOT_SENT && is(at, "tcp:10.0.0.7:7000"));
	CHECK(is(reason, "no proc 'w9' on tcp:10.0.0.7:7000"));
	CHECK(hm_envelope_error_at(env, 1, &kind, &reason, &at));
	CHECK(kind == HM_UNKNOWN && reason.n == 0 && at.n == 0);
	CHECK(!hm_envelope_error_at(env, 2, &kind, &reason, &at));
	hm_envelope_free(env);
}

static void
test_same(const char *name, const struct bytes *want)
{
	struct hm_record rec;
	struct bytes b;

	load(&b, name);
	CHECK(hm_record_peek(b.p, b.n, &rec, NULL) == 1);
	expect(&b, want);
	CHECK(b.n == 0);
}

static void
test_settles(void)
{
	struct bytes w;

	begin(&w, HM_REC_SETTLE, 0, HM_DELIVERED, 32);
	add(&w, "\0\0\0\2", 4);
	add_u64(&w, 1);
	add(&w, "\0\0\0\1", 4);
	add_u64(&w, 3);
	add(&w, "\0\0\xff\xff", 4);
	add_str16(&w, "");
	add_str16(&w, "");
	test_same("settle-delivered", &w);
	begin(&w, HM_REC_SETTLE, 0, HM_REFUSED, 50);
	add(&w, "\0\0\0\1", 4);
	add_u64(&w, 258);
	add(&w, "\0\0\0\1", 4);
	add_str16(&w, "w1 is full");
	add_str16(&w, "unix:/run/h/front,w1");
	test_same("settle-refused", &w);
}

static void
test_number(const char *name, uint8_t type, uint8_t flags, uint64_t n)
{
	struct bytes w;

	begin(&w, type, flags, 0, 8);
	add_u64(&w, n);
	test_same(name, &w);
}

static void
test_others(void)
{
	static const char dest[] = "\x11unix:/run/h/front\x02w1";
	static const char *const reasons[] = {
	    "", "sender tcp:10.0.0.9:1,x is not yours"};
	struct bytes w;
	int i;

	test_number("abort", HM_REC_ABORT, 0, 258);
	test_number("received", HM_REC_RECEIVED, 0, (uint64_t)1 << 40);
	test_number("credit", HM_REC_CREDIT, 0, 4096);
	test_number("credit-ask", HM_REC_CREDIT, HM_CREDIT_ASK, 4096);
	test_number("credit-back", HM_REC_CREDIT, HM_CREDIT_BACK, 4096);
	for (i = 0; i < 2; i++) {
		begin(&w, i == 0 ? HM_REC_HOLD : HM_REC_RESUME, 0, 0,
		    sizeof dest - 1);
		add(&w, dest, sizeof dest - 1);
		test_same(i == 0 ? "hold" : "resume", &w);
		begin(&w, HM_REC_BYE, 0, 0, 2 + strlen(reasons[i]));
		add_str16(&w, reasons[i]);
		test_same(i == 0 ? "bye" : "bye-reason", &w);
	}
}

/* Everything that may be done with a head that was accepted. */
static void
walk(const unsigned char *p, size_t len)
{
	struct hm_envelope *env = hm_envelope_from_head(p, len);
	struct hm_json_out out;
	struct hm_id id;

	CHECK(env != NULL);
	hm_json_out_init(&out);
	hm_envelope_print(env, &out);
	CHECK(!out.failed);
	hm_json_out_fini(&out);
	(void)hm_envelope_reply_to(env, &id);
	(void)hm_envelope_port(env);
	(void)hm_envelope_add_error(env, HM_UNKNOWN, "why", "where");
	hm_envelope_sender(env, &id);
	(void)hm_envelope_set_sender(env, &id);
	CHECK(hm_head_read(
		  &(struct hm_head){0}, env->head, env->head_len, NULL) == 0);
	hm_envelope_free(env);
}

/* What all readers say of a record in exactly len bytes: 1 accepted, 0 more
 * wanted, -1 refused. */
static int
read_all(const unsigned char *p, size_t len, struct hm_error *err)
{
	unsigned char *copy = calloc(1, len > 0 ? len : 1);
	struct hm_hello hello;
	struct hm_record rec;
	struct hm_head head;
	int got;

	CHECK(copy != NULL);
	if (len > 0)
		memcpy(copy, p, len);
	got = hm_record_peek(copy, len, &rec, err);
	if (got == 1) {
		CHECK(rec.len <= len - 8);
		if (rec.type <= HM_REC_HELLO_BACK)
			got = hm_hello_read(&hello, copy + 8, rec.len, err) == 0
				  ? 1
				  : -1;
		else if (rec.type == HM_REC_DATA && rec.extra > 0)
			got =
			    hm_head_read(&head, copy + 16, rec.extra, err) == 0
				? 1
				: -1;
		if (got == 1 && rec.type == HM_REC_DATA && rec.extra > 0)
			walk(copy + 16, rec.extra);
	}
	free(copy);
	return got;
}

/* A head that ends early is never a head. */
static void
cut_head(const struct bytes *b)
{
	struct hm_record rec;
	struct hm_head head;
	unsigned char *copy;
	size_t n;

	CHECK(hm_record_peek(b->p, b->n, &rec, NULL) == 1);
	if (rec.type != HM_REC_DATA)
		return;
	for (n = 1; n < rec.extra; n++) {
		copy = malloc(n);
		CHECK(copy != NULL);
		memcpy(copy, b->p + 16, n);
		CHECK(hm_head_read(&head, copy, n, NULL) == -1);
		CHECK(errno == EPROTO);
		free(copy);
	}
}

static void
torment(const char *name)
{
	struct bytes b;
	size_t i, len;
	unsigned n;
	unsigned char was;

	load(&b, name);
	len = 8 + hm_get32(b.p);
	for (i = 0; i < len; i++)
		CHECK(read_all(b.p, i, NULL) == 0);
	CHECK(read_all(b.p, len, NULL) == 1);
	cut_head(&b);
	for (i = 0; i < len; i++) {
		was = b.p[i];
		for (n = 0; n < 256; n++) {
			b.p[i] = (unsigned char)n;
			(void)read_all(b.p, len, NULL);
			(void)read_all(b.p, len - 1, NULL);
		}
		b.p[i] = was;
	}
	for (n = 0; n < 20000; n++) {
		i = 4 + check_random((unsigned)len - 4);
		was = b.p[i];
		b.p[i] = (unsigned char)check_random(256);
		(void)read_all(b.p, len, NULL);
		if (check_random(4) == 0)
			b.p[i] = was;
		if (n % 50 == 0)
			load(&b, name);
	}
}

/* refused.hex: "= sentence", then the bytes that must be refused with it. */
static void
test_refused(void)
{
	FILE *in = open_golden("refused");
	char line[4 * BYTES_MAX], sentence[512] = "";
	struct bytes b = {{0}, 0};
	struct hm_error err;
	unsigned cases = 0;
	bool more = true;

	while (more) {
		more = fgets(line, sizeof line, in) != NULL;
		if (more && line[0] != '=') {
			add_hex(&b, line);
			continue;
		}
		if (b.n > 0) {
			err.text[0] = '\0';
			CHECK(read_all(b.p, b.n, &err) == -1);
			if (strcmp(err.text, sentence) != 0)
				fprintf(stderr, "%s\nbut: %s\n", sentence,
				    err.text);
			CHECK(strcmp(err.text, sentence) == 0);
			CHECK(err.code == EPROTO);
			cases++;
		}
		b.n = 0;
		line[strcspn(line, "\n")] = '\0';
		(void)snprintf(sentence, sizeof sentence, "%.500s", line + 2);
	}
	(void)fclose(in);
	CHECK(cases > 50);
}

/* The longest record is one, and one byte more is none as soon as its header is
 * read: nothing is put aside for what is refused. */
static void
test_bounds(void)
{
	static unsigned char p[HM_RECORD_MAX];
	struct hm_record rec = {HM_BODY_MAX, HM_REC_DATA, HM_DATA_LAST, 0};
	struct hm_error err;

	hm_record_header(p, &rec);
	CHECK(hm_record_peek(p, sizeof p, &rec, &err) == 1);
	CHECK(rec.len == HM_BODY_MAX);
	CHECK(hm_record_peek(p, sizeof p - 1, &rec, &err) == 0);
	CHECK(hm_record_peek(p, HM_RECORD_HEADER, &rec, &err) == 0);
	rec.len = HM_BODY_MAX + 1;
	hm_record_header(p, &rec);
	CHECK(hm_record_peek(p, HM_RECORD_HEADER - 1, &rec, &err) == 0);
	CHECK(hm_record_peek(p, HM_RECORD_HEADER, &rec, &err) == -1);
	CHECK(err.code == EPROTO);
	/* A message without payload; a piece without bytes. */
	rec.len = 8;
	rec.type = HM_REC_DATA;
	rec.flags = 0;
	rec.extra = 0;
	hm_record_header(p, &rec);
	CHECK(hm_record_peek(p, 16, &rec, &err) == 1 && rec.len == 8);
	rec.len = 7;
	hm_record_header(p, &rec);
	CHECK(hm_record_peek(p, 16, &rec, &err) == -1);
}

/* No head is too large to come back with a reason. */
static void
test_largest(void)
{
	char value[HM_HEAD_MAX];
	const char *headers[] = {"k", value, NULL};
	struct hm_head_source src = {0, 64, 0, NULL, NULL, "t", headers, NULL};
	unsigned char p[HM_HEAD_MAX];
	struct hm_id dest;
	struct hm_head head;
	size_t n = 0;
	long len, last = 0;

	hm_id_set(&dest, "unix:/x", "w", "main", UINT64_MAX, UINT64_MAX);
	src.dest = src.sender = &dest;
	for (;; n++) {
		memset(value, 'v', n);
		value[n] = '\0';
		len = hm_head_write(p, &src);
		if (len == -1)
			break;
		CHECK(hm_head_read(&head, p, (size_t)len, NULL) == 0);
		last = len;
	}
	CHECK(errno == EMSGSIZE && last == HM_HEAD_ROOM);
}

int
main(int argc, char **argv)
{
	static const char *const names[] = {"hello-attach", "hello-boot",
	    "hello-back", "data-single", "data-error", "data-empty",
	    "data-pieces", "abort", "settle-delivered", "settle-refused",
	    "received", "credit", "credit-ask", "credit-back", "hold", "resume",
	    "bye", "bye-reason"};
	size_t i;

	if (argc > 1)
		golden = argv[1];
	test_hellos();
	test_single();
	test_pieces();
	test_error();
	test_settles();
	test_others();
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		torment(names[i]);
	test_refused();
	test_bounds();
	test_largest();
	return 0;
}
