// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: in mode nat each packet of a connection leaves for its endpoint, and each answer for its
 * client, exactly as a packet built anew with the new addresses; a SNAT port belongs to one flow.
 * Needs root.
 */
#include <bpf/libbpf.h>
#include <sched.h>
#include <string.h>

#include "rig_suite.h"
#include "talk.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define IP4_DF	 0x4000

RIG_SUITE(nat);

Test(nat, packets_and_answers_are_as_if_built_anew)
{
	static const struct packet_spec variants[] = {
		{ .flags = TH_SYN, .tcp_options = 20 },
		{ .flags = TH_ACK, .payload = 1 },
		{ .flags = TH_ACK, .payload = 1000 },
		{ .flags = TH_ACK, .payload = 1399, .ttl = 255 },
		{ .flags = TH_PUSH | TH_ACK, .payload = 77, .ttl = 2, .vlan = { 5 } },
		{ .flags = TH_ACK, .payload = 3, .vlan = { 5, 6 }, .trailer = 9 },
		{ .flags = TH_ACK, .payload = 6001 },
		{ .flags = TH_FIN | TH_ACK },
	};
	struct talk talks[] = { TALK4(IPPROTO_TCP), TALK6(IPPROTO_TCP), TALK4(IPPROTO_UDP),
				TALK6(IPPROTO_UDP) };

	talk_configure(0);
	for (size_t i = 0; i < COUNT(talks); i++)
		talk_open(&talks[i]);
	for (size_t i = 0; i < COUNT(talks) * COUNT(variants); i++) {
		struct talk *talk = &talks[i % COUNT(talks)];
		struct packet_spec more = variants[i / COUNT(talks)];
		struct packet in = talk_request(talk, more), out = talk_request_sent(talk, more);
		struct packet back = talk_reply(talk, more), returned = talk_reply_sent(talk, more);

		EXPECT_SENT(in, out);
		EXPECT_SENT(back, returned);
	}
	cr_assert_eq(rig_count_nat(), COUNT(talks));
	cr_assert_eq(rig_count_replies(), COUNT(talks));
	cr_assert_eq(rig_count_records(rig.object->exceptions), 0);
}

Test(nat, header_options_do_not_shift_a_field)
{
	struct talk talk4 = TALK4(IPPROTO_UDP), talk6 = TALK6(IPPROTO_TCP);
	struct packet_spec options = SPEC(.ip_options = 36, .payload = 31);
	struct packet_spec chain = SPEC(.extensions = { EXT_HOP, EXT_AH, EXT_DEST }, .payload = 31,
					.flags = TH_ACK, .tcp_options = 8);

	talk_configure(0);
	talk_open(&talk4);
	talk_open(&talk6);
	{
		struct packet in = talk_request(&talk4, options),
			      out = talk_request_sent(&talk4, options);
		struct packet back = talk_reply(&talk4, options),
			      end = talk_reply_sent(&talk4, options);

		EXPECT_SENT(in, out);
		EXPECT_SENT(back, end);
	}
	{
		struct packet in = talk_request(&talk6, chain),
			      out = talk_request_sent(&talk6, chain);
		struct packet back = talk_reply(&talk6, chain),
			      end = talk_reply_sent(&talk6, chain);

		EXPECT_SENT(in, out);
		EXPECT_SENT(back, end);
	}
}

Test(nat, a_udp_checksum_of_zero_stays_zero)
{
	struct packet_spec more = SPEC(.payload = 20, .without_checksum = true);
	struct talk talk = TALK4(IPPROTO_UDP);
	struct packet in, out;

	talk_configure(0);
	talk_open(&talk);
	in = talk_request(&talk, more);
	out = talk_request_sent(&talk, more);
	EXPECT_SENT(in, out);
	in = talk_reply(&talk, more);
	out = talk_reply_sent(&talk, more);
	EXPECT_SENT(in, out);
}

/* Changes the payload so that the packet, once rewritten, sums up to nothing. */
static void expect_all_ones(struct packet in, struct packet out)
{
	uint32_t word = packet_get16(&out, out.data) + packet_get16(&out, out.l4 + 6);

	word = (word & 0xffff) + (word >> 16);
	packet_set16(&in, in.data, (uint16_t)word);
	packet_set16(&out, out.data, (uint16_t)word);
	packet_sum(&in);
	packet_sum(&out);
	cr_assert_eq(packet_get16(&out, out.l4 + 6), 0xffff);
	EXPECT_SENT(in, out);
}

