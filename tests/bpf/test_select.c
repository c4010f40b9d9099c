// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: new flows are spread as the weights say, each flow stays where it began, and slots that
 * change treat each kind of packet exactly as "Selection" in the data plane's design says: an
 * established flow without a record belongs to `previous` in MOVING, to `current` otherwise.
 * Needs root.
 */
#include <bpf/bpf.h>
#include <string.h>

#include <weir/hash.h>

#include "dataplane/sync.h"
#include "rig_suite.h"

#define A4	     "10.0.0.11"
#define B4	     "10.0.0.12"
#define C4	     "10.0.0.13"
#define B6	     "fd00::12"
#define C6	     "fd00::13"
#define IDLE_TIMEOUT 60
#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))

RIG_SUITE(select);

/* The same three endpoints for TCP and UDP, in both families. */
static void weigh(int a, int b, int c)
{
	static const char *const listeners[] = { "web", "dns" };
	char text[4096] = "version: 1\nlisteners:\n";

	for (int i = 0; i < 2; i++) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used,
			 "- name: %s\n"
			 "  protocol: %s\n"
			 "  address: [" VIP4 ", '" VIP6 "']\n"
			 "  port: 80\n"
			 "  mode: dsr\n"
			 "  idle_timeout: %ds\n"
			 "  endpoint_groups:\n"
			 "  - name: all\n"
			 "    endpoints: [10.0.0.11 weight %d, 10.0.0.12 weight %d, "
			 "10.0.0.13 weight %d, 'fd00::11 weight %d', 'fd00::12 weight %d', "
			 "'fd00::13 weight %d']\n",
			 listeners[i], i ? "udp" : "tcp", IDLE_TIMEOUT, a, b, c, a, b, c);
	}
	rig_configure("%s", text);
}

static const struct slot *slot_of(const struct packet *packet)
{
	struct weir_flow flow = rig_flow(packet);
	bool ip6 = packet->bytes[packet->l3] >> 4 == 6;
	const struct plan_listener *listener =
		rig_listener(flow.protocol == IPPROTO_TCP ? "web" : "dns");
	const struct plan_table *table = &listener->table[ip6];

	return &table->slots[weir_hash_flow(&flow, rig.plan->hash_seed) & (table->size - 1)];
}

static bool place_is(const char *listener, uint32_t place, const char *endpoint)
{
	return place == rig_endpoint(listener, endpoint)->row - rig_listener(listener)->block;
}

/* Another flow each time, of a slot that moves from one endpoint (and so family) to another. */
static struct packet moving_flow(uint8_t protocol, const char *previous, const char *current)
{
	static uint16_t sport;
	bool ip6 = strchr(previous, ':');

	for (unsigned tries = 0; tries < 65535; tries++) {
		struct packet packet = packet_build(&(struct packet_spec){
			.protocol = protocol,
			.src = ip6 ? CLIENT6 : CLIENT4,
			.dst = ip6 ? VIP6 : VIP4,
			.sport = ++sport,
			.dport = 80,
		});
		const struct slot *slot = slot_of(&packet);
		const char *listener = protocol == IPPROTO_TCP ? "web" : "dns";

		if (slot->phase != WEIR_STABLE && place_is(listener, slot->current, current) &&
		    (slot->phase == WEIR_PINNED || place_is(listener, slot->previous, previous)))
			return packet;
	}
	cr_assert_fail("no slot moves from %s to %s", previous, current);
	return (struct packet){};
}

static struct packet with_flags(const struct packet *packet, uint8_t flags)
{
	struct packet other = *packet;

	other.bytes[other.l4 + 13] = flags;
	packet_sum(&other);
	return other;
}

static bool record_of(const struct packet *packet, struct weir_exception *ret)
{
	struct weir_flow flow = rig_flow(packet);

	return !bpf_map_lookup_elem(rig.object->exceptions, &flow, ret);
}

#define EXPECT_RECORD(packet, endpoint, state) expect_record(&(packet), endpoint, state, __LINE__)

