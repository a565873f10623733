/*
 * Channels over each transport, and procs, hosts and channels as senders.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "check.h"

#define LARGE (1u << 20)

static struct hm_loop *loop;
static struct hm_error err;

/* What came and what came back. */
static struct {
	unsigned n, next;
	size_t bytes;
	int answer; /* of the one that takes */
	uint32_t uid;
	unsigned ttl;
	struct hm_envelope *kept[2000];
	unsigned nkept;
} got;
static struct {
	unsigned n;
	enum hm_outcome kind;
	char why[256];
	bool whole;
} back;
static unsigned closed;

static void
turn(void)
{
	CHECK(hm_loop_turn(loop, 1) == 0);
}

#define UNTIL(what)                              \
	do {                                     \
		unsigned turns_ = 0;             \
		while (!(what)) {                \
			CHECK(turns_++ < 20000); \
			turn();                  \
		}                                \
	} while (0)

static struct hm_id
id(const char *text)
{
	struct hm_id id;

	CHECK(hm_id_parse(&id, text, &err) == 0);
	return id;
}

static struct hm_envelope *
numbered(const char *to, unsigned n, size_t len)
{
	struct hm_id from = id("tcp:10.0.0.1:1,somebody,actor[0]");
	struct hm_id dest = id(to);
	struct hm_draft draft = {&from, &dest, NULL, 0, 0, NULL, NULL};
	unsigned char *bytes = calloc(1, len);
	struct hm_envelope *env;

	CHECK(bytes != NULL && len >= sizeof n);
	memcpy(bytes, &n, sizeof n);
	env = hm_envelope_new(&draft, bytes, len, &err);
	CHECK(env != NULL);
	free(bytes);
	return env;
}

static const char elsewhere[] = "unix:/nowhere,w,main[0][0]";

static int
take(void *arg, struct hm_envelope *env)
{
	unsigned n;

	CHECK(arg == &got);
	memcpy(&n, hm_payload(env), sizeof n);
	CHECK(n == got.next);
	got.next++;
	got.n++;
	got.bytes += hm_payload_len(env);
	got.uid = hm_envelope_uid(env);
	got.ttl = hm_envelope_ttl(env);
	if (got.answer == HM_LATER)
		got.kept[got.nkept++] = env;
	return got.answer;
}

static void
on_return(void *arg, struct hm_envelope *env)
{
	struct hm_slice why, at;

	(void)arg;
	CHECK(hm_envelope_errors(env) == 1 &&
	      hm_envelope_error_at(env, 0, &back.kind, &why, &at));
	(void)snprintf(back.why, sizeof back.why, "%.*s", (int)why.n, why.p);
	back.n++;
}

static void
on_closed(void *arg, const char *why)
{
	(void)arg;
	CHECK(why[0] != '\0');
	closed++;
}

static void
forget(void)
{
	memset(&got, 0, sizeof got);
	memset(&back, 0, sizeof back);
	closed = 0;
}

static void
post(struct hm_channel *channel, unsigned from, unsigned to, size_t len)
{
	struct hm_sender *sender = hm_channel_sender(channel);

	for (; from < to; from++)
		CHECK(hm_sender_post_unchecked(
			  sender, numbered(elsewhere, from, len)) == 0);
	hm_sender_flush(sender);
}

/* --- one channel over one transport */

