/*
 * Reading messages.
 *
 * Blocks of 64 KiB (what a pipe holds) are read into one buffer and messages
 * handed out where they stand in it; only what a block ends in the middle of
 * is moved.  The buffer grows with the longest message, up to max.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/reader.h"

#define BLOCK ((size_t)64 * 1024)

void
reader_init(struct reader *reader, char *const *texts, int fd,
    enum reader_form form, size_t max)
{
	memset(reader, 0, sizeof *reader);
	reader->watch.fd = -1;
	if (texts != NULL && texts[0] != NULL)
		reader->texts = texts;
	reader->fd = fd;
	reader->form = form;
	reader->max = max;
}

void
reader_fini(struct reader *reader)
{
	if (reader->loop != NULL)
		hm_watch_stop(reader->loop, &reader->watch);
	free(reader->buf);
	reader->buf = NULL;
	reader->start = reader->looked = reader->len = reader->cap = 0;
}

/* Room for a block behind what is there. */
static int
make_room(struct reader *reader)
{
	size_t cap = reader->cap;
	char *buf;

	if (reader->start > 0) {
		reader->len -= reader->start;
		reader->looked -= reader->start;
		memmove(reader->buf, reader->buf + reader->start, reader->len);
		reader->start = 0;
	}
	if (cap - reader->len >= BLOCK)
		return 0;
	cap = cap == 0 ? BLOCK : cap * 2;
	buf = realloc(reader->buf, cap);
	if (buf == NULL)
		return -1;
	reader->buf = buf;
	reader->cap = cap;
	return make_room(reader);
}

/* 1: there is more, or the end has come; 0: not yet; -1. */
static int
fill(struct reader *reader)
{
	struct pollfd ready = {reader->fd, POLLIN, 0};
	ssize_t n;

	if (make_room(reader) == -1)
		return -1;
	do {
		n = poll(&ready, 1, 0);
		if (n == 1)
			n = read(reader->fd, reader->buf + reader->len,
			    reader->cap - reader->len);
		else if (n == 0)
			return 0;
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	reader->len += (size_t)n;
	reader->ended = n == 0;
	return 1;
}

static enum reader_got
next_text(struct reader *reader, struct hm_slice *message)
{
	if (*reader->texts == NULL)
		return READER_END;
	message->p = *reader->texts++;
	message->n = strlen(message->p);
	return message->n > reader->max ? READER_LONG : READER_ONE;
}

/* The message ends n bytes from its start; used up with its terminator. */
static enum reader_got
hand_out(struct reader *reader, size_t n, size_t used, struct hm_slice *message)
{
	bool too_long = reader->skipping || n > reader->max;

	message->p = reader->buf + reader->start;
	message->n = n;
	reader->start += used;
	reader->looked = reader->start;
	reader->skipping = false;
	return too_long ? READER_LONG : READER_ONE;
}

/* What is left when the input has ended. */
static enum reader_got
last(struct reader *reader, struct hm_slice *message)
{
	size_t n = reader->len - reader->start;
	bool empty = n == 0 && !reader->skipping;

	if (reader->form == READER_WHOLE) {
		reader->form = READER_LINES; /* once */
		empty = false;
	}
	if (!empty)
		return hand_out(reader, n, n, message);
	reader_fini(reader); /* a long message need not be held twice */
	return READER_END;
}

enum reader_got
reader_next(struct reader *reader, struct hm_slice *message)
{
	char end = reader->form == READER_NULL ? '\0' : '\n';
	const char *p;
	int got;

	if (reader->texts != NULL)
		return next_text(reader, message);
	for (;;) {
		p = NULL;
		if (reader->len > reader->looked &&
		    reader->form != READER_WHOLE)
			p = memchr(reader->buf + reader->looked, end,
			    reader->len - reader->looked);
		if (p != NULL) {
			size_t n = (size_t)(p - reader->buf) - reader->start;
			return hand_out(reader, n, n + 1, message);
		}
		reader->looked = reader->len;
		if (reader->len - reader->start > reader->max) {
			reader->skipping = true;
			reader->start = reader->len;
		}
		if (reader->ended)
			return last(reader, message);
		got = fill(reader);
		if (got != 1)
			return got == 0 ? READER_BLOCKED : READER_FAILED;
	}
}

static void
on_ready(void *arg, int fd, short revents)
{
	struct reader *reader = arg;

	(void)fd;
	(void)revents;
	hm_watch_stop(reader->loop, &reader->watch);
	reader->fn(reader->arg);
}

int
reader_wait(struct reader *reader, struct hm_loop *loop, void (*fn)(void *arg),
    void *arg)
{
	reader->loop = loop;
	reader->fn = fn;
	reader->arg = arg;
	reader->watch.fn = on_ready;
	reader->watch.arg = reader;
	return hm_watch_start(loop, &reader->watch, reader->fd, POLLIN);
}
