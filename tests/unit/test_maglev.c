// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: tables have the exact quotas, are the same on every node, and a change moves hardly more
 * slots than it must.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "plan/maglev.h"

#define ENDPOINTS_MAX 128
#define TABLE_MAX     65536u
#define TRIALS	      80 /* random changes per row, kind of change and kind of weights */

struct group {
	struct maglev_endpoint endpoint[ENDPOINTS_MAX];
	size_t count;
};

/* Steele, Lea, Flood: SplitMix64. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t word = *state += 0x9e3779b97f4a7c15ull;

	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
	return word ^ (word >> 31);
}

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return random_next(state) % limit;
}

static struct maglev_endpoint endpoint(uint32_t host, uint16_t port, uint32_t weight)
{
	return (struct maglev_endpoint){
		.address.bytes = { [10] = 0xff, 0xff, 10, host >> 16, host >> 8, host },
		.port = port,
		.weight = weight,
	};
}

static void fill(const struct group *group, uint32_t size, uint16_t *table)
{
	int r = maglev_fill(group->endpoint, group->count, size, table);

	cr_assert_eq(r, 0, "%zu endpoints, %u slots: %d", group->count, size, r);
}

static void count_slots(const struct group *group, const uint16_t *table, uint32_t size,
			uint32_t *counts)
{
	memset(counts, 0, group->count * sizeof(*counts));
	for (uint32_t i = 0; i < size; i++) {
		cr_assert_lt(table[i], group->count, "slot %u: %u", i, table[i]);
		counts[table[i]]++;
	}
}

Test(maglev, size_follows_the_smallest_share)
{
	static const struct {
		uint32_t weights[4];
		uint32_t size;
	} cases[] = {
		{ { 0 }, 0 },
		{ { 7 }, 512 },
		{ { 50, 50, 50, 50 }, 512 },
		{ { 64, 64, 0, 0 }, 512 },
		{ { 1, 255 }, 32768 },
		{ { 100, 28 }, 512 },	/* 457.1 */
		{ { 25, 231 }, 1024 },	/* 1024.0 */
		{ { 100, 925 }, 2048 }, /* 1025.0 */
		{ { 1, 1000 }, 65536 }, /* the cap */
		{ { UINT32_MAX, 1 }, 65536 },
		{ { UINT32_MAX, UINT32_MAX }, 512 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct group group = { .count = 4 };

		for (size_t j = 0; j < 4; j++)
			group.endpoint[j] = endpoint(j, 80, cases[i].weights[j]);
		cr_expect_eq(maglev_size(group.endpoint, 4), cases[i].size, "case %zu: %u", i,
			     maglev_size(group.endpoint, 4));
	}
	cr_expect_eq(maglev_size(NULL, 0), 0);
}

Test(maglev, size_follows_the_number_of_endpoints)
{
	struct maglev_endpoint *endpoints = calloc(1000, sizeof(*endpoints));

	cr_assert_not_null(endpoints);
	endpoints[0] = endpoint(0, 80, 1);
	cr_expect_eq(maglev_size(endpoints, 5), 512, "four without a weight");
	cr_expect_eq(maglev_size(endpoints, 6), 1024, "five without a weight");
	for (size_t i = 0; i < 1000; i++)
		endpoints[i] = endpoint(i, 80, 1);
	cr_expect_eq(maglev_size(endpoints, 6), 1024);
	cr_expect_eq(maglev_size(endpoints, 512), 65536);
	cr_expect_eq(maglev_size(endpoints, 655), 65536);
	cr_expect_eq(maglev_size(endpoints, 656), 131072, "beyond WEIR_MAX_TABLE");
	cr_expect_eq(maglev_size(endpoints, 1000), 131072);
	free(endpoints);
}

