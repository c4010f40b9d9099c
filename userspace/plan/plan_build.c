// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Model + overrides + facts + what is in force = the next plan. The next plan begins as a copy of
 * the one in force with everything marked as leaving; what the model names is then brought back.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "plan/plan.h"
#include "plan/plan_access.h"
#include "plan/plan_clients.h"
#include "plan/plan_groups.h"
#include "plan/plan_places.h"
#include "plan/plan_tables.h"
#include "plan/plan_tunnel.h"

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
	const struct facts_interface *interface;
	struct weir_nexthop hop = {};

	if (!target || !target->resolved)
		return hop;
	interface = facts_interface(facts, target->ifindex);
	if (interface)
		hop.egress = plan_places_find_egress(plan, interface);
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
	to->mode = listener->http ? WEIR_MODE_PROXY : from->mode;
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

		if (!plan_is_same(endpoint, content))
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

/* What plan_build() goes by. */
struct build {
	const struct model *model;
	const struct overrides *overrides;
	const struct facts *facts;
	struct plan_places places;
	struct plan_access access;
	struct plan_clients_regions regions;
};

static int build_endpoints(struct build *build, struct plan_listener *to,
			   const struct listener *from, struct err *err)
{
	const struct facts *facts = build->facts;
	struct plan *plan = build->places.plan;
	size_t wanted = 0;
	int r;

	vec_foreach(group, &from->groups)
		wanted += group->endpoints.count;
	r = plan_places_block(&build->places, to, wanted, err);
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

			fill_endpoint(&content, from, group, endpoint, build->overrides, facts);
			r = from->http ? 0 : check_target(facts, endpoint, err);
			if (!r && content.mode == WEIR_MODE_NAT)
				r = plan_places_snat(plan, from, build->model, facts, &content,
						     err);
			r = r ?: plan_tunnel_fill(from, build->model, facts, &content, err);
			if (plan_tunnel_is_mute(&content))
				content.nexthop = (struct weir_nexthop){};
			/* Workers send by whatever way the host has. */
			content.reachable = content.nexthop.egress || from->http;
			if (!r)
				r = place_endpoint(&build->places, to, &content, err);
			if (r < 0)
				return err_at(err, r, "listener %s: endpoint %s", from->name,
					      endpoint->name);
		}
	}
	return 0;
}

/* It is left without addresses. */
static void drop_listener(struct plan_listener *listener)
{
	plan_tables_drop(listener);
	plan_access_drop(listener);
	listener->new_flows_per_source = (struct rate){};
	listener->cookies = (struct facts_cookies){};
}

/* Flows may be idle for longer from now on, and so they may since the change. */
static void extend_windows(struct plan_listener *listener, uint32_t idle_timeout)
{
	plan_foreach_table(table,
			   listener) if (table->deadline && idle_timeout > listener->idle_timeout)
		table->deadline += idle_timeout - listener->idle_timeout;
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

static bool has_slots(const struct plan_listener *listener)
{
	plan_foreach_table(table, listener) if (table->slots) return true;
	return false;
}

/* As another seed (below), another way to choose would send a stateless listener's flows elsewhere.
 */
static int check_affinity(const struct plan_listener *in_force, const struct listener *next,
			  struct err *err)
{
	const struct endpoint *stateless = first_stateless(next);

	if (!stateless || !plan_has_stateless(in_force) ||
	    in_force->client_affinity == next->client_affinity || !has_slots(in_force))
		return 0;
	return err_set(
		err, -EBUSY,
		"listener %s: client_affinity cannot change while it is in force in mode %s: "
		"its connections would break; apply the file without the listener first",
		next->name, model_mode_name(stateless->mode));
}

static int build_listener(struct build *build, const struct listener *from, struct err *err)
{
	struct plan_listener *to;
	int r;

	r = plan_places_listener(&build->places, from, &to, err);
	if (r < 0)
		return err_at(err, r, "listener %s", from->name);
	to->mode = from->http ? WEIR_MODE_PROXY : from->mode;
	r = check_affinity(to, from, err);
	if (r < 0)
		return r;
	to->client_affinity = from->client_affinity;
	to->vip_route = from->vip_route;
	to->fail_open = from->fail_open;
	to->proxied = from->http && from->http->proxy_sources.count;
	to->new_flows_per_source = from->new_flows_per_source;
	to->cookies = from->http && from->http->syn_cookies ? build->facts->cookies
							    : (struct facts_cookies){};
	extend_windows(to, from->idle_timeout);
	to->idle_timeout = from->idle_timeout;
	vec_foreach(address, &from->addresses)
		if (vec_push(&to->addresses, *address))
			return -ENOMEM;
	vec_foreach(range, &from->ports)
		if (vec_push(&to->ports, *range))
			return -ENOMEM;
	r = plan_access_listener(&build->access, from, to, err);
	if (r < 0)
		return r;
	r = plan_groups_fill(build->model, build->overrides, from, to);
	vec_foreach(group, &to->groups)
		r = r ?: plan_groups_region(build->places.plan, group->region, err);
	r = r ?: build_endpoints(build, to, from, err);
	r = r ?: plan_clients_arrange(&build->regions, to);
	r = r ?: plan_tables_build(plan_places_before(&build->places, to), to, build->facts->now);
	if (r < 0)
		return r;
	plan_clients_merge(to);
	return 0;
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

static int build_listeners(struct build *build, struct plan *plan, const struct plan *in_force,
			   struct err *err)
{
	int r = plan_places_init(&build->places, plan, in_force);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < build->model->listeners.count; i++)
		r = build_listener(build, &build->model->listeners.items[i], err);
	plan_places_fini(&build->places);
	return r;
}

static void build_fini(struct build *build)
{
	plan_access_fini(&build->access);
}

int plan_build(const struct model *model, const struct overrides *overrides,
	       const struct facts *facts, const struct plan *in_force, struct plan **ret,
	       struct err *err)
{
	_cleanup_(plan_freep) struct plan *plan = plan_copy(in_force);
	_cleanup_(build_fini) struct build build = {
		.model = model,
		.overrides = overrides,
		.facts = facts,
		.access = { .model = model, .in_force = in_force },
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
	r = plan_clients_begin(plan, model, facts, &build.regions, err);
	r = r ?: plan_places_egress(plan, facts, err);
	r = r ?: build_listeners(&build, plan, in_force, err);
	if (r == -ENOMEM)
		return err_set(err, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	vec_foreach(listener, &plan->listeners)
		if (!listener->addresses.count)
			drop_listener(listener);
	plan_clients_end(plan);
	plan_groups_end(plan);
	*ret = take_ptr(plan);
	return 0;
}

/* The rows of an endpoint that are in the block get new flows, others keep those they have. */
static bool reweigh_endpoint(struct plan_listener *to, const struct plan_endpoint *content)
{
	bool found = false;

	vec_foreach(endpoint, &to->endpoints) {
		if (!plan_is_same(endpoint, content))
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
	plan_foreach_table(table, to) table->origin = plan_table_number(to, table);
	if (plan_tables_build(before, to, facts->now) < 0)
		return -ENOMEM;
	plan_clients_merge(to);
	return 0;
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
