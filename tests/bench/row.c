// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "row.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/nat.h"

#define RUNS		6      /* of a row in a round */
#define RUNS_NEW	3      /* ... that fills a table from nothing each time */
#define PACKETS_MIN	65536u /* of a run: long beside what a system call costs, 0.2 ms here */
#define PACKETS_MAX	131072u
#define PACKETS_CHECKED 64u

#define CLIENT4		"10.128.0.1"
#define CLIENT6		"2001:db8:1::1"
#define STRANGER6	"2001:db8:2::1"
#define ENDPOINT4	"10.0.0.1"
#define ENDPOINT6	"fd00::1"
#define EPHEMERAL	1024 /* any port of SNAT's */

#define K		1000u
#define M		1000000u

#define DATA		.protocol = IPPROTO_TCP
#define SYN		.protocol = IPPROTO_TCP, .syn = true
#define SENT		.reason = WEIR_R_FORWARDED, .verdict = XDP_TX
#define ANSWERED	.reason = WEIR_R_REPLIED, .verdict = XDP_TX
#define PASSED		.stranger = true, .reason = WEIR_R_NOT_OURS, .verdict = XDP_PASS

/* clang-format off */
static const struct row rows[] = {
	{ "yardstick", NULL, .flows = 1, DATA, .verdict = XDP_TX },
	{ "pass-tcp4", "dsr", .flows = 1, DATA, PASSED, .goal = 0.5 },
	{ "pass-tcp6", "dsr", .flows = 1, .ip6 = true, DATA, PASSED },
	{ "pass-icmp", "dsr", .flows = 1, .protocol = IPPROTO_ICMP, PASSED },
	{ "dsr-tcp4-1", "dsr", .flows = 1, DATA, SENT },
	{ "dsr-tcp4-1-acl16", "dsr-acl16", .flows = 1, DATA, SENT },
	{ "dsr-tcp4-1-acl10k", "dsr-acl10k", .flows = 1, DATA, SENT },
	{ "dsr-tcp4-1m-acl10k", "dsr-acl10k", .flows = M, DATA, SENT },
	{ "dsr-tcp6-1-acl16", "dsr-acl16", .flows = 1, .ip6 = true, DATA, SENT },
	{ "dsr-tcp6-1-acl10k", "dsr-acl10k", .flows = 1, .ip6 = true, DATA, SENT },
	{ "dsr-tcp4-1k", "dsr", .flows = K, DATA, SENT },
	{ "dsr-tcp4-64k", "dsr", .flows = 64 * K, DATA, SENT },
	{ "dsr-tcp4-1m", "dsr", .flows = M, DATA, SENT, .goal = 1.1 },
	{ "dsr-tcp6-1", "dsr", .flows = 1, .ip6 = true, DATA, SENT },
	{ "dsr-syn4-new", "dsr", .flows = M, SYN, SENT, .goal = 1.5 },
	{ "dsr-tcp4-1m-10k", "dsr-10k", .flows = M, DATA, SENT, .goal = 1.6 },
	{ "dsr-tcp4-1m-10k-spread", "dsr-10k", .flows = M, .spread = true, DATA, SENT, .goal = 6 },
	{ "dsr-tcp4-moving", "dsr-moving", ROW_RECORDED, .flows = 64 * K, DATA, SENT },
	{ "nat-tcp4-1", "nat", ROW_RECORDED, .flows = 1, DATA, SENT },
	{ "ipip-tcp4-1", "ipip", .flows = 1, DATA, SENT, .goal = 1.2 },
	{ "ipip-tcp4-1m", "ipip", .flows = M, DATA, SENT, .goal = 1.4 },
	{ "ipip-tcp6-1", "ipip-6", .flows = 1, .ip6 = true, DATA, SENT, .goal = 1.5 },
	{ "ipip-syn4-new", "ipip", .flows = M, SYN, SENT, .goal = 1.5 },
	{ "ipip-tcp4-1m-10k", "ipip-10k", .flows = M, DATA, SENT, .goal = 1.6 },
	{ "ipip-tcp4-1m-10k-spread", "ipip-10k", .flows = M, .spread = true, DATA, SENT, .goal = 6 },
	{ "gue-tcp4-1", "gue", .flows = 1, DATA, SENT, .goal = 1.5 },
	{ "gue-tcp6-1", "gue-6", .flows = 1, .ip6 = true, DATA, SENT },
	{ "nat-tcp4-1k", "nat", ROW_RECORDED, .flows = K, DATA, SENT, .goal = 2.4 },
	{ "nat-tcp6-1k", "nat", ROW_RECORDED, .flows = K, .ip6 = true, DATA, SENT },
	{ "nat-rev4-1k", "nat", ROW_REPLIES, .flows = K, DATA, ANSWERED },
	{ "nat-tcp4-1m", "nat-large", ROW_RECORDED, .flows = M, .fill = 60, DATA, SENT, .goal = 5 },
	{ "nat-rev4-1m", "nat-large", ROW_REPLIES, .flows = M, .fill = 60, DATA, ANSWERED,
	  .goal = 6.5 },
	{ "nat-syn4-new", "nat-new", ROW_NEW, .flows = M, .fill = 50, SYN, SENT, .goal = 12 },
};
/* clang-format on */

