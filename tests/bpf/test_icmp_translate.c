// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: between families an ICMP error reaches the end whose packet it quotes as one of its own
 * family, about the packet that this end has sent: what leaves is what a builder makes anew, in
 * every byte, in both directions, for every kind that both families have. Needs root.
 */
#include <string.h>

#include "rig_suite.h"
#include "talk.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROUTER4	     "203.0.113.9"
#define ROUTER6	     "2001:db8:f::9"
#define IP4_DF	     0x4000
#define STAYS4	     (576 - 48)	 /* bytes of layer 4 that an IPv4 error has room for */
#define STAYS6	     (1280 - 88) /* ... an IPv6 error */

RIG_SUITE(icmp_translate);

/* IPv4 clients to an IPv6 endpoint, and the reverse. */
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

static struct talk talks[] = { TALK_4TO6(IPPROTO_TCP), TALK_6TO4(IPPROTO_TCP),
			       TALK_4TO6(IPPROTO_UDP), TALK_6TO4(IPPROTO_UDP) };

static void open_talks(void)
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
	for (size_t i = 0; i < COUNT(talks); i++) {
		struct packet first = talk_request(&talks[i], SPEC(.flags = TH_SYN));
		struct rig_result result = rig_send(&first);
		bool to_ip6 = talks[i].snat == (const char *)SNAT6;

		cr_assert_eq(result.reason, WEIR_R_FORWARDED);
		talks[i].snat_port = packet_get16(&result.out, to_ip6 ? 54 : 34);
	}
}

/* A kind of error, and what it is in the other family. */
struct kind {
	uint8_t type, code;
	uint32_t rest;
	uint8_t other_type, other_code;
	uint32_t other_rest;
};

static const struct kind kinds4[] = {
	{ 3, 0, 0, 1, 0, 0 },	       { 3, 1, 0, 1, 0, 0 },	    { 3, 2, 0, 4, 1, 6 },
	{ 3, 3, 0, 1, 4, 0 },	       { 3, 4, 1400, 2, 0, 1420 },  { 3, 4, 1200, 2, 0, 1280 },
	{ 3, 4, 0, 2, 0, 1280 },       { 3, 5, 0, 1, 0, 0 },	    { 3, 9, 0, 1, 1, 0 },
	{ 3, 10, 0, 1, 1, 0 },	       { 3, 12, 0, 1, 0, 0 },	    { 3, 13, 0, 1, 1, 0 },
	{ 3, 15, 0, 1, 1, 0 },	       { 11, 0, 0, 3, 0, 0 },	    { 11, 1, 0, 3, 1, 0 },
	{ 12, 0, 0 << 24, 4, 0, 0 },   { 12, 0, 1 << 24, 4, 0, 1 }, { 12, 0, 3 << 24, 4, 0, 4 },
	{ 12, 2, 8 << 24, 4, 0, 7 },   { 12, 0, 9 << 24, 4, 0, 6 }, { 12, 0, 14 << 24, 4, 0, 8 },
	{ 12, 0, 16 << 24, 4, 0, 24 },
};
static const struct kind kinds6[] = {
	{ 1, 0, 0, 3, 1, 0 },	       { 1, 1, 0, 3, 10, 0 },	    { 1, 2, 0, 3, 1, 0 },
	{ 1, 3, 0, 3, 1, 0 },	       { 1, 4, 0, 3, 3, 0 },	    { 2, 0, 1400, 3, 4, 1380 },
	{ 2, 0, 1280, 3, 4, 1260 },    { 2, 0, 0, 3, 4, 1260 },	    { 2, 0, 100000, 3, 4, 65535 },
	{ 3, 0, 0, 11, 0, 0 },	       { 3, 1, 0, 11, 1, 0 },	    { 4, 1, 6, 3, 2, 0 },
	{ 4, 0, 0, 12, 0, 0 << 24 },   { 4, 0, 1, 12, 0, 1 << 24 }, { 4, 0, 5, 12, 0, 2 << 24 },
	{ 4, 0, 6, 12, 0, 9 << 24 },   { 4, 0, 7, 12, 0, 8 << 24 }, { 4, 0, 20, 12, 0, 12 << 24 },
	{ 4, 0, 39, 12, 0, 16 << 24 },
};

