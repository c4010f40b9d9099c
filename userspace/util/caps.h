/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The capabilities that a daemon needs. */
#ifndef WEIR_UTIL_CAPS_H
#define WEIR_UTIL_CAPS_H

#include "util/err.h"

/* 0, or -EPERM with a text that names those of CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON which this
 * process lacks. CAP_SYS_ADMIN stands in for the first and the last, as in the kernel. */
int caps_require(struct err *err);

#endif