const struct row *row_at(size_t index)
{
	return index < sizeof(rows) / sizeof(rows[0]) ? &rows[index] : NULL;
}

int bench_new(struct bench **ret, struct err *err)
{
	static const struct traffic_spec spec = {
		.src = CLIENT4,
		.dst = SUBJECT_VIP4,
		.dport = SUBJECT_PORT,
		.protocol = IPPROTO_TCP,
		.flags = TH_ACK,
		.flows = 1,
	};
	_cleanup_(bench_freep) struct bench *bench = calloc(1, sizeof(*bench));
	int r;

	if (!bench)
		return err_set(err, -ENOMEM, "out of memory");
	r = measure_new(&bench->measure, err);
	if (!r)
		r = ruler_new(&bench->yardstick, err);
	if (!r)
		r = measure_add(bench->measure, ruler_program(bench->yardstick), err);
	if (r < 0)
		return r;
	bench->yardstick_target = (uint32_t)r;
	r = traffic_make(measure_room(bench->measure), &spec, &bench->yardstick_traffic, err);
	if (r < 0)
		return r;
	*ret = take_ptr(bench);
	return 0;
}

void bench_free(struct bench *bench)
{
	if (!bench)
		return;
	for (size_t i = 0; i < bench->subject_count; i++)
		subject_close(bench->subjects[i].subject);
	ruler_free(bench->yardstick);
	measure_free(bench->measure);
	free(bench);
}

int bench_subject(struct bench *bench, const char *name, struct subject **ret, uint32_t *ret_target,
		  struct err *err)
{
	size_t i = 0;
	int r;

	while (i < bench->subject_count && strcmp(bench->subjects[i].subject->spec->name, name))
		i++;
	if (i == bench->subject_count) {
		r = subject_open(name, &bench->subjects[i].subject, err);
		if (r < 0)
			return r;
		bench->subject_count++;
		r = measure_add(bench->measure, bench->subjects[i].subject->object->program, err);
		if (r < 0)
			return r;
		bench->subjects[i].target = (uint32_t)r;
	}
	*ret = bench->subjects[i].subject;
	*ret_target = bench->subjects[i].target;
	return 0;
}

/* Packets of the row as the program under test has counted them. */
static int counted(const struct bench *bench, const struct row_run *run, uint64_t *ret,
		   struct err *err)
{
	if (run->subject)
		return subject_count(run->subject, run->row->reason, ret, err);
	*ret = ruler_count(bench->yardstick);
	return 0;
}

static struct traffic_spec traffic_of(const struct row_run *run)
{
	const struct row *row = run->row;
	const char *stranger = row->ip6 ? STRANGER6 : SUBJECT_STRANGER;

