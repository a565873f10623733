/*
 * The loop, over every way to drive it: turns over poll and over epoll, steps
 * after a poll of our own, and turns when the one descriptor is readable.  All
 * of them have to mean the same.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include <hostmux/loop.h>

#include "check.h"

enum way { TURN, STEP, BY_FD };

#define FDS 1024

static struct hm_loop *loop;
static enum way way;

/* --- one turn, each way */

static int
wait_for(struct pollfd *fds, size_t n, int ms)
{
	size_t i;

	if (poll(fds, (nfds_t)n, ms) != -1)
		return 0;
	CHECK(errno == EINTR);
	for (i = 0; i < n; i++)
		fds[i].revents = 0;
	return 0;
}

static void
turn(int ms)
{
	static struct pollfd fds[FDS];
	struct pollfd one;
	size_t n;
	int next;

	if (way == TURN) {
		CHECK(hm_loop_turn(loop, ms) == 0);
	} else if (way == STEP) {
		CHECK(hm_loop_fill(loop, fds, FDS, &n, &next) == 0);
		wait_for(
		    fds, n, next != -1 && (ms == -1 || next < ms) ? next : ms);
		CHECK(hm_loop_step(loop, fds, n) == 0);
	} else {
		one.fd = hm_loop_fd(loop);
		one.events = POLLIN;
		CHECK(one.fd != -1);
		wait_for(&one, 1, ms);
		if (one.revents != 0)
			CHECK(hm_loop_turn(loop, 0) == 0);
	}
}

static void
pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	while (nanosleep(&t, &t) == -1)
		CHECK(errno == EINTR);
}

/* --- watches */

struct seen {
	struct hm_watch watch;
	int pipe[2], calls;
	short revents;
	struct seen *victim;
	void (*then)(struct seen *seen);
};

static void
on_seen(void *arg, int fd, short revents)
{
	struct seen *seen = arg;

	CHECK(fd == seen->watch.fd);
	seen->calls++;
	seen->revents = revents;
	if (seen->then != NULL)
		seen->then(seen);
}

static void
prepare(struct seen *seen)
{
	memset(seen, 0, sizeof *seen);
	seen->watch.fn = on_seen;
	seen->watch.arg = seen;
}

static void
seen_init(struct seen *seen)
{
	prepare(seen);
	CHECK(sys_pipe(seen->pipe) == 0);
	CHECK(hm_watch_start(loop, &seen->watch, seen->pipe[0], POLLIN) == 0);
}

static void
feed(const struct seen *seen)
{
	CHECK(write(seen->pipe[1], "x", 1) == 1);
}

static void
seen_fini(struct seen *seen)
{
	hm_watch_stop(loop, &seen->watch);
	(void)close(seen->pipe[0]);
	(void)close(seen->pipe[1]);
}

static void
watch_levels(void)
{
	struct seen a;
	char byte;

	seen_init(&a);
	turn(0);
	CHECK(a.calls == 0);
	feed(&a);
	turn(-1);
	turn(-1);
	CHECK(a.calls == 2 && a.revents == POLLIN);
	CHECK(hm_watch_start(loop, &a.watch, a.pipe[0], 0) == 0);
	turn(0);
	CHECK(a.calls == 2);
	CHECK(hm_watch_start(loop, &a.watch, a.pipe[0], POLLIN) == 0);
	CHECK(read(a.pipe[0], &byte, 1) == 1);
	turn(0);
	CHECK(a.calls == 2);
	/* Without any event asked for, the other end's leaving is told. */
	CHECK(hm_watch_start(loop, &a.watch, a.pipe[0], 0) == 0);
	(void)close(a.pipe[1]);
	turn(-1);
	CHECK(a.calls == 3 && (a.revents & POLLHUP) != 0);
	hm_watch_stop(loop, &a.watch);
	hm_watch_stop(loop, &a.watch);
	turn(0);
	CHECK(a.calls == 3);
	a.pipe[1] = -1;
	seen_fini(&a);
}

