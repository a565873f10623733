/*
 * The JSON reader: a recursive descent over the text into one allocation.
 *
 * A first pass counts the values (one, and one more for each comma and each
 * opening bracket outside of strings), so that nodes and bytes of the whole
 * tree have their place before the first is read, and freeing it is one free.
 * The bytes fit because a decoded string and its NUL are never longer than the
 * quoted text; a number's NUL is paid for by its node.
 *
 * Numbers are converted here: strtod would heed the program's locale.
 */
#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/json.h>
#include <hostmux/text.h>

#define DEPTH_MAX 32
/* Looking for duplicate keys is quadratic in this. */
#define MEMBERS_MAX 256

struct parser {
	const char *p, *end, *start;
	struct hm_json *node; /* the next free one */
	char *bytes;	      /* and the next free byte */
	struct hm_error *err;
};

static int
bad(struct parser *in, const char *why)
{
	return hm_fail(in->err, EINVAL, "json: byte %zu: %s",
	    (size_t)(in->p - in->start) + 1, why);
}

static void
skip_space(struct parser *in)
{
	while (in->p < in->end && (*in->p == ' ' || *in->p == '\t' ||
				      *in->p == '\n' || *in->p == '\r'))
		in->p++;
}

/* The byte behind the space; '\0' at the end (and where a NUL stands: no
 * caller wants one). */
static char
peek(struct parser *in)
{
	skip_space(in);
	return in->p < in->end ? *in->p : '\0';
}

static int
read_hex4(struct parser *in, unsigned long *code)
{
	static const char digits[] = "0123456789abcdef";
	const char *d;
	int i;

	*code = 0;
	for (i = 0; i < 4; i++, in->p++) {
		if (in->p == in->end || *in->p == '\0' ||
		    (d = strchr(digits, *in->p | (*in->p >= 'A' ? 32 : 0))) ==
			NULL)
			return bad(in, "four hex digits wanted");
		*code = *code << 4 | (unsigned long)(d - digits);
	}
	return 0;
}

static void
put_utf8(struct parser *in, unsigned long code)
{
	unsigned lead = 0, shift = 0;

	if (code >= 0x10000) {
		lead = 0xf0;
		shift = 18;
	} else if (code >= 0x800) {
		lead = 0xe0;
		shift = 12;
	} else if (code >= 0x80) {
		lead = 0xc0;
		shift = 6;
	}
	*in->bytes++ = (char)(lead | code >> shift);
	while (shift > 0) {
		shift -= 6;
		*in->bytes++ = (char)(0x80 | (code >> shift & 63));
	}
}

/* Behind "\u". */
static int
read_unicode(struct parser *in)
{
	unsigned long code, low;

	if (read_hex4(in, &code) == -1)
		return -1;
	if (code >= 0xdc00 && code <= 0xdfff)
		return bad(in, "half of a surrogate pair");
	if (code >= 0xd800 && code <= 0xdbff) {
		if (in->end - in->p < 2 || in->p[0] != '\\' || in->p[1] != 'u')
			return bad(in, "half of a surrogate pair");
		in->p += 2;
		if (read_hex4(in, &low) == -1)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return bad(in, "half of a surrogate pair");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	put_utf8(in, code);
	return 0;
}

/* At the backslash. */
static int
read_escape(struct parser *in)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *name;

	in->p++;
	if (in->p == in->end || *in->p == '\0')
		return bad(in, "an unfinished string");
	if (*in->p == 'u') {
		in->p++;
		return read_unicode(in);
	}
	name = strchr(names, *in->p);
	if (name == NULL)
		return bad(in, "an unknown escape");
	*in->bytes++ = bytes[name - names];
	in->p++;
	return 0;
}

/* One character that stands for itself. */
static int
read_character(struct parser *in)
{
	size_t n = hm_text_utf8_length(in->p, (size_t)(in->end - in->p));

	if (n == 0)
		return bad(in, "not UTF-8");
	if ((unsigned char)*in->p < ' ')
		return bad(in, "a control byte in a string");
	memcpy(in->bytes, in->p, n);
	in->bytes += n;
	in->p += n;
	return 0;
}

static int
read_string(struct parser *in, const char **string, size_t *len)
{
	int done;

	if (peek(in) != '"')
		return bad(in, "a string wanted");
	*string = in->bytes;
	for (in->p++; in->p < in->end && *in->p != '"';) {
		done = *in->p == '\\' ? read_escape(in) : read_character(in);
		if (done == -1)
			return -1;
	}
	if (in->p == in->end)
		return bad(in, "an unfinished string");
	in->p++;
	*len = (size_t)(in->bytes - *string);
	*in->bytes++ = '\0';
	return 0;
}