Test(maglev, quotas_are_exact)
{
	static const struct {
		uint32_t size;
		uint32_t weights[5];
		uint32_t slots[5]; /* the lower address wins a tie */
	} cases[] = {
		{ 16, { 1, 1, 1, 1 }, { 4, 4, 4, 4 } },
		{ 16, { 1, 1, 1 }, { 6, 5, 5 } },
		{ 16, { 1, 1, 1, 1, 1 }, { 4, 3, 3, 3, 3 } },
		{ 16, { 0, 3, 0, 1 }, { 0, 12, 0, 4 } },
		{ 16, { 5, 6, 7 }, { 5, 5, 6 } }, /* 4.44 5.33 6.22 */
		{ 16, { 100, 1 }, { 15, 1 } },	  /* 15.84 0.16 */
		{ 16, { 1000, 1, 1, 1, 1 }, { 12, 1, 1, 1, 1 } },
		{ 16, { 31, 1, 1, 1 }, { 13, 1, 1, 1 } }, /* 14.6 0.47 0.47 0.47 */
		{ 4, { 1000, 1, 1, 1 }, { 1, 1, 1, 1 } },
		{ 32768, { 1, 255 }, { 128, 32640 } },
		{ 65536, { UINT32_MAX, UINT32_MAX, 1 }, { 32768, 32767, 1 } },
		{ 1, { 9 }, { 1 } },
		{ 2, { 9, 9 }, { 1, 1 } },
		{ 128, { 9 }, { 128 } },
	};
	uint16_t *table = calloc(TABLE_MAX, sizeof(*table));

	cr_assert_not_null(table);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct group group = { .count = 5 };
		uint32_t counts[5];

		for (size_t j = 0; j < 5; j++)
			group.endpoint[j] = endpoint(j, 80, cases[i].weights[j]);
		fill(&group, cases[i].size, table);
		count_slots(&group, table, cases[i].size, counts);
		for (size_t j = 0; j < 5; j++)
			cr_expect_eq(counts[j], cases[i].slots[j], "case %zu, endpoint %zu: %u", i,
				     j, counts[j]);
	}
	free(table);
}

Test(maglev, quotas_of_random_weights_are_within_one)
{
	uint16_t table[4096];
	uint64_t state = 1;

	for (int trial = 0; trial < 500; trial++) {
		struct group group = { .count = 1 + random_below(&state, 60) };
		uint32_t counts[ENDPOINTS_MAX];
		uint64_t sum = 0;

		for (size_t i = 0; i < group.count; i++) {
			uint32_t weight = 1 + random_below(&state, 255);

			/* 60 * 255 / 30 < 4096: nobody needs the minimum */
			group.endpoint[i] = endpoint(i, 80, weight < 30 ? 30 : weight);
			sum += group.endpoint[i].weight;
		}
		fill(&group, 4096, table);
		count_slots(&group, table, 4096, counts);
		for (size_t i = 0; i < group.count; i++) {
			uint64_t share = 4096 * (uint64_t)group.endpoint[i].weight;

			cr_assert(counts[i] == share / sum ||
					  (share % sum && counts[i] == share / sum + 1),
				  "trial %d, endpoint %zu: %u", trial, i, counts[i]);
		}
	}
}

Test(maglev, refuses_what_has_no_table)
{
	struct group group = { .count = 17 };
	uint16_t table[32];

	for (size_t i = 0; i < group.count; i++)
		group.endpoint[i] = endpoint(i, 80, 1);
	cr_expect_eq(maglev_fill(group.endpoint, 17, 16, table), -EINVAL, "17 in 16");
	cr_expect_eq(maglev_fill(group.endpoint, 2, 24, table), -EINVAL, "no power of two");
	cr_expect_eq(maglev_fill(group.endpoint, 2, 0, table), -EINVAL, "no slots");
	cr_expect_eq(maglev_fill(group.endpoint, 2, 1u << 31, table), -EINVAL, "no such table");
	cr_expect_eq(maglev_fill(group.endpoint, 0, 16, table), -EINVAL, "no endpoint");

	group.endpoint[3].weight = 0;
	cr_expect_eq(maglev_fill(group.endpoint, 17, 16, table), 0, "16 in 16");
	for (size_t i = 0; i < group.count; i++)
		group.endpoint[i].weight = 0;
	cr_expect_eq(maglev_fill(group.endpoint, 17, 32, table), -EINVAL, "no weight");
}

