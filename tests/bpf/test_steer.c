// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what comes for a listener of http is passed to the host's stack, counted, after its lists
 * and limits; new connections are led to the sockets of workers, who take turns; one whose socket
 * is closed gets none; everything else finds its socket as without weir. Needs root.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/steer.h"
#include "rig_suite.h"

RIG_SUITE(steer);

#define PLACES 3

static void configure(const char *more)
{
	rig_configure("version: 1\n"
		      "acls: [{ name: some, prefixes: [198.51.100.0/24] },"
		      " { name: some6, prefixes: ['2001:db8::/32'] }]\n"
		      "listeners:\n"
		      "- name: web\n"
		      "  protocol: http\n"
		      "  address: [" VIP4 ", '" VIP6 "']\n"
		      "  port: 80\n"
		      "  %s\n"
		      "  endpoint_groups: [{ name: all, endpoints: [10.0.0.11, 'fd00::11'] }]\n"
		      "- name: other\n"
		      "  protocol: tcp\n"
		      "  address: [" VIP4 ", '" VIP6 "']\n"
		      "  port: 81\n"
		      "  mode: dsr\n"
		      "  endpoint_groups: [{ name: all, endpoints: [10.0.0.11, 'fd00::11'] }]\n",
		      more);
}

static struct packet to_vip(bool ip6, uint16_t port, uint8_t flags)
{
	return TCP(.src = ip6 ? CLIENT6 : CLIENT4, .dst = ip6 ? VIP6 : VIP4, .sport = 40000,
		   .dport = port, .flags = flags);
}

Test(steer, packets_pass)
{
	configure("idle_timeout: 15s");
	for (int ip6 = 0; ip6 < 2; ip6++) {
		struct packet other;
		static const uint8_t flags[] = { TH_SYN, TH_ACK, TH_ACK | TH_PUSH, TH_FIN, TH_RST };

		for (size_t i = 0; i < sizeof(flags); i++) {
			struct packet packet = to_vip(ip6, 80, flags[i]);
			struct rig_result result = rig_send(&packet);

			cr_assert_eq(result.reason, WEIR_R_LOCAL, "%s", rig_reason(result.reason));
			cr_assert_eq(result.verdict, XDP_PASS);
			cr_assert_eq(result.listener, rig_listener("web")->id);
		}
		other = to_vip(ip6, 81, TH_SYN);
		EXPECT_TO(other, ip6 ? "fd00::11" : "10.0.0.11");
		/* An error about a connection that ends here. */
		other = TCP(.src = ip6 ? VIP6 : VIP4, .dst = ip6 ? CLIENT6 : CLIENT4, .sport = 80,
			    .dport = 40000, .flags = TH_ACK);
		other = ICMP(.src = ip6 ? "2001:db8:f::9" : "203.0.113.9", .dst = ip6 ? VIP6 : VIP4,
			     .icmp_type = ip6 ? 2 : 3, .icmp_code = ip6 ? 0 : 4, .icmp_rest = 1400,
			     .quote = &other);
		EXPECT_PASS(other, LOCAL);
	}
}

Test(steer, lists_and_limits)
{
	struct packet syn = to_vip(false, 80, TH_SYN), ack = to_vip(false, 80, TH_ACK);

	configure("deny: [some, some6]");
	EXPECT_DROP(syn, ACL_DENIED);
	EXPECT_DROP(ack, ACL_DENIED);
	configure("allow: [some, some6]\n  new_flows_per_source: 3/s");
	for (int i = 0; i < 3; i++)
		EXPECT_PASS(syn, LOCAL);
	EXPECT_DROP(syn, SOURCE_LIMITED);
	EXPECT_PASS(ack, LOCAL);
}

/* ---- who gets a connection ---- */

static int listening(void)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	cr_assert_geq(fd, 0);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
	setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s",
		     strerror(errno));
	cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
	return cookie;
}

/* One of many: what is other in the last word of its address, and its port. */
struct client {
	uint32_t host;
	uint16_t port;
};

/* The cookie of the socket that the program chooses for a connection, 0: it leaves that to others.
 */
static uint64_t ask_from(const struct client *client, bool ip6, const char *local, uint16_t port,
			 uint32_t protocol)
{
	struct bpf_sk_lookup context = {
		.family = ip6 ? AF_INET6 : AF_INET,
		.protocol = protocol,
		.remote_port = htons(client->port),
		.local_port = port,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .ctx_out = &context, .ctx_size_out = sizeof(context));

	if (ip6) {
		inet_pton(AF_INET6, CLIENT6, context.remote_ip6);
		context.remote_ip6[3] ^= htonl(client->host);
		inet_pton(AF_INET6, local, context.local_ip6);
	} else {
		inet_pton(AF_INET, CLIENT4, &context.remote_ip4);
		context.remote_ip4 ^= htonl(client->host);
		inet_pton(AF_INET, local, &context.local_ip4);
	}
	cr_assert_eq(bpf_prog_test_run_opts(rig.object->steer, &options), 0, "%s", strerror(errno));
	cr_assert_eq(options.retval, SK_PASS);
	return context.cookie;
}

