/*
 * The warden: above the supervisor, with nothing to do but to outlive it.
 */
#ifndef HM_WARDEN_H
#define HM_WARDEN_H

#include "boot/supervisor.h"

/*
 * Forks the warden, which forks the supervisor.  Its pid, and in *front the
 * socket to talk with the supervisor; -1.  Returns only in the caller.
 */
long warden_start(const struct job *job, int *front);

#endif
