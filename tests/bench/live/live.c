// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * weir beside what else there is, on live frames: bench/live [ROUNDS [FILE]], run by
 * `make bench-live`. Prints a table for people and writes one JSON line per row to FILE. A rate is
 * that of one CPU which makes the packets, balances and takes them; what it is worth depends on the
 * machine and the day, so it is the ratios of one run that count: medians of the rounds', to the
 * nftables balancer with the same packets and to XDP_TX, which is the most that can be had here.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/contestant.h"
#include "steady.h"
#include "subject.h"

#define ROUNDS_MIN  1
#define ROUNDS_MAX  1000
#define ROUNDS_GOOD 7 /* fewer are for a quick look */

#define FLOWS	    65536u  /* of `64k`, and the new ones of `new` */
#define PACKETS	    131072u /* of a run */
#define WARM_UP	    4096u   /* before it */
#define CLIENT	    "10.128.0.1"

enum kind {
	KIND_ONE,  /* one flow */
	KIND_MANY, /* FLOWS flows, all known */
	KIND_NEW,  /* each packet opens a flow */
	KINDS
};

static const char *const kind_names[] = { "1", "64k", "new" };

struct row {
	const char *name;
	const char *contestant;
	enum kind kind;
	double goal; /* of the ratio to nftables, at least; 0: none */
};

/* clang-format off */
static const struct row rows[] = {
	{ "live-drop", "drop", KIND_MANY },
	{ "live-tx", "tx", KIND_MANY },
	{ "live-forward", "forward", KIND_MANY },
	{ "live-nft-1", "nft", KIND_ONE },
	{ "live-nft-64k", "nft", KIND_MANY },
	{ "live-nft-new", "nft", KIND_NEW },
	{ "live-nft-snat-64k", "nft-snat", KIND_MANY },
	{ "live-nat-1", "nat", KIND_ONE },
	{ "live-nat-64k", "nat", KIND_MANY, 3.5 },
	{ "live-nat-new", "nat", KIND_NEW },
	{ "live-dsr-1", "dsr", KIND_ONE },
	{ "live-dsr-64k", "dsr", KIND_MANY },
	{ "live-dsr-new", "dsr", KIND_NEW },
	{ "live-ipip-1", "ipip", KIND_ONE },
	{ "live-ipip-64k", "ipip", KIND_MANY },
	{ "live-ipip-new", "ipip", KIND_NEW },
	{ "live-gue-1", "gue", KIND_ONE },
	{ "live-gue-64k", "gue", KIND_MANY },
	{ "live-gue-new", "gue", KIND_NEW },
};
/* clang-format on */

#define ROWS   (sizeof(rows) / sizeof(rows[0]))
#define TX_ROW 1 /* the ceiling */

struct result {
	struct contestant *contestant;
	double *ns;	/* by round */
	double *to_nft; /* by round: how many times its rate; 0 where it has no such row */
	double *to_tx;
};

/* Everything of a run of this program. */
struct live {
	unsigned rounds;
	struct pipe *pipe;
	struct traffic data[KINDS];
	struct traffic syns[KINDS];
	struct result results[ROWS];
};

static void live_fini(struct live *live)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct result *result = &live->results[i];

		if (!i || result->contestant != result[-1].contestant)
			contestant_free(result->contestant);
		free(result->ns);
		free(result->to_nft);
		free(result->to_tx);
	}
	pipe_free(live->pipe);
}

static int make_traffic(struct live *live, struct err *err)
{
	struct traffic_spec spec = {
		.src = CLIENT,
		.dst = SUBJECT_VIP4,
		.dport = SUBJECT_PORT,
		.protocol = IPPROTO_TCP,
		.flags = TH_ACK,
	};
	struct traffic_room *room = pipe_room(live->pipe);
	int r = 0;

	for (int kind = 0; !r && kind < KINDS; kind++) {
		spec.flows = kind == KIND_ONE ? 1 : FLOWS;
		r = traffic_make(room, &spec, &live->data[kind], err);
		if (!r)
			r = traffic_with_flags(room, &spec, &live->data[kind], TH_SYN,
					       &live->syns[kind], err);
	}
	return r;
}

/* A row's packets: those of `new` are all SYNs. */
static const struct traffic *traffic_of(const struct live *live, const struct row *row)
{
	return row->kind == KIND_NEW ? &live->syns[row->kind] : &live->data[row->kind];
}

/* All flows of the row are known then, or none where each packet is to open one. */
static int open_flows(struct live *live, const struct row *row, struct contestant *contestant,
		      struct err *err)
{
	uint8_t flags = contestant_opening(contestant);
	const struct traffic *opening =
		flags & TH_SYN ? &live->syns[row->kind] : &live->data[row->kind];
	double ns;

	if (!flags || row->kind == KIND_NEW)
		return 0;
	return contestant_time(contestant, opening, 0, opening->count, &ns, err);
}

/*
 * Not the rate of the first packets: the caches are warm, except of flows that are new. All flows
 * end afterwards: those of all namespaces are in one table of the kernel's, in each other's way.
 */
static int time_row(struct live *live, const struct row *row, struct contestant *contestant,
		    double *ret_ns, struct err *err)
{
	const struct traffic *traffic = traffic_of(live, row);
	uint32_t first = row->kind == KIND_NEW ? WARM_UP : 0;
	uint32_t count = row->kind == KIND_NEW ? FLOWS - WARM_UP : PACKETS;
	int r = open_flows(live, row, contestant, err);

	if (!r)
		r = contestant_time(contestant, traffic, 0, WARM_UP, ret_ns, err);
	if (!r)
		r = contestant_time(contestant, traffic, first, count, ret_ns, err);
	if (!r)
		r = contestant_check_flows(contestant, traffic->count, err);
	if (!r)
		r = contestant_flush(contestant, err);
	return r < 0 ? err_at(err, r, "row %s", row->name) : 0;
}

