// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a client whose packet ends at weir is told so, byte for byte as the RFCs say, by the way
 * the packet came: a reset for TCP, an ICMP error that quotes the packet for what else there is,
 * and an echo for a ping. Nothing is answered that must not be, and never more than the limit.
 * Needs root.
 */
#include <string.h>

#include "rig_suite.h"
#include "talk.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FROM_4	 .src = CLIENT4, .dst = VIP4, .sport = 40000, .dport = 80
#define FROM_6	 .src = CLIENT6, .dst = VIP6, .sport = 40000, .dport = 80
#define IP4_MF	 0x2000
#define PLENTY	 "answers_per_second: 1000000"

RIG_SUITE(answer);

/* Listeners tcp and udp on port 80, whose only endpoints take nothing. */
static void configure(const char *more)
{
	rig_configure("version: 1\n"
		      "%s\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: [" VIP4 ", '" VIP6 "'], port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['" A4 " weight 0', '[" A6
		      "]:80 weight 0']}]}\n"
		      "- {name: udp, protocol: udp, address: [" VIP4 ", '" VIP6 "'], port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['" A4 " weight 0', '[" A6
		      "]:80 weight 0']}]}\n",
		      more);
}

/* All headers that may stand before, in front of which the answer has none of its own. */
static const struct packet_spec shapes[] = {
	{ FROM_4 },
	{ FROM_4, .payload = 1 },
	{ FROM_4, .payload = 1400 },
	{ FROM_4, .payload = 3000 },
	{ FROM_4, .payload = 8000 },
	{ FROM_4, .trailer = 6 },
	{ FROM_4, .vlan = { 100 }, .payload = 7 },
	{ FROM_4, .vlan = { 100, 200 }, .payload = 7 },
	{ FROM_4, .ip_options = 40, .tcp_options = 40, .payload = 9 },
	{ FROM_4, .vlan = { 1, 2 }, .ip_options = 24, .payload = 600 },
	{ FROM_6 },
	{ FROM_6, .payload = 1 },
	{ FROM_6, .payload = 1400 },
	{ FROM_6, .payload = 8000 },
	{ FROM_6, .trailer = 6 },
	{ FROM_6, .vlan = { 4094 }, .payload = 7 },
	{ FROM_6, .vlan = { 100, 200 }, .payload = 7 },
	{ FROM_6, .extensions = { EXT_HOP, EXT_DEST, EXT_ATOMIC }, .payload = 9 },
	{ FROM_6, .vlan = { 1, 2 }, .extensions = { EXT_ROUTING }, .payload = 1300 },
};

static struct packet shaped(size_t i, uint8_t protocol, uint8_t flags)
{
	struct packet_spec spec = shapes[i];

	spec.protocol = protocol;
	spec.flags = flags;
	return packet_build(&spec);
}

/* RFC 9293, 3.10.7.1: the answer depends on ACK; SYN, FIN and data count into what is acknowledged.
 */
Test(answer, tcp_is_reset)
{
	static const uint8_t flags[] = {
		TH_SYN, 0, TH_FIN, TH_ACK, TH_FIN | TH_ACK, TH_SYN | TH_ACK, TH_ACK | TH_PUSH
	};

	configure(PLENTY);
	for (size_t i = 0; i < COUNT(shapes); i++)
		for (size_t j = 0; j < COUNT(flags); j++) {
			struct packet in = shaped(i, IPPROTO_TCP, flags[j]);

			EXPECT_RESET(in, NO_ENDPOINT);
		}
	cr_assert_eq(rig_counted("tcp", WEIR_R_ANSWERED), COUNT(shapes) * COUNT(flags));
}

Test(answer, udp_is_told_that_the_port_is_closed)
{
	configure(PLENTY);
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct packet in = shaped(i, IPPROTO_UDP, 0);
		bool ip4 = strchr(shapes[i].src, '.');

		EXPECT_ICMP(in, NO_ENDPOINT, ip4 ? 3 : 1, ip4 ? 3 : 4);
	}
	cr_assert_eq(rig_counted("udp", WEIR_R_ANSWERED), COUNT(shapes));
}

