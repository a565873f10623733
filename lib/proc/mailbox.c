/*
 * Mailboxes: what comes for an actor waits there, unsettled, and holds the
 * credit it came with, so that senders wait in the end.
 *
 * A delivery is an append and nothing else: handlers run from one task of the
 * loop, so they never run within each other, however actors of a proc talk to
 * each other.  Actors that have something to do stand in one queue; each gets a
 * batch at a time, and the task ends after a round of messages, so that the
 * rest of the loop has its turn.  A callback of an actor is never entered while
 * another one of it runs; what comes meanwhile waits.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/proc_private.h"

/* Messages of one actor before the next has its turn, and of all before the
 * loop looks at its descriptors again. */
#define BATCH 64u
#define ROUND 1024u
/* A callback that takes longer is told of, ms. */
#define SLOW 1000u

void
mailbox_return(struct hm_actor *actor)
{
	struct hm_envelope *env;
	char name[HM_NAME_MAX + 24];

	while ((env = mail_take(&actor->mail)) != NULL)
		mail_refuse(actor->proc, env,
		    "actor '%s' of proc '%s' has ended",
		    actor_name(actor, name), actor->proc->id.proc);
}

void
actor_wake(struct hm_actor *actor)
{
	struct hm_proc *proc = actor->proc;

	if (actor->queued || proc->dying)
		return;
	actor->queued = true;
	hm_actor_hold(actor);
	actor->ready = NULL;
	*proc->ready_end = actor;
	proc->ready_end = &actor->ready;
	hm_task_start(proc->loop, &proc->task);
}

void
actor_enter(struct hm_actor *actor)
{
	hm_actor_hold(actor);
	actor->busy = true;
	actor->since = sys_now_about();
}

static bool
takes(const struct hm_actor *actor)
{
	return actor->mail.first != NULL && !actor->paused && !actor->busy &&
	       actor->phase != PHASE_OVER;
}

void
actor_return(struct hm_actor *actor)
{
	actor->busy = false;
	if (actor->phase == PHASE_OVER)
		end_cleanup(actor);
	else if (takes(actor) || actor->phase != PHASE_LIVE ||
		 (actor->extra != NULL && actor->extra->events != NULL))
		actor_wake(actor);
	hm_actor_drop(actor);
}

/* Settles env as what the handler answered. */
static void
answer_for(struct hm_actor *actor, struct hm_envelope *env, int taken)
{
	struct extra *extra = actor->extra;
	const char *words = "refused";
	char at[HM_ID_TEXT];

	if (taken == HM_TAKEN)
		router_settle(env, HM_DELIVERED, "", "");
	if (taken == HM_NO) {
		if (extra != NULL && extra->words != NULL)
			words = extra->words;
		router_settle(env, HM_REFUSED, words,
		    hm_id_print(&actor->proc->id, at, sizeof at));
	}
	if (extra != NULL) {
		free(extra->words);
		extra->words = NULL;
	}
}

static void
word_drop(struct word *word)
{
	if (word != NULL && --word->refs == 0)
		free(word);
}

static bool
word_is(const struct word *word, struct hm_slice type)
{
	return word != NULL && word->len == type.n &&
	       memcmp(word->text, type.p, type.n) == 0;
}

/* Most messages have the type of the one before, here or in the proc. */
static void
word_set(struct hm_actor *actor, struct hm_slice type)
{
	struct hm_proc *proc = actor->proc;
	struct word *word;

	if (word_is(actor->word, type))
		return;
	word = proc->word;
	if (!word_is(word, type)) {
		word = malloc(sizeof *word + type.n + 1);
		if (word != NULL) {
			word->refs = 1;
			word->len = type.n;
			memcpy(word->text, type.p, type.n);
			word->text[type.n] = '\0';
		}
		word_drop(proc->word);
		proc->word = word;
	}
	word_drop(actor->word);
	actor->word = word;
	if (word != NULL)
		word->refs++;
}

void
words_fini(struct hm_proc *proc)
{
	word_drop(proc->word);
	proc->word = NULL;
}

/* The handler for that port; once ports close before it runs, so that it may
 * open others. NULL: there is no such port. */
