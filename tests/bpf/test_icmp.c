// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: an ICMP error reaches the end whose packet it quotes, in every mode and family, however
 * little is quoted, and is then about a packet that this end has sent, with every checksum right:
 * so that path MTU discovery works through weir, both ways. What quotes nothing that weir knows is
 * left alone. Needs root.
 */
#include <string.h>

#include "rig_suite.h"
#include "talk.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define IP4_MF	 0x2000
#define ROUTER4	 "203.0.113.9"
#define ROUTER6	 "2001:db8:f::9"

RIG_SUITE(icmp);

/* Listeners tcp and udp; two endpoints of each family, so that a wrong one shows. */
static void configure(const char *mode)
{
	static const char *const protocols[] = { "tcp", "udp" };
	char text[2048] = "version: 1\nlisteners:\n";

	for (int i = 0; i < 2; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used,
			 "- {name: %s, protocol: %s, address: [" VIP4 ", '" VIP6
			 "'], port: 80, mode: %s, endpoint_groups: [{name: all, endpoints: "
			 "['" A4 "', '" B4 "', '" A6 "', 'fd00::12']}]}\n",
			 protocols[i], protocols[i], mode);
	}
	rig_configure("%s", text);
}

/* The errors that are passed on, IPv4's and IPv6's. */
static const struct kind {
	uint8_t type4, code4, type6, code6;
	uint32_t rest;
} kinds[] = {
	{ 3, 4, 2, 0, 1400 }, /* too big */
	{ 3, 3, 1, 4, 0 },    /* port unreachable */
	{ 3, 1, 1, 3, 0 },    /* address unreachable */
	{ 11, 0, 3, 0, 0 },   /* hop limit */
	{ 11, 1, 3, 1, 0 },   /* reassembly */
	{ 12, 0, 4, 0, 20 },  /* parameter problem */
};

static struct packet error_about(const struct packet *quote, const char *to,
				 const struct kind *kind, uint16_t quoted, struct packet_spec more)
{
	bool ip4 = strchr(to, '.');

	more.src = more.src ?: ip4 ? ROUTER4 : ROUTER6;
	more.dst = to;
	more.protocol = IPPROTO_ICMP;
	more.icmp_type = ip4 ? kind->type4 : kind->type6;
	more.icmp_code = ip4 ? kind->code4 : kind->code6;
	more.icmp_rest = kind->rest;
	more.quote = quote;
	more.quoted = quoted;
	return packet_build(&more);
}

/* What the endpoint in mode dsr has sent to the client itself. */
static struct packet answer_of(size_t i, struct packet_spec spec)
{
	bool ip6 = i & 1;

	spec.protocol = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
	spec.src = ip6 ? VIP6 : VIP4;
	spec.dst = ip6 ? CLIENT6 : CLIENT4;
	spec.sport = 80;
	spec.dport = (uint16_t)(2000 + i);
	spec.flags = TH_ACK;
	return packet_build(&spec);
}

static struct packet request_of(size_t i)
{
	return packet_build(&(struct packet_spec){
		.protocol = i & 2 ? IPPROTO_UDP : IPPROTO_TCP,
		.src = i & 1 ? CLIENT6 : CLIENT4,
		.dst = i & 1 ? VIP6 : VIP4,
		.sport = (uint16_t)(2000 + i),
		.dport = 80,
		.flags = TH_ACK,
	});
}

