/*
 * Every way to drive a loop: turns over poll and over epoll, steps after a poll
 * of one's own, and turns when the one descriptor is readable.  All of them
 * have to mean the same, so a driver runs over each.
 */
#ifndef TURN_H
#define TURN_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include <hostmux/loop.h>

#include "check.h"

enum way { TURN, STEP, BY_FD };

#define FDS 1024

static struct hm_loop *loop;
static enum way way;

static inline void
poll_for(struct pollfd *fds, size_t n, int ms)
{
	size_t i;

	if (poll(fds, (nfds_t)n, ms) != -1)
		return;
	CHECK(errno == EINTR);
	for (i = 0; i < n; i++)
		fds[i].revents = 0;
}

static inline void
step(int ms)
{
	static struct pollfd fds[FDS];
	size_t n;
	int next;

	CHECK(hm_loop_fill(loop, fds, FDS, &n, &next) == 0);
	if (next != -1 && (ms == -1 || next < ms))
		ms = next;
	poll_for(fds, n, ms);
	CHECK(hm_loop_step(loop, fds, n) == 0);
}

static inline void
turn(int ms)
{
	struct pollfd one = {-1, POLLIN, 0};

	if (way == TURN) {
		CHECK(hm_loop_turn(loop, ms) == 0);
	} else if (way == STEP) {
		step(ms);
	} else {
		one.fd = hm_loop_fd(loop);
		CHECK(one.fd != -1);
		poll_for(&one, 1, ms);
		if (one.revents != 0)
			CHECK(hm_loop_turn(loop, 0) == 0);
	}
}

static inline void
pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	while (nanosleep(&t, &t) == -1)
		CHECK(errno == EINTR);
}

static inline void
one_way(const char *backend, enum way how, void (*fn)(const char *backend))
{
	struct hm_error err;

	way = how;
	loop = hm_loop_new(backend, &err);
	CHECK(loop != NULL);
	fn(backend);
	hm_loop_free(loop);
}

/* fn runs over a loop of its own for each; a turn that never ends is a failure
 * too. */
static inline void
each_way(void (*fn)(const char *backend))
{
	(void)alarm(120);
	one_way("poll", TURN, fn);
	one_way("poll", STEP, fn);
#ifdef __linux__
	one_way("epoll", TURN, fn);
	one_way("epoll", STEP, fn);
	one_way("epoll", BY_FD, fn);
#endif
}

#endif
