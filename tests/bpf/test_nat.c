// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: in mode nat each packet of a connection leaves for its endpoint, and each answer for its
 * client, exactly as a packet built anew with the new addresses; a SNAT port belongs to one flow;
 * connections outlive what they should and end where they must, each end counted. Needs root.
 */
#include <bpf/bpf.h>
#include <string.h>

#include "dataplane/sync.h"
#include "rig_suite.h"

#define A4	   "10.0.0.11"
#define A6	   "fd00::11"
#define B4	   "10.0.0.12"
#define CLIENT_MAC PACKET_FROM
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

RIG_SUITE(nat);

/* The two ends of a connection and weir's two in between; sport is found out. */
struct talk {
	uint8_t protocol;
	const char *client;
	const char *listener;
	const char *snat;
	const char *endpoint;
	uint16_t client_port;
	uint16_t listener_port;
	uint16_t snat_port;
	uint16_t endpoint_port;
};

#define TALK4(protocol_)                                                                           \
	{                                                                                          \
		.protocol = (protocol_), .client = CLIENT4, .listener = VIP4, .snat = SNAT4,       \
		.endpoint = A4, .client_port = 40000, .listener_port = 80, .endpoint_port = 8080   \
	}
#define TALK6(protocol_)                                                                           \
	{                                                                                          \
		.protocol = (protocol_), .client = CLIENT6, .listener = VIP6, .snat = SNAT6,       \
		.endpoint = A6, .client_port = 40000, .listener_port = 80, .endpoint_port = 8080   \
	}

/* Both protocols on port 80, endpoint A on 8080, B with weight b on the listener's own port. */
static void configure(int b)
{
	static const char *const protocols[] = { "tcp", "udp" };
	char text[4096] = "version: 1\nlisteners:\n";

	for (int i = 0; i < 2; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used,
			 "- name: %s\n"
			 "  protocol: %s\n"
			 "  address: [" VIP4 ", '" VIP6 "']\n"
			 "  port: 80\n"
			 "  idle_timeout: 60s\n"
			 "  endpoint_groups:\n"
			 "  - name: all\n"
			 "    endpoints: ['10.0.0.11:8080', '[fd00::11]:8080', "
			 "'10.0.0.12 weight %d']\n",
			 protocols[i], protocols[i], b);
	}
	rig_configure("%s", text);
}

/* `more` names what is particular: flags, payload, tags, ... */
static struct packet request(const struct talk *talk, struct packet_spec more)
{
	more.protocol = talk->protocol;
	more.src = talk->client;
	more.sport = talk->client_port;
	more.dst = talk->listener;
	more.dport = talk->listener_port;
	return packet_build(&more);
}

static struct packet request_sent(const struct talk *talk, struct packet_spec more)
{
	static char mac[RIG_MAC_TEXT];

	more.protocol = talk->protocol;
	more.src = talk->snat;
	more.sport = talk->snat_port;
	more.dst = talk->endpoint;
	more.dport = talk->endpoint_port;
	more.ttl = (uint8_t)((more.ttl ?: 64) - 1);
	more.from_mac = ARM0_MAC;
	more.to_mac = rig_mac(talk->endpoint, mac);
	return packet_build(&more);
}

static struct packet reply(const struct talk *talk, struct packet_spec more)
{
	static char mac[RIG_MAC_TEXT];

	more.protocol = talk->protocol;
	more.src = talk->endpoint;
	more.sport = talk->endpoint_port;
	more.dst = talk->snat;
	more.dport = talk->snat_port;
	more.from_mac = rig_mac(talk->endpoint, mac);
	return packet_build(&more);
}

static struct packet reply_sent(const struct talk *talk, struct packet_spec more)
{
	more.protocol = talk->protocol;
	more.src = talk->listener;
	more.sport = talk->listener_port;
	more.dst = talk->client;
	more.dport = talk->client_port;
	more.ttl = (uint8_t)((more.ttl ?: 64) - 1);
	more.from_mac = ARM0_MAC;
	more.to_mac = CLIENT_MAC;
	return packet_build(&more);
}

#define SPEC(...) ((struct packet_spec){ __VA_ARGS__ })

