/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plan to maps and back: the one writer of configuration maps.
 *
 * A change becomes visible by one store. Everything that is new is written first, beside what is
 * in force: slot tables in free lines, endpoints in free rows, the listener table in the half that
 * is not in use. Then control.generation is flipped, then, after a grace period, what has been
 * retired is cleared. Killed at any point, the old or the new configuration is in force, and
 * sync_adopt() finds which: the listener table in force decides, all else is judged by it.
 */
#ifndef WEIR_DATAPLANE_SYNC_H
#define WEIR_DATAPLANE_SYNC_H

#include "dataplane/object.h"
#include "plan/plan.h"

/*
 * Puts `next` in force; `in_force` is what sync_plan() or sync_adopt() gave last. On success the
 * lines of next's tables are set, and the object may have larger maps. On failure (-ENOSPC, or what
 * object_grow() says, with a text) nothing has changed.
 */
int sync_plan(struct object *object, const struct plan *in_force, struct plan *next,
	      struct err *err);

/* Puts a part of plan_reweigh() in force, at once, for plan_merge(). As sync_plan(). */
int sync_listeners(struct object *object, const struct plan *in_force, struct plan *part,
		   struct err *err);

/* Writes what plan_resolve() has changed: next hops only, each in one store. */
void sync_nexthops(struct object *object, const struct plan *plan);

/* Notes for people what a probe said; the endpoint's state, and with it its slots, is the plan's.
 */
void sync_health(struct object *object, uint32_t row, const struct weir_health *health);

/* Writes the slots of one of a listener's tables in place (phases only differ) and its deadline. */
void sync_phases(struct object *object, const struct plan_listener *listener,
		 const struct plan_table *table);

/* Clears what plan_release() has freed, so that it can be reused. */
void sync_released(struct object *object, const struct plan *plan);

/* Enters one more interface without a plan (weir attach without a daemon): packets that come in by
 * it find their way back. -ENOSPC: there are too many. */
int sync_egress(struct object *object, const struct weir_egress *egress, struct err *err);

/* Reads the plan in force from the maps. -EAGAIN: they are being changed all the time. */
int sync_adopt(const struct object *object, struct plan **ret, struct err *err);

#endif
