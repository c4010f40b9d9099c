// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/ports.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "net/nl.h"
#include "util/cleanup.h"

/* Not /proc/net: that is the namespace of the main thread. */
#define PROC_NET "/proc/thread-self/net/"
#define PROC_SYS "/proc/sys/net/ipv4/" /* IPv6 obeys these as well */

void ports_add(struct ports_used *set, uint16_t first, uint16_t last)
{
	for (unsigned int port = first; port <= last; port++)
		set->bits[port / 64] |= UINT64_C(1) << (port % 64);
}

bool ports_has(const struct ports_used *set, uint16_t port)
{
	return set->bits[port / 64] >> (port % 64) & 1;
}

/* The kernel prints each 32-bit word of an address as a number of the host's byte order. */
static int parse_address(const char *hex, struct addr *ret)
{
	size_t length = strlen(hex);
	uint32_t words[4];

	if (length != 8 && length != 32)
		return -EINVAL;
	for (size_t i = 0; i < length / 8; i++) {
		char word[9];

		memcpy(word, hex + i * 8, 8);
		word[8] = '\0';
		words[i] = (uint32_t)strtoul(word, NULL, 16);
	}
	return addr_from_raw(words, length / 2, ret);
}

/* "   0: 0100007F:0277 00000000:0000 0A ...", addresses of 8 or 32 digits */
static int parse_line(const char *line, struct nl_socket *ret)
{
	unsigned int port = 0, state = 0;
	char local[33];
	int r = sscanf(line, " %*[0-9]: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*4[0-9A-Fa-f] %2x", local,
		       &port, &state);

	ret->port = (uint16_t)port;
	ret->state = (uint8_t)state;
	return r == 3 ? parse_address(local, &ret->local) : -EINVAL;
}

static bool covers(const struct addr *local, const struct addr *addr)
{
	static const struct addr any4 = { { [10] = 0xff, [11] = 0xff } }, any6 = {};

	return addr_equal(local, addr) || addr_equal(local, &any6) ||
	       (addr_equal(local, &any4) && addr_family(addr) == AF_INET);
}

static bool counts(const struct nl_socket *socket, int protocol, const struct ports_used *clients)
{
	if (socket->port == 0)
		return false;
	if (protocol == IPPROTO_TCP)
		return socket->state == TCP_LISTEN;
	return socket->state != TCP_ESTABLISHED || !ports_has(clients, socket->port);
}

static void add_socket(struct ports_used *set, const struct nl_socket *socket, int protocol,
		       const struct addr *addr, const struct ports_used *clients)
{
	if (counts(socket, protocol, clients) && covers(&socket->local, addr))
		ports_add(set, socket->port, socket->port);
}

int ports_parse_sockets(FILE *file, int protocol, const struct addr *addr,
			const struct ports_used *clients, struct ports_used *set)
{
	_cleanup_(freep) char *text = NULL;
	bool is_heading = true;
	size_t size = 0;

	while (getline(&text, &size, file) >= 0) {
		struct nl_socket socket;

		if (is_heading) {
			is_heading = false;
			continue;
		}
		if (parse_line(text, &socket) < 0)
			return -EINVAL;
		add_socket(set, &socket, protocol, addr, clients);
	}
	return ferror(file) ? -EIO : 0;
}

/* A port at *text, which moves behind it. */
static int take_port(const char **text, uint16_t *ret)
{
	unsigned long port;
	char *end;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	port = strtoul(*text, &end, 10);
	if (port >= PORTS_COUNT)
		return -EINVAL;
	*text = end;
	*ret = (uint16_t)port;
	return 0;
}

static bool is_end(const char *text)
{
	return text[strspn(text, " \t\n")] == '\0';
}

int ports_parse_range(const char *text, struct ports_used *set)
{
	uint16_t first, last;

	if (take_port(&text, &first) < 0 || !isspace((unsigned char)*text))
		return -EINVAL;
	text += strspn(text, " \t");
	if (take_port(&text, &last) < 0 || !is_end(text) || first > last)
		return -EINVAL;
	ports_add(set, first, last);
	return 0;
}

