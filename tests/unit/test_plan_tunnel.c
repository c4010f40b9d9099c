// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: where a tunnel's packets come from, how large they may be, who serves clients of which
 * family, and what a listener whose endpoints have several modes is like.
 */
#include "plan/support.h"

#define WEB_WITH(top, mode, more, endpoints)                                                       \
	"version: 1\n" top "listeners:\n"                                                          \
	"  - name: web\n"                                                                          \
	"    protocol: tcp\n"                                                                      \
	"    address: [192.0.2.1, '2001:db8::99']\n"                                               \
	"    port: 80\n"                                                                           \
	"    mode: " mode "\n" more "    endpoint_groups:\n"                                       \
	"      - {name: main, endpoints: [" endpoints "]}\n"
#define WEB(mode, endpoints) WEB_WITH("", mode, "", endpoints)

/* "10.0.0.254 1500", "10.1.0.0/16 1400 gue 6080" */
static void expect_tunnel(const struct support_world *world, const char *endpoint,
			  const char *expected)
{
	const struct plan_tunnel *tunnel =
		&support_endpoint(support_listener(world, "web"), endpoint)->tunnel;
	struct addr_prefix source = { tunnel->source, (uint8_t)(128 - tunnel->source_bits) };
	char prefix[ADDR_PREFIX_MAX], got[ADDR_PREFIX_MAX + 40];
	size_t size;

	size = (size_t)snprintf(got, sizeof(got), "%s %u", addr_prefix_print(&source, prefix),
				tunnel->mtu);
	if (tunnel->gue_port)
		snprintf(got + size, sizeof(got) - size, " gue %u", tunnel->gue_port);
	cr_expect_str_eq(got, expected, "%s: %s, not %s", endpoint, got, expected);
}

/* 1: the route's source, the file's, the listener's, by the endpoint's family. */
Test(plan_tunnel, source)
{
	struct support_world world = support_begin();

	support_build(&world, WEB("ipip", "10.0.0.1, '2001:db8::1'"));
	expect_tunnel(&world, "10.0.0.1", "10.0.0.254 1500");
	expect_tunnel(&world, "2001:db8::1", "2001:db8::fe 1500");

	support_build(&world, WEB_WITH("tunnel_source: [10.1.0.0/16]\n", "ipip", "",
				       "10.0.0.1, '2001:db8::1'"));
	expect_tunnel(&world, "10.0.0.1", "10.1.0.0/16 1500");
	expect_tunnel(&world, "2001:db8::1", "2001:db8::fe 1500");

	support_build(&world,
		      WEB_WITH("tunnel_source: [10.1.0.0/16]\n", "gue",
			       "    tunnel_source: ['fd01::/96', 10.2.0.1]\n    gue_port: 7000\n",
			       "10.0.0.1, '2001:db8::1'"));
	expect_tunnel(&world, "10.0.0.1", "10.2.0.1 1500 gue 7000");
	expect_tunnel(&world, "2001:db8::1", "fd01::/96 1500 gue 7000");
	cr_expect_eq(support_endpoint(support_listener(&world, "web"), "10.0.0.1")->port, 0);

	support_build(&world, WEB("nat", "10.0.0.1, '2001:db8::1'"));
	expect_tunnel(&world, "10.0.0.1", ":: 0");
	support_end(&world);
}

/* 2: a hash fills 32 bits at most, so a shorter prefix keeps the rest as it is. */
Test(plan_tunnel, source_bits)
{
	struct support_world world = support_begin();

	support_build(&world,
		      WEB_WITH("tunnel_source: 'fd01::/64'\n", "ipip", "", "'2001:db8::1'"));
	expect_tunnel(&world, "2001:db8::1", "fd01::/96 1500");
	support_end(&world);
}

/* 3: the path's MTU follows the facts. */
Test(plan_tunnel, mtu)
{
	struct support_world world = support_begin();

	support_target_at(&world, "10.0.0.1")->mtu = 9000;
	support_target_at(&world, "10.0.0.2")->mtu = 1400;
	support_build(&world, WEB("gue", "10.0.0.1, 10.0.0.2"));
	expect_tunnel(&world, "10.0.0.1", "10.0.0.254 9000 gue 6080");
	expect_tunnel(&world, "10.0.0.2", "10.0.0.254 1400 gue 6080");
	support_target_at(&world, "10.0.0.1")->mtu = 1280;
	support_build(&world, WEB("gue", "10.0.0.1, 10.0.0.2"));
	expect_tunnel(&world, "10.0.0.1", "10.0.0.254 1280 gue 6080");
	support_end(&world);
}

/* 4: without an address to send from: a mistake when it is applied, silence when it is lost. */
Test(plan_tunnel, no_source)
{
	struct support_world world = support_begin();
	const struct plan_endpoint *endpoint;

	support_target_at(&world, "10.0.0.1")->source = (struct addr){};
	cr_expect_eq(support_try(&world, WEB("ipip", "10.0.0.1")), -EINVAL);
	cr_expect_str_eq(world.err.text,
			 "listener web: endpoint 10.0.0.1: this host has no IPv4 address to send a "
			 "tunnel's packets from; give eth0 one, or set tunnel_source");
	support_build(&world, WEB_WITH("tunnel_source: 10.0.0.9\n", "ipip", "", "10.0.0.1"));
	world.facts.accepted = true;
	support_build(&world, WEB("ipip", "10.0.0.1"));
	endpoint = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
	cr_expect_eq(endpoint->nexthop.egress, 0);
	cr_expect_not(plan_resolve(world.plan, &world.facts));
	cr_expect_eq(endpoint->nexthop.egress, 0);
	support_target_at(&world, "10.0.0.1")->source = support_addr("10.0.0.254");
	support_build(&world, WEB("ipip", "10.0.0.1"));
	endpoint = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
	cr_expect_neq(endpoint->nexthop.egress, 0);
	support_end(&world);
}

