// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/cells.h"

#include <errno.h>
#include <string.h>

#include <weir/hash.h>

#define CELLS_MIN    64 /* a table this small needs no thought */
#define SEEDS_TO_TRY 64

/* A quarter full, nearly every key is found at its first probe; half full is good enough where more
 * would need larger maps. */
#define CELLS_PER_KEY	  4
#define CELLS_PER_KEY_MIN 2

/* Ports of a listener on one of its addresses. */
struct range {
	const struct plan_listener *listener;
	const struct addr *address;
	const struct port_range *ports;
};

struct ranges {
	VEC(struct range) list; /* by address, protocol and port */
};

struct layout {
	struct weir_listener *cells;
	uint32_t mask;
	uint32_t seed;
};

/* The cell of a key, made where there is none; NULL where the seed is a bad one. */
static struct weir_listener *put(struct layout *layout, const uint8_t addr[16], uint16_t port,
				 uint8_t protocol, enum weir_cell_kind kind)
{
	uint32_t hash = weir_hash_listener(addr, port, protocol, layout->seed);

	for (uint32_t i = 0; i < WEIR_MAX_PROBES; i++) {
		struct weir_listener *cell = &layout->cells[(hash + i) & layout->mask];

		if (cell->kind == WEIR_CELL_FREE) {
			memcpy(cell->addr, addr, sizeof(cell->addr));
			cell->port = port;
			cell->protocol = protocol;
			cell->kind = kind;
			return cell;
		}
		if (cell->port == port && cell->protocol == protocol &&
		    !memcmp(cell->addr, addr, sizeof(cell->addr)))
			return cell;
	}
	return NULL;
}

/* What a packet to the listener needs, into its own cell or into its address's. */
static void fill_listener(struct weir_listener *cell, const struct plan_listener *listener,
			  const struct addr *address)
{
	enum plan_family family = plan_family_of(address);
	const struct plan_clients *clients = &listener->clients[family];
	const struct plan_table *table = &listener->table[family];

	cell->id = listener->id;
	cell->mode = listener->mode;
	cell->idle_timeout = listener->idle_timeout;
	cell->endpoint_base = listener->block;
	cell->guard = listener->guard;
	if (listener->client_affinity)
		cell->flags |= WEIR_CELL_CLIENT_AFFINITY;
	if (plan_has_nat(listener))
		cell->flags |= WEIR_CELL_NAT;
	if (clients->tables.count) {
		cell->flags |= WEIR_CELL_CLIENT_REGIONS;
		cell->slot_line = clients->block;
		cell->slot_mask = clients->regions - 1;
	} else if (table->slots) {
		cell->slot_line = table->line;
		cell->slot_mask = table->size - 1;
	} else {
		cell->slot_line = cell->slot_mask = 0;
		cell->flags |= WEIR_CELL_NO_ENDPOINT;
	}
}

static bool put_listener(struct layout *layout, const struct plan_listener *listener,
			 const struct addr *address, uint16_t port)
{
	struct weir_listener *cell =
		put(layout, address->bytes, port, listener->protocol, WEIR_CELL_LISTENER);

	if (!cell)
		return false;
	fill_listener(cell, listener, address);
	return true;
}

static bool put_address(struct layout *layout, const struct plan_listener *listener,
			const struct addr *address)
{
	struct weir_listener *cell = put(layout, address->bytes, 0, 0, WEIR_CELL_ADDRESS);

	if (!cell)
		return false;
	if (!cell->first_port) {
		cell->first_port = listener->ports.items[0].first;
		cell->last_port = listener->ports.items[0].last;
		cell->first_protocol = listener->protocol;
		fill_listener(cell, listener, address);
	}
	cell->flags |= WEIR_CELL_HAS_LISTENERS;
	vec_foreach(range, &listener->ports)
		if (range->first == range->last &&
		    !put_listener(layout, listener, address, range->first))
			return false;
	return true;
}

/* Over all ranges of all rows of the address: whether a port is a flow's, its record tells. */
static void widen(struct weir_listener *cell, const struct weir_snat *snat)
{
	for (uint32_t i = 0; i < snat->ranges; i++) {
		if (!cell->snat_last || snat->range[i].first < cell->snat_first)
			cell->snat_first = snat->range[i].first;
		if (snat->range[i].last > cell->snat_last)
			cell->snat_last = snat->range[i].last;
	}
}

static bool put_all(struct layout *layout, const struct plan *plan)
{
	vec_foreach(listener, &plan->listeners)
		vec_foreach(address, &listener->addresses)
			if (!put_address(layout, listener, address))
				return false;
	for (size_t i = 1; i < plan->snat.count; i++) {
		const struct weir_snat *snat = &plan->snat.items[i].row;
		struct weir_listener *cell;

		if (!snat->ports)
			continue;
		cell = put(layout, snat->addr, 0, 0, WEIR_CELL_ADDRESS);
		if (!cell)
			return false;
		widen(cell, snat);
	}
	return true;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left, *b = right;
	int order = addr_compare(a->address, b->address);

	if (order)
		return order;
	if (a->listener->protocol != b->listener->protocol)
		return a->listener->protocol - b->listener->protocol;
	return a->ports->first - b->ports->first;
}

