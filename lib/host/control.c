/*
 * Control: the messages to service,host_agent.  JSON in, JSON out; a table of
 * operations, each of which fills the answer, says why not, or answers later.
 *
 * Whoever may send here may look (list, status, ping, wait); everything else
 * is for the host's own uid and root, from this machine.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/hostmux.h>

#include "host/control.h"
#include "host/host_private.h"
#include "proc/agent.h"

/* A thousand names of the longest kind in one request, and then some. */
#define REQUEST_MAX ((size_t)256 * 1024)
/* What a request leaves behind here (a watch, a wait) is smaller. */
#define LASTING_MAX ((size_t)64 * 1024)

/* What procs printed is for those only who may do more than look. */
static bool
wants_tail(const struct request *req)
{
	return hm_agent_trusts(req->msg) &&
	       hm_json_bool(req->json, "tail", false);
}

int
request_names(struct request *req, const struct hm_json **names)
{
	const struct hm_json *name;

	*names = hm_json_get(req->json, "names");
	if (*names == NULL)
		return 0;
	name = (*names)->child;
	while (name != NULL && name->type == HM_JSON_STRING &&
	       hm_name_valid(name->string, name->len))
		name = name->next;
	if ((*names)->type == HM_JSON_ARRAY && name == NULL)
		return 0;
	return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
	    "\"names\": not an array of names");
}

/* "name": of whom, living. */
struct entry *
request_living(struct request *req)
{
	const char *name = hm_json_string(req->json, "name", "");
	struct entry *entry = registry_find(&req->host->names, name);

	if (entry == NULL)
		(void)hm_fail_kind(&req->err, HM_ERR_NOPROC, ENOENT,
		    "no proc '%.64s' on %s", name, hm_host_id(req->host));
	return entry;
}

struct entry *
request_owned(struct request *req)
{
	struct entry *entry = request_living(req);

	if (entry == NULL || (entry->owner == req->asker && req->asker != NULL))
		return entry;
	(void)hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
	    "proc '%s' is not yours", entry->name);
	return NULL;
}

/* Seconds, as a member, in milliseconds. */
static int
get_ms(struct request *req, const char *key, uint64_t fallback, uint64_t *ms)
{
	double s = hm_json_double(req->json, key, (double)fallback / 1000);

	/* A thousand years, and not a NaN. */
	if (!(s >= 0 && s < 3e10))
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "\"%s\": not a number of seconds", key);
	*ms = (uint64_t)(s * 1000);
	return 0;
}

static int
op_ping(struct request *req)
{
	(void)req;
	return CONTROL_ANSWER;
}

/* What every agent answers. */
static int
op_agent(struct request *req)
{
	(void)hm_agent_handle(req->host->agent, req->msg);
	return CONTROL_SILENT;
}

static int
op_info(struct request *req)
{
	const struct hm_host *host = req->host;

	hm_json_put_string(&req->out, "addr", hm_host_id(host));
	hm_json_put_string(&req->out, "frontend", host->frontend);
	hm_json_put_string(&req->out, "backend", host->backend);
	hm_json_put_u64(&req->out, "pid", (uint64_t)getpid());
	hm_json_put_string(&req->out, "version", HM_VERSION);
	hm_json_put_u64(&req->out, "uid", (uint64_t)geteuid());
	hm_json_put_string(&req->out, "socket_dir", host->dir);
	return CONTROL_ANSWER;
}

static int
op_list(struct request *req)
{
	entries_put(req->host, &req->out, NULL,
	    hm_json_bool(req->json, "all", false), wants_tail(req));
	return CONTROL_ANSWER;
}

static int
op_status(struct request *req)
{
	const struct hm_json *set = hm_json_get(req->json, "set");
	const char *name = hm_json_string(req->json, "name", "");
	const struct entry *entry;

	if (set != NULL)
		return op_set_status(req, set);
	entry = registry_last(&req->host->names, name);
	if (entry == NULL)
		return hm_fail_kind(&req->err, HM_ERR_NOPROC, ENOENT,
		    "no proc '%.64s' on %s", name, hm_host_id(req->host));
	entry_put(entry, &req->out, "proc", wants_tail(req));
	return CONTROL_ANSWER;
}

static int
op_watch(struct request *req)
{
	const struct hm_json *names;
	struct hm_json *json = req->json;

	if (request_names(req, &names) == -1)
		return -1;
	if (!req->replies || hm_payload_len(req->msg) > LASTING_MAX)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "a watch needs a reply-to, and not so many names");
	entries_put(req->host, &req->out, names,
	    hm_json_bool(json, "all", false),
	    hm_json_bool(json, "tail", false));
	if (watch_add(req->host, &req->reply_to, req->asker, json) == -1)
		return hm_fail(&req->err, ENOMEM, "too many watchers");
	req->json = NULL;
	return CONTROL_ANSWER;
}

