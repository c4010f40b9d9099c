/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The plain packet, which nearly all are: Ethernet without a tag, IPv4 without options or IPv6
 * without extension headers, no fragment, TCP or UDP, as long as it says and all in one buffer.
 * Its headers lie at fixed places, so it is parsed without a loop. parse_all.h takes the others.
 */
#ifndef WEIR_BPF_PARSE_H
#define WEIR_BPF_PARSE_H

#include "pkt.h"

#define IP4_FRAGMENT 0x3fff /* of frag_off: an offset, or more to come */

/* RFC 9293, 3.1: read at once, since most packets have none but ACK. */
#define TCP_FLAGS_BYTE	13
#define TCP_FIN		0x01
#define TCP_SYN		0x02
#define TCP_RST		0x04
#define TCP_ACK		0x10
#define TCP_OFFSET_BYTE 12   /* its upper half: the header's length in words */
#define TCP_OFFSET_MASK 0x3c /* ... in bytes, of what is shifted by 2 */

static __always_inline bool within(const void *end, const void *start, __u32 size)
{
	return start + size <= end;
}

static __always_inline enum weir_reason parse_tcp(struct pkt *pkt, const void *end, __u32 l4_length)
{
	struct tcphdr *tcp = pkt->l4;
	__u32 header;
	__u8 flags;

	if (l4_length < sizeof(*tcp) || !within(end, tcp, sizeof(*tcp)))
		return WEIR_R_TRUNCATED;
	header = ((const __u8 *)tcp)[TCP_OFFSET_BYTE] >> 2 & TCP_OFFSET_MASK;
	if (header < sizeof(*tcp) || header > l4_length)
		return WEIR_R_BAD_HEADER;
	pkt->flow.sport = bpf_ntohs(tcp->source);
	pkt->flow.dport = bpf_ntohs(tcp->dest);
	flags = ((const __u8 *)tcp)[TCP_FLAGS_BYTE];
	if (flags & (TCP_FIN | TCP_SYN | TCP_RST)) {
		if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
			pkt->flags |= PKT_SYN;
		if (flags & TCP_FIN)
			pkt->flags |= PKT_FIN;
		if (flags & TCP_RST)
			pkt->flags |= PKT_RST;
	}
	return GO_ON;
}

static __always_inline enum weir_reason parse_udp(struct pkt *pkt, const void *end, __u32 l4_length)
{
	struct udphdr *udp = pkt->l4;

	if (l4_length < sizeof(*udp) || !within(end, udp, sizeof(*udp)))
		return WEIR_R_TRUNCATED;
	/* A first fragment's length counts what the later ones carry. */
	if (bpf_ntohs(udp->len) < sizeof(*udp) ||
	    (bpf_ntohs(udp->len) > l4_length && !(pkt->flags & PKT_FIRST_FRAGMENT)))
		return WEIR_R_BAD_HEADER;
	pkt->flow.sport = bpf_ntohs(udp->source);
	pkt->flow.dport = bpf_ntohs(udp->dest);
	return GO_ON;
}

enum parsed {
	PARSED_PLAIN,  /* all of pkt is filled in */
	PARSED_NOT_IP, /* nor a tag that may hide IP */
	PARSED_UNUSUAL,
};

static __always_inline enum parsed parse_plain_l4(struct pkt *pkt, const void *end, __u32 l4_length)
{
	enum weir_reason fault = WEIR_R_NOT_TCP_UDP;

	if (pkt->l3_length > end - pkt->l3)
		return PARSED_UNUSUAL;
	if (pkt->flow.protocol == IPPROTO_TCP)
		fault = parse_tcp(pkt, end, l4_length);
	else if (pkt->flow.protocol == IPPROTO_UDP)
		fault = parse_udp(pkt, end, l4_length);
	return fault == GO_ON ? PARSED_PLAIN : PARSED_UNUSUAL;
}

static __always_inline enum parsed parse_plain_ip4(struct pkt *pkt, const void *end)
{
	struct iphdr *ip = pkt->l3;

	if (!within(end, ip, sizeof(*ip)) || *(const __u8 *)ip != 0x45 ||
	    ip->frag_off & bpf_htons(IP4_FRAGMENT))
		return PARSED_UNUSUAL;
	addr_from_ip4(pkt->flow.src, ip->saddr);
	addr_from_ip4(pkt->flow.dst, ip->daddr);
	pkt->flow.protocol = ip->protocol;
	pkt->version = 4;
	pkt->l3_length = bpf_ntohs(ip->tot_len);
	if (pkt->l3_length < sizeof(*ip))
		return PARSED_UNUSUAL;
	pkt->l4 = pkt->l3 + sizeof(*ip);
	return parse_plain_l4(pkt, end, pkt->l3_length - sizeof(*ip));
}

static __always_inline enum parsed parse_plain_ip6(struct pkt *pkt, const void *end)
{
	struct ipv6hdr *ip = pkt->l3;

	if (!within(end, ip, sizeof(*ip)) || ip->version != 6)
		return PARSED_UNUSUAL;
	addr_copy_ip6(pkt->flow.src, &ip->saddr);
	addr_copy_ip6(pkt->flow.dst, &ip->daddr);
	pkt->flow.protocol = ip->nexthdr;
	pkt->version = 6;
	pkt->l3_length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	pkt->l4 = pkt->l3 + sizeof(*ip);
	return parse_plain_l4(pkt, end, pkt->l3_length - sizeof(*ip));
}

static __always_inline enum parsed parse_plain(struct pkt *pkt)
{
	void *end = (void *)(long)pkt->ctx->data_end;
	void *data = (void *)(long)pkt->ctx->data;
	__be16 ethertype;

	pkt->eth = data;
	if (!within(end, data, sizeof(struct ethhdr)))
		return PARSED_NOT_IP;
	pkt->l3 = data + sizeof(struct ethhdr);
	ethertype = *(const __be16 *)(data + offsetof(struct ethhdr, h_proto)); /* in one load */
	if (ethertype == bpf_htons(ETH_P_IP))
		return parse_plain_ip4(pkt, end);
	if (ethertype == bpf_htons(ETH_P_IPV6))
		return parse_plain_ip6(pkt, end);
	return vlan_header_follows(ethertype) ? PARSED_UNUSUAL : PARSED_NOT_IP;
}

#endif
