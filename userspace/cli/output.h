/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How results are written. */
#ifndef WEIR_CLI_OUTPUT_H
#define WEIR_CLI_OUTPUT_H

#include "cli/cli.h"

/* Writes a value (taken) to stdout as -j or -p ask. */
void output_json(const struct cli *cli, json_t *value);

/* A terminal that is not told NO_COLOR. */
bool output_colour(FILE *out);

/* A reason of include/weir/counters.h in words. */
struct output_reason {
	const char *kind; /* "forward", "pass", "drop", "answer", "note" */
	const char *name;
	const char *help;
	const char *hint; /* "" where there is nothing to do */
};

const struct output_reason *output_reason(enum weir_reason reason);

#define OUTPUT_TIME_MAX 32

/* "2026-11-22 14:03:12", local time. Returns `text`. */
const char *output_time(int64_t seconds, char text[OUTPUT_TIME_MAX]);

const char *output_protocol(uint8_t protocol);
const char *output_mode(uint8_t mode);

#endif
