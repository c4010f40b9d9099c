// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: of prefixes in any order, in and beside each other, at either end of the address space, the
 * longest that has an address says where it is; the first layer that knows it does; and the tree
 * that the data plane asks says the same.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "plan/bounds.h"
#include "plan/locations.h"
#include "util/vec.h"

#define ROUNDS	 300
#define PREFIXES 30
#define NAMES	 4

static uint32_t random_below(uint32_t bound)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull >> 32) * bound >> 32);
}

static struct addr parse(const char *text)
{
	struct addr addr;

	cr_assert_eq(addr_parse(text, &addr), 0, "%s", text);
	return addr;
}

static const char *const names[NAMES] = { "eu", "us", "ap", "sa" };

static struct addr last_of(const struct addr_prefix *prefix)
{
	struct addr last = prefix->addr;

	for (unsigned bit = prefix->bits; bit < 128; bit++)
		last.bytes[bit / 8] |= 0x80 >> bit % 8;
	return last;
}

static struct addr step(struct addr addr, int by)
{
	for (int i = 15; i >= 0; i--) {
		addr.bytes[i] += by;
		if (addr.bytes[i] != (by > 0 ? 0 : 0xff))
			break;
	}
	return addr;
}

static struct addr_prefix random_prefix(void)
{
	static const char *const bases[] = { "10.0.0.0",   "0.0.0.0", "255.255.255.0",
					     "2001:db8::", "::",      "ffff:ffff:ffff:ff00::" };
	struct addr_prefix prefix = { .addr = parse(bases[random_below(6)]) };
	unsigned least = addr_family(&prefix.addr) == AF_INET ? 96 : 0;

	for (int i = 12; i < 16; i++)
		if (random_below(2))
			prefix.addr.bytes[i] ^= random_below(4) << 2 * random_below(4);
	prefix.bits = least + random_below(129 - least);
	for (unsigned bit = prefix.bits; bit < 128; bit++)
		prefix.addr.bytes[bit / 8] &= ~(0x80 >> bit % 8);
	return prefix;
}

static bool has_prefix(const struct clients *clients, const struct addr_prefix *prefix)
{
	vec_foreach(known, &clients->prefixes)
		if (addr_prefix_equal(&known->prefix, prefix))
			return true;
	return false;
}

static struct clients random_layer(void)
{
	struct clients clients = {};

	for (unsigned i = random_below(PREFIXES); i > 0; i--) {
		struct addr_prefix prefix = random_prefix();

		if (!has_prefix(&clients, &prefix))
			cr_assert_eq(clients_add(&clients, &prefix, names[random_below(NAMES)], i),
				     0);
	}
	return clients;
}

/* ::/0 has no IPv4 address, whatever its bits say. */
static bool has(const struct addr_prefix *prefix, const struct addr *addr)
{
	return addr_family(&prefix->addr) == addr_family(addr) && addr_prefix_has(prefix, addr);
}

/* By asking all of them. */
static const char *name_in(const struct clients *layer, const struct addr *addr)
{
	const struct client_prefix *best = NULL;

	vec_foreach(prefix, &layer->prefixes)
		if (has(&prefix->prefix, addr) &&
		    (!best || prefix->prefix.bits > best->prefix.bits))
			best = prefix;
	return best ? layer->regions.items[best->region].name : NULL;
}

static const char *name_by_ranges(const struct locations *locations, const struct addr *addr)
{
	const struct location *found = NULL;

	vec_foreach(range, &locations->ranges[addr_family(addr) == AF_INET6])
		if (addr_compare(&range->first, addr) <= 0)
			found = range;
	cr_assert(found);
	return found->region == LOCATIONS_NOWHERE ? NULL
						  : locations->regions.items[found->region].name;
}

/* Numbers are places in the regions, from 1 on. */
static struct bounds *tree_of(const struct locations *locations, bool ip6)
{
	size_t count = locations->ranges[ip6].count;
	struct addr *bounds = calloc(count, sizeof(*bounds));
	uint8_t *regions = calloc(count, sizeof(*regions));
	struct bounds *tree = NULL;

	cr_assert(bounds && regions);
	for (size_t i = 0; i < count; i++) {
		bounds[i] = locations->ranges[ip6].items[i].first;
		regions[i] = locations->ranges[ip6].items[i].region + 1;
	}
	cr_assert_eq(bounds_build_regions(bounds, regions, count, ip6, &tree), 0);
	free(bounds);
	free(regions);
	return tree;
}

static bool is_end(const struct addr *addr)
{
	struct addr last4 = parse("255.255.255.255");

	for (int i = 0; i < 16; i++)
		if (addr->bytes[i] != 0xff)
			return addr_equal(addr, &last4);
	return true;
}

