/*
 * The command of host-mux, as in a container.
 *
 * It has a group of its own and hears signals first.  When it has ended, by
 * itself or by SIGKILL at the deadline, the procs are ended, and then what is
 * left of its tree, all within one timeout.  Whatever loses its parent falls
 * to this process, as PID 1 or as a subreaper, and is reaped.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/mux.h"

extern char **environ;

static void
on_ended(void *arg, int status)
{
	struct mux *mux = arg;
	struct hm_status how;

	hm_status_from_wait(&how, status);
	mux->status = hm_status_exit(&how);
	mux->ended = true;
	terminal_end(&mux->init.terminal);
	hm_timer_stop(mux->loop, &mux->timer);
	if (mux->deadline == 0)
		mux->deadline = hm_loop_now(mux->loop) + mux->timeout;
	mux_end(mux, "CMD has ended");
	if (mux->signals > 1)
		mux_end(mux, "at once");
}

int
command_start(struct mux *mux, struct hm_error *err)
{
	struct spawn spawn;

	memset(&spawn, 0, sizeof spawn);
	(void)unsetenv("NOTIFY_SOCKET"); /* was for this process */
	spawn.argv = mux->command;
	spawn.env = environ;
	spawn.in = STDIN_FILENO;
	spawn.out = STDOUT_FILENO;
	spawn.err = STDERR_FILENO;
	mux->cmd.ended = on_ended;
	mux->cmd.arg = mux;
	if (child_start(&mux->cmd, &mux->init, &spawn, &mux->status, err) == -1)
		return -1;
	terminal_begin(&mux->init.terminal, mux->cmd.pid);
	return 0;
}

static void
on_late(void *arg)
{
	struct mux *mux = arg;

	init_signal(&mux->init, SIGKILL);
}

void
command_hurry(struct mux *mux, uint64_t ms)
{
	uint64_t now = hm_loop_now(mux->loop), due = now + ms;

	if (mux->deadline == 0 || due < mux->deadline)
		mux->deadline = due;
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

void
command_sweep(struct mux *mux)
{
	init_sweep_by(&mux->init, mux->deadline);
}

void
command_fini(struct mux *mux)
{
	init_signal(&mux->init, SIGKILL); /* the third signal */
	terminal_end(&mux->init.terminal);
	init_fini(&mux->init);
}