Test(maglev, order_of_the_file_does_not_matter)
{
	static const uint32_t sizes[] = { 64, 512, 4096 };
	uint16_t table[4096], shuffled_table[4096];
	uint64_t state = 2;

	for (int trial = 0; trial < 100; trial++) {
		struct group group = { .count = 2 + random_below(&state, 40) }, shuffled;
		uint32_t size = sizes[trial % 3];

		for (size_t i = 0; i < group.count; i++)
			group.endpoint[i] = endpoint(random_below(&state, 20), 8000 + i,
						     random_below(&state, 5));
		group.endpoint[0].weight = 1;
		shuffled = group;
		for (size_t i = group.count - 1; i > 0; i--) {
			size_t j = random_below(&state, i + 1);
			struct maglev_endpoint other = shuffled.endpoint[i];

			shuffled.endpoint[i] = shuffled.endpoint[j];
			shuffled.endpoint[j] = other;
		}
		fill(&group, size, table);
		fill(&shuffled, size, shuffled_table);
		for (uint32_t i = 0; i < size; i++)
			cr_assert_eq(group.endpoint[table[i]].port,
				     shuffled.endpoint[shuffled_table[i]].port, "trial %d, slot %u",
				     trial, i);
	}
}

Test(maglev, endpoint_without_weight_is_as_if_absent)
{
	struct group with = { .count = 3 }, without = { .count = 2 };
	uint16_t table[512], expected[512];

	with.endpoint[0] = without.endpoint[0] = endpoint(1, 80, 3);
	with.endpoint[2] = without.endpoint[1] = endpoint(3, 80, 5);
	with.endpoint[1] = endpoint(2, 80, 0);
	fill(&with, 512, table);
	fill(&without, 512, expected);
	for (uint32_t i = 0; i < 512; i++)
		cr_assert_eq(table[i], expected[i] * 2, "slot %u", i);
}

Test(maglev, scale_of_the_weights_does_not_matter)
{
	struct group small = { .count = 3 }, large = { .count = 3 };
	uint16_t table[512], expected[512];

	for (uint32_t i = 0; i < 3; i++) {
		small.endpoint[i] = endpoint(i, 80, i + 1);
		large.endpoint[i] = endpoint(i, 80, (i + 1) * 1000000000u);
	}
	fill(&small, 512, expected);
	fill(&large, 512, table);
	cr_expect_arr_eq(table, expected, sizeof(table));
}

static uint64_t digest_of(const struct group *group, uint32_t size)
{
	uint16_t *table = calloc(size, sizeof(*table));
	uint64_t digest = 0;

	cr_assert(table);
	fill(group, size, table);
	for (uint32_t i = 0; i < size; i++)
		digest = (digest ^ table[i]) * 0x100000001b3ull;
	free(table);
	return digest;
}

/*
 * Nodes of different versions stand side by side during an upgrade: whoever changes these numbers
 * moves flows between endpoints then.
 */
Test(maglev, table_is_the_same_on_every_machine_and_in_every_version)
{
	static const struct {
		size_t endpoints;
		uint32_t size;
		uint64_t digest;
	} golden[] = {
		{ 2, 512, 0x816e8190fa31a443ull },    { 4, 512, 0xf8b8934a6c0f1aa7ull },
		{ 7, 4096, 0x2ab8c58cf6ec65e7ull },   { 23, 4096, 0x8ec028f3e414ed7aull },
		{ 60, 16384, 0x673ba2164b5e94e5ull }, { 128, 65536, 0xdf1d388763e2ef09ull },
	};
	static const uint16_t least[16] = { 6, 0, 2, 5, 4, 6, 6, 5, 4, 1, 3, 5, 5, 6, 6, 4 };
	struct group group;
	uint16_t table[16];

	for (uint32_t i = 0; i < ENDPOINTS_MAX; i++)
		group.endpoint[i] = endpoint(i * 77777, 80 + i, 1 + i * i);
	group.endpoint[6].address = (struct addr){ .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		uint64_t digest;

		group.count = golden[i].endpoints;
		digest = digest_of(&group, golden[i].size);
		cr_expect_eq(digest, golden[i].digest, "%zu endpoints: %#llx", group.count,
			     (unsigned long long)digest);
	}
	group.count = 7;
	fill(&group, 16, table);
	cr_expect_arr_eq(table, least, sizeof(least));
}

