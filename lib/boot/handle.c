/*
 * Handles: a status, and those who wait for it.
 *
 * A waiter may wait again, drop itself or another, or end the proc from inside
 * its call; so those who are to be told are taken off the list first, and one
 * that waits for every change is put back before it is called.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "boot/handle.h"

void
handle_enter(struct hm_handle *handle, const struct handle_ops *ops,
    struct hm_manager *manager, const struct hm_spawn *spawn)
{
	handle->ops = ops;
	handle->manager = manager;
	handle->id = *spawn->id;
	handle->arg = spawn->arg;
	handle->status.cpu = -1;
	*manager->end = handle;
	manager->end = &handle->next;
}

const struct hm_id *
hm_handle_id(const struct hm_handle *handle)
{
	return &handle->id;
}

const struct hm_status *
hm_handle_status(const struct hm_handle *handle)
{
	return &handle->status;
}

void *
hm_handle_arg(const struct hm_handle *handle)
{
	return handle->arg;
}

struct hm_handle *
hm_handle_next(struct hm_handle *handle)
{
	return handle->next;
}

const struct hm_error *
hm_handle_failure(const struct hm_handle *handle)
{
	return handle->failure.code == 0 ? NULL : &handle->failure;
}

void
hm_handle_put_tail(const struct hm_handle *handle, struct hm_json_out *out)
{
	if (handle->ops->put_tail != NULL)
		handle->ops->put_tail(handle, out);
}

static int
lost(struct hm_error *err)
{
	return hm_fail(
	    err, ECONNRESET, "lifecycle channel closed; cannot observe state");
}

static int
already(const struct hm_handle *handle, struct hm_error *err)
{
	char text[HM_ADDR_SIZE + HM_REASON_MAX];

	return hm_fail(err, ESRCH, "proc already terminated (status: %s)",
	    hm_status_print(&handle->status, false, text, sizeof text));
}

/* 1: what is waited for is so, -1: it never will be, 0: not yet. */
static int
is_so(const struct hm_handle *handle, enum hm_until until)
{
	bool ended = hm_state_terminal(handle->status.state);

	if (until == HM_UNTIL_READY && handle->was_ready)
		return 1;
	if (until == HM_UNTIL_END && ended)
		return 1;
	if (handle->lost || (until == HM_UNTIL_READY && ended))
		return -1;
	return 0;
}

void
handle_hold(struct hm_handle *handle)
{
	handle->held++;
}

void
handle_drop(struct hm_handle *handle)
{
	if (--handle->held == 0 && handle->gone)
		handle->ops->free(handle);
}

/* Those that a change concerns are to be told; a change made while others are
 * told only adds to them. */
static void
take_concerned(struct hm_handle *handle)
{
	struct hm_waiter **p = &handle->waiters, *waiter;
	struct hm_waiter **end = &handle->telling;

	handle->warned = NULL; /* it moves after all */
	while (*end != NULL)
		end = &(*end)->next;
	while ((waiter = *p) != NULL) {
		if (waiter->until != HM_UNTIL_CHANGE &&
		    is_so(handle, waiter->until) == 0) {
			p = &waiter->next;
			continue;
		}
		*p = waiter->next;
		*end = waiter;
		waiter->next = NULL;
		end = &waiter->next;
	}
}

static void
tell(struct hm_handle *handle, struct hm_waiter *waiter)
{
	struct hm_error why;

	if (handle->lost && is_so(handle, waiter->until) == -1) {
		(void)lost(&why);
		waiter->fn(waiter->arg, handle, &why);
	} else if (waiter->until != HM_UNTIL_CHANGE &&
		   is_so(handle, waiter->until) == -1) {
		(void)already(handle, &why);
		waiter->fn(waiter->arg, handle,
		    handle->failure.code == 0 ? &why : &handle->failure);
	} else {
		waiter->fn(waiter->arg, handle, NULL);
	}
}

static void
tell_all(struct hm_handle *handle)
{
	struct hm_waiter *waiter;

	handle_hold(handle);
	take_concerned(handle);
	while ((waiter = handle->telling) != NULL) {
		handle->telling = waiter->next;
		if (waiter->until == HM_UNTIL_CHANGE && !handle->lost &&
		    !hm_state_terminal(handle->status.state)) {
			waiter->next = handle->waiters;
			handle->waiters = waiter;
		}
		tell(handle, waiter);
	}
	handle_drop(handle);
}

int
handle_change(struct hm_handle *handle, const struct hm_status *next)
{
	if (handle->lost ||
	    !hm_state_legal(handle->status.state, next->state)) {
		hm_log(handle->manager->loop, HM_LOG_INFO,
		    "status of '%s' stays %s (illegal change): not %s",
		    handle->id.proc, hm_state_name(handle->status.state),
		    hm_state_name(next->state));
		return -1;
	}
	handle->status = *next;
	if (next->state == HM_READY)
		handle->was_ready = true;
	tell_all(handle);
	return 0;
}

void
handle_stopping(struct hm_handle *handle, bool asked, const char *reason)
{
	struct hm_status next = handle->status;

	if (next.state == HM_STOPPING)
		return;
	next.state = HM_STOPPING;
	next.asked = asked;
	(void)snprintf(next.reason, sizeof next.reason, "%s", reason);
	(void)handle_change(handle, &next);
}

void
handle_lose(struct hm_handle *handle)
{
	if (handle->lost || hm_state_terminal(handle->status.state))
		return;
	handle->lost = true;
	tell_all(handle);
}

