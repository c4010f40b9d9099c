// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* show: what is in force, from the pins alone. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <weir/names.h>

#include "cli/configuration.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/show_checks.h"
#include "cli/show_flows.h"
#include "cli/show_groups.h"
#include "cli/show_latency.h"
#include "cli/show_rules.h"
#include "cli/table.h"
#include "daemon/state.h"
#include "dataplane/object.h"
#include "plan/plan_clients.h"
#include "plan/slots.h"
#include "util/str.h"

/* "512", "512 (12 moving, 3 pinned)" */
static void print_slots(const struct plan_table *table, char *text, size_t size)
{
	uint32_t moving = slots_count(table->slots, table->size, WEIR_MOVING);
	uint32_t pinned = slots_count(table->slots, table->size, WEIR_PINNED);

	if (!table->slots)
		snprintf(text, size, "-");
	else if (moving || pinned)
		snprintf(text, size, "%u (%u moving, %u pinned)", table->size, moving, pinned);
	else
		snprintf(text, size, "%u", table->size);
}

/* The digest is a text: JSON's numbers have no 64 bits. */
static json_t *table_json(const struct plan_listener *listener, enum plan_family family)
{
	const struct plan_table *table = &listener->table[family];
	char digest[20];

	snprintf(digest, sizeof(digest), "%016llx",
		 (unsigned long long)plan_digest(listener, table));
	return json_pack("{s:i, s:i, s:i, s:s}", "slots", table->slots ? table->size : 0, "moving",
			 slots_count(table->slots, table->size, WEIR_MOVING), "pinned",
			 slots_count(table->slots, table->size, WEIR_PINNED), "digest", digest);
}

static const char *access_rule(const struct plan_listener *listener)
{
	switch (listener->access) {
	case WEIR_ACCESS_ALLOW:
		return "allow";
	case WEIR_ACCESS_DENY:
		return "deny";
	default:
		return "all";
	}
}

/* "allow office, 100/s per source, SYN cookies" */
static void print_access(const struct plan_listener *listener, char *text, size_t size)
{
	char rate[MODEL_RATE_MAX];
	int length = snprintf(text, size, "%s%s%s", access_rule(listener),
			      *listener->lists ? " " : "", listener->lists);

	if (listener->new_flows_per_source.count)
		length += snprintf(text + length, size - length, ", %s per source",
				   model_rate_print(&listener->new_flows_per_source, rate));
	if (listener->cookies.kind)
		snprintf(text + length, size - length, ", SYN cookies");
}

static json_t *limit_json(const struct rate *limit)
{
	char text[MODEL_RATE_MAX];

	return limit->count ? json_string(model_rate_print(limit, text)) : json_null();
}

static json_t *listener_json(const struct report_listener *listener)
{
	const struct plan_listener *plan = listener->plan;
	json_t *addresses = json_array();
	char text[256];

	vec_foreach(address, &plan->addresses)
		json_array_append_new(addresses, json_string(addr_print(address, text)));
	report_ports(plan, text, sizeof(text));
	return json_pack(
		"{s:s, s:s, s:o, s:s, s:s, s:s, s:i, s:o, s:o, s:b, s:i, s:s, s:o, s:o}",
		"listener", plan->name, "protocol", output_protocol(plan->protocol), "addresses",
		addresses, "ports", text, "mode", output_mode(plan->mode), "client_affinity",
		plan->client_affinity ? "source_ip" : "none", "idle_timeout", plan->idle_timeout,
		"access", json_pack("{s:s, s:s}", "rule", access_rule(plan), "acls", plan->lists),
		"new_flows_per_source", limit_json(&plan->new_flows_per_source), "syn_cookies",
		plan->cookies.kind != WEIR_COOKIES_OFF, "endpoints", (int)listener->endpoints.count,
		"health", report_health_sum(listener, NULL), "ipv4", table_json(plan, PLAN_IP4),
		"ipv6", table_json(plan, PLAN_IP6));
}

