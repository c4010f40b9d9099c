// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: of the host's links, the VLAN devices on attached interfaces become ways out, each with the
 * tags that its frames have there, outermost first; no other link does.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "daemon/ways.h"

#define SERVICE WEIR_VLAN_8021AD

static const struct nl_link links[] = {
	{ .ifindex = 9, .name = "late", .mtu = 1400, .lower = 2, .vlan = 9, .mac = { 2, 9 } },
	{ .ifindex = 2, .name = "eth0", .mtu = 1500 },
	{ .ifindex = 3, .name = "eth1", .mtu = 1500 },
	{ .ifindex = 10, .name = "eth0.10", .mtu = 1500, .lower = 2, .vlan = 10 },
	{ .ifindex = 11, .name = "eth0.11", .mtu = 70000, .lower = 2, .vlan = 11 | SERVICE },
	{ .ifindex = 12, .name = "eth0.11.12", .mtu = 1500, .lower = 11, .vlan = 12 },
	{ .ifindex = 13, .name = "three", .mtu = 1500, .lower = 12, .vlan = 13 },
	{ .ifindex = 14, .name = "eth1.10", .mtu = 1500, .lower = 3, .vlan = 10 },
	{ .ifindex = 15, .name = "elsewhere", .mtu = 1500, .lower = 77, .vlan = 10 },
	{ .ifindex = 16, .name = "loop", .mtu = 1500, .lower = 16, .vlan = 10 },
};

#define COUNT (sizeof(links) / sizeof(links[0]))

static void gather(struct facts *facts, const uint32_t *attached, size_t count)
{
	struct nl_links all = { .list = { (struct nl_link *)links, COUNT, COUNT } };

	for (size_t i = 0; i < count; i++) {
		struct facts_interface interface = { .ifindex = attached[i],
						     .attached = attached[i] };

		cr_assert_eq(vec_push(&facts->interfaces, interface), 0);
	}
	cr_assert_eq(ways_add_vlans(&all, facts), 0);
}

static void expect(const struct facts *facts, uint32_t ifindex, uint32_t attached, uint16_t outer,
		   uint16_t inner)
{
	const struct facts_interface *way = facts_interface(facts, ifindex);

	cr_assert(way, "%u", ifindex);
	cr_expect_eq(way->attached, attached, "%u", ifindex);
	cr_expect(way->vlan[0] == outer && way->vlan[1] == inner, "%u: %x, %x", ifindex,
		  way->vlan[0], way->vlan[1]);
}

Test(ways, tags)
{
	struct facts facts = {};

	gather(&facts, (uint32_t[]){ 2 }, 1);
	cr_expect_eq(facts.interfaces.count, 5);
	expect(&facts, 2, 2, 0, 0);
	expect(&facts, 9, 2, 9, 0);
	expect(&facts, 10, 2, 10, 0);
	expect(&facts, 11, 2, 11 | SERVICE, 0);
	expect(&facts, 12, 2, 11 | SERVICE, 12);
	cr_expect_eq(facts_interface(&facts, 9)->mtu, 1400);
	cr_expect_eq(facts_interface(&facts, 9)->mac[1], 9);
	cr_expect_str_eq(facts_interface(&facts, 9)->name, "late");
	cr_expect_eq(facts_interface(&facts, 11)->mtu, UINT16_MAX);
	cr_expect_eq(facts_interface(&facts, 10)->mtu, 1500);
	cr_expect_eq(facts_interface(&facts, 12)->mtu, 1496, "two tags");
	facts_fini(&facts);
}

/* A VLAN device that has the program itself is as any interface, ... */
Test(ways, attached_devices)
{
	struct facts facts = {};

	gather(&facts, (uint32_t[]){ 11, 3 }, 2);
	cr_expect_eq(facts.interfaces.count, 5);
	expect(&facts, 11, 11, 0, 0);
	expect(&facts, 12, 11, 12, 0);
	expect(&facts, 13, 11, 12, 13);
	expect(&facts, 14, 3, 10, 0);
	facts_fini(&facts);
}

/* ... unless its frames pass another one's program before: then its own sees none of weir's. */
Test(ways, attached_devices_on_attached_interfaces)
{
	struct facts facts = {};

	gather(&facts, (uint32_t[]){ 11, 12, 2 }, 3);
	cr_expect_eq(facts.interfaces.count, 5);
	expect(&facts, 2, 2, 0, 0);
	expect(&facts, 10, 2, 10, 0);
	expect(&facts, 11, 2, 11 | SERVICE, 0);
	expect(&facts, 12, 2, 11 | SERVICE, 12);
	cr_expect_eq(facts_interface(&facts, 12)->mtu, 1496);
	facts_fini(&facts);
}

Test(ways, rows)
{
	struct facts facts = {};
	struct weir_egress row;

	gather(&facts, (uint32_t[]){ 2 }, 1);
	row = facts_egress(facts_interface(&facts, 12));
	cr_expect(row.ifindex == 2 && row.device == 12 && row.vlan[0] == (11 | SERVICE) &&
		  row.vlan[1] == 12);
	cr_expect_str_eq(row.name, "eth0.11.12");
	cr_expect_eq(facts_of_egress(&facts, &row)->ifindex, 12);
	row.vlan[1] = 99;
	cr_expect_null(facts_of_egress(&facts, &row));
	row.vlan[0] = row.vlan[1] = 0;
	cr_expect_eq(facts_of_egress(&facts, &row)->ifindex, 2);
	facts_fini(&facts);
}