Test(icmp, errors_follow_the_flow_in_mode_dsr)
{
	struct packet others = TCP(.src = "192.0.2.9", .dst = CLIENT4, .sport = 80), lie;

	configure("dsr");
	lie = error_about(&others, VIP4, &kinds[0], 28, SPEC(0));
	EXPECT_PASS(lie, ICMP_UNKNOWN); /* that address has not sent it */
	for (size_t i = 0; i < 64; i++) {
		struct packet request = request_of(i), error, quote = answer_of(i, SPEC(0));
		struct packet_spec more = { .vlan = { i & 4 ? 5 : 0, i & 8 ? 6 : 0 },
					    .ip_options = i & 1 || !(i & 16) ? 0 : 12 };
		uint16_t little = (uint16_t)(quote.l4 - quote.l3 + 8);
		struct rig_result straight = rig_send(&request), result;

		error = error_about(&quote, i & 1 ? VIP6 : VIP4, &kinds[i % COUNT(kinds)],
				    i & 32 ? little : 0, more);
		result = rig_send(&error);
		cr_assert_eq(result.reason, WEIR_R_ICMP_ERROR, "%zu: %s", i,
			     rig_reason(result.reason));
		cr_assert_eq(result.verdict, XDP_TX);
		cr_assert_eq(memcmp(result.out.bytes, straight.out.bytes, 12), 0, "%zu", i);
		memcpy(error.bytes, result.out.bytes, 12);
		error = packet_tagged(&error, NULL); /* the next hop is in no VLAN */
		cr_assert_eq(packet_difference(&result.out, &error), -1);
	}
	cr_assert_eq(rig_traffic("tcp").packets, 32); /* errors are not a flow's traffic */
}

/*
 * An endpoint's datagram may look like a tunnel's inside: it begins as GUE does, and goes to GUE's
 * port, and carries a packet to the listener. The error about it is still the endpoint's.
 */
Test(icmp, errors_about_what_looks_like_a_tunnel)
{
	static const uint8_t protocols[] = { IPPROTO_IPIP, IPPROTO_IPV6 };

	configure("dsr");
	for (size_t i = 0; i < 16; i++) {
		bool ip6 = i & 1, inner6 = i & 2;
		struct packet inner = TCP(.src = inner6 ? CLIENT6 : CLIENT4,
					  .dst = inner6 ? VIP6 : VIP4, .sport = 40000, .dport = 80);
		struct packet_spec spec = { .protocol = IPPROTO_UDP,
					    .src = ip6 ? VIP6 : VIP4,
					    .dst = ip6 ? CLIENT6 : CLIENT4,
					    .sport = 80,
					    .dport = i & 4 ? 6080 : 2000,
					    .payload = 1200 };
		struct packet quote = packet_build(&spec), error, request;
		struct rig_result straight, result;

		memset(quote.bytes + quote.data, 0, 4);
		quote.bytes[quote.data + 1] = protocols[inner6];
		if (i & 8)
			memcpy(quote.bytes + quote.data + 4, inner.bytes + inner.l3,
			       inner.size - inner.l3);
		packet_sum(&quote);
		error = error_about(&quote, ip6 ? VIP6 : VIP4, &kinds[0], 0, SPEC(0));
		request = UDP(.src = spec.dst, .dst = spec.src, .sport = spec.dport, .dport = 80);
		straight = rig_send(&request);
		result = rig_send(&error);
		cr_assert_eq(result.reason, WEIR_R_ICMP_ERROR, "%zu: %s", i,
			     rig_reason(result.reason));
		cr_assert_eq(memcmp(result.out.bytes, straight.out.bytes, 12), 0, "%zu", i);
		memcpy(error.bytes, result.out.bytes, 12);
		cr_assert_eq(packet_difference(&result.out, &error), -1);
	}
}

/* Ports of a range, and one that the address's own cell does not speak for. */
Test(icmp, errors_about_any_port_of_a_listener)
{
	static const uint16_t ports[] = { 80, 443, 7000, 7050, 7099 };

	rig_configure("version: 1\nlisteners:\n- {name: tcp, protocol: tcp, address: " VIP4
		      ", port: '80,443,7000-7099', mode: dsr, endpoint_groups: [{name: all, "
		      "endpoints: [" A4 "]}]}\n");
	for (size_t i = 0; i < COUNT(ports); i++) {
		struct packet quote = TCP(.src = VIP4, .dst = CLIENT4, .sport = ports[i],
					  .dport = 40000, .flags = TH_ACK);
		struct packet error = error_about(&quote, VIP4, &kinds[0], 28, SPEC(0));

		EXPECT_TO(error, A4);
	}
}