/* Digits, at least one; the first 19 that count go into *n, the others only
 * count in *more. */
static int
read_digits(struct parser *in, uint64_t *n, int *more)
{
	const char *start = in->p;

	for (; in->p < in->end && *in->p >= '0' && *in->p <= '9'; in->p++) {
		if (*n < UINT64_MAX / 10 - 1)
			*n = *n * 10 + (uint64_t)(*in->p - '0');
		else if (*more < 100000)
			++*more;
	}
	return in->p == start ? bad(in, "a digit wanted") : 0;
}

/* n times ten to the power of exponent; 0, or -1 out of range. */
static int
scale(uint64_t n, int exponent, double *out)
{
	double power = 1, value = (double)n;
	int i;

	if (n == 0) {
		*out = 0;
		return 0;
	}
	for (i = exponent < 0 ? -exponent : exponent; i > 0 && power < 1e300;
	     i--)
		power *= 10;
	for (; i > 0 && value > 0 && value <= DBL_MAX; i--)
		value = exponent < 0 ? value / 10 : value * 10;
	*out = exponent < 0 ? value / power : value * power;
	return *out <= DBL_MAX ? 0 : -1;
}

static int
read_exponent(struct parser *in, int *exponent)
{
	uint64_t n = 0;
	int more = 0;
	bool minus;

	if (in->p == in->end || (*in->p | 32) != 'e')
		return 0;
	in->p++;
	minus = in->p < in->end && *in->p == '-';
	if (in->p < in->end && (*in->p == '-' || *in->p == '+'))
		in->p++;
	if (read_digits(in, &n, &more) == -1)
		return -1;
	if (n > 100000)
		n = 100000;
	*exponent += minus ? -(int)n : (int)n;
	return 0;
}

/* What stands behind the point makes the exponent smaller. */
static int
read_fraction(struct parser *in, uint64_t *n, int *exponent)
{
	const char *start;
	int more = 0;

	if (in->p == in->end || *in->p != '.')
		return 0;
	start = ++in->p;
	if (read_digits(in, n, &more) == -1)
		return -1;
	if (in->p - start - more > 100000)
		return bad(in, "a number of too many digits");
	*exponent -= (int)(in->p - start) - more;
	return 0;
}

static int
read_number(struct parser *in, struct hm_json *value)
{
	const char *start = in->p;
	uint64_t n = 0;
	int exponent = 0;

	value->type = HM_JSON_NUMBER;
	if (*in->p == '-')
		in->p++;
	if (in->end - in->p > 1 && in->p[0] == '0' && in->p[1] >= '0' &&
	    in->p[1] <= '9')
		return bad(in, "a number that begins with 0");
	if (read_digits(in, &n, &exponent) == -1 ||
	    read_fraction(in, &n, &exponent) == -1 ||
	    read_exponent(in, &exponent) == -1)
		return -1;
	if (scale(n, exponent, &value->number) == -1)
		return bad(in, "a number out of range");
	if (*start == '-')
		value->number = -value->number;
	value->string = in->bytes;
	value->len = (size_t)(in->p - start);
	memcpy(in->bytes, start, value->len);
	in->bytes += value->len;
	*in->bytes++ = '\0';
	return 0;
}

static int
read_word(struct parser *in, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(in->end - in->p) < n || memcmp(in->p, word, n) != 0)
		return bad(in, "a value wanted");
	in->p += n;
	return 0;
}

static struct hm_json *read_value(struct parser *in, unsigned depth);

static int
read_key(struct parser *in, const struct hm_json *object, const char **key)
{
	size_t len;

	if (object->len == MEMBERS_MAX)
		return bad(in, "an object of too many members");
	if (read_string(in, key, &len) == -1)
		return -1;
	if (strlen(*key) != len)
		return bad(in, "a NUL in a key");
	if (hm_json_get(object, *key) != NULL)
		return bad(in, "the same key again");
	if (peek(in) != ':')
		return bad(in, "':' wanted");
	in->p++;
	return 0;
}

/* Behind the opening bracket. */
static int
read_elements(
    struct parser *in, struct hm_json *value, char close, unsigned depth)
{
	struct hm_json **end = &value->child;
	const char *key = NULL;

