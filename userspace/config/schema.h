/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one table of what a configuration file may say: every key with its type, range, default,
 * allowed words and help. Reading, unknown keys and their suggestions, range errors and the manual
 * come from it; a new key is a line here and its use in build.c.
 */
#ifndef WEIR_CONFIG_SCHEMA_H
#define WEIR_CONFIG_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

enum schema_type {
	SCHEMA_OBJECT,	  /* a mapping */
	SCHEMA_ENDPOINT,  /* the same, or the one line HOST[:PORT] [weight N] */
	SCHEMA_NAME,	  /* [A-Za-z][A-Za-z0-9._-]{0,62} */
	SCHEMA_INTERFACE, /* of a network interface */
	SCHEMA_PATH,	  /* of a file, from the root on */
	SCHEMA_COUNTRY,	  /* two letters, ISO 3166 */
	SCHEMA_ADDRESS,	  /* an IP address that a host can have */
	SCHEMA_NETWORK,	  /* ADDRESS/LENGTH: any addresses that begin alike, or ADDRESS */
	SCHEMA_PREFIX,	  /* such an address, or ADDRESS/LENGTH for all that begin alike */
	SCHEMA_NUMBER,
	SCHEMA_BOOL,
	SCHEMA_CHOICE,	 /* one of some words */
	SCHEMA_DURATION, /* 500ms, 2s, 10m, 1h; a bare number is seconds; the value is in ms */
	SCHEMA_SPAN,	 /* 10s-900s: from the one duration to the other; the values are in ms */
	SCHEMA_RATE,	 /* 100/s, 30/m; with `burst 200`: so many ahead of the pace */
	SCHEMA_PORTS,	 /* with SCHEMA_LIST: numbers, ranges, and texts of them with commas */
	SCHEMA_TARGET,	 /* of a request: /path, perhaps with ?query */
	SCHEMA_SERVER,	 /* name or address of a host */
	SCHEMA_ENDPOINT_ADDRESS, /* the same, of one that can serve */
	SCHEMA_LISTEN,		 /* ADDRESS:PORT of this host, also of loopback or any */
	SCHEMA_AUTHORITY,	 /* HOST[:PORT], as the header Host says it */
	SCHEMA_MAP,	 /* a mapping with free keys; its object has FREE_NAME and FREE_VALUE */
	SCHEMA_TEXT,	 /* a line of `min` to `max` characters, like the types from here on */
	SCHEMA_BODY,	 /* several lines */
	SCHEMA_TOKEN,	 /* of RFC 9110: the name of a header */
	SCHEMA_METHOD,	 /* of HTTP */
	SCHEMA_PATTERN,	 /* a text, a wildcard or ~REGEX */
	SCHEMA_HOST,	 /* a pattern for the hosts of requests */
	SCHEMA_URL_PATH, /* a pattern for their paths */
	SCHEMA_TEMPLATE, /* a part of a URL with ${variables} of the request */
	SCHEMA_TEMPLATE_PATH, /* such a path */
	SCHEMA_URL,	      /* such a URL */
	SCHEMA_MEDIA_TYPE,    /* text/html */
	SCHEMA_STATUS,	      /* 200 to 299, 400 to 599 */
};

enum schema_flags {
	SCHEMA_REQUIRED = 1,
	SCHEMA_LIST = 2,    /* a list of the type; one scalar stands for a list of one */
	SCHEMA_SECONDS = 4, /* of a duration: whole seconds only */
	SCHEMA_EMPTY = 8,   /* of a text: may be "" */
	SCHEMA_HTTP = 16,   /* only of listeners of protocol http and https, and below them */
};

struct schema_choice {
	const char *name; /* NULL ends the list */
	int value;
};

/* Of limits; the values that the key has in each stand beside it in the table. */
enum schema_profile {
	SCHEMA_PROFILE_DEFAULT,
	SCHEMA_PROFILE_GA_2021,
	SCHEMA_PROFILES,
};

struct schema_object;

