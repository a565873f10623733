/*
 * Two hosts have one link, whichever of them dialed it.
 *
 * When both dial at the same time each finds the other's greeting while its own
 * dial is under way.  Whoever has not said HELLO yet lets its own dial go.  Of
 * two that have, the one of the lower id address stays, and only that side
 * decides: it refuses the other's greeting as long as it waits for an answer;
 * the other side puts its greeting off until its own dial has been refused, or
 * taken after all.  So both always mean the same connection.
 *
 * A greeting that comes while a link stands is another life of its host, whose
 * last one was not found dead yet.  It is listened to beside the first
 * (PEER_CROSS), and takes its place when that has ended.
 */
#include <errno.h>
#include <string.h>

#include "route/peer.h"

struct peer *
cross_second(const struct hm_router *router, const char *addr)
{
	struct peer *peer = router->peers;

	while (peer != NULL &&
	       (peer->kind != PEER_CROSS || strcmp(peer->addr, addr) != 0))
		peer = peer->next;
	return peer;
}

/* Both have said HELLO. */
static int
cross(struct hm_router *router, const char *addr, struct hm_error *err)
{
	if (strcmp(router_id(router), addr) < 0)
		return hm_fail_kind(err, HM_ERR_EXISTS, EEXIST,
		    "dials have crossed, that of %s stays", router_id(router));
	router->crossed = true;
	return 1;
}

int
cross_greet(struct hm_router *router, const char *addr, struct peer **peer,
    struct hm_error *err)
{
	struct peer *old = peer_find(router, addr, strlen(addr));
	struct hm_error life;

	/* It has begun another life; ours was the side that waited. */
	if (old != NULL && old->resuming && !old->dialed) {
		(void)hm_fail(&life, ECONNRESET, "it came anew");
		old = start_anew(old, &life);
	}
	if (old != NULL && !old->resuming && old->conn != NULL &&
	    old->conn->state == CONN_DIALING) {
		conn_bury(router, old->conn);
		old->conn = NULL;
	}
	if (old != NULL && !old->resuming && old->conn == NULL) {
		hm_timer_stop(router->loop, &old->retry);
		*peer = old;
		return 0;
	}
	if (old != NULL && !old->resuming && old->conn->link == NULL)
		return cross(router, addr, err);
	*peer =
	    peer_new(router, old == NULL ? PEER_HOST : PEER_CROSS, "", addr);
	return *peer == NULL ? hm_fail(err, ENOMEM, "no memory") : 0;
}

void
cross_again(struct hm_router *router)
{
	struct conn *conn, *next;

	if (!router->crossed)
		return;
	router->crossed = false;
	for (conn = router->greeting; conn != NULL; conn = next) {
		next = conn->next;
		conn_retry(conn);
	}
}
