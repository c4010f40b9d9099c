// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/flows.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <weir/hash.h>

#define BATCH 4096 /* records per system call */

/* A reply record without its flow record is older than any insertion takes (s). */
#define ORPHAN_AGE 30

struct batch {
	struct weir_flow keys[BATCH];
	union {
		struct weir_exception exceptions[BATCH];
		struct weir_nat_flow flows[BATCH];
		struct weir_nat_reply replies[BATCH];
	};
	uint32_t count;
};

/* Calls `each` with every batch of a hash map; records that come and go meanwhile may be missed. */
static int for_each_batch(int map, void *values_of(struct batch *),
			  int each(const struct batch *, void *), void *user, struct err *err)
{
	_cleanup_(freep) struct batch *batch = malloc(sizeof(*batch));
	uint32_t position = 0, next = 0;
	void *from = NULL;
	int r = 0;

	if (!batch)
		return err_set(err, -ENOMEM, "out of memory");
	while (!r) {
		bool last;

		batch->count = BATCH;
		last = bpf_map_lookup_batch(map, from, &next, batch->keys, values_of(batch),
					    &batch->count, NULL);
		if (last && errno != ENOENT)
			return err_set(err, -errno, "cannot read a flow map: %s", strerror(errno));
		r = each(batch, user);
		if (last)
			break;
		position = next;
		from = &position;
	}
	return r;
}

static void *exception_values(struct batch *batch)
{
	return batch->exceptions;
}

static void *flow_values(struct batch *batch)
{
	return batch->flows;
}

static void *reply_values(struct batch *batch)
{
	return batch->replies;
}

struct scan {
	const struct object *object;
	struct flows *flows;
	uint32_t now;
	bool expire;
};

static void refer_row(struct flows *flows, uint32_t row)
{
	if (row >= WEIR_MAX_ENDPOINTS)
		return;
	flows->references.rows[row] = true;
	flows->by_row[row]++;
}

/* Deletes a record, if it is still the one that was judged: its key may have a new flow by now. A
 * scan that only looks takes it for deleted. */
static bool expire(struct scan *scan, int map, const struct weir_flow *key, const void *judged,
		   size_t size)
{
	char now[sizeof(struct weir_nat_flow)];

	if (!scan->expire)
		return true;
	if (bpf_map_lookup_elem(map, key, now) || memcmp(now, judged, size) ||
	    bpf_map_delete_elem(map, key))
		return false;
	scan->flows->expired++;
	return true;
}

static int scan_exceptions(const struct batch *batch, void *user)
{
	struct scan *scan = user;

	for (uint32_t i = 0; i < batch->count; i++) {
		const struct weir_exception *exception = &batch->exceptions[i];

		/* What could not be deleted has been touched meanwhile: it lives. */
		if (weir_exception_is_over(exception, scan->now) &&
		    expire(scan, scan->object->exceptions, &batch->keys[i], exception,
			   sizeof(*exception)))
			continue;
		refer_row(scan->flows, exception->endpoint);
		scan->flows->exceptions++;
	}
	return 0;
}

static struct weir_flow reply_key(const struct weir_flow *key, const struct weir_nat_flow *flow)
{
	struct weir_flow back = {
		.sport = flow->endpoint_port,
		.dport = flow->snat_port,
		.protocol = key->protocol,
	};

	memcpy(back.src, flow->endpoint_addr, sizeof(back.src));
	memcpy(back.dst, flow->snat_addr, sizeof(back.dst));
	return back;
}

/* One direction speaks for a living flow; only a silent one has the other asked. */
static bool nat_is_over(const struct scan *scan, const struct weir_flow *key,
			const struct weir_nat_flow *flow)
{
	struct weir_flow back = reply_key(key, flow);
	struct weir_nat_reply reply = {};
	uint32_t seen = flow->seen;

	if (!weir_is_over(scan->now, flow->seen, WEIR_TIMEOUT_CLOSING))
		return false;
	if (!bpf_map_lookup_elem(scan->object->nat_replies, &back, &reply) &&
	    (int32_t)(reply.seen - seen) > 0)
		seen = reply.seen;
	if (flow->state == WEIR_FLOW_RESET || reply.state == WEIR_FLOW_RESET ||
	    (flow->state == WEIR_FLOW_CLOSING && reply.state == WEIR_FLOW_CLOSING))
		return weir_is_over(scan->now, seen, WEIR_TIMEOUT_CLOSING);
	if (flow->state == WEIR_FLOW_SYN ||
	    (key->protocol == IPPROTO_TCP && reply.state == WEIR_FLOW_SYN))
		return weir_is_over(scan->now, seen, WEIR_TIMEOUT_SYN);
	return weir_is_over(scan->now, seen, flow->idle_timeout);
}

static int refer_snat(struct flows *flows, const uint8_t bytes[16])
{
	struct addr address;

	memcpy(address.bytes, bytes, sizeof(address.bytes));
	vec_foreach(known, &flows->references.snat_addresses)
		if (addr_equal(known, &address))
			return 0;
	return vec_push(&flows->references.snat_addresses, address);
}

static int scan_nat(const struct batch *batch, void *user)
{
	struct scan *scan = user;
	int r = 0;

	for (uint32_t i = 0; !r && i < batch->count; i++) {
		const struct weir_nat_flow *flow = &batch->flows[i];
		struct weir_flow back;

		if (nat_is_over(scan, &batch->keys[i], flow) &&
		    expire(scan, scan->object->nat_flows, &batch->keys[i], flow, sizeof(*flow))) {
			back = reply_key(&batch->keys[i], flow);
			if (scan->expire)
				bpf_map_delete_elem(scan->object->nat_replies, &back);
			continue;
		}
		refer_row(scan->flows, flow->endpoint);
		if (flow->client.egress < WEIR_MAX_EGRESS)
			scan->flows->references.egress[flow->client.egress] = true;
		r = refer_snat(scan->flows, flow->snat_addr);
		scan->flows->nat++;
	}
	return r;
}

