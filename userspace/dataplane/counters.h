/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The per-CPU counters, summed over all CPUs. All return 0 or -errno. */
#ifndef WEIR_DATAPLANE_COUNTERS_H
#define WEIR_DATAPLANE_COUNTERS_H

#include <stdint.h>

#include <weir/abi.h>

#include "dataplane/object.h"
#include "plan/plan.h"

/* Everything that is known of a listener's packets. */
struct counters {
	struct weir_traffic traffic;
	uint64_t reason[WEIR_R_COUNT];
};

/* Of a listener: the traffic of all its endpoints, those that are gone included, and how its
 * packets ended. NULL: what belongs to no listener. */
int counters_listener(const struct object *object, const struct plan_listener *listener,
		      struct counters *ret);

/* Of a listener id, only what an endpoint does not count. */
int counters_reasons(const struct object *object, uint32_t id, struct weir_listener_stats *ret);

/* Of an endpoint row: of its packets alone, and with the requests of an http listener, each of
 * which counts as a flow. */
int counters_packets(const struct object *object, uint32_t row, struct weir_endpoint_stats *ret);
int counters_endpoint(const struct object *object, uint32_t row, struct weir_endpoint_stats *ret);

void counters_add(struct weir_traffic *sum, const struct weir_traffic *traffic);

void counters_add_http(struct weir_http *sum, const struct weir_http *http);

#endif
