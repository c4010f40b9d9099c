// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: in front of a listening socket of this host a SYN is answered with a cookie that the kernel
 * takes back; whatever claims to be of a connection and is of none goes no further; known ones are
 * passed on. A flood of SYNs leaves no state, and clients connect meanwhile, with all TCP options
 * where the host's timestamps allow it. Needs root.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <weir/names.h>

#include "rig_suite.h"

RIG_SUITE(cookie);

#define PORT	80
#define SYN_SEQ 0x01020304u
#define FLOOD	100000
#define BULK	(8 << 20)
#define CLIENTS 20

static void sysctl(const char *key, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", key);
	fd = open(path, O_WRONLY);
	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	cr_assert_gt(write(fd, value, strlen(value)), 0, "%s: %s", path, strerror(errno));
	close(fd);
}

static void run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

/* As the stack will choose it: tcp_select_initial_window(). */
static uint8_t wscale(void)
{
	unsigned long low, middle, high = 0, most = 0;
	uint8_t scale = 0;
	FILE *file = fopen("/proc/sys/net/ipv4/tcp_rmem", "r");

	cr_assert(file && fscanf(file, "%lu %lu %lu", &low, &middle, &high) == 3);
	fclose(file);
	file = fopen("/proc/sys/net/core/rmem_max", "r"); /* of the first namespace alone */
	if (file && fscanf(file, "%lu", &most) == 1 && most > high)
		high = most;
	if (file)
		fclose(file);
	while (scale < 14 && high >> (scale + 16))
		scale++;
	return scale;
}

/* The listener and the socket behind it, in the namespace of the rig's arms. Cookies are switched
 * on by hand: no worker serves here, and so the listener is none of http. */
static int serve(uint8_t cookies, const char *syncookies)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct timeval patience = { .tv_sec = 20 };
	int listening, one = 1;
	struct weir_guard *guard;

	rig_configure("version: 1\n"
		      "acls: [{ name: none, prefixes: [] }]\n"
		      "listeners:\n"
		      "- name: web\n"
		      "  protocol: tcp\n"
		      "  address: [" VIP4 ", '" VIP6 "']\n"
		      "  port: 80\n"
		      "  mode: dsr\n"
		      "  deny: none\n"
		      "  endpoint_groups: [{ name: all, endpoints: [10.0.0.11, 'fd00::11'] }]\n");
	guard = &rig.object->guards[rig_listener("web")->guard];
	guard->cookies = cookies;
	guard->cookie_wscale = wscale();
	run("ip link set lo up; ip link set arm0 up;"
	    "ip address add " VIP4 "/32 dev lo; ip address add " VIP6 "/128 dev lo nodad;"
	    "ip route add 198.51.100.0/24 dev arm0 src " VIP4 ";"
	    "ip address add 2001:db8:ffff::1/64 dev arm0 nodad;"
	    "ip route add 2001:db8:c::/64 dev arm0");
	sysctl("tcp_syncookies", syncookies);
	sysctl("tcp_timestamps", cookies == WEIR_COOKIES_TIMES ? "2" : "1");
	listening = socket(AF_INET6, SOCK_STREAM, 0);
	cr_assert_geq(listening, 0);
	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	cr_assert_eq(bind(listening, (struct sockaddr *)&any, sizeof(any)), 0, "%s",
		     strerror(errno));
	cr_assert_eq(listen(listening, 64), 0);
	/* Where nobody comes, accept() is not to wait for ever. */
	setsockopt(listening, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return listening;
}

static uint32_t get32(const struct packet *packet, size_t offset)
{
	return (uint32_t)packet_get16(packet, offset) << 16 | packet_get16(packet, offset + 2);
}

static void set32(struct packet *packet, size_t offset, uint32_t value)
{
	packet_set16(packet, offset, value >> 16);
	packet_set16(packet, offset + 2, value);
}

