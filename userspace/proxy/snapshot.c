// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "config/model.h"
#include "plan/plan.h"
#include "plan/plan_shares.h"
#include "proxy/whereabouts.h"
#include "util/sealed.h"
#include "util/str.h"

#define NEAR_SIZE	 (WEIR_MAX_REGIONS * sizeof(uint16_t))

#define SNAPSHOT_MAGIC	 0x77656972u
#define SNAPSHOT_VERSION 2u

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	vec_foreach(listener, &snapshot->listeners) {
		vec_foreach(pool, &listener->pools)
			vec_free(&pool->targets);
		vec_free(&listener->pools);
		free(listener->near);
	}
	vec_free(&snapshot->listeners);
	whereabouts_free(snapshot->whereabouts);
	free(snapshot->text);
	free(snapshot);
}

/* Of an endpoint of the plan, as the model has it. */
static uint8_t proxy_protocol(const struct listener *listener, const struct plan_endpoint *endpoint)
{
	const struct endpoint_group *group = model_find_group(listener, endpoint->group);
	const struct endpoint *known = group ? model_find_endpoint(group, endpoint->name) : NULL;

	return known ? known->proxy_protocol : 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct snapshot_target *x = a, *y = b;

	return x->row < y->row ? -1 : x->row > y->row;
}

/* Endpoints go by their rows: where two groups have the same one, the order of the list decides
 * which of the two a slot names, and a plan that was read from the maps lists them otherwise. */
static int add_pool(const struct listener *from, const struct plan_listener *plan,
		    const char *group, const struct plan_shares *shares,
		    struct snapshot_listener *to)
{
	struct snapshot_pool pool = { .slots = shares->sum ? shares->slots : 0 };
	int r = 0;

	memccpy(pool.group, group, '\0', sizeof(pool.group) - 1);
	for (size_t i = 0; !r && i < shares->count; i++) {
		const struct plan_endpoint *endpoint = &plan->endpoints.items[shares->places[i]];
		struct snapshot_target target = {
			.address = endpoint->address,
			.port = endpoint->port ?: from->ports.items[0].first,
			.proxy_protocol = proxy_protocol(from, endpoint),
			.row = endpoint->row,
			.weight = shares->endpoints[i].weight,
		};

		memcpy(target.group, endpoint->group, sizeof(target.group));
		memcpy(target.name, endpoint->name, sizeof(target.name));
		r = vec_push(&pool.targets, target);
	}
	if (pool.targets.count)
		qsort(pool.targets.items, pool.targets.count, sizeof(*pool.targets.items),
		      compare_rows);
	r = r ?: vec_push(&to->pools, pool);
	if (r < 0)
		vec_free(&pool.targets);
	return r;
}

/* Clients of both families have the same endpoints: so one family's shares are all. */
static int add_default(const struct listener *from, const struct plan_listener *plan,
		       const uint16_t *order, struct snapshot_listener *to)
{
	_cleanup_(plan_shares_fini) struct plan_shares shares = {};
	int r = plan_shares_fold(plan, PLAN_IP4, order, &shares);

	return r ?: add_pool(from, plan, "", &shares, to);
}

/* Orders that have a pool: the first of them the second one of the listener. */
struct orders {
	VEC(const uint16_t *) list;
};

static void orders_fini(struct orders *orders)
{
	vec_free(&orders->list);
}

/* The pool of an order; one that is new where there is none. */
static int find_pool(const struct listener *from, const struct plan_listener *plan,
		     const uint16_t *order, struct orders *orders, struct snapshot_listener *to,
		     uint16_t *ret)
{
	size_t place = 0, size = plan->groups.count * sizeof(*order);

	while (place < orders->list.count && memcmp(orders->list.items[place], order, size) != 0)
		place++;
	*ret = 1 + place;
	if (place < orders->list.count)
		return 0;
	return vec_push(&orders->list, order) ?: add_default(from, plan, order, to);
}

static int add_defaults(const struct listener *from, const struct plan_listener *plan,
			struct snapshot_listener *to)
{
	_cleanup_(orders_fini) struct orders orders = {};
	int r = add_default(from, plan, NULL, to);

