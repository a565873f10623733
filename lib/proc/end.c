/*
 * How actors end: told to stop, aborted, failed, or freed.
 *
 *   LIVE -> DRAINING -> STOPPING -> CLEANING -> OVER
 *
 * DRAINING handles what the mailbox has, STOPPING waits for the children (an
 * end that is hard begins there), CLEANING for hm_actor_done.  Each step is
 * taken from the queue of those that have something to do, never from within
 * another actor's, so a tree of any depth ends without recursion, each actor is
 * looked at a few times, and nothing is looked for.  An end may become harder,
 * never softer; children are told again then.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/proc_private.h"

/* Reasons that need no memory. */
static const char parent_stopping[] = "parent stopping";
static const char no_memory[] = "no memory";

static bool
is_copy(const char *reason)
{
	return reason != NULL && reason != parent_stopping &&
	       reason != no_memory;
}

void
end_reason_free(struct hm_actor *actor)
{
	if (is_copy(actor->reason))
		free((void *)(uintptr_t)actor->reason);
	actor->reason = NULL;
}

static void
reason_set(struct hm_actor *actor, const char *reason)
{
	const char *copy = is_copy(reason) ? strdup(reason) : reason;

	end_reason_free(actor);
	actor->reason = copy == NULL ? no_memory : copy;
}

void
end_begin(struct hm_actor *actor, bool hard, const char *reason)
{
	bool first = actor->phase == PHASE_LIVE;

	if (actor->phase == PHASE_OVER || (!first && (actor->hard || !hard)))
		return;
	if (first)
		reason_set(actor, reason);
	if (first)
		actor->phase = PHASE_DRAINING;
	if (hard) {
		actor->hard = true;
		actor->told = false;
		if (actor->phase == PHASE_DRAINING)
			actor->phase = PHASE_STOPPING;
		mailbox_return(actor);
	}
	actor_wake(actor);
	if (first)
		state_changed(actor);
}

static void
origin_set(struct hm_actor *actor, const struct hm_event *over)
{
	struct extra *extra = actor_extra(actor);

	if (extra == NULL)
		return;
	extra->origin = malloc(sizeof *extra->origin);
	extra->origin_reason = strdup(over->origin_reason);
	if (extra->origin != NULL && extra->origin_reason != NULL) {
		*extra->origin = over->origin;
		return;
	}
	free(extra->origin);
	free(extra->origin_reason);
	extra->origin = NULL;
	extra->origin_reason = NULL;
}

void
end_fail(
    struct hm_actor *actor, const char *reason, const struct hm_event *over)
{
	if (actor->phase == PHASE_OVER || actor->failed)
		return;
	actor->failed = true;
	if (over != NULL)
		origin_set(actor, over);
	if (actor->phase != PHASE_LIVE)
		reason_set(actor, reason);
	end_begin(actor, true, reason);
}

int
hm_actor_fail(struct hm_actor *self, const char *fmt, ...)
{
	char reason[HM_ERROR_TEXT], words[HM_ERROR_TEXT + HM_NAME_MAX + 64];
	char name[HM_NAME_MAX + 24];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof reason, fmt, ap);
	va_end(ap);
	(void)snprintf(words, sizeof words, "actor '%s' failed: %s",
	    actor_name(self, name), reason);
	if (self->busy)
		actor_words(self, words);
	end_fail(self, reason, NULL);
	return HM_NO;
}

/* Out of everything: what is told first is told by who calls. */
static void
over(struct hm_actor *actor)
{
	struct hm_proc *proc = actor->proc;
	struct hm_actor *parent = actor->parent;

	actor->phase = PHASE_OVER;
	if (actor->extra != NULL)
		hm_timer_stop(proc->loop, &actor->extra->timer);
	if (actor->kind != KIND_MAILBOX && !proc->dying)
		snapshot_keep(actor);
	hm_actor_hold(actor);
	actor_leave(actor);
	if (!proc->dying)
		state_changed(actor);
	if (parent != NULL && parent->first == NULL &&
	    parent->phase == PHASE_STOPPING)
		actor_wake(parent);
	hm_actor_drop(actor);
}

/* Its children are gone and it has cleaned up: its event goes before its status
 * is seen.  Nothing of it runs any more meanwhile, also if who is told turns
 * the loop. */
