/*
 * Booting.
 *
 * The plain variables are for people and for scripts; MODE has the same and
 * the token.  They must agree: a wrapper that changed only one of them would
 * boot a proc under one name and have it called back under another.
 *
 * Until the callback is answered only the lifeline is served, not the loop:
 * nothing is delivered before its actor can be there.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/boot.h"
#include "proc/agent.h"
#include "proc/host_proc.h"
#include "proc/proc_private.h"

static int
missing(const char *name, struct hm_error *err)
{
	return hm_fail_kind(err, HM_ERR_MISSING, ENOENT,
	    "parameter '%s' missing: environment variable not found", name);
}

/* The plain variables, and where the payload has the same. */
static const struct variable {
	const char *name;
	size_t same;
} variables[] = {
    {BOOT_PROC_ID, offsetof(struct payload, proc_id)},
    {BOOT_BACKEND, offsetof(struct payload, backend_addr)},
    {BOOT_CALLBACK, offsetof(struct payload, callback_addr)},
};
#define VARIABLES (sizeof variables / sizeof *variables)

static int
find_variables(struct hm_error *err)
{
	size_t i;

	for (i = 0; i < VARIABLES; i++) {
		if (getenv(variables[i].name) == NULL)
			return missing(variables[i].name, err);
	}
	return getenv(BOOT_MODE) == NULL ? missing(BOOT_MODE, err) : 0;
}

/* What the payload has was checked; so what is the same is as good. */
static int
compare_variables(const struct payload *payload, struct hm_error *err)
{
	const char *text, *same;
	size_t i;

	for (i = 0; i < VARIABLES; i++) {
		text = getenv(variables[i].name);
		same = (const char *)payload + variables[i].same;
		if (strcmp(text, same) != 0)
			return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
			    "parameter '%s' invalid: '%.150s', but '%.150s' "
			    "in %s",
			    variables[i].name, text, same, BOOT_MODE);
	}
	return 0;
}

/* Also from /proc/PID/environ, which children may read. */
static void
take_away(const char *name)
{
	char *text = getenv(name);

	if (text != NULL)
		memset(text, 0, strlen(text));
	(void)unsetenv(name);
}

static int
read_variables(struct boot *boot, struct hm_error *err)
{
	hm_limits_init(&boot->limits);
	if (find_variables(err) == -1 ||
	    hm_limits_from_env(&boot->limits, err) == -1 ||
	    payload_decode(
		getenv(BOOT_MODE), &boot->payload, &boot->limits, err) == -1 ||
	    compare_variables(&boot->payload, err) == -1)
		return -1;
	take_away(BOOT_MODE);
	take_away(BOOT_CALLBACK);
	return 0;
}

static int
attach(struct boot *boot, struct hm_loop *loop, struct hm_error *err)
{
	struct hm_attach how;
	struct hm_id id;

	memset(&how, 0, sizeof how);
	(void)hm_id_parse(&id, boot->payload.proc_id, NULL); /* was checked */
	how.host = boot->payload.backend_addr;
	how.name = id.proc;
	how.token = boot->payload.token;
	how.limits = &boot->limits;
	boot->proc = hm_proc_attach(loop, &how, err);
	if (boot->proc == NULL)
		return -1;
	if (hm_id_compare(&id, hm_proc_id(boot->proc)) == 0)
		return 0;
	return hm_fail_kind(err, HM_ERR_INVALID, EINVAL,
	    "parameter '%s' invalid: not an id of the host behind %s",
	    BOOT_PROC_ID, BOOT_BACKEND);
}

/* Beside the backend's socket; or, where it has no directory, anywhere. */
static int
serve(struct boot *boot, struct hm_error *err)
{
	char where[HM_ADDR_SIZE] = "tcp";

	if (strncmp(boot->payload.backend_addr, "tcp:", 4) != 0 &&
	    payload_socket(
		boot->payload.socket_dir, boot->payload.token, where) == -1)
		(void)snprintf(where, sizeof where, "unix");
	return hm_proc_serve(boot->proc, where, &boot->addr, err);
}

