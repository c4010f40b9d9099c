/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What `weir explain` hears from the program: a step for each decision about a packet, in order,
 * with a copy of the row that made it. bpf/explain.h writes them, and only where a program is
 * loaded to explain; userspace/dataplane/explain.h reads them.
 */
#ifndef WEIR_EXPLAIN_H
#define WEIR_EXPLAIN_H

#include <weir/abi.h>
#include <weir/nat.h>

#define WEIR_MAX_STEPS 32u /* a packet takes about ten; what does not fit is left out */

/* The key of a row is weir_step.index, or, in flow maps, the flow of the step PARSED. */
enum weir_step_kind {
	WEIR_STEP_NONE = 0,
	WEIR_STEP_PARSED,    /* parsed; index: enum weir_reason, 0 or what is the matter */
	WEIR_STEP_ADDRESS,   /* listeners -> cell; not found: no address of ours */
	WEIR_STEP_REPLY,     /* nat_records, of an answer -> record */
	WEIR_STEP_FIRST,     /* the address's own cell is the listener's, too */
	WEIR_STEP_LISTENER,  /* listeners -> cell */
	WEIR_STEP_GUARD,     /* guards -> guard */
	WEIR_STEP_BOUND,     /* the client's place in its lists; index: odd within, even without */
	WEIR_STEP_FLOW,	     /* nat_records -> record */
	WEIR_STEP_SLOT,	     /* slots, counted one by one -> slot */
	WEIR_STEP_EXCEPTION, /* exceptions -> exception */
	WEIR_STEP_PREVIOUS,  /* slots_previous, counted one by one -> previous */
	WEIR_STEP_ENDPOINT,  /* endpoints -> endpoint */
	WEIR_STEP_SNAT,	     /* snat -> port: the one that is free; not found: none is */
	WEIR_STEP_TUNNEL,    /* modes ipip and gue; index: bytes of outer headers */
	WEIR_STEP_NEXT_HOP,  /* egress -> egress */
	WEIR_STEP_END,	   /* withheld: the flow's NAT record would be removed, to be opened anew */
	WEIR_STEP_RECORD,  /* withheld: a record would be written; index: to which endpoint row */
	WEIR_STEP_FORGET,  /* withheld: the record would be deleted */
	WEIR_STEP_COUNT,   /* withheld: a counter; index: enum weir_reason */
	WEIR_STEP_VERDICT, /* the end of the packet; index: enum weir_reason -> verdict */
	WEIR_STEP_ANSWER,  /* its sender is told; index: enum weir_answer */
	WEIR_STEP_FRAGMENT, /* fragments -> row: where the packet's first fragment went */
	WEIR_STEP_REMEMBER, /* withheld: the later fragments would follow; index: endpoint row */
	WEIR_STEP_QUOTE,   /* an ICMP error quotes -> flow, turned round: to the error's receiver */
	WEIR_STEP_MTU,	   /* withheld: an endpoint's MTU would become; index: bytes */
	WEIR_STEP_REGION,  /* bound_regions, counted one by one -> region: where the client is */
	WEIR_STEP_CLIENTS, /* clients -> clients: which table is that region's */
};

/* What the parser made of the packet. */
struct weir_step_parsed {
	struct weir_flow flow;
	__u32 length;  /* bytes, layer 3 */
	__u8 version;  /* 4 or 6; 0: the destination is not known */
	__u8 unusual;  /* parsed by weir_unusual */
	__u8 new_flow; /* wants a new connection */
	__u8 pad;
};

struct weir_step_verdict {
	__u32 listener; /* id, 0: of none */
	__u32 endpoint; /* row; of a forwarded packet */
};

union weir_step_value {
	struct weir_step_parsed parsed;
	struct weir_listener cell;
	struct weir_guard guard;
	struct weir_nat_record record;
	struct weir_slot slot;
	struct weir_exception exception;
	__u16 previous;
	struct weir_endpoint endpoint;
	__u16 port;
	__u32 row;
	struct weir_flow flow;
	struct weir_egress egress;
	struct weir_step_verdict verdict;
	__u8 region;
	struct weir_clients clients;
};

struct weir_step {
	__u8 kind;  /* enum weir_step_kind */
	__u8 found; /* there is such a row: `value` is a copy of it */
	__u8 pad[2];
	__u32 index; /* of the row; or as the kind says */
	union weir_step_value value;
};

/* explain_log[0] */
struct weir_steps {
	__u32 count;
	__u32 pad;
	struct weir_step step[WEIR_MAX_STEPS];
};

#endif
