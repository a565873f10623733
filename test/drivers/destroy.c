/*
 * The ends that take time: drains, clean-ups and their deadlines, and the end
 * of all actors of a proc.
 */
#include <errno.h>

#include "proc.h"

static unsigned handled, ends, events;

static int
take(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)self;
	(void)msg;
	handled++;
	return HM_TAKEN;
}

static int
count_end(struct hm_actor *self, const struct hm_actor_status *end)
{
	(void)self;
	(void)end;
	ends++;
	return HM_TAKEN;
}

static int
clean_later(struct hm_actor *self, const struct hm_actor_status *end)
{
	(void)self;
	(void)end;
	ends++;
	return HM_LATER;
}

static const struct hm_behaviour plain = {NULL, take, NULL, NULL, count_end};
static const struct hm_behaviour slowly = {NULL, take, NULL, NULL, clean_later};

static int
coordinate(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)self;
	(void)msg;
	events++;
	return HM_TAKEN;
}

static void
begin(void)
{
	proc_begin();
	handled = ends = events = 0;
}

/* What does not drain is aborted after STOP_ACTOR_TIMEOUT, with what is below
 * it; what does not clean up is over after CLEANUP_TIMEOUT, or when it says
 * so. */
static void
deadlines(void)
{
	struct hm_actor *root, *child;
	struct seen seen, below;

	begin();
	proc->limits.stop_actor_timeout = 50;
	proc->limits.cleanup_timeout = 50;
	root = spawn("r", &plain, NULL);
	child = spawn_child(root, &plain, NULL);
	watch(root, &seen);
	watch(child, &below);
	hm_actor_pause(child, true);
	post_text(root, child, "never");
	CHECK(hm_actor_stop(root, "please") == 0);
	settle();
	CHECK(seen.status.state == HM_ACTOR_STOPPING && ends == 0);
	UNTIL(has_ended(&seen, HM_ACTOR_STOPPED, "please"));
	CHECK(has_ended(&below, HM_ACTOR_STOPPED, "parent stopping"));
	CHECK(handled == 0 && ends == 2);
	CHECK(strstr(logged, "came back") != NULL);

	root = spawn("r", &slowly, NULL);
	watch(root, &seen);
	CHECK(hm_actor_stop(root, "please") == 0);
	settle();
	CHECK(ends == 3 && seen.status.state == HM_ACTOR_STOPPING);
	UNTIL(has_ended(&seen, HM_ACTOR_STOPPED, "please"));
	CHECK(strcmp(logged, "actor 'r' has not cleaned up in time") == 0);

	proc->limits.cleanup_timeout = 0;
	root = spawn("r", &slowly, NULL);
	watch(root, &seen);
	CHECK(hm_actor_abort(root, "now") == 0);
	settle();
	CHECK(seen.status.state == HM_ACTOR_STOPPING);
	hm_actor_done(root);
	settle();
	CHECK(has_ended(&seen, HM_ACTOR_STOPPED, "now") && ends == 4);
	proc_end();
}

/* An answer to a question of one that drains still comes. */
static int
ask_on(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_envelope *answer;

	(void)msg;
	answer = hm_call(self, hm_actor_arg(self), "ping", 4, 5000, &err);
	CHECK(answer != NULL);
	hm_envelope_free(answer);
	handled++;
	return HM_TAKEN;
}

static int
echo(struct hm_actor *self, struct hm_envelope *msg)
{
	return hm_reply(self, msg, hm_payload(msg), hm_payload_len(msg));
}

static void
draining_may_ask(void)
{
	static const struct hm_behaviour asks = {
	    NULL, ask_on, NULL, NULL, count_end};
	struct hm_actor *actor, *answering;
	struct hm_id dest;

	begin();
	answering = hm_proc_spawn(proc, "echo", echo, NULL, &err);
	hm_port_id(answering, HM_PORT_DEFAULT, &dest);
	actor = spawn("a", &asks, &dest);
	post_text(actor, actor, "ask");
	CHECK(hm_actor_stop(actor, "soon") == 0);
	UNTIL(ends == 1);
	CHECK(handled == 1);
	proc_end();
}

static void
destroyed(uint64_t timeout, struct hm_actor *caller, bool spare, size_t stopped,
    size_t left)
{
	struct hm_destroyed done;

	CHECK(hm_proc_destroy(
		  proc, timeout, "the end", caller, spare, &done, &err) == 0);
	if (done.nstopped != stopped || done.nleft != left)
		fprintf(stderr, "stopped %zu, left %zu\n", done.nstopped,
		    done.nleft);
	CHECK(done.nstopped == stopped && done.nleft == left);
	if (stopped > 0)
		CHECK(done.stopped[0].index == 0);
	hm_destroyed_fini(&done);
}

/* test_coordinator_shuts_down_last_during_destroy */
static void
all(void)
{
	struct hm_actor *coordinator, *one, *client;
	struct seen seen;
	struct hm_id *ids;
	size_t n;

	begin();
	coordinator = hm_proc_spawn(proc, "c", coordinate, NULL, &err);
	CHECK(hm_proc_supervise(proc, coordinator, HM_PORT_DEFAULT) == 0);
	one = spawn("one", &plain, NULL);
	(void)spawn_child(one, &plain, NULL);
	(void)spawn("two", &plain, NULL);
	client = hm_proc_instance(proc, "client", &err);
	post_text(client, one, "drained");
	watch(coordinator, &seen);
	destroyed(20000, NULL, false, 3, 0);
	CHECK(handled == 1 && ends == 3);
	CHECK(events == 2 && hm_actor_messages(coordinator) == 2);
	CHECK(has_ended(&seen, HM_ACTOR_STOPPED, "the end"));
	CHECK(hm_proc_ids(proc, HM_IDS_LIVE, &ids, &n) == 0 && n == 1);
	free(ids);
	hm_actor_free(client);
	/* There is nothing any more. */
	destroyed(20000, NULL, false, 0, 0);
	proc_end();
}

