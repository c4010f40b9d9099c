// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a million frames, good ones of every kind and damaged ones made of them, through every mode
 * and direction. None aborts the program; what is left to the kernel is untouched; what is sent has
 * headers whose lengths are true and, where the frame's own checksums were right, right ones. Each
 * is counted once. Needs root.
 *
 * The frames are the same in every run: a case is a seed, and a failure names seed and number.
 */
#include <netinet/ether.h>
#include <string.h>

#include "rig_suite.h"

#define COUNT(a)    (sizeof(a) / sizeof((a)[0]))
#define FRAMES	    250000 /* of a seed; there are four */
#define ORIGINALS   1024
#define HEADERS	    160 /* bytes, within which most mutations are */
#define FRAME_MAX   2048
#define ENDPOINT4   "10.0.0.11"
#define ENDPOINT6   "fd00::11"
#define IP4_MF	    0x2000
#define IP4_DF	    0x4000
#define LEARNED_MTU 1400
#define SNAT_PORTS  8000 /* 20000 to 27999, of which originals take a few */

RIG_SUITE(mutation);

static const struct mode {
	const char *name;
	uint16_t port;
	bool none; /* no endpoint takes anything: answered */
} modes[] = {
	{ "nat", 8080, false }, { "dsr", 80, false },  { "ipip", 81, false },
	{ "gue", 82, false },	{ "nat", 9090, true },
};
#define OTHER_PORT 7070 /* mode nat, to endpoints of the other family */

static void configure(void)
{
	static const struct weir_port_range ports = { 20000, 20000 + SNAT_PORTS - 1 };
	char text[8192] = "version: 1\nanswers_per_second: 1000000\nlisteners:\n";

	for (size_t i = 0; i < COUNT(modes) * 2; i++) {
		const struct mode *mode = &modes[i / 2];
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used,
			 "- {name: l%zu, protocol: %s, address: [" VIP4 ", '" VIP6
			 "'], port: %u, mode: %s, endpoint_groups: [{name: all, endpoints: "
			 "['" ENDPOINT4 " weight %d', '" ENDPOINT6 " weight %d']}]}\n",
			 i, i & 1 ? "udp" : "tcp", mode->port, mode->name, mode->none ? 0 : 1,
			 mode->none ? 0 : 1);
	}
	for (int i = 0; i < 4; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used,
			 "- {name: other%d, protocol: %s, address: '%s', port: %u, "
			 "endpoint_groups: [{name: all, endpoints: ['%s:8080']}]}\n",
			 i, i & 1 ? "udp" : "tcp", i & 2 ? VIP6 : VIP4, OTHER_PORT,
			 i & 2 ? ENDPOINT4 : "[" ENDPOINT6 "]");
	}
	rig_ports(SNAT4, 1, &ports);
	rig_ports(SNAT6, 1, &ports);
	rig_configure("%s", text);
	/* VIP6 is for others, as far as the kernel knows: so is a later fragment of no known
	 * packet. */
	cr_assert_eq(system("sysctl -qw net.ipv6.conf.all.forwarding=1 && ip link set arm0 up "
			    "&& ip -6 addr replace 2001:db8:c::1/64 dev arm0 nodad "
			    "&& ip -6 route replace default via 2001:db8:c::2"),
		     0);
}

/* xorshift64* */
static uint64_t random_state;

static uint32_t below(uint32_t bound)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull >> 32) * bound >> 32);
}

static struct packet originals[ORIGINALS];
static size_t original_count;

static struct packet *add_original(const struct packet_spec *spec)
{
	struct packet *packet = &originals[original_count++];

	cr_assert_lt(original_count, ORIGINALS);
	*packet = packet_build(spec);
	cr_assert_lt(packet->size, FRAME_MAX);
	return packet;
}