int ports_parse_list(const char *text, struct ports_used *set)
{
	struct ports_used found = {};

	while (!is_end(text)) {
		uint16_t first, last;

		if (take_port(&text, &first) < 0)
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (take_port(&text, &last) < 0 || first > last)
				return -EINVAL;
		}
		ports_add(&found, first, last);
		if (*text == ',')
			text++;
		else if (!is_end(text))
			return -EINVAL;
	}
	for (size_t i = 0; i < PORTS_COUNT / 64; i++)
		set->bits[i] |= found.bits[i];
	return 0;
}

static int read_sysctl(const char *path, int (*parse)(const char *, struct ports_used *),
		       struct ports_used *set, struct err *err)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;

	if (!file)
		return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	if (getline(&text, &size, file) < 0) {
		if (ferror(file))
			return err_set(err, -EIO, "cannot read %s", path);
		return 0; /* empty */
	}
	if (parse(text, set) < 0)
		return err_set(err, -EINVAL, "%s: not understood: %.100s", path, text);
	return 0;
}

static int read_file(const char *path, int protocol, const struct addr *addr,
		     const struct ports_used *clients, struct ports_used *set, struct err *err)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	int r;

	if (!file && errno == ENOENT)
		return 0; /* a kernel without IPv6 */
	if (!file)
		return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	r = ports_parse_sockets(file, protocol, addr, clients, set);
	return r < 0 ? err_set(err, r, "cannot understand %s", path) : 0;
}

/* What a kernel without sock_diag has; with many connections it takes seconds. */
static int read_files(int protocol, const struct addr *addr, const struct ports_used *clients,
		      struct ports_used *set, struct err *err)
{
	bool tcp = protocol == IPPROTO_TCP;
	int r = read_file(tcp ? PROC_NET "tcp" : PROC_NET "udp", protocol, addr, clients, set, err);

	return r
		       ?: read_file(tcp ? PROC_NET "tcp6" : PROC_NET "udp6", protocol, addr,
				    clients, set, err);
}

int ports_listening(int protocol, const struct addr *addr, struct ports_used *set, struct err *err)
{
	struct ports_used clients = {}, found = *set;
	struct nl_sockets sockets = {};
	int r = read_sysctl(PROC_SYS "ip_local_port_range", ports_parse_range, &clients, err);

	if (r == 0)
		r = nl_sockets(protocol, &sockets, err);
	if (r == -ENOENT)
		r = read_files(protocol, addr, &clients, &found, err);
	vec_foreach(socket, &sockets.list)
		add_socket(&found, socket, protocol, addr, &clients);
	vec_free(&sockets.list);
	if (r == 0)
		*set = found;
	return r;
}

int ports_reserved(struct ports_used *set, struct err *err)
{
	struct ports_used found = *set;
	int r = read_sysctl(PROC_SYS "ip_local_port_range", ports_parse_range, &found, err);

	if (r == 0)
		r = read_sysctl(PROC_SYS "ip_local_reserved_ports", ports_parse_list, &found, err);
	if (r == 0)
		*set = found;
	return r;
}

static unsigned int range_size(const struct weir_port_range *range)
{
	return range->last - range->first + 1u;
}

/* Ranges come in the order of their ports. A full list drops its smallest, the last of equals. */
static size_t keep_larger(struct weir_port_range *list, size_t count, struct weir_port_range range)
{
	size_t smallest = 0;

	if (count < WEIR_SNAT_RANGES) {
		list[count] = range;
		return count + 1;
	}
	for (size_t i = 1; i < count; i++)
		if (range_size(&list[i]) <= range_size(&list[smallest]))
			smallest = i;
	if (range_size(&range) > range_size(&list[smallest])) {
		memmove(&list[smallest], &list[smallest + 1],
			(count - smallest - 1) * sizeof(*list));
		list[count - 1] = range;
	}
	return count;
}

size_t ports_ranges(const struct ports_used *forbidden,
		    struct weir_port_range ret[WEIR_SNAT_RANGES])
{
	unsigned int first = PORTS_SNAT_FROM;
	size_t count = 0;

	for (unsigned int port = PORTS_SNAT_FROM; port <= PORTS_COUNT; port++) {
		struct weir_port_range range = { (__u16)first, (__u16)(port - 1) };

		if (port < PORTS_COUNT && !ports_has(forbidden, (uint16_t)port))
			continue;
		if (port > first)
			count = keep_larger(ret, count, range);
		first = port + 1;
	}
	return count;
}
