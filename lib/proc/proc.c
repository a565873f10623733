/*
 * Procs: made on a router of their own (attached to a host, direct, local,
 * configured), run, and ended in order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/host_proc.h"
#include "proc/proc_private.h"

#define ATTACH_MS 5000
#define LEAVE_MS 1000
#define REDIAL_MS 200

int
hm_host_default(
    struct hm_addr *addr, const char *override, struct hm_error *err)
{
	const char *text = override;
	char dir[HM_ADDR_SIZE], path[HM_ADDR_SIZE + 16];

	if (text == NULL)
		text = getenv("HYPERACTOR_HOST_ADDR");
	if (text == NULL) {
		if (sys_socket_dir(dir, sizeof dir, false, err) == -1)
			return -1;
		(void)snprintf(path, sizeof path, "unix:%s/host", dir);
		text = path;
	}
	if (hm_addr_parse(addr, text, HM_ADDR_RESOLVE, err) == 0)
		return 0;
	if (err != NULL && err->code == EHOSTUNREACH)
		err->kind = HM_ERR_CHANNEL; /* a name that does not resolve */
	else if (err != NULL && override == NULL)
		err->kind = HM_ERR_INVALID;
	return -1;
}

static void
on_progress(struct router_local *local)
{
	struct hm_proc *proc = (struct hm_proc *)local;

	if (proc->progress == NULL || proc->dying)
		return;
	proc->turning++;
	proc->progress(proc->progress_arg);
	proc->turning--;
}

static void
lost_for_good(struct hm_proc *proc, const char *why)
{
	if (proc->dying)
		return;
	if (proc->lost != NULL)
		proc->lost(proc->lost_arg, why);
	else
		hm_proc_stop(proc, 1);
}

static void
on_lost(void *arg, const char *why)
{
	struct hm_proc *proc = arg;

	if (proc->dying || proc->attach_state != 1)
		return;
	if (!proc->redial) {
		lost_for_good(proc, why);
		return;
	}
	hm_log(proc->loop, HM_LOG_WARNING, "%s: dialing again", why);
	proc->redial_until =
	    hm_loop_now(proc->loop) + proc->limits.session_timeout;
	if (hm_timer_start(proc->loop, &proc->redial_timer, 0) == -1)
		lost_for_good(proc, "no memory");
}

void
proc_init(
    struct hm_proc *proc, struct hm_loop *loop, const struct hm_limits *limits)
{
	if (limits != NULL)
		proc->limits = *limits;
	else
		hm_limits_init(&proc->limits);
	proc->loop = loop;
	proc->next_port = HM_PORT_FIRST;
	proc->local.deliver = proc_deliver;
	proc->local.progress = on_progress;
	proc->local.returned = proc_returned;
	proc->ready_end = &proc->ready;
	proc->snapshots_end = &proc->snapshots;
	mail_init(&proc->system);
	mail_init(&proc->early_mail);
	proc->task.fn = proc_drain;
	proc->task.arg = proc;
}

static struct hm_proc *
proc_new(
    struct hm_loop *loop, const struct hm_limits *limits, struct hm_error *err)
{
	static const struct router_ops ops = {NULL, NULL, NULL, on_lost};
	struct hm_proc *proc = calloc(1, sizeof *proc);

