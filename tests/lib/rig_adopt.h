/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The plan that is read back from the rig's maps, and whether it is the one that was written. */
#ifndef TESTS_LIB_RIG_ADOPT_H
#define TESTS_LIB_RIG_ADOPT_H

#include "rig.h"

/* The plan in the maps; the caller's. */
struct plan *rig_adopt(void);

/* Everything but what plan_build() did: places and contents. `when` is for the words of a failure.
 */
void rig_expect_same_plan(const struct plan *a, const struct plan *b, const char *when);

/* What is adopted is rig.plan, and nothing is taken for somebody else's change. */
void rig_expect_adopted(const char *when);

/* A plan made anew from the same model: nothing moves, and no table needs other lines. */
void rig_expect_settled(const char *when);

#endif