Test(nat, a_udp_checksum_that_comes_out_as_zero_is_all_ones)
{
	struct talk talks[] = { TALK4(IPPROTO_UDP), TALK6(IPPROTO_UDP) };
	struct packet_spec more = SPEC(.payload = 64);

	talk_configure(0);
	for (size_t i = 0; i < COUNT(talks); i++) {
		talk_open(&talks[i]);
		expect_all_ones(talk_request(&talks[i], more), talk_request_sent(&talks[i], more));
		expect_all_ones(talk_reply(&talks[i], more), talk_reply_sent(&talks[i], more));
	}
}

/* Every value of a checksum, so that a carry that gets lost cannot hide. */
Test(nat, checksums_are_right_for_every_value)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet_spec more = SPEC(.flags = TH_ACK, .payload = 2);
	struct packet in, expected, out;

	talk_configure(0);
	talk_open(&talk);
	in = talk_request(&talk, more);
	expected = talk_request_sent(&talk, more);
	for (uint32_t value = 0; value < 0x10000; value += 3) {
		packet_set16(&in, in.data, (uint16_t)value);
		packet_set16(&in, in.l3 + 4, (uint16_t)(value * 7)); /* identification */
		packet_sum(&in);
		packet_set16(&expected, expected.data, (uint16_t)value);
		packet_set16(&expected, expected.l3 + 4, (uint16_t)(value * 7));
		packet_sum(&expected);
		cr_assert_eq(rig_run(&in, &out), XDP_TX);
		cr_assert_eq(packet_difference(&out, &expected), -1, "value %x", value);
	}
	rig_recount();
}

Test(nat, an_endpoint_without_a_port_has_the_listeners)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet in, out;

	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: '80,443', "
		      "endpoint_groups: [{name: all, endpoints: [10.0.0.11]}]}\n");
	talk.listener_port = talk.endpoint_port = 443;
	talk_open(&talk);
	in = talk_request(&talk, SPEC(.flags = TH_ACK));
	out = talk_request_sent(&talk, SPEC(.flags = TH_ACK));
	EXPECT_SENT(in, out);
}

/* Opens `count` connections from one client; all ports are different, and in these ranges. */
static void take_ports(struct talk talk, unsigned count, const struct weir_port_range *ranges,
		       size_t range_count)
{
	static bool taken[65536];

	memset(taken, 0, sizeof(taken));
	for (unsigned i = 0; i < count; i++) {
		bool allowed = false;

		talk.client_port++;
		talk_open(&talk);
		cr_assert_not(taken[talk.snat_port], "port %u twice", talk.snat_port);
		taken[talk.snat_port] = true;
		for (size_t k = 0; k < range_count; k++)
			allowed |= talk.snat_port >= ranges[k].first &&
				   talk.snat_port <= ranges[k].last;
		cr_assert(allowed, "port %u", talk.snat_port);
	}
}

/* So few ports that the last one is found, too, though by chance: (5/6)^96 is the risk. */
Test(nat, a_port_belongs_to_one_flow_per_endpoint_and_protocol)
{
	static const struct weir_port_range ranges[] = { { 30000, 30001 },
							 { 40000, 40002 },
							 { 65535, 65535 } };
	struct talk tcp = TALK4(IPPROTO_TCP), udp = TALK4(IPPROTO_UDP), other = TALK4(IPPROTO_TCP);

	rig_ports(SNAT4, COUNT(ranges), ranges);
	talk_configure(0);
	take_ports(tcp, 6, ranges, COUNT(ranges));
	tcp.client_port = 50000;
	cr_assert_eq(talk_reason(&tcp, TH_SYN), WEIR_R_NAT_NO_PORT);
	cr_assert_eq(rig_count_nat(), 6);
	cr_assert_eq(rig_counted("tcp", WEIR_R_NAT_NO_PORT), 1);
	cr_assert_eq(rig_traffic("tcp").flows, 6);
	take_ports(udp, 6, ranges, COUNT(ranges));
	udp.client_port = 50000;
	cr_assert_eq(talk_reason(&udp, 0), WEIR_R_NAT_NO_PORT);

	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:8080 weight 0', "
		      "10.0.0.12]}]}\n");
	other.client_port = 60000;
	take_ports(other, 6, ranges, COUNT(ranges));
	other.client_port = 50000;
	cr_assert_eq(talk_reason(&other, TH_SYN), WEIR_R_NAT_NO_PORT);
}

