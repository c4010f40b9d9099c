// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: maps that are too small for a change are followed by larger ones, and nobody notices: no
 * flow moves, no count is lost, wherever the daemon is killed on the way; and a table that cannot
 * grow is said to be one. Needs root.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <net/if.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/names.h>

#include <weir/nat.h>

#include "dataplane/attach.h"
#include "dataplane/counters.h"
#include "dataplane/sets.h"
#include "dataplane/steer.h"
#include "dataplane/sync.h"
#include "rig_suite.h"

#define FLOWS 200

RIG_SUITE(growth);

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

/* `direct` (dsr, TCP 80, weights 100 and `b`), `turned` (nat, UDP 53), and `more` others. */
static void configure(int b, unsigned more)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	fprintf(out,
		"version: 1\nnat_flows: 1024\nrecorded_flows: 1024\nlisteners:\n"
		"- {name: direct, protocol: tcp, address: " VIP4 ", port: 80, mode: dsr, "
		"endpoint_groups: [{name: all, endpoints: [10.0.0.11, '10.0.0.12 weight %d']}]}\n"
		"- {name: turned, protocol: udp, address: " VIP4 ", port: 53, "
		"endpoint_groups: [{name: all, endpoints: [10.0.0.13, 10.0.0.14]}]}\n",
		b);
	for (unsigned i = 0; i < more; i++)
		fprintf(out,
			"- {name: l%u, protocol: tcp, address: 192.0.3.%u, port: %u, mode: dsr, "
			"endpoint_groups: [{name: all, endpoints: [10.0.0.15, 10.0.0.16]}]}\n",
			i, 1 + i / 100, 1000 + i % 100);
	fclose(out);
	rig_configure("%s", text);
	free(text);
}

static struct packet tcp_of(unsigned flow)
{
	return TCP(.src = CLIENT4, .dst = VIP4, .sport = (uint16_t)(1000 + flow), .dport = 80,
		   .flags = TH_ACK);
}

static struct packet udp_of(unsigned flow)
{
	return UDP(.src = CLIENT4, .dst = VIP4, .sport = (uint16_t)(1000 + flow), .dport = 53);
}

/* Flows of both kinds, and what their packets became first. */
struct flow_list {
	struct packet tcp[FLOWS], udp[FLOWS];
};

/* By the program given: each flow has a packet, which has to become what its first one did. */
static void send_all(int program, const struct flow_list *expected)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		const struct packet packets[] = { tcp_of(i), udp_of(i) };
		const struct packet *first[] = { &expected->tcp[i], &expected->udp[i] };

		for (int kind = 0; kind < 2; kind++) {
			int before = rig.object->program;
			struct packet out;

			rig.object->program = program;
			cr_assert_eq(rig_run(&packets[kind], &out), XDP_TX, "flow %u", i);
			rig.object->program = before;
			cr_assert_eq(packet_difference(&out, first[kind]), -1,
				     "flow %u of kind %d has moved", i, kind);
		}
	}
}

static struct flow_list *begin_flows(void)
{
	struct flow_list *flows = calloc(1, sizeof(*flows));

	cr_assert(flows);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct packet tcp = tcp_of(i), udp = udp_of(i);

		cr_assert_eq(rig_run(&tcp, &flows->tcp[i]), XDP_TX);
		cr_assert_eq(rig_run(&udp, &flows->udp[i]), XDP_TX);
	}
	return flows;
}

static uint64_t packets_of(const struct object *object, const char *name)
{
	uint64_t sum = 0;

	vec_foreach(endpoint, &rig_listener(name)->endpoints) {
		struct weir_endpoint_stats stats;

		cr_assert_eq(counters_endpoint(object, endpoint->row, &stats), 0);
		sum += stats.traffic.packets;
	}
	return sum;
}

static uint64_t forwarded(const struct object *object, const char *name)
{
	struct counters counters;

	cr_assert_eq(counters_listener(object, rig_listener(name), &counters), 0);
	return counters.reason[WEIR_R_FORWARDED];
}

