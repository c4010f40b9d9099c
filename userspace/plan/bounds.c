// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/bounds.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "util/vec.h"

struct range {
	struct addr first;
	struct addr last;
};

struct ranges {
	VEC(struct range) list;
};

static void ranges_fini(struct ranges *ranges)
{
	vec_free(&ranges->list);
}

struct addresses {
	VEC(struct addr) list;
};

static void addresses_fini(struct addresses *addresses)
{
	vec_free(&addresses->list);
}

static uint32_t width_of(bool ip6)
{
	return ip6 ? WEIR_BOUNDS_IP6 : WEIR_BOUNDS_IP4;
}

/* 255.255.255.255 or its like: what lines are filled up with. */
static bool is_last(const struct addr *addr, bool ip6)
{
	for (size_t i = ip6 ? 0 : 12; i < sizeof(addr->bytes); i++)
		if (addr->bytes[i] != 0xff)
			return false;
	return true;
}

/* Of an address that is not the last. */
static struct addr next_of(struct addr addr)
{
	for (size_t i = sizeof(addr.bytes); i > 0 && !++addr.bytes[i - 1]; i--)
		;
	return addr;
}

static struct range range_of(const struct addr_prefix *prefix)
{
	struct range range = { .first = prefix->addr, .last = prefix->addr };

	for (unsigned bit = prefix->bits; bit < 128; bit++)
		range.last.bytes[bit / 8] |= 0x80 >> bit % 8;
	return range;
}

