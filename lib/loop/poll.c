/*
 * poll(2) behind the loop: what every system has.
 *
 * The array is filled anew each turn, in the order of the watches, but the
 * snapshot of what is ready begins at another place each time: with more ready
 * than a turn serves, all get their turn.  A loop that somebody else polls for
 * is filled and served the same way.
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

void
pollfds_fill(const struct hm_loop *loop, struct pollfd *fds)
{
	size_t i;

	for (i = 0; i < loop->nwatches; i++) {
		fds[i].fd = loop->watches[i]->fd;
		fds[i].events = loop->watches[i]->events;
		fds[i].revents = 0;
	}
}

/* A foreign poll may be older than the last change of the watches. */
void
pollfds_take(struct hm_loop *loop, const struct pollfd *fds, size_t n)
{
	size_t i, at;

	if (n > loop->nwatches)
		n = loop->nwatches;
	at = n == 0 ? 0 : loop->turn % n;
	for (i = 0; i < n && loop->nready < LOOP_READY; i++) {
		if (fds[at].revents != 0 &&
		    fds[at].fd == loop->watches[at]->fd) {
			loop->ready[loop->nready].watch = loop->watches[at];
			loop->ready[loop->nready++].revents = fds[at].revents;
			loop->turn = at + 1;
		}
		at = at + 1 == n ? 0 : at + 1;
	}
}

static int
poll_wait(struct hm_loop *loop, int timeout_ms)
{
	pollfds_fill(loop, loop->fds);
	if (poll(loop->fds, (nfds_t)loop->nwatches, timeout_ms) == -1)
		return -1;
	pollfds_take(loop, loop->fds, loop->nwatches);
	return 0;
}

const struct loop_backend loop_poll = {
    "poll", poll_init, poll_fini, poll_set, poll_unset, poll_wait, NULL};
