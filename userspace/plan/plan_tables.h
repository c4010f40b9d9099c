/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Of a listener's endpoints and groups, the slot tables. Called by plan_build() and plan_reweigh()
 * alone. */
#ifndef WEIR_PLAN_PLAN_TABLES_H
#define WEIR_PLAN_PLAN_TABLES_H

#include "plan/plan.h"

/*
 * Builds all tables anew that are not as they would be anyway. They have the order and the origin
 * that plan_clients_arrange() gives them, and the slots of that origin in `before`, the listener in
 * force (NULL: it is new); endpoints and groups are filled in. 0 or -ENOMEM.
 */
int plan_tables_build(const struct plan_listener *before, struct plan_listener *listener,
		      uint32_t now);

/* It is left without tables. */
void plan_tables_drop(struct plan_listener *listener);

#endif
