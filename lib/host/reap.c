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

#include "host/item.h"

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
		if (reap->spec.kind == REAP_WAIT || item->state != ITEM_ASKED)
			continue;
		item_failed(item, why, false);
		reap_go(reap);
	}
}

void
reap_put_summary(const struct reap *reap, struct hm_json_out *out)
{
	hm_json_put_u64(out, "attempted", reap->attempted);
	hm_json_put_u64(out, "succeeded", reap->ok);
	hm_json_put_u64(out, "failed", reap->failed);
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
			item_detach(&reap->items[i]);
		if (reap->items[i].entry != NULL)
			item_let_go(&reap->items[i]);
	}
	registry_trim(&host->names);
	free(reap);
}

static void
finish(struct reap *reap)
{
	struct hm_json_out out;
	size_t i;

	for (i = 0; i < reap->n && reap->spec.all; i++) {
		if (reap->items[i].entry != NULL && reap->items[i].entry->ended)
			reap->items[i].entry->counts = false;
	}
	if (reap->spec.all)
		past_clear(&reap->host->names.past, reap->past);
	answer_begin(&out);
	reap_put_summary(reap, &out);
	reap_say(reap, &out);
	host_reaped(reap->host, reap);
	reap_free(reap);
}

/* When something is to be done without anybody ending. */
static void
set_timer(struct reap *reap)
{
	uint64_t due = reap->spec.deadline, now = hm_loop_now(reap->host->loop);
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
	while (reap->first < reap->n && reap->in_flight < reap->spec.max) {
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

	reap->spec.deadline = 0;
	reap->spec.max = UINT32_MAX;
	if (reap->spec.kind != REAP_KILL) {
		reap->spec.kind = REAP_KILL;
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
	if (reap->spec.deadline != 0 && reap->spec.deadline <= now)
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
		reap_say_not_ended(reap, name, why, false);
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
	reap->spec = *spec;
	if (spec->kind == REAP_WAIT)
		reap->spec.max = UINT32_MAX;
	if (spec->deadline != 0)
		reap->spec.deadline += hm_loop_now(host->loop);
	(void)snprintf(
	    reap->reason, sizeof reap->reason, "%.255s", spec->reason);
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
		if (reap->spec.asker != asker)
			continue;
		reap->spec.asker = NULL;
		reap->told = false;
		if (reap->spec.kind == REAP_WAIT)
			reap_free(reap);
	}
}

void
reap_end(struct hm_host *host)
{
	while (host->reaps != NULL)
		reap_free(host->reaps);
}
