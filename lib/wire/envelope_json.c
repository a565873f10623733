/*
 * The textual form of an envelope: one JSON object.
 *
 * What print writes, read takes: but what read makes is a new message.  It is
 * sent by whoever posts it, not by the sender that stands there, carries no
 * errors of an earlier journey, and nothing that only a host may vouch for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/text.h>

#include "wire/record.h"

static void
put_id(struct hm_json_out *out, const char *key, const struct hm_id *id)
{
	char text[HM_ID_TEXT];

	hm_json_put_string(out, key, hm_id_print(id, text, sizeof text));
}

static void
put_slice(struct hm_json_out *out, const char *key, struct hm_slice s)
{
	hm_json_put_bytes(out, key, s.p, s.n);
}

static void
put_vouched(struct hm_json_out *out, const struct hm_envelope *env)
{
	if (hm_envelope_uid(env) != HM_UID_UNKNOWN)
		hm_json_put_u64(out, "uid", hm_envelope_uid(env));
	if (hm_envelope_pid(env) != 0)
		hm_json_put_u64(out, "pid", hm_envelope_pid(env));
	if ((hm_envelope_flags(env) & HM_ENV_REMOTE) != 0)
		hm_json_put_bool(out, "remote", true);
}

static void
put_headers(struct hm_json_out *out, const struct hm_envelope *env)
{
	struct hm_slice key, value;
	char name[HM_TYPE_MAX + 1];
	size_t i;

	hm_json_open(out, "headers", '{');
	for (i = 0; hm_envelope_header_at(env, i, &key, &value); i++) {
		memcpy(name, key.p, key.n);
		name[key.n] = '\0';
		put_slice(out, name, value);
	}
	hm_json_close(out, '}');
}

static void
put_payload(struct hm_json_out *out, const struct hm_envelope *env)
{
	char *text;

	if (hm_text_is_utf8(hm_payload(env), env->payload_len)) {
		hm_json_put_bytes(
		    out, "payload", hm_payload(env), env->payload_len);
		return;
	}
	text = malloc(hm_base64_size(env->payload_len));
	if (text == NULL) {
		out->failed = true;
		return;
	}
	hm_base64_encode(env->payload, env->payload_len, text);
	hm_json_put_string(out, "payload_base64", text);
	free(text);
}

static void
put_errors(struct hm_json_out *out, const struct hm_envelope *env)
{
	enum hm_outcome kind;
	struct hm_slice reason, at;
	size_t i;

	if (hm_envelope_errors(env) == 0)
		return;
	hm_json_open(out, "errors", '[');
	for (i = 0; hm_envelope_error_at(env, i, &kind, &reason, &at); i++) {
		hm_json_open(out, NULL, '{');
		hm_json_put_string(out, "kind", hm_outcome_name(kind));
		put_slice(out, "reason", reason);
		put_slice(out, "at", at);
		hm_json_close(out, '}');
	}
	hm_json_close(out, ']');
}

void
hm_envelope_print(const struct hm_envelope *env, struct hm_json_out *out)
{
	struct hm_id id;

	hm_json_open(out, NULL, '{');
	hm_envelope_sender(env, &id);
	put_id(out, "sender", &id);
	hm_envelope_dest(env, &id);
	put_id(out, "dest", &id);
	put_slice(out, "type", hm_envelope_type(env));
	hm_json_put_u64(out, "ttl", hm_envelope_ttl(env));
	put_vouched(out, env);
	put_headers(out, env);
	put_payload(out, env);
	put_errors(out, env);
	hm_json_close(out, '}');
}

/* What an object is read into before it becomes an envelope. */
struct reading {
	const struct hm_json *json;
	struct hm_draft draft;
	struct hm_id sender, dest;
	const char *headers[2 * HM_HEADERS_MAX + 1];
	struct hm_error *err;
};

static int
bad(struct reading *in, const char *key, const char *why)
{
	return hm_fail(in->err, EINVAL, "envelope: '%.64s' %s", key, why);
}

/* 1 and *text, 0 when it is missing, -1 when it is no text. */
static int
get_text(struct reading *in, const char *key, const char **text)
{
	if (hm_json_get(in->json, key) == NULL)
		return 0;
	*text = hm_json_string(in->json, key, NULL);
	return *text != NULL ? 1 : bad(in, key, "is not a text");
}

/* A misspelt member would be a message that says something else. */
static int
check_members(struct reading *in)
{
	static const char known[] = " sender dest type ttl uid pid remote "
				    "headers payload payload_base64 errors ";
	const struct hm_json *member;
	char word[32];

	if (in->json->type != HM_JSON_OBJECT)
		return hm_fail(in->err, EINVAL, "envelope: not an object");
	for (member = in->json->child; member != NULL; member = member->next) {
		(void)snprintf(word, sizeof word, " %.29s ", member->key);
		if (strchr(member->key, ' ') != NULL ||
		    strstr(known, word) == NULL)
			return bad(in, member->key, "is not a member of it");
	}
	return 0;
}

