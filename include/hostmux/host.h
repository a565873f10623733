/*
 * A host: one address behind which procs live.  It serves a frontend and a
 * backend with one router, has the procs service (host_agent, the control
 * actor) and local, and knows every proc reserved, booted, attached or bound.
 */
#ifndef HOSTMUX_HOST_H
#define HOSTMUX_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include <hostmux/channel.h>
#include <hostmux/error.h>
#include <hostmux/limits.h>
#include <hostmux/loop.h>
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
	unsigned mode;		   /* of Unix sockets, 0600 */
	bool replace;	  /* stale sockets may be replaced (the lock is held) */
	bool relay;	  /* pass what is remote on to third hosts */
	uint64_t timeout; /* ms grace of the end */
	unsigned max;	  /* procs ended at a time */
	const struct hm_limits *limits;
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