	if (proc == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	proc->own_loop = loop == NULL;
	proc_init(proc, loop == NULL ? hm_loop_new(NULL, err) : loop, limits);
	if (proc->loop != NULL)
		proc->router =
		    router_new(proc->loop, &proc->limits, &ops, proc, err);
	if (proc->router == NULL) {
		if (proc->own_loop)
			hm_loop_free(proc->loop);
		free(proc);
		return NULL;
	}
	proc->own_router = true;
	return proc;
}

int
proc_enter(
    struct hm_proc *proc, const char *addr, const char *name, const char *host)
{
	hm_id_set(&proc->id, host, name, "", 0, 0);
	proc->id.depth = HM_ID_PROC;
	(void)snprintf(proc->host, sizeof proc->host, "%s", host);
	(void)snprintf(proc->local.name, sizeof proc->local.name, "%s", name);
	(void)snprintf(proc->local.addr, sizeof proc->local.addr, "%s", addr);
	return router_add_local(proc->router, &proc->local);
}

static void
on_attached(
    void *arg, const char *name, const char *host, const struct hm_error *err)
{
	struct hm_proc *proc = arg;

	if (err != NULL) {
		proc->attach_err = *err;
		if (err->code == 0) /* the end of file */
			(void)hm_fail(&proc->attach_err, ECONNRESET,
			    "closed the connection without a greeting");
		proc->attach_state = -1;
	} else if (proc->local.here != NULL) {
		proc->attach_state = 1; /* again */
	} else if (!hm_name_valid(name, strlen(name)) ||
		   proc_enter(proc, host, name, host) == -1) {
		(void)hm_fail(&proc->attach_err, EPROTO,
		    "host greets with the name '%s'", name);
		proc->attach_state = -1;
	} else {
		proc->attach_state = 1;
	}
}

static void
on_reattached(
    void *arg, const char *name, const char *host, const struct hm_error *err)
{
	struct hm_proc *proc = arg;

	on_attached(arg, name, host, err);
	if (proc->attach_state != -1)
		return;
	proc->attach_state = 1;
	if (hm_loop_now(proc->loop) >= proc->redial_until ||
	    hm_timer_start(proc->loop, &proc->redial_timer, REDIAL_MS) == -1)
		lost_for_good(proc, proc->attach_err.text);
}

static void
on_redial(void *arg)
{
	struct hm_proc *proc = arg;
	struct router_attach how = {&proc->host_addr,
	    proc->joined ? HM_HELLO_JOIN : HM_HELLO_ATTACH, proc->local.name,
	    ""};
	struct hm_error err;

	if (router_attach(proc->router, &how, on_reattached, proc, &err) == -1)
		on_reattached(proc, NULL, NULL, &err);
}

static int
wait_attached(struct hm_proc *proc, uint64_t timeout)
{
	uint64_t from = hm_loop_now(proc->loop), gone = 0;
	uint64_t most = timeout == 0 ? ATTACH_MS : timeout;

	for (; proc->attach_state == 0 && gone < most;
	     gone = hm_loop_now(proc->loop) - from) {
		if (hm_loop_turn(proc->loop, sys_poll_ms(most - gone)) == -1)
			return hm_fail(&proc->attach_err, errno, "loop: %s",
			    strerror(errno));
	}
	if (proc->attach_state == 0)
		return hm_fail(
		    &proc->attach_err, ETIMEDOUT, "host does not greet");
	return proc->attach_state == 1 ? 0 : -1;
}

/* The sentence and kind for a host that could not be attached to. */
static void
attach_failed(const struct hm_proc *proc, struct hm_error *err)
{
	const struct hm_error *why = &proc->attach_err;

	if (why->kind == HM_ERR_OTHER)
		(void)hm_fail_kind(err, HM_ERR_CHANNEL, why->code,
		    "host %s: %.300s", proc->host_addr.text, why->text);
	else if (err != NULL)
		*err = *why;
}

struct hm_proc *
hm_proc_attach(
    struct hm_loop *loop, const struct hm_attach *how, struct hm_error *err)
{
	struct hm_proc *proc = proc_new(loop, how->limits, err);
	struct router_attach attach = {NULL, HM_HELLO_ATTACH, "", ""};

	if (proc == NULL)
		return NULL;
	if (hm_host_default(&proc->host_addr, how->host, err) == -1) {
		hm_proc_free(proc);
		return NULL;
	}
	attach.host = &proc->host_addr;
	if (how->name != NULL)
		attach.name = how->name;
	if (how->joined)
		attach.kind = HM_HELLO_JOIN;
	if (how->token != NULL) {
		attach.kind = HM_HELLO_BOOT;
		attach.token = how->token;
	}
	proc->early = true;
	proc->early_task.fn = proc_early_over;
	proc->early_task.arg = proc;
	proc->redial = how->redial;
	proc->joined = how->joined;
	proc->redial_timer.fn = on_redial;
	proc->redial_timer.arg = proc;
	if (router_attach(proc->router, &attach, on_attached, proc,
		&proc->attach_err) == -1 ||
	    wait_attached(proc, how->timeout) == -1) {
		attach_failed(proc, err);
		hm_proc_free(proc);
		return NULL;
	}
	hm_task_start(proc->loop, &proc->early_task);
	return proc;
}

struct hm_proc *
hm_proc_direct(struct hm_loop *loop, const char *addr, const char *name,
    const struct hm_limits *limits, struct hm_error *err)
{
	struct hm_proc *proc = proc_new(loop, limits, err);
	struct hm_addr where;

	if (proc == NULL)
		return NULL;
	proc->attach_state = 1;
	if (!hm_name_valid(name, strlen(name)))
		(void)hm_fail(err, EINVAL, "name '%s': bad name", name);
	else if (hm_proc_serve(proc, addr, &where, err) == 0 &&
		 router_own(proc->router, where.text) == 0 &&
		 proc_enter(proc, "", name, where.text) == 0)
		return proc;
	hm_proc_free(proc);
	return NULL;
}

struct hm_proc *
hm_proc_local(struct hm_loop *loop, struct hm_error *err)
{
	struct hm_proc *proc = proc_new(loop, NULL, err);

	if (proc == NULL)
		return NULL;
	router_seal(proc->router);
	if (router_own(proc->router, "local:0") == 0 &&
	    proc_enter(proc, "", "local", "local:0") == 0)
		return proc;
	(void)hm_fail(err, ENOMEM, "no memory");
	hm_proc_free(proc);
	return NULL;
}

struct hm_proc *
hm_proc_configured(struct hm_loop *loop, const struct hm_id *id,
    struct hm_sender *forwarder, const struct hm_limits *limits,
    struct hm_error *err)
{
	struct hm_proc *proc = proc_new(loop, limits, err);