/* `endpoint` NULL: there is none. */
static void expect_record(const struct packet *packet, const char *endpoint, uint8_t state,
			  int line)
{
	const char *listener = packet->data - packet->l4 == 8 ? "dns" : "web";
	struct weir_exception record = {};
	bool found = record_of(packet, &record);
	uint32_t now = object_now(rig.object);

	cr_assert_eq(found, endpoint != NULL, "line %d: %s record", line, found ? "a" : "no");
	if (!endpoint)
		return;
	cr_assert_eq(record.endpoint, rig_endpoint(listener, endpoint)->row, "line %d: row %u",
		     line, record.endpoint);
	cr_assert_eq(record.generation, rig_endpoint(listener, endpoint)->generation, "line %d",
		     line);
	cr_assert_eq(record.state, state, "line %d: state %u, not %u", line, record.state, state);
	cr_assert_eq(record.listener, rig_listener(listener)->id, "line %d", line);
	cr_assert_eq(record.idle_timeout, IDLE_TIMEOUT, "line %d", line);
	cr_assert_leq(now - record.seen, 1, "line %d: seen %u at %u", line, record.seen, now);
}

#define EXPECT_NOTES(packet, ...)                                                                  \
	expect_notes(&(packet), (enum weir_reason[]){ __VA_ARGS__, WEIR_R_COUNT }, __LINE__)

/* The packet is sent, and counted beside are these and nothing else. */
static void expect_notes(const struct packet *packet, const enum weir_reason *notes, int line)
{
	struct rig_result result = rig_send(packet);
	bool expected[WEIR_R_COUNT] = {};

	for (; *notes != WEIR_R_COUNT; notes++)
		expected[*notes] = true;
	for (unsigned i = 0; i < WEIR_R_COUNT; i++)
		cr_assert_eq(result.noted[i], i >= WEIR_R_FLOW_RECORDED && expected[i],
			     "line %d: %s", line, rig_reason(i));
}

#define NOTHING WEIR_R_FORWARDED

/* b is half of what it was, and c gets that half. */
static void move_from_b_to_c(void)
{
	weigh(100, 100, 0);
	weigh(100, 50, 50);
}

static void pin_all(void)
{
	vec_foreach(listener, &rig.plan->listeners) {
		plan_foreach_table(table, listener)
		{
			slots_pin(table->slots, table->size);
			sync_phases(rig.object, listener, table);
		}
	}
}

/* The same change again, from STABLE slots. */
static void start_over(void)
{
	rig_clear_flows();
	weigh(100, 100, 0);
	pin_all();
	rig_upkeep();
	weigh(100, 50, 50);
}

static const char *const addresses[2][3] = { { A4, B4, C4 }, { "fd00::11", B6, C6 } };

/* Of fixed flows, within a point of what the weights say; of weight 0 none. */
static void expect_shares(uint8_t protocol, bool ip6, const unsigned weights[3])
{
	unsigned sum = weights[0] + weights[1] + weights[2];
	const char *listener = protocol == IPPROTO_TCP ? "web" : "dns";
	unsigned got[3] = {}, flows = 20000;

	for (unsigned i = 0; i < flows; i++) {
		char src[ADDR_TEXT_MAX];
		struct packet packet, out;

		snprintf(src, sizeof(src), ip6 ? "2001:db8:c::%x" : "198.51.100.%u", 1 + i % 200);
		packet = packet_build(&(struct packet_spec){
			.protocol = protocol,
			.src = src,
			.dst = ip6 ? VIP6 : VIP4,
			.sport = (uint16_t)(1024 + i),
			.dport = 80,
			.flags = TH_SYN,
		});
		cr_assert_eq(rig_run(&packet, &out), XDP_TX);
		for (int k = 0; k < 3; k++) {
			if (!rig_went_to(&out, addresses[ip6][k]))
				continue;
			cr_assert(place_is(listener, slot_of(&packet)->current, addresses[ip6][k]));
			got[k]++;
		}
	}
	cr_assert_eq(got[0] + got[1] + got[2], flows);
	for (int k = 0; k < 3; k++) {
		double points = 100.0 * got[k] / flows - 100.0 * weights[k] / sum;

		cr_assert(points > -1 && points < 1, "%s of %s: %.2f points off", addresses[ip6][k],
			  listener, points);
		cr_assert(weights[k] || !got[k]);
		cr_assert_eq(rig_endpoint_traffic(listener, addresses[ip6][k]).packets, got[k]);
	}
	rig_recount();
}

