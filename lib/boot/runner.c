/*
 * Running CMD.
 *
 *   CMD runs --(agent, signal)--> stopping --> CMD has ended --> its tree is
 *   gone --> what it printed is read, posted, settled, and the callback
 *   answered --> done
 *
 * A message is taken only when CMD can have it: otherwise it stays in the
 * mailbox of main, then in the host, then with its sender.  So little is lost
 * with this process, and nothing here grows.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/status.h>

#include "boot/runner.h"
#include "proc/agent.h"

#define STATUS_FAILED 125
#define SIGNALS_MAX 65

const char *
runner_name(const struct runner *r)
{
	return hm_proc_id(r->proc)->proc;
}

static void
on_delivered(struct hm_actor *self, const struct hm_envelope *env)
{
	runner_forget(hm_actor_arg(self), env);
}

static void
on_returned(struct hm_actor *self, struct hm_envelope *env)
{
	struct runner *r = hm_actor_arg(self);
	struct hm_slice why = {"", 0}, at;
	enum hm_outcome kind = HM_UNKNOWN;
	size_t n = hm_envelope_errors(env);
	struct hm_id dest;
	char id[HM_ID_TEXT], text[HM_ERROR_TEXT];

	if (r->mode->returned != NULL) {
		r->mode->returned(r, env);
		return;
	}
	runner_forget(r, env);
	if (n > 0)
		(void)hm_envelope_error_at(env, n - 1, &kind, &why, &at);
	hm_envelope_dest(env, &dest);
	hm_log(r->loop, HM_LOG_WARNING, "came back (%s): %s: %.*s",
	    hm_id_print(&dest, id, sizeof id), hm_outcome_name(kind),
	    (int)why.n, why.p);
	/* Who asked may take this, if it did not take the answer. */
	if (kind != HM_REFUSED || hm_payload_len(env) == 0 ||
	    (r->to != NULL && hm_id_compare(&dest, &r->dest) == 0))
		return;
	(void)snprintf(text, sizeof text, "%.*s", (int)why.n, why.p);
	(void)runner_deny(r, &dest, text);
}

static int
on_message(struct hm_actor *self, struct hm_envelope *msg)
{
	struct runner *r = hm_actor_arg(self);
	char why[HM_NAME_MAX + sizeof r->why + 64];

	if (!r->stopping)
		return r->mode->take(self, msg);
	(void)snprintf(why, sizeof why, "proc '%s' takes no more messages%s%s",
	    runner_name(r), r->ended ? ": " : "", r->why);
	hm_settle(msg, HM_NOT_SENT, why);
	return HM_LATER;
}

void
runner_refuse(struct runner *r, struct hm_envelope *msg)
{
	char why[HM_NAME_MAX + sizeof r->why + 64];

	(void)snprintf(why, sizeof why, "CMD of '%s' %s%s", runner_name(r),
	    r->ended ? "has ended: " : "reads no more", r->why);
	hm_settle(msg, HM_REFUSED, why);
}

/* No more is taken, and what waits is returned. */
static void
stop(struct runner *r)
{
	r->stopping = true;
	r->mode->stop(r);
	hm_actor_pause(r->main, false);
}

void
runner_look(struct runner *r)
{
	if (r->done || !r->last)
		return;
	r->done =
	    r->broken || ((r->mode->dry == NULL || r->mode->dry(r)) &&
			     r->answered && hm_proc_unsettled(r->proc) == 0);
}

static void
progress(struct runner *r)
{
	if (r->mode->progress != NULL)
		r->mode->progress(r);
}

static void
on_progress(void *arg)
{
	progress(arg);
	runner_look(arg);
}

static void
on_swept(void *arg)
{
	struct runner *r = arg;

	r->last = true;
	progress(r);
	hm_proc_hurry(r->proc);
	runner_look(r);
}

void
runner_ended(struct runner *r)
{
	r->ended = true;
	hm_timer_stop(r->loop, &r->grace);
	stop(r);
	init_sweep(&r->init, r->broken);
}

