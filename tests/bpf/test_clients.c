// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a client gets an endpoint of the group that is nearest to its own region, by the longest
 * prefix that has its address; a change of the groups, their distances or their weights moves no
 * established flow of a client that stays where it is; a region's change is no other's; a restarted
 * daemon and another node go on with the same tables; `weir explain` says the same. Needs root.
 */
#include <string.h>

#include "pool.h"
#include "random.h"
#include "rig_explain.h"
#include "rig_suite.h"
#include "util/str.h"

#define REGIONS	  5 /* r0 to r4, of which r0 is the node's; a group is in each */
#define PER_GROUP 3 /* endpoints */
#define NOWHERE	  REGIONS
#define PREFIXES  40
#define IDLE	  60 /* s */
#define UNKNOWN	  UINT32_MAX
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

RIG_SUITE(clients);

static const struct {
	const char *name, *mode;
	uint16_t port;
} listeners[] = { { "dsr", "dsr", 80 }, { "ipip", "ipip", 81 }, { "nat", "nat", 82 } };

/* A configuration, as the test knows it. */
struct world {
	uint64_t random;
	bool told; /* client_regions is there */
	struct addr_prefix prefixes[2 * PREFIXES];
	unsigned regions[2 * PREFIXES]; /* of these */
	size_t count;
	uint32_t latency[REGIONS][REGIONS]; /* ms; UNKNOWN */
	uint8_t weights[REGIONS][PER_GROUP];
};

static uint32_t below(struct world *world, uint32_t limit)
{
	return random_below(&world->random, limit);
}

/* Out of a few bits, so that prefixes lie in each other and next to each other. */
static struct addr random_address(struct world *world, bool ip6)
{
	struct addr addr = {};

	addr_parse(ip6 ? "2001:db9::" : "100.64.0.0", &addr);
	for (int byte = ip6 ? 4 : 13; byte < (ip6 ? 10 : 16); byte++)
		if (below(world, 2))
			addr.bytes[byte] = below(world, 4) << (below(world, 4) * 2);
	return addr;
}

static bool has_prefix(const struct world *world, const struct addr_prefix *prefix)
{
	for (size_t i = 0; i < world->count; i++)
		if (addr_prefix_equal(&world->prefixes[i], prefix))
			return true;
	return false;
}

static void choose_prefixes(struct world *world)
{
	world->count = 0;
	for (unsigned i = 0; i < 2 * PREFIXES; i++) {
		bool ip6 = i & 1;
		struct addr_prefix prefix = { .addr = random_address(world, ip6) };

		prefix.bits = ip6 ? 24 + below(world, 57) : 96 + 6 + below(world, 27);
		for (unsigned bit = prefix.bits; bit < 128; bit++)
			prefix.addr.bytes[bit / 8] &= ~(0x80 >> bit % 8);
		if (has_prefix(world, &prefix))
			continue;
		world->prefixes[world->count] = prefix;
		world->regions[world->count++] = below(world, REGIONS);
	}
}

static void choose_latencies(struct world *world)
{
	for (int a = 0; a < REGIONS; a++)
		for (int b = 0; b < REGIONS; b++)
			world->latency[a][b] = a == b		 ? 0
					       : below(world, 4) ? 1 + below(world, 40)
								 : UNKNOWN;
	for (int b = 1; b < REGIONS; b++) /* the node's are those of `latency` alone */
		world->latency[0][b] = 1 + below(world, 40);
}

static void choose_weights(struct world *world)
{
	for (int group = 0; group < REGIONS; group++)
		for (int i = 0; i < PER_GROUP; i++)
			world->weights[group][i] = 1 + below(world, 8);
}

/* By the longest prefix: the plainest way to say it. */
static unsigned region_of(const struct world *world, const struct addr *client)
{
	unsigned region = NOWHERE, bits = 0;

	for (size_t i = 0; world->told && i < world->count; i++) {
		const struct addr_prefix *prefix = &world->prefixes[i];

		if (!addr_prefix_has(prefix, client) || prefix->bits < bits ||
		    addr_family(client) != addr_family(&prefix->addr))
			continue;
		region = world->regions[i];
		bits = prefix->bits;
	}
	return region;
}

static bool serves(const struct world *world, unsigned group)
{
	for (int i = 0; i < PER_GROUP; i++)
		if (world->weights[group][i])
			return true;
	return false;
}

