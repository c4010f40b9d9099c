// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a hundred flows of mode dsr walk through random changes of endpoints and weights, random
 * times and the daemon's upkeep, and none of them ever goes to another endpoint. Needs root.
 */
#include <string.h>

#include "rig_suite.h"

#define IDLE_TIMEOUT 60

RIG_SUITE(walk);

#define FLOWS  120
#define ROUNDS 60
#define HOSTS  8 /* endpoints 10.0.0.21.. and fd00::21.., of which each round has some */

/* A flow as its two ends see it. */
static struct walker {
	struct packet packet;
	int host; /* where it goes; -1: it has not begun, or its endpoint was removed */
} walkers[FLOWS];

static uint32_t random_below(uint32_t bound)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull >> 32) * bound >> 32);
}

/* Weights at random, -1: not configured; one host always takes flows. */
static void configure_hosts(const int weights[HOSTS])
{
	static const char *const protocols[] = { "tcp", "udp" };
	char text[4096] = "version: 1\nlisteners:\n";

	for (int i = 0; i < 2; i++) {
		size_t used = strlen(text);

		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "- {name: %s, protocol: %s, address: [" VIP4 ", '" VIP6
					 "'], port: 80, mode: dsr, idle_timeout: %ds, "
					 "endpoint_groups: [{name: all, endpoints: [",
					 i ? "dns" : "web", protocols[i], IDLE_TIMEOUT);
		for (int host = 0; host < HOSTS; host++)
			if (weights[host] >= 0)
				used += (size_t)snprintf(
					text + used, sizeof(text) - used,
					"10.0.0.%d weight %d, 'fd00::%d weight %d', ", 21 + host,
					weights[host], 21 + host, weights[host]);
		snprintf(text + used - 2, sizeof(text) - used, "]}]}\n");
	}
	rig_configure("%s", text);
}

static int host_of(const struct packet *out, bool ip6)
{
	for (int host = 0; host < HOSTS; host++) {
		char address[ADDR_TEXT_MAX];

		snprintf(address, sizeof(address), ip6 ? "fd00::%d" : "10.0.0.%d", 21 + host);
		if (rig_went_to(out, address))
			return host;
	}
	return -1;
}

static void begin_walker(struct walker *walker, size_t i)
{
	static uint16_t sport = 1000;

	walker->host = -1;
	walker->packet = packet_build(&(struct packet_spec){
		.protocol = i & 1 ? IPPROTO_TCP : IPPROTO_UDP,
		.src = i & 2 ? CLIENT6 : CLIENT4,
		.dst = i & 2 ? VIP6 : VIP4,
		.sport = sport++,
		.dport = 80,
		.flags = TH_SYN,
	});
}

static void step_walker(size_t i, unsigned round)
{
	struct walker *walker = &walkers[i];
	struct packet out;
	int host;

	cr_assert_eq(rig_run(&walker->packet, &out), XDP_TX, "round %u, flow %zu", round, i);
	host = host_of(&out, i & 2);
	cr_assert_geq(host, 0);
	cr_assert(walker->host < 0 || walker->host == host, "round %u: flow %zu went from %d to %d",
		  round, i, walker->host, host);
	walker->host = host;
	if (i & 1) {
		walker->packet.bytes[walker->packet.l4 + 13] = TH_ACK;
		packet_sum(&walker->packet);
	}
}

static void change_hosts(int weights[HOSTS])
{
	for (unsigned changes = random_below(4); changes > 0; changes--) {
		unsigned host = 1 + random_below(HOSTS - 1);

		weights[host] = (int)random_below(5) * 50 - 50;
		for (size_t i = 0; i < FLOWS; i++) /* the ends of its connections are closed */
			if (weights[host] < 0 && walkers[i].host == (int)host)
				walkers[i].host = -1;
	}
	configure_hosts(weights);
}

/*
 * Endpoints come, go, drain and change their weights in the middle of each other's changes, time
 * passes, the daemon does its work: no flow moves unless its endpoint has been removed.
 */
Test(walk, no_flow_moves_through_any_changes)
{
	int weights[HOSTS] = { 100, 100, 100, -1, -1, -1, -1, -1 };

	configure_hosts(weights);
	for (size_t i = 0; i < FLOWS; i++)
		begin_walker(&walkers[i], i);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < FLOWS; i++) {
			step_walker(i, round);
			if (random_below(20) == 0) {
				begin_walker(&walkers[i], i);
				step_walker(i, round);
			}
		}
		if (random_below(3))
			change_hosts(weights);
		for (unsigned ticks = random_below(4); ticks > 0; ticks--) {
			rig_advance(random_below(IDLE_TIMEOUT / 8));
			rig_upkeep();
		}
	}
	cr_assert_gt(rig_counted("web", WEIR_R_FLOW_RECORDED), 0);
	cr_assert_eq(rig_counted("web", WEIR_R_EXCEPTIONS_FULL), 0);
}
