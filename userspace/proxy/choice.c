// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <weir/hash.h>

#include "plan/maglev.h"
#include "proxy/engine.h"
#include "proxy/tally.h"
#include "util/log.h"

#define WHOLE 65536u /* a share, as parts of it are counted */
#define TENTH (WHOLE / 10)

/* Who may take a request, if nobody before may. */
enum rank {
	READY,
	STARTING,
	ASIDE,
	RANKS,
};

/* ---- before a setup serves ---- */

static bool is_same(const struct target *a, const struct target *b)
{
	return a->endpoint->port == b->endpoint->port &&
	       addr_equal(&a->endpoint->address, &b->endpoint->address) &&
	       !strcmp(a->endpoint->group, b->endpoint->group) &&
	       !strcmp(a->endpoint->name, b->endpoint->name);
}

/* Most often at the same place. */
static const struct target *find_target(const struct pool *pool, const struct target *target,
					size_t place)
{
	for (size_t i = 0; i < pool->count; i++) {
		const struct target *known = &pool->targets[(place + i) % pool->count];

		if (is_same(known, target))
			return known;
	}
	return NULL;
}

static const struct service *find_service(const struct setup *setup, const char *name)
{
	for (size_t i = 0; setup && i < setup->count; i++)
		if (!strcmp(setup->services[i].listener->name, name))
			return &setup->services[i];
	return NULL;
}

/* The target as it takes requests already, of clients in whatever region; or NULL. */
static const struct target *find_serving(const struct service *service, const struct pool *pool,
					 const struct target *target)
{
	for (size_t i = 0; i < service->count; i++) {
		const struct pool *like = &service->pools[i];
		const struct target *known;

		if (strcmp(like->from->group, pool->from->group) != 0)
			continue;
		known = find_target(like, target, target - pool->targets);
		if (known && known->endpoint->weight)
			return known;
	}
	return NULL;
}

/* Who took no requests before starts now. Of a worker that has just begun, and of a listener that
 * has just come, nobody does. */
static void begin_starts(struct engine *engine, struct pool *pool, const struct service *before)
{
	for (size_t i = 0; before && i < pool->count; i++) {
		struct target *target = &pool->targets[i];
		const struct target *known;

		if (!target->group->slow_start || !target->endpoint->weight)
			continue;
		known = find_serving(before, pool, target);
		target->since = known ? known->since : engine->now;
	}
}

/* Where it is counted, together with the other workers. */
static void find_row(struct engine *engine, const struct service *service, struct target *target)
{
	const struct tally_name name = {
		.listener = service->listener->name,
		.group = target->endpoint->group,
		.endpoint = target->endpoint->name,
		.address = &target->endpoint->address,
		.port = target->endpoint->port,
	};

	target->row = engine->tally ? tally_find_endpoint(engine->tally, &name) : -ENOENT;
	if (target->row >= 0 && target->group->passive_health.failures)
		target->shared = tally_endpoint(engine->tally, target->row);
}

void choice_prepare(struct engine *engine, struct setup *setup, const struct setup *before)
{
	for (size_t i = 0; i < setup->count; i++) {
		struct service *service = &setup->services[i];
		const struct service *known = find_service(before, service->listener->name);

		for (size_t p = 0; p < service->count; p++) {
			struct pool *pool = &service->pools[p];

			if (pool->plain)
				continue;
			for (size_t t = 0; t < pool->count; t++)
				find_row(engine, service, &pool->targets[t]);
			begin_starts(engine, pool, known);
		}
	}
}

/* ---- who may ---- */

static uint64_t aside_until(const struct target *target)
{
	return target->shared ? __atomic_load_n(&target->shared->until, __ATOMIC_RELAXED) : 0;
}

/* How much of its share a target has by now. */
static uint32_t started(const struct target *target, uint64_t now)
{
	uint64_t until = aside_until(target), since = until > target->since ? until : target->since;
	uint32_t span = target->group->slow_start;

	if (!span || now >= since + span || !since)
		return WHOLE;
	return now <= since ? TENTH : TENTH + (WHOLE - TENTH) * (now - since) / span;
}

/* Where all start at once nobody is slow: it is compared with whoever has the most. */
static uint32_t most_started(struct pool *pool, uint64_t now)
{
	if (pool->started_at == now)
		return pool->started;
	pool->started_at = now;
	pool->started = TENTH;
	for (size_t i = 0; i < pool->count && pool->started < WHOLE; i++)
		if (pool->targets[i].endpoint->weight && aside_until(&pool->targets[i]) <= now &&
		    started(&pool->targets[i], now) > pool->started)
			pool->started = started(&pool->targets[i], now);
	return pool->started;
}

/* A draw that the first slot decides: with affinity a client that has once come stays. */
static bool is_drawn(const struct target *target, struct pool *pool, uint32_t slot, uint64_t now)
{
	uint32_t part = started(target, now);
	uint64_t most;

	if (part == WHOLE)
		return true;
	most = most_started(pool, now);
	return (weir_mix(weir_mix(slot, target - pool->targets), 0) >> 32) % WHOLE * most <
	       (uint64_t)part * WHOLE;
}