static uint64_t ask(bool ip6, const char *local, uint16_t port, uint32_t protocol)
{
	return ask_from(&(struct client){ 0, 40000 }, ip6, local, port, protocol);
}

Test(steer, the_dead_get_none)
{
	uint64_t cookies[PLACES];
	int sockets[PLACES];

	configure("idle_timeout: 15s");
	cr_expect_eq(ask(false, VIP4, 80, IPPROTO_TCP), 0, "there is nobody yet");
	for (uint32_t i = 0; i < PLACES; i++) {
		sockets[i] = listening();
		cookies[i] = cookie_of(sockets[i]);
		cr_assert_eq(steer_place(rig.object, i, sockets[i], NULL), 0);
	}
	steer_count(rig.object, PLACES);
	close(sockets[1]);
	for (int i = 0; i < 100; i++) {
		uint64_t cookie = ask(false, VIP4, 80, IPPROTO_TCP);

		cr_assert(cookie == cookies[0] || cookie == cookies[2], "the living alone");
	}
	close(sockets[0]);
	close(sockets[2]);
	cr_expect_eq(ask(false, VIP4, 80, IPPROTO_TCP), 0, "nobody lives");
}

Test(steer, evenly)
{
	uint64_t cookies[PLACES];
	unsigned counts[PLACES] = {};

	configure("idle_timeout: 15s");
	for (uint32_t i = 0; i < PLACES; i++) {
		int fd = listening();

		cookies[i] = cookie_of(fd);
		cr_assert_eq(steer_place(rig.object, i, fd, NULL), 0);
	}
	steer_count(rig.object, PLACES);
	for (int i = 0; i < 300; i++) {
		uint64_t cookie = ask(false, VIP4, 80, IPPROTO_TCP);

		for (int place = 0; place < PLACES; place++)
			counts[place] += cookie == cookies[place];
	}
	/* Each CPU counts by itself. */
	for (int place = 0; place < PLACES; place++)
		cr_expect(counts[place] >= 90 && counts[place] <= 110, "%u", counts[place]);
}

#define FLOWS 1200

/* Of IPv4 and IPv6, with other ports of one host, or the same of others. */
static uint64_t ask_flow(unsigned flow)
{
	uint16_t other = (uint16_t)(flow / 4);
	const struct client client = { flow & 2 ? other : 0, flow & 2 ? 1024 : 1024 + other };
	bool ip6 = flow & 1;

	return ask_from(&client, ip6, ip6 ? VIP6 : VIP4, 80, IPPROTO_TCP);
}

/* Who has asked for a cookie is who must get it back: a flow always comes to the same worker, until
 * that dies. */
Test(steer, with_cookies_a_flow_has_its_worker)
{
	uint64_t cookies[PLACES], first[FLOWS];
	unsigned counts[4][PLACES] = {};
	int sockets[PLACES];

	rig.facts.cookies.kind = WEIR_COOKIES_MSS;
	configure("syn_cookies: true");
	for (uint32_t i = 0; i < PLACES; i++) {
		sockets[i] = listening();
		cookies[i] = cookie_of(sockets[i]);
		cr_assert_eq(steer_place(rig.object, i, sockets[i], NULL), 0);
	}
	steer_count(rig.object, PLACES);
	for (unsigned i = 0; i < FLOWS; i++) {
		first[i] = ask_flow(i);
		for (int place = 0; place < PLACES; place++)
			counts[i % 4][place] += first[i] == cookies[place];
	}
	for (int i = 0; i < 4 * PLACES; i++) /* 100 each, on average */
		cr_expect(counts[i / PLACES][i % PLACES] > 60, "kind %d: %u", i / PLACES,
			  counts[i / PLACES][i % PLACES]);
	for (unsigned i = 0; i < FLOWS; i++)
		cr_assert_eq(ask_flow(i), first[i]);
	close(sockets[1]);
	for (unsigned i = 0; i < FLOWS; i++) {
		uint64_t cookie = ask_flow(i);

		if (first[i] == cookies[1])
			cr_assert(cookie == cookies[0] || cookie == cookies[2]);
		else
			cr_assert_eq(cookie, first[i]);
	}
}

Test(steer, others_are_left_alone)
{
	int fd = listening();

	configure("idle_timeout: 15s");
	cr_assert_eq(steer_place(rig.object, 0, fd, NULL), 0);
	steer_count(rig.object, 1);
	cr_expect_eq(ask(false, VIP4, 80, IPPROTO_TCP), cookie_of(fd));
	cr_expect_eq(ask(false, VIP4, 80, IPPROTO_UDP), 0, "another protocol");
	cr_expect_eq(ask(false, VIP4, 81, IPPROTO_TCP), 0,
		     "a listener that packets are sent on of");
	cr_expect_eq(ask(false, VIP4, 82, IPPROTO_TCP), 0, "no listener's port");
	cr_expect_eq(ask(false, "192.0.2.77", 80, IPPROTO_TCP), 0, "another address");
	cr_expect_eq(ask(true, "2001:db8::77", 80, IPPROTO_TCP), 0);
	steer_count(rig.object, 0);
	cr_expect_eq(ask(false, VIP4, 80, IPPROTO_TCP), 0, "its place has been emptied");
}
