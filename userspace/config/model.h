/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a configuration file says, after validation: listener → endpoint group → endpoint. Every
 * default is filled in, so nobody downstream asks "was it set?". Pure data; made by config_parse(),
 * read by plan, daemon and cli.
 */
#ifndef WEIR_CONFIG_MODEL_H
#define WEIR_CONFIG_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/abi.h>

#include "config/http.h"
#include "net/addr.h"
#include "util/cleanup.h"
#include "util/lookup.h"
#include "util/vec.h"

struct port_range {
	uint16_t first; /* host order, 1..65535 */
	uint16_t last;	/* >= first */
};

/* Where tunnels begin: an address, or a prefix whose last bits are the flow's. */
struct tunnel_source {
	VEC(struct addr_prefix) list; /* at most one per family */
};

/* `count` in `seconds`, evenly, and up to `burst` of them at once. */
struct rate {
	uint32_t count; /* 0: no limit */
	uint32_t seconds;
	uint32_t burst;
};

/* What the address of an endpoint is. */
enum endpoint_type {
	TYPE_CUSTOM_IP,
	TYPE_PUBLIC_IP,
	TYPE_CUSTOM_DOMAIN,
	TYPE_ECS,
	TYPE_SLB,
};

struct endpoint {
	char name[WEIR_NAME_MAX]; /* unique in its group; default: canonical HOST[:PORT] */
	struct addr address;
	uint8_t type;		  /* enum endpoint_type */
	char *domain;		  /* owned: its addresses are the endpoint's, or the id of the
				   * instance whose are; NULL: `address` is */
	uint8_t sharers;	  /* addresses of the domain that share the weight; 0: it has one */
	bool leaving;		  /* an address that the domain has no more: no new flows */
	uint16_t port;		  /* 0: the listener's port */
	uint8_t weight;		  /* 0..255 */
	uint8_t mode;		  /* enum weir_mode: its own, or the listener's */
	uint8_t proxy_protocol;	  /* version that it is spoken to with; 0: none */
	uint32_t max_connections; /* requests at a time; 0: any number */
};

enum health_protocol {
	HEALTH_TCP,
	HEALTH_HTTP,
	HEALTH_HTTPS,
};

/* How the endpoints of a group are checked. */
struct health_check {
	uint8_t protocol;  /* enum health_protocol */
	uint8_t threshold; /* so many results in a row change an endpoint's state */
	uint16_t port;	   /* 0: the endpoint's, or else the listener's first */
	uint32_t interval; /* ms, from the start of a probe to that of the next */
	uint32_t timeout;  /* ms, for all of a probe */
	char *path;	   /* owned, of the request; with http only */
	char *host;	   /* owned, its Host header; NULL: the endpoint's address and port */
	/* with https only */
	bool verify;	   /* the certificate */
	char *ca_file;	   /* owned; NULL: whom the system trusts */
	char *server_name; /* owned; NULL: that of `host`, or else the endpoint's address */
};

/* When requests of clients tell that an endpoint cannot serve. */
struct passive_health {
	uint32_t failures;  /* so many in a row; 0: never */
	uint32_t duration;  /* ms, for which it is put aside then */
	bool server_errors; /* answers of 5xx count, too */
};

struct endpoint_group {
	char name[WEIR_NAME_MAX];
	char region[WEIR_NAME_MAX];
	uint8_t traffic_percentage;	   /* 0..100, of what nearer groups leave */
	bool is_virtual;		   /* takes only what a forwarding rule sends there */
	bool backend_https;		   /* the endpoints of an http listener speak https */
	struct health_check *health_check; /* owned; NULL: the endpoints are not checked */
	struct passive_health passive_health;
	uint32_t slow_start; /* ms, until an endpoint that has come has its whole share; 0: at once
			      */
	VEC(struct endpoint) endpoints; /* >= 1 in a file */
};

/* A list of addresses for listeners to name. */
struct acl {
	char name[WEIR_NAME_MAX];      /* unique in the file */
	struct addr_prefixes prefixes; /* all of one IP version, maybe none */
};

/* Two letters: of a country (ISO 3166) or a continent, as a MaxMind DB has them. */
struct region_code {
	char text[3];
};

/* How far a region is. */
struct region_latency {
	char region[WEIR_NAME_MAX];
	uint32_t ms;
};

#define MODEL_UNKNOWN_LATENCY UINT32_MAX

struct region {
	char name[WEIR_NAME_MAX];
	uint32_t latency;		      /* ms, from the node; MODEL_UNKNOWN_LATENCY */
	VEC(struct region_latency) latencies; /* of others from here, for clients of the region */
	VEC(struct region_code) countries;    /* whose clients are here */
	VEC(struct region_code) continents;   /* the same of other countries */
};

struct listener {
	char name[WEIR_NAME_MAX]; /* unique in the file */
	uint8_t protocol;	  /* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t mode;		  /* enum weir_mode, of endpoints that name none */
	bool vip_route;		  /* weir makes the addresses reachable (vip: route) */
	bool client_affinity;	  /* one endpoint per client address (client_affinity: source_ip) */
	uint32_t idle_timeout;	  /* s */
	uint8_t access;		  /* enum weir_access */
	bool allow_nobody;	  /* a list of no address is meant so */
	bool fail_open;		  /* better an unusable endpoint than none */
	uint16_t gue_port;	  /* of endpoints, with mode gue */
	struct rate new_flows_per_source;
	struct http *http; /* owned; NULL: protocol tcp or udp */
	VEC(struct addr) addresses;
	VEC(struct port_range) ports;	    /* sorted, not overlapping */
	VEC(struct addr) snat;		    /* empty: the model's */
	struct tunnel_source tunnel_source; /* empty: the model's */
	VEC(uint32_t) acls;		    /* whom `access` is about: indices in the model's */
	VEC(struct endpoint_group) groups;  /* >= 1, in the order of the file */
};

