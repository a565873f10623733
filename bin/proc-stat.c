/*
 * proc-stat: shows procs and their status, once or as it changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/agent.h"
#include "tool/client.h"
#include "tool/row.h"

#define ANSWER_MS 10000

struct stat_run {
	struct client client;
	bool all, follow, json, tail;
	char (*names)[HM_NAME_MAX + 1]; /* of NAME… */
	bool *ended;			/* -f: those that have */
	size_t n;
	struct table *table;	  /* NULL: JSON */
	struct hm_json **answers; /* shown, their tails not yet */
	size_t nanswers;
	bool ready, done; /* all shown were Ready; nothing more to come */
	int status;
};

#define AT(member) offsetof(struct stat_run, member)

static const struct tool_option options[] = {
    {"-a, --all", "also service, local, clients and what has ended", TOOL_FLAG,
	AT(all), 0},
    {"-f, --follow", "each change as it happens", TOOL_FLAG, AT(follow), 0},
    {"    --json", "an object a line", TOOL_FLAG, AT(json), 0},
    {"    --tail", "also the last lines of output", TOOL_FLAG, AT(tail), 0},
    {"-H, --host ADDR", TOOL_HOST_HELP, TOOL_TEXT, AT(client.host), 0},
    {"NAME", "a name or a proc id; 0 if all of them are Ready", TOOL_OPERAND, 0,
	0},
    {"PROC,ACTOR", "what that actor is doing", TOOL_OPERAND, 0, 0},
    TOOL_OPTIONS_END,
};

static struct tool tool = {"proc-stat",
    "[-a] [-f] [--json] [--tail] [NAME...] | PROC,ACTOR", options, NULL,
    HM_LOG_WARNING, false};

static void
show(struct stat_run *run, const struct hm_json *record)
{
	struct row row;
	size_t i;

	if (strcmp(hm_json_string(record, "status", ""), "Ready") != 0)
		run->ready = false;
	if (run->json) {
		row_print_json(record);
	} else {
		row_fill(&row, record);
		if (table_row(run->table, row.cell) == -1)
			run->status = TOOL_SYSTEM;
		if (run->tail && run->follow)
			row_print_tail(record);
	}
	if (hm_json_get(record, "ended") == NULL)
		return;
	for (i = 0; i < run->n; i++) {
		if (strcmp(run->names[i], hm_json_string(record, "name", "")) ==
		    0)
			run->ended[i] = true;
	}
}

static void
show_all(struct stat_run *run, const struct hm_json *procs)
{
	const struct hm_json *record;

	for (record = procs == NULL ? NULL : procs->child; record != NULL;
	     record = record->next)
		show(run, record);
}

static int
read_names(struct stat_run *run, char **args, const char *host)
{
	struct hm_error err;

	while (args[run->n] != NULL)
		run->n++;
	run->names = calloc(run->n + 1, sizeof *run->names);
	run->ended = calloc(run->n + 1, sizeof *run->ended);
	run->answers = calloc(run->n + 1, sizeof *run->answers);
	if (run->names == NULL || run->ended == NULL || run->answers == NULL) {
		(void)hm_fail(&err, ENOMEM, "no memory");
		return tool_fail(&tool, &err);
	}
	for (run->n = 0; args[run->n] != NULL; run->n++) {
		if (tool_proc_name(
			args[run->n], host, run->names[run->n], &err) == -1)
			return tool_fail(&tool, &err);
	}
	return 0;
}

/* The request of one answer: of all, of name, or the watch of run. */
static void
put_request(const struct stat_run *run, struct hm_json_out *out, const char *op,
    const char *name)
{
	size_t i;

	hm_json_begin(out);
	hm_json_put_string(out, "op", op);
	if (name != NULL)
		hm_json_put_string(out, "name", name);
	hm_json_put_bool(out, "all", run->all);
	hm_json_put_bool(out, "tail", run->tail);
	if (run->follow && run->n > 0) {
		hm_json_open(out, "names", '[');
		for (i = 0; i < run->n; i++)
			hm_json_put_string(out, NULL, run->names[i]);
		hm_json_close(out, ']');
	}
}

