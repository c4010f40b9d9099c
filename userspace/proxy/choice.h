/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom a request goes to: by the slots of its pool, which say what the plan has said of weights,
 * health checks and drains, and by what workers find out themselves:
 *
 *   limits          an endpoint at its limit gets no request, whatever else is known of it
 *   passive health  one that fails requests, several in a row, is put aside for a while
 *   slow start      one that has come, or comes back, has a tenth of its share first
 *
 * Whoever may not take a request leaves it to the next one that the slots name. Where nobody is
 * left, those that start slowly take theirs at once, and then those that are put aside. Limits and
 * failures are counted over all workers, see tally.h; slow starts each worker sees alike.
 */
#ifndef WEIR_PROXY_CHOICE_H
#define WEIR_PROXY_CHOICE_H

#include <stdbool.h>

#include "net/addr.h"

struct engine;
struct pool;
struct service;
struct setup;
struct target;

/* Before a setup serves, and after `before` (NULL: none). */
void choice_prepare(struct engine *engine, struct setup *setup, const struct setup *before);

/*
 * Whom the next request of a setup's pool goes to; with client affinity the client's address
 * decides. `not` (NULL: anybody) has failed already. NULL: there is nobody, or nobody else; `full`
 * says whether somebody is only at its limit. Each one chosen is given back by choice_end().
 */
struct target *choice_make(struct engine *engine, const struct setup *setup,
			   const struct service *service, struct pool *pool,
			   const struct addr *client, const struct target * not, bool *full);

/* The endpoint has no more to do with the request. */
void choice_end(struct engine *engine, const struct target *target);

/* It has served a request as it should, or failed it. */
void choice_served(const struct target *target);
void choice_failed(struct engine *engine, const struct service *service,
		   const struct target *target);

#endif
