/*
 * Listening: connections that come, and who may greet under which name.
 *
 * A peer that does not greet holds a place among at most 256 for at most five
 * seconds; the oldest goes first.  One descriptor is kept in reserve, so that a
 * connection can be taken and refused when there are no more, instead of
 * leaving it in the backlog and the loop spinning.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "link/refusal.h"
#include "route/peer.h"

/* Connections taken in one turn: others want their turn too. */
#define ACCEPT_TURN 64
#define REST_MS 100

void
conn_bury(struct hm_router *router, struct conn *conn)
{
	/* Nothing may come of it any more: it would be buried twice. */
	conn_close(conn);
	conn->next = router->closed;
	router->closed = conn;
	hm_task_start(router->loop, &router->task);
}

static void
greeting_remove(struct hm_router *router, struct conn *conn)
{
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		router->greeting = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	else
		router->greeting_last = conn->prev;
	conn->next = conn->prev = NULL;
	router->ngreeting--;
}

void
conn_keep(struct hm_router *router, struct conn *conn)
{
	struct conn *oldest;

	conn->ops = &accept_conn_ops;
	conn->owner = router;
	conn->next = router->greeting;
	if (conn->next != NULL)
		conn->next->prev = conn;
	else
		router->greeting_last = conn;
	router->greeting = conn;
	if (++router->ngreeting <= router->limits.max_ungreeted)
		return;
	oldest = router->greeting_last;
	greeting_remove(router, oldest);
	conn_bury(router, oldest);
}

static int
read_greeting(struct router_greeting *g, const struct conn *conn,
    const struct hm_hello *hello, struct hm_error *err)
{
	struct hm_addr addr;

	memset(g, 0, sizeof *g);
	g->kind = (enum hm_hello_kind)hello->kind;
	g->uid = conn->uid;
	g->pid = conn->pid;
	g->remote = conn->transport == HM_TRANSPORT_TCP;
	if (hello->name.n > 0 && !hm_name_valid(hello->name.p, hello->name.n))
		return hm_fail(err, EPROTO, "peer greets with a bad name");
	if (hello->token.n >= sizeof g->token ||
	    hello->addr.n >= sizeof g->addr)
		return hm_fail(err, EPROTO, "peer greets with a bad token");
	memcpy(g->name, hello->name.p, hello->name.n);
	memcpy(g->token, hello->token.p, hello->token.n);
	memcpy(g->addr, hello->addr.p, hello->addr.n);
	if (g->kind < HM_HELLO_ATTACH || g->kind > HM_HELLO_HOST)
		return hm_fail(err, EPROTO, "a greeting of unknown kind");
	if (g->kind != HM_HELLO_HOST)
		return 0;
	if (hm_addr_parse(&addr, g->addr, 0, err) == -1)
		return -1;
	if (g->remote && addr.transport != HM_TRANSPORT_TCP)
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM,
		    "%s is no address to greet with over TCP", addr.text);
	memcpy(g->addr, addr.text, sizeof g->addr);
	return 0;
}

static int
may_greet(const struct hm_router *router, struct router_greeting *g,
    struct hm_error *err)
{
	struct hm_slice addr = {g->addr, strlen(g->addr)};

	if (router->closing)
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM, "%s is ending",
		    router_id(router));
	if (!g->remote && g->uid != 0 && g->uid != (uint32_t)geteuid() &&
	    !router->open_to_all)
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM,
		    "uid %" PRIu32 " may not use this host", g->uid);
	if (g->kind == HM_HELLO_HOST && router_owns(router, addr))
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM,
		    "%s is an address of this host", g->addr);
	if (router->ops.greet != NULL)
		return router->ops.greet(router->arg, g, err);
	if (g->kind != HM_HELLO_HOST)
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM, "%s is no host",
		    router_id(router));
	return 0;
}

/* The peer that a greeting is for: a reservation, or a new one.  0; 1: that
 * cannot be told yet; -1. */
static int
peer_for(struct hm_router *router, const struct router_greeting *g,
    struct peer **peer, struct hm_error *err)
{
	struct peer *old;

	if (g->kind == HM_HELLO_HOST)
		return cross_greet(router, g->addr, peer, err);
	old = peer_find(router, g->name, strlen(g->name));
	if (old != NULL && old->reserved && old->conn == NULL &&
	    g->kind == HM_HELLO_BOOT) {
		*peer = old;
		return 0;
	}
	if (old != NULL || find_local_name(router, g->name))
		return hm_fail_kind(err, HM_ERR_EXISTS, EEXIST,
		    "proc '%s' already exists", g->name);
	*peer = peer_new(router, PEER_NAME, g->name, "");
	return *peer == NULL ? hm_fail(err, ENOMEM, "no memory") : 0;
}

/* Which peer has greeted; *resume: over a new connection.  As peer_for. */
static int
who_greets(struct conn *conn, const struct hm_hello *hello, struct peer **peer,
    bool *resume, struct hm_error *err)
{
	struct hm_router *router = conn->owner;
	struct router_greeting g;

	*resume = hello->kind == HM_HELLO_RESUME;
	if (*resume && (router->closing || conn->transport != HM_TRANSPORT_TCP))
		return hm_fail_kind(err, HM_ERR_DENIED, ESTALE,
		    "%s resumes nothing", router_id(router));
	if (!*resume && (read_greeting(&g, conn, hello, err) == -1 ||
			    may_greet(router, &g, err) == -1))
		return -1;
	if (!*resume && (g.kind != HM_HELLO_HOST || !g.remote ||
			    !session_known(router, hello)))
		return peer_for(router, &g, peer, err);
	*resume = true;
	*peer = peer_of_session(router, hello, err);
	return *peer == NULL ? -1 : 0;
}

