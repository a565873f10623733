/*
 * A peer: a link with what the router knows of the other end.  Private to
 * lib/route.
 *
 * A peer of kind NAME is a proc or client behind a name of ours: reserved (no
 * connection yet), booted, attached, or bound to an address that is dialed when
 * there is something to send.  HOST is another host or a stand-alone proc,
 * known by its id address.  UPLINK is the host this node is attached to.
 */
#ifndef HM_PEER_H
#define HM_PEER_H

#include <hostmux/loop.h>

#include "base/sys.h"
#include "link/conn.h"
#include "link/link.h"
#include "route/router.h"

enum peer_kind {
	PEER_NAME,
	PEER_HOST,
	PEER_CROSS, /* a HOST that is only listened to: see cross.c */
	PEER_UPLINK
};

/* A message whose pieces are still coming in over a link. */
struct passage {
	struct passage *next;
	struct peer *from;
	uint64_t number;   /* on the link it comes from */
	uint64_t missing;  /* bytes of payload to come */
	uint64_t whole;	   /* the length of the payload */
	struct peer *to;   /* with env NULL too: to be thrown away */
	struct flow *flow; /* to there; holds a reference */
	uint64_t out;	   /* its number there */
	struct router_local *local;
	struct hm_envelope *env; /* being put together for local */
	struct store *store;	 /* of that */
	size_t room;		 /* allocated payload */
};

/* A message in pieces for a local proc, until that has taken it. */
struct store {
	struct hm_source
	    source; /* of its envelope, when that is whole; first */
	struct store *next,
	    **at; /* of its receiver's, in the order they came */
	struct router_local *local; /* NULL: gone */
	struct peer *from;	    /* holds a reference of its link */
	struct passage *passage;    /* NULL: it is whole */
	uint64_t len;		    /* of the payload */
	bool large;
	bool delivered; /* among the untaken */
	uint64_t moved; /* when its last piece came */
	bool waits;	/* for its turn */
	uint64_t kept;	/* credit of its pieces, meanwhile */
	struct hm_envelope *whole, **whole_end; /* what is then delivered */
};

static inline bool
store_is_unfinished(const struct store *store)
{
	return store->passage != NULL;
}

/* What is on its way to a receiver, in pieces: bytes of those still to come,
 * and of all that it has not taken. */
struct taken {
	uint64_t pieces, all;
};
/* All that a receiver has not taken is at most so many of the largest. */
#define STORED_MAX 4u

/* What one link sends to one proc: see flow.c. */
struct flow {
	struct hm_source source; /* first */
	struct flow *next;	 /* of its bucket */
	struct flow *heavy_next;
	struct peer *from; /* holds a reference of its link */
	struct peer *to;   /* NULL: gone */
	uint64_t parked;   /* credit of from's that waits */
	bool held, heavy;
	struct peer *waits; /* for its turn, in a lane of that one's; or NULL */
	uint64_t behind;    /* then: the number there of the first that does */
	uint16_t len;
	unsigned char dest[]; /* as in a head */
};

/* A message in pieces that is on its way to a peer, and not settled. */
struct turn {
	struct turn *next; /* in the order they began */
	struct flow *flow; /* a reference; NULL: it was posted here */
	const struct hm_envelope *env; /* which has not come back then */
	uint64_t out;		       /* its number there */
	uint64_t len;		       /* of the payload */
	bool whole;		       /* its last piece was parked */
};

/* A message posted here that does not go as one piece: its turn to come. */
struct outgoing {
	struct outgoing *next;
	struct hm_envelope *env;
	uint64_t ticket; /* its place among all that wait for their turn */
	uint64_t out;	 /* number on the link, 0: not begun */
	size_t sent;	 /* of the payload */
};

/* Where the last message of a link went, so that the next need not be looked
 * up, and what its sender was called, so that it need not be checked. */
