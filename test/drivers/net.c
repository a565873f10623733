/*
 * Stand-alone procs and the links between them: who is not there yet, who never
 * is, what is too large, and who takes nothing.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "check.h"

#define LARGEST 100000u

static struct hm_loop *loop;
static struct hm_error err;
static char dir[] = "/tmp/hostmux-test-XXXXXX";
static struct {
	unsigned n, next;
	size_t bytes;
} got;
static struct {
	unsigned n;
	enum hm_outcome kind;
	char why[256];
} back;

#define UNTIL(what)                                         \
	do {                                                \
		unsigned turns_ = 0;                        \
		while (!(what)) {                           \
			CHECK(turns_++ < 2000);             \
			CHECK(hm_loop_turn(loop, 10) == 0); \
		}                                           \
	} while (0)

static int
count(struct hm_actor *self, struct hm_envelope *msg)
{
	unsigned n;

	(void)self;
	memcpy(&n, hm_payload(msg), sizeof n);
	CHECK(n == got.next++);
	got.n++;
	got.bytes += hm_payload_len(msg);
	return HM_TAKEN;
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	struct hm_slice why, at;

	(void)self;
	CHECK(hm_envelope_errors(env) == 1);
	CHECK(hm_envelope_error_at(env, 0, &back.kind, &why, &at));
	(void)snprintf(back.why, sizeof back.why, "%.*s", (int)why.n, why.p);
	back.n++;
}

static void
forget(void)
{
	memset(&got, 0, sizeof got);
	memset(&back, 0, sizeof back);
}

/* A proc that serves addr, with an actor "main" that counts. */
static struct hm_actor *
serve(const char *addr, const char *name, const struct hm_limits *limits)
{
	struct hm_proc *proc = hm_proc_direct(loop, addr, name, limits, &err);
	struct hm_actor *actor;

	if (proc == NULL)
		fprintf(stderr, "%s: %s\n", addr, err.text);
	CHECK(proc != NULL);
	actor = hm_proc_spawn(proc, "main", count, NULL, &err);
	CHECK(actor != NULL);
	hm_actor_on_return(actor, on_return);
	return actor;
}

static void
end(struct hm_actor *actor)
{
	hm_proc_free(hm_actor_proc(actor));
}

static struct hm_envelope *
numbered(const struct hm_id *dest, unsigned n, size_t len, unsigned flags)
{
	struct hm_draft draft = {NULL, dest, NULL, 0, flags, NULL, NULL};
	unsigned char *bytes = calloc(1, len);
	struct hm_envelope *env;

	CHECK(bytes != NULL && len >= sizeof n);
	memcpy(bytes, &n, sizeof n);
	env = hm_envelope_wrap(&draft, bytes, len, &err);
	CHECK(env != NULL);
	return env;
}

static void
post(struct hm_actor *from, const struct hm_id *dest, unsigned n, size_t len,
    unsigned flags)
{
	CHECK(hm_post(from, numbered(dest, n, len, flags)) == 0);
}

static const char *
path_of(char *text, const char *name)
{
	(void)snprintf(text, HM_ADDR_SIZE, "unix:%s/%s", dir, name);
	return text;
}

/* An address that nobody serves. */
static void
nobody(const char *any, char text[HM_ADDR_SIZE])
{
	struct hm_actor *actor = serve(any, "x", NULL);

	(void)snprintf(
	    text, HM_ADDR_SIZE, "%s", hm_proc_id(hm_actor_proc(actor))->addr);
	end(actor);
}

/* test_unix_basic_client_before_server: what is posted before the server is
 * there is delivered when it is, in order. */
static void
client_before_server(void)
{
	char mine[HM_ADDR_SIZE], theirs[HM_ADDR_SIZE];
	struct hm_actor *a, *b;
	struct hm_id dest;
	unsigned n;

	a = serve(path_of(mine, "a"), "a", NULL);
	hm_id_set(&dest, path_of(theirs, "b"), "b", "main", 0, 0);
	for (n = 0; n < 100; n++)
		post(a, &dest, n, 100, 0);
	for (n = 0; n < 5; n++)
		CHECK(hm_loop_turn(loop, 10) == 0);
	CHECK(hm_proc_unsettled(hm_actor_proc(a)) == 100 && back.n == 0);
	b = serve(theirs, "b", NULL);
	UNTIL(hm_proc_unsettled(hm_actor_proc(a)) == 0);
	CHECK(got.n == 100 && back.n == 0);
	end(a);
	end(b);
	forget();
}

/* A dial that fails brings back at once what is not to wait, with the reason;
 * what may wait comes back when nothing was taken for as long as messages are
 * given (test_tcp_unreachable_peer, test_ack_exceeded_limit_with_broken_link).
 */
