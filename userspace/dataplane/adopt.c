// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The plan in force, read back from the maps. A daemon may have been killed between any two
 * stores, so only the listener table in force is believed outright: a listener is what has a cell
 * there, its block and its tables are where the cell says. Rows of listeners that have no cell are
 * taken as leaving, rows of no listener as free.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/sync.h"

static void address_of(const uint8_t bytes[16], struct addr *ret)
{
	memcpy(ret->bytes, bytes, sizeof(ret->bytes));
}

static int read_infos(const struct object *object, struct plan *plan)
{
	for (uint32_t id = 1; id < object->capacity.of[CAPACITY_LISTENERS]; id++) {
		const struct weir_listener_info *info = &object->listener_info[id];
		struct plan_listener listener = {
			.id = id,
			.protocol = info->protocol,
			.mode = info->mode,
			.vip_route = info->vip_route,
			.fail_open = info->fail_open,
			.idle_timeout = info->idle_timeout,
			.block = info->endpoint_base,
			.block_size = info->endpoint_count,
		};

		if (!info->name[0])
			continue;
		if (listener.block + (uint64_t)listener.block_size >
		    object->capacity.of[CAPACITY_ROWS])
			return -EPROTO;
		snprintf(listener.name, sizeof(listener.name), "%s", info->name);
		snprintf(listener.lists, sizeof(listener.lists), "%s", info->lists);
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			listener.table[family].line = PLAN_NO_LINE;
			listener.table[family].deadline = info->deadline[family];
			listener.clients[family].block = PLAN_NO_LINE;
		}
		if (vec_push(&plan->listeners, listener))
			return -ENOMEM;
	}
	return 0;
}

static void read_slots(const struct object *object, uint32_t line, struct slot *to, uint64_t count)
{
	const uint16_t *previous = object->slots_previous[line].endpoint;
	const struct weir_slot *from = object->slots[line].slot;

	for (uint64_t i = 0; i < count; i++)
		to[i] = (struct slot){
			.current = from[i].current,
			.previous = from[i].phase == WEIR_MOVING ? previous[i] : from[i].current,
			.phase = from[i].phase,
		};
}

