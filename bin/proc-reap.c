/*
 * proc-reap: ends procs, or waits for their ends, or ends the whole host.
 *
 * The host does it; this asks, prints what is answered, and sums up.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proc/agent.h"
#include "tool/client.h"
#include "tool/row.h"

struct reap {
	struct client client;
	const char *reason;
	uint64_t timeout, deadline; /* ms, or TOOL_UNSAID */
	uint64_t max;
	bool kill, wait, all, end_host, json;
	/* what has come back */
	bool done;
	uint64_t failed, late;
	int status;
};

#define AT(member) offsetof(struct reap, member)

static const struct tool_option options[] = {
    {"-t, --timeout TIME", "grace of each before SIGKILL; with -w, of the wait",
	TOOL_DURATION, AT(timeout), 0},
    {"-j, --jobs MAX", "procs ended at a time (64)", TOOL_COUNT, AT(max),
	UINT32_MAX},
    {"    --deadline TIME", "what is left then is killed", TOOL_DURATION,
	AT(deadline), 0},
    {"-r, --reason TEXT", "why, for those who ask later", TOOL_TEXT, AT(reason),
	0},
    {"-k, --kill", "SIGKILL at once", TOOL_FLAG, AT(kill), 0},
    {"-w, --wait", "only wait", TOOL_FLAG, AT(wait), 0},
    {"    --all", "every proc spawned or joined since the last --all",
	TOOL_FLAG, AT(all), 0},
    {"    --host", "all procs, then the host", TOOL_FLAG, AT(end_host), 0},
    {"    --json", "print objects", TOOL_FLAG, AT(json), 0},
    {"-H, --at ADDR", TOOL_HOST_HELP, TOOL_TEXT, AT(client.host), 0},
    {"NAME", "a name or a proc id; -: names from stdin", TOOL_OPERAND, 0, 0},
    TOOL_OPTIONS_END,
};

static struct tool tool = {"proc-reap",
    "[-t TIMEOUT] [-j MAX] [--deadline T] [-r REASON] [-k | -w] "
    "(--all | NAME...) | --host [-t TIMEOUT]",
    options, NULL, HM_LOG_WARNING, false};

static void
check_options(const struct reap *reap, bool names)
{
	if (reap->kill && reap->wait)
		tool_usage(&tool, "options -k and -w exclude each other");
	if (reap->end_host && (reap->kill || reap->wait || reap->all ||
				  reap->deadline != TOOL_UNSAID || names))
		tool_usage(&tool, "option --host goes with -t, -j and -r only");
	if (!reap->end_host && !reap->all && !names)
		tool_usage(&tool, "no NAME, and not --all");
	if (reap->all && names)
		tool_usage(&tool, "option --all takes no NAME");
}

static int
put_name(struct hm_json_out *out, const char *text, const char *host)
{
	char name[HM_NAME_MAX + 1];
	struct hm_error err;

	if (tool_proc_name(text, host, name, &err) == -1)
		return tool_fail(&tool, &err);
	hm_json_put_string(out, NULL, name);
	return 0;
}

/* A name a line; what follows a tab is not looked at, so that the output of
 * proc-spawn and proc-stat will do. */
static int
put_stdin(struct hm_json_out *out, const char *host)
{
	char *line = NULL;
	size_t size = 0;
	int status = 0;

	while (status == 0 && getline(&line, &size, stdin) != -1) {
		line[strcspn(line, "\t\n")] = '\0';
		if (line[0] != '\0')
			status = put_name(out, line, host);
	}
	free(line);
	if (status == 0 && ferror(stdin)) {
		tool_say(
		    &tool, HM_LOG_ERROR, "read (stdin): %s", strerror(errno));
		status = TOOL_SYSTEM;
	}
	return status;
}

static void
put_seconds(struct hm_json_out *out, const char *key, uint64_t ms)
{
	hm_json_put_double(out, key, (double)ms / 1000);
}

static uint64_t
timeout_of(const struct reap *reap)
{
	if (reap->timeout == TOOL_UNSAID)
		return reap->wait ? 0 : reap->client.limits.exit_timeout;
	/* To the host, a wait of 0 has no end. */
	return reap->timeout == 0 && reap->wait ? 1 : reap->timeout;
}

static int
write_request(
    struct reap *reap, struct hm_json_out *out, char **names, const char *host)
{
	int status = 0;

	hm_json_open(out, NULL, '{');
	hm_json_put_string(out, "op",
	    reap->end_host ? "shutdown"
	    : reap->wait   ? "reap"
	    : reap->kill   ? "kill"
			   : "terminate");
	if (!reap->end_host || reap->timeout != TOOL_UNSAID)
		put_seconds(out, "timeout", timeout_of(reap));
	if (reap->deadline != TOOL_UNSAID)
		put_seconds(out, "deadline", reap->deadline);
	if (reap->max != 0)
		hm_json_put_u64(out, "max", reap->max);
	hm_json_put_string(
	    out, "reason", reap->reason == NULL ? "proc-reap" : reap->reason);
	if (reap->all) {
		hm_json_put_bool(out, "all", true);
	} else if (!reap->end_host) {
		hm_json_open(out, "names", '[');
		for (; status == 0 && *names != NULL; names++)
			status = strcmp(*names, "-") == 0
				     ? put_stdin(out, host)
				     : put_name(out, *names, host);
		hm_json_close(out, ']');
	}
	return status;
}

