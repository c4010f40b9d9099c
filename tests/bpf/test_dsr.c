// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: in mode dsr nothing of a packet changes but its Ethernet addresses; it leaves by the
 * endpoint's interface, or is dropped and counted where the way there is not known. Needs root.
 */
#include <bpf/bpf.h>

#include "dataplane/sync.h"
#include "rig_suite.h"

#define ENDPOINT4 "10.0.0.11"
#define ENDPOINT6 "fd00::11"
#define MAC4	  "02:00:00:00:00:0b"
#define MAC6	  "02:00:00:00:00:11"

RIG_SUITE(dsr);

static void configure(void)
{
	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- name: web\n"
		      "  protocol: tcp\n"
		      "  address: [" VIP4 ", '" VIP6 "']\n"
		      "  port: 80\n"
		      "  mode: dsr\n"
		      "  endpoint_groups: [{name: all, endpoints: [10.0.0.11, 'fd00::11']}]\n"
		      "- name: dns\n"
		      "  protocol: udp\n"
		      "  address: [" VIP4 ", '" VIP6 "']\n"
		      "  port: 53\n"
		      "  mode: dsr\n"
		      "  endpoint_groups: [{name: all, endpoints: [10.0.0.11, 'fd00::11']}]\n");
}

#define FROM_4 .src = CLIENT4, .dst = VIP4, .sport = 40000
#define FROM_6 .src = CLIENT6, .dst = VIP6, .sport = 40000

Test(dsr, only_the_ethernet_addresses_change)
{
	static const uint8_t flags[] = { TH_SYN,	  TH_SYN | TH_ACK, TH_ACK, TH_FIN | TH_ACK,
					 TH_RST,	  TH_RST | TH_ACK, 0,	   0xff,
					 TH_PUSH | TH_ACK };

	configure();
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct packet in4 = TCP(FROM_4, .dport = 80, .flags = flags[i], .payload = 3);
		struct packet out4 = TCP(FROM_4, .dport = 80, .flags = flags[i], .payload = 3,
					 .from_mac = ARM0_MAC, .to_mac = MAC4);
		struct packet in6 = TCP(FROM_6, .dport = 80, .flags = flags[i], .payload = 3);
		struct packet out6 = TCP(FROM_6, .dport = 80, .flags = flags[i], .payload = 3,
					 .from_mac = ARM0_MAC, .to_mac = MAC6);

		EXPECT_SENT(in4, out4);
		EXPECT_SENT(in6, out6);
	}
}

/* The endpoint is the address itself: no hop has been made towards it. */
Test(dsr, the_ttl_is_left_alone)
{
	struct packet in4 = UDP(FROM_4, .dport = 53, .ttl = 1);
	struct packet out4 =
		UDP(FROM_4, .dport = 53, .ttl = 1, .from_mac = ARM0_MAC, .to_mac = MAC4);
	struct packet in6 = UDP(FROM_6, .dport = 53, .ttl = 1);
	struct packet out6 =
		UDP(FROM_6, .dport = 53, .ttl = 1, .from_mac = ARM0_MAC, .to_mac = MAC6);

	configure();
	EXPECT_SENT(in4, out4);
	EXPECT_SENT(in6, out6);
}

Test(dsr, traffic_is_counted)
{
	struct packet syn = TCP(FROM_4, .dport = 80, .flags = TH_SYN, .trailer = 6);
	struct packet data = TCP(FROM_4, .dport = 80, .flags = TH_ACK, .payload = 1000);
	struct packet query = UDP(FROM_6, .dport = 53, .payload = 100, .vlan = { 7 });
	struct weir_traffic all, one;

	configure();
	rig_send(&syn);
	rig_send(&data);
	rig_send(&data);
	rig_send(&query);
	all = rig_traffic("web");
	one = rig_endpoint_traffic("web", ENDPOINT4);
	cr_assert_eq(all.packets, 3);
	cr_assert_eq(all.bytes, 40 + 2 * 1040); /* layer 3: neither Ethernet nor its padding */
	cr_assert_eq(all.flows, 1);
	cr_assert_eq(all.reply_packets + all.reply_bytes, 0);
	cr_assert_arr_eq(&one, &all, sizeof(all));
	all = rig_traffic("dns");
	one = rig_endpoint_traffic("dns", ENDPOINT6);
	cr_assert_eq(all.packets, 1);
	cr_assert_eq(all.bytes, 148);
	cr_assert_eq(all.flows, 0); /* nobody can tell a UDP flow's first packet here */
	cr_assert_arr_eq(&one, &all, sizeof(all));
	cr_assert_eq(rig_endpoint_traffic("dns", ENDPOINT4).packets, 0);
	cr_assert_eq(rig_counted("web", WEIR_R_FORWARDED), 3);
	cr_assert_eq(rig_counted("dns", WEIR_R_FORWARDED), 1);
}