/* The endpoint may keep an old connection in TIME_WAIT: its port is used again late. */
Test(nat, a_port_rests_after_its_flow)
{
	static bool used[65536];
	unsigned ports = SNAT_LAST - SNAT_FIRST + 1;
	struct talk talk = TALK4(IPPROTO_TCP);
	cpu_set_t one;

	CPU_ZERO(&one); /* each CPU has its own part of the ports */
	CPU_SET(sched_getcpu(), &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	talk_configure(0);
	for (unsigned i = 0; i < ports / (unsigned)libbpf_num_possible_cpus(); i++) {
		rig_clear_flows();
		talk_open(&talk);
		cr_assert_not(used[talk.snat_port], "port %u again after %u flows", talk.snat_port,
			      i);
		used[talk.snat_port] = true;
	}
}

Test(nat, each_snat_address_is_used_and_answered)
{
	static const char *const sources[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3" };
	struct talk talk = TALK4(IPPROTO_TCP);
	unsigned used[3] = {};

	rig_configure("version: 1\n"
		      "snat: [10.0.0.1, 10.0.0.2, 'fd00::1', 10.0.0.3]\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:8080']}]}\n");
	for (int i = 0; i < 300; i++) {
		struct packet back, end;
		struct rig_result result;

		talk.client_port++;
		result = talk_open(&talk);
		cr_assert_lt(result.out.bytes[29] - 1, 3);
		talk.snat = sources[result.out.bytes[29] - 1];
		used[result.out.bytes[29] - 1]++;
		back = talk_reply(&talk, SPEC(.flags = TH_SYN | TH_ACK));
		end = talk_reply_sent(&talk, SPEC(.flags = TH_SYN | TH_ACK));
		EXPECT_SENT(back, end);
	}
	cr_assert(used[0] > 60 && used[1] > 60 && used[2] > 60, "%u %u %u", used[0], used[1],
		  used[2]);
}

Test(nat, what_answers_no_flow_passes_untouched)
{
	struct talk talk = TALK4(IPPROTO_TCP), talk6 = TALK6(IPPROTO_TCP);
	struct packet packet;

	talk_configure(0);
	talk_open(&talk);
	talk_open(&talk6);
	talk.snat_port ^= 1;
	packet = talk_reply(&talk, SPEC(.flags = TH_ACK));
	EXPECT_PASS(packet, NAT_UNKNOWN); /* another port of ours */
	talk.snat_port ^= 1;
	talk.endpoint_port++;
	packet = talk_reply(&talk, SPEC(.flags = TH_ACK));
	EXPECT_PASS(packet, NAT_UNKNOWN); /* the right port, from a wrong one */
	talk.endpoint_port--;
	talk.endpoint = B4;
	packet = talk_reply(&talk, SPEC(.flags = TH_ACK));
	EXPECT_PASS(packet, NAT_UNKNOWN); /* ... from a wrong host */
	talk.endpoint = A4;
	talk.protocol = IPPROTO_UDP;
	packet = talk_reply(&talk, SPEC(.payload = 4));
	EXPECT_PASS(packet, NAT_UNKNOWN);
	talk6.endpoint = "fd00::99";
	packet = talk_reply(&talk6, SPEC(.flags = TH_RST));
	EXPECT_PASS(packet, NAT_UNKNOWN);
}

/* Whatever the source, ports outside the ranges and other protocols are the host's. */
Test(nat, the_hosts_own_ports_pass)
{
	static const uint16_t ports[] = { 22, SNAT_FIRST - 1, SNAT_LAST + 1, 65535 };
	struct packet ping = packet_build(&(struct packet_spec){
		.src = A4, .dst = SNAT4, .protocol = IPPROTO_ICMP, .payload = 40 });
	struct packet first = UDP(.src = A4, .dst = SNAT4, .dport = SNAT_FIRST, .fragment = 0x2000);

	talk_configure(0);
	for (size_t i = 0; i < COUNT(ports); i++) {
		struct packet tcp = TCP(.src = A4, .dst = SNAT4, .sport = 8080, .dport = ports[i]);
		struct packet udp = UDP(.src = A6, .dst = SNAT6, .sport = 8080, .dport = ports[i]);

		EXPECT_PASS(tcp, NOT_OURS);
		EXPECT_PASS(udp, NOT_OURS);
	}
	EXPECT_PASS(ping, NOT_OURS);
	EXPECT_PASS(first, NAT_UNKNOWN);
}

/* Most users have one address: listener and SNAT share it, even a port of the range. */
Test(nat, the_listeners_address_may_be_the_source)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet in, out, back, end, other;

	rig_configure("version: 1\n"
		      "snat: [" VIP4 "]\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: '80,20500', "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:8080']}]}\n");
	talk.snat = VIP4;
	talk.listener_port = 20500;
	talk_open(&talk);
	in = talk_request(&talk, SPEC(.flags = TH_ACK, .payload = 10));
	out = talk_request_sent(&talk, SPEC(.flags = TH_ACK, .payload = 10));
	EXPECT_SENT(in, out);
	back = talk_reply(&talk, SPEC(.flags = TH_ACK, .payload = 10));
	end = talk_reply_sent(&talk, SPEC(.flags = TH_ACK, .payload = 10));
	EXPECT_SENT(back, end);
	other = TCP(.src = CLIENT4, .dst = VIP4, .sport = 1, .dport = 20501, .flags = TH_SYN);
	EXPECT_PASS(other, NO_LISTENER);
}

Test(nat, answers_follow_the_client_to_another_router)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet_spec moved = SPEC(.flags = TH_ACK, .from_mac = "02:00:00:00:c0:99");
	struct packet in = talk_request(&talk, moved), back;
	struct rig_result result;

	talk_configure(0);
	talk_open(&talk);
	back = talk_reply(&talk, SPEC(.flags = TH_ACK));
	cr_assert_eq(memcmp(rig_send(&back).out.bytes, "\x02\0\0\0\xc0\x01", 6), 0);
	cr_assert_eq(rig_send(&in).verdict, XDP_TX);
	result = rig_send(&back);
	cr_assert_eq(memcmp(result.out.bytes, "\x02\0\0\0\xc0\x99\x02\0\0\0\xa0\x01", 12), 0);
	cr_assert_eq(result.verdict, XDP_TX);

	rig.ingress = 1; /* and by the other interface, with yet another MAC */
	in = talk_request(&talk, SPEC(.flags = TH_ACK, .from_mac = "02:00:00:00:c0:98"));
	cr_assert_eq(rig_send(&in).verdict, XDP_REDIRECT);
	rig.ingress = 0;
	result = rig_send(&back);
	cr_assert_eq(memcmp(result.out.bytes, "\x02\0\0\0\xc0\x98\x02\0\0\0\xa0\x02", 12), 0);
	cr_assert_eq(result.verdict, XDP_REDIRECT);
}

Test(nat, between_two_interfaces_it_is_redirected)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet back;
	struct rig_result result;

	rig_target(A4, "02:00:00:00:00:0b", 1);
	talk_configure(0);
	result = talk_open(&talk);
	cr_assert_eq(result.verdict, XDP_REDIRECT);
	cr_assert_eq(memcmp(result.out.bytes + 6, "\x02\0\0\0\xa0\x02", 6), 0);
	rig.ingress = 1;
	back = talk_reply(&talk, SPEC(.flags = TH_SYN | TH_ACK));
	result = rig_send(&back);
	cr_assert_eq(result.verdict, XDP_REDIRECT);
	cr_assert_eq(memcmp(result.out.bytes, "\x02\0\0\0\xc0\x01\x02\0\0\0\xa0\x01", 12), 0);
}