/* Opens a connection and notes which SNAT port it got. */
static struct rig_result open_talk(struct talk *talk)
{
	struct packet syn = request(talk, SPEC(.flags = TH_SYN));
	struct rig_result result = rig_send(&syn);

	cr_assert_eq(result.reason, WEIR_R_FORWARDED, "%s", rig_reason(result.reason));
	talk->snat_port = packet_get16(&result.out, syn.l4);
	return result;
}

static enum weir_reason reason_of(const struct talk *talk, uint8_t flags)
{
	struct packet packet = request(talk, SPEC(.flags = flags));

	return rig_send(&packet).reason;
}

static bool find_flow(const struct talk *talk, struct weir_nat_flow *ret)
{
	struct packet packet = request(talk, SPEC(0));
	struct weir_flow key = rig_flow(&packet);

	return !bpf_map_lookup_elem(rig.object->nat_flows, &key, ret);
}

static bool find_reply(const struct talk *talk, struct weir_nat_reply *ret)
{
	struct packet packet = reply(talk, SPEC(0));
	struct weir_flow key = rig_flow(&packet);

	return !bpf_map_lookup_elem(rig.object->nat_replies, &key, ret);
}

Test(nat, packets_and_answers_are_as_if_built_anew)
{
	static const struct packet_spec variants[] = {
		{ .flags = TH_SYN, .tcp_options = 20 },
		{ .flags = TH_ACK, .payload = 1 },
		{ .flags = TH_ACK, .payload = 1000 },
		{ .flags = TH_ACK, .payload = 1399, .ttl = 255 },
		{ .flags = TH_PUSH | TH_ACK, .payload = 77, .ttl = 2, .vlan = { 5 } },
		{ .flags = TH_ACK, .payload = 3, .vlan = { 5, 6 }, .trailer = 9 },
		{ .flags = TH_ACK, .payload = 6001 },
		{ .flags = TH_FIN | TH_ACK },
	};
	struct talk talks[] = { TALK4(IPPROTO_TCP), TALK6(IPPROTO_TCP), TALK4(IPPROTO_UDP),
				TALK6(IPPROTO_UDP) };

	configure(0);
	for (size_t i = 0; i < COUNT(talks); i++)
		open_talk(&talks[i]);
	for (size_t i = 0; i < COUNT(talks) * COUNT(variants); i++) {
		struct talk *talk = &talks[i % COUNT(talks)];
		struct packet_spec more = variants[i / COUNT(talks)];
		struct packet in = request(talk, more), out = request_sent(talk, more);
		struct packet back = reply(talk, more), returned = reply_sent(talk, more);

		EXPECT_SENT(in, out);
		EXPECT_SENT(back, returned);
	}
	cr_assert_eq(rig_count_records(rig.object->nat_flows), COUNT(talks));
	cr_assert_eq(rig_count_records(rig.object->nat_replies), COUNT(talks));
	cr_assert_eq(rig_count_records(rig.object->exceptions), 0);
}

Test(nat, header_options_do_not_shift_a_field)
{
	struct talk talk4 = TALK4(IPPROTO_UDP), talk6 = TALK6(IPPROTO_TCP);
	struct packet_spec options = SPEC(.ip_options = 36, .payload = 31);
	struct packet_spec chain = SPEC(.extensions = { EXT_HOP, EXT_AH, EXT_DEST }, .payload = 31,
					.flags = TH_ACK, .tcp_options = 8);

	configure(0);
	open_talk(&talk4);
	open_talk(&talk6);
	{
		struct packet in = request(&talk4, options), out = request_sent(&talk4, options);
		struct packet back = reply(&talk4, options), end = reply_sent(&talk4, options);

		EXPECT_SENT(in, out);
		EXPECT_SENT(back, end);
	}
	{
		struct packet in = request(&talk6, chain), out = request_sent(&talk6, chain);
		struct packet back = reply(&talk6, chain), end = reply_sent(&talk6, chain);

		EXPECT_SENT(in, out);
		EXPECT_SENT(back, end);
	}
}

