/*
 * Managers, and the one whose procs are processes.
 *
 * It looks at each leader by itself (never waitpid(-1), which would eat what
 * somebody else waits for), once a turn in which a child may have ended.  A
 * leader that has ended is seen before it is reaped; what it said and left is
 * taken care of in between.  Then the strays are hunted, and the end is told
 * when there are none, or 5 s later.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "boot/process.h"

/* hm_manager_free waits so long for what it killed. */
#define FREE_MS 6000

void
manager_init(struct hm_manager *manager, const struct manager_ops *ops,
    struct hm_loop *loop)
{
	manager->ops = ops;
	manager->loop = loop;
	manager->end = &manager->handles;
}

void
manager_fini(struct hm_manager *manager)
{
	struct hm_handle *handle;

	bulks_free(manager);
	while ((handle = manager->handles) != NULL) {
		manager->handles = handle->next;
		handle->ops->free(handle);
	}
}

enum hm_transport
hm_manager_transport(const struct hm_manager *manager)
{
	return manager->ops->transport;
}

struct hm_handle *
hm_manager_spawn(struct hm_manager *manager, const struct hm_spawn *spawn,
    struct hm_error *err)
{
	if (!manager->ending)
		return manager->ops->spawn(manager, spawn, err);
	(void)hm_fail_kind(
	    err, HM_ERR_DENIED, ECANCELED, "the manager is ending");
	return NULL;
}

void
hm_manager_use(struct hm_manager *manager, const struct hm_manager_user *user)
{
	static const struct hm_manager_user nobody;

	manager->user = user == NULL ? nobody : *user;
}

void
hm_manager_reap(struct hm_manager *manager)
{
	if (manager->ops->reap != NULL)
		manager->ops->reap(manager);
}

bool
hm_manager_busy(const struct hm_manager *manager)
{
	return manager->ops->busy(manager);
}

struct hm_handle *
hm_manager_first(struct hm_manager *manager)
{
	return manager->handles;
}

void
hm_manager_free(struct hm_manager *manager)
{
	if (manager == NULL)
		return;
	manager->ending = true;
	manager->ops->free(manager);
}

static struct process *
first(const struct process_manager *m)
{
	return (struct process *)m->base.handles;
}

static struct process *
next(const struct process *p)
{
	return (struct process *)p->base.next;
}

static bool
has_ended(struct process *p)
{
	siginfo_t info;
	int done;

	memset(&info, 0, sizeof info);
	do
		done = waitid(
		    P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT);
	while (done == -1 && errno == EINTR);
	/* Somebody else has reaped it: its number is nobody's of ours. */
	if (done == -1)
		p->lost = errno;
	return done == -1 || info.si_pid == p->pid;
}

/* Leaders that have ended: what they said is heard, then they are reaped.  One
 * that is seen ended only after the hearing may have spoken since, and waits
 * for the next. */
static void
reap_leaders(struct process_manager *m)
{
	struct process *p;
	bool any = false;

	for (p = first(m); p != NULL; p = next(p)) {
		p->exited = p->pid != 0 && has_ended(p);
		any = any || p->exited;
	}
	if (!any)
		return;
	callbacks_drain(&m->callbacks);
	for (p = first(m); p != NULL; p = next(p)) {
		if (p->exited && p->pid != 0)
			process_reap(p);
	}
}

/* Lifelines of those that were killed. */
static void
cut_lifelines(struct process_manager *m)
{
	struct process *p;

	for (p = first(m); p != NULL; p = next(p)) {
		if (p->press == PRESS_KILL && p->call != NULL && !p->binding)
			callback_close(p->call);
	}
}

static bool
is_leader(void *arg, pid_t pid)
{
	struct process_manager *m = arg;
	const struct process *p = first(m);

	while (p != NULL && p->pid != pid)
		p = next(p);
	return p != NULL;
}

/* Are all that have just ended killed, so that what they left is too? */
static bool
all_killed(const struct process_manager *m)
{
	const struct process *p;
	bool some = false;

	for (p = first(m); p != NULL; p = next(p)) {
		if (!p->ended || hm_state_terminal(p->base.status.state))
			continue;
		if (p->press != PRESS_KILL)
			return false;
		some = true;
	}
	return some;
}

static void
set_timer(struct process_manager *m, uint64_t due)
{
	uint64_t now = hm_loop_now(m->base.loop), last;
	const struct process *p;

	for (p = first(m); p != NULL; p = next(p)) {
		last = p->ended_at + TREE_MAX_MS;
		if (process_may_end(p) && (due == 0 || last < due))
			due = last;
	}
	if (due == 0)
		hm_timer_stop(m->base.loop, &m->timer);
	else if (hm_timer_start(
		     m->base.loop, &m->timer, due > now ? due - now : 0) == -1)
		hm_log(m->base.loop, HM_LOG_ERROR, "no memory for a timer");
}

