/*
 * Who is told of a proc ends it, waits for it, forgets it or whoever else
 * waits, from inside the call: processes, and what all managers have in common.
 */
#include <fcntl.h>
#include <time.h>

#include "boot/process.h"

#include "reentry.h"

static struct hm_waiter waiter, other;
static char *argv_again[3];
static unsigned told;

/* --- procs that are this program again */

/* "slow" takes its time to end; "leaves" has a child that does not hear
 * SIGTERM.  The file $SET says that they are so far. */
static int
behave_badly(const char *how)
{
	const struct timespec slowly = {0, 300 * 1000 * 1000};
	bool slow = strcmp(how, "slow") == 0;
	sigset_t term;
	int fd, sig;

	if (!slow && strcmp(how, "leaves") != 0)
		return behave(how);
	if (!slow && fork() != 0) {
		(void)sleep(60);
		return 1;
	}
	if (!slow)
		(void)setsid();
	(void)alarm(60);
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	CHECK(sigprocmask(SIG_BLOCK, &term, NULL) == 0);
	fd = open(getenv("SET"), O_WRONLY | O_CREAT, 0600);
	CHECK(fd != -1);
	if (!slow)
		(void)pause();
	CHECK(sigwait(&term, &sig) == 0);
	(void)nanosleep(&slowly, NULL);
	return 4;
}

static struct hm_handle *
set(struct hm_manager *manager, const char *how)
{
	struct hm_spawn spawn = again(argv_again, how);
	char path[sizeof dir + 8];
	const char *const env[] = {path, NULL};
	struct hm_handle *handle;

	(void)snprintf(path, sizeof path, "SET=%s/set", dir);
	spawn.env = env;
	handle = bare(manager, &spawn);
	while (access(path + 4, F_OK) == -1)
		CHECK(hm_loop_turn(loop, 10) == 0);
	CHECK(unlink(path + 4) == 0);
	return handle;
}

/* --- told that it is Ready */

/* A proc of a host, whose end fn waits for when that is told so. */
static void
ready_and_ended(told_fn *fn)
{
	const struct hm_spawn spawn = again(argv_again, "boots");
	struct hm_handle *handle;

	serve(process_manager(), NULL);
	handle = hm_host_start(host, NULL, "p", &spawn, &err);
	CHECK(handle != NULL);
	await(handle, &waiter, HM_UNTIL_READY, fn, NULL);
	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 8000, &err) == 0);
	CHECK(hm_handle_failure(handle) == NULL);
}

static void
kill_and_wait(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)arg;
	CHECK(why == NULL);
	CHECK(hm_handle_kill(handle, "x", &err) == 0);
	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 8000, &err) == 0);
}

/* The lifeline that said so is closed in the turns of the waiter's wait. */
static void
kill_when_ready(void)
{
	ready_and_ended(kill_and_wait);
}

static void
see_crash(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)arg;
	CHECK(why == NULL);
	hm_handle_signal(handle, SIGKILL);
	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 8000, &err) == 0);
}

/* The same of a proc that ends by itself while the waiter waits. */
static void
crash_when_ready(void)
{
	ready_and_ended(see_crash);
}

static void
end_children(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	struct hm_summary sum;

	(void)arg;
	(void)handle;
	CHECK(why == NULL);
	CHECK(hm_host_terminate_children(host, 0, 8, "x", &sum, &err) == 0);
	CHECK(sum.attempted == 1 && sum.ok == 1);
}

/* The same when the waiter ends all procs of the host. */
static void
end_all_when_ready(void)
{
	ready_and_ended(end_children);
}

static void
only_kill(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)arg;
	CHECK(why == NULL);
	CHECK(hm_handle_kill(handle, "x", &err) == 0);
}

/* Killed before the host had its turn to hear that it is Ready, it was a proc
 * all the same, and is shown. */
static void
shown_after_kill(void)
{
	ready_and_ended(only_kill);
	CHECK(is_shown("p", "spawned", "Killed"));
}