/* 5: a tunnel leads to endpoints of either family; dsr does not. */
Test(plan_tunnel, families)
{
	struct support_world world = support_begin();
	const struct plan_listener *web;

	support_build(&world, WEB("gue", "10.0.0.1 weight 30, '2001:db8::1 weight 10'"));
	web = support_listener(&world, "web");
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		cr_expect(web->table[family].slots);
		cr_expect_eq(support_endpoint(web, "10.0.0.1")->want[family], 750000);
		cr_expect_eq(support_endpoint(web, "2001:db8::1")->want[family], 250000);
	}
	support_build(&world, WEB("ipip", "10.0.0.1, {address: '2001:db8::1', mode: dsr}"));
	web = support_listener(&world, "web");
	cr_expect_eq(support_endpoint(web, "10.0.0.1")->want[PLAN_IP4], 1000000);
	cr_expect_eq(support_endpoint(web, "10.0.0.1")->want[PLAN_IP6], 500000);
	cr_expect_eq(support_endpoint(web, "2001:db8::1")->want[PLAN_IP4], 0);
	cr_expect_eq(support_endpoint(web, "2001:db8::1")->want[PLAN_IP6], 500000);
	support_build(&world, WEB("ipip", "10.0.0.1"));
	web = support_listener(&world, "web");
	cr_expect(web->table[PLAN_IP4].slots && web->table[PLAN_IP6].slots);
	support_end(&world);
}

/* 9: nat translates for clients who would have no endpoint otherwise. */
Test(plan_tunnel, translation)
{
	struct support_world world = support_begin();
	const struct plan_listener *web;

	support_build(&world, WEB("nat", "10.0.0.1 weight 30, 10.0.0.2 weight 10"));
	web = support_listener(&world, "web");
	for (int family = 0; family < PLAN_FAMILIES; family++)
		cr_expect_eq(support_endpoint(web, "10.0.0.1")->want[family], 750000);
	support_build(&world, WEB("nat", "10.0.0.1, '2001:db8::1 weight 0'"));
	web = support_listener(&world, "web");
	cr_expect_eq(support_endpoint(web, "10.0.0.1")->want[PLAN_IP4], 1000000);
	cr_expect_eq(support_endpoint(web, "10.0.0.1")->want[PLAN_IP6], 0);
	support_build(&world, WEB("nat", "'2001:db8::1'"));
	web = support_listener(&world, "web");
	cr_expect_eq(support_endpoint(web, "2001:db8::1")->want[PLAN_IP4], 1000000);
	cr_expect_eq(support_endpoint(web, "2001:db8::1")->want[PLAN_IP6], 1000000);
	support_end(&world);
}

/* 6: slots are careful as soon as one endpoint's flows are not recorded each. */
Test(plan_tunnel, mixed_modes)
{
	struct support_world world = support_begin();
	const struct plan_listener *web;

	support_build(&world, WEB("nat", "10.0.0.1, 10.0.0.2, '2001:db8::1'"));
	support_build(&world, WEB("nat", "10.0.0.1 weight 50, 10.0.0.2, '2001:db8::1'"));
	web = support_listener(&world, "web");
	cr_expect(plan_has_nat(web) && !plan_has_stateless(web));
	cr_expect_eq(web->table[PLAN_IP4].change.moving, 0);

	support_build(&world, WEB("nat", "10.0.0.1:80 weight 50, {address: 10.0.0.2, mode: ipip}, "
					 "'2001:db8::1'"));
	support_build(&world, WEB("nat", "10.0.0.1, {address: 10.0.0.2, mode: ipip}, "
					 "'2001:db8::1'"));
	web = support_listener(&world, "web");
	cr_expect(plan_has_nat(web) && plan_has_stateless(web));
	cr_expect_gt(web->table[PLAN_IP4].change.moving, 0);
	cr_expect_neq(support_endpoint(web, "10.0.0.1")->snat, 0);
	cr_expect_eq(support_endpoint(web, "10.0.0.2")->snat, 0);
	support_end(&world);
}

/* 7: an endpoint that changes its mode keeps its row, and so its flows. */
Test(plan_tunnel, mode_changes)
{
	static const char *const modes[] = { WEB("nat", "10.0.0.1, '2001:db8::1'"),
					     WEB("dsr", "10.0.0.1, '2001:db8::1'"),
					     WEB("gue", "10.0.0.1, '2001:db8::1'"),
					     WEB("ipip", "10.0.0.1, '2001:db8::1'") };
	struct support_world world = support_begin();

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		const struct plan_endpoint *endpoint;

		support_build(&world, modes[i]);
		endpoint = support_endpoint(support_listener(&world, "web"), "10.0.0.1");
		cr_expect_eq(endpoint->row, 0);
		cr_expect_eq(endpoint->generation, 1);
	}
	support_end(&world);
}

/* 8: dsr alone needs the balancer's own network. */
Test(plan_tunnel, behind_a_router)
{
	struct support_world world = support_begin();

	support_target_at(&world, "10.0.0.1")->next_hop = support_addr("10.0.0.9");
	support_build(&world, WEB("gue", "10.0.0.1"));
	cr_expect_eq(support_try(&world, WEB("gue", "10.0.0.2, '2001:db8::1', "
						    "{address: 10.0.0.1, mode: dsr}")),
		     -EINVAL);
	support_end(&world);
}
