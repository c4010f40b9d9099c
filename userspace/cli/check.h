/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What `weir check` says beyond a configuration's own text: of this host. */
#ifndef WEIR_CLI_CHECK_H
#define WEIR_CLI_CHECK_H

#include "config/remarks.h"
#include "util/err.h"

/*
 * Reads the files that the configuration names, the inventory's and those that say where clients
 * are, and remarks what is wrong with them. One that cannot be read is a warning, since it may be
 * there where the daemon runs; -EBADMSG, with a text: one is bad, and no daemon would have the
 * configuration; its own findings are on stderr. -ENOMEM.
 */
int check_files(const struct model *model, struct remarks *remarks, struct err *err);

/*
 * Writes to stdout how many flows at a time each endpoint of a nat listener can have, by the
 * addresses and ports that they come from here; on stderr why, if that cannot be found out.
 */
void check_flows(const struct model *model);

#endif
