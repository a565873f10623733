/*
 * The life of a process.
 *
 *   Running --callback--> bound --> Ready --+
 *      |                                    |--> Stopping --> leader reaped,
 *      +------------------------------------+    tree empty --> terminal
 *
 * Signals go to the leader's group as long as the leader is not reaped: until
 * then its number is its own.  The ladder (ask, SIGTERM, SIGKILL) is one per
 * life and only ever pressed harder.  The end is told when the tree is empty
 * (the manager knows), and not before the callback was answered.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "boot/process.h"
#include "proc/agent.h"

/* A kill that has not ended it by then is reported. */
#define STUCK_MS 5000
/* One that has called back with an error ends by then. */
#define ERROR_MS 1000

static struct process_manager *
manager_of(const struct process *p)
{
	return (struct process_manager *)p->base.manager;
}

static uint64_t
now_of(const struct process *p)
{
	return hm_loop_now(p->base.manager->loop);
}

static void
set_ladder(struct process *p, uint64_t at)
{
	uint64_t now = now_of(p);

	if (hm_timer_start(p->base.manager->loop, &p->ladder,
		at > now ? at - now : 0) == -1)
		hm_log(p->base.manager->loop, HM_LOG_ERROR,
		    "proc '%s': no memory for a timer", p->base.id.proc);
}

static void
press_term(struct process *p)
{
	p->press = PRESS_TERM;
	signal_group(p->pid, SIGTERM);
	signal_group(p->pid, SIGCONT);
	set_ladder(p, p->kill_at);
}

static void
press_kill(struct process *p)
{
	p->press = PRESS_KILL;
	signal_group(p->pid, SIGKILL);
	hm_manager_reap(p->base.manager); /* cuts its lifeline, too */
	set_ladder(p, now_of(p) + STUCK_MS);
}

/* {"op":"stop","reason":…} to the agent. */
static int
ask_agent(struct process *p)
{
	struct hm_actor *from = p->base.manager->user.from;
	struct hm_json_out out;
	struct hm_id dest;

	if (p->base.status.agent[0] == '\0' || from == NULL ||
	    hm_id_parse_dest(&dest, p->base.status.agent, "", NULL) == -1)
		return -1;
	hm_json_begin(&out);
	hm_json_put_string(&out, "op", "stop");
	hm_json_put_string(&out, "reason", p->base.status.reason);
	return hm_post_json(from, &dest, NULL, &out, false);
}

static void
on_ladder(void *arg)
{
	struct process *p = arg;

	switch (p->press) {
	case PRESS_NONE:
		break;
	case PRESS_ASKED:
		press_term(p);
		break;
	case PRESS_TERM:
		press_kill(p);
		break;
	case PRESS_KILL:
		handle_stuck(&p->base, "still there 5 s after SIGKILL");
		break;
	}
}

/* It was killed, and is there: who asks again is told that, too. */
static void
watch_again(struct process *p)
{
	if (!p->ended && !hm_timer_running(&p->ladder))
		set_ladder(p, now_of(p) + STUCK_MS);
}

static int
process_terminate(
    struct hm_handle *handle, uint64_t timeout, const char *reason)
{
	struct process *p = (struct process *)handle;
	uint64_t now = now_of(p);
	bool ready = handle->status.state == HM_READY;

	if (p->ended)
		return 0; /* the rest of its tree is being ended */
	if (p->press == PRESS_NONE) {
		p->term_at = sys_later(now, timeout / 2);
		p->kill_at = sys_later(now, timeout);
		p->press = PRESS_ASKED;
		set_ladder(p, p->term_at);
		handle_stopping(&p->base, true, reason);
		/* Who was told may have pressed it further. */
		if (p->press == PRESS_ASKED && !p->ended &&
		    (!ready || ask_agent(p) == -1))
			press_term(p);
	} else if (p->press < PRESS_KILL &&
		   sys_later(now, timeout) < p->kill_at) {
		p->kill_at = now + timeout; /* earlier: no overflow */
		if (now + timeout / 2 < p->term_at)
			p->term_at = now + timeout / 2;
		set_ladder(
		    p, p->press == PRESS_ASKED ? p->term_at : p->kill_at);
	} else if (p->press == PRESS_KILL) {
		watch_again(p);
	}
	return 0;
}

static int
process_kill(struct hm_handle *handle, const char *reason)
{
	struct process *p = (struct process *)handle;

	if (p->press == PRESS_KILL) {
		watch_again(p);
		return 0;
	}
	/* Whoever is told may do the same: that comes last, but for one that
	 * has ended, which can't be told of later. */
	if (!p->ended) {
		press_kill(p);
		handle_stopping(&p->base, true, reason);
		return 0;
	}
	handle_stopping(&p->base, true, reason);
	p->press = PRESS_KILL; /* what is left of the tree, too */
	hm_manager_reap(handle->manager);
	return 0;
}