/* How a group changes. */
enum kind {
	REWEIGH, /* one weight */
	ADD,	 /* one endpoint */
	REMOVE,	 /* one endpoint */
	HALVE,	 /* half of the endpoints go at once */
	SHUFFLE, /* all weights */
	REPLACE, /* one endpoint by another */
	KINDS,
};

enum weights {
	EQUAL,
	ANY,	 /* 1 to 255 */
	EXTREME, /* 1 or 255 */
	WEIGHTS,
};

static uint32_t random_weight(uint64_t *state, enum weights weights)
{
	if (weights == EQUAL)
		return 50;
	if (weights == ANY)
		return 1 + random_below(state, 255);
	return random_below(state, 2) ? 255 : 1;
}

/* Both have the same endpoints; one that is absent has no weight. */
static void random_change(uint64_t *state, enum kind kind, enum weights weights, size_t count,
			  struct group *before, struct group *after)
{
	size_t victim = random_below(state, count);

	before->count = count;
	for (size_t i = 0; i < count; i++)
		before->endpoint[i] =
			endpoint(random_below(state, 1u << 24), i, random_weight(state, weights));
	*after = *before;
	switch (kind) {
	case REWEIGH:
		after->endpoint[victim].weight = 1 + random_below(state, 255);
		break;
	case ADD:
		before->endpoint[victim].weight = 0;
		break;
	case REPLACE:
		before->endpoint[(victim + 1) % count].weight = 0;
		__attribute__((fallthrough));
	case REMOVE:
		after->endpoint[victim].weight = 0;
		break;
	case HALVE:
		for (size_t i = 0; i < count / 2; i++)
			after->endpoint[i].weight = 0;
		break;
	default:
		for (size_t i = 0; i < count; i++)
			after->endpoint[i].weight = 1 + random_below(state, 255);
	}
}

/* Part of the slots that a race moves, see maglev.c; the changed shares if one weight changes. */
static double race_moves(const struct group *before, const struct group *after)
{
	double stay = 0;

	for (size_t i = 0; i < before->count; i++) {
		double old = before->endpoint[i].weight, new = after->endpoint[i].weight, sum = 0;

		if (old == 0 || new == 0)
			continue;
		for (size_t j = 0; j < before->count; j++) {
			double a = before->endpoint[j].weight / old;
			double b = after->endpoint[j].weight / new;

			sum += a > b ? a : b;
		}
		stay += 1 / sum;
	}
	return 1 - stay;
}

struct tables {
	uint16_t before[TABLE_MAX];
	uint16_t after[TABLE_MAX];
};

/* Slots moved beyond the needed ones, in points: of the changed quotas, or of the race. */
static double needless(const struct group *before, const struct group *after, uint32_t size,
		       bool one_change, struct tables *tables)
{
	uint32_t old[ENDPOINTS_MAX], new[ENDPOINTS_MAX];
	double moved = 0, needed = 0;

	fill(before, size, tables->before);
	fill(after, size, tables->after);
	count_slots(before, tables->before, size, old);
	count_slots(after, tables->after, size, new);
	for (uint32_t i = 0; i < size; i++)
		moved += tables->before[i] != tables->after[i];
	for (size_t i = 0; i < before->count; i++)
		needed += new[i] > old[i] ? new[i] - old[i] : 0;
	if (!one_change)
		needed = race_moves(before, after) * size;
	return 100 * (moved - needed) / size;
}

