/*
 * What is told of actors: their statuses in words, introspection, watches that
 * are stopped, ends by id, and events that nobody handled.
 */
#include <errno.h>

#include "proc.h"
#include "proc/agent.h"

static char printed[8][600];
static unsigned nprinted;

static const char *
status_of(const struct hm_actor *actor)
{
	static char text[600];
	struct hm_actor_status status;

	hm_actor_status(actor, &status);
	return hm_actor_status_print(&status, text, sizeof text);
}

static void
note_status(const struct hm_actor *actor)
{
	CHECK(nprinted < 8);
	(void)snprintf(
	    printed[nprinted++], sizeof *printed, "%s", status_of(actor));
}

static int
on_init(struct hm_actor *self)
{
	note_status(self);
	return 0;
}

static int
on_message(struct hm_actor *self, struct hm_envelope *msg)
{
	note_status(self);
	return says(msg, "fail") ? hm_actor_fail(self, "boom") : HM_TAKEN;
}

static int
on_stopped(struct hm_actor *self, const struct hm_actor_status *end)
{
	(void)end;
	note_status(self);
	return HM_TAKEN;
}

static const struct hm_behaviour noting = {
    on_init, on_message, NULL, NULL, on_stopped};
static const struct hm_behaviour plain = {NULL, NULL, NULL, NULL, NULL};

static bool
was(unsigned i, const char *want)
{
	if (i < nprinted && strncmp(printed[i], want, strlen(want)) == 0)
		return true;
	fprintf(stderr, "%u: %s, not %s\n", i, printed[i], want);
	return false;
}

/* Each status as a person reads it, from the first to the last. */
static void
in_words(void)
{
	struct hm_actor *actor, *client;
	struct hm_actor_status status;
	char text[24];

	proc_begin();
	nprinted = 0;
	actor = spawn("a", &noting, NULL);
	hm_actor_hold(actor);
	client = hm_proc_instance(proc, "client", &err);
	CHECK(strcmp(status_of(client), "client") == 0);
	CHECK(strcmp(status_of(actor), "created") == 0);
	post_text(client, actor, "one");
	settle();
	CHECK(strcmp(status_of(actor), "idle") == 0);
	CHECK(hm_actor_stop(actor, "enough") == 0);
	settle();
	CHECK(strcmp(status_of(actor), "stopped: enough") == 0);
	CHECK(nprinted == 3 && was(0, "initializing"));
	CHECK(was(1, "processing text/plain for ") && was(2, "stopping: "));
	CHECK(strcmp(printed[1] + strlen(printed[1]) - 2, "ms") == 0);
	hm_actor_status(actor, &status);
	hm_actor_drop(actor);
	/* What does not fit is cut. */
	CHECK(hm_actor_status_print(&status, text, 12) == text);
	CHECK(strcmp(text, "stopped: en") == 0);

	actor = spawn("a", &noting, NULL);
	hm_actor_hold(actor);
	post_text(client, actor, "fail");
	settle();
	CHECK(strcmp(status_of(actor), "failed: boom") == 0);
	hm_actor_drop(actor);
	proc_end();
}

static struct hm_json *
parsed(const char *text)
{
	struct hm_json *json = hm_json_parse(text, strlen(text), &err);

	CHECK(json != NULL);
	return json;
}

/* What its introspection port answers is what hm_actor_introspect says, and
 * what is kept of it when it has ended. */
static void
introspected(void)
{
	struct hm_actor *actor, *client;
	struct hm_envelope *answer;
	struct hm_json *json;
	struct hm_id dest, id;
	char *text;

	proc_begin();
	nprinted = 0;
	actor = spawn("a", &noting, NULL);
	(void)spawn_child(actor, &plain, NULL);
	id = id_of(actor);
	client = hm_proc_instance(proc, "client", &err);
	post_text(client, actor, "one");
	settle();
	text = hm_actor_introspect(actor);
	CHECK(text != NULL);
	hm_port_id(actor, HM_PORT_INTROSPECT, &dest);
	answer = hm_call(client, &dest, "", 0, 5000, &err);
	CHECK(answer != NULL && says(answer, text));
	hm_envelope_free(answer);
	json = parsed(text);
	free(text);
	CHECK(strcmp(hm_json_string(json, "status", ""), "idle") == 0);
	CHECK(strcmp(hm_json_string(json, "last_handler", ""), "text/plain") ==
	      0);
	CHECK(hm_json_double(json, "messages", 0) == 1);
	CHECK(hm_json_double(json, "nchildren", 0) == 1);
	hm_json_free(json);
	CHECK(hm_proc_terminated(proc, &id) == NULL);
	CHECK(hm_actor_stop(actor, "enough") == 0);
	settle();
	json = parsed(hm_proc_terminated(proc, &id));
	CHECK(strcmp(hm_json_string(json, "status", ""), "stopped") == 0);
	CHECK(strcmp(hm_json_string(json, "reason", ""), "enough") == 0);
	CHECK(hm_json_double(json, "messages", 0) == 1);
	hm_json_free(json);
	proc_end();
}

static struct seen *to_stop;

static void
stop_other(
    void *arg, struct hm_actor *actor, const struct hm_actor_status *status)
{
	on_status(arg, actor, status);
	hm_actor_watch_stop(&to_stop->watch);
}

/* Who has stopped watching hears nothing, also if it is due in the same
 * change; stopping twice, or after the end, is harmless. */
