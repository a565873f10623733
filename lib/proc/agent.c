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

static int
introspect(struct hm_actor *self, const struct hm_envelope *msg)
{
	struct hm_proc *proc = self->proc;
	struct hm_json_out out;
	struct hm_actor *actor;
	char text[HM_ID_TEXT], *json;
	size_t len;
	int done;

	hm_json_begin(&out);
	hm_json_put_bool(&out, "ok", true);
	hm_json_put_string(
	    &out, "proc", hm_id_print(&proc->id, text, sizeof text));
	hm_json_put_u64(&out, "pid", (uint64_t)getpid());
	hm_json_open(&out, "actors", '[');
	for (actor = proc->actors; actor != NULL; actor = actor->next) {
		hm_json_open(&out, NULL, '{');
		hm_json_put_string(
		    &out, "actor", hm_id_print(&actor->id, text, sizeof text));
		hm_json_put_string(&out, "status",
		    actor->busy	    ? "processing"
		    : actor->paused ? "paused"
				    : "idle");
		hm_json_put_u64(&out, "messages", actor->messages);
		hm_json_put_u64(&out, "queued", actor->waiting);
		hm_json_close(&out, '}');
	}
	hm_json_close(&out, ']');
	hm_json_close(&out, '}');
	json = hm_json_out_take(&out, &len);
	if (json == NULL)
		return hm_refuse(self, "no memory");
	done = hm_reply_typed(self, msg, "application/json", json, len);
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
		(void)hm_id_print(&self->id, id, sizeof id);
		taken = hm_reply_typed(self, msg, "text/plain", id, strlen(id));
	} else if (strcmp(op, "ping") == 0) {
		taken = hm_reply_typed(
		    self, msg, "application/json", pong, sizeof pong - 1);
	} else if (strcmp(op, "introspect") == 0) {
		taken = introspect(self, msg);
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
