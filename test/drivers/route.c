/*
 * A host's router and its clients in one process: order, settlement, returns,
 * large messages, calls, over Unix and TCP, on both loops.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/proc.h>

#include "attach.h"
#include "check.h"
#include "proc/agent.h"
#include "proc/host_proc.h"
#include "route/router.h"

#define MANY 100000

static unsigned clients;
static uint64_t got, returned, in_order = 1;
static char returned_why[HM_ERROR_TEXT];

static int
greet(void *arg, struct router_greeting *g, struct hm_error *err)
{
	(void)arg;
	(void)err;
	if (g->name[0] == '\0')
		(void)snprintf(g->name, sizeof g->name, "client-%u", ++clients);
	return 0;
}

static void
gone(void *arg, const char *name, const char *why)
{
	(void)why;
	router_unbind(*(struct hm_router **)arg, name, "gone");
}

static int
count(struct hm_actor *self, struct hm_envelope *msg)
{
	uint64_t n;

	(void)self;
	CHECK(hm_payload_len(msg) == sizeof n);
	memcpy(&n, hm_payload(msg), sizeof n);
	got++;
	if (n != got)
		in_order = 0;
	return HM_TAKEN;
}

static int
echo(struct hm_actor *self, struct hm_envelope *msg)
{
	return hm_reply(self, msg, hm_payload(msg), hm_payload_len(msg));
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	enum hm_outcome kind;
	struct hm_slice why, at;

	(void)self;
	returned++;
	CHECK(hm_envelope_error_at(env, 0, &kind, &why, &at));
	(void)snprintf(returned_why, sizeof returned_why, "%s: %.*s",
	    hm_outcome_name(kind), (int)why.n, why.p);
}

static void
flood(struct hm_loop *loop, struct hm_actor *from, const struct hm_id *dest)
{
	struct hm_draft draft = {NULL, dest, "n", 0, 0, NULL, NULL};
	struct hm_envelope *env = NULL;
	uint64_t n = 1;

	got = 0;
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
		CHECK(hm_loop_turn(loop, 1000) == 0);
	}
	hm_proc_hurry(hm_actor_proc(from));
	while (hm_proc_unsettled(hm_actor_proc(from)) > 0)
		CHECK(hm_loop_turn(loop, 5000) == 0);
	CHECK(got == MANY && in_order == 1);
}

static void
large(struct hm_actor *from, const struct hm_id *dest, size_t len)
{
	size_t i;
	unsigned char *p = malloc(len);
	struct hm_envelope *answer;
	struct hm_error err;

	CHECK(p != NULL);
	for (i = 0; i < len; i++)
		p[i] = (unsigned char)(i * 7 + i / 251);
	answer = hm_call(from, dest, p, len, 20000, &err);
	if (answer == NULL)
		fprintf(stderr, "%s\n", err.text);
	CHECK(answer != NULL && hm_payload_len(answer) == len);
	CHECK(memcmp(hm_payload(answer), p, len) == 0);
	hm_envelope_free(answer);
	free(p);
}

static void
come_back(struct hm_loop *loop, struct hm_actor *from, const char *host)
{
	struct hm_id dest;
	struct hm_draft draft = {NULL, &dest, "n", 0, HM_ENV_NOW, NULL, NULL};
	struct hm_envelope *env;
	char want[200];

	hm_id_set(&dest, host, "nobody", "main", 0, 0);
	env = hm_envelope_new(&draft, "x", 1, NULL);
	hm_actor_on_return(from, on_return);
	returned = 0;
	CHECK(hm_post(from, env) == 0);
	while (returned == 0)
		CHECK(hm_loop_turn(loop, 5000) == 0);
	(void)snprintf(
	    want, sizeof want, "not sent: no proc 'nobody' on %s", host);
	if (strcmp(returned_why, want) != 0)
		fprintf(stderr, "%s\n", returned_why);
	CHECK(strcmp(returned_why, want) == 0);
	CHECK(hm_proc_unsettled(hm_actor_proc(from)) == 0);
}

static void
free_all(struct hm_proc *direct, struct hm_proc *a, struct hm_proc *b,
    struct hm_proc *service)
{
	hm_proc_free(direct);
	hm_proc_free(a);
	hm_proc_free(b);
	hm_proc_free(service);
}

static void
run(const char *backend, const char *addr)
{
	static const struct router_ops ops = {greet, NULL, gone, NULL};
	struct hm_limits limits;
	struct hm_error err;
	struct hm_loop *loop = hm_loop_new(backend, &err);
	struct hm_router *router;
	struct hm_addr where, got_addr;
	struct hm_proc *service, *a, *b, *direct;
	struct hm_actor *from, *answering;
	struct hm_envelope *answer;
	struct hm_id dest;
	int i;

	CHECK(loop != NULL);
	hm_limits_init(&limits);
	router = router_new(loop, &limits, &ops, &router, &err);
	CHECK(router != NULL);
	CHECK(hm_addr_parse(&where, addr, HM_ADDR_LISTEN, &err) == 0);
	if (router_serve(
		router, &where, "/tmp", 0600, false, &got_addr, &err) == -1)
		fprintf(stderr, "%s\n", err.text);
	CHECK(router_own(router, got_addr.text) == 0);
	service = hm_proc_on_router(router, "service", &err);
	CHECK(service != NULL);
	CHECK(hm_proc_spawn(service, "echo", echo, NULL, &err) != NULL);
	a = attach(loop, got_addr.text, "a");
	b = attach(loop, got_addr.text, NULL);
	CHECK(strncmp(hm_proc_id(b)->proc, "client-", 7) == 0);
	from = hm_proc_spawn(a, "main", echo, NULL, &err);
	answering = hm_proc_spawn(b, "main", count, NULL, &err);
	CHECK(from != NULL && answering != NULL);
	CHECK(hm_proc_spawn(b, "echo", echo, NULL, &err) != NULL);
	CHECK(hm_agent_install(b, &err) == 0);

	hm_id_set(&dest, got_addr.text, hm_proc_id(b)->proc, "main", 0, 0);
	flood(loop, from, &dest);
	(void)snprintf(dest.actor, sizeof dest.actor, "echo");
	large(from, &dest, 3000000);
	for (i = 0; i < 2000; i++) {
		answer = hm_call(from, &dest, "ping", 4, 5000, &err);
		CHECK(answer != NULL && hm_payload_len(answer) == 4);
		hm_envelope_free(answer);
	}
	(void)snprintf(dest.proc, sizeof dest.proc, "service");
	large(from, &dest, 200000);
	come_back(loop, from, got_addr.text);

	/* A stand-alone proc: its own address, both ways. */
	direct = hm_proc_direct(loop, addr, "alone", NULL, &err);
	CHECK(direct != NULL);
	answering = hm_proc_spawn(direct, "main", echo, NULL, &err);
	answer = hm_call(answering, &dest, "hi", 2, 5000, &err);
	if (answer == NULL)
		fprintf(stderr, "%s\n", err.text);
	CHECK(answer != NULL);
	hm_envelope_free(answer);
	hm_id_set(&dest, hm_proc_id(direct)->addr, "alone", "main", 0, 0);
	answer = hm_call(from, &dest, "hi", 2, 5000, &err);
	/* What came by TCP is not passed on to third hosts. */
	if (strncmp(addr, "tcp", 3) == 0)
		CHECK(answer == NULL && strstr(err.text, "relay") != NULL);
	else
		CHECK(answer != NULL);
	hm_envelope_free(answer);

	free_all(direct, a, b, service);
	router_free(router);
	hm_loop_free(loop);
}

int
main(void)
{
	static const char *const backends[] = {"poll", NULL};
	char path[64];
	int i;

	for (i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof path, "unix:/tmp/hm-route-%ld-%d",
		    (long)getpid(), i);
		run(backends[i], "tcp");
		run(backends[i], "unix");
	}
	return 0;
}
