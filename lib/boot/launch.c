/*
 * A process launched: what it is told (its environment and MODE), what it
 * prints into, and the fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/environment.h"
#include "boot/process.h"

/* Of an outer host, or meant for whoever started this process. */
static const char *const dropped[] = {BOOT_PROC_ID "=", BOOT_BACKEND "=",
    BOOT_CALLBACK "=", BOOT_MODE "=", BOOT_HOST "=", BOOT_RANK "=",
    BOOT_COUNT "=", BOOT_LOG "=", "HYPERACTOR_HOST_ID=", "HYPERACTOR_HOST_PID=",
    "NOTIFY_SOCKET=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", NULL};

#define OWN_MAX 5

static void
put(struct environment *env, const char *name, const char *value)
{
	environment_put(env, name, value, strlen(value));
}

static void
put_mode(struct environment *env, const struct process_manager *m,
    const struct hm_spawn *spawn)
{
	struct payload payload;
	char *mode;

	memset(&payload, 0, sizeof payload);
	(void)hm_id_print(spawn->id, payload.proc_id, sizeof payload.proc_id);
	(void)snprintf(payload.backend_addr, sizeof payload.backend_addr, "%s",
	    spawn->forwarder);
	(void)snprintf(payload.callback_addr, sizeof payload.callback_addr,
	    "%s", m->callbacks.addr.text);
	(void)snprintf(payload.token, sizeof payload.token, "%s", spawn->token);
	(void)snprintf(
	    payload.socket_dir, sizeof payload.socket_dir, "%s", m->dir);
	mode = payload_encode(&payload, spawn->config);
	if (mode == NULL) {
		env->failed = true;
		return;
	}
	put(env, BOOT_PROC_ID, payload.proc_id);
	put(env, BOOT_BACKEND, payload.backend_addr);
	put(env, BOOT_CALLBACK, payload.callback_addr);
	put(env, BOOT_MODE, mode);
	free(mode);
}

/* -1 ENOMEM; env is to be given back in any case. */
static int
make_environment(struct environment *env, const struct process_manager *m,
    const struct hm_spawn *spawn)
{
	size_t i, more = 0;

	while (spawn->env != NULL && spawn->env[more] != NULL)
		more++;
	if (environment_init(env, dropped, more + OWN_MAX) == -1)
		return -1;
	for (i = 0; i < more; i++)
		env->list[env->n++] = (char *)spawn->env[i];
	env->borrowed = env->n;
	put_mode(env, m, spawn);
	if (spawn->host != NULL)
		put(env, BOOT_HOST, spawn->host);
	errno = ENOMEM;
	return env->failed ? -1 : 0;
}

static void
on_line(void *arg, const struct output *output, const char *text, size_t len)
{
	struct process *p = arg;
	struct process_manager *m = (struct process_manager *)p->base.manager;
	struct hm_line line = {output->stream, output->n, text, len};

	m->config.line(m->config.arg, &p->base, &line);
}

static void
prepare(
    struct process *p, struct process_manager *m, const struct hm_spawn *spawn)
{
	p->out.loop = p->err.loop = m->base.loop;
	p->out.watch.fd = p->err.watch.fd = -1;
	p->out.stream = "stdout";
	p->err.stream = "stderr";
	p->out.line = p->err.line = m->config.line == NULL ? NULL : on_line;
	p->out.arg = p->err.arg = p;
	p->out.clock = p->err.clock = &p->clock;
	p->reported = -1;
	p->ready_timeout = spawn->ready_timeout;
	(void)snprintf(p->token, sizeof p->token, "%s", spawn->token);
}

/* A pipe whose reading end output has, and whose other end blocks. */
static int
open_pipe(struct output *output, int *writer)
{
	int reader;

	if (spawn_pipe(&reader, writer, false) == -1)
		return -1;
	return output_start(output, reader);
}

/* The pid; -1 and *what could not be done. */
static pid_t
launch(struct process *p, struct process_manager *m,
    const struct hm_spawn *spawn, const char **what)
{
	struct environment env;
	struct spawn child = {spawn->argv, NULL, spawn->dir, spawn->in, -1, -1,
	    &m->inherit, false, NULL};
	pid_t pid = -1;
	int null = -1;

	*what = "environment";
	if (make_environment(&env, m, spawn) == 0) {
		child.env = env.list;
		*what = "pipe";
		if (open_pipe(&p->out, &child.out) == 0 &&
		    open_pipe(&p->err, &child.err) == 0) {
			*what = "/dev/null";
			if (child.in == -1)
				child.in = null =
				    open("/dev/null", O_RDONLY | O_CLOEXEC);
			if (child.in != -1)
				pid = spawn_child(&child, what);
		}
	}
	spawn_close(null);
	spawn_close(child.out);
	spawn_close(child.err);
	environment_fini(&env);
	return pid;
}

/* What a process can't be started without. */
static const char *
lacks(const struct hm_spawn *spawn)
{
	if (spawn->argv == NULL || spawn->argv[0] == NULL)
		return "no command";
	if (spawn->forwarder == NULL)
		return "no forwarder";
	return spawn->token == NULL ? "no token" : NULL;
}

struct hm_handle *
process_spawn(struct hm_manager *manager, const struct hm_spawn *spawn,
    struct hm_error *err)
{
	struct process_manager *m = (struct process_manager *)manager;
	struct process *p = NULL;
	struct hm_status running;
	const char *what = lacks(spawn);
	char id[HM_ID_TEXT];

	errno = EINVAL;
	if (what == NULL) {
		what = "process";
		p = calloc(1, sizeof *p);
	}
	if (p != NULL) {
		prepare(p, m, spawn);
		p->pid = launch(p, m, spawn, &what);
	}
	if (p == NULL || p->pid == -1) {
		(void)hm_fail_kind(err, HM_ERR_SPAWN, errno,
		    "proc '%s' failed to spawn process: %.200s: %s",
		    hm_id_print(spawn->id, id, sizeof id), what,
		    strerror(errno));
		if (p != NULL) {
			output_fini(&p->out);
			output_fini(&p->err);
		}
		free(p);
		return NULL;
	}
	handle_enter(&p->base, &process_ops, manager, spawn);
	running = p->base.status;
	running.state = HM_RUNNING;
	running.pid = p->pid;
	running.started = sys_wall();
	(void)handle_change(&p->base, &running);
	process_timers(p);
	return &p->base;
}
