/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How much the maps hold. It is chosen when a set of maps is made, by what there is to put into
 * them with room for what may come, and stays until more is needed (dataplane/object.h grows them);
 * afterwards the maps themselves tell it. include/weir/abi.h has only the bounds.
 *
 * A map that depends on it is a line in capacity.c; all others have the size that bpf/maps.h says.
 */
#ifndef WEIR_DATAPLANE_CAPACITY_H
#define WEIR_DATAPLANE_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/model.h"

enum capacity_of {
	CAPACITY_LISTENERS,   /* ids, from 0 on */
	CAPACITY_CELLS,	      /* of one half of the listener table */
	CAPACITY_ROWS,	      /* of endpoints */
	CAPACITY_LINES,	      /* of slots */
	CAPACITY_BOUND_LINES, /* of address ranges */
	CAPACITY_CLIENT_ROWS, /* of tables for clients by region */
	CAPACITY_EXCEPTIONS,  /* flows that are recorded while their slots change */
	CAPACITY_NAT_FLOWS,
	CAPACITY_SOURCES, /* lines of them, where their flows are limited */
	CAPACITIES,
};

struct capacity {
	uint32_t of[CAPACITIES];
};

/* Room for this model at its first start. */
struct capacity capacity_for(const struct model *model);

/* Is any part of `need` larger than `held`? */
bool capacity_exceeds(const struct capacity *need, const struct capacity *held);

/* `held`, with what is too small for `need` made as large as that and more; within the bounds.
 * Cells are at least doubled (sync.c relies on it). */
struct capacity capacity_grown(const struct capacity *held, const struct capacity *need);

/* Has there been a listener whose flows are not recorded each, by the entries of exceptions? Else
 * the programs do without what only those need. */
bool capacity_has_stateless(uint32_t exceptions);

/* Entries of a map of this name; 0: it has the size that bpf/maps.h says. */
uint32_t capacity_entries(const struct capacity *capacity, const char *map);

/* The reverse: a map of this name has so many entries. False where another map has said otherwise.
 * Begin with all zeros. */
bool capacity_learn(struct capacity *capacity, const char *map, uint32_t entries);

#endif
