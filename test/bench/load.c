/*
 * load: the loads of a host, through the library: clients as anybody would
 * write them.  Their floor is in "bare", mode by mode.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "bench.h"

#define FANOUT 32

static const char payload[BENCH_SIZE] = {'x'};

static _Noreturn void
fail(const struct hm_error *err)
{
	(void)fprintf(stderr, "bench: %s\n", err->text);
	exit(1);
}

static struct hm_proc *
attach(struct hm_loop *loop, const char *addr, const char *name)
{
	char host[HM_ADDR_SIZE];
	struct hm_attach how;
	struct hm_proc *proc;
	struct hm_error err;

	(void)snprintf(host, sizeof host, "unix:%s", addr);
	memset(&how, 0, sizeof how);
	how.host = host;
	how.name = name;
	proc = hm_proc_attach(loop, &how, &err);
	if (proc == NULL)
		fail(&err);
	return proc;
}

static struct hm_actor *
actor(struct hm_proc *proc, hm_handler *handle, void *arg)
{
	struct hm_error err;
	struct hm_actor *self = hm_proc_spawn(proc, "main", handle, arg, &err);

	if (self == NULL)
		fail(&err);
	return self;
}

static struct hm_loop *
loop_new(void)
{
	struct hm_error err;
	struct hm_loop *loop = hm_loop_new(NULL, &err);

	if (loop == NULL)
		fail(&err);
	return loop;
}

static void
turn(struct hm_loop *loop, int timeout)
{
	if (hm_loop_turn(loop, timeout) == -1)
		bench_die("turn");
}

/* The main actor of that proc on the host of proc. */
static void
main_of(struct hm_id *id, const struct hm_proc *proc, const char *name)
{
	hm_id_set(id, hm_proc_host(proc), name, "main", 0, 0);
}

/* --- helpers */

static int
take_echo(struct hm_actor *self, struct hm_envelope *msg)
{
	return hm_reply(self, msg, hm_payload(msg), hm_payload_len(msg));
}

static void
echo(const char *addr, size_t unused, int fd)
{
	struct hm_proc *proc = attach(NULL, addr, BENCH_ECHO);

	(void)unused;
	(void)actor(proc, take_echo, NULL);
	bench_say(fd);
	_exit(hm_proc_run(proc));
}

/* Says so each time that n have come. */
struct counter {
	size_t got, n;
	int fd;
};

static int
take_count(struct hm_actor *self, struct hm_envelope *msg)
{
	struct counter *counter = hm_actor_arg(self);

	(void)msg;
	if (++counter->got == counter->n) {
		counter->got = 0;
		bench_say(counter->fd);
	}
	return HM_TAKEN;
}

static void
sink(const char *addr, size_t n, int fd)
{
	struct counter counter = {0, n, fd};
	struct hm_proc *proc = attach(NULL, addr, BENCH_SINK);

	(void)actor(proc, take_count, &counter);
	bench_say(fd);
	_exit(hm_proc_run(proc));
}

static char *
sink_name(size_t i)
{
	static char name[64];

	(void)snprintf(name, sizeof name, BENCH_SINK "-%zu", i);
	return name;
}

static void
sinks(const char *addr, size_t n, int fd)
{
	struct counter counter = {0, n, fd};
	struct hm_loop *loop = loop_new();
	size_t i;

	for (i = 0; i < FANOUT; i++)
		(void)actor(
		    attach(loop, addr, sink_name(i)), take_count, &counter);
	bench_say(fd);
	(void)hm_loop_run(loop);
}

static void
hold(const char *addr, size_t links, int fd)
{
	struct hm_loop *loop = loop_new();
	char name[64];
	size_t i;

	for (i = 0; i < links; i++) {
		(void)snprintf(name, sizeof name, "bench-idle-%zu", i);
		(void)attach(loop, addr, name);
	}
	bench_say(fd);
	(void)hm_loop_run(loop);
}

/* --- messages one way */

struct pump {
	struct hm_actor *from;
	struct hm_envelope **models; /* taken in turn */
	size_t n, at;
	const void *payload;
	size_t size, left;
	struct hm_envelope *env; /* waits for room */
};

