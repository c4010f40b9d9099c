// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: the admin socket is open to whom it should, survives a dead daemon and not a living one,
 * and no peer - slow, silent, endless or gone - makes this side wait longer than it said.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "net/sock.h"
#include "util/cleanup.h"

static char folder[64], path[96];
static struct err err;

static void setup(void)
{
	strcpy(folder, "/tmp/weirt-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/run/admin.sock", folder);
}

static void teardown(void)
{
	char sub[96];

	snprintf(sub, sizeof(sub), "%s/run", folder);
	unlink(path);
	rmdir(sub);
	rmdir(folder);
}

TestSuite(sock, .init = setup, .fini = teardown, .timeout = 20);

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int listen_here(void)
{
	int fd = sock_listen_unix(path, 0660, &err);

	cr_assert_geq(fd, 0, "%s", err.text);
	return fd;
}

static void pair(int fds[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

static void put(int fd, const char *text)
{
	cr_assert_eq(sock_send_all(fd, text, strlen(text), 1000), 0);
}

static void expect_line(struct sock_line *line, int fd, const char *want)
{
	size_t size;

	cr_assert_eq(sock_line_feed(line, fd), SOCK_LINE_COMPLETE);
	cr_assert_eq(sock_line_feed(line, fd), SOCK_LINE_COMPLETE, "until it is dropped");
	cr_expect_str_eq(sock_line_text(line, &size), want);
	cr_expect_eq(size, strlen(want));
	sock_line_drop(line);
}

/* 1: the mode is exact whatever the umask, the folder is made, a client gets through. */
Test(sock, listen_and_connect)
{
	_cleanup_(closep) int server = -1, client = -1, connection = -1;
	struct sock_line line = { .limit = 100 };
	struct stat status;
	uid_t uid = 77;
	pid_t pid = 0;

	umask(0077);
	server = listen_here();
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0660, "%o", status.st_mode);
	cr_expect_eq(sock_accept(server), -EAGAIN);
	client = sock_connect_unix(path, 1000, &err);
	cr_assert_geq(client, 0, "%s", err.text);
	connection = sock_accept(server);
	cr_assert_geq(connection, 0);
	cr_assert_eq(sock_peer(connection, &uid, &pid), 0);
	cr_expect_eq(uid, geteuid());
	cr_expect_eq(pid, getpid());
	put(client, "{\"call\":\"show\"}\n");
	expect_line(&line, connection, "{\"call\":\"show\"}");
	sock_line_fini(&line);
	cr_expect(fcntl(client, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(client, F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(connection, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(connection, F_GETFD) & FD_CLOEXEC);
}

/* 2: a living daemon is not replaced, a dead one's file is, another file never. */
Test(sock, stale)
{
	_cleanup_(closep) int server = listen_here(), again = -1, file = -1;

	cr_expect_eq(sock_listen_unix(path, 0660, &err), -EADDRINUSE);
	cr_expect(strstr(err.text, "another daemon"), "%s", err.text);
	close(take_fd(&server));
	again = sock_listen_unix(path, 0660, &err);
	cr_expect_geq(again, 0, "%s", err.text);
	close(take_fd(&again));
	cr_assert_eq(unlink(path), 0);
	file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_expect_eq(sock_listen_unix(path, 0660, &err), -EEXIST);
	cr_expect(strstr(err.text, "no socket"), "%s", err.text);
	cr_expect_eq(access(path, F_OK), 0);
}

/* 3: a daemon whose backlog is full is alive, and a client's patience with it ends. */
Test(sock, backlog_full)
{
	int fds[200], count = 0, server = listen_here();
	int64_t start;

	for (; count < 200; count++) {
		fds[count] = sock_connect_unix(path, 50, &err);
		if (fds[count] < 0)
			break;
	}
	cr_expect_eq(fds[count], -ETIMEDOUT, "%s", err.text);
	start = now_ms();
	cr_expect_eq(sock_connect_unix(path, 200, &err), -ETIMEDOUT);
	cr_expect(now_ms() - start >= 190 && now_ms() - start < 3000);
	cr_expect_eq(sock_listen_unix(path, 0660, &err), -EADDRINUSE);
	while (count-- > 0)
		close(fds[count]);
	close(server);
}

/* 4: refusals say what to do. */
Test(sock, refused)
{
	char longer[300];

	cr_expect_eq(sock_connect_unix(path, 100, &err), -ENOENT);
	cr_expect(strstr(err.text, "weir run"), "%s", err.text);
	close(listen_here());
	cr_expect_eq(sock_connect_unix(path, 100, &err), -ECONNREFUSED);
	cr_expect(strstr(err.text, "weir run"), "%s", err.text);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cr_expect_eq(sock_connect_unix(longer, 100, &err), -ENAMETOOLONG);
	cr_expect_eq(sock_listen_unix(longer, 0660, NULL), -ENAMETOOLONG);
	cr_expect_eq(sock_listen_unix("", 0660, &err), -ENAMETOOLONG);
	cr_expect_eq(sock_listen_unix("/nowhere/at/all/x.sock", 0660, &err), -ENOENT);
	cr_expect(strstr(err.text, "/nowhere/at/all"), "%s", err.text);
}

/* 5: lines in pieces, several in one piece, empty ones. */
Test(sock, lines)
{
	struct sock_line line = { .limit = 100 };
	int fds[2];

	pair(fds);
	cr_expect_eq(sock_line_feed(&line, fds[0]), SOCK_LINE_PARTIAL);
	put(fds[1], "he");
	cr_expect_eq(sock_line_feed(&line, fds[0]), SOCK_LINE_PARTIAL);
	put(fds[1], "llo\nsecond\n\nthi");
	expect_line(&line, fds[0], "hello");
	expect_line(&line, fds[0], "second");
	expect_line(&line, fds[0], "");
	cr_expect_eq(sock_line_feed(&line, fds[0]), SOCK_LINE_PARTIAL);
	put(fds[1], "rd\nlost");
	close(fds[1]);
	expect_line(&line, fds[0], "third");
	cr_expect_eq(sock_line_feed(&line, fds[0]), SOCK_LINE_CLOSED);
	sock_line_fini(&line);
	close(fds[0]);
}

/* 6: the limit is exact, its newline included, and holds without a newline too. */
Test(sock, line_limit)
{
	struct sock_line endless = { .limit = 8 };
	int fds[2];

	for (int size = 7; size <= 9; size++) {
		struct sock_line line = { .limit = 8 };
		int want = size <= 8 ? SOCK_LINE_COMPLETE : -EMSGSIZE;

		pair(fds);
		put(fds[1], &"12345678"[9 - size]);
		put(fds[1], "\n");
		cr_expect_eq(sock_line_feed(&line, fds[0]), want, "%d", size);
		sock_line_fini(&line);
		cr_expect_eq(line.limit, 8);
		close(fds[0]);
		close(fds[1]);
	}
	pair(fds);
	put(fds[1], "12345678");
	cr_expect_eq(sock_line_feed(&endless, fds[0]), -EMSGSIZE, "no newline would fit");
	sock_line_fini(&endless);
	close(fds[0]);
	close(fds[1]);
}

/* One message of the largest size, sent by another thread. */
static void *send_largest(void *user)
{
	char *bytes = malloc(SOCK_LINE_MAX);

	memset(bytes, 'y', SOCK_LINE_MAX - 1);
	bytes[SOCK_LINE_MAX - 1] = '\n';
	cr_expect_eq(sock_send_all(*(int *)user, bytes, SOCK_LINE_MAX, 10000), 0);
	free(bytes);
	return NULL;
}

/* 7: the largest message arrives whole, and its memory is given back. */
Test(sock, largest_line)
{
	struct sock_line line = { .limit = SOCK_LINE_MAX };
	pthread_t thread;
	size_t size;
	int fds[2];

	pair(fds);
	cr_assert_eq(pthread_create(&thread, NULL, send_largest, &fds[1]), 0);
	cr_assert_eq(sock_receive_line(fds[0], &line, 10000), 0);
	cr_expect_eq(strspn(sock_line_text(&line, &size), "y"), SOCK_LINE_MAX - 1);
	cr_expect_eq(size, SOCK_LINE_MAX - 1);
	pthread_join(thread, NULL);
	sock_line_drop(&line);
	cr_expect_lt(line.capacity, 1 << 20);
	put(fds[1], "small\n");
	expect_line(&line, fds[0], "small");
	sock_line_fini(&line);
	close(fds[0]);
	close(fds[1]);
}

/* 8: one feed of an endless peer ends, so that others have their turn. */
Test(sock, feed_is_bounded)
{
	static char bytes[4 << 20];
	struct sock_line line = { .limit = SOCK_LINE_MAX };
	int fds[2], room = 2 * sizeof(bytes);

	pair(fds);
	cr_assert_eq(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)), 0,
		     "%s; run as root", strerror(errno));
	cr_assert_eq(sock_send_all(fds[1], bytes, sizeof(bytes), 1000), 0);
	cr_expect_eq(sock_line_feed(&line, fds[0]), SOCK_LINE_PARTIAL);
	cr_expect_leq(line.size, 1 << 20);
	cr_expect_eq(sock_line_feed(&line, fds[0]), SOCK_LINE_PARTIAL);
	cr_expect_gt(line.size, 1 << 20);
	sock_line_fini(&line);
	close(fds[0]);
	close(fds[1]);
}

/* 9: deadlines hold towards a silent peer, a slow one, and one that does not read. */
static void *drip(void *user)
{
	for (int i = 0; i < 20; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL);
		sock_send_all(*(int *)user, "z", 1, 100);
	}
	return NULL;
}

Test(sock, deadlines)
{
	static char bytes[4 << 20];
	struct sock_line line = { .limit = 100 };
	int64_t start = now_ms();
	pthread_t thread;
	int fds[2];

	pair(fds);
	cr_expect_eq(sock_receive_line(fds[0], &line, 100), -ETIMEDOUT);
	cr_expect(now_ms() - start >= 100 && now_ms() - start < 2000);
	cr_assert_eq(pthread_create(&thread, NULL, drip, &fds[1]), 0);
	start = now_ms();
	cr_expect_eq(sock_receive_line(fds[0], &line, 200), -ETIMEDOUT);
	cr_expect(now_ms() - start >= 200 && now_ms() - start < 390);
	pthread_join(thread, NULL);
	start = now_ms();
	cr_expect_eq(sock_send_all(fds[1], bytes, sizeof(bytes), 100), -ETIMEDOUT);
	cr_expect(now_ms() - start >= 100 && now_ms() - start < 2000);
	sock_line_fini(&line);
	close(fds[0]);
	close(fds[1]);
}

/* 10: a peer that has gone is an error, not a signal. */
Test(sock, peer_gone)
{
	struct sock_line line = { .limit = 100 };
	int fds[2];

	pair(fds);
	put(fds[1], "half");
	close(fds[1]);
	cr_expect_eq(sock_receive_line(fds[0], &line, 1000), -ECONNRESET);
	cr_expect_eq(sock_send_all(fds[0], "x", 1, 1000), -EPIPE);
	sock_line_fini(&line);
	close(fds[0]);
}

/* 11: a queue hands over what the peer takes, keeps the rest, and loses nothing. */
Test(sock, queue)
{
	struct sock_queue queue = {};
	size_t got = 0, want = 0;
	char chunk[100000];
	bool same = true;
	int fds[2], r;

	pair(fds);
	for (int i = 0; i < 20; i++, want += sizeof(chunk)) {
		memset(chunk, 'a' + i, sizeof(chunk));
		cr_assert_eq(sock_queue_add(&queue, chunk, sizeof(chunk)), 0);
	}
	cr_expect_eq(sock_queue_add(&queue, NULL, 0), 0);
	cr_expect_eq(sock_queue_flush(&queue, fds[0]), 1, "nobody reads");
	while (got < want) {
		ssize_t size = recv(fds[1], chunk, sizeof(chunk), 0);

		for (ssize_t i = 0; i < size; i++)
			same &= chunk[i] == (char)('a' + (got + (size_t)i) / sizeof(chunk));
		cr_assert_gt(size, 0);
		got += (size_t)size;
		r = sock_queue_flush(&queue, fds[0]);
		cr_assert_geq(r, 0);
	}
	cr_expect(same);
	cr_expect_eq(r, 0);
	cr_expect_eq(recv(fds[1], chunk, sizeof(chunk), 0), -1);
	cr_expect_eq(sock_queue_add(&queue, "x", 1), 0);
	close(fds[1]);
	cr_expect_eq(sock_queue_flush(&queue, fds[0]), -EPIPE);
	sock_queue_fini(&queue);
	close(fds[0]);
}
