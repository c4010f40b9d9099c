// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/sync.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/blocks.h"
#include "dataplane/cells.h"
#include "dataplane/counters.h"
#include "dataplane/guards.h"
#include "dataplane/tables.h"
#include "dataplane/trees.h"
#include "util/now.h"

/* What the maps have to hold for the plan, beside what is in force. */
static struct capacity needed(const struct plan *next, const struct weir_half *half)
{
	struct capacity need = {
		.of = {
			[CAPACITY_CELLS] = cells_count(half),
			[CAPACITY_EXCEPTIONS] = next->exceptions,
			[CAPACITY_NAT_FLOWS] = next->nat_flows,
			[CAPACITY_SOURCES] = next->limits ? WEIR_SOURCE_LINES : 0,
		},
	};

	vec_foreach(listener, &next->listeners) {
		if (listener->id >= need.of[CAPACITY_LISTENERS])
			need.of[CAPACITY_LISTENERS] = listener->id + 1;
		if (listener->block + listener->block_size > need.of[CAPACITY_ROWS])
			need.of[CAPACITY_ROWS] = listener->block + listener->block_size;
	}
	return need;
}

/* Where the cells that are to be written begin: in the other half of the map than those in force,
 * which it may have had when it was smaller. */
static uint32_t idle_cells(const struct object *object)
{
	const struct weir_control *control = object->control;
	uint32_t middle = object->capacity.of[CAPACITY_CELLS];

	return control->half[control->generation & 1].first < middle ? middle : 0;
}

static void write_nexthop(struct weir_endpoint *row, const struct plan_endpoint *endpoint)
{
	uint64_t word;

	memcpy(&word, &endpoint->nexthop, sizeof(word));
	__atomic_store_n((uint64_t *)&row->nexthop, word, __ATOMIC_RELEASE);
}

/* The first row and how many there are change together, and with them what shares their word. */
static void write_snat(struct weir_endpoint *row, const struct plan_endpoint *endpoint)
{
	const struct {
		uint16_t snat;
		uint8_t rows;
		uint8_t source_bits;
	} parts = { endpoint->snat, endpoint->snat_rows, endpoint->tunnel.source_bits };
	uint32_t word;

	memcpy(&word, &parts, sizeof(word));
	__atomic_store_n((uint32_t *)&row->snat, word, __ATOMIC_RELAXED);
}

/*
 * How packets get there. Each part stands for itself, but for an IPv6 source: while it changes, a
 * packet may leave with half of each.
 */
static void write_mode(struct weir_endpoint *row, const struct plan_endpoint *endpoint)
{
	const struct plan_tunnel *tunnel = &endpoint->tunnel;
	uint64_t source[2];

	memcpy(source, tunnel->source.bytes, sizeof(source));
	for (int i = 0; i < 2; i++)
		__atomic_store_n((uint64_t *)row->source + i, source[i], __ATOMIC_RELAXED);
	__atomic_store_n(&row->gue_port, tunnel->gue_port, __ATOMIC_RELAXED);
	__atomic_store_n(&row->mode, endpoint->mode, __ATOMIC_RELEASE);
}

/* Only where the route's has changed: else what was learned of the path stays. */
static void write_mtu(struct object *object, const struct plan_endpoint *endpoint)
{
	struct weir_endpoint_info *info = &object->endpoint_info[endpoint->row];

	if (info->route_mtu == endpoint->tunnel.mtu)
		return;
	bpf_map_delete_elem(object->learned_mtus, &endpoint->row);
	__atomic_store_n(&object->endpoints[endpoint->row].mtu, endpoint->tunnel.mtu,
			 __ATOMIC_RELAXED);
	info->route_mtu = endpoint->tunnel.mtu;
}

static void clear_stats(int map, uint32_t key, size_t size)
{
	_cleanup_(freep) void *zeros = calloc(libbpf_num_possible_cpus(), (size + 7) & ~7ul);

	if (zeros)
		bpf_map_update_elem(map, &key, zeros, BPF_ANY);
}

