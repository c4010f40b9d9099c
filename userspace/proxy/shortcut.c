// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/shortcut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "proxy/client.h"
#include "proxy/shortcut_internal.h"
#include "proxy/stream.h"

#define COUNT_MS 200   /* from one look at what the kernel has counted to the next */
#define LOOK_MS	 1000  /* the same, at connections that nobody needs */
#define WAIT_MS	 15000 /* of those, as in upstream.c */
#define HELD_MS	 1000  /* a program that has looked at a place is over by then */
/* A program takes what comes as it comes, so that the kernel believes us to be fast and grows its
 * memory for it, also while we read nothing. It is twice this. */
#define WINDOW_MAX (320 << 10)
#define IDLE_MOST  8  /* connections to an endpoint that wait, and the next one is not lent */
#define SPINS	   64 /* looks at what is on its way, before there is a pause */
#define PAUSE_MS   64

static struct weir_routing_client *cell_of(const struct client *client)
{
	return &client->engine->shortcut->memory->clients[client->place - 1];
}

static bool is_workers(const struct weir_routing_client *cell)
{
	return __atomic_load_n(&cell->owner, __ATOMIC_SEQ_CST) & WEIR_ROUTING_WORKERS;
}

static void take(struct weir_routing_client *cell)
{
	__atomic_fetch_or(&cell->owner, WEIR_ROUTING_WORKERS, __ATOMIC_SEQ_CST);
}

/* To what comes on it, and may have come by now. */
static void listen_to(struct client *client)
{
	if (!client->quiet)
		return;
	client->quiet = false;
	conn_watch(&client->conn, client->engine->epoll, false);
	client->conn.readable = client->conn.writable = true;
}

/* ---- connections to endpoints ---- */

static uint64_t *idle_word(struct shortcut *shortcut, uint32_t place)
{
	uint32_t word = place % WEIR_ROUTING_WAYS / 64;

	return (uint64_t *)&shortcut->memory->pools[place / WEIR_ROUTING_WAYS].idle[word];
}

/* From now on the kernel may use it. */
static void offer(struct shortcut *shortcut, uint32_t place)
{
	__atomic_fetch_or(idle_word(shortcut, place), 1ull << place % 64, __ATOMIC_SEQ_CST);
}

/* True: it waited, and nobody gets it any more. */
static bool withdraw(struct shortcut *shortcut, uint32_t place)
{
	uint64_t bit = 1ull << place % 64;

	return __atomic_fetch_and(idle_word(shortcut, place), ~bit, __ATOMIC_SEQ_CST) & bit;
}

static struct shortcut_way *way_of(struct shortcut *shortcut, uint32_t place)
{
	return &shortcut->pools[place / WEIR_ROUTING_WAYS].ways[place % WEIR_ROUTING_WAYS];
}

/* More than wait already are better kept for what the worker serves. */
static bool is_full(const struct shortcut *shortcut, uint32_t pool)
{
	int idle = 0;

	for (uint32_t i = 0; i < WEIR_ROUTING_WORDS; i++)
		idle += __builtin_popcountll(shortcut->memory->pools[pool].idle[i]);
	return idle >= IDLE_MOST;
}

/* A way to the address that nobody has, or -ENOSPC. */
static int find_way(struct shortcut *shortcut, const struct upstreams_key *key)
{
	int pool = shortcut_pool_of(shortcut, key);

	if (pool < 0 || is_full(shortcut, pool))
		return -ENOSPC;
	for (uint32_t way = 0; way < WEIR_ROUTING_WAYS; way++) {
		const struct shortcut_way *found = &shortcut->pools[pool].ways[way];

		if (!found->upstream && !found->held)
			return pool * WEIR_ROUTING_WAYS + way;
	}
	return -ENOSPC;
}

bool shortcut_lend(struct upstream *upstream)
{
	struct shortcut *shortcut = upstream->engine->shortcut;
	struct conn *conn = &upstream->conn;
	uint64_t received, sent;
	int place = find_way(shortcut, &upstream->to->key);

	if (place < 0 || conn->finishing || upstream->to->references == 1 ||
	    conn_watch(conn, upstream->engine->epoll, true))
		return false;
	shortcut->memory->upstreams[place] = (struct weir_routing_upstream){
		.used = upstream->engine->now_us * 1000,
		.seen = conn->received,
	};
	if (routing_enter(shortcut->routing, place | WEIR_ROUTING_IS_UPSTREAM, conn->fd,
			  &upstream->cookie)) {
		conn_watch(conn, upstream->engine->epoll, false);
		return false;
	}
	conn->mapped = true;
	upstream->place = place + 1;
	way_of(shortcut, place)->upstream = upstream;
	upstream_lend(upstream);
	/* What nobody has asked for would be taken for an answer. */
	if (!conn_totals(conn, &received, &sent) || received != conn->received)
		upstream_close(upstream);
	else
		offer(shortcut, place);
	return true;
}

