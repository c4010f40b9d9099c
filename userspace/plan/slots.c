// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/slots.h"

/* Outside MOVING nothing reads `previous`; it must not keep an id from being reused. */
static struct slot settled(uint16_t current, enum weir_phase phase)
{
	return (struct slot){ .current = current, .previous = current, .phase = phase };
}

/* An endpoint beyond the list has no row any more. */
static bool is_gone(uint16_t index, const bool *gone, size_t gone_count)
{
	return index >= gone_count || gone[index];
}

static struct slot follow(struct slot old, uint16_t chosen, const bool *gone, size_t gone_count)
{
	/* To whom do unrecorded flows belong before the change? */
	uint16_t owner = old.phase == WEIR_MOVING ? old.previous : old.current;

	if (old.phase != WEIR_MOVING && chosen == old.current)
		return settled(chosen, old.phase);
	if (chosen == owner || is_gone(owner, gone, gone_count))
		return settled(chosen, WEIR_PINNED);
	return (struct slot){ .current = chosen, .previous = owner, .phase = WEIR_MOVING };
}

void slots_change(const struct slot *old, uint32_t old_size, const uint16_t *chosen,
		  struct slot *next, uint32_t next_size, const bool *gone, size_t gone_count,
		  bool tracked, struct slots_change *ret)
{
	struct slots_change change = { .slots = next_size };

	for (uint32_t i = 0; i < next_size; i++) {
		struct slot slot = settled(chosen[i], WEIR_STABLE);

		if (old_size) {
			struct slot origin = old[i & (old_size - 1)];

			change.moved += origin.current != chosen[i];
			if (tracked)
				slot = follow(origin, chosen[i], gone, gone_count);
		}
		change.moving += slot.phase == WEIR_MOVING;
		change.pinned += slot.phase == WEIR_PINNED;
		next[i] = slot;
	}
	*ret = change;
}

uint32_t slots_pin(struct slot *slots, uint32_t size)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < size; i++) {
		if (slots[i].phase != WEIR_MOVING)
			continue;
		slots[i] = settled(slots[i].current, WEIR_PINNED);
		count++;
	}
	return count;
}

uint32_t slots_settle(struct slot *slots, uint32_t size, const bool *differs)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < size; i++) {
		if (slots[i].phase != WEIR_PINNED || differs[i])
			continue;
		slots[i] = settled(slots[i].current, WEIR_STABLE);
		count++;
	}
	return count;
}

uint32_t slots_count(const struct slot *slots, uint32_t size, enum weir_phase phase)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < size; i++)
		count += slots[i].phase == phase;
	return count;
}
