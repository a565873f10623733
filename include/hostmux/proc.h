/*
 * A proc: actors with mailboxes behind one id, on a loop of the caller's or
 * its own, linked to a host (attached, booted), serving its own address
 * (direct), or alone (local).
 *
 * Every message posted is settled exactly once.  A handler answers for what it
 * was given: HM_TAKEN settles it as delivered when the handler returns,
 * HM_NO as refused with the words of hm_refuse, HM_LATER keeps it: the handler
 * owns the envelope then, until it calls hm_settle.
 */
#ifndef HOSTMUX_PROC_H
#define HOSTMUX_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/channel.h>
#include <hostmux/envelope.h>
#include <hostmux/error.h>
#include <hostmux/id.h>
#include <hostmux/limits.h>
#include <hostmux/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hm_proc;
struct hm_actor;

/* Called for each message to the actor's default port; borrows msg unless it
 * returns HM_LATER. */
typedef int hm_handler(struct hm_actor *self, struct hm_envelope *msg);

/* How a proc comes to be known at a host. */
struct hm_attach {
	const char *host;  /* its address; NULL: hm_host_default */
	const char *name;  /* NULL: the host picks client-… */
	const char *token; /* of a reservation: boots instead of attaching */
	bool joined;	   /* counts as a proc, not as a client */
	bool redial; /* a lost Unix link is dialed again (new attachment) */
	uint64_t timeout; /* ms for dialing and greeting; 0: 5 s */
	const struct hm_limits *limits; /* NULL: defaults */
};

/*
 * The host's address by the rule of hostmux(7): $HYPERACTOR_HOST_ADDR, else
 * the default socket.  override (of -H) may be NULL.  Resolves names.
 */
int hm_host_default(
    struct hm_addr *addr, const char *override, struct hm_error *err);

/*
 * All borrow loop (NULL: the proc makes and owns one, hm_proc_loop).
 * attach waits, in turns of the loop, until the host has greeted: kind CHANNEL
 * when it cannot be reached, EXISTS when the name is taken, DENIED when it
 * refused.
 */
struct hm_proc *hm_proc_attach(
    struct hm_loop *loop, const struct hm_attach *how, struct hm_error *err);
/* Serves addr ("unix", "tcp", …) and dials whatever it sends to. */
struct hm_proc *hm_proc_direct(struct hm_loop *loop, const char *addr,
    const char *name, const struct hm_limits *limits, struct hm_error *err);
/* May not send outside itself: such messages are returned. */
struct hm_proc *hm_proc_local(struct hm_loop *loop, struct hm_error *err);
/*
 * A proc of that id (of a proc); what it posts to others goes to forwarder,
 * borrowed.  It listens nowhere: what is for it comes through hm_proc_sender or
 * hm_proc_serve.  A checked post says EAGAIN while 1024 messages are unsettled.
 */
struct hm_proc *hm_proc_configured(struct hm_loop *loop, const struct hm_id *id,
    struct hm_sender *forwarder, const struct hm_limits *limits,
    struct hm_error *err);
/*
 * A further proc where proc is (a host's own, a direct or a local one), behind
 * the same address and on the same loop; freed before that one.  Messages
 * between them are not copied.  NULL with kind EXISTS ("proc 'NAME' already
 * exists") or INVALID (the name; proc is attached or booted, and the address
 * its host's), or ENOMEM.
 */
struct hm_proc *hm_proc_beside(
    struct hm_proc *proc, const char *name, struct hm_error *err);
/*
 * Boots from the environment (hostmux-protocol(7)): reads the boot variables
 * and unsets the secret ones (callback and MODE), greets the backend, spawns
 * the agent, serves, and calls back; the callback answered, the proc is Ready.
 * Kinds MISSING, INVALID, CHANNEL, AGENT.
 */
struct hm_proc *hm_boot(struct hm_error *err);

/* Also says BYE in order: settles what was taken, at most 1 s.  What was not
 * taken is returned to its senders.  NULL is harmless. */
void hm_proc_free(struct hm_proc *proc);
/* Serves until stopped (the agent was told to, the link is lost for good, or
 * hm_proc_stop): the status to exit with. */
int hm_proc_run(struct hm_proc *proc);
void hm_proc_stop(struct hm_proc *proc, int status);

struct hm_loop *hm_proc_loop(struct hm_proc *proc);
const struct hm_id *hm_proc_id(const struct hm_proc *proc);
/* The id address of the host it is linked to, its own if direct. */
const char *hm_proc_host(const struct hm_proc *proc);
/* Serves a further address of its own ("unix:/dir/p-1"); the one listened on
 * is in *got (may be NULL). */
int hm_proc_serve(struct hm_proc *proc, const char *addr, struct hm_addr *got,
    struct hm_error *err);

/*
 * Envelopes into the proc: those for its actors are delivered, others go where
 * its own do, as far as their senders may (a host lets a proc send as itself
 * only).  A hop is counted for what came from elsewhere.  The proc's; NULL:
 * ENOMEM.
 */