int
boot_begin(struct boot *boot, struct hm_loop *loop, struct hm_error *err)
{
	struct hm_error why;

	memset(boot, 0, sizeof *boot);
	if (read_variables(boot, err) == -1 || attach(boot, loop, err) == -1 ||
	    hm_agent_install(boot->proc, err) == -1)
		goto fail;
	if (serve(boot, &why) == 0)
		return 0;
	(void)hm_fail_kind(
	    err, HM_ERR_CHANNEL, why.code, "serving: %.400s", why.text);
fail:
	hm_proc_free(boot->proc);
	boot->proc = NULL;
	return -1;
}

static void
open_line(const struct boot *boot, struct hm_json_out *out)
{
	hm_json_begin(out);
	hm_json_put_string(out, "token", boot->payload.token);
}

static int
call(struct boot *boot, struct hm_json_out *out, struct hm_error *err)
{
	return lifeline_call(&boot->line, hm_proc_loop(boot->proc),
	    boot->payload.callback_addr, out, err);
}

int
boot_ready(struct boot *boot, struct hm_error *err)
{
	struct hm_actor *agent = hm_proc_actor(boot->proc, "agent");
	struct hm_json_out out;
	char id[HM_ID_TEXT];

	open_line(boot, &out);
	hm_json_put_string(&out, "addr", boot->addr.text);
	hm_json_put_string(
	    &out, "agent", hm_id_print(hm_actor_id(agent), id, sizeof id));
	hm_json_put_u64(&out, "pid", (uint64_t)getpid());
	return call(boot, &out, err);
}

void
boot_fail(struct boot *boot, const struct hm_error *why, int status)
{
	struct hm_json_out out;

	open_line(boot, &out);
	hm_json_put_string(&out, "error", why->text);
	hm_json_put_i64(&out, "errno", why->code);
	hm_json_put_i64(&out, "exit", status);
	boot->line.broken = NULL;
	if (call(boot, &out, NULL) == 0)
		lifeline_flush(&boot->line);
}

void
boot_fini(struct boot *boot)
{
	lifeline_fini(&boot->line);
}

/* For programs that are a proc themselves: ready at once. */
struct alone {
	struct boot boot;
	char refused[HM_ERROR_TEXT];
};

static void
on_answered(void *arg, const char *error)
{
	struct alone *alone = arg;

	if (error != NULL)
		(void)snprintf(
		    alone->refused, sizeof alone->refused, "%s", error);
}

static void
on_broken(void *arg)
{
	struct alone *alone = arg;

	hm_log(hm_proc_loop(alone->boot.proc), HM_LOG_ERROR,
	    "the supervisor is gone");
	hm_proc_stop(alone->boot.proc, 1);
}

static void
on_closing(void *arg)
{
	struct alone *alone = arg;

	boot_fini(&alone->boot);
	free(alone);
}

static int
be_ready(struct alone *alone, struct hm_error *err)
{
	struct lifeline *line = &alone->boot.line;

	line->answered = on_answered;
	line->broken = on_broken;
	line->arg = alone;
	if (boot_ready(&alone->boot, err) == -1)
		return -1;
	lifeline_await(line);
	if (line->waiting)
		return hm_fail_kind(err, HM_ERR_CHANNEL, ECONNRESET,
		    "callback %s: closed without an answer", line->addr.text);
	if (alone->refused[0] != '\0')
		return hm_fail_kind(err, HM_ERR_DENIED, EPERM,
		    "callback %s: %.300s", line->addr.text, alone->refused);
	return 0;
}

struct hm_proc *
hm_boot(struct hm_error *err)
{
	struct alone *alone = calloc(1, sizeof *alone);
	struct hm_proc *proc;

	if (alone == NULL) {
		(void)hm_fail(err, ENOMEM, "no memory");
		return NULL;
	}
	if (boot_begin(&alone->boot, NULL, err) == -1) {
		free(alone);
		return NULL;
	}
	proc = alone->boot.proc;
	proc->closing = on_closing;
	proc->closing_arg = alone;
	if (be_ready(alone, err) == 0)
		return proc;
	hm_proc_free(proc);
	return NULL;
}
