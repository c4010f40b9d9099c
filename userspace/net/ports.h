/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ports that the host itself uses, in the caller's network namespace: so that no listener
 * takes a port from the host (22!), and so that SNAT never chooses a port that the host may answer
 * on. Each function that gathers adds to a set; ports are in host order.
 *
 * This process' own sockets count like any other.
 */
#ifndef WEIR_NET_PORTS_H
#define WEIR_NET_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <weir/abi.h>

#include "net/addr.h"
#include "util/err.h"

#define PORTS_COUNT	65536
#define PORTS_SNAT_FROM 1024 /* below are services; NAT clients do not come from there */

struct ports_used {
	uint64_t bits[PORTS_COUNT / 64];
};

void ports_add(struct ports_used *set, uint16_t first, uint16_t last);
bool ports_has(const struct ports_used *set, uint16_t port);

/*
 * Adds the ports on which packets to `addr` may reach a socket of this host: listening TCP
 * sockets, bound UDP sockets, at that address or at a wildcard. An IPv6 wildcard counts for IPv4
 * too, whatever its IPV6_V6ONLY: /proc does not show it. A connected UDP socket with a port of
 * ip_local_port_range is a client, and does not count. `protocol` is IPPROTO_TCP or _UDP.
 */
int ports_listening(int protocol, const struct addr *addr, struct ports_used *set, struct err *err);

/* Adds ip_local_port_range and ip_local_reserved_ports: what the kernel, or an administrator, may
 * give to anybody at any time. */
int ports_reserved(struct ports_used *set, struct err *err);

/* The largest ranges from PORTS_SNAT_FROM on that the set does not forbid, at most
 * WEIR_SNAT_RANGES, by their first port; returns how many. Of ranges of one size the lower win. */
size_t ports_ranges(const struct ports_used *forbidden,
		    struct weir_port_range ret[WEIR_SNAT_RANGES]);

/* The parsers of the above, apart for their tests. -EINVAL for text that is not understood. */

/* A file as /proc/net/tcp, tcp6, udp or udp6; connected sockets on `clients` do not count. */
int ports_parse_sockets(FILE *file, int protocol, const struct addr *addr,
			const struct ports_used *clients, struct ports_used *set);

/* "32768	60999" */
int ports_parse_range(const char *text, struct ports_used *set);

/* "8080,9148-9200", or nothing */
int ports_parse_list(const char *text, struct ports_used *set);

#endif
