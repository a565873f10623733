/*
 * Procs inside this process: born, told apart, asked to stop, watched, ended
 * within a time, and by themselves.
 */
#include <errno.h>

#include <hostmux/manager.h>

#include "proc.h"

static struct hm_manager *manager;
static unsigned handled, cleaned;
static struct hm_handle *killed;

static int
take(struct hm_actor *self, struct hm_envelope *msg)
{
	handled++;
	if (says(msg, "fail"))
		return hm_actor_fail(self, "told to");
	if (says(msg, "stop"))
		hm_proc_stop(hm_actor_proc(self), 3);
	if (says(msg, "kill")) { /* itself, and waits for it */
		CHECK(hm_handle_kill(killed, "now", &err) == 0);
		CHECK(hm_handle_wait(killed, HM_UNTIL_END, 100, &err) == -1);
		CHECK(err.code == ETIMEDOUT && hm_handle_proc(killed) != NULL);
	}
	return HM_TAKEN;
}

static int
clean(struct hm_actor *self, const struct hm_actor_status *end)
{
	(void)self;
	(void)end;
	cleaned++;
	return HM_TAKEN;
}

static int
never(struct hm_actor *self, const struct hm_actor_status *end)
{
	(void)self;
	(void)end;
	cleaned++;
	return HM_LATER;
}

static const struct hm_behaviour plain = {NULL, take, NULL, NULL, clean};
static const struct hm_behaviour stubborn = {NULL, take, NULL, NULL, never};

/* spawn->arg: what is in the proc. */
static int
begin(void *arg, struct hm_proc *made, const struct hm_spawn *spawned,
    struct hm_error *why)
{
	const char *what = spawned->arg;

	CHECK(arg == &manager);
	if (strcmp(what, "nothing") == 0)
		return 0;
	if (strcmp(what, "fails") == 0)
		return hm_fail(why, EINVAL, "no such thing");
	if (strcmp(what, "agent") == 0)
		return hm_actor_spawn(made, "agent", &plain, NULL, why) == NULL
			   ? -1
			   : 0;
	return hm_actor_spawn(made, "main",
		   strcmp(what, "stubborn") == 0 ? &stubborn : &plain, NULL,
		   why) == NULL
		   ? -1
		   : 0;
}

static struct hm_id
proc_id(const char *name)
{
	struct hm_id id;

	hm_id_set(&id, "local:0", name, "", 0, 0);
	id.depth = HM_ID_PROC;
	return id;
}

static struct hm_handle *
try_spawn(const char *name, const char *what)
{
	const struct hm_id id = proc_id(name);
	struct hm_spawn spawning;

	memset(&spawning, 0, sizeof spawning);
	spawning.id = &id;
	spawning.beside = proc;
	spawning.arg = (void *)what;
	spawning.in = -1;
	return hm_manager_spawn(manager, &spawning, &err);
}

static struct hm_handle *
spawned(const char *name, const char *what)
{
	struct hm_handle *handle = try_spawn(name, what);

	CHECK(handle != NULL);
	return handle;
}

static void
set_up(void)
{
	const struct hm_local_config config = {begin, &manager, 10000};

	proc_begin();
	handled = cleaned = 0;
	manager = hm_local_manager_new(hm_proc_loop(proc), &config, &err);
	CHECK(manager != NULL);
}

static void
tear_down(void)
{
	hm_manager_free(manager);
	proc_end();
}

/* The actor main, or another, of that proc. */
static struct hm_id
actor_of(const char *name, const char *actor)
{
	struct hm_id id;

	hm_id_set(&id, "local:0", name, actor, 0, HM_PORT_DEFAULT);
	return id;
}

static void
tell(const char *name, const char *text)
{
	const struct hm_id dest = actor_of(name, "main");
	struct hm_actor *client = hm_proc_instance(proc, "client", &err);

	CHECK(client != NULL);
	post_to(client, &dest, text);
	hm_actor_free(client);
}

static bool
ended_as(struct hm_handle *handle, const char *status)
{
	char text[512];

	if (hm_handle_wait(handle, HM_UNTIL_END, 20000, &err) == -1) {
		fprintf(stderr, "%s\n", err.text);
		return false;
	}
	return strcmp(hm_status_print(
			  hm_handle_status(handle), false, text, sizeof text),
		   status) == 0 &&
	       hm_handle_proc(handle) == NULL;
}

