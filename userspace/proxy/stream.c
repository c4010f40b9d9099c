// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "http/response.h"
#include "proxy/choice.h"
#include "proxy/preamble.h"
#include "proxy/shortcut.h"

#define FRESH_MS     15000 /* a connection that waited longer may be closing at its other end */
#define CAREFUL_MS   1000  /* the same, for what cannot be sent again */
#define UPLOAD_STEP  16384 /* bytes of a body that renew the patience with its client */
#define JOIN_MOST    2048
#define INTERIM_MOST (64 << 10) /* bytes of interim answers: endless ones are none */
#define ANSWER_ROOM  (20 << 10) /* read with a head; what follows may stay in the kernel */

enum {
	UP,
	DOWN
};

static const struct head_limits limits = { .size = HEAD_SIZE_DEFAULT,
					   .fields = MESSAGE_FIELDS_MAX };

/* ---- the end ---- */

static void end_sight(const struct stream *stream, enum accesslog_end end)
{
	const struct sight_result result = {
		.service = stream->service,
		.status = stream->status,
		.end = end,
		.received = stream->head_bytes[UP] + stream->up.moved,
		.sent = stream->head_bytes[DOWN] + stream->down.moved,
		.is_endpoints = true,
	};

	sight_end(stream->client, &result);
}

static void drop_upstream(struct stream *stream)
{
	if (!stream->upstream)
		return;
	upstream_close(stream->upstream);
	stream->upstream = NULL;
}

/* The endpoint has no more to do with it. */
static void end_choice(struct stream *stream)
{
	if (stream->chosen)
		choice_end(stream->engine, stream->target);
	stream->chosen = false;
}

/* The endpoint has failed the request, and nobody else. What both ends of an upgraded connection
 * do is theirs. */
static void blame(struct stream *stream)
{
	if (!stream->upgraded)
		choice_failed(stream->engine, stream->service, stream->target);
}

static void praise(struct stream *stream)
{
	if (stream->status >= 500 && stream->target->group->passive_health.server_errors)
		blame(stream);
	else
		choice_served(stream->target);
}

static void stream_free(struct stream *stream)
{
	drop_upstream(stream);
	end_choice(stream);
	tunnel_fini(&stream->up, stream->engine);
	tunnel_fini(&stream->down, stream->engine);
	bytes_fini(&stream->request);
	free(stream->key);
	setup_unref(stream->setup);
	free(stream);
}

/* Both connections go; the client sees that something is missing. */
static void break_off(struct stream *stream, enum accesslog_end end)
{
	struct client *client = stream->client;

	end_sight(stream, end);
	stream_free(stream);
	client_close(client, true);
}

/* Why there is no answer but weir's own. */
static enum accesslog_end reason(const struct stream *stream, uint16_t status)
{
	bool reached = stream->client->sight.connected != ACCESSLOG_NEVER;

	switch (status) {
	case 400:
		return ACCESSLOG_CLIENT_REFUSED;
	case 408:
		return ACCESSLOG_CLIENT_TIMEOUT;
	case 504:
		return reached ? ACCESSLOG_ENDPOINT_TIMEOUT : ACCESSLOG_CONNECT_FAILED;
	default:
		if (!reached)
			return ACCESSLOG_CONNECT_FAILED;
		return stream->heard ? ACCESSLOG_ENDPOINT_REFUSED : ACCESSLOG_ENDPOINT_CLOSED;
	}
}

/* No answer can be had, and none has begun. */
static void give_up(struct stream *stream, uint16_t status)
{
	struct client *client = stream->client;
	struct answer answer = {
		.status = status,
		.keep_alive = stream->keep_alive,
		.head = stream->method == METHOD_HEAD,
		.minor = stream->minor,
	};
	bool whole = stream->up.ended && !stream->up.piped;
	struct setup *setup = setup_ref(stream->setup); /* until what was seen is written down */

	client->sight.received = stream->head_bytes[UP] + stream->up.moved;
	sight_own(client, reason(stream, status), NULL);
	stream_free(stream);
	client_answer(client, &answer, whole);
	setup_unref(setup);
}

static enum http_tunnel way(const struct stream *stream)
{
	return stream->service->listener->http->tunnel;
}

