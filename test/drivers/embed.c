/*
 * A program that is a host, with the public headers and nothing else: what it
 * tells of itself, its own two procs, names that are bound, and its end.
 */
#include "embed.h"

/* Its addresses are those it is reached at, and the rule that finds it. */
static void
test_addresses(void)
{
	struct hm_addr addr;
	struct hm_proc *proc;

	CHECK(strcmp(hm_host_frontend(host), address) == 0);
	CHECK(strcmp(hm_host_id(host), address) == 0);
	CHECK(strcmp(hm_host_backend(host), address) != 0);
	proc = attach(hm_host_backend(host), "behind");
	CHECK(strcmp(hm_proc_host(proc), address) == 0);
	hm_proc_free(proc);

	CHECK(setenv("HYPERACTOR_HOST_ADDR", address, 1) == 0);
	CHECK(hm_host_default(&addr, NULL, &err) == 0);
	CHECK(strcmp(addr.text, address) == 0);
	CHECK(hm_host_default(&addr, "tcp:127.0.0.1:7", &err) == 0);
	CHECK(strcmp(addr.text, "tcp:127.0.0.1:7") == 0);
	CHECK(setenv("HYPERACTOR_HOST_ADDR", "nowhere", 1) == 0);
	CHECK(hm_host_default(&addr, NULL, &err) == -1);
	CHECK(err.kind == HM_ERR_INVALID);
	CHECK(hm_host_default(&addr, "nowhere", &err) == -1);
	CHECK(err.kind == HM_ERR_OTHER);
	CHECK(unsetenv("HYPERACTOR_HOST_ADDR") == 0);
	CHECK(hm_host_default(&addr, NULL, &err) == 0);
	CHECK(strstr(addr.text, "/hostmux/host") != NULL);
}

static size_t
live(struct hm_proc *proc)
{
	struct hm_id *ids;
	size_t n;

	CHECK(hm_proc_ids(proc, HM_IDS_ALL, &ids, &n) == 0);
	free(ids);
	return n;
}

/* LP-1: the local proc is there from the beginning, reached in this process,
 * and has no actors until it is activated; and that only once. */
static void
test_local(void)
{
	struct hm_proc *local = hm_host_local_proc(host);
	struct hm_envelope *env;
	struct hm_id agent;

	CHECK(strcmp(hm_proc_id(local)->proc, "local") == 0);
	CHECK(strcmp(hm_proc_id(local)->addr, address) == 0);
	CHECK(live(local) == 0);
	hm_id_set(&agent, address, "local", "agent", 0, 0);
	CHECK(hm_call(owner, &agent, "echo", 4, 5000, &err) == NULL);
	CHECK(strstr(err.text, "no actor 'agent' in proc 'local'") != NULL);
	control("{\"op\":\"local\"}");
	CHECK(live(local) == 2);
	CHECK(hm_proc_actor(local, "client") != NULL);
	env = hm_call(owner, &agent, "ping", 4, 5000, &err);
	CHECK(says(env, "{\"ok\":true}"));
	hm_envelope_free(env);
	control("{\"op\":\"local\"}");
	CHECK(live(local) == 2);
}

static void
post_text(struct hm_actor *from, const struct hm_id *dest, const char *text)
{
	struct hm_draft draft = {NULL, dest, NULL, 0, 0, NULL, NULL};
	struct hm_envelope *env =
	    hm_envelope_new(&draft, text, strlen(text), &err);

	CHECK(env != NULL && hm_post(from, env) == 0);
}

static void
expect(struct hm_actor *at, uint64_t port, const char *text)
{
	struct hm_envelope *env = hm_port_recv(at, port, 5000, &err);

	CHECK(says(env, text));
	hm_settle(env, HM_DELIVERED, NULL);
}

/* test_basic: procs and the system proc, each to each. */
static void
test_system(void)
{
	struct hm_proc *proc1 = attach(address, "proc1");
	struct hm_proc *proc2 = attach(address, "proc2");
	struct hm_proc *system = hm_host_system_proc(host);
	struct hm_actor *one = hm_proc_instance(proc1, "client", &err);
	struct hm_actor *two = hm_proc_instance(proc2, "client", &err);
	struct hm_actor *mine = hm_proc_instance(system, "test", &err);
	struct hm_id to_one, to_mine;
	uint64_t port;

	CHECK(one != NULL && two != NULL && mine != NULL);
	CHECK(strcmp(hm_proc_id(system)->proc, "service") == 0);
	CHECK(strcmp(hm_proc_id(system)->addr, address) == 0);
	port = hm_port_open_receiver(one, false);
	hm_port_id(one, port, &to_one);
	post_text(two, &to_one, "hello");
	expect(one, port, "hello");
	post_text(mine, &to_one, "hello from the system proc");
	expect(one, port, "hello from the system proc");
	port = hm_port_open_receiver(mine, false);
	hm_port_id(mine, port, &to_mine);
	post_text(mine, &to_mine, "hello from the system");
	expect(mine, port, "hello from the system");
	post_text(one, &to_mine, "hello from the instance");
	expect(mine, port, "hello from the instance");
	hm_actor_free(mine);
	hm_proc_free(proc1);
	hm_proc_free(proc2);
}

