/*
 * Lanes: what waits for a destination that the peer holds, or for its turn.
 *
 * A peer that has much parked for one destination says so (HOLD), and what is
 * for that one waits here from then on, in a queue of its own, while everything
 * else goes past it, until the peer says RESUME.  Its order does not change:
 * what was parked already moves into the lane, and at the end of the hold the
 * lane comes behind what is parked.
 *   What of one source waits for its turn has a lane in the same way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "link/link.h"

/* More holds than this are not heeded: they are advice, credit is the bound. */
#define LANES_MAX 4096u

/* What has begun among what moves: its pieces move too. */
struct moving {
	struct link *link;
	struct lane *lane;
	struct numbers begun;
};

static struct lane **
find(struct link *link, struct hm_slice dest)
{
	struct lane **p = &link->lanes;

	while (*p != NULL && ((*p)->of != NULL || (*p)->len != dest.n ||
				 memcmp((*p)->dest, dest.p, dest.n) != 0))
		p = &(*p)->next;
	return p;
}

struct lane *
link_held(struct link *link, struct hm_slice dest)
{
	return link->lanes == NULL ? NULL : *find(link, dest);
}

struct queue *
link_queue(struct link *link, struct hm_slice dest)
{
	struct lane *lane = link_held(link, dest);

	return lane == NULL ? &link->park : &lane->park;
}

uint64_t
link_lanes_bytes(const struct link *link)
{
	const struct lane *lane;
	uint64_t bytes = 0;

	for (lane = link->lanes; lane != NULL; lane = lane->next)
		bytes += lane->park.bytes;
	return bytes;
}

static bool
begins_for(const struct lane *lane, const struct hm_record *rec,
    const unsigned char *p)
{
	return rec->extra >= HM_HEAD_DEST + lane->len &&
	       memcmp(p + HM_DATA_HEADER + HM_HEAD_DEST, lane->dest,
		   lane->len) == 0;
}

/* Does the record at p go into the lane? */
static bool
moves(
    struct moving *moving, const struct hm_record *rec, const unsigned char *p)
{
	uint64_t number = hm_get64(p + HM_RECORD_HEADER);

	if (rec->type != HM_REC_DATA || (rec->flags & HM_DATA_FIRST) == 0)
		return numbers_have(&moving->begun, number);
	if (!begins_for(moving->lane, rec, p))
		return false;
	/* The rest of it would go past it. */
	if ((rec->flags & HM_DATA_LAST) == 0 &&
	    !numbers_add(&moving->begun, number))
		link_lame(moving->link);
	return true;
}

/* Parts what is parked: the lane's, and the rest in the order it was. */
static void
part(struct link *link, struct lane *lane)
{
	struct moving moving = {link, lane, {NULL, 0, 0}};
	struct queue parked = link->park;
	struct hm_record rec;
	struct run *run;
	uint32_t at, len;

	memset(&link->park, 0, sizeof link->park);
	while (parked.head != NULL) {
		run = queue_take(&parked);
		for (at = 0; at < run->len; at += len) {
			len = link_record_at(run, at, &rec);
			link_requeue(link,
			    moves(&moving, &rec, run->p + at) ? &lane->park
							      : &link->park,
			    run, at, &rec);
		}
		run_free(run);
	}
	free(moving.begun.p);
}

static struct lane *
lane_new(struct hm_slice dest)
{
	struct lane *lane = calloc(1, sizeof *lane + dest.n);

	if (lane == NULL)
		return NULL;
	lane->len = (uint16_t)dest.n;
	memcpy(lane->dest, dest.p, dest.n);
	return lane;
}

int
link_take_hold(struct link *link, struct hm_slice dest)
{
	struct lane *lane = link_held(link, dest);

	/* Said again: what is held moves where it is held for, and with it the
	 * credit for what has begun. */
	if (lane != NULL) {
		lane->progress = 0;
		lane->moved = true;
		link->moved++;
	}
	if (lane != NULL || link->nlanes == LANES_MAX)
		return 0;
	lane = lane_new(dest);
	if (lane == NULL)
		return -1;
	link_hold(link);
	link_unpump(link);
	part(link, lane);
	lane->next = link->lanes;
	link->lanes = lane;
	link->nlanes++;
	link_drop(link);
	return 0;
}

/* What waited comes behind what is parked, or what else is held of it. */
static void
open_lane(struct link *link, struct lane **p)
{
	struct lane *lane = *p;

	*p = lane->next;
	if (lane->of == NULL)
		link->nlanes--;
	queue_append(link_queue(link, lane_dest(lane)), &lane->park);
	if (lane->of != NULL)
		source_drop(lane->of);
	free(lane);
}

/* The lane at *p ends in the middle of a session. */
static void
end_lane(struct link *link, struct lane **p)
{
	/* The beginning of a message may have been aborted outside of it. */
	if (link->aborted)
		link_drop_settled(link, &(*p)->park);
	open_lane(link, p);
}

void
link_take_resume(struct link *link, struct hm_slice dest)
{
	struct lane **p = find(link, dest);

	if (*p == NULL)
		return;
	end_lane(link, p);
	link->moved++;
	link->ops->due(link, true);
	if (link->ops->resumed != NULL)
		link->ops->resumed(link);
}

struct lane *
link_wait(struct link *link, struct hm_source *source, struct hm_slice dest)
{
	struct lane **p = &link->lanes, *lane = lane_new(dest);

	if (lane == NULL)
		return NULL;
	lane->of = source;
	source_hold(source);
	while (*p != NULL)
		p = &(*p)->next;
	*p = lane;
	return lane;
}

struct queue *
link_wait_queue(struct link *link, const struct hm_source *source)
{
	struct lane *lane = link->lanes;

	while (lane != NULL && lane->of != source)
		lane = lane->next;
	return lane == NULL ? &link->park : &lane->park;
}

void
link_go(struct link *link, struct lane *lane)
{
	struct lane **p = &link->lanes;

	while (*p != lane)
		p = &(*p)->next;
	end_lane(link, p);
	link->ops->due(link, true);
}

void
link_open_lanes(struct link *link)
{
	while (link->lanes != NULL)
		open_lane(link, &link->lanes);
}
