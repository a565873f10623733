/*
 * A host: one address behind which procs live.  It serves a frontend and a
 * backend with one router, has the procs service (host_agent, the control
 * actor) and local, and knows every proc reserved, booted, attached or bound.
 *
 * Procs may be spawned by who has the host, through managers: as processes and
 * in this process, side by side.  They are procs as all others: proc-stat shows
 * them, proc-reap ends them.
 */
#ifndef HOSTMUX_HOST_H
#define HOSTMUX_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include <hostmux/channel.h>
#include <hostmux/error.h>
#include <hostmux/limits.h>
#include <hostmux/loop.h>
#include <hostmux/manager.h>
#include <hostmux/proc.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hm_host;

struct hm_host_config {
	const char *const *listen; /* addresses of the frontend, NULL-ended */
	const char *const *as;	   /* further own addresses; as[0] is the id */
	const char *backend;	   /* NULL: "unix" beside the frontend's */
	const char *const *routes; /* "[ADDR=]VIA", NULL-ended, or NULL */
	unsigned mode;		   /* of Unix sockets; 0: 0600 */
	bool replace;	  /* stale sockets may be replaced (the lock is held) */
	bool relay;	  /* pass what is remote on to third hosts */
	uint64_t timeout; /* ms grace of the end */
	unsigned max;	  /* procs ended at a time; 0: 64 */
	const struct hm_limits *limits; /* NULL: defaults */
	/* What it spawns with, NULL-ended, or NULL; on the same loop.  The host
	 * owns them when it is made: it uses them (hm_manager_use) and frees
	 * them, which kills what they still have. */
	struct hm_manager *const *managers;
	/* Where unknown names of its own go that no route takes, borrowed;
	 * NULL: they are returned. */
	struct hm_sender *otherwise;
};

/* Listens on everything; serves once the loop turns.  NULL with a sentence
 * (EADDRINUSE, …). */
struct hm_host *hm_host_new(struct hm_loop *loop,
    const struct hm_host_config *config, struct hm_error *err);
void hm_host_free(struct hm_host *host);
/* The Unix address for programs on this machine; the id address in all ids;
 * the backend's. */
const char *hm_host_frontend(const struct hm_host *host);
const char *hm_host_id(const struct hm_host *host);
const char *hm_host_backend(const struct hm_host *host);
/* Envelopes into the host, as hm_proc_sender; the host's. */
struct hm_sender *hm_host_sender(struct hm_host *host);
struct hm_proc *hm_host_system_proc(struct hm_host *host);
struct hm_proc *hm_host_local_proc(struct hm_host *host);
/* The first of its managers; NULL: none. */
struct hm_manager *hm_host_manager(const struct hm_host *host);
/*
 * The host is not to be freed from inside the turns of the loop that some of
 * the following wait in.
 *
 * Starts a proc of that name with one of the host's managers (NULL: the first)
 * and returns: who waits for it to be Ready does so at the handle.  Of how the
 * host fills in id, host, forwarder, token and beside; the rest is for the
 * manager, as in struct hm_spawn (NULL: nothing, and a ready_timeout of
 * HOST_SPAWN_READY_TIMEOUT).  The name is taken from now on until the proc has
 * ended.  NULL with kind EXISTS ("proc 'NAME' already exists"), INVALID, DENIED
 * (a name of the host's, or it is ending), or what hm_manager_spawn says.  The
 * handle is the caller's to forget (hm_handle_free).
 */
struct hm_handle *hm_host_start(struct hm_host *host,
    struct hm_manager *manager, const char *name, const struct hm_spawn *how,
    struct hm_error *err);
/*
 * The same, and waits, in turns of the loop, until it is Ready: also NULL with
 * the errors of hm_ready_ensure, after ready_timeout ms at most (0: for ever).
 * After any of them the name is free and no process is left, as far as the
 * manager can end one.
 */
struct hm_handle *hm_host_spawn(struct hm_host *host,
    struct hm_manager *manager, const char *name, const struct hm_spawn *how,
    struct hm_error *err);
/*
 * Ends, in turns of the loop, all that was started so, each with timeout ms of
 * grace, of each manager at most max at a time; *summary as
 * hm_manager_terminate_all.  Their names are free then.  -1 ENOMEM.
 */
int hm_host_terminate_children(struct hm_host *host, uint64_t timeout,
    unsigned max, const char *reason, struct hm_summary *summary,
    struct hm_error *err);
/* One of them, as hm_manager_terminate_proc; its name is free then.  -1 with
 * kind NOPROC "no proc 'NAME' on ADDR"; ENOTSUP: not started so. */
int hm_host_terminate_proc(struct hm_host *host, const char *name,
    uint64_t timeout, const char *reason, struct hm_destroyed *done,
    struct hm_error *err);
/*
 * Begins the orderly end: no new names, procs ended (each with timeout ms of
 * grace), what is in flight settled, sockets removed; then done(arg, failed)
 * with the number of procs that did not end.  Again: cuts the grace to
 * nothing.
 */
#define HM_HOST_TIMEOUT \
	UINT64_MAX /* the one that was configured, or asked for */
void hm_host_shutdown(struct hm_host *host, uint64_t timeout,
    const char *reason, void (*done)(void *arg, unsigned failed), void *arg);
/* Called when a shutdown was asked for over control, with the grace in ms that
 * was asked for or is configured: fn calls hm_host_shutdown, now or later.
 * Without one, the host ends by itself. */
void hm_host_on_shutdown(
    struct hm_host *host, void (*fn)(void *arg, uint64_t timeout), void *arg);

#ifdef __cplusplus
}
#endif
#endif
