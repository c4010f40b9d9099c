// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the decapsulation program gives back what went into a tunnel, byte by byte, and nothing
 * else: what is not for this host, not from where it may come, or damaged, is left alone or
 * dropped, each for a reason that is counted. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include <weir/decap.h>

#include "decap.skel.h"
#include "net/addr.h"
#include "packet.h"

#define CLIENT4	     "198.51.100.7"
#define CLIENT6	     "2001:db8:c::7"
#define VIP4	     "192.0.2.1"
#define VIP6	     "2001:db8::1"
#define BALANCER4    "10.0.0.1"
#define BALANCER6    "fd00::1"
#define HOST4	     "10.0.0.11"
#define HOST6	     "fd00::11"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct decap *decap_object;

static void add_address(const char *text)
{
	uint32_t value = 1;
	struct addr addr;

	cr_assert_eq(addr_parse(text, &addr), 0);
	cr_assert_eq(bpf_map__update_elem(decap_object->maps.decap_local, addr.bytes, 16, &value,
					  sizeof(value), BPF_ANY),
		     0);
}

static void configure(bool limited)
{
	struct weir_decap_config config = { .gue_port = 6080, .limited = limited };
	uint32_t zero = 0;

	cr_assert_eq(bpf_map__update_elem(decap_object->maps.decap_config, &zero, sizeof(zero),
					  &config, sizeof(config), BPF_ANY),
		     0);
}

static void allow(const char *text)
{
	struct weir_decap_prefix key = {};
	struct addr_prefix prefix;
	uint32_t version;

	cr_assert_eq(addr_prefix_parse(text, &prefix), 0);
	key.bits = prefix.bits;
	memcpy(key.addr, prefix.addr.bytes, sizeof(key.addr));
	version = addr_family(&prefix.addr) == AF_INET ? 4 : 6;
	cr_assert_eq(bpf_map__update_elem(decap_object->maps.decap_from, &key, sizeof(key),
					  &version, sizeof(version), BPF_ANY),
		     0);
}

static void up(void)
{
	libbpf_set_print(NULL);
	decap_object = decap__open_and_load();
	cr_assert(decap_object, "%s", strerror(errno));
	add_address(HOST4);
	add_address(HOST6);
	add_address(VIP4);
	add_address(VIP6);
	configure(false);
}

static void down(void)
{
	decap__destroy(decap_object);
}

TestSuite(decap, .init = up, .fini = down);

static const char *const reasons[] = {
#define X(name, kind, metric, help, hint) #name,
	WEIR_DECAP_REASONS(X)
#undef X
};

static uint64_t counted(uint32_t reason)
{
	uint64_t cpus[256] = {}, sum = 0;
	int count = libbpf_num_possible_cpus();

	cr_assert_eq(
		bpf_map_lookup_elem(bpf_map__fd(decap_object->maps.decap_stats), &reason, cpus), 0);
	for (int i = 0; i < count; i++)
		sum += cpus[i];
	return sum;
}

/* Through the program: its verdict; the one reason that was counted in *reason. */
static int run(const struct packet *packet, struct packet *out, uint32_t *reason)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->bytes,
		    .data_size_in = (uint32_t)packet->size, .data_out = out->bytes,
		    .data_size_out = PACKET_MAX, .repeat = 1);
	uint64_t before[WEIR_DECAP_COUNT];
	unsigned more = 0;

	for (uint32_t i = 0; i < WEIR_DECAP_COUNT; i++)
		before[i] = counted(i);
	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(decap_object->progs.decap), &options),
		     0, "%s", strerror(errno));
	out->size = options.data_size_out;
	for (uint32_t i = 0; i < WEIR_DECAP_COUNT; i++) {
		more += (unsigned)(counted(i) - before[i]);
		if (counted(i) != before[i])
			*reason = i;
	}
	cr_assert_eq(more, 1);
	return (int)options.retval;
}

