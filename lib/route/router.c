/*
 * The router: its addresses, names and listeners, and what happens at the end
 * of a turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "route/peer.h"

/* Rounds of "what is written frees what may be written" in one turn. */
#define TURN_ROUNDS 4

static void
flush_dirty(struct hm_router *router)
{
	struct peer *peer;
	struct hm_error err;

	while ((peer = router->dirty) != NULL) {
		router->dirty = peer->dirty_next;
		peer->dirty = peer->lazy = false;
		link_hold(&peer->link); /* a flush that fails ends it */
		turns_next(peer);
		outgoing_pump(peer);
		if (peer->conn != NULL) {
			conn_flush(peer->conn);
		} else if (peer->addr[0] != '\0' && peer->kind != PEER_CROSS &&
			   (!peer->resuming || peer->dialed) &&
			   !hm_timer_running(&peer->retry) &&
			   peer_dial(peer, &err) == -1) {
			dial_failed(peer, &err);
		}
		if (!peer->gone) {
			peer_calm(peer);
			peer_waits(peer);
			if (peer->link.again)
				peer_due(peer, false);
			peer->link.again = false;
		}
		link_drop(&peer->link);
	}
}

static void
tell_progress(struct hm_router *router)
{
	struct router_local *local, *next;

	router->progress = false;
	for (local = router->locals; local != NULL && !router->over;
	     local = next) {
		next = local->next;
		local->progress(local);
	}
}

static void
free_closed(struct hm_router *router)
{
	struct conn *conn;

	while ((conn = router->closed) != NULL) {
		router->closed = conn->next;
		conn_free(conn);
	}
}

static void
close_idle(struct hm_router *router)
{
	struct peer *peer, *next;

	for (peer = router->peers; peer != NULL; peer = next) {
		next = peer->next;
		if (peer->conn == NULL || peer->conn->link == NULL ||
		    peer->conn->state != CONN_OPEN || peer->outgoing != NULL)
			continue;
		link_gather(&peer->link);
		/* "Not sent" is what a BYE makes of all that is unsettled. */
		if (peer->link.park.head != NULL || peer->link.coming > 0 ||
		    link_lanes_bytes(&peer->link) > 0)
			continue;
		link_say_bye(&peer->link, "");
		conn_leave(peer->conn, 1000);
	}
}

/* false: a callback has freed the router. */
static bool
turn_ends(struct hm_router *router)
{
	int i;

	cross_again(router);
	for (i = 0; i < TURN_ROUNDS; i++) {
		if (router->turn_due)
			stores_go(router);
		home_deliver_returns(router);
		if (router->progress)
			tell_progress(router);
		if (router->over)
			return false;
		flush_dirty(router);
		if (router->returns == NULL && !router->progress &&
		    !router->turn_due && router->dirty == NULL)
			break;
	}
	flows_weigh(router);
	free_closed(router);
	if (router->closing)
		close_idle(router);
	return true;
}

static void
end_of_turn(void *arg)
{
	struct hm_router *router = arg;
	char why[HM_ERROR_TEXT];
	bool there;

	router->refs++;
	there = turn_ends(router);
	router_drop(router);
	if (!there)
		return;
	if (router->returns != NULL || router->progress || router->turn_due ||
	    router->dirty != NULL) {
		hm_task_start(router->loop, &router->task);
		return;
	}
	if (router->lost[0] == '\0')
		return;
	memcpy(why, router->lost, sizeof why);
	router->lost[0] = '\0';
	if (router->ops.lost != NULL)
		router->ops.lost(router->arg, why);
}

static void
on_lazy(void *arg)
{
	struct hm_router *router = arg;
	struct peer *peer;

	for (peer = router->peers; peer != NULL; peer = peer->next) {
		if (peer->lazy)
			peer_due(peer, true);
	}
}

