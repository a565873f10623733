/*
 * Envelopes: made, read, changed, printed as JSON and read again.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "wire/record.h"

static struct hm_id dest, sender, reply;

static struct hm_draft
draft(void)
{
	struct hm_draft d;

	memset(&d, 0, sizeof d);
	d.dest = &dest;
	return d;
}

static bool
is(struct hm_slice s, const char *text)
{
	return s.p != NULL && s.n == strlen(text) &&
	       memcmp(s.p, text, s.n) == 0;
}

static bool
same(const struct hm_id *a, const struct hm_id *b)
{
	return a->depth == b->depth && hm_id_compare(a, b) == 0;
}

static void
test_made(void)
{
	static const char *const headers[] = {"proc", "w1", "n", "", NULL};
	struct hm_draft d = draft();
	struct hm_envelope *env;
	struct hm_slice key, value;
	struct hm_id id;

	d.sender = &sender;
	d.type = "log.line";
	d.ttl = 3;
	d.flags = HM_ENV_NOW | HM_ENV_REMOTE; /* that one is not ours */
	d.reply_to = &reply;
	d.headers = headers;
	env = hm_envelope_new(&d, "a\0b", 3, NULL);
	CHECK(env != NULL && !env->anonymous);
	CHECK(hm_payload_len(env) == 3);
	CHECK(memcmp(hm_payload(env), "a\0b", 3) == 0);
	hm_envelope_sender(env, &id);
	CHECK(id.depth == HM_ID_ACTOR && strcmp(id.proc, "w2") == 0);
	hm_envelope_dest(env, &id);
	CHECK(same(&id, &dest) && hm_envelope_port(env) == 1027);
	CHECK(hm_envelope_reply_to(env, &id) && same(&id, &reply));
	CHECK(hm_envelope_ttl(env) == 3);
	CHECK(hm_envelope_flags(env) == HM_ENV_NOW);
	CHECK(hm_envelope_type_is(env, "log.line"));
	CHECK(!hm_envelope_type_is(env, "log.lin"));
	CHECK(hm_envelope_uid(env) == HM_UID_UNKNOWN);
	CHECK(hm_envelope_pid(env) == 0);
	CHECK(is(hm_envelope_header(env, "proc"), "w1"));
	CHECK(is(hm_envelope_header(env, "n"), ""));
	CHECK(hm_envelope_header(env, "pro").p == NULL);
	CHECK(hm_envelope_header_at(env, 0, &key, &value));
	CHECK(is(key, "reply-to"));
	CHECK(!hm_envelope_header_at(env, 3, &key, &value));
	hm_envelope_free(env);
	hm_envelope_free(NULL);
}

/* Many with one head: each has its own payload, and lives without the model. */
static void
test_alike(void)
{
	static const char *const headers[] = {"proc", "w1", NULL};
	struct hm_draft d = draft();
	struct hm_envelope *model, *one, *two;
	struct hm_id id;

	d.sender = &sender;
	d.type = "log.line";
	d.ttl = 3;
	d.reply_to = &reply;
	d.headers = headers;
	model = hm_envelope_new(&d, "model", 5, NULL);
	CHECK(model != NULL);
	one = hm_envelope_like(model, "a longer one than that", 22);
	two = hm_envelope_like(model, NULL, 0);
	CHECK(one != NULL && two != NULL);
	CHECK(hm_payload_len(model) == 5);
	CHECK(memcmp(hm_payload(model), "model", 5) == 0);
	hm_envelope_free(model);
	CHECK(hm_payload_len(one) == 22 && hm_payload_len(two) == 0);
	CHECK(memcmp(hm_payload(one), "a longer one than that", 22) == 0);
	CHECK(is(hm_envelope_type(one), "log.line"));
	CHECK(is(hm_envelope_type(two), "log.line"));
	CHECK(is(hm_envelope_header(two, "proc"), "w1"));
	CHECK(hm_envelope_ttl(one) == 3);
	hm_envelope_dest(one, &id);
	CHECK(same(&id, &dest));
	CHECK(hm_envelope_reply_to(one, &id) && same(&id, &reply));
	hm_envelope_free(one);
	hm_envelope_free(two);
}

