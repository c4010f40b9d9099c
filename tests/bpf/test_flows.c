// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the scan of the flow maps deletes each record when its time is over and not before, finds
 * what flows still refer to, and only what none refers to is freed, to be reused under another
 * generation. Needs root.
 */
#include <bpf/bpf.h>
#include <string.h>

#include "dataplane/flows.h"
#include "dataplane/sync.h"
#include "rig_suite.h"

#define A4	     "10.0.0.11"
#define B4	     "10.0.0.12"
#define IDLE_TIMEOUT 120
#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))

RIG_SUITE(flows);

static void configure(const char *tcp_endpoints)
{
	rig_configure(
		"version: 1\n"
		"listeners:\n"
		"- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, idle_timeout: %ds, "
		"endpoint_groups: [{name: all, endpoints: [%s]}]}\n"
		"- {name: udp, protocol: udp, address: " VIP4 ", port: 80, idle_timeout: %ds, "
		"endpoint_groups: [{name: all, endpoints: [10.0.0.11]}]}\n",
		IDLE_TIMEOUT, tcp_endpoints, IDLE_TIMEOUT);
}

static struct flows scan(bool expire)
{
	struct flows flows = {};
	struct err err = {};

	cr_assert_eq(flows_scan(rig.object, object_now(rig.object), expire, &flows, &err), 0, "%s",
		     err.text);
	return flows;
}

/* How many flows live, and how many were deleted as over. */
static void expect_scan(uint32_t nat, uint32_t exceptions, uint32_t expired, int line)
{
	struct flows flows = scan(true);

	cr_assert_eq(flows.nat, nat, "line %d: %u nat flows", line, flows.nat);
	cr_assert_eq(flows.exceptions, exceptions, "line %d: %u exceptions", line,
		     flows.exceptions);
	cr_assert_eq(flows.expired, expired, "line %d: %u expired", line, flows.expired);
	cr_assert_eq(rig_count_nat(), nat);
	cr_assert_eq(rig_count_records(rig.object->exceptions), exceptions);
	flows_fini(&flows);
}

#define EXPECT_SCAN(nat, exceptions, expired) expect_scan(nat, exceptions, expired, __LINE__)

static struct packet request(uint16_t sport, uint8_t flags)
{
	return TCP(.src = CLIENT4, .dst = VIP4, .sport = sport, .dport = 80, .flags = flags);
}

/* Sends a request of the flow that began with `sport` and returns the SNAT port. */
static uint16_t send_request(uint16_t sport, uint8_t flags)
{
	struct packet packet = request(sport, flags);
	struct rig_result result = rig_send(&packet);

	cr_assert_eq(result.reason, WEIR_R_FORWARDED, "%s", rig_reason(result.reason));
	return packet_get16(&result.out, packet.l4);
}

static void send_reply(uint16_t snat_port, uint8_t flags)
{
	struct packet packet =
		TCP(.src = A4, .dst = SNAT4, .sport = 80, .dport = snat_port, .flags = flags);

	cr_assert_eq(rig_send(&packet).reason, WEIR_R_REPLIED);
}

/* What both sides said, in order, and how long the flow lives after it. */
static const struct life {
	const char *what;
	struct {
		char from; /* 'c'lient, 'e'ndpoint */
		uint8_t flags;
	} said[6];
	uint32_t timeout;
} lives[] = {
	{ "a lone SYN", { { 'c', TH_SYN } }, WEIR_TIMEOUT_SYN },
	{ "SYN and data without an answer",
	  { { 'c', TH_SYN }, { 'c', TH_ACK } },
	  WEIR_TIMEOUT_SYN },
	{ "SYN and SYN-ACK", { { 'c', TH_SYN }, { 'e', TH_SYN | TH_ACK } }, WEIR_TIMEOUT_SYN },
	{ "open", { { 'c', TH_SYN }, { 'e', TH_SYN | TH_ACK }, { 'c', TH_ACK } }, IDLE_TIMEOUT },
	{ "closed by the client alone",
	  { { 'c', TH_SYN }, { 'e', TH_SYN | TH_ACK }, { 'c', TH_FIN }, { 'e', TH_ACK } },
	  IDLE_TIMEOUT },
	{ "closed by the endpoint alone",
	  { { 'c', TH_SYN }, { 'e', TH_SYN | TH_ACK }, { 'c', TH_ACK }, { 'e', TH_FIN } },
	  IDLE_TIMEOUT },
	{ "closed by both",
	  { { 'c', TH_SYN },
	    { 'e', TH_SYN | TH_ACK },
	    { 'c', TH_FIN },
	    { 'e', TH_FIN | TH_ACK },
	    { 'c', TH_ACK } },
	  WEIR_TIMEOUT_CLOSING },
	{ "reset by the client",
	  { { 'c', TH_SYN }, { 'e', TH_SYN | TH_ACK }, { 'c', TH_RST } },
	  WEIR_TIMEOUT_CLOSING },
	{ "refused", { { 'c', TH_SYN }, { 'e', TH_RST | TH_ACK } }, WEIR_TIMEOUT_CLOSING },
};

