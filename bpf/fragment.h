/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fragments. Only the first one of a packet has ports: it goes as a whole packet would, and where
 * it went is remembered for the later ones. A later one that comes first is lost, and with it the
 * packet: senders send them in order.
 *
 * Behind a SNAT address the identifications of many clients meet, and two of them that are alike
 * would mix two packets at the endpoint: so in mode nat an IPv4 packet gets one of its own. IPv6
 * has 32 random bits of it (RFC 7739), and keeps them.
 */
#ifndef WEIR_BPF_FRAGMENT_H
#define WEIR_BPF_FRAGMENT_H

#include <weir/hash.h>

#include "clock.h"
#include "explain.h"
#include "nat.h"
#include "parse_all.h"

#define FRAGMENT_SUMMED                                                                            \
	((sizeof(struct fragment_key) + offsetof(struct fragment_way, sum)) / sizeof(__u64))

#define FRAGMENT_AF_INET  2
#define FRAGMENT_AF_INET6 10

static __always_inline void fragment_key(const struct pkt *pkt, struct fragment_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	addr_copy(key->src, pkt->flow.src);
	addr_copy(key->dst, pkt->flow.dst);
	key->id = pkt->fragment_id;
	key->protocol = pkt->version == 4 ? pkt->flow.protocol : 0;
}

/* Another one for each fragmented packet through mode nat. */
static __always_inline __be16 fragment_take_id(void)
{
	__u32 zero = 0, *next = bpf_map_lookup_elem(&fragment_next, &zero);

	if (!next)
		return 0;
	return bpf_htons(EXPLAINING ? *next : __sync_fetch_and_add(next, 1));
}

static __always_inline void fragment_put_id(struct iphdr *ip, __be16 id)
{
	ip->check = csum_apply(ip->check, csum_delta16(ip->id, id));
	ip->id = id;
}

/* As whom the first fragment has left mode nat. False: as one of the other family; that is not done
 * to fragments. */
static __always_inline bool fragment_read(struct xdp_md *ctx, struct fragment_new *new)
{
	const void *end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	bool is_ip4 = addr_is_ip4(new->key.src);
	struct ipv6hdr *ip6;
	struct iphdr *ip4;
	__u64 l2 = VLAN_PARSED_L2(vlan_parse(ctx));

	if (l2 > PARSE_MAX_L2)
		return false;
	ip6 = data + l2;
	ip4 = data + l2;
	if (!within(end, ip4, sizeof(*ip4)) || (ip4->version == 4) != is_ip4)
		return false;
	if (is_ip4) {
		new->way.id = fragment_take_id();
		fragment_put_id(ip4, new->way.id);
		addr_from_ip4(new->way.src, ip4->saddr);
		addr_from_ip4(new->way.dst, ip4->daddr);
		return true;
	}
	if (!within(end, ip6, sizeof(*ip6)))
		return false;
	addr_copy_ip6(new->way.src, &ip6->saddr);
	addr_copy_ip6(new->way.dst, &ip6->daddr);
	return true;
}

/*
 * Of a key and its way, words from the struct's start. An LRU map gives an entry to another key at
 * once, while a CPU still reads it: what was copied of it is good only if it is whole and of the
 * key that was looked for. A function of its own, as parse_extensions().
 */
__noinline __u32 fragment_sum(const struct fragment_new *new)
{
	const __u64 *word = (const __u64 *)new;
	__u64 sum = 0;

	if (!new)
		return 0;
	for (__u32 i = 0; i < FRAGMENT_SUMMED; i++)
		sum = weir_mix(sum, word[i]);
	return sum;
}

/* Where a reply has gone, as it stands in the frame. */
static __always_inline bool fragment_read_mac(struct xdp_md *ctx, struct fragment_way *way)
{
	const void *end = (void *)(long)ctx->data_end;
	const struct ethhdr *eth = (void *)(long)ctx->data;

	if (!within(end, eth, sizeof(*eth)))
		return false;
	mac_copy(way->nexthop.mac, eth->h_dest);
	return true;
}

/* Of what the frame says now, and of fragment_new what it was when it came. A function of its own,
 * as parse_extensions(). (Linux 6.1 takes no key from an argument.) */
__noinline int fragment_store(struct xdp_md *ctx)
{
	const struct weir_endpoint *endpoint;
	struct fragment_new *new;
	__u32 zero = 0, row;

	new = bpf_map_lookup_elem(&fragment_new, &zero);
	if (!new)
		return 0;
	row = new->way.endpoint;
	endpoint = bpf_map_lookup_elem(&endpoints, &row);
	if (!endpoint)
		return 0;
	new->way.generation = endpoint->generation;
	if (new->way.reply && !fragment_read_mac(ctx, &new->way))
		return 0;
	new->way.nat = new->way.reply || endpoint->mode == WEIR_MODE_NAT;
	if (new->way.nat && !fragment_read(ctx, new))
		return 0;
	new->way.sum = fragment_sum(new);
	if (EXPLAINING)
		EXPLAIN_WITHHELD(REMEMBER, row);
	else if (bpf_map_update_elem(&fragments, &new->key, &new->way, BPF_ANY))
		count(new->way.listener, WEIR_R_FRAGMENTS_FULL);
	return 0;
}

