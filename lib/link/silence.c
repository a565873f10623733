/*
 * A reader that is only stopped has its window closed, and its machine answers
 * the probes of that, however seldom; TCP_USER_TIMEOUT would end it all the
 * same.
 */
#include "base/sys.h"
#include "link/silence.h"

/* As long as a keepalive waits. */
#define SILENCE_MS 15000u
#define PROBES_MAX 4u

int
silence_check(int fd, uint64_t since, uint64_t now)
{
	struct sys_pending pending;
	uint64_t quiet = now - since;

	if (sys_pending(fd, &pending) != 1)
		return 0;
	if (pending.in_flight == 0)
		return pending.probes < PROBES_MAX ? 1 : -1;
	/* What was acknowledged before anybody looked says nothing. */
	if (quiet > pending.heard)
		quiet = pending.heard;
	return quiet < SILENCE_MS ? 1 : -1;
}
