/*
 * What the programs have in common: their messages on stderr, their usage, and
 * records printed for people, for pipes and as JSON.
 */
#ifndef HM_TOOL_H
#define HM_TOOL_H

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

/* How the value of an option is read, and into what. */
enum tool_kind {
	TOOL_OPERAND,  /* no option: only a line of --help */
	TOOL_FLAG,     /* bool */
	TOOL_TEXT,     /* const char * */
	TOOL_LIST,     /* struct tool_list: it may be repeated */
	TOOL_DURATION, /* uint64_t, ms */
	TOOL_COUNT,    /* uint64_t, from 1 to most */
	TOOL_FD,       /* int: a descriptor that is open */
	/* those that every program has */
	TOOL_QUIET,
	TOOL_VERBOSE,
	TOOL_HELP,
	TOOL_VERSION
};

struct tool_option {
	const char *spelling; /* "-n, --count COUNT" or "    --json" or "" */
	const char *help;     /* the rest of its line of --help */
	enum tool_kind kind;
	size_t at; /* offset of its value */
	uint64_t most;
};

/* The last of a table. */
#define TOOL_OPTIONS_END                       \
	{                                      \
		NULL, NULL, TOOL_OPERAND, 0, 0 \
	}

#define TOOL_LIST_MAX 64
struct tool_list {
	const char
	    *text[TOOL_LIST_MAX + 2]; /* NULL-ended; room for a default */
	size_t n;
};

/* What a time is set to before, when 0 means something. */
#define TOOL_UNSAID UINT64_MAX

struct tool {
	const char *name;  /* "msg-send" */
	const char *usage; /* one line, "[-n COUNT] NAME", without the name */
	const struct tool_option *options, *more; /* more: may be NULL */
	enum hm_level level; /* shown up to this one; WARNING at first */
	bool evaluated; /* a shell reads stdout, where "false" is an error */
};

/* The line of -H in the tables. */
#define TOOL_HOST_HELP \
	"the host (default: $HYPERACTOR_HOST_ADDR, else the user's)"

/* Reads the options into values; the operands.  -h and -V print and exit 0,
 * what is wrong exits 2. */
char **tool_options(struct tool *tool, void *values, int argc, char **argv);
/* "program: level: text" if the level is shown. */
void tool_say(const struct tool *tool, enum hm_level level, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));
/* One line what is wrong, one line of usage; exits 2. */
_Noreturn void tool_usage(const struct tool *tool, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Says err's sentence; returns hm_error_exit's status without printing twice.
 */
int tool_fail(const struct tool *tool, const struct hm_error *err);
/* limits from the environment, or exits 2. */
void tool_limits(const struct tool *tool, struct hm_limits *limits);
/* 0, 1 and 2 are open from now on, so that nothing else is mistaken for them.
 */
void tool_stdio(void);
/* The system had no more of something, says this errno value. */
bool tool_scarce(int code);
/* A loop whose log goes to tool_say. NULL: said already (exit 111). */
struct hm_loop *tool_loop(struct tool *tool);
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
/* columns: …, NULL.  widths, of those columns: rows are printed as they come on
 * a terminal too; or NULL. */
struct table *table_new(
    FILE *out, const char *const *columns, const size_t *widths);
int table_row(struct table *table, const char *const *cells);
int table_end(struct table *table); /* prints what waits, and frees */

#endif
