// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what is written to the maps is read back as the same plan, after any changes and wherever
 * the writer was killed; what did not change keeps its place; and a change that fails changes
 * nothing. Needs root.
 */
#include <string.h>

#include "dataplane/drift.h"
#include "dataplane/sync.h"
#include "rig_adopt.h"
#include "rig_suite.h"

#define LISTENERS_MAX 6
#define HOSTS_MAX     40
#define ROUNDS	      60

RIG_SUITE(adopt);

static const char two[] =
	"version: 1\n"
	"hash_seed: 7\n"
	"answers_per_second: 70\n"
	"snat: [10.0.0.1, 10.0.0.2, 'fd00::1']\n"
	"listeners:\n"
	"- name: web\n"
	"  protocol: tcp\n"
	"  address: [192.0.2.1, '2001:db8::1', 192.0.2.9]\n"
	"  port: 80,82,443,7000-7010\n"
	"  vip: none\n"
	"  idle_timeout: 77s\n"
	"  endpoint_groups:\n"
	"  - name: green\n"
	"    endpoints: ['10.0.0.11:8080 weight %d', 10.0.0.12, '[fd00::11]:81']\n"
	"- name: direct\n"
	"  protocol: udp\n"
	"  address: 192.0.2.1\n"
	"  port: 80\n"
	"  mode: dsr\n"
	"  endpoint_groups:\n"
	"  - name: blue\n"
	"    endpoints: [10.0.0.11, '10.0.0.12 weight 0']\n";

Test(adopt, an_empty_data_plane)
{
	rig_expect_adopted("empty");
}

Test(adopt, all_that_a_configuration_says)
{
	rig_configure(two, 100);
	rig_expect_adopted("first");
	rig_expect_settled("first");
	rig_configure(two, 55);
	rig_expect_adopted("second");
	rig_expect_settled("second");
}

Test(adopt, an_adopted_plan_goes_on_as_the_one_before)
{
	struct packet packet =
		TCP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = 80, .flags = TH_SYN);
	struct plan *adopted;

	rig_configure(two, 100);
	cr_assert_eq(rig_send(&packet).verdict, XDP_TX);
	adopted = rig_adopt();
	plan_free(rig.plan);
	rig.plan = adopted;
	rig_expect_settled("adopted");
	rig_configure(two, 100);
	rig_expect_adopted("adopted and built again");
	packet = TCP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = 80, .flags = TH_ACK);
	cr_assert_eq(rig_send(&packet).verdict, XDP_TX);
}

Test(adopt, unchanged_tables_keep_their_lines)
{
	uint32_t web4, web6, direct;

	rig_configure(two, 100);
	web4 = rig_listener("web")->table[PLAN_IP4].line;
	web6 = rig_listener("web")->table[PLAN_IP6].line;
	direct = rig_listener("direct")->table[PLAN_IP4].line;
	rig_configure(two, 50);
	cr_assert_neq(rig_listener("web")->table[PLAN_IP4].line, web4);
	cr_assert_eq(rig_listener("web")->table[PLAN_IP6].line, web6);
	cr_assert_eq(rig_listener("direct")->table[PLAN_IP4].line, direct);
	for (int weight = 50; weight < 100; weight++) { /* lines that were freed are taken again */
		rig_configure(two, weight);
		cr_assert_lt(rig_listener("web")->table[PLAN_IP4].line, 200);
	}
}

