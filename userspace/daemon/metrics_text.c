// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/metrics_text.h"

#include <stdlib.h>
#include <string.h>

#include <weir/counters.h>

#include "daemon/metrics_table.h"

static const struct {
	const char *kind, *name;
} reasons[WEIR_R_COUNT] = {
#define FORWARD			      "forward"
#define PASS			      "pass"
#define DROP			      "drop"
#define ANSWER			      "answer"
#define NOTE			      "note"
#define X(id, kind, name, help, hint) [WEIR_R_##id] = { kind, name },
	WEIR_REASONS(X)
#undef X
};

void metrics_text_fini(struct metrics_listener *listener)
{
	vec_free(&listener->rules);
	vec_free(&listener->endpoints);
}

void metrics_text_free(struct metrics_snapshot *snapshot)
{
	if (!snapshot)
		return;
	vec_foreach(listener, &snapshot->listeners)
		metrics_text_fini(listener);
	vec_free(&snapshot->listeners);
	vec_free(&snapshot->maps);
	vec_free(&snapshot->attachments.list);
	free(snapshot);
}

/* A label's value, with what the format wants escaped. */
static void add_label(struct str *out, const char *name, const char *value)
{
	str_add(out, "%s=\"", name);
	for (;;) {
		size_t plain = strcspn(value, "\\\"\n");

		str_add(out, "%.*s", (int)plain, value);
		value += plain;
		if (!*value)
			break;
		str_add(out, *value == '\n' ? "\\n" : "\\%c", *value);
		value++;
	}
	str_add(out, "\"");
}

static void add_name(struct str *out, uint32_t metric, const char *suffix)
{
	str_add(out, METRICS_PREFIX "%s%s", metrics_table[metric].name, suffix);
}

static void add_one(struct str *out, uint32_t metric, double value)
{
	add_name(out, metric, "");
	str_add(out, " %.15g\n", value);
}

static void write_one(const struct metrics_snapshot *snapshot, uint32_t metric, struct str *out)
{
	switch (metric) {
	case METRICS_ID_BUILD:
		add_name(out, metric, "{");
		add_label(out, "version", WEIR_VERSION);
		str_add(out, ",abi=\"%d\"} 1\n", WEIR_ABI_VERSION);
		break;
	case METRICS_ID_START:
		add_one(out, metric, snapshot->start);
		break;
	case METRICS_ID_CONFIGURATION:
		add_one(out, metric, snapshot->configuration);
		break;
	case METRICS_ID_CONFIGURATION_TIME:
		add_one(out, metric, snapshot->configuration_time);
		break;
	case METRICS_ID_UNCONFIRMED:
		add_one(out, metric, snapshot->unconfirmed);
		break;
	case METRICS_ID_OVERRIDES:
		add_one(out, metric, snapshot->overrides);
		break;
	case METRICS_ID_LINES_LOST:
		add_one(out, metric, snapshot->lines_lost);
		break;
	}
}

static void write_interfaces(const struct metrics_snapshot *snapshot, uint32_t metric,
			     struct str *out)
{
	vec_foreach(attachment, &snapshot->attachments.list) {
		add_name(out, metric, "{");
		add_label(out, "interface", attachment->name);
		str_add(out, ",mode=\"%s\"} 1\n",
			attachment->mode == ATTACH_NATIVE ? "native" : "generic");
	}
}

static void write_maps(const struct metrics_snapshot *snapshot, uint32_t metric, struct str *out)
{
	vec_foreach(map, &snapshot->maps) {
		add_name(out, metric, "{");
		add_label(out, "map", map->name);
		str_add(out, "} %llu\n",
			(unsigned long long)(metric == METRICS_ID_MAP_ENTRIES ? map->entries
									      : map->capacity));
	}
}

static void write_reasons(const char *listener, const uint64_t *counts, uint32_t metric,
			  struct str *out)
{
	for (int i = 0; i < WEIR_R_COUNT; i++) {
		if (*listener && !counts[i])
			continue;
		add_name(out, metric, "{");
		add_label(out, "listener", listener);
		str_add(out, ",kind=\"%s\",reason=\"%s\"} %llu\n", reasons[i].kind, reasons[i].name,
			(unsigned long long)counts[i]);
	}
}

static void add_listener(struct str *out, uint32_t metric, const char *suffix, const char *name)
{
	add_name(out, metric, suffix);
	str_add(out, "{");
	add_label(out, "listener", name);
}

