/*
 * A host with its supervisor, its procs and who asks, in one process: spawns,
 * statuses, rights of owners, waits, watches, reaps, and what is left when an
 * owner is lost.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "check.h"

static struct hm_loop *loop;
static struct hm_host *host;
static char address[HM_ADDR_SIZE];

/* The last answers that came to the asker's port, and how many. */
static struct hm_json *answers[64];
static size_t nanswers;
static bool obeys = true;
static unsigned asked;

static struct hm_proc *
attach(const char *name, const char *token, bool joined)
{
	struct hm_attach how;
	struct hm_error err;
	struct hm_proc *proc;

	memset(&how, 0, sizeof how);
	how.host = address;
	how.name = name;
	how.token = token;
	how.joined = joined;
	proc = hm_proc_attach(loop, &how, &err);
	if (proc == NULL)
		fprintf(stderr, "%s: %s\n", name, err.text);
	CHECK(proc != NULL);
	return proc;
}

static struct hm_json *
control(struct hm_actor *actor, const char *request)
{
	struct hm_error err;
	struct hm_json *json = hm_control(actor, request, 5000, &err);

	if (json == NULL)
		fprintf(stderr, "%s: %s\n", request, err.text);
	CHECK(json != NULL);
	return json;
}

static void
control_ok(struct hm_actor *actor, const char *request)
{
	hm_json_free(control(actor, request));
}

static void
control_fails(struct hm_actor *actor, const char *request, int kind)
{
	struct hm_error err;

	CHECK(hm_control(actor, request, 5000, &err) == NULL);
	CHECK((int)err.kind == kind);
}

static void
turns(unsigned ms)
{
	uint64_t end = hm_loop_now(loop) + ms;

	while (hm_loop_now(loop) < end)
		CHECK(hm_loop_turn(loop, 5) == 0);
}

static int
on_answer(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)self;
	CHECK(nanswers < sizeof answers / sizeof *answers);
	answers[nanswers] =
	    hm_json_parse(hm_payload(msg), hm_payload_len(msg), NULL);
	CHECK(answers[nanswers++] != NULL);
	return HM_TAKEN;
}

static void
forget_answers(void)
{
	while (nanswers > 0)
		hm_json_free(answers[--nanswers]);
}

/* Asks, with answers to come; waits until there are n. */
static void
ask(struct hm_actor *actor, const char *request, size_t n)
{
	struct hm_id dest, reply;
	struct hm_draft draft = {
	    NULL, &dest, NULL, 0, HM_ENV_LASTING, &reply, NULL};
	struct hm_envelope *env;
	uint64_t end = hm_loop_now(loop) + 5000;

	forget_answers();
	hm_id_set(&dest, hm_host_id(host), "service", "host_agent", 0, 0);
	hm_port_id(actor, hm_port_open(actor, on_answer, false), &reply);
	env = hm_envelope_new(&draft, request, strlen(request), NULL);
	CHECK(env != NULL && hm_post(actor, env) == 0);
	while (nanswers < n) {
		CHECK(hm_loop_now(loop) < end);
		CHECK(hm_loop_turn(loop, 100) == 0);
	}
}

static bool
has_summary(size_t i, uint64_t attempted, uint64_t ok, uint64_t failed)
{
	uint64_t a = 0, o = 0, f = 0;

	return i < nanswers && hm_json_u64(answers[i], "attempted", &a) == 0 &&
	       hm_json_u64(answers[i], "ok", &o) == -1 &&
	       hm_json_u64(answers[i], "succeeded", &o) == 0 &&
	       hm_json_u64(answers[i], "failed", &f) == 0 && a == attempted &&
	       o == ok && f == failed;
}