/* Groups in three regions, of which clients of eu and us find their own the nearest. */
static void configure_regions(int weight, int latency, const char *clients)
{
	rig_clients(clients);
	rig_configure(
		"version: 1\n"
		"node: { region: eu }\n"
		"regions:\n"
		"- { name: us, latency: 80ms }\n"
		"- { name: ap, latency: %dms }\n"
		"client_regions: { file: /nowhere }\n"
		"listeners:\n"
		"- name: web\n"
		"  protocol: udp\n"
		"  address: [192.0.2.1, '2001:db8::1']\n"
		"  port: 80,90-99\n"
		"  mode: ipip\n"
		"  endpoint_groups:\n"
		"  - { name: here, region: eu, endpoints: [10.0.0.11, 10.0.0.12] }\n"
		"  - { name: there, region: us, endpoints: [10.0.0.13 weight %d, 10.0.0.14] }\n"
		"  - { name: far, region: ap, endpoints: [10.0.0.15, 10.0.0.16] }\n"
		"- name: one-group\n"
		"  protocol: udp\n"
		"  address: 192.0.2.1\n"
		"  port: 81\n"
		"  mode: dsr\n"
		"  endpoint_groups:\n"
		"  - { name: here, region: ap, endpoints: [10.0.0.11, 10.0.0.12] }\n"
		"- name: requests\n"
		"  protocol: http\n"
		"  address: [192.0.2.1, '2001:db8::1']\n"
		"  port: 82\n"
		"  endpoint_groups:\n"
		"  - { name: here, region: eu, endpoints: [10.0.0.11, 10.0.0.12] }\n"
		"  - { name: there, region: us, endpoints: [10.0.0.13] }\n"
		"  - { name: far, region: ap, endpoints: [10.0.0.15] }\n",
		latency, weight);
}

/* As a daemon that starts again, and can or cannot read the file. */
static void restart(const char *clients, const char *when)
{
	struct plan *adopted = rig_adopt();

	rig_expect_same_plan(rig.plan, adopted, when);
	plan_free(rig.plan);
	rig.plan = adopted;
	rig_clients(clients);
	rig_expect_settled(when);
	rig_enforce(rig_plan());
	rig_expect_adopted(when);
}

Test(adopt, tables_by_region)
{
	static const char *const files[] = {
		"198.51.100.0/24 us\n2001:db8:c::/48 us\n203.0.113.0/24 ap\n",
		"198.51.100.0/24 ap\n203.0.113.0/24 ap\n10.0.0.0/8 eu\n",
		"192.0.2.0/28 nowhere\n2001:db8:c::/48 eu\n2001:db8:c:1::/64 ap\n",
	};

	for (int i = 0; i < 24; i++) {
		const char *file = files[i / 4 % 3];

		configure_regions(i & 1 ? 30 : 100, i & 2 ? 60 : 120, file);
		cr_assert_null(rig_listener("one-group")->clients[PLAN_IP4].table_of);
		rig_expect_adopted("told");
		rig_expect_settled("told");
		if (i % 5 == 1)
			restart(file, "restarted");
		if (i % 7 == 1)
			restart(NULL, "restarted without the file");
		rig_advance(i % 3 ? 3 : 1000);
		rig_upkeep();
	}
	cr_assert_gt(rig_listener("web")->clients[PLAN_IP6].tables.count, 0);
	cr_assert_gt(rig_listener("requests")->clients[PLAN_IP6].tables.count, 0);
	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- { name: web, protocol: udp, address: 192.0.2.1, port: 80, mode: ipip,\n"
		      "    endpoint_groups: [{ name: here, endpoints: 10.0.0.11 }] }\n");
	rig_expect_adopted("not told any more");
}

static uint32_t random_below(uint32_t bound)
{
	static uint64_t state = 0xd1b54a32d192ed03ull;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull >> 32) * bound >> 32);
}

/* What a random configuration is made from; a weight below zero: not configured. */
struct wish {
	bool there;
	bool udp;
	bool dsr;
	bool ip6;
	unsigned ports;
	unsigned idle_timeout;
	unsigned access; /* a set of two acls, and whether it is theirs to allow; 0: none */
	unsigned limit;	 /* new flows per source; 0: none */
	unsigned length; /* of the acls' prefixes */
	int weight[HOSTS_MAX];
};

static void change_wishes(struct wish wishes[LISTENERS_MAX])
{
	for (unsigned changes = 1 + random_below(4); changes > 0; changes--) {
		unsigned which = random_below(LISTENERS_MAX);
		struct wish *wish = &wishes[which];

		switch (random_below(8)) {
		case 0:
			wish->there = !wish->there;
			break;
		case 1:
			wish->ports = 1 + random_below(5);
			wish->idle_timeout = 10 + random_below(100);
			break;
		case 2: /* many at once: the block has to grow */
			for (unsigned host = random_below(HOSTS_MAX); host < HOSTS_MAX; host++)
				wish->weight[host] = (int)random_below(4) * 60;
			break;
		case 3:
			for (unsigned host = 1; host < HOSTS_MAX; host++)
				if (random_below(2))
					wish->weight[host] = -1;
			break;
		case 4:
			wish->limit = random_below(4) * 20;
			break;
		case 5:
			wish->access = random_below(8);
			wish->length = 25 + random_below(3);
			break;
		default:
			wish->weight[random_below(HOSTS_MAX)] = (int)random_below(7) * 40 - 40;
			break;
		}
		wish->weight[0] = wish->weight[0] > 0 ? wish->weight[0] : 100;
	}
}