static int list_ranges(const struct plan *plan, struct ranges *ret)
{
	int r = 0;

	vec_foreach(listener, &plan->listeners)
		vec_foreach(address, &listener->addresses)
			vec_foreach(ports, &listener->ports)
				if (!r && ports->first != ports->last)
					r = vec_push(&ret->list,
						     ((struct range){ listener, address, ports }));
	if (!r && ret->list.count)
		qsort(ret->list.items, ret->list.count, sizeof(*ret->list.items), compare_ranges);
	return r;
}

/* Behind the hash table; each address's cell names its own. */
static void put_ranges(struct layout *layout, const struct ranges *ranges)
{
	struct weir_listener *address = NULL, *cell = layout->cells + layout->mask + 1;

	vec_foreach(range, &ranges->list) {
		if (!address ||
		    memcmp(address->addr, range->address->bytes, sizeof(address->addr))) {
			address = put(layout, range->address->bytes, 0, 0, WEIR_CELL_ADDRESS);
			address->flags |= WEIR_CELL_HAS_RANGES;
			address->range_first = cell - layout->cells;
		}
		address->range_count++;
		memcpy(cell->addr, range->address->bytes, sizeof(cell->addr));
		cell->kind = WEIR_CELL_RANGE;
		cell->protocol = range->listener->protocol;
		cell->port = range->ports->first;
		cell->last_port = range->ports->last;
		fill_listener(cell, range->listener, range->address);
		cell++;
	}
}

/* The cell again, if it is this listener's, or its address's with this listener in it. */
static int rewrite(struct layout *layout, struct weir_listener *cell,
		   const struct plan_listener *listener, const struct addr *address,
		   struct cells_places *ret)
{
	if (!cell || cell->id != listener->id)
		return 0;
	cell->flags &= WEIR_CELL_HAS_LISTENERS | WEIR_CELL_HAS_RANGES;
	fill_listener(cell, listener, address);
	return vec_push(&ret->list, cell - layout->cells);
}

static int rewrite_address(struct layout *layout, const struct plan_listener *listener,
			   const struct addr *address, struct cells_places *ret)
{
	struct weir_listener *own = put(layout, address->bytes, 0, 0, WEIR_CELL_ADDRESS);
	int r = rewrite(layout, own, listener, address, ret);

	vec_foreach(range, &listener->ports)
		if (!r && range->first == range->last)
			r = rewrite(layout,
				    put(layout, address->bytes, range->first, listener->protocol,
					WEIR_CELL_LISTENER),
				    listener, address, ret);
	for (uint32_t i = 0; !r && own && i < own->range_count; i++)
		r = rewrite(layout, layout->cells + own->range_first + i, listener, address, ret);
	return r;
}

int cells_rewrite(struct weir_listener *cells, const struct weir_half *half,
		  const struct plan_listener *listener, struct cells_places *ret)
{
	struct layout layout = { .cells = cells, .mask = half->mask, .seed = half->seed };
	int r = 0;

	vec_foreach(address, &listener->addresses)
		r = r ?: rewrite_address(&layout, listener, address, ret);
	return r;
}

uint32_t cells_count(const struct weir_half *half)
{
	return half->mask + 1 + half->ranges;
}

static uint64_t count_keys(const struct plan *plan)
{
	uint64_t keys = plan->snat.count;

	vec_foreach(listener, &plan->listeners) {
		uint64_t ports = 0;

		vec_foreach(range, &listener->ports)
			ports += range->first == range->last;
		keys += listener->addresses.count * (ports + 1);
	}
	return keys;
}

uint64_t cells_wanted(uint64_t keys)
{
	return keys * CELLS_PER_KEY;
}

static uint64_t first_size(uint64_t keys, uint32_t room)
{
	uint64_t size = CELLS_MIN;

	while (size < cells_wanted(keys) && size < WEIR_MAX_CELLS)
		size *= 2;
	while (size > room && size / 2 >= keys * CELLS_PER_KEY_MIN)
		size /= 2;
	return size;
}

/* In a table of this size, by the first seed under which every key has its place. */
static int build(const struct plan *plan, const struct ranges *ranges, uint64_t size,
		 struct weir_half *half, struct weir_listener **ret)
{
	size_t bytes = (size + ranges->list.count) * sizeof(**ret);
	_cleanup_(freep) struct weir_listener *cells = malloc(bytes);

	if (!cells)
		return -ENOMEM;
	for (uint32_t seed = 0; seed < SEEDS_TO_TRY; seed++) {
		struct layout layout = { .cells = cells, .mask = size - 1, .seed = seed };

		memset(cells, 0, bytes);
		if (!put_all(&layout, plan))
			continue;
		put_ranges(&layout, ranges);
		half->mask = layout.mask;
		half->seed = layout.seed;
		half->ranges = ranges->list.count;
		*ret = take_ptr(cells);
		return 0;
	}
	return -ENOSPC;
}