static int
greeted(struct conn *conn, const struct hm_hello *hello, struct hm_error *err)
{
	struct hm_router *router = conn->owner;
	struct hm_hello back;
	struct peer *peer;
	bool resume;
	int who = who_greets(conn, hello, &peer, &resume, err);

	if (who == -1)
		conn_refuse(conn, err);
	if (who != 0)
		return who;
	if (!resume) {
		link_grant(&peer->link);
		peer->given = peer->link.granted;
	}
	memset(&back, 0, sizeof back);
	back.major = HM_WIRE_MAJOR;
	back.minor = HM_WIRE_MINOR;
	back.kind = hello->kind;
	back.session = hello->session;
	back.max_message = router->limits.max_message;
	back.received = peer->link.received;
	back.credit = peer->given;
	back.addr.p = router_id(router);
	back.addr.n = strlen(back.addr.p);
	back.name.p = peer->name;
	back.name.n = strlen(peer->name);
	conn_answer(conn, &back);
	if (conn->state == CONN_CLOSED) {
		(void)hm_fail(err, ENOMEM, "no memory");
		peer_over(peer, err);
		return -1;
	}
	if (resume && peer_resumed(peer, conn, hello, err) == -1) {
		peer_over(peer, err);
		return -1; /* still among the ungreeted: "ended" takes it out */
	}
	greeting_remove(router, conn);
	if (resume)
		return 0;
	peer_open(peer, conn, hello);
	if (peer->kind == PEER_NAME && router->ops.up != NULL)
		router->ops.up(router->arg, peer->name);
	return 0;
}

static void
ended(struct conn *conn, const struct hm_error *err)
{
	struct hm_router *router = conn->owner;

	hm_log(router->loop, HM_LOG_DEBUG, "connection (%s): %s", "ungreeted",
	    err->code == 0 ? "closed" : err->text);
	greeting_remove(router, conn);
	conn_bury(router, conn);
}

const struct conn_ops accept_conn_ops = {NULL, greeted, ended};

/* No descriptors: the reserve is given up to take one, say so and close it. */
static void
refuse_one(struct hm_router *router, int listening)
{
	struct hm_error why;
	int fd;

	(void)hm_fail(&why, EMFILE, "it has no descriptors left");
	(void)close(router->reserve_fd);
	fd = sys_accept(listening);
	if (fd != -1)
		refusal_send(fd, &why);
	router->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	hm_log(router->loop, HM_LOG_WARNING,
	    "connection refused (%s): no descriptors left", router_id(router));
}

static void
on_rested(void *arg)
{
	struct listener *listener = arg;

	(void)hm_watch_start(listener->router->loop, &listener->watch,
	    listener->watch.fd, POLLIN);
}

/* No connection could be taken. */
static void
accept_failed(struct listener *listener, int listening)
{
	struct hm_router *router = listener->router;

	if ((errno == EMFILE || errno == ENFILE) && router->reserve_fd != -1) {
		refuse_one(router, listening);
		return;
	}
	/* It stays readable: looked at again after a while. */
	if (errno != EAGAIN &&
	    hm_timer_start(router->loop, &listener->rest, REST_MS) == 0)
		(void)hm_watch_start(
		    router->loop, &listener->watch, listening, 0);
}

static void
on_accept(void *arg, int listening, short revents)
{
	struct listener *listener = arg;
	struct hm_router *router = listener->router;
	struct conn *conn;
	int fd, i;

	(void)revents;
	for (i = 0; i < ACCEPT_TURN; i++) {
		fd = sys_accept(listening);
		if (fd == -1 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd == -1) {
			accept_failed(listener, listening);
			return;
		}
		conn = conn_accepted(router->loop, &router->arena, fd,
		    listener->addr.transport, router->limits.greeting_timeout,
		    &accept_conn_ops, router);
		if (conn != NULL)
			conn_keep(router, conn);
	}
}

int
listener_add(struct hm_router *router, int fd, const struct hm_addr *addr)
{
	struct listener *listener = calloc(1, sizeof *listener);

	if (listener == NULL)
		return -1;
	listener->router = router;
	listener->addr = *addr;
	sys_bound_note(&listener->bound, hm_addr_path(addr));
	listener->watch.fn = on_accept;
	listener->watch.arg = listener;
	listener->rest.fn = on_rested;
	listener->rest.arg = listener;
	listener->watch.fd = -1;
	if (hm_watch_start(router->loop, &listener->watch, fd, POLLIN)) {
		free(listener);
		return -1;
	}
	listener->next = router->listeners;
	router->listeners = listener;
	return 0;
}

void
listeners_close(struct hm_router *router)
{
	struct listener *listener;
	int fd;

	while ((listener = router->listeners) != NULL) {
		router->listeners = listener->next;
		fd = listener->watch.fd;
		hm_timer_stop(router->loop, &listener->rest);
		hm_watch_stop(router->loop, &listener->watch);
		(void)close(fd);
		sys_bound_remove(
		    &listener->bound, hm_addr_path(&listener->addr));
		free(listener);
	}
}
