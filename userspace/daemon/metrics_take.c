// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/metrics_take.h"

#include <errno.h>
#include <string.h>

#include "daemon/confirm.h"
#include "daemon/interfaces.h"
#include "daemon/upkeep.h"
#include "daemon/workers.h"
#include "dataplane/counters.h"

#define ROWS_AT_ONCE 256
#define RESTARTS_MAX 8 /* then all that is left is read at once */

void metrics_take_fini(struct metrics_taking *taking)
{
	metrics_text_free(taking->snapshot);
	*taking = (struct metrics_taking){};
}

static int begin(struct daemon *daemon, const struct metrics_daemon *known,
		 struct metrics_taking *taking)
{
	unsigned restarts = taking->restarts;
	struct metrics_snapshot *snapshot;
	struct weir_listener_stats stats;
	int r;

	metrics_take_fini(taking);
	taking->restarts = restarts;
	taking->generation = daemon->generation;
	taking->listeners = daemon->plan->listeners.count;
	snapshot = taking->snapshot = calloc(1, sizeof(*snapshot));
	if (!snapshot)
		return -ENOMEM;
	snapshot->start = known->start;
	snapshot->configuration = known->configuration;
	snapshot->configuration_time = known->configuration_time;
	snapshot->unconfirmed = confirm_left(daemon);
	snapshot->overrides = daemon->state.overrides.list.count;
	if (workers_tally(daemon)) {
		r = tally_refresh(workers_tally(daemon));
		if (r < 0)
			return r;
		snapshot->lines_lost = tally_lines_lost(workers_tally(daemon));
	}
	r = counters_reasons(daemon->object, 0, &stats);
	if (r < 0)
		return r;
	memcpy(snapshot->nowhere, stats.reason, sizeof(snapshot->nowhere));
	return interfaces_list(daemon, daemon->model, &snapshot->attachments, NULL);
}

/* Has an endpoint two rows, while the listener's block moves? */
static bool is_moving(const struct plan_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->state != WEIR_ENDPOINT_GONE &&
		    !plan_in_block(listener, endpoint->row))
			return true;
	return false;
}

/* The entry of the same endpoint in another row, or a new one. */
static struct metrics_endpoint *entry_of(struct metrics_listener *listener, bool moving,
					 const struct plan_endpoint *endpoint)
{
	struct metrics_endpoint fresh = { .address = endpoint->address, .port = endpoint->port };

	for (size_t i = 0; moving && i < listener->endpoints.count; i++) {
		struct metrics_endpoint *entry = &listener->endpoints.items[i];

		if (entry->port == endpoint->port &&
		    addr_equal(&entry->address, &endpoint->address) &&
		    !strcmp(entry->name, endpoint->name) && !strcmp(entry->group, endpoint->group))
			return entry;
	}
	strcpy(fresh.name, endpoint->name);
	strcpy(fresh.group, endpoint->group);
	if (vec_push(&listener->endpoints, fresh))
		return NULL;
	return &listener->endpoints.items[listener->endpoints.count - 1];
}

/* The row that takes new flows speaks for the endpoint. */
static void describe(const struct plan_listener *listener, const struct plan_endpoint *endpoint,
		     struct metrics_endpoint *entry)
{
	enum plan_family own = plan_family_of(&endpoint->address);

	if (entry->current && !plan_in_block(listener, endpoint->row))
		return;
	entry->current = true;
	entry->weight = endpoint->weight;
	entry->up = endpoint->health.state != WEIR_HEALTH_ABNORMAL;
	entry->want = (endpoint->want[own] ?: endpoint->want[!own]) / 1e6;
	entry->changes = endpoint->health.changes;
	entry->probe = endpoint->health.latency;
}

static int add_row(const struct daemon *daemon, struct metrics_taking *taking,
		   const struct plan_listener *plan, const struct plan_endpoint *endpoint,
		   bool moving, struct metrics_listener *listener)
{
	const struct weir_nat_latency *latency = &daemon->object->nat_latency[endpoint->row];
	struct weir_endpoint_stats stats;
	struct metrics_endpoint *entry;
	int r = counters_endpoint(daemon->object, endpoint->row, &stats);

	if (r < 0)
		return r;
	taking->rows++;
	taking->nat_flows += stats.nat_opened - stats.nat_closed;
	counters_add(&listener->traffic, &stats.traffic);
	listener->has_latency |=
		endpoint->mode == WEIR_MODE_NAT || endpoint->mode == WEIR_MODE_PROXY;
	for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++)
		listener->latency[i] += latency->answers[i];
	if (endpoint->state == WEIR_ENDPOINT_GONE)
		return 0;
	entry = entry_of(listener, moving, endpoint);
	if (!entry)
		return -ENOMEM;
	describe(plan, endpoint, entry);
	counters_add(&entry->traffic, &stats.traffic);
	return 0;
}

