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

struct passage *
passage_new(struct peer *from)
{
	struct passage *passage = calloc(1, sizeof *passage);

	if (passage == NULL)
		return NULL;
	passage->from = from;
	passage->next = from->passages;
	from->passages = passage;
	from->npassages++;
	return passage;
}

void
passage_drop(struct passage *passage)
{
	struct store *store = passage->store;

	if (store != NULL) {
		store_end(passage);
		source_drop(&store->source);
	}
	hm_envelope_free(passage->env);
	passage->env = NULL;
}

void
passages_check(struct peer *peer, uint64_t now)
{
	uint64_t timeout = peer->router->limits.delivery_timeout;
	bool never = timeout == 0;
	struct passage *passage;

	if (never)
		timeout = UNMOVED_MS;
	for (passage = peer->passages; passage != NULL;
	     passage = passage->next) {
		/* Its sender can't go on with one that waits here. */
		if (passage->store == NULL ||
		    (never && passage->store->waits) ||
		    !store_is_late(passage->store, now, timeout))
			continue;
		settle_back(peer, passage->number, HM_TIMED_OUT,
		    "it came in part, and no further");
		passage_drop(passage);
	}
}

void
passage_stop(struct passage *passage, const struct settlement *how)
{
	struct peer *to = passage->to;

	passage->to = NULL;
	link_abort(&to->link, flow_queue(passage->flow, to), passage->out, how);
	turns_next(to);
}

void
passage_end(struct passage *passage)
{
	struct passage **p = &passage->from->passages;

	while (*p != passage)
		p = &(*p)->next;
	*p = passage->next;
	passage->from->npassages--;
	passage_drop(passage);
	if (passage->to != NULL)
		turn_whole(passage->to, passage->out);
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
			passage_stop(passage, &how);
		passage_end(passage);
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
