// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: in mode nat a connection begins, goes on and ends where it should: whatever becomes of its
 * endpoint, its next hop or the tables, it is kept, refused or selected anew as the design says,
 * and counted. Needs root.
 */
#include "dataplane/sync.h"
#include "rig_suite.h"
#include "talk.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

RIG_SUITE(nat_flow);

Test(nat_flow, only_a_syn_opens_a_tcp_flow)
{
	static const uint8_t flags[] = {
		TH_ACK, TH_SYN | TH_ACK, TH_RST, TH_FIN | TH_ACK, 0, 0xff
	};
	struct talk talk4 = TALK4(IPPROTO_TCP), talk6 = TALK6(IPPROTO_TCP);

	talk_configure(0);
	for (size_t i = 0; i < COUNT(flags); i++) {
		struct packet in4 = talk_request(&talk4, SPEC(.flags = flags[i]));
		struct packet in6 = talk_request(&talk6, SPEC(.flags = flags[i]));

		if (flags[i] & TH_RST) {
			EXPECT_DROP(in4, NO_FLOW); /* a reset is never answered by one */
			EXPECT_DROP(in6, NO_FLOW);
		} else {
			EXPECT_RESET(in4, NO_FLOW);
			EXPECT_RESET(in6, NO_FLOW);
		}
	}
	cr_assert_eq(rig_counted("tcp", WEIR_R_NO_FLOW), 2 * COUNT(flags));
	cr_assert_eq(rig_count_nat(), 0);
	cr_assert_eq(rig_count_replies(), 0);
}

Test(nat_flow, a_syn_begins_anew_only_where_the_flow_was_closing)
{
	static const uint8_t ends[] = { TH_FIN | TH_ACK, TH_RST };
	struct talk talk = TALK4(IPPROTO_TCP);

	talk_configure(0);
	talk_open(&talk);
	cr_assert_eq(rig_traffic("tcp").flows, 1);
	cr_assert_eq(talk_reason(&talk, TH_SYN), WEIR_R_FORWARDED); /* retransmitted */
	cr_assert_eq(talk_reason(&talk, TH_ACK), WEIR_R_FORWARDED);
	cr_assert_eq(talk_record(&talk)->client_state, WEIR_FLOW_OPEN);
	cr_assert_eq(rig_traffic("tcp").flows, 1);
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct packet late;

		cr_assert_eq(talk_reason(&talk, ends[i]), WEIR_R_FORWARDED);
		cr_assert_eq(talk_record(&talk)->client_state,
			     i ? WEIR_FLOW_RESET : WEIR_FLOW_CLOSING);
		late = talk_reply(&talk, SPEC(.flags = TH_ACK));
		if (ends[i] & TH_FIN) /* the last ones */
			cr_assert_eq(talk_reason(&talk, TH_ACK), WEIR_R_FORWARDED);
		talk_open(&talk);
		cr_assert_eq(rig_traffic("tcp").flows, 2 + i);
		cr_assert_eq(talk_record(&talk)->client_state, WEIR_FLOW_SYN);
		if (packet_get16(&late, late.l4 + 2) != talk.snat_port)
			EXPECT_PASS(late, NAT_UNKNOWN);
		cr_assert_eq(rig_count_nat(), 1);
		cr_assert_eq(rig_count_replies(), 1);
	}
}

/* ... or where its endpoint has said that there is none. */
Test(nat_flow, a_syn_begins_anew_where_the_endpoint_has_reset)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet back;

	talk_configure(0);
	talk_open(&talk);
	back = talk_reply(&talk, SPEC(.flags = TH_RST | TH_ACK));
	cr_assert_eq(rig_send(&back).reason, WEIR_R_REPLIED);
	talk_open(&talk);
	cr_assert_eq(rig_traffic("tcp").flows, 2);
	cr_assert_eq(talk_record(&talk)->endpoint_state, WEIR_FLOW_SYN);
	cr_assert_eq(rig_count_nat(), 1);
}

