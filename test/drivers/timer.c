/*
 * Timers and tasks: what is due, in which order, and that nothing which keeps
 * itself busy keeps the others from their turn.
 */
#include <limits.h>

#include "turn.h"

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

/* A descriptor that is always ready. */
static struct hm_watch noise;
static int heard;
static void (*on_noise_too)(void);

static void
on_noise(void *arg, int fd, short revents)
{
	(void)arg;
	(void)fd;
	CHECK(revents == POLLOUT);
	heard++;
	if (on_noise_too != NULL)
		on_noise_too();
}

static void
noise_init(int fds[2], void (*too)(void))
{
	heard = 0;
	noise.fn = on_noise;
	on_noise_too = too;
	CHECK(sys_pipe(fds) == 0);
	CHECK(hm_watch_start(loop, &noise, fds[1], POLLOUT) == 0);
}

static void
noise_fini(int fds[2])
{
	hm_watch_stop(loop, &noise);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* A task that never rests starves neither descriptors nor timers. */
static void
task_restless(void)
{
	int fds[2];

	jobs_init();
	tickers_init();
	noise_init(fds, NULL);
	jobs[0].starts = &jobs[0];
	hm_task_start(loop, &jobs[0].task);
	turn(-1);
	turn(-1);
	CHECK(heard == 2 && jobs[0].calls > 2);
	tick_in(0, 1);
	turn_until(1);
	hm_task_stop(loop, &jobs[0].task);
	noise_fini(fds);
}

static void
start_others(void)
{
	CHECK(norder == 0 && jobs[0].calls == 0);
	hm_task_start(loop, &jobs[0].task);
	tick_in(1, 0);
}

static void
no_task_yet(struct ticker *ticker)
{
	(void)ticker;
	CHECK(jobs[0].calls == 0);
}

/* Descriptors, then timers, then tasks; a timer started in this turn is for the
 * next. */
static void
turn_order(void)
{
	int fds[2];

	jobs_init();
	tickers_init();
	noise_init(fds, start_others);
	tickers[0].then = no_task_yet;
	tick_in(0, 1);
	pause_ms(3);
	turn(-1);
	CHECK(heard == 1 && norder == 1 && jobs[0].calls == 1);
	noise_fini(fds);
	turn_until(2);
}

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

static void
all(const char *backend)
{
	(void)backend;
	timer_order();
	timer_inside();
	timer_heap();
	timer_idle();
	task_turn();
	task_restless();
	turn_order();
	run_and_stop();
}

int
main(void)
{
	each_way(all);
	return 0;
}
