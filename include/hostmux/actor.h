/*
 * Actors: a tree of them in each proc, what they do, how they are watched over,
 * and how they end.
 *
 * A root has a name and index 0; a child has its root's name and an index of
 * its own.  An actor is in the look-ups from the moment it is made until it has
 * ended; then its name is free, and its struct goes unless somebody holds it
 * (hm_actor_hold).  Callbacks run in turns of the loop, never before
 * hm_proc_run or a turn, and never within each other on one actor; while one of
 * them turns the loop itself, others' run.  hm_proc_free ends everything:
 * nothing of a proc, held or not, is used after it.
 */
#ifndef HOSTMUX_ACTOR_H
#define HOSTMUX_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/proc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where actor_instance reads the events of its children. */
#define HM_PORT_SUPERVISION 4
/* The types of messages of the library, which begin with "hostmux.". */
#define HM_TYPE_EVENT "hostmux.supervision"
#define HM_TYPE_SIGNAL "hostmux.signal"

enum hm_actor_state {
	HM_ACTOR_CREATED,
	HM_ACTOR_INITIALIZING,
	HM_ACTOR_CLIENT, /* driven by its caller */
	HM_ACTOR_IDLE,
	HM_ACTOR_PROCESSING,
	HM_ACTOR_STOPPING,
	HM_ACTOR_STOPPED, /* from here on terminal */
	HM_ACTOR_FAILED
};

struct hm_actor_status {
	enum hm_actor_state state;
	char reason[HM_ERROR_TEXT];    /* STOPPING, STOPPED, FAILED: why */
	char handler[HM_TYPE_MAX + 1]; /* PROCESSING: the type of its message */
	uint64_t busy;		       /* PROCESSING: ms so far */
};

/* An actor has ended; what its parent, or the coordinator, is told. */
struct hm_event {
	struct hm_id actor;
	bool failed; /* else it has stopped in order */
	const char *reason;
	double at;	     /* seconds of the wall clock */
	struct hm_id origin; /* which failed first: actor itself, or below */
	const char *origin_reason;
};

/*
 * What an actor does; all of it may be NULL.  Borrowed: it outlives the actor.
 */
struct hm_behaviour {
	/* First of all.  0, or -1: it fails (return hm_actor_fail(self, …)). */
	int (*init)(struct hm_actor *self);
	/* A message to the default port.  NULL: it has none, and what comes is
	 * returned. */
	hm_handler *handle;
	/* What came back (hm_actor_on_return), also while another callback
	 * turns the loop.  NULL: logged and dropped. */
	void (*undeliverable)(struct hm_actor *self, struct hm_envelope *env);
	/* A child has ended.  HM_TAKEN: handled.  HM_NO: self fails over it,
	 * unless it is stopping and the child has stopped in order.  NULL: only
	 * failures are not handled. */
	int (*supervise)(struct hm_actor *self, const struct hm_event *event);
	/* Last of all, once, however it ended and also if init was never
	 * reached: free what arg owns.  HM_TAKEN; HM_LATER: hm_actor_done is
	 * called within CLEANUP_TIMEOUT, or it is over without.  hm_actor_fail
	 * makes a failure of what would have been a stop. */
	int (*stopped)(
	    struct hm_actor *self, const struct hm_actor_status *end);
};

/*
 * A root actor, a child of parent.  NULL with a sentence: EINVAL (the name),
 * EEXIST, ECANCELED (parent is ending), ENOMEM.  The pointer is good until the
 * actor has ended.
 */
struct hm_actor *hm_actor_spawn(struct hm_proc *proc, const char *name,
    const struct hm_behaviour *behaviour, void *arg, struct hm_error *err);
struct hm_actor *hm_actor_spawn_child(struct hm_actor *parent,
    const struct hm_behaviour *behaviour, void *arg, struct hm_error *err);
/* Keeps the struct, and its status, after the end; drop gives that back. */
void hm_actor_hold(struct hm_actor *actor);
void hm_actor_drop(struct hm_actor *actor);
/* NULL for a root. */
struct hm_actor *hm_actor_parent(const struct hm_actor *actor);
/* As hm_actor_id, into the caller's storage, which cannot fail. */
void hm_actor_get_id(const struct hm_actor *actor, struct hm_id *id);
/* Messages handled. */
uint64_t hm_actor_messages(const struct hm_actor *actor);

