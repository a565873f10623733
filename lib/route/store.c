/*
 * Stores: messages in pieces for a local proc, while they are put together and
 * until it has taken them.
 *
 * A store stands between its message and the link that comes over: it is the
 * source of the envelope, so what it takes is known to be free when that is
 * settled.  See turn.c and store_turn.c for who has to wait: here the first
 * piece has come then.  It keeps the credit that it takes, and the rest is
 * held; what has become whole meanwhile (the window let it through) is kept
 * too, and whatever is whole behind it.
 */
#include <stdlib.h>

#include "route/peer.h"

static void
store_settle(struct hm_source *source, uint64_t first, uint32_t n,
    const struct settlement *how)
{
	struct hm_source *link = &((struct store *)source)->from->link.source;

	link->settle(link, first, n, how);
}

static void
store_credit(struct hm_source *source, uint64_t cost)
{
	link_freed(&((struct store *)source)->from->link, cost);
}

static void
enter(struct store **at, struct store *store)
{
	store->at = at;
	store->next = *at;
	if (store->next != NULL)
		store->next->at = &store->next;
	*at = store;
}

static void
take_out(struct store *store)
{
	*store->at = store->next;
	if (store->next != NULL)
		store->next->at = store->at;
}

/* Nothing of it waits any more, or comes: only its bytes are to be taken. */
static void
put_among_untaken(struct store *store)
{
	take_out(store);
	enter(&store->local->untaken, store);
	store->local->untaken_bytes[store->large] += store->len;
	store->delivered = true;
}

static void
leave(struct store *store)
{
	if (store->local == NULL)
		return;
	take_out(store);
	if (store->delivered)
		store->local->untaken_bytes[store->large] -= store->len;
	store->local = NULL;
}

void
stores_due(struct hm_router *router)
{
	router->turn_due = true;
	hm_task_start(router->loop, &router->task);
}

static void
store_unused(struct hm_source *source)
{
	struct store *store = (struct store *)source;
	struct router_local *local = store->local;

	leave(store);
	if (local != NULL) {
		local->moved = hm_loop_now(local->router->loop);
		stores_due(local->router);
	}
	link_drop(&store->from->link);
	free(store);
}

int
store_begin(struct passage *passage)
{
	struct router_local *local = passage->local;
	struct store *store = calloc(1, sizeof *store), **end = &local->stores;

	if (store == NULL)
		return -1;
	store->source.settle = store_settle;
	store->source.credit = store_credit;
	store->source.unused = store_unused;
	store->source.refs = 1;
	store->from = passage->from;
	store->passage = passage;
	store->whole_end = &store->whole;
	store->len = passage->whole;
	store->large = is_large(store->len, most_here(local));
	store->moved = hm_loop_now(local->router->loop);
	if (store_ask(store, local) == -1) {
		free(store);
		return -1;
	}
	link_hold(&store->from->link);
	while (*end != NULL)
		end = &(*end)->next;
	enter(end, store);
	store->local = local;
	passage->store = store;
	return 0;
}

static void
keep(struct store *store, struct hm_envelope *env)
{
	if (store->whole == NULL)
		source_hold(&store->source);
	env->next = NULL;
	*store->whole_end = env;
	store->whole_end = &env->next;
	store->from->link.held += env->cost;
}

/* The first of what it keeps; store may be gone after that. */
static struct hm_envelope *
let_go(struct store *store)
{
	struct hm_envelope *env = store->whole;

	store->whole = env->next;
	env->next = NULL;
	store->from->link.held -= env->cost;
	if (store->whole == NULL) {
		store->whole_end = &store->whole;
		put_among_untaken(store);
		source_drop(&store->source);
	}
	return env;
}

/* Does one thing of what is to be done; false: there is nothing. */
static bool
step(struct router_local *local)
{
	struct store *store = local->stores;

	while (store != NULL && (store->waits || store->whole == NULL))
		store = store->next;
	if (store != NULL) {
		router_deliver(local, let_go(store));
		return true;
	}
	store = stores_next_turn(local);
	return store != NULL && store_take_turn(store) == 0;
}

void
stores_go(struct hm_router *router)
{
	struct router_local *local = router->locals;

	router->turn_due = false;
	/* Any of them may be gone after a step. */
	while (!router->over && local != NULL)
		local = step(local) ? router->locals : local->next;
}

void
store_piece(struct store *store, uint32_t cost)
{
	if (store->waits) {
		store->kept += cost;
		store->from->link.held += cost;
		return;
	}
	store->moved = store->local->moved =
	    hm_loop_now(store->local->router->loop);
	link_freed(&store->from->link, cost);
}

bool
store_is_late(const struct store *store, uint64_t now, uint64_t timeout)
{
	uint64_t waited = now - store->moved;

	/* What it waits for has its time first. */
	return (store->waits ? waited / 2 : waited) >= timeout;
}

/* The last that keeps something of what comes from that link by that name. */
static struct store *
last_whole(const struct router_local *local, const struct peer *from,
    struct hm_slice dest)
{
	struct store *store = local->stores, *last = NULL;

	for (; store != NULL; store = store->next) {
		if (store->whole != NULL && store_comes_by(store, from, dest))
			last = store;
	}
	return last;
}

void
store_deliver(
    struct peer *from, struct passage *passage, struct hm_envelope *env)
{
	struct router_local *local = passage->local;
	struct store *store = passage->store;

	if (store != NULL) {
		store->passage = NULL;
		passage->store = NULL;
		stores_due(local->router);
		if (!store->waits)
			put_among_untaken(store);
	}
	if (local->stores == NULL)
		store = NULL; /* as nearly always */
	else if (store == NULL || !store->waits)
		store = last_whole(local, from, hm_head_dest(env->head));
	if (store != NULL)
		keep(store, env);
	else
		router_deliver(local, env);
}

void
store_end(struct passage *passage)
{
	struct store *store = passage->store;

	if (store->waits)
		store_wait_no_more(store);
	store->passage = NULL;
	passage->store = NULL;
	stores_due(store->local->router);
}

void
stores_lost(const struct peer *from)
{
	struct router_local *local = from->router->locals;
	struct store *store;

	for (; local != NULL; local = local->next) {
		for (store = local->stores; store != NULL;
		     store = store->next) {
			if (store->from == from && store->waits)
				store_wait_no_more(store);
		}
	}
	stores_due(from->router);
}

void
stores_leave(struct router_local *local)
{
	static const char why[] = "proc has ended";
	const char *at = router_id(local->router);
	struct store *store;

	while ((store = local->stores) != NULL) {
		if (store_is_unfinished(store)) {
			settle_back(store->from, store->passage->number,
			    HM_NOT_SENT, why);
			passage_drop(store->passage);
			continue;
		}
		/* What is whole, and here, is kept. */
		if (store->waits)
			store_wait_no_more(store);
		router_settle(let_go(store), HM_NOT_SENT, why, at);
	}
	while (local->untaken != NULL)
		leave(local->untaken);
}