Test(select, shares_follow_the_weights)
{
	static const unsigned weights[] = { 50, 30, 20 };

	weigh(50, 30, 20);
	expect_shares(IPPROTO_TCP, false, weights);
	expect_shares(IPPROTO_TCP, true, weights);
	expect_shares(IPPROTO_UDP, false, weights);
	expect_shares(IPPROTO_UDP, true, weights);
	cr_assert_eq(rig_traffic("web").flows, 40000);
	cr_assert_eq(rig_traffic("dns").flows, 0);
	cr_assert_eq(rig_count_records(rig.object->exceptions), 0);
}

Test(select, one_to_two_and_weight_zero)
{
	static const unsigned weights[] = { 1, 2, 0 };

	weigh(1, 2, 0);
	expect_shares(IPPROTO_TCP, false, weights);
	expect_shares(IPPROTO_TCP, true, weights);
	expect_shares(IPPROTO_UDP, false, weights);
	expect_shares(IPPROTO_UDP, true, weights);
}

/* The hash knows the whole flow and nothing else of a packet. */
Test(select, a_flow_goes_one_way)
{
	static const uint8_t flags[] = { TH_SYN, TH_ACK, TH_PUSH | TH_ACK, TH_FIN, TH_RST };
	bool seen[3] = {};

	weigh(50, 30, 20);
	for (uint16_t sport = 1; sport < 100; sport++) {
		struct packet first = TCP(.src = CLIENT4, .dst = VIP4, .sport = sport, .dport = 80);
		const char *endpoint = NULL;
		struct packet out;

		rig_run(&first, &out);
		for (int k = 0; k < 3; k++) {
			if (rig_went_to(&out, addresses[0][k])) {
				endpoint = addresses[0][k];
				seen[k] = true;
			}
		}
		for (size_t i = 0; i < sizeof(flags); i++) {
			struct packet next = TCP(.src = CLIENT4, .dst = VIP4, .sport = sport,
						 .dport = 80, .flags = flags[i], .ttl = 3,
						 .payload = (uint16_t)(i * 100), .ip_options = 8);

			cr_assert_eq(rig_run(&next, &out), XDP_TX);
			cr_assert(rig_went_to(&out, endpoint), "port %u", sport);
		}
	}
	cr_assert(seen[0] && seen[1] && seen[2]);
}

Test(select, stable_slots_keep_no_records)
{
	weigh(100, 100, 0);
	for (uint16_t sport = 1; sport < 200; sport++) {
		struct packet tcp = TCP(.src = CLIENT6, .dst = VIP6, .sport = sport, .dport = 80,
					.flags = sport & 1 ? TH_SYN : TH_ACK);
		struct packet udp = UDP(.src = CLIENT4, .dst = VIP4, .sport = sport, .dport = 80);

		EXPECT_NOTES(tcp, NOTHING);
		EXPECT_NOTES(udp, NOTHING);
	}
	cr_assert_eq(rig_count_records(rig.object->exceptions), 0);
}

Test(select, moving_slots_send_new_flows_to_current_and_record_them)
{
	static const char *const ends[][2] = { { B4, C4 }, { B6, C6 } };

	move_from_b_to_c();
	for (size_t i = 0; i < COUNT(ends); i++) {
		const char *previous = ends[i][0], *current = ends[i][1];
		struct packet base = moving_flow(IPPROTO_TCP, previous, current);
		struct packet syn = with_flags(&base, TH_SYN), ack = with_flags(&base, TH_ACK);
		struct packet fin = with_flags(&base, TH_FIN | TH_ACK);
		struct packet reset = with_flags(&base, TH_RST);

		EXPECT_NOTES(syn, WEIR_R_FLOW_RECORDED);
		EXPECT_RECORD(syn, current, WEIR_FLOW_SYN);
		EXPECT_NOTES(syn, NOTHING); /* again */
		EXPECT_RECORD(syn, current, WEIR_FLOW_SYN);
		EXPECT_TO(ack, current);
		EXPECT_RECORD(ack, current, WEIR_FLOW_OPEN);
		EXPECT_NOTES(ack, NOTHING);
		EXPECT_TO(fin, current);
		EXPECT_RECORD(ack, current, WEIR_FLOW_CLOSING);
		EXPECT_TO(ack, current);
		EXPECT_RECORD(ack, current, WEIR_FLOW_CLOSING);
		EXPECT_TO(reset, current);
		EXPECT_RECORD(ack, current, WEIR_FLOW_RESET);
		EXPECT_TO(ack, current); /* who goes on sending has not sent the reset */
		EXPECT_RECORD(ack, current, WEIR_FLOW_OPEN);
		EXPECT_TO(reset, current);
		EXPECT_TO(fin, current);
		EXPECT_RECORD(ack, current, WEIR_FLOW_CLOSING);
		EXPECT_TO(syn, current); /* the port is used again */
		EXPECT_RECORD(ack, current, WEIR_FLOW_SYN);
	}
	cr_assert_eq(rig_count_records(rig.object->exceptions), COUNT(ends));
	cr_assert_eq(rig_counted("web", WEIR_R_FLOW_RECORDED), COUNT(ends));
}

