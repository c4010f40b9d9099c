// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/show_checks.h"

#include <time.h>

#include "cli/table.h"

/* "3 s", "12 min", "5 h", "9 d" */
static void print_age(uint64_t since, char text[24])
{
	uint64_t now = time(NULL), age = now > since ? now - since : 0;

	if (!since)
		snprintf(text, 24, "-");
	else if (age < 120)
		snprintf(text, 24, "%llu s", (unsigned long long)age);
	else if (age < 2 * 3600)
		snprintf(text, 24, "%llu min", (unsigned long long)age / 60);
	else if (age < 2 * 86400)
		snprintf(text, 24, "%llu h", (unsigned long long)age / 3600);
	else
		snprintf(text, 24, "%llu d", (unsigned long long)age / 86400);
}

void show_checks_print(const struct report *report)
{
	static const char *const head[] = { "LISTENER/GROUP/ENDPOINT",
					    "ADDRESS",
					    "STATE",
					    "FOR",
					    "AGAINST",
					    "LATENCY",
					    "CHANGES",
					    "REASON",
					    NULL };
	struct table table = { .align = "lllrrrrl" };

	for (const char *const *name = head; *name; name++)
		table_add(&table, "%s", *name);
	vec_foreach(listener, &report->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			const struct plan_endpoint *plan = endpoint->plan;
			const struct weir_health *health = &plan->health;
			char address[ADDR_TEXT_MAX], age[24], reason[VERDICT_REASON_MAX];

			if (health->state == WEIR_HEALTH_UNCHECKED)
				continue;
			table_add(&table, "%s/%s/%s", listener->plan->name, plan->group,
				  plan->name);
			table_add(&table, "%s", addr_print(&plan->address, address));
			table_add(&table, "%s", verdict_state(health));
			print_age(health->since, age);
			table_add(&table, "%s", age);
			table_add(&table, "%u of %u", health->streak, health->threshold);
			table_add(&table, health->latency ? "%.1f ms" : "-", health->latency / 1e3);
			table_add(&table, "%u", health->changes);
			table_add(&table, "%s",
				  health->reason ? verdict_reason(health, reason) : "-");
		}
	}
	table_print(&table, stdout);
}

json_t *show_checks_json(const struct report *report)
{
	char address[ADDR_TEXT_MAX];
	json_t *list = json_array();

	vec_foreach(listener, &report->listeners)
		vec_foreach(endpoint, &listener->endpoints)
			if (endpoint->plan->health.state != WEIR_HEALTH_UNCHECKED)
				json_array_append_new(
					list,
					json_pack("{s:s, s:s, s:s, s:s, s:o}", "listener",
						  listener->plan->name, "group",
						  endpoint->plan->group, "endpoint",
						  endpoint->plan->name, "address",
						  addr_print(&endpoint->plan->address, address),
						  "health", report_health_json(endpoint)));
	return list;
}