int cells_build(const struct plan *plan, uint32_t room, struct weir_half *half,
		struct weir_listener **ret, struct err *err)
{
	uint64_t keys = count_keys(plan);
	struct ranges ranges = {};
	int r = list_ranges(plan, &ranges);

	if (!r)
		r = ranges.list.count > WEIR_MAX_CELLS ? -ENOSPC : 1;
	room -= ranges.list.count < room ? ranges.list.count : room;
	for (uint64_t size = first_size(keys, room); r > 0 && size <= WEIR_MAX_CELLS && keys < size;
	     size *= 2) {
		int built = build(plan, &ranges, size, half, ret);

		r = built == -ENOSPC ? r : built;
	}
	vec_free(&ranges.list);
	if (r == -ENOMEM)
		return err_set(err, r, "out of memory");
	if (r)
		return err_set(err, -ENOSPC,
			       "too many addresses x ports: %llu keys, and the listener table has "
			       "%u cells; name fewer ports",
			       (unsigned long long)keys, WEIR_MAX_CELLS);
	return 0;
}

/* The cell of the same key, or NULL. */
static const struct weir_listener *find(const struct layout *layout,
					const struct weir_listener *key)
{
	uint32_t hash = weir_hash_listener(key->addr, key->port, key->protocol, layout->seed);

	for (uint32_t i = 0; i < WEIR_MAX_PROBES; i++) {
		const struct weir_listener *cell = &layout->cells[(hash + i) & layout->mask];

		if (cell->kind == WEIR_CELL_FREE)
			return NULL;
		if (cell->port == key->port && cell->protocol == key->protocol &&
		    !memcmp(cell->addr, key->addr, sizeof(cell->addr)))
			return cell;
	}
	return NULL;
}

/* Ports of SNAT may be wider than they need to be. */
static bool is_same_cell(const struct weir_listener *is, const struct weir_listener *should)
{
	struct weir_listener as = *should;

	if (is->snat_last && (!should->snat_last || (is->snat_first <= should->snat_first &&
						     is->snat_last >= should->snat_last))) {
		as.snat_first = is->snat_first;
		as.snat_last = is->snat_last;
	}
	return !memcmp(is, &as, sizeof(as));
}

static const char *name_of(const struct plan *plan, const struct weir_listener *cell)
{
	const struct plan_listener *listener = cell->id ? plan_find_id(plan, cell->id) : NULL;

	return listener ? listener->name : "nobody's";
}

static void compare_cells(const struct plan *plan, const struct layout *is,
			  const struct layout *should, uint32_t first,
			  void each(void *user, uint32_t place, const char *listener), void *user)
{
	for (uint32_t i = 0; i <= is->mask; i++) {
		const struct weir_listener *wanted = &should->cells[i], *cell = &is->cells[i];
		const struct weir_listener *found;

		if (wanted->kind != WEIR_CELL_FREE) {
			found = find(is, wanted);
			if (!found || !is_same_cell(found, wanted))
				each(user, first + (found ? found - is->cells : i),
				     name_of(plan, wanted));
		}
		if (cell->kind == WEIR_CELL_FREE ||
		    (cell->kind == WEIR_CELL_ADDRESS && !(cell->flags & WEIR_CELL_HAS_LISTENERS)))
			continue;
		if (!find(should, cell))
			each(user, first + i, name_of(plan, cell));
	}
}

int cells_compare(const struct plan *plan, const struct weir_listener *cells,
		  const struct weir_half *half, uint32_t first,
		  void each(void *user, uint32_t place, const char *listener), void *user)
{
	struct ranges ranges = {};
	int r = list_ranges(plan, &ranges);
	size_t count = half->mask + 1ul + ranges.list.count;
	_cleanup_(freep) struct weir_listener *wanted = calloc(count, sizeof(*wanted));
	struct layout should = { .cells = wanted, .mask = half->mask, .seed = half->seed };
	struct layout is = { .cells = (struct weir_listener *)cells,
			     .mask = half->mask,
			     .seed = half->seed };

	if (!r && wanted && !put_all(&should, plan)) {
		each(user, first, "no room for the listeners in it");
	} else if (!r && wanted) {
		put_ranges(&should, &ranges);
		compare_cells(plan, &is, &should, first, each, user);
		if (half->ranges != ranges.list.count)
			each(user, first + half->mask + 1, "ranges of ports");
		for (uint32_t i = half->mask + 1; half->ranges == ranges.list.count && i < count;
		     i++)
			if (!is_same_cell(&cells[i], &wanted[i]))
				each(user, first + i, name_of(plan, &wanted[i]));
	}
	vec_free(&ranges.list);
	return r < 0 || !wanted ? -ENOMEM : 0;
}
