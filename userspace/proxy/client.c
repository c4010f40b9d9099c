// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/request.h"
#include "http/rules.h"
#include "proxy/preamble.h"
#include "proxy/shortcut.h"
#include "proxy/stream.h"
#include "util/log.h"

#define PARKED_MS 2000	/* until a snapshot must name the listener */
#define HEAD_MS	  10000 /* for a head, where the listener is gone */
#define LINGER_MS 2000
#define ACCEPTS	  64	/* at once, before others have their turn */
#define REQUESTS  16	/* the same, of one client */
#define DISCARDS  16	/* the same: reads of what nobody wants any more */
#define SAY_MS	  60000 /* from one complaint to the next */

/* Where connections come from. */
struct entrance {
	struct conn conn;
	struct engine *engine;
	bool closed;   /* there is no room for more */
	uint64_t said; /* ms: when that was logged last; 0: never */
};

void client_patience(struct client *client, uint64_t ms)
{
	wheel_set(&client->engine->wheel, &client->timer, ms ? client->engine->now + ms : 0);
}

/* To the end of a head: from its first byte on, or, with the first one, since the connection is
 * there, so that nobody holds it for longer by saying nothing at first. */
static void head_patience(struct client *client)
{
	client_patience(client, client_service(client)
					? client->service->listener->http->header_timeout * 1000ull
					: HEAD_MS);
}

/* Until the client takes more of an answer. */
static void answer_patience(struct client *client)
{
	client_patience(client, client_service(client)
					? client->service->listener->http->request_timeout * 1000ull
					: LINGER_MS);
}

/* Between requests. */
static void idle_patience(struct client *client)
{
	client_patience(client, client_service(client)
					? client->service->listener->idle_timeout * 1000ull
					: HEAD_MS);
}

static struct head_limits head_limits(struct client *client)
{
	const struct service *service = client_service(client);

	return (struct head_limits){
		.size = service ? service->listener->http->head_limit : HTTP_HEAD_LIMIT,
		.fields = MESSAGE_FIELDS_MAX,
	};
}

void client_close(struct client *client, bool reset)
{
	if (client->state == CLIENT_CLOSED)
		return;
	client->state = CLIENT_CLOSED;
	conn_close(&client->conn, reset);
	if (client->place)
		shortcut_forget(client);
	wheel_remove(&client->engine->wheel, &client->timer);
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	client->engine->client_count--;
	sight_close(client);
	clients_admit(client->engine);
	engine_bury(client->engine, &client->conn);
}

const struct service *client_service(struct client *client)
{
	const struct setup *setup = client->engine->setup;

	if (!setup || client->known == setup->number)
		return client->service;
	client->known = setup->number;
	client->service = setup_find(setup, &client->who.local, client->who.local_port);
	if (!client->service)
		return NULL;
	client->who.trusted = rules_trusts(client->service->listener->http, &client->who.addr);
	client->region = setup_region(setup, client->service, &client->who.addr);
	return client->service;
}

/* What the client has not taken yet of the last answer. False: it has to wait, or is closed. */
static bool flush_answer(struct client *client)
{
	struct conn *conn = &client->conn;
	size_t before = conn->out.size;

	if (conn_flush(conn))
		return true;
	if (conn->failed)
		client_close(client, false);
	else if (conn->out.size < before)
		answer_patience(client);
	return false;
}

/* ---- the end ---- */

static void run_linger(struct client *client)
{
	struct conn *conn = &client->conn;
	int reads = 0;

	if (!flush_answer(client))
		return;
	if (!client->finished) {
		client->finished = true;
		conn_finish(conn);
		client_patience(client, LINGER_MS);
	}
	while (reads < DISCARDS && conn_receive(conn, client->engine->room, ENGINE_ROOM))
		reads++;
	if (conn->ended || conn->failed)
		client_close(client, false);
	else if (reads == DISCARDS)
		engine_again(client->engine, client);
}

/*
 * Closed at once, with bytes that nobody has read, the connection would be reset, and the answer
 * perhaps lost on the way.
 */
void client_linger(struct client *client)
{
	client->state = CLIENT_LINGER;
	client->stream = NULL;
	bytes_fini(&client->conn.in);
	answer_patience(client);
	run_linger(client);
}

/* ---- answers of our own ---- */

void client_answer(struct client *client, struct answer *answer, bool whole)
{
	struct engine *engine = client->engine;
	struct sight_result result = { .service = client_service(client),
				       .status = answer->status,
				       .end = client->sight.end,
				       .received = client->sight.received };
	ssize_t size;

	answer->keep_alive = answer->keep_alive && whole && !engine->draining;
	answer->date = time(NULL);
	size = answer_write(answer, engine->text, ENGINE_ROOM);
	if (size < 0 || conn_send(&client->conn, engine->text, size, NULL, 0)) {
		result.status = 0;
		result.end = ACCESSLOG_CLIENT_CLOSED;
		size = 0;
	}
	result.sent = size;
	if (result.service)
		sight_end(client, &result);
	if (!size)
		client_close(client, true);
	else if (answer->keep_alive)
		client_next(client);
	else
		client_linger(client);
}

