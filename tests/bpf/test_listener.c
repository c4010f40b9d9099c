// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: each of thousands of (address, port, protocol) finds its listener and no other key finds
 * any, however the cells collide; what has no listener is left to the kernel. Needs root.
 */
#include <string.h>

#include <weir/hash.h>

#include "dataplane/cells.h"
#include "rig_suite.h"

#define LISTENERS  24
#define PORTS	   100
#define FIRST_PORT 5000
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

RIG_SUITE(listener);

/* "5000,5001,..." or "5000-5099": each port a cell of its own, or all of them one. */
static void print_ports(FILE *out, int first, bool list)
{
	if (list)
		for (int port = first; port < first + PORTS; port++)
			fprintf(out, "%s%d", port == first ? "" : ",", port);
	else
		fprintf(out, "%d-%d", first, first + PORTS - 1);
}

/* Listener i has 100 ports on 192.0.2.i and 2001:db8::i, odd ones UDP, and an endpoint of its own
 * in each family; even and odd neighbours have the same ports on the even one's address. */
static void configure_many(void)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "version: 1\nlisteners:\n");
	for (int i = 0; i < LISTENERS; i++) {
		fprintf(out,
			"- name: l%d\n"
			"  protocol: %s\n"
			"  address: [192.0.2.%d, '2001:db8::%x']\n"
			"  port: \"",
			i, i & 1 ? "udp" : "tcp", i / 2 + 1, i / 2 + 1);
		print_ports(out, FIRST_PORT + i, i % 4 < 2);
		fprintf(out,
			"\"\n"
			"  mode: dsr\n"
			"  endpoint_groups:\n"
			"  - name: all\n"
			"    endpoints: [10.0.1.%d, 'fd00::1%02x']\n",
			i, i);
	}
	fclose(out);
	rig_configure("%s", text);
	free(text);
}

static struct packet to(int address, bool ip6, bool udp, int port)
{
	char dst[ADDR_TEXT_MAX];

	snprintf(dst, sizeof(dst), ip6 ? "2001:db8::%x" : "192.0.2.%d", address);
	return packet_build(&(struct packet_spec){
		.src = ip6 ? CLIENT6 : CLIENT4,
		.dst = dst,
		.sport = 33333,
		.dport = (uint16_t)port,
		.protocol = udp ? IPPROTO_UDP : IPPROTO_TCP,
	});
}

static void expect_listener(int i, bool ip6, int port)
{
	struct packet packet = to(i / 2 + 1, ip6, i & 1, port);
	struct rig_result result = rig_send(&packet);
	char endpoint[ADDR_TEXT_MAX];

	snprintf(endpoint, sizeof(endpoint), ip6 ? "fd00::1%02x" : "10.0.1.%d", i);
	cr_assert(result.verdict == XDP_TX && result.reason == WEIR_R_FORWARDED,
		  "listener %d, port %d: %s", i, port, rig_reason(result.reason));
	cr_assert(rig_went_to(&result.out, endpoint), "listener %d, port %d", i, port);
}

Test(listener, each_of_thousands_of_cells_is_found)
{
	configure_many();
	cr_assert_eq(rig.object->control->half[1].ranges, 2 * LISTENERS / 2);
	for (int i = 0; i < LISTENERS; i++) {
		uint32_t id = rig_listener("l0")->id + (uint32_t)i;

		for (int port = FIRST_PORT + i; port < FIRST_PORT + i + PORTS; port++) {
			expect_listener(i, false, port);
			expect_listener(i, true, port);
		}
		cr_assert_str_eq(plan_find_id(rig.plan, id)->name,
				 rig.model->listeners.items[i].name);
		cr_assert_eq(rig_counted(rig.model->listeners.items[i].name, WEIR_R_FORWARDED),
			     2 * PORTS);
	}
}

Test(listener, no_other_key_finds_one)
{
	configure_many();
	for (int i = 0; i < LISTENERS; i++) {
		const int outside[] = { 1, FIRST_PORT + i - 1, FIRST_PORT + i + PORTS, 65535 };

		for (size_t k = 0; k < COUNT(outside) * 2; k++) {
			struct packet packet = to(i / 2 + 1, k & 1, i & 1, outside[k / 2]);

			EXPECT_PASS(packet, NO_LISTENER);
		}
	}
	for (int k = 0; k < 4; k++) {
		struct packet above = to(LISTENERS / 2 + 1, k & 1, k & 2, FIRST_PORT + 50);
		struct packet zero = to(1, k & 1, k & 2, 0);

		EXPECT_PASS(above, NOT_OURS);
		EXPECT_PASS(zero, NO_LISTENER); /* port 0 is the address cell's own */
	}
}

