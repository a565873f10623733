/*
 * The life of a wrapped command.
 *
 * CMD's exec comes before the callback, so a proc that is Ready runs; and the
 * end of CMD, however soon, is told only after the callback was answered.
 * Signals come as bytes of the loop's pipe, so each is passed on once, to
 * CMD's group, which exists before anything can come.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "proc/agent.h"
#include "tool/wrap.h"

extern char **environ;

/* What strays of a joined proc get to end, before SIGKILL. */
#define STRAYS_MAX 256
#define LEAVE_MS 2000

const char *
wrap_name(const struct wrap *wrap)
{
	return hm_proc_id(wrap->proc)->proc;
}

int
wrap_pipe(int fds[2], int ours)
{
	if (pipe(fds) == -1)
		return -1;
	if (sys_cloexec(fds[0]) == 0 && sys_cloexec(fds[1]) == 0 &&
	    sys_nonblock(fds[ours]) == 0)
		return 0;
	(void)close(fds[0]);
	(void)close(fds[1]);
	return -1;
}

int
wrap_post(struct wrap *wrap, const struct hm_id *dest, const char *text,
    size_t len)
{
	struct hm_draft draft = { hm_actor_id(wrap->actor), dest, "text/plain",
		(unsigned)wrap->boot.limits.ttl, 0, NULL, NULL };
	struct hm_error err;
	struct hm_envelope *env = hm_envelope_new(&draft, text, len, &err);
	int code;

	if (env != NULL && hm_post(wrap->actor, env) == 0)
		return 0;
	code = env == NULL ? err.code : errno;
	hm_envelope_free(env);
	if (code != EAGAIN)
		tool_say(wrap->tool, HM_LOG_ERROR,
		    "a line of %zu bytes is lost (%s): %s", len,
		    wrap_name(wrap), strerror(code));
	errno = code;
	return code == EAGAIN ? -1 : 0;
}

/* Everything is over: CMD has ended, and what it printed is settled. */
void
wrap_check(struct wrap *wrap)
{
	if (wrap->runs || (wrap->child == 0 && !wrap->stopping))
		return;
	if (wrap->mode->done != NULL && !wrap->mode->done(wrap))
		return;
	if (hm_proc_unsettled(wrap->proc) == 0)
		hm_loop_stop(wrap->loop);
}

static void
on_progress(void *arg)
{
	struct wrap *wrap = arg;

	if (wrap->mode->progress != NULL)
		wrap->mode->progress(wrap);
	wrap_check(wrap);
}

static void
signal_all(struct wrap *wrap, int sig)
{
	if (wrap->runs)
		(void)kill(-wrap->child, sig);
	if (wrap->mode->signal != NULL)
		wrap->mode->signal(wrap, sig);
}

static void
on_stop(void *arg, const char *reason)
{
	struct wrap *wrap = arg;

	tool_say(wrap->tool, HM_LOG_INFO, "told to stop (%s): %s",
	    wrap_name(wrap), reason);
	wrap->stopping = true;
	hm_actor_pause(wrap->actor, false); /* what waits is refused */
	wrap->mode->stop(wrap);
	wrap_check(wrap);
}

/* The supervisor, or the host of a joined proc, is gone. */
static void
abandon(struct wrap *wrap, int sig)
{
	wrap->lost = true;
	wrap->exit = TOOL_WRAP;
	signal_all(wrap, sig);
	hm_loop_stop(wrap->loop);
}

static void
on_supervisor_lost(void *arg)
{
	abandon(arg, SIGKILL);
}

static void
on_host_lost(void *arg, const char *why)
{
	struct wrap *wrap = arg;

	tool_say(wrap->tool, HM_LOG_ERROR, "host lost (%s): %s",
	    wrap_name(wrap), why);
	if (wrap->join != NULL)
		abandon(wrap, SIGTERM);
	/* A spawned one is ended by its supervisor, which sees the same. */
}

static void
command_ended(struct wrap *wrap, int status)
{
	wrap->status = status;
	wrap->runs = false;
	wrap->exit = WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
					   WEXITSTATUS(status);
	if (wrap->mode->ended != NULL)
		wrap->mode->ended(wrap);
	wrap_check(wrap);
}

/*
 * One child that has ended, ours or one that fell to us.  The group of CMD is
 * signalled before its leader is reaped: until then its number is its own.
 */
