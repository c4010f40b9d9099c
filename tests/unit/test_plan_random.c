// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: through any sequence of changes - weights, drains, endpoints and source addresses that come
 * and go, blocks and tables that grow, groups that fail over and return - no established flow moves
 * while its endpoint is configured, and no row or source address changes its owner while a flow
 * refers to it.
 *
 * The data plane here is a small one of the test's own, after dataplane.md, "Selection": packets of
 * one dsr and one nat listener with the same endpoints. Time is in seconds; the change of a second
 * comes before its packets, and the daemon's upkeep after them.
 */
#include <criterion/criterion.h>

#include "plan/support.h"

#define SEQUENCES    60
#define SECONDS	     90
#define FLOWS	     400 /* of each listener */
#define POOL	     14	 /* endpoints 10.0.0.1 to 10.0.0.14 */
#define SOURCES	     4	 /* SNAT addresses 198.51.100.1 to .4 */
#define IDLE_TIMEOUT 10u
#define SCAN_SECONDS 2

struct member {
	bool configured;
	bool drained; /* by an override */
	unsigned weight;
	uint32_t lives; /* how often it was removed; flows of an earlier life are lost */
};

/* A flow's record: an exception (dsr) or a flow entry (nat). */
struct record {
	bool used;
	uint32_t row;
	uint32_t generation;
	uint32_t seen;
	struct addr source; /* nat */
};

struct flow {
	bool nat;
	bool established;
	uint32_t hash;
	uint32_t next;	/* when its next packet comes */
	unsigned home;	/* member that its last packet went to */
	uint32_t lives; /* of the member then */
	struct record record;
};

struct sim {
	uint64_t random;
	bool eager; /* a planted defect: slots are PINNED at once */
	unsigned sources;
	unsigned percentage[2]; /* of the near group and of the far one */
	struct member pool[POOL];
	struct flow flows[2 * FLOWS];
	struct support_world world;
	uint32_t packets, broken, hits, lost, settled, freed, grown, nobody;
};

/* Steele, Lea, Flood: SplitMix64. */
static uint32_t random_below(struct sim *sim, uint32_t limit)
{
	uint64_t word = sim->random += 0x9e3779b97f4a7c15ull;

	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
	return (word ^ (word >> 31)) % limit;
}

/* Even members are near, odd ones far. */
static const char *group_of(unsigned member)
{
	return member % 2 ? "far" : "near";
}

static void add_group(const struct sim *sim, unsigned far, struct str *out)
{
	const char *comma = "";

	for (unsigned i = far; i < POOL; i += 2) {
		if (!sim->pool[i].configured)
			continue;
		if (!*comma)
			str_add(out,
				"      - {name: %s, region: %s, traffic_percentage: %u, endpoints: "
				"[",
				group_of(i), group_of(i), sim->percentage[far]);
		str_add(out, "%s10.0.0.%u weight %u", comma, i + 1, sim->pool[i].weight);
		comma = ", ";
	}
	if (*comma)
		str_add(out, "]}\n");
}

static void add_listener(const struct sim *sim, const char *mode, struct str *out)
{
	const char *comma = "";

	str_add(out,
		"  - name: %s\n    protocol: tcp\n    address: 192.0.2.1\n    port: %d\n"
		"    mode: %s\n    idle_timeout: %u\n",
		mode, *mode == 'n' ? 80 : 81, mode, IDLE_TIMEOUT);
	if (*mode == 'n' && sim->sources) {
		str_add(out, "    snat: [");
		for (unsigned i = 0; i < SOURCES; i++)
			if (sim->sources & 1u << i) {
				str_add(out, "%s198.51.100.%u", comma, i + 1);
				comma = ", ";
			}
		str_add(out, "]\n");
	}
	str_add(out, "    endpoint_groups:\n");
	add_group(sim, 1, out);
	add_group(sim, 0, out);
}

