/*
 * msg-call: asks, and prints the answers in the order asked.
 *
 * Up to ORDERED_MAX questions are open at a time, spread over whoever DEST
 * means.  Each has a once port for its answer, so ports rise with the
 * questions' numbers and an answer's question is found by halving.  A question
 * ends once: answered, come back, out of time, or with the proc it was put to.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/monitor.h"
#include "tool/ordered.h"
#include "tool/outbox.h"

struct call;
static void pump(void *arg);
static void pause_if_full(struct call *call);

struct question {
	struct call *call;
	uint64_t number, port;
	struct target *to;
	struct hm_timer timer;
};

struct call {
	struct outbox box;
	uint64_t timeout; /* ms, 0: none */
	struct writer out;
	struct ordered ordered;
	struct monitors monitors;
	struct question questions[ORDERED_MAX]; /* by number */
	struct question *asking;		/* waits for room, */
	struct hm_envelope *env;		/* with this */
	uint64_t late;				/* failed by -t */
};

static const struct tool_option options[] = {
    {"-t, --timeout TIME", "for each answer (none)", TOOL_DURATION,
	offsetof(struct call, timeout), 0},
    TOOL_OPTIONS_END,
};

static struct tool tool = {"msg-call",
    "[-t TIMEOUT] [--type T] [--header K=V]... [--whole | --null | --json] "
    "[--spread] [--wait] [--now] [--returned FD] [--listen SPEC] DEST "
    "[TEXT]...",
    options, outbox_options, HM_LOG_WARNING, false};

static struct question *
question(struct call *call, uint64_t number)
{
	return &call->questions[number % ORDERED_MAX];
}

/* The open question that is answered at port, or NULL. */
static struct question *
find(struct call *call, uint64_t port)
{
	uint64_t low = call->ordered.first, high = call->ordered.next, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (question(call, middle)->port < port)
			low = middle + 1;
		else
			high = middle;
	}
	if (!ordered_open(&call->ordered, low) ||
	    question(call, low)->port != port)
		return NULL;
	return question(call, low);
}

/* The question has ended: what is printed for it. */
static void
end(struct question *q, const void *bytes, size_t len)
{
	struct call *call = q->call;

	hm_timer_stop(call->box.client.loop, &q->timer);
	if (q->to != NULL)
		pool_less_busy(&call->box.pool, q->to, q->to->gone);
	if (ordered_end(&call->ordered, q->number, bytes, len) == 0)
		return;
	outbox_failed(&call->box, q->number, NULL, HM_UNKNOWN, "no memory");
	(void)ordered_end(&call->ordered, q->number, NULL, 0);
}

static void
end_json(struct question *q, struct hm_json_out *out)
{
	size_t len = 0;
	char *json = hm_json_out_take(out, &len);

	end(q, json, len);
	free(json);
}

static void
fail(struct question *q, enum hm_outcome kind, const char *why)
{
	const struct hm_id *dest = q->to == NULL ? NULL : &q->to->dest;
	struct outbox *box = &q->call->box;
	struct hm_json_out out;

	outbox_failed(box, q->number, dest, kind, why);
	if (!box->template.json) {
		end(q, NULL, 0);
		return;
	}
	hm_json_begin(&out);
	hm_json_open(&out, "errors", '[');
	hm_json_open(&out, NULL, '{');
	hm_json_put_string(&out, "kind", hm_outcome_name(kind));
	hm_json_put_string(&out, "reason", why);
	hm_json_close(&out, '}');
	hm_json_close(&out, ']');
	hm_json_close(&out, '}');
	end_json(q, &out);
}

/* No answer is waited for any more; one that comes is returned. */
static void
give_up(struct question *q, enum hm_outcome kind, const char *why)
{
	hm_port_close(q->call->box.actor, q->port);
	fail(q, kind, why);
}

static void
on_timer(void *arg)
{
	struct question *q = arg;
	struct call *call = q->call;
	char why[64];

	(void)snprintf(why, sizeof why, "no answer within %g s",
	    (double)call->timeout / 1000);
	call->late++;
	give_up(q, HM_TIMED_OUT, why);
	pump(call);
}

