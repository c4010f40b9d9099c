// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what weir reads from and adds to the host's own tables is right in a real kernel: links
 * and routes are found or refused with words that help, a managed neighbour resolves by itself,
 * and a listener address is answered on the wire and leaves no trace when it is removed.
 *
 * Each test is root in two network namespaces without names: its own ("here", veth `here0`), and
 * that of a child that only sleeps ("there", veth `there0`), killed by the kernel with the test:
 *
 *   here0 10.9.0.1/24 2001:db8:9::1/64 ------- there0 10.9.0.2/24 2001:db8:9::2/64
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <weir/names.h>

#include "net/nl.h"

#define VIP4	 "192.0.2.10"
#define VIP6	 "2001:db8:5::10"
#define PATIENCE 50 /* tries of 100 ms */

static pid_t there;
static struct nl *nl;
static struct err err;
static struct nl_link here0;

static struct addr addr_of(const char *text)
{
	struct addr addr = {};

	cr_assert_eq(addr_parse(text, &addr), 0, "%s", text);
	return addr;
}

static int shell(const char *prefix, const char *format, va_list arguments)
{
	char command[512];
	size_t used = (size_t)snprintf(command, sizeof(command), "%s", prefix);
	int status;

	vsnprintf(command + used, sizeof(command) - used, format, arguments);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

__attribute__((format(printf, 1, 2))) static int here_try(const char *format, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = shell("", format, arguments);
	va_end(arguments);
	return r;
}

__attribute__((format(printf, 1, 2))) static void here_run(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	cr_assert_eq(shell("", format, arguments), 0, "%s", format);
	va_end(arguments);
}

__attribute__((format(printf, 1, 2))) static void there_run(const char *format, ...)
{
	char prefix[64];
	va_list arguments;

	snprintf(prefix, sizeof(prefix), "nsenter -t %d -n ", (int)there);
	va_start(arguments, format);
	cr_assert_eq(shell(prefix, format, arguments), 0, "%s", format);
	va_end(arguments);
}

/* A process in a namespace of its own that ends with this one. */
static pid_t start_namespace(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1, "no namespace: run the tests as root");
	close(ready[0]);
	return pid;
}

static void setup(void)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "unshare: %s; run as root", strerror(errno));
	there = start_namespace();
	here_run("ip link set lo up");
	here_run("ip link add here0 mtu 1400 address 02:00:00:00:09:01 type veth "
		 "peer name there0 address 02:00:00:00:09:02 netns %d",
		 (int)there);
	here_run("ip addr add 10.9.0.1/24 dev here0");
	here_run("ip addr add 2001:db8:9::1/64 dev here0 nodad");
	here_run("ip link set here0 up");
	there_run("ip addr add 10.9.0.2/24 dev there0");
	there_run("ip addr add 2001:db8:9::2/64 dev there0 nodad");
	there_run("ip link set lo up");
	there_run("ip link set there0 up");
	there_run("ip route add " VIP4 " dev there0");
	there_run("ip route add " VIP6 " dev there0");
	cr_assert_eq(nl_new(&nl, &err), 0, "%s", err.text);
	cr_assert_eq(nl_link_get(nl, "here0", 0, &here0, &err), 0, "%s", err.text);
}

static void teardown(void)
{
	nl_free(nl);
	if (there > 0) {
		kill(there, SIGKILL);
		waitpid(there, NULL, 0);
	}
}

TestSuite(nl, .init = setup, .fini = teardown, .timeout = 60);

static void rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
}

