// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/preview.h"

#include <errno.h>
#include <string.h>

#include "daemon/change.h"
#include "daemon/checkup.h"
#include "daemon/interfaces.h"
#include "daemon/locating.h"
#include "daemon/repair.h"
#include "daemon/world.h"
#include "dataplane/flows.h"

void preview_fini(struct preview *preview)
{
	diff_fini(&preview->diff);
	plan_free(preview->plan);
	vec_free(&preview->flows);
	overrides_fini(&preview->cleared);
	drift_fini(&preview->drift);
}

/* As if all interfaces were attached, and new neighbours had answered. */
static int gather(struct daemon *daemon, const struct model *model, struct facts *ret,
		  struct err *err)
{
	struct attachments attachments = {};
	struct facts facts = {};
	int r = interfaces_wanted(daemon, model, &attachments, err);

	r = r ?: world_gather(daemon->nl, model, &attachments, false, &facts, err);
	vec_free(&attachments.list);
	if (r < 0)
		return r;
	facts.now = object_now(daemon->object);
	facts.verdicts = checkup_verdicts(daemon->checkup);
	world_remember(&daemon->facts, &facts);
	vec_foreach(target, &facts.targets)
		if (target->ifindex && !facts_target(&daemon->facts, &target->address))
			target->resolved = true;
	*ret = facts;
	return 0;
}

static int build(struct daemon *daemon, const struct model *model, struct preview *preview,
		 struct err *err)
{
	_cleanup_(overrides_fini) struct overrides overrides = {};
	_cleanup_(model_freep) struct model *expanded = NULL;
	_cleanup_(facts_fini) struct facts facts = {};
	int r;

	if (overrides_copy(&daemon->state.overrides, &overrides))
		return err_set(err, -ENOMEM, "out of memory");
	overrides_prune(&overrides, model);
	r = change_expand(daemon, model, &overrides, &expanded, err);
	model = expanded ?: model;
	r = r ?: gather(daemon, model, &facts, err);
	r = r ?: checkup_try(model, err);
	r = r ?: locating_find(daemon->locating, model, LOCATING_READ, &facts.locations, err);
	r = r ?: world_check(daemon->nl, model, &facts, err);
	return r ?: plan_build(model, &overrides, &facts, daemon->plan, &preview->plan, err);
}

static bool takes_flows(const struct plan_endpoint *endpoint)
{
	return endpoint && endpoint->state != WEIR_ENDPOINT_GONE &&
	       endpoint->state != WEIR_ENDPOINT_DEAD;
}

/* A row that the block left behind has the same name as the one that took its place. */
static int add_flows(struct preview *preview, const struct plan_listener *listener,
		     const struct plan_endpoint *endpoint, uint32_t count)
{
	struct preview_flows flows = {
		.address = endpoint->address,
		.flows = count,
		.counted = endpoint->mode == WEIR_MODE_NAT,
	};

	vec_foreach(known, &preview->flows) {
		if (strcmp(known->listener, listener->name) ||
		    strcmp(known->group, endpoint->group) ||
		    strcmp(known->endpoint, endpoint->name) ||
		    !addr_equal(&known->address, &endpoint->address))
			continue;
		known->flows += count;
		return 0;
	}
	memcpy(flows.listener, listener->name, sizeof(flows.listener));
	memcpy(flows.group, endpoint->group, sizeof(flows.group));
	memcpy(flows.endpoint, endpoint->name, sizeof(flows.endpoint));
	return vec_push(&preview->flows, flows);
}

static int find_flows(struct daemon *daemon, struct preview *preview, struct err *err)
{
	_cleanup_(flows_fini) struct flows flows = {};
	int r = flows_scan(daemon->object, object_now(daemon->object), false, &flows, err);

	if (r < 0)
		return r;
	vec_foreach(listener, &daemon->plan->listeners) {
		const struct plan_listener *next = plan_find_id(preview->plan, listener->id);

		vec_foreach(endpoint, &listener->endpoints) {
			uint32_t count = flows.by_row[endpoint->row];

			if (r || !takes_flows(endpoint) ||
			    (next && takes_flows(plan_find_row(next, endpoint->row))) ||
			    (!count && endpoint->mode == WEIR_MODE_NAT))
				continue;
			r = add_flows(preview, listener, endpoint, count);
		}
	}
	return r < 0 ? err_set(err, r, "out of memory") : 0;
}

