/*
 * A host is made, and ends in order.
 *
 * The end: no new names; every proc is ended; what is in flight is delivered
 * or returned; the sockets go; whoever asked is answered; links say BYE; done.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "host/item.h"
#include "proc/agent.h"

/* What waits to be written gets so long at the end, at most. */
#define CLOSE_MS 2000
#define CLOSE_LOOK_MS 5
/* Procs ended at a time, unless somebody says. */
#define DEFAULT_MAX 64

void
answer_begin(struct hm_json_out *out)
{
	hm_json_begin(out);
	hm_json_put_bool(out, "ok", true);
}

/* The procs in this process have names too. */
static struct hm_proc *
own_proc(struct hm_host *host, enum entry_kind kind, struct hm_error *err)
{
	const char *name = entry_kind_name(kind);
	struct hm_proc *proc = hm_proc_on_router(host->router, name, err);
	struct entry *entry;

	if (proc == NULL)
		return NULL;
	entry = entry_new(kind, name);
	if (entry == NULL) {
		hm_proc_free(proc);
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	entry->status.state = HM_READY;
	entry->status.pid = getpid();
	entry->status.started = sys_wall();
	(void)snprintf(entry->status.addr, sizeof entry->status.addr, "%s",
	    hm_host_id(host));
	life_begin(host, entry);
	return proc;
}

static void
on_stop(void *arg, const char *reason)
{
	(void)reason;
	host_asked_to_end(arg);
}

static int
make_procs(struct hm_host *host, struct hm_error *err)
{
	host->service = own_proc(host, ENTRY_SERVICE, err);
	host->local =
	    host->service == NULL ? NULL : own_proc(host, ENTRY_LOCAL, err);
	if (host->local == NULL)
		return -1;
	host->agent = hm_proc_spawn(
	    host->service, "host_agent", control_handle, host, err);
	if (host->agent == NULL || hm_agent_install(host->service, err) == -1)
		return -1;
	hm_actor_on_return(host->agent, control_returned);
	hm_proc_on_progress(host->service, watch_progress, host);
	hm_proc_on_stop(host->service, on_stop, host);
	return 0;
}

static int
make_senders(struct hm_host *host, const struct hm_host_config *config,
    struct hm_error *err)
{
	if (gate_open(&host->gate, host->router) == 0 &&
	    (config->otherwise == NULL ||
		onward_open(&host->onward, host->router, config->otherwise) ==
		    0))
		return 0;
	return hm_fail(err, ENOMEM, "no memory");
}

struct hm_host *
hm_host_new(struct hm_loop *loop, const struct hm_host_config *config,
    struct hm_error *err)
{
	struct hm_host *host = calloc(1, sizeof *host);

	if (host == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	host->loop = loop;
	if (config->limits != NULL)
		host->limits = *config->limits;
	else
		hm_limits_init(&host->limits);
	host->timeout = config->timeout;
	host->max = config->max == 0 ? DEFAULT_MAX : config->max;
	registry_init(&host->names, (size_t)host->limits.snapshot_retention);
	host->router =
	    router_new(loop, &host->limits, &host_router_ops, host, err);
	if (host->router == NULL || host_listen(host, config, err) == -1 ||
	    make_procs(host, err) == -1 ||
	    make_senders(host, config, err) == -1 ||
	    managed_begin(host, config->managers, err) == -1) {
		hm_host_free(host);
		return NULL;
	}
	if (config->relay)
		router_relay(host->router);
	if (config->mode & 077)
		router_open_to_all(host->router);
	return host;
}

void
hm_host_free(struct hm_host *host)
{
	struct entry *entry;

	if (host == NULL)
		return;
	/* What is killed now is no orderly end. */
	host->ending = true;
	host->last_reap = NULL;
	host->done = NULL;
	hm_timer_stop(host->loop, &host->timer);
	managed_end(host);
	for (entry = host->names.living.first; entry != NULL;
	     entry = entry->next)
		hm_timer_stop(host->loop, &entry->timer);
	watch_end(host);
	reap_end(host);
	hm_proc_free(host->service);
	hm_proc_free(host->local);
	gate_close(&host->gate);
	onward_close(&host->onward);
	router_free(host->router);
	registry_fini(&host->names);
	entry_free(host->spare);
	free(host);
}

const char *
hm_host_frontend(const struct hm_host *host)
{
	return host->frontend;
}

const char *
hm_host_id(const struct hm_host *host)
{
	return router_id(host->router);
}

const char *
hm_host_backend(const struct hm_host *host)
{
	return host->backend;
}

struct hm_sender *
hm_host_sender(struct hm_host *host)
{
	return &host->gate.sender;
}

struct hm_proc *
hm_host_system_proc(struct hm_host *host)
{
	return host->service;
}

struct hm_proc *
hm_host_local_proc(struct hm_host *host)
{
	return host->local;
}

/* Tells the askers from the first on. */
static void
tell_askers(struct hm_host *host, size_t first, const struct reap *reap)
{
	struct hm_json_out out;
	size_t i;

	for (i = first; i < host->naskers; i++) {
		answer_begin(&out);
		if (reap != NULL)
			reap_put_summary(reap, &out);
		else
			hm_json_put_bool(&out, "done", true);
		(void)hm_post_json(
		    host->agent, &host->askers[i], NULL, &out, false);
	}
}

static void
on_closing(void *arg)
{
	struct hm_host *host = arg;

	if (router_closing(host->router) &&
	    hm_timer_start(host->loop, &host->timer, CLOSE_LOOK_MS) == 0)
		return;
	if (host->done != NULL)
		host->done(host->done_arg, host->failed);
}

/* Every proc has ended: the doors are shut, and everybody is told. */
static void
on_reaped(void *arg)
{
	struct hm_host *host = arg;

	host->closing = true;
	watch_end(host);
	reap_end(host);
	router_unserve(host->router);
	tell_askers(host, 0, NULL);
	router_close(host->router, CLOSE_MS);
	host->timer.fn = on_closing;
	if (hm_timer_start(host->loop, &host->timer, CLOSE_LOOK_MS) == -1)
		on_closing(host);
}

static void
close_soon(struct hm_host *host, unsigned failed)
{
	host->last_reap = NULL;
	host->failed = failed;
	host->timer.fn = on_reaped;
	host->timer.arg = host;
	if (hm_timer_start(host->loop, &host->timer, 0) == -1)
		on_reaped(host);
}

void
host_reaped(struct hm_host *host, const struct reap *reap)
{
	if (reap != host->last_reap)
		return;
	/* The first asker was told by the reap itself, if it was there before
	 * that began. */
	tell_askers(host, reap->told ? 1 : 0, reap);
	close_soon(host, (unsigned)reap->failed);
}

void
hm_host_shutdown(struct hm_host *host, uint64_t timeout, const char *reason,
    void (*done)(void *arg, unsigned failed), void *arg)
{
	struct reap_spec spec;

	if (host->ending) {
		if (host->last_reap != NULL)
			reap_kill(host->last_reap);
		return;
	}
	host->ending = true;
	host->done = done;
	host->done_arg = arg;
	memset(&spec, 0, sizeof spec);
	spec.kind = REAP_TERMINATE;
	spec.all = spec.starting = true;
	/* Whoever asked for the end may have asked for a shorter one. */
	if (timeout == HM_HOST_TIMEOUT ||
	    (host->naskers > 0 && timeout > host->timeout))
		timeout = host->timeout;
	spec.timeout = timeout;
	spec.max = host->max;
	spec.reason = reason;
	spec.to = host->naskers > 0 ? &host->askers[0] : NULL;
	host->last_reap = reap_new(host, &spec);
	if (host->last_reap == NULL)
		close_soon(host, 1);
	else
		reap_go(host->last_reap);
}

void
hm_host_on_shutdown(
    struct hm_host *host, void (*fn)(void *arg, uint64_t timeout), void *arg)
{
	host->asked = fn;
	host->asked_arg = arg;
}

void
host_asked_to_end(struct hm_host *host)
{
	if (host->ending)
		return;
	if (host->asked != NULL)
		host->asked(host->asked_arg, host->timeout);
	else
		hm_host_shutdown(
		    host, HM_HOST_TIMEOUT, "host shutdown", NULL, NULL);
}
