/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A table for people: columns as wide as they need, the first row is the head. */
#ifndef WEIR_CLI_TABLE_H
#define WEIR_CLI_TABLE_H

#include <stdio.h>

#include "util/vec.h"

#define TABLE_COLUMNS 12

struct table {
	const char *align; /* a letter per column, 'l' or 'r' */
	int indent;
	VEC(char *) cells; /* row by row, strlen(align) per row */
	bool failed;
};

/* Appends a cell. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for each of `names`, up to NULL: the first row. */
void table_head(struct table *table, const char *const *names);

/* Prints and empties. */
void table_print(struct table *table, FILE *out);
void table_fini(struct table *table);

#endif
