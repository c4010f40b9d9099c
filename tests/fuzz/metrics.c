// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: whatever a peer sends to the metrics' port, it gets one right answer or none, and is let
 * go; only GET /metrics gets metrics, whole. The server is the real one, over the loopback of a
 * network of its own; what it tells of is made up. The first byte says how the request is cut in
 * two.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>

#include "daemon/history.h"
#include "daemon/metrics.h"
#include "daemon/metrics_take.h"
#include "net.h"

#define PORT	   9700
#define ANSWER_MAX 65536

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct daemon_options options = { .instance = "fuzz" };
static struct daemon fuzzed = { .options = &options };

/* ---- in the place of what reads the data plane and the disk ---- */

void metrics_take_fini(struct metrics_taking *taking)
{
	metrics_text_free(taking->snapshot);
	*taking = (struct metrics_taking){};
}

int metrics_take(struct daemon *daemon, const struct metrics_daemon *known,
		 struct metrics_taking *taking)
{
	(void)daemon;
	(void)known;
	taking->snapshot = calloc(1, sizeof(*taking->snapshot));
	return taking->snapshot ? 0 : -ENOMEM;
}

int history_load(const char *instance, struct history *ret, struct err *err)
{
	(void)instance;
	(void)err;
	*ret = (struct history){};
	return 0;
}

void history_fini(struct history *history)
{
	(void)history;
}

/* ---- a peer ---- */

static struct peer {
	int fd;
	struct loop_source *source;
	const uint8_t *rest;
	size_t left;
	char answer[ANSWER_MAX + 1];
	size_t size;
	bool over;
} peer;

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void send_rest(void)
{
	if (peer.left)
		send(peer.fd, peer.rest, peer.left, MSG_NOSIGNAL | MSG_DONTWAIT);
	peer.left = 0;
	shutdown(peer.fd, SHUT_WR);
}

static void on_peer(void *user, uint32_t events)
{
	ssize_t got = recv(peer.fd, peer.answer + peer.size, ANSWER_MAX - peer.size, MSG_DONTWAIT);

	(void)user;
	(void)events;
	if (got > 0) {
		peer.size += got;
		require(peer.size < ANSWER_MAX);
		return;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	peer.over = true;
	loop_stop(fuzzed.loop, 0);
}

static void on_second(void *user, uint32_t expirations)
{
	(void)user;
	(void)expirations;
	send_rest();
}

static void check_answer(void)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\n", end[] = "\r\n0\r\n\r\n";
	const char *answer = peer.answer;
	size_t size = peer.size;

	if (!size)
		return;
	require(size > 12 && !memcmp(answer, "HTTP/1.1 ", 9) && strstr(answer, "\r\n\r\n") &&
		strstr(answer, "\r\nConnection: close\r\n"));
	if (strncmp(answer, ok, sizeof(ok) - 1)) {
		require(answer[9] == '4' || answer[9] == '5');
		return;
	}
	require(strstr(answer, "# TYPE weir_build_info gauge\n"));
	if (strstr(answer, "\r\nTransfer-Encoding: chunked\r\n"))
		require(!strcmp(answer + size - (sizeof(end) - 1), end));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct model model = { .metrics.port = PORT };
	struct err err = {};

	(void)argc;
	(void)argv;
	net_begin();
	require(!addr_parse("127.0.0.1", &model.metrics.address) && !loop_new(&fuzzed.loop));
	require(!metrics_start(&fuzzed, &err) &&
		!metrics_prepare(fuzzed.metrics, &model, false, &err));
	metrics_follow(fuzzed.metrics);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(PORT),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct loop_source *timer = NULL;
	size_t first;

	if (!size--)
		return 0;
	first = size * *data / 255;
	peer = (struct peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	require(peer.fd >= 0 && !connect(peer.fd, (struct sockaddr *)&name, sizeof(name)));
	if (first)
		send(peer.fd, data + 1, first, MSG_NOSIGNAL);
	peer.rest = data + 1 + first;
	peer.left = size - first;
	require(!loop_add_fd(fuzzed.loop, peer.fd, EPOLLIN, (struct loop_call){ on_peer, NULL },
			     &peer.source) &&
		!loop_add_timer(fuzzed.loop, (struct loop_call){ on_second, NULL }, &timer));
	loop_set_timer(timer, peer.left ? 1 : 0, 0);
	require(!loop_run(fuzzed.loop) && peer.over);
	check_answer();
	loop_remove(timer);
	loop_remove(peer.source);
	/* Without a TIME_WAIT for each of millions. */
	setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(peer.fd);
	return 0;
}
