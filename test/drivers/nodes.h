/*
 * Nodes in a made-up world: routers with one local proc each, the messages
 * between them, and what is promised of those.
 */
#ifndef NODES_H
#define NODES_H

#include <hostmux/envelope.h>

#include "loop/loop_private.h"
#include "route/peer.h"
#include "world.h"

#define NODES PLACES
#define MESSAGES 16
#define KEPT MESSAGES
#define ALIAS "tcp:10.0.0.9:7"
#define READY 64 /* descriptors of a node */

struct plan {
	const char *name;
	unsigned nodes;
	const char *const *where; /* their addresses */
	unsigned posts[NODES];	  /* each to "to" */
	unsigned to[NODES];
	unsigned cuts, kills, early; /* how many of each at most */
	bool row; /* between the others there is no way but over the second */
	bool attached;	 /* the second is a client of the first */
	bool now;	 /* messages are not to wait for a way */
	bool late;	 /* what comes is settled in a step of its own */
	uint32_t size;	 /* of each message */
	uint32_t most;	 /* the largest that is taken, 0: what is usual */
	uint32_t window; /* 0: 8192 */
	uint32_t small; /* size of every other message of a node, 0: the same */
	uint32_t less;	/* the largest that its procs take, 0: as it does */
	bool alias;	/* every other is for another address of the third */
	bool fleeting;	/* no session outlives its connection */
};

struct node {
	struct router_local local; /* first */
	struct hm_loop *loop;
	struct hm_router *router; /* NULL: dead */
	unsigned life;
	struct hm_envelope *kept[KEPT];
	size_t nkept;
};

struct message {
	unsigned from, to, life;
	bool alias;
	uint32_t size;
	unsigned deaths; /* there were when it was posted */
	unsigned got, settled;
	enum hm_outcome how;
};

static const struct plan *plan;
static struct node nodes[NODES];
static struct message messages[MESSAGES];
static unsigned nmessages, deaths, posted[NODES];
static bool talk;

/* Says how it came to that, and ends the driver. */
static void broken(const char *what, int line);

