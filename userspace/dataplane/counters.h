/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The per-CPU counters, summed over all CPUs. */
#ifndef WEIR_DATAPLANE_COUNTERS_H
#define WEIR_DATAPLANE_COUNTERS_H

#include <stdint.h>

#include <weir/abi.h>

#include "dataplane/object.h"

/* Of a listener id; WEIR's id 0 counts what belongs to no listener. 0 or -errno. */
int counters_listener(const struct object *object, uint32_t id, struct weir_listener_stats *ret);

/* Of an endpoint row. 0 or -errno. */
int counters_endpoint(const struct object *object, uint32_t row, struct weir_endpoint_stats *ret);

#endif
