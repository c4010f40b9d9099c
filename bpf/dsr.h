/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The dsr mode: only the destination MAC changes. The endpoint has the listener's address on its
 * loopback and answers the client itself.
 */
#ifndef WEIR_BPF_DSR_H
#define WEIR_BPF_DSR_H

#include "forward.h"
#include "select.h"

static __always_inline enum weir_reason dsr_request(struct pkt *pkt,
						    const struct weir_listener *listener)
{
	const struct weir_endpoint *endpoint;
	enum weir_reason reason;
	__u32 row = 0;

	reason = select_endpoint(pkt, listener, &row);
	if (reason != GO_ON)
		return reason;
	endpoint = bpf_map_lookup_elem(&endpoints, &row);
	if (!endpoint)
		return WEIR_R_INTERNAL;
	pkt->endpoint = row;
	pkt->new_flow = pkt->flags & PKT_SYN;
	return forward(pkt, nexthop_read(&endpoint->nexthop));
}

#endif
