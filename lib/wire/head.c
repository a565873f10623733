/*
 * Heads: read in one pass, without copying; every length is compared with what
 * is left before anything behind it is looked at.
 */
#include <errno.h>
#include <string.h>

#include "wire/record.h"

struct cursor {
	const unsigned char *p, *end;
	bool bad;
};

static struct hm_slice
get(struct cursor *c, unsigned width)
{
	struct hm_slice s = { NULL, 0 };
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

/* Printable, no space, no comma: what an address, type or key is made of. */
static bool
plain(struct hm_slice s, size_t max)
{
	size_t i;

	if (s.n == 0 || s.n > max)
		return false;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ',')
			return false;
	}
	return true;
}

static bool
id_fits(const struct hm_idref *id)
{
	return plain(id->addr, HM_ADDR_SIZE - 1) &&
	    hm_name_valid(id->proc.p, id->proc.n) &&
	    hm_name_valid(id->actor.p, id->actor.n);
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

static bool
reply_to_fits(struct hm_slice value)
{
	char text[HM_ID_TEXT];
	struct hm_id id;

	if (value.n >= sizeof text)
		return false;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	return strlen(text) == value.n && hm_id_parse(&id, text, NULL) == 0 &&
	    id.depth == HM_ID_PORT;
}

static const char *
headers_fault(struct cursor *c)
{
	unsigned n = get_u8(c);
	struct hm_slice key, value;

	if (n > HM_HEADERS_MAX)
		return "too many headers";
	while (n-- > 0 && !c->bad) {
		key = get(c, 1);
		value = get(c, 2);
		if (c->bad)
			break;
		if (!key_fits(key))
			return "a bad header";
		if (key.n == 8 && memcmp(key.p, "reply-to", 8) == 0 &&
		    !reply_to_fits(value))
			return "a reply-to that is no port id";
	}
	return NULL;
}

static const char *
errors_fault(struct cursor *c)
{
	unsigned n = get_u8(c);

	while (n-- > 0 && !c->bad) {
		if (get_u8(c) > HM_UNKNOWN)
			return "an error of no kind";
		(void)get(c, 2);
		(void)get(c, 2);
	}
	return NULL;
}

int
hm_head_read(struct hm_head *head, const unsigned char *p, size_t len,
    struct hm_error *err)
{
	struct cursor c = { p + HM_HEAD_DEST, p + len, false };
	const char *fault = NULL, *more;

	if (len < HM_HEAD_DEST || len > HM_HEAD_MAX)
		return hm_fail(err, EPROTO, "message with a head of %zu bytes",
		    len);
	head->payload_len = hm_get64(p);
	head->ttl = p[HM_HEAD_TTL];
	head->flags = p[HM_HEAD_FLAGS];
	head->uid = hm_get32(p + HM_HEAD_UID);
	head->pid = hm_get32(p + HM_HEAD_PID);
	head->len = len;
	get_id(&c, &head->dest, &head->dest_proc);
	head->dest.port = get_u64(&c);
	get_id(&c, &head->sender, &head->sender_proc);
	head->sender.port = 0;
	head->type = get(&c, 1);
	if (!c.bad && (!id_fits(&head->dest) || !id_fits(&head->sender)))
		fault = "a bad id";
	else if (!c.bad && !plain(head->type, HM_TYPE_MAX))
		fault = "a bad type";
	head->headers.p = (const char *)c.p;
	more = headers_fault(&c);
	head->headers.n = (size_t)((const char *)c.p - head->headers.p);
	fault = fault == NULL ? more : fault;
	head->errors.p = (const char *)c.p;
	more = errors_fault(&c);
	head->errors.n = (size_t)((const char *)c.p - head->errors.p);
	fault = fault == NULL ? more : fault;
	if (fault == NULL && (c.bad || c.p != c.end))
		fault = "a malformed head";
	if (fault != NULL)
		return hm_fail(err, EPROTO, "message with %s", fault);
	return 0;
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
	struct writer w = { p + HM_HEAD_DEST, p + HM_HEAD_MAX, false };

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
hm_idref_copy(const struct hm_idref *ref, enum hm_id_depth depth,
    struct hm_id *id)
{
	id->depth = depth;
	copy(id->addr, sizeof id->addr, ref->addr);
	copy(id->proc, sizeof id->proc, ref->proc);
	copy(id->actor, sizeof id->actor, ref->actor);
	id->index = ref->index;
	id->port = ref->port;
}
