/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An ICMP error for an end of the other family (RFC 7915, sections 4.2 to 4.5 and 5.2 to 5.5). Its
 * IP and ICMP headers and the IP header of the quote are replaced; of what is quoted behind that,
 * addresses and ports are turned as within a family, and so much stays as an error may have.
 * Message extensions (RFC 4884) are left out.
 */
#ifndef WEIR_BPF_ICMP_TRANSLATE_H
#define WEIR_BPF_ICMP_TRANSLATE_H

#include "head.h"
#include "icmp_turn.h"

#define ICMP_UNTRANSLATABLE  1 /* nothing has changed */
#define ICMP_NO_HEADROOM     2

#define ICMP6_MTU_MIN	     1280 /* RFC 8200, 5 */
#define ICMP_FAMILIES_DIFFER (sizeof(struct ipv6hdr) - sizeof(struct iphdr))

/* Bytes of an error's headers, with the IP header that it quotes. */
#define ICMP4_HEADERS (2 * sizeof(struct iphdr) + ICMP_HEADER)
#define ICMP6_HEADERS (2 * sizeof(struct ipv6hdr) + ICMP_HEADER)

/*
 * What becomes of small numbers, as digits of a hexadecimal one, the last being that of 0. (Arrays
 * of such sizes a compiler puts into sections that libbpf does not know.)
 */
#define ICMP_CODES_TO_IP6    0x1f100110000f4f00ull /* of UNREACHABLE; 2 and 4 are other types */
#define ICMP_CODES_TO_IP4    0x311a1ull
#define ICMP_POINTERS_TO_IP6 0xff67ffff4410ull /* of PARAMETER: bytes of the IP header */
#define ICMP_POINTERS_TO_IP4 0x8922ff10ull
#define ICMP_NONE	     0xfu /* the other family has no such thing */

static __always_inline __u32 icmp_digit(__u64 number, __u32 at)
{
	return number >> at * 4 & 0xf;
}

static __always_inline __u32 icmp_pointer_to_ip6(__u32 pointer)
{
	if (pointer < offsetof(struct iphdr, saddr))
		return icmp_digit(ICMP_POINTERS_TO_IP6, pointer);
	if (pointer < offsetof(struct iphdr, daddr))
		return offsetof(struct ipv6hdr, saddr);
	return pointer < sizeof(struct iphdr) ? offsetof(struct ipv6hdr, daddr) : ICMP_NONE;
}

static __always_inline __u32 icmp_pointer_to_ip4(__u32 pointer)
{
	if (pointer < offsetof(struct ipv6hdr, saddr))
		return icmp_digit(ICMP_POINTERS_TO_IP4, pointer);
	if (pointer < offsetof(struct ipv6hdr, daddr))
		return offsetof(struct iphdr, saddr);
	return pointer < sizeof(struct ipv6hdr) ? offsetof(struct iphdr, daddr) : ICMP_NONE;
}

static __always_inline void icmp_become(struct icmp_turn *turn, __u8 type, __u8 code, __u32 rest)
{
	turn->type = type;
	turn->code = code;
	turn->rest = rest;
}

static __always_inline bool icmp_kind_to_ip6(struct icmp_turn *turn)
{
	__u32 code = turn->code, mtu = (turn->rest & 0xffff) + ICMP_FAMILIES_DIFFER;
	__u32 pointer = icmp_pointer_to_ip6(turn->rest >> 24);

	switch (turn->type) {
	case ICMP4_UNREACHABLE:
		if (code == ICMP4_TOO_BIG)
			icmp_become(turn, ICMP6_TOO_BIG, 0,
				    mtu < ICMP6_MTU_MIN ? ICMP6_MTU_MIN : mtu);
		else if (code == ICMP4_NO_PROTOCOL)
			icmp_become(turn, ICMP6_PARAMETER, ICMP6_NO_PROTOCOL,
				    offsetof(struct ipv6hdr, nexthdr));
		else
			icmp_become(turn, ICMP6_UNREACHABLE,
				    icmp_digit(ICMP_CODES_TO_IP6, code & 0xf), 0);
		return code < 16 && turn->code != ICMP_NONE;
	case ICMP4_EXPIRED:
		icmp_become(turn, ICMP6_EXPIRED, code, 0);
		return true;
	case ICMP4_PARAMETER:
		icmp_become(turn, ICMP6_PARAMETER, 0, pointer);
		return (code == 0 || code == ICMP4_BAD_LENGTH) && pointer != ICMP_NONE;
	default:
		return false;
	}
}

