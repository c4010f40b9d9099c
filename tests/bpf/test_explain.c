// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what `weir explain` says of a packet is what the data plane does with it, byte by byte, for
 * any frame and in any phase of a listener; it writes nothing to any map; and it says it in the
 * words of tests/bpf/explain/. Needs root.
 *
 * A golden file holds a command and what it prints. To see what has changed:
 *
 *   GOLDEN=/tmp/new build/san/tests/bpf/test_explain --filter '*golden*'; diff -r tests/bpf/explain
 * /tmp/new
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "random.h"
#include "rig_explain.h"
#include "rig_suite.h"
#include "util/file.h"

#define ROUNDS	     40
#define FLOWS	     400 /* distinct, so that none changes what becomes of another */
#define FRAMES	     20000
#define IDLE_TIMEOUT 62
#define TICK	     4 /* s; every timeout ends half a tick away from one, see test_sequences.c */
#define BEGIN	     100000 /* s, on the data plane's clock */
#define GOLDEN	     "tests/bpf/explain"
#define GOLDEN_MAX   65536
#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))

RIG_SUITE(explain);

/* The next SNAT port is chosen by CPU. */
static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	cr_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0, "%s", strerror(errno));
}

static const struct listening {
	const char *name;
	const char *mode;
	uint8_t protocol;
	uint16_t port;
} listeners[] = {
	{ "web", "nat", IPPROTO_TCP, 80 },	{ "game", "nat", IPPROTO_UDP, 80 },
	{ "mail", "dsr", IPPROTO_TCP, 25 },	{ "dns", "dsr", IPPROTO_UDP, 53 },
	{ "files", "ipip", IPPROTO_TCP, 8000 }, { "video", "gue", IPPROTO_UDP, 8000 },
};

/* Four endpoints for all of them, of each family; weight 0 drains, below 0 there is none. */
static void weigh(const int weights[4])
{
	char text[8192] = "version: 1\nanswers_per_second: 1000000\nlisteners:\n";

	for (size_t i = 0; i < COUNT(listeners); i++) {
		size_t used = strlen(text);

		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "- name: %s\n"
					 "  protocol: %s\n"
					 "  address: [" VIP4 ", '" VIP6 "']\n"
					 "  port: %u\n"
					 "  mode: %s\n"
					 "  idle_timeout: %ds\n"
					 "  endpoint_groups:\n"
					 "  - name: main\n"
					 "    endpoints:\n",
					 listeners[i].name,
					 listeners[i].protocol == IPPROTO_TCP ? "tcp" : "udp",
					 listeners[i].port, listeners[i].mode, IDLE_TIMEOUT);
		for (int k = 0; k < 4; k++)
			if (weights[k] >= 0)
				used += (size_t)snprintf(
					text + used, sizeof(text) - used,
					"    - { name: ep%d, address: 10.0.0.%d, weight: %d }\n"
					"    - { name: ep%d-v6, address: 'fd00::%d', weight: %d "
					"}\n",
					k + 1, 11 + k, weights[k], k + 1, 11 + k, weights[k]);
	}
	rig_configure("%s", text);
}

/* The data plane's clock, whatever the test takes. */
static void set_clock(uint32_t now)
{
	rig_advance(now - object_now(rig.object));
}

/* ---- it says what will be ---- */

struct coverage {
	bool any_port; /* an endpoint may still be without its first SNAT port, which is any */
	uint64_t phases[3];
	uint64_t recorded, unrecorded, withheld, known, opened, ended, answered;
	uint64_t followed, remembered, quoted;
};

