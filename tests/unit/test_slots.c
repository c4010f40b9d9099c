// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: each transition of a slot is as slots.h says, and through any sequence of changes no
 * established flow moves while its endpoint lives.
 */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

#include "plan/slots.h"

#define SLOT(c, p, f)                                                                              \
	{                                                                                          \
		.current = (c), .previous = (p), .phase = WEIR_##f                                 \
	}

static void expect_slot(struct slot slot, struct slot expected, const char *what, size_t index)
{
	cr_expect(slot.current == expected.current && slot.previous == expected.previous &&
			  slot.phase == expected.phase,
		  "%s %zu: {%u, %u, %u}, not {%u, %u, %u}", what, index, slot.current,
		  slot.previous, slot.phase, expected.current, expected.previous, expected.phase);
}

/* Endpoints 1 to 4 live, 8 and 9 are gone, there is no 10. */
static const bool gone[10] = { [8] = true, [9] = true };

Test(slots, change_follows_the_table_of_transitions)
{
	static const struct {
		const char *what;
		struct slot old;
		uint16_t chosen;
		struct slot next;
	} cases[] = {
		{ "stable, same", SLOT(1, 1, STABLE), 1, SLOT(1, 1, STABLE) },
		{ "stable, other", SLOT(1, 1, STABLE), 2, SLOT(2, 1, MOVING) },
		{ "stable, old one gone", SLOT(8, 8, STABLE), 2, SLOT(2, 2, PINNED) },
		{ "stable, old one has no row", SLOT(10, 10, STABLE), 2, SLOT(2, 2, PINNED) },
		{ "stable, stale previous", SLOT(1, 3, STABLE), 1, SLOT(1, 1, STABLE) },
		{ "stable, back to a stale previous", SLOT(1, 3, STABLE), 3, SLOT(3, 1, MOVING) },
		{ "pinned, same", SLOT(1, 1, PINNED), 1, SLOT(1, 1, PINNED) },
		{ "pinned, other", SLOT(1, 1, PINNED), 2, SLOT(2, 1, MOVING) },
		{ "pinned, old one gone", SLOT(8, 8, PINNED), 2, SLOT(2, 2, PINNED) },
		{ "pinned, stale previous gone", SLOT(1, 8, PINNED), 2, SLOT(2, 1, MOVING) },
		{ "pinned, to a stale previous", SLOT(1, 3, PINNED), 3, SLOT(3, 1, MOVING) },
		{ "moving, same", SLOT(1, 2, MOVING), 1, SLOT(1, 2, MOVING) },
		{ "moving, other", SLOT(1, 2, MOVING), 3, SLOT(3, 2, MOVING) },
		{ "moving, back", SLOT(1, 2, MOVING), 2, SLOT(2, 2, PINNED) },
		{ "moving, same, previous gone", SLOT(1, 8, MOVING), 1, SLOT(1, 1, PINNED) },
		{ "moving, other, previous gone", SLOT(1, 8, MOVING), 3, SLOT(3, 3, PINNED) },
		{ "moving, other, previous has no row", SLOT(1, 10, MOVING), 3,
		  SLOT(3, 3, PINNED) },
		{ "moving, other, current gone", SLOT(8, 2, MOVING), 3, SLOT(3, 2, MOVING) },
		{ "moving, other, both gone", SLOT(8, 9, MOVING), 3, SLOT(3, 3, PINNED) },
		{ "moving, back, current gone", SLOT(8, 2, MOVING), 2, SLOT(2, 2, PINNED) },
		{ "the largest index", SLOT(1, 1, STABLE), 32767, SLOT(32767, 1, MOVING) },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct slot next = SLOT(77, 77, PINNED);
		struct slots_change change;

		slots_change(&cases[i].old, 1, &cases[i].chosen, &next, 1, gone, 10, true, &change);
		expect_slot(next, cases[i].next, cases[i].what, i);
		cr_expect_eq(change.slots, 1);
		cr_expect_eq(change.moved, cases[i].old.current != cases[i].chosen, "%s",
			     cases[i].what);
		cr_expect_eq(change.moving, cases[i].next.phase == WEIR_MOVING);
		cr_expect_eq(change.pinned, cases[i].next.phase == WEIR_PINNED);
	}
}

