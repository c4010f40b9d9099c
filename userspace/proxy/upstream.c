// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#define HASH_NONFATAL_OOM 1 /* an entry without memory has no table */

#include "proxy/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/engine.h"
#include "proxy/shortcut.h"
#include "proxy/stream.h"

#define WAIT_MS 15000 /* of a connection that nobody needs */
/* The kernel's own memory for what an endpoint has sent and nobody has read is twice this: with a
 * full pipe and what waits for the client it is a mebibyte. */
#define WINDOW_MAX (320 << 10)

struct upstreams *upstreams_get(struct upstreams **all, const struct addr *address, uint16_t port)
{
	struct upstreams_key key = { .address = *address, .port = port };
	struct upstreams *upstreams;

	HASH_FIND(hh, *all, &key, sizeof(key), upstreams);
	if (upstreams) {
		upstreams->references++;
		return upstreams;
	}
	upstreams = calloc(1, sizeof(*upstreams));
	if (!upstreams)
		return NULL;
	upstreams->key = key;
	upstreams->references = 1;
	upstreams->all = all;
	HASH_ADD(hh, *all, key, sizeof(key), upstreams);
	if (!upstreams->hh.tbl) { /* no memory */
		free(upstreams);
		return NULL;
	}
	return upstreams;
}

/* Connections that wait hold no reference: with the last one they go. */
void upstreams_unref(struct upstreams *upstreams)
{
	if (!upstreams || --upstreams->references)
		return;
	upstreams->references = 1; /* while they are closed */
	while (upstreams->waiting)
		upstream_close(upstreams->waiting);
	while (upstreams->lent)
		upstream_close(upstreams->lent);
	HASH_DEL(*upstreams->all, upstreams);
	free(upstreams);
}

/* Into a list of those that wait. */
static void put(struct upstream *upstream, struct upstream **list)
{
	upstream->next = *list;
	upstream->link = list;
	if (*list)
		(*list)->link = &upstream->next;
	*list = upstream;
	upstream->to->references--;
}

static void stop_waiting(struct upstream *upstream)
{
	if (!upstream->link)
		return;
	*upstream->link = upstream->next;
	if (upstream->next)
		upstream->next->link = upstream->link;
	upstream->link = NULL;
}

static void on_upstream(struct source *source, uint32_t events)
{
	struct upstream *upstream = (struct upstream *)source;

	if (upstream->conn.fd < 0)
		return;
	conn_note(&upstream->conn, events);
	if (upstream->stream)
		client_run(upstream->stream->client); /* and what follows the exchange */
	else if (upstream->place)
		shortcut_hear(upstream);
	else if (upstream->conn.readable) /* it has been closed, or speaks without being asked */
		upstream_close(upstream);
}

struct upstream *upstream_take(struct upstreams *upstreams, struct engine *engine, uint64_t most)
{
	struct upstream *upstream = upstreams->waiting;

	if (!upstream || engine->now - upstream->since > most)
		return NULL;
	stop_waiting(upstream);
	upstreams->references++;
	return upstream;
}

static void set(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

/* 0 or -errno: -EINPROGRESS is no error. */
static int open_socket(const struct upstreams *to, int *ret)
{
	bool ip4 = addr_family(&to->key.address) == AF_INET;
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(to->key.port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(to->key.port) };
	_cleanup_(closep) int fd = -1;
	int r;

	memcpy(&four.sin_addr, to->key.address.bytes + 12, sizeof(four.sin_addr));
	memcpy(&six.sin6_addr, to->key.address.bytes, sizeof(six.sin6_addr));
	fd = socket(ip4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_RCVBUF,
	    WINDOW_MAX); /* before it connects; it would grow to many MB */
	r = ip4 ? connect(fd, (struct sockaddr *)&four, sizeof(four))
		: connect(fd, (struct sockaddr *)&six, sizeof(six));
	if (r && errno != EINPROGRESS)
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

int upstream_connect(struct upstreams *upstreams, struct engine *engine, struct upstream **ret)
{
	struct upstream *upstream = calloc(1, sizeof(*upstream));
	int fd = -1, r;

	if (!upstream)
		return -ENOMEM;
	upstream->conn = (struct conn){ .source = { on_upstream }, .fd = -1 };
	upstream->engine = engine;
	do
		r = open_socket(upstreams, &fd);
	while (r == -EMFILE && engine_relinquish(engine));
	r = r ?: conn_open(&upstream->conn, engine->epoll, fd);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		free(upstream);
		return r;
	}
	upstream->connecting = true;
	upstream->to = upstreams;
	upstreams->references++;
	*ret = upstream;
	return 0;
}

void upstream_keep(struct upstream *upstream)
{
	struct upstreams *to = upstream->to;

	upstream->stream = NULL;
	upstream->used = true;
	upstream->since = upstream->engine->now;
	if (!conn_is_quiet(&upstream->conn) || to->references == 1) {
		upstream_close(upstream);
		return;
	}
	put(upstream, &to->waiting);
}

void upstream_lend(struct upstream *upstream)
{
	upstream->used = true;
	put(upstream, &upstream->to->lent);
}

void upstream_resume(struct upstream *upstream, struct stream *stream)
{
	stop_waiting(upstream);
	upstream->to->references++;
	upstream->stream = stream;
	upstream->conn.readable = upstream->conn.writable = true;
}

void upstream_close(struct upstream *upstream)
{
	bool waited = upstream->link;

	stop_waiting(upstream);
	conn_close(&upstream->conn, false);
	upstream->stream = NULL;
	if (upstream->place)
		shortcut_reclaim(upstream);
	engine_bury(upstream->engine, &upstream->conn);
	if (!waited)
		upstreams_unref(upstream->to);
}

bool upstreams_relinquish(struct upstreams *all)
{
	while (all && !all->waiting)
		all = all->hh.next;
	if (all)
		upstream_close(all->waiting);
	return all;
}

void upstreams_tidy(struct upstreams *all, uint64_t now)
{
	for (; all; all = all->hh.next) {
		struct upstream *upstream = all->waiting, *next;

		/* Those behind one that has waited too long have waited longer. */
		for (; upstream; upstream = next) {
			next = upstream->next;
			if (now - upstream->since > WAIT_MS)
				upstream_close(upstream);
		}
	}
}
