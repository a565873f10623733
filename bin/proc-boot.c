/*
 * proc-boot: makes this process a proc, and runs a command behind it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/runner.h"
#include "tool/tool.h"

#define RUNS_MAX 4096

enum {
	OPT_LINES = 256,
	OPT_EXEC,
	OPT_FRAMES,
	OPT_JSON,
	OPT_TO,
	OPT_JOIN,
	OPT_NAME
};

static struct tool tool = {"proc-boot",
    "[--lines | --exec [-j MAX] | --frames [--json]] [--to DEST] "
    "[--join ADDR --name NAME] CMD [ARG]...",
    "      --lines         a message is a line for CMD, which answers with "
    "one\n"
    "      --exec          CMD runs once for each message\n"
    "  -j, --jobs MAX      at most so many at a time (1)\n"
    "      --frames        whole messages on descriptors 3 (in) and 4 (out)\n"
    "      --json          as JSON lines\n"
    "      --to DEST       where output goes that answers nothing\n"
    "      --join ADDR     attach to that host, without proc-spawn\n"
    "      --name NAME     as that proc\n",
    HM_LOG_WARNING, "", NULL};

static const struct option longs[] = {{"lines", no_argument, NULL, OPT_LINES},
    {"exec", no_argument, NULL, OPT_EXEC},
    {"jobs", required_argument, NULL, 'j'},
    {"frames", no_argument, NULL, OPT_FRAMES},
    {"json", no_argument, NULL, OPT_JSON},
    {"to", required_argument, NULL, OPT_TO},
    {"join", required_argument, NULL, OPT_JOIN},
    {"name", required_argument, NULL, OPT_NAME}, TOOL_LONG};

struct boot_options {
	const char *host, *join, *name;
};

static void
set_mode(struct runner *r, const struct mode *mode)
{
	if (r->mode != &mode_plain && r->mode != mode)
		tool_usage(&tool, "only one of --lines, --exec and --frames");
	r->mode = mode;
}

static void
read_option(struct runner *r, struct boot_options *options, int opt)
{
	switch (opt) {
	case OPT_LINES:
		set_mode(r, &mode_lines);
		break;
	case OPT_EXEC:
		set_mode(r, &mode_exec);
		break;
	case OPT_FRAMES:
		set_mode(r, &mode_frames);
		break;
	case OPT_JSON:
		r->json = true;
		break;
	case OPT_TO:
		r->to = optarg;
		break;
	case OPT_JOIN:
		options->join = optarg;
		break;
	case OPT_NAME:
		options->name = optarg;
		break;
	case 'j':
		r->max =
		    (unsigned)tool_number(&tool, optarg, "-j", 1, RUNS_MAX);
		break;
	default:
		(void)tool_option(&tool, opt, &options->host);
	}
}

static void
check_options(const struct runner *r, const struct boot_options *options)
{
	struct hm_error err;
	struct hm_id dest;

	if (options->host != NULL)
		tool_usage(&tool, "option -H: not here, use --join");
	if ((options->join == NULL) != (options->name == NULL))
		tool_usage(&tool, "--join and --name: only together");
	if (options->name != NULL &&
	    !hm_name_valid(options->name, strlen(options->name)))
		tool_usage(
		    &tool, "option --name: '%s' is no name", options->name);
	if (r->max > 0 && r->mode != &mode_exec)
		tool_usage(&tool, "option -j: only with --exec");
	if (r->json && r->mode != &mode_frames)
		tool_usage(&tool, "option --json: only with --frames");
	if (r->to == NULL)
		return;
	if (r->mode == &mode_plain || (r->mode == &mode_frames && !r->json))
		tool_usage(
		    &tool, "option --to: only with --lines, --exec or --json");
	if (hm_id_parse_dest(&dest, r->to, "unix:/", &err) == -1)
		tool_usage(&tool, "option --to: %s", err.text);
}

static void
read_options(
    struct runner *r, struct boot_options *options, int argc, char **argv)
{
	int opt;

	r->mode = &mode_plain;
	while ((opt = tool_getopt(
		    &tool, argc, argv, "+:j:" TOOL_OPTIONS, longs)) != -1)
		read_option(r, options, opt);
	if (optind == argc)
		tool_usage(&tool, "CMD missing");
	check_options(r, options);
	if (r->max == 0)
		r->max = 1;
	r->argv = argv + optind;
}

/* CMD's tools find the host that was joined, and nothing of another one. */
static int
set_variables(const struct hm_addr *host, const struct hm_proc *proc)
{
	static const char *const others[] = {
	    BOOT_BACKEND, BOOT_CALLBACK, BOOT_MODE, BOOT_LOG};
	char id[HM_ID_TEXT];
	size_t i;

	for (i = 0; i < sizeof others / sizeof *others; i++)
		(void)unsetenv(others[i]);
	(void)hm_id_print(hm_proc_id(proc), id, sizeof id);
	return setenv(BOOT_HOST, host->text, 1) == -1
		   ? -1
		   : setenv(BOOT_PROC_ID, id, 1);
}

static int
join(struct runner *r, const struct boot_options *options, struct hm_error *err)
{
	struct hm_attach how;
	struct hm_addr host;

	hm_limits_init(&r->limits);
	if (hm_limits_from_env(&r->limits, err) == -1 ||
	    hm_host_default(&host, options->join, err) == -1)
		return -1;
	memset(&how, 0, sizeof how);
	how.host = host.text;
	how.name = options->name;
	how.joined = how.redial = true;
	how.limits = &r->limits;
	r->proc = hm_proc_attach(r->loop, &how, err);
	if (r->proc == NULL)
		return -1;
	if (set_variables(&host, r->proc) == 0)
		return 0;
	hm_proc_free(r->proc);
	return hm_fail(err, ENOMEM, "no memory");
}

static int
boot(struct runner *r, struct boot *boot, struct hm_error *err)
{
	if (boot_begin(boot, r->loop, err) == -1)
		return -1;
	r->boot = boot;
	r->proc = boot->proc;
	r->limits = boot->limits;
	return 0;
}

static int
run(struct runner *r)
{
	struct hm_error err;
	int status = runner_run(r, &err);

	if (err.text[0] != '\0')
		tool_say(&tool, HM_LOG_ERROR, "%s", err.text);
	runner_fini(r);
	if (r->boot != NULL)
		boot_fini(r->boot);
	hm_proc_free(r->proc);
	return status;
}

int
main(int argc, char **argv)
{
	static struct runner runner;
	static struct boot booted;
	struct boot_options options = {NULL, NULL, NULL};
	struct hm_error err;
	int status, done = -1;

	if (init_prepare(&runner.init) == -1) {
		tool_say(
		    &tool, HM_LOG_ERROR, "descriptors: %s", strerror(errno));
		return TOOL_WRAP;
	}
	read_options(&runner, &options, argc, argv);
	runner.loop = tool_loop(&tool);
	if (runner.loop == NULL)
		return TOOL_WRAP;
	if (runner_begin(&runner) == -1)
		(void)hm_fail(&err, ENOMEM, "signals: %s", strerror(errno));
	else if (options.join != NULL)
		done = join(&runner, &options, &err);
	else
		done = boot(&runner, &booted, &err);
	status = done == 0 ? run(&runner) : tool_fail(&tool, &err);
	hm_loop_free(runner.loop);
	return status;
}
