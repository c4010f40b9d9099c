// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/metrics_table.h"

const struct metrics_row metrics_table[METRICS_COUNT] = {
#define X(id, name, type, scope, labels, help)                                                     \
	[METRICS_ID_##id] = { name, METRICS_##type, METRICS_##scope, labels, help },
	METRICS(X)
#undef X
};

const char *metrics_table_type(enum metrics_type type)
{
	static const char *const names[] = {
		[METRICS_GAUGE] = "gauge",
		[METRICS_COUNTER] = "counter",
		[METRICS_HISTOGRAM] = "histogram",
	};

	return names[type];
}
