// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: no text makes the configuration's reader crash, leak or hang; what it accepts prints to a
 * text that it accepts again, with the same meaning; every finding can be shown.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show(const struct findings *findings, const char *text, size_t size)
{
	size_t shown_size;
	_cleanup_(freep) char *shown = NULL;
	FILE *out = open_memstream(&shown, &shown_size);

	if (!out)
		return;
	findings_print(findings, "f", text, size, true, out);
	fclose(out);
}

static void check_round_trip(const struct model *model)
{
	_cleanup_(freep) char *printed = config_print(model);
	_cleanup_(model_freep) struct model *again = NULL;
	_cleanup_(findings_fini) struct findings findings = {};

	if (config_parse(printed, strlen(printed), &again, &findings)) {
		fputs(printed, stderr);
		show(&findings, printed, strlen(printed));
		vec_foreach(finding, &findings.list)
			fprintf(stderr, "%u:%u: %s\n", finding->line, finding->column,
				finding->message);
		__builtin_trap();
	}
	if (!model_equal(model, again)) {
		fputs(printed, stderr);
		__builtin_trap();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(findings_fini) struct findings findings = {};
	_cleanup_(model_freep) struct model *model = NULL;
	int r = config_parse((const char *)data, size, &model, &findings);

	show(&findings, (const char *)data, size);
	if (r != (findings.errors ? -EINVAL : 0) || (r == 0) != (model != NULL))
		__builtin_trap();
	if (model)
		check_round_trip(model);
	return 0;
}
