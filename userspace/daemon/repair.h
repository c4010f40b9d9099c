/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What someone else has changed under the daemon's hands: in the data plane (dataplane/drift.h), on
 * interfaces that should carry it, in the addresses that the host should answer for. `weir plan`
 * tells of it; every new configuration, a reload of the same one included, repairs it first.
 */
#ifndef WEIR_DAEMON_REPAIR_H
#define WEIR_DAEMON_REPAIR_H

#include "daemon/daemon.h"
#include "dataplane/drift.h"

/* Finds it; changes nothing. -ENOMEM. */
int repair_find(struct daemon *daemon, struct drift *ret, struct err *err);

/* Repairs what it finds, and says so in the log. The listener table is left to the plan that
 * follows. What cannot be repaired is an error. */
int repair_all(struct daemon *daemon, struct drift *ret, struct err *err);

#endif
