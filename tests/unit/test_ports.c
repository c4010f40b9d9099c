// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the ports that the host uses are all found, so that weir takes none of them, and what is
 * left is offered to SNAT in the largest ranges.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "net/ports.h"
#include "util/cleanup.h"

#define HEADING                                                                                    \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define REST   " 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
#define ZERO16 "00000000000000000000000000000000"

static struct addr addr_of(const char *text)
{
	struct addr addr = {};

	cr_assert_eq(addr_parse(text, &addr), 0, "%s", text);
	return addr;
}

static int parse(const char *text, int protocol, const char *address, struct ports_used *set)
{
	_cleanup_(fclosep) FILE *file = fmemopen((void *)text, strlen(text), "r");
	struct ports_used clients = {};
	struct addr addr = addr_of(address);

	ports_add(&clients, 32768, 60999);
	return ports_parse_sockets(file, protocol, &addr, &clients, set);
}

static size_t count(const struct ports_used *set)
{
	size_t ports = 0;

	for (unsigned int port = 0; port < PORTS_COUNT; port++)
		ports += ports_has(set, (uint16_t)port);
	return ports;
}

/* 1: a set holds what was added, at its borders too. */
Test(ports, set)
{
	struct ports_used set = {};

	ports_add(&set, 0, 0);
	ports_add(&set, 63, 65);
	ports_add(&set, 65535, 65535);
	cr_expect_eq(count(&set), 5);
	cr_expect(ports_has(&set, 0) && ports_has(&set, 63) && ports_has(&set, 65));
	cr_expect(ports_has(&set, 65535) && !ports_has(&set, 65534) && !ports_has(&set, 66));
	ports_add(&set, 0, 65535);
	cr_expect_eq(count(&set), 65536);
}

/* 2: TCP: only listening sockets, at the address or a wildcard; the bytes of /proc are turned. */
Test(ports, tcp)
{
	static const char text[] =
		HEADING "   0: 00000000:0016 00000000:0000 0A" REST    /* *:22 */
			"   1: 0100000A:1F90 00000000:0000 0A" REST    /* 10.0.0.1:8080 */
			"   2: 0200000A:1F91 00000000:0000 0A" REST    /* 10.0.0.2:8081 */
			"   3: 0100007F:1F92 00000000:0000 0A" REST    /* 127.0.0.1:8082 */
			" 100000: 0100000A:1F93 0200000A:0050 01" REST /* connected */
			"   5: 00000000:0000 00000000:0000 0A" REST;   /* no port */
	struct ports_used set = {};

	cr_assert_eq(parse(text, IPPROTO_TCP, "10.0.0.1", &set), 0);
	cr_expect(ports_has(&set, 22) && ports_has(&set, 8080));
	cr_expect_eq(count(&set), 2);
	memset(&set, 0, sizeof(set));
	cr_assert_eq(parse(text, IPPROTO_TCP, "2001:db8::1", &set), 0);
	cr_expect_eq(count(&set), 0, "an IPv4 wildcard is not for IPv6");
}

/* 3: an IPv6 wildcard is for both families; mapped addresses are IPv4. */
Test(ports, tcp6)
{
	static const char text[] =
		HEADING "   0: " ZERO16 ":0016 " ZERO16 ":0000 0A" REST
			"   1: B80D0120000000000000000001000000:1F90 " ZERO16 ":0000 0A" REST
			"   2: 0000000000000000FFFF00000100000A:1F91 " ZERO16 ":0000 0A" REST;
	struct ports_used set = {};

	cr_assert_eq(parse(text, IPPROTO_TCP, "2001:db8::1", &set), 0);
	cr_expect(ports_has(&set, 22) && ports_has(&set, 8080));
	cr_expect_eq(count(&set), 2);
	memset(&set, 0, sizeof(set));
	cr_assert_eq(parse(text, IPPROTO_TCP, "10.0.0.1", &set), 0);
	cr_expect(ports_has(&set, 22) && ports_has(&set, 8081));
	cr_expect_eq(count(&set), 2);
}

