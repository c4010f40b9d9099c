/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The schema over a tree: finds the key of every node, reads the values, and brings the short
 * forms into the long one, so that later stages see only one:
 *
 *   a scalar where a list is due      a list of one
 *   "10.0.0.1:80 weight 5"            a mapping of address, port, weight
 *   redirect: "/new"                  a mapping of url
 *   port: "80,443"                    each item of the list is a list of ports and ranges
 */
#ifndef WEIR_CONFIG_READ_H
#define WEIR_CONFIG_READ_H

#include "config/tree.h"

/* Reads the tree as `schema` (schema_root) says; what is wrong goes into the report. */
void read_tree(struct report *report, struct tree_node *root, const struct schema_key *schema);

#endif