static void cover(const struct explain_answer *answer, struct coverage *coverage)
{
	const struct weir_step *step = rig_step(answer, WEIR_STEP_SLOT);

	if (step)
		coverage->phases[step->value.slot.phase]++;
	step = rig_step(answer, WEIR_STEP_EXCEPTION);
	if (step)
		*(step->found ? &coverage->recorded : &coverage->unrecorded) += 1;
	step = rig_step(answer, WEIR_STEP_FLOW);
	coverage->known += step && step->found;
	coverage->withheld += rig_step(answer, WEIR_STEP_RECORD) != NULL;
	coverage->ended += rig_step(answer, WEIR_STEP_END) != NULL;
	coverage->answered += rig_step(answer, WEIR_STEP_ANSWER) != NULL;
	coverage->remembered += rig_step(answer, WEIR_STEP_REMEMBER) != NULL;
	coverage->quoted += rig_step(answer, WEIR_STEP_QUOTE) != NULL;
	step = rig_step(answer, WEIR_STEP_FRAGMENT);
	coverage->followed += step && step->found;
	step = rig_step(answer, WEIR_STEP_SNAT);
	coverage->opened += step && step->found;
}

/* The outer identification is any around a fragment, and around IPv6 that may be fragmented. */
static void take_outer_id(struct packet *said, const struct packet *in, const struct packet *out)
{
	size_t l3 = 14;

	while (packet_get16(out, l3 - 2) == 0x8100 || packet_get16(out, l3 - 2) == 0x88a8)
		l3 += 4;
	if (packet_get16(out, l3 - 2) != 0x0800 || packet_get16(out, l3 + 6))
		return;
	if (packet_get16(in, l3 - 2) == 0x0800 && !(packet_get16(in, l3 + 6) & 0x3fff))
		return;
	packet_set16(said, l3 + 4, packet_get16(out, l3 + 4));
	packet_set16(said, l3 + 10, packet_get16(out, l3 + 10));
	cr_assert_neq(packet_sums(out->bytes, out->size).ip, SUM_BAD);
}

/* Asks, sends, and compares. */
static void check(const struct packet *packet, uint32_t round, struct coverage *coverage)
{
	const struct explain_answer *answer = rig_explain(packet);
	const struct weir_step *end = rig_step(answer, WEIR_STEP_VERDICT);
	static struct packet out, said;
	int verdict;

	cover(answer, coverage);
	verdict = rig_run(packet, &out);
	cr_assert_eq(answer->verdict, verdict, "round %u: said %d of %s, did %d", round,
		     answer->verdict, end ? rig_reason(end->index) : "nothing", verdict);
	said = *packet;
	said.size = answer->size;
	memcpy(said.bytes, answer->frame, answer->size);
	if (coverage->any_port && rig_step(answer, WEIR_STEP_SNAT)) {
		packet_set16(&said, said.l4, packet_get16(&out, said.l4));
		packet_sum(&said);
	}
	if (rig_step(answer, WEIR_STEP_TUNNEL))
		take_outer_id(&said, packet, &out);
	cr_assert_eq(packet_difference(&said, &out), -1,
		     "round %u: byte %ld is otherwise than was said", round,
		     packet_difference(&said, &out));
	cr_assert(end, "round %u: no verdict", round);
}

static struct packet packet_of(unsigned number, uint64_t *random)
{
	static const uint8_t flags[] = { TH_SYN, TH_SYN, TH_ACK, TH_ACK, TH_FIN | TH_ACK, TH_RST };
	const struct listening *listener = &listeners[number % COUNT(listeners)];
	bool ip6 = number / COUNT(listeners) & 1;

	return packet_build(&(struct packet_spec){
		.protocol = listener->protocol,
		.src = ip6 ? CLIENT6 : CLIENT4,
		.dst = ip6 ? VIP6 : VIP4,
		.sport = (uint16_t)(1024 + number),
		.dport = listener->port,
		.flags = flags[random_below(random, COUNT(flags))],
		.payload = 8,
	});
}

/* An answer to what a nat flow has just sent. */
static void check_reply(const struct packet *sent, uint32_t round, struct coverage *coverage)
{
	struct packet out, reply;
	bool ip6;

	if (rig_run(sent, &out) != XDP_TX || !memcmp(out.bytes, sent->bytes + 6, 6))
		return;
	out.l3 = sent->l3;
	out.l4 = sent->l4;
	out.data = sent->data;
	ip6 = out.bytes[out.l3] >> 4 == 6;
	reply = out;
	memcpy(reply.bytes + out.l3 + (ip6 ? 8 : 12), out.bytes + out.l3 + (ip6 ? 24 : 16),
	       ip6 ? 16 : 4);
	memcpy(reply.bytes + out.l3 + (ip6 ? 24 : 16), out.bytes + out.l3 + (ip6 ? 8 : 12),
	       ip6 ? 16 : 4);
	packet_set16(&reply, out.l4, packet_get16(&out, out.l4 + 2));
	packet_set16(&reply, out.l4 + 2, packet_get16(&out, out.l4));
	packet_sum(&reply);
	check(&reply, round, coverage);
}

