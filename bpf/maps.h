/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All maps of the data plane; include/weir/abi.h says what is in them. Configuration is written by
 * the daemon alone, through mmap (which is why it cannot be BPF_F_RDONLY_PROG: the kernel refuses
 * to map such a map writable); flows and counters are written here.
 *
 * SIZED: how many entries there are is set before the program is loaded, by
 * userspace/dataplane/capacity.c.
 */
#ifndef WEIR_BPF_MAPS_H
#define WEIR_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <weir/abi.h>

#define SIZED 1

#define CONFIG_MAP(map_name, value_type, entries)                                                  \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, entries);                                                      \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} map_name SEC(".maps")

CONFIG_MAP(control, struct weir_control, 1);
CONFIG_MAP(listeners, struct weir_listener, SIZED);
CONFIG_MAP(slots, struct weir_slots, SIZED);
CONFIG_MAP(slots_previous, struct weir_slots_previous, SIZED);
CONFIG_MAP(endpoints, struct weir_endpoint, SIZED);
CONFIG_MAP(egress, struct weir_egress, WEIR_MAX_EGRESS);
CONFIG_MAP(snat, struct weir_snat, WEIR_MAX_SNAT);

/* Never read by BPF: for `weir show`, bpftool and a starting daemon. */
CONFIG_MAP(listener_info, struct weir_listener_info, SIZED);
CONFIG_MAP(endpoint_info, struct weir_endpoint_info, SIZED);

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, WEIR_MAX_EGRESS);
	__type(key, __u32);
	__type(value, __u32); /* ifindex */
} tx_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SIZED);
	__type(key, struct weir_flow);
	__type(value, struct weir_exception);
} exceptions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SIZED);
	__type(key, struct weir_flow);
	__type(value, struct weir_nat_flow);
} nat_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SIZED);
	__type(key, struct weir_flow);
	__type(value, struct weir_nat_reply);
} nat_replies SEC(".maps");

/* A new flow's records while they are put together: too large for the stack. */
struct nat_new {
	struct weir_nat_flow flow;
	struct weir_nat_reply reply;
	struct weir_flow back; /* the key of the reply */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat_new);
} nat_scratch SEC(".maps");

/* By endpoint row: where the next SNAT port towards it is looked for. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SIZED);
	__type(key, __u32);
	__type(value, __u32);
} nat_cursor SEC(".maps");

/* What weir_answer is called for. */
struct answer_order {
	__u32 reason; /* enum weir_reason */
	__u32 listener;
	__u32 mtu; /* of the path, where the packet is too big for it */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct answer_order);
} answer_scratch SEC(".maps");

/* By enum weir_answer: when the next answer would be due at an even pace (ns); bpf/answer.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEIR_ANSWER_KINDS);
	__type(key, __u32);
	__type(value, __u64);
} answer_pace SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SIZED);
	__type(key, __u32);
	__type(value, struct weir_listener_stats);
} listener_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SIZED);
	__type(key, __u32);
	__type(value, struct weir_endpoint_stats);
} endpoint_stats SEC(".maps");

#endif
