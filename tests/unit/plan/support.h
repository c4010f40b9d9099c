/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of the plan share: a world in which every endpoint is on the balancer's own
 * network unless a test says otherwise, plans built in it, and what must hold of any plan.
 */
#ifndef WEIR_TESTS_UNIT_PLAN_SUPPORT_H
#define WEIR_TESTS_UNIT_PLAN_SUPPORT_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "../config/support.h"
#include "plan/locations.h"
#include "plan/plan.h"

#define SUPPORT_IFINDEX 2u /* where endpoints are: eth0 */

struct support_world {
	struct facts facts;
	struct overrides overrides;
	struct plan *plan; /* in force */
	struct err err;	   /* of the last build */
};

static inline struct addr support_addr(const char *text)
{
	struct addr addr;

	cr_assert_eq(addr_parse(text, &addr), 0, "%s", text);
	return addr;
}

static inline void support_interface(struct support_world *world, uint32_t ifindex,
				     const char *name)
{
	struct facts_interface interface = { .ifindex = ifindex,
					     .attached = ifindex,
					     .mac = { 2, 1, 0, 0, 0 } };

	interface.mac[5] = ifindex;
	snprintf(interface.name, sizeof(interface.name), "%s", name);
	cr_assert_eq(vec_push(&world->facts.interfaces, interface), 0);
}

static inline struct support_world support_begin(void)
{
	struct support_world world = { .plan = plan_new() };

	cr_assert(world.plan);
	world.facts.now = 1000;
	support_interface(&world, SUPPORT_IFINDEX, "eth0");
	return world;
}

static inline void support_end(struct support_world *world)
{
	plan_free(world->plan);
	facts_fini(&world->facts);
	overrides_fini(&world->overrides);
}

/* The fact about an address; made, as a neighbour behind eth0, where there is none. */
static inline struct facts_target *support_target(struct support_world *world,
						  const struct addr *address)
{
	struct facts_target *known = facts_target(&world->facts, address);
	bool ip4 = addr_family(address) == AF_INET;
	struct facts_target fresh = {
		.address = *address,
		.ifindex = SUPPORT_IFINDEX,
		.interface = "eth0",
		.next_hop = *address,
		.source = support_addr(ip4 ? "10.0.0.254" : "2001:db8::fe"),
		.resolved = true,
		.mac = { 2, 0, 0, 0, address->bytes[14], address->bytes[15] },
	};

	if (known)
		return known;
	cr_assert_eq(vec_push(&world->facts.targets, fresh), 0);
	return facts_target(&world->facts, address);
}

static inline struct facts_target *support_target_at(struct support_world *world, const char *text)
{
	struct addr address = support_addr(text);

	return support_target(world, &address);
}

/* The ports that the host leaves on an address; by default those of a host's own address. */
static inline struct facts_ports *support_ports(struct support_world *world,
						const struct addr *address)
{
	struct facts_ports *known = facts_ports(&world->facts, address);
	struct facts_ports fresh = { .address = *address,
				     .ranges = 2,
				     .range = { { 1024, 32767 }, { 61000, 65535 } } };

	if (known)
		return known;
	cr_assert_eq(vec_push(&world->facts.ports, fresh), 0);
	return facts_ports(&world->facts, address);
}

static inline void support_gather(struct support_world *world, const struct model *model)
{
	vec_foreach(listener, &model->listeners) {
		vec_foreach(group, &listener->groups)
			vec_foreach(endpoint, &group->endpoints)
				support_target(world, &endpoint->address);
		vec_foreach(address, &listener->snat)
			support_ports(world, address);
	}
	vec_foreach(address, &model->snat)
		support_ports(world, address);
	vec_foreach(target, &world->facts.targets)
		support_ports(world, &target->source);
}

static inline struct plan_endpoint *support_in_block(const struct plan_listener *listener,
						     uint32_t index)
{
	return index < listener->block_size ? plan_find_row(listener, listener->block + index)
					    : NULL;
}

static inline bool support_is_tracked(const struct plan_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->mode != WEIR_MODE_NAT && endpoint->state != WEIR_ENDPOINT_GONE)
			return true;
	return false;
}

