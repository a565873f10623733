/*
 * --exec: CMD runs once for each message, at most so many at a time.
 *
 * The payload is its stdin, what it prints the answer, and its end with 0 makes
 * the message delivered: so it is posted first and settled after.  A run is
 * over when its process has ended and its pipes were read dry; what it left
 * running lives on, as it would in a shell, until the proc ends.
 */
#include <errno.h>
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/status.h>
#include <hostmux/text.h>

#include "boot/environment.h"
#include "boot/inlet.h"
#include "boot/outlet.h"
#include "boot/runner.h"

/* Of its stderr, in the words of a refusal. */
#define TAIL_MAX 300
/* Read of a pipe after the end at most, lest who still holds it prints for
 * ever: as much as a pipe can hold. */
#define BLOCKS_MAX 32
#define VARIABLES (3 + HM_HEADERS_MAX)

#ifndef PIPE_BUF
#define PIPE_BUF 512
#endif

struct run {
	struct run *next;
	struct exec *exec;
	struct child child;
	struct hm_envelope *msg;
	struct outlet in;
	struct inlet out, err;
	size_t ntail;
	char tail[TAIL_MAX];
	bool ended, large;
	int status;
};

struct exec {
	struct runner *r;
	struct run *runs;
	unsigned n;
};

/* Of an outer run. */
static const char *const stale[] = {
    "MSG_SENDER=", "MSG_TYPE=", "MSG_REPLY_TO=", "MSG_HEADER_", NULL};

static void
put_id(struct environment *env, const char *name, const struct hm_id *id)
{
	char text[HM_ID_TEXT];

	(void)hm_id_print(id, text, sizeof text);
	environment_put(env, name, text, strlen(text));
}

static void
put_header(struct environment *env, struct hm_slice key, struct hm_slice value)
{
	char name[16 + 256] = "MSG_HEADER_";
	size_t i, n = strlen(name);

	for (i = 0; i < key.n; i++)
		name[n + i] = key.p[i] == '-'
				  ? '_'
				  : (char)toupper((unsigned char)key.p[i]);
	name[n + i] = '\0';
	environment_put(env, name, value.p, value.n);
}

/* Ours, and what is known of the message.  -1 ENOMEM; env is to be given back
 * in any case. */
static int
make_environment(struct environment *env, const struct hm_envelope *msg)
{
	struct hm_slice key, value = hm_envelope_type(msg);
	struct hm_id id;
	size_t i;

	if (environment_init(env, stale, VARIABLES) == -1)
		return -1;
	hm_envelope_sender(msg, &id);
	put_id(env, "MSG_SENDER", &id);
	environment_put(env, "MSG_TYPE", value.p, value.n);
	if (hm_envelope_reply_to(msg, &id))
		put_id(env, "MSG_REPLY_TO", &id);
	for (i = 0; hm_envelope_header_at(msg, i, &key, &value); i++) {
		if (key.n != 8 || memcmp(key.p, "reply-to", 8) != 0)
			put_header(env, key, value);
	}
	errno = ENOMEM;
	return env->failed ? -1 : 0;
}

static void
run_free(struct run *run)
{
	struct exec *exec = run->exec;
	struct run **p = &exec->runs;

	while (*p != run)
		p = &(*p)->next;
	*p = run->next;
	exec->n--;
	outlet_close(&run->in);
	inlet_fini(&run->out);
	inlet_fini(&run->err);
	free(run);
	hm_actor_pause(exec->r->main, false);
	if (exec->n == 0 && exec->r->stopping && !exec->r->ended)
		runner_ended(exec->r);
}

