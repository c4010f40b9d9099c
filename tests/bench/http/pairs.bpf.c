// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Moves bytes from each socket of a pair to the other one, within the kernel, and looks at none of
 * them: see pairs.c.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define SOCKETS 65536

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, SOCKETS);
	__type(key, __u64); /* cookie */
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SOCKETS);
	__type(key, __u64);   /* cookie of one */
	__type(value, __u64); /* of the other */
} others SEC(".maps");

SEC("sk_skb/stream_parser")
int parse(struct __sk_buff *skb)
{
	return (int)skb->len;
}

SEC("sk_skb/stream_verdict")
int judge(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	__u64 *found = bpf_map_lookup_elem(&others, &cookie), other;

	if (!found)
		return SK_PASS;
	other = *found;
	return (int)bpf_sk_redirect_hash(skb, &sockets, &other, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
