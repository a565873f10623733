/*
 * Sinks.
 *
 * The lines of a turn are gathered and written at its end.  A descriptor of
 * the caller is shared with others and keeps its flags, so it is polled and
 * then given at most what a pipe takes without waiting.  A terminal promises
 * less than that, and is opened once more by its name.  A line is written
 * whole or not at all; when some were not, a line in their place says how many.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/sink.h"

/* What may wait for a slow reader: as much as a pipe holds. */
#define SINK_BUFFER ((size_t)64 * 1024)
/* Until a terminal is asked again whether it takes more. */
#define TERMINAL_MS 20
/* _POSIX_PIPE_BUF is 512; every pipe here takes this. */
#ifndef PIPE_BUF
#define PIPE_BUF 512
#endif

enum kind { SINK_NULL, SINK_FILE, SINK_STDOUT, SINK_STDERR, SINK_PORT };

struct sink {
	struct sink *next;
	struct sinks *sinks;
	enum kind kind;
	char *name; /* the path, or DEST */
	int fd;	    /* -1: none, or no more */
	struct hm_id dest;
	char dest_text[HM_ID_TEXT];
	char *buf;
	size_t len;
	bool inside; /* the last that was written is no whole line, */
	bool torn;   /* and its rest was dropped */
	uint64_t dropped, unsaid; /* in all; since it was last said */
	struct hm_task task;
	struct hm_watch watch;
	bool terminal;
	struct hm_timer timer;
};

static void
drop(struct sink *sink, uint64_t lines, const char *why)
{
	if (lines > 0 && sink->dropped == 0)
		hm_log(sink->sinks->loop, HM_LOG_WARNING,
		    "output (%s): lines are dropped: %s", sink->name, why);
	sink->dropped += lines;
	sink->unsaid += lines;
}

static void
drop_buffer(struct sink *sink, const char *why)
{
	const char *p = sink->buf, *end = sink->buf + sink->len;
	uint64_t lines = 0;

	/* The end of a line that is there, or was to be mended, is no line. */
	if (sink->inside && sink->len > 0 && *p == '\n')
		p++;
	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		lines++;
		p++;
	}
	sink->len = 0;
	sink->torn = sink->inside;
	drop(sink, lines, why);
}

/* As write; EAGAIN when it would wait. */
static ssize_t
write_some(const struct sink *sink)
{
	struct pollfd poll_fd = {sink->fd, POLLOUT, 0};
	size_t n = sink->len;

	if (sink->fd <= STDERR_FILENO) { /* the caller's */
		if (poll(&poll_fd, 1, 0) != 1) {
			errno = EAGAIN;
			return -1;
		}
		if (n > PIPE_BUF)
			n = PIPE_BUF;
	}
	return write(sink->fd, sink->buf, n);
}

/* A terminal that has room for one byte says so, and does not take a newline,
 * which is two: it would be asked for ever. */
static int
wait_for_room(struct sink *sink)
{
	struct hm_loop *loop = sink->sinks->loop;

	if (sink->terminal)
		return hm_timer_start(loop, &sink->timer, TERMINAL_MS);
	return hm_watch_start(loop, &sink->watch, sink->fd, POLLOUT);
}

static void
flush(void *arg)
{
	struct sink *sink = arg;
	struct hm_loop *loop = sink->sinks->loop;
	ssize_t n;

	while (sink->len > 0) {
		n = write_some(sink);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			if (wait_for_room(sink) == -1)
				drop_buffer(sink, strerror(errno));
			return;
		}
		if (n == -1) {
			drop_buffer(sink, strerror(errno));
			break;
		}
		sink->inside = n > 0 ? sink->buf[n - 1] != '\n' : sink->inside;
		sink->len -= (size_t)n;
		memmove(sink->buf, sink->buf + n, sink->len);
	}
	hm_watch_stop(loop, &sink->watch);
	hm_timer_stop(loop, &sink->timer);
}