static inline void support_check_slot(const struct plan_listener *listener, struct slot slot)
{
	const struct plan_endpoint *current = support_in_block(listener, slot.current);
	const struct plan_endpoint *previous = support_in_block(listener, slot.previous);

	if (slot.current == WEIR_SLOT_NONE)
		cr_assert(support_is_tracked(listener));
	else
		cr_assert(current && current->state == WEIR_ENDPOINT_ACTIVE);
	if (slot.phase == WEIR_MOVING)
		cr_assert(previous && previous->state != WEIR_ENDPOINT_GONE &&
			  previous->state != WEIR_ENDPOINT_DEAD && slot.previous != slot.current);
	else
		cr_assert_eq(slot.previous, slot.current);
	if (!support_is_tracked(listener))
		cr_assert_eq(slot.phase, WEIR_STABLE);
}

/* A table that is larger than its endpoints want repeats itself: after how many slots? */
static inline uint32_t support_period(const struct plan_table *table)
{
	uint32_t period = table->size;

	for (;;) {
		for (uint32_t i = 0; i < period / 2; i++)
			if (table->slots[i].current != table->slots[i + period / 2].current)
				return period;
		if (period == 1)
			return 1;
		period /= 2;
	}
}

/* Slots are valid, counted right, and as many per endpoint as it wants. */
static inline void support_check_table(const struct plan_listener *listener,
				       enum plan_family family)
{
	const struct plan_table *table = &listener->table[family];
	_cleanup_(freep) uint32_t *slots = calloc(WEIR_MAX_ENDPOINTS + 1, sizeof(*slots));
	uint32_t period = support_period(table);
	uint64_t want = 0;

	cr_assert(slots);
	cr_assert(table->size && !(table->size & (table->size - 1)), "%u", table->size);
	for (uint32_t i = 0; i < table->size; i++) {
		uint32_t current = table->slots[i].current;

		support_check_slot(listener, table->slots[i]);
		slots[current == WEIR_SLOT_NONE ? WEIR_MAX_ENDPOINTS : current]++;
	}
	cr_assert(!slots[WEIR_MAX_ENDPOINTS] || slots[WEIR_MAX_ENDPOINTS] == table->size);
	vec_foreach(endpoint, &listener->endpoints) {
		double exact = endpoint->want[family] / 1e6 * period;
		uint32_t got =
			endpoint->row - listener->block < listener->block_size
				? slots[endpoint->row - listener->block] / (table->size / period)
				: 0;

		want += endpoint->want[family];
		cr_assert(got > exact - 1.1 && got < exact + 1.1, "%s: %u slots, wants %f",
			  endpoint->name, got, exact);
	}
	cr_assert(slots[WEIR_MAX_ENDPOINTS] ? !want : want > 999000 && want < 1001000);
	cr_assert_eq(table->change.slots, table->size);
	cr_assert_eq(table->change.moving, slots_count(table->slots, table->size, WEIR_MOVING));
	cr_assert_eq(table->change.pinned, slots_count(table->slots, table->size, WEIR_PINNED));
	cr_assert_eq(table->deadline != 0, table->change.moving != 0);
}

/* Rows, blocks and ids belong to one owner each. */
static inline void support_check_places(const struct plan *plan)
{
	_cleanup_(freep) bool *owned = calloc(WEIR_MAX_ENDPOINTS, sizeof(*owned));
	_cleanup_(freep) bool *blocks = calloc(WEIR_MAX_ENDPOINTS, sizeof(*blocks));
	bool ids[WEIR_MAX_LISTENERS] = { true };

	cr_assert(owned && blocks);
	vec_foreach(listener, &plan->listeners) {
		cr_assert(listener->id < WEIR_MAX_LISTENERS && !ids[listener->id]);
		ids[listener->id] = true;
		cr_assert_leq(listener->block + listener->block_size, WEIR_MAX_ENDPOINTS);
		for (uint32_t i = 0; i < listener->block_size; i++) {
			cr_assert(!blocks[listener->block + i]);
			blocks[listener->block + i] = true;
		}
	}
	vec_foreach(listener, &plan->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			uint32_t row = endpoint->row;

			cr_assert(row < WEIR_MAX_ENDPOINTS && !owned[row], "row %u", row);
			owned[row] = true;
			cr_assert(!blocks[row] || row - listener->block < listener->block_size,
				  "row %u is in another listener's block", row);
			cr_assert_eq(endpoint->generation, plan->generations.items[row]);
		}
	}
}

