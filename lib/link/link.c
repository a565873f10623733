/*
 * The sending side of a link: numbers, parking, credit, what to write, and
 * what becomes of it all when the session ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/link.h"

/* No more than this stands before the socket: a settlement or a credit waits
 * for so much at most. */
#define OUT_MAX (256u * 1024)

static void
unused(struct hm_source *source)
{
	struct link *link = (struct link *)source;

	link->ops->unused(link);
}

static void
settle(struct hm_source *source, uint64_t first, uint32_t n,
    const struct settlement *how)
{
	link_settle_own((struct link *)source, first, n, how);
}

static void
credit(struct hm_source *source, uint64_t cost)
{
	link_freed((struct link *)source, cost);
}

void
link_init(struct link *link, const struct link_ops *ops,
    const struct hm_limits *limits, struct chunk_arena *arena,
    struct credit_pool *pool)
{
	memset(link, 0, sizeof *link);
	link->source.settle = settle;
	link->source.credit = credit;
	link->source.unused = unused;
	link->source.refs = 1;
	link->ops = ops;
	link->limits = limits;
	link->arena = arena;
	link->pool = pool;
	link->next_number = 1;
	ledger_init(&link->ledger);
}

void
link_grant(struct link *link)
{
	struct credit_pool *pool = link->pool;
	uint64_t window = LINK_WINDOW_MIN;

	if (link->window > 0)
		return;
	if (window > pool->limit - pool->granted)
		window = pool->limit - pool->granted;
	pool->granted += window;
	link->window = link->granted = window;
}

static void
drop_queue(struct queue *queue)
{
	while (queue->head != NULL)
		run_free(queue_take(queue));
}

void
link_fini(struct link *link)
{
	link_open_lanes(link);
	drop_queue(&link->out);
	drop_queue(&link->park);
	ledger_fini(&link->ledger);
	free(link->open);
	link->open = NULL;
	link->nopen = link->copen = 0;
	link->pool->granted -= link->window;
	link->window = link->granted = link->owed = 0;
	link->starved = false;
	link_weigh(link);
}

static int
open_add(struct link *link, uint64_t number)
{
	uint64_t *open;
	size_t cap;

	if (link->nopen == link->copen) {
		cap = link->copen == 0 ? 8 : link->copen * 2;
		open = realloc(link->open, cap * sizeof *open);
		if (open == NULL)
			return -1;
		link->open = open;
		link->copen = cap;
	}
	link->open[link->nopen++] = number;
	return 0;
}

void
link_open_remove(struct link *link, uint64_t number)
{
	size_t i;

	for (i = 0; i < link->nopen; i++) {
		if (link->open[i] == number) {
			link->open[i] = link->open[--link->nopen];
			return;
		}
	}
}

uint64_t
link_begin(
    struct link *link, struct hm_source *source, uint64_t origin, bool whole)
{
	uint64_t number = link->next_number;

	if (!whole && open_add(link, number) == -1)
		return 0;
	if (ledger_add(&link->ledger, number, source, origin) == -1) {
		link_open_remove(link, number);
		return 0;
	}
	link->next_number++;
	return number;
}

int
link_park(struct link *link, struct queue *queue, uint64_t number,
    struct chunk *chunk, unsigned char *p, uint32_t len,
    struct hm_source *source, uint32_t owed, bool last)
{
	hm_put64(p + HM_RECORD_HEADER, number);
	if (queue_add(queue, chunk, p, len, 1, source, owed, link_cost(len)) ==
	    -1)
		return -1;
	if (last && link->nopen > 0)
		link_open_remove(link, number);
	link->ops->due(link, true);
	return 0;
}

/* Settles one message, which may have been settled already. */
void
link_settle_one(
    struct link *link, uint64_t number, const struct settlement *how)
{
	(void)ledger_settle(&link->ledger, number, 1, how);
}

void
link_forget(struct link *link, uint64_t number)
{
	link_open_remove(link, number);
	ledger_forget(&link->ledger, number);
}

void
link_abort(struct link *link, struct queue *queue, uint64_t number,
    const struct settlement *how)
{
	struct chunk *chunk;
	struct hm_record rec = {8, HM_REC_ABORT, 0, 0};

	link_open_remove(link, number);
	/* It was returned before the peer could hear of it. */
	if (!link->begun && !ledger_has(&link->ledger, number))
		return;
	link->aborted = true;
	chunk = chunk_new(HM_DATA_HEADER);
	if (chunk == NULL) {
		link_lame(link);
	} else {
		hm_record_header(chunk->bytes, &rec);
		hm_put64(chunk->bytes + HM_RECORD_HEADER, number);
		if (queue_add(queue, chunk, chunk->bytes, HM_DATA_HEADER, 1,
			NULL, 0, 0) == 0)
			link->ops->due(link, true);
		else
			link_lame(link);
		chunk_drop(chunk);
	}
	link_settle_one(link, number, how);
}