/* A name for a server that stands alone: messages to it go there, and are
 * returned when it is given up (test_dial_router). */
static void
test_bind(void)
{
	struct hm_proc *alone;
	struct hm_envelope *env;
	struct hm_id dest;
	char where[HM_ADDR_SIZE], text[512];
	struct hm_addr got;

	(void)snprintf(where, sizeof where, "unix:%s/a", embed_dir);
	alone = hm_proc_direct(loop, where, "alone", NULL, &err);
	CHECK(alone != NULL);
	CHECK(hm_proc_spawn(alone, "main", answer, NULL, &err) != NULL);
	(void)snprintf(text, sizeof text,
	    "{\"op\":\"bind\",\"name\":\"alone\",\"addr\":\"%s\"}", where);
	control(text);
	hm_id_set(&dest, address, "alone", "main", 0, 0);
	env = hm_call(owner, &dest, "hi", 2, 5000, &err);
	CHECK(says(env, "hi") && hm_envelope_type_is(env, "text/x-answer"));
	hm_envelope_free(env);
	control("{\"op\":\"unbind\",\"name\":\"alone\"}");
	CHECK(hm_call(owner, &dest, "hi", 2, 5000, &err) == NULL);
	CHECK(strstr(err.text, "no proc 'alone'") != NULL);

	/* Another address of its own leads to it, too. */
	(void)snprintf(where, sizeof where, "unix:%s/b", embed_dir);
	CHECK(hm_proc_serve(alone, where, &got, &err) == 0);
	CHECK(strcmp(got.text, where) == 0);
	CHECK(hm_proc_serve(alone, where, NULL, &err) == -1);
	CHECK(err.code == EADDRINUSE);
	(void)snprintf(text, sizeof text,
	    "{\"op\":\"bind\",\"name\":\"alone\",\"addr\":\"%s\"}", where);
	control(text);
	env = hm_call(owner, &dest, "again", 5, 5000, &err);
	CHECK(says(env, "again"));
	hm_envelope_free(env);
	control("{\"op\":\"unbind\",\"name\":\"alone\"}");
	hm_proc_free(alone);
	CHECK(access(where + 5, F_OK) == -1);
}

static uint64_t asked_for;
static int done = -1;

static void
on_done(void *arg, unsigned failed)
{
	CHECK(arg == &done);
	done = (int)failed;
}

static void
on_shutdown(void *arg, uint64_t timeout)
{
	CHECK(arg == &asked_for);
	asked_for = timeout;
}

static void
ask_for_end(const char *request)
{
	struct hm_id dest;

	asked_for = 0;
	hm_id_set(&dest, address, "service", "host_agent", 0, 0);
	post_text(owner, &dest, request);
	UNTIL(asked_for != 0);
}

/* Who asks the host to end asks its program; with the grace that is configured,
 * or another. */
static void
test_shutdown(void)
{
	struct hm_proc *proc = hm_actor_proc(owner);

	hm_host_on_shutdown(host, on_shutdown, &asked_for);
	ask_for_end("{\"op\":\"shutdown\"}");
	CHECK(asked_for == 1234);
	ask_for_end("{\"op\":\"shutdown\",\"timeout\":2.5}");
	CHECK(asked_for == 2500);
	/* Nothing has begun to end yet. */
	control("{\"op\":\"ping\"}");
	control("{\"op\":\"reserve\",\"names\":[\"late\"]}");
	control("{\"op\":\"unbind\",\"name\":\"late\"}");
	hm_host_shutdown(host, asked_for, "test", on_done, &done);
	hm_proc_free(proc);
	UNTIL(done != -1);
	CHECK(done == 0 && access(address + 5, F_OK) == -1);
	hm_host_free(host);
}

int
main(void)
{
	(void)alarm(120);
	embed_begin();
	test_addresses();
	test_local();
	test_system();
	test_bind();
	test_shutdown();
	embed_end();
	return 0;
}
