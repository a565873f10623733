/*
 * Home: messages posted in this process.
 *
 * The origin keeps a message until it is settled, so returning one moves no
 * payload: home looks the envelope up by its number and hands it back to the
 * proc that posted it.  A message that fits one piece is parked at once;
 * larger ones wait in the peer's "outgoing" list and go piece by piece, in
 * turns, but never past an earlier one of the same sender and port.
 * Between two procs of this process an envelope is handed over as it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "route/peer.h"

/* So much that is unsettled a proc may have on its way to what takes the rest;
 * there is no link whose credit bounds it. */
#define REST_UNSETTLED 1024u

static struct peer *
peer_of(struct hm_source *source)
{
	return (struct peer *)(void *)((char *)source -
				       offsetof(struct peer, home));
}

/* Where the chain of a number's envelopes begins; numbers are in sequence, so
 * chains are short. */
static struct hm_envelope **
bucket(const struct hm_router *router, uint64_t number)
{
	return &router->kept[number & (router->nbuckets - 1)];
}

static void
chain(struct hm_router *router, struct hm_envelope *env)
{
	struct hm_envelope **head = bucket(router, env->number);

	env->next = *head;
	*head = env;
}

static int
kept_grow(struct hm_router *router)
{
	struct hm_envelope **old = router->kept, *env, *next;
	size_t i, n = router->nbuckets;

	if (router->nkept < n)
		return 0;
	router->nbuckets = n == 0 ? 64 : n * 2;
	router->kept = calloc(router->nbuckets, sizeof *router->kept);
	if (router->kept == NULL) {
		router->kept = old;
		router->nbuckets = n;
		return n == 0 ? -1 : 0; /* longer chains, then */
	}
	for (i = 0; i < n; i++) {
		for (env = old[i]; env != NULL; env = next) {
			next = env->next;
			chain(router, env);
		}
	}
	free(old);
	return 0;
}

static int
keep(struct hm_router *router, struct hm_envelope *env)
{
	if (kept_grow(router) == -1)
		return -1;
	env->number = router->next_home++;
	chain(router, env);
	router->nkept++;
	return 0;
}

/* Takes the envelope of that number out. */
static struct hm_envelope *
take(struct hm_router *router, uint64_t number)
{
	struct hm_envelope **p, *env;

	if (router->nbuckets == 0)
		return NULL;
	p = bucket(router, number);
	while (*p != NULL && (*p)->number != number)
		p = &(*p)->next;
	env = *p;
	if (env != NULL) {
		*p = env->next;
		env->next = NULL;
		router->nkept--;
	}
	return env;
}

static bool
lasting(const struct hm_envelope *env)
{
	return (hm_envelope_flags(env) & HM_ENV_LASTING) != 0;
}

/* env is settled: its proc counts it, and gets it back if it was not
 * delivered, at the end of the turn; what went on for another settles that. */
static void
finish(struct hm_envelope *env, const struct settlement *how)
{
	struct router_local *local = env->owner;
	struct hm_envelope *origin = env->origin;
	struct hm_router *router = local == NULL ? NULL : local->router;
	char reason[HM_ERROR_TEXT] = "", at[HM_ID_TEXT] = "";

	if (local != NULL) {
		router->progress = true;
		hm_task_start(router->loop, &router->task);
		if (!lasting(env))
			local->unsettled--;
		if (how->outcome == HM_DELIVERED && local->delivered != NULL)
			local->delivered(local, env);
	}
	if (how->outcome != HM_DELIVERED) {
		(void)snprintf(reason, sizeof reason, "%.*s",
		    (int)how->reason.n, how->reason.p);
		(void)snprintf(
		    at, sizeof at, "%.*s", (int)how->at.n, how->at.p);
	}
	if (origin != NULL) {
		hm_envelope_give_back(origin, env);
		hm_envelope_free(env);
		router_settle(origin, how->outcome, reason, at);
	} else if (local == NULL || how->outcome == HM_DELIVERED) {
		hm_envelope_free(env);
	} else {
		(void)hm_envelope_add_error(env, how->outcome, reason, at);
		env->next = NULL;
		*router->returns_end = env;
		router->returns_end = &env->next;
	}
}

static void
home_settle(struct hm_source *source, uint64_t first, uint32_t n,
    const struct settlement *how)
{
	struct peer *peer = peer_of(source);
	struct hm_envelope *env;

	if (peer->turns != NULL)
		peer_due(peer, true);
	for (; n > 0; n--, first++) {
		env = take(peer->router, first);
		if (env == NULL)
			continue;
		if (peer->link.lanes != NULL)
			lane_moved(peer, hm_head_dest(env->head));
		if (peer->outgoing != NULL)
			outgoing_stop(peer, env, how);
		finish(env, how);
	}
}

