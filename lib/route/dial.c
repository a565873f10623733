/*
 * Dialing: links that this node opens, and what becomes of a peer whose
 * connection ends.
 *
 * A dial that fails is tried again with a growing, jittered pause for as long
 * as something waits for that way; whatever must not wait (NOW) is returned at
 * the first failure.  When nothing waits any more nothing is dialed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "route/peer.h"

#define BACKOFF_FIRST 20
#define BACKOFF_MAX 2000
/* A supervisor has seen the end of its proc when its link breaks, or does so in
 * a moment; but a tree that does not want to end may take seconds. */
#define WORDS_MS 1000

static void
fill_hello(struct conn *conn, struct hm_hello *hello)
{
	struct peer *peer = conn->owner;
	struct hm_router *router = peer->router;
	const char *id = router_id(router);

	/* A dial that failed may have been taken: the same HELLO again. */
	if (peer->session == 0) {
		(void)sys_random(&peer->session, sizeof peer->session);
		link_grant(&peer->link);
	}
	hello->major = HM_WIRE_MAJOR;
	hello->minor = HM_WIRE_MINOR;
	hello->session = peer->session;
	hello->received = peer->link.received;
	hello->max_message = router->limits.max_message;
	hello->credit = peer->link.granted;
	if (peer->resuming) {
		hello->kind = HM_HELLO_RESUME;
	} else if (peer->kind == PEER_UPLINK) {
		hello->kind = (uint8_t)router->attach_kind;
		hello->name.p = peer->name;
		hello->name.n = strlen(peer->name);
		hello->token.p = router->token;
		hello->token.n = strlen(router->token);
	} else {
		hello->kind = HM_HELLO_HOST;
		hello->addr.p = id;
		hello->addr.n = strlen(id);
	}
}

/* An answer to our HELLO. */
static int
greeted(struct conn *conn, const struct hm_hello *hello, struct hm_error *err)
{
	struct peer *peer = conn->owner;
	struct hm_router *router = peer->router;
	char name[HM_NAME_MAX + 1], id[HM_ADDR_SIZE];

	if (peer->resuming)
		return peer_resumed(peer, conn, hello, err);
	if (hello->name.n > HM_NAME_MAX || hello->addr.n >= sizeof id)
		return hm_fail(err, EPROTO, "peer greets with a bad name");
	snprintf(name, sizeof name, "%.*s", (int)hello->name.n, hello->name.p);
	snprintf(id, sizeof id, "%.*s", (int)hello->addr.n, hello->addr.p);
	if (peer->kind == PEER_HOST || peer->dials) {
		/* What it is called is what it may send as. */
		if (conn->transport == HM_TRANSPORT_TCP &&
		    (strncmp(id, "tcp:", 4) != 0 ||
			router_owns(router, hello->addr)))
			return hm_fail(
			    err, EPROTO, "peer greets as %.100s over TCP", id);
		memcpy(peer->id, id, sizeof id);
	}
	peer->dialed = true;
	peer_open(peer, conn, hello);
	if (peer->kind == PEER_UPLINK && router->attached != NULL) {
		memcpy(peer->name, name, sizeof name);
		router->attached(router->attached_arg, name, id, NULL);
		router->attached = NULL;
	}
	return 0;
}

int
peer_dial(struct peer *peer, struct hm_error *err)
{
	struct hm_router *router = peer->router;
	struct hm_addr addr;

	if (hm_addr_parse(&addr, peer->addr, 0, err) == -1)
		return -1;
	peer->conn = conn_dial(router->loop, &router->arena, &addr,
	    router->limits.greeting_timeout, &dial_conn_ops, peer, err);
	return peer->conn == NULL ? -1 : 0;
}

void
dial_failed(struct peer *peer, const struct hm_error *err)
{
	struct settlement how = {HM_NOT_SENT, {NULL, 0},
	    {router_id(peer->router), strlen(router_id(peer->router))}, false};
	uint64_t pause;
	uint16_t jitter = 0;

	snprintf(peer->trouble, sizeof peer->trouble, "%.95s", err->text);
	how.reason.p = peer->trouble;
	how.reason.n = strlen(peer->trouble);
	/* Where dials have crossed the other one is there. */
	if (peer->now && err->kind != HM_ERR_EXISTS) {
		peer->now = false;
		link_return_parked(
		    &peer->link, &peer->link.park, HM_ENV_NOW, &how);
		home_return_now(peer, HM_ENV_NOW, &how);
	}
	peer->backoff = peer->backoff == 0 ? BACKOFF_FIRST : peer->backoff * 2;
	if (peer->backoff > BACKOFF_MAX)
		peer->backoff = BACKOFF_MAX;
	(void)sys_random(&jitter, sizeof jitter);
	pause = peer->backoff / 2 + jitter % peer->backoff;
	(void)hm_timer_start(peer->router->loop, &peer->retry, pause);
}

/* A link that broke is kept until the owner of the router says with what
 * words its name is free, or for a moment: who had written to it is told how
 * its proc ended. */