static const struct kind untranslatable4[] = {
	{ .type = 3, .code = 14 }, /* host precedence violation */
	{ .type = 3, .code = 16 },
	{ .type = 12, .rest = 5u << 24 }, /* fragment offset: IPv6 has none */
	{ .type = 12, .rest = 20u << 24 },
	{ .type = 12, .code = 1 },
};
static const struct kind untranslatable6[] = {
	{ .type = 1, .code = 5 },
	{ .type = 4, .code = 2 },
	{ .type = 4, .rest = 2 }, /* flow label: IPv4 has none */
	{ .type = 4, .rest = 40 },
};

/* One direction of a talk: what weir has sent and the packet that this was before. */
struct way {
	struct packet sent;
	struct packet as_sent;
	const char *at;	  /* where the error arrives */
	const char *to;	  /* who gets it */
	const char *from; /* as whose */
	char mac[RIG_MAC_TEXT];
};

static struct way way_of(const struct talk *talk, bool request, struct packet_spec spec)
{
	struct way way;

	way.sent = request ? talk_request_sent(talk, spec) : talk_reply_sent(talk, spec);
	spec.ttl = way.sent.bytes[way.sent.l3 + (way.sent.bytes[way.sent.l3] >> 4 == 4 ? 8 : 7)];
	spec.ip_options = 0; /* what is quoted has lost them */
	memset(spec.extensions, 0, sizeof(spec.extensions));
	way.as_sent = request ? talk_request(talk, spec) : talk_reply(talk, spec);
	way.at = request ? talk->snat : talk->listener;
	way.to = request ? talk->client : talk->endpoint;
	way.from = request ? talk->listener : talk->snat;
	if (request)
		snprintf(way.mac, sizeof(way.mac), PACKET_FROM);
	else
		rig_mac(talk->endpoint, way.mac);
	return way;
}

/* What the builder cannot know: no flow label, no identification, DF. */
static void strip(struct packet *packet)
{
	if (packet->bytes[packet->l3] >> 4 == 6) {
		packet->bytes[packet->l3 + 1] &= 0xf0;
		packet_set16(packet, packet->l3 + 2, 0);
	} else {
		packet_set16(packet, packet->l3 + 4, 0);
		packet_set16(packet, packet->l3 + 6, IP4_DF);
	}
	packet_sum(packet);
}

static struct packet error_of(const struct packet *quote, size_t l4_bytes, struct packet_spec spec)
{
	size_t all = quote->size - quote->l4;

	spec.protocol = IPPROTO_ICMP;
	spec.src = spec.src ?: strchr(spec.dst, '.') ? ROUTER4 : ROUTER6;
	spec.quote = quote;
	spec.quoted = l4_bytes < all ? (uint16_t)(quote->l4 - quote->l3 + l4_bytes) : 0;
	return packet_build(&spec);
}

/* `quoted`: bytes of layer 4. */
static void expect_translated(struct way *way, const struct kind *kind, size_t quoted,
			      struct packet_spec head)
{
	size_t stays = strchr(way->to, '.') ? STAYS4 : STAYS6;
	struct packet_spec out = { .ttl = 59, .tos = head.tos, .from_mac = ARM0_MAC };
	struct packet error, expected;
	struct rig_result result;

	head.ttl = 60;
	head.dst = way->at;
	head.icmp_type = kind->type;
	head.icmp_code = kind->code;
	head.icmp_rest = kind->rest;
	error = error_of(&way->sent, quoted, head);
	out.src = way->from;
	out.dst = way->to;
	out.to_mac = way->mac;
	out.icmp_type = kind->other_type;
	out.icmp_code = kind->other_code;
	out.icmp_rest = kind->other_rest;
	strip(&way->as_sent);
	expected = error_of(&way->as_sent, quoted < stays ? quoted : stays, out);
	strip(&expected);
	result = rig_send(&error);
	cr_assert(result.verdict == XDP_TX && result.reason == WEIR_R_ICMP_ERROR,
		  "%u/%u to %s, %zu bytes: %s", kind->type, kind->code, way->to, quoted,
		  rig_reason(result.reason));
	cr_assert_eq(packet_difference(&result.out, &expected), -1,
		     "%u/%u to %s, %zu bytes: byte %ld", kind->type, kind->code, way->to, quoted,
		     packet_difference(&result.out, &expected));
}

