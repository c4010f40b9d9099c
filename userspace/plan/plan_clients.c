// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/plan_clients.h"

#include <errno.h>
#include <string.h>

#include "config/regions.h"
#include "plan/locations.h"
#include "plan/plan_groups.h"

/* ---- trees ---- */

static void forget_trees(struct plan *plan)
{
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		bounds_unref(plan->clients[family]);
		plan->clients[family] = NULL;
	}
}

/* Those that the file has a word about: a group is there, or it says how far it is. The others are
 * as far from everything as if nothing was known of their clients. */
static int mark_known(const struct model *model, const struct locations *locations, bool *known)
{
	_cleanup_(clients_fini) struct clients names = {};
	uint32_t place;
	int r = 0;

	vec_foreach(region, &locations->regions)
		r = r ?: clients_region(&names, region->name, &place);
	if (r < 0)
		return r;
	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			if (!group->is_virtual && clients_find(&names, group->region, &place))
				known[place] = true;
	vec_foreach(region, &model->regions)
		if (clients_find(&names, region->name, &place))
			known[place] = true;
	return 0;
}

/* By place in locations->regions. */
static int number_regions(struct plan *plan, const struct model *model,
			  const struct locations *locations, uint8_t **ret, struct err *err)
{
	size_t count = locations->regions.count;
	_cleanup_(freep) uint8_t *numbers = calloc(count + 1, sizeof(*numbers));
	_cleanup_(freep) bool *known = calloc(count + 1, sizeof(*known));
	int r = numbers && known ? mark_known(model, locations, known) : -ENOMEM;

	for (size_t i = 0; !r && i < count; i++) {
		const char *name = locations->regions.items[i].name;

		if (!known[i])
			continue;
		r = plan_groups_region(plan, name, err);
		numbers[i] = plan_region_number(plan, name);
	}
	if (r < 0)
		return r;
	*ret = take_ptr(numbers);
	return 0;
}

/* Ranges of regions that have the same number become one. *ret stays NULL where nothing is known of
 * the family. */
static int build_tree(const struct locations *locations, enum plan_family family,
		      const uint8_t *numbers, struct bounds **ret)
{
	size_t ranges = locations->ranges[family].count, count = 0;
	_cleanup_(freep) struct addr *bounds = calloc(ranges, sizeof(*bounds));
	_cleanup_(freep) uint8_t *regions = calloc(ranges, sizeof(*regions));

	if (!bounds || !regions)
		return -ENOMEM;
	vec_foreach(range, &locations->ranges[family]) {
		uint8_t number = 0;

		if (range->region != LOCATIONS_NOWHERE)
			number = numbers[range->region];
		if (count && regions[count - 1] == number)
			continue;
		bounds[count] = range->first;
		regions[count++] = number;
	}
	if (count == 1 && !regions[0])
		return 0;
	return bounds_build_regions(bounds, regions, count, family == PLAN_IP6, ret);
}

/* A tree that says the same as the one in force is that one. */
static int renew_trees(struct plan *plan, const struct model *model,
		       const struct locations *locations, struct err *err)
{
	_cleanup_(freep) uint8_t *numbers = NULL;
	int r = number_regions(plan, model, locations, &numbers, err);

	for (int family = 0; !r && family < PLAN_FAMILIES; family++) {
		struct bounds *before = plan->clients[family], *now = NULL;

		r = build_tree(locations, family, numbers, &now);
		if (r == -E2BIG)
			return err_set(err, r,
				       "client_regions: too many separate ranges of %s addresses; "
				       "name fewer prefixes, or fewer regions",
				       family == PLAN_IP6 ? "IPv6" : "IPv4");
		if (r < 0)
			return r;
		if (before && now && bounds_equal(before, now)) {
			bounds_unref(now);
			continue;
		}
		bounds_unref(before);
		plan->clients[family] = now;
	}
	return r;
}

static void mark_present(const struct bounds *tree, bool present[WEIR_MAX_REGIONS])
{
	for (uint32_t line = 0; tree && line < tree->count; line++)
		for (uint32_t i = 0; i < WEIR_BOUNDS_IP4; i++)
			present[tree->regions[line].region[i]] = true;
	present[0] = false;
}

int plan_clients_begin(struct plan *plan, const struct model *model, const struct facts *facts,
		       struct plan_clients_regions *ret, struct err *err)
{
	bool wanted = model->clients_file || model->clients_maxmind;
	int r = 0;

