/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `show flows`: the flows that are tracked at the moment. */
#ifndef WEIR_CLI_SHOW_FLOWS_H
#define WEIR_CLI_SHOW_FLOWS_H

#include "cli/cli.h"

/* Returns as a verb does. */
int show_flows(const struct cli *cli, struct err *err);

#endif
