// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The ends of the live pipe, and what may stand between them:
 *
 *   generate ── veth ──► a balancer; for comparison drop, bounce, or pass to the kernel
 *       sink ◄── veth ──┘
 *
 * `generate` is run with BPF_F_TEST_XDP_LIVE_FRAMES. The kernel hands it frames from a pool just as
 * they came back, so it writes the whole head each time. All of it is on one CPU: a batch is
 * through before the next one is made, and nothing is lost on the way.
 */
#include "make.h"
#include "ends.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ENDS_CAPTURES);
	__type(key, __u32);
	__type(value, struct ends_capture);
} captures SEC(".maps");

struct ends_expect expect;
struct ends_counts counts;

/* To the device that it pretends to have come from, which sends it to its peer. */
SEC("xdp.frags")
int generate(struct xdp_md *ctx)
{
	if (make_head(ctx) < 0) {
		counts.failed++;
		return XDP_DROP;
	}
	counts.made++;
	return XDP_TX;
}

static __always_inline void capture(struct xdp_md *ctx, __u32 size)
{
	__u32 index = counts.right;
	struct ends_capture *kept = bpf_map_lookup_elem(&captures, &index);

	if (!kept)
		return;
	if (size > sizeof(kept->bytes))
		size = sizeof(kept->bytes);
	if (size && !bpf_xdp_load_bytes(ctx, 0, kept->bytes, size))
		kept->size = size;
}

SEC("xdp.frags")
int sink(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;

	if ((void *)(ip + 1) > end || *(__u32 *)(data + 1) != expect.mac ||
	    ip->protocol != expect.protocol ||
	    bpf_ntohl(ip->daddr) - expect.dst_first >= expect.dst_count) {
		counts.wrong++;
		return XDP_DROP;
	}
	if (expect.capture)
		capture(ctx, end - data);
	counts.right++;
	return XDP_DROP;
}

SEC("xdp.frags")
int drop(struct xdp_md *ctx)
{
	(void)ctx;
	counts.dropped++;
	return XDP_DROP;
}

SEC("xdp.frags")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

SEC("xdp.frags")
int bounce(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
