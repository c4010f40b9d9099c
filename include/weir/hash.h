/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hashes that both halves must compute alike. Multiply and fold: a few cycles, and good
 * enough for tables whose keys an attacker cannot choose after the seed (listeners) or gains
 * nothing by choosing (slots: he only picks his own endpoint).
 */
#ifndef WEIR_HASH_H
#define WEIR_HASH_H

#include <linux/types.h>

#include <weir/abi.h>

static inline __attribute__((always_inline)) __u64 weir_mix(__u64 h, __u64 word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ull; /* 2^64 / golden ratio, odd */
	return h ^ (h >> 32);
}

/* In a program of BPF the address is at a multiple of 8 bytes, and read as a whole. */
static inline __attribute__((always_inline)) __u64 weir_word(const __u8 *bytes)
{
	__u64 word;

#ifdef __bpf__
	bytes = __builtin_assume_aligned(bytes, sizeof(word));
#endif

	__builtin_memcpy(&word, bytes, sizeof(word));
	return word;
}

/* Of a cell's key; (port, protocol) is (0, 0) for an address cell. */
static inline __attribute__((always_inline)) __u32 weir_hash_listener(const __u8 addr[16],
								      __u16 port, __u8 protocol,
								      __u32 seed)
{
	__u64 key = (__u32)port << 8 | protocol;
	__u64 h = (weir_word(addr) + seed) * 0x9e3779b97f4a7c15ull ^
		  (weir_word(addr + 8) ^ key) * 0xbf58476d1ce4e5b9ull;

	h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ull;
	return h >> 32;
}

/*
 * Of a flow: its low bits choose the slot. Two chains that meet at the end: a processor multiplies
 * them side by side, where one chain would wait for every step.
 */
static inline __attribute__((always_inline)) __u32 weir_hash_flow(const struct weir_flow *flow,
								  __u32 seed)
{
	__u64 ports = (__u64)flow->protocol << 32 | (__u32)flow->sport << 16 | flow->dport;
	__u64 h = (weir_word(flow->src) + seed) * 0x9e3779b97f4a7c15ull + weir_word(flow->src + 8);
	__u64 g = (weir_word(flow->dst) ^ ports) * 0xbf58476d1ce4e5b9ull + weir_word(flow->dst + 8);

	h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ull ^ (g ^ (g >> 29)) * 0x94d049bb133111ebull;
	h = (h ^ (h >> 32)) * 0xff51afd7ed558ccdull;
	return h >> 32;
}

/*
 * Of a flow in the NAT table, either direction; all 64 bits are good. The seed is secret, and what
 * it multiplies cannot be known, so that nobody can aim flows at one bucket. Two chains that meet
 * at the end, as weir_hash_flow().
 */
static inline __attribute__((always_inline)) __u64 weir_hash_nat(const struct weir_flow *flow,
								 const __u32 seed[2])
{
	__u64 ports = (__u64)flow->protocol << 32 | (__u32)flow->sport << 16 | flow->dport;
	__u64 secret = (__u64)seed[1] << 32 | seed[0];
	__u64 other = (__u64)seed[0] << 32 | seed[1];
	__u64 h =
		(weir_word(flow->src) + secret) * 0x9e3779b97f4a7c15ull + weir_word(flow->src + 8);
	__u64 g = (weir_word(flow->dst) ^ ports) * 0xbf58476d1ce4e5b9ull + weir_word(flow->dst + 8);

	h = (h ^ (h >> 32)) * (secret | 1) ^ (g ^ (g >> 29)) * (other | 1);
	h = (h ^ (h >> 32)) * 0xff51afd7ed558ccdull;
	return h ^ (h >> 32);
}

/* Of a source that opens flows to a listener; secret as the one before, all 64 bits are good. */
static inline __attribute__((always_inline)) __u64 weir_hash_source(__u32 listener,
								    const __u8 addr[16],
								    const __u32 seed[2])
{
	__u64 secret = (__u64)seed[1] << 32 | seed[0];
	__u64 h = weir_mix(secret + listener, weir_word(addr));

	h = weir_mix(h, weir_word(addr + 8) * (secret | 1)) * 0xd6e8feb86659fd93ull;
	h = (h ^ (h >> 32)) * 0xff51afd7ed558ccdull;
	return h ^ (h >> 32);
}

/* Of a flow whose listener keeps each client address on one endpoint, on whichever of its ports. */
static inline __attribute__((always_inline)) __u32 weir_hash_client(const struct weir_flow *flow,
								    __u32 seed)
{
	__u64 h = weir_mix(seed, weir_word(flow->src));

	h = weir_mix(h, weir_word(flow->src + 8)) * 0xd6e8feb86659fd93ull;
	return h >> 32;
}

#endif
