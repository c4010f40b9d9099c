/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SYN cookies in front of a listener that this host serves itself. The kernel's own cookies, asked
 * for and checked by its helpers: so the ACK that completes a handshake goes up the stack, which
 * finds its own cookie in it and makes the connection; and the host's sysctl says when:
 * net.ipv4.tcp_syncookies 1 while the socket's queue of half-open connections is full, 2 always,
 * 0 never. A SYN that is answered here leaves nothing behind, and the stack never sees it.
 *
 * Who is known to the stack, by whatever socket but the listening one, is passed on unseen. What
 * claims to be of a connection and is of none is dropped before it costs a socket's lock. Only
 * while cookies are about: otherwise nobody is looked up.
 *
 * Of TCP options a cookie holds the MSS. Timestamps, SACK and window scale fit into the low bits of
 * the timestamp that the client sends back, as the kernel does it; but only where its timestamps
 * have no secret offset (net.ipv4.tcp_timestamps = 2), and if the window scale is the one that the
 * stack will choose itself: the guard says both.
 */
#ifndef WEIR_BPF_COOKIE_H
#define WEIR_BPF_COOKIE_H

#include "clock.h"
#include "csum.h"
#include "explain.h"
#include "maps.h"
#include "parse_all.h"

#define COOKIE_VALID	  120 /* s: as long as the kernel takes one back (TCP_SYNCOOKIE_VALID) */
#define COOKIE_TTL	  64
#define COOKIE_IP4_DF	  0x4000
#define COOKIE_TCP_MAX	  60 /* bytes of a TCP header */
#define COOKIE_TS_BITS	  6  /* net/ipv4/syncookies.c: TSBITS, TS_OPT_* */
#define COOKIE_TS_NOSCALE 0x0f
#define COOKIE_TS_SACK	  0x10
#define COOKIE_WSCALE_MAX 14
#define ENOENT		  2

#define TCP_OPTION_END	  0
#define TCP_OPTION_NOP	  1
#define TCP_OPTION_MSS	  2
#define TCP_OPTION_WSCALE 3
#define TCP_OPTION_SACK	  4
#define TCP_OPTION_TIMES  8

/* A TCP header with all of its options, and what lies beyond their end when they lie. */
struct cookie_tcp {
	__u8 bytes[COOKIE_TCP_MAX + 20];
};

/* What the client offers. */
struct cookie_offer {
	__be32 time;
	__u8 wscale;
	bool has_time;
	bool has_wscale;
	bool has_sack;
};

/* The answer, from its TCP header on. */
struct cookie_answer {
	struct tcphdr tcp;
	__u8 options[20];
};

/* A function of its own, as parse_extensions(). */
__noinline int cookie_read_offer(const struct cookie_tcp *tcp, __u32 size,
				 struct cookie_offer *offer)
{
	__u32 at = sizeof(struct tcphdr);

	if (!tcp || !offer)
		return 0;
	for (int i = 0; i < 40 && at + 1 < size && at < COOKIE_TCP_MAX; i++) {
		const __u8 *option = &tcp->bytes[at];

		if (option[0] == TCP_OPTION_END)
			break;
		if (option[0] == TCP_OPTION_NOP) {
			at++;
			continue;
		}
		if (option[1] < 2 || at + option[1] > size)
			break;
		if (option[0] == TCP_OPTION_SACK && option[1] == 2)
			offer->has_sack = true;
		if (option[0] == TCP_OPTION_WSCALE && option[1] == 3) {
			offer->has_wscale = true;
			offer->wscale = option[2];
		}
		if (option[0] == TCP_OPTION_TIMES && option[1] == 10) {
			offer->has_time = true;
			offer->time = (__u32)option[5] << 24 | (__u32)option[4] << 16 |
				      (__u32)option[3] << 8 | option[2];
		}
		at += option[1];
	}
	return 0;
}

