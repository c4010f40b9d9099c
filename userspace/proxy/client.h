/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A client's connection: accepted, its requests read one after the other. What needs no endpoint is
 * answered here; the others are a stream each, during which the connection is the stream's.
 */
#ifndef WEIR_PROXY_CLIENT_H
#define WEIR_PROXY_CLIENT_H

#include "http/answer.h"
#include "http/forward.h"
#include "proxy/engine.h"
#include "proxy/sight.h"

struct upstream;

enum client_state {
	CLIENT_PARKED,	 /* of a listener that no snapshot names yet */
	CLIENT_PREAMBLE, /* before its first request the PROXY protocol says who it is */
	CLIENT_HEAD,	 /* between requests, or in the middle of a head */
	CLIENT_STREAM,	 /* a stream has it */
	CLIENT_AWAY,	 /* the kernel has it: see shortcut.h */
	CLIENT_LINGER,	 /* the last answer is on its way; what still comes is not read any more */
	CLIENT_CLOSED,
};

struct client {
	struct conn conn; /* the first: see struct source */
	struct engine *engine;
	struct wheel_timer timer;
	struct client *next, **link; /* of all */
	struct forward_client who;
	uint64_t known;		       /* number of the setup that `service` is of */
	const struct service *service; /* that it has connected to; see client_service() */
	struct stream *stream;
	struct sight sight;	      /* of the request at hand */
	struct tally_listener *tally; /* where the connection is counted; NULL: it is not yet */
	uint32_t scanned;	      /* of a head that is not whole */
	uint16_t port;		      /* of who.addr */
	uint8_t state;		      /* enum client_state */
	uint8_t region;		      /* of who.addr, as setup_region() says it */
	bool partial;		      /* what is in conn.in is not a whole head yet */
	bool idle;		      /* nothing of a further request has come yet */
	bool finished;		      /* LINGER: told that no more is sent */
	bool again;		      /* in engine->again */
	bool unanswered;	      /* the kernel has sent its request, in vain */

	/* What shortcut.c goes by. */
	bool quiet;	 /* epoll does not tell what comes */
	bool late;	 /* its request has taken too long */
	uint8_t spins;	 /* looks at what is on its way to it */
	uint32_t place;	 /* 1 + that in the programs' maps; 0: it has none */
	uint64_t cookie; /* of its socket, if it has one */
	uint64_t sent;	 /* bytes, when it was left to the kernel */
};

/* Where connections come from, until it is closed. 0 or -errno. */
int client_listen(struct engine *engine, int listening);

/* Does all that can be done now. */
void client_run(struct client *client);

/* What a stream or a rule has for it instead of an endpoint's answer. `whole`: the request is read
 * to its end, so that another may follow. */
void client_answer(struct client *client, struct answer *answer, bool whole);

/* What it has connected to, by the setup in force; NULL: a listener that is gone. */
const struct service *client_service(struct client *client);

/* The kernel has routed its request, of so many bytes, which came at `began` (us); but the answer
 * on `upstream` is not for the kernel, so that the exchange goes on as a stream. False: it cannot,
 * and nothing has changed. */
bool client_resume(struct client *client, struct upstream *upstream, const char *bytes, size_t size,
		   uint64_t began);

/* The same of a request that takes too long. */
void client_time_out(struct client *client, const char *bytes, size_t size, uint64_t began);

/* The exchange is over: another request may come, or none. */
void client_next(struct client *client);
void client_linger(struct client *client);
void client_close(struct client *client, bool reset);

/* Its deadline has passed. */
void client_expire(struct wheel_timer *timer);

/* In so many ms from now on; 0: never. */
void client_patience(struct client *client, uint64_t ms);

/* Where there was no room for more of them, there may be some now. */
void clients_admit(struct engine *engine);

/* There is a new setup: those that wait for it go on. */
void clients_follow(struct engine *engine);

#endif
