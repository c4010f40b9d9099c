/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a listener of protocol http or https has besides: how it speaks with clients, and its
 * forwarding rules. A part of the model: pure data with every default filled in.
 */
#ifndef WEIR_CONFIG_HTTP_H
#define WEIR_CONFIG_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/abi.h>

#include "config/pattern.h"
#include "net/addr.h"
#include "util/cleanup.h"
#include "util/vec.h"

#define HTTP_HEAD_LIMIT	    32768 /* bytes of a head, its last empty line included */
#define HTTP_HEAD_LIMIT_MAX 49152 /* with what is added on the way, it fits a worker's room */

/* What a condition is about; the limit rule_conditions is a set of 1 << these. */
enum http_field {
	HTTP_HOST,
	HTTP_PATH,
	HTTP_HEADER,
	HTTP_QUERY,
	HTTP_METHOD,
	HTTP_COOKIE,
	HTTP_SOURCE_IP,
	HTTP_FIELDS,
};

enum http_rule_order {
	HTTP_DOMAIN_FIRST, /* any rule that names the host, then path-only rules (GA 2021) */
	HTTP_PRIORITY,	   /* smallest first; without priorities the more exact rule first */
};

enum http_tunnel {
	HTTP_TUNNEL_AUTO,
	HTTP_TUNNEL_COPY,
	HTTP_TUNNEL_SPLICE,
};

enum http_action {
	HTTP_FORWARD,
	HTTP_REDIRECT,
	HTTP_FIXED_RESPONSE,
	HTTP_DROP,
};

/* Headers that are sent on on request; a set of these. */
enum http_x_forwarded {
	HTTP_X_FORWARDED_PROTO = 1,
	HTTP_X_FORWARDED_PORT = 2,
	HTTP_X_REAL_IP = 4,
};

/* One value matches. */
struct http_condition {
	uint8_t field;			/* enum http_field */
	char *key;			/* of HEADER, QUERY, COOKIE; else NULL */
	VEC(struct pattern) values;	/* of SOURCE_IP: none */
	struct addr_prefixes addresses; /* of SOURCE_IP */
};

struct http_header {
	char *name;
	char *value;
};

/* All conditions match. Texts are owned. */
struct http_rule {
	char name[WEIR_NAME_MAX]; /* "": it has none; else unique in the listener */
	uint16_t priority;	  /* 1..10000; 0: no rule of the listener has one */
	uint8_t action;		  /* enum http_action */
	uint16_t code;		  /* of REDIRECT, FIXED_RESPONSE */
	uint32_t group;		  /* of FORWARD: index in the listener's groups */
	VEC(struct http_condition) conditions;
	char *url;		   /* of REDIRECT, with ${variables} */
	char *content_type, *body; /* of FIXED_RESPONSE; body: NULL if it has none */
	/* Of FORWARD; with ${variables}, NULL: as the client sent it. */
	char *host, *path, *query;
	VEC(struct http_header) add_headers;
	VEC(char *) remove_headers;
};

struct http_certificate {
	char *certificate; /* files; owned */
	char *key;
};

struct http {
	bool tls; /* protocol https */
	bool syn_cookies;
	bool kernel_routing;
	uint8_t rule_order; /* enum http_rule_order */
	uint8_t x_forwarded;
	uint8_t tunnel;				   /* enum http_tunnel */
	uint8_t tls_minimum;			   /* 12, 13; 0 without tls */
	uint32_t request_timeout;		   /* s */
	uint32_t upgrade_idle_timeout;		   /* s */
	uint32_t header_timeout;		   /* s */
	uint32_t connect_timeout;		   /* ms */
	uint32_t head_limit;			   /* bytes, of a request */
	char *client_ca;			   /* file; NULL: clients need no certificate */
	VEC(struct http_certificate) certificates; /* first: for clients that name no other */
	struct addr_prefixes trusted_proxies;
	struct addr_prefixes proxy_sources; /* who speaks the PROXY protocol; none: nobody */
	VEC(struct http_rule) rules;	    /* in the order of the file */
};

void http_free(struct http *http);
DEFINE_CLEANUP(struct http *, http_free)

/* Frees what a rule owns, or a condition. */
void http_rule_fini(struct http_rule *rule);
void http_condition_fini(struct http_condition *condition);

/* Deep copy; NULL without memory. */
struct http *http_copy(const struct http *http);

/* The same in every field; both may be NULL. */
bool http_equal(const struct http *a, const struct http *b);

#endif