/* Who is denied a listener has no connections to it that anybody could speak about. */
Test(icmp, errors_about_clients_that_are_denied)
{
	static const char *const modes[] = { "dsr", "nat" };

	for (size_t i = 0; i < COUNT(modes) * 2; i++) {
		struct packet quote = answer_of(i & 1, SPEC(0));
		struct packet error =
			error_about(&quote, i & 1 ? VIP6 : VIP4, &kinds[0], 0, SPEC(0));

		rig_configure(
			"version: 1\n"
			"acls: [{name: a4, prefixes: [198.51.100.0/24]}, {name: a6, prefixes: "
			"['2001:db8:c::/64']}]\n"
			"listeners:\n- {name: tcp, protocol: tcp, address: [" VIP4 ", '" VIP6
			"'], port: 80, mode: %s, deny: [a4, a6], endpoint_groups: [{name: all, "
			"endpoints: [" A4 ", '" A6 "']}]}\n",
			modes[i / 2]);
		EXPECT_DROP(error, ACL_DENIED);
	}
}

/* In a slot that has just changed, the error goes where the flow still is; it records nothing. */
Test(icmp, errors_follow_a_flow_whose_slot_moves)
{
	struct packet request = request_of(0), quote = answer_of(0, SPEC(0)), error;
	struct packet syn =
		TCP(.src = CLIENT4, .dst = VIP4, .sport = 9, .dport = 80, .flags = TH_SYN);
	struct packet of_new = TCP(.src = VIP4, .dst = CLIENT4, .sport = 80, .dport = 9);
	char mac[RIG_MAC_TEXT];
	struct rig_result before, after;
	struct weir_endpoint *row;

	rig_target(A4, rig_mac(A4, mac), 0);
	rig_configure("version: 1\nlisteners:\n- {name: tcp, protocol: tcp, address: " VIP4
		      ", port: 80, mode: dsr, endpoint_groups: [{name: all, endpoints: [" A4
		      "]}]}\n");
	error = error_about(&quote, VIP4, &kinds[0], 28, SPEC(0));
	before = rig_send(&error);
	cr_assert_eq(before.reason, WEIR_R_ICMP_ERROR);
	rig_configure("version: 1\nlisteners:\n- {name: tcp, protocol: tcp, address: " VIP4
		      ", port: 80, mode: dsr, endpoint_groups: [{name: all, endpoints: [" A4
		      " weight 0, " B4 "]}]}\n");
	after = rig_send(&error); /* not recorded: it belongs to the one before */
	cr_assert(rig_went_to(&after.out, A4));
	cr_assert_eq(rig_count_records(rig.object->exceptions), 0);
	EXPECT_TO(request, A4); /* recorded now */
	cr_assert_eq(rig_count_records(rig.object->exceptions), 1);
	after = rig_send(&error);
	cr_assert(rig_went_to(&after.out, A4));
	EXPECT_TO(syn, B4); /* a new flow, recorded */
	of_new = error_about(&of_new, VIP4, &kinds[0], 28, SPEC(0));
	after = rig_send(&of_new);
	cr_assert(rig_went_to(&after.out, B4));
	row = &rig.object->endpoints[rig_endpoint("tcp", B4)->row];
	row->generation++; /* somebody else's by now */
	after = rig_send(&of_new);
	cr_assert(rig_went_to(&after.out, A4));
	row->generation--;
	rig_advance(1000);
	rig_upkeep();
	rig_upkeep();
	after = rig_send(&error); /* the record is over, the slot settled */
	cr_assert(rig_went_to(&after.out, B4));
}