static void live(const struct life *life, uint16_t sport)
{
	uint16_t port = 0;

	for (size_t i = 0; i < COUNT(life->said) && life->said[i].from; i++) {
		if (life->said[i].from == 'c')
			port = send_request(sport, life->said[i].flags);
		else
			send_reply(port, life->said[i].flags);
	}
}

Test(flows, nat_flows_live_as_long_as_they_should)
{
	configure(A4);
	for (size_t i = 0; i < COUNT(lives); i++) {
		struct flows flows;

		live(&lives[i], (uint16_t)(1000 + i));
		rig_advance(lives[i].timeout - 1); /* the clock may tick meanwhile */
		flows = scan(true);
		cr_assert_eq(flows.nat, 1, "%s: ended too early", lives[i].what);
		flows_fini(&flows);
		rig_advance(2);
		flows = scan(false);
		cr_assert_eq(flows.nat + flows.expired, 0, "%s: lives too long", lives[i].what);
		rig_advance(WEIR_NAT_GRACE);
		flows_fini(&flows);
		cr_assert_eq(rig_count_nat(), 1, "deleted by a look");
		EXPECT_SCAN(0, 0, 1);
		cr_assert_eq(rig_count_replies(), 0, "%s", lives[i].what);
	}
}

Test(flows, udp_flows_live_their_idle_timeout)
{
	struct packet query = UDP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = 80);

	configure(A4);
	rig_send(&query);
	rig_advance(IDLE_TIMEOUT - 1);
	EXPECT_SCAN(1, 0, 0);
	rig_send(&query);
	rig_advance(IDLE_TIMEOUT - 1);
	EXPECT_SCAN(1, 0, 0);
	rig_advance(2 + WEIR_NAT_GRACE);
	EXPECT_SCAN(0, 0, 1);
}

Test(flows, one_direction_keeps_a_flow_alive)
{
	uint16_t port;

	configure(A4);
	port = send_request(1, TH_SYN);
	send_reply(port, TH_SYN | TH_ACK);
	send_request(1, TH_ACK);
	for (int i = 0; i < 3; i++) {
		rig_advance(IDLE_TIMEOUT - 2);
		send_reply(port, TH_ACK); /* a download */
		EXPECT_SCAN(1, 0, 0);
	}
	for (int i = 0; i < 3; i++) {
		rig_advance(IDLE_TIMEOUT - 2);
		send_request(1, TH_ACK); /* an upload */
		EXPECT_SCAN(1, 0, 0);
	}
	rig_advance(IDLE_TIMEOUT + 1 + WEIR_NAT_GRACE);
	EXPECT_SCAN(0, 0, 1);
}