static bool is_done(const struct tunnel *tunnel)
{
	return tunnel->ended && !tunnel->piped;
}

/* The endpoint has said everything: its connection is free for others before the client has it. */
static void release(struct stream *stream)
{
	struct upstream *upstream = stream->upstream;

	end_choice(stream);
	if (!upstream)
		return;
	if (!stream->reusable || !is_done(&stream->up) || upstream->conn.out.size ||
	    upstream->conn.in.size || stream->deaf || upstream->conn.mapped) {
		drop_upstream(stream);
		return;
	}
	stream->upstream = NULL;
	upstream->stream = NULL;
	if (!stream->plain || !shortcut_lend(upstream))
		upstream_keep(upstream);
}

static void finish(struct stream *stream)
{
	struct client *client = stream->client;
	bool next = stream->keep_alive && is_done(&stream->up) && !stream->upgraded;
	bool plain = stream->plain;

	end_sight(stream, ACCESSLOG_DONE);
	stream_free(stream);
	if (!next)
		client_linger(client);
	else if (!plain || !shortcut_leave(client))
		client_next(client);
}

/* ---- to the endpoint ---- */

static int send_request(struct stream *stream)
{
	int r = conn_send(&stream->upstream->conn, bytes_at(&stream->request), stream->request.size,
			  NULL, 0);

	if (!stream->whole)
		bytes_fini(&stream->request);
	return r;
}

/* Says on whose behalf the connection is, which then serves no other client. */
static int announce(struct stream *stream)
{
	const struct client *client = stream->client;
	uint8_t version = stream->target->endpoint->proxy_protocol;
	char text[PREAMBLE_MAX];
	const struct preamble preamble = {
		.from = client->who.addr,
		.to = client->who.local,
		.from_port = client->port,
		.to_port = client->who.local_port,
	};

	if (!version)
		return 0;
	return bytes_add(&stream->upstream->conn.out, text,
			 preamble_write(&preamble, version, text));
}

/* Of a connection that failed at once; other reasons are this host's. */
static bool is_unreachable(int error)
{
	return error == -ECONNREFUSED || error == -ECONNRESET || error == -ETIMEDOUT ||
	       error == -EHOSTUNREACH || error == -ENETUNREACH;
}

/* 0, or -errno. */
static int reach(struct stream *stream)
{
	uint64_t most = message_is_idempotent(stream->method) ? FRESH_MS : CAREFUL_MS;
	struct upstreams *to = stream->target->upstreams;
	int r = 0;

	if (!stream->stale && !stream->target->endpoint->proxy_protocol)
		stream->upstream = upstream_take(to, stream->engine, most);
	if (!stream->upstream)
		r = upstream_connect(to, stream->engine, &stream->upstream);
	if (is_unreachable(r))
		blame(stream);
	if (r < 0)
		return r;
	stream->upstream->stream = stream;
	sight_target(stream->client, stream->target, !stream->upstream->connecting);
	if (!stream->upstream->connecting)
		return send_request(stream);
	client_patience(stream->client, stream->service->listener->http->connect_timeout);
	return announce(stream);
}

/* Once where an endpoint has failed, and once where a connection that had waited has. */
static bool may_retry(const struct stream *stream, bool waited)
{
	bool sent = stream->upstream && !stream->upstream->connecting;

	if ((waited ? stream->stale : stream->retried) || stream->heard || stream->answering)
		return false;
	return !sent || (stream->whole && message_is_idempotent(stream->method));
}

static void request_patience(struct stream *stream)
{
	client_patience(stream->client, stream->service->listener->http->request_timeout * 1000ull);
}

static void upgraded_patience(struct stream *stream)
{
	client_patience(stream->client,
			stream->service->listener->http->upgrade_idle_timeout * 1000ull);
}

/* Or the same once more, if there is no other. */
static void choose_other(struct stream *stream)
{
	const struct target *other;
	bool full;

	other = choice_make(stream->engine, stream->setup, stream->service, stream->pool,
			    &stream->client->who.addr, stream->target, &full);
	if (!other)
		return;
	end_choice(stream);
	stream->target = other;
	stream->chosen = true;
}