static void check(const struct clients *const layers[2], const struct locations *locations,
		  struct bounds *const trees[2], const struct addr *addr)
{
	const char *wanted = name_in(layers[0], addr) ?: name_in(layers[1], addr), *got;
	uint8_t number = bounds_region(trees[addr_family(addr) == AF_INET6], addr);
	char text[ADDR_TEXT_MAX];

	if (is_end(addr))
		return;
	got = name_by_ranges(locations, addr);
	cr_assert_str_eq(got ?: "nowhere", wanted ?: "nowhere", "%s", addr_print(addr, text));
	got = number ? locations->regions.items[number - 1].name : NULL;
	cr_assert_str_eq(got ?: "nowhere", wanted ?: "nowhere", "%s by the tree",
			 addr_print(addr, text));
}

static void check_edges(const struct clients *const layers[2], const struct locations *locations,
			struct bounds *const trees[2])
{
	for (int i = 0; i < 2; i++) {
		vec_foreach(prefix, &layers[i]->prefixes) {
			struct addr first = prefix->prefix.addr, last = last_of(&prefix->prefix);
			struct addr others[] = { step(first, -1), step(first, 1), step(last, -1),
						 step(last, 1) };

			check(layers, locations, trees, &first);
			check(layers, locations, trees, &last);
			for (int k = 0; k < 4; k++)
				check(layers, locations, trees, &others[k]);
		}
	}
}

static void check_ranges(const struct locations *locations)
{
	for (int ip6 = 0; ip6 < 2; ip6++)
		for (size_t i = 1; i < locations->ranges[ip6].count; i++) {
			const struct location *b = &locations->ranges[ip6].items[i], *a = b - 1;

			cr_assert(addr_compare(&a->first, &b->first) < 0);
			cr_assert_neq(a->region, b->region);
		}
}

Test(locations, the_longest_prefix_of_the_first_layer)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct clients a = random_layer(), b = random_layer();
		const struct clients *layers[2] = { &a, &b };
		struct locations *locations = NULL;
		struct bounds *trees[2];

		cr_assert_eq(locations_build(layers, 2, &locations), 0);
		for (int ip6 = 0; ip6 < 2; ip6++)
			trees[ip6] = tree_of(locations, ip6);
		check_ranges(locations);
		check_edges(layers, locations, trees);
		for (int ip6 = 0; ip6 < 2; ip6++)
			bounds_unref(trees[ip6]);
		locations_free(locations);
		clients_fini(&a);
		clients_fini(&b);
	}
}

Test(locations, nobody)
{
	struct locations *locations = NULL;

	cr_assert_eq(locations_build(NULL, 0, &locations), 0);
	for (int ip6 = 0; ip6 < 2; ip6++) {
		cr_expect_eq(locations->ranges[ip6].count, 1);
		cr_expect_eq(locations->ranges[ip6].items[0].region, LOCATIONS_NOWHERE);
	}
	locations_free(locations);
}

/* Of a bound, from where to where its range goes. */
Test(locations, ranges_of_bounds)
{
	_cleanup_(clients_fini) struct clients layer = {};
	const struct clients *layers[1] = { &layer };
	struct locations *locations = NULL;
	struct addr_prefix prefix;
	struct bounds *tree;

	for (unsigned i = 0; i < 200; i++) {
		char text[ADDR_PREFIX_MAX];

		snprintf(text, sizeof(text), "10.%u.0.0/16", i);
		cr_assert_eq(addr_prefix_parse(text, &prefix), 0);
		cr_assert_eq(clients_add(&layer, &prefix, names[i % NAMES], i), 0);
	}
	cr_assert_eq(locations_build(layers, 1, &locations), 0);
	tree = tree_of(locations, false);
	for (uint32_t bound = 0, seen = 0; seen < locations->ranges[0].count; bound++) {
		uint32_t lowest = 17; /* of two levels: a root and its children */
		uint32_t line = 1 + bound / WEIR_BOUNDS_IP4;
		struct addr first, last;

		cr_assert_lt(line, lowest);
		cr_assert_eq(bounds_range(tree->lines, tree->count, tree->levels, false, line,
					  bound % WEIR_BOUNDS_IP4, &first, &last),
			     0);
		cr_expect(addr_equal(&first, &locations->ranges[0].items[seen].first));
		if (++seen < locations->ranges[0].count) {
			struct addr next = step(last, 1);

			cr_expect(addr_equal(&next, &locations->ranges[0].items[seen].first));
		} else {
			cr_expect(is_end(&last));
		}
	}
	cr_expect_eq(bounds_range(tree->lines, tree->count, tree->levels, false, tree->count, 0,
				  &prefix.addr, &prefix.addr),
		     -EINVAL);
	bounds_unref(tree);
	locations_free(locations);
}