static void
finish(struct hm_actor *actor)
{
	ports_close(actor);
	mailbox_return(actor);
	actor->handle = NULL;
	actor->returned = NULL;
	actor->delivered = NULL;
	hm_actor_hold(actor);
	actor->busy = true;
	if (!actor->reported && actor->kind != KIND_MAILBOX &&
	    !actor->proc->dying) {
		actor->reported = true;
		supervise_end(actor);
	}
	if (actor->phase != PHASE_OVER)
		over(actor);
	hm_actor_drop(actor);
}

static void
on_cleanup_timeout(void *arg)
{
	struct hm_actor *actor = arg;
	char name[HM_NAME_MAX + 24];

	hm_log(actor->proc->loop, HM_LOG_WARNING,
	    "actor '%s' has not cleaned up in time", actor_name(actor, name));
	hm_actor_done(actor);
}

void
hm_actor_done(struct hm_actor *actor)
{
	if (actor->phase != PHASE_CLEANING)
		return;
	actor->done = true;
	actor_wake(actor);
}

static void
timer_of(struct hm_actor *actor, void (*fn)(void *arg))
{
	hm_timer_stop(actor->proc->loop, &actor->extra->timer);
	actor->extra->timer.fn = fn;
	actor->extra->timer.arg = actor;
}

/* false: there is none, and it cannot be waited for. */
static bool
clean_later(struct hm_actor *actor)
{
	uint64_t ms = actor->proc->limits.cleanup_timeout;

	if (ms == 0 || actor->done)
		return true;
	if (actor_extra(actor) == NULL)
		return false;
	timer_of(actor, on_cleanup_timeout);
	return hm_timer_start(actor->proc->loop, &actor->extra->timer, ms) == 0;
}

static int
call_stopped(struct hm_actor *actor)
{
	struct hm_actor_status end;

	actor->cleaned = true;
	if (actor->behaviour == NULL || actor->behaviour->stopped == NULL)
		return HM_TAKEN;
	end.state = actor->failed ? HM_ACTOR_FAILED : HM_ACTOR_STOPPED;
	(void)snprintf(
	    end.reason, sizeof end.reason, "%s", state_reason(actor));
	end.handler[0] = '\0';
	end.busy = 0;
	return actor->behaviour->stopped(actor, &end);
}

void
end_cleanup(struct hm_actor *actor)
{
	if (!actor->cleaned)
		(void)call_stopped(actor);
}

static void
clean(struct hm_actor *actor)
{
	int taken;

	actor->phase = PHASE_CLEANING;
	actor_enter(actor);
	taken = call_stopped(actor);
	if (taken != HM_LATER || !clean_later(actor))
		actor->done = true;
	actor_return(actor);
}

void
end_advance(struct hm_actor *actor)
{
	struct hm_actor *child, *next;

	if (actor->phase == PHASE_DRAINING && actor->mail.first == NULL &&
	    !actor->fresh)
		actor->phase = PHASE_STOPPING;
	if (actor->phase != PHASE_STOPPING && actor->phase != PHASE_CLEANING)
		return;
	if (!actor->told) {
		actor->told = true;
		for (child = actor->first; child != NULL; child = next) {
			next = child->next;
			end_begin(child, actor->hard, parent_stopping);
		}
	}
	if (actor->phase == PHASE_STOPPING && actor->first == NULL)
		clean(actor);
	if (actor->phase == PHASE_CLEANING && actor->done)
		finish(actor);
}

/* One of a tree that ends now, without children. */
static void
end_one(struct hm_actor *actor)
{
	hm_actor_hold(actor);
	actor->phase = PHASE_CLEANING;
	if (!actor->busy && !actor->cleaned) {
		actor->busy = true;
		(void)call_stopped(actor);
		actor->busy = false;
	}
	if (actor->phase != PHASE_OVER)
		finish(actor);
	hm_actor_drop(actor);
}

/* From here on none of them takes anything, nor has another child. */
static void
end_all_begin(struct hm_actor *top, const char *reason)
{
	struct hm_actor *one;
	size_t depth = 0;

	for (one = top; one != NULL;
	     one = actor_walk(top->proc, top, one, &depth)) {
		if (one->phase == PHASE_LIVE)
			reason_set(one, one == top ? reason : parent_stopping);
		if (one->phase < PHASE_STOPPING)
			one->phase = PHASE_STOPPING;
		one->hard = one->told = true;
	}
}

