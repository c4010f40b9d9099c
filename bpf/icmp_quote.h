/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an ICMP error quotes: the packet that it is about, or the outer header of a tunnel around
 * it. Read by offsets from the frame's start, which stay good for functions of their own.
 */
#ifndef WEIR_BPF_ICMP_QUOTE_H
#define WEIR_BPF_ICMP_QUOTE_H

#include "icmp.h"
#include "maps.h"
#include "parse_all.h"

/* The packet that an error quotes. Offsets count from the frame's start. */
struct icmp_quote {
	struct weir_flow flow; /* of a packet that goes the other way */
	__u32 icmp;
	__u32 ip;
	__u32 l4; /* at least 8 bytes are there */
	__u32 end;
	__u32 version;
	__u16 length; /* of its layer 4, as its header says */
	__u8 tos;
	__u8 ttl;
};

static __always_inline bool icmp_quote_ip4(struct xdp_md *ctx, struct icmp_quote *quote)
{
	struct iphdr ip;

	if (bpf_xdp_load_bytes(ctx, quote->ip, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5 ||
	    ip.frag_off & bpf_htons(IP4_FRAGMENT_OFFSET))
		return false;
	addr_from_ip4(quote->flow.src, ip.daddr);
	addr_from_ip4(quote->flow.dst, ip.saddr);
	quote->flow.protocol = ip.protocol;
	quote->l4 = quote->ip + ip.ihl * 4;
	quote->length = bpf_ntohs(ip.tot_len) - ip.ihl * 4;
	quote->tos = ip.tos;
	quote->ttl = ip.ttl;
	return true;
}

static __always_inline bool icmp_quote_ip6(struct xdp_md *ctx, struct icmp_quote *quote)
{
	struct ip6_walk walk = { .offset = sizeof(struct ipv6hdr) };
	struct ipv6hdr ip;

	if (bpf_xdp_load_bytes(ctx, quote->ip, &ip, sizeof(ip)) || ip.version != 6)
		return false;
	walk.protocol = ip.nexthdr;
	if (is_extension(walk.protocol) && parse_extensions(ctx, quote->ip, &walk))
		return false;
	if (walk.flags & PKT_LATER_FRAGMENT)
		return false;
	addr_copy_ip6(quote->flow.src, &ip.daddr);
	addr_copy_ip6(quote->flow.dst, &ip.saddr);
	quote->flow.protocol = walk.protocol;
	quote->l4 = quote->ip + walk.offset;
	quote->length = bpf_ntohs(ip.payload_len) + sizeof(ip) - walk.offset;
	quote->tos = ip.priority << 4 | ip.flow_lbl[0] >> 4;
	quote->ttl = ip.hop_limit;
	return true;
}

/*
 * Reads the quote; `icmp`, `end` and `version` are given. Returns 0, or -1: it is not of a TCP or
 * UDP packet, or too short. A function of its own, as parse_extensions().
 */
__noinline int icmp_read_quote(struct xdp_md *ctx, struct icmp_quote *quote)
{
	__be16 ports[2];

	if (!quote)
		return -1;
	quote->ip = quote->icmp + ICMP_HEADER;
	if (!(quote->version == 4 ? icmp_quote_ip4(ctx, quote) : icmp_quote_ip6(ctx, quote)))
		return -1;
	if (quote->flow.protocol != IPPROTO_TCP && quote->flow.protocol != IPPROTO_UDP)
		return -1;
	if (quote->l4 + 8 > quote->end || bpf_xdp_load_bytes(ctx, quote->l4, ports, sizeof(ports)))
		return -1;
	quote->flow.sport = bpf_ntohs(ports[1]);
	quote->flow.dport = bpf_ntohs(ports[0]);
	return 0;
}

/* An outer header that is quoted, perhaps of ours. Offsets count from the frame's start. */
struct icmp_outer {
	__u8 src[16];
	__u8 dst[16];
	__u32 at;
	__u32 version;
	__u32 label;	     /* flow label of IPv6; 0 of IPv4 */
	__u32 inner;	     /* offset of the packet inside */
	__u32 inner_version; /* 4 or 6 */
	__u16 sport;	     /* gue */
	__u16 dport;
	bool gue;
	__u8 pad[7];
};

/* Sets the addresses, `label` and `inner`; returns what follows the IP header, or -1. */
static __always_inline int icmp_outer_ip4(struct xdp_md *ctx, struct icmp_outer *outer)
{
	struct iphdr ip;

	if (bpf_xdp_load_bytes(ctx, outer->at, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl != 5 ||
	    ip.frag_off & bpf_htons(IP4_FRAGMENT_OFFSET))
		return -1;
	addr_from_ip4(outer->src, ip.saddr);
	addr_from_ip4(outer->dst, ip.daddr);
	outer->label = 0;
	outer->inner = outer->at + sizeof(ip);
	return ip.protocol;
}

static __always_inline int icmp_outer_ip6(struct xdp_md *ctx, struct icmp_outer *outer)
{
	struct ipv6hdr ip;

	if (bpf_xdp_load_bytes(ctx, outer->at, &ip, sizeof(ip)) || ip.version != 6)
		return -1;
	addr_copy_ip6(outer->src, &ip.saddr);
	addr_copy_ip6(outer->dst, &ip.daddr);
	outer->label = (ip.flow_lbl[0] & 0xfu) << 16 | (__u32)ip.flow_lbl[1] << 8 | ip.flow_lbl[2];
	outer->inner = outer->at + sizeof(ip);
	return ip.nexthdr;
}

/* Reads it, `at` and `version` are given: 0, or -1: it is no tunnel's. A function of its own, as
 * parse_extensions(). */
__noinline int icmp_read_outer(struct xdp_md *ctx, struct icmp_outer *outer)
{
	struct {
		struct udphdr udp;
		struct gue_header gue;
	} headers;
	int protocol;

	if (!outer)
		return -1;
	protocol = outer->version == 4 ? icmp_outer_ip4(ctx, outer) : icmp_outer_ip6(ctx, outer);
	outer->gue = protocol == IPPROTO_UDP;
	if (outer->gue) {
		if (bpf_xdp_load_bytes(ctx, outer->inner, &headers, sizeof(headers)) ||
		    headers.gue.version_length || headers.gue.flags)
			return -1;
		outer->sport = bpf_ntohs(headers.udp.source);
		outer->dport = bpf_ntohs(headers.udp.dest);
		protocol = headers.gue.protocol;
		outer->inner += sizeof(headers);
	}
	if (protocol != IPPROTO_IPIP && protocol != IPPROTO_IPV6)
		return -1;
	outer->inner_version = protocol == IPPROTO_IPIP ? 4 : 6;
	return 0;
}

#endif
