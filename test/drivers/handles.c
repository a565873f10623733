/*
 * A program that is the supervisor of its procs (this program again), with the
 * public headers and nothing else: they are started, bound, asked, signalled
 * and ended by their handles.
 */
#include <signal.h>

#include "embed.h"

static struct hm_manager *manager;
static const char *self;

/* --- the child's side */

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

/* --- the supervisor's */

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
make_manager(void)
{
	const struct hm_manager_user user = {owner, on_bind, NULL, &manager};
	struct hm_process_config config = {0};
	sigset_t set;

	config.socket_dir = embed_dir;
	config.subreaper = true;
	manager = hm_process_manager_new(loop, &config, &err);
	CHECK(manager != NULL);
	hm_manager_use(manager, &user);
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

static int done = -1;

static void
on_done(void *arg, unsigned failed)
{
	CHECK(arg == &done);
	done = (int)failed;
}

int
main(int argc, char **argv)
{
	(void)alarm(120);
	if (argc == 2)
		return behave();
	self = argv[0];
	embed_begin();
	make_manager();
	test_procs();
	test_refused();
	hm_manager_free(manager);
	hm_host_shutdown(host, 1000, "test", on_done, &done);
	hm_proc_free(hm_actor_proc(owner));
	UNTIL(done != -1);
	CHECK(done == 0);
	hm_host_free(host);
	embed_end();
	return 0;
}
