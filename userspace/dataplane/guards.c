// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/guards.h"

#include <string.h>

struct weir_guard guards_row(const struct plan_listener *listener)
{
	const struct rate *limit = &listener->new_flows_per_source;
	struct weir_guard guard = {
		.access = listener->access,
		.limit_count = limit->count,
		.limit_seconds = limit->seconds,
		.limit_burst = limit->burst,
		.cookies = listener->cookies.kind,
		.cookie_wscale = listener->cookies.wscale,
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

		if (listener->access == WEIR_ACCESS_ALL && !guard.limit_count && !guard.cookies)
			listener->guard = 0;
		else if (!listener->guard)
			listener->guard = 2 * listener->id;
		else if (memcmp(&object->guards[listener->guard], &guard, sizeof(guard)))
			listener->guard ^= 1;
	}
}

void guards_write(struct object *object, const struct plan *next)
{
	vec_foreach(listener, &next->listeners) {
		struct weir_guard guard = guards_row(listener);
		struct weir_guard *row = &object->guards[listener->guard];

		if (listener->guard && memcmp(row, &guard, sizeof(guard)))
			*row = guard;
	}
}
