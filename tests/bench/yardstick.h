/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of the yardstick program; addresses and ports in network order. */
#ifndef BENCH_YARDSTICK_H
#define BENCH_YARDSTICK_H

#include <linux/types.h>

#define YARDSTICK_LISTENERS 20000
#define YARDSTICK_SLOTS	    65536
#define YARDSTICK_ENDPOINTS 100

struct yardstick_listener {
	__u32 addr;
	__u16 port;
	__u8 protocol;
	__u8 pad;
};

struct yardstick_endpoint {
	__u32 addr;
	__u8 mac[6];
	__u8 pad[2];
};

struct yardstick_count {
	__u64 packets;
	__u64 bytes;
};

#endif
