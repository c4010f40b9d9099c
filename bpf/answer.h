/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What weir itself says to a packet's sender: a TCP reset, an ICMP error, the reply to an echo. It
 * is built in the packet's own buffer and leaves the way the packet came: MACs swapped, VLAN tags
 * kept, no route asked.
 *
 * Its source is the address that the packet was sent to. A router would take one of its own; but
 * those need not be routed on the client's side, and a network that filters spoofed sources lets
 * through only what the packet's destination is. A traceroute through mode nat shows the
 * listener's address twice, then: for weir and for the endpoint behind it.
 *
 * Never answered: errors and resets, what came as a link-layer broadcast, sources that cannot be,
 * later fragments (RFC 1122, 3.2.2; RFC 4443, 2.4 e).
 */
#ifndef WEIR_BPF_ANSWER_H
#define WEIR_BPF_ANSWER_H

#include "clock.h"
#include "csum.h"
#include "explain.h"
#include "head.h"
#include "icmp.h"
#include "listener.h"
#include "parse_all.h"
#include "stats.h"

#define ANSWER_TTL     64
#define ANSWER_BURST   (NANOSECONDS / 10) /* how far ahead of an even pace answers may be */
#define ANSWER_IP4_TOS 0xc0		  /* RFC 1812, 4.3.2.5: internetwork control */
#define ANSWER_IP4_DF  0x4000

/* A packet's answer while it is put together. */
struct answer {
	struct pkt *pkt;
	__u64 l2;     /* bytes before the IP header; as wide as a pointer, for the verifier */
	__u32 ip;     /* bytes of the new IP header */
	__u32 length; /* bytes behind it */
	__u8 protocol;
	__u8 tos;
};

static __always_inline enum weir_answer answer_kind(const struct pkt *pkt, __u32 reason)
{
	if (reason == WEIR_R_ECHO)
		return WEIR_ANSWER_ECHO;
	if (reason == WEIR_R_TTL_EXPIRED)
		return WEIR_ANSWER_EXPIRED;
	if (reason == WEIR_R_TOO_BIG)
		return WEIR_ANSWER_TOO_BIG;
	if (reason == WEIR_R_FRAGMENT_FAMILY)
		return WEIR_ANSWER_UNREACHABLE;
	return pkt->flow.protocol == IPPROTO_TCP ? WEIR_ANSWER_RESET : WEIR_ANSWER_UNREACHABLE;
}

static __always_inline bool answer_may(const struct pkt *pkt, enum weir_answer kind)
{
	if (pkt->eth->h_dest[0] & 1 || listener_bad_source(pkt) || pkt->flags & PKT_LATER_FRAGMENT)
		return false;
	if (kind == WEIR_ANSWER_ECHO)
		return true;
	if (icmp_is(pkt))
		return false;
	/* How long a fragmented segment is, which a reset acknowledges, its first part hides. */
	return kind != WEIR_ANSWER_RESET || !(pkt->flags & (PKT_RST | PKT_FIRST_FRAGMENT));
}

/*
 * The limit of each kind, for all CPUs together: answers leave at an even pace, or up to
 * ANSWER_BURST ahead of it. One word says when the next is due; who is refused writes nothing.
 */
static __always_inline bool answer_in_pace(const struct weir_control *control, __u32 kind)
{
	__u64 *due = bpf_map_lookup_elem(&answer_pace, &kind), now, before, next;
	__u32 rate = control->answers_per_second;

	if (kind == WEIR_ANSWER_ECHO)
		return true;
	if (!due || !rate)
		return false;
	now = bpf_ktime_get_ns() + control->clock_offset * NANOSECONDS;
	before = *(volatile __u64 *)due;
	if (before > now + ANSWER_BURST)
		return false;
	if (EXPLAINING)
		return true;
	next = (before > now ? before : now) + NANOSECONDS / rate;
	return __sync_val_compare_and_swap(due, before, next) == before;
}

/* Ethernet, `grown` bytes further on than it shall be, turned round; its tags come with it. */
static __always_inline bool answer_put_eth(void *data, const void *end, __u32 grown)
{
	const __u16 *from = data + grown;
	__u16 *to = data, old[PARSE_MAX_L2 / 2];

	/* The longest one: what it is longer than this, the IP header is about to overwrite. */
	if (!within(end, from, PARSE_MAX_L2))
		return false;
	for (int i = 0; i < PARSE_MAX_L2 / 2; i++)
		old[i] = from[i];
	for (int i = 0; i < ETH_ALEN / 2; i++) {
		to[i] = old[i + ETH_ALEN / 2];
		to[i + ETH_ALEN / 2] = old[i];
	}
	for (int i = ETH_ALEN; i < PARSE_MAX_L2 / 2; i++)
		to[i] = old[i];
	return true;
}

