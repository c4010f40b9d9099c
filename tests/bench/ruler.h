/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The yardstick program with its tables full: SUBJECT_VIP4, port SUBJECT_PORT is one of its
 * listeners. */
#ifndef BENCH_RULER_H
#define BENCH_RULER_H

#include <stdint.h>

#include "util/cleanup.h"
#include "util/err.h"

struct ruler;

int ruler_new(struct ruler **ret, struct err *err);
void ruler_free(struct ruler *ruler);
DEFINE_CLEANUP(struct ruler *, ruler_free)

int ruler_program(const struct ruler *ruler);

/* Packets that it has sent. */
uint64_t ruler_count(const struct ruler *ruler);

#endif
