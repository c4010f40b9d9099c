/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ways out of this host, as facts: interfaces with weir's program on them, and the VLAN devices
 * on those. A VLAN device has addresses and routes of its own, but its frames pass the interface
 * that it is on, with a tag; so a packet to whom it leads leaves there, with that tag.
 */
#ifndef WEIR_DAEMON_WAYS_H
#define WEIR_DAEMON_WAYS_H

#include "net/nl.h"
#include "plan/facts.h"

/* Adds those of `attached`, of `count` indices, that are there, and all VLAN devices on them, of up
 * to WEIR_VLANS tags. 0, -ENOMEM, or what netlink says. */
int ways_add(struct nl *nl, const uint32_t *attached, size_t count, struct facts *facts,
	     struct err *err);

/* The VLAN devices among the links; the interfaces with the program are in the facts already. Apart
 * for tests. 0 or -ENOMEM. */
int ways_add_vlans(const struct nl_links *links, struct facts *facts);

#endif
