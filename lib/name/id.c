/*
 * Ids: parsing and printing are exact inverses.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <hostmux/id.h>
#include <hostmux/text.h>

/* What a byte may be in a name: looked up for every name of every message. */
enum { INSIDE = 1, FIRST = 2 };
#define A INSIDE | FIRST
/* clang-format off */
static const unsigned char name_bytes[256] = {
	['-'] = INSIDE, ['.'] = INSIDE, ['_'] = A,
	['0'] = A, A, A, A, A, A, A, A, A, A,
	['A'] = A, A, A, A, A, A, A, A, A, A, A, A, A,
	['N'] = A, A, A, A, A, A, A, A, A, A, A, A, A,
	['a'] = A, A, A, A, A, A, A, A, A, A, A, A, A,
	['n'] = A, A, A, A, A, A, A, A, A, A, A, A, A
};
/* clang-format on */
#undef A

bool
hm_name_valid(const char *name, size_t len)
{
	const unsigned char *p = (const unsigned char *)name;
	unsigned all = INSIDE;
	size_t i;

	if (len == 0 || len > HM_NAME_MAX || (name_bytes[p[0]] & FIRST) == 0)
		return false;
	for (i = 1; i < len; i++)
		all &= name_bytes[p[i]];
	return all != 0;
}

static int
bad(struct hm_error *err, const char *text, const char *why)
{
	char safe[300];

	return hm_fail(err, EINVAL, "id '%s': %s",
	    hm_text_safe(text, strlen(text), safe, sizeof safe), why);
}

static int
take_name(char name[HM_NAME_MAX + 1], const char **p, const char *stop,
    const char *text, const char *what, struct hm_error *err)
{
	size_t len = strcspn(*p, stop);
	char why[64];

	if (len == 0) {
		(void)snprintf(why, sizeof why, "no %s name", what);
		return bad(err, text, why);
	}
	if (!hm_name_valid(*p, len)) {
		(void)snprintf(why, sizeof why, "bad %s name", what);
		return bad(err, text, why);
	}
	memcpy(name, *p, len);
	name[len] = '\0';
	*p += len;
	return 0;
}

/* "[N]"; no leading zeros, so that printing gives the same. */
static int
take_index(uint64_t *n, const char **p, const char *text, struct hm_error *err)
{
	const char *digits = *p + 1;
	size_t len = strspn(digits, "0123456789");
	char number[24];

	if (digits[len] != ']' || len == 0 || len >= sizeof number ||
	    (len > 1 && digits[0] == '0'))
		return bad(err, text, "not a number between [ and ]");
	memcpy(number, digits, len);
	number[len] = '\0';
	if (hm_text_number(number, "index", 0, UINT64_MAX, n, NULL) == -1)
		return bad(err, text, "number too large");
	*p = digits + len + 1;
	return 0;
}

/* "PROC[,ACTOR[I][PORT]]" at p. */
static int
take_parts(
    struct hm_id *id, const char *p, const char *text, struct hm_error *err)
{
	id->depth = HM_ID_PROC;
	if (take_name(id->proc, &p, ",", text, "proc", err) == -1)
		return -1;
	if (*p == '\0')
		return 0;
	p++;
	id->depth = HM_ID_ACTOR;
	if (take_name(id->actor, &p, "[,", text, "actor", err) == -1)
		return -1;
	if (*p == '[' && take_index(&id->index, &p, text, err) == -1)
		return -1;
	if (*p == '[') {
		id->depth = HM_ID_PORT;
		if (take_index(&id->port, &p, text, err) == -1)
			return -1;
	}
	return *p == '\0' ? 0 : bad(err, text, "something behind its end");
}

static int
parse_full(
    struct hm_id *id, const char *text, unsigned flags, struct hm_error *err)
{
	struct hm_addr addr;
	char first[HM_ADDR_SIZE + 256]; /* a name may be there to resolve */
	const char *comma = strchr(text, ',');
	size_t len;

	memset(id, 0, sizeof *id);
	if (comma == NULL)
		return bad(err, text, "no proc name");
	len = (size_t)(comma - text);
	if (len >= sizeof first)
		return bad(err, text, "address too long");
	memcpy(first, text, len);
	first[len] = '\0';
	if (hm_addr_parse(&addr, first, flags, err) == -1)
		return -1;
	memcpy(id->addr, addr.text, sizeof id->addr);
	return take_parts(id, comma + 1, text, err);
}

int
hm_id_parse(struct hm_id *id, const char *text, struct hm_error *err)
{
	return parse_full(id, text, 0, err);
}

/* Does text begin with an address?  No name has a colon. */
static bool
is_full(const char *text)
{
	return memchr(text, ':', strcspn(text, ",")) != NULL;
}

int
hm_id_parse_dest(
    struct hm_id *id, const char *text, const char *host, struct hm_error *err)
{
	if (is_full(text)) {
		if (parse_full(id, text, HM_ADDR_RESOLVE, err) == -1)
			return -1;
	} else {
		memset(id, 0, sizeof *id);
		(void)snprintf(id->addr, sizeof id->addr, "%s", host);
		if (take_parts(id, text, text, err) == -1)
			return -1;
	}
	if (id->depth == HM_ID_PROC)
		(void)snprintf(id->actor, sizeof id->actor, "main");
	id->depth = HM_ID_PORT;
	return 0;
}

char *
hm_id_print(const struct hm_id *id, char *buf, size_t size)
{
	if (id->depth == HM_ID_PROC)
		(void)snprintf(buf, size, "%s,%s", id->addr, id->proc);
	else if (id->depth == HM_ID_ACTOR)
		(void)snprintf(buf, size, "%s,%s,%s[%" PRIu64 "]", id->addr,
		    id->proc, id->actor, id->index);
	else
		(void)snprintf(buf, size, "%s,%s,%s[%" PRIu64 "][%" PRIu64 "]",
		    id->addr, id->proc, id->actor, id->index, id->port);
	return buf;
}

static int
compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int
hm_id_compare(const struct hm_id *a, const struct hm_id *b)
{
	int c = strcmp(a->addr, b->addr);

	if (c == 0)
		c = strcmp(a->proc, b->proc);
	if (c != 0)
		return c;
	if (a->depth == HM_ID_PROC || b->depth == HM_ID_PROC)
		return (int)a->depth - (int)b->depth;
	c = strcmp(a->actor, b->actor);
	if (c == 0)
		c = compare_u64(a->index, b->index);
	if (c != 0)
		return c;
	if (a->depth == HM_ID_ACTOR || b->depth == HM_ID_ACTOR)
		return (int)a->depth - (int)b->depth;
	return compare_u64(a->port, b->port);
}

bool
hm_id_is_prefix(const struct hm_id *prefix, const struct hm_id *id)
{
	struct hm_id cut = *id;

	if (prefix->depth > id->depth)
		return false;
	cut.depth = prefix->depth;
	return hm_id_compare(prefix, &cut) == 0;
}

void
hm_id_set(struct hm_id *id, const char *addr, const char *proc,
    const char *actor, uint64_t index, uint64_t port)
{
	memset(id, 0, sizeof *id);
	id->depth = HM_ID_PORT;
	(void)snprintf(id->addr, sizeof id->addr, "%s", addr);
	(void)snprintf(id->proc, sizeof id->proc, "%s", proc);
	(void)snprintf(id->actor, sizeof id->actor, "%s", actor);
	id->index = index;
	id->port = port;
}
