// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/tables.h"

#include <errno.h>
#include <string.h>

static uint32_t table_lines(uint32_t slots)
{
	return (slots + WEIR_SLOTS_PER_LINE - 1) / WEIR_SLOTS_PER_LINE;
}

/* What the tables of the plan in force have, and those that are being placed beside them. */
struct tables_lines {
	uint32_t
		from[32]; /* by the logarithm of their number: no free run of lines begins before */
	bool taken[WEIR_MAX_SLOT_LINES];
};

static bool has_lines(const struct plan_table *table)
{
	return table->slots && table->line != PLAN_NO_LINE;
}

static void take_lines(struct tables_lines *lines, const struct plan *plan)
{
	vec_foreach(listener, &plan->listeners)
		plan_foreach_table(table, listener) if (has_lines(table))
			memset(lines->taken + table->line, true, table_lines(table->size));
}

/* Runs of all lengths may begin there again, or before, where it is free as well. */
static void give_back(struct tables_lines *lines, const struct plan_table *table)
{
	memset(lines->taken + table->line, false, table_lines(table->size));
	for (uint32_t power = 0; power < 32; power++) {
		uint64_t count = 1ull << power;
		uint32_t from = table->line >= count ? table->line - count + 1 : 0;

		if (from < lines->from[power])
			lines->from[power] = from;
	}
}

/* Takes the first free run of lines; PLAN_NO_LINE: there is none. Lines are only taken, so that the
 * next search for as many goes on from there. */
static uint32_t take_run(struct tables_lines *lines, uint32_t count)
{
	uint32_t *from = &lines->from[count > 1 ? 32 - __builtin_clz(count - 1) : 0];
	uint32_t run = 0;

	for (uint32_t line = *from; line < WEIR_MAX_SLOT_LINES; line++) {
		run = lines->taken[line] ? 0 : run + 1;
		if (run < count)
			continue;
		*from = line + 1 - count;
		memset(lines->taken + *from, true, count);
		return *from;
	}
	return PLAN_NO_LINE;
}

void tables_write_slots(struct object *object, const struct plan_table *table)
{
	uint16_t *previous = object->slots_previous[table->line].endpoint;
	struct weir_slot *to = object->slots[table->line].slot;

	for (uint32_t i = 0; i < table->size; i++) {
		const struct slot *from = &table->slots[i];
		struct weir_slot slot = { .current = from->current, .phase = from->phase };

		if (from->phase == WEIR_MOVING)
			__atomic_store_n(&previous[i], from->previous, __ATOMIC_RELAXED);
		if (memcmp(&to[i], &slot, sizeof(slot)))
			__atomic_store(&to[i], &slot, __ATOMIC_RELEASE);
	}
}

void tables_forget(struct object *object)
{
	free(take_ptr(object->lines));
}

void tables_release(struct object *object, const struct plan *in_force, const struct plan *part)
{
	vec_foreach(listener, &part->listeners) {
		const struct plan_listener *before = plan_find_id(in_force, listener->id);

		plan_foreach_table(table, before) if (has_lines(table))
			give_back(object->lines, table);
	}
	take_lines(object->lines, part);
}

int tables_place(struct object *object, const struct plan *in_force, struct plan *next,
		 uint32_t *ret_lines, struct err *err)
{
	uint32_t end = 0;

	if (!object->lines) {
		object->lines = calloc(1, sizeof(*object->lines));
		if (!object->lines)
			return err_set(err, -ENOMEM, "out of memory");
		take_lines(object->lines, in_force);
	}
	take_lines(object->lines, next);
	vec_foreach(listener, &next->listeners) {
		plan_foreach_table(table, listener)
		{
			if (!table->slots || table->line != PLAN_NO_LINE)
				continue;
			table->line = take_run(object->lines, table_lines(table->size));
			if (table->line == PLAN_NO_LINE)
				return err_set(err, -ENOSPC,
					       "listener %s: no room for its table of %u slots; "
					       "use fewer listeners or less unequal weights",
					       listener->name, table->size);
			table->fresh = true;
			if (table->line + table_lines(table->size) > end)
				end = table->line + table_lines(table->size);
		}
	}
	*ret_lines = end;
	return 0;
}

void tables_write(struct object *object, struct plan *next)
{
	vec_foreach(listener, &next->listeners) {
		plan_foreach_table(table, listener)
		{
			if (table->fresh)
				tables_write_slots(object, table);
			table->fresh = false;
		}
	}
}

void tables_deadlines(const struct plan_listener *listener, uint32_t ret[PLAN_FAMILIES])
{
	memset(ret, 0, PLAN_FAMILIES * sizeof(*ret));
	plan_foreach_table(table, listener)
	{
		uint32_t *last = &ret[plan_table_family(listener, table)];

		if (table->deadline && (!*last || (int32_t)(table->deadline - *last) > 0))
			*last = table->deadline;
	}
}