static void print_wish(FILE *out, unsigned which, const struct wish *wish)
{
	static const char *const access[8] = {
		"",
		"deny: x0,",
		"deny: x1,",
		"deny: [x0, x1],",
		"allow: [], allow_nobody: true,",
		"allow: x0, allow_nobody: true,",
		"allow: x1, allow_nobody: true,",
		"allow: [x1, x0],",
	};
	const char *separator = "";

	fprintf(out,
		"- {name: l%u, protocol: %s, address: [192.0.2.%u%s], port: 80-%u, mode: %s, "
		"%s idle_timeout: %us, endpoint_groups: [{name: all, endpoints: [",
		which, wish->udp ? "udp" : "tcp", which + 1, wish->ip6 ? ", '2001:db8::5'" : "",
		79 + wish->ports, wish->dsr ? "dsr" : "nat", access[wish->access],
		wish->idle_timeout);
	for (int host = 0; host < HOSTS_MAX; host++) {
		if (wish->weight[host] < 0)
			continue;
		fprintf(out, "%s'10.0.1.%d weight %d'", separator, host + 1, wish->weight[host]);
		if (wish->ip6)
			fprintf(out, ", 'fd00::1%02x weight %d'", host, wish->weight[host]);
		separator = ", ";
	}
	fprintf(out, "]}]");
	if (wish->limit && (!wish->udp || !wish->dsr))
		fprintf(out, ", new_flows_per_source: %u/m burst %u", wish->limit, wish->limit / 2);
	fprintf(out, "}\n");
}

static void configure_wishes(const struct wish wishes[LISTENERS_MAX])
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	fprintf(out,
		"version: 1\n"
		"acls: [{ name: x0, prefixes: 198.51.100.0/%u },"
		" { name: x1, prefixes: '2001:db8:8000::/%u' }]\n"
		"listeners:\n",
		wishes[0].length, 8 + wishes[0].length);
	for (unsigned i = 0; i < LISTENERS_MAX; i++)
		if (wishes[i].there)
			print_wish(out, i, &wishes[i]);
	fclose(out);
	rig_configure("%s", text);
	free(text);
}

static void send_some(void)
{
	for (int i = 0; i < 60; i++) {
		char dst[16];
		struct packet packet;

		snprintf(dst, sizeof(dst), "192.0.2.%u", 1 + random_below(LISTENERS_MAX));
		packet = packet_build(&(struct packet_spec){
			.protocol = i & 1 ? IPPROTO_TCP : IPPROTO_UDP,
			.src = CLIENT4,
			.dst = dst,
			.sport = (uint16_t)(1000 + random_below(50)),
			.dport = 80,
			.flags = random_below(2) ? TH_SYN : TH_ACK,
		});
		cr_assert_neq(rig_run(&packet, NULL), XDP_ABORTED);
	}
}

/* Sometimes the daemon is another one, that knows only the maps. */
static void replace_daemon(void)
{
	struct plan *adopted = rig_adopt();

	plan_free(rig.plan);
	rig.plan = adopted;
}