struct hm_sender *hm_proc_sender(struct hm_proc *proc);

/* A root actor; name unique among the living.  arg is the caller's. */
struct hm_actor *hm_proc_spawn(struct hm_proc *proc, const char *name,
    hm_handler *handle, void *arg, struct hm_error *err);
/* The actor of that name, NULL. */
struct hm_actor *hm_proc_actor(struct hm_proc *proc, const char *name);
/* Ends the actor: what it had not taken is returned, "actor … has ended". */
void hm_actor_free(struct hm_actor *actor);
void *hm_actor_arg(const struct hm_actor *actor);
struct hm_proc *hm_actor_proc(const struct hm_actor *actor);
const struct hm_id *hm_actor_id(const struct hm_actor *actor);
/* A paused actor is given nothing: messages wait in its mailbox, unsettled,
 * and then in the host, and then their senders wait. */
void hm_actor_pause(struct hm_actor *actor, bool paused);

/* Ports: number from 1024 up, never the same twice. A once port closes itself
 * after one message. handler NULL: the actor's. */
uint64_t hm_port_open(struct hm_actor *actor, hm_handler *handle, bool once);
/* Opens a well-known port (below 1024). */
int hm_port_open_at(struct hm_actor *actor, uint64_t port, hm_handler *handle);
void hm_port_close(struct hm_actor *actor, uint64_t port);
/* The whole id of that port of actor. */
void hm_port_id(const struct hm_actor *actor, uint64_t port, struct hm_id *id);

/*
 * Posts env from actor: takes it on success.  -1 with errno and env still the
 * caller's: EAGAIN (no room on that way: try again when the progress callback
 * is called), EMSGSIZE (its head), ENOMEM, EINVAL.  A message that cannot be
 * delivered comes back through the undeliverable handler, also one that is
 * known at once to have no way or to be too large.
 */
int hm_post(struct hm_actor *actor, struct hm_envelope *env);
/* The same without the bound (EAGAIN never): for control and answers. */
int hm_post_unchecked(struct hm_actor *actor, struct hm_envelope *env);
/* Asks the takers to settle what was posted so far at once (the end of a
 * batch). */
void hm_proc_hurry(struct hm_proc *proc);
/* Messages posted and not settled yet, LASTING ones not counted. */
size_t hm_proc_unsettled(const struct hm_proc *proc);
/* Called when something was settled, or room has come. */
void hm_proc_on_progress(
    struct hm_proc *proc, void (*fn)(void *arg), void *arg);
/* Called once when the link to the host is lost for good (after what was
 * unsettled has been returned). Without it hm_proc_run ends with 1. */
void hm_proc_on_lost(
    struct hm_proc *proc, void (*fn)(void *arg, const char *why), void *arg);
/* Called when the agent is told to stop; without it hm_proc_run ends, 0. */
void hm_proc_on_stop(
    struct hm_proc *proc, void (*fn)(void *arg, const char *reason), void *arg);
/* Is told of each message from actor that was delivered; borrows it, and must
 * not post (the progress callback comes after). */
void hm_actor_on_delivered(struct hm_actor *actor,
    void (*fn)(struct hm_actor *self, const struct hm_envelope *env));
/* Gets what came back, with its errors; borrows it.  Without one, returned
 * messages are logged and dropped. */
void hm_actor_on_return(struct hm_actor *actor,
    void (*fn)(struct hm_actor *self, struct hm_envelope *env));

/* Answers msg (its reply-to; 0 and nothing done if it has none). */
int hm_reply(struct hm_actor *self, const struct hm_envelope *msg,
    const void *payload, size_t len);
int hm_reply_typed(struct hm_actor *self, const struct hm_envelope *msg,
    const char *type, const void *payload, size_t len);
/* For "return hm_refuse(self, …)" in a handler: HM_NO with these words. */
int hm_refuse(struct hm_actor *self, const char *fmt, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Ends what HM_LATER began: settles msg, and frees it.  reason may be NULL if
 * delivered. */
void hm_settle(
    struct hm_envelope *msg, enum hm_outcome outcome, const char *reason);

/*
 * Asks dest and waits for the answer in turns of the loop: the answer (free
 * it), or NULL with a sentence: ETIMEDOUT after timeout ms (0: never), or why
 * the question came back.
 */
struct hm_envelope *hm_call(struct hm_actor *actor, const struct hm_id *dest,
    const void *payload, size_t len, uint64_t timeout, struct hm_error *err);
/*
 * The same to "service,host_agent" of the proc's host, in JSON: the parsed
 * answer (hm_json_free), or NULL with the answer's own error sentence and
 * kind.
 */
struct hm_json *hm_control(struct hm_actor *actor, const char *request,
    uint64_t timeout, struct hm_error *err);

#ifdef __cplusplus
}
#endif
#endif
