/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Regions in a configuration: how far they are, whose clients are there, and that a listener's
 * default groups lie in different ones. Called by model.c, build.c and config.c.
 */
#ifndef WEIR_CONFIG_REGIONS_H
#define WEIR_CONFIG_REGIONS_H

#include "config/model.h"
#include "config/tree.h"
#include "util/str.h"

void regions_check(struct report *report, struct tree_node *root);

/* `model` owns what has been built or copied, also on failure. 0 or -ENOMEM. */
int regions_build(const struct tree_node *root, struct model *model);
int regions_copy(const struct model *from, struct model *to);

void regions_fini(struct model *model);
bool regions_equal(const struct model *a, const struct model *b);
void regions_print(const struct model *model, struct str *out);

/* NULL if the file says nothing about it. */
const struct region *regions_find(const struct model *model, const char *name);

/* Does it say anything: under `regions:`, of a group, or of the node? */
bool regions_known(const struct model *model, const char *name);

/* Where the clients of a country are, or else those of its continent; two letters each, or "". NULL
 * if the file says nothing about them. */
const struct region *regions_of_country(const struct model *model, const char *country,
					const char *continent);

/*
 * From one region to another (ms): as either of them says it, and 0 if they are the same; from the
 * node's region as the other one's own latency says. MODEL_UNKNOWN_LATENCY.
 */
uint32_t regions_latency(const struct model *model, const char *from, const char *to);

#endif
