// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: whatever an operator does to endpoints, in any order and as often as he likes, no
 * established flow leaves an endpoint that lives; every packet goes where the reference says
 * (tests/lib/reference.h), and where `weir explain` has said before; shares are exact and few slots
 * move; and a node that takes over with the same configuration and no history sends every flow of a
 * STABLE slot where it was. Needs root.
 *
 * A sequence is a few minutes of the data plane's clock, and all of it follows from its seed:
 *
 *   SEED=17 build/san/tests/bpf/test_sequences           that one alone
 *   SEED=1000 SEQUENCES=5000 build/san/tests/bpf/...     others, for as long as you like
 */
#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include <weir/hash.h>

#include "batch.h"
#include "pool.h"
#include "rig_explain.h"
#include "random.h"
#include "rig_suite.h"
#include "sequences/totals.h"
#include "util/str.h"

#define STEPS		20
#define QUIET_STEPS	3    /* in which all flows begin */
#define POOL		12   /* endpoints; POOL_MAX in every tenth sequence */
#define STATELESS_FLOWS 1280 /* of each stream */
#define NAT_FLOWS	384
#define ESTABLISHED	10000 /* at least, of all modes, when the changes begin */
#define IDLE_TIMEOUT	62
#define BEGIN		100000 /* s, on the data plane's clock */
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* Everything happens at a multiple of TICK s, and every timeout ends TICK / 2 away from one (10, 30
 * and 62 s): a second more or less, which the real clock adds, changes nothing. */
#define TICK  4

#define ASKED 128 /* one packet of so many is explained before it is sent */

RIG_SUITE(sequences);

static const struct pool_listener listeners[] = {
	{ "dsr-tcp", "dsr", IPPROTO_TCP, 80 },
	{ "dsr-udp", "dsr", IPPROTO_UDP, 53 },
	{ "ipip-tcp", "ipip", IPPROTO_TCP, 81, .only = 4 },
	{ "gue-udp", "gue", IPPROTO_UDP, 54, .only = 6 },
	{ "nat-tcp", "nat", IPPROTO_TCP, 8080 },
	{ "nat-udp", "nat", IPPROTO_UDP, 5353 },
};

#define STREAMS (COUNT(listeners) * PLAN_FAMILIES)

enum flow_state {
	CLOSED,
	OPENING, /* a SYN is on its way */
	OPEN,
	ASLEEP, /* silent for longer than idle_timeout, then goes on: nothing is promised */
};

struct flow {
	uint32_t src; /* last word of the client's address, network order */
	uint16_t sport;
	uint8_t state;	/* enum flow_state */
	uint8_t home;	/* where its last packet went */
	uint32_t lives; /* of the member then */
	uint32_t next;	/* when its next packet comes */
};

/* The flows of one listener and family. */
struct stream {
	const struct pool_listener *listener;
	enum plan_family family;    /* of the clients */
	enum plan_family endpoints; /* ... of the endpoints that serve them */
	bool nat;
	uint32_t count;
	struct packet like;
	struct packet reply; /* nat */
	struct flow flows[STATELESS_FLOWS];
	struct reference_flow reference[STATELESS_FLOWS];
	struct reference_table table;
	uint64_t forwarded; /* packets that weir should have counted so */
};

struct sim {
	uint64_t seed;
	uint64_t random;
	uint32_t step;
	bool stalled; /* the machine stood still: what was timed is not what was meant */
	struct pool pool;
	struct pool_table tables[PLAN_FAMILIES]; /* that the members give */
	struct reference reference;
	struct stream streams[STREAMS];
	struct totals totals;
	struct str history;
};

/* The clock of the data plane, not moved by what the test takes. */
static void set_clock(const struct sim *sim)
{
	rig_advance(sim->reference.now - object_now(rig.object));
	rig.facts.now = sim->reference.now;
}

static void check_clock(struct sim *sim)
{
	sim->stalled |= object_now(rig.object) - sim->reference.now > 1;
}

/* ---- changes ---- */

/*
 * Few slots move beyond those that must (userspace/plan/maglev.c says which and why). One
 * endpoint's change: 3 points at most in tables of 30 endpoints and 100 slots for each; with fewer
 * 4.5, and rarely more than 3. Several at once: up to 2d / (1 + d) where d must, and as many more.
 * Besides, what is dealt anew, for another number of endpoints, moves as it likes: points of slots.
 */