/* Each flow of each listener has had so many packets. */
static void expect_counted(const struct object *object, unsigned rounds, const char *when)
{
	static const char *const names[] = { "direct", "turned" };

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(packets_of(object, names[i]), rounds * FLOWS, "%s: %s: %lu", when,
			     names[i], packets_of(object, names[i]));
		cr_assert_eq(forwarded(object, names[i]), rounds * FLOWS, "%s: %s: %lu", when,
			     names[i], forwarded(object, names[i]));
	}
}

/* One set, the one in force, and every pin leads into it. */
static void expect_one_set(const char *when)
{
	DIR *pins = opendir(rig.object->directory);
	struct dirent *entry;
	uint32_t current = 0;
	unsigned sets = 0;

	cr_assert(pins);
	cr_assert_eq(sets_current(rig.object->directory, &current), 0, "%s", when);
	while ((entry = readdir(pins))) {
		char path[OBJECT_PATH_MAX + 257];
		struct stat status;
		uint32_t number;

		snprintf(path, sizeof(path), "%s/%s", rig.object->directory, entry->d_name);
		cr_assert_eq(stat(path, &status), 0, "%s: %s leads nowhere", when, path);
		if (!sets_number(entry->d_name, &number))
			continue;
		cr_assert_eq(number, current, "%s: %s is left", when, path);
		sets++;
	}
	closedir(pins);
	cr_assert_eq(sets, 1, "%s", when);
}

static void expect_adopted(const struct object *object, const char *when)
{
	struct plan *adopted = NULL;
	struct err err = {};

	cr_assert_eq(sync_adopt(object, &adopted, &err), 0, "%s: %s", when, err.text);
	cr_assert_eq(adopted->listeners.count, rig.plan->listeners.count, "%s", when);
	vec_foreach(listener, &rig.plan->listeners) {
		const struct plan_listener *same = plan_find_listener(adopted, listener->name);
		const struct plan_table *a = &listener->table[PLAN_IP4], *b;

		cr_assert(same && same->id == listener->id, "%s: %s", when, listener->name);
		b = &same->table[PLAN_IP4];
		cr_assert_eq(same->endpoints.count, listener->endpoints.count, "%s", when);
		cr_assert(a->size == b->size && a->line == b->line, "%s", when);
		cr_assert_arr_eq(a->slots, b->slots, a->size * sizeof(*a->slots), "%s", when);
	}
	plan_free(adopted);
}

Test(growth, flows_and_counts_stay, .timeout = 60)
{
	struct capacity before;
	struct flow_list *flows;

	rig_renew(&small);
	configure(100, 0);
	flows = begin_flows();
	configure(10, 0); /* flows are recorded from here on */
	before = rig.object->capacity;
	send_all(rig.object->program, flows);
	for (unsigned round = 3, more = 10; more <= 640; more *= 4, round++) {
		configure(10, more);
		send_all(rig.object->program, flows);
		expect_counted(rig.object, round, "grown");
		expect_adopted(rig.object, "grown");
		expect_one_set("grown");
	}
	for (int of = CAPACITY_LISTENERS; of <= CAPACITY_LINES; of++)
		cr_assert_gt(rig.object->capacity.of[of], before.of[of], "%d", of);
	cr_assert_eq(rig.object->capacity.of[CAPACITY_NAT_FLOWS], before.of[CAPACITY_NAT_FLOWS]);
	cr_assert_gt(rig_count_records(rig.object->exceptions), 0);
	configure(10, 0); /* nothing becomes smaller, and none of it is lost with the others */
	send_all(rig.object->program, flows);
	free(flows);
}

/* Who counts requests, in the maps that it was handed, and has not heard of others yet. */
struct counting {
	pthread_t thread;
	struct weir_http *requests;
	struct weir_nat_latency *answers;
	size_t bytes[2];
	uint32_t row;
	uint64_t done;
	bool over;
};

