// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: in modes ipip and gue a packet leaves as it came, inside an outer header that is right in
 * every byte, whichever families meet; who sends what does not fit the path is told what does.
 * Needs root.
 */
#include <string.h>

#include <weir/hash.h>

#include "dataplane/sync.h"
#include "rig_suite.h"

#define E4	     "10.0.0.11"
#define E6	     "fd00::11"
#define MAC_E4	     "02:00:00:00:00:0b"
#define MAC_E6	     "02:00:00:00:00:11"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

RIG_SUITE(tunnel);

/* Listeners tcp 80 and udp 53 of one mode, with one endpoint; `more` are lines of each. */
static void configure_with(const char *mode, const char *endpoint, const char *more)
{
	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- name: web\n"
		      "  protocol: tcp\n"
		      "  address: [" VIP4 ", '" VIP6 "']\n"
		      "  port: 80\n"
		      "  mode: %s\n%s"
		      "  endpoint_groups: [{name: all, endpoints: ['%s']}]\n"
		      "- name: dns\n"
		      "  protocol: udp\n"
		      "  address: [" VIP4 ", '" VIP6 "']\n"
		      "  port: 53\n"
		      "  mode: %s\n%s"
		      "  endpoint_groups: [{name: all, endpoints: ['%s']}]\n",
		      mode, more, endpoint, mode, more, endpoint);
}

static uint32_t hash_of(const struct packet *packet)
{
	struct weir_flow flow = rig_flow(packet);

	return weir_hash_flow(&flow, rig.object->control->slot_seed);
}

/* What the packet looks like inside the tunnel to an endpoint. */
static struct packet expected(const struct packet *in, const char *endpoint, bool gue)
{
	bool ip4 = strchr(endpoint, '.'), inner4 = in->bytes[in->l3] >> 4 == 4;
	struct packet_outer outer = {
		.src = ip4 ? SNAT4 : SNAT6,
		.dst = endpoint,
		.from_mac = ARM0_MAC,
		.to_mac = ip4 ? MAC_E4 : MAC_E6,
		.tos = inner4 ? in->bytes[in->l3 + 1] : (uint8_t)(packet_get16(in, in->l3) >> 4),
		.id = inner4 ? packet_get16(in, in->l3 + 4) : 0,
		.fragment = inner4 ? packet_get16(in, in->l3 + 6) & 0x4000 : 0x4000,
		.label = hash_of(in) >> 12,
		.gue = gue,
		.sport = (uint16_t)(49152 + (hash_of(in) >> 18)),
		.without_checksum = ip4,
	};
	struct packet plain = packet_tagged(in, NULL);

	return packet_tunnel(&plain, &outer);
}

static void expect_sent(const struct packet *in, const char *endpoint, bool gue, int line)
{
	struct rig_result result = rig_send(in);
	struct packet want = expected(in, endpoint, gue);

	cr_assert_eq(result.verdict, XDP_TX, "line %d: %s", line, rig_reason(result.reason));
	cr_assert_eq(packet_difference(&result.out, &want), -1, "line %d: byte %ld", line,
		     packet_difference(&result.out, &want));
}

static const struct {
	const char *mode;
	const char *endpoint;
	bool gue;
} tunnels[] = {
	{ "ipip", E4, false },
	{ "ipip", E6, false },
	{ "gue", E4, true },
	{ "gue", E6, true },
};

#define FROM_4 .src = CLIENT4, .dst = VIP4, .sport = 40000
#define FROM_6 .src = CLIENT6, .dst = VIP6, .sport = 40000