static void refuse(struct client *client, int status, const char *why)
{
	struct answer answer = { .status = status, .minor = 1 };

	sight_own(client, status == 408 ? ACCESSLOG_CLIENT_TIMEOUT : ACCESSLOG_CLIENT_REFUSED, why);
	client_answer(client, &answer, false);
}

/* ---- requests ---- */

void client_next(struct client *client)
{
	client->state = CLIENT_HEAD;
	client->stream = NULL;
	client->partial = false;
	client->idle = true;
	client->scanned = 0;
	if (client->conn.out.size)
		answer_patience(client);
	else
		idle_patience(client);
}

/* What its rule says, where that is no endpoint. */
static void answer_rule(struct client *client, const struct rules_verdict *verdict)
{
	const struct request *request = &client->engine->request;
	const struct http_rule *rule = verdict->rule;
	struct answer answer = {
		.keep_alive = request->keep_alive,
		.head = request->method == METHOD_HEAD,
		.minor = request->minor,
		.status = verdict->kind == RULES_NOT_FOUND ? 404 : rule->code,
	};

	if (verdict->kind == RULES_REDIRECT)
		answer.url = verdict->url;
	if (verdict->kind == RULES_FIXED_RESPONSE && rule->body)
		answer.body = SLICE(rule->body);
	if (verdict->kind == RULES_FIXED_RESPONSE && rule->content_type)
		answer.content_type = SLICE(rule->content_type);
	sight_own(client, ACCESSLOG_RULE, NULL);
	client_answer(client, &answer, request->framing == FRAMING_NONE);
}

/* Closes without an answer. */
static void drop(struct client *client)
{
	const struct sight_result result = { .service = client->service,
					     .end = ACCESSLOG_RULE,
					     .received = client->sight.received };

	sight_end(client, &result);
	client_close(client, true);
}

/* No endpoint has been asked. */
static void answer_instead(struct client *client, int status, enum accesslog_end why)
{
	const struct request *request = &client->engine->request;
	struct answer answer = {
		.status = status,
		.keep_alive = status >= 500 && request->keep_alive,
		.head = request->method == METHOD_HEAD,
		.minor = request->minor,
	};

	sight_own(client, why, NULL);
	client_answer(client, &answer, request->framing == FRAMING_NONE);
}

/* Of the bytes `used` are dealt with: what is behind them is kept. */
static void keep_rest(struct client *client, const char *bytes, size_t used, size_t size)
{
	if (client->state != CLIENT_HEAD && client->state != CLIENT_STREAM)
		return;
	if (client->conn.in.size)
		bytes_drop(&client->conn.in, used);
	else if (bytes_add(&client->conn.in, bytes + used, size - used))
		client_close(client, true);
}

/* To an endpoint: how many of the bytes are used. */
static size_t ask(struct client *client, const struct rules_verdict *verdict, char *bytes,
		  size_t length, size_t size)
{
	enum accesslog_end why;
	ssize_t used = stream_begin(client, verdict, bytes, length, size, &why);

	if (used >= 0)
		return used;
	answer_instead(client, -used, why);
	return length;
}

/* A whole head; the bytes are in conn.in, or else in engine->room. */
static void serve(struct client *client, char *bytes, size_t length, size_t size)
{
	struct engine *engine = client->engine;
	struct rules_verdict verdict = {};
	size_t used = length;
	int r;

	if (!client_service(client)) { /* its listener is gone */
		client_close(client, false);
		return;
	}
	sight_head(client, length);
	r = rules_match(client->service->rules, &engine->request, &client->who, &verdict);
	if (r < 0) {
		refuse(client, -r, verdict.why);
		return;
	}
	sight_rule(client, &verdict);
	switch (verdict.kind) {
	case RULES_DROP:
		drop(client);
		return;
	case RULES_DEFAULT:
	case RULES_FORWARD:
		used = ask(client, &verdict, bytes, length, size);
		break;
	default:
		answer_rule(client, &verdict);
	}
	client->unanswered = false;
	keep_rest(client, bytes, used, size);
}

/* What the kernel has routed, as if it had been read here just now; what a rule says of it now is
 * in *ret. */
static bool read_routed(struct client *client, const char *bytes, size_t size, uint64_t began,
			struct rules_verdict *ret)
{
	struct engine *engine = client->engine;
	struct head head = { .bytes = engine->room, .size = size };
	struct head_limits limits = head_limits(client);

