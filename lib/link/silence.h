/*
 * Silence: whether the machine at the other end of a TCP connection is gone.
 *
 * Such a machine closes nothing, and while bytes are unacknowledged TCP sends
 * no keepalives but tries again, for a quarter of an hour.  So as long as there
 * are such bytes, and no longer, somebody looks every SILENCE_STEP_MS.
 */
#ifndef HM_SILENCE_H
#define HM_SILENCE_H

#include <stdint.h>

#define SILENCE_STEP_MS 5000

/* fd is looked at since then, ms; now is later.  1: look again; 0: there is no
 * need to; -1: it is gone. */
int silence_check(int fd, uint64_t since, uint64_t now);

#endif
