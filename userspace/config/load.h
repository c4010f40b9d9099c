/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * YAML text to tree: the only user of libyaml. Anchors, aliases, tags and several documents are
 * refused; depth and size are bounded.
 */
#ifndef WEIR_CONFIG_LOAD_H
#define WEIR_CONFIG_LOAD_H

#include "config/tree.h"

/*
 * Loads the text of the report into an empty tree, whose arena is the report's from then on. What
 * is wrong goes into the report. Returns 0, or -EINVAL if the tree is not all of the text: after a
 * syntax error it holds what came before.
 */
int load_tree(struct report *report, struct tree *tree);

#endif
