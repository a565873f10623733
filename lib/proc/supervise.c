/*
 * Supervision: who is told that an actor has ended, and what comes of it.
 *
 * A parent is told by a call, at once when it may be called, else as soon as it
 * may; either way before the child's status is seen to be terminal.  The event
 * of a root becomes a message to the coordinator's port, an ordinary one, so
 * that it stands in line with what that gets anyway.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/agent.h"
#include "proc/proc_private.h"

static void
event_of(const struct hm_actor *actor, struct hm_event *event)
{
	const struct extra *extra = actor->extra;

	hm_actor_get_id(actor, &event->actor);
	event->failed = actor->failed;
	event->reason = state_reason(actor);
	event->at = sys_wall();
	event->origin = event->actor;
	event->origin_reason = event->reason;
	if (extra != NULL && extra->origin != NULL) {
		event->origin = *extra->origin;
		event->origin_reason = extra->origin_reason;
	}
}

/* The parent decides; unless it has failed already, it fails over what it does
 * not handle. */
static void
judge(struct hm_actor *parent, const struct hm_event *event)
{
	int taken = event->failed ? HM_NO : HM_TAKEN;
	char reason[HM_ERROR_TEXT];

	if (parent->behaviour != NULL && parent->behaviour->supervise != NULL) {
		actor_enter(parent);
		taken = parent->behaviour->supervise(parent, event);
		if (taken != HM_NO ||
		    (!event->failed && parent->phase > PHASE_LIVE)) {
			actor_return(parent);
			return;
		}
		parent->busy = false;
		hm_actor_drop(parent);
	}
	if (taken != HM_NO)
		return;
	if (event->actor.index == 0)
		(void)snprintf(reason, sizeof reason, "actor '%s' %s: %.300s",
		    event->actor.actor, event->failed ? "failed" : "stopped",
		    event->reason);
	else
		(void)snprintf(reason, sizeof reason,
		    "actor '%s[%llu]' %s: %.300s", event->actor.actor,
		    (unsigned long long)event->actor.index,
		    event->failed ? "failed" : "stopped", event->reason);
	end_fail(parent, reason, event);
}

static void
put_off(struct hm_actor *parent, const struct hm_event *event)
{
	struct extra *extra = actor_extra(parent);
	size_t reason = strlen(event->reason) + 1;
	size_t origin = strlen(event->origin_reason) + 1;
	struct pending *pending =
	    extra == NULL ? NULL : malloc(sizeof *pending + reason + origin);

	if (pending == NULL) {
		if (event->failed)
			end_fail(
			    parent, "no memory to be told who failed", event);
		return;
	}
	pending->next = NULL;
	pending->event = *event;
	memcpy(pending->texts, event->reason, reason);
	memcpy(pending->texts + reason, event->origin_reason, origin);
	pending->event.reason = pending->texts;
	pending->event.origin_reason = pending->texts + reason;
	*extra->events_end = pending;
	extra->events_end = &pending->next;
}

void
supervise_pending(struct hm_actor *actor)
{
	struct extra *extra = actor->extra;
	struct pending *pending;

	while (extra != NULL && !actor->busy &&
	       (pending = extra->events) != NULL) {
		extra->events = pending->next;
		if (extra->events == NULL)
			extra->events_end = &extra->events;
		if (!actor->failed && !actor->cleaned)
			judge(actor, &pending->event);
		free(pending);
	}
}

void
supervise_forget(struct extra *extra)
{
	struct pending *pending;

	while ((pending = extra->events) != NULL) {
		extra->events = pending->next;
		free(pending);
	}
}