/* In a plan the listener's own port is 0, said or not. */
static inline uint16_t support_port(const struct listener *model, const struct endpoint *endpoint)
{
	const struct port_range *only = model->ports.items;
	bool own = model->ports.count == 1 && only->first == only->last &&
		   only->first == endpoint->port;

	return own || endpoint->mode != WEIR_MODE_NAT ? 0 : endpoint->port;
}

static inline void support_check_endpoint(const struct plan_listener *listener,
					  const struct endpoint_group *group,
					  const struct endpoint *endpoint, uint16_t port,
					  uint8_t weight)
{
	const struct plan_endpoint *placed = NULL;

	vec_foreach(candidate, &listener->endpoints) {
		if (!addr_equal(&candidate->address, &endpoint->address) ||
		    candidate->port != port ||
		    (listener->mode == WEIR_MODE_PROXY && strcmp(candidate->group, group->name)))
			continue;
		cr_assert_neq(candidate->state, WEIR_ENDPOINT_GONE);
		if (candidate->row - listener->block >= listener->block_size) {
			cr_assert_eq(candidate->state, WEIR_ENDPOINT_DRAINING);
			continue;
		}
		cr_assert_null(placed, "%s has two rows in the block", endpoint->name);
		placed = candidate;
	}
	cr_assert(placed, "%s has no row", endpoint->name);
	cr_assert_str_eq(placed->name, endpoint->name);
	cr_assert_eq(placed->weight, weight);
	cr_assert_eq(placed->mode,
		     listener->mode == WEIR_MODE_PROXY ? WEIR_MODE_PROXY : endpoint->mode);
	cr_assert_eq(placed->file_weight, endpoint->weight);
	if (placed->state == WEIR_ENDPOINT_DEAD)
		cr_assert_eq(placed->health.state, WEIR_HEALTH_ABNORMAL);
	else
		cr_assert_eq(placed->state, weight ? WEIR_ENDPOINT_ACTIVE : WEIR_ENDPOINT_DRAINING);
}

/* What must hold of any plan that was built from `model`. */
static inline void support_check(const struct plan *plan, const struct model *model,
				 const struct overrides *overrides)
{
	support_check_places(plan);
	vec_foreach(listener, &model->listeners) {
		const struct plan_listener *placed = plan_find_listener(plan, listener->name);

		cr_assert(placed && placed->protocol == listener->protocol);
		cr_assert_eq(placed->addresses.count, listener->addresses.count);
		cr_assert_eq(placed->ports.count, listener->ports.count);
		vec_foreach(group, &listener->groups)
			vec_foreach(endpoint, &group->endpoints)
				support_check_endpoint(
					placed, group, endpoint, support_port(listener, endpoint),
					overrides_weight(overrides, listener, group, endpoint));
	}
	vec_foreach(listener, &plan->listeners)
		plan_foreach_table(table, listener) for (uint32_t i = 0; i < table->size; i++)
			support_check_slot(listener, table->slots[i]);
	vec_foreach(listener, &plan->listeners) {
		for (enum plan_family family = 0; family < PLAN_FAMILIES; family++) {
			if (listener->table[family].slots) {
				cr_assert(listener->addresses.count);
				support_check_table(listener, family);
			} else {
				cr_assert(!listener->table[family].size &&
					  !listener->table[family].deadline);
			}
		}
	}
}

/* Where clients are, as a file says it. The caller frees it, after the world. */
static inline struct locations *support_clients(struct support_world *world, const char *text)
{
	struct locations *locations = NULL;
	struct findings findings = {};
	struct clients clients = {};
	const struct clients *layer = &clients;

	cr_assert_eq(clients_parse(text, strlen(text), &clients, &findings), 0);
	cr_assert_eq(locations_build(&layer, 1, &locations), 0);
	clients_fini(&clients);
	findings_fini(&findings);
	world->facts.locations = locations;
	return locations;
}

/* Builds and, on success, puts in force. */
static inline int support_build_model(struct support_world *world, const struct model *model)
{
	struct plan *next = NULL;
	int r;

	support_gather(world, model);
	world->err.text[0] = '\0';
	r = plan_build(model, &world->overrides, &world->facts, world->plan, &next, &world->err);
	if (r < 0) {
		cr_assert_null(next);
		return r;
	}
	cr_assert_eq(r, 0);
	support_check(next, model, &world->overrides);
	plan_free(world->plan);
	world->plan = next;
	return 0;
}

