// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/plan.h"

#include <string.h>

struct plan *plan_new(void)
{
	_cleanup_(plan_freep) struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return NULL;
	if (vec_push(&plan->egress, (struct weir_egress){}) ||
	    vec_push(&plan->snat, (struct plan_snat){}) ||
	    vec_push(&plan->regions, (struct plan_region){}))
		return NULL;
	return take_ptr(plan);
}

void plan_table_fini(struct plan_table *table)
{
	free(table->slots);
	free(table->order);
	table->slots = NULL;
	table->order = NULL;
}

void plan_clients_drop(struct plan_clients *clients)
{
	vec_foreach(table, &clients->tables)
		plan_table_fini(table);
	vec_free(&clients->tables);
	free(clients->table_of);
	*clients = (struct plan_clients){ .block = PLAN_NO_LINE };
}

static void listener_fini(struct plan_listener *listener)
{
	vec_free(&listener->addresses);
	vec_free(&listener->ports);
	vec_free(&listener->groups);
	vec_free(&listener->endpoints);
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		plan_table_fini(&listener->table[family]);
		plan_clients_drop(&listener->clients[family]);
		bounds_unref(listener->ranges[family]);
	}
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	vec_foreach(listener, &plan->listeners)
		listener_fini(listener);
	vec_free(&plan->listeners);
	vec_free(&plan->egress);
	vec_free(&plan->snat);
	vec_free(&plan->regions);
	vec_free(&plan->generations);
	for (int family = 0; family < PLAN_FAMILIES; family++)
		bounds_unref(plan->clients[family]);
	free(plan);
}

/* `to` is empty. */
#define COPY_ITEMS(to, from)                                                                       \
	({                                                                                         \
		size_t _bytes = (from)->count * sizeof(*(from)->items);                            \
		(to)->items = _bytes ? malloc(_bytes) : NULL;                                      \
		(to)->count = (to)->capacity = (to)->items ? (from)->count : 0;                    \
		if ((to)->items)                                                                   \
			memcpy((to)->items, (from)->items, _bytes);                                \
		_bytes && !(to)->items ? -ENOMEM : 0;                                              \
	})

static void *copy_bytes(const void *from, size_t size)
{
	void *copy = malloc(size);

	return copy ? memcpy(copy, from, size) : NULL;
}

static int copy_table(const struct plan_table *from, const struct plan_listener *listener,
		      struct plan_table *ret)
{
	struct plan_table copy = *from;

	copy.slots = NULL;
	copy.order = NULL;
	if (from->slots)
		copy.slots = copy_bytes(from->slots, from->size * sizeof(*from->slots));
	if (from->order)
		copy.order = copy_bytes(from->order, listener->groups.count * sizeof(*from->order));
	if (!copy.slots == !from->slots && !copy.order == !from->order) {
		*ret = copy;
		return 0;
	}
	plan_table_fini(&copy);
	return -ENOMEM;
}

/* `to` has none. */
static int copy_tables(const struct plan_listener *from, enum plan_family family,
		       struct plan_listener *to)
{
	const struct plan_clients *clients = &from->clients[family];
	struct plan_clients *copy = &to->clients[family];
	int r = copy_table(&from->table[family], from, &to->table[family]);

	vec_foreach(table, &clients->tables) {
		struct plan_table one;

		r = r ?: copy_table(table, from, &one);
		if (!r && vec_push(&copy->tables, one)) {
			plan_table_fini(&one);
			r = -ENOMEM;
		}
	}
	if (!r && clients->table_of) {
		copy->table_of = copy_bytes(clients->table_of, WEIR_MAX_REGIONS);
		r = copy->table_of ? 0 : -ENOMEM;
	}
	return r;
}

