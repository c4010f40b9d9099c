// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Model + overrides + facts + what is in force = the next plan. The next plan begins as a copy of
 * the one in force with everything marked as leaving; what the model names is then brought back.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "plan/maglev.h"
#include "plan/plan.h"
#include "plan/plan_access.h"
#include "plan/plan_groups.h"
#include "plan/plan_places.h"
#include "plan/plan_shares.h"
#include "plan/plan_tunnel.h"
#include "plan/shares.h"

static void mark_leaving(struct plan *plan)
{
	vec_foreach(listener, &plan->listeners) {
		vec_free(&listener->addresses);
		vec_free(&listener->ports);
		vec_free(&listener->groups);
		vec_foreach(endpoint, &listener->endpoints) {
			endpoint->state = WEIR_ENDPOINT_GONE;
			endpoint->weight = 0;
			endpoint->health = (struct weir_health){};
			endpoint->named = false;
			memset(endpoint->want, 0, sizeof(endpoint->want));
		}
	}
	vec_foreach(snat, &plan->snat)
		snat->used = false;
}

/* Where packets to an address go; empty without a route, a MAC, or an interface of ours. */
static struct weir_nexthop next_hop(const struct plan *plan, const struct facts *facts,
				    const struct addr *address)
{
	const struct facts_target *target = facts_target(facts, address);
	struct weir_nexthop hop = {};

	if (!target || !target->resolved)
		return hop;
	for (size_t i = 1; i < plan->egress.count; i++)
		if (plan->egress.items[i].ifindex == target->ifindex)
			hop.egress = i;
	if (hop.egress)
		memcpy(hop.mac, target->mac, sizeof(hop.mac));
	return hop;
}

/* An endpoint must leave by an interface that carries the data plane, dsr without a router. */
static int check_target(const struct facts *facts, const struct endpoint *endpoint, struct err *err)
{
	const struct facts_target *target = facts_target(facts, &endpoint->address);
	char hop[ADDR_TEXT_MAX];

	if (!target || !target->ifindex || facts->accepted)
		return 0;
	if (!facts_interface(facts, target->ifindex))
		return err_set(err, -EINVAL,
			       "is reached through %s, where weir is not attached; add %s to "
			       "'interfaces' or -i, or run: weir attach %s",
			       target->interface, target->interface, target->interface);
	if (endpoint->mode == WEIR_MODE_DSR && !addr_equal(&target->next_hop, &endpoint->address))
		return err_set(err, -EINVAL,
			       "is behind the router %s, but mode dsr needs endpoints on the "
			       "balancer's own network; use mode: nat, ipip or gue",
			       addr_print(&target->next_hop, hop));
	return 0;
}

/* The three layers: what the file says, what the operator overrides, what health checks found. */
static void fill_endpoint(struct plan_endpoint *to, const struct listener *listener,
			  const struct endpoint_group *group, const struct endpoint *from,
			  const struct overrides *overrides, const struct facts *facts)
{
	snprintf(to->name, sizeof(to->name), "%s", from->name);
	snprintf(to->group, sizeof(to->group), "%s", group->name);
	to->mode = from->mode;
	to->file_weight = from->weight;
	to->sharers = from->sharers;
	if (!from->leaving) {
		to->weight = overrides_weight(overrides, listener, group, from);
		to->undrained_weight = overrides_undrained_weight(overrides, listener, group, from);
	}
	to->health = verdicts_health(facts->verdicts, listener, group, from);
	if (to->health.state == WEIR_HEALTH_ABNORMAL)
		to->state = WEIR_ENDPOINT_DEAD;
	else
		to->state = to->weight ? WEIR_ENDPOINT_ACTIVE : WEIR_ENDPOINT_DRAINING;
}