/* TOS and DF, padding, options, extension headers, tags, sizes: each is another outer header. */
static const struct packet_spec variants[] = {
	{ .protocol = IPPROTO_TCP, FROM_4, .dport = 80, .flags = TH_SYN },
	{ .protocol = IPPROTO_TCP, FROM_4, .dport = 80, .flags = TH_ACK, .fragment = 0x4000 },
	{ .protocol = IPPROTO_TCP, FROM_4, .dport = 80, .flags = TH_ACK, .trailer = 6 },
	{ .protocol = IPPROTO_TCP,
	  FROM_4,
	  .dport = 80,
	  .flags = TH_ACK,
	  .trailer = 1,
	  .payload = 1001 },
	{ .protocol = IPPROTO_TCP,
	  FROM_4,
	  .dport = 80,
	  .flags = TH_FIN | TH_ACK,
	  .tos = 0xb9,
	  .payload = 3,
	  .ttl = 1 },
	{ .protocol = IPPROTO_TCP, FROM_4, .dport = 80, .flags = TH_RST, .tos = 3, .vlan = { 5 } },
	{ .protocol = IPPROTO_TCP,
	  FROM_4,
	  .dport = 80,
	  .flags = TH_ACK,
	  .vlan = { 5, 6 },
	  .trailer = 9,
	  .fragment = 0x4000 },
	{ .protocol = IPPROTO_TCP,
	  FROM_4,
	  .dport = 80,
	  .flags = TH_ACK,
	  .ip_options = 12,
	  .payload = 40 },
	{ .protocol = IPPROTO_UDP, FROM_4, .dport = 53, .payload = 7, .tos = 0xff },
	{ .protocol = IPPROTO_UDP, FROM_4, .dport = 53, .payload = 8000 },
	{ .protocol = IPPROTO_TCP, FROM_6, .dport = 80, .flags = TH_SYN },
	{ .protocol = IPPROTO_TCP,
	  FROM_6,
	  .dport = 80,
	  .flags = TH_ACK,
	  .tos = 0xfe,
	  .payload = 555,
	  .ttl = 1 },
	{ .protocol = IPPROTO_TCP,
	  FROM_6,
	  .dport = 80,
	  .flags = TH_ACK,
	  .vlan = { 9 },
	  .trailer = 3 },
	{ .protocol = IPPROTO_UDP, FROM_6, .dport = 53, .payload = 100, .trailer = 2 },
	{ .protocol = IPPROTO_UDP, FROM_6, .dport = 53, .payload = 1 },
};

Test(tunnel, the_outer_header_is_right_in_every_byte)
{
	for (size_t i = 0; i < COUNT(tunnels); i++) {
		configure_with(tunnels[i].mode, tunnels[i].endpoint, "");
		for (size_t k = 0; k < COUNT(variants); k++) {
			struct packet in = packet_build(&variants[k]);

			expect_sent(&in, tunnels[i].endpoint, tunnels[i].gue, (int)(1000 * i + k));
		}
	}
}

/* Where the inner packet has no checksum to build upon, the outer one is zero. */
Test(tunnel, without_an_inner_checksum_there_is_no_outer_one)
{
	struct packet none = UDP(FROM_4, .dport = 53, .payload = 9, .without_checksum = true);
	struct packet chain = TCP(FROM_6, .dport = 80, .flags = TH_ACK, .payload = 9,
				  .extensions = { EXT_HOP, EXT_DEST });
	struct packet longer = UDP(FROM_6, .dport = 53, .payload = 9);
	struct packet *packets[] = { &none, &chain, &longer };

	/* IP counts a byte more than UDP does. */
	packet_set16(&longer, longer.l4 + 4, packet_get16(&longer, longer.l4 + 4) - 1);
	configure_with("gue", E6, "");
	for (size_t i = 0; i < COUNT(packets); i++) {
		struct packet out = expected(packets[i], E6, true);

		packet_set16(&out, out.l3 + 40 + 6, 0);
		rig_expect_sent(packets[i], &out, (int)i);
	}
}

/* With each number another source; of IPv6, whose addresses are not in the outer checksum, another
 * flow label, too. */
static struct packet numbered(bool ip6, uint32_t number)
{
	struct packet in = TCP(.src = ip6 ? CLIENT6 : CLIENT4, .dst = ip6 ? VIP6 : VIP4,
			       .sport = (uint16_t)(1024 + (number >> 16)), .dport = 80,
			       .flags = TH_ACK, .payload = 2);

	packet_set16(&in, in.l3 + (ip6 ? 22 : 14), (uint16_t)number);
	if (ip6)
		packet_set16(&in, in.l3 + 2, (uint16_t)(number * 7));
	packet_sum(&in);
	return in;
}

