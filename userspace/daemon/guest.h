/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Those whom a listening socket of the daemon has let in: so many at once, each watched, and with a
 * time by which he must have said something. Who they are is the business of admin.c and metrics.c.
 */
#ifndef WEIR_DAEMON_GUEST_H
#define WEIR_DAEMON_GUEST_H

#include <stddef.h>
#include <stdint.h>

#include "util/loop.h"

struct guest {
	int fd; /* -1: the seat is free */
	struct loop_source *source;
	struct loop_source *deadline;
};

/* Seats of `size` bytes, each of which begins with a struct guest. The calls get the seat. */
struct guests {
	struct loop *loop;
	void *seats;
	size_t count;
	size_t size;
	uint64_t patience; /* ms: the first deadline */
	void (*on_event)(void *seat, uint32_t events);
	void (*on_deadline)(void *seat, uint32_t expirations);
	void (*on_full)(int fd); /* before who finds no seat is shown the door; NULL: not a word */
};

/* All seats are free. */
void guest_seats(const struct guests *guests);

/* Lets in the next one of a listening socket, watched for input: his seat, of which all that does
 * not concern struct guest is zero. NULL: nobody is there, or has been let in. */
void *guest_accept(const struct guests *guests, int listening);

/* Closes the connection; the seat is free. */
void guest_leave(struct guest *guest);

#endif
