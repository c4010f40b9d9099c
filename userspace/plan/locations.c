// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/locations.h"

#include <errno.h>
#include <string.h>

#include "util/vec.h"

/* Ranges in their order, as struct locations has them. */
struct ranges {
	VEC(struct location) list;
};

static void ranges_fini(struct ranges *ranges)
{
	vec_free(&ranges->list);
}

/* A prefix of a layer, whose region is one of the result's. */
struct piece {
	struct addr first;
	struct addr last;
	uint8_t bits;
	uint32_t region;
};

struct pieces {
	VEC(struct piece) list;
};

static void pieces_fini(struct pieces *pieces)
{
	vec_free(&pieces->list);
}

static struct addr lowest(bool ip6)
{
	struct addr addr = {};

	if (!ip6)
		addr.bytes[10] = addr.bytes[11] = 0xff;
	return addr;
}

/* Is it the highest of the family? */
static bool is_highest(const struct addr *addr, bool ip6)
{
	for (size_t i = ip6 ? 0 : 12; i < sizeof(addr->bytes); i++)
		if (addr->bytes[i] != 0xff)
			return false;
	return true;
}

static struct addr next_of(struct addr addr)
{
	for (size_t i = sizeof(addr.bytes); i > 0 && !++addr.bytes[i - 1]; i--)
		;
	return addr;
}

static struct addr last_of(const struct addr_prefix *prefix)
{
	struct addr last = prefix->addr;

	for (unsigned bit = prefix->bits; bit < 128; bit++)
		last.bytes[bit / 8] |= 0x80 >> bit % 8;
	return last;
}

/* From `first` on, which is not before any range that is there. */
static int put(struct ranges *ranges, const struct addr *first, uint32_t region)
{
	struct location *last = NULL;
	size_t count = ranges->list.count;

	if (count && addr_equal(&ranges->list.items[count - 1].first, first))
		ranges->list.count = --count;
	if (count)
		last = &ranges->list.items[count - 1];
	if (last && last->region == region)
		return 0;
	return vec_push(&ranges->list, ((struct location){ *first, region }));
}

static int compare_pieces(const void *left, const void *right)
{
	const struct piece *a = left, *b = right;

	return addr_compare(&a->first, &b->first) ?: a->bits - b->bits;
}