static void expect(const struct packet *packet, const struct packet *expected, int verdict,
		   uint32_t reason, int line)
{
	uint32_t got = WEIR_DECAP_COUNT;
	struct packet out;
	int got_verdict = run(packet, &out, &got);
	long at;

	cr_assert(got_verdict == verdict && got == reason, "line %d: %d of %s, not %d of %s", line,
		  got_verdict, reasons[got], verdict, reasons[reason]);
	if (!expected)
		return;
	at = packet_difference(&out, expected);
	cr_assert_eq(at, -1, "line %d: byte %ld is %02x, not %02x (%zu bytes, not %zu)", line, at,
		     out.bytes[at < 0 ? 0 : at], expected->bytes[at < 0 ? 0 : at], out.size,
		     expected->size);
}

#define EXPECT_TAKEN(packet, inner, reason)                                                        \
	expect(&(packet), &(inner), XDP_PASS, WEIR_DECAP_##reason, __LINE__)
#define EXPECT_LEFT(packet, reason)                                                                \
	expect(&(packet), &(packet), XDP_PASS, WEIR_DECAP_##reason, __LINE__)
#define EXPECT_DROPPED(packet, reason)                                                             \
	expect(&(packet), NULL, XDP_DROP, WEIR_DECAP_##reason, __LINE__)

static struct packet_outer outer_of(unsigned kind)
{
	struct packet_outer outer = {
		.src = kind & 1 ? BALANCER6 : BALANCER4,
		.dst = kind & 1 ? HOST6 : HOST4,
		.fragment = 0x4000,
		.gue = kind & 2,
		.sport = 50000,
		.without_checksum = !(kind & 1),
	};

	return outer;
}

#define KINDS	     4 /* ipip and gue over IPv4 and IPv6 */
#define REASON(kind) ((kind)&2 ? WEIR_DECAP_GUE : WEIR_DECAP_IPIP)

#define FROM_4	     .src = CLIENT4, .dst = VIP4, .sport = 40000, .dport = 80
#define FROM_6	     .src = CLIENT6, .dst = VIP6, .sport = 40000, .dport = 80

static const struct packet_spec inners[] = {
	{ .protocol = IPPROTO_TCP, FROM_4, .flags = TH_SYN },
	{ .protocol = IPPROTO_TCP, FROM_4, .flags = TH_ACK, .payload = 1400, .ttl = 1 },
	{ .protocol = IPPROTO_TCP, FROM_4, .flags = TH_ACK, .vlan = { 5 } },
	{ .protocol = IPPROTO_TCP, FROM_4, .flags = TH_ACK, .vlan = { 5, 6 }, .payload = 3 },
	{ .protocol = IPPROTO_TCP, FROM_4, .flags = TH_ACK, .ip_options = 40 },
	{ .protocol = IPPROTO_UDP, FROM_4, .payload = 8000 },
	{ .protocol = IPPROTO_ICMP, FROM_4, .payload = 40 },
	{ .protocol = IPPROTO_TCP, FROM_6, .flags = TH_ACK, .payload = 100 },
	{ .protocol = IPPROTO_TCP, FROM_6, .flags = TH_ACK, .vlan = { 5, 6 } },
	{ .protocol = IPPROTO_UDP, FROM_6, .extensions = { EXT_HOP, EXT_LATER }, .payload = 99 },
};

Test(decap, what_went_in_comes_out)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < COUNT(inners); i++) {
			struct packet inner = packet_build(&inners[i]);
			struct packet_outer outer = outer_of(kind);
			struct packet packet = packet_tunnel(&inner, &outer);

			expect(&packet, &inner, XDP_PASS, REASON(kind), (int)(1000 * kind + i));
		}
	}
}

/* With Ethernet's padding behind it, which the stack cuts off as it always does. */
Test(decap, padding_stays)
{
	struct packet inner = UDP(FROM_4), padded;
	struct packet_outer outer = outer_of(0);
	struct packet packet = packet_tunnel(&inner, &outer);

	packet.size += 6;
	padded = inner;
	padded.size += 6;
	EXPECT_TAKEN(packet, padded, IPIP);
}

