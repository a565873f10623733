/*
 * The JSON reader: strict, one pass, values in a chain of blocks that the root
 * value begins, so that freeing is one walk over the blocks.
 *
 * Memory is bounded by the input: a value costs at least one byte of it and one
 * node here, a string never more than it takes there.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hostmux/json.h>
#include <hostmux/text.h>

#define DEPTH_MAX 32
#define BLOCK 2048

struct block {
	struct block *next;
	size_t used, size;
	max_align_t bytes[];
};

struct root {
	struct hm_json value; /* first: what the caller holds */
	struct block *blocks;
};

struct parser {
	struct root *root;
	const char *text;
	size_t len, at;
	unsigned depth;
	struct hm_error *err;
};

static int parse_value(struct parser *p, struct hm_json *value);

static int
bad(struct parser *p, const char *what)
{
	return hm_fail(p->err, EINVAL, "json: byte %zu: %s", p->at, what);
}

static void *
take(struct parser *p, size_t size)
{
	struct block *block = p->root->blocks;
	size_t want;
	void *got;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) *
	    sizeof(max_align_t);
	if (block == NULL || block->size - block->used < size) {
		want = size > BLOCK ? size : BLOCK;
		block = malloc(sizeof *block + want);
		if (block == NULL) {
			(void)hm_fail(p->err, ENOMEM, "json: no memory");
			return NULL;
		}
		block->used = 0;
		block->size = want;
		block->next = p->root->blocks;
		p->root->blocks = block;
	}
	got = (char *)block->bytes + block->used;
	block->used += size;
	return got;
}

static void
space(struct parser *p)
{
	while (p->at < p->len && (p->text[p->at] == ' ' ||
				     p->text[p->at] == '\t' ||
				     p->text[p->at] == '\n' ||
				     p->text[p->at] == '\r'))
		p->at++;
}

/* The byte here, 0 at the end. */
static char
peek(const struct parser *p)
{
	return p->at < p->len ? p->text[p->at] : '\0';
}

static long
hex4(struct parser *p)
{
	long n = 0;
	int i;
	char c;

	for (i = 0; i < 4; i++, p->at++) {
		c = peek(p);
		n <<= 4;
		if (c >= '0' && c <= '9')
			n |= c - '0';
		else if (c >= 'a' && c <= 'f')
			n |= c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			n |= c - 'A' + 10;
		else
			return bad(p, "\\u wants four hex digits");
	}
	return n;
}