/* The same in parts of the larger table, which stays in force, each of the size that it wants. */
static double needless_of_sizes(const struct group *before, const struct group *after,
				struct tables *tables)
{
	uint32_t old = maglev_size(before->endpoint, before->count);
	uint32_t new = maglev_size(after->endpoint, after->count);
	uint32_t size = old > new ? old : new, moved = 0;

	fill(before, old, tables->before);
	fill(after, new, tables->after);
	for (uint32_t i = 0; i < size; i++)
		moved += tables->before[i & (old - 1)] != tables->after[i & (new - 1)];
	return 100 * ((double)moved / size - race_moves(before, after));
}

struct bound {
	size_t endpoints;
	uint32_t size; /* 0: as the endpoints want it */
	int trials;
	double mean;  /* of each kind of change and weights, points */
	double worst; /* of all trials */
};

static void check_bound(const struct bound *bound, enum kind kind, enum weights weights,
			struct tables *tables)
{
	uint64_t state = kind * 1000 + weights * 100 + bound->endpoints;
	double sum = 0, worst = 0;

	for (int trial = 0; trial < bound->trials; trial++) {
		struct group before, after;
		double points;

		random_change(&state, kind, weights, bound->endpoints, &before, &after);
		points = needless(&before, &after, bound->size, kind <= HALVE, tables);
		sum += points;
		if (points > worst)
			worst = points;
	}
	cr_log_info("%3zu endpoints, %5u slots, change %d, weights %d: mean %.2f worst %.2f",
		    bound->endpoints, bound->size, kind, weights, sum / bound->trials, worst);
	cr_expect_leq(sum / bound->trials, bound->mean, "%zu in %u, change %d of %d: mean %.2f",
		      bound->endpoints, bound->size, kind, weights, sum / bound->trials);
	cr_expect_leq(worst, bound->worst, "%zu in %u, change %d of %d: worst %.2f",
		      bound->endpoints, bound->size, kind, weights, worst);
}

static void check_bounds(const struct bound *bounds, size_t count)
{
	struct tables *tables = malloc(sizeof(*tables));

	cr_assert_not_null(tables);
	for (size_t i = 0; i < count; i++)
		for (int kind = 0; kind < KINDS; kind++)
			for (int weights = 0; weights < WEIGHTS; weights++)
				check_bound(&bounds[i], kind, weights, tables);
	free(tables);
}

/*
 * The smallest tables of at least 100 slots per endpoint: never more than 3 points needlessly from
 * 30 endpoints on, and with fewer in 1 of 300 changes.
 */
Test(maglev, a_change_moves_few_slots_of_the_smallest_tables)
{
	static const struct bound bounds[] = {
		{ 2, 512, TRIALS, 1, 3 },
		{ 3, 512, TRIALS, 1.5, 4.5 },
		{ 4, 512, TRIALS, 1.5, 4.5 },
		{ 5, 512, TRIALS, 2, 4.5 },
		{ 10, 1024, TRIALS, 2.2, 4 },
		{ 30, 4096, TRIALS / 4, 1.8, 3 },
		{ 100, 16384, TRIALS / 20, 1.5, 3 },
	};

	check_bounds(bounds, sizeof(bounds) / sizeof(*bounds));
}

/* However large the table: the classes are the same. */
Test(maglev, a_change_moves_few_slots_of_the_largest_table)
{
	static const struct bound bounds[] = {
		{ 2, TABLE_MAX, 20, 1, 3 },
		{ 5, TABLE_MAX, 20, 2, 4 },
		{ 100, TABLE_MAX, 3, 1.5, 3 },
	};

	check_bounds(bounds, sizeof(bounds) / sizeof(*bounds));
}

/*
 * One weight changes, and with it how many slots are wanted: no more than 3 points beyond those
 * that must move, as if the table had kept its size. Dealt anew, it would be 50.
 */