static struct packet from_client(bool ip6, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct packet packet = TCP(.src = ip6 ? CLIENT6 : CLIENT4, .dst = ip6 ? VIP6 : VIP4,
				   .sport = 40000, .dport = PORT, .flags = flags);

	set32(&packet, packet.l4 + 4, seq);
	set32(&packet, packet.l4 + 8, ack);
	packet_sum(&packet);
	return packet;
}

/* Sends a SYN with these tags, or none; returns the cookie. */
static uint32_t ask_for_cookie_in(bool ip6, const uint16_t *vlan)
{
	struct packet plain = from_client(ip6, TH_SYN, SYN_SEQ, 0);
	struct packet syn = packet_tagged(&plain, vlan);
	struct rig_result result = rig_send(&syn);
	struct packet *answer = &result.out;
	size_t l4 = syn.l4;

	cr_assert_eq(result.reason, WEIR_R_COOKIE_SENT, "%s", rig_reason(result.reason));
	cr_assert_eq(result.verdict, XDP_TX);
	cr_assert_eq(answer->size, l4 + 24);
	cr_assert_arr_eq(answer->bytes, syn.bytes + 6, 6);
	cr_assert_arr_eq(answer->bytes + 6, syn.bytes, 6);
	cr_assert_arr_eq(answer->bytes + 12, syn.bytes + 12, syn.l3 - 12);
	cr_assert_eq(packet_sums(answer->bytes, answer->size).l4, SUM_GOOD);
	cr_assert_neq(packet_sums(answer->bytes, answer->size).ip, SUM_BAD);
	cr_assert_arr_eq(answer->bytes + l4 - (ip6 ? 32 : 8), syn.bytes + l4 - (ip6 ? 16 : 4),
			 ip6 ? 16 : 4);
	cr_assert_arr_eq(answer->bytes + l4 - (ip6 ? 16 : 4), syn.bytes + l4 - (ip6 ? 32 : 8),
			 ip6 ? 16 : 4);
	cr_assert(packet_get16(answer, l4) == PORT && packet_get16(answer, l4 + 2) == 40000);
	cr_assert_eq(get32(answer, l4 + 8), SYN_SEQ + 1);
	cr_assert_eq(packet_get16(answer, l4 + 12), 0x6000 | TH_SYN | TH_ACK);
	cr_assert_eq(packet_get16(answer, l4 + 20), 0x0204); /* the MSS */
	cr_assert_geq(packet_get16(answer, l4 + 22), 536);
	return get32(answer, l4 + 4);
}

static uint32_t ask_for_cookie(bool ip6)
{
	return ask_for_cookie_in(ip6, NULL);
}

/* They are about connections of the stack's own. */
Test(cookie, errors_are_the_stacks)
{
	struct packet sent =
		TCP(.src = VIP4, .dst = CLIENT4, .sport = PORT, .dport = 40000, .flags = TH_ACK);
	struct packet error = packet_build(&(struct packet_spec){ .protocol = IPPROTO_ICMP,
								  .src = "203.0.113.9",
								  .dst = VIP4,
								  .icmp_type = 3,
								  .icmp_code = 1,
								  .quote = &sent,
								  .quoted = 28 });
	int listening = serve(WEIR_COOKIES_MSS, "2");

	EXPECT_PASS(error, LOCAL);
	rig.object->guards[rig_listener("web")->guard].cookies = WEIR_COOKIES_OFF;
	cr_assert_eq(rig_send(&error).reason, WEIR_R_ICMP_ERROR); /* as with any other listener */
	close(listening);
}

