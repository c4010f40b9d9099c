/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * New connections to http listeners, on to the sockets of the workers that serve them: so no
 * address and no port is bound, and a listener comes and goes with its cell in the listener table.
 * The kernel asks for each packet that belongs to no socket yet: once per connection.
 *
 * Workers take turns, each CPU by its own count. One that has died has left its place empty with
 * its socket: the next one takes its turn.
 */
#ifndef WEIR_BPF_STEER_H
#define WEIR_BPF_STEER_H

#include "listener.h"
#include "maps.h"

#define STEER_AF_INET 2
#define STEER_TRIES   16 /* workers in a row that may be dead */

static __always_inline void steer_flow(const struct bpf_sk_lookup *ctx, struct weir_flow *flow)
{
	__u32 *dst = (__u32 *)flow->dst, ip4 = ctx->local_ip4;

	/* The compiler would choose an address in ctx; the verifier wants a constant one. */
	asm volatile("" : "+r"(ip4));
	if (ctx->family == STEER_AF_INET) {
		dst[2] = bpf_htonl(0xffff);
		dst[3] = ip4;
	} else {
		dst[0] = ctx->local_ip6[0];
		dst[1] = ctx->local_ip6[1];
		dst[2] = ctx->local_ip6[2];
		dst[3] = ctx->local_ip6[3];
	}
	flow->dport = ctx->local_port;
	flow->protocol = IPPROTO_TCP;
}

static __always_inline bool steer_is_ours(const struct weir_flow *flow)
{
	const struct weir_listener *address, *listener;
	const struct weir_control *head;
	const struct weir_half *half;
	__u32 zero = 0;

	head = bpf_map_lookup_elem(&control, &zero);
	if (!head)
		return false;
	half = listener_half(head);
	address = listener_cell(half, flow->dst, 0, 0);
	if (!address || !(address->flags & WEIR_CELL_HAS_LISTENERS))
		return false;
	listener = listener_of(half, address, flow);
	return listener && listener->mode == WEIR_MODE_PROXY;
}

/* Where nobody lives, the stack refuses the connection. */
SEC("sk_lookup")
int weir_steer(struct bpf_sk_lookup *ctx)
{
	struct weir_flow flow = {};
	struct weir_steering *steer;
	__u32 zero = 0, *turn;

	if (ctx->protocol != IPPROTO_TCP)
		return SK_PASS;
	steer_flow(ctx, &flow);
	if (!steer_is_ours(&flow))
		return SK_PASS;
	steer = bpf_map_lookup_elem(&steering, &zero);
	turn = bpf_map_lookup_elem(&steer_turn, &zero);
	if (!steer || !turn)
		return SK_PASS;
	for (int i = 0; i < STEER_TRIES; i++) {
		__u32 place = *turn + 1;
		struct bpf_sock *sk;

		if (place >= steer->workers)
			place = 0;
		*turn = place;
		sk = bpf_map_lookup_elem(&workers, &place);
		if (!sk)
			continue;
		bpf_sk_assign(ctx, sk, BPF_SK_LOOKUP_F_NO_REUSEPORT);
		bpf_sk_release(sk);
		break;
	}
	return SK_PASS;
}

#endif