/* Above they know it then, even if this process is killed before what CMD
 * printed is settled. */
static void
tell_status(struct runner *r)
{
	struct hm_json_out out;

	if (r->boot == NULL || !r->mode->whole || !r->ended || !r->answered)
		return;
	hm_json_begin(&out);
	hm_json_put_u64(&out, "status", (uint64_t)r->wait_status);
	(void)talk_say(&r->boot->line.talk, &out);
}

static void
on_cmd_ended(void *arg, int status)
{
	struct runner *r = arg;
	struct hm_status how;

	memset(&how, 0, sizeof how);
	hm_status_from_wait(&how, status);
	(void)hm_status_print(&how, false, r->why, sizeof r->why);
	r->wait_status = status;
	r->status = hm_status_exit(&how);
	runner_ended(r);
	tell_status(r);
}

int
runner_start(
    struct runner *r, struct spawn *spawn, int *status, struct hm_error *err)
{
	extern char **environ;

	spawn->argv = r->argv;
	spawn->env = environ;
	r->cmd.ended = on_cmd_ended;
	r->cmd.arg = r;
	return child_start(&r->cmd, &r->init, spawn, status, err);
}

static bool
is_end(int sig)
{
	return sig == SIGTERM || sig == SIGINT || sig == SIGQUIT ||
	       sig == SIGHUP;
}

/* CMD hears each signal once: also the SIGTERM that follows a stop that was
 * one. */
static void
on_signalled(void *arg, int sig)
{
	struct runner *r = arg;

	if (!r->started) {
		(void)sigaddset(&r->early, sig);
	} else if (sig == SIGTERM && r->told) {
		r->told = false;
	} else {
		init_signal(&r->init, sig);
		if (is_end(sig) && !r->mode->whole)
			stop(r);
		/* Nobody else would end it. */
		if (is_end(sig) && r->last && r->boot == NULL)
			r->done = true;
	}
}

void
runner_terminate(struct runner *r)
{
	init_signal(&r->init, SIGTERM);
	init_signal(&r->init, SIGCONT);
}

static void
on_grace(void *arg)
{
	struct runner *r = arg;

	if (r->broken)
		init_signal(&r->init, SIGKILL);
	else
		runner_terminate(r);
}

static void
set_grace(struct runner *r, uint64_t ms)
{
	if (hm_timer_start(r->loop, &r->grace, ms) == -1)
		on_grace(r);
}

static void
on_stop(void *arg, const char *reason)
{
	struct runner *r = arg;

	if (r->stopping)
		return;
	hm_log(
	    r->loop, HM_LOG_INFO, "stopping (%s): %s", runner_name(r), reason);
	stop(r);
	/* Where nobody is above who sends it at half the time. */
	if (r->boot == NULL && !r->told && !r->ended)
		set_grace(r, r->timeout / 2);
}

/* The agent of a joined proc is told how much time there is. */
static int
on_agent(struct hm_actor *self, struct hm_envelope *msg)
{
	struct runner *r = hm_actor_arg(self);
	struct hm_json *json = hm_agent_json(msg);
	double timeout = hm_json_double(json, "timeout", -1);

	if (timeout >= 0 && timeout < 1e9)
		r->timeout = (uint64_t)(timeout * 1000);
	hm_json_free(json);
	return hm_agent_handle(self, msg);
}

/* All that runs is to end, and this process with it. */
static void
break_off(struct runner *r)
{
	r->broken = r->answered = true;
	if (r->why[0] == '\0')
		(void)snprintf(r->why, sizeof r->why, "broken off");
	if (!r->ended && r->init.children == NULL)
		runner_ended(r); /* --exec, and nothing runs */
	else if (!r->ended)
		stop(r);
}

