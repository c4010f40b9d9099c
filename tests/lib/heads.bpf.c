// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Many heads in one system call: each run of a program reads the next case. */
#include <linux/bpf.h>

#include "heads_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HEADS_MAX);
	__type(key, __u32);
	__type(value, struct heads_case);
} cases SEC(".maps");

__u32 position;

SEC("tc")
int requests(struct __sk_buff *skb)
{
	__u32 at = position++;
	struct heads_case *c = bpf_map_lookup_elem(&cases, &at);

	(void)skb;
	if (c)
		heads_read_request(c);
	return 0;
}

SEC("tc")
int answers(struct __sk_buff *skb)
{
	__u32 at = position++;
	struct heads_case *c = bpf_map_lookup_elem(&cases, &at);

	(void)skb;
	if (c)
		heads_read_answer(c);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
