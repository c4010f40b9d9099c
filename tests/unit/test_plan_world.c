// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the plan follows the facts - interfaces, next hops, source addresses and their ports - and
 * refuses what cannot work with a text that names listener, endpoint and what to do.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <time.h>

#include "plan/support.h"

/* One listener, "web", with one group, "main"; `more` is further lines of the listener. */
#define WEB_WITH(top, more, endpoints)                                                             \
	"version: 1\n" top "listeners:\n"                                                          \
	"  - name: web\n"                                                                          \
	"    protocol: tcp\n"                                                                      \
	"    address: 192.0.2.1\n"                                                                 \
	"    port: 80\n" more "    endpoint_groups:\n"                                             \
	"      - {name: main, endpoints: [" endpoints "]}\n"
#define WEB(more, endpoints) WEB_WITH("", more, endpoints)

#define DSR		     "    mode: dsr\n"

/* Releases all but what flows with this source address (NULL: none) and those that came by this
 * interface (0: none) refer to. */
static bool release(struct support_world *world, const char *address, uint32_t egress)
{
	struct plan_references references = {};
	bool freed;

	references.egress[egress] = true;
	references.rows = calloc(WEIR_MAX_ENDPOINTS, sizeof(*references.rows));
	if (address)
		cr_assert_eq(vec_push(&references.snat_addresses, support_addr(address)), 0);
	freed = plan_release(world->plan, &references);
	free(references.rows);
	vec_free(&references.snat_addresses);
	return freed;
}

/* 1: interfaces keep their index; one that is gone keeps it for its flows, or its return. */
Test(plan_world, egress)
{
	struct support_world world = support_begin();
	struct weir_egress *egress;

	support_interface(&world, 3, "eth1");
	support_build(&world, WEB("", "10.0.0.1"));
	cr_assert_eq(world.plan->egress.count, 3);
	cr_expect_eq(world.plan->egress.items[0].ifindex, 0);
	egress = &world.plan->egress.items[2];
	cr_expect(egress->ifindex == 3 && egress->mac[5] == 3 && !strcmp(egress->name, "eth1"));

	/* eth0 is detached; eth1 stays, with another name and MAC. */
	world.facts.interfaces.items[0] = world.facts.interfaces.items[1];
	world.facts.interfaces.count = 1;
	world.facts.interfaces.items[0].mac[5] = 99;
	strcpy(world.facts.interfaces.items[0].name, "wan");
	support_target_at(&world, "10.0.0.1")->ifindex = 3;
	support_build(&world, WEB("", "10.0.0.1"));
	cr_assert_eq(world.plan->egress.count, 3);
	cr_expect_eq(world.plan->egress.items[1].ifindex, 0);
	egress = &world.plan->egress.items[2];
	cr_expect(egress->ifindex == 3 && egress->mac[5] == 99);
	cr_expect_str_eq(egress->name, "wan");

	cr_expect_not(release(&world, "10.0.0.254", 1), "flows came by eth0");
	support_interface(&world, 9, "eth9");
	support_build(&world, WEB("", "10.0.0.1"));
	cr_assert_eq(world.plan->egress.count, 4);
	cr_expect_eq(world.plan->egress.items[3].ifindex, 9);
	support_interface(&world, 10, "eth0"); /* made anew */
	support_build(&world, WEB("", "10.0.0.1"));
	cr_expect_eq(world.plan->egress.items[1].ifindex, 10);
	cr_assert_eq(world.plan->egress.count, 4);

	world.facts.interfaces.count -= 2;
	support_build(&world, WEB("", "10.0.0.1"));
	cr_expect(release(&world, "10.0.0.254", 1), "nothing came by eth9");
	support_interface(&world, 11, "eth11");
	support_build(&world, WEB("", "10.0.0.1"));
	cr_assert_eq(world.plan->egress.count, 4);
	cr_expect_eq(world.plan->egress.items[3].ifindex, 11);
	cr_expect_eq(world.plan->egress.items[1].ifindex, 0);
	support_end(&world);
}

/* A VLAN device, whose ifindex is its own and whose frames pass eth0. */
static void add_vlan(struct support_world *world, uint32_t ifindex, const char *name, uint16_t id)
{
	struct facts_interface *device;

	support_interface(world, ifindex, name);
	device = &world->facts.interfaces.items[world->facts.interfaces.count - 1];
	device->attached = SUPPORT_IFINDEX;
	device->vlan[0] = id;
}

