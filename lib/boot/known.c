/*
 * The procs of a manager by their ids.
 *
 * A name may have had many lives; whoever asks by id means the latest, which is
 * the last in the manager's list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/handle.h"

struct hm_handle *
hm_manager_find(struct hm_manager *manager, const struct hm_id *id)
{
	struct hm_handle *handle, *found = NULL;

	for (handle = manager->handles; handle != NULL; handle = handle->next) {
		if (strcmp(handle->id.proc, id->proc) == 0 &&
		    strcmp(handle->id.addr, id->addr) == 0)
			found = handle;
	}
	return found;
}

void
hm_manager_request_stop(struct hm_manager *manager, const struct hm_id *id,
    uint64_t timeout, const char *reason)
{
	struct hm_handle *handle = hm_manager_find(manager, id);
	struct hm_error why;

	if (handle == NULL || handle->status.state == HM_STOPPING ||
	    hm_state_terminal(handle->status.state))
		return;
	if (hm_handle_terminate(handle, timeout, reason, &why) == -1)
		hm_log(manager->loop, HM_LOG_WARNING, "not stopped (%s): %s",
		    id->proc, why.text);
}

const struct hm_status *
hm_manager_stop_status(struct hm_manager *manager, const struct hm_id *id)
{
	const struct hm_handle *handle = hm_manager_find(manager, id);

	return handle != NULL && handle->status.asked ? &handle->status : NULL;
}

int
hm_manager_watch_stop(struct hm_manager *manager, const struct hm_id *id,
    struct hm_waiter *waiter)
{
	if (hm_manager_stop_status(manager, id) == NULL) {
		errno = ENOENT;
		return -1;
	}
	hm_handle_await(hm_manager_find(manager, id), waiter);
	return 0;
}

/* A copy of ids, n of them. */
static int
copy_ids(struct hm_id **to, size_t *nto, const struct hm_id *ids, size_t n)
{
	*to = malloc((n + 1) * sizeof **to);
	if (*to == NULL)
		return -1;
	if (n > 0)
		memcpy(*to, ids, n * sizeof **to);
	*nto = n;
	return 0;
}

static int
copy_lists(struct hm_destroyed *done, const struct hm_handle *handle,
    struct hm_error *err)
{
	const struct hm_destroyed *lists = hm_handle_destroyed(handle);

	if (lists == NULL || (copy_ids(&done->stopped, &done->nstopped,
				  lists->stopped, lists->nstopped) == 0 &&
				 copy_ids(&done->left, &done->nleft,
				     lists->left, lists->nleft) == 0))
		return 0;
	hm_destroyed_fini(done);
	return hm_fail(err, ENOMEM, "no memory");
}

int
hm_manager_terminate_proc(struct hm_manager *manager, const struct hm_id *id,
    uint64_t timeout, const char *reason, struct hm_destroyed *done,
    struct hm_error *err)
{
	struct hm_handle *handle = hm_manager_find(manager, id);
	char text[HM_ID_TEXT];
	int ended = -1;

	memset(done, 0, sizeof *done);
	if (handle == NULL)
		return hm_fail_kind(err, HM_ERR_NOPROC, ESRCH,
		    "proc %s doesn't exist",
		    hm_id_print(id, text, sizeof text));
	handle_hold(handle); /* its owner may forget it meanwhile */
	if (hm_handle_terminate(handle, timeout, reason, err) == 0 &&
	    hm_handle_wait(handle, HM_UNTIL_END, 0, err) == 0)
		ended = copy_lists(done, handle, err);
	handle_drop(handle);
	return ended;
}