/* What workers count beside the maps. */
static int add_tally(const struct daemon *daemon, struct metrics_listener *listener)
{
	const struct listener *model = model_find_listener(daemon_model(daemon), listener->name);
	struct tally *tally = workers_tally(daemon);
	int r = 0;

	if (!listener->is_http || !tally || !model || !model->http)
		return 0;
	tally_sum_listener(tally, tally_find_listener(tally, listener->name), &listener->tally);
	vec_foreach(endpoint, &listener->endpoints) {
		const struct tally_name name = { listener->name, endpoint->group, endpoint->name,
						 &endpoint->address, endpoint->port };

		tally_look(tally, &name, &endpoint->sight);
	}
	vec_foreach(rule, &model->http->rules) {
		struct metrics_rule entry = {
			.requests =
				tally_sum_rule(tally, tally_find_rule(tally, listener->name, rule)),
		};

		if (*rule->name)
			strcpy(entry.name, rule->name);
		else
			snprintf(entry.name, sizeof(entry.name), "#%zu",
				 rule - model->http->rules.items + 1);
		r = r ?: vec_push(&listener->rules, entry);
	}
	return r;
}

static int add_listener(const struct daemon *daemon, struct metrics_taking *taking,
			const struct plan_listener *plan)
{
	struct metrics_listener listener = {};
	struct weir_listener_stats stats;
	bool moving = is_moving(plan);
	int r = counters_reasons(daemon->object, plan->id, &stats);

	if (r < 0)
		return r;
	strcpy(listener.name, plan->name);
	memcpy(listener.reasons, stats.reason, sizeof(listener.reasons));
	listener.is_http = plan->mode == WEIR_MODE_PROXY;
	listener.http = daemon->object->listener_http[plan->id];
	listener.traffic = daemon->object->listener_info[plan->id].retired;
	vec_foreach(endpoint, &plan->endpoints)
		r = r ?: add_row(daemon, taking, plan, endpoint, moving, &listener);
	r = r ?: add_tally(daemon, &listener);
	listener.reasons[WEIR_R_FORWARDED] = listener.traffic.packets;
	listener.reasons[WEIR_R_REPLIED] = listener.traffic.reply_packets;
	vec_foreach(endpoint, &listener.endpoints)
		listener.usable += endpoint->want > 0;
	/* One that is removed waits for its last flows. */
	if (!r && plan->addresses.count)
		r = vec_push(&taking->snapshot->listeners, listener);
	else
		metrics_text_fini(&listener);
	return r;
}

static int add_maps(const struct daemon *daemon, struct metrics_taking *taking)
{
	const struct capacity *capacity = &daemon->object->capacity;
	const struct metrics_map maps[] = {
		{ "listeners", taking->listeners, capacity->of[CAPACITY_LISTENERS] },
		{ "endpoints", taking->rows, capacity->of[CAPACITY_ROWS] },
		{ "nat_flows", taking->nat_flows, capacity->of[CAPACITY_NAT_FLOWS] },
		{ "recorded_flows", upkeep_recorded(daemon->upkeep),
		  capacity->of[CAPACITY_EXCEPTIONS] },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		r = r ?: vec_push(&taking->snapshot->maps, maps[i]);
	return r;
}

int metrics_take(struct daemon *daemon, const struct metrics_daemon *known,
		 struct metrics_taking *taking)
{
	const struct plan *plan = daemon->plan;
	size_t first, enough;
	int r = 0;

	if (taking->snapshot && (taking->generation != daemon->generation ||
				 taking->listeners != plan->listeners.count)) {
		taking->restarts++;
		metrics_text_free(take_ptr(taking->snapshot));
	}
	if (!taking->snapshot) {
		taking->next = 0;
		r = begin(daemon, known, taking);
	}
	first = taking->rows;
	enough = taking->restarts > RESTARTS_MAX ? SIZE_MAX : ROWS_AT_ONCE;
	while (!r && taking->next < plan->listeners.count && taking->rows - first < enough)
		r = add_listener(daemon, taking, &plan->listeners.items[taking->next++]);
	if (r < 0)
		return r;
	return taking->next < plan->listeners.count ? 1 : add_maps(daemon, taking);
}
