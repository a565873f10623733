/*
 * Managers start procs and end them: as processes, or inside this one.  A
 * handle is one life of one proc: a name that is spawned again gets another, so
 * nothing that was meant for an earlier life (a timer, a late callback, an
 * exit) can touch the next.
 *
 * Whoever wants to know waits, and is called; a blocking form of each wait is
 * there for programs that have nothing else to do.  A waiter that is called may
 * wait itself, spawn, end and forget procs, those it is told of too, but not
 * free the manager, or the host that has it.  The functions of a config and of
 * a user turn no loop and forget no proc.
 */
#ifndef HOSTMUX_MANAGER_H
#define HOSTMUX_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/actor.h>
#include <hostmux/addr.h>
#include <hostmux/error.h>
#include <hostmux/id.h>
#include <hostmux/json.h>
#include <hostmux/loop.h>
#include <hostmux/proc.h>
#include <hostmux/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hm_manager;
struct hm_handle;

/* What a waiter waits for. */
enum hm_until {
	HM_UNTIL_CHANGE, /* each change, until it is dropped */
	HM_UNTIL_READY,	 /* Ready, or the end before it */
	HM_UNTIL_END
};

/*
 * Called once (for CHANGE, each time) with why == NULL when what is waited for
 * is so; otherwise why it will not be: "proc already terminated (status: …)";
 * "lifecycle channel closed; cannot observe state", after which nothing more is
 * said; or, to who waits for CHANGE or END, that a kill has not ended it in 5 s
 * ("I/O error during terminate/kill: …"; the wait goes on).  Changes made while
 * others are told of one may be told as one.  The caller's storage.
 */
struct hm_waiter {
	void (*fn)(
	    void *arg, struct hm_handle *handle, const struct hm_error *why);
	void *arg;
	enum hm_until until;
	struct hm_waiter *next;
};

/* What a proc is started with; borrowed. */
struct hm_spawn {
	const struct hm_id *id; /* of the proc */
	const char *host;	/* the host's address for programs; or NULL */
	const char *forwarder;	/* the host's backend; a process must have */
	const char *token;	/* of its reservation; a process must have */
	struct hm_proc *beside; /* in this process: it lives where that does */
	char *const *argv;	/* in this process: as config.begin likes */
	const char *dir;	/* NULL: this process's */
	const char *const *env; /* NAME=VALUE, …, NULL; or NULL */
	const char *const *config; /* KEY, VALUE, …, NULL; or NULL */
	int in;			   /* its stdin, borrowed; -1: /dev/null */
	uint64_t ready_timeout;	   /* ms, 0 = for ever */
	void *arg;		   /* of its handle */
};

/* A line a proc printed. */
struct hm_line {
	const char *stream; /* "stdout", "stderr" */
	uint64_t n;	    /* from 1 up on this stream */
	const char *text;   /* without newline, not NUL-terminated */
	size_t len;
};

/* Whoever uses a manager, and is told by it: a host, a supervisor. */
struct hm_manager_user {
	struct hm_actor *from; /* asks agents to stop; NULL: they are not */
	/* A proc has called back, with its address and agent: to be bound, then
	 * hm_handle_bound.  NULL: it is Ready at once. */
	void (*bind)(void *arg, struct hm_handle *handle, const char *addr,
	    const char *agent);
	/* A proc says that its link to the host is no more: nothing reaches it.
	 * NULL: it lives on. */
	void (*cut)(void *arg, struct hm_handle *handle, const char *why);
	void *arg;
};

struct hm_process_config {
	/* For the callback and the procs' sockets, absolute; NULL: the default
	 * directory of hostmux(7), made if need be ($XDG_RUNTIME_DIR is read).
	 */
	const char *socket_dir;
	bool subreaper; /* this process has no other children, of another
			 * manager neither, and becomes one */
	/* NULL: output is only kept. */
	void (*line)(
	    void *arg, struct hm_handle *handle, const struct hm_line *line);
	void *arg;
};

/*
 * Procs as processes.  Remembers the signal mask, dispositions and limits as
 * they are now for the children (make it before they are changed), and then
 * raises the limit of descriptors.  The program takes SIGCHLD and calls
 * hm_manager_reap for it.  NULL with a sentence.
 */
