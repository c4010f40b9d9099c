// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tables for people who have nothing but cat: the kernel renders them out of the maps in force, so
 * they tell what packets meet, with or without a daemon, even without weir's command.
 *
 *   cat /sys/fs/bpf/weir/show-listeners      an address and port each; counts are of the listener
 *   cat /sys/fs/bpf/weir/show-endpoints
 *
 * Each is an iterator over one map (BPF_TRACE_ITER): called with every entry in turn, and with none
 * at the end. The first entry is preceded by the head, whatever is in it.
 */
#include <weir/counters.h>

#include "maps.h"
#include "pkt.h"

#include <bpf/bpf_tracing.h> /* needs the types of those above */

#define CPUS_MAX 4096u	 /* more than any kernel has; the last lookup finds none */
#define ROWS_MAX 131072u /* in a listener's block, more than there can be */

/* The kernel's, as far as they are used here; their layout is found when this is loaded. */
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
} __attribute__((preserve_access_index));

static const char modes[][8] = {
	[WEIR_MODE_NAT] = "nat", [WEIR_MODE_DSR] = "dsr",     [WEIR_MODE_IPIP] = "ipip",
	[WEIR_MODE_GUE] = "gue", [WEIR_MODE_PROXY] = "proxy",
};

static const char states[][16] = {
	[WEIR_ENDPOINT_FREE] = "",
	[WEIR_ENDPOINT_ACTIVE] = "active",
	[WEIR_ENDPOINT_DRAINING] = "draining",
	[WEIR_ENDPOINT_GONE] = "removed",
	[WEIR_ENDPOINT_DEAD] = "abnormal",
};

#define NAME_IN(table, index) table[(index) < sizeof(table) / sizeof(table[0]) ? (index) : 0]

static __always_inline void print_address(struct seq_file *out, const __u8 addr[16], __u16 port,
					  __u16 last)
{
	if (addr_is_ip4(addr))
		BPF_SEQ_PRINTF(out, "%pI4:%u", addr + 12, port);
	else
		BPF_SEQ_PRINTF(out, "[%pI6]:%u", addr, port);
	if (last > port)
		BPF_SEQ_PRINTF(out, "-%u", last);
	BPF_SEQ_PRINTF(out, "\n");
}

/* Sums over CPUs, and of a listener also over its endpoints. */
struct sum {
	__u32 key; /* in the map that is summed up */
	__u32 active;
	__u64 packets;
	__u64 bytes;
	__u64 flows;
	__u64 dropped;
};

static __always_inline void add_traffic(struct sum *sum, const struct weir_traffic *traffic)
{
	sum->packets += traffic->packets;
	sum->bytes += traffic->bytes;
	sum->flows += traffic->flows;
}

#define KIND_FORWARD 0
#define KIND_PASS    0
#define KIND_DROP    1
#define KIND_ANSWER  1
#define KIND_NOTE    0
#define ADD_IF_DROP(name, kind, metric, text, hint)                                                \
	sum->dropped += KIND_##kind ? stats->reason[WEIR_R_##name] : 0;

static __always_inline void add_drops(struct sum *sum, const struct weir_listener_stats *stats)
{
	WEIR_REASONS(ADD_IF_DROP)
}

static long add_endpoint_cpu(__u32 cpu, struct sum *sum)
{
	const struct weir_endpoint_stats *stats =
		bpf_map_lookup_percpu_elem(&endpoint_stats, &sum->key, cpu);

	if (stats)
		add_traffic(sum, &stats->traffic);
	return !stats;
}

static long add_listener_cpu(__u32 cpu, struct sum *sum)
{
	const struct weir_listener_stats *stats =
		bpf_map_lookup_percpu_elem(&listener_stats, &sum->key, cpu);

	if (stats)
		add_drops(sum, stats);
	return !stats;
}

/* Of the rows of a listener's block, from sum->key on. */
static long add_endpoint(__u32 number __attribute__((unused)), struct sum *sum)
{
	const struct weir_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &sum->key);
	const struct weir_endpoint_info *info = bpf_map_lookup_elem(&endpoint_info, &sum->key);

	if (!endpoint || !info)
		return 1;
	if (endpoint->state != WEIR_ENDPOINT_FREE) {
		sum->active += endpoint->state == WEIR_ENDPOINT_ACTIVE;
		add_traffic(sum, &info->carried.traffic);
		bpf_loop(CPUS_MAX, add_endpoint_cpu, sum, 0);
	}
	sum->key++;
	return 0;
}

