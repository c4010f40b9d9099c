/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What each call of the admin socket does; admin.c brings the lines. */
#ifndef WEIR_DAEMON_CALLS_H
#define WEIR_DAEMON_CALLS_H

#include <jansson.h>
#include <sys/types.h>

#include "daemon/daemon.h"

/* Carries out a request: 0 with its answer, or -ENOMEM. -EINPROGRESS: it has changed nothing, and
 * is to be called again after daemon_go_on(). */
int calls_answer(struct daemon *daemon, const char *line, size_t size, uid_t who, json_t **ret);

#endif