static struct hm_json *
ask(struct stat_run *run, struct hm_actor *actor, const char *op,
    const char *name)
{
	struct hm_json_out out;
	struct hm_error err;
	struct hm_json *answer = NULL;
	char *text;

	put_request(run, &out, op, name);
	hm_json_close(&out, '}');
	text = hm_json_out_take(&out, NULL);
	(void)hm_fail(&err, ENOMEM, "no memory");
	if (text != NULL)
		answer = hm_control(actor, text, ANSWER_MS, &err);
	free(text);
	if (answer == NULL && run->status != TOOL_NO)
		run->status = tool_fail(&tool, &err);
	else if (answer == NULL)
		(void)tool_fail(&tool, &err);
	return answer;
}

static void
end_table(struct stat_run *run)
{
	if (run->table != NULL)
		(void)table_end(run->table);
	run->table = NULL;
}

/* How things are now. */
static void
show_once(struct stat_run *run, struct hm_actor *actor)
{
	struct hm_json *answer;
	size_t i;

	for (i = 0; i < run->n || (run->n == 0 && i == 0); i++) {
		answer = run->n == 0 ? ask(run, actor, "list", NULL)
				     : ask(run, actor, "status", run->names[i]);
		if (answer == NULL)
			continue;
		run->answers[run->nanswers++] = answer;
		if (run->n == 0)
			show_all(run, hm_json_get(answer, "procs"));
		else
			show(run, hm_json_get(answer, "proc"));
	}
	end_table(run);
	for (i = 0; i < run->nanswers; i++) {
		if (!run->json)
			row_print_tails(run->answers[i]);
		hm_json_free(run->answers[i]);
	}
	if (run->n > 0 && !run->ready && run->status == 0)
		run->status = TOOL_NO;
}

static bool
all_ended(const struct stat_run *run)
{
	size_t i = 0;

	while (i < run->n && run->ended[i])
		i++;
	return run->n > 0 && i == run->n;
}

static int
on_change(struct hm_actor *self, struct hm_envelope *msg)
{
	struct stat_run *run = hm_actor_arg(self);
	struct hm_json *json = hm_agent_json(msg);
	const struct hm_json *change = hm_json_get(json, "change");
	uint64_t lagged;

	if (!hm_json_bool(json, "ok", false)) {
		tool_say(&tool, HM_LOG_ERROR, "%s",
		    hm_json_string(json, "error", "no answer"));
		run->status = TOOL_NO;
		run->done = true;
	}
	if (hm_json_u64(json, "lagged", &lagged) == 0)
		tool_say(&tool, HM_LOG_WARNING, "%llu changes missed",
		    (unsigned long long)lagged);
	if (change != NULL)
		show(run, change);
	else
		show_all(run, hm_json_get(json, "procs"));
	if (fflush(stdout) != 0 || all_ended(run))
		run->done = true;
	hm_json_free(json);
	return HM_TAKEN;
}

static void
on_lost(void *arg, const char *why)
{
	struct stat_run *run = arg;

	tool_say(&tool, HM_LOG_ERROR, "host lost: %s", why);
	run->status = TOOL_NO;
	run->done = true;
}

/* A name that is not known will not end. */
static void
check_known(struct stat_run *run, struct hm_actor *actor)
{
	struct hm_json *answer;
	size_t i;

	for (i = 0; i < run->n; i++) {
		answer = ask(run, actor, "status", run->names[i]);
		run->ended[i] = answer == NULL;
		hm_json_free(answer);
	}
	run->done = all_ended(run);
}

static void
follow(struct stat_run *run, struct hm_actor *actor)
{
	struct hm_id dest, reply;
	struct hm_proc *proc = hm_actor_proc(actor);
	struct hm_json_out out;

	check_known(run, actor);
	hm_id_set(&dest, hm_proc_host(proc), "service", "host_agent", 0,
	    HM_PORT_DEFAULT);
	hm_port_id(actor, HM_PORT_DEFAULT, &reply);
	hm_proc_on_lost(proc, on_lost, run);
	put_request(run, &out, "watch", NULL);
	if (hm_post_json(actor, &dest, &reply, &out, false) == -1) {
		tool_say(&tool, HM_LOG_ERROR, "watch: no memory");
		run->status = TOOL_SYSTEM;
		return;
	}
	while (!run->done && hm_loop_turn(hm_proc_loop(proc), -1) == 0)
		continue;
}

