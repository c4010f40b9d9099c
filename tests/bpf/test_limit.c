// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a source opens as many flows as its burst at once, then exactly one per interval, also from
 * several CPUs at once; other sources, other listeners and known flows are not touched by it; and
 * a full table refuses nobody. Needs root.
 */
#include <bpf/bpf.h>
#include <pthread.h>
#include <string.h>

#include "rig_suite.h"

RIG_SUITE(limit);

#define LISTENER                                                                                   \
	"- name: %s\n"                                                                             \
	"  protocol: %s\n"                                                                         \
	"  address: [" VIP4 ", '" VIP6 "']\n"                                                      \
	"  port: %s\n"                                                                             \
	"  mode: %s\n"                                                                             \
	"  %s\n"                                                                                   \
	"  endpoint_groups: [{ name: all, endpoints: [10.0.0.11, 'fd00::11'] }]\n"

/* One flow per 10 s, and 5 at once. */
#define LIMIT	 "new_flows_per_source: 6/m burst 5"
#define INTERVAL 10
#define BURST	 5

static void configure(const char *mode, const char *limit)
{
	rig_configure("version: 1\nlisteners:\n" LISTENER LISTENER, "web", "tcp", "[80, 443]", mode,
		      limit, "other", "tcp", "81", mode, limit);
}

static uint16_t sport = 1024;

static struct packet tcp(const char *from, uint16_t dport, uint8_t flags)
{
	return TCP(.src = from, .dst = strchr(from, ':') ? VIP6 : VIP4, .sport = sport,
		   .dport = dport, .flags = flags);
}

/* How many of `tries` new flows get through; the others are counted as they should be. */
static unsigned open_flows(const char *from, uint16_t dport, unsigned tries)
{
	unsigned opened = 0;

	for (unsigned i = 0; i < tries; i++) {
		struct packet packet = tcp(from, dport, TH_SYN);
		struct rig_result result = rig_send(&packet);

		sport++;
		opened += result.reason == WEIR_R_FORWARDED;
		if (result.reason == WEIR_R_FORWARDED)
			continue;
		cr_assert_eq(result.reason, WEIR_R_SOURCE_LIMITED, "%s", rig_reason(result.reason));
		cr_assert_eq(result.verdict, XDP_DROP);
	}
	return opened;
}

Test(limit, burst_and_pace)
{
	static const char *const modes[] = { "dsr", "nat" };
	static const char *const sources[] = { CLIENT4, CLIENT6 };

	for (int i = 0; i < 4; i++) {
		const char *from = sources[i % 2];

		configure(modes[i / 2], LIMIT);
		rig_advance(3600);
		cr_assert_eq(open_flows(from, 80, 20), BURST);
		rig_advance(INTERVAL - 1);
		cr_assert_eq(open_flows(from, 80, 5), 0);
		rig_advance(1);
		cr_assert_eq(open_flows(from, 80, 5), 1);
		rig_advance(3 * INTERVAL);
		cr_assert_eq(open_flows(from, 80, 9), 3);
		rig_advance(100 * INTERVAL); /* what is not used is not saved */
		cr_assert_eq(open_flows(from, 80, 20), BURST);
	}
	cr_assert_eq(rig_counted("web", WEIR_R_SOURCE_LIMITED), 4 * (15 + 5 + 4 + 6 + 15));
}

Test(limit, without_a_burst_it_is_the_count)
{
	configure("dsr", "new_flows_per_source: 3/m");
	cr_assert_eq(open_flows(CLIENT4, 80, 20), 3);
	rig_advance(20);
	cr_assert_eq(open_flows(CLIENT4, 80, 20), 1);
}

Test(limit, fast)
{
	configure("dsr", "new_flows_per_source: 1000000/s burst 40");
	cr_assert_eq(open_flows(CLIENT4, 80, 500), 500); /* a test is slower than 1 us a packet */
	configure("dsr", "new_flows_per_source: 1/s burst 3600");
	cr_assert_geq(open_flows(CLIENT6, 80, 3700), 3600);
	cr_assert_leq(open_flows(CLIENT6, 80, 3), 1);
}