/* The next record of a run at offset at, whose length is returned. */
uint32_t
link_record_at(const struct run *run, uint32_t at, struct hm_record *rec)
{
	(void)hm_record_peek(run->p + at, run->len - at, rec, NULL);
	return rec->len + HM_RECORD_HEADER;
}

/*
 * The first record of the run in front is larger than all credit there is:
 * what fits goes as a piece of its own, and the rest is copied behind it.
 */
static int
split_record(struct queue *park, uint32_t keep)
{
	struct run *run = park->head, *rest;
	struct hm_record rec, part;
	struct chunk *chunk;
	uint32_t len = link_record_at(run, 0, &rec);
	uint32_t left = len - keep;

	if (run->len > len && queue_cut(park, len, 1, link_cost(len)) == -1)
		return -1;
	run = park->head;
	chunk = chunk_new(HM_DATA_HEADER + left);
	rest = chunk == NULL ? NULL : run_new();
	if (rest == NULL) {
		chunk_drop(chunk);
		return -1;
	}
	part = rec;
	part.len = left + 8;
	part.flags = (uint8_t)(rec.flags & ~HM_DATA_FIRST);
	part.extra = 0;
	hm_record_header(chunk->bytes, &part);
	memcpy(chunk->bytes + HM_RECORD_HEADER, run->p + HM_RECORD_HEADER, 8);
	memcpy(chunk->bytes + HM_DATA_HEADER, run->p + keep, left);
	rec.len = keep - HM_RECORD_HEADER;
	rec.flags = (uint8_t)(rec.flags & ~(HM_DATA_LAST | HM_DATA_ASK));
	hm_record_header(run->p, &rec);

	run = queue_take(park);
	*rest = *run;
	rest->chunk = chunk;
	rest->p = chunk->bytes;
	rest->len = HM_DATA_HEADER + left;
	rest->cost = link_cost(rest->len);
	if (rest->source != NULL)
		source_hold(rest->source);
	run->len = keep;
	run->cost = link_cost(keep);
	run->owed = 0;
	queue_push(park, rest);
	queue_push(park, run);
	return 0;
}

static bool
tried(struct link *link, int done)
{
	if (done == -1)
		link->again = true;
	return done == 0;
}

/* Makes the run in front of park fit the credit; false: nothing fits. */
static bool
fit(struct link *link)
{
	struct run *run = link->park.head;
	struct hm_record rec;
	uint32_t at = 0, len, n = 0, cost = 0;

	if (run->cost <= link->credit)
		return true;
	while (at < run->len) {
		len = link_record_at(run, at, &rec);
		if (cost + link_cost(len) > link->credit)
			break;
		cost += link_cost(len);
		at += len;
		n++;
	}
	if (n > 0)
		return tried(link, queue_cut(&link->park, at, n, cost));
	(void)link_record_at(run, 0, &rec);
	if (link->credit < LINK_RECORD_COST ||
	    link->credit < HM_DATA_HEADER + rec.extra + 1u)
		return false;
	return tried(link, split_record(&link->park, (uint32_t)link->credit));
}

void
link_ask(struct link *link)
{
	struct run *run = link->park.tail;
	struct hm_record rec;
	uint32_t at = 0, last = 0;

	if (run == NULL)
		return;
	while (at < run->len) {
		last = at;
		at += link_record_at(run, at, &rec);
	}
	if (rec.type != HM_REC_DATA)
		return;
	rec.flags |= HM_DATA_ASK;
	hm_record_header(run->p + last, &rec);
}

void
link_pump(struct link *link)
{
	struct run *run;

	while (
	    link->park.head != NULL && link->out.bytes < OUT_MAX && fit(link)) {
		run = queue_take(&link->park);
		link->begun = true;
		link->credit -= run->cost;
		if (run->source == NULL)
			link->own += run->len;
		queue_put(&link->out, run);
		if (link->unsent == NULL)
			link->unsent = run;
	}
}

static bool
is_parkable(const struct run *run)
{
	struct hm_record rec;

	(void)link_record_at(run, 0, &rec);
	return rec.type == HM_REC_DATA || rec.type == HM_REC_ABORT;
}