static void
no_longer_watched(void)
{
	struct seen first, second, third;
	struct hm_actor *actor;

	proc_begin();
	actor = spawn("a", &plain, NULL);
	settle();
	watch(actor, &first);
	watch(actor, &second);
	watch(actor, &third);
	first.watch.fn = stop_other;
	to_stop = &second;
	hm_actor_watch_stop(&third.watch);
	hm_actor_watch_stop(&third.watch);
	CHECK(hm_actor_abort(actor, "now") == 0);
	settle();
	CHECK(has_ended(&first, HM_ACTOR_STOPPED, "now"));
	CHECK(second.changes == 0 && third.changes == 0);
	hm_actor_watch_stop(&first.watch);
	proc_end();
}

static int
never(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)self;
	(void)msg;
	CHECK(false);
	return HM_TAKEN;
}

/* abort_root_actor, stop_actor: by id, with a watch of the end; nothing is
 * waited for, and of one that is unknown there is nothing to watch. */
static void
by_id(void)
{
	static const struct hm_behaviour idle = {NULL, never, NULL, NULL, NULL};
	struct hm_actor *root, *child;
	struct seen seen = {0}, below = {0}, none = {0};
	struct hm_id id, id_below;

	seen.watch.fn = below.watch.fn = none.watch.fn = on_status;
	seen.watch.arg = &seen;
	below.watch.arg = &below;
	none.watch.arg = &none;
	proc_begin();
	root = spawn("r", &idle, NULL);
	child = spawn_child(root, &idle, NULL);
	id = id_of(root);
	id_below = id_of(child);
	settle();
	/* Any actor, with what is in its mailbox. */
	post_text(root, child, "never handled");
	CHECK(hm_proc_abort_actor(proc, &id_below, "first", &below.watch) == 0);
	settle();
	CHECK(has_ended(&below, HM_ACTOR_STOPPED, "first"));
	CHECK(there(&id) && !there(&id_below));
	CHECK(hm_proc_abort_actor(proc, &id_below, "x", &none.watch) == -1);
	CHECK(errno == ESRCH);
	CHECK(hm_proc_stop_actor(proc, &id_below, "x", &none.watch) == -1);
	CHECK(errno == ESRCH);
	post_text(root, root, "never handled");
	CHECK(hm_proc_abort_actor(proc, &id, "second", &seen.watch) == 0);
	settle();
	CHECK(has_ended(&seen, HM_ACTOR_STOPPED, "second"));
	(void)spawn("r", &plain, NULL);
	CHECK(hm_proc_stop_actor(proc, &id, "third", &seen.watch) == 0);
	settle();
	CHECK(has_ended(&seen, HM_ACTOR_STOPPED, "third"));
	(void)spawn("r", &plain, NULL);
	CHECK(hm_proc_abort_actor(proc, &id, "fourth", NULL) == 0);
	settle();
	CHECK(!there(&id) && none.changes == 0);
	proc_end();
}

static char event[256];

static int
coordinate(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_json *json;

	(void)self;
	CHECK(hm_envelope_type_is(msg, HM_TYPE_EVENT));
	json = hm_json_parse(hm_payload(msg), hm_payload_len(msg), &err);
	CHECK(json != NULL);
	(void)snprintf(event, sizeof event, "%s:%s",
	    hm_json_bool(json, "failed", false) ? "failed" : "stopped",
	    hm_json_string(json, "reason", ""));
	hm_json_free(json);
	return HM_TAKEN;
}

/* handle_unhandled_supervision_event: without a coordinator a clean end is
 * nobody's business, and a failure ends the proc; else it is the
 * coordinator's. */
static void
unhandled(void)
{
	struct hm_event told;

	proc_begin();
	memset(&told, 0, sizeof told);
	CHECK(hm_id_parse(&told.actor, "unix:/h,w,a[0]", &err) == 0);
	told.origin = told.actor;
	told.reason = told.origin_reason = "enough";
	hm_proc_unhandled(proc, &told);
	settle();
	CHECK(!proc->stopped && logged_error[0] == '\0');
	told.failed = true;
	told.reason = told.origin_reason = "boom";
	hm_proc_unhandled(proc, &told);
	CHECK(hm_proc_run(proc) == 1);
	CHECK(strcmp(logged_error,
		  "unix:/h,w,a[0] failed, and nobody handles it: boom") == 0);
	proc_end();

	proc_begin();
	CHECK(hm_proc_supervise(proc,
		  hm_proc_spawn(proc, "c", coordinate, NULL, &err),
		  HM_PORT_DEFAULT) == 0);
	hm_proc_unhandled(proc, &told);
	settle();
	CHECK(strcmp(event, "failed:boom") == 0);
	told.failed = false;
	hm_proc_unhandled(proc, &told);
	settle();
	CHECK(strcmp(event, "stopped:boom") == 0 && !proc->stopped);
	CHECK(logged_error[0] == '\0');
	proc_end();
}

/* AgentSpawnFailure: a proc whose agent cannot be made says whose, and why. */
static void
no_agent(void)
{
	proc_begin();
	(void)spawn("agent", &plain, NULL);
	CHECK(hm_agent_install(proc, &err) == -1);
	CHECK(err.kind == HM_ERR_AGENT && err.code == EEXIST);
	CHECK(strncmp(err.text,
		  "failed to spawn agent on proc 'local': ", 39) == 0);
	hm_actor_free(hm_proc_actor(proc, "agent"));
	CHECK(hm_agent_install(proc, &err) == 0);
	proc_end();
}

int
main(void)
{
	in_words();
	introspected();
	no_longer_watched();
	by_id();
	unhandled();
	no_agent();
	return 0;
}
