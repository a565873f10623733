/*
 * The manager of processes (this program again, told how to behave): births
 * that fail in every way, the ladder of the end, and what is told when.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/handle.h"
#include "boot/payload.h"

#include "check.h"

static struct hm_loop *loop;
static struct hm_manager *manager;
static struct hm_id id;
static const char *self;
static struct hm_summary summary;
static unsigned bulks;

/* --- the child's side */

static int
call_back(const struct payload *payload)
{
	struct sockaddr_un sun;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(&sun, 0, sizeof sun);
	sun.sun_family = AF_UNIX;
	(void)snprintf(sun.sun_path, sizeof sun.sun_path, "%s",
	    payload->callback_addr + 5);
	CHECK(connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void
answered(int fd, bool ok)
{
	char text[512];
	ssize_t n = read(fd, text, sizeof text - 1);

	CHECK(n > 0);
	text[n] = '\0';
	CHECK(strncmp(text, ok ? "{\"ok\":true" : "{\"ok\":false", 10) == 0);
}

static void
say_with(int fd, const char *token, const char *rest)
{
	char text[2048];

	(void)snprintf(
	    text, sizeof text, "{\"token\":\"%s\",%s}\n", token, rest);
	say(fd, text);
}

static void
say_ready(int fd, const char *token)
{
	char rest[1024];

	(void)snprintf(rest, sizeof rest,
	    "\"addr\":\"unix:/tmp/x\",\"agent\":\"%s,agent[0]\"",
	    getenv(BOOT_PROC_ID));
	say_with(fd, token, rest);
}

static int
behave(const char *how)
{
	struct payload payload;
	struct hm_limits limits;
	struct hm_error err;
	char byte;
	int fd;

	hm_limits_init(&limits);
	CHECK(payload_decode(getenv(BOOT_MODE), &payload, &limits, &err) == 0);
	CHECK(strcmp(payload.proc_id, getenv(BOOT_PROC_ID)) == 0);
	CHECK(limits.delivery_timeout == 7000);
	if (strcmp(how, "silent") == 0)
		(void)pause();
	fd = call_back(&payload);
	if (strcmp(how, "stranger") == 0) {
		say_ready(fd, "ffffffffffffffffffffffffffffffff");
		CHECK(read(fd, &byte, 1) == 0); /* hung up on */
		fd = call_back(&payload);
	}
	if (strcmp(how, "stubborn") == 0)
		(void)signal(SIGTERM, SIG_IGN);
	if (strcmp(how, "noaddr") == 0)
		say_with(fd, payload.token, "\"agent\":\"x\"");
	else if (strcmp(how, "noagent") == 0)
		say_with(fd, payload.token, "\"addr\":\"unix:/x\"");
	else if (strcmp(how, "foreign") == 0)
		say_with(fd, payload.token,
		    "\"addr\":\"unix:/x\",\"agent\":"
		    "\"unix:/h,other,agent[0]\"");
	else if (strcmp(how, "notfound") == 0)
		say_with(fd, payload.token,
		    "\"error\":\"x: not there\",\"errno\":2,\"exit\":127");
	else
		say_ready(fd, payload.token);
	if (strcmp(how, "quick") == 0)
		return 4;
	answered(fd, strcmp(how, "noaddr") != 0 &&
			 strcmp(how, "noagent") != 0 &&
			 strcmp(how, "foreign") != 0);
	if (strcmp(how, "status") == 0) {
		say(fd, "{\"status\":9}\n"); /* CMD was killed */
		return 5;
	}
	if (strcmp(how, "leave") == 0) {
		if (fork() == 0) {
			(void)setsid();
			(void)signal(SIGTERM, SIG_IGN);
			(void)sleep(60);
		}
		say(STDERR_FILENO, "last words");
		return 6;
	}
	while (read(fd, &byte, 1) > 0) /* the lifeline */
		continue;
	return 7;
}

/* --- the spawner's side */

static struct hm_handle *
spawn(const char *how, uint64_t ready_timeout)
{
	static const char *const config[] = {
	    "MESSAGE_DELIVERY_TIMEOUT", "7s", NULL};
	static unsigned n;
	char *argv[] = {(char *)self, (char *)how, NULL};
	char token[33];
	struct hm_spawn spawn;
	struct hm_error err;
	struct hm_handle *handle;

	memset(&spawn, 0, sizeof spawn);
	spawn.id = &id;
	spawn.forwarder = "unix:/tmp/backend";
	(void)snprintf(token, sizeof token, "%032x", ++n);
	spawn.token = token;
	spawn.argv = argv;
	spawn.config = config;
	spawn.in = -1;
	spawn.ready_timeout = ready_timeout;
	handle = hm_manager_spawn(manager, &spawn, &err);
	CHECK(handle != NULL);
	CHECK(hm_handle_status(handle)->state == HM_RUNNING);
	CHECK(hm_handle_status(handle)->pid > 1);
	return handle;
}

/* It ends; its status, printed. */
static const char *
end_of(struct hm_handle *handle)
{
	static char text[512];
	struct hm_error err;
	const struct hm_status *status = hm_handle_status(handle);

	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 8000, &err) == 0);
	CHECK(kill(status->pid, 0) == -1 && errno == ESRCH);
	CHECK(status->ended >= status->started && status->cpu >= 0);
	return hm_status_print(status, false, text, sizeof text);
}