/* As either of them says; r0 is the node's region, whose distances are `latency`. */
static uint32_t said(const struct world *world, unsigned a, unsigned b)
{
	uint32_t there = world->latency[a][b];

	if (!a || !b)
		return world->latency[0][a + b];
	return there != UNKNOWN ? there : world->latency[b][a];
}

static uint32_t distance(const struct world *world, unsigned from, unsigned to)
{
	if (from == NOWHERE)
		return to ? 1 + world->latency[0][to] : 0;
	if (from == to)
		return 0;
	return 1 +
	       (said(world, from, to) != UNKNOWN ? said(world, from, to) : world->latency[0][to]);
}

/* The group that a client's new flows go to; of two as far, the one that is nearer to the node, and
 * then the first. NOWHERE: there is none. */
static unsigned group_for(const struct world *world, unsigned region)
{
	unsigned best = NOWHERE;

	for (unsigned group = 0; group < REGIONS; group++) {
		uint32_t a, b;

		if (!serves(world, group))
			continue;
		if (best == NOWHERE) {
			best = group;
			continue;
		}
		a = distance(world, region, group);
		b = distance(world, region, best);
		if (a < b ||
		    (a == b && distance(world, NOWHERE, group) < distance(world, NOWHERE, best)))
			best = group;
	}
	return best;
}

/* ---- in force ---- */

static void add_regions(const struct world *world, struct str *out)
{
	str_add(out, "regions:\n");
	for (int a = 0; a < REGIONS; a++) {
		str_add(out, "- name: r%d\n", a);
		if (a)
			str_add(out, "  latency: %ums\n", world->latency[0][a]);
		str_add(out, "  latencies: [");
		for (int b = 1; a && b < REGIONS; b++)
			if (a != b && world->latency[a][b] != UNKNOWN)
				str_add(out, "{ region: r%d, latency: %ums }, ", b,
					world->latency[a][b]);
		str_add(out, "]\n");
	}
}

static void add_listener(const struct world *world, size_t i, struct str *out)
{
	str_add(out,
		"- name: %s\n"
		"  protocol: tcp\n"
		"  address: [" VIP4 ", '" VIP6 "']\n"
		"  port: %u\n"
		"  mode: %s\n"
		"  idle_timeout: %us\n"
		"  endpoint_groups:\n",
		listeners[i].name, listeners[i].port, listeners[i].mode, IDLE);
	for (int group = 0; group < REGIONS; group++) {
		str_add(out, "  - name: g%d\n    region: r%d\n    endpoints: [", group, group);
		for (int k = 0; k < PER_GROUP; k++) {
			int number = group * PER_GROUP + k, weight = world->weights[group][k];

			str_add(out, "10.0.0.%d weight %d, ", 11 + number, weight);
			if (strcmp(listeners[i].mode, "ipip"))
				str_add(out, "'fd00::%x weight %d', ", 11 + number, weight);
		}
		str_add(out, "]\n");
	}
}

static void tell_clients(const struct world *world)
{
	struct str out = {};
	char prefix[ADDR_PREFIX_MAX], *text;

	str_add(&out, "# what this test has thought of\n\n");
	for (size_t i = 0; i < world->count; i++)
		str_add(&out, "%s\tr%u\n", addr_prefix_print(&world->prefixes[i], prefix),
			world->regions[i]);
	text = str_take(&out);
	rig_clients(text);
	free(text);
}

static void configure(const struct world *world)
{
	struct str out = {};
	char *text;

	str_add(&out, "version: 1\nnode: { region: r0 }\n");
	add_regions(world, &out);
	if (world->told) {
		str_add(&out, "client_regions: { file: /nowhere }\n");
		tell_clients(world);
	}
	str_add(&out, "listeners:\n");
	for (size_t i = 0; i < COUNT(listeners); i++)
		add_listener(world, i, &out);
	text = str_take(&out);
	rig_configure("%s", text);
	free(text);
}

static void add_ports(void)
{
	static const struct weir_port_range ports = { 20000, 60000 };

	rig_ports(SNAT4, 1, &ports);
	rig_ports(SNAT6, 1, &ports);
}

static struct world begin(uint64_t seed)
{
	struct world world = { .random = seed, .told = true };

	add_ports();
	choose_prefixes(&world);
	choose_latencies(&world);
	choose_weights(&world);
	return world;
}

/* ---- packets ---- */

struct client {
	struct addr addr;
	uint16_t sport;
	uint8_t listener;
	uint8_t home; /* its endpoint */
	unsigned region;
};

