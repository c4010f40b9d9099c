// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: every kind of packet that weir takes is found where it is, whatever headers stand before;
 * a damaged one to a listener is dropped for the right reason at whatever byte the damage is; what
 * is for somebody else passes untouched. Needs root.
 */
#include <netinet/ether.h>
#include <string.h>

#include "rig_suite.h"

#define DSR_PORT   80
#define NAT_PORT   8080
#define ENDPOINT4  "10.0.0.11"
#define ENDPOINT6  "fd00::11"
#define FROM_4	   .src = CLIENT4, .dst = VIP4, .sport = 40000
#define FROM_6	   .src = CLIENT6, .dst = VIP6, .sport = 40000
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define IP4_MF	   0x2000
#define IP4_DF	   0x4000
#define IP4_HEADER 20
#define IP6_HEADER 40

RIG_SUITE(parse);

/* Both protocols and families, dsr on one port and nat on the other. */
static void configure(void)
{
	static const struct weir_port_range wide = { 1024, 65535 };
	static const char *const protocols[] = { "tcp", "udp" };
	char text[2048] = "version: 1\nlisteners:\n";

	for (int i = 0; i < 4; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used,
			 "- name: %s-%s\n"
			 "  protocol: %s\n"
			 "  address: [" VIP4 ", " VIP6 "]\n"
			 "  port: %d\n"
			 "  mode: %s\n"
			 "  endpoint_groups:\n"
			 "  - name: all\n"
			 "    endpoints: [" ENDPOINT4 ", '" ENDPOINT6 "']\n",
			 i & 1 ? "dsr" : "nat", protocols[i / 2], protocols[i / 2],
			 i & 1 ? DSR_PORT : NAT_PORT, i & 1 ? "dsr" : "nat");
	}
	rig_ports(SNAT4, 1, &wide);
	rig_ports(SNAT6, 1, &wide);
	rig_configure("%s", text);
}

static const struct shape {
	const char *what;
	struct packet_spec spec;
} shapes[] = {
	{ "plain IPv4", { FROM_4 } },
	{ "IPv4 with data", { FROM_4, .payload = 101 } },
	{ "IPv4, do not fragment", { FROM_4, .fragment = IP4_DF } },
	{ "IPv4, one tag", { FROM_4, .vlan = { 100 }, .payload = 8 } },
	{ "IPv4, two tags", { FROM_4, .vlan = { 100, 200 }, .payload = 8 } },
	{ "IPv4, 4 bytes of options", { FROM_4, .ip_options = 4, .payload = 8 } },
	{ "IPv4, 40 bytes of options", { FROM_4, .ip_options = 40, .payload = 9 } },
	{ "IPv4, long TCP header", { FROM_4, .tcp_options = 40, .payload = 7 } },
	{ "IPv4, everything",
	  { FROM_4, .vlan = { 1, 2 }, .ip_options = 24, .tcp_options = 12, .payload = 64 } },
	{ "IPv4 with Ethernet padding", { FROM_4, .trailer = 17 } },
	{ "IPv4, jumbo", { FROM_4, .payload = 6000 } },
	{ "plain IPv6", { FROM_6 } },
	{ "IPv6 with data", { FROM_6, .payload = 101 } },
	{ "IPv6, one tag", { FROM_6, .vlan = { 4094 }, .payload = 8 } },
	{ "IPv6, two tags", { FROM_6, .vlan = { 100, 200 }, .payload = 8 } },
	{ "IPv6, hop by hop", { FROM_6, .extensions = { EXT_HOP }, .payload = 8 } },
	{ "IPv6, routing", { FROM_6, .extensions = { EXT_ROUTING }, .payload = 8 } },
	{ "IPv6, destination", { FROM_6, .extensions = { EXT_DEST }, .payload = 8 } },
	{ "IPv6, authentication", { FROM_6, .extensions = { EXT_AH }, .payload = 8 } },
	{ "IPv6, atomic fragment", { FROM_6, .extensions = { EXT_ATOMIC }, .payload = 8 } },
	{ "IPv6, six extensions",
	  { FROM_6, .vlan = { 7 },
	    .extensions = { EXT_HOP, EXT_DEST, EXT_ROUTING, EXT_ATOMIC, EXT_AH, EXT_DEST },
	    .payload = 33 } },
	{ "IPv6 with Ethernet padding", { FROM_6, .trailer = 17 } },
	{ "IPv6, jumbo", { FROM_6, .payload = 6000, .extensions = { EXT_DEST } } },
};

