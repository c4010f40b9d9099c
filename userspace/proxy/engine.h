/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the connections of a worker share: the event loop, its clock and timers, room to work in,
 * the setup in force, and the counters. One thread, nothing is locked.
 *
 *   client.c   accepts, reads heads, answers what needs no endpoint, keeps the connection
 *   stream.c   one exchange: a request on to an endpoint, and the answer back
 *   tunnel.c   moves the bodies
 *   upstream.c connections to endpoints
 *   sight.c    what is counted and logged of an exchange, when it is over
 *   setup.c    listeners, rules and endpoints, of a snapshot
 *   choice.c   whom a request goes to
 *   shortcut.c what the kernel does without us
 */
#ifndef WEIR_PROXY_ENGINE_H
#define WEIR_PROXY_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/abi.h>
#include <weir/nat.h>

#include "http/head.h"
#include "http/message.h"
#include "proxy/conn.h"
#include "proxy/setup.h"
#include "proxy/tally.h"
#include "proxy/wheel.h"

#define ENGINE_ROOM (64 << 10)

struct client;
struct logger;
struct shortcut;

/* A pipe that nobody uses just now. */
struct engine_pipe {
	int ends[2];
	struct engine_pipe *next;
};

struct engine {
	int epoll;
	uint64_t now;	 /* ms, of the last event */
	uint64_t now_us; /* the same */
	bool draining;
	bool stopped;
	struct wheel wheel;
	struct setup *setup; /* NULL: none yet */
	struct upstreams *upstreams;
	struct shortcut *shortcut; /* NULL: the kernel routes nothing */
	struct client *clients;	   /* all */
	uint32_t client_count, client_room;
	struct entrance *entrance; /* where they come from */
	uint64_t tidied;	   /* ms */

	/* In shared memory; entries as the maps have them. */
	struct weir_http *listener_http, *endpoint_http;
	struct weir_nat_latency *latency; /* of endpoints */
	uint32_t listeners, endpoints;
	struct logger *logger; /* of the access log */
	uint64_t lines_lost;   /* of it: as counted in `tally` */

	struct tally *tally; /* NULL: there is none; then what sight.c counts goes here: */
	struct tally_listener unseen;
	uint64_t unseen_rule;

	struct client **again; /* to be run once more, after others had their turn */
	size_t again_count, again_room;
	struct conn **dead; /* freed when nobody can refer to them any more */
	size_t dead_count, dead_room;
	size_t dead_before; /* of them, since the turn before */
	struct engine_pipe *pipes;

	/* Room for whoever works just now. */
	struct request request;
	struct response response;
	char room[ENGINE_ROOM]; /* what has been read */
	char text[ENGINE_ROOM]; /* what is about to be sent */
};

/* So many descriptors may be open in this process. */
struct engine *engine_new(uint32_t descriptors);

/* Handles events for as long as it takes, then waits for no longer than `most` ms. 0 or -errno. */
int engine_turn(struct engine *engine, int most);

/* The client has more to do at once, after others. */
void engine_again(struct engine *engine, struct client *client);

/* A closed connection's memory goes when the events at hand are over. */
void engine_bury(struct engine *engine, struct conn *conn);

/* Counts an answer of a listener and, with a target, of an endpoint. `bytes`: of the request and of
 * the answer. */
struct engine_exchange {
	const struct service *service;
	const struct target *target; /* NULL: answered here */
	uint16_t status;	     /* 0: none was sent */
	uint64_t request_bytes, answer_bytes;
	uint32_t answered; /* us, from the request to the answer of `target` */
	bool timed;
};
void engine_count(struct engine *engine, const struct engine_exchange *exchange);

/* The same of many at once; `answered`: how many took how long, by engine_latency_entry(). */
void engine_add(struct engine *engine, const struct service *service, const struct target *target,
		const struct weir_http *more, const uint64_t *answered);

/* Which entry of a histogram counts so many us: they are those of the data plane, see weir/nat.h.
 */
uint32_t engine_latency_entry(uint32_t us);

/* Gives up a descriptor that nobody uses just now: true if there was one. */
bool engine_relinquish(struct engine *engine);

/* A pipe, empty; NULL: there is none worth while. Given back it must be empty, or `dirty`. */
struct engine_pipe *engine_pipe_take(struct engine *engine);
void engine_pipe_give(struct engine *engine, struct engine_pipe *pipe, bool dirty);

#endif
