// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "util/cleanup.h"

#define BACKLOG	      64
#define FOLDER_MODE   0755	  /* the socket's own mode tells who may connect */
#define READ_SIZE     (64 * 1024) /* bytes per read() */
#define READS_AT_ONCE 16	  /* per feed, so that one peer cannot keep the others waiting */
#define KEPT_CAPACITY (4 * READ_SIZE) /* more is given back between two lines */

static int unix_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path[0] == '\0' || strlen(path) >= sizeof(ret->sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: a socket's path has 1 to %zu characters",
			       path, sizeof(ret->sun_path) - 1);
	strcpy(ret->sun_path, path);
	return 0;
}

static int unix_socket(int flags, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	return fd < 0 ? err_set(err, -errno, "cannot make a socket: %s", strerror(errno)) : fd;
}

static int make_folder(const char *path, struct err *err)
{
	_cleanup_(freep) char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return err_set(err, -ENOMEM, "out of memory");
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	if (mkdir(folder, FOLDER_MODE) < 0 && errno != EEXIST)
		return err_set(err, -errno, "cannot make the folder %s: %s", folder,
			       strerror(errno));
	return 0;
}

/* 0 if nobody answers at the address. */
static int check_dead(const struct sockaddr_un *address, struct err *err)
{
	_cleanup_(closep) int fd = unix_socket(SOCK_NONBLOCK, err);

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		if (errno == ECONNREFUSED || errno == ENOENT)
			return 0;
		if (errno != EAGAIN) /* EAGAIN: alive, but its backlog is full */
			return err_set(err, -errno, "cannot tell whether %s is in use: %s",
				       address->sun_path, strerror(errno));
	}
	return err_set(err, -EADDRINUSE,
		       "%s: another daemon runs there; stop it, or choose another instance name",
		       address->sun_path);
}

static int remove_stale(const struct sockaddr_un *address, struct err *err)
{
	const char *path = address->sun_path;
	struct stat status;
	int r;

	if (lstat(path, &status) < 0)
		return errno == ENOENT
			       ? 0
			       : err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	/* connect() to any other file says ECONNREFUSED as well. */
	if (!S_ISSOCK(status.st_mode))
		return err_set(err, -EEXIST, "%s is no socket; remove it", path);
	r = check_dead(address, err);
	if (r < 0)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "cannot replace %s: %s", path, strerror(errno));
	return 0;
}

int sock_listen_unix(const char *path, mode_t mode, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	struct sockaddr_un address;
	int r;

	r = unix_address(path, &address, err);
	if (r == 0)
		r = make_folder(path, err);
	if (r == 0)
		r = remove_stale(&address, err);
	if (r < 0)
		return r;
	fd = unix_socket(SOCK_NONBLOCK, err);
	if (fd < 0)
		return fd;
	/* The file gets the socket's mode less the umask, so it is never open to others; chmod()
	 * then adds what the umask took. */
	if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0)
		return err_set(err, -errno, "cannot listen at %s: %s", path, strerror(errno));
	return take_fd(&fd);
}

static int connect_error(const char *path, int code, struct err *err)
{
	switch (-code) {
	case ENOENT:
	case ECONNREFUSED:
		return err_set(err, code, "no daemon answers at %s; start it with 'weir run'",
			       path);
	case EACCES:
	case EPERM:
		return err_set(err, code,
			       "not permitted to use %s: be root, or in the group that owns it",
			       path);
	case EAGAIN:
		return err_set(err, -ETIMEDOUT, "the daemon at %s is too busy to answer", path);
	default:
		return err_set(err, code, "cannot connect to %s: %s", path, strerror(-code));
	}
}

