/*
 * Stores: messages in pieces for a local proc, while they are put together and
 * until it has taken them.
 *
 * A store stands between its message and the link that comes over: it is the
 * source of the envelope, so what it takes is known to be free when that is
 * settled.  See turn.c for who has to wait: here the first piece has come
 * then.  It keeps the credit that it takes, and the rest is held.
 *
 * The hold is on all that its link has for the receiver, so of one link either
 * all that is unfinished waits or none of it: what begins behind one that waits
 * does so too, and goes on with it.  One that became whole meanwhile waits on
 * (the window has let it through), and whatever is whole behind it with it.
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

/* Whose turn has come goes on at the end of this one of the loop: not from
 * within what the receiver does. */
static void
stores_due(struct hm_router *router)
{
	router->stored = true;
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

/* The first that waits of from, in the order they came. */
static struct store *
first_waiting(const struct router_local *local, const struct peer *from)
{
	struct store *store = local->stores;

	while (store != NULL && (!store->waits || store->from != from))
		store = store->next;
	return store;
}

static bool
is_unfinished(const struct store *store)
{
	return store->passage != NULL;
}

/* Bytes that are to come of from's at once, when the hold ends. */
static uint64_t
unfinished(const struct router_local *local, const struct peer *from)
{
	const struct store *store;
	uint64_t len = 0;

	for (store = local->stores; store != NULL; store = store->next) {
		if (store->from == from && is_unfinished(store))
			len += store->len;
	}
	return len;
}

/* What local has of the large or the others; does one of these wait? */
static bool
add_up(const struct router_local *local, bool large, struct taken *taken)
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
		taken->all += store->len;
		if (is_unfinished(store))
			taken->pieces += store->len;
	}
	return waits;
}

static int
say_hold(const struct store *store, bool hold)
{
	const struct hm_envelope *env =
	    is_unfinished(store) ? store->passage->env : store->whole;
	struct hm_head head;

	hm_head_parse(&head, env->head, env->head_len);
	return link_say_hold(&store->from->link, hold, head.dest_proc);
}

/* Whether it waits for its turn.  -1 EBUSY: it can't, and would be too much. */
static int
ask(struct store *store, const struct router_local *local)
{
	uint64_t most = most_here(local),
		 begun = unfinished(local, store->from);
	struct taken taken = {0, begun};

	if (first_waiting(local, store->from) != NULL) {
		store->waits = true;
	} else {
		if (!add_up(local, is_large(store->len, most), &taken) &&
		    fits(&taken, store->len, most))
			return 0;
		store->waits = begun == 0 && say_hold(store, true) == 0;
		if (store->waits)
			return 0;
	}
	if (taken.all + store->len <= STORED_MAX * most)
		return 0;
	errno = EBUSY;
	return -1;
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
	store->moved = hm_loop_now(local->router->loop);
	if (ask(store, local) == -1) {
		free(store);
		return -1;
	}
	link_hold(&store->from->link);
	enter(store, local);
	passage->store = store;
	return 0;
}

/* It waits no longer. */
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

/* Its turn has come.  -1 ENOMEM: its sender can't be told. */
static int
take_turn(struct store *store)
{
	struct store *with;

	store->waits = false;
	with = first_waiting(store->local, store->from);
	if ((with == NULL || is_unfinished(store)) &&
	    say_hold(store, false) == -1) {
		store->waits = true;
		return -1;
	}
	go(store);
	/* What is unfinished can't be held any more. */
	while (is_unfinished(store) && with != NULL) {
		go(with);
		with = first_waiting(store->local, store->from);
	}
	return 0;
}

/* Bytes that take their turn when the first of its link that waits does. */
static uint64_t
turn_len(const struct store *first)
{
	const struct store *store = first->next;
	uint64_t len = first->len;

	for (; is_unfinished(first) && store != NULL; store = store->next) {
		if (store->waits && store->from == first->from)
			len += store->len;
	}
	return len;
}

/* Whose turn it is; NULL: nobody's. */
static struct store *
next_turn(const struct router_local *local)
{
	bool barred[2] = {false, false}, large;
	uint64_t most = most_here(local);
	struct store *store;
	struct taken taken;

	for (store = local->stores; store != NULL; store = store->next) {
		large = is_large(store->len, most);
		if (!store->waits || barred[large] ||
		    first_waiting(local, store->from) != store)
			continue;
		(void)add_up(local, large, &taken);
		if (fits(&taken, turn_len(store), most))
			return store;
		barred[large] = true;
	}
	return NULL;
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
		local->deliver(local, let_go(store));
		return true;
	}
	store = next_turn(local);
	return store != NULL && take_turn(store) == 0;
}

void
stores_go(struct hm_router *router)
{
	struct router_local *local = router->locals;

	router->stored = false;
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
stores_tell(struct hm_router *router)
{
	struct router_local *local;
	struct store *store;
	bool wait = false;

	for (local = router->locals; local != NULL; local = local->next) {
		for (store = local->stores; store != NULL;
		     store = store->next) {
			if (!store->waits)
				continue;
			wait = true;
			if (local->moved <= store->moved)
				continue;
			/* Without memory that is said with the next tick. */
			if (say_hold(store, true) == 0)
				store->moved = local->moved;
		}
	}
	/* Nor may there have been any to say that a turn has come. */
	if (wait)
		stores_due(router);
	return wait;
}

bool
store_is_late(const struct store *store, uint64_t now, uint64_t timeout)
{
	return now - store->moved >= timeout;
}

/* The last of from that keeps something. */
static struct store *
last_whole(const struct router_local *local, const struct peer *from)
{
	struct store *store = local->stores, *last = NULL;

	for (; store != NULL; store = store->next) {
		if (store->from == from && store->whole != NULL)
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
	}
	if (store == NULL || !store->waits)
		store = last_whole(local, from);
	if (store != NULL)
		keep(store, env);
	else
		local->deliver(local, env);
}

/* Nobody is held for it any more. */
static void
wait_no_more(struct store *store)
{
	store->waits = false;
	if (first_waiting(store->local, store->from) == NULL &&
	    say_hold(store, false) == -1)
		link_lame(&store->from->link);
	go(store);
}

void
store_end(struct passage *passage)
{
	struct store *store = passage->store;

	if (store->waits)
		wait_no_more(store);
	store->passage = NULL;
	passage->store = NULL;
	stores_due(store->local->router);
}

void
stores_leave(struct router_local *local)
{
	static const char why[] = "proc has ended";
	const char *at = router_id(local->router);
	struct store *store;

	while ((store = local->stores) != NULL) {
		if (is_unfinished(store)) {
			settle_back(store->from, store->passage->number,
			    HM_NOT_SENT, why);
			passage_drop(store->passage);
			continue;
		}
		if (store->waits)
			wait_no_more(store);
		if (store->whole != NULL)
			router_settle(let_go(store), HM_NOT_SENT, why, at);
		else
			leave(store);
	}
}
