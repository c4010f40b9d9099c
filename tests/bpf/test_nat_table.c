// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the NAT flow table keeps its rules: what is over makes room and gives its port back, a full
 * table refuses and harms nobody, who meets a record in the making steps back, and tags, records,
 * reply entries and counters agree after each step. Needs root.
 */
#include <sched.h>
#include <string.h>

#include <weir/hash.h>

#include "dataplane/nat.h"
#include "rig_suite.h"
#include "talk.h"

#define IDLE	 60 /* s, of talk_configure() */
#define FULL	 (2 * WEIR_NAT_WAYS)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

RIG_SUITE(nat_table);

/* As the data plane computes them. */
struct places {
	uint32_t bucket[2];
	uint32_t home; /* way in the first */
	uint8_t tag;
	uint64_t hash;
};

static struct places places_of(const struct talk *talk)
{
	struct packet packet = talk_request(talk, SPEC(0));
	struct weir_flow key = rig_flow(&packet);
	uint64_t hash = weir_hash_nat(&key, rig.object->control->nat_seed);
	uint32_t buckets = nat_size(rig.object) / WEIR_NAT_WAYS;

	return (struct places){
		.bucket = { (uint32_t)((hash & 0xffffffff) * buckets >> 32),
			    (uint32_t)((hash >> 32) * buckets >> 32) },
		.home = hash >> 8 & 15,
		.tag = (uint8_t)hash ? (uint8_t)hash : 1,
		.hash = hash,
	};
}

/* Between packets everything agrees. */
static void expect_agreement(uint32_t records, int line)
{
	cr_assert_eq(rig_count_nat(), records, "line %d: %u records", line, rig_count_nat());
	cr_assert_eq(rig_count_tags(), records, "line %d: %u tags", line, rig_count_tags());
	cr_assert_eq(rig_count_replies(), records, "line %d: %u replies", line,
		     rig_count_replies());
	cr_assert_eq(rig_nat_open(), records, "line %d: opened - closed is %llu", line,
		     (unsigned long long)rig_nat_open());
}

#define EXPECT_RECORDS(n) expect_agreement(n, __LINE__)

/* A LIVE record of some other flow in a free way, without a port: as if there were one. */
static struct weir_nat_record *plant(uint32_t bucket, uint32_t way, uint32_t seen)
{
	struct weir_nat_record *record = &rig.object->nat_records[bucket * WEIR_NAT_WAYS + way];
	const struct plan_endpoint *endpoint = rig_endpoint("tcp", A4);

	if (record->word.is.state)
		return NULL;
	*record = (struct weir_nat_record){
		.word.is = { .state = WEIR_NAT_LIVE,
			     .endpoint = endpoint->row,
			     .endpoint_generation = (uint16_t)endpoint->generation },
		.client_state = WEIR_FLOW_OPEN,
		.endpoint_state = WEIR_FLOW_OPEN,
		.client.snat = 1,
		.seen = seen,
	};
	rig.object->nat_tags[bucket].tag[way] = 0xee;
	return record;
}

/* Takes all that is free in both buckets of a flow. */
static void fill_places(const struct talk *talk, uint32_t seen)
{
	struct places at = places_of(talk);

	for (uint32_t i = 0; i < FULL; i++)
		plant(at.bucket[i / WEIR_NAT_WAYS], i % WEIR_NAT_WAYS, seen);
}

Test(nat_table, each_flow_has_one_record_one_tag_and_one_port)
{
	struct talk talk = TALK4(IPPROTO_TCP);

	talk_configure(0);
	for (uint32_t i = 0; i < 900; i++) {
		struct weir_nat_record *record;
		struct places at;
		uint32_t index;

		talk.client_port = (uint16_t)(1000 + i);
		talk_open(&talk);
		record = talk_record(&talk);
		cr_assert(record);
		at = places_of(&talk);
		index = (uint32_t)(record - rig.object->nat_records);
		cr_assert(index / WEIR_NAT_WAYS == at.bucket[0] ||
			  index / WEIR_NAT_WAYS == at.bucket[1]);
		cr_assert_eq(rig.object->nat_tags[index / WEIR_NAT_WAYS].tag[index % WEIR_NAT_WAYS],
			     at.tag);
		cr_assert_eq(record->snat_port, talk.snat_port);
	}
	EXPECT_RECORDS(900);
}

