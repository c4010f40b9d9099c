// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/report.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "daemon/state.h"
#include "dataplane/flows.h"

void report_fini(struct report *report)
{
	vec_foreach(listener, &report->listeners)
		vec_free(&listener->endpoints);
	vec_free(&report->listeners);
	vec_free(&report->unresolved);
	json_decref(report->names);
	tally_free(report->tally);
	plan_free(report->plan);
	object_close(report->object);
	*report = (struct report){};
}

/* The entry of the same endpoint in another row, or a new one. */
static struct report_endpoint *entry_of(struct report_listener *listener,
					const struct plan_endpoint *endpoint)
{
	vec_foreach(entry, &listener->endpoints)
		if (plan_is_same(entry->plan, endpoint))
			return entry;
	if (vec_push(&listener->endpoints, (struct report_endpoint){ .plan = endpoint }))
		return NULL;
	return &listener->endpoints.items[listener->endpoints.count - 1];
}

/* UDP packets of a stateless listener cannot be told apart by flow. */
static bool counts_flows(const struct plan_listener *listener)
{
	return listener->protocol == IPPROTO_TCP || !plan_has_stateless(listener);
}

/* Of the clients of the endpoint's own family, or, where the listener has none, of the other. */
static double want_of(const struct plan_endpoint *endpoint)
{
	enum plan_family own = plan_family_of(&endpoint->address);

	return (endpoint->want[own] ?: endpoint->want[!own]) / 1e6;
}

static int add_endpoint(const struct report *report, const struct flows *flows,
			struct report_listener *listener, const struct plan_endpoint *endpoint)
{
	const struct weir_endpoint_info *info = &report->object->endpoint_info[endpoint->row];
	struct report_endpoint *entry = entry_of(listener, endpoint);
	struct weir_endpoint_stats stats;
	int r;

	if (!entry)
		return -ENOMEM;
	r = counters_endpoint(report->object, endpoint->row, &stats);
	if (r < 0)
		return r;
	/* The row that takes new flows speaks for the endpoint. */
	if (plan_in_block(listener->plan, endpoint->row))
		entry->plan = endpoint;
	counters_add(&entry->traffic, &stats.traffic);
	entry->flows += flows->by_row[endpoint->row];
	for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++)
		entry->latency.answers[i] += report->object->nat_latency[endpoint->row].answers[i];
	counters_add_http(&entry->http, &report->object->endpoint_http[endpoint->row]);
	entry->want = want_of(endpoint) ?: entry->want;
	entry->since += counts_flows(listener->plan) ? stats.traffic.flows - info->flows_before
						     : stats.traffic.packets - info->packets_before;
	return 0;
}

/* What workers know of it. */
static void look_at(const struct report *report, const struct plan_listener *listener,
		    struct report_endpoint *entry)
{
	const struct tally_name name = {
		.listener = listener->name,
		.group = entry->plan->group,
		.endpoint = entry->plan->name,
		.address = &entry->plan->address,
		.port = entry->plan->port,
	};

	if (report->tally && listener->mode == WEIR_MODE_PROXY)
		tally_look(report->tally, &name, &entry->sight);
}

/* Endpoints of a family share its clients; where one serves both, all share all of them. */
static bool is_one_pool(const struct report_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints)
		if (plan_serves(listener->plan, endpoint->plan, PLAN_IP4) &&
		    plan_serves(listener->plan, endpoint->plan, PLAN_IP6))
			return true;
	return false;
}

/* Do requests choose between the two? */
static bool shares_requests(const struct plan_endpoint *a, const struct plan_endpoint *b)
{
	if (a->group_place == WEIR_NO_GROUP || b->group_place == WEIR_NO_GROUP)
		return !strcmp(a->group, b->group);
	return true;
}

static void set_got_of_requests(struct report_listener *listener)
{
	vec_foreach(endpoint, &listener->endpoints) {
		uint64_t all = 0;

		vec_foreach(other, &listener->endpoints)
			if (shares_requests(endpoint->plan, other->plan))
				all += other->since;
		endpoint->got = all ? (double)endpoint->since / all : -1;
	}
}