/* Weights change while flows go on; windows end, endpoints leave and come back. */
Test(explain, says_what_the_data_plane_does, .timeout = 120)
{
	static struct packet packets[FLOWS];
	int weights[4] = { 30, 50, 20, -1 };
	struct coverage coverage = { .any_port = true };
	uint32_t now = BEGIN;
	uint64_t random = 1;

	stay_on_one_cpu();
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t before;

		set_clock(now);
		if (random_one_in(&random, 3)) {
			weights[random_below(&random, 4)] = (int)random_below(&random, 80) - 10;
			weights[0] = 30; /* somebody is there */
		}
		if (!round || random_one_in(&random, 3))
			weigh(weights);
		if (random_one_in(&random, 2))
			rig_upkeep();
		for (unsigned i = 0; i < FLOWS; i++)
			packets[i] = packet_of(i, &random);
		before = rig_fingerprint();
		for (unsigned i = 0; i < FLOWS; i++)
			rig_explain(&packets[i]);
		cr_assert_eq(rig_fingerprint(), before, "round %u: a map has changed", round);
		for (unsigned i = 0; i < FLOWS; i++)
			check(&packets[i], round, &coverage);
		for (unsigned i = 0; i < FLOWS; i += 7)
			check_reply(&packets[i], round, &coverage);
		now += TICK * (1 + random_below(&random, 6));
	}
	cr_log_info("%lu stable, %lu moving, %lu pinned; %lu recorded, %lu not, %lu would be; "
		    "nat: %lu known, %lu opened, %lu ended; %lu answered",
		    coverage.phases[WEIR_STABLE], coverage.phases[WEIR_MOVING],
		    coverage.phases[WEIR_PINNED], coverage.recorded, coverage.unrecorded,
		    coverage.withheld, coverage.known, coverage.opened, coverage.ended,
		    coverage.answered);
	cr_assert(coverage.phases[WEIR_STABLE] > 1000 && coverage.phases[WEIR_MOVING] > 500 &&
		  coverage.phases[WEIR_PINNED] > 200 && coverage.recorded > 200 &&
		  coverage.unrecorded > 200 && coverage.withheld > 200 && coverage.known > 1000 &&
		  coverage.opened > 500 && coverage.ended > 20 && coverage.answered > 100);
}

/* Tags, options, fragments, pings, damage: through all programs. */
static const struct packet_spec odd[] = {
	{ .src = CLIENT4, .dst = VIP4, .vlan = { 100 } },
	{ .src = CLIENT4, .dst = VIP4, .vlan = { 100, 200 }, .ip_options = 8 },
	{ .src = CLIENT4, .dst = VIP4, .fragment = 0x2000, .payload = 64 },
	{ .src = CLIENT4, .dst = VIP4, .fragment = 0x0010, .payload = 64 },
	{ .src = CLIENT4, .dst = VIP4, .ttl = 1 },
	{ .src = CLIENT4, .dst = VIP4, .trailer = 6 },
	{ .src = CLIENT4, .dst = "192.0.2.77" },
	{ .src = "127.0.0.1", .dst = VIP4 },
	{ .src = VIP4, .dst = VIP4 },
	{ .src = "10.0.0.11", .dst = SNAT4 },
	{ .src = CLIENT6, .dst = VIP6, .extensions = { EXT_HOP, EXT_DEST } },
	{ .src = CLIENT6, .dst = VIP6, .extensions = { EXT_FIRST }, .payload = 64 },
	{ .src = CLIENT6, .dst = VIP6, .extensions = { EXT_LATER }, .payload = 64 },
	{ .src = CLIENT6, .dst = VIP6, .ttl = 1 },
	{ .src = "ff02::1", .dst = VIP6 },
};

