/*
 * Records of procs, as control tells them, in cells, in lines and in JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "tool/row.h"

const char *const row_columns[] = {"NAME", "PID", "STATUS", "UPTIME", "MSGS_IN",
    "MSGS_OUT", "BYTES_IN", "BYTES_OUT", "QUEUED", NULL};
const size_t row_widths[ROW_CELLS] = {12, 7, 28, 6, 8, 8, 10, 10, 0};
static const char *const counters[] = {
    "msgs_in", "msgs_out", "bytes_in", "bytes_out", "queued"};

void
row_fill(struct row *row, const struct hm_json *record)
{
	struct hm_status status;
	uint64_t n;
	double uptime = hm_json_double(record, "uptime", -1);
	size_t i;

	memset(row, 0, sizeof *row);
	if (hm_status_get(&status, record) == -1)
		return;
	row->cell[0] = hm_json_string(record, "name", NULL);
	if (status.pid > 0)
		(void)snprintf(row->number[1], sizeof row->number[1], "%ld",
		    (long)status.pid);
	if (uptime >= 0)
		(void)snprintf(
		    row->number[3], sizeof row->number[3], "%.0f", uptime);
	for (i = 0; i < sizeof counters / sizeof *counters; i++) {
		if (hm_json_u64(record, counters[i], &n) == 0)
			(void)snprintf(row->number[4 + i],
			    sizeof row->number[4 + i], "%llu",
			    (unsigned long long)n);
	}
	for (i = 1; i < ROW_CELLS; i++)
		row->cell[i] = row->number[i];
	row->cell[2] =
	    hm_status_print(&status, false, row->status, sizeof row->status);
}

void
row_print_json(const struct hm_json *record)
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

void
row_print_tail(const struct hm_json *record)
{
	const struct hm_json *tail = hm_json_get(record, "tail"), *line;
	char safe[4 * HM_TAIL_BYTES + 1];

	if (tail == NULL)
		return;
	for (line = tail->child; line != NULL; line = line->next) {
		if (line->type == HM_JSON_STRING)
			printf("%s: %s\n", hm_json_string(record, "name", "?"),
			    hm_text_safe(
				line->string, line->len, safe, sizeof safe));
	}
}

void
row_print_tails(const struct hm_json *answer)
{
	const struct hm_json *procs = hm_json_get(answer, "procs"), *record;

	if (procs == NULL)
		row_print_tail(hm_json_get(answer, "proc"));
	else
		for (record = procs->child; record != NULL;
		     record = record->next)
			row_print_tail(record);
}
