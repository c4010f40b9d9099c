/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one listener must keep to beyond the schema: values that depend on each other. What lies
 * between listeners is in conflict.c. Nothing is said about what is wrong already.
 */
#ifndef WEIR_CONFIG_CHECK_H
#define WEIR_CONFIG_CHECK_H

#include "config/tree.h"

/* The file, its lists, and each of its listeners by itself. */
void check_tree(struct report *report, struct tree_node *root);

/* What is given twice: names (key `name_id`) of the items of a list; or its addresses or texts. */
void check_names(struct report *report, const struct tree_node *map, unsigned list_id,
		 unsigned name_id, const char *what);
void check_items(struct report *report, const struct tree_node *map, unsigned list_id,
		 const char *what);

#endif