Test(nat, a_udp_checksum_of_zero_stays_zero)
{
	struct packet_spec more = SPEC(.payload = 20, .without_checksum = true);
	struct talk talk = TALK4(IPPROTO_UDP);
	struct packet in, out;

	configure(0);
	open_talk(&talk);
	in = request(&talk, more);
	out = request_sent(&talk, more);
	EXPECT_SENT(in, out);
	in = reply(&talk, more);
	out = reply_sent(&talk, more);
	EXPECT_SENT(in, out);
}

/* Changes the payload so that the packet, once rewritten, sums up to nothing. */
static void expect_all_ones(struct packet in, struct packet out)
{
	uint32_t word = packet_get16(&out, out.data) + packet_get16(&out, out.l4 + 6);

	word = (word & 0xffff) + (word >> 16);
	packet_set16(&in, in.data, (uint16_t)word);
	packet_set16(&out, out.data, (uint16_t)word);
	packet_sum(&in);
	packet_sum(&out);
	cr_assert_eq(packet_get16(&out, out.l4 + 6), 0xffff);
	EXPECT_SENT(in, out);
}

Test(nat, a_udp_checksum_that_comes_out_as_zero_is_all_ones)
{
	struct talk talks[] = { TALK4(IPPROTO_UDP), TALK6(IPPROTO_UDP) };
	struct packet_spec more = SPEC(.payload = 64);

	configure(0);
	for (size_t i = 0; i < COUNT(talks); i++) {
		open_talk(&talks[i]);
		expect_all_ones(request(&talks[i], more), request_sent(&talks[i], more));
		expect_all_ones(reply(&talks[i], more), reply_sent(&talks[i], more));
	}
}

/* Every value of a checksum, so that a carry that gets lost cannot hide. */
Test(nat, checksums_are_right_for_every_value)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet_spec more = SPEC(.flags = TH_ACK, .payload = 2);
	struct packet in, expected, out;

	configure(0);
	open_talk(&talk);
	in = request(&talk, more);
	expected = request_sent(&talk, more);
	for (uint32_t value = 0; value < 0x10000; value += 3) {
		packet_set16(&in, in.data, (uint16_t)value);
		packet_set16(&in, in.l3 + 4, (uint16_t)(value * 7)); /* identification */
		packet_sum(&in);
		packet_set16(&expected, expected.data, (uint16_t)value);
		packet_set16(&expected, expected.l3 + 4, (uint16_t)(value * 7));
		packet_sum(&expected);
		cr_assert_eq(rig_run(&in, &out), XDP_TX);
		cr_assert_eq(packet_difference(&out, &expected), -1, "value %x", value);
	}
	rig_recount();
}

Test(nat, an_endpoint_without_a_port_has_the_listeners)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet in, out;

	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: '80,443', "
		      "endpoint_groups: [{name: all, endpoints: [10.0.0.11]}]}\n");
	talk.listener_port = talk.endpoint_port = 443;
	open_talk(&talk);
	in = request(&talk, SPEC(.flags = TH_ACK));
	out = request_sent(&talk, SPEC(.flags = TH_ACK));
	EXPECT_SENT(in, out);
}

/* Opens `count` connections from one client; all ports are different, and in these ranges. */
static void take_ports(struct talk talk, unsigned count, const struct weir_port_range *ranges,
		       size_t range_count)
{
	static bool taken[65536];

	memset(taken, 0, sizeof(taken));
	for (unsigned i = 0; i < count; i++) {
		bool allowed = false;

		talk.client_port++;
		open_talk(&talk);
		cr_assert_not(taken[talk.snat_port], "port %u twice", talk.snat_port);
		taken[talk.snat_port] = true;
		for (size_t k = 0; k < range_count; k++)
			allowed |= talk.snat_port >= ranges[k].first &&
				   talk.snat_port <= ranges[k].last;
		cr_assert(allowed, "port %u", talk.snat_port);
	}
}

