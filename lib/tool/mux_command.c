/*
 * The command of host-mux, as in a container.
 *
 * It has a group of its own and hears signals first.  When it has ended, by
 * itself or by SIGKILL at the deadline, the procs are ended, and then what is
 * left of its tree, all within one timeout.  Whatever loses its parent falls
 * to this process, as PID 1 or as a subreaper, and is reaped.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "tool/mux.h"

/* What SIGKILL has hit is gone soon, or is not to be waited for. */
#define AFTER_KILL_MS 500

extern char **environ;

int
command_start(struct mux *mux, struct hm_error *err)
{
	struct spawn spawn;
	const char *what;

	memset(&spawn, 0, sizeof spawn);
	(void)unsetenv("NOTIFY_SOCKET"); /* was for this process */
	mux->tree.sight = sys_subreaper() ? TREE_SEES : TREE_BLIND;
	spawn.argv = mux->command;
	spawn.env = environ;
	spawn.in = STDIN_FILENO;
	spawn.out = STDOUT_FILENO;
	spawn.err = STDERR_FILENO;
	spawn.inherit = &mux->inherit;
	spawn.orphans = true;
	mux->child = spawn_child(&spawn, &what);
	if (mux->child > 0) {
		terminal_begin(&mux->terminal, mux->child);
		return 0;
	}
	mux->status = strcmp(what, "fork") == 0 ? TOOL_WRAP
		      : errno == ENOENT		? TOOL_NOTFOUND
						: TOOL_NOEXEC;
	return hm_fail(err, errno, "%s: %s", what, strerror(errno));
}

static void
on_ended(struct mux *mux, int status)
{
	struct hm_status how;

	hm_status_from_wait(&how, status);
	mux->status = hm_status_exit(&how);
	mux->ended = true;
	terminal_end(&mux->terminal);
	hm_timer_stop(mux->loop, &mux->timer);
	if (mux->deadline == 0)
		mux->deadline = hm_loop_now(mux->loop) + mux->timeout;
	mux_end(mux, "CMD has ended");
	if (mux->signals > 1)
		mux_end(mux, "at once");
}

static void
reap(struct mux *mux)
{
	siginfo_t info;
	pid_t pid;
	int status;

	terminal_watch(&mux->terminal);
	info.si_pid = 0;
	if (!mux->ended &&
	    waitid(P_PID, (id_t)mux->child, &info,
		WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == mux->child && mux->tree.sight == TREE_BLIND)
		tree_orphan(
		    &mux->tree, mux->child, true); /* the one chance there is */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == mux->child && !mux->ended)
			on_ended(mux, status);
	}
	if (mux->ended && mux->quiet && !mux->done)
		command_sweep(mux);
}

void
command_signal(struct mux *mux, int sig)
{
	if (sig == SIGCONT)
		terminal_continue(&mux->terminal);
	if (sig == SIGCHLD)
		reap(mux);
	else if (!mux->ended)
		signal_group(mux->child, sig);
}

static void
on_late(void *arg)
{
	struct mux *mux = arg;

	signal_group(mux->child, SIGKILL);
}

void
command_hurry(struct mux *mux, uint64_t ms)
{
	uint64_t now = hm_loop_now(mux->loop), due = now + ms;

	if (mux->deadline == 0 || due < mux->deadline)
		mux->deadline = due;
	/* Then the timer is the sweep's, and CMD's number somebody else's. */
	if (mux->ended) {
		if (mux->quiet && !mux->done)
			command_sweep(mux);
		return;
	}
	mux->timer.fn = on_late;
	mux->timer.arg = mux;
	if (hm_timer_start(mux->loop, &mux->timer,
		mux->deadline > now ? mux->deadline - now : 0) == -1)
		on_late(mux);
}

static void
on_sweep(void *arg)
{
	command_sweep(arg);
}

static bool
is_own(void *arg, pid_t pid)
{
	(void)arg;
	(void)pid;
	return false;
}

void
command_sweep(struct mux *mux)
{
	uint64_t now = hm_loop_now(mux->loop), due, end;
	bool late = now >= mux->deadline;
	long left = tree_sweep(&mux->tree, is_own, NULL, now, late, &due);

	/* -1: what could not be seen is not gone. */
	if (left == 0 || now >= mux->deadline + AFTER_KILL_MS) {
		if (left > 0)
			tool_say(mux->tool, HM_LOG_ERROR,
			    "%ld processes did not end", left);
		mux->done = true;
		return;
	}
	end = late ? mux->deadline + AFTER_KILL_MS : mux->deadline;
	if (due == 0 || due > end)
		due = end;
	mux->timer.fn = on_sweep;
	mux->timer.arg = mux;
	if (hm_timer_start(mux->loop, &mux->timer, due > now ? due - now : 0) ==
	    -1)
		mux->done = true;
}

void
command_fini(struct mux *mux)
{
	if (mux->child > 0 && !mux->ended)
		signal_group(mux->child, SIGKILL); /* the third signal */
	terminal_end(&mux->terminal);
	tree_fini(&mux->tree);
}
