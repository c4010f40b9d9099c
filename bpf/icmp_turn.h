/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An ICMP error about what mode nat has sent, turned round: other addresses outside, and in the
 * packet that it quotes other addresses and ports, so that it is about what the receiving end has
 * sent. Checksums follow by arithmetic, those of a quote that is cut off, too.
 */
#ifndef WEIR_BPF_ICMP_TURN_H
#define WEIR_BPF_ICMP_TURN_H

#include "icmp_quote.h"

/* An error, and what becomes of it. */
struct icmp_turn {
	struct icmp_quote quote;
	struct icmp_outer outer;
	struct icmp_quote inner; /* what is quoted inside `outer` */
	struct weir_flow flow;	 /* of the error itself */
	__u8 router[16];	 /* who has sent it */
	__u8 src[16];		 /* as whom it goes on, and so the quoted packet's destination */
	__u8 dst[16];
	__u16 sport; /* of the quoted packet, with `src` and `dst` */
	__u16 dport;
	__u32 l3;   /* offset of its IP header */
	__u32 rest; /* of its ICMP header */
	__u8 type;
	__u8 code;
	__u8 tos;
	__u8 ttl;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct icmp_turn);
} icmp_scratch SEC(".maps"); /* too large for the stack */

/* The scratch for all that may become of an error, with what the packet tells. */
static __always_inline struct icmp_turn *icmp_begin(const struct pkt *pkt)
{
	const void *data = (void *)(long)pkt->ctx->data, *end = (void *)(long)pkt->ctx->data_end;
	const struct icmp_header *icmp = pkt->l4;
	const __be32 *word = pkt->l3;
	struct icmp_turn *turn;
	__u32 zero = 0;

	turn = bpf_map_lookup_elem(&icmp_scratch, &zero);
	if (!turn || !within(end, icmp, sizeof(*icmp)) || !within(end, word, sizeof(struct iphdr)))
		return NULL;
	turn->flow = pkt->flow;
	addr_copy(turn->router, pkt->flow.src);
	turn->type = icmp->type;
	turn->code = icmp->code;
	turn->rest = bpf_ntohl(icmp->rest);
	turn->tos = bpf_ntohl(word[0]) >> (pkt->version == 4 ? 16 : 20);
	turn->ttl = pkt->version == 4 ? pkt->ip4->ttl : pkt->ip6->hop_limit;
	turn->l3 = pkt_distance(data, pkt->l3);
	turn->quote.icmp = pkt_distance(data, pkt->l4);
	turn->quote.end = turn->l3 + pkt->l3_length;
	turn->quote.version = pkt->version;
	turn->outer.at = turn->quote.icmp + ICMP_HEADER;
	turn->outer.version = pkt->version;
	turn->inner.end = turn->quote.end;
	return turn;
}

/* What the quoted packet's new addresses change in a checksum. */
static __always_inline __u64 icmp_turn_addresses(const struct icmp_turn *turn)
{
	return csum_delta_addr(turn->quote.flow.dst, turn->dst) +
	       csum_delta_addr(turn->quote.flow.src, turn->src);
}

/* The three below turn parts of the packet, and add to `delta` what the ICMP checksum changes by.
 * False: they are not there. */

static __always_inline bool icmp_turn_ip(struct xdp_md *ctx, const struct icmp_turn *turn,
					 __u64 *delta)
{
	__u32 at = turn->quote.ip;
	__be32 addresses[2] = { addr_to_ip4(turn->dst), addr_to_ip4(turn->src) };
	__sum16 was, check;

	*delta += icmp_turn_addresses(turn);
	if (turn->quote.version == 6)
		return !bpf_xdp_store_bytes(ctx, at + offsetof(struct ipv6hdr, saddr),
					    (void *)turn->dst, sizeof(turn->dst)) &&
		       !bpf_xdp_store_bytes(ctx, at + offsetof(struct ipv6hdr, daddr),
					    (void *)turn->src, sizeof(turn->src));
	at += offsetof(struct iphdr, check);
	if (bpf_xdp_load_bytes(ctx, at, &was, sizeof(was)))
		return false;
	check = csum_apply(was, icmp_turn_addresses(turn));
	*delta += csum_delta16(was, check);
	return !bpf_xdp_store_bytes(ctx, at, &check, sizeof(check)) &&
	       !bpf_xdp_store_bytes(ctx, at + sizeof(check), addresses, sizeof(addresses));
}

