/*
 * Watching procs.
 *
 * The question stands for the proc: it is settled only with its answer, so a
 * host that dies makes it come back as "unknown".  Returned for any other
 * reason it says nothing of the proc, and what is sent to that comes back for
 * the same one.  Questions are of an actor of their own, so that their answers
 * and returns are not among the program's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <hostmux/status.h>

#include "proc/agent.h"
#include "tool/monitor.h"

static struct target *
find(const struct monitors *monitors, uint64_t port)
{
	size_t i;

	for (i = 0; i < monitors->pool->n; i++) {
		if (monitors->pool->targets[i].monitor == port)
			return &monitors->pool->targets[i];
	}
	return NULL;
}

static void
tell(const struct monitors *monitors, struct target *target, const char *why)
{
	target->gone = true;
	target->monitor = 0;
	monitors->ended(monitors->arg, target, why);
}

static int
on_answer(struct hm_actor *self, struct hm_envelope *msg)
{
	const struct monitors *monitors = hm_actor_arg(self);
	struct target *target = find(monitors, hm_envelope_port(msg));
	struct hm_json *json = hm_agent_json(msg);
	struct hm_status status;
	char why[HM_ERROR_TEXT] = "ended: ";
	size_t n = strlen(why);

	if (target == NULL) {
		hm_json_free(json);
		return HM_TAKEN;
	}
	if (hm_status_get(&status, hm_json_get(json, "proc")) == 0) {
		(void)hm_status_print(&status, false, why + n, sizeof why - n);
		tell(monitors, target, why);
	} else {
		target->monitor = 0; /* not there: asked again next time */
	}
	hm_json_free(json);
	return HM_TAKEN;
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	const struct monitors *monitors = hm_actor_arg(self);
	struct hm_slice why, at;
	enum hm_outcome kind;
	struct target *target;
	char text[HM_ERROR_TEXT];
	struct hm_id port;
	size_t n = hm_envelope_errors(env);

	if (n == 0 || !hm_envelope_error_at(env, n - 1, &kind, &why, &at) ||
	    !hm_envelope_reply_to(env, &port))
		return;
	hm_port_close(self, port.port);
	target = find(monitors, port.port);
	if (target == NULL || kind != HM_UNKNOWN)
		return;
	(void)snprintf(
	    text, sizeof text, "lost sight of: %.*s", (int)why.n, why.p);
	tell(monitors, target, text);
}

int
monitor_init(struct monitors *monitors, struct hm_proc *proc,
    const struct pool *pool,
    void (*ended)(void *arg, struct target *target, const char *why), void *arg,
    struct hm_error *err)
{
	monitors->pool = pool;
	monitors->ended = ended;
	monitors->arg = arg;
	monitors->actor =
	    hm_proc_spawn(proc, "monitor", on_answer, monitors, err);
	if (monitors->actor == NULL)
		return -1;
	hm_actor_on_return(monitors->actor, on_return);
	return 0;
}

int
monitor_start(struct monitors *monitors, struct target *target)
{
	struct hm_id dest, reply;
	struct hm_draft draft = {
	    NULL, &dest, "application/json", 0, HM_ENV_LASTING, &reply, NULL};
	struct hm_envelope *env;
	char text[HM_NAME_MAX + 32];
	uint64_t port;

	if (target->monitor != 0)
		return 0;
	port = hm_port_open(monitors->actor, NULL, true);
	if (port == 0)
		return -1;
	hm_port_id(monitors->actor, port, &reply);
	hm_id_set(&dest, target->dest.addr, "service", "host_agent", 0,
	    HM_PORT_DEFAULT);
	(void)snprintf(text, sizeof text, "{\"op\":\"wait\",\"name\":\"%s\"}",
	    target->dest.proc);
	env = hm_envelope_new(&draft, text, strlen(text), NULL);
	if (env == NULL || hm_post_unchecked(monitors->actor, env) == -1) {
		hm_envelope_free(env);
		hm_port_close(monitors->actor, port);
		errno = ENOMEM;
		return -1;
	}
	target->monitor = port;
	return 0;
}
