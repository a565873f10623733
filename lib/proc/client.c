/*
 * Clients: actors without a behaviour, whose callers receive what comes for
 * them and hold them until hm_actor_free.
 */
#include <errno.h>

#include "proc/proc_private.h"

struct hm_actor *
hm_actor_attach_mailbox(struct hm_actor *parent, struct hm_error *err)
{
	struct hm_actor *actor;

	if (actor_ending(parent, err))
		return NULL;
	actor = actor_new(parent->proc, parent, NULL, KIND_MAILBOX, err);
	if (actor == NULL || port_receive(actor, HM_PORT_DEFAULT, false) == 0)
		return actor;
	(void)hm_fail(err, ENOMEM, "no memory");
	hm_actor_free(actor);
	return NULL;
}

/* A root that its caller drives, with these ports to receive from. */
static struct hm_actor *
driven(struct hm_proc *proc, const char *name, enum kind kind,
    struct hm_error *err)
{
	struct hm_actor *actor = actor_new(proc, NULL, name, kind, err);

	if (actor == NULL)
		return NULL;
	if (port_receive(actor, HM_PORT_DEFAULT, false) == 0 &&
	    (kind != KIND_INVERTED ||
		(port_receive(actor, HM_PORT_SIGNAL, false) == 0 &&
		    port_receive(actor, HM_PORT_SUPERVISION, false) == 0)))
		return actor;
	(void)hm_fail(err, ENOMEM, "no memory");
	hm_actor_free(actor);
	return NULL;
}

struct hm_actor *
hm_proc_instance(struct hm_proc *proc, const char *name, struct hm_error *err)
{
	return driven(proc, name, KIND_CLIENT, err);
}

struct hm_actor *
hm_proc_actor_instance(
    struct hm_proc *proc, const char *name, struct hm_error *err)
{
	return driven(proc, name, KIND_INVERTED, err);
}

struct hm_actor *
hm_proc_attach_mailbox(
    struct hm_proc *proc, const char *name, struct hm_error *err)
{
	return driven(proc, name, KIND_MAILBOX, err);
}