/* The event as a message to that port, from the one that has ended. */
static int
post_event(struct hm_actor *to, uint64_t port, const struct hm_event *event)
{
	struct hm_proc *proc = to->proc;
	struct hm_id dest;
	struct hm_draft draft = {&event->actor, &dest, HM_TYPE_EVENT,
	    (unsigned)proc->limits.ttl, 0, NULL, NULL};
	struct hm_envelope *env = NULL;
	struct hm_json_out out;
	char id[HM_ID_TEXT], *text;
	size_t len;

	hm_port_id(to, port, &dest);
	hm_json_begin(&out);
	hm_json_put_string(
	    &out, "actor", hm_id_print(&event->actor, id, sizeof id));
	hm_json_put_bool(&out, "failed", event->failed);
	hm_json_put_string(&out, "reason", event->reason);
	hm_json_put_double(&out, "at", event->at);
	hm_json_put_string(
	    &out, "origin", hm_id_print(&event->origin, id, sizeof id));
	hm_json_put_string(&out, "origin_reason", event->origin_reason);
	hm_json_close(&out, '}');
	text = hm_json_out_take(&out, &len);
	if (text == NULL)
		return -1;
	env = hm_envelope_wrap(&draft, text, len, NULL);
	if (env == NULL)
		free(text);
	else if (router_post(&proc->local, env, false) == 0)
		return 0;
	hm_envelope_free(env);
	return -1;
}

static void
fatal(struct hm_proc *proc, const char *actor, const char *reason,
    const char *origin, const char *origin_reason)
{
	if (strcmp(actor, origin) == 0)
		hm_log(proc->loop, HM_LOG_ERROR,
		    "%s failed, and nobody handles it: %s", actor, reason);
	else
		hm_log(proc->loop, HM_LOG_ERROR,
		    "%s failed, and nobody handles it: %s; first failed %s: %s",
		    actor, reason, origin, origin_reason);
	hm_proc_stop(proc, 1);
}

void
hm_proc_unhandled(struct hm_proc *proc, const struct hm_event *event)
{
	struct hm_actor *to = proc->coordinator;
	char actor[HM_ID_TEXT], origin[HM_ID_TEXT];

	if (to != NULL && to->phase <= PHASE_DRAINING &&
	    post_event(to, proc->coordinator_port, event) == 0)
		return;
	if (event->failed)
		fatal(proc, hm_id_print(&event->actor, actor, sizeof actor),
		    event->reason,
		    hm_id_print(&event->origin, origin, sizeof origin),
		    event->origin_reason);
}

static bool
for_coordinator(const struct hm_proc *proc, const struct hm_envelope *env)
{
	struct hm_id sent, wanted;

	if (proc->coordinator == NULL)
		return false;
	hm_envelope_dest(env, &sent);
	hm_port_id(proc->coordinator, proc->coordinator_port, &wanted);
	return hm_id_compare(&sent, &wanted) == 0;
}

bool
supervise_returned(struct hm_proc *proc, const struct hm_envelope *env)
{
	struct hm_json *json;
	const char *actor;

	if (proc->dying || !hm_envelope_type_is(env, HM_TYPE_EVENT) ||
	    !for_coordinator(proc, env))
		return false;
	json = hm_agent_json(env);
	actor = hm_json_string(json, "actor", "?");
	if (json == NULL || hm_json_bool(json, "failed", false))
		fatal(proc, actor, hm_json_string(json, "reason", "?"),
		    hm_json_string(json, "origin", actor),
		    hm_json_string(json, "origin_reason", "?"));
	hm_json_free(json);
	return true;
}

void
supervise_end(struct hm_actor *actor)
{
	struct hm_actor *parent = actor->parent;
	struct hm_event event;

	event_of(actor, &event);
	if (parent == NULL) {
		if (actor->kind != KIND_CLIENT || actor->failed)
			hm_proc_unhandled(actor->proc, &event);
		return;
	}
	if (parent->kind == KIND_INVERTED) {
		if (parent->phase == PHASE_LIVE &&
		    post_event(parent, HM_PORT_SUPERVISION, &event) == -1 &&
		    event.failed)
			end_fail(
			    parent, "no memory to be told who failed", &event);
	} else if (parent->failed || parent->cleaned) {
		return;
	} else if (parent->busy || parent->fresh ||
		   (parent->extra != NULL && parent->extra->events != NULL)) {
		put_off(parent, &event);
		actor_wake(parent);
	} else {
		judge(parent, &event);
	}
}

int
hm_proc_supervise(struct hm_proc *proc, struct hm_actor *actor, uint64_t port)
{
	if (proc->coordinator != NULL) {
		errno = EEXIST;
		return -1;
	}
	hm_actor_hold(actor);
	proc->coordinator = actor;
	proc->coordinator_port = port;
	return 0;
}
