/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The NAT flow table: finding a record by either direction. include/weir/nat.h says how it lies in
 * memory and by which rules it is written, nat_claim.h writes it, nat.h is the mode that uses it.
 *
 * Mostly it is at home, in the way that the hash names: there it is looked for inline, so that a
 * processor can fetch the record before it knows the tag. Elsewhere a function of its own looks, as
 * parse_extensions(), with candidates as bits of a word instead of a branch for each way.
 */
#ifndef WEIR_BPF_NAT_TABLE_H
#define WEIR_BPF_NAT_TABLE_H

#include <weir/hash.h>

#include "maps.h"
#include "pkt.h"

/* Set before the program is loaded. */
const volatile __u32 nat_buckets = 1;
const volatile __u32 nat_index_mask =
	2 * WEIR_NAT_WAYS - 1; /* of a reply entry, above is its tag */

#define NAT_NONE     (~0u) /* no record's index */
#define NAT_WAYS_MAX 32	   /* candidates of one key */

/* The position of the lowest bit, by a de Bruijn sequence: BPF has no instruction for it. */
static const __u8 nat_bit_position[64] = { 0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38,
					   29, 17, 4,  62, 55, 59, 36, 53, 51, 43, 22, 45, 39,
					   33, 30, 24, 18, 12, 5,  63, 47, 56, 27, 60, 41, 37,
					   16, 54, 35, 52, 21, 44, 32, 23, 11, 46, 26, 40, 15,
					   34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6 };

static __always_inline __u32 lowest_bit(__u64 word)
{
	return nat_bit_position[(word & -word) * 0x03f79d71b4cb0a89ull >> 58];
}

/* The top bit of every byte that is zero. */
static __always_inline __u64 zero_bytes(__u64 word)
{
	const __u64 low = 0x7f7f7f7f7f7f7f7full;

	return ~(((word & low) + low) | word | low);
}

/* The top bit of every half that is zero. */
static __always_inline __u64 zero_halves(__u64 word)
{
	const __u64 low = 0x7fffffff7fffffffull;

	return ~(((word & low) + low) | word | low);
}

static __always_inline struct nat_places nat_places(__u64 hash)
{
	return (struct nat_places){
		.first = ((hash & 0xffffffff) * nat_buckets) >> 32,
		.second = ((hash >> 32) * nat_buckets) >> 32,
		.home = (hash >> 8) % WEIR_NAT_WAYS,
		.tag = (__u8)hash ?: 1,
	};
}

/*
 * The ways of a bucket whose tag is `tag`, 0 for those that are free: bit 8 * w is way w of its
 * lower half, bit 8 * w + 1 of its upper half.
 */
static __always_inline __u64 nat_bucket_ways(const struct weir_nat_tags *bucket, __u8 tag)
{
	const volatile __u64 *words = (const volatile __u64 *)bucket->tag;
	__u64 pattern = tag * 0x0101010101010101ull;

	return zero_bytes(words[0] ^ pattern) >> 7 | zero_bytes(words[1] ^ pattern) >> 6;
}

/* The same of two buckets, the second's two bits higher. */
static __always_inline __u64 nat_ways(const struct weir_nat_tags *first,
				      const struct weir_nat_tags *second, __u8 tag)
{
	return nat_bucket_ways(first, tag) | nat_bucket_ways(second, tag) << 2;
}

#define NAT_WAYS_FIRST	0x0303030303030303ull /* of the first bucket */
#define NAT_WAYS_SECOND 0x0c0c0c0c0c0c0c0cull

/* The record of the lowest of some ways. */
static __always_inline __u32 nat_lowest(const struct nat_places *at, __u64 ways)
{
	__u32 bit = lowest_bit(ways);
	__u32 bucket = bit & 2 ? at->second : at->first;

	return bucket * WEIR_NAT_WAYS + (bit >> 3) + (bit & 1) * (WEIR_NAT_WAYS / 2);
}

