// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/plan_tunnel.h"

#define MTU_UNKNOWN 1500 /* of a route whose interface has not told */

static bool is_tunnel(const struct plan_endpoint *endpoint)
{
	return endpoint->mode == WEIR_MODE_IPIP || endpoint->mode == WEIR_MODE_GUE;
}

/* What the configuration names for a family, or NULL. */
static const struct addr_prefix *named(const struct tunnel_source *source, int family)
{
	vec_foreach(prefix, &source->list)
		if (addr_family(&prefix->addr) == family)
			return prefix;
	return NULL;
}

int plan_tunnel_fill(const struct listener *listener, const struct model *model,
		     const struct facts *facts, struct plan_endpoint *endpoint, struct err *err)
{
	const struct facts_target *target = facts_target(facts, &endpoint->address);
	const struct tunnel_source *source = listener->tunnel_source.list.count
						     ? &listener->tunnel_source
						     : &model->tunnel_source;
	int family = addr_family(&endpoint->address);
	const struct addr_prefix *prefix;

	endpoint->tunnel = (struct plan_tunnel){};
	if (!is_tunnel(endpoint))
		return 0;
	endpoint->tunnel.gue_port = endpoint->mode == WEIR_MODE_GUE ? listener->gue_port : 0;
	endpoint->tunnel.mtu = target && target->mtu ? target->mtu : MTU_UNKNOWN;
	prefix = named(source, family);
	if (prefix) {
		unsigned bits = 128 - prefix->bits;

		endpoint->tunnel.source = prefix->addr;
		endpoint->tunnel.source_bits = bits < 32 ? bits : 32;
	} else if (target && !addr_is_martian(&target->source) &&
		   addr_family(&target->source) == family) {
		endpoint->tunnel.source = target->source;
	} else if (target && target->ifindex && !facts->accepted) {
		return err_set(err, -EINVAL,
			       "this host has no %s address to send a tunnel's packets from; give "
			       "%s one, or set tunnel_source",
			       family == AF_INET ? "IPv4" : "IPv6", target->interface);
	}
	return 0;
}

bool plan_tunnel_is_mute(const struct plan_endpoint *endpoint)
{
	return is_tunnel(endpoint) && addr_is_martian(&endpoint->tunnel.source);
}
