/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the program of tests/lib/batch.bpf.c and batch.c share. */
#ifndef TESTS_LIB_BATCH_ABI_H
#define TESTS_LIB_BATCH_ABI_H

#include <linux/types.h>

#define BATCH_HEAD 80 /* bytes of a packet that are restored; every packet has them */
#define BATCH_MAX  16384

/* In what the packets of a batch differ: the last word of each address, the ports. Network order.
 */
struct batch_tuple {
	__u32 src;
	__u32 dst;
	__u16 sport;
	__u16 dport;
};

struct batch_packet {
	struct batch_tuple in;
	struct batch_tuple out; /* as the program left the packet; nonsense once encapsulated */
	__u8 flags;		/* TH_SYN, ... of a TCP packet */
	__u8 to[6];		/* out: destination MAC */
	__u8 pad[9];
};

/* Set before each run. */
struct batch_state {
	__u64 data;	/* the program's: where the packet begins */
	__u64 first;	/* ... and where the first one did */
	__u32 position; /* next packet; the program advances it */
	__u32 count;
	__u32 length;  /* bytes of a packet */
	__u8 version;  /* 4 or 6; the headers have no options */
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	__u8 pad[2];
	__u8 head[BATCH_HEAD];
};

#ifndef __cplusplus
_Static_assert(sizeof(struct batch_packet) == 40, "packets follow each other in an array map");
#endif

#endif
