/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The real data plane, loaded for measuring: a configuration out of a table, hand-made facts, and
 * maps of its own that end with the process, since nothing stays pinned. Everything is reached
 * through one device, by default `lo`, from which BPF_PROG_TEST_RUN pretends that packets come.
 *
 * Addresses: listener i (from 0) has 192.0.2.1 + i and 2001:db8::1 + i, port 80; endpoints are
 * 10.0.0.1 and fd00::1 and those that follow; the SNAT addresses are SUBJECT_SNAT4 and
 * SUBJECT_SNAT6.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <stdint.h>

#include "dataplane/object.h"
#include "plan/plan.h"
#include "util/err.h"

#define SUBJECT_PORT	 80
#define SUBJECT_VIP4	 "192.0.2.1"
#define SUBJECT_VIP6	 "2001:db8::1"
#define SUBJECT_SNAT4	 "10.255.0.1"
#define SUBJECT_SNAT6	 "fd00::ff:1"
#define SUBJECT_STRANGER "203.0.113.1" /* no listener's */
#define SUBJECT_FLOWS	 131072u       /* that the tables have room for */

struct subject_spec {
	const char *name;
	uint8_t protocol;
	uint8_t mode;	    /* enum weir_mode */
	uint32_t listeners; /* wanted; as many as the tables hold are made */
	uint32_t endpoints; /* of each listener and family */
	bool moving;	    /* all slots are MOVING: another half of the endpoints has the weight */
	int family;	    /* of all endpoints: 4 or 6; 0: of each that its listener has */
	uint32_t nat_flows; /* that its table has room for; 0: SUBJECT_FLOWS */
	uint32_t denied;    /* prefixes in each family, which none of the packets comes from */
};

struct subject {
	const struct subject_spec *spec;
	const char *device; /* through which everything is reached */
	struct object *object;
	struct plan *plan;
	uint32_t listeners;
	uint32_t endpoints;
};

/* Loads it. -ENOENT: no such subject. */
int subject_open(const char *name, struct subject **ret, struct err *err);

/* The same for packets that come in at another device than `lo`; its name outlives the subject. */
int subject_open_on(const char *name, const char *device, struct subject **ret, struct err *err);
void subject_close(struct subject *subject);

/* Packets counted under a reason, of all listeners and of none. */
int subject_count(const struct subject *subject, enum weir_reason reason, uint64_t *ret,
		  struct err *err);

/* Ends all flows. */
int subject_flush(const struct subject *subject, struct err *err);

/* Bytes of the maps whose names begin with `prefix`, as the kernel accounts them. */
int subject_memory(const struct subject *subject, const char *prefix, uint64_t *ret,
		   struct err *err);

#endif
