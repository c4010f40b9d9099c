/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The capabilities of this process: what a daemon needs, and nothing else. */
#ifndef WEIR_UTIL_CAPS_H
#define WEIR_UTIL_CAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/err.h"

/* 0, or -EPERM with a text that names those of CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON which this
 * process lacks, and how to grant them. CAP_SYS_ADMIN stands in for the first and the last, as in
 * the kernel. */
int caps_require(struct err *err);

/* Nothing that this process becomes or executes from now on can have more than those three:
 * bounding set, ambient set, no_new_privs. The bounding set stays where this process may not change
 * it. */
int caps_limit(struct err *err);

/* Gives up all others, for good; no other process of this user may look into this one. */
int caps_keep(struct err *err);

/* Has this process the capability (CAP_* of linux/capability.h), effectively? */
bool caps_has(unsigned capability);

/* Of those three, "CAP_BPF, CAP_NET_ADMIN": which of a set, as /proc/PID/status has it (CapEff),
 * are not there. Returns `text`, "" if all are. */
#define CAPS_TEXT_MAX 64
const char *caps_missing(uint64_t set, char text[CAPS_TEXT_MAX]);

/* Those that this process has of them, and of CAP_SYS_ADMIN, in the same words. */
const char *caps_print(char text[CAPS_TEXT_MAX]);

/* The effective capabilities of another process: 0, -ENOENT, ... */
int caps_of(pid_t pid, uint64_t *ret);

#endif