static char *
put_utf8(char *q, long c)
{
	if (c < 0x80) {
		*q++ = (char)c;
		return q;
	}
	if (c < 0x800) {
		*q++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*q++ = (char)(0xe0 | c >> 12);
		} else {
			*q++ = (char)(0xf0 | c >> 18);
			*q++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*q++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*q++ = (char)(0x80 | (c & 0x3f));
	return q;
}

/* Behind "\u": one character, perhaps of two surrogates. */
static int
parse_unicode(struct parser *p, char **q)
{
	long c = hex4(p), low;

	if (c == -1)
		return -1;
	if (c >= 0xdc00 && c <= 0xdfff)
		return bad(p, "a lone surrogate");
	if (c >= 0xd800 && c <= 0xdbff) {
		if (peek(p) != '\\' || p->at + 1 >= p->len ||
		    p->text[p->at + 1] != 'u')
			return bad(p, "a lone surrogate");
		p->at += 2;
		low = hex4(p);
		if (low == -1)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return bad(p, "a lone surrogate");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*q = put_utf8(*q, c);
	return 0;
}

static int
parse_escape(struct parser *p, char **q)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	char c = peek(p);

	if (c == 'u') {
		p->at++;
		return parse_unicode(p, q);
	}
	at = c == '\0' ? NULL : strchr(from, c);
	if (at == NULL)
		return bad(p, "a bad escape");
	*(*q)++ = to[at - from];
	p->at++;
	return 0;
}

/* At the opening quote. */
static int
parse_string(struct parser *p, const char **string, size_t *len)
{
	size_t end = p->at + 1, start = p->at + 1;
	char *bytes, *q;

	while (end < p->len && p->text[end] != '"')
		end += p->text[end] == '\\' ? 2 : 1;
	if (end >= p->len)
		return bad(p, "a string without end");
	bytes = q = take(p, end - start + 1);
	if (bytes == NULL)
		return -1;
	for (p->at = start; p->at < end;) {
		if ((unsigned char)p->text[p->at] < 0x20)
			return bad(p, "a control byte in a string");
		if (p->text[p->at] == '\\') {
			p->at++;
			if (parse_escape(p, &q) == -1)
				return -1;
		} else {
			*q++ = p->text[p->at++];
		}
	}
	p->at = end + 1;
	*q = '\0';
	if (!hm_text_is_utf8(bytes, (size_t)(q - bytes)))
		return bad(p, "a string that is not UTF-8");
	*string = bytes;
	*len = (size_t)(q - bytes);
	return 0;
}

static size_t
digits(const struct parser *p, size_t at)
{
	size_t n = 0;

	while (at + n < p->len && p->text[at + n] >= '0' &&
	    p->text[at + n] <= '9')
		n++;
	return n;
}

static int
parse_number(struct parser *p, struct hm_json *value)
{
	size_t start = p->at, at = p->at, n;
	char *copy;

	if (p->text[at] == '-')
		at++;
	n = digits(p, at);
	if (n == 0 || (n > 1 && p->text[at] == '0'))
		return bad(p, "not a value");
	at += n;
	if (at < p->len && p->text[at] == '.') {
		n = digits(p, at + 1);
		if (n == 0)
			return bad(p, "a number that ends with '.'");
		at += 1 + n;
	}
	if (at < p->len && (p->text[at] == 'e' || p->text[at] == 'E')) {
		at++;
		if (at < p->len && (p->text[at] == '+' || p->text[at] == '-'))
			at++;
		n = digits(p, at);
		if (n == 0)
			return bad(p, "a number without exponent");
		at += n;
	}
	copy = take(p, at - start + 1);
	if (copy == NULL)
		return -1;
	memcpy(copy, p->text + start, at - start);
	copy[at - start] = '\0';
	value->type = HM_JSON_NUMBER;
	value->string = copy;
	value->len = at - start;
	value->number = strtod(copy, NULL);
	p->at = at;
	return 0;
}

static bool
has_key(const struct hm_json *value, const char *key)
{
	return hm_json_get(value, key) != NULL;
}

/* One element: "key": value in an object, value in an array. */
static struct hm_json *
parse_element(struct parser *p, struct hm_json *value)
{
	struct hm_json *child = take(p, sizeof *child);
	size_t len;

	if (child == NULL)
		return NULL;
	memset(child, 0, sizeof *child);
	space(p);
	if (value->type == HM_JSON_OBJECT) {
		if (peek(p) != '"') {
			(void)bad(p, "a key wants quotes");
			return NULL;
		}
		if (parse_string(p, &child->key, &len) == -1)
			return NULL;
		if (strlen(child->key) != len || has_key(value, child->key)) {
			(void)bad(p, "a key twice, or with a NUL");
			return NULL;
		}
		space(p);
		if (peek(p) != ':') {
			(void)bad(p, "no ':' behind a key");
			return NULL;
		}
		p->at++;
	}
	return parse_value(p, child) == -1 ? NULL : child;
}

static int
parse_group(struct parser *p, struct hm_json *value, char end)
{
	struct hm_json **last = &value->child;

	if (++p->depth > DEPTH_MAX)
		return bad(p, "nested too deeply");
	p->at++;
	space(p);
	if (peek(p) != end) {
		for (;;) {
			*last = parse_element(p, value);
			if (*last == NULL)
				return -1;
			last = &(*last)->next;
			value->len++;
			space(p);
			if (peek(p) != ',')
				break;
			p->at++;
		}
	}
	if (peek(p) != end)
		return bad(p, end == '}' ? "no '}'" : "no ']'");
	p->at++;
	p->depth--;
	return 0;
}

static bool
word(struct parser *p, const char *text)
{
	size_t n = strlen(text);

	if (p->len - p->at < n || memcmp(p->text + p->at, text, n) != 0)
		return false;
	p->at += n;
	return true;
}

static int
parse_value(struct parser *p, struct hm_json *value)
{
	space(p);
	switch (peek(p)) {
	case '{':
		value->type = HM_JSON_OBJECT;
		return parse_group(p, value, '}');
	case '[':
		value->type = HM_JSON_ARRAY;
		return parse_group(p, value, ']');
	case '"':
		value->type = HM_JSON_STRING;
		return parse_string(p, &value->string, &value->len);
	case 't':
	case 'f':
		value->type = HM_JSON_BOOL;
		value->boolean = word(p, "true");
		if (value->boolean || word(p, "false"))
			return 0;
		break;
	case 'n':
		if (word(p, "null"))
			return 0;
		break;
	case '-':
	case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return parse_number(p, value);
	default:
		break;
	}
	return bad(p, "not a value");
}

struct hm_json *
hm_json_parse(const char *text, size_t len, struct hm_error *err)
{
	struct root *root = calloc(1, sizeof *root);
	struct parser p = { root, text, len, 0, 0, err };

	if (root == NULL) {
		(void)hm_fail(err, ENOMEM, "json: no memory");
		return NULL;
	}
	if (parse_value(&p, &root->value) == 0) {
		space(&p);
		if (p.at == p.len)
			return &root->value;
		(void)bad(&p, "something behind the value");
	}
	hm_json_free(&root->value);
	return NULL;
}

void
hm_json_free(struct hm_json *value)
{
	struct root *root = (struct root *)value;
	struct block *block;

	if (root == NULL)
		return;
	while ((block = root->blocks) != NULL) {
		root->blocks = block->next;
		free(block);
	}
	free(root);
}

const struct hm_json *
hm_json_get(const struct hm_json *value, const char *key)
{
	const struct hm_json *child;

	if (value == NULL || value->type != HM_JSON_OBJECT)
		return NULL;
	for (child = value->child; child != NULL; child = child->next) {
		if (strcmp(child->key, key) == 0)
			return child;
	}
	return NULL;
}

const char *
hm_json_string(const struct hm_json *value, const char *key,
    const char *fallback)
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

	return member == NULL || member->type != HM_JSON_NUMBER ?
	    fallback :
	    member->number;
}

bool
hm_json_bool(const struct hm_json *value, const char *key, bool fallback)
{
	const struct hm_json *member = hm_json_get(value, key);

	return member == NULL || member->type != HM_JSON_BOOL ?
	    fallback :
	    member->boolean;
}
