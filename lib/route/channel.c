/*
 * Channels.  A receiver is a router that lets everybody in and hands all that
 * comes to one function; a channel is one that sends all that is posted over
 * its one link.  Inside a loop there is no link: what the channel's router
 * cannot send is handed to the receiver, which the loop knows by its number.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "loop/loop_private.h"
#include "route/gate.h"

#define DIAL_MS 5000
#define LEAVE_MS 1000
/* Messages taken in one turn: others want their turn too. */
#define TAKE_TURN 64

struct hm_receiver {
	struct router_local rest; /* first */
	struct hm_loop *loop;
	struct hm_router *router;
	struct hm_receiver *next; /* of the loop's, if it is local */
	struct hm_channel *dialed;
	struct hm_addr addr;
	hm_take *take;
	void *arg;
	struct hm_envelope *first, **end; /* have come */
	struct hm_task task;
	unsigned peers; /* ever, for their names */
};

struct hm_channel {
	struct gate gate; /* first */
	struct router_local rest;
	struct hm_loop *loop;
	struct hm_router *router;
	struct hm_receiver *receiver; /* NULL: over a link, or it has gone */
	struct hm_channel *next;      /* of the receiver's */
	enum { DIALING, ACTIVE, FAILED, CLOSED } state;
	struct hm_error why;
};

static void
leave(struct hm_loop *loop, struct hm_router *router)
{
	router_close(router, LEAVE_MS);
	while (router_closing(router)) {
		if (hm_loop_turn(loop, LEAVE_MS) == -1)
			break;
	}
}

/* --- the receiving end */

static int
greet(void *arg, struct router_greeting *greeting, struct hm_error *err)
{
	struct hm_receiver *receiver = arg;

	if (greeting->kind != HM_HELLO_ATTACH)
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM,
		    "%s is a channel, no host", receiver->addr.text);
	(void)snprintf(greeting->name, sizeof greeting->name, "channel-%u",
	    ++receiver->peers);
	return 0;
}

static void
gone(void *arg, const char *name, const char *why)
{
	struct hm_receiver *receiver = arg;

	router_unbind(receiver->router, name, why);
}

static void
come(struct hm_receiver *receiver, struct hm_envelope *env)
{
	env->next = NULL;
	*receiver->end = env;
	receiver->end = &env->next;
	hm_task_start(receiver->loop, &receiver->task);
}

static void
received(struct router_local *local, struct hm_envelope *env)
{
	come((struct hm_receiver *)local, env);
}

static void
take_one(struct hm_receiver *receiver)
{
	struct hm_envelope *env = receiver->first;
	int taken;

	receiver->first = env->next;
	if (receiver->first == NULL)
		receiver->end = &receiver->first;
	env->next = NULL;
	env->owner = NULL;
	taken = receiver->take(receiver->arg, env);
	if (taken == HM_TAKEN)
		router_settle(env, HM_DELIVERED, "", "");
	else if (taken == HM_NO)
		router_settle(
		    env, HM_REFUSED, "not taken", receiver->addr.text);
}

static void
take_some(void *arg)
{
	struct hm_receiver *receiver = arg;
	int n;

	for (n = 0; n < TAKE_TURN && receiver->first != NULL; n++)
		take_one(receiver);
	if (receiver->first != NULL)
		hm_task_start(receiver->loop, &receiver->task);
}

static struct hm_receiver *
local_find(struct hm_loop *loop, const char *addr)
{
	struct hm_receiver *receiver = loop->receivers;

	while (receiver != NULL && strcmp(receiver->addr.text, addr) != 0)
		receiver = receiver->next;
	return receiver;
}

static int
local_serve(struct hm_receiver *receiver, const struct hm_addr *addr,
    struct hm_error *err)
{
	struct hm_loop *loop = receiver->loop;
	char text[32];
	uint64_t n = 0;

	receiver->addr = *addr;
	while (addr->any) {
		(void)snprintf(
		    text, sizeof text, "local:%llu", (unsigned long long)++n);
		if (local_find(loop, text) != NULL)
			continue;
		if (hm_addr_parse(&receiver->addr, text, 0, err) == -1)
			return -1;
		break;
	}
	if (local_find(loop, receiver->addr.text) != NULL)
		return hm_fail(err, EADDRINUSE, "%s: %s", receiver->addr.text,
		    strerror(EADDRINUSE));
	receiver->next = loop->receivers;
	loop->receivers = receiver;
	return 0;
}