static void check_moved(struct sim *sim, const struct stream *stream, const uint32_t *before,
			unsigned changed, double dealt_anew)
{
	unsigned weighted = pool_count_weighted(&sim->pool);
	double points = pool_needless(&sim->pool, stream->listener->name, stream->family, before,
				      changed > 1) -
			dealt_anew;

	if (!weighted)
		return;
	if (changed > 1) {
		sim->totals.worst_several = fmax(sim->totals.worst_several, points);
	} else {
		sim->totals.worst_single = fmax(sim->totals.worst_single, points);
		sim->totals.single++;
		sim->totals.beyond += points > 3;
	}
	cr_assert(points <= (changed == 1 && weighted > 30 ? 3 : 4.5),
		  "seed %lu: a change of %u of %u endpoints moved %.2f points too many", sim->seed,
		  changed, weighted, points);
}

/* The members as they are, in force here and in the reference. */
static void put_in_force(struct sim *sim, unsigned changed)
{
	uint32_t before[STREAMS][POOL_MAX], blocks[STREAMS];
	double dealt_anew[PLAN_FAMILIES];
	bool first = !rig.plan->listeners.count;

	for (size_t i = 0; !first && i < STREAMS; i++) {
		const struct stream *stream = &sim->streams[i];

		pool_count_slots(stream->listener->name, stream->family, before[i]);
		blocks[i] = rig_listener(stream->listener->name)->block;
	}
	pool_describe(&sim->pool, &sim->reference);
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		const struct pool_table old = sim->tables[family];

		pool_choose(&sim->pool, family, &sim->tables[family]);
		dealt_anew[family] = first ? 0 : pool_dealt_anew(&old, &sim->tables[family]);
		sim->totals.redealt += dealt_anew[family] > 0;
	}
	set_clock(sim);
	pool_configure(&sim->pool);
	check_clock(sim);
	sim->totals.changes++;
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *stream = &sim->streams[i];
		const struct pool_table *table = &sim->tables[stream->endpoints];

		pool_check_shares(&sim->pool, stream->listener->name, stream->family, table);
		if (stream->nat)
			continue;
		if (!first && rig_listener(stream->listener->name)->block != blocks[i])
			stream->table.moved = sim->reference.now;
		if (!first)
			check_moved(sim, stream, before[i], changed, dealt_anew[stream->endpoints]);
		sim->totals.windows += stream->table.deadline != 0;
		reference_change(&sim->reference, &stream->table, table->slots, table->size);
	}
}

/* Several things happen, between two packets, and come into force one by one or all at once. */
static void change(struct sim *sim)
{
	uint32_t count = random_one_in(&sim->random, 2) ? 1 : 1 + random_below(&sim->random, 4);
	bool together = random_one_in(&sim->random, 2);
	uint32_t before[POOL_MAX];
	char what[POOL_WHAT];
	unsigned changed = 0;
	bool any = false;

	for (unsigned i = 0; i < sim->pool.count; i++)
		before[i] = pool_share(&sim->pool, i);
	for (uint32_t i = 0; i < count; i++) {
		pool_disturb(&sim->pool, &sim->random, what);
		any = true;
		str_add(&sim->history, " %s,", what);
		if (any && !together) {
			put_in_force(sim, 1);
			any = false;
		}
	}
	pool_describe(&sim->pool, &sim->reference);
	if (!any)
		return;
	for (unsigned i = 0; i < sim->pool.count; i++)
		changed += pool_share(&sim->pool, i) != before[i];
	put_in_force(sim, changed);
}

/* ---- packets ---- */

static void fail(const struct sim *sim, const struct stream *stream, uint32_t number,
		 enum reference_packet packet, uint8_t want, uint8_t got)
{
	static const char *const packets[] = { "SYN", "data", "FIN", "RST", "UDP" };
	static const char *const phases[] = { "STABLE", "MOVING", "PINNED" };
	const struct reference_flow *flow = &stream->reference[number];
	const struct reference_slot *slot =
		&stream->table.slots[flow->hash % (stream->table.size ?: 1)];
	const char *tail = sim->history.text ?: "";
	size_t length = strlen(tail);

	cr_assert_fail("seed %lu, step %u, %s: %s of flow %u went to %d, not to %d; its home is "
		       "%u%s, its slot %s (%u before, %u now), its record %s%u\n"
		       "what happened: %s%s",
		       sim->seed, sim->step, stream->listener->name, packets[packet], number,
		       (int8_t)got, (int8_t)want, stream->flows[number].home,
		       stream->flows[number].state >= OPEN ? "" : " (not open)",
		       stream->nat ? "nat" : phases[slot->phase], slot->prev, slot->cur,
		       flow->recorded ? "" : "none, once ", flow->endpoint,
		       length > 1500 ? "..." : "", tail + (length > 1500 ? length - 1500 : 0));
}