/* Connects from the other namespace to a closed port: 0 if the host answered with a reset. */
static int reach_from_there(const char *text)
{
	char path[64];
	struct addr addr = addr_of(text);
	_cleanup_(closep) int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_(closep) int other = -1, fd = -1;
	struct timeval timeout = { .tv_sec = 2 };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	bool is_v4 = addr_family(&addr) == AF_INET;
	size_t size;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)there);
	other = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(setns(other, CLONE_NEWNET), 0);
	fd = socket(addr_family(&addr), SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(setns(own, CLONE_NEWNET), 0);
	cr_assert_geq(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	memcpy(is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr, addr_raw(&addr, &size),
	       is_v4 ? 4 : 16);
	r = connect(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		    is_v4 ? sizeof(v4) : sizeof(v6));
	return r < 0 && errno == ECONNREFUSED ? 0 : -errno;
}

static void wait_for_mac(const char *text, const uint8_t want[6])
{
	struct addr addr = addr_of(text);
	uint8_t mac[6] = {};
	int r = 1;

	for (int i = 0; i < PATIENCE && r == 1; i++) {
		r = nl_neighbour_get(nl, here0.ifindex, &addr, mac, &err);
		if (r == 1)
			rest();
	}
	cr_assert_eq(r, 0, "%s: %d %s", text, r, err.text);
	cr_assert_arr_eq(mac, want, 6);
}

static const uint8_t mac_there[6] = { 2, 0, 0, 0, 9, 2 };

/* 1: a link is read by name and by index. */
Test(nl, link)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 9, 1 };
	struct nl_link link;

	cr_assert_eq(nl_link_get(nl, NULL, here0.ifindex, &link, &err), 0, "%s", err.text);
	cr_expect_str_eq(link.name, "here0");
	cr_expect_eq(link.ifindex, here0.ifindex);
	cr_expect_arr_eq(link.mac, mac, 6);
	cr_expect_eq(link.mtu, 1400);
	cr_expect(link.up);
	there_run("ip link set there0 down");
	cr_assert_eq(nl_link_get(nl, "here0", 0, &link, &err), 0, "%s", err.text);
	cr_expect(!link.up, "without carrier it cannot carry anything");
}

/* 2: an interface that does not exist is named, with a suggestion or with what there is. */
Test(nl, link_unknown)
{
	struct nl_link link = { .ifindex = 77 };

	cr_expect_eq(nl_link_get(nl, "heer0", 0, &link, &err), -ENODEV);
	cr_expect_str_eq(err.text, "no interface 'heer0'; did you mean 'here0'?");
	cr_expect_eq(nl_link_get(nl, "wlan7", 0, &link, &err), -ENODEV);
	cr_expect(strstr(err.text, "no interface 'wlan7'; this host has lo, "), "%s", err.text);
	cr_expect(strstr(err.text, "here0"), "%s", err.text);
	cr_expect_eq(nl_link_get(nl, "a-name-far-too-long-for-linux", 0, &link, &err), -ENODEV);
	cr_expect_eq(nl_link_get(nl, "", 0, &link, &err), -ENODEV);
	cr_expect_eq(nl_link_get(nl, NULL, 4711, &link, &err), -ENODEV);
	cr_expect_str_eq(err.text, "no interface with index 4711");
	cr_expect_eq(nl_link_get(nl, NULL, 0, &link, &err), -ENODEV);
	cr_expect_eq(nl_link_get(nl, "nowhere0", 0, &link, NULL), -ENODEV);
	cr_expect_eq(link.ifindex, 77);
}

static void expect_route(const char *to, const char *next_hop, const char *source)
{
	struct addr destination = addr_of(to), want_hop = addr_of(next_hop);
	struct addr want_source = addr_of(source);
	struct nl_route route;

	cr_assert_eq(nl_route_get(nl, &destination, &route, &err), 0, "%s", err.text);
	cr_expect_eq(route.ifindex, here0.ifindex, "%s", to);
	cr_expect(addr_equal(&route.next_hop, &want_hop), "%s", to);
	cr_expect(addr_equal(&route.source, &want_source), "%s", to);
	cr_expect(!route.local, "%s", to);
}

/* 3: routes: on the link, over a gateway, over a gateway of the other family. */
Test(nl, route)
{
	here_run("ip route add 198.51.100.0/24 via 10.9.0.2");
	here_run("ip -6 route add 2001:db8:77::/48 via 2001:db8:9::2");
	here_run("ip route add 203.0.113.0/24 via inet6 2001:db8:9::2");
	here_run("ip addr add 10.9.0.77/24 dev here0");
	here_run("ip route add 198.51.101.0/24 via 10.9.0.2 src 10.9.0.77");
	expect_route("10.9.0.2", "10.9.0.2", "10.9.0.1");
	expect_route("198.51.100.7", "10.9.0.2", "10.9.0.1");
	expect_route("198.51.101.7", "10.9.0.2", "10.9.0.77");
	expect_route("203.0.113.9", "2001:db8:9::2", "10.9.0.1");
	expect_route("2001:db8:9::2", "2001:db8:9::2", "2001:db8:9::1");
	expect_route("2001:db8:77::1", "2001:db8:9::2", "2001:db8:9::1");
}

