/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Prefixes of one IP version as bpf/acl.h looks them up: merged into ranges, whose bounds lie in a
 * tree of cache lines (struct weir_bounds in abi.h says how). Pure but for the place in the map,
 * which dataplane/sync.c gives it once and for good. Plans that follow each other share them.
 */
#ifndef WEIR_PLAN_BOUNDS_H
#define WEIR_PLAN_BOUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/abi.h>

#include "config/model.h"
#include "util/cleanup.h"

#define BOUNDS_NO_LINE UINT32_MAX

struct bounds {
	unsigned references;
	bool ip6;
	uint32_t levels;
	uint32_t line;	/* the first in the map; BOUNDS_NO_LINE: not written yet */
	uint32_t count; /* of lines */
	bool fresh;	/* in a plan: it has a place, but is not there yet */
	struct weir_bounds *lines;
	struct weir_bound_regions *regions; /* line by line; NULL: a tree without them */
};

/*
 * Of the prefixes in `lists` (`lists_count` pointers) that are of the IP version; those of the
 * other are left out. *ret has one reference. -ENOMEM; -E2BIG: more than a tree can hold.
 */
int bounds_build(const struct addr_prefixes *const *lists, size_t lists_count, bool ip6,
		 struct bounds **ret);

/*
 * Of bounds in their order, the first of which is the family's lowest address: from bounds[i] on
 * clients are in the region of the number regions[i]. As bounds_build().
 */
int bounds_build_regions(const struct addr *bounds, const uint8_t *regions, size_t count, bool ip6,
			 struct bounds **ret);

/* A tree that has been read from the map: takes `lines` on success, and `regions`, which may be
 * NULL. -ENOMEM. */
int bounds_adopt(bool ip6, uint32_t levels, uint32_t line, struct weir_bounds *lines,
		 struct weir_bound_regions *regions, uint32_t count, struct bounds **ret);

/* How many lines a tree in the map has, of which `lines` is the first one and `most` can be read.
 * 0: that is no tree. */
uint32_t bounds_measure(const struct weir_bounds *lines, uint32_t most, uint32_t levels, bool ip6);

/* How many lines that many prefixes take at most. */
uint32_t bounds_most(size_t prefixes, bool ip6);

struct bounds *bounds_ref(struct bounds *bounds);
void bounds_unref(struct bounds *bounds);
DEFINE_CLEANUP(struct bounds *, bounds_unref)

/* The same ranges, of the same regions. */
bool bounds_equal(const struct bounds *a, const struct bounds *b);

/* Is an address of the family in one of the ranges, as bpf/acl.h finds it? */
bool bounds_has(const struct bounds *bounds, const struct addr *addr);

/* The number of the region in which an address of the family is, as bpf/client.h finds it. */
uint8_t bounds_region(const struct bounds *bounds, const struct addr *addr);

/* From where to where the range goes in which an address of the family is. 0, or -EINVAL: the tree
 * is cut. */
int bounds_around(const struct bounds *bounds, const struct addr *addr, struct addr *ret_first,
		  struct addr *ret_last);

/*
 * From where to where a range goes that begins with a bound: the one at `place` in line `line` of a
 * tree in the map, as bounds_measure() has it. 0, or -EINVAL: there is no such bound.
 */
int bounds_range(const struct weir_bounds *lines, uint32_t most, uint32_t levels, bool ip6,
		 uint32_t line, uint32_t place, struct addr *ret_first, struct addr *ret_last);

#endif
