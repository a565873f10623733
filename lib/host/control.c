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

#include "base/sys.h"
#include "host/host_private.h"
#include "proc/agent.h"

/* A thousand names of the longest kind in one request, and then some. */
#define REQUEST_MAX ((size_t)1024 * 1024)
/* What a request leaves behind here (a watch, a wait) is smaller. */
#define LASTING_MAX ((size_t)64 * 1024)
/* Last lines kept of a proc: two times 8 KiB of text, escaped. */
#define TAIL_MAX ((size_t)32 * 1024)

/* What an operation returns beside -1. */
#define ANSWER 0 /* out holds the members of the answer */
#define SILENT 1 /* answered already, or not at all */
#define KEPT 2	 /* the message is somebody else's now */

struct request {
	struct hm_host *host;
	struct hm_envelope *msg;
	struct hm_json *json;
	struct entry *asker; /* NULL: not behind a name of ours */
	struct hm_id reply_to;
	bool replies;
	struct hm_json_out out;
	struct hm_error err;
};

static void
put_stats(const struct entry *entry, struct hm_json_out *out)
{
	struct router_stats stats = entry->stats;

	if (!entry->ended)
		(void)router_stats(entry->host->router, entry->name, &stats);
	hm_json_put_u64(out, "msgs_in", stats.msgs_in);
	hm_json_put_u64(out, "msgs_out", stats.msgs_out);
	hm_json_put_u64(out, "bytes_in", stats.bytes_in);
	hm_json_put_u64(out, "bytes_out", stats.bytes_out);
	hm_json_put_u64(out, "queued", stats.queued);
}

void
entry_put(const struct entry *entry, struct hm_json_out *out,
    const char *key, bool tail)
{
	struct hm_id id;
	char text[HM_ID_TEXT];

	hm_id_set(&id, hm_host_id(entry->host), entry->name, "", 0, 0);
	id.depth = HM_ID_PROC;
	hm_json_open(out, key, '{');
	hm_json_put_string(out, "name", entry->name);
	hm_json_put_string(out, "proc", hm_id_print(&id, text, sizeof text));
	hm_json_put_string(out, "kind", entry_kind_name(entry->kind));
	hm_status_put(&entry->status, out);
	put_stats(entry, out);
	if (tail && entry->tail != NULL)
		hm_json_put_raw(out, "tail", entry->tail, strlen(entry->tail));
	hm_json_close(out, '}');
}

static bool
is_shown(const struct entry *entry, bool all)
{
	return all || entry->kind == ENTRY_SPAWNED ||
	    entry->kind == ENTRY_JOINED || entry->kind == ENTRY_BOUND;
}

void
entries_put(const struct hm_host *host, struct hm_json_out *out,
    const struct hm_json *names, bool all, bool tail)
{
	const struct hm_json *name;
	const struct entry *entry;

	hm_json_open(out, "procs", '[');
	if (names != NULL) {
		for (name = names->child; name != NULL; name = name->next) {
			entry = registry_last(&host->names, name->string);
			if (entry != NULL)
				entry_put(entry, out, NULL, tail);
		}
		hm_json_close(out, ']');
		return;
	}
	for (entry = host->names.ended.first; all && entry != NULL;
	    entry = entry->next)
		entry_put(entry, out, NULL, tail);
	for (entry = host->names.living.first; entry != NULL;
	    entry = entry->next) {
		if (is_shown(entry, all))
			entry_put(entry, out, NULL, tail);
	}
	hm_json_close(out, ']');
}

/* "names": an array of strings. NULL in *names if it is missing. */
static int
get_names(struct request *req, const struct hm_json **names)
{
	const struct hm_json *name;

	*names = hm_json_get(req->json, "names");
	if (*names == NULL)
		return 0;
	name = (*names)->type == HM_JSON_ARRAY ? (*names)->child : *names;
	for (; name != NULL; name = name->next) {
		if (name->type != HM_JSON_STRING ||
		    !hm_name_valid(name->string, name->len))
			return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
			    "\"names\": not an array of names");
	}
	return 0;
}

/* "name": of whom, living. */
static struct entry *
get_living(struct request *req)
{
	const char *name = hm_json_string(req->json, "name", "");
	struct entry *entry = registry_find(&req->host->names, name);

	if (entry == NULL)
		(void)hm_fail_kind(&req->err, HM_ERR_NOPROC, ENOENT,
		    "no proc '%.64s' on %s", name, hm_host_id(req->host));
	return entry;
}

