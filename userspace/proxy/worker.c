// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/routing.h"
#include "net/passing.h"
#include "proxy/choice.h"
#include "proxy/client.h"
#include "proxy/engine.h"
#include "proxy/logger.h"
#include "proxy/shortcut.h"
#include "proxy/sight.h"
#include "proxy/tally.h"
#include "proxy/whereabouts.h"
#include "util/log.h"

#define TURN_MS	 1000
#define COUNTERS 3    /* maps of a snapshot */
#define DRAIN_MS 2000 /* in which connections may still be found that were led here */

/* Somebody who gives orders, or where they come from. */
struct control {
	struct conn conn; /* the first: see struct source */
	struct worker *worker;
};

struct worker {
	struct engine *engine;
	uint32_t number;
	uint64_t drained; /* ms: it may end from then on; 0: it is not to */
};

static void *map_counters(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void unmap_counters(void *counters, size_t size)
{
	if (counters)
		munmap(counters, size);
}

/* The maps may be others than before: larger ones. */
static int follow_counters(struct engine *engine, const struct worker_message *message,
			   const int *fds)
{
	const size_t listeners = sizeof(struct weir_http), endpoints = sizeof(struct weir_http),
		     answers = sizeof(struct weir_nat_latency);
	void *listener_http = map_counters(fds[0], message->listeners * listeners);
	void *endpoint_http = map_counters(fds[1], message->endpoints * endpoints);
	void *latency = map_counters(fds[2], message->endpoints * answers);

	if (!listener_http || !endpoint_http || !latency) {
		int r = -errno;

		unmap_counters(listener_http, message->listeners * listeners);
		unmap_counters(endpoint_http, message->endpoints * endpoints);
		unmap_counters(latency, message->endpoints * answers);
		return r;
	}
	unmap_counters(engine->listener_http, engine->listeners * listeners);
	unmap_counters(engine->endpoint_http, engine->endpoints * endpoints);
	unmap_counters(engine->latency, engine->endpoints * answers);
	engine->listener_http = listener_http;
	engine->endpoint_http = endpoint_http;
	engine->latency = latency;
	engine->listeners = message->listeners;
	engine->endpoints = message->endpoints;
	return 0;
}

/* The snapshot, and where clients are if it asks for that. */
static int read_snapshot(const int *fds, bool regions, struct snapshot **ret, struct err *err)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = NULL;
	int r = snapshot_read(fds[0], &snapshot, err);

	if (!r && regions)
		r = whereabouts_read(fds[1 + COUNTERS], &snapshot->whereabouts, err);
	if (!r)
		*ret = take_ptr(snapshot);
	return r;
}

static int follow(struct worker *worker, const struct worker_message *message, const int *fds,
		  int count)
{
	struct engine *engine = worker->engine;
	int files = 1 + COUNTERS + !!message->regions; /* and then the log's */
	struct snapshot *snapshot;
	struct setup *setup;
	struct err err = {};
	int r = count >= files ? read_snapshot(fds, message->regions, &snapshot, &err) : -EPROTO;

	r = r ?: setup_new(snapshot, engine->setup, &engine->upstreams, &setup, &err);
	if (r < 0) {
		log_error("worker %u: %s", worker->number, err.text);
		return r;
	}
	choice_prepare(engine, setup, engine->setup);
	r = sight_prepare(engine, setup);
	r = r ?: follow_counters(engine, message, fds + 1);
	if (r < 0) {
		setup_unref(setup);
		return r;
	}
	setup_unref(engine->setup);
	engine->setup = setup;
	shortcut_follow(engine, setup);
	logger_follow(engine->logger, count > files ? fds[files] : -1);
	clients_follow(engine);
	return 0;
}

/* With the descriptor the block is held: it stays open. */
static void take_tally(struct worker *worker, int fd, uint64_t block, int *count)
{
	int r = worker->engine->tally ? -EEXIST
				      : tally_attach(fd, (uint32_t)block, &worker->engine->tally);

	if (r < 0)
		log_error("worker %u: cannot count rules and refusals: %s", worker->number,
			  strerror(-r));
	else
		*count = 0;
}