static int
serve(struct hm_receiver *receiver, const struct hm_addr *addr,
    const struct hm_limits *limits, struct hm_error *err)
{
	static const struct router_ops ops = {greet, NULL, gone, NULL};
	char dir[HM_ADDR_SIZE] = "";

	if (addr->any && addr->transport == HM_TRANSPORT_UNIX &&
	    sys_socket_dir(dir, sizeof dir, true, err) == -1)
		return -1;
	receiver->router =
	    router_new(receiver->loop, limits, &ops, receiver, err);
	if (receiver->router == NULL)
		return -1;
	router_seal(receiver->router);
	router_any_sender(receiver->router);
	rest_init(&receiver->rest, received);
	if (router_serve(receiver->router, addr, dir, 0600, false,
		&receiver->addr, err) == -1)
		return -1;
	if (router_own(receiver->router, receiver->addr.text) == -1 ||
	    router_add_rest(receiver->router, &receiver->rest) == -1)
		return hm_fail(err, ENOMEM, "no memory");
	return 0;
}

struct hm_receiver *
hm_receiver_new(struct hm_loop *loop, const char *addr,
    const struct hm_limits *limits, hm_take *take, void *arg,
    struct hm_addr *got, struct hm_error *err)
{
	struct hm_receiver *receiver;
	struct hm_limits defaults;
	struct hm_addr where;
	int served;

