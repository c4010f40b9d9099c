/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon does unasked: next hops follow the network, slots go from MOVING to PINNED to
 * STABLE, flows age, and what nothing refers to any more is freed.
 */
#ifndef WEIR_DAEMON_UPKEEP_H
#define WEIR_DAEMON_UPKEEP_H

#include "daemon/daemon.h"

/* Sets daemon->upkeep going on the daemon's loop. */
int upkeep_start(struct daemon *daemon, struct err *err);
void upkeep_stop(struct upkeep *upkeep);

/* Flows of modes other than nat that were recorded at the last look. */
uint32_t upkeep_recorded(const struct upkeep *upkeep);

#endif
