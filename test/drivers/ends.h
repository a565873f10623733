/*
 * Ends of links, without sockets: what drivers and fuzz targets put back to
 * back.  A message's number at its origin is also the port it goes to, and what
 * its bytes follow from: who gets it knows what it is to look like.
 */
#ifndef ENDS_H
#define ENDS_H

#include <string.h>

#include "link/link.h"
#include "check.h"

#define ENDS_DESTS 4u
#define ENDS_MOST ((size_t)512 * 1024) /* that end_carry carries at a time */

struct end {
	struct link link; /* first */
	struct chunk_arena arena;
	struct credit_pool pool;
	struct chunk *came;  /* last; NULL: nothing did */
	unsigned char *rest; /* in that: the beginning of a record */
	size_t nrest;
};

/* A message on its way out. */
struct outgoing {
	unsigned n, dest;
	size_t size, parked;
	uint64_t number; /* on the link; 0: not begun */
};

/* --- what is told to who does not ask */

static inline void
ends_no_credit(struct hm_source *source, uint64_t cost)
{
	(void)source;
	(void)cost;
}

static inline void
ends_no_source(struct hm_source *source)
{
	(void)source;
}

/* For tests in which nothing is aborted. */
static inline void
ends_no_abort(struct link *link, uint64_t number)
{
	(void)link;
	CHECK(number == 0);
}

static inline void
ends_on_bye(struct link *link, struct hm_slice why)
{
	(void)link;
	(void)why;
}

static inline void
ends_on_due(struct link *link, bool now)
{
	(void)link;
	(void)now;
}

static inline void
ends_on_unused(struct link *link)
{
	(void)link;
}

static inline void
source_init(struct hm_source *source,
    void (*settle)(struct hm_source *source, uint64_t first, uint32_t n,
	const struct settlement *how))
{
	source->settle = settle;
	source->credit = ends_no_credit;
	source->unused = ends_no_source;
	source->refs = 1;
}

/* --- messages */

/* The procs a, b, c and d, as a head has them. */
static inline struct hm_slice
dest_slice(unsigned dest)
{
	static const char *const dests[ENDS_DESTS] = {
	    "\6unix:x\1a", "\6unix:x\1b", "\6unix:x\1c", "\6unix:x\1d"};
	struct hm_slice s = {dests[dest], 9};

	return s;
}

static inline unsigned char
byte_of(unsigned n, size_t at)
{
	return (unsigned char)(n * 31 + at * 7 + (at >> 8));
}

/* What stands at p is of message n, from at on. */
static inline void
check_bytes(const unsigned char *p, size_t len, unsigned n, size_t at)
{
	size_t i;

	for (i = 0; i < len; i++)
		CHECK(p[i] == byte_of(n, at + i));
}

static inline void
settle_delivered(struct link *link, uint64_t number)
{
	static const struct settlement delivered = {
	    HM_DELIVERED, {"", 0}, {"", 0}, true};

	link->source.settle(&link->source, number, 1, &delivered);
}

/* --- ends */

static inline void
end_init(struct end *end, const struct link_ops *ops,
    const struct hm_limits *limits, uint64_t memory)
{
	memset(end, 0, sizeof *end);
	end->pool.limit = memory;
	link_init(&end->link, ops, limits, &end->arena, &end->pool);
	link_grant(&end->link);
}

/* As after their greetings. */
static inline void
end_join(struct end *one, struct end *other)
{
	one->link.credit = other->link.granted;
	other->link.credit = one->link.granted;
}

/* Of a link that is lost: all that it was granted is back. */
static inline void
end_fini(struct end *end)
{
	link_fini(&end->link);
	CHECK(end->pool.granted == 0);
	chunk_arena_fini(&end->arena);
	chunk_drop(end->came);
	end->came = NULL;
}

/* Parks the next piece of m, of at most most bytes; what that takes, which goes
 * back to origin. */
static inline uint32_t
end_park(
    struct end *end, struct hm_source *origin, struct outgoing *m, size_t most)
{
	struct hm_record rec = {0, HM_REC_DATA, 0, 0};
	struct hm_head_source src = {
	    m->size, 64, 0, NULL, NULL, "t", NULL, NULL};
	size_t len = m->size - m->parked, i;
	unsigned char head[HM_HEAD_MAX], *p;
	struct chunk *chunk;
	struct hm_id to;
	long nhead = 0;
	uint32_t whole;

