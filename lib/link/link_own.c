/*
 * What a link says of its own: settlements, credit, what it has received, and
 * goodbye.  All of it is gathered and rides with whatever is written next;
 * alone it goes when a peer asked, when much has come together, or after a few
 * milliseconds.
 */
#include <errno.h>
#include <string.h>

#include "link/link.h"

/* So many settled messages are worth a write of their own. */
#define SETTLED_MANY 4096u

int
link_own(struct link *link, enum hm_record_type type, uint8_t flags,
    uint16_t extra, const unsigned char *body, size_t len)
{
	struct hm_record rec = {(uint32_t)len, (uint8_t)type, flags, extra};
	struct chunk *chunk;
	unsigned char *p;
	uint32_t size = (uint32_t)len + HM_RECORD_HEADER;

	if (link->dead)
		return 0;
	chunk = chunk_current(link->arena, size);
	if (chunk == NULL) {
		link->again = true;
		return -1;
	}
	p = chunk->bytes + chunk->used;
	hm_record_header(p, &rec);
	memcpy(p + HM_RECORD_HEADER, body, len);
	if (queue_add(&link->out, chunk, p, size, type != HM_REC_RECEIVED, NULL,
		0, 0) == -1) {
		link->again = true;
		return -1;
	}
	chunk->used += size;
	link->own += size;
	/* Joined to a run that was written (kept for resuming), the record
	 * makes that run unsent again. */
	if (link->unsent == NULL)
		link->unsent = link->out.tail;
	link->ops->due(link, true);
	return 0;
}

/* The peer must not wait for ever for what it will not hear: the link ends, and
 * it calls it unknown. */
void
link_lame(struct link *link)
{
	link->lame = true;
	link->ops->due(link, true);
}

static int
say_settled(struct link *link, const struct settle_range *ranges, size_t n,
    const struct settlement *how)
{
	unsigned char body[4 + LINK_RANGES * 12 + 4 + HM_ERROR_TEXT + 512];
	size_t reason = how->reason.n, at = how->at.n, i;
	unsigned char *p = body + 4;

	if (reason > HM_ERROR_TEXT)
		reason = HM_ERROR_TEXT;
	if (at > 512)
		at = 512;
	hm_put32(body, (uint32_t)n);
	for (i = 0; i < n; i++, p += 12) {
		hm_put64(p, ranges[i].first);
		hm_put32(p + 8, ranges[i].count);
	}
	hm_put16(p, (uint16_t)reason);
	memcpy(p + 2, how->reason.p, reason);
	p += 2 + reason;
	hm_put16(p, (uint16_t)at);
	memcpy(p + 2, how->at.p, at);
	p += 2 + at;
	return link_own(link, HM_REC_SETTLE, 0, (uint16_t)how->outcome, body,
	    (size_t)(p - body));
}

static void
say_delivered(struct link *link)
{
	static const struct settlement delivered = {
	    HM_DELIVERED, {"", 0}, {"", 0}, false};

	if (link->nranges > 0 &&
	    say_settled(link, link->ranges, link->nranges, &delivered) == 0)
		link->nranges = 0;
}

void
link_settle_own(
    struct link *link, uint64_t first, uint32_t n, const struct settlement *how)
{
	struct settle_range *last, one = {first, n};

	if (link->dead)
		return;
	link->coming -= n;
	if (how->outcome != HM_DELIVERED) {
		if (say_settled(link, &one, 1, how) == -1)
			link_lame(link);
		return;
	}
	last = link->nranges == 0 ? NULL : &link->ranges[link->nranges - 1];
	if (last != NULL && last->first + last->count == first &&
	    last->count <= UINT32_MAX - n) {
		last->count += n;
	} else {
		if (link->nranges == LINK_RANGES)
			say_delivered(link);
		if (link->nranges == LINK_RANGES) {
			link_lame(link);
			return;
		}
		last = &link->ranges[link->nranges++];
		*last = one;
	}
	link->ops->due(link,
	    !how->lazy || first <= link->asked || last->count >= SETTLED_MANY);
}

/* Windows grow into three quarters of it: who comes new finds some. */
static uint64_t
pool_for_windows(const struct credit_pool *pool)
{
	return pool->limit - pool->limit / 4;
}

static uint64_t
pool_for_growth(const struct credit_pool *pool)
{
	uint64_t most = pool_for_windows(pool);

	return pool->granted < most ? most - pool->granted : 0;
}

void
link_weigh(struct link *link)
{
	bool shares = link->window > LINK_WINDOW_MIN || link->starved;

	if (shares == link->shares)
		return;
	link->shares = shares;
	if (shares)
		link->pool->shares++;
	else
		link->pool->shares--;
}

