/*
 * The way of a message through a node: where a destination leads, records
 * passed from link to link, and messages put together for local procs.
 *
 * What goes from one link to another is not copied: the record is changed in
 * place (number, TTL, what the first host vouches for) and its bytes are queued
 * where they stand.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "route/peer.h"

/* Messages whose pieces come in turns over one link at the same time. */
#define PASSAGES_MAX 1024u
/* A lasting message (a wait) up to this size costs as little as any can. */
#define LASTING_SMALL 1024u

/* What the first host writes into a head; later ones only add "remote". */
static void
vouch(const struct peer *peer, unsigned char *head)
{
	if (peer->kind == PEER_UPLINK)
		return;
	if (peer->remote) {
		head[HM_HEAD_FLAGS] |= HM_ENV_REMOTE;
		hm_put32(head + HM_HEAD_UID, HM_UID_UNKNOWN);
		hm_put32(head + HM_HEAD_PID, 0);
		return;
	}
	if (peer->kind == PEER_NAME && !peer->router->any_sender) {
		head[HM_HEAD_FLAGS] &= (unsigned char)~HM_ENV_REMOTE;
	} else if (head[HM_HEAD_FLAGS] & HM_ENV_REMOTE ||
		   hm_get32(head + HM_HEAD_UID) != HM_UID_UNKNOWN) {
		return;
	}
	hm_put32(head + HM_HEAD_UID, peer->uid);
	hm_put32(head + HM_HEAD_PID, peer->pid);
}

void
settle_back(struct peer *from, uint64_t number, enum hm_outcome outcome,
    const char *why)
{
	const char *at = router_id(from->router);
	struct settlement how = {
	    outcome, {why, strlen(why)}, {at, strlen(at)}, false};

	from->link.source.settle(&from->link.source, number, 1, &how);
}

/* Looks the destination up, through what the link remembers of the last. */
static int
find_way(struct peer *from, const struct hm_head *head, struct peer **peer,
    struct router_local **local, struct hm_error *err)
{
	struct last *last = from->last;
	struct flow *flow;
	const struct hm_slice *dest = &head->dest_proc;
	const struct hm_slice *sender = &head->sender_proc;

