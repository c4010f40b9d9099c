/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which endpoint? Stateless first: a hash of the flow chooses a slot, the slot names the endpoint,
 * and as long as the slot is STABLE that is all. A changed slot remembers whom it named before,
 * and the flows seen while it changes are recorded as exceptions, so that none of them moves:
 *
 *   an unrecorded established flow belongs to `previous` in MOVING, to `current` otherwise.
 *
 * userspace/plan/slots.h moves slots from phase to phase and relies on this. Where clients of
 * different regions have tables of their own, client.h says which.
 */
#ifndef WEIR_BPF_SELECT_H
#define WEIR_BPF_SELECT_H

#include <weir/hash.h>

#include "client.h"
#include "clock.h"
#include "explain.h"
#include "maps.h"
#include "pkt.h"
#include "stats.h"

/*
 * May endpoints have another mode than nat, so that slots remember whom they named before? Where
 * none has, the verifier leaves out what only they need: it would take most of its time. Set before
 * the program is loaded.
 */
const volatile bool has_stateless = true;

/* A table of slots, as a cell or a row of clients names it. */
struct select_table {
	__u32 line;
	__u32 mask;
};

/* Whose low bits choose the slot. */
static __always_inline __u32 select_hash(struct pkt *pkt, const struct weir_listener *listener)
{
	__u32 seed = pkt->control->slot_seed;

	pkt->hash = weir_hash_flow(&pkt->flow, seed);
	if (listener->flags & WEIR_CELL_CLIENT_AFFINITY)
		return weir_hash_client(&pkt->flow, seed);
	return pkt->hash;
}

/* The table for clients of the packet's region. */
static __always_inline enum weir_reason select_table(const struct pkt *pkt,
						     const struct weir_listener *listener,
						     struct select_table *ret)
{
	const struct weir_clients *clients_row;
	__u32 row;

	row = client_row(&pkt->flow, listener->slot_line, listener->slot_mask, pkt->version == 6);
	clients_row = bpf_map_lookup_elem(&clients, &row);
	EXPLAIN(CLIENTS, row, clients_row);
	if (!clients_row)
		return WEIR_R_INTERNAL;
	ret->line = clients_row->of.table.slot_line;
	ret->mask = clients_row->of.table.slot_mask;
	return ret->line == WEIR_NO_TABLE ? WEIR_R_NO_ENDPOINT : GO_ON;
}

#define NO_ROW (~0u)

static __always_inline __u32 slot_row(const struct weir_listener *listener, __u32 index)
{
	return index == WEIR_SLOT_NONE ? NO_ROW : listener->endpoint_base + index;
}

/* The state of a flow after a packet. */
static __always_inline __u8 flow_state(const struct pkt *pkt, __u8 before)
{
	if (pkt->flags & PKT_SYN)
		return WEIR_FLOW_SYN;
	if (pkt->flags & PKT_RST)
		return WEIR_FLOW_RESET;
	if ((pkt->flags & PKT_FIN) || before == WEIR_FLOW_CLOSING)
		return WEIR_FLOW_CLOSING;
	return WEIR_FLOW_OPEN; /* after a RST, too: who goes on sending has not sent it */
}

/* May a packet of a recorded flow still go where the record says? */
static __always_inline bool endpoint_keeps(const struct weir_endpoint *endpoint, __u32 generation,
					   bool new_flow)
{
	if (!endpoint || endpoint->generation != generation)
		return false;
	return endpoint->state == WEIR_ENDPOINT_ACTIVE ||
	       (endpoint->state == WEIR_ENDPOINT_DRAINING && !new_flow);
}

static __always_inline bool exception_record(const struct pkt *pkt,
					     const struct weir_listener *listener, __u32 row,
					     __u32 now)
{
	const struct weir_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &row);
	struct weir_exception exception = {
		.endpoint = row,
		.generation = endpoint ? endpoint->generation : 0,
		.seen = now,
		.idle_timeout = listener->idle_timeout,
		.listener = listener->id,
		.state = flow_state(pkt, WEIR_FLOW_OPEN),
	};

	if (EXPLAINING) {
		EXPLAIN_WITHHELD(RECORD, row);
		return true;
	}
	if (bpf_map_update_elem(&exceptions, &pkt->flow, &exception, BPF_ANY)) {
		count(listener->id, WEIR_R_EXCEPTIONS_FULL);
		return false;
	}
	count(listener->id, WEIR_R_FLOW_RECORDED);
	return true;
}

/* The flow's record has been used by a packet. */
static __always_inline void exception_touch(const struct pkt *pkt, struct weir_exception *exception,
					    __u32 now)
{
	__u8 state = flow_state(pkt, exception->state);

	if (EXPLAINING)
		return;
	if (exception->seen != now)
		exception->seen = now;
	if (exception->state != state)
		exception->state = state;
}