Test(cookie, exchange)
{
	static const uint16_t vlans[][3] = { {}, { 0x6007 }, { 300, 0x2064 } };
	int listening = serve(WEIR_COOKIES_MSS, "2");

	for (size_t i = 0; i < 6; i++) {
		const uint16_t *vlan = vlans[i / 2];
		bool ip6 = i % 2;
		uint32_t cookie = ask_for_cookie_in(ip6, vlan);
		struct packet good = from_client(ip6, TH_ACK, SYN_SEQ + 1, cookie + 1);
		struct packet others[] = {
			from_client(ip6, TH_ACK, SYN_SEQ + 1, cookie + 100),
			from_client(ip6, TH_ACK | TH_PUSH, SYN_SEQ + 1, 7),
			from_client(ip6, TH_FIN, SYN_SEQ + 1, cookie + 1),
			from_client(ip6, TH_RST, SYN_SEQ + 1, 0),
		};

		good = packet_tagged(&good, vlan);
		EXPECT_PASS(good, LOCAL);
		for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++) {
			struct packet other = packet_tagged(&others[k], vlan);

			cr_assert_eq(rig_send(&other).reason, WEIR_R_NO_FLOW, "%zu, %zu", i, k);
		}
	}
	close(listening);
}

/* As long as no cookie is about, whatever it is goes to the stack. */
Test(cookie, nobody_is_looked_up_in_peace)
{
	struct packet stray = from_client(false, TH_ACK, 1, 1);
	int listening = serve(WEIR_COOKIES_MSS, "2");

	EXPECT_PASS(stray, LOCAL);
	ask_for_cookie(false);
	cr_assert_eq(rig_send(&stray).reason, WEIR_R_NO_FLOW);
	rig_advance(119);
	cr_assert_eq(rig_send(&stray).reason, WEIR_R_NO_FLOW);
	rig_advance(3);
	EXPECT_PASS(stray, LOCAL);
	close(listening);
}

/* 1: while there is room in the queue, the stack makes connections with everything there is. */
Test(cookie, as_the_host_says)
{
	static const char *const values[] = { "0", "1" };

	for (int i = 0; i < 2; i++) {
		struct packet syn = from_client(false, TH_SYN, SYN_SEQ, 0);
		struct packet ack = from_client(false, TH_ACK, SYN_SEQ, 1);
		int listening = serve(WEIR_COOKIES_MSS, values[i]);

		EXPECT_PASS(syn, LOCAL);
		EXPECT_PASS(ack, LOCAL);
		close(listening);
		run("ip address flush dev lo; ip address flush dev arm0; ip link set arm0 down");
	}
}

/* Nobody listens: the stack says so. Packets that are not plain are its own, too. */
Test(cookie, not_here)
{
	struct packet unusual = TCP(.src = CLIENT4, .dst = VIP4, .sport = 4, .dport = PORT,
				    .flags = TH_SYN, .ip_options = 4);
	struct packet tagged = TCP(.src = CLIENT4, .dst = VIP4, .sport = 4, .dport = PORT,
				   .flags = TH_SYN, .ip_options = 4, .vlan = { 7 });
	struct packet chain = TCP(.src = CLIENT6, .dst = VIP6, .sport = 4, .dport = PORT,
				  .flags = TH_SYN, .extensions = { EXT_HOP });
	struct packet first = TCP(.src = CLIENT4, .dst = VIP4, .sport = 4, .dport = PORT,
				  .flags = TH_SYN, .fragment = 0x2000);
	struct packet syn = from_client(true, TH_SYN, SYN_SEQ, 0);
	int listening = serve(WEIR_COOKIES_MSS, "2");

	EXPECT_PASS(unusual, LOCAL);
	EXPECT_PASS(tagged, LOCAL);
	EXPECT_PASS(chain, LOCAL);
	EXPECT_PASS(first, LOCAL);
	close(listening);
	EXPECT_PASS(syn, LOCAL);
}

