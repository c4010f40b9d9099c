// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a packet leaves with the VLAN tags of its next hop, whatever it came with, and in every
 * other byte as it would without VLANs; answers find the client's VLAN again. Needs root.
 */
#include <net/ethernet.h>
#include <string.h>

#include "rig_suite.h"
#include "talk.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SERVICE	     WEIR_VLAN_8021AD
#define PRIORITY     0xf000

RIG_SUITE(vlan);

/* Tags as a packet_spec has them, and as a VLAN device. */
struct tags {
	uint16_t frame[3];
	uint16_t device[WEIR_VLANS];
};

/* Where an endpoint may be. */
static const struct tags ways[] = {
	{ {}, {} },
	{ { 100 }, { 100 } },
	{ { 300, 100 }, { 300 | SERVICE, 100 } },
	{ { 7 }, { 7 } },
	{ { 7, 8 }, { 7 | SERVICE, 8 } },
	{ { 4094, 4093 }, { 4094 | SERVICE, 4093 } },
};

/* What a client's packets may come with; the device is whose they are. */
static const struct tags arrivals[] = {
	{ {}, {} },
	{ { 7 }, { 7 } },
	{ { 0x6007 }, { 7 } },
	{ { 0xa000 }, {} }, /* a priority, and no VLAN */
	{ { 7, 8 }, { 7 | SERVICE, 8 } },
	{ { 0xf007, 0x2008 }, { 7 | SERVICE, 8 } },
	{ { 0xa000, 0x4007 }, { 7 } },
	{ { 9 }, { 9 } }, /* this host is not in that one */
};

static uint32_t devices[COUNT(ways)];

static void make_devices(int arm)
{
	for (size_t i = 1; i < COUNT(ways); i++) {
		char name[16];

		snprintf(name, sizeof(name), "vlan%zu", i);
		devices[i] = rig_vlan(name, arm, ways[i].device[0], ways[i].device[1]);
	}
	devices[0] = rig.arm[arm];
}

/* Listeners tcp and udp on port 80 with one endpoint for both families, or one of each, which is
 * behind ways[way]. */
static void configure(const char *mode, const char *for4, const char *for6, size_t way)
{
	const char *const listeners[][3] = { { "tcp", VIP4, for4 },
					     { "tcp", VIP6, for6 },
					     { "udp", VIP4, for4 },
					     { "udp", VIP6, for6 } };
	char text[4096] = "version: 1\nlisteners:\n";

	for (size_t i = 0; i < COUNT(listeners); i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used,
			 "- {name: l%zu, protocol: %s, address: '%s', port: 80, mode: %s, "
			 "endpoint_groups: [{name: all, endpoints: [{address: '%s'}]}]}\n",
			 i, listeners[i][0], listeners[i][1], mode, listeners[i][2]);
	}
	rig_parse(text);
	rig_target_in(for4, devices[way]);
	rig_target_in(for6, devices[way]);
	rig_enforce(rig_plan());
}

/* What a packet that came so has when it leaves so. */
static struct packet as_sent(const struct packet *untagged, const struct tags *came,
			     const struct tags *leaves)
{
	uint16_t vlan[3];

	if (!memcmp(came->device, leaves->device, sizeof(came->device)))
		return packet_tagged(untagged, came->frame);
	memcpy(vlan, leaves->frame, sizeof(vlan));
	for (size_t i = 0; i < 3 && vlan[i]; i++)
		vlan[i] |= came->frame[0] & PRIORITY;
	return packet_tagged(untagged, vlan);
}

/* What becomes of a packet while no VLAN is in its way. */
static struct packet sent_plain(const struct packet *packet)
{
	struct rig_result result = rig_send(packet);

	cr_assert_eq(result.verdict, XDP_TX, "%s", rig_reason(result.reason));
	result.out.l3 = result.out.l4 = result.out.data = ETH_HLEN;
	return result.out;
}

#define FROM_4 .src = CLIENT4, .dst = VIP4, .sport = 40000, .dport = 80
#define FROM_6 .src = CLIENT6, .dst = VIP6, .sport = 40000, .dport = 80