Test(icmp_translate, every_kind_both_ways)
{
	static const size_t quoted[] = { 8, 16, 18, 21, 60, 4000 };

	open_talks();
	for (size_t i = 0; i < COUNT(talks) * 2 * 44; i++) {
		const struct talk *talk = &talks[i % 4];
		struct packet_spec spec = { .flags = TH_ACK,
					    .tos = (uint8_t)(i * 4),
					    .payload = (uint16_t)(i % 3 * 41) };
		struct way way = way_of(talk, i & 4, spec);
		bool ip4 = strchr(way.at, '.');
		const struct kind *kind =
			ip4 ? &kinds4[i / 8 % COUNT(kinds4)] : &kinds6[i / 8 % COUNT(kinds6)];

		expect_translated(&way, kind, quoted[i % COUNT(quoted)],
				  SPEC(.tos = 0x48, .vlan = { i & 16 ? 7 : 0, i & 32 ? 8 : 0 },
				       .ip_options = ip4 && i % 5 == 0 ? 12 : 0));
	}
}

/* No longer than an error may be; all of a quote up to there, odd sizes included. */
Test(icmp_translate, long_quotes_are_cut)
{
	open_talks();
	for (uint16_t payload = 480; payload < 1440; payload = (uint16_t)(payload + 13)) {
		struct way to_ip4 = way_of(&talks[2], true, SPEC(.payload = payload));
		struct way to_ip6 = way_of(&talks[3], true, SPEC(.payload = payload));

		expect_translated(&to_ip4, &kinds6[5], 4000, SPEC(.trailer = payload & 1));
		expect_translated(&to_ip6, &kinds4[4], 4000, SPEC(0));
	}
}

/* What a quote tells of its length, IPv4 may have no number for: nothing else changes by it. */
Test(icmp_translate, the_longest_quoted_packet)
{
	struct way way;
	struct packet error;
	struct rig_result result;
	uint32_t sum = 0;

	open_talks();
	way = way_of(&talks[2], true, SPEC(.payload = 100, .tos = 0x48));
	packet_set16(&way.sent, way.sent.l3 + 4, 0xffff);
	error = error_of(&way.sent, 60, SPEC(.dst = way.at, .icmp_type = 1, .icmp_code = 4));
	result = rig_send(&error);
	cr_assert_eq(result.reason, WEIR_R_ICMP_ERROR, "%s", rig_reason(result.reason));
	cr_assert_eq(packet_get16(&result.out, 14 + 28), 0x4548);
	for (size_t at = 14 + 28; at < 14 + 48; at += 2)
		sum += packet_get16(&result.out, at);
	cr_assert_eq((sum & 0xffff) + (sum >> 16), 0xffff, "the quoted header's sum");
}

/* Options and extension headers of what is quoted are left out, as of what was sent. */
Test(icmp_translate, headers_of_every_length)
{
	open_talks();
	for (uint8_t options = 0; options <= 40; options = (uint8_t)(options + 4)) {
		struct way way =
			way_of(&talks[1], true, SPEC(.ip_options = options, .flags = TH_ACK));

		expect_translated(&way, &kinds4[0], 4000, SPEC(.ip_options = 40 - options));
	}
	for (int i = 0; i < 4; i++) {
		struct packet_spec spec = { .flags = TH_ACK };
		struct packet_spec head = { .extensions = { EXT_DEST } };
		struct way way;

		for (int k = 0; k < i; k++)
			spec.extensions[k] = k ? EXT_DEST : EXT_HOP;
		way = way_of(&talks[0], true, spec);
		expect_translated(&way, &kinds6[0], 4000, head);
	}
}

