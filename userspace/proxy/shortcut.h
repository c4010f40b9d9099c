/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests that the kernel routes, of listeners with `kernel_routing` (include/weir/routing.h):
 * what the worker has to do with them. It serves the first of each kind, and when that was a plain
 * one (asked for by host and path alone, without a body; answered shortly, by length) it says where
 * such go, lends the connection to the endpoint, and leaves the client's to the kernel. Whatever
 * the kernel is not sure of comes back, with all that follows, until the next plain one.
 *
 *   learn   the exchange at hand was plain: where its like go
 *   lend    a connection to an endpoint, for requests that the kernel routes
 *   leave   a client's connection, between two requests
 *   return  it comes back; or an answer does, or the end of a connection that was lent
 */
#ifndef WEIR_PROXY_SHORTCUT_H
#define WEIR_PROXY_SHORTCUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/routing.h>

struct client;
struct engine;
struct pool;
struct rules_verdict;
struct service;
struct setup;
struct shortcut;
struct stream;
struct upstream;

/* With what routing_load() has given; the descriptors are its own then. 0 or -errno. */
int shortcut_new(struct engine *engine, const int *fds);

/* The setup is in force from now on; what was said of those before is void. */
void shortcut_follow(struct engine *engine, struct setup *setup);

/* No more is routed: each client comes back with its next request. */
void shortcut_end(struct engine *engine);

/* Now and then: what the kernel has routed is counted, connections that nobody needs are closed. */
void shortcut_tidy(struct engine *engine);

/*
 * Before a request goes to an endpoint: is it, whose head this is, one that the kernel could have
 * routed, by this verdict? Then what is asked for: the caller's, by free(). NULL: it is not.
 */
struct weir_routing_key *shortcut_plain(const struct client *client,
					const struct rules_verdict *verdict,
					const struct pool *pool, const char *head, size_t size);

/* Could its answer, whose head this is, have been routed, too? There is a key of the request. */
bool shortcut_suits(struct engine *engine, const char *head, size_t size, bool is_head);

/* Then the kernel is told where its like go. False: it has no room for that. */
bool shortcut_learn(const struct client *client, const struct weir_routing_key *key,
		    struct stream *stream);

/* True: the connection, which is free, is the kernel's. */
bool shortcut_lend(struct upstream *upstream);

/* The connection of a client that has been answered: true: it is the kernel's. */
bool shortcut_leave(struct client *client);

/* A client's connection that was left to the kernel: false: it still is, or is closed. */
bool shortcut_return(struct client *client);
void shortcut_expire(struct client *client);

/* It is closed, and had a place. */
void shortcut_forget(struct client *client);

/* A connection that was lent: it says something, or has ended; and it is closed. */
void shortcut_hear(struct upstream *upstream);
void shortcut_reclaim(struct upstream *upstream);

#endif