/* And then it has taken the request. */
static bool may_take(struct engine *engine, struct target *target, bool *full)
{
	if (!target->most || target->row < 0 ||
	    tally_take(engine->tally, target->row, target->most))
		return true;
	*full = true;
	return false;
}

/* ---- choosing ---- */

static bool fill_table(struct pool *pool)
{
	_cleanup_(freep) struct maglev_endpoint *endpoints =
		calloc(pool->count + 1, sizeof(*endpoints));
	_cleanup_(freep) uint16_t *table = calloc(pool->slots, sizeof(*table));

	if (!endpoints || !table)
		return false;
	for (size_t i = 0; i < pool->count; i++)
		endpoints[i] = (struct maglev_endpoint){
			.address = pool->targets[i].endpoint->address,
			.port = pool->targets[i].endpoint->port,
			.weight = pool->targets[i].endpoint->weight,
		};
	if (maglev_fill(endpoints, pool->count, pool->slots, table))
		return false;
	for (uint32_t i = 0; i < pool->slots; i++) {
		struct target *target = &pool->targets[table[i]];

		pool->serving += !target->is_serving;
		target->is_serving = true;
	}
	pool->table = take_ptr(table);
	return true;
}

/* A step through the table that meets every slot once in each round, neighbours far apart. */
static uint32_t step(uint32_t slots)
{
	return (uint32_t)(slots * 0.6180339887498949) | 1;
}

static uint32_t first_slot(const struct setup *setup, const struct service *service,
			   struct pool *pool, const struct addr *client)
{
	struct weir_flow flow = {};

	if (!service->listener->client_affinity)
		return pool->turn += step(pool->slots);
	memcpy(flow.src, client->bytes, sizeof(flow.src));
	return weir_hash_client(&flow, setup->snapshot->hash_seed);
}

/* From a slot on, each target once. */
struct walk {
	struct pool *pool;
	const struct target * not ;
	uint32_t slot, slots; /* the next, and how many there are */
	uint32_t left;	      /* targets */
};

static struct walk walk_from(struct pool *pool, uint32_t slot, const struct target * not )
{
	pool->walk++;
	return (struct walk){ pool, not, slot, pool->slots, pool->serving };
}

static struct target *walk_next(struct walk *walk)
{
	struct pool *pool = walk->pool;

	while (walk->left && walk->slots--) {
		struct target *target =
			&pool->targets[pool->table[walk->slot++ & (pool->slots - 1)]];

		if (target->walk == pool->walk)
			continue;
		target->walk = pool->walk;
		walk->left--;
		if (!walk->not || target->upstreams != walk->not ->upstreams)
			return target;
	}
	return NULL;
}

static bool is_of(enum rank rank, const struct target *target, struct pool *pool, uint32_t slot,
		  uint64_t now)
{
	if (rank == ASIDE)
		return true;
	return aside_until(target) <= now &&
	       (rank == STARTING || is_drawn(target, pool, slot, now));
}

struct target *choice_make(struct engine *engine, const struct setup *setup,
			   const struct service *service, struct pool *pool,
			   const struct addr *client, const struct target * not, bool *full)
{
	uint32_t slot;

	*full = false;
	if (!pool->slots || (!pool->table && !fill_table(pool)))
		return NULL;
	slot = first_slot(setup, service, pool, client);
	if (pool->plain) {
		struct walk walk = walk_from(pool, slot, not );

		return walk_next(&walk);
	}
	for (enum rank rank = READY; rank < RANKS; rank++) {
		struct walk walk = walk_from(pool, slot, not );
		struct target *target;

		while ((target = walk_next(&walk)))
			if (is_of(rank, target, pool, slot, engine->now) &&
			    may_take(engine, target, full))
				return target;
	}
	return NULL;
}

void choice_end(struct engine *engine, const struct target *target)
{
	if (target->most && target->row >= 0)
		tally_give(engine->tally, target->row);
}

/* ---- passive health ---- */

void choice_served(const struct target *target)
{
	/* Most often there is nothing to forget, and the line stays with all processors. */
	if (target->shared && __atomic_load_n(&target->shared->failures, __ATOMIC_RELAXED))
		__atomic_store_n(&target->shared->failures, 0, __ATOMIC_RELAXED);
}

void choice_failed(struct engine *engine, const struct service *service,
		   const struct target *target)
{
	const struct passive_health *passive = &target->group->passive_health;
	struct tally_endpoint *shared = target->shared;
	uint64_t until;

	if (!shared)
		return;
	until = __atomic_load_n(&shared->until, __ATOMIC_RELAXED);
	if (until > engine->now) /* it is known already */
		return;
	if (__atomic_add_fetch(&shared->failures, 1, __ATOMIC_RELAXED) < passive->failures)
		return;
	/* One worker puts it aside. When it is back one failure more is enough. */
	if (!__atomic_compare_exchange_n(&shared->until, &until, engine->now + passive->duration,
					 false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&shared->failures, passive->failures - 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->times, 1, __ATOMIC_RELAXED);
	log_warning("%s/%s/%s: put aside for %u ms: it has failed %u requests in a row",
		    service->listener->name, target->endpoint->group, target->endpoint->name,
		    passive->duration, passive->failures);
}