/* Every length up to beyond where the quote is cut off: odd ones, and the limits themselves. */
Test(answer, quotes_of_every_length_have_the_right_checksum)
{
	configure(PLENTY);
	for (uint16_t payload = 0; payload < 1300; payload++) {
		struct packet ip4 = UDP(FROM_4, .payload = payload);
		struct packet ip6 = UDP(FROM_6, .payload = payload);

		EXPECT_ICMP(ip4, NO_ENDPOINT, 3, 3);
		EXPECT_ICMP(ip6, NO_ENDPOINT, 1, 4);
	}
}

/* Sequence numbers wrap. */
Test(answer, acknowledges_beyond_the_end_of_the_numbers)
{
	struct packet in = TCP(FROM_4, .flags = TH_SYN, .payload = 10);

	configure(PLENTY);
	memset(in.bytes + in.l4 + 4, 0xff, 4);
	packet_sum(&in);
	EXPECT_RESET(in, NO_ENDPOINT);
}

Test(answer, nobody_is_told_who_must_not_be)
{
	struct packet reset = TCP(FROM_4, .flags = TH_RST);
	struct packet reset_ack = TCP(FROM_6, .flags = TH_RST | TH_ACK);
	struct packet group = TCP(FROM_4, .flags = TH_SYN, .to_mac = "01:00:5e:00:00:01");
	struct packet all = UDP(FROM_6, .to_mac = "ff:ff:ff:ff:ff:ff");
	/* How much it would have to acknowledge, only the last fragment tells. */
	struct packet first = TCP(FROM_4, .flags = TH_PUSH, .payload = 64, .fragment = IP4_MF);
	struct packet first6 = TCP(FROM_6, .payload = 64, .extensions = { EXT_FIRST });

	configure(PLENTY);
	EXPECT_DROP(reset, NO_ENDPOINT);
	EXPECT_DROP(reset_ack, NO_ENDPOINT);
	EXPECT_DROP(group, NO_ENDPOINT);
	EXPECT_DROP(all, NO_ENDPOINT);
	EXPECT_DROP(first, NO_ENDPOINT);
	EXPECT_DROP(first6, NO_ENDPOINT);
	cr_assert_eq(rig_counted("tcp", WEIR_R_ANSWERED), 0);
	cr_assert_eq(rig_counted("tcp", WEIR_R_ANSWERS_LIMITED), 0);
}

/* Sends until `burst` have been answered or refused in a row; returns how many were answered. */
static unsigned answered_of(const struct packet *packet, unsigned count)
{
	unsigned answered = 0;

	for (unsigned i = 0; i < count; i++)
		answered += rig_run(packet, NULL) == XDP_TX;
	return answered;
}

/* 10 a second: one at once, since a tenth of a second is the burst, and the next a tenth later. */
Test(answer, no_more_than_the_limit)
{
	struct packet syn = TCP(FROM_4, .flags = TH_SYN), datagram = UDP(FROM_4);
	unsigned answered;

	configure("answers_per_second: 10");
	answered = answered_of(&syn, 1000);
	cr_assert(answered >= 1 && answered <= 5, "%u", answered);
	cr_assert_eq(rig_counted("tcp", WEIR_R_ANSWERED), answered);
	cr_assert_eq(rig_counted("tcp", WEIR_R_ANSWERS_LIMITED), 1000 - answered);
	cr_assert_eq(rig_counted("tcp", WEIR_R_NO_ENDPOINT), 1000);
	cr_assert_geq(answered_of(&datagram, 1), 1, "each kind has a limit of its own");
	rig_advance(1);
	cr_assert_geq(answered_of(&syn, 1), 1);

	configure("answers_per_second: 0");
	rig_advance(10);
	cr_assert_eq(answered_of(&syn, 10), 0);
	cr_assert_eq(answered_of(&datagram, 10), 0);

	configure("answers_per_second: 1");
	rig_advance(10);
	cr_assert_eq(answered_of(&syn, 10), 1);
	rig_advance(1);
	cr_assert_eq(answered_of(&syn, 10), 1);
}