struct schema_key {
	const char *name;
	enum schema_type type;
	unsigned flags;
	int64_t min, max;		     /* NUMBER, PORTS; DURATION, SPAN in ms; texts */
	unsigned min_items, max_items;	     /* LIST; 0: any number */
	const struct schema_choice *choices; /* CHOICE */
	int64_t fallback;		     /* value of an absent number, bool, choice, duration */
	const char *absent;		     /* the default in words, or NULL: nothing */
	const struct schema_object *object;  /* OBJECT, ENDPOINT, MAP */
	const char *profiles[SCHEMA_PROFILES]; /* of a limit: its text in each; a list has commas */
	const char *help;
};

struct schema_object {
	const char *name;
	const struct schema_key *keys;
	size_t count;
	const struct schema_key *scalar; /* one value stands for a mapping with only this key */
};

/* The keys of each object, as indexes of its table. */
enum schema_root_keys {
	ROOT_VERSION,
	ROOT_NODE,
	ROOT_INTERFACES,
	ROOT_SNAT,
	ROOT_NAMESERVERS,
	ROOT_INVENTORY,
	ROOT_TUNNEL_SOURCE,
	ROOT_STEAL_PORTS,
	ROOT_HASH_SEED,
	ROOT_NAT_FLOWS,
	ROOT_RECORDED_FLOWS,
	ROOT_ANSWERS_PER_SECOND,
	ROOT_LIMITS,
	ROOT_ACLS,
	ROOT_REGIONS,
	ROOT_CLIENT_REGIONS,
	ROOT_METRICS,
	ROOT_ACCESS_LOG,
	ROOT_LISTENERS,
};

enum schema_node_keys {
	NODE_NAME,
	NODE_REGION,
};

enum schema_metrics_keys {
	METRICS_LISTEN,
};

enum schema_inventory_keys {
	INVENTORY_FILES,
	INVENTORY_ADDRESSES,
};

enum schema_latency_keys {
	LATENCY_REGION,
	LATENCY_LATENCY,
};

enum schema_region_keys {
	REGION_NAME,
	REGION_LATENCY,
	REGION_LATENCIES,
	REGION_COUNTRIES,
	REGION_CONTINENTS,
};

enum schema_client_regions_keys {
	CLIENT_REGIONS_FILE,
	CLIENT_REGIONS_MAXMIND,
};

enum schema_acl_keys {
	ACL_NAME,
	ACL_PREFIXES,
};

enum schema_listener_keys {
	LISTENER_NAME,
	LISTENER_PROTOCOL,
	LISTENER_ADDRESS,
	LISTENER_PORT,
	LISTENER_MODE,
	LISTENER_VIP,
	LISTENER_CLIENT_AFFINITY,
	LISTENER_IDLE_TIMEOUT,
	LISTENER_SNAT,
	LISTENER_TUNNEL_SOURCE,
	LISTENER_GUE_PORT,
	LISTENER_ALLOW,
	LISTENER_DENY,
	LISTENER_ALLOW_NOBODY,
	LISTENER_NEW_FLOWS_PER_SOURCE,
	LISTENER_FAIL_OPEN,
	LISTENER_REQUEST_TIMEOUT,
	LISTENER_UPGRADE_IDLE_TIMEOUT,
	LISTENER_HEADER_TIMEOUT,
	LISTENER_CONNECT_TIMEOUT,
	LISTENER_HEAD_LIMIT,
	LISTENER_TUNNEL,
	LISTENER_KERNEL_ROUTING,
	LISTENER_SYN_COOKIES,
	LISTENER_X_FORWARDED,
	LISTENER_TRUSTED_PROXIES,
	LISTENER_PROXY_PROTOCOL_IN,
	LISTENER_TLS,
	LISTENER_GROUPS,
	LISTENER_RULE_ORDER,
	LISTENER_RULES,
};

enum schema_group_keys {
	GROUP_NAME,
	GROUP_TYPE,
	GROUP_REGION,
	GROUP_TRAFFIC_PERCENTAGE,
	GROUP_HEALTH_CHECK,
	GROUP_PASSIVE_HEALTH,
	GROUP_SLOW_START,
	GROUP_BACKEND_PROTOCOL,
	GROUP_PORT_OVERRIDE,
	GROUP_ENDPOINTS,
};

