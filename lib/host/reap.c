/*
 * A reap: many procs ended (or only waited for) at once.
 *
 * At most max are asked at a time; each is given its timeout, and whoever has
 * to end it (the owner of a spawned one, the agent of a joined one) does the
 * rest and reports a status, which ends the item here.  Reaps that want the
 * same proc share one attempt: the owner is asked again only for a harder one.
 * What nobody ends in time is failed, so a reap always comes to its end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/host_private.h"

/* After SIGKILL an end may take 5 s to show, and the rest of the tree 5 s
 * more; by then the owner has said that it cannot, or it is not there. */
#define HARD_MS 11000
/* A joined proc that is killed is only asked, as there is nobody to do it. */
#define JOINED_KILL_MS 5000

struct item {
	struct item *next; /* of the same entry */
	struct reap *reap;
	struct entry *entry; /* NULL: unknown, or forgotten */
	enum { ITEM_NEW, ITEM_ASKED, ITEM_DONE } state;
	uint64_t due; /* given up then; 0: never */
};

struct reap {
	struct reap *next;
	struct hm_host *host;
	enum reap_kind kind;
	bool all, told, going;
	struct hm_id to;
	struct entry *asker;
	char reason[HM_REASON_MAX];
	uint64_t timeout, deadline; /* deadline: of the clock, 0: none */
	unsigned max, in_flight;
	uint64_t attempted, ok, failed;
	uint64_t past; /* what to clear of the past */
	struct hm_timer timer;
	size_t n, first; /* items; the first that may be new */
	struct item items[];
};

static void
say(const struct reap *reap, struct hm_json_out *out)
{
	struct hm_id to = reap->to;

	if (reap->told)
		(void)host_post(reap->host, &to, NULL, out, false);
	else
		hm_json_out_fini(out);
}

static void
say_ended(const struct reap *reap, const struct entry *entry)
{
	struct hm_json_out out;

	hm_json_out_init(&out);
	hm_json_open(&out, NULL, '{');
	hm_json_put_bool(&out, "ok", true);
	entry_put(entry, &out, "ended", false);
	hm_json_close(&out, '}');
	say(reap, &out);
}

static void
say_not_ended(
    const struct reap *reap, const char *name, const char *why, bool late)
{
	struct hm_json_out out;

	hm_json_out_init(&out);
	hm_json_open(&out, NULL, '{');
	hm_json_put_bool(&out, "ok", true);
	hm_json_open(&out, "not_ended", '{');
	hm_json_put_string(&out, "name", name);
	hm_json_put_string(&out, "error", why);
	if (late)
		hm_json_put_bool(&out, "timed_out", true);
	hm_json_close(&out, '}');
	hm_json_close(&out, '}');
	say(reap, &out);
}

static void
let_go(struct item *item)
{
	item->entry->held--;
	item->entry = NULL;
}

/* The item waits for its entry no longer. */
static void
detach(struct item *item)
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
		let_go(item);
}

static void
item_ended(struct item *item)
{
	struct reap *reap = item->reap;
	const struct entry *entry = item->entry;

	/* Of all, an attempt that has become nothing is no proc. */
	if (reap->all && !entry->proc) {
		reap->attempted--;
	} else {
		reap->ok++;
		say_ended(reap, entry);
	}
	detach(item);
}

static void
item_failed(struct item *item, const char *why, bool late)
{
	struct reap *reap = item->reap;

	reap->failed++;
	if (!reap->told)
		hm_log(reap->host->loop, HM_LOG_WARNING, "not ended (%s): %s",
		    item->entry->name, why);
	say_not_ended(reap, item->entry->name, why, late);
	detach(item);
}

void
reap_ended(struct entry *entry)
{
	struct reap *reap;

	while (entry->items != NULL) {
		reap = entry->items->reap;
		item_ended(entry->items);
		reap_go(reap);
	}
}

void
reap_failed(struct entry *entry, const char *why)
{
	struct item *item = entry->items, *next;
	struct reap *reap;

	memset(&entry->asked_end, 0, sizeof entry->asked_end);
	for (; item != NULL; item = next) {
		next = item->next;
		reap = item->reap;
		if (reap->kind == REAP_WAIT || item->state != ITEM_ASKED)
			continue;
		item_failed(item, why, false);
		reap_go(reap);
	}
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
	hm_json_out_init(&out);
	hm_json_open(&out, NULL, '{');
	hm_json_put_string(&out, "op", op);
	hm_json_put_string(&out, "name", name);
	hm_json_put_double(&out, "timeout", (double)reap->timeout / 1000);
	hm_json_put_string(&out, "reason", reap->reason);
	hm_json_close(&out, '}');
	return host_post(host, &dest, &reply, &out, false);
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

	if (entry->status.state == HM_STOPPING)
		return 0;
	stopping.state = HM_STOPPING;
	stopping.asked = true;
	memcpy(stopping.reason, reap->reason, sizeof stopping.reason);
	(void)life_change(entry, &stopping);
	return ask(entry->host, entry->name, "stop", entry->name, reap);
}

