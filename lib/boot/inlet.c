/*
 * Inlets.
 *
 * Who ends does not always close: a grandchild may hold the pipe.  So once the
 * writer is known to have ended (last), what is in the pipe is read, and then
 * nothing is waited for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/inlet.h"
#include "boot/spawn.h"

/* What a pipe holds. */
#define BLOCK ((size_t)64 * 1024)

static void
on_ready(void *arg, int fd, short revents)
{
	struct inlet *in = arg;

	(void)fd;
	(void)revents;
	in->fn(in->arg);
}

int
inlet_open(struct inlet *in, struct hm_loop *loop, int *theirs,
    void (*fn)(void *arg), void *arg)
{
	memset(in, 0, sizeof *in);
	in->loop = loop;
	in->fn = fn;
	in->arg = arg;
	in->watch.fn = on_ready;
	in->watch.arg = in;
	if (spawn_pipe(&in->fd, theirs, false) == -1)
		return -1;
	inlet_watch(in, true);
	if (in->watched)
		return 0;
	inlet_fini(in);
	errno = ENOMEM;
	return -1;
}

void
inlet_watch(struct inlet *in, bool on)
{
	if (in->fd == -1 || on == in->watched)
		return;
	in->watched = on;
	if (!on) {
		hm_watch_stop(in->loop, &in->watch);
	} else if (hm_watch_start(in->loop, &in->watch, in->fd, POLLIN) == -1) {
		hm_log(in->loop, HM_LOG_ERROR, "no memory to watch a pipe");
		in->watched = false; /* tried again with progress */
	}
}

static void
shut(struct inlet *in)
{
	if (in->fd == -1)
		return;
	inlet_watch(in, false);
	(void)close(in->fd);
	in->fd = -1;
}

void
inlet_fini(struct inlet *in)
{
	int code = errno;

	if (in->loop != NULL)
		shut(in);
	free(in->buf);
	in->buf = NULL;
	in->start = in->len = in->cap = 0;
	errno = code;
}

static int
make_room(struct inlet *in)
{
	size_t cap = in->cap == 0 ? BLOCK : 2 * in->cap;
	char *buf;

	if (in->start > 0)
		memmove(in->buf, in->buf + in->start, in->len - in->start);
	in->len -= in->start;
	in->start = 0;
	if (in->cap - in->len >= BLOCK / 2)
		return 0;
	buf = realloc(in->buf, cap);
	if (buf == NULL)
		return -1;
	in->buf = buf;
	in->cap = cap;
	return 0;
}

int
inlet_read(struct inlet *in)
{
	ssize_t n;

	if (in->fd == -1)
		return -1;
	if (make_room(in) == 0) {
		do
			n = read(in->fd, in->buf + in->len, in->cap - in->len);
		while (n == -1 && errno == EINTR);
		if (n > 0) {
			in->len += (size_t)n;
			return 1;
		}
		if (n == -1 && errno == EAGAIN && !in->last)
			return 0;
	} else {
		hm_log(in->loop, HM_LOG_ERROR, "no memory to read a pipe");
		in->failed = true;
		in->start = in->len; /* a part is not what was said */
		if (in->goes_on && in->cap > 0)
			return 1;
	}
	shut(in);
	return -1;
}