static struct timeval timeval_of(int ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

int sock_connect_unix(const char *path, int timeout_ms, struct err *err)
{
	_cleanup_(closep) int fd = -1;
	struct timeval timeout = timeval_of(timeout_ms > 0 ? timeout_ms : 1);
	struct sockaddr_un address;
	int r;

	r = unix_address(path, &address, err);
	if (r < 0)
		return r;
	fd = unix_socket(0, err);
	if (fd < 0)
		return fd;
	/* poll() does not tell when a full backlog has room, the send timeout does: unix(7). */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return connect_error(path, -errno, err);
	return take_fd(&fd);
}

int sock_accept(int fd)
{
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return connection < 0 ? -errno : connection;
}

int sock_peer(int fd, uid_t *ret_uid, pid_t *ret_pid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	*ret_uid = peer.uid;
	*ret_pid = peer.pid;
	return 0;
}

static int grow(char **bytes, size_t *capacity, size_t want)
{
	size_t more = *capacity ? *capacity : READ_SIZE;
	char *grown;

	if (want <= *capacity)
		return 0;
	while (more < want)
		more *= 2;
	grown = realloc(*bytes, more);
	if (!grown)
		return -ENOMEM;
	*bytes = grown;
	*capacity = more;
	return 0;
}

void sock_line_fini(struct sock_line *line)
{
	free(line->bytes);
	*line = (struct sock_line){ .limit = line->limit };
}

/* Looks only at what is new: a long line in small pieces is not searched again and again. */
static int search(struct sock_line *line)
{
	size_t left = line->size - line->searched;
	char *end = left ? memchr(line->bytes + line->searched, '\n', left) : NULL;

	line->searched = end ? (size_t)(end - line->bytes) : line->size;
	if (line->searched >= line->limit)
		return -EMSGSIZE;
	if (!end)
		return SOCK_LINE_PARTIAL;
	*end = '\0';
	line->complete = true;
	return SOCK_LINE_COMPLETE;
}

/* Returns the bytes that came, 0 at the end, or -errno. */
static ssize_t read_some(struct sock_line *line, int fd)
{
	ssize_t size;

	if (grow(&line->bytes, &line->capacity, line->size + READ_SIZE) < 0)
		return -ENOMEM;
	do {
		size = recv(fd, line->bytes + line->size, READ_SIZE, MSG_DONTWAIT);
	} while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	line->size += (size_t)size;
	return size;
}

int sock_line_feed(struct sock_line *line, int fd)
{
	int r = line->complete ? SOCK_LINE_COMPLETE : search(line);

	for (int i = 0; i < READS_AT_ONCE && r == SOCK_LINE_PARTIAL; i++) {
		ssize_t size = read_some(line, fd);

		if (size == -EAGAIN)
			return SOCK_LINE_PARTIAL;
		if (size <= 0)
			return size == 0 ? SOCK_LINE_CLOSED : (int)size;
		r = search(line);
	}
	return r;
}

const char *sock_line_text(const struct sock_line *line, size_t *ret_size)
{
	*ret_size = line->searched;
	return line->bytes;
}

void sock_line_drop(struct sock_line *line)
{
	char *smaller;

	if (!line->complete)
		return;
	line->size -= line->searched + 1;
	memmove(line->bytes, line->bytes + line->searched + 1, line->size);
	line->searched = 0;
	line->complete = false;
	if (line->capacity <= KEPT_CAPACITY || line->size > KEPT_CAPACITY)
		return;
	smaller = realloc(line->bytes, KEPT_CAPACITY);
	if (smaller) {
		line->bytes = smaller;
		line->capacity = KEPT_CAPACITY;
	}
}

void sock_queue_fini(struct sock_queue *queue)
{
	free(queue->bytes);
	*queue = (struct sock_queue){};
}

int sock_queue_add(struct sock_queue *queue, const void *bytes, size_t size)
{
	if (grow(&queue->bytes, &queue->capacity, queue->size + size) < 0)
		return -ENOMEM;
	if (size)
		memcpy(queue->bytes + queue->size, bytes, size);
	queue->size += size;
	return 0;
}

/* As much as goes now: the bytes that went, or -errno. */
static ssize_t send_some(int fd, const char *bytes, size_t size)
{
	ssize_t sent;

	do {
		sent = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return sent;
}

int sock_queue_flush(struct sock_queue *queue, int fd)
{
	while (queue->sent < queue->size) {
		ssize_t sent = send_some(fd, queue->bytes + queue->sent, queue->size - queue->sent);

		if (sent < 0)
			return sent == -EAGAIN ? 1 : (int)sent;
		queue->sent += (size_t)sent;
	}
	sock_queue_fini(queue);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_until(int fd, short events, int64_t deadline)
{
	struct pollfd watched = { .fd = fd, .events = events };
	int64_t left = deadline - now_ms();
	int r;

	if (left <= 0)
		return -ETIMEDOUT;
	r = poll(&watched, 1, (int)left);
	if (r < 0 && errno != EINTR)
		return -errno;
	return 0; /* the caller tries, and comes again */
}

int sock_send_all(int fd, const void *bytes, size_t size, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	const char *rest = bytes;
	int r = 0;

	while (size > 0 && r == 0) {
		ssize_t sent = send_some(fd, rest, size);

		if (sent == -EAGAIN) {
			r = wait_until(fd, POLLOUT, deadline);
			continue;
		}
		if (sent < 0)
			return (int)sent;
		rest += sent;
		size -= (size_t)sent;
	}
	return r;
}

int sock_receive_line(int fd, struct sock_line *line, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;

	for (;;) {
		int r = sock_line_feed(line, fd);

		if (r == SOCK_LINE_CLOSED)
			return -ECONNRESET;
		if (r == SOCK_LINE_PARTIAL)
			r = wait_until(fd, POLLIN, deadline);
		else
			return r;
		if (r < 0)
			return r;
	}
}

socklen_t sock_address(const struct addr *address, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *ip4 = (struct sockaddr_in *)ret;

	*ret = (struct sockaddr_storage){};
	if (addr_family(address) == AF_INET) {
		ip4->sin_family = AF_INET;
		ip4->sin_port = htons(port);
		memcpy(&ip4->sin_addr, address->bytes + 12, 4);
		return sizeof(*ip4);
	}
	ip6->sin6_family = AF_INET6;
	ip6->sin6_port = htons(port);
	memcpy(&ip6->sin6_addr, address->bytes, 16);
	return sizeof(*ip6);
}
