// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/shortcut_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/client.h"
#include "proxy/stream.h"

#define NO_RULE	     UINT32_MAX
#define SERVING_MOST (WEIR_ROUTING_SLOTS / 4) /* with more their shares would not be right */

/* ---- which requests ---- */

static bool is_plain_verdict(const struct rules_verdict *verdict)
{
	const struct http_rule *rule = verdict->rule;

	if (verdict->kind == RULES_DEFAULT)
		return true;
	return verdict->kind == RULES_FORWARD && !rule->host && !rule->path && !rule->query &&
	       !rule->add_headers.count && !rule->remove_headers.count;
}

struct weir_routing_key *shortcut_plain(const struct client *client,
					const struct rules_verdict *verdict,
					const struct pool *pool, const char *head, size_t size)
{
	struct shortcut *shortcut = client->engine->shortcut;
	_cleanup_(freep) struct weir_routing_key *key = NULL;
	__u32 is_head;

	if (!shortcut || !client->service->is_routable || !pool->is_routable ||
	    !is_plain_verdict(verdict) || size < PLAIN_LEAST || size >= WEIR_ROUTING_HEAD)
		return NULL;
	key = calloc(1, sizeof(*key));
	if (!key || !plain_read_request(&shortcut->room, head, size, key, &is_head))
		return NULL;
	key->listener = client->service->id;
	return take_ptr(key);
}

bool shortcut_suits(struct engine *engine, const char *head, size_t size, bool is_head)
{
	struct plain_room *room = &engine->shortcut->room;

	if (size < PLAIN_LEAST || size >= WEIR_ROUTING_HEAD)
		return false;
	memcpy(room->bytes, head, size);
	return plain_read_answer(room, size, is_head);
}

/* ---- where to ---- */

int shortcut_pool_of(struct shortcut *shortcut, const struct upstreams_key *key)
{
	int none = -ENOSPC;

	for (int i = 0; i < (int)WEIR_ROUTING_POOLS; i++) {
		struct shortcut_pool *pool = &shortcut->pools[i];

		if (pool->taken && !memcmp(&pool->key, key, sizeof(*key)))
			return i;
		if (!pool->taken && none < 0)
			none = i;
	}
	if (none >= 0) {
		shortcut->pools[none].taken = true;
		shortcut->pools[none].key = *key;
	}
	return none;
}

/* Whose turn it is, for as many turns as a route has: each target as often as it has slots, by
 * largest remainders, and apart. */
static bool fill_sample(struct pool *pool)
{
	uint32_t slots[SERVING_MOST] = {}, whole[SERVING_MOST], left = WEIR_ROUTING_SLOTS, at = 0;
	uint16_t targets[SERVING_MOST];
	uint32_t count = 0;

	if (pool->count > SERVING_MOST || !pool->table)
		return false;
	for (uint32_t i = 0; i < pool->slots; i++)
		slots[pool->table[i]]++;
	for (uint32_t i = 0; i < pool->count; i++) {
		if (!slots[i])
			continue;
		targets[count] = i;
		whole[count] = (uint64_t)slots[i] * WEIR_ROUTING_SLOTS / pool->slots;
		slots[count] = (uint64_t)slots[i] * WEIR_ROUTING_SLOTS % pool->slots;
		left -= whole[count++];
	}
	for (; left; left--) {
		uint32_t most = 0;

		for (uint32_t i = 1; i < count; i++)
			if (slots[i] > slots[most])
				most = i;
		whole[most]++;
		slots[most] = 0;
	}
	pool->sample = calloc(WEIR_ROUTING_SLOTS, sizeof(*pool->sample));
	if (!pool->sample)
		return false;
	for (uint32_t i = 0; i < count; i++)
		while (whole[i]--)
			pool->sample[at++ * 79 % WEIR_ROUTING_SLOTS] = targets[i];
	return true;
}

static int find_lane(struct shortcut *shortcut, const struct stream *stream, uint32_t rule,
		     const struct target *target)
{
	uint32_t number = stream->setup->number & 1;
	struct shortcut_half *half = &shortcut->halves[number];
	struct shortcut_lane *lane;
	uint32_t i;
	int pool;

	for (i = 0; i < half->count; i++) {
		lane = &half->lanes[i];
		if (lane->target == target && lane->rule == rule)
			return number * SHORTCUT_HALF + i;
	}
	if (i == SHORTCUT_HALF)
		return -ENOSPC;
	pool = shortcut_pool_of(shortcut, &target->upstreams->key);
	if (pool < 0)
		return pool;
	lane = &half->lanes[half->count++];
	*lane = (struct shortcut_lane){ stream->service, target, rule };
	i += number * SHORTCUT_HALF;
	shortcut->memory->lanes[i] = (struct weir_routing_lane){ .pool = pool };
	return i;
}

bool shortcut_learn(const struct client *client, const struct weir_routing_key *key,
		    struct stream *stream)
{
	struct shortcut *shortcut = client->engine->shortcut;
	uint32_t rule = client->sight.rule ? client->sight.rule_number - 1 : NO_RULE;
	struct weir_routing_route route = { .setup = stream->setup->number,
					    .id = ++shortcut->routes };
	struct pool *pool = stream->pool;