/* About what an endpoint has sent to a client, or weir to an endpoint. */
static struct packet odd_error(uint64_t *random)
{
	static const uint16_t ports[] = { 80, 25, 53, 8000, 81 };
	bool ip6 = random_one_in(random, 2), nat = random_one_in(random, 3);
	struct packet quote = packet_build(&(struct packet_spec){
		.protocol = random_one_in(random, 2) ? IPPROTO_TCP : IPPROTO_UDP,
		.src = nat ? (ip6 ? SNAT6 : SNAT4) : (ip6 ? VIP6 : VIP4),
		.dst = nat ? (ip6 ? "fd00::11" : "10.0.0.11") : (ip6 ? CLIENT6 : CLIENT4),
		.sport = nat ? (uint16_t)(SNAT_FIRST + random_below(random, 50))
			     : ports[random_below(random, COUNT(ports))],
		.dport = nat ? 80 : (uint16_t)(1024 + random_below(random, FLOWS)),
		.flags = TH_ACK,
	});

	return packet_build(&(struct packet_spec){
		.protocol = IPPROTO_ICMP,
		.src = ip6 ? "2001:db8:f::9" : "203.0.113.9",
		.dst = nat ? (ip6 ? SNAT6 : SNAT4) : (ip6 ? VIP6 : VIP4),
		.icmp_type = ip6 ? 2 : 3,
		.icmp_code = ip6 ? 0 : 4,
		.icmp_rest = 1400,
		.quote = &quote,
	});
}

static struct packet odd_frame(uint64_t *random)
{
	static const uint16_t ports[] = { 80, 25, 53, 81, 8000, SNAT_FIRST + 1 };
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP };
	static const uint8_t flags[] = { TH_SYN, TH_ACK, TH_RST };
	struct packet_spec spec = odd[random_below(random, COUNT(odd))];
	struct packet packet;

	spec.protocol = protocols[random_below(random, COUNT(protocols))];
	spec.icmp_type = strchr(spec.dst, ':') ? 128 : 8; /* a ping */
	spec.sport = (uint16_t)(1 + random_below(random, 500));
	spec.dport = ports[random_below(random, COUNT(ports))];
	spec.flags = flags[random_below(random, COUNT(flags))];
	packet = random_one_in(random, 6) ? odd_error(random) : packet_build(&spec);
	for (uint32_t times = random_below(random, 4); times > 0; times--) {
		size_t headers = packet.size < 100 ? packet.size : 100;

		packet.bytes[random_below(random, (uint32_t)headers)] =
			(uint8_t)random_below(random, 256);
	}
	if (random_one_in(random, 5))
		packet.size = 14 + random_below(random, (uint32_t)packet.size - 13);
	return packet;
}

Test(explain, says_it_of_any_frame, .timeout = 120)
{
	struct coverage coverage = {};
	uint64_t random = 2, before;
	struct packet packet;

	stay_on_one_cpu();
	weigh((int[]){ 30, 50, 20, -1 });
	for (uint32_t i = 0; i < 400; i++) { /* each endpoint has its first SNAT port */
		packet = packet_of(i, &random);
		rig_run(&packet, NULL);
	}
	for (uint32_t i = 0; i < FRAMES; i++) {
		packet = odd_frame(&random);
		if (i % 1000 == 0) {
			before = rig_fingerprint();
			rig_explain(&packet);
			cr_assert_eq(rig_fingerprint(), before, "frame %u: a map has changed", i);
		}
		check(&packet, i, &coverage);
	}
	cr_log_info("%lu answered, %lu first fragments, %lu followed, %lu quoted",
		    coverage.answered, coverage.remembered, coverage.followed, coverage.quoted);
	cr_assert(coverage.answered > 500 && coverage.remembered > 50 && coverage.followed > 50 &&
		  coverage.quoted > 500);
}

/* ---- it says what it does not do ---- */

static const struct weir_step *expect_step(const struct packet *packet, enum weir_step_kind kind,
					   int line)
{
	const struct weir_step *step = rig_step(rig_explain(packet), kind);

	cr_assert(step, "line %d: no step of kind %d", line, kind);
	return step;
}