static int listener_copy(const struct plan_listener *from, struct plan_listener *ret)
{
	struct plan_listener copy = *from;
	int r = 0;

	memset(&copy.addresses, 0, sizeof(copy.addresses));
	memset(&copy.ports, 0, sizeof(copy.ports));
	memset(&copy.groups, 0, sizeof(copy.groups));
	memset(&copy.endpoints, 0, sizeof(copy.endpoints));
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		copy.table[family].slots = NULL;
		copy.table[family].order = NULL;
		memset(&copy.clients[family].tables, 0, sizeof(copy.clients[family].tables));
		copy.clients[family].table_of = NULL;
		bounds_ref(copy.ranges[family]);
	}

	r |= COPY_ITEMS(&copy.addresses, &from->addresses);
	r |= COPY_ITEMS(&copy.ports, &from->ports);
	r |= COPY_ITEMS(&copy.groups, &from->groups);
	r |= COPY_ITEMS(&copy.endpoints, &from->endpoints);
	for (int family = 0; family < PLAN_FAMILIES; family++)
		r |= copy_tables(from, family, &copy);
	if (r) {
		listener_fini(&copy);
		return -ENOMEM;
	}
	*ret = copy;
	return 0;
}

struct plan *plan_begin(const struct plan *plan)
{
	_cleanup_(plan_freep) struct plan *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->hash_seed = plan->hash_seed;
	copy->nat_flows = plan->nat_flows;
	copy->exceptions = plan->exceptions;
	copy->limits = plan->limits;
	copy->answers_per_second = plan->answers_per_second;
	for (int family = 0; family < PLAN_FAMILIES; family++)
		copy->clients[family] = bounds_ref(plan->clients[family]);
	if (COPY_ITEMS(&copy->egress, &plan->egress) || COPY_ITEMS(&copy->snat, &plan->snat) ||
	    COPY_ITEMS(&copy->regions, &plan->regions))
		return NULL;
	return take_ptr(copy);
}

int plan_copy_listener(struct plan *plan, const struct plan_listener *listener)
{
	struct plan_listener copy;

	if (listener_copy(listener, &copy))
		return -ENOMEM;
	if (vec_push(&plan->listeners, copy)) {
		listener_fini(&copy);
		return -ENOMEM;
	}
	return 0;
}

struct plan *plan_copy(const struct plan *plan)
{
	_cleanup_(plan_freep) struct plan *copy = plan_begin(plan);

	if (!copy || COPY_ITEMS(&copy->generations, &plan->generations))
		return NULL;
	vec_foreach(listener, &plan->listeners)
		if (plan_copy_listener(copy, listener))
			return NULL;
	return take_ptr(copy);
}

void plan_merge(struct plan *plan, struct plan *part)
{
	vec_foreach(listener, &part->listeners) {
		struct plan_listener *same = plan_find_id(plan, listener->id);

		listener_fini(same);
		*same = *listener;
	}
	part->listeners.count = 0;
}

/* Is it kept for its flows alone? So is a row that the block left behind. */
static bool is_leaving(const struct plan_listener *listener, const struct plan_endpoint *endpoint)
{
	return endpoint->state == WEIR_ENDPOINT_GONE ||
	       endpoint->row - listener->block >= listener->block_size;
}

static bool release_listener(struct plan_listener *listener,
			     const struct plan_references *references)
{
	size_t kept = 0, before = listener->endpoints.count;

	vec_foreach(endpoint, &listener->endpoints)
		if (!is_leaving(listener, endpoint) || references->rows[endpoint->row])
			listener->endpoints.items[kept++] = *endpoint;
	listener->endpoints.count = kept;
	return kept != before;
}

static bool snat_is_referenced(const struct plan_snat *snat,
			       const struct plan_references *references)
{
	struct addr address;

	memcpy(address.bytes, snat->row.addr, sizeof(address.bytes));
	vec_foreach(held, &references->snat_addresses)
		if (addr_equal(held, &address))
			return true;
	return false;
}