Test(slots, first_table_is_stable)
{
	static const uint16_t chosen[4] = { 1, 2, 8, 1 };
	struct slots_change change;
	struct slot next[4];

	memset(next, 0xff, sizeof(next));
	slots_change(NULL, 0, chosen, next, 4, gone, 10, true, &change);
	for (size_t i = 0; i < 4; i++)
		expect_slot(next[i], (struct slot)SLOT(chosen[i], chosen[i], STABLE), "slot", i);
	cr_expect(change.slots == 4 && !change.moved && !change.moving && !change.pinned);
}

Test(slots, untracked_table_is_stable)
{
	static const struct slot old[4] = { SLOT(1, 1, STABLE), SLOT(1, 1, STABLE),
					    SLOT(1, 2, MOVING), SLOT(2, 2, PINNED) };
	static const uint16_t chosen[4] = { 1, 2, 2, 2 };
	struct slots_change change;
	struct slot next[4];

	slots_change(old, 4, chosen, next, 4, gone, 10, false, &change);
	for (size_t i = 0; i < 4; i++)
		expect_slot(next[i], (struct slot)SLOT(chosen[i], chosen[i], STABLE), "slot", i);
	cr_expect(change.slots == 4 && change.moved == 2 && !change.moving && !change.pinned);
}

Test(slots, growth_inherits_from_the_slot_of_the_same_flows)
{
	static const struct slot old[2] = { SLOT(1, 1, STABLE), SLOT(2, 3, MOVING) };
	static const uint16_t chosen[8] = { 1, 2, 2, 3, 3, 4, 1, 2 };
	static const struct slot expected[8] = {
		SLOT(1, 1, STABLE), SLOT(2, 3, MOVING), SLOT(2, 1, MOVING), SLOT(3, 3, PINNED),
		SLOT(3, 1, MOVING), SLOT(4, 3, MOVING), SLOT(1, 1, STABLE), SLOT(2, 3, MOVING),
	};
	struct slots_change change;
	struct slot next[8];

	slots_change(old, 2, chosen, next, 8, gone, 10, true, &change);
	for (size_t i = 0; i < 8; i++)
		expect_slot(next[i], expected[i], "slot", i);
	cr_expect_eq(change.slots, 8);
	cr_expect_eq(change.moved, 4);
	cr_expect_eq(change.moving, 5);
	cr_expect_eq(change.pinned, 1);
}

Test(slots, pin_ends_moving_only)
{
	struct slot slots[4] = { SLOT(1, 1, STABLE), SLOT(1, 2, MOVING), SLOT(2, 2, PINNED),
				 SLOT(3, 1, MOVING) };
	static const struct slot expected[4] = { SLOT(1, 1, STABLE), SLOT(1, 1, PINNED),
						 SLOT(2, 2, PINNED), SLOT(3, 3, PINNED) };

	cr_expect_eq(slots_pin(slots, 4), 2);
	for (size_t i = 0; i < 4; i++)
		expect_slot(slots[i], expected[i], "slot", i);
	cr_expect_eq(slots_pin(slots, 4), 0);
}

Test(slots, settle_ends_pinned_only_without_differing_records)
{
	struct slot slots[5] = { SLOT(1, 1, STABLE), SLOT(1, 2, MOVING), SLOT(2, 2, PINNED),
				 SLOT(3, 3, PINNED), SLOT(1, 3, MOVING) };
	static const struct slot expected[5] = { SLOT(1, 1, STABLE), SLOT(1, 2, MOVING),
						 SLOT(2, 2, STABLE), SLOT(3, 3, PINNED),
						 SLOT(1, 3, MOVING) };
	static const bool differs[5] = { [3] = true, [4] = true };

	cr_expect_eq(slots_settle(slots, 5, differs), 1);
	for (size_t i = 0; i < 5; i++)
		expect_slot(slots[i], expected[i], "slot", i);
	cr_expect_eq(slots_settle(slots, 5, differs), 0);
}

