/*
 * What the programs have in common: the few sentences they say on stderr, and
 * the options all of them know.  A sentence may quote what a peer said, so
 * control bytes never reach the terminal as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/tool.h"

#define LINE_SIZE 2048

/* "name: level: text" with its newline in line; the length. */
static size_t
compose(
    char line[LINE_SIZE], const char *name, const char *level, const char *text)
{
	size_t len = (size_t)snprintf(line, 64, "%.40s: %s: ", name, level);

	for (; *text != '\0' && len < LINE_SIZE - 8; text++) {
		if ((unsigned char)*text >= ' ' && *text != 0x7f)
			line[len++] = *text;
		else
			len += (size_t)snprintf(
			    line + len, 8, "\\x%02x", (unsigned)*text & 0xff);
	}
	line[len++] = '\n';
	return len;
}

/* One write, so that lines of several programs do not mix. */
static void
print(const char *line, size_t len)
{
	ssize_t n;

	/* There is nobody to tell that stderr is gone. */
	do
		n = write(STDERR_FILENO, line, len);
	while (n == -1 && errno == EINTR);
}

void
tool_say(const struct tool *tool, enum hm_level level, const char *fmt, ...)
{
	static const char *const names[] = {
	    "error", "warning", "info", "debug"};
	char text[1536], line[LINE_SIZE];
	va_list ap;

	if (level > tool->level)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	print(line, compose(line, tool->name, names[level], text));
}

_Noreturn void
tool_usage(const struct tool *tool, const char *fmt, ...)
{
	char text[1024], lines[2 * LINE_SIZE];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (tool->evaluated) {
		(void)puts("false");
		(void)fflush(stdout);
	}
	len = compose(lines, tool->name, "error", text);
	(void)snprintf(
	    lines + len, LINE_SIZE, "usage: %s %s\n", tool->name, tool->usage);
	print(lines, strlen(lines));
	exit(TOOL_USAGE);
}

int
tool_fail(const struct tool *tool, const struct hm_error *err)
{
	return hm_error_exit(err, tool->name);
}

bool
tool_scarce(int code)
{
	return code == EAGAIN || code == EMFILE || code == ENFILE ||
	       code == ENOMEM;
}

void
tool_limits(const struct tool *tool, struct hm_limits *limits)
{
	struct hm_error err;

	hm_limits_init(limits);
	if (hm_limits_from_env(limits, &err) == -1)
		exit(tool_fail(tool, &err));
}

static void
log_line(void *arg, enum hm_level level, const char *text)
{
	tool_say(arg, level, "%s", text);
}

void
tool_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd != -1)
		(void)close(fd);
}

struct hm_loop *
tool_loop(struct tool *tool)
{
	struct hm_error err;
	struct hm_loop *loop = hm_loop_new(getenv("HOSTMUX_LOOP"), &err);

	if (loop == NULL)
		(void)tool_fail(tool, &err);
	else
		hm_loop_set_log(loop, log_line, tool);
	return loop;
}

void
tool_signals(sigset_t *set, const int *signals, size_t n)
{
	struct sigaction action;
	size_t i;

	(void)sigemptyset(set);
	for (i = 0; i < n; i++) {
		if (sigaction(signals[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			(void)sigaddset(set, signals[i]);
	}
}

int
tool_close(const struct tool *tool, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno == EPIPE)
		return status;
	if (errno == 0)
		errno = EIO; /* it failed before, unseen */
	tool_say(tool, HM_LOG_ERROR, "write (stdout): %s", strerror(errno));
	return TOOL_SYSTEM;
}
