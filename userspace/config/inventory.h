/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `inventory:` of a configuration: which files say what addresses the instances have that endpoints
 * of type ecs and slb name. What is in these files is the business of instances.h. Called by
 * model.c, build.c and config.c.
 */
#ifndef WEIR_CONFIG_INVENTORY_H
#define WEIR_CONFIG_INVENTORY_H

#include "config/model.h"
#include "config/tree.h"
#include "util/str.h"

/* An instance needs an inventory to be looked up in, an inventory one that looks it up. */
void inventory_check(struct report *report, struct tree_node *root);

/* `ret` and `to` own what has been built or copied, also on failure. 0 or -ENOMEM. */
int inventory_build(const struct tree_node *root, struct inventory *ret);
int inventory_copy(const struct inventory *from, struct inventory *to);

void inventory_fini(struct inventory *inventory);
bool inventory_equal(const struct inventory *a, const struct inventory *b);
void inventory_print(const struct inventory *inventory, struct str *out);

#endif
