/*
 * The proof that a proc is Ready: its address and its agent, which a status may
 * lack and this has.
 */
#include <errno.h>

#include "boot/handle.h"

static int
not_proved(const struct hm_handle *handle, struct hm_error *err, int code,
    const char *why)
{
	char id[HM_ID_TEXT];

	if (handle->failure.code == 0)
		return hm_fail_kind(err, HM_ERR_CONFIGURE, code,
		    "proc '%s' failed to configure process: %.300s",
		    hm_id_print(&handle->id, id, sizeof id), why);
	if (err != NULL)
		*err = handle->failure;
	return -1;
}

int
hm_ready_prove(
    struct hm_ready *ready, struct hm_handle *handle, struct hm_error *err)
{
	const struct hm_status *status = &handle->status;
	struct hm_error why;

	if (!handle->was_ready)
		return not_proved(handle, err, EAGAIN, "it is not ready");
	if (status->addr[0] == '\0')
		return not_proved(handle, err, EADDRNOTAVAIL,
		    "it is ready without an address");
	if (hm_addr_parse(&ready->addr, status->addr, 0, &why) == -1)
		return not_proved(handle, err, EADDRNOTAVAIL, why.text);
	if (status->agent[0] == '\0')
		return not_proved(
		    handle, err, ENXIO, "it is ready without an agent");
	if (hm_id_parse(&ready->agent, status->agent, &why) == -1)
		return not_proved(handle, err, ENXIO, why.text);
	ready->handle = handle;
	return 0;
}

int
hm_ready_ensure(struct hm_ready *ready, struct hm_handle *handle,
    uint64_t timeout, struct hm_error *err)
{
	struct hm_error why = {HM_ERR_OTHER, 0, ""};
	int done;

	handle_hold(handle); /* its owner may forget it meanwhile */
	if (hm_handle_wait(handle, HM_UNTIL_READY, timeout, &why) == 0)
		done = hm_ready_prove(ready, handle, err);
	else
		done = not_proved(handle, err, why.code, why.text);
	handle_drop(handle);
	return done;
}