/* Asks for the end of the item's entry, politely or not. */
static void
item_ask(struct item *item, bool kill)
{
	struct reap *reap = item->reap;
	struct entry *entry = item->entry;
	uint64_t end =
	    hm_loop_now(reap->host->loop) + (kill ? 0 : reap->timeout);
	int done;

	if (item->state == ITEM_NEW)
		reap->in_flight++;
	item->state = ITEM_ASKED;
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

static void
item_start(struct item *item)
{
	struct reap *reap = item->reap;

	if (item->entry->ended) {
		item_ended(item);
	} else if (reap->kind != REAP_WAIT) {
		item_ask(item, reap->kind == REAP_KILL);
	} else {
		item->state = ITEM_ASKED;
		reap->in_flight++;
		if (reap->timeout != 0)
			item->due =
			    hm_loop_now(reap->host->loop) + reap->timeout;
	}
}

static void
item_late(struct item *item)
{
	const struct reap *reap = item->reap;
	char why[HM_ERROR_TEXT];

	if (reap->kind == REAP_WAIT) {
		(void)snprintf(why, sizeof why, "not ended within %.10g s",
		    (double)reap->timeout / 1000);
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

void
reap_put_summary(const struct reap *reap, struct hm_json_out *out)
{
	hm_json_put_u64(out, "attempted", reap->attempted);
	hm_json_put_u64(out, "succeeded", reap->ok);
	hm_json_put_u64(out, "failed", reap->failed);
}

unsigned
reap_failures(const struct reap *reap)
{
	return (unsigned)reap->failed;
}

static void
reap_free(struct reap *reap)
{
	struct hm_host *host = reap->host;
	struct reap **p = &host->reaps;
	size_t i;

	while (*p != reap)
		p = &(*p)->next;
	*p = reap->next;
	hm_timer_stop(host->loop, &reap->timer);
	for (i = 0; i < reap->n; i++) {
		if (reap->items[i].entry == NULL)
			continue;
		if (reap->items[i].state != ITEM_DONE)
			detach(&reap->items[i]);
		if (reap->items[i].entry != NULL)
			let_go(&reap->items[i]);
	}
	registry_trim(&host->names);
	free(reap);
}

static void
finish(struct reap *reap)
{
	struct hm_json_out out;
	size_t i;

	for (i = 0; i < reap->n && reap->all; i++) {
		if (reap->items[i].entry != NULL && reap->items[i].entry->ended)
			reap->items[i].entry->counts = false;
	}
	if (reap->all)
		past_clear(&reap->host->names.past, reap->past);
	hm_json_out_init(&out);
	hm_json_open(&out, NULL, '{');
	hm_json_put_bool(&out, "ok", true);
	reap_put_summary(reap, &out);
	hm_json_close(&out, '}');
	say(reap, &out);
	host_reaped(reap->host, reap);
	reap_free(reap);
}

/* When something is to be done without anybody ending. */
static void
set_timer(struct reap *reap)
{
	uint64_t due = reap->deadline, now = hm_loop_now(reap->host->loop);
	size_t i;

	for (i = 0; i < reap->first; i++) {
		if (reap->items[i].state == ITEM_ASKED &&
		    reap->items[i].due != 0 &&
		    (due == 0 || reap->items[i].due < due))
			due = reap->items[i].due;
	}
	if (due == 0)
		hm_timer_stop(reap->host->loop, &reap->timer);
	else if (hm_timer_start(reap->host->loop, &reap->timer,
		     due > now ? due - now : 0) == -1)
		hm_log(reap->host->loop, HM_LOG_ERROR,
		    "reap: no memory for a timer");
}

/* Starts what may be started; the end, when nothing is left. */
void
reap_go(struct reap *reap)
{
	if (reap->going)
		return; /* an item that ended at once: the loop below goes on */
	reap->going = true;
	while (reap->first < reap->n && reap->in_flight < reap->max) {
		if (reap->items[reap->first].state == ITEM_NEW)
			item_start(&reap->items[reap->first]);
		reap->first++;
	}
	reap->going = false;
	if (reap->first == reap->n && reap->in_flight == 0)
		finish(reap);
	else
		set_timer(reap);
}

void
reap_kill(struct reap *reap)
{
	size_t i;

	reap->deadline = 0;
	reap->max = UINT32_MAX;
	if (reap->kind != REAP_KILL) {
		reap->kind = REAP_KILL;
		reap->going = true;
		for (i = 0; i < reap->first; i++) {
			if (reap->items[i].state == ITEM_ASKED)
				item_ask(&reap->items[i], true);
		}
		reap->going = false;
	}
	reap_go(reap);
}

static void
on_timer(void *arg)
{
	struct reap *reap = arg;
	uint64_t now = hm_loop_now(reap->host->loop);
	struct item *item;
	size_t i;

	for (i = 0; i < reap->first; i++) {
		item = &reap->items[i];
		if (item->state == ITEM_ASKED && item->due != 0 &&
		    item->due <= now)
			item_late(item);
	}
	if (reap->deadline != 0 && reap->deadline <= now)
		reap_kill(reap);
	else
		reap_go(reap);
}

static void
add(struct reap *reap, struct entry *entry)
{
	struct item *item = &reap->items[reap->n++];

	item->reap = reap;
	item->entry = entry;
	item->next = entry->items;
	entry->items = item;
	entry->held++;
	reap->attempted++;
}

/* One of the names asked for; twice the same is once. */
static void
add_name(struct reap *reap, const char *name)
{
	struct hm_host *host = reap->host;
	struct entry *entry = registry_last(&host->names, name);
	const struct item *item;
	char why[HM_ERROR_TEXT];

	if (entry == NULL) {
		reap->attempted++;
		reap->failed++;
		(void)snprintf(why, sizeof why, "no proc '%.64s' on %s", name,
		    hm_host_id(host));
		say_not_ended(reap, name, why, false);
		return;
	}
	for (item = entry->items; item != NULL; item = item->next) {
		if (item->reap == reap)
			return;
	}
	add(reap, entry);
}

static void
add_all(struct reap *reap, bool starting)
{
	struct registry *names = &reap->host->names;
	struct entry *entry;

	for (entry = names->ended.first; entry != NULL; entry = entry->next) {
		if (entry->counts)
			add(reap, entry);
	}
	for (entry = names->living.first; entry != NULL; entry = entry->next) {
		if (entry->proc || (starting && entry->kind == ENTRY_SPAWNED))
			add(reap, entry);
	}
	reap->past = names->past.next;
	reap->ok += past_count(&names->past);
	reap->attempted += past_count(&names->past);
}

struct reap *
reap_new(struct hm_host *host, const struct reap_spec *spec)
{
	size_t n = spec->all ? host->names.living.n + host->names.ended.n
			     : spec->names->len;
	struct reap *reap = calloc(1, sizeof *reap + n * sizeof *reap->items);
	const struct hm_json *name;

	if (reap == NULL)
		return NULL;
	reap->host = host;
	reap->kind = spec->kind;
	reap->all = spec->all;
	reap->max = spec->kind == REAP_WAIT ? UINT32_MAX : spec->max;
	reap->timeout = spec->timeout;
	if (spec->deadline != 0)
		reap->deadline = hm_loop_now(host->loop) + spec->deadline;
	(void)snprintf(
	    reap->reason, sizeof reap->reason, "%.255s", spec->reason);
	reap->asker = spec->asker;
	reap->told = spec->to != NULL;
	if (reap->told)
		reap->to = *spec->to;
	reap->timer.fn = on_timer;
	reap->timer.arg = reap;
	reap->next = host->reaps;
	host->reaps = reap;
	if (spec->all)
		add_all(reap, spec->starting);
	else
		for (name = spec->names->child; name != NULL; name = name->next)
			add_name(reap, name->string);
	return reap;
}

void
reap_forget(struct entry *asker)
{
	struct reap *reap, *next;

	for (reap = asker->host->reaps; reap != NULL; reap = next) {
		next = reap->next;
		if (reap->asker != asker)
			continue;
		reap->asker = NULL;
		reap->told = false;
		if (reap->kind == REAP_WAIT)
			reap_free(reap);
	}
}

void
reap_end(struct hm_host *host)
{
	while (host->reaps != NULL)
		reap_free(host->reaps);
}
