// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every endpoint walks through all slots in an order of its own, which depends on nothing but its
 * identity, and takes the free ones until it has its quota. The only question is who walks when.
 *
 * Slots that are equal modulo a number of classes are looked at together. That number follows from
 * the number of endpoints, the size of the table from their weights: so a table is nearly the
 * smaller one, repeated, and a change of weights that needs a larger table moves hardly a slot more
 * than another. With an order for each size, it moved most of them. The price stands below: a large
 * table moves as many as the smallest of so many endpoints, not half of that.
 *
 * Maglev gives out turns, one free slot each. With turns in proportion to the weights, an endpoint
 * with the share s has looked at the part 1 - exp(-s * t) of its order at time t, on average: a
 * race of exponential variables, in which each slot goes to the first that looks at it. A race is
 * a perfect consistent hash: when one weight changes, a slot moves only to or from that endpoint.
 * The turns spoil that a little. They react to chance (who finds free slots easily has his next
 * turn no sooner), and chance differs after a change, most of all for the last free slots.
 *
 * So the clock here is the mean of two: the time at which the race would be at this position of
 * the order (which does not react at all; but alone it lets the first to be full leave the slots
 * of his that come late to the others, up to 7 points of them with two endpoints), and the time at
 * which the race would have given this many slots (Maglev). Slots moved needlessly, in points, by
 * random changes of one weight and by endpoints that come or go: mean of the worst kind of change
 * and weights / worst of all 36 000 (100 endpoints: 2400, 720):
 *
 *   endpoints, slots       5, 512       10, 1024     100, 16384   100, 65536
 *   turns, Maglev's order  2.22 / 32.6  2.70 / 45.9  1.75 / 2.81  0.74 / 1.23
 *   turns, this order      2.19 / 4.49  2.67 / 4.30  1.73 / 2.20  0.75 / 0.95
 *   this clock and order   1.65 / 4.10  1.86 / 3.32  1.03 / 1.45  0.51 / 0.66
 *   with classes           1.65 / 4.10  1.86 / 3.32  1.03 / 1.45  1.06 / 1.45
 *
 * What no scheme without memory can avoid: several weights that change their proportions at once,
 * a replaced endpoint among them, move up to 2d / (1 + d) of the slots where d is needed (Bavarian
 * et al., "Optimality of Correlated Sampling Strategies", 2020). The race moves 1 - sum over i of
 * 1 / sum over j of max(w_j / w_i, w'_j / w'_i), which can be improved for one pair of weights only
 * at the cost of another (Moulton and Jiang, "Maximally Consistent Sampling and the Jaccard Index
 * of Probability Distributions", 2018).
 *
 * Integers only: a table is byte-identical on every machine.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <weir/abi.h>

#include "plan/maglev.h"
#include "util/cleanup.h"

#define SLOTS_MAX	   (WEIR_MAX_SLOT_LINES * WEIR_SLOTS_PER_LINE)
#define SLOTS_PER_ENDPOINT 100u /* so that a share is right within a hundredth of it */
#define CLASSES_MIN	   512u /* a third, fourth and fifth endpoint deal no table anew */

/*
 * A unit of race time: after one, 1/e of the slots are still free. Clocks show the sum of the two
 * times, which is as good as the mean and twice as fast.
 */
#define TIME_ONE (1ull << 32)

/*
 * Endpoints take turns in order of identity, each until its clock has passed the end of the round.
 * Short rounds approach the order of time; these move no more slots than those, as measured.
 */
#define TIME_ROUND (TIME_ONE / 128)

/* The table that is dealt, and how many slots of each class have an owner. */
struct deal {
	uint16_t *table;
	uint32_t size;
	uint32_t classes;
	uint32_t *taken;
};

/* One endpoint on its walk. */
struct walk {
	const struct maglev_endpoint *endpoint;
	uint64_t remainder; /* of its share, in parts of a slot */
	uint64_t clock;	    /* when it looks at the next class */
	uint64_t pace;	    /* race time for one look, times the classes not seen */
	uint32_t key[4];    /* of its order */
	uint32_t position;  /* in its order */
	uint32_t quota;	    /* slots it shall have */
	uint32_t taken;	    /* slots it has */
	uint16_t index;	    /* of the endpoint, as the table names it */
	bool minimal;	    /* its quota is 1 because its share rounds to 0 */
};

static uint32_t power_of_two_above(uint64_t value)
{
	uint64_t power = 1;

	while (power < value)
		power <<= 1;
	return power < UINT32_MAX ? power : 1u << 31;
}

static bool is_power_of_two(uint32_t value)
{
	return value && !(value & (value - 1));
}

uint32_t maglev_classes(size_t count)
{
	uint32_t classes = power_of_two_above(SLOTS_PER_ENDPOINT * (uint64_t)count);

	return classes > CLASSES_MIN ? classes : CLASSES_MIN;
}

uint32_t maglev_slots(size_t count, uint64_t sum, uint32_t smallest)
{
	uint32_t size, limit, classes = maglev_classes(count);

	if (!sum)
		return 0;
	size = power_of_two_above((SLOTS_PER_ENDPOINT * sum + smallest - 1) / smallest);
	limit = power_of_two_above(128 * (uint64_t)count);
	if (limit < WEIR_MAX_TABLE)
		limit = WEIR_MAX_TABLE;
	if (size > limit)
		size = limit;
	return size > classes ? size : classes;
}

uint32_t maglev_size(const struct maglev_endpoint *endpoints, size_t count)
{
	uint32_t smallest = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t weight = endpoints[i].weight;

		sum += weight;
		if (weight && (!smallest || weight < smallest))
			smallest = weight;
	}
	return maglev_slots(count, sum, smallest);
}

