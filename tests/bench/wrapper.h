/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the wrapper program and its user share: the packets to make and the program to give them to.
 */
#ifndef BENCH_WRAPPER_H
#define BENCH_WRAPPER_H

#include <linux/types.h>

#define WRAPPER_HEAD	 80	  /* bytes of a packet that are restored; every packet has them */
#define WRAPPER_FLOWS	 16777216 /* of all rows */
#define WRAPPER_PROGRAMS 32
#define WRAPPER_CONTROL	 0 /* index of the empty program */

/*
 * In what the packets of a row differ: the last word of each address, the ports, the checksums that
 * follow from these. Network order. Read in sequence, so that the wrapper costs the same whatever
 * the number of flows.
 */
struct wrapper_flow {
	__u32 src;
	__u32 dst;
	__u16 sport;
	__u16 dport;
	__u16 ip_check; /* IPv4 */
	__u16 l4_check;
};

/* Set before each run. */
struct wrapper_state {
	__u32 target;	/* index of the program under test */
	__u32 first;	/* of the row's flows */
	__u32 count;	/* of the row's flows */
	__u32 position; /* next flow; the wrapper advances it */
	__u32 replies;	/* wrapper_learn: where to put the flows of the answers */
	__u32 length;	/* bytes of a packet */
	__u8 version;	/* 4 or 6; the headers have no options */
	__u8 protocol;
	__u8 pad[6];
	__u8 head[WRAPPER_HEAD];
};

#ifndef __cplusplus
_Static_assert(sizeof(struct wrapper_flow) == 16, "four flows in a cache line");
#endif

#endif
