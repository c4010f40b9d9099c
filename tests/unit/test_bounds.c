// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: an address is in a tree of bounds if and only if one of the prefixes has it, at the edges
 * of each range and at either end of the address space; a tree tells its own size.
 */
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "plan/bounds.h"
#include "util/vec.h"

static struct addr_prefix prefix(const char *text)
{
	struct addr_prefix prefix;

	cr_assert_eq(addr_prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

static bool not_above(const struct weir_bounds *line, uint32_t i, bool ip6, const uint64_t addr[2])
{
	if (!ip6)
		return line->of.ip4[i] <= (uint32_t)addr[1];
	return line->of.ip6[i].high < addr[0] ||
	       (line->of.ip6[i].high == addr[0] && line->of.ip6[i].low <= addr[1]);
}

/* As bpf/acl.h does. */
static bool have(const struct bounds *bounds, const struct addr *addr)
{
	uint32_t width = bounds->ip6 ? WEIR_BOUNDS_IP6 : WEIR_BOUNDS_IP4, line = 0, last = 0;
	uint64_t words[2];

	memcpy(words, addr->bytes, sizeof(words));
	words[0] = be64toh(words[0]);
	words[1] = be64toh(words[1]);
	for (uint32_t level = 0; level < bounds->levels; level++) {
		cr_assert_lt(line, bounds->count);
		for (last = 0; last + 1 < width; last++)
			if (!not_above(&bounds->lines[line], last + 1, bounds->ip6, words))
				break;
		line = line * width + 1 + last;
	}
	cr_assert_eq(bounds_has(bounds, addr), last & 1);
	return last & 1;
}

static struct bounds *build(const struct addr_prefixes *prefixes, bool ip6)
{
	struct bounds *bounds = NULL;

	cr_assert_eq(bounds_build(&prefixes, 1, ip6, &bounds), 0);
	cr_expect_eq(bounds->line, BOUNDS_NO_LINE);
	cr_expect_eq(bounds_measure(bounds->lines, bounds->count, bounds->levels, ip6),
		     bounds->count);
	if (bounds->count > 1)
		cr_expect_eq(bounds_measure(bounds->lines, bounds->count - 1, bounds->levels, ip6),
			     0);
	return bounds;
}

/* The address before or after, round the end. */
static struct addr step(struct addr addr, int by)
{
	for (int i = 15; i >= 0; i--) {
		addr.bytes[i] += by;
		if (addr.bytes[i] != (by > 0 ? 0 : 0xff))
			break;
	}
	return addr;
}

static bool prefixes_have(const struct addr_prefixes *prefixes, const struct addr *addr)
{
	vec_foreach(one, prefixes)
		if (addr_prefix_has(one, addr))
			return true;
	return false;
}

/* What lines are filled up with: nothing comes from it, so that it is not asked for. */
static bool is_last(const struct addr *addr)
{
	struct addr last;

	addr_parse(addr_family(addr) == AF_INET ? "255.255.255.255"
						: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		   &last);
	return addr_equal(addr, &last);
}

/* At both ends of every prefix, and next to them. */
static void expect_edges(const struct addr_prefixes *prefixes, const struct bounds *bounds)
{
	vec_foreach(one, prefixes) {
		struct addr first = one->addr, last = one->addr;
		char text[ADDR_TEXT_MAX];

		for (unsigned bit = one->bits; bit < 128; bit++)
			last.bytes[bit / 8] |= 0x80 >> bit % 8;
		for (int k = 0; k < 6; k++) {
			struct addr addr = k < 3 ? first : last;

			if (k % 3)
				addr = step(addr, k % 3 == 1 ? 1 : -1);
			if ((addr_family(&addr) == AF_INET6) != bounds->ip6 || is_last(&addr))
				continue;
			cr_assert_eq(have(bounds, &addr), prefixes_have(prefixes, &addr), "%s",
				     addr_print(&addr, text));
		}
	}
}

Test(bounds, nobody)
{
	struct addr_prefixes none = {};

	for (int ip6 = 0; ip6 < 2; ip6++) {
		struct bounds *bounds = build(&none, ip6);
		struct addr_prefix any = prefix(ip6 ? "2001:db8::1" : "10.0.0.1");

		cr_expect(bounds->levels == 1 && bounds->count == 1);
		cr_expect(!have(bounds, &any.addr));
		bounds_unref(bounds);
	}
}

Test(bounds, everybody)
{
	static const char *const texts[] = { "0.0.0.0/0",   "::/0", "0.0.0.0/1",
					     "128.0.0.0/1", "::/1", "8000::/1" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct addr_prefix one = prefix(texts[i]);
		struct addr_prefixes list = { .items = &one, .count = 1 };
		struct bounds *bounds = build(&list, addr_family(&one.addr) == AF_INET6);

		expect_edges(&list, bounds);
		bounds_unref(bounds);
	}
}

/* What overlaps or touches is one range: the tree of the parts is the tree of the whole. */
Test(bounds, parts_are_merged)
{
	static const char *const parts[] = { "10.0.1.0/24", "10.0.0.0/24",   "10.0.2.0/23",
					     "10.0.0.7",    "10.0.0.128/25", "10.0.1.0/24" };
	struct addr_prefix whole = prefix("10.0.0.0/22");
	struct addr_prefixes one = { .items = &whole, .count = 1 }, list = {};
	struct bounds *a, *b;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		cr_assert_eq(vec_push(&list, prefix(parts[i])), 0);
	a = build(&list, false);
	b = build(&one, false);
	cr_expect(bounds_equal(a, b));
	bounds_unref(b);
	b = build(&(struct addr_prefixes){}, false);
	cr_expect(!bounds_equal(a, b));
	bounds_unref(a);
	bounds_unref(b);
	vec_free(&list);
}

Test(bounds, several_lists_and_the_other_family)
{
	struct addr_prefix items[] = { prefix("10.0.0.0/8"), prefix("2001:db8::/32"),
				       prefix("192.0.2.1") };
	struct addr_prefixes lists[3];
	const struct addr_prefixes *pointers[3];
	struct bounds *bounds;

	for (int i = 0; i < 3; i++) {
		lists[i] = (struct addr_prefixes){ .items = &items[i], .count = 1 };
		pointers[i] = &lists[i];
	}
	for (int ip6 = 0; ip6 < 2; ip6++) {
		cr_assert_eq(bounds_build(pointers, 3, ip6, &bounds), 0);
		for (int i = 0; i < 3; i++)
			if ((addr_family(&items[i].addr) == AF_INET6) == ip6)
				cr_expect(have(bounds, &items[i].addr));
		bounds_unref(bounds);
	}
}

/* Numbers of their own, the same on every machine. */
static uint32_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static struct addr_prefix random_prefix(uint64_t *state, bool ip6, unsigned spread)
{
	unsigned bits = ip6 ? 128 - next(state) % 128 : 32 - next(state) % 32;
	struct addr_prefix meant;
	char text[ADDR_PREFIX_MAX];

	/* Near to each other, and now and then anywhere. */
	if (ip6)
		snprintf(text, sizeof(text), "2001:db8:%x:%x::%x/%u", next(state) % spread,
			 next(state) % spread, next(state) % 65536, bits);
	else
		snprintf(text, sizeof(text), "%u.%u.%u.%u/%u",
			 next(state) % 8 ? 10 : next(state) % 256, next(state) % spread % 256,
			 next(state) % spread % 256, next(state) % 256, bits);
	addr_prefix_parse(text, &meant); /* with bits beyond its length, mostly */
	return meant;
}

/* Sizes about the widths of 1, 2, 3 and 4 levels of either family. */
Test(bounds, random)
{
	static const unsigned sizes[] = { 1, 2, 3, 7, 8, 9, 31, 32, 33, 127, 128, 129, 700, 2100 };
	uint64_t state = 42;

	for (unsigned round = 0; round < 4 * sizeof(sizes) / sizeof(*sizes); round++) {
		unsigned size = sizes[round / 4];
		bool ip6 = round % 2;
		struct addr_prefixes list = {};
		struct bounds *bounds;

		for (unsigned i = 0; i < size; i++)
			cr_assert_eq(vec_push(&list,
					      random_prefix(&state, ip6, round % 4 < 2 ? 4 : 200)),
				     0);
		bounds = build(&list, ip6);
		expect_edges(&list, bounds);
		bounds_unref(bounds);
		vec_free(&list);
	}
}

/* Single addresses apart from each other: twice as many bounds and one, exact at each level. */
Test(bounds, levels)
{
	static const struct {
		bool ip6;
		unsigned addresses;
		uint32_t levels, lines;
	} cases[] = {
		{ false, 7, 1, 1 },	    { false, 8, 2, 1 + 2 }, { false, 127, 2, 1 + 16 },
		{ false, 128, 3, 17 + 17 }, { true, 1, 1, 1 },	    { true, 2, 2, 1 + 2 },
		{ true, 7, 2, 1 + 4 },	    { true, 8, 3, 5 + 5 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct addr_prefixes list = {};
		struct bounds *bounds;
		char text[64];

		for (unsigned k = 0; k < cases[i].addresses; k++) {
			snprintf(text, sizeof(text), cases[i].ip6 ? "2001:db8::%x" : "10.0.0.%u",
				 2 * k);
			cr_assert_eq(vec_push(&list, prefix(text)), 0);
		}
		bounds = build(&list, cases[i].ip6);
		cr_expect_eq(bounds->levels, cases[i].levels, "%u addresses", cases[i].addresses);
		cr_expect_eq(bounds->count, cases[i].lines, "%u addresses", cases[i].addresses);
		expect_edges(&list, bounds);
		bounds_unref(bounds);
		vec_free(&list);
	}
}

/* The address that lines are filled up with is left out, alone; ranges that end there are not. */
Test(bounds, last_address)
{
	struct addr_prefix items[] = { prefix("255.255.255.255"), prefix("255.255.255.254/31") };
	struct addr_prefixes alone = { .items = items, .count = 1 };
	struct addr_prefixes both = { .items = items, .count = 2 };
	struct bounds *bounds = build(&alone, false), *none = build(&(struct addr_prefixes){}, 0);
	struct addr before = step(items[0].addr, -1);

	cr_expect(bounds_equal(bounds, none));
	bounds_unref(bounds);
	bounds_unref(none);
	bounds = build(&both, false);
	cr_expect(have(bounds, &before));
	bounds_unref(bounds);
}

Test(bounds, too_many)
{
	struct addr_prefixes list = {};
	const struct addr_prefixes *pointer = &list;
	struct bounds *bounds = NULL;
	struct addr_prefix one = prefix("2001:db8::");

	for (unsigned i = 0; i < 131072; i++) {
		if (i == 131071) {
			cr_assert_eq(bounds_build(&pointer, 1, true, &bounds), 0);
			cr_expect_eq(bounds->levels, WEIR_BOUNDS_LEVELS);
			expect_edges(&(struct addr_prefixes){ .items = list.items, .count = 1 },
				     bounds);
			bounds_unref(bounds);
			bounds = NULL;
		}
		cr_assert_eq(vec_push(&list, one), 0);
		one.addr = step(step(one.addr, 1), 1);
	}
	cr_expect_eq(bounds_build(&pointer, 1, true, &bounds), -E2BIG);
	cr_expect_null(bounds);
	vec_free(&list);
}

Test(bounds, measure_distrusts)
{
	struct addr_prefixes none = {};
	struct bounds *bounds = build(&none, false);

	cr_expect_eq(bounds_measure(bounds->lines, 1, 0, false), 0);
	cr_expect_eq(bounds_measure(bounds->lines, 1, WEIR_BOUNDS_LEVELS + 1, false), 0);
	cr_expect_eq(bounds_measure(bounds->lines, 1, 2, false), 0); /* beyond what can be read */
	bounds_unref(bounds);
}
