// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what has no ports of its own takes the tunnel that its flow takes: ICMP errors and later
 * fragments arrive inside, untouched, at the endpoint of the flow. And what a router says of an
 * outer packet is learned for that endpoint, and tried again after ten minutes. Needs root.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "rig_explain.h"
#include "rig_suite.h"

#define E4	     "10.0.0.11"
#define E6	     "fd00::11"
#define ROUTER4	     "203.0.113.9"
#define ROUTER6	     "2001:db8:f::9"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

RIG_SUITE(tunnel_edge);

static const struct {
	const char *mode;
	const char *endpoint;
	size_t outer; /* bytes of outer headers */
} tunnels[] = {
	{ "ipip", E4, 20 },
	{ "ipip", E6, 40 },
	{ "gue", E4, 32 },
	{ "gue", E6, 52 },
};

static void configure(size_t i)
{
	rig_configure(
		"version: 1\n"
		"answers_per_second: 1000000\n"
		"listeners:\n"
		"- {name: web, protocol: tcp, address: [" VIP4 ", '" VIP6
		"'], port: 80, mode: %s, endpoint_groups: [{name: all, endpoints: ['%s']}]}\n",
		tunnels[i].mode, tunnels[i].endpoint);
}

/* What is inside is what came, but for its Ethernet header. */
static void expect_inside(const struct packet *in, size_t tunnel, const struct packet *out)
{
	size_t outer = tunnels[tunnel].outer;

	cr_assert(rig_went_to(out, tunnels[tunnel].endpoint));
	cr_assert_eq(out->size, in->size + outer);
	cr_assert_eq(memcmp(out->bytes + in->l3 + outer, in->bytes + in->l3, in->size - in->l3), 0);
	cr_assert_neq(packet_sums(out->bytes, out->size).ip, SUM_BAD);
	cr_assert_neq(packet_sums(out->bytes, out->size).l4, SUM_BAD);
}

Test(tunnel_edge, without_room_for_outer_headers_nothing_is_sent)
{
	for (size_t i = 0; i < COUNT(tunnels) * 2; i++) {
		struct packet in = TCP(.src = i & 1 ? CLIENT6 : CLIENT4, .dport = 80,
				       .dst = i & 1 ? VIP6 : VIP4, .flags = TH_ACK);
		struct rig_result result;

		configure(i / 2);
		rig.no_headroom = true;
		EXPECT_DROP(in, NO_HEADROOM);
		rig.no_headroom = false;
		result = rig_send(&in);
		cr_assert_eq(result.reason, WEIR_R_FORWARDED, "%zu: %s", i,
			     rig_reason(result.reason));
		expect_inside(&in, i / 2, &result.out);
	}
}

Test(tunnel_edge, icmp_errors_take_the_tunnel_of_the_flow)
{
	for (size_t i = 0; i < COUNT(tunnels) * 2; i++) {
		bool ip6 = i & 1;
		struct packet quote = TCP(.src = ip6 ? VIP6 : VIP4, .sport = 80, .flags = TH_ACK,
					  .dst = ip6 ? CLIENT6 : CLIENT4, .dport = 40000);
		struct packet_spec spec = {
			.protocol = IPPROTO_ICMP,
			.src = ip6 ? ROUTER6 : ROUTER4,
			.dst = ip6 ? VIP6 : VIP4,
			.icmp_type = ip6 ? 2 : 3,
			.icmp_code = ip6 ? 0 : 4,
			.icmp_rest = 1400,
			.quote = &quote,
			.quoted = i & 2 ? (uint16_t)(quote.l4 - quote.l3 + 8) : 0,
		};
		struct packet error = packet_build(&spec);
		struct rig_result result;

		configure(i / 2);
		result = rig_send(&error);
		cr_assert_eq(result.reason, WEIR_R_ICMP_ERROR, "%zu: %s", i,
			     rig_reason(result.reason));
		expect_inside(&error, i / 2, &result.out);
		/* Over IPv6, firewalls want a UDP checksum. */
		if (tunnels[i / 2].outer == 52)
			cr_assert_eq(packet_sums(result.out.bytes, result.out.size).l4, SUM_GOOD);
		/* Behind other headers nobody knows what it sums up to. */
		spec.ip_options = ip6 ? 0 : 8;
		spec.extensions[0] = EXT_DEST;
		error = packet_build(&spec);
		result = rig_send(&error);
		expect_inside(&error, i / 2, &result.out);
	}
}

