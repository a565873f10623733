/*
 * What outlives its receiver or channel: messages that were passed on are
 * settled after who passed them has gone, and channels are freed inside of what
 * they call.
 */
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "check.h"

static struct hm_loop *loop;
static struct hm_error err;
static struct hm_envelope *kept;
static struct hm_channel *mine;
static unsigned taken, calls;

#define UNTIL(what)                                    \
	do {                                           \
		unsigned turns_ = 0;                   \
		while (!(what)) {                      \
			CHECK(turns_++ < 20000);       \
			CHECK(!hm_loop_turn(loop, 1)); \
		}                                      \
	} while (0)

static int
pass(void *arg, struct hm_envelope *env)
{
	return hm_sender_post(arg, env) == 0 ? HM_LATER : HM_NO;
}

static int
keep(void *arg, struct hm_envelope *env)
{
	(void)arg;
	kept = env;
	return HM_LATER;
}

static int
refuse(void *arg, struct hm_envelope *env)
{
	(void)arg;
	(void)env;
	taken++;
	return HM_NO;
}

static struct hm_receiver *
receiver(const char *any, hm_take *take, void *arg, struct hm_addr *addr)
{
	struct hm_receiver *made =
	    hm_receiver_new(loop, any, NULL, take, arg, addr, &err);

	CHECK(made != NULL);
	return made;
}

static struct hm_channel *
dial(const struct hm_addr *addr)
{
	struct hm_channel *made =
	    hm_channel_dial(loop, addr->text, NULL, 0, &err);

	CHECK(made != NULL);
	return made;
}

static void
post(struct hm_channel *channel, size_t len)
{
	struct hm_id from, dest;
	struct hm_draft draft = {&from, &dest, NULL, 0, 0, NULL, NULL};
	struct hm_envelope *env;
	char *bytes = calloc(1, len);

	CHECK(bytes != NULL);
	CHECK(hm_id_parse(&from, "tcp:10.0.0.1:1,s,a[0]", &err) == 0);
	CHECK(hm_id_parse(&dest, "unix:/nowhere,w,main[0][0]", &err) == 0);
	env = hm_envelope_new(&draft, bytes, len, &err);
	CHECK(env != NULL);
	CHECK(hm_sender_post(hm_channel_sender(channel), env) == 0);
	hm_sender_flush(hm_channel_sender(channel));
	free(bytes);
}

/* The one that passes on goes first, the message is settled then. */
static void
test_passed_on(const char *any, size_t len)
{
	struct hm_receiver *first, *last;
	struct hm_channel *from, *on;
	struct hm_addr first_addr, last_addr;

	kept = NULL;
	last = receiver(any, keep, NULL, &last_addr);
	on = dial(&last_addr);
	first = receiver(any, pass, hm_channel_sender(on), &first_addr);
	from = dial(&first_addr);
	post(from, len);
	UNTIL(kept != NULL);
	hm_receiver_free(first);
	hm_settle(kept, HM_DELIVERED, NULL);
	UNTIL(hm_channel_unsettled(on) == 0);
	hm_channel_free(from);
	hm_channel_free(on);
	hm_receiver_free(last);
}

static void
free_mine(void)
{
	struct hm_channel *channel = mine;

	calls++;
	mine = NULL;
	hm_channel_free(channel);
}

static void
on_returned(void *arg, struct hm_envelope *env)
{
	(void)arg;
	CHECK(hm_envelope_errors(env) == 1);
	free_mine();
	CHECK(hm_envelope_errors(env) == 1);
}

static void
on_progress(void *arg)
{
	(void)arg;
	free_mine();
}

static void
on_closed(void *arg, const char *why)
{
	(void)arg;
	CHECK(why[0] != '\0');
	free_mine();
}

static void
test_free_inside(const char *any)
{
	static const struct hm_channel_events events[] = {
	    {on_returned, NULL, NULL, NULL}, {NULL, on_progress, NULL, NULL},
	    {NULL, NULL, on_closed, NULL}};
	struct hm_receiver *end;
	struct hm_addr addr;
	unsigned i;

	for (i = 0; i < 3; i++) {
		calls = taken = 0;
		end = receiver(any, refuse, NULL, &addr);
		mine = dial(&addr);
		hm_channel_on(mine, &events[i]);
		post(mine, 100);
		post(mine, 100);
		UNTIL(taken > 0 && (i == 2 || calls == 1));
		hm_receiver_free(end);
		UNTIL(calls == 1);
	}
}

int
main(void)
{
	static const char *const any[] = {"unix", "tcp:127.0.0.1:0", "local"};
	char dir[] = "/tmp/hostmux-test-XXXXXX", run[64];
	unsigned i;

	(void)alarm(120);
	CHECK(mkdtemp(dir) != NULL && setenv("XDG_RUNTIME_DIR", dir, 1) == 0);
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
	for (i = 0; i < 3; i++) {
		test_passed_on(any[i], 100);
		test_passed_on(any[i], 100000);
		test_free_inside(any[i]);
	}
	hm_loop_free(loop);
	(void)snprintf(run, sizeof run, "%s/hostmux", dir);
	(void)rmdir(run);
	CHECK(rmdir(dir) == 0);
	return 0;
}
