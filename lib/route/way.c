/*
 * Ways: where a destination leads, and what may come over which link.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "route/peer.h"

static bool
slice_is(struct hm_slice slice, const char *text)
{
	size_t n = strlen(text);

	return slice.n == n && memcmp(slice.p, text, n) == 0;
}

int
no_way(struct hm_error *err, const char *fmt, const struct hm_slice *a,
    const char *b)
{
	return hm_fail(err, EHOSTUNREACH, fmt, (int)a->n, a->p, b);
}

static struct router_local *
find_local(
    const struct hm_router *router, const struct hm_idref *dest, bool any)
{
	struct router_local *local;

	for (local = router->locals; local != NULL; local = local->next) {
		if (!slice_is(dest->proc, local->name))
			continue;
		if (local->addr[0] == '\0' ? any
					   : slice_is(dest->addr, local->addr))
			return local;
	}
	return NULL;
}

/* A host behind its address: the link there is, or a new one to be dialed. */
static int
route_away(struct hm_router *router, const struct hm_idref *dest,
    const struct peer *from, struct peer **peer, struct hm_error *err)
{
	char text[HM_ADDR_SIZE];
	struct hm_addr addr;
	bool far = from != NULL && from->remote;
	const char *via;

	if (router->sealed)
		return no_way(
		    err, "%.*s is outside this proc%s", &dest->addr, "");
	(void)snprintf(
	    text, sizeof text, "%.*s", (int)dest->addr.n, dest->addr.p);
	via = route_via(router, text);
	if (via == NULL)
		via = text;
	*peer = peer_find(router, via, strlen(via));
	if (far && !router->relay &&
	    (*peer == NULL || (*peer)->kind == PEER_HOST) && *peer != from)
		return no_way(err,
		    "%.*s is another host; this one does not relay (%s)",
		    &dest->addr, "--relay");
	if (*peer != NULL)
		return 0;
	if (hm_addr_parse(&addr, via, 0, err) == -1)
		return -1;
	/* Another link each time, and perhaps to this host itself. */
	if (strcmp(addr.text, via) != 0)
		return no_way(
		    err, "%.*s is no address, %s is", &dest->addr, addr.text);
	if (addr.transport == HM_TRANSPORT_LOCAL)
		return no_way(
		    err, "%.*s is not in this process%s", &dest->addr, "");
	*peer = peer_new(router, PEER_HOST, "", addr.text);
	return *peer == NULL ? hm_fail(err, ENOMEM, "no memory") : 0;
}

/* Where unknown names of ours go, unless they come from there. */
static struct peer *
by_default(struct hm_router *router, const struct peer *from)
{
	const char *via = route_via(router, NULL);
	struct peer *peer;

	if (via == NULL || (from != NULL && from->remote && !router->relay))
		return NULL;
	peer = peer_find(router, via, strlen(via));
	if (peer == NULL)
		peer = peer_new(router, PEER_HOST, "", via);
	return peer == from ? NULL : peer;
}

int
route(struct hm_router *router, const struct hm_head *head,
    const struct peer *from, struct peer **peer, struct router_local **local,
    struct hm_error *err)
{
	const struct hm_idref *dest = &head->dest;
	bool own = router_owns(router, dest->addr);
	/* A stand-alone proc may be bound to a name of a host, whose address
	 * is then in what comes; a host's own procs are not. */
	bool bound = from != NULL && router->ops.greet == NULL;

	*peer = NULL;
	*local = find_local(router, dest, own || bound);
	if (*local == NULL && router->sealed)
		*local = router->rest;
	if (*local != NULL)
		return 0;
	/* Only what is posted here goes there: the host would close the link
	 * over a sender of somebody else. */
	if (from != NULL && router->attaches)
		return no_way(err, "no proc '%.*s' here (%s)", &dest->proc,
		    router_id(router));
	if (router->attaches) {
		*peer = router->uplink;
		return *peer != NULL ? 0
				     : no_way(err, "%.*s: link to the host%s",
					   &dest->proc, " is lost");
	}
	if (!own)
		return route_away(router, dest, from, peer, err);
	*peer = peer_find(router, dest->proc.p, dest->proc.n);
	if (*peer == NULL)
		*peer = by_default(router, from);
	if (*peer == NULL)
		*local = router->rest;
	if (*peer == NULL && *local == NULL)
		return no_way(err, "no proc '%.*s' on %s", &dest->proc,
		    router_id(router));
	return 0;
}

static bool
is_tcp(struct hm_slice addr)
{
	return addr.n >= 4 && memcmp(addr.p, "tcp:", 4) == 0;
}

int
check_reach(
    const struct hm_head *head, const struct peer *to, struct hm_error *err)
{
	struct hm_slice back = head->sender.addr;

	if (to->kind != PEER_HOST || !to->remote)
		return 0;
	if (is_tcp(back) &&
	    (!hm_head_header(head, "reply-to", &back) || is_tcp(back)))
		return 0;
	return no_way(err,
	    "%.*s cannot be reached from there; start the host with -l tcp:%s",
	    &back, "…");
}

/* Does a route of ours lead to that peer? */
static bool
is_via(const struct peer *peer)
{
	const struct way *way = peer->router->ways;

	while (way != NULL && strcmp(way->via, peer->addr) != 0 &&
	       strcmp(way->via, peer->id) != 0)
		way = way->next;
	return way != NULL;
}

bool
sender_fits(const struct peer *peer, const struct hm_head *head)
{
	const struct hm_slice *addr = &head->sender.addr;

	if (peer->router->any_sender)
		return true;
	switch (peer->kind) {
	case PEER_NAME:
		if (router_owns(peer->router, *addr))
			return slice_is(head->sender.proc, peer->name);
		/* Who is bound has an address of its own, too. */
		return peer->dials && slice_is(*addr, peer->id);
	case PEER_HOST:
	case PEER_CROSS:
		return slice_is(*addr, peer->id) ||
		       (is_via(peer) && !router_owns(peer->router, *addr));
	default:
		return true; /* our host vouches for what it passes on */
	}
}

bool
may_go_on(const struct peer *peer, const struct hm_head *head)
{
	return peer->router->any_sender || peer->kind == PEER_NAME ||
	       is_via(peer) ||
	       (peer->kind != PEER_UPLINK &&
		   router_owns(peer->router, head->sender.addr));
}