static void
test_answers(struct hm_channel *channel)
{
	post(channel, 0, 1000, 100);
	UNTIL(hm_channel_unsettled(channel) == 0);
	CHECK(got.n == 1000 && got.bytes == 100000 && back.n == 0);
	CHECK(got.uid == (uint32_t)geteuid() || got.uid == HM_UID_UNKNOWN);
	post(channel, 1000, 1001, LARGE);
	UNTIL(got.n == 1001 && hm_channel_unsettled(channel) == 0);
	CHECK(got.bytes == 100000 + LARGE);

	got.answer = HM_NO;
	post(channel, 1001, 1002, 100);
	UNTIL(back.n == 1);
	CHECK(back.kind == HM_REFUSED && strcmp(back.why, "not taken") == 0);

	got.answer = HM_LATER;
	post(channel, 1002, 1004, 100);
	UNTIL(got.nkept == 2);
	CHECK(hm_channel_unsettled(channel) == 2);
	hm_settle(got.kept[0], HM_DELIVERED, NULL);
	hm_settle(got.kept[1], HM_REFUSED, "too late");
	UNTIL(back.n == 2 && hm_channel_unsettled(channel) == 0);
	CHECK(back.kind == HM_REFUSED && strcmp(back.why, "too late") == 0);
	forget();
}

/* A receiver that settles nothing: the sender has to wait, and goes on. */
static void
test_room(struct hm_channel *channel)
{
	struct hm_sender *sender = hm_channel_sender(channel);
	struct hm_envelope *env = numbered(elsewhere, 0, 8192);
	unsigned n = 0, still = 0, i;

	/* Full: no room, and nothing comes any more. */
	got.answer = HM_LATER;
	while (still < 100) {
		i = got.nkept;
		if (hm_sender_post(sender, env) == 0) {
			env = numbered(elsewhere, ++n, 8192);
			still = 0;
			continue;
		}
		CHECK(errno == EAGAIN && n < 1500);
		turn();
		still = got.nkept == i ? still + 1 : 0;
	}
	CHECK(n > 10);
	for (i = 0; i < got.nkept; i++)
		hm_settle(got.kept[i], HM_DELIVERED, NULL);
	got.nkept = 0;
	got.answer = HM_TAKEN;
	UNTIL(hm_sender_post(sender, env) == 0);
	UNTIL(hm_channel_unsettled(channel) == 0);
	CHECK(got.n == n + 1);
	forget();
}

static void
test_ends(
    struct hm_receiver *receiver, struct hm_channel *channel, const char *addr)
{
	const char *why;

	CHECK(hm_channel_state(channel, &why) == HM_CHANNEL_ACTIVE);
	CHECK(
	    hm_receiver_new(loop, addr, NULL, take, &got, NULL, &err) == NULL &&
	    err.code == EADDRINUSE);
	/* What has come is taken before the end. */
	post(channel, 0, 100, 100);
	turn();
	turn();
	hm_receiver_free(receiver);
	UNTIL(closed == 1 && hm_channel_unsettled(channel) == 0);
	CHECK(got.n + back.n == 100);
	CHECK(hm_channel_state(channel, &why) == HM_CHANNEL_CLOSED);
	CHECK(why[0] != '\0');
	back.n = 0;
	post(channel, 0, 1, 100);
	UNTIL(back.n == 1);
	CHECK(back.kind == HM_NOT_SENT);
	hm_channel_free(channel);
	CHECK(hm_channel_dial(loop, addr, NULL, 0, &err) == NULL);
	CHECK(err.kind == HM_ERR_CHANNEL && strstr(err.text, addr) != NULL);
	forget();
}

static void
test_transport(const char *any)
{
	struct hm_channel_events events = {on_return, NULL, on_closed, NULL};
	struct hm_receiver *receiver;
	struct hm_channel *channel, *other;
	struct hm_addr addr;

	receiver = hm_receiver_new(loop, any, NULL, take, &got, &addr, &err);
	CHECK(receiver != NULL && !addr.any);
	channel = hm_channel_dial(loop, addr.text, NULL, 0, &err);
	CHECK(channel != NULL);
	hm_channel_on(channel, &events);
	other = hm_channel_dial(loop, addr.text, NULL, UINT64_MAX, &err);
	CHECK(other != NULL);
	post(other, 0, 1, 4);
	UNTIL(got.n == 1);
	hm_channel_free(other);
	forget();
	test_answers(channel);
	test_room(channel);
	test_ends(receiver, channel, addr.text);
}

