/*
 * Procs that this process has started: an entry that follows a handle.
 *
 * The host is the user of its managers: the entry goes through the statuses of
 * the handle, and whoever wants the proc ended (a reap, a caller) asks the
 * handle.  The handle is its starter's, who may forget it once it has ended;
 * the host lets go of it then.  What is never Ready is no proc: its entry goes
 * with its end, and when nobody was given its handle the host forgets that too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/handle.h"
#include "host/host_private.h"

/* What is killed because it did not become Ready gets so long to end; a kill
 * that does not help is told of before. */
#define GIVE_UP_MS 11000
#define LOOK_MS 20

void
managed_forget(struct entry *entry)
{
	if (entry->handle == NULL)
		return;
	hm_handle_unwait(entry->handle, &entry->follows);
	entry->handle = NULL;
}

void
managed_unheard(struct entry *entry)
{
	if (entry->handle != NULL)
		hm_handle_unheard(entry->handle);
}

int
managed_ask(const struct entry *entry, const struct reap_spec *spec,
    const char *reason, bool kill, struct hm_error *why)
{
	struct hm_handle *handle = entry->handle;
	int done;

	if (handle == NULL)
		return 0; /* it has ended, and its name is free in a moment */
	done = kill ? hm_handle_kill(handle, reason, why)
		    : hm_handle_terminate(handle, spec->timeout, reason, why);
	return done == -1 && why->code != ESRCH ? -1 : 0;
}

/* It is a proc now, if there is proof of it. */
static int
count_ready(struct entry *entry)
{
	struct hm_host *host = entry->host;
	struct hm_ready ready;
	struct hm_error why;

	if (hm_ready_prove(&ready, entry->handle, &why) == 0) {
		/* One that is linked or lives here has its name already. */
		if (router_taken(host->router, entry->name) ||
		    router_bind(host->router, entry->name, &ready.addr) == 0) {
			registry_count(&host->names, entry);
			return 0;
		}
		(void)hm_fail(&why, errno, "proc '%s' is not reached at %s: %s",
		    entry->name, ready.addr.text, strerror(errno));
	}
	hm_log(host->loop, HM_LOG_WARNING, "%s", why.text);
	return -1;
}

static void
keep_tail(struct entry *entry, const struct hm_handle *handle)
{
	struct hm_json_out out;

	hm_json_out_init(&out);
	hm_json_open(&out, NULL, '[');
	hm_handle_put_tail(handle, &out);
	hm_json_close(&out, ']');
	free(entry->tail);
	entry->tail = hm_json_out_take(&out, NULL);
}

/* The entry becomes what the handle is. */
static void
follow(struct entry *entry)
{
	struct hm_handle *handle = entry->handle;
	const struct hm_status *status = hm_handle_status(handle);

	/* It may have gone further before its turn to be told has come. */
	if (handle->was_ready && !entry->proc && count_ready(entry) == -1 &&
	    !hm_state_terminal(status->state)) {
		if (hm_handle_kill(handle, "spawn failed", NULL) == -1)
			life_fail(entry, "spawn failed");
	} else if (!hm_state_terminal(status->state)) {
		(void)life_change(entry, status);
	} else {
		keep_tail(entry, handle);
		managed_forget(entry);
		if (entry->abandoned)
			(void)hm_handle_free(handle);
		(void)life_change(entry, status);
	}
}

static void
on_change(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	struct entry *entry = arg;

	(void)handle;
	if (why == NULL)
		follow(entry);
	else if (why->code == ECONNRESET) /* nothing more will be seen */
		life_fail(entry, why->text);
	else
		reap_failed(entry, why->text);
}

/* Nothing reaches it any more. */
static void
on_cut(void *arg, struct hm_handle *handle, const char *why)
{
	const struct hm_host *host = arg;

	(void)hm_handle_terminate(handle, host->limits.exit_timeout, why, NULL);
	hm_handle_unheard(handle);
}

int
managed_begin(struct hm_host *host, struct hm_manager *const *managers,
    struct hm_error *err)
{
	const struct hm_manager_user user = {host->agent, NULL, on_cut, host};
	size_t i, n = 0;

