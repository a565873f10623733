/*
 * The manager whose procs are in this process.
 *
 *   Ready --> Stopping (its actors are stopped, within a time) --> no callback
 *   of it runs any more --> freed --> Stopped
 *
 * Nothing waits here: ends are carried on by lib/proc/destroy and a timer, so
 * many of them go on side by side.  A proc whose callback turns the loop itself
 * is not freed under it; that is looked at again and again, as it is rare and
 * nothing says when it is over.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/handle.h"
#include "proc/agent.h"
#include "proc/destroy.h"
#include "proc/host_proc.h"

/* Between two looks whether a callback has returned. */
#define LOOK_MS 10
/* One that has not by then is reported, as a kill that does not help. */
#define STUCK_MS 5000

struct local_manager {
	struct hm_manager base;
	struct hm_local_config config;
};

struct local {
	struct hm_handle base;
	struct hm_proc *proc;	 /* NULL once it has ended */
	struct destroy *destroy; /* while its actors are stopped */
	struct hm_destroyed lists;
	uint64_t grace; /* these two: of a stop that there was no memory for */
	bool asked;
	bool stopped; /* its actors are, and the lists are filled */
	struct hm_task task;
	struct hm_timer timer; /* these two: to look, or to try again */
	uint64_t patience;     /* reported then; 0: it was */
	char reason[HM_REASON_MAX];
	int exit;
};

static struct hm_loop *
loop_of(const struct local *l)
{
	return l->base.manager->loop;
}

static void
local_end(struct local *l)
{
	struct hm_status next = l->base.status;

	l->stopped = true; /* what its actors do at their end begins nothing */
	hm_proc_free(l->proc);
	l->proc = NULL;
	next.state = HM_STOPPED;
	next.exit_code = l->exit;
	next.ended = sys_wall();
	(void)handle_change(&l->base, &next);
}

/* From inside what still looks at the proc: it is freed later. */
static void
on_destroyed(void *arg, struct hm_destroyed *lists)
{
	struct local *l = arg;

	l->destroy = NULL;
	l->lists = *lists;
	l->stopped = true;
	l->patience = hm_loop_now(loop_of(l)) + STUCK_MS;
	hm_task_start(loop_of(l), &l->task);
}

/* asked: by who manages it, or its agent; else it ends by itself. */
static int
stop(struct local *l, uint64_t timeout, bool asked, const char *reason)
{
	if (l->stopped) {
		if (l->patience == 0) /* who asks again is told again */
			l->patience = hm_loop_now(loop_of(l)) + STUCK_MS;
		return 0;
	}
	if (l->destroy != NULL) {
		destroy_hurry(l->destroy, timeout);
		return 0;
	}
	if (reason != l->reason)
		(void)snprintf(l->reason, sizeof l->reason, "%s", reason);
	l->destroy =
	    destroy_begin(l->proc, timeout, l->reason, on_destroyed, l);
	if (l->destroy == NULL) {
		errno = ENOMEM;
		return -1;
	}
	handle_stopping(&l->base, asked, reason);
	return 0;
}

/* Nobody asks again: it is tried until there is memory. */
static void
stop_surely(struct local *l, uint64_t timeout, bool asked, const char *reason)
{
	if (stop(l, timeout, asked, reason) == 0)
		return;
	l->grace = timeout;
	l->asked = asked;
	if (hm_timer_start(loop_of(l), &l->timer, LOOK_MS) == -1)
		hm_task_start(loop_of(l), &l->task);
}

static void
look(void *arg)
{
	struct local *l = arg;

	if (!l->stopped) {
		if (l->destroy == NULL)
			stop_surely(l, l->grace, l->asked, l->reason);
		return;
	}
	if (!proc_in_use(l->proc)) {
		local_end(l);
		return;
	}
	if (hm_timer_start(loop_of(l), &l->timer, LOOK_MS) == -1)
		hm_task_start(loop_of(l), &l->task);
	if (l->patience != 0 && hm_loop_now(loop_of(l)) >= l->patience) {
		l->patience = 0;
		handle_stuck(&l->base, "a callback has not returned for 5 s");
	}
}

static int
local_terminate(struct hm_handle *handle, uint64_t timeout, const char *reason)
{
	return stop((struct local *)handle, timeout, true, reason);
}

static int
local_kill(struct hm_handle *handle, const char *reason)
{
	return stop((struct local *)handle, 0, true, reason);
}

static void
on_stop(void *arg, const char *reason)
{
	struct local *l = arg;
	const struct local_manager *m =
	    (const struct local_manager *)l->base.manager;

	stop_surely(l, m->config.timeout, true, reason);
}

/* As a program whose main returns: without grace. */
static void
on_halt(void *arg, int status)
{
	struct local *l = arg;

	l->exit = status;
	stop_surely(l, 0, false, "");
}

static struct hm_proc *
local_proc(const struct hm_handle *handle)
{
	return ((const struct local *)handle)->proc;
}

static const struct hm_destroyed *
local_destroyed(const struct hm_handle *handle)
{
	const struct local *l = (const struct local *)handle;

	return l->stopped ? &l->lists : NULL;
}

