/*
 * The loop: descriptors, timers, signals and tasks of one thread.
 *
 * Watches, timers and tasks are the caller's storage, embedded in what they
 * belong to; the loop only links them.  Starting one that runs moves it;
 * stopping one that does not run is harmless, also from inside a callback,
 * also of another one that is due in the same turn: what was stopped is not
 * called any more.
 */
#ifndef HOSTMUX_LOOP_H
#define HOSTMUX_LOOP_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hostmux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hm_loop;

enum hm_level { HM_LOG_ERROR, HM_LOG_WARNING, HM_LOG_INFO, HM_LOG_DEBUG };

/* A descriptor watched (borrowed): fn gets the POLL* bits that are true.  One
 * watch a descriptor, and it is stopped before the descriptor is closed. */
struct hm_watch {
	void (*fn)(void *arg, int fd, short revents);
	void *arg;
	int fd;	      /* as given to hm_watch_start; stays */
	short events; /* POLLIN | POLLOUT; 0 watches for POLLHUP, POLLERR */
	size_t slot;  /* the loop's */
};

/* Fires once, at a time of the monotonic clock; those due at the same time in
 * the order they were started. */
struct hm_timer {
	void (*fn)(void *arg);
	void *arg;
	uint64_t due;	/* milliseconds */
	uint64_t order; /* the loop's */
	size_t slot;	/* the loop's: 0 = not set */
};

/* Runs once at the end of the turn, after every ready descriptor was served:
 * this is where what a turn gathered is written.  One started between two turns
 * may have a turn of its own, which serves no descriptor. */
struct hm_task {
	void (*fn)(void *arg);
	void *arg;
	struct hm_task *next;
	bool queued;
};

/* NULL with a sentence (ENOMEM, EMFILE; EINVAL for no such backend).  backend:
 * NULL for the best there is, "poll" or "epoll" to insist. */
struct hm_loop *hm_loop_new(const char *backend, struct hm_error *err);
void hm_loop_free(struct hm_loop *loop);

/* Starts or changes; 0 or -1 with errno (ENOMEM, ENOSPC, EBADF; with epoll also
 * EPERM for a file, which is always ready, and EEXIST). */
int hm_watch_start(
    struct hm_loop *loop, struct hm_watch *watch, int fd, short events);
void hm_watch_stop(struct hm_loop *loop, struct hm_watch *watch);
/* ms from now, 0 = in the next turn; -1 ENOMEM. */
int hm_timer_start(struct hm_loop *loop, struct hm_timer *timer, uint64_t ms);
void hm_timer_stop(struct hm_loop *loop, struct hm_timer *timer);
static inline bool
hm_timer_running(const struct hm_timer *timer)
{
	return timer->slot != 0;
}
void hm_task_start(struct hm_loop *loop, struct hm_task *task);
void hm_task_stop(struct hm_loop *loop, struct hm_task *task);

/*
 * Takes these signals (one loop of a process may): they arrive as calls of fn,
 * in a turn, never in a handler.  0, -1 (EBUSY when another loop has them).
 * They are unblocked, too.  hm_loop_free puts the dispositions back.
 */
int hm_loop_signals(struct hm_loop *loop, const sigset_t *set,
    void (*fn)(void *arg, int sig), void *arg);

/* One turn: waits until something happens or timeout_ms (-1: for ever) has
 * gone.  0, or -1 with errno when waiting itself failed. */
int hm_loop_turn(struct hm_loop *loop, int timeout_ms);
/* Turns until hm_loop_stop.  Nothing left to wait for is no reason to end. */
int hm_loop_run(struct hm_loop *loop);
void hm_loop_stop(struct hm_loop *loop);
/* From any thread or signal handler: makes the current or next wait end. */
void hm_loop_wake(struct hm_loop *loop);

/*
 * For a loop of somebody else's: fill gives what to poll for (-1 ENOSPC when
 * max is too small, *n the number needed), then step serves what poll found.
 */
int hm_loop_fill(struct hm_loop *loop, struct pollfd *fds, size_t max,
    size_t *n, int *timeout_ms);
int hm_loop_step(struct hm_loop *loop, struct pollfd *fds, size_t n);
/* One descriptor (the loop's) readable when a turn would find something, its
 * timers and tasks included; -1 ENOTSUP where poll is underneath. */
int hm_loop_fd(struct hm_loop *loop);

/* Milliseconds of the monotonic clock, read once a turn. */
uint64_t hm_loop_now(struct hm_loop *loop);

/* Events of the library go here; none by default. */
typedef void hm_log_fn(void *arg, enum hm_level level, const char *text);
void hm_loop_set_log(struct hm_loop *loop, hm_log_fn *fn, void *arg);
void hm_log(struct hm_loop *loop, enum hm_level level, const char *fmt, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

#ifdef __cplusplus
}
#endif
#endif