static const struct packet_spec shapes[] = {
	{ .protocol = IPPROTO_TCP, FROM_4, .flags = TH_SYN, .fragment = 0x4000 },
	{ .protocol = IPPROTO_TCP, FROM_4, .flags = TH_ACK, .payload = 700, .fragment = 0x4000 },
	{ .protocol = IPPROTO_TCP, FROM_6, .flags = TH_SYN, .tcp_options = 12 },
	{ .protocol = IPPROTO_TCP, FROM_6, .flags = TH_ACK, .payload = 5000 },
	{ .protocol = IPPROTO_UDP, FROM_4, .payload = 1, .trailer = 17, .fragment = 0x4000 },
	{ .protocol = IPPROTO_UDP, FROM_6, .payload = 301, .extensions = { EXT_DEST } },
	{ .protocol = IPPROTO_UDP, FROM_4, .payload = 40, .ip_options = 8, .fragment = 0x4000 },
};

static void set_types(struct packet *packet, const uint16_t types[WEIR_VLANS])
{
	for (size_t i = 0; i < WEIR_VLANS && types[i]; i++)
		packet_set16(packet, 2 * ETH_ALEN + 4 * i, types[i]);
}

static void expect_tags(const char *mode, const char *for4, const char *for6)
{
	struct packet in[COUNT(shapes)], plain[COUNT(shapes)];

	configure(mode, for4, for6, 0);
	for (size_t i = 0; i < COUNT(shapes); i++) {
		in[i] = packet_build(&shapes[i]);
		plain[i] = sent_plain(&in[i]);
	}
	for (size_t way = 0; way < COUNT(ways); way++) {
		configure(mode, for4, for6, way);
		for (size_t i = 0; i < COUNT(shapes) * COUNT(arrivals); i++) {
			const struct tags *came = &arrivals[i / COUNT(shapes)];
			struct packet tagged = packet_tagged(&in[i % COUNT(shapes)], came->frame);
			struct packet want = as_sent(&plain[i % COUNT(shapes)], came, &ways[way]);

			rig_expect_sent(&tagged, &want, (int)(1000 * way + i));
		}
	}
}

Test(vlan, mode_dsr)
{
	make_devices(0);
	expect_tags("dsr", A4, A6);
}

Test(vlan, mode_ipip)
{
	make_devices(0);
	expect_tags("ipip", A4, A6);
	expect_tags("ipip", A6, A4);
}

Test(vlan, mode_gue)
{
	make_devices(0);
	expect_tags("gue", A4, A6);
	expect_tags("gue", A6, A4);
}

Test(vlan, mode_nat)
{
	make_devices(0);
	expect_tags("nat", A4, A6);
}

/* IPv4 clients of IPv6 endpoints, and the reverse; identifications are random without DF. */
Test(vlan, mode_nat_between_families)
{
	struct packet in = packet_build(&shapes[1]), syn = packet_build(&shapes[0]), plain;

	make_devices(0);
	configure("nat", A6, A4, 0);
	sent_plain(&syn);
	plain = sent_plain(&in);
	for (size_t way = 0; way < COUNT(ways); way++) {
		configure("nat", A6, A4, way);
		for (size_t i = 0; i < COUNT(arrivals); i++) {
			struct packet tagged = packet_tagged(&in, arrivals[i].frame);
			struct packet want = as_sent(&plain, &arrivals[i], &ways[way]);

			rig_expect_sent(&tagged, &want, (int)(1000 * way + i));
		}
	}
}

/* A tag's type is its own, wherever it stands: 802.1ad's alone, or 802.1Q's twice. */
Test(vlan, types_of_tags)
{
	static const struct {
		uint16_t types[WEIR_VLANS];
		struct tags tags;
	} kinds[] = {
		{ { ETH_P_8021AD }, { { 0x6064 }, { 100 | SERVICE } } },
		{ { ETH_P_8021Q, ETH_P_8021Q }, { { 0x612c, 0x2064 }, { 300, 100 } } },
		{ { ETH_P_8021AD, ETH_P_8021AD },
		  { { 0x612c, 0x2064 }, { 300 | SERVICE, 100 | SERVICE } } },
		{ { ETH_P_8021Q, ETH_P_8021AD }, { { 0x612c, 0x2064 }, { 300, 100 | SERVICE } } },
	};
	struct packet in = packet_build(&shapes[1]), plain;

	make_devices(0);
	configure("dsr", A4, A6, 0);
	plain = sent_plain(&in);
	for (size_t i = 0; i < COUNT(kinds) * COUNT(kinds); i++) {
		size_t came = i % COUNT(kinds), leaves = i / COUNT(kinds);
		struct tags out = kinds[leaves].tags;
		struct packet tagged = packet_tagged(&in, kinds[came].tags.frame), want;

		devices[1] = rig_vlan("kind", 0, out.device[0], out.device[1]);
		configure("dsr", A4, A6, 1);
		for (size_t k = 0; k < WEIR_VLANS; k++)
			out.frame[k] &= ~PRIORITY;
		want = as_sent(&plain, &kinds[came].tags, &out);
		set_types(&tagged, kinds[came].types);
		set_types(&want, kinds[leaves].types);
		rig_expect_sent(&tagged, &want, (int)i);
	}
}