static bool
reap_one(struct wrap *wrap)
{
	siginfo_t info;
	int status;

	memset(&info, 0, sizeof info);
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 ||
	    info.si_pid == 0)
		return false;
	if (info.si_pid == wrap->child && wrap->runs) {
		(void)kill(-wrap->child, SIGTERM);
		(void)kill(-wrap->child, SIGCONT);
	}
	if (waitpid(info.si_pid, &status, WNOHANG) != info.si_pid)
		return true;
	if (info.si_pid == wrap->child && wrap->runs)
		command_ended(wrap, status);
	else if (wrap->mode->reaped != NULL)
		(void)wrap->mode->reaped(wrap, info.si_pid, status);
	return true;
}

static void
on_signal(void *arg, int sig)
{
	struct wrap *wrap = arg;

	if (sig == SIGCHLD) {
		while (reap_one(wrap))
			continue;
		return;
	}
	signal_all(wrap, sig);
	/* Without a command of its own, the proc itself is meant. */
	if (!wrap->runs && !wrap->stopping &&
	    (sig == SIGTERM || sig == SIGINT || sig == SIGHUP ||
		sig == SIGQUIT))
		on_stop(wrap, strsignal(sig));
}

static int
take_signals(struct wrap *wrap)
{
	static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP,
		SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT };
	sigset_t set;
	size_t i;

	(void)sigemptyset(&set);
	for (i = 0; i < sizeof signals / sizeof signals[0]; i++)
		(void)sigaddset(&set, signals[i]);
	(void)signal(SIGPIPE, SIG_IGN);
	return hm_loop_signals(wrap->loop, &set, on_signal, wrap);
}

static int
join(struct wrap *wrap, struct hm_error *err)
{
	struct hm_attach how;

	memset(&how, 0, sizeof how);
	hm_limits_init(&wrap->boot.limits);
	if (hm_limits_from_env(&wrap->boot.limits, err) == -1)
		return -1;
	how.host = wrap->join;
	how.name = wrap->name;
	how.joined = how.redial = true;
	how.limits = &wrap->boot.limits;
	wrap->proc = hm_proc_attach(wrap->loop, &how, err);
	if (wrap->proc == NULL || hm_agent_install(wrap->proc, err) == -1)
		return -1;
	if (setenv("HYPERACTOR_HOST_ADDR", wrap->join, 1) == -1)
		return hm_fail(err, ENOMEM, "no memory");
	return 0;
}

static int
begin(struct wrap *wrap, struct hm_error *err)
{
	if (wrap->join != NULL) {
		if (join(wrap, err) == -1)
			return -1;
	} else {
		wrap->boot.lost = on_supervisor_lost;
		wrap->boot.arg = wrap;
		if (boot_begin(&wrap->boot, wrap->loop, err) == -1)
			return -1;
		wrap->proc = wrap->boot.proc;
	}
	if (wrap->to_text != NULL &&
	    hm_id_parse_dest(&wrap->to, wrap->to_text,
		hm_proc_host(wrap->proc), err) == -1)
		return -1;
	wrap->actor = hm_proc_spawn(wrap->proc, "main", wrap->mode->handle,
	    wrap, err);
	if (wrap->actor == NULL)
		return -1;
	hm_actor_pause(wrap->actor, true);
	hm_proc_on_progress(wrap->proc, on_progress, wrap);
	hm_proc_on_stop(wrap->proc, on_stop, wrap);
	hm_proc_on_lost(wrap->proc, on_host_lost, wrap);
	return 0;
}

/* CMD cannot be run: whoever spawned us is told, and so is stderr. */
static int
cannot_run(struct wrap *wrap, const char *what, int code)
{
	char why[HM_ERROR_TEXT];
	int status = code == ENOENT ? TOOL_NOTFOUND : TOOL_NOEXEC;

	if (strcmp(what, "fork") == 0)
		status = TOOL_WRAP;
	(void)snprintf(why, sizeof why, "%.300s: %s", what, strerror(code));
	tool_say(wrap->tool, HM_LOG_ERROR, "cannot run %s", why);
	if (wrap->join == NULL)
		boot_fail(&wrap->boot, why, code, status);
	return status;
}

/* Like execvp would find it; 0, or the errno value. */
static int
look_up(const char *file)
{
	const char *path = getenv("PATH"), *end;
	char full[4096];
	int code = ENOENT, n;

	if (strchr(file, '/') != NULL)
		return access(file, X_OK) == 0 ? 0 : errno;
	for (path = path == NULL ? "/bin:/usr/bin" : path;; path = end + 1) {
		end = path + strcspn(path, ":");
		n = snprintf(full, sizeof full, "%.*s%s%s",
		    (int)(end - path), path, end == path ? "" : "/", file);
		if (n > 0 && (size_t)n < sizeof full) {
			if (access(full, X_OK) == 0)
				return 0;
			if (errno == EACCES)
				code = EACCES;
		}
		if (*end == '\0')
			return code;
	}
}