Test(adopt, any_sequence_of_changes, .timeout = 120)
{
	struct wish wishes[LISTENERS_MAX];

	for (unsigned i = 0; i < LISTENERS_MAX; i++) {
		wishes[i] = (struct wish){ .there = true,
					   .udp = i & 1,
					   .dsr = i & 2,
					   .ip6 = i == 2 || i == 5,
					   .ports = 1,
					   .idle_timeout = 60 };
		memset(wishes[i].weight, -1, sizeof(wishes[i].weight));
		wishes[i].weight[0] = 100;
		wishes[i].length = 25;
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		char when[32];

		snprintf(when, sizeof(when), "round %u", round);
		change_wishes(wishes);
		wishes[0].there = true;
		configure_wishes(wishes);
		rig_expect_adopted(when);
		rig_expect_settled(when);
		send_some();
		for (unsigned ticks = random_below(3); ticks > 0; ticks--) {
			rig_advance(random_below(80));
			rig_upkeep();
			rig_expect_adopted(when);
		}
		if (random_below(3) == 0)
			replace_daemon();
	}
	cr_assert_eq(rig_counted(NULL, WEIR_R_INTERNAL), 0);
}

/* One weight after another, of one listener or of both, by the short way; and now and then by the
 * long one, after which the idle half of the table is not as the other any more. */
Test(adopt, weights_alone, .timeout = 60)
{
	rig_configure(two, 100);
	for (unsigned round = 0; round < 60; round++) {
		const struct listener *listeners[2];
		struct plan *part = NULL;
		struct err err = {};
		size_t count = 0;
		char when[32];

		snprintf(when, sizeof(when), "round %u", round);
		vec_foreach(listener, &rig.model->listeners) {
			const struct endpoint_group *group = &listener->groups.items[0];
			struct endpoint *endpoint = &group->endpoints.items[round & 1];
			struct override *override;

			if (count && random_below(2))
				continue;
			override = overrides_get(&rig.overrides, listener->name, group->name,
						 endpoint->name);
			override->file_weight = endpoint->weight;
			override->weight = (int)random_below(4) * 60;
			override->drained = !random_below(3);
			endpoint->sharers = random_below(3);
			listeners[count++] = listener;
		}
		rig.facts.now = object_now(rig.object);
		cr_assert_eq(plan_reweigh(listeners, count, &rig.overrides, &rig.facts, rig.plan,
					  &part, &err),
			     0, "%s", err.text);
		cr_assert_eq(sync_listeners(rig.object, rig.plan, part, &err), 0, "%s", err.text);
		plan_merge(rig.plan, part);
		plan_free(part);
		rig_expect_adopted(when);
		rig_expect_settled(when);
		if (random_below(8) == 0)
			rig_enforce(rig_plan());
		if (random_below(8) == 0)
			replace_daemon();
		rig_advance(random_below(50));
		rig_upkeep();
	}
	cr_assert_eq(rig_counted(NULL, WEIR_R_INTERNAL), 0);
}

/* The maps that sync_plan() writes, as they were. */
struct snapshot {
	struct weir_control control;
	struct weir_listener *listeners;
	struct weir_endpoint *endpoints;
	struct weir_endpoint_info *endpoint_info;
};

#define ROWS	    (rig.object->capacity.of[CAPACITY_ROWS])
#define CELLS_BYTES (2 * rig.object->capacity.of[CAPACITY_CELLS] * sizeof(struct weir_listener))
#define ROWS_BYTES  (ROWS * sizeof(struct weir_endpoint))
#define INFOS_BYTES (ROWS * sizeof(struct weir_endpoint_info))

static void *copy_of(const void *bytes, size_t size)
{
	void *copy = malloc(size);

	cr_assert(copy);
	return memcpy(copy, bytes, size);
}

static struct snapshot take_snapshot(void)
{
	return (struct snapshot){
		.control = *rig.object->control,
		.listeners = copy_of(rig.object->listeners, CELLS_BYTES),
		.endpoints = copy_of(rig.object->endpoints, ROWS_BYTES),
		.endpoint_info = copy_of(rig.object->endpoint_info, INFOS_BYTES),
	};
}

static void snapshot_fini(struct snapshot *snapshot)
{
	free(snapshot->listeners);
	free(snapshot->endpoints);
	free(snapshot->endpoint_info);
}

/* As if the writer had died before the flip: rows in use are only written after it. */
static void undo_flip(const struct snapshot *before)
{
	for (uint32_t row = 0; row < ROWS; row++) {
		if (before->endpoints[row].state == WEIR_ENDPOINT_FREE)
			continue;
		rig.object->endpoints[row] = before->endpoints[row];
		rig.object->endpoint_info[row] = before->endpoint_info[row];
	}
	*rig.object->control = before->control;
}

