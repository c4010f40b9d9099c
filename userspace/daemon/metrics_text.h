/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known at one moment, and the text of it for Prometheus. All series of a metric stand
 * together in the text, so each listener is come by several times: a snapshot is taken first, a
 * part at a time, and the text is written from it, a part at a time, whatever changes meanwhile.
 */
#ifndef WEIR_DAEMON_METRICS_TEXT_H
#define WEIR_DAEMON_METRICS_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/abi.h>
#include <weir/nat.h>

#include "dataplane/attach.h"
#include "net/addr.h"
#include "proxy/tally.h"
#include "util/cleanup.h"
#include "util/str.h"
#include "util/vec.h"

struct metrics_endpoint {
	char group[WEIR_NAME_MAX];
	char name[WEIR_NAME_MAX];
	struct addr address;
	uint16_t port;
	uint8_t weight;
	bool up;
	bool current; /* `want` and the states are of the row that takes new flows */
	double want;
	uint32_t changes;
	uint32_t probe; /* us */
	struct weir_traffic traffic;
	struct tally_sight sight;
};

struct metrics_rule {
	char name[WEIR_NAME_MAX]; /* "#3": it has none */
	uint64_t requests;
};

struct metrics_listener {
	char name[WEIR_NAME_MAX];
	bool has_latency;
	bool is_http;
	uint32_t usable;
	struct weir_traffic traffic;
	uint64_t reasons[WEIR_R_COUNT];
	uint64_t latency[WEIR_LATENCY_ENTRIES];
	struct weir_http http;
	struct tally_listener tally; /* of http, too */
	VEC(struct metrics_rule) rules;
	VEC(struct metrics_endpoint) endpoints;
};

struct metrics_map {
	const char *name;
	uint64_t entries, capacity;
};

struct metrics_snapshot {
	double start, configuration_time; /* s since 1970 */
	uint32_t configuration;
	uint32_t unconfirmed; /* s */
	uint32_t overrides;
	uint64_t lines_lost;
	uint64_t nowhere[WEIR_R_COUNT]; /* packets of no listener */
	VEC(struct metrics_map) maps;
	struct attachments attachments;
	VEC(struct metrics_listener) listeners;
};

/* Frees what a listener owns. */
void metrics_text_fini(struct metrics_listener *listener);
void metrics_text_free(struct metrics_snapshot *snapshot);
DEFINE_CLEANUP(struct metrics_snapshot *, metrics_text_free)

/* Where the text has got to. */
struct metrics_place {
	uint32_t metric; /* enum metrics_id; METRICS_COUNT: at the end */
	size_t listener;
	bool begun; /* its head is written */
};

/* Appends what comes next, until at least `enough` bytes have been added or the end is reached. A
 * listener's series of one metric are written at once. */
void metrics_text_write(const struct metrics_snapshot *snapshot, struct metrics_place *place,
			size_t enough, struct str *out);

#endif
