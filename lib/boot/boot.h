/*
 * A boot: the child's side of the boot protocol, in steps, so that whoever
 * runs a command can start it between attaching and calling back.
 */
#ifndef HM_BOOT_H
#define HM_BOOT_H

#include <hostmux/limits.h>
#include <hostmux/proc.h>

#include "boot/lifeline.h"
#include "boot/payload.h"

struct boot {
	struct payload payload;
	struct hm_limits limits;
	struct hm_proc *proc;
	struct hm_addr addr; /* where the proc is served */
	struct lifeline line;
};

/*
 * Reads the boot variables and takes those away that are secret, attaches to
 * the backend, spawns the agent and serves.  -1 with kind MISSING, INVALID,
 * CHANNEL or AGENT, and boot->proc is NULL.
 */
int boot_begin(struct boot *boot, struct hm_loop *loop, struct hm_error *err);
/* Calls back: the proc is up.  Line's callbacks are set. */
int boot_ready(struct boot *boot, struct hm_error *err);
/* Calls back that it will not be; status is what this process exits with. */
void boot_fail(struct boot *boot, const struct hm_error *why, int status);
/* All but the proc. */
void boot_fini(struct boot *boot);

#endif
