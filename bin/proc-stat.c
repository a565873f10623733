/*
 * proc-stat: shows procs and their status, once or as it changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/tool.h"

#define ANSWER_MS 10000

static struct tool tool = { "proc-stat",
	"[-a] [-f] [--json] [--tail] [NAME...] | PROC,ACTOR",
	"  -a, --all           also service, local, clients and what has ended\n"
	"  -f, --follow        each change as it happens\n"
	"      --json          an object a line\n"
	"      --tail          also the last lines of output\n"
	"  NAME                a name or a proc id; 0 if all of them are Ready\n"
	"  PROC,ACTOR          what that actor is doing\n",
	HM_LOG_WARNING };

#define OPT_JSON 256
#define OPT_TAIL 257

static const struct option longs[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "follow", no_argument, NULL, 'f' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "tail", no_argument, NULL, OPT_TAIL },
	TOOL_LONG,
};

#define CELLS 9
static const char *const columns[] = { "NAME", "PID", "STATUS", "UPTIME",
	"MSGS_IN", "MSGS_OUT", "BYTES_IN", "BYTES_OUT", "QUEUED", NULL };
static const char *const counters[] = { "msgs_in", "msgs_out", "bytes_in",
	"bytes_out", "queued" };

struct stat_run {
	const char *host;
	bool all, follow, json, tail, aligned;
	char (*names)[HM_NAME_MAX + 1]; /* of NAME… */
	bool *ended;			/* -f: those that have */
	size_t n;
	struct table *table; /* NULL when following */
	bool ready, done;    /* all shown were Ready; nothing more to come */
	int status;
};

/* The cells of a record, in text. */
struct cells {
	char status[HM_ADDR_SIZE + HM_REASON_MAX], number[CELLS][24];
	const char *cell[CELLS];
};

static void
fill_cells(struct cells *cells, const struct hm_json *record)
{
	struct hm_status status;
	uint64_t n;
	double uptime = hm_json_double(record, "uptime", -1);
	size_t i;

	memset(cells, 0, sizeof *cells);
	if (hm_status_get(&status, record) == -1)
		return;
	cells->cell[0] = hm_json_string(record, "name", NULL);
	if (status.pid > 0)
		(void)snprintf(cells->number[1], sizeof cells->number[1], "%ld",
		    (long)status.pid);
	if (uptime >= 0)
		(void)snprintf(cells->number[3], sizeof cells->number[3],
		    "%.0f", uptime);
	for (i = 0; i < sizeof counters / sizeof *counters; i++) {
		if (hm_json_u64(record, counters[i], &n) == 0)
			(void)snprintf(cells->number[4 + i],
			    sizeof cells->number[4 + i], "%llu",
			    (unsigned long long)n);
	}
	for (i = 1; i < CELLS; i++)
		cells->cell[i] = cells->number[i];
	cells->cell[2] = hm_status_print(&status, false, cells->status,
	    sizeof cells->status);
}

/* A row that cannot wait for the others' widths. */
static void
print_row(const struct stat_run *run, const char *const *cells)
{
	static const int widths[CELLS] = { 12, 7, 28, 6, 8, 8, 10, 10, 0 };
	char safe[HM_ERROR_TEXT];
	size_t i;

	for (i = 0; i < CELLS; i++) {
		(void)hm_text_safe(cells[i], cells[i] == NULL ? 0 :
								strlen(cells[i]),
		    safe, sizeof safe);
		printf(run->aligned ? "%s%-*s" : "%s%.0d%s",
		    i == 0	     ? "" :
			run->aligned ? "  " :
				       "\t",
		    run->aligned ? widths[i] : 0,
		    safe[0] == '\0' ? "-" : safe);
	}
	(void)putchar('\n');
}

static void
print_json(const struct hm_json *record)
{
	struct hm_json_out out;
	char *text;

	hm_json_out_init(&out);
	hm_json_put_value(&out, NULL, record);
	text = hm_json_out_take(&out, NULL);
	if (text != NULL)
		(void)puts(text);
	free(text);
}

static void
print_tail(const struct hm_json *record)
{
	const struct hm_json *tail = hm_json_get(record, "tail"), *line;
	char safe[4096];

	if (tail == NULL)
		return;
	for (line = tail->child; line != NULL; line = line->next) {
		if (line->type == HM_JSON_STRING)
			printf("%s: %s\n", hm_json_string(record, "name", "?"),
			    hm_text_safe(line->string, line->len, safe,
				sizeof safe));
	}
}

static void
show(struct stat_run *run, const struct hm_json *record)
{
	struct cells cells;
	size_t i;

	if (strcmp(hm_json_string(record, "status", ""), "Ready") != 0)
		run->ready = false;
	if (run->json) {
		print_json(record);
	} else {
		fill_cells(&cells, record);
		if (run->table == NULL)
			print_row(run, cells.cell);
		else if (table_row(run->table, cells.cell) == -1)
			run->status = TOOL_SYSTEM;
		if (run->tail && run->table == NULL)
			print_tail(record);
	}
	if (hm_json_get(record, "ended") == NULL)
		return;
	for (i = 0; i < run->n; i++) {
		if (strcmp(run->names[i],
			hm_json_string(record, "name", "")) == 0)
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