static const char block[] =
	"version: 1\n"
	"listeners:\n"
	"- {name: web, protocol: tcp, address: " VIP4 ", port: %s, mode: dsr, idle_timeout: %ds, "
	"endpoint_groups: [{name: all, endpoints: [%s]}]}\n%s";

#define FEW  "10.0.0.11, 10.0.0.12"
#define MANY FEW ", 10.0.0.13, 10.0.0.14, 10.0.0.15, 10.0.0.16"
#define NEW                                                                                        \
	"- {name: new, protocol: udp, address: 192.0.2.7, port: 9, "                               \
	"endpoint_groups: [{name: all, endpoints: [10.0.0.21]}]}\n"

/* Killed before the flip, the old configuration is in force and is what is adopted. */
Test(adopt, killed_before_the_flip)
{
	struct packet packets[50];
	struct packet out[50];
	struct snapshot before;
	struct plan *adopted;
	const struct plan_listener *web;

	rig_configure(block, "80", 60, FEW, "");
	for (unsigned i = 0; i < 50; i++) {
		packets[i] = TCP(.src = CLIENT4, .dst = VIP4, .sport = (uint16_t)(1 + i),
				 .dport = 80, .flags = TH_ACK);
		cr_assert_eq(rig_run(&packets[i], &out[i]), XDP_TX);
	}
	before = take_snapshot();
	{
		struct plan *old = plan_copy(rig.plan), *next = NULL;

		rig_configure(block, "'80,443'", 20, MANY, NEW); /* the block moves, too */
		undo_flip(&before);
		next = rig.plan;
		rig.plan = old;
		plan_free(next);
	}
	adopted = rig_adopt();
	web = plan_find_listener(adopted, "web");
	cr_assert(web);
	cr_assert_null(plan_find_listener(adopted, "new"));
	cr_assert_eq(web->block, rig_listener("web")->block);
	cr_assert_geq(web->block_size, 2);
	cr_assert_eq(web->ports.count, 1);
	cr_assert_eq(web->idle_timeout, 60);
	cr_assert_eq(plan_find_row(web, web->block)->state, WEIR_ENDPOINT_ACTIVE);
	cr_assert_eq(web->table[PLAN_IP4].line, rig_listener("web")->table[PLAN_IP4].line);
	cr_assert_eq(web->table[PLAN_IP4].size, rig_listener("web")->table[PLAN_IP4].size);
	cr_assert_arr_eq(web->table[PLAN_IP4].slots, rig_listener("web")->table[PLAN_IP4].slots,
			 web->table[PLAN_IP4].size * sizeof(struct slot));
	plan_free(rig.plan);
	rig.plan = adopted;
	rig_recount();
	for (unsigned round = 0; round < 2; round++) { /* and then the change is made after all */
		for (unsigned i = 0; i < 50; i++) {
			struct rig_result result = rig_send(&packets[i]);

			cr_assert_eq(packet_difference(&result.out, &out[i]), -1, "flow %u", i);
		}
		rig_configure(block, "'80,443'", 20, MANY, NEW);
		rig_expect_adopted("made after all");
	}
	snapshot_fini(&before);
}

/* Slots that move need a deadline, or they would move for ever. */
Test(adopt, killed_before_the_flip_that_ends_a_move)
{
	struct snapshot before;
	struct plan *old, *next;
	const struct plan_table *table;

	rig_configure(block, "80", 60, "10.0.0.11, 10.0.0.12 weight 50", "");
	rig_configure(block, "80", 60, "10.0.0.11 weight 50, 10.0.0.12", "");
	table = &rig_listener("web")->table[PLAN_IP4];
	cr_assert_gt(slots_count(table->slots, table->size, WEIR_MOVING), 0);
	cr_assert_neq(table->deadline, 0);
	before = take_snapshot();
	old = plan_copy(rig.plan);
	/* Back: all that moves is pinned now. */
	rig_configure(block, "80", 60, "10.0.0.11, 10.0.0.12 weight 50", "");
	cr_assert_eq(rig_listener("web")->table[PLAN_IP4].deadline, 0);
	undo_flip(&before);
	next = rig.plan;
	rig.plan = old;
	plan_free(next);

	replace_daemon();
	table = &rig_listener("web")->table[PLAN_IP4];
	cr_assert_gt(slots_count(table->slots, table->size, WEIR_MOVING), 0);
	cr_assert_neq(table->deadline, 0);
	rig_advance(62);
	rig_upkeep();
	cr_assert_eq(slots_count(table->slots, table->size, WEIR_MOVING), 0);
	snapshot_fini(&before);
}

