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

/* A call under way, on the stack of who waits; the answer comes to a port of
 * its own, so that a handler may call, too. */
struct call {
	struct call *outer;
	uint64_t port;
	bool back; /* error says why there will be no answer */
	char error[HM_ERROR_TEXT];
};

static struct call *
find(const struct hm_actor *actor, uint64_t port)
{
	struct call *call = actor->extra->calls;

	while (call != NULL && call->port != port)
		call = call->outer;
	return call;
}

bool
call_returned(struct hm_actor *actor, const struct hm_envelope *env,
    enum hm_outcome kind, struct hm_slice why)
{
	struct call *call;
	struct hm_id reply;

	if (actor->extra == NULL || actor->extra->calls == NULL ||
	    !hm_envelope_reply_to(env, &reply))
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
static struct hm_envelope *
wait_for_answer(struct hm_actor *actor, const struct call *call,
    uint64_t timeout, struct hm_error *err)
{
	struct hm_loop *loop = actor->proc->loop;
	uint64_t end = hm_loop_now(loop) + timeout, now;
	struct hm_envelope *env;

	while ((env = port_take(actor, call->port)) == NULL) {
		now = hm_loop_now(loop);
		if (errno != EAGAIN)
			(void)hm_fail(
			    err, ECANCELED, "the actor that asks has ended");
		else if (call->back)
			(void)hm_fail(err, EHOSTUNREACH, "%s", call->error);
		else if (timeout != 0 && now >= end)
			(void)hm_fail(err, ETIMEDOUT,
			    "no answer within %llu ms",
			    (unsigned long long)timeout);
		else if (actor->proc->stopped)
			(void)hm_fail(err, ECANCELED, "stopped while waiting");
		else if (proc_turn(actor->proc,
			     timeout == 0 ? -1 : sys_poll_ms(end - now)) == -1)
			(void)hm_fail(err, errno, "loop: %s", strerror(errno));
		else
			continue;
		return NULL;
	}
	return env;
}

/* The answer is the caller's, and settled: the call is over with it. */
static struct hm_envelope *
keep_answer(struct hm_envelope *env, struct hm_error *err)
{
	struct hm_slice why = hm_envelope_header(env, HM_HEADER_REFUSED);
	struct hm_envelope *copy;

	if (why.p != NULL) {
		(void)hm_fail(
		    err, EHOSTUNREACH, "%.*s (refused)", (int)why.n, why.p);
		hm_settle(env, HM_DELIVERED, NULL);
		return NULL;
	}
	copy = hm_envelope_take_over(env);
	if (copy == NULL)
		(void)hm_fail(err, ENOMEM, "no memory");
	hm_settle(env, copy == NULL ? HM_REFUSED : HM_DELIVERED, "no memory");
	return copy;
}

struct hm_envelope *
hm_call(struct hm_actor *actor, const struct hm_id *dest, const void *payload,
    size_t len, uint64_t timeout, struct hm_error *err)
{
	struct hm_id self, reply;
	struct hm_draft draft = {
	    &self, dest, "application/json", 0, 0, &reply, NULL};
	struct call call = {NULL, 0, false, ""};
	struct hm_envelope *env;

	draft.ttl = (unsigned)actor->proc->limits.ttl;
	if (actor_extra(actor) != NULL)
		call.port = hm_port_open_receiver(actor, true);
	if (call.port == 0) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	hm_actor_hold(actor);
	call.outer = actor->extra->calls;
	actor->extra->calls = &call;
	hm_actor_get_id(actor, &self);
	hm_port_id(actor, call.port, &reply);
	env = hm_envelope_new(&draft, payload, len, err);
	if (env != NULL && hm_post_unchecked(actor, env) == -1) {
		(void)hm_fail(err, errno, "cannot post: %s", strerror(errno));
		hm_envelope_free(env);
		env = NULL;
	}
	if (env != NULL)
		env = wait_for_answer(actor, &call, timeout, err);
	if (env != NULL)
		env = keep_answer(env, err);
	hm_port_close(actor, call.port);
	actor->extra->calls = call.outer;
	hm_actor_drop(actor);
	return env;
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
	struct hm_id self;
	struct hm_draft draft = {&self, dest, "application/json",
	    (unsigned)actor->proc->limits.ttl, 0, reply_to, NULL};
	struct hm_envelope *env = NULL;
	size_t len;
	char *text;

	hm_actor_get_id(actor, &self);
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
	struct hm_id dest, from;
	struct hm_draft draft = {&from, &dest, type, 0, 0, NULL, NULL};
	struct hm_envelope *env;

	if (!hm_envelope_reply_to(msg, &dest))
		return 0;
	hm_actor_get_id(self, &from);
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