/* All rows of one endpoint get the same content; those outside the block only keep their flows. */
static int place_endpoint(struct plan_places *places, struct plan_listener *listener,
			  const struct plan_endpoint *content, struct err *err)
{
	struct plan_endpoint fresh = *content;
	bool placed = false;

	vec_foreach(endpoint, &listener->endpoints) {
		uint32_t row = endpoint->row, generation = endpoint->generation;

		if (!addr_equal(&endpoint->address, &content->address) ||
		    endpoint->port != content->port)
			continue;
		*endpoint = *content;
		endpoint->row = row;
		endpoint->generation = generation;
		if (plan_in_block(listener, row)) {
			placed = true;
		} else {
			if (plan_is_usable(endpoint))
				endpoint->state = WEIR_ENDPOINT_DRAINING;
			endpoint->weight = 0;
		}
	}
	if (placed)
		return 0;
	return plan_places_row(places, listener, &fresh, err);
}

/* Said or left out, the listener's own port is one and the same endpoint's. */
static uint16_t port_of(const struct listener *listener, const struct endpoint *endpoint)
{
	const struct port_range *only = listener->ports.items;

	if (endpoint->mode != WEIR_MODE_NAT ||
	    (listener->ports.count == 1 && only->first == only->last &&
	     endpoint->port == only->first))
		return 0;
	return endpoint->port;
}

static int build_endpoints(struct plan_places *places, struct plan_listener *to,
			   const struct listener *from, const struct model *model,
			   const struct overrides *overrides, const struct facts *facts,
			   struct err *err)
{
	struct plan *plan = places->plan;
	size_t wanted = 0;
	int r;

	vec_foreach(group, &from->groups)
		wanted += group->endpoints.count;
	r = plan_places_block(places, to, wanted, err);
	if (r < 0)
		return err_at(err, r, "listener %s", from->name);

	vec_foreach(group, &from->groups) {
		vec_foreach(endpoint, &group->endpoints) {
			struct plan_endpoint content = {
				.address = endpoint->address,
				.port = port_of(from, endpoint),
				.nexthop = next_hop(plan, facts, &endpoint->address),
				.group_place = plan_groups_place(to, group->name),
			};

			fill_endpoint(&content, from, group, endpoint, overrides, facts);
			r = check_target(facts, endpoint, err);
			if (!r && endpoint->mode == WEIR_MODE_NAT)
				r = plan_places_snat(plan, from, model, facts, &content, err);
			r = r ?: plan_tunnel_fill(from, model, facts, &content, err);
			if (plan_tunnel_is_mute(&content))
				content.nexthop = (struct weir_nexthop){};
			content.reachable = content.nexthop.egress;
			if (!r)
				r = place_endpoint(places, to, &content, err);
			if (r < 0)
				return err_at(err, r, "listener %s: endpoint %s", from->name,
					      endpoint->name);
		}
	}
	return 0;
}

static void set_want(struct plan_listener *listener, enum plan_family family,
		     const struct plan_shares *shares)
{
	for (size_t i = 0; shares->sum && i < shares->count; i++) {
		struct plan_endpoint *endpoint = &listener->endpoints.items[shares->places[i]];

		endpoint->want[family] =
			shares_scale(shares->endpoints[i].weight, shares->sum, 1000000);
		endpoint->named |= shares->endpoints[i].weight;
	}
}

/* Rows that the block left behind keep their flows as long as their endpoint does. */
static void open_left_behind(struct plan_listener *listener, const struct plan_endpoint *opened)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->state == WEIR_ENDPOINT_DEAD && endpoint->port == opened->port &&
		    !plan_in_block(listener, endpoint->row) &&
		    addr_equal(&endpoint->address, &opened->address))
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

static bool is_abnormal(const struct plan_endpoint *endpoint)
{
	return endpoint->health.state == WEIR_HEALTH_ABNORMAL;
}

