/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP and ICMPv6 to a listener's address: which of it is weir's business. */
#ifndef WEIR_BPF_ICMP_H
#define WEIR_BPF_ICMP_H

#include "csum.h"
#include "listener.h"
#include "parse.h"

/* Types and codes; the UAPI headers' names clash with each other. RFC 792, RFC 4443. */
#define ICMP4_ECHO_REPLY  0
#define ICMP4_UNREACHABLE 3
#define ICMP4_NO_PORT	  3 /* a code of UNREACHABLE */
#define ICMP4_TOO_BIG	  4 /* a code of UNREACHABLE */
#define ICMP4_ECHO	  8
#define ICMP4_EXPIRED	  11
#define ICMP6_UNREACHABLE 1
#define ICMP6_NO_PORT	  4 /* a code of UNREACHABLE */
#define ICMP6_TOO_BIG	  2
#define ICMP6_EXPIRED	  3
#define ICMP6_ECHO	  128
#define ICMP6_ECHO_REPLY  129

/* The same of both families. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__sum16 check;
	__be32 rest;
};

#define ICMP_HEADER	      8 /* bytes */
#define ICMP_WORD(type, code) bpf_htonl((__u32)(type) << 24 | (__u32)(code) << 16)

static __always_inline bool icmp_is(const struct pkt *pkt)
{
	return pkt->flow.protocol == (pkt->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* What a packet that is neither TCP nor UDP is. A fragmented echo is the kernel's to put together.
 */
static __always_inline enum weir_reason icmp_parse(const struct pkt *pkt)
{
	const void *end = (void *)(long)pkt->ctx->data_end;
	const struct icmp_header *icmp = pkt->l4;

	if (!icmp_is(pkt) || pkt->flags & (PKT_FIRST_FRAGMENT | PKT_LATER_FRAGMENT) ||
	    pkt->l3 + pkt->l3_length < pkt->l4 + ICMP_HEADER || !within(end, icmp, sizeof(*icmp)))
		return WEIR_R_NOT_TCP_UDP;
	if (icmp->type == (pkt->version == 4 ? ICMP4_ECHO : ICMP6_ECHO) && !icmp->code)
		return listener_bad_source(pkt) ? WEIR_R_BAD_SOURCE : WEIR_R_ECHO;
	return WEIR_R_NOT_TCP_UDP;
}

/*
 * The checksum of the reply to an echo, whose type alone has changed: 8 to 0, or 128 to 129. Added
 * to directly, so that a reply of nothing but zeros gets 0xffff; what RFC 1624's equation 3 gives,
 * zero, its receiver would refuse.
 */
static __always_inline __sum16 icmp_check_of_reply(__sum16 check, bool ip4)
{
	__u32 sum = (__u32)check + (ip4 ? bpf_htons(0x0800) : (__u16)~bpf_htons(0x0100));

	return (sum & 0xffff) + (sum >> 16);
}

#endif