static struct packet shaped(const struct shape *shape, uint8_t protocol, uint16_t port)
{
	struct packet_spec spec = shape->spec;

	spec.protocol = protocol;
	spec.dport = port;
	spec.flags = TH_SYN;
	return packet_build(&spec);
}

/* What shall come out, built anew; only the SNAT port is taken from what did come out. */
static struct packet sent(const struct shape *shape, uint8_t protocol, uint16_t port,
			  const struct packet *out, size_t l4)
{
	struct packet_spec spec = shape->spec;
	bool ip4 = strchr(spec.dst, '.');
	char mac[RIG_MAC_TEXT];

	spec.protocol = protocol;
	spec.dport = port;
	spec.flags = TH_SYN;
	spec.from_mac = ARM0_MAC;
	spec.to_mac = rig_mac(ip4 ? ENDPOINT4 : ENDPOINT6, mac);
	if (port == NAT_PORT) {
		spec.src = ip4 ? SNAT4 : SNAT6;
		spec.dst = ip4 ? ENDPOINT4 : ENDPOINT6;
		spec.sport = packet_get16(out, l4);
		spec.ttl = 63;
	}
	memset(spec.vlan, 0, sizeof(spec.vlan)); /* the next hop is in none */
	return packet_build(&spec);
}

Test(parse, takes_every_shape_of_packet)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	static const uint16_t ports[] = { DSR_PORT, NAT_PORT };

	configure();
	for (size_t i = 0; i < COUNT(shapes) * 4; i++) {
		const struct shape *shape = &shapes[i / 4];
		uint8_t protocol = protocols[i / 2 % 2];
		uint16_t port = ports[i % 2];
		struct packet in = shaped(shape, protocol, port), expected;
		struct rig_result result = rig_send(&in);

		cr_assert(result.verdict == XDP_TX && result.reason == WEIR_R_FORWARDED,
			  "%s, protocol %u, port %u: %d of %s", shape->what, protocol, port,
			  result.verdict, rig_reason(result.reason));
		expected = sent(shape, protocol, port, &result.out, packet_tagged(&in, NULL).l4);
		cr_assert_eq(packet_difference(&result.out, &expected), -1,
			     "%s, protocol %u, port %u: byte %ld", shape->what, protocol, port,
			     packet_difference(&result.out, &expected));
	}
}

Test(parse, udp_without_a_checksum_is_taken)
{
	struct packet in = UDP(FROM_4, .dport = DSR_PORT, .payload = 5, .without_checksum = true);
	char mac[RIG_MAC_TEXT];
	struct packet out = UDP(FROM_4, .dport = DSR_PORT, .payload = 5, .without_checksum = true,
				.from_mac = ARM0_MAC, .to_mac = rig_mac(ENDPOINT4, mac));

	configure();
	EXPECT_SENT(in, out);
}

/* Where the frame ends decides what can be known about it. */
static enum weir_reason reason_of_cut(const struct packet *whole, size_t size)
{
	size_t header = whole->bytes[whole->l3] >> 4 == 4 ? IP4_HEADER : IP6_HEADER;

	if (size < whole->l3)
		return WEIR_R_NOT_IP;
	if (size < whole->l3 + header)
		return WEIR_R_NOT_OURS;
	return WEIR_R_TRUNCATED;
}

Test(parse, truncated_at_every_byte)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	unsigned cuts = 0;

	configure();
	for (size_t i = 0; i < COUNT(shapes) * 2; i++) {
		const struct shape *shape = &shapes[i / 2];
		struct packet whole = shaped(shape, protocols[i % 2], i & 2 ? DSR_PORT : NAT_PORT);

		if (shape->spec.payload > 1000 || shape->spec.trailer)
			continue;
		for (size_t size = 14; size < whole.size; size++, cuts++) {
			enum weir_reason reason = reason_of_cut(&whole, size);
			struct packet cut = whole;
			struct rig_result result;

			cut.size = size;
			result = rig_send(&cut);
			cr_assert_eq(result.reason, reason, "%s cut to %zu: %s, not %s",
				     shape->what, size, rig_reason(result.reason),
				     rig_reason(reason));
			cr_assert_eq(result.listener, 0);
			cr_assert_eq(result.verdict,
				     reason == WEIR_R_TRUNCATED ? XDP_DROP : XDP_PASS);
			cr_assert(result.verdict == XDP_DROP ||
				  packet_difference(&result.out, &cut) == -1);
		}
	}
	cr_assert_gt(cuts, 3000);
}

