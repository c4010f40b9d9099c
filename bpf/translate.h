/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The nat mode between families: the IP header is replaced by one of the other version (RFC 7915,
 * sections 4.1 and 5.1), with the addresses that nat knows. IPv4 options and IPv6 extension headers
 * are left out. TCP and UDP checksums need nothing more than for other addresses: IPv4's 16-byte
 * form ::ffff:a.b.c.d sums up to the same as its 4 bytes, and the rest of the pseudo header is the
 * same in both versions.
 */
#ifndef WEIR_BPF_TRANSLATE_H
#define WEIR_BPF_TRANSLATE_H

#include "csum.h"
#include "forward.h"
#include "head.h"
#include "maps.h"

/* RFC 7915, 5.1: so small that no router of the IPv6 path could have asked for less. */
#define TRANSLATE_NO_DF_MAX   1260
#define TRANSLATE_CLASS_SHIFT 20

/* What becomes of the header. */
struct translation {
	__u8 src[16];
	__u8 dst[16];
	__u32 l2;      /* bytes of the Ethernet header */
	__u32 header;  /* bytes of the old IP header with all that belongs to it */
	__u32 payload; /* bytes behind it */
	__u8 to_ip4;
	__u8 tos;
	__u8 ttl;
	__u8 protocol;
} __attribute__((aligned(8))); /* for addr_copy() */

/*
 * Asked before anything is changed. GO_ON, or why it cannot be: `mtu` is what the way out takes. A
 * UDP packet without a checksum would need the sum over all of it.
 */
static __always_inline enum weir_reason translate_check(struct pkt *pkt, __u32 mtu)
{
	const void *end = (void *)(long)pkt->ctx->data_end;
	__u32 header = (__u32)(pkt->l4 - pkt->l3), length;

	if (pkt->flags & (PKT_FIRST_FRAGMENT | PKT_LATER_FRAGMENT))
		return WEIR_R_FRAGMENT_FAMILY;
	if (pkt->flow.protocol == IPPROTO_UDP &&
	    (!within(end, pkt->udp, sizeof(*pkt->udp)) || !pkt->udp->check))
		return WEIR_R_NO_CHECKSUM;
	length = pkt->l3_length - header;
	length += pkt->version == 6 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	return length <= mtu ? GO_ON : too_big(pkt, mtu - (length - pkt->l3_length));
}

static __always_inline bool translate_to_ip4(struct xdp_md *ctx, const struct translation *to)
{
	__u32 length = sizeof(struct iphdr) + to->payload, id = IP4_DF;
	int more = (int)(sizeof(struct iphdr) - to->header);
	struct ethhdr *eth;
	__be32 *word;

	if (length <= TRANSLATE_NO_DF_MAX)
		id = bpf_get_prandom_u32() & IP4_ID_MASK;
	word = head_move(ctx, to->l2, more, sizeof(struct iphdr), bpf_htons(ETH_P_IP), &eth);
	if (!word)
		return false;
	head_put_ip4(word, &(struct head_ip){ .src = to->src,
					      .dst = to->dst,
					      .payload = to->payload,
					      .id = id,
					      .tos = to->tos,
					      .ttl = to->ttl,
					      .protocol = to->protocol });
	return true;
}

static __always_inline bool translate_to_ip6(struct xdp_md *ctx, const struct translation *to)
{
	int more = (int)(sizeof(struct ipv6hdr) - to->header);
	struct ethhdr *eth;
	__be32 *word;

	word = head_move(ctx, to->l2, more, sizeof(struct ipv6hdr), bpf_htons(ETH_P_IPV6), &eth);
	if (!word)
		return false;
	head_put_ip6(word, &(struct head_ip){ .src = to->src,
					      .dst = to->dst,
					      .payload = to->payload,
					      .tos = to->tos,
					      .ttl = to->ttl,
					      .protocol = to->protocol });
	return true;
}

/* The new header in place of the old one. A function of its own, as parse_extensions(): few packets
 * need it. False: the driver left no room. */
__noinline bool translate_header(struct xdp_md *ctx, const struct translation *to)
{
	if (!to)
		return false;
	return to->to_ip4 ? translate_to_ip4(ctx, to) : translate_to_ip6(ctx, to);
}

/* The packet's IP header becomes one of the other version, with a hop less; pkt->eth is good. */
static __always_inline enum weir_reason translate(struct pkt *pkt, const __u8 src[16],
						  const __u8 dst[16])
{
	const void *end = (void *)(long)pkt->ctx->data_end;
	struct translation to = {
		.l2 = (__u32)(pkt->l3 - (void *)pkt->eth),
		.header = (__u32)(pkt->l4 - pkt->l3),
		.to_ip4 = pkt->version == 6,
		.protocol = pkt->flow.protocol,
	};
	const __be32 *word = pkt->l3;

	if (!within(end, word, sizeof(struct iphdr)))
		return WEIR_R_INTERNAL;
	to.payload = pkt->l3_length - to.header;
	addr_copy(to.src, src);
	addr_copy(to.dst, dst);
	if (to.to_ip4) {
		to.tos = bpf_ntohl(word[0]) >> TRANSLATE_CLASS_SHIFT;
		to.ttl = pkt->ip6->hop_limit - 1;
	} else {
		to.tos = pkt->ip4->tos;
		to.ttl = pkt->ip4->ttl - 1;
	}
	if (!translate_header(pkt->ctx, &to))
		return WEIR_R_NO_HEADROOM;
	return head_find(pkt) ? GO_ON : WEIR_R_INTERNAL;
}

#endif
