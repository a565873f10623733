/*
 * Turns: who receives puts messages together and needs room for the whole of
 * each, so large ones for the same proc take turns.
 *
 * Unfinished for it at the same time are large ones of one of the largest that
 * it takes, all in all, and smaller ones of as much again, so these wait for no
 * large one; and of each no more than four times that is not taken yet.  What
 * must wait does so before its first piece: what is posted here among the
 * outgoing; what comes over a link and goes on over another in a lane of that,
 * with all that its flow has behind it, and its sender is held as with
 * everything that waits.
 *
 * A flow never waits while it has something unfinished, since the pieces to
 * come would do so behind it; its origin lets no more begin than that.
 */
#include <stdlib.h>
#include <string.h>

#include "route/peer.h"

/* What is larger than this part of the largest waits with the large. */
#define LARGE 16u

bool
is_large(uint64_t len, uint64_t most)
{
	return len > most / LARGE;
}

bool
fits(const struct taken *taken, uint64_t len, uint64_t most)
{
	return (taken->pieces == 0 || taken->pieces + len <= most) &&
	       (taken->all == 0 || taken->all + len <= STORED_MAX * most);
}

static void
turn_free(struct turn *turn)
{
	if (turn->flow != NULL)
		source_drop(flow_source(turn->flow));
	free(turn);
}

/* What is settled takes nothing any more. */
static void
forget_settled(struct peer *to)
{
	struct turn **p = &to->turns, *turn;

	if (to->forgotten == to->link.ledger.settled)
		return;
	to->forgotten = to->link.ledger.settled;
	while ((turn = *p) != NULL) {
		if (ledger_has(&to->link.ledger, turn->out)) {
			p = &turn->next;
			continue;
		}
		*p = turn->next;
		turn_free(turn);
	}
	to->turns_tail = p;
}

static struct hm_slice
turn_dest(const struct turn *turn)
{
	return turn->flow != NULL ? flow_dest(turn->flow)
				  : hm_head_dest(turn->env->head);
}

/* Is it in a lane of to?  What its flow had sent before is not. */
static bool
is_waiting(const struct turn *turn, const struct peer *to)
{
	return turn->flow != NULL && turn->flow->waits == to &&
	       turn->out >= turn->flow->behind;
}

/* What is on its way to to for dest, of the large or the others. */
static void
add_turns(const struct peer *to, struct hm_slice dest, bool large,
    struct taken *taken)
{
	uint64_t most = to->link.max_message;
	const struct turn *turn;

	taken->pieces = taken->all = 0;
	for (turn = to->turns; turn != NULL; turn = turn->next) {
		if (is_large(turn->len, most) != large ||
		    is_waiting(turn, to) ||
		    !hm_slice_same(turn_dest(turn), dest))
			continue;
		taken->all += turn->len;
		if (!turn->whole)
			taken->pieces += turn->len;
	}
}

/* The first that waits for dest with a message of that kind. */
static struct lane *
first_lane(const struct peer *to, struct hm_slice dest, bool large)
{
	struct lane *lane = to->link.lanes;
	uint64_t most = to->link.max_message;

	while (lane != NULL &&
	       (lane->of == NULL || is_large(lane->turn, most) != large ||
		   !hm_slice_same(lane_dest(lane), dest)))
		lane = lane->next;
	return lane;
}

bool
turn_has_come(
    struct peer *to, struct hm_slice dest, uint64_t len, uint64_t ticket)
{
	uint64_t most = to->link.max_message;
	bool large = is_large(len, most);
	const struct lane *lane = first_lane(to, dest, large);
	struct taken taken;

	forget_settled(to);
	if ((lane != NULL && lane->ticket < ticket) ||
	    outgoing_waits(to, dest, large, ticket))
		return false;
	add_turns(to, dest, large, &taken);
	return fits(&taken, len, most);
}

/* Without memory it goes uncounted. */
static struct turn *
turn_add(struct peer *to, uint64_t out, uint64_t len)
{
	struct turn *turn = calloc(1, sizeof *turn);

	if (turn == NULL)
		return NULL;
	if (to->turns == NULL)
		to->turns_tail = &to->turns;
	*to->turns_tail = turn;
	to->turns_tail = &turn->next;
	turn->out = out;
	turn->len = len;
	return turn;
}

void
turn_take(struct peer *to, const struct hm_envelope *env, uint64_t out)
{
	struct turn *turn = turn_add(to, out, env->payload_len);

	if (turn != NULL)
		turn->env = env;
}

static bool
has_unfinished(const struct flow *flow, const struct peer *to)
{
	const struct turn *turn = to->turns;

	while (turn != NULL && (turn->flow != flow || turn->whole))
		turn = turn->next;
	return turn != NULL;
}

void
turn_ask(struct flow *flow, struct peer *to, uint64_t out, uint64_t len)
{
	uint64_t ticket = ++to->tickets;
	struct lane *lane = NULL;
	struct turn *turn;

	/* Where it can't wait for want of memory it goes at once. */
	if (flow->waits == NULL &&
	    !turn_has_come(to, flow_dest(flow), len, ticket) &&
	    !has_unfinished(flow, to))
		lane = link_wait(&to->link, &flow->source, flow_dest(flow));
	if (lane != NULL) {
		lane->turn = len;
		lane->ticket = ticket;
		flow->waits = to;
		flow->behind = out;
	}
	turn = turn_add(to, out, len);
	if (turn == NULL)
		return;
	turn->flow = flow;
	source_hold(&flow->source);
}

void
turn_whole(struct peer *to, uint64_t out)
{
	struct turn *turn = to->turns;

	while (turn != NULL && turn->out != out)
		turn = turn->next;
	if (turn != NULL)
		turn->whole = true;
	turns_next(to);
}

void
turns_next(struct peer *to)
{
	struct lane *lane = to->link.lanes, *next;
	uint64_t most = to->link.max_message;
	struct taken taken;
	bool large;

	forget_settled(to);
	for (; lane != NULL; lane = next) {
		next = lane->next;
		if (lane->of == NULL)
			continue;
		large = is_large(lane->turn, most);
		if (first_lane(to, lane_dest(lane), large) != lane)
			continue;
		add_turns(to, lane_dest(lane), large, &taken);
		/* One whose messages have all timed out waits for nothing. */
		if (lane->park.head != NULL &&
		    (!fits(&taken, lane->turn, most) ||
			outgoing_waits(
			    to, lane_dest(lane), large, lane->ticket)))
			continue;
		((struct flow *)lane->of)->waits = NULL;
		link_go(&to->link, lane);
	}
}

void
turns_end(struct peer *to)
{
	struct turn *turn;

	while ((turn = to->turns) != NULL) {
		to->turns = turn->next;
		turn_free(turn);
	}
}

void
turns_tell(struct peer *peer, uint64_t now)
{
	uint64_t timeout = peer->router->limits.delivery_timeout;
	struct lane *lane, *held;

	for (lane = peer->link.lanes; lane != NULL; lane = lane->next) {
		if (lane->of == NULL)
			continue;
		held = link_held(&peer->link, lane_dest(lane));
		if (held != NULL ? held->moved : peer->seen != peer->link.moved)
			lane->progress = now;
		else if (held != NULL ||
			 (timeout != 0 && now - lane->progress >= timeout))
			continue;
		flow_hold_again((struct flow *)lane->of);
	}
}