/* Options that lie about their length end the list; the answer is a good one all the same. */
Test(cookie, options_of_all_kinds)
{
	int listening = serve(WEIR_COOKIES_TIMES, "2");
	uint32_t state = 7;

	for (int i = 0; i < 3000; i++) {
		struct packet syn = TCP(.src = CLIENT4, .dst = VIP4, .sport = 40000, .dport = PORT,
					.flags = TH_SYN, .tcp_options = 4 * (i % 11));
		struct rig_result result;

		for (size_t at = 0; at < 4 * (size_t)(i % 11); at++) {
			state = state * 1664525 + 1013904223;
			syn.bytes[syn.l4 + 20 + at] =
				state >> 24 & 1 ? state >> 25 & 15 : state >> 16;
		}
		packet_sum(&syn);
		result = rig_send(&syn);
		cr_assert_eq(result.reason, WEIR_R_COOKIE_SENT, "%s", rig_reason(result.reason));
		cr_assert_eq(packet_sums(result.out.bytes, result.out.size).l4, SUM_GOOD);
	}
	close(listening);
}

static uint32_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* With a timestamp, perhaps SACK, and this window scale, if it is a number. */
static struct packet syn_offering(bool sack, int scale)
{
	uint8_t options[] = { 2,
			      4,
			      5,
			      0xb4,
			      8,
			      10,
			      0xde,
			      0xad,
			      0xbe,
			      0xef,
			      0,
			      0,
			      0,
			      0,
			      sack ? 4 : 1,
			      sack ? 2 : 1,
			      1,
			      3,
			      3,
			      (uint8_t)scale };
	struct packet syn = TCP(.src = CLIENT4, .dst = VIP4, .sport = 40000, .dport = PORT,
				.flags = TH_SYN, .tcp_options = sizeof(options));

	if (scale < 0)
		memset(options + 17, 1, 3);
	memcpy(syn.bytes + syn.l4 + 20, options, sizeof(options));
	packet_sum(&syn);
	return syn;
}

/* The kernel reads SACK and the client's window scale from the lowest bits of the time that comes
 * back. A time that is not yet would be followed by earlier ones, which clients drop. */
Test(cookie, times_tell_what_was_offered)
{
	static const int scales[] = { -1, 0, 7, 14, 15, 255 };
	int listening = serve(WEIR_COOKIES_TIMES, "2");
	struct rig_result result;
	struct packet last;

	for (size_t i = 0; i < 40 * sizeof(scales) / sizeof(scales[0]); i++) {
		bool sack = i % 2, scaled;
		int scale = scales[i / 40];
		struct packet syn = syn_offering(sack, scale), *answer;
		uint32_t time, before, after;
		size_t at = syn.l4 + 20;

		scaled = scale >= 0 && scale <= 14;
		before = now_ms();
		result = rig_send(&syn);
		after = now_ms();
		answer = &result.out;
		cr_assert_eq(result.reason, WEIR_R_COOKIE_SENT, "%s", rig_reason(result.reason));
		cr_assert_eq(answer->size, at + (scaled ? 20 : 16));
		cr_assert_eq(packet_get16(answer, at + 4), sack ? 0x0402 : 0x0101);
		cr_assert_eq(packet_get16(answer, at + 6), 0x080a);
		time = get32(answer, at + 8);
		cr_assert_eq(time & 0x3f, (uint32_t)(scaled ? scale : 0xf) | (sack ? 0x10 : 0));
		cr_assert(after - time < 1u << 31 && time - (before - 128) < 1u << 31,
			  "%u, not between %u and %u", time, before - 128, after);
		cr_assert_eq(get32(answer, at + 12), 0xdeadbeef);
		if (scaled)
			cr_assert_eq(get32(answer, at + 16), 0x01030300u | wscale());
		usleep(3000); /* the lowest bits of now are others */
	}
	last = syn_offering(true, 7);
	last.bytes[last.l4 + 20 + 15] = 3; /* SACK has two bytes */
	packet_sum(&last);
	result = rig_send(&last);
	cr_assert_eq(packet_get16(&result.out, last.l4 + 24), 0x0101);
	rig.object->guards[rig_listener("web")->guard].cookie_wscale = 15;
	last = syn_offering(false, 7);
	cr_assert_eq(rig_send(&last).out.size, last.l4 + 36, "no scale");
	close(listening);
}

