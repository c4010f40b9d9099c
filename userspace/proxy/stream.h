/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One exchange: a request that goes on to an endpoint, and its answer. The head, and a body that
 * has come with it, are sent in one piece; what is left of the body follows as it comes, and the
 * answer may overtake it. A request that nobody has answered goes to another endpoint once, if
 * that cannot do harm (RFC 9110, 9.2.2).
 */
#ifndef WEIR_PROXY_STREAM_H
#define WEIR_PROXY_STREAM_H

#include "http/rules.h"
#include "proxy/client.h"
#include "proxy/tunnel.h"
#include "proxy/upstream.h"

struct stream {
	struct engine *engine;
	struct client *client;
	struct upstream *upstream; /* NULL: its part is over */
	struct setup *setup;	   /* a reference */
	const struct service *service;
	struct pool *pool;
	const struct target *target;
	bool chosen;	      /* it has a request more, by choice.c */
	struct bytes request; /* as it is sent: the head, and what of the body was there */
	struct tunnel up, down;
	uint32_t scanned; /* of the answer's head */
	uint32_t interim; /* bytes of interim answers */
	uint8_t method;
	uint8_t minor;	  /* of HTTP/1 that the client speaks */
	bool keep_alive;  /* another request may follow */
	bool upgrade;	  /* is asked for */
	bool expects;	  /* a 100 that has not come: an endpoint that answers without it may take
			   * the body, which it did not want, for the next request */
	bool whole;	  /* all of it is in `request`: it can be sent again */
	bool retried;	  /* an endpoint has failed */
	bool stale;	  /* a connection that had waited was closed: no other one is used */
	bool heard;	  /* the endpoint has said something */
	bool partial;	  /* ... which is not a whole head yet */
	bool answering;	  /* the answer's head is on its way to the client */
	bool upgraded;	  /* both ends say what they like */
	bool deaf;	  /* the endpoint takes no more of the request */
	bool finished[2]; /* upgraded: the end has been passed on, up and down */
	bool reusable;	  /* the endpoint's connection, after the answer */
	bool plain;	  /* the kernel could have routed it: see shortcut.h */
	struct weir_routing_key *key; /* ... if the answer is so, too; NULL: it could not */
	uint16_t status;	      /* 0: none yet */
	uint64_t seen[2];	      /* moved up and down, when patience was last renewed */
	uint64_t head_bytes[2];	      /* of the heads, up and down */
};

/*
 * For the request in engine->request, whose head has `length` bytes at `bytes`; more of `size` may
 * be of its body. Returns how many bytes are used; the client's connection is the stream's then.
 * Or minus the status to answer with, and why.
 */
ssize_t stream_begin(struct client *client, const struct rules_verdict *verdict, char *bytes,
		     size_t length, size_t size, enum accesslog_end *why);

/* The same for one that is all there, in engine->room, and on its way on `upstream` already. False:
 * nobody may take it, and the connection is closed. */
bool stream_resume(struct client *client, const struct rules_verdict *verdict, size_t length,
		   struct upstream *upstream);

/* Does all that can be done now; the stream may be gone after it. */
void stream_run(struct stream *stream);

/* Its client's deadline has passed. */
void stream_expire(struct stream *stream);

#endif
