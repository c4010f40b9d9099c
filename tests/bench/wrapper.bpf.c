// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * BPF_PROG_TEST_RUN with `repeat` gives the second run what the first one left of the packet. This
 * program makes the packet anew, of the next flow, and tail-calls the program under test; with the
 * empty program as target it is the control. It does the same work for both: the head is always
 * put back by a helper call, whether the target moved it or not.
 */
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
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, WRAPPER_PROGRAMS);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

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

/* Makes the next packet: its flow's index, or -1. */
static __always_inline long make(struct xdp_md *ctx)
{
	__u32 index = state.first + state.position;
	struct wrapper_flow *flow = bpf_map_lookup_elem(&flows, &index);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	long size = end - data;

	asm volatile("" : "+r"(size)); /* pointers are subtracted whole, or the verifier objects */
	if (!flow || bpf_xdp_adjust_head(ctx, (int)(size - state.length)))
		return -1;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + WRAPPER_HEAD > end)
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

SEC("xdp.frags")
int wrapper(struct xdp_md *ctx)
{
	if (make(ctx) < 0)
		return XDP_ABORTED;
	bpf_tail_call(ctx, &programs, state.target);
	return XDP_ABORTED;
}

static __always_inline void take(struct wrapper_flow *flow, const __u8 *head, struct places at)
{
	flow->src = *(__u32 *)(head + at.dst);
	flow->dst = *(__u32 *)(head + at.src);
	flow->sport = ((struct udphdr *)(head + at.l4))->dest;
	flow->dport = ((struct udphdr *)(head + at.l4))->source;
}

/* Not for timing: notes first how the previous packet left the target, as its answer's flow. */
SEC("xdp.frags")
int wrapper_learn(struct xdp_md *ctx)
{
	__u32 previous = (state.position ? state.position : state.count) - 1;
	__u32 index = state.replies + previous;
	struct wrapper_flow *flow = bpf_map_lookup_elem(&flows, &index);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!flow || data + WRAPPER_HEAD > end)
		return XDP_ABORTED;
	if (state.version == 4)
		take(flow, data, places4);
	else
		take(flow, data, places6);
	if (make(ctx) < 0)
		return XDP_ABORTED;
	bpf_tail_call(ctx, &programs, state.target);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int control(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
