// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the fragments of a packet all go where its first one went, in every mode and direction, and
 * make a packet there whose checksum is right; fragments that nobody can tell where to send are the
 * kernel's if they are for it, and are dropped if not. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/ethernet.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/program.h"
#include "dataplane/sets.h"
#include "rig_suite.h"
#include "talk.h"
#include "weir.skel.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define IP4_MF	 0x2000
#define ROOM	 1480 /* bytes of a packet that a fragment carries; a multiple of 8 */
#define PARTS	 4

RIG_SUITE(fragment);

/* Listeners web (tcp), dns (udp); two endpoints of each family, so that a wrong way shows. */
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

struct parts {
	size_t count;
	struct packet part[PARTS];
};

/* Cuts what is behind the IP header, which may be of any size, into fragments. */
static struct parts cut(const struct packet *whole, uint32_t id)
{
	bool ip4 = whole->bytes[whole->l3] >> 4 == 4;
	size_t header = ip4 ? whole->l4 - whole->l3 : 48, length = whole->size - whole->l4;
	struct parts parts = {};

	for (size_t at = 0; at < length; at += ROOM) {
		struct packet *part = &parts.part[parts.count++];
		size_t size = length - at < ROOM ? length - at : ROOM;
		bool more = at + size < length;

		cr_assert_leq(parts.count, PARTS);
		*part = *whole;
		part->l4 = part->l3 + header;
		if (ip4) {
			packet_set16(part, part->l3 + 4, (uint16_t)id);
			packet_set16(part, part->l3 + 6, (uint16_t)(at / 8 | (more ? IP4_MF : 0)));
			packet_set16(part, part->l3 + 2, (uint16_t)(header + size));
		} else {
			uint8_t *extension = part->bytes + part->l3 + 40;

			extension[0] = part->bytes[part->l3 + 6];
			extension[1] = 0;
			packet_set16(part, part->l3 + 42, (uint16_t)(at | more));
			packet_set16(part, part->l3 + 44, (uint16_t)(id >> 16));
			packet_set16(part, part->l3 + 46, (uint16_t)id);
			part->bytes[part->l3 + 6] = IPPROTO_FRAGMENT;
			packet_set16(part, part->l3 + 4, (uint16_t)(8 + size));
		}
		memcpy(part->bytes + part->l4, whole->bytes + whole->l4 + at, size);
		part->size = part->l4 + size;
		part->protocol = 0;
		packet_sum(part);
	}
	return parts;
}

/* What a receiver makes of them; they must all have one identification. */
static struct packet join(const struct packet *part, size_t count)
{
	bool ip4 = part->bytes[part->l3] >> 4 == 4;
	struct packet whole = part[0];
	size_t id = part->l3 + (ip4 ? 4 : 44);

	whole.l4 = ip4 ? whole.l4 : whole.l3 + 40;
	whole.size = whole.l4;
	for (size_t i = 0; i < count; i++) {
		size_t size = part[i].size - part[i].l4;

		cr_assert_eq(packet_sums(part[i].bytes, part[i].size).ip,
			     ip4 ? SUM_GOOD : SUM_NONE);
		cr_assert_eq(memcmp(part[i].bytes + id, part[0].bytes + id, ip4 ? 2 : 4), 0);
		memcpy(whole.bytes + whole.size, part[i].bytes + part[i].l4, size);
		whole.size += size;
	}
	if (ip4) {
		packet_set16(&whole, whole.l3 + 2, (uint16_t)(whole.size - whole.l3));
		packet_set16(&whole, whole.l3 + 6, 0);
		packet_sum(&whole);
	} else {
		whole.bytes[whole.l3 + 6] = part->bytes[part->l3 + 40];
		packet_set16(&whole, whole.l3 + 4, (uint16_t)(whole.size - whole.l4));
	}
	return whole;
}

/* Sends the parts; what comes out, joined. */
static struct packet send_parts(const struct parts *parts, enum weir_reason reason)
{
	struct packet out[PARTS];