/* The actor of that id among those that its proc's agent tells of. */
static void
show_actor(struct stat_run *run, const struct hm_json *told, const char *id)
{
	static const char *const heads[] = {
	    "ACTOR", "STATUS", "MESSAGES", "QUEUED", NULL};
	const struct hm_json *actors = hm_json_get(told, "actors"), *actor;
	const char *cells[4] = {id, NULL, NULL, NULL};
	char numbers[2][24] = {"", ""};
	struct table *table;
	uint64_t n;
	size_t i;

	actor = actors == NULL ? NULL : actors->child;
	while (actor != NULL &&
	       strcmp(hm_json_string(actor, "actor", ""), id) != 0)
		actor = actor->next;
	if (actor == NULL) {
		tool_say(&tool, HM_LOG_ERROR, "no actor '%s'", id);
		run->status = TOOL_NO;
		return;
	}
	if (run->json) {
		row_print_json(actor);
		return;
	}
	cells[1] = hm_json_string(actor, "status", NULL);
	for (i = 0; i < 2; i++) {
		if (hm_json_u64(actor, i == 0 ? "messages" : "queued", &n) == 0)
			(void)snprintf(numbers[i], sizeof numbers[i], "%llu",
			    (unsigned long long)n);
		cells[2 + i] = numbers[i];
	}
	table = table_new(stdout, heads, NULL);
	if (table == NULL || table_row(table, cells) == -1)
		run->status = TOOL_SYSTEM;
	if (table != NULL)
		(void)table_end(table);
}

static void
introspect(struct stat_run *run, struct hm_actor *actor, const char *text)
{
	struct hm_id id, agent;
	struct hm_error err;
	struct hm_envelope *answer;
	struct hm_json *json = NULL;
	char printed[HM_ID_TEXT];

	if (hm_id_parse_dest(
		&id, text, hm_proc_host(hm_actor_proc(actor)), &err) == -1) {
		run->status = tool_fail(&tool, &err);
		return;
	}
	hm_id_set(&agent, id.addr, id.proc, "agent", 0, HM_PORT_DEFAULT);
	answer = hm_call(
	    actor, &agent, "introspect", strlen("introspect"), ANSWER_MS, &err);
	if (answer != NULL)
		json = hm_json_parse(
		    hm_payload(answer), hm_payload_len(answer), &err);
	hm_envelope_free(answer);
	if (json == NULL) {
		run->status = tool_fail(&tool, &err);
		return;
	}
	id.depth = HM_ID_ACTOR;
	show_actor(run, json, hm_id_print(&id, printed, sizeof printed));
	hm_json_free(json);
}

/* PROC,ACTOR and not the whole id of a proc. */
static bool
is_actor(const char *text)
{
	struct hm_id id;

	return strchr(text, ',') != NULL &&
	       (hm_id_parse(&id, text, NULL) == -1 || id.depth != HM_ID_PROC);
}

static void
serve(struct stat_run *run, struct hm_proc *proc, char **args)
{
	struct hm_error err;
	struct hm_actor *actor =
	    hm_proc_spawn(proc, "main", on_change, run, &err);

	if (actor == NULL)
		run->status = tool_fail(&tool, &err);
	else if (args[0] != NULL && args[1] == NULL && is_actor(args[0]))
		introspect(run, actor, args[0]);
	else if ((run->status = read_names(run, args, hm_proc_host(proc))) != 0)
		return;
	else if (!run->json && (run->table = table_new(stdout, row_columns,
				    run->follow ? row_widths : NULL)) == NULL)
		run->status = TOOL_SYSTEM;
	else if (run->follow)
		follow(run, actor);
	else
		show_once(run, actor);
	end_table(run);
}

int
main(int argc, char **argv)
{
	struct stat_run run;
	char **operands;

	memset(&run, 0, sizeof run);
	run.client.tool = &tool;
	run.ready = true;
	operands = tool_options(&tool, &run, argc, argv);
	run.status = client_open(&run.client, NULL);
	if (run.status == 0)
		serve(&run, run.client.proc, operands);
	free(run.names);
	free(run.ended);
	free(run.answers);
	client_close(&run.client);
	return tool_close(&tool, run.status);
}
