/*
 * Passages: messages whose pieces are still coming in over a link, each on its
 * way to another link, or being put together for a local proc.
 */
#include <stdlib.h>
#include <string.h>

#include "route/peer.h"

/* A payload is not believed to come before it does. */
#define PAYLOAD_FIRST ((size_t)64 * 1024)
/* Where messages never time out, one in part does all the same. */
#define UNMOVED_MS 30000

struct passage *
passage_find(struct peer *from, uint64_t number)
{
	struct passage *passage = from->passages;

	while (passage != NULL && passage->number != number)
		passage = passage->next;
	return passage;
}

/* What was put together of it is thrown away; the rest will be, too. */
static void
passage_drop(struct hm_router *router, struct passage *passage)
{
	if (passage->local != NULL)
		router->unfinished -= passage->whole;
	passage->local = NULL;
	hm_envelope_free(passage->env);
	passage->env = NULL;
}

void
passages_check(struct peer *peer, uint64_t now)
{
	struct hm_router *router = peer->router;
	uint64_t timeout = router->limits.delivery_timeout;
	struct passage *passage;

	if (timeout == 0)
		timeout = UNMOVED_MS;
	for (passage = peer->passages; passage != NULL;
	     passage = passage->next) {
		if (passage->env == NULL || now - passage->moved < timeout)
			continue;
		settle_back(peer, passage->number, HM_TIMED_OUT,
		    "it came in part, and no further");
		passage_drop(router, passage);
	}
}

void
passages_leave(struct hm_router *router, const struct router_local *local)
{
	struct peer *peer;
	struct passage *passage;

	for (peer = router->peers; peer != NULL; peer = peer->next) {
		for (passage = peer->passages; passage != NULL;
		     passage = passage->next) {
			if (passage->local != local || passage->env == NULL)
				continue;
			settle_back(peer, passage->number, HM_NOT_SENT,
			    "proc has ended");
			passage_drop(router, passage);
		}
	}
}

void
passage_end(struct peer *from, struct passage *passage)
{
	struct passage **p = &from->passages;

	while (*p != passage)
		p = &(*p)->next;
	*p = passage->next;
	from->npassages--;
	passage_drop(from->router, passage);
	if (passage->flow != NULL)
		source_drop(flow_source(passage->flow));
	free(passage);
}

void
passages_to_end(struct hm_router *router, const struct peer *to)
{
	struct peer *peer;
	struct passage *passage;

	for (peer = router->peers; peer != NULL; peer = peer->next) {
		for (passage = peer->passages; passage != NULL;
		     passage = passage->next) {
			if (passage->to == to)
				passage->to = NULL;
		}
	}
}

void
passages_free(struct peer *peer)
{
	static const struct settlement how = {
	    HM_NOT_SENT, {"sender has gone", 15}, {"", 0}, false};
	struct passage *passage;

	while ((passage = peer->passages) != NULL) {
		if (passage->to != NULL)
			link_abort(&passage->to->link,
			    flow_queue(passage->flow, passage->to),
			    passage->out, &how);
		passage_end(peer, passage);
	}
}

/* Bytes of payload are added to what is being put together. */
int
passage_collect(struct passage *passage, const unsigned char *p, size_t len)
{
	struct hm_envelope *env = passage->env;
	uint64_t whole = env->payload_len + passage->missing;
	unsigned char *payload;
	size_t room = passage->room;

	if (len > room - env->payload_len) {
		room = room == 0 ? PAYLOAD_FIRST : room * 2;
		if (room < env->payload_len + len)
			room = env->payload_len + len;
		if (room > whole)
			room = (size_t)whole;
		payload = realloc(env->payload, room);
		if (payload == NULL)
			return -1;
		env->payload = payload;
		passage->room = room;
	}
	if (len > 0)
		memcpy(env->payload + env->payload_len, p, len);
	env->payload_len += len;
	return 0;
}