uint64_t
link_share(const struct link *link)
{
	const struct credit_pool *pool = link->pool;
	uint64_t most = link->limits->link_window, share;

	if (pool->granted <= pool->limit / 2 || pool->shares == 0)
		return most;
	share = pool_for_windows(pool) / pool->shares;
	if (share < LINK_WINDOW_MIN)
		share = LINK_WINDOW_MIN;
	return most < share ? most : share;
}

/* How much a window that was used up may grow, to most in the end; where it is
 * less than the least, out of what is kept for that. */
static uint64_t
growth(const struct link *link, uint64_t most)
{
	const struct credit_pool *pool = link->pool;
	uint64_t room = pool_for_growth(pool), step = link->window;

	if (link->window >= most)
		return 0;
	if (link->window < LINK_WINDOW_MIN) {
		room = pool->limit - pool->granted;
		step = LINK_WINDOW_MIN - link->window;
	}
	if (step > most - link->window)
		step = most - link->window;
	return step < room ? step : room;
}

/* Grants what is free, but what makes the window larger than it may be; one
 * that was used up may grow. */
static void
say_credit(struct link *link)
{
	struct credit_pool *pool = link->pool;
	unsigned char body[8];
	/* What held destinations take is not there for the others. */
	uint64_t most = link_share(link) + link->held, more = 0, less;

	link->starved = false;
	if (link->window > most && link->owed > 0) {
		less = link->window - most;
		if (less > link->owed)
			less = link->owed;
		link->owed -= less;
		link->window -= less;
		pool->granted -= less;
	}
	if (link->granted <= link->window / 2 ||
	    link->window < LINK_WINDOW_MIN) {
		more = growth(link, most);
		link->starved =
		    more == 0 &&
		    link->window < link->limits->link_window + link->held;
	}
	hm_put64(body, link->owed + more);
	if (link->owed + more > 0 &&
	    link_own(link, HM_REC_CREDIT, 0, 0, body, sizeof body) == 0) {
		pool->granted += more;
		link->window += more;
		link->granted += link->owed + more;
		link->owed = 0;
	}
	link_weigh(link);
}

void
link_freed(struct link *link, uint64_t cost)
{
	if (link->dead) {
		link->window -= cost;
		link->pool->granted -= cost;
		return;
	}
	link->owed += cost;
	if (link->owed >= link->window / 2 || link->granted < CREDIT_LOW)
		link->ops->due(link, true);
}

void
link_reclaim(struct link *link)
{
	uint64_t keep = link->used ? link_share(link) : LINK_WINDOW_MIN, back;
	unsigned char body[8];

	if (!link->used)
		link->starved = false;
	link->used = false;
	link_weigh(link);
	/* Asked twice, a peer that was stopped would give back all it has. */
	if (link->dead || link->reclaims || link->window <= keep ||
	    link->granted <= LINK_WINDOW_MIN)
		return;
	back = link->window - keep;
	if (back > link->granted - LINK_WINDOW_MIN)
		back = link->granted - LINK_WINDOW_MIN;
	hm_put64(body, back);
	link->reclaims = link_own(link, HM_REC_CREDIT, HM_CREDIT_ASK, 0, body,
			     sizeof body) == 0;
}

void
link_gather(struct link *link)
{
	unsigned char body[8];

	if (link->dead)
		return;
	say_delivered(link);
	if (link->owed >= link->window / 4 || link->granted < CREDIT_LOW)
		say_credit(link);
	if (link->keep && link->received > link->told) {
		hm_put64(body, link->received);
		if (link_own(link, HM_REC_RECEIVED, 0, 0, body, sizeof body) ==
		    0)
			link->told = link->received;
	}
}

int
link_say_hold(struct link *link, bool hold, struct hm_slice dest)
{
	return link_own(link, hold ? HM_REC_HOLD : HM_REC_RESUME, 0, 0,
	    (const unsigned char *)dest.p, dest.n);
}

struct hm_slice
link_begun(const struct link *link)
{
	const struct run *run = link->unsent;
	struct hm_slice left = {NULL, 0};
	struct hm_record rec;
	uint32_t at = 0;

	while (run != NULL && at < run->done)
		at += link_record_at(run, at, &rec);
	if (at > 0 && at > run->done) {
		left.p = (const char *)run->p + run->done;
		left.n = at - run->done;
	}
	return left;
}

void
link_say_bye(struct link *link, const char *why)
{
	unsigned char body[2 + HM_ERROR_TEXT];
	size_t len = strlen(why);

	if (len > HM_ERROR_TEXT)
		len = HM_ERROR_TEXT;
	hm_put16(body, (uint16_t)len);
	memcpy(body + 2, why, len);
	(void)link_own(link, HM_REC_BYE, 0, 0, body, 2 + len);
}