/* By words, since nobody waits for its readers. */
static void write_health(struct weir_endpoint_info *info, const struct weir_health *health)
{
	uint64_t words[sizeof(*health) / sizeof(uint64_t)];

	memcpy(words, health, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		__atomic_store_n((uint64_t *)&info->health + i, words[i], __ATOMIC_RELAXED);
}

void sync_health(struct object *object, uint32_t row, const struct weir_health *health)
{
	write_health(&object->endpoint_info[row], health);
}

/* Its group; one that is gone has none any more. */
static void write_group(const struct plan *plan, const struct plan_listener *listener,
			const struct plan_endpoint *endpoint, struct weir_endpoint_info *info)
{
	const struct plan_group *group;

	if (endpoint->group_place >= listener->groups.count) {
		if (listener->mode == WEIR_MODE_PROXY && endpoint->state != WEIR_ENDPOINT_GONE)
			info->group_place = WEIR_NO_GROUP;
		return;
	}
	group = &listener->groups.items[endpoint->group_place];
	info->group_place = endpoint->group_place;
	info->traffic_percentage = group->traffic_percentage;
	info->region = plan_region_number(plan, group->region);
}

static void write_endpoint_info(struct object *object, const struct plan *plan,
				const struct plan_listener *listener,
				const struct plan_endpoint *endpoint)
{
	struct weir_endpoint_info *info = &object->endpoint_info[endpoint->row];

	write_group(plan, listener, endpoint, info);

	memcpy(info->name, endpoint->name, sizeof(info->name));
	memcpy(info->group, endpoint->group, sizeof(info->group));
	info->weight = endpoint->weight;
	info->file_weight = endpoint->file_weight;
	info->undrained_weight = endpoint->undrained_weight;
	info->sharers = endpoint->sharers;
	memcpy(info->want, endpoint->want, sizeof(info->want));
	write_health(info, &endpoint->health);
}

/* A row with a new owner: nothing refers to it yet. It is nobody's until its last store. */
static void write_new_endpoint(struct object *object, const struct plan *plan,
			       const struct plan_listener *listener,
			       const struct plan_endpoint *endpoint)
{
	struct weir_endpoint *row = &object->endpoints[endpoint->row];

	if (row->generation) {
		clear_stats(object->endpoint_stats, endpoint->row,
			    sizeof(struct weir_endpoint_stats));
		bpf_map_delete_elem(object->learned_mtus, &endpoint->row);
	}
	object->endpoint_http[endpoint->row] = (struct weir_http){};
	object->nat_latency[endpoint->row] = (struct weir_nat_latency){};
	__atomic_store_n(&row->state, WEIR_ENDPOINT_FREE, __ATOMIC_SEQ_CST);
	memcpy(row->addr, endpoint->address.bytes, sizeof(row->addr));
	row->generation = endpoint->generation;
	row->port = endpoint->port;
	row->listener = listener->id;
	row->idle_timeout = listener->idle_timeout;
	write_mode(row, endpoint);
	write_snat(row, endpoint);
	write_nexthop(row, endpoint);
	row->mtu = endpoint->tunnel.mtu;
	object->endpoint_info[endpoint->row] =
		(struct weir_endpoint_info){ .route_mtu = endpoint->tunnel.mtu };
	write_endpoint_info(object, plan, listener, endpoint);
	__atomic_store_n(&row->state, endpoint->state, __ATOMIC_RELEASE);
}

static bool is_new(const struct object *object, const struct plan_endpoint *endpoint)
{
	return object->endpoints[endpoint->row].generation != endpoint->generation;
}

/* A row in use: only words that stand for themselves change. */
static void write_known_endpoint(struct object *object, const struct plan *plan,
				 const struct plan_listener *listener,
				 const struct plan_endpoint *endpoint)
{
	struct weir_endpoint *row = &object->endpoints[endpoint->row];

	__atomic_store_n(&row->idle_timeout, listener->idle_timeout, __ATOMIC_RELAXED);
	write_nexthop(row, endpoint);
	write_snat(row, endpoint);
	write_mtu(object, endpoint);
	write_mode(row, endpoint);
	__atomic_store_n(&row->state, endpoint->state, __ATOMIC_RELEASE);
	write_endpoint_info(object, plan, listener, endpoint);
}

static void write_listener_info(struct object *object, const struct plan_listener *listener)
{
	struct weir_listener_info *info = &object->listener_info[listener->id];

	if (!info->name[0]) {
		clear_stats(object->listener_stats, listener->id,
			    sizeof(struct weir_listener_stats));
		object->listener_http[listener->id] = (struct weir_http){};
	}
	memcpy(info->name, listener->name, sizeof(info->name));
	info->protocol = listener->protocol;
	info->mode = listener->mode;
	info->vip_route = listener->vip_route;
	info->fail_open = listener->fail_open;
	info->idle_timeout = listener->idle_timeout;
	info->endpoint_base = listener->block;
	info->endpoint_count = listener->block_size;
	memcpy(info->lists, listener->lists, sizeof(info->lists));
}

/* The window of a change begins when it can be seen. */
static void write_deadlines(struct object *object, struct plan_listener *listener)
{
	plan_foreach_table(table, listener) if (table->deadline && table->change.moved)
		table->deadline = object_now(object) + listener->idle_timeout;
	tables_deadlines(listener, object->listener_info[listener->id].deadline);
}

/* What the new configuration needs, beside the one in force. */
static void write_new(struct object *object, const struct plan *next)
{
	/* It changes only while no stateless listener is in force. */
	object->control->slot_seed = next->hash_seed;
	object->control->answers_per_second = next->answers_per_second;
	for (size_t i = 1; i < next->egress.count; i++) {
		const struct weir_egress *egress = &next->egress.items[i];
		uint32_t index = i;

		if (!egress->ifindex)
			continue;
		bpf_map_update_elem(object->tx_ports, &index, &egress->ifindex, BPF_ANY);
		if (memcmp(&object->egress[i], egress, sizeof(*egress)))
			object->egress[i] = *egress;
	}
	for (size_t i = 1; i < next->snat.count; i++)
		if (next->snat.items[i].row.ports &&
		    memcmp(&object->snat[i], &next->snat.items[i].row, sizeof(object->snat[i])))
			object->snat[i] = next->snat.items[i].row;
	for (size_t i = 1; i < next->regions.count; i++)
		if (next->regions.items[i].name[0])
			memcpy(object->region_info[i].name, next->regions.items[i].name,
			       WEIR_NAME_MAX);
	vec_foreach(listener, &next->listeners) {
		write_listener_info(object, listener);
		vec_foreach(endpoint, &listener->endpoints)
			if (is_new(object, endpoint))
				write_new_endpoint(object, next, listener, endpoint);
	}
}

/* Readers in other processes piece a plan together from many maps: an odd count tells them to wait
 * (and, after a crash, that nobody will come). */
static void begin_writing(struct object *object)
{
	__atomic_store_n(&object->control->writing, object->control->writing | 1, __ATOMIC_SEQ_CST);
}

static void end_writing(struct object *object)
{
	__atomic_store_n(&object->control->writing, object->control->writing + 1, __ATOMIC_SEQ_CST);
}

/* The one store that puts the idle half in force. */
static void flip(struct object *object, const struct weir_half *half)
{
	uint32_t generation = object->control->generation + 1;

	object->control->half[generation & 1] = *half;
	__atomic_store_n(&object->control->generation, generation, __ATOMIC_RELEASE);
}

static void write_known(struct object *object, const struct plan *next)
{
	vec_foreach(listener, &next->listeners) {
		write_deadlines(object, listener);
		vec_foreach(endpoint, &listener->endpoints)
			write_known_endpoint(object, next, listener, endpoint);
	}
	object->in_force_since = now_us();
}

/* From now on, what endpoints get is measured against new shares. */
static void mark_share(struct object *object, const struct plan_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints) {
		struct weir_endpoint_info *info = &object->endpoint_info[endpoint->row];
		struct weir_endpoint_stats stats;

		if (counters_endpoint(object, endpoint->row, &stats))
			continue;
		info->flows_before = stats.traffic.flows;
		info->packets_before = stats.traffic.packets;
	}
}