/* Headers that may stand before, by family. */
static const struct packet_spec heads4[] = {
	{ .payload = 0 },
	{ .payload = 33 },
	{ .payload = 1400, .fragment = IP4_DF },
	{ .vlan = { 100 }, .payload = 8 },
	{ .vlan = { 100, 200 }, .payload = 8 },
	{ .ip_options = 4, .payload = 8 },
	{ .ip_options = 40, .tcp_options = 40, .payload = 9 },
	{ .tcp_options = 12, .payload = 100, .trailer = 11 },
	{ .ttl = 1, .payload = 20 },
	{ .fragment = IP4_MF, .payload = 64 },
	{ .fragment = IP4_MF | 8, .payload = 64 },
	{ .fragment = 8, .payload = 64 },
	{ .without_checksum = true, .payload = 3 },
};
static const struct packet_spec heads6[] = {
	{ .payload = 0 },
	{ .payload = 33 },
	{ .payload = 1400 },
	{ .vlan = { 100 }, .payload = 8 },
	{ .vlan = { 100, 200 }, .payload = 8 },
	{ .extensions = { EXT_HOP }, .payload = 8 },
	{ .extensions = { EXT_HOP, EXT_DEST, EXT_ROUTING, EXT_ATOMIC, EXT_AH, EXT_DEST },
	  .payload = 9 },
	{ .extensions = { EXT_ATOMIC }, .trailer = 11 },
	{ .ttl = 1, .payload = 20 },
	{ .extensions = { EXT_FIRST }, .payload = 64 },
	{ .extensions = { EXT_HOP, EXT_FIRST, EXT_DEST }, .payload = 64 },
	{ .extensions = { EXT_LATER }, .payload = 64 },
	{ .extensions = { EXT_DEST, EXT_LATER }, .payload = 64 },
};

static struct packet_spec head(bool ip6, size_t i)
{
	struct packet_spec spec = ip6 ? heads6[i % COUNT(heads6)] : heads4[i % COUNT(heads4)];

	spec.src = ip6 ? CLIENT6 : CLIENT4;
	spec.dst = ip6 ? VIP6 : VIP4;
	spec.id = (uint32_t)(100 + i); /* first and later fragments of some packets meet */
	return spec;
}

/* Of each mode and protocol, through a connection's life. */
static void make_requests(void)
{
	static const uint8_t flags[] = { TH_SYN, TH_ACK, TH_FIN | TH_ACK, TH_RST };

	for (size_t i = 0; i < (COUNT(modes) + 1) * 2 * 2 * COUNT(heads4); i++) {
		size_t shape = i / 4 / (COUNT(modes) + 1), mode = i / 4 % (COUNT(modes) + 1);
		struct packet_spec spec = head(i & 1, shape);

		spec.protocol = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
		spec.dport = mode < COUNT(modes) ? modes[mode].port : OTHER_PORT;
		spec.sport = (uint16_t)(1000 + shape % 5);
		spec.flags = flags[shape % COUNT(flags)];
		add_original(&spec);
	}
}

static void make_pings(void)
{
	for (size_t i = 0; i < 2 * COUNT(heads4); i++) {
		struct packet_spec spec = head(i & 1, i / 2);

		spec.protocol = IPPROTO_ICMP;
		spec.icmp_type = i & 1 ? 128 : 8;
		spec.icmp_rest = (uint32_t)i;
		add_original(&spec);
	}
}

/* The source port that a new flow through mode nat has got, towards the same or the other family.
 */
static uint16_t open_flow(bool ip6, uint8_t protocol, uint16_t sport, bool other)
{
	struct packet first = packet_build(&(struct packet_spec){
		.protocol = protocol,
		.src = ip6 ? CLIENT6 : CLIENT4,
		.dst = ip6 ? VIP6 : VIP4,
		.sport = sport,
		.dport = other ? OTHER_PORT : modes[0].port,
		.flags = TH_SYN,
	});
	struct packet out;

	cr_assert_eq(rig_run(&first, &out), XDP_TX);
	return packet_get16(&out, first.l3 + (ip6 != other ? 40 : 20));
}

