/*
 * Actors, their mailboxes and ports.
 *
 * A message for an actor that is not paused is handled at once, in the turn it
 * came in; otherwise it waits in the mailbox, unsettled, and holds the credit
 * it came with, so that senders wait in the end.  A handler is never entered
 * twice: what comes while it runs waits too.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/proc_private.h"

static struct port **
bucket(struct hm_proc *proc, uint64_t number)
{
	return &proc->ports[number % PORT_BUCKETS];
}

struct port *
port_find(struct hm_proc *proc, const struct hm_actor *actor, uint64_t number)
{
	struct port *port = *bucket(proc, number);

	while (port != NULL && (port->number != number || port->actor != actor))
		port = port->next;
	return port;
}

static int
port_add(struct hm_actor *actor, uint64_t number, hm_handler *handle, bool once)
{
	struct port **head = bucket(actor->proc, number);
	struct port *port = malloc(sizeof *port);

	if (port == NULL)
		return -1;
	port->actor = actor;
	port->number = number;
	port->handle = handle == NULL ? actor->handle : handle;
	port->once = once;
	port->next = *head;
	*head = port;
	return 0;
}

uint64_t
hm_port_open(struct hm_actor *actor, hm_handler *handle, bool once)
{
	uint64_t number = actor->proc->next_port;

	if (port_add(actor, number, handle, once) == -1)
		return 0;
	actor->proc->next_port++;
	return number;
}

int
hm_port_open_at(struct hm_actor *actor, uint64_t number, hm_handler *handle)
{
	if (number >= HM_PORT_FIRST ||
	    port_find(actor->proc, actor, number) != NULL) {
		errno = EINVAL;
		return -1;
	}
	return port_add(actor, number, handle, false);
}

void
hm_port_close(struct hm_actor *actor, uint64_t number)
{
	struct port **p = bucket(actor->proc, number), *port;

	while (*p != NULL && ((*p)->number != number || (*p)->actor != actor))
		p = &(*p)->next;
	if ((port = *p) != NULL) {
		*p = port->next;
		free(port);
	}
}

void
hm_port_id(const struct hm_actor *actor, uint64_t number, struct hm_id *id)
{
	*id = actor->id;
	id->depth = HM_ID_PORT;
	id->port = number;
}

static const char *
proc_text(const struct hm_proc *proc, char text[HM_ID_TEXT])
{
	return hm_id_print(&proc->id, text, HM_ID_TEXT);
}

/* Settles env as what the handler answered. */
static void
answer_for(struct hm_actor *actor, struct hm_envelope *env, int taken)
{
	char at[HM_ID_TEXT];

	if (taken == HM_LATER)
		return;
	if (taken == HM_TAKEN)
		router_settle(env, HM_DELIVERED, "", "");
	else
		router_settle(env, HM_REFUSED,
		    actor->refusal[0] != '\0' ? actor->refusal : "refused",
		    proc_text(actor->proc, at));
	actor->refusal[0] = '\0';
}

/* The handler for env's port; once ports close before it runs, so that it may
 * open others. NULL: there is no such port. */
static hm_handler *
handler_for(struct hm_actor *actor, const struct hm_envelope *env)
{
	uint64_t number = hm_envelope_port(env);
	struct port *port;
	hm_handler *handle;

	if (number == HM_PORT_DEFAULT)
		return actor->handle;
	port = port_find(actor->proc, actor, number);
	if (port == NULL)
		return NULL;
	handle = port->handle;
	if (port->once)
		hm_port_close(actor, number);
	return handle;
}

