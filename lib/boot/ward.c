/*
 * Wards.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "boot/ward.h"
#include "proc/agent.h"

/* Logs to a front that does not read are dropped beyond this. */
#define FRONT_LOG_MAX ((size_t)64 * 1024)

static void
put_error(struct hm_json_out *out, const struct hm_error *err)
{
	hm_json_put_string(out, "kind", hm_error_kind_name(err->kind));
	hm_json_put_i64(out, "code", err->code);
	hm_json_put_string(out, "text", err->text);
}

static void
open_line(struct hm_json_out *out, const char *what)
{
	hm_json_begin(out);
	hm_json_open(out, what, '{');
}

static void
say(struct supervisor *sup, struct hm_json_out *out)
{
	hm_json_close(out, '}');
	(void)talk_say(&sup->front, out);
}

void
front_say_fatal(struct supervisor *sup, const struct hm_error *err)
{
	struct hm_json_out out;

	open_line(&out, "fatal");
	put_error(&out, err);
	say(sup, &out);
}

void
front_say_log(void *arg, enum hm_level level, const char *text)
{
	struct supervisor *sup = arg;
	struct hm_json_out out;

	if (talk_waiting(&sup->front) > FRONT_LOG_MAX)
		return;
	open_line(&out, "log");
	hm_json_put_i64(&out, "level", (int64_t)level);
	hm_json_put_string(&out, "text", text);
	say(sup, &out);
}

static void
say_ready(struct ward *ward)
{
	const struct hm_status *status = hm_handle_status(ward->handle);
	struct hm_json_out out;
	char id[HM_ID_TEXT];

	if (ward->told)
		return;
	ward->told = true;
	open_line(&out, "ready");
	hm_json_put_u64(&out, "rank", ward->rank);
	hm_json_put_string(&out, "name", ward->id.proc);
	hm_json_put_string(&out, "proc", hm_id_print(&ward->id, id, sizeof id));
	hm_json_put_i64(&out, "pid", status->pid);
	hm_json_put_string(&out, "addr", status->addr);
	hm_json_put_string(&out, "agent", status->agent);
	say(ward->sup, &out);
}

static void
say_failed(struct ward *ward)
{
	const struct hm_error *why = &ward->why;
	struct hm_json_out out;

	if (ward->told)
		return;
	ward->told = true;
	if (ward->handle != NULL && hm_handle_failure(ward->handle) != NULL)
		why = hm_handle_failure(ward->handle);
	open_line(&out, "failed");
	hm_json_put_u64(&out, "rank", ward->rank);
	hm_json_put_string(&out, "name", ward->id.proc);
	put_error(&out, why);
	hm_json_open(&out, "tail", '[');
	if (ward->handle != NULL)
		hm_handle_put_tail(ward->handle, &out);
	hm_json_close(&out, ']');
	say(ward->sup, &out);
}

static void
ward_over(struct ward *ward)
{
	struct supervisor *sup = ward->sup;
	struct hm_json_out out;

	if (ward->over)
		return;
	ward->over = true;
	sup->left--;
	/* Also one that was bound, but was being ended by then: it was never
	 * ready. */
	if (!ward->told) {
		say_failed(ward);
		return;
	}
	open_line(&out, "ended");
	hm_json_put_u64(&out, "rank", ward->rank);
	hm_json_put_i64(
	    &out, "exit", hm_status_exit(hm_handle_status(ward->handle)));
	say(sup, &out);
}

static int on_answer(struct hm_actor *self, struct hm_envelope *msg);

/* Posts out; with a ward, its answer is awaited.  -1 when it cannot be. */
static int
post(struct supervisor *sup, struct hm_json_out *out, struct ward *ward)
{
	struct hm_id dest, reply;

	hm_id_set(&dest, sup->host_id, "service", "host_agent", 0, 0);
	if (ward != NULL) {
		ward->port = hm_port_open(sup->agent, on_answer, true);
		hm_port_id(sup->agent, ward->port, &reply);
	}
	if (hm_post_json(sup->agent, &dest, ward == NULL ? NULL : &reply, out,
		false) == 0)
		return 0;
	if (ward != NULL) {
		hm_port_close(sup->agent, ward->port);
		ward->port = 0;
	}
	return -1;
}

static void
open_request(struct hm_json_out *out, const char *op, const struct ward *ward)
{
	hm_json_begin(out);
	hm_json_put_string(out, "op", op);
	hm_json_put_string(out, "name", ward->id.proc);
}

static void
post_status(struct ward *ward)
{
	const struct hm_status *status = hm_handle_status(ward->handle);
	struct hm_json_out out;

	open_request(&out, "status", ward);
	hm_json_open(&out, "set", '{');
	hm_status_put(status, &out);
	hm_json_close(&out, '}');
	if (hm_state_terminal(status->state)) {
		hm_json_open(&out, "tail", '[');
		hm_handle_put_tail(ward->handle, &out);
		hm_json_close(&out, ']');
	}
	(void)post(ward->sup, &out, NULL);
}

