// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: 'allow' lets in who is in one of its lists and nobody else, 'deny' all but those; exactly
 * to the edge of each prefix, in both families, in every mode and for every packet, also of known
 * connections. A change is there whole at once, whoever else names the same lists; what is refused
 * is counted for its listener. Needs root.
 */
#include <string.h>

#include "dataplane/sync.h"
#include "rig_suite.h"

RIG_SUITE(acl);

#define LISTENER                                                                                   \
	"- name: web\n"                                                                            \
	"  protocol: tcp\n"                                                                        \
	"  address: [" VIP4 ", '" VIP6 "']\n"                                                      \
	"  port: [80, 443]\n"                                                                      \
	"  mode: %s\n"                                                                             \
	"  %s\n"                                                                                   \
	"  endpoint_groups: [{ name: all, endpoints: [10.0.0.11, 'fd00::11'] }]\n"

static void configure(const char *mode, const char *acls, const char *access)
{
	rig_configure("version: 1\nacls: %s\nlisteners:\n" LISTENER, acls, mode, access);
}

static const char *const acls =
	"[{ name: a4, prefixes: [198.51.100.0/24, 203.0.113.7, 203.0.113.9] },"
	" { name: b4, prefixes: [198.51.101.0/28, 8.0.0.0/6] },"
	" { name: a6, prefixes: ['2001:db8:c::/48', '2001:db8:d::1'] },"
	" { name: b6, prefixes: ['2001:db8:e::/63'] }]";

/* Of all four. */
static const struct {
	const char *from;
	bool listed;
} sources[] = {
	{ "198.51.99.255", false },
	{ "198.51.100.0", true },
	{ "198.51.100.255", true },
	{ "198.51.101.0", true },
	{ "198.51.101.15", true },
	{ "198.51.101.16", false },
	{ "203.0.113.6", false },
	{ "203.0.113.7", true },
	{ "203.0.113.8", false },
	{ "203.0.113.9", true },
	{ "203.0.113.10", false },
	{ "7.255.255.255", false },
	{ "8.0.0.0", true },
	{ "11.255.255.255", true },
	{ "12.0.0.0", false },
	{ "1.0.0.0", false },
	{ "223.255.255.255", false },
	{ "2001:db8:b:ffff:ffff:ffff:ffff:ffff", false },
	{ "2001:db8:c::", true },
	{ "2001:db8:c:ffff:ffff:ffff:ffff:ffff", true },
	{ "2001:db8:d::", false },
	{ "2001:db8:d::1", true },
	{ "2001:db8:d::2", false },
	{ "2001:db8:e::", true },
	{ "2001:db8:e:1::ffff", true },
	{ "2001:db8:e:2::", false },
	{ "2::", false },
	{ "fe80::1", false },
};

static struct packet packet_of(const char *from, uint16_t port, uint8_t flags)
{
	return TCP(.src = from, .dst = strchr(from, ':') ? VIP6 : VIP4, .sport = 40000,
		   .dport = port, .flags = flags);
}

static void expect(const char *from, uint16_t port, bool let_in)
{
	struct packet packet = packet_of(from, port, TH_SYN);
	struct rig_result result = rig_send(&packet);

	cr_assert_eq(result.reason, let_in ? WEIR_R_FORWARDED : WEIR_R_ACL_DENIED, "%s: %s", from,
		     rig_reason(result.reason));
	cr_assert_eq(result.verdict, let_in ? XDP_TX : XDP_DROP);
	cr_assert_eq(result.listener, rig_listener("web")->id);
}

Test(acl, to_the_edge)
{
	static const char *const modes[] = { "nat", "dsr" };

	for (int mode = 0; mode < 2; mode++) {
		for (int allow = 0; allow < 2; allow++) {
			configure(modes[mode], acls,
				  allow ? "allow: [a4, b4, b6, a6]" : "deny: [b6, a4, a6, b4]");
			for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
				expect(sources[i].from, 80, sources[i].listed == allow);
				expect(sources[i].from, 443, sources[i].listed == allow);
			}
		}
	}
}

