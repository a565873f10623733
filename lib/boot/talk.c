/*
 * Conversations.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/talk.h"

void
talk_stop(struct talk *talk)
{
	int code = errno;

	if (talk->ended != NULL)
		*talk->ended = true;
	talk->ended = NULL;
	if (talk->watch.fd != -1) {
		hm_watch_stop(talk->loop, &talk->watch);
		(void)close(talk->watch.fd);
		talk->watch.fd = -1;
	}
	free(talk->in);
	free(talk->out);
	talk->in = talk->out = NULL;
	talk->len = talk->cap = talk->out_len = talk->out_cap = 0;
	errno = code;
}

static void
end(struct talk *talk)
{
	talk_stop(talk);
	talk->closed(talk->arg);
}

/* Stopped, perhaps freed, from inside said, which turned the loop. */
#define STOPPED (-2)

static int
serve_line(struct talk *talk, const char *text, size_t len)
{
	struct hm_json *json = hm_json_parse(text, len, NULL);
	bool ended = false;
	int done;

	if (json == NULL)
		return -1;
	/* cppcheck-suppress autoVariables; taken off before it is gone */
	talk->ended = &ended;
	done = talk->said(talk->arg, json);
	hm_json_free(json);
	if (ended)
		return STOPPED;
	talk->ended = NULL;
	return done;
}

/* The lines in the buffer; -1: it is over. */
static int
serve_lines(struct talk *talk)
{
	char *start = talk->in, *newline;
	size_t left = talk->len;
	int done = 0;

	while (done == 0 && (newline = memchr(start, '\n', left)) != NULL) {
		done = serve_line(talk, start, (size_t)(newline - start));
		if (done == STOPPED)
			return done;
		left -= (size_t)(newline + 1 - start);
		start = newline + 1;
	}
	memmove(talk->in, start, left);
	talk->len = left;
	return left == talk->line_max ? -1 : done;
}

static int
grow(char **buf, size_t *cap, size_t need, size_t max)
{
	size_t more = *cap == 0 ? 512 : *cap;
	char *p;

	while (more < need)
		more *= 2;
	if (more > max)
		more = max;
	if (more <= *cap)
		return 0;
	p = realloc(*buf, more);
	if (p == NULL)
		return -1;
	*buf = p;
	*cap = more;
	return 0;
}

/* 1: something came, 0: there is nothing now, -1: it is over. */
static int
read_some(struct talk *talk)
{
	ssize_t n;
	int done;

	if (grow(&talk->in, &talk->cap, talk->len + 1, talk->line_max) == -1)
		return -1;
	do
		n = read(talk->watch.fd, talk->in + talk->len,
		    talk->cap - talk->len);
	while (n == -1 && errno == EINTR);
	if (n == -1 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	talk->len += (size_t)n;
	done = serve_lines(talk);
	return done < 0 ? done : 1;
}

void
talk_listen(struct talk *talk)
{
	int done = 0;

	if (talk->ended != NULL)
		return; /* what asks is being told a line of this talk */
	do
		done = talk->watch.fd == -1 ? 0 : read_some(talk);
	while (done == 1);
	if (done == -1)
		end(talk);
}

static int
send_some(struct talk *talk)
{
	ssize_t n;

	while (talk->out_len > 0) {
		do
			n = send(talk->watch.fd, talk->out, talk->out_len,
			    MSG_NOSIGNAL);
		while (n == -1 && errno == EINTR);
		if (n == -1 && errno != EAGAIN)
			return -1;
		if (n <= 0)
			break;
		talk->out_len -= (size_t)n;
		memmove(talk->out, talk->out + n, talk->out_len);
	}
	return hm_watch_start(talk->loop, &talk->watch, talk->watch.fd,
	    talk->out_len > 0 ? POLLIN | POLLOUT : POLLIN);
}

static void
on_ready(void *arg, int fd, short revents)
{
	struct talk *talk = arg;

	(void)fd;
	/* What cannot be sent any more is no reason not to hear the rest. */
	if ((revents & POLLOUT) != 0 && send_some(talk) == -1)
		talk->out_len = 0;
	talk_listen(talk);
}

int
talk_say(struct talk *talk, struct hm_json_out *out)
{
	size_t len;
	char *text;

	hm_json_close(out, '}');
	text = hm_json_out_take(out, &len);
	if (text == NULL || talk->watch.fd == -1 ||
	    grow(&talk->out, &talk->out_cap, talk->out_len + len + 1,
		SIZE_MAX / 2) == -1) {
		free(text);
		return -1;
	}
	text[len] = '\n';
	memcpy(talk->out + talk->out_len, text, len + 1);
	talk->out_len += len + 1;
	free(text);
	if (send_some(talk) == 0)
		return 0;
	talk->out_len = 0;
	return -1;
}

size_t
talk_waiting(const struct talk *talk)
{
	return talk->out_len;
}

int
talk_start(struct talk *talk, int fd)
{
	talk->watch.fn = on_ready;
	talk->watch.arg = talk;
	talk->watch.fd = fd;
	if (hm_watch_start(talk->loop, &talk->watch, fd, POLLIN) == 0)
		return 0;
	talk_stop(talk);
	return -1;
}