Test(listener, ports_as_list_and_ranges)
{
	static const uint16_t in[] = { 1, 80, 443, 7000, 7050, 7099, 65535 };
	static const uint16_t out[] = { 2, 79, 81, 442, 444, 6999, 7100, 65534 };

	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- name: web\n"
		      "  protocol: tcp\n"
		      "  address: " VIP4 "\n"
		      "  port: 1,80,443,7000-7099,65535\n"
		      "  mode: dsr\n"
		      "  endpoint_groups:\n"
		      "  - name: all\n"
		      "    endpoints: [10.0.0.11]\n");
	for (size_t i = 0; i < COUNT(in); i++) {
		struct packet tcp = TCP(.src = CLIENT4, .dst = VIP4, .sport = 9, .dport = in[i]);
		struct packet udp = UDP(.src = CLIENT4, .dst = VIP4, .sport = 9, .dport = in[i]);

		cr_assert_eq(rig_send(&tcp).reason, WEIR_R_FORWARDED, "port %u", in[i]);
		EXPECT_PASS(udp, NO_LISTENER);
	}
	for (size_t i = 0; i < COUNT(out); i++) {
		struct packet tcp = TCP(.src = CLIENT4, .dst = VIP4, .sport = 9, .dport = out[i]);

		EXPECT_PASS(tcp, NO_LISTENER);
	}
}

#define WIDE 60

/* Each range is one cell, however wide; the search goes over all of an address and both protocols.
 */
Test(listener, any_port_of_any_range_is_found)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "version: 1\nlisteners:\n");
	for (int i = 0; i < WIDE; i++)
		fprintf(out,
			"- {name: l%d, protocol: %s, address: " VIP4
			", port: '%d-%d,%d', mode: dsr, "
			"endpoint_groups: [{name: all, endpoints: [10.0.1.%d]}]}\n",
			i, i & 1 ? "udp" : "tcp", 1000 * i + 1, 1000 * i + 990, 1000 * i + 995, i);
	fclose(out);
	rig_configure("%s", text);
	free(text);
	cr_assert_eq(rig.object->control->half[1].ranges, WIDE);
	for (int i = 0; i < WIDE; i++) {
		static const int in[] = { 1, 2, 500, 989, 990, 995 }, beside[] = { 991, 994, 996 };
		char endpoint[ADDR_TEXT_MAX];

		snprintf(endpoint, sizeof(endpoint), "10.0.1.%d", i);
		for (size_t k = 0; k < COUNT(in); k++) {
			struct packet packet = to(1, false, i & 1, 1000 * i + in[k]);
			struct packet other = to(1, false, !(i & 1), 1000 * i + in[k]);

			EXPECT_TO(packet, endpoint);
			EXPECT_PASS(other, NO_LISTENER);
		}
		for (size_t k = 0; k < COUNT(beside); k++) {
			struct packet packet = to(1, false, i & 1, 1000 * i + beside[k]);

			EXPECT_PASS(packet, NO_LISTENER);
		}
	}
}

/* The endpoint gets the port that the client named, unless it names one itself. */
Test(listener, all_ports_cost_a_few_cells)
{
	uint32_t cells = rig.object->capacity.of[CAPACITY_CELLS];

	for (int own = 0; own < 2; own++) {
		rig_configure("version: 1\n"
			      "limits: {ports_per_listener: 65535}\n"
			      "listeners:\n"
			      "- {name: all, protocol: udp, address: " VIP4 ", port: 1-65535, "
			      "endpoint_groups: [{name: all, endpoints: ['10.0.0.11%s']}]}\n",
			      own ? ":8080" : "");
		for (uint32_t port = 1; port <= 65535; port += 4369) {
			struct packet packet =
				UDP(.src = CLIENT4, .dst = VIP4, .sport = (uint16_t)(1000 + own),
				    .dport = (uint16_t)port);
			struct rig_result result = rig_send(&packet);

			cr_assert_eq(result.reason, WEIR_R_FORWARDED, "port %u: %s", port,
				     rig_reason(result.reason));
			cr_assert_eq(packet_get16(&result.out, packet.l4 + 2), own ? 8080 : port);
		}
	}
	cr_assert_eq(rig.object->capacity.of[CAPACITY_CELLS], cells);
}

/* Two protocols on one port, and one family without a listener. */
Test(listener, protocol_and_family_are_part_of_the_key)
{
	struct packet tcp = TCP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = 53);
	struct packet udp = UDP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = 53);
	struct packet tcp6 = TCP(.src = CLIENT6, .dst = VIP6, .sport = 5, .dport = 53);
	struct packet udp6 = UDP(.src = CLIENT6, .dst = VIP6, .sport = 5, .dport = 53);

	rig_configure(
		"version: 1\n"
		"listeners:\n"
		"- name: t\n"
		"  protocol: tcp\n"
		"  address: " VIP4 "\n"
		"  port: 53\n"
		"  mode: dsr\n"
		"  endpoint_groups: [{name: all, endpoints: [10.0.0.11]}]\n"
		"- name: u\n"
		"  protocol: udp\n"
		"  address: [" VIP4 ", '" VIP6 "']\n"
		"  port: 53\n"
		"  mode: dsr\n"
		"  endpoint_groups: [{name: all, endpoints: [10.0.0.12, 'fd00::12 weight 0']}]\n");
	EXPECT_TO(tcp, "10.0.0.11");
	EXPECT_TO(udp, "10.0.0.12");
	EXPECT_PASS(tcp6, NO_LISTENER);
	EXPECT_ICMP(udp6, NO_ENDPOINT, 1, 4); /* none of the client's family takes any */
	cr_assert_eq(rig_counted("u", WEIR_R_NO_ENDPOINT), 1);
}