static void
test_local_numbers(void)
{
	struct hm_receiver *one, *two, *seven;
	struct hm_addr a, b;

	one = hm_receiver_new(loop, "local", NULL, take, &got, &a, &err);
	two = hm_receiver_new(loop, "local", NULL, take, &got, &b, &err);
	seven =
	    hm_receiver_new(loop, "inproc://7", NULL, take, &got, NULL, &err);
	CHECK(one != NULL && two != NULL && seven != NULL);
	CHECK(strcmp(a.text, "local:1") == 0 && strcmp(b.text, "local:2") == 0);
	hm_receiver_free(two);
	hm_receiver_free(seven);
	hm_receiver_free(one);
}

/* It posts to itself whatever it takes: its end comes all the same. */
static int
post_again(void *arg, struct hm_envelope *env)
{
	struct hm_channel *channel = *(struct hm_channel **)arg;

	(void)env;
	got.n++;
	CHECK(hm_sender_post_unchecked(
		  hm_channel_sender(channel), numbered(elsewhere, 0, 4)) == 0);
	return HM_TAKEN;
}

static void
test_round(void)
{
	struct hm_channel_events events = {on_return, NULL, NULL, NULL};
	struct hm_channel *channel;
	struct hm_receiver *receiver = hm_receiver_new(
	    loop, "local:5", NULL, post_again, &channel, NULL, &err);

	CHECK(receiver != NULL);
	channel = hm_channel_dial(loop, "local:5", NULL, UINT64_MAX, &err);
	CHECK(channel != NULL);
	hm_channel_on(channel, &events);
	post(channel, 0, 1, 4);
	UNTIL(got.n > 10);
	hm_receiver_free(receiver);
	UNTIL(back.n == 1 && hm_channel_unsettled(channel) == 0);
	hm_channel_free(channel);
	forget();
}

/* --- procs as senders */

static struct hm_proc *
configured(const char *text, struct hm_sender *forwarder)
{
	struct hm_id proc = id(text);
	struct hm_proc *made =
	    hm_proc_configured(loop, &proc, forwarder, NULL, &err);

	CHECK(made != NULL);
	return made;
}

static int
answer(struct hm_actor *self, struct hm_envelope *msg)
{
	got.ttl = hm_envelope_ttl(msg);
	got.uid = hm_envelope_uid(msg);
	got.n++;
	if (hm_payload_len(msg) == 2)
		return hm_refuse(self, "no");
	CHECK(hm_reply(self, msg, "pong", 4) == 0);
	return HM_TAKEN;
}

static void
came_back(struct hm_actor *self, struct hm_envelope *env)
{
	on_return(self, env);
	back.whole =
	    hm_payload_len(env) == 4 && memcmp(hm_payload(env), "ping", 4) == 0;
}

static struct hm_actor *
actor(struct hm_proc *proc)
{
	struct hm_actor *made = hm_proc_spawn(proc, "main", answer, NULL, &err);

	CHECK(made != NULL);
	hm_actor_on_return(made, came_back);
	return made;
}

static void
ping(struct hm_actor *from, const char *to, const char *text)
{
	struct hm_id dest = id(to);
	struct hm_draft draft = {NULL, &dest, NULL, 8, 0, NULL, NULL};
	struct hm_envelope *env =
	    hm_envelope_new(&draft, text, strlen(text), &err);

	CHECK(env != NULL && hm_post(from, env) == 0);
}

static void
test_unroutable(void)
{
	struct hm_proc *proc =
	    configured("local:1,alone", hm_sender_unroutable());

	ping(actor(proc), elsewhere, "ping");
	UNTIL(back.n == 1);
	CHECK(back.kind == HM_NOT_SENT && strcmp(back.why, "unroutable") == 0);
	CHECK(back.whole);
	hm_proc_free(proc);
	forget();
}

