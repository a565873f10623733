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

#include "boot/inlet.h"
#include "boot/outlet.h"
#include "boot/runner.h"

/* Of its stderr, in the words of a refusal. */
#define TAIL_MAX 300
/* Read of a pipe after the end at most, lest who still holds it prints for
 * ever: as much as a pipe can hold. */
#define BLOCKS_MAX 32
#define VARIABLES_MAX ((size_t)4096)
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

/* The environment of one run: ours, and what is known of the message. */
struct variables {
	char **list;
	size_t n, len;
	char text[VARIABLES_MAX];
};

static bool
is_stale(const char *variable)
{
	static const char *const own[] = {
	    "MSG_SENDER=", "MSG_TYPE=", "MSG_REPLY_TO=", "MSG_HEADER_"};
	size_t i;

	for (i = 0; i < sizeof own / sizeof *own; i++) {
		if (strncmp(variable, own[i], strlen(own[i])) == 0)
			return true;
	}
	return false;
}

/* What does not fit any more is left out. */
static void
put(struct variables *v, const char *name, struct hm_slice value)
{
	size_t room = sizeof v->text - v->len;
	int n = snprintf(
	    v->text + v->len, room, "%s=%.*s", name, (int)value.n, value.p);

	if (n < 0 || (size_t)n >= room)
		return;
	v->list[v->n++] = v->text + v->len;
	v->len += (size_t)n + 1;
}

static void
put_id(struct variables *v, const char *name, const struct hm_id *id)
{
	char text[HM_ID_TEXT];
	struct hm_slice value = {text, 0};

	value.n = strlen(hm_id_print(id, text, sizeof text));
	put(v, name, value);
}

static void
put_header(struct variables *v, struct hm_slice key, struct hm_slice value)
{
	char name[16 + 256] = "MSG_HEADER_";
	size_t i, n = strlen(name);

	for (i = 0; i < key.n; i++)
		name[n + i] = key.p[i] == '-'
				  ? '_'
				  : (char)toupper((unsigned char)key.p[i]);
	name[n + i] = '\0';
	put(v, name, value);
}

/* 0, or -1 ENOMEM; v->list is to be freed. */
static int
variables_init(struct variables *v, const struct hm_envelope *msg)
{
	extern char **environ;
	struct hm_slice key, value;
	struct hm_id id;
	size_t i, n = 0;

	while (environ[n] != NULL)
		n++;
	v->len = v->n = 0;
	v->list = malloc((n + VARIABLES + 1) * sizeof *v->list);
	if (v->list == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		if (!is_stale(environ[i]))
			v->list[v->n++] = environ[i];
	}
	hm_envelope_sender(msg, &id);
	put_id(v, "MSG_SENDER", &id);
	put(v, "MSG_TYPE", hm_envelope_type(msg));
	if (hm_envelope_reply_to(msg, &id))
		put_id(v, "MSG_REPLY_TO", &id);
	for (i = 0; hm_envelope_header_at(msg, i, &key, &value); i++) {
		if (key.n != 8 || memcmp(key.p, "reply-to", 8) != 0)
			put_header(v, key, value);
	}
	v->list[v->n] = NULL;
	return 0;
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

/* -1: it cannot be posted now. */
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
	if (run->large || run->status != 0) {
		refuse(run);
	} else if (run->exec->r->broken || answer(run) == 0) {
		hm_settle(run->msg, HM_DELIVERED, NULL);
	} else {
		return; /* until progress */
	}
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
	int in, out, err;

	if (child_pipe(&in, &spawn->in, true) == -1)
		return -1;
	outlet_open(&run->in, loop, in, on_written, run);
	if (child_pipe(&out, &spawn->out, false) == -1 ||
	    inlet_open(&run->out, loop, out, on_out, run) == -1 ||
	    child_pipe(&err, &spawn->err, false) == -1 ||
	    inlet_open(&run->err, loop, err, on_err, run) == -1)
		return -1;
	return 0;
}

static int
start_child(struct run *run, struct hm_error *err)
{
	struct runner *r = run->exec->r;
	struct variables variables;
	struct spawn spawn;
	int ignored, done = -1;

	memset(&spawn, 0, sizeof spawn);
	spawn.in = spawn.out = spawn.err = -1;
	spawn.argv = r->argv;
	variables.list = NULL;
	run->child.ended = on_ended;
	run->child.arg = run;
	if (open_pipes(run, &spawn) == -1 ||
	    variables_init(&variables, run->msg) == -1) {
		(void)hm_fail(
		    err, errno, "%s: %s", r->argv[0], strerror(errno));
	} else {
		spawn.env = variables.list;
		done =
		    child_start(&run->child, &r->init, &spawn, &ignored, err);
	}
	free(variables.list);
	if (spawn.in != -1)
		(void)close(spawn.in);
	if (spawn.out != -1)
		(void)close(spawn.out);
	if (spawn.err != -1)
		(void)close(spawn.err);
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