/* Starting on another descriptor is moving. */
static void
watch_moves(void)
{
	struct seen a, b;

	seen_init(&a);
	seen_init(&b);
	hm_watch_stop(loop, &b.watch);
	CHECK(hm_watch_start(loop, &a.watch, b.pipe[1], POLLOUT) == 0);
	feed(&a);
	turn(-1);
	CHECK(a.calls == 1 && a.revents == POLLOUT);
	CHECK(hm_watch_start(loop, &a.watch, -1, POLLIN) == -1);
	CHECK(errno == EBADF);
	seen_fini(&a);
	seen_fini(&b);
}

static struct seen *survivor;

static void
free_victim(struct seen *seen)
{
	if (seen->victim == NULL)
		return;
	survivor = seen;
	seen_fini(seen->victim);
	free(seen->victim);
	seen->victim = NULL;
}

/* Both are due, and the one that is called first frees the other. */
static void
watch_stops_another(void)
{
	struct seen *a = malloc(sizeof *a), *b = malloc(sizeof *b);

	CHECK(a != NULL && b != NULL);
	seen_init(a);
	seen_init(b);
	a->victim = b;
	b->victim = a;
	a->then = b->then = free_victim;
	feed(a);
	feed(b);
	turn(-1);
	CHECK(survivor->calls == 1);
	turn(-1);
	CHECK(survivor->calls == 2);
	seen_fini(survivor);
	free(survivor);
}

/* Another pipe takes the place of the victim's, number and watch. */
static void
replace_victim(struct seen *seen)
{
	struct seen *victim = seen->victim;
	int fd = victim->pipe[0], fds[2];

	if (survivor != NULL)
		return;
	survivor = seen;
	hm_watch_stop(loop, &victim->watch);
	(void)close(victim->pipe[1]);
	CHECK(sys_pipe(fds) == 0);
	CHECK(dup2(fds[0], fd) == fd);
	(void)close(fds[0]);
	victim->pipe[1] = fds[1];
	CHECK(hm_watch_start(loop, &victim->watch, fd, POLLIN) == 0);
}

static void
watch_reused(void)
{
	struct seen a, b;

	survivor = NULL;
	seen_init(&a);
	seen_init(&b);
	a.victim = &b;
	b.victim = &a;
	a.then = b.then = replace_victim;
	feed(&a);
	feed(&b);
	turn(-1);
	turn(-1);
	CHECK(survivor->calls == 2 && survivor->victim->calls == 0);
	feed(survivor->victim);
	turn(-1);
	CHECK(survivor->victim->calls == 1);
	seen_fini(&a);
	seen_fini(&b);
}

/* A descriptor closed too early, while a duplicate keeps it open (that of a
 * child which has not called exec yet): its events are nobody's. */
static void
watch_stale(void)
{
	struct seen a, b;
	int fd, kept;

	seen_init(&a);
	prepare(&b);
	CHECK(sys_pipe(b.pipe) == 0);
	feed(&a);
	fd = a.pipe[0];
	kept = dup(fd);
	CHECK(kept != -1 && dup2(b.pipe[0], fd) == fd);
	CHECK(hm_watch_start(loop, &b.watch, fd, POLLIN) == 0);
	hm_watch_stop(loop, &a.watch);
	turn(0);
	CHECK(a.calls == 0 && b.calls == 0);
	feed(&b);
	turn(-1);
	CHECK(a.calls == 0 && b.calls == 1);
	hm_watch_stop(loop, &b.watch);
	(void)close(kept);
	seen_fini(&a);
	seen_fini(&b);
}

/* More are ready than one turn serves: all get their turn, alike. */
static void
watch_many(void)
{
	enum { MANY = 600 };
	static struct seen many[MANY];
	struct seen source;
	int i, turns;

	seen_init(&source);
	hm_watch_stop(loop, &source.watch);
	feed(&source);
	for (i = 0; i < MANY; i++) {
		prepare(&many[i]);
		many[i].pipe[0] = dup(source.pipe[0]);
		many[i].pipe[1] = -1;
		CHECK(many[i].pipe[0] != -1);
		CHECK(hm_watch_start(
			  loop, &many[i].watch, many[i].pipe[0], POLLIN) == 0);
	}
	for (turns = 0; turns < 30; turns++)
		turn(-1);
	for (i = 0; i < MANY; i++)
		CHECK(many[i].calls >= 10 && many[i].calls <= 15);
	for (i = 0; i < MANY; i++)
		seen_fini(&many[i]);
	seen_fini(&source);
}