	*ret = (struct plan_clients_regions){ .model = model, .plan = plan };
	if (!wanted)
		forget_trees(plan);
	else if (facts->locations)
		r = renew_trees(plan, model, facts->locations, err);
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		mark_present(plan->clients[family], ret->present[family]);
		for (size_t i = 1; i < plan->regions.count; i++)
			plan->regions.items[i].used |= ret->present[family][i];
	}
	return r;
}

void plan_clients_end(struct plan *plan)
{
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		bool asked = false;

		vec_foreach(listener, &plan->listeners)
			asked |= listener->clients[family].tables.count;
		if (asked)
			continue;
		bounds_unref(plan->clients[family]);
		plan->clients[family] = NULL;
	}
}

/* ---- orders ---- */

/* What nobody has said is as far as from the node. */
static uint32_t distance(const struct model *model, const char *from, const char *to)
{
	uint32_t said = regions_latency(model, from, to);

	return said != MODEL_UNKNOWN_LATENCY ? said
					     : regions_latency(model, model->node_region, to);
}

struct near {
	uint32_t distance;
	bool own;
};

static bool is_nearer(const struct near *a, const struct near *b)
{
	return a->own != b->own ? a->own : a->distance < b->distance;
}

/* *ret is NULL where they are near as they stand, which is as they are to the node. */
static int order_for(const struct model *model, const struct plan_listener *listener,
		     const char *region, uint16_t **ret)
{
	size_t count = listener->groups.count;
	_cleanup_(freep) struct near *near = calloc(count + 1, sizeof(*near));
	_cleanup_(freep) uint16_t *order = calloc(count + 1, sizeof(*order));
	bool differs = false;

	if (!near || !order)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *there = listener->groups.items[i].region;
		size_t place = i;

		near[i] = (struct near){ distance(model, region, there), !strcmp(region, there) };
		for (; place && is_nearer(&near[i], &near[order[place - 1]]); place--)
			order[place] = order[place - 1];
		order[place] = i;
		differs |= place != i;
	}
	*ret = differs ? take_ptr(order) : NULL;
	return 0;
}

static bool same_order(const uint16_t *a, const uint16_t *b, size_t count)
{
	if (!a || !b)
		return a == b;
	return !memcmp(a, b, count * sizeof(*a));
}

/* ---- tables ---- */

/* Copies a table's slots. Its lines in the map are the first copy's: phases of two may part. */
static int follow_table(const struct plan_table *from, bool first, struct plan_table *ret)
{
	struct plan_table table = *from;

	table.order = NULL;
	table.slots = NULL;
	if (!first)
		table.line = PLAN_NO_LINE;
	if (from->slots) {
		table.slots = malloc(from->size * sizeof(*from->slots));
		if (!table.slots)
			return -ENOMEM;
		memcpy(table.slots, from->slots, from->size * sizeof(*from->slots));
	}
	*ret = table;
	return 0;
}

/* A family of a listener while it gets its tables. */
struct arrangement {
	struct plan_listener *listener;
	enum plan_family family;
	struct plan_table first;      /* that it had: number 0 */
	struct plan_clients others;   /* the others */
	bool taken[WEIR_MAX_REGIONS]; /* which of them have a successor already, by number */
};

static void arrangement_fini(struct arrangement *arrangement)
{
	plan_table_fini(&arrangement->first);
	plan_clients_drop(&arrangement->others);
}

/* The number of the table of clients to whom groups are near in an order, and who have had the one
 * of the number `origin`. Takes the order. */
static int table_for(struct arrangement *arrangement, uint32_t origin, uint16_t *order,
		     uint8_t *ret)
{
	struct plan_listener *listener = arrangement->listener;
	struct plan_clients *clients = &listener->clients[arrangement->family];
	_cleanup_(freep) uint16_t *owned = order;
	const struct plan_table *from = &arrangement->first;
	struct plan_table table;

	for (size_t number = 0; number <= clients->tables.count; number++) {
		const struct plan_table *known =
			plan_table_at(listener, arrangement->family, number);

		if (known->origin != origin ||
		    !same_order(known->order, order, listener->groups.count))
			continue;
		*ret = number;
		return 0;
	}
	if (origin)
		from = &arrangement->others.tables.items[origin - 1];
	if (follow_table(from, !arrangement->taken[origin], &table) < 0)
		return -ENOMEM;
	table.origin = origin;
	table.order = take_ptr(owned);
	if (vec_push(&clients->tables, table) < 0) {
		plan_table_fini(&table);
		return -ENOMEM;
	}
	arrangement->taken[origin] = true;
	*ret = clients->tables.count;
	return 0;
}

static int arrange_regions(const struct plan_clients_regions *regions,
			   struct arrangement *arrangement, uint8_t table_of[WEIR_MAX_REGIONS])
{
	const struct plan_clients *others = &arrangement->others;