/* --- told that a kill does not help */

static const struct script helpless = {.how = SCRIPT_SILENT, .ends = true};
static const struct hm_spawn nothing = {.in = -1};

static void
forget_other(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	CHECK(why != NULL && why->code == EIO);
	hm_handle_unwait(handle, arg);
	memset(arg, 0xff, sizeof(struct hm_waiter));
	free(arg);
}

/* Another waiter, the next to be told, is dropped and freed. */
static void
unwait_when_stuck(void)
{
	struct hm_manager *manager = scripted_new(loop, helpless);
	struct hm_handle *handle = bare(manager, &nothing);
	struct hm_waiter *next = malloc(sizeof *next);

	CHECK(next != NULL);
	told = 0;
	await(handle, next, HM_UNTIL_END, count, &told);
	await(handle, &waiter, HM_UNTIL_CHANGE, forget_other, next);
	CHECK(hm_handle_kill(handle, "x", &err) == 0 && told == 0);
	hm_handle_unwait(handle, &waiter);
	hm_manager_free(manager);
}

static void
end_and_free(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)arg;
	if (why == NULL)
		return;
	hm_handle_unwait(handle, &waiter);
	CHECK(hm_handle_terminate(handle, 0, "x", &err) == 0);
	CHECK(hm_handle_free(handle) == 0);
}

/* The proc is ended and forgotten: the others are told of that end alone. */
static void
free_when_stuck(void)
{
	struct hm_manager *manager = scripted_new(loop, helpless);
	struct hm_handle *handle = bare(manager, &nothing);

	told = 0;
	await(handle, &other, HM_UNTIL_END, count, &told);
	await(handle, &waiter, HM_UNTIL_CHANGE, end_and_free, NULL);
	CHECK(hm_handle_kill(handle, "x", &err) == 0 && told == 1);
	CHECK(hm_manager_first(manager) == NULL);
	hm_manager_free(manager);
}

/* --- told that it is Stopping */

static void
kill_stopping(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	CHECK(why == NULL);
	if (hm_handle_status(handle)->state != HM_STOPPING)
		return;
	hm_handle_unwait(handle, &waiter);
	kill_and_wait(NULL, handle, NULL);
	if (arg != NULL)
		CHECK(hm_handle_free(handle) == 0);
}

/* terminate goes on with one that has ended, and presses it no further. */
static void
end_in_terminate(void)
{
	const struct hm_spawn spawn = again(argv_again, "silent");
	struct hm_manager *manager = process_manager();
	struct hm_handle *handle = bare(manager, &spawn);
	const struct process *p = (const struct process *)handle;

	await(handle, &waiter, HM_UNTIL_CHANGE, kill_stopping, NULL);
	CHECK(hm_handle_terminate(handle, 300, "x", &err) == 0);
	ends_as(handle, "Killed(sig=9)");
	CHECK(p->press == PRESS_KILL && !hm_timer_running(&p->ladder));
	hm_manager_free(manager);
}

/* The same with one that is forgotten. */
static void
free_in_terminate(void)
{
	const struct hm_spawn spawn = again(argv_again, "silent");
	struct hm_manager *manager = process_manager();
	struct hm_handle *handle = bare(manager, &spawn);

	await(handle, &waiter, HM_UNTIL_CHANGE, kill_stopping, manager);
	CHECK(hm_handle_terminate(handle, 300, "x", &err) == 0);
	CHECK(hm_manager_first(manager) == NULL);
	hm_manager_free(manager);
}

static void
kill_at_once(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)arg;
	CHECK(why == NULL);
	if (hm_handle_status(handle)->state == HM_STOPPING)
		CHECK(hm_handle_kill(handle, "x", &err) == 0);
}

/* What a kill from inside terminate has pressed stays pressed: what is left of
 * the tree is killed, and not only asked. */