static void
process_signal(struct hm_handle *handle, int sig)
{
	signal_group(((struct process *)handle)->pid, sig);
}

static void
process_unheard(struct hm_handle *handle)
{
	struct process *p = (struct process *)handle;

	if (p->press == PRESS_ASKED)
		press_term(p);
}

void
process_fail(
    struct process *p, enum hm_error_kind kind, int code, const char *fmt, ...)
{
	char why[HM_ERROR_TEXT], id[HM_ID_TEXT];
	va_list ap;

	if (p->base.failure.code != 0 || p->base.was_ready)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	(void)hm_fail_kind(&p->base.failure, kind, code,
	    "proc '%s' failed to %s process: %.400s",
	    hm_id_print(&p->base.id, id, sizeof id),
	    kind == HM_ERR_SPAWN ? "spawn" : "configure", why);
	if (!p->ended && p->press == PRESS_NONE) {
		press_kill(p);
		handle_stopping(&p->base, false, "spawn failed");
	}
}

static void
on_late(void *arg)
{
	struct process *p = arg;

	if (!p->called)
		process_fail(p, HM_ERR_CONFIGURE, ETIMEDOUT,
		    "it did not call back within %.10g s",
		    (double)p->ready_timeout / 1000);
}

static void
answer(struct process *p, const char *error)
{
	struct hm_json_out out;

	if (p->call == NULL)
		return;
	hm_json_begin(&out);
	hm_json_put_bool(&out, "ok", error == NULL);
	if (error != NULL)
		hm_json_put_string(&out, "error", error);
	(void)talk_say(&p->call->talk, &out);
}

static void
process_bound(struct hm_handle *handle, const struct hm_error *why)
{
	struct process *p = (struct process *)handle;
	struct hm_status next = handle->status;

	if (!p->binding)
		return;
	p->binding = false;
	if (why == NULL && !hm_state_legal(next.state, HM_READY)) {
		answer(p, "the proc is being ended");
	} else if (why != NULL) {
		answer(p, why->text);
		process_fail(p, HM_ERR_CONFIGURE, why->code, "%s", why->text);
	} else {
		hm_timer_stop(handle->manager->loop, &p->ready);
		next.state = HM_READY;
		memcpy(next.addr, p->addr, sizeof next.addr);
		memcpy(next.agent, p->agent, sizeof next.agent);
		answer(p, NULL);
		(void)handle_change(handle, &next);
	}
	if (p->ended)
		hm_manager_reap(handle->manager);
}

/* The child could not run CMD, or could not boot. */
static int
take_error(struct process *p, const struct hm_json *line)
{
	const char *error = hm_json_string(line, "error", "no reason given");
	uint64_t status = 0, code = 0;

	(void)hm_json_u64(line, "exit", &status);
	(void)hm_json_u64(line, "errno", &code);
	/* It is about to end by itself, and has things to put away. */
	p->press = PRESS_TERM;
	p->kill_at = now_of(p) + ERROR_MS;
	set_ladder(p, p->kill_at);
	if (status == 126 || status == 127)
		process_fail(p, HM_ERR_SPAWN, status == 127 ? ENOENT : EACCES,
		    "%s", error);
	else
		process_fail(p, HM_ERR_CONFIGURE,
		    code > 0 && code < 4096 ? (int)code : EPROTO, "%s", error);
	handle_stopping(&p->base, false, "spawn failed");
	return 0;
}

/* Address and agent, checked; NULL, or what is wrong. */
static const char *
take_place(struct process *p, const struct hm_json *line)
{
	const char *addr = hm_json_string(line, "addr", "");
	const char *agent = hm_json_string(line, "agent", "");
	struct hm_addr where;
	struct hm_id id;

	if (addr[0] == '\0')
		return "it called back without an address";
	if (agent[0] == '\0')
		return "it called back without an agent";
	if (hm_addr_parse(&where, addr, 0, NULL) == -1)
		return "it called back with a bad address";
	if (hm_id_parse(&id, agent, NULL) == -1 || id.depth != HM_ID_ACTOR ||
	    !hm_id_is_prefix(&p->base.id, &id))
		return "it called back with an agent that is not its own";
	memcpy(p->addr, where.text, sizeof p->addr);
	(void)hm_id_print(&id, p->agent, sizeof p->agent);
	return NULL;
}

static int
take_call(struct process *p, const struct hm_json *line)
{
	const struct hm_manager_user *user = &p->base.manager->user;
	const char *wrong;

	if (p->called || !hm_state_legal(p->base.status.state, HM_READY))
		return -1;
	if (hm_json_get(line, "error") != NULL)
		return take_error(p, line);
	wrong = take_place(p, line);
	p->called = true;
	if (wrong != NULL) {
		answer(p, wrong);
		process_fail(p, HM_ERR_CONFIGURE, EPROTO, "%s", wrong);
		return 0;
	}
	p->binding = true;
	if (user->bind == NULL)
		process_bound(&p->base, NULL);
	else
		user->bind(user->arg, &p->base, p->addr, p->agent);
	return 0;
}

