/*
 * The loop's own: what its files share.
 *
 * A turn is: wait (backend) -> ready watches are called, the pipe of signals
 * among them -> timers that are due -> tasks.  "ready" is a snapshot taken
 * before the first call-out; stopping a watch strikes it out of the snapshot,
 * so nothing stopped is called and nothing freed is touched.  A turn inside a
 * callback takes a snapshot of its own and leaves none to the outer one: what
 * that had not served yet is still ready in its next.
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
	/* Sets timer_fd, if there is one, for what is due next. */
	void (*arm)(struct hm_loop *loop);
};
extern const struct loop_backend loop_poll, loop_epoll;

struct hm_loop {
	const struct loop_backend *backend;
	struct hm_watch **watches; /* watch->slot is its place, from 1 */
	size_t nwatches, cwatches;
	struct ready ready[LOOP_READY];
	size_t nready;
	struct pollfd *fds; /* poll's, as many as cfds */
	size_t cfds, turn;  /* turn: where the next snapshot of poll begins */
	struct registered *by_fd; /* epoll's, as many as cby_fd */
	size_t cby_fd;
	uint32_t serial;
	int epoll_fd, timer_fd;	  /* timer_fd: -1 until hm_loop_fd is called */
	struct hm_timer **timers; /* a heap; timer->slot is its place, from 1 */
	size_t ntimers, ctimers;
	uint64_t started; /* timers, ever */
	struct hm_task *tasks, **tasks_end;
	uint64_t now;
	bool stopped;
	bool unasked; /* the last turn did not ask who is ready */
	int wake[2];
	struct hm_watch wake_watch, signal_watch;
	void (*signal_fn)(void *arg, int sig);
	void *signal_arg;
	sigset_t signals;
	hm_log_fn *log;
	void *log_arg;
	void *receivers; /* lib/route's: those at "local:" addresses */
};

/* loop.c: milliseconds until there is something to do, -1: nothing. */
int loop_timeout(const struct hm_loop *loop);
/* poll.c: the watches as poll wants them; what it found, as the snapshot. */
void pollfds_fill(const struct hm_loop *loop, struct pollfd *fds);
void pollfds_take(struct hm_loop *loop, const struct pollfd *fds, size_t n);
/* timer.c: milliseconds until the next is due, -1: none. */
int timers_timeout(const struct hm_loop *loop);
/* Those that are due and of the first so many that were ever started. */
void timers_run(struct hm_loop *loop, uint64_t started);
/* signal.c */
void signals_fini(struct hm_loop *loop);

#endif