static __always_inline struct weir_nat_record *nat_record(__u32 index)
{
	return bpf_map_lookup_elem(&nat_records, &index);
}

static __always_inline struct weir_nat_tags *nat_bucket_tags(__u32 bucket)
{
	return bpf_map_lookup_elem(&nat_tags, &bucket);
}

static __always_inline union weir_nat_word nat_word(const struct weir_nat_record *record)
{
	return (union weir_nat_word){ .all = *(const volatile __u64 *)&record->word.all };
}

static __always_inline bool nat_is_live(union weir_nat_word word, __u8 protocol)
{
	return word.is.state == WEIR_NAT_LIVE && word.is.udp == (protocol == IPPROTO_UDP);
}

/* Is it the record of a flow from client to listener? */
static __always_inline bool nat_is_of(const struct weir_nat_record *record,
				      union weir_nat_word word, const struct weir_flow *flow)
{
	return nat_is_live(word, flow->protocol) && record->client_port == flow->sport &&
	       record->listener_port == flow->dport && addr_same(record->client_addr, flow->src) &&
	       addr_same(record->listener_addr, flow->dst);
}

/* Is it the record of a flow whose endpoint and SNAT address this answer is from and to? */
static __always_inline bool nat_is_answered_by(const struct weir_nat_record *record,
					       union weir_nat_word word,
					       const struct weir_flow *back)
{
	__u32 row = word.is.endpoint, snat_row = record->client.snat;
	const struct weir_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &row);
	const struct weir_snat *from = bpf_map_lookup_elem(&snat, &snat_row);

	return nat_is_live(word, back->protocol) && record->snat_port == back->dport && endpoint &&
	       from && (__u16)endpoint->generation == word.is.endpoint_generation &&
	       (endpoint->port ?: record->listener_port) == back->sport &&
	       addr_same(endpoint->addr, back->src) && addr_same(from->addr, back->dst);
}

/* A record and its word as it was when the record was the one that was looked for. */
struct nat_match {
	union weir_nat_word word;
	__u32 index; /* NAT_NONE: there is none */
	__u32 pad;
};

/* All candidates of a flow. Returns whether there is one. */
__noinline bool nat_search(const struct weir_flow *flow, __u64 hash, struct nat_match *ret)
{
	struct nat_places at = nat_places(hash);
	const struct weir_nat_tags *first = nat_bucket_tags(at.first);
	const struct weir_nat_tags *second = nat_bucket_tags(at.second);
	__u64 ways;

	if (!flow || !ret || !first || !second)
		return false;
	ways = nat_ways(first, second, at.tag);
	for (int i = 0; ways && i < NAT_WAYS_MAX; i++, ways &= ways - 1) {
		const struct weir_nat_record *record;

		ret->index = nat_lowest(&at, ways);
		record = nat_record(ret->index);
		if (!record)
			return false;
		ret->word = nat_word(record);
		if (nat_is_of(record, ret->word, flow))
			return true;
	}
	ret->index = NAT_NONE;
	return false;
}

/* The flow's record, NULL if it has none; *ret of it. */
static __always_inline struct weir_nat_record *nat_find(const struct weir_flow *flow, __u64 hash,
							struct nat_match *ret)
{
	struct nat_places at = nat_places(hash);
	const struct weir_nat_tags *first = nat_bucket_tags(at.first);
	struct weir_nat_record *record;

	if (!first)
		return NULL;
	if (((const volatile __u8 *)first->tag)[at.home] == at.tag) {
		ret->index = at.first * WEIR_NAT_WAYS + at.home;
		record = nat_record(ret->index);
		if (!record)
			return NULL;
		ret->word = nat_word(record);
		if (nat_is_of(record, ret->word, flow))
			return record;
	}
	return nat_search(flow, hash, ret) ? nat_record(ret->index) : NULL;
}

