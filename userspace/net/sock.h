/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The admin socket's plumbing: AF_UNIX streams that carry one message per line. A command line
 * waits, with a deadline (sock_send_all, sock_receive_line); a daemon never waits, and keeps what
 * is underway in buffers (struct sock_line, struct sock_queue) on its event loop.
 *
 * No call raises SIGPIPE.
 */
#ifndef WEIR_NET_SOCK_H
#define WEIR_NET_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "net/addr.h"
#include "util/err.h"

#define SOCK_LINE_MAX ((size_t)96 << 20) /* bytes of one message, its newline included */

/*
 * Listens at a path; returns the fd, non-blocking. The last folder of the path is made if it is
 * missing. A socket file whose daemon is dead is replaced; of two daemons that start at the same
 * moment the later one wins, so the caller holds a lock. -EADDRINUSE: a living process answers
 * there; -EEXIST: something that is no socket is in the way. `mode` holds whatever the umask.
 */
int sock_listen_unix(const char *path, mode_t mode, struct err *err);

/* Connects; returns the fd, non-blocking. -ETIMEDOUT if nobody accepts in time; no daemon is
 * -ENOENT or -ECONNREFUSED. */
int sock_connect_unix(const char *path, int timeout_ms, struct err *err);

/* An address and port as the kernel has them; returns the size. */
socklen_t sock_address(const struct addr *address, uint16_t port, struct sockaddr_storage *ret);

/* The next connection of a listening socket, non-blocking; -EAGAIN if there is none. */
int sock_accept(int fd);

/* Who connected, by SO_PEERCRED: the process' identity at that time. */
int sock_peer(int fd, uid_t *ret_uid, pid_t *ret_pid);

/* A line on its way in: struct sock_line line = { .limit = SOCK_LINE_MAX }. */
struct sock_line {
	size_t limit; /* bytes of a line, its newline included */
	char *bytes;
	size_t size;
	size_t capacity;
	size_t searched; /* no newline before this */
	bool complete;
};

enum sock_line_state {
	SOCK_LINE_COMPLETE = 0,
	SOCK_LINE_PARTIAL = 1, /* wait for more */
	SOCK_LINE_CLOSED = 2,  /* the peer closed; a line it did not end is lost */
};

void sock_line_fini(struct sock_line *line);

/* Reads what is there, a bounded part of it at once. Returns a sock_line_state, or -errno;
 * -EMSGSIZE: the line is too long, and the connection is of no more use. While a line is complete
 * nothing more is read. */
int sock_line_feed(struct sock_line *line, int fd);

/* The complete line without its newline, NUL-terminated (JSON has no NUL inside: compare *ret_size
 * if it matters); valid until it is dropped. */
const char *sock_line_text(const struct sock_line *line, size_t *ret_size);

/* Makes room for the next line, which may be there already: feed again before waiting. */
void sock_line_drop(struct sock_line *line);

/* Bytes on their way out: struct sock_queue queue = {}. */
struct sock_queue {
	char *bytes;
	size_t size;
	size_t capacity;
	size_t sent;
};

void sock_queue_fini(struct sock_queue *queue);

/* Appends a copy: 0 or -ENOMEM. */
int sock_queue_add(struct sock_queue *queue, const void *bytes, size_t size);

/* Sends what the peer takes now: 0 if all is out, 1 if it must wait (EPOLLOUT), or -errno. */
int sock_queue_flush(struct sock_queue *queue, int fd);

/* Sends everything within `timeout_ms`, or -ETIMEDOUT, -EPIPE, ... */
int sock_send_all(int fd, const void *bytes, size_t size, int timeout_ms);

/* Waits for a complete line for `timeout_ms`: 0, -ETIMEDOUT, -ECONNRESET (closed before), or as
 * sock_line_feed(). */
int sock_receive_line(int fd, struct sock_line *line, int timeout_ms);

#endif