static void set_got(struct report_listener *listener)
{
	bool one_pool = is_one_pool(listener);
	uint64_t sum[PLAN_FAMILIES] = {};

	if (listener->plan->mode == WEIR_MODE_PROXY) {
		set_got_of_requests(listener);
		return;
	}
	vec_foreach(endpoint, &listener->endpoints)
		sum[one_pool ? 0 : plan_family_of(&endpoint->plan->address)] += endpoint->since;
	vec_foreach(endpoint, &listener->endpoints) {
		uint64_t all = sum[one_pool ? 0 : plan_family_of(&endpoint->plan->address)];

		endpoint->got = all ? (double)endpoint->since / all : -1;
	}
}

/* Only now: shares are of all endpoints, whichever are shown. */
static void keep_selected(struct report_listener *listener, const struct selector *selector)
{
	size_t kept = 0;

	vec_foreach(endpoint, &listener->endpoints)
		if (selector_matches(selector, listener->plan->name, endpoint->plan->group,
				     endpoint->plan->name))
			listener->endpoints.items[kept++] = *endpoint;
	listener->endpoints.count = kept;
}

static int compare_endpoints(const void *a, const void *b)
{
	const struct report_endpoint *x = a, *y = b;
	int order = strcmp(x->plan->group, y->plan->group);

	return order ?: (x->plan->row > y->plan->row) - (x->plan->row < y->plan->row);
}

static int add_listener(struct report *report, const struct flows *flows,
			const struct selector *selector, const struct plan_listener *plan)
{
	struct report_listener listener = { .plan = plan };
	int r = counters_listener(report->object, plan, &listener.stats);

	counters_add_http(&listener.http, &report->object->listener_http[plan->id]);
	if (report->tally)
		tally_sum_listener(report->tally, tally_find_listener(report->tally, plan->name),
				   &listener.tally);
	vec_foreach(endpoint, &plan->endpoints)
		if (endpoint->state != WEIR_ENDPOINT_GONE)
			r = r ?: add_endpoint(report, flows, &listener, endpoint);
	vec_foreach(entry, &listener.endpoints)
		look_at(report, plan, entry);
	if (listener.endpoints.count)
		qsort(listener.endpoints.items, listener.endpoints.count,
		      sizeof(*listener.endpoints.items), compare_endpoints);
	set_got(&listener);
	keep_selected(&listener, selector);
	r = r ?: vec_push(&report->listeners, listener);
	if (r)
		vec_free(&listener.endpoints);
	return r;
}

