/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rig's data plane, asked instead of sent through (dataplane/explain.h). */
#ifndef TESTS_LIB_RIG_EXPLAIN_H
#define TESTS_LIB_RIG_EXPLAIN_H

#include "dataplane/explain.h"
#include "rig.h"

/* What would become of a packet that comes in by rig.ingress. Good until the next call. */
const struct explain_answer *rig_explain(const struct packet *packet);

/* The first step of a kind, or NULL. */
const struct weir_step *rig_step(const struct explain_answer *answer, enum weir_step_kind kind);

/* Of everything in every map that is pinned, counters of each CPU included. */
uint64_t rig_fingerprint(void);

#endif