	if (plan_count_tables(plan) == PLAN_FAMILIES)
		return r;
	to->near = calloc(WEIR_MAX_REGIONS, sizeof(*to->near));
	if (!to->near)
		return -ENOMEM;
	for (size_t i = 0; !r && i < WEIR_MAX_REGIONS; i++) {
		const uint16_t *order = plan_order_of(plan, i);

		if (order)
			r = find_pool(from, plan, order, &orders, to, &to->near[i]);
	}
	return r;
}

static int add_listener(const struct listener *from, const struct plan_listener *plan,
			struct snapshot *snapshot)
{
	struct snapshot_listener *to;
	int r;

	if (vec_push(&snapshot->listeners, (struct snapshot_listener){ .id = plan->id }))
		return -ENOMEM;
	to = &snapshot->listeners.items[snapshot->listeners.count - 1];
	memcpy(to->name, from->name, sizeof(to->name));
	r = add_defaults(from, plan, to);
	vec_foreach(group, &from->groups) {
		_cleanup_(plan_shares_fini) struct plan_shares shares = {};

		if (r < 0 || !group->is_virtual)
			continue;
		r = plan_shares_group(plan, group->name, &shares);
		r = r ?: add_pool(from, plan, group->name, &shares, to);
	}
	return r;
}

struct snapshot *snapshot_new(const char *text, const struct model *model, const struct plan *plan)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot || str_copy(text, &snapshot->text))
		return NULL;
	snapshot->hash_seed = plan->hash_seed;
	vec_foreach(listener, &model->listeners) {
		const struct plan_listener *planned;

		if (!listener->http)
			continue;
		planned = plan_find_listener(plan, listener->name);
		if (planned && add_listener(listener, planned, snapshot) < 0)
			return NULL;
	}
	return take_ptr(snapshot);
}

bool snapshot_asks_regions(const struct snapshot *snapshot)
{
	vec_foreach(listener, &snapshot->listeners)
		if (listener->near)
			return true;
	return false;
}

/* As it lies in memory: the head, the text, and then each listener with its pools. */
struct head {
	uint32_t magic;
	uint32_t version;
	uint32_t hash_seed;
	uint32_t listeners;
	uint64_t text; /* bytes, without a NUL */
	uint64_t size; /* of all */
};

struct listener_head {
	char name[WEIR_NAME_MAX];
	uint32_t id;
	uint32_t pools;
	uint32_t near; /* bytes, behind it and before the pools: 0, or of a place for each region */
};

struct pool_head {
	char group[WEIR_NAME_MAX];
	uint32_t slots;
	uint32_t targets;
};

static void write_listener(const struct snapshot_listener *listener, FILE *file)
{
	struct listener_head head = { .id = listener->id, .pools = listener->pools.count };

	memcpy(head.name, listener->name, sizeof(head.name));
	head.near = listener->near ? NEAR_SIZE : 0;
	fwrite(&head, sizeof(head), 1, file);
	if (listener->near)
		fwrite(listener->near, NEAR_SIZE, 1, file);
	vec_foreach(pool, &listener->pools) {
		struct pool_head inner = { .slots = pool->slots, .targets = pool->targets.count };

		memcpy(inner.group, pool->group, sizeof(inner.group));
		fwrite(&inner, sizeof(inner), 1, file);
		if (pool->targets.count)
			fwrite(pool->targets.items, sizeof(*pool->targets.items),
			       pool->targets.count, file);
	}
}

static void write_all(FILE *file, const void *user)
{
	const struct snapshot *snapshot = user;
	struct head head = {
		.magic = SNAPSHOT_MAGIC,
		.version = SNAPSHOT_VERSION,
		.hash_seed = snapshot->hash_seed,
		.listeners = snapshot->listeners.count,
		.text = strlen(snapshot->text),
	};

	fwrite(&head, sizeof(head), 1, file);
	fwrite(snapshot->text, 1, head.text, file);
	vec_foreach(listener, &snapshot->listeners)
		write_listener(listener, file);
	head.size = ftell(file);
	rewind(file);
	fwrite(&head, sizeof(head), 1, file);
}

