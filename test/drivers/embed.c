/*
 * A program that is a host, and the supervisor of its procs, with the public
 * headers and nothing else: what a host tells of itself and its own two procs,
 * and procs (this program again) that are started, bound, asked, signalled and
 * ended by their handles.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "check.h"

static struct hm_loop *loop;
static struct hm_host *host;
static struct hm_manager *manager;
static struct hm_actor *owner;
static struct hm_error err;
static const char *self;
static char address[HM_ADDR_SIZE];

#define UNTIL(what)                                         \
	do {                                                \
		unsigned turns_ = 0;                        \
		while (!(what)) {                           \
			CHECK(turns_++ < 20000);            \
			CHECK(hm_loop_turn(loop, 10) == 0); \
		}                                           \
	} while (0)

/* --- the child's side */

static int
answer(struct hm_actor *actor, struct hm_envelope *msg)
{
	return hm_reply_typed(
	    actor, msg, "text/x-answer", hm_payload(msg), hm_payload_len(msg));
}

/* Ends with the status that the reason names; a deaf one stays. */
static void
on_stop(void *arg, const char *reason)
{
	if (strcmp(reason, "deaf") != 0)
		hm_proc_stop(arg, atoi(reason));
}

static int
behave(void)
{
	struct hm_proc *proc = hm_boot(&err);
	int status;

	if (proc == NULL ||
	    hm_proc_spawn(proc, "main", answer, NULL, &err) == NULL)
		return hm_error_exit(&err, "child");
	hm_proc_on_stop(proc, on_stop, proc);
	status = hm_proc_run(proc);
	hm_proc_free(proc);
	return status;
}

/* --- the host */

static void
make_host(const char *dir)
{
	static const char *listen[] = {address, NULL};
	struct hm_host_config config = {0};
	struct hm_limits limits;

	(void)snprintf(address, sizeof address, "unix:%s/h", dir);
	hm_limits_init(&limits);
	config.listen = listen;
	config.mode = 0600;
	config.timeout = 1234;
	config.max = 64;
	config.limits = &limits;
	host = hm_host_new(loop, &config, &err);
	CHECK(host != NULL);
}

static struct hm_proc *
attach(const char *where, const char *name)
{
	struct hm_attach how = {0};
	struct hm_proc *proc;

	how.host = where;
	how.name = name;
	proc = hm_proc_attach(loop, &how, &err);
	CHECK(proc != NULL);
	return proc;
}

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

static void
control(const char *request)
{
	struct hm_json *json = hm_control(owner, request, 5000, &err);

	if (json == NULL)
		fprintf(stderr, "%s: %s\n", request, err.text);
	CHECK(json != NULL);
	hm_json_free(json);
}

