/*
 * The lives of names: who may greet under which, what statuses they go
 * through, and how they end.
 *
 * A spawned name lives from its reservation until its owner reports a terminal
 * status, and a joined or attached one as long as its link.  When the owner of
 * a name is lost its proc is about to be killed by the warden: the name shows
 * Failed at once and is free a second later.
 *
 * An end that is reported while the link is still up waits a moment for what
 * the proc wrote before it died: that is on its way into this process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "host/host_private.h"

/* The kernel has what was written; reading it is a matter of a turn or two,
 * unless something else than the proc holds its socket open. */
#define DRAIN_MS 200
/* The warden kills what a lost supervisor leaves in some ten milliseconds. */
#define LOST_MS 1000

#define CLIENT_PREFIX "client-"

static bool
is_ours(const char *name)
{
	return strcmp(name, "service") == 0 || strcmp(name, "local") == 0 ||
	       strncmp(name, CLIENT_PREFIX, strlen(CLIENT_PREFIX)) == 0;
}

int
life_check_name(
    const struct hm_host *host, const char *name, struct hm_error *err)
{
	if (!hm_name_valid(name, strlen(name)))
		return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "name '%.64s': letters, digits, '_', '-' and '.', at most "
		    "64",
		    name);
	if (is_ours(name))
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM,
		    "name '%s' belongs to the host", name);
	if (registry_find(&host->names, name) != NULL ||
	    router_taken(host->router, name))
		return hm_fail_kind(err, HM_ERR_EXISTS, EEXIST,
		    "proc '%s' already exists", name);
	return 0;
}

static int
pick_name(const struct hm_host *host, char name[HM_NAME_MAX + 1],
    struct hm_error *err)
{
	uint32_t n = 0;
	int tries;

	for (tries = 0; tries < 64; tries++) {
		if (sys_random(&n, sizeof n) == -1)
			break;
		/* Short names for people, while there are enough of them. */
		if (tries < 8)
			n &= 0xffff;
		(void)snprintf(
		    name, HM_NAME_MAX + 1, CLIENT_PREFIX "%04x", (unsigned)n);
		if (registry_find(&host->names, name) == NULL)
			return 0;
	}
	return hm_fail(err, EAGAIN, "no name left for a client");
}

/* The token of a reservation; its bytes are compared without a way to learn
 * them from the time it takes. */
static int
greet_boot(
    struct hm_host *host, const struct router_greeting *g, struct hm_error *err)
{
	const struct entry *entry = registry_find(&host->names, g->name);
	unsigned char differ = 0;
	size_t i;

	if (entry != NULL && strlen(g->token) == TOKEN_SIZE - 1) {
		for (i = 0; i < TOKEN_SIZE; i++)
			differ |=
			    (unsigned char)(g->token[i] ^ entry->token[i]);
		if (differ == 0 && !entry->booted && !entry->ending)
			return 0;
	}
	return hm_fail_kind(err, HM_ERR_DENIED, EPERM,
	    "no reservation of '%s' with that token", g->name);
}

static int
greet_name(
    struct hm_host *host, struct router_greeting *g, struct hm_error *err)
{
	bool joins = g->kind == HM_HELLO_JOIN;

	if (g->name[0] != '\0') {
		if (life_check_name(host, g->name, err) == -1)
			return -1;
	} else if (joins) {
		return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "a proc that joins needs a name");
	} else if (pick_name(host, g->name, err) == -1) {
		return -1;
	}
	entry_free(host->spare);
	host->spare = entry_new(joins ? ENTRY_JOINED : ENTRY_CLIENT, g->name);
	return host->spare == NULL ? hm_fail(err, ENOMEM, "no memory") : 0;
}

static int
greet(void *arg, struct router_greeting *g, struct hm_error *err)
{
	struct hm_host *host = arg;

	if (g->kind == HM_HELLO_HOST) {
		/* A host is believed what it says of its procs' uids. */
		if (g->remote || g->uid == 0 || g->uid == (uint32_t)geteuid())
			return 0;
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM,
		    "uid %lu may attach, but not be a host or serve",
		    (unsigned long)g->uid);
	}
	if (host->ending)
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM,
		    "host %s is ending", hm_host_id(host));
	if (g->kind == HM_HELLO_BOOT)
		return greet_boot(host, g, err);
	return greet_name(host, g, err);
}

static void
on_timer(void *arg)
{
	life_end(arg);
}

void
life_begin(struct hm_host *host, struct entry *entry)
{
	entry->host = host;
	entry->timer.fn = on_timer;
	entry->timer.arg = entry;
	registry_enter(&host->names, entry);
}

/* The spare entry, made when the peer greeted, is one of the living now. */
static void
enter_spare(struct hm_host *host)
{
	struct entry *entry = host->spare;
	struct router_stats stats;
	struct hm_id id;

	host->spare = NULL;
	(void)router_stats(host->router, entry->name, &stats);
	entry->status.state = HM_READY;
	entry->status.pid = (pid_t)stats.pid;
	entry->status.started = sys_wall();
	life_begin(host, entry);
	(void)snprintf(entry->status.addr, sizeof entry->status.addr, "%s",
	    hm_host_id(host));
	if (entry->kind == ENTRY_JOINED) {
		entry->owner = entry;
		hm_id_set(&id, hm_host_id(host), entry->name, "agent", 0, 0);
		id.depth = HM_ID_ACTOR;
		(void)hm_id_print(
		    &id, entry->status.agent, sizeof entry->status.agent);
		registry_count(&host->names, entry);
	}
	watch_tell(entry);
}