Test(select, moving_slots_leave_known_flows_with_previous)
{
	static const struct {
		uint8_t flags;
		uint8_t state;
	} firsts[] = {
		{ TH_ACK, WEIR_FLOW_OPEN },
		{ TH_PUSH | TH_ACK, WEIR_FLOW_OPEN },
		{ TH_SYN | TH_ACK, WEIR_FLOW_OPEN },
		{ 0, WEIR_FLOW_OPEN },
		{ TH_FIN | TH_ACK, WEIR_FLOW_CLOSING },
	};
	struct packet query4, query6;

	move_from_b_to_c();
	for (size_t i = 0; i < COUNT(firsts) * 2; i++) {
		const char *previous = i & 1 ? B6 : B4, *current = i & 1 ? C6 : C4;
		struct packet base = moving_flow(IPPROTO_TCP, previous, current);
		struct packet first = with_flags(&base, firsts[i / 2].flags);

		EXPECT_NOTES(first, WEIR_R_FLOW_RECORDED);
		EXPECT_RECORD(first, previous, firsts[i / 2].state);
		EXPECT_TO(first, previous);
	}
	query4 = moving_flow(IPPROTO_UDP, B4, C4);
	query6 = moving_flow(IPPROTO_UDP, B6, C6);
	EXPECT_NOTES(query4, WEIR_R_FLOW_RECORDED);
	EXPECT_TO(query4, B4);
	EXPECT_RECORD(query4, B4, WEIR_FLOW_OPEN);
	EXPECT_TO(query6, B6);
	EXPECT_RECORD(query6, B6, WEIR_FLOW_OPEN);
}

Test(select, a_reset_alone_is_not_recorded)
{
	static const uint8_t flags[] = { TH_RST, TH_RST | TH_ACK };

	move_from_b_to_c();
	for (size_t i = 0; i < COUNT(flags); i++) {
		struct packet base = moving_flow(IPPROTO_TCP, B4, C4);
		struct packet reset = with_flags(&base, flags[i]);

		EXPECT_NOTES(reset, NOTHING);
		EXPECT_TO(reset, B4);
		EXPECT_RECORD(reset, NULL, 0);
	}
}

Test(select, pinned_slots_keep_records_and_make_none)
{
	struct packet kept, began, syn, ack, query;

	move_from_b_to_c();
	kept = moving_flow(IPPROTO_TCP, B4, C4);
	began = moving_flow(IPPROTO_TCP, B4, C4);
	kept = with_flags(&kept, TH_ACK);
	began = with_flags(&began, TH_SYN);
	rig_send(&kept);
	rig_send(&began);
	pin_all();

	EXPECT_TO(kept, B4);
	EXPECT_RECORD(kept, B4, WEIR_FLOW_OPEN);
	EXPECT_TO(began, C4);
	ack = moving_flow(IPPROTO_TCP, B4, C4);
	syn = moving_flow(IPPROTO_TCP, B4, C4);
	query = moving_flow(IPPROTO_UDP, B4, C4);
	ack = with_flags(&ack, TH_ACK);
	syn = with_flags(&syn, TH_SYN);
	EXPECT_NOTES(ack, NOTHING);
	EXPECT_TO(ack, C4);
	EXPECT_NOTES(syn, NOTHING);
	EXPECT_TO(syn, C4);
	EXPECT_TO(query, C4);
	cr_assert_eq(rig_count_records(rig.object->exceptions), 2);
	syn = with_flags(&kept, TH_SYN); /* its endpoint still takes new flows: it stays */
	EXPECT_TO(syn, B4);
}

