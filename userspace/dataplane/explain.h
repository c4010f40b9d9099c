/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asks the data plane what it would do with a packet: its source, compiled to explain
 * (bpf/explain.h), is loaded once more onto the maps in force and run on the packet. Nothing
 * is pinned, attached or written; it all ends with the process, and no daemon is asked.
 */
#ifndef WEIR_DATAPLANE_EXPLAIN_H
#define WEIR_DATAPLANE_EXPLAIN_H

#include <weir/explain.h>

#include "dataplane/object.h"

#define EXPLAIN_FRAME_MAX 9600 /* bytes, of a jumbo frame with outer headers */

struct explain;

struct explain_packet {
	const void *frame; /* from Ethernet on */
	size_t size;
	uint32_t ifindex; /* by which it comes in */
};

struct explain_answer {
	int verdict; /* XDP_PASS, ... */
	struct weir_steps steps;
	size_t size;
	uint8_t frame[EXPLAIN_FRAME_MAX]; /* as it leaves */
};

/* `plain`: it is asked of nothing but whole TCP and UDP packets without VLAN tags and options, for
 * which half of the programs is enough, in half the time. `object` is only needed for the call. */
int explain_open(const struct object *object, bool plain, struct explain **ret, struct err *err);
void explain_close(struct explain *explain);
DEFINE_CLEANUP(struct explain *, explain_close)

/* -ENODEV: there is no such interface in this network namespace. */
int explain_ask(struct explain *explain, const struct explain_packet *packet,
		struct explain_answer *ret, struct err *err);

#endif
