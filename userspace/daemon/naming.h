/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What DNS says of the domains of endpoints, and the inventory of instances, becomes the plan: it
 * is built of the model in which each is replaced by its addresses. The last good answers outlive
 * the daemon, in /var/lib/INSTANCE/names.json; there `weir show` finds, too, who has no address and
 * why.
 */
#ifndef WEIR_DAEMON_NAMING_H
#define WEIR_DAEMON_NAMING_H

#include "daemon/daemon.h"
#include "config/remarks.h"

/* Sets daemon->naming, with the answers that the last daemon had. */
int naming_start(struct daemon *daemon, struct err *err);
void naming_stop(struct naming *naming);

/* Has the inventory that a model names been read? As locating_ready(). */
int naming_ready(struct naming *naming, const struct model *model, struct err *err);

/* The model with addresses for domains; *ret is NULL where it has none, else the caller's. */
int naming_expand(struct naming *naming, const struct model *model, struct model **ret,
		  struct err *err);

/* What whoever puts the model in force should know: bad files of the inventory, and instances that
 * get no traffic. */
void naming_report(struct naming *naming, const struct model *model, struct remarks *remarks);

/* The daemon has a new model: its domains are followed. */
void naming_follow(struct naming *naming);

#endif