struct last {
	unsigned generation; /* of the router: older is stale */
	struct peer *peer;
	struct flow *flow; /* to peer; holds a reference */
	struct router_local *local;
	unsigned char ndest, nsender;
	unsigned char dest[2 + HM_ADDR_SIZE + HM_NAME_MAX];
	unsigned char sender[2 + HM_ADDR_SIZE + HM_NAME_MAX];
};

struct peer {
	struct link link;      /* first: ops get it back from there */
	struct hm_source home; /* messages posted in this process to it */
	struct hm_router *router;
	struct peer *next, *prev; /* all of them */
	struct peer *hash_next;	  /* of the same name's hash */
	struct peer *dirty_next;
	enum peer_kind kind;
	bool dirty, lazy, gone, remote, reserved, dials, now, bye;
	bool dialed, resuming; /* we opened it; it broke and may come back */
	bool broken; /* for good: ops.gone knows, and has not unbound it yet */
	uint64_t resume_until;
	char name[HM_NAME_MAX + 1];
	char addr[HM_ADDR_SIZE]; /* to dial, and what it is known by */
	char id[HM_ADDR_SIZE];	 /* dialed: the id address it greeted with */
	char trouble[96];	 /* why there is no way, while there is none */
	struct conn *conn;
	uint32_t uid, pid;
	uint64_t session;
	uint64_t given;		  /* the credit that our greeting granted */
	struct passage *passages; /* that come from it */
	size_t npassages;
	struct turn *turns,
	    **turns_tail;   /* large messages on their way to it */
	uint64_t forgotten; /* of these: the ledger's settled then */
	uint64_t tickets;   /* of those that have waited for their turn */
	struct last *last;
	struct outgoing *outgoing, **outgoing_end;
	uint64_t home_bytes; /* posted here and not written */
	struct hm_timer retry;
	uint64_t backoff;
	bool waits;	   /* something does, to be written */
	uint64_t progress; /* when that began, or anything moved last */
	uint64_t seen;	   /* link.moved then */
	uint64_t msgs_in, msgs_out, bytes_in, bytes_out;
};

#define PEER_BUCKETS 1024u
#define FLOW_BUCKETS 1024u

struct listener {
	struct listener *next;
	struct hm_router *router;
	struct hm_watch watch;
	struct hm_timer rest; /* from accepting, while that fails */
	struct sys_bound bound;
	struct hm_addr addr;
};

/* A route: to addr ("": unknown names of ours) over via. */
struct way {
	struct way *next;
	char addr[HM_ADDR_SIZE], via[HM_ADDR_SIZE];
};

struct own {
	struct own *next;
	char addr[HM_ADDR_SIZE];
};

struct hm_router {
	size_t refs; /* its owner's, and one of each peer that is not free yet:
		      * what came over it may be settled later */
	struct hm_loop *loop;
	struct hm_limits limits;
	struct router_ops ops;
	void *arg;
	struct chunk_arena arena;
	struct credit_pool pool;
	struct listener *listeners;
	struct own *own; /* the first is the id */
	struct router_local *locals;
	struct router_local *rest; /* takes what has no other way; or NULL */
	struct peer *peers;
	struct peer *names[PEER_BUCKETS];
	struct flow *flows[FLOW_BUCKETS];
	struct flow *heavy; /* that may have more parked than is theirs */
	struct peer *uplink;
	struct way *ways;
	struct peer *dirty;
	struct conn *greeting, *greeting_last; /* ungreeted, newest first */
	struct conn *closed;		       /* to be freed */
	size_t ngreeting, npeers;
	struct hm_task task; /* end of turn: write, free, tell */
	struct hm_timer lazy, tick, close_timer;
	unsigned generation;
	bool open_to_all, relay, sealed, closing, progress;
	bool over;     /* router_free was called */
	bool turn_due; /* a store's turn may have come */
	bool attaches; /* all goes to the uplink, or nowhere */
	bool any_sender;
	bool crossed;	   /* a greeting was put off */
	uint32_t uid, pid; /* this process's: what it vouches for */
	int reserve_fd;	   /* given up to refuse when descriptors run out */
	/* home */
	struct hm_envelope **kept; /* posted here and unsettled, by number */
	size_t nbuckets, nkept;
	uint64_t next_home;
	struct hm_envelope *returns, **returns_end; /* to be given back */
	char lost[HM_ERROR_TEXT]; /* why the uplink was lost, to be told */
	/* attaching */
	void (*attached)(void *arg, const char *name, const char *host_id,
	    const struct hm_error *err);
	void *attached_arg;
	enum hm_hello_kind attach_kind;
	char token[65];
};