static void *count(void *user)
{
	struct counting *counting = user;

	for (; !__atomic_load_n(&counting->over, __ATOMIC_RELAXED); counting->done++) {
		__atomic_fetch_add(&counting->requests[counting->row].requests, 1,
				   __ATOMIC_RELAXED);
		__atomic_fetch_add(&counting->answers[counting->row].answers[3], 1,
				   __ATOMIC_RELAXED);
	}
	return NULL;
}

static void begin_counting(struct counting *counting, uint32_t row)
{
	const uint32_t *capacity = rig.object->capacity.of;
	int fds[STEER_COUNTERS];

	*counting = (struct counting){
		.row = row,
		.bytes = { capacity[CAPACITY_ROWS] * sizeof(*counting->requests),
			   capacity[CAPACITY_ROWS] * sizeof(*counting->answers) },
	};
	cr_assert_eq(steer_open_counters(rig.object, fds, NULL), 0);
	counting->requests = mmap(NULL, counting->bytes[0], PROT_READ | PROT_WRITE, MAP_SHARED,
				  fds[STEER_ENDPOINT_HTTP], 0);
	counting->answers = mmap(NULL, counting->bytes[1], PROT_READ | PROT_WRITE, MAP_SHARED,
				 fds[STEER_LATENCY], 0);
	cr_assert(counting->requests != MAP_FAILED && counting->answers != MAP_FAILED);
	steer_close_counters(fds);
	cr_assert_eq(pthread_create(&counting->thread, NULL, count, counting), 0);
}

static void end_counting(struct counting *counting)
{
	__atomic_store_n(&counting->over, true, __ATOMIC_RELAXED);
	pthread_join(counting->thread, NULL);
	munmap(counting->requests, counting->bytes[0]);
	munmap(counting->answers, counting->bytes[1]);
}

Test(growth, what_workers_count_meanwhile_stays, .timeout = 60)
{
	struct counting workers[3];
	uint64_t sum = 0, before = 0;
	uint32_t row;

	rig_renew(&small);
	configure(100, 0);
	row = rig_listener("direct")->endpoints.items[0].row;
	for (unsigned i = 0, more = 10; i < 3; i++, more *= 4) {
		begin_counting(&workers[i], row);
		configure(100, more); /* those of before do not know of these maps */
		cr_assert_geq(rig.object->endpoint_http[row].requests, before,
			      "less than there was");
		object_settle(rig.object);
		before = rig.object->endpoint_http[row].requests;
	}
	for (unsigned i = 0; i < 3; i++) {
		end_counting(&workers[i]);
		cr_assert_gt(workers[i].done, 0);
		sum += workers[i].done;
	}
	object_settle(rig.object);
	cr_expect_eq(rig.object->endpoint_http[row].requests, sum);
	cr_expect_eq(rig.object->nat_latency[row].answers[3], (uint32_t)sum);
	object_settle(rig.object);
	cr_expect_eq(rig.object->endpoint_http[row].requests, sum, "once");
}

/* A table that nobody needed has one place, or one bucket; it becomes one as configured with who
 * needs it. */
