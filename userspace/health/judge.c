// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health/judge.h"

static bool is_known(const struct weir_health *health)
{
	return health->state == WEIR_HEALTH_NORMAL || health->state == WEIR_HEALTH_ABNORMAL;
}

static void decide(struct weir_health *health, uint8_t state, uint64_t now)
{
	health->changes += is_known(health);
	health->state = state;
	health->since = now;
	health->streak = 0;
}

bool judge(struct weir_health *health, const struct probe_result *result, uint8_t threshold,
	   uint64_t now)
{
	bool passed = result->reason == WEIR_HEALTH_NONE, decided = false;
	uint8_t says = passed ? WEIR_HEALTH_NORMAL : WEIR_HEALTH_ABNORMAL;

	health->threshold = threshold;
	if (health->state == says) {
		health->streak = 0;
	} else if (!is_known(health) || ++health->streak >= threshold) {
		decide(health, says, now);
		decided = true;
	}
	if (passed)
		health->latency = result->latency;
	/* While an endpoint recovers, people want to know what it recovers from. */
	if (!passed || health->state == WEIR_HEALTH_NORMAL) {
		health->reason = result->reason;
		health->detail = result->detail;
	}
	return decided;
}