Test(maglev, a_change_that_needs_another_size_moves_few_slots)
{
	struct tables *tables = malloc(sizeof(*tables));
	int trials = 0, above = 0;
	uint64_t state = 7;
	double sum = 0;

	cr_assert_not_null(tables);
	for (int trial = 0; trial < 3000; trial++) {
		struct group before, after;
		double points;

		random_change(&state, REWEIGH, ANY, 2 + random_below(&state, 29), &before, &after);
		if (maglev_size(before.endpoint, before.count) ==
		    maglev_size(after.endpoint, after.count))
			continue;
		points = needless_of_sizes(&before, &after, tables);
		above += points > 3;
		sum += points;
		trials++;
	}
	free(tables);
	cr_log_info("%d changes: mean %.2f, above 3: %d", trials, sum / trials, above);
	cr_expect_gt(trials, 400);
	cr_expect_leq(sum / trials, 1.2, "%.2f", sum / trials);
	cr_expect_leq(above, trials / 300, "%d of %d", above, trials);
}

/* The same when the last endpoint of the group is added to the others. */
static double needless_of_growth(const struct group *after, struct tables *tables)
{
	struct group before = { .count = after->count - 1 };
	uint32_t old, new, size, moved = 0;
	double sum = 0;

	memcpy(before.endpoint, after->endpoint, before.count * sizeof(*before.endpoint));
	old = maglev_size(before.endpoint, before.count);
	new = maglev_size(after->endpoint, after->count);
	size = old > new ? old : new;
	fill(&before, old, tables->before);
	fill(after, new, tables->after);
	for (uint32_t i = 0; i < size; i++)
		moved += tables->before[i & (old - 1)] != tables->after[i & (new - 1)];
	for (size_t i = 0; i < after->count; i++)
		sum += after->endpoint[i].weight;
	return 100 * ((double)moved / size - after->endpoint[before.count].weight / sum);
}

static void check_growth(const struct bound *bound, enum weights weights, struct tables *tables)
{
	uint64_t state = weights * 100 + bound->endpoints;
	double sum = 0, worst = 0;

	for (int trial = 0; trial < bound->trials; trial++) {
		struct group before, after;
		double points;

		random_change(&state, ADD, weights, bound->endpoints, &before, &after);
		points = needless_of_growth(&after, tables);
		sum += points;
		if (points > worst)
			worst = points;
	}
	cr_log_info("endpoint %3zu, weights %d: mean %.2f worst %.2f", bound->endpoints, weights,
		    sum / bound->trials, worst);
	cr_expect_leq(sum / bound->trials, bound->mean, "endpoint %zu, weights %d: mean %.2f",
		      bound->endpoints, weights, sum / bound->trials);
	cr_expect_leq(worst, bound->worst, "endpoint %zu, weights %d: worst %.2f", bound->endpoints,
		      weights, worst);
}

/*
 * One more endpoint, and a table of twice the size or more classes for it: what is split off is
 * dealt anew, a tenth of the slots at most, and nothing else. With classes that double, 58 to 95
 * points moved needlessly at the 6th, 11th, 21st, 41st and 82nd.
 */
Test(maglev, one_more_endpoint_deals_no_table_anew)
{
	static const struct bound bounds[] = {
		{ 2, 0, 100, 1.5, 3.5 },  { 5, 0, 200, 2, 4.5 },    { 6, 0, 200, 9.5, 13 },
		{ 7, 0, 200, 10, 14.5 },  { 10, 0, 200, 11, 14.5 }, { 11, 0, 200, 7, 9.5 },
		{ 12, 0, 200, 7.2, 9.5 }, { 20, 0, 100, 7.5, 9.5 }, { 21, 0, 100, 5, 6.5 },
		{ 41, 0, 50, 3.6, 4.5 },  { 81, 0, 20, 2, 3 },	    { 82, 0, 20, 3.6, 4.5 },
		{ 100, 0, 20, 2.7, 3.5 },
	};
	struct tables *tables = malloc(sizeof(*tables));

	cr_assert_not_null(tables);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(*bounds); i++)
		for (int weights = 0; weights < WEIGHTS; weights++)
			check_growth(&bounds[i], weights, tables);
	free(tables);
}