Test(nat, the_last_hop_is_not_made)
{
	struct talk talks[] = { TALK4(IPPROTO_TCP), TALK6(IPPROTO_TCP) };

	talk_configure(0);
	for (size_t i = 0; i < COUNT(talks); i++) {
		struct packet in = talk_request(&talks[i], SPEC(.flags = TH_ACK, .ttl = 1)), back;

		talk_open(&talks[i]);
		back = talk_reply(&talks[i], SPEC(.flags = TH_ACK, .ttl = 1));
		EXPECT_ICMP(in, TTL_EXPIRED, i ? 3 : 11, 0);
		EXPECT_ICMP(back, TTL_EXPIRED, i ? 3 : 11, 0);
		in.bytes[in.l3 + (i ? 7 : 8)] = 0;
		EXPECT_ICMP(in, TTL_EXPIRED, i ? 3 : 11, 0);
		cr_assert_eq(rig_counted("tcp", WEIR_R_TTL_EXPIRED), 3 * (i + 1));
	}
	cr_assert_eq(rig_traffic("tcp").packets, 2);
	cr_assert_eq(rig_traffic("tcp").reply_packets, 0);
}

/* Neither direction sends what the interface does not take: whoever sent it is told. */
Test(nat, what_the_way_out_does_not_take_is_answered)
{
	struct talk talks[] = { TALK4(IPPROTO_UDP), TALK6(IPPROTO_UDP) };

	rig.facts.interfaces.items[0].mtu = 1400;
	talk_configure(0);
	for (size_t i = 0; i < COUNT(talks); i++) {
		uint16_t fits = i ? 1400 - 48 : 1400 - 28;
		struct packet_spec all = SPEC(.payload = fits, .fragment = IP4_DF);
		struct packet_spec more = SPEC(.payload = (uint16_t)(fits + 1), .fragment = IP4_DF);
		struct packet in = talk_request(&talks[i], more), out, told;

		told = packet_icmp_error(&in, i ? 2 : 3, i ? 0 : 4, 1400);
		EXPECT_ANSWER(in, TOO_BIG, told);
		cr_assert_eq(rig_count_nat(), i, "a flow that carries nothing");
		talk_open(&talks[i]);
		in = talk_request(&talks[i], all);
		out = talk_request_sent(&talks[i], all);
		EXPECT_SENT(in, out);
		in = talk_reply(&talks[i], all);
		out = talk_reply_sent(&talks[i], all);
		EXPECT_SENT(in, out);
		in = talk_reply(&talks[i], more);
		told = packet_icmp_error(&in, i ? 2 : 3, i ? 0 : 4, 1400);
		EXPECT_ANSWER(in, TOO_BIG, told);
		if (i)
			continue;
		more.fragment = 0;
		in = talk_request(&talks[i], more);
		EXPECT_DROP(in, TOO_BIG_NO_DF);
		in = talk_reply(&talks[i], more);
		EXPECT_DROP(in, TOO_BIG_NO_DF);
	}
}