/* Fails what was put to target, or everything (NULL). */
static void
fail_all(struct call *call, const struct target *target, const char *why)
{
	struct ordered *ordered = &call->ordered;
	uint64_t i, next = ordered->next;
	struct question *q;

	for (i = ordered->first; i < next; i++) {
		q = question(call, i);
		if (ordered_open(ordered, i) &&
		    (target == NULL || (q->to == target && q != call->asking)))
			give_up(q, HM_UNKNOWN, why);
	}
}

static void
on_ended(void *arg, struct target *target, const char *why)
{
	struct call *call = arg;

	fail_all(call, target, why);
	pump(call);
}

static void
on_lost(void *arg, const char *why)
{
	struct call *call = arg;
	char text[HM_ERROR_TEXT];

	/* Also what was not asked yet is lost. */
	if (call->box.reading || !ordered_done(&call->ordered)) {
		tool_say(&tool, HM_LOG_ERROR, "host lost (%s): %s",
		    hm_proc_host(call->box.client.proc), why);
		call->box.status = TOOL_NO;
	}
	(void)snprintf(text, sizeof text, "host lost: %s", why);
	fail_all(call, NULL, text);
	hm_envelope_free(call->env);
	call->env = NULL;
	call->asking = NULL;
	call->box.reading = false;
	pump(call);
}

static int
on_answer(struct hm_actor *self, struct hm_envelope *msg)
{
	struct call *call = hm_actor_arg(self);
	struct question *q = find(call, hm_envelope_port(msg));
	struct hm_slice no = hm_envelope_header(msg, HM_HEADER_REFUSED);
	struct hm_json_out out;
	char why[HM_ERROR_TEXT];

	if (q == NULL)
		return hm_refuse(self, "it only asks");
	q->to->gone = false;
	if (no.p != NULL) {
		(void)snprintf(why, sizeof why, "%.*s", (int)no.n, no.p);
		fail(q, HM_REFUSED, why);
	} else if (call->box.template.json) {
		hm_json_out_init(&out);
		hm_envelope_print(msg, &out);
		end_json(q, &out);
	} else {
		end(q, hm_payload(msg), hm_payload_len(msg));
	}
	pause_if_full(call);
	pump(call);
	return HM_TAKEN;
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	struct call *call = hm_actor_arg(self);
	char why[HM_ERROR_TEXT];
	enum hm_outcome kind;
	struct question *q;
	struct hm_id port;

	outbox_returned(&call->box, env, &kind, why);
	if (!hm_envelope_reply_to(env, &port) ||
	    (q = find(call, port.port)) == NULL)
		return;
	q->to->gone = kind != HM_REFUSED;
	give_up(q, kind, why);
	pump(call);
}

/* A question for the text that was read, ready to be posted; if it cannot be
 * made it has failed. */
static void
prepare(struct call *call, struct hm_slice text, struct hm_error *err)
{
	struct outbox *box = &call->box;
	uint64_t number = ordered_begin(&call->ordered), port;
	struct question *q = question(call, number);
	struct hm_id reply;

	q->number = number;
	q->to = NULL;
	q->port = number == 1 ? 0 : question(call, number - 1)->port;
	if (text.p == NULL) {
		fail(q, HM_NOT_SENT, err->text);
		return;
	}
	q->to = pool_least(&box->pool);
	q->to->busy++;
	port = hm_port_open(box->actor, NULL, true);
	if (port == 0 || monitor_start(&call->monitors, q->to) == -1) {
		hm_port_close(box->actor, port);
		fail(q, HM_NOT_SENT, "no memory");
		return;
	}
	q->port = port;
	hm_port_id(box->actor, port, &reply);
	call->env = template_make(&box->template, text, hm_actor_id(box->actor),
	    &q->to->dest, &reply, err);
	if (call->env == NULL)
		give_up(q, HM_NOT_SENT, err->text);
	else
		call->asking = q;
}