/* The supervisor: ends what it is told to at once, or not at all. */
static int
supervise(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_json *json =
	    hm_json_parse(hm_payload(msg), hm_payload_len(msg), NULL);
	const char *name = hm_json_string(json, "name", NULL);
	char text[512];
	struct hm_id dest;
	struct hm_draft draft = {NULL, &dest, NULL, 0, 0, NULL, NULL};
	struct hm_envelope *env;

	CHECK(name != NULL);
	asked++;
	if (obeys)
		(void)snprintf(text, sizeof text,
		    "{\"op\":\"status\",\"name\":\"%s\",\"set\":"
		    "{\"status\":\"Killed\",\"signal\":15},"
		    "\"tail\":[\"last words\"]}",
		    name);
	else
		(void)snprintf(text, sizeof text,
		    "{\"ok\":false,\"name\":\"%s\",\"error\":\"I/O error "
		    "during terminate/kill: no\"}",
		    name);
	hm_json_free(json);
	hm_id_set(&dest, hm_host_id(host), "service", "host_agent", 0, 0);
	env = hm_envelope_new(&draft, text, strlen(text), NULL);
	CHECK(env != NULL && hm_post(self, env) == 0);
	return HM_TAKEN;
}

static struct hm_proc *
spawn(struct hm_actor *owner, const char *name)
{
	char text[512];
	struct hm_json *json;
	struct hm_proc *proc;
	const char *token;

	(void)snprintf(
	    text, sizeof text, "{\"op\":\"reserve\",\"names\":[\"%s\"]}", name);
	json = control(owner, text);
	token = hm_json_get(json, "tokens")->child->string;
	proc = attach(name, token, false);
	(void)snprintf(text, sizeof text,
	    "{\"op\":\"bind\",\"name\":\"%s\",\"token\":\"%s\",\"addr\":"
	    "\"unix:/x\",\"agent\":\"%s,%s,agent[0]\"}",
	    name, token, hm_host_id(host), name);
	hm_json_free(json);
	control_ok(owner, text);
	return proc;
}

static void
test_rights(struct hm_actor *owner, struct hm_actor *other)
{
	control_ok(owner, "{\"op\":\"reserve\",\"names\":[\"r\"]}");
	control_fails(other, "{\"op\":\"reserve\",\"names\":[\"r0\",\"r\"]}",
	    HM_ERR_EXISTS);
	control_fails(other, "{\"op\":\"status\",\"name\":\"r0\"}",
	    HM_ERR_NOPROC); /* all or none */
	control_fails(
	    other, "{\"op\":\"unbind\",\"name\":\"r\"}", HM_ERR_DENIED);
	control_fails(other,
	    "{\"op\":\"status\",\"name\":\"r\",\"set\":{\"status\":"
	    "\"Ready\"}}",
	    HM_ERR_DENIED);
	control_fails(owner,
	    "{\"op\":\"bind\",\"name\":\"r\",\"token\":\"0\",\"addr\":"
	    "\"unix:/x\",\"agent\":\"unix:/x,r,agent\"}",
	    HM_ERR_DENIED);
	control_fails(owner, "{\"op\":\"reserve\",\"names\":[\"client-1\"]}",
	    HM_ERR_DENIED);
	control_fails(
	    owner, "{\"op\":\"reserve\",\"names\":[7]}", HM_ERR_INVALID);
	control_fails(owner, "{\"op\":\"dance\"}", HM_ERR_INVALID);
	control_ok(owner, "{\"op\":\"unbind\",\"name\":\"r\"}");
	control_fails(
	    other, "{\"op\":\"status\",\"name\":\"r\"}", HM_ERR_NOPROC);
}

