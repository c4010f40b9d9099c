// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a NAT table made for so many flows holds them: filled up, and after its flows have been
 * replaced many times over, less than one new flow of a thousand is refused. Needs root.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/nat.h"
#include "rig_suite.h"

#define FLOWS	(WEIR_NAT_FLOWS_PER_BUCKET * 1024)
#define BATCH	(FLOWS / 100) /* replaced at once */
#define BATCHES 1000	      /* ten lifetimes */
#define REFUSED 1000	      /* one of so many */

RIG_SUITE(nat_fill);

static const struct capacity capacity = {
	.of = {
		[CAPACITY_LISTENERS] = 64,
		[CAPACITY_CELLS] = 256,
		[CAPACITY_ROWS] = 256,
		[CAPACITY_LINES] = 1024,
		[CAPACITY_EXCEPTIONS] = 1,
		[CAPACITY_NAT_FLOWS] = FLOWS,
	},
};

/* Opens a flow that there was not before; the packet is another one by two bytes. */
static bool open_flow(void)
{
	static struct packet packet;
	static uint32_t count;

	if (!packet.size)
		packet = UDP(.src = CLIENT4, .dst = VIP4, .dport = 53, .without_checksum = true);
	packet_set16(&packet, packet.l4, (uint16_t)count);
	packet.bytes[packet.l3 + 13] = (uint8_t)(count >> 16);
	count++;
	return rig_run(&packet, NULL) == XDP_TX;
}

/* Ends `count` flows, each as likely as any other. */
static void end_flows(uint32_t count)
{
	uint32_t size = nat_size(rig.object), removed = 0;
	struct err err = {};

	for (uint32_t ended = 0; ended < count;) {
		struct weir_nat_record *record = &rig.object->nat_records[(uint32_t)rand() % size];

		if (record->word.is.state != WEIR_NAT_LIVE || !record->seen)
			continue;
		record->seen = 0;
		ended++;
	}
	cr_assert_eq(nat_sweep(rig.object, object_now(rig.object), &removed, &err), 0, "%s",
		     err.text);
	cr_assert_eq(removed, count);
}

Test(nat_fill, as_many_flows_as_it_is_made_for, .timeout = 60)
{
	static const struct weir_port_range ports = { 1024, 65535 };
	uint32_t refused = 0, opened = 0, live;

	rig_renew(&capacity);
	rig_advance(100000);
	rig_ports(SNAT4, 1, &ports);
	rig_configure("version: 1\nnat_flows: %u\nlisteners:\n"
		      "- {name: dns, protocol: udp, address: " VIP4 ", port: 53, "
		      "endpoint_groups: [{name: all, endpoints: [10.0.0.11, 10.0.0.12]}]}\n",
		      FLOWS);
	srand(1);
	for (uint32_t i = 0; i < FLOWS; i++)
		refused += !open_flow();
	live = rig_count_nat();
	cr_log_info("%u records for %u flows, filled: %u refused", nat_size(rig.object), FLOWS,
		    refused);
	cr_assert_leq(refused, FLOWS / REFUSED);
	cr_assert_eq(live, FLOWS - refused);
	refused = 0;
	for (uint32_t batch = 0; batch < BATCHES; batch++) {
		end_flows(BATCH);
		for (uint32_t i = 0; i < BATCH || rig_count_nat() < FLOWS - FLOWS / REFUSED; i++) {
			refused += !open_flow();
			opened++;
		}
	}
	cr_log_info("after ten lifetimes: %u of %u refused, %u records", refused, opened,
		    rig_count_nat());
	cr_assert_leq(refused, BATCH * BATCHES / REFUSED);
	cr_assert_eq(rig_count_tags(), rig_count_nat());
	cr_assert_eq(rig_count_replies(), rig_count_nat());
	cr_assert_eq(rig_nat_open(), rig_count_nat());
	rig_recount();
}
