// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The far end of modes ipip and gue, on the host of an endpoint: removes the outer headers, so that
 * the packet arrives as the client sent it, for the listener's address on the loopback.
 *
 * It takes only what all of this is true of, and leaves the rest to the kernel, untouched:
 *
 *   - IP in IP, or GUE to its port; no fragment, no IP options, no GUE options
 *   - the outer and the inner destination are addresses of this host: nothing is ever forwarded
 *   - the outer source is in one of the prefixes given, if any is given
 *
 * What is taken and found damaged is dropped. The inner packet is changed in nothing but the ECN
 * field (RFC 6040). GUE's UDP checksum is not looked at: the inner packet has its own, which the
 * stack checks (RFC 6935).
 */
#include <weir/decap.h>

#include "csum.h"
#include "pkt.h"

#define MAX_VLANS	2
#define IP4_FRAGMENT	0x3fff /* offset, or more to come */
#define IP4_HEADER	0x45   /* version 4, no options */
#define IP6_VERSION	6
#define ECN_MASK	3
#define ECN_ECT1	1
#define ECN_ECT0	2
#define ECN_CE		3
#define PROCEED		WEIR_DECAP_IPIP /* of a stage: go on */
#define IP6_CLASS_SHIFT 20		/* of the traffic class in the first word */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_decap_config);
} decap_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEIR_DECAP_ADDRESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct weir_decap_address);
	__type(value, __u32);
} decap_local SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, WEIR_DECAP_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct weir_decap_prefix);
	__type(value, __u32);
} decap_from SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_DECAP_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} decap_stats SEC(".maps");

struct tunnel {
	struct xdp_md *ctx;
	const struct weir_decap_config *config;
	void *data;
	void *end;
	void *outer;
	void *inner;
	__u32 room;  /* bytes that the outer headers leave for the inner packet */
	__u32 strip; /* bytes of outer headers */
	__u8 tos;    /* of the outer header */
	__u8 protocol;
	__u8 tags;
	bool gue;
	struct vlan_header tag[MAX_VLANS];
	__u8 src[16];
	__u8 dst[16];
};

static __always_inline bool within(const struct tunnel *tunnel, const void *start, __u32 size)
{
	return start + size <= tunnel->end;
}

static __always_inline bool is_local(const __u8 addr[16])
{
	struct weir_decap_address key __attribute__((aligned(8))); /* for addr_copy() */

	addr_copy(key.addr, addr);
	return bpf_map_lookup_elem(&decap_local, &key);
}

/* The value tells the family, since ::/0 would have the IPv4 addresses, too. */
static __always_inline bool is_allowed(const struct tunnel *tunnel, __u32 version)
{
	struct weir_decap_prefix key = { .bits = 128 };
	const __u32 *found;

	if (!tunnel->config->limited)
		return true;
	__builtin_memcpy(key.addr, tunnel->src, sizeof(key.addr));
	found = bpf_map_lookup_elem(&decap_from, &key);
	return found && *found == version;
}

/* Whether the frame has what the outer header promises; multi-buffer frames go on elsewhere. */
static __always_inline bool is_whole(const struct tunnel *tunnel, const void *start, __u32 size)
{
	if (size <= pkt_distance(start, tunnel->end))
		return true;
	return pkt_distance(tunnel->data, start) + size <= bpf_xdp_get_buff_len(tunnel->ctx);
}

/* Is a packet of protocol `protocol`, whose IP payload is at `payload`, a tunnel's? */
static __always_inline bool is_tunnel(struct tunnel *tunnel, const void *payload, __u8 protocol)
{
	const struct udphdr *udp = payload;

	if (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6) {
		tunnel->protocol = protocol;
		return true;
	}
	tunnel->gue = protocol == IPPROTO_UDP && within(tunnel, udp, sizeof(*udp)) &&
		      udp->dest == bpf_htons(tunnel->config->gue_port);
	return tunnel->gue;
}

/* Behind the outer IP header; `room` is what it leaves. */
static __always_inline enum weir_decap_reason open_gue(struct tunnel *tunnel)
{
	const struct udphdr *udp = tunnel->inner;
	const struct gue_header *gue = (void *)(udp + 1);
	__u32 length;

	if (!within(tunnel, udp, sizeof(*udp) + sizeof(*gue)))
		return WEIR_DECAP_TRUNCATED;
	length = bpf_ntohs(udp->len);
	if (length < sizeof(*udp) + sizeof(*gue) || length > tunnel->room)
		return WEIR_DECAP_BAD_HEADER;
	if (gue->version_length || gue->flags ||
	    (gue->protocol != IPPROTO_IPIP && gue->protocol != IPPROTO_IPV6))
		return WEIR_DECAP_GUE_UNKNOWN;
	tunnel->protocol = gue->protocol;
	tunnel->room = length - sizeof(*udp) - sizeof(*gue);
	tunnel->inner = (void *)(gue + 1);
	return PROCEED;
}