static void put_in_force(struct sim *sim)
{
	struct plan_listener *dsr = plan_find_listener(sim->world.plan, "dsr");
	uint32_t block = dsr ? dsr->block : 0;
	_cleanup_(freep) char *text = NULL;
	char name[16];
	struct str out = {};

	vec_free(&sim->world.overrides.list);
	for (unsigned i = 0; i < POOL; i++) {
		snprintf(name, sizeof(name), "10.0.0.%u", i + 1);
		if (sim->pool[i].drained)
			for (int nat = 0; nat < 2; nat++)
				overrides_get(&sim->world.overrides, nat ? "nat" : "dsr",
					      group_of(i), name)
					->drained = true;
	}
	str_add(&out, "version: 1\nnode: { region: near }\nlisteners:\n");
	add_listener(sim, "nat", &out);
	add_listener(sim, "dsr", &out);
	text = str_take(&out);
	support_build(&sim->world, text);
	dsr = support_listener(&sim->world, "dsr");
	sim->grown += dsr->block != block;
	if (sim->eager) {
		slots_pin(dsr->table[PLAN_IP4].slots, dsr->table[PLAN_IP4].size);
		dsr->table[PLAN_IP4].deadline = 0;
	}
}

static unsigned count_configured(const struct sim *sim)
{
	unsigned count = 0;

	for (unsigned i = 0; i < POOL; i++)
		count += sim->pool[i].configured;
	return count;
}

static void disturb(struct sim *sim)
{
	struct member *member = &sim->pool[random_below(sim, POOL)];

	switch (random_below(sim, 9)) {
	case 0:
	case 1:
		if (!member->configured) {
			member->configured = true;
			member->weight = 1 + random_below(sim, 4);
		} else if (count_configured(sim) > 1) {
			member->configured = false;
			member->drained = false;
			member->lives++;
		}
		break;
	case 2:
		member->drained = member->configured && !member->drained;
		break;
	case 3:
		sim->sources = random_below(sim, 1u << SOURCES);
		break;
	case 4: /* maintenance of all of them, and its end */
		for (unsigned i = 0; i < POOL; i++)
			sim->pool[i].drained = sim->pool[i].configured && !member->drained;
		break;
	case 5:
		for (unsigned i = 0; i < 2; i++)
			sim->percentage[i] = 1 + random_below(sim, 100);
		break;
	case 6: /* a place goes down, or comes up */
		for (unsigned i = random_below(sim, 2); i < POOL; i += 2)
			sim->pool[i].drained = sim->pool[i].configured && !member->drained;
		break;
	default:
		member->weight = random_below(sim, 5);
	}
}

static struct plan_endpoint *row_of(const struct plan_listener *listener, uint32_t row)
{
	return row == UINT32_MAX ? NULL : plan_find_row(listener, row);
}

static bool record_lives(const struct sim *sim, const struct record *record)
{
	return record->used && sim->world.facts.now - record->seen <= IDLE_TIMEOUT;
}

static bool row_keeps(const struct plan_endpoint *endpoint, uint32_t generation, bool syn)
{
	return endpoint && endpoint->generation == generation &&
	       (endpoint->state == WEIR_ENDPOINT_ACTIVE ||
		(endpoint->state == WEIR_ENDPOINT_DRAINING && !syn));
}

static struct plan_endpoint *record_as(struct sim *sim, struct flow *flow,
				       struct plan_endpoint *endpoint)
{
	flow->record = (struct record){
		.used = endpoint != NULL,
		.row = endpoint ? endpoint->row : 0,
		.generation = endpoint ? endpoint->generation : 0,
		.seen = sim->world.facts.now,
	};
	return endpoint;
}

static const struct slot *slot_of(const struct plan_listener *listener, const struct flow *flow)
{
	const struct plan_table *table = &listener->table[PLAN_IP4];

	return table->slots ? &table->slots[flow->hash & (table->size - 1)] : NULL;
}

