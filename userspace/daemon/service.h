/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the service manager hears of the daemon (util/notify.h): READY=1 when packets flow,
 * RELOADING=1 before a reload and READY=1 after it, STOPPING=1 at the end, and in between, by the
 * event loop itself, that it is alive (WATCHDOG=1, at half of the interval that is wanted) and a
 * status in words, where it has changed: how much there is, what is abnormal, and whether the file
 * is not what is in force.
 */
#ifndef WEIR_DAEMON_SERVICE_H
#define WEIR_DAEMON_SERVICE_H

#include "daemon/daemon.h"

/* Says that it is ready, and sets daemon->service where anybody wants to hear. */
int service_start(struct daemon *daemon, struct err *err);
void service_stop(struct service *service);

/* Around a reload. */
void service_reloading(void);
void service_ready(struct daemon *daemon);

void service_stopping(void);

#endif