static __always_inline enum weir_decap_reason check_ends(const struct tunnel *tunnel, __u32 version)
{
	if (!is_local(tunnel->dst))
		return WEIR_DECAP_OUTER_NOT_LOCAL;
	return is_allowed(tunnel, version) ? PROCEED : WEIR_DECAP_SOURCE;
}

static __always_inline bool ip4_sum_is_good(const struct iphdr *ip)
{
	const __u32 *word = (const __u32 *)ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

	return csum_apply(0xffff, sum) == 0;
}

static __always_inline enum weir_decap_reason open_ip4(struct tunnel *tunnel)
{
	const struct iphdr *ip = tunnel->outer;
	enum weir_decap_reason reason;
	__u32 length;

	if (!within(tunnel, ip, sizeof(*ip)) || !is_tunnel(tunnel, ip + 1, ip->protocol))
		return WEIR_DECAP_NOT_TUNNEL;
	addr_from_ip4(tunnel->src, ip->saddr);
	addr_from_ip4(tunnel->dst, ip->daddr);
	reason = check_ends(tunnel, 4);
	if (reason != PROCEED)
		return reason;
	if (*(const __u8 *)ip != IP4_HEADER || (ip->frag_off & bpf_htons(IP4_FRAGMENT)))
		return WEIR_DECAP_OUTER_UNUSUAL;
	length = bpf_ntohs(ip->tot_len);
	if (length < sizeof(*ip) || !ip4_sum_is_good(ip))
		return WEIR_DECAP_BAD_HEADER;
	if (!is_whole(tunnel, ip, length))
		return WEIR_DECAP_TRUNCATED;
	tunnel->tos = ip->tos;
	tunnel->room = length - sizeof(*ip);
	tunnel->inner = (void *)(ip + 1);
	return PROCEED;
}

/* Extension headers are not walked: nothing that a tunnel of ours has. */
static __always_inline enum weir_decap_reason open_ip6(struct tunnel *tunnel)
{
	const struct ipv6hdr *ip = tunnel->outer;
	enum weir_decap_reason reason;

	if (!within(tunnel, ip, sizeof(*ip)) || ip->version != IP6_VERSION ||
	    !is_tunnel(tunnel, ip + 1, ip->nexthdr))
		return WEIR_DECAP_NOT_TUNNEL;
	addr_copy_ip6(tunnel->src, &ip->saddr);
	addr_copy_ip6(tunnel->dst, &ip->daddr);
	reason = check_ends(tunnel, 6);
	if (reason != PROCEED)
		return reason;
	tunnel->room = bpf_ntohs(ip->payload_len);
	if (!is_whole(tunnel, ip + 1, tunnel->room))
		return WEIR_DECAP_TRUNCATED;
	tunnel->tos = bpf_ntohl(*(const __be32 *)ip) >> IP6_CLASS_SHIFT;
	tunnel->inner = (void *)(ip + 1);
	return PROCEED;
}

/* Up to the outer IP header, whose Ethernet type is the result. */
static __always_inline __be16 open_ethernet(struct tunnel *tunnel)
{
	const struct ethhdr *eth = tunnel->data;
	__be16 type;

	if (!within(tunnel, eth, sizeof(*eth)))
		return 0;
	type = eth->h_proto;
	tunnel->outer = (void *)(eth + 1);
	for (int i = 0; i < MAX_VLANS; i++) {
		const struct vlan_header *vlan = tunnel->outer;

		if (!vlan_header_follows(type))
			break;
		if (!within(tunnel, vlan, sizeof(*vlan)))
			return 0;
		tunnel->tag[i] = *vlan;
		type = vlan->ethertype;
		tunnel->tags++;
		tunnel->outer += sizeof(*vlan);
	}
	return type;
}

/*
 * RFC 6040, section 4.2: the inner ECN field after a tunnel whose outer one has been `outer`. Or
 * -1: congestion cannot be told to who does not speak ECN, so the packet has to be lost.
 */
static __always_inline int ecn_of(__u8 outer, __u8 inner)
{
	if (outer == ECN_CE)
		return inner ? ECN_CE : -1;
	return outer == ECN_ECT1 && inner == ECN_ECT0 ? ECN_ECT1 : inner;
}

static __always_inline enum weir_decap_reason check_inner_ip4(const struct tunnel *tunnel)
{
	struct iphdr *ip = tunnel->inner;
	__u32 header, length;
	__u8 inner[16], tos;
	int ecn;

	if (tunnel->room < sizeof(*ip) || !within(tunnel, ip, sizeof(*ip)))
		return WEIR_DECAP_TRUNCATED;
	header = ip->ihl * 4;
	length = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || length < header || length > tunnel->room)
		return WEIR_DECAP_BAD_HEADER;
	addr_from_ip4(inner, ip->daddr);
	if (!is_local(inner))
		return WEIR_DECAP_INNER_NOT_LOCAL;
	ecn = ecn_of(tunnel->tos & ECN_MASK, ip->tos & ECN_MASK);
	if (ecn < 0)
		return WEIR_DECAP_CONGESTED;
	tos = (ip->tos & ~ECN_MASK) | ecn;
	if (tos != ip->tos) {
		ip->check = csum_apply(ip->check, csum_delta16(bpf_htons(ip->tos), bpf_htons(tos)));
		ip->tos = tos;
	}
	return PROCEED;
}