Test(tunnel_edge, later_fragments_take_the_tunnel_of_the_first_one)
{
	for (size_t i = 0; i < COUNT(tunnels) * 2; i++) {
		bool ip6 = i & 1;
		struct packet first = TCP(.src = ip6 ? CLIENT6 : CLIENT4, .dst = ip6 ? VIP6 : VIP4,
					  .dport = 80, .flags = TH_ACK, .payload = 76,
					  .fragment = 0x2000, .extensions = { EXT_FIRST });
		struct packet later =
			TCP(.src = ip6 ? CLIENT6 : CLIENT4, .dst = ip6 ? VIP6 : VIP4, .payload = 9,
			    .fragment = 12, .extensions = { EXT_LATER });
		size_t sport = 14 + (tunnels[i / 2].outer == 52 ? 40 : 20);
		struct rig_result a, b;

		/* The TCP checksum is that of the whole packet. */
		first.bytes[first.size - 1] ^= 0x5a;
		later.bytes[later.size - 1] ^= 0x5a;
		configure(i / 2);
		a = rig_send(&first);
		b = rig_send(&later);
		cr_assert_eq(b.reason, WEIR_R_FORWARDED, "%zu: %s", i, rig_reason(b.reason));
		expect_inside(&first, i / 2, &a.out);
		expect_inside(&later, i / 2, &b.out);
		if (tunnels[i / 2].outer == 32 || tunnels[i / 2].outer == 52)
			cr_assert_eq(packet_get16(&a.out, sport), packet_get16(&b.out, sport),
				     "one flow is one way");
	}
}

/* A router may fragment the outer packets of two fragments; whoever joins them must not mix them.
 */
Test(tunnel_edge, outer_packets_of_fragments_differ)
{
	struct packet first =
		UDP(.src = CLIENT4, .dst = VIP4, .dport = 80, .payload = 72, .fragment = 0x2000);
	struct packet later = UDP(.src = CLIENT4, .dst = VIP4, .payload = 8, .fragment = 10);
	struct packet with_df =
		UDP(.src = CLIENT4, .dst = VIP4, .dport = 80, .payload = 72, .fragment = 0x6000);

	for (size_t i = 0; i < COUNT(tunnels); i += 2) { /* in IPv4 */
		struct rig_result sent;
		uint16_t ids[2];
		unsigned same = 0;

		rig_configure("version: 1\nlisteners:\n- {name: dns, protocol: udp, address: " VIP4
			      ", port: 80, mode: %s, endpoint_groups: [{name: all, endpoints: "
			      "['%s']}]}\n",
			      tunnels[i].mode, tunnels[i].endpoint);
		for (unsigned k = 0; k < 8; k++) {
			struct rig_result a = rig_send(&first), b = rig_send(&later);

			cr_assert_eq(b.reason, WEIR_R_FORWARDED, "%s", rig_reason(b.reason));
			ids[0] = packet_get16(&a.out, 18);
			ids[1] = packet_get16(&b.out, 18);
			cr_assert_eq(packet_get16(&a.out, 20), 0, "no DF");
			same += ids[0] == ids[1];
		}
		cr_assert_lt(same, 3);
		sent = rig_send(&with_df); /* no router fragments it */
		cr_assert_eq(sent.reason, WEIR_R_FORWARDED, "%s", rig_reason(sent.reason));
		cr_assert_eq(packet_get16(&sent.out, 20), 0x4000);
	}
}

