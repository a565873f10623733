/*
 * Progress: what waits too long for a peer that takes nothing is returned.
 *
 * The time begins when something waits, however long the peer was idle before,
 * and anew with everything it settles or grants, and with each HOLD that is
 * said again.  What waits for its turn has the time twice: what it waits for
 * may have stopped, and then is given up first.
 */
#include <stdio.h>
#include <string.h>

#include "route/peer.h"

/* What must be retried or given up is looked at so often, while there is any.
 */
#define TICK_MS 250

/* Its window is less than it should be, because the pool is empty. */
static bool
starves(const struct peer *peer)
{
	const struct link *link = &peer->link;

	return peer->conn != NULL &&
	       (link->window < LINK_WINDOW_MIN ||
		   (link->starved && link->granted <= link->window / 2));
}

void
peer_waits(struct peer *peer)
{
	struct hm_router *router = peer->router;
	bool waits = !link_idle(&peer->link) || peer->outgoing != NULL ||
		     peer->passages != NULL;

	if (waits && !peer->waits)
		peer->progress = hm_loop_now(router->loop);
	peer->waits = waits;
	if ((waits || starves(peer)) && !hm_timer_running(&router->tick))
		(void)hm_timer_start(router->loop, &router->tick, TICK_MS);
}

/* A peer that has taken nothing for too long loses what waits for it. */
static void
check_progress(struct peer *peer, uint64_t now)
{
	struct hm_router *router = peer->router;
	uint64_t timeout = router->limits.delivery_timeout, waited;
	struct settlement how = {HM_TIMED_OUT, {NULL, 0},
	    {router_id(router), strlen(router_id(router))}, false};
	char why[HM_ERROR_TEXT];

	if (peer->seen != peer->link.moved) {
		peer->seen = peer->link.moved;
		peer->progress = now;
	}
	waited = now - peer->progress;
	if (peer->link.park.head == NULL && peer->outgoing != NULL)
		waited /= 2;
	if (timeout == 0 || waited < timeout)
		return;
	snprintf(why, sizeof why, "%s took nothing for %llu ms%s%s",
	    peer->kind == PEER_NAME ? peer->name : peer->addr,
	    (unsigned long long)timeout, peer->trouble[0] == '\0' ? "" : ": ",
	    peer->trouble);
	how.reason.p = why;
	how.reason.n = strlen(why);
	peer->progress = now;
	home_return_now(peer, 0, &how);
	link_unpump(&peer->link);
	link_return_parked(&peer->link, &peer->link.park, 0, &how);
}

/* A destination that peer holds has a time of its own. */
static void
check_lanes(struct peer *peer, uint64_t now)
{
	struct hm_router *router = peer->router;
	uint64_t timeout = router->limits.delivery_timeout;
	struct settlement how = {HM_TIMED_OUT, {"held for too long", 17},
	    {router_id(router), strlen(router_id(router))}, false};
	struct lane *lane;
	uint64_t waited;

	for (lane = peer->link.lanes; lane != NULL; lane = lane->next) {
		lane->moved = false;
		if (lane->progress == 0 || lane->park.head == NULL)
			lane->progress = now;
		waited = now - lane->progress;
		if (lane->of != NULL &&
		    link_held(&peer->link, lane_dest(lane)) == NULL)
			waited /= 2;
		if (timeout == 0 || waited < timeout)
			continue;
		lane->progress = now;
		link_return_parked(&peer->link, &lane->park, 0, &how);
	}
}

void
lane_moved(struct peer *peer, struct hm_slice dest)
{
	struct lane *lane = link_held(&peer->link, dest);

	if (lane != NULL) {
		lane->progress = hm_loop_now(peer->router->loop);
		lane->moved = true;
	}
}

void
progress_tick(void *arg)
{
	struct hm_router *router = arg;
	uint64_t now = hm_loop_now(router->loop);
	struct peer *peer, *next;
	bool again = stores_tell(router), starved = false;

	flows_tell(router);
	for (peer = router->peers; peer != NULL; peer = next) {
		next = peer->next;
		if (starves(peer)) {
			starved = true;
			peer_due(peer, true);
		}
		peer_waits(peer);
		if (!peer->waits)
			continue;
		passages_check(peer, now);
		turns_next(peer); /* what was to go first may have timed out */
		turns_tell(peer, now);
		check_lanes(peer, now);
		check_progress(peer, now);
		again = true;
	}
	if (starved)
		router_reclaim(router);
	if (again || starved)
		(void)hm_timer_start(router->loop, &router->tick, TICK_MS);
}