/* Its status and the end of its stderr, in one line. */
static void
refuse(struct run *run)
{
	struct hm_status how;
	char status[64], tail[TAIL_MAX + 1], why[HM_ERROR_TEXT];
	size_t i, n = run->ntail;

	memset(&how, 0, sizeof how);
	hm_status_from_wait(&how, run->status);
	(void)hm_status_print(&how, false, status, sizeof status);
	while (n > 0 && run->tail[n - 1] == '\n')
		n--;
	for (i = 0; i < n; i++) {
		if (run->tail[i] == '\n')
			run->tail[i] = ' ';
	}
	(void)hm_text_safe(run->tail, n, tail, sizeof tail);
	if (run->large)
		(void)snprintf(why, sizeof why,
		    "CMD's answer is larger than %" PRIu64 " bytes",
		    run->exec->r->limits.max_message);
	else if (run->status == 0)
		(void)snprintf(why, sizeof why, "no memory for CMD's answer");
	else
		(void)snprintf(why, sizeof why, "CMD ended: %s%s%s", status,
		    n > 0 ? ": " : "", tail);
	hm_settle(run->msg, HM_REFUSED, why);
}

/* Without a final newline. */
static size_t
answer_len(const struct run *run)
{
	size_t len = inlet_size(&run->out);

	return len > 0 && inlet_bytes(&run->out)[len - 1] == '\n' ? len - 1
								  : len;
}

/* As runner_say. */
static int
answer(struct run *run)
{
	struct runner *r = run->exec->r;
	size_t len = answer_len(run);
	struct hm_slice type = hm_envelope_type(run->msg);
	char name[HM_TYPE_MAX + 1];
	struct hm_id to;
	bool asked = hm_envelope_reply_to(run->msg, &to);

	if (!asked && r->to == NULL)
		return 0;
	(void)snprintf(name, sizeof name, "%.*s", (int)type.n, type.p);
	return runner_say(
	    r, asked ? &to : NULL, name, inlet_bytes(&run->out), len);
}

/* It has ended and all of its output is here. */
static void
run_finish(struct run *run)
{
	int said = 0;

	if (run->large || run->status != 0 || run->out.failed)
		said = 1;
	else if (!run->exec->r->broken)
		said = answer(run);
	if (said == -1)
		return; /* until progress */
	if (said == 1)
		refuse(run);
	else
		hm_settle(run->msg, HM_DELIVERED, NULL);
	run_free(run);
}

/* The end of what there is stays in run->tail. */
static void
keep_tail(struct run *run, const char *bytes, size_t len)
{
	size_t keep;

	if (len > TAIL_MAX) {
		bytes += len - TAIL_MAX;
		len = TAIL_MAX;
	}
	keep = run->ntail;
	if (keep > TAIL_MAX - len)
		keep = TAIL_MAX - len;
	memmove(run->tail, run->tail + run->ntail - keep, keep);
	memcpy(run->tail + keep, bytes, len);
	run->ntail = keep + len;
}

/* To our own stderr, as far as that goes without waiting. */
static void
pass_on(const char *bytes, size_t len)
{
	struct pollfd ready = {STDERR_FILENO, POLLOUT, 0};
	ssize_t n;

	while (len > 0 && poll(&ready, 1, 0) == 1) {
		n = write(STDERR_FILENO, bytes,
		    len < PIPE_BUF ? len : (size_t)PIPE_BUF);
		if (n <= 0)
			break;
		bytes += n;
		len -= (size_t)n;
	}
}

static int
read_err(struct run *run)
{
	struct inlet *in = &run->err;
	int got = inlet_read(in);

	keep_tail(run, inlet_bytes(in), inlet_size(in));
	pass_on(inlet_bytes(in), inlet_size(in));
	in->start = in->len;
	return got;
}

static int
read_out(struct run *run)
{
	int got = inlet_read(&run->out);

	if (answer_len(run) > run->exec->r->limits.max_message) {
		run->large = true;
		run->out.start = run->out.len;
		if (!run->ended)
			signal_group(run->child.pid, SIGKILL);
	}
	return got;
}

static void
on_err(void *arg)
{
	(void)read_err(arg);
}

static void
on_out(void *arg)
{
	(void)read_out(arg);
}

static void
on_written(void *arg)
{
	struct run *run = arg;

	outlet_close(&run->in); /* also when CMD does not read it all */
}

