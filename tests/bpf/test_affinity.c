// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: with client_affinity: source_ip a client's address stays on one endpoint, whatever its
 * source port and whichever port or address of the listener it asks for, the shares hold over many
 * clients, and a change moves new flows only. Needs root.
 */
#include <string.h>

#include "rig_suite.h"

#define CLIENTS 4000

RIG_SUITE(affinity);

static const char *const endpoints[2][3] = { { "10.0.0.11", "10.0.0.12", "10.0.0.13" },
					     { "fd00::11", "fd00::12", "fd00::13" } };

static void configure(const char *mode, const char *affinity, int a, int b, int c)
{
	rig_configure(
		"version: 1\n"
		"listeners:\n"
		"- name: web\n"
		"  protocol: tcp\n"
		"  address: [" VIP4 ", '" VIP6 "']\n"
		"  port: [80, 443]\n"
		"  mode: %s\n"
		"  client_affinity: %s\n"
		"  endpoint_groups:\n"
		"  - name: all\n"
		"    endpoints: [10.0.0.11 weight %d, 10.0.0.12 weight %d, 10.0.0.13 weight %d, "
		"'fd00::11 weight %d', 'fd00::12 weight %d', 'fd00::13 weight %d']\n",
		mode, affinity, a, b, c, a, b, c);
}

/* Which of the three endpoints a packet of a client goes to. */
static int goes_to(bool ip6, unsigned client, uint16_t sport, uint16_t dport, uint8_t flags)
{
	struct packet packet, out;
	char src[ADDR_TEXT_MAX];

	snprintf(src, sizeof(src), ip6 ? "2001:db8:c::%x" : "198.18.%u.%u",
		 ip6 ? client : client / 250, 1 + client % 250);
	packet = packet_build(&(struct packet_spec){
		.protocol = IPPROTO_TCP,
		.src = src,
		.dst = ip6 ? VIP6 : VIP4,
		.sport = sport,
		.dport = dport,
		.flags = flags,
	});
	cr_assert_eq(rig_run(&packet, &out), XDP_TX);
	for (int i = 0; i < 3; i++)
		if (rig_went_to(&out, endpoints[ip6][i]))
			return i;
	cr_assert_fail("%s went to no endpoint", src);
	return -1;
}

Test(affinity, one_endpoint_for_all_connections_of_a_client)
{
	static const char *const modes[] = { "nat", "dsr" };

	for (int mode = 0; mode < 2; mode++) {
		configure(modes[mode], "source_ip", 50, 30, 20);
		for (int ip6 = 0; ip6 < 2; ip6++) {
			for (unsigned client = 1; client <= 8; client++) {
				int first = goes_to(ip6, client, 1024, 80, TH_SYN);
				/* nat has a thousand ports here for each endpoint */
				unsigned ports = client > 1 ? 60 : mode ? 5000 : 500;

				for (unsigned i = 1; i < ports; i++)
					cr_assert_eq(goes_to(ip6, client, 1024 + i * 12,
							     i % 2 ? 443 : 80, TH_SYN),
						     first, "%s: client %u", modes[mode], client);
			}
		}
		rig_clear_flows();
	}
	rig_recount();
}

Test(affinity, without_it_the_ports_count)
{
	unsigned got[3] = {};

	configure("dsr", "none", 50, 30, 20);
	for (unsigned i = 0; i < 300; i++)
		got[goes_to(false, 1, 1024 + i, 80, TH_SYN)]++;
	cr_assert(got[0] && got[1] && got[2]);
	rig_recount();
}

Test(affinity, shares_hold_over_many_clients)
{
	static const unsigned want[3] = { 50, 30, 20 };

	configure("dsr", "source_ip", 50, 30, 20);
	for (int ip6 = 0; ip6 < 2; ip6++) {
		unsigned got[3] = {};

		for (unsigned client = 0; client < CLIENTS; client++)
			got[goes_to(ip6, client, 1024, 80, TH_SYN)]++;
		for (int i = 0; i < 3; i++) {
			double points = 100.0 * got[i] / CLIENTS - want[i];

			cr_assert(points > -2.5 && points < 2.5, "IPv%d endpoint %d: %u of %u",
				  ip6 ? 6 : 4, i, got[i], CLIENTS);
		}
	}
	rig_recount();
}

Test(affinity, a_change_moves_new_connections_only)
{
	int before[200];

	configure("dsr", "source_ip", 50, 30, 20);
	for (unsigned client = 0; client < 200; client++)
		before[client] = goes_to(false, client, 1024, 80, TH_SYN);
	configure("dsr", "source_ip", 0, 30, 20);
	for (unsigned client = 0; client < 200; client++) {
		cr_assert_eq(goes_to(false, client, 1024, 80, TH_ACK), before[client]);
		cr_assert_neq(goes_to(false, client, 1025, 80, TH_SYN), 0, "weight 0");
	}
	rig_recount();
}

Test(affinity, is_not_changed_under_stateless_connections)
{
	struct err err = {};

	configure("dsr", "source_ip", 50, 30, 20);
	cr_assert_lt(rig_try(&err, "version: 1\n"
				   "listeners:\n"
				   "- name: web\n"
				   "  protocol: tcp\n"
				   "  address: " VIP4 "\n"
				   "  port: 80\n"
				   "  mode: dsr\n"
				   "  endpoint_groups: [{ name: all, endpoints: [10.0.0.11] }]\n"),
		     0);
	cr_assert(strstr(err.text, "client_affinity cannot change"), "%s", err.text);
}