/* 4: this host's own addresses are local; what has no way is refused, with the reason. */
Test(nl, route_local_and_refused)
{
	static const char *const own[] = { "10.9.0.1", "2001:db8:9::1", "127.0.0.1" };
	struct addr addr;
	struct nl_route route;

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		addr = addr_of(own[i]);
		cr_assert_eq(nl_route_get(nl, &addr, &route, &err), 0, "%s", err.text);
		cr_expect(route.local, "%s", own[i]);
	}
	addr = addr_of("203.0.113.1");
	cr_expect_eq(nl_route_get(nl, &addr, &route, &err), -ENETUNREACH);
	cr_expect(strstr(err.text, "no route to 203.0.113.1"), "%s", err.text);
	cr_expect(strstr(err.text, "Network is unreachable"), "%s", err.text);
	addr = addr_of("2001:db8:ffff::1");
	cr_expect_eq(nl_route_get(nl, &addr, &route, &err), -ENETUNREACH);
	here_run("ip route add unreachable 203.0.113.0/24");
	addr = addr_of("203.0.113.1");
	cr_expect_eq(nl_route_get(nl, &addr, &route, &err), -EHOSTUNREACH);
	addr = addr_of("10.9.0.255");
	cr_expect_eq(nl_route_get(nl, &addr, &route, &err), -EHOSTUNREACH);
	cr_expect(strstr(err.text, "broadcast"), "%s", err.text);
}

static void manage(const char *text)
{
	struct addr addr = addr_of(text);

	cr_assert_eq(nl_neighbour_manage(nl, here0.ifindex, &addr, &err), 0, "%s", err.text);
}

static void release(const char *text)
{
	struct addr addr = addr_of(text);

	cr_assert_eq(nl_neighbour_release(nl, here0.ifindex, &addr, &err), 0, "%s", err.text);
}

static bool is_managed(const char *text)
{
	return here_try("ip neigh show %s dev here0 | grep -q managed", text) == 0;
}

/* 5: a managed neighbour resolves without a packet of ours, of either family, also when asked for
 * twice or over an entry that is there; released it is an ordinary entry that keeps its MAC. */
Test(nl, neighbour)
{
	static const char *const addrs[] = { "10.9.0.2", "2001:db8:9::2" };

	for (size_t i = 0; i < sizeof(addrs) / sizeof(*addrs); i++) {
		struct addr addr = addr_of(addrs[i]);
		uint8_t mac[6];

		cr_expect_eq(nl_neighbour_get(nl, here0.ifindex, &addr, mac, &err), 1);
		release(addrs[i]);
		manage(addrs[i]);
		wait_for_mac(addrs[i], mac_there);
		cr_expect(is_managed(addrs[i]), "%s", addrs[i]);
		manage(addrs[i]);
		wait_for_mac(addrs[i], mac_there);
		cr_expect(is_managed(addrs[i]), "%s", addrs[i]);
		release(addrs[i]);
		cr_expect(!is_managed(addrs[i]), "%s", addrs[i]);
		wait_for_mac(addrs[i], mac_there);
		manage(addrs[i]);
		cr_expect(is_managed(addrs[i]), "managed over an entry that exists");
	}
}

/* 6: nobody there: unknown for as long as it lasts, and resolved once somebody is. */
Test(nl, neighbour_absent)
{
	struct addr addr = addr_of("10.9.0.99");
	uint8_t mac[6];

	manage("10.9.0.99");
	for (int i = 0; i < 5; i++, rest())
		cr_assert_eq(nl_neighbour_get(nl, here0.ifindex, &addr, mac, &err), 1);
	there_run("ip addr add 10.9.0.99/24 dev there0");
	for (int i = 0; i < 2; i++) /* the kernel tries again every 5 s */
		for (int j = 0; j < PATIENCE; j++, rest())
			if (nl_neighbour_get(nl, here0.ifindex, &addr, mac, &err) == 0)
				break;
	wait_for_mac("10.9.0.99", mac_there);
}