/* By another interface, and as the VLAN device, which has a MAC of its own. */
Test(vlan, a_device_on_another_interface)
{
	struct packet in = TCP(FROM_4, .flags = TH_ACK, .vlan = { 0x6007 }), want;
	struct rig_result result;

	make_devices(1);
	rig.facts.interfaces.items[3].mac[5] = 0x77;
	configure("dsr", A4, A6, 2);
	want = TCP(FROM_4, .flags = TH_ACK, .vlan = { 0x6000 | 300, 0x6000 | 100 },
		   .from_mac = "02:00:00:00:a0:77", .to_mac = "02:00:00:00:00:0b");
	result = rig_send(&in);
	cr_assert_eq(result.verdict, XDP_REDIRECT, "%s", rig_reason(result.reason));
	cr_assert_eq(packet_difference(&result.out, &want), -1);
}

/* Opens flows whose endpoint is in no VLAN yet: there talk_open() finds the SNAT port. */
static void open_talks(struct talk *talks, size_t count, size_t way)
{
	configure("nat", A4, A6, 0);
	for (size_t i = 0; i < count; i++) {
		talks[i].endpoint_port = 80;
		talk_open(&talks[i]);
	}
	configure("nat", A4, A6, way);
}

static struct packet_spec in_vlan(struct packet_spec spec, const uint16_t vlan[3])
{
	memcpy(spec.vlan, vlan, sizeof(spec.vlan));
	return spec;
}

/* An answer goes where the client's last packet came from, if this host is in that VLAN. */
Test(vlan, answers_go_to_the_clients_vlan)
{
	static const uint16_t sees[COUNT(arrivals)][3] = {
		{}, { 0x4007 }, { 0x4007 }, {}, { 0x4007, 0x4008 }, { 0x4007, 0x4008 }, { 0x4007 },
	};
	struct talk talks[] = { TALK4(IPPROTO_TCP), TALK6(IPPROTO_TCP), TALK4(IPPROTO_UDP),
				TALK6(IPPROTO_UDP) };

	make_devices(0);
	open_talks(talks, COUNT(talks), 1);
	for (size_t i = 0; i < COUNT(talks) * COUNT(arrivals); i++) {
		struct talk *talk = &talks[i % COUNT(talks)];
		size_t came = i / COUNT(talks), from = came == COUNT(arrivals) - 1 ? 0 : came;
		struct packet request, reply, want;

		request = talk_request(
			talk, in_vlan(SPEC(.flags = TH_ACK, .payload = 9), arrivals[came].frame));
		cr_assert_eq(rig_send(&request).reason, WEIR_R_FORWARDED);
		reply = talk_reply(talk, SPEC(.flags = TH_ACK, .payload = 2, .vlan = { 0x4064 }));
		if (!from && came) /* it came from nowhere known: as before */
			from = came - 1;
		want = talk_reply_tagged(talk,
					 in_vlan(SPEC(.flags = TH_ACK, .payload = 2), sees[from]));
		rig_expect_sent(&reply, &want, (int)i);
	}
}

/* Where its answers could not go, a flow is not opened. */
Test(vlan, a_client_in_a_foreign_vlan)
{
	struct packet tagged = TCP(FROM_4, .flags = TH_SYN, .vlan = { 9 });
	struct packet swapped = TCP(FROM_4, .flags = TH_SYN, .vlan = { 8, 7 });
	struct packet customer = TCP(FROM_4, .flags = TH_SYN, .vlan = { 300 });

	make_devices(0);
	configure("nat", A4, A6, 1);
	EXPECT_DROP(tagged, NO_NEXT_HOP);
	EXPECT_DROP(swapped, NO_NEXT_HOP);
	EXPECT_DROP(customer, NO_NEXT_HOP);
	cr_assert_eq(rig_count_nat(), 0);
}

