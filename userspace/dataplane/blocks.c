// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/blocks.h"

#include <errno.h>
#include <string.h>

/* The rows of one block. */
struct rows {
	struct weir_clients row[1 + WEIR_MAX_REGIONS];
};

/* What a listener's block shall say. Returns how many rows it has. */
static uint32_t fill(const struct plan_listener *listener, enum plan_family family,
		     const struct bounds *tree, struct rows *ret)
{
	const struct plan_clients *clients = &listener->clients[family];

	*ret = (struct rows){};
	ret->row[0].of.regions = (struct weir_ranges){ tree->line, tree->levels };
	for (uint32_t region = 0; region < clients->regions; region++) {
		const struct plan_table *table =
			plan_table_at(listener, family, clients->table_of[region]);
		struct weir_clients *row = &ret->row[1 + region];

		row->of.table.slot_line = table->slots ? table->line : WEIR_NO_TABLE;
		row->of.table.slot_mask = table->slots ? table->size - 1 : 0;
		if (listener->mode == WEIR_MODE_PROXY)
			row->of.table.slot_mask = clients->table_of[region];
	}
	return 1 + clients->regions;
}

static void take_blocks(bool *taken, const struct plan *plan)
{
	vec_foreach(listener, &plan->listeners) {
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			const struct plan_clients *clients = &listener->clients[family];

			if (clients->tables.count && clients->block != PLAN_NO_LINE)
				memset(taken + clients->block, true, 1 + clients->regions);
		}
	}
}

/* The first free run of rows from *from on, behind which the next search goes on. */
static uint32_t take_run(bool *taken, uint32_t *from, uint32_t count)
{
	uint32_t run = 0;

	for (uint32_t row = *from; row < WEIR_MAX_CLIENT_ROWS; row++) {
		run = taken[row] ? 0 : run + 1;
		if (run < count)
			continue;
		*from = row + 1;
		memset(taken + row + 1 - count, true, count);
		return row + 1 - count;
	}
	return PLAN_NO_LINE;
}

/* Does the block in force say this already? */
static bool says(const struct object *object, uint32_t block, const struct rows *rows,
		 uint32_t count)
{
	uint32_t held = object->capacity.of[CAPACITY_CLIENT_ROWS];

	return block < held && count <= held - block &&
	       !memcmp(&object->clients[block], rows->row, count * sizeof(rows->row[0]));
}

/* Where no listener has any, there is nothing to look for. */
static bool has_blocks(const struct plan *plan)
{
	vec_foreach(listener, &plan->listeners)
		for (int family = 0; family < PLAN_FAMILIES; family++)
			if (listener->clients[family].tables.count)
				return true;
	return false;
}

int blocks_place(const struct object *object, const struct plan *in_force, struct plan *next,
		 uint32_t *ret_rows, struct err *err)
{
	_cleanup_(freep) bool *taken = NULL;
	uint32_t from = 0, end = 0;
	struct rows rows;

	*ret_rows = 0;
	if (!has_blocks(next))
		return 0;
	taken = calloc(WEIR_MAX_CLIENT_ROWS, sizeof(*taken));
	if (!taken)
		return err_set(err, -ENOMEM, "out of memory");
	take_blocks(taken, in_force);
	vec_foreach(listener, &next->listeners) {
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			struct plan_clients *clients = &listener->clients[family];
			bool other = clients->regions != next->regions.count;
			uint32_t count;

			if (!clients->tables.count)
				continue;
			clients->regions = next->regions.count;
			count = fill(listener, family, next->clients[family], &rows);
			if (!other && says(object, clients->block, &rows, count))
				continue;
			clients->block = take_run(taken, &from, count);
			if (clients->block == PLAN_NO_LINE)
				return err_set(err, -ENOSPC,
					       "listener %s: no room for the regions of its "
					       "clients; use fewer listeners or regions",
					       listener->name);
			clients->fresh = true;
			if (clients->block + count > end)
				end = clients->block + count;
		}
	}
	*ret_rows = end;
	return 0;
}

bool blocks_is_written(const struct object *object, const struct plan_listener *listener,
		       enum plan_family family, const struct bounds *tree)
{
	struct rows rows;
	uint32_t count = fill(listener, family, tree, &rows);

	return says(object, listener->clients[family].block, &rows, count);
}

void blocks_write_one(struct object *object, const struct plan_listener *listener,
		      enum plan_family family, const struct bounds *tree)
{
	struct rows rows;
	uint32_t count = fill(listener, family, tree, &rows);

	memcpy(&object->clients[listener->clients[family].block], rows.row,
	       count * sizeof(rows.row[0]));
}

void blocks_write(struct object *object, struct plan *next)
{
	vec_foreach(listener, &next->listeners) {
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			if (listener->clients[family].fresh)
				blocks_write_one(object, listener, family, next->clients[family]);
			listener->clients[family].fresh = false;
		}
	}
}
