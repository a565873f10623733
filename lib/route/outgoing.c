/*
 * Outgoing: messages of this process that do not go as one piece.
 *
 * They wait in their peer's list and go piece by piece, in turns, but never
 * past an earlier one of the same sender and port.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "route/peer.h"

/* Pieces of this node's own are made while less than this is parked. */
#define PARK_LOW (4 * HM_PIECE_MAX)

struct queue *
outgoing_queue(struct peer *peer, const struct hm_envelope *env)
{
	if (peer->link.lanes == NULL)
		return &peer->link.park;
	return link_queue(&peer->link, hm_head_dest(env->head));
}

void
outgoing_free(struct peer *peer, struct outgoing **p)
{
	struct outgoing *outgoing = *p;

	*p = outgoing->next;
	if (*p == NULL)
		peer->outgoing_end = p;
	peer->home_bytes -= outgoing->env->payload_len - outgoing->sent;
	free(outgoing);
}

/* A message that is settled before it was wholly sent is not sent on. */
void
outgoing_stop(struct peer *peer, const struct hm_envelope *env,
    const struct settlement *how)
{
	struct outgoing **p = &peer->outgoing;
	uint64_t out;

	while (*p != NULL && (*p)->env != env)
		p = &(*p)->next;
	if (*p == NULL)
		return;
	out = (*p)->out;
	outgoing_free(peer, p);
	if (out != 0 && !peer->link.dead)
		link_abort(&peer->link, outgoing_queue(peer, env), out, how);
}

/* One DATA record of env: with its head when from is 0, len payload bytes. */
int
outgoing_piece(struct peer *peer, const struct hm_envelope *env,
    uint64_t number, size_t from, size_t len)
{
	struct hm_record rec = {0, HM_REC_DATA, 0, 0};
	size_t head = from == 0 ? env->head_len : 0;
	size_t size = HM_DATA_HEADER + head + len;
	bool last = from + len == env->payload_len;
	struct chunk *chunk = chunk_current(&peer->router->arena, size);
	unsigned char *p;

	if (chunk == NULL)
		return -1;
	p = chunk->bytes + chunk->used;
	rec.len = (uint32_t)(size - HM_RECORD_HEADER);
	rec.extra = (uint16_t)head;
	rec.flags = (uint8_t)((from == 0 ? HM_DATA_FIRST : 0) |
			      (last ? HM_DATA_LAST : 0));
	hm_record_header(p, &rec);
	memcpy(p + HM_DATA_HEADER, env->head, head);
	if (head > 0)
		p[HM_DATA_HEADER + HM_HEAD_TTL]--;
	if (len > 0)
		memcpy(p + HM_DATA_HEADER + head, env->payload + from, len);
	if (link_park(&peer->link, outgoing_queue(peer, env), number, chunk, p,
		(uint32_t)size, &peer->home, link_cost((uint32_t)size),
		last) == -1)
		return -1;
	chunk->used += size;
	peer->home_bytes += link_cost((uint32_t)size);
	return 0;
}

static bool
same_flow(const struct hm_envelope *a, const struct hm_envelope *b)
{
	struct hm_head x, y;

	hm_head_parse(&x, a->head, a->head_len);
	hm_head_parse(&y, b->head, b->head_len);
	return x.dest.port == y.dest.port && x.dest.index == y.dest.index &&
	       x.sender.index == y.sender.index &&
	       x.dest_proc.n == y.dest_proc.n &&
	       memcmp(x.dest_proc.p, y.dest_proc.p, x.dest_proc.n) == 0 &&
	       x.dest.actor.n == y.dest.actor.n &&
	       memcmp(x.dest.actor.p, y.dest.actor.p, x.dest.actor.n) == 0 &&
	       x.sender.actor.n == y.sender.actor.n &&
	       memcmp(x.sender.actor.p, y.sender.actor.p, x.sender.actor.n) ==
		   0;
}

/* Must env wait behind one of list, up to end, of its sender and port? */
static bool
must_wait(const struct outgoing *list, const struct outgoing *end,
    const struct hm_envelope *env)
{
	for (; list != end; list = list->next) {
		if (same_flow(list->env, env))
			return true;
	}
	return false;
}

