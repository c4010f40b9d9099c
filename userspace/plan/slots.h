/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a slot table follows a change without breaking a flow. Pure functions on slots.
 *
 * A slot is {current, previous, phase}. Invariant, on which bpf/select.h relies: an established
 * flow of which there is no record belongs to `previous` in MOVING, to `current` otherwise.
 *
 *   STABLE, PINNED + another current  -> previous = old current, MOVING
 *   MOVING + another current          -> previous kept, still MOVING
 *   MOVING + current back to previous -> PINNED, never straight to STABLE: flows that began
 *                                        meanwhile are recorded elsewhere
 *   previous is gone                  -> PINNED: there is nobody to belong to but current
 *   MOVING, an idle timeout later     -> PINNED: every living flow has been seen and recorded
 *   PINNED, and no record differs     -> STABLE
 */
#ifndef WEIR_PLAN_SLOTS_H
#define WEIR_PLAN_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/abi.h>

/* A slot as it is planned; in the maps it is in two places (weir/abi.h). */
struct slot {
	uint16_t current;  /* place in the listener's block, or WEIR_SLOT_NONE */
	uint16_t previous; /* equal to current unless MOVING */
	uint16_t phase;	   /* enum weir_phase */
};

/* What a change did to a table. */
struct slots_change {
	uint32_t slots;	 /* of the new table */
	uint32_t moved;	 /* whose current differs from before (after growth: from its origin) */
	uint32_t moving; /* in phase MOVING afterwards */
	uint32_t pinned; /* in phase PINNED afterwards */
};

/*
 * The next table: `next` (next_size slots, a power of two) gets `current` from `chosen` (indices
 * into the listener's endpoint block). `old` (old_size, 0: the listener had no table) is the table
 * in force; next_size >= old_size, and new slot i comes from old slot i & (old_size - 1), all of
 * whose new slots count as changed where their current differs. With no old table every slot is
 * STABLE. `gone[index]` (`gone_count` of them) tells which endpoints can carry no flow any more;
 * an index beyond them has no row and is gone, too.
 * `tracked`: false for listeners whose flows are all recorded anyway (nat): always STABLE.
 */
void slots_change(const struct slot *old, uint32_t old_size, const uint16_t *chosen,
		  struct slot *next, uint32_t next_size, const bool *gone, size_t gone_count,
		  bool tracked, struct slots_change *ret);

/* MOVING to PINNED in place, when the window is over. Returns how many slots it was. */
uint32_t slots_pin(struct slot *slots, uint32_t size);

/*
 * PINNED to STABLE in place. `differs[slot]` tells that a living record of this slot names another
 * endpoint than its current. Returns how many slots became STABLE.
 */
uint32_t slots_settle(struct slot *slots, uint32_t size, const bool *differs);

/* How many slots are in a phase. */
uint32_t slots_count(const struct slot *slots, uint32_t size, enum weir_phase phase);

#endif