	memcpy(engine->room, bytes, size);
	if (!client_service(client) ||
	    request_parse(&head, &limits, &engine->request) != (int)size ||
	    rules_match(client->service->rules, &engine->request, &client->who, ret) < 0 ||
	    (ret->kind != RULES_DEFAULT && ret->kind != RULES_FORWARD))
		return false;
	client_next(client);
	sight_begin(client);
	client->sight.began = began;
	sight_head(client, size);
	sight_rule(client, ret);
	return true;
}

bool client_resume(struct client *client, struct upstream *upstream, const char *bytes, size_t size,
		   uint64_t began)
{
	struct rules_verdict verdict = {};

	if (!read_routed(client, bytes, size, began, &verdict))
		return false;
	if (stream_resume(client, &verdict, size, upstream)) {
		client_run(client);
		return true;
	}
	client->unanswered = true; /* by an endpoint that may not have it any more */
	ask(client, &verdict, client->engine->room, size, size);
	client->unanswered = false;
	return true;
}

void client_time_out(struct client *client, const char *bytes, size_t size, uint64_t began)
{
	struct rules_verdict verdict = {};

	if (read_routed(client, bytes, size, began, &verdict))
		answer_instead(client, 504, ACCESSLOG_ENDPOINT_TIMEOUT);
	else
		client_close(client, true);
}

/* Whoever does not read answers is not asked for requests. */
static bool may_ask(struct client *client)
{
	bool owed = client->conn.out.size;

	if (!flush_answer(client))
		return false;
	if (owed)
		idle_patience(client);
	return true;
}

/* Reads and parses; false when there is nothing to do but to wait. */
static bool read_head(struct client *client)
{
	struct engine *engine = client->engine;
	struct conn *conn = &client->conn;
	struct head head = { .scanned = client->scanned };
	struct head_limits limits = head_limits(client);
	size_t size = 0;
	int length;

	if (!conn->in.size || client->partial) {
		size = conn_receive(conn, engine->room, ENGINE_ROOM);
		if (!size) {
			if (conn->ended || conn->failed)
				client_close(client, false);
			return false;
		}
		if (conn->in.size && bytes_add(&conn->in, engine->room, size)) {
			client_close(client, true);
			return false;
		}
	}
	head.bytes = conn->in.size ? bytes_at(&conn->in) : engine->room;
	head.size = conn->in.size ?: size;
	sight_begin(client);
	length = request_parse(&head, &limits, &engine->request);
	if (length > 0) {
		client->scanned = 0;
		client->partial = false;
		serve(client, (char *)head.bytes, length, head.size);
		/* More of a body may be there, of which no event will tell. */
		return client->state == CLIENT_HEAD ||
		       (client->state == CLIENT_STREAM && !client->stream->up.ended);
	}
	if (length < 0) {
		refuse(client, -length, head.why);
		return false;
	}
	if (!conn->in.size && bytes_add(&conn->in, engine->room, size)) {
		client_close(client, true);
		return false;
	}
	if (client->idle)
		head_patience(client);
	client->idle = false;
	client->partial = true;
	client->scanned = head.scanned;
	return true;
}

/* ---- before the first request ---- */

static void begin(struct client *client)
{
	const struct http *http;

	if (!client_service(client)) {
		client->state = CLIENT_PARKED;
		client_patience(client, PARKED_MS);
		return;
	}
	sight_open(client);
	http = client->service->listener->http;
	client->state = CLIENT_HEAD;
	head_patience(client);
	if (!http->proxy_sources.count)
		return;
	for (size_t i = 0; i < http->proxy_sources.count; i++)
		if (addr_prefix_has(&http->proxy_sources.items[i], &client->who.addr))
			client->state = CLIENT_PREAMBLE;
	if (client->state != CLIENT_PREAMBLE)
		client_close(client, true);
}

/* The PROXY protocol's header; false: it is not whole yet, or the connection is closed. */
static bool read_preamble(struct client *client)
{
	struct conn *conn = &client->conn;
	struct preamble preamble;
	size_t size = conn_receive(conn, client->engine->room, ENGINE_ROOM);
	ssize_t used;

	if (!size || bytes_add(&conn->in, client->engine->room, size)) {
		if (size || conn->ended || conn->failed)
			client_close(client, false);
		return false;
	}
	used = preamble_read(bytes_at(&conn->in), conn->in.size, &preamble);
	if (used < 0)
		client_close(client, true);
	if (used <= 0)
		return false;
	if (preamble.known) {
		client->who.addr = preamble.from;
		client->port = preamble.from_port;
		client->known = 0; /* whether that one is trusted is another question */
	}
	bytes_drop(&conn->in, used);
	client->state = CLIENT_HEAD;
	return true;
}