/* 7: an operator's permanent entry stays as it is; an interface that has gone is no trouble. */
Test(nl, neighbour_left_alone)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 7 };
	struct addr addr = addr_of("10.9.0.7");

	here_run("ip neigh add 10.9.0.7 lladdr 02:00:00:00:00:07 nud permanent dev here0");
	manage("10.9.0.7");
	cr_expect(!is_managed("10.9.0.7"));
	release("10.9.0.7");
	wait_for_mac("10.9.0.7", mac);
	cr_expect_eq(here_try("ip neigh show 10.9.0.7 | grep -q PERMANENT"), 0);
	cr_expect_eq(nl_neighbour_release(nl, 4711, &addr, &err), 0, "%s", err.text);
	cr_expect_eq(nl_neighbour_manage(nl, 4711, &addr, &err), -ENODEV);
	cr_expect(strstr(err.text, "10.9.0.7"), "%s", err.text);
}

/* 8: `weir down` releases whatever is managed. */
Test(nl, neighbour_release_all)
{
	static const char *const addrs[] = { "10.9.0.2", "2001:db8:9::2", "10.9.0.50" };

	for (size_t i = 0; i < sizeof(addrs) / sizeof(*addrs); i++)
		manage(addrs[i]);
	cr_assert_eq(nl_neighbour_release_all(nl, &err), 0, "%s", err.text);
	for (size_t i = 0; i < sizeof(addrs) / sizeof(*addrs); i++)
		cr_expect(!is_managed(addrs[i]), "%s", addrs[i]);
	cr_expect_eq(nl_neighbour_release_all(nl, &err), 0, "%s", err.text);
}

static bool list_has(const struct addr_list *list, const char *text)
{
	struct addr addr = addr_of(text);

	vec_foreach(item, &list->list)
		if (addr_equal(item, &addr))
			return true;
	return false;
}

static void add_vip(const char *text, int want)
{
	struct addr addr = addr_of(text);
	int r = nl_vip_add(nl, here0.ifindex, &addr, &err);

	cr_assert_eq(r, want, "%s: %d %s", text, r, err.text);
}

static void remove_vip(const char *text)
{
	struct addr addr = addr_of(text);

	cr_assert_eq(nl_vip_remove(nl, &addr, &err), 0, "%s", err.text);
}

static void expect_vips(size_t count)
{
	struct addr_list vips = {};

	cr_assert_eq(nl_vips(nl, &vips, &err), 0, "%s", err.text);
	cr_expect_eq(vips.list.count, count, "%zu instead of %zu", vips.list.count, count);
	if (count == 2) {
		cr_expect(list_has(&vips, VIP4));
		cr_expect(list_has(&vips, VIP6));
	}
	vec_free(&vips.list);
}

/* 9: a listener address is answered on the wire (ARP, neighbour solicitation) and found again by a
 * later process; removed it is silent. It is not among the host's own addresses. */
Test(nl, vip)
{
	static const char *const vips[] = { VIP4, VIP6 };
	struct addr_list own = {};

	expect_vips(0);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_neq(reach_from_there(vips[i]), 0, "%s answered before", vips[i]);
		add_vip(vips[i], 0);
		add_vip(vips[i], 0);
		there_run("ip neigh flush dev there0");
		cr_expect_eq(reach_from_there(vips[i]), 0, "%s", vips[i]);
	}
	nl_free(nl);
	cr_assert_eq(nl_new(&nl, &err), 0, "%s", err.text);
	expect_vips(2);
	cr_assert_eq(nl_addresses(nl, &own, &err), 0, "%s", err.text);
	cr_expect(!list_has(&own, VIP4) && !list_has(&own, VIP6));
	cr_expect(list_has(&own, "10.9.0.1") && list_has(&own, "2001:db8:9::1"));
	cr_expect(list_has(&own, "127.0.0.1"));
	vec_free(&own.list);
	for (size_t i = 0; i < 2; i++) {
		remove_vip(vips[i]);
		remove_vip(vips[i]);
		there_run("ip neigh flush dev there0");
		cr_expect_neq(reach_from_there(vips[i]), 0, "%s still answers", vips[i]);
	}
	expect_vips(0);
}

