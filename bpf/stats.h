/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Per-CPU counters: by listener and reason, and the traffic of endpoints. */
#ifndef WEIR_BPF_STATS_H
#define WEIR_BPF_STATS_H

#include "explain.h"
#include "maps.h"
#include "pkt.h"

#define NO_LISTENER_ID 0

/* Something on the way of a packet that goes on. */
static __always_inline void count(__u32 listener, enum weir_reason reason)
{
	struct weir_listener_stats *stats;
	__u32 index = reason;

	if (EXPLAINING) {
		EXPLAIN_WITHHELD(COUNT, reason);
		return;
	}
	stats = bpf_map_lookup_elem(&listener_stats, &listener);
	/* The compiler has seen what each function returns and would leave out the check; the
	 * verifier looks at functions one by one, and needs it. */
	asm volatile("" : "+r"(index));
	if (stats && index < WEIR_R_COUNT)
		stats->reason[index]++;
}

/* A packet that an endpoint gets, or has sent. */
static __always_inline void count_traffic(const struct pkt *pkt, bool reply)
{
	struct weir_endpoint_stats *stats;
	__u32 row = pkt->endpoint;

	if (EXPLAINING)
		return;
	stats = bpf_map_lookup_elem(&endpoint_stats, &row);
	if (!stats)
		return;
	if (reply) {
		stats->traffic.reply_packets++;
		stats->traffic.reply_bytes += pkt->l3_length;
		return;
	}
	stats->traffic.packets++;
	stats->traffic.bytes += pkt->l3_length;
	if (pkt->new_flow)
		stats->traffic.flows++;
}

#endif
