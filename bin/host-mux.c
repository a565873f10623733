/*
 * host-mux: serves a host until it is told to end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "tool/mux.h"

#define TIMEOUT_MS 8000 /* under the 10 s of docker stop */
#define MAX_AT_A_TIME 64
/* What is parked is of all sizes up to 128 KiB: with holes between, 12 MiB of
 * it took 17. */
#define MEMORY_BACK ((size_t)32 * 1024)

#define AT(member) offsetof(struct mux, member)

static const struct tool_option options[] = {
    {"-l, --listen SPEC", "also listen here: unix:PATH, tcp:HOST:PORT",
	TOOL_LIST, AT(listen), 0},
    {"    --as ADDR", "is known as (auto: towards the default route)",
	TOOL_LIST, AT(as), 0},
    {"-b, --backend SPEC", "where procs forward to", TOOL_TEXT, AT(backend), 0},
    {"-d, --route VIA", "where unknown names go; ADDR=VIA: that host",
	TOOL_LIST, AT(routes), 0},
    {"-m, --mode MODE", "of the Unix sockets (0600)", TOOL_TEXT, AT(bits), 0},
    {"-D, --daemon", "in the background once serving", TOOL_FLAG,
	AT(background), 0},
    {"    --log FILE", "messages of -D (ADDR.log)", TOOL_TEXT, AT(log), 0},
    {"-t, --timeout TIME", "grace of procs at the end (8s)", TOOL_DURATION,
	AT(timeout), 0},
    {"-j, --jobs MAX", "procs ended at a time (64)", TOOL_COUNT, AT(max),
	UINT32_MAX},
    {"    --relay", "pass what is remote on to third hosts", TOOL_FLAG,
	AT(relay), 0},
    {"    --ready-fd N", "a newline there once serving", TOOL_FD, AT(ready_fd),
	0},
    {"CMD", "run it, and end with its status", TOOL_OPERAND, 0, 0},
    TOOL_OPTIONS_END,
};

static struct tool tool = {"host-mux",
    "[-l SPEC]... [--as ADDR]... [-b SPEC] [-d [ADDR=]VIA]... [-m MODE] "
    "[-D [--log FILE]] [-t TIMEOUT] [-j MAX] [--relay] [-- CMD [ARG]...]",
    options, NULL, HM_LOG_WARNING, true};

/* For eval "$(host-mux)": the shell sees that it has failed. */
static void
print_false(void)
{
	(void)puts("false");
	(void)fflush(stdout);
}

static unsigned
mode(const char *text)
{
	char *end;
	unsigned long bits = strtoul(text, &end, 8);

	if (text[0] < '0' || text[0] > '7' || *end != '\0' || bits > 0777)
		tool_usage(&tool, "option -m: not an octal mode");
	return (unsigned)bits;
}

static void
read_options(struct mux *mux, int argc, char **argv)
{
	char **command = tool_options(&tool, mux, argc, argv);

	if (mux->listen.n > MUX_MAX || mux->as.n > MUX_MAX ||
	    mux->routes.n > MUX_MAX)
		tool_usage(&tool, "options -l, --as, -d: more than %d of one",
		    MUX_MAX);
	mux->mode = mode(mux->bits);
	if (command[0] != NULL && strcmp(command[-1], "--") != 0)
		tool_usage(&tool, "a CMD goes behind --");
	if (command[0] != NULL)
		mux->command = command;
	if (mux->background && mux->command != NULL)
		tool_usage(&tool, "option -D goes without a CMD");
	if (mux->log != NULL && !mux->background)
		tool_usage(&tool, "option --log goes with -D");
}

static void
init(struct mux *mux)
{
	memset(mux, 0, sizeof *mux);
	mux->tool = &tool;
	mux->bits = "0600";
	mux->max = MAX_AT_A_TIME;
	mux->ready_fd = mux->daemon.report = -1;
	mux->timeout = TOOL_UNSAID;
}

/* What the options do not say. */
static int
read_environment(struct mux *mux, struct hm_error *err)
{
	hm_limits_init(&mux->limits);
	if (hm_limits_from_env(&mux->limits, err) == -1)
		return -1;
	if (mux->timeout != TOOL_UNSAID)
		return 0;
	mux->timeout = TIMEOUT_MS;
	if (getenv("HYPERACTOR_PROCESS_EXIT_TIMEOUT") != NULL)
		mux->timeout = mux->limits.exit_timeout;
	return 0;
}

static int
failed(const struct mux *mux, int status)
{
	if (mux->command != NULL) /* and stdout is CMD's */
		return status == TOOL_USAGE ? status : TOOL_WRAP;
	if (!mux->background)
		print_false();
	return status;
}

static int
fail(const struct mux *mux, const struct hm_error *err)
{
	return failed(mux, tool_fail(&tool, err));
}

/* Listens, says so, and serves until the end. */
static int
serve(struct mux *mux)
{
	struct hm_error err;
	sigset_t all;

	if (mux->background && daemon_start(&mux->daemon, "false\n") == -1) {
		(void)hm_fail(&err, errno, "fork: %s", strerror(errno));
		return fail(mux, &err);
	}
	/* Whoever knows of it may signal it: mux_run takes them. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	mux->loop = tool_loop(&tool);
	if (mux->loop == NULL)
		return failed(mux, TOOL_SYSTEM);
	if (mux_addresses(mux, &err) == -1 || mux_serve(mux, &err) == -1 ||
	    mux_announce(mux, &err) == -1)
		return fail(mux, &err);
	return mux_run(mux);
}

int
main(int argc, char **argv)
{
	struct mux mux;
	struct hm_error err;
	int status;

	tool_stdio();
	init(&mux);
	read_options(&mux, argc, argv);
	if (read_environment(&mux, &err) == -1) {
		if (mux.command == NULL)
			print_false();
		return tool_fail(&tool, &err);
	}
	if (mux.command == NULL)
		sys_close_others(mux.ready_fd);
	inheritance_get(&mux.init.inherit);
	sys_files_raise(&mux.init.inherit.files);
	sys_memory_back(MEMORY_BACK);
	(void)signal(SIGPIPE, SIG_IGN);
	status = serve(&mux);
	command_fini(&mux);
	hm_host_free(mux.host);
	hm_loop_free(mux.loop);
	mux_leave(&mux);
	return status;
}
