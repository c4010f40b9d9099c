// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/preamble.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_V1 107
#define BINARY_MAX  4096 /* of its addresses and extensions */

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* The binary header: signature, version and command, family and protocol, length. */
struct binary {
	char signature[12];
	uint8_t command; /* 0x20 local, 0x21 proxy */
	uint8_t family;	 /* 0x11 TCP over IPv4, 0x21 over IPv6 */
	uint8_t length[2];
};

static uint16_t get16(const char *at)
{
	return (uint16_t)((uint8_t)at[0] << 8 | (uint8_t)at[1]);
}

static void put16(char *at, uint16_t value)
{
	at[0] = (char)(value >> 8);
	at[1] = (char)value;
}

/* Decimal, and nothing else. */
static bool read_port(const char *text, uint16_t *ret)
{
	char *end;
	unsigned long port;

	if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1]))
		return false;
	port = strtoul(text, &end, 10);
	if (*end || port > UINT16_MAX)
		return false;
	*ret = port;
	return true;
}

/* "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443" */
static int read_line(char *line, struct preamble *ret)
{
	char *words[6], *rest = line;
	int count = 0, family;

	while (count < 6 && (words[count] = strsep(&rest, " ")))
		count++;
	if (count >= 2 && !strcmp(words[1], "UNKNOWN"))
		return 0;
	if (count != 6 || rest)
		return -EBADMSG;
	family = !strcmp(words[1], "TCP4") ? AF_INET : !strcmp(words[1], "TCP6") ? AF_INET6 : 0;
	if (!family || addr_parse(words[2], &ret->from) || addr_parse(words[3], &ret->to) ||
	    !read_port(words[4], &ret->from_port) || !read_port(words[5], &ret->to_port))
		return -EBADMSG;
	/* As they are written: ::ffff:192.0.2.1 is an address of IPv6. */
	if (!strchr(words[2], ':') != (family == AF_INET) ||
	    !strchr(words[3], ':') != (family == AF_INET))
		return -EBADMSG;
	ret->known = true;
	return 0;
}

static ssize_t read_text(const char *bytes, size_t size, struct preamble *ret)
{
	const char *end = memchr(bytes, '\n', size < LINE_MAX_V1 ? size : LINE_MAX_V1);
	char line[LINE_MAX_V1 + 1];
	int r;

	if (!end)
		return size < LINE_MAX_V1 ? 0 : -EBADMSG;
	if (end == bytes || end[-1] != '\r' || memchr(bytes, '\0', end - bytes))
		return -EBADMSG;
	memcpy(line, bytes, end - bytes - 1);
	line[end - bytes - 1] = '\0';
	r = read_line(line, ret);
	return r < 0 ? r : end + 1 - bytes;
}

static ssize_t read_binary(const char *bytes, size_t size, struct preamble *ret)
{
	const char *body = bytes + sizeof(struct binary);
	struct binary head;
	size_t length, address;

	if (size < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	length = get16((const char *)head.length);
	if ((head.command != 0x20 && head.command != 0x21) || length > BINARY_MAX)
		return -EBADMSG;
	if (size < sizeof(head) + length)
		return 0;
	if (head.command == 0x20 || (head.family != 0x11 && head.family != 0x21))
		return sizeof(head) + length;
	address = head.family == 0x11 ? 4 : 16;
	if (length < 2 * address + 4)
		return -EBADMSG;
	addr_from_raw(body, address, &ret->from);
	addr_from_raw(body + address, address, &ret->to);
	ret->from_port = get16(body + 2 * address);
	ret->to_port = get16(body + 2 * address + 2);
	ret->known = true;
	return sizeof(head) + length;
}

ssize_t preamble_read(const char *bytes, size_t size, struct preamble *ret)
{
	const size_t prefix = sizeof(signature) < size ? sizeof(signature) : size;

	*ret = (struct preamble){};
	if (!memcmp(bytes, signature, prefix))
		return read_binary(bytes, size, ret);
	if (!memcmp(bytes, "PROXY ", size < 6 ? size : 6))
		return read_text(bytes, size, ret);
	return -EBADMSG;
}

/* In a line of IPv6 those of IPv4 are written as such, too. */
static const char *print(const struct addr *addr, bool ip4, char *text)
{
	return ip4 ? addr_print(addr, text) : inet_ntop(AF_INET6, addr->bytes, text, ADDR_TEXT_MAX);
}

static size_t write_text(const struct preamble *preamble, bool ip4, char *ret)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	return snprintf(ret, PREAMBLE_MAX, "PROXY %s %s %s %u %u\r\n", ip4 ? "TCP4" : "TCP6",
			print(&preamble->from, ip4, from), print(&preamble->to, ip4, to),
			preamble->from_port, preamble->to_port);
}

size_t preamble_write(const struct preamble *preamble, uint8_t version, char ret[PREAMBLE_MAX])
{
	bool ip4 = addr_family(&preamble->from) == AF_INET && addr_family(&preamble->to) == AF_INET;
	size_t address = ip4 ? 4 : 16, skip = 16 - address;
	struct binary head = {
		.command = 0x21,
		.family = ip4 ? 0x11 : 0x21,
		.length = { 0, (uint8_t)(2 * address + 4) },
	};
	char *at = ret + sizeof(head);

	if (version == 1)
		return write_text(preamble, ip4, ret);
	memcpy(head.signature, signature, sizeof(signature));
	memcpy(ret, &head, sizeof(head));
	memcpy(at, preamble->from.bytes + skip, address);
	memcpy(at + address, preamble->to.bytes + skip, address);
	put16(at + 2 * address, preamble->from_port);
	put16(at + 2 * address + 2, preamble->to_port);
	return sizeof(head) + 2 * address + 4;
}
