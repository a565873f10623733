/*
 * --lines: a filter.  Each message is a line on CMD's stdin, each line that it
 * prints answers the oldest question.
 *
 * Questions stand in a queue from the moment they are written; messages that
 * want no answer stand there too, but only as a count, before a question or
 * behind the last.  A message whose line does not fit the pipe is the only one
 * taken until it does.  With --to there is no queue.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/inlet.h"
#include "boot/outlet.h"
#include "boot/runner.h"

#define WARN_MS 5000

struct question {
	struct question *next;
	uint64_t before; /* messages without a question ahead of it */
	char reply_to[];
};

struct lines {
	struct runner *r;
	struct outlet out;
	struct inlet in;
	size_t looked; /* of what is in the inlet, without a newline */
	bool skipping; /* a line that is too long, */
	bool scarce;   /* or for which there was no memory */
	struct hm_envelope *pending; /* is being written, with its question */
	struct question *asked;
	struct question *first, **end;
	uint64_t waiting; /* questions */
	uint64_t behind;  /* messages without a question after the last */
	struct hm_timer timer;
	bool warned, surplus;
};

static void
pause_main(struct lines *l)
{
	hm_actor_pause(l->r->main,
	    l->pending != NULL || l->waiting >= l->r->limits.max_unsettled);
}

static void
set_timer(struct lines *l)
{
	if (l->waiting == 0 || l->warned)
		hm_timer_stop(l->r->loop, &l->timer);
	else if (hm_timer_start(l->r->loop, &l->timer, WARN_MS) == -1)
		l->warned = true; /* not, then */
}

static void
on_silence(void *arg)
{
	struct lines *l = arg;

	l->warned = true;
	hm_log(l->r->loop, HM_LOG_WARNING,
	    "%" PRIu64 " lines unanswered: does CMD buffer its input or "
	    "output?",
	    l->waiting);
}

/* NULL: there is none in msg, or (*failed) no memory for it. */
static struct question *
question_new(const struct hm_envelope *msg, bool *failed)
{
	struct question *q = NULL;
	struct hm_id to;
	char text[HM_ID_TEXT];
	size_t size;

	*failed = false;
	if (hm_envelope_reply_to(msg, &to)) {
		size = strlen(hm_id_print(&to, text, sizeof text)) + 1;
		q = malloc(sizeof *q + size);
		*failed = q == NULL;
		if (q != NULL)
			memcpy(q->reply_to, text, size);
	}
	return q;
}

/* The line has been written: it can be answered. */
static void
enqueue(struct lines *l, struct question *q)
{
	if (l->r->to != NULL)
		return;
	if (q == NULL) {
		l->behind++;
		return;
	}
	q->next = NULL;
	q->before = l->behind;
	l->behind = 0;
	*l->end = q;
	l->end = &q->next;
	if (l->waiting++ == 0)
		set_timer(l);
}

static void
dequeue(struct lines *l)
{
	struct question *q = l->first;

	l->first = q->next;
	if (l->first == NULL)
		l->end = &l->first;
	l->waiting--;
	free(q);
	set_timer(l);
	pause_main(l);
}

/* The pending message is written, or will not be. */
static void
settle(struct lines *l, bool written)
{
	struct hm_envelope *msg = l->pending;
	struct question *q = l->asked;

	l->pending = NULL;
	l->asked = NULL;
	if (written) {
		enqueue(l, q);
		hm_settle(msg, HM_DELIVERED, NULL);
	} else {
		free(q);
		runner_refuse(l->r, msg);
	}
	pause_main(l);
}

static void
on_written(void *arg)
{
	struct lines *l = arg;

	settle(l, l->out.fd != -1);
	if (l->r->stopping)
		outlet_close(&l->out);
}

static int
lines_take(struct hm_actor *self, struct hm_envelope *msg)
{
	struct runner *r = hm_actor_arg(self);
	struct lines *l = r->state;
	struct iovec line[2] = {
	    {(void *)hm_payload(msg), hm_payload_len(msg)}, {(void *)"\n", 1}};
	bool failed;

	if (line[0].iov_len > 0 &&
	    memchr(line[0].iov_base, '\n', line[0].iov_len) != NULL)
		return hm_refuse(self,
		    "a message to %s is one line, and this has a newline",
		    runner_name(r));
	l->asked = question_new(msg, &failed);
	if (failed)
		return hm_refuse(self, "no memory");
	if (r->to != NULL && l->asked != NULL) {
		free(l->asked);
		return hm_refuse(self,
		    "%s sends its output to %s and answers nothing",
		    runner_name(r), r->to);
	}
	l->pending = msg;
	switch (outlet_write(&l->out, line, 2)) {
	case 0:
		pause_main(l);
		break;
	case 1:
		settle(l, true);
		break;
	default:
		settle(l, false);
	}
	return HM_LATER;
}

/* To who asked: as runner_say.  line NULL: why not. */
static int
tell(struct lines *l, const struct hm_id *to, const char *line, size_t len)
{
	char why[96] = "no memory for CMD's answer";
	int said = 1;

	if (line != NULL)
		said = runner_say(l->r, to, "text/plain", line, len);
	else if (!l->scarce)
		(void)snprintf(why, sizeof why,
		    "CMD's answer is larger than %" PRIu64 " bytes",
		    l->r->limits.max_message);
	return said == 1 ? runner_deny(l->r, to, why) : said;
}

