/*
 * One proc of a reap: who is asked to end it, and what becomes of that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/item.h"

/* After SIGKILL an end may take 5 s to show, and the rest of the tree 5 s
 * more; by then the owner has said that it cannot, or it is not there. */
#define HARD_MS 11000
/* A joined proc that is killed is only asked, as there is nobody to do it. */
#define JOINED_KILL_MS 5000

void
reap_say(const struct reap *reap, struct hm_json_out *out)
{
	struct hm_id to = reap->to;

	if (reap->told)
		(void)hm_post_json(reap->host->agent, &to, NULL, out, false);
	else
		hm_json_out_fini(out);
}

static void
say_ended(const struct reap *reap, const struct entry *entry)
{
	struct hm_json_out out;

	answer_begin(&out);
	entry_put(entry, &out, "ended", false);
	reap_say(reap, &out);
}

void
reap_say_not_ended(
    const struct reap *reap, const char *name, const char *why, bool late)
{
	struct hm_json_out out;

	answer_begin(&out);
	hm_json_open(&out, "not_ended", '{');
	hm_json_put_string(&out, "name", name);
	hm_json_put_string(&out, "error", why);
	if (late)
		hm_json_put_bool(&out, "timed_out", true);
	hm_json_close(&out, '}');
	reap_say(reap, &out);
}

void
item_let_go(struct item *item)
{
	item->entry->held--;
	item->entry = NULL;
}

/* The item waits for its entry no longer. */
void
item_detach(struct item *item)
{
	struct item **p = &item->entry->items;

	while (*p != item)
		p = &(*p)->next;
	*p = item->next;
	if (item->state == ITEM_ASKED)
		item->reap->in_flight--;
	item->state = ITEM_DONE;
	/* Of a proc, "counts" is to be cleared at the end. */
	if (!item->entry->proc)
		item_let_go(item);
}

void
item_ended(struct item *item)
{
	struct reap *reap = item->reap;
	const struct entry *entry = item->entry;

	/* Of all, an attempt that has become nothing is no proc. */
	if (reap->spec.all && !entry->proc) {
		reap->attempted--;
	} else {
		reap->ok++;
		say_ended(reap, entry);
	}
	item_detach(item);
}

void
item_failed(struct item *item, const char *why, bool late)
{
	struct reap *reap = item->reap;

	reap->failed++;
	if (!reap->told)
		hm_log(reap->host->loop, HM_LOG_WARNING, "not ended (%s): %s",
		    item->entry->name, why);
	reap_say_not_ended(reap, item->entry->name, why, late);
	item_detach(item);
}

/* {"op": …} for actor "agent" of proc; what cannot do it answers. */
static int
ask(struct hm_host *host, const char *proc, const char *op, const char *name,
    const struct reap *reap)
{
	struct hm_json_out out;
	struct hm_id dest, reply;

	hm_id_set(&dest, hm_host_id(host), proc, "agent", 0, HM_PORT_DEFAULT);
	hm_port_id(host->agent, HM_PORT_DEFAULT, &reply);
	hm_json_begin(&out);
	hm_json_put_string(&out, "op", op);
	hm_json_put_string(&out, "name", name);
	hm_json_put_double(&out, "timeout", (double)reap->spec.timeout / 1000);
	hm_json_put_string(&out, "reason", reap->reason);
	return hm_post_json(host->agent, &dest, &reply, &out, false);
}

static int
ask_owner(struct entry *entry, const struct reap *reap, bool kill, uint64_t end)
{
	if (entry->owner == NULL || entry->asked_end.kill)
		return 0; /* lost, and killed by the warden; or killed */
	if (kill) {
		entry->asked_end.kill = true;
	} else if (entry->asked_end.deadline != 0 &&
		   entry->asked_end.deadline <= end) {
		return 0;
	} else {
		entry->asked_end.deadline = end;
	}
	return ask(entry->host, entry->owner->name, kill ? "kill" : "terminate",
	    entry->name, reap);
}

static int
ask_joined(struct entry *entry, const struct reap *reap)
{
	struct hm_status stopping = entry->status;

	stopping.state = HM_STOPPING;
	stopping.asked = true;
	memcpy(stopping.reason, reap->reason, sizeof stopping.reason);
	if (entry->status.state != HM_STOPPING)
		(void)life_change(entry, &stopping);
	return ask(entry->host, entry->name, "stop", entry->name, reap);
}

/* One of this process: it may have ended when this returns. */
static void
ask_managed(struct item *item, bool kill, uint64_t end)
{
	struct reap *reap = item->reap;
	struct hm_error why;

	item->due = end + HARD_MS;
	if (managed_ask(item->entry, &reap->spec, reap->reason, kill, &why) ==
		-1 &&
	    item->state == ITEM_ASKED)
		item_failed(item, why.text, false);
}

/* Asks for the end of the item's entry, politely or not. */
void
item_ask(struct item *item, bool kill)
{
	struct reap *reap = item->reap;
	struct entry *entry = item->entry;
	uint64_t end =
	    hm_loop_now(reap->host->loop) + (kill ? 0 : reap->spec.timeout);
	int done;

	if (item->state == ITEM_NEW)
		reap->in_flight++;
	item->state = ITEM_ASKED;
	if (entry->managed) {
		ask_managed(item, kill, end);
		return;
	}
	if (entry->kind == ENTRY_SPAWNED) {
		item->due = end + HARD_MS;
		done = ask_owner(entry, reap, kill, end);
	} else if (entry->kind == ENTRY_JOINED) {
		item->due = kill ? end + JOINED_KILL_MS : end;
		done = ask_joined(entry, reap);
	} else {
		item_failed(
		    item, "terminate/kill unsupported by manager", false);
		return;
	}
	if (done == -1)
		item_failed(
		    item, "I/O error during terminate/kill: no memory", false);
}

void
item_start(struct item *item)
{
	struct reap *reap = item->reap;

	if (item->entry->ended) {
		item_ended(item);
	} else if (reap->spec.kind != REAP_WAIT) {
		item_ask(item, reap->spec.kind == REAP_KILL);
	} else {
		item->state = ITEM_ASKED;
		reap->in_flight++;
		if (reap->spec.timeout != 0)
			item->due =
			    hm_loop_now(reap->host->loop) + reap->spec.timeout;
	}
}

void
item_late(struct item *item)
{
	const struct reap *reap = item->reap;
	char why[HM_ERROR_TEXT];

	if (reap->spec.kind == REAP_WAIT) {
		(void)snprintf(why, sizeof why, "not ended within %.10g s",
		    (double)reap->spec.timeout / 1000);
		item_failed(item, why, true);
	} else if (item->entry->kind == ENTRY_JOINED) {
		item_failed(
		    item, "terminate/kill unsupported by manager", false);
	} else {
		memset(
		    &item->entry->asked_end, 0, sizeof item->entry->asked_end);
		item_failed(item,
		    "I/O error during terminate/kill: "
		    "still there after SIGKILL",
		    false);
	}
}