/* peer.c */
struct peer *peer_new(struct hm_router *router, enum peer_kind kind,
    const char *name, const char *addr);
/* By its name (NAME) or the address it is known by (HOST). */
struct peer *peer_find(
    const struct hm_router *router, const char *name, size_t len);
void peer_free(struct peer *peer);
/* A CROSS is the HOST from now on. */
void peer_promote(struct peer *peer);
/* The end of a peer for good: everything of it is settled, its name free. */
void peer_end(struct peer *peer, enum hm_outcome written, const char *why);
void peer_due(struct peer *peer, bool now);
void peer_calm(struct peer *peer);
/* A connection has been greeted: link and conn belong together from now on. */
void peer_open(
    struct peer *peer, struct conn *conn, const struct hm_hello *hello);

/* dial.c */
int peer_dial(struct peer *peer, struct hm_error *err);
extern const struct conn_ops dial_conn_ops;
/* The session of peer is over: as its kind has it. */
void peer_over(struct peer *peer, const struct hm_error *err);
/* The same for a name whose owner is told of it, or has been. */
void name_gone(struct peer *peer, enum hm_outcome written, const char *why);
/* Another life of the other side: what was not written goes there.  The peer
 * for it, NULL: ENOMEM. */
struct peer *start_anew(struct peer *peer, const struct hm_error *err);
void dial_failed(struct peer *peer, const struct hm_error *err);

/* resume.c */
/* A connection of peer broke: true if its session waits to be resumed. */
bool peer_suspend(struct peer *peer, const struct hm_error *err);
bool peer_resume_expired(const struct peer *peer);
/* Its session is not waited for any more. */
void peer_give_up(struct peer *peer);
/* The session goes on over conn. */
int peer_resumed(struct peer *peer, struct conn *conn,
    const struct hm_hello *hello, struct hm_error *err);
/* Did that session begin here? */
bool session_known(
    const struct hm_router *router, const struct hm_hello *hello);
/* The peer whose session that is, ready for a new connection; NULL: unknown. */
struct peer *peer_of_session(struct hm_router *router,
    const struct hm_hello *hello, struct hm_error *err);

/* cross.c */
/* The peer that a greeting of the host at addr is for.  0; 1: that is to be
 * seen later, cross_again asks; -1: refused. */
int cross_greet(struct hm_router *router, const char *addr, struct peer **peer,
    struct hm_error *err);
/* The end of a turn: greetings that were put off are looked at again. */
void cross_again(struct hm_router *router);
/* The CROSS of that host, NULL: there is none. */
struct peer *cross_second(const struct hm_router *router, const char *addr);

/* accept.c */
extern const struct conn_ops accept_conn_ops;
int listener_add(struct hm_router *router, int fd, const struct hm_addr *addr);
void listeners_close(struct hm_router *router);
void conn_bury(struct hm_router *router, struct conn *conn);
/* One without a peer, not yet or not any more. */
void conn_keep(struct hm_router *router, struct conn *conn);

/* progress.c */
/* Does something wait for peer now?  Then its time begins, and the tick runs.
 */
void peer_waits(struct peer *peer);
void progress_tick(void *router);

/* Something for dest has gone on its way from peer: its time begins anew. */
void lane_moved(struct peer *peer, struct hm_slice dest);

/* flow.c */
/* What from sends to dest (str8 address, str8 proc), over to; a reference is
 * the caller's.  NULL: ENOMEM. */