static int list_pieces(const struct clients *layer, bool ip6, const uint32_t *numbers,
		       struct pieces *ret)
{
	vec_foreach(prefix, &layer->prefixes) {
		struct piece piece = {
			.first = prefix->prefix.addr,
			.last = last_of(&prefix->prefix),
			.bits = prefix->prefix.bits,
			.region = numbers[prefix->region],
		};

		/* The highest address sends nothing, and is what bounds are filled up with. */
		if ((addr_family(&piece.first) == AF_INET6) != ip6 || is_highest(&piece.first, ip6))
			continue;
		if (vec_push(&ret->list, piece) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Those that end before `next` (NULL: all that are left) give way to what is around them. */
static int end_pieces(struct pieces *open, const struct addr *next, bool ip6, struct ranges *ret)
{
	while (open->list.count) {
		const struct piece *top = &open->list.items[open->list.count - 1];
		struct addr behind;

		if (next && addr_compare(&top->last, next) >= 0)
			break;
		if (!next && is_highest(&top->last, ip6))
			break;
		behind = next_of(top->last);
		open->list.count--;
		if (put(ret, &behind,
			open->list.count ? open->list.items[open->list.count - 1].region
					 : LOCATIONS_NOWHERE) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Prefixes are apart or one in the other: those around an address are a stack. */
static int fold_layer(const struct clients *layer, bool ip6, const uint32_t *numbers,
		      struct ranges *ret)
{
	_cleanup_(pieces_fini) struct pieces pieces = {}, open = {};
	struct addr first = lowest(ip6);
	int r = put(ret, &first, LOCATIONS_NOWHERE);

	r = r ?: list_pieces(layer, ip6, numbers, &pieces);
	if (!r && pieces.list.count)
		qsort(pieces.list.items, pieces.list.count, sizeof(*pieces.list.items),
		      compare_pieces);
	vec_foreach(piece, &pieces.list) {
		r = r ?: end_pieces(&open, &piece->first, ip6, ret);
		r = r ?: vec_push(&open.list, *piece);
		r = r ?: put(ret, &piece->first, piece->region);
	}
	return r ?: end_pieces(&open, NULL, ip6, ret);
}

/* What `above` does not know, `below` may. Both begin with the lowest address. */
static int overlay(const struct ranges *above, const struct ranges *below, struct ranges *ret)
{
	size_t a = 0, b = 0;
	int r = 0;

	while (!r && (a < above->list.count || b < below->list.count)) {
		struct addr first;
		uint32_t region;

		if (b == below->list.count ||
		    (a < above->list.count &&
		     addr_compare(&above->list.items[a].first, &below->list.items[b].first) < 0))
			first = above->list.items[a].first;
		else
			first = below->list.items[b].first;
		a += a < above->list.count && addr_equal(&above->list.items[a].first, &first);
		b += b < below->list.count && addr_equal(&below->list.items[b].first, &first);
		region = above->list.items[a - 1].region;
		if (region == LOCATIONS_NOWHERE)
			region = below->list.items[b - 1].region;
		r = put(ret, &first, region);
	}
	return r;
}

/* Where a layer's regions are among those of all. */
static int number_regions(const struct clients *layer, struct clients *all, uint32_t **ret)
{
	_cleanup_(freep) uint32_t *numbers = calloc(layer->regions.count + 1, sizeof(*numbers));

	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < layer->regions.count; i++)
		if (clients_region(all, layer->regions.items[i].name, &numbers[i]) < 0)
			return -ENOMEM;
	*ret = take_ptr(numbers);
	return 0;
}

static int add_layer(const struct clients *layer, struct clients *all, struct locations *locations)
{
	_cleanup_(freep) uint32_t *numbers = NULL;
	int r = number_regions(layer, all, &numbers);

	for (int ip6 = 0; !r && ip6 < 2; ip6++) {
		_cleanup_(ranges_fini) struct ranges below = {}, both = {};
		struct ranges above = {};

		above.list.items = locations->ranges[ip6].items;
		above.list.count = locations->ranges[ip6].count;
		r = fold_layer(layer, ip6, numbers, &below);
		r = r ?: overlay(&above, &below, &both);
		if (r < 0)
			return r;
		free(locations->ranges[ip6].items);
		locations->ranges[ip6].items = both.list.items;
		locations->ranges[ip6].count = both.list.count;
		locations->ranges[ip6].capacity = both.list.capacity;
		both = (struct ranges){};
	}
	return r;
}

int locations_build(const struct clients *const *layers, size_t count, struct locations **ret)
{
	_cleanup_(locations_freep) struct locations *locations = calloc(1, sizeof(*locations));
	_cleanup_(clients_fini) struct clients all = {};
	int r = 0;

	if (!locations)
		return -ENOMEM;
	for (int ip6 = 0; !r && ip6 < 2; ip6++)
		r = vec_push(&locations->ranges[ip6],
			     ((struct location){ lowest(ip6), LOCATIONS_NOWHERE }));
	for (size_t i = 0; !r && i < count; i++)
		r = add_layer(layers[i], &all, locations);
	vec_foreach(region, &all.regions)
		r = r ?: vec_push(&locations->regions, *region);
	if (r < 0)
		return r;
	*ret = take_ptr(locations);
	return 0;
}

void locations_free(struct locations *locations)
{
	if (!locations)
		return;
	vec_free(&locations->regions);
	for (int ip6 = 0; ip6 < 2; ip6++)
		vec_free(&locations->ranges[ip6]);
	free(locations);
}