/* What plan_build() chose last, it would choose again: slots and candidates are the same. */
static bool is_same_choice(const struct plan_listener *before, const struct plan_listener *now,
			   enum plan_family family)
{
	if (!before || !before->table[family].built || before->block != now->block ||
	    !same_groups(before, now))
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

static void drop_table(struct plan_table *table)
{
	free(table->slots);
	*table = (struct plan_table){ .line = PLAN_NO_LINE };
}

/* It is left without addresses. */
static void drop_listener(struct plan_listener *listener)
{
	for (int family = 0; family < PLAN_FAMILIES; family++)
		drop_table(&listener->table[family]);
	plan_access_drop(listener);
	listener->new_flows_per_source = (struct rate){};
}

/* Every flow to an endpoint of mode nat is recorded anyway; so slots that name no other need not be
 * careful. */
static bool is_tracked(const struct plan_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->mode != WEIR_MODE_NAT && endpoint->state != WEIR_ENDPOINT_GONE)
			return true;
	return false;
}

static int build_table(const struct plan_listener *before, struct plan_listener *listener,
		       enum plan_family family, const struct plan_shares *shares, uint32_t now)
{
	struct plan_table *table = &listener->table[family];
	bool tracked = is_tracked(listener);
	_cleanup_(freep) struct slot *next = NULL;
	_cleanup_(freep) uint16_t *chosen = NULL;
	_cleanup_(freep) bool *gone = NULL;
	struct slots_change change;
	uint32_t size = 0;
	int r;

	if (!is_same_choice(before, listener, family)) {
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
		drop_table(table);
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

static int fold_family(struct plan_listener *listener, enum plan_family family,
		       struct plan_shares *ret)
{
	_cleanup_(freep) uint16_t *order = calloc(listener->groups.count + 1, sizeof(*order));
	int r;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < listener->groups.count; i++)
		order[i] = i;
	r = plan_shares_fold(listener, family, order, ret);
	if (!r)
		set_want(listener, family, ret);
	return r;
}

/* Who is opened is known when the shares of both families are, and no table is built before: it
 * has to know whose flows go on. */
static int build_tables(const struct plan_listener *before, struct plan_listener *listener,
			uint32_t now)
{
	struct plan_shares shares[PLAN_FAMILIES] = {};
	bool has[PLAN_FAMILIES] = {};
	int r = 0;

	vec_foreach(address, &listener->addresses)
		has[plan_family_of(address)] = true;
	for (int family = 0; !r && family < PLAN_FAMILIES; family++)
		if (has[family])
			r = fold_family(listener, family, &shares[family]);
	if (!r)
		open_up(listener);
	for (int family = 0; !r && family < PLAN_FAMILIES; family++) {
		if (has[family])
			r = build_table(before, listener, family, &shares[family], now);
		else
			drop_table(&listener->table[family]);
	}
	for (int family = 0; family < PLAN_FAMILIES; family++)
		plan_shares_fini(&shares[family]);
	return r;
}

/* Flows may be idle for longer from now on, and so they may since the change. */
static void extend_windows(struct plan_listener *listener, uint32_t idle_timeout)
{
	for (int family = 0; family < PLAN_FAMILIES; family++)
		if (listener->table[family].deadline && idle_timeout > listener->idle_timeout)
			listener->table[family].deadline += idle_timeout - listener->idle_timeout;
}

/* Has it an endpoint whose flows are not recorded each? */
static const struct endpoint *first_stateless(const struct listener *listener)
{
	vec_foreach(group, &listener->groups)
		vec_foreach(endpoint, &group->endpoints)
			if (endpoint->mode != WEIR_MODE_NAT)
				return endpoint;
	return NULL;
}

/* As another seed (below), another way to choose would send a stateless listener's flows elsewhere.
 */
static int check_affinity(const struct plan_listener *in_force, const struct listener *next,
			  struct err *err)
{
	const struct endpoint *stateless = first_stateless(next);

