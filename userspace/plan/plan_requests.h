/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Of requests, what slots say of flows: how many go to other endpoints by another plan. */
#ifndef WEIR_PLAN_PLAN_REQUESTS_H
#define WEIR_PLAN_PLAN_REQUESTS_H

#include "plan/plan.h"

/*
 * The part (0..1) of the requests of clients of a region (0: of none) to the default groups of an
 * http listener that go elsewhere by `now`, a plan that follows `before`. 0 or -ENOMEM.
 */
int plan_requests_moved(const struct plan_listener *before, const struct plan_listener *now,
			uint8_t region, double *ret);

#endif