/* A living proc is waited for; one that has ended is known. */
static int
op_wait(struct request *req)
{
	const char *name = hm_json_string(req->json, "name", "");
	struct entry *entry = registry_find(&req->host->names, name);

	if (entry == NULL)
		return op_status(req);
	if (hm_payload_len(req->msg) > LASTING_MAX)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EMSGSIZE,
		    "a wait of %zu bytes", hm_payload_len(req->msg));
	if (wait_add(entry, req->asker, req->msg) == -1)
		return hm_fail(&req->err, ENOMEM, "too many waits");
	return CONTROL_KEPT;
}

static int
refuse_all(struct hm_actor *self, struct hm_envelope *msg)
{
	(void)msg;
	return hm_refuse(self, "the root client takes no messages");
}

static int
op_local(struct request *req)
{
	struct hm_host *host = req->host;

	if (host->local_active)
		return CONTROL_ANSWER;
	if (hm_proc_actor(host->local, "agent") == NULL &&
	    hm_agent_install(host->local, &req->err) == -1)
		return -1;
	if (hm_proc_spawn(host->local, "client", refuse_all, NULL, &req->err) ==
	    NULL)
		return -1;
	host->local_active = true;
	return CONTROL_ANSWER;
}

static int
get_spec(struct request *req, enum reap_kind kind, struct reap_spec *spec)
{
	uint64_t max = 64;

	memset(spec, 0, sizeof *spec);
	spec->kind = kind;
	if (request_names(req, &spec->names) == -1 ||
	    get_ms(req, "timeout",
		kind == REAP_WAIT ? 0 : req->host->limits.exit_timeout,
		&spec->timeout) == -1 ||
	    get_ms(req, "deadline", 0, &spec->deadline) == -1)
		return -1;
	if (hm_json_get(req->json, "max") != NULL &&
	    (hm_json_u64(req->json, "max", &max) == -1 || max < 1 ||
		max > UINT32_MAX))
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "\"max\": not a number from 1 on");
	spec->max = (unsigned)max;
	spec->reason = hm_json_string(req->json, "reason", "asked to");
	spec->asker = req->asker;
	spec->to = req->replies ? &req->reply_to : NULL;
	return 0;
}

static int
reap_many(struct request *req, enum reap_kind kind)
{
	struct reap_spec spec;
	struct reap *reap;

	if (get_spec(req, kind, &spec) == -1)
		return -1;
	spec.all = hm_json_bool(req->json, "all", false);
	if (!spec.all && spec.names == NULL)
		return hm_fail_kind(
		    &req->err, HM_ERR_MISSING, EINVAL, "\"names\" missing");
	reap = reap_new(req->host, &spec);
	if (reap == NULL)
		return hm_fail(&req->err, ENOMEM, "no memory");
	reap_go(reap);
	return CONTROL_SILENT;
}

static int
op_terminate(struct request *req)
{
	return reap_many(req, REAP_TERMINATE);
}

static int
op_kill(struct request *req)
{
	return reap_many(req, REAP_KILL);
}

static int
op_reap(struct request *req)
{
	return reap_many(req, REAP_WAIT);
}

static int
op_shutdown(struct request *req)
{
	struct hm_host *host = req->host;
	struct reap_spec spec;

	if (get_spec(req, REAP_TERMINATE, &spec) == -1)
		return -1;
	if (hm_json_get(req->json, "timeout") != NULL)
		host->timeout = spec.timeout;
	if (hm_json_get(req->json, "max") != NULL)
		host->max = spec.max;
	if (host->closing || (req->replies && host->naskers == END_ASKERS))
		return hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
		    "host %s is ending", hm_host_id(host));
	if (req->replies)
		host->askers[host->naskers++] = req->reply_to;
	if (!host->ending)
		host_asked_to_end(host);
	return CONTROL_SILENT;
}

static const struct operation {
	const char *name;
	int (*fn)(struct request *req);
	bool open; /* to everybody */
} operations[] = {
    {"ping", op_ping, true},
    {"echo", op_agent, true},
    {"introspect", op_agent, true},
    {"info", op_info, false},
    {"list", op_list, true},
    {"status", op_status, true},
    {"wait", op_wait, true},
    {"watch", op_watch, false},
    {"reserve", op_reserve, false},
    {"bind", op_bind, false},
    {"unbind", op_unbind, false},
    {"local", op_local, false},
    {"terminate", op_terminate, false},
    {"kill", op_kill, false},
    {"reap", op_reap, false},
    {"shutdown", op_shutdown, false},
};