enum schema_health_check_keys {
	HEALTH_CHECK_PROTOCOL,
	HEALTH_CHECK_PORT,
	HEALTH_CHECK_INTERVAL,
	HEALTH_CHECK_THRESHOLD,
	HEALTH_CHECK_TIMEOUT,
	HEALTH_CHECK_PATH,
	HEALTH_CHECK_HOST,
	HEALTH_CHECK_VERIFY,
	HEALTH_CHECK_CA_FILE,
	HEALTH_CHECK_SERVER_NAME,
};

enum schema_passive_health_keys {
	PASSIVE_HEALTH_FAILURES,
	PASSIVE_HEALTH_DURATION,
	PASSIVE_HEALTH_SERVER_ERRORS,
};

enum schema_endpoint_keys {
	ENDPOINT_NAME,
	ENDPOINT_TYPE,
	ENDPOINT_ADDRESS,
	ENDPOINT_PORT,
	ENDPOINT_WEIGHT,
	ENDPOINT_MODE,
	ENDPOINT_PROXY_PROTOCOL,
	ENDPOINT_MAX_CONNECTIONS,
};

enum schema_rule_keys {
	RULE_NAME,
	RULE_PRIORITY,
	RULE_HOST,
	RULE_PATH,
	RULE_HEADER,
	RULE_QUERY,
	RULE_METHOD,
	RULE_COOKIE,
	RULE_SOURCE_IP,
	RULE_FORWARD,
	RULE_REDIRECT,
	RULE_FIXED_RESPONSE,
	RULE_DROP,
	RULE_REWRITE,
	RULE_ADD_HEADER,
	RULE_REMOVE_HEADER,
};

enum schema_redirect_keys {
	REDIRECT_URL,
	REDIRECT_CODE,
};

enum schema_fixed_response_keys {
	FIXED_RESPONSE_CODE,
	FIXED_RESPONSE_CONTENT_TYPE,
	FIXED_RESPONSE_BODY,
};

enum schema_rewrite_keys {
	REWRITE_HOST,
	REWRITE_PATH,
	REWRITE_QUERY,
};

enum schema_tls_keys {
	TLS_CERTIFICATE,
	TLS_KEY,
	TLS_MORE_CERTIFICATES,
	TLS_MINIMUM_VERSION,
	TLS_CLIENT_CA,
};

enum schema_certificate_keys {
	CERTIFICATE_FILE,
	CERTIFICATE_KEY,
};

enum schema_proxy_protocol_in_keys {
	PROXY_PROTOCOL_IN_FROM,
};

/* Of a MAP: what its keys are, and their values. */
enum schema_free_keys {
	FREE_NAME,
	FREE_VALUE,
};

/* Values of `protocol`: IPPROTO_TCP, IPPROTO_UDP, or one of these, both of which are over TCP. */
enum schema_protocol {
	SCHEMA_PROTOCOL_HTTP = 256,
	SCHEMA_PROTOCOL_HTTPS,
};

/* Defaults that depend on another key, so that the table cannot hold them as values. */
#define SCHEMA_REGION	 "default"
#define SCHEMA_IDLE_TCP	 900   /* s */
#define SCHEMA_IDLE_UDP	 20    /* s */
#define SCHEMA_IDLE_HTTP 15    /* s */
#define SCHEMA_IDLE_MAX	 86400 /* s */
#define SCHEMA_FLOWS	 131072
#define SCHEMA_FLOWS_MIN 1024

/* The file: an OBJECT key without a name. */
extern const struct schema_key schema_root;

/* Its parts about listeners and HTTP. */
extern const struct schema_object schema_listener;
extern const struct schema_object schema_rule;
extern const struct schema_object schema_tls;
extern const struct schema_object schema_proxy_protocol_in;
extern const struct schema_choice schema_rule_orders[]; /* of a listener, and of the limits */

#endif
