/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the results of probes to the state of an endpoint: the first decides, from then on as many
 * in a row as the threshold says. Pure; the time is the caller's.
 */
#ifndef WEIR_HEALTH_JUDGE_H
#define WEIR_HEALTH_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/health.h>

/* How a probe ended. */
struct probe_result {
	uint8_t reason;	  /* enum weir_health_reason; NONE: it passed */
	uint16_t detail;  /* of the reason */
	uint32_t latency; /* us from its start to its end */
};

/* Counts a result in; `now` is CLOCK_REALTIME in s. True if the state is another now: normal after
 * abnormal, the reverse, or the first that is known. */
bool judge(struct weir_health *health, const struct probe_result *result, uint8_t threshold,
	   uint64_t now);

#endif
