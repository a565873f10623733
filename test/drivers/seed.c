/*
 * What the original tests of its host, test by test: "seed NAME" runs the one
 * of that name there.  test/README says where each differs.
 */
#include "hosted.h"

/* An actor's own receiver, and its id. */
static uint64_t
open_port(struct hm_actor *actor, bool once, struct hm_id *id)
{
	uint64_t port = hm_port_open_receiver(actor, once);

	CHECK(port != 0);
	hm_port_id(actor, port, id);
	return port;
}

static void
test_basic(void)
{
	struct hm_handle *proc1, *proc2;
	struct hm_actor *instance1, *instance2, *system;
	struct hm_id id, port;
	uint64_t rx;

	serve(local_manager(), NULL);
	proc1 = spawned(NULL, "proc1", NULL);
	hm_id_set(&id, hm_host_id(host), "proc1", "", 0, 0);
	id.depth = HM_ID_PROC;
	CHECK(hm_id_compare(hm_handle_id(proc1), &id) == 0);
	CHECK(hm_manager_find(hm_host_manager(host), &id) == proc1);
	proc2 = spawned(NULL, "proc2", NULL);
	CHECK(hm_manager_find(hm_host_manager(host), hm_handle_id(proc2)) ==
	      proc2);

	/* They can talk to each other. */
	instance1 = instance(hm_handle_proc(proc1), "client");
	instance2 = instance(hm_handle_proc(proc2), "client");
	rx = open_port(instance1, false, &port);
	post_with_reply(instance2, &port, "hello", NULL);
	receives(instance1, rx, "hello");

	/* The system proc is wired in: to a proc, */
	system = instance(hm_host_system_proc(host), "test");
	post_with_reply(system, &port, "hello from the system proc", NULL);
	receives(instance1, rx, "hello from the system proc");
	/* to itself, */
	rx = open_port(system, false, &port);
	post_with_reply(system, &port, "hello from the system", NULL);
	receives(system, rx, "hello from the system");
	/* and from a proc. */
	post_with_reply(instance1, &port, "hello from the instance1", NULL);
	receives(system, rx, "hello from the instance1");
	hm_actor_free(instance1);
	hm_actor_free(instance2);
	hm_actor_free(system);
}

static void
test_process_proc_manager(void)
{
	char *argv[3], addr[sizeof dir + 16], text[HM_ID_TEXT];
	const struct hm_spawn boots = again(argv, "boots");
	struct hm_handle *proc1, *proc2;
	struct hm_id echo1, echo2, reply;
	struct hm_actor *client, *system;
	struct hm_proc *direct;
	uint64_t port;

	serve(process_manager(), NULL);
	/* (1) Spawn and check invariants. */
	CHECK(strncmp(hm_host_id(host), "unix:", 5) == 0);
	proc1 = spawned(NULL, "proc1", &boots);
	proc2 = spawned(NULL, "proc2", &boots);
	echo1 = agent_of(proc1);
	echo2 = agent_of(proc2);
	CHECK(hm_id_is_prefix(hm_handle_id(proc1), &echo1));
	CHECK(hm_id_is_prefix(hm_handle_id(proc2), &echo2));

	/* (2) Duplicate name rejection. */
	CHECK(hm_host_spawn(host, NULL, "proc1", &boots, &err) == NULL);
	CHECK(err.kind == HM_ERR_EXISTS);

	/* (3), (4) A stand-alone client asks each child, and is answered at its
	 * own address. */
	(void)snprintf(addr, sizeof addr, "unix:%s/client", dir);
	direct = hm_proc_direct(loop, addr, "test", NULL, &err);
	CHECK(direct != NULL);
	client = instance(direct, "test");
	answers(client, &echo1, "echo", hm_id_print(&echo1, text, sizeof text));
	answers(client, &echo2, "echo", hm_id_print(&echo2, text, sizeof text));

	/* (5) The system asks, and the answer goes to the client. */
	system = instance(hm_host_system_proc(host), "sys-client");
	port = open_port(client, true, &reply);
	post_with_reply(system, &echo1, "echo", &reply);
	receives(client, port, hm_id_print(&echo1, text, sizeof text));
	hm_actor_free(system);
	hm_proc_free(direct);
}

static void
count_call(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)handle;
	CHECK(why == NULL);
	++*(unsigned *)arg;
}

