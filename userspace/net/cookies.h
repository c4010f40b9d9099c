/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the host's TCP puts into its SYN cookies, in the caller's network namespace, so that a
 * program of BPF can send such that it takes back (bpf/cookie.h).
 */
#ifndef WEIR_NET_COOKIES_H
#define WEIR_NET_COOKIES_H

#include <stdbool.h>
#include <stdint.h>

/* Do its timestamps begin at the same number for everybody (net.ipv4.tcp_timestamps = 2)? Then a
 * cookie may hold TCP options in one. False where it cannot be told. */
bool cookies_have_times(void);

/* The window scale that it chooses, if an application leaves it its buffers: 0..14. */
uint8_t cookies_wscale(void);

#endif
