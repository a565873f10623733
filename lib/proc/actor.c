/*
 * Actors: made, found, walked over and taken out, each in constant time.
 *
 * The table is keyed by (name, index).  Its chains go through the actors, so
 * making one needs no memory but its own, and the table grows with them; when
 * it cannot grow, chains get longer.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "proc/proc_private.h"

#define TABLE_MIN 16u

static uint32_t
hash_name(const char *name, size_t len)
{
	uint32_t hash = 2166136261u;

	while (len-- > 0)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return hash;
}

static struct hm_actor **
bucket(const struct hm_proc *proc, uint32_t hash, uint64_t index)
{
	/* Indexes are in sequence: the high bits of the product are not. */
	uint64_t key = (hash + index) * 0x9e3779b97f4a7c15u;

	return &proc->table[(key >> 32) & (proc->ntable - 1)];
}

struct hm_actor *
actor_find(struct hm_proc *proc, const char *name, size_t len, uint64_t index)
{
	struct hm_actor *actor;

	if (proc->ntable == 0)
		return NULL;
	actor = *bucket(proc, hash_name(name, len), index);
	while (actor != NULL &&
	       (actor->index != index || actor->root->len != len ||
		   memcmp(actor->root->id.actor, name, len) != 0))
		actor = actor->chain;
	return actor;
}

static int
table_grow(struct hm_proc *proc)
{
	struct hm_actor **old = proc->table, **head, *actor, *next;
	size_t i, n = proc->ntable;

	if (proc->nactors < n)
		return 0;
	proc->ntable = n == 0 ? TABLE_MIN : n * 2;
	proc->table = calloc(proc->ntable, sizeof *proc->table);
	if (proc->table == NULL) {
		proc->table = old;
		proc->ntable = n;
		return n == 0 ? -1 : 0;
	}
	for (i = 0; i < n; i++) {
		for (actor = old[i]; actor != NULL; actor = next) {
			next = actor->chain;
			head = bucket(proc, actor->root->hash, actor->index);
			actor->chain = *head;
			*head = actor;
		}
	}
	free(old);
	return 0;
}

static void
table_remove(struct hm_actor *actor)
{
	struct hm_actor **p =
	    bucket(actor->proc, actor->root->hash, actor->index);

	while (*p != actor)
		p = &(*p)->chain;
	*p = actor->chain;
	actor->proc->nactors--;
}

static struct root *
root_new(const struct hm_proc *proc, const char *name)
{
	struct root *root = calloc(1, sizeof *root);

	if (root == NULL)
		return NULL;
	root->len = strlen(name);
	root->hash = hash_name(name, root->len);
	root->id = proc->id;
	root->id.depth = HM_ID_ACTOR;
	(void)snprintf(root->id.actor, sizeof root->id.actor, "%s", name);
	return root;
}

static void
link_up(struct hm_actor *actor)
{
	struct hm_proc *proc = actor->proc;
	struct hm_actor *parent = actor->parent;
	struct hm_actor **first =
	    parent == NULL ? &proc->first : &parent->first;
	struct hm_actor **last = parent == NULL ? &proc->last : &parent->last;
	struct hm_actor **head = bucket(proc, actor->root->hash, actor->index);

	actor->prev = *last;
	if (*last == NULL)
		*first = actor;
	else
		(*last)->next = actor;
	*last = actor;
	actor->chain = *head;
	*head = actor;
	proc->nactors++;
}

static void
unlink_from_tree(struct hm_actor *actor)
{
	struct hm_proc *proc = actor->proc;
	struct hm_actor *parent = actor->parent;
	struct hm_actor **first =
	    parent == NULL ? &proc->first : &parent->first;
	struct hm_actor **last = parent == NULL ? &proc->last : &parent->last;

	*(actor->prev == NULL ? first : &actor->prev->next) = actor->next;
	*(actor->next == NULL ? last : &actor->next->prev) = actor->prev;
	actor->prev = actor->next = actor->parent = NULL;
}

struct hm_actor *
actor_new(struct hm_proc *proc, struct hm_actor *parent, const char *name,
    enum kind kind, struct hm_error *err)
{
	struct hm_actor *actor;

