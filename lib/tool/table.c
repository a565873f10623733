/*
 * Records in columns.  For a terminal all rows are kept until the end, because
 * the widest cell decides; for a pipe each is printed as it comes, so that what
 * reads it can begin.  A row that could not be kept leaves no half of itself.
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
	bool aligned;
	char **cells; /* rows that wait for the widths */
	size_t ncells, ccells;
};

struct table *
table_new(FILE *out, const char *const *columns)
{
	struct table *table = calloc(1, sizeof *table);

	if (table == NULL)
		return NULL;
	table->out = out;
	table->columns = columns;
	table->aligned = isatty(fileno(out)) == 1;
	while (table->n < COLUMNS_MAX && columns[table->n] != NULL) {
		table->width[table->n] = strlen(columns[table->n]);
		table->n++;
	}
	return table;
}

/* A row for a pipe is printed as it comes. */
static int
print_tabbed(const struct table *table, const char *const *cells)
{
	char safe[CELL_MAX];
	size_t i;

	for (i = 0; i < table->n; i++)
		fprintf(table->out, "%s%s", i == 0 ? "" : "\t",
		    cells[i] == NULL || cells[i][0] == '\0'
			? "-"
			: hm_text_safe(
			      cells[i], strlen(cells[i]), safe, sizeof safe));
	return putc('\n', table->out) == EOF ? -1 : 0;
}

int
table_row(struct table *table, const char *const *cells)
{
	char safe[CELL_MAX], **grown;
	size_t i, len, cap;

	if (!table->aligned)
		return print_tabbed(table, cells);
	if (table->ncells + table->n > table->ccells) {
		cap = table->ccells * 2 + 16 * table->n;
		grown = realloc(table->cells, cap * sizeof *grown);
		if (grown == NULL)
			return -1;
		table->cells = grown;
		table->ccells = cap;
	}
	for (i = 0; i < table->n; i++) {
		if (cells[i] == NULL || cells[i][0] == '\0')
			(void)strcpy(safe, "-");
		else
			(void)hm_text_safe(
			    cells[i], strlen(cells[i]), safe, sizeof safe);
		len = strlen(safe);
		if (len > table->width[i])
			table->width[i] = len;
		table->cells[table->ncells] = strdup(safe);
		if (table->cells[table->ncells] == NULL) {
			while (i-- > 0)
				free(table->cells[--table->ncells]);
			return -1;
		}
		table->ncells++;
	}
	return 0;
}

static void
print_aligned(const struct table *table, const char *const *cells)
{
	size_t i;

	for (i = 0; i + 1 < table->n; i++)
		fprintf(table->out, "%-*s  ", (int)table->width[i], cells[i]);
	fprintf(table->out, "%s\n", cells[i]);
}

int
table_end(struct table *table)
{
	size_t i;
	int failed;

	if (table->aligned) {
		print_aligned(table, table->columns);
		for (i = 0; i + table->n <= table->ncells; i += table->n)
			print_aligned(
			    table, (const char *const *)table->cells + i);
	}
	for (i = 0; i < table->ncells; i++)
		free(table->cells[i]);
	free(table->cells);
	failed = fflush(table->out) != 0 || ferror(table->out);
	free(table);
	return failed ? -1 : 0;
}