static bool
says(const struct hm_envelope *env, const char *text)
{
	return env != NULL && hm_payload_len(env) == strlen(text) &&
	       memcmp(hm_payload(env), text, strlen(text)) == 0;
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
test_bind(const char *dir)
{
	struct hm_proc *alone;
	struct hm_envelope *env;
	struct hm_id dest;
	char where[HM_ADDR_SIZE], text[512];
	struct hm_addr got;

	(void)snprintf(where, sizeof where, "unix:%s/a", dir);
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
	(void)snprintf(where, sizeof where, "unix:%s/b", dir);
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

/* --- its procs */

struct born {
	const char *name;
	struct hm_id id;
	char token[40], addr[HM_ADDR_SIZE], agent[HM_ID_TEXT];
	bool called; /* back: its addr and agent are known */
};

static void
on_bind(
    void *arg, struct hm_handle *handle, const char *addr, const char *agent)
{
	struct born *born = hm_handle_arg(handle);

	CHECK(arg == &manager && !born->called);
	born->called = true;
	(void)snprintf(born->addr, sizeof born->addr, "%s", addr);
	(void)snprintf(born->agent, sizeof born->agent, "%s", agent);
}

static void
on_signal(void *arg, int sig)
{
	(void)arg;
	(void)sig;
	hm_manager_reap(manager);
}

static void
reserve(struct born *born)
{
	char text[128];
	struct hm_json *json;

	(void)snprintf(text, sizeof text,
	    "{\"op\":\"reserve\",\"names\":[\"%s\"]}", born->name);
	json = hm_control(owner, text, 5000, &err);
	CHECK(json != NULL);
	(void)snprintf(born->token, sizeof born->token, "%s",
	    hm_json_get(json, "tokens")->child->string);
	hm_json_free(json);
}

/* Starts it, until it has called back. */
static struct hm_handle *
start(struct born *born, const char *name)
{
	char *argv[] = {(char *)self, (char *)"child", NULL};
	struct hm_spawn spawn = {0};
	struct hm_handle *handle;

	memset(born, 0, sizeof *born);
	born->name = name;
	hm_id_set(&born->id, address, name, "", 0, 0);
	born->id.depth = HM_ID_PROC;
	reserve(born);
	spawn.id = &born->id;
	spawn.host = address;
	spawn.forwarder = hm_host_backend(host);
	spawn.token = born->token;
	spawn.argv = argv;
	spawn.in = -1;
	spawn.ready_timeout = 20000;
	spawn.arg = born;
	handle = hm_manager_spawn(manager, &spawn, &err);
	CHECK(handle != NULL && hm_handle_arg(handle) == born);
	CHECK(hm_id_compare(hm_handle_id(handle), &born->id) == 0);
	CHECK(hm_handle_status(handle)->state == HM_RUNNING);
	UNTIL(born->called);
	return handle;
}

static void
tell_status(const struct born *born, const struct hm_status *status)
{
	struct hm_json_out out;
	char *text;

	hm_json_begin(&out);
	hm_json_put_string(&out, "op", "status");
	hm_json_put_string(&out, "name", born->name);
	hm_json_open(&out, "set", '{');
	hm_status_put(status, &out);
	hm_json_close(&out, '}');
	hm_json_close(&out, '}');
	text = hm_json_out_take(&out, NULL);
	CHECK(text != NULL);
	control(text);
	free(text);
}

static void
become_ready(const struct born *born, struct hm_handle *handle)
{
	char text[1024];

	CHECK(hm_handle_wait(handle, HM_UNTIL_READY, 20, &err) == -1);
	CHECK(err.code == ETIMEDOUT);
	(void)snprintf(text, sizeof text,
	    "{\"op\":\"bind\",\"name\":\"%s\",\"token\":\"%s\","
	    "\"addr\":\"%s\",\"agent\":\"%s\"}",
	    born->name, born->token, born->addr, born->agent);
	control(text);
	hm_handle_bound(handle, NULL);
	CHECK(hm_handle_wait(handle, HM_UNTIL_READY, 20000, &err) == 0);
	CHECK(strcmp(hm_handle_status(handle)->addr, born->addr) == 0);
	CHECK(strcmp(hm_handle_status(handle)->agent, born->agent) == 0);
}

/* It ends as that; the host is told, and its socket goes if it was killed. */
static void
ends_as(struct born *born, struct hm_handle *handle, const char *want)
{
	char text[128];
	struct hm_addr addr;

	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 20000, &err) == 0);
	(void)hm_status_print(
	    hm_handle_status(handle), false, text, sizeof text);
	if (strcmp(text, want) != 0)
		fprintf(stderr, "%s: %s\n", born->name, text);
	CHECK(strcmp(text, want) == 0);
	tell_status(born, hm_handle_status(handle));
	CHECK(hm_addr_parse(&addr, born->addr, 0, &err) == 0);
	(void)unlink(hm_addr_path(&addr));
	hm_handle_signal(handle, SIGKILL); /* nobody's any more */
	CHECK(hm_handle_free(handle) == 0);
}

