/*
 * A record of a proc, to be printed.
 */
#ifndef HM_ROW_H
#define HM_ROW_H

#include "tool/tool.h"

#define ROW_CELLS 9
extern const char *const row_columns[]; /* NAME PID STATUS …, NULL-ended */
/* For rows that cannot wait for the widths of others. */
extern const size_t row_widths[ROW_CELLS];

/* The cells of a record, in text; they point into the record too. */
struct row {
	char status[HM_ADDR_SIZE + HM_REASON_MAX], number[ROW_CELLS][24];
	const char *cell[ROW_CELLS];
};

void row_fill(struct row *row, const struct hm_json *record);
void row_print_json(const struct hm_json *record);
/* The last lines of whatever is in an answer ("procs" or "proc"). */
void row_print_tails(const struct hm_json *answer);
void row_print_tail(const struct hm_json *record);

#endif