static int prepare_row(struct live *live, size_t index, struct err *err)
{
	struct result *result = &live->results[index];
	const struct row *row = &rows[index];
	int r = 0;

	result->ns = calloc(live->rounds, sizeof(*result->ns));
	result->to_nft = calloc(live->rounds, sizeof(*result->to_nft));
	result->to_tx = calloc(live->rounds, sizeof(*result->to_tx));
	if (!result->ns || !result->to_nft || !result->to_tx)
		return err_set(err, -ENOMEM, "out of memory");
	/* Rows of one contestant follow each other. */
	if (index && !strcmp(row->contestant, rows[index - 1].contestant))
		result->contestant = result[-1].contestant;
	else
		r = contestant_new(live->pipe, row->contestant, &result->contestant, err);
	if (!r)
		r = open_flows(live, row, result->contestant, err);
	if (!r)
		r = contestant_check(result->contestant, traffic_of(live, row), err);
	if (!r)
		r = contestant_flush(result->contestant, err);
	return r < 0 ? err_at(err, r, "row %s", row->name) : 0;
}

static const struct result *nft_result(const struct live *live, enum kind kind)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!strcmp(rows[i].contestant, "nft") && rows[i].kind == kind)
			return &live->results[i];
	return NULL;
}

static int run_round(struct live *live, unsigned round, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < ROWS; i++)
		r = time_row(live, &rows[i], live->results[i].contestant,
			     &live->results[i].ns[round], err);
	for (size_t i = 0; !r && i < ROWS; i++) {
		struct result *result = &live->results[i];
		const struct result *nft = nft_result(live, rows[i].kind);

		result->to_nft[round] = nft->ns[round] / result->ns[round];
		result->to_tx[round] = live->results[TX_ROW].ns[round] / result->ns[round];
	}
	return r;
}

static int run(struct live *live, struct err *err)
{
	int r = steady_kernel(err);

	if (!r)
		r = pipe_new(&live->pipe, err);
	if (!r)
		r = make_traffic(live, err);
	for (size_t i = 0; !r && i < ROWS; i++)
		r = prepare_row(live, i, err);
	for (unsigned round = 0; !r && round < live->rounds; round++) {
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rround %u of %u", round + 1, live->rounds);
		r = run_round(live, round, err);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%*s\r", 30, "");
	return r;
}

static void report(struct live *live, FILE *json)
{
	printf("%-18s %6s %7s %7s %8s %7s %7s\n", "row", "flows", "Mpps", "best", "ns", "x nft",
	       "x tx");
	for (size_t i = 0; i < ROWS; i++) {
		struct result *result = &live->results[i];
		const struct row *row = &rows[i];
		double ns = steady_median(result->ns, live->rounds);
		double best = result->ns[0]; /* they are sorted now */
		double to_nft = steady_median(result->to_nft, live->rounds);
		double to_tx = steady_median(result->to_tx, live->rounds);
		uint32_t flows = traffic_of(live, row)->count;

		printf("%-18s %6s %7.3f %7.3f %8.1f %7.2f %7.2f", row->name, kind_names[row->kind],
		       1e3 / ns, 1e3 / best, ns, to_nft, to_tx);
		if (row->goal)
			printf("  goal %.1f%s", row->goal, to_nft < row->goal ? ", short" : "");
		printf("\n");
		if (!json)
			continue;
		fprintf(json,
			"{\"row\":\"%s\",\"median_mpps\":%.3f,\"best_mpps\":%.3f,"
			"\"median_ns\":%.1f,\"ratio\":%.3f,\"of_tx\":%.3f,\"flows\":%u,"
			"\"rounds\":%u",
			row->name, 1e3 / ns, 1e3 / best, ns, to_nft, to_tx, flows, live->rounds);
		if (row->goal)
			fprintf(json, ",\"goal\":%g", row->goal);
		fprintf(json, "}\n");
	}
}

/* Where an administrator's commands are, also for who became root by su. */
static void extend_path(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s:/usr/sbin:/sbin", getenv("PATH") ?: "/usr/bin:/bin");
	setenv("PATH", path, true);
}

int main(int argc, char **argv)
{
	_cleanup_(live_fini) struct live live = { .rounds = ROUNDS_GOOD };
	_cleanup_(fclosep) FILE *json = NULL;
	struct err err = {};
	char *end = "";

	if (argc > 1 && argv[1][0])
		live.rounds = (unsigned)strtoul(argv[1], &end, 10);
	if (*end || live.rounds < ROUNDS_MIN || live.rounds > ROUNDS_MAX || argc > 3) {
		fprintf(stderr, "usage: live [ROUNDS [FILE]]\n");
		return EXIT_FAILURE;
	}
	extend_path();
	steady_processor();
	if (run(&live, &err) < 0) {
		fprintf(stderr, "bench-live: %s\n", err.text);
		return EXIT_FAILURE;
	}
	if (argc > 2) {
		json = fopen(argv[2], "we");
		if (!json) {
			fprintf(stderr, "%s: %s\n", argv[2], strerror(errno));
			return EXIT_FAILURE;
		}
	}
	report(&live, json);
	return EXIT_SUCCESS;
}
