/*
 * Supervision: who hears that an actor has failed, and what comes of it.
 */
#include <errno.h>

#include "proc.h"

static int
fail_at(struct hm_actor *self, struct hm_envelope *msg)
{
	char text[64];

	(void)snprintf(text, sizeof text, "%.*s", (int)hm_payload_len(msg),
	    (const char *)hm_payload(msg));
	if (strcmp(text, "stop") == 0)
		CHECK(hm_actor_stop(self, "by itself") == 0);
	else
		return hm_actor_fail(self, "%s", text);
	return HM_TAKEN;
}

static int
tell_end(struct hm_actor *self, const struct hm_actor_status *end)
{
	char text[128];
	struct hm_id id = id_of(self);

	(void)snprintf(text, sizeof text, "%s%llu-%s", id.actor,
	    (unsigned long long)id.index, hm_actor_state_name(end->state));
	note(text);
	return HM_TAKEN;
}

/* What its actor says is told; arg says what is answered. */
static int
supervise(struct hm_actor *self, const struct hm_event *event)
{
	const int *answer = hm_actor_arg(self);
	struct hm_actor *child = hm_proc_find(proc, &event->actor);
	struct hm_actor_status status;
	char text[300];

	/* The event goes before the status is seen. */
	CHECK(child != NULL);
	hm_actor_status(child, &status);
	CHECK(!hm_actor_state_terminal(status.state));
	(void)snprintf(text, sizeof text, "(%llu:%s:%s from %llu:%s)",
	    (unsigned long long)event->actor.index,
	    event->failed ? "failed" : "stopped", event->reason,
	    (unsigned long long)event->origin.index, event->origin_reason);
	note(text);
	return *answer;
}

static const struct hm_behaviour plain = {NULL, fail_at, NULL, NULL, tell_end};
static const struct hm_behaviour watching = {
    NULL, fail_at, NULL, supervise, tell_end};
static int yes = HM_TAKEN, no = HM_NO;

/* The coordinator: notes the events it is sent. */
static int
coordinate(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_json *json;
	struct hm_id id;
	char text[300];

	(void)self;
	CHECK(hm_envelope_type_is(msg, HM_TYPE_EVENT));
	json = hm_json_parse(hm_payload(msg), hm_payload_len(msg), &err);
	CHECK(json != NULL);
	CHECK(hm_id_parse(&id, hm_json_string(json, "actor", ""), &err) == 0);
	CHECK(hm_json_double(json, "at", 0) > 1e9);
	(void)snprintf(text, sizeof text, "<%s:%s:%s from %s>", id.actor,
	    hm_json_bool(json, "failed", false) ? "failed" : "stopped",
	    hm_json_string(json, "reason", ""),
	    strrchr(hm_json_string(json, "origin", ","), ',') + 1);
	note(text);
	hm_json_free(json);
	return HM_TAKEN;
}

static void
begin(bool with_coordinator)
{
	struct hm_actor *actor;

	proc_begin();
	story[0] = '\0';
	if (!with_coordinator)
		return;
	actor = hm_proc_spawn(proc, "coordinator", coordinate, NULL, &err);
	CHECK(actor != NULL);
	CHECK(hm_proc_supervise(proc, actor, HM_PORT_DEFAULT) == 0);
	CHECK(hm_proc_supervise(proc, actor, HM_PORT_DEFAULT) == -1 &&
	      errno == EEXIST);
}

/* test_parent_failure: its children are stopped first, and it goes to the
 * coordinator (test_supervision_event_failure). */
static void
parent_failure(void)
{
	struct hm_actor *root, *child;
	struct seen seen[2];

	begin(true);
	root = spawn("r", &plain, NULL);
	child = spawn_child(root, &plain, NULL);
	(void)spawn_child(child, &plain, NULL);
	watch(root, &seen[0]);
	watch(child, &seen[1]);
	post_text(root, root, "boom");
	told("r2-stopped r1-stopped r0-failed <r:failed:boom from r[0]>");
	CHECK(has_ended(&seen[0], HM_ACTOR_FAILED, "boom"));
	CHECK(has_ended(&seen[1], HM_ACTOR_STOPPED, "parent stopping"));
	CHECK(strstr(logged, "actor 'r' failed: boom") != NULL);
	CHECK(logged_error[0] == '\0');
	proc_end();
}

