/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * show checks: what health checks know of each endpoint. AGAINST counts the last probes in a row
 * that speak against the state, CHANGES how often it was another: what changes often has a
 * threshold that is too low, or an endpoint that is ill.
 */
#ifndef WEIR_CLI_SHOW_CHECKS_H
#define WEIR_CLI_SHOW_CHECKS_H

#include <jansson.h>

#include "cli/report.h"

void show_checks_print(const struct report *report);
json_t *show_checks_json(const struct report *report);

#endif