static __always_inline bool icmp_turn_l4(struct xdp_md *ctx, const struct icmp_turn *turn,
					 __u64 *delta)
{
	bool udp = turn->quote.flow.protocol == IPPROTO_UDP;
	__u32 at = turn->quote.l4;
	__u32 check_at =
		at + (udp ? offsetof(struct udphdr, check) : offsetof(struct tcphdr, check));
	__be16 ports[2] = { bpf_htons(turn->dport), bpf_htons(turn->sport) };
	__u64 change = csum_delta16(bpf_htons(turn->quote.flow.dport), ports[0]) +
		       csum_delta16(bpf_htons(turn->quote.flow.sport), ports[1]);
	__sum16 check, was;

	*delta += change;
	if (bpf_xdp_store_bytes(ctx, at, ports, sizeof(ports)))
		return false;
	if (check_at + sizeof(check) > turn->quote.end)
		return true; /* not quoted */
	if (bpf_xdp_load_bytes(ctx, check_at, &was, sizeof(was)))
		return false;
	if (udp && !was)
		return true;
	check = csum_apply(was, change + icmp_turn_addresses(turn));
	if (udp && !check)
		check = 0xffff;
	*delta += csum_delta16(was, check);
	return !bpf_xdp_store_bytes(ctx, check_at, &check, sizeof(check));
}

static __always_inline bool icmp_turn_outer(struct xdp_md *ctx, const struct icmp_turn *turn,
					    __u64 *delta)
{
	/* It came from a router, to where the quoted packet is from. */
	__u64 change = csum_delta_addr(turn->router, turn->src) +
		       csum_delta_addr(turn->quote.flow.dst, turn->dst);
	__u8 ttl = turn->ttl - 1;
	struct iphdr ip;

	if (turn->quote.version == 6) {
		*delta += change;
		return !bpf_xdp_store_bytes(ctx, turn->l3 + offsetof(struct ipv6hdr, hop_limit),
					    &ttl, sizeof(ttl)) &&
		       !bpf_xdp_store_bytes(ctx, turn->l3 + offsetof(struct ipv6hdr, saddr),
					    (void *)turn->src, sizeof(turn->src)) &&
		       !bpf_xdp_store_bytes(ctx, turn->l3 + offsetof(struct ipv6hdr, daddr),
					    (void *)turn->dst, sizeof(turn->dst));
	}
	if (bpf_xdp_load_bytes(ctx, turn->l3, &ip, sizeof(ip)))
		return false;
	change += csum_delta16(bpf_htons(0x0100), 0); /* the TTL is the word's first byte */
	ip.ttl = ttl;
	ip.check = csum_apply(ip.check, change);
	ip.saddr = addr_to_ip4(turn->src);
	ip.daddr = addr_to_ip4(turn->dst);
	return !bpf_xdp_store_bytes(ctx, turn->l3, &ip, sizeof(ip));
}

/* To the end of the same family; 0, or -1. A function of its own, as parse_extensions(). */
__noinline int icmp_turn(struct xdp_md *ctx, const struct icmp_turn *turn)
{
	__sum16 check;
	__u64 delta = 0;
	__u32 at;

	if (!turn)
		return -1;
	at = turn->quote.icmp + offsetof(struct icmp_header, check);
	if (!icmp_turn_outer(ctx, turn, &delta) || !icmp_turn_ip(ctx, turn, &delta) ||
	    !icmp_turn_l4(ctx, turn, &delta) || bpf_xdp_load_bytes(ctx, at, &check, sizeof(check)))
		return -1;
	check = csum_apply(check, delta);
	return bpf_xdp_store_bytes(ctx, at, &check, sizeof(check)) ? -1 : 0;
}

#endif