struct flow *flow_get(struct peer *from, struct peer *to, struct hm_slice dest);
static inline struct hm_source *
flow_source(struct flow *flow)
{
	return &flow->source;
}
static inline struct hm_slice
flow_dest(const struct flow *flow)
{
	struct hm_slice dest = {(const char *)flow->dest, flow->len};

	return dest;
}
/* Where its messages are parked. */
struct queue *flow_queue(const struct flow *flow, struct peer *to);
/* They take cost more of the credit of the link they come from. */
void flow_parked(struct flow *flow, uint32_t cost);
/* The end of a turn: who has more parked than is theirs is held. */
void flows_weigh(struct hm_router *router);
void flows_to_end(struct hm_router *router, const struct peer *to);
/* What the next node holds, and says again that it does, is said again. */
void flows_tell(struct hm_router *router);
/* Its sender hears again that it is held: what it waits for moves. */
void flow_hold_again(struct flow *flow);

/* way.c */
/* -1 with a sentence made of a slice and a text. */
int no_way(struct hm_error *err, const char *fmt, const struct hm_slice *a,
    const char *b);
/* Where a destination leads: 0 and one of *peer, *local; else the words why
 * not, in err. from may be NULL (posted here). */
int route(struct hm_router *router, const struct hm_head *head,
    const struct peer *from, struct peer **peer, struct router_local **local,
    struct hm_error *err);
/* Unix addresses mean nothing on another machine: 0, or -1 with a sentence. */
int check_reach(
    const struct hm_head *head, const struct peer *to, struct hm_error *err);
/* May a message with this sender come over this link? */
bool sender_fits(const struct peer *peer, const struct hm_head *head);
/* May one with this sender, whatever it is, go there? */
bool may_go_on(const struct peer *peer, const struct hm_head *head);

/* forward.c */
/* What came from there as message number is settled. */
void settle_back(struct peer *from, uint64_t number, enum hm_outcome outcome,
    const char *why);
extern const struct link_ops peer_link_ops;
/* passage.c */
struct passage *passage_find(struct peer *from, uint64_t number);
/* A new one; NULL: ENOMEM. */
struct passage *passage_new(struct peer *from);
void passage_end(struct passage *passage);
/* What was put together of it is thrown away; the rest will be, too. */
void passage_drop(struct passage *passage);
/* Bytes of payload are added to what is being put together. */
int passage_collect(
    struct passage *passage, const unsigned char *p, size_t len);
void passages_to_end(struct hm_router *router, const struct peer *to);
/* It goes no further, over its link: the rest will be thrown away. */
void passage_stop(struct passage *passage, const struct settlement *how);
void passages_free(struct peer *peer);
/* What is put together here and has not moved for too long is given up. */
void passages_check(struct peer *peer, uint64_t now);
/* turn.c */
/* May a message of len bytes for dest (str8 address, str8 proc), in pieces,
 * begin on its way to to, before all that has a later ticket? */
bool turn_has_come(
    struct peer *to, struct hm_slice dest, uint64_t len, uint64_t ticket);
/* One posted here begins, as number out there. */
void turn_take(struct peer *to, const struct hm_envelope *env, uint64_t out);
/* One of flow of len bytes begins, as number out there; where it must wait,
 * flow waits from now on. */
void turn_ask(struct flow *flow, struct peer *to, uint64_t out, uint64_t len);
/* No piece of it is still to come. */
void turn_whole(struct peer *to, uint64_t out);
/* Something on its way to to has been settled: whose turn has come goes on. */
void turns_next(struct peer *to);
/* Nothing is on its way to to any more. */
void turns_end(struct peer *to);
/* What waits at peer for its turn, where something moves: who sent it hears
 * that. */
void turns_tell(struct peer *peer, uint64_t now);

/* Is a message of that length one of the large? */
bool is_large(uint64_t len, uint64_t most);
/* May one of that length begin, beside what is taken by others of its kind? */
bool fits(const struct taken *taken, uint64_t len, uint64_t most);