static void
home_credit(struct hm_source *source, uint64_t cost)
{
	struct peer *peer = peer_of(source);

	peer->home_bytes -= cost;
	peer->router->progress = true;
	hm_task_start(peer->router->loop, &peer->router->task);
	if (peer->outgoing != NULL)
		peer_due(peer, true);
}

/* The source lives in its peer, whose queues are what refers to it. */
static void
home_unused(struct hm_source *source)
{
	(void)source;
}

/*
 * The source of what a local proc posts to others in this process.  It stays
 * while such messages are under way; its proc may have gone by then.
 */
struct here {
	struct hm_source source; /* first */
	struct router_local *local;
};

/* Never called: router_settle gives such envelopes back whole. */
static void
here_settle(struct hm_source *source, uint64_t first, uint32_t n,
    const struct settlement *how)
{
	(void)source;
	(void)first;
	(void)n;
	(void)how;
}

static void
here_unused(struct hm_source *source)
{
	free(source);
}

int
home_enter(struct router_local *local)
{
	struct here *here = calloc(1, sizeof *here);

	if (here == NULL)
		return -1;
	here->source.settle = here_settle;
	here->source.unused = here_unused;
	here->source.refs = 1;
	here->local = local;
	local->here = &here->source;
	return 0;
}

static void
disown(struct hm_envelope *env, const struct router_local *local)
{
	for (; env != NULL; env = env->next) {
		if (env->owner == local)
			env->owner = NULL;
	}
}

void
home_leave(struct router_local *local)
{
	struct hm_router *router = local->router;
	size_t i;

	((struct here *)local->here)->local = NULL;
	source_drop(local->here);
	local->here = NULL;
	for (i = 0; i < router->nbuckets; i++)
		disown(router->kept[i], local);
	disown(router->returns, local);
}

void
home_attach(struct peer *peer)
{
	peer->home.settle = home_settle;
	peer->home.credit = home_credit;
	peer->home.unused = home_unused;
	peer->home.refs = 1;
	peer->outgoing_end = &peer->outgoing;
}

void
home_init(struct hm_router *router)
{
	router->next_home = 1;
	router->returns_end = &router->returns;
}

void
home_fini(struct hm_router *router)
{
	struct hm_envelope *env;

	while ((env = router->returns) != NULL) {
		router->returns = env->next;
		hm_envelope_free(env);
	}
	free(router->kept);
	router->kept = NULL;
	router->nbuckets = router->nkept = 0;
}

void
home_return_now(struct peer *peer, unsigned mask, const struct settlement *how)
{
	struct outgoing **p = &peer->outgoing;
	struct hm_envelope *env;

	while (*p != NULL) {
		env = (*p)->env;
		if ((*p)->out != 0 ||
		    (mask != 0 && (hm_envelope_flags(env) & mask) == 0)) {
			p = &(*p)->next;
			continue;
		}
		outgoing_free(peer, p);
		if (take(peer->router, env->number) != NULL)
			finish(env, how);
	}
}

void
home_deliver_returns(struct hm_router *router)
{
	struct hm_envelope *env;
	struct router_local *local;
	size_t n = 0;

	/* One at a time: a handler may turn the loop, or end its proc.  Those
	 * that come meanwhile have the next round. */
	for (env = router->returns; env != NULL; env = env->next)
		n++;
	for (; n > 0 && (env = router->returns) != NULL; n--) {
		router->returns = env->next;
		if (router->returns == NULL)
			router->returns_end = &router->returns;
		env->next = NULL;
		local = env->owner;
		env->owner = NULL;
		if (local != NULL)
			local->returned(local, env);
		else
			hm_envelope_free(env);
	}
}

static int
post_to_peer(struct peer *peer, struct hm_envelope *env)
{
	uint64_t out;
	bool wait =
	    env->payload_len > HM_PIECE_MAX || outgoing_holds(peer, env);

	if (keep(peer->router, env) == -1)
		return -1;
	if (hm_envelope_flags(env) & HM_ENV_NOW)
		peer->now = true;
	if (wait) {
		if (outgoing_add(peer, env) == -1)
			goto fail;
	} else {
		out = link_begin(&peer->link, &peer->home, env->number, true);
		if (out == 0)
			goto fail;
		if (outgoing_piece(peer, env, out, 0, env->payload_len) == -1) {
			/* Nobody else knows of it yet: the caller keeps it. */
			(void)take(peer->router, env->number);
			link_forget(&peer->link, out);
			errno = ENOMEM;
			return -1;
		}
	}
	peer->msgs_in++;
	peer->bytes_in += env->payload_len;
	return 0;
fail:
	(void)take(peer->router, env->number);
	errno = ENOMEM;
	return -1;
}