	for (size_t i = 0; i < parts->count; i++) {
		struct rig_result result = rig_send(&parts->part[i]);

		cr_assert_eq(result.verdict, XDP_TX, "part %zu: %s", i, rig_reason(result.reason));
		cr_assert_eq(result.reason, reason, "part %zu: %s", i, rig_reason(result.reason));
		out[i] = result.out;
		out[i].l3 = ETH_HLEN; /* the next hop is in no VLAN */
		out[i].l4 = parts->part[i].l4 - parts->part[i].l3 + ETH_HLEN;
		out[i].protocol = 0;
		cr_assert_eq(memcmp(out[i].bytes, out[0].bytes, 12), 0, "part %zu goes elsewhere",
			     i);
	}
	return join(out, parts->count);
}

static void expect_good(const struct packet *whole)
{
	cr_assert_eq(packet_sums(whole->bytes, whole->size).l4, SUM_GOOD);
}

Test(fragment, follow_the_first_one_in_mode_dsr)
{
	configure("dsr");
	for (uint16_t i = 0; i < 64; i++) {
		struct packet whole = packet_build(&(struct packet_spec){
			.protocol = i & 1 ? IPPROTO_TCP : IPPROTO_UDP,
			.src = i & 2 ? CLIENT6 : CLIENT4,
			.dst = i & 2 ? VIP6 : VIP4,
			.sport = (uint16_t)(1000 + i),
			.dport = 80,
			.flags = TH_ACK,
			.ip_options = i & 6 ? 0 : 8,
			.vlan = { i & 8 ? 100 : 0, i & 16 ? 200 : 0 },
			.payload = (uint16_t)(1600 + 100 * (i % 37)),
		});
		struct parts parts = cut(&whole, 0x77770000u + i);
		struct packet out = send_parts(&parts, WEIR_R_FORWARDED), untagged;
		struct rig_result direct;

		memcpy(whole.bytes, out.bytes, 12);
		if (!(i & 2)) {
			packet_set16(&whole, whole.l3 + 4, i);
			packet_sum(&whole);
		}
		untagged = packet_tagged(&whole, NULL);
		cr_assert_eq(packet_difference(&out, &untagged), -1, "%u: byte %ld", i,
			     packet_difference(&out, &untagged));
		memcpy(whole.bytes, parts.part[0].bytes, 12);
		direct = rig_send(&whole); /* unfragmented: the same way */
		cr_assert_eq(memcmp(direct.out.bytes, out.bytes, 12), 0);
	}
}

Test(fragment, pass_through_mode_nat_in_both_directions)
{
	struct talk talks[] = { TALK4(IPPROTO_TCP), TALK6(IPPROTO_TCP), TALK4(IPPROTO_UDP),
				TALK6(IPPROTO_UDP) };

	talk_configure(0);
	for (size_t i = 0; i < COUNT(talks) * 3; i++) {
		struct talk *talk = &talks[i % COUNT(talks)];
		struct packet_spec spec = { .payload = (uint16_t)(1500 + 1400 * (i / COUNT(talks))),
					    .flags = TH_ACK,
					    .vlan = { i & 1 ? 9 : 0 } };
		struct packet whole, sent, out;
		struct parts parts;

		if (i < COUNT(talks))
			talk_open(talk);
		whole = talk_request(talk, spec);
		sent = talk_request_sent(talk, spec);
		parts = cut(&whole, 0x1000 + (uint32_t)i);
		out = send_parts(&parts, WEIR_R_FORWARDED);
		expect_good(&out);
		memcpy(sent.bytes + sent.l3 + 4, out.bytes + out.l3 + 4, 2); /* its new id */
		packet_sum(&sent);
		cr_assert_eq(packet_difference(&out, &sent), -1, "%zu: byte %ld", i,
			     packet_difference(&out, &sent));

		whole = talk_reply(talk, spec);
		sent = talk_reply_sent(talk, spec);
		parts = cut(&whole, 0x2000 + (uint32_t)i);
		out = send_parts(&parts, WEIR_R_REPLIED);
		expect_good(&out);
		memcpy(sent.bytes + sent.l3 + 4, out.bytes + out.l3 + 4, 2);
		packet_sum(&sent);
		cr_assert_eq(packet_difference(&out, &sent), -1, "%zu back: byte %ld", i,
			     packet_difference(&out, &sent));
	}
	cr_assert_gt(rig_traffic("tcp").reply_packets, 6);
}

