/*
 * Records in columns.  For a terminal all rows are kept until the end, because
 * the widest cell decides, unless widths are given; for a pipe each is printed
 * as it comes, so that what reads it can begin.  A row that could not be kept
 * leaves no half of itself.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/tool.h"

#define COLUMNS_MAX 16
#define CELL_MAX 512

struct table {
	FILE *out;
	const char *const *columns;
	size_t n, width[COLUMNS_MAX];
	bool aligned, keeps;
	char **cells; /* rows that wait for the widths */
	size_t ncells, ccells;
};

static const char *
safe_cell(const char *cell, char safe[CELL_MAX])
{
	if (cell == NULL || cell[0] == '\0')
		return "-";
	return hm_text_safe(cell, strlen(cell), safe, CELL_MAX);
}

static int
print_row(const struct table *table, const char *const *cells)
{
	char safe[CELL_MAX];
	size_t i;

	for (i = 0; i + 1 < table->n; i++) {
		if (table->aligned)
			fprintf(table->out, "%-*s  ", (int)table->width[i],
			    safe_cell(cells[i], safe));
		else
			fprintf(table->out, "%s\t", safe_cell(cells[i], safe));
	}
	return fprintf(table->out, "%s\n", safe_cell(cells[i], safe)) < 0 ? -1
									  : 0;
}

struct table *
table_new(FILE *out, const char *const *columns, const size_t *widths)
{
	struct table *table = calloc(1, sizeof *table);
	size_t i;

	if (table == NULL)
		return NULL;
	table->out = out;
	table->columns = columns;
	table->aligned = isatty(fileno(out)) == 1;
	table->keeps = table->aligned && widths == NULL;
	for (i = 0; i < COLUMNS_MAX && columns[i] != NULL; i++)
		table->width[i] =
		    widths == NULL ? strlen(columns[i]) : widths[i];
	table->n = i;
	if (table->aligned && !table->keeps)
		(void)print_row(table, columns);
	return table;
}

int
table_row(struct table *table, const char *const *cells)
{
	char safe[CELL_MAX], **grown;
	size_t i, len, cap;

	if (!table->keeps)
		return print_row(table, cells);
	if (table->ncells + table->n > table->ccells) {
		cap = table->ccells * 2 + 16 * table->n;
		grown = realloc(table->cells, cap * sizeof *grown);
		if (grown == NULL)
			return -1;
		table->cells = grown;
		table->ccells = cap;
	}
	for (i = 0; i < table->n; i++) {
		len = strlen(safe_cell(cells[i], safe));
		if (len > table->width[i])
			table->width[i] = len;
		table->cells[table->ncells] =
		    strdup(cells[i] == NULL ? "" : cells[i]);
		if (table->cells[table->ncells] == NULL) {
			while (i-- > 0)
				free(table->cells[--table->ncells]);
			return -1;
		}
		table->ncells++;
	}
	return 0;
}

int
table_end(struct table *table)
{
	size_t i;
	int failed;

	if (table->keeps) {
		(void)print_row(table, table->columns);
		for (i = 0; i + table->n <= table->ncells; i += table->n)
			(void)print_row(
			    table, (const char *const *)table->cells + i);
	}
	for (i = 0; i < table->ncells; i++)
		free(table->cells[i]);
	free(table->cells);
	failed = fflush(table->out) != 0 || ferror(table->out);
	free(table);
	return failed ? -1 : 0;
}
