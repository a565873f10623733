/*
 * Timers: a binary heap by due time, then by the order they were started in.
 * A timer knows its place in it, so that stopping one costs no search.  The
 * order also tells a turn which timers are younger than itself: those wait for
 * the next, so one that starts itself again at once cannot hold up the loop.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/sys.h"
#include "loop/loop_private.h"

/* Places count from 1: parent i / 2, children 2 i and 2 i + 1. */
static void
place(struct hm_loop *loop, struct hm_timer *timer, size_t i)
{
	loop->timers[i - 1] = timer;
	timer->slot = i;
}

static bool
before(const struct hm_timer *a, const struct hm_timer *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void
up(struct hm_loop *loop, struct hm_timer *timer, size_t i)
{
	struct hm_timer *parent;

	while (i > 1) {
		parent = loop->timers[i / 2 - 1];
		if (before(parent, timer))
			break;
		place(loop, parent, i);
		i /= 2;
	}
	place(loop, timer, i);
}

static void
down(struct hm_loop *loop, struct hm_timer *timer, size_t i)
{
	size_t child;

	while ((child = 2 * i) <= loop->ntimers) {
		if (child < loop->ntimers &&
		    before(loop->timers[child], loop->timers[child - 1]))
			child++;
		if (before(timer, loop->timers[child - 1]))
			break;
		place(loop, loop->timers[child - 1], i);
		i = child;
	}
	place(loop, timer, i);
}

int
hm_timer_start(struct hm_loop *loop, struct hm_timer *timer, uint64_t ms)
{
	struct hm_timer **timers;
	size_t cap;

	hm_timer_stop(loop, timer);
	if (loop->ntimers == loop->ctimers) {
		cap = loop->ctimers == 0 ? 16 : loop->ctimers * 2;
		timers = realloc(loop->timers, cap * sizeof *timers);
		if (timers == NULL)
			return -1;
		loop->timers = timers;
		loop->ctimers = cap;
	}
	/* The clock anew: a long turn must not shorten what it starts. */
	loop->now = sys_now();
	timer->due = ms > UINT64_MAX - loop->now ? UINT64_MAX : loop->now + ms;
	timer->order = loop->started++;
	up(loop, timer, ++loop->ntimers);
	if (loop->timers[0] == timer && loop->timer_fd != -1)
		loop->backend->arm(loop);
	return 0;
}

void
hm_timer_stop(struct hm_loop *loop, struct hm_timer *timer)
{
	struct hm_timer *last;
	size_t i = timer->slot;

	if (i == 0)
		return;
	timer->slot = 0;
	last = loop->timers[--loop->ntimers];
	if (last == timer)
		return;
	if (i > 1 && before(last, loop->timers[i / 2 - 1]))
		up(loop, last, i);
	else
		down(loop, last, i);
}

int
timers_timeout(const struct hm_loop *loop)
{
	uint64_t due, now;

	if (loop->ntimers == 0)
		return -1;
	due = loop->timers[0]->due;
	now = sys_now();
	if (due <= now)
		return 0;
	return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

void
timers_run(struct hm_loop *loop, uint64_t started)
{
	struct hm_timer *timer;
	uint64_t now = loop->now;

	while (loop->ntimers > 0) {
		timer = loop->timers[0];
		if (timer->due > now || timer->order >= started)
			break;
		hm_timer_stop(loop, timer);
		timer->fn(timer->arg);
	}
}