struct hm_manager *hm_process_manager_new(struct hm_loop *loop,
    const struct hm_process_config *config, struct hm_error *err);
/* Where its procs call back. */
const char *hm_process_manager_callback(const struct hm_manager *manager);

struct hm_local_config {
	/*
	 * Spawns the actors of proc, as main does of a program that boots; one
	 * named "agent" is its agent, without one it gets that of every proc.
	 * It may call hm_proc_on_stop, to end by hm_proc_stop when the agent is
	 * told to, and turns no loop.  0, or -1 with err.  NULL: there are no
	 * actors but the agent.
	 */
	int (*begin)(void *arg, struct hm_proc *proc,
	    const struct hm_spawn *spawn, struct hm_error *err);
	void *arg;
	uint64_t timeout; /* ms of grace when the agent is told to stop */
};

/*
 * Procs inside this process, each beside another (hm_spawn.beside), which
 * outlives it.  They are Ready when spawn returns: what it fails with is
 * EXISTS, AGENT (begin, or no agent) or CONFIGURE.  To terminate one is to stop
 * its actors, as hm_proc_destroy does; to kill it is the same without grace.
 * One that is stopped in another way (hm_proc_stop, a failure that nobody
 * handles) ends with that status; in all cases it is freed when it ends, with
 * what is left in it, and its terminal status is Stopped.  NULL: ENOMEM.
 */
struct hm_manager *hm_local_manager_new(struct hm_loop *loop,
    const struct hm_local_config *config, struct hm_error *err);

/* Kills what lives, reaps it, tells of it, and forgets all handles; not from
 * inside a call about one, or a callback of its procs.  Who is told can spawn
 * nothing more (DENIED), and waits for no end.  NULL is harmless. */
void hm_manager_free(struct hm_manager *manager);
/* From now on that user is told; copied.  NULL: nobody. */
void hm_manager_use(
    struct hm_manager *manager, const struct hm_manager_user *user);
/* How its procs are reached: local is inside this process. */
enum hm_transport hm_manager_transport(const struct hm_manager *manager);
/*
 * Starts a proc; it is Running, or further, when this returns.  NULL with kind
 * SPAWN ("proc 'ID' failed to spawn process: CMD: …", code the errno of exec)
 * or CONFIGURE.
 */
struct hm_handle *hm_manager_spawn(struct hm_manager *manager,
    const struct hm_spawn *spawn, struct hm_error *err);
/* Some child may have ended: looks, in this turn of the loop. */
void hm_manager_reap(struct hm_manager *manager);
/* Does anything live, the leavings of ended procs included? */
bool hm_manager_busy(const struct hm_manager *manager);
/*
 * Terminates all that live, at most max (>= 1) at once, each with timeout ms
 * of grace.  done gets the summary, perhaps at once, and may free the manager
 * if that is its own; who has ended already is ok.  A second caller waits for
 * the same ends.  -1 ENOMEM.
 */
struct hm_summary {
	unsigned attempted, ok, failed;
};
int hm_manager_terminate_all(struct hm_manager *manager, uint64_t timeout,
    unsigned max, const char *reason,
    void (*done)(void *arg, const struct hm_summary *summary), void *arg);
/* The latest life of the proc of that id; NULL. */
struct hm_handle *hm_manager_find(
    struct hm_manager *manager, const struct hm_id *id);
/*
 * Begins to end the proc of that id, as hm_handle_terminate, and returns; does
 * nothing to one that is unknown, ending, or has ended.
 */
void hm_manager_request_stop(struct hm_manager *manager, const struct hm_id *id,
    uint64_t timeout, const char *reason);
/* What has become of that (Stopping, then a terminal one); NULL when the end of
 * that proc was never asked for. */
const struct hm_status *hm_manager_stop_status(
    struct hm_manager *manager, const struct hm_id *id);
/* Begins to wait for it, as hm_handle_await.  -1 ENOENT: never asked for. */
int hm_manager_watch_stop(struct hm_manager *manager, const struct hm_id *id,
    struct hm_waiter *waiter);