/* No sender of IPv6 makes its packets smaller than that (RFC 8201, 4). */
Test(tunnel_edge, ipv6_has_1280_bytes_of_room)
{
	for (size_t i = 0; i < COUNT(tunnels); i++) {
		struct packet fits = TCP(.src = CLIENT6, .dst = VIP6, .dport = 80, .flags = TH_ACK,
					 .payload = 1220);
		struct packet big = TCP(.src = CLIENT6, .dst = VIP6, .dport = 80, .flags = TH_ACK,
					.payload = 1221);
		struct packet told = packet_icmp_error(&big, 2, 0, 1280);
		struct weir_endpoint *row;
		struct rig_result sent;

		configure(i);
		row = &rig.object->endpoints[rig_endpoint("web", tunnels[i].endpoint)->row];
		row->mtu = 1290;
		EXPECT_ANSWER(big, TOO_BIG, told);
		sent = rig_send(&fits);
		cr_assert_eq(sent.reason, WEIR_R_FORWARDED, "%s", rig_reason(sent.reason));
		expect_inside(&fits, i, &sent.out);
		if (strchr(tunnels[i].endpoint, '.'))
			cr_assert_eq(packet_get16(&sent.out, 20), 0, "no DF");
		row->mtu = (uint16_t)(1280 + tunnels[i].outer);
		sent = rig_send(&fits); /* it has room */
		cr_assert_eq(sent.reason, WEIR_R_FORWARDED);
		if (strchr(tunnels[i].endpoint, '.'))
			cr_assert_eq(packet_get16(&sent.out, 20), 0x4000);
	}
}

/* What a router has to say of an outer packet. */
static struct packet too_big(const struct packet *outer, size_t l3, size_t tunnel, uint32_t mtu,
			     uint16_t quoted)
{
	bool ip6 = strchr(tunnels[tunnel].endpoint, ':');
	struct packet quote = *outer;

	quote.l3 = l3;
	return packet_build(&(struct packet_spec){
		.protocol = IPPROTO_ICMP,
		.src = ip6 ? "fd00::99" : "10.0.0.99",
		.dst = ip6 ? SNAT6 : SNAT4,
		.icmp_type = ip6 ? 2 : 3,
		.icmp_code = ip6 ? 0 : 4,
		.icmp_rest = mtu,
		.quote = &quote,
		.quoted = quoted,
	});
}

Test(tunnel_edge, the_mtu_of_a_path_is_learned)
{
	for (size_t i = 0; i < COUNT(tunnels) * 2; i++) {
		bool ip6 = i & 1;
		struct packet big =
			TCP(.src = ip6 ? CLIENT6 : CLIENT4, .dst = ip6 ? VIP6 : VIP4, .dport = 80,
			    .flags = TH_ACK, .payload = 1360, .fragment = 0x4000);
		struct packet error, told;
		struct weir_endpoint *row;
		struct rig_result sent;
		uint32_t room = 1300 - (uint32_t)tunnels[i / 2].outer;
		uint16_t route;

		configure(i / 2);
		row = &rig.object->endpoints[rig_endpoint("web", tunnels[i / 2].endpoint)->row];
		route = row->mtu;
		sent = rig_send(&big);
		cr_assert_eq(sent.reason, WEIR_R_FORWARDED);
		error = too_big(&sent.out, big.l3, i / 2, 1300, 120);
		EXPECT_PASS(error, MTU_LEARNED);
		cr_assert_eq(row->mtu, 1300);
		if (ip6) /* of less its sender would hear nothing (RFC 8201, 4) */
			room = 1280;
		told = packet_icmp_error(&big, ip6 ? 2 : 3, ip6 ? 0 : 4, room);
		EXPECT_ANSWER(big, TOO_BIG, told);
		error = too_big(&sent.out, big.l3, i / 2, 1290, 120); /* and a smaller one behind */
		EXPECT_PASS(error, MTU_LEARNED);
		rig_advance(WEIR_TIMEOUT_MTU);
		cr_assert_eq(rig_send(&big).reason, WEIR_R_TOO_BIG);
		rig_advance(2);
		cr_assert_eq(rig_send(&big).reason, WEIR_R_FORWARDED);
		cr_assert_eq(row->mtu, route);
	}
}

