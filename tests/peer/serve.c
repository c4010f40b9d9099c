// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * serve NAME [--tcp PORT]... [--udp PORT]...
 *
 * An endpoint that says who it is. Each TCP line and each UDP datagram is answered by "NAME " and
 * what was received, so that a client knows both who answered and what was answered. A TCP
 * connection stays until the client closes it. IPv4 and IPv6 by dual-stack sockets; a datagram is
 * answered from the address it was sent to, which may be a VIP on the loopback. A signal ends it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_USAGE    64
#define MAX_LISTENERS 16
#define MAX_NAME      63
#define MAX_LINE      512
#define MAX_DATAGRAM  2048
#define MAX_EVENTS    64
#define BACKLOG	      4096

enum kind {
	KIND_TCP_LISTENER,
	KIND_TCP_CONNECTION,
	KIND_UDP,
};

struct source {
	enum kind kind;
	int fd;
	size_t length; /* of an unfinished line */
	char line[MAX_LINE];
};

struct server {
	const char *name;
	size_t name_length;
	int epoll_fd;
	struct source listeners[MAX_LISTENERS];
	size_t listener_count;
};

static void usage(void)
{
	fputs("usage: serve NAME [--tcp PORT]... [--udp PORT]...\n", stderr);
	exit(EXIT_USAGE);
}

static void watch(struct server *server, struct source *source)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0)
		err(EXIT_FAILURE, "epoll_ctl");
}

static void set_option(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		err(EXIT_FAILURE, "setsockopt");
}

static void listen_on(struct server *server, enum kind kind, const char *text)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
	int type = kind == KIND_UDP ? SOCK_DGRAM : SOCK_STREAM;
	struct source *source;
	char *end;
	long port;
	int fd;

	errno = 0;
	port = strtol(text, &end, 10);
	if (errno || end == text || *end || port < 1 || port > 65535 ||
	    server->listener_count == MAX_LISTENERS)
		usage();
	address.sin6_port = htons((uint16_t)port);

	fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(EXIT_FAILURE, "socket");
	set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (kind == KIND_UDP) {
		set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
		set_option(fd, SOL_SOCKET, SO_RCVBUF, 4 << 20);
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(EXIT_FAILURE, "port %ld", port);
	if (kind != KIND_UDP && listen(fd, BACKLOG) < 0)
		err(EXIT_FAILURE, "listen");

	source = &server->listeners[server->listener_count++];
	source->kind = kind;
	source->fd = fd;
	watch(server, source);
}

static void close_connection(struct source *source)
{
	close(source->fd);
	free(source);
}

static void accept_all(struct server *server, int listener)
{
	struct source *source;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		source = calloc(1, sizeof(*source));
		if (!source) {
			close(fd);
			return;
		}
		source->kind = KIND_TCP_CONNECTION;
		source->fd = fd;
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		watch(server, source);
	}
}

/* Answers the complete lines of a connection. False: give the connection up. */
static bool answer_lines(const struct server *server, struct source *source)
{
	char answer[MAX_NAME + 1 + MAX_LINE], *line = source->line, *newline;
	size_t rest = source->length, length, size;

	while ((newline = memchr(line, '\n', rest))) {
		length = (size_t)(newline - line) + 1;
		size = server->name_length;
		memcpy(answer, server->name, size);
		answer[size++] = ' ';
		memcpy(answer + size, line, length);
		size += length;
		/* Answers are small: a full send buffer means a client that does not read. */
		if (send(source->fd, answer, size, MSG_NOSIGNAL) != (ssize_t)size)
			return false;
		line += length;
		rest -= length;
	}
	memmove(source->line, line, rest);
	source->length = rest;
	return rest < sizeof(source->line);
}

static void read_connection(const struct server *server, struct source *source)
{
	ssize_t size = recv(source->fd, source->line + source->length,
			    sizeof(source->line) - source->length, 0);

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size > 0) {
		source->length += (size_t)size;
		if (answer_lines(server, source))
			return;
	}
	close_connection(source);
}

/* Leaves the choice of the interface to routing: a VIP's datagrams do not arrive by loopback. */
static void forget_interface(struct msghdr *message)
{
	struct in6_pktinfo info;
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != IPPROTO_IPV6 || header->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(header), sizeof(info));
		info.ipi6_ifindex = 0;
		memcpy(CMSG_DATA(header), &info, sizeof(info));
	}
}

static void answer_datagrams(const struct server *server, int fd)
{
	char data[MAX_NAME + 1 + MAX_DATAGRAM];
	size_t prefix = server->name_length + 1;
	struct sockaddr_in6 from;
	union {
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control;
	struct iovec part;
	struct msghdr message;
	ssize_t size;

	memcpy(data, server->name, server->name_length);
	data[server->name_length] = ' ';
	for (;;) {
		part = (struct iovec){ data + prefix, MAX_DATAGRAM };
		message = (struct msghdr){ .msg_name = &from,
					   .msg_namelen = sizeof(from),
					   .msg_iov = &part,
					   .msg_iovlen = 1,
					   .msg_control = &control,
					   .msg_controllen = sizeof(control) };
		size = recvmsg(fd, &message, 0);
		if (size < 0)
			return;
		forget_interface(&message);
		part = (struct iovec){ data, prefix + (size_t)size };
		/* A lost answer is the client's to retry. */
		(void)!sendmsg(fd, &message, 0);
	}
}

static void dispatch(struct server *server, struct source *source)
{
	switch (source->kind) {
	case KIND_TCP_LISTENER:
		accept_all(server, source->fd);
		break;
	case KIND_TCP_CONNECTION:
		read_connection(server, source);
		break;
	case KIND_UDP:
		answer_datagrams(server, source->fd);
		break;
	}
}

static void serve(struct server *server)
{
	struct epoll_event events[MAX_EVENTS];
	int count, i;

	for (;;) {
		count = epoll_wait(server->epoll_fd, events, MAX_EVENTS, -1);
		if (count < 0 && errno != EINTR)
			err(EXIT_FAILURE, "epoll_wait");
		for (i = 0; i < count; i++)
			dispatch(server, events[i].data.ptr);
	}
}

int main(int argc, char **argv)
{
	struct server server = { 0 };
	int i;

	if (argc < 4 || argc % 2 || strlen(argv[1]) > MAX_NAME)
		usage();
	server.name = argv[1];
	server.name_length = strlen(argv[1]);
	server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server.epoll_fd < 0)
		err(EXIT_FAILURE, "epoll_create1");
	for (i = 2; i < argc; i += 2) {
		if (!strcmp(argv[i], "--tcp"))
			listen_on(&server, KIND_TCP_LISTENER, argv[i + 1]);
		else if (!strcmp(argv[i], "--udp"))
			listen_on(&server, KIND_UDP, argv[i + 1]);
		else
			usage();
	}

	serve(&server);
}
