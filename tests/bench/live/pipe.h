/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The live pipe: real frames from one end of a veth through what stands at the other, and back. A
 * lane is one such veth with a namespace of its own behind it; all lanes begin and end in one more
 * namespace, where the process lives once it has a pipe. The namespaces have no names: they are
 * gone with the process, whatever becomes of it.
 *
 * All is done on the calling thread's CPU, so a time is the processor time of the thread and of
 * that CPU's ksoftirqd. The clock on the wall says the same of long runs; of short ones it also
 * counts the 20 ms for which each waits at its end, until RCU lets go of the pool of frames.
 */
#ifndef BENCH_LIVE_PIPE_H
#define BENCH_LIVE_PIPE_H

#include <stdint.h>

#include "ends.h"
#include "traffic.h"
#include "util/cleanup.h"
#include "util/err.h"

#define LANE_DEVICE "eth0"    /* the balancer's end */
#define LANE_MAC    PACKET_TO /* ... its address */

struct pipe;
struct lane;

enum pipe_program {
	PIPE_DROP,   /* drops all */
	PIPE_BOUNCE, /* XDP_TX, the packet as it is */
	PIPE_PASS,   /* leaves all to the kernel; a veth without a program takes no live frames */
};

/* -EPERM: not root. */
int pipe_new(struct pipe **ret, struct err *err);
void pipe_free(struct pipe *pipe);
DEFINE_CLEANUP(struct pipe *, pipe_free)

struct traffic_room *pipe_room(struct pipe *pipe);

/* A descriptor. */
int pipe_program(const struct pipe *pipe, enum pipe_program which);

/* The pipe owns it. */
int lane_new(struct pipe *pipe, struct lane **ret, struct err *err);

/* The thread goes to the balancer's namespace, and comes back. */
int lane_enter(const struct lane *lane, struct err *err);
int lane_leave(const struct lane *lane, struct err *err);

/* Runs a command of the shell in the balancer's namespace. -EIO: it failed; its output is told. */
int lane_shell(const struct lane *lane, struct err *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Attaches a program natively to the balancer's end, for as long as the pipe lives. */
int lane_attach(struct lane *lane, int program, struct err *err);

struct lane_run {
	const struct traffic *traffic;
	uint32_t position; /* first flow */
	uint32_t count;	   /* packets */
	struct ends_expect expect;
	bool dropped; /* all are dropped by PIPE_DROP; else all arrive as expected */
};

/* Nanoseconds per packet. -EPROTO: packets that were lost, or changed in another way. */
int lane_time(struct lane *lane, const struct lane_run *run, double *ret_ns, struct err *err);

/* Runs some packets and looks at the checksums of those that arrive. -EPROTO: one is wrong. */
int lane_check(struct lane *lane, const struct lane_run *run, struct err *err);

#endif