	if (proc == NULL)
		return NULL;
	router_seal(proc->router);
	if (router_own(proc->router, id->addr) == 0 &&
	    proc_enter(proc, "", id->proc, id->addr) == 0 &&
	    onward_open(&proc->onward, proc->router, forwarder) == 0)
		return proc;
	(void)hm_fail(err, ENOMEM, "no memory");
	hm_proc_free(proc);
	return NULL;
}

struct hm_sender *
hm_proc_sender(struct hm_proc *proc)
{
	struct gate *gate = proc->gate;

	if (gate != NULL)
		return &gate->sender;
	gate = calloc(1, sizeof *gate);
	if (gate == NULL || gate_open(gate, proc->router) == -1) {
		free(gate);
		errno = ENOMEM;
		return NULL;
	}
	proc->gate = gate;
	return &gate->sender;
}

int
hm_proc_serve(struct hm_proc *proc, const char *addr, struct hm_addr *got,
    struct hm_error *err)
{
	struct hm_addr where;
	char dir[HM_ADDR_SIZE] = "";

	if (hm_addr_parse(
		&where, addr, HM_ADDR_LISTEN | HM_ADDR_RESOLVE, err) == -1)
		return -1;
	if (where.any && where.transport == HM_TRANSPORT_UNIX &&
	    sys_socket_dir(dir, sizeof dir, true, err) == -1)
		return -1;
	return router_serve(proc->router, &where, dir, 0600, false, got, err);
}

/* Turns the loop until peers have been told, at most LEAVE_MS. */
static void
leave(struct hm_proc *proc)
{
	router_close(proc->router, LEAVE_MS);
	while (router_closing(proc->router)) {
		if (hm_loop_turn(proc->loop, LEAVE_MS) == -1)
			break;
	}
}

void
hm_proc_free(struct hm_proc *proc)
{
	if (proc == NULL)
		return;
	proc->dying = true;
	if (proc->closing != NULL)
		proc->closing(proc->closing_arg);
	actors_fini(proc);
	hm_task_stop(proc->loop, &proc->early_task);
	proc_early_over(proc);
	hm_timer_stop(proc->loop, &proc->redial_timer);
	hm_task_stop(proc->loop, &proc->task);
	if (proc->own_router && proc->attach_state == 1)
		leave(proc);
	if (proc->gate != NULL)
		gate_close(proc->gate);
	free(proc->gate);
	onward_close(&proc->onward);
	if (proc->local.here != NULL)
		router_remove_local(&proc->local);
	hm_task_stop(proc->loop, &proc->task);
	if (proc->own_router)
		router_free(proc->router);
	if (proc->own_loop)
		hm_loop_free(proc->loop);
	free(proc);
}

int
proc_turn(struct hm_proc *proc, int ms)
{
	int done;

	proc->turning++;
	done = hm_loop_turn(proc->loop, ms);
	proc->turning--;
	return done;
}

int
hm_proc_run(struct hm_proc *proc)
{
	while (!proc->stopped) {
		if (proc_turn(proc, -1) == -1)
			return 1;
	}
	return proc->status;
}

void
hm_proc_stop(struct hm_proc *proc, int status)
{
	if (proc->stopped)
		return;
	proc->stopped = true;
	proc->status = status;
	hm_loop_wake(proc->loop);
	if (proc->halt != NULL && !proc->dying)
		proc->halt(proc->halt_arg, status);
}

void
proc_on_halt(struct hm_proc *proc, void (*fn)(void *arg, int status), void *arg)
{
	proc->halt = fn;
	proc->halt_arg = arg;
	if (proc->stopped)
		fn(arg, proc->status);
}

struct hm_loop *
hm_proc_loop(struct hm_proc *proc)
{
	return proc->loop;
}

const struct hm_id *
hm_proc_id(const struct hm_proc *proc)
{
	return &proc->id;
}

const char *
hm_proc_host(const struct hm_proc *proc)
{
	return proc->host;
}

void
hm_proc_hurry(struct hm_proc *proc)
{
	router_hurry(proc->router);
}

size_t
hm_proc_unsettled(const struct hm_proc *proc)
{
	return proc->local.unsettled;
}

void
hm_proc_on_progress(struct hm_proc *proc, void (*fn)(void *arg), void *arg)
{
	proc->progress = fn;
	proc->progress_arg = arg;
}

void
hm_proc_on_lost(
    struct hm_proc *proc, void (*fn)(void *arg, const char *why), void *arg)
{
	proc->lost = fn;
	proc->lost_arg = arg;
}

void
hm_proc_on_stop(
    struct hm_proc *proc, void (*fn)(void *arg, const char *reason), void *arg)
{
	proc->stop = fn;
	proc->stop_arg = arg;
}
