#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "route/gate.h"

int
hm_sender_post(struct hm_sender *sender, struct hm_envelope *env)
{
	return sender->post(sender, env, true);
}

int
hm_sender_post_unchecked(struct hm_sender *sender, struct hm_envelope *env)
{
	return sender->post(sender, env, false);
}

void
hm_sender_flush(struct hm_sender *sender)
{
	sender->flush(sender);
}

/* --- the one that knows no way */

static int
unroutable_post(struct hm_sender *sender, struct hm_envelope *env, bool checked)
{
	(void)sender;
	(void)checked;
	if (env->source != NULL)
		router_settle(env, HM_NOT_SENT, "unroutable", "");
	else
		hm_envelope_free(env);
	return 0;
}

static void
unroutable_flush(struct hm_sender *sender)
{
	(void)sender;
}

struct hm_sender *
hm_sender_unroutable(void)
{
	static struct hm_sender unroutable = {
	    unroutable_post, unroutable_flush};

	return &unroutable;
}

/* --- a gate */

static struct gate *
of_local(struct router_local *local)
{
	return (struct gate *)(void *)((char *)local -
				       offsetof(struct gate, local));
}

static int
post(struct hm_sender *sender, struct hm_envelope *env, bool checked)
{
	struct gate *gate = (struct gate *)sender;
	struct hm_envelope *copy;

	if (env->source == NULL && env->anonymous) {
		errno = EINVAL;
		return -1;
	}
	if (env->source == NULL)
		return router_post(&gate->local, env, checked);
	if (env->head[HM_HEAD_TTL] == 0) {
		router_settle(env, HM_NOT_SENT, "TTL expired",
		    router_id(gate->local.router));
		return 0;
	}
	copy = hm_envelope_take_over(env);
	if (copy == NULL) {
		errno = ENOMEM;
		return -1;
	}
	copy->head[HM_HEAD_TTL]--;
	copy->origin = env;
	if (router_post(&gate->local, copy, checked) == 0)
		return 0;
	hm_envelope_give_back(env, copy);
	hm_envelope_free(copy);
	return -1;
}

static void
flush(struct hm_sender *sender)
{
	router_hurry(((struct gate *)sender)->local.router);
}

/* Nothing leads here. */
static void
deliver(struct router_local *local, struct hm_envelope *env)
{
	(void)local;
	router_settle(env, HM_NOT_SENT, "nobody is here", "");
}

static void
progress(struct router_local *local)
{
	const struct hm_channel_events *events = &of_local(local)->events;

	if (events->progress != NULL)
		events->progress(events->arg);
}

static void
returned(struct router_local *local, struct hm_envelope *env)
{
	const struct hm_channel_events *events = &of_local(local)->events;

	if (events->returned != NULL)
		events->returned(events->arg, env);
	hm_envelope_free(env);
}

int
gate_open(struct gate *gate, struct hm_router *router)
{
	memset(gate, 0, sizeof *gate);
	gate->sender.post = post;
	gate->sender.flush = flush;
	gate->local.passes = true;
	gate->local.deliver = deliver;
	gate->local.progress = progress;
	gate->local.returned = returned;
	return router_add_local(router, &gate->local);
}

void
gate_close(struct gate *gate)
{
	if (gate->local.here != NULL)
		router_remove_local(&gate->local);
}

/* --- what has no other way out of a router */

static void
no_progress(struct router_local *local)
{
	(void)local;
}

static void
no_return(struct router_local *local, struct hm_envelope *env)
{
	(void)local;
	hm_envelope_free(env);
}

void
rest_init(struct router_local *rest,
    void (*take)(struct router_local *local, struct hm_envelope *env))
{
	rest->deliver = take;
	rest->progress = no_progress;
	rest->returned = no_return;
}

static void
go_on(struct router_local *local, struct hm_envelope *env)
{
	struct hm_sender *to = ((struct onward *)local)->to;

	env->owner = NULL;
	if (to->post(to, env, false) == -1)
		router_settle(env, HM_NOT_SENT, strerror(errno),
		    router_id(local->router));
}

int
onward_open(
    struct onward *onward, struct hm_router *router, struct hm_sender *to)
{
	memset(onward, 0, sizeof *onward);
	rest_init(&onward->rest, go_on);
	onward->to = to;
	return router_add_rest(router, &onward->rest);
}

void
onward_close(struct onward *onward)
{
	if (onward->rest.here != NULL)
		router_remove_local(&onward->rest);
}