Test(nat_table, the_way_at_home_is_taken_if_it_is_free)
{
	struct talk talk = TALK4(IPPROTO_TCP);

	talk_configure(0);
	for (uint16_t port = 1; port < 200; port++) {
		struct places at;

		rig_clear_flows();
		talk.client_port = port;
		at = places_of(&talk);
		for (uint32_t way = 0; way < WEIR_NAT_WAYS; way++)
			if (way != at.home)
				plant(at.bucket[0], way, object_now(rig.object));
		talk_open(&talk);
		cr_assert_eq(talk_record(&talk),
			     &rig.object->nat_records[at.bucket[0] * WEIR_NAT_WAYS + at.home]);
	}
}

Test(nat_table, else_one_of_the_emptier_bucket)
{
	struct talk talk = TALK4(IPPROTO_TCP);

	talk_configure(0);
	for (uint16_t port = 1; port < 200; port++) {
		struct places at;
		uint32_t index, emptier = port & 1;

		rig_clear_flows();
		talk.client_port = port;
		at = places_of(&talk);
		plant(at.bucket[0], at.home, object_now(rig.object));
		for (uint32_t way = 0; way < 5; way++)
			plant(at.bucket[!emptier], (at.home + way) % WEIR_NAT_WAYS,
			      object_now(rig.object));
		talk_open(&talk);
		index = (uint32_t)(talk_record(&talk) - rig.object->nat_records);
		cr_assert_eq(index / WEIR_NAT_WAYS, at.bucket[emptier]);
	}
}

Test(nat_table, two_full_buckets_refuse_and_harm_nobody)
{
	struct talk known = TALK4(IPPROTO_TCP), fresh = TALK4(IPPROTO_TCP);
	struct packet syn, ack = talk_request(&known, SPEC(.flags = TH_ACK)), back;
	uint32_t before;

	talk_configure(0);
	talk_open(&known);
	back = talk_reply(&known, SPEC(.flags = TH_SYN | TH_ACK));
	fill_places(&known, object_now(rig.object));
	EXPECT_TO(ack, A4); /* found among all of them */
	cr_assert_eq(rig_send(&back).reason, WEIR_R_REPLIED);
	fresh.client_port = 1;
	fill_places(&fresh, object_now(rig.object));
	before = rig_count_nat();
	syn = talk_request(&fresh, SPEC(.flags = TH_SYN));
	EXPECT_DROP(syn, NAT_FULL);
	EXPECT_DROP(syn, NAT_FULL);
	cr_assert_eq(rig_counted("tcp", WEIR_R_NAT_FULL), 2);
	cr_assert_eq(rig_count_nat(), before);
	cr_assert_eq(rig_count_replies(), 1);
	EXPECT_TO(ack, A4);
}

/* Over, but only just: a packet on another CPU may still take it for alive. */
Test(nat_table, in_full_buckets_what_is_long_over_makes_room)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet syn = talk_request(&talk, SPEC(.flags = TH_SYN));

	talk_configure(0);
	rig_advance(1000);
	fill_places(&talk, object_now(rig.object) - IDLE - 1);
	EXPECT_DROP(syn, NAT_FULL);
	rig_advance(WEIR_NAT_GRACE);
	EXPECT_TO(syn, A4);
	cr_assert(talk_record(&talk));
	cr_assert_eq(rig_count_tags(), rig_count_nat());
}