static void
on_ended(void *arg, int status)
{
	struct run *run = arg;
	int i;

	run->ended = true;
	run->status = status;
	outlet_close(&run->in);
	run->out.last = run->err.last = true;
	for (i = 0; i < BLOCKS_MAX && read_out(run) == 1; i++)
		continue;
	for (i = 0; i < BLOCKS_MAX && read_err(run) == 1; i++)
		continue;
	inlet_watch(&run->out, false);
	inlet_watch(&run->err, false);
	run_finish(run);
}

/* Its pipes; theirs go into spawn. */
static int
open_pipes(struct run *run, struct spawn *spawn)
{
	struct hm_loop *loop = run->exec->r->loop;

	if (outlet_open(&run->in, loop, &spawn->in, on_written, run) == -1 ||
	    inlet_open(&run->out, loop, &spawn->out, on_out, run) == -1 ||
	    inlet_open(&run->err, loop, &spawn->err, on_err, run) == -1)
		return -1;
	return 0;
}

static int
start_child(struct run *run, struct hm_error *err)
{
	struct runner *r = run->exec->r;
	struct environment env = {NULL, 0, 0, false};
	struct spawn spawn;
	int ignored, done = -1;

	memset(&spawn, 0, sizeof spawn);
	spawn.in = spawn.out = spawn.err = -1;
	spawn.argv = r->argv;
	run->child.ended = on_ended;
	run->child.arg = run;
	if (open_pipes(run, &spawn) == -1 ||
	    make_environment(&env, run->msg) == -1) {
		(void)hm_fail(
		    err, errno, "%s: %s", r->argv[0], strerror(errno));
	} else {
		spawn.env = env.list;
		done =
		    child_start(&run->child, &r->init, &spawn, &ignored, err);
	}
	environment_fini(&env);
	spawn_close(spawn.in);
	spawn_close(spawn.out);
	spawn_close(spawn.err);
	return done;
}

static int
exec_take(struct hm_actor *self, struct hm_envelope *msg)
{
	struct runner *r = hm_actor_arg(self);
	struct exec *exec = r->state;
	struct run *run = calloc(1, sizeof *run);
	struct iovec payload = {(void *)hm_payload(msg), hm_payload_len(msg)};
	struct hm_error err;

	if (run == NULL)
		return hm_refuse(self, "no memory");
	run->exec = exec;
	run->msg = msg;
	run->next = exec->runs;
	exec->runs = run;
	if (++exec->n >= r->max)
		hm_actor_pause(self, true);
	if (start_child(run, &err) == -1) {
		run_free(run);
		return hm_refuse(self, "%s", err.text);
	}
	if (outlet_write(&run->in, &payload, 1) != 0)
		outlet_close(&run->in);
	return HM_LATER;
}

static int
exec_start(struct runner *r, int *status, struct hm_error *err)
{
	struct exec *exec = calloc(1, sizeof *exec);

	if (exec == NULL)
		return hm_fail(err, ENOMEM, "no memory");
	exec->r = r;
	r->state = exec;
	return child_find(r->argv[0], status, err);
}

static void
exec_stop(struct runner *r)
{
	const struct exec *exec = r->state;

	if (exec->n == 0 && !r->ended)
		runner_ended(r);
}

static void
exec_progress(struct runner *r)
{
	struct exec *exec = r->state;
	struct run *run, *next;

	for (run = exec->runs; run != NULL; run = next) {
		next = run->next;
		if (run->ended)
			run_finish(run);
	}
}

static bool
exec_dry(const struct runner *r)
{
	return ((const struct exec *)r->state)->n == 0;
}

static void
exec_fini(struct runner *r)
{
	struct exec *exec = r->state;

	r->ended = true;
	while (exec->runs != NULL) {
		runner_refuse(r, exec->runs->msg);
		run_free(exec->runs);
	}
	free(exec);
}

const struct mode mode_exec = {false, exec_take, exec_start, exec_stop,
    exec_progress, exec_dry, exec_fini, NULL};
