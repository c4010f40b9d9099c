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

struct layout {
	struct weir_listener *cells;
	uint32_t mask;
	uint32_t seed;
	uint32_t used;
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
			layout->used++;
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
	const struct plan_table *table = &listener->table[plan_family_of(address)];

	cell->id = listener->id;
	cell->mode = listener->mode;
	cell->idle_timeout = listener->idle_timeout;
	cell->endpoint_base = listener->block;
	cell->guard = listener->guard;
	if (listener->client_affinity)
		cell->flags |= WEIR_CELL_CLIENT_AFFINITY;
	if (plan_has_nat(listener))
		cell->flags |= WEIR_CELL_NAT;
	if (table->slots) {
		cell->slot_line = table->line;
		cell->slot_mask = table->size - 1;
	} else {
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
		cell->first_protocol = listener->protocol;
		fill_listener(cell, listener, address);
	}
	cell->flags |= WEIR_CELL_HAS_LISTENERS;
	vec_foreach(range, &listener->ports)
		for (uint32_t port = range->first; port <= range->last; port++)
			if (!put_listener(layout, listener, address, port))
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

/* The cell again, if it is this listener's, or its address's with this listener in it. */
static int rewrite(struct layout *layout, struct weir_listener *cell,
		   const struct plan_listener *listener, const struct addr *address,
		   struct cells_places *ret)
{
	if (!cell || cell->id != listener->id)
		return 0;
	cell->flags &= WEIR_CELL_HAS_LISTENERS;
	fill_listener(cell, listener, address);
	return vec_push(&ret->list, cell - layout->cells);
}

int cells_rewrite(struct weir_listener *cells, const struct weir_half *half,
		  const struct plan_listener *listener, struct cells_places *ret)
{
	struct layout layout = { .cells = cells, .mask = half->mask, .seed = half->seed };
	int r = 0;

	vec_foreach(address, &listener->addresses) {
		struct weir_listener *cell = put(&layout, address->bytes, 0, 0, WEIR_CELL_ADDRESS);

		r = r ?: rewrite(&layout, cell, listener, address, ret);
		vec_foreach(range, &listener->ports) {
			for (uint32_t port = range->first; port <= range->last; port++) {
				cell = put(&layout, address->bytes, port, listener->protocol,
					   WEIR_CELL_LISTENER);
				r = r ?: rewrite(&layout, cell, listener, address, ret);
			}
		}
	}
	return r;
}

static uint64_t count_keys(const struct plan *plan)
{
	uint64_t keys = plan->snat.count;

	vec_foreach(listener, &plan->listeners) {
		uint64_t ports = 0;

		vec_foreach(range, &listener->ports)
			ports += range->last - range->first + 1;
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

int cells_build(const struct plan *plan, uint32_t room, struct weir_half *half,
		struct weir_listener **ret, struct err *err)
{
	uint64_t keys = count_keys(plan);

	for (uint64_t size = first_size(keys, room); size <= WEIR_MAX_CELLS && keys < size;
	     size *= 2) {
		_cleanup_(freep) struct weir_listener *cells = malloc(size * sizeof(*cells));

		if (!cells)
			return err_set(err, -ENOMEM, "out of memory");
		for (uint32_t seed = 0; seed < SEEDS_TO_TRY; seed++) {
			struct layout layout = { .cells = cells, .mask = size - 1, .seed = seed };

			memset(cells, 0, size * sizeof(*cells));
			if (!put_all(&layout, plan))
				continue;
			half->mask = layout.mask;
			half->seed = layout.seed;
			half->cells_used = layout.used;
			*ret = take_ptr(cells);
			return 0;
		}
	}
	return err_set(
		err, -ENOSPC,
		"too many addresses x ports: %llu keys, and the listener table has %u cells; "
		"name fewer ports",
		(unsigned long long)keys, WEIR_MAX_CELLS);
}