/* As read_infos() has listed them: by id. */
static struct plan_listener *find_id(const struct plan *plan, uint32_t id)
{
	size_t low = 0, high = plan->listeners.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (plan->listeners.items[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < plan->listeners.count && plan->listeners.items[low].id == id
		       ? &plan->listeners.items[low]
		       : NULL;
}

static int read_table(const struct object *object, uint32_t line, uint32_t mask,
		      struct plan_table *table)
{
	uint64_t most = object->capacity.of[CAPACITY_LINES] * (uint64_t)WEIR_SLOTS_PER_LINE;
	uint64_t slots = (uint64_t)mask + 1;

	if (slots & (slots - 1) || line * (uint64_t)WEIR_SLOTS_PER_LINE + slots > most)
		return -EPROTO;
	table->slots = malloc(slots * sizeof(*table->slots));
	if (!table->slots)
		return -ENOMEM;
	read_slots(object, line, table->slots, slots);
	table->size = slots;
	table->line = line;
	return 0;
}

/* A tree that has been read before. */
static struct bounds *find_bounds(const struct plan *plan, int family, uint32_t line)
{
	if (plan->clients[family] && plan->clients[family]->line == line)
		return plan->clients[family];
	vec_foreach(listener, &plan->listeners)
		if (listener->ranges[family] && listener->ranges[family]->line == line)
			return listener->ranges[family];
	return NULL;
}

static void *copy_lines(const void *from, uint32_t count, size_t size)
{
	void *copy = malloc(count * size);

	return copy ? memcpy(copy, from, count * size) : NULL;
}

/* `of_clients`: a tree that tells regions. */
static int read_bounds(const struct object *object, const struct plan *plan,
		       const struct weir_ranges *ranges, int family, bool of_clients,
		       struct bounds **ret)
{
	const struct weir_bounds *from = &object->bounds[ranges->line];
	struct bounds *known = find_bounds(plan, family, ranges->line);
	uint32_t held = object->capacity.of[CAPACITY_BOUND_LINES], count;
	_cleanup_(freep) struct weir_bound_regions *regions = NULL;
	_cleanup_(freep) struct weir_bounds *lines = NULL;
	int r;

	if (known) {
		*ret = bounds_ref(known);
		return 0;
	}
	if (ranges->line >= held)
		return -EPROTO;
	count = bounds_measure(from, held - ranges->line, ranges->levels, family == PLAN_IP6);
	if (!count)
		return -EPROTO;
	lines = copy_lines(from, count, sizeof(*lines));
	if (of_clients)
		regions = copy_lines(&object->bound_regions[ranges->line], count, sizeof(*regions));
	if (!lines || (of_clients && !regions))
		return -ENOMEM;
	r = bounds_adopt(family == PLAN_IP6, ranges->levels, ranges->line, lines, regions, count,
			 ret);
	if (!r) {
		take_ptr(lines);
		take_ptr(regions);
	}
	return r;
}

/* The table that a row of a listener's block names: one that a row before has named, too, or
 * another one. *ret is its number. */
static int read_client_table(const struct object *object, struct plan_listener *listener,
			     enum plan_family family, const struct weir_clients *row, uint8_t *ret)
{
	struct plan_clients *clients = &listener->clients[family];
	struct plan_table table = { .line = row->of.table.slot_line };
	int r = 0;

	for (size_t number = 0; number <= clients->tables.count; number++) {
		*ret = number;
		if (plan_table_at(listener, family, number)->line == table.line)
			return 0;
	}
	if (table.line != WEIR_NO_TABLE)
		r = read_table(object, table.line, row->of.table.slot_mask, &table);
	if (!r && vec_push(&clients->tables, table)) {
		plan_table_fini(&table);
		r = -ENOMEM;
	}
	*ret = clients->tables.count;
	return r;
}

/* The same of a listener of http, whose tables have nothing but numbers. */
static int read_order(struct plan_listener *listener, enum plan_family family,
		      const struct weir_clients *row, uint8_t *ret)
{
	struct plan_clients *clients = &listener->clients[family];
	uint32_t number = row->of.table.slot_mask;

	if (number >= WEIR_MAX_REGIONS)
		return -EPROTO;
	while (clients->tables.count < number)
		if (vec_push(&clients->tables, (struct plan_table){ .line = PLAN_NO_LINE }))
			return -ENOMEM;
	*ret = number;
	return 0;
}

/* A table that there is not has no line: WEIR_NO_TABLE is PLAN_NO_LINE. */
static int read_tables(const struct object *object, struct plan_listener *listener,
		       enum plan_family family, const struct weir_clients *rows)
{
	struct plan_table *first = &listener->table[family];
	uint8_t *table_of = calloc(WEIR_MAX_REGIONS, sizeof(*table_of));
	int r = 0;

	listener->clients[family].table_of = table_of;
	if (!table_of)
		return -ENOMEM;
	first->line = rows[0].of.table.slot_line;
	if (first->line != WEIR_NO_TABLE)
		r = read_table(object, first->line, rows[0].of.table.slot_mask, first);
	for (uint32_t i = 1; !r && i < listener->clients[family].regions; i++)
		r = listener->mode == WEIR_MODE_PROXY
			    ? read_order(listener, family, &rows[i], &table_of[i])
			    : read_client_table(object, listener, family, &rows[i], &table_of[i]);
	return r;
}

/* The block of a listener whose clients have tables by their regions. */
static int read_block(const struct object *object, struct plan *plan,
		      struct plan_listener *listener, const struct weir_listener *cell,
		      enum plan_family family)
{
	uint32_t held = object->capacity.of[CAPACITY_CLIENT_ROWS];
	const struct weir_clients *rows = &object->clients[cell->slot_line];
	struct plan_clients *clients = &listener->clients[family];
	struct bounds *tree = NULL;
	int r;

	if (cell->slot_mask >= WEIR_MAX_REGIONS || cell->slot_line >= held ||
	    held - cell->slot_line < 2 + cell->slot_mask)
		return -EPROTO;
	r = read_bounds(object, plan, &rows->of.regions, family, true, &tree);
	if (r)
		return r;
	if (plan->clients[family] && plan->clients[family] != tree)
		r = -EPROTO;
	bounds_unref(plan->clients[family]);
	plan->clients[family] = tree;
	if (r)
		return r;
	clients->block = cell->slot_line;
	clients->regions = cell->slot_mask + 1;
	return read_tables(object, listener, family, rows + 1);
}

/* What a listener's slots say to clients of a family, once. */
static int read_family(const struct object *object, struct plan *plan,
		       struct plan_listener *listener, const struct weir_listener *cell,
		       enum plan_family family)
{
	struct plan_table *table = &listener->table[family];

	if (table->slots || listener->clients[family].table_of ||
	    (cell->flags & WEIR_CELL_NO_ENDPOINT))
		return 0;
	if (cell->flags & WEIR_CELL_CLIENT_REGIONS)
		return read_block(object, plan, listener, cell, family);
	return read_table(object, cell->slot_line, cell->slot_mask, table);
}

/* Whom it lets in. */
static int read_guard(const struct object *object, const struct plan *plan,
		      struct plan_listener *listener, uint32_t row)
{
	const struct weir_guard *guard = &object->guards[row];

	if (!row || listener->guard == row)
		return 0;
	if (listener->guard || row / 2 != listener->id)
		return -EPROTO;
	listener->guard = row;
	listener->access = guard->access;
	listener->new_flows_per_source = (struct rate){
		.count = guard->limit_count,
		.seconds = guard->limit_seconds,
		.burst = guard->limit_burst,
	};
	listener->cookies = (struct facts_cookies){ guard->cookies, guard->cookie_wscale };
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		int r = guard->ranges[family].levels
				? read_bounds(object, plan, &guard->ranges[family], family, false,
					      &listener->ranges[family])
				: 0;

		if (r)
			return r;
	}
	return 0;
}

static int add_address(struct plan_listener *listener, const struct addr *address)
{
	vec_foreach(known, &listener->addresses)
		if (addr_equal(known, address))
			return 0;
	return vec_push(&listener->addresses, *address);
}

static int read_cell(const struct object *object, const struct weir_listener *cell,
		     struct plan *plan)
{
	struct plan_listener *listener = find_id(plan, cell->id);
	struct port_range port = {
		.first = cell->port,
		.last = cell->kind == WEIR_CELL_RANGE ? cell->last_port : cell->port,
	};
	struct addr address;
	enum plan_family family;
	int r;

