/*
 * booted: a proc that is linked with the library, as small as they get.
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
		return hm_error_exit(&err, "booted");
	return hm_proc_run(proc);
}