bool plan_release(struct plan *plan, const struct plan_references *references)
{
	bool freed = false;
	size_t kept = 0;

	vec_foreach(listener, &plan->listeners) {
		freed |= release_listener(listener, references);
		if (!listener->addresses.count && !listener->endpoints.count) {
			listener_fini(listener);
			freed = true;
		} else {
			plan->listeners.items[kept++] = *listener;
		}
	}
	plan->listeners.count = kept;

	vec_foreach(snat, &plan->snat) {
		if (!snat->row.ports || snat->used || snat_is_referenced(snat, references))
			continue;
		*snat = (struct plan_snat){};
		freed = true;
	}
	for (size_t i = 1; i < plan->egress.count; i++) {
		struct weir_egress *egress = &plan->egress.items[i];

		if (egress->ifindex || !egress->name[0] || references->egress[i])
			continue;
		*egress = (struct weir_egress){};
		freed = true;
	}
	return freed;
}

struct plan_table *plan_table_at(const struct plan_listener *listener, enum plan_family family,
				 size_t number)
{
	if (number)
		return &listener->clients[family].tables.items[number - 1];
	return (struct plan_table *)&listener->table[family];
}

/* Of a table of the listener's. */
static size_t number_of(const struct plan_listener *listener, const struct plan_table *table,
			enum plan_family *ret_family)
{
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		const struct plan_clients *clients = &listener->clients[family];

		*ret_family = family;
		if (table == &listener->table[family])
			return 0;
		if (clients->tables.count && table >= clients->tables.items &&
		    table < clients->tables.items + clients->tables.count)
			return table - clients->tables.items + 1;
	}
	return 0;
}

struct plan_table *plan_next_table(const struct plan_listener *listener,
				   const struct plan_table *table)
{
	enum plan_family family = PLAN_IP4;
	size_t number = 0;

	if (!table)
		return plan_table_at(listener, PLAN_IP4, 0);
	number = number_of(listener, table, &family) + 1;
	if (number <= listener->clients[family].tables.count)
		return plan_table_at(listener, family, number);
	return family == PLAN_IP4 ? plan_table_at(listener, PLAN_IP6, 0) : NULL;
}

enum plan_family plan_table_family(const struct plan_listener *listener,
				   const struct plan_table *table)
{
	enum plan_family family;

	number_of(listener, table, &family);
	return family;
}

size_t plan_table_number(const struct plan_listener *listener, const struct plan_table *table)
{
	enum plan_family family;

	return number_of(listener, table, &family);
}

size_t plan_table_place(const struct plan_listener *listener, const struct plan_table *table)
{
	enum plan_family family;
	size_t number = number_of(listener, table, &family);

	return family == PLAN_IP4 ? number : number + 1 + listener->clients[PLAN_IP4].tables.count;
}

size_t plan_count_tables(const struct plan_listener *listener)
{
	return PLAN_FAMILIES + listener->clients[PLAN_IP4].tables.count +
	       listener->clients[PLAN_IP6].tables.count;
}

uint8_t plan_client_region(const struct plan *plan, const struct plan_listener *listener,
			   const struct addr *client)
{
	enum plan_family family = plan_family_of(client);
	const struct bounds *bounds = plan->clients[family];

	return listener->clients[family].tables.count && bounds ? bounds_region(bounds, client) : 0;
}

const uint16_t *plan_order_of(const struct plan_listener *listener, uint8_t region)
{
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		const struct plan_clients *clients = &listener->clients[family];

		if (clients->tables.count && clients->table_of[region])
			return clients->tables.items[clients->table_of[region] - 1].order;
	}
	return NULL;
}

struct plan_table *plan_table_of(const struct plan *plan, const struct plan_listener *listener,
				 const struct addr *client)
{
	enum plan_family family = plan_family_of(client);
	const uint8_t *table_of = listener->clients[family].table_of;
	uint8_t region = plan_client_region(plan, listener, client);

	return plan_table_at(listener, family, table_of ? table_of[region] : 0);
}

enum plan_family plan_family_of(const struct addr *addr)
{
	return addr_family(addr) == AF_INET ? PLAN_IP4 : PLAN_IP6;
}

