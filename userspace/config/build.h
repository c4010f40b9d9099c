/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a tree without errors to the model, with every default filled in.
 */
#ifndef WEIR_CONFIG_BUILD_H
#define WEIR_CONFIG_BUILD_H

#include "config/tree.h"

/* NULL without memory. */
struct model *build_model(const struct tree_node *root);

/* The part of a listener that is about HTTP; NULL for protocol tcp and udp. `model` has its limits.
 * 0 or -ENOMEM. */
int http_build(const struct tree_node *listener, const struct model *model, struct http **ret);

#endif
