// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Many packets in one system call: BPF_PROG_TEST_RUN repeats this program, which makes the next
 * packet in place of the one before and tail-calls the program under test. Nothing comes back from
 * a tail call, but the packet stays as it was left: so each run first notes where the packet of the
 * run before was sent.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#include "batch_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BATCH_MAX);
	__type(key, __u32);
	__type(value, struct batch_packet);
} packets SEC(".maps");

struct batch_state state;

/* Where the last words of the addresses are, and where layer 4 begins. */
struct places {
	__u32 src;
	__u32 dst;
	__u32 l4;
};

static const struct places places4 = { 14 + 12, 14 + 16, 14 + 20 };
static const struct places places6 = { 14 + 8 + 12, 14 + 24 + 12, 14 + 40 };

#define TCP_FLAGS 13 /* offset in the header */

static __always_inline void put(__u8 *head, const struct batch_packet *packet, struct places at)
{
	*(__u32 *)(head + at.src) = packet->in.src;
	*(__u32 *)(head + at.dst) = packet->in.dst;
	*(__u16 *)(head + at.l4) = packet->in.sport;
	*(__u16 *)(head + at.l4 + 2) = packet->in.dport;
	if (state.protocol == IPPROTO_TCP)
		head[at.l4 + TCP_FLAGS] = packet->flags;
}

static __always_inline void take(struct batch_packet *packet, const __u8 *head, struct places at)
{
	__builtin_memcpy(packet->to, head, sizeof(packet->to));
	packet->out.src = *(__u32 *)(head + at.src);
	packet->out.dst = *(__u32 *)(head + at.dst);
	packet->out.sport = *(__u16 *)(head + at.l4);
	packet->out.dport = *(__u16 *)(head + at.l4 + 2);
}

static __always_inline int learn(struct xdp_md *ctx, __u32 index)
{
	struct batch_packet *packet = bpf_map_lookup_elem(&packets, &index);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!packet)
		return -1;
	if (state.version == 4 && data + places4.l4 + 4 <= end)
		take(packet, data, places4);
	else if (state.version == 6 && data + places6.l4 + 4 <= end)
		take(packet, data, places6);
	else
		return -1;
	return 0;
}

#define ROOM 64 /* bytes that a tunnel's headers take at most */

/*
 * The program may have moved the packet's head (a tunnel) and its tail (an answer): both go back to
 * where they were at first. A packet that was dropped half-way into a tunnel must not begin with
 * what is left of another. Addresses become numbers by way of a map.
 */
static __always_inline int put_back(struct xdp_md *ctx)
{
	volatile struct batch_state *at = &state;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	long size = end - data;

	asm volatile("" : "+r"(size)); /* pointers are subtracted whole, or the verifier objects */
	at->data = (__u64)data;
	if (!state.position)
		at->first = at->data;
	if (bpf_xdp_adjust_tail(ctx, (int)(at->length + (at->first - at->data) - size)))
		return -1;
	if (bpf_xdp_adjust_head(ctx, (int)(at->first - at->data) - ROOM))
		return -1;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + ROOM > end)
		return -1;
	__builtin_memset(data, 0, ROOM);
	return bpf_xdp_adjust_head(ctx, ROOM) ? -1 : 0;
}

static __always_inline int make(struct xdp_md *ctx, __u32 index)
{
	struct batch_packet *packet = bpf_map_lookup_elem(&packets, &index);
	void *data, *end;

	if (!packet || put_back(ctx))
		return -1;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + BATCH_HEAD > end)
		return -1;
	__builtin_memcpy(data, state.head, BATCH_HEAD);
	if (state.version == 4)
		put(data, packet, places4);
	else
		put(data, packet, places6);
	return 0;
}

/* Runs once more than there are packets. */
SEC("xdp.frags")
int batch(struct xdp_md *ctx)
{
	if (state.position && learn(ctx, state.position - 1))
		return XDP_ABORTED;
	if (state.position == state.count)
		return XDP_PASS;
	if (make(ctx, state.position))
		return XDP_ABORTED;
	state.position++;
	bpf_tail_call(ctx, &target, 0);
	return XDP_ABORTED;
}

char _license[] SEC("license") = "Dual BSD/GPL";
