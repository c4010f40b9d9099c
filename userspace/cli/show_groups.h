/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* show groups: where a listener's new flows go, group by group. */
#ifndef WEIR_CLI_SHOW_GROUPS_H
#define WEIR_CLI_SHOW_GROUPS_H

#include <jansson.h>

#include "cli/report.h"

void show_groups_print(const struct report *report);
json_t *show_groups_json(const struct report *report);

#endif
