/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stats, of http listeners: requests, answers by class of their status, and how long endpoints
 * take; what is under way, and why requests were refused or failed. What a listener has beyond its
 * endpoints weir has answered itself, or dropped.
 */
#ifndef WEIR_CLI_STATS_HTTP_H
#define WEIR_CLI_STATS_HTTP_H

#include <jansson.h>

#include "cli/report.h"

/* Nothing where there is no http listener. */
void stats_http_print(const struct report *report);

/* {requests, answers: {"1xx": 0, ...}, request_bytes, answer_bytes}; null where it is none. */
json_t *stats_http_json(const struct plan_listener *listener, const struct weir_http *http);

/* The same of the listener, with {connections, in_flight, ends: {done: 0, ...}, took: {below_us,
 * requests}, took_us}. */
json_t *stats_http_listener_json(const struct report_listener *listener);

#endif