/* Many values of the outer checksum, so that a carry that gets lost cannot hide. */
Test(tunnel, the_outer_checksum_is_right_for_every_value)
{
	static uint8_t seen[0x10000 / 8];
	unsigned values = 0;

	configure_with("gue", E6, "");
	for (uint32_t number = 0; number < 0x10000; number += 5) {
		bool ip6 = number & 1;
		struct packet in = numbered(ip6, number), want = expected(&in, E6, true), out;
		uint16_t sum = packet_get16(&want, 14 + 46);

		cr_assert_eq(rig_run(&in, &out), XDP_TX);
		cr_assert_eq(packet_difference(&out, &want), -1, "number %x", number);
		values += !(seen[sum / 8] >> sum % 8 & 1);
		seen[sum / 8] |= (uint8_t)(1u << sum % 8);
	}
	rig_recount();
	cr_assert_gt(values, 8000);
}

/* Zero would say that there is none. */
Test(tunnel, an_outer_checksum_that_comes_out_as_zero_is_all_ones)
{
	configure_with("gue", E6, "");
	for (int ip6 = 0; ip6 < 2; ip6++) {
		struct packet in, want;
		uint32_t number = 0;

		do {
			cr_assert_lt(number, 500000);
			in = numbered(ip6, number++);
			want = expected(&in, E6, true);
		} while (packet_get16(&want, 14 + 46) != 0xffff);
		rig_expect_sent(&in, &want, ip6);
	}
}

/* Sums of all kinds, by way of the identification, which is the inner one's; DF goes with it, and
 * the bit beside it, which means nothing, does not. */
Test(tunnel, the_outer_header_sum_is_right_for_every_identification)
{
	static const uint16_t flags[] = { 0, 0x4000, 0x8000, 0xc000 };

	configure_with("ipip", E4, "");
	for (uint32_t id = 0; id < 0x10000; id++) {
		struct packet in = UDP(FROM_4, .dport = 53, .payload = 2, .id = id,
				       .fragment = flags[id % COUNT(flags)]);
		struct packet out, want = expected(&in, E4, false);

		cr_assert_eq(rig_run(&in, &out), XDP_TX);
		cr_assert_eq(packet_difference(&out, &want), -1, "%x", id);
	}
	rig_recount();
}

/* 9000 bytes, outer headers included. */
Test(tunnel, what_exceeds_the_path_is_dropped)
{
	static const uint16_t sizes[] = { 20, 40, 32, 52 };

	for (size_t i = 0; i < COUNT(tunnels); i++) {
		uint16_t room = RIG_MTU - sizes[i], header4 = 40, header6 = 60;
		struct packet fits = TCP(FROM_4, .dport = 80, .flags = TH_ACK,
					 .payload = room - header4, .fragment = 0x4000);
		struct packet df = TCP(FROM_4, .dport = 80, .flags = TH_ACK,
				       .payload = room - header4 + 1, .fragment = 0x4000);
		struct packet no_df =
			TCP(FROM_4, .dport = 80, .flags = TH_ACK, .payload = room - header4 + 1);
		struct packet fits6 =
			TCP(FROM_6, .dport = 80, .flags = TH_ACK, .payload = room - header6);
		struct packet ip6 =
			TCP(FROM_6, .dport = 80, .flags = TH_ACK, .payload = room - header6 + 1);
		struct packet told;

		configure_with(tunnels[i].mode, tunnels[i].endpoint, "");
		expect_sent(&fits, tunnels[i].endpoint, tunnels[i].gue, __LINE__);
		expect_sent(&fits6, tunnels[i].endpoint, tunnels[i].gue, __LINE__);
		told = packet_icmp_error(&df, 3, 4, room);
		EXPECT_ANSWER(df, TOO_BIG, told);
		EXPECT_DROP(no_df, TOO_BIG_NO_DF);
		told = packet_icmp_error(&ip6, 2, 0, room);
		EXPECT_ANSWER(ip6, TOO_BIG, told);
	}
	cr_assert_eq(rig_counted("web", WEIR_R_TOO_BIG), 2 * COUNT(tunnels));
}

/* What BPF, or the daemon, has learned of a path. */
Test(tunnel, the_rows_mtu_decides)
{
	struct packet packet =
		TCP(FROM_4, .dport = 80, .flags = TH_ACK, .payload = 1000, .fragment = 0x4000);
	struct weir_endpoint *row;
	struct packet told;

	configure_with("ipip", E4, "");
	row = &rig.object->endpoints[rig_endpoint("web", E4)->row];
	cr_assert_eq(row->mtu, RIG_MTU);
	row->mtu = 1059;
	told = packet_icmp_error(&packet, 3, 4, 1039);
	EXPECT_ANSWER(packet, TOO_BIG, told);
	row->mtu = 1060;
	EXPECT_TO(packet, E4);
}