/* At the edge of a prefix, or anywhere. */
static struct addr client_address(struct world *world)
{
	const struct addr_prefix *prefix = &world->prefixes[below(world, world->count)];
	struct addr addr = prefix->addr, vip;

	addr_parse(VIP6, &vip);
	if (below(world, 4) == 0)
		return random_address(world, below(world, 2));
	if (below(world, 2))
		for (unsigned bit = prefix->bits; bit < 128; bit++)
			addr.bytes[bit / 8] |= 0x80 >> bit % 8;
	if (below(world, 3) == 0)
		for (int i = 15; i >= 13 && !++addr.bytes[i]; i--)
			;
	return addr_equal(&addr, &vip) ? client_address(world) : addr;
}

static struct packet packet_of(const struct client *client, uint8_t flags)
{
	bool ip6 = addr_family(&client->addr) == AF_INET6;
	char text[ADDR_TEXT_MAX];

	return packet_build(&(struct packet_spec){
		.protocol = IPPROTO_TCP,
		.src = addr_print(&client->addr, text),
		.dst = ip6 ? VIP6 : VIP4,
		.sport = client->sport,
		.dport = listeners[client->listener].port,
		.flags = flags,
	});
}

/* The endpoint that a packet goes to, or REFERENCE_NOBODY. */
static uint8_t send_packet(const struct client *client, uint8_t flags)
{
	struct packet packet = packet_of(client, flags), out;
	int verdict = rig_run(&packet, &out);

	return verdict == XDP_TX ? pool_member_of(out.bytes) : REFERENCE_NOBODY;
}

static void fail(const struct client *client, unsigned want, unsigned got, const char *what)
{
	char text[ADDR_TEXT_MAX];

	cr_assert_fail("%s: %s, region r%u, by %s: group g%u, not g%u", what,
		       addr_print(&client->addr, text), client->region,
		       listeners[client->listener].name, got, want);
}

/* A new flow goes to the nearest group, and where it was said before. */
static struct client open_flow(struct world *world, bool explain, const char *what)
{
	struct client client = {
		.addr = client_address(world),
		.sport = 1024 + below(world, 60000),
		.listener = below(world, COUNT(listeners)),
	};
	uint8_t said = REFERENCE_NOBODY;
	unsigned want;

	client.region = region_of(world, &client.addr);
	want = group_for(world, client.region);
	if (explain) {
		struct packet packet = packet_of(&client, TH_SYN);
		const struct explain_answer *answer = rig_explain(&packet);

		said = answer->verdict == XDP_TX ? pool_member_of(answer->frame) : said;
	}
	client.home = send_packet(&client, TH_SYN);
	if (explain && said != client.home)
		fail(&client, said / PER_GROUP, client.home / PER_GROUP, "explained otherwise");
	if (want == NOWHERE ? client.home != REFERENCE_NOBODY : client.home / PER_GROUP != want)
		fail(&client, want, client.home / PER_GROUP, what);
	return client;
}

Test(clients, the_nearest_group_by_the_longest_prefix)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct world world = begin(seed);

		configure(&world);
		for (int i = 0; i < 400; i++)
			open_flow(&world, i % 8 == 0, "at first");
		choose_prefixes(&world);
		configure(&world);
		for (int i = 0; i < 200; i++)
			open_flow(&world, i % 8 == 0, "with other prefixes");
		choose_latencies(&world);
		memset(world.weights[below(&world, REGIONS)], 0, PER_GROUP);
		configure(&world);
		for (int i = 0; i < 200; i++)
			open_flow(&world, i % 8 == 0, "without a group");
		world.told = false;
		configure(&world);
		for (int i = 0; i < 100; i++)
			open_flow(&world, i % 8 == 0, "without regions of clients");
		rig_clear_flows();
	}
}

/* ---- what is established ---- */

#define FLOWS 250
#define STEPS 12
#define TICK  12 /* s */

static void tick(void)
{
	rig_advance(TICK);
	rig_upkeep();
}

static void check_homes(const struct client *flows, const char *what)
{
	for (int i = 0; i < FLOWS; i++) {
		uint8_t got = send_packet(&flows[i], TH_ACK);

		if (got != flows[i].home)
			fail(&flows[i], flows[i].home / PER_GROUP, got / PER_GROUP, what);
	}
}

/* Those whose region is another now open a new flow: of theirs nothing is promised. */
static void follow_regions(struct world *world, struct client *flows)
{
	for (int i = 0; i < FLOWS; i++)
		if (region_of(world, &flows[i].addr) != flows[i].region)
			flows[i] = open_flow(world, false, "of another region");
}

