/*
 * Monitors: for each proc that is asked something, a question to its host that
 * is answered when the proc has ended.
 */
#ifndef HM_MONITOR_H
#define HM_MONITOR_H

#include "tool/pool.h"

struct monitors {
	struct hm_actor *actor;
	const struct pool *pool; /* borrowed */
	/* The proc of target has ended, or was lost sight of: why. */
	void (*ended)(void *arg, struct target *target, const char *why);
	void *arg;
};

/* Spawns the actor "monitor" in proc.  0, or -1 with a sentence. */
int monitor_init(struct monitors *monitors, struct hm_proc *proc,
    const struct pool *pool,
    void (*ended)(void *arg, struct target *target, const char *why), void *arg,
    struct hm_error *err);
/* Watches target until it has ended; does nothing if it is watched. */
int monitor_start(struct monitors *monitors, struct target *target);

#endif
