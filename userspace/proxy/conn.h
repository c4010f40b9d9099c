/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A TCP connection of a worker, to a client or to an endpoint. It is entered into epoll once,
 * edge-triggered, and what it is ready for is remembered here: so serving a request changes nothing
 * in the kernel, and reading goes on where it was left when there is room again.
 */
#ifndef WEIR_PROXY_CONN_H
#define WEIR_PROXY_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proxy/bytes.h"

/* What epoll names: whatever has a descriptor begins with it. */
struct source {
	void (*function)(struct source *source, uint32_t events);
};

struct conn {
	struct source source;
	int fd;		/* -1: closed */
	bool readable;	/* there may be something to read */
	bool writable;	/* there may be room */
	bool finishing; /* the other end has said that it sends no more; that may not be read yet */
	bool ended;	/* ... and it has been read */
	bool failed;	/* reset: of no more use */
	bool mapped;	/* what it receives comes by a program: splice(2) does not see it */
	uint64_t received; /* bytes, read of it so far */
	struct bytes in;   /* read and not understood yet */
	struct bytes out;  /* to be sent */
};

/* Into epoll, for good. 0 or -errno. */
int conn_open(struct conn *conn, int epoll, int fd);

/* `reset`: the other end is to see that something is missing. */
void conn_close(struct conn *conn, bool reset);

/* Takes note of what epoll says. */
void conn_note(struct conn *conn, uint32_t events);

/* Reads: > 0 bytes, or 0: nothing now, or it has ended, or failed. */
size_t conn_receive(struct conn *conn, void *to, size_t room);

/* Nothing has come that was not read, not even the end. */
bool conn_is_quiet(struct conn *conn);

/* Sends the first part and the second behind it, in one call; what does not go out now is kept. */
int conn_send(struct conn *conn, const void *first, size_t first_size, const void *second,
	      size_t second_size);

/* Sends what was kept; true if nothing is left. */
bool conn_flush(struct conn *conn);

/* Is it told of what comes? For `quiet` ones only of their end: what else there is others see to.
 */
int conn_watch(struct conn *conn, int epoll, bool quiet);

/* What TCP has received on it, and has been given to send, since it is there (bytes; an end may
 * count as one). False: it cannot be known just now. */
bool conn_totals(const struct conn *conn, uint64_t *ret_received, uint64_t *ret_sent);

/* The kernel keeps no more than twice this of what nobody has read (bytes). */
void conn_limit(const struct conn *conn, int most);

/* No more is sent. */
void conn_finish(struct conn *conn);

#endif
