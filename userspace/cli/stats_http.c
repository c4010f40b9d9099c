// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/stats_http.h"

#include "cli/show_latency.h"
#include "cli/table.h"

#define CLASSES (sizeof(((struct weir_http *)0)->answers) / sizeof(__u64))

static void add_row(struct table *table, const struct weir_http *http,
		    const struct weir_nat_latency *latency)
{
	static const double shares[] = { 0.5, 0.99 };
	char text[SHOW_LATENCY_MAX];

	table_add(table, "%llu", (unsigned long long)http->requests);
	for (size_t i = 0; i < CLASSES; i++)
		table_add(table, "%llu", (unsigned long long)http->answers[i]);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		show_latency_quantile(latency, shares[i], text);
		table_add(table, "%s", text);
	}
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
	if (table.cells.count)
		table_print(&table, stdout);
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