void
handle_stuck(struct hm_handle *handle, const char *what)
{
	struct hm_waiter *waiter;
	struct hm_error why;

	(void)hm_fail(&why, EIO, "I/O error during terminate/kill: %s", what);
	handle_hold(handle);
	for (waiter = handle->waiters; waiter != NULL;
	     waiter = handle->warned) {
		handle->warned = waiter->next;
		if (waiter->until != HM_UNTIL_READY)
			waiter->fn(waiter->arg, handle, &why);
	}
	handle_drop(handle);
}

void
hm_handle_await(struct hm_handle *handle, struct hm_waiter *waiter)
{
	struct hm_error why;

	if (is_so(handle, waiter->until) != 0) {
		tell(handle, waiter);
		return;
	}
	/* There is no further change. */
	if (hm_state_terminal(handle->status.state)) {
		(void)already(handle, &why);
		waiter->fn(waiter->arg, handle, &why);
		return;
	}
	waiter->next = handle->waiters;
	handle->waiters = waiter;
}

static void
take_off(struct hm_waiter **p, const struct hm_waiter *waiter)
{
	while (*p != NULL && *p != waiter)
		p = &(*p)->next;
	if (*p != NULL)
		*p = waiter->next;
}

void
hm_handle_unwait(struct hm_handle *handle, struct hm_waiter *waiter)
{
	if (handle->warned == waiter)
		handle->warned = waiter->next;
	take_off(&handle->waiters, waiter);
	take_off(&handle->telling, waiter);
}

int
hm_handle_free(struct hm_handle *handle)
{
	struct hm_manager *manager = handle->manager;
	struct hm_handle **p = &manager->handles;

	if (!hm_state_terminal(handle->status.state)) {
		errno = EBUSY;
		return -1;
	}
	if (handle->gone)
		return 0;
	bulks_forget(manager, handle);
	while (*p != handle)
		p = &(*p)->next;
	*p = handle->next;
	if (handle->next == NULL)
		manager->end = p;
	manager->forgotten++;
	handle->gone = true;
	handle_hold(handle);
	handle_drop(handle);
	return 0;
}

/* A wait that turns the loop. */
struct blocked {
	struct hm_error *err;
	int done; /* 1: it is so, -1: err says why not */
};

static void
on_reached(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	struct blocked *blocked = arg;

	(void)handle;
	blocked->done = why == NULL ? 1 : -1;
	if (why != NULL && blocked->err != NULL)
		*blocked->err = *why;
}

int
hm_handle_wait(struct hm_handle *handle, enum hm_until until, uint64_t timeout,
    struct hm_error *err)
{
	struct hm_loop *loop = handle->manager->loop;
	struct blocked blocked = {err, 0};
	struct hm_waiter waiter = {on_reached, &blocked, until, NULL};
	uint64_t now = hm_loop_now(loop), end = sys_later(now, timeout);

	handle_hold(handle);
	hm_handle_await(handle, &waiter);
	while (blocked.done == 0) {
		if (timeout != 0 && now >= end)
			blocked.done = hm_fail(err, ETIMEDOUT,
			    "proc '%s': %s after %llu ms", handle->id.proc,
			    hm_state_name(handle->status.state),
			    (unsigned long long)timeout);
		else if (hm_loop_turn(loop,
			     timeout == 0 ? -1 : sys_poll_ms(end - now)) == -1)
			blocked.done =
			    hm_fail(err, errno, "loop: %s", strerror(errno));
		now = hm_loop_now(loop);
	}
	hm_handle_unwait(handle, &waiter);
	handle_drop(handle);
	return blocked.done == 1 ? 0 : -1;
}

/* Can it be ended?  -1 with why not. */
static int
may_end(const struct hm_handle *handle, struct hm_error *err)
{
	if (hm_state_terminal(handle->status.state))
		return already(handle, err);
	if (handle->lost)
		return lost(err);
	if (handle->ops->terminate == NULL || handle->ops->kill == NULL)
		return hm_fail(
		    err, ENOTSUP, "terminate/kill unsupported by manager");
	return 0;
}

static int
not_ended(struct hm_error *err)
{
	return hm_fail(
	    err, EIO, "I/O error during terminate/kill: %s", strerror(errno));
}

int
hm_handle_terminate(struct hm_handle *handle, uint64_t timeout,
    const char *reason, struct hm_error *err)
{
	int done;

	if (may_end(handle, err) == -1)
		return -1;
	handle_hold(handle); /* who is told may forget it */
	done = handle->ops->terminate(handle, timeout, reason);
	if (done == -1)
		(void)not_ended(err);
	handle_drop(handle);
	return done;
}

int
hm_handle_kill(
    struct hm_handle *handle, const char *reason, struct hm_error *err)
{
	int done;

	if (may_end(handle, err) == -1)
		return -1;
	handle_hold(handle);
	done = handle->ops->kill(handle, reason);
	if (done == -1)
		(void)not_ended(err);
	handle_drop(handle);
	return done;
}

struct hm_proc *
hm_handle_proc(const struct hm_handle *handle)
{
	return handle->ops->proc == NULL ? NULL : handle->ops->proc(handle);
}

const struct hm_destroyed *
hm_handle_destroyed(const struct hm_handle *handle)
{
	if (handle->ops->destroyed == NULL)
		return NULL;
	return handle->ops->destroyed(handle);
}

void
hm_handle_signal(struct hm_handle *handle, int sig)
{
	if (handle->ops->signal != NULL)
		handle->ops->signal(handle, sig);
}

void
hm_handle_unheard(struct hm_handle *handle)
{
	if (handle->ops->unheard != NULL)
		handle->ops->unheard(handle);
}

void
hm_handle_bound(struct hm_handle *handle, const struct hm_error *why)
{
	handle_hold(handle);
	if (handle->ops->bound != NULL)
		handle->ops->bound(handle, why);
	handle_drop(handle);
}