Test(tunnel, padding_does_not_count_as_size)
{
	struct packet packet =
		TCP(FROM_4, .dport = 80, .flags = TH_ACK, .payload = 8940, .trailer = 100);

	configure_with("ipip", E4, "");
	expect_sent(&packet, E4, false, __LINE__);
	cr_assert_eq(rig_traffic("web").bytes, 8980); /* the client's, as in other modes */
}

Test(tunnel, flows_are_counted_by_their_first_packet)
{
	struct packet syn = TCP(FROM_4, .dport = 80, .flags = TH_SYN);
	struct packet data = TCP(FROM_4, .dport = 80, .flags = TH_ACK, .payload = 10);

	for (size_t i = 0; i < COUNT(tunnels); i++) {
		struct weir_traffic before, after;

		configure_with(tunnels[i].mode, tunnels[i].endpoint, "");
		before = rig_endpoint_traffic("web", tunnels[i].endpoint);
		EXPECT_TO(syn, tunnels[i].endpoint);
		EXPECT_TO(data, tunnels[i].endpoint);
		after = rig_endpoint_traffic("web", tunnels[i].endpoint);
		cr_assert_eq(after.flows - before.flows, 1);
		cr_assert_eq(after.packets - before.packets, 2);
	}
}

Test(tunnel, the_source_is_what_the_configuration_says)
{
	struct packet in = TCP(FROM_4, .dport = 80, .flags = TH_ACK), out;
	struct rig_result result;

	configure_with("ipip", E4, "  tunnel_source: ['fd00::99', 10.9.8.7]\n");
	result = rig_send(&in);
	cr_assert_arr_eq(result.out.bytes + 26, "\x0a\x09\x08\x07", 4);
	configure_with("gue", E6, "  tunnel_source: ['fd00::99', 10.9.8.7]\n  gue_port: 7000\n");
	result = rig_send(&in);
	out = expected(&in, E6, true);
	cr_assert_eq(result.out.bytes[14 + 23], 0x99);
	cr_assert_eq(packet_get16(&result.out, 14 + 42), 7000);
	cr_assert_eq(packet_get16(&result.out, 14 + 40), packet_get16(&out, 14 + 40));
}

/* Of a prefix the last bits are the flow's: many sources, the same for all packets of a flow. */
Test(tunnel, a_source_prefix_spreads_the_flows)
{
	static const char *const prefixes[] = { "10.9.0.0/16", "fd09::/64", "10.9.0.0/31",
						"fd09::4/126" };
	static const unsigned bits[] = { 16, 32, 1, 2 };

	for (size_t i = 0; i < COUNT(prefixes); i++) {
		const char *endpoint = i % 2 ? E6 : E4;
		size_t at = i % 2 ? 14 + 8 + 12 : 14 + 12;
		char more[100];
		uint32_t all = 0;

		snprintf(more, sizeof(more), "  tunnel_source: '%s'\n", prefixes[i]);
		configure_with("ipip", endpoint, more);
		for (uint16_t port = 1024; port < 1224; port++) {
			struct packet in = TCP(.src = CLIENT4, .dst = VIP4, .sport = port,
					       .dport = 80, .flags = TH_ACK);
			uint32_t host, want = (uint32_t)((uint64_t)hash_of(&in) >> (32 - bits[i]));
			struct packet out;

			cr_assert_eq(rig_run(&in, &out), XDP_TX);
			host = (uint32_t)packet_get16(&out, at) << 16 | packet_get16(&out, at + 2);
			if (i == 0 || i == 2)
				want |= 0x0a090000;
			if (i == 3)
				want |= 4;
			cr_assert_eq(host, want, "%s: %x, not %x", prefixes[i], host, want);
			all |= want;
			if (i % 2 == 0)
				cr_assert_eq(packet_sums(out.bytes, out.size).ip, SUM_GOOD);
		}
		cr_assert_eq(__builtin_popcount(all & (uint32_t)((1ull << bits[i]) - 1)),
			     (int)bits[i]);
	}
	rig_recount();
}