	/* It is known: only no connection was free. */
	if (client->place &&
	    shortcut->memory->clients[client->place - 1].why == WEIR_ROUTING_NO_WAY)
		return true;
	if (stream->setup != client->engine->setup || (!pool->sample && !fill_sample(pool)))
		return false;
	for (uint32_t i = 0; i < WEIR_ROUTING_SLOTS; i++) {
		int lane = i && pool->sample[i] == pool->sample[i - 1]
				   ? route.lanes[i - 1]
				   : find_lane(shortcut, stream, rule,
					       &pool->targets[pool->sample[i]]);

		if (lane < 0)
			return false;
		route.lanes[i] = lane;
	}
	route.turn = pool->turn;
	return !routing_set(shortcut->routing, key, &route);
}

/* ---- counting ---- */

static uint64_t grown(uint64_t *counted, const __u64 *cell)
{
	uint64_t now = __atomic_load_n(cell, __ATOMIC_RELAXED), more = now - *counted;

	*counted = now;
	return more;
}

static void count_lane(struct engine *engine, struct shortcut_lane *lane,
		       const struct weir_routing_lane *cell)
{
	struct weir_routing_lane *counted = &lane->counted;
	struct tally_listener *tally = lane->service->tally;
	uint64_t answered[WEIR_LATENCY_ENTRIES];
	struct weir_http more = {};

	if (__atomic_load_n(&cell->requests, __ATOMIC_RELAXED) == counted->requests)
		return;
	more.requests = grown((uint64_t *)&counted->requests, &cell->requests);
	for (int i = 0; i < 5; i++)
		more.answers[i] = grown((uint64_t *)&counted->answers[i], &cell->answers[i]);
	more.request_bytes = grown((uint64_t *)&counted->request_bytes, &cell->request_bytes);
	more.answer_bytes = grown((uint64_t *)&counted->answer_bytes, &cell->answer_bytes);
	for (uint32_t i = 0; i < WEIR_LATENCY_ENTRIES; i++) {
		answered[i] = grown((uint64_t *)&counted->took[i], &cell->took[i]);
		tally_add(&tally->took[i], answered[i]);
	}
	tally_add(&tally->took_us, grown((uint64_t *)&counted->took_us, &cell->took_us));
	tally_add(&tally->ends[ACCESSLOG_DONE], more.requests);
	tally_add(&tally->routed, more.requests);
	if (lane->rule != NO_RULE)
		tally_add(lane->service->rule_tallies[lane->rule], more.requests);
	engine_add(engine, lane->service, lane->target, &more, answered);
}

static void count_half(struct shortcut *shortcut, int number)
{
	struct shortcut_half *half = &shortcut->halves[number];

	for (uint32_t i = 0; i < half->count; i++)
		count_lane(shortcut->engine, &half->lanes[i],
			   &shortcut->memory->lanes[number * SHORTCUT_HALF + i]);
}

void shortcut_count(struct shortcut *shortcut)
{
	count_half(shortcut, 0);
	count_half(shortcut, 1);
}

/* ---- another setup ---- */

/* Addresses that no route leads to any more, and where nobody is, make room for others. */
static void drop_pools(struct shortcut *shortcut)
{
	bool needed[WEIR_ROUTING_POOLS] = {};

	for (int number = 0; number < 2; number++)
		for (uint32_t i = 0; i < shortcut->halves[number].count; i++)
			needed[shortcut->memory->lanes[number * SHORTCUT_HALF + i].pool] = true;
	for (uint32_t i = 0; i < WEIR_ROUTING_POOLS; i++) {
		for (uint32_t way = 0; way < WEIR_ROUTING_WAYS; way++)
			needed[i] |= shortcut->pools[i].ways[way].upstream ||
				     shortcut->pools[i].ways[way].held;
		shortcut->pools[i].taken &= needed[i];
	}
}

static bool is_any_routable(const struct setup *setup)
{
	for (size_t i = 0; i < setup->count; i++)
		if (setup->services[i].is_routable)
			return true;
	return false;
}

void shortcut_follow(struct engine *engine, struct setup *setup)
{
	struct shortcut *shortcut = engine->shortcut;
	struct shortcut_half *half;

	if (!shortcut)
		return;
	shortcut_count(shortcut);
	half = &shortcut->halves[setup->number & 1];
	setup_unref(half->setup);
	half->setup = setup_ref(setup);
	half->count = 0;
	drop_pools(shortcut);
	__atomic_store_n(&shortcut->memory->setup,
			 is_any_routable(setup) && !engine->draining ? setup->number : 0,
			 __ATOMIC_RELEASE);
}

void shortcut_end(struct engine *engine)
{
	if (engine->shortcut)
		__atomic_store_n(&engine->shortcut->memory->setup, 0, __ATOMIC_RELEASE);
}
