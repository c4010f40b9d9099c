/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Other addresses and ports for a packet, one hop less to live, and checksums that agree. */
#ifndef WEIR_BPF_NAT_REWRITE_H
#define WEIR_BPF_NAT_REWRITE_H

#include "csum.h"
#include "parse.h"
#include "pkt.h"
#include "translate.h"

#define NAT_MTU_UNKNOWN 1500 /* of packets that grow */
#define NAT_MTU_LEAST	576  /* what every way takes: RFC 791, 3.2 */

/* New addresses and ports of a packet; ports in host order. */
struct nat_rewrite {
	const __u8 *src;
	const __u8 *dst;
	__u16 sport;
	__u16 dport;
	__u16 egress; /* index of the interface by which it leaves */
};

/* Is a packet to this address one of the other version? */
static __always_inline bool nat_translates(const struct pkt *pkt, const __u8 dst[16])
{
	return addr_is_ip4(dst) != (pkt->version == 4);
}

/* What the way out takes; 0: not known. */
static __always_inline __u32 nat_mtu(__u32 index)
{
	const struct weir_egress *out = bpf_map_lookup_elem(&egress, &index);

	return out ? out->mtu : 0;
}

/* Asked first: a packet that goes no further must not open a flow. */
static __always_inline bool nat_ttl_expires(const struct pkt *pkt)
{
	const void *end = (void *)(long)pkt->ctx->data_end;

	if (!within(end, pkt->l3, sizeof(struct iphdr)))
		return true;
	return (pkt->version == 6 ? pkt->ip6->hop_limit : pkt->ip4->ttl) <= 1;
}

static __always_inline enum weir_reason nat_rewrite_ip(struct pkt *pkt,
						       const struct nat_rewrite *to)
{
	const void *end = (void *)(long)pkt->ctx->data_end;
	struct ipv6hdr *ip6 = pkt->ip6;
	struct iphdr *ip4 = pkt->ip4;
	__u64 delta;

	/* Bounds that parse() has checked: the verifier forgets which header it was. */
	if (pkt->version == 6) {
		if (!within(end, ip6, sizeof(*ip6)))
			return WEIR_R_TRUNCATED;
		ip6->hop_limit--;
		addr_copy_ip6(&ip6->saddr, to->src);
		addr_copy_ip6(&ip6->daddr, to->dst);
		return GO_ON;
	}
	if (!within(end, ip4, sizeof(*ip4)))
		return WEIR_R_TRUNCATED;
	ip4->ttl--;
	delta = csum_delta16(bpf_htons(0x0100), 0); /* the TTL is the word's first byte */
	delta += csum_delta32(ip4->saddr, addr_to_ip4(to->src));
	delta += csum_delta32(ip4->daddr, addr_to_ip4(to->dst));
	ip4->saddr = addr_to_ip4(to->src);
	ip4->daddr = addr_to_ip4(to->dst);
	ip4->check = csum_apply(ip4->check, delta);
	return GO_ON;
}

/* What the new addresses change in the checksum of layer 4. */
static __always_inline __u64 nat_pseudo_delta(const struct pkt *pkt, const struct nat_rewrite *to,
					      bool translates)
{
	if (pkt->version == 4 && !translates)
		return csum_delta32(addr_to_ip4(pkt->flow.src), addr_to_ip4(to->src)) +
		       csum_delta32(addr_to_ip4(pkt->flow.dst), addr_to_ip4(to->dst));
	return csum_delta_addr(pkt->flow.src, to->src) + csum_delta_addr(pkt->flow.dst, to->dst);
}

static __always_inline enum weir_reason nat_rewrite_l4(struct pkt *pkt,
						       const struct nat_rewrite *to,
						       bool translates)
{
	__be16 sport = bpf_htons(to->sport), dport = bpf_htons(to->dport);
	const void *end = (void *)(long)pkt->ctx->data_end;
	__u64 delta = nat_pseudo_delta(pkt, to, translates);

	if (pkt->flow.protocol == IPPROTO_TCP) {
		if (!within(end, pkt->tcp, sizeof(*pkt->tcp)))
			return WEIR_R_TRUNCATED;
		delta += csum_delta16(pkt->tcp->source, sport);
		delta += csum_delta16(pkt->tcp->dest, dport);
		pkt->tcp->source = sport;
		pkt->tcp->dest = dport;
		pkt->tcp->check = csum_apply(pkt->tcp->check, delta);
		return GO_ON;
	}
	if (!within(end, pkt->udp, sizeof(*pkt->udp)))
		return WEIR_R_TRUNCATED;
	delta += csum_delta16(pkt->udp->source, sport);
	delta += csum_delta16(pkt->udp->dest, dport);
	pkt->udp->source = sport;
	pkt->udp->dest = dport;
	if (pkt->udp->check) /* zero: the sender left it out (RFC 768) */
		pkt->udp->check = csum_apply(pkt->udp->check, delta) ?: 0xffff;
	return GO_ON;
}

/* Asked before a flow is opened, as nat_ttl_expires(): GO_ON, or why it cannot be sent there. */
static __always_inline enum weir_reason nat_check(struct pkt *pkt, const __u8 dst[16], __u32 egress)
{
	bool translates = nat_translates(pkt, dst);
	__u32 mtu;

	if (!translates && pkt->l3_length <= NAT_MTU_LEAST)
		return GO_ON;
	mtu = nat_mtu(egress);
	if (translates)
		return translate_check(pkt, mtu ?: NAT_MTU_UNKNOWN);
	return mtu && pkt->l3_length > mtu ? too_big(pkt, mtu) : GO_ON;
}

/* What refuses does so before it changes anything: the packet may be quoted to its sender. */
static __always_inline enum weir_reason nat_rewrite(struct pkt *pkt, const struct nat_rewrite *to)
{
	bool translates = nat_translates(pkt, to->dst);
	enum weir_reason reason = nat_check(pkt, to->dst, to->egress);

	if (reason == GO_ON)
		reason = nat_rewrite_l4(pkt, to, translates);
	if (reason != GO_ON)
		return reason;
	return translates ? translate(pkt, to->src, to->dst) : nat_rewrite_ip(pkt, to);
}

#endif
