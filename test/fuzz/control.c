/*
 * Control: each line of the input is a request to the host_agent of a host in
 * this process, by an owner of names and by a client that owns nothing, in
 * turns.
 *
 * Each is settled, and answered by an object that says whether it is ok, unless
 * it waits or has to say nothing; the host can be listed after each; and it
 * ends without having lost anything.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "fuzz.h"

#define REQUESTS 64
/* Turns without waiting in which everything happens that needs no time. */
#define TURNS 8

static struct hm_loop *loop;
static struct hm_host *host;
static unsigned answers, returned;

static int
on_answer(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_json *json =
	    hm_json_parse(hm_payload(msg), hm_payload_len(msg), NULL);
	const struct hm_json *ok = hm_json_get(json, "ok");

	(void)self;
	/* An agent's words are no object. */
	if (hm_payload_len(msg) > 0 && *(const char *)hm_payload(msg) == '{') {
		CHECK(ok != NULL && ok->type == HM_JSON_BOOL);
		CHECK(ok->boolean ||
		      hm_json_string(json, "error", NULL) != NULL ||
		      hm_json_string(json, "op", NULL) != NULL);
	}
	hm_json_free(json);
	answers++;
	return HM_TAKEN;
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	(void)self;
	(void)env;
	returned++;
}

static void
turns(void)
{
	int i;

	for (i = 0; i < TURNS; i++)
		CHECK(hm_loop_turn(loop, 0) == 0);
}

static void
ask(struct hm_actor *actor, const char *text, size_t len)
{
	struct hm_id dest, reply;
	struct hm_draft draft = {
	    NULL, &dest, "application/json", 0, HM_ENV_LASTING, &reply, NULL};
	struct hm_envelope *env;

	hm_id_set(&dest, hm_host_id(host), "service", "host_agent", 0, 0);
	hm_port_id(actor, 0, &reply);
	env = hm_envelope_new(&draft, text, len, NULL);
	CHECK(env != NULL && hm_post_unchecked(actor, env) == 0);
	turns();
}

/* Names are listed, and can be asked for one by one. */
static void
look(struct hm_actor *actor)
{
	static const char list[] = "{\"op\":\"list\",\"all\":true}";
	unsigned before = answers;

	ask(actor, list, sizeof list - 1);
	CHECK(answers > before);
}

static struct hm_actor *
client(struct hm_proc *proc, const char *name)
{
	struct hm_actor *actor =
	    hm_proc_spawn(proc, name, on_answer, NULL, NULL);

	CHECK(actor != NULL);
	hm_actor_on_return(actor, on_return);
	return actor;
}

static void
start(const char *address)
{
	const char *listen[] = {address, NULL};
	static struct hm_limits limits;
	struct hm_host_config config;
	struct hm_error err;

	hm_limits_init(&limits);
	memset(&config, 0, sizeof config);
	config.listen = listen;
	config.mode = 0600;
	config.timeout = 1000;
	config.max = 64;
	config.limits = &limits;
	loop = hm_loop_new("poll", &err);
	CHECK(loop != NULL);
	host = hm_host_new(loop, &config, &err);
	if (host == NULL)
		fprintf(stderr, "%s: %s\n", address, err.text);
	CHECK(host != NULL);
	answers = returned = 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char address[HM_ADDR_SIZE];
	struct hm_actor *owner, *local;
	const char *line = (const char *)data, *end = line + size, *newline;
	unsigned n = 0;

	(void)snprintf(
	    address, sizeof address, "unix:@hostmux-fuzz-%ld", (long)getpid());
	start(address);
	owner = client(hm_host_system_proc(host), "owner");
	local = client(hm_host_local_proc(host), "main");
	for (; line < end && n < REQUESTS; line = newline + 1, n++) {
		newline = memchr(line, '\n', (size_t)(end - line));
		if (newline == NULL)
			newline = end;
		ask(n % 4 == 3 ? local : owner, line, (size_t)(newline - line));
		/* A host that ends takes no questions any more. */
		if (hm_proc_actor(hm_host_system_proc(host), "owner") == NULL)
			break;
	}
	CHECK(hm_proc_unsettled(hm_host_system_proc(host)) == 0);
	look(owner);
	hm_host_free(host);
	hm_loop_free(loop);
	return 0;
}