/* ... and so do next hops behind VLAN devices, whose way out is eth0's with a tag. */
Test(plan_world, vlans)
{
	struct support_world world = support_begin();
	const struct weir_egress *egress;
	struct weir_nexthop hop;

	add_vlan(&world, 20, "eth0.7", 7);
	add_vlan(&world, 21, "eth0.8", 8);
	support_target_at(&world, "10.0.0.1")->ifindex = 21;
	support_build(&world, WEB(DSR, "10.0.0.1, 10.0.0.2"));
	cr_assert_eq(world.plan->egress.count, 4);
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.1")->nexthop;
	egress = &world.plan->egress.items[hop.egress];
	cr_expect(egress->ifindex == SUPPORT_IFINDEX && egress->vlan[0] == 8);
	cr_expect_eq(egress->device, 21);
	cr_expect_str_eq(egress->name, "eth0.8");
	cr_expect_eq(egress->mac[5], 21);
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.2")->nexthop;
	cr_expect_eq(world.plan->egress.items[hop.egress].vlan[0], 0);

	/* Made anew, with another ifindex, it is the same way out. */
	world.facts.interfaces.items[2].ifindex = 30;
	support_target_at(&world, "10.0.0.1")->ifindex = 30;
	world.facts.interfaces.items[2].mac[5] = 30;
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.1")->nexthop;
	support_build(&world, WEB(DSR, "10.0.0.1, 10.0.0.2"));
	cr_assert_eq(world.plan->egress.count, 4);
	cr_expect_eq(support_endpoint(support_listener(&world, "web"), "10.0.0.1")->nexthop.egress,
		     hop.egress);
	cr_expect_eq(world.plan->egress.items[hop.egress].mac[5], 30);
	cr_expect_eq(world.plan->egress.items[hop.egress].device, 30);

	/* It is gone: clients that came by it may have flows. */
	world.facts.interfaces.count = 2;
	support_target_at(&world, "10.0.0.1")->ifindex = SUPPORT_IFINDEX;
	support_build(&world, WEB(DSR, "10.0.0.1, 10.0.0.2"));
	cr_expect_eq(world.plan->egress.items[hop.egress].ifindex, 0);
	cr_expect_eq(world.plan->egress.items[hop.egress].device, 0);
	cr_expect_str_eq(world.plan->egress.items[hop.egress].name, "eth0.8");
	support_end(&world);
}

/* There may be more than have a place: then those that lead to endpoints have one. */
Test(plan_world, too_many_vlans)
{
	struct support_world world = support_begin();
	struct weir_nexthop hop;

	for (uint32_t id = 1; id < 2 * WEIR_MAX_EGRESS; id++) {
		char name[IF_NAMESIZE];

		snprintf(name, sizeof(name), "eth0.%u", id);
		add_vlan(&world, 1000 + id, name, id);
	}
	support_target_at(&world, "10.0.0.1")->ifindex = 1000 + 2 * WEIR_MAX_EGRESS - 1;
	support_build(&world, WEB("", "10.0.0.1"));
	cr_expect_eq(world.plan->egress.count, WEIR_MAX_EGRESS);
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.1")->nexthop;
	cr_expect_eq(world.plan->egress.items[hop.egress].vlan[0], 2 * WEIR_MAX_EGRESS - 1);
	support_end(&world);
}

