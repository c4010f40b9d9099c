/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A tiny process, forked before the daemon has read anything, that alone may change its user: it
 * starts the workers of http listeners, each under another user and in a sandbox. It ends with the
 * daemon; the workers do not.
 */
#ifndef WEIR_DAEMON_SPAWNER_H
#define WEIR_DAEMON_SPAWNER_H

#include <stdint.h>
#include <sys/types.h>

#include "util/err.h"

struct spawner {
	int socket; /* -1: there is none */
	pid_t pid;
};

/* Who a worker shall be. */
struct spawner_order {
	uid_t uid; /* not root */
	gid_t gid;
	uint32_t number;
};

/* To be called first of all. */
int spawner_start(struct spawner *ret, struct err *err);
void spawner_stop(struct spawner *spawner);

/* Starts a worker that is told what to do through `control`, a listening Unix socket, which stays
 * the caller's, too. *ret_pid is its process. -EPERM: this daemon may not change users. */
int spawner_spawn(const struct spawner *spawner, const struct spawner_order *order, int control,
		  pid_t *ret_pid, struct err *err);

#endif
