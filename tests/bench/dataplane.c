// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a packet costs in the data plane: bench/dataplane [ROUNDS [PATTERN [FILE]]], run by
 * `make bench`. Prints a table for people and writes one JSON line per row to FILE. Times are of
 * the program alone (the wrapper's is subtracted); ratios are to the yardstick program, measured in
 * the same breath, and are what can be compared between machines and days.
 */
#include <errno.h>
#include <fnmatch.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "row.h"
#include "steady.h"

#define ROWS_MAX    64
#define ROUNDS_MIN  1
#define ROUNDS_MAX  1000
#define ROUNDS_GOOD 7 /* fewer are for a quick look */

struct result {
	struct row_run run;
	double *ns;    /* by round */
	double *ratio; /* by round */
};

struct memory_row {
	const char *name;
	const char *subject;
	const char *prefix; /* of the maps' names */
	double divisor;
	const char *unit;
	double goal;
};

/* clang-format off */
static const struct memory_row memory_rows[] = {
	{ "mem-idle", "dsr", "", 1e6, "MB", 32 },
	{ "mem-flow", "nat", "nat_", SUBJECT_FLOWS, "B", 96 },
	{ "mem-10k", "dsr-10k", "", 1e6, "MB", 0 },
};
/* clang-format on */

#define MEMORY_ROWS (sizeof(memory_rows) / sizeof(memory_rows[0]))

struct options {
	unsigned rounds;
	const char *pattern;
	FILE *json; /* or NULL */
};

static const char *verdict_name(uint32_t verdict)
{
	return verdict == XDP_TX ? "XDP_TX" : verdict == XDP_PASS ? "XDP_PASS" : "?";
}

static const char *mark(double value, double goal)
{
	return !goal || value <= goal ? "" : " over";
}

static void report(const struct options *options, struct result *result)
{
	const struct row *row = result->run.row;
	const struct row_run *run = &result->run;
	double ns = steady_median(result->ns, options->rounds);
	double ratio = steady_median(result->ratio, options->rounds);
	char goal[16] = "";

	if (row->goal)
		snprintf(goal, sizeof(goal), "%.2g", row->goal);
	printf("%-24s %8u %8.1f %8.1f %7.2f %5s%-5s %-9s %s\n", row->name, run->traffic.count, ns,
	       result->ns[0], ratio, goal, mark(ratio, row->goal), verdict_name(row->verdict),
	       run->note);
	if (!options->json)
		return;
	fprintf(options->json,
		"{\"row\":\"%s\",\"median_ns\":%.1f,\"min_ns\":%.1f,\"ratio\":%.3f,"
		"\"verdict\":\"%s\",\"flows\":%u,\"rounds\":%u",
		row->name, ns, result->ns[0], ratio, verdict_name(row->verdict), run->traffic.count,
		options->rounds);
	if (row->goal)
		fprintf(options->json, ",\"goal\":%g", row->goal);
	if (run->note[0])
		fprintf(options->json, ",\"note\":\"%s\"", run->note);
	fprintf(options->json, "}\n");
}

static bool is_wanted(const struct options *options, const char *name)
{
	return !fnmatch(options->pattern, name, FNM_EXTMATCH);
}

static int measure_rows(const struct options *options, struct bench *bench, struct result *results,
			size_t count, struct err *err)
{
	int r = 0;

	for (unsigned round = 0; !r && round < options->rounds; round++) {
		for (size_t i = 0; !r && i < count; i++) {
			double yardstick;

			r = row_round(bench, &results[i].run, &results[i].ns[round], &yardstick,
				      err);
			results[i].ratio[round] = results[i].ns[round] / yardstick;
		}
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\rround %u of %u", round + 1, options->rounds);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%*s\r", 30, "");
	return r;
}

static int prepare_rows(const struct options *options, struct bench *bench, struct result *results,
			size_t *ret_count, struct err *err)
{
	size_t count = 0;

	for (size_t i = 0; row_at(i); i++) {
		struct result *result = &results[count];
		int r;

		if (!is_wanted(options, row_at(i)->name))
			continue;
		if (count == ROWS_MAX)
			return err_set(err, -ENOSPC, "more than %d rows", ROWS_MAX);
		count++;
		result->ns = calloc(options->rounds, sizeof(*result->ns));
		result->ratio = calloc(options->rounds, sizeof(*result->ratio));
		if (!result->ns || !result->ratio)
			return err_set(err, -ENOMEM, "out of memory");
		r = row_prepare(bench, row_at(i), &result->run, err);
		if (r < 0)
			return r;
	}
	*ret_count = count;
	return 0;
}

static int bench_times(const struct options *options, struct bench *bench, size_t *ret_count,
		       struct err *err)
{
	struct result results[ROWS_MAX] = {};
	size_t count = 0;
	int r;

	r = prepare_rows(options, bench, results, &count, err);
	if (!r)
		r = measure_rows(options, bench, results, count, err);
	if (!r && count)
		printf("%-24s %8s %8s %8s %7s %5s%-5s %s\n", "row", "flows", "ns", "min ns",
		       "ratio", "goal", "", "verdict");
	for (size_t i = 0; !r && i < count; i++)
		report(options, &results[i]);
	for (size_t i = 0; i < ROWS_MAX; i++) {
		free(results[i].ns);
		free(results[i].ratio);
	}
	*ret_count = count;
	return r;
}

static int bench_memory(const struct options *options, struct bench *bench, size_t *count,
			struct err *err)
{
	for (size_t i = 0; i < MEMORY_ROWS; i++) {
		const struct memory_row *row = &memory_rows[i];
		struct subject *subject;
		uint32_t target;
		uint64_t bytes;
		double value;
		int r;

		if (!is_wanted(options, row->name))
			continue;
		r = bench_subject(bench, row->subject, &subject, &target, err);
		if (!r)
			r = subject_memory(subject, row->prefix, &bytes, err);
		if (r < 0)
			return err_at(err, r, "row %s", row->name);
		value = (double)bytes / row->divisor;
		printf("%-24s %8u %8.1f %-8s%*s", row->name, subject->listeners, value, row->unit,
		       8, "");
		if (row->goal)
			printf(" %5.2g%s", row->goal, mark(value, row->goal));
		printf("\n");
		if (options->json)
			fprintf(options->json,
				"{\"row\":\"%s\",\"bytes\":%llu,\"value\":%.1f,\"unit\":\"%s\","
				"\"listeners\":%u,\"goal\":%g}\n",
				row->name, (unsigned long long)bytes, value, row->unit,
				subject->listeners, row->goal);
		++*count;
	}
	return 0;
}

static int run(const struct options *options, struct err *err)
{
	_cleanup_(bench_freep) struct bench *bench = NULL;
	size_t rows = 0;
	int r;

	r = steady_kernel(err);
	if (!r)
		r = bench_new(&bench, err);
	if (!r)
		r = bench_times(options, bench, &rows, err);
	if (!r)
		r = bench_memory(options, bench, &rows, err);
	if (!r && !rows)
		return err_set(err, -ENOENT, "no row is named like %s", options->pattern);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(fclosep) FILE *json = NULL;
	struct options options = { .rounds = ROUNDS_GOOD, .pattern = "*" };
	struct err err = {};
	char *end = "";

	if (argc > 1 && argv[1][0])
		options.rounds = (unsigned)strtoul(argv[1], &end, 10);
	if (argc > 2 && argv[2][0])
		options.pattern = argv[2];
	if (*end || options.rounds < ROUNDS_MIN || options.rounds > ROUNDS_MAX || argc > 4) {
		fprintf(stderr, "usage: dataplane [ROUNDS [PATTERN [FILE]]]\n");
		return EXIT_FAILURE;
	}
	if (argc > 3) {
		json = fopen(argv[3], "we");
		if (!json) {
			fprintf(stderr, "%s: %s\n", argv[3], strerror(errno));
			return EXIT_FAILURE;
		}
		options.json = json;
	}
	steady_processor();
	if (run(&options, &err) < 0) {
		fprintf(stderr, "bench: %s\n", err.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
