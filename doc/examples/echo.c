/*
 * A proc that answers each message with its own payload.
 *
 *	cc echo.c $(pkg-config --cflags --libs hostmux) -o echo
 *	proc-spawn e ./echo
 *	msg-call e hello
 */
#include <hostmux/hostmux.h>

static int
answer(struct hm_actor *self, struct hm_envelope *msg)
{
	return hm_reply(self, msg, hm_payload(msg), hm_payload_len(msg));
}

int
main(void)
{
	struct hm_error err;
	struct hm_proc *proc = hm_boot(&err);

	if (proc == NULL ||
	    hm_proc_spawn(proc, "main", answer, NULL, &err) == NULL)
		return hm_error_exit(&err, "echo");
	return hm_proc_run(proc);
}
