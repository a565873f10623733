/*
 * A proc and its actors, private to lib/proc.
 *
 * A proc is a router_local.  Its actors are a tree: a child is in its parent's
 * list, a root in its proc's, in the order they were made; and one table finds
 * all of them by name and index.  An actor is small, as there may be hundreds
 * of thousands: what most of them never need is in struct extra, and ids are
 * made when somebody asks.
 *
 * Who owns what: the proc owns its roots, an actor its children, ports and what
 * waits in its mailbox.  The tree holds one reference of each actor in it; the
 * queue of those that have something to do, callbacks that run, the owners of
 * clients and hm_actor_hold hold others.  What has ended and is still held is
 * in the proc's list of husks.
 */
#ifndef HM_PROC_PRIVATE_H
#define HM_PROC_PRIVATE_H

#include <hostmux/actor.h>
#include <hostmux/json.h>

#include "route/gate.h"
#include "route/router.h"
#include "wire/record.h"

/* Envelopes in order. */
struct mail {
	struct hm_envelope *first, **end;
	size_t n;
};

/* In the proc's table by its number and in its actor's list. */
struct port {
	struct port *next;	    /* in the bucket */
	struct port *other, **back; /* of the same actor; what points here */
	struct hm_actor *actor;
	uint64_t number;
	hm_handler *handle;
	bool once;
	bool receives; /* what comes waits in mail for hm_port_recv */
	struct mail mail;
};

/* A name among the living: shared by a root and what is below it. */
struct root {
	unsigned refs;
	uint32_t hash;	/* of the name */
	uint64_t index; /* the last one given */
	size_t len;
	struct hm_id id; /* of the root; its children's but for the index */
};

/* A message type, shared by the actors that handled one last. */
struct word {
	unsigned refs;
	size_t len;
	char text[];
};

/* An event for an actor that cannot be called yet. */
struct pending {
	struct pending *next;
	struct hm_event event;
	char texts[]; /* of its reasons */
};

/* What few actors have. */
struct extra {
	char *words;	  /* of hm_refuse */
	struct hm_id *id; /* once asked for: of a child */
	struct hm_actor_watch *watches, *cursor;
	struct call *calls; /* that are waited for, innermost first */
	/* whose failure it is, if not its own */
	struct hm_id *origin;
	char *origin_reason;
	struct pending *events, **events_end;
	struct hm_timer timer; /* of a stop, then of cleaning up */
};

enum phase {
	PHASE_LIVE,
	PHASE_DRAINING, /* handles what it has */
	PHASE_STOPPING, /* waits for its children */
	PHASE_CLEANING, /* "stopped" said HM_LATER */
	PHASE_OVER
};

enum kind {
	KIND_ACTOR,
	KIND_CLIENT,
	KIND_INVERTED, /* hm_proc_actor_instance */
	KIND_MAILBOX
};

struct hm_actor {
	struct hm_proc *proc;
	struct root *root;
	uint64_t index;
	struct hm_actor *chain;			/* in the proc's table */
	struct hm_actor *parent, *first, *last; /* children */
	struct hm_actor *prev, *next; /* of the same parent; of husks */
	struct hm_actor *ready;	      /* the next that has something to do */
	hm_handler *handle;
	const struct hm_behaviour *behaviour; /* NULL: none */
	void *arg;
	void (*returned)(struct hm_actor *self, struct hm_envelope *env);
	void (*delivered)(struct hm_actor *self, const struct hm_envelope *env);
	struct mail mail; /* waiting */
	struct port *ports;
	struct extra *extra;
	struct word *word;  /* type of the last message; may be NULL */
	const char *reason; /* of its end: a copy, or one of end.c's */
	uint64_t messages;  /* handled */
	uint64_t since;	    /* when the callback that runs began */
	double created;
	uint32_t refs;
	unsigned char phase, kind;
	bool fresh, starting; /* init is to run, runs */
	bool paused, busy;    /* busy: a callback runs */
	bool queued;	      /* among those that have something to do */
	bool failed;
	bool hard;     /* its end does not wait for mailboxes */
	bool told;     /* its children know of its end */
	bool cleaned;  /* "stopped" was called */
	bool done;     /* hm_actor_done was */
	bool reported; /* its event was given */
};

struct snapshot {
	struct snapshot *next;
	struct hm_id id;
	bool failed;
	char *json;
};

struct hm_weak {
	struct hm_proc *proc;
	struct hm_weak *next; /* of the same proc */
};

struct hm_proc {
	struct router_local local; /* first */
	struct hm_router *router;
	struct hm_loop *loop;
	bool own_loop, own_router, stopped, dying;
	unsigned turning; /* functions of it that may turn the loop, and run */
	/* a lost link is attached again under the same name until then */
	bool redial, joined;
	uint64_t redial_until;
	struct hm_timer redial_timer;
	struct hm_addr host_addr; /* dialed */
	struct hm_id id;
	char host[HM_ADDR_SIZE];
	struct hm_limits limits;
	struct hm_actor *first, *last; /* roots */
	struct hm_actor *husks;
	struct hm_actor **table; /* by name and index */
	size_t nactors, ntable;
	struct port **ports; /* by number */
	size_t nports, cports;
	uint64_t next_port;
	struct word *word; /* the last type handled */
	int status;
	struct hm_actor *ready, **ready_end;
	struct mail system;  /* for the runtime: introspection, signals */
	struct hm_task task; /* these two */
	struct hm_actor *coordinator; /* held */
	uint64_t coordinator_port;
	struct snapshot *snapshots, **snapshots_end; /* oldest first */
	size_t nsnapshots, nclean;		     /* of these, no failures */
	struct hm_weak *weak;
	/* What came with the greeting, for actors that are not there yet,
	 * waits until the loop is turned again. */
	bool early;
	struct mail early_mail;
	struct hm_task early_task;
	struct gate *gate;    /* once asked for: hm_proc_sender */
	struct onward onward; /* of a configured one */
	/* what was made for it, and goes with it */
	void (*closing)(void *arg);
	void *closing_arg;
	void (*progress)(void *arg);
	void *progress_arg;
	void (*lost)(void *arg, const char *why);
	void *lost_arg;
	void (*stop)(void *arg, const char *reason);
	void *stop_arg;
	void (*halt)(void *arg, int status);
	void *halt_arg;
	/* attaching */
	struct hm_error attach_err;
	int attach_state; /* 0 under way, 1 in, -1 refused */
};