/* Nothing of its end is waited for any more. */
static void
give_up(struct local *l)
{
	destroy_free(l->destroy);
	l->destroy = NULL;
	hm_timer_stop(loop_of(l), &l->timer);
	hm_task_stop(loop_of(l), &l->task);
}

static void
local_free(struct hm_handle *handle)
{
	struct local *l = (struct local *)handle;

	give_up(l);
	hm_proc_free(l->proc);
	hm_destroyed_fini(&l->lists);
	free(l);
}

static const struct handle_ops local_ops = {
    .terminate = local_terminate,
    .kill = local_kill,
    .proc = local_proc,
    .destroyed = local_destroyed,
    .free = local_free,
};

/* Its actors, the agent among them: what that one is. */
static struct hm_actor *
bring_up(const struct local_manager *m, struct hm_proc *proc,
    const struct hm_spawn *spawn, struct hm_error *err)
{
	const struct hm_local_config *config = &m->config;
	struct hm_error why;
	char id[HM_ID_TEXT];

	(void)hm_fail(&why, EINVAL, "no reason given");
	if (config->begin != NULL &&
	    config->begin(config->arg, proc, spawn, &why) == -1) {
		(void)hm_fail_kind(err, HM_ERR_AGENT, why.code,
		    "failed to spawn agent on proc '%s': %.300s",
		    hm_id_print(hm_proc_id(proc), id, sizeof id), why.text);
		return NULL;
	}
	if (hm_proc_actor(proc, "agent") == NULL &&
	    hm_agent_install(proc, err) == -1)
		return NULL;
	return hm_proc_actor(proc, "agent");
}

static struct hm_handle *
enter(struct local_manager *m, struct local *l, const struct hm_spawn *spawn,
    const struct hm_actor *agent)
{
	struct hm_status ready;
	struct hm_id id;

	handle_enter(&l->base, &local_ops, &m->base, spawn);
	l->base.id = *hm_proc_id(l->proc);
	ready = l->base.status;
	ready.state = HM_READY;
	ready.pid = getpid();
	ready.started = sys_wall();
	(void)snprintf(
	    ready.addr, sizeof ready.addr, "%s", hm_proc_host(l->proc));
	hm_actor_get_id(agent, &id);
	(void)hm_id_print(&id, ready.agent, sizeof ready.agent);
	(void)handle_change(&l->base, &ready);
	proc_on_halt(l->proc, on_halt, l);
	return &l->base;
}

static struct hm_proc *
make_proc(const struct hm_spawn *spawn, struct hm_error *err)
{
	struct hm_proc *proc = NULL;
	struct hm_error why;

	if (spawn->beside == NULL)
		(void)hm_fail(&why, EINVAL,
		    "proc '%s': there is no proc for it to be beside",
		    spawn->id->proc);
	else
		proc = hm_proc_beside(spawn->beside, spawn->id->proc, &why);
	if (proc != NULL || err == NULL)
		return proc;
	*err = why;
	if (err->kind != HM_ERR_EXISTS)
		err->kind = HM_ERR_CONFIGURE;
	return NULL;
}

static struct hm_handle *
local_spawn(struct hm_manager *manager, const struct hm_spawn *spawn,
    struct hm_error *err)
{
	struct local_manager *m = (struct local_manager *)manager;
	struct local *l = calloc(1, sizeof *l);
	const struct hm_actor *agent;

	if (l == NULL) {
		(void)hm_fail_kind(err, HM_ERR_CONFIGURE, ENOMEM, "no memory");
		return NULL;
	}
	l->base.manager = manager;
	l->timer.fn = l->task.fn = look;
	l->timer.arg = l->task.arg = l;
	l->proc = make_proc(spawn, err);
	if (l->proc == NULL) {
		free(l);
		return NULL;
	}
	hm_proc_on_stop(l->proc, on_stop, l); /* begin may want it itself */
	agent = bring_up(m, l->proc, spawn, err);
	if (agent != NULL)
		return enter(m, l, spawn, agent);
	hm_proc_free(l->proc);
	free(l);
	return NULL;
}

static struct local *
living(const struct hm_manager *manager)
{
	struct hm_handle *handle = manager->handles;

	while (handle != NULL && hm_state_terminal(handle->status.state))
		handle = handle->next;
	return (struct local *)handle;
}

static bool
local_busy(const struct hm_manager *manager)
{
	return living(manager) != NULL;
}

static void
local_manager_free(struct hm_manager *manager)
{
	struct local *l;

	while ((l = living(manager)) != NULL) {
		handle_stopping(&l->base, true, "its manager has ended");
		give_up(l);
		local_end(l);
	}
	manager_fini(manager);
	free(manager);
}

static const struct manager_ops local_manager_ops = {
    HM_TRANSPORT_LOCAL, local_spawn, NULL, local_busy, local_manager_free};

struct hm_manager *
hm_local_manager_new(struct hm_loop *loop, const struct hm_local_config *config,
    struct hm_error *err)
{
	struct local_manager *m = calloc(1, sizeof *m);

	if (m == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	manager_init(&m->base, &local_manager_ops, loop);
	m->config = *config;
	return &m->base;
}
