/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Follows domains on the daemon's loop: asks for their A and AAAA records when the time to live of
 * the last answer is over (1 s to an hour), each family apart. What has been known stays until a
 * good answer says something else: a server that is silent or broken, a name that is gone, or one
 * without any address changes nothing. The only user of c-ares.
 */
#ifndef WEIR_DNS_RESOLVER_H
#define WEIR_DNS_RESOLVER_H

#include "config/model.h"
#include "plan/names.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/loop.h"

#define RESOLVER_TTL_MIN 1    /* s */
#define RESOLVER_TTL_MAX 3600 /* s */
#define RESOLVER_LEAVING 3600 /* s that flows may stay with an address that is gone */

struct resolver;

struct resolver_calls {
	/* A domain has other addresses than before. */
	void (*changed)(void *user, const struct names_domain *domain);
	/* Asking has begun to fail (the reason in words), or goes well again (NULL). */
	void (*troubled)(void *user, const char *domain, const char *reason);
	void *user;
};

/* -errno with a text where there is no resolver to be had. */
int resolver_new(struct loop *loop, const struct resolver_calls *calls, struct resolver **ret,
		 struct err *err);
void resolver_free(struct resolver *resolver);
DEFINE_CLEANUP(struct resolver *, resolver_free)

/* What was known when the last daemon ended; taken, and replaced by nothing. */
void resolver_adopt(struct resolver *resolver, struct names *names);

/* From now on the domains of this model are followed, with its nameservers; what is known of them
 * stays. 0 or -ENOMEM. */
int resolver_follow(struct resolver *resolver, const struct model *model);

/* What is known; valid until the next call of the loop. */
const struct names *resolver_names(const struct resolver *resolver);

/* How long an answer of `ttl` seconds holds. */
uint32_t resolver_clamp(int ttl);

#endif