/* Of flows that are open: answers of the endpoint. */
static void make_replies(void)
{
	for (size_t i = 0; i < 8 * COUNT(heads4); i++) {
		struct packet_spec spec = head(i & 1, i / 8);
		bool other = i & 4;
		char mac[RIG_MAC_TEXT];

		spec.protocol = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
		spec.dst = i & 1 ? SNAT6 : SNAT4;
		spec.dport =
			open_flow(other != (i & 1), spec.protocol, (uint16_t)(2000 + i % 8), other);
		spec.src = i & 1 ? ENDPOINT6 : ENDPOINT4;
		spec.sport = modes[0].port;
		spec.from_mac = rig_mac(spec.src, mac);
		spec.flags = TH_ACK;
		add_original(&spec);
	}
}

/* ICMP errors: about what an endpoint of mode dsr has sent, and about both directions of nat. */
static void make_errors(void)
{
	static const uint8_t kinds[][4] = { { 3, 4, 2, 0 }, { 3, 3, 1, 4 }, { 11, 0, 3, 0 } };

	for (size_t i = 0; i < 4 * 5 * COUNT(heads4); i++) {
		size_t about = i / 4 % 5; /* what dsr, nat and nat to the other family have sent */
		bool ip6 = i & 1, other = about > 2, of_request = about == 2 || about == 4;
		const uint8_t *kind = kinds[i % COUNT(kinds)];
		struct packet_spec spec = head(ip6, i / 20), inner = head(ip6, i % COUNT(heads4));
		struct packet quote;

		inner.protocol = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
		inner.flags = TH_ACK;
		if (of_request) {
			inner.src = ip6 ? SNAT6 : SNAT4;
			inner.sport = open_flow(other != ip6, inner.protocol,
						(uint16_t)(2000 + i % 8), other);
			inner.dst = ip6 ? ENDPOINT6 : ENDPOINT4;
			inner.dport = modes[0].port;
		} else {
			inner.src = ip6 ? VIP6 : VIP4;
			inner.sport = other ? OTHER_PORT : modes[about].port;
			inner.dst = ip6 ? CLIENT6 : CLIENT4;
			inner.dport = (uint16_t)(2000 + i % 8);
		}
		inner.payload %= 300;
		quote = packet_build(&inner);
		spec.payload %= 30;
		spec.protocol = IPPROTO_ICMP;
		spec.src = ip6 ? "2001:db8:f::9" : "203.0.113.9";
		spec.dst = inner.src;
		spec.icmp_type = kind[ip6 ? 2 : 0];
		spec.icmp_code = kind[ip6 ? 3 : 1];
		spec.icmp_rest = 1280;
		spec.quote = &quote;
		spec.quoted = i % 5 ? 0 : (uint16_t)(quote.l4 - quote.l3 + 8);
		add_original(&spec);
	}
}

/* What a router says of outer packets in the tunnels, of either family around either: too big,
 * which is learned, or another error. */
static void make_outer_errors(void)
{
	static const uint8_t kinds[][4] = { { 3, 4, 2, 0 }, { 3, 4, 2, 0 }, { 11, 0, 3, 0 } };

	for (size_t i = 0; i < 96; i++) {
		const uint8_t *kind = kinds[i % COUNT(kinds)];
		struct packet_spec spec = head(false, i / 8), inner = head(i & 1, 1);
		struct packet first, quote;
		bool ip6;

		inner.protocol = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
		inner.dport = modes[i & 4 ? 3 : 2].port;
		inner.sport = (uint16_t)(3000 + i);
		inner.flags = TH_ACK;
		first = packet_build(&inner);
		cr_assert_eq(rig_run(&first, &quote), XDP_TX);
		quote.l3 = 14;
		ip6 = quote.bytes[14] >> 4 == 6;
		if (ip6)
			spec = head(true, i / 8);
		spec.payload = 0;
		spec.protocol = IPPROTO_ICMP;
		spec.src = ip6 ? "fd00::99" : "10.0.0.99";
		spec.dst = ip6 ? SNAT6 : SNAT4;
		spec.icmp_type = kind[ip6 ? 2 : 0];
		spec.icmp_code = kind[ip6 ? 3 : 1];
		spec.icmp_rest = LEARNED_MTU;
		spec.quote = &quote;
		spec.quoted = i % 5 ? 0 : (uint16_t)(quote.size - 14);
		add_original(&spec);
	}
}