static __always_inline enum weir_decap_reason check_inner_ip6(const struct tunnel *tunnel)
{
	struct ipv6hdr *ip = tunnel->inner;
	__u32 word;
	__u8 inner[16];
	int ecn;

	if (tunnel->room < sizeof(*ip) || !within(tunnel, ip, sizeof(*ip)))
		return WEIR_DECAP_TRUNCATED;
	if (ip->version != IP6_VERSION || bpf_ntohs(ip->payload_len) + sizeof(*ip) > tunnel->room)
		return WEIR_DECAP_BAD_HEADER;
	addr_copy_ip6(inner, &ip->daddr);
	if (!is_local(inner))
		return WEIR_DECAP_INNER_NOT_LOCAL;
	word = bpf_ntohl(*(__be32 *)ip);
	ecn = ecn_of(tunnel->tos & ECN_MASK, (word >> IP6_CLASS_SHIFT) & ECN_MASK);
	if (ecn < 0)
		return WEIR_DECAP_CONGESTED;
	word = (word & ~(ECN_MASK << IP6_CLASS_SHIFT)) | (__u32)ecn << IP6_CLASS_SHIFT;
	*(__be32 *)ip = bpf_htonl(word);
	return PROCEED;
}

/* The Ethernet header, tags included, moves up to the inner packet. */
static __always_inline enum weir_decap_reason strip(struct tunnel *tunnel)
{
	__be16 type = bpf_htons(tunnel->protocol == IPPROTO_IPIP ? ETH_P_IP : ETH_P_IPV6);
	struct ethhdr *eth = tunnel->data;
	struct vlan_header *vlan;
	struct ethhdr head;

	head = *eth; /* within(), or there would be no inner header */
	if (!tunnel->tags)
		head.h_proto = type;
	if (bpf_xdp_adjust_head(tunnel->ctx, tunnel->strip))
		return WEIR_DECAP_INTERNAL;
	tunnel->data = (void *)(long)tunnel->ctx->data;
	tunnel->end = (void *)(long)tunnel->ctx->data_end;
	eth = tunnel->data;
	if (!within(tunnel, eth, sizeof(*eth) + MAX_VLANS * sizeof(*vlan)))
		return WEIR_DECAP_INTERNAL;
	*eth = head;
	vlan = (void *)(eth + 1);
	for (int i = 0; i < MAX_VLANS && i < tunnel->tags; i++) {
		vlan[i] = tunnel->tag[i];
		if (i + 1 == tunnel->tags)
			vlan[i].ethertype = type;
	}
	return tunnel->gue ? WEIR_DECAP_GUE : WEIR_DECAP_IPIP;
}

static __always_inline enum weir_decap_reason handle(struct tunnel *tunnel)
{
	__be16 type = open_ethernet(tunnel);
	enum weir_decap_reason reason = WEIR_DECAP_NOT_TUNNEL;

	if (type == bpf_htons(ETH_P_IP))
		reason = open_ip4(tunnel);
	else if (type == bpf_htons(ETH_P_IPV6))
		reason = open_ip6(tunnel);
	if (reason == PROCEED && tunnel->gue)
		reason = open_gue(tunnel);
	if (reason != PROCEED)
		return reason;
	if (tunnel->protocol == IPPROTO_IPIP)
		reason = check_inner_ip4(tunnel);
	else
		reason = check_inner_ip6(tunnel);
	if (reason != PROCEED)
		return reason;
	tunnel->strip = tunnel->inner - tunnel->outer;
	return strip(tunnel);
}

static __always_inline int verdict(enum weir_decap_reason reason)
{
	switch (reason) {
#define TAKE XDP_PASS
#define PASS XDP_PASS
#define DROP XDP_DROP
#define X(name, kind, metric, help, hint)                                                          \
	case WEIR_DECAP_##name:                                                                    \
		return kind;
		WEIR_DECAP_REASONS(X)
#undef X
	default:
		return XDP_DROP;
	}
}

SEC("xdp.frags")
int decap(struct xdp_md *ctx)
{
	struct tunnel tunnel = {
		.ctx = ctx,
		.data = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	enum weir_decap_reason reason;
	__u32 index = 0;
	__u64 *counter;

	tunnel.config = bpf_map_lookup_elem(&decap_config, &index);
	if (!tunnel.config)
		return XDP_PASS;
	reason = handle(&tunnel);
	index = reason;
	counter = bpf_map_lookup_elem(&decap_stats, &index);
	if (counter)
		(*counter)++;
	return verdict(reason);
}

char _license[] SEC("license") = "Dual BSD/GPL";