int snapshot_seal(const struct snapshot *snapshot, int *ret, struct err *err)
{
	int r = sealed_make("weir-snapshot", write_all, snapshot, ret);

	return r < 0 ? err_set(err, r, "a snapshot for workers: %s", strerror(-r)) : 0;
}

/* What is left to read. */
struct rest {
	const char *at;
	size_t size;
};

static bool take(struct rest *rest, void *to, size_t size)
{
	if (size > rest->size)
		return false;
	if (size)
		memcpy(to, rest->at, size);
	rest->at += size;
	rest->size -= size;
	return true;
}

static int read_pool(struct rest *rest, struct snapshot_pool *pool)
{
	struct pool_head head;

	if (!take(rest, &head, sizeof(head)))
		return -EPROTO;
	memcpy(pool->group, head.group, sizeof(pool->group) - 1);
	pool->slots = head.slots;
	for (uint32_t i = 0; i < head.targets; i++) {
		struct snapshot_target target;

		if (!take(rest, &target, sizeof(target)))
			return -EPROTO;
		if (vec_push(&pool->targets, target))
			return -ENOMEM;
	}
	return 0;
}

static int read_near(struct rest *rest, const struct listener_head *head,
		     struct snapshot_listener *listener)
{
	if (!head->near)
		return 0;
	listener->near = malloc(NEAR_SIZE);
	if (!listener->near)
		return -ENOMEM;
	if (head->near != NEAR_SIZE || !take(rest, listener->near, NEAR_SIZE))
		return -EPROTO;
	for (size_t i = 0; i < WEIR_MAX_REGIONS; i++)
		if (listener->near[i] >= head->pools)
			return -EPROTO;
	return 0;
}

static int read_listener(struct rest *rest, struct snapshot_listener *listener)
{
	struct listener_head head;
	int r;

	if (!take(rest, &head, sizeof(head)))
		return -EPROTO;
	memcpy(listener->name, head.name, sizeof(listener->name) - 1);
	listener->id = head.id;
	r = read_near(rest, &head, listener);
	for (uint32_t i = 0; !r && i < head.pools; i++) {
		if (vec_push(&listener->pools, (struct snapshot_pool){}))
			return -ENOMEM;
		r = read_pool(rest, &listener->pools.items[i]);
	}
	return r;
}

static int read_all(struct rest *rest, struct snapshot *snapshot)
{
	struct head head;
	int r = 0;

	if (!take(rest, &head, sizeof(head)) || head.magic != SNAPSHOT_MAGIC ||
	    head.version != SNAPSHOT_VERSION || head.size != rest->size + sizeof(head) ||
	    head.text > rest->size)
		return -EPROTO;
	snapshot->hash_seed = head.hash_seed;
	snapshot->text = malloc(head.text + 1);
	if (!snapshot->text)
		return -ENOMEM;
	take(rest, snapshot->text, head.text);
	snapshot->text[head.text] = '\0';
	for (uint32_t i = 0; !r && i < head.listeners; i++) {
		if (vec_push(&snapshot->listeners, (struct snapshot_listener){}))
			return -ENOMEM;
		r = read_listener(rest, &snapshot->listeners.items[i]);
	}
	return r;
}

int snapshot_read(int fd, struct snapshot **ret, struct err *err)
{
	_cleanup_(snapshot_freep) struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	size_t size;
	void *memory;
	struct rest rest;
	int r;

	if (!snapshot)
		return err_set(err, -ENOMEM, "out of memory");
	r = sealed_map(fd, &memory, &size);
	if (r < 0)
		return err_set(err, r, "a snapshot: %s", strerror(-r));
	rest = (struct rest){ .at = memory, .size = size };
	r = read_all(&rest, snapshot);
	munmap(memory, size);
	if (r < 0)
		return err_set(err, r, "a snapshot of another version, or damaged");
	*ret = take_ptr(snapshot);
	return 0;
}
