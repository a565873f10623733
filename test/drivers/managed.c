/*
 * A host that spawns: procs in this process and others side by side, births
 * that fail, ends that are asked for in every way, and what is left of them.
 */
#include "host/host_private.h"

#include "hosted.h"

#define PATH_SIZE 4096

static struct hm_manager *local, *process;
static char *argv_boots[3];
static struct hm_spawn boots;

static void
serve_both(void)
{
	boots = again(argv_boots, "boots");
	local = local_manager();
	process = process_manager();
	serve(local, process);
}

/* Each reaches the other, and both are reached from outside. */
static void
test_side_by_side(void)
{
	static char large[1000 * 1000];
	struct hm_id in, out;
	struct hm_actor *client, *inside;
	struct hm_proc *direct;
	struct hm_envelope *env;
	struct hm_handle *handle;
	char addr[sizeof dir + 16];

	serve_both();
	handle = spawned(local, "in", NULL);
	(void)spawned(process, "out", &boots);
	in = main_of("in");
	out = main_of("out");
	CHECK(is_shown("in", "spawned", "Ready"));
	CHECK(is_shown("out", "spawned", "Ready"));
	inside = instance(hm_handle_proc(handle), "inside");
	answers(inside, &out, "from in to out", "from in to out");
	answers(inside, &in, "to myself", "to myself");
	(void)snprintf(addr, sizeof addr, "unix:%s/client", dir);
	direct = hm_proc_direct(loop, addr, "test", NULL, &err);
	CHECK(direct != NULL);
	client = instance(direct, "test");
	answers(client, &in, "to in", "to in");
	answers(client, &out, "to out", "to out");
	/* As large as a message may be elsewhere. */
	memset(large, 'x', sizeof large);
	env = hm_call(client, &in, large, sizeof large, 5000, &err);
	CHECK(env != NULL && hm_payload_len(env) == sizeof large);
	hm_envelope_free(env);
	hm_proc_free(direct);
	hm_actor_free(inside);
}

static void
fails(struct hm_manager *manager, const char *name, const struct hm_spawn *how,
    enum hm_error_kind kind, const char *words)
{
	CHECK(hm_host_spawn(host, manager, name, how, &err) == NULL);
	if (err.kind != kind || strstr(err.text, words) == NULL)
		fprintf(
		    stderr, "%s: %s\n", hm_error_kind_name(err.kind), err.text);
	CHECK(err.kind == kind && strstr(err.text, words) != NULL);
	CHECK(hm_manager_first(local) == NULL);
	CHECK(hm_manager_first(process) == NULL);
	CHECK(!hm_manager_busy(process));
}

static void
test_births(void)
{
	char *argv[3];
	struct hm_spawn how;

	serve_both();
	how = again(argv, "ends");
	argv[0] = (char *)"/no/such/file";
	fails(process, "p", &how, HM_ERR_SPAWN, "/no/such/file: No such file");
	how = again(argv, "ends");
	fails(process, "p", &how, HM_ERR_CONFIGURE,
	    "it ended before it was ready: Stopped(exit=7)");
	how = again(argv, "silent");
	how.ready_timeout = 150;
	fails(process, "p", &how, HM_ERR_CONFIGURE, "call back within 0.15 s");
	fails(local, "service", NULL, HM_ERR_DENIED, "belongs to the host");
	fails(local, "a b", NULL, HM_ERR_INVALID, "name 'a b'");
	fails((struct hm_manager *)host, "p", NULL, HM_ERR_INVALID,
	    "no such manager");
	(void)spawned(process, "p", &boots);
	CHECK(hm_host_spawn(host, local, "p", NULL, &err) == NULL);
	CHECK(err.kind == HM_ERR_EXISTS);
	(void)spawned(local, "l", NULL);
	CHECK(hm_host_spawn(host, process, "l", &boots, &err) == NULL);
	CHECK(err.kind == HM_ERR_EXISTS &&
	      strcmp(err.text, "proc 'l' already exists") == 0);
}

static void
test_terminate_children(void)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct hm_summary sum;
	pid_t pids[4];
	int round, i;

	serve_both();
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 4; i++)
			pids[i] = hm_handle_status(
			    spawned(i < 2 ? local : process, names[i],
				i < 2 ? NULL : &boots))
				      ->pid;
		CHECK(hm_host_terminate_children(
			  host, 5000, 1, "round", &sum, &err) == 0);
		/* Those of the first round have ended already. */
		CHECK(sum.attempted == (round == 0 ? 4u : 8u));
		CHECK(sum.ok == sum.attempted && sum.failed == 0);
		for (i = 2; i < 4; i++)
			CHECK(kill(pids[i], 0) == -1 && errno == ESRCH);
	}
	CHECK(is_shown("a", "spawned", "Stopped"));
	CHECK(is_shown("d", "spawned", "Stopped"));
}

static void
test_terminate_proc(void)
{
	struct hm_destroyed done;
	struct hm_attach attach;
	struct hm_proc *stranger;

	serve_both();
	(void)spawned(local, "l", NULL);
	(void)spawned(process, "p", &boots);
	CHECK(hm_host_terminate_proc(host, "l", 5000, "x", &done, &err) == 0);
	CHECK(done.nstopped == 2 && done.nleft == 0);
	hm_destroyed_fini(&done);
	CHECK(hm_host_terminate_proc(host, "p", 5000, "x", &done, &err) == 0);
	CHECK(done.nstopped == 0 && done.nleft == 0);
	CHECK(hm_host_terminate_proc(host, "p", 5000, "x", &done, &err) == -1);
	CHECK(err.kind == HM_ERR_NOPROC);
	/* The names are free. */
	(void)spawned(process, "l", &boots);
	(void)spawned(local, "p", NULL);
	memset(&attach, 0, sizeof attach);
	attach.host = hm_host_frontend(host);
	attach.name = "other";
	stranger = hm_proc_attach(loop, &attach, &err);
	CHECK(stranger != NULL);
	CHECK(hm_host_terminate_proc(host, "other", 0, "x", &done, &err) == -1);
	CHECK(err.code == ENOTSUP);
	hm_proc_free(stranger);
}

