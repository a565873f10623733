/*
 * proc-spawn: starts procs, waits until they are ready, and leaves them to a
 * supervisor; or stays in front of them.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/sink.h"
#include "tool/front.h"

#define COUNT_MAX 10000

struct spawn_options {
	const char *host;
	uint64_t count; /* 0: one, whose name has no rank */
	struct tool_list config, env, outputs;
	const char *pairs[2 * TOOL_LIST_MAX + 1]; /* of config */
	bool json;
	struct hm_limits limits;
	struct job job;
};

#define AT(member) offsetof(struct spawn_options, member)

static const struct tool_option table[] = {
    {"-n, --count COUNT", "that many, NAME0, NAME1, ...", TOOL_COUNT, AT(count),
	COUNT_MAX},
    {"-t, --timeout TIME", "until it must be ready; 0: for ever", TOOL_DURATION,
	AT(job.ready_timeout), 0},
    {"-w, --wait", "stay in front; end as CMD ends", TOOL_FLAG, AT(job.stay),
	0},
    {"-c, --config KEY=VAL", "in the proc's configuration", TOOL_LIST,
	AT(config), 0},
    {"-e, --env NAME=VALUE", "in its environment", TOOL_LIST, AT(env), 0},
    {"-C, --directory DIR", "where it runs", TOOL_TEXT, AT(job.dir), 0},
    {"-o, --output OUT",
	"file:PATH, port:DEST, null; with -w also - and stdout", TOOL_LIST,
	AT(outputs), 0},
    {"    --json", "print objects", TOOL_FLAG, AT(json), 0},
    {"-H, --host ADDR", TOOL_HOST_HELP, TOOL_TEXT, AT(host), 0},
    TOOL_OPTIONS_END,
};

static struct tool tool = {"proc-spawn",
    "[-n COUNT] [-t TIMEOUT] [-w] [-c KEY=VALUE]... [-e NAME=VALUE]... "
    "[-C DIR] [-o OUT]... [--json] NAME CMD [ARG]...",
    table, NULL, HM_LOG_WARNING, false};

static void
check_name(const struct job *job)
{
	char last[24] = "";
	size_t len = strlen(job->name);

	if (job->many)
		(void)snprintf(last, sizeof last, "%u", job->count - 1);
	if (!hm_name_valid(job->name, len) || len + strlen(last) > HM_NAME_MAX)
		tool_usage(&tool,
		    "name '%.80s%s': letters, digits, '_', '-' and '.', at "
		    "most %d",
		    job->name, last, HM_NAME_MAX);
}

static void
read_options(struct spawn_options *options, int argc, char **argv)
{
	struct job *job = &options->job;
	char **operands;
	const char *text;
	size_t i;

	job->ready_timeout = TOOL_UNSAID;
	operands = tool_options(&tool, options, argc, argv);
	for (i = 0; i < options->env.n; i++) {
		text = options->env.text[i];
		if (text[0] == '=' || strchr(text, '=') == NULL)
			tool_usage(
			    &tool, "option -e: '%s' is no NAME=VALUE", text);
	}
	if (operands[0] == NULL || operands[1] == NULL)
		tool_usage(
		    &tool, "%s missing", operands[0] == NULL ? "NAME" : "CMD");
	job->many = options->count > 0;
	job->count = job->many ? (unsigned)options->count : 1;
	job->name = operands[0];
	job->argv = operands + 1;
	check_name(job);
}

/* Each KEY=VALUE is tried, and becomes two strings. */
static void
read_config(struct spawn_options *options)
{
	struct hm_limits scratch;
	struct hm_error err;
	char *text, *equals;
	size_t i;

	hm_limits_init(&scratch);
	for (i = 0; i < options->config.n; i++) {
		text = strdup(options->config.text[i]);
		equals = text == NULL ? NULL : strchr(text, '=');
		if (equals == NULL)
			tool_usage(&tool, "option -c: '%s' is no KEY=VALUE",
			    options->config.text[i]);
		*equals = '\0';
		if (hm_limits_set(&scratch, text, equals + 1, &err) == -1)
			tool_usage(&tool, "option -c: %s", err.text);
		options->pairs[2 * i] = text;
		options->pairs[2 * i + 1] = equals + 1;
	}
	options->job.config = options->pairs;
}

static void
check_outputs(struct spawn_options *options)
{
	struct hm_error err;
	size_t i;

	for (i = 0; i < options->outputs.n; i++) {
		if (sink_check(options->outputs.text[i], options->job.stay,
			&err) == -1)
			tool_usage(&tool, "%s", err.text);
	}
	if (options->outputs.n == 0 && options->job.stay)
		options->outputs.text[0] = "-";
	options->job.outputs = options->outputs.text;
}

/* A proc is started on this machine, below this program. */
static int
find_host(const struct spawn_options *options, struct hm_addr *addr)
{
	struct hm_error err;

	if (hm_host_default(addr, options->host, &err) == -1)
		return tool_fail(&tool, &err);
	if (addr->transport == HM_TRANSPORT_UNIX)
		return 0;
	tool_say(&tool, HM_LOG_ERROR,
	    "host (%s): procs are spawned on the host's own machine; use ssh",
	    addr->text);
	return TOOL_USAGE;
}

static int
check_dir(const char *dir)
{
	struct stat st;

	if (dir == NULL)
		return 0;
	if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	else if (access(dir, X_OK) == 0)
		return 0;
	tool_say(
	    &tool, HM_LOG_ERROR, "directory (%s): %s", dir, strerror(errno));
	return TOOL_WRAP;
}

/* The variables of -e are CMD's, also where it is looked up. */
static void
set_variables(const struct tool_list *env)
{
	char *name, *equals;
	size_t i;

	for (i = 0; i < env->n; i++) {
		name = strdup(env->text[i]);
		equals = name == NULL ? NULL : strchr(name, '=');
		if (equals != NULL) {
			*equals = '\0';
			(void)setenv(name, equals + 1, 1);
		}
		free(name);
	}
}

int
main(int argc, char **argv)
{
	static struct spawn_options options; /* what it points to stays, too */
	struct hm_addr host;
	int status;

	tool_stdio();
	read_options(&options, argc, argv);
	read_config(&options);
	check_outputs(&options);
	tool_limits(&tool, &options.limits);
	options.job.limits = &options.limits;
	if (options.job.ready_timeout == TOOL_UNSAID)
		options.job.ready_timeout = options.limits.spawn_ready_timeout;
	status = find_host(&options, &host);
	if (status == 0)
		status = check_dir(options.job.dir);
	if (status != 0)
		return status;
	options.job.host = host.text;
	set_variables(&options.env);
	return front_run(&tool, &options.job, options.json);
}
