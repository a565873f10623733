/*
 * The JSON writer: appends to one growing buffer.  What fails is remembered
 * and makes everything after it do nothing, so that callers need to look only
 * once, at hm_json_out_take.
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
hm_json_begin(struct hm_json_out *out)
{
	hm_json_out_init(out);
	hm_json_open(out, NULL, '{');
}

void
hm_json_out_fini(struct hm_json_out *out)
{
	free(out->buf);
	hm_json_out_init(out);
}

/* Room for n bytes more and a NUL. */
static bool
reserve(struct hm_json_out *out, size_t n)
{
	size_t cap = out->cap < 256 ? 256 : out->cap;
	char *buf;

	if (out->failed || n >= SIZE_MAX / 2 - out->len)
		out->failed = true;
	if (out->failed || out->len + n < out->cap)
		return !out->failed;
	while (cap <= out->len + n)
		cap *= 2;
	buf = realloc(out->buf, cap);
	if (buf == NULL) {
		out->failed = true;
		return false;
	}
	out->buf = buf;
	out->cap = cap;
	return true;
}

static void
append(struct hm_json_out *out, const char *bytes, size_t n)
{
	if (n == 0 || !reserve(out, n))
		return;
	memcpy(out->buf + out->len, bytes, n);
	out->len += n;
}

static bool
is_plain(unsigned char c)
{
	return c >= ' ' && c < 127 && c != '"' && c != '\\';
}

/* One character that does not stand for itself; the bytes it took. */
static size_t
escape(struct hm_json_out *out, const char *p, size_t len)
{
	static const char bytes[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	size_t n = hm_text_utf8_length(p, len);
	const char *byte;
	char text[8];

	if (n == 0) {
		append(out, "\xef\xbf\xbd", 3);
		return 1;
	}
	if (n > 1) {
		append(out, p, n);
		return n;
	}
	byte = *p == '\0' ? NULL : strchr(bytes, *p);
	if (byte != NULL) {
		text[0] = '\\';
		text[1] = names[byte - bytes];
		append(out, text, 2);
	} else {
		(void)snprintf(text, sizeof text, "\\u%04x", (unsigned)*p);
		append(out, text, 6);
	}
	return 1;
}

static void
append_string(struct hm_json_out *out, const char *p, size_t len)
{
	const char *end = p + len, *plain;

	append(out, "\"", 1);
	while (p < end) {
		for (plain = p; p < end && is_plain((unsigned char)*p); p++)
			continue;
		append(out, plain, (size_t)(p - plain));
		if (p < end)
			p += escape(out, p, (size_t)(end - p));
	}
	append(out, "\"", 1);
}

/* What stands before a value. */
static void
begin(struct hm_json_out *out, const char *key)
{
	if (out->comma)
		append(out, ",", 1);
	out->comma = true;
	if (key != NULL) {
		append_string(out, key, strlen(key));
		append(out, ":", 1);
	}
}

void
hm_json_open(struct hm_json_out *out, const char *key, char bracket)
{
	begin(out, key);
	append(out, &bracket, 1);
	out->comma = false;
}

void
hm_json_close(struct hm_json_out *out, char bracket)
{
	append(out, &bracket, 1);
	out->comma = true;
}

void
hm_json_put_bytes(
    struct hm_json_out *out, const char *key, const void *bytes, size_t len)
{
	begin(out, key);
	append_string(out, bytes, len);
}

void
hm_json_put_string(struct hm_json_out *out, const char *key, const char *text)
{
	hm_json_put_bytes(out, key, text, strlen(text));
}

void
hm_json_put_raw(
    struct hm_json_out *out, const char *key, const char *text, size_t len)
{
	begin(out, key);
	append(out, text, len);
}

void
hm_json_put_u64(struct hm_json_out *out, const char *key, uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%" PRIu64, n);

	hm_json_put_raw(out, key, text, (size_t)len);
}

void
hm_json_put_i64(struct hm_json_out *out, const char *key, int64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%" PRId64, n);

	hm_json_put_raw(out, key, text, (size_t)len);
}

/* In two whole parts: "%.3f" would print the locale's point. */
void
hm_json_put_double(struct hm_json_out *out, const char *key, double n)
{
	double size = n < 0 ? -n : n;
	char text[32];
	uint64_t whole;
	unsigned rest;
	int len;

	if (!(size < 1e15)) {
		hm_json_put_null(out, key); /* no number, or no such time */
		return;
	}
	whole = (uint64_t)size;
	rest = (unsigned)((size - (double)whole) * 1000 + 0.5);
	whole += rest / 1000;
	rest %= 1000;
	len = snprintf(text, sizeof text, "%s%" PRIu64 ".%03u",
	    n < 0 && whole + rest > 0 ? "-" : "", whole, rest);
	while (text[len - 1] == '0')
		len--;
	if (text[len - 1] == '.')
		len--;
	hm_json_put_raw(out, key, text, (size_t)len);
}

void
hm_json_put_bool(struct hm_json_out *out, const char *key, bool b)
{
	hm_json_put_raw(out, key, b ? "true" : "false", b ? 4 : 5);
}

void
hm_json_put_null(struct hm_json_out *out, const char *key)
{
	hm_json_put_raw(out, key, "null", 4);
}

void
hm_json_put_value(
    struct hm_json_out *out, const char *key, const struct hm_json *value)
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
	case HM_JSON_ARRAY:
	case HM_JSON_OBJECT:
		hm_json_open(out, key, object ? '{' : '[');
		for (child = value->child; child != NULL; child = child->next)
			hm_json_put_value(out, child->key, child);
		hm_json_close(out, object ? '}' : ']');
		break;
	}
}

char *
hm_json_out_take(struct hm_json_out *out, size_t *len)
{
	char *text;

	if (!reserve(out, 0)) {
		hm_json_out_fini(out);
		errno = ENOMEM;
		return NULL;
	}
	text = out->buf;
	text[out->len] = '\0';
	if (len != NULL)
		*len = out->len;
	hm_json_out_init(out);
	return text;
}