	while (managers != NULL && managers[n] != NULL)
		n++;
	host->managers = calloc(n + 1, sizeof(struct hm_manager *));
	if (host->managers == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	for (i = 0; i < n; i++) {
		host->managers[i] = managers[i];
		hm_manager_use(managers[i], &user);
	}
	return 0;
}

void
managed_end(struct hm_host *host)
{
	struct entry *entry;
	size_t i;

	for (i = 0; host->managers != NULL && host->managers[i] != NULL; i++)
		hm_manager_free(host->managers[i]);
	free(host->managers);
	host->managers = NULL;
	/* What could not be ended has no handle any more either. */
	for (entry = host->names.living.first; entry != NULL;
	     entry = entry->next)
		entry->handle = NULL;
}

struct hm_manager *
hm_host_manager(const struct hm_host *host)
{
	return host->managers[0];
}

static struct hm_manager *
one_of(const struct hm_host *host, struct hm_manager *manager,
    struct hm_error *err)
{
	struct hm_manager *const *p = host->managers;

	while (*p != NULL && *p != manager && manager != NULL)
		p++;
	if (*p == NULL)
		(void)hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "host %s has no such manager", hm_host_id(host));
	return *p;
}

/* What the manager is told of a proc of that name; id is filled. */
static void
describe(struct hm_spawn *spawn, struct hm_id *id, const struct hm_host *host,
    const struct entry *entry, const struct hm_spawn *how)
{
	memset(spawn, 0, sizeof *spawn);
	spawn->in = -1;
	spawn->ready_timeout = host->limits.spawn_ready_timeout;
	if (how != NULL)
		*spawn = *how;
	hm_id_set(id, hm_host_id(host), entry->name, "", 0, 0);
	id->depth = HM_ID_PROC;
	spawn->id = id;
	spawn->host = host->frontend;
	spawn->forwarder = host->backend;
	spawn->token = entry->token;
	spawn->beside = host->service;
}

struct hm_handle *
hm_host_start(struct hm_host *host, struct hm_manager *manager,
    const char *name, const struct hm_spawn *how, struct hm_error *err)
{
	struct hm_spawn spawn;
	struct entry *entry;
	struct hm_handle *handle;
	struct hm_id id;

	manager = one_of(host, manager, err);
	if (manager == NULL)
		return NULL;
	if (host->ending) {
		(void)hm_fail_kind(err, HM_ERR_DENIED, EPERM,
		    "host %s is ending", hm_host_id(host));
		return NULL;
	}
	/* A proc in this process takes its name in the router by itself. */
	entry = name_reserve(host, name,
	    hm_manager_transport(manager) != HM_TRANSPORT_LOCAL, err);
	if (entry == NULL)
		return NULL;
	entry->managed = true;
	watch_tell(entry);
	describe(&spawn, &id, host, entry, how);
	handle = hm_manager_spawn(manager, &spawn, err);
	if (handle == NULL) {
		life_fail(entry, "spawn failed");
		return NULL;
	}
	entry->handle = handle;
	entry->follows.fn = on_change;
	entry->follows.arg = entry;
	entry->follows.until = HM_UNTIL_CHANGE;
	hm_handle_await(handle, &entry->follows);
	if (hm_handle_status(handle)->state != HM_STARTING)
		follow(entry);
	return handle;
}

/* The living entry of that handle; NULL. */
static struct entry *
entry_of(const struct hm_host *host, const struct hm_handle *handle)
{
	struct entry *entry = registry_find(&host->names, handle->id.proc);

	return entry != NULL && entry->handle == handle ? entry : NULL;
}

/* What has ended lets go of its name very soon. */
static void
wait_free(struct hm_host *host, const char *name)
{
	const struct entry *entry;

	while ((entry = registry_find(&host->names, name)) != NULL &&
	       entry->managed && entry->ending) {
		if (hm_loop_turn(host->loop, LOOK_MS) == -1)
			return;
	}
}

