// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every endpoint walks through all slots in an order of its own, which depends on nothing but its
 * identity, and takes the free ones until it has its quota. The only question is who walks when.
 *
 * Slots that are equal modulo a power of two are looked at together: they are a class. How many
 * there are follows from the number of endpoints, the size of the table from their weights: so a
 * table is nearly the smaller one, repeated, and a change of weights that needs a larger table
 * moves hardly a slot more than another. With an order for each size, it moved most of them. The
 * price stands below: a large table moves as many as the smallest of so many endpoints, not half of
 * that.
 *
 * With each endpoint beyond the fifth some classes are split in two, 512 for every five: so there
 * is no number of endpoints at which the classes double and everything is dealt anew (linear
 * hashing: Litwin, "Linear Hashing: A New Tool for File and Table Addressing", 1980). An order
 * takes what is split off in between and leaves the rest as it was. That half of each split class
 * is dealt without regard to whom it had, or there would be as few chances as before; no table
 * without memory can have it otherwise. Slots moved needlessly by one more endpoint of equal
 * weight, in points: mean / worst of 200, and how they were with classes that double:
 *
 *   the      6th           11th          21st          41st          82nd
 *   now      8.7 / 10.7    6.4 / 8.9     4.5 / 5.3     3.2 / 3.8     3.3 / 3.9
 *   doubled  63.4 / 67.6   81.8 / 83.2   86.1 / 87.7   95.1 / 95.6   93.0 / 93.5
 *
 * The 7th to 10th stand with the 6th, up to 10.5 / 12.0: what one number of endpoints does not pay,
 * others must.
 *
 * Maglev gives out turns, one free slot each. With turns in proportion to the weights, an endpoint
 * with the share s has looked at the part 1 - exp(-s * t) of its order at time t, on average: a
 * race of exponential variables, in which each slot goes to the first that looks at it. A race is
 * a perfect consistent hash: when one weight changes, a slot moves only to or from that endpoint.
 * The turns spoil that a little. They react to chance (who finds free slots easily has his next
 * turn no sooner), and chance differs after a change, most of all for the last free slots.
 *
 * So the clock here has two parts: the time at which the race would be at this position of the
 * order (which does not react at all; but alone it lets the first to be full leave the slots of his
 * that come late to the others, up to 7 points of them with two endpoints), and, an eighth of it,
 * the time at which the race would have given this many slots (Maglev). Slots moved needlessly, in
 * points, by random changes of one weight and by endpoints that come or go, of those listed: mean
 * of the worst kind of change and weights / worst of all 36 000 (100 endpoints: 2400, 720; this
 * clock 1080, 360):
 *
 *   endpoints, slots       5, 512       10, 1024     100, 16384   100, 65536
 *   turns, Maglev's order  2.22 / 32.6  2.70 / 45.9  1.75 / 2.81  0.74 / 1.23
 *   turns, this order      2.19 / 4.49  2.67 / 4.30  1.73 / 2.20  0.75 / 0.95
 *   half and half          1.65 / 4.10  1.86 / 3.32  1.03 / 1.45  0.51 / 0.66
 *   with classes           1.65 / 4.10  1.86 / 3.32  1.03 / 1.45  1.06 / 1.45
 *   this clock, classes    1.41 / 5.04  1.63 / 3.44  1.20 / 1.80  1.21 / 1.53
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
#define CLASSES_MIN	   512u /* a third, fourth and fifth endpoint split no class */
#define CLASSES_ENDPOINTS  5u	/* that have so many */

/*
 * A unit of race time: after one, 1/e of the slots are still free. Clocks show seven times the one
 * time and once the other.
 */
#define TIME_ONE   (1ull << 32)
#define TIME_RACES 7u

/*
 * Endpoints take turns in order of identity, each until its clock has passed the end of the round.
 * Short rounds approach the order of time; these move no more slots than those, as measured.
 */
#define TIME_ROUND (TIME_ONE / 32)

#define AHEAD	   16u /* classes of an order that are found at once; a power of two */

/* The table that is dealt, and the first free slot of each class. */
struct deal {
	uint16_t *table;
	uint32_t size;
	uint32_t classes;
	uint32_t unsplit; /* classes before the first was split, a power of two */
	uint32_t split;	  /* and if all were as far as the first: >= classes */
	uint32_t *free;	  /* >= size: all have an owner */
};