static int compare_identity(const void *left, const void *right)
{
	const struct walk *a = left, *b = right;
	int order = addr_compare(&a->endpoint->address, &b->endpoint->address);

	if (order)
		return order;
	if (a->endpoint->port != b->endpoint->port)
		return a->endpoint->port < b->endpoint->port ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_remainder(const void *left, const void *right)
{
	const struct walk *a = left, *b = right;

	if (a->remainder != b->remainder)
		return a->remainder > b->remainder ? -1 : 1;
	return compare_identity(left, right);
}

/* Quotas by largest remainder for all but the minimal, which have one slot each. */
static void share_out(struct walk *walks, size_t count, uint32_t size)
{
	uint64_t sum = 0;
	uint32_t left;

	for (size_t i = 0; i < count; i++) {
		if (walks[i].minimal)
			size--;
		else
			sum += walks[i].endpoint->weight;
	}

	left = size;
	for (size_t i = 0; i < count; i++) {
		uint64_t share = (uint64_t)size * walks[i].endpoint->weight;

		walks[i].quota = walks[i].minimal ? 1 : share / sum;
		walks[i].remainder = walks[i].minimal ? 0 : share % sum;
		left -= walks[i].minimal ? 0 : walks[i].quota;
	}

	/* `left` is the sum of the remainders, so that many and more of them are not 0. */
	qsort(walks, count, sizeof(*walks), compare_remainder);
	for (uint32_t i = 0; i < left; i++)
		walks[i].quota++;
}

/* Whoever has no slot gets one, and the others share what is left. Ends: one more each time. */
static void set_quotas(struct walk *walks, size_t count, uint32_t size)
{
	bool again;

	do {
		again = false;
		share_out(walks, count, size);
		for (size_t i = 0; i < count; i++) {
			if (walks[i].quota)
				continue;
			walks[i].minimal = true;
			again = true;
		}
	} while (again);
}

/* Each bit of the input changes each bit of the output with probability 1/2 (Stafford's Mix13). */
static uint64_t mix(uint64_t word)
{
	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
	return word ^ (word >> 31);
}

/* Byte by byte, so that nodes of both byte orders agree. */
static uint64_t load(const uint8_t *bytes)
{
	uint64_t word = 0;

	for (size_t i = 0; i < sizeof(word); i++)
		word = word << 8 | bytes[i];
	return word;
}

static void set_order(struct walk *walk)
{
	const struct maglev_endpoint *endpoint = walk->endpoint;
	uint64_t first, second;

	first = mix(load(endpoint->address.bytes) + 0x9e3779b97f4a7c15ull);
	first = mix(first ^ load(endpoint->address.bytes + 8));
	first = mix(first ^ endpoint->port);
	second = mix(first + 0x9e3779b97f4a7c15ull);

	walk->key[0] = first;
	walk->key[1] = first >> 32;
	walk->key[2] = second;
	walk->key[3] = second >> 32;
}

/*
 * The class at a position of the order: a permutation of [0, mask], because each step is one.
 * Maglev's offset + position * skip alone is too regular: where two skips are alike or a small
 * multiple of each other, a change of one weight moves half of the table of two endpoints.
 */
static uint32_t class_at(const struct walk *walk, uint32_t classes)
{
	unsigned int shift = ((unsigned int)__builtin_ctz(classes) + 1) / 2;
	uint32_t class = walk->position, mask = classes - 1;

	class = (class * (walk->key[0] | 1) + walk->key[1]) & mask;
	class ^= class >> shift;
	class = (class * (walk->key[1] | 1) + walk->key[2]) & mask;
	class ^= class >> shift;
	class = (class * (walk->key[2] | 1) + walk->key[3]) & mask;
	return class ^ (class >> shift);
}

/*
 * Looks at classes until the end of the round, and takes what is free of each. The p-th of C values
 * of an exponential variable comes 1 / (C - p) after the one before, on average, and 1 / s times
 * later for a share of s.
 */
static void walk_until(struct walk *walk, uint64_t end, struct deal *deal)
{
	while (walk->taken < walk->quota && walk->clock <= end) {
		uint32_t class = class_at(walk, deal->classes);
		uint32_t slot = class + deal->taken[class] * deal->classes;

		walk->clock += walk->pace / (deal->classes - walk->position++);
		for (; slot < deal->size && walk->taken < walk->quota; slot += deal->classes) {
			deal->table[slot] = walk->index;
			deal->taken[class]++;
			walk->clock += TIME_ONE / (walk->quota - walk->taken++);
		}
	}
}

/*
 * Nobody comes to the end of his order before his quota is met: he would have seen all slots, and
 * all taken; but the quotas add up to the slots.
 */
static void race(struct walk *walks, size_t count, struct deal *deal)
{
	uint64_t end = 0;

	while (count) {
		uint64_t next = UINT64_MAX;
		size_t kept = 0;

		for (size_t i = 0; i < count; i++) {
			walk_until(&walks[i], end, deal);
			if (walks[i].taken == walks[i].quota)
				continue;
			if (walks[i].clock < next)
				next = walks[i].clock;
			if (kept != i)
				walks[kept] = walks[i];
			kept++;
		}
		count = kept;
		end = next | (TIME_ROUND - 1);
	}
}

int maglev_fill(const struct maglev_endpoint *endpoints, size_t count, uint32_t size,
		uint16_t *table)
{
	struct deal deal = { .table = table, .size = size, .classes = maglev_classes(count) };
	_cleanup_(freep) struct walk *walks = NULL;
	_cleanup_(freep) uint32_t *taken = NULL;
	size_t walking = 0;

	if (deal.classes > size)
		deal.classes = size;
	if (!is_power_of_two(size) || size > SLOTS_MAX || count > UINT16_MAX)
		return -EINVAL;
	walks = calloc(count ? count : 1, sizeof(*walks));
	if (!walks)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (!endpoints[i].weight)
			continue;
		walks[walking].endpoint = &endpoints[i];
		walks[walking++].index = i;
	}
	if (!walking || walking > size)
		return -EINVAL;

	deal.taken = taken = calloc(deal.classes, sizeof(*taken));
	if (!taken)
		return -ENOMEM;
	set_quotas(walks, walking, size);
	for (size_t i = 0; i < walking; i++) {
		set_order(&walks[i]);
		walks[i].pace = size * TIME_ONE / walks[i].quota;
	}
	qsort(walks, walking, sizeof(*walks), compare_identity);

	race(walks, walking, &deal);
	return 0;
}