/* The IP header; returns what the pseudo header adds to the sum of layer 4. */
static __always_inline __u64 answer_put_ip(const struct answer *answer, __be32 *word)
{
	const __be32 *src = (const __be32 *)answer->pkt->flow.dst;
	const __be32 *dst = (const __be32 *)answer->pkt->flow.src;
	__u64 sum = bpf_htonl(answer->length + answer->protocol);

	if (answer->ip == sizeof(struct iphdr)) {
		__u64 header;

		word[0] = bpf_htonl(0x45000000u | (__u32)answer->tos << 16 |
				    (answer->ip + answer->length));
		word[1] = bpf_htonl(ANSWER_IP4_DF); /* no identification: RFC 6864 */
		word[2] = bpf_htonl(ANSWER_TTL << 24 | (__u32)answer->protocol << 16);
		word[3] = src[3];
		word[4] = dst[3];
		header = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
		((struct iphdr *)word)->check = csum_apply(0xffff, header);
		return sum + word[3] + word[4];
	}
	word[0] = bpf_htonl(0x60000000u);
	word[1] = bpf_htonl(answer->length << 16 | (__u32)answer->protocol << 8 | ANSWER_TTL);
	for (int i = 0; i < 4; i++) {
		word[2 + i] = src[i];
		word[6 + i] = dst[i];
		sum += (__u64)src[i] + dst[i];
	}
	return sum;
}

/* RFC 9293, 3.10.7.1: what a host says where there is no connection. */
static __always_inline bool answer_reset(struct answer *answer)
{
	struct xdp_md *ctx = answer->pkt->ctx;
	const void *end = (void *)(long)ctx->data_end;
	const struct tcphdr *tcp = answer->pkt->tcp;
	__be32 ports, seq = 0, ack = 0, *word;
	__u8 flags = TCP_RST;
	__u64 sum;
	void *data;

	if (!within(end, tcp, sizeof(*tcp)))
		return false;
	ports = *(const __be32 *)tcp;
	ports = ports << 16 | ports >> 16;
	if (tcp->ack) {
		seq = tcp->ack_seq;
	} else {
		__u32 length = answer->pkt->l3_length - pkt_distance(answer->pkt->l3, tcp) -
			       tcp->doff * 4 + tcp->syn + tcp->fin;

		ack = bpf_htonl(bpf_ntohl(tcp->seq) + length);
		flags |= TCP_ACK;
	}
	answer->protocol = IPPROTO_TCP;
	answer->length = sizeof(*tcp);
	if (!tail_cut(ctx, answer->l2 + answer->ip + sizeof(*tcp)))
		return false;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	word = data + answer->l2;
	if (!within(end, word, answer->ip + sizeof(*tcp)) || !answer_put_eth(data, end, 0))
		return false;
	sum = answer_put_ip(answer, word);
	word += answer->ip / sizeof(*word);
	word[0] = ports;
	word[1] = seq;
	word[2] = ack;
	word[3] = bpf_htonl(0x50000000u | (__u32)flags << 16);
	word[4] = 0;
	sum += (__u64)word[0] + word[1] + word[2] + word[3];
	((struct tcphdr *)word)->check = csum_apply(0xffff, sum);
	return true;
}

/* An ICMP error that quotes the packet; `first` and `second` are the words of its header. */
static __always_inline bool answer_error(struct answer *answer, __be32 first, __be32 second)
{
	struct xdp_md *ctx = answer->pkt->ctx;
	__u32 max = answer->ip == sizeof(struct iphdr) ? ICMP4_ERROR_MAX : ICMP6_ERROR_MAX;
	__u64 quote = pkt_distance(answer->pkt->l3, (void *)(long)ctx->data_end);
	__u32 room = answer->ip + ICMP_HEADER;
	__be32 *word;
	void *data, *end;
	__u64 pseudo;
	int sum;

	if (quote > answer->pkt->l3_length)
		quote = answer->pkt->l3_length;
	if (quote > max - room)
		quote = max - room;
	answer->protocol = answer->ip == sizeof(struct iphdr) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	answer->length = ICMP_HEADER + quote;
	answer->tos = ANSWER_IP4_TOS;
	if (!tail_cut(ctx, answer->l2 + quote) || bpf_xdp_adjust_head(ctx, -(int)room))
		return false;
	sum = icmp_sum(ctx, answer->l2 + room, quote);
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	word = data + answer->l2;
	if (sum < 0 || !within(end, word, room) || !answer_put_eth(data, end, room))
		return false;
	pseudo = answer_put_ip(answer, word);
	if (answer->protocol == IPPROTO_ICMP)
		pseudo = 0;
	word += answer->ip / sizeof(*word);
	word[0] = first;
	word[1] = second;
	((struct icmp_header *)word)->check =
		csum_apply(0xffff, pseudo + first + second + (__u32)sum);
	return true;
}