static void
unreachable(const char *any)
{
	char mine[HM_ADDR_SIZE], theirs[HM_ADDR_SIZE];
	struct hm_limits limits;
	struct hm_actor *a;
	struct hm_id dest;
	uint64_t begun;

	hm_limits_init(&limits);
	limits.delivery_timeout = 400;
	nobody(any, theirs);
	a = serve(
	    strcmp(any, "tcp") == 0 ? "tcp" : path_of(mine, "a"), "a", &limits);
	hm_id_set(&dest, theirs, "b", "main", 0, 0);
	post(a, &dest, 0, 100, HM_ENV_NOW);
	UNTIL(back.n == 1);
	CHECK(
	    back.kind == HM_NOT_SENT && strncmp(back.why, "connect: ", 9) == 0);
	begun = hm_loop_now(loop);
	post(a, &dest, 0, 100, 0);
	post(a, &dest, 1, 100, 0);
	UNTIL(back.n == 3);
	CHECK(back.kind == HM_TIMED_OUT);
	CHECK(strstr(back.why, "took nothing for 400 ms: ") != NULL);
	CHECK(hm_loop_now(loop) - begun >= 400);
	CHECK(hm_proc_unsettled(hm_actor_proc(a)) == 0 && got.n == 0);
	end(a);
	forget();
}

/* test_tcp_message_size: the largest arrives, one byte more comes back, and the
 * link is as it was. */
static void
message_size(const char *any)
{
	char mine[HM_ADDR_SIZE], theirs[HM_ADDR_SIZE];
	bool tcp = strcmp(any, "tcp") == 0;
	struct hm_limits limits;
	struct hm_actor *a, *b;
	struct hm_id dest;

	hm_limits_init(&limits);
	limits.max_message = LARGEST;
	a = serve(tcp ? any : path_of(mine, "a"), "a", NULL);
	b = serve(tcp ? any : path_of(theirs, "b"), "b", &limits);
	hm_port_id(b, HM_PORT_DEFAULT, &dest);
	post(a, &dest, 0, LARGEST, 0);
	UNTIL(hm_proc_unsettled(hm_actor_proc(a)) == 0);
	CHECK(got.n == 1 && got.bytes == LARGEST);
	post(a, &dest, 7, LARGEST + 1, 0);
	UNTIL(back.n == 1);
	CHECK(back.kind == HM_REFUSED);
	CHECK(strstr(back.why, "100001") != NULL);
	post(a, &dest, 1, LARGEST, 0);
	UNTIL(hm_proc_unsettled(hm_actor_proc(a)) == 0);
	CHECK(got.n == 2 && back.n == 1);
	end(a);
	end(b);
	forget();
}

/* Posts until there is no room any more; how many it took. */
static unsigned
fill(struct hm_actor *from, const struct hm_id *dest)
{
	struct hm_envelope *env = numbered(dest, 0, 4096, 0);
	unsigned n = 0, still = 0;

	while (still < 20) {
		if (hm_post(from, env) == 0) {
			env = numbered(dest, ++n, 4096, 0);
			still = 0;
			continue;
		}
		CHECK(errno == EAGAIN && n < 1000);
		CHECK(hm_loop_turn(loop, 1) == 0);
		still++;
	}
	hm_envelope_free(env);
	return n;
}

/* test_tcp_tx_delivery_timeout, test_ack_exceeded_limit_with_connected_link:
 * who takes nothing for so long gets what it has, not what still waited for
 * it. */
static void
takes_nothing(const char *any)
{
	char mine[HM_ADDR_SIZE], theirs[HM_ADDR_SIZE];
	bool tcp = strcmp(any, "tcp") == 0;
	struct hm_limits limits;
	struct hm_actor *a, *b;
	struct hm_id dest;
	size_t held;
	unsigned n;

	hm_limits_init(&limits);
	limits.link_window = 65536;
	limits.delivery_timeout = 400;
	a = serve(tcp ? any : path_of(mine, "a"), "a", &limits);
	b = serve(tcp ? any : path_of(theirs, "b"), "b", &limits);
	hm_port_id(b, HM_PORT_DEFAULT, &dest);
	hm_actor_pause(b, true);
	n = fill(a, &dest);
	UNTIL(back.n > 0);
	CHECK(back.kind == HM_TIMED_OUT);
	held = hm_proc_unsettled(hm_actor_proc(a));
	CHECK(held > 0 && held + back.n == n);
	CHECK(got.n == 0);
	hm_actor_pause(b, false);
	UNTIL(hm_proc_unsettled(hm_actor_proc(a)) == 0);
	CHECK(got.n == held && held + back.n == n);
	/* It takes again. */
	got.next = 7;
	post(a, &dest, 7, 100, 0);
	UNTIL(got.n == held + 1);
	end(a);
	end(b);
	forget();
}

int
main(void)
{
	char run[64];

	(void)alarm(120);
	CHECK(mkdtemp(dir) != NULL && setenv("XDG_RUNTIME_DIR", dir, 1) == 0);
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
	client_before_server();
	unreachable("unix");
	unreachable("tcp");
	message_size("unix");
	message_size("tcp");
	takes_nothing("unix");
	takes_nothing("tcp");
	hm_loop_free(loop);
	(void)snprintf(run, sizeof run, "%s/hostmux", dir);
	(void)rmdir(run);
	CHECK(rmdir(dir) == 0);
	return 0;
}