static void
on_writable(void *arg, int fd, short revents)
{
	(void)fd;
	(void)revents;
	flush(arg);
}

static void
append(struct sink *sink, const char *text, size_t len)
{
	memcpy(sink->buf + sink->len, text, len);
	sink->len += len;
}

static void
write_line(
    struct sink *sink, const struct hm_id *proc, const struct hm_line *line)
{
	char prefix[HM_NAME_MAX + 3] = "", said[64] = "";
	size_t need = sizeof said + sizeof prefix + line->len + 2;

	if (need > SINK_BUFFER - sink->len)
		flush(sink);
	if (need > SINK_BUFFER - sink->len) {
		drop(sink, 1, "its reader is too slow");
		return;
	}
	if (sink->kind == SINK_STDERR)
		(void)snprintf(prefix, sizeof prefix, "%s: ", proc->proc);
	if (sink->unsaid > 0)
		(void)snprintf(said, sizeof said,
		    "[%" PRIu64 " lines dropped]\n", sink->unsaid);
	if (sink->torn)
		append(sink, "\n", 1);
	append(sink, said, strlen(said));
	append(sink, prefix, strlen(prefix));
	append(sink, line->text, line->len);
	append(sink, "\n", 1);
	sink->unsaid = 0;
	sink->torn = false;
	hm_task_start(sink->sinks->loop, &sink->task);
}

static void
post_line(
    struct sink *sink, const struct hm_id *proc, const struct hm_line *line)
{
	char id[HM_ID_TEXT], n[24];
	const char *headers[] = {"proc", hm_id_print(proc, id, sizeof id),
	    "stream", line->stream, "n", n, NULL};
	struct hm_draft draft = {
	    NULL, &sink->dest, "log.line", 0, HM_ENV_NOW, NULL, headers};
	struct hm_envelope *env;

	(void)snprintf(n, sizeof n, "%" PRIu64, line->n);
	env = hm_envelope_new(&draft, line->text, line->len, NULL);
	if (env != NULL && hm_post(sink->sinks->from, env) == 0)
		return;
	drop(sink, 1, strerror(errno));
	hm_envelope_free(env);
}

void
sinks_line(
    struct sinks *sinks, const struct hm_id *proc, const struct hm_line *line)
{
	struct sink *sink;

	for (sink = sinks->first; sink != NULL; sink = sink->next) {
		if (sink->kind == SINK_PORT)
			post_line(sink, proc, line);
		else if (sink->fd != -1)
			write_line(sink, proc, line);
	}
}

void
sinks_returned(struct sinks *sinks, const struct hm_id *dest)
{
	struct sink *sink;

	for (sink = sinks->first; sink != NULL; sink = sink->next) {
		if (sink->kind == SINK_PORT &&
		    hm_id_compare(&sink->dest, dest) == 0) {
			drop(sink, 1, "they come back");
			return;
		}
	}
}

bool
sinks_waiting(const struct sinks *sinks)
{
	const struct sink *sink = sinks->first;

	while (sink != NULL && sink->len == 0)
		sink = sink->next;
	return sink != NULL;
}

/* The caller's fd, or if that is a terminal, one of our own that never waits:
 * somebody may have typed ^S. */
static void
open_callers(struct sink *sink, int fd)
{
	const char *name = ttyname(fd);

	sink->fd = fd;
	if (name == NULL)
		return;
	fd = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	sink->terminal = fd != -1;
	if (sink->terminal)
		sink->fd = fd;
}

static int
sink_open(struct sink *sink, struct hm_error *err)
{
	switch (sink->kind) {
	case SINK_FILE:
		sink->fd = open(sink->name,
		    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK |
			O_NOCTTY,
		    0666);
		if (sink->fd == -1)
			return hm_fail_kind(err, HM_ERR_CHANNEL, errno,
			    "output '%s': %s", sink->name, strerror(errno));
		break;
	case SINK_STDOUT:
		open_callers(sink, STDOUT_FILENO);
		break;
	case SINK_STDERR:
		open_callers(sink, STDERR_FILENO);
		break;
	default:
		return 0;
	}
	sink->buf = malloc(SINK_BUFFER);
	return sink->buf == NULL ? hm_fail(err, ENOMEM, "no memory") : 0;
}

