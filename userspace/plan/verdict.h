/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What health checks have found out about endpoints: the third layer, beside what the file says and
 * what the operator overrides. health/ writes it, plan_build() reads it, tests write it by hand.
 */
#ifndef WEIR_PLAN_VERDICT_H
#define WEIR_PLAN_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/abi.h>

#include "config/model.h"
#include "net/addr.h"
#include "util/lookup.h"
#include "util/vec.h"

struct verdict {
	char listener[WEIR_NAME_MAX];
	char group[WEIR_NAME_MAX];
	char endpoint[WEIR_NAME_MAX];
	struct addr address; /* a name may stand for several */
	struct weir_health health;
	uint32_t row; /* of the endpoint in force, for who shows it; VERDICT_NO_ROW: not known */
};

#define VERDICT_NO_ROW UINT32_MAX

struct verdicts {
	VEC(struct verdict) list;
	struct lookup by_name;
};

void verdicts_fini(struct verdicts *verdicts);

/* Adds one that is not there yet: 0 or -ENOMEM. */
int verdicts_add(struct verdicts *verdicts, const struct verdict *verdict);

/* NULL if there is none. */
struct verdict *verdicts_find(const struct verdicts *verdicts, const char *listener,
			      const char *group, const char *endpoint, const struct addr *address);

/* What holds for an endpoint of a group, whose checks may be new or have ended; `verdicts` may be
 * NULL. */
struct weir_health verdicts_health(const struct verdicts *verdicts, const struct listener *listener,
				   const struct endpoint_group *group,
				   const struct endpoint *endpoint);

/* The state of a group or listener, of its endpoints': "normal", "partially_abnormal", "abnormal",
 * or "unchecked" where none is checked. */
struct verdict_sum {
	unsigned all;
	unsigned checked;
	unsigned abnormal;
};
void verdict_sum_add(struct verdict_sum *sum, const struct weir_health *health);
const char *verdict_sum_name(const struct verdict_sum *sum);

/* "unchecked", "unknown", "normal", "abnormal" */
const char *verdict_state(const struct weir_health *health);

/* The reason's name: "refused"; and in words: "connection refused". Returns `text`, with room for
 * VERDICT_REASON_MAX. */
#define VERDICT_REASON_MAX 96
const char *verdict_reason_name(const struct weir_health *health);
const char *verdict_reason(const struct weir_health *health, char *text);

#endif
