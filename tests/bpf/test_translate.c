// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: with mode nat a listener whose endpoints are all of the other family serves its clients:
 * the packet that leaves, and the answer, are what a builder makes anew in the other IP version,
 * in every byte. What cannot be translated is refused before it changes or opens anything. Needs
 * root.
 */
#include <string.h>

#include "rig_suite.h"
#include "talk.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NO_DF_MAX    1260 /* RFC 7915, 5.1 */

RIG_SUITE(translate);

/* IPv4 clients to an IPv6 endpoint, and the reverse; .snat_port is not known yet. */
#define TALK_4TO6(protocol_)                                                                       \
	{                                                                                          \
		.protocol = (protocol_), .client = CLIENT4, .listener = VIP4, .snat = SNAT6,       \
		.endpoint = A6, .client_port = 40000, .listener_port = 80, .endpoint_port = 8080   \
	}
#define TALK_6TO4(protocol_)                                                                       \
	{                                                                                          \
		.protocol = (protocol_), .client = CLIENT6, .listener = VIP6, .snat = SNAT4,       \
		.endpoint = A4, .client_port = 40000, .listener_port = 80, .endpoint_port = 8080   \
	}

static void configure(void)
{
	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- {name: tcp4, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['[" A6 "]:8080']}]}\n"
		      "- {name: udp4, protocol: udp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['[" A6 "]:8080']}]}\n"
		      "- {name: tcp6, protocol: tcp, address: '" VIP6 "', port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['" A4 ":8080']}]}\n"
		      "- {name: udp6, protocol: udp, address: '" VIP6 "', port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['" A4 ":8080']}]}\n");
}

static bool is_ip4(const struct packet *packet)
{
	return packet->bytes[packet->l3] >> 4 == 4;
}

/* What the builder cannot know: a flow label of none, DF by size, the identification as it came. */
static void finish(struct packet *expected, const struct packet *out)
{
	if (!is_ip4(expected)) {
		expected->bytes[expected->l3 + 1] &= 0xf0;
		packet_set16(expected, expected->l3 + 2, 0);
		return;
	}
	if (packet_get16(expected, expected->l3 + 2) > NO_DF_MAX) {
		packet_set16(expected, expected->l3 + 4, 0);
		packet_set16(expected, expected->l3 + 6, 0x4000);
	} else {
		packet_set16(expected, expected->l3 + 4, packet_get16(out, expected->l3 + 4));
	}
	packet_sum(expected);
}

static void expect(const struct packet *in, struct packet expected, int line)
{
	struct rig_result result = rig_send(in);
	long at;

	cr_assert_eq(result.verdict, XDP_TX, "line %d: %s", line, rig_reason(result.reason));
	finish(&expected, &result.out);
	at = packet_difference(&result.out, &expected);
	cr_assert_eq(at, -1, "line %d: byte %ld is %02x, not %02x (%zu bytes, not %zu)", line, at,
		     result.out.bytes[at < 0 ? 0 : at], expected.bytes[at < 0 ? 0 : at],
		     result.out.size, expected.size);
}

/* As talk_open(), where the ports are elsewhere in what comes out. */
static void open_talk(struct talk *talk)
{
	struct packet syn = talk_request(talk, SPEC(.flags = TH_SYN));
	struct rig_result result = rig_send(&syn);

	cr_assert_eq(result.reason, WEIR_R_FORWARDED, "%s", rig_reason(result.reason));
	talk->snat_port = packet_get16(&result.out, is_ip4(&syn) ? 14 + 40 : 14 + 20);
}

static const struct packet_spec variants[] = {
	{ .flags = TH_ACK },
	{ .flags = TH_ACK, .payload = 1, .ttl = 2 },
	{ .flags = TH_ACK, .payload = 1000, .tos = 0xb9, .ttl = 255 },
	{ .flags = TH_PUSH | TH_ACK, .payload = 1400, .vlan = { 5 } },
	{ .flags = TH_ACK, .payload = 1440, .vlan = { 5, 6 } },
	{ .flags = TH_FIN | TH_ACK, .tos = 3 },
};

