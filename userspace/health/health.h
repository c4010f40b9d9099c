/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Health checks: asks the endpoints of every group that has a health_check, on the daemon's loop,
 * and holds what is known about them. It touches no map: whoever owns it hears of every result, and
 * of those that change a state, and builds the plan with health_verdicts().
 *
 *   health.c  which endpoints are checked, and when     probe.c  asks one of them
 *   judge.c   from results to a state                   schedule.c  what is due when
 *   http_answer.c  reads a status                       trusts.c  whose certificates will do
 */
#ifndef WEIR_HEALTH_HEALTH_H
#define WEIR_HEALTH_HEALTH_H

#include "config/model.h"
#include "health/trusts.h"
#include "plan/plan.h"
#include "plan/verdict.h"
#include "util/cleanup.h"
#include "util/loop.h"

struct health;

/* A verdict is valid inside the call. */
struct health_calls {
	/* A probe has ended; `decided`: the state is another now. */
	void (*probed)(void *user, const struct verdict *verdict, bool decided);
	/* No probe can be made: this host lacks something. At most once a minute. */
	void (*hindered)(void *user, int error);
	void *user;
};

int health_new(struct loop *loop, const struct health_calls *calls, struct health **ret);
void health_free(struct health *health);
DEFINE_CLEANUP(struct health *, health_free)

/* Goes on from what is known of the endpoints of a plan that was adopted. 0 or -ENOMEM. */
int health_adopt(struct health *health, const struct plan *plan);

/*
 * From now on the endpoints of this model are checked. What is known of those that were checked
 * before, under the same names and addresses, stays. `trusts` is what has been read of whom they
 * trust; taken in any case. 0 or -ENOMEM, and then all is as it was.
 */
int health_follow(struct health *health, const struct model *model, struct trusts *trusts);

/* Notes where the endpoints' rows are; to be called after each new plan. */
void health_bind(struct health *health, const struct plan *plan);

/* What is known. The pointer stays, what it points to changes. */
const struct verdicts *health_verdicts(const struct health *health);

#endif