/* Posts as much as there is room for. */
static void
pump(void *arg)
{
	struct pump *pump = arg;

	while (pump->left > 0) {
		if (pump->env == NULL)
			pump->env = hm_envelope_like(
			    pump->models[pump->at], pump->payload, pump->size);
		if (pump->env == NULL)
			bench_die("envelope");
		if (hm_post(pump->from, pump->env) == -1) {
			if (errno != EAGAIN)
				bench_die("post");
			return;
		}
		pump->env = NULL;
		pump->at = pump->at + 1 == pump->n ? 0 : pump->at + 1;
		if (--pump->left == 0)
			hm_proc_hurry(hm_actor_proc(pump->from));
	}
}

static struct hm_envelope *
model(const struct hm_actor *from, const char *to)
{
	struct hm_envelope *env;
	struct hm_draft draft;
	struct hm_error err;
	struct hm_id dest;

	main_of(&dest, hm_actor_proc(from), to);
	memset(&draft, 0, sizeof draft);
	draft.sender = hm_actor_id(from);
	draft.dest = &dest;
	env = hm_envelope_new(&draft, "", 0, &err);
	if (env == NULL)
		fail(&err);
	return env;
}

static void
heard(void *arg, int fd, short revents)
{
	(void)revents;
	bench_hear(fd);
	*(int *)arg = 1;
}

/* Watches for the helper to say that all has come. */
static void
listen_to(struct bench_helper *helper, struct hm_loop *loop,
    struct hm_watch *watch, int *done)
{
	memset(watch, 0, sizeof *watch);
	watch->fn = heard;
	watch->arg = done;
	*done = 0;
	if (hm_watch_start(loop, watch, helper->fd, POLLIN) == -1)
		bench_die("watch");
}

/* Runs the pump until all has come; the time it took. */
static uint64_t
run_pump(struct pump *pumped, struct hm_loop *loop, struct bench_helper *helper)
{
	struct hm_watch watch;
	int done;
	uint64_t begin = bench_now();

	listen_to(helper, loop, &watch, &done);
	hm_proc_on_progress(hm_actor_proc(pumped->from), pump, pumped);
	pump(pumped);
	while (!done)
		turn(loop, -1);
	hm_watch_stop(loop, &watch);
	return bench_now() - begin;
}

static void
oneway(char **operands)
{
	size_t n = bench_number(operands[2]);
	struct hm_proc *proc = NULL;
	struct bench_helper helper;
	struct hm_envelope *env;
	struct pump pumped;

	memset(&pumped, 0, sizeof pumped);
	bench_begin(&helper, sink, operands[0], n);
	proc = attach(NULL, operands[0], "bench-sender");
	pumped.from = actor(proc, take_echo, NULL);
	env = model(pumped.from, BENCH_SINK);
	pumped.models = &env;
	pumped.n = 1;
	pumped.size = bench_number(operands[1]);
	pumped.payload = bench_alloc(pumped.size + 1);
	pumped.left = n;
	bench_print_rate(n, run_pump(&pumped, hm_proc_loop(proc), &helper));
	bench_end(&helper);
}

static void
fanout(char **operands)
{
	size_t i, n = bench_number(operands[1]) / FANOUT * FANOUT;
	struct hm_envelope *models[FANOUT];
	struct bench_helper helper;
	struct pump pumped;
	struct hm_proc *proc;

	memset(&pumped, 0, sizeof pumped);
	bench_begin(&helper, sinks, operands[0], n);
	proc = attach(NULL, operands[0], "bench-sender");
	pumped.from = actor(proc, take_echo, NULL);
	for (i = 0; i < FANOUT; i++)
		models[i] = model(pumped.from, sink_name(i));
	pumped.models = models;
	pumped.n = FANOUT;
	pumped.payload = payload;
	pumped.size = sizeof payload;
	pumped.left = n;
	bench_print_rate(n, run_pump(&pumped, hm_proc_loop(proc), &helper));
	bench_end(&helper);
}

