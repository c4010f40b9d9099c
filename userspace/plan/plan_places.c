// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/plan_places.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_MIN 4 /* rows */

static uint32_t hash_of(const char *name, uint8_t protocol)
{
	return lookup_hash(protocol, name, strlen(name));
}

/* Rows that are taken: every block, and rows left behind by a block that moved. */
static void take_rows(struct plan_places *places)
{
	vec_foreach(listener, &places->plan->listeners) {
		memset(places->rows + listener->block, true, listener->block_size);
		vec_foreach(endpoint, &listener->endpoints)
			places->rows[endpoint->row] = true;
	}
}

int plan_places_init(struct plan_places *places, struct plan *plan, const struct plan *in_force)
{
	int r = 0;

	*places = (struct plan_places){ .plan = plan, .in_force = in_force, .free_id = 1 };
	places->rows = calloc(WEIR_MAX_ENDPOINTS, sizeof(*places->rows));
	places->ids = calloc(WEIR_MAX_LISTENERS, sizeof(*places->ids));
	if (!places->rows || !places->ids)
		r = -ENOMEM;
	for (size_t i = 0; !r && i < plan->listeners.count; i++) {
		const struct plan_listener *listener = &plan->listeners.items[i];

		places->ids[listener->id] = true;
		r = lookup_add(&places->by_name, hash_of(listener->name, listener->protocol), i);
	}
	if (r)
		plan_places_fini(places);
	else
		take_rows(places);
	return r;
}

void plan_places_fini(struct plan_places *places)
{
	free(places->rows);
	free(places->ids);
	lookup_fini(&places->by_name);
	*places = (struct plan_places){};
}

/* A copy has its listeners in the same order, and new ones behind. */
const struct plan_listener *plan_places_before(const struct plan_places *places,
					       const struct plan_listener *listener)
{
	size_t place = listener - places->plan->listeners.items;

	return place < places->in_force->listeners.count ? &places->in_force->listeners.items[place]
							 : NULL;
}

/* The lowest id that no listener has, WEIR_MAX_LISTENERS if there is none. */
static uint32_t free_id(struct plan_places *places)
{
	while (places->free_id < WEIR_MAX_LISTENERS && places->ids[places->free_id])
		places->free_id++;
	return places->free_id;
}

int plan_places_listener(struct plan_places *places, const struct listener *model,
			 struct plan_listener **ret, struct err *err)
{
	uint32_t hash = hash_of(model->name, model->protocol);
	struct plan_listener fresh = { .protocol = model->protocol, .id = free_id(places) };
	struct plan *plan = places->plan;

	lookup_foreach(item, &places->by_name, hash) {
		struct plan_listener *listener = &plan->listeners.items[item];

		if (listener->protocol != model->protocol || strcmp(listener->name, model->name))
			continue;
		*ret = listener;
		return 0;
	}
	if (fresh.id == WEIR_MAX_LISTENERS)
		return err_set(err, -ENOSPC, "no room: the data plane holds %u listeners",
			       WEIR_MAX_LISTENERS - 1);
	snprintf(fresh.name, sizeof(fresh.name), "%s", model->name);
	for (int family = 0; family < PLAN_FAMILIES; family++)
		fresh.table[family].line = fresh.clients[family].block = PLAN_NO_LINE;
	if (lookup_add(&places->by_name, hash, plan->listeners.count) ||
	    vec_push(&plan->listeners, fresh))
		return err_set(err, -ENOMEM, "out of memory");
	places->ids[fresh.id] = true;
	*ret = &plan->listeners.items[plan->listeners.count - 1];
	return 0;
}

/* The first aligned run of `size` free rows, a power of two, or WEIR_MAX_ENDPOINTS. Rows are only
 * taken, so that the next search for as many goes on from there. */
static uint32_t free_run(struct plan_places *places, uint32_t size)
{
	uint32_t *start = &places->free_run[__builtin_ctz(size)];

	while (*start + size <= WEIR_MAX_ENDPOINTS && memchr(places->rows + *start, true, size))
		*start += size;
	return *start + size <= WEIR_MAX_ENDPOINTS ? *start : WEIR_MAX_ENDPOINTS;
}

/* Of a row that gets an owner; 0 without memory. */
static uint32_t next_generation(struct plan *plan, uint32_t row)
{
	uint32_t last = row < plan->generations.count ? plan->generations.items[row] : 0;

	return plan_set_generation(plan, row, last + 1) ? 0 : last + 1;
}

static size_t rows_in_block(const struct plan_listener *listener)
{
	size_t count = 0;

	vec_foreach(endpoint, &listener->endpoints)
		count += plan_in_block(listener, endpoint->row);
	return count;
}