static void print_listeners(const struct report *report)
{
	static const char *const head[] = { "LISTENER",	  "PROTO",	"ADDRESSES", "PORTS",
					    "MODE",	  "IDLE",	"ENDPOINTS", "HEALTH",
					    "IPv4 SLOTS", "IPv6 SLOTS", "ACCESS",    NULL };
	struct table table = { .align = "lllllrrllll" };

	table_head(&table, head);
	vec_foreach(listener, &report->listeners) {
		const struct plan_listener *plan = listener->plan;
		char addresses[256], ports[256], ip4[64], ip6[64], access[160];

		report_addresses(plan, addresses, sizeof(addresses));
		report_ports(plan, ports, sizeof(ports));
		print_slots(&plan->table[PLAN_IP4], ip4, sizeof(ip4));
		print_slots(&plan->table[PLAN_IP6], ip6, sizeof(ip6));
		table_add(&table, "%s", plan->name);
		table_add(&table, "%s", output_protocol(plan->protocol));
		table_add(&table, "%s", addresses);
		table_add(&table, "%s", ports);
		table_add(&table, "%s%s", output_mode(plan->mode),
			  plan->client_affinity ? ", source_ip" : "");
		table_add(&table, "%us", plan->idle_timeout);
		table_add(&table, "%zu", listener->endpoints.count);
		table_add(&table, "%s", report_health_sum(listener, NULL));
		table_add(&table, "%s", ip4);
		table_add(&table, "%s", ip6);
		print_access(plan, access, sizeof(access));
		table_add(&table, "%s", access);
	}
	table_print(&table, stdout);
}

static json_t *listeners_json(const struct report *report)
{
	json_t *list = json_array();

	vec_foreach(listener, &report->listeners)
		json_array_append_new(list, listener_json(listener));
	return list;
}

static void add_endpoint(struct table *table, const struct report_endpoint *endpoint)
{
	const struct plan_endpoint *plan = endpoint->plan;
	char address[ADDR_PORT_TEXT_MAX], health[REPORT_HEALTH_MAX];

	table_add(table, "%s", plan->name);
	table_add(table, "%s", addr_print_port(&plan->address, plan->port, address));
	table_add(table, "%s", output_mode(plan->mode));
	if (plan->weight == plan->file_weight)
		table_add(table, "%u", plan->weight);
	else
		table_add(table, "%u (file: %u)", plan->weight, plan->file_weight);
	table_add(table, "%.1f %%", endpoint->want * 100);
	if (endpoint->got < 0)
		table_add(table, "-");
	else
		table_add(table, "%.1f %%", endpoint->got * 100);
	table_add(table, "%u", endpoint->flows);
	if (endpoint->sight.aside)
		table_add(table, "%s, %u s more", report_state(endpoint),
			  (endpoint->sight.aside + 999) / 1000);
	else
		table_add(table, "%s", report_state(endpoint));
	table_add(table, "%s", report_health(endpoint, health));
}

/* The group's endpoints from `first` on; returns the first of the next group. */
static size_t print_group(const struct report_listener *listener, size_t first)
{
	static const char *const head[] = { "ENDPOINT", "ADDRESS", "MODE",  "WEIGHT", "WANT",
					    "GOT",	"FLOWS",   "STATE", "HEALTH", NULL };
	const char *group = listener->endpoints.items[first].plan->group;
	const char *health = report_health_sum(listener, group);
	bool checked = listener->endpoints.items[first].plan->health.state != WEIR_HEALTH_UNCHECKED;
	struct table table = { .align = "lllrrrrll", .indent = 4 };
	size_t i = first;

	printf("  %s%s%s\n", group, checked ? ": " : "", checked ? health : "");
	table_head(&table, head);
	for (; i < listener->endpoints.count; i++) {
		if (strcmp(listener->endpoints.items[i].plan->group, group))
			break;
		add_endpoint(&table, &listener->endpoints.items[i]);
	}
	table_print(&table, stdout);
	return i;
}