static void
test_reap_all(struct hm_actor *owner, struct hm_actor *other)
{
	struct hm_proc *a = spawn(owner, "a"), *b = spawn(owner, "b");
	struct hm_json *json;
	const struct hm_json *proc;

	obeys = false;
	ask(other, "{\"op\":\"terminate\",\"names\":[\"a\",\"a\",\"x\"]}", 3);
	CHECK(has_summary(2, 2, 0, 2));
	obeys = true;
	asked = 0;
	ask(other, "{\"op\":\"terminate\",\"all\":true,\"max\":1}", 3);
	CHECK(has_summary(2, 2, 2, 0));
	CHECK(asked == 2);
	ask(other, "{\"op\":\"terminate\",\"all\":true}", 1);
	CHECK(has_summary(0, 0, 0, 0));
	json =
	    control(other, "{\"op\":\"status\",\"name\":\"a\",\"tail\":true}");
	proc = hm_json_get(json, "proc");
	CHECK(strcmp(hm_json_string(proc, "status", ""), "Killed") == 0);
	CHECK(hm_json_get(proc, "tail")->len == 1);
	CHECK(strcmp(hm_json_string(proc, "addr", ""), "unix:/x") == 0);
	hm_json_free(json);
	ask(other, "{\"op\":\"reap\",\"names\":[\"a\",\"b\"]}", 3);
	CHECK(has_summary(2, 2, 2, 0));
	hm_proc_free(a);
	hm_proc_free(b);
}

static void
test_wait_and_watch(struct hm_actor *owner, struct hm_actor *other)
{
	struct hm_proc *c = spawn(owner, "c");
	const struct hm_json *change;

	ask(other, "{\"op\":\"wait\",\"name\":\"c\"}", 0);
	turns(20);
	CHECK(nanswers == 0);
	ask(owner, "{\"op\":\"watch\",\"names\":[\"c\"]}", 1);
	CHECK(hm_json_get(answers[0], "procs")->len == 1);
	control_ok(owner, "{\"op\":\"status\",\"name\":\"c\",\"set\":"
			  "{\"status\":\"Stopping\",\"reason\":\"why\"}}");
	control_fails(owner,
	    "{\"op\":\"status\",\"name\":\"c\",\"set\":"
	    "{\"status\":\"Ready\"}}",
	    HM_ERR_INVALID);
	control_ok(owner, "{\"op\":\"status\",\"name\":\"c\",\"set\":"
			  "{\"status\":\"Stopped\",\"exit\":3}}");
	hm_proc_free(c);
	turns(50);
	CHECK(nanswers == 4); /* ready, stopping, the wait, stopped */
	change = hm_json_get(answers[1], "change");
	CHECK(strcmp(hm_json_string(change, "status", ""), "Stopping") == 0);
	change = hm_json_get(answers[2], "change");
	if (change == NULL)
		change = hm_json_get(answers[3], "change");
	CHECK(strcmp(hm_json_string(change, "status", ""), "Stopped") == 0);
	CHECK(strcmp(hm_json_string(change, "reason", ""), "why") == 0);
	forget_answers();
}

/* An owner that has no agent cannot be asked to end its procs; who wants it is
 * told. */
static void
test_deaf_owner(struct hm_actor *other)
{
	struct hm_proc *sup = attach("sup3", NULL, false), *g;
	struct hm_actor *odd = hm_proc_spawn(sup, "odd", supervise, NULL, NULL);
	const struct hm_json *left;

	g = spawn(odd, "g");
	ask(other, "{\"op\":\"terminate\",\"names\":[\"g\"],\"timeout\":5}", 2);
	CHECK(has_summary(1, 1, 0, 1));
	left = hm_json_get(answers[0], "not_ended");
	CHECK(strcmp(hm_json_string(left, "name", ""), "g") == 0);
	CHECK(strcmp(hm_json_string(left, "error", ""),
		  "lifecycle channel closed; cannot observe state") == 0);
	hm_proc_free(g);
	hm_proc_free(sup);
}

