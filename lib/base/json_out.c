/*
 * The JSON writer: appends to one growing buffer; an allocation that fails is
 * remembered, so callers ask once, at the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/json.h>
#include <hostmux/text.h>

void
hm_json_out_init(struct hm_json_out *out)
{
	memset(out, 0, sizeof *out);
}

void
hm_json_out_fini(struct hm_json_out *out)
{
	free(out->buf);
	hm_json_out_init(out);
}

static void
put(struct hm_json_out *out, const char *bytes, size_t len)
{
	size_t cap;
	char *buf;

	if (out->failed)
		return;
	if (out->cap - out->len <= len) {
		cap = out->cap == 0 ? 256 : out->cap;
		while (cap - out->len <= len)
			cap *= 2;
		buf = realloc(out->buf, cap);
		if (buf == NULL) {
			out->failed = true;
			return;
		}
		out->buf = buf;
		out->cap = cap;
	}
	memcpy(out->buf + out->len, bytes, len);
	out->len += len;
}

static void
put_quoted(struct hm_json_out *out, const unsigned char *p, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	char escape[7] = "\\u00";
	size_t n = 0;

	put(out, "\"", 1);
	for (; len > 0; p += n, len -= n) {
		for (n = 0; n < len && p[n] >= 0x20 && p[n] < 0x80 &&
		    p[n] != '"' && p[n] != '\\';
		    n++)
			continue;
		if (n > 0) {
			put(out, (const char *)p, n);
			continue;
		}
		n = 1;
		if (*p == '"' || *p == '\\') {
			escape[1] = (char)*p;
			put(out, escape, 2);
			escape[1] = 'u';
		} else if (*p == '\n') {
			put(out, "\\n", 2);
		} else if (*p == '\t') {
			put(out, "\\t", 2);
		} else if (*p < 0x20) {
			escape[4] = hex[*p >> 4];
			escape[5] = hex[*p & 15];
			put(out, escape, 6);
		} else {
			while (n < 4 && n < len && (p[n] & 0xc0) == 0x80)
				n++;
			if (hm_text_is_utf8(p, n)) {
				put(out, (const char *)p, n);
			} else {
				put(out, "\xef\xbf\xbd", 3);
				n = 1;
			}
		}
	}
	put(out, "\"", 1);
}

/* Comma and key, before every value. */
static void
before(struct hm_json_out *out, const char *key)
{
	if (out->comma)
		put(out, ",", 1);
	out->comma = true;
	if (key != NULL) {
		put_quoted(out, (const unsigned char *)key, strlen(key));
		put(out, ":", 1);
	}
}

void
hm_json_open(struct hm_json_out *out, const char *key, char bracket)
{
	before(out, key);
	put(out, &bracket, 1);
	out->comma = false;
}

void
hm_json_close(struct hm_json_out *out, char bracket)
{
	put(out, &bracket, 1);
	out->comma = true;
}

void
hm_json_put_bytes(struct hm_json_out *out, const char *key, const void *bytes,
    size_t len)
{
	before(out, key);
	put_quoted(out, bytes, len);
}

void
hm_json_put_string(struct hm_json_out *out, const char *key, const char *text)
{
	hm_json_put_bytes(out, key, text, strlen(text));
}

void
hm_json_put_raw(struct hm_json_out *out, const char *key, const char *text,
    size_t len)
{
	before(out, key);
	put(out, text, len);
}

static void
put_printed(struct hm_json_out *out, const char *key, const char *text)
{
	hm_json_put_raw(out, key, text, strlen(text));
}

void
hm_json_put_u64(struct hm_json_out *out, const char *key, uint64_t n)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%" PRIu64, n);
	put_printed(out, key, text);
}

void
hm_json_put_i64(struct hm_json_out *out, const char *key, int64_t n)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%" PRId64, n);
	put_printed(out, key, text);
}

void
hm_json_put_double(struct hm_json_out *out, const char *key, double n)
{
	char text[400];
	size_t len;

	if (!(n > -1e300 && n < 1e300))
		n = 0; /* JSON has no infinity */
	(void)snprintf(text, sizeof text, "%.3f", n);
	len = strlen(text);
	while (text[len - 1] == '0')
		len--;
	if (text[len - 1] == '.')
		len--;
	hm_json_put_raw(out, key, text, len);
}

void
hm_json_put_bool(struct hm_json_out *out, const char *key, bool b)
{
	put_printed(out, key, b ? "true" : "false");
}

void
hm_json_put_null(struct hm_json_out *out, const char *key)
{
	put_printed(out, key, "null");
}

void
hm_json_put_value(struct hm_json_out *out, const char *key,
    const struct hm_json *value)
{
	const struct hm_json *child;
	bool object = value->type == HM_JSON_OBJECT;

	switch (value->type) {
	case HM_JSON_NULL:
		hm_json_put_null(out, key);
		break;
	case HM_JSON_BOOL:
		hm_json_put_bool(out, key, value->boolean);
		break;
	case HM_JSON_NUMBER:
		hm_json_put_raw(out, key, value->string, value->len);
		break;
	case HM_JSON_STRING:
		hm_json_put_bytes(out, key, value->string, value->len);
		break;
	default:
		hm_json_open(out, key, object ? '{' : '[');
		for (child = value->child; child != NULL; child = child->next)
			hm_json_put_value(out, child->key, child);
		hm_json_close(out, object ? '}' : ']');
	}
}

char *
hm_json_out_take(struct hm_json_out *out, size_t *len)
{
	char *buf;

	put(out, "", 1);
	if (out->failed) {
		hm_json_out_fini(out);
		errno = ENOMEM;
		return NULL;
	}
	buf = out->buf;
	if (len != NULL)
		*len = out->len - 1;
	hm_json_out_init(out);
	return buf;
}
