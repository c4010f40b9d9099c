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
#include <weir/nat.h>

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
CONFIG_MAP(guards, struct weir_guard, SIZED);
CONFIG_MAP(bounds, struct weir_bounds, SIZED);
CONFIG_MAP(bound_regions, struct weir_bound_regions, SIZED);
CONFIG_MAP(clients, struct weir_clients, SIZED);
CONFIG_MAP(endpoints, struct weir_endpoint, SIZED);
CONFIG_MAP(egress, struct weir_egress, WEIR_MAX_EGRESS);
CONFIG_MAP(snat, struct weir_snat, WEIR_MAX_SNAT);

/* Never read by BPF: for `weir show`, bpftool and a starting daemon. */
CONFIG_MAP(listener_info, struct weir_listener_info, SIZED);
CONFIG_MAP(endpoint_info, struct weir_endpoint_info, SIZED);
CONFIG_MAP(region_info, struct weir_region_info, WEIR_MAX_REGIONS);

/* The same of what http listeners do, written by their workers. */
CONFIG_MAP(listener_http, struct weir_http, SIZED);
CONFIG_MAP(endpoint_http, struct weir_http, SIZED);

/* The listening sockets of the workers that serve http listeners, by their places. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, WEIR_MAX_WORKERS);
	__type(key, __u32);
	__type(value, __u64);
} workers SEC(".maps");

CONFIG_MAP(steering, struct weir_steering, 1);

/* Whose turn it was last. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} steer_turn SEC(".maps");

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

/* As CONFIG_MAP: so they begin on a page, each record on a cache line, and can be read in place. */
#define FLOW_MAP(map_name, value_type) CONFIG_MAP(map_name, value_type, SIZED)

FLOW_MAP(sources, struct weir_sources);
FLOW_MAP(cookies_sent, __u64); /* by listener: when it last sent a SYN cookie (s); 0: never */
FLOW_MAP(nat_records, struct weir_nat_record);
FLOW_MAP(nat_tags, struct weir_nat_tags);
FLOW_MAP(nat_replies, struct weir_nat_replies);
FLOW_MAP(nat_latency, struct weir_nat_latency);

/* Where a flow's record may be: two buckets; its way in the first unless it was taken; its tag. */
struct nat_places {
	__u32 first;
	__u32 second;
	__u8 home;
	__u8 tag; /* never 0 */
	__u8 pad[2];
};

/* A new flow while it is put together: too large for the stack. */
struct nat_new {
	struct weir_flow flow; /* client → listener */
	struct weir_flow back; /* endpoint → SNAT address and port */
	__u64 mark;	       /* of flow, for a BUSY word */
	__u32 back_bucket;     /* where back's reply entry is to be */
	__u32 back_hash;       /* the low bits, for its tag and home there */
	struct weir_nat_client client;
	__u32 endpoint;		   /* row */
	__u32 endpoint_generation; /* of the row */
	__u32 first_snat;	   /* rows in snat to choose from */
	__u32 snat_rows;
	__u32 now;	      /* s */
	__u32 opened;	      /* us */
	__u32 index;	      /* of its record */
	struct nat_places at; /* of flow */
	__u8 client_state;
	__u8 pad[7];
};

struct nat_scratch {
	struct nat_new new;
	__u32 hand; /* the record at which this CPU looks next for what is over */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nat_scratch);
} nat_scratch SEC(".maps");

/* Of all fragments of a packet; an IPv6 fragment's protocol is not known in all of them. */
struct fragment_key {
	__u8 src[16];
	__u8 dst[16];
	__be32 id;
	__u8 protocol; /* IPv4 */
	__u8 pad[3];
};

/* Where the first one went, and as whom. */
struct fragment_way {
	__u8 src[16]; /* nat */
	__u8 dst[16];
	struct weir_nexthop nexthop; /* of a reply; a request's is the endpoint's */
	__u32 endpoint;		     /* row */
	__u32 generation;	     /* of the row */
	__u32 listener;
	__u32 seen; /* s */
	__u32 hash; /* of the flow */
	__be16 id;  /* nat, IPv4 */
	__u8 reply; /* from endpoint to client */
	__u8 nat;   /* through mode nat: src and dst are set, and id */
	__u32 sum;  /* of the key and all of the above: bpf/fragment.h */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEIR_MAX_FRAGMENTED);
	__type(key, struct fragment_key);
	__type(value, struct fragment_way);
} fragments SEC(".maps");

/* The identification of the next packet in mode nat. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} fragment_next SEC(".maps");

/* One while it is put together: too large for the stack. */
struct fragment_new {
	struct fragment_key key;
	struct fragment_way way;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fragment_new);
} fragment_new SEC(".maps");

/* An MTU that a router has told, in endpoints[row].mtu meanwhile. None may be forgotten, since the
 * route's could not be put back: so the map is no LRU. It has room for many, and memory only for
 * those that are there. */
struct learned_mtu {
	__u32 generation; /* of the row */
	__u32 seen;	  /* s */
	__u16 mtu;
	__u16 route; /* what was there before */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEIR_MAX_LEARNED_MTUS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32); /* row */
	__type(value, struct learned_mtu);
} learned_mtus SEC(".maps");

/* What weir_answer is called for. */
struct answer_order {
	__u32 reason; /* enum weir_reason */
	__u32 listener;
	__u32 mtu;   /* of the path, where the packet is too big for it */
	__u32 guard; /* row, for cookies */
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