/* The states that were seen, one letter each. */
struct states {
	struct hm_waiter waiter;
	char seen[16];
	size_t n;
	bool forget;
};

static void
on_change(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	struct states *states = arg;
	const struct hm_status *status = hm_handle_status(handle);

	CHECK(states->n < sizeof states->seen - 1);
	states->seen[states->n++] =
	    why != NULL ? '!' : "rRYgSKF"[(int)status->state];
	/* From inside a call about it. */
	if (states->forget && hm_state_terminal(status->state))
		CHECK(hm_handle_free(handle) == 0);
}

static void
see(struct states *states)
{
	memset(states, 0, sizeof *states);
	states->waiter.fn = on_change;
	states->waiter.arg = states;
	states->waiter.until = HM_UNTIL_CHANGE;
}

static void
test_births(void)
{
	struct hm_handle *one, *other;
	struct hm_envelope *answer;
	struct hm_ready ready;
	const struct hm_status *status;
	struct hm_actor *client;
	struct hm_id agent;
	char text[HM_ID_TEXT];

	set_up();
	CHECK(!hm_manager_busy(manager));
	one = spawned("one", "plain");
	status = hm_handle_status(one);
	CHECK(status->state == HM_READY && status->pid == getpid());
	CHECK(status->started > 0 && status->addr[0] != '\0');
	CHECK(hm_id_parse(&agent, status->agent, &err) == 0);
	CHECK(strcmp(agent.proc, "one") == 0 && agent.depth == HM_ID_ACTOR);
	CHECK(hm_ready_ensure(&ready, one, 1, &err) == 0);
	CHECK(hm_id_compare(&ready.agent, &agent) == 0);
	/* Whoever waits, and however many. */
	CHECK(hm_handle_wait(one, HM_UNTIL_READY, 1, &err) == 0);
	CHECK(hm_handle_wait(one, HM_UNTIL_READY, 1, &err) == 0);
	CHECK(hm_manager_busy(manager));
	CHECK(try_spawn("one", "plain") == NULL && err.kind == HM_ERR_EXISTS);
	CHECK(strcmp(err.text, "proc 'one' already exists") == 0);
	CHECK(
	    try_spawn("a b", "plain") == NULL && err.kind == HM_ERR_CONFIGURE);
	CHECK(try_spawn("bad", "fails") == NULL && err.kind == HM_ERR_AGENT);
	CHECK(strcmp(err.text, "failed to spawn agent on proc 'local:0,bad': "
			       "no such thing") == 0);
	other = spawned("bad", "nothing"); /* the name is free */
	/* The agent answers, from the one to the other. */
	client = hm_proc_instance(hm_handle_proc(one), "client", &err);
	agent = actor_of("bad", "agent");
	answer = hm_call(client, &agent, "echo", 4, 5000, &err);
	CHECK(answer != NULL);
	CHECK(says(answer, hm_handle_status(other)->agent));
	hm_envelope_free(answer);
	hm_actor_free(client);
	/* One of its own. */
	other = spawned("own", "agent");
	CHECK(strcmp(hm_handle_status(other)->agent, "local:0,own,agent[0]") ==
	      0);
	CHECK(strcmp(hm_id_print(hm_handle_id(other), text, sizeof text),
		  "local:0,own") == 0);
	tear_down();
	CHECK(cleaned == 2);
}

static bool
names(const struct hm_id *ids, size_t n, const char *actor)
{
	while (n > 0 && strcmp(ids[n - 1].actor, actor) != 0)
		n--;
	return n > 0;
}

/* What waits is handled first; the status goes its way; the name is free. */
static void
test_terminate(void)
{
	struct hm_handle *handle;
	const struct hm_destroyed *lists;
	struct states states;

	set_up();
	handle = spawned("w", "plain");
	see(&states);
	hm_handle_await(handle, &states.waiter);
	tell("w", "one");
	tell("w", "two");
	CHECK(hm_handle_destroyed(handle) == NULL);
	CHECK(hm_handle_terminate(handle, 10000, "enough", &err) == 0);
	CHECK(hm_handle_status(handle)->state == HM_STOPPING);
	CHECK(hm_handle_free(handle) == -1 && errno == EBUSY);
	CHECK(hm_handle_terminate(handle, 9000, "second", &err) == 0);
	CHECK(ended_as(handle, "Stopped(exit=0)"));
	CHECK(handled == 2 && cleaned == 1 && strcmp(states.seen, "gS") == 0);
	CHECK(hm_handle_status(handle)->asked);
	CHECK(strcmp(hm_handle_status(handle)->reason, "enough") == 0);
	CHECK(hm_handle_status(handle)->agent[0] != '\0');
	lists = hm_handle_destroyed(handle);
	CHECK(lists != NULL && lists->nstopped == 2 && lists->nleft == 0);
	CHECK(names(lists->stopped, lists->nstopped, "main"));
	CHECK(hm_handle_terminate(handle, 0, "", &err) == -1);
	CHECK(err.code == ESRCH &&
	      strcmp(err.text,
		  "proc already terminated (status: Stopped(exit=0))") == 0);
	CHECK(hm_handle_kill(handle, "", &err) == -1 && err.code == ESRCH);
	(void)spawned("w", "plain");
	CHECK(hm_handle_free(handle) == 0);
	tear_down();
}