/* Is it in the half of the table that packets are looked up in? */
static __always_inline bool is_in_force(__u32 index)
{
	__u32 zero = 0;
	const struct weir_control *state = bpf_map_lookup_elem(&control, &zero);
	const struct weir_half *half;

	if (!state)
		return false;
	half = state->generation & 1 ? &state->half[1] : &state->half[0];
	return index >= half->first && index - half->first <= half->mask + half->ranges;
}

SEC("iter/bpf_map_elem")
int show_listeners(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct weir_listener *cell = ctx->value;
	const __u32 *index = ctx->key;
	struct seq_file *out = ctx->meta->seq;
	const struct weir_listener_info *info;
	struct sum sum = {};
	__u32 id;

	if (!index || !cell)
		return 0;
	if (!ctx->meta->seq_num)
		BPF_SEQ_PRINTF(out, "%-24s %-5s %-4s %6s %12s %16s %12s %10s  %s\n", "LISTENER",
			       "PROTO", "MODE", "ACTIVE", "PACKETS", "BYTES", "FLOWS", "DROPPED",
			       "ADDRESS");
	if (cell->kind != WEIR_CELL_LISTENER && cell->kind != WEIR_CELL_RANGE)
		return 0;
	id = cell->id;
	info = bpf_map_lookup_elem(&listener_info, &id);
	if (!info || !is_in_force(*index))
		return 0;
	sum.key = id;
	add_drops(&sum, &info->carried);
	bpf_loop(CPUS_MAX, add_listener_cpu, &sum, 0);
	sum.key = info->endpoint_base;
	add_traffic(&sum, &info->retired);
	bpf_loop(info->endpoint_count < ROWS_MAX ? info->endpoint_count : ROWS_MAX, add_endpoint,
		 &sum, 0);
	BPF_SEQ_PRINTF(out, "%-24s %-5s %-4s %6u %12llu %16llu %12llu %10llu  ", info->name,
		       cell->protocol == IPPROTO_UDP ? "udp" : "tcp", NAME_IN(modes, cell->mode),
		       sum.active, sum.packets, sum.bytes, sum.flows, sum.dropped);
	print_address(out, cell->addr, cell->port,
		      cell->kind == WEIR_CELL_RANGE ? cell->last_port : 0);
	return 0;
}

SEC("iter/bpf_map_elem")
int show_endpoints(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct weir_endpoint_info *info = ctx->value;
	const __u32 *row = ctx->key;
	struct seq_file *out = ctx->meta->seq;
	const struct weir_listener_info *listener;
	const struct weir_endpoint *endpoint;
	struct sum sum = {};
	__u32 id, want; /* tenths of a per cent */

	if (!row || !info)
		return 0;
	if (!ctx->meta->seq_num)
		BPF_SEQ_PRINTF(out, "%-24s %-16s %-24s %-4s %6s %6s %-8s %12s %16s %12s  %s\n",
			       "LISTENER", "GROUP", "ENDPOINT", "MODE", "WEIGHT", "WANT", "STATE",
			       "PACKETS", "BYTES", "FLOWS", "ADDRESS");
	sum.key = *row;
	endpoint = bpf_map_lookup_elem(&endpoints, &sum.key);
	if (!endpoint || endpoint->state == WEIR_ENDPOINT_FREE)
		return 0;
	id = endpoint->listener;
	listener = bpf_map_lookup_elem(&listener_info, &id);
	if (!listener)
		return 0;
	add_traffic(&sum, &info->carried.traffic);
	bpf_loop(CPUS_MAX, add_endpoint_cpu, &sum, 0);
	want = info->want[0] > info->want[1] ? info->want[0] : info->want[1];
	want = (want + 500) / 1000;
	BPF_SEQ_PRINTF(out, "%-24s %-16s %-24s %-4s %6u ", listener->name, info->group, info->name,
		       NAME_IN(modes, endpoint->mode), info->weight);
	BPF_SEQ_PRINTF(out, "%3u.%u%% %-8s %12llu %16llu %12llu  ", want / 10, want % 10,
		       NAME_IN(states, endpoint->state), sum.packets, sum.bytes, sum.flows);
	print_address(out, endpoint->addr, endpoint->port, 0);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
