/*
 * A link: one session with one peer, as a pure state machine.  Bytes that were
 * read go in, bytes to write come out, everything else is told through
 * struct link_ops.  It knows neither sockets nor the loop, and lives without a
 * socket while a name waits for its boot, a dial is under way, or a TCP link
 * is broken.
 *
 * Out: DATA is parked until the peer's credit covers it, then moves to "out",
 * which is what the socket gets; this node's own records (settlements, credit)
 * go to "out" directly, so they never wait for credit.  Numbers are given when
 * a message is parked, and the ledger remembers where it came from.
 * In: DATA within the credit granted goes to ops->data; its credit is free
 * again when whoever took it says so (source.credit).
 *
 * Invariants: window = granted + parked + owed, where granted is what the peer
 * may still send, parked what it sent and still takes room here, owed what is
 * free and not granted again yet.  All windows together stay within the pool.
 */
#ifndef HM_LINK_H
#define HM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <hostmux/limits.h>

#include "link/chunk.h"
#include "link/ledger.h"
#include "link/queue.h"
#include "wire/record.h"

/* Enough for the largest head and a piece; every link begins with it. */
#define LINK_WINDOW_MIN 4096u
/* A record weighs at least this much credit, what its bookkeeping costs. */
#define LINK_RECORD_COST 128u
/* A peer that sends, and leaves more than this unread of what this node has to
 * say of its own, is told no more. */
#define LINK_OWN_MAX ((uint64_t)4 * 1024 * 1024)

/* With less than this a peer may be unable to begin a message. */
#define CREDIT_LOW (HM_DATA_HEADER + HM_HEAD_MAX + LINK_RECORD_COST)

/* The credit all links of a node may grant together. */
struct credit_pool {
	uint64_t limit, granted;
	uint64_t shares; /* links with more than the least, or in want of it */
};

struct link;

struct link_ops {
	/*
	 * A DATA record (rec, standing whole at p with its header, in chunk)
	 * has come; cost is the credit it holds until link_freed.  -1 with a
	 * sentence ends the link.
	 */
	int (*data)(struct link *link, const struct hm_record *rec,
	    struct chunk *chunk, unsigned char *p, uint32_t cost,
	    struct hm_error *err);
	/* The peer will not finish the message of that number. */
	void (*abort)(struct link *link, uint64_t number);
	/* The peer says it is leaving; why is "" in order. */
	void (*bye)(struct link *link, struct hm_slice why);
	/* There is something to write, or something to send within a few
	 * milliseconds (soon false). */
	void (*due)(struct link *link, bool now);
	/* The last reference is gone: free what the link is part of. */
	void (*unused)(struct link *link);
	/* A destination is held no more.  May be NULL. */
	void (*resumed)(struct link *link);
};

/* What waits for a destination: all of it, since the peer holds that, or what
 * comes from one source, for a turn that its owner sees to. */
struct lane {
	struct lane *next;
	struct hm_source *of; /* a reference; NULL: the peer holds it */
	uint64_t turn;	      /* length of the message that waits for it, and */
	uint64_t ticket;      /* its place among all that do: see turn.c */
	struct queue park;
	uint64_t progress; /* the router's: when it moved last */
	bool moved;	   /* it has, since the last tick */
	uint16_t len;
	unsigned char dest[]; /* as in HOLD: str8 address, str8 proc */
};

struct settle_range {
	uint64_t first;
	uint32_t count;
};
#define LINK_RANGES 16

struct link {
	struct hm_source source; /* its messages' origin; refs of the link */
	const struct link_ops *ops;
	const struct hm_limits *limits;
	struct chunk_arena *arena;
	struct credit_pool *pool;

	struct queue park, out; /* out.head … are written or being written */
	struct run *unsent;	/* first of out with bytes to write */
	struct lane *lanes;
	size_t nlanes;	      /* of these, those that the peer holds */
	uint64_t credit;      /* DATA we may send */
	uint64_t max_message; /* largest payload the peer takes */
	uint64_t next_number; /* of the next message */
	struct ledger ledger;
	uint64_t *open; /* numbers begun and not wholly parked yet */
	size_t nopen, copen;
	bool begun;	/* something parked has gone to out */
	bool aborted;	/* a message was: its settlement may cross that */
	bool keep;	/* TCP: written records are kept until RECEIVED */
	uint64_t acked; /* records the peer has (RECEIVED) */
	uint64_t own;	/* bytes of this node's own records in out */