static bool
hunting(const struct process_manager *m)
{
	const struct process *p = first(m);

	while (p != NULL && !process_may_end(p))
		p = next(p);
	return p != NULL || m->tree.nstrays > 0;
}

/* The ends of those whose leader ended by then are told. */
static void
end_since(struct process_manager *m, uint64_t then)
{
	struct process *p = first(m);
	unsigned forgotten;

	while (p != NULL) {
		if (!process_may_end(p) || p->ended_at > then) {
			p = next(p);
			continue;
		}
		forgotten = m->base.forgotten;
		process_end(p);
		/* Who was told may have forgotten this one, or others. */
		p = forgotten == m->base.forgotten ? next(p) : first(m);
	}
}

static void
look(void *arg)
{
	struct process_manager *m = arg;
	uint64_t now = hm_loop_now(m->base.loop), due = 0;
	long left = 0;

	reap_leaders(m);
	cut_lifelines(m);
	if (hunting(m))
		left = tree_sweep(
		    &m->tree, is_leader, m, now, all_killed(m), &due);
	if (left == 0)
		end_since(m, UINT64_MAX);
	else if (now >= TREE_MAX_MS)
		end_since(m, now - TREE_MAX_MS);
	set_timer(m, due);
}

static int
on_said(void *arg, struct callback *call, const struct hm_json *line)
{
	struct process_manager *m = arg;
	const char *token = hm_json_string(line, "token", "");
	struct process *p;

	if (call->owner != NULL)
		return process_said(call->owner, line);
	for (p = first(m); p != NULL; p = next(p)) {
		if (p->call == NULL && !p->called && !p->ended &&
		    strcmp(p->token, token) == 0)
			break;
	}
	if (p == NULL || token[0] == '\0')
		return -1;
	callback_claim(call, p);
	p->call = call;
	return process_said(p, line);
}

static void
on_closed(void *arg, void *owner)
{
	(void)arg;
	((struct process *)owner)->call = NULL;
}

static void
process_manager_reap(struct hm_manager *manager)
{
	hm_task_start(
	    manager->loop, &((struct process_manager *)manager)->task);
}

static bool
process_manager_busy(const struct hm_manager *manager)
{
	const struct process_manager *m =
	    (const struct process_manager *)manager;
	const struct process *p = first(m);

	while (p != NULL && hm_state_terminal(p->base.status.state))
		p = next(p);
	return p != NULL || m->tree.nstrays > 0;
}

static void
process_manager_free(struct hm_manager *manager)
{
	struct process_manager *m = (struct process_manager *)manager;
	uint64_t end = hm_loop_now(manager->loop) + FREE_MS;
	struct process *p;

	for (p = first(m); p != NULL; p = next(p)) {
		p->binding = false;
		(void)hm_handle_kill(&p->base, "its manager has ended", NULL);
	}
	while (
	    process_manager_busy(manager) && hm_loop_now(manager->loop) < end) {
		process_manager_reap(manager);
		if (hm_loop_turn(manager->loop, 10) == -1)
			break;
	}
	hm_task_stop(manager->loop, &m->task);
	hm_timer_stop(manager->loop, &m->timer);
	manager_fini(manager);
	callbacks_fini(&m->callbacks);
	sys_files_restore(m->inherit.files);
	tree_fini(&m->tree);
	free(m);
}

static const struct manager_ops process_manager_ops = {HM_TRANSPORT_UNIX,
    process_spawn, process_manager_reap, process_manager_busy,
    process_manager_free};

struct hm_manager *
hm_process_manager_new(struct hm_loop *loop,
    const struct hm_process_config *config, struct hm_error *err)
{
	const char *dir = config->socket_dir;
	struct process_manager *m;

	/* A proc may have another directory. */
	if (dir != NULL && dir[0] != '/') {
		(void)hm_fail(err, EINVAL,
		    "socket directory '%s' does not begin with '/'", dir);
		return NULL;
	}
	m = calloc(1, sizeof *m);
	if (m == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	manager_init(&m->base, &process_manager_ops, loop);
	m->config = *config;
	if (dir != NULL) {
		(void)snprintf(m->dir, sizeof m->dir, "%s", dir);
	} else if (sys_socket_dir(m->dir, sizeof m->dir, true, err) == -1) {
		free(m);
		return NULL;
	}
	inheritance_get(&m->inherit);
	m->callbacks.loop = loop;
	m->callbacks.said = on_said;
	m->callbacks.closed = on_closed;
	m->callbacks.arg = m;
	m->task.fn = m->timer.fn = look;
	m->task.arg = m->timer.arg = m;
	if (!config->subreaper || !sys_subreaper())
		m->tree.sight = TREE_BLIND;
	if (callbacks_serve(&m->callbacks, m->dir, err) == -1) {
		free(m);
		return NULL;
	}
	sys_files_raise(&m->inherit.files);
	return &m->base;
}

const char *
hm_process_manager_callback(const struct hm_manager *manager)
{
	return ((const struct process_manager *)manager)->callbacks.addr.text;
}
