/*
 * A host in this process, over a manager, for drivers; and what its procs do
 * that are this program again.
 */
#ifndef HOSTED_H
#define HOSTED_H

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "scripted.h"

static struct hm_loop *loop;
static struct hm_host *host;
static struct hm_error err;
static struct hm_limits limits;
static char dir[] = "/tmp/hostmux-test-XXXXXX";
static char *self;

/* --- a proc that is this program again */

static inline int
answer(struct hm_actor *actor, struct hm_envelope *msg)
{
	return hm_reply(actor, msg, hm_payload(msg), hm_payload_len(msg));
}

/* argv: how it is to behave. */
static inline int
behave(const char *how)
{
	struct hm_proc *proc;

	if (strcmp(how, "silent") == 0)
		(void)pause();
	if (strcmp(how, "ends") == 0)
		return 7;
	proc = hm_boot(&err);
	CHECK(proc != NULL);
	CHECK(hm_proc_spawn(proc, "main", answer, NULL, &err) != NULL);
	return hm_proc_run(proc);
}

static inline struct hm_spawn
again(char *argv[3], const char *how)
{
	struct hm_spawn spawn;

	memset(&spawn, 0, sizeof spawn);
	argv[0] = self;
	argv[1] = (char *)how;
	argv[2] = NULL;
	spawn.argv = argv;
	spawn.in = -1;
	return spawn;
}

/* --- this one */

static inline void
on_own_stop(void *arg, const char *reason)
{
	(void)reason;
	hm_proc_stop(arg, 5);
}

/* arg "own": what its agent is told is the proc's own matter. */
static inline int
begin_main(void *arg, struct hm_proc *proc, const struct hm_spawn *spawn,
    struct hm_error *why)
{
	(void)arg;
	if (spawn->arg != NULL && strcmp(spawn->arg, "own") == 0)
		hm_proc_on_stop(proc, on_own_stop, proc);
	return hm_proc_spawn(proc, "main", answer, NULL, why) == NULL ? -1 : 0;
}

static inline struct hm_manager *
local_manager(void)
{
	static const struct hm_local_config config = {begin_main, NULL, 5000};
	struct hm_manager *manager = hm_local_manager_new(loop, &config, &err);

	CHECK(manager != NULL);
	return manager;
}

static inline void
on_child(void *arg, int sig)
{
	(void)sig;
	hm_manager_reap(arg);
}

