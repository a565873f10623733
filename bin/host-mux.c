/*
 * host-mux: serves a host until it is told to end.
 */
#include <errno.h>
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
    HM_LOG_WARNING};

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

static void
add(struct mux_list *list, const char *option, const char *text)
{
	if (list->n == MUX_MAX)
		tool_usage(&tool, "option %s: more than %d", option, MUX_MAX);
	list->text[list->n++] = text;
}

static unsigned
read_mode(const char *text)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (text[0] < '0' || text[0] > '7' || *end != '\0' || mode > 0777)
		tool_usage(&tool, "option -m: '%s' is no octal mode", text);
	return (unsigned)mode;
}

static void
read_option(struct mux *mux, int opt)
{
	const char *unused;

	switch (opt) {
	case 'l':
		add(&mux->listen, "-l", optarg);
		break;
	case OPT_AS:
		add(&mux->as, "--as", optarg);
		break;
	case 'b':
		mux->backend = optarg;
		break;
	case 'd':
		add(&mux->routes, "-d", optarg);
		break;
	case 'm':
		mux->mode = read_mode(optarg);
		break;
	case 'D':
		mux->background = true;
		break;
	case OPT_LOG:
		mux->log = optarg;
		break;
	case 't':
		mux->timeout = tool_duration(&tool, optarg, "-t");
		break;
	case 'j':
		mux->max =
		    (unsigned)tool_number(&tool, optarg, "-j", 1, UINT32_MAX);
		break;
	case OPT_RELAY:
		mux->relay = true;
		break;
	case OPT_READY:
		mux->ready_fd = (int)tool_number(
		    &tool, optarg, "--ready-fd", 0, 1024 * 1024);
		break;
	default:
		(void)tool_option(&tool, opt, &unused);
	}
}

static void
read_options(struct mux *mux, int argc, char **argv)
{
	int opt;

	mux->tool = &tool;
	mux->mode = 0600;
	mux->max = MAX_AT_A_TIME;
	mux->ready_fd = mux->daemon.report = -1;
	tool_limits(&tool, &mux->limits);
	mux->timeout = getenv("HYPERACTOR_PROCESS_EXIT_TIMEOUT") != NULL
			   ? mux->limits.exit_timeout
			   : TIMEOUT_MS;
	while ((opt = getopt_long(
		    argc, argv, "+:l:b:d:m:Dt:j:hVqv", longs, NULL)) != -1)
		read_option(mux, opt);
	if (argv[optind] != NULL)
		mux->command = argv + optind;
	if (mux->background && mux->command != NULL)
		tool_usage(&tool, "option -D goes without a CMD");
	if (mux->log != NULL && !mux->background)
		tool_usage(&tool, "option --log goes with -D");
}

/* For eval "$(host-mux)": the shell sees that it has failed. */
static int
fail(const struct mux *mux, const struct hm_error *err)
{
	int status = tool_fail(&tool, err);

	if (mux->command != NULL)
		return TOOL_WRAP;
	if (!mux->background)
		(void)puts("false");
	return tool_close(&tool, status);
}

int
main(int argc, char **argv)
{
	struct mux mux;
	struct hm_error err;
	uint64_t files;
	int status;

	memset(&mux, 0, sizeof mux);
	read_options(&mux, argc, argv);
	if (mux.command == NULL)
		sys_close_others(mux.ready_fd);
	if (mux.background && daemon_start(&mux.daemon, "false\n") == -1) {
		(void)hm_fail(&err, errno, "fork: %s", strerror(errno));
		return fail(&mux, &err);
	}
	sys_files_raise(&files);
	mux.loop = tool_loop(&tool);
	if (mux.loop == NULL)
		(void)hm_fail(&err, EMFILE, "no loop");
	if (mux.loop == NULL || mux_addresses(&mux, &err) == -1 ||
	    mux_serve(&mux, &err) == -1 || mux_announce(&mux, &err) == -1)
		status = fail(&mux, &err);
	else
		status = mux_run(&mux);
	hm_host_free(mux.host);
	hm_loop_free(mux.loop);
	mux_leave(&mux);
	return status;
}
