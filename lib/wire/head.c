/*
 * Heads: read in one pass, without copying; every length is compared with what
 * is left before anything behind it is looked at.
 */
#include <errno.h>
#include <string.h>

#include <hostmux/text.h>

#include "wire/record.h"

struct cursor {
	const unsigned char *p, *end;
	bool bad;
};

static struct hm_slice
get(struct cursor *c, unsigned width)
{
	struct hm_slice s = {NULL, 0};
	size_t n;

	if (c->bad || (size_t)(c->end - c->p) < width) {
		c->bad = true;
		return s;
	}
	n = width == 1 ? c->p[0] : hm_get16(c->p);
	if (n > (size_t)(c->end - c->p) - width) {
		c->bad = true;
		return s;
	}
	s.p = (const char *)c->p + width;
	s.n = n;
	c->p += width + n;
	return s;
}

static uint64_t
get_u64(struct cursor *c)
{
	uint64_t n;

	if (c->bad || c->end - c->p < 8) {
		c->bad = true;
		return 0;
	}
	n = hm_get64(c->p);
	c->p += 8;
	return n;
}

static unsigned
get_u8(struct cursor *c)
{
	if (c->bad || c->p == c->end) {
		c->bad = true;
		return 0;
	}
	return *c->p++;
}

static void
get_id(struct cursor *c, struct hm_idref *id, struct hm_slice *proc)
{
	const unsigned char *start = c->p;

	id->addr = get(c, 1);
	id->proc = get(c, 1);
	proc->p = (const char *)start;
	proc->n = (size_t)(c->p - start);
	id->actor = get(c, 1);
	id->index = get_u64(c);
}

static int
malformed(struct hm_error *err)
{
	return hm_fail(err, EPROTO, "message with a malformed head");
}

static int
refuse(const char *what, struct hm_slice s, struct hm_error *err)
{
	char safe[160];

	return hm_fail(err, EPROTO, "message with a bad %s '%s'", what,
	    hm_text_safe(s.p, s.n, safe, sizeof safe));
}

static int
check_id(const struct hm_idref *id, bool known, struct hm_error *err)
{
	if (!known && !hm_addr_text_valid(id->addr.p, id->addr.n))
		return refuse("address", id->addr, err);
	if (!known && !hm_name_valid(id->proc.p, id->proc.n))
		return refuse("proc name", id->proc, err);
	if (!hm_name_valid(id->actor.p, id->actor.n))
		return refuse("actor name", id->actor, err);
	return 0;
}

#define EACH(byte) (UINT64_MAX / 255 * (byte))

/* Printable and without a space, so that it is one word everywhere; eight bytes
 * at a time, see wrong_bytes of addr.c. */
static bool
type_fits(struct hm_slice type)
{
	const uint64_t high = EACH(0x80);
	uint64_t wrong = 0, x;
	size_t i, n;

	if (type.n == 0 || type.n > HM_TYPE_MAX)
		return false;
	for (i = 0; i < type.n; i += n) {
		n = type.n - i < sizeof x ? type.n - i : sizeof x;
		x = EACH('a');
		if (n == sizeof x)
			memcpy(&x, type.p + i, sizeof x);
		else
			memcpy(&x, type.p + i, n);
		wrong |=
		    ~((x | high) - EACH(' ' + 1)) | ((x & ~high) + EACH(1)) | x;
	}
	return (wrong & high) == 0;
}

static bool
key_fits(struct hm_slice key)
{
	size_t i;
	char ch;

	for (i = 0; i < key.n; i++) {
		ch = key.p[i];
		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
			(ch >= '0' && ch <= '9') || ch == '-'))
			return false;
	}
	return key.n > 0 && key.n <= HM_TYPE_MAX;
}

/* A header's value becomes JSON and a variable of an environment. */
static bool
value_fits(struct hm_slice value)
{
	return memchr(value.p, '\0', value.n) == NULL &&
	       hm_text_is_utf8(value.p, value.n);
}

/* The part of *s before the first stop, and *s becomes what is behind it. */
static struct hm_slice
cut(struct hm_slice *s, char stop)
{
	const char *at = s->n == 0 ? NULL : memchr(s->p, stop, s->n);
	struct hm_slice part = {s->p, at == NULL ? s->n : (size_t)(at - s->p)};
	size_t gone = part.n + (at != NULL);

	s->p += gone;
	s->n -= gone;
	return part;
}

