/*
 * msg-send: sends texts, or what it reads, and ends when all is delivered or
 * has come back.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tool/outbox.h"

static struct tool tool = {"msg-send",
    "[--type T] [--header K=V]... [--whole | --null | --json] [--spread] "
    "[--wait] [--now] [--returned FD] [--listen SPEC] DEST [TEXT]...",
    outbox_options, NULL, HM_LOG_WARNING, false};

struct send {
	struct outbox box;
	struct hm_slice text;	 /* being sent */
	size_t next;		 /* target that gets it next; n: none */
	struct hm_envelope *env; /* waits for room */
	struct target *to;	 /* whom env is for */
	uint64_t sent, under_way, returned;
	uint64_t hurried; /* of those sent */
};

/* Reads the next text when all targets have got the last. */
static bool
next_text(struct send *send)
{
	struct outbox *box = &send->box;
	struct hm_error err;

	while (send->next == box->pool.n) {
		if (!box->reading || !outbox_next(box, &send->text, &err))
			return false;
		if (send->text.p != NULL)
			send->next = 0;
		else
			outbox_failed(
			    box, box->number, NULL, HM_NOT_SENT, err.text);
	}
	return true;
}

/* Heads differ by target only, unless texts are whole envelopes. */
static struct hm_envelope *
make(struct send *send, struct hm_error *err)
{
	const struct template *template = &send->box.template;
	const struct hm_id *sender = hm_actor_id(send->box.actor);
	struct target *to = send->to;
	struct hm_slice nothing = {"", 0};
	struct hm_envelope *env;

	if (template->json)
		return template_make(
		    template, send->text, sender, &to->dest, NULL, err);
	if (to->model == NULL)
		to->model = template_make(
		    template, nothing, sender, &to->dest, NULL, err);
	if (to->model == NULL)
		return NULL;
	env = hm_envelope_like(to->model, send->text.p, send->text.n);
	if (env == NULL)
		(void)hm_fail(err, ENOMEM, "no memory");
	return env;
}

/* The next envelope; false when there is none now. */
static bool
next_envelope(struct send *send)
{
	struct outbox *box = &send->box;
	struct hm_error err;

	while (send->env == NULL) {
		if (!next_text(send))
			return false;
		send->to = box->spread ? pool_least(&box->pool)
				       : &box->pool.targets[send->next];
		send->next = box->spread ? box->pool.n : send->next + 1;
		send->env = make(send, &err);
		if (send->env == NULL)
			outbox_failed(box, box->number, &send->to->dest,
			    HM_NOT_SENT, err.text);
	}
	return true;
}

static void
pump(void *arg)
{
	struct send *send = arg;
	struct outbox *box = &send->box;

	while (next_envelope(send)) {
		if (hm_post(box->actor, send->env) == 0) {
			send->to->busy++;
			send->under_way++;
			send->sent++;
		} else if (errno == EAGAIN) {
			return;
		} else {
			outbox_failed(box, box->number, &send->to->dest,
			    HM_NOT_SENT, strerror(errno));
			hm_envelope_free(send->env);
		}
		send->env = NULL;
	}
	if (send->sent != send->hurried)
		hm_proc_hurry(box->client.proc);
	send->hurried = send->sent;
	if (send->under_way == 0 && !box->reading && outbox_settled(box))
		hm_proc_stop(box->client.proc, 0);
}

static void
settled(struct send *send, const struct hm_envelope *env, bool gone)
{
	struct hm_id dest;
	struct target *target;

	hm_envelope_dest(env, &dest);
	target = pool_find(&send->box.pool, &dest);
	if (target != NULL)
		pool_less_busy(&send->box.pool, target, gone);
	send->under_way--;
}

static void
on_delivered(struct hm_actor *self, const struct hm_envelope *env)
{
	settled(hm_actor_arg(self), env, false);
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	struct send *send = hm_actor_arg(self);
	char why[HM_ERROR_TEXT];
	enum hm_outcome kind;
	struct hm_id dest;

	outbox_returned(&send->box, env, &kind, why);
	settled(send, env, kind != HM_REFUSED);
	send->returned++;
	hm_envelope_dest(env, &dest);
	outbox_failed(&send->box, 0, &dest, kind, why);
}

static int
finish(struct send *send, int status)
{
	hm_envelope_free(send->env);
	if (send->returned > 0)
		tool_say(&tool, HM_LOG_ERROR,
		    "%" PRIu64 " of %" PRIu64 " came back", send->returned,
		    send->sent);
	return outbox_finish(&send->box, status);
}

int
main(int argc, char **argv)
{
	static struct send send;
	int status;

	outbox_init(&send.box, &tool);
	status = outbox_open(&send.box, tool_options(&tool, &send, argc, argv),
	    NULL, pump, &send);
	if (status == 0) {
		send.next = send.box.pool.n;
		hm_actor_on_delivered(send.box.actor, on_delivered);
		hm_actor_on_return(send.box.actor, on_return);
		pump(&send);
		status = hm_proc_run(send.box.client.proc);
	}
	return finish(&send, status);
}