#define EXPECT_STEP(packet, kind) expect_step(&(packet), WEIR_STEP_##kind, __LINE__)

/* A flow of `mail` whose slot is MOVING, away from ep1. */
static struct packet moving_packet(uint8_t flags)
{
	static uint16_t sport = 30000;

	for (int tries = 0; tries < 10000; tries++) {
		struct packet packet = packet_build(&(struct packet_spec){
			.protocol = IPPROTO_TCP,
			.src = CLIENT4,
			.dst = VIP4,
			.sport = sport++,
			.dport = 25,
			.flags = flags,
		});

		if (rig_step(rig_explain(&packet), WEIR_STEP_EXCEPTION))
			return packet;
	}
	cr_assert_fail("nothing moves");
	return (struct packet){};
}

Test(explain, says_what_would_be_written)
{
	struct packet packet;

	weigh((int[]){ 50, -1, -1, -1 });
	weigh((int[]){ 50, 50, -1, -1 });
	packet = moving_packet(TH_ACK);
	cr_assert(!EXPECT_STEP(packet, EXCEPTION)->found);
	cr_assert(EXPECT_STEP(packet, PREVIOUS)->found);
	cr_assert_eq(EXPECT_STEP(packet, RECORD)->index, rig_endpoint("mail", "ep1")->row);
	cr_assert_eq(rig_count_records(rig.object->exceptions), 0);
	EXPECT_TO(packet, "10.0.0.11");
	cr_assert_eq(rig_count_records(rig.object->exceptions), 1);
	cr_assert(EXPECT_STEP(packet, EXCEPTION)->found);
	cr_assert_null(rig_step(rig_explain(&packet), WEIR_STEP_RECORD));
	rig_advance(IDLE_TIMEOUT + 2);
	rig.facts.now = object_now(rig.object);
	cr_assert(EXPECT_STEP(packet, EXCEPTION)->found, "the record is there, but over");
	cr_assert_eq(EXPECT_STEP(packet, RECORD)->index, rig_endpoint("mail", "ep1")->row);
}

/* ---- golden ---- */

static char *run_cli(char *line)
{
	char instance[RIG_INSTANCE_NAME], *arguments[16] = {}, *rest = NULL, *text = NULL;
	struct cli cli = { .instance = instance, .argv = arguments };
	char path[] = "/tmp/weir-test-explain-XXXXXX";
	int out = mkstemp(path), saved = dup(STDOUT_FILENO), r;
	struct err err = {};

	for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		if (!strcmp(word, "-p"))
			cli.json = cli.pretty = true;
		else if (cli.argc < 15)
			arguments[cli.argc++] = word;
	}
	rig_instance_name(instance, getppid(), 0);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	r = cli_explain(&cli, &err);
	if (r)
		printf("weir: %s\n", err.text);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(out);
	cr_assert_eq(file_read(path, GOLDEN_MAX, &text, NULL), 0, "%s", path);
	unlink(path);
	return text;
}

