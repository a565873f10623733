/*
 * The agent of a proc.
 *
 * Questions are plain words or {"op":word}: a person can type them, a program
 * can add to them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/agent.h"
#include "proc/proc_private.h"

/* An answer is to fit a message. */
#define ACTORS_TOLD 10000u

bool
hm_agent_trusts(const struct hm_envelope *msg)
{
	uint32_t uid = hm_envelope_uid(msg);

	return (hm_envelope_flags(msg) & HM_ENV_REMOTE) == 0 &&
	       (uid == 0 || uid == (uint32_t)geteuid());
}

struct hm_json *
hm_agent_json(const struct hm_envelope *msg)
{
	return hm_json_parse(hm_payload(msg), hm_payload_len(msg), NULL);
}

static int
stop(struct hm_actor *self, const struct hm_envelope *msg,
    const struct hm_json *json)
{
	struct hm_proc *proc = self->proc;
	const char *reason = hm_json_string(json, "reason", "asked to");
	static const char ok[] = "{\"ok\":true}";

	if (!hm_agent_trusts(msg))
		return hm_refuse(self, "uid %lu may not stop proc '%s'",
		    (unsigned long)hm_envelope_uid(msg), proc->id.proc);
	(void)hm_reply_typed(self, msg, "application/json", ok, sizeof ok - 1);
	if (proc->stop != NULL)
		proc->stop(proc->stop_arg, reason);
	else
		hm_proc_stop(proc, 0);
	return HM_TAKEN;
}

/* What introspect says of one: a line of a table. */
static void
put_actor(struct hm_json_out *out, const struct hm_actor *actor)
{
	struct hm_actor_status status;
	struct hm_id id;
	char text[HM_ID_TEXT];

	hm_actor_get_id(actor, &id);
	hm_actor_status(actor, &status);
	hm_json_open(out, NULL, '{');
	hm_json_put_string(out, "actor", hm_id_print(&id, text, sizeof text));
	hm_json_put_string(out, "status",
	    actor->paused && status.state == HM_ACTOR_IDLE
		? "paused"
		: hm_actor_state_name(status.state));
	hm_json_put_u64(out, "messages", actor->messages);
	hm_json_put_u64(out, "queued", actor->mail.n);
	hm_json_close(out, '}');
}

static char *
tell_all(const struct hm_proc *proc)
{
	struct hm_json_out out;
	struct hm_actor *actor = NULL;
	char text[HM_ID_TEXT];
	size_t depth = 0, n = 0;

	hm_json_begin(&out);
	hm_json_put_bool(&out, "ok", true);
	hm_json_put_string(
	    &out, "proc", hm_id_print(&proc->id, text, sizeof text));
	hm_json_put_u64(&out, "pid", (uint64_t)getpid());
	hm_json_open(&out, "actors", '[');
	while ((actor = actor_walk(proc, NULL, actor, &depth)) != NULL) {
		if (actor->kind != KIND_MAILBOX && n++ < ACTORS_TOLD)
			put_actor(&out, actor);
	}
	hm_json_close(&out, ']');
	if (n > ACTORS_TOLD)
		hm_json_put_u64(&out, "left_out", n - ACTORS_TOLD);
	hm_json_close(&out, '}');
	return hm_json_out_take(&out, NULL);
}

/* What the actor NAME or NAME[INDEX] says of itself, or said at its end. */
static char *
tell_one(struct hm_proc *proc, const char *name)
{
	struct hm_actor *actor;
	struct hm_id id;
	const char *ended;
	char text[HM_ID_TEXT];

	(void)snprintf(text, sizeof text, "%s,%s,%.100s", proc->id.addr,
	    proc->id.proc, name);
	if (hm_id_parse(&id, text, NULL) == -1)
		return NULL;
	actor = hm_proc_find(proc, &id);
	if (actor != NULL)
		return hm_actor_introspect(actor);
	ended = hm_proc_terminated(proc, &id);
	return ended == NULL ? NULL : strdup(ended);
}

/* Of all actors, so many at most, or of the one that "actor" names. */
static int
introspect(
    struct hm_actor *self, const struct hm_envelope *msg, const char *name)
{
	char *json =
	    name == NULL ? tell_all(self->proc) : tell_one(self->proc, name);
	int done;

	if (json == NULL && name != NULL)
		return hm_refuse(self, "no actor '%.100s' in proc '%s'", name,
		    self->proc->id.proc);
	if (json == NULL)
		return hm_refuse(self, "no memory");
	done =
	    hm_reply_typed(self, msg, "application/json", json, strlen(json));
	free(json);
	return done == 0 ? HM_TAKEN : hm_refuse(self, "no memory");
}

int
hm_agent_handle(struct hm_actor *self, struct hm_envelope *msg)
{
	static const char pong[] = "{\"ok\":true}";
	const char *text = hm_payload(msg);
	size_t len = hm_payload_len(msg);
	struct hm_json *json = NULL;
	char op[32], id[HM_ID_TEXT];
	int taken;

	(void)snprintf(op, sizeof op, "%.*s", (int)(len < 31 ? len : 31),
	    len > 0 ? text : "");
	if (len > 0 && text[0] == '{') {
		json = hm_json_parse(text, len, NULL);
		(void)snprintf(
		    op, sizeof op, "%.31s", hm_json_string(json, "op", ""));
	}
	if (strcmp(op, "echo") == 0) {
		(void)hm_id_print(hm_actor_id(self), id, sizeof id);
		taken = hm_reply_typed(self, msg, "text/plain", id, strlen(id));
	} else if (strcmp(op, "ping") == 0) {
		taken = hm_reply_typed(
		    self, msg, "application/json", pong, sizeof pong - 1);
	} else if (strcmp(op, "introspect") == 0) {
		taken =
		    introspect(self, msg, hm_json_string(json, "actor", NULL));
	} else if (strcmp(op, "stop") == 0) {
		taken = stop(self, msg, json);
	} else {
		taken = hm_refuse(self,
		    "agent knows echo, ping, introspect and stop, not '%s'",
		    op);
	}
	hm_json_free(json);
	return taken;
}

int
hm_agent_install(struct hm_proc *proc, struct hm_error *err)
{
	struct hm_error why;

	if (hm_proc_spawn(proc, "agent", hm_agent_handle, NULL, &why) == NULL)
		return hm_fail_kind(err, HM_ERR_AGENT, why.code,
		    "failed to spawn agent on proc '%s': %s", proc->id.proc,
		    why.text);
	return 0;
}