/* 2: next hops are set by plan_build() and follow by plan_resolve(). */
Test(plan_world, next_hops)
{
	struct support_world world = support_begin();
	struct facts_target *target;
	struct weir_nexthop hop;

	support_target_at(&world, "10.0.0.2")->resolved = false;
	support_target_at(&world, "10.0.0.3")->ifindex = 0; /* no route */
	support_target_at(&world, "10.0.0.3")->resolved = false;
	support_build(&world, WEB("", "10.0.0.1, 10.0.0.2, 10.0.0.3"));
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.1")->nexthop;
	cr_expect(hop.egress == 1 && hop.mac[0] == 2 && hop.mac[5] == 1);
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.2")->nexthop;
	cr_expect_eq(hop.egress, 0);
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.3")->nexthop;
	cr_expect_eq(hop.egress, 0);
	cr_expect_not(plan_resolve(world.plan, &world.facts), "nothing has changed");

	support_target_at(&world, "10.0.0.2")->resolved = true;
	target = support_target_at(&world, "10.0.0.1");
	target->mac[5] = 0x77;
	cr_expect(plan_resolve(world.plan, &world.facts));
	cr_expect_not(plan_resolve(world.plan, &world.facts));
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.1")->nexthop;
	cr_expect(hop.egress == 1 && hop.mac[5] == 0x77);
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.2")->nexthop;
	cr_expect(hop.egress == 1 && hop.mac[5] == 2);

	target->ifindex = 3; /* moved to where weir is not attached */
	cr_expect(plan_resolve(world.plan, &world.facts));
	hop = support_endpoint(support_listener(&world, "web"), "10.0.0.1")->nexthop;
	cr_expect(!hop.egress && !hop.mac[0] && !hop.mac[5]);

	/* A removed endpoint's next hop is left alone; a draining one's is not. */
	target->ifindex = SUPPORT_IFINDEX;
	support_build(&world, WEB("", "10.0.0.2 weight 0, 10.0.0.3"));
	target->mac[5] = 0x78;
	cr_expect_not(plan_resolve(world.plan, &world.facts));
	support_target_at(&world, "10.0.0.2")->mac[5] = 0x79;
	cr_expect(plan_resolve(world.plan, &world.facts));
	support_end(&world);
}

