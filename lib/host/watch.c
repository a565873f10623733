/*
 * Who wants to know: watchers are told every change in order, waiters of one
 * end.
 *
 * A watcher may fall behind by WATCH_BEHIND messages.  Then it is told nothing
 * until most of them have left, and then how many changes it missed and how
 * things are now, so that a stopped watcher costs the host a bounded amount.
 *
 * A waiter's question is kept unsettled until it is answered: when this host
 * dies its own host returns it as unknown.  Its payload has been read and is
 * not kept: whoever asked has it, should it come back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/host_private.h"

#define WATCHERS_MAX 1024u
#define WAITERS_MAX 4096u
#define WATCH_BEHIND 256u

struct watcher {
	struct watcher *next;
	struct hm_id to;
	struct entry *asker; /* NULL: not behind a name of ours */
	struct hm_json *request;
	uint64_t missed;
};

struct waiter {
	struct waiter *next;
	struct entry *asker;
	struct hm_envelope *msg;
};

int
watch_add(struct hm_host *host, const struct hm_id *to, struct entry *asker,
    struct hm_json *request)
{
	struct watcher *watcher = NULL;

	if (host->nwatchers < WATCHERS_MAX)
		watcher = calloc(1, sizeof *watcher);
	if (watcher == NULL)
		return -1;
	watcher->to = *to;
	watcher->asker = asker;
	watcher->request = request;
	watcher->next = host->watchers;
	host->watchers = watcher;
	host->nwatchers++;
	return 0;
}

static void
remove_at(struct hm_host *host, struct watcher **p)
{
	struct watcher *watcher = *p;

	*p = watcher->next;
	host->nwatchers--;
	hm_json_free(watcher->request);
	free(watcher);
}

static bool
fits(const struct watcher *watcher, const struct entry *entry)
{
	const struct hm_json *names = hm_json_get(watcher->request, "names");
	const struct hm_json *name;

	if (names == NULL)
		return entry->kind != ENTRY_CLIENT ||
		       hm_json_bool(watcher->request, "all", false);
	for (name = names->child; name != NULL; name = name->next) {
		if (strcmp(name->string, entry->name) == 0)
			return true;
	}
	return false;
}

/* Has the watcher more than n messages to read yet? */
static bool
behind(const struct hm_host *host, const struct watcher *watcher, uint64_t n)
{
	struct router_stats stats;

	return watcher->asker != NULL &&
	       router_stats(host->router, watcher->asker->name, &stats) == 0 &&
	       stats.queued > n;
}

static void
tell(struct hm_host *host, struct watcher *watcher, const struct entry *entry)
{
	struct hm_json_out out;

	answer_begin(&out);
	entry_put(entry, &out, "change",
	    hm_json_bool(watcher->request, "tail", false));
	if (hm_post_json(host->agent, &watcher->to, NULL, &out, true) == -1)
		watcher->missed++;
}

void
watch_tell(struct entry *entry)
{
	struct hm_host *host = entry->host;
	struct watcher *watcher;

	for (watcher = host->watchers; watcher != NULL;
	     watcher = watcher->next) {
		if (!fits(watcher, entry))
			continue;
		if (watcher->missed > 0 || behind(host, watcher, WATCH_BEHIND))
			watcher->missed++;
		else
			tell(host, watcher, entry);
	}
}

static void
catch_up(struct hm_host *host, struct watcher *watcher)
{
	const struct hm_json *request = watcher->request;
	struct hm_json_out out;

	answer_begin(&out);
	hm_json_put_u64(&out, "lagged", watcher->missed);
	entries_put(host, &out, hm_json_get(request, "names"),
	    hm_json_bool(request, "all", false),
	    hm_json_bool(request, "tail", false));
	if (hm_post_json(host->agent, &watcher->to, NULL, &out, true) == 0)
		watcher->missed = 0;
}

void
watch_progress(void *arg)
{
	struct hm_host *host = arg;
	struct watcher *watcher;

	for (watcher = host->watchers; watcher != NULL;
	     watcher = watcher->next) {
		if (watcher->missed > 0 &&
		    !behind(host, watcher, WATCH_BEHIND / 4))
			catch_up(host, watcher);
	}
}

void
watch_returned(struct hm_host *host, const struct hm_id *to)
{
	struct watcher **p = &host->watchers;

	while (*p != NULL && hm_id_compare(&(*p)->to, to) != 0)
		p = &(*p)->next;
	if (*p != NULL)
		remove_at(host, p);
}

int
wait_add(struct entry *entry, struct entry *asker, struct hm_envelope *msg)
{
	struct hm_host *host = entry->host;
	struct waiter *waiter = NULL;

	if (host->nwaiters < WAITERS_MAX)
		waiter = malloc(sizeof *waiter);
	if (waiter == NULL)
		return -1;
	waiter->asker = asker;
	waiter->msg = msg;
	hm_envelope_drop_payload(msg);
	waiter->next = entry->waiters;
	entry->waiters = waiter;
	host->nwaiters++;
	if (asker != NULL)
		asker->asked++;
	return 0;
}

/* The waiter at *p is one no more; its question, to be settled. */
static struct hm_envelope *
take_at(struct hm_host *host, struct waiter **p)
{
	struct waiter *waiter = *p;
	struct hm_envelope *msg = waiter->msg;

	*p = waiter->next;
	host->nwaiters--;
	if (waiter->asker != NULL)
		waiter->asker->asked--;
	free(waiter);
	return msg;
}

void
wait_answer(struct entry *entry)
{
	struct hm_host *host = entry->host;
	struct hm_envelope *msg;
	struct hm_json_out out;
	struct hm_id to;

	while (entry->waiters != NULL) {
		msg = take_at(host, &entry->waiters);
		if (!hm_envelope_reply_to(msg, &to)) {
			hm_settle(msg, HM_DELIVERED, NULL);
			continue;
		}
		answer_begin(&out);
		entry_put(entry, &out, "proc", false);
		if (hm_post_json(host->agent, &to, NULL, &out, false) == 0)
			hm_settle(msg, HM_DELIVERED, NULL);
		else
			hm_settle(msg, HM_REFUSED, "no memory");
	}
}

static void
wait_forget(struct entry *entry, const struct entry *asker, const char *why)
{
	struct waiter **p = &entry->waiters;

	while (*p != NULL) {
		if (asker == NULL || (*p)->asker == asker)
			hm_settle(take_at(entry->host, p), HM_NOT_SENT, why);
		else
			p = &(*p)->next;
	}
}

void
watch_forget(struct entry *asker)
{
	struct hm_host *host = asker->host;
	struct watcher **p = &host->watchers;
	struct entry *entry;

	while (*p != NULL) {
		if ((*p)->asker == asker)
			remove_at(host, p);
		else
			p = &(*p)->next;
	}
	for (entry = host->names.living.first;
	     entry != NULL && asker->asked > 0; entry = entry->next)
		wait_forget(entry, asker, "who asked has gone");
}

void
watch_end(struct hm_host *host)
{
	struct entry *entry;

	while (host->watchers != NULL)
		remove_at(host, &host->watchers);
	for (entry = host->names.living.first; entry != NULL;
	     entry = entry->next)
		wait_forget(entry, NULL, "host has ended");
}