/* A family of which there is no list: nobody of it is in one. */
Test(acl, of_one_family)
{
	configure("dsr", acls, "deny: [a4]");
	expect("198.51.100.1", 80, false);
	expect("2001:db8:c::1", 80, true);
	rig_recount();
}

Test(acl, nobody)
{
	rig_configure("version: 1\nacls: [{ name: none, prefixes: [] }]\nlisteners:\n" LISTENER,
		      "dsr", "allow: none\n  allow_nobody: true");
	expect("198.51.100.1", 80, false);
	expect("2001:db8:c::1", 80, false);
	configure("dsr", acls, "allow: []\n  allow_nobody: true");
	expect("198.51.100.1", 80, false);
	configure("dsr", acls, "deny: []");
	expect("198.51.100.1", 80, true);
	expect("2001:db8:c::1", 80, true);
	configure("dsr", acls, "allow: a4\n  allow_nobody: true");
	expect("198.51.100.1", 80, true);
	expect("2001:db8:c::1", 80, false);
}

Test(acl, everybody)
{
	static const char *const all = "[{ name: all4, prefixes: 0.0.0.0/0 },"
				       " { name: all6, prefixes: '::/0' }]";

	configure("dsr", all, "deny: [all4, all6]");
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
		expect(sources[i].from, 80, false);
	configure("dsr", all, "allow: [all4, all6]");
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
		expect(sources[i].from, 80, true);
}

/* Every packet of a client, so that a change ends connections, too; and what comes from endpoints
 * never. */
Test(acl, known_connections)
{
	static const uint8_t flags[] = { TH_SYN, TH_ACK, TH_ACK | TH_PUSH, TH_FIN | TH_ACK,
					 TH_RST };

	for (int nat = 0; nat < 2; nat++) {
		configure(nat ? "nat" : "dsr", acls, "allow: [a4, a6]");
		for (size_t i = 0; i < 2; i++) {
			struct packet packet = packet_of(CLIENT4, 80, flags[i]);

			EXPECT_TO(packet, "10.0.0.11");
		}
		configure(nat ? "nat" : "dsr", acls, "deny: [a4, a6]");
		for (size_t i = 0; i < sizeof(flags); i++) {
			struct packet packet = packet_of(CLIENT4, 80, flags[i]);

			EXPECT_DROP(packet, ACL_DENIED);
		}
		configure(nat ? "nat" : "dsr", acls, "deny: [b4]");
		for (size_t i = 1; i < sizeof(flags); i++) {
			struct packet packet = packet_of(CLIENT4, 80, flags[i]);

			EXPECT_TO(packet, "10.0.0.11");
		}
		cr_assert_eq(rig_counted("web", WEIR_R_ACL_DENIED), (nat + 1) * sizeof(flags));
	}
}

/* With tags and extension headers, by the other program. */
Test(acl, unusual_packets)
{
	struct packet in =
		TCP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = 80, .ip_options = 4);
	struct packet out =
		TCP(.src = "192.0.2.77", .dst = VIP4, .sport = 5, .dport = 80, .ip_options = 4);

	configure("dsr", acls, "allow: [a4, a6]");
	EXPECT_TO(in, "10.0.0.11");
	EXPECT_DROP(out, ACL_DENIED);
}

/* A spoofed source is that first; an address that is not the listener's business stays so. */
Test(acl, order_of_reasons)
{
	struct packet spoofed = TCP(.src = "127.0.0.1", .dst = VIP4, .sport = 5, .dport = 80);
	struct packet last = TCP(.src = "255.255.255.255", .dst = VIP4, .sport = 5, .dport = 80);
	struct packet other = TCP(.src = "192.0.2.77", .dst = VIP4, .sport = 5, .dport = 81);

	configure("dsr", acls, "allow: [a4, a6]");
	EXPECT_DROP(spoofed, BAD_SOURCE);
	EXPECT_DROP(last, BAD_SOURCE);
	EXPECT_PASS(other, NO_LISTENER);
}