Test(decap, what_is_no_tunnel_is_left_alone)
{
	struct packet tcp = TCP(FROM_4, .flags = TH_SYN), udp = UDP(FROM_6, .payload = 10);
	struct packet arp = {
		.size = 60,
		.bytes = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6 },
	};
	struct packet icmp = packet_build(&(struct packet_spec){
		.src = CLIENT4, .dst = HOST4, .protocol = IPPROTO_ICMP, .payload = 40 });
	struct packet other = UDP(.src = CLIENT4, .dst = HOST4, .dport = 6081, .payload = 60);
	struct packet later = UDP(.src = CLIENT4, .dst = HOST4, .dport = 6081, .fragment = 0x0010);

	EXPECT_LEFT(tcp, NOT_TUNNEL);
	EXPECT_LEFT(udp, NOT_TUNNEL);
	EXPECT_LEFT(arp, NOT_TUNNEL);
	EXPECT_LEFT(icmp, NOT_TUNNEL);
	EXPECT_LEFT(other, NOT_TUNNEL);
	EXPECT_LEFT(later, NOT_TUNNEL);
	tcp.bytes[12] = 0x12; /* an Ethernet type of nobody's */
	EXPECT_LEFT(tcp, NOT_TUNNEL);
}

Test(decap, both_destinations_have_to_be_here)
{
	struct packet here = TCP(FROM_4, .flags = TH_SYN), here6 = TCP(FROM_6, .flags = TH_SYN);
	struct packet there = TCP(.src = CLIENT4, .dst = "192.0.2.2", .flags = TH_SYN);
	struct packet there6 = TCP(.src = CLIENT6, .dst = "2001:db8::2", .flags = TH_SYN);

	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct packet_outer outer = outer_of(kind), away = outer;
		struct packet packet;

		away.dst = kind & 1 ? "fd00::12" : "10.0.0.12";
		packet = packet_tunnel(&here, &away);
		EXPECT_LEFT(packet, OUTER_NOT_LOCAL);
		packet = packet_tunnel(&here6, &away);
		EXPECT_LEFT(packet, OUTER_NOT_LOCAL);
		packet = packet_tunnel(&there, &outer);
		EXPECT_LEFT(packet, INNER_NOT_LOCAL);
		packet = packet_tunnel(&there6, &outer);
		EXPECT_LEFT(packet, INNER_NOT_LOCAL);
	}
}

Test(decap, the_source_can_be_limited)
{
	static const struct {
		const char *source4, *source6;
		bool allowed;
	} cases[] = {
		{ "10.0.0.1", "fd00::1", true },      { "10.0.1.1", "fd00:0:0:1::1", false },
		{ "10.0.0.255", "fd00::ffff", true }, { "192.0.2.77", "2001:db8::77", false },
		{ "172.16.0.9", "fd01::9", true },    { "172.16.0.8", "fd01::8", false },
	};
	struct packet inner = TCP(FROM_4, .flags = TH_SYN);

	configure(true);
	allow("10.0.0.0/24");
	allow("fd00::/64");
	allow("172.16.0.9");
	allow("fd01::9");
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < COUNT(cases); i++) {
			struct packet_outer outer = outer_of(kind);
			struct packet packet;

			outer.src = kind & 1 ? cases[i].source6 : cases[i].source4;
			packet = packet_tunnel(&inner, &outer);
			if (cases[i].allowed)
				expect(&packet, &inner, XDP_PASS, REASON(kind), (int)i);
			else
				EXPECT_LEFT(packet, SOURCE);
		}
	}
}