	if (hm_addr_parse(
		&where, addr, HM_ADDR_LISTEN | HM_ADDR_RESOLVE, err) == -1)
		return NULL;
	receiver = calloc(1, sizeof *receiver);
	if (receiver == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	hm_limits_init(&defaults);
	receiver->loop = loop;
	receiver->take = take;
	receiver->arg = arg;
	receiver->end = &receiver->first;
	receiver->task.fn = take_some;
	receiver->task.arg = receiver;
	served = where.transport == HM_TRANSPORT_LOCAL
		     ? local_serve(receiver, &where, err)
		     : serve(receiver, &where,
			   limits == NULL ? &defaults : limits, err);
	if (served == -1) {
		if (receiver->rest.here != NULL)
			router_remove_local(&receiver->rest);
		router_free(receiver->router);
		free(receiver);
		return NULL;
	}
	if (got != NULL)
		*got = receiver->addr;
	return receiver;
}

static void close_channel(struct hm_channel *channel, const char *why);

void
hm_receiver_free(struct hm_receiver *receiver)
{
	struct hm_receiver **p;
	struct hm_channel *channel;

	if (receiver == NULL)
		return;
	if (receiver->router != NULL)
		router_unserve(receiver->router);
	p = (struct hm_receiver **)(void *)&receiver->loop->receivers;
	while (*p != NULL && *p != receiver)
		p = &(*p)->next;
	if (*p != NULL)
		*p = receiver->next;
	/* First: what is taken may be posted here again. */
	while ((channel = receiver->dialed) != NULL) {
		receiver->dialed = channel->next;
		channel->receiver = NULL;
		close_channel(channel, "its receiver has ended");
	}
	while (receiver->first != NULL)
		take_one(receiver);
	if (receiver->router != NULL)
		leave(receiver->loop, receiver->router);
	while (receiver->first != NULL)
		take_one(receiver);
	hm_task_stop(receiver->loop, &receiver->task);
	if (receiver->router != NULL) {
		router_remove_local(&receiver->rest);
		router_free(receiver->router);
	}
	free(receiver);
}

/* --- the sending end */

static void
close_channel(struct hm_channel *channel, const char *why)
{
	const struct hm_channel_events *events = &channel->gate.events;

	if (channel->state == CLOSED)
		return;
	channel->state = CLOSED;
	(void)hm_fail(&channel->why, ECONNRESET, "%s", why);
	if (events->closed != NULL)
		events->closed(events->arg, channel->why.text);
}

static void
lost(void *arg, const char *why)
{
	close_channel(arg, why);
}

static void
attached(
    void *arg, const char *name, const char *host, const struct hm_error *err)
{
	struct hm_channel *channel = arg;

	(void)name;
	(void)host;
	channel->state = err == NULL ? ACTIVE : FAILED;
	if (err == NULL)
		return;
	channel->why = *err;
	if (err->code == 0)
		(void)hm_fail(&channel->why, ECONNRESET,
		    "closed the connection without a greeting");
}

/* What is posted to a local one: its receiver has it. */
static void
hand_over(struct router_local *local, struct hm_envelope *env)
{
	struct hm_channel *channel =
	    (struct hm_channel *)(void *)((char *)local -
					  offsetof(struct hm_channel, rest));

	if (channel->receiver != NULL)
		come(channel->receiver, env);
	else
		router_settle(env, HM_NOT_SENT, channel->why.text, "");
}

static int
local_dial(struct hm_channel *channel, const struct hm_addr *addr)
{
	channel->receiver = local_find(channel->loop, addr->text);
	if (channel->receiver == NULL)
		return hm_fail(&channel->why, ECONNREFUSED,
		    "nobody serves it in this process");
	router_seal(channel->router);
	rest_init(&channel->rest, hand_over);
	if (router_add_rest(channel->router, &channel->rest) == -1)
		return hm_fail(&channel->why, ENOMEM, "no memory");
	channel->next = channel->receiver->dialed;
	channel->receiver->dialed = channel;
	channel->state = ACTIVE;
	return 0;
}

static int
dial(struct hm_channel *channel, const struct hm_addr *addr, uint64_t timeout)
{
	struct router_attach how = {addr, HM_HELLO_ATTACH, "", ""};
	uint64_t from = hm_loop_now(channel->loop), gone = 0;
	uint64_t most = timeout == 0 ? DIAL_MS : timeout;

	if (router_attach(
		channel->router, &how, attached, channel, &channel->why) == -1)
		return -1;
	for (; channel->state == DIALING && gone < most;
	     gone = hm_loop_now(channel->loop) - from) {
		if (hm_loop_turn(channel->loop, sys_poll_ms(most - gone)) == -1)
			return hm_fail(
			    &channel->why, errno, "loop: %s", strerror(errno));
	}
	if (channel->state == DIALING)
		return hm_fail(&channel->why, ETIMEDOUT, "it does not greet");
	return channel->state == FAILED ? -1 : 0;
}

struct hm_channel *
hm_channel_dial(struct hm_loop *loop, const char *addr,
    const struct hm_limits *limits, uint64_t timeout, struct hm_error *err)
{
	static const struct router_ops ops = {NULL, NULL, NULL, lost};
	struct hm_channel *channel;
	struct hm_limits defaults;
	struct hm_addr where;

	if (hm_addr_parse(&where, addr, HM_ADDR_RESOLVE, err) == -1)
		return NULL;
	channel = calloc(1, sizeof *channel);
	if (channel == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	hm_limits_init(&defaults);
	channel->loop = loop;
	channel->router = router_new(
	    loop, limits == NULL ? &defaults : limits, &ops, channel, err);
	if (channel->router == NULL) {
		free(channel);
		return NULL;
	}
	router_any_sender(channel->router);
	if (gate_open(&channel->gate, channel->router) == -1)
		(void)hm_fail(err, ENOMEM, "no memory");
	else if ((where.transport == HM_TRANSPORT_LOCAL
			 ? local_dial(channel, &where)
			 : dial(channel, &where, timeout)) == -1)
		(void)hm_fail_kind(err, HM_ERR_CHANNEL, channel->why.code,
		    "channel %s: %.300s", where.text, channel->why.text);
	else
		return channel;
	hm_channel_free(channel);
	return NULL;
}

void
hm_channel_free(struct hm_channel *channel)
{
	struct hm_channel **p;

	if (channel == NULL)
		return;
	channel->gate.events =
	    (struct hm_channel_events){NULL, NULL, NULL, NULL};
	if (channel->receiver != NULL) {
		p = &channel->receiver->dialed;
		while (*p != NULL && *p != channel)
			p = &(*p)->next;
		if (*p != NULL)
			*p = channel->next;
	}
	if (channel->state == ACTIVE)
		leave(channel->loop, channel->router);
	gate_close(&channel->gate);
	if (channel->rest.here != NULL)
		router_remove_local(&channel->rest);
	router_free(channel->router);
	free(channel);
}

struct hm_sender *
hm_channel_sender(struct hm_channel *channel)
{
	return &channel->gate.sender;
}

size_t
hm_channel_unsettled(const struct hm_channel *channel)
{
	return channel->gate.local.unsettled;
}

enum hm_channel_state
hm_channel_state(const struct hm_channel *channel, const char **why)
{
	bool closed = channel->state == CLOSED;

	if (why != NULL)
		*why = closed ? channel->why.text : "";
	return closed ? HM_CHANNEL_CLOSED : HM_CHANNEL_ACTIVE;
}

void
hm_channel_on(
    struct hm_channel *channel, const struct hm_channel_events *events)
{
	channel->gate.events = *events;
}
