/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From netlink and /proc to facts, and what the daemon asks of the host in return: neighbours that
 * the kernel keeps resolved, and listener addresses that the host answers for.
 */
#ifndef WEIR_DAEMON_WORLD_H
#define WEIR_DAEMON_WORLD_H

#include "config/model.h"
#include "dataplane/attach.h"
#include "net/nl.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "util/err.h"

/*
 * Looks up how every endpoint of the model is reached; an endpoint without a route is a fact, not
 * an error. With `manage` the kernel is asked to keep the way there resolved (which the event
 * socket hears: do not answer an event with it). The caller frees the facts;
 * their `now` is not set.
 */
int world_gather(struct nl *nl, const struct model *model, const struct attachments *attachments,
		 bool manage, struct facts *ret, struct err *err);

/* Asks again for the MACs that were not known when the facts were gathered. */
int world_resolve(struct nl *nl, struct facts *facts, struct err *err);

/* Gives back the neighbours that only `before` needed. */
void world_forget(struct nl *nl, const struct facts *before, const struct facts *now);

/* A link that went down takes its neighbours along: until they are resolved again, the MACs known
 * before are the best there is. */
void world_remember(const struct facts *before, struct facts *now);

/* Is every endpoint with a route resolved, none of them only remembered? */
bool world_is_resolved(const struct facts *facts);

/* The same of those endpoints only that `before` does not know. */
bool world_news_are_resolved(const struct facts *before, const struct facts *now);

/*
 * What a configuration asks that the host cannot give: an endpoint that is this host, a listener
 * on a port that the host itself answers on (unless steal_ports). -EINVAL or -EADDRINUSE.
 */
int world_check(struct nl *nl, const struct model *model, const struct facts *facts,
		struct err *err);

/* Makes the host answer for the plan's addresses (vip: route) on all its interfaces. What cannot be
 * done is logged, not an error. */
void world_answer(struct nl *nl, const struct plan *plan);

/* Calls `each` with every such address that the host does not answer for; `interface` is NULL where
 * it is on none of them. */
void world_unanswered(struct nl *nl, const struct plan *plan,
		      void each(void *user, const struct addr *address, const char *interface),
		      void *user);

/* Has the host no longer answer for addresses that are only in `before`. */
void world_unanswer(struct nl *nl, const struct addr_list *before, const struct addr_list *now);

/* Gives back the neighbours of a plan's endpoints (weir down). */
void world_leave(struct nl *nl, const struct plan *plan);

#endif