Test(flows, references_are_found)
{
	uint32_t a, udp;
	struct flows flows;

	configure(A4);
	a = rig_endpoint("tcp", A4)->row;
	udp = rig_endpoint("udp", A4)->row;
	for (uint16_t sport = 1; sport <= 700; sport++) {
		struct packet query = UDP(.src = CLIENT4, .dst = VIP4, .sport = sport, .dport = 80);

		send_request(sport, TH_SYN);
		if (sport % 7 == 0)
			rig_send(&query);
	}
	flows = scan(true);
	cr_assert_eq(flows.nat, 800);
	cr_assert_eq(flows.by_row[a], 700);
	cr_assert_eq(flows.by_row[udp], 100);
	for (uint32_t row = 0; row < rig.object->capacity.of[CAPACITY_ROWS]; row++)
		cr_assert_eq(flows.references.rows[row], row == a || row == udp);
	cr_assert_eq(flows.references.snat_addresses.count, 1);
	cr_assert_arr_eq(flows.references.snat_addresses.items[0].bytes,
			 rig.plan->snat.items[1].row.addr, 16);
	flows_fini(&flows);
}

/* More than fit in one batch of the scan, half of them over. */
Test(flows, many_records_are_all_seen)
{
	struct weir_exception value = { .idle_timeout = IDLE_TIMEOUT, .state = WEIR_FLOW_OPEN };
	struct weir_flow key = { .protocol = IPPROTO_TCP };
	struct flows flows;

	rig_advance(1000);
	for (uint32_t i = 0; i < 30000; i++) {
		key.sport = (uint16_t)i;
		value.endpoint = i % 10;
		value.seen = object_now(rig.object) - (i & 1 ? IDLE_TIMEOUT + 1 : 0);
		cr_assert_eq(bpf_map_update_elem(rig.object->exceptions, &key, &value, BPF_ANY), 0);
	}
	flows = scan(true);
	cr_assert_eq(flows.exceptions, 15000);
	cr_assert_eq(flows.expired, 15000);
	for (uint32_t row = 0; row < 10; row++)
		cr_assert_eq(flows.by_row[row], row & 1 ? 0 : 3000);
	flows_fini(&flows);
	EXPECT_SCAN(0, 15000, 0);
}

Test(flows, exceptions_live_as_long_as_they_should)
{
	static const struct {
		uint8_t state;
		uint32_t timeout;
	} states[] = { { WEIR_FLOW_SYN, WEIR_TIMEOUT_SYN },
		       { WEIR_FLOW_OPEN, IDLE_TIMEOUT },
		       { WEIR_FLOW_CLOSING, WEIR_TIMEOUT_CLOSING },
		       { WEIR_FLOW_RESET, WEIR_TIMEOUT_CLOSING } };

	for (size_t i = 0; i < COUNT(states); i++) {
		struct weir_exception value = { .idle_timeout = IDLE_TIMEOUT,
						.state = states[i].state,
						.seen = object_now(rig.object) };
		struct weir_flow key = { .protocol = IPPROTO_TCP, .sport = (uint16_t)i };

		bpf_map_update_elem(rig.object->exceptions, &key, &value, BPF_ANY);
		rig_advance(states[i].timeout - 1);
		EXPECT_SCAN(0, 1, 0);
		rig_advance(2);
		EXPECT_SCAN(0, 0, 1);
	}
}

/* A packet may have been stamped after the scan read its clock. */
Test(flows, a_record_from_the_future_is_young)
{
	struct weir_exception value = { .idle_timeout = 1, .state = WEIR_FLOW_OPEN };
	struct weir_flow key = { .protocol = IPPROTO_UDP };

	value.seen = object_now(rig.object) + 1;
	bpf_map_update_elem(rig.object->exceptions, &key, &value, BPF_ANY);
	EXPECT_SCAN(0, 1, 0);
}

static const struct plan_endpoint *find_gone(uint32_t row)
{
	struct plan_endpoint *endpoint = plan_find_row(rig_listener("tcp"), row);

	return endpoint && endpoint->state == WEIR_ENDPOINT_GONE ? endpoint : NULL;
}