static enum reference_packet next_packet(struct sim *sim, const struct stream *stream,
					 const struct flow *flow)
{
	if (stream->listener->protocol == IPPROTO_UDP)
		return REF_UDP;
	if (flow->state == CLOSED)
		return REF_SYN;
	if (flow->state == OPENING)
		return REF_DATA;
	return random_one_in(&sim->random, 10)	 ? REF_FIN
	       : random_one_in(&sim->random, 50) ? REF_RST
						 : REF_DATA;
}

static const uint8_t packet_flags[] = { TH_SYN, TH_ACK, TH_FIN | TH_ACK, TH_RST, 0 };

/* Does its home still have this flow? */
static bool is_at_home(const struct sim *sim, const struct flow *flow)
{
	const struct pool_member *home = &sim->pool.members[flow->home];

	return flow->state == OPEN && home->configured && home->lives == flow->lives;
}

static void begin_flow(struct sim *sim, struct stream *stream, uint32_t number)
{
	uint32_t host = random_below(&sim->random, 1u << 24);
	struct weir_flow key = rig_flow(&stream->like);
	struct flow *flow = &stream->flows[number];

	*flow = (struct flow){
		.src = htonl(20u << 24 | host), /* also in IPv6: any word will do */
		.sport = htons((uint16_t)(1024 + random_below(&sim->random, 60000))),
		.next = sim->reference.now,
	};
	memcpy(key.src + 12, &flow->src, sizeof(flow->src));
	key.sport = ntohs(flow->sport);
	stream->reference[number] = (struct reference_flow){
		.hash = sim->pool.affinity ? weir_hash_client(&key, rig.plan->hash_seed)
					   : weir_hash_flow(&key, rig.plan->hash_seed),
	};
}

/* What a packet's way means for its flow: what it does next, and when. */
static void follow(struct sim *sim, struct stream *stream, uint32_t number,
		   enum reference_packet packet, uint8_t got)
{
	struct flow *flow = &stream->flows[number];
	bool arrived = got != REFERENCE_NOBODY, was_home = is_at_home(sim, flow);
	/* A nat flow's record never runs out: when exactly it does is no business of this test. */
	uint32_t pause = 1 + random_below(&sim->random, stream->nat ? 2 : 11);
	bool was_opening = flow->state == OPENING;
	bool same = arrived && got == flow->home && flow->lives == sim->pool.members[got].lives;

	switch (packet) {
	case REF_SYN:
		flow->state = arrived ? OPENING : CLOSED;
		pause = 1 + random_below(&sim->random, 2);
		break;
	case REF_DATA:
	case REF_UDP:
		sim->totals.lost += flow->state == OPEN && !was_home;
		if (arrived && (same || packet == REF_UDP))
			flow->state = OPEN;
		else if (arrived || !was_home)
			flow->state = CLOSED; /* who does not know it answers with a reset */
		break;
	default:
		flow->state = CLOSED;
	}
	if (flow->state == OPEN && !stream->nat && random_one_in(&sim->random, 25)) {
		flow->state = ASLEEP;
		pause = 17 + random_below(&sim->random, 10);
	}
	if (arrived) {
		flow->home = got;
		flow->lives = sim->pool.members[got].lives;
	}
	if (stream->nat && was_opening && flow->state == CLOSED)
		begin_flow(sim, stream, number); /* the client tries again, from another port */
	flow->next = sim->reference.now + TICK * pause;
}

static void check_packet(struct sim *sim, struct stream *stream, uint32_t number,
			 enum reference_packet packet, uint8_t got)
{
	const struct pool_table *table = &sim->tables[stream->endpoints];
	struct reference_flow *reference = &stream->reference[number];
	struct flow *flow = &stream->flows[number];
	uint8_t want;

	want = stream->nat ? reference_nat(&sim->reference, table->slots, table->size, reference,
					   packet)
			   : reference_select(&sim->reference, &stream->table, reference, packet);
	if (want != REFERENCE_NOBODY && sim->pool.members[want].dead)
		want = REFERENCE_NOBODY;
	if (got != want)
		fail(sim, stream, number, packet, want, got);
	/* Not by the reference's word, but for what all of it is there. */
	if (is_at_home(sim, flow) && !sim->pool.members[flow->home].dead && got != flow->home)
		fail(sim, stream, number, packet, flow->home, got);
	stream->forwarded += got != REFERENCE_NOBODY;
	follow(sim, stream, number, packet, got);
}