Test(slots, count_is_by_phase)
{
	static const struct slot slots[6] = { SLOT(1, 1, STABLE), SLOT(1, 2, MOVING),
					      SLOT(2, 2, PINNED), SLOT(3, 3, PINNED),
					      SLOT(3, 3, PINNED), SLOT(1, 3, MOVING) };

	cr_expect_eq(slots_count(slots, 6, WEIR_STABLE), 1);
	cr_expect_eq(slots_count(slots, 6, WEIR_MOVING), 2);
	cr_expect_eq(slots_count(slots, 6, WEIR_PINNED), 3);
	cr_expect_eq(slots_count(slots, 0, WEIR_STABLE), 0);
}

/*
 * A data plane in small, as bpf/select.h and dataplane.md, "Selection", have it. Time is in steps;
 * the change of a step comes before its packets.
 */
#define SEQUENCES    240
#define STEPS	     60
#define FLOWS	     2000
#define ENDPOINTS    8
#define SIZE_FIRST   16u
#define SIZE_LAST    256u
#define IDLE_TIMEOUT 5u

struct endpoint {
	uint32_t generation;
	uint32_t lives; /* how often it came to life; flows of an earlier life are lost */
	bool gone;
	bool draining; /* takes no new flows */
};

struct record {
	bool used;
	uint16_t endpoint;
	uint32_t generation;
	uint32_t seen;
};

struct flow {
	uint32_t hash;
	uint32_t next; /* step of its next packet */
	bool udp;      /* no SYN, so new flows look like old ones */
	bool established;
	uint16_t home; /* where its last packet went */
	uint32_t lives;
	struct record record;
};

struct plane {
	uint64_t random;
	uint32_t now;
	struct endpoint endpoints[ENDPOINTS];
	bool gone[ENDPOINTS];
	struct slot slots[SIZE_LAST];
	uint32_t size;
	uint32_t deadline; /* of MOVING; 0: none */
	struct flow flows[FLOWS];
	bool eager;	/* a defect: straight from MOVING to STABLE */
	uint32_t moved; /* established flows whose endpoint lives */
	uint32_t packets, hits, settled, grown, lost;
};

/* Steele, Lea, Flood: SplitMix64. */
static uint32_t random_below(struct plane *plane, uint32_t limit)
{
	uint64_t word = plane->random += 0x9e3779b97f4a7c15ull;

	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
	return (word ^ (word >> 31)) % limit;
}

static struct slot *slot_of(struct plane *plane, const struct flow *flow)
{
	return &plane->slots[flow->hash & (plane->size - 1)];
}

static bool record_lives(const struct plane *plane, const struct record *record)
{
	return record->used && plane->now - record->seen <= IDLE_TIMEOUT;
}

static bool record_is_usable(const struct plane *plane, const struct record *record)
{
	const struct endpoint *endpoint = &plane->endpoints[record->endpoint];

	return !endpoint->gone && endpoint->generation == record->generation;
}

static uint16_t record_as(struct plane *plane, struct flow *flow, uint16_t endpoint)
{
	flow->record = (struct record){ .used = true,
					.endpoint = endpoint,
					.generation = plane->endpoints[endpoint].generation,
					.seen = plane->now };
	return endpoint;
}

static uint16_t hit(struct plane *plane, struct flow *flow, const struct slot *slot, bool syn)
{
	bool usable = record_is_usable(plane, &flow->record);

	plane->hits++;
	if (usable && !(syn && plane->endpoints[flow->record.endpoint].draining)) {
		flow->record.seen = plane->now;
		return flow->record.endpoint;
	}
	if (usable || slot->phase == WEIR_MOVING)
		return record_as(plane, flow, slot->current);
	flow->record.used = false;
	return slot->current;
}