/* The IP header tells the truth about a packet that ends too early. */
static struct packet shortened(const struct packet *whole, size_t size)
{
	struct packet cut = *whole;
	bool ip4 = cut.bytes[cut.l3] >> 4 == 4;

	cut.size = size;
	packet_set16(&cut, cut.l3 + (ip4 ? 2 : 4),
		     (uint16_t)(size - cut.l3 - (ip4 ? 0 : IP6_HEADER)));
	return cut;
}

Test(parse, headers_cut_off_by_honest_lengths)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

	configure();
	for (size_t i = 0; i < COUNT(shapes) * 2; i++) {
		struct packet whole = shaped(&shapes[i / 2], protocols[i % 2], DSR_PORT);
		size_t l4_end = whole.l4 + (protocols[i % 2] == IPPROTO_TCP ? 20 : 8);
		bool ip4 = whole.bytes[whole.l3] >> 4 == 4;

		for (size_t size = whole.l3 + (ip4 ? IP4_HEADER : IP6_HEADER); size < whole.data;
		     size++) {
			struct packet cut = shortened(&whole, size);
			struct rig_result result = rig_send(&cut);
			enum weir_reason reason = ip4 && size < whole.l4 ? WEIR_R_BAD_HEADER
						  : size < l4_end	 ? WEIR_R_TRUNCATED
									 : WEIR_R_BAD_HEADER;

			/* An extension may lack its own bytes, or those that it claims. */
			cr_assert(result.verdict == XDP_DROP &&
					  (result.reason == reason ||
					   (!ip4 && size < whole.l4 &&
					    result.reason == WEIR_R_BAD_HEADER)),
				  "%s cut to %zu: %s, not %s", shapes[i / 2].what, size,
				  rig_reason(result.reason), rig_reason(reason));
		}
	}
}

static const struct lie {
	const char *what;
	struct packet_spec spec;
	char from; /* offset counts from layer '3' or '4' */
	uint8_t at;
	uint8_t mask; /* of the byte that is replaced */
	uint8_t value;
	enum weir_reason reason;
} lies[] = {
	{ "tot_len 0", { FROM_4 }, '3', 3, 0xff, 0, WEIR_R_BAD_HEADER },
	{ "tot_len below the header", { FROM_4 }, '3', 3, 0xff, 19, WEIR_R_BAD_HEADER },
	{ "tot_len is the header", { FROM_4 }, '3', 3, 0xff, 20, WEIR_R_TRUNCATED },
	{ "tot_len within layer 4", { FROM_4 }, '3', 3, 0xff, 27, WEIR_R_TRUNCATED },
	{ "tot_len beyond the frame", { FROM_4 }, '3', 2, 0xff, 0x7f, WEIR_R_TRUNCATED },
	{ "tot_len beyond a jumbo",
	  { FROM_4, .payload = 6000 },
	  '3',
	  2,
	  0xff,
	  0xff,
	  WEIR_R_TRUNCATED },
	{ "ihl 0", { FROM_4 }, '3', 0, 0x0f, 0, WEIR_R_BAD_HEADER },
	{ "ihl 4", { FROM_4 }, '3', 0, 0x0f, 4, WEIR_R_BAD_HEADER },
	{ "ihl beyond tot_len", { FROM_4 }, '3', 0, 0x0f, 15, WEIR_R_BAD_HEADER },
	{ "payload_len 0", { FROM_6 }, '3', 5, 0xff, 0, WEIR_R_TRUNCATED },
	{ "payload_len within layer 4", { FROM_6 }, '3', 5, 0xff, 7, WEIR_R_TRUNCATED },
	{ "payload_len beyond the frame", { FROM_6 }, '3', 4, 0xff, 0x7f, WEIR_R_TRUNCATED },
	{ "payload_len ends in an extension",
	  { FROM_6, .extensions = { EXT_ROUTING } },
	  '3',
	  5,
	  0xff,
	  23,
	  WEIR_R_BAD_HEADER },
	{ "extension beyond the packet",
	  { FROM_6, .extensions = { EXT_DEST } },
	  '3',
	  41,
	  0xff,
	  200,
	  WEIR_R_BAD_HEADER },
	{ "authentication beyond the packet",
	  { FROM_6, .extensions = { EXT_AH } },
	  '3',
	  41,
	  0xff,
	  255,
	  WEIR_R_BAD_HEADER },
};

