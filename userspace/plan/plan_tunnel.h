/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The outer headers of modes ipip and gue: whence, and how large a path. For plan_build() alone. */
#ifndef WEIR_PLAN_PLAN_TUNNEL_H
#define WEIR_PLAN_PLAN_TUNNEL_H

#include "plan/plan.h"

/*
 * Sets endpoint->tunnel for its mode (zero for others). -EINVAL if the host has no address of the
 * endpoint's family to send from, unless the configuration is in force already: then the source
 * is empty, and the endpoint's next hop has to be, too.
 */
int plan_tunnel_fill(const struct listener *listener, const struct model *model,
		     const struct facts *facts, struct plan_endpoint *endpoint, struct err *err);

/* Is it an endpoint that nothing can be sent to, for want of a source? */
bool plan_tunnel_is_mute(const struct plan_endpoint *endpoint);

#endif