void
link_unpump(struct link *link)
{
	struct queue out = {NULL, NULL, NULL, 0}, park = out;
	struct run *run, *unsent = link->unsent;
	bool written = true;

	link->unsent = NULL;
	while (link->out.head != NULL) {
		run = queue_take(&link->out);
		if (run == unsent)
			written = false;
		if (written || run->done > 0 || !is_parkable(run)) {
			queue_put(&out, run);
			if (!written && link->unsent == NULL)
				link->unsent = run;
			continue;
		}
		link->credit += run->cost;
		if (run->source == NULL)
			link->own -= run->len;
		queue_put(&park, run);
	}
	while (link->park.head != NULL)
		queue_put(&park, queue_take(&link->park));
	link->out = out;
	link->park = park;
}

/* The first run of out has gone for good. */
void
link_drop_written(struct link *link)
{
	struct run *run = queue_take(&link->out);

	if (run->source == NULL)
		link->own -= run->len;
	run_free(run);
}

int
link_output(const struct link *link, struct iovec *iov, int max)
{
	const struct run *run;
	int n = 0;

	for (run = link->unsent; run != NULL && n < max; run = run->next) {
		iov[n].iov_base = run->p + run->done;
		iov[n++].iov_len = run->len - run->done;
	}
	return n;
}

void
link_wrote(struct link *link, size_t n)
{
	struct run *run;
	uint32_t left;

	while (n > 0) {
		run = link->unsent;
		left = run->len - run->done;
		if (n < left) {
			run->done += (uint32_t)n;
			link->out.bytes -= n;
			return;
		}
		n -= left;
		run->done = run->len;
		link->out.bytes -= left;
		link->unsent = run->next;
		if (!link->keep)
			link_drop_written(link);
	}
}

/* Settles the messages of which run holds bytes that were not written. */
static void
settle_unwritten(
    struct link *link, const struct run *run, const struct settlement *how)
{
	struct hm_record rec;
	uint32_t at, len;

	for (at = 0; at < run->len; at += len) {
		len = link_record_at(run, at, &rec);
		if (rec.type == HM_REC_DATA && at + len > run->done)
			link_settle_one(link,
			    hm_get64(run->p + at + HM_RECORD_HEADER), how);
	}
}

void
link_lost(
    struct link *link, enum hm_outcome written, const char *why, const char *at)
{
	struct settlement how = {
	    HM_NOT_SENT, {why, strlen(why)}, {at, strlen(at)}, false};
	const struct ledger_entry *e;
	struct run *run;

	if (link->dead)
		return;
	link->dead = true;
	link_hold(link);
	link_open_lanes(link);
	for (run = link->unsent; run != NULL; run = run->next)
		settle_unwritten(link, run, &how);
	for (run = link->park.head; run != NULL; run = run->next)
		settle_unwritten(link, run, &how);
	while (link->nopen > 0)
		link_settle_one(link, link->open[--link->nopen], &how);
	how.outcome = written;
	while ((e = ledger_oldest(&link->ledger)) != NULL)
		(void)ledger_settle(&link->ledger, e->first, e->count, &how);
	link->unsent = NULL;
	drop_queue(&link->out);
	drop_queue(&link->park);
	link->pool->granted -= link->granted + link->owed;
	link->window -= link->granted + link->owed;
	link->granted = link->owed = 0;
	link->starved = false;
	link_weigh(link);
	link_drop(link);
}

int
link_resumed(struct link *link, uint64_t n)
{
	struct run *run;
	struct hm_record rec;
	uint32_t at = 0, len;

	while ((run = link->out.head) != NULL && run->done == run->len &&
	       link->acked + run->records <= n) {
		link->acked += run->records;
		if (run == link->unsent)
			link->unsent = run->next;
		link_drop_written(link);
	}
	/* Of a run in part only what was wholly written can have come. */
	for (; run != NULL && link->acked < n && at < run->done;
	     link->acked++) {
		do {
			len = link_record_at(run, at, &rec);
			if (rec.type == HM_REC_DATA)
				run->cost -= link_cost(len);
			at += len;
		} while (rec.type == HM_REC_RECEIVED && at < run->done);
		run->records--;
	}
	if (link->acked != n || (run != NULL && at > run->done))
		return -1;
	link->out.bytes = 0;
	if (run != NULL) {
		run->p += at;
		run->len -= at;
		if (run->source == NULL)
			link->own -= at;
	}
	for (link->unsent = run; run != NULL; run = run->next) {
		run->done = 0;
		link->out.bytes += run->len;
	}
	link->told = link->received;
	return 0;
}