#define PROMISE(what)                            \
	do {                                     \
		if (!(what))                     \
			broken(#what, __LINE__); \
	} while (0)

static inline unsigned
node_index(const struct node *node)
{
	return (unsigned)(node - nodes);
}

/* Which message that is; all of it is as it was sent. */
static inline struct message *
message_of(const struct hm_envelope *env)
{
	const unsigned char *p = hm_payload(env);
	size_t i, len = hm_payload_len(env);

	PROMISE(p[0] < nmessages && len == messages[p[0]].size);
	for (i = 1; i < len; i++)
		PROMISE(p[i] == (unsigned char)(p[0] + i));
	return &messages[p[0]];
}

static inline bool
orphaned(const struct message *msg)
{
	return nodes[msg->from].router == NULL ||
	       nodes[msg->from].life != msg->life;
}

static inline void
on_deliver(struct router_local *local, struct hm_envelope *env)
{
	struct node *node = (struct node *)local;
	struct message *msg = message_of(env), *other;

	if (talk)
		printf("    %u gets message %td\n", node_index(node),
		    msg - messages);
	PROMISE(msg->to == node_index(node));
	PROMISE(msg->got == 0); /* none twice */
	PROMISE(msg->settled == 0 || msg->how == HM_UNKNOWN);
	for (other = msg + 1; other < messages + nmessages; other++)
		PROMISE(other->got == 0 || other->from != msg->from ||
			other->life != msg->life ||
			other->alias != msg->alias); /* in order */
	msg->got++;
	if (plan->late) {
		PROMISE(node->nkept < KEPT);
		node->kept[node->nkept++] = env;
	} else {
		router_settle(env, HM_DELIVERED, NULL, NULL);
	}
}

static inline void
on_delivered(struct router_local *local, const struct hm_envelope *env)
{
	struct message *msg = message_of(env);

	(void)local;
	if (talk)
		printf("    message %td is settled\n", msg - messages);
	PROMISE(msg->settled == 0);
	PROMISE(msg->got == 1);
	msg->settled++;
	msg->how = HM_DELIVERED;
}

static inline void
on_returned(struct router_local *local, struct hm_envelope *env)
{
	struct message *msg = message_of(env);
	struct hm_slice why, at;
	enum hm_outcome how;

	(void)local;
	CHECK(hm_envelope_errors(env) == 1);
	CHECK(hm_envelope_error_at(env, 0, &how, &why, &at));
	if (talk)
		printf("    message %td comes back: %s: %.*s\n", msg - messages,
		    hm_outcome_name(how), (int)why.n, why.p);
	PROMISE(msg->settled == 0);
	/* All arrive where nobody dies. */
	PROMISE(plan->kills > 0 || plan->fleeting);
	/* Only what died may have had it. */
	PROMISE(how == HM_UNKNOWN ? deaths > msg->deaths : msg->got == 0);
	msg->settled++;
	msg->how = how;
	hm_envelope_free(env);
}

static inline void
on_progress(struct router_local *local)
{
	(void)local;
}

static inline void
on_log(void *arg, enum hm_level level, const char *text)
{
	(void)level;
	if (talk)
		printf("    %u: %s\n", node_index(arg), text);
}

static inline int
on_greet(void *arg, struct router_greeting *greeting, struct hm_error *err)
{
	(void)arg;
	(void)greeting;
	(void)err;
	return 0;
}

static inline void
on_gone(void *arg, const char *name, const char *why)
{
	struct node *node = arg;

	router_unbind(node->router, name, why);
}

static inline void
on_attached(void *arg, const char *name, const char *host_id,
    const struct hm_error *err)
{
	(void)name;
	(void)host_id;
	/* It may have been let in, as far as its host knows: its link is lost,
	 * with what was written to it. */
	if (err != NULL)
		deaths++;
	if (talk && err != NULL)
		printf(
		    "    %u is not let in: %s\n", node_index(arg), err->text);
}

/* Where it is to be found. */
static inline bool
is_attached(unsigned i)
{
	return plan->attached && i == 1;
}

static inline void
node_id(unsigned i, struct hm_id *id)
{
	hm_id_set(id, plan->where[is_attached(i) ? 0 : i],
	    is_attached(i) ? "w" : "p", "a", 0, 0);
}

/* It serves its address. */
static inline void
node_serve(unsigned i)
{
	struct hm_router *router = nodes[i].router;
	struct hm_addr addr, got;
	struct hm_error err;
	unsigned k;

	CHECK(hm_addr_parse(&addr, plan->where[i], 0, &err) == 0);
	CHECK(router_serve(router, &addr, "", 0600, false, &got, &err) == 0);
	CHECK(router_own(router, got.text) == 0);
	if (plan->alias && i == 2)
		CHECK(router_own(router, ALIAS) == 0);
	if (plan->alias && i != 2)
		CHECK(router_route(router, ALIAS, plan->where[2]) == 0);
	router_relay(router);
	for (k = 0; plan->row && i != 1 && k < plan->nodes; k++) {
		if (k != 1 && k != i)
			CHECK(router_route(
				  router, plan->where[k], plan->where[1]) == 0);
	}
}

/* It is known at the first, under a name. */
static inline void
node_attach(unsigned i)
{
	struct hm_addr addr;
	struct router_attach how = {&addr, HM_HELLO_ATTACH, "w", ""};
	struct hm_error err;

	CHECK(hm_addr_parse(&addr, plan->where[0], 0, &err) == 0);
	if (router_attach(
		nodes[i].router, &how, on_attached, &nodes[i], &err) == -1)
		on_attached(&nodes[i], NULL, NULL, &err);
}

static inline void
node_start(unsigned i)
{
	static const struct router_ops ops = {on_greet, NULL, on_gone, NULL};
	struct node *node = &nodes[i];
	struct hm_limits limits;
	struct hm_error err;
	struct hm_id id;
	unsigned life = node->life;

	acting = i;
	memset(node, 0, sizeof *node);
	node->life = life + 1;
	hm_limits_init(&limits);
	limits.link_window = plan->window != 0 ? plan->window : 8192;
	limits.host_memory = 8 * limits.link_window;
	if (plan->most != 0)
		limits.max_message = plan->most;
	if (plan->fleeting)
		limits.session_timeout = 0;
	node->loop = hm_loop_new("poll", &err);
	CHECK(node->loop != NULL);
	hm_loop_set_log(node->loop, on_log, node);
	node->router = router_new(node->loop, &limits, &ops, node, &err);
	CHECK(node->router != NULL);
	if (is_attached(i))
		node_attach(i);
	else
		node_serve(i);
	node_id(i, &id);
	memcpy(node->local.name, id.proc, sizeof node->local.name);
	memcpy(node->local.addr, id.addr, sizeof node->local.addr);
	if (plan->alias)
		node->local.addr[0] = '\0';
	node->local.max = plan->less;
	node->local.deliver = on_deliver;
	node->local.progress = on_progress;
	node->local.delivered = on_delivered;
	node->local.returned = on_returned;
	CHECK(router_add_local(node->router, &node->local) == 0);
}

static inline void
node_kill(unsigned i)
{
	struct node *node = &nodes[i];
	struct hm_router *router = node->router;

	acting = i;
	node->router = NULL; /* what it posted is nobody's now */
	while (node->nkept > 0)
		router_settle(
		    node->kept[--node->nkept], HM_REFUSED, "gone", "");
	if (!is_attached(i))
		place_close(&places[i]);
	router_remove_local(&node->local);
	router_free(router);
	hm_loop_free(node->loop);
	node->loop = NULL;
}

/* Serves one descriptor, or (-1) what is due. */
static inline void
node_step(unsigned i, int fd)
{
	struct pollfd fds[READY];
	size_t n, k;
	int ms;

	acting = i;
	CHECK(hm_loop_fill(nodes[i].loop, fds, READY - 1, &n, &ms) == 0);
	CHECK(poll(fds, (nfds_t)n, 0) >= 0);
	for (k = 0; k < n; k++) {
		if (fds[k].fd != fd)
			fds[k].revents = 0;
	}
	CHECK(hm_loop_step(nodes[i].loop, fds, n) == 0);
}

/* The descriptors it could serve now, -1 for what it has to do anyway. */
static inline size_t
node_ready(unsigned i, int *ready)
{
	struct pollfd fds[READY - 1];
	size_t k, n, m = 0;
	int ms;

	if (nodes[i].router == NULL)
		return 0;
	CHECK(hm_loop_fill(nodes[i].loop, fds, READY - 1, &n, &ms) == 0);
	CHECK(poll(fds, (nfds_t)n, 0) >= 0);
	for (k = 0; k < n; k++) {
		if (fds[k].revents != 0)
			ready[m++] = fds[k].fd;
	}
	if (nodes[i].loop->tasks != NULL)
		ready[m++] = -1;
	return m;
}

static inline bool
timers_run_out(void)
{
	unsigned i;

	for (i = 0; i < plan->nodes; i++) {
		if (nodes[i].router != NULL && nodes[i].loop->ntimers > 0)
			return false;
	}
	return true;
}

/* Whose timer is due first. */
static inline unsigned
first_due(void)
{
	unsigned i, first = NODES;

	for (i = 0; i < plan->nodes; i++) {
		if (nodes[i].router != NULL && nodes[i].loop->ntimers > 0 &&
		    (first == NODES || nodes[i].loop->timers[0]->due <
					   nodes[first].loop->timers[0]->due))
			first = i;
	}
	return first;
}

/* The clock goes to what is due first. */
static inline void
nodes_wait(void)
{
	unsigned first = first_due();

	CHECK(first < NODES);
	if (nodes[first].loop->timers[0]->due > world_now)
		world_now = nodes[first].loop->timers[0]->due;
	node_step(first, -1);
}

/* Everybody does what there is to do now. */
static inline void
nodes_settle(void)
{
	int ready[READY];
	unsigned i;
	bool again;

	do {
		again = false;
		for (i = 0; i < plan->nodes; i++) {
			while (node_ready(i, ready) > 0) {
				node_step(i, ready[0]);
				again = true;
			}
		}
	} while (again);
}

static inline void
node_post(unsigned i)
{
	struct node *node = &nodes[i];
	struct message *msg = &messages[nmessages];
	struct hm_id from, to;
	struct hm_draft draft = {
	    &from, &to, NULL, 0, plan->now ? HM_ENV_NOW : 0, NULL, NULL};
	unsigned char payload[65536];
	struct hm_envelope *env;
	struct hm_error err;
	bool second = posted[i] % 2 == 1;
	uint32_t k, size = plan->size;

	CHECK(nmessages < MESSAGES && plan->size <= sizeof payload);
	if (second && plan->small != 0)
		size = plan->small;
	for (k = 0; k < size; k++)
		payload[k] = (unsigned char)(nmessages + k);
	acting = i;
	node_id(i, &from);
	node_id(plan->to[i], &to);
	if (plan->alias && second)
		hm_id_set(&to, ALIAS, "p", "a", 0, 0);
	env = hm_envelope_new(&draft, payload, size, &err);
	CHECK(env != NULL);
	memset(msg, 0, sizeof *msg);
	msg->from = i;
	msg->size = size;
	msg->alias = plan->alias && second;
	msg->to = plan->to[i];
	msg->life = node->life;
	msg->deaths = deaths;
	nmessages++;
	posted[i]++;
	CHECK(router_post(&node->local, env, false) == 0);
	node_step(i, -1);
}

/* What must hold in every state. */
static inline void
check_link(const struct peer *peer)
{
	const struct link *link = &peer->link;

	PROMISE(link->credit <= (uint64_t)1 << 32);
	PROMISE(link->granted + link->owed <= link->window);
	PROMISE(link->own <= (uint64_t)1 << 32);
	PROMISE(link->coming <= MESSAGES);
	PROMISE(link->ledger.unsettled <= MESSAGES);
	PROMISE(link->out.bytes <= (uint64_t)1 << 32);
	PROMISE(link->park.bytes <= (uint64_t)1 << 32);
	PROMISE(link->told <= link->received);
	PROMISE(peer->home_bytes <= (uint64_t)1 << 32);
}

/* The other end of that link, if it has one there. */
static inline const struct peer *
other_end(const struct peer *peer)
{
	const struct peer *other;
	unsigned i;

	for (i = 0; i < plan->nodes; i++) {
		if (nodes[i].router == NULL || nodes[i].router == peer->router)
			continue;
		for (other = nodes[i].router->peers; other != NULL;
		     other = other->next) {
			if (other->session == peer->session &&
			    (other->conn == NULL || other->conn->link != NULL))
				return other;
		}
	}
	return NULL;
}

static inline void
check_node(const struct node *node)
{
	const struct hm_router *router = node->router;
	const struct peer *peer, *other;
	uint64_t windows = 0;

	for (peer = router->peers; peer != NULL; peer = peer->next) {
		check_link(peer);
		windows += peer->link.window;
		if (peer->conn == NULL || peer->conn->link == NULL)
			continue;
		other = other_end(peer);
		if (other != NULL)
			PROMISE(peer->link.credit <= other->link.granted);
	}
	PROMISE(windows <= router->pool.granted);
	PROMISE(router->pool.granted <= router->pool.limit);
}

static inline bool
all_settled(void)
{
	unsigned i;

	for (i = 0; i < nmessages; i++) {
		if (messages[i].settled == 0 && !orphaned(&messages[i]))
			return false;
	}
	return true;
}

/* What must hold when nothing is left to do. */
static inline void
check_end(void)
{
	const struct hm_router *router;
	const struct peer *peer, *other;
	unsigned i, open[NODES] = {0}, links = 0;

	PROMISE(all_settled());
	for (i = 0; i < plan->nodes; i++) {
		router = nodes[i].router;
		PROMISE(router->nkept == 0 && router->returns == NULL);
		PROMISE(router->ngreeting == 0);
		PROMISE(nodes[i].local.unsettled == 0);
		PROMISE(nodes[i].local.stores == NULL);
		PROMISE(nodes[i].local.untaken == NULL);
		PROMISE(nodes[i].local.untaken_bytes[0] == 0);
		PROMISE(nodes[i].local.untaken_bytes[1] == 0);
		for (peer = router->peers; peer != NULL; peer = peer->next) {
			PROMISE(peer->link.ledger.unsettled == 0);
			PROMISE(peer->link.coming == 0);
			PROMISE(peer->link.park.head == NULL);
			PROMISE(peer->link.lanes == NULL);
			PROMISE(peer->link.held == 0);
			PROMISE(peer->home_bytes == 0);
			PROMISE(peer->passages == NULL && peer->turns == NULL);
			PROMISE(peer->conn != NULL);
			other = other_end(peer);
			PROMISE(other != NULL);
			PROMISE(peer->link.credit == other->link.granted);
			open[i]++;
			links++;
		}
	}
	/* One link for each two. */
	PROMISE(links <= (plan->nodes - 1) * (plan->row ? 2 : plan->nodes));
	for (i = 0; i < plan->nodes; i++)
		PROMISE(open[i] < plan->nodes);
}

#endif