/* One message from each that has room for it. */
static size_t
post_round(struct hm_actor **from, struct hm_envelope **models, size_t senders,
    size_t max)
{
	struct hm_envelope *env;
	size_t i, sent = 0;

	for (i = 0; i < senders && sent < max; i++) {
		env = hm_envelope_like(models[i], payload, sizeof payload);
		if (env == NULL)
			bench_die("envelope");
		if (hm_post(from[i], env) == 0)
			sent++;
		else
			hm_envelope_free(env);
	}
	return sent;
}

static void
attach_senders(struct hm_loop *loop, const char *addr, struct hm_actor **from,
    struct hm_envelope **models, size_t n)
{
	char name[64];
	size_t i;

	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof name, "bench-sender-%zu", i);
		from[i] = actor(attach(loop, addr, name), take_echo, NULL);
		models[i] = model(from[i], BENCH_SINK);
	}
}

static void
fanin(char **operands)
{
	size_t senders = bench_number(operands[1]);
	size_t i, sent, left, n = bench_number(operands[2]);
	struct hm_actor **from = bench_alloc(senders * sizeof(void *));
	struct hm_envelope **models = bench_alloc(senders * sizeof(void *));
	struct hm_loop *loop = loop_new();
	struct bench_helper helper;
	struct hm_watch watch;
	uint64_t begin;
	int done;

	bench_begin(&helper, sink, operands[0], n);
	attach_senders(loop, operands[0], from, models, senders);
	listen_to(&helper, loop, &watch, &done);
	begin = bench_now();
	for (left = n; left > 0; left -= sent) {
		sent = post_round(from, models, senders, left);
		turn(loop, sent == 0 ? -1 : 0);
	}
	for (i = 0; i < senders; i++)
		hm_proc_hurry(hm_actor_proc(from[i]));
	while (!done)
		turn(loop, -1);
	bench_print_rate(n, bench_now() - begin);
	bench_end(&helper);
}

static void
flood(const char *addr, size_t unused, int fd)
{
	struct hm_proc *proc = attach(NULL, addr, "bench-flood");
	struct hm_envelope *env;
	struct pump pumped;

	(void)unused;
	memset(&pumped, 0, sizeof pumped);
	pumped.from = actor(proc, take_echo, NULL);
	env = model(pumped.from, BENCH_SINK);
	pumped.models = &env;
	pumped.n = 1;
	pumped.payload = payload;
	pumped.size = sizeof payload;
	pumped.left = SIZE_MAX;
	hm_proc_on_progress(proc, pump, &pumped);
	bench_say(fd);
	pump(&pumped);
	_exit(hm_proc_run(proc));
}

/* --- calls */

static void
call_once(struct hm_actor *from, const struct hm_id *dest)
{
	struct hm_error err;
	struct hm_envelope *answer =
	    hm_call(from, dest, payload, sizeof payload, 60000, &err);

	if (answer == NULL)
		fail(&err);
	hm_envelope_free(answer);
}

static void
ask(const char *addr, size_t calls, unsigned percent)
{
	struct hm_proc *proc = attach(NULL, addr, "bench-asker");
	struct hm_actor *from = actor(proc, take_echo, NULL);
	struct bench_times times;
	struct hm_id dest;
	uint64_t begin;

	main_of(&dest, proc, BENCH_ECHO);
	bench_times_init(&times, calls);
	while (calls-- > 0) {
		begin = bench_now();
		call_once(from, &dest);
		bench_times_add(&times, bench_now() - begin);
	}
	bench_times_print(&times, percent);
}

static void
connects(char **operands)
{
	size_t i, n = bench_number(operands[1]);
	struct hm_loop *loop = loop_new();
	struct bench_helper helper;
	struct bench_times times;
	struct hm_proc *proc;
	struct hm_id dest;
	char name[64];
	uint64_t begin;

	bench_begin(&helper, echo, operands[0], 0);
	bench_times_init(&times, n);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof name, "bench-new-%zu", i);
		begin = bench_now();
		proc = attach(loop, operands[0], name);
		main_of(&dest, proc, BENCH_ECHO);
		call_once(actor(proc, take_echo, NULL), &dest);
		bench_times_add(&times, bench_now() - begin);
		hm_proc_free(proc);
	}
	bench_times_print(&times, 50);
	bench_end(&helper);
}