/* Something happens; every endpoint stays in the configuration. */
static const char *disturb(struct world *world)
{
	unsigned group = below(world, REGIONS);

	switch (below(world, 5)) {
	case 0:
		choose_prefixes(world);
		return "after a change of prefixes";
	case 1:
		choose_latencies(world);
		return "after a change of latencies";
	case 2:
		memset(world->weights[group], 0, PER_GROUP);
		return "after a group was drained";
	case 3:
		choose_weights(world);
		return "after groups came back";
	default:
		world->weights[group][below(world, PER_GROUP)] = below(world, 8);
		return "after a change of a weight";
	}
}

static void open_flows(struct world *world, struct client *flows)
{
	for (int i = 0; i < FLOWS; i++)
		flows[i] = open_flow(world, false, "a new flow");
	check_homes(flows, "right after its SYN");
}

Test(clients, established_flows_stay, .timeout = 120)
{
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct world world = begin(100 + seed);
		struct client flows[FLOWS];

		world.told = false;
		configure(&world);
		open_flows(&world, flows);
		tick();
		world.told = true; /* whose table was everybody's is now its region's own */
		configure(&world);
		check_homes(flows, "when clients are told apart");
		for (int i = 0; i < FLOWS; i++)
			flows[i].region = region_of(&world, &flows[i].addr);
		for (int step = 0; step < STEPS; step++) {
			const char *what = disturb(&world);

			configure(&world);
			follow_regions(&world, flows);
			check_homes(flows, what);
			for (int i = 0; step % 4 == 3 && i < IDLE / TICK; i++) {
				tick();
				check_homes(flows, "in quiet times");
			}
			tick();
			check_homes(flows, what);
		}
		rig_clear_flows();
	}
}

static uint32_t count_phase(enum weir_phase phase)
{
	uint32_t count = 0;

	vec_foreach(listener, &rig.plan->listeners)
		plan_foreach_table(table, listener) count +=
			slots_count(table->slots, table->size, phase);
	return count;
}

/* No record is left, and no slot remembers. */
static void settle(void)
{
	for (int i = 0; i < 8; i++) {
		rig_advance(IDLE);
		rig_upkeep();
	}
	cr_assert_eq(count_phase(WEIR_MOVING), 0);
	cr_assert_eq(count_phase(WEIR_PINNED), 0);
}

static uint8_t region_number(unsigned region)
{
	char name[16];

	snprintf(name, sizeof(name), "r%u", region);
	return plan_region_number(rig.plan, name);
}

/* The table of a region's clients. */
static const struct plan_table *table_of(const struct plan_listener *listener, unsigned region,
					 enum plan_family family)
{
	const struct plan_clients *clients = &listener->clients[family];
	size_t number = 0;

	if (region != NOWHERE && clients->table_of)
		number = clients->table_of[region_number(region)];
	return plan_table_at(listener, family, number);
}

Test(clients, a_weight_moves_slots_of_its_own_region_alone)
{
	struct world world = begin(7);

	configure(&world);
	for (unsigned group = 0; group < REGIONS; group++) {
		settle();
		world.weights[group][0] += 3;
		configure(&world);
		vec_foreach(listener, &rig.plan->listeners) {
			for (unsigned region = 0; region <= NOWHERE; region++) {
				const struct plan_table *table =
					table_of(listener, region, PLAN_IP4);
				bool own = group_for(&world, region) == group;

				cr_expect(own ? table->change.moved > 0 : table->change.moved == 0,
					  "%s: g%u has another weight, %u slots of r%u moved",
					  listener->name, group, table->change.moved, region);
			}
		}
	}
}

/* Everybody is as near to everything as the node is. */
static void forget_latencies(struct world *world)
{
	for (int a = 1; a < REGIONS; a++)
		for (int b = 0; b < REGIONS; b++)
			world->latency[a][b] = UNKNOWN;
}