	if (!listener)
		return -EPROTO;
	address_of(cell->addr, &address);
	family = plan_family_of(&address);
	if (listener->block != cell->endpoint_base) { /* killed while the block was moving */
		listener->block = cell->endpoint_base;
		listener->block_size = 0;
	}
	listener->mode = cell->mode;
	listener->idle_timeout = cell->idle_timeout;
	listener->client_affinity = cell->flags & WEIR_CELL_CLIENT_AFFINITY;
	r = read_family(object, plan, listener, cell, family);
	r = r ?: read_guard(object, plan, listener, cell->guard);
	if (r)
		return r;
	if (vec_push(&listener->ports, port))
		return -ENOMEM;
	return add_address(listener, &address);
}

static int compare_ports(const void *a, const void *b)
{
	return ((const struct port_range *)a)->first - ((const struct port_range *)b)->first;
}

/* One range per cell becomes ranges again. */
static void merge_ports(struct plan_listener *listener)
{
	struct port_range *ports = listener->ports.items;
	size_t kept = 0;

	if (!listener->ports.count)
		return;
	qsort(ports, listener->ports.count, sizeof(*ports), compare_ports);
	for (size_t i = 1; i < listener->ports.count; i++) {
		if (ports[i].first <= ports[kept].last + 1)
			ports[kept].last = ports[i].last;
		else
			ports[++kept] = ports[i];
	}
	listener->ports.count = kept + 1;
}

/* Cells come in the order of their hashes: people want IPv4 first, then by number. */
static int compare_addresses(const void *a, const void *b)
{
	const struct addr *x = a, *y = b;
	int families = addr_family(x) - addr_family(y); /* AF_INET < AF_INET6 */

	return families ?: addr_compare(x, y);
}

static void sort_addresses(struct plan_listener *listener)
{
	if (listener->addresses.count)
		qsort(listener->addresses.items, listener->addresses.count,
		      sizeof(*listener->addresses.items), compare_addresses);
}

/* A block whose size is not known: as large as its slots need. */
static void measure_block(struct plan_listener *listener)
{
	uint32_t size = 1;

	plan_foreach_table(table, listener)
	{
		for (uint32_t i = 0; i < table->size; i++) {
			uint32_t current = table->slots[i].current;
			uint32_t previous = table->slots[i].previous;

			while (current != WEIR_SLOT_NONE && size <= current)
				size *= 2;
			while (previous != WEIR_SLOT_NONE && size <= previous)
				size *= 2;
		}
	}
	listener->block_size = size;
}

/* Of an endpoint, into its listener's. */
static int read_group(const struct object *object, const struct weir_endpoint_info *info,
		      struct plan_listener *listener)
{
	struct plan_group *group;

