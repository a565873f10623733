/*
 * Procs on a router that is somebody else's: a host's own, and those beside
 * another.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/host_proc.h"
#include "proc/proc_private.h"

/* A host puts messages for its own procs together in its own memory; control
 * needs no more than this. */
#define ON_ROUTER_MAX ((uint64_t)256 * 1024)

/* max: the largest payload for its actors, 0: the node's. */
static struct hm_proc *
on_router(struct hm_router *router, const char *name, uint64_t max,
    struct hm_error *err)
{
	struct hm_proc *proc = calloc(1, sizeof *proc);

	if (proc == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	proc_init(proc, router_loop(router), router_limits(router));
	proc->router = router;
	proc->local.max = max;
	proc->attach_state = 1;
	if (proc_enter(proc, "", name, router_id(router)) == 0)
		return proc;
	if (errno == EEXIST)
		(void)hm_fail_kind(err, HM_ERR_EXISTS, EEXIST,
		    "proc '%s' already exists", name);
	else
		(void)hm_fail(
		    err, errno, "proc '%s': %s", name, strerror(errno));
	free(proc);
	return NULL;
}

struct hm_proc *
hm_proc_on_router(
    struct hm_router *router, const char *name, struct hm_error *err)
{
	return on_router(router, name, ON_ROUTER_MAX, err);
}

struct hm_proc *
hm_proc_beside(struct hm_proc *proc, const char *name, struct hm_error *err)
{
	const struct hm_slice addr = {proc->id.addr, strlen(proc->id.addr)};

	if (!hm_name_valid(name, strlen(name)))
		(void)hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "name '%.64s': bad name", name);
	else if (!router_owns(proc->router, addr))
		(void)hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
		    "proc '%s' has no address that another could share",
		    proc->id.proc);
	else
		return on_router(proc->router, name, 0, err);
	return NULL;
}