	for (size_t i = 1; i < regions->plan->regions.count; i++) {
		uint16_t *order = NULL;
		int r;

		if (!regions->present[arrangement->family][i])
			continue;
		r = order_for(regions->model, arrangement->listener,
			      regions->plan->regions.items[i].name, &order);
		r = r
			    ?: table_for(arrangement, others->table_of ? others->table_of[i] : 0,
					 order, &table_of[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_any(const bool present[WEIR_MAX_REGIONS])
{
	return memchr(present, true, WEIR_MAX_REGIONS * sizeof(*present));
}

static int arrange(const struct plan_clients_regions *regions, struct plan_listener *listener,
		   enum plan_family family)
{
	struct plan_clients *clients = &listener->clients[family];
	_cleanup_(freep) uint8_t *table_of = calloc(WEIR_MAX_REGIONS, sizeof(*table_of));
	_cleanup_(arrangement_fini) struct arrangement arrangement = {
		.listener = listener,
		.family = family,
	};
	int r;

	if (!table_of)
		return -ENOMEM;
	arrangement.others = *clients;
	*clients = (struct plan_clients){ .block = PLAN_NO_LINE };
	listener->table[family].origin = 0;
	if (listener->groups.count < 2 || !has_any(regions->present[family]))
		return 0;
	arrangement.first = listener->table[family];
	listener->table[family].slots = NULL;
	r = follow_table(&arrangement.first, true, &listener->table[family]);
	arrangement.taken[0] = true;
	r = r ?: arrange_regions(regions, &arrangement, table_of);
	if (r < 0 || !clients->tables.count)
		return r;
	clients->table_of = take_ptr(table_of);
	clients->block = arrangement.others.block;
	clients->regions = arrangement.others.regions;
	return 0;
}

int plan_clients_arrange(const struct plan_clients_regions *regions, struct plan_listener *listener)
{
	int r = 0;

	for (int family = 0; !r && family < PLAN_FAMILIES; family++)
		r = arrange(regions, listener, family);
	return r;
}

static bool is_same_table(const struct plan_table *a, const struct plan_table *b, size_t groups)
{
	return same_order(a->order, b->order, groups) && !a->slots == !b->slots &&
	       a->size == b->size &&
	       (!a->slots || !memcmp(a->slots, b->slots, a->size * sizeof(*a->slots)));
}

/* `from` goes, its clients are the other's from now on. */
static void unite(struct plan_clients *clients, struct plan_table *with, size_t with_number,
		  size_t from_number)
{
	struct plan_table *from = &clients->tables.items[from_number - 1];
	size_t behind = clients->tables.count - from_number;

	if (with->line == PLAN_NO_LINE)
		with->line = from->line;
	if (from->deadline > with->deadline)
		with->deadline = from->deadline;
	if (from->change.moved > with->change.moved)
		with->change = from->change;
	with->built &= from->built;
	plan_table_fini(from);
	memmove(from, from + 1, behind * sizeof(*from));
	clients->tables.count--;
	for (size_t i = 0; i < WEIR_MAX_REGIONS; i++) {
		if (clients->table_of[i] == from_number)
			clients->table_of[i] = with_number;
		else if (clients->table_of[i] > from_number)
			clients->table_of[i]--;
	}
}

void plan_clients_merge(struct plan_listener *listener)
{
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		struct plan_clients *clients = &listener->clients[family];

		for (size_t b = clients->tables.count; b > 0; b--) {
			for (size_t a = 0; a < b; a++) {
				struct plan_table *with = plan_table_at(listener, family, a);

				if (!is_same_table(with, &clients->tables.items[b - 1],
						   listener->groups.count))
					continue;
				unite(clients, with, a, b);
				break;
			}
		}
		if (!clients->tables.count)
			plan_clients_drop(clients);
	}
}

static int recall(const struct model *model, const struct plan *plan,
		  struct plan_listener *listener, enum plan_family family)
{
	const uint8_t *table_of = listener->clients[family].table_of;
	int r = 0;

	for (size_t i = 1; !r && table_of && i < plan->regions.count; i++) {
		struct plan_table *table = plan_table_at(listener, family, table_of[i]);

		if (table_of[i] && !table->order)
			r = order_for(model, listener, plan->regions.items[i].name, &table->order);
	}
	return r;
}

int plan_clients_recall(struct plan *plan, const struct model *model)
{
	int r = 0;

	vec_foreach(listener, &plan->listeners)
		for (enum plan_family family = 0; !r && family < PLAN_FAMILIES; family++)
			r = recall(model, plan, listener, family);
	return r;
}