	if (len > most)
		len = most;
	hm_id_set(&to, "unix:x", &"a\0b\0c\0d"[2 * m->dest], "m", 0, m->n);
	src.dest = src.sender = &to;
	if (m->parked == 0)
		nhead = hm_head_write(head, &src);
	CHECK(nhead >= 0);
	rec.len = (uint32_t)(8 + (size_t)nhead + len);
	rec.extra = (uint16_t)nhead;
	rec.flags = (uint8_t)((nhead > 0 ? HM_DATA_FIRST : 0) |
			      (m->parked + len == m->size ? HM_DATA_LAST : 0));
	whole = rec.len + HM_RECORD_HEADER;
	chunk = chunk_new(whole);
	CHECK(chunk != NULL);
	p = chunk->bytes + HM_DATA_HEADER;
	hm_record_header(chunk->bytes, &rec);
	memcpy(p, head, (size_t)nhead);
	for (i = 0; i < len; i++)
		p[(size_t)nhead + i] = byte_of(m->n, m->parked + i);
	m->parked += len;
	CHECK(link_park(&end->link, link_queue(&end->link, dest_slice(m->dest)),
		  m->number, chunk, chunk->bytes, whole, origin,
		  link_cost(whole), m->parked == m->size) == 0);
	chunk_drop(chunk);
	return link_cost(whole);
}

/* Parks all of m, in pieces of at most piece bytes. */
static inline void
end_post(
    struct end *end, struct hm_source *origin, struct outgoing *m, size_t piece)
{
	m->number = link_begin(&end->link, origin, m->n, m->size <= piece);
	CHECK(m->number != 0);
	do
		(void)end_park(end, origin, m, piece);
	while (m->parked < m->size);
}

/* --- between two of them */

/* Writes at most most bytes to p; how many. */
static inline size_t
end_output(struct end *end, unsigned char *p, size_t most)
{
	struct iovec iov[64];
	size_t total = 0, part;
	int i, n;

	link_gather(&end->link);
	link_pump(&end->link);
	n = link_output(&end->link, iov, 64);
	for (i = 0; i < n && total < most; i++) {
		part = iov[i].iov_len;
		if (part > most - total)
			part = most - total;
		memcpy(p + total, iov[i].iov_base, part);
		total += part;
	}
	link_wrote(&end->link, total);
	return total;
}

/* Takes len bytes, behind what it kept.  0, or -1 with a sentence. */
static inline int
end_input(
    struct end *end, const unsigned char *p, size_t len, struct hm_error *err)
{
	struct chunk *chunk = chunk_new(end->nrest + len);
	long used;

	CHECK(chunk != NULL);
	if (end->nrest > 0)
		memcpy(chunk->bytes, end->rest, end->nrest);
	memcpy(chunk->bytes + end->nrest, p, len);
	chunk_drop(end->came);
	end->came = chunk;
	len += end->nrest;
	used = link_input(&end->link, chunk, chunk->bytes, len, err);
	if (used == -1)
		return -1;
	CHECK((size_t)used <= len);
	end->rest = chunk->bytes + used;
	end->nrest = len - (size_t)used;
	CHECK(end->nrest <= HM_RECORD_MAX);
	return 0;
}

/* Carries what the one has to say, at most most bytes; how much. */
static inline size_t
end_carry(struct end *from, struct end *to, size_t most)
{
	static unsigned char bytes[ENDS_MOST];
	struct hm_error err;
	bool taken = true;
	size_t n;

	CHECK(most <= sizeof bytes);
	n = end_output(from, bytes, most);
	if (n > 0)
		taken = end_input(to, bytes, n, &err) == 0;
	if (!taken)
		fprintf(stderr, "%s\n", err.text);
	CHECK(taken);
	return n;
}

/* Until neither has anything to say. */
static inline void
end_drain(struct end *one, struct end *other, size_t most)
{
	size_t n;

	do {
		n = end_carry(one, other, most);
		n += end_carry(other, one, most);
	} while (n > 0);
}

#endif
