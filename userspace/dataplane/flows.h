/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow maps from outside: ageing, and what flows still refer to. BPF writes records; of the
 * exceptions this deletes those whose time is over, and a packet that comes between finds no record
 * and is treated as the idle flow that it is. NAT records are removed by BPF alone (nat.h).
 */
#ifndef WEIR_DATAPLANE_FLOWS_H
#define WEIR_DATAPLANE_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/object.h"
#include "plan/plan.h"

/* What one scan of all flow maps found. */
struct flows {
	uint32_t nat;	     /* living flows */
	uint32_t exceptions; /* living records */
	uint32_t expired;    /* deleted by this scan */
	uint32_t *by_row;    /* living flows and records per endpoint row, WEIR_MAX_ENDPOINTS */
	struct plan_references references;
};

void flows_fini(struct flows *flows);

/* Scans, and with `expire` deletes what is over at `now` (s). */
int flows_scan(const struct object *object, uint32_t now, bool expire, struct flows *ret,
	       struct err *err);

/* A living flow, from whichever map has it. */
struct flows_entry {
	struct weir_flow key; /* client to listener */
	uint32_t row;	      /* its endpoint's, in a map of that size: may be nobody's by now */
	uint32_t idle;	      /* s since its last packet */
	uint8_t state;	      /* enum weir_flow_state, of both directions together */
	bool nat;	      /* in the NAT table, else in the exceptions */
	struct addr snat;     /* nat: as whom the endpoint sees it */
	uint16_t snat_port;
};

/* Calls `each` with every living flow; those that come and go meanwhile may be missed. A value
 * other than 0 that it returns ends the scan and is returned. */
int flows_each(const struct object *object, uint32_t now,
	       int each(const struct flows_entry *entry, void *user), void *user, struct err *err);

/* Of every table that has a PINNED slot, with which of its slots some living record disagrees. */
struct flows_differences {
	struct {
		const struct plan_listener *listener;
		size_t count;
		bool **differs; /* by plan_table_place(); NULL: of no table */
	} * listeners;		/* by id, WEIR_MAX_LISTENERS */
};

void flows_differences_fini(struct flows_differences *differences);

/* For slots_settle(): of one of the listener's tables; NULL: it has no PINNED slot. */
const bool *flows_differs(const struct flows_differences *differences,
			  const struct plan_listener *listener, const struct plan_table *table);

/* One pass over the exceptions, for all tables of the plan. */
int flows_differ(const struct object *object, const struct plan *plan, uint32_t now,
		 struct flows_differences *ret, struct err *err);

#endif