/* 4: UDP: all bound sockets but those of clients, connected from a port that is anybody's. */
Test(ports, udp)
{
	static const char text[] = HEADING
		"  111: 00000000:0035 00000000:0000 07" REST  /* *:53 */
		"  112: 00000000:9C40 00000000:0000 07" REST  /* *:40000, not connected */
		"  113: 0100000A:9C41 08080808:0035 01" REST  /* 40001, a client */
		"  114: 0100000A:04AA 0900000A:04AA 01" REST; /* 1194, connected on purpose */
	struct ports_used set = {};

	cr_assert_eq(parse(text, IPPROTO_UDP, "10.0.0.1", &set), 0);
	cr_expect(ports_has(&set, 53) && ports_has(&set, 40000) && ports_has(&set, 1194));
	cr_expect_eq(count(&set), 3);
}

/* 5: an empty file is fine, text of another shape is refused. */
Test(ports, sockets_malformed)
{
	static const char *const cases[] = {
		HEADING "nonsense\n",
		HEADING "\n",
		HEADING "   0: 0000000:0016 00000000:0000 0A\n",
		HEADING "   0: 000000000:0016 00000000:0000 0A\n",
		HEADING "   0: 00000000 00000000:0000 0A\n",
		HEADING "   0: 00000000:0016 00000000:0000\n",
		HEADING "   0: 00000000:0016 00000000:0000 zz\n",
		HEADING "   0: " ZERO16 ZERO16 ":0016 " ZERO16 ":0000 0A\n",
	};
	struct ports_used set = {};

	cr_expect_eq(parse(HEADING, IPPROTO_TCP, "10.0.0.1", &set), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		cr_expect_eq(parse(cases[i], IPPROTO_TCP, "10.0.0.1", &set), -EINVAL, "%s",
			     cases[i] + strlen(HEADING));
	cr_expect_eq(count(&set), 0);
}

/* 6: the two sysctls as the kernel prints them; other text leaves the set as it was. */
Test(ports, sysctls)
{
	static const char *const bad_ranges[] = {
		"",    "1",	   "1\t",   "2\t1",    "1\tx",
		"1-2", "1\t65536", "-1\t5", "1\t2\t3", "1\t99999999999999999999"
	};
	static const char *const bad_lists[] = { "x", "1-", "5-4", "1;2", "1,,2", "70000", "-5" };
	struct ports_used set = {};

	cr_expect_eq(ports_parse_range("32768\t60999\n", &set), 0);
	cr_expect_eq(count(&set), 60999 - 32768 + 1);
	memset(&set, 0, sizeof(set));
	cr_expect_eq(ports_parse_list("\n", &set), 0);
	cr_expect_eq(ports_parse_list("", &set), 0);
	cr_expect_eq(count(&set), 0);
	cr_expect_eq(ports_parse_list("8080,9148-9150,65535\n", &set), 0);
	cr_expect(ports_has(&set, 8080) && ports_has(&set, 9149) && ports_has(&set, 65535));
	cr_expect_eq(count(&set), 5);
	for (size_t i = 0; i < sizeof(bad_ranges) / sizeof(*bad_ranges); i++)
		cr_expect_eq(ports_parse_range(bad_ranges[i], &set), -EINVAL, "%s", bad_ranges[i]);
	for (size_t i = 0; i < sizeof(bad_lists) / sizeof(*bad_lists); i++)
		cr_expect_eq(ports_parse_list(bad_lists[i], &set), -EINVAL, "%s", bad_lists[i]);
	cr_expect_eq(count(&set), 5);
}

static void expect_range(const struct weir_port_range *range, unsigned int first, unsigned int last)
{
	cr_expect_eq(range->first, first, "%u instead of %u", range->first, first);
	cr_expect_eq(range->last, last, "%u instead of %u", range->last, last);
}

/* 7: nothing forbidden is one range, all forbidden none; borders are exact. */
Test(ports, ranges)
{
	struct weir_port_range ranges[WEIR_SNAT_RANGES];
	struct ports_used set = {};

	cr_assert_eq(ports_ranges(&set, ranges), 1);
	expect_range(&ranges[0], 1024, 65535);
	ports_add(&set, 22, 1024);
	ports_add(&set, 32768, 60999);
	ports_add(&set, 65535, 65535);
	cr_assert_eq(ports_ranges(&set, ranges), 2);
	expect_range(&ranges[0], 1025, 32767);
	expect_range(&ranges[1], 61000, 65534);
	ports_add(&set, 0, 65534);
	cr_expect_eq(ports_ranges(&set, ranges), 0);
}

/* 8: of more ranges than fit, the largest stay, in order; the lower of equals. */
Test(ports, ranges_largest)
{
	struct weir_port_range ranges[WEIR_SNAT_RANGES];
	struct ports_used set = {};

	/* Twelve ranges: of 1, 2, ... 10 ports, and two more of 5. */
	ports_add(&set, 0, 65535);
	for (unsigned int i = 0; i < 12; i++) {
		unsigned int size = i < 10 ? i + 1 : 5;

		for (unsigned int port = 2000 + 100 * i; port < 2000 + 100 * i + size; port++)
			set.bits[port / 64] &= ~(UINT64_C(1) << (port % 64));
	}
	cr_assert_eq(ports_ranges(&set, ranges), WEIR_SNAT_RANGES);
	expect_range(&ranges[0], 2400, 2404); /* 5 to 10 */
	expect_range(&ranges[5], 2900, 2909);
	expect_range(&ranges[6], 3000, 3004);
	expect_range(&ranges[7], 3100, 3104);
}

/* 9: of equals, the last makes room for a larger one. */
Test(ports, ranges_equal)
{
	struct weir_port_range ranges[WEIR_SNAT_RANGES];
	struct ports_used set = {};

	ports_add(&set, 0, 65535);
	for (unsigned int i = 0; i < WEIR_SNAT_RANGES + 1; i++) {
		unsigned int size = i < WEIR_SNAT_RANGES ? 5 : 6;

		for (unsigned int port = 2000 + 100 * i; port < 2000 + 100 * i + size; port++)
			set.bits[port / 64] &= ~(UINT64_C(1) << (port % 64));
	}
	cr_assert_eq(ports_ranges(&set, ranges), WEIR_SNAT_RANGES);
	expect_range(&ranges[0], 2000, 2004);
	expect_range(&ranges[6], 2600, 2604);
	expect_range(&ranges[7], 2800, 2805);
}

/* 10: the same against a list of all ranges, sorted; random sets. */
static int by_size(const void *a, const void *b)
{
	const struct weir_port_range *x = a, *y = b;
	int difference = (y->last - y->first) - (x->last - x->first);

	return difference ? difference : x->first - y->first;
}

static int by_port(const void *a, const void *b)
{
	return ((const struct weir_port_range *)a)->first -
	       ((const struct weir_port_range *)b)->first;
}

Test(ports, ranges_random)
{
	static struct weir_port_range all[PORTS_COUNT];

	srand(1);
	for (int round = 0; round < 50; round++) {
		struct weir_port_range ranges[WEIR_SNAT_RANGES];
		struct ports_used set = {};
		size_t total = 0, want;

		for (int i = rand() % 60; i > 0; i--) {
			unsigned int first = (unsigned int)rand() % PORTS_COUNT;
			unsigned int last = first + (unsigned int)rand() % 3000;

			ports_add(&set, (uint16_t)first, last > 65535 ? 65535 : (uint16_t)last);
		}
		for (unsigned int port = 1024; port < PORTS_COUNT; port++) {
			if (ports_has(&set, (uint16_t)port))
				continue;
			if (port > 1024 && !ports_has(&set, (uint16_t)(port - 1)))
				all[total - 1].last = (uint16_t)port;
			else
				all[total++] =
					(struct weir_port_range){ (uint16_t)port, (uint16_t)port };
		}
		qsort(all, total, sizeof(*all), by_size);
		want = total < WEIR_SNAT_RANGES ? total : WEIR_SNAT_RANGES;
		qsort(all, want, sizeof(*all), by_port);
		cr_assert_eq(ports_ranges(&set, ranges), want);
		for (size_t i = 0; i < want; i++)
			expect_range(&ranges[i], all[i].first, all[i].last);
	}
}

static int bound(int family, int type, const char *address, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct addr addr = addr_of(address);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	memcpy(&v4.sin_addr, addr.bytes + 12, 4);
	memcpy(&v6.sin6_addr, addr.bytes, 16);
	cr_assert_eq(bind(fd, family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
			  family == AF_INET ? sizeof(v4) : sizeof(v6)),
		     0, "%s:%u: %s", address, port, strerror(errno));
	if (type == SOCK_STREAM)
		cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

/* By the kernel's answer, which is what its files show. */
static struct ports_used listening(int protocol, const char *address)
{
	bool tcp = protocol == IPPROTO_TCP;
	const char *const paths[] = {
		tcp ? "/proc/thread-self/net/tcp" : "/proc/thread-self/net/udp",
		tcp ? "/proc/thread-self/net/tcp6" : "/proc/thread-self/net/udp6",
	};
	struct ports_used set = {}, clients = {}, shown = {};
	struct addr addr = addr_of(address);
	struct err err;

	cr_assert_eq(ports_listening(protocol, &addr, &set, &err), 0, "%s", err.text);
	ports_add(&clients, 32768, 60999);
	for (int i = 0; i < 2; i++) {
		_cleanup_(fclosep) FILE *file = fopen(paths[i], "re");

		cr_assert(file, "%s: %s", paths[i], strerror(errno));
		cr_assert_eq(ports_parse_sockets(file, protocol, &addr, &clients, &shown), 0);
	}
	cr_expect_arr_eq(&set, &shown, sizeof(set));
	return set;
}

/* A connected pair, at whose listening end nobody listens any more. */
static void connection(const char *address, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int listening = bound(AF_INET, SOCK_STREAM, address, port);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(&to.sin_addr, addr_of(address).bytes + 12, 4);
	cr_assert_eq(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	cr_assert_geq(accept4(listening, NULL, NULL, SOCK_CLOEXEC), 0);
	close(listening);
}

static void in_namespace(void)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "unshare: %s; run as root", strerror(errno));
	cr_assert_eq(system("ip link set lo up && ip addr add 10.0.0.1/24 dev lo &&"
			    " ip addr add 2001:db8::1/64 dev lo nodad"),
		     0);
}

/* 11: real sockets in this namespace, and in no other, are found. */
Test(ports, live_sockets)
{
	struct ports_used set;

	in_namespace();
	set = listening(IPPROTO_TCP, "10.0.0.1");
	cr_expect_eq(count(&set), 0, "another namespace's sockets");
	bound(AF_INET, SOCK_STREAM, "0.0.0.0", 22);
	bound(AF_INET, SOCK_STREAM, "10.0.0.1", 8080);
	bound(AF_INET, SOCK_STREAM, "127.0.0.1", 8081);
	bound(AF_INET6, SOCK_STREAM, "::", 23);
	bound(AF_INET6, SOCK_STREAM, "2001:db8::1", 8082);
	bound(AF_INET6, SOCK_DGRAM, "::", 53);
	bound(AF_INET6, SOCK_STREAM, "::ffff:10.0.0.1", 8083);
	bound(AF_INET, SOCK_DGRAM, "10.0.0.1", 500);
	connection("10.0.0.1", 8084);
	set = listening(IPPROTO_TCP, "10.0.0.1");
	cr_expect(ports_has(&set, 22) && ports_has(&set, 23) && ports_has(&set, 8080) &&
		  ports_has(&set, 8083));
	cr_expect_eq(count(&set), 4);
	set = listening(IPPROTO_TCP, "2001:db8::1");
	cr_expect(ports_has(&set, 23) && ports_has(&set, 8082));
	cr_expect_eq(count(&set), 2);
	set = listening(IPPROTO_UDP, "10.0.0.1");
	cr_expect(ports_has(&set, 53) && ports_has(&set, 500));
	cr_expect_eq(count(&set), 2);
	set = listening(IPPROTO_UDP, "10.0.0.2");
	cr_expect_eq(count(&set), 1);
}

/* 12: the sysctls are this namespace's. */
Test(ports, live_sysctls)
{
	struct ports_used set = {};
	struct err err;

	in_namespace();
	cr_assert_eq(system("sysctl -qw net.ipv4.ip_local_port_range='20000 29999' "
			    "net.ipv4.ip_local_reserved_ports=8080,9000-9009"),
		     0);
	cr_assert_eq(ports_reserved(&set, &err), 0, "%s", err.text);
	cr_expect_eq(count(&set), 10000 + 11);
	cr_expect(ports_has(&set, 20000) && ports_has(&set, 29999) && ports_has(&set, 8080));
}