static __always_inline bool icmp_kind_to_ip4(struct icmp_turn *turn)
{
	__u32 code = turn->code, rest = turn->rest;

	switch (turn->type) {
	case ICMP6_UNREACHABLE:
		icmp_become(turn, ICMP4_UNREACHABLE, icmp_digit(ICMP_CODES_TO_IP4, code & 0xf), 0);
		return code <= ICMP6_NO_PORT;
	case ICMP6_TOO_BIG:
		if (rest < ICMP6_MTU_MIN)
			rest = ICMP6_MTU_MIN;
		rest -= ICMP_FAMILIES_DIFFER;
		icmp_become(turn, ICMP4_UNREACHABLE, ICMP4_TOO_BIG, rest > 0xffff ? 0xffff : rest);
		return true;
	case ICMP6_EXPIRED:
		icmp_become(turn, ICMP4_EXPIRED, code, 0);
		return true;
	case ICMP6_PARAMETER:
		rest = icmp_pointer_to_ip4(rest);
		if (code == ICMP6_NO_PROTOCOL)
			icmp_become(turn, ICMP4_UNREACHABLE, ICMP4_NO_PROTOCOL, 0);
		else
			icmp_become(turn, ICMP4_PARAMETER, 0, rest << 24);
		return code == ICMP6_NO_PROTOCOL || (!code && rest != ICMP_NONE);
	default:
		return false;
	}
}

/* How much of the packet is quoted where extensions follow it, bytes; 0: none do. RFC 4884, 3. */
static __always_inline __u32 icmp_quoted_before_extensions(const struct icmp_turn *turn)
{
	if (turn->quote.version == 4)
		return (turn->rest >> 16 & 0xff) * 4;
	return turn->type == ICMP6_UNREACHABLE || turn->type == ICMP6_EXPIRED
		       ? (turn->rest >> 24) * 8
		       : 0;
}

/* Bytes of the quote's layer 4 that stay where there is room for so many. */
static __always_inline __u32 icmp_stays(const struct icmp_turn *turn, __u32 room)
{
	__u32 all = turn->quote.end - turn->quote.ip, before = turn->quote.l4 - turn->quote.ip;
	__u32 quoted = icmp_quoted_before_extensions(turn);

	if (quoted && quoted < all)
		all = quoted;
	if (all < before + ICMP_QUOTED_MIN)
		return ICMP_QUOTED_MIN;
	return all - before < room ? all - before : room;
}

static __always_inline bool icmp_put_ip4(struct xdp_md *ctx, const struct icmp_turn *turn,
					 __u32 stays, __u16 sum)
{
	int more = (int)(ICMP4_HEADERS - (turn->quote.l4 - turn->l3));
	struct ethhdr *eth;
	__be32 *word;

	word = head_move(ctx, turn->l3, more, ICMP4_HEADERS, bpf_htons(ETH_P_IP), &eth);
	if (!word)
		return false;
	head_put_ip4(word,
		     &(struct head_ip){ .src = turn->src,
					.dst = turn->dst,
					.payload = ICMP4_HEADERS - sizeof(struct iphdr) + stays,
					.id = IP4_DF,
					.tos = turn->tos,
					.ttl = turn->ttl - 1,
					.protocol = IPPROTO_ICMP });
	head_put_ip4(word + 7, &(struct head_ip){ .src = turn->dst,
						  .dst = turn->src,
						  .payload = turn->quote.length,
						  .id = IP4_DF,
						  .tos = turn->quote.tos,
						  .ttl = turn->quote.ttl,
						  .protocol = turn->quote.flow.protocol });
	word[5] = ICMP_WORD(turn->type, turn->code);
	word[6] = bpf_htonl(turn->rest);
	/* The quoted header sums up to nothing. */
	((struct icmp_header *)(word + 5))->check =
		csum_apply(0xffff, (__u64)word[5] + word[6] + sum);
	return true;
}