static struct plan_endpoint *select_dsr(struct sim *sim, struct flow *flow,
					const struct plan_listener *listener, bool syn)
{
	const struct slot *slot = slot_of(listener, flow);
	struct plan_endpoint *current, *held;

	if (!slot)
		return NULL;
	current = support_in_block(listener, slot->current);
	if (slot->phase == WEIR_STABLE)
		return current;
	if (record_lives(sim, &flow->record)) {
		sim->hits++;
		held = row_of(listener, flow->record.row);
		if (row_keeps(held, flow->record.generation, syn)) {
			flow->record.seen = sim->world.facts.now;
			return held;
		}
		if (slot->phase == WEIR_MOVING)
			return record_as(sim, flow, current);
		flow->record.used = false;
		return current;
	}
	if (slot->phase == WEIR_PINNED || (syn && !current))
		return current;
	return record_as(sim, flow, syn ? current : support_in_block(listener, slot->previous));
}

/* The flow entry decides; its source address must still be weir's. */
static struct plan_endpoint *select_nat(struct sim *sim, struct flow *flow,
					const struct plan_listener *listener, bool syn)
{
	const struct slot *slot = slot_of(listener, flow);
	struct plan_endpoint *held = row_of(listener, flow->record.row);
	const struct weir_snat *snat;
	bool owned = false;

	if (record_lives(sim, &flow->record) && row_keeps(held, flow->record.generation, syn)) {
		vec_foreach(row, &sim->world.plan->snat)
			owned |= row->row.ports && !memcmp(row->row.addr, flow->record.source.bytes,
							   sizeof(row->row.addr));
		cr_assert(owned, "a flow's source address was given away");
		flow->record.seen = sim->world.facts.now;
		return held;
	}
	held = slot ? support_in_block(listener, slot->current) : NULL;
	record_as(sim, flow, held);
	if (!held)
		return NULL;
	cr_assert(held->snat && held->snat_rows);
	snat = &sim->world.plan->snat.items[held->snat + random_below(sim, held->snat_rows)].row;
	cr_assert(snat->ports);
	memcpy(flow->record.source.bytes, snat->addr, sizeof(snat->addr));
	return held;
}

static void send_packet(struct sim *sim, struct flow *flow)
{
	const struct plan_listener *listener =
		support_listener(&sim->world, flow->nat ? "nat" : "dsr");
	bool home_lives = flow->established && sim->pool[flow->home].lives == flow->lives;
	bool syn = !flow->established;
	const struct plan_endpoint *to = flow->nat ? select_nat(sim, flow, listener, syn)
						   : select_dsr(sim, flow, listener, syn);

	sim->packets++;
	if (home_lives && (!to || to->address.bytes[15] - 1u != flow->home))
		sim->broken++;
	else if (flow->established && !home_lives)
		sim->lost++;
	if (syn && to)
		cr_assert_eq(to->state, WEIR_ENDPOINT_ACTIVE, "a new flow to a drained endpoint");
	sim->nobody += !to;
	flow->established = to && random_below(sim, 20) != 0;
	if (to) {
		flow->home = to->address.bytes[15] - 1;
		flow->lives = sim->pool[flow->home].lives;
	}
	flow->next = sim->world.facts.now + 1 + random_below(sim, IDLE_TIMEOUT);
}

static void settle(struct sim *sim, struct plan_listener *listener)
{
	struct plan_table *table = &listener->table[PLAN_IP4];
	_cleanup_(freep) bool *differs = calloc(table->size + 1, sizeof(*differs));

	for (size_t i = 0; i < FLOWS; i++) {
		const struct flow *flow = &sim->flows[i];
		const struct slot *slot = slot_of(listener, flow);

		if (slot && record_lives(sim, &flow->record) &&
		    flow->record.row != listener->block + slot->current)
			differs[flow->hash & (table->size - 1)] = true;
	}
	sim->settled += slots_settle(table->slots, table->size, differs);
}