static const struct lie tcp_lies[] = {
	{ "doff 0", { FROM_4 }, '4', 12, 0xf0, 0x00, WEIR_R_BAD_HEADER },
	{ "doff 4", { FROM_4 }, '4', 12, 0xf0, 0x40, WEIR_R_BAD_HEADER },
	{ "doff 6 of 20 bytes", { FROM_4 }, '4', 12, 0xf0, 0x60, WEIR_R_BAD_HEADER },
	{ "doff 15", { FROM_6, .payload = 39 }, '4', 12, 0xf0, 0xf0, WEIR_R_BAD_HEADER },
	{ "doff 15, and they are there",
	  { FROM_6, .payload = 40 },
	  '4',
	  12,
	  0xf0,
	  0xf0,
	  WEIR_R_FORWARDED },
};

static const struct lie udp_lies[] = {
	{ "length 0", { FROM_4 }, '4', 5, 0xff, 0, WEIR_R_BAD_HEADER },
	{ "length 7", { FROM_6 }, '4', 5, 0xff, 7, WEIR_R_BAD_HEADER },
	{ "length beyond the packet",
	  { FROM_4, .payload = 9 },
	  '4',
	  5,
	  0xff,
	  18,
	  WEIR_R_BAD_HEADER },
	{ "length 65287", { FROM_6 }, '4', 4, 0xff, 0xff, WEIR_R_BAD_HEADER },
	{ "length within the packet",
	  { FROM_4, .payload = 9 },
	  '4',
	  5,
	  0xff,
	  12,
	  WEIR_R_FORWARDED },
};

static void send_lies(const struct lie *list, size_t count, uint8_t protocol)
{
	for (size_t i = 0; i < count; i++) {
		struct packet_spec spec = list[i].spec;
		struct rig_result result;
		struct packet packet;
		uint8_t *byte;

		spec.protocol = protocol;
		spec.dport = DSR_PORT;
		packet = packet_build(&spec);
		byte = &packet.bytes[(list[i].from == '3' ? packet.l3 : packet.l4) + list[i].at];
		*byte = (uint8_t)((*byte & ~list[i].mask) | list[i].value);
		result = rig_send(&packet);
		cr_assert_eq(result.reason, list[i].reason, "%s, protocol %u: %s, not %s",
			     list[i].what, protocol, rig_reason(result.reason),
			     rig_reason(list[i].reason));
		cr_assert_eq(result.verdict,
			     list[i].reason == WEIR_R_FORWARDED ? XDP_TX : XDP_DROP);
	}
}

Test(parse, lengths_that_lie)
{
	configure();
	send_lies(lies, COUNT(lies), IPPROTO_TCP);
	send_lies(lies, COUNT(lies), IPPROTO_UDP);
	send_lies(tcp_lies, COUNT(tcp_lies), IPPROTO_TCP);
	send_lies(udp_lies, COUNT(udp_lies), IPPROTO_UDP);
}

Test(parse, version_that_contradicts_the_ethertype)
{
	struct packet ip4 = UDP(FROM_4, .dport = NAT_PORT);
	struct packet ip6 = TCP(FROM_6, .dport = DSR_PORT, .flags = TH_SYN);
	struct packet other = UDP(.src = CLIENT4, .dst = "192.0.2.99", .dport = NAT_PORT);

	configure();
	for (unsigned version = 0; version < 16; version++) {
		ip4.bytes[ip4.l3] = (uint8_t)(version << 4 | 5);
		ip6.bytes[ip6.l3] = (uint8_t)(version << 4);
		other.bytes[other.l3] = (uint8_t)(version << 4 | 5);
		if (version != 4)
			EXPECT_DROP(ip4, BAD_HEADER);
		if (version != 6)
			EXPECT_DROP(ip6, BAD_HEADER);
		EXPECT_PASS(other, NOT_OURS);
	}
}

/* What is damaged in a first fragment, and whose it is not; tests/bpf/test_fragment.c has the rest.
 */
