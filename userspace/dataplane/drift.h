/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What someone else has changed in the data plane: its maps, programs and pins, compared with the
 * plan in force, which weir alone has written. What packets change by themselves (flows, counters,
 * what is learned of paths) and what the daemon only notes for people of health checks is left out.
 */
#ifndef WEIR_DATAPLANE_DRIFT_H
#define WEIR_DATAPLANE_DRIFT_H

#include "dataplane/object.h"
#include "plan/plan.h"
#include "util/vec.h"

/* One row, table or pin that is not as it should be. Texts are owned. */
struct drift_item {
	char *where; /* "endpoints[4]", "slots", "link-eth0" */
	char *what;  /* "web/main/ep1: state, weight" */
};

#define DRIFT_LISTED 1000

struct drift {
	VEC(struct drift_item) list; /* the first DRIFT_LISTED */
	size_t count;
	bool programs; /* a program is missing: only others in their place repair it */
	bool failed;   /* out of memory */
};

void drift_fini(struct drift *drift);

/* Adds one to those found. */
void drift_add(struct drift *drift, const char *where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum drift_action {
	DRIFT_LOOK,
	/* Writes what should be there, word by word, but for the listener table, which the next
	 * sync_plan() writes anew in any case, and programs: object_reload(). */
	DRIFT_REPAIR,
};

/* `plan` is in force. Adds to *ret. */
void drift_find(struct object *object, const struct plan *plan, enum drift_action action,
		struct drift *ret);

#endif
