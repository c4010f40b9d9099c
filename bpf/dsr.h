/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The dsr mode: only the destination MAC changes. The endpoint has the listener's address on its
 * loopback and answers the client itself. What its interface does not take is
 * too big for it, as in the other modes.
 */
#ifndef WEIR_BPF_DSR_H
#define WEIR_BPF_DSR_H

#include "forward.h"

static __always_inline enum weir_reason dsr_forward(struct pkt *pkt,
						    const struct weir_endpoint *endpoint)
{
	pkt->new_flow = pkt->flags & PKT_SYN;
	return forward_length(pkt, nexthop_read(&endpoint->nexthop), pkt->l3_length);
}

#endif
