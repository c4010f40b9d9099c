/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one table of the command line: help, checks of options, completion and manual come from it.
 */
#ifndef WEIR_CLI_VERBS_H
#define WEIR_CLI_VERBS_H

#include "cli/cli.h"

struct verb {
	const char *name;
	const char *arguments;
	const char *help;
	int (*function)(const struct cli *cli, struct err *err);
	const char *options; /* more arguments, which the overview leaves out; or NULL */
};

extern const struct verb verbs[]; /* as people read them */
extern const size_t verbs_count;

#endif
