// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define TRIES 8 /* at figures that go together */

int conn_open(struct conn *conn, int epoll, int fd)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = &conn->source,
	};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	conn->fd = fd;
	return 0;
}

void conn_close(struct conn *conn, bool reset)
{
	struct linger linger = { .l_onoff = 1 };

	if (conn->fd < 0)
		return;
	if (reset)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(conn->fd);
	conn->fd = -1;
	bytes_fini(&conn->in);
	bytes_fini(&conn->out);
}

void conn_note(struct conn *conn, uint32_t events)
{
	conn->readable |= !!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR));
	conn->writable |= !!(events & (EPOLLOUT | EPOLLERR));
	conn->finishing |= !!(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
	conn->failed |= !!(events & EPOLLERR);
}

size_t conn_receive(struct conn *conn, void *to, size_t room)
{
	ssize_t size;

	if (!conn->readable || conn->ended || !room)
		return 0;
	do
		size = recv(conn->fd, to, room, 0);
	while (size < 0 && errno == EINTR);
	if (size < 0) {
		conn->readable = false;
		conn->failed |= errno != EAGAIN;
		return 0;
	}
	if (!size) {
		conn->readable = false;
		conn->ended = true;
		return 0;
	}
	conn->received += size;
	/* Less than there is room for is all there was, and what comes then is told; but for an end
	 * that has come before. */
	if ((size_t)size < room && !conn->finishing)
		conn->readable = false;
	return size;
}

bool conn_is_quiet(struct conn *conn)
{
	char byte;

	if (conn->finishing || conn->failed || conn->ended)
		return false;
	if (conn->readable && recv(conn->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN)
		conn->readable = false;
	return !conn->readable;
}

static ssize_t send_parts(struct conn *conn, struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
	ssize_t size;

	do
		size = count > 1 ? sendmsg(conn->fd, &message, MSG_NOSIGNAL)
				 : send(conn->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
	while (size < 0 && errno == EINTR);
	if (size >= 0)
		return size;
	conn->writable = false;
	if (errno == EAGAIN)
		return 0;
	conn->failed = true;
	return -errno;
}

int conn_send(struct conn *conn, const void *first, size_t first_size, const void *second,
	      size_t second_size)
{
	struct iovec parts[2] = {
		{ .iov_base = (void *)first, .iov_len = first_size },
		{ .iov_base = (void *)second, .iov_len = second_size },
	};
	size_t sent = 0;

	if (conn->failed)
		return -EPIPE;
	if (!first_size && !second_size)
		return 0;
	if (!conn->out.size && conn->writable) {
		ssize_t size = first_size ? send_parts(conn, parts, second_size ? 2 : 1)
					  : send_parts(conn, parts + 1, 1);

		if (size < 0)
			return (int)size;
		sent = size;
		if (sent < first_size + second_size)
			conn->writable = false;
	}
	if (sent < first_size) {
		if (bytes_add(&conn->out, (const char *)first + sent, first_size - sent))
			return -ENOMEM;
		sent = first_size;
	}
	sent -= first_size;
	if (sent == second_size)
		return 0;
	return bytes_add(&conn->out, (const char *)second + sent, second_size - sent);
}

bool conn_flush(struct conn *conn)
{
	while (conn->out.size && conn->writable && !conn->failed) {
		struct iovec part = { .iov_base = (void *)bytes_at(&conn->out),
				      .iov_len = conn->out.size };
		ssize_t size = send_parts(conn, &part, 1);

		if (size <= 0)
			break;
		if ((size_t)size < conn->out.size)
			conn->writable = false;
		bytes_drop(&conn->out, size);
	}
	return !conn->out.size;
}

int conn_watch(struct conn *conn, int epoll, bool quiet)
{
	struct epoll_event event = {
		.events = EPOLLRDHUP | EPOLLET | (quiet ? 0 : EPOLLIN | EPOLLOUT),
		.data.ptr = &conn->source,
	};

	return epoll_ctl(epoll, EPOLL_CTL_MOD, conn->fd, &event) ? -errno : 0;
}

static bool read_info(const struct conn *conn, struct tcp_info *ret)
{
	socklen_t size = sizeof(*ret);

	return !getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, ret, &size) && size == sizeof(*ret);
}

bool conn_totals(const struct conn *conn, uint64_t *ret_received, uint64_t *ret_sent)
{
	struct tcp_info before, after;
	int queued;

	/* What is acknowledged between the two would count twice, or not at all. */
	for (int tries = 0; tries < TRIES; tries++) {
		if (!read_info(conn, &before) || ioctl(conn->fd, SIOCOUTQ, &queued) ||
		    !read_info(conn, &after))
			return false;
		if (before.tcpi_bytes_acked != after.tcpi_bytes_acked)
			continue;
		*ret_received = after.tcpi_bytes_received;
		*ret_sent = after.tcpi_bytes_acked + queued;
		return true;
	}
	return false;
}

void conn_limit(const struct conn *conn, int most)
{
	setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &most, sizeof(most));
}

void conn_finish(struct conn *conn)
{
	shutdown(conn->fd, SHUT_WR);
}
