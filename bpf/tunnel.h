/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Modes ipip and gue: the packet travels to the endpoint inside another IP packet, untouched, and
 * the endpoint, which has the listener's address on its loopback, answers the client itself.
 *
 *   ipip   IP | packet               RFC 2003, RFC 2473, RFC 4213
 *   gue    IP | UDP | GUE | packet   draft-ietf-intarea-gue: routers and network cards that look
 *                                    at UDP ports spread the flows, by the source port
 *
 * The outer family is the endpoint's, the inner one the client's. The outer header:
 *
 *   DSCP, ECN    copied (RFC 6040, normal mode)
 *   DF           copied; set around IPv6, which routers do not fragment, unless it needs no more
 *                room than IPv6 has everywhere
 *   identity     copied with DF: without it an outer packet may be fragmented on its way, and needs
 *                one that its neighbours have not (RFC 6864), which a sender that leaves DF out has
 *                seen to. With DF nobody looks at it. Of fragments it is random: they all have the
 *                same one, and are outer packets of their own. DF without the sender's would lose
 *                what the sender has allowed to be fragmented.
 *   TTL          64; the inner one stays, since the endpoint is the listener: no hop was made
 *   flow label   of the flow's hash (RFC 6438)
 *   UDP sum      zero over IPv4, whose own header has a sum; computed over IPv6, where many
 *                firewalls and hosts drop a zero, though RFC 6935 allows it to a tunnel
 */
#ifndef WEIR_BPF_TUNNEL_H
#define WEIR_BPF_TUNNEL_H

#include "csum.h"
#include "explain.h"
#include "forward.h"
#include "head.h"
#include "mtu.h"

#define TUNNEL_TTL	       64
#define TUNNEL_PORT_FIRST      49152u /* RFC 6335: dynamic ports are the upper quarter */
#define TUNNEL_PORT_SHIFT      18 /* of the hash to its 14 highest bits; the lowest chose the slot */
#define TUNNEL_LABEL_SHIFT     12 /* ... to its 20 highest */
#define TUNNEL_THIRD(protocol) bpf_htonl(TUNNEL_TTL << 24 | (protocol) << 16)
#define GUE_SIZE	       (sizeof(struct udphdr) + sizeof(struct gue_header))

/* Of the inner packet, what the outer headers are made of. */
struct tunnel {
	__u32 ip4; /* first word of an IPv4 header around it, less what is added, host order */
	__be32 id; /* second word: identification and DF */
	__be32 ip4_third; /* third word of an IPv4 header right around it: TTL, protocol */
	__u8 protocol;	  /* IPPROTO_IPIP or IPPROTO_IPV6 */
	bool has_sum;	  /* `sum` is known */
	__be16 sum;	  /* of its 16-bit words */
};

/* Of an outer packet that routers may fragment, and whose inner one has no identification of its
 * own: second word of its header. */
static __always_inline __be32 tunnel_id(void)
{
	return bpf_htonl(bpf_get_prandom_u32() & IP4_ID_MASK);
}

static __always_inline void tunnel_sum_icmp(const struct pkt *pkt, const __be16 *half,
					    struct tunnel *tunnel)
{
	if (pkt->version == 6 && pkt->ip6->nexthdr != IPPROTO_ICMPV6)
		return;
	tunnel->has_sum = true;
	if (pkt->version == 6)
		tunnel->sum =
			~csum_apply(0xffff, (__u64)half[0] + half[1] + half[3] +
						    csum_delta16(bpf_htons(IPPROTO_ICMPV6), 0));
}

/*
 * What the words of the inner packet sum up to, without a look at its payload: what its own TCP or
 * UDP checksum covers is the complement of its pseudo header, and an IPv4 header sums up to
 * nothing. Not known of a fragment, of UDP without checksum, behind extension headers. Nothing
 * damaged becomes right by it: the outer sum is as wrong as the inner one then.
 */
static __always_inline void tunnel_sum(const struct pkt *pkt, const void *end,
				       struct tunnel *tunnel)
{
	__u32 header = pkt->version == 6 ? sizeof(*pkt->ip6) : pkt->ip4->ihl * 4;
	__be16 length = bpf_htons(pkt->l3_length - header);
	__be16 protocol = bpf_htons(pkt->flow.protocol);
	const __be16 *half = pkt->l3;

	if (pkt->flags & (PKT_FIRST_FRAGMENT | PKT_LATER_FRAGMENT))
		return;
	if (pkt->flags & PKT_QUOTED) {
		/* An ICMP message sums up to nothing; with ICMPv6, so it does with its pseudo
		 * header. */
		tunnel_sum_icmp(pkt, half, tunnel);
		return;
	}
	if (pkt->flow.protocol == IPPROTO_UDP) {
		if (!within(end, pkt->udp, sizeof(*pkt->udp)) || !pkt->udp->check ||
		    pkt->udp->len != length)
			return;
	} else if (pkt->flow.protocol != IPPROTO_TCP) {
		return;
	}
	if (pkt->version == 4) {
		tunnel->sum = csum_apply(0xffff, (__u64)pkt->ip4->saddr + pkt->ip4->daddr + length +
							 protocol);
		tunnel->has_sum = true;
		return;
	}
	if (pkt->ip6->nexthdr != pkt->flow.protocol)
		return;
	/* Addresses and length are in header and pseudo header, and cancel out. */
	tunnel->sum =
		~csum_apply(0xffff, (__u64)half[0] + half[1] + half[3] + csum_delta16(protocol, 0));
	tunnel->has_sum = true;
}