static void mark_shares(struct object *object, const struct plan *plan)
{
	vec_foreach(listener, &plan->listeners) {
		bool moved = listener->reshared;

		plan_foreach_table(table, listener) moved |= table->change.moved;
		if (moved)
			mark_share(object, listener);
	}
}

/* Frees a row; what it counted stays in its listener's sum. Nothing refers to it any more: what was
 * learned of its path will not be learned again. */
static void retire(struct object *object, uint32_t row)
{
	struct weir_endpoint *endpoint = &object->endpoints[row];
	struct weir_endpoint_stats stats;

	endpoint->state = WEIR_ENDPOINT_FREE;
	bpf_map_delete_elem(object->learned_mtus, &row);
	if (!counters_endpoint(object, row, &stats))
		counters_add(&object->listener_info[endpoint->listener].retired, &stats.traffic);
}

static void clear_released(struct object *object, const struct plan *plan)
{
	uint32_t rows = object->capacity.of[CAPACITY_ROWS];
	uint32_t listeners = object->capacity.of[CAPACITY_LISTENERS];
	_cleanup_(freep) bool *kept = calloc(rows, sizeof(*kept));
	_cleanup_(freep) bool *ids = calloc(listeners, sizeof(*ids));

	if (!kept || !ids)
		return; /* the next time will do */
	vec_foreach(listener, &plan->listeners) {
		ids[listener->id] = true;
		vec_foreach(endpoint, &listener->endpoints)
			kept[endpoint->row] = true;
	}
	for (uint32_t row = 0; row < rows; row++)
		if (!kept[row] && object->endpoints[row].state != WEIR_ENDPOINT_FREE)
			retire(object, row);
	for (uint32_t id = 1; id < listeners; id++)
		if (!ids[id] && object->listener_info[id].name[0])
			object->listener_info[id] = (struct weir_listener_info){};
	for (size_t i = 1; i < WEIR_MAX_SNAT; i++)
		if (object->snat[i].ports &&
		    (i >= plan->snat.count || !plan->snat.items[i].row.ports))
			object->snat[i] = (struct weir_snat){};
	for (size_t i = 1; i < WEIR_MAX_REGIONS; i++)
		if (i >= plan->regions.count || !plan->regions.items[i].name[0])
			object->region_info[i] = (struct weir_region_info){};
	for (uint32_t i = 1; i < WEIR_MAX_EGRESS; i++) {
		struct weir_egress egress = {};

		if (i < plan->egress.count)
			egress = plan->egress.items[i];
		if (egress.ifindex || !memcmp(&object->egress[i], &egress, sizeof(egress)))
			continue;
		bpf_map_delete_elem(object->tx_ports, &i);
		object->egress[i] = egress;
	}
}