/* "N]" before the next '[', or at the end. */
static bool
take_number(struct hm_slice *s)
{
	struct hm_slice digits = cut(s, ']');
	size_t i;

	for (i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
	}
	return digits.n > 0 && digits.n <= 20;
}

/* Has it the form of a port id?  Whoever answers reads it in full; every host
 * on the way only has to know that it is one. */
static bool
reply_to_fits(struct hm_slice value)
{
	struct hm_slice addr = cut(&value, ','), proc = cut(&value, ','),
			actor = cut(&value, '[');

	return hm_addr_text_valid(addr.p, addr.n) &&
	       hm_name_valid(proc.p, proc.n) &&
	       hm_name_valid(actor.p, actor.n) && take_number(&value) &&
	       value.n > 2 && cut(&value, '[').n == 0 &&
	       value.p[value.n - 1] == ']' && take_number(&value) &&
	       value.n == 0;
}

static bool
slice_is(struct hm_slice s, const char *text, size_t n)
{
	return s.n == n && memcmp(s.p, text, n) == 0;
}

static int
check_headers(struct cursor *c, struct hm_error *err)
{
	struct hm_slice seen[HM_HEADERS_MAX], key, value;
	unsigned i, j, n = get_u8(c);

	if (n > HM_HEADERS_MAX)
		return hm_fail(err, EPROTO,
		    "message with %u headers, at most %d", n, HM_HEADERS_MAX);
	for (i = 0; i < n; i++) {
		key = seen[i] = get(c, 1);
		value = get(c, 2);
		if (c->bad)
			return malformed(err);
		if (!key_fits(key))
			return refuse("header", key, err);
		for (j = 0; j < i; j++) {
			if (slice_is(key, seen[j].p, seen[j].n))
				return refuse("second header", key, err);
		}
		if (slice_is(key, "reply-to", 8) ? !reply_to_fits(value)
						 : !value_fits(value))
			return refuse("header value", value, err);
	}
	return 0;
}

static int
check_errors(struct cursor *c, struct hm_error *err)
{
	unsigned n = get_u8(c);

	while (n-- > 0 && !c->bad) {
		if (get_u8(c) > HM_UNKNOWN)
			return malformed(err);
		(void)get(c, 2);
		(void)get(c, 2);
	}
	return c->bad || c->p != c->end ? malformed(err) : 0;
}

/* Up to the type; false: malformed. */
static bool
parse(
    struct hm_head *head, struct cursor *c, const unsigned char *p, size_t len)
{
	head->payload_len = hm_get64(p);
	head->ttl = p[HM_HEAD_TTL];
	head->flags = p[HM_HEAD_FLAGS];
	head->uid = hm_get32(p + HM_HEAD_UID);
	head->pid = hm_get32(p + HM_HEAD_PID);
	head->len = len;
	head->known = false;
	get_id(c, &head->dest, &head->dest_proc);
	head->dest.port = get_u64(c);
	get_id(c, &head->sender, &head->sender_proc);
	head->sender.port = 0;
	head->type = get(c, 1);
	return !c->bad;
}

void
hm_head_parse(struct hm_head *head, const unsigned char *p, size_t len)
{
	struct cursor c = {p + HM_HEAD_DEST, p + len, false};

	(void)parse(head, &c, p, len);
}

static int
check_ids(struct hm_head *head, const struct hm_head_known *known,
    struct hm_error *err)
{
	bool dest = false, sender = false;

	if (known != NULL) {
		dest = slice_is(head->dest_proc, known->dest.p, known->dest.n);
		sender = slice_is(
		    head->sender_proc, known->sender.p, known->sender.n);
	}
	head->known = dest && sender;
	if (check_id(&head->dest, dest, err) == -1)
		return -1;
	return check_id(&head->sender, sender, err);
}

int
hm_head_read(struct hm_head *head, const unsigned char *p, size_t len,
    struct hm_error *err)
{
	return hm_head_read_known(head, p, len, NULL, err);
}