/* A datagram whose very first packet is fragmented opens the flow. */
Test(fragment, open_a_flow)
{
	struct talk talk = TALK4(IPPROTO_UDP);
	struct packet whole = talk_request(&talk, SPEC(.payload = 4000)), out;
	struct parts parts = cut(&whole, 7);

	talk_configure(0);
	out = send_parts(&parts, WEIR_R_FORWARDED);
	expect_good(&out);
	cr_assert_eq(rig_count_nat(), 1);
	cr_assert_eq(rig_traffic("udp").packets, 3);
	cr_assert_eq(rig_traffic("udp").flows, 1);
}

/* The same identification of two clients must not become the same behind one SNAT address. */
Test(fragment, identifications_of_clients_are_kept_apart)
{
	struct talk first = TALK4(IPPROTO_UDP), second = TALK4(IPPROTO_UDP);
	struct packet a, b, out_a[2], out_b[2];
	struct parts parts_a, parts_b;

	talk_configure(0);
	second.client = "198.51.100.8";
	a = talk_request(&first, SPEC(.payload = 2000));
	b = talk_request(&second, SPEC(.payload = 2000));
	parts_a = cut(&a, 0x5555);
	parts_b = cut(&b, 0x5555);
	for (size_t i = 0; i < 2; i++) { /* interleaved */
		cr_assert_eq(rig_run(&parts_a.part[i], &out_a[i]), XDP_TX);
		cr_assert_eq(rig_run(&parts_b.part[i], &out_b[i]), XDP_TX);
		cr_assert_neq(packet_get16(&out_a[i], 18), packet_get16(&out_b[i], 18));
	}
	cr_assert_eq(packet_get16(&out_a[0], 18), packet_get16(&out_a[1], 18));
	cr_assert_eq(packet_get16(&out_b[0], 18), packet_get16(&out_b[1], 18));
}

Test(fragment, of_another_packet_do_not_follow)
{
	struct packet whole = UDP(.src = CLIENT4, .dst = VIP4, .dport = 80, .payload = 2000);
	struct packet whole6 = UDP(.src = CLIENT6, .dst = VIP6, .dport = 80, .payload = 2000);
	struct parts parts = cut(&whole, 7), other_id = cut(&whole, 8);
	struct parts parts6 = cut(&whole6, 0x10007), other_id6 = cut(&whole6, 0x20007);
	struct packet other_source = parts.part[1], other_protocol = parts.part[1];

	configure("dsr");
	other_source.bytes[other_source.l3 + 15]++;
	other_protocol.bytes[other_protocol.l3 + 9] = IPPROTO_TCP;
	packet_sum(&other_source);
	packet_sum(&other_protocol);
	EXPECT_PASS(parts.part[1], FRAGMENT_PASSED); /* before the first one */
	cr_assert_eq(rig_send(&parts.part[0]).reason, WEIR_R_FORWARDED);
	cr_assert_eq(rig_send(&parts6.part[0]).reason, WEIR_R_FORWARDED);
	EXPECT_PASS(other_id.part[1], FRAGMENT_PASSED);
	EXPECT_PASS(other_id6.part[1], FRAGMENT_PASSED);
	EXPECT_PASS(other_source, FRAGMENT_PASSED);
	EXPECT_PASS(other_protocol, FRAGMENT_PASSED);
	cr_assert_eq(rig_send(&parts.part[1]).reason, WEIR_R_FORWARDED);
	cr_assert_eq(rig_send(&parts6.part[1]).reason, WEIR_R_FORWARDED);
	rig_advance(WEIR_TIMEOUT_FRAGMENTS);
	cr_assert_eq(rig_send(&parts.part[1]).reason, WEIR_R_FORWARDED);
	rig_advance(2);
	EXPECT_PASS(parts.part[1], FRAGMENT_PASSED);
}

/* A later fragment of IPv6 tells only which header comes first behind the fragment's own, and not
 * whose ports follow. */