/* Reads the inner header; whether it is there, parse() has checked. */
static __always_inline bool tunnel_read(const struct pkt *pkt, enum parsed parsed, bool sum,
					struct tunnel *tunnel)
{
	const void *end = (void *)(long)pkt->ctx->data_end;
	const __be32 *word = pkt->l3;

	if (!within(end, word, sizeof(struct iphdr)))
		return false;
	if (pkt->version == 6) {
		tunnel->ip4 = (bpf_ntohl(word[0]) >> 4 & IP4_TOS_MASK) + IP4_FIRST + pkt->l3_length;
		tunnel->id = bpf_htonl(IP4_DF);
		tunnel->ip4_third = TUNNEL_THIRD(IPPROTO_IPV6);
		tunnel->protocol = IPPROTO_IPV6;
	} else {
		tunnel->ip4 = bpf_ntohl(word[0]);
		tunnel->id = word[1] & bpf_htonl(IP4_ID_MASK | IP4_DF);
		tunnel->ip4_third = TUNNEL_THIRD(IPPROTO_IPIP);
		tunnel->protocol = IPPROTO_IPIP;
	}
	if (parsed != PARSED_PLAIN && pkt->version == 4) {
		tunnel->ip4 = (tunnel->ip4 & ~IP4_IHL_MASK) | IP4_FIRST; /* it may have options */
		if (word[1] & bpf_htonl(IP4_FRAGMENT) && !(word[1] & bpf_htonl(IP4_DF)))
			tunnel->id = tunnel_id();
	}
	if (sum)
		tunnel_sum(pkt, end, tunnel);
	return true;
}

/* Ethernet's padding must not become the inner packet's. */
static __always_inline bool tunnel_trim(const struct pkt *pkt)
{
	__u64 here = (void *)(long)pkt->ctx->data_end - pkt->l3, all;

	if (here == pkt->l3_length)
		return true;
	all = bpf_xdp_get_buff_len(pkt->ctx) - (pkt->l3 - (void *)(long)pkt->ctx->data);
	if (all <= pkt->l3_length)
		return true;
	return !bpf_xdp_adjust_tail(pkt->ctx, (int)(pkt->l3_length - all));
}

/* Makes room for an outer header of `size` bytes, a constant; NULL: the driver left none. */
static __always_inline void *tunnel_open(struct pkt *pkt, enum parsed parsed, __u32 size,
					 __be16 ethertype)
{
	__u64 l2 = pkt->l3 - (void *)pkt->eth;

	if (!tunnel_trim(pkt))
		return NULL;
	if (parsed == PARSED_PLAIN)
		return head_move_plain(pkt->ctx, size, size, ethertype, &pkt->eth);
	return head_move(pkt->ctx, l2, size, size, ethertype, &pkt->eth);
}

/* The last word of the source: of a prefix the last bits are the flow's. */
static __always_inline __be32 tunnel_source(const struct pkt *pkt,
					    const struct weir_endpoint *endpoint)
{
	__be32 last = ((const __be32 *)endpoint->source)[3];

	if (endpoint->source_bits)
		last |= bpf_htonl((__u64)pkt->hash >> (32 - endpoint->source_bits));
	return last;
}

/* Source port and flow label, by which routers tell flows apart, are the flow's. */
static __always_inline __u32 tunnel_port(const struct pkt *pkt)
{
	return TUNNEL_PORT_FIRST | pkt->hash >> TUNNEL_PORT_SHIFT;
}

static __always_inline __u32 tunnel_label(const struct pkt *pkt)
{
	return pkt->hash >> TUNNEL_LABEL_SHIFT;
}

/* UDP and GUE headers; `pseudo` is what the outer IP header adds to the sum. */
static __always_inline void tunnel_put_gue(void *at, const struct pkt *pkt,
					   const struct weir_endpoint *endpoint,
					   const struct tunnel *tunnel, __u64 pseudo)
{
	__u32 ports = tunnel_port(pkt) << 16 | endpoint->gue_port;
	__be16 length = bpf_htons(pkt->l3_length + GUE_SIZE);
	__be32 *word = at;
	__be16 *half = at;
	__u64 sum;

	word[0] = bpf_htonl(ports);
	word[1] = bpf_htonl((pkt->l3_length + GUE_SIZE) << 16); /* no sum */
	word[2] = bpf_htonl((__u32)tunnel->protocol << 16);
	if (!tunnel->has_sum)
		return;
	sum = pseudo + word[0] + 2 * length + word[2] + bpf_htons(IPPROTO_UDP) + tunnel->sum;
	half[3] = csum_apply(0xffff, sum) ?: 0xffff;
}