/* Every IPv6 source is no IPv4 source, though IPv4 is written as IPv6 here. */
Test(decap, an_ip6_prefix_has_no_ip4_source)
{
	struct packet inner = TCP(FROM_4, .flags = TH_SYN);
	struct packet_outer outer4 = outer_of(0), outer6 = outer_of(1);
	struct packet in4 = packet_tunnel(&inner, &outer4), in6 = packet_tunnel(&inner, &outer6);

	configure(true);
	allow("::/0");
	EXPECT_LEFT(in4, SOURCE);
	EXPECT_TAKEN(in6, inner, IPIP);
	allow("0.0.0.0/0");
	EXPECT_TAKEN(in4, inner, IPIP);
	EXPECT_TAKEN(in6, inner, IPIP);
}

Test(decap, fragments_and_options_are_the_kernels)
{
	static const uint16_t fragments[] = { 0x2000, 0x0010, 0x2010 };
	struct packet inner = TCP(FROM_4, .flags = TH_SYN);
	struct packet options = packet_build(&(struct packet_spec){ .src = BALANCER4,
								    .dst = HOST4,
								    .protocol = IPPROTO_IPIP,
								    .ip_options = 8,
								    .payload = 60 });
	struct packet_outer outer = outer_of(0);
	struct packet packet;

	for (size_t i = 0; i < COUNT(fragments); i++) {
		outer.fragment = fragments[i];
		packet = packet_tunnel(&inner, &outer);
		EXPECT_LEFT(packet, OUTER_UNUSUAL);
	}
	EXPECT_LEFT(options, OUTER_UNUSUAL);
}

Test(decap, gue_of_another_kind_is_left_alone)
{
	static const uint8_t firsts[] = { 0x20, 0x01, 0x40, 0x80,
					  0xc0 }; /* control, options, ... */
	struct packet inner = TCP(FROM_4, .flags = TH_SYN);
	struct packet_outer outer = outer_of(2);
	struct packet packet = packet_tunnel(&inner, &outer);
	size_t gue = packet.l4 - 4;

	for (size_t i = 0; i < COUNT(firsts); i++) {
		packet.bytes[gue] = firsts[i];
		EXPECT_LEFT(packet, GUE_UNKNOWN);
	}
	packet.bytes[gue] = 0;
	packet.bytes[gue + 2] = 0x80;
	EXPECT_LEFT(packet, GUE_UNKNOWN);
	packet.bytes[gue + 2] = 0;
	packet.bytes[gue + 1] = IPPROTO_UDP;
	EXPECT_LEFT(packet, GUE_UNKNOWN);
}

/* RFC 6040, section 4.2, figure 4: the inner field by the outer one; -1: dropped. */
Test(decap, ecn_is_handed_on)
{
	static const int table[4][4] = {
		/* outer: Not-ECT, ECT(1), ECT(0), CE */
		[0] = { 0, 0, 0, -1 },
		[1] = { 1, 1, 1, 3 },
		[2] = { 2, 1, 2, 3 },
		[3] = { 3, 3, 3, 3 },
	};

	for (unsigned kind = 0; kind < KINDS * 2; kind++) {
		for (unsigned i = 0; i < 16; i++) {
			unsigned in = i / 4, around = i % 4;
			uint8_t before = (uint8_t)(0xb8 | in),
				after = (uint8_t)(0xb8 | table[in][around]);
			struct packet inner = kind < KINDS ? TCP(FROM_4, .tos = before)
							   : TCP(FROM_6, .tos = before);
			struct packet wanted = kind < KINDS ? TCP(FROM_4, .tos = after)
							    : TCP(FROM_6, .tos = after);
			struct packet_outer outer = outer_of(kind % KINDS);
			struct packet packet;

			outer.tos = (uint8_t)(0x20 | around);
			packet = packet_tunnel(&inner, &outer);
			if (table[in][around] < 0)
				EXPECT_DROPPED(packet, CONGESTED);
			else
				expect(&packet, &wanted, XDP_PASS, REASON(kind % KINDS), (int)i);
		}
	}
}

