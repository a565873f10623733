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

struct boot_options {
	const char *host, *join, *name, *to;
	bool lines, exec, frames, json;
	uint64_t jobs;
};

#define AT(member) offsetof(struct boot_options, member)

static const struct tool_option table[] = {
    {"    --lines", "a message is a line for CMD, which answers with one",
	TOOL_FLAG, AT(lines), 0},
    {"    --exec", "CMD runs once for each message", TOOL_FLAG, AT(exec), 0},
    {"-j, --jobs MAX", "at most so many at a time (1)", TOOL_COUNT, AT(jobs),
	RUNS_MAX},
    {"    --frames", "whole messages on descriptors 3 (in) and 4 (out)",
	TOOL_FLAG, AT(frames), 0},
    {"    --json", "as JSON lines", TOOL_FLAG, AT(json), 0},
    {"    --to DEST", "where output goes that answers nothing", TOOL_TEXT,
	AT(to), 0},
    {"    --join ADDR", "attach to that host, without proc-spawn", TOOL_TEXT,
	AT(join), 0},
    {"    --name NAME", "as that proc", TOOL_TEXT, AT(name), 0},
    {"-H, --host ADDR", TOOL_HOST_HELP, TOOL_TEXT, AT(host), 0},
    TOOL_OPTIONS_END,
};

static struct tool tool = {"proc-boot",
    "[--lines | --exec [-j MAX] | --frames [--json]] [--to DEST] "
    "[--join ADDR --name NAME] CMD [ARG]...",
    table, NULL, HM_LOG_WARNING, false};

static void
check_options(const struct boot_options *options)
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
	if (options->lines + options->exec + options->frames > 1)
		tool_usage(&tool, "only one of --lines, --exec and --frames");
	if (options->jobs > 0 && !options->exec)
		tool_usage(&tool, "option -j: only with --exec");
	if (options->json && !options->frames)
		tool_usage(&tool, "option --json: only with --frames");
	if (options->to == NULL)
		return;
	if (!options->lines && !options->exec && !options->json)
		tool_usage(
		    &tool, "option --to: only with --lines, --exec or --json");
	if (hm_id_parse_dest(&dest, options->to, "unix:/", &err) == -1)
		tool_usage(&tool, "option --to: %s", err.text);
}

static void
read_options(
    struct runner *r, struct boot_options *options, int argc, char **argv)
{
	r->argv = tool_options(&tool, options, argc, argv);
	if (r->argv[0] == NULL)
		tool_usage(&tool, "CMD missing");
	check_options(options);
	r->mode = options->lines    ? &mode_lines
		  : options->exec   ? &mode_exec
		  : options->frames ? &mode_frames
				    : &mode_plain;
	r->max = options->jobs == 0 ? 1 : (unsigned)options->jobs;
	r->json = options->json;
	r->to = options->to;
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

/* A wrapper's own failure, unless it is the host that was not reached. */
static int
fail(const struct hm_error *err)
{
	int status = tool_fail(&tool, err);

	return status == TOOL_SYSTEM && tool_scarce(err->code) ? TOOL_WRAP
							       : status;
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
	struct boot_options options;
	struct hm_error err;
	int status, done = -1;

	if (init_prepare(&runner.init) == -1) {
		tool_say(
		    &tool, HM_LOG_ERROR, "descriptors: %s", strerror(errno));
		return TOOL_WRAP;
	}
	memset(&options, 0, sizeof options);
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
	status = done == 0 ? run(&runner) : fail(&err);
	hm_loop_free(runner.loop);
	return status;
}