static void print_unresolved(const struct report *report)
{
	static const char *const head[] = { "LISTENER/GROUP/ENDPOINT", "TYPE", "ADDRESS", "WHY",
					    NULL };
	struct table table = { .align = "llll", .indent = 2 };

	if (!report->unresolved.count)
		return;
	printf("without an address for new flows:\n");
	table_head(&table, head);
	vec_foreach(endpoint, &report->unresolved) {
		table_add(&table, "%s/%s/%s", endpoint->listener, endpoint->group,
			  endpoint->endpoint);
		table_add(&table, "%s", endpoint->type);
		table_add(&table, "%s", endpoint->address);
		table_add(&table, "%s", endpoint->why);
	}
	table_print(&table, stdout);
}

static void print_endpoints(const struct report *report)
{
	char addresses[256], ports[256];

	vec_foreach(listener, &report->listeners) {
		const struct plan_listener *plan = listener->plan;
		size_t i = 0;

		report_addresses(plan, addresses, sizeof(addresses));
		report_ports(plan, ports, sizeof(ports));
		printf("%s  %s %s port %s, %s\n", plan->name, output_protocol(plan->protocol),
		       addresses, ports, output_mode(plan->mode));
		while (i < listener->endpoints.count)
			i = print_group(listener, i);
	}
	print_unresolved(report);
}

static json_t *endpoints_json(const struct report *report)
{
	json_t *list = json_array();

	vec_foreach(listener, &report->listeners)
		vec_foreach(endpoint, &listener->endpoints)
			json_array_append_new(list, report_endpoint_json(listener, endpoint));
	vec_foreach(endpoint, &report->unresolved)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:n, s:s, s:s, s:s, s:i, s:f, s:s}", "listener",
				  endpoint->listener, "group", endpoint->group, "endpoint",
				  endpoint->endpoint, "address", "type", endpoint->type, "target",
				  endpoint->address, "state", "unresolved", "weight", 0, "want",
				  0.0, "why", endpoint->why));
	return list;
}

/* Where a packet may go without a word: everything but forwarded. */
static bool is_worth_showing(const struct output_reason *reason)
{
	return strcmp(reason->kind, "forward") != 0;
}

static void add_reasons(struct table *table, const char *listener, const struct counters *stats)
{
	for (int i = 0; i < WEIR_R_COUNT; i++) {
		const struct output_reason *reason = output_reason(i);

		if (!stats->reason[i] || !is_worth_showing(reason))
			continue;
		table_add(table, "%s", listener);
		table_add(table, "%s", reason->kind);
		table_add(table, "%s", reason->name);
		table_add(table, "%llu", (unsigned long long)stats->reason[i]);
		table_add(table, "%s%s%s", reason->help, reason->hint[0] ? "; " : "", reason->hint);
	}
}

static void print_drops(const struct report *report)
{
	static const char *const head[] = { "LISTENER", "KIND", "REASON", "PACKETS", "WHAT", NULL };
	struct table table = { .align = "lllrl" };

	table_head(&table, head);
	add_reasons(&table, "-", &report->elsewhere);
	vec_foreach(listener, &report->listeners)
		add_reasons(&table, listener->plan->name, &listener->stats);
	table_print(&table, stdout);
}

static void append_reasons(json_t *list, const char *listener, const struct counters *stats)
{
	for (int i = 0; i < WEIR_R_COUNT; i++) {
		const struct output_reason *reason = output_reason(i);

		if (!is_worth_showing(reason))
			continue;
		json_array_append_new(list, json_pack("{s:s?, s:s, s:s, s:I, s:s, s:s}", "listener",
						      listener, "kind", reason->kind, "reason",
						      reason->name, "packets",
						      (json_int_t)stats->reason[i], "help",
						      reason->help, "hint", reason->hint));
	}
}

static json_t *drops_json(const struct report *report)
{
	json_t *list = json_array();

	append_reasons(list, NULL, &report->elsewhere);
	vec_foreach(listener, &report->listeners)
		append_reasons(list, listener->plan->name, &listener->stats);
	return list;
}

