// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weir/names.h>

#include "daemon/calls.h"
#include "net/sock.h"
#include "util/log.h"

#define MAX_CONNECTIONS 32
#define IDLE_MS		10000 /* a peer that says nothing is shown the door */

struct connection {
	struct admin *admin;
	struct loop_source *source;
	struct loop_source *idle;
	int fd; /* -1: free */
	uid_t who;
	struct sock_line line;
	struct sock_queue queue;
};

struct admin {
	struct daemon *daemon;
	struct loop_source *source;
	int fd;
	char path[sizeof(WEIR_RUN_DIR) + WEIR_NAME_MAX + 16];
	struct connection connections[MAX_CONNECTIONS];
};

static void hang_up(struct connection *connection)
{
	loop_remove(connection->source);
	loop_remove(connection->idle);
	sock_line_fini(&connection->line);
	sock_queue_fini(&connection->queue);
	close(take_fd(&connection->fd));
	connection->source = connection->idle = NULL;
}

static int answer_line(struct connection *connection)
{
	size_t size;
	const char *line = sock_line_text(&connection->line, &size);
	json_t *answer = calls_answer(connection->admin->daemon, line, size, connection->who);
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	int r = text ? 0 : -ENOMEM;

	r = r ?: sock_queue_add(&connection->queue, text, strlen(text));
	r = r ?: sock_queue_add(&connection->queue, "\n", 1);
	free(text);
	json_decref(answer);
	sock_line_drop(&connection->line);
	return r;
}

static const char too_long[] = "{\"ok\":false,\"error\":\"the request is too long\",\"code\":90}\n";
static const char too_many[] =
	"{\"ok\":false,\"error\":\"too many connections at once\",\"code\":11}\n";

static int serve(struct connection *connection)
{
	for (;;) {
		int state = sock_line_feed(&connection->line, connection->fd);
		int r;

		if (state == -EMSGSIZE) {
			sock_queue_add(&connection->queue, too_long, sizeof(too_long) - 1);
			sock_queue_flush(&connection->queue, connection->fd);
		}
		if (state < 0)
			return state;
		if (state == SOCK_LINE_CLOSED)
			return -ECONNRESET;
		if (state == SOCK_LINE_COMPLETE) {
			r = answer_line(connection);
			if (r < 0)
				return r;
		}
		r = sock_queue_flush(&connection->queue, connection->fd);
		if (r < 0)
			return r;
		loop_set_events(connection->source, r ? EPOLLOUT : EPOLLIN);
		if (r || state == SOCK_LINE_PARTIAL)
			return 0;
	}
}

static void on_connection(void *user, uint32_t events)
{
	struct connection *connection = user;

	(void)events;
	loop_set_timer(connection->idle, IDLE_MS, 0);
	if (serve(connection) < 0)
		hang_up(connection);
}

static void on_idle(void *user, uint32_t expirations)
{
	(void)expirations;
	hang_up(user);
}

static void on_accept(void *user, uint32_t events)
{
	struct admin *admin = user;
	struct loop *loop = admin->daemon->loop;
	struct connection *connection = NULL;
	int fd = sock_accept(admin->fd), r;
	pid_t pid;

	(void)events;
	if (fd < 0)
		return;
	for (size_t i = 0; i < MAX_CONNECTIONS && !connection; i++)
		if (admin->connections[i].fd < 0)
			connection = &admin->connections[i];
	if (!connection) {
		log_warning("admin: %d connections at once; one refused", MAX_CONNECTIONS);
		sock_send_all(fd, too_many, sizeof(too_many) - 1, 0);
		close(fd);
		return;
	}
	*connection = (struct connection){ .admin = admin, .fd = fd };
	connection->line.limit = SOCK_LINE_MAX;
	r = sock_peer(fd, &connection->who, &pid);
	r = r ?: loop_add_timer(loop, (struct loop_call){ on_idle, connection }, &connection->idle);
	r = r ?: loop_set_timer(connection->idle, IDLE_MS, 0);
	r = r
		    ?: loop_add_fd(loop, fd, EPOLLIN,
				   (struct loop_call){ on_connection, connection },
				   &connection->source);
	if (r < 0)
		hang_up(connection);
}

int admin_start(struct daemon *daemon, struct err *err)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int r;

	if (!admin)
		return err_set(err, -ENOMEM, "out of memory");
	admin->daemon = daemon;
	for (size_t i = 0; i < MAX_CONNECTIONS; i++)
		admin->connections[i].fd = -1;
	snprintf(admin->path, sizeof(admin->path), WEIR_RUN_DIR "/%s/admin.sock",
		 daemon->options->instance);
	admin->fd = sock_listen_unix(admin->path, 0660, err);
	if (admin->fd < 0) {
		r = admin->fd;
		free(admin);
		return r;
	}
	daemon->admin = admin;
	r = loop_add_fd(daemon->loop, admin->fd, EPOLLIN, (struct loop_call){ on_accept, admin },
			&admin->source);
	return r < 0 ? err_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

void admin_stop(struct admin *admin)
{
	if (!admin)
		return;
	for (size_t i = 0; i < MAX_CONNECTIONS; i++)
		if (admin->connections[i].fd >= 0)
			hang_up(&admin->connections[i]);
	loop_remove(admin->source);
	unlink(admin->path);
	close(admin->fd);
	free(admin);
}
