/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A configuration to look at: that of a file, or the one in force, with or without a daemon. */
#ifndef WEIR_CLI_CONFIGURATION_H
#define WEIR_CLI_CONFIGURATION_H

#include "config/model.h"
#include "util/err.h"

/* That of the file, or with NULL the one in force of the instance; with its text, unless ret_text
 * is NULL. -EBADMSG: it has errors. The caller frees both. */
int configuration_read(const char *instance, const char *file, struct model **ret, char **ret_text,
		       struct err *err);

#endif
