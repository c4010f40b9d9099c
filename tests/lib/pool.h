/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Endpoints that come and go, for tests that change them at random: the members of a pool, each
 * with an address of both families, serve all listeners. A member keeps its number for ever:
 * number i is 10.0.0.(11 + i) and fd00::(11 + i), and known by the MAC that rig_mac() gives it.
 */
#ifndef TESTS_LIB_POOL_H
#define TESTS_LIB_POOL_H

#include "reference.h"
#include "rig.h"

#define POOL_MAX  40
#define POOL_WHAT 32
#define POOL_VIPS "[" VIP4 ", '" VIP6 "']" /* of every listener */

struct pool_member {
	bool configured;
	bool drained; /* by an override */
	bool dead;    /* nobody answers at its address */
	uint8_t weight;
	uint8_t set;	/* weight by an override; 0: none */
	uint32_t lives; /* how often it was removed: flows of an earlier life are lost */
};

struct pool_listener {
	const char *name;
	const char *mode;
	uint8_t protocol;
	uint16_t port;
	int only; /* 4, 6: members with their address of this family serve all clients; 0: their own
		   */
};

struct pool {
	unsigned count; /* of members */
	struct pool_member members[POOL_MAX];
	const struct pool_listener *listeners;
	size_t listener_count;
	uint32_t idle_timeout; /* of all of them */
	bool affinity;	       /* client_affinity: source_ip */
};

/* Which member has which slot. */
struct pool_table {
	uint8_t slots[REFERENCE_SLOTS];
	uint32_t size;
	uint32_t classes; /* what others have more of, or less, is dealt anew */
};

/* REFERENCE_NOBODY if the MAC is no member's. */
uint8_t pool_member_of(const uint8_t mac[6]);

/* As new flows see it: 0 unless it is configured and not drained. */
uint32_t pool_weight(const struct pool_member *member);
/* What its share of new flows is in proportion to: the same, but 0 if it is dead and another is
 * not. */
uint32_t pool_share(const struct pool *pool, unsigned member);
unsigned pool_count_weighted(const struct pool *pool);
unsigned pool_count_configured(const struct pool *pool);

/* What the reference has to know of the members. */
void pool_describe(const struct pool *pool, struct reference *ret);

uint8_t pool_random_weight(const struct pool *pool, uint64_t *random);

/* Something happens to some member: it is added, removed, drained, brought back, gets another
 * weight from the file or the operator; or it dies or revives, which its flows feel at once. The
 * plan is another then. Says what it was. */
void pool_disturb(struct pool *pool, uint64_t *random, char ret_what[POOL_WHAT]);

/* Whether the facts know a MAC of the member's addresses, after a change of `dead`. */
void pool_set_reachable(const struct pool *pool, unsigned member);

/* Puts members and listeners in force on the rig's node. */
void pool_configure(const struct pool *pool);

/* Of which family a listener's endpoints are, for clients of a family. */
enum plan_family pool_family(const struct pool_listener *listener, enum plan_family clients);

/* The table that the members' addresses of a family give, on a node without a past. */
void pool_choose(const struct pool *pool, enum plan_family family, struct pool_table *ret);

/* Slots of a listener's table in force by member; returns how many there are in all. */
uint32_t pool_count_slots(const char *listener, enum plan_family family, uint32_t ret[POOL_MAX]);

/*
 * Slots that the last change moved beyond those that had to, in points of the table: `before` is
 * what pool_count_slots() said. Where several members changed at once, 2d / (1 + d) of the slots
 * had to where d is what the shares differ by: no table without a memory does better with all
 * weights.
 */
double pool_needless(const struct pool *pool, const char *listener, enum plan_family family,
		     const uint32_t before[POOL_MAX], bool several);

/* Points of the slots that another number of configured members deals anew. */
double pool_dealt_anew(const struct pool_table *before, const struct pool_table *after);

/* Fails unless each member's share of the slots is its weight's, but for the rounding of its slots
 * in the table that it wants. */
void pool_check_shares(const struct pool *pool, const char *listener, enum plan_family family,
		       const struct pool_table *table);

#endif
