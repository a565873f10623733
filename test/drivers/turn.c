/*
 * Large messages for one receiver begin in the order in which they asked for
 * their turn, whether they are passed on or posted here.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/proc.h>

#include "check.h"
#include "proc/host_proc.h"
#include "route/peer.h"
#include "route/router.h"

#define LARGEST 200000

static char came[8];
static size_t ncame;

static int
greet(void *arg, struct router_greeting *g, struct hm_error *err)
{
	(void)arg, (void)g, (void)err;
	return 0;
}

static void
gone(void *arg, const char *name, const char *why)
{
	router_unbind(*(struct hm_router **)arg, name, why);
}

static int
take(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)self;
	CHECK(hm_payload_len(msg) == LARGEST && ncame < sizeof came);
	came[ncame++] = *(const char *)hm_payload(msg);
	return HM_TAKEN;
}

static struct hm_proc *
client(struct hm_loop *loop, const char *host, const char *name,
    const struct hm_limits *limits)
{
	struct hm_attach how = {.host = host, .name = name, .limits = limits};
	struct hm_error err;
	struct hm_proc *proc = hm_proc_attach(loop, &how, &err);

	CHECK(proc != NULL);
	return proc;
}

/* A message of the letter c, from an actor of its own. */
static void
post(struct hm_proc *from, const struct hm_id *dest, char c)
{
	static char payload[LARGEST];
	struct hm_draft draft = {NULL, dest, "n", 0, 0, NULL, NULL};
	struct hm_error err;
	const char name[2] = {c, '\0'};
	struct hm_actor *actor = hm_proc_spawn(from, name, NULL, NULL, &err);
	struct hm_envelope *env;

	memset(payload, c, sizeof payload);
	env = hm_envelope_new(&draft, payload, sizeof payload, &err);
	CHECK(actor != NULL && env != NULL);
	CHECK(hm_post(actor, env) == 0);
}

static size_t
waiting(const struct peer *peer)
{
	const struct lane *lane = peer->link.lanes;
	size_t n = 0;

	for (; lane != NULL; lane = lane->next)
		n++;
	return n;
}

static void
in_order(struct hm_loop *loop, struct hm_router *router,
    struct hm_proc *const from[4], const struct hm_id *dest)
{
	const struct peer *to = peer_find(router, "r", 1);

	CHECK(to != NULL);
	post(from[0], dest, 'a');
	while (to->turns == NULL)
		CHECK(hm_loop_turn(loop, 5000) == 0);
	post(from[1], dest, 'b');
	while (waiting(to) < 1)
		CHECK(hm_loop_turn(loop, 5000) == 0);
	post(from[3], dest, 'c');
	post(from[2], dest, 'd');
	while (waiting(to) < 2)
		CHECK(hm_loop_turn(loop, 5000) == 0);
	CHECK(ncame == 0);
	while (ncame < 4)
		CHECK(hm_loop_turn(loop, 5000) == 0);
	CHECK(memcmp(came, "abcd", 4) == 0);
}

int
main(void)
{
	static const struct router_ops ops = {greet, NULL, gone, NULL};
	struct hm_limits limits;
	struct hm_error err;
	struct hm_loop *loop = hm_loop_new(NULL, &err);
	struct hm_router *router;
	struct hm_addr where, at;
	struct hm_proc *from[4], *to;
	struct hm_id dest;
	char path[64];

	CHECK(loop != NULL);
	hm_limits_init(&limits);
	limits.max_message = LARGEST;
	limits.link_window = 4096; /* so a message takes many turns */
	router = router_new(loop, &limits, &ops, &router, &err);
	(void)snprintf(
	    path, sizeof path, "unix:/tmp/hm-turn-%ld", (long)getpid());
	CHECK(router != NULL);
	CHECK(hm_addr_parse(&where, path, HM_ADDR_LISTEN, &err) == 0);
	CHECK(
	    router_serve(router, &where, "/tmp", 0600, false, &at, &err) == 0);
	CHECK(router_own(router, at.text) == 0);
	from[0] = client(loop, at.text, "first", &limits);
	from[1] = client(loop, at.text, "second", &limits);
	from[2] = client(loop, at.text, "third", &limits);
	from[3] = hm_proc_on_router(router, "service", &err);
	to = client(loop, at.text, "r", &limits);
	CHECK(from[3] != NULL);
	CHECK(hm_proc_spawn(to, "main", take, NULL, &err) != NULL);
	hm_id_set(&dest, at.text, "r", "main", 0, 0);
	in_order(loop, router, from, &dest);

	hm_proc_free(from[0]);
	hm_proc_free(from[1]);
	hm_proc_free(from[2]);
	hm_proc_free(from[3]);
	hm_proc_free(to);
	router_free(router);
	hm_loop_free(loop);
	return 0;
}