static void
kill_in_terminate(void)
{
	struct hm_manager *manager = process_manager();
	struct hm_handle *handle = set(manager, "leaves");

	await(handle, &waiter, HM_UNTIL_CHANGE, kill_at_once, NULL);
	CHECK(hm_handle_terminate(handle, 60000, "x", &err) == 0);
	CHECK(((const struct process *)handle)->press == PRESS_KILL);
	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 8000, &err) == 0);
	hm_manager_free(manager);
}

/* --- told of the end */

/* Restarted while the manager is freed, it would be left. */
static void
spawn_in_free(void)
{
	struct hm_spawn spawn = again(argv_again, "silent");
	struct hm_manager *manager = process_manager();
	struct hm_handle *handle = bare(manager, &spawn);

	spawn = without_host(&spawn);
	await(handle, &waiter, HM_UNTIL_END, spawn_again, &spawn);
	hm_manager_free(manager);
}

/* Who waits for a change of what has ended waits for ever. */
static void
change_after_end(void)
{
	struct hm_manager *manager = scripted_new(loop, helpless);
	struct hm_handle *handle = bare(manager, &nothing);

	CHECK(hm_handle_terminate(handle, 0, "x", &err) == 0);
	CHECK(hm_handle_wait(handle, HM_UNTIL_CHANGE, 100, &err) == -1);
	CHECK(err.code == ESRCH);
	hm_manager_free(manager);
}

static void
free_manager(void *arg, const struct hm_summary *summary)
{
	CHECK(summary->attempted == 1 && summary->ok == 1);
	hm_manager_free(arg);
}

/* The manager is freed by who is told that all of it has ended. */
static void
free_when_done(void)
{
	struct hm_manager *manager = scripted_new(loop, helpless);

	(void)bare(manager, &nothing);
	CHECK(hm_manager_terminate_all(
		  manager, 0, 1, "x", free_manager, manager) == 0);
}

static void
forget_ended(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)arg;
	(void)why;
	if (!hm_state_terminal(hm_handle_status(handle)->state))
		return;
	hm_handle_unwait(handle, &waiter);
	CHECK(hm_handle_free(handle) == 0);
}

static void
begin_to_forget(void *arg)
{
	struct hm_handle *handle = hm_manager_first(arg);

	CHECK(handle != NULL);
	await(handle, &waiter, HM_UNTIL_CHANGE, forget_ended, NULL);
	hm_handle_signal(handle, SIGKILL);
}

/* Somebody forgets what ends, and a spawn waits for it to be Ready. */
static void
forget_in_spawn(void)
{
	const struct hm_spawn spawn = again(argv_again, "silent");
	struct hm_manager *manager = process_manager();
	struct hm_task task = {begin_to_forget, manager, NULL, false};

	serve(manager, NULL);
	hm_task_start(loop, &task);
	CHECK(hm_host_spawn(host, NULL, "p", &spawn, &err) == NULL);
	CHECK(err.kind == HM_ERR_CONFIGURE);
	CHECK(strstr(err.text, "before it was ready: Killed(sig=9)") != NULL);
	CHECK(hm_manager_first(manager) == NULL);
}

static void
end_and_forget(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	(void)arg;
	CHECK(why == NULL);
	hm_handle_unwait(handle, &waiter);
	if (hm_handle_status(handle)->state == HM_READY)
		CHECK(hm_handle_kill(handle, "x", &err) == 0);
	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 8000, &err) == 0);
	CHECK(hm_handle_free(handle) == 0);
}

/* A child that calls back with line, and who waits for until. */
static void
calls_back(const char *line, enum hm_until until)
{
	struct hm_manager *manager = process_manager();
	struct hm_spawn spawn = again(argv_again, line);
	struct hm_handle *handle;
	char child[4096];

	(void)snprintf(child, sizeof child, "%.4000s", argv_again[0]);
	(void)snprintf(strrchr(child, '/'), 8, "/child");
	argv_again[0] = child;
	handle = bare(manager, &spawn);
	await(handle, &waiter, until, end_and_forget, NULL);
	while (hm_manager_first(manager) != NULL)
		CHECK(hm_loop_turn(loop, 1000) == 0);
	hm_manager_free(manager);
}