/* The name is given up; the front hears of it when the host has answered. */
static void
post_unbind(struct ward *ward)
{
	struct hm_json_out out;

	open_request(&out, "unbind", ward);
	if (ward->sup->lost || post(ward->sup, &out, ward) == -1)
		ward_over(ward);
}

void
will_write(const struct supervisor *sup, const char *addr)
{
	char line[HM_ADDR_SIZE + 1];
	int n;

	if (strncmp(addr, "unix:/", 6) != 0)
		return;
	n = snprintf(line, sizeof line, "%s\n", addr + 5);
	/* Less than PIPE_BUF: whole, or (when the pipe is full) not at all. */
	(void)!write(sup->will, line, (size_t)n);
}

void
ward_bind(struct ward *ward, const char *addr, const char *agent)
{
	struct hm_json_out out;
	struct hm_error err;

	open_request(&out, "bind", ward);
	hm_json_put_string(&out, "token", ward->token);
	hm_json_put_string(&out, "addr", addr);
	hm_json_put_string(&out, "agent", agent);
	if (ward->sup->lost || post(ward->sup, &out, ward) == -1) {
		(void)hm_fail(&err, EHOSTUNREACH, "the host is lost");
		hm_handle_bound(ward->handle, &err);
	}
}

void
ward_cut(void *arg, struct hm_handle *handle, const char *why)
{
	const struct ward *ward = hm_handle_arg(handle);

	(void)arg;
	(void)hm_handle_terminate(
	    handle, ward->sup->job->limits->exit_timeout, why, NULL);
	/* Its agent does not hear what it is asked. */
	hm_handle_unheard(handle);
}

/* The host's answer to bind or unbind. */
static void
take_answer(struct ward *ward, const struct hm_json *json)
{
	struct hm_error err;

	ward->port = 0;
	if (ward->handle == NULL ||
	    hm_state_terminal(hm_handle_status(ward->handle)->state)) {
		ward_over(ward);
		return;
	}
	ward->bound = hm_json_bool(json, "ok", false);
	if (!ward->bound)
		(void)hm_fail(&err, EPERM, "%s",
		    hm_json_string(json, "error", "the host is lost"));
	hm_handle_bound(ward->handle, ward->bound ? NULL : &err);
}

static int
on_answer(struct hm_actor *self, struct hm_envelope *msg)
{
	struct supervisor *sup = hm_actor_arg(self);
	uint64_t port = hm_envelope_port(msg);
	struct hm_json *json;
	unsigned i;

	for (i = 0; i < sup->job->count; i++) {
		if (sup->wards[i].port != port)
			continue;
		json = hm_agent_json(msg);
		take_answer(&sup->wards[i], json);
		hm_json_free(json);
		break;
	}
	return HM_TAKEN;
}

static void
on_change(void *arg, struct hm_handle *handle, const struct hm_error *why)
{
	struct ward *ward = arg;
	enum hm_state state = hm_handle_status(handle)->state;
	struct hm_json_out out;

	if (why != NULL) { /* a kill has not ended it */
		hm_json_begin(&out);
		hm_json_put_bool(&out, "ok", false);
		hm_json_put_string(&out, "name", ward->id.proc);
		hm_json_put_string(&out, "error", why->text);
		(void)post(ward->sup, &out, NULL);
		return;
	}
	if (state == HM_READY) { /* the host has bound it */
		will_write(ward->sup, hm_handle_status(handle)->addr);
		say_ready(ward);
		return;
	}
	if (!hm_state_terminal(state)) {
		post_status(ward);
		return;
	}
	if (ward->bound) {
		post_status(ward);
		ward_over(ward);
	} else {
		post_unbind(ward);
	}
}

void
ward_lost(struct ward *ward)
{
	if (ward->port != 0)
		take_answer(ward, NULL);
}

void
ward_init(struct ward *ward, struct supervisor *sup, unsigned i)
{
	char name[HM_NAME_MAX + 16];

	ward->sup = sup;
	ward->rank = i;
	ward->waiter.fn = on_change;
	ward->waiter.arg = ward;
	ward->waiter.until = HM_UNTIL_CHANGE;
	if (sup->job->many)
		(void)snprintf(name, sizeof name, "%s%u", sup->job->name, i);
	else
		(void)snprintf(name, sizeof name, "%s", sup->job->name);
	hm_id_set(&ward->id, sup->host_id, name, "", 0, 0);
	ward->id.depth = HM_ID_PROC;
}

void
ward_begin(struct ward *ward, struct hm_handle *handle)
{
	char addr[HM_ADDR_SIZE];

	ward->handle = handle;
	if (payload_socket(ward->sup->dir, ward->token, addr) == 0)
		will_write(ward->sup, addr);
	if (handle == NULL) {
		post_unbind(ward);
		return;
	}
	hm_handle_await(handle, &ward->waiter);
	post_status(ward);
}
