/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ethernet frames as bytes, for `weir explain`: one is built as a client sends it, and what the
 * data plane has made of it is read again, layer by layer. No other packet passes user space.
 */
#ifndef WEIR_NET_FRAME_H
#define WEIR_NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/abi.h>

#include "net/addr.h"

#define FRAME_BUILD_MAX 128 /* bytes */
#define FRAME_LAYERS	12

struct frame_spec {
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
	uint16_t vlan[WEIR_VLANS]; /* as in weir_egress */
	struct addr src;
	struct addr dst; /* of the family of src */
	uint16_t sport;	 /* host order */
	uint16_t dport;
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	bool syn;	  /* TCP: asks for a connection; otherwise a segment of one there is */
};

/* Without payload, with right checksums and a TTL of 64. Returns its bytes. */
size_t frame_build(const struct frame_spec *spec, uint8_t ret[FRAME_BUILD_MAX]);

/* A header, in words. */
struct frame_layer {
	const char *name; /* "eth", "vlan", "ipv4", "ipv6", "gue", "tcp", "udp", "icmp", "icmpv6" */
	char src[ADDR_TEXT_MAX]; /* MAC, address or port; "" where there is none */
	char dst[ADDR_TEXT_MAX];
	const char *what; /* of `value`: "id", "ttl", "flags", "type"; NULL: there is none */
	char value[32];
};

/* The headers from the outermost on, as far as they are whole and known; returns how many. */
size_t frame_read(const uint8_t *frame, size_t size, struct frame_layer ret[FRAME_LAYERS]);

#endif