/* --- status */

/* "created" "initializing" … */
const char *hm_actor_state_name(enum hm_actor_state state);
bool hm_actor_state_terminal(enum hm_actor_state state);
void hm_actor_status(
    const struct hm_actor *actor, struct hm_actor_status *status);
/* "idle", "processing text/plain for 12ms", "failed: boom"; returns buf. */
char *hm_actor_status_print(
    const struct hm_actor_status *status, char *buf, size_t size);

/* Is told of each change but those between idle and processing; the caller's
 * storage.  After a terminal one it is over by itself, and the actor goes when
 * fn returns.  fn may spawn under the name that has become free. */
struct hm_actor_watch {
	void (*fn)(void *arg, struct hm_actor *actor,
	    const struct hm_actor_status *status);
	void *arg;
	struct hm_actor *actor; /* the library's, and the rest */
	struct hm_actor_watch *next;
};
/* 0; -1 ENOMEM, ESRCH (it has ended). */
int hm_actor_watch_start(struct hm_actor *actor, struct hm_actor_watch *watch);
void hm_actor_watch_stop(struct hm_actor_watch *watch);

/* --- ends */

/*
 * For "return hm_actor_fail(self, …)" in a callback: self fails when it
 * returns, and the message is refused with these words.  From elsewhere it
 * fails too.  Its children are stopped first.  Returns HM_NO.
 */