static void
turn_inside(struct seen *seen)
{
	seen->then = NULL;
	turn(0);
	if (seen->victim != NULL)
		free_victim(seen);
}

/* A turn inside a callback: nothing is called that it freed. */
static void
watch_turns_inside(void)
{
	struct seen a, *b = malloc(sizeof *b);

	CHECK(b != NULL);
	seen_init(&a);
	seen_init(b);
	a.victim = b;
	a.then = turn_inside;
	feed(&a);
	feed(b);
	turn(-1);
	CHECK(a.calls == 2 && a.victim == NULL);
	turn(-1);
	CHECK(a.calls == 3);
	seen_fini(&a);
}

/* --- timers */

#define TIMERS 500

static struct ticker {
	struct hm_timer timer;
	int calls;
	uint64_t least; /* not before */
	void (*then)(struct ticker *ticker);
} tickers[TIMERS];
static int order[TIMERS * 2], norder;

static void
on_tick(void *arg)
{
	struct ticker *ticker = arg;

	CHECK(!hm_timer_running(&ticker->timer));
	CHECK(hm_loop_now(loop) >= ticker->least);
	ticker->calls++;
	CHECK(norder < TIMERS * 2);
	order[norder++] = (int)(ticker - tickers);
	if (ticker->then != NULL)
		ticker->then(ticker);
}

static void
tickers_init(void)
{
	int i;

	memset(tickers, 0, sizeof tickers);
	norder = 0;
	for (i = 0; i < TIMERS; i++) {
		tickers[i].timer.fn = on_tick;
		tickers[i].timer.arg = &tickers[i];
	}
}

static void
tick_in(int i, uint64_t ms)
{
	CHECK(hm_timer_start(loop, &tickers[i].timer, ms) == 0);
	CHECK(hm_timer_running(&tickers[i].timer));
	tickers[i].least = tickers[i].timer.due;
}

static void
turn_until(int n)
{
	while (norder < n)
		turn(-1);
	CHECK(norder == n);
}

static void
timer_order(void)
{
	int i;

	tickers_init();
	tick_in(0, 30);
	tick_in(1, 10);
	tick_in(2, 20);
	tick_in(3, 5);
	tick_in(3, 40); /* moved */
	tick_in(4, 15);
	hm_timer_stop(loop, &tickers[4].timer);
	hm_timer_stop(loop, &tickers[4].timer);
	turn_until(4);
	CHECK(order[0] == 1 && order[1] == 2 && order[2] == 0);
	CHECK(order[3] == 3 && tickers[4].calls == 0);
	/* Due together: in the order started. */
	tickers_init();
	for (i = 0; i < 10; i++)
		tick_in(i, 0);
	for (i = 0; i < 10; i++)
		tickers[i].least = 0;
	turn_until(10);
	for (i = 0; i < 10; i++)
		CHECK(order[i] == i);
}

static void
stop_next(struct ticker *ticker)
{
	hm_timer_stop(loop, &ticker[1].timer);
}

static void
start_again(struct ticker *ticker)
{
	tick_in((int)(ticker - tickers), 0);
}

static void
timer_inside(void)
{
	tickers_init();
	tickers[0].then = stop_next;
	tick_in(0, 0);
	tick_in(1, 0);
	pause_ms(2); /* both are due in one turn */
	turn(-1);
	turn(0);
	CHECK(tickers[0].calls == 1 && tickers[1].calls == 0);
	/* One that starts itself at once fires once a turn, however many wait
	 * beside it. */
	tickers_init();
	tickers[0].then = start_again;
	tick_in(0, 0);
	tick_in(1, 100000);
	tick_in(2, 100000);
	turn(-1);
	CHECK(tickers[0].calls == 1);
	turn(-1);
	CHECK(tickers[0].calls == 2);
	hm_timer_stop(loop, &tickers[0].timer);
	hm_timer_stop(loop, &tickers[1].timer);
	hm_timer_stop(loop, &tickers[2].timer);
}

