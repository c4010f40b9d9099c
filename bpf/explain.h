/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program's own account of what it decides, for `weir explain`: the same source, compiled once
 * more with EXPLAINING, is loaded beside the program in force, on the same maps, and run on one
 * packet. It logs a step per stage and writes nothing else: wherever a live map would be written,
 * EXPLAINING says what would be.
 *
 * A macro and not a `const volatile` switch, because a switch is a load that stays when the
 * verifier has removed what it switches, and the compiler has to keep ready what is only
 * logged: 2.4 ns, 12 % of a packet in mode dsr. This way the program in force is the same as if
 * none of this was here.
 */
#ifndef WEIR_BPF_EXPLAIN_H
#define WEIR_BPF_EXPLAIN_H

#include <weir/explain.h>

#include "maps.h"
#include "pkt.h"

#ifndef EXPLAINING
#define EXPLAINING 0
#endif

/*
 * EXPLAIN           a stage's decision by row `index` of a map; `row` points to its value, or is
 *                   NULL where there is no such row
 * EXPLAIN_MISS      the same where a key has no row that could be named
 * EXPLAIN_NUMBER    a decision that a number says
 * EXPLAIN_WITHHELD  what is not done, because nobody sent this packet
 */
#if EXPLAINING

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_steps);
} explain_log SEC(".maps");

/* The next step, still without a value; NULL: there is no room. */
static __always_inline struct weir_step *explain_step(enum weir_step_kind kind, __u32 index)
{
	struct weir_steps *steps;
	__u32 zero = 0, at;

	steps = bpf_map_lookup_elem(&explain_log, &zero);
	if (!steps)
		return NULL;
	at = steps->count;
	if (at >= WEIR_MAX_STEPS)
		return NULL;
	steps->count = at + 1;
	steps->step[at].kind = kind;
	steps->step[at].index = index;
	return &steps->step[at];
}

#define EXPLAIN(kind, index, row)                                                                  \
	do {                                                                                       \
		struct weir_step *_step = explain_step(WEIR_STEP_##kind, index);                   \
                                                                                                   \
		if (!_step || !(row))                                                              \
			break;                                                                     \
		_step->found = 1;                                                                  \
		__builtin_memcpy(&_step->value, row, sizeof(*(row)));                              \
	} while (0)
#define EXPLAIN_MISS(kind)	      explain_step(WEIR_STEP_##kind, 0)
#define EXPLAIN_NUMBER(kind, number)  explain_step(WEIR_STEP_##kind, number)
#define EXPLAIN_WITHHELD(kind, index) explain_step(WEIR_STEP_##kind, index)

/* What the parser made of it; filled in place, since the stack is full. */
static __always_inline void explain_parsed(const struct pkt *pkt, enum weir_reason fault,
					   bool unusual)
{
	struct weir_step *step = explain_step(WEIR_STEP_PARSED, fault);

	if (!step)
		return;
	step->found = 1;
	step->value.parsed.flow = pkt->flow;
	step->value.parsed.length = pkt->l3_length;
	step->value.parsed.version = pkt->version;
	step->value.parsed.unusual = unusual;
	step->value.parsed.new_flow = pkt->flags & PKT_SYN;
}

#else

static __always_inline void explain_parsed(const struct pkt *pkt, enum weir_reason fault,
					   bool unusual)
{
	(void)pkt;
	(void)fault;
	(void)unusual;
}

#define EXPLAIN(kind, index, row)                                                                  \
	do {                                                                                       \
		(void)(index);                                                                     \
		(void)(row);                                                                       \
	} while (0)
#define EXPLAIN_MISS(kind)
#define EXPLAIN_NUMBER(kind, number)  (void)(number)
#define EXPLAIN_WITHHELD(kind, index) (void)(index)

#endif

#endif