Test(growth, flow_tables_come_with_their_listeners)
{
	static const char text[] =
		"version: 1\nnat_flows: %u\nrecorded_flows: 2000\nlisteners:\n"
		"- {name: l, protocol: udp, address: " VIP4 ", port: 53, mode: %s, "
		"endpoint_groups: [{name: all, endpoints: [10.0.0.11]}]}\n";
	struct capacity idle = small;
	struct packet packet = udp_of(1);
	struct err err = {};

	idle.of[CAPACITY_EXCEPTIONS] = idle.of[CAPACITY_NAT_FLOWS] = 1;
	rig_renew(&idle);
	rig_configure(text, 5000, "dsr");
	cr_assert_eq(rig.object->capacity.of[CAPACITY_NAT_FLOWS], WEIR_NAT_FLOWS_PER_BUCKET);
	cr_assert_eq(rig.object->capacity.of[CAPACITY_EXCEPTIONS], 2000);
	rig_configure(text, 5000, "nat");
	cr_assert_geq(rig.object->capacity.of[CAPACITY_NAT_FLOWS], 5000);
	EXPECT_TO(packet, "10.0.0.11");

	cr_assert_eq(rig_try(&err, text, 1u << 20, "nat"), -EBUSY);
	cr_assert(strstr(err.text, "nat_flows: the table holds ") && strstr(err.text, "1048576"),
		  "%s", err.text);
	EXPECT_TO(packet, "10.0.0.11");
	rig_configure(text, 1024, "nat"); /* what is larger than it need be is no mistake */
	EXPECT_TO(packet, "10.0.0.11");
	expect_one_set("in the end");
}

/* Programs that were loaded while every flow had a record learn of other modes with the first
 * listener that has one. */
Test(growth, other_modes_come_with_their_listeners)
{
	static const char text[] =
		"version: 1\nrecorded_flows: 2000\nlisteners:\n"
		"- {name: l, protocol: udp, address: " VIP4 ", port: 53, mode: %s, "
		"endpoint_groups: [{name: all, endpoints: [10.0.0.11]}]}\n";
	struct capacity idle = small;
	struct packet packet = udp_of(1);
	uint32_t program;

	idle.of[CAPACITY_EXCEPTIONS] = idle.of[CAPACITY_NAT_FLOWS] = 1;
	rig_renew(&idle);
	rig_configure(text, "nat");
	cr_assert_not(capacity_has_stateless(rig.object->capacity.of[CAPACITY_EXCEPTIONS]));
	EXPECT_TO(packet, "10.0.0.11");
	program = rig.object->program_id;

	rig_configure(text, "dsr");
	cr_assert(capacity_has_stateless(rig.object->capacity.of[CAPACITY_EXCEPTIONS]));
	cr_assert_neq(rig.object->program_id, program);
	EXPECT_TO(packet, "10.0.0.11");
	rig_configure(text, "nat");
	EXPECT_TO(packet, "10.0.0.11");
}

/* The program that an interface runs. */
static int program_on(const char *interface)
{
	char path[OBJECT_PATH_MAX + 64];
	struct bpf_link_info info = {};
	unsigned size = sizeof(info);
	int link, program;

	snprintf(path, sizeof(path), "%s/" WEIR_PIN_LINK_PREFIX "%s", rig.object->directory,
		 interface);
	link = bpf_obj_get(path);
	cr_assert_geq(link, 0, "%s", path);
	cr_assert_eq(bpf_obj_get_info_by_fd(link, &info, &size), 0);
	close(link);
	program = bpf_prog_get_fd_by_id(info.prog_id);
	cr_assert_geq(program, 0);
	return program;
}

static void attach_one(const struct object *object, const char *interface)
{
	struct err err = {};

	cr_assert_eq(attach_interface(object->directory, object->program, interface, ATTACH_GENERIC,
				      &err),
		     0, "%s", err.text);
}

/* Both interfaces at once, as packets come by either. */
static void send_by_interfaces(const struct flow_list *flows)
{
	static const char *const interfaces[] = { "arm0", "arm1" };

	for (int i = 0; i < 2; i++) {
		int program = program_on(interfaces[i]);

		send_all(program, flows);
		close(program);
	}
}

enum step {
	MADE,
	PUBLISHED,
	ATTACHED_HALF,
	ATTACHED,
	CARRIED,
	REMOVED_HALF,
	STEPS,
};

static const char *const step_names[STEPS] = {
	"made", "published", "attached to one", "attached", "carried", "removed by half",
};

static void remove_half(const struct object *set)
{
	char path[OBJECT_PATH_MAX + 64];

	sets_path(set->directory, set->set, "slots", path);
	cr_assert_eq(unlink(path), 0);
}