static void
fails(const char *how, uint64_t timeout, const char *words, int code)
{
	struct hm_handle *handle = spawn(how, timeout);
	struct hm_error err;

	CHECK(hm_handle_wait(handle, HM_UNTIL_READY, 8000, &err) == -1);
	if (strstr(err.text, words) == NULL || err.code != code)
		fprintf(stderr, "%s: %d: %s\n", how, err.code, err.text);
	CHECK(strstr(err.text, words) != NULL && err.code == code);
	CHECK(hm_handle_failure(handle) != NULL);
	CHECK(kill(hm_handle_status(handle)->pid, 0) == -1);
	CHECK(hm_handle_free(handle) == 0);
}

static void
becomes_ready(struct hm_handle *handle)
{
	struct hm_error err;

	if (hm_handle_wait(handle, HM_UNTIL_READY, 8000, &err) == -1)
		fprintf(stderr, "%s\n", err.text);
	CHECK(hm_handle_failure(handle) == NULL);
	CHECK(strcmp(hm_handle_status(handle)->addr, "unix:/tmp/x") == 0);
}

static void
test_births(void)
{
	fails("silent", 200, "did not call back within 0.2 s", ETIMEDOUT);
	fails("noaddr", 0, "without an address", EPROTO);
	fails("noagent", 0, "without an agent", EPROTO);
	fails("foreign", 0, "not its own", EPROTO);
	fails("notfound", 0, "failed to spawn process: x: not there", ENOENT);
	becomes_ready(spawn("stranger", 5000));
	CHECK(hm_handle_kill(manager->handles, "test", NULL) == 0);
	CHECK(strcmp(end_of(manager->handles), "Killed(sig=9)") == 0);
	CHECK(hm_handle_free(manager->handles) == 0);
}

static void
test_exec_error(void)
{
	char *argv[] = {(char *)"/no/such/file", NULL};
	struct hm_spawn spawning;
	struct hm_error err;

	memset(&spawning, 0, sizeof spawning);
	spawning.id = &id;
	spawning.forwarder = "unix:/tmp/backend";
	spawning.token = "x";
	spawning.argv = argv;
	spawning.in = -1;
	CHECK(hm_manager_spawn(manager, &spawning, &err) == NULL);
	CHECK(err.kind == HM_ERR_SPAWN && err.code == ENOENT);
	CHECK(
	    strcmp(err.text, "proc 'unix:/h,w' failed to spawn process: "
			     "/no/such/file: No such file or directory") == 0);
	CHECK(manager->handles == NULL);
}

/* What it did before it ended counts, although that was seen later. */
static void
test_quick(void)
{
	struct hm_handle *handle;
	int i;

	for (i = 0; i < 50; i++) {
		handle = spawn("quick", 5000);
		becomes_ready(handle);
		CHECK(strcmp(end_of(handle), "Stopped(exit=4)") == 0);
		CHECK(hm_handle_free(handle) == 0);
	}
	handle = spawn("status", 5000);
	becomes_ready(handle);
	CHECK(strcmp(end_of(handle), "Killed(sig=9)") == 0);
	CHECK(hm_handle_free(handle) == 0);
}

static void
test_leavings(void)
{
	struct hm_handle *handle = spawn("leave", 5000);
	uint64_t start = sys_now();
	struct hm_json_out out;
	char *text;

	becomes_ready(handle);
	CHECK(strcmp(end_of(handle), "Stopped(exit=6)") == 0);
	CHECK(sys_now() - start < 3000);
	hm_json_out_init(&out);
	hm_json_open(&out, NULL, '[');
	hm_handle_put_tail(handle, &out);
	hm_json_close(&out, ']');
	text = hm_json_out_take(&out, NULL);
	CHECK(strcmp(text, "[\"last words\"]") == 0);
	free(text);
	CHECK(!hm_manager_busy(manager));
	CHECK(hm_handle_free(handle) == 0);
}