/* By listener, not by port; by address, of IPv6 the /64. */
Test(limit, whose_flows_count_together)
{
	configure("dsr", LIMIT);
	cr_assert_eq(open_flows(CLIENT4, 80, 3), 3);
	cr_assert_eq(open_flows(CLIENT4, 443, 9), 2);
	cr_assert_eq(open_flows(CLIENT4, 81, 9), BURST);
	cr_assert_eq(open_flows("198.51.100.8", 80, 9), BURST);
	cr_assert_eq(open_flows("2001:db8:c::7", 80, 3), 3);
	cr_assert_eq(open_flows("2001:db8:c::8", 80, 9), 2);
	cr_assert_eq(open_flows("2001:db8:c:0:ffff::8", 80, 9), 0);
	cr_assert_eq(open_flows("2001:db8:c:1::7", 80, 9), BURST);
}

Test(limit, known_flows_are_not_touched)
{
	static const uint8_t flags[] = { TH_ACK, TH_ACK | TH_PUSH, TH_FIN | TH_ACK, TH_RST };
	struct packet known;

	configure("dsr", LIMIT);
	cr_assert_eq(open_flows(CLIENT4, 80, 9), BURST);
	for (size_t i = 0; i < sizeof(flags); i++) { /* without records: all but a SYN */
		known = tcp(CLIENT4, 80, flags[i]);
		EXPECT_TO(known, "10.0.0.11");
	}
	configure("nat", LIMIT);
	rig_advance(3600);
	known = tcp(CLIENT4, 80, TH_SYN);
	EXPECT_TO(known, "10.0.0.11");
	sport++;
	cr_assert_eq(open_flows(CLIENT4, 80, 9), BURST - 1);
	for (int i = 0; i < 3; i++)
		EXPECT_TO(known, "10.0.0.11"); /* sent again, of a record */
	rig_advance(INTERVAL);
	cr_assert_eq(open_flows(CLIENT4, 80, 9), 1);
}

Test(limit, udp_flows_have_records)
{
	struct packet first, second;

	rig_configure("version: 1\nlisteners:\n" LISTENER, "dns", "udp", "53", "nat", LIMIT);
	for (uint16_t i = 0; i < 9; i++) {
		struct packet packet =
			UDP(.src = CLIENT4, .dst = VIP4, .sport = 2000 + i, .dport = 53);

		if (i < BURST)
			EXPECT_TO(packet, "10.0.0.11");
		else
			EXPECT_DROP(packet, SOURCE_LIMITED);
	}
	first = UDP(.src = CLIENT4, .dst = VIP4, .sport = 2000, .dport = 53);
	second = UDP(.src = "198.51.100.8", .dst = VIP4, .sport = 2000, .dport = 53);
	EXPECT_TO(first, "10.0.0.11");
	EXPECT_TO(second, "10.0.0.11");
}

static void fill_sources(uint64_t until)
{
	for (uint32_t i = 0; i < WEIR_SOURCE_LINES; i++) {
		for (unsigned way = 0; way < WEIR_SOURCE_WAYS; way++)
			rig.object->sources[i].bucket[way] =
				(uint64_t)(0x1000 + way) << 48 | (until + way);
	}
}

static unsigned used_sources(void)
{
	unsigned used = 0;

	for (uint32_t i = 0; i < WEIR_SOURCE_LINES; i++) {
		for (unsigned way = 0; way < WEIR_SOURCE_WAYS; way++)
			used += rig.object->sources[i].bucket[way] != 0;
	}
	return used;
}