/* The endpoint cannot be reached, or has said nothing: another is tried, or, if only a connection
 * that had waited was closed, the same anew; or the client is told. */
static void fail(struct stream *stream, uint16_t status)
{
	/* One that has waited may have been closed just now, as it may. */
	bool waited = stream->upstream && stream->upstream->used;

	if (stream->upstream && !waited)
		blame(stream);
	for (; may_retry(stream, waited); waited = false) {
		stream->stale |= waited;
		stream->retried |= !waited;
		drop_upstream(stream);
		if (!waited)
			choose_other(stream);
		if (!reach(stream)) {
			if (!stream->upstream->connecting)
				request_patience(stream);
			return;
		}
	}
	if (stream->answering) {
		break_off(stream, ACCESSLOG_ENDPOINT_CLOSED);
		return;
	}
	give_up(stream, status);
}

/* ---- beginning ---- */

/* The head as the endpoint gets it, and behind it what there is of the body. Returns how many bytes
 * are used, or minus a status. */
static ssize_t write_request(struct stream *stream, const struct rules_verdict *verdict,
			     char *bytes, size_t length, size_t size)
{
	const struct request *request = &stream->engine->request;
	size_t body = size - length;
	char host[ADDR_PORT_TEXT_MAX];
	struct forward_request forward = {
		.request = request,
		.client = &stream->client->who,
		.http = stream->service->listener->http,
		.rule = verdict->kind == RULES_FORWARD ? verdict->rule : NULL,
		.rewrite = verdict->kind == RULES_FORWARD ? &verdict->rewrite : NULL,
		.host = host,
		.keep_alive = !stream->target->endpoint->proxy_protocol,
	};
	ssize_t written, used;

	host[0] = '\0';
	if (!request->authority.size)
		addr_print_port(&stream->target->endpoint->address, stream->target->endpoint->port,
				host);
	written = forward_request(&forward, stream->engine->text, ENGINE_ROOM);
	if (written < 0)
		return -431;
	used = tunnel_take(&stream->up, bytes + length, &body);
	if (used < 0)
		return -400;
	stream->whole = stream->up.ended;
	if (bytes_reserve(&stream->request, written + body) ||
	    bytes_add(&stream->request, stream->engine->text, written) ||
	    bytes_add(&stream->request, bytes + length, body))
		return -503;
	return (ssize_t)length + used;
}

static struct stream *stream_new(struct client *client, const struct rules_verdict *verdict,
				 enum accesslog_end *why)
{
	const struct request *request = &client->engine->request;
	struct setup *setup = client->engine->setup;
	struct pool *pool = setup_pool(client->service, verdict, client->region);
	struct stream *stream = calloc(1, sizeof(*stream));
	const struct target *target = NULL;
	bool full = false;

	if (stream)
		target = choice_make(client->engine, setup, client->service, pool,
				     &client->who.addr, NULL, &full);
	if (!target) {
		*why = full ? ACCESSLOG_ENDPOINTS_FULL : ACCESSLOG_NO_ENDPOINT;
		free(stream);
		return NULL;
	}
	stream->engine = client->engine;
	stream->client = client;
	stream->setup = setup_ref(setup);
	stream->service = client->service;
	stream->pool = pool;
	stream->target = target;
	stream->chosen = true;
	stream->stale = client->unanswered;
	stream->method = request->method;
	stream->minor = request->minor;
	stream->keep_alive = request->keep_alive;
	stream->upgrade = request->upgrade.size;
	stream->expects = request->expect_continue && request->framing != FRAMING_NONE;
	tunnel_init(&stream->up, way(stream), request->framing, request->content_length);
	return stream;
}

ssize_t stream_begin(struct client *client, const struct rules_verdict *verdict, char *bytes,
		     size_t length, size_t size, enum accesslog_end *why)
{
	struct stream *stream = stream_new(client, verdict, why);
	ssize_t used;

	if (!stream)
		return -503;
	stream->head_bytes[UP] = length;
	stream->key = shortcut_plain(client, verdict, stream->pool, bytes, length);
	used = write_request(stream, verdict, bytes, length, size);
	if (used < 0) {
		*why = used == -503 ? ACCESSLOG_NO_ENDPOINT : ACCESSLOG_CLIENT_REFUSED;
		stream_free(stream);
		return used;
	}
	client->state = CLIENT_STREAM;
	client->stream = stream;
	request_patience(stream);
	if (reach(stream) < 0)
		fail(stream, 502);
	return used;
}

