/*
 * poll(2) behind the loop: what every system has.
 *
 * The array is filled anew each turn, in the order of the watches, but the
 * snapshot of what is ready begins at another place each time: with more ready
 * than a turn serves, all get their turn.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop/loop_private.h"

static int
poll_init(struct hm_loop *loop)
{
	loop->fds = NULL;
	loop->cfds = 0;
	return 0;
}

static void
poll_fini(struct hm_loop *loop)
{
	free(loop->fds);
	loop->fds = NULL;
}

static int
poll_set(struct hm_loop *loop, struct hm_watch *watch, int old)
{
	struct pollfd *fds;

	(void)watch;
	(void)old;
	if (loop->cwatches <= loop->cfds)
		return 0;
	fds = realloc(loop->fds, loop->cwatches * sizeof *fds);
	if (fds == NULL)
		return -1;
	loop->fds = fds;
	loop->cfds = loop->cwatches;
	return 0;
}

static void
poll_unset(struct hm_loop *loop, struct hm_watch *watch)
{
	(void)loop;
	(void)watch;
}

static int
poll_wait(struct hm_loop *loop, int timeout_ms)
{
	size_t i, at, n = loop->nwatches;
	struct pollfd *fd;

	for (i = 0; i < n; i++) {
		loop->fds[i].fd = loop->watches[i]->fd;
		loop->fds[i].events = loop->watches[i]->events;
		loop->fds[i].revents = 0;
	}
	if (poll(loop->fds, (nfds_t)n, timeout_ms) == -1)
		return -1;
	at = n == 0 ? 0 : loop->turn % n;
	for (i = 0; i < n && loop->nready < LOOP_READY; i++) {
		fd = &loop->fds[at];
		if (fd->revents != 0) {
			loop->ready[loop->nready].watch = loop->watches[at];
			loop->ready[loop->nready++].revents = fd->revents;
			loop->turn = at + 1;
		}
		at = at + 1 == n ? 0 : at + 1;
	}
	return 0;
}

const struct loop_backend loop_poll = { "poll", poll_init, poll_fini, poll_set,
	poll_unset, poll_wait };
