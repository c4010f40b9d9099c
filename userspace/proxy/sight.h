/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is seen of the request that a client's connection is about: written down on its way, counted
 * when it is over, and, where an access log is kept, a line of it.
 */
#ifndef WEIR_PROXY_SIGHT_H
#define WEIR_PROXY_SIGHT_H

#include "http/accesslog.h"
#include "http/rules.h"
#include "proxy/bytes.h"

struct client;
struct engine;
struct service;
struct setup;
struct target;
struct tally_listener;

struct sight {
	uint64_t began;		      /* us, of the engine's clock; 0: nothing has come yet */
	uint32_t head;		      /* us from then on, or ACCESSLOG_NEVER, like those below */
	uint32_t connected, answered; /* the last endpoint's */
	struct tally_listener *tally; /* where it is under way; NULL: it is not yet */
	const struct http_rule *rule; /* NULL: none */
	uint32_t rule_number;	      /* from 1 on */
	const struct target *target;  /* NULL: no endpoint */
	uint32_t retries;
	bool reused; /* the endpoint's connection */
	uint8_t minor;
	uint8_t end;		     /* enum accesslog_end; meant for an answer of weir's own */
	const char *why;	     /* NULL; the same */
	uint64_t received;	     /* bytes, with heads */
	struct bytes text;	     /* for the log: method, host, target, behind each other */
	uint32_t method, host, path; /* their sizes */
};

/* Before the setup is in force: where its listeners and rules are counted. 0 or -ENOMEM. */
int sight_prepare(struct engine *engine, struct setup *setup);

/* The client's connection is one to its service, until it is closed with whatever is under way. */
void sight_open(struct client *client);
void sight_close(struct client *client);

/* The first byte of a request is here. */
void sight_begin(struct client *client);

/* Its head, of `length` bytes, is whole: it is engine->request. */
void sight_head(struct client *client, size_t length);

void sight_rule(struct client *client, const struct rules_verdict *verdict);

/* It goes to an endpoint, over a connection that was there, or not. */
void sight_target(struct client *client, const struct target *target, bool reused);
void sight_connected(struct client *client);
void sight_answered(struct client *client);

/* An answer of weir's own follows, and why. */
void sight_own(struct client *client, enum accesslog_end end, const char *why);

/* It is over. Rule and target must still be there. */
struct sight_result {
	const struct service *service;
	uint16_t status; /* 0: none was sent */
	enum accesslog_end end;
	uint64_t received, sent; /* bytes, with heads */
	bool is_endpoints;	 /* the answer is the endpoint's */
};
void sight_end(struct client *client, const struct sight_result *result);

#endif
