// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/table.h"

#include <stdarg.h>
#include <string.h>

void table_add(struct table *table, const char *format, ...)
{
	va_list arguments;
	char *cell;

	va_start(arguments, format);
	if (vasprintf(&cell, format, arguments) < 0 || vec_push(&table->cells, cell))
		table->failed = true;
	va_end(arguments);
}

static void print_row(const struct table *table, char **row, const int *width, FILE *out)
{
	size_t columns = strlen(table->align);

	fprintf(out, "%*s", table->indent, "");
	for (size_t i = 0; i < columns; i++) {
		bool right = table->align[i] == 'r', last = i + 1 == columns;

		if (last && !right)
			fputs(row[i], out);
		else
			fprintf(out, "%*s%s", right ? width[i] : -width[i], row[i],
				last ? "" : "  ");
	}
	fputc('\n', out);
}

void table_head(struct table *table, const char *const *names)
{
	for (; *names; names++)
		table_add(table, "%s", *names);
}

void table_print(struct table *table, FILE *out)
{
	size_t columns = strlen(table->align);
	int width[TABLE_COLUMNS] = {};

	for (size_t i = 0; i < table->cells.count; i++) {
		int size = strlen(table->cells.items[i]);

		if (size > width[i % columns])
			width[i % columns] = size;
	}
	for (size_t i = 0; !table->failed && i + columns <= table->cells.count; i += columns)
		print_row(table, table->cells.items + i, width, out);
	table_fini(table);
}

void table_fini(struct table *table)
{
	vec_foreach(cell, &table->cells)
		free(*cell);
	vec_free(&table->cells);
}
