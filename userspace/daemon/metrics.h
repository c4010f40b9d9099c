/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Metrics for Prometheus at metrics.listen: GET /metrics and nothing else, one request for each
 * connection, for reading only and apart from the admin socket. Hostile peers cost little: few
 * connections, each with a bounded head, a bounded time to send it and to take the answer, and no
 * turn of the loop does more than a part of one.
 */
#ifndef WEIR_DAEMON_METRICS_H
#define WEIR_DAEMON_METRICS_H

#include "daemon/daemon.h"

/* Sets daemon->metrics; it listens where a configuration says. */
int metrics_start(struct daemon *daemon, struct err *err);
void metrics_stop(struct metrics *metrics);

/* Before a model is put in force: is its address to be had? Where it was in force before, a refusal
 * is only said, and tried again. */
int metrics_prepare(struct metrics *metrics, const struct model *model, bool accepted,
		    struct err *err);

/* The model is in force, or will not be. */
void metrics_follow(struct metrics *metrics);
void metrics_abandon(struct metrics *metrics);

#endif
