/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a service manager wants to hear: datagrams to $NOTIFY_SOCKET, as sd_notify(3) describes
 * them. Without that variable nothing happens, and no failure is one of the daemon's.
 */
#ifndef WEIR_UTIL_NOTIFY_H
#define WEIR_UTIL_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Is anybody there who wants to hear? */
bool notify_wanted(void);

/* Sends assignments, one per line ("READY=1\nSTATUS=..."). 0, -ENOTCONN if nobody wants to hear, or
 * what the socket says. Never waits. */
int notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How often this process has to say WATCHDOG=1 at least (us); 0: never. */
uint64_t notify_watchdog(void);

#endif
