/*
 * Stores: messages in pieces for a local proc, while they are put together and
 * until it has taken them.
 *
 * A store stands between its message and the link that comes over: it is the
 * source of the envelope, so what it takes is known to be free when that is
 * settled.  See turn.c for who has to wait: here the first piece has come
 * then.  It keeps the credit that it takes, and the rest is held.
 */
#include <errno.h>
#include <stdlib.h>

#include "route/peer.h"

uint64_t
most_here(const struct router_local *local)
{
	return local->max != 0 ? local->max : local->router->limits.max_message;
}

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
leave(struct store *store)
{
	if (store->local == NULL)
		return;
	*store->at = store->next;
	if (store->next != NULL)
		store->next->at = store->at;
	store->local = NULL;
}

static void
store_unused(struct hm_source *source)
{
	struct store *store = (struct store *)source;
	struct router_local *local = store->local;

	leave(store);
	if (local != NULL) {
		local->moved = hm_loop_now(local->router->loop);
		stores_next(local);
	}
	link_drop(&store->from->link);
	free(store);
}

/* What local has of the large or the others; does one of these wait?  What is
 * unfinished of link is left out, if that is not NULL. */
static bool
add_up(const struct router_local *local, bool large, const struct peer *link,
    struct taken *taken)
{
	uint64_t most = most_here(local);
	const struct store *store;
	bool waits = false;

	taken->pieces = taken->all = 0;
	for (store = local->stores; store != NULL; store = store->next) {
		if (is_large(store->len, most) != large)
			continue;
		if (store->waits) {
			waits = true;
			continue;
		}
		if (store->passage != NULL && store->from == link)
			continue;
		taken->all += store->len;
		if (store->passage != NULL)
			taken->pieces += store->len;
	}
	return waits;
}

/* Has its link another one that is unfinished, for the same receiver? */
static bool
is_alone(const struct passage *passage, const struct router_local *local)
{
	const struct store *store = local->stores;

	while (store != NULL &&
	       (store->passage == NULL || store->from != passage->from))
		store = store->next;
	return store == NULL;
}

static int
say_hold(const struct store *store, bool hold)
{
	const struct hm_envelope *env = store->passage->env;
	struct hm_head head;

	hm_head_parse(&head, env->head, env->head_len);
	return link_say_hold(&store->from->link, hold, head.dest_proc);
}

static void
enter(struct store *store, struct router_local *local)
{
	struct store **p = &local->stores;

	/* In the order they came. */
	while (*p != NULL)
		p = &(*p)->next;
	store->at = p;
	*p = store;
	store->local = local;
}

int
store_begin(struct passage *passage)
{
	struct router_local *local = passage->local;
	struct store *store = calloc(1, sizeof *store);
	uint64_t most = most_here(local);
	struct taken taken;
	bool waits;

	if (store == NULL)
		return -1;
	store->source.settle = store_settle;
	store->source.credit = store_credit;
	store->source.unused = store_unused;
	store->source.refs = 1;
	store->from = passage->from;
	store->passage = passage;
	store->len = passage->whole;
	store->moved = hm_loop_now(local->router->loop);
	waits = add_up(local, is_large(store->len, most), NULL, &taken) ||
		!fits(&taken, store->len, most);
	if (waits && is_alone(passage, local) && say_hold(store, true) == 0) {
		store->waits = true;
	} else if (waits && taken.all + store->len > STORED_MAX * most) {
		free(store);
		errno = EBUSY;
		return -1;
	}
	link_hold(&store->from->link);
	enter(store, local);
	passage->store = store;
	return 0;
}

/* Its turn has come, or its end. */
static void
go(struct store *store)
{
	struct link *link = &store->from->link;

	store->waits = false;
	store->moved = hm_loop_now(store->local->router->loop);
	link->held -= store->kept;
	link_freed(link, store->kept);
	store->kept = 0;
}

void
stores_next(struct router_local *local)
{
	bool barred[2] = {false, false}, large;
	struct store *store;
	struct taken taken;

	for (store = local->stores; store != NULL; store = store->next) {
		large = is_large(store->len, most_here(local));
		if (!store->waits || barred[large])
			continue;
		/* What its link began behind it is held with it, and so is
		 * nothing to wait for. */
		(void)add_up(local, large, store->from, &taken);
		barred[large] = !fits(&taken, store->len, most_here(local)) ||
				say_hold(store, false) == -1;
		if (!barred[large])
			go(store);
	}
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
store_is_late(struct store *store, uint64_t now, uint64_t timeout)
{
	/* What it waits for moves: its sender hears that.  Without memory that
	 * is said with the next tick. */
	if (store->waits && store->local->moved > store->moved) {
		store->moved = store->local->moved;
		(void)say_hold(store, true);
	}
	return now - store->moved >= timeout;
}

void
store_end(struct passage *passage)
{
	struct store *store = passage->store;

	if (store->waits) {
		if (say_hold(store, false) == -1)
			link_lame(&store->from->link);
		go(store);
	}
	store->passage = NULL;
	passage->store = NULL;
	stores_next(store->local);
}

void
stores_leave(struct router_local *local)
{
	struct store *store;

	while ((store = local->stores) != NULL) {
		if (store->passage == NULL) {
			leave(store);
			continue;
		}
		settle_back(store->from, store->passage->number, HM_NOT_SENT,
		    "proc has ended");
		passage_drop(store->passage);
	}
}
