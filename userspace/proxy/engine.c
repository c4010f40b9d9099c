// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "proxy/client.h"
#include "proxy/shortcut.h"
#include "proxy/upstream.h"

#define EVENTS	    256
#define TIDY_MS	    1000
#define SHORTCUT_MS 200 /* what the kernel has routed is counted no later than that */
#define PIPE_ROOM   (256 << 10)
#define OWN	    64 /* descriptors that are no connections: orders, snapshots, some pipes */

static void read_clock(struct engine *engine)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	engine->now_us = now.tv_sec * 1000000ull + now.tv_nsec / 1000;
	engine->now = engine->now_us / 1000;
}

struct engine *engine_new(uint32_t descriptors)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return NULL;
	engine->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (engine->epoll < 0) {
		free(engine);
		return NULL;
	}
	engine->client_room = descriptors > 2 * OWN ? (descriptors - OWN) / 2 : OWN / 2;
	read_clock(engine);
	wheel_init(&engine->wheel, engine->now);
	return engine;
}

void engine_bury(struct engine *engine, struct conn *conn)
{
	if (engine->dead_count == engine->dead_room) {
		size_t room = engine->dead_room * 2 ?: 64;
		struct conn **more = realloc(engine->dead, room * sizeof(*more));

		if (!more)
			return; /* lost, but not while somebody refers to it */
		engine->dead = more;
		engine->dead_room = room;
	}
	engine->dead[engine->dead_count++] = conn;
}

void engine_again(struct engine *engine, struct client *client)
{
	if (engine->again_count == engine->again_room) {
		size_t room = engine->again_room * 2 ?: 64;
		struct client **more = realloc(engine->again, room * sizeof(*more));

		if (!more) {
			client_close(client, true);
			return;
		}
		engine->again = more;
		engine->again_room = room;
	}
	engine->again[engine->again_count++] = client;
	client->again = true;
}

/* Those that were there before; what they add is for the next turn. Closed ones are not freed as
 * long as they are in the list. */
static void run_again(struct engine *engine)
{
	size_t count = engine->again_count;

	for (size_t i = 0; i < count; i++) {
		struct client *client = engine->again[i];

		client->again = false;
		client_run(client);
	}
	engine->again_count -= count;
	memmove(engine->again, engine->again + count, engine->again_count * sizeof(*engine->again));
}

/* Whoever died in this turn may be in the list of those that have more to do, up to the next one.
 */
static void free_dead(struct engine *engine)
{
	if (!engine->dead_count)
		return;
	for (size_t i = 0; i < engine->dead_before; i++)
		free(engine->dead[i]);
	engine->dead_count -= engine->dead_before;
	memmove(engine->dead, engine->dead + engine->dead_before,
		engine->dead_count * sizeof(*engine->dead));
	engine->dead_before = engine->dead_count;
}

static void expire(struct engine *engine)
{
	struct wheel_timer *timer;

	while ((timer = wheel_expire(&engine->wheel, engine->now)))
		client_expire(timer);
	shortcut_tidy(engine);
	if (engine->now - engine->tidied < TIDY_MS)
		return;
	engine->tidied = engine->now;
	upstreams_tidy(engine->upstreams, engine->now);
	clients_admit(engine);
}

static int patience(const struct engine *engine, int most)
{
	int wait = wheel_wait(&engine->wheel, engine->now);

	most = engine->shortcut && most > SHORTCUT_MS ? SHORTCUT_MS : most;
	return wait < 0 || wait > most ? most : wait;
}

int engine_turn(struct engine *engine, int most)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(engine->epoll, events, EVENTS,
			       engine->again_count ? 0 : patience(engine, most));

	if (count < 0 && errno != EINTR)
		return -errno;
	read_clock(engine);
	for (int i = 0; i < count; i++) {
		struct source *source = events[i].data.ptr;

		source->function(source, events[i].events);
	}
	if (engine->again_count)
		run_again(engine);
	expire(engine);
	free_dead(engine);
	return 0;
}

static void add(__u64 *counter, uint64_t value)
{
	if (value)
		__atomic_fetch_add(counter, value, __ATOMIC_RELAXED);
}

static void count(struct weir_http *http, const struct engine_exchange *exchange)
{
	add(&http->requests, 1);
	if (exchange->status >= 100 && exchange->status < 600)
		add(&http->answers[exchange->status / 100 - 1], 1);
	add(&http->request_bytes, exchange->request_bytes);
	add(&http->answer_bytes, exchange->answer_bytes);
}

static void add_all(struct weir_http *to, const struct weir_http *more)
{
	add(&to->requests, more->requests);
	for (int i = 0; i < 5; i++)
		add(&to->answers[i], more->answers[i]);
	add(&to->request_bytes, more->request_bytes);
	add(&to->answer_bytes, more->answer_bytes);
}

void engine_add(struct engine *engine, const struct service *service, const struct target *target,
		const struct weir_http *more, const uint64_t *answered)
{
	uint32_t row = target->endpoint->row;

	if (service->id < engine->listeners)
		add_all(&engine->listener_http[service->id], more);
	if (row >= engine->endpoints)
		return;
	add_all(&engine->endpoint_http[row], more);
	for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++)
		if (answered[i])
			__atomic_fetch_add(&engine->latency[row].answers[i], answered[i],
					   __ATOMIC_RELAXED);
}

uint32_t engine_latency_entry(uint32_t us)
{
	uint32_t entry = 0;

	while (entry < WEIR_LATENCY_ENTRIES - 1 && us / WEIR_LATENCY_FIRST >> entry)
		entry++;
	return entry;
}

static void count_answer(struct weir_nat_latency *latency, uint32_t us)
{
	__atomic_fetch_add(&latency->answers[engine_latency_entry(us)], 1, __ATOMIC_RELAXED);
}

void engine_count(struct engine *engine, const struct engine_exchange *exchange)
{
	const struct target *target = exchange->target;

	if (exchange->service->id < engine->listeners)
		count(&engine->listener_http[exchange->service->id], exchange);
	if (!target || target->endpoint->row >= engine->endpoints)
		return;
	count(&engine->endpoint_http[target->endpoint->row], exchange);
	if (exchange->timed)
		count_answer(&engine->latency[target->endpoint->row], exchange->answered);
}

bool engine_relinquish(struct engine *engine)
{
	struct engine_pipe *pipe = engine->pipes;

	if (pipe) {
		engine->pipes = pipe->next;
		engine_pipe_give(engine, pipe, true);
		return true;
	}
	return upstreams_relinquish(engine->upstreams);
}

struct engine_pipe *engine_pipe_take(struct engine *engine)
{
	struct engine_pipe *pipe = engine->pipes;

	if (pipe) {
		engine->pipes = pipe->next;
		return pipe;
	}
	pipe = calloc(1, sizeof(*pipe));
	if (!pipe)
		return NULL;
	if (pipe2(pipe->ends, O_NONBLOCK | O_CLOEXEC)) {
		free(pipe);
		return NULL;
	}
	/* Of what a user's pipes may hold in all nothing is left, and this one has two pages. */
	if (fcntl(pipe->ends[1], F_SETPIPE_SZ, PIPE_ROOM) < 0) {
		engine_pipe_give(engine, pipe, true);
		return NULL;
	}
	return pipe;
}

void engine_pipe_give(struct engine *engine, struct engine_pipe *pipe, bool dirty)
{
	if (!dirty) {
		pipe->next = engine->pipes;
		engine->pipes = pipe;
		return;
	}
	close(pipe->ends[0]);
	close(pipe->ends[1]);
	free(pipe);
}
