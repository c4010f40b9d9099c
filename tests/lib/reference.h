/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which endpoint a packet must go to, written a second time after the design and not after the
 * code: the table that is in force, how its slots follow changes, the flows recorded meanwhile; and
 * the flow records of nat listeners. Tests compare the data plane with it packet by packet.
 *
 * Endpoints are numbers that stay theirs for ever. Whoever uses this keeps `now` and `endpoints` up
 * to date and calls what the daemon would do.
 */
#ifndef TESTS_LIB_REFERENCE_H
#define TESTS_LIB_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFERENCE_ENDPOINTS 64
#define REFERENCE_SLOTS	    65536
#define REFERENCE_NOBODY    0xff /* as an endpoint */

struct reference {
	uint32_t now; /* s */
	uint32_t idle_timeout;
	struct {
		bool lives;	/* is in the configuration: keeps its flows */
		bool takes_new; /* has a weight and is not drained */
		bool reachable; /* nat opens no flow to one that is not */
	} endpoints[REFERENCE_ENDPOINTS];
};

enum reference_phase {
	STABLE,
	MOVING,
	PINNED
};

struct reference_slot {
	uint8_t cur;
	uint8_t prev;
	uint8_t phase;
};

/* Of a listener and a family of clients. Zero: there is none yet. */
struct reference_table {
	struct reference_slot slots[REFERENCE_SLOTS];
	uint32_t size;
	uint32_t deadline; /* of MOVING; 0: nothing moves */
	uint32_t moved;	   /* when the listener's endpoints moved to other rows */
};

enum reference_packet {
	REF_SYN,
	REF_DATA,
	REF_FIN,
	REF_RST,
	REF_UDP
};

struct reference_flow {
	uint32_t hash;
	bool recorded;
	uint8_t endpoint;
	uint8_t last;  /* enum reference_packet, but a FIN stays one */
	uint32_t made; /* the record */
	uint32_t seen;
};

/* Another table comes into force: slot i belongs to chosen[i % size]. The table in force has as
 * many slots as any before it. Endpoints are as they will be. */
void reference_change(const struct reference *reference, struct reference_table *table,
		      const uint8_t *chosen, uint32_t size);

/* What the daemon does now and then: slots whose records all agree settle, then those whose window
 * is over are pinned. */
void reference_settle(const struct reference *reference, struct reference_table *table,
		      const struct reference_flow *flows, size_t count);
void reference_pin(const struct reference *reference, struct reference_table *table);

/* Where a packet of a flow goes in the modes without a flow table. */
uint8_t reference_select(const struct reference *reference, const struct reference_table *table,
			 struct reference_flow *flow, enum reference_packet packet);

/* ... and in mode nat, whose table has no phases. */
uint8_t reference_nat(const struct reference *reference, const uint8_t *chosen, uint32_t size,
		      struct reference_flow *flow, enum reference_packet packet);

#endif
