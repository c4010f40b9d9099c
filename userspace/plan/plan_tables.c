// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/plan_tables.h"

#include <string.h>

#include "plan/maglev.h"
#include "plan/plan_shares.h"
#include "plan/shares.h"

/* What it shall get is said of clients of no region: `want`, or NULL. */
static void set_want(struct plan_listener *listener, const struct plan_shares *shares,
		     const enum plan_family *want)
{
	for (size_t i = 0; shares->sum && i < shares->count; i++) {
		struct plan_endpoint *endpoint = &listener->endpoints.items[shares->places[i]];

		if (want)
			endpoint->want[*want] =
				shares_scale(shares->endpoints[i].weight, shares->sum, 1000000);
		endpoint->named |= shares->endpoints[i].weight;
	}
}

/* Rows that the block left behind keep their flows as long as their endpoint does. */
static void open_left_behind(struct plan_listener *listener, const struct plan_endpoint *opened)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->state == WEIR_ENDPOINT_DEAD && plan_is_same(endpoint, opened) &&
		    !plan_in_block(listener, endpoint->row))
			endpoint->state = WEIR_ENDPOINT_DRAINING;
}

/* Where a listener fails open, what health checks found does not keep flows from its endpoints, nor
 * end those that they have. */
static void open_up(struct plan_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints) {
		if (!endpoint->named || endpoint->state != WEIR_ENDPOINT_DEAD)
			continue;
		endpoint->state = WEIR_ENDPOINT_ACTIVE;
		open_left_behind(listener, endpoint);
	}
}

/* Which places of the block carry no flow any more: free, gone or dead. */
static bool *gone_places(const struct plan_listener *listener)
{
	bool *gone = malloc(listener->block_size * sizeof(*gone));

	if (!gone)
		return NULL;
	memset(gone, true, listener->block_size * sizeof(*gone));
	vec_foreach(endpoint, &listener->endpoints)
		if (plan_in_block(listener, endpoint->row))
			gone[endpoint->row - listener->block] =
				endpoint->state == WEIR_ENDPOINT_GONE ||
				endpoint->state == WEIR_ENDPOINT_DEAD;
	return gone;
}

/* Of a candidate, in the block. */
static uint16_t place_of(const struct plan_listener *listener, const struct plan_shares *shares,
			 uint16_t candidate)
{
	return listener->endpoints.items[shares->places[candidate]].row - listener->block;
}

/*
 * Chooses an endpoint for every slot: places in the block, or WEIR_SLOT_NONE everywhere. A table
 * never shrinks; one that is larger than its endpoints want repeats what they want, and so sends
 * every flow where the table of a node without its past does.
 */
static int choose(const struct plan_listener *listener, const struct plan_shares *shares,
		  uint32_t in_force, uint32_t *ret_size, uint16_t **ret)
{
	uint32_t wanted = shares->slots, size = in_force;
	_cleanup_(freep) uint16_t *chosen = NULL;

	if (shares->sum && wanted > in_force)
		size = wanted;
	if (size) {
		chosen = calloc(size, sizeof(*chosen));
		if (!chosen)
			return -ENOMEM;
	}
	if (shares->sum) {
		int r = maglev_fill(shares->endpoints, shares->count, wanted, chosen);

		if (r < 0)
			return r;
	}
	for (uint32_t slot = 0; slot < wanted && slot < size; slot++)
		chosen[slot] =
			shares->sum ? place_of(listener, shares, chosen[slot]) : WEIR_SLOT_NONE;
	for (uint32_t slot = wanted; slot < size; slot++)
		chosen[slot] = shares->sum ? chosen[slot & (wanted - 1)] : WEIR_SLOT_NONE;
	*ret_size = size;
	*ret = take_ptr(chosen);
	return 0;
}

static bool same_groups(const struct plan_listener *a, const struct plan_listener *b)
{
	if (a->fail_open != b->fail_open || a->groups.count != b->groups.count)
		return false;
	for (size_t i = 0; i < a->groups.count; i++)
		if (a->groups.items[i].traffic_percentage != b->groups.items[i].traffic_percentage)
			return false;
	return true;
}

