/*
 * What the programs have in common: their messages on stderr, their usage, and
 * records printed for people, for pipes and as JSON.
 */
#ifndef HM_TOOL_H
#define HM_TOOL_H

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <hostmux/hostmux.h>

/* Exit statuses beside 0. */
#define TOOL_NO 1
#define TOOL_USAGE 2
#define TOOL_SYSTEM 111
#define TOOL_TIME 124
#define TOOL_WRAP 125
#define TOOL_NOEXEC 126
#define TOOL_NOTFOUND 127

struct tool {
	const char *name;    /* "msg-send" */
	const char *usage;   /* one line, "[-n COUNT] NAME", without the name */
	const char *help;    /* what --help adds: options, a line each */
	enum hm_level level; /* shown up to this one; WARNING at first */
	const char *last;    /* the argument with the last option */
	const struct option *longs; /* all its options */
};

/*
 * Long options that every program has (append them to its own table): host,
 * help, version, quiet, verbose; short -H -h -V -q -v.
 */
#define TOOL_OPTIONS "H:hVqv"
#define TOOL_LONG                                \
	{"host", required_argument, NULL, 'H'},  \
	    {"help", no_argument, NULL, 'h'},    \
	    {"version", no_argument, NULL, 'V'}, \
	    {"quiet", no_argument, NULL, 'q'},   \
	    {"verbose", no_argument, NULL, 'v'}, \
	{                                        \
		NULL, 0, NULL, 0                 \
	}

/* getopt_long, which remembers where it stumbled. */
int tool_getopt(struct tool *tool, int argc, char **argv,
    const char *short_options, const struct option *longs);
/*
 * Serves one common option: true if opt was one (-h and -V print and exit 0;
 * '?' and ':' print the usage error and exit 2).  -H is left in *host.
 */
bool tool_option(struct tool *tool, int opt, const char **host);
/* "program: level: text" if the level is shown. */
void tool_say(const struct tool *tool, enum hm_level level, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));
/* One line what is wrong, one line of usage; exits 2. */
_Noreturn void tool_usage(const struct tool *tool, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Says err's sentence; returns hm_error_exit's status without printing twice.
 */
int tool_fail(const struct tool *tool, const struct hm_error *err);
/* Reads an option's value or exits 2 with what is wrong. */
uint64_t tool_duration(
    const struct tool *tool, const char *text, const char *option);
uint64_t tool_number(const struct tool *tool, const char *text,
    const char *option, uint64_t min, uint64_t max);
/* limits from the environment, or exits 2. */
void tool_limits(const struct tool *tool, struct hm_limits *limits);
/* 0, 1 and 2 are open from now on, so that nothing else is mistaken for them.
 */
void tool_stdio(void);
/* A loop whose log goes to tool_say. NULL: said already (exit 111). */
struct hm_loop *tool_loop(struct tool *tool);
/* Attaches as a client, name NULL for one the host picks; NULL: said, *status
 * is what to exit with. */
struct hm_proc *tool_attach(const struct tool *tool, struct hm_loop *loop,
    const char *host, const char *name, int *status);
/* "w1", or the whole id of a proc on host (an id address): its name.  -1: a
 * sentence, of kind INVALID or NOPROC. */
int tool_proc_name(const char *text, const char *host,
    char name[HM_NAME_MAX + 1], struct hm_error *err);
/* Of the n signals, those that the caller does not ignore. */
void tool_signals(sigset_t *set, const int *signals, size_t n);
/* stdout flushed and healthy: status, else TOOL_SYSTEM with a sentence. */
int tool_close(const struct tool *tool, int status);

/*
 * Records in columns: aligned with a header on a terminal, tab-separated
 * without one otherwise.  Cells are copied and made safe; NULL prints as -.
 */
struct table;
struct table *table_new(FILE *out, const char *const *columns); /* …, NULL */
int table_row(struct table *table, const char *const *cells);
int table_end(struct table *table); /* prints what waits, and frees */

#endif