Test(fragment, of_ipv6_follow_whatever_headers_they_share)
{
	struct packet first = UDP(.src = CLIENT6, .dst = VIP6, .sport = 7, .dport = 80,
				  .extensions = { EXT_FIRST, EXT_DEST }, .payload = 64);
	struct packet later = UDP(.src = CLIENT6, .dst = VIP6, .extensions = { EXT_LATER });

	configure("dsr");
	later.bytes[later.l3 + 40] = IPPROTO_DSTOPTS;
	EXPECT_PASS(later, FRAGMENT_PASSED);
	cr_assert_eq(rig_send(&first).reason, WEIR_R_FORWARDED);
	cr_assert_eq(rig_send(&later).reason, WEIR_R_FORWARDED);
}

/* Of an endpoint that is gone meanwhile; and of what was dropped, there is nothing to follow. */
Test(fragment, do_not_follow_where_nobody_is)
{
	struct packet whole = UDP(.src = CLIENT4, .dst = VIP4, .dport = 80, .payload = 2000);
	struct parts parts = cut(&whole, 7), more = cut(&whole, 8);

	rig_configure("version: 1\nlisteners:\n"
		      "- {name: udp, protocol: udp, address: " VIP4 ", port: 80, mode: dsr, "
		      "endpoint_groups: [{name: all, endpoints: [" A4 "]}]}\n");
	cr_assert_eq(rig_send(&parts.part[0]).reason, WEIR_R_FORWARDED);
	rig_configure("version: 1\nlisteners:\n"
		      "- {name: udp, protocol: udp, address: " VIP4 ", port: 80, mode: dsr, "
		      "endpoint_groups: [{name: all, endpoints: [" B4 " weight 0]}]}\n");
	EXPECT_DROP(parts.part[1], FRAGMENT);
	EXPECT_ICMP(more.part[0], NO_ENDPOINT, 3, 3);
	EXPECT_PASS(more.part[1], FRAGMENT_PASSED);
}

static struct weir_endpoint *row_of(const char *listener, const char *endpoint)
{
	return &rig.object->endpoints[rig_endpoint(listener, endpoint)->row];
}

/* An answer that is under way goes on to its client, whatever its endpoint has become, as it does
 * in one piece. */
Test(fragment, of_an_answer_follow_after_its_endpoint_has_failed)
{
	struct talk talk = TALK4(IPPROTO_UDP);
	struct packet request, reply;
	struct parts there, back;

	talk_configure(0);
	talk_open(&talk);
	request = talk_request(&talk, SPEC(.payload = 2000));
	reply = talk_reply(&talk, SPEC(.payload = 2000));
	there = cut(&request, 7);
	back = cut(&reply, 8);
	cr_assert_eq(rig_send(&there.part[0]).reason, WEIR_R_FORWARDED);
	cr_assert_eq(rig_send(&back.part[0]).reason, WEIR_R_REPLIED);
	row_of("udp", A4)->state = WEIR_ENDPOINT_DEAD;
	cr_assert_eq(rig_send(&back.part[1]).reason, WEIR_R_REPLIED);
	EXPECT_DROP(there.part[1], FRAGMENT);
	row_of("udp", A4)->generation++;
	EXPECT_DROP(back.part[1], FRAGMENT);
}

/* A mode may change in place, between two fragments: the addresses of one are not the other's. */
Test(fragment, do_not_follow_into_another_mode)
{
	static const uint8_t modes[] = { WEIR_MODE_NAT, WEIR_MODE_DSR };

	for (uint16_t i = 0; i < 2; i++) {
		struct packet whole =
			UDP(.src = CLIENT4, .dst = VIP4, .dport = 80, .payload = 2000);
		struct parts parts = cut(&whole, 100u + i);

		rig_configure("version: 1\nlisteners:\n- {name: udp, protocol: udp, address: " VIP4
			      ", port: 80, mode: %s, endpoint_groups: [{name: all, endpoints: [" A4
			      "]}]}\n",
			      i ? "nat" : "dsr");
		cr_assert_eq(rig_send(&parts.part[0]).reason, WEIR_R_FORWARDED);
		row_of("udp", A4)->mode = modes[i];
		EXPECT_DROP(parts.part[1], FRAGMENT);
		row_of("udp", A4)->mode = modes[!i];
		cr_assert_eq(rig_send(&parts.part[1]).reason, WEIR_R_FORWARDED);
	}
}

