/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line: one verb, one function. stdout is data, stderr is words. A verb returns 0, a
 * negative errno with a text, or CLI_USAGE; main.c alone turns that into an exit code.
 */
#ifndef WEIR_CLI_CLI_H
#define WEIR_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "dataplane/object.h"
#include "plan/plan.h"
#include "util/err.h"

/* What is common to all verbs. */
struct cli {
	const char *instance;
	bool json;
	bool pretty; /* implies json */
	int argc;    /* the verb and its own arguments */
	char **argv;
};

/* Returned with a text: the arguments are wrong; the usage is printed as well. */
#define CLI_USAGE 1

/* Returned where --exit-code asks for it: something differs, or is not well. */
#define CLI_DIFFERS 2

int cli_run(const struct cli *cli, struct err *err);
int cli_attach(const struct cli *cli, struct err *err);
int cli_detach(const struct cli *cli, struct err *err);
int cli_attach_decap(const struct cli *cli, struct err *err); /* attach --decap */
int cli_detach_decap(const struct cli *cli, struct err *err);
int cli_down(const struct cli *cli, struct err *err);
int cli_check(const struct cli *cli, struct err *err);
int cli_plan(const struct cli *cli, struct err *err);
int cli_apply(const struct cli *cli, struct err *err);
int cli_confirm(const struct cli *cli, struct err *err);
int cli_rollback(const struct cli *cli, struct err *err);
int cli_history(const struct cli *cli, struct err *err);
int cli_set(const struct cli *cli, struct err *err);
int cli_drain(const struct cli *cli, struct err *err);
int cli_undrain(const struct cli *cli, struct err *err);
int cli_disable(const struct cli *cli, struct err *err);
int cli_enable(const struct cli *cli, struct err *err);
int cli_show(const struct cli *cli, struct err *err);
int cli_show_decap(const struct cli *cli, struct err *err);	/* show decap */
int cli_show_overrides(const struct cli *cli, struct err *err); /* show overrides */
void cli_show_disabled(const struct cli *cli);		   /* what show endpoints does not have */
int cli_show_maps(const struct cli *cli, struct err *err); /* show maps */
int cli_stats(const struct cli *cli, struct err *err);
int cli_explain(const struct cli *cli, struct err *err);
int cli_doctor(const struct cli *cli, struct err *err);
int cli_schema(const struct cli *cli, struct err *err);
int cli_completion(const struct cli *cli, struct err *err);
int cli_version(const struct cli *cli, struct err *err);
int cli_help(const struct cli *cli, struct err *err);

#endif