	uint64_t window, granted, owed;
	bool shares;	 /* counted in the pool */
	bool starved;	 /* its window was to grow, and could not */
	bool used;	 /* since it was asked for what it does not use */
	bool reclaims;	 /* it was asked, and has not answered */
	uint64_t held;	 /* of what is parked: for destinations held here */
	uint64_t coming; /* messages that have begun and are unsettled */
	uint64_t last_number; /* highest that has begun */
	uint64_t received;    /* records, RECEIVED not counted */
	uint64_t told;	      /* of these, what RECEIVED has said */
	uint64_t asked;	      /* settle up to here at once */
	struct settle_range ranges[LINK_RANGES]; /* delivered, not said yet */
	size_t nranges;
	uint64_t moved; /* counter: the peer settled, granted or held again */
	bool dead;	/* lost for good: nothing is sent any more */
	bool lame;	/* no memory for what had to be said: it cannot go on */
	bool again;	/* no memory for what can be said or sent later */
};

void link_init(struct link *link, const struct link_ops *ops,
    const struct hm_limits *limits, struct chunk_arena *arena,
    struct credit_pool *pool);
/* Before its first greeting: the pool gives at most LINK_WINDOW_MIN.  A name
 * that waits for its proc has nothing to be written to, and takes nothing. */
void link_grant(struct link *link);
static inline void
link_hold(struct link *link)
{
	source_hold(&link->source);
}
static inline void
link_drop(struct link *link)
{
	source_drop(&link->source);
}
/* Frees what the link owns, from ops->unused. */
void link_fini(struct link *link);

/* A message begins on its way over link: its number there, or 0 and ENOMEM. */
uint64_t link_begin(
    struct link *link, struct hm_source *source, uint64_t origin, bool whole);
/* Where what is for dest (str8 address, str8 proc) is parked now. */
struct queue *link_queue(struct link *link, struct hm_slice dest);
/* Parks the DATA record standing at p in chunk (its number is written into
 * it) in queue; last: the message is whole now.  owed goes back to source when
 * it has left. 0 or -1 ENOMEM. */
int link_park(struct link *link, struct queue *queue, uint64_t number,
    struct chunk *chunk, unsigned char *p, uint32_t len,
    struct hm_source *source, uint32_t owed, bool last);
/* The message of that number will not be finished: the peer is told, behind
 * what is parked of it, and it is settled as "not sent". */
void link_abort(struct link *link, struct queue *queue, uint64_t number,
    const struct settlement *how);
/* Takes link_begin back, when nothing was parked (no memory). */
void link_forget(struct link *link, uint64_t number);
/* Moves what credit allows from park to out. */
void link_pump(struct link *link);
/* Takes back what was not written yet: parked again, in front. */
void link_unpump(struct link *link);
/* Settles what is parked in queue with how; of messages that have begun, the
 * rest is aborted.  mask: only those with one of these flags of an envelope, 0:
 * all. */
void link_return_parked(struct link *link, struct queue *queue, unsigned mask,
    const struct settlement *how);
/* The lane of dest, NULL: it is not held. */
struct lane *link_held(struct link *link, struct hm_slice dest);
/* What waits in lanes. */
uint64_t link_lanes_bytes(const struct link *link);
static inline struct hm_slice
lane_dest(const struct lane *lane)
{
	struct hm_slice dest = {(const char *)lane->dest, lane->len};

	return dest;
}
/* What comes from source for dest waits from now on, in a lane behind all the
 * others.  NULL: ENOMEM. */
struct lane *link_wait(
    struct link *link, struct hm_source *source, struct hm_slice dest);
/* Where that is parked, while it waits. */
struct queue *link_wait_queue(
    struct link *link, const struct hm_source *source);
