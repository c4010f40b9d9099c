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

#include "net/passing.h"
#include "proxy/client.h"
#include "proxy/engine.h"
#include "proxy/logger.h"
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

static int follow(struct worker *worker, const struct worker_message *message, const int *fds,
		  int count)
{
	struct engine *engine = worker->engine;
	struct snapshot *snapshot;
	struct setup *setup;
	struct err err = {};
	int r = count > COUNTERS ? snapshot_read(fds[0], &snapshot, &err) : -EPROTO;

	r = r ?: setup_new(snapshot, engine->setup, &engine->upstreams, &setup, &err);
	if (r < 0) {
		log_error("worker %u: %s", worker->number, err.text);
		return r;
	}
	r = follow_counters(engine, message, fds + 1);
	if (r < 0) {
		setup_unref(setup);
		return r;
	}
	setup_unref(engine->setup);
	engine->setup = setup;
	logger_follow(engine->logger, count > 1 + COUNTERS ? fds[1 + COUNTERS] : -1);
	clients_follow(engine);
	return 0;
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
	case WORKER_DRAIN:
		worker->engine->draining = true;
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

int worker_run(int control, uint32_t number, uint32_t descriptors, struct logger *logger)
{
	struct worker worker = { .engine = engine_new(descriptors), .number = number };
	int r = worker.engine ? watch(&worker, control, on_visitor) : -ENOMEM;

	signal(SIGPIPE, SIG_IGN);
	if (!r)
		worker.engine->logger = logger;
	while (!r && !is_over(&worker))
		r = engine_turn(worker.engine, TURN_MS);
	if (r < 0)
		log_error("worker %u: %s", number, strerror(-r));
	return r < 0;
}