/* "a.b.c.0/24, ..." of the first `count` even networks of 100.0.0.0/8 or 2001:dba::/32. */
static char *many(bool ip6, unsigned count)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "[{ name: many, prefixes: [");
	for (unsigned i = 0; i < count; i++)
		fprintf(out, ip6 ? "'2001:dba:%x:%x::/64'," : "100.%u.%u.0/24,", 2 * i >> 8,
			2 * i & 0xff);
	fprintf(out, "] }]");
	fclose(out);
	return text;
}

static void expect_network(bool ip6, unsigned network, bool let_in)
{
	char from[64];

	snprintf(from, sizeof(from), ip6 ? "2001:dba:%x:%x::%x" : "100.%u.%u.%u", network >> 8,
		 network & 0xff, network % 254 + 1);
	expect(from, 80, let_in);
}

Test(acl, thousands_of_prefixes)
{
	for (int ip6 = 0; ip6 < 2; ip6++) {
		char *text = many(ip6, 10000);

		configure("dsr", text, "allow: many\n  allow_nobody: true");
		free(text);
		for (unsigned i = 0; i < 600; i++) {
			unsigned network = i < 300 ? i : i * 97 % 20000;

			expect_network(ip6, network, network % 2 == 0);
		}
		expect_network(ip6, 19998, true);
		expect_network(ip6, 20000, false);
	}
}

/* Two listeners that name the same lists share one tree, until one of them changes. */
Test(acl, trees_are_shared)
{
	static const char two[] =
		"version: 1\n"
		"acls: [{ name: a, prefixes: [%s] }, { name: b, prefixes: [198.51.0.0/16] }]\n"
		"listeners:\n"
		"- { name: web, protocol: tcp, address: " VIP4 ", port: 80, mode: dsr, %s,\n"
		"    endpoint_groups: [{ name: all, endpoints: [10.0.0.11] }] }\n"
		"- { name: other, protocol: tcp, address: " VIP4 ", port: 81, mode: dsr, deny: a,\n"
		"    endpoint_groups: [{ name: all, endpoints: [10.0.0.11] }] }\n";
	struct packet other = packet_of(CLIENT4, 81, TH_SYN);
	struct bounds *shared;

	rig_configure(two, "198.51.100.0/24", "allow: a");
	shared = rig_listener("web")->ranges[PLAN_IP4];
	cr_assert_eq(shared, rig_listener("other")->ranges[PLAN_IP4]);
	expect(CLIENT4, 80, true);
	EXPECT_DROP(other, ACL_DENIED);
	/* The same by other prefixes: it keeps its place. */
	rig_configure(two, "198.51.100.0/25, 198.51.100.128/25", "allow: a");
	cr_assert_eq(shared, rig_listener("web")->ranges[PLAN_IP4]);
	rig_configure(two, "198.51.100.0/24", "allow: b");
	cr_assert_eq(shared, rig_listener("other")->ranges[PLAN_IP4]);
	cr_assert_neq(shared->line, rig_listener("web")->ranges[PLAN_IP4]->line);
	expect("198.51.7.7", 80, true);
	EXPECT_DROP(other, ACL_DENIED);
}

/* What is in force stays as it was to the last byte while its successor is written. */
Test(acl, nothing_in_force_is_written)
{
	struct weir_bounds lines[16];
	struct weir_guard guards[2];
	struct plan_listener *web;
	uint32_t line, row;

	configure("dsr", acls, "allow: [a4, a6]");
	web = rig_listener("web");
	for (int round = 0; round < 6; round++) {
		uint32_t count = web->ranges[PLAN_IP4]->count;

		row = web->guard;
		line = web->ranges[PLAN_IP4]->line;
		memcpy(lines, &rig.object->bounds[line], count * sizeof(*lines));
		memcpy(guards, &rig.object->guards[2 * web->id], sizeof(guards));
		configure("dsr", acls, round % 2 ? "allow: [a4, a6]" : "deny: [b4, b6]");
		web = rig_listener("web");
		cr_assert_eq(web->guard, row ^ 1);
		cr_assert_arr_eq(lines, &rig.object->bounds[line], count * sizeof(*lines));
		cr_assert_arr_eq(&guards[row & 1], &rig.object->guards[row], sizeof(*guards));
	}
	row = web->guard;
	rig_enforce(rig_plan()); /* the same again: the same row */
	cr_assert_eq(rig_listener("web")->guard, row);
}