/* test_local_supervision_propagation, test_supervision_event_propagated: what
 * nobody handles goes up, each failing in turn, and who failed first is kept;
 * where it is handled it ends. */
static void
propagation(void)
{
	struct hm_actor *root, *middle, *child;
	struct seen seen;

	begin(true);
	root = spawn("r", &watching, &no);
	middle = spawn_child(root, &plain, NULL);
	child = spawn_child(middle, &plain, NULL);
	watch(root, &seen);
	post_text(root, child, "boom");
	told("r2-failed r1-failed "
	     "(1:failed:actor 'r[2]' failed: boom from 2:boom) r0-failed "
	     "<r:failed:actor 'r[1]' failed: actor 'r[2]' failed: boom "
	     "from r[2]>");
	CHECK(has_ended(&seen, HM_ACTOR_FAILED,
	    "actor 'r[1]' failed: actor 'r[2]' failed: boom"));
	root = spawn("r", &watching, &yes);
	middle = spawn_child(root, &plain, NULL);
	child = spawn_child(middle, &plain, NULL);
	post_text(root, child, "boom");
	told("r2-failed r1-failed "
	     "(1:failed:actor 'r[2]' failed: boom from 2:boom)");
	CHECK(!proc->stopped);
	child = spawn_child(root, &plain, NULL);
	CHECK(id_of(child).index == 3);
	proc_end();
}

/* test_supervision_event_clean_stop: told to the parent and absorbed; of a root
 * to the coordinator (test_coordinator_receives_clean_stop). */
static void
clean_stop(void)
{
	struct hm_actor *root, *child;

	begin(true);
	root = spawn("r", &watching, &yes);
	child = spawn_child(root, &plain, NULL);
	post_text(root, child, "stop");
	told("r1-stopped (1:stopped:by itself from 1:by itself)");
	child = spawn_child(spawn("s", &plain, NULL), &plain, NULL);
	post_text(root, child, "stop");
	told("s1-stopped");
	CHECK(hm_proc_actor(proc, "s") != NULL);
	post_text(root, root, "stop");
	told("r0-stopped <r:stopped:by itself from r[0]>");
	/* Freed at once counts as stopped in order, too. */
	hm_actor_free(hm_proc_actor(proc, "s"));
	told("s0-stopped <s:stopped:freed from s[0]>");
	proc_end();
}

/* test_actor_terminate_without_coordinator: hm_proc_run returns 1, and the
 * event was logged; a clean stop is nobody's business. */
static void
without_coordinator(void)
{
	struct hm_actor *root;

	begin(false);
	root = spawn("s", &plain, NULL);
	post_text(root, root, "stop");
	told("s0-stopped");
	CHECK(!proc->stopped);
	root = spawn("r", &plain, NULL);
	post_text(root, spawn_child(root, &plain, NULL), "boom");
	CHECK(hm_proc_run(proc) == 1);
	told("r1-failed r0-failed");
	CHECK(strcmp(logged_error,
		  "local:0,local,r[0] failed, and nobody handles it: actor "
		  "'r[1]' failed: boom; first failed local:0,local,r[1]: "
		  "boom") == 0);
	proc_end();
}

/* A coordinator that is gone, or fails itself, is none. */
static void
coordinator_fails(void)
{
	struct hm_actor *actor, *other;

	begin(false);
	actor = spawn("c", &plain, NULL);
	other = spawn("o", &plain, NULL);
	CHECK(hm_proc_supervise(proc, actor, HM_PORT_DEFAULT) == 0);
	post_text(actor, actor, "boom");
	CHECK(hm_proc_run(proc) == 1);
	CHECK(strstr(logged_error, "c[0] failed, and nobody handles it: boom"));
	proc->stopped = false;
	post_text(other, other, "bang");
	CHECK(hm_proc_run(proc) == 1);
	CHECK(strstr(logged_error, "o[0] failed, and nobody handles it: bang"));
	proc_end();
	/* Nor is one whose port is not open. */
	begin(false);
	actor = spawn("c", &plain, NULL);
	other = spawn("o", &plain, NULL);
	CHECK(hm_proc_supervise(proc, actor, 4711) == 0);
	post_text(other, other, "bang");
	CHECK(hm_proc_run(proc) == 1);
	CHECK(strstr(logged_error, "o[0] failed, and nobody handles it: bang"));
	proc_end();
}