/* As sets_go_over() does, up to a step. */
static void grow_until(enum step last)
{
	struct capacity large = rig.object->capacity;
	struct object *next = NULL;
	struct err err = {};

	for (int of = CAPACITY_LISTENERS; of <= CAPACITY_LINES; of++)
		large.of[of] *= 2;
	cr_assert_eq(sets_make(rig.object->directory, rig.object, &large, &next, &err), 0, "%s",
		     err.text);
	if (last >= PUBLISHED)
		cr_assert_eq(sets_publish(next, &err), 0, "%s", err.text);
	if (last >= ATTACHED_HALF)
		attach_one(next, "arm1");
	if (last >= ATTACHED)
		cr_assert_eq(attach_replace_all(next, &err), 0, "%s", err.text);
	object_wait();
	if (last >= CARRIED)
		cr_assert_eq(sets_carry(rig.object, next, &err), 0, "%s", err.text);
	if (last >= REMOVED_HALF)
		remove_half(rig.object);
	object_close(next);
}

/* What a reader sees while the daemon is dead. */
static void expect_readable(const char *when)
{
	struct object *object = NULL;
	struct err err = {};
	char name[RIG_INSTANCE_NAME];

	rig_instance_name(name, getppid(), 0);
	cr_assert_eq(object_open(name, &object, &err), 0, "%s: %s", when, err.text);
	expect_adopted(object, when);
	object_close(object);
}

/* The next `weir run`. */
static void run_again(const char *when)
{
	char name[RIG_INSTANCE_NAME];
	struct err err = {};
	bool fresh = true;

	rig_instance_name(name, getppid(), 0);
	object_close(rig.object);
	rig.object = NULL;
	cr_assert_eq(object_load(name, &small, &rig.object, &fresh, &err), 0, "%s: %s", when,
		     err.text);
	cr_assert(!fresh, "%s", when);
}

Test(growth, killed_at_any_step, .timeout = 120)
{
	for (enum step last = MADE; last < STEPS; last++) {
		const char *when = step_names[last];
		struct flow_list *flows;

		rig_renew(&small);
		plan_free(rig.plan);
		rig.plan = plan_new();
		attach_one(rig.object, "arm0");
		attach_one(rig.object, "arm1");
		configure(100, 0);
		flows = begin_flows();
		configure(10, 0);
		send_by_interfaces(flows);
		expect_counted(rig.object, 3, when);

		grow_until(last);
		send_by_interfaces(flows);
		expect_readable(when);
		run_again(when);
		send_by_interfaces(flows);
		expect_counted(rig.object, 7, when);
		expect_adopted(rig.object, when);
		expect_one_set(when);
		configure(50, 300); /* and it goes on from there */
		send_by_interfaces(flows);
		expect_counted(rig.object, 9, when);
		expect_one_set(when);
		free(flows);
	}
}

/* An interface that does not take the new program: everything stays as it was. */
Test(growth, what_cannot_be_attached_is_taken_back)
{
	struct capacity large = small;
	struct object *next = NULL;
	struct flow_list *flows;
	struct err err = {};
	uint32_t set;

	rig_renew(&small);
	attach_one(rig.object, "arm0");
	attach_one(rig.object, "arm1");
	configure(100, 0);
	flows = begin_flows();
	set = rig.object->set;
	large.of[CAPACITY_ROWS] *= 2;
	cr_assert_eq(sets_make(rig.object->directory, rig.object, &large, &next, &err), 0, "%s",
		     err.text);
	close(next->program);
	next->program = rig.object->exceptions; /* no program */
	cr_assert_lt(sets_go_over(rig.object, next, &err), 0);
	next->program = -1;
	object_close(next);
	send_by_interfaces(flows);
	expect_counted(rig.object, 3, "taken back");
	expect_one_set("taken back");
	cr_assert_eq(sets_current(rig.object->directory, &set), 0);
	cr_assert_eq(set, rig.object->set);
	free(flows);
}
