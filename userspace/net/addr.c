// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define V4_OFFSET 12 /* of the IPv4 address in bytes */

/* ::ffff:0:0/96, RFC 4291, section 2.5.5.2 */
static const uint8_t v4_mapped[V4_OFFSET] = { [10] = 0xff, [11] = 0xff };

int addr_family(const struct addr *addr)
{
	return memcmp(addr->bytes, v4_mapped, V4_OFFSET) == 0 ? AF_INET : AF_INET6;
}

int addr_parse(const char *text, struct addr *ret)
{
	uint8_t raw[16];

	/* glibc's inet_pton() is strict: no leading zeros, no shortened forms, no trailing text. */
	if (inet_pton(AF_INET, text, raw) == 1)
		return addr_from_raw(raw, 4, ret);
	if (inet_pton(AF_INET6, text, raw) == 1)
		return addr_from_raw(raw, 16, ret);
	return -EINVAL;
}

const char *addr_print(const struct addr *addr, char *text)
{
	size_t size;
	const void *raw = addr_raw(addr, &size);

	/* Cannot fail: the family is known and ADDR_TEXT_MAX is INET6_ADDRSTRLEN. */
	inet_ntop(addr_family(addr), raw, text, ADDR_TEXT_MAX);
	return text;
}

const char *addr_print_port(const struct addr *addr, uint16_t port, char *text)
{
	char plain[ADDR_TEXT_MAX];
	const char *format = addr_family(addr) == AF_INET ? "%s:%u" : "[%s]:%u";

	addr_print(addr, plain);
	if (port == 0)
		snprintf(text, ADDR_PORT_TEXT_MAX, "%s", plain);
	else
		snprintf(text, ADDR_PORT_TEXT_MAX, format, plain, port);
	return text;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_compare(a, b) == 0;
}

static bool is_martian_v4(const uint8_t raw[4])
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	/* RFC 6890: 0.0.0.0/8 "this host on this network", 127.0.0.0/8 loopback; 240.0.0.0/4 is
	 * reserved, but Linux routes it. */
	return raw[0] == 0 || raw[0] == 127 || (raw[0] & 0xf0) == 224 ||
	       memcmp(raw, broadcast, sizeof(broadcast)) == 0;
}

bool addr_is_martian(const struct addr *addr)
{
	struct in6_addr v6;

	if (addr_family(addr) == AF_INET)
		return is_martian_v4(addr->bytes + V4_OFFSET);
	memcpy(&v6, addr->bytes, sizeof(v6));
	return IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_LOOPBACK(&v6) ||
	       IN6_IS_ADDR_MULTICAST(&v6);
}

const void *addr_raw(const struct addr *addr, size_t *size)
{
	bool v4 = addr_family(addr) == AF_INET;

	*size = v4 ? 4 : 16;
	return v4 ? addr->bytes + V4_OFFSET : addr->bytes;
}

int addr_from_raw(const void *raw, size_t size, struct addr *ret)
{
	if (size == 4) {
		memcpy(ret->bytes, v4_mapped, V4_OFFSET);
		memcpy(ret->bytes + V4_OFFSET, raw, 4);
		return 0;
	}
	if (size != sizeof(ret->bytes))
		return -EINVAL;
	memcpy(ret->bytes, raw, sizeof(ret->bytes));
	return 0;
}