/* The same port and way, one after the other, under another generation each time. */
Test(nat_table, a_way_is_used_again_under_another_generation)
{
	static const struct weir_port_range one = { 30000, 30000 };
	struct talk talk = TALK4(IPPROTO_TCP), other = TALK4(IPPROTO_TCP);
	struct weir_nat_record *record;
	uint32_t generation;

	rig_ports(SNAT4, 1, &one);
	talk_configure(0);
	talk_open(&talk);
	record = talk_record(&talk);
	generation = record->word.is.generation;
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(talk_reason(&talk, TH_RST), WEIR_R_FORWARDED);
		talk_open(&talk);
		cr_assert_eq(talk.snat_port, 30000);
		cr_assert_eq(talk_record(&talk), record);
		cr_assert_neq(record->word.is.generation, generation);
		generation = record->word.is.generation;
		EXPECT_RECORDS(1);
	}
	other.client_port++;
	cr_assert_eq(talk_reason(&other, TH_SYN), WEIR_R_NAT_NO_PORT);
	EXPECT_RECORDS(1);
}

/* No daemon, no sweep: new flows take old ones away; on one CPU, since each has its own hand. */
Test(nat_table, new_flows_remove_what_is_over)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	uint32_t size = nat_size(rig.object);
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	talk_configure(0);
	for (uint16_t port = 1; port <= 500; port++) {
		talk.client_port = port;
		talk_open(&talk);
	}
	EXPECT_RECORDS(500);
	rig_advance(WEIR_TIMEOUT_SYN + 1 + WEIR_NAT_GRACE);
	for (uint32_t i = 0; i < size / 4; i++) {
		talk.client = i & 1 ? CLIENT4 : "198.51.100.8";
		talk.client_port = (uint16_t)(1000 + i % 400);
		cr_assert_eq(
			rig_run(&(struct packet[]){ talk_request(&talk, SPEC(.flags = TH_SYN)) }[0],
				NULL),
			XDP_TX);
		if (i % 400 == 399)
			rig_advance(WEIR_TIMEOUT_SYN + 1 + WEIR_NAT_GRACE);
	}
	rig_recount();
	cr_assert_lt(rig_count_nat(), 1200, "%u records", rig_count_nat());
	for (uint16_t port = 1; port <= 500; port++) {
		talk.client = CLIENT4;
		talk.client_port = port;
		cr_assert(!talk_record(&talk), "port %u is still there", port);
	}
	EXPECT_RECORDS(rig_count_nat());
}

/* A record that is over is no record, whether it is still there or not. */
Test(nat_table, what_is_over_is_not_revived)
{
	struct talk tcp = TALK4(IPPROTO_TCP), udp = TALK4(IPPROTO_UDP);
	struct packet ack = talk_request(&tcp, SPEC(.flags = TH_ACK)), back;
	uint16_t port;

	talk_configure(0);
	talk_open(&tcp);
	talk_open(&udp);
	port = udp.snat_port;
	back = talk_reply(&tcp, SPEC(.flags = TH_ACK));
	rig_advance(IDLE + 1);
	cr_assert_eq(rig_count_nat(), 2);
	EXPECT_PASS(back, NAT_UNKNOWN);
	EXPECT_RESET(ack, NO_FLOW);
	talk_open(&udp);
	cr_assert_neq(udp.snat_port, port);
	talk_open(&tcp);
	EXPECT_RECORDS(2);
}

Test(nat_table, the_idle_timeout_follows_the_configuration)
{
	struct talk talk = TALK4(IPPROTO_UDP);

	talk_configure(0);
	talk_open(&talk);
	rig_configure("version: 1\nlisteners:\n"
		      "- {name: udp, protocol: udp, address: " VIP4
		      ", port: 80, idle_timeout: 10s, "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11:8080']}]}\n");
	rig_advance(11 + WEIR_NAT_GRACE);
	rig_upkeep();
	cr_assert_eq(rig_count_nat(), 0);
	EXPECT_RECORDS(0);
}

/* As another CPU leaves it in the middle of opening the same flow. */
Test(nat_table, who_meets_a_twin_in_the_making_steps_back)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet syn = talk_request(&talk, SPEC(.flags = TH_SYN));
	struct places at;

	talk_configure(0);
	at = places_of(&talk);
	for (uint32_t i = 0; i < FULL; i++) {
		uint32_t bucket = at.bucket[i / WEIR_NAT_WAYS], way = i % WEIR_NAT_WAYS;
		struct weir_nat_record *record =
			&rig.object->nat_records[bucket * WEIR_NAT_WAYS + way];

		*record =
			(struct weir_nat_record){ .word.busy = { .state = WEIR_NAT_BUSY,
								 .mark = WEIR_NAT_MARK(at.hash) } };
		rig.object->nat_tags[bucket].tag[way] = at.tag;
		EXPECT_DROP(syn, NAT_RACE);
		cr_assert_eq(rig_count_nat() + rig_count_replies(), 0);
		cr_assert_eq(rig_count_tags(), 1);

		/* The same tag, but another flow's: nobody has to step back. */
		record->word.busy.mark ^= 1;
		EXPECT_TO(syn, A4);
		rig_clear_flows();
	}
}

