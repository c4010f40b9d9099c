/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Per-CPU counters: by listener and reason, and the traffic of listeners and endpoints. */
#ifndef WEIR_BPF_STATS_H
#define WEIR_BPF_STATS_H

#include "maps.h"
#include "pkt.h"

#define NO_LISTENER_ID 0

static __always_inline void count(__u32 listener, enum weir_reason reason)
{
	struct weir_listener_stats *stats = bpf_map_lookup_elem(&listener_stats, &listener);

	if (stats && reason < WEIR_R_COUNT)
		stats->reason[reason]++;
}

/* A packet from a client that leaves for an endpoint. */
static __always_inline void count_request(__u32 listener, __u32 endpoint, __u32 bytes,
					  bool new_flow)
{
	struct weir_listener_stats *all = bpf_map_lookup_elem(&listener_stats, &listener);
	struct weir_endpoint_stats *one = bpf_map_lookup_elem(&endpoint_stats, &endpoint);

	if (!all || !one)
		return;
	all->traffic.packets++;
	all->traffic.bytes += bytes;
	all->traffic.flows += new_flow;
	one->traffic.packets++;
	one->traffic.bytes += bytes;
	one->traffic.flows += new_flow;
}

/* A packet from an endpoint that leaves for its client. */
static __always_inline void count_reply(__u32 listener, __u32 endpoint, __u32 bytes)
{
	struct weir_listener_stats *all = bpf_map_lookup_elem(&listener_stats, &listener);
	struct weir_endpoint_stats *one = bpf_map_lookup_elem(&endpoint_stats, &endpoint);

	if (!all || !one)
		return;
	all->traffic.reply_packets++;
	all->traffic.reply_bytes += bytes;
	one->traffic.reply_packets++;
	one->traffic.reply_bytes += bytes;
}

#endif