static void
test_lost_owner(struct hm_actor *other)
{
	struct hm_proc *sup = attach("sup2", NULL, false), *d;
	struct hm_actor *agent =
	    hm_proc_spawn(sup, "agent", supervise, NULL, NULL);
	struct hm_json *json;
	const char *status;

	d = spawn(agent, "d");
	control_ok(agent, "{\"op\":\"reserve\",\"names\":[\"e\"]}");
	hm_proc_free(sup);
	turns(20);
	json = control(other, "{\"op\":\"status\",\"name\":\"d\"}");
	status = hm_json_string(hm_json_get(json, "proc"), "status", "");
	CHECK(strcmp(status, "Failed") == 0);
	hm_json_free(json);
	control_fails(
	    other, "{\"op\":\"reserve\",\"names\":[\"d\"]}", HM_ERR_EXISTS);
	control_fails(
	    other, "{\"op\":\"status\",\"name\":\"e\"}", HM_ERR_NOPROC);
	turns(1100);
	control_ok(other, "{\"op\":\"reserve\",\"names\":[\"d\"]}");
	control_ok(other, "{\"op\":\"unbind\",\"name\":\"d\"}");
	hm_proc_free(d);
}

static int
note(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	hm_proc_stop(hm_actor_proc(self), 0);
	return HM_TAKEN;
}

static void
test_joined(struct hm_actor *other)
{
	struct hm_proc *j = attach("j", NULL, true), *k;

	CHECK(hm_proc_spawn(j, "agent", note, NULL, NULL) != NULL);
	ask(other, "{\"op\":\"terminate\",\"names\":[\"j\"],\"timeout\":5}", 0);
	turns(20);
	CHECK(nanswers == 0);
	hm_proc_free(j);
	turns(20);
	CHECK(has_summary(1, 1, 1, 0));
	k = attach("k", NULL, true); /* no agent */
	ask(other, "{\"op\":\"terminate\",\"names\":[\"k\"],\"timeout\":5}", 2);
	CHECK(has_summary(1, 1, 0, 1));
	hm_proc_free(k);
}

static void
on_done(void *arg, unsigned failed)
{
	*(int *)arg = (int)failed;
}

static void
test_shutdown(struct hm_actor *owner, struct hm_actor *other)
{
	struct hm_proc *f = spawn(owner, "f");
	int done = -1;

	ask(other, "{\"op\":\"wait\",\"name\":\"service\"}", 0);
	turns(10);
	hm_host_shutdown(host, HM_HOST_TIMEOUT, "test", on_done, &done);
	turns(400); /* f lives on: its link is given 200 ms */
	CHECK(access(address + 5, F_OK) == -1);
	hm_proc_free(f);
	hm_proc_free(hm_actor_proc(owner));
	hm_proc_free(hm_actor_proc(other));
	turns(50);
	CHECK(done == 0);
}

int
main(void)
{
	char dir[] = "/tmp/hostmux-test-XXXXXX";
	const char *listen[] = {address, NULL};
	struct hm_host_config config;
	struct hm_limits limits;
	struct hm_error err;
	struct hm_actor *owner, *other;

	CHECK(mkdtemp(dir) != NULL);
	(void)snprintf(address, sizeof address, "unix:%s/h", dir);
	hm_limits_init(&limits);
	memset(&config, 0, sizeof config);
	config.listen = listen;
	config.mode = 0600;
	config.timeout = 1000;
	config.max = 64;
	config.limits = &limits;
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
	host = hm_host_new(loop, &config, &err);
	CHECK(host != NULL);
	owner = hm_proc_spawn(
	    attach("sup", NULL, false), "agent", supervise, NULL, &err);
	other =
	    hm_proc_spawn(attach(NULL, NULL, false), "asker", note, NULL, &err);
	CHECK(owner != NULL && other != NULL);
	test_rights(owner, other);
	test_reap_all(owner, other);
	test_wait_and_watch(owner, other);
	test_deaf_owner(other);
	test_lost_owner(other);
	test_joined(other);
	test_shutdown(owner, other);
	forget_answers();
	hm_host_free(host);
	hm_loop_free(loop);
	CHECK(rmdir(dir) == 0);
	return 0;
}
