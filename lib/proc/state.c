/*
 * The status of an actor: not kept, but told from what it does; and what
 * introspection says.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/proc_private.h"

/* An answer is to fit a message, and a page. */
#define CHILDREN_TOLD 1000u

static const char *const names[] = {"created", "initializing", "client", "idle",
    "processing", "stopping", "stopped", "failed"};

const char *
hm_actor_state_name(enum hm_actor_state state)
{
	return (size_t)state <= HM_ACTOR_FAILED ? names[state] : "?";
}

bool
hm_actor_state_terminal(enum hm_actor_state state)
{
	return state >= HM_ACTOR_STOPPED;
}

const char *
state_reason(const struct hm_actor *actor)
{
	return actor->reason == NULL ? "" : actor->reason;
}

static enum hm_actor_state
state_of(const struct hm_actor *actor)
{
	if (actor->phase == PHASE_OVER)
		return actor->failed ? HM_ACTOR_FAILED : HM_ACTOR_STOPPED;
	if (actor->phase != PHASE_LIVE)
		return HM_ACTOR_STOPPING;
	if (actor->kind == KIND_CLIENT || actor->kind == KIND_MAILBOX)
		return HM_ACTOR_CLIENT;
	if (actor->fresh)
		return HM_ACTOR_CREATED;
	if (actor->starting)
		return HM_ACTOR_INITIALIZING;
	return actor->busy ? HM_ACTOR_PROCESSING : HM_ACTOR_IDLE;
}

void
hm_actor_status(const struct hm_actor *actor, struct hm_actor_status *status)
{
	status->state = state_of(actor);
	(void)snprintf(
	    status->reason, sizeof status->reason, "%s", state_reason(actor));
	status->handler[0] = '\0';
	status->busy = 0;
	if (!actor->busy)
		return;
	if (actor->word != NULL)
		(void)snprintf(status->handler, sizeof status->handler, "%s",
		    actor->word->text);
	status->busy = sys_now_about() - actor->since;
}

char *
hm_actor_status_print(
    const struct hm_actor_status *status, char *buf, size_t size)
{
	const char *name = hm_actor_state_name(status->state);

	if (status->state == HM_ACTOR_PROCESSING)
		(void)snprintf(buf, size, "%s %s for %" PRIu64 "ms", name,
		    status->handler, status->busy);
	else if (status->state >= HM_ACTOR_STOPPING)
		(void)snprintf(buf, size, "%s: %s", name, status->reason);
	else
		(void)snprintf(buf, size, "%s", name);
	return buf;
}

int
hm_actor_watch_start(struct hm_actor *actor, struct hm_actor_watch *watch)
{
	struct extra *extra = actor_extra(actor);
	struct hm_actor_watch **end;

	if (actor->phase == PHASE_OVER) {
		errno = ESRCH;
		return -1;
	}
	if (extra == NULL)
		return -1;
	for (end = &extra->watches; *end != NULL;)
		end = &(*end)->next;
	*end = watch;
	watch->next = NULL;
	watch->actor = actor;
	return 0;
}

void
hm_actor_watch_stop(struct hm_actor_watch *watch)
{
	struct hm_actor_watch **p;
	struct extra *extra;

	if (watch->actor == NULL)
		return;
	extra = watch->actor->extra;
	watch->actor = NULL;
	for (p = &extra->watches; *p != NULL && *p != watch;)
		p = &(*p)->next;
	if (*p != NULL)
		*p = watch->next;
	if (extra->cursor == watch)
		extra->cursor = watch->next;
}

/* A watch may stop any of them.  Of two changes within each other the later one
 * is told to all; who hears of it does not hear of the earlier any more. */
void
state_changed(struct hm_actor *actor)
{
	struct extra *extra = actor->extra;
	struct hm_actor_watch *watch;
	struct hm_actor_status status;

	if (extra == NULL || extra->watches == NULL)
		return;
	hm_actor_hold(actor);
	hm_actor_status(actor, &status);
	for (watch = extra->watches; watch != NULL; watch = extra->cursor) {
		extra->cursor = watch->next;
		if (hm_actor_state_terminal(status.state)) {
			hm_actor_watch_stop(watch);
			watch->fn(watch->arg, actor, &status);
			extra->cursor = extra->watches;
		} else {
			watch->fn(watch->arg, actor, &status);
		}
	}
	hm_actor_drop(actor);
}

static void
put_children(const struct hm_actor *actor, struct hm_json_out *out)
{
	const struct hm_actor *child;
	struct hm_id id;
	char text[HM_ID_TEXT];
	uint64_t n = 0;

	hm_json_open(out, "children", '[');
	for (child = actor->first; child != NULL; child = child->next) {
		if (n++ >= CHILDREN_TOLD)
			continue;
		hm_actor_get_id(child, &id);
		hm_json_put_string(
		    out, NULL, hm_id_print(&id, text, sizeof text));
	}
	hm_json_close(out, ']');
	hm_json_put_u64(out, "nchildren", n);
}

void
state_describe(
    const struct hm_actor *actor, struct hm_json_out *out, bool children)
{
	struct hm_id id;
	char text[HM_ID_TEXT];

	hm_actor_get_id(actor, &id);
	hm_json_put_string(out, "actor", hm_id_print(&id, text, sizeof text));
	hm_json_put_string(out, "status", hm_actor_state_name(state_of(actor)));
	if (actor->reason != NULL)
		hm_json_put_string(out, "reason", actor->reason);
	if (actor->extra != NULL && actor->extra->origin != NULL) {
		hm_json_put_string(out, "origin",
		    hm_id_print(actor->extra->origin, text, sizeof text));
		hm_json_put_string(
		    out, "origin_reason", actor->extra->origin_reason);
	}
	if (actor->parent != NULL) {
		hm_actor_get_id(actor->parent, &id);
		hm_json_put_string(
		    out, "parent", hm_id_print(&id, text, sizeof text));
	}
	if (children)
		put_children(actor, out);
	hm_json_put_u64(out, "messages", actor->messages);
	hm_json_put_u64(out, "queued", actor->mail.n);
	hm_json_put_double(out, "created", actor->created);
	if (actor->word != NULL)
		hm_json_put_string(out, "last_handler", actor->word->text);
	if (actor->busy)
		hm_json_put_u64(out, "busy_ms", sys_now_about() - actor->since);
	if (actor->paused)
		hm_json_put_bool(out, "paused", true);
}

char *
hm_actor_introspect(const struct hm_actor *actor)
{
	struct hm_json_out out;

	hm_json_begin(&out);
	hm_json_put_bool(&out, "ok", true);
	state_describe(actor, &out, true);
	hm_json_close(&out, '}');
	return hm_json_out_take(&out, NULL);
}