/* What CMD printed answers the head of the queue; -1: not now. */
static int
answer(struct lines *l, const char *line, size_t len)
{
	struct hm_id to;

	if (l->first == NULL && l->behind == 0) {
		if (!l->surplus)
			hm_log(l->r->loop, HM_LOG_WARNING,
			    "CMD prints lines that answer nothing: dropped");
		l->surplus = true;
	} else if (l->first == NULL) {
		l->behind--;
	} else if (l->first->before > 0) {
		l->first->before--;
	} else {
		if (hm_id_parse(&to, l->first->reply_to, NULL) == 0 &&
		    tell(l, &to, line, len) == -1)
			return -1;
		dequeue(l);
	}
	return 0;
}

/* line NULL: it was too long, or there was no memory, which was said. */
static int
take_line(struct lines *l, const char *line, size_t len)
{
	if (line == NULL && !l->scarce)
		hm_log(l->r->loop, HM_LOG_ERROR,
		    "CMD printed a line of more than %" PRIu64
		    " bytes: dropped",
		    l->r->limits.max_message);
	if (l->r->to == NULL)
		return answer(l, line, len);
	return line == NULL ? 0
			    : runner_say(l->r, NULL, "text/plain", line, len);
}

/* The line that is in the inlet is none, however it goes on. */
static void
skip(struct lines *l)
{
	l->skipping = true;
	l->in.start = l->in.len;
	l->looked = 0;
}

/* Takes lines out of the inlet: 0, or -1 when the next cannot be posted now. */
static int
take_lines(struct lines *l)
{
	struct inlet *in = &l->in;
	const char *line, *newline;
	size_t len;

	for (;;) {
		line = inlet_bytes(in);
		len = inlet_size(in);
		newline = len > l->looked
			      ? memchr(line + l->looked, '\n', len - l->looked)
			      : NULL;
		if (newline == NULL) {
			l->looked = len;
			if (len > l->r->limits.max_message) {
				skip(l);
				len = 0;
			}
			if (in->fd != -1 || (len == 0 && !l->skipping))
				return 0;
		} else {
			len = (size_t)(newline - line);
			if (len > l->r->limits.max_message)
				l->skipping = true;
		}
		if (take_line(l, l->skipping ? NULL : line, len) == -1)
			return -1;
		in->start += newline == NULL ? inlet_size(in) : len + 1;
		l->looked = 0;
		l->skipping = l->scarce = false;
	}
}

static void
pump(void *arg)
{
	struct lines *l = arg;
	int got;

	/* A block in a turn: others want theirs.  At the end all of it. */
	do {
		if (take_lines(l) == -1) {
			inlet_watch(&l->in, false);
			return;
		}
		got = inlet_read(&l->in);
		if (l->in.failed) {
			l->in.failed = false;
			l->scarce = true;
			skip(l);
		}
	} while (l->r->last && got == 1);
	if (take_lines(l) == 0)
		inlet_watch(&l->in, true);
	else
		inlet_watch(&l->in, false);
	runner_look(l->r);
}

static int
lines_start(struct runner *r, int *status, struct hm_error *err)
{
	struct lines *l = calloc(1, sizeof *l);
	struct spawn spawn;
	int done = -1;

	if (l == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	l->r = r;
	l->end = &l->first;
	l->timer.fn = on_silence;
	l->timer.arg = l;
	r->state = l;
	memset(&spawn, 0, sizeof spawn);
	spawn.in = spawn.out = -1;
	spawn.err = STDERR_FILENO;
	if (outlet_open(&l->out, r->loop, &spawn.in, on_written, l) == -1 ||
	    inlet_open(&l->in, r->loop, &spawn.out, pump, l) == -1)
		(void)hm_fail(err, errno, "pipe: %s", strerror(errno));
	else
		done = runner_start(r, &spawn, status, err);
	l->in.goes_on = true;
	spawn_close(spawn.in);
	spawn_close(spawn.out);
	return done;
}

static void
lines_stop(struct runner *r)
{
	struct lines *l = r->state;

	if (r->ended && l->pending != NULL)
		settle(l, false);
	if (l->pending == NULL)
		outlet_close(&l->out);
}

static void
lines_progress(struct runner *r)
{
	struct lines *l = r->state;

	l->in.last = r->last;
	if (r->last || !l->in.watched)
		pump(l); /* else there is nothing that could not be posted */
}

static bool
lines_dry(const struct runner *r)
{
	const struct lines *l = r->state;

	return l->in.fd == -1 && inlet_size(&l->in) == 0 && !l->skipping;
}

static void
lines_fini(struct runner *r)
{
	struct lines *l = r->state;
	struct question *q;

	if (l->pending != NULL)
		settle(l, false);
	while ((q = l->first) != NULL) {
		l->first = q->next;
		free(q);
	}
	hm_timer_stop(r->loop, &l->timer);
	outlet_close(&l->out);
	inlet_fini(&l->in);
	free(l);
}

const struct mode mode_lines = {true, lines_take, lines_start, lines_stop,
    lines_progress, lines_dry, lines_fini, NULL};