static void
on_lost(void *arg, const char *why)
{
	struct runner *r = arg;
	struct hm_json_out out;

	hm_log(r->loop, HM_LOG_ERROR, "host lost (%s): %s",
	    hm_proc_host(r->proc), why);
	/* A supervisor ends its procs, whether the host is lost to it too or
	 * only to this one. */
	if (r->boot != NULL) {
		hm_json_begin(&out);
		hm_json_put_string(&out, "cut", why);
		(void)talk_say(&r->boot->line.talk, &out);
	} else if (!r->broken) {
		runner_terminate(r);
		set_grace(r, r->limits.exit_timeout);
		break_off(r);
	}
	runner_look(r);
}

static void
on_broken(void *arg)
{
	struct runner *r = arg;

	hm_log(r->loop, HM_LOG_ERROR, "the supervisor is gone");
	init_signal(&r->init, SIGKILL);
	r->init.hard = true;
	break_off(r);
	if (r->ended && !r->last)
		init_sweep(&r->init, true);
	runner_look(r);
}

static void
on_answered(void *arg, const char *error)
{
	struct runner *r = arg;

	if (error == NULL) {
		r->answered = true;
		tell_status(r);
		runner_look(r);
		return;
	}
	hm_log(r->loop, HM_LOG_ERROR, "callback refused: %s", error);
	on_broken(r);
}

static int
prepare(struct runner *r, struct hm_error *err)
{
	r->answered = r->boot == NULL;
	r->timeout = r->limits.exit_timeout;
	r->grace.fn = on_grace;
	r->grace.arg = r;
	r->main = hm_proc_spawn(r->proc, "main", on_message, r, err);
	if (r->main == NULL)
		return -1;
	hm_actor_on_delivered(r->main, on_delivered);
	hm_actor_on_return(r->main, on_returned);
	if (r->boot == NULL &&
	    hm_proc_spawn(r->proc, "agent", on_agent, r, err) == NULL)
		return -1;
	hm_proc_on_progress(r->proc, on_progress, r);
	hm_proc_on_lost(r->proc, on_lost, r);
	hm_proc_on_stop(r->proc, on_stop, r);
	if (r->to == NULL)
		return 0;
	return hm_id_parse_dest(&r->dest, r->to, hm_proc_host(r->proc), err);
}

static int
call_back(struct runner *r, struct hm_error *err)
{
	if (r->boot == NULL)
		return 0;
	r->boot->line.answered = on_answered;
	r->boot->line.broken = on_broken;
	r->boot->line.arg = r;
	return boot_ready(r->boot, err);
}

static int
start(struct runner *r, struct hm_error *err)
{
	int sig, status = STATUS_FAILED;

	if (prepare(r, err) == -1 || r->mode->start(r, &status, err) == -1) {
		if (r->boot != NULL)
			boot_fail(r->boot, err, status);
		return status;
	}
	r->started = true;
	for (sig = 1; sig < SIGNALS_MAX; sig++) {
		if (sigismember(&r->early, sig) == 1)
			on_signalled(r, sig);
	}
	if (call_back(r, err) == -1)
		on_broken(r);
	return 0;
}

int
runner_begin(struct runner *r)
{
	(void)sigemptyset(&r->early);
	r->init.signalled = on_signalled;
	r->init.swept = on_swept;
	r->init.arg = r;
	r->init.lasting = !r->mode->whole;
	return init_begin(&r->init, r->loop, NULL);
}

int
runner_run(struct runner *r, struct hm_error *err)
{
	int status;

	err->text[0] = '\0';
	status = start(r, err);
	if (!r->started)
		return status;
	while (!r->done) {
		if (hm_loop_turn(r->loop, -1) == -1) {
			(void)hm_fail(err, errno, "loop: %s", strerror(errno));
			r->broken = true;
			break;
		}
	}
	if (r->boot != NULL)
		lifeline_flush(&r->boot->line);
	else if (!r->broken)
		joined_ended(r);
	return r->broken ? STATUS_FAILED : r->status;
}

void
runner_fini(struct runner *r)
{
	if (r->state != NULL)
		r->mode->fini(r);
	hm_timer_stop(r->loop, &r->grace);
	init_fini(&r->init);
}