Test(clients, regions_share_tables_when_nothing_tells_them_apart)
{
	struct world world = begin(3);
	const struct plan_listener *dsr;

	configure(&world);
	dsr = rig_listener("dsr");
	cr_expect_gt(dsr->clients[PLAN_IP4].tables.count, 2);
	/* Only the group in its own region is nearer to anybody, and none is in r1 to r4. */
	forget_latencies(&world);
	for (int group = 1; group < REGIONS; group++)
		memset(world.weights[group], 0, PER_GROUP);
	configure(&world);
	settle();
	configure(&world);
	dsr = rig_listener("dsr");
	cr_expect_eq(dsr->clients[PLAN_IP4].tables.count, REGIONS - 1,
		     "an order for each region but the node's: %zu",
		     dsr->clients[PLAN_IP4].tables.count);
	world.told = false;
	configure(&world);
	dsr = rig_listener("dsr");
	cr_expect_eq(dsr->clients[PLAN_IP4].tables.count, 0);
	cr_expect_null(rig.plan->clients[PLAN_IP4]);
}

/* Phases of two tables part, also of tables that say the same at first: they share no line. */
Test(clients, no_two_tables_are_in_one_place)
{
	struct world world = begin(5);

	world.told = false;
	for (int group = 1; group < REGIONS; group++)
		memset(world.weights[group], 0, PER_GROUP);
	configure(&world);
	settle();
	world.told = true; /* all go to the one group that is left, as before */
	configure(&world);
	cr_assert_gt(rig_listener("dsr")->clients[PLAN_IP4].tables.count, 0);
	vec_foreach(listener, &rig.plan->listeners)
		plan_foreach_table(a, listener) plan_foreach_table(b, listener)
			cr_expect(a == b || !a->slots || !b->slots || a->line != b->line,
				  "%s: two tables in line %u", listener->name, a->line);
}

Test(clients, another_node_has_the_same_tables)
{
	struct world world = begin(11);
	struct client flows[FLOWS];

	configure(&world);
	open_flows(&world, flows);
	rig_use_node(1);
	add_ports();
	configure(&world);
	for (int i = 0; i < FLOWS; i++) {
		uint8_t got;

		if (!strcmp(listeners[flows[i].listener].mode, "nat"))
			continue;
		got = send_packet(&flows[i], TH_ACK);
		if (got != flows[i].home)
			fail(&flows[i], flows[i].home / PER_GROUP, got / PER_GROUP, "taken over");
	}
	rig_use_node(0);
}

/* A daemon that cannot read the file goes on with what is in force. */
Test(clients, a_file_that_cannot_be_read_changes_nothing)
{
	struct world world = begin(13);
	struct client flows[FLOWS];

	configure(&world);
	open_flows(&world, flows);
	rig_clients(NULL);
	rig_enforce(rig_plan());
	check_homes(flows, "without the file");
	for (int i = 0; i < 100; i++)
		open_flow(&world, i % 10 == 0, "without the file");
}

Test(clients, what_clients_get_when_no_group_is_left)
{
	struct world world = begin(17);

	memset(world.weights, 0, sizeof(world.weights));
	configure(&world);
	for (int i = 0; i < 50; i++)
		open_flow(&world, i % 10 == 0, "nobody");
	cr_expect_gt(rig_counted("dsr", WEIR_R_NO_ENDPOINT), 0);
	choose_weights(&world);
	configure(&world);
	for (int i = 0; i < 50; i++)
		open_flow(&world, i % 10 == 0, "everybody again");
}

#define MANY 60000

static void tell_many(void)
{
	struct str out = {};
	char *text;

	for (unsigned i = 0; i < MANY; i++)
		str_add(&out, "20.%u.%u.0/24 r%u\n2a00:%x:%x::/48 r%u\n", i / 256, i % 256,
			i % REGIONS, i / 256, i % 256, i % REGIONS);
	text = str_take(&out);
	rig_clients(text);
	free(text);
}

/* More prefixes than the maps have room for at first. */
Test(clients, many_prefixes)
{
	struct world world = begin(19);

	configure(&world);
	tell_many();
	rig_enforce(rig_plan());
	for (unsigned i = 0; i < 500; i++) {
		unsigned number = below(&world, MANY);
		struct client client = {
			.sport = 1024 + i,
			.listener = i % COUNT(listeners),
			.region = number % REGIONS,
		};
		char address[ADDR_TEXT_MAX];

		if (i & 1)
			snprintf(address, sizeof(address), "2a00:%x:%x::%x", number / 256,
				 number % 256, 1 + i);
		else
			snprintf(address, sizeof(address), "20.%u.%u.%u", number / 256,
				 number % 256, i % 256);
		cr_assert_eq(addr_parse(address, &client.addr), 0);
		client.home = send_packet(&client, TH_SYN);
		if (client.home / PER_GROUP != group_for(&world, client.region))
			fail(&client, group_for(&world, client.region), client.home / PER_GROUP,
			     "of many");
	}
}