Test(tunnel, without_a_next_hop_it_is_dropped)
{
	struct packet packet = TCP(FROM_4, .dport = 80, .flags = TH_SYN);

	rig_target(E4, NULL, 0);
	configure_with("ipip", E4, "");
	EXPECT_DROP(packet, NO_NEXT_HOP);
	rig_target(E4, MAC_E4, 0);
	cr_assert(plan_resolve(rig.plan, &rig.facts));
	sync_nexthops(rig.object, rig.plan);
	EXPECT_TO(packet, E4);
}

Test(tunnel, behind_a_router_or_another_interface)
{
	struct packet packet = TCP(FROM_4, .dport = 80, .flags = TH_SYN), out;
	struct rig_result result;

	rig_router(E4, "10.0.0.254", "02:00:00:00:00:fe", 1);
	configure_with("ipip", E4, "");
	result = rig_send(&packet);
	cr_assert_eq(result.verdict, XDP_REDIRECT);
	out = expected(&packet, E4, false);
	cr_assert_arr_eq(result.out.bytes, "\x02\0\0\0\0\xfe\x02\0\0\0\xa0\x02", 12);
	cr_assert_arr_eq(result.out.bytes + 12, out.bytes + 12, out.size - 12);
}

/* Four endpoints, each its own way, behind one listener: the same flow always goes the same. */
Test(tunnel, modes_mix_in_one_listener)
{
	unsigned seen[4] = {};

	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- name: web\n"
		      "  protocol: tcp\n"
		      "  address: [" VIP4 ", '" VIP6 "']\n"
		      "  port: 80\n"
		      "  endpoint_groups:\n"
		      "  - name: all\n"
		      "    endpoints:\n"
		      "    - 10.0.0.11:8080\n"
		      "    - {address: 10.0.0.12, mode: dsr}\n"
		      "    - {address: 10.0.0.13, mode: ipip}\n"
		      "    - {address: 10.0.0.14, mode: gue}\n");
	for (uint16_t i = 0; i < 800; i++) {
		struct packet syn = TCP(.src = CLIENT4, .dst = VIP4, .sport = 1024 + i, .dport = 80,
					.flags = TH_SYN);
		struct packet data = TCP(.src = CLIENT4, .dst = VIP4, .sport = 1024 + i,
					 .dport = 80, .flags = TH_ACK, .payload = 10);
		struct rig_result first = rig_send(&syn), second = rig_send(&data);
		unsigned way = first.out.bytes[5] - 11u;
		static const size_t more[] = { 0, 0, 20, 32 };

		cr_assert_lt(way, 4);
		cr_assert_eq(first.out.bytes[5], second.out.bytes[5]);
		cr_assert_eq(first.out.size, syn.size + more[way]);
		cr_assert_eq(second.out.size, data.size + more[way]);
		cr_assert_eq(packet_sums(second.out.bytes, second.out.size).ip, SUM_GOOD);
		seen[way]++;
	}
	for (int i = 0; i < 4; i++)
		cr_assert(seen[i] > 150 && seen[i] < 250, "%u", seen[i]);
	cr_assert_eq(rig_count_nat(), seen[0]);
	cr_assert_eq(rig_count_records(rig.object->exceptions), 0);
}

/* An IPv6 client has the endpoints of either family, where a tunnel leads there. */
Test(tunnel, endpoints_of_both_families_share)
{
	unsigned to6 = 0;

	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- name: web\n"
		      "  protocol: tcp\n"
		      "  address: [" VIP4 ", '" VIP6 "']\n"
		      "  port: 80\n"
		      "  mode: ipip\n"
		      "  endpoint_groups: [{name: all, endpoints: [" E4 " weight 30, '" E6
		      "']}]\n");
	for (uint16_t i = 0; i < 1300; i++) {
		struct packet in = TCP(.src = CLIENT6, .dst = VIP6, .sport = 1024 + i, .dport = 80,
				       .flags = TH_ACK);
		struct packet out, want;

		cr_assert_eq(rig_run(&in, &out), XDP_TX);
		to6 += rig_went_to(&out, E6);
		want = expected(&in, rig_went_to(&out, E6) ? E6 : E4, false);
		cr_assert_eq(packet_difference(&out, &want), -1);
	}
	cr_assert(to6 > 950 && to6 < 1050, "%u", to6);
	rig_recount();
}