/* As the daemon's: settling comes before pinning. */
static void upkeep(struct sim *sim)
{
	struct plan_listener *dsr = support_listener(&sim->world, "dsr");
	struct plan_table *table = &dsr->table[PLAN_IP4];
	struct plan_references references = {};

	if (sim->world.facts.now % SCAN_SECONDS == 0) {
		settle(sim, dsr);
		references.rows = calloc(WEIR_MAX_ENDPOINTS, sizeof(*references.rows));
		for (size_t i = 0; i < 2 * FLOWS; i++) {
			const struct record *record = &sim->flows[i].record;

			if (!record_lives(sim, record))
				continue;
			references.rows[record->row] = true;
			if (sim->flows[i].nat)
				vec_push(&references.snat_addresses, record->source);
		}
		sim->freed += plan_release(sim->world.plan, &references);
		free(references.rows);
		vec_free(&references.snat_addresses);
		dsr = support_listener(&sim->world, "dsr");
		table = &dsr->table[PLAN_IP4];
	}
	if (table->deadline && (int32_t)(sim->world.facts.now - table->deadline) > 0) {
		slots_pin(table->slots, table->size);
		table->deadline = 0;
	}
}

static void begin(struct sim *sim, uint64_t seed, bool eager)
{
	memset(sim, 0, sizeof(*sim));
	sim->random = seed;
	sim->eager = eager;
	sim->percentage[0] = sim->percentage[1] = 100;
	sim->world = support_begin();
	for (unsigned i = 0; i < 2 + random_below(sim, 4); i++) {
		sim->pool[i].configured = true;
		sim->pool[i].weight = 1 + random_below(sim, 4);
	}
	for (size_t i = 0; i < 2 * FLOWS; i++) {
		sim->flows[i].nat = i >= FLOWS;
		sim->flows[i].hash = random_below(sim, UINT32_MAX);
		sim->flows[i].next = sim->world.facts.now + random_below(sim, IDLE_TIMEOUT);
		sim->flows[i].record.row = UINT32_MAX;
	}
	put_in_force(sim);
}

/* Changes come in bursts, with pauses in which slots become STABLE again. */
static void run(struct sim *sim, uint64_t seed, bool eager)
{
	uint32_t busy = 0;

	begin(sim, seed, eager);
	for (int second = 0; second < SECONDS; second++, sim->world.facts.now++) {
		if (second % 16 == 0)
			busy = random_below(sim, 4) * 20;
		if (random_below(sim, 100) < busy) {
			for (uint32_t i = 0; i <= random_below(sim, 3); i++)
				disturb(sim);
			put_in_force(sim);
		}
		for (size_t i = 0; i < 2 * FLOWS; i++)
			if (sim->flows[i].next == sim->world.facts.now)
				send_packet(sim, &sim->flows[i]);
		upkeep(sim);
	}
	support_end(&sim->world);
}

Test(plan_random, no_established_flow_moves)
{
	static struct sim sim;
	uint32_t packets = 0, hits = 0, lost = 0, settled = 0, freed = 0, grown = 0, nobody = 0;

	for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
		run(&sim, seed, false);
		cr_expect_eq(sim.broken, 0, "sequence %llu: %u of %u packets went astray",
			     (unsigned long long)seed, sim.broken, sim.packets);
		packets += sim.packets;
		hits += sim.hits;
		lost += sim.lost;
		settled += sim.settled;
		freed += sim.freed;
		grown += sim.grown;
		nobody += sim.nobody;
	}
	/* All of it happened: otherwise the test shows nothing. */
	cr_expect(packets > 500000 && hits > 50000 && lost > 10000 && settled > 100000 &&
			  freed > 300 && grown > 60 && nobody > 1000,
		  "%u packets, %u hits, %u lost, %u settled, %u freed, %u grown, %u to nobody",
		  packets, hits, lost, settled, freed, grown, nobody);
}

/* The test would notice: slots that forget their previous endpoint break flows. */
Test(plan_random, notices_a_planted_defect)
{
	static struct sim sim;
	uint32_t broken = 0;

	for (uint64_t seed = 1; seed <= 3; seed++) {
		run(&sim, seed, true);
		broken += sim.broken;
	}
	cr_expect_gt(broken, 100, "%u", broken);
}
