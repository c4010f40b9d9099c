/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packets of a row: one template and N flows, in an order that has nothing to do with the one
 * in which they were made. All N are distinct and every packet has good checksums, which is checked
 * packet by packet when they are made.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdint.h>

#include "packet.h"
#include "util/err.h"
#include "wrapper.h"

struct traffic_spec {
	const char *src; /* first address of the clients, with room for 2^18 that follow it */
	const char *dst; /* first address */
	uint32_t spread; /* so many addresses, from dst on; 0: one */
	uint16_t dport;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, or IPPROTO_ICMP: an echo request, one flow */
	uint8_t flags;	  /* TH_SYN, ... */
	uint32_t flows;
};

struct traffic {
	struct packet packet;	    /* of no flow in particular */
	struct wrapper_flow *flows; /* in the wrapper's map */
	uint32_t first;
	uint32_t count;
	uint8_t version;
	uint8_t protocol;
};

/* The wrapper's map of flows, and how much of it is taken. */
struct traffic_room {
	struct wrapper_flow *flows;
	uint32_t taken;
};

/* -ENOSPC: too many flows; -EINVAL: the flows are not distinct, or a checksum is wrong. */
int traffic_make(struct traffic_room *room, const struct traffic_spec *spec, struct traffic *ret,
		 struct err *err);

/* The same flows with other TCP flags. */
int traffic_with_flags(struct traffic_room *room, const struct traffic_spec *spec,
		       const struct traffic *flows, uint8_t flags, struct traffic *ret,
		       struct err *err);

/*
 * Room for the answers to `requests`, whose flows the wrapper then learns; traffic_learned()
 * completes them. `spec` tells how the answers look: any endpoint's address, the SNAT address.
 */
int traffic_replies(struct traffic_room *room, const struct traffic *requests, struct traffic *ret,
		    struct err *err);
int traffic_learned(const struct traffic_spec *spec, struct traffic *replies, struct err *err);

/* The packet of a flow. */
void traffic_packet(const struct traffic *traffic, uint32_t flow, struct packet *ret);

/* Whether checksums are good, those of a packet within a packet, too. */
bool traffic_sums_good(const uint8_t *bytes, size_t size);

#endif