/* Later fragments go where the first one went, with the same tags, both ways. */
Test(vlan, fragments)
{
	struct talk talk = TALK4(IPPROTO_UDP);

	make_devices(0);
	open_talks(&talk, 1, 2);
	for (size_t came = 0; came < COUNT(arrivals) - 1; came++) {
		struct packet_spec spec = in_vlan(SPEC(.payload = 64, .id = (uint32_t)(50 + came)),
						  arrivals[came].frame);
		struct packet_spec first = spec, later = spec;
		struct rig_result head, tail;
		struct packet packet;
		uint16_t type;

		first.fragment = 0x2000;
		later.fragment = 9;
		packet = talk_request(&talk, first);
		head = rig_send(&packet);
		packet = talk_request(&talk, later);
		tail = rig_send(&packet);
		cr_assert(head.verdict == XDP_TX && tail.verdict == XDP_TX, "%zu: %s, %s", came,
			  rig_reason(head.reason), rig_reason(tail.reason));
		type = packet_get16(&head.out, 20);
		cr_assert_eq(type, ETH_P_IP);
		/* Addresses and tags, then identification, then who to whom. */
		cr_assert_eq(memcmp(head.out.bytes, tail.out.bytes, 22), 0);
		cr_assert_eq(memcmp(head.out.bytes + 26, tail.out.bytes + 26, 2), 0);
		cr_assert_eq(memcmp(head.out.bytes + 34, tail.out.bytes + 34, 8), 0);
		cr_assert_eq(packet_sums(tail.out.bytes, tail.out.size).ip, SUM_GOOD);

		first.vlan[0] = 300, first.vlan[1] = 100;
		later.vlan[0] = 300, later.vlan[1] = 100;
		packet = talk_reply(&talk, first);
		head = rig_send(&packet);
		packet = talk_reply(&talk, later);
		tail = rig_send(&packet);
		cr_assert(head.reason == WEIR_R_REPLIED && tail.reason == WEIR_R_REPLIED,
			  "%zu: %s, %s", came, rig_reason(head.reason), rig_reason(tail.reason));
		cr_assert_eq(memcmp(head.out.bytes, tail.out.bytes, 14), 0);
		cr_assert_eq(packet_sums(tail.out.bytes, tail.out.size).ip, SUM_GOOD);
	}
}

static void run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

/* The kernel is asked whether a later fragment of no known packet is for this host, and about the
 * device that it sees it come by: that one may forward where the interface does not, and have other
 * rules. */
Test(vlan, unknown_fragments_come_by_the_vlans_device)
{
	struct packet later4 = UDP(.src = CLIENT4, .dst = VIP4, .fragment = 5);
	struct packet later6 = UDP(.src = CLIENT6, .dst = VIP6, .extensions = { EXT_LATER });
	struct packet tagged4 = packet_tagged(&later4, (uint16_t[3]){ 0x6007 });
	struct packet tagged6 = packet_tagged(&later6, (uint16_t[3]){ 7 });
	struct packet foreign4 = packet_tagged(&later4, (uint16_t[3]){ 9 });

	run("ip link add lan7 type veth peer name lan7p; ip link set lo up; ip link set arm0 up;"
	    "ip link set arm1 up; ip link set lan7 up; ip link set lan7p up;"
	    "sysctl -qw net.ipv4.conf.lan7.forwarding=1 net.ipv6.conf.lan7.forwarding=1;"
	    "ip address add 198.51.100.1/24 dev arm0; ip route add default via 198.51.100.2;"
	    "ip address add 2001:db8:c::1/64 dev arm0 nodad;"
	    "ip -6 route add default via 2001:db8:c::2");
	make_devices(0);
	facts_interface(&rig.facts, devices[3])->ifindex = if_nametoindex("lan7");
	configure("dsr", A4, A6, 0);
	EXPECT_DROP(tagged4, FRAGMENT);
	EXPECT_DROP(tagged6, FRAGMENT);
	EXPECT_PASS(later4, FRAGMENT_PASSED);
	EXPECT_PASS(later6, FRAGMENT_PASSED);
	EXPECT_PASS(foreign4, FRAGMENT_PASSED);
	run("sysctl -qw net.ipv4.conf.arm0.forwarding=1 net.ipv6.conf.arm0.forwarding=1;"
	    "ip rule add from " CLIENT4 " iif lan7 lookup 77;"
	    "ip -6 rule add from " CLIENT6 " iif lan7 lookup 77;"
	    "ip route add local " VIP4 " dev lo table 77;"
	    "ip -6 route add local " VIP6 " dev lo table 77");
	EXPECT_PASS(tagged4, FRAGMENT_PASSED);
	EXPECT_PASS(tagged6, FRAGMENT_PASSED);
	EXPECT_DROP(later4, FRAGMENT);
	EXPECT_DROP(later6, FRAGMENT);
	EXPECT_DROP(foreign4, FRAGMENT);
}

