/*
 * The names behind a router's own addresses: taken, reserved, bound, free
 * again, and what has gone to and from each.
 */
#include <errno.h>
#include <string.h>

#include "route/peer.h"

bool
find_local_name(const struct hm_router *router, const char *name)
{
	const struct router_local *local;

	for (local = router->locals; local != NULL; local = local->next) {
		if (strcmp(local->name, name) == 0)
			return true;
	}
	return false;
}

bool
router_taken(const struct hm_router *router, const char *name)
{
	return find_local_name(router, name) ||
	       peer_find(router, name, strlen(name)) != NULL;
}

static struct peer *
name_new(struct hm_router *router, const char *name, const char *addr)
{
	if (router_taken(router, name)) {
		errno = EEXIST;
		return NULL;
	}
	return peer_new(router, PEER_NAME, name, addr);
}

int
router_reserve(struct hm_router *router, const char *name)
{
	struct peer *peer = name_new(router, name, "");

	if (peer == NULL)
		return -1;
	peer->reserved = true;
	return 0;
}

int
router_bind(
    struct hm_router *router, const char *name, const struct hm_addr *addr)
{
	struct hm_slice at = {addr->text, strlen(addr->text)};
	struct peer *peer;

	if (router_owns(router, at)) {
		errno = EADDRINUSE;
		return -1;
	}
	peer = name_new(router, name, addr->text);
	if (peer == NULL)
		return -1;
	peer->dials = true;
	return 0;
}

void
router_unbind(struct hm_router *router, const char *name, const char *why)
{
	struct peer *peer = peer_find(router, name, strlen(name));
	struct conn *conn;

	if (peer == NULL)
		return;
	conn = peer->conn;
	link_hold(&peer->link); /* a flush that fails ends it */
	if (conn != NULL && conn->link != NULL) {
		link_say_bye(&peer->link, why);
		conn_flush(conn);
	}
	if (!peer->gone)
		peer_end(peer, HM_UNKNOWN, why);
	link_drop(&peer->link);
}

static uint64_t
count_queue(const struct queue *queue)
{
	const struct run *run;
	uint64_t n = 0;
	struct hm_record rec;
	uint32_t at;

	for (run = queue->head; run != NULL; run = run->next) {
		for (at = 0; at < run->len; at += rec.len + HM_RECORD_HEADER) {
			(void)hm_record_peek(
			    run->p + at, run->len - at, &rec, NULL);
			n += rec.type == HM_REC_DATA &&
			     (rec.flags & HM_DATA_FIRST) != 0;
		}
	}
	return n;
}

static uint64_t
count_parked(const struct peer *peer)
{
	const struct outgoing *outgoing;
	const struct lane *lane;
	uint64_t n = count_queue(&peer->link.park);

	for (lane = peer->link.lanes; lane != NULL; lane = lane->next)
		n += count_queue(&lane->park);
	for (outgoing = peer->outgoing; outgoing != NULL;
	     outgoing = outgoing->next)
		n++;
	return n;
}

int
router_stats(const struct hm_router *router, const char *name,
    struct router_stats *stats)
{
	const struct peer *peer = peer_find(router, name, strlen(name));

	memset(stats, 0, sizeof *stats);
	if (peer == NULL)
		return -1;
	stats->queued = count_parked(peer);
	stats->msgs_in = peer->msgs_in - stats->queued;
	stats->bytes_in = peer->bytes_in;
	stats->msgs_out = peer->msgs_out;
	stats->bytes_out = peer->bytes_out;
	stats->uid = peer->uid;
	stats->pid = peer->pid;
	stats->linked = peer->conn != NULL && peer->conn->link != NULL;
	stats->remote = peer->remote;
	return 0;
}
