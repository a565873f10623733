/*
 * Many ended at once: terminate_all.
 *
 * At most max are asked at a time; an end, or the word that there will be
 * none, starts the next.
 */
#include <stdio.h>
#include <stdlib.h>

#include "boot/handle.h"

struct item {
	struct bulk *bulk;
	struct hm_waiter waiter;
};

struct bulk {
	struct bulk *next;
	struct hm_manager *manager;
	struct hm_handle *todo; /* the next that may be asked */
	uint64_t timeout;
	unsigned max, in_flight, left;
	char reason[HM_REASON_MAX];
	struct hm_summary summary;
	void (*done)(void *arg, const struct hm_summary *summary);
	void *arg;
	bool going;
	size_t used;
	struct item items[];
};

static void
unlink_bulk(struct bulk *bulk)
{
	struct bulk **p = &bulk->manager->bulks;

	while (*p != bulk)
		p = &(*p)->next;
	*p = bulk->next;
}

static void
bulk_free(struct bulk *bulk)
{
	unlink_bulk(bulk);
	free(bulk);
}

static void bulk_go(struct bulk *bulk);

static void
on_end(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	struct item *item = arg;
	struct bulk *bulk = item->bulk;

	bulk->in_flight--;
	if (why == NULL) {
		bulk->summary.ok++;
	} else {
		bulk->summary.failed++;
		hm_log(bulk->manager->loop, HM_LOG_WARNING,
		    "not ended (%s): %s", handle->id.proc, why->text);
		hm_handle_unwait(handle, &item->waiter);
	}
	bulk_go(bulk);
}

static void
end_one(struct bulk *bulk, struct hm_handle *handle)
{
	struct item *item = &bulk->items[bulk->used++];
	struct hm_error why;

	item->bulk = bulk;
	item->waiter.fn = on_end;
	item->waiter.arg = item;
	item->waiter.until = HM_UNTIL_END;
	bulk->in_flight++;
	if (hm_handle_terminate(handle, bulk->timeout, bulk->reason, &why) ==
		-1 &&
	    !hm_state_terminal(handle->status.state))
		on_end(item, handle, &why); /* nor will it end for that */
	else
		hm_handle_await(handle, &item->waiter);
}

static void
bulk_go(struct bulk *bulk)
{
	struct hm_handle *handle;

	if (bulk->going)
		return; /* one that had ended already: the loop below goes on */
	bulk->going = true;
	while (bulk->left > 0 && bulk->in_flight < bulk->max) {
		handle = bulk->todo;
		bulk->todo = handle->next;
		bulk->left--;
		end_one(bulk, handle);
	}
	bulk->going = false;
	if (bulk->left > 0 || bulk->in_flight > 0)
		return;
	unlink_bulk(bulk); /* who is told may free the manager */
	bulk->done(bulk->arg, &bulk->summary);
	free(bulk);
}

int
hm_manager_terminate_all(struct hm_manager *manager, uint64_t timeout,
    unsigned max, const char *reason,
    void (*done)(void *arg, const struct hm_summary *summary), void *arg)
{
	struct hm_handle *handle;
	struct bulk *bulk;
	unsigned n = 0;

	for (handle = manager->handles; handle != NULL; handle = handle->next)
		n++;
	bulk = calloc(1, sizeof *bulk + n * sizeof *bulk->items);
	if (bulk == NULL)
		return -1;
	bulk->manager = manager;
	bulk->todo = manager->handles;
	bulk->summary.attempted = bulk->left = n;
	bulk->timeout = timeout;
	bulk->max = max == 0 ? 1 : max;
	(void)snprintf(bulk->reason, sizeof bulk->reason, "%s", reason);
	bulk->done = done;
	bulk->arg = arg;
	bulk->next = manager->bulks;
	manager->bulks = bulk;
	bulk_go(bulk);
	return 0;
}

void
bulks_forget(struct hm_manager *manager, const struct hm_handle *handle)
{
	struct hm_handle *todo;
	struct bulk *bulk;
	unsigned i;

	for (bulk = manager->bulks; bulk != NULL; bulk = bulk->next) {
		todo = bulk->todo;
		for (i = 0; i < bulk->left && todo != handle; i++)
			todo = todo->next;
		if (i == bulk->left)
			continue;
		if (bulk->todo == handle)
			bulk->todo = handle->next;
		bulk->left--;
		bulk->summary.ok++; /* it had ended */
	}
}

void
bulks_free(struct hm_manager *manager)
{
	while (manager->bulks != NULL)
		bulk_free(manager->bulks);
}