static int add_ranges(const struct addr_prefixes *prefixes, bool ip6, struct ranges *ranges)
{
	vec_foreach(prefix, prefixes) {
		if ((addr_family(&prefix->addr) == AF_INET6) != ip6)
			continue;
		/* Alone it could not be told from the filling; it sends nothing. */
		if (is_last(&prefix->addr, ip6))
			continue;
		if (vec_push(&ranges->list, range_of(prefix)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int compare_ranges(const void *left, const void *right)
{
	return addr_compare(&((const struct range *)left)->first,
			    &((const struct range *)right)->first);
}

/* Does a range that begins at or behind the beginning of the other belong to it? */
static bool touches(const struct range *range, const struct addr *first, bool ip6)
{
	struct addr next;

	if (is_last(&range->last, ip6))
		return true;
	next = next_of(range->last);
	return addr_compare(first, &next) <= 0;
}

/* Sorts; what overlaps or touches becomes one. */
static void merge(struct ranges *ranges, bool ip6)
{
	struct range *list = ranges->list.items;
	size_t kept = 0;

	if (!ranges->list.count)
		return;
	qsort(list, ranges->list.count, sizeof(*list), compare_ranges);
	for (size_t i = 1; i < ranges->list.count; i++) {
		if (!touches(&list[kept], &list[i].first, ip6))
			list[++kept] = list[i];
		else if (addr_compare(&list[i].last, &list[kept].last) > 0)
			list[kept].last = list[i].last;
	}
	ranges->list.count = kept + 1;
}

/* An even index is before a range, an odd one in it. */
static int list_bounds(const struct ranges *ranges, bool ip6, struct addresses *ret)
{
	int r = vec_push(&ret->list, (struct addr){});

	vec_foreach(range, &ranges->list) {
		r = r ?: vec_push(&ret->list, range->first);
		if (!is_last(&range->last, ip6))
			r = r ?: vec_push(&ret->list, next_of(range->last));
	}
	return r;
}

static void set_bound(struct weir_bounds *line, uint32_t at, bool ip6, const struct addr *bound)
{
	uint64_t high, low;

	memcpy(&high, bound->bytes, sizeof(high));
	memcpy(&low, bound->bytes + sizeof(high), sizeof(low));
	if (ip6)
		line->of.ip6[at] = (struct weir_bound6){ be64toh(high), be64toh(low) };
	else
		line->of.ip4[at] = be64toh(low);
}

static bool is_filling(const struct weir_bounds *line, uint32_t at, bool ip6)
{
	if (ip6)
		return line->of.ip6[at].high == UINT64_MAX && line->of.ip6[at].low == UINT64_MAX;
	return line->of.ip4[at] == UINT32_MAX;
}

/*
 * One level: `step` bounds lie below each of its own. `lines` is its first line; lines without a
 * bound stay as they are, all ones.
 */
static void fill_level(struct weir_bounds *lines, bool ip6, const struct addresses *bounds,
		       size_t step)
{
	uint32_t width = width_of(ip6);

	for (size_t i = 0; i * step < bounds->list.count; i++)
		set_bound(&lines[i / width], i % width, ip6, &bounds->list.items[i * step]);
}

/* Of a tree of `count` bounds. */
struct shape {
	uint32_t levels;
	uint64_t lines;
};

static struct shape shape_of(size_t count, bool ip6)
{
	uint64_t width = width_of(ip6), above = 0, lowest = 1;
	struct shape shape = { .levels = 1 };

	for (; lowest * width < count; lowest *= width) {
		above += lowest;
		shape.levels++;
	}
	shape.lines = above + (count + width - 1) / width;
	return shape;
}

/* Of the lowest level, which begins with this line; lines without a bound are nobody's. */
static int fill_regions(const uint8_t *regions, size_t count, uint32_t first, struct bounds *ret)
{
	uint32_t width = width_of(ret->ip6);

	ret->regions = calloc(ret->count, sizeof(*ret->regions));
	for (size_t i = 0; ret->regions && i < count; i++)
		ret->regions[first + i / width].region[i % width] = regions[i];
	return ret->regions ? 0 : -ENOMEM;
}

/* `regions`: of each bound, or NULL. */
static int fill(const struct addresses *bounds, const uint8_t *regions, bool ip6,
		struct bounds *ret)
{
	struct shape shape = shape_of(bounds->list.count, ip6);
	uint64_t width = width_of(ip6), step = 1, first = 0;

	if (shape.levels > WEIR_BOUNDS_LEVELS)
		return -E2BIG;
	ret->levels = shape.levels;
	ret->count = shape.lines;
	ret->lines = malloc(ret->count * sizeof(*ret->lines));
	if (!ret->lines)
		return -ENOMEM;
	memset(ret->lines, 0xff, ret->count * sizeof(*ret->lines));
	for (uint32_t level = 1; level < shape.levels; level++)
		step *= width;
	for (; step; step /= width) {
		fill_level(ret->lines + first, ip6, bounds, step);
		if (step > 1)
			first = first * width + 1;
	}
	return regions ? fill_regions(regions, bounds->list.count, first, ret) : 0;
}

uint32_t bounds_most(size_t prefixes, bool ip6)
{
	return shape_of(2 * prefixes + 1, ip6).lines;
}

static struct bounds *bounds_new(bool ip6)
{
	struct bounds *bounds = calloc(1, sizeof(*bounds));

	if (bounds)
		*bounds = (struct bounds){ .references = 1, .ip6 = ip6, .line = BOUNDS_NO_LINE };
	return bounds;
}

int bounds_build(const struct addr_prefixes *const *lists, size_t lists_count, bool ip6,
		 struct bounds **ret)
{
	_cleanup_(bounds_unrefp) struct bounds *bounds = bounds_new(ip6);
	_cleanup_(ranges_fini) struct ranges ranges = {};
	_cleanup_(addresses_fini) struct addresses addresses = {};
	int r = bounds ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < lists_count; i++)
		r = add_ranges(lists[i], ip6, &ranges);
	if (r < 0)
		return r;
	merge(&ranges, ip6);
	r = list_bounds(&ranges, ip6, &addresses);
	r = r ?: fill(&addresses, NULL, ip6, bounds);
	if (r < 0)
		return r;
	*ret = take_ptr(bounds);
	return 0;
}

int bounds_build_regions(const struct addr *bounds, const uint8_t *regions, size_t count, bool ip6,
			 struct bounds **ret)
{
	_cleanup_(bounds_unrefp) struct bounds *built = bounds_new(ip6);
	_cleanup_(addresses_fini) struct addresses addresses = {};
	int r = built ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < count; i++)
		r = vec_push(&addresses.list, bounds[i]);
	r = r ?: fill(&addresses, regions, ip6, built);
	if (r < 0)
		return r;
	*ret = take_ptr(built);
	return 0;
}

int bounds_adopt(bool ip6, uint32_t levels, uint32_t line, struct weir_bounds *lines,
		 struct weir_bound_regions *regions, uint32_t count, struct bounds **ret)
{
	struct bounds *bounds = bounds_new(ip6);

	if (!bounds)
		return -ENOMEM;
	bounds->levels = levels;
	bounds->line = line;
	bounds->lines = lines;
	bounds->regions = regions;
	bounds->count = count;
	*ret = bounds;
	return 0;
}

/* Along the last branch: its lowest line is the tree's last. */
uint32_t bounds_measure(const struct weir_bounds *lines, uint32_t most, uint32_t levels, bool ip6)
{
	uint64_t width = width_of(ip6), line = 0;

	if (!levels || levels > WEIR_BOUNDS_LEVELS)
		return 0;
	for (uint32_t level = 1; level < levels && line < most; level++) {
		uint32_t children = 1;

		while (children < width && !is_filling(&lines[line], children, ip6))
			children++;
		line = line * width + children;
	}
	return line < most ? line + 1 : 0;
}

struct bounds *bounds_ref(struct bounds *bounds)
{
	if (bounds)
		bounds->references++;
	return bounds;
}

void bounds_unref(struct bounds *bounds)
{
	if (!bounds || --bounds->references)
		return;
	free(bounds->lines);
	free(bounds->regions);
	free(bounds);
}

bool bounds_equal(const struct bounds *a, const struct bounds *b)
{
	return a->ip6 == b->ip6 && a->levels == b->levels && a->count == b->count &&
	       !memcmp(a->lines, b->lines, a->count * sizeof(*a->lines)) &&
	       !a->regions == !b->regions &&
	       (!a->regions || !memcmp(a->regions, b->regions, a->count * sizeof(*a->regions)));
}

static struct addr get_bound(const struct weir_bounds *line, uint32_t at, bool ip6)
{
	struct addr addr = {};
	uint64_t high, low;

	if (ip6) {
		high = htobe64(line->of.ip6[at].high);
		low = htobe64(line->of.ip6[at].low);
	} else {
		high = 0;
		low = htobe64(0xffff00000000ull | line->of.ip4[at]);
	}
	memcpy(addr.bytes, &high, sizeof(high));
	memcpy(addr.bytes + sizeof(high), &low, sizeof(low));
	return addr;
}

/* The last bound that is not above an address: the first one never is. False: the tree is cut. */
static bool find_bound(const struct bounds *bounds, const struct addr *addr, uint64_t *ret_line,
		       uint32_t *ret_place)
{
	uint32_t width = width_of(bounds->ip6), place = 0;
	uint64_t line = 0, child = 0;

	for (uint32_t level = 0; level < bounds->levels; level++) {
		line = child;
		if (line >= bounds->count)
			return false;
		for (place = 0; place + 1 < width; place++) {
			struct addr next = get_bound(&bounds->lines[line], place + 1, bounds->ip6);

			if (is_filling(&bounds->lines[line], place + 1, bounds->ip6) ||
			    addr_compare(&next, addr) > 0)
				break;
		}
		child = line * width + 1 + place;
	}
	*ret_line = line;
	*ret_place = place;
	return true;
}

bool bounds_has(const struct bounds *bounds, const struct addr *addr)
{
	uint32_t place;
	uint64_t line;

	return find_bound(bounds, addr, &line, &place) && place % 2;
}

uint8_t bounds_region(const struct bounds *bounds, const struct addr *addr)
{
	uint32_t place;
	uint64_t line;

	if (!bounds->regions || !find_bound(bounds, addr, &line, &place))
		return 0;
	return bounds->regions[line].region[place];
}

static struct addr last_of(bool ip6)
{
	struct addr addr = {};

	memset(addr.bytes + (ip6 ? 0 : 10), 0xff, sizeof(addr.bytes) - (ip6 ? 0 : 10));
	return addr;
}

/* Of an address that is not the first. */
static struct addr before(struct addr addr)
{
	for (size_t i = sizeof(addr.bytes); i > 0 && !addr.bytes[i - 1]--; i--)
		;
	return addr;
}

int bounds_range(const struct weir_bounds *lines, uint32_t most, uint32_t levels, bool ip6,
		 uint32_t line, uint32_t place, struct addr *ret_first, struct addr *ret_last)
{
	uint32_t count = bounds_measure(lines, most, levels, ip6);

	if (line >= count || place >= width_of(ip6) || is_filling(&lines[line], place, ip6))
		return -EINVAL;
	*ret_first = get_bound(&lines[line], place, ip6);
	if (++place == width_of(ip6)) {
		place = 0;
		line++;
	}
	*ret_last = line == count || is_filling(&lines[line], place, ip6)
			    ? last_of(ip6)
			    : before(get_bound(&lines[line], place, ip6));
	return 0;
}

int bounds_around(const struct bounds *bounds, const struct addr *addr, struct addr *ret_first,
		  struct addr *ret_last)
{
	uint32_t place;
	uint64_t line;

	if (!find_bound(bounds, addr, &line, &place))
		return -EINVAL;
	return bounds_range(bounds->lines, bounds->count, bounds->levels, bounds->ip6, line, place,
			    ret_first, ret_last);
}