/* After a first fragment was forwarded; `reason` says in which direction. */
static __always_inline void fragment_remember(const struct pkt *pkt, __u32 listener,
					      enum weir_reason reason)
{
	struct fragment_new *new;
	__u32 zero = 0;

	new = bpf_map_lookup_elem(&fragment_new, &zero);
	if (!new)
		return;
	fragment_key(pkt, &new->key);
	new->way.nexthop.egress = pkt->egress;
	new->way.endpoint = pkt->endpoint;
	new->way.listener = listener;
	new->way.seen = clock_now(pkt->control);
	new->way.hash = pkt->hash;
	new->way.reply = reason == WEIR_R_REPLIED;
	fragment_store(pkt->ctx);
}

/* Is the way still good? A reply's endpoint need not be fit to be sent to, as with all replies; and
 * what has left through mode nat has not left through another, whatever the row says since. */
static __always_inline bool fragment_goes_on(const struct fragment_way *way,
					     const struct weir_endpoint *endpoint)
{
	if (way->reply)
		return endpoint && endpoint->generation == way->generation;
	return endpoint_keeps(endpoint, way->generation, false) &&
	       way->nat == (endpoint->mode == WEIR_MODE_NAT);
}

/* Like nat_rewrite(), of a packet without ports. */
static __always_inline enum weir_reason fragment_rewrite(struct pkt *pkt,
							 const struct fragment_way *way)
{
	const void *end = (void *)(long)pkt->ctx->data_end;
	enum weir_reason reason;

	if (nat_ttl_expires(pkt))
		return WEIR_R_TTL_EXPIRED;
	reason = nat_rewrite_ip(pkt, &(struct nat_rewrite){ .src = way->src, .dst = way->dst });
	if (reason != GO_ON || pkt->version == 6)
		return reason;
	if (!within(end, pkt->ip4, sizeof(*pkt->ip4)))
		return WEIR_R_TRUNCATED;
	fragment_put_id(pkt->ip4, way->id);
	return GO_ON;
}

/* The device that the stack would see the packet come by: of a VLAN's packet that VLAN's, by which
 * rules, VRFs and forwarding go. Where weir knows of none, the interface itself. */
static __always_inline __u32 fragment_device(const struct pkt *pkt)
{
	__u32 index = egress_of_ingress(pkt), device = pkt->ctx->ingress_ifindex;
	const struct weir_egress *way = bpf_map_lookup_elem(&egress, &index);

	if (way && way->device) /* row 0 has none */
		device = way->device;
	return device;
}

/* Would the kernel send it on? Then it is not for an address of the host's. */
static __always_inline bool fragment_is_for_others(const struct pkt *pkt)
{
	struct bpf_fib_lookup route = {
		.family = pkt->version == 4 ? FRAGMENT_AF_INET : FRAGMENT_AF_INET6,
		.l4_protocol = pkt->flow.protocol,
		.ifindex = fragment_device(pkt),
	};

	if (pkt->version == 4) {
		route.ipv4_src = addr_to_ip4(pkt->flow.src);
		route.ipv4_dst = addr_to_ip4(pkt->flow.dst);
	} else {
		addr_copy_ip6(route.ipv6_src, pkt->flow.src);
		addr_copy_ip6(route.ipv6_dst, pkt->flow.dst);
	}
	switch (bpf_fib_lookup(pkt->ctx, &route, sizeof(route), 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_NO_NEIGH:
	case BPF_FIB_LKUP_RET_UNSUPP_LWT:
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return true;
	case BPF_FIB_LKUP_RET_BLACKHOLE: /* or drop it, ... */
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return true;
	default:
		return false;
	}
}

/* A copy of the way that a later fragment follows, or NULL. */
static __always_inline const struct fragment_way *fragment_find(const struct pkt *pkt)
{
	const struct fragment_way *way;
	struct fragment_new *copy;
	struct fragment_key key;
	__u32 zero = 0;

	copy = bpf_map_lookup_elem(&fragment_new, &zero);
	if (!copy)
		return NULL;
	fragment_key(pkt, &key);
	way = bpf_map_lookup_elem(&fragments, &key);
	if (way) {
		copy->key = key;
		copy->way = *way;
	}
	if (!way || copy->way.sum != fragment_sum(copy) ||
	    weir_is_over(clock_now(pkt->control), copy->way.seen, WEIR_TIMEOUT_FRAGMENTS)) {
		EXPLAIN_MISS(FRAGMENT);
		return NULL;
	}
	EXPLAIN(FRAGMENT, copy->way.endpoint, &copy->way.endpoint);
	return &copy->way;
}

#endif