/* Where the packet goes. */
static uint16_t select_endpoint(struct plane *plane, struct flow *flow, bool syn)
{
	const struct slot *slot = slot_of(plane, flow);

	if (slot->phase == WEIR_STABLE)
		return slot->current;
	if (record_lives(plane, &flow->record))
		return hit(plane, flow, slot, syn);
	if (slot->phase == WEIR_MOVING)
		return record_as(plane, flow, syn ? slot->current : slot->previous);
	return slot->current;
}

static void send_packet(struct plane *plane, struct flow *flow)
{
	bool ends = flow->established && random_below(plane, 20) == 0;
	uint16_t endpoint;

	if (ends)
		flow->established = false;
	endpoint = select_endpoint(plane, flow, !flow->udp && !flow->established);
	plane->packets++;
	if (flow->established && flow->home != endpoint) {
		const struct endpoint *home = &plane->endpoints[flow->home];

		if (!home->gone && home->lives == flow->lives)
			plane->moved++;
		else
			plane->lost++;
	}
	flow->established = true;
	flow->home = endpoint;
	flow->lives = plane->endpoints[endpoint].lives;
	flow->next = plane->now + 1 + random_below(plane, IDLE_TIMEOUT);
}

static size_t usable_endpoints(const struct plane *plane, uint16_t *usable)
{
	size_t count = 0;

	for (uint16_t i = 0; i < ENDPOINTS; i++)
		if (!plane->endpoints[i].gone && !plane->endpoints[i].draining)
			usable[count++] = i;
	return count;
}

/* One endpoint goes away, returns (perhaps as somebody else in the same row), drains or resumes. */
static void disturb(struct plane *plane)
{
	struct endpoint *endpoint = &plane->endpoints[random_below(plane, ENDPOINTS)];
	uint16_t usable[ENDPOINTS];

	if (endpoint->gone) {
		endpoint->gone = false;
		endpoint->lives++;
		endpoint->generation += random_below(plane, 2);
	} else if (endpoint->draining) {
		endpoint->draining = false;
	} else if (usable_endpoints(plane, usable) > 1) {
		endpoint->gone = random_below(plane, 2);
		endpoint->draining = !endpoint->gone && random_below(plane, 2);
	}
	for (size_t i = 0; i < ENDPOINTS; i++)
		plane->gone[i] = plane->endpoints[i].gone;
}

/* Another table: some slots change, and all those whose endpoint takes no new flows. */
static void change_table(struct plane *plane)
{
	uint32_t size = plane->size, part = random_below(plane, 101);
	struct slot old[SIZE_LAST];
	uint16_t usable[ENDPOINTS], chosen[SIZE_LAST];
	size_t count = usable_endpoints(plane, usable);
	struct slots_change change;

	if (size < SIZE_LAST && random_below(plane, 12) == 0) {
		size *= random_below(plane, 2) && 4 * size <= SIZE_LAST ? 4 : 2;
		plane->grown++;
	}
	for (uint32_t i = 0; i < size; i++) {
		uint16_t current = plane->slots[i & (plane->size - 1)].current;
		const struct endpoint *endpoint = &plane->endpoints[current];

		chosen[i] = current;
		if (endpoint->gone || endpoint->draining || random_below(plane, 100) < part)
			chosen[i] = usable[random_below(plane, count)];
	}

	memcpy(old, plane->slots, sizeof(old));
	slots_change(old, plane->size, chosen, plane->slots, size, plane->gone, ENDPOINTS, true,
		     &change);
	plane->size = size;
	plane->deadline = change.moving ? plane->now + IDLE_TIMEOUT : 0;
	cr_assert_eq(change.moving, slots_count(plane->slots, size, WEIR_MOVING));
	cr_assert_eq(change.pinned, slots_count(plane->slots, size, WEIR_PINNED));
}