/* How much of the quoted packet a router gives: 8 bytes of layer 4, to its checksum, all of it. */
static uint16_t quoted_bytes(const struct packet *quote, unsigned how)
{
	static const uint16_t beyond[] = { 8, 16, 18, 20, 0 };
	size_t size = quote->l4 - quote->l3 + beyond[how % COUNT(beyond)];

	if (!beyond[how % COUNT(beyond)] || size > quote->size - quote->l3)
		return 0;
	return (uint16_t)size;
}

/*
 * `sent` is what went out; `as_sent` what the other end had sent. The error about the one must come
 * out as the error about the other, to that end.
 */
static void expect_turned(const struct packet *sent, const struct packet *as_sent, const char *at,
			  const char *to, const char *from, const char *mac, unsigned round)
{
	const struct kind *kind = &kinds[round % COUNT(kinds)];
	uint16_t quoted = quoted_bytes(sent, round);
	struct packet_spec in = { .ip_options = strchr(at, '.') && round & 1 ? 8 : 0,
				  .vlan = { round & 2 ? 7 : 0 },
				  .ttl = 60 },
			   out = in;
	struct packet error = error_about(sent, at, kind, quoted, in), expected;
	struct rig_result result;

	out.src = from;
	out.vlan[0] = 0; /* the next hop is in none */
	out.ttl = 59;
	out.from_mac = ARM0_MAC;
	out.to_mac = mac;
	expected = error_about(as_sent, to, kind, quoted, out);
	result = rig_send(&error);
	cr_assert(result.verdict == XDP_TX && result.reason == WEIR_R_ICMP_ERROR, "round %u: %s",
		  round, rig_reason(result.reason));
	cr_assert_eq(packet_sums(result.out.bytes, result.out.size).l4, SUM_GOOD, "round %u",
		     round);
	cr_assert_eq(packet_difference(&result.out, &expected), -1, "round %u: byte %ld", round,
		     packet_difference(&result.out, &expected));
}

Test(icmp, errors_are_turned_in_mode_nat)
{
	struct talk talks[] = { TALK4(IPPROTO_TCP), TALK6(IPPROTO_TCP), TALK4(IPPROTO_UDP),
				TALK6(IPPROTO_UDP) };
	char mac[RIG_MAC_TEXT];

	talk_configure(0);
	for (unsigned round = 0; round < COUNT(talks) * 60; round++) {
		struct talk *talk = &talks[round % COUNT(talks)];
		struct packet_spec spec = {
			.flags = TH_ACK,
			.payload = (uint16_t)(round % 7 * 11),
			.without_checksum = talk->protocol == IPPROTO_UDP && round % 5 == 0 &&
					    strchr(talk->client, '.'),
			.ip_options = round % 3 || !strchr(talk->client, '.') ? 0 : 12,
		};
		struct packet sent, as_sent;

		if (round < COUNT(talks))
			talk_open(talk);
		/* The quote is of the packet as it travelled on: one hop after weir. */
		spec.ttl = 64;
		sent = talk_request_sent(talk, spec);
		spec.ttl = 63;
		as_sent = talk_request(talk, spec);
		expect_turned(&sent, &as_sent, talk->snat, talk->client, talk->listener,
			      PACKET_FROM, round);
		spec.ttl = 64;
		sent = talk_reply_sent(talk, spec);
		spec.ttl = 63;
		as_sent = talk_reply(talk, spec);
		expect_turned(&sent, &as_sent, talk->listener, talk->endpoint, talk->snat,
			      rig_mac(talk->endpoint, mac), round);
	}
	cr_assert_eq(rig_counted("tcp", WEIR_R_ICMP_ERROR), 240);
}

/* Changes the payload so that the packet sums up to nothing, but for its checksum: all ones. */
static uint16_t without_a_sum(struct packet *packet)
{
	uint32_t word = packet_get16(packet, packet->data) + packet_get16(packet, packet->l4 + 6);

	word = (word & 0xffff) + (word >> 16);
	packet_set16(packet, packet->data, (uint16_t)word);
	packet_sum(packet);
	cr_assert_eq(packet_get16(packet, packet->l4 + 6), 0xffff);
	return (uint16_t)word;
}

