/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is measured: one entry of the table in row.c is one line of the result. */
#ifndef BENCH_ROW_H
#define BENCH_ROW_H

#include <stdint.h>

#include "measure.h"
#include "subject.h"
#include "ruler.h"

enum row_kind {
	ROW_PLAIN,    /* the packets as they are */
	ROW_RECORDED, /* of flows that a SYN has opened before */
	ROW_REPLIES,  /* the answers to such flows */
	ROW_NEW,      /* each packet opens a flow; all flows end before each run */
};

struct row {
	const char *name;
	const char *subject; /* NULL: the yardstick */
	enum row_kind kind;
	bool ip6;
	bool stranger; /* to an address that is no listener's */
	bool spread;   /* over all listeners of the subject */
	bool syn;
	uint8_t protocol;
	uint8_t fill;	/* percent of the NAT table that the flows may take; 0: not there */
	uint32_t flows; /* wanted */
	enum weir_reason reason;
	uint32_t verdict;
	double goal; /* of the ratio, at most; 0: none */
};

/* The rows by index; NULL behind the last. */
const struct row *row_at(size_t index);

/* What rows share: subjects are loaded when a row first needs them. */
struct bench {
	struct measure *measure;
	struct ruler *yardstick;
	uint32_t yardstick_target;
	struct traffic yardstick_traffic;
	struct {
		struct subject *subject;
		uint32_t target;
	} subjects[WRAPPER_PROGRAMS];
	size_t subject_count;
};

int bench_new(struct bench **ret, struct err *err);
void bench_free(struct bench *bench);
DEFINE_CLEANUP(struct bench *, bench_free)

int bench_subject(struct bench *bench, const char *name, struct subject **ret, uint32_t *ret_target,
		  struct err *err);

/* A row that is ready to run. */
struct row_run {
	const struct row *row;
	struct subject *subject; /* NULL: the yardstick */
	uint32_t target;
	uint32_t position;
	struct traffic traffic;
	char note[96]; /* in what it falls short of what is wanted; "" */
};

/* Makes its packets, opens its flows, and checks what becomes of some packets. */
int row_prepare(struct bench *bench, const struct row *row, struct row_run *ret, struct err *err);

/*
 * One round: several short runs of control, row, control and yardstick in turn, of each the
 * quickest, the controls subtracted. -EPROTO: packets that were not counted as they should be.
 */
int row_round(struct bench *bench, struct row_run *run, double *ret_ns, double *ret_yardstick_ns,
	      struct err *err);

#endif
