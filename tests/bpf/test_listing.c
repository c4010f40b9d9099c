// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the tables that cat shows in bpffs say what is in force and what was counted: every address
 * and port of a listener once, every endpoint once, before and after the maps have grown. Needs
 * root.
 */
#include <string.h>
#include <weir/names.h>

#include "rig_suite.h"

#define TEXT_SIZE 65536
#define LINE_MAX  256

RIG_SUITE(listing);

static const struct capacity small = {
	.of = {
		[CAPACITY_LISTENERS] = 4,
		[CAPACITY_CELLS] = 64,
		[CAPACITY_ROWS] = 32,
		[CAPACITY_LINES] = 512,
		[CAPACITY_EXCEPTIONS] = 1024,
		[CAPACITY_NAT_FLOWS] = 1024,
	},
};

static void configure(unsigned weight, const char *more)
{
	rig_configure("version: 1\nnat_flows: 1024\nrecorded_flows: 1024\nlisteners:\n"
		      "- {name: web, protocol: tcp, address: [" VIP4 ", '" VIP6 "'], port: 80, "
		      "mode: dsr, endpoint_groups: [{name: main, endpoints: ["
		      "10.0.0.11 weight 150, {name: b, address: 10.0.0.12, weight: %u}, "
		      "'fd00::11']}]}\n"
		      "- {name: calls, protocol: udp, address: " VIP4 ", port: 5000-5009, "
		      "endpoint_groups: [{name: all, endpoints: ['10.0.0.13:53']}]}\n%s",
		      weight, more);
}

/* The table as cat reads it. */
static const char *table(const char *name)
{
	static char text[TEXT_SIZE];
	char path[OBJECT_PATH_MAX + 64];
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", rig.object->directory, name);
	file = fopen(path, "re");
	cr_assert(file, "%s", path);
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	return text;
}

/* How many lines begin with the words of `expected`, however far apart, and end with the rest. */
static unsigned count_lines(const char *text, const char *expected)
{
	char line[LINE_MAX], *to;
	unsigned count = 0;

	while (*text) {
		for (to = line; *text && *text != '\n' && to < line + LINE_MAX - 1; text++)
			if (*text != ' ' || (to > line && to[-1] != ' '))
				*to++ = *text;
		*to = '\0';
		text += *text == '\n';
		count += !strcmp(line, expected);
	}
	return count;
}

static void expect_line(const char *name, const char *expected, int line)
{
	const char *text = table(name);

	cr_assert_eq(count_lines(text, expected), 1, "line %d: no single '%s' in\n%s", line,
		     expected, text);
}
#define LISTENER(expected) expect_line(WEIR_PIN_SHOW_LISTENERS, expected, __LINE__)
#define ENDPOINT(expected) expect_line(WEIR_PIN_SHOW_ENDPOINTS, expected, __LINE__)

static unsigned lines(const char *name)
{
	unsigned count = 0;

	for (const char *at = table(name); *at; at++)
		count += *at == '\n';
	return count;
}

/* 20 packets to each listener, of flows of their own, and three from nobody. */
static void send_packets(void)
{
	for (unsigned i = 0; i < 20; i++) {
		struct packet call = UDP(.src = CLIENT4, .dst = VIP4, .sport = (uint16_t)(2000 + i),
					 .dport = 5003);
		struct packet six = TCP(.src = CLIENT6, .dst = VIP6, .sport = (uint16_t)(2000 + i),
					.dport = 80, .flags = TH_SYN);

		EXPECT_TO(call, "10.0.0.13");
		EXPECT_TO(six, "fd00::11");
	}
	for (unsigned i = 0; i < 3; i++) {
		struct packet bad =
			TCP(.src = "127.0.0.1", .dst = VIP4, .dport = 80, .flags = TH_SYN);

		EXPECT_DROP(bad, BAD_SOURCE);
	}
}

Test(listing, says_what_is_in_force_and_counted)
{
	char web[LINE_MAX], calls[LINE_MAX];

	rig_renew(&small);
	configure(75, "");
	send_packets();
	cr_assert_eq(lines(WEIR_PIN_SHOW_LISTENERS), 4);
	cr_assert_eq(lines(WEIR_PIN_SHOW_ENDPOINTS), 5);
	snprintf(web, sizeof(web), "web tcp dsr 3 20 %lu 20 3 %s:80",
		 (unsigned long)rig_traffic("web").bytes, VIP4);
	LISTENER(web);
	snprintf(web, sizeof(web), "web tcp dsr 3 20 %lu 20 3 [2001:0db8:%s:0001]:80",
		 (unsigned long)rig_traffic("web").bytes, "0000:0000:0000:0000:0000");
	LISTENER(web);
	snprintf(calls, sizeof(calls), "calls udp nat 1 20 %lu 20 0 %s:5000-5009",
		 (unsigned long)rig_traffic("calls").bytes, VIP4);
	LISTENER(calls);
	ENDPOINT("web main 10.0.0.11 dsr 150 66.7% active 0 0 0 10.0.0.11:0");
	ENDPOINT("web main b dsr 75 33.3% active 0 0 0 10.0.0.12:0");
}

Test(listing, follows_changes_and_larger_maps)
{
	char text[4096], line[LINE_MAX];
	size_t size = 0;

	rig_renew(&small);
	configure(50, "");
	send_packets();
	configure(0, ""); /* the other half of the listener table is in force */
	cr_assert_eq(lines(WEIR_PIN_SHOW_LISTENERS), 4);
	ENDPOINT("web main b dsr 0 0.0% draining 0 0 0 10.0.0.12:0");
	for (unsigned i = 0; i < 16; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size,
					 "- {name: l%u, protocol: tcp, address: 192.0.3.1, port: "
					 "%u, mode: dsr, endpoint_groups: [{name: all, endpoints: "
					 "[10.0.0.15, 10.0.0.16]}]}\n",
					 i, 1000 + i);
	configure(50, text);
	cr_assert_geq(rig.object->capacity.of[CAPACITY_LISTENERS], 18, "nothing has grown");
	send_packets();
	cr_assert_eq(lines(WEIR_PIN_SHOW_LISTENERS), 4 + 16);
	cr_assert_eq(lines(WEIR_PIN_SHOW_ENDPOINTS), 5 + 32);
	snprintf(line, sizeof(line), "calls all 10.0.0.13:53 nat 100 100.0%% active 40 %lu 20 %s",
		 (unsigned long)rig_traffic("calls").bytes, "10.0.0.13:53");
	ENDPOINT(line);
	LISTENER("l15 tcp dsr 2 0 0 0 0 192.0.3.1:1015");
}