static void
make_manager(const char *dir)
{
	struct hm_process_config config = {0};
	sigset_t set;

	config.socket_dir = dir;
	config.from = owner;
	config.subreaper = true;
	config.bind = on_bind;
	config.arg = &manager;
	manager = hm_process_manager_new(loop, &config, &err);
	CHECK(manager != NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	CHECK(hm_loop_signals(loop, &set, on_signal, NULL) == 0);
	CHECK(hm_manager_transport(manager) == HM_TRANSPORT_UNIX);
	CHECK(strncmp(hm_process_manager_callback(manager), "unix:/", 6) == 0);
	CHECK(access(hm_process_manager_callback(manager) + 5, F_OK) == 0);
	CHECK(hm_manager_first(manager) == NULL && !hm_manager_busy(manager));
}

/* In the order they were started, each with what its starter gave it; asked
 * through the host, they answer; asked to end, they hear why. */
static void
test_procs(void)
{
	struct born born[3];
	struct hm_handle *handle[3], *p;
	struct hm_envelope *env;
	struct hm_id dest;
	int i;

	handle[0] = start(&born[0], "x");
	handle[1] = start(&born[1], "y");
	handle[2] = start(&born[2], "z");
	for (i = 0, p = hm_manager_first(manager); p != NULL; i++) {
		CHECK(i < 3 && p == handle[i]);
		CHECK(hm_handle_arg(p) == &born[i]);
		p = hm_handle_next(p);
	}
	CHECK(i == 3);
	for (i = 0; i < 3; i++)
		become_ready(&born[i], handle[i]);
	hm_id_set(&dest, address, "y", "main", 0, 0);
	env = hm_call(owner, &dest, "hi", 2, 5000, &err);
	CHECK(says(env, "hi") && hm_envelope_type_is(env, "text/x-answer"));
	hm_envelope_free(env);

	CHECK(hm_handle_terminate(handle[1], 60000, "7", &err) == 0);
	ends_as(&born[1], handle[1], "Stopped(exit=7)");
	CHECK(hm_manager_first(manager) == handle[0]);
	CHECK(hm_handle_next(handle[0]) == handle[2]);
	CHECK(hm_handle_next(handle[2]) == NULL);
	hm_handle_signal(handle[0], SIGUSR1);
	ends_as(&born[0], handle[0], "Killed(sig=10)");
	/* It does not listen: who finds out says so, and half of the time that
	 * it was given is not waited for. */
	CHECK(hm_handle_terminate(handle[2], 600000, "deaf", &err) == 0);
	hm_handle_unheard(handle[2]);
	ends_as(&born[2], handle[2], "Killed(sig=15)");
	CHECK(hm_manager_first(manager) == NULL);
}

/* Who is refused when it has called back is killed, and hears why. */
static void
test_refused(void)
{
	struct born born;
	struct hm_handle *handle = start(&born, "r");
	struct hm_error why;

	(void)hm_fail(&why, EPERM, "not wanted");
	hm_handle_bound(handle, &why);
	CHECK(hm_handle_wait(handle, HM_UNTIL_READY, 20000, &err) == -1);
	CHECK(err.kind == HM_ERR_CONFIGURE && err.code == EPERM);
	CHECK(strstr(err.text, "failed to configure process: not wanted"));
	CHECK(strcmp(hm_handle_failure(handle)->text, err.text) == 0);
	hm_handle_bound(handle, NULL); /* too late */
	CHECK(hm_state_terminal(hm_handle_status(handle)->state));
	control("{\"op\":\"unbind\",\"name\":\"r\"}");
	(void)unlink(born.addr + 5);
	CHECK(hm_handle_free(handle) == 0);
}

/* --- its end */

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
main(int argc, char **argv)
{
	char dir[] = "/tmp/hostmux-test-XXXXXX";

	(void)alarm(120);
	if (argc == 2)
		return behave();
	self = argv[0];
	CHECK(mkdtemp(dir) != NULL && setenv("XDG_RUNTIME_DIR", dir, 1) == 0);
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
	make_host(dir);
	owner = hm_proc_instance(attach(address, "owner"), "agent", &err);
	CHECK(owner != NULL);
	test_addresses();
	test_local();
	test_system();
	test_bind(dir);
	make_manager(dir);
	test_procs();
	test_refused();
	hm_manager_free(manager);
	test_shutdown();
	hm_loop_free(loop);
	CHECK(rmdir(dir) == 0); /* all sockets are gone */
	return 0;
}
