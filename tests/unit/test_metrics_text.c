// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the text is the same in whatever parts it is written; each metric has one head, and its
 * series stand behind it; an endpoint has at most nine; labels are escaped; a histogram adds up.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "daemon/metrics_table.h"
#include "daemon/metrics_text.h"

static struct metrics_snapshot *make_snapshot(unsigned listeners)
{
	struct metrics_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	cr_assert(snapshot);
	snapshot->nowhere[WEIR_R_NOT_OURS] = 7;
	vec_push(&snapshot->maps, ((struct metrics_map){ "nat_flows", 3, 131072 }));
	vec_push(&snapshot->attachments.list,
		 ((struct attachment){ .name = "a\"b\\c", .mode = ATTACH_GENERIC }));
	for (unsigned i = 0; i < listeners; i++) {
		struct metrics_listener listener = { .has_latency = true };

		snprintf(listener.name, sizeof(listener.name), "l%u", i);
		if (i % 2 == 0) {
			struct metrics_rule rules[] = { { "by \"name\"", 5 }, { "#2", 7 } };

			listener.is_http = true;
			listener.tally = (struct tally_listener){ .connections = 4,
								  .requests = 3,
								  .took_us = 2500000 };
			listener.tally.ends[ACCESSLOG_CLIENT_TIMEOUT] = 6;
			listener.tally.took[0] = 1;
			listener.tally.took[WEIR_LATENCY_ENTRIES - 1] = 1;
			vec_push(&listener.rules, rules[0]);
			vec_push(&listener.rules, rules[1]);
		}
		listener.latency[0] = 2;
		listener.latency[WEIR_LATENCY_ENTRIES - 1] = 3;
		listener.reasons[WEIR_R_NO_ENDPOINT] = i;
		for (unsigned j = 0; j < 3; j++) {
			struct metrics_endpoint endpoint = { .weight = j, .port = 80 };

			snprintf(endpoint.group, sizeof(endpoint.group), "g");
			snprintf(endpoint.name, sizeof(endpoint.name), "[2001:db8::%u]:80\n", j);
			if (listener.is_http && j)
				endpoint.sight = (struct tally_sight){ true, 2, 1500, 7 };
			cr_assert_eq(addr_parse("2001:db8::1", &endpoint.address), 0);
			vec_push(&listener.endpoints, endpoint);
		}
		vec_push(&snapshot->listeners, listener);
	}
	return snapshot;
}

static void write_all(const struct metrics_snapshot *snapshot, size_t part, struct str *out)
{
	struct metrics_place place = {};

	while (place.metric < METRICS_COUNT) {
		size_t before = out->size;

		metrics_text_write(snapshot, &place, part, out);
		cr_assert(out->size > before || place.metric == METRICS_COUNT);
	}
	cr_assert(!out->failed);
}

static size_t count(const char *text, const char *what)
{
	size_t found = 0;

	for (; (text = strstr(text, what)); text++)
		found++;
	return found;
}

Test(metrics_text, parts)
{
	for (unsigned listeners = 0; listeners < 4; listeners++) {
		_cleanup_(metrics_text_freep) struct metrics_snapshot *snapshot =
			make_snapshot(listeners);
		_cleanup_(str_fini) struct str whole = {};

		write_all(snapshot, SIZE_MAX / 2, &whole);
		cr_expect_eq(count(whole.text, "# HELP weir_"), METRICS_COUNT);
		cr_expect_eq(count(whole.text, "# TYPE weir_"), METRICS_COUNT);
		for (size_t part = 1; part < 5000; part = part * 3 + 1) {
			_cleanup_(str_fini) struct str cut = {};

			write_all(snapshot, part, &cut);
			cr_expect_str_eq(cut.text, whole.text, "parts of %zu", part);
		}
	}
}

Test(metrics_text, series)
{
	_cleanup_(metrics_text_freep) struct metrics_snapshot *snapshot = make_snapshot(2);
	_cleanup_(str_fini) struct str text = {};

	write_all(snapshot, SIZE_MAX / 2, &text);
	cr_expect_eq(count(text.text,
			   "{listener=\"l1\",group=\"g\",endpoint=\"[2001:db8::2]:80\\n\","
			   "address=\"[2001:db8::1]:80\""),
		     METRICS_ENDPOINT_MAX);
	cr_expect(strstr(text.text, "weir_interface_attached{interface=\"a\\\"b\\\\c\",mode="
				    "\"generic\"} 1\n"));
	cr_expect(strstr(text.text, "weir_packets_total{listener=\"\",kind=\"pass\",reason="
				    "\"not_ours\"} 7\n"));
	cr_expect_eq(count(text.text, "weir_packets_total{listener=\"\""), WEIR_R_COUNT);
	cr_expect_eq(count(text.text, "weir_packets_total{listener=\"l0\""), 0);
	cr_expect_eq(count(text.text, "weir_packets_total{listener=\"l1\",kind=\"answer\",reason="
				      "\"no_endpoint\"} 1\n"),
		     1);
	cr_expect(
		strstr(text.text, "first_answer_seconds_bucket{listener=\"l0\",le=\"8e-06\"} 2\n"));
	cr_expect(
		strstr(text.text, "first_answer_seconds_bucket{listener=\"l0\",le=\"+Inf\"} 5\n"));
	cr_expect(strstr(text.text, "first_answer_seconds_count{listener=\"l0\"} 5\n"));
}

Test(metrics_text, http)
{
	_cleanup_(metrics_text_freep) struct metrics_snapshot *snapshot = make_snapshot(2);
	_cleanup_(str_fini) struct str text = {};

	snapshot->lines_lost = 9;
	write_all(snapshot, SIZE_MAX / 2, &text);
	cr_expect(strstr(text.text, "\nweir_http_rule_requests_total{listener=\"l0\","
				    "rule=\"by \\\"name\\\"\"} 5\n"));
	cr_expect(strstr(text.text,
			 "\nweir_http_rule_requests_total{listener=\"l0\",rule=\"#2\"} 7\n"));
	cr_expect(strstr(text.text, "\nweir_http_requests_ended_total{listener=\"l0\","
				    "end=\"client_timeout\"} 6\n"));
	cr_expect(strstr(text.text, "\nweir_http_request_seconds_sum{listener=\"l0\"} 2.5\n"));
	cr_expect(strstr(text.text, "\nweir_http_request_seconds_count{listener=\"l0\"} 2\n"));
	cr_expect(strstr(text.text, "\nweir_http_connections{listener=\"l0\"} 4\n"));
	cr_expect(strstr(text.text, "\nweir_http_requests_in_flight{listener=\"l0\"} 3\n"));
	cr_expect(strstr(text.text, "\nweir_access_log_lines_lost_total 9\n"));
	cr_expect_null(strstr(text.text, "weir_http_connections{listener=\"l1\""));
	cr_expect_eq(count(text.text, "weir_http_requests_ended_total{"), ACCESSLOG_ENDS);
	cr_expect_eq(count(text.text, "weir_endpoint_requests_in_flight{listener=\"l0\","), 2);
	cr_expect_eq(count(text.text, "\"} 1.5\n"), 2);
	cr_expect_eq(count(text.text, "weir_endpoint_put_aside_total{"), 2);
}
