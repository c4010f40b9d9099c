// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/show_latency.h"

#include "cli/table.h"

/* The upper end of an entry of a histogram (us); the last one has none. */
uint64_t show_latency_limit(uint32_t entry)
{
	return (uint64_t)WEIR_LATENCY_FIRST << entry;
}

void show_latency_quantile(const struct weir_nat_latency *latency, double share,
			   char text[SHOW_LATENCY_MAX])
{
	uint64_t all = 0, sum = 0;
	uint32_t entry = 0;
	double limit;

	for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++)
		all += latency->answers[i];
	while (entry < WEIR_LATENCY_ENTRIES - 1 && sum + latency->answers[entry] < share * all)
		sum += latency->answers[entry++];
	limit = show_latency_limit(entry);
	if (!all)
		snprintf(text, SHOW_LATENCY_MAX, "-");
	else if (entry == WEIR_LATENCY_ENTRIES - 1)
		snprintf(text, SHOW_LATENCY_MAX, "> %.1f s", limit / 2e6);
	else if (limit < 1e3)
		snprintf(text, SHOW_LATENCY_MAX, "%.0f us", limit);
	else if (limit < 1e6)
		snprintf(text, SHOW_LATENCY_MAX, "%.1f ms", limit / 1e3);
	else
		snprintf(text, SHOW_LATENCY_MAX, "%.1f s", limit / 1e6);
}

/* Times are the upper ends of entries, each twice the one before. */
void show_latency_print(const struct report *report)
{
	static const char *const head[] = {
		"LISTENER/GROUP/ENDPOINT", "ANSWERS", "HALF", "90 %", "99 %", NULL
	};
	static const double shares[] = { 0.5, 0.9, 0.99 };
	struct table table = { .align = "lrrrr" };

	table_head(&table, head);
	vec_foreach(listener, &report->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			uint64_t all = 0;
			char text[SHOW_LATENCY_MAX];

			for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++)
				all += endpoint->latency.answers[i];
			table_add(&table, "%s/%s/%s", listener->plan->name, endpoint->plan->group,
				  endpoint->plan->name);
			table_add(&table, "%llu", (unsigned long long)all);
			for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
				show_latency_quantile(&endpoint->latency, shares[i], text);
				table_add(&table, "%s", text);
			}
		}
	}
	table_print(&table, stdout);
}

/* {"below_us": 8, "answers": 0}, ...; the last entry has null for a limit. */
json_t *show_latency_json(const struct report *report)
{
	json_t *list = json_array();

	vec_foreach(listener, &report->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			json_t *entries = json_array();

			for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++)
				json_array_append_new(
					entries,
					json_pack(
						"{s:o, s:I}", "below_us",
						i + 1 < WEIR_LATENCY_ENTRIES
							? json_integer(
								  (json_int_t)show_latency_limit(i))
							: json_null(),
						"answers",
						(json_int_t)endpoint->latency.answers[i]));
			json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "listener",
							      listener->plan->name, "group",
							      endpoint->plan->group, "endpoint",
							      endpoint->plan->name, "first_answers",
							      entries));
		}
	}
	return list;
}