Test(listener, a_removed_one_is_unknown_at_once)
{
	static const char one[] = "- name: %s\n"
				  "  protocol: tcp\n"
				  "  address: %s\n"
				  "  port: 80\n"
				  "  mode: dsr\n"
				  "  endpoint_groups: [{name: all, endpoints: [10.0.0.11]}]\n";
	struct packet a = TCP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = 80);
	struct packet b = TCP(.src = CLIENT4, .dst = "192.0.2.2", .sport = 5, .dport = 80);
	char first[512], second[512];

	snprintf(first, sizeof(first), one, "a", VIP4);
	snprintf(second, sizeof(second), one, "b", "192.0.2.2");
	EXPECT_PASS(a, NOT_OURS); /* no configuration at all */
	rig_configure("version: 1\nlisteners:\n%s%s", first, second);
	cr_assert_eq(rig_send(&a).verdict, XDP_TX);
	cr_assert_eq(rig_send(&b).verdict, XDP_TX);
	rig_configure("version: 1\nlisteners:\n%s", second);
	EXPECT_PASS(a, NOT_OURS);
	cr_assert_eq(rig_send(&b).verdict, XDP_TX);
	rig_configure("version: 1\nlisteners: []\n");
	EXPECT_PASS(b, NOT_OURS);
}

/*
 * Puts the cells in force into a table as small as they fit, with a seed under which one of them
 * lies at the last probe, one is past the table's end, and that is all the room there is.
 */
static bool crowd(const struct weir_listener *cells, uint32_t count, struct weir_half *half,
		  struct weir_listener *table)
{
	for (half->seed = 0; half->seed < 200000; half->seed++) {
		uint32_t farthest = 0;
		bool wraps = false;

		memset(table, 0, (half->mask + 1) * sizeof(*table));
		for (uint32_t i = 0; i < count && farthest < WEIR_MAX_PROBES; i++) {
			uint32_t hash = weir_hash_listener(cells[i].addr, cells[i].port,
							   cells[i].protocol, half->seed);
			uint32_t probe = 0;

			while (table[(hash + probe) & half->mask].kind)
				probe++;
			table[(hash + probe) & half->mask] = cells[i];
			wraps |= (hash & half->mask) + probe > half->mask;
			farthest = probe > farthest ? probe : farthest;
		}
		if (wraps && farthest == WEIR_MAX_PROBES - 1)
			return true;
	}
	return false;
}

Test(listener, colliding_cells_are_found_up_to_the_last_probe)
{
	struct weir_listener cells[16], table[16];
	struct weir_half half = { .mask = 15 };
	struct weir_control *control = rig.object->control;
	uint32_t count = 0;

	rig_configure("version: 1\n"
		      "listeners:\n"
		      "- name: l\n"
		      "  protocol: tcp\n"
		      "  address: " VIP4 "\n"
		      "  port: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
		      "  mode: dsr\n"
		      "  endpoint_groups: [{name: all, endpoints: [10.0.0.11]}]\n");
	for (uint32_t i = 0; i <= control->half[1].mask; i++)
		if (rig.object->listeners[control->half[1].first + i].kind)
			cells[count++] = rig.object->listeners[control->half[1].first + i];
	cr_assert_eq(count, 16);
	cr_assert(crowd(cells, count, &half, table));
	memcpy(rig.object->listeners, table, sizeof(table));
	control->half[0] = half;
	__atomic_store_n(&control->generation, 2, __ATOMIC_RELEASE);

	for (uint16_t port = 1; port <= 15; port++) {
		struct packet packet = TCP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = port);

		cr_assert_eq(rig_send(&packet).reason, WEIR_R_FORWARDED, "port %u", port);
	}
	for (uint16_t port = 16; port <= 300; port++) { /* a full table ends a search, too */
		struct packet packet = TCP(.src = CLIENT4, .dst = VIP4, .sport = 5, .dport = port);
		struct packet other = TCP(.src = CLIENT4, .dst = "192.0.2.9", .dport = port);

		EXPECT_PASS(packet, NO_LISTENER);
		EXPECT_PASS(other, NOT_OURS);
	}
}
