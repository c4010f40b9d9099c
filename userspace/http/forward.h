/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Heads as they are forwarded, in both directions: fields of one connection are left out, with
 * those that Connection names; the body keeps its framing.
 */
#ifndef WEIR_HTTP_FORWARD_H
#define WEIR_HTTP_FORWARD_H

#include <sys/types.h>

#include "config/http.h"
#include "http/message.h"
#include "net/addr.h"

/* What a request came over, beside its bytes. */
struct forward_client {
	struct addr addr;  /* of the client: of the packets, or what the PROXY protocol says */
	struct addr local; /* where it has connected to */
	uint16_t local_port;
	bool trusted; /* is it one of the listener's trusted proxies? See rules_trusts(). */
};

/* What replaces the parts of a rewritten request; at == NULL: the part is as the client sent it. */
struct forward_rewrite {
	struct slice host, path, query;
};

/* A field that says something of the client, of somebody who is not believed: it does not go on,
 * and rules do not see it. */
bool forward_is_hearsay(const struct field *field, const struct forward_client *client);

struct forward_request {
	const struct request *request;
	const struct forward_client *client;
	const struct http *http;	       /* of the listener */
	const struct http_rule *rule;	       /* that forwards it; NULL: none */
	const struct forward_rewrite *rewrite; /* that its rewrite gave; NULL: none */
	const char *host;		       /* Host if the request has none: "10.0.0.1:80" */
	bool keep_alive;		       /* the endpoint may keep the connection */
};

/* Writes the head of the forwarded request, HTTP/1.1 always. Its size, or -ENOBUFS: answer 431. */
ssize_t forward_request(const struct forward_request *what, char *buffer, size_t room);

struct forward_response {
	const struct response *response;
	uint8_t minor;	 /* of the client's request: HTTP/1.0 gets no chunks, the engine sends the
			  * payload alone, and no interim response */
	bool keep_alive; /* another request may come: not with FRAMING_CLOSE, nor with chunks for
			  * HTTP/1.0 */
};

/* Writes the head of the forwarded response, HTTP/1.1 always. Its size, or -ENOBUFS: answer 502. */
ssize_t forward_response(const struct forward_response *what, char *buffer, size_t room);

#endif
