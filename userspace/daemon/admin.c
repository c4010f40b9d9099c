// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weir/names.h>

#include "daemon/calls.h"
#include "daemon/guest.h"
#include "net/sock.h"
#include "util/log.h"

#define MAX_CONNECTIONS 32
#define IDLE_MS		10000 /* a peer that says nothing is shown the door */

struct connection {
	struct guest guest;
	struct admin *admin;
	uid_t who;
	bool waits; /* its call, for files to be read */
	struct sock_line line;
	struct sock_queue queue;
};

struct admin {
	struct daemon *daemon;
	struct loop_source *source;
	int fd;
	char path[sizeof(WEIR_RUN_DIR) + WEIR_NAME_MAX + 16];
	struct guests guests;
	struct connection connections[MAX_CONNECTIONS];
};

static void hang_up(struct connection *connection)
{
	sock_line_fini(&connection->line);
	sock_queue_fini(&connection->queue);
	guest_leave(&connection->guest);
}

static int answer_line(struct connection *connection)
{
	size_t size;
	const char *line = sock_line_text(&connection->line, &size);
	_cleanup_(json_decrefp) json_t *answer = NULL;
	_cleanup_(freep) char *text = NULL;
	int r = calls_answer(connection->admin->daemon, line, size, connection->who, &answer);

	connection->waits = r == -EINPROGRESS;
	if (r < 0)
		return r;
	text = json_dumps(answer, JSON_COMPACT);
	r = text ? sock_queue_add(&connection->queue, text, strlen(text)) : -ENOMEM;
	r = r ?: sock_queue_add(&connection->queue, "\n", 1);
	sock_line_drop(&connection->line);
	return r;
}

static const char too_long[] = "{\"ok\":false,\"error\":\"the request is too long\",\"code\":90}\n";
static const char too_many[] =
	"{\"ok\":false,\"error\":\"too many connections at once\",\"code\":11}\n";

static int serve(struct connection *connection)
{
	for (;;) {
		int state = sock_line_feed(&connection->line, connection->guest.fd);
		int r;

		if (state == -EMSGSIZE) {
			sock_queue_add(&connection->queue, too_long, sizeof(too_long) - 1);
			sock_queue_flush(&connection->queue, connection->guest.fd);
		}
		if (state < 0)
			return state;
		if (state == SOCK_LINE_CLOSED)
			return -ECONNRESET;
		if (state == SOCK_LINE_COMPLETE) {
			r = answer_line(connection);
			if (r == -EINPROGRESS) {
				loop_stop_timer(connection->guest.deadline);
				loop_set_events(connection->guest.source, 0);
				return 0;
			}
			if (r < 0)
				return r;
		}
		r = sock_queue_flush(&connection->queue, connection->guest.fd);
		if (r < 0)
			return r;
		loop_set_events(connection->guest.source, r ? EPOLLOUT : EPOLLIN);
		if (r || state == SOCK_LINE_PARTIAL)
			return 0;
	}
}

static void go_on(struct connection *connection)
{
	loop_set_timer(connection->guest.deadline, IDLE_MS, 0);
	if (serve(connection) < 0)
		hang_up(connection);
}

static void on_connection(void *user, uint32_t events)
{
	struct connection *connection = user;

	(void)events;
	if (connection->waits) /* for whom? Nothing but a hang-up is watched for. */
		hang_up(connection);
	else
		go_on(connection);
}

void admin_go_on(struct admin *admin)
{
	for (size_t i = 0; admin && i < MAX_CONNECTIONS; i++)
		if (admin->connections[i].guest.fd >= 0 && admin->connections[i].waits)
			go_on(&admin->connections[i]);
}

static void on_idle(void *user, uint32_t expirations)
{
	(void)expirations;
	hang_up(user);
}

static void on_full(int fd)
{
	log_warning("admin: %d connections at once; one refused", MAX_CONNECTIONS);
	sock_send_all(fd, too_many, sizeof(too_many) - 1, 0);
}

static void on_accept(void *user, uint32_t events)
{
	struct admin *admin = user;
	struct connection *connection = guest_accept(&admin->guests, admin->fd);
	pid_t pid;

	(void)events;
	if (!connection)
		return;
	connection->admin = admin;
	connection->line.limit = SOCK_LINE_MAX;
	if (sock_peer(connection->guest.fd, &connection->who, &pid) < 0)
		hang_up(connection);
}

int admin_start(struct daemon *daemon, struct err *err)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int r;

	if (!admin)
		return err_set(err, -ENOMEM, "out of memory");
	admin->daemon = daemon;
	admin->guests = (struct guests){
		.loop = daemon->loop,
		.seats = admin->connections,
		.count = MAX_CONNECTIONS,
		.size = sizeof(admin->connections[0]),
		.patience = IDLE_MS,
		.on_event = on_connection,
		.on_deadline = on_idle,
		.on_full = on_full,
	};
	guest_seats(&admin->guests);
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
		if (admin->connections[i].guest.fd >= 0)
			hang_up(&admin->connections[i]);
	loop_remove(admin->source);
	unlink(admin->path);
	close(admin->fd);
	free(admin);
}