/* store.c */
/* passage begins to be put together.  -1 ENOMEM, or EBUSY: too much is. */
int store_begin(struct passage *passage);
/* A piece came that takes cost of its link's credit. */
void store_piece(struct store *store, uint32_t cost);
/* Has nothing come of it for timeout ms, nor of what it waits for? */
bool store_is_late(const struct store *store, uint64_t now, uint64_t timeout);
/* env, which came by passage, is whole: it is delivered when its turn has come,
 * and that of what came over its link before. */
void store_deliver(
    struct peer *from, struct passage *passage, struct hm_envelope *env);
/* It is thrown away: who has waited for that goes on. */
void store_end(struct passage *passage);
/* The end of a turn of the loop: whose turn has come goes on. */
void stores_go(struct hm_router *router);
/* The link of from is lost: what came whole over it waits no longer, since what
 * its senders send from now on comes over another. */
void stores_lost(const struct peer *from);
/* local is no more: what is put together for it is thrown away. */
void stores_leave(struct router_local *local);
/* Whose turn has come goes on at the end of this one of the loop: not from
 * within what the receiver does. */
void stores_due(struct hm_router *router);
/* store_turn.c */
/* The largest payload it takes. */
uint64_t most_here(const struct router_local *local);
/* Is store, of which something is there, what comes from that link by that
 * name?  A receiver may have several. */
bool store_comes_by(
    const struct store *store, const struct peer *from, struct hm_slice dest);
/* It begins: where it must wait for its turn, store->waits is set, and its link
 * held.  -1 EBUSY: it can't wait, and would be too much. */
int store_ask(struct store *store, const struct router_local *local);
/* Whose turn it is; NULL: nobody's. */
struct store *stores_next_turn(const struct router_local *local);
/* Its turn has come.  -1 ENOMEM: its sender can't be told. */
int store_take_turn(struct store *store);
/* It has ended while it waited. */
void store_wait_no_more(struct store *store);
/* Who waits hears again that it is held, where what it waits for moves.  Does
 * anybody? */
bool stores_tell(struct hm_router *router);

/* router.c */
void router_drop(struct hm_router *router);
/* Where the route to addr (NULL: the default) leads, NULL if there is none. */
const char *route_via(const struct hm_router *router, const char *addr);
bool find_local_name(const struct hm_router *router, const char *name);
/* Credit is short: who has more than the least and does not use it is asked
 * for it. */
void router_reclaim(struct hm_router *router);

/* outgoing.c */
/* One DATA record of env is parked: with its head when from is 0, len bytes of
 * payload.  0 or -1 ENOMEM. */
int outgoing_piece(struct peer *peer, const struct hm_envelope *env,
    uint64_t number, size_t from, size_t len);
/* Where env, posted here, is parked. */
struct queue *outgoing_queue(struct peer *peer, const struct hm_envelope *env);
/* Must env wait behind an outgoing message of its sender and port? */
bool outgoing_holds(const struct peer *peer, const struct hm_envelope *env);
int outgoing_add(struct peer *peer, struct hm_envelope *env);
void outgoing_free(struct peer *peer, struct outgoing **p);
/* Does one with an earlier ticket wait, that is large or is not, for dest? */
bool outgoing_waits(
    const struct peer *peer, struct hm_slice dest, bool large, uint64_t ticket);
/* A message that is settled before it was wholly sent is not sent on. */
void outgoing_stop(struct peer *peer, const struct hm_envelope *env,
    const struct settlement *how);
/* What has not begun goes to another peer instead. */
void outgoing_move(struct peer *from, struct peer *to);
/* Turns outgoing messages into pieces as room allows. */
void outgoing_pump(struct peer *peer);

/* home.c */
/* env, which came over a link, is local's. */
void router_deliver(struct router_local *local, struct hm_envelope *env);
void home_init(struct hm_router *router);
void home_fini(struct hm_router *router);
void home_attach(struct peer *peer);
void home_return_now(
    struct peer *peer, unsigned mask, const struct settlement *how);
void home_deliver_returns(struct hm_router *router);
/* A local proc comes and goes: what it posted has nobody to come back to. */
int home_enter(struct router_local *local);
void home_leave(struct router_local *local);

#endif