/* So that MTUs are learned, and taken back, all the time. */
static void widen_paths(void)
{
	for (uint32_t row = 0; row < rig.object->capacity.of[CAPACITY_ROWS]; row++)
		if (rig.object->endpoints[row].mtu == LEARNED_MTU)
			rig.object->endpoints[row].mtu = RIG_MTU;
}

/* Next hops and clients are in another VLAN now, or in none; the same for all, so that answers that
 * came untagged find their way. */
static void change_vlans(uint32_t round)
{
	static const uint16_t vlans[][WEIR_VLANS] = {
		{}, { 100 }, { 300 | WEIR_VLAN_8021AD, 100 }, { 100 | WEIR_VLAN_8021AD, 200 }
	};

	for (uint32_t i = 1; i < WEIR_MAX_EGRESS; i++)
		if (rig.object->egress[i].ifindex == rig.arm[0])
			memcpy(rig.object->egress[i].vlan, vlans[round % COUNT(vlans)],
			       sizeof(vlans[0]));
}

static void insert(struct packet *frame, size_t at, size_t size)
{
	if (frame->size + size > FRAME_MAX || at > frame->size)
		return;
	memmove(frame->bytes + at + size, frame->bytes + at, frame->size - at);
	for (size_t i = 0; i < size; i++)
		frame->bytes[at + i] = (uint8_t)below(256);
	frame->size += size;
}

static void take_out(struct packet *frame, size_t at, size_t size)
{
	if (at + size > frame->size || frame->size - size < 14)
		return;
	memmove(frame->bytes + at, frame->bytes + at + size, frame->size - at - size);
	frame->size -= size;
}

/* The head of one frame, the rest of another. */
static void splice(struct packet *frame)
{
	const struct packet *other = &originals[below((uint32_t)original_count)];
	size_t from = below((uint32_t)other->size), at = below((uint32_t)frame->size);

	if (at + other->size - from > FRAME_MAX || at + other->size - from < 14)
		return;
	memcpy(frame->bytes + at, other->bytes + from, other->size - from);
	frame->size = at + other->size - from;
}

static void mutate_once(struct packet *frame)
{
	static const uint8_t telling[] = { 0,	 1,    2,    3,	   4,	 5,    6,    8,
					   0x0f, 0x11, 0x29, 0x2c, 0x33, 0x3a, 0x45, 0x46,
					   0x4f, 0x60, 0x7f, 0x80, 0x81, 0x86, 0xfe, 0xff };
	uint32_t headers = frame->size < HEADERS ? (uint32_t)frame->size : HEADERS;
	uint32_t at = below(below(4) ? headers : (uint32_t)frame->size);

	switch (below(9)) {
	case 0:
		frame->bytes[at] ^= (uint8_t)(1u << below(8));
		break;
	case 1:
		frame->bytes[at] = (uint8_t)below(256);
		break;
	case 2:
		frame->bytes[at] = telling[below(COUNT(telling))];
		break;
	case 3: /* a length, a port or a checksum, a little off */
		packet_set16(frame, at & ~1u,
			     (uint16_t)(packet_get16(frame, at & ~1u) + below(9) - 4));
		break;
	case 4:
		frame->size = at < 14 ? 14 : at;
		break;
	case 5: /* another tag, or one less */
		insert(frame, 12, 4);
		packet_set16(frame, 12, below(2) ? 0x8100 : 0x88a8);
		break;
	case 6:
		take_out(frame, at, 1 + below(12));
		break;
	case 7:
		insert(frame, at, 1 + below(12));
		break;
	default:
		splice(frame);
		break;
	}
}

/* What it takes to see what went wrong. */
static void print_frame(const char *what, const struct packet *frame)
{
	fprintf(stderr, "%s, %zu bytes:", what, frame->size);
	for (size_t i = 0; i < frame->size && i < HEADERS; i++)
		fprintf(stderr, "%s%02x", i % 2 ? "" : " ", frame->bytes[i]);
	fprintf(stderr, "\n");
}

