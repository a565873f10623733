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
#define LIST_MAX 64
#define OPT_JSON 256

static struct tool tool = {"proc-spawn",
    "[-n COUNT] [-t TIMEOUT] [-w] [-c KEY=VALUE]... [-e NAME=VALUE]... "
    "[-C DIR] [-o OUT]... [--json] NAME CMD [ARG]...",
    "  -n, --count COUNT     that many, NAME0, NAME1, ...\n"
    "  -t, --timeout TIME    until it must be ready; 0: for ever\n"
    "  -w, --wait            stay in front; end as CMD ends\n"
    "  -c, --config KEY=VAL  in the proc's configuration\n"
    "  -e, --env NAME=VALUE  in its environment\n"
    "  -C, --directory DIR   where it runs\n"
    "  -o, --output OUT      file:PATH, port:DEST, null; with -w also - and "
    "stdout\n"
    "      --json            print objects\n",
    HM_LOG_WARNING, "", NULL};

static const struct option longs[] = {
    {"count", required_argument, NULL, 'n'},
    {"timeout", required_argument, NULL, 't'},
    {"wait", no_argument, NULL, 'w'},
    {"config", required_argument, NULL, 'c'},
    {"env", required_argument, NULL, 'e'},
    {"directory", required_argument, NULL, 'C'},
    {"output", required_argument, NULL, 'o'},
    {"json", no_argument, NULL, OPT_JSON},
    TOOL_LONG,
};

struct list {
	const char *text[LIST_MAX + 1];
	size_t n;
};

struct spawn_options {
	const char *host;
	struct list config, env, outputs;
	const char *pairs[2 * LIST_MAX + 1]; /* of config */
	bool json, timed;
	struct hm_limits limits;
	struct job job;
};

static void
add(struct list *list, const char *text, const char *option)
{
	if (list->n == LIST_MAX)
		tool_usage(
		    &tool, "option %s: more than %d of them", option, LIST_MAX);
	list->text[list->n++] = text;
}

static void
read_option(struct spawn_options *options, int opt)
{
	struct job *job = &options->job;

	switch (opt) {
	case 'n':
		job->count =
		    (unsigned)tool_number(&tool, optarg, "-n", 1, COUNT_MAX);
		job->many = true;
		break;
	case 't':
		job->ready_timeout = tool_duration(&tool, optarg, "-t");
		options->timed = true;
		break;
	case 'w':
		job->stay = true;
		break;
	case 'c':
		add(&options->config, optarg, "-c");
		break;
	case 'e':
		if (optarg[0] == '=' || strchr(optarg, '=') == NULL)
			tool_usage(
			    &tool, "option -e: '%s' is no NAME=VALUE", optarg);
		add(&options->env, optarg, "-e");
		break;
	case 'C':
		job->dir = optarg;
		break;
	case 'o':
		add(&options->outputs, optarg, "-o");
		break;
	case OPT_JSON:
		options->json = true;
		break;
	default:
		(void)tool_option(&tool, opt, &options->host);
	}
}

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
	int opt;

	job->count = 1;
	while ((opt = tool_getopt(&tool, argc, argv,
		    "+:n:t:wc:e:C:o:" TOOL_OPTIONS, longs)) != -1)
		read_option(options, opt);
	if (argc - optind < 2)
		tool_usage(
		    &tool, "%s missing", argc == optind ? "NAME" : "CMD");
	job->name = argv[optind];
	job->argv = argv + optind + 1;
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
		add(&options->outputs, "-", "-o");
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
set_variables(const struct list *env)
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
	if (!options.timed)
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