/* Of a packet that is not let through as it is: prohibited (RFC 1812, 5.2.7.1; RFC 4443, 3.1). */
static __always_inline bool answer_unreachable(struct answer *answer, __u32 reason)
{
	bool prohibited = reason == WEIR_R_FRAGMENT_FAMILY;
	__u8 code4 = prohibited ? ICMP4_PROHIBITED : ICMP4_NO_PORT;
	__u8 code6 = prohibited ? ICMP6_PROHIBITED : ICMP6_NO_PORT;

	return answer_error(answer,
			    answer->pkt->version == 4 ? ICMP_WORD(ICMP4_UNREACHABLE, code4)
						      : ICMP_WORD(ICMP6_UNREACHABLE, code6),
			    0);
}

static __always_inline bool answer_expired(struct answer *answer)
{
	return answer_error(answer,
			    answer->pkt->version == 4 ? ICMP_WORD(ICMP4_EXPIRED, 0)
						      : ICMP_WORD(ICMP6_EXPIRED, 0),
			    0);
}

/* RFC 1191, 4; RFC 4443, 3.2. */
static __always_inline bool answer_too_big(struct answer *answer, __u32 mtu)
{
	return answer_error(answer,
			    answer->pkt->version == 4 ? ICMP_WORD(ICMP4_UNREACHABLE, ICMP4_TOO_BIG)
						      : ICMP_WORD(ICMP6_TOO_BIG, 0),
			    bpf_htonl(mtu));
}

/* Back as it came, options and extension headers included. */
static __always_inline bool answer_echo(struct answer *answer)
{
	const void *end = (void *)(long)answer->pkt->ctx->data_end;
	void *data = (void *)(long)answer->pkt->ctx->data;
	struct icmp_header *icmp = answer->pkt->l4;
	struct ipv6hdr *ip6 = answer->pkt->ip6;
	struct iphdr *ip4 = answer->pkt->ip4;
	bool is_ip4 = answer->pkt->version == 4;

	if (!within(end, icmp, sizeof(*icmp)) || !within(end, ip4, sizeof(*ip4)))
		return false;
	icmp->type = is_ip4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	icmp->check = icmp_check_of_reply(icmp->check, is_ip4);
	if (is_ip4) {
		__u16 ttl = bpf_htons(ip4->ttl << 8);

		ip4->saddr = addr_to_ip4(answer->pkt->flow.dst);
		ip4->daddr = addr_to_ip4(answer->pkt->flow.src);
		ip4->ttl = ANSWER_TTL;
		ip4->check = csum_apply(ip4->check, csum_delta16(ttl, bpf_htons(ANSWER_TTL << 8)));
	} else {
		if (!within(end, ip6, sizeof(*ip6)))
			return false;
		addr_copy_ip6(&ip6->saddr, answer->pkt->flow.dst);
		addr_copy_ip6(&ip6->daddr, answer->pkt->flow.src);
		ip6->hop_limit = ANSWER_TTL;
	}
	return answer_put_eth(data, end, 0);
}

static __always_inline bool answer_put(struct answer *answer, enum weir_answer kind,
				       const struct answer_order *order)
{
	switch (kind) {
	case WEIR_ANSWER_RESET:
		return answer_reset(answer);
	case WEIR_ANSWER_UNREACHABLE:
		return answer_unreachable(answer, order->reason);
	case WEIR_ANSWER_EXPIRED:
		return answer_expired(answer);
	case WEIR_ANSWER_TOO_BIG:
		return answer_too_big(answer, order->mtu);
	case WEIR_ANSWER_ECHO:
		return answer_echo(answer);
	default:
		return false;
	}
}

/* The packet, parsed, becomes its answer, if it may have one; its verdict. */
static __always_inline int answer(struct pkt *pkt, const struct answer_order *order)
{
	enum weir_answer kind = answer_kind(pkt, order->reason);
	struct answer answer = {
		.pkt = pkt,
		.l2 = pkt_distance((void *)(long)pkt->ctx->data, pkt->l3),
		.ip = pkt->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr),
	};

	if (answer.l2 > PARSE_MAX_L2 || !answer_may(pkt, kind))
		return XDP_DROP;
	if (!answer_in_pace(pkt->control, kind)) {
		count(order->listener, WEIR_R_ANSWERS_LIMITED);
		return XDP_DROP;
	}
	if (!answer_put(&answer, kind, order))
		return XDP_DROP;
	EXPLAIN_WITHHELD(ANSWER, kind);
	count(order->listener, WEIR_R_ANSWERED);
	return XDP_TX;
}

#endif
