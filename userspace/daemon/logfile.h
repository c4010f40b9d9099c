/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file of the access log, which the daemon opens for its workers: they may open none. */
#ifndef WEIR_DAEMON_LOGFILE_H
#define WEIR_DAEMON_LOGFILE_H

#include "util/err.h"

/* Opens it for appending, and makes it where there is none: a file, a pipe that somebody reads, or
 * a device. A descriptor, or -errno with a text that names the path and what to do. */
int logfile_open(const char *path, struct err *err);

#endif
