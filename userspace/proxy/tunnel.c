// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PIPE_FROM (32 << 10)  /* bytes that follow: for fewer a copy costs less (auto) */
#define PIPE_MOST (256 << 10) /* at once */
#define ROUNDS	  16	      /* before others have their turn */

void tunnel_init(struct tunnel *tunnel, enum http_tunnel way, enum framing framing, uint64_t length)
{
	*tunnel = (struct tunnel){ .way = way };
	body_init(&tunnel->body, framing, length);
	tunnel->ended = body_ended(&tunnel->body);
}

void tunnel_fini(struct tunnel *tunnel, struct engine *engine)
{
	if (tunnel->pipe)
		engine_pipe_give(engine, tunnel->pipe, tunnel->piped);
	tunnel->pipe = NULL;
	tunnel->piped = 0;
}

ssize_t tunnel_take(struct tunnel *tunnel, char *bytes, size_t *size)
{
	size_t taken = 0, bare = 0;

	while (taken < *size) {
		struct slice payload = {};
		ssize_t some = body_feed(&tunnel->body, bytes + taken, *size - taken, &payload);

		if (some < 0)
			return some;
		if (!some)
			break;
		if (tunnel->bare && payload.size)
			memmove(bytes + bare, payload.at, payload.size);
		bare += payload.size;
		taken += some;
	}
	*size = tunnel->bare ? bare : taken;
	tunnel->moved += taken;
	tunnel->ended = body_ended(&tunnel->body);
	return taken;
}

/* The other end says no more. */
static int end_of(struct tunnel *tunnel, const struct conn *from)
{
	if (from->failed || from->in.size || !body_may_close(&tunnel->body))
		return -ECONNRESET;
	tunnel->ended = true;
	return 0;
}

/* What is behind this is kept: of the next message, or of a line that is not whole. */
static int copy(struct tunnel *tunnel, struct conn *from, struct conn *to, char *bytes,
		size_t count)
{
	size_t size = count;
	ssize_t taken = tunnel_take(tunnel, bytes, &size);
	/* With `bare` the rest is where it was: only what was taken has moved. */
	int r = taken < 0 ? (int)taken : conn_send(to, bytes, size, NULL, 0);

	if (r < 0)
		return r;
	if (from->in.size)
		bytes_drop(&from->in, taken);
	else
		r = bytes_add(&from->in, bytes + taken, count - taken);
	tunnel->waits = from->in.size && !tunnel->ended;
	return r ?: 1;
}

/* 1: something has moved. */
static int copy_some(struct tunnel *tunnel, struct engine *engine, struct conn *from,
		     struct conn *to)
{
	size_t count;

	if (from->in.size && !tunnel->waits) /* read with the head */
		return copy(tunnel, from, to, (char *)bytes_at(&from->in), from->in.size);
	count = conn_receive(from, engine->room, ENGINE_ROOM);
	if (!count)
		return from->ended || from->failed ? end_of(tunnel, from) : 0;
	if (from->in.size) { /* the line goes on */
		if (bytes_add(&from->in, engine->room, count))
			return -ENOMEM;
		return copy(tunnel, from, to, (char *)bytes_at(&from->in), from->in.size);
	}
	return copy(tunnel, from, to, engine->room, count);
}

/* Is so much of it to come that a pipe is worth while? */
static bool wants_pipe(const struct tunnel *tunnel)
{
	uint64_t least = tunnel->way == HTTP_TUNNEL_SPLICE ? 1 : PIPE_FROM;

	return tunnel->way != HTTP_TUNNEL_COPY && body_run(&tunnel->body) >= least;
}

/* Out of the pipe, what `to` takes. */
static int drain(struct tunnel *tunnel, struct conn *to)
{
	while (tunnel->piped && to->writable) {
		ssize_t size = splice(tunnel->pipe->ends[0], NULL, to->fd, NULL, tunnel->piped,
				      SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == EAGAIN) {
			to->writable = false;
			break;
		}
		if (size <= 0) {
			to->failed = true;
			return -EPIPE;
		}
		tunnel->piped -= size;
	}
	return 0;
}

static int fill(struct tunnel *tunnel, struct conn *from)
{
	uint64_t run = body_run(&tunnel->body);
	size_t most = run < PIPE_MOST ? run : PIPE_MOST;
	ssize_t size;

	if (!from->readable || from->ended || !most)
		return 0;
	size = splice(from->fd, NULL, tunnel->pipe->ends[1], NULL, most,
		      SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (size < 0 && errno == EINTR)
		return 1;
	if (size < 0) {
		from->readable = false;
		from->failed |= errno != EAGAIN;
		return from->failed ? end_of(tunnel, from) : 0;
	}
	if (!size) {
		from->readable = false;
		from->ended = true;
		return end_of(tunnel, from);
	}
	from->received += size;
	tunnel->piped += size;
	tunnel->moved += size;
	body_skip(&tunnel->body, size);
	tunnel->ended = body_ended(&tunnel->body);
	return 1;
}

/* 1: something has moved. */
static int pipe_some(struct tunnel *tunnel, struct engine *engine, struct conn *from,
		     struct conn *to)
{
	int r = drain(tunnel, to);

	if (r < 0 || tunnel->piped)
		return r;
	r = tunnel->ended ? 0 : fill(tunnel, from);
	if (r > 0 && tunnel->piped)
		r = drain(tunnel, to) ?: 1;
	if (!tunnel->piped && !body_run(&tunnel->body)) {
		engine_pipe_give(engine, tunnel->pipe, false);
		tunnel->pipe = NULL;
		return r ?: 1; /* the rest is copied */
	}
	return r;
}

int tunnel_run(struct tunnel *tunnel, struct engine *engine, struct conn *from, struct conn *to)
{
	for (int round = 0;; round++) {
		int r;

		if (to->failed)
			return -EPIPE;
		if (!conn_flush(to))
			return to->failed ? -EPIPE : 0;
		if (tunnel->ended && !tunnel->piped)
			return 0;
		if (!tunnel->pipe && !from->in.size && !from->mapped && wants_pipe(tunnel))
			tunnel->pipe = engine_pipe_take(engine);
		r = tunnel->pipe ? pipe_some(tunnel, engine, from, to)
				 : copy_some(tunnel, engine, from, to);
		if (r <= 0)
			return r;
		if (round >= ROUNDS)
			return 1;
	}
}
