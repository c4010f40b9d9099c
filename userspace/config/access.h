/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who may reach a listener: the file's acls by themselves, and what 'allow' and 'deny' of the
 * listeners make of them. Nothing is said about what is wrong already.
 */
#ifndef WEIR_CONFIG_ACCESS_H
#define WEIR_CONFIG_ACCESS_H

#include "config/tree.h"

/* Stores in value.number of each name below 'allow' and 'deny' which of the file's acls it is. */
void access_check(struct report *report, struct tree_node *root);

#endif
