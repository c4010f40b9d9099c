// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: a writer that is killed at any moment of a change leaves the old configuration in force or
 * the new one, never a mixture, and the next one makes of it, in every map, what a writer makes
 * that was never killed. Needs root.
 */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/drift.h"
#include "dataplane/sync.h"
#include "random.h"
#include "rig_suite.h"
#include "util/str.h"

#define KILLS 200

RIG_SUITE(kill);

/* Two that differ in all that a configuration says: ports, weights, endpoints, access, timeouts. */
static const char *const texts[2] = {
	"version: 1\n"
	"acls: [{name: four, prefixes: [0.0.0.0/1, 128.0.0.0/1]}]\n"
	"listeners:\n"
	"- {name: web, protocol: tcp, address: " VIP4 ", port: 80, endpoint_groups: [\n"
	"    {name: main, endpoints: [10.0.0.11 weight 50, 10.0.0.12 weight 30, 10.0.0.13]}]}\n"
	"- {name: dns, protocol: udp, address: " VIP4 ", port: 53, mode: dsr, endpoint_groups: [\n"
	"    {name: main, endpoints: [10.0.0.11, 10.0.0.12]}]}\n",
	"version: 1\n"
	"acls: [{name: four, prefixes: 10.0.0.0/8}]\n"
	"listeners:\n"
	"- {name: web, protocol: tcp, address: " VIP4
	", port: '80,443,1000-2000', idle_timeout: 60,\n"
	"    allow: four, endpoint_groups: [\n"
	"    {name: main, endpoints: [10.0.0.11 weight 10, 10.0.0.14, 10.0.0.15, 10.0.0.16]}]}\n"
	"- {name: dns, protocol: udp, address: " VIP4 ", port: 53, mode: dsr, endpoint_groups: [\n"
	"    {name: main, endpoints: [10.0.0.11 weight 20, 10.0.0.12, 10.0.0.13]}]}\n"
	"- {name: new, protocol: udp, address: 192.0.2.7, port: 9, endpoint_groups: [\n"
	"    {name: all, endpoints: [10.0.0.21]}]}\n",
};

/* What packets go by, in words; the caller's. */
static char *describe(const struct plan *plan)
{
	struct str out = {};

	vec_foreach(listener, &plan->listeners) {
		if (!listener->addresses.count)
			continue;
		str_add(&out, "%s %u %zu access %u table %016llx ports", listener->name,
			listener->idle_timeout, listener->addresses.count, listener->access,
			(unsigned long long)plan_digest(listener, &listener->table[PLAN_IP4]));
		vec_foreach(range, &listener->ports)
			str_add(&out, " %u-%u", range->first, range->last);
		str_add(&out, "\n");
	}
	return str_take(&out);
}

static struct plan *adopt(void)
{
	struct plan *plan = NULL;
	struct err err = {};

	cr_assert_eq(sync_adopt(rig.object, &plan, &err), 0, "%s", err.text);
	return plan;
}

/* Every map is as the plan in force has it. */
static void expect_whole(const char *when)
{
	_cleanup_(drift_fini) struct drift drift = {};

	drift_find(rig.object, rig.plan, DRIFT_LOOK, &drift);
	cr_assert(!drift.failed);
	cr_assert_eq(drift.count, 0, "%s: %zu, the first: %s: %s", when, drift.count,
		     drift.list.count ? drift.list.items[0].where : "",
		     drift.list.count ? drift.list.items[0].what : "");
}

/* How long a change takes that is not killed (us). */
static long measure(const char *text)
{
	struct timespec begun, ended;
	pid_t writer;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	writer = fork();
	if (!writer) {
		rig_configure("%s", text);
		_exit(0);
	}
	cr_assert_eq(waitpid(writer, NULL, 0), writer);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	return (ended.tv_sec - begun.tv_sec) * 1000000 + (ended.tv_nsec - begun.tv_nsec) / 1000;
}

static void kill_writer(const char *text, long after)
{
	pid_t writer = fork();

	if (!writer) {
		rig_configure("%s", text);
		_exit(0);
	}
	usleep(after);
	kill(writer, SIGKILL);
	cr_assert_eq(waitpid(writer, NULL, 0), writer);
}

/* The next daemon, which knows only the maps, with the configuration of its file. */
static void take_over(struct plan *adopted, const char *text)
{
	plan_free(rig.plan);
	rig.plan = adopted;
	rig.object->idle_follows = false;
	rig_configure("%s", text);
}

Test(kill, at_any_moment, .timeout = 400)
{
	uint64_t random = 20240611;
	char *wanted[2];
	unsigned seen[2] = {};
	int now = 0;
	long span = LONG_MAX;

	for (int i = 1; i >= 0; i--) {
		rig_configure("%s", texts[i]);
		wanted[i] = describe(rig.plan);
	}
	cr_assert_str_neq(wanted[0], wanted[1]);
	for (int i = 0; i < 6; i++) { /* on a busy machine some take long */
		long took = measure(texts[1 - i % 2]);

		span = took < span ? took : span;
		take_over(adopt(), texts[1 - i % 2]);
	}
	take_over(adopt(), texts[0]);
	for (int i = 0; i < KILLS; i++) {
		_cleanup_(freep) char *got = NULL;
		struct plan *adopted;

		kill_writer(texts[!now], random_below(&random, span));
		adopted = adopt();
		got = describe(adopted);
		if (!strcmp(got, wanted[!now])) {
			now = !now;
			seen[1]++;
		} else {
			cr_assert_str_eq(got, wanted[now], "a mixture after %d kills:\n%s", i, got);
			seen[0]++;
		}
		take_over(adopted, texts[now]);
		expect_whole("taken over");
	}
	cr_expect(seen[0] && seen[1], "old %u, new %u", seen[0], seen[1]);
	free(wanted[0]);
	free(wanted[1]);
}