/* It did not become Ready, and nobody has seen its handle. */
static void
give_up(struct hm_host *host, struct hm_handle *handle)
{
	struct entry *entry;
	char name[HM_NAME_MAX + 1];
	bool killed;

	memcpy(name, handle->id.proc, sizeof name);
	handle_hold(handle);
	killed = hm_handle_kill(handle, "spawn failed", NULL) == 0;
	if (killed)
		(void)hm_handle_wait(handle, HM_UNTIL_END, GIVE_UP_MS, NULL);
	entry = entry_of(host, handle);
	if (hm_state_terminal(handle->status.state))
		(void)hm_handle_free(handle);
	else if (entry != NULL && killed)
		entry->abandoned = true; /* until its end is seen */
	else if (entry != NULL)
		life_fail(entry, "spawn failed");
	handle_drop(handle);
	wait_free(host, name);
}

struct hm_handle *
hm_host_spawn(struct hm_host *host, struct hm_manager *manager,
    const char *name, const struct hm_spawn *how, struct hm_error *err)
{
	struct hm_handle *handle = hm_host_start(host, manager, name, how, err);
	uint64_t timeout =
	    how == NULL ? host->limits.spawn_ready_timeout : how->ready_timeout;
	struct hm_ready ready;
	bool done;

	if (handle == NULL)
		return NULL;
	handle_hold(handle); /* whoever is told of its end may forget it */
	done = hm_ready_ensure(&ready, handle, timeout, err) == 0;
	if (!done)
		give_up(host, handle);
	else if (handle->gone)
		(void)hm_fail_kind(err, HM_ERR_CONFIGURE, ESRCH,
		    "proc '%s' has ended and is forgotten", name);
	done = done && !handle->gone;
	handle_drop(handle);
	return done ? handle : NULL;
}

int
hm_host_terminate_proc(struct hm_host *host, const char *name, uint64_t timeout,
    const char *reason, struct hm_destroyed *done, struct hm_error *err)
{
	struct entry *entry = registry_find(&host->names, name);
	char kept[HM_NAME_MAX + 1];
	struct hm_id id;
	int ended;

	memset(done, 0, sizeof *done);
	if (entry == NULL)
		return hm_fail_kind(err, HM_ERR_NOPROC, ENOENT,
		    "no proc '%.64s' on %s", name, hm_host_id(host));
	if (entry->handle == NULL)
		return hm_fail(
		    err, ENOTSUP, "terminate/kill unsupported by manager");
	id = entry->handle->id;
	memcpy(kept, id.proc, sizeof kept);
	ended = hm_manager_terminate_proc(
	    entry->handle->manager, &id, timeout, reason, done, err);
	if (ended == 0)
		wait_free(host, kept);
	return ended;
}

/* The managers' ends; on the heap, as a wait may be given up. */
struct children {
	struct hm_summary sum;
	unsigned waiting;
	bool given_up;
};

static void
on_ended(void *arg, const struct hm_summary *summary)
{
	struct children *all = arg;

	all->sum.attempted += summary->attempted;
	all->sum.ok += summary->ok;
	all->sum.failed += summary->failed;
	if (--all->waiting == 0 && all->given_up)
		free(all);
}

static void
wait_all_free(struct hm_host *host)
{
	const struct entry *entry = host->names.living.first;

	while (entry != NULL) {
		if (!entry->managed || !entry->ending) {
			entry = entry->next;
			continue;
		}
		if (hm_loop_turn(host->loop, LOOK_MS) == -1)
			return;
		entry = host->names.living.first;
	}
}

int
hm_host_terminate_children(struct hm_host *host, uint64_t timeout, unsigned max,
    const char *reason, struct hm_summary *summary, struct hm_error *err)
{
	struct children *all = calloc(1, sizeof *all);
	int done = 0;
	size_t i;

	if (all == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	all->waiting = 1; /* this call */
	for (i = 0; host->managers[i] != NULL; i++) {
		all->waiting++;
		if (hm_manager_terminate_all(host->managers[i], timeout, max,
			reason, on_ended, all) == 0)
			continue;
		all->waiting--;
		done = hm_fail(err, ENOMEM, "no memory");
	}
	while (all->waiting > 1) {
		if (hm_loop_turn(host->loop, -1) == -1) {
			all->given_up = true;
			all->waiting--;
			return hm_fail(err, errno, "loop: %s", strerror(errno));
		}
	}
	*summary = all->sum;
	free(all);
	wait_all_free(host);
	return done;
}
