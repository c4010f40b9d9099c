// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/stats_http.h"

#include "cli/show_latency.h"
#include "cli/table.h"
#include "util/str.h"

#define CLASSES (sizeof(((struct weir_http *)0)->answers) / sizeof(__u64))

static void add_quantiles(struct table *table, const struct weir_nat_latency *latency)
{
	static const double shares[] = { 0.5, 0.99 };
	char text[SHOW_LATENCY_MAX];

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		show_latency_quantile(latency, shares[i], text);
		table_add(table, "%s", text);
	}
}

static void add_row(struct table *table, const struct weir_http *http,
		    const struct weir_nat_latency *latency)
{
	table_add(table, "%llu", (unsigned long long)http->requests);
	for (size_t i = 0; i < CLASSES; i++)
		table_add(table, "%llu", (unsigned long long)http->answers[i]);
	add_quantiles(table, latency);
}

static void add_listener(struct table *table, const struct report_listener *listener)
{
	struct weir_nat_latency latency = {};

	vec_foreach(endpoint, &listener->endpoints)
		for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++)
			latency.answers[i] += endpoint->latency.answers[i];
	table_add(table, "%s", listener->plan->name);
	add_row(table, &listener->http, &latency);
	vec_foreach(endpoint, &listener->endpoints) {
		table_add(table, "  %s/%s/%s", listener->plan->name, endpoint->plan->group,
			  endpoint->plan->name);
		add_row(table, &endpoint->http, &endpoint->latency);
	}
}

/* Why requests did not get an endpoint's answer in full: "client_refused 3, connect_failed 1". */
static void add_ends(struct table *table, const struct tally_listener *tally)
{
	_cleanup_(str_fini) struct str text = {};

	for (int end = ACCESSLOG_DONE + 1; end < ACCESSLOG_ENDS; end++)
		if (tally->ends[end])
			str_add(&text, "%s%s %llu", text.size ? ", " : "", accesslog_end_name(end),
				(unsigned long long)tally->ends[end]);
	table->failed |= text.failed;
	table_add(table, "%s", text.size ? text.text : "-");
}

/* As the data plane's, which are narrower, and wrap around. */
static struct weir_nat_latency latency_of(const struct tally_listener *tally)
{
	struct weir_nat_latency latency;

	for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++)
		latency.answers[i] = (uint32_t)tally->took[i];
	return latency;
}

/* What listeners are about, and how their requests ended. */
static void print_ends(const struct report *report)
{
	static const char *const head[] = { "LISTENER",	 "CONNECTIONS", "IN FLIGHT", "BY KERNEL",
					    "HALF OVER", "99 %",	"NOT DONE",  NULL };
	struct table table = { .align = "lrrrrrl" };

	fputs("\n", stdout);
	table_head(&table, head);
	vec_foreach(listener, &report->listeners) {
		const struct tally_listener *tally = &listener->tally;
		struct weir_nat_latency latency = latency_of(tally);

		if (listener->plan->mode != WEIR_MODE_PROXY)
			continue;
		table_add(&table, "%s", listener->plan->name);
		table_add(&table, "%llu", (unsigned long long)tally->connections);
		table_add(&table, "%llu", (unsigned long long)tally->requests);
		table_add(&table, "%llu", (unsigned long long)tally->routed);
		add_quantiles(&table, &latency);
		add_ends(&table, tally);
	}
	table_print(&table, stdout);
}

void stats_http_print(const struct report *report)
{
	static const char *const head[] = { "LISTENER/GROUP/ENDPOINT",
					    "REQUESTS",
					    "1XX",
					    "2XX",
					    "3XX",
					    "4XX",
					    "5XX",
					    "HALF",
					    "99 %",
					    NULL };
	struct table table = { .align = "lrrrrrrrr" };

	vec_foreach(listener, &report->listeners) {
		if (listener->plan->mode != WEIR_MODE_PROXY)
			continue;
		if (!table.cells.count) {
			fputs("\n", stdout);
			table_head(&table, head);
		}
		add_listener(&table, listener);
	}
	if (!table.cells.count)
		return;
	table_print(&table, stdout);
	print_ends(report);
}

json_t *stats_http_json(const struct plan_listener *listener, const struct weir_http *http)
{
	static const char *const names[CLASSES] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
	json_t *answers;

	if (listener->mode != WEIR_MODE_PROXY)
		return json_null();
	answers = json_object();
	for (size_t i = 0; i < CLASSES; i++)
		json_object_set_new(answers, names[i], json_integer((json_int_t)http->answers[i]));
	return json_pack("{s:I, s:o, s:I, s:I}", "requests", (json_int_t)http->requests, "answers",
			 answers, "request_bytes", (json_int_t)http->request_bytes, "answer_bytes",
			 (json_int_t)http->answer_bytes);
}

static json_t *took_json(const struct tally_listener *tally)
{
	json_t *entries = json_array();

	for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++)
		json_array_append_new(
			entries, json_pack("{s:o, s:I}", "below_us",
					   i + 1 < WEIR_LATENCY_ENTRIES
						   ? json_integer((json_int_t)show_latency_limit(i))
						   : json_null(),
					   "requests", (json_int_t)tally->took[i]));
	return entries;
}

json_t *stats_http_listener_json(const struct report_listener *listener)
{
	json_t *json = stats_http_json(listener->plan, &listener->http), *ends;
	const struct tally_listener *tally = &listener->tally;

	if (!json_is_object(json))
		return json;
	ends = json_object();
	for (int end = 0; end < ACCESSLOG_ENDS; end++)
		json_object_set_new(ends, accesslog_end_name(end),
				    json_integer((json_int_t)tally->ends[end]));
	json_object_set_new(json, "connections", json_integer((json_int_t)tally->connections));
	json_object_set_new(json, "in_flight", json_integer((json_int_t)tally->requests));
	json_object_set_new(json, "routed", json_integer((json_int_t)tally->routed));
	json_object_set_new(json, "ends", ends);
	json_object_set_new(json, "took", took_json(tally));
	json_object_set_new(json, "took_us", json_integer((json_int_t)tally->took_us));
	return json;
}