static __always_inline void cookie_tuple(const struct pkt *pkt, struct bpf_sock_tuple *tuple)
{
	if (pkt->version == 6) {
		addr_copy((__u8 *)tuple->ipv6.saddr, pkt->flow.src);
		addr_copy((__u8 *)tuple->ipv6.daddr, pkt->flow.dst);
		tuple->ipv6.sport = bpf_htons(pkt->flow.sport);
		tuple->ipv6.dport = bpf_htons(pkt->flow.dport);
	} else {
		tuple->ipv4.saddr = addr_to_ip4(pkt->flow.src);
		tuple->ipv4.daddr = addr_to_ip4(pkt->flow.dst);
		tuple->ipv4.sport = bpf_htons(pkt->flow.sport);
		tuple->ipv4.dport = bpf_htons(pkt->flow.dport);
	}
}

/* The header as the kernel's helpers look at it: version and addresses. */
union cookie_ip {
	struct iphdr ip4;
	struct ipv6hdr ip6;
};

static __always_inline void cookie_ip(const struct pkt *pkt, union cookie_ip *ip)
{
	if (pkt->version == 6) {
		ip->ip6.version = 6;
		addr_copy((__u8 *)&ip->ip6.saddr, pkt->flow.src);
		addr_copy((__u8 *)&ip->ip6.daddr, pkt->flow.dst);
		return;
	}
	ip->ip4.version = 4;
	ip->ip4.ihl = 5;
	ip->ip4.saddr = addr_to_ip4(pkt->flow.src);
	ip->ip4.daddr = addr_to_ip4(pkt->flow.dst);
}

/*
 * Asks the kernel about the packet, a SYN or not. > 0 of a SYN: the cookie, and above it the MSS.
 * 0: the packet is the stack's. -ENOENT of another: it is of no connection.
 */
static __always_inline __s64 cookie_ask(const struct pkt *pkt, const struct cookie_tcp *tcp,
					__u64 size)
{
	union cookie_ip ip __attribute__((aligned(8))) = {};
	struct bpf_sock_tuple tuple __attribute__((aligned(8))) = {};
	bool syn = pkt->flags & PKT_SYN;
	struct bpf_sock *sk;
	__s64 answer = 0;

	cookie_tuple(pkt, &tuple);
	cookie_ip(pkt, &ip);
	sk = bpf_skc_lookup_tcp(pkt->ctx, &tuple,
				pkt->version == 6 ? sizeof(tuple.ipv6) : sizeof(tuple.ipv4),
				BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0; /* nobody listens: the stack says so */
	/* The compiler knows this and has put the size on the stack; Linux 6.1 has forgotten it. */
	asm volatile("" : "+r"(size));
	size &= COOKIE_TCP_MAX; /* words: nothing of it is lost */
	if (sk->state == BPF_TCP_LISTEN && size >= sizeof(struct tcphdr)) {
		__u32 ip_size = pkt->version == 6 ? sizeof(ip.ip6) : sizeof(ip.ip4);

		if (syn)
			answer = bpf_tcp_gen_syncookie(sk, &ip, ip_size, (void *)tcp, size);
		else
			answer = bpf_tcp_check_syncookie(sk, &ip, ip_size, (void *)tcp,
							 sizeof(struct tcphdr));
	}
	bpf_sk_release(sk);
	if (syn)
		return answer > 0 ? answer : 0;
	return answer == -ENOENT ? answer : 0;
}

/* net/ipv4/syncookies.c, cookie_init_timestamp(): what is offered and taken, in a time not later
 * than now. */
static __always_inline __be32 cookie_time(const struct cookie_offer *offer, bool scales)
{
	__u64 now = bpf_ktime_get_ns() / 1000000;
	__u64 time = now >> COOKIE_TS_BITS << COOKIE_TS_BITS;

	time |= scales ? offer->wscale : COOKIE_TS_NOSCALE;
	time |= offer->has_sack ? COOKIE_TS_SACK : 0;
	if (time > now)
		time -= 1 << COOKIE_TS_BITS;
	return bpf_htonl(time);
}

/* Returns how many bytes the options take. */
static __always_inline __u32 cookie_options(const struct weir_guard *guard,
					    const struct cookie_offer *offer, __u16 mss,
					    __u8 options[20])
{
	bool scales = offer->has_wscale && offer->wscale <= COOKIE_WSCALE_MAX &&
		      guard->cookie_wscale <= COOKIE_WSCALE_MAX;

	options[0] = TCP_OPTION_MSS;
	options[1] = 4;
	*(__be16 *)(options + 2) = bpf_htons(mss);
	if (!offer->has_time || guard->cookies != WEIR_COOKIES_TIMES)
		return 4;
	options[4] = offer->has_sack ? TCP_OPTION_SACK : TCP_OPTION_NOP;
	options[5] = offer->has_sack ? 2 : TCP_OPTION_NOP;
	options[6] = TCP_OPTION_TIMES;
	options[7] = 10;
	*(__be32 *)(options + 8) = cookie_time(offer, scales);
	*(__be32 *)(options + 12) = offer->time;
	if (!scales)
		return 16;
	options[16] = TCP_OPTION_NOP;
	options[17] = TCP_OPTION_WSCALE;
	options[18] = 3;
	options[19] = guard->cookie_wscale;
	return 20;
}

static __always_inline __u64 cookie_sum(const void *words, __u32 count)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < count; i++)
		sum += ((const __u32 *)words)[i];
	return sum;
}