/* A forged reset must not end a connection whose client goes on. */
Test(nat_flow, a_reset_is_forgotten_when_its_sender_goes_on)
{
	struct talk talk = TALK4(IPPROTO_TCP);

	talk_configure(0);
	talk_open(&talk);
	cr_assert_eq(talk_reason(&talk, TH_RST), WEIR_R_FORWARDED);
	cr_assert_eq(talk_record(&talk)->client_state, WEIR_FLOW_RESET);
	cr_assert_eq(talk_reason(&talk, TH_ACK), WEIR_R_FORWARDED);
	cr_assert_eq(talk_record(&talk)->client_state, WEIR_FLOW_OPEN);
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

Test(nat_flow, flows_of_a_removed_endpoint_end_or_begin_anew)
{
	struct talk tcp = TALK4(IPPROTO_TCP), udp = TALK4(IPPROTO_UDP);
	struct packet ack = talk_request(&tcp, SPEC(.flags = TH_ACK));
	struct packet syn = talk_request(&tcp, SPEC(.flags = TH_SYN));
	struct packet query = talk_request(&udp, SPEC(.payload = 4));

	talk_configure(0);
	talk_open(&tcp);
	talk_open(&udp);
	EXPECT_TO(ack, A4);
	remove_a();
	EXPECT_RESET(ack, ENDPOINT_GONE);
	EXPECT_TO(query, B4); /* UDP has no beginning to wait for */
	EXPECT_TO(syn, B4);
	EXPECT_TO(ack, B4);
	cr_assert_eq(rig_counted("tcp", WEIR_R_ENDPOINT_GONE), 1);
	cr_assert_eq(rig_count_nat(), 2);
	cr_assert_eq(rig_count_replies(), 2);
}

/* The row has another owner by now, who must not get the flow. */
Test(nat_flow, a_reused_row_is_not_the_old_endpoint)
{
	struct talk tcp = TALK4(IPPROTO_TCP);
	struct packet ack = talk_request(&tcp, SPEC(.flags = TH_ACK));

	talk_configure(0);
	talk_open(&tcp);
	EXPECT_TO(ack, A4);
	rig.object->endpoints[rig_endpoint("tcp", A4)->row].generation++;
	EXPECT_RESET(ack, ENDPOINT_GONE);
}

Test(nat_flow, draining_keeps_flows_and_takes_none)
{
	struct talk talk = TALK4(IPPROTO_TCP), begun = TALK4(IPPROTO_TCP);
	struct packet ack, syn, back, end;

	talk_configure(0);
	begun.client_port = 40001;
	talk_open(&talk);
	talk_open(&begun);
	cr_assert_eq(talk_reason(&talk, TH_ACK), WEIR_R_FORWARDED);
	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:8080 weight 0', "
		      "10.0.0.12]}]}\n");
	ack = talk_request(&talk, SPEC(.flags = TH_ACK));
	EXPECT_TO(ack, A4);
	back = talk_reply(&talk, SPEC(.flags = TH_ACK, .payload = 100));
	end = talk_reply_sent(&talk, SPEC(.flags = TH_ACK, .payload = 100));
	EXPECT_SENT(back, end);
	syn = talk_request(&begun, SPEC(.flags = TH_SYN));
	EXPECT_TO(syn, A4); /* retransmitted: the connection began before */
	for (uint16_t port = 50000; port < 50100; port++) {
		begun.client_port = port;
		syn = talk_request(&begun, SPEC(.flags = TH_SYN));
		EXPECT_TO(syn, B4);
	}
	cr_assert_eq(rig_endpoint_traffic("tcp", B4).flows, 100);
}

Test(nat_flow, without_a_next_hop_nothing_is_opened)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet syn = talk_request(&talk, SPEC(.flags = TH_SYN));
	struct packet ack = talk_request(&talk, SPEC(.flags = TH_ACK));

	rig_target(A4, NULL, 0);
	talk_configure(0);
	EXPECT_DROP(syn, NO_NEXT_HOP);
	cr_assert_eq(rig_count_nat(), 0);
	cr_assert_eq(rig_count_replies(), 0);

	rig_target(A4, "02:00:00:00:00:0b", 0);
	cr_assert(plan_resolve(rig.plan, &rig.facts));
	sync_nexthops(rig.object, rig.plan);
	talk_open(&talk);
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
Test(nat_flow, without_a_route_there_is_no_port)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet syn = talk_request(&talk, SPEC(.flags = TH_SYN));

	rig_target(A4, NULL, -1);
	talk_configure(0);
	EXPECT_DROP(syn, NO_NEXT_HOP);
	rig_target(A4, "02:00:00:00:00:0b", 0);
	talk_configure(0);
	EXPECT_TO(syn, A4);
}