static const struct {
	const char *name;
	void (*print)(const struct report *report);
	json_t *(*json)(const struct report *report);
} shows[] = {
	{ "listeners", print_listeners, listeners_json },
	{ "endpoints", print_endpoints, endpoints_json },
	{ "groups", show_groups_print, show_groups_json },
	{ "checks", show_checks_print, show_checks_json },
	{ "latency", show_latency_print, show_latency_json },
	{ "drops", print_drops, drops_json },
};

/* Is `what` the word, or the beginning of it? */
static bool is_cut(const char *what, const char *word)
{
	return *what && !strncmp(word, what, strlen(what));
}

/* What is in force need not be what the daemon's own file says. */
static void say_elsewhere(const struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *elsewhere = NULL;
	const char *how, *file;
	char pins[OBJECT_PATH_MAX];

	snprintf(pins, sizeof(pins), WEIR_BPFFS "/%s/control", cli->instance);
	if (access(pins, F_OK))
		return; /* nothing is */
	if (state_read_object(cli->instance, STATE_ELSEWHERE, &elsewhere, NULL) < 0 || !elsewhere)
		return;
	how = json_string_value(json_object_get(elsewhere, "how"));
	file = json_string_value(json_object_get(elsewhere, "file"));
	if (how && file && !strcmp(how, "start"))
		fprintf(stderr,
			"weir: %s is not in force, but what was before: it was refused when the "
			"daemon started; mend it, then: weir apply\n",
			file);
	else if (how && file)
		fprintf(stderr,
			"weir: in force by '%s', not by the daemon's own file, %s, which comes "
			"into force when it starts again or gets SIGHUP\n",
			how, file);
}

/* What http listeners send where, by their clients' regions, follows from the configuration: the
 * maps have no slots of it. Where that is not to be read, it is left out. */
static void recall_orders(const struct cli *cli, struct plan *plan)
{
	_cleanup_(model_freep) struct model *model = NULL;
	bool wanted = false;

	vec_foreach(listener, &plan->listeners)
		wanted |= listener->mode == WEIR_MODE_PROXY &&
			  plan_count_tables(listener) > PLAN_FAMILIES;
	if (wanted && !configuration_read(cli->instance, NULL, &model, NULL, NULL))
		plan_clients_recall(plan, model);
}

int cli_show(const struct cli *cli, struct err *err)
{
	const char *what = cli->argc > 1 ? cli->argv[1] : "";

	if (!cli->json)
		say_elsewhere(cli);
	if (is_cut(what, "flows"))
		return show_flows(cli, err);
	if (is_cut(what, "rules"))
		return show_rules(cli, err);
	for (int i = 1; i < cli->argc; i++)
		if (cli->argv[i][0] == '-')
			return err_set(err, CLI_USAGE,
				       "show: '%.40s' is for show flows or show rules",
				       cli->argv[i]);
	if (cli->argc < 2 || cli->argc > 3)
		return err_set(err, CLI_USAGE, "show: name what to show");
	if (is_cut(what, "overrides"))
		return cli_show_overrides(cli, err);
	if (is_cut(what, "maps"))
		return cli_show_maps(cli, err);
	if (is_cut(what, "decap"))
		return cli_show_decap(cli, err);
	for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
		_cleanup_(report_fini) struct report report = {};
		int r;

		if (!is_cut(what, shows[i].name))
			continue;
		r = report_open(cli, cli->argv[2], &report, err);
		if (r < 0)
			return r;
		if (shows[i].print == show_groups_print)
			recall_orders(cli, report.plan);
		if (cli->json)
			output_json(cli, shows[i].json(&report));
		else
			shows[i].print(&report);
		if (!cli->json && shows[i].print == print_endpoints)
			cli_show_disabled(cli);
		return 0;
	}
	return err_set(
		err, CLI_USAGE,
		"show: '%.40s' is none of listeners, endpoints, groups, rules, checks, flows, "
		"latency, drops, overrides, maps, decap",
		what);
}
