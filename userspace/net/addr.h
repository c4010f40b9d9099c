/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An IP address as the data plane keeps it: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d.
 */
#ifndef WEIR_NET_ADDR_H
#define WEIR_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDR_TEXT_MAX	   46 /* INET6_ADDRSTRLEN */
#define ADDR_PORT_TEXT_MAX 54 /* "[v6]:65535" */
#define ADDR_PREFIX_MAX	   50 /* "v6/128" */
#define ADDR_RANGE_MAX	   96 /* "v6 to v6" */

struct addr {
	uint8_t bytes[16];
};

/* All addresses whose first bits are those of `addr`, whose other bits are zero. */
struct addr_prefix {
	struct addr addr;
	uint8_t bits; /* of the 16 bytes: 10.0.0.0/8 has 96 + 8 */
};

struct addr_prefixes {
	struct addr_prefix *items;
	size_t count;
	size_t capacity;
};

/* AF_INET or AF_INET6. */
int addr_family(const struct addr *addr);

/* Strict: the whole text is one address ("10.0.0.1", "2001:db8::1"; no port, no zone, no
 * "010.0.0.1"). A v4-mapped IPv6 text becomes the IPv4 address. 0 or -EINVAL. */
int addr_parse(const char *text, struct addr *ret);

/* Canonical text (RFC 5952). Returns `text`, which has room for ADDR_TEXT_MAX. */
const char *addr_print(const struct addr *addr, char *text);

/* Is it a name that can have addresses in DNS: labels of letters, digits, '-' and '_' with dots in
 * between, the last of which is no number? */
#define ADDR_HOST_MAX 253 /* characters of a host's name */
bool addr_is_host_name(const char *text);

/* "10.0.0.1:80", "[2001:db8::1]:80"; with port 0 the bare address. Room for ADDR_PORT_TEXT_MAX. */
const char *addr_print_port(const struct addr *addr, uint16_t port, char *text);

/* Strict: "10.0.0.0/8", "2001:db8::/32", or an address, which is a prefix of one. 0, -EINVAL, or
 * -ERANGE if bits beyond the prefix are set: then *ret is the prefix that was perhaps meant. */
int addr_prefix_parse(const char *text, struct addr_prefix *ret);

/* Canonical text; of a single address without its length. Returns `text`, with room for
 * ADDR_PREFIX_MAX. */
const char *addr_prefix_print(const struct addr_prefix *prefix, char *text);

/* Is it all addresses from the first to the last? Then *ret is that prefix. */
bool addr_prefix_between(const struct addr *first, const struct addr *last,
			 struct addr_prefix *ret);

/* All addresses from the first to the last, as a prefix if they are one: "198.51.100.0/24", or
 * "198.51.100.0 to 198.51.101.127". Returns `text`, with room for ADDR_RANGE_MAX. */
const char *addr_range_print(const struct addr *first, const struct addr *last, char *text);

/* Is the address one of the prefix's? */
bool addr_prefix_has(const struct addr_prefix *prefix, const struct addr *addr);
bool addr_prefix_equal(const struct addr_prefix *a, const struct addr_prefix *b);

/* Order of the bytes: <0, 0, >0. */
int addr_compare(const struct addr *a, const struct addr *b);
bool addr_equal(const struct addr *a, const struct addr *b);

/* Nothing can be sent to or from it as a host: unspecified, loopback, multicast, broadcast. */
bool addr_is_martian(const struct addr *addr);

/* Of IPv6: it is somewhere on one of the host's links, and does not say on which. */
bool addr_is_link_local(const struct addr *addr);

/* The 4 or 16 bytes as netlink wants them; sets *size. Points into addr. */
const void *addr_raw(const struct addr *addr, size_t *size);

/* From 4 (IPv4) or 16 bytes. 0 or -EINVAL for another size. */
int addr_from_raw(const void *raw, size_t size, struct addr *ret);

#endif