static struct entry *
get_owned(struct request *req)
{
	struct entry *entry = get_living(req);

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
	return ANSWER;
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
	return ANSWER;
}

static int
op_list(struct request *req)
{
	entries_put(req->host, &req->out, NULL,
	    hm_json_bool(req->json, "all", false),
	    hm_json_bool(req->json, "tail", false));
	return ANSWER;
}

/* The owner says how its proc is. */
static int
set_status(struct request *req, const struct hm_json *set)
{
	struct entry *entry = get_owned(req);
	const struct hm_json *tail = hm_json_get(req->json, "tail");
	struct hm_json_out out;
	struct hm_status status;
	char *text;
	size_t len;

	if (entry == NULL)
		return -1;
	if (hm_status_get(&status, set) == -1 ||
	    (tail != NULL && tail->type != HM_JSON_ARRAY))
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "\"set\": no status, or \"tail\": no lines");
	if (tail != NULL) {
		hm_json_out_init(&out);
		hm_json_put_value(&out, NULL, tail);
		text = hm_json_out_take(&out, &len);
		if (text != NULL && len <= TAIL_MAX) {
			free(entry->tail);
			entry->tail = text;
		} else {
			free(text);
		}
	}
	if (life_change(entry, &status) == -1)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "proc '%s' cannot become %s", entry->name,
		    hm_state_name(status.state));
	return ANSWER;
}

static int
op_status(struct request *req)
{
	const struct hm_json *set = hm_json_get(req->json, "set");
	const char *name = hm_json_string(req->json, "name", "");
	const struct entry *entry;

	if (set != NULL)
		return set_status(req, set);
	entry = registry_last(&req->host->names, name);
	if (entry == NULL)
		return hm_fail_kind(&req->err, HM_ERR_NOPROC, ENOENT,
		    "no proc '%.64s' on %s", name, hm_host_id(req->host));
	entry_put(entry, &req->out, "proc",
	    hm_json_bool(req->json, "tail", false));
	return ANSWER;
}

static int
op_watch(struct request *req)
{
	const struct hm_json *names;
	struct hm_json *json = req->json;

	if (get_names(req, &names) == -1)
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
	return ANSWER;
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
	return KEPT;
}

static int
may_begin(struct request *req)
{
	struct router_stats stats;

	if (req->host->ending)
		return hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
		    "host %s is ending", hm_host_id(req->host));
	/* The asker may have gone while its message was on its way. */
	if (req->asker != NULL &&
	    (req->asker->kind == ENTRY_SERVICE ||
		req->asker->kind == ENTRY_LOCAL ||
		(router_stats(req->host->router, req->asker->name, &stats) ==
			0 &&
		    stats.linked)))
		return 0;
	return hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
	    "names are given to what is attached to this host");
}

static struct entry *
reserve(struct request *req, const char *name)
{
	struct hm_host *host = req->host;
	unsigned char bytes[(TOKEN_SIZE - 1) / 2];
	struct entry *entry = NULL;
	size_t i;

	if (life_check_name(host, name, &req->err) == -1)
		return NULL;
	if (sys_random(bytes, sizeof bytes) == -1 ||
	    (entry = entry_new(ENTRY_SPAWNED, name)) == NULL ||
	    router_reserve(host->router, name) == -1) {
		(void)hm_fail(&req->err, errno, "proc '%s': %s", name,
		    strerror(errno));
		entry_free(entry);
		return NULL;
	}
	for (i = 0; i < sizeof bytes; i++)
		(void)snprintf(entry->token + 2 * i, 3, "%02x", bytes[i]);
	entry->owner = req->asker;
	req->asker->owned++;
	life_begin(host, entry);
	return entry;
}

static int
op_reserve(struct request *req)
{
	const struct hm_json *names, *name, *done;
	const struct entry *entry;

	if (get_names(req, &names) == -1 || may_begin(req) == -1)
		return -1;
	if (names == NULL)
		return hm_fail_kind(&req->err, HM_ERR_MISSING, EINVAL,
		    "\"names\" missing");
	hm_json_open(&req->out, "tokens", '[');
	for (name = names->child; name != NULL; name = name->next) {
		entry = reserve(req, name->string);
		if (entry == NULL)
			break;
		hm_json_put_string(&req->out, NULL, entry->token);
	}
	hm_json_close(&req->out, ']');
	if (name == NULL) {
		for (name = names->child; name != NULL; name = name->next)
			watch_tell(registry_find(&req->host->names,
			    name->string));
		return ANSWER;
	}
	/* All or none. */
	for (done = names->child; done != name; done = done->next)
		life_fail(registry_find(&req->host->names, done->string),
		    "not spawned");
	return -1;
}