/* A record that cannot be followed: of a dead endpoint, or of the row's owner before. */
static void break_record(const char *endpoint, bool generation)
{
	struct weir_endpoint *row = &rig.object->endpoints[rig_endpoint("web", endpoint)->row];

	if (generation)
		row->generation++;
	else
		row->state = WEIR_ENDPOINT_GONE;
}

static void mend_record(const char *endpoint)
{
	struct plan_endpoint *known = rig_endpoint("web", endpoint);

	rig.object->endpoints[known->row].generation = known->generation;
	rig.object->endpoints[known->row].state = known->state;
}

Test(select, records_of_dead_endpoints)
{
	move_from_b_to_c();
	for (int i = 0; i < 2; i++) {
		struct packet base = moving_flow(IPPROTO_TCP, B4, C4);
		struct packet ack = with_flags(&base, TH_ACK);

		EXPECT_TO(ack, B4);
		break_record(B4, i);
		EXPECT_NOTES(ack, WEIR_R_REFUSED_CURRENT, WEIR_R_FLOW_RECORDED);
		EXPECT_RECORD(ack, C4, WEIR_FLOW_OPEN);
		mend_record(B4);
		EXPECT_TO(ack, C4); /* it has moved for good */
	}
	for (int i = 0; i < 2; i++) {
		struct packet base = moving_flow(IPPROTO_TCP, B4, C4);
		struct packet ack = with_flags(&base, TH_ACK);

		EXPECT_TO(ack, B4);
		pin_all();
		break_record(B4, i);
		EXPECT_NOTES(ack, WEIR_R_REFUSED_CURRENT);
		EXPECT_RECORD(ack, NULL, 0);
		EXPECT_NOTES(ack, NOTHING);
		EXPECT_TO(ack, C4);
		mend_record(B4);
		start_over();
	}
}

Test(select, a_draining_endpoint_takes_no_new_flow)
{
	struct packet base, syn, ack;

	move_from_b_to_c();
	base = moving_flow(IPPROTO_TCP, B4, C4);
	syn = with_flags(&base, TH_SYN);
	ack = with_flags(&base, TH_ACK);
	EXPECT_TO(ack, B4);
	rig.object->endpoints[rig_endpoint("web", B4)->row].state = WEIR_ENDPOINT_DRAINING;
	EXPECT_TO(ack, B4);
	EXPECT_RECORD(ack, B4, WEIR_FLOW_OPEN);
	EXPECT_NOTES(syn, WEIR_R_REFUSED_CURRENT, WEIR_R_FLOW_RECORDED);
	EXPECT_RECORD(syn, C4, WEIR_FLOW_SYN);
	EXPECT_TO(ack, C4);
	EXPECT_RECORD(ack, C4, WEIR_FLOW_OPEN);
}

/* What a record forgets is seen by where the next packet goes: to previous, not to current. */
static void expect_timeout(const uint8_t *flags, uint32_t timeout)
{
	for (int over = 0; over < 2; over++) {
		struct packet base = moving_flow(IPPROTO_TCP, B4, C4), packet;

		for (const uint8_t *f = flags; *f; f++) {
			packet = with_flags(&base, *f);
			EXPECT_TO(packet, C4);
		}
		/* The clock may tick meanwhile. */
		rig_advance(over ? timeout + 1 : timeout - 1);
		packet = with_flags(&base, TH_ACK);
		rig_expect_to(&packet, over ? B4 : C4, __LINE__);
		if (over)
			EXPECT_RECORD(packet, B4, WEIR_FLOW_OPEN);
	}
}

Test(select, records_live_as_long_as_they_should)
{
	move_from_b_to_c();
	expect_timeout((const uint8_t[]){ TH_SYN, 0 }, WEIR_TIMEOUT_SYN);
	expect_timeout((const uint8_t[]){ TH_SYN, TH_SYN, 0 }, WEIR_TIMEOUT_SYN);
	expect_timeout((const uint8_t[]){ TH_SYN, TH_ACK, 0 }, IDLE_TIMEOUT);
	expect_timeout((const uint8_t[]){ TH_SYN, TH_ACK, TH_FIN, 0 }, WEIR_TIMEOUT_CLOSING);
	expect_timeout((const uint8_t[]){ TH_SYN, TH_ACK, TH_RST, 0 }, WEIR_TIMEOUT_CLOSING);
	expect_timeout((const uint8_t[]){ TH_SYN, TH_FIN, TH_ACK, 0 }, WEIR_TIMEOUT_CLOSING);
}