static hm_handler *
handler_for(struct hm_actor *actor, uint64_t number)
{
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

static void
tell_if_slow(const struct hm_actor *actor, uint64_t took)
{
	char name[HM_NAME_MAX + 24];

	if (took >= SLOW)
		hm_log(actor->proc->loop, HM_LOG_WARNING,
		    "actor '%s' was busy with '%s' for %" PRIu64 " ms",
		    actor_name(actor, name),
		    actor->word == NULL ? "?" : actor->word->text, took);
}

/* actor is held by who calls; the time of day goes from message to message, as
 * asking for it has its price, too. */
static void
handle(struct hm_actor *actor, struct hm_envelope *env, uint64_t *now)
{
	hm_handler *fn;
	struct hm_head head;
	char name[HM_NAME_MAX + 24];
	int taken;

	hm_head_parse(&head, env->head, env->head_len);
	fn = handler_for(actor, head.dest.port);
	if (fn == NULL) {
		mail_refuse(actor->proc, env, "no port %" PRIu64 " at %s,%s",
		    head.dest.port, actor->proc->id.proc,
		    actor_name(actor, name));
		return;
	}
	word_set(actor, head.type);
	actor->messages++;
	actor->busy = true;
	actor->since = *now;
	taken = fn(actor, env);
	*now = sys_now_about();
	actor->busy = false;
	tell_if_slow(actor, *now - actor->since);
	answer_for(actor, env, taken);
	if (actor->phase == PHASE_OVER)
		end_cleanup(actor);
}

static void
begin(struct hm_actor *actor)
{
	int done = 0;

	actor->fresh = false;
	actor->starting = true;
	actor_enter(actor);
	state_changed(actor);
	if (!actor->hard) /* a watch may have ended it */
		done = actor->behaviour->init(actor);
	actor->starting = false;
	if (done != 0 && !actor->failed)
		end_fail(actor, "init failed", NULL);
	else if (actor->phase == PHASE_LIVE)
		state_changed(actor);
	actor_return(actor);
}

/* What actor has to do: how much it was. */
static unsigned
run(struct hm_actor *actor)
{
	uint64_t now = sys_now_about();
	unsigned n = 0;

	if (actor->busy || actor->phase == PHASE_OVER)
		return 1;
	if (actor->fresh && !actor->hard)
		begin(actor);
	supervise_pending(actor);
	while (n < BATCH && takes(actor)) {
		handle(actor, mail_take(&actor->mail), &now);
		supervise_pending(actor);
		n++;
	}
	end_advance(actor);
	if (takes(actor))
		actor_wake(actor);
	return n + 1;
}

void
proc_drain(void *arg)
{
	struct hm_proc *proc = arg;
	struct hm_actor *actor;
	struct hm_envelope *env;
	unsigned n, left = ROUND;

	proc->turning++;
	while ((env = mail_take(&proc->system)) != NULL)
		system_handle(proc, env);
	while (left > 0 && (actor = proc->ready) != NULL) {
		proc->ready = actor->ready;
		if (proc->ready == NULL)
			proc->ready_end = &proc->ready;
		actor->queued = false;
		n = run(actor);
		left -= n < left ? n : left;
		hm_actor_drop(actor);
	}
	proc->turning--;
	if (proc->ready != NULL)
		hm_task_start(proc->loop, &proc->task);
}

/* Does it come from the actor itself, for its caller? */
static bool
own_signal(const struct hm_actor *actor, const struct hm_head *head)
{
	return actor->kind == KIND_INVERTED &&
	       head->dest.port == HM_PORT_SIGNAL &&
	       head->sender_proc.n == head->dest_proc.n &&
	       memcmp(head->sender_proc.p, head->dest_proc.p,
		   head->dest_proc.n) == 0 &&
	       head->sender.actor.n == head->dest.actor.n &&
	       memcmp(head->sender.actor.p, head->dest.actor.p,
		   head->dest.actor.n) == 0 &&
	       head->sender.index == head->dest.index;
}

/* A port that the runtime answers at, whatever the actor does. */
static bool
system_port(const struct hm_actor *actor, const struct hm_head *head)
{
	uint64_t number = head->dest.port;

	if (number != HM_PORT_INTROSPECT && number != HM_PORT_SIGNAL)
		return false;
	return port_find(actor->proc, actor, number) == NULL ||
	       (actor->kind == KIND_INVERTED && !own_signal(actor, head));
}

static void
deliver(
    struct hm_actor *actor, const struct hm_head *head, struct hm_envelope *env)
{
	struct hm_proc *proc = actor->proc;
	uint64_t number = head->dest.port;
	struct port *port = NULL;
	char name[HM_NAME_MAX + 24];

	if (system_port(actor, head)) {
		mail_put(&proc->system, env);
		hm_task_start(proc->loop, &proc->task);
		return;
	}
	if (number != HM_PORT_DEFAULT || actor->kind != KIND_ACTOR)
		port = port_find(proc, actor, number);
	if (port != NULL && port->receives &&
	    (!port->once || port->mail.n == 0)) {
		mail_put(&port->mail, env);
		return;
	}
	if (port != NULL && port->receives) {
		mail_refuse(proc, env, "port %" PRIu64 " of actor '%s' %s",
		    number, actor_name(actor, name), "takes one message");
		return;
	}
	/* Answers to its own questions come through, and the coordinator hears
	 * of others to its end. */
	if (actor->phase != PHASE_LIVE && number < HM_PORT_FIRST &&
	    (actor != proc->coordinator || actor->phase != PHASE_DRAINING)) {
		mail_refuse(proc, env, "actor '%s' of proc '%s' is ending",
		    actor_name(actor, name), proc->id.proc);
		return;
	}
	mail_put(&actor->mail, env);
	if (takes(actor))
		actor_wake(actor);
}

void
proc_deliver(struct router_local *local, struct hm_envelope *env)
{
	struct hm_proc *proc = (struct hm_proc *)local;
	struct hm_actor *actor;
	struct hm_head head;

	env->owner = proc;
	hm_head_parse(&head, env->head, env->head_len);
	if (proc->dying) {
		mail_refuse(proc, env, "proc '%s' has ended", proc->id.proc);
		return;
	}
	actor = actor_find(
	    proc, head.dest.actor.p, head.dest.actor.n, head.dest.index);
	if (proc->early && (actor == NULL || proc->early_mail.n > 0))
		mail_put(&proc->early_mail, env);
	else if (actor != NULL)
		deliver(actor, &head, env);
	else if (head.dest.index == 0)
		mail_refuse(proc, env, "no actor '%.*s' in proc '%s'",
		    (int)head.dest.actor.n, head.dest.actor.p, proc->id.proc);
	else
		mail_refuse(proc, env,
		    "no actor '%.*s[%" PRIu64 "]' in proc '%s'",
		    (int)head.dest.actor.n, head.dest.actor.p, head.dest.index,
		    proc->id.proc);
}

void
proc_early_over(void *arg)
{
	struct hm_proc *proc = arg;
	struct mail mail = proc->early_mail;
	struct hm_envelope *env;

	proc->early = false;
	if (mail.first == NULL)
		return;
	mail_init(&proc->early_mail);
	while ((env = mail_take(&mail)) != NULL)
		proc_deliver(&proc->local, env);
}

/* The one of this proc that posted env, NULL: it has ended. */
static struct hm_actor *
poster(struct hm_proc *proc, const struct hm_envelope *env)
{
	struct hm_head head;

	hm_head_parse(&head, env->head, env->head_len);
	return actor_find(
	    proc, head.sender.actor.p, head.sender.actor.n, head.sender.index);
}

void
proc_delivered(struct router_local *local, const struct hm_envelope *env)
{
	struct hm_actor *actor = poster((struct hm_proc *)local, env);

	if (actor != NULL && actor->delivered != NULL)
		actor->delivered(actor, env);
}

void
proc_returned(struct router_local *local, struct hm_envelope *env)
{
	struct hm_proc *proc = (struct hm_proc *)local;
	struct hm_actor *actor = poster(proc, env);
	enum hm_outcome kind = HM_UNKNOWN;
	struct hm_slice why = {"", 0}, at;
	size_t n = hm_envelope_errors(env);
	struct hm_id sender;

	if (n > 0)
		(void)hm_envelope_error_at(env, n - 1, &kind, &why, &at);
	if (supervise_returned(proc, env) ||
	    (actor != NULL && call_returned(actor, env, kind, why))) {
		hm_envelope_free(env);
		return;
	}
	if (actor != NULL && actor->returned != NULL) {
		proc->turning++;
		actor->returned(actor, env);
		proc->turning--;
	} else if ((hm_envelope_flags(env) & HM_ENV_LASTING) == 0) {
		hm_envelope_sender(env, &sender);
		hm_log(proc->loop, HM_LOG_WARNING,
		    "message of %zu bytes came back (%s): %s: %.*s",
		    hm_payload_len(env), sender.actor, hm_outcome_name(kind),
		    (int)why.n, why.p);
	}
	hm_envelope_free(env);
}

void
hm_actor_pause(struct hm_actor *actor, bool paused)
{
	actor->paused = paused;
	if (takes(actor))
		actor_wake(actor);
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