static __always_inline void exception_forget(const struct pkt *pkt)
{
	if (EXPLAINING)
		EXPLAIN_WITHHELD(FORGET, 0);
	else
		bpf_map_delete_elem(&exceptions, &pkt->flow);
}

/* Whom a MOVING slot named before. */
static __always_inline __u32 previous_row(const struct weir_listener *listener, __u32 number)
{
	__u32 line = number / WEIR_SLOTS_PER_LINE;
	const struct weir_slots_previous *previous = bpf_map_lookup_elem(&slots_previous, &line);

	if (!previous)
		return NO_ROW;
	EXPLAIN(PREVIOUS, number, &previous->endpoint[number % WEIR_SLOTS_PER_LINE]);
	return slot_row(listener, previous->endpoint[number % WEIR_SLOTS_PER_LINE]);
}

/* The same of an ICMP error, which neither begins nor prolongs a flow. */
static __always_inline __u32 select_quoted(const struct pkt *pkt,
					   const struct weir_listener *listener,
					   const struct weir_exception *exception,
					   struct weir_slot slot, __u32 number)
{
	if (exception && !weir_exception_is_over(exception, clock_now(pkt->control))) {
		__u32 row = exception->endpoint;

		if (endpoint_keeps(bpf_map_lookup_elem(&endpoints, &row), exception->generation,
				   false))
			return row;
	}
	return slot.phase == WEIR_MOVING ? previous_row(listener, number)
					 : slot_row(listener, slot.current);
}

/* The endpoint row of a flow whose slot is MOVING or PINNED, or NO_ROW. */
static __always_inline __u32 select_tracked(const struct pkt *pkt,
					    const struct weir_listener *listener,
					    struct weir_slot slot, __u32 number)
{
	struct weir_exception *exception = bpf_map_lookup_elem(&exceptions, &pkt->flow);
	bool moving = slot.phase == WEIR_MOVING, new_flow = pkt->flags & PKT_SYN;
	__u32 current = slot_row(listener, slot.current), previous;
	__u32 now = clock_now(pkt->control);

	EXPLAIN(EXCEPTION, now, exception);
	if (pkt->flags & PKT_QUOTED)
		return select_quoted(pkt, listener, exception, slot, number);
	if (exception && !weir_exception_is_over(exception, now)) {
		__u32 row = exception->endpoint;

		if (endpoint_keeps(bpf_map_lookup_elem(&endpoints, &row), exception->generation,
				   new_flow)) {
			exception_touch(pkt, exception, now);
			return row;
		}
		count(listener->id, WEIR_R_REFUSED_CURRENT);
		if (moving && current != NO_ROW)
			exception_record(pkt, listener, current, now);
		else
			exception_forget(pkt);
		return current;
	}
	if (!moving || (new_flow && current == NO_ROW))
		return current;
	previous = previous_row(listener, number);
	if (new_flow) /* without a record its next packet would go to previous: so must this */
		return exception_record(pkt, listener, current, now) ? current : previous;
	if (!(pkt->flags & PKT_RST))
		exception_record(pkt, listener, previous, now);
	return previous;
}

/* Sets *row to the endpoint's row. */
static __always_inline enum weir_reason select_endpoint(struct pkt *pkt,
							const struct weir_listener *listener,
							__u32 *row)
{
	const struct weir_slots *in_line;
	struct select_table table;
	__u32 hash, number, line;
	struct weir_slot slot;

	if (listener->flags & WEIR_CELL_NO_ENDPOINT)
		return WEIR_R_NO_ENDPOINT;
	hash = select_hash(pkt, listener);
	table = (struct select_table){ listener->slot_line, listener->slot_mask };
	if (listener->flags & WEIR_CELL_CLIENT_REGIONS) {
		enum weir_reason reason = select_table(pkt, listener, &table);

		if (reason != GO_ON)
			return reason;
	}
	/* Its number among all slots. */
	number = table.line * WEIR_SLOTS_PER_LINE + (hash & table.mask);
	line = number / WEIR_SLOTS_PER_LINE;
	in_line = bpf_map_lookup_elem(&slots, &line);
	if (!in_line)
		return WEIR_R_INTERNAL;
	/* One read: it may change meanwhile. */
	*(__u16 *)&slot = *(const volatile __u16 *)&in_line->slot[number % WEIR_SLOTS_PER_LINE];
	EXPLAIN(SLOT, number, &slot);
	if (slot.phase == WEIR_STABLE || !has_stateless)
		*row = slot_row(listener, slot.current);
	else
		*row = select_tracked(pkt, listener, slot, number);
	return *row == NO_ROW ? WEIR_R_NO_ENDPOINT : GO_ON;
}

#endif