/* Completes it: from the listener, with a checksum over the pseudo header. `size`: of it all. */
static __always_inline void cookie_fill(const struct pkt *pkt, __be32 seq, __u32 cookie, __u32 size,
					struct cookie_answer *answer)
{
	__u64 sum = bpf_htonl(IPPROTO_TCP) + (__u64)bpf_htonl(size);

	answer->tcp.source = bpf_htons(pkt->flow.dport);
	answer->tcp.dest = bpf_htons(pkt->flow.sport);
	answer->tcp.seq = bpf_htonl(cookie);
	answer->tcp.ack_seq = bpf_htonl(bpf_ntohl(seq) + 1);
	answer->tcp.doff = size / 4;
	answer->tcp.syn = 1;
	answer->tcp.ack = 1;
	answer->tcp.window = bpf_htons(0xffff);
	if (pkt->version == 6) {
		sum += cookie_sum(pkt->flow.src, 4) + cookie_sum(pkt->flow.dst, 4);
	} else {
		sum += addr_to_ip4(pkt->flow.src);
		sum += addr_to_ip4(pkt->flow.dst);
	}
	answer->tcp.check = csum_apply(0xffff, sum + cookie_sum(answer, sizeof(*answer) / 4));
}

/* The IP header of `size` bytes of TCP; returns how long it is. */
static __always_inline __u32 cookie_ip_header(const struct pkt *pkt, __u32 size,
					      union cookie_ip *ip)
{
	*ip = (union cookie_ip){};
	if (pkt->version == 6) {
		ip->ip6.version = 6;
		ip->ip6.payload_len = bpf_htons(size);
		ip->ip6.nexthdr = IPPROTO_TCP;
		ip->ip6.hop_limit = COOKIE_TTL;
		addr_copy((__u8 *)&ip->ip6.saddr, pkt->flow.dst);
		addr_copy((__u8 *)&ip->ip6.daddr, pkt->flow.src);
		return sizeof(ip->ip6);
	}
	ip->ip4.version = 4;
	ip->ip4.ihl = 5;
	ip->ip4.tot_len = bpf_htons(sizeof(ip->ip4) + size);
	ip->ip4.frag_off = bpf_htons(COOKIE_IP4_DF);
	ip->ip4.ttl = COOKIE_TTL;
	ip->ip4.protocol = IPPROTO_TCP;
	ip->ip4.saddr = addr_to_ip4(pkt->flow.dst);
	ip->ip4.daddr = addr_to_ip4(pkt->flow.src);
	ip->ip4.check = csum_apply(0xffff, cookie_sum(ip, sizeof(ip->ip4) / 4));
	return sizeof(ip->ip4);
}