static void
test_deadline(void)
{
	struct hm_handle *handle;
	const struct hm_destroyed *lists;
	uint64_t start;

	set_up();
	handle = spawned("w", "stubborn");
	start = hm_loop_now(hm_proc_loop(proc));
	CHECK(hm_handle_terminate(handle, 60000, "long", &err) == 0);
	UNTIL(hm_proc_actor(hm_handle_proc(handle), "agent") == NULL);
	CHECK(hm_handle_terminate(handle, 100, "short", &err) == 0);
	CHECK(ended_as(handle, "Stopped(exit=0)"));
	CHECK(hm_loop_now(hm_proc_loop(proc)) - start >= 95 && cleaned == 1);
	lists = hm_handle_destroyed(handle);
	CHECK(lists->nstopped == 1 && lists->nleft == 1);
	CHECK(names(lists->left, lists->nleft, "main"));
	/* Without grace what waits is returned. */
	handle = spawned("k", "stubborn");
	tell("k", "one");
	CHECK(hm_handle_terminate(handle, 60000, "long", &err) == 0);
	CHECK(hm_handle_kill(handle, "now", &err) == 0);
	CHECK(ended_as(handle, "Stopped(exit=0)"));
	CHECK(strcmp(hm_handle_status(handle)->reason, "long") == 0);
	tear_down();
}

static void
test_request_stop(void)
{
	const struct hm_id id = proc_id("w"), none = proc_id("none");
	struct hm_handle *handle;
	struct states states;

	set_up();
	handle = spawned("w", "plain");
	see(&states);
	CHECK(hm_manager_find(manager, &id) == handle);
	CHECK(hm_manager_find(manager, &none) == NULL);
	CHECK(hm_manager_stop_status(manager, &id) == NULL);
	CHECK(hm_manager_watch_stop(manager, &id, &states.waiter) == -1 &&
	      errno == ENOENT);
	hm_manager_request_stop(manager, &none, 0, "nobody");
	CHECK(hm_manager_stop_status(manager, &none) == NULL);
	hm_manager_request_stop(manager, &id, 10000, "first");
	/* It has returned, and nothing of the proc has run. */
	CHECK(hm_manager_stop_status(manager, &id)->state == HM_STOPPING);
	CHECK(cleaned == 0);
	CHECK(hm_manager_watch_stop(manager, &id, &states.waiter) == 0);
	hm_manager_request_stop(manager, &id, 0, "second");
	CHECK(ended_as(handle, "Stopped(exit=0)"));
	CHECK(strcmp(states.seen, "S") == 0);
	hm_manager_request_stop(manager, &id, 0, "third");
	CHECK(hm_manager_stop_status(manager, &id)->state == HM_STOPPED);
	CHECK(
	    strcmp(hm_manager_stop_status(manager, &id)->reason, "first") == 0);
	/* Another life of the name is not that one. */
	handle = spawned("w", "plain");
	CHECK(hm_manager_find(manager, &id) == handle);
	CHECK(hm_manager_stop_status(manager, &id) == NULL);
	tear_down();
}

