/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* drain --wait: until drained endpoints have no flow left, by what is pinned alone. */
#ifndef WEIR_CLI_WAIT_H
#define WEIR_CLI_WAIT_H

#include "cli/cli.h"

/*
 * `changed` is the daemon's answer to drain: [{"endpoint": PATH}, ...]. Tells on a terminal how
 * many flows are left. What is left in the end is added to `answer` as "left", how long it took as
 * "seconds". -ETIMEDOUT after `timeout` (s; 0: never), with a text.
 */
int wait_until_empty(const struct cli *cli, json_t *changed, unsigned timeout, json_t *answer,
		     struct err *err);

#endif
