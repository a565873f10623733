/*
 * The textual form of an envelope, for pipelines: one JSON object.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/text.h>

#include "wire/record.h"

static void
print_errors(const struct hm_envelope *env, struct hm_json_out *out)
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
		hm_json_put_bytes(out, "reason", reason.p, reason.n);
		hm_json_put_bytes(out, "at", at.p, at.n);
		hm_json_close(out, '}');
	}
	hm_json_close(out, ']');
}

static void
print_headers(const struct hm_envelope *env, struct hm_json_out *out)
{
	struct hm_slice key, value;
	char name[256];
	size_t i;

	hm_json_open(out, "headers", '{');
	for (i = 0; hm_envelope_header_at(env, i, &key, &value); i++) {
		memcpy(name, key.p, key.n);
		name[key.n] = '\0';
		hm_json_put_bytes(out, name, value.p, value.n);
	}
	hm_json_close(out, '}');
}

static void
print_payload(const struct hm_envelope *env, struct hm_json_out *out)
{
	size_t len = hm_payload_len(env);
	char *text;

	if (hm_text_is_utf8(hm_payload(env), len)) {
		hm_json_put_bytes(out, "payload", hm_payload(env), len);
		return;
	}
	text = malloc(hm_base64_size(len));
	if (text == NULL) {
		out->failed = true;
		return;
	}
	hm_base64_encode(hm_payload(env), len, text);
	hm_json_put_string(out, "payload_base64", text);
	free(text);
}

void
hm_envelope_print(const struct hm_envelope *env, struct hm_json_out *out)
{
	struct hm_id id;
	struct hm_slice type = hm_envelope_type(env);
	char text[HM_ID_TEXT];

	hm_json_open(out, NULL, '{');
	hm_envelope_sender(env, &id);
	hm_json_put_string(out, "sender", hm_id_print(&id, text, sizeof text));
	hm_envelope_dest(env, &id);
	hm_json_put_string(out, "dest", hm_id_print(&id, text, sizeof text));
	hm_json_put_bytes(out, "type", type.p, type.n);
	hm_json_put_u64(out, "ttl", hm_envelope_ttl(env));
	print_headers(env, out);
	print_payload(env, out);
	print_errors(env, out);
	hm_json_close(out, '}');
}

/* key, value, … of the object; reply-to goes its own way. */
static int
read_headers(
    const struct hm_json *json, const char **pairs, struct hm_error *err)
{
	const struct hm_json *h = hm_json_get(json, "headers");
	size_t n = 0;

	if (h != NULL && h->type != HM_JSON_OBJECT)
		return hm_fail(err, EINVAL, "message: headers is no object");
	for (h = h == NULL ? NULL : h->child; h != NULL; h = h->next) {
		if (h->type != HM_JSON_STRING || strlen(h->string) != h->len)
			return hm_fail(err, EINVAL,
			    "message: header '%.64s' is no text", h->key);
		if (n == 2 * HM_HEADERS_MAX)
			return hm_fail(err, EINVAL,
			    "message: more than %d headers", HM_HEADERS_MAX);
		pairs[n++] = h->key;
		pairs[n++] = h->string;
	}
	pairs[n] = NULL;
	return 0;
}

static void *
read_payload(const struct hm_json *json, size_t *len, struct hm_error *err)
{
	const struct hm_json *text = hm_json_get(json, "payload");
	const struct hm_json *coded = hm_json_get(json, "payload_base64");
	const struct hm_json *from = text != NULL ? text : coded;
	unsigned char *bytes;
	long n;

	if (from != NULL && from->type != HM_JSON_STRING) {
		(void)hm_fail(err, EINVAL, "message: payload is no text");
		return NULL;
	}
	bytes = malloc(from == NULL ? 1 : from->len + 3);
	if (bytes == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	*len = 0;
	if (from != NULL && from == text) {
		memcpy(bytes, from->string, from->len);
		*len = from->len;
	} else if (from != NULL) {
		n = hm_base64_decode(from->string, from->len, bytes);
		if (n == -1) {
			free(bytes);
			(void)hm_fail(err, EINVAL,
			    "message: payload_base64 is not base64");
			return NULL;
		}
		*len = (size_t)n;
	}
	return bytes;
}

static int
read_errors(
    struct hm_envelope *env, const struct hm_json *json, struct hm_error *err)
{
	const struct hm_json *e = hm_json_get(json, "errors");
	int kind;

	for (e = e == NULL ? NULL : e->child; e != NULL; e = e->next) {
		kind = hm_outcome_of(hm_json_string(e, "kind", ""));
		if (kind == -1)
			return hm_fail(
			    err, EINVAL, "message: an error of no kind");
		if (hm_envelope_add_error(env, (enum hm_outcome)kind,
			hm_json_string(e, "reason", ""),
			hm_json_string(e, "at", "")) == -1)
			return hm_fail(
			    err, errno, "message: errors: %s", strerror(errno));
	}
	return 0;
}

static struct hm_envelope *
read_object(const struct hm_json *json, const struct hm_id *fallback,
    struct hm_error *err)
{
	const char *pairs[2 * HM_HEADERS_MAX + 1];
	const char *dest = hm_json_string(json, "dest", NULL);
	struct hm_id to;
	struct hm_draft draft = {NULL, &to, NULL, 0, 0, NULL, pairs};
	struct hm_envelope *env;
	uint64_t ttl;
	size_t len;
	void *payload;

	if (json->type != HM_JSON_OBJECT ||
	    (dest == NULL && fallback == NULL)) {
		(void)hm_fail(err, EINVAL,
		    dest == NULL ? "message: no dest" : "message: no object");
		return NULL;
	}
	if (dest == NULL)
		to = *fallback;
	else if (hm_id_parse_dest(&to, dest,
		     fallback == NULL ? "" : fallback->addr, err) == -1)
		return NULL;
	draft.type = hm_json_string(json, "type", NULL);
	if (hm_json_u64(json, "ttl", &ttl) == 0 && ttl <= UINT8_MAX)
		draft.ttl = (unsigned)ttl;
	if (read_headers(json, pairs, err) == -1)
		return NULL;
	payload = read_payload(json, &len, err);
	if (payload == NULL)
		return NULL;
	env = hm_envelope_wrap(&draft, payload, len, err);
	if (env == NULL) {
		free(payload);
		return NULL;
	}
	if (read_errors(env, json, err) == -1) {
		hm_envelope_free(env);
		return NULL;
	}
	return env;
}

struct hm_envelope *
hm_envelope_read(const char *text, size_t len,
    const struct hm_id *fallback_dest, struct hm_error *err)
{
	struct hm_json *json = hm_json_parse(text, len, err);
	struct hm_envelope *env;

	if (json == NULL)
		return NULL;
	env = read_object(json, fallback_dest, err);
	hm_json_free(json);
	return env;
}