int sync_plan(struct object *object, const struct plan *in_force, struct plan *next,
	      struct err *err)
{
	_cleanup_(freep) struct weir_listener *cells = NULL;
	struct weir_half half = {};
	uint32_t slot_lines = 0, bound_lines = 0, client_rows = 0;
	struct capacity need;
	int r;

	tables_forget(object);
	r = tables_place(object, in_force, next, &slot_lines, err);
	tables_forget(object);
	r = r ?: trees_place(in_force, next, &bound_lines, err);
	r = r ?: blocks_place(object, in_force, next, &client_rows, err);
	if (r < 0)
		return r;
	guards_place(object, next);
	r = cells_build(next, object->capacity.of[CAPACITY_CELLS], &half, &cells, err);
	if (r < 0)
		return r;
	need = needed(next, &half);
	need.of[CAPACITY_LINES] = slot_lines;
	need.of[CAPACITY_BOUND_LINES] = bound_lines;
	need.of[CAPACITY_CLIENT_ROWS] = client_rows;
	if (capacity_exceeds(&need, &object->capacity))
		r = object_grow(object, &need, err);
	if (r < 0)
		return r;
	half.first = idle_cells(object);
	object->idle_follows = false;
	begin_writing(object);
	tables_write(object, next);
	trees_write(object, next);
	blocks_write(object, next);
	guards_write(object, next);
	memcpy(object->listeners + half.first, cells, cells_count(&half) * sizeof(*cells));
	write_new(object, next);
	flip(object, &half);
	write_known(object, next);
	object_wait();
	clear_released(object, next);
	mark_shares(object, next);
	end_writing(object);
	return 0;
}

