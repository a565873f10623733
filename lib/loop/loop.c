/*
 * The loop: who is called in a turn, and when.
 *
 * Nothing here waits or sleeps but the backend, and that until something is
 * due: an idle loop does not wake.  Everything a turn does is bounded (so many
 * descriptors, the timers older than it, so many tasks), so that nothing that
 * keeps itself busy can keep the others from being served.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "loop/loop_private.h"

/* Tasks may start tasks; what is left after so many waits for the next turn,
 * so that they cannot keep descriptors from being served. */
#define TASKS_TURN 1024

static void
on_wake(void *arg, int fd, short revents)
{
	char bytes[64];

	(void)arg;
	(void)revents;
	while (read(fd, bytes, sizeof bytes) > 0)
		continue;
}

/* The first that works, of that name if there is one. */
static int
choose_backend(struct hm_loop *loop, const char *name)
{
	static const struct loop_backend *const all[] = {
	    &loop_epoll, &loop_poll};
	size_t i;

	errno = EINVAL;
	for (i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (name != NULL && strcmp(name, all[i]->name) != 0)
			continue;
		loop->backend = all[i];
		if (all[i]->init(loop) == 0)
			return 0;
	}
	return -1;
}

static int
start(struct hm_loop *loop, const char *backend, struct hm_error *err)
{
	if (choose_backend(loop, backend) == 0 && sys_pipe(loop->wake) == 0 &&
	    hm_watch_start(loop, &loop->wake_watch, loop->wake[0], POLLIN) == 0)
		return 0;
	if (loop->backend == NULL)
		return hm_fail(err, EINVAL, "no loop backend '%s'", backend);
	return hm_fail(err, errno, "cannot make a loop: %s", strerror(errno));
}

struct hm_loop *
hm_loop_new(const char *backend, struct hm_error *err)
{
	struct hm_loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	loop->tasks_end = &loop->tasks;
	loop->wake[0] = loop->wake[1] = -1;
	loop->wake_watch.fn = on_wake;
	loop->epoll_fd = loop->timer_fd = -1;
	loop->now = sys_now();
	if (start(loop, backend, err) == 0)
		return loop;
	hm_loop_free(loop);
	return NULL;
}

void
hm_loop_free(struct hm_loop *loop)
{
	int code = errno;

	if (loop == NULL)
		return;
	signals_fini(loop);
	if (loop->backend != NULL && loop->backend->fini != NULL)
		loop->backend->fini(loop);
	if (loop->wake[0] != -1) {
		(void)close(loop->wake[0]);
		(void)close(loop->wake[1]);
	}
	free(loop->watches);
	free(loop->timers);
	free(loop);
	errno = code;
}

static int
watches_grow(struct hm_loop *loop)
{
	struct hm_watch **watches;
	size_t cap;

	if (loop->nwatches < loop->cwatches)
		return 0;
	cap = loop->cwatches == 0 ? 16 : loop->cwatches * 2;
	watches = realloc(loop->watches, cap * sizeof *watches);
	if (watches == NULL)
		return -1;
	loop->watches = watches;
	loop->cwatches = cap;
	return 0;
}

static void
watch_remove(struct hm_loop *loop, struct hm_watch *watch)
{
	struct hm_watch *last = loop->watches[--loop->nwatches];
	size_t i;

	loop->watches[watch->slot - 1] = last;
	last->slot = watch->slot;
	watch->slot = 0;
	for (i = 0; i < loop->nready; i++) {
		if (loop->ready[i].watch == watch)
			loop->ready[i].watch = NULL;
	}
}

int
hm_watch_start(
    struct hm_loop *loop, struct hm_watch *watch, int fd, short events)
{
	int old = watch->slot == 0 ? -1 : watch->events;

	if (fd < 0) {
		errno = EBADF;
		return -1;
	}
	if (old != -1 && watch->fd != fd) {
		hm_watch_stop(loop, watch);
		old = -1;
	}
	if (old == -1) {
		if (watches_grow(loop) == -1)
			return -1;
		loop->watches[loop->nwatches++] = watch;
		watch->slot = loop->nwatches;
	}
	watch->fd = fd;
	watch->events = events;
	if (old == events)
		return 0;
	if (loop->backend->set(loop, watch, old) == -1) {
		if (old == -1)
			watch_remove(loop, watch);
		else
			watch->events = (short)old;
		return -1;
	}
	return 0;
}