Test(select, each_packet_renews_a_record)
{
	struct packet base, packet;

	move_from_b_to_c();
	base = moving_flow(IPPROTO_TCP, B4, C4);
	packet = with_flags(&base, TH_SYN);
	for (int i = 0; i < 5; i++) {
		EXPECT_TO(packet, C4);
		rig_advance(WEIR_TIMEOUT_SYN - 2);
	}
	packet = with_flags(&base, TH_ACK);
	for (int i = 0; i < 5; i++) {
		EXPECT_TO(packet, C4);
		rig_advance(IDLE_TIMEOUT - 2);
	}
	EXPECT_TO(packet, C4);
	EXPECT_RECORD(packet, C4, WEIR_FLOW_OPEN);
}

Test(select, a_full_table_breaks_no_flow)
{
	static const struct weir_exception value = { .endpoint = UINT32_MAX };
	struct packet recorded, base, syn, ack, query;

	move_from_b_to_c();
	recorded = moving_flow(IPPROTO_TCP, B4, C4);
	recorded = with_flags(&recorded, TH_SYN);
	EXPECT_TO(recorded, C4);
	cr_assert_eq(rig_fill(rig.object->exceptions, &value),
		     rig.object->capacity.of[CAPACITY_EXCEPTIONS] - 1);

	base = moving_flow(IPPROTO_TCP, B4, C4);
	syn = with_flags(&base, TH_SYN);
	ack = with_flags(&base, TH_ACK);
	query = moving_flow(IPPROTO_UDP, B4, C4);
	EXPECT_NOTES(syn, WEIR_R_EXCEPTIONS_FULL);
	EXPECT_TO(syn, B4);
	EXPECT_NOTES(ack, WEIR_R_EXCEPTIONS_FULL);
	EXPECT_TO(ack, B4);
	EXPECT_TO(query, B4);
	EXPECT_RECORD(ack, NULL, 0);
	recorded = with_flags(&recorded, TH_ACK);
	EXPECT_TO(recorded, C4);
	cr_assert_eq(rig_counted("web", WEIR_R_EXCEPTIONS_FULL), 4);
	cr_assert_eq(rig_counted("dns", WEIR_R_EXCEPTIONS_FULL), 1);
	/* A record may change even now: SYN to an endpoint that drains. */
	rig.object->endpoints[rig_endpoint("web", C4)->row].state = WEIR_ENDPOINT_GONE;
	EXPECT_NOTES(recorded, WEIR_R_REFUSED_CURRENT, WEIR_R_FLOW_RECORDED);
}

Test(select, nobody_takes_new_flows)
{
	struct packet base = TCP(.src = CLIENT4, .dst = VIP4, .sport = 77, .dport = 80);
	struct packet late = TCP(.src = CLIENT4, .dst = VIP4, .sport = 78, .dport = 80);
	struct packet syn = with_flags(&base, TH_SYN), ack = with_flags(&base, TH_ACK);
	struct packet late_ack = with_flags(&late, TH_ACK);
	const char *before;

	weigh(100, 100, 100);
	before = place_is("web", slot_of(&base)->current, A4)	? A4
		 : place_is("web", slot_of(&base)->current, B4) ? B4
								: C4;
	weigh(0, 0, 0);
	cr_assert_eq(slot_of(&base)->current, WEIR_SLOT_NONE);
	cr_assert_eq(slot_of(&base)->phase, WEIR_MOVING);
	EXPECT_RESET(syn, NO_ENDPOINT);
	EXPECT_RECORD(syn, NULL, 0);
	EXPECT_NOTES(ack, WEIR_R_FLOW_RECORDED);
	EXPECT_RECORD(ack, before, WEIR_FLOW_OPEN);
	EXPECT_RESET(syn, NO_ENDPOINT); /* and its record goes: the connection was another */
	EXPECT_RECORD(syn, NULL, 0);
	EXPECT_TO(ack, before);
	pin_all();
	EXPECT_TO(ack, before);
	EXPECT_RESET(late_ack, NO_ENDPOINT);
	cr_assert_eq(rig_counted("web", WEIR_R_NO_ENDPOINT), 3);

	weigh(100, 100, 100);
	EXPECT_TO(ack, before);
	cr_assert_eq(rig_send(&late_ack).verdict, XDP_TX);
}