static int
start_command(struct wrap *wrap)
{
	struct spawn spawn;
	const char *what;
	int code;

	if (wrap->mode == &wrap_exec) {
		code = look_up(wrap->argv[0]);
		if (code != 0)
			return cannot_run(wrap, wrap->argv[0], code);
		wrap->mode->started(wrap);
		return 0;
	}
	memset(&spawn, 0, sizeof spawn);
	spawn.argv = wrap->argv;
	spawn.env = environ;
	spawn.in = STDIN_FILENO;
	spawn.out = STDOUT_FILENO;
	spawn.err = STDERR_FILENO;
	spawn.inherit = &wrap->inherit;
	spawn.orphans = true;
	if (wrap->mode->plumb != NULL &&
	    wrap->mode->plumb(wrap, &spawn) == -1)
		return cannot_run(wrap, "fork", errno);
	wrap->child = spawn_child(&spawn, &what);
	code = errno;
	wrap->runs = wrap->child > 0;
	if (wrap->mode->started != NULL)
		wrap->mode->started(wrap);
	return wrap->runs ? 0 : cannot_run(wrap, what, code);
}

/* Nobody else hunts what a joined proc leaves. */
static void
kill_strays(void)
{
	pid_t pids[STRAYS_MAX];
	long n, i;
	int round;

	for (round = 0; round < 64; round++) {
		n = sys_children(getpid(), pids, STRAYS_MAX);
		if (n <= 0)
			return;
		for (i = 0; i < n && i < STRAYS_MAX; i++)
			(void)kill(pids[i], SIGKILL);
		while (waitpid(-1, NULL, 0) > 0)
			continue;
	}
}

/* A joined proc tells its status itself. */
static void
tell_host(struct wrap *wrap)
{
	struct hm_status status;
	struct hm_json_out out;
	struct hm_json *answer;
	char *text;

	memset(&status, 0, sizeof status);
	status.cpu = -1;
	hm_status_from_wait(&status, wrap->status);
	hm_json_out_init(&out);
	hm_json_open(&out, NULL, '{');
	hm_json_put_string(&out, "op", "status");
	hm_json_put_string(&out, "name", wrap_name(wrap));
	hm_json_open(&out, "set", '{');
	hm_status_put(&status, &out);
	hm_json_close(&out, '}');
	hm_json_close(&out, '}');
	text = hm_json_out_take(&out, NULL);
	if (text == NULL)
		return;
	answer = hm_control(hm_proc_actor(wrap->proc, "agent"), text, LEAVE_MS,
	    NULL);
	hm_json_free(answer);
	free(text);
}

static void
finish(struct wrap *wrap)
{
	if (wrap->join == NULL) {
		if (!wrap->lost && wrap->child > 0)
			boot_status(&wrap->boot, wrap->status);
	} else if (!wrap->lost && wrap->child > 0) {
		tell_host(wrap);
	}
	if (wrap->mode->fini != NULL)
		wrap->mode->fini(wrap);
	if (wrap->join == NULL)
		boot_fini(&wrap->boot);
	else
		hm_proc_free(wrap->proc);
	if (wrap->join != NULL || wrap->lost)
		kill_strays();
}

static int
serve(struct wrap *wrap)
{
	struct hm_error err;
	int status = start_command(wrap);

	if (status != 0)
		return status;
	if (wrap->join == NULL && boot_ready(&wrap->boot, &err) == -1) {
		signal_all(wrap, SIGKILL);
		return wrap->lost ? TOOL_WRAP : tool_fail(wrap->tool, &err);
	}
	hm_actor_pause(wrap->actor, false);
	wrap_check(wrap);
	if (!wrap->lost && hm_loop_run(wrap->loop) == -1) {
		tool_say(wrap->tool, HM_LOG_ERROR, "loop: %s",
		    strerror(errno));
		return TOOL_WRAP;
	}
	return wrap->exit;
}

int
wrap_run(struct wrap *wrap)
{
	struct hm_error err;
	int status;

	inheritance_get(&wrap->inherit);
	wrap->loop = tool_loop(wrap->tool);
	if (wrap->loop == NULL)
		return TOOL_WRAP;
	(void)sys_subreaper();
	if (take_signals(wrap) == -1) {
		tool_say(wrap->tool, HM_LOG_ERROR, "signals: %s",
		    strerror(errno));
		return TOOL_WRAP;
	}
	if (begin(wrap, &err) == -1) {
		status = tool_fail(wrap->tool, &err);
		if (wrap->proc != NULL && wrap->join == NULL)
			boot_fini(&wrap->boot);
		else
			hm_proc_free(wrap->proc);
	} else {
		status = serve(wrap);
		finish(wrap);
	}
	hm_loop_free(wrap->loop);
	return status;
}
