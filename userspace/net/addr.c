// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define V4_OFFSET 12 /* of the IPv4 address in bytes */
#define V4_BITS	  (8 * V4_OFFSET)

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

static char *print_byte(uint8_t byte, char *text)
{
	if (byte >= 100)
		*text++ = (char)('0' + byte / 100);
	if (byte >= 10)
		*text++ = (char)('0' + byte / 10 % 10);
	*text++ = (char)('0' + byte % 10);
	return text;
}

/* glibc's inet_ntop() does it with sprintf(), which is seen in every request's X-Forwarded-For. */
static void print_four(const uint8_t raw[4], char *text)
{
	for (int i = 0; i < 4; i++) {
		text = print_byte(raw[i], text);
		*text++ = i < 3 ? '.' : '\0';
	}
}

const char *addr_print(const struct addr *addr, char *text)
{
	/* Cannot fail: ADDR_TEXT_MAX is INET6_ADDRSTRLEN. */
	if (addr_family(addr) == AF_INET)
		print_four(addr->bytes + V4_OFFSET, text);
	else
		inet_ntop(AF_INET6, addr->bytes, text, ADDR_TEXT_MAX);
	return text;
}

static bool is_label(const char *text, size_t size)
{
	if (!size || size > 63 || text[0] == '-' || text[size - 1] == '-')
		return false;
	for (size_t i = 0; i < size; i++)
		if (!isascii(text[i]) || (!isalnum(text[i]) && text[i] != '-' && text[i] != '_'))
			return false;
	return true;
}

bool addr_is_host_name(const char *text)
{
	const char *last = text;

	if (strlen(text) > ADDR_HOST_MAX)
		return false;
	for (const char *at = text;; at++) {
		size_t size = strcspn(at, ".");

		if (!is_label(at, size))
			return false;
		last = at;
		at += size;
		if (!*at)
			break;
	}
	return last[strspn(last, "0123456789")] != '\0';
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

/* Clears what lies beyond the prefix; true if anything did. */
static bool cut(struct addr *addr, unsigned bits)
{
	bool any = false;

	for (unsigned i = 0; i < sizeof(addr->bytes); i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
		uint8_t mask = kept >= 8 ? 0xff : (uint8_t)(0xff00 >> kept);

		any |= addr->bytes[i] & ~mask;
		addr->bytes[i] &= mask;
	}
	return any;
}

/* "0" to `max`, without a leading zero. -1 for anything else. */
static int parse_length(const char *text, int max)
{
	int length = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		length = length * 10 + (*text - '0');
		if (length > max)
			return -1;
	}
	return length;
}

int addr_prefix_parse(const char *text, struct addr_prefix *ret)
{
	const char *slash = strchr(text, '/');
	struct addr_prefix prefix = { .bits = 128 };
	char plain[ADDR_TEXT_MAX] = "";
	int length, first;

	if (!slash) {
		if (addr_parse(text, &prefix.addr) < 0)
			return -EINVAL;
		*ret = prefix;
		return 0;
	}
	if ((size_t)(slash - text) >= sizeof(plain))
		return -EINVAL;
	memcpy(plain, text, (size_t)(slash - text));
	if (addr_parse(plain, &prefix.addr) < 0)
		return -EINVAL;
	first = addr_family(&prefix.addr) == AF_INET ? V4_BITS : 0;
	/* Of a mapped address, nobody knows which of the two lengths is meant. */
	if (first && strchr(plain, ':'))
		return -EINVAL;
	length = parse_length(slash + 1, 128 - first);
	if (length < 0)
		return -EINVAL;
	prefix.bits = (uint8_t)(first + length);
	length = cut(&prefix.addr, prefix.bits) ? -ERANGE : 0;
	*ret = prefix;
	return length;
}

const char *addr_prefix_print(const struct addr_prefix *prefix, char *text)
{
	unsigned first = addr_family(&prefix->addr) == AF_INET ? V4_BITS : 0;
	char plain[ADDR_TEXT_MAX];

	addr_print(&prefix->addr, plain);
	if (prefix->bits == 128)
		snprintf(text, ADDR_PREFIX_MAX, "%s", plain);
	else
		snprintf(text, ADDR_PREFIX_MAX, "%s/%u", plain, prefix->bits - first);
	return text;
}

bool addr_prefix_between(const struct addr *first, const struct addr *last, struct addr_prefix *ret)
{
	unsigned bits = 0;

	for (; bits < 128; bits++)
		if ((first->bytes[bits / 8] ^ last->bytes[bits / 8]) & (0x80 >> bits % 8))
			break;
	for (unsigned bit = bits; bit < 128; bit++)
		if (first->bytes[bit / 8] & (0x80 >> bit % 8) ||
		    !(last->bytes[bit / 8] & (0x80 >> bit % 8)))
			return false;
	*ret = (struct addr_prefix){ .addr = *first, .bits = bits };
	return true;
}

const char *addr_range_print(const struct addr *first, const struct addr *last, char *text)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
	struct addr_prefix prefix;

	if (addr_prefix_between(first, last, &prefix))
		return addr_prefix_print(&prefix, text);
	snprintf(text, ADDR_RANGE_MAX, "%s to %s", addr_print(first, from), addr_print(last, to));
	return text;
}

bool addr_prefix_has(const struct addr_prefix *prefix, const struct addr *addr)
{
	struct addr copy = *addr;

	if (addr_family(addr) != addr_family(&prefix->addr)) /* ::/0 has no IPv4 address */
		return false;
	cut(&copy, prefix->bits);
	return addr_equal(&copy, &prefix->addr);
}

bool addr_prefix_equal(const struct addr_prefix *a, const struct addr_prefix *b)
{
	return a->bits == b->bits && addr_equal(&a->addr, &b->addr);
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

bool addr_is_link_local(const struct addr *addr)
{
	return addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
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