bool stream_resume(struct client *client, const struct rules_verdict *verdict, size_t length,
		   struct upstream *upstream)
{
	char *bytes = client->engine->room;
	enum accesslog_end why;
	struct stream *stream = stream_new(client, verdict, &why);
	const struct target *target = NULL;

	for (size_t i = 0; stream && i < stream->pool->count; i++)
		if (stream->pool->targets[i].upstreams == upstream->to)
			target = &stream->pool->targets[i];
	if (!target || write_request(stream, verdict, bytes, length, length) < 0) {
		if (stream)
			stream_free(stream);
		upstream_close(upstream);
		return false;
	}
	end_choice(stream);
	stream->target = target;
	stream->head_bytes[UP] = length;
	stream->upstream = upstream;
	upstream_resume(upstream, stream);
	client->state = CLIENT_STREAM;
	client->stream = stream;
	sight_target(client, target, true);
	request_patience(stream);
	return true;
}

/* ---- the endpoint's answer ---- */

/* All that belongs to its head has been read. */
static void used_up(struct conn *conn, const char *bytes, size_t used, size_t size)
{
	if (conn->in.size)
		bytes_drop(&conn->in, used);
	else
		conn->failed |= bytes_add(&conn->in, bytes + used, size - used) < 0;
}

static void become_tunnel(struct stream *stream)
{
	choice_served(stream->target);
	stream->upgraded = true;
	tunnel_fini(&stream->up, stream->engine);
	tunnel_init(&stream->up, way(stream), FRAMING_CLOSE, 0);
	upgraded_patience(stream); /* also where nobody says anything for now */
}

/* How the client's connection goes on after the answer. */
static bool stays(const struct stream *stream)
{
	const struct response *response = &stream->engine->response;

	return stream->keep_alive && is_done(&stream->up) && !stream->engine->draining &&
	       !stream->client->conn.ended && response->framing != FRAMING_CLOSE &&
	       !(response->framing == FRAMING_CHUNKED && !stream->minor);
}

/* The head, which is in engine->text, and what there is of the body. A little of it is copied
 * behind the head: to send two pieces costs more. */
static int send_answer(struct stream *stream, size_t head, const char *body, size_t size)
{
	struct conn *to = &stream->client->conn;
	char *text = stream->engine->text;

	if (size > JOIN_MOST || head + size > ENGINE_ROOM)
		return conn_send(to, text, head, body, size);
	memcpy(text + head, body, size);
	return conn_send(to, text, head + size, NULL, 0);
}

/* To the client: the head, and what there is of the body. 0 or -errno. */
static int begin_answer(struct stream *stream, char *bytes, size_t length, size_t size)
{
	struct engine *engine = stream->engine;
	const struct response *response = &engine->response;
	struct forward_response forward = { .response = response, .minor = stream->minor };
	size_t body = size - length;
	ssize_t written, used;

	forward.keep_alive = response->status == 101 || stays(stream);
	tunnel_init(&stream->down, way(stream),
		    response->status == 101 ? FRAMING_CLOSE : response->framing,
		    response->content_length);
	stream->down.bare = response->framing == FRAMING_CHUNKED && !stream->minor;
	written = forward_response(&forward, engine->text, ENGINE_ROOM);
	used = tunnel_take(&stream->down, bytes + length, &body);
	if (written < 0 || used < 0)
		return -EBADMSG;
	stream->answering = true;
	stream->status = response->status;
	sight_answered(stream->client);
	stream->keep_alive = forward.keep_alive;
	stream->reusable = response->keep_alive && !stream->expects;
	stream->plain = stream->key &&
			shortcut_suits(engine, bytes, length, stream->method == METHOD_HEAD) &&
			shortcut_learn(stream->client, stream->key, stream);
	stream->head_bytes[DOWN] += written;
	if (response->status == 101)
		become_tunnel(stream);
	if (send_answer(stream, written, bytes + length, body))
		return -EPIPE;
	used_up(&stream->upstream->conn, bytes, length + used, size);
	bytes_fini(&stream->request);
	return 0;
}