/* What a's forwarder is, before b is there. */
static struct hm_sender *later_to;

static int
later_post(struct hm_sender *self, struct hm_envelope *env, bool checked)
{
	(void)self;
	return later_to->post(later_to, env, checked);
}

static void
later_flush(struct hm_sender *self)
{
	(void)self;
	hm_sender_flush(later_to);
}

/* Two procs, each the other's forwarder: one of the caller's between. */
static void
test_two_procs(void)
{
	struct hm_sender later = {later_post, later_flush};
	struct hm_proc *a = configured("local:1,a", &later), *b;
	struct hm_actor *in_a = actor(a);
	struct hm_id dest = id("local:1,b,main[0][0]");
	struct hm_envelope *env;

	b = configured("local:1,b", hm_proc_sender(a));
	(void)actor(b);
	later_to = hm_proc_sender(b);
	CHECK(later_to != NULL && later_to == hm_proc_sender(b));

	env = hm_call(in_a, &dest, "ping", 4, 5000, &err);
	CHECK(env != NULL && hm_payload_len(env) == 4 &&
	      memcmp(hm_payload(env), "pong", 4) == 0);
	hm_envelope_free(env);
	CHECK(got.n == 1 && got.uid == (uint32_t)geteuid() && got.ttl == 63);

	ping(in_a, "local:1,b,main[0][0]", "no");
	UNTIL(back.n == 1);
	CHECK(back.kind == HM_REFUSED && strcmp(back.why, "no") == 0);
	ping(in_a, "local:1,nobody,main[0][0]", "ping");
	UNTIL(back.n == 2);
	CHECK(back.kind == HM_NOT_SENT && back.whole);
	CHECK(strcmp(back.why, "TTL expired") == 0);
	CHECK(hm_proc_unsettled(a) == 0 && hm_proc_unsettled(b) == 0);
	hm_proc_free(b);
	later_to = hm_sender_unroutable();
	hm_proc_free(a);
	forget();
}

/* A proc, a channel, a receiver, another proc, and back over another channel:
 * what is under way between them when one of them ends is settled. */
static int
into(void *arg, struct hm_envelope *env)
{
	struct hm_sender *sender = *(struct hm_sender **)arg;

	return hm_sender_post_unchecked(sender, env) == 0 ? HM_LATER : HM_NO;
}

static void
test_over_channels(const char *any)
{
	struct hm_sender *to_a, *to_b;
	struct hm_receiver *for_a, *for_b;
	struct hm_channel *at_a, *at_b;
	struct hm_proc *a, *b;
	struct hm_addr addr_a, addr_b;
	struct hm_actor *in_a, *in_b;
	struct hm_id dest = id("local:1,b,main[0][0]");
	struct hm_envelope *env;

	for_a = hm_receiver_new(loop, any, NULL, into, &to_a, &addr_a, &err);
	for_b = hm_receiver_new(loop, any, NULL, into, &to_b, &addr_b, &err);
	CHECK(for_a != NULL && for_b != NULL);
	at_b = hm_channel_dial(loop, addr_a.text, NULL, 0, &err);
	at_a = hm_channel_dial(loop, addr_b.text, NULL, 0, &err);
	CHECK(at_a != NULL && at_b != NULL);
	a = configured("local:1,a", hm_channel_sender(at_a));
	b = configured("local:1,b", hm_channel_sender(at_b));
	to_a = hm_proc_sender(a);
	to_b = hm_proc_sender(b);
	in_a = actor(a);
	in_b = actor(b);
	env = hm_call(in_a, &dest, "ping", 4, 5000, &err);
	CHECK(env != NULL && hm_payload_len(env) == 4);
	hm_envelope_free(env);
	ping(in_a, "local:1,b,main[0][0]", "no");
	UNTIL(back.n == 1);
	CHECK(back.kind == HM_REFUSED && strcmp(back.why, "no") == 0);

	hm_actor_pause(in_b, true);
	ping(in_a, "local:1,b,main[0][0]", "ping");
	turn();
	turn();
	turn();
	hm_proc_free(b);
	to_b = hm_sender_unroutable();
	UNTIL(back.n == 2);
	CHECK(back.whole && hm_proc_unsettled(a) == 0);
	hm_receiver_free(for_b);
	ping(in_a, "local:1,b,main[0][0]", "ping");
	UNTIL(back.n == 3);
	CHECK(back.kind == HM_NOT_SENT && back.whole);
	hm_proc_free(a);
	to_a = hm_sender_unroutable();
	hm_channel_free(at_a);
	hm_channel_free(at_b);
	hm_receiver_free(for_a);
	forget();
}

