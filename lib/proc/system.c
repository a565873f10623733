/*
 * The ports that the runtime answers at for every actor, whatever that does:
 * introspection, and signals from those who may stop the proc as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/agent.h"
#include "proc/proc_private.h"

static void
refuse(struct hm_proc *proc, struct hm_envelope *env, const char *why)
{
	char at[HM_ID_TEXT];

	router_settle(
	    env, HM_REFUSED, why, hm_id_print(&proc->id, at, sizeof at));
}

static void
introspect(struct hm_actor *actor, struct hm_envelope *env)
{
	char *json = hm_actor_introspect(actor);

	if (json == NULL || hm_reply_typed(actor, env, "application/json", json,
				strlen(json)) == -1)
		refuse(actor->proc, env, "no memory");
	else
		router_settle(env, HM_DELIVERED, "", "");
	free(json);
}

/* {"signal":"stop" | "abort","reason"} */
static void
take_signal(struct hm_actor *actor, struct hm_envelope *env)
{
	struct hm_json *json = hm_agent_json(env);
	const char *signal = hm_json_string(json, "signal", "");
	const char *reason = hm_json_string(json, "reason", "asked to");
	const char *why = NULL;

	if (!hm_agent_trusts(env))
		why = "this uid may stop no actor";
	else if (strcmp(signal, "stop") == 0)
		why = hm_actor_stop(actor, reason) == 0 ? NULL : "cannot stop";
	else if (strcmp(signal, "abort") == 0)
		why = hm_actor_abort(actor, reason) == 0 ? NULL : "cannot stop";
	else
		why = "signals are stop and abort";
	if (why != NULL)
		refuse(actor->proc, env, why);
	else
		router_settle(env, HM_DELIVERED, "", "");
	hm_json_free(json);
}

void
system_handle(struct hm_proc *proc, struct hm_envelope *env)
{
	struct hm_actor *actor;
	struct hm_head head;

	hm_head_parse(&head, env->head, env->head_len);
	actor = actor_find(
	    proc, head.dest.actor.p, head.dest.actor.n, head.dest.index);
	if (actor == NULL)
		mail_refuse(proc, env, "actor '%.*s' of proc '%s' has ended",
		    (int)head.dest.actor.n, head.dest.actor.p, proc->id.proc);
	else if (head.dest.port == HM_PORT_INTROSPECT)
		introspect(actor, env);
	else
		take_signal(actor, env);
}
