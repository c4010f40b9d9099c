/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Messages with file descriptors between processes of one host, over AF_UNIX sockets that keep
 * messages apart (SOCK_SEQPACKET). */
#ifndef WEIR_NET_PASSING_H
#define WEIR_NET_PASSING_H

#include <stddef.h>
#include <sys/types.h>

#include "util/err.h"

#define PASSING_MAX 8 /* descriptors of a message */

/*
 * Listens at a path that only this user may connect to; what was there before is replaced. Connects
 * to one, without waiting. Both return a descriptor that does not wait, or -errno; -ECONNREFUSED:
 * whoever listened there has ended.
 */
int passing_listen(const char *path, struct err *err);
int passing_connect(const char *path);

/* 0, or -errno: -EAGAIN where the socket does not wait. The descriptors stay the caller's. */
int passing_send(int socket, const void *bytes, size_t size, const int *fds, int count);

/*
 * The next message: its size, 0 at the end, or -errno. At most *count descriptors are taken, others
 * closed; *count becomes how many there are. They are the caller's, and close with execve().
 * -EMSGSIZE: it has more bytes than `size`.
 */
ssize_t passing_receive(int socket, void *bytes, size_t size, int *fds, int *count);

#endif