static inline struct hm_manager *
process_manager(void)
{
	struct hm_process_config config;
	struct hm_manager *manager;
	sigset_t set;

	memset(&config, 0, sizeof config);
	config.socket_dir = dir;
	config.subreaper = true;
	manager = hm_process_manager_new(loop, &config, &err);
	CHECK(manager != NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	CHECK(hm_loop_signals(loop, &set, on_child, manager) == 0);
	return manager;
}

static inline void
begin(void)
{
	(void)alarm(120);
	hm_limits_init(&limits);
	CHECK(mkdtemp(dir) != NULL);
	loop = hm_loop_new(NULL, &err);
	CHECK(loop != NULL);
}

static inline void
serve(struct hm_manager *one, struct hm_manager *other)
{
	struct hm_manager *const managers[] = {one, other, NULL};
	char addr[sizeof dir + 16];
	const char *const listen[] = {addr, NULL};
	struct hm_host_config config;

	(void)snprintf(addr, sizeof addr, "unix:%s/host", dir);
	memset(&config, 0, sizeof config);
	config.listen = listen;
	config.mode = 0600;
	config.timeout = 5000;
	config.limits = &limits;
	config.managers = managers;
	host = hm_host_new(loop, &config, &err);
	if (host == NULL)
		fprintf(stderr, "%s\n", err.text);
	CHECK(host != NULL && hm_host_manager(host) == one);
}

/* Nothing is left: no file either. */
static inline void
end(void)
{
	hm_host_free(host);
	host = NULL;
	hm_loop_free(loop);
	CHECK(rmdir(dir) == 0);
	(void)strcpy(dir, "/tmp/hostmux-test-XXXXXX");
}

static inline void
find_self(char *argv0)
{
	self = argv0;
}

static inline struct hm_handle *
spawned(
    struct hm_manager *manager, const char *name, const struct hm_spawn *how)
{
	struct hm_handle *handle =
	    hm_host_spawn(host, manager, name, how, &err);

	if (handle == NULL)
		fprintf(stderr, "%s: %s\n", name, err.text);
	CHECK(handle != NULL);
	return handle;
}

static inline struct hm_id
agent_of(const struct hm_handle *handle)
{
	struct hm_id id;

	CHECK(hm_id_parse(&id, hm_handle_status(handle)->agent, &err) == 0);
	return id;
}

static inline struct hm_actor *
instance(struct hm_proc *proc, const char *name)
{
	struct hm_actor *actor = hm_proc_instance(proc, name, &err);

	CHECK(actor != NULL);
	return actor;
}

static inline void
post_with_reply(struct hm_actor *from, const struct hm_id *dest,
    const char *text, const struct hm_id *reply)
{
	struct hm_draft draft = {NULL, dest, "text/plain", 0, 0, reply, NULL};
	struct hm_envelope *env =
	    hm_envelope_new(&draft, text, strlen(text), &err);

	CHECK(env != NULL && hm_post(from, env) == 0);
}

/* That text comes to that port. */
static inline void
receives(struct hm_actor *actor, uint64_t port, const char *text)
{
	struct hm_envelope *env = hm_port_recv(actor, port, 5000, &err);

	if (env == NULL)
		fprintf(stderr, "%s\n", err.text);
	CHECK(env != NULL && hm_payload_len(env) == strlen(text));
	CHECK(memcmp(hm_payload(env), text, strlen(text)) == 0);
	hm_settle(env, HM_DELIVERED, NULL);
}

/* dest answers text with that. */
static inline void
answers(struct hm_actor *actor, const struct hm_id *dest, const char *text,
    const char *wanted)
{
	struct hm_envelope *env =
	    hm_call(actor, dest, text, strlen(text), 5000, &err);

	if (env == NULL)
		fprintf(stderr, "%s\n", err.text);
	CHECK(env != NULL && hm_payload_len(env) == strlen(wanted));
	CHECK(memcmp(hm_payload(env), wanted, strlen(wanted)) == 0);
	hm_envelope_free(env);
}

static inline struct hm_json *
ask(const char *request)
{
	struct hm_actor *asker = instance(hm_host_system_proc(host), "asker");
	struct hm_json *json = hm_control(asker, request, 5000, &err);

	hm_actor_free(asker);
	if (json == NULL)
		fprintf(stderr, "%s: %s\n", request, err.text);
	CHECK(json != NULL);
	return json;
}

/* What the host says of that name, the ended included. */
static inline bool
is_shown(const char *name, const char *kind, const char *status)
{
	char request[128];
	struct hm_json *json;
	const struct hm_json *proc;
	bool shown;

	(void)snprintf(request, sizeof request,
	    "{\"op\":\"status\",\"name\":\"%s\"}", name);
	json = ask(request);
	proc = hm_json_get(json, "proc");
	shown = strcmp(hm_json_string(proc, "kind", ""), kind) == 0 &&
		strcmp(hm_json_string(proc, "status", ""), status) == 0;
	hm_json_free(json);
	return shown;
}

static inline struct hm_id
main_of(const char *name)
{
	struct hm_id id;

	hm_id_set(&id, hm_host_id(host), name, "main", 0, HM_PORT_DEFAULT);
	return id;
}

static inline void
ends_as(struct hm_handle *handle, const char *status)
{
	char text[512];

	CHECK(hm_handle_wait(handle, HM_UNTIL_END, 8000, &err) == 0);
	(void)hm_status_print(
	    hm_handle_status(handle), false, text, sizeof text);
	if (strcmp(text, status) != 0)
		fprintf(stderr, "%s\n", text);
	CHECK(strcmp(text, status) == 0);
}

#endif