/* One endpoint on its walk. */
struct walk {
	const struct maglev_endpoint *endpoint;
	uint64_t remainder;    /* of its share, in parts of a slot */
	uint64_t clock;	       /* when it looks at the next class */
	uint64_t pace;	       /* race time for one look, times the classes not seen */
	uint64_t key[2];       /* of its order */
	uint32_t ahead[AHEAD]; /* its order, around the step */
	uint32_t step;	       /* in its order */
	uint32_t position;     /* the same, without classes that there are not */
	uint32_t class;	       /* that it looks at next */
	uint32_t quota;	       /* slots it shall have yet */
	uint16_t index;	       /* of the endpoint, as the table names it */
	bool minimal;	       /* its quota is 1 because its share rounds to 0 */
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

static uint32_t smallest_table(size_t count)
{
	uint32_t size = power_of_two_above(SLOTS_PER_ENDPOINT * (uint64_t)count);

	return size > CLASSES_MIN ? size : CLASSES_MIN;
}

uint32_t maglev_classes(size_t count)
{
	uint64_t classes = (uint64_t)count * CLASSES_MIN / CLASSES_ENDPOINTS;
	uint32_t limit = smallest_table(count);

	if (classes < CLASSES_MIN)
		return CLASSES_MIN;
	return classes < limit ? classes : limit;
}

uint32_t maglev_slots(size_t count, uint64_t sum, uint32_t smallest)
{
	uint32_t size, limit, least = smallest_table(count);

	if (!sum)
		return 0;
	size = power_of_two_above((SLOTS_PER_ENDPOINT * sum + smallest - 1) / smallest);
	limit = power_of_two_above(128 * (uint64_t)count);
	if (limit < WEIR_MAX_TABLE)
		limit = WEIR_MAX_TABLE;
	if (size > limit)
		size = limit;
	return size > least ? size : least;
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
	uint64_t first;

	first = mix(load(endpoint->address.bytes) + 0x9e3779b97f4a7c15ull);
	first = mix(first ^ load(endpoint->address.bytes + 8));
	first = mix(first ^ endpoint->port);
	walk->key[0] = first;
	walk->key[1] = mix(first + 0x9e3779b97f4a7c15ull);
}

/*
 * A permutation of [0, count), a power of two, because each step is one. Maglev's offset + position
 * * skip alone is too regular: where two skips are alike or a small multiple of each other, a
 * change of one weight moves half of the table of two endpoints.
 */
static inline uint32_t permute(const uint64_t key[2], uint32_t at, uint32_t count)
{
	unsigned int shift = ((unsigned int)__builtin_ctz(count) + 1) / 2;
	uint32_t word[] = { key[0], key[0] >> 32, key[1], key[1] >> 32 };
	uint32_t mask = count - 1;

	at = (at * (word[0] | 1) + word[1]) & mask;
	at ^= at >> shift;
	at = (at * (word[1] | 1) + word[2]) & mask;
	at ^= at >> shift;
	at = (at * (word[2] | 1) + word[3]) & mask;
	return at ^ (at >> shift);
}

/* The key of the order in which an endpoint looks at the classes from `split` on, which were split
 * off from as many before them. */
static void set_split_key(const struct walk *walk, uint32_t split, uint64_t ret[2])
{
	ret[0] = mix(walk->key[0] + split);
	ret[1] = mix(walk->key[1] + split);
}

/*
 * The class at a step of the order. Every other one was split off last, every other one of the rest
 * before that, and so on: who leaves out what is not split off yet has the order of fewer classes.
 */
static uint32_t class_at(const struct walk *walk, uint32_t step, uint32_t split)
{
	uint64_t key[2];

	while (split > CLASSES_MIN && !(step & 1)) {
		step >>= 1;
		split >>= 1;
	}
	if (split <= CLASSES_MIN)
		return permute(walk->key, step, split);
	split >>= 1;
	set_split_key(walk, split, key);
	return split + permute(key, step >> 1, split);
}

/* The same of all steps ahead, at less than half the price: where none is split the compiler finds
 * several at once, elsewhere those that were split off together share their key. */
static void look_ahead(struct walk *walk, uint32_t split)
{
	uint32_t gap = 1;

	for (; split > CLASSES_MIN && gap < AHEAD; gap *= 2) {
		uint64_t key[2];

		split /= 2;
		set_split_key(walk, split, key);
		for (uint32_t i = gap; i < AHEAD; i += 2 * gap)
			walk->ahead[i] = split + permute(key, (walk->step + i) / gap / 2, split);
	}
	if (gap == 1)
		for (uint32_t i = 0; i < AHEAD; i++)
			walk->ahead[i] = permute(walk->key, walk->step + i, split);
	else
		for (uint32_t i = 0; i < AHEAD; i += gap)
			walk->ahead[i] = class_at(walk, (walk->step + i) / gap, split);
}

static uint32_t next_class(struct walk *walk, const struct deal *deal)
{
	uint32_t class;

	do {
		if (walk->step % AHEAD == 0)
			look_ahead(walk, deal->split);
		class = walk->ahead[walk->step++ % AHEAD];
	} while (class >= deal->classes);
	return class;
}

static bool has_free(const struct deal *deal, uint32_t class)
{
	return deal->free[class] < deal->size;
}

/* Takes what is free of the class that it has come to. */
static void take(struct walk *walk, struct deal *deal)
{
	uint32_t class = walk->class, slot = deal->free[class], quota = walk->quota;
	bool is_split = class >= deal->unsplit || class + deal->unsplit < deal->classes;
	uint32_t stride = is_split ? deal->split : deal->unsplit;
	uint16_t index = walk->index;
	uint64_t time = 0;

	for (; slot < deal->size && quota; slot += stride) {
		deal->table[slot] = index;
		time += TIME_ONE / quota--;
	}
	deal->free[class] = slot;
	walk->quota = quota;
	walk->clock += time;
}

/*
 * To the next class. The p-th of C values of an exponential variable comes 1 / (C - p) after the
 * one before, on average, and 1 / s times later for a share of s. A class without a free slot stays
 * so: the look at it takes its time, but need not wait for its turn.
 */
static void go_on(struct walk *walk, const struct deal *deal)
{
	do {
		walk->clock += walk->pace / (deal->classes - walk->position++);
		walk->class = next_class(walk, deal);
	} while (!has_free(deal, walk->class));
}

/* Takes what he comes to until the end of the round. His clock is not beyond it yet, nor his quota
 * met. */
static void walk_until(struct walk *walk, uint64_t end, struct deal *deal)
{
	do {
		if (has_free(deal, walk->class)) /* or somebody else was here meanwhile */
			take(walk, deal);
		if (!walk->quota)
			return;
		go_on(walk, deal);
	} while (walk->clock <= end);
}

/*
 * Nobody comes to the end of his order before his quota is met: he would have seen all slots, and
 * all taken; but the quotas add up to the slots that are free.
 */
static void race(struct walk *walks, size_t count, struct deal *deal)
{
	uint64_t end = 0;

	while (count) {
		uint64_t next = UINT64_MAX;
		size_t kept = 0;

		for (size_t i = 0; i < count; i++) {
			if (walks[i].clock <= end) {
				walk_until(&walks[i], end, deal);
				if (!walks[i].quota)
					continue;
			}
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
	_cleanup_(freep) uint32_t *first = NULL;
	size_t walking = 0;

	if (deal.classes > size)
		deal.classes = size;
	deal.split = power_of_two_above(deal.classes);
	deal.unsplit = deal.split / 2;
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

	deal.free = first = calloc(deal.classes, sizeof(*first));
	if (!first)
		return -ENOMEM;
	for (uint32_t i = 0; i < deal.classes; i++)
		first[i] = i;
	set_quotas(walks, walking, size);
	for (size_t i = 0; i < walking; i++) {
		set_order(&walks[i]);
		walks[i].pace = TIME_RACES * size * TIME_ONE / walks[i].quota;
		walks[i].class = next_class(&walks[i], &deal);
	}
	qsort(walks, walking, sizeof(*walks), compare_identity);

	race(walks, walking, &deal);
	return 0;
}