/* Sets 16 bits of a packet that is otherwise good, which must then be dropped. */
static void lie(const struct packet *packet, size_t offset, uint16_t value, uint32_t reason,
		int line)
{
	struct packet lying = *packet;

	packet_set16(&lying, offset, value);
	expect(&lying, NULL, XDP_DROP, reason, line);
}

#define LIE(offset, value, reason) lie(&packet, offset, value, WEIR_DECAP_##reason, __LINE__)

Test(decap, lying_lengths_are_found)
{
	struct packet inner = TCP(FROM_4, .flags = TH_SYN, .payload = 10);
	struct packet inner6 = TCP(FROM_6, .flags = TH_SYN, .payload = 10);

	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct packet_outer outer = outer_of(kind);
		struct packet packet = packet_tunnel(&inner, &outer);
		size_t at = packet.l4; /* of the inner header */

		LIE(at, 0x6500, BAD_HEADER); /* version 6 inside protocol 4 */
		LIE(at, 0x4400, BAD_HEADER); /* a header of 16 bytes */
		LIE(at + 2, 51, BAD_HEADER); /* a byte more than there is */
		LIE(at + 2, 65535, BAD_HEADER);
		LIE(at + 2, 19, BAD_HEADER); /* less than its header */
		packet = packet_tunnel(&inner6, &outer);
		LIE(at, 0x4500, BAD_HEADER);
		LIE(at + 4, 31, BAD_HEADER);
		LIE(at + 4, 65535, BAD_HEADER);
		if (kind & 2) {
			LIE(at - 8, 11, BAD_HEADER); /* UDP's length */
			LIE(at - 8, 12, TRUNCATED);
			LIE(at - 8, 65535, BAD_HEADER);
		}
		if (kind & 1) {
			LIE(packet.l3 + 4, 65535, TRUNCATED);
		} else {
			LIE(packet.l3 + 2, 19, BAD_HEADER);
			LIE(packet.l3 + 10, 0x1234, BAD_HEADER); /* the header's checksum */
		}
	}
}

/* The outer length is a byte longer than the frame, though the sum is right. */
Test(decap, an_outer_length_beyond_the_frame_is_found)
{
	struct packet inner = TCP(FROM_4, .flags = TH_SYN, .payload = 10);

	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct packet_outer outer = outer_of(kind);
		struct packet packet = packet_tunnel(&inner, &outer);

		packet.size--;
		EXPECT_DROPPED(packet, TRUNCATED);
	}
}

/* Cut off at every byte: never taken, never aborted, and what is left alone is untouched. */
Test(decap, truncation_at_every_byte)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < COUNT(inners); i++) {
			struct packet inner = packet_build(&inners[i]);
			struct packet_outer outer = outer_of(kind);
			struct packet whole = packet_tunnel(&inner, &outer);

			for (size_t size = 14; size < whole.size && size < 200; size++) {
				uint32_t reason = WEIR_DECAP_COUNT;
				struct packet cut = whole, out;
				int verdict;

				cut.size = size;
				verdict = run(&cut, &out, &reason);
				if (verdict == XDP_PASS) {
					cr_assert_eq(reason, WEIR_DECAP_NOT_TUNNEL);
					cr_assert_eq(packet_difference(&out, &cut), -1);
				} else {
					cr_assert_eq(verdict, XDP_DROP);
					cr_assert_eq(reason, WEIR_DECAP_TRUNCATED);
				}
				cr_assert(size >= whole.l3 + 40 || verdict == XDP_PASS ||
					  !(kind & 1));
			}
		}
	}
}

/* Larger than a page: several buffers, the headers in the first. */
Test(decap, multi_buffer_frames)
{
	struct packet inner = UDP(FROM_6, .payload = 9000);

	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct packet_outer outer = outer_of(kind);
		struct packet packet = packet_tunnel(&inner, &outer);

		expect(&packet, &inner, XDP_PASS, REASON(kind), (int)kind);
		packet.size--;
		EXPECT_DROPPED(packet, TRUNCATED);
	}
}
