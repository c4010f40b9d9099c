/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a file may ask for. Each limit is a key of `limits:`; the profile there gives those that are
 * not named. The values of the profiles stand in the schema.
 */
#ifndef WEIR_CONFIG_LIMITS_H
#define WEIR_CONFIG_LIMITS_H

#include "config/tree.h"
#include "util/str.h"

/* All limits of a profile. `ret` is overwritten; 0, or -ENOMEM. */
int limits_of_profile(enum schema_profile profile, struct limits *ret);

/* Those of a file, of which `root` is the tree: wrong ones are as in the profile. The same. */
int limits_read(const struct tree_node *root, struct limits *ret);
void limits_fini(struct limits *limits);

/* What of the file goes beyond its limits. Nothing is said about what is wrong already, nor because
 * of a limit that is. */
void limits_check(struct report *report, struct tree_node *root);

/* Of the idle_timeout of listeners of a protocol, as the schema numbers it. */
enum limit limits_of_idle(int64_t protocol);

/* "profile", "endpoints_per_group", ...: the key. */
const char *limits_key(enum limit limit);

/* Appends the value as the file has it: 8, 10s-900s, [250, 4789]. */
void limits_print(const struct limits *limits, enum limit limit, struct str *out);

#endif