struct hm_router *
router_new(struct hm_loop *loop, const struct hm_limits *limits,
    const struct router_ops *ops, void *arg, struct hm_error *err)
{
	struct hm_router *router = calloc(1, sizeof *router);

	if (router == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	router->refs = 1;
	router->loop = loop;
	router->limits = *limits;
	router->ops = *ops;
	router->arg = arg;
	router->pool.limit = limits->host_memory;
	router->task.fn = end_of_turn;
	router->task.arg = router;
	router->lazy.fn = on_lazy;
	router->lazy.arg = router;
	router->tick.fn = progress_tick;
	router->tick.arg = router;
	router->uid = (uint32_t)geteuid();
	router->pid = (uint32_t)getpid();
	router->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	home_init(router);
	return router;
}

void
router_drop(struct hm_router *router)
{
	if (--router->refs == 0)
		free(router);
}

void
router_free(struct hm_router *router)
{
	struct own *own;
	struct way *way;
	struct conn *conn;

	if (router == NULL)
		return;
	router->ops = (struct router_ops){NULL, NULL, NULL, NULL};
	listeners_close(router);
	while (router->peers != NULL)
		peer_end(router->peers, HM_UNKNOWN, "node is gone");
	flows_weigh(router); /* lets go of those it was to look at */
	while ((conn = router->greeting) != NULL) {
		router->greeting = conn->next;
		conn_free(conn);
	}
	free_closed(router);
	home_fini(router);
	hm_task_stop(router->loop, &router->task);
	hm_timer_stop(router->loop, &router->lazy);
	hm_timer_stop(router->loop, &router->tick);
	hm_timer_stop(router->loop, &router->close_timer);
	chunk_arena_fini(&router->arena);
	while ((way = router->ways) != NULL) {
		router->ways = way->next;
		free(way);
	}
	while ((own = router->own) != NULL) {
		router->own = own->next;
		free(own);
	}
	if (router->reserve_fd != -1)
		(void)close(router->reserve_fd);
	router->over = true;
	router_drop(router);
}

static void
on_close(void *arg)
{
	struct hm_router *router = arg;

	while (router->peers != NULL)
		peer_end(router->peers, HM_UNKNOWN, "node has ended");
}

void
router_close(struct hm_router *router, uint64_t ms)
{
	listeners_close(router);
	router->closing = true;
	router->close_timer.fn = on_close;
	router->close_timer.arg = router;
	if (hm_timer_start(router->loop, &router->close_timer, ms) == -1)
		on_close(router);
	hm_task_start(router->loop, &router->task);
}

bool
router_closing(const struct hm_router *router)
{
	const struct peer *peer;

	for (peer = router->peers; peer != NULL; peer = peer->next) {
		if (peer->conn != NULL && peer->conn->link != NULL)
			return true;
	}
	return false;
}

int
router_own(struct hm_router *router, const char *addr)
{
	struct own *own = calloc(1, sizeof *own), **p = &router->own;

	if (own == NULL)
		return -1;
	snprintf(own->addr, sizeof own->addr, "%s", addr);
	while (*p != NULL)
		p = &(*p)->next;
	*p = own;
	router->generation++;
	return 0;
}

bool
router_owns(const struct hm_router *router, struct hm_slice addr)
{
	const struct own *own;

	for (own = router->own; own != NULL; own = own->next) {
		if (strlen(own->addr) == addr.n &&
		    memcmp(own->addr, addr.p, addr.n) == 0)
			return true;
	}
	return false;
}

const char *
router_id(const struct hm_router *router)
{
	if (router->own != NULL)
		return router->own->addr;
	return router->locals != NULL ? router->locals->addr : "";
}

struct hm_loop *
router_loop(const struct hm_router *router)
{
	return router->loop;
}

const struct hm_limits *
router_limits(const struct hm_router *router)
{
	return &router->limits;
}

int
router_serve(struct hm_router *router, const struct hm_addr *addr,
    const char *dir, unsigned mode, bool replace, struct hm_addr *got,
    struct hm_error *err)
{
	struct hm_addr where;
	const char *path;
	int fd = sys_listen(addr, dir, mode, replace, &where, err);

	if (fd == -1)
		return -1;
	if (listener_add(router, fd, &where) == -1) {
		(void)close(fd);
		path = hm_addr_path(&where);
		if (path != NULL)
			(void)unlink(path);
		return hm_fail(err, ENOMEM, "no memory");
	}
	if (got != NULL)
		*got = where;
	return 0;
}

void
router_unserve(struct hm_router *router)
{
	listeners_close(router);
}

void
router_open_to_all(struct hm_router *router)
{
	router->open_to_all = true;
}

void
router_relay(struct hm_router *router)
{
	router->relay = true;
}

void
router_seal(struct hm_router *router)
{
	router->sealed = true;
}

void
router_any_sender(struct hm_router *router)
{
	router->any_sender = true;
}

void
router_reclaim(struct hm_router *router)
{
	struct peer *peer;

	for (peer = router->peers; peer != NULL; peer = peer->next)
		link_reclaim(&peer->link);
}

int
router_route(struct hm_router *router, const char *addr, const char *via)
{
	struct way *way = calloc(1, sizeof *way);

	if (way == NULL)
		return -1;
	(void)snprintf(
	    way->addr, sizeof way->addr, "%s", addr == NULL ? "" : addr);
	(void)snprintf(way->via, sizeof way->via, "%s", via);
	way->next = router->ways;
	router->ways = way;
	router->generation++;
	return 0;
}

const char *
route_via(const struct hm_router *router, const char *addr)
{
	const struct way *way = router->ways;

	while (way != NULL && strcmp(way->addr, addr == NULL ? "" : addr) != 0)
		way = way->next;
	return way == NULL ? NULL : way->via;
}

int
router_attach(struct hm_router *router, const struct router_attach *how,
    void (*done)(void *arg, const char *name, const char *host_id,
	const struct hm_error *err),
    void *arg, struct hm_error *err)
{
	struct peer *peer =
	    peer_new(router, PEER_UPLINK, how->name, how->host->text);

	if (peer == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	router->uplink = peer;
	router->attaches = true;
	router->attach_kind = how->kind;
	router->attached = done;
	router->attached_arg = arg;
	snprintf(router->token, sizeof router->token, "%s", how->token);
	if (peer_dial(peer, err) == 0)
		return 0;
	router->attached = NULL;
	peer_end(peer, HM_NOT_SENT, err->text);
	return -1;
}

int
router_add_local(struct hm_router *router, struct router_local *local)
{
	/* Without a name nothing is sent to it. */
	if (local->name[0] != '\0' && router_taken(router, local->name)) {
		errno = EEXIST;
		return -1;
	}
	local->router = router;
	if (home_enter(local) == -1)
		return -1;
	local->next = router->locals;
	router->locals = local;
	router->generation++;
	return 0;
}

int
router_add_rest(struct hm_router *router, struct router_local *local)
{
	if (router_add_local(router, local) == -1)
		return -1;
	router->rest = local;
	return 0;
}

void
router_remove_local(struct router_local *local)
{
	struct hm_router *router = local->router;
	struct router_local **p = &router->locals;

	while (*p != NULL && *p != local)
		p = &(*p)->next;
	if (*p == NULL)
		return;
	*p = local->next;
	if (router->rest == local)
		router->rest = NULL;
	router->generation++;
	stores_leave(local);
	home_leave(local);
}

void
router_hurry(struct hm_router *router)
{
	struct peer *peer;

	for (peer = router->peers; peer != NULL; peer = peer->next) {
		if (peer->link.ledger.unsettled > 0)
			link_ask(&peer->link);
	}
}