	in->p++;
	if (depth == DEPTH_MAX)
		return bad(in, "nested too deep");
	if (peek(in) == close) {
		in->p++;
		return 0;
	}
	for (;;) {
		if (value->type == HM_JSON_OBJECT &&
		    read_key(in, value, &key) == -1)
			return -1;
		*end = read_value(in, depth + 1);
		if (*end == NULL)
			return -1;
		(*end)->key = key;
		end = &(*end)->next;
		value->len++;
		if (peek(in) == close)
			break;
		if (peek(in) != ',')
			return bad(in, "',' or the end of a list wanted");
		in->p++;
	}
	in->p++;
	return 0;
}

static int
read_into(struct parser *in, struct hm_json *value, unsigned depth)
{
	switch (peek(in)) {
	case '{':
		value->type = HM_JSON_OBJECT;
		return read_elements(in, value, '}', depth);
	case '[':
		value->type = HM_JSON_ARRAY;
		return read_elements(in, value, ']', depth);
	case '"':
		value->type = HM_JSON_STRING;
		return read_string(in, &value->string, &value->len);
	case 't':
	case 'f':
		value->type = HM_JSON_BOOL;
		value->boolean = *in->p == 't';
		return read_word(in, value->boolean ? "true" : "false");
	case 'n':
		return read_word(in, "null");
	case '\0':
		return bad(in, "ends too early");
	default:
		if (*in->p != '-' && (*in->p < '0' || *in->p > '9'))
			return bad(in, "a value wanted");
		return read_number(in, value);
	}
}

static struct hm_json *
read_value(struct parser *in, unsigned depth)
{
	struct hm_json *value = in->node++;

	memset(value, 0, sizeof *value);
	return read_into(in, value, depth) == -1 ? NULL : value;
}

static size_t
count_values(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	size_t n = 1;
	bool inside = false;

	for (; p < end; p++) {
		if (*p == '"')
			inside = !inside;
		else if (inside && *p == '\\' && p + 1 < end)
			p++;
		else if (!inside && (*p == ',' || *p == '[' || *p == '{'))
			n++;
	}
	return n;
}

struct hm_json *
hm_json_parse(const char *text, size_t len, struct hm_error *err)
{
	struct parser in = {text, text + len, text, NULL, NULL, err};
	size_t n = count_values(text, len);
	struct hm_json *top = NULL;

	if (n <= (SIZE_MAX - len) / (sizeof *top + 1))
		top = malloc(n * sizeof *top + len + n);
	if (top == NULL) {
		(void)hm_fail(
		    err, ENOMEM, "json: no memory for %zu bytes", len);
		return NULL;
	}
	in.node = top;
	in.bytes = (char *)(top + n);
	if (read_value(&in, 0) == NULL)
		goto fail;
	if (peek(&in) != '\0' || in.p != in.end) {
		(void)bad(&in, "something behind the value");
		goto fail;
	}
	return top;
fail:
	free(top);
	errno = EINVAL;
	return NULL;
}

void
hm_json_free(struct hm_json *value)
{
	free(value);
}

const struct hm_json *
hm_json_get(const struct hm_json *value, const char *key)
{
	const struct hm_json *member;

	if (value == NULL || value->type != HM_JSON_OBJECT)
		return NULL;
	for (member = value->child; member != NULL; member = member->next) {
		if (strcmp(member->key, key) == 0)
			return member;
	}
	return NULL;
}

const char *
hm_json_string(
    const struct hm_json *value, const char *key, const char *fallback)
{
	const struct hm_json *member = hm_json_get(value, key);

	if (member == NULL || member->type != HM_JSON_STRING ||
	    strlen(member->string) != member->len)
		return fallback;
	return member->string;
}

int
hm_json_u64(const struct hm_json *value, const char *key, uint64_t *out)
{
	const struct hm_json *member = hm_json_get(value, key);

	if (member == NULL || member->type != HM_JSON_NUMBER)
		return -1;
	return hm_text_number(member->string, key, 0, UINT64_MAX, out, NULL);
}

double
hm_json_double(const struct hm_json *value, const char *key, double fallback)
{
	const struct hm_json *member = hm_json_get(value, key);

	return member != NULL && member->type == HM_JSON_NUMBER ? member->number
								: fallback;
}

bool
hm_json_bool(const struct hm_json *value, const char *key, bool fallback)
{
	const struct hm_json *member = hm_json_get(value, key);

	return member != NULL && member->type == HM_JSON_BOOL ? member->boolean
							      : fallback;
}