/* Who comes too late, but finds the flow open, uses it: its twin was LIVE when he looked. */
Test(nat_table, nothing_is_opened_twice)
{
	struct talk talk = TALK4(IPPROTO_UDP);

	talk_configure(0);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(talk_reason(&talk, 0), WEIR_R_FORWARDED);
	EXPECT_RECORDS(1);
	cr_assert_eq(rig_traffic("udp").flows, 1);
}

Test(nat_table, a_record_in_the_making_is_no_record)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet ack = talk_request(&talk, SPEC(.flags = TH_ACK)), back;
	struct weir_nat_record *record;

	talk_configure(0);
	talk_open(&talk);
	back = talk_reply(&talk, SPEC(.flags = TH_ACK));
	record = talk_record(&talk);
	record->word.is.state = WEIR_NAT_BUSY;
	EXPECT_RESET(ack, NO_FLOW);
	EXPECT_PASS(back, NAT_UNKNOWN);
	record->word.is.state = WEIR_NAT_LIVE;
	EXPECT_TO(ack, A4);
	cr_assert_eq(rig_send(&back).reason, WEIR_R_REPLIED);
}

/* Every part of what a reply has to match, changed one at a time. */
Test(nat_table, an_answer_must_match_its_record)
{
	struct talk talk = TALK4(IPPROTO_TCP), other = TALK4(IPPROTO_TCP);
	struct weir_nat_record *record;
	struct weir_endpoint *row;
	struct packet back;

	talk_configure(0);
	talk_open(&talk);
	other.client_port++;
	talk_open(&other);
	back = talk_reply(&talk, SPEC(.flags = TH_ACK));
	record = talk_record(&talk);
	row = &rig.object->endpoints[record->word.is.endpoint];
	cr_assert_eq(rig_send(&back).reason, WEIR_R_REPLIED);
	record->snat_port ^= 1;
	EXPECT_PASS(back, NAT_UNKNOWN);
	record->snat_port ^= 1;
	record->word.is.udp = 1;
	EXPECT_PASS(back, NAT_UNKNOWN);
	record->word.is.udp = 0;
	record->client.snat = 0;
	EXPECT_PASS(back, NAT_UNKNOWN);
	record->client.snat = 1;
	row->generation++; /* the row has another owner */
	EXPECT_PASS(back, NAT_UNKNOWN);
	row->generation--;
	row->addr[15] ^= 1;
	EXPECT_PASS(back, NAT_UNKNOWN);
	row->addr[15] ^= 1;
	row->port ^= 1;
	EXPECT_PASS(back, NAT_UNKNOWN);
	row->port ^= 1;
	cr_assert_eq(rig_send(&back).reason, WEIR_R_REPLIED);
}