/* The kernel would send on what is for no address of its own, perhaps in a circle. */
Test(fragment, unknown_ones_are_the_kernels_only_if_for_it)
{
	struct packet whole4 = UDP(.src = CLIENT4, .dst = VIP4, .dport = 80, .payload = 2000);
	struct packet whole6 = TCP(.src = CLIENT6, .dst = VIP6, .dport = 80, .payload = 2000);
	struct parts parts4 = cut(&whole4, 7), parts6 = cut(&whole6, 7);
	struct packet others = UDP(.src = CLIENT4, .dst = "192.0.2.9", .fragment = 5);
	struct packet snat = UDP(.src = CLIENT4, .dst = SNAT4, .fragment = 5);
	static const char *const routes[][2] = {
		{ "blackhole " VIP4, "blackhole " VIP6 },
		{ "unreachable " VIP4, "unreachable " VIP6 },
		{ "prohibit " VIP4, "prohibit " VIP6 },
		{ VIP4 " encap ip id 7 dst 10.9.9.9 dev arm0",
		  VIP6 " encap ip6 id 7 dst fd00::9 dev arm0" },
		{ VIP4 " via 198.51.100.3", VIP6 " via 2001:db8:c::3" }, /* a neighbour */
	};

	configure("nat");
	cr_assert_eq(system("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
			    "&& ip link set lo up && ip link set arm0 up && ip link set arm1 up "
			    "&& ip addr add 198.51.100.1/24 dev arm0 "
			    "&& ip route add default via 198.51.100.2 "
			    "&& ip -6 addr add 2001:db8:c::1/64 dev arm0 nodad "
			    "&& ip -6 route add default via 2001:db8:c::2"),
		     0);
	EXPECT_DROP(parts4.part[1], FRAGMENT);
	EXPECT_DROP(parts6.part[1], FRAGMENT);
	EXPECT_PASS(others, NOT_OURS);
	EXPECT_PASS(snat, NOT_OURS);
	cr_assert_eq(system("ip route add local " VIP4 " dev lo && ip -6 route add local " VIP6
			    " dev lo"),
		     0);
	EXPECT_PASS(parts4.part[1], FRAGMENT_PASSED);
	EXPECT_PASS(parts6.part[1], FRAGMENT_PASSED);
	cr_assert_eq(rig_counted(NULL, WEIR_R_FRAGMENT), 2);
	/* Nor is what it would refuse or put into a tunnel for one of its own. */
	cr_assert_eq(system("ip route del local " VIP4 " dev lo; ip -6 route del local " VIP6
			    " dev lo;"
			    "ip neigh add 198.51.100.3 lladdr 02:00:00:00:00:03 dev arm0 &&"
			    "ip neigh add 2001:db8:c::3 lladdr 02:00:00:00:00:03 dev arm0"),
		     0);
	for (size_t i = 0; i < COUNT(routes); i++) {
		char command[256];

		snprintf(command, sizeof(command), "ip route replace %s && ip -6 route replace %s",
			 routes[i][0], routes[i][1]);
		cr_assert_eq(system(command), 0);
		EXPECT_DROP(parts4.part[1], FRAGMENT);
		EXPECT_DROP(parts6.part[1], FRAGMENT);
	}
}

