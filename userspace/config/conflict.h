/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the listeners of a file must keep to together: ports shared, endpoints that are listeners,
 * and what the data plane can hold. Nothing is said about what is wrong already.
 */
#ifndef WEIR_CONFIG_CONFLICT_H
#define WEIR_CONFIG_CONFLICT_H

#include "config/tree.h"

void conflict_check(struct report *report, struct tree_node *root);

#endif
