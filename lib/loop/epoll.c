/*
 * epoll behind the loop, on Linux: a turn costs what is ready, not what is
 * watched.  Level-triggered, so that poll and epoll mean the same.
 *
 * The kernel keeps what was registered until the last duplicate of a descriptor
 * is closed, and a child between fork and exec has duplicates of all: an event
 * can be older than its watch.  So events carry no pointer but the descriptor
 * and a serial number, and one whose serial number is not that of the watch
 * which has the descriptor now is dropped.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/loop_private.h"

#ifdef __linux__
#include <sys/epoll.h>
#include <sys/timerfd.h>

/* What is registered for a descriptor. */
struct registered {
	struct hm_watch *watch; /* NULL: nothing of ours */
	uint32_t serial;
};

static int
epoll_init(struct hm_loop *loop)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd == -1 ? -1 : 0;
}

static void
epoll_fini(struct hm_loop *loop)
{
	if (loop->epoll_fd != -1)
		(void)close(loop->epoll_fd);
	if (loop->timer_fd != -1)
		(void)close(loop->timer_fd);
	loop->epoll_fd = loop->timer_fd = -1;
	free(loop->by_fd);
	loop->by_fd = NULL;
}

/* Room for fd in by_fd. */
static int
make_room(struct hm_loop *loop, size_t fd)
{
	struct registered *more;
	size_t cap = loop->cby_fd == 0 ? 16 : loop->cby_fd;

	if (fd < loop->cby_fd)
		return 0;
	while (cap <= fd)
		cap *= 2;
	more = realloc(loop->by_fd, cap * sizeof *more);
	if (more == NULL)
		return -1;
	memset(more + loop->cby_fd, 0, (cap - loop->cby_fd) * sizeof *more);
	loop->by_fd = more;
	loop->cby_fd = cap;
	return 0;
}

/* POLLIN and its like have the values of EPOLLIN and its like on Linux. */
static int
epoll_set(struct hm_loop *loop, struct hm_watch *watch, int old)
{
	int op = old == -1 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	struct epoll_event event;
	struct registered *at;

	if (make_room(loop, (size_t)watch->fd) == -1)
		return -1;
	memset(&event, 0, sizeof event);
	event.events = (unsigned short)watch->events;
	event.data.u64 = (uint64_t)++loop->serial << 32 | (uint32_t)watch->fd;
	if (epoll_ctl(loop->epoll_fd, op, watch->fd, &event) == -1)
		return -1;
	at = &loop->by_fd[watch->fd];
	at->watch = watch;
	at->serial = loop->serial;
	return 0;
}

/* Who closed the descriptor first may find another's watch in its place. */
static void
epoll_unset(struct hm_loop *loop, struct hm_watch *watch)
{
	struct epoll_event unused;

	if (loop->by_fd[watch->fd].watch != watch)
		return;
	loop->by_fd[watch->fd].watch = NULL;
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, &unused);
}

static int
epoll_turn(struct hm_loop *loop, int timeout_ms)
{
	struct epoll_event events[LOOP_READY];
	const struct registered *at;
	size_t fd;
	int i, n = epoll_wait(loop->epoll_fd, events, LOOP_READY, timeout_ms);

	for (i = 0; i < n; i++) {
		fd = events[i].data.u64 & UINT32_MAX;
		if (fd >= loop->cby_fd)
			continue; /* the timer of hm_loop_fd */
		at = &loop->by_fd[fd];
		if (at->watch == NULL || at->serial != events[i].data.u64 >> 32)
			continue;
		loop->ready[loop->nready].watch = at->watch;
		loop->ready[loop->nready++].revents = (short)events[i].events;
	}
	return n == -1 ? -1 : 0;
}

/* A time of 0 would disarm it. */
static void
epoll_arm(struct hm_loop *loop)
{
	struct itimerspec when;
	int ms = loop_timeout(loop);

	memset(&when, 0, sizeof when);
	if (ms != -1) {
		when.it_value.tv_sec = ms / 1000;
		when.it_value.tv_nsec = ms % 1000 * 1000000L + 1;
	}
	(void)timerfd_settime(loop->timer_fd, 0, &when, NULL);
}

const struct loop_backend loop_epoll = {"epoll", epoll_init, epoll_fini,
    epoll_set, epoll_unset, epoll_turn, epoll_arm};

/* epoll_wait's timeout is not seen from outside, so a timerfd in the set stands
 * for it, from here on. */
int
hm_loop_fd(struct hm_loop *loop)
{
	struct epoll_event event;
	int fd, code;

	if (loop->epoll_fd == -1) {
		errno = ENOTSUP;
		return -1;
	}
	if (loop->timer_fd != -1)
		return loop->epoll_fd;
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd == -1)
		return -1;
	memset(&event, 0, sizeof event);
	event.events = EPOLLIN;
	event.data.u64 = (uint32_t)fd;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == -1) {
		code = errno;
		(void)close(fd);
		errno = code;
		return -1;
	}
	loop->timer_fd = fd;
	epoll_arm(loop);
	return loop->epoll_fd;
}

#else

static int
epoll_init(struct hm_loop *loop)
{
	(void)loop;
	errno = ENOTSUP;
	return -1;
}

const struct loop_backend loop_epoll = {
    "epoll", epoll_init, NULL, NULL, NULL, NULL, NULL};

int
hm_loop_fd(struct hm_loop *loop)
{
	(void)loop;
	errno = ENOTSUP;
	return -1;
}

#endif
