/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one model says and another does not, object by object. It is found in what both print, so
 * that every key that can be printed is compared, those to come included. Pure.
 */
#ifndef WEIR_CONFIG_DIFF_H
#define WEIR_CONFIG_DIFF_H

#include <stdbool.h>

#include "config/model.h"
#include "util/vec.h"

enum diff_kind {
	DIFF_ADDED,
	DIFF_REMOVED,
	DIFF_CHANGED,
};

/* An object that came or went, or one key of an object that stays. Texts are owned. */
struct diff_item {
	enum diff_kind kind;
	char *object; /* "listener", "group", "endpoint", "rule", "acl", "region", "settings" */
	char *path;   /* "web/main/ep1", "office"; "" of settings */
	char *key;    /* "health_check.interval"; NULL: the object as a whole */
	/* NULL: nothing. Of an object all that it says; of a list what it lost and what it got. */
	char *before, *after;
	bool list;
};

struct diff {
	VEC(struct diff_item) items; /* settings, acls, then listeners with all that is in them */
};

void diff_fini(struct diff *diff);

/*
 * Empty for models that are equal. Objects are the same if they have the same name and place;
 * neither the order of listeners nor that of acls is a difference. 0 or -ENOMEM.
 */
int diff_models(const struct model *before, const struct model *after, struct diff *ret);

#endif
