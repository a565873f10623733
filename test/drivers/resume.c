/*
 * A TCP link that breaks again and again while messages go over it: all of
 * them arrive, in order, once, and none is unknown.
 */
#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include <hostmux/proc.h>

#include "attach.h"
#include "check.h"
#include "proc/proc_private.h"
#include "route/peer.h"

#define MANY 100000u
#define BREAKS 30u

static uint64_t got, returned;

static int
greet(void *arg, struct router_greeting *g, struct hm_error *err)
{
	(void)arg;
	(void)g;
	(void)err;
	return 0;
}

static int
count(struct hm_actor *self, struct hm_envelope *msg)
{
	uint64_t n;

	(void)self;
	memcpy(&n, hm_payload(msg), sizeof n);
	CHECK(n == got + 1);
	got++;
	return HM_TAKEN;
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	(void)self;
	(void)env;
	returned++;
}

/* Breaks a connection of the router, in the middle of whatever it carries. */
static void
cut(struct hm_router *router, unsigned which)
{
	struct peer *peer;

	for (peer = router->peers; peer != NULL; peer = peer->next) {
		if (peer->conn != NULL && which-- == 0)
			(void)shutdown(peer->conn->watch.fd, SHUT_RDWR);
	}
}

/* BREAKS of them, spread over what arrives. */
static unsigned
cut_in_time(struct hm_router *router, struct hm_router *other, unsigned cuts)
{
	if (cuts >= BREAKS || got * BREAKS / MANY < cuts)
		return 0;
	cut(router, cuts % 2);
	if (cuts % 3 == 0)
		cut(other, 0);
	return 1;
}

int
main(void)
{
	static const struct router_ops ops = {greet, NULL, NULL, NULL};
	struct hm_limits limits;
	struct hm_error err;
	struct hm_loop *loop = hm_loop_new(NULL, &err);
	struct hm_router *router;
	struct hm_addr where, at;
	struct hm_proc *a, *b;
	struct hm_actor *from;
	struct hm_id dest;
	struct hm_draft draft = {NULL, &dest, "n", 0, 0, NULL, NULL};
	struct hm_envelope *env = NULL;
	uint64_t n = 1;
	unsigned cuts = 0;

	CHECK(loop != NULL);
	hm_limits_init(&limits);
	router = router_new(loop, &limits, &ops, NULL, &err);
	CHECK(router != NULL);
	CHECK(hm_addr_parse(&where, "tcp", HM_ADDR_LISTEN, &err) == 0);
	CHECK(router_serve(router, &where, "", 0600, false, &at, &err) == 0);
	CHECK(router_own(router, at.text) == 0);
	a = attach(loop, at.text, "a");
	b = attach(loop, at.text, "b");
	from = hm_proc_spawn(a, "main", count, NULL, &err);
	CHECK(from != NULL);
	CHECK(hm_proc_spawn(b, "main", count, NULL, &err) != NULL);
	hm_actor_on_return(from, on_return);
	hm_id_set(&dest, at.text, "b", "main", 0, 0);
	while (n <= MANY) {
		if (env == NULL)
			env = hm_envelope_new(&draft, &n, sizeof n, NULL);
		CHECK(env != NULL);
		if (hm_post(from, env) == 0) {
			env = NULL;
			n++;
			continue;
		}
		CHECK(errno == EAGAIN);
		cuts += cut_in_time(router, a->router, cuts);
		CHECK(hm_loop_turn(loop, 5000) == 0);
	}
	while (hm_proc_unsettled(a) > 0) {
		cuts += cut_in_time(router, a->router, cuts);
		CHECK(hm_loop_turn(loop, 5000) == 0);
	}
	CHECK(got == MANY && returned == 0 && cuts == BREAKS);
	hm_proc_free(a);
	hm_proc_free(b);
	router_free(router);
	hm_loop_free(loop);
	return 0;
}