/* Zero would say that the quoted packet had none. */
Test(icmp, a_quoted_udp_checksum_is_never_zero)
{
	struct talk talks[] = { TALK4(IPPROTO_UDP), TALK6(IPPROTO_UDP) };

	talk_configure(0);
	for (unsigned round = 0; round < COUNT(talks) * COUNT(kinds); round++) {
		struct talk *talk = &talks[round % COUNT(talks)];
		struct packet sent, as_sent;

		if (round < COUNT(talks))
			talk_open(talk);
		sent = talk_request_sent(talk, SPEC(.payload = 64));
		as_sent = talk_request(talk, SPEC(.payload = 64, .ttl = 63));
		packet_set16(&sent, sent.data, without_a_sum(&as_sent));
		packet_sum(&sent);
		expect_turned(&sent, &as_sent, talk->snat, talk->client, talk->listener,
			      PACKET_FROM, round);
	}
}

/* Nobody is there to hear of it. */
Test(icmp, errors_about_flows_that_are_over)
{
	struct talk talks[] = { TALK4(IPPROTO_TCP), TALK6(IPPROTO_UDP) };

	talk_configure(0);
	for (size_t i = 0; i < COUNT(talks); i++) {
		struct talk *talk = &talks[i];
		struct packet request, reply;
		struct weir_endpoint *row;

		talk_open(talk);
		row = &rig.object->endpoints[rig_endpoint(i ? "udp" : "tcp", talk->endpoint)->row];
		request = talk_request_sent(talk, SPEC(.flags = TH_ACK));
		request = error_about(&request, talk->snat, &kinds[0], 0, SPEC(0));
		reply = talk_reply_sent(talk, SPEC(.flags = TH_ACK));
		reply = error_about(&reply, talk->listener, &kinds[0], 0, SPEC(0));
		cr_assert_eq(rig_send(&request).reason, WEIR_R_ICMP_ERROR);
		cr_assert_eq(rig_send(&reply).reason, WEIR_R_ICMP_ERROR);
		row->state = WEIR_ENDPOINT_DEAD; /* its client is not */
		cr_assert_eq(rig_send(&request).reason, WEIR_R_ICMP_ERROR);
		EXPECT_PASS(reply, ICMP_UNKNOWN);
		row->state = WEIR_ENDPOINT_ACTIVE;
		rig_advance(10000);
		EXPECT_PASS(request, NAT_UNKNOWN);
		EXPECT_PASS(reply, ICMP_UNKNOWN);
		cr_assert_eq(rig_count_nat(), 1 + i, "its record is still there");
	}
}

/* An error changes nothing about the flow: it neither prolongs nor opens nor ends one. */
Test(icmp, errors_leave_the_flow_alone)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet sent, error;
	struct weir_nat_record before, after;

	talk_configure(0);
	talk_open(&talk);
	before = *talk_record(&talk);
	rig_advance(5);
	sent = talk_reply_sent(&talk, SPEC(.flags = TH_ACK));
	error = error_about(&sent, VIP4, &kinds[0], 28, SPEC(0));
	cr_assert_eq(rig_send(&error).reason, WEIR_R_ICMP_ERROR);
	after = *talk_record(&talk);
	cr_assert_eq(memcmp(&before, &after, sizeof(after)), 0);
}

