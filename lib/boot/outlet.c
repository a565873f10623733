/*
 * Outlets.  SIGPIPE is ignored by whoever has one.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "boot/outlet.h"
#include "boot/spawn.h"

void
outlet_close(struct outlet *out)
{
	int code = errno;

	out->first = out->n = 0;
	if (out->loop != NULL && out->fd != -1) {
		hm_watch_stop(out->loop, &out->watch);
		(void)close(out->fd);
		out->fd = -1;
	}
	errno = code;
}

static void
advance(struct outlet *out, size_t n)
{
	struct iovec *part;

	while (out->first < out->n) {
		part = &out->parts[out->first];
		if (n < part->iov_len) {
			part->iov_base = (char *)part->iov_base + n;
			part->iov_len -= n;
			return;
		}
		n -= part->iov_len;
		out->first++;
	}
}

static int
write_some(struct outlet *out)
{
	ssize_t n;

	while (outlet_busy(out)) {
		n = writev(
		    out->fd, out->parts + out->first, out->n - out->first);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return 0;
		if (n == -1) {
			outlet_close(out);
			return -1;
		}
		advance(out, (size_t)n);
	}
	return 1;
}

static void
on_ready(void *arg, int fd, short revents)
{
	struct outlet *out = arg;

	(void)fd;
	(void)revents;
	if (write_some(out) == 0)
		return;
	hm_watch_stop(out->loop, &out->watch);
	out->fn(out->arg);
}

int
outlet_open(struct outlet *out, struct hm_loop *loop, int *theirs,
    void (*fn)(void *arg), void *arg)
{
	memset(out, 0, sizeof *out);
	out->loop = loop;
	out->fn = fn;
	out->arg = arg;
	out->watch.fn = on_ready;
	out->watch.arg = out;
	out->watch.fd = -1;
	return spawn_pipe(&out->fd, theirs, true);
}

int
outlet_write(struct outlet *out, const struct iovec *parts, int n)
{
	int done;

	if (out->fd == -1) {
		errno = EPIPE;
		return -1;
	}
	memcpy(out->parts, parts, (size_t)n * sizeof *parts);
	out->first = 0;
	out->n = n;
	done = write_some(out);
	if (done != 0 ||
	    hm_watch_start(out->loop, &out->watch, out->fd, POLLOUT) == 0)
		return done;
	outlet_close(out); /* it could not be finished */
	return -1;
}