/* What stands behind the list's end, or in an option that is longer than the header, is none. */
Test(cookie, options_that_are_none)
{
	static const uint8_t tails[][12] = {
		{ 0, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 }, /* its end, and a timestamp */
		{ 1, 0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 },
		{ 4, 2, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0 }, /* 2 bytes of it are not there, ... */
		{ 1, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7 }, /* ... or one, ... */
		{ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 8 },	 /* ... or 9 */
		{ 8, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 }, /* lengths below 2 */
		{ 8, 0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 },
	};
	int listening = serve(WEIR_COOKIES_TIMES, "2");

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct packet syn =
			TCP(.src = CLIENT4, .dst = VIP4, .sport = 40000, .dport = PORT,
			    .flags = TH_SYN, .tcp_options = sizeof(tails[i]), .payload = 9);
		struct rig_result result;

		memcpy(syn.bytes + syn.l4 + 20, tails[i], sizeof(tails[i]));
		packet_sum(&syn);
		result = rig_send(&syn);
		cr_assert_eq(result.reason, WEIR_R_COOKIE_SENT, "%s", rig_reason(result.reason));
		cr_assert_eq(result.out.size, syn.l4 + 24, "%zu: %zu bytes", i, result.out.size);
	}
	close(listening);
}

/* The client is a process in a namespace of its own, at the far end of the arm. */

static void give_up(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static int dial(bool ip6)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(ip6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET6, VIP6, &to6.sin6_addr);
	inet_pton(AF_INET, VIP4, &to4.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, ip6 ? (struct sockaddr *)&to6 : (struct sockaddr *)&to4,
		    ip6 ? sizeof(to6) : sizeof(to4)))
		give_up("connect");
	return fd;
}

/* Asks, gets BULK bytes, and looks at what has been agreed. */
static void talk(bool ip6, bool times)
{
	unsigned wanted = times ? TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE : 0;
	static char bytes[1 << 16];
	struct tcp_info info;
	socklen_t size = sizeof(info);
	int fd = dial(ip6);
	long got, all = 0;

	if (write(fd, "?", 1) != 1)
		give_up("write");
	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		all += got;
	if (all != BULK)
		give_up("not all bytes came");
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) || info.tcpi_options != wanted ||
	    (times && info.tcpi_snd_wscale != wscale()))
		give_up("other TCP options than there should be");
	close(fd);
}

static void flood(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex("arm1") };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	for (unsigned i = 0; i < FLOOD; i++) {
		struct packet syn;
		char src[20];

		snprintf(src, sizeof(src), "10.%u.%u.%u", i >> 14 & 255, i >> 7 & 127,
			 1 + (i & 127));
		syn = TCP(.src = src, .dst = VIP4, .sport = 1024 + i % 60000, .dport = PORT,
			  .flags = TH_SYN, .to_mac = ARM0_MAC);
		while (sendto(fd, syn.bytes, syn.size, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			if (errno != ENOBUFS)
				give_up("sendto");
	}
	_exit(0);
}

/* XDP_TX from an arm needs a program on the other one. */
static void attach_pass(void)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", program, 2, &options);

	if (bpf_xdp_attach((int)if_nametoindex("arm1"), fd, XDP_FLAGS_DRV_MODE, NULL))
		give_up("attach");
}

static void client(int go, bool times)
{
	char word;
	pid_t flooding;
	int status;

	if (read(go, &word, 1) != 1 ||
	    system("ethtool -K arm1 tx off >/dev/null; ip link set arm1 up;"
		   "ip address add " CLIENT4 "/24 dev arm1;"
		   "ip address add " CLIENT6 "/64 dev arm1 nodad;"
		   "ip route add " VIP4 " dev arm1; ip route add " VIP6 " dev arm1;"
		   "ip neigh add " VIP4 " lladdr " ARM0_MAC " dev arm1;"
		   "ip neigh add " VIP6 " lladdr " ARM0_MAC " dev arm1"))
		give_up("namespace");
	attach_pass();
	flooding = fork();
	if (!flooding)
		flood();
	for (int i = 0; i < CLIENTS; i++)
		talk(i % 2, times);
	if (waitpid(flooding, &status, 0) != flooding || status)
		give_up("flood");
	_exit(0);
}

