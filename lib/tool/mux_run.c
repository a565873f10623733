/*
 * host-mux serves until somebody ends it: a signal, a shutdown over control,
 * or the end of its command.
 *
 * The ladder of signals: the first begins the orderly end, the second cuts its
 * grace, the third ends at once.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/mux.h"
#include "tool/ready.h"

int
mux_serve(struct mux *mux, struct hm_error *err)
{
	struct hm_host_config config;

	memset(&config, 0, sizeof config);
	config.listen = mux->listen.text;
	config.as = mux->as.text;
	config.routes = mux->routes.text;
	config.backend = mux->backend;
	config.mode = mux->mode;
	config.replace = true; /* the locks are held */
	config.relay = mux->relay;
	config.timeout = mux->timeout;
	config.max = (unsigned)mux->max;
	config.limits = &mux->limits;
	mux->host = hm_host_new(mux->loop, &config, err);
	return mux->host == NULL ? -1 : 0;
}

static void
warn_of_others(const struct mux *mux)
{
	struct hm_addr addr;
	size_t i;

	for (i = 0; i < mux->listen.n; i++) {
		if (hm_addr_parse(&addr, mux->listen.text[i],
			HM_ADDR_LISTEN | HM_ADDR_RESOLVE, NULL) == 0 &&
		    hm_addr_is_remote(&addr))
			tool_say(mux->tool, HM_LOG_WARNING,
			    "listening (%s): whoever reaches it is trusted to "
			    "send to procs and to attach, see hostmux(7)",
			    addr.text);
	}
}