/* The endpoints answer what they got; each answer must find its client. */
static void answer(const struct stream *stream, const uint32_t *numbers, uint32_t count)
{
	struct batch_packet *packets = batch_packets();
	static uint32_t answers[BATCH_MAX];
	uint32_t answered = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct batch_packet *packet = &packets[i];

		if (pool_member_of(packet->to) == REFERENCE_NOBODY || packet->flags & TH_RST)
			continue;
		answers[answered] = numbers[i];
		packets[answered++] = (struct batch_packet){
			.in = { packet->out.dst, packet->out.src, packet->out.dport,
				packet->out.sport },
			.flags = packet->flags | TH_ACK,
		};
	}
	batch_send(&stream->reply, answered);
	for (uint32_t i = 0; i < answered; i++) {
		const struct flow *flow = &stream->flows[answers[i]];

		cr_assert(packets[i].out.dst == flow->src && packets[i].out.dport == flow->sport &&
				  !memcmp(packets[i].to, stream->like.bytes + 6, 6),
			  "%s: an answer went astray", stream->listener->name);
	}
}

static void fill_packet(const struct stream *stream, uint32_t number, uint8_t flags,
			struct batch_packet *ret)
{
	const struct flow *flow = &stream->flows[number];

	*ret = (struct batch_packet){
		.in = { .src = flow->src,
			.sport = flow->sport,
			.dport = htons(stream->listener->port) },
		.flags = flags,
	};
	memcpy(&ret->in.dst, stream->like.bytes + stream->like.l3 + (stream->family ? 36 : 16), 4);
}

/* Where `weir explain` says that a packet would go. */
static uint8_t explained(const struct stream *stream, const struct batch_packet *packet)
{
	const struct explain_answer *answer;
	static struct packet frame;
	size_t word = stream->like.l3 + (stream->family ? 20 : 12); /* the last of the source */

	frame = stream->like;
	memcpy(frame.bytes + word, &packet->in.src, sizeof(packet->in.src));
	memcpy(frame.bytes + frame.l4, &packet->in.sport, sizeof(packet->in.sport));
	if (stream->listener->protocol == IPPROTO_TCP)
		frame.bytes[frame.l4 + 13] = packet->flags;
	answer = rig_explain(&frame);
	return answer->verdict == XDP_TX ? pool_member_of(answer->frame) : REFERENCE_NOBODY;
}

/* Some are asked about first; those that are sent before them change nothing for them. */
static void ask(struct sim *sim, const struct stream *stream, uint32_t count, uint8_t *ret)
{
	struct batch_packet *packets = batch_packets();

	for (uint32_t i = 0; i < count; i += ASKED)
		ret[i] = explained(stream, &packets[i]);
	sim->totals.asked += (count + ASKED - 1) / ASKED;
}

static void send_due(struct sim *sim, struct stream *stream)
{
	struct batch_packet *packets = batch_packets();
	static enum reference_packet kinds[BATCH_MAX];
	static uint32_t numbers[BATCH_MAX];
	static uint8_t got[BATCH_MAX], said[BATCH_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < stream->count; i++) {
		if (stream->flows[i].next > sim->reference.now)
			continue;
		kinds[count] = next_packet(sim, stream, &stream->flows[i]);
		fill_packet(stream, i, packet_flags[kinds[count]], &packets[count]);
		numbers[count++] = i;
	}
	set_clock(sim);
	ask(sim, stream, count, said);
	batch_send(&stream->like, count);
	check_clock(sim);
	for (uint32_t i = 0; i < count; i++)
		got[i] = pool_member_of(packets[i].to);
	for (uint32_t i = 0; i < count; i += ASKED)
		if (said[i] != got[i])
			cr_assert_fail("seed %lu, step %u, %s: flow %u went to %d, not to %d as "
				       "was explained",
				       sim->seed, sim->step, stream->listener->name, numbers[i],
				       (int8_t)got[i], (int8_t)said[i]);
	if (stream->nat)
		answer(stream, numbers, count);
	for (uint32_t i = 0; i < count; i++)
		check_packet(sim, stream, numbers[i], kinds[i], got[i]);
	sim->totals.packets += count;
}

