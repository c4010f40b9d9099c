// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What requests would cost if they were routed in the kernel, at the least: a connection to the
 * backend for each client, and an sk_skb program that moves bytes from one to the other and reads
 * none of them. Here connections are paired, and their ends forwarded when all before them is.
 *
 *   pairs OBJECT PORT BACKEND BACKEND-PORT
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS 65536
#define EVENTS	256
#define LOOK_MS 1 /* from one look at what is on its way to the next */

struct end {
	int other;	/* 0: closed */
	bool ending;	/* the peer sends no more */
	bool forwarded; /* and the other's peer has been told */
};

static struct end ends[SOCKETS];
static int ending_count, sockets, others;

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static void load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!object || bpf_object__load(object))
		die(path);
	sockets = bpf_object__find_map_fd_by_name(object, "sockets");
	others = bpf_object__find_map_fd_by_name(object, "others");
	program = bpf_object__find_program_by_name(object, "parse");
	if (bpf_prog_attach(bpf_program__fd(program), sockets, BPF_SK_SKB_STREAM_PARSER, 0))
		die("the parser");
	program = bpf_object__find_program_by_name(object, "judge");
	if (bpf_prog_attach(bpf_program__fd(program), sockets, BPF_SK_SKB_STREAM_VERDICT, 0))
		die("the verdict");
}

static uint64_t cookie_of(int fd)
{
	socklen_t size = sizeof(uint64_t);
	uint64_t cookie = 0;

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size);
	return cookie;
}

static void close_both(int fd)
{
	int other = ends[fd].other;

	ending_count -= ends[fd].ending && !ends[fd].forwarded;
	ending_count -= ends[other].ending && !ends[other].forwarded;
	ends[fd] = ends[other] = (struct end){};
	close(fd);
	close(other);
}

/* What came before the program was there, and so goes by hand. */
static void move(int fd)
{
	static char buffer[65536];
	ssize_t size, sent;

	while ((size = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
		for (ssize_t at = 0; at < size; at += sent) {
			sent = send(ends[fd].other, buffer + at, size - at, MSG_NOSIGNAL);
			if (sent < 0 && errno != EAGAIN)
				return;
			if (sent < 0)
				sent = 0;
		}
}

/* All that has come by the one is in the other's queue, or beyond: a FIN counts as a byte. */
static bool is_delivered(int fd, int other)
{
	struct tcp_info from = {}, to = {};
	socklen_t from_size = sizeof(from), to_size = sizeof(to);
	int queued = 0;

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &from, &from_size);
	getsockopt(other, IPPROTO_TCP, TCP_INFO, &to, &to_size);
	ioctl(other, SIOCOUTQ, &queued);
	return to.tcpi_bytes_acked + queued + 1 >= from.tcpi_bytes_received;
}

static void forward_ends(void)
{
	for (int fd = 0; ending_count && fd < SOCKETS; fd++) {
		struct end *end = &ends[fd];

		if (!end->other || !end->ending || end->forwarded)
			continue;
		move(fd);
		if (!is_delivered(fd, end->other))
			continue;
		end->forwarded = true;
		ending_count--;
		shutdown(end->other, SHUT_WR);
		if (ends[end->other].forwarded)
			close_both(fd);
	}
}

static void watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	int one = 1;

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Targets first, then who is to be moved to them: only then is anything moved. */
static void pair(int epoll, int client, const struct sockaddr_in *backend)
{
	int server = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t from = cookie_of(client), to, value;

	if (client >= SOCKETS || server < 0 || server >= SOCKETS)
		die("socket");
	if (connect(server, (const struct sockaddr *)backend, sizeof(*backend)))
		die("the backend");
	fcntl(server, F_SETFL, O_NONBLOCK);
	to = cookie_of(server);
	ends[client] = (struct end){ .other = server };
	ends[server] = (struct end){ .other = client };
	watch(epoll, client, EPOLLIN | EPOLLRDHUP | EPOLLET);
	watch(epoll, server, EPOLLIN | EPOLLRDHUP | EPOLLET);
	bpf_map_update_elem(others, &from, &to, BPF_ANY);
	bpf_map_update_elem(others, &to, &from, BPF_ANY);
	value = server;
	if (bpf_map_update_elem(sockets, &to, &value, BPF_ANY))
		die("the backend's socket");
	value = client;
	/* One that has ended already cannot be inserted. */
	if (bpf_map_update_elem(sockets, &from, &value, BPF_ANY))
		close_both(client);
	else
		move(client);
}

static void welcome(int epoll, int listening, const struct sockaddr_in *backend)
{
	int client = accept4(listening, NULL, NULL, SOCK_NONBLOCK);

	if (client >= 0)
		pair(epoll, client, backend);
}

static void on_event(int fd, uint32_t events)
{
	struct linger reset = { .l_onoff = 1 };

	if (!ends[fd].other)
		return;
	if (events & EPOLLERR) {
		setsockopt(ends[fd].other, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close_both(fd);
		return;
	}
	move(fd);
	if ((events & (EPOLLRDHUP | EPOLLHUP)) && !ends[fd].ending) {
		ends[fd].ending = true;
		ending_count++;
	}
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) || listen(fd, 4096))
		die("the port");
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_in backend = { .sin_family = AF_INET };
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(0), listening;

	if (argc != 5 || !inet_aton(argv[3], &backend.sin_addr)) {
		fprintf(stderr, "usage: %s OBJECT PORT BACKEND BACKEND-PORT\n", argv[0]);
		return 64;
	}
	backend.sin_port = htons(strtoul(argv[4], NULL, 10));
	signal(SIGPIPE, SIG_IGN);
	load(argv[1]);
	listening = listen_at(strtoul(argv[2], NULL, 10));
	watch(epoll, listening, EPOLLIN);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, ending_count ? LOOK_MS : -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listening)
				welcome(epoll, listening, &backend);
			else
				on_event(events[i].data.fd, events[i].events);
		}
		forward_ends();
	}
}