/* NULL: as the groups stand. */
static bool same_order(const struct plan_table *a, const struct plan_table *b, size_t groups)
{
	if (!a->order || !b->order)
		return a->order == b->order;
	return !memcmp(a->order, b->order, groups * sizeof(*a->order));
}

static bool is_abnormal(const struct plan_endpoint *endpoint)
{
	return endpoint->health.state == WEIR_HEALTH_ABNORMAL;
}

/* What plan_build() chose last, it would choose again: slots and candidates are the same. */
static bool is_same_choice(const struct plan_listener *before, const struct plan_listener *now,
			   const struct plan_table *table)
{
	const struct plan_table *origin;

	if (!before || before->block != now->block || !same_groups(before, now))
		return false;
	origin = plan_table_at(before, plan_table_family(now, table), table->origin);
	if (!origin->built || !same_order(origin, table, now->groups.count))
		return false;
	/* Endpoints keep their place in the list, new ones come behind. */
	for (size_t i = 0; i < now->endpoints.count; i++) {
		const struct plan_endpoint *a = &before->endpoints.items[i];
		const struct plan_endpoint *b = &now->endpoints.items[i];

		if (i >= before->endpoints.count || a->state != b->state ||
		    is_abnormal(a) != is_abnormal(b) || a->mode != b->mode ||
		    a->weight != b->weight || a->undrained_weight != b->undrained_weight ||
		    a->sharers != b->sharers || a->group_place != b->group_place ||
		    a->reachable != b->reachable)
			return false;
	}
	return true;
}

static int choose_again(const struct plan_table *table, uint32_t *ret_size, uint16_t **ret)
{
	uint16_t *chosen = calloc(table->size, sizeof(*chosen));

	if (!chosen)
		return -ENOMEM;
	for (uint32_t slot = 0; slot < table->size; slot++)
		chosen[slot] = table->slots[slot].current;
	*ret_size = table->size;
	*ret = chosen;
	return 0;
}

/* There is nobody in it. */
static void empty_table(struct plan_table *table)
{
	struct plan_table empty = { .order = take_ptr(table->order), .line = PLAN_NO_LINE };

	plan_table_fini(table);
	*table = empty;
}

static void drop_family(struct plan_listener *listener, enum plan_family family)
{
	plan_clients_drop(&listener->clients[family]);
	empty_table(&listener->table[family]);
}

void plan_tables_drop(struct plan_listener *listener)
{
	for (int family = 0; family < PLAN_FAMILIES; family++)
		drop_family(listener, family);
}

/* Every flow to an endpoint of mode nat is recorded anyway; so slots that name no other need not be
 * careful. */
static bool is_tracked(const struct plan_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->mode != WEIR_MODE_NAT && endpoint->mode != WEIR_MODE_PROXY &&
		    endpoint->state != WEIR_ENDPOINT_GONE)
			return true;
	return false;
}

static int build_table(const struct plan_listener *before, struct plan_listener *listener,
		       struct plan_table *table, const struct plan_shares *shares, uint32_t now)
{
	bool tracked = is_tracked(listener);
	_cleanup_(freep) struct slot *next = NULL;
	_cleanup_(freep) uint16_t *chosen = NULL;
	_cleanup_(freep) bool *gone = NULL;
	struct slots_change change;
	uint32_t size = 0;
	int r;

	if (!is_same_choice(before, listener, table)) {
		r = choose(listener, shares, table->size, &size, &chosen);
	} else if (slots_count(table->slots, table->size, WEIR_STABLE) < table->size) {
		r = choose_again(table, &size, &chosen);
	} else {
		table->change = (struct slots_change){ .slots = table->size };
		return 0;
	}
	if (r < 0)
		return r;
	if (!size || (chosen[0] == WEIR_SLOT_NONE && !tracked)) {
		empty_table(table);
		return 0;
	}
	next = calloc(size, sizeof(*next));
	gone = gone_places(listener);
	if (!next || !gone)
		return -ENOMEM;
	slots_change(table->slots, table->size, chosen, next, size, gone, listener->block_size,
		     tracked, &change);
	if (!change.moving)
		table->deadline = 0;
	else if (change.moved || !table->deadline)
		table->deadline = now + listener->idle_timeout;
	if (size != table->size || memcmp(next, table->slots, size * sizeof(*next)))
		table->line = PLAN_NO_LINE;
	free(table->slots);
	table->slots = take_ptr(next);
	table->size = size;
	table->change = change;
	table->built = true;
	return 0;
}