	return (struct traffic_spec){
		.src = row->ip6 ? CLIENT6 : CLIENT4,
		.dst = row->stranger ? stranger
		       : row->ip6    ? SUBJECT_VIP6
				     : SUBJECT_VIP4,
		.spread = row->spread ? run->subject->listeners : 1,
		.dport = SUBJECT_PORT,
		.protocol = row->protocol,
		.flags = row->syn ? TH_SYN : TH_ACK,
		.flows = row->flows,
	};
}

/* As many flows as the tables may hold; says so where that is fewer than wanted. */
static void limit_flows(struct row_run *run, struct traffic_spec *spec)
{
	uint64_t most = run->row->fill
				? (uint64_t)nat_size(run->subject->object) * run->row->fill / 100
				: 0;

	if (run->row->fill && most < spec->flows) {
		spec->flows = (uint32_t)most;
		snprintf(run->note, sizeof(run->note), "%u flows: %u %% of the table", spec->flows,
			 run->row->fill);
	}
	if (run->subject && run->subject->listeners < run->subject->spec->listeners)
		snprintf(run->note, sizeof(run->note), "%u listeners: as many as there can be",
			 run->subject->listeners);
}

/* The packet that all answers of endpoints are made of. */
static struct traffic_spec reply_of(const struct row *row)
{
	return (struct traffic_spec){
		.src = row->ip6 ? ENDPOINT6 : ENDPOINT4,
		.dst = row->ip6 ? SUBJECT_SNAT6 : SUBJECT_SNAT4,
		.dport = EPHEMERAL,
		.protocol = row->protocol,
		.flags = TH_ACK,
	};
}

/* Sends each flow's packet once. */
static int send_once(struct bench *bench, const struct row_run *run, const struct traffic *traffic,
		     struct err *err)
{
	struct measure_run once = {
		.traffic = traffic,
		.target = run->target,
		.count = traffic->count,
		.verdict = run->row->verdict,
	};
	double ns;

	return measure_time(bench->measure, &once, &ns, err);
}

/*
 * Opens the flows by a SYN each, then sends the row's packets once; or turns to the answers. In
 * mode nat all are answered, too: a record of which only one end has been seen lives 30 s, and a
 * round of all rows may take longer.
 */
static int open_flows(struct bench *bench, struct row_run *run, const struct traffic_spec *spec,
		      struct err *err)
{
	struct traffic_room *room = measure_room(bench->measure);
	struct measure_run first = { .target = run->target, .verdict = run->row->verdict };
	bool nat = run->subject->spec->mode == WEIR_MODE_NAT;
	struct traffic_spec reply = reply_of(run->row);
	struct traffic syns, replies;
	int r;

	r = traffic_with_flags(room, spec, &run->traffic, TH_SYN, &syns, err);
	if (!r)
		r = traffic_replies(room, &syns, &replies, err);
	first.traffic = &syns;
	if (!r)
		r = measure_learn(bench->measure, &first, &replies, err);
	if (!r && nat)
		r = traffic_learned(&reply, &replies, err);
	if (!r && nat)
		r = send_once(bench, run, &replies, err);
	if (!r)
		r = send_once(bench, run, &run->traffic, err);
	if (!r && run->row->kind == ROW_REPLIES)
		run->traffic = replies;
	return r;
}

/* Some packets one by one, so that what comes out can be seen. */
static int check_packets(struct bench *bench, const struct row_run *run, struct err *err)
{
	struct measure_run one = {
		.traffic = &run->traffic,
		.target = run->target,
		.verdict = run->row->verdict,
	};
	uint64_t before, after;
	int r = counted(bench, run, &before, err);

	for (; !r && one.position < PACKETS_CHECKED; one.position++)
		r = measure_check(bench->measure, &one, err);
	if (!r)
		r = counted(bench, run, &after, err);
	if (!r && after - before != PACKETS_CHECKED)
		return err_set(err, -EPROTO, "%llu of %u packets were counted as they should be",
			       (unsigned long long)(after - before), PACKETS_CHECKED);
	return r;
}

