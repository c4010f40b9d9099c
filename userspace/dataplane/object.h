/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The data plane as the kernel has it: the pinned maps of an instance, the configuration maps
 * mapped into memory, and the XDP program. Everything lives in bpffs, not in a process: closing
 * an object changes nothing.
 */
#ifndef WEIR_DATAPLANE_OBJECT_H
#define WEIR_DATAPLANE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/abi.h>

#include "util/cleanup.h"
#include "util/err.h"

#define OBJECT_PATH_MAX 160

struct object {
	char directory[OBJECT_PATH_MAX]; /* /sys/fs/bpf/INSTANCE */
	int program;			 /* fd; -1 in an object opened for reading */
	bool writable;

	/* Mapped; read-only memory unless writable. */
	struct weir_control *control;		    /* 1 */
	struct weir_listener *listeners;	    /* 2 * WEIR_MAX_CELLS */
	struct weir_slots *slots;		    /* WEIR_MAX_SLOT_LINES */
	struct weir_slots_previous *slots_previous; /* the same */
	struct weir_endpoint *endpoints;	    /* WEIR_MAX_ENDPOINTS */
	struct weir_egress *egress;		    /* WEIR_MAX_EGRESS */
	struct weir_snat *snat;			    /* WEIR_MAX_SNAT */
	struct weir_listener_info *listener_info;   /* WEIR_MAX_LISTENERS */
	struct weir_endpoint_info *endpoint_info;   /* WEIR_MAX_ENDPOINTS */

	/* Descriptors of the others. */
	int tx_ports;
	int exceptions;
	int nat_flows;
	int nat_replies;
	int listener_stats;
	int endpoint_stats;
};

/*
 * Opens the pinned maps for reading. -ENOENT: the instance has no data plane; -EPROTO: its maps
 * are of another version of weir.
 */
int object_open(const char *instance, struct object **ret, struct err *err);

/*
 * Opens for writing: loads the program and creates and pins what is missing, keeps what is there
 * with all its contents, and replaces the program of the attached interfaces by this binary's.
 * *ret_fresh tells whether the maps are new. Mounts bpffs where it is missing.
 */
int object_load(const char *instance, struct object **ret, bool *ret_fresh, struct err *err);

void object_close(struct object *object);
DEFINE_CLEANUP(struct object *, object_close)

/* Removes all pins of an instance, links included: the interfaces are without weir then. */
int object_unpin(const char *instance, struct err *err);

/* The data plane's clock (s): what bpf/clock.h reads. */
uint32_t object_now(const struct object *object);

/* Waits until no CPU runs a program that began before the call (an RCU grace period). */
void object_wait(void);

/* What the kernel said last through libbpf, or "": bpf(2) itself only gives a number. */
const char *object_kernel_message(void);
void object_clear_kernel_message(void);

#endif
