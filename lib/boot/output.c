/*
 * Output.
 *
 * Whatever a proc prints is taken from its pipe at once, so that it never
 * waits for whoever wants to see it.  A proc that prints without end is read a
 * bit each turn, and cannot keep the loop from others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/status.h>
#include <hostmux/text.h>

#include "boot/output.h"

/* Read at a time; a pipe holds four times as much. */
#define READ_SIZE 16384
/* Read after the end at most, lest a grandchild prints for ever. */
#define FINISH_MAX ((size_t)1024 * 1024)

struct kept {
	struct kept *next;
	uint64_t time;
	size_t len, cost;
	char text[];
};

static void
drop_first(struct output *output)
{
	struct kept *kept = output->first;

	output->first = kept->next;
	if (output->first == NULL)
		output->end = &output->first;
	output->lines--;
	output->bytes -= kept->cost;
	free(kept);
}

/* What it takes in JSON, which is how it is published. */
static size_t
cost_of(const char *text, size_t len)
{
	bool valid = hm_text_is_utf8(text, len);
	size_t i, cost = len + 3;
	unsigned char c;

	for (i = 0; i < len; i++) {
		c = (unsigned char)text[i];
		if (c < 0x20)
			cost += 5;
		else if (c == '"' || c == '\\')
			cost++;
		else if (c >= 0x80 && !valid)
			cost += 2;
	}
	return cost;
}

static void
keep(struct output *output, const char *text, size_t len)
{
	struct kept *kept = malloc(sizeof *kept + len);

	if (kept == NULL)
		return; /* a line less to show */
	kept->next = NULL;
	kept->time = (*output->clock)++;
	kept->len = len;
	kept->cost = cost_of(text, len);
	memcpy(kept->text, text, len);
	*output->end = kept;
	output->end = &kept->next;
	output->lines++;
	output->bytes += kept->cost;
	while (output->lines > HM_TAIL_LINES || output->bytes > HM_TAIL_BYTES)
		drop_first(output);
}

static void
end_line(struct output *output, const char *text, size_t len)
{
	output->n++;
	keep(output, text, len);
	if (output->line != NULL)
		output->line(output->arg, output, text, len);
}

static void
end_part(struct output *output)
{
	size_t len = output->len;

	output->len = 0;
	end_line(output, output->part, len);
}

/* Lines are put together in output->part, a piece of at most its size each. */
static void
take(struct output *output, const char *p, size_t len)
{
	const char *newline;
	size_t n, room;

	for (; len > 0; p += n, len -= n) {
		room = OUTPUT_LINE_MAX - output->len;
		n = len < room ? len : room;
		newline = memchr(p, '\n', n);
		if (newline != NULL)
			n = (size_t)(newline - p);
		memcpy(output->part + output->len, p, n);
		output->len += n;
		if (newline != NULL || output->len == OUTPUT_LINE_MAX)
			end_part(output);
		n += newline != NULL;
	}
}

static void
stop(struct output *output)
{
	if (output->watch.fd == -1)
		return;
	hm_watch_stop(output->loop, &output->watch);
	(void)close(output->watch.fd);
	output->watch.fd = -1;
	if (output->len > 0)
		end_part(output);
}

/* One read: what came, 0 when there is nothing now, -1 at the end. */
static ssize_t
read_some(struct output *output)
{
	char bytes[READ_SIZE];
	ssize_t n;

	do
		n = read(output->watch.fd, bytes, sizeof bytes);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		take(output, bytes, (size_t)n);
	else
		n = n == -1 && errno == EAGAIN ? 0 : -1;
	return n;
}

static void
on_readable(void *arg, int fd, short revents)
{
	struct output *output = arg;

	(void)fd;
	(void)revents;
	if (read_some(output) == -1)
		stop(output);
}

int
output_start(struct output *output, int fd)
{
	output->end = &output->first;
	output->watch.fn = on_readable;
	output->watch.arg = output;
	output->watch.fd = fd;
	if (hm_watch_start(output->loop, &output->watch, fd, POLLIN) == 0)
		return 0;
	stop(output);
	return -1;
}

void
output_finish(struct output *output)
{
	size_t total = 0;
	ssize_t n;

	if (output->watch.fd == -1)
		return;
	while (total < FINISH_MAX && (n = read_some(output)) > 0)
		total += (size_t)n;
	stop(output);
}

void
output_fini(struct output *output)
{
	int code = errno;

	stop(output);
	while (output->first != NULL)
		drop_first(output);
	errno = code;
}

void
output_put_kept(const struct output *out, const struct output *err,
    struct hm_json_out *json)
{
	const struct kept *a = out->first, *b = err->first, **next;

	while (a != NULL || b != NULL) {
		next = b == NULL || (a != NULL && a->time < b->time) ? &a : &b;
		hm_json_put_bytes(json, NULL, (*next)->text, (*next)->len);
		*next = (*next)->next;
	}
}