/* In several buffers, by an interface that takes them or has not said what it takes. */
Test(nat, jumbo_frames)
{
	struct talk talks[] = { TALK4(IPPROTO_UDP), TALK6(IPPROTO_UDP), TALK4(IPPROTO_TCP) };

	for (size_t i = 0; i < COUNT(talks) * 2; i++) {
		struct talk *talk = &talks[i % COUNT(talks)];
		struct packet_spec spec = SPEC(.payload = 8900, .flags = TH_ACK);
		struct packet in, out;

		rig.facts.interfaces.items[0].mtu = i < COUNT(talks) ? 9000 : 0;
		talk_configure(0);
		if (i < COUNT(talks))
			talk_open(talk);
		in = talk_request(talk, spec);
		out = talk_request_sent(talk, spec);
		EXPECT_SENT(in, out);
		in = talk_reply(talk, spec);
		out = talk_reply_sent(talk, spec);
		EXPECT_SENT(in, out);
	}
}

Test(nat, traffic_is_counted_in_both_directions)
{
	struct talk tcp = TALK4(IPPROTO_TCP), udp = TALK6(IPPROTO_UDP);
	struct weir_traffic all, one;
	struct packet packet;

	talk_configure(0);
	talk_open(&tcp);
	talk_open(&udp);
	packet = talk_request(&tcp, SPEC(.flags = TH_ACK, .payload = 100, .trailer = 4));
	rig_send(&packet);
	packet = talk_reply(&tcp, SPEC(.flags = TH_ACK, .payload = 1000));
	rig_send(&packet);
	rig_send(&packet);
	all = rig_traffic("tcp");
	one = rig_endpoint_traffic("tcp", A4);
	cr_assert_eq(all.packets, 2);
	cr_assert_eq(all.bytes, 40 + 140);
	cr_assert_eq(all.flows, 1);
	cr_assert_eq(all.reply_packets, 2);
	cr_assert_eq(all.reply_bytes, 2 * 1040);
	cr_assert_arr_eq(&one, &all, sizeof(all));
	all = rig_traffic("udp");
	cr_assert_eq(all.packets, 1);
	cr_assert_eq(all.flows, 1);
	cr_assert_eq(rig_endpoint_traffic("udp", A6).flows, 1);
	cr_assert_eq(rig_counted("tcp", WEIR_R_REPLIED), 2);
	cr_assert_eq(rig_counted("tcp", WEIR_R_FORWARDED), 2);
}

/* The same four numbers twice, as TCP and as UDP: two flows. */
Test(nat, shares_follow_the_weights)
{
	unsigned got[2] = {}, flows = 900;
	struct talk talk = TALK4(IPPROTO_TCP);

	talk_configure(50); /* A has 100 */
	for (unsigned i = 0; i < flows; i++) {
		struct rig_result result;

		talk.protocol = i & 1 ? IPPROTO_TCP : IPPROTO_UDP;
		talk.client_port = (uint16_t)(30000 + i / 2);
		result = talk_open(&talk);
		got[rig_went_to(&result.out, B4)]++;
	}
	cr_assert_eq(rig_count_nat(), flows);
	cr_assert(got[1] > flows * 29 / 100 && got[1] < flows * 38 / 100, "%u", got[1]);
	cr_assert_eq(rig_endpoint_traffic("tcp", B4).flows + rig_endpoint_traffic("udp", B4).flows,
		     got[1]);
}
