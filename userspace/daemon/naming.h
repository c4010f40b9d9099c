/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What DNS says of the domains of endpoints becomes the plan: it is built of the model in which
 * every domain is replaced by its addresses. The last good answers outlive the daemon.
 */
#ifndef WEIR_DAEMON_NAMING_H
#define WEIR_DAEMON_NAMING_H

#include "daemon/daemon.h"

/* Sets daemon->naming, with the answers that the last daemon had. */
int naming_start(struct daemon *daemon, struct err *err);
void naming_stop(struct naming *naming);

/* The model with addresses for domains; *ret is NULL where it has none, else the caller's. */
int naming_expand(const struct naming *naming, const struct model *model, struct model **ret,
		  struct err *err);

/* The daemon has a new model: its domains are followed. */
void naming_follow(struct naming *naming);

#endif
