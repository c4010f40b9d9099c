/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The access log: a line of JSON per request, for jq as for log shippers. Whatever a client sends,
 * a line is one line, right JSON in UTF-8, and not longer than ACCESSLOG_LINE_MAX.
 */
#ifndef WEIR_HTTP_ACCESSLOG_H
#define WEIR_HTTP_ACCESSLOG_H

#include <sys/types.h>

#include "http/message.h"
#include "net/addr.h"

#define ACCESSLOG_LINE_MAX   8192
#define ACCESSLOG_TARGET_MAX 2000 /* bytes of a target; what is behind them is cut */
#define ACCESSLOG_NEVER	     UINT32_MAX

/* How it ended: "end" of a line. */
enum accesslog_end {
	ACCESSLOG_DONE,		    /* answered in full, whatever the status */
	ACCESSLOG_RULE,		    /* answered, or dropped, as a rule says */
	ACCESSLOG_CLIENT_REFUSED,   /* it sent no right request: see "why" */
	ACCESSLOG_CLIENT_CLOSED,    /* it left before the end */
	ACCESSLOG_CLIENT_TIMEOUT,   /* it sent, or took, nothing any more */
	ACCESSLOG_NO_ENDPOINT,	    /* no group is usable */
	ACCESSLOG_ENDPOINTS_FULL,   /* all endpoints are at their limits */
	ACCESSLOG_CONNECT_FAILED,   /* to the endpoint */
	ACCESSLOG_ENDPOINT_REFUSED, /* it sent no right response: see "why" */
	ACCESSLOG_ENDPOINT_CLOSED,  /* it left before the end */
	ACCESSLOG_ENDPOINT_TIMEOUT,
	ACCESSLOG_ENDS,
};

struct accesslog_entry {
	uint64_t time; /* us since 1970, when the first byte came */
	struct addr client;
	uint16_t client_port;
	const char *listener;
	const char *rule;     /* its name; "" if it has none */
	uint32_t rule_number; /* of the listener's, from 1 on; 0: no rule took the request */
	const char *group;    /* NULL: none, also in what follows */
	const char *endpoint; /* its name */
	struct slice method, host, target; /* as the client sent them; at == NULL */
	uint8_t minor;			   /* of HTTP/1 */
	uint16_t status;		   /* 0: nothing was answered */
	uint32_t retries;		   /* endpoints that were tried before */
	bool reused;			   /* the endpoint's connection was there already */
	uint64_t received, sent;	   /* bytes from and to the client, with heads */
	/* us since the first byte, or ACCESSLOG_NEVER: the head was whole, the endpoint connected,
	 * the head of its response was whole, all was over. */
	uint32_t head, connected, answered, ended;
	uint8_t end;	 /* enum accesslog_end */
	const char *why; /* NULL */
};

/* Writes a line, with its line break. Its size, or -ENOBUFS with less room than
 * ACCESSLOG_LINE_MAX. */
ssize_t accesslog_write(const struct accesslog_entry *entry, char *buffer, size_t room);

/* "done", ... */
const char *accesslog_end_name(enum accesslog_end end);

#endif
