/*
 * --lines: messages are lines on CMD's stdin, and each line it prints answers
 * the oldest that is unanswered; or, with --to, goes there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/wrap.h"

/* Questions that wait for CMD: then no more are taken. */
#define ASKED_MAX 65536u
#define SLOW_MS 5000

/* A question, or a number of messages that wanted no answer. */
struct asked {
	struct asked *next;
	uint64_t plain; /* 0: a question, from reply */
	struct hm_id reply;
};

struct lines {
	struct wrap *wrap;
	struct feed feed;
	struct drain drain;
	struct asked *first, **last, *newest;
	size_t questions;
	struct hm_timer slow;
	uint64_t answered, seen; /* lines that came; when the timer began */
	bool warned;
	int in, out; /* CMD's ends, until it runs */
};

static void
on_slow(void *arg)
{
	struct lines *lines = arg;

	if (lines->questions == 0 || lines->warned)
		return;
	if (lines->answered != lines->seen) {
		lines->seen = lines->answered;
		(void)hm_timer_start(lines->wrap->loop, &lines->slow, SLOW_MS);
		return;
	}
	lines->warned = true;
	tool_say(lines->wrap->tool, HM_LOG_WARNING,
	    "%zu lines unanswered: does CMD buffer its input or output?",
	    lines->questions);
}

static struct asked *
ask(struct lines *lines)
{
	struct asked *asked = calloc(1, sizeof *asked);

	if (asked == NULL)
		return NULL;
	*lines->last = asked;
	lines->last = &asked->next;
	lines->newest = asked;
	return asked;
}

/* A line of CMD's stdin is written: it stands in the queue. */
static void
on_taken(void *arg, struct hm_envelope *msg)
{
	struct lines *lines = arg;
	struct asked *asked = lines->newest;
	struct hm_id reply;
	bool question = hm_envelope_reply_to(msg, &reply);

	if (lines->wrap->to_text != NULL)
		return;
	if (question || asked == NULL || asked->plain == 0)
		asked = ask(lines);
	if (asked == NULL) {
		tool_say(lines->wrap->tool, HM_LOG_ERROR,
		    "answers are lost (%s): no memory",
		    wrap_name(lines->wrap));
		return;
	}
	if (!question) {
		asked->plain++;
		return;
	}
	asked->reply = reply;
	lines->questions++;
	if (!hm_timer_running(&lines->slow)) {
		lines->seen = lines->answered;
		(void)hm_timer_start(lines->wrap->loop, &lines->slow, SLOW_MS);
	}
}

static void
pause_or_not(struct lines *lines)
{
	hm_actor_pause(lines->wrap->actor,
	    !lines->wrap->stopping && (feed_full(&lines->feed) ||
		lines->questions >= ASKED_MAX));
}

static void
on_room(void *arg)
{
	pause_or_not(arg);
}

/* The head of the queue has its line. */
static void
pop(struct lines *lines)
{
	struct asked *asked = lines->first;

	if (asked->plain > 1) {
		asked->plain--;
		return;
	}
	if (asked->plain == 0)
		lines->questions--;
	lines->first = asked->next;
	if (lines->first == NULL) {
		lines->last = &lines->first;
		lines->newest = NULL;
	}
	free(asked);
}

/* -1: there is no room to post it now. */
static int
take_line(struct lines *lines, const char *line, size_t len)
{
	struct wrap *wrap = lines->wrap;

	if (wrap->to_text != NULL)
		return wrap_post(wrap, &wrap->to, line, len);
	if (lines->first == NULL)
		return 0; /* nobody asked */
	if (lines->first->plain == 0 &&
	    wrap_post(wrap, &lines->first->reply, line, len) == -1)
		return -1;
	lines->answered++;
	pop(lines);
	return 0;
}