/* All places are taken by sources ahead of their pace: nobody is refused for it, and it is said. */
Test(limit, a_full_table_refuses_nobody)
{
	uint64_t later = (object_now(rig.object) + 7200) * UINT64_C(1000000);

	configure("dsr", LIMIT);
	fill_sources(later);
	for (unsigned i = 1; i <= 200; i++) {
		char from[20];
		struct packet packet;
		struct rig_result result;

		snprintf(from, sizeof(from), "198.18.0.%u", i);
		packet = tcp(from, 80, TH_SYN);
		result = rig_send(&packet);
		cr_assert_eq(result.reason, WEIR_R_FORWARDED);
	}
	cr_assert_geq(rig_counted("web", WEIR_R_SOURCES_FULL), 190); /* some share a line */
	/* Each is remembered; what it took was the place of the one that was least ahead. */
	cr_assert_eq(open_flows("198.18.0.200", 80, 9), BURST - 1);
	rig_advance(7300);
	cr_assert_eq(open_flows(CLIENT4, 80, 9), BURST);
	cr_assert_eq(rig_counted("web", WEIR_R_SOURCES_FULL) < 202, true);
}

/* Those that have gone quiet make room without a word. */
Test(limit, quiet_sources_make_room)
{
	configure("dsr", LIMIT);
	rig_advance(7200);
	fill_sources((object_now(rig.object) - 100) * UINT64_C(1000000));
	cr_assert_eq(open_flows(CLIENT4, 80, 9), BURST);
	cr_assert_eq(rig_counted("web", WEIR_R_SOURCES_FULL), 0);
}

/* Nothing is asked, and nothing remembered. */
Test(limit, off)
{
	configure("dsr", "vip: none");
	cr_assert_eq(rig_listener("web")->guard, 0);
	cr_assert_eq(open_flows(CLIENT4, 80, 200), 200);
	cr_assert_eq(used_sources(), 0);
	configure("dsr", LIMIT);
	cr_assert_eq(open_flows(CLIENT4, 80, 9), BURST);
	cr_assert_eq(used_sources(), 1);
	configure("dsr", "vip: none");
	cr_assert_eq(open_flows(CLIENT4, 80, 20), 20);
}

/* With lists, too: who is kept out does not use up anything. */
Test(limit, beside_an_acl)
{
	rig_configure("version: 1\nacls: [{ name: bad, prefixes: [203.0.113.0/24] }]\n"
		      "listeners:\n" LISTENER,
		      "web", "tcp", "80", "dsr", "deny: bad\n  " LIMIT);
	for (int i = 0; i < 20; i++) {
		struct packet packet = tcp("203.0.113.7", 80, TH_SYN);

		EXPECT_DROP(packet, ACL_DENIED);
	}
	cr_assert_eq(used_sources(), 0);
	cr_assert_eq(open_flows(CLIENT4, 80, 9), BURST);
}

#define REPEAT 100000

static void *flood(void *packet)
{
	struct packet *syn = packet;
	struct xdp_md context = { .data_end = (uint32_t)syn->size, .ingress_ifindex = rig.arm[0] };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = syn->bytes,
		    .data_size_in = (uint32_t)syn->size, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = REPEAT);

	return (void *)(intptr_t)bpf_prog_test_run_opts(rig.object->program, &options);
}

/* One source on all CPUs at once: not one flow too many, nor too few. */
Test(limit, exact_on_several_cpus)
{
	enum {
		THREADS = 4,
		FLOWS = 100000
	};
	struct packet syn = tcp(CLIENT4, 80, TH_SYN);
	pthread_t threads[THREADS];
	void *result;

	configure("dsr", "new_flows_per_source: 1700/m burst 100000");
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, flood, &syn), 0);
	for (int i = 0; i < THREADS; i++) {
		cr_assert_eq(pthread_join(threads[i], &result), 0);
		cr_assert_eq(result, NULL);
	}
	cr_assert_geq(rig_counted("web", WEIR_R_FORWARDED), FLOWS);
	/* Time goes on, at 28 flows per second. */
	cr_assert_leq(rig_counted("web", WEIR_R_FORWARDED), FLOWS + 200);
	cr_assert_eq(rig_counted("web", WEIR_R_FORWARDED) +
			     rig_counted("web", WEIR_R_SOURCE_LIMITED),
		     THREADS * REPEAT);
	rig_recount();
}