static bool
await_words(struct peer *peer, const char *why)
{
	struct hm_router *router = peer->router;

	if (peer->dials || peer->bye || peer->broken || peer->conn != NULL ||
	    router->ops.gone == NULL ||
	    hm_timer_start(router->loop, &peer->retry, WORDS_MS) == -1)
		return false;
	peer->broken = true;
	peer->reserved = peer->resuming = peer->link.keep = false;
	(void)snprintf(peer->trouble, sizeof peer->trouble, "%.95s", why);
	passages_free(peer);
	router->ops.gone(router->arg, peer->name, why);
	return true;
}

/* A named link is over, its name is not free yet: what is sent to it from now
 * on waits at a new peer until the owner of the router decides. */
void
name_gone(struct peer *peer, enum hm_outcome written, const char *why)
{
	struct hm_router *router = peer->router;
	char name[HM_NAME_MAX + 1], addr[HM_ADDR_SIZE];
	bool dials = peer->dials, in_order = peer->bye && !peer->trouble[0];
	bool known = peer->broken;
	struct router_stats stats;

	if (await_words(peer, why))
		return;
	memcpy(name, peer->name, sizeof name);
	(void)router_stats(router, name, &stats);
	memcpy(addr, peer->addr, sizeof addr);
	peer_end(peer, written, why);
	peer = peer_new(router, PEER_NAME, name, addr);
	if (peer != NULL) {
		peer->dials = dials;
		peer->msgs_in = stats.msgs_in;
		peer->msgs_out = stats.msgs_out;
		peer->bytes_in = stats.bytes_in;
		peer->bytes_out = stats.bytes_out;
	}
	if (dials || known)
		return;
	if (router->ops.gone != NULL)
		router->ops.gone(router->arg, name, in_order ? "" : why);
	else
		router_unbind(router, name, why);
}

void
peer_over(struct peer *peer, const struct hm_error *err)
{
	struct hm_router *router = peer->router;
	/* In order it leaves when it has settled everything. */
	enum hm_outcome written =
	    peer->bye && peer->trouble[0] == '\0' ? HM_NOT_SENT : HM_UNKNOWN;
	char why[HM_ERROR_TEXT], name[HM_ADDR_SIZE];

	snprintf(name, sizeof name, "%s",
	    peer->kind == PEER_NAME ? peer->name : peer->addr);
	if (peer->bye)
		snprintf(why, sizeof why, "%.100s has left%s%s", name,
		    peer->trouble[0] == '\0' ? "" : ": ", peer->trouble);
	else
		snprintf(why, sizeof why, "link to %.100s broke%s%.300s", name,
		    err->code == 0 ? "" : ": ",
		    err->code == 0 ? "" : err->text);
	switch (peer->kind) {
	case PEER_NAME:
		name_gone(peer, written, why);
		break;
	case PEER_UPLINK:
		peer_end(peer, written, why);
		snprintf(router->lost, sizeof router->lost, "%s", why);
		hm_task_start(router->loop, &router->task);
		break;
	default:
		peer_end(peer, written, why);
		peer = cross_second(router, name);
		if (peer != NULL &&
		    peer_find(router, name, strlen(name)) == NULL)
			peer_promote(peer);
	}
}

/* The other side does not know the session, it has begun another life: what
 * was not written is for that one. */
struct peer *
start_anew(struct peer *peer, const struct hm_error *err)
{
	struct peer *fresh = cross_second(peer->router, peer->addr);

	if (fresh != NULL)
		peer_promote(fresh);
	else
		fresh = peer_new(peer->router, PEER_HOST, "", peer->addr);
	if (fresh != NULL) {
		fresh->now = fresh->now || peer->now;
		link_move_parked(
		    &peer->link, &fresh->link, &peer->home, &fresh->home);
		outgoing_move(peer, fresh);
		peer_due(fresh, true);
	}
	peer_over(peer, err);
	return fresh;
}

static void
ended(struct conn *conn, const struct hm_error *err)
{
	struct peer *peer = conn->owner;
	struct hm_router *router = peer->router;
	bool open = conn->link != NULL;

	conn->link = NULL;
	if (conn->state == CONN_LEAVING)
		conn_keep(router, conn); /* it says why */
	else
		conn_bury(router, conn);
	peer->conn = NULL;
	if (open) {
		/* Who dialed it and has come anew will not resume it. */
		if (peer->kind == PEER_HOST && !peer->dialed && !peer->bye &&
		    cross_second(router, peer->addr) != NULL)
			(void)start_anew(peer, err);
		else if (!peer_suspend(peer, err))
			peer_over(peer, err);
		return;
	}
	if (peer->kind == PEER_UPLINK && router->attached != NULL) {
		router->attached(router->attached_arg, NULL, NULL, err);
		router->attached = NULL;
		peer_end(peer, HM_NOT_SENT, err->text);
		return;
	}
	/* Refused: that session is not known there any more. */
	if (peer->resuming && peer->kind == PEER_HOST &&
	    err->kind == HM_ERR_DENIED) {
		(void)start_anew(peer, err);
		return;
	}
	if (peer->resuming &&
	    (err->kind == HM_ERR_DENIED || err->code == EPROTO ||
		peer_resume_expired(peer))) {
		peer_over(peer, err);
		return;
	}
	dial_failed(peer, err);
}

const struct conn_ops dial_conn_ops = {fill_hello, greeted, ended};