static bool is_endpoint(const uint8_t mac[6])
{
	char text[RIG_MAC_TEXT];

	return !memcmp(mac, ether_aton(rig_mac(ENDPOINT4, text)), 6) ||
	       !memcmp(mac, ether_aton(rig_mac(ENDPOINT6, text)), 6);
}

static size_t l3_of(const struct packet *frame)
{
	size_t at = 14;

	while (at < 22 &&
	       (packet_get16(frame, at - 2) == 0x8100 || packet_get16(frame, at - 2) == 0x88a8))
		at += 4;
	return at;
}

/* Where the packet inside a tunnel to an endpoint begins, or 0. */
static size_t inside(const struct packet *out)
{
	size_t l3 = l3_of(out);
	const uint8_t *ip = out->bytes + l3;
	bool ip4 = ip[0] >> 4 == 4;
	size_t inner = l3 + (ip4 ? 20 : 40);
	uint8_t protocol = ip[ip4 ? 9 : 6];

	if (!is_endpoint(out->bytes) || (!ip4 && ip[24] != 0xfd) || (ip4 && ip[16] != 10))
		return 0;
	if (protocol == IPPROTO_UDP && packet_get16(out, inner + 2) == 6080)
		return inner + 12;
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 ? inner : 0;
}

/* The outer headers are weir's own, and what is inside is what came, without Ethernet's padding. */
static const char *fault_of_tunnel(const struct packet *in, const struct packet *out, size_t inner)
{
	struct packet_sums sums = packet_sums(out->bytes, out->size);
	struct packet_sums before = packet_sums(in->bytes, in->size);
	/* The outer checksum covers what is inside, and is made without a look at it. */
	bool good = before.l4 == SUM_GOOD && before.ip != SUM_BAD;

	if (!packet_is_sound(out->bytes, out->size) || sums.ip == SUM_BAD)
		return "an outer header lies";
	if (good && sums.l4 == SUM_BAD)
		return "the outer checksum is wrong";
	if (out->size - inner > in->size - l3_of(in) ||
	    memcmp(out->bytes + inner, in->bytes + l3_of(in), out->size - inner))
		return "changed inside a tunnel";
	return NULL;
}

/* What is wrong with a frame that was sent, or NULL. */
static const char *fault_of(const struct packet *in, const struct packet *out)
{
	struct packet_sums before = packet_sums(in->bytes, in->size);
	struct packet_sums after = packet_sums(out->bytes, out->size);

	if (inside(out))
		return fault_of_tunnel(in, out, inside(out));
	if (!packet_is_sound(out->bytes, out->size))
		return "a header lies";
	if (before.ip == SUM_GOOD && after.ip == SUM_BAD)
		return "the IPv4 header's checksum is wrong";
	if (before.l4 == SUM_GOOD && after.l4 != SUM_GOOD)
		return "the checksum of layer 4 is wrong";
	if (before.quoted == SUM_GOOD && after.quoted == SUM_BAD)
		return "the checksum of the quoted header is wrong";
	/* Of another size, and back to a client: weir's own words. */
	if (!is_endpoint(out->bytes) && !memcmp(out->bytes, in->bytes + 6, 6) &&
	    out->size - l3_of(out) != in->size - l3_of(in) &&
	    (after.ip == SUM_BAD || after.l4 != SUM_GOOD))
		return "an answer's checksum is wrong";
	return NULL;
}

static void check(const struct packet *in, const struct packet *out, int verdict, uint64_t seed,
		  uint32_t number)
{
	const char *fault = NULL;

	if (verdict != XDP_DROP && verdict != XDP_PASS && verdict != XDP_TX)
		fault = "aborted";
	else if (verdict == XDP_PASS && packet_difference(in, out) != -1)
		fault = "passed, but changed";
	else if (verdict == XDP_TX)
		fault = fault_of(in, out);
	if (!fault)
		return;
	print_frame("in", in);
	print_frame("out", out);
	cr_assert_fail("seed %lu, frame %u: %s", seed, number, fault);
}