/* What does not stop in time is told of, and aborted; the time is one in all,
 * also where the coordinator hangs. */
static void
in_time(void)
{
	struct hm_actor *coordinator, *one, *inverted;
	struct hm_loop *loop;
	struct seen seen;
	uint64_t begun;

	begin();
	loop = hm_proc_loop(proc);
	coordinator = hm_proc_spawn(proc, "c", coordinate, NULL, &err);
	CHECK(hm_proc_supervise(proc, coordinator, HM_PORT_DEFAULT) == 0);
	one = spawn("one", &plain, NULL);
	(void)spawn("two", &plain, NULL);
	inverted = hm_proc_actor_instance(proc, "inverted", &err);
	CHECK(inverted != NULL);
	watch(one, &seen);
	hm_actor_pause(one, true);
	hm_actor_pause(coordinator, true);
	post_text(one, one, "never");
	turn(0);
	begun = hm_loop_now(loop);
	destroyed(200, NULL, false, 1, 3);
	CHECK(hm_loop_now(loop) - begun >= 200);
	CHECK(hm_loop_now(loop) - begun < 400 * 5);
	settle();
	CHECK(has_ended(&seen, HM_ACTOR_STOPPED, "the end"));
	CHECK(handled == 0);
	CHECK(hm_port_try_recv(inverted, HM_PORT_SIGNAL) == NULL &&
	      errno == ECANCELED);
	hm_actor_free(inverted);
	proc_end();
}

static bool spare;

static int
destroy_all(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	destroyed(20000, self, spare, 1, spare ? 0 : 1);
	CHECK(hm_proc_actor(proc, "other") == NULL);
	CHECK(hm_proc_actor(proc, "self") == self);
	handled++;
	return HM_TAKEN;
}

/* From a handler: its own actor is left for the end, or spared. */
static void
from_within(void)
{
	static const struct hm_behaviour destroys = {
	    NULL, destroy_all, NULL, NULL, count_end};
	struct hm_actor *self;
	struct seen seen;

	begin();
	self = spawn("self", &destroys, NULL);
	for (spare = true;; spare = false) {
		(void)spawn("other", &plain, NULL);
		handled = ends = 0;
		post_text(self, self, "go");
		if (!spare)
			watch(self, &seen);
		UNTIL(handled == 1);
		settle();
		if (!spare)
			break;
		CHECK(hm_proc_actor(proc, "self") == self && ends == 1);
	}
	CHECK(has_ended(&seen, HM_ACTOR_STOPPED, "the end") && ends == 2);
	proc_end();
}

static int
free_itself(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	handled++;
	hm_actor_free(self);
	CHECK(ends == 0);
	return hm_refuse(self, "freed");
}

static int
free_parent(struct hm_actor *self, const struct hm_actor_status *end)
{
	struct hm_actor *parent = hm_actor_parent(self);

	(void)end;
	ends++;
	if (parent != NULL)
		hm_actor_free(parent);
	return HM_TAKEN;
}

/* Freed in its own handler it cleans up when that has returned; and callbacks
 * may free whom they like. */
static void
freed_within(void)
{
	static const struct hm_behaviour frees = {
	    NULL, free_itself, NULL, NULL, count_end};
	static const struct hm_behaviour frees_up = {
	    NULL, take, NULL, NULL, free_parent};
	struct hm_actor *actor, *child;

	begin();
	actor = spawn("a", &frees, NULL);
	post_text(actor, actor, "go");
	post_text(actor, actor, "back");
	settle();
	CHECK(handled == 1 && ends == 1 && hm_proc_actor(proc, "a") == NULL);
	ends = 0;
	actor = spawn("a", &frees_up, NULL);
	child = spawn_child(actor, &frees_up, NULL);
	(void)spawn_child(child, &frees_up, NULL);
	(void)spawn_child(child, &frees_up, NULL);
	hm_actor_free(child);
	settle();
	CHECK(ends == 4 && proc->first == NULL && proc->husks == NULL);
	ends = 0;
	actor = spawn("a", &frees_up, NULL);
	child = spawn_child(actor, &frees_up, NULL);
	(void)spawn_child(child, &frees_up, NULL);
	CHECK(hm_actor_stop(actor, "please") == 0);
	settle();
	CHECK(ends == 3 && proc->first == NULL && proc->husks == NULL);
	proc_end();
}

/* Whoever holds it may look at it, not at what it was. */
static void
held(void)
{
	struct hm_actor *actor;
	struct hm_actor_status status;

	begin();
	actor = spawn("a", &plain, NULL);
	hm_actor_hold(actor);
	hm_actor_free(actor);
	hm_actor_status(actor, &status);
	CHECK(status.state == HM_ACTOR_STOPPED);
	CHECK(hm_actor_stop(actor, "again") == -1 && errno == ESRCH);
	CHECK(hm_actor_abort(actor, "again") == -1 && errno == ESRCH);
	CHECK(hm_port_open(actor, NULL, false) == 0);
	CHECK(hm_actor_spawn_child(actor, &plain, NULL, &err) == NULL);
	CHECK(err.code == ECANCELED);
	hm_actor_drop(actor);
	CHECK(proc->husks == NULL);
	proc_end();
}

int
main(void)
{
	deadlines();
	draining_may_ask();
	all();
	in_time();
	from_within();
	freed_within();
	held();
	return 0;
}
