/*
 * Flows: what one link sends to one proc.
 *
 * A flow is the source of its messages, so everything that becomes of them
 * comes by here: settlements show that the destination takes something, credit
 * shows how much of the link's waits for it.  Where that is more than a quarter
 * of what the link may have, its sender is told to hold that destination, and
 * only that one; with most of it gone it goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "route/peer.h"

/* Of the link's share: what one destination may have parked, and with how much
 * of it left a hold is over. */
#define SHARE 4
#define LOW 16

static struct flow **
bucket(const struct hm_router *router, const struct peer *from,
    struct hm_slice dest)
{
	uint64_t h = (uint64_t)(uintptr_t)from * 0x9e3779b97f4a7c15u, word;
	size_t i;

	for (i = 0; i + sizeof word <= dest.n; i += sizeof word) {
		memcpy(&word, dest.p + i, sizeof word);
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
	}
	for (; i < dest.n; i++)
		h = (h ^ (unsigned char)dest.p[i]) * 0x9e3779b97f4a7c15u;
	return (struct flow **)&router->flows[(h >> 32) % FLOW_BUCKETS];
}

static void
flow_settle(struct hm_source *source, uint64_t first, uint32_t n,
    const struct settlement *how)
{
	struct flow *flow = (struct flow *)source;
	struct link *link = &flow->from->link;

	if (flow->to != NULL) {
		lane_moved(flow->to, flow_dest(flow));
		if (flow->to->turns != NULL)
			peer_due(flow->to, true);
	}
	link->source.settle(&link->source, first, n, how);
}

static void
release(struct flow *flow)
{
	struct link *link = &flow->from->link;

	if (!link->dead && link_say_hold(link, false, flow_dest(flow)) == -1) {
		if (flow->parked == 0)
			link_lame(link);
		return; /* with the next that is freed */
	}
	flow->held = false;
	link->held -= flow->parked;
}

static void
flow_credit(struct hm_source *source, uint64_t cost)
{
	struct flow *flow = (struct flow *)source;
	struct link *link = &flow->from->link;

	flow->parked -= cost;
	if (flow->held) {
		link->held -= cost;
		if (flow->parked <= link_share(link) / LOW)
			release(flow);
	}
	link_freed(link, cost);
}

static void
flow_unused(struct hm_source *source)
{
	struct flow *flow = (struct flow *)source;
	struct flow **p =
	    bucket(flow->from->router, flow->from, flow_dest(flow));

	while (*p != flow)
		p = &(*p)->next;
	*p = flow->next;
	link_drop(&flow->from->link);
	free(flow);
}

struct flow *
flow_get(struct peer *from, struct peer *to, struct hm_slice dest)
{
	struct flow **head = bucket(from->router, from, dest), *flow = *head;

	while (flow != NULL && (flow->from != from || flow->len != dest.n ||
				   memcmp(flow->dest, dest.p, dest.n) != 0))
		flow = flow->next;
	if (flow != NULL) {
		source_hold(&flow->source);
		flow->to = to;
		return flow;
	}
	flow = calloc(1, sizeof *flow + dest.n);
	if (flow == NULL)
		return NULL;
	flow->source.settle = flow_settle;
	flow->source.credit = flow_credit;
	flow->source.unused = flow_unused;
	flow->source.refs = 1;
	flow->from = from;
	link_hold(&from->link);
	flow->to = to;
	flow->len = (uint16_t)dest.n;
	memcpy(flow->dest, dest.p, dest.n);
	flow->next = *head;
	*head = flow;
	return flow;
}

struct queue *
flow_queue(const struct flow *flow, struct peer *to)
{
	if (to->link.lanes == NULL)
		return &to->link.park;
	if (flow->waits == to)
		return link_wait_queue(&to->link, &flow->source);
	return link_queue(&to->link, flow_dest(flow));
}

void
flow_parked(struct flow *flow, uint32_t cost)
{
	struct link *link = &flow->from->link;
	struct hm_router *router = flow->from->router;

	flow->parked += cost;
	if (flow->held)
		link->held += cost;
	if (flow->heavy || flow->held ||
	    flow->parked <= link_share(link) / SHARE)
		return;
	flow->heavy = true;
	source_hold(&flow->source);
	flow->heavy_next = router->heavy;
	router->heavy = flow;
}

void
flows_weigh(struct hm_router *router)
{
	struct flow *flow;
	struct link *link;

	while ((flow = router->heavy) != NULL) {
		router->heavy = flow->heavy_next;
		flow->heavy = false;
		link = &flow->from->link;
		/* What is written and only not acknowledged does not wait. */
		if (!link->dead && !flow->held && flow->to != NULL &&
		    !link_idle(&flow->to->link) &&
		    flow->parked > link_share(link) / SHARE &&
		    link_say_hold(link, true, flow_dest(flow)) == 0) {
			flow->held = true;
			link->held += flow->parked;
			/* Its window may grow now. */
			link->ops->due(link, true);
		}
		source_drop(&flow->source);
	}
}

void
flows_to_end(struct hm_router *router, const struct peer *to)
{
	struct flow *flow;
	size_t i;

	for (i = 0; i < FLOW_BUCKETS; i++) {
		for (flow = router->flows[i]; flow != NULL; flow = flow->next) {
			if (flow->to == to)
				flow->to = NULL;
			if (flow->waits == to)
				flow->waits = NULL;
		}
	}
}

void
flow_hold_again(struct flow *flow)
{
	struct link *link = &flow->from->link;

	/* Without memory it is said with the next tick. */
	if (flow->held && !link->dead)
		(void)link_say_hold(link, true, flow_dest(flow));
}

void
flows_tell(struct hm_router *router)
{
	struct flow *flow;
	struct lane *lane;
	size_t i;

	for (i = 0; i < FLOW_BUCKETS; i++) {
		for (flow = router->flows[i]; flow != NULL; flow = flow->next) {
			if (!flow->held || flow->to == NULL ||
			    flow->waits != NULL)
				continue;
			lane = link_held(&flow->to->link, flow_dest(flow));
			if (lane != NULL && lane->moved)
				flow_hold_again(flow);
		}
	}
}