/* ---- a sequence ---- */

/* Phases are the reference's, too. */
static void check_phases(const struct sim *sim, const struct stream *stream)
{
	const struct plan_table *table =
		&rig_listener(stream->listener->name)->table[stream->family];
	uint32_t counts[3] = {};

	for (uint32_t i = 0; i < stream->table.size; i++)
		counts[stream->table.slots[i].phase]++;
	cr_assert(table->size == stream->table.size &&
			  slots_count(table->slots, table->size, WEIR_MOVING) == counts[MOVING] &&
			  slots_count(table->slots, table->size, WEIR_PINNED) == counts[PINNED],
		  "seed %lu, step %u: %s has %u moving and %u pinned of %u slots, not %u and %u of "
		  "%u",
		  sim->seed, sim->step, stream->listener->name,
		  slots_count(table->slots, table->size, WEIR_MOVING),
		  slots_count(table->slots, table->size, WEIR_PINNED), table->size, counts[MOVING],
		  counts[PINNED], stream->table.size);
}

static void upkeep(struct sim *sim)
{
	set_clock(sim);
	rig_upkeep();
	check_clock(sim);
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *stream = &sim->streams[i];

		if (stream->nat)
			continue;
		reference_settle(&sim->reference, &stream->table, stream->reference, stream->count);
		reference_pin(&sim->reference, &stream->table);
		check_phases(sim, stream);
	}
}

static void begin_stream(struct sim *sim, struct stream *stream)
{
	struct packet_spec spec = {
		.protocol = stream->listener->protocol,
		.src = stream->family ? CLIENT6 : CLIENT4,
		.dst = stream->family ? VIP6 : VIP4,
		.sport = 1,
		.dport = stream->listener->port,
		.payload = 40,
	};

	stream->like = packet_build(&spec);
	spec.src = stream->family ? "fd00::b" : "10.0.0.11";
	spec.dst = stream->family ? SNAT6 : SNAT4;
	stream->reply = packet_build(&spec);
	for (uint32_t i = 0; i < stream->count; i++)
		begin_flow(sim, stream, i);
}

static void add_ports(void)
{
	static const struct weir_port_range ports = { 20000, 39999 };

	rig_ports(SNAT4, 1, &ports);
	rig_ports(SNAT6, 1, &ports);
}

static void begin(struct sim *sim, uint64_t seed)
{
	struct totals totals = sim->totals;

	str_fini(&sim->history);
	memset(sim, 0, sizeof(*sim));
	sim->totals = totals;
	sim->seed = sim->random = seed;
	random_below(&sim->random, 1);
	sim->pool = (struct pool){
		.count = seed % 10 ? POOL : POOL_MAX,
		.listeners = listeners,
		.listener_count = COUNT(listeners),
		.idle_timeout = IDLE_TIMEOUT,
		.affinity = random_one_in(&sim->random, 4),
	};
	sim->reference.now = BEGIN;
	sim->reference.idle_timeout = IDLE_TIMEOUT;
	add_ports();
	for (unsigned i = 0; i < sim->pool.count; i++) {
		sim->pool.members[i].configured =
			!i || !random_one_in(&sim->random, seed % 10 ? 2 : 10);
		sim->pool.members[i].weight = pool_random_weight(&sim->pool, &sim->random);
	}
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *stream = &sim->streams[i];

		stream->listener = &listeners[i / PLAN_FAMILIES];
		stream->family = i % PLAN_FAMILIES;
		stream->endpoints = pool_family(stream->listener, stream->family);
		stream->nat = !strcmp(stream->listener->mode, "nat");
		stream->count = stream->nat ? NAT_FLOWS : STATELESS_FLOWS;
	}
	put_in_force(sim, 0);
	for (size_t i = 0; i < STREAMS; i++)
		begin_stream(sim, &sim->streams[i]);
}

static uint32_t count_established(const struct sim *sim)
{
	uint32_t count = 0;

	for (size_t i = 0; i < STREAMS; i++)
		for (uint32_t k = 0; k < sim->streams[i].count; k++)
			count += sim->streams[i].flows[k].state == OPEN;
	return count;
}

/* One more packet of every established flow, by another node; what is wanted of it here is only
 * that flows of STABLE slots stay. */
