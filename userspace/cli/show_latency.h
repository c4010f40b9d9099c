/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* show latency: how long endpoints take to answer first; with http, from a request's first byte to
 * the head of its answer. */
#ifndef WEIR_CLI_SHOW_LATENCY_H
#define WEIR_CLI_SHOW_LATENCY_H

#include <jansson.h>

#include "cli/report.h"

void show_latency_print(const struct report *report);
json_t *show_latency_json(const struct report *report);

/* What an entry of a histogram is below (us), but for the last one. */
uint64_t show_latency_limit(uint32_t entry);

/* Below which `share` of the answers were: "512 us", "2.0 ms", "> 2.1 s", "-". */
#define SHOW_LATENCY_MAX 24
void show_latency_quantile(const struct weir_nat_latency *latency, double share,
			   char text[SHOW_LATENCY_MAX]);

#endif
