/*
 * Who is there: by id, as lists, by a walk; and whether the proc itself is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/proc_private.h"

struct hm_actor *
hm_proc_actor(struct hm_proc *proc, const char *name)
{
	return actor_find(proc, name, strlen(name), 0);
}

struct hm_actor *
hm_proc_find(struct hm_proc *proc, const struct hm_id *id)
{
	struct hm_actor *actor;

	if (id->depth < HM_ID_ACTOR || !hm_id_is_prefix(&proc->id, id))
		return NULL;
	actor = actor_find(proc, id->actor, strlen(id->actor), id->index);
	return actor == NULL || actor->kind == KIND_MAILBOX ? NULL : actor;
}

void
hm_proc_traverse(struct hm_proc *proc,
    void (*fn)(void *arg, struct hm_actor *actor, size_t depth), void *arg)
{
	struct hm_actor *actor = NULL;
	size_t depth = 0;

	while ((actor = actor_walk(proc, NULL, actor, &depth)) != NULL) {
		if (actor->kind != KIND_MAILBOX)
			fn(arg, actor, depth);
	}
}

static size_t
terminated_ids(const struct hm_proc *proc, struct hm_id *ids)
{
	const struct snapshot *snapshot;
	size_t n = 0;

	for (snapshot = proc->snapshots; snapshot != NULL;
	     snapshot = snapshot->next)
		ids[n++] = snapshot->id;
	return n;
}

int
hm_proc_ids(
    struct hm_proc *proc, enum hm_ids which, struct hm_id **ids, size_t *n)
{
	size_t max =
	    which == HM_IDS_TERMINATED ? proc->nsnapshots : proc->nactors;
	struct hm_actor *actor = NULL;
	size_t depth = 0;

	*n = 0;
	*ids = malloc((max == 0 ? 1 : max) * sizeof **ids);
	if (*ids == NULL)
		return -1;
	if (which == HM_IDS_TERMINATED) {
		*n = terminated_ids(proc, *ids);
		return 0;
	}
	while ((actor = actor_walk(proc, NULL, actor, &depth)) != NULL) {
		if ((actor->kind == KIND_MAILBOX && which != HM_IDS_ALL) ||
		    (depth > 0 && which == HM_IDS_ROOTS))
			continue;
		hm_actor_get_id(actor, &(*ids)[(*n)++]);
	}
	return 0;
}

struct hm_weak *
hm_proc_weak(struct hm_proc *proc)
{
	struct hm_weak *weak = malloc(sizeof *weak);

	if (weak == NULL)
		return NULL;
	weak->proc = proc;
	weak->next = proc->weak;
	proc->weak = weak;
	return weak;
}

struct hm_proc *
hm_weak_proc(const struct hm_weak *weak)
{
	return weak->proc;
}

void
hm_weak_free(struct hm_weak *weak)
{
	struct hm_weak **p;

	if (weak != NULL && weak->proc != NULL) {
		for (p = &weak->proc->weak; *p != weak;)
			p = &(*p)->next;
		*p = weak->next;
	}
	free(weak);
}

void
weak_fini(struct hm_proc *proc)
{
	struct hm_weak *weak;

	while ((weak = proc->weak) != NULL) {
		proc->weak = weak->next;
		weak->proc = NULL;
	}
}
