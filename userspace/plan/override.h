/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the operator changed from the command line, kept apart from what the file says: `weir set`,
 * `weir drain` and `weir disable`. The file wins by default: when a weight changes in the file, an
 * override of that weight is cleared.
 */
#ifndef WEIR_PLAN_OVERRIDE_H
#define WEIR_PLAN_OVERRIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/abi.h>

#include "config/model.h"
#include "util/lookup.h"
#include "util/vec.h"

#define OVERRIDE_WHY_MAX 128

/* Who said it, when and why, and until when it holds; times in seconds since 1970. */
struct override_origin {
	uint32_t who; /* uid */
	int64_t since;
	int64_t until; /* 0: until it is taken back */
	char why[OVERRIDE_WHY_MAX];
};

/* Of an endpoint; of a group, whose traffic_percentage stands for the weight; or of a listener. */
struct override {
	char listener[WEIR_NAME_MAX];
	char group[WEIR_NAME_MAX];    /* "": of the listener */
	char endpoint[WEIR_NAME_MAX]; /* "": of the group */
	int weight;		      /* -1: the file's */
	uint8_t file_weight;	      /* what the file said when the weight was set */
	bool drained;
	bool disabled; /* as if it were not in the file */
	/* Zero of what is not said. */
	struct override_origin weight_origin;
	struct override_origin drain_origin;
	struct override_origin disable_origin;
};

struct overrides {
	VEC(struct override) list;
	struct lookup by_name; /* of those that overrides_get() has added */
};

void overrides_fini(struct overrides *overrides);
int overrides_copy(const struct overrides *overrides, struct overrides *ret);

/* NULL if there is none. */
struct override *overrides_find(const struct overrides *overrides, const char *listener,
				const char *group, const char *endpoint);

/* Finds or adds. NULL without memory. */
struct override *overrides_get(struct overrides *overrides, const char *listener, const char *group,
			       const char *endpoint);

/*
 * Drops what no longer applies to `model`: of endpoints it does not have, of weights that it now
 * states differently, and records that say nothing. Returns how many weights were cleared because
 * the file changed.
 */
unsigned overrides_prune(struct overrides *overrides, const struct model *model);

/* Takes back what holds no longer. Returns how many weights and drains that were; records that say
 * nothing any more stay until overrides_prune(). */
unsigned overrides_expire(struct overrides *overrides, int64_t now);

/* Does any part of it hold no longer? */
bool override_has_expired(const struct override *override, int64_t now);

/* Brings back what `lost` has and `overrides`, which was pruned since, says nothing about. 0 or
 * -ENOMEM. */
int overrides_restore(struct overrides *overrides, const struct overrides *lost);

/* What overrides_prune() would take from `overrides`: *ret, for overrides_restore(). 0 or -ENOMEM.
 */
int overrides_lost(const struct overrides *overrides, const struct model *model,
		   struct overrides *ret);

/* The model without what is disabled: listeners, and endpoints, of which a disabled group has none
 * left. *ret is NULL where nothing is, else the caller's. 0 or -ENOMEM. */
int overrides_enabled(const struct overrides *overrides, const struct model *model,
		      struct model **ret);

/* Do both disable the same? */
bool overrides_same_enabled(const struct overrides *a, const struct overrides *b);

/* "web/main/ep1", or as much of it as it is about. Returns `text`, with room for OVERRIDE_PATH_MAX.
 */
#define OVERRIDE_PATH_MAX (3 * WEIR_NAME_MAX)
const char *override_path(const struct override *override, char *text);

/* The traffic_percentage in force of a group: the override's or the file's. */
uint8_t overrides_percentage(const struct overrides *overrides, const struct listener *listener,
			     const struct endpoint_group *group);

/* The weight in force: the override's or the file's; 0 while drained. */
uint8_t overrides_weight(const struct overrides *overrides, const struct listener *listener,
			 const struct endpoint_group *group, const struct endpoint *endpoint);

/* ... and as if it was not drained. */
uint8_t overrides_undrained_weight(const struct overrides *overrides,
				   const struct listener *listener,
				   const struct endpoint_group *group,
				   const struct endpoint *endpoint);

#endif
