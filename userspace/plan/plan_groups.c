// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/plan_groups.h"

#include <stdio.h>
#include <string.h>

#include "config/regions.h"

static uint32_t distance(const struct model *model, const struct plan_group *group)
{
	return regions_latency(model, model->node_region, group->region);
}

static bool is_own(const struct model *model, const struct plan_group *group)
{
	return !strcmp(group->region, model->node_region);
}

static bool is_nearer(const struct model *model, const struct plan_group *a,
		      const struct plan_group *b)
{
	if (is_own(model, a) != is_own(model, b))
		return is_own(model, a);
	return distance(model, a) < distance(model, b);
}

int plan_groups_fill(const struct model *model, const struct overrides *overrides,
		     const struct listener *from, struct plan_listener *to)
{
	to->groups.count = 0;
	vec_foreach(group, &from->groups) {
		struct plan_group fresh = {
			.traffic_percentage = overrides_percentage(overrides, from, group),
		};
		size_t place = to->groups.count;

		if (group->is_virtual)
			continue;
		memcpy(fresh.name, group->name, sizeof(fresh.name));
		memcpy(fresh.region, group->region, sizeof(fresh.region));
		if (vec_push(&to->groups, fresh))
			return -ENOMEM;
		for (; place && is_nearer(model, &fresh, &to->groups.items[place - 1]); place--)
			to->groups.items[place] = to->groups.items[place - 1];
		to->groups.items[place] = fresh;
	}
	return 0;
}

uint16_t plan_groups_place(const struct plan_listener *listener, const char *name)
{
	uint16_t place = 0;

	while (place < listener->groups.count && strcmp(listener->groups.items[place].name, name))
		place++;
	return place;
}

void plan_groups_begin(struct plan *plan)
{
	vec_foreach(region, &plan->regions)
		region->used = false;
}

int plan_groups_region(struct plan *plan, const char *name, struct err *err)
{
	struct plan_region fresh = { .used = true };
	uint32_t known = plan_region_number(plan, name), free = 0;

	if (known) {
		plan->regions.items[known].used = true;
		return 0;
	}
	snprintf(fresh.name, sizeof(fresh.name), "%s", name);
	for (size_t i = plan->regions.count; i-- > 1;)
		if (!plan->regions.items[i].name[0])
			free = i;
	if (free) {
		plan->regions.items[free] = fresh;
		return 0;
	}
	if (plan->regions.count == WEIR_MAX_REGIONS)
		return err_set(err, -ENOSPC, "no room for region %s: the data plane holds %u", name,
			       WEIR_MAX_REGIONS - 1);
	return vec_push(&plan->regions, fresh);
}

/* From here on the names of those that are left are free, but their numbers not yet. */
void plan_groups_end(struct plan *plan)
{
	vec_foreach(region, &plan->regions)
		if (!region->used)
			memset(region->name, 0, sizeof(region->name));
}