Test(dsr, without_a_next_hop_it_is_dropped)
{
	struct packet in4 = TCP(FROM_4, .dport = 80, .flags = TH_SYN);
	struct packet in6 = TCP(FROM_6, .dport = 80, .flags = TH_SYN);

	rig_target(ENDPOINT4, NULL, 0);	 /* nobody answers for the address */
	rig_target(ENDPOINT6, NULL, -1); /* there is no route */
	configure();
	EXPECT_DROP(in4, NO_NEXT_HOP);
	EXPECT_DROP(in6, NO_NEXT_HOP);
	cr_assert_eq(rig_traffic("web").packets, 0);
	cr_assert_eq(rig_counted("web", WEIR_R_NO_NEXT_HOP), 2);

	rig_target(ENDPOINT4, MAC4, 0);
	cr_assert(plan_resolve(rig.plan, &rig.facts));
	sync_nexthops(rig.object, rig.plan);
	EXPECT_TO(in4, ENDPOINT4);
	EXPECT_DROP(in6, NO_NEXT_HOP);

	rig_target(ENDPOINT4, NULL, -1);
	cr_assert(plan_resolve(rig.plan, &rig.facts));
	cr_assert_not(plan_resolve(rig.plan, &rig.facts));
	sync_nexthops(rig.object, rig.plan);
	EXPECT_DROP(in4, NO_NEXT_HOP);
}

Test(dsr, to_another_interface_it_is_redirected)
{
	struct packet in = TCP(FROM_4, .dport = 80, .flags = TH_SYN);
	struct packet out = TCP(FROM_4, .dport = 80, .flags = TH_SYN, .from_mac = ARM1_MAC,
				.to_mac = "02:00:00:00:00:99");

	rig_target(ENDPOINT4, "02:00:00:00:00:99", 1);
	configure();
	cr_assert_eq(rig_send(&in).verdict, XDP_REDIRECT);
	EXPECT_SENT(in, out);
	rig.ingress = 1;
	cr_assert_eq(rig_send(&in).verdict, XDP_TX);
	EXPECT_SENT(in, out);
}

/* Between interfaces of different sizes: told, or dropped where its sender did not ask. */
Test(dsr, what_the_interface_does_not_take_is_refused)
{
	struct packet fits4 = TCP(FROM_4, .dport = 80, .flags = TH_ACK, .payload = 1360);
	struct packet fits6 = TCP(FROM_6, .dport = 80, .flags = TH_ACK, .payload = 1340);
	struct packet df =
		TCP(FROM_4, .dport = 80, .flags = TH_ACK, .payload = 1361, .fragment = 0x4000);
	struct packet no_df = TCP(FROM_4, .dport = 80, .flags = TH_ACK, .payload = 1361);
	struct packet big6 = TCP(FROM_6, .dport = 80, .flags = TH_ACK, .payload = 1341);
	struct packet tagged = TCP(FROM_4, .dport = 80, .flags = TH_ACK, .payload = 1361,
				   .fragment = 0x4000, .vlan = { 7 });
	struct packet told;
	uint16_t egress;

	configure();
	egress = rig.object->endpoints[rig_endpoint("web", ENDPOINT4)->row].nexthop.egress;
	rig.object->egress[egress].mtu = 1400;
	EXPECT_TO(fits4, ENDPOINT4);
	EXPECT_TO(fits6, ENDPOINT6);
	told = packet_icmp_error(&df, 3, 4, 1400);
	EXPECT_ANSWER(df, TOO_BIG, told);
	told = packet_icmp_error(&tagged, 3, 4, 1400);
	EXPECT_ANSWER(tagged, TOO_BIG, told);
	EXPECT_DROP(no_df, TOO_BIG_NO_DF);
	told = packet_icmp_error(&big6, 2, 0, 1400);
	EXPECT_ANSWER(big6, TOO_BIG, told);
	rig.object->egress[egress].mtu = 0; /* not known */
	EXPECT_TO(no_df, ENDPOINT4);
}

/* The egress row says yes, the device map no: as for a moment when an interface goes. */
Test(dsr, an_interface_that_is_gone_is_no_next_hop)
{
	struct packet in = TCP(FROM_4, .dport = 80, .flags = TH_SYN);

	rig_target(ENDPOINT4, MAC4, 1);
	configure();
	for (uint32_t i = 1; i < WEIR_MAX_EGRESS; i++)
		bpf_map_delete_elem(rig.object->tx_ports, &i);
	EXPECT_DROP(in, NO_NEXT_HOP);
	cr_assert_eq(rig_traffic("web").packets, 0);
}

Test(dsr, no_endpoint_behind_a_router)
{
	struct err err = {};

	rig_router(ENDPOINT4, "10.0.0.254", "02:00:00:00:00:fe", 0);
	cr_assert_eq(rig_try(&err, "version: 1\n"
				   "listeners:\n"
				   "- name: web\n"
				   "  protocol: tcp\n"
				   "  address: " VIP4 "\n"
				   "  port: 80\n"
				   "  mode: dsr\n"
				   "  endpoint_groups: [{name: all, endpoints: [10.0.0.11]}]\n"),
		     -EINVAL);
	cr_assert(strstr(err.text, "listener web: endpoint 10.0.0.11"), "%s", err.text);
	cr_assert(strstr(err.text, "10.0.0.254"), "%s", err.text);
	cr_assert_eq(rig.object->control->generation, 0);
}
