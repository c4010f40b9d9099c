// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The smallest stateless balancer, to measure the real one by: what it costs on a machine is what
 * any cost there is divided by. It parses IPv4 TCP and UDP, looks the listener up in a hash map,
 * takes one of its slots by a hash of the flow, counts, and puts 20 bytes of IPIP in front.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "yardstick.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, YARDSTICK_LISTENERS);
	__type(key, struct yardstick_listener);
	__type(value, __u32); /* its place in `counts` */
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, YARDSTICK_SLOTS);
	__type(key, __u32);
	__type(value, __u32); /* endpoint */
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, YARDSTICK_ENDPOINTS);
	__type(key, __u32);
	__type(value, struct yardstick_endpoint);
} endpoints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, YARDSTICK_LISTENERS);
	__type(key, __u32);
	__type(value, struct yardstick_count);
} counts SEC(".maps");

static const __u8 own_mac[ETH_ALEN] = { 0x02, 0, 0, 0, 0xa0, 0x01 };
static const __be32 own_address = bpf_htonl(0x0a0000fe);

static __always_inline __u32 hash(const struct iphdr *ip, const struct udphdr *l4)
{
	__u64 h = (__u64)ip->saddr << 32 | ip->daddr;

	h *= 0x9e3779b97f4a7c15ull;
	h ^= h >> 32;
	h ^= (__u64)l4->source << 32 | l4->dest << 8 | ip->protocol;
	h *= 0xd6e8feb86659fd93ull;
	return h >> 32;
}

static __always_inline __u16 header_check(const struct iphdr *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline int encapsulate(struct xdp_md *ctx, const struct yardstick_endpoint *to,
				       __u16 inner_length)
{
	struct iphdr outer = {
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(inner_length + sizeof(outer)),
		.ttl = 64,
		.protocol = IPPROTO_IPIP,
		.saddr = own_address,
		.daddr = to->addr,
	};
	struct ethhdr *eth;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(outer)))
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) + sizeof(outer) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	outer.check = header_check(&outer);
	__builtin_memcpy(eth->h_dest, to->mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, own_mac, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
	__builtin_memcpy(eth + 1, &outer, sizeof(outer));
	return XDP_TX;
}

SEC("xdp.frags")
int yardstick(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct ethhdr *eth = data;
	const struct iphdr *ip = data + sizeof(*eth);
	const struct udphdr *l4 = (const void *)(ip + 1); /* TCP has its ports there, too */
	const struct yardstick_endpoint *endpoint;
	struct yardstick_listener key = {};
	struct yardstick_count *count;
	__u32 *id, *chosen, slot;
	__u16 length;

	if ((const void *)(l4 + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 ||
	    (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return XDP_PASS;
	key.addr = ip->daddr;
	key.port = l4->dest;
	key.protocol = ip->protocol;
	id = bpf_map_lookup_elem(&listeners, &key);
	if (!id)
		return XDP_PASS;
	slot = hash(ip, l4) & (YARDSTICK_SLOTS - 1);
	chosen = bpf_map_lookup_elem(&slots, &slot);
	if (!chosen)
		return XDP_DROP;
	endpoint = bpf_map_lookup_elem(&endpoints, chosen);
	count = bpf_map_lookup_elem(&counts, id);
	if (!endpoint || !count)
		return XDP_DROP;
	length = bpf_ntohs(ip->tot_len);
	count->packets++;
	count->bytes += length;
	return encapsulate(ctx, endpoint, length);
}

char _license[] SEC("license") = "Dual BSD/GPL";