static bool
has_room(struct peer *peer, const struct hm_envelope *env)
{
	const struct hm_limits *limits = &peer->router->limits;
	uint64_t held = link_lanes_bytes(&peer->link);

	return outgoing_queue(peer, env) == &peer->link.park &&
	       peer->home_bytes < limits->link_window + held &&
	       peer->link.ledger.unsettled < limits->max_unsettled;
}

static bool
too_large(const struct peer *peer, const struct hm_envelope *env)
{
	return env->payload_len > peer->link.max_message &&
	       (peer->kind != PEER_NAME || peer->conn != NULL);
}

/* What is passed on goes over a link only where it may have that sender, and
 * not to the rest of a host, where it may come from. */
static bool
cannot_go_on(const struct hm_router *router, const struct hm_head *head,
    const struct peer *peer, const struct router_local *to,
    struct hm_error *err)
{
	if (peer != NULL ? may_go_on(peer, head)
			 : to != router->rest || router->sealed)
		return false;
	(void)no_way(
	    err, "no proc '%.*s' on %s", &head->dest.proc, router_id(router));
	return true;
}

int
router_post(struct router_local *local, struct hm_envelope *env, bool checked)
{
	struct hm_router *router = local->router;
	struct hm_head head;
	struct router_local *to;
	struct peer *peer;
	struct hm_error err;
	struct settlement how = {HM_NOT_SENT, {err.text, 0},
	    {router_id(router), strlen(router_id(router))}, false};

	/* It was checked when it was made. */
	hm_head_parse(&head, env->head, env->head_len);
	if (route(router, &head, NULL, &peer, &to, &err) == -1 ||
	    (local->passes && cannot_go_on(router, &head, peer, to, &err)))
		peer = NULL, to = NULL;
	if (checked && ((peer != NULL && !has_room(peer, env)) ||
			   (to != NULL && to == router->rest &&
			       local->unsettled >= REST_UNSETTLED))) {
		errno = EAGAIN;
		return -1;
	}
	if (peer != NULL && too_large(peer, env)) {
		(void)hm_fail(&err, EMSGSIZE,
		    "message of %zu bytes, the largest taken is %" PRIu64,
		    env->payload_len, peer->link.max_message);
		how.outcome = HM_REFUSED;
		peer = NULL;
	}
	if (env->origin == NULL) {
		hm_put32(env->head + HM_HEAD_UID, router->uid);
		hm_put32(env->head + HM_HEAD_PID, router->pid);
	}
	env->owner = local;
	if (peer != NULL) {
		if (post_to_peer(peer, env) == -1)
			return -1;
		local->unsettled += !lasting(env);
		return 0;
	}
	local->unsettled += !lasting(env);
	if (to == NULL) {
		how.reason.n = strlen(err.text);
		finish(env, &how);
		return 0;
	}
	env->source = local->here;
	source_hold(env->source);
	to->deliver(to, env);
	return 0;
}

void
router_deliver(struct router_local *local, struct hm_envelope *env)
{
	env->taker = local->here;
	source_hold(env->taker);
	local->deliver(local, env);
}

/* Its receiver takes what came, which those that wait for it are to hear. */
static void
was_taken(struct hm_envelope *env)
{
	struct router_local *local = ((struct here *)env->taker)->local;

	if (local != NULL)
		local->moved = hm_loop_now(local->router->loop);
	source_drop(env->taker);
	env->taker = NULL;
}

void
router_settle(struct hm_envelope *env, enum hm_outcome outcome,
    const char *reason, const char *at)
{
	struct settlement how = {outcome, {reason, 0}, {at, 0}, true};
	struct hm_source *source = env->source;

	if (outcome != HM_DELIVERED) {
		how.reason.n = strlen(reason);
		how.at.n = strlen(at);
	}
	env->source = NULL;
	if (env->taker != NULL)
		was_taken(env);
	if (source->settle == here_settle) {
		env->owner = ((struct here *)source)->local;
		source_drop(source);
		finish(env, &how);
		return;
	}
	source->settle(source, env->number, 1, &how);
	if (env->cost > 0)
		source->credit(source, env->cost);
	source_drop(source);
	hm_envelope_free(env);
}