static void
local_ready_and_wait_are_immediate(void)
{
	struct hm_handle *handle;
	struct hm_waiter waiters[2];
	struct hm_ready ready;
	unsigned told = 0, i;

	serve(local_manager(), NULL);
	handle = hm_host_start(host, NULL, "p", NULL, &err);
	CHECK(handle != NULL);
	for (i = 0; i < 2; i++) {
		waiters[i] =
		    (struct hm_waiter){count_call, &told, HM_UNTIL_READY, NULL};
		hm_handle_await(handle, &waiters[i]);
		CHECK(told == i + 1); /* no turn of the loop was made */
	}
	CHECK(hm_ready_ensure(&ready, handle, 1, &err) == 0);
	/* It has an end here, which is waited for; then that is at once, too.
	 */
	CHECK(hm_handle_kill(handle, "test", &err) == 0);
	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 5000, &err) == 0);
	for (i = 0; i < 2; i++) {
		waiters[i] =
		    (struct hm_waiter){count_call, &told, HM_UNTIL_END, NULL};
		hm_handle_await(handle, &waiters[i]);
		CHECK(told == i + 3);
	}
	CHECK(hm_handle_status(handle)->state == HM_STOPPED);
}

/* A spawn by that script fails so, and leaves nothing. */
static void
spawn_fails(struct script script, int code, const char *words)
{
	serve(scripted_new(loop, script), NULL);
	CHECK(hm_host_spawn(host, NULL, "p", NULL, &err) == NULL);
	if (strstr(err.text, words) == NULL)
		fprintf(stderr, "%s\n", err.text);
	CHECK(err.kind == HM_ERR_CONFIGURE && err.code == code);
	CHECK(strstr(err.text, words) != NULL);
	/* The name is free. */
	CHECK(hm_host_start(host, NULL, "p", NULL, &err) != NULL);
}

static void
host_spawn_times_out_when_configured(void)
{
	limits.spawn_ready_timeout = 10;
	/* Far enough away for a machine that is busy. */
	spawn_fails((struct script){.how = SCRIPT_READY, .after = 60000},
	    ETIMEDOUT, "Starting after 10 ms");
}

static void
host_spawn_timeout_zero_disables_and_succeeds(void)
{
	struct hm_handle *handle;
	struct hm_id agent;

	limits.spawn_ready_timeout = 0;
	serve(scripted_new(
		  loop, (struct script){.how = SCRIPT_READY, .after = 20}),
	    NULL);
	handle = spawned(NULL, "ok", NULL);
	agent = agent_of(handle);
	CHECK(hm_id_is_prefix(hm_handle_id(handle), &agent));
	CHECK(hm_host_start(host, NULL, "ok", NULL, &err) == NULL);
	CHECK(err.kind == HM_ERR_EXISTS);
}

static void
host_spawn_maps_channel_closed_ready_error_to_config_failure(void)
{
	spawn_fails((struct script){.how = SCRIPT_LOST}, ECONNRESET,
	    "lifecycle channel closed");
}

static void
host_spawn_maps_terminal_ready_error_to_config_failure(void)
{
	spawn_fails((struct script){.how = SCRIPT_ENDED}, ESRCH,
	    "proc already terminated (status: Stopped(exit=0))");
}

static void
host_spawn_fails_if_ready_but_missing_addr(void)
{
	spawn_fails((struct script){.how = SCRIPT_READY, .no_addr = true},
	    EADDRNOTAVAIL, "without an address");
}

static void
host_spawn_fails_if_ready_but_missing_agent(void)
{
	spawn_fails((struct script){.how = SCRIPT_READY, .no_agent = true},
	    ENXIO, "without an agent");
}

#define TEST(name)          \
	{                   \
#name, name \
	}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
    TEST(test_basic),
    TEST(test_process_proc_manager),
    TEST(local_ready_and_wait_are_immediate),
    TEST(host_spawn_times_out_when_configured),
    TEST(host_spawn_timeout_zero_disables_and_succeeds),
    TEST(host_spawn_maps_channel_closed_ready_error_to_config_failure),
    TEST(host_spawn_maps_terminal_ready_error_to_config_failure),
    TEST(host_spawn_fails_if_ready_but_missing_addr),
    TEST(host_spawn_fails_if_ready_but_missing_agent),
};

int
main(int argc, char **argv)
{
	const size_t n = sizeof tests / sizeof *tests;
	size_t i = 0;

	CHECK(argc == 2);
	find_self(argv[0]);
	while (i < n && strcmp(tests[i].name, argv[1]) != 0)
		i++;
	if (i == n)
		return behave(argv[1]);
	begin();
	tests[i].run();
	end();
	return 0;
}