/* Over control as all others, politely and not, and by themselves. */
static void
test_ends(void)
{
	struct hm_handle *l, *p;
	struct hm_spawn how = {.in = -1};
	struct hm_id agent;
	struct hm_actor *client;

	serve_both();
	l = spawned(local, "l", NULL);
	p = spawned(process, "p", &boots);
	hm_json_free(ask("{\"op\":\"terminate\",\"names\":[\"l\",\"p\"],"
			 "\"reason\":\"reaped\"}"));
	ends_as(l, "Stopped(exit=0)");
	ends_as(p, "Stopped(exit=0)");
	CHECK(strcmp(hm_handle_status(p)->reason, "reaped") == 0);
	CHECK(hm_handle_free(p) == 0);
	p = hm_host_spawn(host, process, "q", &boots, &err);
	hm_json_free(ask("{\"op\":\"kill\",\"names\":[\"q\"]}"));
	ends_as(p, "Killed(sig=9)");
	CHECK(is_shown("q", "spawned", "Killed"));
	p = spawned(process, "r", &boots);
	CHECK(kill(hm_handle_status(p)->pid, SIGKILL) == 0);
	ends_as(p, "Killed(sig=9)");
	CHECK(!hm_handle_status(p)->asked);
	l = spawned(local, "s", NULL);
	agent = agent_of(l);
	client = instance(hm_host_local_proc(host), "c");
	answers(client, &agent, "stop", "{\"ok\":true}");
	ends_as(l, "Stopped(exit=0)");
	/* One that has its own way to stop. */
	how.arg = (void *)"own";
	l = spawned(local, "own", &how);
	agent = agent_of(l);
	answers(client, &agent, "stop", "{\"ok\":true}");
	ends_as(l, "Stopped(exit=5)");
	hm_actor_free(client);
}

/* A proc that has lost its link is reached by nothing, and is ended. */
static void
test_cut(void)
{
	char boot[PATH_SIZE];
	char *argv[] = {boot, (char *)"sleep", (char *)"600", NULL};
	struct hm_spawn how = {.argv = argv, .in = -1, .ready_timeout = 5000};
	struct hm_handle *p;

	(void)snprintf(boot, sizeof boot, "%.*s../bin/proc-boot",
	    (int)(strrchr(self, '/') - self + 1), self);
	serve_both();
	p = spawned(process, "p", &how);
	router_unbind(host->router, "p", "cut off");
	ends_as(p, "Killed(sig=15)");
	CHECK(hm_handle_status(p)->asked);
	CHECK(strstr(hm_handle_status(p)->reason, "cut off") != NULL);
	CHECK(is_shown("p", "spawned", "Killed"));
}

static unsigned ended, failed;

static void
on_done(void *arg, unsigned left)
{
	(void)arg;
	ended++;
	failed = left;
}

static void
test_shutdown(void)
{
	struct hm_handle *p;

	serve_both();
	(void)spawned(local, "l", NULL);
	p = spawned(process, "p", &boots);
	hm_host_shutdown(host, 5000, "over", on_done, NULL);
	CHECK(hm_host_start(host, local, "late", NULL, &err) == NULL);
	CHECK(err.kind == HM_ERR_DENIED);
	while (ended == 0)
		CHECK(hm_loop_turn(loop, 1000) == 0);
	CHECK(failed == 0);
	ends_as(p, "Stopped(exit=0)");
}

/* What a manager sees no more has failed; what it cannot end is counted. */
static void
test_scripted(void)
{
	struct hm_manager *manager =
	    scripted_new(loop, (struct script){.how = SCRIPT_READY});
	struct hm_handle *handle;
	struct hm_summary sum;
	struct hm_json *json;
	const struct hm_json *not_ended;

	serve(manager, NULL);
	handle = spawned(NULL, "lost", NULL);
	CHECK(is_shown("lost", "spawned", "Ready"));
	handle_lose(handle);
	CHECK(is_shown("lost", "spawned", "Failed"));
	handle = spawned(NULL, "lost", NULL); /* another life */
	json = ask("{\"op\":\"terminate\",\"names\":[\"lost\"]}");
	not_ended = hm_json_get(json, "not_ended");
	CHECK(strcmp(hm_json_string(not_ended, "error", ""),
		  "terminate/kill unsupported by manager") == 0);
	hm_json_free(json);
	CHECK(hm_host_terminate_children(host, 0, 1, "x", &sum, &err) == 0);
	CHECK(sum.attempted == 2 && sum.failed == 2);
	CHECK(hm_handle_status(handle)->state == HM_READY);
}

static void
one(void (*test)(void))
{
	begin();
	test();
	end();
}

int
main(int argc, char **argv)
{
	struct hm_handle *handle;
	pid_t pid;

	if (argc == 2)
		return behave(argv[1]);
	find_self(argv[0]);
	one(test_side_by_side);
	one(test_births);
	one(test_terminate_children);
	one(test_terminate_proc);
	one(test_ends);
	one(test_cut);
	one(test_shutdown);
	one(test_scripted);
	/* Freeing it kills what it still has. */
	begin();
	serve_both();
	(void)spawned(local, "l", NULL);
	handle = spawned(process, "p", &boots);
	pid = hm_handle_status(handle)->pid;
	end();
	CHECK(kill(pid, 0) == -1 && errno == ESRCH);
	return 0;
}