static void find_differences(struct plane *plane, bool *differs)
{
	memset(differs, 0, plane->size * sizeof(*differs));
	for (size_t i = 0; i < FLOWS; i++) {
		const struct flow *flow = &plane->flows[i];
		uint16_t current = slot_of(plane, flow)->current;

		if (record_lives(plane, &flow->record) &&
		    (flow->record.endpoint != current ||
		     flow->record.generation != plane->endpoints[current].generation))
			differs[flow->hash & (plane->size - 1)] = true;
	}
}

static void settle(struct plane *plane)
{
	struct slot old[SIZE_LAST];
	bool differs[SIZE_LAST];

	find_differences(plane, differs);
	if (plane->eager)
		memset(differs, 0, sizeof(differs));
	memcpy(old, plane->slots, sizeof(old));
	plane->settled += slots_settle(plane->slots, plane->size, differs);
	for (uint32_t i = 0; i < plane->size; i++)
		if (old[i].phase != plane->slots[i].phase)
			cr_assert(old[i].phase == WEIR_PINNED && !differs[i], "slot %u", i);
}

static void start(struct plane *plane, uint64_t seed, bool eager)
{
	uint16_t chosen[SIZE_FIRST];
	struct slots_change change;

	memset(plane, 0, sizeof(*plane));
	plane->random = seed;
	plane->eager = eager;
	plane->now = 1000;
	plane->size = SIZE_FIRST;
	for (uint32_t i = 0; i < SIZE_FIRST; i++)
		chosen[i] = random_below(plane, ENDPOINTS);
	slots_change(NULL, 0, chosen, plane->slots, SIZE_FIRST, plane->gone, ENDPOINTS, true,
		     &change);
	for (size_t i = 0; i < FLOWS; i++) {
		plane->flows[i].hash = random_below(plane, UINT32_MAX);
		plane->flows[i].udp = random_below(plane, 4) == 0;
		plane->flows[i].next = plane->now + random_below(plane, 2 * IDLE_TIMEOUT);
	}
}

/* Changes come in bursts, with pauses in which slots become STABLE again. */
static void run(struct plane *plane, uint64_t seed, bool eager)
{
	uint32_t busy = 0;

	start(plane, seed, eager);
	for (uint32_t step = 0; step < STEPS; step++, plane->now++) {
		if (step % 16 == 0)
			busy = random_below(plane, 4) * 25;
		if (random_below(plane, 100) < busy) {
			disturb(plane);
			change_table(plane);
		}
		if (plane->deadline && plane->now >= plane->deadline) {
			slots_pin(plane->slots, plane->size);
			plane->deadline = 0;
		}
		if (random_below(plane, 3) == 0)
			settle(plane);
		for (size_t i = 0; i < FLOWS; i++)
			if (plane->flows[i].next == plane->now)
				send_packet(plane, &plane->flows[i]);
	}
}

Test(slots, no_established_flow_moves_while_its_endpoint_lives)
{
	static struct plane plane;
	uint64_t packets = 0, hits = 0, settled = 0, grown = 0, lost = 0;

	for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
		run(&plane, seed * 1000, false);
		cr_assert_eq(plane.moved, 0, "sequence %lu: %u flows moved", seed, plane.moved);
		packets += plane.packets;
		hits += plane.hits;
		settled += plane.settled;
		grown += plane.grown;
		lost += plane.lost;
	}
	/* or the sequences would prove nothing */
	cr_log_info("%lu packets, %lu hits, %lu settled, %lu grown, %lu lost", packets, hits,
		    settled, grown, lost);
	cr_expect_gt(packets, 5000000);
	cr_expect_gt(hits, packets / 10);
	cr_expect_gt(settled, SEQUENCES);
	cr_expect_gt(grown, SEQUENCES);
	cr_expect_gt(lost, SEQUENCES);
}

/* The simulation sees what it is there to see. */
Test(slots, flows_move_if_slots_settle_while_records_differ)
{
	static struct plane plane;

	run(&plane, 1, true);
	cr_expect_gt(plane.moved, 0);
}