/* An entry may become another packet's while it is read: what belongs to none is not followed. */
Test(fragment, a_way_is_whole_and_of_its_key)
{
	struct packet whole = UDP(.src = CLIENT4, .dst = VIP4, .dport = 80, .payload = 2000);
	struct parts one = cut(&whole, 1), two = cut(&whole, 2);
	uint8_t keys[2][64], way[128];
	int fragments;

	configure("dsr");
	fragments = rig.object->fragments;
	cr_assert_eq(rig_send(&one.part[0]).reason, WEIR_R_FORWARDED);
	cr_assert_eq(bpf_map_get_next_key(fragments, NULL, keys[0]), 0);
	cr_assert_eq(bpf_map_lookup_elem(fragments, keys[0], way), 0);
	cr_assert_eq(rig_send(&two.part[0]).reason, WEIR_R_FORWARDED);
	cr_assert_eq(bpf_map_get_next_key(fragments, keys[0], keys[1])
			     ? bpf_map_get_next_key(fragments, NULL, keys[1])
			     : 0,
		     0);
	cr_assert_eq(rig_send(&two.part[1]).reason, WEIR_R_FORWARDED);
	cr_assert_eq(bpf_map_update_elem(fragments, keys[1], way, BPF_EXIST), 0);
	EXPECT_PASS(two.part[1], FRAGMENT_PASSED);
	cr_assert_eq(rig_send(&one.part[1]).reason, WEIR_R_FORWARDED);
	way[0] ^= 1; /* unused in mode dsr, but not as it was written */
	cr_assert_eq(bpf_map_update_elem(fragments, keys[0], way, BPF_EXIST), 0);
	EXPECT_PASS(one.part[1], FRAGMENT_PASSED);
}

/* The stage that calls the program of this name; *program is opened. */
static uint32_t stage_of(const char *name, int *program)
{
	for (uint32_t stage = 0; stage < 4; stage++) {
		struct bpf_prog_info info = {};
		__u32 id, size = sizeof(info);

		cr_assert_eq(bpf_map_lookup_elem(rig.object->stages, &stage, &id), 0);
		*program = bpf_prog_get_fd_by_id(id);
		cr_assert_geq(*program, 0);
		cr_assert_eq(bpf_obj_get_info_by_fd(*program, &info, &size), 0);
		if (!strcmp(info.name, name))
			return stage;
		close(*program);
	}
	cr_assert(false, "no stage calls %s", name);
	return 0;
}

/* A router's other traffic is not handed from program to program: only what may be ours is. */
Test(fragment, of_others_are_not_handed_on)
{
	struct packet later = UDP(.src = CLIENT4, .dst = "192.0.2.9", .fragment = 5);
	struct packet other = packet_build(&(struct packet_spec){
		.protocol = IPPROTO_ESP, .src = CLIENT6, .dst = "2001:db8::99", .payload = 40 });
	struct packet ours = UDP(.src = CLIENT4, .dst = VIP4, .fragment = 5);
	uint32_t stage;
	int program;

	configure("dsr");
	stage = stage_of("weir_portless", &program);
	cr_assert_eq(bpf_map_delete_elem(rig.object->stages, &stage), 0);
	EXPECT_PASS(later, NOT_OURS);
	EXPECT_PASS(other, NOT_OURS);
	cr_assert_eq(bpf_map_update_elem(rig.object->stages, &stage, &program, BPF_ANY), 0);
	EXPECT_PASS(ours, FRAGMENT_PASSED);
	close(program);
}

/* Never answered: who gets the answer may not have sent the packet's ports. */
Test(fragment, the_last_hop_of_a_later_one_is_not_made)
{
	struct talk talk = TALK4(IPPROTO_UDP);
	struct packet whole = talk_request(&talk, SPEC(.payload = 2000));
	struct parts parts = cut(&whole, 7);

	talk_configure(0);
	cr_assert_eq(rig_send(&parts.part[0]).reason, WEIR_R_FORWARDED);
	parts.part[1].bytes[parts.part[1].l3 + 8] = 1;
	packet_sum(&parts.part[1]);
	EXPECT_DROP(parts.part[1], TTL_EXPIRED);
}