/* What spec means; *name is the rest of it.  -1: nothing. */
static int
read_spec(const char *spec, const char **name)
{
	*name = spec;
	if (strcmp(spec, "null") == 0)
		return SINK_NULL;
	if (strcmp(spec, "-") == 0)
		return SINK_STDERR;
	if (strcmp(spec, "stdout") == 0)
		return SINK_STDOUT;
	*name = spec + strcspn(spec, ":") + 1;
	if (strncmp(spec, "file:", 5) == 0 && spec[5] != '\0')
		return SINK_FILE;
	if (strncmp(spec, "port:", 5) == 0 && spec[5] != '\0')
		return SINK_PORT;
	return -1;
}

int
sink_check(const char *spec, bool front, struct hm_error *err)
{
	const char *name;
	int kind = read_spec(spec, &name);

	if (kind == -1)
		return hm_fail(err, EINVAL,
		    "option -o: '%.100s' is none of file:PATH, port:DEST, -, "
		    "stdout and null",
		    spec);
	if (!front && (kind == SINK_STDERR || kind == SINK_STDOUT))
		return hm_fail(err, EINVAL, "option -o: '%s' needs -w", spec);
	return 0;
}

static void
sink_free(struct sink *sink)
{
	if (sink->fd > STDERR_FILENO)
		(void)close(sink->fd);
	free(sink->buf);
	free(sink->name);
	free(sink);
}

int
sinks_add(struct sinks *sinks, const char *spec, struct hm_error *err)
{
	const char *name;
	int kind = read_spec(spec, &name);
	struct sink *sink = kind == -1 ? NULL : calloc(1, sizeof *sink);

	if (sink == NULL)
		return hm_fail(err, kind == -1 ? EINVAL : ENOMEM,
		    "output '%.100s': no such kind, or no memory", spec);
	sink->sinks = sinks;
	sink->kind = (enum kind)kind;
	sink->fd = -1;
	sink->task.fn = sink->timer.fn = flush;
	sink->watch.fn = on_writable;
	sink->task.arg = sink->watch.arg = sink->timer.arg = sink;
	sink->name = strdup(name);
	if (sink->name == NULL || sink_open(sink, err) == -1) {
		sink_free(sink);
		return -1;
	}
	sink->next = sinks->first;
	sinks->first = sink;
	return 0;
}

int
sinks_resolve(struct sinks *sinks, const char *host, struct hm_error *err)
{
	struct sink *sink;

	for (sink = sinks->first; sink != NULL; sink = sink->next) {
		if (sink->kind != SINK_PORT)
			continue;
		if (hm_id_parse_dest(&sink->dest, sink->name, host, err) == -1)
			return -1;
		(void)hm_id_print(
		    &sink->dest, sink->dest_text, sizeof sink->dest_text);
	}
	return 0;
}

const char *
sinks_channel(const struct sinks *sinks)
{
	const struct sink *sink = sinks->first;

	while (sink != NULL && sink->kind != SINK_PORT)
		sink = sink->next;
	return sink == NULL ? NULL : sink->dest_text;
}

void
sinks_fini(struct sinks *sinks)
{
	struct sink *sink;

	while ((sink = sinks->first) != NULL) {
		sinks->first = sink->next;
		hm_task_stop(sinks->loop, &sink->task);
		hm_watch_stop(sinks->loop, &sink->watch);
		hm_timer_stop(sinks->loop, &sink->timer);
		if (sink->len > 0)
			drop_buffer(sink, "its reader is too slow");
		if (sink->dropped > 0)
			hm_log(sinks->loop, HM_LOG_WARNING,
			    "output (%s): %" PRIu64 " lines dropped",
			    sink->name, sink->dropped);
		sink_free(sink);
	}
}