int hm_actor_fail(struct hm_actor *self, const char *fmt, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/*
 * stop: what is in the mailbox is handled, what comes is returned; then the
 * children are stopped in the same way, then it stops.  What has not ended
 * after STOP_ACTOR_TIMEOUT is aborted.  abort: what is in the mailbox is
 * returned, and so it is with the children.  Neither waits (hm_actor_watch).
 * 0, also when it is ending already; -1 with errno: ESRCH (it has ended), EPERM
 * (a client: its caller drives it), ENOMEM.
 */
int hm_actor_stop(struct hm_actor *actor, const char *reason);
int hm_actor_abort(struct hm_actor *actor, const char *reason);
/* The same by id, with a watch to be started (may be NULL); ESRCH too if
 * there is no such actor. */
int hm_proc_stop_actor(struct hm_proc *proc, const struct hm_id *id,
    const char *reason, struct hm_actor_watch *watch);
int hm_proc_abort_actor(struct hm_proc *proc, const struct hm_id *id,
    const char *reason, struct hm_actor_watch *watch);
/* Ends what HM_LATER of "stopped" began; harmless elsewhere. */
void hm_actor_done(struct hm_actor *actor);

/* --- supervision */

/*
 * Events of roots go as messages of type HM_TYPE_EVENT to that port of actor:
 * {"actor","failed","reason","at","origin","origin_reason"}.  0, or -1 EEXIST:
 * it is set.
 */
int hm_proc_supervise(
    struct hm_proc *proc, struct hm_actor *actor, uint64_t port);
/* event goes to the coordinator; without one, or when it is gone, a failure is
 * logged and hm_proc_run returns 1. */
void hm_proc_unhandled(struct hm_proc *proc, const struct hm_event *event);

/* Roots that were seen to stop, and those that were not: a list each. */
struct hm_destroyed {
	struct hm_id *stopped, *left;
	size_t nstopped, nleft;
};
/*
 * Stops all roots as hm_actor_stop does, in turns of the loop, until they have
 * ended or timeout ms have gone; what has not is aborted.  The coordinator
 * comes after all others, within the same time.  Clients are in no list.
 * caller (NULL: no actor) is the one whose callback calls this: its root is
 * ended when that returns, and is among those left; spare: it is let alone, in
 * no list.  0, or -1 with a sentence (ENOMEM, before anything was done).
 */
int hm_proc_destroy(struct hm_proc *proc, uint64_t timeout, const char *reason,
    struct hm_actor *caller, bool spare, struct hm_destroyed *done,
    struct hm_error *err);
void hm_destroyed_fini(struct hm_destroyed *done);

/* --- clients: driven by their caller, who ends them with hm_actor_free */

/* An actor without behaviour; its default port is received from. */
struct hm_actor *hm_proc_instance(
    struct hm_proc *proc, const char *name, struct hm_error *err);
/* An actor turned inside out: its caller receives work from HM_PORT_DEFAULT,
 * signals from HM_PORT_SIGNAL ({"signal":"stop","reason"}) and events from
 * HM_PORT_SUPERVISION; what it has received counts as handled.  It may have
 * children, and fail (hm_actor_fail).  Told to stop, it has STOP_ACTOR_TIMEOUT
 * to be freed. */
struct hm_actor *hm_proc_actor_instance(
    struct hm_proc *proc, const char *name, struct hm_error *err);
/* A mailbox and nothing else, at the root or under an actor, which closes it at
 * its end: it is in no look-up but HM_IDS_ALL and has no status of its own. */
struct hm_actor *hm_proc_attach_mailbox(
    struct hm_proc *proc, const char *name, struct hm_error *err);
struct hm_actor *hm_actor_attach_mailbox(
    struct hm_actor *parent, struct hm_error *err);

/* --- receiving instead of handling */

/* As hm_port_open, but messages wait at the port until they are received, also
 * while the actor is busy.  0 and ENOMEM. */
uint64_t hm_port_open_receiver(struct hm_actor *actor, bool once);
/*
 * The next message at that port, in turns of the loop: the caller's, who ends
 * it with hm_settle.  NULL with a sentence: ETIMEDOUT after timeout ms (0:
 * never), ECANCELED (the port is closed, its actor has ended, the proc was
 * stopped).
 */
struct hm_envelope *hm_port_recv(struct hm_actor *actor, uint64_t port,
    uint64_t timeout, struct hm_error *err);
/* The same at once: NULL with errno EAGAIN or ECANCELED. */
struct hm_envelope *hm_port_try_recv(struct hm_actor *actor, uint64_t port);
/* What is there, max at most: how many. */
size_t hm_port_drain(struct hm_actor *actor, uint64_t port,
    struct hm_envelope **msgs, size_t max);

/* --- look-ups */

/* The actor of that id (or of that port), if it is alive; NULL. */
struct hm_actor *hm_proc_find(struct hm_proc *proc, const struct hm_id *id);
enum hm_ids {
	HM_IDS_ROOTS,
	HM_IDS_LIVE,
	HM_IDS_ALL,	  /* attached mailboxes, too */
	HM_IDS_TERMINATED /* of which there is a snapshot */
};
/* An array of n ids, to be freed.  -1 ENOMEM. */
int hm_proc_ids(
    struct hm_proc *proc, enum hm_ids which, struct hm_id **ids, size_t *n);
/* Every live actor, parents before children, children by index; fn must end
 * none. */
void hm_proc_traverse(struct hm_proc *proc,
    void (*fn)(void *arg, struct hm_actor *actor, size_t depth), void *arg);
/*
 * What introspection says of actor: JSON, to be freed; NULL and ENOMEM.
 * The port HM_PORT_INTROSPECT of every actor answers the same.
 */
char *hm_actor_introspect(const struct hm_actor *actor);
/* The same of one that has ended, the latest of that id; borrowed until the
 * next turn.  NULL: none (any more).  TERMINATED_SNAPSHOT_RETENTION are kept;
 * clean stops go before failures, the oldest first, and of failures the first
 * stay. */
const char *hm_proc_terminated(
    const struct hm_proc *proc, const struct hm_id *id);

/* Knows a proc without keeping it. */
struct hm_weak;
struct hm_weak *hm_proc_weak(struct hm_proc *proc); /* NULL: ENOMEM */
/* NULL: it is gone. */
struct hm_proc *hm_weak_proc(const struct hm_weak *weak);
void hm_weak_free(struct hm_weak *weak); /* NULL is harmless */

#ifdef __cplusplus
}
#endif
#endif