/* actor.c */
/* A new actor under parent (NULL: a root of that name). */
struct hm_actor *actor_new(struct hm_proc *proc, struct hm_actor *parent,
    const char *name, enum kind kind, struct hm_error *err);
/* Out of the tree and the look-ups; its ports and its mailbox go. */
void actor_leave(struct hm_actor *actor);
/* true with a sentence: it can have no further child. */
bool actor_ending(const struct hm_actor *parent, struct hm_error *err);
/* NULL: ENOMEM. */
struct extra *actor_extra(struct hm_actor *actor);
/* The words of hm_refuse; a copy. */
void actor_words(struct hm_actor *actor, const char *text);
struct hm_actor *actor_find(
    struct hm_proc *proc, const char *name, size_t len, uint64_t index);
/* "actor 'w[3]'" without the quotes; returns buf. */
char *actor_name(const struct hm_actor *actor, char buf[HM_NAME_MAX + 24]);
/* The next in a walk over the tree of top (NULL: of all roots), parents first;
 * *depth is kept. */
struct hm_actor *actor_walk(const struct hm_proc *proc,
    const struct hm_actor *top, struct hm_actor *actor, size_t *depth);
/* All of them, whoever holds them, and what there is to find them. */
void actors_fini(struct hm_proc *proc);

/* port.c */
struct port *port_find(
    const struct hm_proc *proc, const struct hm_actor *actor, uint64_t number);
/* -1 ENOMEM. */
int port_receive(struct hm_actor *actor, uint64_t number, bool once);
/* What hm_port_try_recv gives, not counted. */
struct hm_envelope *port_take(struct hm_actor *actor, uint64_t number);
void ports_close(struct hm_actor *actor);
void ports_fini(struct hm_proc *proc);

/* mail.c */
void mail_init(struct mail *mail);
void mail_put(struct mail *mail, struct hm_envelope *env);
struct hm_envelope *mail_take(struct mail *mail); /* NULL: none */
/* env, which was not taken, goes back as not sent. */
void mail_refuse(struct hm_proc *proc, struct hm_envelope *env, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* mailbox.c */
void proc_deliver(struct router_local *local, struct hm_envelope *env);
void proc_returned(struct router_local *local, struct hm_envelope *env);
void proc_delivered(struct router_local *local, const struct hm_envelope *env);
void proc_drain(void *arg);
void proc_early_over(void *arg);
/* actor has something to do in the next turn. */
void actor_wake(struct hm_actor *actor);
/* A callback of actor begins, has returned. */
void actor_enter(struct hm_actor *actor);
void actor_return(struct hm_actor *actor);
/* What waits for actor is returned. */
void mailbox_return(struct hm_actor *actor);
/* The type of the last message that any handled is forgotten. */
void words_fini(struct hm_proc *proc);

/* end.c */
/* The end begins, or becomes harder; reason is copied. */
void end_begin(struct hm_actor *actor, bool hard, const char *reason);
void end_fail(
    struct hm_actor *actor, const char *reason, const struct hm_event *over);
/* As far as it can go now. */
void end_advance(struct hm_actor *actor);
/* actor and all below it end now. */
void end_now(struct hm_actor *actor, const char *reason);
/* Calls "stopped" of one that ended while a callback of it ran. */
void end_cleanup(struct hm_actor *actor);
void end_reason_free(struct hm_actor *actor);

/* supervise.c */
/* actor, which has no children any more, ends: who watches over it is told. */
void supervise_end(struct hm_actor *actor);
/* What could not be told at once. */
void supervise_pending(struct hm_actor *actor);
void supervise_forget(struct extra *extra);
/* true: env is an event that did not reach the coordinator. */
bool supervise_returned(struct hm_proc *proc, const struct hm_envelope *env);

/* state.c */
void state_changed(struct hm_actor *actor);
void state_describe(
    const struct hm_actor *actor, struct hm_json_out *out, bool children);
const char *state_reason(const struct hm_actor *actor);

/* snapshot.c */
void snapshot_keep(const struct hm_actor *actor);
void snapshots_fini(struct hm_proc *proc);

/* system.c: a message to the introspect or the signal port. */
void system_handle(struct hm_proc *proc, struct hm_envelope *env);

/* proc.c */
/* limits NULL: defaults. */
void proc_init(
    struct hm_proc *proc, struct hm_loop *loop, const struct hm_limits *limits);
/* It is known as name behind addr ("": all of its router's) from now on, in ids
 * as host's.  -1 with errno. */
int proc_enter(
    struct hm_proc *proc, const char *addr, const char *name, const char *host);
/* hm_loop_turn, while which proc is not freed. */
int proc_turn(struct hm_proc *proc, int ms);

/* lookup.c */
void weak_fini(struct hm_proc *proc);

/* call.c: true if env is the question of a call under way, which fails. */
bool call_returned(struct hm_actor *actor, const struct hm_envelope *env,
    enum hm_outcome kind, struct hm_slice why);

#endif
