/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Many packets through the rig's program in one system call, alike but for addresses and ports.
 * A packet costs a fifth of a microsecond and what the program does, where rig_run() costs several.
 * Checksums are those of the packet they are like, so mostly wrong: weir looks at none.
 */
#ifndef TESTS_LIB_BATCH_H
#define TESTS_LIB_BATCH_H

#include "batch_abi.h"
#include "rig.h"

/* BATCH_MAX of them, for as long as the test's process lives: fill in `in` and `flags`, send, and
 * read what became of each. A packet that was not sent keeps the MAC that it had, or has none. */
struct batch_packet *batch_packets(void);

/* The first `count` of them, in the place of `like`: of at least BATCH_HEAD bytes, TCP or UDP
 * without tags, options or extension headers. They come in by rig.ingress. */
void batch_send(const struct packet *like, uint32_t count);

#endif