/* Has the listener an endpoint of the family itself? */
static bool has_own(const struct plan_listener *listener, enum plan_family family)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->state != WEIR_ENDPOINT_GONE &&
		    plan_family_of(&endpoint->address) == family)
			return true;
	return false;
}

bool plan_serves(const struct plan_listener *listener, const struct plan_endpoint *endpoint,
		 enum plan_family family)
{
	switch (endpoint->mode) {
	case WEIR_MODE_IPIP:
	case WEIR_MODE_GUE:
	case WEIR_MODE_PROXY:
		return true;
	case WEIR_MODE_NAT:
		return plan_family_of(&endpoint->address) == family || !has_own(listener, family);
	default:
		return plan_family_of(&endpoint->address) == family;
	}
}

bool plan_has_nat(const struct plan_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->mode == WEIR_MODE_NAT)
			return true;
	return false;
}

bool plan_has_stateless(const struct plan_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->mode != WEIR_MODE_NAT && endpoint->mode != WEIR_MODE_PROXY)
			return true;
	return false;
}

bool plan_is_same(const struct plan_endpoint *a, const struct plan_endpoint *b)
{
	return a->port == b->port && addr_equal(&a->address, &b->address) &&
	       (a->mode != WEIR_MODE_PROXY || !strcmp(a->group, b->group));
}

bool plan_is_usable(const struct plan_endpoint *endpoint)
{
	return endpoint->state == WEIR_ENDPOINT_ACTIVE;
}

bool plan_in_block(const struct plan_listener *listener, uint32_t row)
{
	return row - listener->block < listener->block_size;
}

int plan_set_generation(struct plan *plan, uint32_t row, uint32_t generation)
{
	while (plan->generations.count <= row)
		if (vec_push(&plan->generations, 0))
			return -ENOMEM;
	plan->generations.items[row] = generation;
	return 0;
}

uint32_t plan_region_number(const struct plan *plan, const char *name)
{
	for (size_t i = 1; i < plan->regions.count; i++)
		if (!strcmp(plan->regions.items[i].name, name))
			return i;
	return 0;
}

struct plan_listener *plan_find_listener(const struct plan *plan, const char *name)
{
	vec_foreach(listener, &plan->listeners)
		if (listener->addresses.count && !strcmp(listener->name, name))
			return listener;
	return NULL;
}

struct plan_listener *plan_find_id(const struct plan *plan, uint32_t id)
{
	vec_foreach(listener, &plan->listeners)
		if (listener->id == id)
			return listener;
	return NULL;
}

struct plan_endpoint *plan_find_row(const struct plan_listener *listener, uint32_t row)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->row == row)
			return endpoint;
	return NULL;
}

/* How many slots of the table say all: each half of them repeats the other. */
static uint32_t period(const struct plan_table *table)
{
	uint32_t size = table->size;

	for (uint32_t half = size / 2; half; half = size / 2) {
		uint32_t slot = 0;

		while (slot < half &&
		       table->slots[slot].current == table->slots[slot + half].current)
			slot++;
		if (slot < half)
			break;
		size = half;
	}
	return size;
}

/* FNV-1a. */
static uint64_t digest(uint64_t sum, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ ((const uint8_t *)data)[i]) * 0x100000001b3ull;
	return sum;
}

uint64_t plan_digest(const struct plan_listener *listener, const struct plan_table *table)
{
	static const struct plan_endpoint nobody = {};
	uint64_t sum = 0xcbf29ce484222325ull;
	uint32_t size;

	if (!table->slots)
		return 0;
	size = period(table);
	for (uint32_t slot = 0; slot < size; slot++) {
		const struct plan_endpoint *endpoint =
			plan_find_row(listener, listener->block + table->slots[slot].current)
				?: &nobody;
		const uint8_t port[2] = { endpoint->port >> 8, endpoint->port };

		sum = digest(sum, endpoint->address.bytes, sizeof(endpoint->address.bytes));
		sum = digest(sum, port, sizeof(port));
	}
	return sum;
}