/*
 * Ends the proc of that id and waits, in turns of the loop, until it has ended.
 * done gets which of its actors stopped and which did not, as far as that is
 * known (hm_handle_destroyed); hm_destroyed_fini is the caller's.  -1 with kind
 * NOPROC "proc ID doesn't exist", or as hm_handle_terminate and hm_handle_wait.
 */
int hm_manager_terminate_proc(struct hm_manager *manager,
    const struct hm_id *id, uint64_t timeout, const char *reason,
    struct hm_destroyed *done, struct hm_error *err);
/* The first living or ended handle, and the next. */
struct hm_handle *hm_manager_first(struct hm_manager *manager);
struct hm_handle *hm_handle_next(struct hm_handle *handle);

/* Forgets a proc that has ended.  -1 EBUSY when it lives. */
int hm_handle_free(struct hm_handle *handle);
const struct hm_id *hm_handle_id(const struct hm_handle *handle);
const struct hm_status *hm_handle_status(const struct hm_handle *handle);
void *hm_handle_arg(const struct hm_handle *handle);
/* Why it never became Ready, once it has ended so; else NULL. */
const struct hm_error *hm_handle_failure(const struct hm_handle *handle);
/* The proc itself, if it is in this process and has not ended; else NULL. */
struct hm_proc *hm_handle_proc(const struct hm_handle *handle);
/* Which of its actors stopped at its end and which did not; borrowed.  NULL:
 * not known (a process), or not yet. */
const struct hm_destroyed *hm_handle_destroyed(const struct hm_handle *handle);
/* Its last lines, as elements of an open array. */
void hm_handle_put_tail(
    const struct hm_handle *handle, struct hm_json_out *out);
/* Begins to wait: fn may be called at once.  Not twice at a time. */
void hm_handle_await(struct hm_handle *handle, struct hm_waiter *waiter);
void hm_handle_unwait(struct hm_handle *handle, struct hm_waiter *waiter);
/* The same in turns of the loop: 0, or -1 with why not; ETIMEDOUT after timeout
 * ms (0: never). */
int hm_handle_wait(struct hm_handle *handle, enum hm_until until,
    uint64_t timeout, struct hm_error *err);
/* The proof that a proc is Ready (or was, and has ended since): where it is
 * reached, and its agent. */
struct hm_ready {
	struct hm_handle *handle;
	struct hm_addr addr;
	struct hm_id agent;
};
/*
 * Waits, in turns of the loop, until there is one: at most timeout ms (0: for
 * ever).  -1 with kind CONFIGURE "proc 'ID' failed to configure process: …" and
 * code ETIMEDOUT, ESRCH (it has ended, with its status), ECONNRESET (lifecycle
 * channel closed), EADDRNOTAVAIL (it is ready without an address), ENXIO
 * (without an agent); or with hm_handle_failure, where there is one.  The proc
 * is left as it is.
 */
int hm_ready_ensure(struct hm_ready *ready, struct hm_handle *handle,
    uint64_t timeout, struct hm_error *err);
/* The same of what the status says now, without waiting; EAGAIN: not Ready. */
int hm_ready_prove(
    struct hm_ready *ready, struct hm_handle *handle, struct hm_error *err);
/*
 * Begins to end it: the agent is asked, then SIGTERM, then SIGKILL.  One
 * attempt is shared: a later call can only make it shorter.  -1 with code ESRCH
 * "proc already terminated (status: …)", ENOTSUP "terminate/kill unsupported by
 * manager", ECONNRESET "lifecycle channel closed; cannot observe state", EIO
 * "I/O error during terminate/kill: …".
 */
int hm_handle_terminate(struct hm_handle *handle, uint64_t timeout,
    const char *reason, struct hm_error *err);
int hm_handle_kill(
    struct hm_handle *handle, const char *reason, struct hm_error *err);
/* Sends sig to its process group; nothing once it has ended. */
void hm_handle_signal(struct hm_handle *handle, int sig);
/* The agent could not be asked to stop: SIGTERM now. */
void hm_handle_unheard(struct hm_handle *handle);
/* What became of bind: NULL, it is Ready; else it is killed. */
void hm_handle_bound(struct hm_handle *handle, const struct hm_error *why);

#ifdef __cplusplus
}
#endif
#endif