/* All of 16 ports are found by 32 probes of the walk: its largest gap is below 1/16. */
Test(nat, a_port_belongs_to_one_flow_per_endpoint_and_protocol)
{
	static const struct weir_port_range ranges[] = { { 30000, 30004 },
							 { 40000, 40009 },
							 { 65535, 65535 } };
	struct talk tcp = TALK4(IPPROTO_TCP), udp = TALK4(IPPROTO_UDP), other = TALK4(IPPROTO_TCP);

	rig_ports(SNAT4, COUNT(ranges), ranges);
	configure(0);
	take_ports(tcp, 16, ranges, COUNT(ranges));
	tcp.client_port = 50000;
	cr_assert_eq(reason_of(&tcp, TH_SYN), WEIR_R_NAT_NO_PORT);
	cr_assert_eq(rig_count_records(rig.object->nat_flows), 16);
	cr_assert_eq(rig_counted("tcp", WEIR_R_NAT_NO_PORT), 1);
	cr_assert_eq(rig_traffic("tcp").flows, 16);
	take_ports(udp, 16, ranges, COUNT(ranges));
	udp.client_port = 50000;
	cr_assert_eq(reason_of(&udp, 0), WEIR_R_NAT_NO_PORT);

	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:8080 weight 0', "
		      "10.0.0.12]}]}\n");
	other.client_port = 60000;
	take_ports(other, 16, ranges, COUNT(ranges));
	other.client_port = 50000;
	cr_assert_eq(reason_of(&other, TH_SYN), WEIR_R_NAT_NO_PORT);
}

Test(nat, each_snat_address_is_used_and_answered)
{
	static const char *const sources[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3" };
	struct talk talk = TALK4(IPPROTO_TCP);
	unsigned used[3] = {};

	rig_configure("version: 1\n"
		      "snat: [10.0.0.1, 10.0.0.2, 'fd00::1', 10.0.0.3]\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:8080']}]}\n");
	for (int i = 0; i < 300; i++) {
		struct packet back, end;
		struct rig_result result;

		talk.client_port++;
		result = open_talk(&talk);
		cr_assert_lt(result.out.bytes[29] - 1, 3);
		talk.snat = sources[result.out.bytes[29] - 1];
		used[result.out.bytes[29] - 1]++;
		back = reply(&talk, SPEC(.flags = TH_SYN | TH_ACK));
		end = reply_sent(&talk, SPEC(.flags = TH_SYN | TH_ACK));
		EXPECT_SENT(back, end);
	}
	cr_assert(used[0] > 60 && used[1] > 60 && used[2] > 60, "%u %u %u", used[0], used[1],
		  used[2]);
}

Test(nat, only_a_syn_opens_a_tcp_flow)
{
	static const uint8_t flags[] = {
		TH_ACK, TH_SYN | TH_ACK, TH_RST, TH_FIN | TH_ACK, 0, 0xff
	};
	struct talk talk4 = TALK4(IPPROTO_TCP), talk6 = TALK6(IPPROTO_TCP);

	configure(0);
	for (size_t i = 0; i < COUNT(flags); i++) {
		struct packet in4 = request(&talk4, SPEC(.flags = flags[i]));
		struct packet in6 = request(&talk6, SPEC(.flags = flags[i]));

		EXPECT_DROP(in4, NO_FLOW);
		EXPECT_DROP(in6, NO_FLOW);
	}
	cr_assert_eq(rig_counted("tcp", WEIR_R_NO_FLOW), 2 * COUNT(flags));
	cr_assert_eq(rig_count_records(rig.object->nat_flows), 0);
	cr_assert_eq(rig_count_records(rig.object->nat_replies), 0);
}

Test(nat, a_syn_begins_anew_only_where_the_flow_was_closing)
{
	static const uint8_t ends[] = { TH_FIN | TH_ACK, TH_RST };
	struct talk talk = TALK4(IPPROTO_TCP);
	struct weir_nat_flow flow;

	configure(0);
	open_talk(&talk);
	cr_assert_eq(rig_traffic("tcp").flows, 1);
	cr_assert_eq(reason_of(&talk, TH_SYN), WEIR_R_FORWARDED); /* retransmitted */
	cr_assert_eq(reason_of(&talk, TH_ACK), WEIR_R_FORWARDED);
	cr_assert(find_flow(&talk, &flow) && flow.state == WEIR_FLOW_OPEN);
	cr_assert_eq(rig_traffic("tcp").flows, 1);
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct talk before = talk;
		struct weir_nat_reply gone;

		cr_assert_eq(reason_of(&talk, ends[i]), WEIR_R_FORWARDED);
		cr_assert(find_flow(&talk, &flow));
		cr_assert_eq(flow.state, i ? WEIR_FLOW_RESET : WEIR_FLOW_CLOSING);
		if (ends[i] & TH_FIN) /* the last ones */
			cr_assert_eq(reason_of(&talk, TH_ACK), WEIR_R_FORWARDED);
		open_talk(&talk);
		cr_assert_eq(rig_traffic("tcp").flows, 2 + i);
		cr_assert(find_flow(&talk, &flow) && flow.state == WEIR_FLOW_SYN);
		cr_assert(before.snat_port == talk.snat_port || !find_reply(&before, &gone));
		cr_assert_eq(rig_count_records(rig.object->nat_flows), 1);
		cr_assert_eq(rig_count_records(rig.object->nat_replies), 1);
	}
}

