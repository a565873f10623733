/*
 * A proc that is linked to the library, without proc-boot: nothing stands
 * between it and its supervisor.  Each argument is a script that sh runs below
 * it, in the group of the proc; the proc reaps none of them.
 */
#include <stddef.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

static int
refuse(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_refuse(self, "it takes no messages");
}

int
main(int argc, char *argv[])
{
	struct hm_error err;
	struct hm_proc *proc = hm_boot(&err);
	int i;

	if (proc == NULL ||
	    hm_proc_spawn(proc, "main", refuse, NULL, &err) == NULL)
		return hm_error_exit(&err, "linked");
	for (i = 1; i < argc; i++) {
		if (fork() == 0) {
			(void)execl("/bin/sh", "sh", "-c", argv[i], NULL);
			_exit(127);
		}
	}
	return hm_proc_run(proc);
}
