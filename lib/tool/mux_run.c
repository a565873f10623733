/*
 * host-mux serves until somebody ends it: a signal, a shutdown over control,
 * or the end of its command.
 *
 * The ladder of signals: the first begins the orderly end, the second cuts its
 * grace, the third ends at once.
 */
#include <errno.h>
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
	config.max = mux->max;
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

static size_t
put_variables(const struct mux *mux, char *text, size_t size)
{
	size_t len = 0;
	char pid[24];

	(void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
	len += put_variable(text + len, size - len, "HYPERACTOR_HOST_ADDR",
	    hm_host_frontend(mux->host));
	len += put_variable(text + len, size - len, "HYPERACTOR_HOST_ID",
	    hm_host_id(mux->host));
	len += put_variable(text + len, size - len,
	    "HYPERACTOR_HOST_BACKEND_ADDR", hm_host_backend(mux->host));
	len += put_variable(text + len, size - len, "HYPERACTOR_HOST_PID", pid);
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
	size_t len = put_variables(mux, text, sizeof text);

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
		(void)fflush(stdout);
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
	mux->status = failed > 0;
	mux->done = true;
}

static void
on_asked(void *arg)
{
	struct mux *mux = arg;

	hm_host_shutdown(
	    mux->host, HM_HOST_TIMEOUT, "host shutdown", on_done, mux);
}

static void
on_signal(void *arg, int sig)
{
	struct mux *mux = arg;

	tool_say(mux->tool, HM_LOG_INFO, "ending (%s): signal %d",
	    hm_host_id(mux->host), sig);
	if (++mux->signals < 3) {
		hm_host_shutdown(mux->host, HM_HOST_TIMEOUT,
		    "host-mux was told to end", on_done, mux);
		return;
	}
	mux->status = TOOL_NO;
	mux->done = true;
}

int
mux_run(struct mux *mux)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	sigset_t set;
	size_t i;

	(void)sigemptyset(&set);
	for (i = 0; i < sizeof signals / sizeof *signals; i++)
		(void)sigaddset(&set, signals[i]);
	if (hm_loop_signals(mux->loop, &set, on_signal, mux) == -1) {
		tool_say(
		    mux->tool, HM_LOG_ERROR, "signals: %s", strerror(errno));
		return TOOL_SYSTEM;
	}
	hm_host_on_shutdown(mux->host, on_asked, mux);
	while (!mux->done) {
		if (hm_loop_turn(mux->loop, -1) == -1) {
			tool_say(mux->tool, HM_LOG_ERROR, "loop: %s",
			    strerror(errno));
			return TOOL_SYSTEM;
		}
	}
	return mux->status;
}
