/*
 * Lifelines.
 *
 * It is a path that is connected to and no inherited descriptor, so it works
 * through whatever stands between (a shell, runc, ssh).  While many procs call
 * back at the same moment the backlog may be full; then it calls again.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/callback.h"
#include "boot/lifeline.h"

#define RETRY_MS 10
#define FLUSH_MS 1000

static int
on_said(void *arg, const struct hm_json *json)
{
	struct lifeline *line = arg;

	if (!line->waiting)
		return 0;
	line->waiting = false;
	line->answered(
	    line->arg, hm_json_bool(json, "ok", false)
			   ? NULL
			   : hm_json_string(json, "error", "no reason given"));
	return 0;
}

static void
on_closed(void *arg)
{
	struct lifeline *line = arg;

	if (line->broken != NULL)
		line->broken(line->arg);
}

/* 0, also when it is to be tried again. */
static int
dial(struct lifeline *line, struct hm_error *err)
{
	int fd = sys_dial(&line->addr, err);

	if (fd == -1 && errno == EAGAIN) {
		if (hm_timer_start(line->talk.loop, &line->retry, RETRY_MS) ==
		    0)
			return 0;
	} else if (fd == -1) {
		return -1;
	} else if (talk_start(&line->talk, fd) == 0 &&
		   talk_say(&line->talk, &line->first) == 0) {
		return 0;
	}
	return hm_fail(err, ENOMEM, "no memory");
}

static void
on_retry(void *arg)
{
	struct lifeline *line = arg;

	hm_timer_stop(line->talk.loop, &line->retry);
	if (dial(line, NULL) == -1)
		on_closed(line);
}

int
lifeline_call(struct lifeline *line, struct hm_loop *loop, const char *addr,
    struct hm_json_out *first, struct hm_error *err)
{
	struct hm_error why;

	line->talk.loop = loop;
	line->talk.watch.fd = -1;
	line->talk.line_max = CALLBACK_LINE_MAX;
	line->talk.said = on_said;
	line->talk.closed = on_closed;
	line->talk.arg = line;
	line->retry.fn = on_retry;
	line->retry.arg = line;
	line->first = *first;
	line->waiting = true;
	if (hm_addr_parse(&line->addr, addr, 0, &why) == 0 &&
	    dial(line, &why) == 0)
		return 0;
	return hm_fail_kind(err, HM_ERR_CHANNEL, why.code,
	    "callback %s: %.300s", addr, why.text);
}

/* Serves nothing but the lifeline, for ms at most (-1: for ever). */
static void
serve(struct lifeline *line, int ms)
{
	struct pollfd ready = {line->talk.watch.fd, POLLIN, 0};

	if (ready.fd == -1) {
		(void)poll(NULL, 0, RETRY_MS);
		on_retry(line);
		return;
	}
	if (talk_waiting(&line->talk) > 0)
		ready.events |= POLLOUT;
	if (poll(&ready, 1, ms) > 0)
		line->talk.watch.fn(
		    line->talk.watch.arg, ready.fd, ready.revents);
}

void
lifeline_await(struct lifeline *line)
{
	while (line->waiting &&
	       (line->talk.watch.fd != -1 || hm_timer_running(&line->retry)))
		serve(line, -1);
}

void
lifeline_flush(struct lifeline *line)
{
	uint64_t now = sys_now(), end = now + FLUSH_MS;

	while (line->talk.watch.fd != -1 && talk_waiting(&line->talk) > 0 &&
	       now < end) {
		serve(line, sys_poll_ms(end - now));
		now = sys_now();
	}
}

void
lifeline_fini(struct lifeline *line)
{
	if (line->talk.loop == NULL)
		return;
	hm_timer_stop(line->talk.loop, &line->retry);
	talk_stop(&line->talk);
	hm_json_out_fini(&line->first);
}
