// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "reference.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_SYN	30 /* s, of a flow that has sent nothing but SYNs */
#define TIMEOUT_CLOSING 10

static bool lives(const struct reference *reference, uint8_t endpoint)
{
	return endpoint != REFERENCE_NOBODY && reference->endpoints[endpoint].lives;
}

static bool record_lives(const struct reference *reference, const struct reference_flow *flow)
{
	uint32_t timeout = reference->idle_timeout;

	if (flow->last == REF_SYN)
		timeout = TIMEOUT_SYN;
	else if (flow->last == REF_FIN || flow->last == REF_RST)
		timeout = TIMEOUT_CLOSING;
	return flow->recorded && reference->now - flow->seen <= timeout;
}

static void touch(const struct reference *reference, struct reference_flow *flow,
		  enum reference_packet packet)
{
	flow->seen = reference->now;
	if (flow->last != REF_FIN || packet == REF_SYN || packet == REF_RST)
		flow->last = packet;
}

static uint8_t record(const struct reference *reference, struct reference_flow *flow,
		      uint8_t endpoint, enum reference_packet packet)
{
	flow->recorded = true;
	flow->endpoint = endpoint;
	flow->made = flow->seen = reference->now;
	flow->last = packet;
	return endpoint;
}

/* A record from before the endpoints moved to other rows names one that only keeps its flows. */
static bool is_old(const struct reference_table *table, const struct reference_flow *flow)
{
	return flow->made < table->moved;
}

/* An unrecorded established flow belongs to `prev` in MOVING, to `cur` otherwise. */
static struct reference_slot follow(const struct reference *reference, struct reference_slot slot,
				    uint8_t next)
{
	uint8_t owner = slot.phase == MOVING ? slot.prev : slot.cur;
	uint8_t phase = slot.phase;

	if (slot.phase == MOVING || next != slot.cur)
		phase = next == owner || !lives(reference, owner) ? PINNED : MOVING;
	return (struct reference_slot){ .cur = next, .prev = owner, .phase = phase };
}

void reference_change(const struct reference *reference, struct reference_table *table,
		      const uint8_t *chosen, uint32_t size)
{
	uint32_t before = table->size, moved = 0, moving = 0;

	if (size > before)
		table->size = size;
	for (uint32_t i = table->size; i-- > 0;) { /* from the end: slots inherit from lower ones */
		struct reference_slot *slot = &table->slots[i];
		uint8_t next = chosen[i % size];

		if (before) {
			*slot = table->slots[i % before];
			moved += slot->cur != next;
			*slot = follow(reference, *slot, next);
		} else {
			*slot = (struct reference_slot){ .cur = next };
		}
		moving += slot->phase == MOVING;
	}
	if (!moving)
		table->deadline = 0;
	else if (moved || !table->deadline) /* each change opens the window anew */
		table->deadline = reference->now + reference->idle_timeout;
}

void reference_settle(const struct reference *reference, struct reference_table *table,
		      const struct reference_flow *flows, size_t count)
{
	bool *differs = calloc(REFERENCE_SLOTS, sizeof(*differs));

	for (size_t i = 0; i < count; i++) {
		uint32_t slot = flows[i].hash % table->size;

		if (record_lives(reference, &flows[i]) &&
		    (flows[i].endpoint != table->slots[slot].cur || is_old(table, &flows[i])))
			differs[slot] = true;
	}
	for (uint32_t i = 0; i < table->size; i++)
		if (table->slots[i].phase == PINNED && !differs[i])
			table->slots[i].phase = STABLE;
	free(differs);
}

void reference_pin(const struct reference *reference, struct reference_table *table)
{
	if (!table->deadline || reference->now <= table->deadline)
		return;
	table->deadline = 0;
	for (uint32_t i = 0; i < table->size; i++)
		if (table->slots[i].phase == MOVING)
			table->slots[i].phase = PINNED;
}

uint8_t reference_select(const struct reference *reference, const struct reference_table *table,
			 struct reference_flow *flow, enum reference_packet packet)
{
	struct reference_slot slot = table->slots[flow->hash % table->size];
	bool syn = packet == REF_SYN;

	if (slot.phase == STABLE)
		return slot.cur;
	if (record_lives(reference, flow)) {
		if (lives(reference, flow->endpoint) &&
		    (!syn ||
		     (reference->endpoints[flow->endpoint].takes_new && !is_old(table, flow)))) {
			touch(reference, flow, packet);
			return flow->endpoint;
		}
		flow->recorded = false;
		if (slot.phase == MOVING && slot.cur != REFERENCE_NOBODY)
			return record(reference, flow, slot.cur, packet);
		return slot.cur;
	}
	if (slot.phase == PINNED || (syn && slot.cur == REFERENCE_NOBODY))
		return slot.cur;
	if (packet == REF_RST)
		return slot.prev;
	return record(reference, flow, syn ? slot.cur : slot.prev, packet);
}

uint8_t reference_nat(const struct reference *reference, const uint8_t *chosen, uint32_t size,
		      struct reference_flow *flow, enum reference_packet packet)
{
	bool known = record_lives(reference, flow) && lives(reference, flow->endpoint);
	bool ended = flow->last == REF_FIN || flow->last == REF_RST;
	uint8_t endpoint = chosen[flow->hash % size];

	if (known && !(packet == REF_SYN && ended)) {
		touch(reference, flow, packet);
		return flow->endpoint;
	}
	if (packet != REF_SYN && packet != REF_UDP)
		return REFERENCE_NOBODY;
	flow->recorded = false;
	if (endpoint == REFERENCE_NOBODY || !reference->endpoints[endpoint].reachable)
		return REFERENCE_NOBODY;
	return record(reference, flow, endpoint, packet);
}
