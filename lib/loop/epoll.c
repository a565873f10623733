/*
 * epoll behind the loop, on Linux: a turn costs what is ready, not what is
 * watched.  Level-triggered, so that poll and epoll mean the same.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loop/loop_private.h"

#ifdef __linux__
#include <sys/epoll.h>
#include <sys/timerfd.h>

/* POLLIN and its like have the values of EPOLLIN and its like on Linux. */
static int
control(struct hm_loop *loop, int op, struct hm_watch *watch)
{
	struct epoll_event event;

	memset(&event, 0, sizeof event);
	event.events = (unsigned short)watch->events;
	event.data.ptr = watch;
	return epoll_ctl(loop->epoll_fd, op, watch->fd, &event);
}

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
}

static int
epoll_set(struct hm_loop *loop, struct hm_watch *watch, int old)
{
	return control(loop, old == -1 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watch);
}

static void
epoll_unset(struct hm_loop *loop, struct hm_watch *watch)
{
	(void)control(loop, EPOLL_CTL_DEL, watch);
}

static int
epoll_turn(struct hm_loop *loop, int timeout_ms)
{
	struct epoll_event events[LOOP_READY];
	int i, n = epoll_wait(loop->epoll_fd, events, LOOP_READY, timeout_ms);

	for (i = 0; i < n; i++) {
		if (events[i].data.ptr == NULL)
			continue; /* the timer of hm_loop_fd */
		loop->ready[loop->nready].watch = events[i].data.ptr;
		loop->ready[loop->nready++].revents = (short)events[i].events;
	}
	return n == -1 ? -1 : 0;
}

const struct loop_backend loop_epoll = { "epoll", epoll_init, epoll_fini,
	epoll_set, epoll_unset, epoll_turn };

/* Timers count too: a timerfd in the set is armed for the next one. */
int
hm_loop_fd(struct hm_loop *loop)
{
	struct itimerspec when;
	struct epoll_event event;
	int ms = loop->tasks != NULL ? 0 : timers_timeout(loop);

	if (loop->epoll_fd == -1) {
		errno = ENOTSUP;
		return -1;
	}
	if (loop->timer_fd == -1) {
		loop->timer_fd = timerfd_create(CLOCK_MONOTONIC,
		    TFD_CLOEXEC | TFD_NONBLOCK);
		memset(&event, 0, sizeof event);
		event.events = EPOLLIN;
		if (loop->timer_fd == -1 ||
		    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->timer_fd,
			&event) == -1)
			return -1;
	}
	memset(&when, 0, sizeof when);
	if (ms != -1) {
		when.it_value.tv_sec = ms / 1000;
		when.it_value.tv_nsec = ms % 1000 * 1000000L + 1;
	}
	if (timerfd_settime(loop->timer_fd, 0, &when, NULL) == -1)
		return -1;
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

const struct loop_backend loop_epoll = { "epoll", epoll_init, NULL, NULL, NULL,
	NULL };

int
hm_loop_fd(struct hm_loop *loop)
{
	(void)loop;
	errno = ENOTSUP;
	return -1;
}

#endif
