/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The workers of http listeners, as the daemon sees them: one for each CPU it may use, started when
 * a configuration has such a listener, replaced when they die. Each has a control socket,
 * /run/INSTANCE/http-PID-N.sock, by which a daemon that starts finds those that the one before has
 * left behind; it starts its own, leads connections to them, and lets the others drain.
 */
#ifndef WEIR_DAEMON_WORKERS_H
#define WEIR_DAEMON_WORKERS_H

#include <stdbool.h>

#include "daemon/spawner.h"
#include "util/err.h"

struct daemon;
struct model;
struct tally;

#define WORKERS_USER "weir-http"

/* The daemon must have a loop. `spawner` stays the caller's. */
int workers_start(struct daemon *daemon, const struct spawner *spawner, struct err *err);
void workers_stop(struct daemon *daemon);

/* Could the model's http listeners be served? -EINVAL, -EPERM, with what to do about it. */
int workers_check(const struct daemon *daemon, const struct model *model, struct err *err);

/*
 * Model and plan in force have changed. With `wait` it returns when all workers serve by them. What
 * cannot be done is logged, and tried again.
 */
void workers_follow(struct daemon *daemon, bool wait);

/* What workers count beside the maps; NULL: there is none. It stays theirs. */
struct tally *workers_tally(const struct daemon *daemon);

/* Opens the access log anew: it has been moved away. */
void workers_reopen(struct daemon *daemon);

/* Ends all workers of an instance, whoever has started them (weir down). */
void workers_end(const char *instance);

#endif