static int
operate(struct request *req, const char *name)
{
	const struct operation *op = operations;
	const struct operation *end =
	    operations + sizeof operations / sizeof *operations;

	while (op < end && strcmp(op->name, name) != 0)
		op++;
	if (op == end)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "no operation '%.32s'", name);
	if (!hm_agent_trusts(req->msg) &&
	    (!op->open || hm_json_get(req->json, "set") != NULL))
		return hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
		    hm_envelope_flags(req->msg) & HM_ENV_REMOTE
			? "'%s' may not be asked for from another machine"
			: "'%s' is for this host's own uid and root",
		    name);
	return op->fn(req);
}

/* An owner or agent cannot do what it was asked for. */
static void
take_failure(struct request *req)
{
	struct entry *entry = request_owned(req);
	const char *why = hm_json_string(req->json, "error", NULL);

	if (entry != NULL && why != NULL &&
	    !hm_json_bool(req->json, "ok", true) && hm_agent_trusts(req->msg))
		reap_failed(entry, why);
}

static int
answer(struct request *req, int done)
{
	struct hm_json_out *out = &req->out;

	if (done == -1) {
		hm_json_out_fini(out);
		hm_json_begin(out);
		hm_json_put_bool(out, "ok", false);
		hm_json_put_string(
		    out, "kind", hm_error_kind_name(req->err.kind));
		hm_json_put_string(out, "error", req->err.text);
	}
	return hm_post_json(req->host->agent, &req->reply_to, NULL, out, false);
}

static void
read_asker(struct request *req)
{
	struct hm_id sender;
	struct hm_slice addr;

	hm_envelope_sender(req->msg, &sender);
	addr.p = sender.addr;
	addr.n = strlen(sender.addr);
	if (router_owns(req->host->router, addr))
		req->asker = registry_find(&req->host->names, sender.proc);
	req->replies = hm_envelope_reply_to(req->msg, &req->reply_to);
}

/* Reads the request and does it: what the operation returned. */
static int
serve(struct request *req)
{
	const char *op;

	if (hm_payload_len(req->msg) > REQUEST_MAX)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EMSGSIZE,
		    "a request of %zu bytes", hm_payload_len(req->msg));
	req->json = hm_json_parse(
	    hm_payload(req->msg), hm_payload_len(req->msg), &req->err);
	if (req->json == NULL) {
		req->err.kind = HM_ERR_INVALID;
		return -1;
	}
	op = hm_json_string(req->json, "op", NULL);
	if (op == NULL && hm_json_get(req->json, "ok") != NULL) {
		take_failure(req);
		return CONTROL_SILENT;
	}
	if (op == NULL)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "no \"op\" in the request");
	answer_begin(&req->out);
	return operate(req, op);
}

int
control_handle(struct hm_actor *self, struct hm_envelope *msg)
{
	struct request req;
	int done;

	/* Plain words are for the agent in every proc, as this one is. */
	if (hm_payload_len(msg) == 0 || *(const char *)hm_payload(msg) != '{')
		return hm_agent_handle(self, msg);
	memset(&req, 0, sizeof req);
	req.host = hm_actor_arg(self);
	req.msg = msg;
	hm_json_out_init(&req.out);
	read_asker(&req);
	done = serve(&req);
	if (done <= CONTROL_ANSWER && req.replies && answer(&req, done) == -1)
		done = hm_refuse(self, "no memory");
	else if (done != CONTROL_KEPT)
		done = HM_TAKEN;
	hm_json_out_fini(&req.out);
	hm_json_free(req.json);
	return done == CONTROL_KEPT ? HM_LATER : done;
}

/* What this host sent came back: a watcher has gone, or an owner. */
void
control_returned(struct hm_actor *self, struct hm_envelope *env)
{
	struct hm_host *host = hm_actor_arg(self);
	struct hm_json *json = hm_agent_json(env);
	const char *name = hm_json_string(json, "name", NULL);
	struct entry *entry;
	struct hm_id dest;

	hm_envelope_dest(env, &dest);
	entry = registry_find(&host->names, name == NULL ? dest.proc : name);
	if (name == NULL && strcmp(hm_json_string(json, "op", ""), "stop") != 0)
		entry = NULL;
	if (entry != NULL && entry->managed)
		managed_unheard(entry);
	else if (entry != NULL && entry->kind == ENTRY_JOINED)
		reap_failed(entry, "terminate/kill unsupported by manager");
	else if (entry != NULL)
		reap_failed(
		    entry, "lifecycle channel closed; cannot observe state");
	else
		watch_returned(host, &dest);
	hm_json_free(json);
}