static size_t
on_bytes(void *arg, const char *bytes, size_t len, bool last)
{
	struct lines *lines = arg;
	size_t used = 0, n;
	const char *end;

	while (used < len) {
		end = memchr(bytes + used, '\n', len - used);
		if (end == NULL && !last)
			break;
		n = end == NULL ? len - used : (size_t)(end - bytes) - used;
		if (take_line(lines, bytes + used, n) == -1) {
			lines->drain.paused = true;
			break;
		}
		used += n + (end != NULL);
	}
	pause_or_not(lines);
	return used;
}

static void
on_closed(void *arg)
{
	struct lines *lines = arg;

	wrap_check(lines->wrap);
}

static int
handle(struct hm_actor *self, struct hm_envelope *msg)
{
	struct wrap *wrap = hm_actor_arg(self);
	struct lines *lines = wrap->lines;
	const char *text = hm_payload(msg);
	size_t len = hm_payload_len(msg);
	struct hm_id reply;

	if (wrap->stopping || !wrap->runs)
		return hm_refuse(self, "%s is ending", wrap_name(wrap));
	if (wrap->to_text != NULL && hm_envelope_reply_to(msg, &reply))
		return hm_refuse(self,
		    "%s sends its output to %s and answers nothing",
		    wrap_name(wrap), wrap->to_text);
	if (memchr(text, '\n', len) != NULL)
		return hm_refuse(self, "a payload with a newline is no line");
	if (feed_add(&lines->feed, msg, text, len, "\n", 1) == -1)
		return hm_refuse(self, "%s: %s", wrap_name(wrap),
		    errno == EPIPE ? "CMD reads no more input" :
				     strerror(errno));
	pause_or_not(lines);
	return HM_LATER;
}

static int
plumb(struct wrap *wrap, struct spawn *spawn)
{
	struct lines *lines = calloc(1, sizeof *lines);
	int in[2], out[2];

	if (lines == NULL || wrap_pipe(in, 1) == -1) {
		free(lines);
		return -1;
	}
	if (wrap_pipe(out, 0) == -1) {
		(void)close(in[0]);
		(void)close(in[1]);
		free(lines);
		return -1;
	}
	wrap->lines = lines;
	lines->wrap = wrap;
	lines->last = &lines->first;
	lines->slow.fn = on_slow;
	lines->slow.arg = lines;
	feed_init(&lines->feed, wrap->loop, in[1]);
	lines->feed.taken = on_taken;
	lines->feed.room = on_room;
	lines->feed.arg = lines;
	drain_init(&lines->drain, wrap->loop, out[0],
	    (size_t)wrap->boot.limits.max_message);
	lines->drain.take = on_bytes;
	lines->drain.closed = on_closed;
	lines->drain.arg = lines;
	spawn->in = lines->in = in[0];
	spawn->out = lines->out = out[1];
	return 0;
}

static void
started(struct wrap *wrap)
{
	(void)close(wrap->lines->in);
	(void)close(wrap->lines->out);
}

static void
stop(struct wrap *wrap)
{
	feed_end(&wrap->lines->feed);
}

static void
ended(struct wrap *wrap)
{
	feed_close(&wrap->lines->feed, "CMD has ended");
	drain_dry(&wrap->lines->drain);
}

static bool
done(const struct wrap *wrap)
{
	const struct drain *drain = &wrap->lines->drain;

	return drain->eof && drain->start == drain->len;
}

static void
progress(struct wrap *wrap)
{
	if (wrap->lines != NULL && wrap->lines->drain.paused)
		drain_resume(&wrap->lines->drain);
}

static void
fini(struct wrap *wrap)
{
	struct lines *lines = wrap->lines;

	if (lines == NULL)
		return;
	hm_timer_stop(wrap->loop, &lines->slow);
	feed_close(&lines->feed, "proc has ended");
	drain_fini(&lines->drain);
	while (lines->first != NULL) {
		if (lines->first->plain > 0)
			lines->first->plain = 1;
		pop(lines);
	}
	free(lines);
}

const struct wrap_mode wrap_lines = { .handle = handle,
	.plumb = plumb,
	.started = started,
	.stop = stop,
	.ended = ended,
	.done = done,
	.progress = progress,
	.fini = fini };