void
hm_watch_stop(struct hm_loop *loop, struct hm_watch *watch)
{
	if (watch->slot == 0)
		return;
	loop->backend->unset(loop, watch);
	watch_remove(loop, watch);
}

void
hm_task_start(struct hm_loop *loop, struct hm_task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	task->next = NULL;
	*loop->tasks_end = task;
	loop->tasks_end = &task->next;
	if (loop->tasks == task && loop->timer_fd != -1)
		loop->backend->arm(loop);
}

void
hm_task_stop(struct hm_loop *loop, struct hm_task *task)
{
	struct hm_task **p = &loop->tasks;

	if (!task->queued)
		return;
	while (*p != task)
		p = &(*p)->next;
	*p = task->next;
	if (*p == NULL)
		loop->tasks_end = p;
	task->queued = false;
}

static void
run_tasks(struct hm_loop *loop)
{
	struct hm_task *task;
	int most = TASKS_TURN;

	while (most-- > 0 && (task = loop->tasks) != NULL) {
		hm_task_stop(loop, task);
		task->fn(task->arg);
	}
}

int
loop_timeout(const struct hm_loop *loop)
{
	return loop->tasks != NULL ? 0 : timers_timeout(loop);
}

static void
serve(struct hm_loop *loop)
{
	uint64_t started = loop->started;
	struct hm_watch *watch;
	size_t i;

	loop->now = sys_now();
	for (i = 0; i < loop->nready; i++) {
		watch = loop->ready[i].watch;
		if (watch != NULL)
			watch->fn(
			    watch->arg, watch->fd, loop->ready[i].revents);
	}
	loop->nready = 0;
	timers_run(loop, started);
	run_tasks(loop);
	if (loop->timer_fd != -1)
		loop->backend->arm(loop);
}

int
hm_loop_turn(struct hm_loop *loop, int timeout_ms)
{
	int next;

	/* What was started between two turns is done at once, and of two such
	 * turns the second asks who is ready. */
	loop->unasked =
	    loop->tasks != NULL && timeout_ms != 0 && !loop->unasked;
	if (loop->unasked) {
		loop->nready = 0;
		serve(loop);
		if (loop->tasks == NULL)
			return 0;
	}
	next = loop_timeout(loop);
	if (next != -1 && (timeout_ms == -1 || next < timeout_ms))
		timeout_ms = next;
	loop->nready = 0;
	if (loop->backend->wait(loop, timeout_ms) == -1 && errno != EINTR)
		return -1;
	serve(loop);
	return 0;
}

int
hm_loop_run(struct hm_loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped) {
		if (hm_loop_turn(loop, -1) == -1)
			return -1;
	}
	return 0;
}

void
hm_loop_stop(struct hm_loop *loop)
{
	loop->stopped = true;
	hm_loop_wake(loop);
}

void
hm_loop_wake(struct hm_loop *loop)
{
	int code = errno;

	/* A full pipe wakes as well. */
	(void)!write(loop->wake[1], "", 1);
	errno = code;
}

int
hm_loop_fill(struct hm_loop *loop, struct pollfd *fds, size_t max, size_t *n,
    int *timeout_ms)
{
	*n = loop->nwatches;
	*timeout_ms = loop_timeout(loop);
	if (max < loop->nwatches) {
		errno = ENOSPC;
		return -1;
	}
	pollfds_fill(loop, fds);
	return 0;
}

int
hm_loop_step(struct hm_loop *loop, struct pollfd *fds, size_t n)
{
	loop->nready = 0;
	pollfds_take(loop, fds, n);
	serve(loop);
	return 0;
}

uint64_t
hm_loop_now(struct hm_loop *loop)
{
	return loop->now;
}

void
hm_loop_set_log(struct hm_loop *loop, hm_log_fn *fn, void *arg)
{
	loop->log = fn;
	loop->log_arg = arg;
}

void
hm_log(struct hm_loop *loop, enum hm_level level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (loop->log == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	loop->log(loop->log_arg, level, text);
}
