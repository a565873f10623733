/*
 * Names given over control: reserved for procs to be spawned, bound to what
 * has called back or to a stand-alone server, and given up again.
 *
 * A reservation belongs to the link that made it.  Only its owner binds it,
 * with the token it was given, says what becomes of the proc, and so ends it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "host/control.h"

/* Last lines kept of a proc: two times 8 KiB of text, escaped. */
#define TAIL_MAX ((size_t)32 * 1024)

static int
may_begin(struct request *req)
{
	struct router_stats stats;

	if (req->host->ending)
		return hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
		    "host %s is ending", hm_host_id(req->host));
	/* The asker may have gone while its message was on its way. */
	if (req->asker != NULL && (req->asker->kind == ENTRY_SERVICE ||
				      req->asker->kind == ENTRY_LOCAL ||
				      (router_stats(req->host->router,
					   req->asker->name, &stats) == 0 &&
					  stats.linked)))
		return 0;
	return hm_fail_kind(&req->err, HM_ERR_DENIED, EPERM,
	    "names are given to what is attached to this host");
}

struct entry *
name_reserve(
    struct hm_host *host, const char *name, bool routed, struct hm_error *err)
{
	unsigned char bytes[(TOKEN_SIZE - 1) / 2];
	struct entry *entry = NULL;
	size_t i;

	if (life_check_name(host, name, err) == -1)
		return NULL;
	if (sys_random(bytes, sizeof bytes) == -1 ||
	    (entry = entry_new(ENTRY_SPAWNED, name)) == NULL ||
	    (routed && router_reserve(host->router, name) == -1)) {
		(void)hm_fail(
		    err, errno, "proc '%s': %s", name, strerror(errno));
		entry_free(entry);
		return NULL;
	}
	for (i = 0; i < sizeof bytes; i++)
		(void)snprintf(entry->token + 2 * i, 3, "%02x", bytes[i]);
	life_begin(host, entry);
	return entry;
}

static struct entry *
reserve(struct request *req, const char *name)
{
	struct entry *entry = name_reserve(req->host, name, true, &req->err);

	if (entry == NULL)
		return NULL;
	entry->owner = req->asker;
	req->asker->owned++;
	return entry;
}

int
op_reserve(struct request *req)
{
	const struct hm_json *names, *name, *done;
	const struct entry *entry;

	if (request_names(req, &names) == -1 || may_begin(req) == -1)
		return -1;
	if (names == NULL)
		return hm_fail_kind(
		    &req->err, HM_ERR_MISSING, EINVAL, "\"names\" missing");
	for (name = names->child; name != NULL; name = name->next) {
		if (life_check_name(req->host, name->string, &req->err) == -1)
			return -1;
	}
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
			watch_tell(
			    registry_find(&req->host->names, name->string));
		return CONTROL_ANSWER;
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
	if (entry == NULL)
		return hm_fail(&req->err, ENOMEM, "no memory");
	if (router_bind(host->router, name, &addr) == -1) {
		(void)hm_fail(&req->err, errno, "cannot bind '%s' to %s: %s",
		    name, addr.text,
		    errno == EADDRINUSE ? "it is the host's own"
					: strerror(errno));
		entry_free(entry);
		return -1;
	}
	entry->status.state = HM_READY;
	entry->status.started = sys_wall();
	memcpy(entry->status.addr, addr.text, sizeof addr.text);
	life_begin(host, entry);
	watch_tell(entry);
	return CONTROL_ANSWER;
}

/* The owner's proc has called back: it is Ready. */
static int
bind_owned(struct request *req, const char *token)
{
	struct entry *entry = request_owned(req);
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
	return life_change(entry, &ready) == 0 ? CONTROL_ANSWER : -1;
}

int
op_bind(struct request *req)
{
	const char *token = hm_json_string(req->json, "token", NULL);

	if (token != NULL)
		return bind_owned(req, token);
	return bind_address(req, hm_json_string(req->json, "name", ""),
	    hm_json_string(req->json, "addr", ""));
}

int
op_unbind(struct request *req)
{
	struct entry *entry = request_living(req);

	if (entry == NULL)
		return -1;
	if (entry->kind == ENTRY_BOUND) {
		entry->status.state = HM_STOPPED;
		life_end(entry);
		return CONTROL_ANSWER;
	}
	if (request_owned(req) == NULL)
		return -1;
	if (entry->proc || entry->kind != ENTRY_SPAWNED)
		return hm_fail_kind(&req->err, HM_ERR_INVALID, EINVAL,
		    "proc '%s' has been ready: its status ends it",
		    entry->name);
	life_fail(entry, "spawn failed");
	return CONTROL_ANSWER;
}

/* The owner says how its proc is. */
int
op_set_status(struct request *req, const struct hm_json *set)
{
	struct entry *entry = request_owned(req);
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
	return CONTROL_ANSWER;
}
