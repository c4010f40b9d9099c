/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The plan: what the configuration maps shall contain. plan_build() folds model, overrides and
 * facts into it, starting from the plan in force, so that everything keeps its place: a listener
 * its id, an endpoint its row, a slot its endpoint. Pure: no files, no maps, no clock.
 *
 * The same structure is read back from pinned maps (dataplane/sync.h): a starting daemon
 * adopts it, `weir show` prints it with or without a daemon.
 *
 * Nothing that a packet may still refer to is reused: an endpoint that leaves the configuration
 * stays as GONE, a listener stays without addresses, until plan_release() hears that no flow
 * names their rows.
 */
#ifndef WEIR_PLAN_PLAN_H
#define WEIR_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/abi.h>

#include "config/model.h"
#include "net/addr.h"
#include "plan/bounds.h"
#include "plan/facts.h"
#include "plan/override.h"
#include "plan/slots.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/vec.h"

enum plan_family {
	PLAN_IP4, /* of the client, and so of the listener's address */
	PLAN_IP6,
	PLAN_FAMILIES,
};

/* Of the outer headers that modes ipip and gue put on. */
struct plan_tunnel {
	struct addr source;
	uint8_t source_bits; /* how many of its last bits are the flow's */
	uint16_t mtu;	     /* of the path, outer headers included */
	uint16_t gue_port;   /* mode gue */
};

struct plan_endpoint {
	uint32_t row;
	char name[WEIR_NAME_MAX];
	char group[WEIR_NAME_MAX];
	uint16_t group_place; /* in the listener's groups */
	bool reachable;	      /* as far as is known, what is sent to it leaves */
	bool named;	      /* by a slot table: it takes new flows */
	struct addr address;
	uint16_t port; /* host order; 0: the listener's */
	uint8_t weight;
	uint8_t undrained_weight; /* set by plan_build(): what the weight will be after a drain */
	uint8_t file_weight;
	uint8_t sharers;     /* addresses of a domain that share the weight; 0: it has one */
	uint8_t state;	     /* enum weir_endpoint_state, never FREE */
	uint8_t mode;	     /* enum weir_mode */
	uint32_t generation; /* of the row */
	struct weir_health health;
	struct weir_nexthop nexthop;
	uint16_t snat; /* rows in plan->snat */
	uint16_t snat_rows;
	struct plan_tunnel tunnel;    /* zero with other modes */
	uint32_t want[PLAN_FAMILIES]; /* millionths */
};

struct plan_group {
	char name[WEIR_NAME_MAX];
	char region[WEIR_NAME_MAX];
	uint8_t traffic_percentage;
};

struct plan_table {
	struct slot *slots; /* owned; NULL: no usable endpoint, or no address of the family */
	/* Owned: places in the listener's groups, the nearest to the table's clients first. NULL:
	 * as the groups stand. */
	uint16_t *order;
	uint32_t origin; /* number of the table that it was in the plan before */
	uint32_t size;
	uint32_t line;	   /* where it is in the slots map; PLAN_NO_LINE: not written yet */
	uint32_t deadline; /* s: its MOVING slots become PINNED then; 0: none is */
	struct slots_change change; /* what plan_build() did to it */
	bool built;		    /* by plan_build(), of the weights that the endpoints have */
	bool fresh;		    /* its line is given, but nothing written there yet */
};

#define PLAN_NO_LINE UINT32_MAX

/*
 * Where a listener's groups are near to some clients in another order than to the node, or were so
 * lately, those have tables of their own: further ones, numbered from 1 on; table 0 is the
 * listener's `table`, of all others. Regions whose order is the same share a table, as soon as
 * nothing of their past tells them apart. Tables of an http listener have no slots: the order is
 * all that its workers need.
 */
struct plan_clients {
	VEC(struct plan_table) tables;
	uint8_t *table_of; /* owned: WEIR_MAX_REGIONS, by the region's number; NULL: no tables */
	uint32_t block;	   /* first row in clients; PLAN_NO_LINE: not written yet */
	uint32_t regions;  /* how many numbers the block has a row for */
	bool fresh;	   /* it is given, but nothing written there yet */
};