/* ... nor one that is larger than the first one was, and than what the way out takes. */
Test(fragment, a_later_one_may_be_too_big)
{
	struct talk talk = TALK4(IPPROTO_UDP);
	struct packet_spec first = SPEC(.payload = 64, .fragment = IP4_MF);
	struct packet_spec later = SPEC(.payload = 1372, .fragment = 9); /* and 8 bytes of UDP */
	struct packet packet;

	rig.facts.interfaces.items[0].mtu = 1400;
	talk_configure(0);
	for (int reply = 0; reply < 2; reply++) {
		packet = reply ? talk_reply(&talk, first) : talk_request(&talk, first);
		if (!reply)
			talk_open(&talk);
		cr_assert_eq(rig_send(&packet).verdict, XDP_TX);
		packet = reply ? talk_reply(&talk, later) : talk_request(&talk, later);
		cr_assert_eq(rig_send(&packet).verdict, XDP_TX);
		later.payload++;
		packet = reply ? talk_reply(&talk, later) : talk_request(&talk, later);
		EXPECT_DROP(packet, TOO_BIG_NO_DF);
		later.payload--;
	}
}

/* The table forgets the oldest, and stays as large as it is. */
Test(fragment, a_flood_only_pushes_others_out)
{
	struct packet whole = UDP(.src = CLIENT4, .dst = VIP4, .dport = 80, .payload = 2000);
	struct parts parts;

	configure("dsr");
	for (uint32_t id = 1; id <= 3 * WEIR_MAX_FRAGMENTED; id++) {
		parts = cut(&whole, id);
		cr_assert_eq(rig_run(&parts.part[0], NULL), XDP_TX);
	}
	cr_assert_eq(rig_run(&parts.part[1], NULL), XDP_TX);
	parts = cut(&whole, 1);
	cr_assert_eq(rig_run(&parts.part[1], NULL), XDP_PASS);
}

/* The program once more, on the maps in force, but with a table of ways that has room for one and
 * forgets none. */
static struct weir *load_with_one_way(void)
{
	struct weir *skeleton = weir__open();
	struct bpf_map *map;

	cr_assert_not_null(skeleton);
	bpf_map__set_type(skeleton->maps.fragments, BPF_MAP_TYPE_HASH);
	bpf_map__set_max_entries(skeleton->maps.fragments, 1);
	bpf_object__for_each_map(map, skeleton->obj)
	{
		char path[OBJECT_PATH_MAX + 64];
		int fd;

		if (bpf_map__is_internal(map) || map == skeleton->maps.fragments ||
		    map == skeleton->maps.stages)
			continue;
		sets_path(rig.object->directory, rig.object->set, bpf_map__name(map), path);
		fd = bpf_obj_get(path);
		cr_assert_geq(fd, 0, "%s", path);
		cr_assert_eq(bpf_map__reuse_fd(map, fd), 0, "%s", path);
		close(fd);
	}
	PROGRAM_SET_CONSTANTS(skeleton);
	bpf_program__set_autoload(skeleton->progs.weir_sweep, false);
	bpf_program__set_autoload(skeleton->progs.weir_steer, false);
	cr_assert_eq(weir__load(skeleton), 0);
	return skeleton;
}

/* A table that forgets the oldest is not full; should the kernel refuse an entry nevertheless, the
 * first fragment goes on its way, it is counted, and those behind it are as any unknown ones. */
Test(fragment, a_way_that_finds_no_room_is_counted)
{
	struct packet whole = UDP(.src = CLIENT4, .dst = VIP4, .dport = 80, .payload = 2000);
	struct parts one = cut(&whole, 1), two = cut(&whole, 2);
	int program = rig.object->program;
	struct rig_result result;
	struct weir *skeleton;

	configure("dsr");
	skeleton = load_with_one_way();
	rig.object->program = bpf_program__fd(skeleton->progs.weir);
	result = rig_send(&one.part[0]);
	cr_assert(result.verdict == XDP_TX && !result.noted[WEIR_R_FRAGMENTS_FULL]);
	result = rig_send(&two.part[0]);
	cr_assert_eq(result.verdict, XDP_TX);
	cr_assert_eq(result.reason, WEIR_R_FORWARDED);
	cr_assert(result.noted[WEIR_R_FRAGMENTS_FULL]);
	cr_assert_eq(rig_counted("udp", WEIR_R_FRAGMENTS_FULL), 1);
	EXPECT_PASS(two.part[1], FRAGMENT_PASSED);
	cr_assert_eq(rig_send(&one.part[1]).reason, WEIR_R_FORWARDED);
	rig.object->program = program;
	weir__destroy(skeleton);
}