/* The idle cells as those in force; after a change of a few, only these are copied. */
static void follow_cells(struct object *object, const struct weir_half *now, uint32_t idle)
{
	const struct weir_listener *from = object->listeners + now->first;
	struct weir_listener *to = object->listeners + idle;

	if (!object->idle_follows)
		memcpy(to, from, cells_count(now) * sizeof(*to));
	else
		vec_foreach(place, &object->idle_differs.list)
			to[*place] = from[*place];
	object->idle_differs.list.count = 0;
	object->idle_follows = true;
}

/* From the half in force to the other, in which these listeners are written anew. */
static int rewrite_cells(struct object *object, const struct plan *part, struct weir_half *ret)
{
	const struct weir_control *control = object->control;
	const struct weir_half *now = &control->half[control->generation & 1];
	uint32_t idle = idle_cells(object);
	int r = 0;

	follow_cells(object, now, idle);
	*ret = *now;
	ret->first = idle;
	vec_foreach(listener, &part->listeners)
		r = r
			    ?: cells_rewrite(object->listeners + idle, ret, listener,
					     &object->idle_differs);
	if (r < 0)
		object->idle_follows = false;
	return r;
}

int sync_listeners(struct object *object, const struct plan *in_force, struct plan *part,
		   struct err *err)
{
	struct capacity need = {};
	struct weir_half half;
	int r;

	r = tables_place(object, in_force, part, &need.of[CAPACITY_LINES], err);
	r = r ?: blocks_place(object, in_force, part, &need.of[CAPACITY_CLIENT_ROWS], err);
	if (!r && capacity_exceeds(&need, &object->capacity)) {
		tables_forget(object);
		r = object_grow(object, &need, err);
	}
	if (r < 0) {
		tables_forget(object);
		return r;
	}
	begin_writing(object);
	r = rewrite_cells(object, part, &half);
	if (!r) {
		tables_write(object, part);
		blocks_write(object, part);
		flip(object, &half);
		write_known(object, part);
		object_wait();
		if (object->lines)
			tables_release(object, in_force, part);
		mark_shares(object, part);
	} else {
		tables_forget(object);
	}
	end_writing(object);
	return r < 0 ? err_set(err, r, "out of memory") : 0;
}

void sync_nexthops(struct object *object, const struct plan *plan)
{
	vec_foreach(listener, &plan->listeners)
		vec_foreach(endpoint, &listener->endpoints)
			write_nexthop(&object->endpoints[endpoint->row], endpoint);
}

void sync_phases(struct object *object, const struct plan_listener *listener,
		 const struct plan_table *table)
{
	tables_write_slots(object, table);
	tables_deadlines(listener, object->listener_info[listener->id].deadline);
}

void sync_released(struct object *object, const struct plan *plan)
{
	begin_writing(object);
	tables_forget(object);
	clear_released(object, plan);
	end_writing(object);
}

int sync_egress(struct object *object, const struct weir_egress *egress, struct err *err)
{
	uint32_t free = 0;

	for (uint32_t i = 1; i < WEIR_MAX_EGRESS; i++) {
		if (object->egress[i].ifindex == egress->ifindex &&
		    !memcmp(object->egress[i].vlan, egress->vlan, sizeof(egress->vlan)))
			return 0;
		if (!free && !object->egress[i].ifindex && !object->egress[i].name[0])
			free = i;
	}
	if (!free)
		return err_set(err, -ENOSPC, "more than %u interfaces", WEIR_MAX_EGRESS - 1);
	bpf_map_update_elem(object->tx_ports, &free, &egress->ifindex, BPF_ANY);
	object->egress[free] = *egress;
	return 0;
}