/* A forged reset must not end a connection whose client goes on. */
Test(nat, a_reset_is_forgotten_when_its_sender_goes_on)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct weir_nat_flow flow;

	configure(0);
	open_talk(&talk);
	cr_assert_eq(reason_of(&talk, TH_RST), WEIR_R_FORWARDED);
	cr_assert(find_flow(&talk, &flow) && flow.state == WEIR_FLOW_RESET);
	cr_assert_eq(reason_of(&talk, TH_ACK), WEIR_R_FORWARDED);
	cr_assert(find_flow(&talk, &flow) && flow.state == WEIR_FLOW_OPEN);
}

/* Only B is left. */
static void remove_a(void)
{
	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: [10.0.0.12]}]}\n"
		      "- {name: udp, protocol: udp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: [10.0.0.12]}]}\n");
}

Test(nat, flows_of_a_removed_endpoint_end_or_begin_anew)
{
	struct talk tcp = TALK4(IPPROTO_TCP), udp = TALK4(IPPROTO_UDP);
	struct packet ack = request(&tcp, SPEC(.flags = TH_ACK));
	struct packet syn = request(&tcp, SPEC(.flags = TH_SYN));
	struct packet query = request(&udp, SPEC(.payload = 4));

	configure(0);
	open_talk(&tcp);
	open_talk(&udp);
	EXPECT_TO(ack, A4);
	remove_a();
	EXPECT_DROP(ack, ENDPOINT_GONE);
	EXPECT_TO(query, B4); /* UDP has no beginning to wait for */
	EXPECT_TO(syn, B4);
	EXPECT_TO(ack, B4);
	cr_assert_eq(rig_counted("tcp", WEIR_R_ENDPOINT_GONE), 1);
	cr_assert_eq(rig_count_records(rig.object->nat_flows), 2);
	cr_assert_eq(rig_count_records(rig.object->nat_replies), 2);
}

/* The row has another owner by now, who must not get the flow. */
Test(nat, a_reused_row_is_not_the_old_endpoint)
{
	struct talk tcp = TALK4(IPPROTO_TCP);
	struct packet ack = request(&tcp, SPEC(.flags = TH_ACK));

	configure(0);
	open_talk(&tcp);
	EXPECT_TO(ack, A4);
	rig.object->endpoints[rig_endpoint("tcp", A4)->row].generation++;
	EXPECT_DROP(ack, ENDPOINT_GONE);
}

Test(nat, draining_keeps_flows_and_takes_none)
{
	struct talk talk = TALK4(IPPROTO_TCP), begun = TALK4(IPPROTO_TCP);
	struct packet ack, syn, back, end;

	configure(0);
	begun.client_port = 40001;
	open_talk(&talk);
	open_talk(&begun);
	cr_assert_eq(reason_of(&talk, TH_ACK), WEIR_R_FORWARDED);
	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:8080 weight 0', "
		      "10.0.0.12]}]}\n");
	ack = request(&talk, SPEC(.flags = TH_ACK));
	EXPECT_TO(ack, A4);
	back = reply(&talk, SPEC(.flags = TH_ACK, .payload = 100));
	end = reply_sent(&talk, SPEC(.flags = TH_ACK, .payload = 100));
	EXPECT_SENT(back, end);
	syn = request(&begun, SPEC(.flags = TH_SYN));
	EXPECT_TO(syn, A4); /* retransmitted: the connection began before */
	for (uint16_t port = 50000; port < 50100; port++) {
		begun.client_port = port;
		syn = request(&begun, SPEC(.flags = TH_SYN));
		EXPECT_TO(syn, B4);
	}
	cr_assert_eq(rig_endpoint_traffic("tcp", B4).flows, 100);
}

