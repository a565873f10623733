/*
 * The turns of stores: who waits of what comes for a local proc, and whose turn
 * it is.
 *
 * A hold is on all that one link has for one name of the receiver, so of that
 * either all that is unfinished waits or none of it: what begins behind one
 * that waits does so too, and goes on with it.  One that became whole meanwhile
 * waits on, and whatever is whole behind it with it.
 */
#include <errno.h>

#include "route/peer.h"

uint64_t
most_here(const struct router_local *local)
{
	return local->max != 0 ? local->max : local->router->limits.max_message;
}

/* The name it is held by: a receiver may have several.  Of one that is
 * unfinished, waits, or keeps something. */
static struct hm_slice
store_dest(const struct store *store)
{
	const struct hm_envelope *env =
	    store_is_unfinished(store) ? store->passage->env : store->whole;

	return hm_head_dest(env->head);
}

bool
store_comes_by(
    const struct store *store, const struct peer *from, struct hm_slice dest)
{
	return store->from == from && hm_slice_same(store_dest(store), dest);
}

/* The first that waits of what comes from the same link by the same name, in
 * the order they came. */
static struct store *
first_waiting(const struct router_local *local, const struct peer *from,
    struct hm_slice dest)
{
	struct store *store = local->stores;

	while (store != NULL &&
	       (!store->waits || !store_comes_by(store, from, dest)))
		store = store->next;
	return store;
}

/* Bytes that are to come of those at once, when the hold ends. */
static uint64_t
unfinished(const struct router_local *local, const struct peer *from,
    struct hm_slice dest)
{
	const struct store *store;
	uint64_t len = 0;

	for (store = local->stores; store != NULL; store = store->next) {
		if (store_is_unfinished(store) &&
		    store_comes_by(store, from, dest))
			len += store->len;
	}
	return len;
}

/* What local has of the large or the others; does one of these wait? */
static bool
add_stores(const struct router_local *local, bool large, struct taken *taken)
{
	const struct store *store;
	bool waits = false;

	taken->pieces = 0;
	taken->all = local->untaken_bytes[large];
	for (store = local->stores; store != NULL; store = store->next) {
		if (store->large != large)
			continue;
		if (store->waits) {
			waits = true;
			continue;
		}
		taken->all += store->len;
		if (store_is_unfinished(store))
			taken->pieces += store->len;
	}
	return waits;
}

static int
say_hold(const struct store *store, bool hold)
{
	return link_say_hold(&store->from->link, hold, store_dest(store));
}

static int
within(uint64_t len, uint64_t most)
{
	if (len <= STORED_MAX * most)
		return 0;
	errno = EBUSY;
	return -1;
}

int
store_ask(struct store *store, const struct router_local *local)
{
	struct hm_slice dest = store_dest(store);
	uint64_t most = most_here(local), all;
	struct taken taken;

	all = unfinished(local, store->from, dest);
	if (first_waiting(local, store->from, dest) != NULL) {
		store->waits = true;
		return within(all + store->len, most);
	}
	if (!add_stores(local, store->large, &taken) &&
	    fits(&taken, store->len, most))
		return 0;
	store->waits = all == 0 && say_hold(store, true) == 0;
	return store->waits ? 0 : within(taken.all + store->len, most);
}

/* It waits no longer. */
static void
stop_waiting(struct store *store)
{
	struct link *link = &store->from->link;

	store->waits = false;
	store->moved = hm_loop_now(store->local->router->loop);
	link->held -= store->kept;
	link_freed(link, store->kept);
	store->kept = 0;
}

int
store_take_turn(struct store *store)
{
	struct hm_slice dest = store_dest(store);
	struct store *with;

	store->waits = false;
	with = first_waiting(store->local, store->from, dest);
	if ((with == NULL || store_is_unfinished(store)) &&
	    say_hold(store, false) == -1) {
		store->waits = true;
		return -1;
	}
	stop_waiting(store);
	/* What is unfinished can't be held any more. */
	while (store_is_unfinished(store) && with != NULL) {
		stop_waiting(with);
		with = first_waiting(store->local, store->from, dest);
	}
	return 0;
}

/* Bytes that take their turn when the first of its link that waits does. */
static uint64_t
turn_len(const struct store *first)
{
	const struct store *store = first->next;
	struct hm_slice dest = store_dest(first);
	uint64_t len = first->len;

	for (; store_is_unfinished(first) && store != NULL;
	     store = store->next) {
		if (store->waits && store_comes_by(store, first->from, dest))
			len += store->len;
	}
	return len;
}

struct store *
stores_next_turn(const struct router_local *local)
{
	bool barred[2] = {false, false}, large;
	uint64_t most = most_here(local);
	struct store *store;
	struct taken taken;

	for (store = local->stores; store != NULL; store = store->next) {
		large = store->large;
		if (!store->waits || barred[large] ||
		    first_waiting(local, store->from, store_dest(store)) !=
			store)
			continue;
		(void)add_stores(local, large, &taken);
		if (fits(&taken, turn_len(store), most))
			return store;
		barred[large] = true;
	}
	return NULL;
}

void
store_wait_no_more(struct store *store)
{
	store->waits = false;
	if (first_waiting(store->local, store->from, store_dest(store)) ==
		NULL &&
	    say_hold(store, false) == -1)
		link_lame(&store->from->link);
	stop_waiting(store);
}

bool
stores_tell(struct hm_router *router)
{
	uint64_t timeout = router->limits.delivery_timeout;
	uint64_t now = hm_loop_now(router->loop);
	struct router_local *local;
	struct store *store;
	bool wait = false, moved;

	for (local = router->locals; local != NULL; local = local->next) {
		for (store = local->stores; store != NULL;
		     store = store->next) {
			if (!store->waits)
				continue;
			wait = true;
			moved = local->moved > store->moved;
			if (!moved && timeout != 0 &&
			    now - store->moved >= timeout)
				continue;
			/* Without memory that is said with the next tick. */
			if (say_hold(store, true) == 0 && moved)
				store->moved = local->moved;
		}
	}
	/* Nor may there have been any to say that a turn has come. */
	if (wait)
		stores_due(router);
	return wait;
}