	if (!stateless || !plan_has_stateless(in_force) ||
	    in_force->client_affinity == next->client_affinity ||
	    (!in_force->table[PLAN_IP4].slots && !in_force->table[PLAN_IP6].slots))
		return 0;
	return err_set(
		err, -EBUSY,
		"listener %s: client_affinity cannot change while it is in force in mode %s: "
		"its connections would break; apply the file without the listener first",
		next->name, model_mode_name(stateless->mode));
}

static int build_listener(struct plan_places *places, const struct listener *from,
			  const struct model *model, const struct overrides *overrides,
			  const struct facts *facts, struct plan_access *access, struct err *err)
{
	struct plan_listener *to;
	int r;

	r = plan_places_listener(places, from, &to, err);
	if (r < 0)
		return err_at(err, r, "listener %s", from->name);
	to->mode = from->mode;
	r = check_affinity(to, from, err);
	if (r < 0)
		return r;
	to->client_affinity = from->client_affinity;
	to->vip_route = from->vip_route;
	to->fail_open = from->fail_open;
	to->new_flows_per_source = from->new_flows_per_source;
	extend_windows(to, from->idle_timeout);
	to->idle_timeout = from->idle_timeout;
	vec_foreach(address, &from->addresses)
		if (vec_push(&to->addresses, *address))
			return -ENOMEM;
	vec_foreach(range, &from->ports)
		if (vec_push(&to->ports, *range))
			return -ENOMEM;
	r = plan_access_listener(access, from, to, err);
	if (r < 0)
		return r;
	r = plan_groups_fill(model, overrides, from, to);
	vec_foreach(group, &to->groups)
		r = r ?: plan_groups_region(places->plan, group->region, err);
	r = r ?: build_endpoints(places, to, from, model, overrides, facts, err);
	if (r < 0)
		return r;
	return build_tables(plan_places_before(places, to), to, facts->now);
}

/* Another seed would send every flow of a stateless listener elsewhere. */
static int check_seed(const struct model *model, const struct plan *in_force, struct err *err)
{
	if (model->hash_seed == in_force->hash_seed)
		return 0;
	vec_foreach(listener, &in_force->listeners)
		if (listener->addresses.count && plan_has_stateless(listener))
			return err_set(err, -EBUSY,
				       "hash_seed cannot change from %u to %u while listener %s "
				       "(mode %s) is in force: its connections would break; run "
				       "'weir down' first, or leave the seed as it is",
				       in_force->hash_seed, model->hash_seed, listener->name,
				       model_mode_name(listener->mode));
	return 0;
}

/* Flows of nat are all recorded, those of other modes while their slots change; sources, where
 * their flows are limited. */
static void set_flow_tables(struct plan *plan, const struct model *model)
{
	plan->nat_flows = plan->exceptions = 0;
	plan->limits = false;
	vec_foreach(listener, &model->listeners) {
		if (model_has_nat(listener))
			plan->nat_flows = model->nat_flows;
		if (model_has_stateless(listener))
			plan->exceptions = model->recorded_flows;
		plan->limits |= listener->new_flows_per_source.count;
	}
}

static int build_listeners(struct plan *plan, const struct plan *in_force,
			   const struct model *model, const struct overrides *overrides,
			   const struct facts *facts, struct plan_access *access, struct err *err)
{
	struct plan_places places;
	int r = plan_places_init(&places, plan, in_force);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < model->listeners.count; i++)
		r = build_listener(&places, &model->listeners.items[i], model, overrides, facts,
				   access, err);
	plan_places_fini(&places);
	return r;
}

int plan_build(const struct model *model, const struct overrides *overrides,
	       const struct facts *facts, const struct plan *in_force, struct plan **ret,
	       struct err *err)
{
	_cleanup_(plan_freep) struct plan *plan = plan_copy(in_force);
	_cleanup_(plan_access_fini) struct plan_access access = {
		.model = model,
		.in_force = in_force,
	};
	int r;

