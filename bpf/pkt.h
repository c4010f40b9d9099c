/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A packet, parsed once: later stages read this and never the headers again, except to rewrite
 * them. The pointers are checked against data_end by parse() and stay good until the packet's
 * buffer is resized.
 */
#ifndef WEIR_BPF_PKT_H
#define WEIR_BPF_PKT_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <weir/abi.h>

/* What a stage returns to say "go on": a packet that reaches the end has been forwarded. */
#define GO_ON WEIR_R_FORWARDED

/* UAPI headers name none of these. */
struct vlan_header {
	__be16 tci;
	__be16 ethertype;
};

static __always_inline bool vlan_header_follows(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD);
}

/* Generic UDP Encapsulation, version 0 without options (draft-ietf-intarea-gue, section 3). */
struct gue_header {
	__u8 version_length; /* version, control bit, words of options */
	__u8 protocol;	     /* of what follows: IPPROTO_IPIP, IPPROTO_IPV6 */
	__be16 flags;
};

enum pkt_flags {
	PKT_SYN = 1, /* TCP SYN without ACK: wants a new connection */
	PKT_FIN = 2,
	PKT_RST = 4,
	PKT_FIRST_FRAGMENT = 8,
	PKT_LATER_FRAGMENT = 16, /* has no ports */
	PKT_QUOTED = 32,	 /* an ICMP error; `flow` is that of the packet which it quotes */
};

struct pkt {
	struct xdp_md *ctx;
	const struct weir_control *control;
	struct ethhdr *eth;
	union {
		void *l3;
		struct iphdr *ip4;
		struct ipv6hdr *ip6;
	};
	union {
		void *l4;
		struct tcphdr *tcp;
		struct udphdr *udp;
	};
	struct weir_flow flow; /* as on the wire */
	__u32 l3_length;       /* bytes, by the IP header */
	__u8 version;	       /* 4 or 6; 0 while the destination is unknown */
	__u8 flags;	       /* enum pkt_flags */
	__u8 action;	       /* of a forwarded packet: XDP_TX or XDP_REDIRECT */
	bool new_flow;	       /* a forwarded packet is the first of its flow */
	__u32 endpoint;	       /* of a forwarded packet: the endpoint's row */
	__u32 hash;	       /* of the flow, once an endpoint is selected; its low bits chose */
	union {
		__u32 room;   /* of a packet that is too big: the largest that is not */
		__u32 egress; /* of a forwarded packet: index of the interface */
	};
	__be32 fragment_id; /* of a fragment */
	__u32 vlan;	    /* tags, as the word of weir_egress.vlan */
};

/* What parse_plain() may leave as it is; zeros for the rest would cost a fiftieth of a packet. */
static __always_inline void pkt_begin(struct pkt *pkt, struct xdp_md *ctx)
{
	pkt->ctx = ctx;
	pkt->flow.sport = 0;
	pkt->flow.dport = 0;
	pkt->flow.protocol = 0;
	__builtin_memset(pkt->flow.pad, 0, sizeof(pkt->flow.pad));
	pkt->l3_length = 0;
	pkt->version = 0;
	pkt->flags = 0;
	pkt->action = 0;
	pkt->new_flow = false;
	pkt->endpoint = 0;
	pkt->hash = 0;
	pkt->room = 0;
	pkt->fragment_id = 0;
	pkt->vlan = 0;
}

/* Bytes from one place in a packet to another. Kept in 64 bits: the verifier knows pointers only
 * whole, and the compiler would subtract halves. */
static __always_inline __u64 pkt_distance(const void *from, const void *to)
{
	__u64 bytes = to - from;

	asm volatile("" : "+r"(bytes));
	return bytes;
}

static __always_inline bool addr_same(const __u8 a[16], const __u8 b[16])
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

/* Both begin at a multiple of 8 bytes, also on the stack, where the verifier sees to it. */
static __always_inline void addr_copy(__u8 to[16], const __u8 from[16])
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

/* From or to a packet: by words, where memcpy() would go byte by byte. They are as wide as those
 * that read the address later: a processor cannot forward two narrow stores to a wide load. */
static __always_inline void addr_copy_ip6(void *to, const void *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

static __always_inline bool addr_is_ip4(const __u8 addr[16])
{
	return ((const __u64 *)addr)[0] == 0 && ((const __u32 *)addr)[2] == bpf_htonl(0xffff);
}

static __always_inline void addr_from_ip4(__u8 to[16], __be32 from)
{
	((__u64 *)to)[0] = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	((__u64 *)to)[1] = (__u64)from << 32 | bpf_htonl(0xffff);
#else
	((__u64 *)to)[1] = (__u64)bpf_htonl(0xffff) << 32 | from;
#endif
}

static __always_inline __be32 addr_to_ip4(const __u8 addr[16])
{
	return ((const __u32 *)addr)[3];
}

static __always_inline bool nexthop_same(const struct weir_nexthop *a, const struct weir_nexthop *b)
{
	return *(const __u64 *)a == *(const __u64 *)b;
}

#endif