/* What is asked about is not learned, nor taken back. */
Test(tunnel_edge, explain_says_what_would_be_learned)
{
	struct packet big = TCP(.src = CLIENT4, .dst = VIP4, .dport = 80, .flags = TH_ACK,
				.payload = 1360, .fragment = 0x4000);
	const struct weir_step *step;
	struct weir_endpoint *row;
	struct rig_result sent;
	struct packet error;

	configure(0);
	row = &rig.object->endpoints[rig_endpoint("web", E4)->row];
	sent = rig_send(&big);
	error = too_big(&sent.out, big.l3, 0, 1300, 120);
	step = rig_step(rig_explain(&error), WEIR_STEP_MTU);
	cr_assert(step && step->index == 1300);
	cr_assert_eq(row->mtu, RIG_MTU);
	cr_assert_eq(rig_count_records(rig.object->learned_mtus), 0);
	EXPECT_PASS(error, MTU_LEARNED);
	cr_assert_null(rig_step(rig_explain(&error), WEIR_STEP_MTU), "nothing new");
	cr_assert_null(rig_step(rig_explain(&big), WEIR_STEP_MTU), "too early");
	rig_advance(WEIR_TIMEOUT_MTU + 2);
	step = rig_step(rig_explain(&big), WEIR_STEP_MTU);
	cr_assert(step && step->index == RIG_MTU);
	step = rig_step(rig_explain(&big), WEIR_STEP_VERDICT);
	cr_assert(step && step->index == WEIR_R_FORWARDED);
	cr_assert_eq(row->mtu, 1300);
	cr_assert_eq(rig_count_records(rig.object->learned_mtus), 1);
}

/* Writing the configuration anew does not make the path wider; another route is another path. */
Test(tunnel_edge, what_was_learned_outlives_a_reload)
{
	struct packet big = TCP(.src = CLIENT4, .dst = VIP4, .dport = 80, .flags = TH_ACK,
				.payload = 1360, .fragment = 0x4000);
	struct packet error;
	struct weir_endpoint *row;
	struct rig_result sent;

	configure(0);
	row = &rig.object->endpoints[rig_endpoint("web", E4)->row];
	sent = rig_send(&big);
	error = too_big(&sent.out, big.l3, 0, 1300, 120);
	EXPECT_PASS(error, MTU_LEARNED);
	configure(0);
	cr_assert_eq(row->mtu, 1300);
	rig_advance(WEIR_TIMEOUT_MTU + 2);
	cr_assert_eq(rig_send(&big).reason, WEIR_R_FORWARDED);
	cr_assert_eq(row->mtu, RIG_MTU);
	EXPECT_PASS(error, MTU_LEARNED);
	rig_endpoint("web", E4)->tunnel.mtu = 1280; /* as if the route's had been that, ... */
	rig.object->endpoint_info[rig_endpoint("web", E4)->row].route_mtu = 1280;
	configure(0); /* ... and is another now */
	cr_assert_eq(row->mtu, RIG_MTU);
	cr_assert_eq(rig_count_records(rig.object->learned_mtus), 0);
}

/* A row that is nobody's has learned nothing. */
Test(tunnel_edge, what_was_learned_goes_with_its_endpoint)
{
	struct packet big = TCP(.src = CLIENT4, .dst = VIP4, .dport = 80, .flags = TH_ACK,
				.payload = 1360, .fragment = 0x4000);
	struct packet error;
	struct weir_endpoint *row;
	struct rig_result sent;

	configure(0);
	row = &rig.object->endpoints[rig_endpoint("web", E4)->row];
	sent = rig_send(&big);
	error = too_big(&sent.out, big.l3, 0, 1300, 120);
	EXPECT_PASS(error, MTU_LEARNED);
	cr_assert_eq(rig_count_records(rig.object->learned_mtus), 1);
	configure(1); /* another endpoint */
	for (int i = 0; i < 100 && row->state != WEIR_ENDPOINT_FREE; i++) {
		rig_advance(60);
		rig_upkeep();
		configure(1);
	}
	cr_assert_eq(row->state, WEIR_ENDPOINT_FREE);
	cr_assert_eq(rig_count_records(rig.object->learned_mtus), 0);
}