static inline int support_try(struct support_world *world, const char *text)
{
	_cleanup_(model_freep) struct model *model = support_parse(text);

	return support_build_model(world, model);
}

static inline void support_build(struct support_world *world, const char *text)
{
	cr_assert_eq(support_try(world, text), 0, "%s", world->err.text);
}

static inline struct plan_listener *support_listener(const struct support_world *world,
						     const char *name)
{
	struct plan_listener *listener = plan_find_listener(world->plan, name);

	cr_assert(listener, "%s", name);
	return listener;
}

/* The endpoint's row in the block, by its address. */
static inline struct plan_endpoint *support_endpoint(const struct plan_listener *listener,
						     const char *address)
{
	struct addr wanted = support_addr(address);

	vec_foreach(endpoint, &listener->endpoints)
		if (addr_equal(&endpoint->address, &wanted) &&
		    endpoint->row - listener->block < listener->block_size)
			return endpoint;
	cr_assert(false, "%s is not there", address);
	return NULL;
}

static inline void support_dump_listener(const struct plan_listener *listener, FILE *out)
{
	char text[ADDR_PORT_TEXT_MAX];

	fprintf(out, "%u %s %u %u %d %u block %u %u\n", listener->id, listener->name,
		listener->protocol, listener->mode, listener->vip_route, listener->idle_timeout,
		listener->block, listener->block_size);
	vec_foreach(address, &listener->addresses)
		fprintf(out, "%s\n", addr_print(address, text));
	vec_foreach(port, &listener->ports)
		fprintf(out, "%u-%u\n", port->first, port->last);
	vec_foreach(endpoint, &listener->endpoints) {
		fprintf(out, "%u %s/%s %s %u %u %u %u snat %u %u want %u %u\n", endpoint->row,
			endpoint->group, endpoint->name,
			addr_print_port(&endpoint->address, endpoint->port, text), endpoint->weight,
			endpoint->file_weight, endpoint->state, endpoint->generation,
			endpoint->snat, endpoint->snat_rows, endpoint->want[0], endpoint->want[1]);
		fprintf(out, "mode %u from %s/%u mtu %u gue %u\n", endpoint->mode,
			addr_print(&endpoint->tunnel.source, text), endpoint->tunnel.source_bits,
			endpoint->tunnel.mtu, endpoint->tunnel.gue_port);
		fwrite(&endpoint->nexthop, sizeof(endpoint->nexthop), 1, out);
	}
	for (int family = 0; family < PLAN_FAMILIES; family++)
		if (listener->clients[family].table_of)
			fwrite(listener->clients[family].table_of, WEIR_MAX_REGIONS, 1, out);
	plan_foreach_table(table, listener)
	{
		fprintf(out, "table %u at %u until %u\n", table->size, table->line,
			table->deadline);
		fwrite(&table->change, sizeof(table->change), 1, out);
		if (table->slots)
			fwrite(table->slots, sizeof(*table->slots), table->size, out);
		if (table->order)
			fwrite(table->order, sizeof(*table->order), listener->groups.count, out);
	}
}

/* Every field of a plan, as bytes; the caller frees. */
static inline char *support_dump(const struct plan *plan, size_t *ret_size)
{
	char *dump = NULL;
	FILE *out = open_memstream(&dump, ret_size);

	cr_assert(out);
	fprintf(out, "%u\n", plan->hash_seed);
	vec_foreach(listener, &plan->listeners)
		support_dump_listener(listener, out);
	vec_foreach(egress, &plan->egress)
		fwrite(egress, sizeof(*egress), 1, out);
	vec_foreach(snat, &plan->snat) {
		fwrite(&snat->row, sizeof(snat->row), 1, out);
		fputc(snat->used, out);
	}
	fwrite(plan->generations.items, sizeof(uint32_t), plan->generations.count, out);
	cr_assert_eq(fclose(out), 0);
	return dump;
}

static inline void support_expect_same(const struct plan *a, const struct plan *b, bool same)
{
	_cleanup_(freep) char *one = NULL, *other = NULL;
	size_t one_size, other_size;

	one = support_dump(a, &one_size);
	other = support_dump(b, &other_size);
	cr_expect_eq(one_size == other_size && !memcmp(one, other, one_size), same);
}

#endif