/* A few listeners with many slots or many endpoints. */
static void parse_large(int part, unsigned endpoints)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "version: 1\nhash_seed: 7\nlisteners:\n");
	for (int i = 0; i < 8; i++) {
		fprintf(out,
			"- {name: p%dl%d, protocol: tcp, address: 192.0.%d.%d, port: 80, "
			"mode: dsr, endpoint_groups: [{name: all, endpoints: [",
			part, i, part + 3, i + 1);
		for (unsigned k = 0; k < endpoints; k++)
			fprintf(out, "%s10.1.%u.%u weight %d", k ? ", " : "", k / 250, k % 250 + 1,
				endpoints > 3 || k ? 255 : 1);
		fprintf(out, "]}]}\n");
	}
	fclose(out);
	rig_parse(text);
	free(text);
}

enum full {
	FULL_LINES,
	FULL_ROWS,
	FULLS,
};

/* As if one listener had nearly all of it: a table of all lines, or a block of all rows but a few.
 */
static struct plan *plan_that_is_full(enum full full)
{
	struct plan *plan = plan_copy(rig.plan);
	struct plan_listener huge = { .id = 200, .name = "huge" };

	if (full == FULL_LINES) {
		huge.table[PLAN_IP4].slots = malloc(1);
		huge.table[PLAN_IP4].size = WEIR_MAX_SLOT_LINES * WEIR_SLOTS_PER_LINE;
	} else {
		huge.block = 1024;
		huge.block_size = WEIR_MAX_ENDPOINTS - 1024;
	}
	cr_assert_eq(vec_push(&plan->listeners, huge), 0);
	return plan;
}

Test(adopt, a_change_that_does_not_fit_changes_nothing, .timeout = 120)
{
	static const char *const about[FULLS] = { "table of", "no room for 600 endpoints" };
	struct packet packet =
		TCP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = 443, .flags = TH_SYN);
	struct packet udp = UDP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = 80);

	rig_configure(two, 100);
	cr_assert_eq(rig_send(&packet).verdict, XDP_TX);
	for (enum full full = 0; full < FULLS; full++) {
		struct snapshot before = take_snapshot();
		struct plan *kept = plan_copy(rig.plan);
		struct plan *crowded = plan_that_is_full(full), *next = NULL;
		struct err err = {};
		int r;

		parse_large(0, full == FULL_ROWS ? 600 : 3);
		r = plan_build(rig.model, &rig.overrides, &rig.facts,
			       full == FULL_ROWS ? crowded : rig.plan, &next, &err);
		r = r ?: sync_plan(rig.object, crowded, next, &err);
		cr_assert_eq(r, -ENOSPC, "%d: %s", full, err.text);
		cr_assert(strstr(err.text, about[full]), "%s", err.text);
		plan_free(next);
		plan_free(crowded);
		cr_assert_arr_eq(rig.object->control, &before.control, sizeof(before.control));
		cr_assert_arr_eq(rig.object->listeners, before.listeners, CELLS_BYTES);
		cr_assert_arr_eq(rig.object->endpoints, before.endpoints, ROWS_BYTES);
		cr_assert_arr_eq(rig.object->endpoint_info, before.endpoint_info, INFOS_BYTES);
		rig_expect_same_plan(kept, rig.plan, "in memory");
		rig_expect_adopted("after a failure");
		cr_assert_eq(rig_send(&packet).verdict, XDP_TX);
		cr_assert_eq(rig_send(&udp).verdict, XDP_TX);
		plan_free(kept);
		snapshot_fini(&before);
	}
	rig_configure(two, 50);
	rig_expect_adopted("and then one that fits");
}