/* The row is another endpoint's by now, with a route of its own. */
Test(tunnel_edge, what_was_learned_is_not_the_next_owners)
{
	struct packet big = TCP(.src = CLIENT4, .dst = VIP4, .dport = 80, .flags = TH_ACK,
				.payload = 1360, .fragment = 0x4000);
	struct packet error;
	struct weir_endpoint *row;
	struct rig_result sent;

	configure(0);
	row = &rig.object->endpoints[rig_endpoint("web", E4)->row];
	sent = rig_send(&big);
	error = too_big(&sent.out, big.l3, 0, 1300, 120);
	EXPECT_PASS(error, MTU_LEARNED);
	row->generation++;
	row->mtu = 1310; /* too narrow, and it stays so */
	rig_advance(WEIR_TIMEOUT_MTU + 2);
	cr_assert_eq(rig_send(&big).reason, WEIR_R_TOO_BIG);
	cr_assert_eq(row->mtu, 1310);
	cr_assert_eq(rig_count_records(rig.object->learned_mtus), 0);
	row->generation--;
	row->mtu = RIG_MTU;
	EXPECT_PASS(error, MTU_LEARNED);
	row->generation++;
	row->mtu = 1500; /* wide enough, and learned anew */
	EXPECT_PASS(error, MTU_LEARNED);
	cr_assert_eq(row->mtu, 1300);
	rig_advance(WEIR_TIMEOUT_MTU + 2);
	cr_assert_eq(rig_send(&big).reason, WEIR_R_FORWARDED);
	cr_assert_eq(row->mtu, 1500);
}

/* More paths than are remembered: what cannot be taken back is not learned. */
Test(tunnel_edge, no_mtu_is_learned_for_good)
{
	struct packet big = TCP(.src = CLIENT4, .dst = VIP4, .dport = 80, .flags = TH_ACK,
				.payload = 1360, .fragment = 0x4000);
	uint32_t mine, none[8] = {}; /* as large as an entry, and larger */
	struct weir_endpoint *row;
	struct rig_result sent;
	struct packet error;

	configure(0);
	mine = rig_endpoint("web", E4)->row;
	row = &rig.object->endpoints[mine];
	sent = rig_send(&big);
	error = too_big(&sent.out, big.l3, 0, 1300, 120);
	EXPECT_PASS(error, MTU_LEARNED);
	for (uint32_t other = 1; other < WEIR_MAX_LEARNED_MTUS; other++) {
		uint32_t key = 100000 + other;

		cr_assert_eq(bpf_map_update_elem(rig.object->learned_mtus, &key, none, BPF_ANY), 0);
	}
	cr_assert_eq(
		bpf_map_update_elem(rig.object->learned_mtus, &(uint32_t){ 99999 }, none, BPF_ANY),
		-E2BIG);
	rig_advance(WEIR_TIMEOUT_MTU + 2);
	cr_assert_eq(rig_send(&big).reason, WEIR_R_FORWARDED);
	cr_assert_eq(row->mtu, RIG_MTU);
	cr_assert_eq(
		bpf_map_update_elem(rig.object->learned_mtus, &(uint32_t){ 99999 }, none, BPF_ANY),
		0);
	EXPECT_PASS(error, ICMP_UNKNOWN);
	cr_assert_eq(row->mtu, RIG_MTU);
}

/* Nobody may make paths smaller than links are, or lower what he does not know. */
Test(tunnel_edge, lies_about_the_mtu_are_not_learned)
{
	struct packet big =
		TCP(.src = CLIENT4, .dst = VIP4, .dport = 80, .flags = TH_ACK, .payload = 1360);
	struct packet closed =
		TCP(.src = CLIENT4, .dst = VIP4, .dport = 81, .flags = TH_ACK, .payload = 1360);
	struct packet error, forged;
	struct weir_endpoint *row;
	struct rig_result sent;

	configure(0);
	row = &rig.object->endpoints[rig_endpoint("web", E4)->row];
	sent = rig_send(&big);
	error = too_big(&sent.out, big.l3, 0, 575, 0);
	EXPECT_PASS(error, ICMP_UNKNOWN);
	error = too_big(&sent.out, big.l3, 0, RIG_MTU, 0);
	EXPECT_PASS(error, ICMP_UNKNOWN);
	error = too_big(&sent.out, big.l3, 0, 0, 0); /* a router older than RFC 1191 */
	cr_assert_eq(rig_send(&error).verdict, XDP_PASS);
	error = too_big(&sent.out, big.l3, 0, 1300, 28);
	EXPECT_PASS(error, NOT_OURS);
	forged = sent.out;
	memcpy(forged.bytes + 34, closed.bytes + 14, closed.size - 14);
	error = too_big(&forged, big.l3, 0, 1300, 0);
	EXPECT_PASS(error, NOT_OURS);
	cr_assert_eq(row->mtu, RIG_MTU);
}