/* Message extensions (RFC 4884) follow 128 bytes of the packet: they are left out. */
Test(icmp_translate, message_extensions_are_left_out)
{
	static const struct kind extended4 = { 11, 0, 32 << 16, 3, 0, 0 };
	static const struct kind extended6 = { 3, 0, 16u << 24, 11, 0, 0 };
	struct way way;

	open_talks();
	for (int i = 0; i < 2; i++) {
		const struct kind *kind = i ? &extended4 : &extended6;
		struct packet_spec head = { .ttl = 60,
					    .icmp_type = kind->type,
					    .icmp_rest = kind->rest };
		struct packet error, plain;
		struct rig_result result, expected;

		way = way_of(&talks[2 + i], true, SPEC(.payload = 300));
		head.dst = way.at;
		error = error_of(&way.sent, 4000, head);
		result = rig_send(&error);
		cr_assert_eq(result.reason, WEIR_R_ICMP_ERROR);
		head.icmp_rest = 0; /* the same of a quote that ends there */
		plain = error_of(&way.sent, 128 - (way.sent.l4 - way.sent.l3), head);
		expected = rig_send(&plain);
		cr_assert_eq(packet_difference(&result.out, &expected.out), -1);
	}
}

Test(icmp_translate, what_the_other_family_lacks_passes)
{
	open_talks();
	for (size_t i = 0; i < COUNT(untranslatable4) + COUNT(untranslatable6); i++) {
		bool ip4 = i < COUNT(untranslatable4);
		const struct kind *kind =
			ip4 ? &untranslatable4[i] : &untranslatable6[i - COUNT(untranslatable4)];
		struct way way = way_of(&talks[ip4], true, SPEC(.flags = TH_ACK));
		struct packet error =
			error_of(&way.sent, 8,
				 SPEC(.dst = way.at, .icmp_type = kind->type,
				      .icmp_code = kind->code, .icmp_rest = kind->rest));

		EXPECT_PASS(error, ICMP_UNKNOWN);
	}
}

/* The checksum is made anew: what was damaged on the way must not become right by it. */
Test(icmp_translate, what_is_damaged_stays_behind)
{
	open_talks();
	for (size_t i = 0; i < COUNT(talks) * 2; i++) {
		struct way way = way_of(&talks[i % 4], i & 4, SPEC(.flags = TH_ACK, .payload = 33));
		bool ip4 = strchr(way.at, '.');
		struct packet error = error_of(
			&way.sent, 4000,
			SPEC(.dst = way.at, .icmp_type = ip4 ? 3 : 1, .icmp_code = ip4 ? 1 : 0));
		size_t last = error.size - 1, check = error.l4 + 2;

		cr_assert_eq(rig_send(&error).reason, WEIR_R_ICMP_ERROR);
		error.bytes[last] ^= 1;
		EXPECT_PASS(error, ICMP_UNKNOWN);
		error.bytes[last] ^= 1;
		error.bytes[check] ^= 0x40;
		EXPECT_PASS(error, ICMP_UNKNOWN);
	}
}

Test(icmp_translate, the_last_hop_is_not_made)
{
	struct way way;
	struct packet error;

	open_talks();
	way = way_of(&talks[0], true, SPEC(.flags = TH_ACK));
	error = error_of(&way.sent, 8, SPEC(.dst = way.at, .icmp_type = 2, .ttl = 1));
	EXPECT_DROP(error, TTL_EXPIRED);
}

/* IPv6 needs 40 bytes more, of headers and quote: where they are missing nothing is sent. */
Test(icmp_translate, what_has_no_room_to_grow_is_dropped)
{
	open_talks();
	for (size_t i = 0; i < COUNT(talks) * 2; i++) {
		struct way way = way_of(&talks[i % 4], i & 4, SPEC(.flags = TH_ACK, .payload = 9));
		bool grows = strchr(way.at, '.');
		const struct kind *kind = grows ? &kinds4[0] : &kinds6[0];
		struct packet error = error_of(
			&way.sent, 4000, SPEC(.dst = way.at, .icmp_type = kind->type, .ttl = 60));

		rig.no_headroom = true;
		if (grows)
			EXPECT_DROP(error, NO_HEADROOM);
		else
			expect_translated(&way, kind, 4000, SPEC(0));
		rig.no_headroom = false;
		if (grows)
			expect_translated(&way, kind, 4000, SPEC(0));
	}
	cr_assert_eq(rig_count_nat(), COUNT(talks));
}