/* Errors about packets of mode nat, from the endpoint's VLAN to the client's, and back. */
Test(vlan, icmp_errors)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet request, reply, error, want;

	make_devices(0);
	open_talks(&talk, 1, 2);
	request = talk_request(&talk, SPEC(.flags = TH_ACK, .payload = 50, .vlan = { 7 }));
	cr_assert_eq(rig_send(&request).reason, WEIR_R_FORWARDED);
	reply = talk_reply_sent(&talk, SPEC(.flags = TH_ACK, .payload = 70));
	request = talk_request_sent(&talk, SPEC(.flags = TH_ACK, .payload = 50));

	error = ICMP(.src = "10.0.0.99", .dst = SNAT4, .icmp_type = 3, .icmp_code = 4,
		     .icmp_rest = 1300, .quote = &request, .vlan = { 300, 100 });
	want = sent_plain(&error);
	cr_assert_eq(packet_get16(&want, 12), ETH_P_8021Q);
	cr_assert_eq(packet_get16(&want, 14), 7);
	cr_assert_eq(packet_get16(&want, 16), ETH_P_IP);
	cr_assert_eq(packet_sums(want.bytes, want.size).l4, SUM_GOOD);
	cr_assert_eq(packet_sums(want.bytes, want.size).ip, SUM_GOOD);

	error = ICMP(.src = "198.51.100.99", .dst = VIP4, .icmp_type = 3, .icmp_code = 4,
		     .icmp_rest = 1300, .quote = &reply, .vlan = { 7 });
	want = sent_plain(&error);
	cr_assert_eq(packet_get16(&want, 12), ETH_P_8021AD);
	cr_assert_eq(packet_get16(&want, 14), 300);
	cr_assert_eq(packet_get16(&want, 18), 100);
	cr_assert_eq(packet_sums(want.bytes, want.size).l4, SUM_GOOD);
}

/* What weir says itself goes back as the packet came; the VLAN device's MTU counts. */
Test(vlan, answers_of_weir_keep_the_tags)
{
	struct packet big = TCP(FROM_4, .flags = TH_ACK, .payload = 1400, .fragment = 0x4000,
				.vlan = { 0x6007, 0x6008 });
	struct packet fits = TCP(FROM_4, .flags = TH_ACK, .payload = 1360, .fragment = 0x4000);
	struct packet told;

	make_devices(0);
	rig.facts.interfaces.items[2].mtu = 1400;
	configure("dsr", A4, A6, 1);
	told = packet_icmp_error(&big, 3, 4, 1400);
	EXPECT_ANSWER(big, TOO_BIG, told);
	cr_assert_eq(rig_send(&fits).reason, WEIR_R_FORWARDED);
	configure("dsr", A4, A6, 0);
	cr_assert_eq(rig_send(&big).reason, WEIR_R_FORWARDED);
}

/* A tag needs room before the frame; taking one off gives some. */
Test(vlan, without_headroom)
{
	struct packet plain = TCP(FROM_4, .flags = TH_ACK);
	struct packet one = TCP(FROM_4, .flags = TH_ACK, .vlan = { 7 });
	struct packet two = TCP(FROM_4, .flags = TH_ACK, .vlan = { 7, 8 });

	make_devices(0);
	rig.no_headroom = true;
	configure("dsr", A4, A6, 1);
	EXPECT_DROP(plain, NO_HEADROOM);
	cr_assert_eq(rig_send(&one).reason, WEIR_R_FORWARDED);
	cr_assert_eq(rig_send(&two).reason, WEIR_R_FORWARDED);
	configure("dsr", A4, A6, 2);
	EXPECT_DROP(one, NO_HEADROOM);
	cr_assert_eq(rig_send(&two).reason, WEIR_R_FORWARDED);
}
