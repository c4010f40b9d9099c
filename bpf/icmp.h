/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP and ICMPv6: what kind a message is. A ping of a listener's address is answered (answer.h),
 * an error goes on to the end whose packet it quotes (icmp_error.h). */
#ifndef WEIR_BPF_ICMP_H
#define WEIR_BPF_ICMP_H

#include "csum.h"
#include "parse_all.h"

/* Types and codes; the UAPI headers' names clash with each other. RFC 792, RFC 4443. */
#define ICMP4_ECHO_REPLY  0
#define ICMP4_UNREACHABLE 3
#define ICMP4_NO_PROTOCOL 2  /* a code of UNREACHABLE */
#define ICMP4_NO_PORT	  3  /* a code of UNREACHABLE */
#define ICMP4_TOO_BIG	  4  /* a code of UNREACHABLE */
#define ICMP4_PROHIBITED  13 /* a code of UNREACHABLE */
#define ICMP4_ECHO	  8
#define ICMP4_EXPIRED	  11
#define ICMP4_PARAMETER	  12
#define ICMP4_BAD_LENGTH  2 /* a code of PARAMETER */
#define ICMP6_UNREACHABLE 1
#define ICMP6_PROHIBITED  1 /* a code of UNREACHABLE */
#define ICMP6_NO_PORT	  4 /* a code of UNREACHABLE */
#define ICMP6_TOO_BIG	  2
#define ICMP6_EXPIRED	  3
#define ICMP6_PARAMETER	  4
#define ICMP6_NO_PROTOCOL 1 /* a code of PARAMETER */
#define ICMP6_ECHO	  128
#define ICMP6_ECHO_REPLY  129

/* The same of both families. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__sum16 check;
	__be32 rest;
};

#define ICMP_HEADER	      8	   /* bytes */
#define ICMP_QUOTED_MIN	      8	   /* of a quoted packet's layer 4; RFC 792 */
#define ICMP4_ERROR_MAX	      576  /* of an error with its IP header; RFC 1812, 4.3.2.3 */
#define ICMP6_ERROR_MAX	      1280 /* RFC 4443, 2.4 c */
#define ICMP_WORD(type, code) bpf_htonl((__u32)(type) << 24 | (__u32)(code) << 16)

static __always_inline bool icmp_is(const struct pkt *pkt)
{
	return pkt->flow.protocol == (pkt->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* Is its header there? A fragmented one is the kernel's to put together. */
static __always_inline bool icmp_is_whole(const struct pkt *pkt)
{
	const void *end = (void *)(long)pkt->ctx->data_end;

	return icmp_is(pkt) && !(pkt->flags & (PKT_FIRST_FRAGMENT | PKT_LATER_FRAGMENT)) &&
	       pkt->l3 + pkt->l3_length >= pkt->l4 + ICMP_HEADER &&
	       within(end, pkt->l4, ICMP_HEADER);
}

static __always_inline bool icmp_is_echo(const struct pkt *pkt)
{
	const struct icmp_header *icmp = pkt->l4;

	return icmp->type == (pkt->version == 4 ? ICMP4_ECHO : ICMP6_ECHO) && !icmp->code;
}

static __always_inline bool icmp_is_error(const struct pkt *pkt)
{
	const struct icmp_header *icmp = pkt->l4;

	if (pkt->version == 4)
		return icmp->type == ICMP4_UNREACHABLE || icmp->type == ICMP4_EXPIRED ||
		       icmp->type == ICMP4_PARAMETER;
	return icmp->type >= ICMP6_UNREACHABLE && icmp->type <= ICMP6_PARAMETER;
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

/* Where an error's quote, or its layer 4, may begin: behind the longest headers that are read; and
 * how long it may be, though RFC 1812 and RFC 4443 want less. */
#define ICMP_SUM_AT_MAX 8191
#define ICMP_SUM_MAX	1500

/*
 * The 16-bit words of `size` bytes from `at` on, summed up; -1: they are not there, or too many. A
 * function of its own, as parse_extensions(), in which nothing follows the loop: the verifier walks
 * that once for each turn the loop may end with.
 */
__noinline int icmp_sum_words(struct xdp_md *ctx, __u32 at, __u32 size)
{
	const void *end = (void *)(long)ctx->data_end;
	const void *data = (void *)(long)ctx->data;
	const __be16 *half;
	__u32 sum = 0;

	if (at > ICMP_SUM_AT_MAX || size > ICMP_SUM_MAX)
		return -1;
	half = data + at;
	if (size & 1) {
		const __u8 *last = (const __u8 *)half + (size & ~1u);

		if (!within(end, last, sizeof(*last)))
			return -1;
		sum = bpf_htons((__u16)*last << 8);
	}
	for (__u32 i = 0; i < ICMP_SUM_MAX / 2 && 2 * i + 1 < size; i++) {
		if (!within(end, half + i, sizeof(*half)))
			return -1;
		sum += half[i];
	}
	return (int)sum;
}

/* The same, folded to 16 bits. */
static __always_inline int icmp_sum(struct xdp_md *ctx, __u32 at, __u32 size)
{
	int sum = icmp_sum_words(ctx, at, size);

	return sum < 0 ? -1 : (__u16)~csum_apply(0xffff, sum);
}

/* What a too-big says, bytes; 0: it is none, or of a router that does not know (before RFC 1191).
 */
static __always_inline __u32 icmp_mtu(const struct pkt *pkt)
{
	const struct icmp_header *icmp = pkt->l4;

	if (pkt->version == 4)
		return icmp->type == ICMP4_UNREACHABLE && icmp->code == ICMP4_TOO_BIG
			       ? bpf_ntohl(icmp->rest) & 0xffff
			       : 0;
	return icmp->type == ICMP6_TOO_BIG ? bpf_ntohl(icmp->rest) : 0;
}

#endif