static bool
next_question(struct call *call)
{
	struct hm_slice text;
	struct hm_error err;

	while (call->asking == NULL) {
		if (!call->box.reading || !ordered_room(&call->ordered) ||
		    writer_waiting(&call->out) > WRITER_FULL ||
		    !outbox_next(&call->box, &text, &err))
			return false;
		prepare(call, text, &err);
	}
	return true;
}

static void
pump(void *arg)
{
	struct call *call = arg;
	struct outbox *box = &call->box;
	struct hm_loop *loop = box->client.loop;
	struct question *q;

	while (next_question(call)) {
		q = call->asking;
		if (hm_post(box->actor, call->env) == 0) {
			if (call->timeout > 0 && hm_timer_start(loop, &q->timer,
						     call->timeout) == -1)
				give_up(q, HM_UNKNOWN, "no memory");
		} else if (errno == EAGAIN) {
			return;
		} else {
			hm_envelope_free(call->env);
			give_up(q, HM_NOT_SENT, strerror(errno));
		}
		call->asking = NULL;
		call->env = NULL;
	}
	if (!box->reading && ordered_done(&call->ordered) &&
	    writer_waiting(&call->out) == 0 && outbox_settled(box))
		hm_proc_stop(box->client.proc, 0);
}

/* While nobody reads the answers, no more are taken. */
static void
pause_if_full(struct call *call)
{
	size_t waiting = writer_waiting(&call->out);

	if (waiting > WRITER_FULL || waiting < WRITER_FULL / 2) {
		hm_actor_pause(call->box.actor, waiting > WRITER_FULL);
		hm_actor_pause(call->monitors.actor, waiting > WRITER_FULL);
	}
}

static void
on_written(void *arg)
{
	struct call *call = arg;
	int error = call->out.error;

	if (error == 0) {
		pause_if_full(call);
		pump(call);
		return;
	}
	if (error != EPIPE) {
		tool_say(
		    &tool, HM_LOG_ERROR, "write (stdout): %s", strerror(error));
		call->box.status = TOOL_SYSTEM;
	}
	hm_proc_stop(call->box.client.proc, 0);
}

static int
start(struct call *call)
{
	struct outbox *box = &call->box;
	struct hm_error err;
	size_t i;

	for (i = 0; i < ORDERED_MAX; i++) {
		call->questions[i].call = call;
		call->questions[i].timer.fn = on_timer;
		call->questions[i].timer.arg = &call->questions[i];
	}
	writer_init(
	    &call->out, box->client.loop, STDOUT_FILENO, on_written, call);
	ordered_init(&call->ordered, &call->out,
	    box->template.form == READER_NULL ? '\0' : '\n');
	if (monitor_init(&call->monitors, box->client.proc, &box->pool,
		on_ended, call, &err) == -1)
		return tool_fail(&tool, &err);
	hm_actor_on_return(box->actor, on_return);
	hm_proc_on_lost(box->client.proc, on_lost, call);
	if (call->out.error != 0)
		on_written(call);
	else
		pump(call);
	return hm_proc_run(box->client.proc);
}

static int
finish(struct call *call, int status)
{
	struct outbox *box = &call->box;
	size_t i;

	for (i = 0; i < ORDERED_MAX && box->client.loop != NULL; i++)
		hm_timer_stop(box->client.loop, &call->questions[i].timer);
	/* Who has closed the output does not ask what becomes of the rest. */
	if (call->out.error == EPIPE)
		hm_loop_set_log(box->client.loop, NULL, NULL);
	hm_envelope_free(call->env);
	ordered_fini(&call->ordered);
	writer_fini(&call->out);
	if (status == 0 && call->late > 0 && call->late == box->failed)
		status = TOOL_TIME;
	return outbox_finish(box, status);
}

int
main(int argc, char **argv)
{
	static struct call call;
	int status;

	outbox_init(&call.box, &tool);
	status = outbox_open(&call.box, tool_options(&tool, &call, argc, argv),
	    on_answer, pump, &call);
	if (status == 0)
		status = start(&call);
	return finish(&call, status);
}