	if (parent == NULL && !hm_name_valid(name, strlen(name))) {
		(void)hm_fail(err, EINVAL, "actor '%s': bad name", name);
		return NULL;
	}
	if (parent == NULL && actor_find(proc, name, strlen(name), 0) != NULL) {
		(void)hm_fail(err, EEXIST, "actor '%s' already exists", name);
		return NULL;
	}
	actor = calloc(1, sizeof *actor);
	if (actor != NULL)
		actor->root =
		    parent != NULL ? parent->root : root_new(proc, name);
	if (actor == NULL || actor->root == NULL || table_grow(proc) == -1) {
		if (actor != NULL && parent == NULL)
			free(actor->root);
		free(actor);
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	actor->root->refs++;
	actor->index = parent == NULL ? 0 : ++actor->root->index;
	actor->proc = proc;
	actor->parent = parent;
	actor->kind = (unsigned char)kind;
	actor->refs = kind == KIND_ACTOR ? 1 : 2;
	mail_init(&actor->mail);
	actor->created = sys_wall();
	link_up(actor);
	return actor;
}

struct hm_actor *
hm_proc_spawn(struct hm_proc *proc, const char *name, hm_handler *fn, void *arg,
    struct hm_error *err)
{
	struct hm_actor *actor = actor_new(proc, NULL, name, KIND_ACTOR, err);

