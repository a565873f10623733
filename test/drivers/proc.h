/*
 * A proc of its own for each check, actors that note what they are given, and
 * turns of the loop until something is so.
 */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "proc/proc_private.h"

#include "check.h"

static struct hm_proc *proc;
static struct hm_error err;
/* The last warning logged, the last error. */
static char logged[1024], logged_error[1024];

static inline void
note_log(void *arg, enum hm_level level, const char *text)
{
	(void)arg;
	if (level == HM_LOG_WARNING)
		(void)snprintf(logged, sizeof logged, "%s", text);
	if (level == HM_LOG_ERROR)
		(void)snprintf(logged_error, sizeof logged_error, "%s", text);
}

/* Nothing leaves it; its limits are short enough to be waited for. */
static inline void
proc_begin(void)
{
	(void)alarm(120);
	proc = hm_proc_local(NULL, &err);
	CHECK(proc != NULL);
	proc->limits.stop_actor_timeout = 10000;
	proc->limits.cleanup_timeout = 10000;
	logged[0] = logged_error[0] = '\0';
	hm_loop_set_log(hm_proc_loop(proc), note_log, NULL);
}

static inline void
proc_end(void)
{
	hm_proc_free(proc);
	proc = NULL;
}

static inline void
turn(int ms)
{
	CHECK(hm_loop_turn(hm_proc_loop(proc), ms) == 0);
}

/* Until there is nothing to do at once. */
static inline void
settle(void)
{
	do
		turn(0);
	while (proc->ready != NULL || proc->system.n > 0 || proc->task.queued);
}

/* What has happened since the last told, in words. */
static char story[1024];

static inline void
note(const char *text)
{
	size_t n = strlen(story);

	(void)snprintf(
	    story + n, sizeof story - n, "%s%s", n > 0 ? " " : "", text);
}

static inline void
told(const char *expected)
{
	settle();
	if (strcmp(story, expected) != 0)
		fprintf(
		    stderr, "got:      %s\nexpected: %s\n", story, expected);
	CHECK(strcmp(story, expected) == 0);
	story[0] = '\0';
}

/* Turns until what is so, or for 20 s. */
#define UNTIL(what)                                                     \
	do {                                                            \
		unsigned turns_ = 0;                                    \
		while (!(what)) {                                       \
			if (turns_++ > 20000) {                         \
				fprintf(stderr, "%s:%d: in vain: %s\n", \
				    __FILE__, __LINE__, #what);         \
				exit(1);                                \
			}                                               \
			turn(1);                                        \
		}                                                       \
	} while (0)

static inline struct hm_actor *
spawn(const char *name, const struct hm_behaviour *behaviour, void *arg)
{
	struct hm_actor *actor =
	    hm_actor_spawn(proc, name, behaviour, arg, &err);

	CHECK(actor != NULL);
	return actor;
}

static inline struct hm_actor *
spawn_child(
    struct hm_actor *parent, const struct hm_behaviour *behaviour, void *arg)
{
	struct hm_actor *actor =
	    hm_actor_spawn_child(parent, behaviour, arg, &err);

	CHECK(actor != NULL);
	return actor;
}

static inline void
post_to(struct hm_actor *from, const struct hm_id *dest, const char *text)
{
	struct hm_draft draft = {NULL, dest, "text/plain", 0, 0, NULL, NULL};
	struct hm_envelope *env =
	    hm_envelope_new(&draft, text, strlen(text), &err);

	CHECK(env != NULL && hm_post(from, env) == 0);
}

static inline void
post_text(struct hm_actor *from, const struct hm_actor *to, const char *text)
{
	struct hm_id dest;

	hm_port_id(to, HM_PORT_DEFAULT, &dest);
	post_to(from, &dest, text);
}

static inline bool
says(const struct hm_envelope *env, const char *text)
{
	return hm_payload_len(env) == strlen(text) &&
	       memcmp(hm_payload(env), text, strlen(text)) == 0;
}

static inline struct hm_id
id_of(const struct hm_actor *actor)
{
	struct hm_id id;

	hm_actor_get_id(actor, &id);
	return id;
}

static inline bool
there(const struct hm_id *id)
{
	return hm_proc_find(proc, id) != NULL;
}

/* Sees how the status of an actor changes. */
struct seen {
	struct hm_actor_watch watch;
	struct hm_actor_status status;
	unsigned changes;
};

static inline void
on_status(
    void *arg, struct hm_actor *actor, const struct hm_actor_status *status)
{
	struct seen *seen = arg;

	(void)actor;
	seen->status = *status;
	seen->changes++;
}

static inline void
watch(struct hm_actor *actor, struct seen *seen)
{
	memset(seen, 0, sizeof *seen);
	seen->watch.fn = on_status;
	seen->watch.arg = seen;
	hm_actor_status(actor, &seen->status);
	CHECK(hm_actor_watch_start(actor, &seen->watch) == 0);
}

static inline bool
has_ended(
    const struct seen *seen, enum hm_actor_state state, const char *reason)
{
	return seen->status.state == state &&
	       strcmp(seen->status.reason, reason) == 0;
}

#endif