/* The same places in a larger block; the old rows stay, and keep their flows. */
static int move_block(struct plan *plan, struct plan_listener *listener, uint32_t block,
		      uint32_t size)
{
	size_t before = listener->endpoints.count;

	for (size_t i = 0; i < before; i++) {
		struct plan_endpoint moved = listener->endpoints.items[i];

		if (!plan_in_block(listener, moved.row))
			continue;
		moved.row += block - listener->block;
		moved.generation = next_generation(plan, moved.row);
		if (!moved.generation || vec_push(&listener->endpoints, moved))
			return -ENOMEM;
	}
	listener->block = block;
	listener->block_size = size;
	return 0;
}

int plan_places_block(struct plan_places *places, struct plan_listener *listener, size_t wanted,
		      struct err *err)
{
	size_t needed = wanted, leaving = rows_in_block(listener);
	uint32_t size = BLOCK_MIN, block;

	/* At worst none of those that are there stays. */
	needed += leaving;
	if (needed <= listener->block_size)
		return 0;
	while (size < needed || size < wanted * 2)
		size *= 2;
	block = free_run(places, size);
	if (block == WEIR_MAX_ENDPOINTS && wanted <= listener->block_size)
		return 0; /* crowded, but perhaps most of them stay */
	if (block == WEIR_MAX_ENDPOINTS)
		return err_set(
			err, -ENOSPC,
			"no room for %zu endpoints: the data plane holds %u of all listeners",
			wanted, WEIR_MAX_ENDPOINTS);
	memset(places->rows + block, true, size);
	return move_block(places->plan, listener, block, size);
}

/* The lowest free place of the block, block_size if there is none. */
static uint32_t free_place(const struct plan_listener *listener)
{
	_cleanup_(freep) bool *taken = calloc(listener->block_size, sizeof(*taken));
	uint32_t place = 0;

	if (!taken)
		return listener->block_size;
	vec_foreach(endpoint, &listener->endpoints)
		if (plan_in_block(listener, endpoint->row))
			taken[endpoint->row - listener->block] = true;
	while (place < listener->block_size && taken[place])
		place++;
	return place;
}

int plan_places_row(struct plan_places *places, struct plan_listener *listener,
		    struct plan_endpoint *endpoint, struct err *err)
{
	uint32_t place = free_place(listener);

