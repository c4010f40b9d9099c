// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/facts.h"

#include <errno.h>
#include <string.h>

void facts_fini(struct facts *facts)
{
	vec_free(&facts->interfaces);
	vec_free(&facts->targets);
	lookup_fini(&facts->by_address);
	vec_free(&facts->ports);
}

static uint32_t hash_of(const struct addr *address)
{
	return lookup_hash(0, address->bytes, sizeof(address->bytes));
}

int facts_add_target(struct facts *facts, const struct facts_target *target)
{
	if (lookup_add(&facts->by_address, hash_of(&target->address), facts->targets.count))
		return -ENOMEM;
	return vec_push(&facts->targets, *target);
}

struct facts_target *facts_target(const struct facts *facts, const struct addr *address)
{
	if (facts->by_address.count == facts->targets.count) {
		lookup_foreach(item, &facts->by_address, hash_of(address))
			if (addr_equal(&facts->targets.items[item].address, address))
				return &facts->targets.items[item];
		return NULL;
	}
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

struct weir_egress facts_egress(const struct facts_interface *interface)
{
	struct weir_egress egress = { .ifindex = interface->attached,
				      .mtu = interface->mtu,
				      .device = interface->ifindex };

	memcpy(egress.mac, interface->mac, sizeof(egress.mac));
	memcpy(egress.vlan, interface->vlan, sizeof(egress.vlan));
	memcpy(egress.name, interface->name, sizeof(egress.name));
	return egress;
}

struct facts_interface *facts_of_egress(const struct facts *facts, const struct weir_egress *egress)
{
	vec_foreach(interface, &facts->interfaces)
		if (interface->attached == egress->ifindex &&
		    !memcmp(interface->vlan, egress->vlan, sizeof(egress->vlan)))
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