Test(nat, full_tables_refuse_new_flows_only)
{
	static const struct weir_nat_reply reply_value = {};
	static const struct weir_nat_flow flow_value = {};
	struct talk known = TALK4(IPPROTO_TCP), fresh = TALK4(IPPROTO_TCP);
	struct packet ack = request(&known, SPEC(.flags = TH_ACK)), syn, back;

	configure(0);
	open_talk(&known);
	back = reply(&known, SPEC(.flags = TH_ACK));
	fresh.client_port++;
	syn = request(&fresh, SPEC(.flags = TH_SYN));

	cr_assert_eq(rig_fill(rig.object->nat_flows, &flow_value), WEIR_MAX_NAT_FLOWS - 1);
	EXPECT_DROP(syn, NAT_FULL);
	cr_assert_eq(rig_count_records(rig.object->nat_replies), 1); /* the port is free again */
	EXPECT_TO(ack, A4);
	cr_assert_eq(rig_send(&back).reason, WEIR_R_REPLIED);

	rig_clear_flows();
	open_talk(&known);
	back = reply(&known, SPEC(.flags = TH_ACK));
	cr_assert_eq(rig_fill(rig.object->nat_replies, &reply_value), WEIR_MAX_NAT_FLOWS - 1);
	EXPECT_DROP(syn, NAT_FULL);
	cr_assert_eq(rig_count_records(rig.object->nat_flows), 1);
	EXPECT_TO(ack, A4);
	cr_assert_eq(rig_send(&back).reason, WEIR_R_REPLIED);
	cr_assert_eq(rig_counted("tcp", WEIR_R_NAT_FULL), 2);
}

Test(nat, what_answers_no_flow_passes_untouched)
{
	struct talk talk = TALK4(IPPROTO_TCP), talk6 = TALK6(IPPROTO_TCP);
	struct packet packet;

	configure(0);
	open_talk(&talk);
	open_talk(&talk6);
	talk.snat_port ^= 1;
	packet = reply(&talk, SPEC(.flags = TH_ACK));
	EXPECT_PASS(packet, NAT_UNKNOWN); /* another port of ours */
	talk.snat_port ^= 1;
	talk.endpoint_port++;
	packet = reply(&talk, SPEC(.flags = TH_ACK));
	EXPECT_PASS(packet, NAT_UNKNOWN); /* the right port, from a wrong one */
	talk.endpoint_port--;
	talk.endpoint = B4;
	packet = reply(&talk, SPEC(.flags = TH_ACK));
	EXPECT_PASS(packet, NAT_UNKNOWN); /* ... from a wrong host */
	talk.endpoint = A4;
	talk.protocol = IPPROTO_UDP;
	packet = reply(&talk, SPEC(.payload = 4));
	EXPECT_PASS(packet, NAT_UNKNOWN);
	talk6.endpoint = "fd00::99";
	packet = reply(&talk6, SPEC(.flags = TH_RST));
	EXPECT_PASS(packet, NAT_UNKNOWN);
}

/* Whatever the source, ports outside the ranges and other protocols are the host's. */
Test(nat, the_hosts_own_ports_pass)
{
	static const uint16_t ports[] = { 22, SNAT_FIRST - 1, SNAT_LAST + 1, 65535 };
	struct packet ping = packet_build(&(struct packet_spec){
		.src = A4, .dst = SNAT4, .protocol = IPPROTO_ICMP, .payload = 40 });
	struct packet first = UDP(.src = A4, .dst = SNAT4, .dport = SNAT_FIRST, .fragment = 0x2000);

	configure(0);
	for (size_t i = 0; i < COUNT(ports); i++) {
		struct packet tcp = TCP(.src = A4, .dst = SNAT4, .sport = 8080, .dport = ports[i]);
		struct packet udp = UDP(.src = A6, .dst = SNAT6, .sport = 8080, .dport = ports[i]);

		EXPECT_PASS(tcp, NOT_OURS);
		EXPECT_PASS(udp, NOT_OURS);
	}
	EXPECT_PASS(ping, NOT_OURS);
	EXPECT_PASS(first, NOT_OURS);
}