struct plan_listener {
	uint32_t id; /* 1..WEIR_MAX_LISTENERS - 1 */
	char name[WEIR_NAME_MAX];
	uint8_t protocol;
	uint8_t mode; /* enum weir_mode, of endpoints that name none; PROXY: it has no slot table */
	bool vip_route;
	bool client_affinity;
	uint32_t idle_timeout;
	uint8_t access;			      /* enum weir_access */
	char lists[WEIR_NAME_MAX];	      /* the names of the acls that it is about */
	struct bounds *ranges[PLAN_FAMILIES]; /* a reference; NULL: everybody, or no address */
	struct rate new_flows_per_source;
	struct facts_cookies cookies; /* that packets are answered with */
	uint32_t guard;		      /* row in guards, once written; 0: needs none */
	VEC(struct addr) addresses;   /* empty: removed, waiting for its last flows */
	VEC(struct port_range) ports;
	uint32_t block; /* first row of the block that slots count from */
	uint32_t block_size;
	bool fail_open; /* better an unusable endpoint than none */
	bool proxied;	/* http: by the PROXY protocol its clients are of either family */
	bool reshared;	/* http: plan_build() has changed what its endpoints are to get */
	VEC(struct plan_group) groups;	     /* the nearest to the node first */
	VEC(struct plan_endpoint) endpoints; /* in any order; also rows outside the block */
	struct plan_table table[PLAN_FAMILIES];
	struct plan_clients clients[PLAN_FAMILIES];
};

/* Its place in the plan's list is its number in the maps. */
struct plan_region {
	char name[WEIR_NAME_MAX]; /* "": free */
	bool used;		  /* by the plan; otherwise only by the one before */
};

struct plan_snat {
	struct weir_snat row; /* row.ports == 0: free */
	bool used;	      /* by an endpoint; otherwise only by flows that go on */
};

struct plan {
	uint32_t hash_seed;
	uint32_t nat_flows;	     /* that there shall be room for; 0: no listener needs any */
	uint32_t exceptions;	     /* the same, of flows recorded while slots change */
	bool limits;		     /* a listener limits its sources: they have to be remembered */
	uint32_t answers_per_second; /* struct weir_control */
	VEC(struct plan_listener) listeners;
	/* [0] is never used; without ifindex: free, or with a name: kept for flows that came by it
	 */
	VEC(struct weir_egress) egress;
	VEC(struct plan_snat) snat;	 /* [0] is never used */
	VEC(struct plan_region) regions; /* [0] is nobody's */
	/* Where clients are, by the numbers of regions: references; NULL: no listener asks. */
	struct bounds *clients[PLAN_FAMILIES];
	VEC(uint32_t) generations; /* last generation of every row that ever had one */
};

/* Do they stand for one endpoint of a listener? Packets know it by address and port alone; with
 * requests, where rules choose the group, it is one in each of its groups. */
bool plan_is_same(const struct plan_endpoint *a, const struct plan_endpoint *b);

/* An empty plan; NULL without memory. */
struct plan *plan_new(void);
void plan_free(struct plan *plan);
DEFINE_CLEANUP(struct plan *, plan_free)
struct plan *plan_copy(const struct plan *plan);

/* The same without listeners and rows; and one listener more, copied. */
struct plan *plan_begin(const struct plan *plan);
int plan_copy_listener(struct plan *plan, const struct plan_listener *listener);

/*
 * The next plan. `now`-dependent parts use facts->now. Errors (-EINVAL, -ENOSPC, ... with a text
 * that names listener and endpoint): an endpoint that leaves by an interface which is not in
 * facts->interfaces or is no neighbour in mode dsr, a full table. An endpoint without a route or
 * MAC is no error: its next hop is empty and its packets are counted as no_next_hop.
 */
int plan_build(const struct model *model, const struct overrides *overrides,
	       const struct facts *facts, const struct plan *in_force, struct plan **ret,
	       struct err *err);

/*
 * Of these listeners (of the model in force) alone, with other weights or verdicts: a plan without
 * the others, for sync_listeners() and plan_merge(). The same as plan_build() would make of them,
 * without a look at the rest of them or of the facts. -ESRCH: the plan in force does not have them
 * as the model does.
 */
int plan_reweigh(const struct listener *const *listeners, size_t count,
		 const struct overrides *overrides, const struct facts *facts,
		 const struct plan *in_force, struct plan **ret, struct err *err);