static void
test_ladder(void)
{
	struct hm_handle *handle = spawn("ready", 5000);
	struct hm_error err;
	uint64_t start;

	becomes_ready(handle);
	CHECK(hm_handle_free(handle) == -1 && errno == EBUSY);
	CHECK(hm_handle_terminate(handle, 5000, "first", &err) == 0);
	CHECK(hm_handle_terminate(handle, 4000, "second", &err) == 0);
	CHECK(hm_handle_status(handle)->state == HM_STOPPING);
	CHECK(strcmp(end_of(handle), "Killed(sig=15)") == 0);
	CHECK(strcmp(hm_handle_status(handle)->reason, "first") == 0);
	CHECK(hm_handle_status(handle)->asked);
	CHECK(hm_handle_terminate(handle, 1, "late", &err) == -1);
	CHECK(strcmp(err.text,
		  "proc already terminated (status: Killed(sig=15))") == 0);
	CHECK(hm_handle_free(handle) == 0);

	handle = spawn("stubborn", 5000);
	becomes_ready(handle);
	start = sys_now();
	CHECK(hm_handle_terminate(handle, 60000, "long", &err) == 0);
	CHECK(hm_handle_terminate(handle, 300, "short", &err) == 0);
	CHECK(strcmp(end_of(handle), "Killed(sig=9)") == 0);
	CHECK(sys_now() - start >= 295 && sys_now() - start < 1500);
	CHECK(hm_handle_free(handle) == 0);

	/* Stopped, it hears SIGTERM all the same. */
	handle = spawn("ready", 5000);
	becomes_ready(handle);
	CHECK(kill(hm_handle_status(handle)->pid, SIGSTOP) == 0);
	CHECK(hm_handle_terminate(handle, 5000, "stopped", &err) == 0);
	CHECK(strcmp(end_of(handle), "Killed(sig=15)") == 0);
	CHECK(hm_handle_free(handle) == 0);
}

static void
on_summary(void *arg, const struct hm_summary *result)
{
	(void)arg;
	summary = *result;
	bulks++;
}

static void
test_all(void)
{
	struct hm_handle *handles[6];
	int i;

	for (i = 0; i < 6; i++)
		handles[i] = spawn(i == 0 ? "quick" : "ready", 5000);
	for (i = 0; i < 6; i++)
		becomes_ready(handles[i]);
	(void)end_of(handles[0]);
	bulks = 0;
	CHECK(hm_manager_terminate_all(
		  manager, 5000, 2, "all", on_summary, NULL) == 0);
	CHECK(hm_handle_status(handles[1])->state == HM_STOPPING);
	CHECK(hm_handle_status(handles[2])->state == HM_STOPPING);
	CHECK(hm_handle_status(handles[3])->state == HM_READY);
	/* A second caller waits for the same ends. */
	CHECK(hm_manager_terminate_all(
		  manager, 5000, 64, "again", on_summary, NULL) == 0);
	while (bulks < 2)
		CHECK(hm_loop_turn(loop, 1000) == 0);
	CHECK(summary.attempted == 6 && summary.ok == 6 && summary.failed == 0);
	for (i = 0; i < 6; i++)
		CHECK(hm_handle_free(handles[i]) == 0);
}

static void
on_signal(void *arg, int sig)
{
	(void)arg;
	(void)sig;
	hm_manager_reap(manager);
}

int
main(int argc, char **argv)
{
	char dir[] = "/tmp/hostmux-test-XXXXXX";
	struct hm_process_config config;
	struct hm_error err;
	struct hm_handle *last;
	sigset_t set;
	pid_t pid;

	if (argc == 2)
		return behave(argv[1]);
	self = argv[0];
	CHECK(mkdtemp(dir) != NULL);
	CHECK(hm_id_parse(&id, "unix:/h,w", &err) == 0);
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
	memset(&config, 0, sizeof config);
	config.socket_dir = dir;
	config.subreaper = true;
	manager = hm_process_manager_new(loop, &config, &err);
	CHECK(manager != NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	CHECK(hm_loop_signals(loop, &set, on_signal, NULL) == 0);
	test_exec_error();
	test_births();
	test_quick();
	test_leavings();
	test_ladder();
	test_all();
	/* Freeing it kills what it still has. */
	last = spawn("stubborn", 5000);
	becomes_ready(last);
	pid = hm_handle_status(last)->pid;
	hm_manager_free(manager);
	CHECK(kill(pid, 0) == -1 && errno == ESRCH);
	hm_loop_free(loop);
	CHECK(rmdir(dir) == 0); /* its socket is gone */
	return 0;
}