int
hm_head_read_known(struct hm_head *head, const unsigned char *p, size_t len,
    const struct hm_head_known *known, struct hm_error *err)
{
	struct cursor c = {p + HM_HEAD_DEST, p + len, false};

	if (len < HM_HEAD_MIN || len > HM_HEAD_MAX)
		return hm_fail(
		    err, EPROTO, "message with a head of %zu bytes", len);
	if (!parse(head, &c, p, len))
		return malformed(err);
	if (check_ids(head, known, err) == -1)
		return -1;
	if (!type_fits(head->type))
		return refuse("type", head->type, err);
	head->headers.p = (const char *)c.p;
	if (check_headers(&c, err) == -1)
		return -1;
	head->headers.n = (size_t)((const char *)c.p - head->headers.p);
	head->errors.p = (const char *)c.p;
	if (check_errors(&c, err) == -1)
		return -1;
	head->errors.n = (size_t)((const char *)c.p - head->errors.p);
	return 0;
}

bool
hm_head_header(
    const struct hm_head *head, const char *key, struct hm_slice *value)
{
	const unsigned char *p = (const unsigned char *)head->headers.p;
	struct cursor c = {p, p + head->headers.n, false};
	unsigned n = get_u8(&c);
	struct hm_slice name;

	for (; n > 0; n--) {
		name = get(&c, 1);
		*value = get(&c, 2);
		if (!c.bad && slice_is(name, key, strlen(key)))
			return true;
	}
	return false;
}

struct writer {
	unsigned char *p, *end;
	bool full;
};

static void
put(struct writer *w, unsigned width, const char *bytes, size_t n)
{
	if (w->full || n > (width == 1 ? UINT8_MAX : UINT16_MAX) ||
	    n + width > (size_t)(w->end - w->p)) {
		w->full = true;
		return;
	}
	if (width == 1)
		w->p[0] = (unsigned char)n;
	else
		hm_put16(w->p, (uint16_t)n);
	if (n > 0)
		memcpy(w->p + width, bytes, n);
	w->p += width + n;
}

static void
put_u64(struct writer *w, uint64_t n)
{
	if (w->full || w->end - w->p < 8) {
		w->full = true;
		return;
	}
	hm_put64(w->p, n);
	w->p += 8;
}

static void
put_id(struct writer *w, const struct hm_id *id)
{
	put(w, 1, id->addr, strlen(id->addr));
	put(w, 1, id->proc, strlen(id->proc));
	put(w, 1, id->actor, strlen(id->actor));
	put_u64(w, id->index);
}

static void
put_headers(struct writer *w, const struct hm_head_source *src)
{
	const char *const *h = src->headers;
	char text[HM_ID_TEXT];
	unsigned char *count = w->p;
	size_t n = 0;

	if (w->full || w->p == w->end) {
		w->full = true;
		return;
	}
	w->p++;
	if (src->reply_to != NULL) {
		(void)hm_id_print(src->reply_to, text, sizeof text);
		put(w, 1, "reply-to", 8);
		put(w, 2, text, strlen(text));
		n++;
	}
	for (; h != NULL && h[0] != NULL; h += 2, n++) {
		put(w, 1, h[0], strlen(h[0]));
		put(w, 2, h[1], strlen(h[1]));
	}
	if (n > HM_HEADERS_MAX)
		w->full = true;
	else
		*count = (unsigned char)n;
}

long
hm_head_write(unsigned char p[HM_HEAD_MAX], const struct hm_head_source *src)
{
	struct writer w = {p + HM_HEAD_DEST, p + HM_HEAD_ROOM, false};

	hm_put64(p, src->payload_len);
	p[HM_HEAD_TTL] = src->ttl;
	p[HM_HEAD_FLAGS] = src->flags;
	hm_put16(p + 10, 0);
	hm_put32(p + HM_HEAD_UID, HM_UID_UNKNOWN);
	hm_put32(p + HM_HEAD_PID, 0);
	put_id(&w, src->dest);
	put_u64(&w, src->dest->port);
	put_id(&w, src->sender);
	put(&w, 1, src->type, strlen(src->type));
	put_headers(&w, src);
	if (w.full || w.p == w.end) {
		errno = EMSGSIZE;
		return -1;
	}
	*w.p++ = 0; /* errors */
	return (long)(w.p - p);
}

static void
copy(char *to, size_t size, struct hm_slice s)
{
	size_t n = s.n < size ? s.n : size - 1;

	memcpy(to, s.p, n);
	to[n] = '\0';
}

void
hm_idref_copy(
    const struct hm_idref *ref, enum hm_id_depth depth, struct hm_id *id)
{
	id->depth = depth;
	copy(id->addr, sizeof id->addr, ref->addr);
	copy(id->proc, sizeof id->proc, ref->proc);
	copy(id->actor, sizeof id->actor, ref->actor);
	id->index = ref->index;
	id->port = ref->port;
}
