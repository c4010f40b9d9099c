/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The yardstick program with its tables full: RIG_VIP4, port RIG_PORT is one of its listeners. */
#ifndef BENCH_YARDSTICK_RIG_H
#define BENCH_YARDSTICK_RIG_H

#include <stdint.h>

#include "util/cleanup.h"
#include "util/err.h"

struct yardstick_rig;

int yardstick_rig_new(struct yardstick_rig **ret, struct err *err);
void yardstick_rig_free(struct yardstick_rig *rig);
DEFINE_CLEANUP(struct yardstick_rig *, yardstick_rig_free)

int yardstick_rig_program(const struct yardstick_rig *rig);

/* Packets that it has sent. */
uint64_t yardstick_rig_count(const struct yardstick_rig *rig);

#endif
