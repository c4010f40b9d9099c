/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What DNS says of the domains that endpoints have for an address, and the inventory of instances.
 * dns/ and the daemon find it out, the plan is built of a model in which every domain and instance
 * is replaced by its addresses.
 */
#ifndef WEIR_PLAN_NAMES_H
#define WEIR_PLAN_NAMES_H

#include "config/model.h"
#include "util/lookup.h"
#include "util/vec.h"

struct names_address {
	struct addr address;
	/* The domain has it no more; flows that are with it stay. CLOCK_REALTIME in s; 0: it has.
	 */
	uint64_t left;
};

struct names_domain {
	char *name;			     /* owned */
	VEC(struct names_address) addresses; /* of both families, in the order of numbers */
};

struct names {
	VEC(struct names_domain) list;
	struct lookup by_name; /* kept by the functions here */
};

void names_fini(struct names *names);

/* NULL if there is none. */
struct names_domain *names_find(const struct names *names, const char *domain);

/* Finds or adds. NULL without memory. */
struct names_domain *names_get(struct names *names, const char *domain);

/* Drops all but some. Without memory nothing is dropped. */
void names_keep(struct names *names, bool (*wanted)(void *user, const char *name), void *user);

/* What is known of an endpoint's domain is under its name, of its instance under "ecs/ID". Returns
 * `text`. */
#define NAMES_KEY_MAX (ADDR_HOST_MAX + 8)
const char *names_key(const struct endpoint *endpoint, char text[NAMES_KEY_MAX]);

/* The domain has these addresses of a family now, and only these. Those that it had are leaving
 * from `now` on, the latest NAMES_LEAVING of them. True if anything has changed. */
#define NAMES_LEAVING 32
bool names_set(struct names_domain *domain, int family, const struct addr *addresses, size_t count,
	       uint64_t now);

/* Drops those that have been leaving since `before` or longer. True if there were any. */
bool names_expire(struct names_domain *domain, uint64_t before);

/*
 * The model with an endpoint for each address of a domain or instance, under its name; none where
 * nothing is known. NULL without memory. The caller frees it.
 */
struct model *names_expand(const struct names *domains, const struct names *instances,
			   const struct model *model);

/* Has it an address that new flows go to? */
bool names_usable(const struct names_domain *domain);

/* Has the model an endpoint with a domain or instance? */
bool names_needed(const struct model *model);

#endif