/* --- two actors of one proc */

static int
take_local(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	++*(size_t *)hm_actor_arg(self);
	return HM_TAKEN;
}

static void
local(char **operands)
{
	size_t i, got = 0, n = bench_number(operands[0]), batch = 1000;
	struct hm_error err;
	struct hm_proc *proc = hm_proc_local(NULL, &err);
	struct hm_envelope *env, *head;
	struct hm_draft draft;
	struct hm_actor *from, *to;
	uint64_t begin;

	if (proc == NULL)
		fail(&err);
	from = actor(proc, take_echo, NULL);
	to = hm_proc_spawn(proc, "to", take_local, &got, &err);
	if (to == NULL)
		fail(&err);
	memset(&draft, 0, sizeof draft);
	draft.sender = hm_actor_id(from);
	draft.dest = hm_actor_id(to);
	head = hm_envelope_new(&draft, "", 0, &err);
	if (head == NULL)
		fail(&err);
	begin = bench_now();
	for (i = 0; i < n;) {
		env = hm_envelope_like(head, payload, sizeof payload);
		if (env == NULL || hm_post_unchecked(from, env) == -1)
			bench_die("post");
		if (++i % batch == 0 || i == n)
			while (got < i)
				turn(hm_proc_loop(proc), 1000);
	}
	bench_print_rate(n, bench_now() - begin);
}

/* --- control */

static int
take_ended(struct hm_actor *self, struct hm_envelope *msg)
{
	struct hm_error err;
	struct hm_json *json =
	    hm_json_parse(hm_payload(msg), hm_payload_len(msg), &err);

	if (json == NULL)
		fail(&err);
	if (hm_json_get(json, "attempted") != NULL)
		hm_proc_stop(hm_actor_proc(self), 0);
	hm_json_free(json);
	return HM_TAKEN;
}

/* Terminates all with MS of grace; what it took beyond that, in ms. */
static void
kill_late(char **operands)
{
	size_t grace = bench_number(operands[1]);
	struct hm_proc *proc = attach(NULL, operands[0], "bench-asker");
	struct hm_actor *from = actor(proc, take_ended, NULL);
	struct hm_id dest, reply;
	struct hm_envelope *env;
	struct hm_draft draft;
	struct hm_error err;
	char text[128];
	uint64_t begin;

	hm_id_set(&dest, hm_proc_host(proc), "service", "host_agent", 0, 0);
	hm_port_id(from, 0, &reply);
	memset(&draft, 0, sizeof draft);
	draft.dest = &dest;
	draft.type = "application/json";
	draft.reply_to = &reply;
	(void)snprintf(text, sizeof text,
	    "{\"op\":\"terminate\",\"all\":true,\"timeout\":%zu.%03zu,"
	    "\"max\":1000}",
	    grace / 1000, grace % 1000);
	env = hm_envelope_new(&draft, text, strlen(text), &err);
	if (env == NULL)
		fail(&err);
	begin = bench_now();
	if (hm_post(from, env) == -1 || hm_proc_run(proc) != 0)
		bench_die("terminate");
	(void)printf(
	    "%.2f\n", (double)(bench_now() - begin) / 1e6 - (double)grace);
}

int
main(int argc, char **argv)
{
	static const struct bench_mode modes[] = {
	    {"oneway", "PATH SIZE COUNT", 3, oneway},
	    {"fanin", "PATH SENDERS COUNT", 3, fanin},
	    {"fanout", "PATH COUNT", 2, fanout},
	    {"connect", "PATH COUNT", 2, connects},
	    {"local", "COUNT", 1, local},
	    {"kill", "PATH MS", 2, kill_late},
	    {NULL, NULL, 0, NULL},
	};

	static const struct bench_side side = {ask, echo, sink, flood, hold};

	return bench_main(&side, modes, argc, argv);
}