static void not_here(struct hm_proc *proc, struct hm_envelope *env,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
not_here(struct hm_proc *proc, struct hm_envelope *env, const char *fmt, ...)
{
	char why[HM_ERROR_TEXT], at[HM_ID_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	router_settle(env, HM_NOT_SENT, why, proc_text(proc, at));
}

/* false: the actor has ended over it. */
static bool
handle(struct hm_actor *actor, struct hm_envelope *env)
{
	struct hm_proc *proc = actor->proc;
	hm_handler *fn = handler_for(actor, env);
	int taken;

	if (fn == NULL) {
		not_here(proc, env, "no port %llu at %s,%s",
		    (unsigned long long)hm_envelope_port(env), proc->id.proc,
		    actor->id.actor);
		return true;
	}
	actor->messages++;
	actor->busy = true;
	taken = fn(actor, env);
	actor->busy = false;
	answer_for(actor, env, taken);
	return !actor->ended;
}

static void
queue_up(struct hm_actor *actor, struct hm_envelope *env)
{
	env->next = NULL;
	*actor->mailbox_end = env;
	actor->mailbox_end = &env->next;
	actor->waiting++;
}

static struct hm_actor *
find_actor(struct hm_proc *proc, const char *name, size_t len, uint64_t index)
{
	struct hm_actor *actor;

	for (actor = proc->actors; actor != NULL; actor = actor->next) {
		if (!actor->ended && actor->id.index == index &&
		    strlen(actor->id.actor) == len &&
		    memcmp(actor->id.actor, name, len) == 0)
			return actor;
	}
	return NULL;
}

struct hm_actor *
hm_proc_actor(struct hm_proc *proc, const char *name)
{
	return find_actor(proc, name, strlen(name), 0);
}

void
proc_deliver(struct router_local *local, struct hm_envelope *env)
{
	struct hm_proc *proc = (struct hm_proc *)local;
	struct hm_actor *actor;
	struct hm_id dest;

	env->owner = proc;
	hm_envelope_dest(env, &dest);
	actor = find_actor(proc, dest.actor, strlen(dest.actor), dest.index);
	if (proc->dying) {
		not_here(proc, env, "proc '%s' has ended", proc->id.proc);
		return;
	}
	if (proc->early && (actor == NULL || proc->first != NULL)) {
		env->next = NULL;
		*proc->first_end = env;
		proc->first_end = &env->next;
		return;
	}
	if (actor == NULL) {
		not_here(proc, env, "no actor '%s' in proc '%s'", dest.actor,
		    proc->id.proc);
		return;
	}
	queue_up(actor, env);
	if (!actor->paused && !actor->busy)
		hm_task_start(proc->loop, &proc->task);
}

void
proc_early_over(void *arg)
{
	struct hm_proc *proc = arg;
	struct hm_envelope *env = proc->first, *next;

	proc->early = false;
	proc->first = NULL;
	for (; env != NULL; env = next) {
		next = env->next;
		env->next = NULL;
		proc_deliver(&proc->local, env);
	}
}

void
proc_drain(void *arg)
{
	struct hm_proc *proc = arg;
	struct hm_actor *actor, *next;
	struct hm_envelope *env;
	bool alive;

	/* Handlers end actors and turn the loop: nothing is freed until the
	 * outermost walk over the list is done. */
	proc->draining++;
	for (actor = proc->actors; actor != NULL; actor = actor->next) {
		alive = !actor->ended;
		while (alive && !actor->paused && !actor->busy &&
		       (env = actor->mailbox) != NULL) {
			actor->mailbox = env->next;
			if (actor->mailbox == NULL)
				actor->mailbox_end = &actor->mailbox;
			actor->waiting--;
			env->next = NULL;
			alive = handle(actor, env);
		}
	}
	if (--proc->draining > 0)
		return;
	for (actor = proc->actors; actor != NULL; actor = next) {
		next = actor->next;
		if (actor->ended)
			actor_free(actor);
	}
}

void
proc_delivered(struct router_local *local, const struct hm_envelope *env)
{
	struct hm_proc *proc = (struct hm_proc *)local;
	struct hm_actor *actor;
	struct hm_id sender;

	hm_envelope_sender(env, &sender);
	actor =
	    find_actor(proc, sender.actor, strlen(sender.actor), sender.index);
	if (actor != NULL && actor->delivered != NULL)
		actor->delivered(actor, env);
}

void
proc_returned(struct router_local *local, struct hm_envelope *env)
{
	struct hm_proc *proc = (struct hm_proc *)local;
	struct hm_actor *actor;
	struct hm_id sender;
	enum hm_outcome kind = HM_UNKNOWN;
	struct hm_slice why = {"", 0}, at;
	size_t n = hm_envelope_errors(env);

	hm_envelope_sender(env, &sender);
	actor =
	    find_actor(proc, sender.actor, strlen(sender.actor), sender.index);
	if (n > 0)
		(void)hm_envelope_error_at(env, n - 1, &kind, &why, &at);
	if (actor != NULL && call_returned(actor, env, kind, why)) {
		hm_envelope_free(env);
		return;
	}
	if (actor != NULL && actor->returned != NULL) {
		actor->returned(actor, env);
	} else if ((hm_envelope_flags(env) & HM_ENV_LASTING) == 0) {
		hm_log(proc->loop, HM_LOG_WARNING,
		    "message of %zu bytes came back (%s): %s: %.*s",
		    hm_payload_len(env), sender.actor, hm_outcome_name(kind),
		    (int)why.n, why.p);
	}
	hm_envelope_free(env);
}

struct hm_actor *
hm_proc_spawn(struct hm_proc *proc, const char *name, hm_handler *fn, void *arg,
    struct hm_error *err)
{
	struct hm_actor *actor, **end = &proc->actors;

	if (!hm_name_valid(name, strlen(name))) {
		(void)hm_fail(err, EINVAL, "actor '%s': bad name", name);
		return NULL;
	}
	if (hm_proc_actor(proc, name) != NULL) {
		(void)hm_fail(err, EEXIST, "actor '%s' already exists", name);
		return NULL;
	}
	actor = calloc(1, sizeof *actor);
	if (actor == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	actor->proc = proc;
	actor->id = proc->id;
	actor->id.depth = HM_ID_ACTOR;
	(void)snprintf(actor->id.actor, sizeof actor->id.actor, "%s", name);
	actor->handle = fn;
	actor->arg = arg;
	actor->mailbox_end = &actor->mailbox;
	while (*end != NULL)
		end = &(*end)->next;
	*end = actor;
	return actor;
}

/* Takes the actor out and frees it; what waits for it is returned. */
void
actor_free(struct hm_actor *actor)
{
	struct hm_proc *proc = actor->proc;
	struct hm_actor **p = &proc->actors;
	struct port **q, *port;
	struct hm_envelope *env;
	unsigned i;

	while (*p != actor)
		p = &(*p)->next;
	*p = actor->next;
	for (i = 0; i < PORT_BUCKETS; i++) {
		for (q = &proc->ports[i]; (port = *q) != NULL;) {
			if (port->actor == actor) {
				*q = port->next;
				free(port);
			} else {
				q = &port->next;
			}
		}
	}
	while ((env = actor->mailbox) != NULL) {
		actor->mailbox = env->next;
		env->next = NULL;
		not_here(proc, env, "actor '%s' of proc '%s' has ended",
		    actor->id.actor, proc->id.proc);
	}
	free(actor);
}

void
hm_actor_free(struct hm_actor *actor)
{
	if (actor == NULL)
		return;
	actor->ended = true;
	if (actor->proc->draining == 0)
		actor_free(actor);
}

void *
hm_actor_arg(const struct hm_actor *actor)
{
	return actor->arg;
}

struct hm_proc *
hm_actor_proc(const struct hm_actor *actor)
{
	return actor->proc;
}

const struct hm_id *
hm_actor_id(const struct hm_actor *actor)
{
	return &actor->id;
}

void
hm_actor_pause(struct hm_actor *actor, bool paused)
{
	actor->paused = paused;
	if (!paused && actor->mailbox != NULL)
		hm_task_start(actor->proc->loop, &actor->proc->task);
}

void
hm_actor_on_return(struct hm_actor *actor,
    void (*fn)(struct hm_actor *self, struct hm_envelope *env))
{
	actor->returned = fn;
}

void
hm_actor_on_delivered(struct hm_actor *actor,
    void (*fn)(struct hm_actor *self, const struct hm_envelope *env))
{
	actor->delivered = fn;
	actor->proc->local.delivered = proc_delivered;
}

int
hm_refuse(struct hm_actor *self, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(self->refusal, sizeof self->refusal, fmt, ap);
	va_end(ap);
	return HM_NO;
}

void
hm_settle(struct hm_envelope *msg, enum hm_outcome outcome, const char *reason)
{
	struct hm_proc *proc = msg->owner;
	char at[HM_ID_TEXT];

	router_settle(
	    msg, outcome, reason == NULL ? "" : reason, proc_text(proc, at));
}

static int
post(struct hm_actor *actor, struct hm_envelope *env, bool checked)
{
	if (env->anonymous && hm_envelope_set_sender(env, &actor->id) == -1)
		return -1;
	return router_post(&actor->proc->local, env, checked);
}

int
hm_post(struct hm_actor *actor, struct hm_envelope *env)
{
	return post(actor, env, true);
}

int
hm_post_unchecked(struct hm_actor *actor, struct hm_envelope *env)
{
	return post(actor, env, false);
}