	if (actor == NULL)
		return NULL;
	actor->handle = fn;
	actor->arg = arg;
	return actor;
}

static struct hm_actor *
behave(struct hm_actor *actor, const struct hm_behaviour *behaviour, void *arg)
{
	if (actor == NULL)
		return NULL;
	actor->behaviour = behaviour;
	actor->handle = behaviour->handle;
	actor->returned = behaviour->undeliverable;
	actor->arg = arg;
	actor->fresh = behaviour->init != NULL;
	if (actor->fresh)
		actor_wake(actor);
	return actor;
}

struct hm_actor *
hm_actor_spawn(struct hm_proc *proc, const char *name,
    const struct hm_behaviour *behaviour, void *arg, struct hm_error *err)
{
	return behave(
	    actor_new(proc, NULL, name, KIND_ACTOR, err), behaviour, arg);
}

bool
actor_ending(const struct hm_actor *parent, struct hm_error *err)
{
	char name[HM_NAME_MAX + 24];

	if (parent->phase <= PHASE_DRAINING)
		return false;
	(void)hm_fail(
	    err, ECANCELED, "actor '%s' is ending", actor_name(parent, name));
	return true;
}

struct hm_actor *
hm_actor_spawn_child(struct hm_actor *parent,
    const struct hm_behaviour *behaviour, void *arg, struct hm_error *err)
{
	if (actor_ending(parent, err))
		return NULL;
	return behave(actor_new(parent->proc, parent, NULL, KIND_ACTOR, err),
	    behaviour, arg);
}

void
actor_leave(struct hm_actor *actor)
{
	struct hm_proc *proc = actor->proc;

	table_remove(actor);
	unlink_from_tree(actor);
	ports_close(actor);
	mailbox_return(actor);
	actor->next = proc->husks;
	if (proc->husks != NULL)
		proc->husks->prev = actor;
	proc->husks = actor;
	hm_actor_drop(actor);
}

static void
actor_free(struct hm_actor *actor)
{
	struct hm_proc *proc = actor->proc;

	*(actor->prev == NULL ? &proc->husks : &actor->prev->next) =
	    actor->next;
	if (actor->next != NULL)
		actor->next->prev = actor->prev;
	if (actor->extra != NULL) {
		hm_timer_stop(proc->loop, &actor->extra->timer);
		supervise_forget(actor->extra);
		free(actor->extra->words);
		free(actor->extra->id);
		free(actor->extra->origin);
		free(actor->extra->origin_reason);
		free(actor->extra);
	}
	if (actor->word != NULL && --actor->word->refs == 0)
		free(actor->word);
	end_reason_free(actor);
	if (--actor->root->refs == 0)
		free(actor->root);
	free(actor);
}

void
actors_fini(struct hm_proc *proc)
{
	struct hm_actor *actor;
	struct hm_envelope *env;

	while (proc->first != NULL)
		end_now(proc->first, "its proc ends");
	while ((actor = proc->ready) != NULL) {
		proc->ready = actor->ready;
		hm_actor_drop(actor);
	}
	proc->ready_end = &proc->ready;
	while ((env = mail_take(&proc->system)) != NULL)
		mail_refuse(proc, env, "proc '%s' has ended", proc->id.proc);
	while (proc->husks != NULL)
		actor_free(proc->husks);
	free(proc->table);
	proc->table = NULL;
	proc->ntable = 0;
	ports_fini(proc);
	words_fini(proc);
	snapshots_fini(proc);
	weak_fini(proc);
}

void
hm_actor_hold(struct hm_actor *actor)
{
	actor->refs++;
}

void
hm_actor_drop(struct hm_actor *actor)
{
	if (--actor->refs == 0)
		actor_free(actor);
}

void
hm_actor_free(struct hm_actor *actor)
{
	bool owned;

	if (actor == NULL)
		return;
	owned = actor->kind != KIND_ACTOR;
	end_now(actor, owned ? "instance is dropped" : "freed");
	if (owned)
		hm_actor_drop(actor);
}

struct hm_actor *
actor_walk(const struct hm_proc *proc, const struct hm_actor *top,
    struct hm_actor *actor, size_t *depth)
{
	if (actor == NULL)
		return proc->first;
	if (actor->first != NULL) {
		++*depth;
		return actor->first;
	}
	while (actor != top && actor->next == NULL) {
		actor = actor->parent;
		if (actor == NULL)
			return NULL;
		--*depth;
	}
	return actor == top ? NULL : actor->next;
}

struct extra *
actor_extra(struct hm_actor *actor)
{
	if (actor->extra == NULL) {
		actor->extra = calloc(1, sizeof *actor->extra);
		if (actor->extra != NULL)
			actor->extra->events_end = &actor->extra->events;
	}
	return actor->extra;
}

void
actor_words(struct hm_actor *actor, const char *text)
{
	struct extra *extra = actor_extra(actor);

	if (extra == NULL)
		return;
	free(extra->words);
	extra->words = strdup(text);
}

char *
actor_name(const struct hm_actor *actor, char buf[HM_NAME_MAX + 24])
{
	if (actor->index == 0)
		(void)snprintf(
		    buf, HM_NAME_MAX + 24, "%s", actor->root->id.actor);
	else
		(void)snprintf(buf, HM_NAME_MAX + 24, "%s[%" PRIu64 "]",
		    actor->root->id.actor, actor->index);
	return buf;
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

struct hm_actor *
hm_actor_parent(const struct hm_actor *actor)
{
	return actor->parent;
}

uint64_t
hm_actor_messages(const struct hm_actor *actor)
{
	return actor->messages;
}

void
hm_actor_get_id(const struct hm_actor *actor, struct hm_id *id)
{
	*id = actor->root->id;
	id->index = actor->index;
}

const struct hm_id *
hm_actor_id(const struct hm_actor *actor)
{
	/* What is made on demand is not seen to change. */
	struct hm_actor *self = (struct hm_actor *)(uintptr_t)actor;
	struct extra *extra;

	if (actor->index == 0)
		return &actor->root->id;
	extra = actor_extra(self);
	if (extra == NULL)
		return NULL;
	if (extra->id == NULL) {
		extra->id = malloc(sizeof *extra->id);
		if (extra->id != NULL)
			hm_actor_get_id(actor, extra->id);
	}
	return extra->id;
}

int
hm_refuse(struct hm_actor *self, const char *fmt, ...)
{
	char text[HM_ERROR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	actor_words(self, text);
	return HM_NO;
}

void
hm_settle(struct hm_envelope *msg, enum hm_outcome outcome, const char *reason)
{
	const struct hm_proc *proc = msg->owner;
	char at[HM_ID_TEXT];
	struct hm_id dest;

	/* What a receiver or a sender has is on its way, and in no proc. */
	if (proc == NULL)
		hm_envelope_dest(msg, &dest);
	router_settle(msg, outcome, reason == NULL ? "" : reason,
	    hm_id_print(proc == NULL ? &dest : &proc->id, at, sizeof at));
}

static int
post(struct hm_actor *actor, struct hm_envelope *env, bool checked)
{
	struct hm_id self;

	if (env->anonymous) {
		hm_actor_get_id(actor, &self);
		if (hm_envelope_set_sender(env, &self) == -1)
			return -1;
	}
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