/* Most users have one address: listener and SNAT share it, even a port of the range. */
Test(nat, the_listeners_address_may_be_the_source)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet in, out, back, end, other;

	rig_configure("version: 1\n"
		      "snat: [" VIP4 "]\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: '80,20500', "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:8080']}]}\n");
	talk.snat = VIP4;
	talk.listener_port = 20500;
	open_talk(&talk);
	in = request(&talk, SPEC(.flags = TH_ACK, .payload = 10));
	out = request_sent(&talk, SPEC(.flags = TH_ACK, .payload = 10));
	EXPECT_SENT(in, out);
	back = reply(&talk, SPEC(.flags = TH_ACK, .payload = 10));
	end = reply_sent(&talk, SPEC(.flags = TH_ACK, .payload = 10));
	EXPECT_SENT(back, end);
	other = TCP(.src = CLIENT4, .dst = VIP4, .sport = 1, .dport = 20501, .flags = TH_SYN);
	EXPECT_PASS(other, NO_LISTENER);
}

Test(nat, answers_follow_the_client_to_another_router)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet_spec moved = SPEC(.flags = TH_ACK, .from_mac = "02:00:00:00:c0:99");
	struct packet in = request(&talk, moved), back;
	struct rig_result result;

	configure(0);
	open_talk(&talk);
	back = reply(&talk, SPEC(.flags = TH_ACK));
	cr_assert_eq(memcmp(rig_send(&back).out.bytes, "\x02\0\0\0\xc0\x01", 6), 0);
	cr_assert_eq(rig_send(&in).verdict, XDP_TX);
	result = rig_send(&back);
	cr_assert_eq(memcmp(result.out.bytes, "\x02\0\0\0\xc0\x99\x02\0\0\0\xa0\x01", 12), 0);
	cr_assert_eq(result.verdict, XDP_TX);

	rig.ingress = 1; /* and by the other interface, with yet another MAC */
	in = request(&talk, SPEC(.flags = TH_ACK, .from_mac = "02:00:00:00:c0:98"));
	cr_assert_eq(rig_send(&in).verdict, XDP_REDIRECT);
	rig.ingress = 0;
	result = rig_send(&back);
	cr_assert_eq(memcmp(result.out.bytes, "\x02\0\0\0\xc0\x98\x02\0\0\0\xa0\x02", 12), 0);
	cr_assert_eq(result.verdict, XDP_REDIRECT);
}

Test(nat, between_two_interfaces_it_is_redirected)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet back;
	struct rig_result result;

	rig_target(A4, "02:00:00:00:00:0b", 1);
	configure(0);
	result = open_talk(&talk);
	cr_assert_eq(result.verdict, XDP_REDIRECT);
	cr_assert_eq(memcmp(result.out.bytes + 6, "\x02\0\0\0\xa0\x02", 6), 0);
	rig.ingress = 1;
	back = reply(&talk, SPEC(.flags = TH_SYN | TH_ACK));
	result = rig_send(&back);
	cr_assert_eq(result.verdict, XDP_REDIRECT);
	cr_assert_eq(memcmp(result.out.bytes, "\x02\0\0\0\xc0\x01\x02\0\0\0\xa0\x01", 12), 0);
}

Test(nat, the_last_hop_is_not_made)
{
	struct talk talks[] = { TALK4(IPPROTO_TCP), TALK6(IPPROTO_TCP) };

	configure(0);
	for (size_t i = 0; i < COUNT(talks); i++) {
		struct packet in = request(&talks[i], SPEC(.flags = TH_ACK, .ttl = 1)), back;

		open_talk(&talks[i]);
		back = reply(&talks[i], SPEC(.flags = TH_ACK, .ttl = 1));
		EXPECT_DROP(in, TTL_EXPIRED);
		EXPECT_DROP(back, TTL_EXPIRED);
		in.bytes[in.l3 + (i ? 7 : 8)] = 0;
		EXPECT_DROP(in, TTL_EXPIRED);
		cr_assert_eq(rig_counted("tcp", WEIR_R_TTL_EXPIRED), 3 * (i + 1));
	}
	cr_assert_eq(rig_traffic("tcp").packets, 2);
	cr_assert_eq(rig_traffic("tcp").reply_packets, 0);
}