/* The bytes of an outer header that say who has sent it, to whom, and of which flow; of IPv4, IPv6
 * and their GUE. One that is wrong, and it is not ours. */
static const struct forgery {
	size_t tunnel;
	size_t at; /* from the outer header's start */
	uint8_t bits;
} forgeries[] = {
	{ 0, 0, 0x03 },			  /* a header with options */
	{ 0, 7, 0x01 },			  /* a later fragment */
	{ 0, 9, 0x2d },			  /* IPv6 inside */
	{ 0, 15, 0x01 },		  /* another source */
	{ 0, 19, 0x01 },		  /* another endpoint */
	{ 1, 1, 0x01 },			  /* another label, at its high bits */
	{ 1, 3, 0x01 },			  /* ... and its low ones */
	{ 1, 8, 0x01 },			  /* another source, at both ends */
	{ 1, 23, 0x01 }, { 1, 39, 0x01 }, /* another endpoint */
	{ 2, 21, 0x01 },		  /* another source port */
	{ 2, 23, 0x01 },		  /* another destination port */
	{ 2, 28, 0x20 },		  /* not GUE as weir sends it */
	{ 2, 31, 0x01 }, { 3, 1, 0x08 },  { 3, 41, 0x01 }, { 3, 43, 0x01 }, { 3, 48, 0x40 },
};

Test(tunnel_edge, an_outer_header_of_nobody_teaches_nothing)
{
	struct packet big =
		TCP(.src = CLIENT4, .dst = VIP4, .dport = 80, .flags = TH_ACK, .payload = 1360);

	for (size_t i = 0; i < COUNT(forgeries); i++) {
		const struct forgery *forgery = &forgeries[i];
		size_t tunnel = forgery->tunnel;
		struct weir_endpoint *row;
		struct rig_result sent;
		struct packet error;
		size_t before;

		configure(tunnel);
		row = &rig.object->endpoints[rig_endpoint("web", tunnels[tunnel].endpoint)->row];
		sent = rig_send(&big);
		before = row->mtu;
		sent.out.bytes[big.l3 + forgery->at] ^= forgery->bits;
		error = too_big(&sent.out, big.l3, tunnel, 1300, 120);
		cr_assert_eq(rig_send(&error).reason, WEIR_R_NOT_OURS, "%zu", i);
		cr_assert_eq(row->mtu, before, "%zu", i);
		sent.out.bytes[big.l3 + forgery->at] ^= forgery->bits;
		error = too_big(&sent.out, big.l3, tunnel, 1300, 120);
		EXPECT_PASS(error, MTU_LEARNED);
		rig_advance(WEIR_TIMEOUT_MTU + 2);
	}
}

/* All that it quotes is right, but it came to another address than the one that has sent it; or
 * from where nobody is. */
Test(tunnel_edge, an_error_to_another_address_teaches_nothing)
{
	struct packet big =
		TCP(.src = CLIENT4, .dst = VIP4, .dport = 80, .flags = TH_ACK, .payload = 1360);
	struct weir_endpoint *row;
	struct rig_result sent;
	struct packet error;

	configure(0);
	row = &rig.object->endpoints[rig_endpoint("web", E4)->row];
	sent = rig_send(&big);
	error = too_big(&sent.out, big.l3, 0, 1300, 120);
	error.bytes[error.l3 + 19]++;
	packet_sum(&error);
	EXPECT_PASS(error, NOT_OURS);
	error = too_big(&sent.out, big.l3, 0, 1300, 120);
	error.bytes[error.l3 + 12] = 127;
	packet_sum(&error);
	EXPECT_PASS(error, NOT_OURS);
	cr_assert_eq(row->mtu, RIG_MTU);
}
