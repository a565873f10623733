/*
 * Peers: made, found, kept moving, ended.
 *
 * A peer that has something to write is "dirty" and is served once at the end
 * of the turn, when everything that was read has been routed, so that each
 * destination gets one write a turn.  What may wait a little (settlements
 * nobody asked for) is "lazy" and goes with the next write, or when the
 * router's lazy timer fires.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "route/peer.h"

/* Long enough for an answer to take a settlement along, short for a person. */
#define LAZY_MS 5

static unsigned
hash(const char *name, size_t len)
{
	unsigned h = 2166136261u;

	while (len-- > 0)
		h = (h ^ (unsigned char)*name++) * 16777619u;
	return h % PEER_BUCKETS;
}

/* What a peer is found by: a name has no colon, an address has. */
static const char *
key(const struct peer *peer)
{
	return peer->kind == PEER_NAME ? peer->name : peer->addr;
}

static bool
hashed(const struct peer *peer)
{
	return peer->kind == PEER_NAME || peer->kind == PEER_HOST;
}

struct peer *
peer_find(const struct hm_router *router, const char *name, size_t len)
{
	struct peer *peer = router->names[hash(name, len)];

	while (peer != NULL &&
	       (strlen(key(peer)) != len || memcmp(key(peer), name, len) != 0))
		peer = peer->hash_next;
	return peer;
}

static void
enter(struct hm_router *router, struct peer *peer)
{
	struct peer **bucket =
	    &router->names[hash(key(peer), strlen(key(peer)))];

	peer->next = router->peers;
	if (router->peers != NULL)
		router->peers->prev = peer;
	router->peers = peer;
	router->npeers++;
	router->generation++;
	if (!hashed(peer))
		return;
	peer->hash_next = *bucket;
	*bucket = peer;
}

void
peer_promote(struct peer *peer)
{
	struct hm_router *router = peer->router;
	struct peer **bucket =
	    &router->names[hash(peer->addr, strlen(peer->addr))];

	peer->kind = PEER_HOST;
	peer->hash_next = *bucket;
	*bucket = peer;
	router->generation++;
}

static void
leave(struct hm_router *router, struct peer *peer)
{
	struct peer **p = &router->names[hash(key(peer), strlen(key(peer)))];

	if (peer->prev != NULL)
		peer->prev->next = peer->next;
	else
		router->peers = peer->next;
	if (peer->next != NULL)
		peer->next->prev = peer->prev;
	router->npeers--;
	router->generation++;
	if (hashed(peer)) {
		while (*p != peer)
			p = &(*p)->hash_next;
		*p = peer->hash_next;
	}
	if (router->uplink == peer)
		router->uplink = NULL;
	for (p = &router->dirty; *p != NULL; p = &(*p)->dirty_next) {
		if (*p == peer) {
			*p = peer->dirty_next;
			break;
		}
	}
}

static void
on_retry(void *arg)
{
	struct peer *peer = arg;

	if (peer->broken) {
		name_gone(peer, HM_UNKNOWN, peer->trouble);
		return;
	}
	if (peer_resume_expired(peer)) {
		peer_give_up(peer);
		return;
	}
	if (peer->resuming && !peer->dialed)
		return;
	if (peer->resuming || !link_idle(&peer->link) || peer->outgoing != NULL)
		peer_due(peer, true);
	else if (peer->kind == PEER_HOST && peer->conn == NULL)
		peer_end(peer, HM_NOT_SENT, peer->trouble);
}

struct peer *
peer_new(struct hm_router *router, enum peer_kind kind, const char *name,
    const char *addr)
{
	struct peer *peer = calloc(1, sizeof *peer);

	if (peer == NULL)
		return NULL;
	link_init(&peer->link, &peer_link_ops, &router->limits, &router->arena,
	    &router->pool);
	router->refs++;
	peer->router = router;
	peer->kind = kind;
	snprintf(peer->name, sizeof peer->name, "%s", name);
	snprintf(peer->addr, sizeof peer->addr, "%s", addr);
	snprintf(peer->id, sizeof peer->id, "%s", addr);
	peer->uid = HM_UID_UNKNOWN;
	peer->remote = strncmp(addr, "tcp:", 4) == 0;
	peer->link.max_message = router->limits.max_message;
	peer->retry.fn = on_retry;
	peer->retry.arg = peer;
	peer->progress = hm_loop_now(router->loop);
	home_attach(peer);
	enter(router, peer);
	return peer;
}

void
peer_free(struct peer *peer)
{
	struct hm_router *router = peer->router;

	link_fini(&peer->link);
	free(peer);
	router_drop(router);
}

static void
last_forget(struct peer *peer)
{
	if (peer->last != NULL && peer->last->flow != NULL)
		source_drop(flow_source(peer->last->flow));
	free(peer->last);
	peer->last = NULL;
}

void
peer_end(struct peer *peer, enum hm_outcome written, const char *why)
{
	struct hm_router *router = peer->router;
	struct settlement how = {HM_NOT_SENT, {why, strlen(why)},
	    {router_id(router), strlen(router_id(router))}, false};

	if (peer->gone)
		return;
	peer->gone = true;
	leave(router, peer);
	passages_to_end(router, peer);
	turns_end(peer);
	flows_to_end(router, peer);
	passages_free(peer);
	stores_lost(peer);
	last_forget(peer);
	link_lost(&peer->link, written, why, router_id(router));
	home_return_now(peer, 0, &how);
	hm_timer_stop(router->loop, &peer->retry);
	if (peer->conn != NULL) {
		peer->conn->link = NULL;
		conn_bury(router, peer->conn);
		peer->conn = NULL;
	}
	link_drop(&peer->link);
}

void
peer_due(struct peer *peer, bool now)
{
	struct hm_router *router = peer->router;

	if (peer->gone || peer->dirty)
		return;
	if (!now) {
		peer->lazy = true;
		if (!hm_timer_running(&router->lazy))
			(void)hm_timer_start(
			    router->loop, &router->lazy, LAZY_MS);
		return;
	}
	peer->dirty = true;
	peer->dirty_next = router->dirty;
	router->dirty = peer;
	hm_task_start(router->loop, &router->task);
}

void
peer_calm(struct peer *peer)
{
	struct lane *lane;

	for (lane = peer->link.lanes; lane != NULL; lane = lane->next)
		queue_calm(&lane->park);
	queue_calm(&peer->link.park);
	queue_calm(&peer->link.out);
}

void
peer_open(struct peer *peer, struct conn *conn, const struct hm_hello *hello)
{
	conn->ops = &dial_conn_ops;
	conn->owner = peer;
	peer->conn = conn;
	peer->uid = conn->uid;
	peer->pid = conn->pid;
	peer->remote = conn->transport == HM_TRANSPORT_TCP;
	peer->session = hello->session;
	peer->link.credit = hello->credit;
	peer->link.max_message = hello->max_message;
	peer->link.keep = peer->remote;
	peer->backoff = 0;
	peer->trouble[0] = '\0';
	peer->progress = hm_loop_now(peer->router->loop);
	conn_open(conn, &peer->link);
	peer_due(peer, true);
	/* There was too little credit for it: seen to with the next ticks. */
	if (peer->link.window < LINK_WINDOW_MIN &&
	    !hm_timer_running(&peer->router->tick))
		(void)hm_timer_start(
		    peer->router->loop, &peer->router->tick, 0);
}