static void write_listener(const struct metrics_listener *listener, uint32_t metric,
			   struct str *out)
{
	add_listener(out, metric, "", listener->name);
	switch (metric) {
	case METRICS_ID_LISTENER_BYTES:
		str_add(out, ",direction=\"request\"} %llu\n",
			(unsigned long long)listener->traffic.bytes);
		add_listener(out, metric, "", listener->name);
		str_add(out, ",direction=\"reply\"} %llu\n",
			(unsigned long long)listener->traffic.reply_bytes);
		break;
	case METRICS_ID_LISTENER_FLOWS:
		str_add(out, "} %llu\n", (unsigned long long)listener->traffic.flows);
		break;
	default:
		str_add(out, "} %u\n", listener->usable);
	}
}

/* Entry i of the data plane's is what was below FIRST << i microseconds; the last has no end. */
static void write_histogram(const struct metrics_listener *listener, uint32_t metric,
			    const uint64_t entries[WEIR_LATENCY_ENTRIES], struct str *out)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++) {
		sum += entries[i];
		add_listener(out, metric, "_bucket", listener->name);
		if (i + 1 < WEIR_LATENCY_ENTRIES)
			str_add(out, ",le=\"%.9g\"} %llu\n",
				((uint64_t)WEIR_LATENCY_FIRST << i) / 1e6, (unsigned long long)sum);
		else
			str_add(out, ",le=\"+Inf\"} %llu\n", (unsigned long long)sum);
	}
	add_listener(out, metric, "_count", listener->name);
	str_add(out, "} %llu\n", (unsigned long long)sum);
}

static void write_latency(const struct metrics_listener *listener, uint32_t metric, struct str *out)
{
	if (listener->has_latency)
		write_histogram(listener, metric, listener->latency, out);
}

static void write_ends(const struct metrics_listener *listener, uint32_t metric, struct str *out)
{
	for (int end = 0; end < ACCESSLOG_ENDS; end++) {
		add_listener(out, metric, "", listener->name);
		str_add(out, ",end=\"%s\"} %llu\n", accesslog_end_name(end),
			(unsigned long long)listener->tally.ends[end]);
	}
}

static void write_rules(const struct metrics_listener *listener, uint32_t metric, struct str *out)
{
	vec_foreach(rule, &listener->rules) {
		add_listener(out, metric, "", listener->name);
		str_add(out, ",");
		add_label(out, "rule", rule->name);
		str_add(out, "} %llu\n", (unsigned long long)rule->requests);
	}
}

static void write_http(const struct metrics_listener *listener, uint32_t metric, struct str *out)
{
	const struct tally_listener *tally = &listener->tally;

	if (metric == METRICS_ID_LISTENER_TOOK) {
		write_histogram(listener, metric, tally->took, out);
		add_listener(out, metric, "_sum", listener->name);
		str_add(out, "} %.15g\n", tally->took_us / 1e6);
		return;
	}
	add_listener(out, metric, "", listener->name);
	str_add(out, "} %llu\n",
		(unsigned long long)(metric == METRICS_ID_LISTENER_CONNECTIONS ? tally->connections
				     : metric == METRICS_ID_LISTENER_ROUTED    ? tally->routed
									       : tally->requests));
}

static void write_requests(const struct metrics_listener *listener, uint32_t metric,
			   struct str *out)
{
	static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
	uint64_t answers, rest = listener->http.requests;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		answers = listener->http.answers[i];
		rest = rest > answers ? rest - answers : 0;
		add_listener(out, metric, "", listener->name);
		str_add(out, ",class=\"%s\"} %llu\n", classes[i], (unsigned long long)answers);
	}
	add_listener(out, metric, "", listener->name);
	str_add(out, ",class=\"none\"} %llu\n", (unsigned long long)rest);
}

static void add_endpoint(struct str *out, uint32_t metric, const char *listener,
			 const struct metrics_endpoint *endpoint)
{
	char text[ADDR_PORT_TEXT_MAX];

	add_listener(out, metric, "", listener);
	str_add(out, ",");
	add_label(out, "group", endpoint->group);
	str_add(out, ",");
	add_label(out, "endpoint", endpoint->name);
	str_add(out, ",");
	add_label(out, "address", addr_print_port(&endpoint->address, endpoint->port, text));
}

