/*
 * No mode: CMD just runs, and finds what it needs for messages in its
 * environment.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "boot/runner.h"

static int
plain_take(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_refuse(self,
	    "%s takes no messages (proc-boot without --lines, --exec or "
	    "--frames)",
	    runner_name(hm_actor_arg(self)));
}

static int
plain_start(struct runner *r, int *status, struct hm_error *err)
{
	struct spawn spawn;

	memset(&spawn, 0, sizeof spawn);
	spawn.out = STDOUT_FILENO;
	spawn.err = STDERR_FILENO;
	if (runner_start(r, &spawn, status, err) == -1)
		return -1;
	terminal_begin(&r->init.terminal, r->cmd.pid);
	return 0;
}

static void
plain_stop(struct runner *r)
{
	if (r->ended) {
		terminal_end(&r->init.terminal);
	} else if (!r->ended && !r->broken) {
		runner_terminate(r);
		r->told = true;
	}
}

const struct mode mode_plain = {
    true, plain_take, plain_start, plain_stop, NULL, NULL, NULL, NULL};