/* 3: what cannot work is refused, by name, with nothing changed. */
Test(plan_world, refusals)
{
	static const struct {
		const char *what;
		const char *text;
		uint32_t ifindex;     /* of 10.0.0.2 */
		const char *next_hop; /* of 10.0.0.2 */
		int error;
		const char *message;
	} cases[] = {
		{ "fine", WEB("", "10.0.0.1, 10.0.0.2"), SUPPORT_IFINDEX, "10.0.0.2", 0, "" },
		{ "not attached", WEB("", "10.0.0.1, 10.0.0.2"), 1, "10.0.0.2", -EINVAL,
		  "listener web: endpoint 10.0.0.2: is reached through lo, where weir is not "
		  "attached; add lo to 'interfaces' or -i, or run: weir attach lo" },
		{ "not attached, dsr", WEB(DSR, "10.0.0.1, {name: b, address: 10.0.0.2}"), 1,
		  "10.0.0.2", -EINVAL,
		  "listener web: endpoint b: is reached through lo, where weir is not attached; "
		  "add lo to 'interfaces' or -i, or run: weir attach lo" },
		{ "dsr behind a router", WEB(DSR, "10.0.0.1, 10.0.0.2"), SUPPORT_IFINDEX,
		  "10.0.0.9", -EINVAL,
		  "listener web: endpoint 10.0.0.2: is behind the router 10.0.0.9, but mode dsr "
		  "needs endpoints on the balancer's own network; use mode: nat, ipip or gue" },
		{ "nat behind a router", WEB("", "10.0.0.1, 10.0.0.2"), SUPPORT_IFINDEX, "10.0.0.9",
		  0, "" },
		{ "dsr without a route", WEB(DSR, "10.0.0.1, 10.0.0.2"), 0, "0.0.0.0", 0, "" },
		{ "no port", WEB("    snat: 198.51.100.7\n", "10.0.0.1, 10.0.0.2"), SUPPORT_IFINDEX,
		  "10.0.0.2", -EADDRINUSE,
		  "listener web: endpoint 10.0.0.1: the host leaves no port of 198.51.100.7 for "
		  "SNAT; narrow net.ipv4.ip_local_port_range or name another address in snat:" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct support_world world = support_begin();
		struct addr full = support_addr("198.51.100.7");
		_cleanup_(plan_freep) struct plan *before = NULL;

		support_ports(&world, &full)->ranges = 0;
		support_build(&world, WEB("", "10.0.0.1"));
		before = plan_copy(world.plan);
		support_target_at(&world, "10.0.0.2")->ifindex = cases[i].ifindex;
		strcpy(support_target_at(&world, "10.0.0.2")->interface,
		       cases[i].ifindex == 1 ? "lo" : "eth0");
		support_target_at(&world, "10.0.0.2")->next_hop = support_addr(cases[i].next_hop);
		cr_expect_eq(support_try(&world, cases[i].text), cases[i].error, "%s",
			     cases[i].what);
		cr_expect_str_eq(world.err.text, cases[i].message, "%s: %s", cases[i].what,
				 world.err.text);
		support_expect_same(before, world.plan, cases[i].error != 0);
		/* In force already, only what it needs of this host itself is a mistake. */
		world.facts.accepted = true;
		cr_expect_eq(support_try(&world, cases[i].text),
			     cases[i].error == -EINVAL ? 0 : cases[i].error, "%s, accepted",
			     cases[i].what);
		support_end(&world);
	}
}

/* "1:10.0.0.254 2:198.51.100.1 -3" ROW:ADDRESS, '-' for one that is not used. Caller frees. */
static char *snat_of(const struct plan *plan)
{
	char text[ADDR_TEXT_MAX];
	struct str out = {};

	for (size_t i = 1; i < plan->snat.count; i++) {
		const struct plan_snat *snat = &plan->snat.items[i];
		struct addr address;

		memcpy(address.bytes, snat->row.addr, sizeof(address.bytes));
		str_add(&out, "%s%s%zu:%s", out.size ? " " : "", snat->used ? "" : "-", i,
			snat->row.ports ? addr_print(&address, text) : "free");
	}
	return str_take(&out);
}

static void expect_snat(const struct support_world *world, const char *expected, const char *what)
{
	_cleanup_(freep) char *rows = snat_of(world->plan);

	cr_expect_str_eq(rows, expected, "%s: %s, not %s", what, rows, expected);
}

static void expect_run(const struct support_world *world, const char *endpoint, unsigned first,
		       unsigned count)
{
	const struct plan_endpoint *found =
		support_endpoint(support_listener(world, "web"), endpoint);

	cr_expect(found->snat == first && found->snat_rows == count, "%s: %u+%u, not %u+%u",
		  endpoint, found->snat, found->snat_rows, first, count);
}

/* 4: source addresses: the route's, the file's, the listener's, by the endpoint's family. */
Test(plan_world, snat_choice)
{
	struct support_world world = support_begin();

	support_build(&world, WEB("", "10.0.0.1, 10.0.0.2, '2001:db8::1'"));
	expect_snat(&world, "1:10.0.0.254 2:2001:db8::fe", "the route's");
	expect_run(&world, "10.0.0.1", 1, 1);
	expect_run(&world, "10.0.0.2", 1, 1);
	expect_run(&world, "2001:db8::1", 2, 1);
	support_end(&world);

	world = support_begin();
	support_build(&world, WEB_WITH("snat: [198.51.100.1, 198.51.100.2]\n", "",
				       "10.0.0.1, '2001:db8::1'"));
	expect_snat(&world, "1:198.51.100.1 2:198.51.100.2 3:2001:db8::fe", "global, IPv4 only");
	expect_run(&world, "10.0.0.1", 1, 2);
	expect_run(&world, "2001:db8::1", 3, 1);

	support_build(&world, WEB_WITH("snat: [198.51.100.1, 198.51.100.2]\n",
				       "    snat: ['2001:db8::5', 198.51.100.2]\n",
				       "10.0.0.1, '2001:db8::1'"));
	expect_snat(&world, "-1:198.51.100.1 2:198.51.100.2 -3:2001:db8::fe 4:2001:db8::5",
		    "the listener's own");
	expect_run(&world, "10.0.0.1", 2, 1);
	expect_run(&world, "2001:db8::1", 4, 1);
	support_end(&world);

	world = support_begin();
	support_build(&world, WEB(DSR, "10.0.0.1"));
	expect_snat(&world, "", "dsr needs none");
	expect_run(&world, "10.0.0.1", 0, 0);
	support_end(&world);

	world = support_begin();
	support_target_at(&world, "10.0.0.1")->ifindex = 0;
	support_build(&world, WEB("", "10.0.0.1"));
	expect_snat(&world, "", "no route, no source");
	support_build(&world, WEB("    snat: 198.51.100.1\n", "10.0.0.1"));
	expect_snat(&world, "1:198.51.100.1", "a named one needs no route");
	support_end(&world);
}

/* 5: rows stay while flows use the address, and are free for others then. */
Test(plan_world, snat_rows_over_changes)
{
	struct support_world world = support_begin();

	support_build(&world, WEB("    snat: [198.51.100.1, 198.51.100.2]\n", "10.0.0.1"));
	support_build(&world, WEB("    snat: [198.51.100.3]\n", "10.0.0.1"));
	expect_snat(&world, "-1:198.51.100.1 -2:198.51.100.2 3:198.51.100.3", "replaced");
	expect_run(&world, "10.0.0.1", 3, 1);
	cr_expect(release(&world, "198.51.100.2", 0));
	expect_snat(&world, "-1:free -2:198.51.100.2 3:198.51.100.3", "one has flows");
	cr_expect_not(release(&world, "198.51.100.2", 0));

	support_build(&world, WEB("    snat: [198.51.100.4, 198.51.100.5]\n", "10.0.0.1"));
	expect_run(&world, "10.0.0.1", 4, 2);
	support_build(&world, WEB("    snat: [198.51.100.2]\n", "10.0.0.1"));
	expect_run(&world, "10.0.0.1", 2, 1);
	cr_expect(release(&world, NULL, 0));
	expect_snat(&world, "-1:free 2:198.51.100.2 -3:free -4:free -5:free", "back in its row");
	support_build(&world, WEB("    snat: [198.51.100.6, 198.51.100.7]\n", "10.0.0.1"));
	expect_snat(&world, "-1:free -2:198.51.100.2 3:198.51.100.6 4:198.51.100.7 -5:free",
		    "a free run");
	support_end(&world);
}

/* 6: a route's source address changes: new flows take the new one, old ones keep theirs. */
Test(plan_world, snat_source_changes)
{
	struct support_world world = support_begin();

	support_build(&world, WEB("", "10.0.0.1"));
	support_target_at(&world, "10.0.0.1")->source = support_addr("10.0.0.253");
	support_build(&world, WEB("", "10.0.0.1"));
	expect_snat(&world, "-1:10.0.0.254 2:10.0.0.253", "changed");
	expect_run(&world, "10.0.0.1", 2, 1);
	cr_expect_not(release(&world, "10.0.0.254", 0));
	cr_expect(release(&world, "10.0.0.253", 0));
	expect_snat(&world, "-1:free 2:10.0.0.253", "released");
	support_end(&world);
}

/* 7: the ports of an address are the facts', but those that flows may have claimed stay. */
Test(plan_world, snat_ports)
{
	struct support_world world = support_begin();
	struct addr address = support_addr("198.51.100.1");
	const struct weir_snat *row;

	support_build(&world, WEB("    snat: 198.51.100.1\n", "10.0.0.1"));
	row = &world.plan->snat.items[1].row;
	cr_expect_eq(row->ranges, 2);
	cr_expect_eq(row->ports, 32767 - 1024 + 1 + 65535 - 61000 + 1);
	cr_expect(row->range[0].first == 1024 && row->range[0].last == 32767);
	cr_expect(row->range[1].first == 61000 && row->range[1].last == 65535);

	*support_ports(&world, &address) = (struct facts_ports){
		.address = address,
		.ranges = 1,
		.range = { { 5000, 5000 } },
	};
	support_build(&world, WEB("    snat: 198.51.100.1\n", "10.0.0.1"));
	row = &world.plan->snat.items[1].row;
	cr_expect(row->ranges == 2 && row->range[1].first == 61000, "in use");
	support_build(&world, WEB("", "10.0.0.1"));
	cr_expect(release(&world, NULL, 0));
	support_build(&world, WEB("    snat: 198.51.100.1\n", "10.0.0.1"));
	row = &world.plan->snat.items[1].row;
	cr_expect(row->ranges == 1 && row->ports == 1);
	cr_expect(row->range[0].first == 5000 && row->range[0].last == 5000);
	cr_expect(!row->range[1].first && !row->range[1].last, "nothing left over");
	support_end(&world);
}

/* 8: the seed of the hash is not changed under flows that depend on it. */
Test(plan_world, hash_seed)
{
	struct support_world world = support_begin();

	support_build(&world, WEB_WITH("hash_seed: 7\n", "", "10.0.0.1"));
	cr_expect_eq(world.plan->hash_seed, 7);
	support_build(&world, WEB_WITH("hash_seed: 8\n", DSR, "10.0.0.1"));
	cr_expect_eq(world.plan->hash_seed, 8, "nat does not depend on it");
	cr_expect_eq(support_try(&world, WEB_WITH("hash_seed: 9\n", "", "10.0.0.1")), -EBUSY);
	cr_expect(strstr(world.err.text, "listener web") && strstr(world.err.text, "from 8 to 9"),
		  "%s", world.err.text);
	support_build(&world, WEB_WITH("hash_seed: 8\n", "", "10.0.0.1"));
	support_build(&world, WEB_WITH("hash_seed: 9\n", "", "10.0.0.1"));
	support_end(&world);
}

/* A model that no file could hold: `listeners`, each with `endpoints` and as many SNAT addresses.
 */
static struct model *large_model(unsigned listeners, unsigned endpoints, unsigned snat)
{
	struct model *model = calloc(1, sizeof(*model));

	for (unsigned i = 0; i < listeners; i++) {
		struct listener listener = { .protocol = IPPROTO_UDP, .idle_timeout = 10 };
		struct endpoint_group group = { .name = "main" };

		snprintf(listener.name, sizeof(listener.name), "l%u", i);
		vec_push(&listener.addresses, support_addr("192.0.2.1"));
		vec_push(&listener.ports, ((struct port_range){ i + 1, i + 1 }));
		for (unsigned k = 0; k < endpoints; k++) {
			struct endpoint endpoint = { .weight = 1, .port = 1 + i };

			endpoint.address = support_addr("10.0.0.0");
			endpoint.address.bytes[14] = k >> 8;
			endpoint.address.bytes[15] = k;
			snprintf(endpoint.name, sizeof(endpoint.name), "e%u", k);
			vec_push(&group.endpoints, endpoint);
		}
		for (unsigned k = 0; k < snat; k++) {
			struct addr address = support_addr("10.9.0.0");

			address.bytes[14] = k >> 8;
			address.bytes[15] = k;
			vec_push(&listener.snat, address);
		}
		vec_push(&listener.groups, group);
		vec_push(&model->listeners, listener);
	}
	return model;
}

/* 8b: every id has its listener. */
Test(plan_world, no_id_left)
{
	struct support_world world = support_begin();
	_cleanup_(model_freep) struct model *model = large_model(1, 1, 1);

	for (uint32_t id = 1; id < WEIR_MAX_LISTENERS; id++) {
		struct plan_listener taken = { .id = id, .protocol = IPPROTO_TCP };

		snprintf(taken.name, sizeof(taken.name), "t%u", id);
		cr_assert_eq(vec_push(&world.plan->listeners, taken), 0);
	}
	cr_expect_eq(support_build_model(&world, model), -ENOSPC);
	cr_expect_str_eq(world.err.text,
			 "listener l0: no room: the data plane holds 131071 listeners");
	support_end(&world);
}

/* 9: what the maps cannot hold is refused, and what they can is built in a moment. */
Test(plan_world, limits)
{
	static const struct {
		unsigned listeners, endpoints, snat, interfaces;
		int error;
		const char *message;
	} cases[] = {
		{ 10000, 1, 1, 1, 0, "" },
		{ 8, 1024, 1, 1, 0, "" },
		{ 1, 1, 255, 1, 0, "" },
		{ 1, 1, 256, 1, -ENOSPC, "listener l0: endpoint e0: more than 255 SNAT addresses" },
		{ 1, 1, 0, 63, 0, "" },
		{ 1, 1, 0, 64, -ENOSPC,
		  "ethX: there are more than 63 interfaces and VLAN devices on them; remove VLAN "
		  "devices that nobody is behind: ip link delete IF" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct support_world world = support_begin();
		_cleanup_(model_freep) struct model *model =
			large_model(cases[i].listeners, cases[i].endpoints, cases[i].snat);
		clock_t began;
		double seconds;

		for (unsigned k = 1; k < cases[i].interfaces; k++)
			support_interface(&world, SUPPORT_IFINDEX + k, "ethX");
		began = clock();
		cr_expect_eq(support_build_model(&world, model), cases[i].error, "case %zu", i);
		cr_expect_str_eq(world.err.text, cases[i].message, "case %zu: %s", i,
				 world.err.text);
		seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
		cr_expect_lt(seconds, 10, "case %zu took %.1f s", i, seconds);
		support_end(&world);
	}
}
