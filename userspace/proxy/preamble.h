/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header of the PROXY protocol (haproxy.org, proxy-protocol.txt, versions 1 and 2): whoever
 * stands between a client and a server says so before the first byte of the connection.
 */
#ifndef WEIR_PROXY_PREAMBLE_H
#define WEIR_PROXY_PREAMBLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/addr.h"

#define PREAMBLE_MAX 108 /* bytes that preamble_write() writes */

struct preamble {
	struct addr from, to;
	uint16_t from_port, to_port; /* host order */
	bool known; /* read: it names somebody; otherwise the connection speaks for itself */
};

/* The size of the header, 0: it is not whole, or -EBADMSG. */
ssize_t preamble_read(const char *bytes, size_t size, struct preamble *ret);

/* Writes that of version 1 or 2; returns its size. */
size_t preamble_write(const struct preamble *preamble, uint8_t version, char ret[PREAMBLE_MAX]);

#endif