/* As if its request came just now, but for the connection that had waited for it in vain. */
static void ask_again(struct client *client)
{
	const struct weir_routing_client *cell = cell_of(client);

	client->unanswered = true;
	if (bytes_add(&client->conn.in, cell->head, cell->head_size))
		client_close(client, true);
	else
		engine_again(client->engine, client);
}

/* Whose request a connection has that was lent, or NULL. */
static struct client *client_on(const struct shortcut *shortcut, uint32_t place)
{
	uint32_t who =
		__atomic_load_n(&shortcut->memory->upstreams[place].client, __ATOMIC_SEQ_CST);
	struct client *client =
		who ? shortcut->clients[(who - 1) & (WEIR_ROUTING_CLIENTS - 1)] : NULL;

	return client && client->state == CLIENT_AWAY ? client : NULL;
}

/* The request that it was on goes to another, unless its answer has begun. */
static void fail_flight(struct shortcut *shortcut, uint32_t place)
{
	struct client *client = client_on(shortcut, place);
	struct weir_routing_client *from;
	uint32_t flight = place + 1;

	if (!client)
		return;
	from = cell_of(client);
	take(from);
	if (!__atomic_compare_exchange_n(&from->flight, &flight, 0, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		/* Answered just now, or about to be sent by a program that has seen it, too. */
		if (!client->again)
			engine_again(client->engine, client);
		return;
	}
	listen_to(client);
	if (shortcut->memory->upstreams[place].begun)
		client_close(client, true);
	else if (client->late)
		client_time_out(client, from->head, from->head_size, from->asked / 1000);
	else
		ask_again(client);
}

void shortcut_reclaim(struct upstream *upstream)
{
	struct shortcut *shortcut = upstream->engine->shortcut;
	uint32_t place = upstream->place - 1;
	struct shortcut_way *way = way_of(shortcut, place);
	bool waited = withdraw(shortcut, place);

	upstream->place = 0;
	routing_forget(shortcut->routing, upstream->cookie);
	way->upstream = NULL;
	way->held = upstream->engine->now;
	if (!waited)
		fail_flight(shortcut, place);
}

/* The answer is not for the kernel: the exchange goes on here, where the request is as good as
 * sent. */
static void resume(struct upstream *upstream)
{
	struct shortcut *shortcut = upstream->engine->shortcut;
	struct weir_routing_upstream *cell = &shortcut->memory->upstreams[upstream->place - 1];
	struct client *client = client_on(shortcut, upstream->place - 1);
	struct weir_routing_client *from;
	uint32_t flight = upstream->place;

	if (!client || cell->begun) { /* it goes on behind its end */
		upstream_close(upstream);
		return;
	}
	from = cell_of(client);
	take(from);
	if (!__atomic_compare_exchange_n(&from->flight, &flight, 0, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		upstream_close(upstream);
		return;
	}
	cell->client = 0;
	routing_set(shortcut->routing, &from->key, NULL);
	conn_watch(&upstream->conn, upstream->engine->epoll, false);
	listen_to(client);
	if (client_resume(client, upstream, from->head, from->head_size, from->asked / 1000))
		return;
	upstream_close(upstream);
	ask_again(client);
}

void shortcut_hear(struct upstream *upstream)
{
	const struct weir_routing_upstream *cell =
		&upstream->engine->shortcut->memory->upstreams[upstream->place - 1];

	if (cell->handed == WEIR_ROUTING_ASKED)
		resume(upstream);
	else if (cell->handed || upstream->conn.finishing)
		upstream_close(upstream);
}

/* ---- connections of clients ---- */

/* A place that nobody has and no program looks at any more, or -ENOSPC. */
static int take_place(struct shortcut *shortcut)
{
	uint32_t place = shortcut->free[shortcut->free_first];
	uint64_t freed = shortcut->freed[place];

	if (!shortcut->free_count || (freed && shortcut->engine->now - freed <= HELD_MS))
		return -ENOSPC;
	shortcut->free_first = (shortcut->free_first + 1) % WEIR_ROUTING_CLIENTS;
	shortcut->free_count--;
	return place;
}

static void give_place(struct shortcut *shortcut, uint32_t place)
{
	uint32_t last = (shortcut->free_first + shortcut->free_count++) % WEIR_ROUTING_CLIENTS;

	shortcut->free[last] = place;
	shortcut->freed[place] = shortcut->engine->now;
}

/* A place for it, where it has none. */
static bool enter(struct client *client)
{
	struct shortcut *shortcut = client->engine->shortcut;
	struct weir_routing_client *cell;
	int place;

	if (client->place)
		return true;
	place = take_place(shortcut);
	if (place < 0)
		return false;
	cell = &shortcut->memory->clients[place];
	memset(cell, 0, offsetof(struct weir_routing_client, head));
	cell->owner = WEIR_ROUTING_WORKERS;
	cell->seen = client->conn.received;
	if (routing_enter(shortcut->routing, place, client->conn.fd, &client->cookie)) {
		give_place(shortcut, place);
		return false;
	}
	client->place = place + 1;
	client->conn.mapped = true;
	conn_limit(&client->conn, WINDOW_MAX);
	shortcut->clients[place] = client;
	return true;
}

/* Until the kernel has had it for as long as a client may say nothing, or an endpoint. */
static void away_patience(struct client *client)
{
	const struct listener *listener = client->service->listener;
	uint64_t idle = listener->idle_timeout, request = listener->http->request_timeout;

	client_patience(client, (idle < request ? idle : request) * 1000);
}

bool shortcut_leave(struct client *client)
{
	struct engine *engine = client->engine;
	struct conn *conn = &client->conn;
	struct weir_routing_client *cell;
	uint64_t received;
	__u64 owner;

	if (!engine->shortcut || engine->draining || conn->in.size || conn->out.size ||
	    conn->finishing || conn->failed || !client_service(client) || !enter(client))
		return false;
	cell = cell_of(client);
	cell->setup = engine->setup->number;
	cell->listener = client->service->id;
	cell->head_limit = client->service->listener->http->head_limit;
	cell->known = cell->given = cell->flight = 0;
	cell->asked = engine->now_us * 1000;
	/* All that has come has been read, and nothing comes between this and the last step. */
	owner = __atomic_load_n(&cell->owner, __ATOMIC_SEQ_CST);
	if (!conn_totals(conn, &received, &client->sent) ||
	    received != conn->received + cell->taken)
		return false;
	client->state = CLIENT_AWAY;
	client->spins = 0;
	if (!__atomic_compare_exchange_n(&cell->owner, &owner, owner & ~WEIR_ROUTING_WORKERS, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		client->state = CLIENT_HEAD;
		return false;
	}
	conn_watch(conn, engine->epoll, true);
	client->quiet = true;
	away_patience(client);
	return true;
}

/* All that the kernel has sent to it is on its way by TCP, so that ours comes behind it. */
static bool is_settled(const struct client *client)
{
	uint64_t received, sent;

	return conn_totals(&client->conn, &received, &sent) &&
	       sent >= client->sent + cell_of(client)->given;
}

bool shortcut_return(struct client *client)
{
	struct weir_routing_client *cell = cell_of(client);
	struct conn *conn = &client->conn;

	if (!is_workers(cell)) {
		if (!conn->finishing && !conn->failed)
			return false;
		take(cell);
	}
	if (conn->failed) {
		client_close(client, false);
		return false;
	}
	listen_to(client);
	if (__atomic_load_n(&cell->flight, __ATOMIC_SEQ_CST))
		return false; /* the program says when it is over */
	if (is_settled(client))
		return true;
	if (client->spins++ < SPINS)
		engine_again(client->engine, client);
	else
		client_patience(client, PAUSE_MS);
	return false;
}

/* How long ago its last request was (ms). */
static uint64_t since_asked(const struct client *client)
{
	uint64_t asked = cell_of(client)->asked / 1000, now = client->engine->now_us;

	return asked < now ? (now - asked) / 1000 : 0;
}

void shortcut_expire(struct client *client)
{
	const struct service *service = client_service(client);
	struct weir_routing_client *cell = cell_of(client);
	uint32_t flight = __atomic_load_n(&cell->flight, __ATOMIC_SEQ_CST);
	uint64_t since = since_asked(client), most;
	struct upstream *upstream;

	if (!service) {
		client_close(client, false);
		return;
	}
	most = (flight || is_workers(cell) ? service->listener->http->request_timeout
					   : service->listener->idle_timeout) *
	       1000ull;
	if (since < most) {
		client_patience(client, is_workers(cell) ? PAUSE_MS : most - since);
		client_run(client);
		return;
	}
	if (!flight) {
		client_close(client, is_workers(cell));
		return;
	}
	upstream = way_of(client->engine->shortcut, flight - 1)->upstream;
	if (!upstream) {
		client_close(client, true);
		return;
	}
	/* Once it is closed no more comes of its answer: either all of it has, or it never will. */
	client->late = true;
	client_patience(client, PAUSE_MS);
	upstream_close(upstream);
	client->late = false;
}

void shortcut_forget(struct client *client)
{
	struct shortcut *shortcut = client->engine->shortcut;
	struct weir_routing_client *cell = cell_of(client);
	uint32_t place = client->place - 1, flight;

	/* Its socket is closed: no program reads or writes the cell but on behalf of an answer. */
	flight = __atomic_exchange_n(&cell->flight, 0, __ATOMIC_SEQ_CST);
	shortcut->clients[place] = NULL;
	routing_forget(shortcut->routing, client->cookie);
	client->place = 0;
	if (flight && way_of(shortcut, flight - 1)->upstream)
		upstream_close(way_of(shortcut, flight - 1)->upstream);
	give_place(shortcut, place);
}

/* ---- all of it ---- */

static void on_said(void *user, uint32_t place)
{
	struct shortcut *shortcut = user;

	if (place & WEIR_ROUTING_IS_UPSTREAM) {
		struct upstream *upstream =
			way_of(shortcut, place & (WEIR_ROUTING_UPSTREAMS - 1))->upstream;

		if (upstream && !upstream->stream)
			shortcut_hear(upstream);
	} else if (shortcut->clients[place & (WEIR_ROUTING_CLIENTS - 1)]) {
		struct client *client = shortcut->clients[place & (WEIR_ROUTING_CLIENTS - 1)];

		client->conn.failed |= cell_of(client)->broken;
		client_run(client);
	}
}

static void on_readable(struct source *source, uint32_t events)
{
	struct shortcut *shortcut = (struct shortcut *)source;

	(void)events;
	routing_hear(shortcut->routing, on_said, shortcut);
}

int shortcut_new(struct engine *engine, const int *fds)
{
	_cleanup_(freep) struct shortcut *shortcut = calloc(1, sizeof(*shortcut));
	struct epoll_event event = { .events = EPOLLIN };
	int r;

	if (!shortcut)
		return -ENOMEM;
	if (engine->shortcut)
		return -EEXIST;
	r = routing_open(fds, &shortcut->routing);
	if (r < 0)
		return r;
	shortcut->source.function = on_readable;
	shortcut->engine = engine;
	shortcut->memory = routing_memory(shortcut->routing);
	for (uint32_t i = 0; i < WEIR_ROUTING_CLIENTS; i++)
		shortcut->free[i] = i;
	shortcut->free_count = WEIR_ROUTING_CLIENTS;
	event.data.ptr = &shortcut->source;
	if (epoll_ctl(engine->epoll, EPOLL_CTL_ADD, routing_descriptor(shortcut->routing),
		      &event)) {
		r = -errno;
		routing_close(shortcut->routing);
		return r;
	}
	engine->shortcut = take_ptr(shortcut);
	return 0;
}

static void look_at(struct shortcut *shortcut, uint32_t place)
{
	struct shortcut_way *way = way_of(shortcut, place);
	uint64_t used = shortcut->memory->upstreams[place].used / 1000000;
	uint64_t now = shortcut->engine->now;

	if (way->held && now - way->held > HELD_MS) {
		withdraw(shortcut, place); /* of a request that came just then */
		way->held = 0;
	}
	/* Nobody has asked for it, or a program took it in vain. */
	if (way->upstream && !way->upstream->stream && used + WAIT_MS < now &&
	    (withdraw(shortcut, place) || !shortcut->memory->upstreams[place].client))
		upstream_close(way->upstream);
}

void shortcut_tidy(struct engine *engine)
{
	struct shortcut *shortcut = engine->shortcut;

	if (!shortcut)
		return;
	if (engine->now - shortcut->counted >= COUNT_MS || engine->stopped) {
		shortcut->counted = engine->now;
		shortcut_count(shortcut);
	}
	if (engine->now - shortcut->looked < LOOK_MS)
		return;
	shortcut->looked = engine->now;
	for (uint32_t pool = 0; pool < WEIR_ROUTING_POOLS; pool++)
		for (uint32_t way = 0; shortcut->pools[pool].taken && way < WEIR_ROUTING_WAYS;
		     way++)
			look_at(shortcut, pool * WEIR_ROUTING_WAYS + way);
}
