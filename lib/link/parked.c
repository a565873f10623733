/*
 * What is parked on a link and will not go over it: returned, or moved to the
 * link that takes its place.
 */
#include <stdlib.h>
#include <string.h>

#include "link/link.h"

bool
numbers_have(const struct numbers *numbers, uint64_t number)
{
	size_t i;

	for (i = 0; i < numbers->n && numbers->p[i] != number; i++)
		continue;
	return i < numbers->n;
}

bool
numbers_add(struct numbers *numbers, uint64_t number)
{
	size_t room = numbers->room == 0 ? 16 : numbers->room * 2;
	uint64_t *p;

	if (numbers->n == numbers->room) {
		p = realloc(numbers->p, room * sizeof *p);
		if (p == NULL)
			return false;
		numbers->p = p;
		numbers->room = room;
	}
	numbers->p[numbers->n++] = number;
	return true;
}

/* What is returned of a queue, and the messages of which nothing is left to be
 * told: returned from the first piece on, or aborted. */
struct returning {
	struct link *link;
	struct queue *queue;
	unsigned mask;
	const struct settlement *how; /* NULL: only what is settled already */
	struct numbers done;
};

/* The rest of that message is to be dropped too.  Without memory to know that,
 * pieces of no message would go. */
static void
give_up_rest(struct returning *r, uint64_t number)
{
	if (!numbers_add(&r->done, number))
		link_lame(r->link);
}

static bool
return_first(
    struct returning *r, const unsigned char *p, uint64_t number, bool last)
{
	bool stays = r->how == NULL
			 ? ledger_has(&r->link->ledger, number)
			 : r->mask != 0 && (p[HM_DATA_HEADER + HM_HEAD_FLAGS] &
					       r->mask) == 0;

	if (stays)
		return false;
	link_open_remove(r->link, number);
	if (r->how != NULL)
		link_settle_one(r->link, number, r->how);
	if (!last) {
		give_up_rest(r, number);
		/* The rest of it may wait in a lane. */
		r->link->aborted = true;
	}
	return true;
}

/* Is the record to be dropped, its message settled with how? */
static bool
return_record(
    struct returning *r, const unsigned char *p, const struct hm_record *rec)
{
	uint64_t number = hm_get64(p + HM_RECORD_HEADER);

	if (rec->type != HM_REC_DATA)
		return rec->type == HM_REC_ABORT &&
		       numbers_have(&r->done, number);
	if (rec->flags & HM_DATA_FIRST)
		return return_first(
		    r, p, number, (rec->flags & HM_DATA_LAST) != 0);
	if (numbers_have(&r->done, number))
		return true;
	/* One that was settled meanwhile has no end yet all the same. */
	if (ledger_has(&r->link->ledger, number) &&
	    (r->mask != 0 || r->how == NULL))
		return false;
	give_up_rest(r, number);
	link_abort(r->link, r->queue, number, r->how);
	return true;
}

void
link_requeue(struct link *link, struct queue *queue, struct run *run,
    uint32_t at, const struct hm_record *rec)
{
	static const struct settlement no_memory = {
	    HM_NOT_SENT, {"no memory", 9}, {"", 0}, false};
	const unsigned whole = HM_DATA_FIRST | HM_DATA_LAST;
	uint32_t len = rec->len + HM_RECORD_HEADER, cost = 0, owed;

	if (rec->type == HM_REC_DATA)
		cost = link_cost(len);
	owed = cost < run->owed ? cost : run->owed;
	if (queue_add(queue, run->chunk, run->p + at, len, 1, run->source, owed,
		cost) == 0)
		run->owed -= owed;
	else if (rec->type == HM_REC_DATA && (rec->flags & whole) == whole)
		link_settle_one(
		    link, hm_get64(run->p + at + HM_RECORD_HEADER), &no_memory);
	else
		link_lame(link); /* a message with a hole, or without an end */
}

static void
return_parked(struct returning *r)
{
	struct queue parked = *r->queue;
	struct hm_record rec;
	struct run *run;
	uint32_t at, len;

	memset(r->queue, 0, sizeof *r->queue);
	link_hold(r->link);
	while (parked.head != NULL) {
		run = queue_take(&parked);
		for (at = 0; at < run->len; at += len) {
			len = link_record_at(run, at, &rec);
			if (!return_record(r, run->p + at, &rec))
				link_requeue(r->link, r->queue, run, at, &rec);
		}
		run_free(run);
	}
	free(r->done.p);
	link_drop(r->link);
}

void
link_return_parked(struct link *link, struct queue *queue, unsigned mask,
    const struct settlement *how)
{
	struct returning returning = {link, queue, mask, how, {NULL, 0, 0}};

	return_parked(&returning);
}

void
link_drop_settled(struct link *link, struct queue *queue)
{
	struct returning returning = {link, queue, 0, NULL, {NULL, 0, 0}};

	return_parked(&returning);
}

/* One whole message on its way over another link instead; -1: it stays. */
static int
move_record(struct link *from, struct link *to, struct run *run,
    unsigned char *p, uint32_t len, struct hm_source *source)
{
	uint64_t number = hm_get64(p + HM_RECORD_HEADER), origin;
	uint32_t owed = link_cost(len) < run->owed ? link_cost(len) : run->owed;
	struct hm_source *before;
	static const struct settlement no_memory = {
	    HM_NOT_SENT, {"no memory", 9}, {"", 0}, false};

	if (ledger_take(&from->ledger, number, &before, &origin) == -1)
		return -1;
	/* What was posted here gives its room back with the old run. */
	if (before != source)
		owed = 0;
	number = link_begin(to, source, origin, true);
	if (number == 0 || link_park(to, &to->park, number, run->chunk, p, len,
			       source, owed, true) == -1) {
		if (number != 0)
			link_forget(to, number);
		before->settle(before, origin, 1, &no_memory);
		owed = 0;
	}
	run->owed -= owed;
	source_drop(before);
	return 0;
}

void
link_move_parked(struct link *from, struct link *to, struct hm_source *old,
    struct hm_source *fresh)
{
	const unsigned whole = HM_DATA_FIRST | HM_DATA_LAST;
	struct queue parked;
	struct hm_record rec;
	struct run *run;
	uint32_t at, len;

	link_unpump(from);
	link_open_lanes(from);
	parked = from->park;
	memset(&from->park, 0, sizeof from->park);
	while (parked.head != NULL) {
		run = queue_take(&parked);
		for (at = 0; at < run->len; at += len) {
			len = link_record_at(run, at, &rec);
			if (rec.type == HM_REC_DATA &&
			    (rec.flags & whole) == whole &&
			    move_record(from, to, run, run->p + at, len,
				run->source == old ? fresh : run->source) == 0)
				continue;
			(void)queue_add(&from->park, run->chunk, run->p + at,
			    len, 1, run->source, 0, 0);
		}
		run_free(run);
	}
}
