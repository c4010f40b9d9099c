/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Leads new connections to http listeners to the sockets of workers (bpf/steer.h): a bpf_link of
 * the network namespace, pinned as those of interfaces are, and only there while some listener
 * needs it.
 */
#ifndef WEIR_DATAPLANE_STEER_H
#define WEIR_DATAPLANE_STEER_H

#include <stdint.h>

#include "dataplane/object.h"

/* On, with this object's program; where it is on already, without a gap. -EBUSY and the like with a
 * text. */
int steer_attach(const struct object *object, struct err *err);

/* Off. Connections that are there stay. */
int steer_detach(const struct object *object, struct err *err);

/* Only where it is on: with this object's program from now on. */
int steer_replace(const struct object *object, struct err *err);

/* The listening socket of the worker at this place, below WEIR_MAX_WORKERS; it takes the place of
 * another at once, and leaves it by itself when it is closed. */
int steer_place(const struct object *object, uint32_t place, int socket, struct err *err);

/* Places from 0 on that may be taken; the others are emptied. */
void steer_count(const struct object *object, uint32_t count);

/* Of maps that workers write: descriptors, the caller's. */
enum steer_counters {
	STEER_LISTENER_HTTP,
	STEER_ENDPOINT_HTTP,
	STEER_LATENCY,
	STEER_COUNTERS,
};
int steer_open_counters(const struct object *object, int ret[STEER_COUNTERS], struct err *err);
void steer_close_counters(const int counters[STEER_COUNTERS]);

#endif