static void take_over_stream(struct sim *sim, const struct stream *stream)
{
	struct batch_packet *packets = batch_packets();
	static uint32_t numbers[BATCH_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < stream->count; i++) {
		const struct flow *flow = &stream->flows[i];

		if (!is_at_home(sim, flow) || sim->pool.members[flow->home].dead)
			continue;
		fill_packet(stream, i, TH_ACK, &packets[count]);
		numbers[count++] = i;
	}
	set_clock(sim);
	batch_send(&stream->like, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct flow *flow = &stream->flows[numbers[i]];
		uint32_t slot = stream->reference[numbers[i]].hash % (stream->table.size ?: 1);
		uint8_t got = pool_member_of(packets[i].to);
		bool moved = got != flow->home;

		if (stream->nat) {
			sim->totals.nat++;
			sim->totals.nat_broken += moved;
		} else if (stream->table.slots[slot].phase == STABLE) {
			sim->totals.stable++;
			sim->totals.stable_moved += moved;
		} else {
			sim->totals.other++;
			sim->totals.other_moved += moved;
		}
	}
}

static void take_over(struct sim *sim)
{
	rig_use_node(1);
	add_ports();
	for (unsigned i = 0; i < sim->pool.count; i++)
		pool_set_reachable(&sim->pool, i);
	set_clock(sim);
	pool_configure(&sim->pool);
	for (size_t i = 0; i < STREAMS; i++)
		take_over_stream(sim, &sim->streams[i]);
	rig_use_node(0);
}

/* What weir counted is what the test saw, and nothing happened that should not. */
static void check_counters(const struct sim *sim)
{
	static const enum weir_reason never[] = { WEIR_R_INTERNAL, WEIR_R_EXCEPTIONS_FULL,
						  WEIR_R_NAT_FULL, WEIR_R_NAT_NO_PORT,
						  WEIR_R_NAT_RACE };

	for (size_t i = 0; i < STREAMS; i += 2) {
		const char *listener = sim->streams[i].listener->name;

		cr_assert_eq(rig_counted(listener, WEIR_R_FORWARDED),
			     sim->streams[i].forwarded + sim->streams[i + 1].forwarded,
			     "seed %lu: %s counted otherwise", sim->seed, listener);
		for (size_t k = 0; k < COUNT(never); k++)
			cr_assert_eq(rig_counted(listener, never[k]), 0, "seed %lu: %s: %s",
				     sim->seed, listener, rig_reason(never[k]));
	}
}

/* Changes come in bursts, with pauses in which slots become STABLE again. */
static void run(struct sim *sim, uint64_t seed)
{
	uint32_t busy = 0, end;

	begin(sim, seed);
	end = random_one_in(&sim->random, 2) ? STEPS : STEPS / 2; /* ... before the takeover */
	for (sim->step = 0; sim->step < STEPS && !sim->stalled; sim->step++) {
		str_add(&sim->history, "\n  step %u, %u s:", sim->step, sim->reference.now - BEGIN);
		if (random_one_in(&sim->random, 2))
			upkeep(sim);
		if (sim->step == QUIET_STEPS)
			cr_assert(count_established(sim) >= ESTABLISHED, "%u flows established",
				  count_established(sim));
		if (sim->step >= QUIET_STEPS && sim->step % 4 == 0)
			busy = 30 * random_below(&sim->random, 4);
		if (sim->step < end && random_below(&sim->random, 100) < busy)
			change(sim);
		for (size_t i = 0; i < STREAMS; i++)
			send_due(sim, &sim->streams[i]);
		sim->reference.now += TICK * (1 + random_below(&sim->random, 5));
	}
	if (sim->stalled)
		return;
	check_counters(sim);
	take_over(sim);
	cr_assert_eq(sim->totals.stable_moved, 0,
		     "seed %lu: %lu of %lu flows in STABLE slots moved with the takeover", seed,
		     sim->totals.stable_moved, sim->totals.stable);
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

Test(sequences, no_flow_leaves_an_endpoint_that_lives)
{
	static struct sim sim;
	uint64_t first = number_of("SEED", 1);
	uint64_t count = number_of("SEQUENCES", getenv("SEED") ? 1 : SEQUENCES);
	const struct totals *totals = &sim.totals;

	for (uint64_t seed = first; seed < first + count; seed++) {
		struct totals before = sim.totals;

		run(&sim, seed);
		for (int again = 0; sim.stalled && again < 5; again++) {
			sim.totals = before;
			rig_down();
			rig_up();
			run(&sim, seed);
		}
		cr_assert(!sim.stalled, "this machine stands still for seconds, again and again");
		rig_down();
		rig_up();
	}
	totals_report(totals, first, count);
}