static int
take_line(struct process *p, const struct hm_json *line)
{
	uint64_t status;
	const char *cut = hm_json_string(line, "cut", NULL);
	const struct hm_manager_user *user = &p->base.manager->user;

	if (cut != NULL && p->called) {
		if (user->cut != NULL)
			user->cut(user->arg, &p->base, cut);
		return 0;
	}
	if (hm_json_u64(line, "status", &status) == -1)
		return take_call(p, line);
	if (status <= UINT16_MAX &&
	    (WIFEXITED((int)status) || WIFSIGNALED((int)status)))
		p->reported = (int)status;
	return 0;
}

int
process_said(struct process *p, const struct hm_json *line)
{
	int done;

	handle_hold(&p->base); /* who is told may end and forget it */
	done = take_line(p, line);
	handle_drop(&p->base);
	return done;
}

void
process_timers(struct process *p)
{
	p->ready.fn = on_late;
	p->ladder.fn = on_ladder;
	p->ready.arg = p->ladder.arg = p;
	if (p->ready_timeout != 0 && hm_timer_start(p->base.manager->loop,
					 &p->ready, p->ready_timeout) == -1)
		process_fail(p, HM_ERR_CONFIGURE, ENOMEM, "no memory");
}

void
process_reap(struct process *p)
{
	if (p->lost == 0)
		tree_orphan(
		    &manager_of(p)->tree, p->pid, p->press == PRESS_KILL);
	if (p->lost == 0 &&
	    sys_reap(p->pid, &p->status, &p->cpu, &p->peak) != p->pid)
		p->lost = errno;
	p->pid = 0;
	p->ended = true;
	p->ended_at = now_of(p);
	manager_of(p)->tree.patience = p->ended_at + TREE_GRACE_MS;
	p->wall = sys_wall();
	hm_timer_stop(p->base.manager->loop, &p->ready);
	hm_timer_stop(p->base.manager->loop, &p->ladder);
}

bool
process_may_end(const struct process *p)
{
	return p->ended && !p->binding &&
	       !hm_state_terminal(p->base.status.state);
}

/* One that was killed has not removed its socket. */
static void
remove_socket(const struct process_manager *m, const char *text)
{
	size_t len = strlen(m->dir);
	struct hm_addr addr;
	const char *path;

	if (text[0] == '\0' || hm_addr_parse(&addr, text, 0, NULL) == -1 ||
	    (path = hm_addr_path(&addr)) == NULL)
		return;
	/* Only where it was told to serve, and nothing further down. */
	if (strncmp(path, m->dir, len) == 0 && path[len] == '/' &&
	    strchr(path + len + 1, '/') == NULL)
		sys_remove_dead(path);
}

static void
remove_sockets(const struct process *p)
{
	char addr[HM_ADDR_SIZE];

	remove_socket(manager_of(p), p->addr);
	if (payload_socket(manager_of(p)->dir, p->token, addr) == 0)
		remove_socket(manager_of(p), addr);
}

void
process_end(struct process *p)
{
	struct hm_status next = p->base.status;
	char text[HM_ADDR_SIZE + HM_REASON_MAX];

	output_finish(&p->out);
	output_finish(&p->err);
	remove_sockets(p);
	if (p->lost != 0) {
		next.state = HM_FAILED;
		(void)snprintf(next.reason, sizeof next.reason,
		    "its end was not seen: %s", strerror(p->lost));
	} else {
		hm_status_from_wait(
		    &next, p->reported == -1 ? p->status : p->reported);
	}
	next.ended = p->wall;
	next.cpu = p->cpu;
	next.peak_memory = p->peak;
	process_fail(p, HM_ERR_CONFIGURE, ECHILD,
	    "it ended before it was ready: %s",
	    hm_status_print(&next, false, text, sizeof text));
	if (p->call != NULL)
		callback_close(p->call);
	(void)handle_change(&p->base, &next);
}

static void
process_put_tail(const struct hm_handle *handle, struct hm_json_out *out)
{
	const struct process *p = (const struct process *)handle;

	output_put_kept(&p->out, &p->err, out);
}

void
process_free(struct hm_handle *handle)
{
	struct process *p = (struct process *)handle;
	struct hm_loop *loop = handle->manager->loop;

	hm_timer_stop(loop, &p->ready);
	hm_timer_stop(loop, &p->ladder);
	if (p->call != NULL)
		callback_close(p->call);
	output_fini(&p->out);
	output_fini(&p->err);
	free(p);
}

const struct handle_ops process_ops = {
    .terminate = process_terminate,
    .kill = process_kill,
    .signal = process_signal,
    .unheard = process_unheard,
    .bound = process_bound,
    .put_tail = process_put_tail,
    .free = process_free,
};