Test(parse, first_fragments)
{
	struct packet udp4 = UDP(FROM_4, .dport = DSR_PORT, .fragment = IP4_MF, .payload = 24);
	struct packet tiny4 = TCP(FROM_4, .dport = NAT_PORT, .fragment = IP4_MF);
	struct packet closed = TCP(FROM_4, .dport = 81, .fragment = IP4_MF);
	struct packet others = UDP(.src = CLIENT6, .dst = "2001:db8::99", .dport = NAT_PORT,
				   .extensions = { EXT_FIRST });

	configure();
	packet_set16(&udp4, udp4.l4 + 4, 4000); /* the whole datagram's length is no lie */
	EXPECT_TO(udp4, ENDPOINT4);
	tiny4 = shortened(&tiny4, tiny4.l4 + 8);
	EXPECT_DROP(tiny4, TRUNCATED);
	EXPECT_PASS(closed, NO_LISTENER);
	EXPECT_PASS(others, NOT_OURS);
}

Test(parse, too_many_headers)
{
	struct packet seven = TCP(FROM_6, .dport = DSR_PORT,
				  .extensions = { EXT_HOP, EXT_DEST, EXT_DEST, EXT_DEST, EXT_DEST,
						  EXT_DEST, EXT_DEST });
	struct packet twelve =
		UDP(FROM_6, .dport = NAT_PORT,
		    .extensions = { EXT_HOP, EXT_HOP, EXT_HOP, EXT_HOP, EXT_HOP, EXT_HOP, EXT_HOP,
				    EXT_HOP, EXT_HOP, EXT_HOP, EXT_HOP, EXT_HOP });
	struct packet others = TCP(.src = CLIENT6, .dst = "2001:db8::99", .dport = DSR_PORT,
				   .extensions = { EXT_HOP, EXT_DEST, EXT_DEST, EXT_DEST, EXT_DEST,
						   EXT_DEST, EXT_DEST });
	struct packet tagged = TCP(FROM_4, .dport = DSR_PORT, .vlan = { 1, 2, 3 });

	configure();
	EXPECT_DROP(seven, TOO_MANY_HEADERS);
	EXPECT_DROP(twelve, TOO_MANY_HEADERS);
	EXPECT_PASS(others, NOT_OURS);
	EXPECT_PASS(tagged, NOT_IP); /* a third tag is looked at by nobody */
}

/* Two headers of `units` times 8 bytes before TCP, in a frame of several buffers: a program reads
 * 3520 bytes of it, and helpers the rest. */
static struct packet headers_of(unsigned units)
{
	struct packet packet = packet_build(
		&(struct packet_spec){ FROM_6, .protocol = IPPROTO_DSTOPTS, .payload = 8000 });
	struct packet tcp = TCP(FROM_6, .dport = DSR_PORT, .flags = TH_ACK);
	size_t at = packet.l4;

	for (int i = 0; i < 2; i++, at += units * 8) {
		packet.bytes[at] = i ? IPPROTO_TCP : IPPROTO_DSTOPTS;
		packet.bytes[at + 1] = (uint8_t)(units - 1);
	}
	memcpy(packet.bytes + at, tcp.bytes + tcp.l4, 20);
	return packet;
}

Test(parse, headers_beyond_the_first_buffer)
{
	struct packet within = headers_of(214), across = headers_of(217);
	struct packet behind = headers_of(230), too_far = headers_of(255);
	struct packet others = behind;

	configure();
	cr_assert_eq(rig_send(&within).reason, WEIR_R_FORWARDED);
	EXPECT_DROP(across, TRUNCATED);
	EXPECT_DROP(behind, TRUNCATED);
	EXPECT_DROP(too_far, BAD_HEADER);
	others.bytes[others.l3 + 39]++;
	EXPECT_PASS(others, NOT_OURS);
}