static void
take_ended(const struct reap *reap, const struct hm_json *record)
{
	struct hm_status status;
	char text[HM_ADDR_SIZE + HM_REASON_MAX], safe[HM_ERROR_TEXT];

	if (hm_status_get(&status, record) == -1)
		return;
	if (reap->json) {
		row_print_json(record);
		(void)fflush(stdout);
		return;
	}
	(void)hm_status_print(&status, false, text, sizeof text);
	printf("%s\t%s\n", hm_json_string(record, "name", "?"),
	    hm_text_safe(text, strlen(text), safe, sizeof safe));
	(void)fflush(stdout);
}

static void
take_not_ended(struct reap *reap, const struct hm_json *record)
{
	reap->late += hm_json_bool(record, "timed_out", false);
	tool_say(&tool, HM_LOG_ERROR, "not ended (%s): %s",
	    hm_json_string(record, "name", "?"),
	    hm_json_string(record, "error", "?"));
}

static void
take_summary(struct reap *reap, const struct hm_json *answer)
{
	uint64_t attempted = 0, ok = 0;

	(void)hm_json_u64(answer, "attempted", &attempted);
	(void)hm_json_u64(answer, "succeeded", &ok);
	(void)hm_json_u64(answer, "failed", &reap->failed);
	printf(reap->json ? "{\"attempted\":%" PRIu64 ",\"ok\":%" PRIu64
			    ",\"failed\":%" PRIu64 "}\n"
			  : "attempted=%" PRIu64 " ok=%" PRIu64
			    " failed=%" PRIu64 "\n",
	    attempted, ok, reap->failed);
	reap->status = reap->failed == 0	    ? 0
		       : reap->failed == reap->late ? TOOL_TIME
						    : TOOL_NO;
	reap->done = !reap->end_host;
}

static int
on_answer(struct hm_actor *self, struct hm_envelope *msg)
{
	struct reap *reap = hm_actor_arg(self);
	struct hm_json *json = hm_agent_json(msg);
	const struct hm_json *record;

	if (!hm_json_bool(json, "ok", false)) {
		tool_say(&tool, HM_LOG_ERROR, "%s",
		    hm_json_string(json, "error", "no answer"));
		reap->status = TOOL_NO;
		reap->done = true;
	} else if ((record = hm_json_get(json, "ended")) != NULL) {
		take_ended(reap, record);
	} else if ((record = hm_json_get(json, "not_ended")) != NULL) {
		take_not_ended(reap, record);
	} else if (hm_json_get(json, "attempted") != NULL) {
		take_summary(reap, json);
	} else {
		reap->done = true;
	}
	hm_json_free(json);
	return HM_TAKEN;
}

static void
on_return(struct hm_actor *self, struct hm_envelope *env)
{
	struct reap *reap = hm_actor_arg(self);
	enum hm_outcome kind = HM_UNKNOWN;
	struct hm_slice why = {"", 0}, at;

	if (hm_envelope_errors(env) > 0)
		(void)hm_envelope_error_at(
		    env, hm_envelope_errors(env) - 1, &kind, &why, &at);
	tool_say(&tool, HM_LOG_ERROR, "request came back (%s): %.*s",
	    hm_outcome_name(kind), (int)why.n, why.p);
	reap->status = kind == HM_TIMED_OUT ? TOOL_TIME : TOOL_NO;
	reap->done = true;
}

/* A host that has summed up and is gone has ended as it should. */
static void
on_lost(void *arg, const char *why)
{
	struct reap *reap = arg;

	if (reap->status == -1) {
		tool_say(&tool, HM_LOG_ERROR, "host lost: %s", why);
		reap->status = TOOL_NO;
	}
	reap->done = true;
}

static int
ask(struct reap *reap, struct hm_proc *proc, char **names)
{
	struct hm_json_out out;
	struct hm_error err;
	struct hm_id dest, reply;
	struct hm_actor *actor =
	    hm_proc_spawn(proc, "main", on_answer, reap, &err);
	int status;

	if (actor == NULL)
		return tool_fail(&tool, &err);
	hm_json_out_init(&out);
	status = write_request(reap, &out, names, hm_proc_host(proc));
	if (status != 0) {
		free(hm_json_out_take(&out, NULL));
		return status;
	}
	hm_id_set(&dest, hm_proc_host(proc), "service", "host_agent", 0,
	    HM_PORT_DEFAULT);
	hm_port_id(actor, HM_PORT_DEFAULT, &reply);
	hm_actor_on_return(actor, on_return);
	if (hm_post_json(actor, &dest, &reply, &out, false) == -1) {
		(void)hm_fail(&err, ENOMEM, "no memory");
		return tool_fail(&tool, &err);
	}
	reap->status = -1;
	while (!reap->done && hm_loop_turn(hm_proc_loop(proc), -1) == 0)
		continue;
	return reap->status == -1 ? TOOL_SYSTEM : reap->status;
}

int
main(int argc, char **argv)
{
	struct reap reap;
	char **names;
	int status;

	memset(&reap, 0, sizeof reap);
	reap.client.tool = &tool;
	reap.timeout = reap.deadline = TOOL_UNSAID;
	names = tool_options(&tool, &reap, argc, argv);
	check_options(&reap, names[0] != NULL);
	status = client_open(&reap.client, NULL);
	if (status == 0) {
		hm_proc_on_lost(reap.client.proc, on_lost, &reap);
		status = ask(&reap, reap.client.proc, names);
	}
	client_close(&reap.client);
	return tool_close(&tool, status);
}
