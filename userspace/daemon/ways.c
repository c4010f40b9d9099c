// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/ways.h"

#include <errno.h>
#include <string.h>

#define VLAN_TAG 4 /* bytes */

static const struct nl_link *find(const struct nl_links *links, int ifindex)
{
	vec_foreach(link, &links->list)
		if (link->ifindex == ifindex)
			return link;
	return NULL;
}

/* What a device takes, bytes; of one with two tags less than its MTU, where that is the interface's
 * own: Linux lets frames be longer than that by one tag (xdp_ok_fwd_dev(), is_skb_forwardable()).
 */
static uint16_t mtu_of(const struct nl_link *link, const struct nl_link *attached,
		       const uint16_t vlan[WEIR_VLANS])
{
	uint32_t mtu = link->mtu;

	if (vlan[1] && mtu + VLAN_TAG > attached->mtu && attached->mtu > VLAN_TAG)
		mtu = attached->mtu - VLAN_TAG;
	return mtu < UINT16_MAX ? mtu : UINT16_MAX;
}

static int add(struct facts *facts, const struct nl_link *link, const struct nl_link *attached,
	       const uint16_t vlan[WEIR_VLANS])
{
	struct facts_interface interface = {
		.ifindex = link->ifindex,
		.mtu = mtu_of(link, attached, vlan),
		.attached = attached->ifindex,
	};

	memcpy(interface.name, link->name, sizeof(interface.name));
	memcpy(interface.mac, link->mac, sizeof(interface.mac));
	memcpy(interface.vlan, vlan, sizeof(interface.vlan));
	return vec_push(&facts->interfaces, interface);
}

static bool is_attached(const struct facts *facts, int ifindex)
{
	const struct facts_interface *interface = facts_interface(facts, ifindex);

	return interface && interface->ifindex == interface->attached;
}

/* The interface whose program is the first that a device's frames pass, and with which tags, or
 * NULL. */
static const struct nl_link *find_attached(const struct nl_links *links, const struct facts *facts,
					   const struct nl_link *link,
					   uint16_t ret_vlan[WEIR_VLANS])
{
	const struct nl_link *attached = NULL;
	uint16_t vlan[WEIR_VLANS] = {};

	for (size_t tags = 0; tags < WEIR_VLANS && link && link->lower; tags++) {
		bool has_program = is_attached(facts, link->lower);

		memmove(vlan + 1, vlan, sizeof(vlan) - sizeof(*vlan));
		vlan[0] = link->vlan;
		link = find(links, link->lower);
		if (!has_program || !link)
			continue;
		memcpy(ret_vlan, vlan, sizeof(vlan));
		attached = link;
	}
	return attached;
}

int ways_add_vlans(const struct nl_links *links, struct facts *facts)
{
	int r = 0;

	vec_foreach(link, &links->list) {
		uint16_t vlan[WEIR_VLANS];
		const struct nl_link *attached = find_attached(links, facts, link, vlan);
		struct facts_interface *known = facts_interface(facts, link->ifindex);

		if (r || !attached)
			continue;
		if (!known) {
			r = add(facts, link, attached, vlan);
			continue;
		}
		/* It has the program, too, but that sees only what the first one has let pass. */
		known->attached = attached->ifindex;
		known->mtu = mtu_of(link, attached, vlan);
		memcpy(known->vlan, vlan, sizeof(known->vlan));
	}
	return r;
}

int ways_add(struct nl *nl, const uint32_t *attached, size_t count, struct facts *facts,
	     struct err *err)
{
	static const uint16_t untagged[WEIR_VLANS];
	struct nl_links links = {};
	int r = nl_link_all(nl, &links, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		const struct nl_link *link = find(&links, attached[i]);

		if (!r && link && !facts_interface(facts, attached[i]))
			r = add(facts, link, link, untagged);
	}
	r = r ?: ways_add_vlans(&links, facts);
	vec_free(&links.list);
	return r ? err_set(err, r, "out of memory") : 0;
}
