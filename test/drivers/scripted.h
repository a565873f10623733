/*
 * A manager that runs nothing: its procs become ready, end, or are lost as the
 * script says, so that whoever uses a manager can be shown everything.
 */
#ifndef SCRIPTED_H
#define SCRIPTED_H

#include <stdlib.h>
#include <string.h>

#include "boot/handle.h"

#include "check.h"

enum script_how { SCRIPT_SILENT, SCRIPT_READY, SCRIPT_ENDED, SCRIPT_LOST };

struct script {
	enum script_how how;
	uint64_t after; /* ms */
	bool no_addr, no_agent;
	/* terminate ends it, and a kill says that it does not help; else both
	 * are unsupported */
	bool ends;
};

struct scripted_manager {
	struct hm_manager base;
	struct script script;
};

struct scripted {
	struct hm_handle base;
	struct script script;
	struct hm_timer timer;
};

static inline void
scripted_act(void *arg)
{
	struct scripted *s = arg;
	struct hm_status next = s->base.status;
	struct hm_id agent = s->base.id;

	if (s->script.how == SCRIPT_LOST) {
		handle_lose(&s->base);
		return;
	}
	next.state = s->script.how == SCRIPT_READY ? HM_READY : HM_STOPPED;
	hm_id_set(&agent, s->base.id.addr, s->base.id.proc, "agent", 0, 0);
	agent.depth = HM_ID_ACTOR;
	if (!s->script.no_addr)
		(void)snprintf(next.addr, sizeof next.addr, "unix:/tmp/nobody");
	if (!s->script.no_agent)
		(void)hm_id_print(&agent, next.agent, sizeof next.agent);
	(void)handle_change(&s->base, &next);
}

static inline int
scripted_terminate(
    struct hm_handle *handle, uint64_t timeout, const char *reason)
{
	struct hm_status next = handle->status;

	(void)timeout;
	(void)reason;
	next.state = HM_STOPPED;
	return handle_change(handle, &next);
}

static inline int
scripted_kill(struct hm_handle *handle, const char *reason)
{
	(void)reason;
	handle_stuck(handle, "scripted");
	return 0;
}

static inline void
scripted_free(struct hm_handle *handle)
{
	hm_timer_stop(
	    handle->manager->loop, &((struct scripted *)handle)->timer);
	free(handle);
}

static inline struct hm_handle *
scripted_spawn(struct hm_manager *manager, const struct hm_spawn *spawn,
    struct hm_error *err)
{
	static const struct handle_ops endless = {.free = scripted_free};
	static const struct handle_ops ending = {
	    .terminate = scripted_terminate,
	    .kill = scripted_kill,
	    .free = scripted_free};
	struct scripted *s = calloc(1, sizeof *s);

	(void)err;
	CHECK(s != NULL);
	s->script = ((struct scripted_manager *)manager)->script;
	s->timer.fn = scripted_act;
	s->timer.arg = s;
	handle_enter(
	    &s->base, s->script.ends ? &ending : &endless, manager, spawn);
	if (s->script.how != SCRIPT_SILENT)
		CHECK(hm_timer_start(
			  manager->loop, &s->timer, s->script.after) == 0);
	return &s->base;
}

static inline bool
scripted_busy(const struct hm_manager *manager)
{
	(void)manager;
	return false;
}

static inline void
scripted_manager_free(struct hm_manager *manager)
{
	manager_fini(manager);
	free(manager);
}

static inline struct hm_manager *
scripted_new(struct hm_loop *loop, struct script script)
{
	static const struct manager_ops ops = {HM_TRANSPORT_LOCAL,
	    scripted_spawn, NULL, scripted_busy, scripted_manager_free};
	struct scripted_manager *m = calloc(1, sizeof *m);

	CHECK(m != NULL);
	manager_init(&m->base, &ops, loop);
	m->script = script;
	return &m->base;
}

#endif