/* Puts the listeners of such a plan, which is empty then, in the place of those it was made of. */
void plan_merge(struct plan *plan, struct plan *part);

/* Sets every endpoint's next hop anew (a neighbour or a route changed). True if any differs. */
bool plan_resolve(struct plan *plan, const struct facts *facts);

/* What flows still refer to, by a scan of the flow maps. */
struct plan_references {
	bool *rows; /* WEIR_MAX_ENDPOINTS; untouched where nothing refers */
	bool egress[WEIR_MAX_EGRESS];
	VEC(struct addr) snat_addresses; /* distinct */
};

/* Frees GONE endpoints, rows that a block left behind, removed listeners and unused SNAT rows that
 * nothing refers to. True if anything was freed. */
bool plan_release(struct plan *plan, const struct plan_references *references);

/* Of a client's or an endpoint's address. */
enum plan_family plan_family_of(const struct addr *addr);

/* May it take new flows, as far as its own state goes? Whether its group does is plan_shares.h's.
 */
bool plan_is_usable(const struct plan_endpoint *endpoint);

/*
 * Who has which slot, in one number: equal on two nodes, or before and after a change, if new flows
 * go to the same endpoints. A table that repeats a smaller one has that one's. 0: no table.
 */
uint64_t plan_digest(const struct plan_listener *listener, const struct plan_table *table);

/*
 * A listener's tables, one after the other: those for IPv4 clients, then those for IPv6, each time
 * number 0 first. NULL in the first place; NULL: there are no more.
 */
struct plan_table *plan_next_table(const struct plan_listener *listener,
				   const struct plan_table *table);
#define plan_foreach_table(table, listener)                                                        \
	for (struct plan_table *table = plan_next_table(listener, NULL); table;                    \
	     table = plan_next_table(listener, table))

/* Of one of these: the family of its clients, its place in that order, and its number. */
enum plan_family plan_table_family(const struct plan_listener *listener,
				   const struct plan_table *table);
size_t plan_table_place(const struct plan_listener *listener, const struct plan_table *table);
size_t plan_table_number(const struct plan_listener *listener, const struct plan_table *table);

/* How many there are. */
size_t plan_count_tables(const struct plan_listener *listener);

/* By its number, which has to be one. */
struct plan_table *plan_table_at(const struct plan_listener *listener, enum plan_family family,
				 size_t number);

/* The number of the region in which a client is, as far as that makes a difference to the listener;
 * 0: of none. */
uint8_t plan_client_region(const struct plan *plan, const struct plan_listener *listener,
			   const struct addr *client);

/* Of an http listener, in which order its groups are near to clients of a region, of whatever
 * family: places in its groups; NULL: as they stand. */
const uint16_t *plan_order_of(const struct plan_listener *listener, uint8_t region);

/* The table that decides about a client's new flows. */
struct plan_table *plan_table_of(const struct plan *plan, const struct plan_listener *listener,
				 const struct addr *client);

/* Frees slots and order. */
void plan_table_fini(struct plan_table *table);

/* Frees them all. */
void plan_clients_drop(struct plan_clients *clients);

/* Is a row in the listener's block, so that slots may name it? */
bool plan_in_block(const struct plan_listener *listener, uint32_t row);

/*
 * Can an endpoint serve clients of a family? Of its own always; of the other one in a tunnel, and
 * with nat, which then has to translate, if the listener has no endpoint of that family.
 */
bool plan_serves(const struct plan_listener *listener, const struct plan_endpoint *endpoint,
		 enum plan_family family);

/* Does a row of the listener, be it one that is kept for its flows alone, have the mode nat? Or
 * any other, with which flows are not recorded each? */
bool plan_has_nat(const struct plan_listener *listener);
bool plan_has_stateless(const struct plan_listener *listener);

/* Notes the last generation of a row. 0 or -ENOMEM. */
int plan_set_generation(struct plan *plan, uint32_t row, uint32_t generation);

/* Of a region of the plan; 0 if there is none of the name. */
uint32_t plan_region_number(const struct plan *plan, const char *name);

/* By configuration name, removed ones left out; NULL if there is none. */
struct plan_listener *plan_find_listener(const struct plan *plan, const char *name);
struct plan_listener *plan_find_id(const struct plan *plan, uint32_t id);
struct plan_endpoint *plan_find_row(const struct plan_listener *listener, uint32_t row);

#endif