static int
fail_init(struct hm_actor *self)
{
	return hm_actor_fail(self, "cannot begin");
}

static int
say_no(struct hm_actor *self)
{
	(void)self;
	return -1;
}

static int
fail_end(struct hm_actor *self, const struct hm_actor_status *end)
{
	(void)end;
	return hm_actor_fail(self, "cannot clean up");
}

/* init and stopped may fail, too. */
static void
failing_at_the_ends(void)
{
	static const struct hm_behaviour begins = {
	    fail_init, fail_at, NULL, NULL, tell_end};
	static const struct hm_behaviour refuses = {
	    say_no, fail_at, NULL, NULL, tell_end};
	static const struct hm_behaviour ends = {
	    NULL, fail_at, NULL, NULL, fail_end};
	struct hm_actor *actor;
	struct seen seen;

	begin(true);
	watch(spawn("b", &begins, NULL), &seen);
	told("b0-failed <b:failed:cannot begin from b[0]>");
	CHECK(has_ended(&seen, HM_ACTOR_FAILED, "cannot begin"));
	watch(spawn("b", &refuses, NULL), &seen);
	told("b0-failed <b:failed:init failed from b[0]>");
	actor = spawn("e", &ends, NULL);
	watch(actor, &seen);
	CHECK(hm_actor_stop(actor, "please") == 0);
	told("<e:failed:cannot clean up from e[0]>");
	CHECK(has_ended(&seen, HM_ACTOR_FAILED, "cannot clean up"));
	proc_end();
}

static struct hm_actor *waited_for;

static int
wait_for_child(struct hm_actor *self, struct hm_envelope *msg)
{
	struct seen seen;

	(void)self;
	(void)msg;
	watch(waited_for, &seen);
	post_text(self, waited_for, "boom");
	UNTIL(hm_actor_state_terminal(seen.status.state));
	note("waited");
	return HM_TAKEN;
}

static int
judge(struct hm_actor *self, const struct hm_event *event)
{
	(void)self;
	note(event->failed ? "judged" : "heard");
	return HM_NO;
}

/* A parent that waits in its handler for the end of a child is told behind
 * that, as it cannot be called meanwhile. */
static void
busy_parent(void)
{
	static const struct hm_behaviour waits = {
	    NULL, wait_for_child, NULL, judge, tell_end};
	struct hm_actor *root;

	begin(true);
	root = spawn("w", &waits, NULL);
	waited_for = spawn_child(root, &plain, NULL);
	post_text(root, root, "go");
	told("w1-failed waited judged w0-failed "
	     "<w:failed:actor 'w[1]' failed: boom from w[1]>");
	proc_end();
}

static int
turn_within(struct hm_actor *self, const struct hm_event *event)
{
	(void)self;
	note("told");
	turn(0);
	turn(0);
	CHECK(hm_proc_find(proc, &event->actor) != NULL);
	return HM_TAKEN;
}

static int
free_it(struct hm_actor *self, const struct hm_event *event)
{
	(void)self;
	note("told");
	hm_actor_free(hm_proc_find(proc, &event->actor));
	CHECK(hm_proc_find(proc, &event->actor) == NULL);
	return HM_TAKEN;
}

/* Who is told turns the loop, or frees the child: told once, it is, and the end
 * is not seen before it has heard of it. */
static void
told_once(void)
{
	static const struct hm_behaviour turns = {
	    NULL, fail_at, NULL, turn_within, tell_end};
	static const struct hm_behaviour frees = {
	    NULL, fail_at, NULL, free_it, tell_end};
	struct hm_actor *root;

	begin(true);
	root = spawn("r", &turns, NULL);
	post_text(root, spawn_child(root, &plain, NULL), "boom");
	told("r1-failed told");
	CHECK(root->first == NULL);
	root = spawn("s", &frees, NULL);
	post_text(root, spawn_child(root, &plain, NULL), "boom");
	told("s1-failed told");
	CHECK(root->first == NULL);
	proc_end();
}

