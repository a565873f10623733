/*
 * Options, from the one table that says what a program has: getopt_long's
 * tables, the reading of values and the text of --help all follow from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

#define OPTIONS_MAX 32
#define NAME_SIZE 24
/* Where the help of an option begins, at least. */
#define HELP_COLUMN 20

/* What every program has. */
static const struct tool_option common[] = {
    {"-q, --quiet", "errors only", TOOL_QUIET, 0, 0},
    {"-v, --verbose", "more than warnings", TOOL_VERBOSE, 0, 0},
    {"-h, --help", "this text", TOOL_HELP, 0, 0},
    {"-V, --version", "the version", TOOL_VERSION, 0, 0},
    TOOL_OPTIONS_END,
};

/* A table as getopt_long wants it. */
struct spelled {
	const struct tool_option *options[OPTIONS_MAX];
	struct option longs[OPTIONS_MAX + 1];
	char names[OPTIONS_MAX][NAME_SIZE], shorts[2 * OPTIONS_MAX + 3];
	int n;
};

static bool
has_short(const struct tool_option *option)
{
	return option->spelling[0] == '-';
}

/* "-n, --count COUNT" or "    --json": the letter, the name, is there a value?
 */
static void
spell_one(struct spelled *spelled, const struct tool_option *option)
{
	const char *name = strstr(option->spelling, "--"), *end;
	struct option *one = &spelled->longs[spelled->n];
	char *shorts = spelled->shorts + strlen(spelled->shorts);

	end = name + strcspn(name, " ");
	(void)snprintf(spelled->names[spelled->n], NAME_SIZE, "%.*s",
	    (int)(end - name - 2), name + 2);
	one->name = spelled->names[spelled->n];
	one->has_arg = *end == '\0' ? no_argument : required_argument;
	one->val = UCHAR_MAX + 1 + spelled->n;
	if (has_short(option)) {
		one->val = (unsigned char)option->spelling[1];
		*shorts++ = option->spelling[1];
		if (*end != '\0')
			*shorts = ':';
	}
	spelled->options[spelled->n++] = option;
}

static void
spell(struct spelled *spelled, const struct tool_option *options)
{
	for (; options != NULL && options->spelling != NULL; options++) {
		if (options->kind != TOOL_OPERAND)
			spell_one(spelled, options);
	}
}

static const struct tool_option *
find(const struct spelled *spelled, int opt)
{
	int i = 0;

	while (spelled->longs[i].val != opt)
		i++;
	return spelled->options[i];
}

static void
print_options(const struct tool_option *options, int column)
{
	for (; options != NULL && options->spelling != NULL; options++)
		printf("  %-*s%s\n", column, options->spelling, options->help);
}

static _Noreturn void
print_help(const struct tool *tool)
{
	const struct tool_option *option;
	int column = HELP_COLUMN;

	for (option = tool->options; option->spelling != NULL; option++) {
		if ((int)strlen(option->spelling) + 1 > column)
			column = (int)strlen(option->spelling) + 1;
	}
	printf("usage: %s %s\n", tool->name, tool->usage);
	print_options(tool->options, column);
	print_options(tool->more, column);
	print_options(common, column);
	exit(tool_close(tool, 0));
}

/* The option getopt_long stumbled over, as it was written. */
static _Noreturn void
stumble(const struct tool *tool, char **argv, const char *what)
{
	if (optopt > 0 && optopt <= CHAR_MAX)
		tool_usage(tool, "option -%c: %s", optopt, what);
	tool_usage(tool, "option %s: %s", argv[optind - 1], what);
}

static void
add(const struct tool *tool, struct tool_list *list, const char *option)
{
	if (list->n == TOOL_LIST_MAX)
		tool_usage(
		    tool, "%s: more than %d of them", option, TOOL_LIST_MAX);
	list->text[list->n++] = optarg;
}

/* Reads the option's value to where it belongs. */
static void
take(struct tool *tool, const struct tool_option *option, void *at)
{
	char what[64];
	struct hm_error err;
	uint64_t n;
	int wrong = 0;

	(void)snprintf(what, sizeof what, "option %.*s",
	    has_short(option) ? 2 : (int)strcspn(option->spelling + 4, " "),
	    option->spelling + (has_short(option) ? 0 : 4));
	switch (option->kind) {
	case TOOL_FLAG:
		*(bool *)at = true;
		break;
	case TOOL_TEXT:
		*(const char **)at = optarg;
		break;
	case TOOL_LIST:
		add(tool, at, what);
		break;
	case TOOL_DURATION:
		wrong = hm_text_duration(optarg, what, at, &err);
		break;
	case TOOL_COUNT:
		wrong = hm_text_number(optarg, what, 1, option->most, at, &err);
		break;
	case TOOL_FD:
		wrong = hm_text_number(optarg, what, 0, INT_MAX, &n, &err);
		if (wrong == 0 && fcntl((int)n, F_GETFD) == -1)
			wrong = hm_fail(&err, EBADF,
			    "%s: descriptor %s is not open", what, optarg);
		if (wrong == 0)
			*(int *)at = (int)n;
		break;
	case TOOL_QUIET:
		tool->level = HM_LOG_ERROR;
		break;
	case TOOL_VERBOSE:
		if (tool->level < HM_LOG_DEBUG)
			tool->level++;
		break;
	case TOOL_HELP:
		print_help(tool);
	case TOOL_VERSION:
		printf("%s (hostmux) %s\n", tool->name, HM_VERSION);
		exit(tool_close(tool, 0));
	case TOOL_OPERAND:
		break;
	}
	if (wrong == -1)
		tool_usage(tool, "%s", err.text);
}

char **
tool_options(struct tool *tool, void *values, int argc, char **argv)
{
	struct spelled spelled;
	const struct tool_option *option;
	int opt;

	memset(&spelled, 0, sizeof spelled);
	/* Options end at the first operand, and no value is a ':'. */
	memcpy(spelled.shorts, "+:", 2);
	spell(&spelled, tool->options);
	spell(&spelled, tool->more);
	spell(&spelled, common);
	while ((opt = getopt_long(
		    argc, argv, spelled.shorts, spelled.longs, NULL)) != -1) {
		if (opt == ':')
			stumble(tool, argv, "no value");
		if (opt == '?')
			stumble(tool, argv, "unknown");
		option = find(&spelled, opt);
		take(tool, option, (char *)values + option->at);
	}
	return argv + optind;
}