/* Many, moved and stopped at random: those left fire by due time. */
static void
timer_heap(void)
{
	int i, at, left = TIMERS;

	tickers_init();
	for (i = 0; i < TIMERS; i++)
		tick_in(i, check_random(30));
	for (i = 0; i < TIMERS; i++) {
		at = (int)check_random(TIMERS);
		if (check_random(2) == 0 || left < TIMERS / 2) {
			left += !hm_timer_running(&tickers[at].timer);
			tick_in(at, check_random(30));
		} else if (hm_timer_running(&tickers[at].timer)) {
			hm_timer_stop(loop, &tickers[at].timer);
			left--;
		}
	}
	turn_until(left);
	for (i = 1; i < left; i++)
		CHECK(tickers[order[i - 1]].timer.due <=
		      tickers[order[i]].timer.due);
}

/* Far away is not "for ever" and not "now"; nothing is for ever. */
static void
timer_idle(void)
{
	struct pollfd fds[16];
	size_t n;
	int next;

	tickers_init();
	CHECK(hm_loop_fill(loop, fds, 16, &n, &next) == 0 && next == -1);
	tick_in(0, UINT64_MAX);
	CHECK(tickers[0].timer.due == UINT64_MAX);
	CHECK(hm_loop_fill(loop, fds, 16, &n, &next) == 0 && next == INT_MAX);
	turn(0);
	CHECK(norder == 0);
	hm_timer_stop(loop, &tickers[0].timer);
	CHECK(hm_loop_fill(loop, fds, 16, &n, &next) == 0 && next == -1);
	CHECK(n >= 1);
	CHECK(hm_loop_fill(loop, fds, n - 1, &n, &next) == -1);
	CHECK(errno == ENOSPC);
}

/* --- tasks */

static struct job {
	struct hm_task task;
	int calls;
	struct job *starts;
} jobs[4];

static void
on_job(void *arg)
{
	struct job *job = arg;

	job->calls++;
	if (job->starts != NULL)
		hm_task_start(loop, &job->starts->task);
}

static void
jobs_init(void)
{
	int i;

	memset(jobs, 0, sizeof jobs);
	for (i = 0; i < 4; i++) {
		jobs[i].task.fn = on_job;
		jobs[i].task.arg = &jobs[i];
	}
}

static void
task_turn(void)
{
	jobs_init();
	hm_task_start(loop, &jobs[0].task);
	hm_task_start(loop, &jobs[0].task);
	hm_task_start(loop, &jobs[1].task);
	hm_task_start(loop, &jobs[2].task);
	hm_task_stop(loop, &jobs[2].task); /* the last, and then another */
	hm_task_start(loop, &jobs[3].task);
	hm_task_stop(loop, &jobs[1].task);
	jobs[0].starts = &jobs[2]; /* in the same turn */
	turn(-1);
	CHECK(jobs[0].calls == 1 && jobs[1].calls == 0);
	CHECK(jobs[2].calls == 1 && jobs[3].calls == 1);
	turn(0);
	CHECK(jobs[0].calls == 1);
}

/* A task that never rests starves neither descriptors nor timers, and is not
 * waited for. */
static void
task_restless(void)
{
	struct seen a;

	jobs_init();
	tickers_init();
	seen_init(&a);
	jobs[0].starts = &jobs[0];
	hm_task_start(loop, &jobs[0].task);
	feed(&a);
	turn(-1);
	turn(-1);
	CHECK(a.calls == 2 && jobs[0].calls > 2);
	tick_in(0, 1);
	turn_until(1);
	hm_task_stop(loop, &jobs[0].task);
	seen_fini(&a);
}

static void
start_both(struct seen *seen)
{
	(void)seen;
	hm_task_start(loop, &jobs[0].task);
	CHECK(norder == 0);
}

/* Descriptors, then timers, then tasks. */
static void
turn_order(void)
{
	struct seen a;

	jobs_init();
	tickers_init();
	seen_init(&a);
	a.then = start_both;
	tick_in(0, 1);
	feed(&a);
	pause_ms(3);
	turn(-1);
	CHECK(a.calls == 1 && norder == 1 && jobs[0].calls == 1);
	seen_fini(&a);
}

/* --- waking and signals */

static volatile sig_atomic_t handled;

static void
wake_in_handler(int sig)
{
	(void)sig;
	handled++;
	hm_loop_wake(loop);
}

