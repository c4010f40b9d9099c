// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/facts.h"

void facts_fini(struct facts *facts)
{
	vec_free(&facts->interfaces);
	vec_free(&facts->targets);
	vec_free(&facts->ports);
}

struct facts_target *facts_target(const struct facts *facts, const struct addr *address)
{
	vec_foreach(target, &facts->targets)
		if (addr_equal(&target->address, address))
			return target;
	return NULL;
}

struct facts_interface *facts_interface(const struct facts *facts, uint32_t ifindex)
{
	vec_foreach(interface, &facts->interfaces)
		if (interface->ifindex == ifindex)
			return interface;
	return NULL;
}

struct facts_ports *facts_ports(const struct facts *facts, const struct addr *address)
{
	vec_foreach(ports, &facts->ports)
		if (addr_equal(&ports->address, address))
			return ports;
	return NULL;
}