static void write_endpoint(const char *listener, const struct metrics_endpoint *endpoint,
			   uint32_t metric, struct str *out)
{
	const struct weir_traffic *traffic = &endpoint->traffic;

	add_endpoint(out, metric, listener, endpoint);
	switch (metric) {
	case METRICS_ID_ENDPOINT_PACKETS:
		str_add(out, "} %llu\n", (unsigned long long)traffic->packets);
		break;
	case METRICS_ID_ENDPOINT_BYTES:
		str_add(out, ",direction=\"request\"} %llu\n", (unsigned long long)traffic->bytes);
		add_endpoint(out, metric, listener, endpoint);
		str_add(out, ",direction=\"reply\"} %llu\n",
			(unsigned long long)traffic->reply_bytes);
		break;
	case METRICS_ID_ENDPOINT_FLOWS:
		str_add(out, "} %llu\n", (unsigned long long)traffic->flows);
		break;
	case METRICS_ID_ENDPOINT_WEIGHT:
		str_add(out, "} %u\n", endpoint->weight);
		break;
	case METRICS_ID_ENDPOINT_WANT:
		str_add(out, "} %.6g\n", endpoint->want);
		break;
	case METRICS_ID_ENDPOINT_UP:
		str_add(out, "} %d\n", endpoint->up);
		break;
	case METRICS_ID_ENDPOINT_CHANGES:
		str_add(out, "} %u\n", endpoint->changes);
		break;
	default:
		str_add(out, "} %.9g\n", endpoint->probe / 1e6);
	}
}

static void write_chosen(const char *listener, const struct metrics_endpoint *endpoint,
			 uint32_t metric, struct str *out)
{
	const struct tally_sight *sight = &endpoint->sight;

	if (!sight->known)
		return;
	add_endpoint(out, metric, listener, endpoint);
	if (metric == METRICS_ID_ENDPOINT_ASIDE)
		str_add(out, "} %.9g\n", sight->aside / 1e3);
	else
		str_add(out, "} %u\n",
			metric == METRICS_ID_ENDPOINT_IN_FLIGHT ? sight->busy : sight->times);
}

/* A metric's part that is of one listener. */
static void write_of_listener(const struct metrics_listener *listener, uint32_t metric,
			      struct str *out)
{
	switch (metrics_table[metric].scope) {
	case METRICS_REASON:
		write_reasons(listener->name, listener->reasons, metric, out);
		break;
	case METRICS_LATENCY:
		write_latency(listener, metric, out);
		break;
	case METRICS_REQUESTS:
		if (listener->is_http && metric == METRICS_ID_LISTENER_REQUESTS)
			write_requests(listener, metric, out);
		else if (listener->is_http)
			write_ends(listener, metric, out);
		break;
	case METRICS_RULE:
		write_rules(listener, metric, out);
		break;
	case METRICS_HTTP:
		if (listener->is_http)
			write_http(listener, metric, out);
		break;
	case METRICS_ENDPOINT:
		vec_foreach(endpoint, &listener->endpoints)
			write_endpoint(listener->name, endpoint, metric, out);
		break;
	case METRICS_CHOSEN:
		vec_foreach(endpoint, &listener->endpoints)
			write_chosen(listener->name, endpoint, metric, out);
		break;
	default:
		write_listener(listener, metric, out);
	}
}

/* Its head, and what is of no listener. */
static void write_head(const struct metrics_snapshot *snapshot, uint32_t metric, struct str *out)
{
	const struct metrics_row *row = &metrics_table[metric];

	str_add(out, "# HELP " METRICS_PREFIX "%s %s\n# TYPE " METRICS_PREFIX "%s %s\n", row->name,
		row->help, row->name, metrics_table_type(row->type));
	switch (row->scope) {
	case METRICS_ONE:
		write_one(snapshot, metric, out);
		break;
	case METRICS_INTERFACE:
		write_interfaces(snapshot, metric, out);
		break;
	case METRICS_MAP:
		write_maps(snapshot, metric, out);
		break;
	case METRICS_REASON:
		write_reasons("", snapshot->nowhere, metric, out);
		break;
	default:
		break;
	}
}

void metrics_text_write(const struct metrics_snapshot *snapshot, struct metrics_place *place,
			size_t enough, struct str *out)
{
	size_t end = out->size + enough;

	while (place->metric < METRICS_COUNT && out->size < end && !out->failed) {
		bool each = metrics_table[place->metric].scope >= METRICS_REASON;

		if (!place->begun)
			write_head(snapshot, place->metric, out);
		place->begun = true;
		for (; each && place->listener < snapshot->listeners.count; place->listener++) {
			if (out->size >= end || out->failed)
				return;
			write_of_listener(&snapshot->listeners.items[place->listener],
					  place->metric, out);
		}
		*place = (struct metrics_place){ .metric = place->metric + 1 };
	}
}