/* Both directions; the trailer that Ethernet may have is no part of it. */
Test(translate, headers_are_right_in_every_byte)
{
	struct talk talks[] = { TALK_4TO6(IPPROTO_TCP), TALK_6TO4(IPPROTO_TCP),
				TALK_4TO6(IPPROTO_UDP), TALK_6TO4(IPPROTO_UDP) };

	configure();
	for (size_t i = 0; i < COUNT(talks); i++) {
		open_talk(&talks[i]);
		for (size_t k = 0; k < COUNT(variants); k++) {
			struct packet in = talk_request(&talks[i], variants[k]);
			struct packet back = talk_reply(&talks[i], variants[k]);

			expect(&in, talk_request_sent(&talks[i], variants[k]), (int)(1000 * i + k));
			expect(&back, talk_reply_sent(&talks[i], variants[k]),
			       (int)(1000 * i + 100 + k));
		}
	}
	cr_assert_eq(rig_count_nat(), COUNT(talks));
}

/* IPv4 options and IPv6 extension headers are left out. */
Test(translate, options_end_here)
{
	struct talk talk4 = TALK_4TO6(IPPROTO_TCP), talk6 = TALK_6TO4(IPPROTO_UDP);
	struct packet_spec options = SPEC(.flags = TH_ACK, .payload = 31, .ip_options = 40);
	struct packet_spec chain = SPEC(.payload = 31, .extensions = { EXT_HOP, EXT_DEST });
	struct packet_spec none = SPEC(.flags = TH_ACK, .payload = 31);
	struct packet in;

	configure();
	open_talk(&talk4);
	open_talk(&talk6);
	in = talk_request(&talk4, options);
	expect(&in, talk_request_sent(&talk4, none), __LINE__);
	in = talk_request(&talk6, chain);
	expect(&in, talk_request_sent(&talk6, none), __LINE__);
}

/* Every value of a checksum, so that a carry that gets lost cannot hide. */
Test(translate, checksums_are_right_for_every_value)
{
	struct talk talks[] = { TALK_4TO6(IPPROTO_TCP), TALK_6TO4(IPPROTO_UDP) };
	struct packet_spec more = SPEC(.flags = TH_ACK, .payload = 2);

	configure();
	for (size_t i = 0; i < COUNT(talks); i++) {
		struct packet in, expected, out;

		open_talk(&talks[i]);
		rig_recount();
		in = talk_request(&talks[i], more);
		expected = talk_request_sent(&talks[i], more);
		for (uint32_t value = 0; value < 0x10000; value += 7) {
			packet_set16(&in, in.data, (uint16_t)value);
			packet_sum(&in);
			packet_set16(&expected, expected.data, (uint16_t)value);
			packet_sum(&expected);
			cr_assert_eq(rig_run(&in, &out), XDP_TX);
			finish(&expected, &out);
			cr_assert_eq(packet_difference(&out, &expected), -1, "value %x", value);
		}
		rig_recount();
	}
}

Test(translate, udp_without_a_checksum_is_refused)
{
	struct packet query = UDP(.src = CLIENT4, .dst = VIP4, .sport = 7, .dport = 80,
				  .payload = 20, .without_checksum = true);

	configure();
	EXPECT_DROP(query, NO_CHECKSUM);
	cr_assert_eq(rig_count_nat(), 0);
}

/* 20 bytes more than before; `arm0` has an MTU of 1500, as far as anybody has said. */
Test(translate, what_grows_beyond_the_way_out_is_refused)
{
	struct talk talk = TALK_4TO6(IPPROTO_UDP), back = TALK_6TO4(IPPROTO_UDP);
	struct packet fits, df, no_df, reply, told;

	configure();
	open_talk(&talk);
	open_talk(&back);
	fits = talk_request(&talk, SPEC(.payload = 1452, .fragment = 0x4000));
	df = talk_request(&talk, SPEC(.payload = 1453, .fragment = 0x4000));
	no_df = talk_request(&talk, SPEC(.payload = 1453));
	expect(&fits, talk_request_sent(&talk, SPEC(.payload = 1452)), __LINE__);
	told = packet_icmp_error(&df, 3, 4, 1480);
	EXPECT_ANSWER(df, TOO_BIG, told);
	EXPECT_DROP(no_df, TOO_BIG_NO_DF);
	reply = talk_reply(&back, SPEC(.payload = 1453, .fragment = 0x4000));
	told = packet_icmp_error(&reply, 3, 4, 1480);
	EXPECT_ANSWER(reply, TOO_BIG, told);
}

