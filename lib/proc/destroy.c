/*
 * The end of all actors of a proc, within one time in all: the coordinator goes
 * after the others, so that it hears of them, and whoever asks for it last.  A
 * watch of each root and one timer carry it on, so it may be waited for or be
 * told of.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/destroy.h"
#include "proc/proc_private.h"

/* A root that is to end, held. */
struct victim {
	struct hm_actor *root;
	struct hm_actor_watch watch;
};

struct destroy {
	struct hm_proc *proc;
	const struct hm_actor *last;   /* the coordinator's; NULL: none */
	const struct hm_actor *caller; /* left alone; NULL: none */
	const char *reason;
	uint64_t end;
	bool begun, advancing;
	int round; /* the second is the coordinator's; then it is over */
	struct hm_destroyed lists;
	struct hm_task task;
	struct hm_timer timer;
	void (*done)(void *arg, struct hm_destroyed *lists); /* or NULL */
	void *arg;
	size_t n;
	struct victim victims[];
};

static struct hm_actor *
root_of(struct hm_actor *actor)
{
	while (actor != NULL && actor->parent != NULL)
		actor = actor->parent;
	return actor == NULL || actor->phase == PHASE_OVER ? NULL : actor;
}

static void
on_change(
    void *arg, struct hm_actor *actor, const struct hm_actor_status *status)
{
	struct destroy *d = arg;

	(void)actor;
	if (hm_actor_state_terminal(status->state))
		hm_task_start(d->proc->loop, &d->task);
}

static int
gather(struct destroy *d, size_t n)
{
	struct victim *victim;
	struct hm_actor *root;

	d->lists.stopped = malloc(n * sizeof *d->lists.stopped);
	d->lists.left = malloc(n * sizeof *d->lists.left);
	if (d->lists.stopped == NULL || d->lists.left == NULL)
		return -1;
	for (root = d->proc->first; root != NULL; root = root->next) {
		if (root->kind != KIND_ACTOR && root->kind != KIND_INVERTED)
			continue;
		victim = &d->victims[d->n++];
		victim->root = root;
		hm_actor_hold(root);
		victim->watch.fn = on_change;
		victim->watch.arg = d;
		if (hm_actor_watch_start(root, &victim->watch) == -1)
			return -1;
	}
	return 0;
}

/* Is it among those of this round? */
static bool
in_round(const struct destroy *d, const struct hm_actor *root)
{
	return root != d->caller && (root == d->last) == (d->round == 1);
}

static void
stop_round(const struct destroy *d)
{
	struct hm_actor *root;
	size_t i;

	for (i = 0; i < d->n; i++) {
		root = d->victims[i].root;
		if (in_round(d, root) && root->phase != PHASE_OVER &&
		    hm_actor_stop(root, d->reason) == -1)
			(void)hm_actor_abort(root, d->reason);
	}
}

static bool
round_over(const struct destroy *d)
{
	size_t i = 0;

	while (i < d->n && (!in_round(d, d->victims[i].root) ||
			       d->victims[i].root->phase == PHASE_OVER))
		i++;
	return i == d->n;
}

static void
end_round(struct destroy *d)
{
	struct hm_destroyed *lists = &d->lists;
	struct hm_actor *root;
	size_t i;

	for (i = 0; i < d->n; i++) {
		root = d->victims[i].root;
		if (!in_round(d, root))
			continue;
		if (root->phase == PHASE_OVER) {
			hm_actor_get_id(
			    root, &lists->stopped[lists->nstopped++]);
		} else {
			hm_actor_get_id(root, &lists->left[lists->nleft++]);
			(void)hm_actor_abort(root, d->reason);
		}
	}
}