void
end_now(struct hm_actor *actor, const char *reason)
{
	struct hm_actor *one, *up;

	if (actor->phase == PHASE_OVER)
		return;
	hm_actor_hold(actor);
	end_all_begin(actor, reason);
	while (actor->phase != PHASE_OVER) {
		for (one = actor; one->first != NULL;)
			one = one->first;
		/* On from its parent while that stands: a walk from the top
		 * for each would not be linear. */
		do {
			up = one == actor ? NULL : one->parent;
			if (up != NULL)
				hm_actor_hold(up);
			end_one(one);
			one = up;
			if (up != NULL && up->phase == PHASE_OVER)
				one = NULL;
			if (up != NULL)
				hm_actor_drop(up);
		} while (one != NULL && one->first == NULL);
	}
	hm_actor_drop(actor);
}

static void
on_stop_timeout(void *arg)
{
	struct hm_actor *actor = arg;
	char name[HM_NAME_MAX + 24];

	hm_log(actor->proc->loop, HM_LOG_WARNING,
	    "actor '%s' has not stopped in time: aborted",
	    actor_name(actor, name));
	end_begin(actor, true, "not stopped in time");
}

/* Its caller is asked. */
static int
signal_stop(struct hm_actor *actor, const char *reason)
{
	struct hm_json_out out;
	struct hm_id from, dest;
	struct hm_draft draft = {
	    &from, &dest, HM_TYPE_SIGNAL, 0, 0, NULL, NULL};
	struct hm_envelope *env = NULL;
	size_t len;
	char *text;

	hm_actor_get_id(actor, &from);
	hm_port_id(actor, HM_PORT_SIGNAL, &dest);
	draft.ttl = (unsigned)actor->proc->limits.ttl;
	hm_json_begin(&out);
	hm_json_put_string(&out, "signal", "stop");
	hm_json_put_string(&out, "reason", reason);
	hm_json_close(&out, '}');
	text = hm_json_out_take(&out, &len);
	if (text != NULL)
		env = hm_envelope_wrap(&draft, text, len, NULL);
	if (env == NULL)
		free(text);
	if (env == NULL || hm_post_unchecked(actor, env) == -1) {
		hm_envelope_free(env);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int
may_end(const struct hm_actor *actor)
{
	if (actor->phase != PHASE_OVER &&
	    (actor->kind == KIND_ACTOR || actor->kind == KIND_INVERTED))
		return 0;
	errno = actor->phase == PHASE_OVER ? ESRCH : EPERM;
	return -1;
}

int
hm_actor_stop(struct hm_actor *actor, const char *reason)
{
	uint64_t ms = actor->proc->limits.stop_actor_timeout;
	struct hm_loop *loop = actor->proc->loop;

	if (may_end(actor) == -1)
		return -1;
	if (actor->phase != PHASE_LIVE ||
	    (actor->extra != NULL && hm_timer_running(&actor->extra->timer)))
		return 0;
	if (ms != 0) {
		if (actor_extra(actor) == NULL)
			return -1;
		timer_of(actor, on_stop_timeout);
		if (hm_timer_start(loop, &actor->extra->timer, ms) == -1)
			return -1;
	}
	if (actor->kind != KIND_INVERTED) {
		end_begin(actor, false, reason);
		return 0;
	}
	if (signal_stop(actor, reason) == 0)
		return 0;
	if (actor->extra != NULL)
		hm_timer_stop(loop, &actor->extra->timer);
	return -1;
}

int
hm_actor_abort(struct hm_actor *actor, const char *reason)
{
	if (may_end(actor) == -1)
		return -1;
	end_begin(actor, true, reason);
	return 0;
}

static int
end_by_id(struct hm_proc *proc, const struct hm_id *id, const char *reason,
    struct hm_actor_watch *watch,
    int (*end)(struct hm_actor *actor, const char *reason))
{
	struct hm_actor *actor = hm_proc_find(proc, id);

	if (actor == NULL) {
		errno = ESRCH;
		return -1;
	}
	if (watch != NULL && hm_actor_watch_start(actor, watch) == -1)
		return -1;
	if (end(actor, reason) == 0)
		return 0;
	if (watch != NULL)
		hm_actor_watch_stop(watch);
	return -1;
}

int
hm_proc_stop_actor(struct hm_proc *proc, const struct hm_id *id,
    const char *reason, struct hm_actor_watch *watch)
{
	return end_by_id(proc, id, reason, watch, hm_actor_stop);
}

int
hm_proc_abort_actor(struct hm_proc *proc, const struct hm_id *id,
    const char *reason, struct hm_actor_watch *watch)
{
	return end_by_id(proc, id, reason, watch, hm_actor_abort);
}