/* NAME='VALUE'; export NAME; for any shell. */
static size_t
put_variable(char *p, size_t size, const char *name, const char *value)
{
	char quoted[4 * HM_ADDR_SIZE + 3], *q = quoted;
	int n;

	*q++ = '\'';
	for (; *value != '\0'; value++) {
		if (*value != '\'') {
			*q++ = *value;
			continue;
		}
		memcpy(q, "'\\''", 4);
		q += 4;
	}
	*q++ = '\'';
	*q = '\0';
	n = snprintf(p, size, "%s=%s; export %s;\n", name, quoted, name);
	return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

/* The variables by which programs find the host; also CMD. */
static size_t
set_variables(const struct mux *mux, char *text, size_t size)
{
	char pid[24];
	const char *const variables[] = {"HYPERACTOR_HOST_ADDR",
	    hm_host_frontend(mux->host), "HYPERACTOR_HOST_ID",
	    hm_host_id(mux->host), "HYPERACTOR_HOST_BACKEND_ADDR",
	    hm_host_backend(mux->host), "HYPERACTOR_HOST_PID", pid};
	size_t i, len = 0;

	(void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
	for (i = 0; i < sizeof variables / sizeof *variables; i += 2) {
		if (setenv(variables[i], variables[i + 1], 1) == -1)
			return 0;
		len += put_variable(
		    text + len, size - len, variables[i], variables[i + 1]);
	}
	return len;
}

/* ADDR.log, beside the socket; nowhere when there is no such place. */
static void
default_log(const struct mux *mux, char *path, size_t size)
{
	struct hm_addr addr;
	const char *socket = NULL;

	if (hm_addr_parse(&addr, hm_host_frontend(mux->host), 0, NULL) == 0)
		socket = hm_addr_path(&addr);
	if (socket == NULL)
		(void)snprintf(path, size, "/dev/null");
	else
		(void)snprintf(path, size, "%s.log", socket);
}

int
mux_announce(struct mux *mux, struct hm_error *err)
{
	char text[4096], log[HM_ADDR_SIZE + 8];
	const char *path = mux->log;
	size_t len = set_variables(mux, text, sizeof text);

	if (len == 0)
		return hm_fail(err, ENOMEM, "no memory");
	warn_of_others(mux);
	default_log(mux, log, sizeof log);
	if (path == NULL)
		path = log;
	if (mux->background) {
		if (daemon_ready(&mux->daemon, text, len, path) == -1)
			return hm_fail(
			    err, errno, "log '%s': %s", path, strerror(errno));
	} else if (mux->command == NULL) {
		(void)fwrite(text, 1, len, stdout);
		if (fflush(stdout) != 0 || ferror(stdout))
			return hm_fail(
			    err, errno, "write (stdout): %s", strerror(errno));
	}
	ready_tell(mux->ready_fd);
	return 0;
}

static void
on_done(void *arg, unsigned failed)
{
	struct mux *mux = arg;

	if (failed > 0)
		tool_say(
		    mux->tool, HM_LOG_ERROR, "%u procs did not end", failed);
	if (mux->command == NULL) {
		mux->status = failed > 0;
		mux->done = true;
		return;
	}
	mux->quiet = true; /* and CMD has ended before it */
	command_sweep(mux);
}

void
mux_end(struct mux *mux, const char *reason)
{
	uint64_t now = hm_loop_now(mux->loop), left = HM_HOST_TIMEOUT;

	if (mux->deadline != 0)
		left = mux->deadline > now ? mux->deadline - now : 0;
	hm_host_shutdown(mux->host, left, reason, on_done, mux);
}

/* As with a signal: CMD ends first, and the host when it has.  Whoever asked
 * is told then. */
static void
on_asked(void *arg, uint64_t timeout)
{
	struct mux *mux = arg;

	if (mux->command == NULL || mux->ended) {
		mux_end(mux, "host shutdown");
		return;
	}
	if (mux->deadline == 0)
		init_signal(&mux->init, SIGTERM);
	command_hurry(mux, timeout < mux->timeout ? timeout : mux->timeout);
}

/* The ladder. */
static void
climb(struct mux *mux)
{
	bool cut = mux->signals == 2;

	if (mux->signals > 2) {
		if (mux->command == NULL)
			mux->status = TOOL_NO;
		mux->done = true;
		return;
	}
	if (mux->command != NULL)
		command_hurry(mux, cut ? 0 : mux->timeout);
	if (mux->command == NULL || (cut && mux->ended))
		mux_end(mux, "host-mux was told to end");
}

static void
on_signal(void *arg, int sig)
{
	struct mux *mux = arg;

	if (sig == SIGCHLD) { /* without a command */
		init_reap(&mux->init);
		return;
	}
	init_signal(&mux->init, sig);
	if (sig != SIGTERM && sig != SIGINT && sig != SIGHUP && sig != SIGQUIT)
		return;
	mux->signals++;
	tool_say(mux->tool, HM_LOG_INFO, "ending (%s): signal %d",
	    hm_host_id(mux->host), sig);
	climb(mux);
}

static void
on_swept(void *arg)
{
	((struct mux *)arg)->done = true;
}

static int
take_signals(struct mux *mux)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT,
	    /* with CMD only */
	    SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};
	size_t n = mux->command == NULL ? 4 : sizeof signals / sizeof *signals;
	sigset_t set;

	tool_signals(&set, signals, n);
	/* As process 1 orphans fall to it. */
	if (mux->command != NULL || getpid() == 1)
		(void)sigaddset(&set, SIGCHLD);
	mux->init.signalled = on_signal;
	mux->init.swept = on_swept;
	mux->init.arg = mux;
	mux->init.lasting = true;
	if ((mux->command == NULL
		    ? hm_loop_signals(mux->loop, &set, on_signal, mux)
		    : init_begin(&mux->init, mux->loop, &set)) == -1)
		return -1;
	(void)sigprocmask(SIG_SETMASK, &mux->init.inherit.mask, NULL);
	/* The caller may have blocked them, for us to hear of them so. */
	return sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int
failed(const struct mux *mux, const struct hm_error *err)
{
	int status = tool_fail(mux->tool, err);

	return mux->command == NULL ? status : TOOL_WRAP;
}

int
mux_run(struct mux *mux)
{
	struct hm_error err;

	if (take_signals(mux) == -1) {
		(void)hm_fail(&err, errno, "signals: %s", strerror(errno));
		return failed(mux, &err);
	}
	if (mux->command == NULL)
		init_reap(&mux->init); /* that ended before SIGCHLD was taken */
	hm_host_on_shutdown(mux->host, on_asked, mux);
	if (mux->command != NULL && command_start(mux, &err) == -1) {
		(void)tool_fail(mux->tool, &err);
		return mux->status;
	}
	while (!mux->done) {
		if (hm_loop_turn(mux->loop, -1) == -1) {
			(void)hm_fail(&err, errno, "loop: %s", strerror(errno));
			return failed(mux, &err);
		}
	}
	return mux->status;
}