static void
test_terminate_proc(void)
{
	const struct hm_id id = proc_id("w"), none = proc_id("none");
	struct hm_destroyed done;
	struct hm_handle *handle;
	struct states states;

	set_up();
	handle = spawned("w", "stubborn");
	see(&states);
	states.forget = true;
	hm_handle_await(handle, &states.waiter);
	CHECK(hm_manager_terminate_proc(
		  manager, &id, 1000, "done", &done, &err) == 0);
	CHECK(done.nstopped == 1 && done.nleft == 1);
	CHECK(strcmp(done.stopped[0].actor, "agent") == 0);
	CHECK(strcmp(done.left[0].actor, "main") == 0);
	hm_destroyed_fini(&done);
	CHECK(strcmp(states.seen, "gS") == 0);
	CHECK(hm_manager_first(manager) == NULL);
	CHECK(hm_manager_terminate_proc(
		  manager, &none, 50, "done", &done, &err) == -1);
	CHECK(err.kind == HM_ERR_NOPROC &&
	      strcmp(err.text, "proc local:0,none doesn't exist") == 0);
	tear_down();
}

static struct hm_summary summary;
static unsigned bulks;

static void
on_summary(void *arg, const struct hm_summary *result)
{
	(void)arg;
	summary = *result;
	bulks++;
}

static void
test_terminate_all(void)
{
	struct hm_handle *handles[5];
	char name[8];
	unsigned i;

	set_up();
	bulks = 0;
	for (i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof name, "p%u", i);
		handles[i] = spawned(name, i == 1 ? "stubborn" : "plain");
	}
	CHECK(hm_handle_kill(handles[0], "first", &err) == 0);
	CHECK(ended_as(handles[0], "Stopped(exit=0)"));
	CHECK(hm_manager_terminate_all(
		  manager, 100, 2, "all", on_summary, NULL) == 0);
	CHECK(hm_handle_status(handles[2])->state == HM_STOPPING);
	CHECK(hm_handle_status(handles[3])->state == HM_READY);
	UNTIL(bulks == 1);
	CHECK(summary.attempted == 5 && summary.ok == 5 && summary.failed == 0);
	CHECK(!hm_manager_busy(manager));
	for (i = 0; i < 5; i++)
		CHECK(hm_handle_free(handles[i]) == 0);
	tear_down();
}

/* A proc whose callback waits is not freed under it. */
static void
test_in_use(void)
{
	struct hm_weak *weak;

	set_up();
	killed = spawned("w", "plain");
	weak = hm_proc_weak(hm_handle_proc(killed));
	tell("w", "kill");
	CHECK(ended_as(killed, "Stopped(exit=0)"));
	CHECK(handled == 1 && hm_weak_proc(weak) == NULL);
	CHECK(hm_handle_destroyed(killed)->nleft == 2);
	hm_weak_free(weak);
	tear_down();
}

/* What ends by itself, and what its agent is told. */
static void
test_own_ends(void)
{
	const struct hm_id agent = actor_of("a", "agent");
	struct hm_handle *handle;
	struct hm_actor *client;

	set_up();
	handle = spawned("s", "plain");
	tell("s", "stop");
	CHECK(ended_as(handle, "Stopped(exit=3)"));
	CHECK(!hm_handle_status(handle)->asked);
	handle = spawned("f", "plain");
	tell("f", "fail");
	CHECK(ended_as(handle, "Stopped(exit=1)"));
	CHECK(strstr(logged_error, "told to") != NULL);
	handle = spawned("a", "plain");
	client = hm_proc_instance(proc, "client", &err);
	post_to(client, &agent, "{\"op\":\"stop\",\"reason\":\"please\"}");
	CHECK(ended_as(handle, "Stopped(exit=0)"));
	CHECK(strcmp(hm_handle_status(handle)->reason, "please") == 0);
	hm_actor_free(client);
	CHECK(!proc->stopped); /* whose neighbours they were */
	tear_down();
}

static void
test_free(void)
{
	struct states one, other;

	set_up();
	see(&one);
	see(&other);
	other.forget = true;
	hm_handle_await(spawned("one", "stubborn"), &one.waiter);
	hm_handle_await(spawned("other", "plain"), &other.waiter);
	hm_manager_request_stop(
	    manager, &(const struct hm_id){0}, 10, "nobody");
	CHECK(hm_handle_terminate(
		  hm_manager_first(manager), 60000, "slowly", &err) == 0);
	hm_manager_free(manager);
	CHECK(strcmp(one.seen, "gS") == 0 && strcmp(other.seen, "gS") == 0);
	CHECK(cleaned == 2);
	proc_end();
}

int
main(void)
{
	test_births();
	test_terminate();
	test_deadline();
	test_request_stop();
	test_terminate_proc();
	test_terminate_all();
	test_in_use();
	test_own_ends();
	test_free();
	return 0;
}