	*peer = NULL;
	*local = NULL;
	if (last != NULL && last->generation == from->router->generation &&
	    head->known) {
		*peer = last->peer;
		*local = last->local;
		return *peer == NULL ? 0 : check_reach(head, *peer, err);
	}
	if (from->kind != PEER_NAME &&
	    router_owns(from->router, head->sender.addr))
		return no_way(err, "no proc '%.*s' on %s: it came round",
		    &head->dest.proc, router_id(from->router));
	if (!sender_fits(from, head)) {
		(void)hm_fail(err, EPROTO,
		    "a sender of '%.*s' is not what this link may send as",
		    (int)head->sender.proc.n, head->sender.proc.p);
		return -2;
	}
	if (route(from->router, head, from, peer, local, err) == -1)
		return -1;
	if (*peer != NULL && check_reach(head, *peer, err) == -1)
		return -1;
	if (last == NULL)
		last = from->last = calloc(1, sizeof *last);
	if (last == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	flow = *peer == NULL ? NULL : flow_get(from, *peer, *dest);
	if (*peer != NULL && flow == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	if (last->flow != NULL)
		source_drop(flow_source(last->flow));
	last->flow = flow;
	last->generation = from->router->generation;
	last->peer = *peer;
	last->local = *local;
	last->ndest = (unsigned char)dest->n;
	last->nsender = (unsigned char)sender->n;
	memcpy(last->dest, dest->p, dest->n);
	memcpy(last->sender, sender->p, sender->n);
	return 0;
}

/* A whole message for a local proc: delivered, with what it holds. */
static void
deliver(struct peer *from, struct passage *passage, uint32_t cost)
{
	struct hm_envelope *env = passage->env;

	env->number = passage->number;
	env->cost = cost;
	if (passage->store != NULL) {
		env->source = &passage->store->source;
	} else {
		env->source = &from->link.source;
		source_hold(env->source);
	}
	passage->env = NULL;
	/* What is kept long, and small, leaves others nearly all the credit. */
	if (hm_envelope_flags(env) & HM_ENV_LASTING && cost <= LASTING_SMALL) {
		link_freed(&from->link, cost - LINK_RECORD_COST);
		env->cost = LINK_RECORD_COST;
	}
	store_deliver(from, passage, env);
}

/* One piece of a message goes its way. */
static int
pass(struct peer *from, struct passage *passage, const struct hm_record *rec,
    struct chunk *chunk, unsigned char *p, uint32_t cost)
{
	size_t skip = HM_DATA_HEADER + rec->extra;
	uint32_t len = rec->len + HM_RECORD_HEADER;
	bool last = (rec->flags & HM_DATA_LAST) != 0;
	struct peer *to = passage->to;
	static const struct settlement gone = {
	    HM_NOT_SENT, {"settled", 7}, {"", 0}, false};

	/* It has timed out here, or was refused there: the rest is dropped. */
	if (to != NULL && (rec->flags & HM_DATA_FIRST) == 0 &&
	    !ledger_has(&to->link.ledger, passage->out)) {
		passage_stop(passage, &gone);
		to = NULL;
	}
	if (to != NULL) {
		if (link_park(&to->link, flow_queue(passage->flow, to),
			passage->out, chunk, p, len, flow_source(passage->flow),
			cost, last) == -1)
			return -1;
		flow_parked(passage->flow, cost);
		to->bytes_in += len - skip;
		return 0;
	}
	if (passage->env == NULL) {
		link_freed(&from->link, cost);
		return 0;
	}
	if (passage_collect(passage, p + skip, len - skip) == -1) {
		settle_back(from, passage->number, HM_REFUSED, "no memory");
		passage_drop(passage);
		link_freed(&from->link, cost);
		return 0;
	}
	if (!last) {
		store_piece(passage->store, cost);
		return 0;
	}
	deliver(from, passage, cost);
	return 0;
}

/* A message for a local proc: it takes memory until it is whole, and the tick
 * sees to that. */
static int
begin_here(struct peer *from, struct passage *passage,
    const struct hm_head *head, const unsigned char *p, bool whole,
    struct hm_error *err)
{
	if (whole)
		passage->room = (size_t)head->payload_len;
	passage->env = hm_envelope_with_room(p, head->len, passage->room);
	if (passage->env == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	if (whole)
		return 0;
	if (store_begin(passage) == -1) {
		settle_back(from, passage->number, HM_REFUSED,
		    errno == EBUSY ? "too many large messages at the same time"
				   : "no memory");
		hm_envelope_free(passage->env);
		passage->env = NULL;
		return 0;
	}
	peer_waits(from);
	return 0;
}

/* One that goes on to another peer. */
static int
begin_there(struct peer *from, struct passage *passage, struct peer *to,
    const struct hm_head *head, unsigned char *p, bool whole,
    struct hm_error *err)
{
	if (head->ttl == 0) {
		settle_back(from, passage->number, HM_NOT_SENT, "TTL expired");
		return 0;
	}
	p[HM_HEAD_TTL]--;
	if (to->link.ledger.len >= from->router->limits.max_unsettled) {
		settle_back(from, passage->number, HM_NOT_SENT,
		    "too many messages are unsettled there");
		return 0;
	}
	passage->flow = from->last->flow;
	passage->out = link_begin(
	    &to->link, flow_source(passage->flow), passage->number, whole);
	if (passage->out == 0)
		return hm_fail(err, ENOMEM, "no memory");
	passage->to = to;
	if (!whole) {
		source_hold(flow_source(passage->flow));
		turn_ask(passage->flow, to, passage->out, passage->whole);
	}
	if (head->flags & HM_ENV_NOW)
		to->now = true;
	to->msgs_in++;
	return 0;
}

/* Decides where a message goes; what cannot go is settled and thrown away. */
static int
begin(struct peer *from, struct passage *passage, const struct hm_head *head,
    unsigned char *p, bool whole, struct hm_error *err)
{
	struct peer *to;
	int way = find_way(from, head, &to, &passage->local, err);
	uint64_t most;

	if (way == -2)
		return -1;
	if (way == -1) {
		settle_back(from, passage->number, HM_NOT_SENT, err->text);
		return 0;
	}
	most = to != NULL ? to->link.max_message : most_here(passage->local);
	if (head->payload_len > most) {
		(void)hm_fail(err, EMSGSIZE,
		    "message of %" PRIu64
		    " bytes, the largest taken is %" PRIu64,
		    head->payload_len, most);
		settle_back(from, passage->number, HM_REFUSED, err->text);
		return 0;
	}
	vouch(from, p);
	if (to != NULL)
		return begin_there(from, passage, to, head, p, whole, err);
	return begin_here(from, passage, head, p, whole, err);
}

/* Most messages of a link go where the one before went. */
static int
read_head(const struct peer *from, struct hm_head *head, const unsigned char *p,
    size_t len, struct hm_error *err)
{
	const struct last *last = from->last;
	struct hm_head_known known;

	if (last == NULL)
		return hm_head_read(head, p, len, err);
	known.dest.p = (const char *)last->dest;
	known.dest.n = last->ndest;
	known.sender.p = (const char *)last->sender;
	known.sender.n = last->nsender;
	return hm_head_read_known(head, p, len, &known, err);
}

static int
data_first(struct peer *from, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	struct passage one = {0}, *passage = &one;
	struct hm_head head;
	bool whole = (rec->flags & HM_DATA_LAST) != 0;
	uint32_t got = rec->len - 8 - rec->extra;

	if (read_head(from, &head, p + HM_DATA_HEADER, rec->extra, err) == -1)
		return -1;
	/* The origin has what comes back: no link carries that. */
	if ((head.flags & HM_ENV_RETURN) || head.errors.n != 1)
		return hm_fail(err, EPROTO, "a message that says it came back");
	if (passage_find(from, hm_get64(p + HM_RECORD_HEADER)) != NULL)
		return hm_fail(err, EPROTO, "a message begins again");
	if (got > head.payload_len || whole != (got == head.payload_len))
		return hm_fail(err, EPROTO, "payload has not the length said");
	if (!whole) {
		if (from->npassages == PASSAGES_MAX)
			return hm_fail(err, EPROTO,
			    "more than %u unfinished messages", PASSAGES_MAX);
		passage = passage_new(from);
		if (passage == NULL)
			return hm_fail(err, ENOMEM, "no memory");
	}
	passage->number = hm_get64(p + HM_RECORD_HEADER);
	passage->missing = passage->whole = head.payload_len;
	from->msgs_out++;
	if (begin(from, passage, &head, p + HM_DATA_HEADER, whole, err) == -1)
		return -1;
	if (pass(from, passage, rec, chunk, p, cost) == -1) {
		hm_envelope_free(one.env);
		return hm_fail(err, ENOMEM, "no memory");
	}
	passage->missing -= got;
	return 0;
}

static int
data_more(struct peer *from, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	struct passage *passage =
	    passage_find(from, hm_get64(p + HM_RECORD_HEADER));
	uint32_t got = rec->len - 8;
	bool last = (rec->flags & HM_DATA_LAST) != 0;

	if (passage == NULL)
		return hm_fail(err, EPROTO, "a piece of no message");
	if (got > passage->missing || last != (got == passage->missing))
		return hm_fail(err, EPROTO, "payload has not the length said");
	if (pass(from, passage, rec, chunk, p, cost) == -1)
		return hm_fail(err, ENOMEM, "no memory");
	passage->missing -= got;
	if (last)
		passage_end(passage);
	return 0;
}

static int
on_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	struct peer *from = (struct peer *)link;

	from->bytes_out += rec->len - 8 - rec->extra;
	if (rec->flags & HM_DATA_FIRST)
		return data_first(from, rec, chunk, p, cost, err);
	return data_more(from, rec, chunk, p, cost, err);
}

static void
on_abort(struct link *link, uint64_t number)
{
	static const struct settlement how = {
	    HM_NOT_SENT, {"aborted", 7}, {"", 0}, false};
	struct peer *from = (struct peer *)link;
	struct passage *passage = passage_find(from, number);

	if (passage == NULL)
		return;
	if (passage->env != NULL)
		link->coming--; /* settled by who sent it */
	if (passage->to != NULL)
		passage_stop(passage, &how);
	passage_end(passage);
}

static void
on_bye(struct link *link, struct hm_slice why)
{
	struct peer *peer = (struct peer *)link;

	peer->bye = true;
	if (peer->conn != NULL)
		conn_await_end(peer->conn);
	snprintf(
	    peer->trouble, sizeof peer->trouble, "%.*s", (int)why.n, why.p);
}

static void
on_due(struct link *link, bool now)
{
	peer_due((struct peer *)link, now);
}

static void
on_unused(struct link *link)
{
	peer_free((struct peer *)link);
}

/* Who waits for room here may go on. */
static void
on_resumed(struct link *link)
{
	struct peer *peer = (struct peer *)link;

	peer->router->progress = true;
	hm_task_start(peer->router->loop, &peer->router->task);
}

const struct link_ops peer_link_ops = {
    on_data, on_abort, on_bye, on_due, on_unused, on_resumed};
