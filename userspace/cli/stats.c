// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* stats: traffic per listener and endpoint, and whether shares are what they should be. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/report.h"
#include "cli/stats_http.h"
#include "cli/table.h"

/* 1234567 as "1.2M": at most four digits. */
static const char *human(uint64_t value, char text[16])
{
	static const char units[] = " kMGTPE";
	double scaled = value;
	int unit = 0;

	while (scaled >= 1000 && unit < 6) {
		scaled /= 1000;
		unit++;
	}
	if (unit)
		snprintf(text, 16, "%.1f%c", scaled, units[unit]);
	else
		snprintf(text, 16, "%.0f", scaled);
	return text;
}

static void add_traffic(struct table *table, const struct weir_traffic *traffic)
{
	const uint64_t values[] = { traffic->flows, traffic->packets, traffic->bytes,
				    traffic->reply_packets, traffic->reply_bytes };
	char text[16];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		table_add(table, "%s", human(values[i], text));
}

static void print_report(const struct report *report)
{
	static const char *const head[] = { "LISTENER/GROUP/ENDPOINT",
					    "WANT",
					    "GOT",
					    "FLOWS",
					    "PACKETS",
					    "BYTES",
					    "REPLIES",
					    "BYTES" };
	struct table table = { .align = "lrrrrrrr" };

	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		table_add(&table, "%s", head[i]);
	vec_foreach(listener, &report->listeners) {
		table_add(&table, "%s", listener->plan->name);
		table_add(&table, " ");
		table_add(&table, " ");
		add_traffic(&table, &listener->stats.traffic);
		vec_foreach(endpoint, &listener->endpoints) {
			table_add(&table, "  %s/%s/%s", listener->plan->name, endpoint->plan->group,
				  endpoint->plan->name);
			table_add(&table, "%.1f %%", endpoint->want * 100);
			table_add(&table, endpoint->got < 0 ? "-" : "%.1f %%", endpoint->got * 100);
			add_traffic(&table, &endpoint->traffic);
		}
	}
	table_print(&table, stdout);
	stats_http_print(report);
}

static json_t *endpoint_json(const struct report_listener *listener,
			     const struct report_endpoint *endpoint)
{
	json_t *json = report_endpoint_json(listener, endpoint);

	json_object_set_new(json, "http", stats_http_json(listener->plan, &endpoint->http));
	return json;
}

static json_t *report_json(const struct report *report)
{
	json_t *listeners = json_array();

	vec_foreach(listener, &report->listeners) {
		const struct weir_traffic *traffic = &listener->stats.traffic;
		json_t *endpoints = json_array();

		vec_foreach(endpoint, &listener->endpoints)
			json_array_append_new(endpoints, endpoint_json(listener, endpoint));
		json_array_append_new(
			listeners,
			json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "listener",
				  listener->plan->name, "protocol",
				  output_protocol(listener->plan->protocol), "packets",
				  (json_int_t)traffic->packets, "bytes", (json_int_t)traffic->bytes,
				  "flows", (json_int_t)traffic->flows, "reply_packets",
				  (json_int_t)traffic->reply_packets, "reply_bytes",
				  (json_int_t)traffic->reply_bytes, "http",
				  stats_http_listener_json(listener), "endpoints", endpoints));
	}
	return listeners;
}

static int print_once(const struct cli *cli, const char *selector, struct err *err)
{
	_cleanup_(report_fini) struct report report = {};
	int r = report_open(cli, selector, &report, err);

	if (r < 0)
		return r;
	if (cli->json)
		output_json(cli, report_json(&report));
	else
		print_report(&report);
	return fflush(stdout) ? err_set(err, -errno, "stdout: %s", strerror(errno)) : 0;
}

int cli_stats(const struct cli *cli, struct err *err)
{
	const char *selector = NULL;
	bool watch = false;
	int r;

	for (int i = 1; i < cli->argc; i++) {
		if (!strcmp(cli->argv[i], "-w"))
			watch = true;
		else if (cli->argv[i][0] != '-' && !selector)
			selector = cli->argv[i];
		else
			return err_set(err, CLI_USAGE, "stats: unexpected '%.40s'", cli->argv[i]);
	}
	do {
		if (watch && !cli->json && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		r = print_once(cli, selector, err);
	} while (watch && !r && !sleep(1));
	return r;
}