/* A pause earns no more than the burst: a tenth of a second's. */
Test(answer, silence_is_not_saved_up)
{
	struct packet syn = TCP(FROM_4, .flags = TH_SYN);
	unsigned answered;

	configure("answers_per_second: 1000");
	rig_advance(1000);
	answered = answered_of(&syn, 400);
	cr_assert(answered >= 100 && answered < 300, "%u", answered);
}

static void expect_echo(const struct packet *ping, int line)
{
	struct packet reply = packet_echo_reply(ping);

	rig_expect_answer(ping, WEIR_R_ECHO, &reply, line);
}

#define PING4(...) ICMP(.src = CLIENT4, .dst = VIP4, .icmp_type = 8, __VA_ARGS__)
#define PING6(...) ICMP(.src = CLIENT6, .dst = VIP6, .icmp_type = 128, __VA_ARGS__)

Test(answer, pings)
{
	struct packet pings[] = {
		PING4(.icmp_rest = 0x12340001),
		PING4(.icmp_rest = 1, .payload = 56),
		PING4(.payload = 57, .vlan = { 7 }, .ttl = 1),
		PING4(.payload = 3, .vlan = { 7, 8 }, .ttl = 255),
		PING4(.payload = 8, .ip_options = 4),
		PING4(.payload = 8, .ip_options = 40, .trailer = 9),
		PING4(.payload = 8000),
		PING6(.icmp_rest = 0x12340001),
		PING6(.icmp_rest = 1, .payload = 56),
		PING6(.payload = 57, .vlan = { 7 }, .ttl = 1),
		PING6(.payload = 3, .vlan = { 7, 8 }, .ttl = 255),
		PING6(.payload = 8, .extensions = { EXT_HOP }),
		PING6(.payload = 8, .extensions = { EXT_HOP, EXT_DEST, EXT_ATOMIC }, .trailer = 9),
		PING6(.payload = 8000),
	};

	configure("answers_per_second: 0"); /* a ping is answered by what it brought */
	for (size_t i = 0; i < COUNT(pings); i++)
		expect_echo(&pings[i], (int)i);
	cr_assert_eq(rig_counted(NULL, WEIR_R_ECHO), COUNT(pings));
}

/* The sum of a payload of two bytes takes all values; all of it is zero once, too. */
Test(answer, pings_of_every_checksum, .timeout = 60)
{
	struct packet ping4 = PING4(.payload = 2), ping6 = PING6(.payload = 2), out;

	configure(PLENTY);
	for (uint32_t sum = 0; sum <= UINT16_MAX; sum++) {
		packet_set16(&ping4, ping4.data, (uint16_t)sum);
		packet_set16(&ping6, ping6.data, (uint16_t)sum);
		packet_sum(&ping4);
		packet_sum(&ping6);
		cr_assert_eq(rig_run(&ping4, &out), XDP_TX);
		cr_assert_eq(packet_sums(out.bytes, out.size).l4, SUM_GOOD, "IPv4, %04x", sum);
		cr_assert_eq(out.bytes[ping4.l4], 0);
		cr_assert_eq(rig_run(&ping6, &out), XDP_TX);
		cr_assert_eq(packet_sums(out.bytes, out.size).l4, SUM_GOOD, "IPv6, %04x", sum);
		cr_assert_eq(out.bytes[ping6.l4], 129);
	}
}

/* A packet that came damaged goes back damaged. */
Test(answer, a_wrong_checksum_stays_wrong)
{
	struct packet ping = PING4(.payload = 20), out;

	configure(PLENTY);
	for (unsigned i = 0; i < 4; i++) {
		ping.bytes[ping.data + i] ^= 0x55;
		cr_assert_eq(rig_run(&ping, &out), XDP_TX);
		cr_assert_eq(packet_sums(out.bytes, out.size).l4, SUM_BAD);
		ping.bytes[ping.data + i] ^= 0x55;
	}
}