/* It waits no more; lane is gone. */
void link_go(struct link *link, struct lane *lane);
/* HOLD and RESUME have come.  -1 ENOMEM. */
int link_take_hold(struct link *link, struct hm_slice dest);
void link_take_resume(struct link *link, struct hm_slice dest);
/* All of them are parked as the rest is: the session has ended. */
void link_open_lanes(struct link *link);
/* Says HOLD or RESUME.  -1 ENOMEM. */
int link_say_hold(struct link *link, bool hold, struct hm_slice dest);

/* The peer is asked to settle what is parked as soon as it takes it. */
void link_ask(struct link *link);
/*
 * What is parked whole moves on to another link: the session of this one is
 * over before it began.  What was posted in this process (old) is so there
 * (fresh).
 */
void link_move_parked(struct link *from, struct link *to, struct hm_source *old,
    struct hm_source *fresh);
/* Own records that wait (settlements, credit, RECEIVED) into out. */
void link_gather(struct link *link);
/* What to write: the number of elements, 0 when there is nothing. */
int link_output(const struct link *link, struct iovec *iov, int max);
void link_wrote(struct link *link, size_t n);
static inline bool
link_idle(const struct link *link)
{
	return link->unsent == NULL && link->park.head == NULL &&
	       link_lanes_bytes(link) == 0;
}
/* What is left of the record that is being written. */
struct hm_slice link_begun(const struct link *link);
/* Appends a BYE. */
void link_say_bye(struct link *link, const char *why);
/*
 * Takes whole records from p on: the bytes used (what is left is the beginning
 * of a record), or -1 with a sentence: the peer broke the protocol.
 */
long link_input(struct link *link, struct chunk *chunk, unsigned char *p,
    size_t len, struct hm_error *err);
/* cost bytes of what came in take no room any more. */
void link_freed(struct link *link, uint64_t cost);
/* What its window may be: LINK_WINDOW, or where the pool is short its fair part
 * of that. */
uint64_t link_share(const struct link *link);
/* Asks for credit back: for what is more than its share, for all above the
 * least window when none was used since the last time. */
void link_reclaim(struct link *link);
/*
 * The session is over.  What was wholly written and is unsettled becomes
 * written (UNKNOWN, or NOT_SENT after a BYE in order), everything else
 * NOT_SENT.
 */
void link_lost(struct link *link, enum hm_outcome written, const char *why,
    const char *at);
/* A new connection carries the session on: the peer has seen n records. -1:
 * that cannot be. */
int link_resumed(struct link *link, uint64_t n);

/* The rest is the link's own, shared by its files. */

/* What is parked in queue of messages that are settled is not sent: the peer is
 * told of their end. */
void link_drop_settled(struct link *link, struct queue *queue);

/* Numbers of messages; false: no memory. */
struct numbers {
	uint64_t *p;
	size_t n, room;
};
bool numbers_have(const struct numbers *numbers, uint64_t number);
bool numbers_add(struct numbers *numbers, uint64_t number);

void link_settle_own(struct link *link, uint64_t first, uint32_t n,
    const struct settlement *how);
/* The record rec of run at offset at goes into queue, with its part of what the
 * source gets back.  Without memory for that its message is settled. */
void link_requeue(struct link *link, struct queue *queue, struct run *run,
    uint32_t at, const struct hm_record *rec);
/* The length of the record of run at offset at, read into rec. */
uint32_t link_record_at(
    const struct run *run, uint32_t at, struct hm_record *rec);
/* Settles one message, which may have been settled already. */
void link_settle_one(
    struct link *link, uint64_t number, const struct settlement *how);
void link_open_remove(struct link *link, uint64_t number);
void link_drop_written(struct link *link);
void link_lame(struct link *link);
/* The window has changed, or starved. */
void link_weigh(struct link *link);
int link_own(struct link *link, enum hm_record_type type, uint8_t flags,
    uint16_t extra, const unsigned char *body, size_t len);
static inline uint32_t
link_cost(uint32_t record)
{
	return record < LINK_RECORD_COST ? LINK_RECORD_COST : record;
}

#endif