static void
up(void *arg, const char *name)
{
	struct hm_host *host = arg;
	struct entry *entry = registry_find(&host->names, name);

	if (entry != NULL)
		entry->booted = true;
	else if (host->spare != NULL && strcmp(host->spare->name, name) == 0)
		enter_spare(host);
}

static const struct entry *
owned_by(const struct entry *owner)
{
	const struct entry *entry = owner->host->names.living.first;

	while (entry != NULL && (entry->owner != owner || entry == owner))
		entry = entry->next;
	return entry;
}

/* entry has no link any more: what it asked for is forgotten, and what it
 * owned is lost. */
static void
forget(struct entry *entry)
{
	struct entry *owned;

	watch_forget(entry);
	reap_forget(entry);
	/* From the start each time: an end may bring others about. */
	while (entry->owned > 0 &&
	       (owned = (struct entry *)owned_by(entry)) != NULL) {
		owned->owner = NULL;
		entry->owned--;
		life_lose(owned);
	}
}

static void
gone(void *arg, const char *name, const char *why)
{
	struct hm_host *host = arg;
	struct entry *entry = registry_find(&host->names, name);

	if (entry == NULL) {
		router_unbind(host->router, name, why);
		return;
	}
	forget(entry);
	if (entry->ending && !entry->lost)
		life_end(entry);
	else if (entry->kind == ENTRY_SPAWNED)
		return; /* its owner will say how it ended */
	else if (why[0] != '\0')
		life_fail(entry, why);
	else {
		entry->status.state = HM_STOPPED;
		life_end(entry);
	}
}

const struct router_ops host_router_ops = {greet, up, gone, NULL};

/* What was known of a proc stays known. */
static void
inherit(struct hm_status *to, const struct hm_status *from)
{
	if (to->pid == 0)
		to->pid = from->pid;
	if (to->started <= 0)
		to->started = from->started;
	if (to->addr[0] == '\0')
		memcpy(to->addr, from->addr, sizeof to->addr);
	if (to->agent[0] == '\0')
		memcpy(to->agent, from->agent, sizeof to->agent);
	if (to->reason[0] == '\0')
		memcpy(to->reason, from->reason, sizeof to->reason);
	to->asked = to->asked || from->asked;
}

static bool
linked(const struct entry *entry)
{
	struct router_stats stats;

	return router_stats(entry->host->router, entry->name, &stats) == 0 &&
	       stats.linked;
}

int
life_change(struct entry *entry, const struct hm_status *to)
{
	struct hm_host *host = entry->host;
	struct hm_status next = *to;

	if (entry->ending || !hm_state_legal(entry->status.state, to->state)) {
		hm_log(host->loop, HM_LOG_INFO,
		    "status of '%s' stays %s (illegal change): not %s",
		    entry->name, hm_state_name(entry->status.state),
		    hm_state_name(to->state));
		return -1;
	}
	inherit(&next, &entry->status);
	if (!hm_state_terminal(next.state)) {
		entry->status = next;
		watch_tell(entry);
		return 0;
	}
	entry->ending = true;
	if (linked(entry))
		entry->last = malloc(sizeof next);
	if (entry->last != NULL &&
	    hm_timer_start(host->loop, &entry->timer, DRAIN_MS) == 0) {
		*entry->last = next;
		return 0;
	}
	free(entry->last);
	entry->last = NULL;
	entry->status = next;
	life_end(entry);
	return 0;
}

void
life_end(struct entry *entry)
{
	struct hm_host *host = entry->host;
	char text[HM_ADDR_SIZE + HM_REASON_MAX], why[HM_ERROR_TEXT];

	if (entry->last != NULL)
		entry->status = *entry->last;
	free(entry->last);
	entry->last = NULL;
	if (entry->status.ended <= 0)
		entry->status.ended = sys_wall();
	hm_timer_stop(host->loop, &entry->timer);
	managed_forget(entry);
	forget(entry);
	(void)router_stats(host->router, entry->name, &entry->stats);
	if (entry->owner != NULL && entry->owner != entry)
		entry->owner->owned--;
	entry->owner = NULL;
	if (entry->proc)
		registry_end(&host->names, entry);
	else
		registry_leave(&host->names, entry);
	(void)snprintf(why, sizeof why, "proc '%s' has ended: %s", entry->name,
	    hm_status_print(&entry->status, false, text, sizeof text));
	router_unbind(host->router, entry->name, why);
	wait_answer(entry);
	if (!entry->lost)
		watch_tell(entry);
	entry->held++; /* a reap that is over trims the registry */
	reap_ended(entry);
	entry->held--;
	if (!entry->proc)
		entry_free(entry);
	else
		registry_trim(&host->names);
}

static void
set_failed(struct entry *entry, const char *reason)
{
	entry->status.state = HM_FAILED;
	(void)snprintf(entry->status.reason, sizeof entry->status.reason,
	    "%.255s", reason);
}

void
life_fail(struct entry *entry, const char *reason)
{
	entry->ending = false;
	free(entry->last);
	entry->last = NULL;
	set_failed(entry, reason);
	life_end(entry);
}

void
life_lose(struct entry *entry)
{
	if (!entry->proc) {
		life_fail(entry, "supervisor lost");
		return;
	}
	if (entry->ending)
		return; /* its end is known already */
	set_failed(entry, "supervisor lost");
	entry->status.ended = sys_wall();
	entry->ending = entry->lost = true;
	watch_tell(entry);
	if (hm_timer_start(entry->host->loop, &entry->timer, LOST_MS) == -1)
		life_end(entry);
}