static uint64_t counted(enum weir_reason reason)
{
	uint64_t sum = rig_counted(NULL, reason);

	vec_foreach(listener, &rig.plan->listeners)
		sum += rig_counted(listener->name, reason);
	return sum;
}

/* All ends of packets, of whatever kind. */
static uint64_t counted_ends(void)
{
	uint64_t sum = 0;

	for (unsigned reason = 0; reason < WEIR_R_FLOW_RECORDED; reason++)
		sum += counted(reason);
	return sum;
}

/* The run is worth something only if a good part of the frames goes each way. */
static void check_reach(const uint64_t verdicts[8])
{
	static const enum weir_reason reached[] = {
		WEIR_R_FORWARDED,	WEIR_R_REPLIED,	     WEIR_R_ICMP_ERROR,
		WEIR_R_NOT_IP,		WEIR_R_NOT_OURS,     WEIR_R_TRUNCATED,
		WEIR_R_FRAGMENT_PASSED, WEIR_R_ICMP_UNKNOWN, WEIR_R_BAD_HEADER,
		WEIR_R_ANSWERED,	WEIR_R_ECHO,	     WEIR_R_TTL_EXPIRED,
	};

	/* What takes a certain frame, or one that another has made way for. */
	static const enum weir_reason also_reached[] = {
		WEIR_R_FRAGMENT,
		WEIR_R_FRAGMENT_FAMILY,
		WEIR_R_TOO_BIG,
		WEIR_R_MTU_LEARNED,
	};

	cr_assert(verdicts[XDP_DROP] > FRAMES / 10 && verdicts[XDP_PASS] > FRAMES / 10 &&
			  verdicts[XDP_TX] > FRAMES / 5,
		  "%lu dropped, %lu passed, %lu sent", verdicts[XDP_DROP], verdicts[XDP_PASS],
		  verdicts[XDP_TX]);
	for (size_t i = 0; i < COUNT(reached); i++)
		cr_assert_gt(counted(reached[i]), FRAMES / 200, "%s: only %lu",
			     rig_reason(reached[i]), counted(reached[i]));
	for (size_t i = 0; i < COUNT(also_reached); i++)
		cr_assert_gt(counted(also_reached[i]), FRAMES / 1000, "%s: only %lu",
			     rig_reason(also_reached[i]), counted(also_reached[i]));
	cr_assert_eq(counted(WEIR_R_INTERNAL), 0);
}

static void run_seed(uint64_t seed)
{
	static struct packet in, out;
	uint64_t verdicts[8] = {}, before;

	configure();
	random_state = seed * 0x9e3779b97f4a7c15ull;
	make_requests();
	make_pings();
	make_replies();
	make_errors();
	make_outer_errors();
	before = counted_ends();
	for (uint32_t number = 0; number < FRAMES; number++) {
		const struct packet *from = &originals[below((uint32_t)original_count)];
		int verdict;

		if (number % 256 == 0)
			widen_paths();
		if (number % 1024 == 0)
			change_vlans(number / 1024);
		in.size = from->size;
		memcpy(in.bytes, from->bytes, FRAME_MAX);
		for (uint32_t times = below(4); times > 0; times--)
			mutate_once(&in);
		if (below(2))
			packet_repair(&in); /* as a sender would have: it gets further */
		verdict = rig_run(&in, &out);
		check(&in, &out, verdict, seed, number);
		verdicts[verdict]++;
	}
	cr_assert_eq(counted_ends() - before, FRAMES);
	check_reach(verdicts);
}

Test(mutation, first_seed, .timeout = 120)
{
	run_seed(1);
}

Test(mutation, second_seed, .timeout = 120)
{
	run_seed(2);
}

Test(mutation, third_seed, .timeout = 120)
{
	run_seed(3);
}

Test(mutation, fourth_seed, .timeout = 120)
{
	run_seed(4);
}