Test(answer, what_is_no_ping_of_a_listener_passes)
{
	struct packet others4 = ICMP(.src = CLIENT4, .dst = "192.0.2.9", .icmp_type = 8);
	struct packet others6 = ICMP(.src = CLIENT6, .dst = "2001:db8::9", .icmp_type = 128);
	struct packet snat = ICMP(.src = A4, .dst = SNAT4, .icmp_type = 8);
	struct packet reply4 = ICMP(.src = CLIENT4, .dst = VIP4, .icmp_type = 0);
	struct packet reply6 = ICMP(.src = CLIENT6, .dst = VIP6, .icmp_type = 129);
	struct packet solicitation =
		ICMP(.src = CLIENT6, .dst = VIP6, .icmp_type = 135, .ttl = 255, .payload = 24);
	struct packet code = PING4(.icmp_code = 1);
	struct packet wrong_family = packet_build(&(struct packet_spec){
		.src = CLIENT4, .dst = VIP4, .protocol = IPPROTO_ICMPV6, .icmp_type = 128 });
	struct packet first = PING4(.fragment = IP4_MF, .payload = 64);
	struct packet first6 = PING6(.extensions = { EXT_FIRST }, .payload = 64);

	configure(PLENTY);
	EXPECT_PASS(others4, NOT_OURS);
	EXPECT_PASS(others6, NOT_OURS);
	EXPECT_PASS(snat, NOT_OURS);
	EXPECT_PASS(reply4, NOT_TCP_UDP);
	EXPECT_PASS(reply6, NOT_TCP_UDP);
	EXPECT_PASS(solicitation, NOT_TCP_UDP);
	EXPECT_PASS(code, NOT_TCP_UDP);
	EXPECT_PASS(wrong_family, NOT_TCP_UDP);
	EXPECT_PASS(first, NOT_TCP_UDP);
	EXPECT_PASS(first6, NOT_TCP_UDP);
}

Test(answer, pings_from_sources_that_cannot_be)
{
	static const char *const bad[] = { VIP4, "127.0.0.1", "255.255.255.255", "224.0.0.1",
					   "0.0.0.0" };
	struct packet to_all = PING4(.to_mac = "ff:ff:ff:ff:ff:ff");

	configure(PLENTY);
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct packet ping = ICMP(.src = bad[i], .dst = VIP4, .icmp_type = 8);

		EXPECT_DROP(ping, BAD_SOURCE);
	}
	EXPECT_DROP(to_all, ECHO);
}

/* Hops that weir does not make, in both directions of mode nat. */
Test(answer, traceroute_sees_the_listener)
{
	struct talk talks[] = { TALK4(IPPROTO_TCP), TALK6(IPPROTO_TCP), TALK4(IPPROTO_UDP),
				TALK6(IPPROTO_UDP) };

	talk_configure(0);
	for (size_t i = 0; i < COUNT(talks); i++) {
		uint8_t type = i % 2 ? 3 : 11;
		struct packet probe = talk_request(&talks[i], SPEC(.flags = TH_SYN, .ttl = 1));
		struct packet tagged =
			talk_request(&talks[i], SPEC(.ttl = 1, .flags = TH_SYN, .vlan = { 3, 4 },
						     .payload = 31));
		struct packet back;

		EXPECT_ICMP(probe, TTL_EXPIRED, type, 0);
		EXPECT_ICMP(tagged, TTL_EXPIRED, type, 0);
		cr_assert_eq(rig_count_nat(), i);
		talk_open(&talks[i]);
		back = talk_reply(&talks[i], SPEC(.flags = TH_ACK, .ttl = 1, .payload = 1300));
		EXPECT_ICMP(back, TTL_EXPIRED, type, 0);
	}
}