/* Without it they are served, too. */
static void take_routing(struct worker *worker, const int *fds, int *count)
{
	int r = *count == ROUTING_MAPS ? shortcut_new(worker->engine, fds) : -EPROTO;

	if (r < 0)
		log_error("worker %u: the kernel routes no requests: %s", worker->number,
			  strerror(-r));
	else
		*count = 0;
}

static void count_lost_lines(struct engine *engine)
{
	uint64_t lost = engine->logger ? logger_lost(engine->logger) : 0;

	if (engine->tally)
		tally_add(&tally_own(engine->tally)->lines_lost, lost - engine->lines_lost);
	engine->lines_lost = lost;
}

static void obey(struct control *control, const struct worker_message *message, int *fds,
		 int *count)
{
	struct worker *worker = control->worker;
	struct worker_answer answer = { .number = message->number };

	switch (message->order) {
	case WORKER_LISTEN:
		if (*count == 1 && !client_listen(worker->engine, fds[0]))
			*count = 0; /* the engine's now */
		break;
	case WORKER_SNAPSHOT:
		answer.error = follow(worker, message, fds, *count);
		passing_send(control->conn.fd, &answer, sizeof(answer), NULL, 0);
		break;
	case WORKER_LOG:
		if (*count == 1 && logger_wants(worker->engine->logger))
			logger_follow(worker->engine->logger, fds[0]);
		break;
	case WORKER_TALLY:
		if (*count == 1)
			take_tally(worker, fds[0], message->number, count);
		break;
	case WORKER_ROUTING:
		take_routing(worker, fds, count);
		break;
	case WORKER_DRAIN:
		worker->engine->draining = true;
		shortcut_end(worker->engine);
		worker->drained = worker->engine->now + DRAIN_MS;
		break;
	case WORKER_END:
		worker->engine->stopped = true;
		break;
	}
}

static void on_order(struct source *source, uint32_t events)
{
	struct control *control = (struct control *)source;
	struct worker_message message;
	int fds[PASSING_MAX], count = PASSING_MAX;
	ssize_t size = passing_receive(control->conn.fd, &message, sizeof(message), fds, &count);

	(void)events;
	if (size == -EAGAIN || size == -EINTR)
		return;
	if (size == sizeof(message))
		obey(control, &message, fds, &count);
	for (int i = 0; size > 0 && i < count; i++)
		close(fds[i]);
	if (size == sizeof(message))
		return;
	conn_close(&control->conn, false); /* the daemon is gone: this goes on without it */
	engine_bury(control->worker->engine, &control->conn);
}

static int watch(struct worker *worker, int fd,
		 void (*function)(struct source *source, uint32_t events))
{
	struct control *control = calloc(1, sizeof(*control));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = control };

	if (!control)
		return -ENOMEM;
	control->conn.source.function = function;
	control->conn.fd = fd;
	control->worker = worker;
	if (epoll_ctl(worker->engine->epoll, EPOLL_CTL_ADD, fd, &event)) {
		free(control);
		return -errno;
	}
	return 0;
}

static void on_visitor(struct source *source, uint32_t events)
{
	struct control *control = (struct control *)source;
	int fd = accept4(control->conn.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0 && watch(control->worker, fd, on_order) < 0)
		close(fd);
}

static bool is_over(const struct worker *worker)
{
	const struct engine *engine = worker->engine;

	return engine->stopped ||
	       (worker->drained && engine->now > worker->drained && !engine->client_count);
}

static int turn(struct engine *engine)
{
	count_lost_lines(engine);
	return engine_turn(engine, TURN_MS);
}

int worker_run(int control, uint32_t number, uint32_t descriptors, struct logger *logger)
{
	struct worker worker = { .engine = engine_new(descriptors), .number = number };
	int r = worker.engine ? watch(&worker, control, on_visitor) : -ENOMEM;

	signal(SIGPIPE, SIG_IGN);
	if (!r)
		worker.engine->logger = logger;
	while (!r && !is_over(&worker))
		r = turn(worker.engine);
	if (worker.engine)
		shortcut_tidy(worker.engine);
	if (r < 0)
		log_error("worker %u: %s", number, strerror(-r));
	return r < 0;
}
