/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a process that reads bytes of strangers gives away before it reads the first: every
 * capability, its user, and all system calls but those that serve connections it has been given
 * or makes to endpoints. It cannot open a file, start a program, or look at another process.
 */
#ifndef WEIR_DAEMON_SANDBOX_H
#define WEIR_DAEMON_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

/* All capabilities are dropped but these, a set of 1 << CAP_*; also from the bounding set where
 * that may be changed. 0 or -errno. */
int sandbox_keep(uint64_t capabilities);

/* For good: this user and group and no other, no capability, no new privileges, and the system
 * calls of a worker. Needs CAP_SETUID and CAP_SETGID. 0 or -errno; then the process must end. */
int sandbox_enter(uid_t uid, gid_t gid);

#endif