/* Both ends must have agreed on the same. */
static void check_options(int fd, bool times)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	cr_assert_eq(info.tcpi_options & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE),
		     times ? TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE : 0);
	if (times)
		cr_assert_eq(info.tcpi_rcv_wscale, wscale());
}

static void answer_clients(int listening, bool times)
{
	static char bytes[1 << 16];

	for (int i = 0; i < CLIENTS; i++) {
		int fd = accept(listening, NULL, NULL);
		char word;

		cr_assert_geq(fd, 0, "%s", strerror(errno));
		check_options(fd, times);
		cr_assert_eq(read(fd, &word, 1), 1);
		for (long sent = 0; sent < BULK; sent += sizeof(bytes))
			cr_assert_eq(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes),
				     "client %d: %s", i, strerror(errno));
		close(fd);
	}
}

/* A counter of this namespace. */
static long netstat(const char *name)
{
	char names[8192], values[8192];
	FILE *file = fopen("/proc/net/netstat", "r");

	while (file && fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file)) {
		char *next_name, *next_value;
		char *one = strtok_r(names, " \n", &next_name);
		char *value = strtok_r(values, " \n", &next_value);

		for (; one && value; one = strtok_r(NULL, " \n", &next_name),
				     value = strtok_r(NULL, " \n", &next_value)) {
			if (strcmp(one, name))
				continue;
			fclose(file);
			return atol(value);
		}
	}
	cr_assert_fail("there is no counter %s", name);
	return -1;
}

static void flood_and_connect(uint8_t cookies)
{
	int listening = serve(cookies, "2"), go[2], status;
	bool times = cookies == WEIR_COOKIES_TIMES;
	char command[100];
	pid_t child;

	cr_assert_eq(pipe(go), 0);
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWNET))
			give_up("unshare");
		sysctl("tcp_timestamps", "1");
		if (write(go[1], "!", 1) == 1)
			usleep(300000); /* the parent's word comes next */
		client(go[0], times);
	}
	cr_assert_eq(read(go[0], command, 1), 1);
	snprintf(command, sizeof(command), "ip link set arm1 netns %d", child);
	run(command);
	run("ethtool -K arm0 tx off >/dev/null;"
	    "ip neigh add " CLIENT4 " lladdr " ARM1_MAC " dev arm0;"
	    "ip neigh add " CLIENT6 " lladdr " ARM1_MAC " dev arm0");
	cr_assert_eq(bpf_xdp_attach((int)rig.arm[0], rig.object->program, XDP_FLAGS_DRV_MODE, NULL),
		     0, "%s", strerror(errno));
	cr_assert_eq(write(go[1], "!", 1), 1);
	answer_clients(listening, times);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0, "the client's word is above");

	cr_assert_geq(rig_counted("web", WEIR_R_COOKIE_SENT), FLOOD * 95 / 100);
	cr_assert_eq(netstat("SyncookiesSent"), 0); /* the stack has seen no SYN */
	cr_assert_eq(netstat("SyncookiesRecv"), CLIENTS);
	cr_assert_eq(netstat("ListenOverflows"), 0);
	run("test $(awk '$4 == \"03\"' /proc/net/tcp /proc/net/tcp6 | wc -l) = 0");
	close(listening);
	rig_recount();
}

Test(cookie, a_flood_leaves_nothing_and_clients_connect)
{
	flood_and_connect(WEIR_COOKIES_MSS);
}

Test(cookie, with_all_options_of_tcp)
{
	flood_and_connect(WEIR_COOKIES_TIMES);
}