/* Replies whose flow is gone: a writer was interrupted between the two deletions. */
static int scan_replies(const struct batch *batch, void *user)
{
	struct scan *scan = user;

	for (uint32_t i = 0; i < batch->count; i++) {
		const struct weir_nat_reply *reply = &batch->replies[i];
		struct weir_nat_flow flow;
		struct weir_flow key = {
			.sport = reply->client_port,
			.dport = reply->listener_port,
			.protocol = batch->keys[i].protocol,
		};

		if (!weir_is_over(scan->now, reply->seen, ORPHAN_AGE))
			continue;
		memcpy(key.src, reply->client_addr, sizeof(key.src));
		memcpy(key.dst, reply->listener_addr, sizeof(key.dst));
		if (!bpf_map_lookup_elem(scan->object->nat_flows, &key, &flow) &&
		    flow.snat_port == batch->keys[i].dport &&
		    !memcmp(flow.snat_addr, batch->keys[i].dst, sizeof(flow.snat_addr)))
			continue;
		expire(scan, scan->object->nat_replies, &batch->keys[i], reply, sizeof(*reply));
	}
	return 0;
}

void flows_fini(struct flows *flows)
{
	free(flows->by_row);
	free(flows->references.rows);
	vec_free(&flows->references.snat_addresses);
	*flows = (struct flows){};
}

int flows_scan(const struct object *object, uint32_t now, bool expire, struct flows *ret,
	       struct err *err)
{
	_cleanup_(flows_fini) struct flows flows = {};
	struct scan scan = { .object = object, .flows = &flows, .now = now, .expire = expire };
	int r;

	flows.by_row = calloc(WEIR_MAX_ENDPOINTS, sizeof(*flows.by_row));
	flows.references.rows = calloc(WEIR_MAX_ENDPOINTS, sizeof(*flows.references.rows));
	if (!flows.by_row || !flows.references.rows)
		return err_set(err, -ENOMEM, "out of memory");
	r = for_each_batch(object->exceptions, exception_values, scan_exceptions, &scan, err);
	if (!r)
		r = for_each_batch(object->nat_flows, flow_values, scan_nat, &scan, err);
	if (!r && expire)
		r = for_each_batch(object->nat_replies, reply_values, scan_replies, &scan, err);
	if (r < 0)
		return r;
	*ret = flows;
	flows = (struct flows){};
	return 0;
}

void flows_differences_fini(struct flows_differences *differences)
{
	for (size_t i = 0; differences->tables && i < WEIR_MAX_LISTENERS; i++)
		for (int family = 0; family < PLAN_FAMILIES; family++)
			free(differences->tables[i].differs[family]);
	free(differences->tables);
	*differences = (struct flows_differences){};
}

struct difference {
	const struct plan *plan;
	struct flows_differences *ret;
	uint32_t now;
};

static int find_differences(const struct batch *batch, void *user)
{
	struct difference *find = user;

	for (uint32_t i = 0; i < batch->count; i++) {
		const struct weir_exception *exception = &batch->exceptions[i];
		const struct plan_listener *listener;
		const struct plan_table *table;
		uint32_t slot, current, id = exception->listener;
		enum plan_family family;
		struct addr address;

		memcpy(address.bytes, batch->keys[i].dst, sizeof(address.bytes));
		family = plan_family_of(&address);
		if (id >= WEIR_MAX_LISTENERS || !find->ret->tables[id].differs[family] ||
		    weir_exception_is_over(exception, find->now))
			continue;
		listener = find->ret->tables[id].listener;
		table = &listener->table[family];
		slot = (listener->client_affinity
				? weir_hash_client(&batch->keys[i], find->plan->hash_seed)
				: weir_hash_flow(&batch->keys[i], find->plan->hash_seed)) &
		       (table->size - 1);
		current = table->slots[slot].current;
		if (current == WEIR_SLOT_NONE || exception->endpoint != listener->block + current)
			find->ret->tables[id].differs[family][slot] = true;
	}
	return 0;
}

int flows_differ(const struct object *object, const struct plan *plan, uint32_t now,
		 struct flows_differences *ret, struct err *err)
{
	_cleanup_(flows_differences_fini) struct flows_differences found = {};
	struct difference find = { .plan = plan, .ret = &found, .now = now };
	bool any = false;
	int r;

	found.tables = calloc(WEIR_MAX_LISTENERS, sizeof(*found.tables));
	if (!found.tables)
		return err_set(err, -ENOMEM, "out of memory");
	vec_foreach(listener, &plan->listeners) {
		found.tables[listener->id].listener = listener;
		for (int family = 0; family < PLAN_FAMILIES; family++) {
			const struct plan_table *table = &listener->table[family];
			bool **differs = &found.tables[listener->id].differs[family];

			if (!table->slots || !slots_count(table->slots, table->size, WEIR_PINNED))
				continue;
			*differs = calloc(table->size, sizeof(**differs));
			if (!*differs)
				return err_set(err, -ENOMEM, "out of memory");
			any = true;
		}
	}
	r = any ? for_each_batch(object->exceptions, exception_values, find_differences, &find, err)
		: 0;
	if (r < 0)
		return r;
	*ret = found;
	found = (struct flows_differences){};
	return 0;
}
