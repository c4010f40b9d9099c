/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * New connections to http listeners, on to the sockets of the workers that serve them: so no
 * address and no port is bound, and a listener comes and goes with its cell in the listener table.
 * The kernel asks for each packet that belongs to no socket yet: once per connection.
 *
 * Workers take turns, each CPU by its own count; where SYN cookies are sent (cookie.h), a flow's
 * worker follows from its addresses, so that who is asked for a cookie is who gets it back. One
 * that has died has left its place empty with its socket: the next one takes its turn.
 */
#ifndef WEIR_BPF_STEER_H
#define WEIR_BPF_STEER_H

#include "listener.h"
#include "maps.h"

#define STEER_AF_INET 2
#define STEER_TRIES   16 /* workers in a row that may be dead */

static __always_inline void steer_flow(const struct bpf_sk_lookup *ctx, struct weir_flow *flow)
{
	__u32 *src = (__u32 *)flow->src, *dst = (__u32 *)flow->dst;
	__u32 remote = ctx->remote_ip4, local = ctx->local_ip4;

	/* The compiler would choose an address in ctx; the verifier wants a constant one. */
	asm volatile("" : "+r"(remote), "+r"(local));
	if (ctx->family == STEER_AF_INET) {
		src[2] = bpf_htonl(0xffff);
		src[3] = remote;
		dst[2] = bpf_htonl(0xffff);
		dst[3] = local;
	} else {
		src[0] = ctx->remote_ip6[0];
		src[1] = ctx->remote_ip6[1];
		src[2] = ctx->remote_ip6[2];
		src[3] = ctx->remote_ip6[3];
		dst[0] = ctx->local_ip6[0];
		dst[1] = ctx->local_ip6[1];
		dst[2] = ctx->local_ip6[2];
		dst[3] = ctx->local_ip6[3];
	}
	flow->sport = bpf_ntohs((__u16)ctx->remote_port);
	flow->dport = ctx->local_port;
	flow->protocol = IPPROTO_TCP;
}

/* The listener that is served here, or NULL. */
static __always_inline const struct weir_listener *steer_listener(const struct weir_flow *flow)
{
	const struct weir_listener *address, *listener;
	const struct weir_control *head;
	const struct weir_half *half;
	__u32 zero = 0;

	head = bpf_map_lookup_elem(&control, &zero);
	if (!head)
		return NULL;
	half = listener_half(head);
	address = listener_cell(half, flow->dst, 0, 0);
	if (!address || !(address->flags & WEIR_CELL_HAS_LISTENERS))
		return NULL;
	listener = listener_of(half, address, flow);
	return listener && listener->mode == WEIR_MODE_PROXY ? listener : NULL;
}

static __always_inline bool steer_has_cookies(const struct weir_listener *listener)
{
	__u32 row = listener->guard;
	const struct weir_guard *guard = row ? bpf_map_lookup_elem(&guards, &row) : NULL;

	return guard && guard->cookies;
}

#define STEER_BY_TURNS 0

/* By turns, or by a flow's hash: the low half of `by`, whose upper half is not 0 then. */
static __always_inline __u64 steer_by(const struct weir_listener *listener,
				      const struct weir_flow *flow)
{
	return steer_has_cookies(listener) ? 1ull << 32 | weir_hash_flow(flow, 0) : STEER_BY_TURNS;
}

/* To the first worker that lives. A function of its own, as parse_extensions(). */
__noinline int steer_lead(struct bpf_sk_lookup *ctx, __u64 by)
{
	struct weir_steering *steer;
	__u32 zero = 0, *turn;

	steer = bpf_map_lookup_elem(&steering, &zero);
	turn = bpf_map_lookup_elem(&steer_turn, &zero);
	if (!steer || !turn)
		return SK_PASS;
	if (by != STEER_BY_TURNS)
		*turn = (((by & 0xffffffff) * steer->workers) >> 32) - 1;
	for (int i = 0; i < STEER_TRIES; i++) {
		/* Without a branch, of which Linux 6.1 would walk both ways, and twice as many each
		 * time. */
		__u32 place = (*turn + 1) % steer->workers;
		struct bpf_sock *sk;

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

/* Where nobody lives, the stack refuses the connection. */
SEC("sk_lookup")
int weir_steer(struct bpf_sk_lookup *ctx)
{
	const struct weir_listener *listener;
	struct weir_flow flow = {};

	if (ctx->protocol != IPPROTO_TCP)
		return SK_PASS;
	steer_flow(ctx, &flow);
	listener = steer_listener(&flow);
	if (listener)
		steer_lead(ctx, steer_by(listener, &flow));
	return SK_PASS;
}

#endif