/* What a file may ask for; also the keys of `limits:`. */
enum limit {
	LIMIT_PROFILE,
	LIMIT_LISTENERS,
	LIMIT_PORTS,	/* of a listener */
	LIMIT_PORT_MAX, /* a port */
	LIMIT_RESERVED_UDP_PORTS,
	LIMIT_ENDPOINTS,      /* of a group */
	LIMIT_DEFAULT_GROUPS, /* of a listener, like the next */
	LIMIT_VIRTUAL_GROUPS,
	LIMIT_INSTANCE_ENDPOINTS, /* are they allowed? */
	LIMIT_RULE_ORDER,	  /* enum http_rule_order */
	LIMIT_RULE_CONDITIONS,	  /* a set of 1 << enum http_field */
	LIMIT_IDLE_TCP,		  /* s */
	LIMIT_IDLE_UDP,		  /* s */
	LIMIT_IDLE_HTTP,	  /* s */
	LIMIT_COUNT,
};

struct limits {
	struct limit_range {
		uint32_t min, max; /* equal but for a span */
	} range[LIMIT_COUNT];	   /* of the profile: its number */
	VEC(struct port_range) reserved_udp_ports;
};

/* Where metrics can be read. */
struct metrics_listen {
	struct addr address;
	uint16_t port; /* 0: nowhere */
};

#define MODEL_INVENTORY_FILES 16

/* Where the addresses of instances are looked up. */
struct inventory {
	VEC(char *) files;  /* owned; none: there is no inventory */
	bool prefer_public; /* of an ecs instance's addresses */
};

struct model {
	char node_name[WEIR_NAME_MAX];
	char node_region[WEIR_NAME_MAX];
	bool steal_ports;
	uint32_t hash_seed;	      /* of the slot hash: equal on all nodes */
	uint32_t nat_flows;	      /* that can be at once */
	uint32_t recorded_flows;      /* the same, of other modes while their shares change */
	uint32_t answers_per_second;  /* of each kind of packet that weir itself sends; 0: none */
	VEC(char *) interfaces;	      /* owned */
	VEC(struct addr) snat;	      /* empty: the route's preferred source */
	VEC(struct addr) nameservers; /* empty: those of the host */
	struct inventory inventory;
	struct metrics_listen metrics;
	char *access_log;		    /* file, owned; NULL: none is written */
	struct tunnel_source tunnel_source; /* the same */
	struct limits limits;		    /* that the file keeps to */
	VEC(struct acl) acls;
	VEC(struct region) regions;
	struct lookup regions_by_name;
	char *clients_file;    /* owned; NULL: none */
	char *clients_maxmind; /* the same */
	VEC(struct listener) listeners;
	struct lookup by_name; /* of the listeners, made by model_index() */
};

void model_free(struct model *model);
DEFINE_CLEANUP(struct model *, model_free)

/* Makes listeners be found quickly; to be called when they are all there. 0 or -ENOMEM. */
int model_index(struct model *model);

/* Of an endpoint: where its health check asks. */
uint16_t model_health_port(const struct listener *listener, const struct endpoint_group *group,
			   const struct endpoint *endpoint);

/* Has it an endpoint of mode nat, or of any other? A listener of http has neither. */
bool model_has_nat(const struct listener *listener);
bool model_has_stateless(const struct listener *listener);

/* NULL if there is none of this name. */
const struct listener *model_find_listener(const struct model *model, const char *name);
const struct endpoint_group *model_find_group(const struct listener *listener, const char *name);
const struct endpoint *model_find_endpoint(const struct endpoint_group *group, const char *name);

/* Drops listeners (group and endpoint are NULL) and endpoints that `keep` does not want. */
void model_keep(struct model *model,
		bool keep(const void *user, const struct listener *listener,
			  const struct endpoint_group *group, const struct endpoint *endpoint),
		const void *user);

/* Deep copy; NULL without memory. */
struct model *model_copy(const struct model *model);

/* "nat", "dsr", ...: as the configuration has it. */
const char *model_mode_name(uint8_t mode);

/* "tcp": as the configuration has it. */
const char *model_health_name(uint8_t protocol);

/* "10.0.0.1:80", "example.com:80": how the configuration names an endpoint that has no name.
 * Returns `text`, with room for MODEL_HOST_MAX. */
#define MODEL_HOST_MAX (ADDR_HOST_MAX + 8)
const char *model_endpoint_host(const struct endpoint *endpoint, char *text);

/* Is the address an instance's, to be looked up in the inventory? */
bool model_is_instance(const struct endpoint *endpoint);

/* "custom_ip", "ecs", ...: as the configuration has it. */
const char *model_type_name(uint8_t type);

/* "100/s burst 200", without the burst where it equals the count. Returns `text`, with room for
 * MODEL_RATE_MAX. */
#define MODEL_RATE_MAX 40
const char *model_rate_print(const struct rate *rate, char *text);

/* One limit of both. */
bool model_equal_limit(const struct limits *a, const struct limits *b, enum limit limit);

/* The same in every field, the order of lists included. */
bool model_equal(const struct model *a, const struct model *b);

#endif