/* The whole life of a change, with the daemon's part in it. */
Test(select, a_change_ends_where_nothing_is_tracked)
{
	struct packet base, stays, idles;
	const struct plan_table *table;

	move_from_b_to_c();
	table = &rig_listener("web")->table[PLAN_IP4];
	base = moving_flow(IPPROTO_TCP, B4, C4);
	stays = with_flags(&base, TH_ACK);
	base = moving_flow(IPPROTO_TCP, B4, C4);
	idles = with_flags(&base, TH_ACK);
	EXPECT_TO(stays, B4);
	EXPECT_TO(idles, B4);
	rig_upkeep();
	cr_assert_gt(slots_count(table->slots, table->size, WEIR_MOVING), 0);
	rig_advance(IDLE_TIMEOUT / 2);
	EXPECT_TO(stays, B4);
	rig_advance(IDLE_TIMEOUT / 2 + 2);
	rig_upkeep(); /* the window is over: everything is pinned, and the idle record expired */
	cr_assert_eq(slots_count(table->slots, table->size, WEIR_MOVING), 0);
	cr_assert_gt(slots_count(table->slots, table->size, WEIR_PINNED), 1);
	EXPECT_RECORD(idles, NULL, 0);
	EXPECT_TO(stays, B4);
	rig_upkeep(); /* only the slot with the living record stays so */
	cr_assert_eq(slots_count(table->slots, table->size, WEIR_PINNED), 1);
	cr_assert_eq(slot_of(&stays)->phase, WEIR_PINNED);
	EXPECT_TO(stays, B4);
	EXPECT_TO(idles, C4);
	rig_advance(IDLE_TIMEOUT + 2);
	rig_upkeep();
	rig_upkeep();
	cr_assert_eq(slots_count(table->slots, table->size, WEIR_STABLE), table->size);
	cr_assert_eq(rig_count_records(rig.object->exceptions), 0);
	for (uint32_t i = 0; i < table->size; i++) {
		struct weir_slot slot = rig.object->slots[table->line].slot[i];

		cr_assert_eq(slot.current, table->slots[i].current);
		cr_assert_eq(slot.phase, WEIR_STABLE);
	}
}

/* Rows come and go; what went through them stays in the listener's sum, also under a new owner. */
Test(select, a_listener_remembers_what_its_former_endpoints_got)
{
	uint64_t packets = 0, bytes = 0;

	for (unsigned round = 0; round < 6; round++) {
		rig_configure("version: 1\n"
			      "listeners:\n"
			      "- name: web\n"
			      "  protocol: tcp\n"
			      "  address: " VIP4 "\n"
			      "  port: 80\n"
			      "  mode: dsr\n"
			      "  idle_timeout: 60\n"
			      "  endpoint_groups: [{name: all, endpoints: [10.0.0.%u]}]\n",
			      11 + round);
		for (unsigned i = 0; i < 10; i++) {
			struct packet packet =
				TCP(.src = CLIENT4, .dst = VIP4, .sport = 1000 + 10 * round + i,
				    .dport = 80, .flags = TH_SYN, .payload = i);

			cr_assert_eq(rig_send(&packet).verdict, XDP_TX);
			packets++;
			bytes += packet.size - packet.l3;
		}
		rig_advance(1000);
		for (unsigned i = 0; i < 4; i++)
			rig_upkeep();
		cr_assert_leq(rig_listener("web")->endpoints.count, 2, "rows are not freed");
		cr_assert_eq(rig_traffic("web").packets, packets);
		cr_assert_eq(rig_traffic("web").bytes, bytes);
		cr_assert_eq(rig_traffic("web").flows, packets);
		cr_assert_eq(rig_counted("web", WEIR_R_FORWARDED), packets);
	}
	cr_assert_eq(rig.object->listener_info[rig_listener("web")->id].retired.packets,
		     packets - 10);
}