int row_prepare(struct bench *bench, const struct row *row, struct row_run *ret, struct err *err)
{
	struct row_run run = { .row = row, .target = bench->yardstick_target };
	struct traffic_spec spec;
	int r = 0;

	if (row->subject)
		r = bench_subject(bench, row->subject, &run.subject, &run.target, err);
	if (r < 0)
		return r;
	spec = traffic_of(&run);
	limit_flows(&run, &spec);
	r = traffic_make(measure_room(bench->measure), &spec, &run.traffic, err);
	if (!r && (row->kind == ROW_RECORDED || row->kind == ROW_REPLIES))
		r = open_flows(bench, &run, &spec, err);
	if (!r)
		r = check_packets(bench, &run, err);
	if (r < 0)
		return err_at(err, r, "row %s", row->name);
	*ret = run;
	return 0;
}

static uint32_t packets_per_run(const struct row_run *run)
{
	uint32_t packets = run->traffic.count / RUNS;

	if (run->row->kind == ROW_NEW)
		return run->traffic.count;
	if (packets < PACKETS_MIN)
		return PACKETS_MIN;
	return packets < PACKETS_MAX ? packets : PACKETS_MAX;
}

/* Times control and target with the same packets, and keeps the quickest of each. */
static int time_pair(struct bench *bench, struct measure_run with, double best[2], struct err *err)
{
	struct measure_run control = with;
	double ns[2];
	int r;

	control.target = WRAPPER_CONTROL;
	control.verdict = XDP_PASS;
	r = measure_time(bench->measure, &control, &ns[0], err);
	if (!r)
		r = measure_time(bench->measure, &with, &ns[1], err);
	for (int i = 0; !r && i < 2; i++)
		if (!best[i] || ns[i] < best[i])
			best[i] = ns[i];
	return r;
}

static int time_all(struct bench *bench, struct row_run *run, double row[2], double yardstick[2],
		    uint64_t *packets, struct err *err)
{
	struct measure_run of_row = {
		.traffic = &run->traffic,
		.target = run->target,
		.count = packets_per_run(run),
		.verdict = run->row->verdict,
	};
	struct measure_run of_yardstick = {
		.traffic = &bench->yardstick_traffic,
		.target = bench->yardstick_target,
		.count = PACKETS_MIN,
		.verdict = XDP_TX,
	};
	bool fresh = run->row->kind == ROW_NEW;
	int r = 0;

	for (int i = 0; !r && i < (fresh ? RUNS_NEW : RUNS); i++) {
		if (fresh)
			r = subject_flush(run->subject, err);
		of_row.position = run->position;
		if (!r)
			r = time_pair(bench, of_row, row, err);
		if (!r)
			r = time_pair(bench, of_yardstick, yardstick, err);
		run->position = (run->position + of_row.count) % run->traffic.count;
		*packets += of_row.count + (run->subject ? 0 : of_yardstick.count);
	}
	return r;
}

int row_round(struct bench *bench, struct row_run *run, double *ret_ns, double *ret_yardstick_ns,
	      struct err *err)
{
	double row[2] = {}, yardstick[2] = {};
	uint64_t before, after, packets = 0;
	int r;

	r = counted(bench, run, &before, err);
	if (!r)
		r = time_all(bench, run, row, yardstick, &packets, err);
	if (!r)
		r = counted(bench, run, &after, err);
	if (!r && after - before != packets)
		r = err_set(err, -EPROTO, "%llu of %llu packets were counted as they should be",
			    (unsigned long long)(after - before), (unsigned long long)packets);
	if (r < 0)
		return err_at(err, r, "row %s", run->row->name);
	*ret_ns = row[1] - row[0];
	*ret_yardstick_ns = yardstick[1] - yardstick[0];
	return 0;
}