Test(icmp, errors_about_nothing_known_pass)
{
	struct talk talk = TALK4(IPPROTO_TCP), other = talk;
	struct packet sent, error, ping = ICMP(.src = VIP4, .dst = CLIENT4, .icmp_type = 8);
	struct packet tcp = TCP(.src = VIP4, .dst = CLIENT4, .sport = 80, .dport = 40000);
	struct packet later = tcp, closed = TCP(.src = VIP4, .dst = CLIENT4, .sport = 81);
	struct packet others = TCP(.src = "192.0.2.9", .dst = CLIENT4, .sport = 80);
	struct packet later6 =
		TCP(.src = VIP6, .dst = CLIENT6, .sport = 80, .extensions = { EXT_LATER });

	talk_configure(0);
	talk_open(&talk);
	other.client_port++;
	other.snat_port = (uint16_t)(talk.snat_port + 1);
	sent = talk_reply_sent(&other, SPEC(.flags = TH_ACK));
	error = error_about(&sent, VIP4, &kinds[0], 28, SPEC(0));
	EXPECT_PASS(error, ICMP_UNKNOWN);
	sent = talk_request_sent(&other, SPEC(.flags = TH_ACK));
	error = error_about(&sent, SNAT4, &kinds[0], 28, SPEC(0));
	EXPECT_PASS(error, NAT_UNKNOWN);
	error = error_about(&ping, VIP4, &kinds[1], 28, SPEC(0));
	EXPECT_PASS(error, ICMP_UNKNOWN);
	error = error_about(&closed, VIP4, &kinds[1], 28, SPEC(0));
	EXPECT_PASS(error, ICMP_UNKNOWN);
	error = error_about(&others, VIP4, &kinds[1], 28, SPEC(0));
	EXPECT_PASS(error, ICMP_UNKNOWN); /* it quotes what this address has not sent */
	error = error_about(&others, "192.0.2.9", &kinds[1], 28, SPEC(0));
	EXPECT_PASS(error, NOT_OURS);
	error = error_about(&others, SNAT4, &kinds[1], 28, SPEC(0));
	EXPECT_PASS(error, NOT_OURS); /* the host's, and no listener's */
	error = error_about(&sent, SNAT4, &kinds[0], 28, SPEC(.src = "127.0.0.1"));
	EXPECT_PASS(error, NOT_OURS);
	packet_set16(&later, later.l3 + 6, 5);
	error = error_about(&later, VIP4, &kinds[1], 28, SPEC(0));
	EXPECT_PASS(error, ICMP_UNKNOWN);
	error = error_about(&later6, VIP6, &kinds[1], 0, SPEC(0));
	EXPECT_PASS(error, ICMP_UNKNOWN);
	error = error_about(&tcp, VIP4, &kinds[0], 28, SPEC(.fragment = IP4_MF));
	EXPECT_PASS(error, NOT_TCP_UDP);
}

/* Cut off at every byte: fewer than 8 bytes of layer 4 name no flow, even with padding behind. */
Test(icmp, quotes_of_every_length)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet sent;

	talk_configure(0);
	talk_open(&talk);
	sent = talk_reply_sent(&talk, SPEC(.flags = TH_ACK, .payload = 20));
	for (uint16_t quoted = 1; quoted <= 60; quoted++) {
		struct packet error =
			error_about(&sent, VIP4, &kinds[0], quoted, SPEC(.trailer = 40));
		struct rig_result result = rig_send(&error);

		cr_assert_eq(result.reason, quoted < 28 ? WEIR_R_ICMP_UNKNOWN : WEIR_R_ICMP_ERROR,
			     "%u: %s", quoted, rig_reason(result.reason));
		if (quoted >= 28)
			cr_assert_eq(packet_sums(result.out.bytes, result.out.size).l4, SUM_GOOD);
	}
}

/* Nothing is sent in answer to an error, whatever happens to it. */
Test(icmp, errors_are_never_answered)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet sent, error, bad;

	talk_configure(0);
	talk_open(&talk);
	sent = talk_reply_sent(&talk, SPEC(.flags = TH_ACK));
	error = error_about(&sent, VIP4, &kinds[0], 28, SPEC(.ttl = 1));
	EXPECT_DROP(error, TTL_EXPIRED);
	bad = error_about(&sent, VIP4, &kinds[0], 28, SPEC(.src = "127.0.0.1"));
	EXPECT_DROP(bad, BAD_SOURCE);
	cr_assert_eq(rig_counted("tcp", WEIR_R_ANSWERED), 0);
}