	if (!plan)
		return err_set(err, -ENOMEM, "out of memory");
	r = check_seed(model, in_force, err);
	if (r < 0)
		return r;
	plan->hash_seed = model->hash_seed;
	set_flow_tables(plan, model);
	plan->answers_per_second = model->answers_per_second;
	mark_leaving(plan);
	plan_groups_begin(plan);
	r = plan_places_egress(plan, facts, err);
	r = r ?: build_listeners(plan, in_force, model, overrides, facts, &access, err);
	if (r == -ENOMEM)
		return err_set(err, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	vec_foreach(listener, &plan->listeners)
		if (!listener->addresses.count)
			drop_listener(listener);
	plan_groups_end(plan);
	*ret = take_ptr(plan);
	return 0;
}

/* The rows of an endpoint that are in the block get new flows, others keep those they have. */
static bool reweigh_endpoint(struct plan_listener *to, const struct plan_endpoint *content)
{
	bool found = false;

	vec_foreach(endpoint, &to->endpoints) {
		if (!addr_equal(&endpoint->address, &content->address) ||
		    endpoint->port != content->port)
			continue;
		endpoint->health = content->health;
		if (!plan_in_block(to, endpoint->row)) {
			endpoint->state = content->state == WEIR_ENDPOINT_DEAD
						  ? WEIR_ENDPOINT_DEAD
						  : WEIR_ENDPOINT_DRAINING;
			continue;
		}
		endpoint->weight = content->weight;
		endpoint->undrained_weight = content->undrained_weight;
		endpoint->file_weight = content->file_weight;
		endpoint->sharers = content->sharers;
		endpoint->state = content->state;
		found = true;
	}
	return found;
}

static int reweigh(const struct plan_listener *before, struct plan_listener *to,
		   const struct listener *from, const struct overrides *overrides,
		   const struct facts *facts)
{
	vec_foreach(group, &from->groups) {
		uint16_t place = plan_groups_place(to, group->name);

		if (place < to->groups.count)
			to->groups.items[place].traffic_percentage =
				overrides_percentage(overrides, from, group);
		vec_foreach(endpoint, &group->endpoints) {
			struct plan_endpoint content = {
				.address = endpoint->address,
				.port = port_of(from, endpoint),
			};

			fill_endpoint(&content, from, group, endpoint, overrides, facts);
			if (!reweigh_endpoint(to, &content))
				return -ESRCH;
		}
	}
	vec_foreach(endpoint, &to->endpoints) {
		memset(endpoint->want, 0, sizeof(endpoint->want));
		endpoint->named = false;
	}
	return build_tables(before, to, facts->now);
}

int plan_reweigh(const struct listener *const *listeners, size_t count,
		 const struct overrides *overrides, const struct facts *facts,
		 const struct plan *in_force, struct plan **ret, struct err *err)
{
	_cleanup_(plan_freep) struct plan *plan = NULL;
	int r = 0;

	plan = plan_begin(in_force);
	if (!plan)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; !r && i < count; i++) {
		const struct plan_listener *before =
			plan_find_listener(in_force, listeners[i]->name);

		r = before ? plan_copy_listener(plan, before) : -ESRCH;
		if (!r)
			r = reweigh(before, &plan->listeners.items[i], listeners[i], overrides,
				    facts);
	}
	if (r < 0)
		return err_set(err, r, "%s", strerror(-r));
	*ret = take_ptr(plan);
	return 0;
}

bool plan_resolve(struct plan *plan, const struct facts *facts)
{
	bool changed = false;

	vec_foreach(listener, &plan->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			struct weir_nexthop hop = {};

			if (!plan_tunnel_is_mute(endpoint))
				hop = next_hop(plan, facts, &endpoint->address);
			if (endpoint->state == WEIR_ENDPOINT_GONE ||
			    !memcmp(&hop, &endpoint->nexthop, sizeof(hop)))
				continue;
			endpoint->nexthop = hop;
			changed = true;
		}
	}
	return changed;
}