/* How long ago something was depends on how long the test takes. */
static void forget_ages(char *text)
{
	char *to = text;

	for (char *from = text; *from; from++) {
		size_t digits = strspn(from, "0123456789");

		if (digits && !strncmp(from + digits, " s ago", 6)) {
			*to++ = 'N';
			from += digits - 1;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

/* The file's first line is the command, after a prompt. */
static void check_golden(const char *name)
{
	char path[512], *expected = NULL, *got, *line;
	const char *elsewhere = getenv("GOLDEN");
	size_t size;

	snprintf(path, sizeof(path), GOLDEN "/%s", name);
	cr_assert_eq(file_read(path, GOLDEN_MAX, &expected, NULL), 0, "%s", path);
	size = strcspn(expected, "\n");
	cr_assert(!strncmp(expected, "$ weir ", 7) && expected[size], "%s: no command", path);
	line = strndup(expected + 7, size - 7);
	got = run_cli(line);
	forget_ages(got);
	if (elsewhere) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", elsewhere, name);
		file = fopen(path, "w");
		cr_assert(file, "%s: %s", path, strerror(errno));
		fprintf(file, "%.*s\n%s", (int)size, expected, got);
		fclose(file);
	} else {
		cr_expect_str_eq(got, expected + size + 1, "%s:\n%s", path, got);
	}
	free(expected);
	free(got);
	free(line);
}

/* All files whose name begins with the scene. */
static void check_scene(const char *scene)
{
	DIR *folder = opendir(GOLDEN);
	struct dirent *entry;
	unsigned files = 0;

	cr_assert(folder, "%s: %s; run it from the top of the tree", GOLDEN, strerror(errno));
	while ((entry = readdir(folder))) {
		if (strncmp(entry->d_name, scene, strlen(scene)))
			continue;
		check_golden(entry->d_name);
		files++;
	}
	closedir(folder);
	cr_assert_gt(files, 0, "nothing of %s", scene);
}

/* One SNAT port, so that it is always the same one. */
static void begin_golden(void)
{
	static const struct weir_port_range one = { SNAT_FIRST, SNAT_FIRST };

	rig_ports(SNAT4, 1, &one);
	rig_ports(SNAT6, 1, &one);
	weigh((int[]){ 50, 30, -1, -1 });
}

static void send_tcp(uint16_t sport, uint16_t dport, uint8_t flags)
{
	struct packet packet = packet_build(&(struct packet_spec){
		.protocol = IPPROTO_TCP,
		.src = CLIENT4,
		.dst = VIP4,
		.sport = sport,
		.dport = dport,
		.flags = flags,
	});

	rig_run(&packet, NULL);
}

Test(explain, golden_quiet)
{
	begin_golden();
	check_scene("quiet-");
}

Test(explain, golden_known)
{
	begin_golden();
	send_tcp(40000, 80, TH_SYN);
	send_tcp(40000, 80, TH_ACK);
	rig_advance(7);
	check_scene("known-");
}

Test(explain, golden_moving)
{
	begin_golden();
	weigh((int[]){ 50, 30, 60, -1 });
	send_tcp(40003, 25, TH_ACK);
	check_scene("moving-");
}

Test(explain, golden_pinned)
{
	begin_golden();
	weigh((int[]){ 50, 30, 60, -1 });
	send_tcp(40003, 25, TH_ACK);
	rig_advance(IDLE_TIMEOUT - 5);
	send_tcp(40003, 25, TH_ACK);
	rig_advance(7);
	rig_upkeep();
	check_scene("pinned-");
}

Test(explain, golden_guarded)
{
	rig_configure("version: 1\n"
		      "acls:\n"
		      "  - { name: office, prefixes: [198.51.100.0/24] }\n"
		      "  - { name: scanners, prefixes: [203.0.113.0/24] }\n"
		      "listeners:\n"
		      "- { name: ssh, protocol: tcp, address: " VIP4 ", port: 22, mode: dsr,\n"
		      "    allow: office,\n"
		      "    endpoint_groups: [{ name: main, endpoints: [10.0.0.11] }] }\n"
		      "- { name: web, protocol: tcp, address: " VIP4 ", port: 80, mode: dsr,\n"
		      "    deny: scanners,\n"
		      "    endpoint_groups: [{ name: main, endpoints: [10.0.0.11] }] }\n");
	check_scene("guarded-");
}

Test(explain, golden_regions)
{
	rig_clients("198.51.100.0/25 us\n198.51.100.128/26 us\n203.0.113.0/24 eu\n");
	rig_configure("version: 1\n"
		      "node: { region: eu }\n"
		      "client_regions: { file: /nowhere }\n"
		      "listeners:\n"
		      "- { name: web, protocol: tcp, address: " VIP4 ", port: 80, mode: dsr,\n"
		      "    endpoint_groups: [\n"
		      "      { name: near, region: eu, endpoints: [10.0.0.11] },\n"
		      "      { name: far, region: us, endpoints: [10.0.0.12] }] }\n");
	check_scene("regions-");
}

Test(explain, golden_drained)
{
	begin_golden();
	send_tcp(40000, 80, TH_SYN);
	weigh((int[]){ 0, 0, -1, -1 });
	check_scene("drained-");
}
