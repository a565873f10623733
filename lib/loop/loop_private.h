/*
 * The loop's own: what its files share.
 *
 * A turn is: wait (backend) -> ready watches are called -> timers that are due
 * -> signals -> tasks.  "ready" is a snapshot taken before the first call-out;
 * stopping a watch strikes it out of the snapshot, so nothing stopped is called
 * and nothing freed is touched.
 */
#ifndef HM_LOOP_PRIVATE_H
#define HM_LOOP_PRIVATE_H

#include <hostmux/loop.h>

/* Descriptors served in one turn; the rest are ready still in the next. */
#define LOOP_READY 256

struct ready {
	struct hm_watch *watch; /* NULL: stopped meanwhile */
	short revents;
};

/* What waits: poll everywhere, epoll on Linux. */
struct loop_backend {
	const char *name;
	int (*init)(struct hm_loop *loop);
	void (*fini)(struct hm_loop *loop);
	/* The watch is in loop->watches; old: events before, -1 if new. */
	int (*set)(struct hm_loop *loop, struct hm_watch *watch, int old);
	void (*unset)(struct hm_loop *loop, struct hm_watch *watch);
	/* Fills loop->ready and loop->nready.  0, or -1 (EINTR: nothing). */
	int (*wait)(struct hm_loop *loop, int timeout_ms);
};
extern const struct loop_backend loop_poll, loop_epoll;

struct hm_loop {
	const struct loop_backend *backend;
	struct hm_watch **watches; /* watch->slot is its place, from 1 */
	size_t nwatches, cwatches;
	struct ready ready[LOOP_READY];
	size_t nready;
	struct pollfd *fds; /* poll's, as many as cfds */
	size_t cfds, turn;  /* turn: where poll's next snapshot begins */
	int epoll_fd, timer_fd;
	struct hm_timer **timers; /* a heap; timer->slot is its place, from 1 */
	size_t ntimers, ctimers;
	struct hm_task *tasks, **tasks_end;
	uint64_t now;
	bool stopped;
	int wake[2];
	struct hm_watch wake_watch, signal_watch;
	void (*signal_fn)(void *arg, int sig);
	void *signal_arg;
	sigset_t signals;
	hm_log_fn *log;
	void *log_arg;
};

/* timer.c: milliseconds until the next is due, -1: none. */
int timers_timeout(const struct hm_loop *loop);
void timers_run(struct hm_loop *loop);
/* signal.c */
void signals_fini(struct hm_loop *loop);

#endif
