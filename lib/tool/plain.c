/*
 * The mode without a mode: CMD just runs, and takes no messages.
 */
#include <signal.h>

#include "tool/wrap.h"

static int
handle(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_refuse(self,
	    "%s takes no messages (proc-boot without --lines, --exec or "
	    "--frames)",
	    hm_actor_id(self)->proc);
}

static void
stop(struct wrap *wrap)
{
	if (wrap->runs)
		(void)kill(-wrap->child, SIGTERM);
}

const struct wrap_mode wrap_plain = { .handle = handle, .stop = stop };