/* An interim answer goes on to clients that know of such. */
static int pass_interim(struct stream *stream, const char *bytes, size_t length, size_t size)
{
	struct engine *engine = stream->engine;
	const struct forward_response forward = {
		.response = &engine->response,
		.minor = stream->minor,
		.keep_alive = true,
	};
	ssize_t written = stream->minor ? forward_response(&forward, engine->text, ENGINE_ROOM) : 0;

	stream->interim += length;
	if (written < 0 || stream->interim > INTERIM_MOST)
		return -EBADMSG;
	stream->head_bytes[DOWN] += written;
	stream->expects &= engine->response.status != 100;
	if (conn_send(&stream->client->conn, engine->text, written, NULL, 0))
		return -EPIPE;
	used_up(&stream->upstream->conn, bytes, length, size);
	return 0;
}

/* Reads what the endpoint says: 1: a head is dealt with; 0: more is needed; -EBADMSG: this is no
 * answer; -ECONNRESET: there will be none; -EPIPE: the client is gone. */
static int read_answer(struct stream *stream)
{
	const struct response_to to = { .method = stream->method, .upgrade = stream->upgrade };
	struct engine *engine = stream->engine;
	struct conn *conn = &stream->upstream->conn;
	struct head head = { .scanned = stream->scanned };
	size_t size = 0;
	int length;

	if (!conn->in.size || stream->partial) {
		size = conn_receive(conn, engine->room, ANSWER_ROOM);
		if (!size)
			return conn->ended || conn->failed ? -ECONNRESET : 0;
		if (conn->in.size && bytes_add(&conn->in, engine->room, size))
			return -ENOMEM;
	}
	stream->heard = true;
	head.bytes = conn->in.size ? bytes_at(&conn->in) : engine->room;
	head.size = conn->in.size ?: size;
	length = response_parse(&head, &limits, &to, &engine->response);
	if (length < 0)
		return -EBADMSG;
	stream->partial = !length;
	stream->scanned = length ? 0 : head.scanned;
	if (!length)
		return !conn->in.size && bytes_add(&conn->in, engine->room, size) ? -ENOMEM : 1;
	if (engine->response.interim)
		return pass_interim(stream, head.bytes, length, head.size) ?: 1;
	return begin_answer(stream, (char *)head.bytes, length, head.size) ?: 1;
}

/* ---- moving on ---- */

/* Has the connection come about? */
static bool is_connected(struct stream *stream)
{
	struct upstream *upstream = stream->upstream;
	int error = 0;
	socklen_t size = sizeof(error);

	if (!upstream->connecting)
		return true;
	if (!upstream->conn.writable && !upstream->conn.readable)
		return false;
	getsockopt(upstream->conn.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error || upstream->conn.failed) {
		fail(stream, 502);
		return false;
	}
	upstream->connecting = false;
	sight_connected(stream->client);
	request_patience(stream);
	if (send_request(stream)) {
		fail(stream, 502);
		return false;
	}
	return true;
}

/* The request's body. False: the stream is gone. */
static bool run_up(struct stream *stream, bool *more)
{
	int r;

	if (!stream->upstream || stream->deaf || !stream->upstream->conn.writable)
		return true;
	r = tunnel_run(&stream->up, stream->engine, &stream->client->conn, &stream->upstream->conn);
	*more |= r > 0;
	if (r == -EPIPE) { /* it may have answered all the same */
		stream->deaf = true;
		stream->upstream->conn.failed = false;
		stream->upstream->conn.readable = true;
		return true;
	}
	if (r < 0 && stream->answering) {
		break_off(stream,
			  r == -EBADMSG ? ACCESSLOG_CLIENT_REFUSED : ACCESSLOG_CLIENT_CLOSED);
		return false;
	}
	if (r == -EBADMSG) {
		stream->keep_alive = false;
		stream->up.ended = false;
		give_up(stream, 400);
		return false;
	}
	if (r < 0) { /* the client has gone, in the middle of its request */
		break_off(stream, ACCESSLOG_CLIENT_CLOSED);
		return false;
	}
	if (stream->upgraded && is_done(&stream->up) && !stream->finished[UP]) {
		stream->finished[UP] = true;
		conn_finish(&stream->upstream->conn);
	}
	return true;
}