/* 10: it is not used as the source of the host's own packets, even where it is the address most
 * like the destination. */
Test(nl, vip_is_no_source)
{
	here_run("ip -6 route add 2001:db8:5::/48 via 2001:db8:9::2");
	add_vip(VIP4, 0);
	add_vip(VIP6, 0);
	expect_route("10.9.0.2", "10.9.0.2", "10.9.0.1");
	expect_route("2001:db8:9::2", "2001:db8:9::2", "2001:db8:9::1");
	expect_route("2001:db8:5::11", "2001:db8:9::2", "2001:db8:9::1");
}

/* 11: what the host has by itself is neither marked nor removed, on whichever interface. */
Test(nl, vip_of_the_host)
{
	struct addr_list own = {};

	here_run("ip addr add " VIP6 "/128 dev lo");
	here_run("ip route add local 192.0.2.77 dev lo");
	add_vip("10.9.0.1", 1);
	add_vip("2001:db8:9::1", 1);
	add_vip(VIP6, 1);
	add_vip("192.0.2.77", 1);
	expect_vips(0);
	remove_vip("10.9.0.1");
	remove_vip("2001:db8:9::1");
	remove_vip(VIP6);
	remove_vip("192.0.2.77");
	cr_assert_eq(nl_addresses(nl, &own, &err), 0, "%s", err.text);
	cr_expect(list_has(&own, "10.9.0.1") && list_has(&own, "2001:db8:9::1"));
	cr_expect(list_has(&own, VIP6));
	vec_free(&own.list);
	cr_expect_eq(here_try("ip route show table local 192.0.2.77 | grep -q local"), 0);
}

/* 12: one IPv6 address may be answered on several interfaces; removal takes all of them. */
Test(nl, vip_on_two_interfaces)
{
	struct addr addr = addr_of(VIP6);
	struct nl_link other;

	here_run("ip link add here1 up type veth peer name here2");
	cr_assert_eq(nl_link_get(nl, "here1", 0, &other, &err), 0, "%s", err.text);
	add_vip(VIP6, 0);
	cr_assert_eq(nl_vip_add(nl, other.ifindex, &addr, &err), 0, "%s", err.text);
	expect_vips(1);
	remove_vip(VIP6);
	expect_vips(0);
	cr_expect_neq(here_try("ip -6 addr | grep -q " VIP6), 0);
}

/* 13: refusals say what to do. */
Test(nl, vip_refused)
{
	struct addr addr = addr_of(VIP6);

	cr_expect_eq(nl_vip_add(nl, 4711, &addr, &err), -ENODEV);
	here_run("sysctl -qw net.ipv6.conf.here0.disable_ipv6=1");
	cr_expect_lt(nl_vip_add(nl, here0.ifindex, &addr, &err), 0);
	cr_expect(strstr(err.text, VIP6), "%s", err.text);
	addr = addr_of("10.9.0.255");
	cr_expect_eq(nl_vip_add(nl, here0.ifindex, &addr, &err), -EEXIST);
	cr_expect(strstr(err.text, "broadcast"), "%s", err.text);
}

/* The events that arrive within a second, until all in `want` have. */
static int events_within(int want)
{
	int seen = 0;

	for (int i = 0; i < 10 && (seen & want) != want; i++) {
		struct pollfd fd = { .fd = nl_fd(nl), .events = POLLIN };
		int r;

		if (poll(&fd, 1, 100) <= 0)
			continue;
		r = nl_dispatch(nl);
		cr_assert_geq(r, 0, "%s", strerror(-r));
		seen |= r;
	}
	return seen;
}