/* With the tag of another in every entry before its own. */
Test(nat_table, equal_tags_of_answers_do_not_hide_each_other)
{
	struct talk talk = TALK4(IPPROTO_TCP), other = TALK4(IPPROTO_TCP);
	uint32_t mask = 1, entry = 0, bucket = 0, wrong, size = nat_size(rig.object);
	struct packet back;

	talk_configure(0);
	talk_open(&talk);
	back = talk_reply(&talk, SPEC(.flags = TH_ACK));
	while (mask <= size)
		mask = mask << 1 | 1;
	for (uint32_t i = 0; i < size; i++) {
		if (!rig.object->nat_replies[i / WEIR_NAT_WAYS].entry[i % WEIR_NAT_WAYS])
			continue;
		bucket = i / WEIR_NAT_WAYS;
		entry = rig.object->nat_replies[bucket].entry[i % WEIR_NAT_WAYS];
	}
	cr_assert_eq((entry & mask) - 1, talk_record(&talk) - rig.object->nat_records);
	other.client_port++;
	talk_open(&other);
	wrong = (entry & ~mask) | (uint32_t)(talk_record(&other) - rig.object->nat_records + 1);
	for (uint32_t at = 0; at < WEIR_NAT_WAYS; at++) {
		for (uint32_t i = 0; i < WEIR_NAT_WAYS; i++)
			rig.object->nat_replies[bucket].entry[i] = i == at ? entry : wrong;
		cr_assert_eq(rig_send(&back).reason, WEIR_R_REPLIED, "entry %u", at);
	}
}

static uint32_t answers(uint32_t row, uint32_t from, uint32_t to)
{
	uint32_t sum = 0;

	for (uint32_t i = from; i < to; i++)
		sum += rig.object->nat_latency[row].answers[i];
	return sum;
}

/* Time passes while the test sleeps: entry 10 begins at 4 ms, entry 15 at 131 ms. */
Test(nat_table, the_first_answer_is_timed)
{
	struct talk tcp = TALK4(IPPROTO_TCP), udp = TALK4(IPPROTO_UDP);
	struct packet back;
	uint32_t row;

	talk_configure(0);
	row = rig_endpoint("tcp", A4)->row;
	talk_open(&tcp);
	back = talk_reply(&tcp, SPEC(.flags = TH_SYN | TH_ACK));
	usleep(5000);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(rig_send(&back).reason, WEIR_R_REPLIED);
	cr_assert_eq(answers(row, 0, WEIR_LATENCY_ENTRIES), 1, "only the first one counts");
	cr_assert_eq(answers(row, 10, 16), 1);

	tcp.client_port++; /* a SYN sent again: who knows which one is answered? */
	talk_open(&tcp);
	cr_assert_eq(talk_reason(&tcp, TH_SYN), WEIR_R_FORWARDED);
	back = talk_reply(&tcp, SPEC(.flags = TH_SYN | TH_ACK));
	rig_send(&back);
	tcp.client_port++; /* refused */
	talk_open(&tcp);
	back = talk_reply(&tcp, SPEC(.flags = TH_RST | TH_ACK));
	rig_send(&back);
	cr_assert_eq(answers(row, 0, WEIR_LATENCY_ENTRIES), 1);

	talk_open(&udp);
	back = talk_reply(&udp, SPEC(.payload = 4));
	rig_send(&back);
	cr_assert_eq(answers(rig_endpoint("udp", A4)->row, 0, 12), 1);
}

Test(nat_table, a_row_with_a_new_owner_begins_at_zero)
{
	struct talk talk = TALK4(IPPROTO_TCP);
	struct packet back;
	uint32_t row;

	talk_configure(0);
	row = rig_endpoint("tcp", A4)->row;
	talk_open(&talk);
	back = talk_reply(&talk, SPEC(.flags = TH_SYN | TH_ACK));
	rig_send(&back);
	rig_configure("version: 1\nlisteners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: [10.0.0.12]}]}\n");
	rig_advance(IDLE + 1 + WEIR_NAT_GRACE);
	rig_upkeep();
	rig_configure("version: 1\nlisteners:\n"
		      "- {name: tcp, protocol: tcp, address: " VIP4 ", port: 80, "
		      "endpoint_groups: [{name: all, endpoints: [10.0.0.12, 10.0.0.13]}]}\n");
	cr_assert_eq(rig_endpoint("tcp", "10.0.0.13")->row, row);
	cr_assert_eq(answers(row, 0, WEIR_LATENCY_ENTRIES), 0);
	EXPECT_RECORDS(0);
}
