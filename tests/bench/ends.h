/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs at the two ends of the live pipe and their user share. */
#ifndef BENCH_ENDS_H
#define BENCH_ENDS_H

#include <linux/types.h>

#define ENDS_CAPTURES	   64  /* packets that the sink keeps to be looked at */
#define ENDS_CAPTURE_BYTES 192 /* of each, at most */

/* How a packet looks that comes out of a balancer as it should. */
struct ends_expect {
	__u32 dst_first; /* IPv4 destination, host order */
	__u32 dst_count; /* addresses from it on */
	__u32 mac;	 /* bytes 1 to 4 of the destination, network order */
	__u8 protocol;	 /* of the (outer) IPv4 header */
	__u8 capture;	 /* whether to keep packets */
	__u8 pad[2];
};

/* Packets since they were last zeroed. All stages run on one CPU. */
struct ends_counts {
	__u64 made;    /* sent into the pipe */
	__u64 failed;  /* could not be made */
	__u64 dropped; /* by the program that only drops */
	__u64 right;   /* arrived at the sink as expected */
	__u64 wrong;   /* arrived otherwise */
};

struct ends_capture {
	__u32 size; /* 0: nothing is kept here */
	__u8 bytes[ENDS_CAPTURE_BYTES];
};

#endif
