/*
 * Envelopes: a head from the wire, written again from its parts, is the same
 * bytes; its textual form, read and printed again, is the same text.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/record.h"
#include "fuzz.h"

/* The parts of a head, as somebody would give them who writes one. */
struct parts {
	struct hm_id dest, sender;
	const char *headers[2 * HM_HEADERS_MAX + 1];
	char type[HM_TYPE_MAX + 1];
	char bytes[2 * HM_HEAD_MAX];
	struct hm_head_source src;
};

static char *
text_of(struct hm_slice s, char *to)
{
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return to;
}

static void
take_apart(struct parts *parts, const struct hm_envelope *env)
{
	struct hm_slice key, value;
	char *p = parts->bytes;
	size_t i;

	memset(parts, 0, sizeof *parts);
	hm_envelope_dest(env, &parts->dest);
	hm_envelope_sender(env, &parts->sender);
	for (i = 0; hm_envelope_header_at(env, i, &key, &value); i++) {
		parts->headers[2 * i] = text_of(key, p);
		p += key.n + 1;
		parts->headers[2 * i + 1] = text_of(value, p);
		p += value.n + 1;
	}
	parts->src.payload_len = hm_get64(env->head);
	parts->src.ttl = (uint8_t)hm_envelope_ttl(env);
	parts->src.flags = (uint8_t)hm_envelope_flags(env);
	parts->src.dest = &parts->dest;
	parts->src.sender = &parts->sender;
	parts->src.type = text_of(hm_envelope_type(env), parts->type);
	parts->src.headers = parts->headers;
}

/* The same bytes, but for what only a host writes. */
static void
write_again(const struct hm_envelope *env)
{
	static struct parts parts;
	unsigned char head[HM_HEAD_MAX];
	long n;

	take_apart(&parts, env);
	n = hm_head_write(head, &parts.src);
	if (env->head_len > HM_HEAD_ROOM)
		return;
	CHECK(n > 0);
	memcpy(head + 10, env->head + 10, HM_HEAD_DEST - 10);
	CHECK(hm_envelope_errors(env) > 0 ||
	      ((size_t)n == env->head_len &&
		  memcmp(head, env->head, (size_t)n) == 0));
}

static char *
print(const struct hm_envelope *env, size_t *len)
{
	struct hm_json_out out;
	char *text;

	hm_json_out_init(&out);
	hm_envelope_print(env, &out);
	text = hm_json_out_take(&out, len);
	CHECK(text != NULL);
	return text;
}

static bool
addresses_parse(const struct hm_envelope *env)
{
	struct hm_id dest, sender, id;
	struct hm_addr a, b;

	hm_envelope_dest(env, &dest);
	hm_envelope_sender(env, &sender);
	return hm_addr_parse(&a, dest.addr, 0, NULL) == 0 &&
	       hm_addr_parse(&b, sender.addr, 0, NULL) == 0 &&
	       strcmp(a.text, dest.addr) == 0 &&
	       strcmp(b.text, sender.addr) == 0 &&
	       (hm_envelope_header(env, "reply-to").p == NULL ||
		   hm_envelope_reply_to(env, &id));
}

/* What is printed is read, into what prints the same. */
static void
print_and_read(const struct hm_envelope *env)
{
	struct hm_envelope *again, *third;
	struct hm_id id, id2;
	size_t len, len2, len3;
	char *text = print(env, &len), *text2, *text3;

	again = hm_envelope_read(text, len, NULL, NULL);
	CHECK(again != NULL || !addresses_parse(env) ||
	      env->head_len > HM_HEAD_ROOM - 256);
	if (again != NULL) {
		CHECK(hm_payload_len(again) == hm_payload_len(env));
		CHECK(memcmp(hm_payload(again), hm_payload(env),
			  hm_payload_len(env)) == 0);
		hm_envelope_dest(env, &id);
		hm_envelope_dest(again, &id2);
		CHECK(hm_id_compare(&id, &id2) == 0 || !addresses_parse(env));
		text2 = print(again, &len2);
		third = hm_envelope_read(text2, len2, NULL, NULL);
		CHECK(third != NULL);
		text3 = print(third, &len3);
		CHECK(len3 == len2 && memcmp(text2, text3, len2) == 0);
		hm_envelope_free(third);
		free(text3);
		free(text2);
	}
	hm_envelope_free(again);
	free(text);
}

/* What becomes of it on its way. */
static void
return_it(struct hm_envelope *env)
{
	struct hm_head head;
	enum hm_outcome kind;
	struct hm_slice reason, at;
	struct hm_id id, id2;
	size_t before = hm_envelope_errors(env);

	hm_envelope_dest(env, &id);
	id.depth = HM_ID_ACTOR;
	id.port = 0;
	if (hm_envelope_set_sender(env, &id) == 0) {
		hm_envelope_sender(env, &id2);
		CHECK(hm_id_compare(&id, &id2) == 0);
	}
	if (hm_envelope_add_error(env, HM_REFUSED, "why", "here") == 0) {
		CHECK(hm_envelope_errors(env) == before + 1);
		CHECK(hm_envelope_error_at(env, before, &kind, &reason, &at));
		CHECK(kind == HM_REFUSED && reason.n <= 3 && at.n <= 4);
	}
	CHECK(hm_head_read(&head, env->head, env->head_len, NULL) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hm_envelope *env;
	struct hm_head head, parsed;

	if (hm_head_read(&head, data, size, NULL) == 0) {
		memset(&parsed, 0, sizeof parsed);
		hm_head_parse(&parsed, data, size);
		CHECK(parsed.type.p == head.type.p &&
		      parsed.dest.port == head.dest.port);
		env = hm_envelope_from_head(data, size);
		CHECK(env != NULL && env->head_len == size);
		CHECK(memcmp(env->head, data, size) == 0);
		write_again(env);
		print_and_read(env);
		return_it(env);
		hm_envelope_free(env);
	}
	env = hm_envelope_read((const char *)data, size, NULL, NULL);
	if (env != NULL) {
		write_again(env);
		print_and_read(env);
		return_it(env);
	}
	hm_envelope_free(env);
	return 0;
}