static void
only_handle(int sig)
{
	(void)sig;
	handled++;
}

static void
handle(int sig, void (*fn)(int), int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof action);
	action.sa_handler = fn;
	action.sa_flags = flags;
	CHECK(sigaction(sig, &action, NULL) == 0);
}

/* A child that sends sig to us every few milliseconds. */
static pid_t
pester(int sig)
{
	pid_t parent = getpid(), child = fork();

	CHECK(child != -1);
	while (child == 0) {
		pause_ms(5);
		if (getppid() != parent || kill(parent, sig) == -1)
			_exit(0);
	}
	return child;
}

static void
pester_end(pid_t child)
{
	CHECK(kill(child, SIGKILL) == 0);
	while (waitpid(child, NULL, 0) == -1)
		CHECK(errno == EINTR);
}

static void
wake(void)
{
	pid_t child;
	int i;

	hm_loop_wake(loop);
	turn(-1);
	for (i = 0; i < 100000; i++) { /* more than a pipe holds */
		errno = 77;
		hm_loop_wake(loop);
		CHECK(errno == 77);
	}
	turn(-1);
	handled = 0;
	handle(SIGUSR1, wake_in_handler, SA_RESTART);
	child = pester(SIGUSR1);
	turn(-1);
	CHECK(handled > 0);
	pester_end(child);
	turn(0); /* what woke it since */
	/* Interrupted waiting is an empty turn. */
	handled = 0;
	handle(SIGUSR1, only_handle, 0);
	child = pester(SIGUSR1);
	turn(-1);
	CHECK(handled > 0);
	pester_end(child);
	handle(SIGUSR1, SIG_DFL, 0);
}

static int signals[8], nsignals;

static void
on_signal(void *arg, int sig)
{
	CHECK(arg == signals && nsignals < 8);
	signals[nsignals++] = sig;
}

static void
signals_taken(const char *backend)
{
	struct hm_loop *other = hm_loop_new(backend, NULL);
	struct sigaction now;
	sigset_t set;

	CHECK(other != NULL);
	handle(SIGUSR1, only_handle, 0);
	handle(SIGUSR2, SIG_IGN, 0);
	handle(SIGHUP, SIG_IGN, 0);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGUSR2);
	nsignals = 0;
	CHECK(hm_loop_signals(loop, &set, on_signal, signals) == 0);
	CHECK(hm_loop_signals(other, &set, on_signal, signals) == -1);
	CHECK(errno == EBUSY);
	hm_loop_free(other);
	CHECK(sigaction(SIGUSR1, NULL, &now) == 0);
	CHECK((now.sa_flags & SA_RESTART) != 0);
	handled = 0;
	errno = 77;
	CHECK(raise(SIGUSR2) == 0 && raise(SIGUSR1) == 0);
	CHECK(raise(SIGUSR2) == 0 && raise(SIGHUP) == 0);
	CHECK(errno == 77 && nsignals == 0);
	turn(-1);
	CHECK(nsignals == 3 && handled == 0);
	CHECK(signals[0] == SIGUSR2 && signals[1] == SIGUSR1);
	CHECK(signals[2] == SIGUSR2);
}

/* After hm_loop_free of the loop that had taken them. */
static void
signals_given_back(void)
{
	struct sigaction now;

	CHECK(sigaction(SIGUSR1, NULL, &now) == 0);
	CHECK(now.sa_handler == only_handle);
	CHECK((now.sa_flags & SA_RESTART) == 0);
	CHECK(sigaction(SIGUSR2, NULL, &now) == 0);
	CHECK(now.sa_handler == SIG_IGN);
	handle(SIGUSR1, SIG_DFL, 0);
	handle(SIGUSR2, SIG_DFL, 0);
	handle(SIGHUP, SIG_DFL, 0);
}

/* --- the rest */

static void
stop_loop(struct ticker *ticker)
{
	(void)ticker;
	hm_loop_stop(loop);
}

static void
run_and_stop(void)
{
	tickers_init();
	tickers[0].then = tickers[1].then = stop_loop;
	tick_in(0, 1);
	CHECK(hm_loop_run(loop) == 0);
	tick_in(1, 1);
	CHECK(hm_loop_run(loop) == 0);
	CHECK(norder == 2);
}