Test(parse, sources_that_cannot_be)
{
	static const char *const bad4[] = { VIP4,	 "0.0.0.0",   "0.1.2.3",
					    "127.0.0.1", "127.9.9.9", "224.0.0.1",
					    "239.1.2.3", "240.0.0.1", "255.255.255.255" };
	static const char *const bad6[] = { VIP6, "::", "::1", "::7f00:1", "ff02::1", "ff0e::5" };
	static const char *const good4[] = { "1.0.0.1", "126.255.255.255", "128.0.0.1",
					     "223.255.255.255" };
	struct packet mapped = TCP(FROM_6, .dport = DSR_PORT);

	configure();
	for (size_t i = 0; i < COUNT(bad4); i++) {
		struct packet packet =
			TCP(.src = bad4[i], .dst = VIP4, .dport = NAT_PORT, .flags = TH_SYN);
		struct packet closed = UDP(.src = bad4[i], .dst = VIP4, .dport = 81);

		EXPECT_DROP(packet, BAD_SOURCE);
		EXPECT_PASS(closed, NO_LISTENER);
	}
	for (size_t i = 0; i < COUNT(bad6); i++) {
		struct packet packet = UDP(.src = bad6[i], .dst = VIP6, .dport = DSR_PORT);

		EXPECT_DROP(packet, BAD_SOURCE);
	}
	for (size_t i = 0; i < COUNT(good4); i++) {
		struct packet packet = UDP(.src = good4[i], .dst = VIP4, .dport = NAT_PORT);

		cr_assert_eq(rig_send(&packet).reason, WEIR_R_FORWARDED, "%s", good4[i]);
	}
	memset(mapped.bytes + mapped.l3 + 8, 0, 10); /* ::ffff:198.51.100.7 on an IPv6 wire */
	memcpy(mapped.bytes + mapped.l3 + 18, "\xff\xff\xc6\x33\x64\x07", 6);
	EXPECT_DROP(mapped, BAD_SOURCE);
	cr_assert_eq(rig_counted("nat-tcp", WEIR_R_BAD_SOURCE), COUNT(bad4));
	cr_assert_eq(rig_counted("dsr-udp", WEIR_R_BAD_SOURCE), COUNT(bad6));
	cr_assert_eq(rig_count_nat(), COUNT(good4));
}

Test(parse, what_is_not_ip_passes)
{
	static const uint16_t types[] = { 0x0806, 0x88cc, 0x0040, 0x8847, 0x8863, 0x86de, 0 };
	struct packet packet = TCP(FROM_4, .dport = NAT_PORT, .flags = TH_SYN);
	struct packet bare = { .size = 14 };

	configure();
	for (size_t i = 0; i < COUNT(types); i++) {
		packet_set16(&packet, 12, types[i]);
		EXPECT_PASS(packet, NOT_IP);
	}
	EXPECT_PASS(bare, NOT_IP);
	packet_set16(&bare, 12, 0x8100);
	EXPECT_PASS(bare, NOT_IP);
	packet_set16(&bare, 12, 0x0800);
	EXPECT_PASS(bare, NOT_OURS);
	packet_set16(&packet, 12, 0x86dd); /* IPv4 in an IPv6 frame: its addresses are nobody's */
	EXPECT_PASS(packet, NOT_OURS);
}

Test(parse, what_is_for_others_passes_untouched)
{
	static const uint8_t protocols[] = { IPPROTO_ICMP, IPPROTO_IGMP,   IPPROTO_IPIP,
					     IPPROTO_GRE,  IPPROTO_ICMPV6, IPPROTO_SCTP,
					     IPPROTO_ESP,  IPPROTO_NONE,   0x84 };
	static const char *const groups[] = { "224.0.0.251", "255.255.255.255", "192.0.2.255",
					      "ff02::fb", "ff02::1:ff00:1" };

	configure();
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct shape shape = shapes[i];
		struct packet port = shaped(&shape, IPPROTO_UDP, 81), host, damaged;

		EXPECT_PASS(port, NO_LISTENER);
		shape.spec.dst = strchr(shape.spec.dst, '.') ? "192.0.2.2" : "2001:db8::2";
		host = shaped(&shape, IPPROTO_TCP, NAT_PORT);
		EXPECT_PASS(host, NOT_OURS);
		damaged = host;
		damaged.size -= 1 + shape.spec.trailer;
		EXPECT_PASS(damaged, NOT_OURS);
	}
	for (size_t i = 0; i < COUNT(protocols) * 2; i++) {
		struct packet packet = packet_build(&(struct packet_spec){
			.src = i & 1 ? CLIENT6 : CLIENT4,
			.dst = i & 1 ? VIP6 : VIP4,
			.protocol = protocols[i / 2],
			.payload = 32,
		});

		EXPECT_PASS(packet, NOT_TCP_UDP);
	}
	for (size_t i = 0; i < COUNT(groups); i++) {
		bool ip6 = strchr(groups[i], ':');
		struct packet packet = UDP(.src = ip6 ? CLIENT6 : CLIENT4, .dst = groups[i],
					   .dport = NAT_PORT, .to_mac = "ff:ff:ff:ff:ff:ff");

		EXPECT_PASS(packet, NOT_OURS);
	}
}
