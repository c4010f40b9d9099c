/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Loads this binary's programs into the kernel, together with the maps they use. */
#ifndef WEIR_DATAPLANE_PROGRAM_H
#define WEIR_DATAPLANE_PROGRAM_H

#include "dataplane/capacity.h"
#include "dataplane/object.h"

/*
 * Pins the program and all its maps in the folder of a set (dataplane/sets.h), which is empty. A
 * map that `from` (NULL: there is none) has in the size of this capacity is taken over as it is;
 * any other is new. On failure pins may be left.
 */
int program_load(const char *directory, uint32_t set, const struct object *from,
		 const struct capacity *capacity, struct err *err);

/* The text for a program that the kernel refuses, with what it said; returns `code`. */
int program_load_error(int code, struct err *err);

/* What the programs have to know before they are verified. */
struct program_constants {
	uint32_t nat_cpus;
	uint32_t nat_buckets;
	uint32_t nat_index_mask;
};

struct program_constants program_constants(uint32_t buckets);

/* Of a skeleton of either kind, once its maps have their sizes. */
#define PROGRAM_SET_CONSTANTS(skeleton)                                                            \
	do {                                                                                       \
		struct program_constants _constants =                                              \
			program_constants(bpf_map__max_entries((skeleton)->maps.nat_tags));        \
                                                                                                   \
		(skeleton)->rodata->nat_cpus = _constants.nat_cpus;                                \
		(skeleton)->rodata->nat_buckets = _constants.nat_buckets;                          \
		(skeleton)->rodata->nat_index_mask = _constants.nat_index_mask;                    \
		(skeleton)->rodata->has_stateless =                                                \
			capacity_has_stateless(bpf_map__max_entries((skeleton)->maps.exceptions)); \
		(skeleton)->rodata->source_mask =                                                  \
			bpf_map__max_entries((skeleton)->maps.sources) - 1;                        \
	} while (0)

#endif