Test(nat, without_a_next_hop_nothing_is_opened)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet syn = request(&talk, SPEC(.flags = TH_SYN));
	struct packet ack = request(&talk, SPEC(.flags = TH_ACK));

	rig_target(A4, NULL, 0);
	configure(0);
	EXPECT_DROP(syn, NO_NEXT_HOP);
	cr_assert_eq(rig_count_records(rig.object->nat_flows), 0);
	cr_assert_eq(rig_count_records(rig.object->nat_replies), 0);

	rig_target(A4, "02:00:00:00:00:0b", 0);
	cr_assert(plan_resolve(rig.plan, &rig.facts));
	sync_nexthops(rig.object, rig.plan);
	open_talk(&talk);
	rig_target(A4, NULL, 0); /* lost and found while a connection lives */
	cr_assert(plan_resolve(rig.plan, &rig.facts));
	sync_nexthops(rig.object, rig.plan);
	EXPECT_DROP(ack, NO_NEXT_HOP);
	rig_target(A4, "02:00:00:00:00:0b", 0);
	cr_assert(plan_resolve(rig.plan, &rig.facts));
	sync_nexthops(rig.object, rig.plan);
	EXPECT_TO(ack, A4);
}

/* An endpoint that is configured before it has a route: there is no source address for it yet. */
Test(nat, without_a_route_there_is_no_port)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet syn = request(&talk, SPEC(.flags = TH_SYN));

	rig_target(A4, NULL, -1);
	configure(0);
	EXPECT_DROP(syn, NO_NEXT_HOP);
	rig_target(A4, "02:00:00:00:00:0b", 0);
	configure(0);
	EXPECT_TO(syn, A4);
}

Test(nat, traffic_is_counted_in_both_directions)
{
	struct talk tcp = TALK4(IPPROTO_TCP), udp = TALK6(IPPROTO_UDP);
	struct weir_traffic all, one;
	struct packet packet;

	configure(0);
	open_talk(&tcp);
	open_talk(&udp);
	packet = request(&tcp, SPEC(.flags = TH_ACK, .payload = 100, .trailer = 4));
	rig_send(&packet);
	packet = reply(&tcp, SPEC(.flags = TH_ACK, .payload = 1000));
	rig_send(&packet);
	rig_send(&packet);
	all = rig_traffic("tcp");
	one = rig_endpoint_traffic("tcp", A4);
	cr_assert_eq(all.packets, 2);
	cr_assert_eq(all.bytes, 40 + 140);
	cr_assert_eq(all.flows, 1);
	cr_assert_eq(all.reply_packets, 2);
	cr_assert_eq(all.reply_bytes, 2 * 1040);
	cr_assert_arr_eq(&one, &all, sizeof(all));
	all = rig_traffic("udp");
	cr_assert_eq(all.packets, 1);
	cr_assert_eq(all.flows, 1);
	cr_assert_eq(rig_endpoint_traffic("udp", A6).flows, 1);
	cr_assert_eq(rig_counted("tcp", WEIR_R_REPLIED), 2);
	cr_assert_eq(rig_counted("tcp", WEIR_R_FORWARDED), 2);
}

/* The same four numbers twice, as TCP and as UDP: two flows. */
Test(nat, shares_follow_the_weights)
{
	unsigned got[2] = {}, flows = 900;
	struct talk talk = TALK4(IPPROTO_TCP);

	configure(50); /* A has 100 */
	for (unsigned i = 0; i < flows; i++) {
		struct rig_result result;

		talk.protocol = i & 1 ? IPPROTO_TCP : IPPROTO_UDP;
		talk.client_port = (uint16_t)(30000 + i / 2);
		result = open_talk(&talk);
		got[rig_went_to(&result.out, B4)]++;
	}
	cr_assert_eq(rig_count_records(rig.object->nat_flows), flows);
	cr_assert(got[1] > flows * 29 / 100 && got[1] < flows * 38 / 100, "%u", got[1]);
	cr_assert_eq(rig_endpoint_traffic("tcp", B4).flows + rig_endpoint_traffic("udp", B4).flows,
		     got[1]);
}