static void
advance(void *arg)
{
	struct destroy *d = arg;

	if (d->advancing)
		return; /* a watch turns the loop: that call goes on */
	d->advancing = true;
	d->proc->turning++;
	if (!d->begun) {
		d->begun = true;
		stop_round(d);
	}
	while (d->round < 2 &&
	       (round_over(d) || hm_loop_now(d->proc->loop) >= d->end)) {
		end_round(d);
		if (++d->round < 2)
			stop_round(d);
	}
	d->proc->turning--;
	d->advancing = false;
	if (d->round == 2 && d->done != NULL) {
		d->done(d->arg, &d->lists);
		destroy_free(d);
	}
}

static struct destroy *
destroy_new(struct hm_proc *proc, uint64_t timeout, const char *reason,
    struct hm_actor *caller)
{
	const struct hm_actor *root;
	struct destroy *d;
	size_t n = 1;

	for (root = proc->first; root != NULL; root = root->next)
		n++;
	d = calloc(1, sizeof *d + n * sizeof *d->victims);
	if (d == NULL)
		return NULL;
	d->proc = proc;
	d->last = root_of(proc->coordinator);
	d->caller = root_of(caller);
	d->reason = reason;
	d->end = sys_later(hm_loop_now(proc->loop), timeout);
	d->task.fn = d->timer.fn = advance;
	d->task.arg = d->timer.arg = d;
	if (gather(d, n) == -1 ||
	    hm_timer_start(proc->loop, &d->timer, timeout) == -1) {
		destroy_free(d);
		return NULL;
	}
	return d;
}

struct destroy *
destroy_begin(struct hm_proc *proc, uint64_t timeout, const char *reason,
    void (*done)(void *arg, struct hm_destroyed *lists), void *arg)
{
	struct destroy *d = destroy_new(proc, timeout, reason, NULL);

	if (d == NULL)
		return NULL;
	d->done = done;
	d->arg = arg;
	hm_task_start(proc->loop, &d->task);
	return d;
}

void
destroy_hurry(struct destroy *d, uint64_t timeout)
{
	uint64_t end = sys_later(hm_loop_now(d->proc->loop), timeout);

	if (end >= d->end)
		return;
	d->end = end;
	(void)hm_timer_start(d->proc->loop, &d->timer, timeout); /* it runs */
}

void
destroy_free(struct destroy *d)
{
	size_t i;

	if (d == NULL)
		return;
	hm_task_stop(d->proc->loop, &d->task);
	hm_timer_stop(d->proc->loop, &d->timer);
	for (i = 0; i < d->n; i++) {
		hm_actor_watch_stop(&d->victims[i].watch);
		hm_actor_drop(d->victims[i].root);
	}
	if (d->round < 2) /* nobody has the lists */
		hm_destroyed_fini(&d->lists);
	free(d);
}

bool
proc_in_use(const struct hm_proc *proc)
{
	const struct hm_actor *actor = NULL;
	size_t depth = 0;

	while ((actor = actor_walk(
		    proc, NULL, (struct hm_actor *)actor, &depth)) != NULL) {
		if (actor->busy)
			return true;
	}
	for (actor = proc->husks; actor != NULL; actor = actor->next) {
		if (actor->busy)
			return true;
	}
	return proc->turning > 0;
}

int
hm_proc_destroy(struct hm_proc *proc, uint64_t timeout, const char *reason,
    struct hm_actor *caller, bool spare, struct hm_destroyed *done,
    struct hm_error *err)
{
	struct hm_actor *own = root_of(caller);
	struct destroy *d;

	memset(done, 0, sizeof *done);
	d = destroy_new(proc, timeout, reason, caller);
	if (d == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	for (advance(d); d->round < 2; advance(d)) {
		if (proc_turn(proc, -1) == -1)
			d->end = 0;
	}
	*done = d->lists;
	if (own != NULL && !spare) {
		hm_actor_get_id(own, &done->left[done->nleft++]);
		(void)hm_actor_abort(own, reason);
	}
	destroy_free(d);
	return 0;
}

void
hm_destroyed_fini(struct hm_destroyed *done)
{
	free(done->stopped);
	free(done->left);
	memset(done, 0, sizeof *done);
}
