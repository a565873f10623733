/*
 * Questions and answers: replies, and calls that wait in turns of the loop
 * until they are answered, for programs that have nothing else to do meanwhile.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/agent.h"
#include "proc/proc_private.h"

/* A call under way, on the stack of who waits. */
struct call {
	struct call *outer;
	uint64_t port;
	struct hm_envelope *answer;
	bool back; /* answered, or error says why not */
	char error[HM_ERROR_TEXT];
};

static struct call *
find(const struct hm_actor *actor, uint64_t port)
{
	struct call *call = actor->calls;

	while (call != NULL && call->port != port)
		call = call->outer;
	return call;
}

static int
on_answer(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_envelope *copy;
	struct call *call;
	struct hm_id dest;

	hm_envelope_dest(msg, &dest);
	call = find(self, dest.port);
	if (call == NULL)
		return hm_refuse(self, "nobody waits for it any more");
	copy = hm_envelope_take_over(msg);
	if (copy == NULL)
		return hm_refuse(self, "no memory");
	call->answer = copy;
	call->back = true;
	return HM_TAKEN;
}

bool
call_returned(struct hm_actor *actor, const struct hm_envelope *env,
    enum hm_outcome kind, struct hm_slice why)
{
	struct call *call;
	struct hm_id reply;

	if (actor->calls == NULL || !hm_envelope_reply_to(env, &reply))
		return false;
	call = find(actor, reply.port);
	if (call == NULL)
		return false;
	(void)snprintf(call->error, sizeof call->error, "%.*s (%s)", (int)why.n,
	    why.p, hm_outcome_name(kind));
	call->back = true;
	return true;
}

/* Turns the loop until there is an answer or the time has come. */
static int
wait_for_answer(struct hm_actor *actor, const struct call *call,
    uint64_t timeout, struct hm_error *err)
{
	struct hm_loop *loop = actor->proc->loop;
	uint64_t end = hm_loop_now(loop) + timeout, now;

	while (!call->back) {
		now = hm_loop_now(loop);
		if (timeout != 0 && now >= end)
			return hm_fail(err, ETIMEDOUT,
			    "no answer within %llu ms",
			    (unsigned long long)timeout);
		if (actor->proc->stopped)
			return hm_fail(err, ECANCELED, "stopped while waiting");
		if (hm_loop_turn(
			loop, timeout == 0 ? -1 : sys_poll_ms(end - now)) == -1)
			return hm_fail(err, errno, "loop: %s", strerror(errno));
	}
	return 0;
}

struct hm_envelope *
hm_call(struct hm_actor *actor, const struct hm_id *dest, const void *payload,
    size_t len, uint64_t timeout, struct hm_error *err)
{
	struct hm_id reply;
	struct hm_draft draft = {
	    &actor->id, dest, "application/json", 0, 0, &reply, NULL};
	struct call call = {actor->calls, 0, NULL, false, ""};
	struct hm_envelope *env;
	int done;

	draft.ttl = (unsigned)actor->proc->limits.ttl;
	call.port = hm_port_open(actor, on_answer, true);
	if (call.port == 0) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	actor->calls = &call;
	hm_port_id(actor, call.port, &reply);
	env = hm_envelope_new(&draft, payload, len, err);
	if (env != NULL && hm_post_unchecked(actor, env) == -1) {
		(void)hm_fail(err, errno, "cannot post: %s", strerror(errno));
		hm_envelope_free(env);
		env = NULL;
	}
	done = env == NULL ? -1 : wait_for_answer(actor, &call, timeout, err);
	hm_port_close(actor, call.port);
	actor->calls = call.outer;
	if (done == 0 && call.answer == NULL)
		(void)hm_fail(err, EHOSTUNREACH, "%s", call.error);
	return call.answer;
}

struct hm_json *
hm_control(struct hm_actor *actor, const char *request, uint64_t timeout,
    struct hm_error *err)
{
	struct hm_envelope *answer;
	struct hm_json *json;
	struct hm_id dest;

	hm_id_set(&dest, hm_proc_host(actor->proc), "service", "host_agent", 0,
	    HM_PORT_DEFAULT);
	answer = hm_call(actor, &dest, request, strlen(request), timeout, err);
	if (answer == NULL)
		return NULL;
	json = hm_json_parse(hm_payload(answer), hm_payload_len(answer), err);
	hm_envelope_free(answer);
	if (json != NULL && !hm_json_bool(json, "ok", false)) {
		(void)hm_fail_kind(err,
		    hm_error_kind_of(hm_json_string(json, "kind", "")), EPERM,
		    "%s", hm_json_string(json, "error", "refused"));
		hm_json_free(json);
		return NULL;
	}
	return json;
}

int
hm_post_json(struct hm_actor *actor, const struct hm_id *dest,
    const struct hm_id *reply_to, struct hm_json_out *out, bool checked)
{
	struct hm_draft draft = {&actor->id, dest, "application/json",
	    (unsigned)actor->proc->limits.ttl, 0, reply_to, NULL};
	struct hm_envelope *env = NULL;
	size_t len;
	char *text;

	hm_json_close(out, '}');
	text = hm_json_out_take(out, &len);
	if (text != NULL)
		env = hm_envelope_wrap(&draft, text, len, NULL);
	if (env == NULL) {
		free(text);
		errno = ENOMEM;
		return -1;
	}
	if ((checked ? hm_post : hm_post_unchecked)(actor, env) == 0)
		return 0;
	hm_envelope_free(env);
	return -1;
}

int
hm_reply_typed(struct hm_actor *self, const struct hm_envelope *msg,
    const char *type, const void *payload, size_t len)
{
	struct hm_id dest;
	struct hm_draft draft = {&self->id, &dest, type, 0, 0, NULL, NULL};
	struct hm_envelope *env;

	if (!hm_envelope_reply_to(msg, &dest))
		return 0;
	draft.ttl = (unsigned)self->proc->limits.ttl;
	env = hm_envelope_new(&draft, payload, len, NULL);
	if (env == NULL)
		return -1;
	if (hm_post_unchecked(self, env) == -1) {
		hm_envelope_free(env);
		return -1;
	}
	return 0;
}

int
hm_reply(struct hm_actor *self, const struct hm_envelope *msg,
    const void *payload, size_t len)
{
	struct hm_slice type = hm_envelope_type(msg);
	char name[HM_TYPE_MAX + 1];

	(void)snprintf(name, sizeof name, "%.*s", (int)type.n, type.p);
	return hm_reply_typed(self, msg, name, payload, len);
}
