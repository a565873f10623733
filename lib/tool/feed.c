/*
 * Feeds and drains.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/feed.h"

#define READ_SIZE ((size_t)16 * 1024)

static int
reserve(char **buf, size_t *start, size_t *len, size_t *cap, size_t more)
{
	size_t want = *cap == 0 ? 4096 : *cap;
	char *grown;

	if (*start > 0) {
		memmove(*buf, *buf + *start, *len - *start);
		*len -= *start;
		*start = 0;
	}
	while (want - *len < more)
		want *= 2;
	if (want == *cap)
		return 0;
	grown = realloc(*buf, want);
	if (grown == NULL)
		return -1;
	*buf = grown;
	*cap = want;
	return 0;
}

static void
feed_shut(struct feed *feed)
{
	int fd = feed->watch.fd;

	hm_watch_stop(feed->loop, &feed->watch);
	if (fd != -1)
		(void)close(fd);
	feed->watch.fd = -1;
}

/* Those whose last byte is in are delivered. */
static void
settle_written(struct feed *feed)
{
	struct fed *fed;

	while ((fed = feed->first) != NULL && fed->end <= feed->written) {
		feed->first = fed->next;
		if (feed->first == NULL)
			feed->last = &feed->first;
		feed->taken(feed->arg, fed->msg);
		hm_settle(fed->msg, HM_DELIVERED, NULL);
		free(fed);
	}
}

static void
feed_write(struct feed *feed)
{
	ssize_t n;

	while (feed->start < feed->len) {
		n = write(feed->watch.fd, feed->buf + feed->start,
		    feed->len - feed->start);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			break;
		if (n == -1) {
			feed_close(feed, "reads no more input");
			feed->room(feed->arg);
			return;
		}
		feed->start += (size_t)n;
		feed->written += (size_t)n;
	}
	settle_written(feed);
	if (feed->start == feed->len && feed->ending)
		feed_shut(feed);
	else if (feed->start == feed->len)
		hm_watch_stop(feed->loop, &feed->watch);
	else if (hm_watch_start(feed->loop, &feed->watch, feed->watch.fd,
		     POLLOUT) == -1)
		feed_close(feed, "cannot be watched");
	if (!feed_full(feed))
		feed->room(feed->arg);
}

static void
on_writable(void *arg, int fd, short revents)
{
	(void)fd;
	(void)revents;
	feed_write(arg);
}

void
feed_init(struct feed *feed, struct hm_loop *loop, int fd)
{
	memset(feed, 0, sizeof *feed);
	feed->loop = loop;
	feed->last = &feed->first;
	feed->watch.fn = on_writable;
	feed->watch.arg = feed;
	feed->watch.fd = fd;
}

int
feed_add(struct feed *feed, struct hm_envelope *msg, const void *a,
    size_t alen, const void *b, size_t blen)
{
	struct fed *fed;

	if (feed->watch.fd == -1 || feed->ending) {
		errno = EPIPE;
		return -1;
	}
	fed = malloc(sizeof *fed);
	if (fed == NULL || reserve(&feed->buf, &feed->start, &feed->len,
			       &feed->cap, alen + blen) == -1) {
		free(fed);
		return -1;
	}
	/* Written at the end of what is read now, many in one go. */
	if (hm_watch_start(feed->loop, &feed->watch, feed->watch.fd,
		POLLOUT) == -1) {
		free(fed);
		return -1;
	}
	memcpy(feed->buf + feed->len, a, alen);
	memcpy(feed->buf + feed->len + alen, b, blen);
	feed->len += alen + blen;
	feed->fed += alen + blen;
	fed->next = NULL;
	fed->msg = msg;
	fed->end = feed->fed;
	*feed->last = fed;
	feed->last = &fed->next;
	return 0;
}

bool
feed_full(const struct feed *feed)
{
	return feed->len - feed->start >= FEED_HIGH;
}

void
feed_end(struct feed *feed)
{
	feed->ending = true;
	if (feed->start == feed->len)
		feed_shut(feed);
}

void
feed_close(struct feed *feed, const char *why)
{
	struct fed *fed;

	feed_shut(feed);
	while ((fed = feed->first) != NULL) {
		feed->first = fed->next;
		hm_settle(fed->msg, HM_REFUSED, why);
		free(fed);
	}
	feed->last = &feed->first;
	free(feed->buf);
	feed->buf = NULL;
	feed->start = feed->len = feed->cap = 0;
}

static void
drain_shut(struct drain *drain)
{
	int fd = drain->watch.fd;

	hm_watch_stop(drain->loop, &drain->watch);
	if (fd != -1)
		(void)close(fd);
	drain->watch.fd = -1;
	drain->eof = true;
}

/* 1: something came (or the end), 0: nothing now, -1: no memory. */
static int
drain_read(struct drain *drain)
{
	ssize_t n;

	if (reserve(&drain->buf, &drain->start, &drain->len, &drain->cap,
		READ_SIZE) == -1)
		return -1;
	do
		n = read(drain->watch.fd, drain->buf + drain->len,
		    drain->cap - drain->len);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		drain_shut(drain);
	else
		drain->len += (size_t)n;
	return 1;
}

static void
drain_take(struct drain *drain)
{
	size_t used;

	while (!drain->paused &&
	    (drain->start < drain->len || drain->eof)) {
		used = drain->start == drain->len ?
		    0 :
		    drain->take(drain->arg, drain->buf + drain->start,
			drain->len - drain->start, drain->eof);
		drain->start += used;
		if (used == 0)
			break;
	}
	if (drain->len - drain->start > drain->max)
		drain_shut(drain);
}

static void
drain_watch(struct drain *drain)
{
	if (drain->watch.fd == -1)
		return;
	if (drain->paused)
		hm_watch_stop(drain->loop, &drain->watch);
	else if (hm_watch_start(drain->loop, &drain->watch, drain->watch.fd,
		     POLLIN) == -1)
		drain_shut(drain);
}

static void
on_readable(void *arg, int fd, short revents)
{
	struct drain *drain = arg;

	(void)fd;
	(void)revents;
	if (drain_read(drain) == -1)
		drain_shut(drain);
	drain_resume(drain);
}

void
drain_init(struct drain *drain, struct hm_loop *loop, int fd, size_t max)
{
	memset(drain, 0, sizeof *drain);
	drain->loop = loop;
	drain->max = max;
	drain->watch.fn = on_readable;
	drain->watch.arg = drain;
	drain->watch.fd = fd;
	drain_watch(drain);
}

void
drain_resume(struct drain *drain)
{
	drain->paused = false;
	drain_take(drain);
	drain_watch(drain);
	if (drain->eof && !drain->paused)
		drain->closed(drain->arg);
}

void
drain_dry(struct drain *drain)
{
	int got = 1;

	while (drain->watch.fd != -1 && got == 1 &&
	    drain->len - drain->start <= drain->max)
		got = drain_read(drain);
	drain_shut(drain);
	if (!drain->paused)
		drain_resume(drain);
}

void
drain_fini(struct drain *drain)
{
	drain_shut(drain);
	free(drain->buf);
	drain->buf = NULL;
}
