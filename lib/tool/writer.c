/*
 * Writing without waiting, to a descriptor that may well be blocking.
 *
 * A file takes everything at once.  Of everything else poll says when at least
 * PIPE_BUF bytes go in, so no more is written between two polls, unless the
 * descriptor was nonblocking before.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/writer.h"

/* More than a write takes in one go on any system. */
#define FILE_MOST ((size_t)1024 * 1024 * 1024)
#ifndef PIPE_BUF
#define PIPE_BUF 512
#endif

static void
end(struct writer *writer, int error)
{
	writer->error = error;
	writer->start = writer->len = 0;
	hm_watch_stop(writer->loop, &writer->watch);
}

/* 1: some was written; 0: it would wait; -1. */
static int
write_some(struct writer *writer)
{
	struct pollfd ready = {writer->fd, POLLOUT, 0};
	size_t len = writer_waiting(writer);
	ssize_t n = 1;

	if (len > writer->most)
		len = writer->most;
	do {
		if (writer->most != FILE_MOST)
			n = poll(&ready, 1, 0);
		if (n == 0)
			return 0;
		if (n > 0)
			n = write(writer->fd, writer->buf + writer->start, len);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	writer->start += (size_t)n;
	writer->written += (uint64_t)n;
	return 1;
}

/* A large buffer that has been used once is given back. */
static void
empty(struct writer *writer)
{
	writer->start = writer->len = 0;
	if (writer->cap > 2 * WRITER_FULL) {
		free(writer->buf);
		writer->buf = NULL;
		writer->cap = 0;
	}
}

/* Between writes it is only watched for the reader's leaving. */
static void
watch_for(struct writer *writer, short events)
{
	if (hm_watch_start(writer->loop, &writer->watch, writer->fd, events) ==
		-1 &&
	    events != 0)
		end(writer, errno);
}

static void
flush(void *arg)
{
	struct writer *writer = arg;
	int done = 1;

	while (done == 1 && writer_waiting(writer) > 0)
		done = write_some(writer);
	if (done == -1)
		end(writer, errno);
	else if (done == 0)
		watch_for(writer, POLLOUT);
	else if (writer->error == 0)
		empty(writer);
	writer->fn(writer->arg);
}

static void
on_ready(void *arg, int fd, short revents)
{
	struct writer *writer = arg;

	(void)fd;
	if (revents & (POLLERR | POLLHUP)) {
		end(writer, EPIPE);
		writer->fn(writer->arg);
		return;
	}
	watch_for(writer, 0);
	flush(writer);
}

void
writer_init(struct writer *writer, struct hm_loop *loop, int fd,
    void (*fn)(void *arg), void *arg)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	memset(writer, 0, sizeof *writer);
	writer->loop = loop;
	writer->fd = fd;
	writer->fn = fn;
	writer->arg = arg;
	writer->task.fn = flush;
	writer->task.arg = writer;
	writer->watch.fn = on_ready;
	writer->watch.arg = writer;
	writer->watch.fd = -1;
	writer->most = PIPE_BUF;
	if (flags == -1 || fstat(fd, &st) == -1) {
		writer->error = errno;
		return;
	}
	if (S_ISREG(st.st_mode) || (flags & O_NONBLOCK) != 0)
		writer->most = FILE_MOST;
	watch_for(writer, 0);
}

void
writer_fini(struct writer *writer)
{
	if (writer->loop == NULL)
		return;
	hm_task_stop(writer->loop, &writer->task);
	hm_watch_stop(writer->loop, &writer->watch);
	free(writer->buf);
	writer->buf = NULL;
	writer->start = writer->len = writer->cap = 0;
}

/* Room for len bytes more. */
static int
make_room(struct writer *writer, size_t len)
{
	size_t cap = writer->cap, waiting = writer_waiting(writer);
	char *buf;

	if (writer->start > 0 && len > cap - writer->len) {
		memmove(writer->buf, writer->buf + writer->start, waiting);
		writer->start = 0;
		writer->len = waiting;
	}
	if (len <= cap - writer->len)
		return 0;
	while (len > cap - writer->len) {
		if (cap > SIZE_MAX / 2)
			return -1;
		cap = cap == 0 ? 4096 : cap * 2;
	}
	buf = realloc(writer->buf, cap);
	if (buf == NULL)
		return -1;
	writer->buf = buf;
	writer->cap = cap;
	return 0;
}

void
writer_put(struct writer *writer, const void *bytes, size_t len)
{
	if (writer->error == 0 && make_room(writer, len) == -1)
		end(writer, ENOMEM);
	if (writer->error == 0 && len > 0) {
		memcpy(writer->buf + writer->len, bytes, len);
		writer->len += len;
		writer->put += len;
	}
	hm_task_start(writer->loop, &writer->task);
}

size_t
writer_waiting(const struct writer *writer)
{
	return writer->len - writer->start;
}