Test(flows, a_row_is_reused_only_when_no_flow_names_it)
{
	uint32_t row, generation;

	configure(A4 ", " B4);
	row = rig_endpoint("tcp", A4)->row;
	generation = rig_endpoint("tcp", A4)->generation;
	for (uint16_t sport = 1; sport < 20; sport++)
		send_request(sport, TH_SYN);
	configure(B4);
	cr_assert(find_gone(row));
	rig_upkeep();
	cr_assert(find_gone(row), "flows still name it");
	configure(B4 ", 10.0.0.13");
	cr_assert_neq(rig_endpoint("tcp", "10.0.0.13")->row, row);
	cr_assert_eq(rig.object->endpoints[row].state, WEIR_ENDPOINT_GONE);

	rig_advance(WEIR_TIMEOUT_SYN + 1 + WEIR_NAT_GRACE);
	rig_upkeep();
	cr_assert_null(plan_find_row(rig_listener("tcp"), row));
	cr_assert_eq(rig.object->endpoints[row].state, WEIR_ENDPOINT_FREE);
	configure("10.0.0.13, 10.0.0.14");
	cr_assert_eq(rig_endpoint("tcp", "10.0.0.14")->row, row);
	cr_assert_eq(rig_endpoint("tcp", "10.0.0.14")->generation, generation + 1);
	cr_assert_eq(rig.object->endpoints[row].generation, generation + 1);
	cr_assert_eq(rig_endpoint_traffic("tcp", "10.0.0.14").packets, 0);
}

Test(flows, an_endpoint_that_comes_back_keeps_its_row_and_flows)
{
	struct packet ack = request(1, TH_ACK);
	struct plan_endpoint before;

	configure(A4);
	send_request(1, TH_SYN);
	before = *rig_endpoint("tcp", A4);
	configure(B4);
	EXPECT_RESET(ack, ENDPOINT_GONE);
	configure(A4 ", " B4);
	cr_assert_eq(rig_endpoint("tcp", A4)->row, before.row);
	cr_assert_eq(rig_endpoint("tcp", A4)->generation, before.generation);
	EXPECT_TO(ack, A4);
}

Test(flows, a_listener_is_freed_after_its_last_flow)
{
	uint32_t id;

	configure(A4);
	id = rig_listener("tcp")->id;
	send_request(1, TH_SYN);
	rig_configure("version: 1\nlisteners: []\n");
	rig_upkeep();
	cr_assert(plan_find_id(rig.plan, id));
	cr_assert_eq(rig.plan->listeners.count, 1); /* udp had no flow */
	cr_assert_str_eq(rig.object->listener_info[id].name, "tcp");
	cr_assert(rig.plan->snat.items[1].row.ports && !rig.plan->snat.items[1].used);
	cr_assert_eq(rig.object->snat[1].ports, SNAT_LAST - SNAT_FIRST + 1);

	rig_advance(WEIR_TIMEOUT_SYN + 1 + WEIR_NAT_GRACE);
	rig_upkeep();
	cr_assert_eq(rig.plan->listeners.count, 0);
	cr_assert_str_eq(rig.object->listener_info[id].name, "");
	cr_assert_eq(rig.plan->snat.items[1].row.ports, 0);
	cr_assert_eq(rig.object->snat[1].ports, 0);
	for (uint32_t row = 0; row < rig.object->capacity.of[CAPACITY_ROWS]; row++)
		cr_assert_eq(rig.object->endpoints[row].state, WEIR_ENDPOINT_FREE);
}

/* Its answers still come to that address: they must find their flow. */
Test(flows, a_snat_address_stays_while_flows_use_it)
{
	static const char text[] =
		"version: 1\n"
		"snat: [%s]\n"
		"listeners:\n"
		"- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, endpoint_groups: "
		"[{name: all, endpoints: [10.0.0.11]}]}\n";
	struct packet ack = request(1, TH_ACK), fresh = request(2, TH_SYN);
	struct rig_result result;
	uint16_t port;

	rig_configure(text, "10.0.0.1");
	port = send_request(1, TH_SYN);
	rig_configure(text, "10.0.0.2");
	rig_upkeep();
	send_reply(port, TH_SYN | TH_ACK);
	EXPECT_TO(ack, A4);
	result = rig_send(&fresh);
	cr_assert_eq(result.out.bytes[29], 2);
	rig_advance(IDLE_TIMEOUT * 10);
	rig_upkeep();
	rig_configure(text, "10.0.0.2"); /* the next change takes its cell away */
	{
		struct packet late =
			TCP(.src = A4, .dst = SNAT4, .sport = 80, .dport = port, .flags = TH_ACK);

		EXPECT_PASS(late, NOT_OURS);
	}
}
