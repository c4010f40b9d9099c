// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/guards.h"

#include <errno.h>
#include <string.h>

/* The first free run of lines among `lines`, or PLAN_NO_LINE. */
static uint32_t free_lines(const bool *taken, uint32_t lines, uint32_t count)
{
	uint32_t run = 0;

	for (uint32_t line = 0; line < lines; line++) {
		run = taken[line] ? 0 : run + 1;
		if (run == count)
			return line + 1 - count;
	}
	return PLAN_NO_LINE;
}

static void take_bounds(bool *taken, const struct plan *plan)
{
	vec_foreach(listener, &plan->listeners) {
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			const struct bounds *ranges = listener->ranges[family];

			if (ranges && ranges->line != BOUNDS_NO_LINE)
				memset(taken + ranges->line, true, ranges->count);
		}
	}
}

int guards_place_ranges(const struct plan *in_force, struct plan *next, uint32_t *ret_lines,
			struct err *err)
{
	_cleanup_(freep) bool *taken = calloc(WEIR_MAX_BOUND_LINES, sizeof(*taken));
	uint32_t lines = 0;

	if (!taken)
		return err_set(err, -ENOMEM, "out of memory");
	take_bounds(taken, in_force);
	take_bounds(taken, next);
	vec_foreach(listener, &next->listeners) {
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			struct bounds *ranges = listener->ranges[family];

			if (!ranges || ranges->line != BOUNDS_NO_LINE)
				continue;
			ranges->line = free_lines(taken, WEIR_MAX_BOUND_LINES, ranges->count);
			if (ranges->line == BOUNDS_NO_LINE)
				return err_set(err, -ENOSPC,
					       "listener %s: no room for the ranges of its acls; "
					       "name fewer or larger prefixes",
					       listener->name);
			memset(taken + ranges->line, true, ranges->count);
			ranges->fresh = true;
			if (ranges->line + ranges->count > lines)
				lines = ranges->line + ranges->count;
		}
	}
	*ret_lines = lines;
	return 0;
}

static void write_bounds(struct object *object, struct plan *next)
{
	vec_foreach(listener, &next->listeners) {
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			struct bounds *ranges = listener->ranges[family];

			if (!ranges || !ranges->fresh)
				continue;
			memcpy(&object->bounds[ranges->line], ranges->lines,
			       ranges->count * sizeof(*ranges->lines));
			ranges->fresh = false;
		}
	}
}

struct weir_guard guards_row(const struct plan_listener *listener)
{
	const struct rate *limit = &listener->new_flows_per_source;
	struct weir_guard guard = {
		.access = listener->access,
		.limit_count = limit->count,
		.limit_seconds = limit->seconds,
		.limit_burst = limit->burst,
	};

	for (int family = 0; family < PLAN_FAMILIES; family++) {
		const struct bounds *ranges = listener->ranges[family];

		if (ranges)
			guard.ranges[family] = (struct weir_ranges){ ranges->line, ranges->levels };
	}
	if (limit->count)
		guard.limit_interval = limit->seconds * 1000000u / limit->count;
	return guard;
}

void guards_place(const struct object *object, struct plan *next)
{
	vec_foreach(listener, &next->listeners) {
		struct weir_guard guard = guards_row(listener);

		if (listener->access == WEIR_ACCESS_ALL && !guard.limit_count)
			listener->guard = 0;
		else if (!listener->guard)
			listener->guard = 2 * listener->id;
		else if (memcmp(&object->guards[listener->guard], &guard, sizeof(guard)))
			listener->guard ^= 1;
	}
}

static void write_rows(struct object *object, const struct plan *next)
{
	vec_foreach(listener, &next->listeners) {
		struct weir_guard guard = guards_row(listener);
		struct weir_guard *row = &object->guards[listener->guard];

		if (listener->guard && memcmp(row, &guard, sizeof(guard)))
			*row = guard;
	}
}

void guards_write(struct object *object, struct plan *next)
{
	write_bounds(object, next);
	write_rows(object, next);
}