/* Told that it is Stopping, while the error it called back with is served. */
static void
forget_in_error(void)
{
	calls_back("{\"token\":\"@TOKEN@\",\"error\":\"x\"}", HM_UNTIL_CHANGE);
}

/* Told that it is Ready, by a manager without a user. */
static void
forget_in_call(void)
{
	calls_back("{\"token\":\"@TOKEN@\",\"addr\":\"unix:/tmp/x\","
		   "\"agent\":\"local:0,p,agent[0]\",\"pid\":1}",
	    HM_UNTIL_READY);
}

/* --- times, and what there is no proc without */

/* As much grace as there is: it is not killed, and ends as it likes. */
static void
endless_grace(void)
{
	struct hm_manager *manager = process_manager();
	struct hm_handle *handle = set(manager, "slow");

	CHECK(hm_handle_terminate(handle, UINT64_MAX, "x", &err) == 0);
	ends_as(handle, "Stopped(exit=4)");
	hm_manager_free(manager);
}

/* As long a wait as there is: it is not over at once. */
static void
endless_wait(void)
{
	const struct hm_spawn spawn = again(argv_again, "ends");
	struct hm_manager *manager = process_manager();
	struct hm_handle *handle = bare(manager, &spawn);

	CHECK(hm_handle_wait(handle, HM_UNTIL_END, UINT64_MAX, &err) == 0);
	hm_manager_free(manager);
}

static void
lacks(
    struct hm_manager *manager, const struct hm_spawn *spawn, const char *words)
{
	CHECK(hm_manager_spawn(manager, spawn, &err) == NULL);
	CHECK(err.code == EINVAL && strstr(err.text, words) != NULL);
}

/* A process without a command, a forwarder or a token is refused. */
static void
lacking(void)
{
	struct hm_manager *manager = process_manager();
	const struct hm_spawn full = again(argv_again, "ends");
	struct hm_spawn spawn = without_host(&nothing);

	lacks(manager, &spawn, "no command");
	spawn = without_host(&full);
	spawn.forwarder = NULL;
	lacks(manager, &spawn, "no forwarder");
	spawn = without_host(&full);
	spawn.token = NULL;
	lacks(manager, &spawn, "no token");
	serve(manager, NULL);
	CHECK(hm_host_spawn(host, NULL, "p", NULL, &err) == NULL);
	CHECK(strstr(err.text, "no command") != NULL);
}

/* A socket directory that procs with another directory would not find. */
static void
relative_dir(void)
{
	const struct hm_process_config config = {.socket_dir = "."};

	CHECK(hm_process_manager_new(loop, &config, &err) == NULL);
	CHECK(err.code == EINVAL);
}

int
main(int argc, char **argv)
{
	static const struct reentry cases[] = {
	    CASE(kill_when_ready),
	    CASE(crash_when_ready),
	    CASE(end_all_when_ready),
	    CASE(shown_after_kill),
	    CASE(unwait_when_stuck),
	    CASE(free_when_stuck),
	    CASE(end_in_terminate),
	    CASE(free_in_terminate),
	    CASE(kill_in_terminate),
	    CASE(spawn_in_free),
	    CASE(change_after_end),
	    CASE(free_when_done),
	    CASE(forget_in_spawn),
	    CASE(forget_in_error),
	    CASE(forget_in_call),
	    CASE(endless_grace),
	    CASE(endless_wait),
	    CASE(lacking),
	    CASE(relative_dir),
	};
	int missing = reenter(cases, sizeof cases / sizeof *cases, argc, argv);

	return missing == 0 || argc != 2 ? missing : behave_badly(argv[1]);
}