static __always_inline bool tunnel_put_ip4(struct pkt *pkt, const struct weir_endpoint *endpoint,
					   const struct tunnel *tunnel, enum parsed parsed,
					   bool gue)
{
	__u32 size = sizeof(struct iphdr) + (gue ? GUE_SIZE : 0);
	__be32 *word = tunnel_open(pkt, parsed, size, bpf_htons(ETH_P_IP));
	__be32 first = bpf_htonl(tunnel->ip4 + size);
	__be32 third = gue ? TUNNEL_THIRD(IPPROTO_UDP) : tunnel->ip4_third;
	__be32 source = tunnel_source(pkt, endpoint), addr = addr_to_ip4(endpoint->addr);
	__u64 sum = (__u64)first + tunnel->id + third + source + addr;

	if (!word)
		return false;
	word[0] = first;
	word[1] = tunnel->id;
	word[2] = third;
	word[3] = source;
	word[4] = addr;
	((struct iphdr *)word)->check = csum_apply(0xffff, sum);
	if (gue)
		tunnel_put_gue(word + 5, pkt, endpoint, tunnel, 0);
	return true;
}

static __always_inline bool tunnel_put_ip6(struct pkt *pkt, const struct weir_endpoint *endpoint,
					   const struct tunnel *tunnel, enum parsed parsed,
					   bool gue)
{
	__u32 size = sizeof(struct ipv6hdr) + (gue ? GUE_SIZE : 0);
	__be32 *word = tunnel_open(pkt, parsed, size, bpf_htons(ETH_P_IPV6));
	__u32 length = pkt->l3_length + (gue ? GUE_SIZE : 0);
	__u8 protocol = gue ? IPPROTO_UDP : tunnel->protocol;
	const __be32 *source = (const __be32 *)endpoint->source;
	const __be32 *addr = (const __be32 *)endpoint->addr;

	if (!word)
		return false;
	word[0] = bpf_htonl(IP6_FIRST | (tunnel->ip4 & IP4_TOS_MASK) << 4 | tunnel_label(pkt));
	word[1] = bpf_htonl(length << 16 | (__u32)protocol << 8 | TUNNEL_TTL);
	for (int i = 0; i < 3; i++)
		word[2 + i] = source[i];
	word[5] = tunnel_source(pkt, endpoint);
	for (int i = 0; i < 4; i++)
		word[6 + i] = addr[i];
	if (gue)
		tunnel_put_gue(word + 10, pkt, endpoint, tunnel,
			       csum_addr((__u8 *)(word + 2)) + csum_addr((__u8 *)(word + 6)));
	return true;
}

/*
 * Of a packet that is larger than the path takes: GO_ON, or what becomes of it. That less than 1280
 * bytes have room no sender of IPv6 believes (RFC 8201, 4): so nothing smaller is ever too big, and
 * around it IPv4 gets no DF (RFC 4213, 3.2.2).
 */
static __always_inline enum weir_reason tunnel_too_big(struct pkt *pkt, __u32 room,
						       struct tunnel *tunnel)
{
	if (pkt->version == 6 && pkt->l3_length <= MTU_MIN_IP6) {
		tunnel->id = tunnel_id();
		return GO_ON;
	}
	pkt->room = pkt->version == 6 && room < MTU_MIN_IP6 ? MTU_MIN_IP6 : room;
	return tunnel->id & bpf_htonl(IP4_DF) ? WEIR_R_TOO_BIG : WEIR_R_TOO_BIG_NO_DF;
}

static __always_inline enum weir_reason tunnel_put(struct pkt *pkt,
						   const struct weir_endpoint *endpoint,
						   enum parsed parsed, bool ip4, bool gue)
{
	bool room;
	__u32 outer = (ip4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) + (gue ? GUE_SIZE : 0);
	struct tunnel tunnel = {};
	enum weir_reason reason;

	if (!tunnel_read(pkt, parsed, gue && !ip4, &tunnel))
		return WEIR_R_INTERNAL;
	EXPLAIN_NUMBER(TUNNEL, outer);
	if (pkt->l3_length + outer > endpoint->mtu &&
	    !mtu_recovers(pkt->endpoint, pkt->l3_length + outer, clock_now(pkt->control))) {
		reason = tunnel_too_big(pkt, endpoint->mtu - outer, &tunnel);
		if (reason != GO_ON)
			return reason;
	}
	room = ip4 ? tunnel_put_ip4(pkt, endpoint, &tunnel, parsed, gue)
		   : tunnel_put_ip6(pkt, endpoint, &tunnel, parsed, gue);
	if (!room)
		return WEIR_R_NO_HEADROOM;
	pkt->new_flow = pkt->flags & PKT_SYN;
	return forward(pkt, nexthop_read(&endpoint->nexthop));
}

static __always_inline enum weir_reason tunnel_forward(struct pkt *pkt,
						       const struct weir_endpoint *endpoint,
						       enum parsed parsed, bool gue)
{
	if (addr_is_ip4(endpoint->addr))
		return tunnel_put(pkt, endpoint, parsed, true, gue);
	return tunnel_put(pkt, endpoint, parsed, false, gue);
}

#endif
