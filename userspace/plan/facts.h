/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon has found out about the world, as plain data: which interfaces carry the data
 * plane, how each endpoint is reached, which ports are free for SNAT. Netlink fills it, tests
 * write it by hand, plan_build() reads it.
 */
#ifndef WEIR_PLAN_FACTS_H
#define WEIR_PLAN_FACTS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include <weir/abi.h>

#include "net/addr.h"
#include "plan/verdict.h"
#include "util/lookup.h"
#include "util/vec.h"

/* An interface with weir's program on it, or a VLAN device whose frames pass one. */
struct facts_interface {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	uint8_t mac[6];
	uint16_t mtu;		   /* bytes, layer 3; 0: not known */
	uint32_t attached;	   /* ifindex of the one with the program: its own, or another's */
	uint16_t vlan[WEIR_VLANS]; /* tags that its frames have there, as in weir_egress */
};

/* How an endpoint's address is reached. */
struct facts_target {
	struct addr address;
	uint32_t ifindex;	     /* of the interface it leaves by; 0: no route */
	char interface[IF_NAMESIZE]; /* its name, for messages */
	struct addr next_hop;	     /* the gateway, or the address itself */
	struct addr source;	     /* the route's preferred source */
	uint16_t mtu;		     /* of the path as far as it is known, layer 3; 0: not known */
	bool local;		     /* the address is this host's own */
	bool resolved;		     /* mac is known */
	bool lost;		     /* ... from before: the kernel has dropped the neighbour */
	uint8_t mac[6];
};

/* Ports that weir may use on one of the host's addresses. */
struct facts_ports {
	struct addr address;
	uint32_t ranges;
	struct weir_port_range range[WEIR_SNAT_RANGES];
};

struct locations;

/* SYN cookies, as this host's TCP takes them back. */
struct facts_cookies {
	uint8_t kind;	/* enum weir_cookies */
	uint8_t wscale; /* of WEIR_COOKIES_TIMES: that the stack will choose */
};

struct facts {
	VEC(struct facts_interface) interfaces;
	VEC(struct facts_target) targets;
	VEC(struct facts_ports) ports;
	struct lookup by_address;	 /* of the targets that facts_add_target() has added */
	const struct verdicts *verdicts; /* of health checks, their owner's; NULL: there are none */
	const struct locations *locations; /* of clients, their owner's; NULL: not known */
	uint32_t now;			   /* s, the data plane's clock */
	struct facts_cookies cookies;	   /* where a listener wants them */
	/* The configuration is in force already: an endpoint that is out of reach now is a fact,
	 * not a mistake in it. */
	bool accepted;
};

void facts_fini(struct facts *facts);

/* 0 or -ENOMEM. A target that is pushed to the list otherwise is found, too, but slowly. */
int facts_add_target(struct facts *facts, const struct facts_target *target);

/* NULL if there is none. The pointers end with the next change of the facts. */
struct facts_target *facts_target(const struct facts *facts, const struct addr *address);
struct facts_interface *facts_interface(const struct facts *facts, uint32_t ifindex);
/* The one that a way out is. */
struct facts_interface *facts_of_egress(const struct facts *facts,
					const struct weir_egress *egress);
struct facts_ports *facts_ports(const struct facts *facts, const struct addr *address);

/* The way out that an interface is. */
struct weir_egress facts_egress(const struct facts_interface *interface);

#endif
