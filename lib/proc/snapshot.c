/*
 * Snapshots: what there is to say of actors that have ended, so that one can
 * ask why afterwards.  So many are kept; a clean stop makes room before any
 * failure does, and of failures the first stay, as the others often follow from
 * them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/proc_private.h"

static void
drop(struct hm_proc *proc, struct snapshot **p)
{
	struct snapshot *snapshot = *p;

	*p = snapshot->next;
	if (!snapshot->failed)
		proc->nclean--;
	proc->nsnapshots--;
	if (*p == NULL)
		proc->snapshots_end = p;
	free(snapshot->json);
	free(snapshot);
}

/* false: what comes is kept by none. */
static bool
make_room(struct hm_proc *proc)
{
	struct snapshot **p = &proc->snapshots;

	if (proc->nsnapshots < proc->limits.snapshot_retention)
		return true;
	if (proc->nclean == 0)
		return false;
	while ((*p)->failed)
		p = &(*p)->next;
	drop(proc, p);
	return true;
}

void
snapshot_keep(const struct hm_actor *actor)
{
	struct hm_proc *proc = actor->proc;
	struct snapshot *snapshot;
	struct hm_json_out out;

	if (proc->limits.snapshot_retention == 0 || !make_room(proc))
		return;
	snapshot = calloc(1, sizeof *snapshot);
	if (snapshot == NULL)
		return;
	hm_actor_get_id(actor, &snapshot->id);
	snapshot->failed = actor->failed;
	hm_json_begin(&out);
	hm_json_put_bool(&out, "ok", true);
	state_describe(actor, &out, false);
	hm_json_put_double(&out, "ended", sys_wall());
	hm_json_close(&out, '}');
	snapshot->json = hm_json_out_take(&out, NULL);
	if (snapshot->json == NULL) {
		free(snapshot);
		return;
	}
	*proc->snapshots_end = snapshot;
	proc->snapshots_end = &snapshot->next;
	proc->nsnapshots++;
	proc->nclean += !snapshot->failed;
}

const char *
hm_proc_terminated(const struct hm_proc *proc, const struct hm_id *id)
{
	const struct snapshot *snapshot;
	const char *json = NULL;
	struct hm_id actor = *id;

	actor.depth = HM_ID_ACTOR;
	for (snapshot = proc->snapshots; snapshot != NULL;
	     snapshot = snapshot->next) {
		if (hm_id_compare(&snapshot->id, &actor) == 0)
			json = snapshot->json;
	}
	return json;
}

void
snapshots_fini(struct hm_proc *proc)
{
	while (proc->snapshots != NULL)
		drop(proc, &proc->snapshots);
}
