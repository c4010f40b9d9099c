// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/capacity.h"

#include <string.h>

#include <weir/abi.h>
#include <weir/nat.h>

#include "dataplane/cells.h"
#include "plan/bounds.h"
#include "plan/maglev.h"

/*
 * Between the least that is worth its while and what the plan's indices can name. `spare` is how
 * much is added to what is needed, in quarters of it: slots need room for all tables of the next
 * configuration beside those in force; rows come in blocks that are roomy themselves, and so do
 * cells, and counters for each CPU are what most of the time goes to when maps grow. Flow tables
 * are as large as they are configured.
 */
static const struct {
	uint32_t least;
	uint32_t most;
	uint32_t spare;
} bounds[CAPACITIES] = {
	[CAPACITY_LISTENERS] = { 64, WEIR_MAX_LISTENERS, 2 },
	[CAPACITY_CELLS] = { 256, 2 * WEIR_MAX_CELLS, 0 },
	[CAPACITY_ROWS] = { 256, WEIR_MAX_ENDPOINTS, 1 },
	[CAPACITY_LINES] = { 1024, WEIR_MAX_SLOT_LINES, 4 },
	[CAPACITY_BOUND_LINES] = { 64, WEIR_MAX_BOUND_LINES, 4 },
	[CAPACITY_CLIENT_ROWS] = { 64, WEIR_MAX_CLIENT_ROWS, 4 },
	[CAPACITY_EXCEPTIONS] = { 1, WEIR_MAX_EXCEPTIONS, 0 },
	[CAPACITY_NAT_FLOWS] = { WEIR_NAT_FLOWS_PER_BUCKET, WEIR_MAX_NAT_FLOWS, 0 },
	[CAPACITY_SOURCES] = { 1, WEIR_SOURCE_LINES, 0 },
};

/* clang-format off */
static const struct {
	const char *name;
	enum capacity_of of;
	uint32_t entries; /* for each ... */
	uint32_t per;	  /* ... so many of it */
} maps[] = {
	{ "listeners", CAPACITY_CELLS, 2, 1 },
	{ "slots", CAPACITY_LINES, 1, 1 },
	{ "slots_previous", CAPACITY_LINES, 1, 1 },
	{ "bounds", CAPACITY_BOUND_LINES, 1, 1 },
	{ "bound_regions", CAPACITY_BOUND_LINES, 1, 1 },
	{ "clients", CAPACITY_CLIENT_ROWS, 1, 1 },
	{ "endpoints", CAPACITY_ROWS, 1, 1 },
	{ "endpoint_info", CAPACITY_ROWS, 1, 1 },
	{ "endpoint_stats", CAPACITY_ROWS, 1, 1 },
	{ "endpoint_http", CAPACITY_ROWS, 1, 1 },
	{ "nat_latency", CAPACITY_ROWS, 1, 1 },
	{ "guards", CAPACITY_LISTENERS, 2, 1 },
	{ "sources", CAPACITY_SOURCES, 1, 1 },
	{ "cookies_sent", CAPACITY_LISTENERS, 1, 1 },
	{ "listener_info", CAPACITY_LISTENERS, 1, 1 },
	{ "listener_stats", CAPACITY_LISTENERS, 1, 1 },
	{ "listener_http", CAPACITY_LISTENERS, 1, 1 },
	{ "exceptions", CAPACITY_EXCEPTIONS, 1, 1 },
	{ "nat_records", CAPACITY_NAT_FLOWS, WEIR_NAT_WAYS, WEIR_NAT_FLOWS_PER_BUCKET },
	{ "nat_tags", CAPACITY_NAT_FLOWS, 1, WEIR_NAT_FLOWS_PER_BUCKET },
	{ "nat_replies", CAPACITY_NAT_FLOWS, 1, WEIR_NAT_FLOWS_PER_BUCKET },
};
/* clang-format on */

/* Room for `need` and what comes after it. */
static uint32_t roomy(enum capacity_of of, uint64_t need)
{
	uint64_t room = need + need * bounds[of].spare / 4;

	if (room < bounds[of].least)
		return bounds[of].least;
	return room < bounds[of].most ? room : bounds[of].most;
}