/* IPv6 needs 20 bytes more: where they are missing nothing is sent, and the flow goes on after. */
Test(translate, what_has_no_room_to_grow_is_dropped)
{
	struct talk there = TALK_4TO6(IPPROTO_TCP), back = TALK_6TO4(IPPROTO_UDP);
	struct packet_spec more = SPEC(.flags = TH_ACK, .payload = 9);
	struct packet request4, reply4, request6, reply6;

	configure();
	open_talk(&there);
	open_talk(&back);
	request4 = talk_request(&there, more);
	reply6 = talk_reply(&there, more);
	request6 = talk_request(&back, more);
	reply4 = talk_reply(&back, more);
	rig.no_headroom = true;
	EXPECT_DROP(request4, NO_HEADROOM);
	EXPECT_DROP(reply4, NO_HEADROOM);
	expect(&request6, talk_request_sent(&back, more), __LINE__); /* these shrink */
	expect(&reply6, talk_reply_sent(&there, more), __LINE__);
	rig.no_headroom = false;
	expect(&request4, talk_request_sent(&there, more), __LINE__);
	expect(&reply4, talk_reply_sent(&back, more), __LINE__);
	cr_assert_eq(rig_count_nat(), 2);
}

/* Of a fragment its sender hears that it is prohibited, and of the later ones nothing. */
Test(translate, fragments_are_not_translated)
{
	struct talk there = TALK_4TO6(IPPROTO_UDP), back = TALK_6TO4(IPPROTO_UDP);
	struct packet first4, first6, reply, told;

	configure();
	first4 = talk_request(&there, SPEC(.payload = 64, .fragment = 0x2000));
	told = packet_icmp_error(&first4, 3, 13, 0);
	EXPECT_ANSWER(first4, FRAGMENT_FAMILY, told);
	first6 = talk_request(&back, SPEC(.payload = 64, .extensions = { EXT_FIRST }));
	told = packet_icmp_error(&first6, 1, 1, 0);
	EXPECT_ANSWER(first6, FRAGMENT_FAMILY, told);
	cr_assert_eq(rig_count_nat(), 0);
	open_talk(&back);
	reply = talk_reply(&back, SPEC(.payload = 64, .fragment = 0x2000));
	told = packet_icmp_error(&reply, 3, 13, 0);
	EXPECT_ANSWER(reply, FRAGMENT_FAMILY, told);
	cr_assert_eq(rig_count_records(rig.object->fragments), 0);
}

Test(translate, the_last_hop_is_not_made)
{
	struct talk talk = TALK_6TO4(IPPROTO_TCP);
	struct packet in = talk_request(&talk, SPEC(.flags = TH_SYN, .ttl = 1));

	configure();
	cr_assert_eq(rig_send(&in).reason, WEIR_R_TTL_EXPIRED);
	cr_assert_eq(rig_count_nat(), 0);
}

/* An endpoint of the client's own family is all it needs. */
Test(translate, own_family_first)
{
	struct packet syn4 =
		TCP(.src = CLIENT4, .dst = VIP4, .sport = 1, .dport = 80, .flags = TH_SYN);
	struct packet syn6 =
		TCP(.src = CLIENT6, .dst = VIP6, .sport = 1, .dport = 80, .flags = TH_SYN);

	talk_configure(0);
	for (uint16_t port = 1024; port < 1064; port++) {
		packet_set16(&syn4, syn4.l4, port);
		packet_set16(&syn6, syn6.l4, port);
		packet_sum(&syn4);
		packet_sum(&syn6);
		EXPECT_TO(syn4, A4);
		EXPECT_TO(syn6, A6);
	}
}