/* What was polled for has changed before the step. */
static void
step_late(void)
{
	struct pollfd fds[16];
	struct seen a, b, c;
	size_t n;
	int next;

	seen_init(&a);
	seen_init(&b);
	feed(&a);
	feed(&b);
	CHECK(hm_loop_fill(loop, fds, 16, &n, &next) == 0);
	CHECK(poll(fds, (nfds_t)n, next) == 2);
	hm_watch_stop(loop, &a.watch);
	seen_init(&c);
	CHECK(hm_loop_step(loop, fds, n) == 0);
	CHECK(a.calls == 0 && c.calls == 0);
	turn(-1);
	CHECK(a.calls == 0 && b.calls >= 1 && c.calls == 0);
	seen_fini(&a);
	seen_fini(&b);
	seen_fini(&c);
}

static bool
readable(int fd, int ms)
{
	struct pollfd one = {fd, POLLIN, 0};

	CHECK(poll(&one, 1, ms) != -1);
	return one.revents == POLLIN;
}

/* The one descriptor tells of timers and tasks, also of later ones, and is
 * quiet when there is nothing. */
static void
one_descriptor(bool epoll)
{
	struct seen a;
	int fd = hm_loop_fd(loop);

	if (!epoll) {
		CHECK(fd == -1 && errno == ENOTSUP);
		return;
	}
	CHECK(fd != -1 && hm_loop_fd(loop) == fd);
	CHECK(!readable(fd, 10));
	tickers_init();
	jobs_init();
	tick_in(0, 60000);
	tick_in(1, 10);
	CHECK(!readable(fd, 0) && readable(fd, 10000));
	CHECK(hm_loop_turn(loop, 0) == 0 && norder == 1);
	CHECK(!readable(fd, 10));
	hm_timer_stop(loop, &tickers[0].timer);
	hm_task_start(loop, &jobs[0].task);
	CHECK(readable(fd, 10000));
	CHECK(hm_loop_turn(loop, 0) == 0 && jobs[0].calls == 1);
	CHECK(!readable(fd, 10));
	seen_init(&a);
	feed(&a);
	CHECK(readable(fd, 10000));
	seen_fini(&a);
	CHECK(!readable(fd, 0));
}

static void
on_log(void *arg, enum hm_level level, const char *text)
{
	CHECK(level == HM_LOG_INFO);
	(void)strcpy(arg, text);
}

static void
logs(void)
{
	char text[64] = "";

	hm_log(loop, HM_LOG_ERROR, "nobody hears");
	hm_loop_set_log(loop, on_log, text);
	hm_log(loop, HM_LOG_INFO, "%d of %s", 3, "w1");
	CHECK(strcmp(text, "3 of w1") == 0);
	hm_loop_set_log(loop, NULL, NULL);
}

static void
each(const char *backend, enum way how)
{
	struct hm_error err;

	way = how;
	loop = hm_loop_new(backend, &err);
	CHECK(loop != NULL);
	watch_levels();
	watch_moves();
	watch_stops_another();
	watch_reused();
	watch_stale();
	watch_many();
	watch_turns_inside();
	timer_order();
	timer_inside();
	timer_heap();
	timer_idle();
	task_turn();
	task_restless();
	turn_order();
	wake();
	run_and_stop();
	step_late();
	one_descriptor(strcmp(backend, "epoll") == 0);
	logs();
	signals_taken(backend);
	hm_loop_free(loop);
	signals_given_back();
}

int
main(void)
{
	struct hm_error err;
	uint64_t old;

	(void)alarm(120); /* a turn that never ends is a failure too */
	sys_files_raise(&old);
	CHECK(hm_loop_new("kqueue", &err) == NULL);
	CHECK(err.code == EINVAL && strstr(err.text, "kqueue") != NULL);
	loop = hm_loop_new(NULL, NULL);
	CHECK(loop != NULL);
	hm_loop_free(loop);
	hm_loop_free(NULL);
	each("poll", TURN);
	each("poll", STEP);
#ifdef __linux__
	each("epoll", TURN);
	each("epoll", STEP);
	each("epoll", BY_FD);
#endif
	return 0;
}