/* What it says is no answer (-EBADMSG), or cannot be kept. */
static void refuse(struct stream *stream, int error)
{
	if (error == -EBADMSG)
		blame(stream);
	give_up(stream, 502);
}

/* The answer. False: the stream is gone. */
static bool run_down(struct stream *stream, bool *more)
{
	bool upgrading = !stream->upgraded;
	int r = 1;

	while (r > 0 && !stream->answering)
		r = read_answer(stream);
	if (!stream->answering) {
		if (r == -ECONNRESET)
			fail(stream, 502);
		else if (r == -EPIPE)
			break_off(stream, ACCESSLOG_CLIENT_CLOSED);
		else if (r < 0)
			refuse(stream, r);
		return !r;
	}
	if (r >= 0 && stream->upstream)
		r = tunnel_run(&stream->down, stream->engine, &stream->upstream->conn,
			       &stream->client->conn);
	*more |= r > 0 || (upgrading && stream->upgraded);
	if (r < 0) {
		if (r != -EPIPE)
			blame(stream);
		break_off(stream, r == -EPIPE	  ? ACCESSLOG_CLIENT_CLOSED
				  : r == -EBADMSG ? ACCESSLOG_ENDPOINT_REFUSED
						  : ACCESSLOG_ENDPOINT_CLOSED);
		return false;
	}
	if (stream->upgraded && is_done(&stream->down) && !stream->finished[DOWN] &&
	    conn_flush(&stream->client->conn)) {
		stream->finished[DOWN] = true;
		conn_finish(&stream->client->conn);
	}
	return true;
}

/* Whoever sends or takes something is given more time; of a body's client that is not a trickle. */
static void renew(struct stream *stream)
{
	uint64_t up = stream->up.moved - stream->seen[UP];
	uint64_t down = stream->down.moved - stream->seen[DOWN];

	if (stream->upgraded ? !up && !down : up < UPLOAD_STEP && !down)
		return;
	stream->seen[UP] = stream->up.moved;
	stream->seen[DOWN] = stream->down.moved;
	if (stream->upgraded)
		upgraded_patience(stream);
	else
		request_patience(stream);
}

static bool is_over(const struct stream *stream)
{
	if (!stream->answering || !is_done(&stream->down))
		return false;
	return !stream->upgraded || (is_done(&stream->up) && !stream->client->conn.out.size);
}

void stream_run(struct stream *stream)
{
	bool more = false;

	if (stream->client->conn.failed) {
		break_off(stream, ACCESSLOG_CLIENT_CLOSED);
		return;
	}
	if (stream->upstream && !is_connected(stream))
		return;
	if (!run_up(stream, &more) || !run_down(stream, &more))
		return;
	if (is_over(stream)) {
		praise(stream);
		release(stream);
		finish(stream);
		return;
	}
	renew(stream);
	if (more)
		engine_again(stream->engine, stream->client);
}

/* For more of the request's body, that is; not for the endpoint to take what is there. */
static bool waits_for_client(const struct stream *stream)
{
	return !is_done(&stream->up) && !stream->up.piped && !stream->upstream->conn.out.size &&
	       stream->upstream->conn.writable;
}

void stream_expire(struct stream *stream)
{
	/* It takes nothing, or an endpoint that answers already waits for the rest of the body. */
	bool clients = stream->client->conn.out.size || stream->down.piped ||
		       (!stream->upgraded && waits_for_client(stream));

	if (stream->upgraded || stream->answering) {
		if (!clients)
			blame(stream);
		break_off(stream, clients ? ACCESSLOG_CLIENT_TIMEOUT : ACCESSLOG_ENDPOINT_TIMEOUT);
	} else if (stream->upstream && stream->upstream->connecting) {
		fail(stream, 504);
	} else if (waits_for_client(stream)) {
		give_up(stream, 408);
	} else {
		blame(stream);
		give_up(stream, 504);
	}
}
