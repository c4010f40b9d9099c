/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Incremental Internet checksums by arithmetic (RFC 1624, equation 3): a helper call costs more
 * than the handful of additions. A delta is a sum of ~old + new in 16-bit one's complement; it is
 * kept in 64 bits and folded once.
 */
#ifndef WEIR_BPF_CSUM_H
#define WEIR_BPF_CSUM_H

#include "pkt.h"

static __always_inline __u64 csum_delta16(__be16 from, __be16 to)
{
	return (__u64)(__u16)~from + to;
}

static __always_inline __u64 csum_delta32(__be32 from, __be32 to)
{
	return (__u64)(__u32)~from + to;
}

static __always_inline __u64 csum_delta_addr(const __u8 from[16], const __u8 to[16])
{
	const __u32 *a = (const __u32 *)from, *b = (const __u32 *)to;

	return csum_delta32(a[0], b[0]) + csum_delta32(a[1], b[1]) + csum_delta32(a[2], b[2]) +
	       csum_delta32(a[3], b[3]);
}

/* Of an address as it is in a pseudo header. */
static __always_inline __u64 csum_addr(const __u8 addr[16])
{
	const __u32 *word = (const __u32 *)addr;

	return (__u64)word[0] + word[1] + word[2] + word[3];
}

static __always_inline __sum16 csum_apply(__sum16 check, __u64 delta)
{
	__u64 sum = (__u16)~check + delta;
	__u32 half;

	/* Both halves, added crosswise: the upper one is their sum with its carry. */
	sum += sum << 32 | sum >> 32;
	half = sum >> 32;
	half += half << 16 | half >> 16;
	return ~(half >> 16);
}

#endif