	if (info->group_place == WEIR_NO_GROUP)
		return 0;
	while (listener->groups.count <= info->group_place)
		if (vec_push(&listener->groups, (struct plan_group){}))
			return -ENOMEM;
	group = &listener->groups.items[info->group_place];
	group->traffic_percentage = info->traffic_percentage;
	snprintf(group->name, sizeof(group->name), "%s", info->group);
	snprintf(group->region, sizeof(group->region), "%s",
		 object->region_info[info->region].name);
	return 0;
}

static int read_regions(const struct object *object, struct plan *plan)
{
	uint32_t count = WEIR_MAX_REGIONS;

	while (count > 1 && !object->region_info[count - 1].name[0])
		count--;
	for (uint32_t i = 1; i < count; i++) {
		struct plan_region region = { .used = object->region_info[i].name[0] };

		snprintf(region.name, sizeof(region.name), "%s", object->region_info[i].name);
		if (vec_push(&plan->regions, region))
			return -ENOMEM;
	}
	return 0;
}

static int read_rows(const struct object *object, struct plan *plan)
{
	for (uint32_t i = 0; i < object->capacity.of[CAPACITY_ROWS]; i++) {
		const struct weir_endpoint *row = &object->endpoints[i];
		const struct weir_endpoint_info *info = &object->endpoint_info[i];
		struct plan_listener *listener;
		struct plan_endpoint endpoint = {
			.row = i,
			.port = row->port,
			.mode = row->mode,
			.tunnel = {
				.source_bits = row->source_bits,
				.mtu = info->route_mtu,
				.gue_port = row->gue_port,
			},
			.state = row->state,
			.generation = row->generation,
			.nexthop = row->nexthop,
			.snat = row->snat,
			.snat_rows = row->snat_rows,
			.weight = info->weight,
			.file_weight = info->file_weight,
			.undrained_weight = info->undrained_weight,
			.sharers = info->sharers,
			.group_place = info->group_place,
			.reachable = row->nexthop.egress || row->mode == WEIR_MODE_PROXY,
			.health = info->health,
		};

		if (row->generation && plan_set_generation(plan, i, row->generation))
			return -ENOMEM;
		if (row->state == WEIR_ENDPOINT_FREE)
			continue;
		listener = find_id(plan, row->listener);
		if (!listener) /* killed between a row and its listener: it is nobody's */
			continue;
		address_of(row->addr, &endpoint.address);
		address_of(row->source, &endpoint.tunnel.source);
		snprintf(endpoint.name, sizeof(endpoint.name), "%s", info->name);
		snprintf(endpoint.group, sizeof(endpoint.group), "%s", info->group);
		memcpy(endpoint.want, info->want, sizeof(endpoint.want));
		if (!listener->addresses.count)
			endpoint.state = WEIR_ENDPOINT_GONE;
		if (endpoint.state != WEIR_ENDPOINT_GONE && read_group(object, info, listener))
			return -ENOMEM;
		if (vec_push(&listener->endpoints, endpoint))
			return -ENOMEM;
	}
	return 0;
}

static int read_snat(const struct object *object, struct plan *plan)
{
	bool used[WEIR_MAX_SNAT] = {};

	vec_foreach(listener, &plan->listeners)
		vec_foreach(endpoint, &listener->endpoints)
			for (uint32_t i = 0;
			     endpoint->state != WEIR_ENDPOINT_GONE && i < endpoint->snat_rows; i++)
				used[(endpoint->snat + i) % WEIR_MAX_SNAT] = true;
	for (uint32_t i = 1; i < WEIR_MAX_SNAT; i++) {
		struct plan_snat snat = { .row = object->snat[i], .used = used[i] };

		if (vec_push(&plan->snat, snat))
			return -ENOMEM;
	}
	for (uint32_t i = 1; i < WEIR_MAX_EGRESS; i++)
		if (vec_push(&plan->egress, object->egress[i]))
			return -ENOMEM;
	return 0;
}

/* A deadline may be of another moment than the slots: a window that is there is whole again. */
static void restart_windows(const struct object *object, struct plan_listener *listener)
{
	plan_foreach_table(table, listener) table->deadline =
		slots_count(table->slots, table->size, WEIR_MOVING)
			? object_now(object) + listener->idle_timeout
			: 0;
}

static int read_all(const struct object *object, struct plan *plan)
{
	const struct weir_half *half = &object->control->half[object->control->generation & 1];
	int r;

	if (half->first + (uint64_t)half->mask + half->ranges >=
	    2 * (uint64_t)object->capacity.of[CAPACITY_CELLS])
		return -EPROTO;
	plan->hash_seed = object->control->slot_seed;
	plan->answers_per_second = object->control->answers_per_second;
	r = read_infos(object, plan);
	for (uint32_t i = 0; !r && object->control->generation && i < cells_count(half); i++) {
		const struct weir_listener *cell = &object->listeners[half->first + i];

		if (cell->kind == WEIR_CELL_LISTENER || cell->kind == WEIR_CELL_RANGE)
			r = read_cell(object, cell, plan);
	}
	if (r)
		return r;
	vec_foreach(listener, &plan->listeners) {
		restart_windows(object, listener);
		merge_ports(listener);
		sort_addresses(listener);
		if (!listener->block_size && listener->addresses.count)
			measure_block(listener);
	}
	r = read_rows(object, plan);
	r = r ?: read_regions(object, plan);
	return r ?: read_snat(object, plan);
}

#define READ_TRIES   100
#define READ_WAIT_MS 10

/*
 * Reads while nobody writes. A count that stays odd is that of a daemon which was killed at it, so
 * the last try takes what is there.
 */
int sync_adopt(const struct object *object, struct plan **ret, struct err *err)
{
	const uint32_t *writing = &object->control->writing;

	for (int tried = 1;; tried++) {
		uint32_t before = __atomic_load_n(writing, __ATOMIC_SEQ_CST);
		_cleanup_(plan_freep) struct plan *plan = plan_new();
		int r = plan ? read_all(object, plan) : -ENOMEM;
		bool whole = !(before & 1) && __atomic_load_n(writing, __ATOMIC_SEQ_CST) == before;

		if (r == -ENOMEM)
			return err_set(err, r, "out of memory");
		if (!r && (whole || tried == READ_TRIES)) {
			*ret = take_ptr(plan);
			return 0;
		}
		if (whole || tried == READ_TRIES)
			return err_set(
				err, -EAGAIN,
				"the maps in %s contradict each other: a change is under way "
				"(try again), or another program has written to them",
				object->directory);
		nanosleep(&(struct timespec){ .tv_nsec = READ_WAIT_MS * 1000000l }, NULL);
	}
}