/* --- a host */

static void
test_host(const char *dir)
{
	struct hm_proc *rest =
	    configured("local:1,rest", hm_sender_unroutable());
	struct hm_proc *client;
	struct hm_attach how = {0};
	struct hm_limits limits;
	char addr[256], at[256];
	const char *listen[] = {at, NULL};
	struct hm_host_config config = {0};
	struct hm_host *host;
	struct hm_actor *asker;
	struct hm_sender *sender;
	struct hm_envelope *env;

	hm_limits_init(&limits);
	(void)snprintf(at, sizeof at, "unix:%s/h", dir);
	config.listen = listen;
	config.mode = 0600;
	config.timeout = 1000;
	config.max = 1;
	config.limits = &limits;
	config.otherwise = hm_proc_sender(rest);
	host = hm_host_new(loop, &config, &err);
	CHECK(host != NULL);
	how.host = at;
	how.name = "c";
	client = hm_proc_attach(loop, &how, &err);
	CHECK(client != NULL);
	asker = actor(client);
	/* The host does not know it, and "rest" is not it. */
	ping(asker, "local:9,c,main[0][0]", "ping");
	UNTIL(back.n == 1);
	CHECK(back.kind == HM_NOT_SENT);
	(void)snprintf(
	    addr, sizeof addr, "%s,unknown,main[0][0]", hm_host_id(host));
	ping(asker, addr, "ping");
	UNTIL(back.n == 2);
	CHECK(strcmp(back.why, "unroutable") == 0 && back.whole);

	/* Into the host, and on to the client; not on to another host. */
	sender = hm_host_sender(host);
	(void)snprintf(addr, sizeof addr, "%s,c,main[0][0]", hm_host_id(host));
	CHECK(hm_sender_post(sender, numbered(addr, 0, 4)) == 0);
	UNTIL(got.n == 1);
	/* A client sends as itself only, what others posted stays with it. */
	env = numbered(elsewhere, 0, 4);
	CHECK(hm_sender_post(hm_proc_sender(client), env) == 0);
	turn();
	turn();
	ping(asker, addr, "ping"); /* its link is still there */
	UNTIL(got.n == 2);
	hm_host_shutdown(host, 0, "test", NULL, NULL);
	hm_proc_free(client);
	UNTIL(access(at + 5, F_OK) == -1);
	hm_host_free(host);
	hm_proc_free(rest);
	forget();
}

int
main(void)
{
	char dir[] = "/tmp/hostmux-test-XXXXXX", run[64];

	(void)alarm(120);
	CHECK(mkdtemp(dir) != NULL && setenv("XDG_RUNTIME_DIR", dir, 1) == 0);
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
	test_transport("unix");
	test_transport("tcp:127.0.0.1:0");
	test_transport("local");
	test_local_numbers();
	test_round();
	test_unroutable();
	test_two_procs();
	test_over_channels("local");
	test_over_channels("unix");
	test_host(dir);
	hm_loop_free(loop);
	(void)snprintf(run, sizeof run, "%s/hostmux", dir);
	CHECK(rmdir(run) == 0 && rmdir(dir) == 0);
	return 0;
}