/* A stand-alone server gets a name. */
static int
bind_address(struct request *req, const char *name, const char *text)
{
	struct hm_host *host = req->host;
	struct hm_addr addr;
	struct entry *entry;

	if (host->ending)
		return hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
		    "host %s is ending", hm_host_id(host));
	if (hm_addr_parse(&addr, text, 0, &req->err) == -1 ||
	    life_check_name(host, name, &req->err) == -1)
		return -1;
	entry = entry_new(ENTRY_BOUND, name);
	if (entry == NULL || router_bind(host->router, name, &addr) == -1) {
		entry_free(entry);
		return hm_fail(&req->err, ENOMEM, "no memory");
	}
	entry->status.state = HM_READY;
	entry->status.started = sys_wall();
	memcpy(entry->status.addr, addr.text, sizeof addr.text);
	life_begin(host, entry);
	watch_tell(entry);
	return ANSWER;
}

/* The owner's proc has called back: it is Ready. */
static int
bind_owned(struct request *req, const char *token)
{
	struct entry *entry = get_owned(req);
	struct hm_status ready;
	struct hm_addr addr;
	struct hm_id agent;

	if (entry == NULL)
		return -1;
	if (entry->kind != ENTRY_SPAWNED || strcmp(token, entry->token) != 0)
		return hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
		    "proc '%s': not the token of this spawn", entry->name);
	if (hm_addr_parse(&addr, hm_json_string(req->json, "addr", ""), 0,
		&req->err) == -1 ||
	    hm_id_parse(&agent, hm_json_string(req->json, "agent", ""),
		&req->err) == -1)
		return -1;
	if (agent.depth < HM_ID_ACTOR || strcmp(agent.proc, entry->name) != 0)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "agent of '%s' is in proc '%s'", entry->name, agent.proc);
	agent.depth = HM_ID_ACTOR;
	ready = entry->status;
	ready.state = HM_READY;
	if (ready.started <= 0)
		ready.started = sys_wall();
	memcpy(ready.addr, addr.text, sizeof addr.text);
	(void)hm_id_print(&agent, ready.agent, sizeof ready.agent);
	if (!hm_state_legal(entry->status.state, HM_READY) || entry->ending)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "proc '%s' cannot become Ready", entry->name);
	registry_count(&req->host->names, entry);
	return life_change(entry, &ready) == 0 ? ANSWER : -1;
}

static int
op_bind(struct request *req)
{
	const char *token = hm_json_string(req->json, "token", NULL);

	if (token != NULL)
		return bind_owned(req, token);
	return bind_address(req, hm_json_string(req->json, "name", ""),
	    hm_json_string(req->json, "addr", ""));
}

static int
op_unbind(struct request *req)
{
	struct entry *entry = get_living(req);

	if (entry == NULL)
		return -1;
	if (entry->kind == ENTRY_BOUND) {
		entry->status.state = HM_STOPPED;
		life_end(entry);
		return ANSWER;
	}
	if (get_owned(req) == NULL)
		return -1;
	if (entry->proc || entry->kind != ENTRY_SPAWNED)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "proc '%s' has been ready: its status ends it",
		    entry->name);
	life_fail(entry, "spawn failed");
	return ANSWER;
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
		return ANSWER;
	if (hm_proc_actor(host->local, "agent") == NULL &&
	    hm_agent_install(host->local, &req->err) == -1)
		return -1;
	if (hm_proc_spawn(host->local, "client", refuse_all, NULL,
		&req->err) == NULL)
		return -1;
	host->local_active = true;
	return ANSWER;
}

