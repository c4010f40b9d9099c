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

static __always_inline void add_request(struct weir_traffic *traffic, const struct pkt *pkt)
{
	traffic->packets++;
	traffic->bytes += pkt->l3_length;
	traffic->flows += pkt->new_flow;
}

static __always_inline void add_reply(struct weir_traffic *traffic, const struct pkt *pkt)
{
	traffic->reply_packets++;
	traffic->reply_bytes += pkt->l3_length;
}

/* The end of every packet: the traffic it is if it was forwarded, else its reason. */
static __always_inline void account(const struct pkt *pkt, __u32 listener, enum weir_reason reason)
{
	struct weir_endpoint_stats *stats;
	__u32 row = pkt->endpoint;

	if (reason > WEIR_R_REPLIED) {
		count(listener, reason);
		return;
	}
	if (EXPLAINING)
		return;
	stats = bpf_map_lookup_elem(&endpoint_stats, &row);
	if (!stats)
		return;
	if (reason == WEIR_R_REPLIED)
		add_reply(&stats->traffic, pkt);
	else
		add_request(&stats->traffic, pkt);
}

#endif