static int
respawn(struct hm_actor *self, const struct hm_event *event)
{
	struct hm_actor *child = hm_actor_spawn_child(self, &plain, NULL, &err);
	struct hm_actor_status status;

	hm_actor_status(self, &status);
	CHECK((child == NULL) == (status.state == HM_ACTOR_STOPPING));
	(void)event;
	return HM_TAKEN;
}

/* A parent that makes a new child of each that ends still ends itself. */
static void
restarting(void)
{
	static const struct hm_behaviour restarts = {
	    NULL, fail_at, NULL, respawn, tell_end};
	struct hm_actor *root, *child;
	int i;

	begin(true);
	root = spawn("r", &restarts, NULL);
	(void)spawn_child(root, &plain, NULL);
	for (i = 0; i < 3; i++) {
		post_text(root, root->first, "boom");
		settle();
	}
	told("r1-failed r2-failed r3-failed");
	child = root->first;
	CHECK(child != NULL && id_of(child).index == 4);
	CHECK(hm_actor_stop(root, "enough") == 0);
	told("r4-stopped r0-stopped <r:stopped:enough from r[0]>");
	root = spawn("r", &restarts, NULL);
	(void)spawn_child(root, &plain, NULL);
	hm_actor_free(root);
	told("r1-stopped r0-stopped <r:stopped:freed from r[0]>");
	proc_end();
}

static void
ended(const char *name, bool fails)
{
	struct hm_actor *actor = spawn(name, &plain, NULL);

	post_text(actor, actor, fails ? "boom" : "stop");
	settle();
}

/* test_terminated_snapshot_{stop,failure,has_failure_info,no_failure_info}, and
 * which of them are kept. */
static void
snapshots(void)
{
	struct hm_actor *root, *child;
	struct hm_id id, below, *ids;
	const char *json;
	char names[64] = "";
	size_t i, n;

	begin(true);
	root = spawn("r", &plain, NULL);
	child = spawn_child(root, &plain, NULL);
	id = id_of(root);
	below = id_of(child);
	CHECK(hm_proc_terminated(proc, &id) == NULL);
	post_text(root, child, "boom");
	settle();
	json = hm_proc_terminated(proc, &id);
	CHECK(json != NULL && strstr(json, "\"status\":\"failed\"") != NULL);
	CHECK(strstr(json, "\"origin\":\"local:0,local,r[1]\"") != NULL);
	CHECK(strstr(json, "\"origin_reason\":\"boom\"") != NULL);
	json = hm_proc_terminated(proc, &below);
	CHECK(json != NULL && strstr(json, "\"reason\":\"boom\"") != NULL);
	CHECK(strstr(json, "\"parent\":\"local:0,local,r[0]\"") != NULL);
	CHECK(strstr(json, "\"last_handler\":\"text/plain\"") != NULL);
	ended("r", false);
	json = hm_proc_terminated(proc, &id);
	CHECK(strstr(json, "\"status\":\"stopped\"") != NULL);
	CHECK(strstr(json, "\"reason\":\"by itself\"") != NULL);
	CHECK(strstr(json, "origin") == NULL);
	proc_end();

	begin(true);
	proc->limits.snapshot_retention = 3;
	ended("a", false);
	ended("b", true);
	ended("c", false);
	ended("d", false);
	ended("e", true);
	ended("f", true);
	ended("g", true);
	ended("h", false);
	CHECK(hm_proc_ids(proc, HM_IDS_TERMINATED, &ids, &n) == 0);
	for (i = 0; i < n; i++)
		strcat(names, ids[i].actor);
	free(ids);
	CHECK(strcmp(names, "bef") == 0);
	proc_end();
}

int
main(void)
{
	parent_failure();
	propagation();
	clean_stop();
	without_coordinator();
	coordinator_fails();
	failing_at_the_ends();
	busy_parent();
	told_once();
	restarting();
	snapshots();
	return 0;
}
