// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/passing.h"

#include <errno.h>
#include <string.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"

#define BACKLOG 16

union room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(PASSING_MAX * sizeof(int))];
};

static int address_of(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (size_t)snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", path) <
			       sizeof(ret->sun_path)
		       ? 0
		       : -ENAMETOOLONG;
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

int passing_listen(const char *path, struct err *err)
{
	_cleanup_(closep) int fd = new_socket();
	struct sockaddr_un address;
	mode_t mask;
	int r = address_of(path, &address);

	if (fd < 0 || r < 0)
		return err_set(err, fd < 0 ? fd : r, "%s: %s", path, strerror(fd < 0 ? -fd : -r));
	unlink(path);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(mask);
	if (!r && listen(fd, BACKLOG))
		r = -errno;
	if (r < 0)
		return err_set(err, r, "%s: %s", path, strerror(-r));
	return take_fd(&fd);
}

int passing_connect(const char *path)
{
	_cleanup_(closep) int fd = new_socket();
	struct sockaddr_un address;
	int r = address_of(path, &address);

	if (fd < 0 || r < 0)
		return fd < 0 ? fd : r;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return take_fd(&fd);
}

int passing_send(int socket, const void *bytes, size_t size, const int *fds, int count)
{
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = size };
	union room room = {};
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (count > PASSING_MAX)
		return -EINVAL;
	if (count) {
		message.msg_control = room.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		room.header.cmsg_level = SOL_SOCKET;
		room.header.cmsg_type = SCM_RIGHTS;
		room.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&room.header), fds, count * sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Keeps the first *count of them. */
static int take(struct msghdr *message, int *fds, int room)
{
	int taken = 0;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
	     part = CMSG_NXTHDR(message, part)) {
		size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
			if (taken < room)
				fds[taken++] = fd;
			else
				close(fd);
		}
	}
	return taken;
}

ssize_t passing_receive(int socket, void *bytes, size_t size, int *fds, int *count)
{
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	union room room = {};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof(room.bytes),
	};
	ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	int taken;

	if (received < 0)
		return -errno;
	taken = take(&message, fds, *count);
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		while (taken)
			close(fds[--taken]);
		*count = 0;
		return -EMSGSIZE;
	}
	*count = taken;
	return received;
}