/* 14: changes wake the daemon, with their kind; without any there is nothing to read. */
Test(nl, events)
{
	events_within(INT32_MAX); /* of the setup */
	cr_expect_eq(nl_dispatch(nl), 0);
	here_run("ip link set here0 mtu 1300");
	cr_expect(events_within(NL_EVENT_LINK) & NL_EVENT_LINK);
	here_run("ip addr add 10.9.1.1/24 dev here0");
	cr_expect(events_within(NL_EVENT_ADDRESS) & NL_EVENT_ADDRESS);
	here_run("ip route add 198.51.100.0/24 via 10.9.0.2");
	cr_expect(events_within(NL_EVENT_ROUTE) & NL_EVENT_ROUTE);
	events_within(INT32_MAX);
	manage("10.9.0.2");
	cr_expect_eq(events_within(NL_EVENT_NEIGHBOUR), NL_EVENT_NEIGHBOUR);
	events_within(INT32_MAX);
	here_run("ip rule add from 10.9.0.1 table 100");
	cr_expect_eq(events_within(NL_EVENT_ROUTE), NL_EVENT_ROUTE);
}

/* 15: an event socket that overran says that anything may have changed, and works again. */
Test(nl, events_overrun)
{
	int want = NL_EVENT_LINK | NL_EVENT_ADDRESS | NL_EVENT_ROUTE | NL_EVENT_NEIGHBOUR, size = 1;

	events_within(INT32_MAX);
	cr_assert_eq(setsockopt(nl_fd(nl), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	for (int i = 0; i < 20; i++)
		here_run("ip link set here0 mtu %d", 1300 + i);
	cr_expect_eq(nl_dispatch(nl), want);
	cr_expect_eq(nl_dispatch(nl), 0);
}

/* 16: without the privilege the error says which one. */
Test(nl, needs_privilege)
{
	struct addr addr = addr_of(VIP4);

	cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(nl_vip_add(nl, here0.ifindex, &addr, &err), -EPERM);
	cr_assert_eq(seteuid(0), 0);
	cr_expect(strstr(err.text, "CAP_NET_ADMIN"), "%s", err.text);
}

/* 17: thousands of entries come back whole. */
Test(nl, many)
{
	struct addr_list vips = {};

	for (int i = 0; i < 1000; i++) {
		struct addr addr = addr_of(VIP4);

		addr.bytes[14] = (uint8_t)(i >> 8);
		addr.bytes[15] = (uint8_t)i;
		cr_assert_eq(nl_vip_add(nl, here0.ifindex, &addr, &err), 0, "%s", err.text);
	}
	cr_assert_eq(nl_vips(nl, &vips, &err), 0, "%s", err.text);
	cr_expect_eq(vips.list.count, 1000);
	vec_free(&vips.list);
}

static void expect_veth(const char *name, bool leaves, const char *peer, const char *netns)
{
	struct nl_veth_peer found;

	cr_expect_eq(nl_veth_leaves_checksums(nl, name, &found), leaves, "%s", name);
	if (!leaves)
		return;
	cr_expect_str_eq(found.name, peer, "%s", name);
	cr_expect_str_eq(found.netns, netns, "%s", name);
}

/* What the other end of a veth sends without a checksum, XDP cannot complete. */
Test(nl, veths_that_leave_checksums)
{
	char netns[32], path[64];
	int fd;

	here_run("ip link add near0 type veth peer name near1");
	expect_veth("near0", true, "near1", "");
	here_run("ethtool -K near1 tx off >/dev/null");
	expect_veth("near0", false, "", "");
	expect_veth("near1", true, "near0", "");
	expect_veth("lo", false, "", "");
	expect_veth("nothing", false, "", "");
	expect_veth("here0", true, "", ""); /* its other end's namespace has no name */

	snprintf(netns, sizeof(netns), "weirtest-nl-%d", (int)getpid());
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	here_run("ip netns attach %s %d", netns, (int)there);
	expect_veth("here0", true, "there0", netns);
	there_run("ethtool -K there0 tx off >/dev/null");
	expect_veth("here0", false, "", "");
	here_run("ip netns delete %s", netns);
	fd = open(path, O_RDONLY);
	cr_expect_lt(fd, 0);
	cr_expect_eq(nl_link_get(nl, "here0", 0, &here0, &err), 0, "still where it was");
}
