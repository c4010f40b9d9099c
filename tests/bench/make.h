/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a BPF program makes packets: the head of a row's packets, of one flow after the other. */
#ifndef BENCH_MAKE_H
#define BENCH_MAKE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "wrapper.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WRAPPER_FLOWS);
	__type(key, __u32);
	__type(value, struct wrapper_flow);
} flows SEC(".maps");

struct wrapper_state state;

/* Where the last words of the addresses are, and where layer 4 begins. */
struct places {
	__u32 src;
	__u32 dst;
	__u32 l4;
};

static const struct places places4 = { 14 + 12, 14 + 16, 14 + 20 };
static const struct places places6 = { 14 + 8 + 12, 14 + 24 + 12, 14 + 40 };

static __always_inline void put(__u8 *head, const struct wrapper_flow *flow, struct places at)
{
	*(__u32 *)(head + at.src) = flow->src;
	*(__u32 *)(head + at.dst) = flow->dst;
	if (state.protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)(head + at.l4);

		tcp->source = flow->sport;
		tcp->dest = flow->dport;
		tcp->check = flow->l4_check;
	} else if (state.protocol == IPPROTO_UDP) {
		struct udphdr *udp = (void *)(head + at.l4);

		udp->source = flow->sport;
		udp->dest = flow->dport;
		udp->check = flow->l4_check;
	}
}

/* Writes the head of the next flow's packet over what is there: the flow's index, or -1. */
static __always_inline long make_head(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 index = state.first + state.position;
	struct wrapper_flow *flow = bpf_map_lookup_elem(&flows, &index);

	if (!flow || data + WRAPPER_HEAD > end)
		return -1;
	__builtin_memcpy(data, state.head, WRAPPER_HEAD);
	if (state.version == 4) {
		((struct iphdr *)(data + ETH_HLEN))->check = flow->ip_check;
		put(data, flow, places4);
	} else {
		put(data, flow, places6);
	}
	state.position = state.position + 1 < state.count ? state.position + 1 : 0;
	return index;
}

#endif
