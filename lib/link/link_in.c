/*
 * The receiving side of a link: records are taken in order, each checked
 * against what the peer may do, and handed to whom they concern.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "link/link.h"

/* More than any window; a grant above it is a peer that cannot count. */
#define CREDIT_MAX ((uint64_t)1 << 40)

static int
take_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, struct hm_error *err)
{
	uint32_t cost = link_cost(rec->len + HM_RECORD_HEADER);
	uint64_t number = hm_get64(p + HM_RECORD_HEADER);

	if (cost > link->granted)
		return hm_fail(err, EPROTO, "peer ignores its credit");
	link->granted -= cost;
	link->used = true;
	if (rec->flags & HM_DATA_FIRST) {
		/* What was held comes later than what was sent after it. */
		if (number > link->last_number)
			link->last_number = number;
		link->coming++;
	} else if (number > link->last_number) {
		return hm_fail(err, EPROTO,
		    "message %" PRIu64 " has no beginning", number);
	}
	if ((rec->flags & HM_DATA_ASK) && number > link->asked)
		link->asked = number;
	/* What is kept long frees nothing: the window grows all the same. */
	if (link->granted < CREDIT_LOW)
		link->ops->due(link, true);
	return link->ops->data(link, rec, chunk, p, cost, err);
}

/* Where messages were aborted their settlements may have crossed that: the
 * rest of the range counts all the same. */
static int
settle_range(struct link *link, uint64_t first, uint32_t count,
    const struct settlement *how)
{
	uint64_t end = first + count, number;

	if (end > link->next_number)
		return -1;
	if (!link->aborted)
		return ledger_settle(&link->ledger, first, count, how);
	while ((number = ledger_next(&link->ledger, first)) < end) {
		if (ledger_settle(&link->ledger, number, 1, how) == -1)
			return -1;
		first = number + 1;
	}
	return 0;
}

static int
take_settle(struct link *link, const struct hm_record *rec,
    const unsigned char *body, struct hm_error *err)
{
	struct settlement how = {
	    (enum hm_outcome)rec->extra, {"", 0}, {"", 0}, false};
	uint32_t i, n = hm_get32(body);
	const unsigned char *range = body + 4, *p = range + (size_t)n * 12;

	how.reason.n = hm_get16(p);
	how.reason.p = (const char *)p + 2;
	p += 2 + how.reason.n;
	how.at.n = hm_get16(p);
	how.at.p = (const char *)p + 2;
	for (i = 0; i < n; i++, range += 12) {
		if (settle_range(link, hm_get64(range), hm_get32(range + 8),
			&how) == -1 &&
		    !link->dead)
			return hm_fail(err, EPROTO,
			    "settlement of message %" PRIu64
			    ", which is not open",
			    hm_get64(range));
	}
	link->moved++;
	link->ops->due(link, true);
	return 0;
}

static int
take_credit(struct link *link, const struct hm_record *rec,
    const unsigned char *body, struct hm_error *err)
{
	uint64_t n = hm_get64(body);
	unsigned char back[8];

	if (rec->flags & HM_CREDIT_BACK) {
		if (n > link->granted)
			return hm_fail(
			    err, EPROTO, "peer gives back credit it has not");
		link->reclaims = false;
		link->granted -= n;
		link->window -= n;
		link->pool->granted -= n;
		link_weigh(link);
		/* It may have none left, and what is free is little. */
		link->ops->due(link, true);
	} else if (rec->flags & HM_CREDIT_ASK) {
		if (n > link->credit)
			n = link->credit;
		link->credit -= n;
		hm_put64(back, n);
		if (link_own(link, HM_REC_CREDIT, HM_CREDIT_BACK, 0, back,
			sizeof back) == -1)
			return hm_fail(err, ENOMEM, "no memory");
	} else {
		/* It may be more already: what was not written came back. */
		if (n > CREDIT_MAX || link->credit > CREDIT_MAX - n)
			return hm_fail(err, EPROTO, "credit overflows");
		link->credit += n;
		link->moved++;
		link->ops->due(link, true);
	}
	return 0;
}

static int
take_received(struct link *link, uint64_t n, struct hm_error *err)
{
	struct run *run;

	while ((run = link->out.head) != NULL && run != link->unsent &&
	       link->acked + run->records <= n) {
		link->acked += run->records;
		link_drop_written(link);
	}
	if (run == NULL && n > link->acked)
		return hm_fail(err, EPROTO, "peer has more than was sent");
	return 0;
}

static int
take(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, struct hm_error *err)
{
	const unsigned char *body = p + HM_RECORD_HEADER;
	struct hm_slice why, dest;

	switch (rec->type) {
	case HM_REC_DATA:
		return take_data(link, rec, chunk, p, err);
	case HM_REC_SETTLE:
		return take_settle(link, rec, body, err);
	case HM_REC_CREDIT:
		return take_credit(link, rec, body, err);
	case HM_REC_RECEIVED:
		return take_received(link, hm_get64(body), err);
	case HM_REC_ABORT:
		link->ops->abort(link, hm_get64(body));
		return 0;
	case HM_REC_BYE:
		why.n = hm_get16(body);
		why.p = (const char *)body + 2;
		link->ops->bye(link, why);
		return 0;
	case HM_REC_HOLD:
		dest.p = (const char *)body;
		dest.n = rec->len;
		return link_take_hold(link, dest) == 0
			   ? 0
			   : hm_fail(err, ENOMEM, "no memory");
	case HM_REC_RESUME:
		dest.p = (const char *)body;
		dest.n = rec->len;
		link_take_resume(link, dest);
		return 0;
	default:
		return hm_fail(err, EPROTO, "greeting in the middle");
	}
}

long
link_input(struct link *link, struct chunk *chunk, unsigned char *p, size_t len,
    struct hm_error *err)
{
	struct hm_record rec;
	size_t used = 0;
	int got;

	while (!link->dead) {
		if (link->own > LINK_OWN_MAX)
			return hm_fail(
			    err, EPROTO, "peer does not take what it is told");
		got = hm_record_peek(p + used, len - used, &rec, err);
		if (got == 0)
			break;
		if (got == -1 || take(link, &rec, chunk, p + used, err) == -1)
			return -1;
		if (rec.type != HM_REC_RECEIVED)
			link->received++;
		used += rec.len + HM_RECORD_HEADER;
	}
	if (link->keep && link->received > link->told)
		link->ops->due(link, false);
	return (long)used;
}