static int compare_listeners(const void *a, const void *b)
{
	const struct plan_listener *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int read_all(struct report *report, const struct selector *selector, struct err *err)
{
	_cleanup_(flows_fini) struct flows flows = {};
	int r;

	r = flows_scan(report->object, object_now(report->object), false, &flows, err);
	if (r < 0)
		return r;
	if (report->plan->listeners.count)
		qsort(report->plan->listeners.items, report->plan->listeners.count,
		      sizeof(*report->plan->listeners.items), compare_listeners);
	r = counters_listener(report->object, NULL, &report->elsewhere);
	vec_foreach(listener, &report->plan->listeners)
		if (listener->addresses.count &&
		    selector_matches_listener(selector, listener->name))
			r = r ?: add_listener(report, &flows, selector, listener);
	return r < 0 ? err_set(err, r, "cannot read the counters: %s", strerror(-r)) : 0;
}

/* Endpoints without an address have no row: the daemon's file has them. One that is not to be read
 * is no reason to show nothing. */
static int read_unresolved(const struct cli *cli, const struct selector *selector,
			   struct report *report)
{
	struct report_unresolved one;
	json_t *item;
	size_t i;

	if (state_read_object(cli->instance, "names.json", &report->names, NULL) < 0)
		return 0;
	json_array_foreach(json_object_get(report->names, "unresolved"), i, item) {
		if (json_unpack(item, "{s:s, s:s, s:s, s:s, s:s, s:s}", "listener", &one.listener,
				"group", &one.group, "endpoint", &one.endpoint, "type", &one.type,
				"address", &one.address, "why", &one.why) ||
		    !selector_matches(selector, one.listener, one.group, one.endpoint))
			continue;
		if (vec_push(&report->unresolved, one))
			return -ENOMEM;
	}
	return 0;
}

int report_no_match(const struct plan *plan, const struct selector *selector, const char *text,
		    struct err *err)
{
	struct selector_search search = { .nearest.word = text };

	vec_foreach(listener, &plan->listeners) {
		if (selector->parts == 1)
			selector_offer(&search, listener->name, "", "");
		vec_foreach(endpoint, &listener->endpoints)
			if (selector->parts > 1)
				selector_offer(&search, listener->name, endpoint->group,
					       selector->parts == 2 ? "" : endpoint->name);
	}
	return selector_no_match(&search, selector, err);
}

static bool is_empty(const struct report *report, const struct selector *selector)
{
	if (report->unresolved.count)
		return false;
	vec_foreach(listener, &report->listeners)
		if (selector->parts < 2 || listener->endpoints.count)
			return false;
	return true;
}

int report_open_tally(const struct cli *cli, struct tally **ret, struct err *err)
{
	char path[TALLY_PATH_MAX];
	int r = tally_open(tally_path(cli->instance, path), ret, err);

	return r == -ENOENT ? 0 : r;
}

int report_open(const struct cli *cli, const char *text, struct report *ret, struct err *err)
{
	_cleanup_(report_fini) struct report report = {};
	struct selector selector = {};
	int r = text ? selector_parse(text, &selector, err) : 0;

	if (r < 0)
		return r;
	r = client_open(cli, &report.object, &report.plan, err);
	r = r ?: report_open_tally(cli, &report.tally, err);
	r = r ?: read_all(&report, &selector, err);
	if (!r && read_unresolved(cli, &selector, &report) < 0)
		r = err_set(err, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	if (text && is_empty(&report, &selector))
		return report_no_match(report.plan, &selector, text, err);
	*ret = report;
	report = (struct report){};
	return 0;
}

/* {source, mtu, gue_port}, or null. */
static json_t *tunnel_json(const struct plan_endpoint *endpoint)
{
	const struct plan_tunnel *tunnel = &endpoint->tunnel;
	struct addr_prefix source = { .addr = tunnel->source, .bits = 128 - tunnel->source_bits };
	char text[ADDR_PREFIX_MAX];

	if (!tunnel->mtu)
		return json_null();
	return json_pack("{s:s, s:i, s:o}", "source", addr_prefix_print(&source, text), "mtu",
			 tunnel->mtu, "gue_port",
			 tunnel->gue_port ? json_integer(tunnel->gue_port) : json_null());
}

/* {in_flight, aside_ms, times_aside}, or null. */
static json_t *sight_json(const struct tally_sight *sight)
{
	if (!sight->known)
		return json_null();
	return json_pack("{s:i, s:i, s:i}", "in_flight", (int)sight->busy, "aside_ms",
			 (int)sight->aside, "times_aside", (int)sight->times);
}

json_t *report_endpoint_json(const struct report_listener *listener,
			     const struct report_endpoint *endpoint)
{
	const struct plan_endpoint *plan = endpoint->plan;
	const struct weir_traffic *traffic = &endpoint->traffic;
	char address[ADDR_TEXT_MAX];

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:s, s:o, s:i, s:i, s:f, s:o, s:i, s:s, s:o, s:I, s:I, "
		"s:I, s:I, s:I, s:o}",
		"listener", listener->plan->name, "group", plan->group, "endpoint", plan->name,
		"address", addr_print(&plan->address, address), "port", plan->port, "mode",
		output_mode(plan->mode), "tunnel", tunnel_json(plan), "weight", plan->weight,
		"file_weight", plan->file_weight, "want", endpoint->want, "got",
		endpoint->got < 0 ? json_null() : json_real(endpoint->got), "tracked",
		endpoint->flows, "state", report_state(endpoint), "health",
		report_health_json(endpoint), "packets", (json_int_t)traffic->packets, "bytes",
		(json_int_t)traffic->bytes, "flows", (json_int_t)traffic->flows, "reply_packets",
		(json_int_t)traffic->reply_packets, "reply_bytes", (json_int_t)traffic->reply_bytes,
		"requests", sight_json(&endpoint->sight));
}

const char *report_state(const struct report_endpoint *endpoint)
{
	if (endpoint->plan->state == WEIR_ENDPOINT_DEAD)
		return "abnormal";
	if (endpoint->plan->state == WEIR_ENDPOINT_DRAINING)
		return "draining";
	if (endpoint->sight.aside)
		return "aside";
	return endpoint->plan->nexthop.egress ? "active" : "no next hop";
}

const char *report_health(const struct report_endpoint *endpoint, char text[REPORT_HEALTH_MAX])
{
	const struct weir_health *health = &endpoint->plan->health;
	const char *state = verdict_state(health);
	char reason[VERDICT_REASON_MAX];

	verdict_reason(health, reason);
	if (health->state == WEIR_HEALTH_UNCHECKED)
		snprintf(text, REPORT_HEALTH_MAX, "-");
	else if (health->state == WEIR_HEALTH_ABNORMAL && health->streak)
		snprintf(text, REPORT_HEALTH_MAX, "%s, %u of %u passed: %s", state, health->streak,
			 health->threshold, reason);
	else if (health->state == WEIR_HEALTH_NORMAL && health->streak)
		snprintf(text, REPORT_HEALTH_MAX, "%s, %u of %u failed: %s", state, health->streak,
			 health->threshold, reason);
	else
		snprintf(text, REPORT_HEALTH_MAX, "%s%s%s", state, health->reason ? ": " : "",
			 health->reason ? reason : "");
	return text;
}

json_t *report_health_json(const struct report_endpoint *endpoint)
{
	const struct weir_health *health = &endpoint->plan->health;
	char reason[VERDICT_REASON_MAX];
	bool failed = health->reason != WEIR_HEALTH_NONE;

	if (health->state == WEIR_HEALTH_UNCHECKED)
		return json_null();
	return json_pack("{s:s, s:o, s:s?, s:s?, s:i, s:i, s:i, s:o, s:i}", "state",
			 verdict_state(health), "since",
			 health->since ? json_integer(health->since) : json_null(), "reason",
			 failed ? verdict_reason_name(health) : NULL, "reason_text",
			 failed ? verdict_reason(health, reason) : NULL, "detail", health->detail,
			 "streak", health->streak, "threshold", health->threshold, "latency_us",
			 health->latency ? json_integer(health->latency) : json_null(), "changes",
			 health->changes);
}

const char *report_health_sum(const struct report_listener *listener, const char *group)
{
	struct verdict_sum sum = {};

	vec_foreach(endpoint, &listener->endpoints)
		if (!group || !strcmp(endpoint->plan->group, group))
			verdict_sum_add(&sum, &endpoint->plan->health);
	return verdict_sum_name(&sum);
}

void report_addresses(const struct plan_listener *listener, char *text, size_t size)
{
	char one[ADDR_TEXT_MAX];
	size_t used = 0;

	text[0] = '\0';
	vec_foreach(address, &listener->addresses)
		if (used < size)
			used += snprintf(text + used, size - used, "%s%s", used ? "," : "",
					 addr_print(address, one));
}

void report_ports(const struct plan_listener *listener, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	vec_foreach(range, &listener->ports) {
		if (used < size)
			used += snprintf(text + used, size - used, "%s%u", used ? "," : "",
					 range->first);
		if (used < size && range->last != range->first)
			used += snprintf(text + used, size - used, "-%u", range->last);
	}
}