static int
read_sender(struct reading *in)
{
	const char *text;
	int got = get_text(in, "sender", &text);

	if (got != 1)
		return got;
	if (hm_id_parse(&in->sender, text, in->err) == -1)
		return -1;
	if (in->sender.depth != HM_ID_ACTOR)
		return bad(in, "sender", "is not an actor's id");
	in->draft.sender = &in->sender;
	return 0;
}

/* Nothing is resolved here: only on command lines. */
static int
read_dest(struct reading *in, const struct hm_id *fallback)
{
	const char *text;
	int got = get_text(in, "dest", &text);

	in->draft.dest = &in->dest;
	if (got == -1)
		return -1;
	if (got == 0) {
		if (fallback == NULL)
			return bad(in, "dest", "is missing");
		in->dest = *fallback;
		return 0;
	}
	if (fallback != NULL && strchr(text, ':') == NULL)
		return hm_id_parse_dest(
		    &in->dest, text, fallback->addr, in->err);
	if (hm_id_parse(&in->dest, text, in->err) == -1)
		return -1;
	if (in->dest.depth == HM_ID_PROC)
		(void)snprintf(in->dest.actor, sizeof in->dest.actor, "main");
	in->dest.depth = HM_ID_PORT;
	return 0;
}

static int
read_ttl(struct reading *in)
{
	uint64_t n;

	if (hm_json_get(in->json, "ttl") == NULL)
		return 0;
	if (hm_json_u64(in->json, "ttl", &n) == -1 || n > UINT8_MAX)
		return bad(in, "ttl", "is not a number up to 255");
	in->draft.ttl = (unsigned)n;
	return 0;
}

static int
read_headers(struct reading *in)
{
	const struct hm_json *list = hm_json_get(in->json, "headers");
	const struct hm_json *header;
	size_t n = 0;

	if (list == NULL)
		return 0;
	if (list->type != HM_JSON_OBJECT)
		return bad(in, "headers", "is not an object");
	if (list->len > HM_HEADERS_MAX)
		return bad(in, "headers", "are too many");
	for (header = list->child; header != NULL; header = header->next) {
		in->headers[n++] = header->key;
		in->headers[n] = hm_json_string(list, header->key, NULL);
		if (in->headers[n++] == NULL)
			return bad(in, header->key, "is not a text");
	}
	in->draft.headers = in->headers;
	return 0;
}

static struct hm_envelope *
make_binary(struct reading *in, const struct hm_json *text)
{
	struct hm_envelope *env = NULL;
	void *payload = malloc(text->len / 4 * 3 + 3);
	long n;

	if (payload == NULL) {
		(void)hm_fail(
		    in->err, ENOMEM, "no memory for %zu bytes", text->len);
		return NULL;
	}
	n = hm_base64_decode(text->string, text->len, payload);
	if (n == -1)
		(void)bad(in, "payload_base64", "is not base64");
	else
		env = hm_envelope_wrap(&in->draft, payload, (size_t)n, in->err);
	if (env == NULL)
		free(payload);
	return env;
}

static struct hm_envelope *
make(struct reading *in)
{
	const struct hm_json *text = hm_json_get(in->json, "payload");
	const struct hm_json *base64 = hm_json_get(in->json, "payload_base64");

	if (text != NULL && base64 != NULL)
		(void)bad(in, "payload", "is there twice");
	else if (text != NULL && text->type != HM_JSON_STRING)
		(void)bad(in, "payload", "is not a text");
	else if (base64 != NULL && base64->type != HM_JSON_STRING)
		(void)bad(in, "payload_base64", "is not a text");
	else if (base64 != NULL)
		return make_binary(in, base64);
	else
		return hm_envelope_new(&in->draft,
		    text != NULL ? text->string : "",
		    text != NULL ? text->len : 0, in->err);
	return NULL;
}

struct hm_envelope *
hm_envelope_read(const char *text, size_t len,
    const struct hm_id *fallback_dest, struct hm_error *err)
{
	struct hm_json *json = hm_json_parse(text, len, err);
	struct hm_envelope *env = NULL;
	struct reading in;

	if (json == NULL)
		return NULL;
	memset(&in, 0, sizeof in);
	in.json = json;
	in.err = err;
	if (check_members(&in) == 0 && read_sender(&in) == 0 &&
	    read_dest(&in, fallback_dest) == 0 && read_ttl(&in) == 0 &&
	    get_text(&in, "type", &in.draft.type) != -1 &&
	    read_headers(&in) == 0)
		env = make(&in);
	if (env != NULL)
		env->anonymous = true; /* post sets the sender */
	hm_json_free(json);
	return env;
}