static __always_inline bool icmp_put_ip6(struct xdp_md *ctx, const struct icmp_turn *turn,
					 __u32 stays, __u16 sum)
{
	int more = (int)(ICMP6_HEADERS - (turn->quote.l4 - turn->l3));
	__u32 payload = ICMP6_HEADERS - sizeof(struct ipv6hdr) + stays;
	/* Of the pseudo header, and once more of the quote. */
	__u64 all = 2 * (csum_addr(turn->src) + csum_addr(turn->dst));
	struct ethhdr *eth;
	__be32 *word;

	word = head_move(ctx, turn->l3, more, ICMP6_HEADERS, bpf_htons(ETH_P_IPV6), &eth);
	if (!word)
		return false;
	head_put_ip6(word, &(struct head_ip){ .src = turn->src,
					      .dst = turn->dst,
					      .payload = payload,
					      .tos = turn->tos,
					      .ttl = turn->ttl - 1,
					      .protocol = IPPROTO_ICMPV6 });
	head_put_ip6(word + 12, &(struct head_ip){ .src = turn->dst,
						   .dst = turn->src,
						   .payload = turn->quote.length,
						   .tos = turn->quote.tos,
						   .ttl = turn->quote.ttl,
						   .protocol = turn->quote.flow.protocol });
	word[10] = ICMP_WORD(turn->type, turn->code);
	word[11] = bpf_htonl(turn->rest);
	all += (__u64)word[10] + word[11] + word[12] + word[13] + sum;
	all += bpf_htonl(payload + IPPROTO_ICMPV6);
	((struct icmp_header *)(word + 10))->check = csum_apply(0xffff, all);
	return true;
}

/* Is the checksum right? It will be made anew, and what is damaged must not become right by it. */
static __always_inline bool icmp_is_intact(struct xdp_md *ctx, const struct icmp_turn *turn)
{
	__u32 length = turn->quote.end - turn->quote.icmp;
	__u64 pseudo = 0;
	int sum = icmp_sum(ctx, turn->quote.icmp, length);

	if (sum < 0)
		return false;
	if (turn->quote.version == 6)
		pseudo = csum_addr(turn->router) + csum_addr(turn->quote.flow.dst) +
			 bpf_htonl(length + IPPROTO_ICMPV6);
	return !csum_apply(0xffff, pseudo + (__u32)sum);
}

/* To the end of the other family: 0, ICMP_UNTRANSLATABLE, or ICMP_NO_HEADROOM or -1: the packet is
 * no longer what it was. A function of its own, as parse_extensions(). */
__noinline int icmp_translate(struct xdp_md *ctx, struct icmp_turn *turn)
{
	__u64 ignored = 0;
	__u32 stays;
	bool to_ip4;
	int sum;

	if (!turn)
		return ICMP_UNTRANSLATABLE;
	to_ip4 = turn->quote.version == 6;
	if (!icmp_is_intact(ctx, turn))
		return ICMP_UNTRANSLATABLE;
	stays = icmp_stays(turn, to_ip4 ? ICMP4_ERROR_MAX - ICMP4_HEADERS
					: ICMP6_ERROR_MAX - ICMP6_HEADERS);
	if (!(to_ip4 ? icmp_kind_to_ip4(turn) : icmp_kind_to_ip6(turn)))
		return ICMP_UNTRANSLATABLE;
	if (!icmp_turn_l4(ctx, turn, &ignored) || !tail_cut(ctx, turn->quote.l4 + stays))
		return -1;
	sum = icmp_sum(ctx, turn->quote.l4, stays);
	if (sum < 0)
		return -1;
	return (to_ip4 ? icmp_put_ip4(ctx, turn, stays, sum) : icmp_put_ip6(ctx, turn, stays, sum))
		       ? 0
		       : ICMP_NO_HEADROOM;
}

#endif