/* Where the reply entry of a flow is, and the tag that it has there: in place, never 0. */
static __always_inline __u32 nat_reply_bucket(__u64 hash)
{
	return ((hash >> 32) * nat_buckets) >> 32;
}

/* The entry that it has unless it was taken: of bits that tell apart what has the same tag, too. */
static __always_inline __u32 nat_reply_home(__u64 hash)
{
	return hash % WEIR_NAT_WAYS;
}

static __always_inline __u32 nat_reply_tag(__u64 hash)
{
	return ((__u32)hash & ~nat_index_mask) ?: nat_index_mask + 1;
}

/* The entries of a bucket with this tag: bits that nat_reply_lowest() understands. */
static __always_inline __u64 nat_reply_ways(const struct weir_nat_replies *replies, __u32 tag)
{
	const volatile __u64 *words = (const volatile __u64 *)replies->entry;
	__u64 mask = ~nat_index_mask, ways = 0;

	mask = mask << 32 | (__u32)mask;
	for (int i = 0; i < (int)WEIR_NAT_WAYS / 2; i++) {
		ways |= zero_halves((words[i] ^ ((__u64)tag << 32 | tag)) & mask) >> i;
		barrier_var(ways); /* one after the other, or they all lie on the stack */
	}
	return ways;
}

/* The record that the lowest of some entries names. */
static __always_inline __u32 nat_reply_lowest(const struct weir_nat_replies *replies, __u64 ways)
{
	__u32 bit = lowest_bit(ways);
	__u32 entry = 2 * (31 - (bit & 31)) + (bit >> 5);

	asm volatile("" : "+r"(entry)); /* or the compiler takes the bound below apart */
	return (((const volatile __u32 *)replies->entry)[entry % WEIR_NAT_WAYS] & nat_index_mask) -
	       1;
}

/* As nat_search(), of an answer. */
__noinline bool nat_search_reply(const struct weir_flow *back, __u64 hash, struct nat_match *ret)
{
	__u32 bucket = nat_reply_bucket(hash);
	const struct weir_nat_replies *replies = bpf_map_lookup_elem(&nat_replies, &bucket);
	__u64 ways;

	if (!back || !ret || !replies)
		return false;
	ways = nat_reply_ways(replies, nat_reply_tag(hash));
	for (int i = 0; ways && i < (int)WEIR_NAT_WAYS; i++, ways &= ways - 1) {
		const struct weir_nat_record *record;

		ret->index = nat_reply_lowest(replies, ways);
		record = nat_record(ret->index);
		if (!record)
			continue;
		ret->word = nat_word(record);
		if (nat_is_answered_by(record, ret->word, back))
			return true;
	}
	ret->index = NAT_NONE;
	return false;
}

/* As nat_find(), of an answer. */
static __always_inline struct weir_nat_record *nat_find_reply(const struct weir_flow *back,
							      __u64 hash, struct nat_match *ret)
{
	__u32 bucket = nat_reply_bucket(hash);
	const struct weir_nat_replies *replies = bpf_map_lookup_elem(&nat_replies, &bucket);
	struct weir_nat_record *record;
	__u32 entry;

	if (!replies)
		return NULL;
	entry = ((const volatile __u32 *)replies->entry)[nat_reply_home(hash)];
	if ((entry & ~nat_index_mask) == nat_reply_tag(hash)) {
		ret->index = (entry & nat_index_mask) - 1;
		record = nat_record(ret->index);
		if (record) {
			ret->word = nat_word(record);
			if (nat_is_answered_by(record, ret->word, back))
				return record;
		}
	}
	return nat_search_reply(back, hash, ret) ? nat_record(ret->index) : NULL;
}

/* Has the record stayed the same since it was found? Only then is what was read of it good. */
static __always_inline bool nat_is_still(const struct weir_nat_record *record,
					 const struct nat_match *match)
{
	return nat_word(record).all == match->word.all;
}

#endif