void client_run(struct client *client)
{
	int requests = 0;

	if (client->again)
		return;
	for (;;) {
		switch (client->state) {
		case CLIENT_PREAMBLE:
			if (!read_preamble(client))
				return;
			break;
		case CLIENT_HEAD:
			if (requests++ == REQUESTS) {
				engine_again(client->engine, client);
				return;
			}
			if (!may_ask(client) || !read_head(client))
				return;
			break;
		case CLIENT_STREAM:
			stream_run(client->stream);
			if (client->state != CLIENT_HEAD)
				return;
			break;
		case CLIENT_AWAY:
			if (!shortcut_return(client))
				return;
			client_next(client);
			break;
		case CLIENT_LINGER:
			run_linger(client);
			return;
		default:
			return;
		}
	}
}

void client_expire(struct wheel_timer *timer)
{
	struct client *client = (struct client *)((char *)timer - offsetof(struct client, timer));

	if (client->state == CLIENT_STREAM)
		stream_expire(client->stream);
	else if (client->state == CLIENT_AWAY)
		shortcut_expire(client);
	else if (client->state == CLIENT_HEAD && client->partial)
		refuse(client, 408, "its head was not whole in time");
	else
		client_close(client, client->conn.out.size);
}

void clients_follow(struct engine *engine)
{
	struct client *client, *next;

	for (client = engine->clients; client; client = next) {
		next = client->next;
		if (client->state != CLIENT_PARKED)
			continue;
		begin(client);
		client_run(client);
	}
}

/* ---- accepting ---- */

static void on_client(struct source *source, uint32_t events)
{
	struct client *client = (struct client *)source;

	if (client->conn.fd < 0)
		return;
	conn_note(&client->conn, events);
	client_run(client);
}

union any_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static uint16_t read_address(const union any_address *from, struct addr *ret)
{
	if (from->any.sa_family == AF_INET) {
		addr_from_raw(&from->four.sin_addr, 4, ret);
		return ntohs(from->four.sin_port);
	}
	addr_from_raw(&from->six.sin6_addr, 16, ret);
	return ntohs(from->six.sin6_port);
}

static void welcome(struct engine *engine, int fd, const union any_address *peer)
{
	struct client *client = calloc(1, sizeof(*client));
	union any_address local;
	socklen_t size = sizeof(local);

	if (!client || getsockname(fd, &local.any, &size) ||
	    conn_open(&client->conn, engine->epoll, fd) < 0) {
		close(fd);
		free(client);
		return;
	}
	client->conn.source.function = on_client;
	client->engine = engine;
	client->port = read_address(peer, &client->who.addr);
	client->who.local_port = read_address(&local, &client->who.local);
	client->next = engine->clients;
	client->link = &engine->clients;
	if (engine->clients)
		engine->clients->link = &client->next;
	engine->clients = client;
	engine->client_count++;
	begin(client);
}

static int entrance_watch(struct entrance *entrance, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = &entrance->conn.source };

	entrance->closed = !events;
	return epoll_ctl(entrance->engine->epoll, EPOLL_CTL_MOD, entrance->conn.fd, &event) ? -errno
											    : 0;
}

void clients_admit(struct engine *engine)
{
	if (engine->entrance && engine->entrance->closed)
		entrance_watch(engine->entrance, EPOLLIN);
}

/* Until one of those that are there goes: they keep what is left for their endpoints. */
static void shut(struct entrance *entrance)
{
	struct engine *engine = entrance->engine;

	entrance_watch(entrance, 0);
	if (entrance->said && engine->now - entrance->said < SAY_MS)
		return;
	entrance->said = engine->now;
	log_warning("http: %u connections are open, and there are descriptors for no more: others "
		    "wait (raise the limit: LimitNOFILE, ulimit -n)",
		    engine->client_count);
}

static void on_entrance(struct source *source, uint32_t events)
{
	struct entrance *entrance = (struct entrance *)source;

	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		union any_address peer;
		socklen_t size = sizeof(peer);
		int fd;

		if (entrance->engine->client_count >= entrance->engine->client_room) {
			shut(entrance);
			return;
		}
		fd = accept4(entrance->conn.fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
				shut(entrance);
			return;
		}
		welcome(entrance->engine, fd, &peer);
	}
}

int client_listen(struct engine *engine, int listening)
{
	struct entrance *entrance = calloc(1, sizeof(*entrance));
	struct epoll_event event = { .events = EPOLLIN };

	if (!entrance)
		return -ENOMEM;
	entrance->conn.source.function = on_entrance;
	entrance->conn.fd = listening;
	entrance->engine = engine;
	event.data.ptr = &entrance->conn.source;
	if (epoll_ctl(engine->epoll, EPOLL_CTL_ADD, listening, &event)) {
		free(entrance);
		return -errno;
	}
	engine->entrance = entrance;
	return 0;
}