/* Of a table for all endpoints of the listener, whichever family they serve. */
static uint64_t count_lines(const struct listener *listener)
{
	uint32_t smallest = 0;
	size_t count = 0;
	uint64_t sum = 0;

	vec_foreach(group, &listener->groups) {
		vec_foreach(endpoint, &group->endpoints) {
			uint32_t weight = endpoint->weight;

			count++;
			sum += weight;
			if (weight && (!smallest || weight < smallest))
				smallest = weight;
		}
	}
	return (maglev_slots(count, sum, smallest) + WEIR_SLOTS_PER_LINE - 1) / WEIR_SLOTS_PER_LINE;
}

/* The block that plan_places.c gives to so many endpoints. */
static uint64_t count_rows(const struct listener *listener)
{
	uint64_t endpoints = 0, rows = 4;

	vec_foreach(group, &listener->groups)
		endpoints += group->endpoints.count;
	while (rows < endpoints * 2)
		rows *= 2;
	return rows;
}

/* All are of one IP version. */
static uint64_t count_bounds(const struct addr_prefixes *prefixes)
{
	bool ip6 = prefixes->count && addr_family(&prefixes->items[0].addr) == AF_INET6;

	return bounds_most(prefixes->count, ip6);
}

struct capacity capacity_for(const struct model *model)
{
	uint64_t need[CAPACITIES] = { [CAPACITY_LISTENERS] = model->listeners.count + 1 };
	uint64_t keys = 0, ranges = 0, hashed = 1;
	struct capacity capacity;

	vec_foreach(listener, &model->listeners) {
		vec_foreach(range, &listener->ports) {
			if (range->first == range->last)
				keys += listener->addresses.count;
			else
				ranges += listener->addresses.count;
		}
		keys += listener->addresses.count;
		need[CAPACITY_ROWS] += count_rows(listener);
		if (!listener->http)
			need[CAPACITY_LINES] += count_lines(listener);
		if (model_has_nat(listener))
			need[CAPACITY_NAT_FLOWS] = model->nat_flows;
		if (model_has_stateless(listener))
			need[CAPACITY_EXCEPTIONS] = model->recorded_flows;
	}
	while (hashed < cells_wanted(keys) && hashed < WEIR_MAX_CELLS)
		hashed *= 2;
	need[CAPACITY_CELLS] = hashed + 2 * ranges;
	vec_foreach(listener, &model->listeners)
		if (listener->new_flows_per_source.count)
			need[CAPACITY_SOURCES] = WEIR_SOURCE_LINES;
	vec_foreach(acl, &model->acls)
		need[CAPACITY_BOUND_LINES] += count_bounds(&acl->prefixes);
	for (int of = 0; of < CAPACITIES; of++)
		capacity.of[of] = roomy(of, need[of]);
	return capacity;
}

bool capacity_exceeds(const struct capacity *need, const struct capacity *held)
{
	for (int of = 0; of < CAPACITIES; of++)
		if (need->of[of] > held->of[of])
			return true;
	return false;
}

struct capacity capacity_grown(const struct capacity *held, const struct capacity *need)
{
	struct capacity grown = *held;

	for (int of = 0; of < CAPACITIES; of++)
		if (need->of[of] > held->of[of])
			grown.of[of] = roomy(of, need->of[of]);
	if (grown.of[CAPACITY_CELLS] > held->of[CAPACITY_CELLS] &&
	    grown.of[CAPACITY_CELLS] < 2 * held->of[CAPACITY_CELLS])
		grown.of[CAPACITY_CELLS] = 2 * held->of[CAPACITY_CELLS];
	return grown;
}

bool capacity_has_stateless(uint32_t exceptions)
{
	return exceptions > bounds[CAPACITY_EXCEPTIONS].least;
}

/* As many buckets as hold what is asked for. */
static uint32_t entries_for(size_t map, uint32_t of)
{
	return (of + maps[map].per - 1) / maps[map].per * maps[map].entries;
}

uint32_t capacity_entries(const struct capacity *capacity, const char *map)
{
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (!strcmp(maps[i].name, map))
			return entries_for(i, capacity->of[maps[i].of]);
	return 0;
}

bool capacity_learn(struct capacity *capacity, const char *map, uint32_t entries)
{
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		uint32_t *known = &capacity->of[maps[i].of];

		if (strcmp(maps[i].name, map))
			continue;
		if (!*known)
			*known = entries / maps[i].entries * maps[i].per;
		return entries_for(i, *known) == entries;
	}
	return true;
}