static void
test_defaults(void)
{
	struct hm_draft d = draft();
	struct hm_envelope *env = hm_envelope_new(&d, NULL, 0, NULL);
	struct hm_id id;

	CHECK(env != NULL && env->anonymous && hm_payload_len(env) == 0);
	CHECK(hm_payload(env) != NULL && hm_envelope_ttl(env) == 64);
	CHECK(hm_envelope_type_is(env, "application/octet-stream"));
	CHECK(!hm_envelope_reply_to(env, &id));
	CHECK(hm_envelope_errors(env) == 0);
	CHECK(hm_envelope_set_sender(env, &sender) == 0 && !env->anonymous);
	hm_envelope_sender(env, &id);
	sender.depth = HM_ID_ACTOR;
	CHECK(same(&id, &sender));
	CHECK(hm_envelope_port(env) == 1027);
	hm_envelope_free(env);
}

/* -1 with that sentence. */
static void
refuse(const struct hm_draft *d, int code, const char *sentence)
{
	struct hm_error err;
	void *payload = malloc(1);

	CHECK(payload != NULL);
	CHECK(hm_envelope_wrap(d, payload, 1, &err) == NULL);
	CHECK(errno == code && err.code == code);
	if (strcmp(err.text, sentence) != 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK(strcmp(err.text, sentence) == 0);
	free(payload); /* still ours */
	CHECK(hm_envelope_new(d, "x", 1, NULL) == NULL && errno == code);
}

static void
test_refused(void)
{
	static char large[HM_HEAD_MAX];
	const char *headers[2 * HM_HEADERS_MAX + 3] = {"k_", "v", NULL};
	struct hm_draft d = draft();
	struct hm_id bad = dest;
	size_t i;

	d.type = "two words";
	refuse(&d, EINVAL, "message with a bad type 'two words'");
	d.type = NULL;
	d.headers = headers;
	refuse(&d, EINVAL, "message with a bad header 'k_'");
	headers[0] = "reply-to";
	refuse(&d, EINVAL, "message with a bad header value 'v'");
	headers[0] = "k";
	headers[1] = "\xff";
	refuse(&d, EINVAL, "message with a bad header value '\\xff'");
	memset(large, 'x', sizeof large - 1);
	headers[1] = large;
	refuse(&d, EMSGSIZE,
	    "message with more than 1536 bytes of ids and headers");
	for (i = 0; i < 2 * HM_HEADERS_MAX + 2; i++)
		headers[i] = "k";
	refuse(&d, EMSGSIZE,
	    "message with more than 1536 bytes of ids and headers");
	d.headers = NULL;
	bad.actor[0] = '\0';
	d.dest = &bad;
	refuse(&d, EINVAL, "message with a bad actor name ''");
}

static void
test_errors(void)
{
	static char large[3000];
	struct hm_draft d = draft();
	struct hm_envelope *env = hm_envelope_new(&d, "x", 1, NULL);
	struct hm_slice reason, at;
	enum hm_outcome kind;
	struct hm_head head;

	CHECK(env != NULL);
	CHECK(
	    hm_envelope_add_error(env, HM_NOT_SENT, "no proc", "unix:/x") == 0);
	CHECK(hm_envelope_add_error(env, HM_REFUSED, "", "") == 0);
	CHECK(hm_envelope_errors(env) == 2);
	CHECK(hm_envelope_error_at(env, 0, &kind, &reason, &at));
	CHECK(kind == HM_NOT_SENT && is(reason, "no proc"));
	CHECK(is(at, "unix:/x"));
	CHECK(hm_envelope_error_at(env, 1, &kind, &reason, &at));
	CHECK(kind == HM_REFUSED && reason.n == 0 && at.n == 0);
	CHECK(!hm_envelope_error_at(env, 2, &kind, &reason, &at));
	memset(large, 'r', sizeof large - 1);
	CHECK(hm_envelope_add_error(env, HM_UNKNOWN, large, "x") == 0);
	CHECK(hm_envelope_errors(env) == 3 && env->head_len == HM_HEAD_MAX);
	CHECK(hm_envelope_add_error(env, HM_UNKNOWN, "", "") == -1);
	CHECK(errno == EMSGSIZE && hm_envelope_errors(env) == 3);
	CHECK(hm_head_read(&head, env->head, env->head_len, NULL) == 0);
	CHECK(hm_payload_len(env) == 1);
	hm_envelope_free(env);
}

static char *
printed(const struct hm_envelope *env)
{
	struct hm_json_out out;
	char *text;

	hm_json_out_init(&out);
	hm_envelope_print(env, &out);
	text = hm_json_out_take(&out, NULL);
	CHECK(text != NULL && strchr(text, '\n') == NULL);
	return text;
}

static void
test_printed(void)
{
	static const char *const headers[] = {"k", "\xc3\xa9\n", NULL};
	struct hm_draft d = draft();
	struct hm_envelope *env;
	char *text;

	d.sender = &sender;
	d.type = "t";
	d.headers = headers;
	env = hm_envelope_new(&d, "hi\n", 3, NULL);
	CHECK(env != NULL);
	text = printed(env);
	CHECK(strcmp(text, "{\"sender\":\"unix:/x,w2,a[1]\","
			   "\"dest\":\"tcp:10.0.0.7:7000,w1,main[0][1027]\","
			   "\"type\":\"t\",\"ttl\":64,"
			   "\"headers\":{\"k\":\"\xc3\xa9\\n\"},"
			   "\"payload\":\"hi\\n\"}") == 0);
	free(text);
	hm_put32(env->head + HM_HEAD_UID, 1000);
	hm_put32(env->head + HM_HEAD_PID, 7);
	env->head[HM_HEAD_FLAGS] = HM_ENV_REMOTE;
	env->payload[0] = 0xff;
	CHECK(hm_envelope_add_error(env, HM_TIMED_OUT, "late", "there") == 0);
	text = printed(env);
	CHECK(strstr(text, "\"uid\":1000,\"pid\":7,\"remote\":true,") != NULL);
	CHECK(strstr(text,
		  "\"payload_base64\":\"/2kK\",\"errors\":[{\"kind\":"
		  "\"timed out\",\"reason\":\"late\",\"at\":\"there\"}]}") !=
	      NULL);
	free(text);
	hm_envelope_free(env);
}

/* Of an envelope with one payload: what print writes is read as the same, but
 * for what only a host may say. */
static void
round_trip(const struct hm_draft *d, const void *payload, size_t len)
{
	struct hm_envelope *env = hm_envelope_new(d, payload, len, NULL);
	struct hm_envelope *back;
	char *text, *again;

	CHECK(env != NULL);
	text = printed(env);
	back = hm_envelope_read(text, strlen(text), NULL, NULL);
	CHECK(back != NULL && back->anonymous);
	CHECK(back->payload_len == len);
	CHECK(memcmp(hm_payload(back), hm_payload(env), len) == 0);
	again = printed(back);
	CHECK(strcmp(text, again) == 0);
	CHECK(back->head_len == env->head_len);
	CHECK(memcmp(back->head, env->head, env->head_len) == 0);
	free(text);
	free(again);
	hm_envelope_free(env);
	hm_envelope_free(back);
}

static void
test_round_trips(void)
{
	static const char *const headers[] = {"b", "\"\\", "a", "", NULL};
	struct hm_draft d = draft();
	unsigned char payload[300];
	unsigned n, i;

	d.sender = &sender;
	round_trip(&d, "", 0);
	d.headers = headers;
	d.reply_to = &reply;
	d.ttl = 1;
	for (n = 0; n < 2000; n++) {
		for (i = 0; i < sizeof payload; i++)
			payload[i] =
			    (unsigned char)check_random(n % 2 == 0 ? 256 : 128);
		round_trip(&d, payload, check_random(sizeof payload));
	}
}

static struct hm_envelope *
read_text(const char *text, struct hm_error *err)
{
	return hm_envelope_read(text, strlen(text), &dest, err);
}

static void
test_read(void)
{
	struct hm_envelope *env = read_text("{}", NULL);
	struct hm_id id;

	CHECK(env != NULL && hm_payload_len(env) == 0);
	hm_envelope_dest(env, &id);
	CHECK(same(&id, &dest) && env->anonymous);
	hm_envelope_free(env);
	env = read_text("{\"dest\":\"w5\",\"uid\":0,\"pid\":1,"
			"\"remote\":true,\"ttl\":0,\"payload\":\"a\\u0000\","
			"\"errors\":[{\"kind\":\"refused\"}]}",
	    NULL);
	CHECK(env != NULL && hm_payload_len(env) == 2);
	CHECK(hm_envelope_uid(env) == HM_UID_UNKNOWN);
	CHECK(hm_envelope_flags(env) == 0 && hm_envelope_ttl(env) == 64);
	CHECK(hm_envelope_errors(env) == 0);
	hm_envelope_dest(env, &id);
	CHECK(strcmp(id.addr, dest.addr) == 0 && strcmp(id.proc, "w5") == 0);
	CHECK(strcmp(id.actor, "main") == 0 && id.port == 0);
	hm_envelope_free(env);
	env = read_text("{\"dest\":\"unix:/y,w5\"}", NULL);
	CHECK(env != NULL);
	hm_envelope_dest(env, &id);
	CHECK(strcmp(id.addr, "unix:/y") == 0);
	CHECK(strcmp(id.actor, "main") == 0);
	hm_envelope_free(env);
}

static void
test_read_refused(void)
{
	static const char *const cases[][2] = {
	    {"", "json: byte 1: ends too early"},
	    {"[]", "envelope: not an object"},
	    {"{\"payloda\":\"x\"}", "envelope: 'payloda' is not a member "
				    "of it"},
	    {"{\"\":1}", "envelope: '' is not a member of it"},
	    {"{\"sender dest\":1}",
		"envelope: 'sender dest' is not a member of it"},
	    {"{\"dest\":5}", "envelope: 'dest' is not a text"},
	    {"{\"dest\":\"w1\\u0000\"}", "envelope: 'dest' is not a text"},
	    {"{\"dest\":\"tcp:localhost:1,w1\"}",
		"address 'tcp:localhost:1': host is not numeric"},
	    {"{\"dest\":\"-\"}", "id '-': bad proc name"},
	    {"{\"sender\":\"unix:/x,w\"}",
		"envelope: 'sender' is not an actor's id"},
	    {"{\"ttl\":256}", "envelope: 'ttl' is not a number up to "
			      "255"},
	    {"{\"ttl\":\"1\"}", "envelope: 'ttl' is not a number up to "
				"255"},
	    {"{\"type\":null}", "envelope: 'type' is not a text"},
	    {"{\"type\":\"\"}", "message with a bad type ''"},
	    {"{\"headers\":[]}", "envelope: 'headers' is not an object"},
	    {"{\"headers\":{\"k\":1}}", "envelope: 'k' is not a text"},
	    {"{\"headers\":{\"reply-to\":\"x\"}}",
		"message with a bad header value 'x'"},
	    {"{\"payload\":1}", "envelope: 'payload' is not a text"},
	    {"{\"payload_base64\":1}",
		"envelope: 'payload_base64' is not a text"},
	    {"{\"payload_base64\":\"A\"}",
		"envelope: 'payload_base64' is not base64"},
	    {"{\"payload\":\"\",\"payload_base64\":\"\"}",
		"envelope: 'payload' is there twice"},
	};
	struct hm_error err;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CHECK(read_text(cases[i][0], &err) == NULL);
		CHECK(errno == EINVAL && err.code == EINVAL);
		if (strcmp(err.text, cases[i][1]) != 0)
			fprintf(stderr, "%s\nbut: %s\n", cases[i][1], err.text);
		CHECK(strcmp(err.text, cases[i][1]) == 0);
	}
	CHECK(hm_envelope_read("{}", 2, NULL, &err) == NULL);
	CHECK(strcmp(err.text, "envelope: 'dest' is missing") == 0);
	CHECK(hm_envelope_read("{\"dest\":\"w1\"}", 13, NULL, &err) == NULL);
	CHECK(strcmp(err.text, "id 'w1': no proc name") == 0);
}

static void
test_outcomes(void)
{
	enum hm_outcome o;

	for (o = HM_DELIVERED; o <= HM_UNKNOWN; o++)
		CHECK(hm_outcome_of(hm_outcome_name(o)) == (int)o);
	CHECK(hm_outcome_of("lost") == -1);
	CHECK(strcmp(hm_outcome_name(HM_TIMED_OUT), "timed out") == 0);
}

int
main(void)
{
	hm_id_set(&dest, "tcp:10.0.0.7:7000", "w1", "main", 0, 1027);
	hm_id_set(&sender, "unix:/x", "w2", "a", 1, 0);
	hm_id_set(&reply, "unix:/x", "w2", "a", UINT64_MAX, UINT64_MAX);
	test_made();
	test_alike();
	test_defaults();
	test_refused();
	test_errors();
	test_printed();
	test_round_trips();
	test_read();
	test_read_refused();
	test_outcomes();
	return 0;
}