int
outgoing_add(struct peer *peer, struct hm_envelope *env)
{
	struct outgoing *outgoing = calloc(1, sizeof *outgoing);

	if (outgoing == NULL)
		return -1;
	outgoing->env = env;
	outgoing->ticket = ++peer->tickets;
	*peer->outgoing_end = outgoing;
	peer->outgoing_end = &outgoing->next;
	peer->home_bytes += env->payload_len;
	peer_due(peer, true);
	return 0;
}

bool
outgoing_holds(const struct peer *peer, const struct hm_envelope *env)
{
	return must_wait(peer->outgoing, NULL, env);
}

/* One piece of the message at *p; it leaves the list with its last. */
static int
send_piece(struct peer *peer, struct outgoing **p)
{
	struct outgoing *outgoing = *p;
	struct hm_envelope *env = outgoing->env;
	size_t len = env->payload_len - outgoing->sent;
	bool whole = len <= HM_PIECE_MAX;

	if (outgoing->out == 0) {
		outgoing->out =
		    link_begin(&peer->link, &peer->home, env->number, whole);
		if (outgoing->out != 0 && !whole)
			turn_take(peer, env, outgoing->out);
	}
	if (outgoing->out == 0)
		return -1;
	if (len > HM_PIECE_MAX)
		len = HM_PIECE_MAX;
	if (outgoing_piece(peer, env, outgoing->out, outgoing->sent, len) == -1)
		return -1;
	outgoing->sent += len;
	peer->home_bytes -= len;
	if (outgoing->sent == env->payload_len) {
		turn_whole(peer, outgoing->out);
		outgoing_free(peer, p);
	}
	return 0;
}

/* Is it to wait for its turn before it begins? */
static bool
asks_turn(const struct outgoing *outgoing)
{
	return outgoing->out == 0 && outgoing->env->payload_len > HM_PIECE_MAX;
}

bool
outgoing_waits(
    const struct peer *peer, struct hm_slice dest, bool large, uint64_t ticket)
{
	const struct outgoing *outgoing = peer->outgoing;
	uint64_t most = peer->link.max_message;

	for (; outgoing != NULL && outgoing->ticket < ticket;
	     outgoing = outgoing->next) {
		if (asks_turn(outgoing) &&
		    is_large(outgoing->env->payload_len, most) == large &&
		    hm_slice_same(hm_head_dest(outgoing->env->head), dest))
			return true;
	}
	return false;
}

/* May a piece of it go, its destination not being held, its turn come? */
static bool
may_go(struct peer *peer, const struct outgoing *outgoing)
{
	const struct hm_envelope *env = outgoing->env;

	if (outgoing_queue(peer, env) != &peer->link.park)
		return false;
	return !asks_turn(outgoing) ||
	       turn_has_come(peer, hm_head_dest(env->head), env->payload_len,
		   outgoing->ticket);
}

/* The next, from p on, that may go and is not behind one of its flow. */
static struct outgoing **
ready(struct peer *peer, struct outgoing **p)
{
	while (*p != NULL &&
	       (must_wait(peer->outgoing, *p, (*p)->env) || !may_go(peer, *p)))
		p = &(*p)->next;
	return p;
}

void
outgoing_pump(struct peer *peer)
{
	struct outgoing **p = ready(peer, &peer->outgoing), *before;

	while (*p != NULL && peer->link.park.bytes < PARK_LOW) {
		before = *p;
		if (send_piece(peer, p) == -1)
			return; /* no memory: tried again with the next turn */
		if (*p == before)
			p = &before->next;
		p = ready(peer, p);
		if (*p == NULL)
			p = ready(peer, &peer->outgoing);
	}
}

void
outgoing_move(struct peer *from, struct peer *to)
{
	struct outgoing **p = &from->outgoing;

	while (*p != NULL) {
		if ((*p)->out == 0 && outgoing_add(to, (*p)->env) == 0)
			outgoing_free(from, p);
		else
			p = &(*p)->next;
	}
}
