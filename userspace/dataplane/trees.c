// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/trees.h"

#include <errno.h>
#include <string.h>

/* The lines that are taken while trees are placed. */
struct lines {
	bool *taken;
	uint32_t end; /* behind the last that has just been given */
};

/* The first free run of lines, or BOUNDS_NO_LINE. */
static uint32_t free_run(const bool *taken, uint32_t count)
{
	uint32_t run = 0;

	for (uint32_t line = 0; line < WEIR_MAX_BOUND_LINES; line++) {
		run = taken[line] ? 0 : run + 1;
		if (run == count)
			return line + 1 - count;
	}
	return BOUNDS_NO_LINE;
}

static void take(bool *taken, const struct bounds *tree)
{
	if (tree && tree->line != BOUNDS_NO_LINE)
		memset(taken + tree->line, true, tree->count);
}

static void take_all(bool *taken, const struct plan *plan)
{
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		take(taken, plan->clients[family]);
		vec_foreach(listener, &plan->listeners)
			take(taken, listener->ranges[family]);
	}
}

/* -ENOSPC: there is no room. */
static int place(struct lines *lines, struct bounds *tree)
{
	if (!tree || tree->line != BOUNDS_NO_LINE)
		return 0;
	tree->line = free_run(lines->taken, tree->count);
	if (tree->line == BOUNDS_NO_LINE)
		return -ENOSPC;
	take(lines->taken, tree);
	tree->fresh = true;
	if (tree->line + tree->count > lines->end)
		lines->end = tree->line + tree->count;
	return 0;
}

int trees_place(const struct plan *in_force, struct plan *next, uint32_t *ret_lines,
		struct err *err)
{
	_cleanup_(freep) bool *taken = calloc(WEIR_MAX_BOUND_LINES, sizeof(*taken));
	struct lines lines = { .taken = taken };

	if (!taken)
		return err_set(err, -ENOMEM, "out of memory");
	take_all(taken, in_force);
	take_all(taken, next);
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		if (place(&lines, next->clients[family]) < 0)
			return err_set(err, -ENOSPC,
				       "client_regions: no room for so many ranges of addresses; "
				       "name fewer or larger prefixes");
		vec_foreach(listener, &next->listeners)
			if (place(&lines, listener->ranges[family]) < 0)
				return err_set(err, -ENOSPC,
					       "listener %s: no room for the ranges of its acls; "
					       "name fewer or larger prefixes",
					       listener->name);
	}
	*ret_lines = lines.end;
	return 0;
}

bool trees_is_written(const struct object *object, const struct bounds *tree)
{
	return !memcmp(&object->bounds[tree->line], tree->lines,
		       tree->count * sizeof(*tree->lines)) &&
	       (!tree->regions || !memcmp(&object->bound_regions[tree->line], tree->regions,
					  tree->count * sizeof(*tree->regions)));
}

void trees_write_one(struct object *object, const struct bounds *tree)
{
	memcpy(&object->bounds[tree->line], tree->lines, tree->count * sizeof(*tree->lines));
	if (tree->regions)
		memcpy(&object->bound_regions[tree->line], tree->regions,
		       tree->count * sizeof(*tree->regions));
}

static void write_tree(struct object *object, struct bounds *tree)
{
	if (!tree || !tree->fresh)
		return;
	trees_write_one(object, tree);
	tree->fresh = false;
}

void trees_write(struct object *object, struct plan *next)
{
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		write_tree(object, next->clients[family]);
		vec_foreach(listener, &next->listeners)
			write_tree(object, listener->ranges[family]);
	}
}
