/*
 * Resuming: a TCP link that broke goes on over a new connection.
 *
 * Whoever dialed it dials again, as long as LINK_SESSION_TIMEOUT allows, and
 * greets with the session's number and how many records it has; the answer
 * says the same of the other direction, and each side sends the rest.  A link
 * that said BYE, broke the protocol, or is a Unix link is over instead.
 *
 * Where the first answer was lost the dialer does not know that the session has
 * begun: it says the same HELLO again, and that resumes from the beginning.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "route/peer.h"

/* So many may come back at any time, and as many more as keep, with the least
 * window each, so much of HOST_MEMORY. */
#define RESUMING_LEAST 16
#define RESUMING_SHARE 8

void
peer_give_up(struct peer *peer)
{
	struct hm_error err;

	(void)hm_fail(&err, ETIMEDOUT, "%s", peer->trouble);
	if (peer->kind == PEER_HOST)
		(void)start_anew(peer, &err);
	else
		peer_over(peer, &err);
}

/* Another session waits: with too many the one that has waited longest is given
 * up.  Each keeps its credit, of which there would be none for who comes new.
 */
static void
make_room(struct hm_router *router)
{
	struct peer *peer, *oldest = NULL;
	uint64_t n = 0;

	for (peer = router->peers; peer != NULL; peer = peer->next) {
		if (!peer->resuming || peer->dialed)
			continue;
		n++;
		if (oldest == NULL ||
		    peer->resume_until <= oldest->resume_until)
			oldest = peer;
	}
	if (n > RESUMING_LEAST +
		    router->pool.limit / RESUMING_SHARE / LINK_WINDOW_MIN)
		peer_give_up(oldest);
}

bool
peer_suspend(struct peer *peer, const struct hm_error *err)
{
	struct hm_router *router = peer->router;
	uint64_t pause = peer->dialed ? 0 : router->limits.session_timeout;

	if (!peer->link.keep || peer->link.lame || peer->bye ||
	    router->closing || err->code == EPROTO ||
	    router->limits.session_timeout == 0)
		return false;
	snprintf(peer->trouble, sizeof peer->trouble, "%.95s",
	    err->code == 0 ? "link broke" : err->text);
	peer->resuming = true;
	peer->resume_until =
	    hm_loop_now(router->loop) + router->limits.session_timeout;
	if (hm_timer_start(router->loop, &peer->retry, pause) == -1)
		return false;
	if (!peer->dialed)
		make_room(router);
	return true;
}

bool
peer_resume_expired(const struct peer *peer)
{
	return peer->resuming &&
	       hm_loop_now(peer->router->loop) >= peer->resume_until;
}

int
peer_resumed(struct peer *peer, struct conn *conn, const struct hm_hello *hello,
    struct hm_error *err)
{
	if (link_resumed(&peer->link, hello->received) == -1)
		return hm_fail(err, EPROTO, "peer has what was never sent");
	hm_timer_stop(peer->router->loop, &peer->retry);
	peer->resuming = false;
	peer->backoff = 0;
	peer->trouble[0] = '\0';
	conn->ops = &dial_conn_ops;
	conn->owner = peer;
	peer->conn = conn;
	conn_open(conn, &peer->link);
	peer_due(peer, true);
	return 0;
}

static struct peer *
find(const struct hm_router *router, uint64_t session)
{
	struct peer *peer = router->peers;

	while (peer != NULL &&
	       (peer->session != session || !peer->link.keep || peer->dialed))
		peer = peer->next;
	return peer;
}

bool
session_known(const struct hm_router *router, const struct hm_hello *hello)
{
	return find(router, hello->session) != NULL;
}

struct peer *
peer_of_session(struct hm_router *router, const struct hm_hello *hello,
    struct hm_error *err)
{
	struct peer *peer = find(router, hello->session);

	/* A HELLO that comes again has not had its answer; when more has gone
	 * over the link it is an old one. */
	if (peer == NULL ||
	    (hello->kind != HM_HELLO_RESUME &&
		(peer->link.received > 0 || peer->link.acked > 0))) {
		(void)hm_fail_kind(err, HM_ERR_DENIED, ESTALE,
		    "session is not known any more");
		return NULL;
	}
	/* The connection it had is dead, only nobody has told us yet. */
	if (peer->conn != NULL) {
		peer->conn->link = NULL;
		conn_bury(router, peer->conn);
		peer->conn = NULL;
	}
	return peer;
}