static bool lets_in(const struct plan_listener *listener, const struct addr *client)
{
	const struct bounds *ranges = listener->ranges[plan_family_of(client)];
	bool listed = ranges && bounds_has(ranges, client);

	if (listener->access == WEIR_ACCESS_ALL)
		return true;
	return listed == (listener->access == WEIR_ACCESS_ALLOW);
}

static bool same_access(const struct plan_listener *a, const struct plan_listener *b)
{
	for (int family = 0; family < PLAN_FAMILIES; family++)
		if (!a->ranges[family] != !b->ranges[family] ||
		    (a->ranges[family] && !bounds_equal(a->ranges[family], b->ranges[family])))
			return false;
	return a->access == b->access;
}

/* By row, the listeners to be that let in others than now, and whom they keep out. */
struct shut_out {
	struct preview *preview;
	const struct plan_listener **by_row;
	bool any;
};

static int on_flow(const struct flows_entry *entry, void *user)
{
	struct shut_out *search = user;
	const struct plan_listener *listener = search->by_row[entry->row];
	struct preview_flows flows = { .flows = 1 };
	struct addr client;

	memcpy(client.bytes, entry->key.src, sizeof(client.bytes));
	if (!listener || lets_in(listener, &client))
		return 0;
	vec_foreach(known, &search->preview->flows) {
		if (!known->group[0] && !strcmp(known->listener, listener->name)) {
			known->flows++;
			return 0;
		}
	}
	memcpy(flows.listener, listener->name, sizeof(flows.listener));
	flows.counted = !plan_has_stateless(listener);
	return vec_push(&search->preview->flows, flows);
}

static void note_listener(struct shut_out *search, const struct plan_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (takes_flows(endpoint))
			search->by_row[endpoint->row] = listener;
	search->any = true;
}

/* Lists of addresses are asked for every packet: a change of them ends connections. */
static int find_shut_out(struct daemon *daemon, struct preview *preview, struct err *err)
{
	_cleanup_(freep) const struct plan_listener **by_row =
		calloc(WEIR_MAX_ENDPOINTS, sizeof(*by_row));
	struct shut_out search = { .preview = preview, .by_row = by_row };
	int r = 0;

	if (!by_row)
		return err_set(err, -ENOMEM, "out of memory");
	vec_foreach(listener, &daemon->plan->listeners) {
		const struct plan_listener *next = plan_find_id(preview->plan, listener->id);

		if (next && next->addresses.count && !same_access(listener, next))
			note_listener(&search, next);
	}
	if (search.any)
		r = flows_each(daemon->object, object_now(daemon->object), on_flow, &search, err);
	return r == -ENOMEM ? err_set(err, r, "out of memory") : r;
}

int preview_make(struct daemon *daemon, const struct model *model, struct preview *ret,
		 struct err *err)
{
	_cleanup_(preview_fini) struct preview preview = {};
	int r = build(daemon, model, &preview, err);

	r = r ?: find_flows(daemon, &preview, err);
	r = r ?: find_shut_out(daemon, &preview, err);
	if (!r && (diff_models(daemon->model, model, &preview.diff) ||
		   overrides_lost(&daemon->state.overrides, model, &preview.cleared)))
		r = err_set(err, -ENOMEM, "out of memory");
	r = r ?: repair_find(daemon, &preview.drift, err);
	if (r < 0)
		return r;
	*ret = preview;
	preview = (struct preview){};
	return 0;
}

bool preview_differs(const struct preview *preview)
{
	if (preview->diff.items.count || preview->flows.count || preview->cleared.list.count ||
	    preview->drift.count)
		return true;
	vec_foreach(listener, &preview->plan->listeners)
		plan_foreach_table(table, listener) if (table->change.moved) return true;
	return false;
}