/* Is it a plain packet, but for its tags? Others are the stack's. */
static __always_inline bool cookie_parse(struct pkt *pkt)
{
	__u32 header;

	if (parse_plain(pkt) == PARSED_PLAIN)
		return true;
	if (parse_all(pkt) != GO_ON || pkt->flags & (PKT_FIRST_FRAGMENT | PKT_LATER_FRAGMENT))
		return false;
	header = pkt->version == 6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	return pkt_distance(pkt->l3, pkt->l4) == header;
}

/* In the packet's own buffer, back the way it came. The stack answers where that fails. */
static __always_inline enum weir_reason cookie_send(struct pkt *pkt, struct cookie_answer *answer,
						    __u32 size)
{
	union cookie_ip ip __attribute__((aligned(8)));
	__u32 l2 = pkt_distance((void *)(long)pkt->ctx->data, pkt->l3);
	__u32 ip_size = cookie_ip_header(pkt, size, &ip), l4 = l2 + ip_size;
	__u64 has = bpf_xdp_get_buff_len(pkt->ctx);
	__u8 mac[ETH_ALEN];
	struct ethhdr *eth;

	if (size < sizeof(answer->tcp) || size > sizeof(*answer) ||
	    bpf_xdp_adjust_tail(pkt->ctx, (int)(l4 + size - has)))
		return WEIR_R_LOCAL;
	eth = (void *)(long)pkt->ctx->data;
	if (!within((void *)(long)pkt->ctx->data_end, eth, sizeof(*eth)))
		return WEIR_R_INTERNAL;
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	if (bpf_xdp_store_bytes(pkt->ctx, l2, &ip, ip_size) ||
	    bpf_xdp_store_bytes(pkt->ctx, l4, answer, size))
		return WEIR_R_INTERNAL;
	pkt->action = XDP_TX;
	return WEIR_R_COOKIE_SENT;
}

/* Of a plain TCP packet to a listener whose guard wants cookies. */
static __always_inline enum weir_reason cookie(struct pkt *pkt, __u32 listener,
					       const struct weir_guard *guard)
{
	__u64 *sent = bpf_map_lookup_elem(&cookies_sent, &listener);
	__u64 size;
	__u32 now = clock_now(pkt->control);
	struct cookie_answer answer = {};
	struct cookie_offer offer = {};
	struct cookie_tcp tcp = {};
	const struct tcphdr *header = (void *)&tcp;
	bool syn = pkt->flags & PKT_SYN;
	__s64 told;

	if (EXPLAINING || !sent || (!syn && (!*sent || weir_is_over(now, *sent, COOKIE_VALID))))
		return WEIR_R_LOCAL;
	size = pkt->l3_length - (pkt->version == 6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	if (size > COOKIE_TCP_MAX)
		size = COOKIE_TCP_MAX;
	if (size < sizeof(struct tcphdr) ||
	    bpf_xdp_load_bytes(pkt->ctx, pkt->l4 - (void *)(long)pkt->ctx->data, &tcp, size))
		return WEIR_R_INTERNAL;
	size = header->doff * 4;
	if (size < sizeof(struct tcphdr))
		return WEIR_R_INTERNAL;
	told = cookie_ask(pkt, &tcp, size);
	if (told <= 0)
		return told ? WEIR_R_NO_FLOW : WEIR_R_LOCAL;
	*sent = now ?: 1;
	cookie_read_offer(&tcp, size, &offer);
	size = sizeof(answer.tcp) + cookie_options(guard, &offer, told >> 32, answer.options);
	cookie_fill(pkt, header->seq, told, size, &answer);
	return cookie_send(pkt, &answer, size);
}

#endif