	if (place == listener->block_size)
		return err_set(err, -ENOSPC,
			       "no room: flows still refer to removed endpoints of this listener; "
			       "try again after its idle_timeout");
	endpoint->row = listener->block + place;
	endpoint->generation = next_generation(places->plan, endpoint->row);
	if (!endpoint->generation || vec_push(&listener->endpoints, *endpoint))
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* A place for a new way out: the one that it had before, with the flows that came by it, or else
 * any. 1: there is none. */
static int add_egress(struct plan *plan, const struct weir_egress *fresh, struct err *err)
{
	struct weir_egress *place = NULL;

	for (size_t i = 1; i < plan->egress.count; i++) {
		struct weir_egress *egress = &plan->egress.items[i];

		if (egress->ifindex)
			continue;
		if (!strcmp(egress->name, fresh->name)) {
			*egress = *fresh;
			return 0;
		}
		if (!egress->name[0] && !place)
			place = egress;
	}
	if (place) {
		*place = *fresh;
		return 0;
	}
	if (plan->egress.count == WEIR_MAX_EGRESS)
		return 1;
	if (vec_push(&plan->egress, *fresh))
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

uint32_t plan_places_find_egress(const struct plan *plan, const struct facts_interface *interface)
{
	for (size_t i = 1; i < plan->egress.count; i++) {
		const struct weir_egress *egress = &plan->egress.items[i];

		if (egress->ifindex == interface->attached &&
		    !memcmp(egress->vlan, interface->vlan, sizeof(egress->vlan)))
			return i;
	}
	return 0;
}

bool plan_places_is_needed(const struct facts *facts, const struct facts_interface *interface)
{
	if (interface->ifindex == interface->attached)
		return true;
	vec_foreach(target, &facts->targets)
		if (target->ifindex == interface->ifindex)
			return true;
	return false;
}

static int add_ways(struct plan *plan, const struct facts *facts, bool needed, struct err *err)
{
	vec_foreach(interface, &facts->interfaces) {
		struct weir_egress fresh = facts_egress(interface);
		int r;

		if (plan_places_is_needed(facts, interface) != needed ||
		    plan_places_find_egress(plan, interface))
			continue;
		r = add_egress(plan, &fresh, err);
		if (r > 0 && needed)
			return err_set(err, -ENOSPC,
				       "%s: there are more than %u interfaces and VLAN devices "
				       "on them; remove VLAN devices that nobody is behind: ip "
				       "link delete IF",
				       interface->name, WEIR_MAX_EGRESS - 1);
		if (r < 0)
			return r;
	}
	return 0;
}

int plan_places_egress(struct plan *plan, const struct facts *facts, struct err *err)
{
	for (size_t i = 1; i < plan->egress.count; i++) {
		struct weir_egress *egress = &plan->egress.items[i];
		const struct facts_interface *interface = facts_of_egress(facts, egress);

		if (!egress->ifindex)
			continue;
		if (interface) /* its MAC, its MTU or its name may be new */
			*egress = facts_egress(interface);
		else /* the index stays taken until no flow names it */
			egress->ifindex = egress->device = 0;
	}
	return add_ways(plan, facts, true, err) ?: add_ways(plan, facts, false, err);
}

static bool snat_row_is(const struct plan_snat *snat, const struct addr *address)
{
	return snat->row.ports && !memcmp(snat->row.addr, address->bytes, sizeof(address->bytes));
}

/* Is the run from `first` on exactly these addresses, or free for them? */
static bool run_is(const struct plan *plan, size_t first, const struct addr *addresses,
		   size_t count, bool free_for_them)
{
	for (size_t i = 0; i < count; i++) {
		const struct plan_snat *snat = &plan->snat.items[first + i];

		if (free_for_them ? snat->row.ports != 0 : !snat_row_is(snat, &addresses[i]))
			return false;
	}
	return true;
}

/* The first row of a run for these addresses, appended where there is none; 0 without room. */
static size_t snat_run(struct plan *plan, const struct addr *addresses, size_t count)
{
	for (int pass = 0; pass < 2; pass++)
		for (size_t first = 1; first + count <= plan->snat.count; first++)
			if (run_is(plan, first, addresses, count, pass))
				return first;
	if (plan->snat.count + count > WEIR_MAX_SNAT)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (vec_push(&plan->snat, (struct plan_snat){}))
			return 0;
	return plan->snat.count - count;
}

static int fill_snat(struct plan_snat *snat, const struct addr *address, const struct facts *facts,
		     struct err *err)
{
	const struct facts_ports *ports = facts_ports(facts, address);
	char text[ADDR_TEXT_MAX];

	snat->used = true;
	/* A row in use keeps its ports: flows have claimed them, and a packet that is none of
	 * theirs passes to the host anyway. */
	if (snat->row.ports)
		return 0;
	memcpy(snat->row.addr, address->bytes, sizeof(address->bytes));
	snat->row.ports = 0;
	snat->row.ranges = ports ? ports->ranges : 0;
	memset(snat->row.range, 0, sizeof(snat->row.range));
	for (uint32_t i = 0; i < snat->row.ranges; i++) {
		snat->row.range[i] = ports->range[i];
		snat->row.ports += ports->range[i].last - ports->range[i].first + 1;
	}
	if (!snat->row.ports)
		return err_set(err, -EADDRINUSE,
			       "the host leaves no port of %s for SNAT; narrow "
			       "net.ipv4.ip_local_port_range or name another address in snat:",
			       addr_print(address, text));
	return 0;
}

size_t plan_places_sources(const struct listener *listener, const struct model *model,
			   const struct facts *facts, const struct addr *to,
			   struct addr ret[WEIR_MAX_SNAT])
{
	const struct addr *from = listener->snat.count ? listener->snat.items : model->snat.items;
	size_t named = listener->snat.count ?: model->snat.count, count = 0;
	const struct facts_target *target = facts_target(facts, to);

	for (size_t i = 0; i < named && count < WEIR_MAX_SNAT; i++)
		if (addr_family(&from[i]) == addr_family(to))
			ret[count++] = from[i];
	if (!count && target && target->ifindex && !addr_is_martian(&target->source))
		ret[count++] = target->source;
	return count;
}

int plan_places_snat(struct plan *plan, const struct listener *listener, const struct model *model,
		     const struct facts *facts, struct plan_endpoint *endpoint, struct err *err)
{
	struct addr addresses[WEIR_MAX_SNAT];
	size_t first,
		count = plan_places_sources(listener, model, facts, &endpoint->address, addresses);
	int r;

	if (!count)
		return 0;
	first = snat_run(plan, addresses, count);
	if (!first)
		return err_set(err, -ENOSPC, "more than %u SNAT addresses", WEIR_MAX_SNAT - 1);
	for (size_t i = 0; i < count; i++) {
		r = fill_snat(&plan->snat.items[first + i], &addresses[i], facts, err);
		if (r < 0)
			return r;
	}
	endpoint->snat = first;
	endpoint->snat_rows = count;
	return 0;
}