static int
get_spec(struct request *req, enum reap_kind kind, struct reap_spec *spec)
{
	uint64_t max = 64;

	memset(spec, 0, sizeof *spec);
	spec->kind = kind;
	if (get_names(req, &spec->names) == -1 ||
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
		return hm_fail_kind(&req->err, HM_ERR_MISSING, EINVAL,
		    "\"names\" missing");
	reap = reap_new(req->host, &spec);
	if (reap == NULL)
		return hm_fail(&req->err, ENOMEM, "no memory");
	reap_go(reap);
	return SILENT;
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
	if (!host->ending && host->asked != NULL)
		host->asked(host->asked_arg);
	return SILENT;
}

static const struct operation {
	const char *name;
	int (*fn)(struct request *req);
	bool open; /* to everybody */
} operations[] = {
	{ "ping", op_ping, true },
	{ "info", op_info, false },
	{ "list", op_list, true },
	{ "status", op_status, true },
	{ "wait", op_wait, true },
	{ "watch", op_watch, false },
	{ "reserve", op_reserve, false },
	{ "bind", op_bind, false },
	{ "unbind", op_unbind, false },
	{ "local", op_local, false },
	{ "terminate", op_terminate, false },
	{ "kill", op_kill, false },
	{ "reap", op_reap, false },
	{ "shutdown", op_shutdown, false },
};

static bool
is_trusted(const struct hm_envelope *msg)
{
	uint32_t uid = hm_envelope_uid(msg);

	return (hm_envelope_flags(msg) & HM_ENV_REMOTE) == 0 &&
	    (uid == 0 || uid == (uint32_t)geteuid());
}

static int
operate(struct request *req, const char *name)
{
	const struct operation *op = operations;
	const struct operation *end = operations +
	    sizeof operations / sizeof *operations;

	while (op < end && strcmp(op->name, name) != 0)
		op++;
	if (op == end)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "no operation '%.32s'", name);
	if (!is_trusted(req->msg) &&
	    (!op->open || hm_json_get(req->json, "set") != NULL))
		return hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
		    hm_envelope_flags(req->msg) & HM_ENV_REMOTE ?
			"'%s' may not be asked for from another machine" :
			"'%s' is for this host's own uid and root",
		    name);
	return op->fn(req);
}

/* An owner or agent cannot do what it was asked for. */
static void
take_failure(struct request *req)
{
	struct entry *entry = get_owned(req);
	const char *why = hm_json_string(req->json, "error", NULL);

	if (entry != NULL && why != NULL &&
	    !hm_json_bool(req->json, "ok", true) && is_trusted(req->msg))
		reap_failed(entry, why);
}

static int
answer(struct request *req, int done)
{
	struct hm_json_out *out = &req->out;

	if (done == -1) {
		hm_json_out_fini(out);
		hm_json_out_init(out);
		hm_json_open(out, NULL, '{');
		hm_json_put_bool(out, "ok", false);
		hm_json_put_string(out, "kind",
		    hm_error_kind_name(req->err.kind));
		hm_json_put_string(out, "error", req->err.text);
	}
	hm_json_close(out, '}');
	return host_post(req->host, &req->reply_to, NULL, out, false);
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
	req->json = hm_json_parse(hm_payload(req->msg),
	    hm_payload_len(req->msg), &req->err);
	if (req->json == NULL) {
		req->err.kind = HM_ERR_INVALID;
		return -1;
	}
	read_asker(req);
	op = hm_json_string(req->json, "op", NULL);
	if (op == NULL && hm_json_get(req->json, "ok") != NULL) {
		take_failure(req);
		return SILENT;
	}
	if (op == NULL)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "no \"op\" in the request");
	hm_json_open(&req->out, NULL, '{');
	hm_json_put_bool(&req->out, "ok", true);
	return operate(req, op);
}

/* Every agent answers these. */
static bool
is_for_agent(const struct hm_envelope *msg)
{
	static const char *const ops[] = { "echo", "ping", "introspect",
		"{\"op\":\"echo\"}", "{\"op\":\"introspect\"}", "{\"op\":\"ping\"}" };
	size_t i;

	for (i = 0; i < sizeof ops / sizeof *ops; i++) {
		if (hm_payload_len(msg) == strlen(ops[i]) &&
		    memcmp(hm_payload(msg), ops[i], strlen(ops[i])) == 0)
			return true;
	}
	return false;
}

int
control_handle(struct hm_actor *self, struct hm_envelope *msg)
{
	struct request req;
	int done;

	if (is_for_agent(msg))
		return hm_agent_handle(self, msg);
	memset(&req, 0, sizeof req);
	req.host = hm_actor_arg(self);
	req.msg = msg;
	hm_json_out_init(&req.out);
	done = serve(&req);
	if (done <= ANSWER && req.replies && answer(&req, done) == -1)
		done = hm_refuse(self, "no memory");
	else if (done != KEPT)
		done = HM_TAKEN;
	hm_json_out_fini(&req.out);
	hm_json_free(req.json);
	return done == KEPT ? HM_LATER : done;
}
