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

#define OPT_AS 256
#define OPT_LOG 257
#define OPT_RELAY 258
#define OPT_READY 259
#define TIMEOUT_MS 8000 /* under the 10 s of docker stop */
#define UNSAID UINT64_MAX
#define MAX_AT_A_TIME 64

static struct tool tool = {"host-mux",
    "[-l SPEC]... [--as ADDR]... [-b SPEC] [-d [ADDR=]VIA]... [-m MODE] "
    "[-D [--log FILE]] [-t TIMEOUT] [-j MAX] [--relay] [-- CMD [ARG]...]",
    "  -l, --listen SPEC   also listen here: unix:PATH, tcp:HOST:PORT\n"
    "      --as ADDR       is known as (auto: towards the default route)\n"
    "  -b, --backend SPEC  where procs forward to\n"
    "  -d, --route VIA     where unknown names go; ADDR=VIA: that host\n"
    "  -m, --mode MODE     of the Unix sockets (0600)\n"
    "  -D, --daemon        in the background once serving\n"
    "      --log FILE      messages of -D (ADDR.log)\n"
    "  -t, --timeout TIME  grace of procs at the end (8s)\n"
    "  -j, --jobs MAX      procs ended at a time (64)\n"
    "      --relay         pass what is remote on to third hosts\n"
    "      --ready-fd N    a newline there once serving\n"
    "  CMD                 run it, and end with its status\n",
    HM_LOG_WARNING, "", NULL};

static const struct option longs[] = {
    {"listen", required_argument, NULL, 'l'},
    {"as", required_argument, NULL, OPT_AS},
    {"backend", required_argument, NULL, 'b'},
    {"route", required_argument, NULL, 'd'},
    {"mode", required_argument, NULL, 'm'},
    {"daemon", no_argument, NULL, 'D'},
    {"log", required_argument, NULL, OPT_LOG},
    {"timeout", required_argument, NULL, 't'},
    {"jobs", required_argument, NULL, 'j'},
    {"relay", no_argument, NULL, OPT_RELAY},
    {"ready-fd", required_argument, NULL, OPT_READY},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

/* For eval "$(host-mux)": the shell sees that it has failed. */
static void
print_false(void)
{
	(void)puts("false");
	(void)fflush(stdout);
}

static _Noreturn void
wrong(const char *text)
{
	print_false();
	tool_usage(&tool, "%s", text);
}

static uint64_t
number(const char *option, uint64_t min, uint64_t max)
{
	struct hm_error err;
	uint64_t n;

	if (hm_text_number(optarg, option, min, max, &n, &err) == -1)
		wrong(err.text);
	return n;
}

static void
add(struct mux_list *list)
{
	if (list->n == MUX_MAX)
		wrong("options -l, --as, -d: more than 16 of one");
	list->text[list->n++] = optarg;
}

static unsigned
mode(void)
{
	char *end;
	unsigned long bits = strtoul(optarg, &end, 8);

	if (optarg[0] < '0' || optarg[0] > '7' || *end != '\0' || bits > 0777)
		wrong("option -m: not an octal mode");
	return (unsigned)bits;
}

static uint64_t
duration(const char *option)
{
	struct hm_error err;
	uint64_t ms;

	if (hm_text_duration(optarg, option, &ms, &err) == -1)
		wrong(err.text);
	return ms;
}

static void
read_option(struct mux *mux, int opt)
{
	const char *unused;

	switch (opt) {
	case 'l':
		add(&mux->listen);
		break;
	case OPT_AS:
		add(&mux->as);
		break;
	case 'b':
		mux->backend = optarg;
		break;
	case 'd':
		add(&mux->routes);
		break;
	case 'm':
		mux->mode = mode();
		break;
	case 'D':
		mux->background = true;
		break;
	case OPT_LOG:
		mux->log = optarg;
		break;
	case 't':
		mux->timeout = duration("option -t");
		break;
	case 'j':
		mux->max = (unsigned)number("option -j", 1, UINT32_MAX);
		break;
	case OPT_RELAY:
		mux->relay = true;
		break;
	case OPT_READY:
		mux->ready_fd = (int)number("option --ready-fd", 0, 65535);
		if (fcntl(mux->ready_fd, F_GETFD) == -1)
			wrong("option --ready-fd: it is not open");
		break;
	case '?':
	case ':':
		print_false();
		/* FALLTHROUGH */
	default:
		(void)tool_option(&tool, opt, &unused);
	}
}

static void
read_options(struct mux *mux, int argc, char **argv)
{
	int opt;

	while ((opt = tool_getopt(
		    &tool, argc, argv, "+:l:b:d:m:Dt:j:hVqv", longs)) != -1)
		read_option(mux, opt);
	if (argv[optind] != NULL && strcmp(argv[optind - 1], "--") != 0)
		wrong("a CMD goes behind --");
	if (argv[optind] != NULL)
		mux->command = argv + optind;
	if (mux->background && mux->command != NULL)
		wrong("option -D goes without a CMD");
	if (mux->log != NULL && !mux->background)
		wrong("option --log goes with -D");
}

static void
init(struct mux *mux)
{
	memset(mux, 0, sizeof *mux);
	mux->tool = &tool;
	mux->mode = 0600;
	mux->max = MAX_AT_A_TIME;
	mux->ready_fd = mux->daemon.report = -1;
	mux->timeout = UNSAID;
}

/* What the options do not say. */
static int
read_environment(struct mux *mux, struct hm_error *err)
{
	hm_limits_init(&mux->limits);
	if (hm_limits_from_env(&mux->limits, err) == -1)
		return -1;
	if (mux->timeout != UNSAID)
		return 0;
	mux->timeout = TIMEOUT_MS;
	if (getenv("HYPERACTOR_PROCESS_EXIT_TIMEOUT") != NULL)
		mux->timeout = mux->limits.exit_timeout;
	return 0;
}

static int
failed(const struct mux *mux, int status)
{
	if (mux->command != NULL)
		return TOOL_WRAP; /* and stdout is CMD's */
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
	inheritance_get(&mux.inherit);
	sys_files_raise(&mux.inherit.files);
	(void)signal(SIGPIPE, SIG_IGN);
	status = serve(&mux);
	command_fini(&mux);
	hm_host_free(mux.host);
	hm_loop_free(mux.loop);
	mux_leave(&mux);
	return status;
}
