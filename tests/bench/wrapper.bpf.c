// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * BPF_PROG_TEST_RUN with `repeat` gives the second run what the first one left of the packet. This
 * program makes the packet anew, of the next flow, and tail-calls the program under test; with the
 * empty program as target it is the control. It does the same work for both: the head is always
 * put back by a helper call, whether the target moved it or not.
 */
#include "make.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, WRAPPER_PROGRAMS);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

/* Makes the next packet: its flow's index, or -1. */
static __always_inline long make(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	long size = end - data;

	asm volatile("" : "+r"(size)); /* pointers are subtracted whole, or the verifier objects */
	if (bpf_xdp_adjust_head(ctx, (int)(size - state.length)))
		return -1;
	return make_head(ctx);
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