/* Lines come free with the configuration that had them: any number of changes fit. */
Test(acl, changes_do_not_use_up_the_map)
{
	char *large = many(false, 9000), *larger = many(false, 9001);

	for (int i = 0; i < 60; i++) {
		configure("dsr", i % 2 ? larger : large, "allow: many\n  allow_nobody: true");
		expect_network(false, 18000, i % 2);
	}
	free(large);
	free(larger);
}

/* An acl of `count` single addresses, apart from each other, from 20NN::2 on. */
static void push_acl(unsigned network, unsigned count)
{
	struct acl acl = { .name = "many" };

	for (unsigned i = 1; i <= count; i++) {
		struct addr_prefix prefix = { .addr.bytes = { 0x20, network }, .bits = 128 };

		prefix.addr.bytes[13] = i >> 15;
		prefix.addr.bytes[14] = i >> 7;
		prefix.addr.bytes[15] = i << 1;
		cr_assert_eq(vec_push(&acl.prefixes, prefix), 0);
	}
	cr_assert_eq(vec_push(&rig.model->acls, acl), 0);
}

#define DENY_ONE "vip: none\n  deny: a4"

/* Each listener denies an acl of its own. */
static int deny(unsigned listeners, unsigned network, unsigned count, struct err *err)
{
	for (unsigned i = 0; i < listeners; i++) {
		rig.model->listeners.items[i].acls.items[0] = rig.model->acls.count;
		push_acl(network + i, count);
	}
	return rig_try_model(err);
}

/* The map grows with what is to be put into it, as long as one tree can hold it. */
Test(acl, large_lists)
{
	struct err err = {};

	configure("dsr", acls, DENY_ONE);
	cr_assert_eq(deny(1, 7, 70000, &err), 0, "%s", err.text);
	expect("2007::2", 80, false);
	expect("2007::3", 80, true);
	cr_assert_gt(rig.object->capacity.of[CAPACITY_BOUND_LINES], 50000);
	cr_assert_eq(deny(1, 8, 131072, &err), -E2BIG);
	cr_assert_str_eq(err.text, "listener web: its acls have too many separate ranges of IPv6 "
				   "addresses; at most 131071");
	expect("2007::2", 80, false);
	cr_assert_eq(deny(1, 9, 131071, &err), 0, "%s", err.text);
	expect("2007::2", 80, true);
	expect("2009::2", 80, false);
	expect("2009::3:fffe", 80, false);
}

/* There has to be room for what is in force and for what is next; if not, nothing changes. */
Test(acl, no_room)
{
	struct err err = {};

	rig_configure(
		"version: 1\nacls: %s\nlisteners:\n" LISTENER
		"- { name: other, protocol: tcp, address: '2001:db8::2', port: 80, deny: a6,\n"
		"    endpoint_groups: [{ name: all, endpoints: ['fd00::11'] }] }\n",
		acls, "dsr", DENY_ONE);
	cr_assert_eq(deny(2, 7, 131071, &err), 0, "%s", err.text);
	cr_assert_eq(deny(2, 9, 131071, &err), -ENOSPC);
	cr_assert(strstr(err.text, "no room for the ranges of its acls"), "%s", err.text);
	expect("2007::2", 80, false);
	expect("2009::2", 80, true);
}

/* Away with it: nothing is asked any more. */
Test(acl, removed)
{
	configure("dsr", acls, "allow: [a4, a6]");
	cr_assert_neq(rig_listener("web")->guard, 0);
	expect("192.0.2.77", 80, false);
	configure("dsr", "[]", "vip: none");
	cr_assert_eq(rig_listener("web")->guard, 0);
	expect("192.0.2.77", 80, true);
	configure("dsr", acls, "allow: [a4, a6]");
	expect("192.0.2.77", 80, false);
}