static int fold(struct plan_listener *listener, const struct plan_table *table,
		struct plan_shares *ret)
{
	enum plan_family family = plan_table_family(listener, table);
	int r = plan_shares_fold(listener, family, table->order, ret);

	if (!r)
		set_want(listener, ret, table == &listener->table[family] ? &family : NULL);
	return r;
}

/* Of a group that only a rule reaches; of requests, so clients of both families have all of it. */
static int want_virtual(struct plan_listener *listener, const char *group)
{
	_cleanup_(plan_shares_fini) struct plan_shares shares = {};
	int r = plan_shares_group(listener, group, &shares);

	for (enum plan_family family = 0; !r && family < PLAN_FAMILIES; family++)
		set_want(listener, &shares, &family);
	return r;
}

/* Endpoints keep their place in the list, new ones come behind. */
static bool same_wants(const struct plan_listener *before, const struct plan_listener *now)
{
	if (!before || before->endpoints.count != now->endpoints.count)
		return false;
	for (size_t i = 0; i < now->endpoints.count; i++)
		if (memcmp(before->endpoints.items[i].want, now->endpoints.items[i].want,
			   sizeof(now->endpoints.items[i].want)))
			return false;
	return true;
}

/* Of clients of the family, to whom groups are near in the table's order. */
static int want_default(struct plan_listener *listener, const struct plan_table *table)
{
	_cleanup_(plan_shares_fini) struct plan_shares shares = {};

	return fold(listener, table, &shares);
}

/* A listener of http has no slots: its workers choose by shares alone. Of its tables the order is
 * left. */
static int build_shares(const struct plan_listener *before, struct plan_listener *listener,
			const bool has[PLAN_FAMILIES])
{
	int r = 0;

	for (int family = 0; family < PLAN_FAMILIES; family++)
		if (!has[family] && !listener->proxied)
			plan_clients_drop(&listener->clients[family]);
	plan_foreach_table(table, listener)
	{
		if (!r &&
		    (has[plan_table_family(listener, table)] || plan_table_number(listener, table)))
			r = want_default(listener, table);
	}
	vec_foreach(endpoint, &listener->endpoints)
		if (!r && endpoint->state != WEIR_ENDPOINT_GONE && !endpoint->named &&
		    endpoint->group_place >= listener->groups.count)
			r = want_virtual(listener, endpoint->group);
	if (!r)
		open_up(listener);
	listener->reshared = !same_wants(before, listener);
	plan_foreach_table(table, listener) empty_table(table);
	return r;
}

/* Who is opened is known when the shares of all tables are, and no table is built before: it has to
 * know whose flows go on. */
static int build_all(const struct plan_listener *before, struct plan_listener *listener,
		     const bool has[PLAN_FAMILIES], struct plan_shares *shares, uint32_t now)
{
	size_t i = 0;
	int r = 0;

	plan_foreach_table(table, listener)
	{
		if (!r && has[plan_table_family(listener, table)])
			r = fold(listener, table, &shares[i]);
		i++;
	}
	if (!r)
		open_up(listener);
	i = 0;
	plan_foreach_table(table, listener)
	{
		if (!r && has[plan_table_family(listener, table)])
			r = build_table(before, listener, table, &shares[i], now);
		i++;
	}
	return r;
}

int plan_tables_build(const struct plan_listener *before, struct plan_listener *listener,
		      uint32_t now)
{
	bool has[PLAN_FAMILIES] = {};
	struct plan_shares *shares;
	size_t count;
	int r;

	vec_foreach(address, &listener->addresses)
		has[plan_family_of(address)] = true;
	if (listener->mode == WEIR_MODE_PROXY)
		return build_shares(before, listener, has);
	for (int family = 0; family < PLAN_FAMILIES; family++)
		if (!has[family])
			drop_family(listener, family);
	count = plan_count_tables(listener);
	shares = calloc(count, sizeof(*shares));
	if (!shares)
		return -ENOMEM;
	r = build_all(before, listener, has, shares, now);
	for (size_t i = 0; i < count; i++)
		plan_shares_fini(&shares[i]);
	free(shares);
	return r;
}
