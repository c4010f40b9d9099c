// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/flows.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/hash.h>

#include "dataplane/nat.h"

#define BATCH 4096 /* records per system call */

struct batch {
	struct weir_flow keys[BATCH];
	struct weir_exception exceptions[BATCH];
	uint32_t count;
};

/* Calls `each` with every batch of exceptions; those that come and go meanwhile may be missed. */
static int for_each_batch(const struct object *object, int each(const struct batch *, void *),
			  void *user, struct err *err)
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
		last = bpf_map_lookup_batch(object->exceptions, from, &next, batch->keys,
					    batch->exceptions, &batch->count, NULL);
		if (last && errno != ENOENT)
			return err_set(err, -errno, "cannot read the exceptions: %s",
				       strerror(errno));
		r = each(batch, user);
		if (last)
			break;
		position = next;
		from = &position;
	}
	return r;
}

struct scan {
	const struct object *object;
	struct flows *flows;
	uint32_t now;
	bool expire;
};

static void refer_row(struct flows *flows, uint32_t row, bool lives)
{
	if (row >= WEIR_MAX_ENDPOINTS)
		return;
	flows->references.rows[row] = true;
	flows->by_row[row] += lives;
}

/* Deletes a record, if it is still the one that was judged: its key may have a new flow by now. A
 * scan that only looks takes it for deleted. */
static bool expire(struct scan *scan, const struct weir_flow *key,
		   const struct weir_exception *judged)
{
	struct weir_exception now;

	if (!scan->expire)
		return true;
	if (bpf_map_lookup_elem(scan->object->exceptions, key, &now) ||
	    memcmp(&now, judged, sizeof(now)) || bpf_map_delete_elem(scan->object->exceptions, key))
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
		    expire(scan, &batch->keys[i], exception))
			continue;
		refer_row(scan->flows, exception->endpoint, true);
		scan->flows->exceptions++;
	}
	return 0;
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

/* What is over but still there holds its row, too: it will be counted as closed there. */
static int scan_nat(struct scan *scan)
{
	const struct object *object = scan->object;
	struct flows *flows = scan->flows;
	uint32_t size = nat_size(object);
	int r = 0;

	for (uint32_t i = 0; !r && i < size; i++) {
		struct weir_nat_record record;
		bool lives;

		if (!nat_read(object, i, &record))
			continue;
		lives = !nat_is_over(object, &record, scan->now);
		flows->nat += lives;
		refer_row(flows, record.word.is.endpoint, lives);
		if (record.client.egress < WEIR_MAX_EGRESS)
			flows->references.egress[record.client.egress] = true;
		r = refer_snat(flows, object->snat[record.client.snat].addr);
	}
	return r;
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
	uint32_t removed = 0;
	int r;

	flows.by_row = calloc(WEIR_MAX_ENDPOINTS, sizeof(*flows.by_row));
	flows.references.rows = calloc(WEIR_MAX_ENDPOINTS, sizeof(*flows.references.rows));
	if (!flows.by_row || !flows.references.rows)
		return err_set(err, -ENOMEM, "out of memory");
	r = for_each_batch(object, scan_exceptions, &scan, err);
	if (!r && expire)
		r = nat_sweep(object, now, &removed, err);
	if (!r && scan_nat(&scan))
		r = err_set(err, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	flows.expired += removed;
	*ret = flows;
	flows = (struct flows){};
	return 0;
}

struct each {
	const struct object *object;
	int (*each)(const struct flows_entry *entry, void *user);
	void *user;
	uint32_t now;
};

static uint32_t idle_since(uint32_t now, uint32_t seen)
{
	return (int32_t)(now - seen) > 0 ? now - seen : 0;
}

static int each_exception(const struct batch *batch, void *user)
{
	const struct each *each = user;
	int r = 0;

	for (uint32_t i = 0; !r && i < batch->count; i++) {
		const struct weir_exception *exception = &batch->exceptions[i];
		struct flows_entry entry = {
			.key = batch->keys[i],
			.row = exception->endpoint,
			.idle = idle_since(each->now, exception->seen),
			.state = exception->state,
		};

		if (!weir_exception_is_over(exception, each->now) &&
		    entry.row < each->object->capacity.of[CAPACITY_ROWS])
			r = each->each(&entry, each->user);
	}
	return r;
}

/* Of both directions: what its timeout goes by. */
static uint8_t nat_state(const struct weir_nat_record *record)
{
	uint8_t client = record->client_state, endpoint = record->endpoint_state;

	if (record->word.is.udp)
		return WEIR_FLOW_OPEN;
	if (client == WEIR_FLOW_RESET || endpoint == WEIR_FLOW_RESET)
		return WEIR_FLOW_RESET;
	if (client == WEIR_FLOW_CLOSING || endpoint == WEIR_FLOW_CLOSING)
		return WEIR_FLOW_CLOSING;
	return client == WEIR_FLOW_SYN || endpoint == WEIR_FLOW_SYN ? WEIR_FLOW_SYN
								    : WEIR_FLOW_OPEN;
}

static int each_nat(const struct each *each)
{
	const struct object *object = each->object;
	uint32_t size = nat_size(object);
	int r = 0;

	for (uint32_t i = 0; !r && i < size; i++) {
		struct weir_nat_record record;
		struct flows_entry entry;

		if (!nat_read(object, i, &record) || nat_is_over(object, &record, each->now) ||
		    record.word.is.endpoint >= object->capacity.of[CAPACITY_ROWS])
			continue;
		entry = (struct flows_entry){
			.key = { .sport = record.client_port,
				 .dport = record.listener_port,
				 .protocol = record.word.is.udp ? IPPROTO_UDP : IPPROTO_TCP },
			.row = record.word.is.endpoint,
			.idle = idle_since(each->now, record.seen),
			.state = nat_state(&record),
			.nat = true,
			.snat_port = record.snat_port,
		};
		memcpy(entry.key.src, record.client_addr, sizeof(entry.key.src));
		memcpy(entry.key.dst, record.listener_addr, sizeof(entry.key.dst));
		memcpy(entry.snat.bytes, object->snat[record.client.snat].addr,
		       sizeof(entry.snat.bytes));
		r = each->each(&entry, each->user);
	}
	return r;
}

int flows_each(const struct object *object, uint32_t now,
	       int each(const struct flows_entry *entry, void *user), void *user, struct err *err)
{
	struct each all = { .object = object, .each = each, .user = user, .now = now };
	int r = each_nat(&all);

	return r ?: for_each_batch(object, each_exception, &all, err);
}

void flows_differences_fini(struct flows_differences *differences)
{
	for (size_t id = 0; differences->listeners && id < WEIR_MAX_LISTENERS; id++) {
		bool **differs = differences->listeners[id].differs;

		for (size_t i = 0; differs && i < differences->listeners[id].count; i++)
			free(differs[i]);
		free(differs);
	}
	free(differences->listeners);
	*differences = (struct flows_differences){};
}

const bool *flows_differs(const struct flows_differences *differences,
			  const struct plan_listener *listener, const struct plan_table *table)
{
	bool **differs = differences->listeners[listener->id].differs;

	return differs ? differs[plan_table_place(listener, table)] : NULL;
}

struct difference {
	const struct plan *plan;
	struct flows_differences *ret;
	uint32_t now;
};

/* A record and its flow. */
static void compare(struct difference *find, const struct weir_flow *flow,
		    const struct weir_exception *exception)
{
	const struct plan_listener *listener = find->ret->listeners[exception->listener].listener;
	bool **all = find->ret->listeners[exception->listener].differs, *differs;
	const struct plan_table *table;
	uint32_t slot, current;
	struct addr client;

	memcpy(client.bytes, flow->src, sizeof(client.bytes));
	table = plan_table_of(find->plan, listener, &client);
	differs = all[plan_table_place(listener, table)];
	if (!differs)
		return;
	slot = (listener->client_affinity ? weir_hash_client(flow, find->plan->hash_seed)
					  : weir_hash_flow(flow, find->plan->hash_seed)) &
	       (table->size - 1);
	current = table->slots[slot].current;
	if (current == WEIR_SLOT_NONE || exception->endpoint != listener->block + current)
		differs[slot] = true;
}

static int find_differences(const struct batch *batch, void *user)
{
	struct difference *find = user;

	for (uint32_t i = 0; i < batch->count; i++) {
		const struct weir_exception *exception = &batch->exceptions[i];

		if (exception->listener < WEIR_MAX_LISTENERS &&
		    find->ret->listeners[exception->listener].differs &&
		    !weir_exception_is_over(exception, find->now))
			compare(find, &batch->keys[i], exception);
	}
	return 0;
}

/* Makes room for what may differ. Returns how many tables have something to settle, or -ENOMEM. */
static int begin_differences(const struct plan_listener *listener, struct flows_differences *ret)
{
	int count = 0;

	plan_foreach_table(table, listener)
	{
		bool *differs;

		if (!table->slots || !slots_count(table->slots, table->size, WEIR_PINNED))
			continue;
		if (!count++) {
			ret->listeners[listener->id].listener = listener;
			ret->listeners[listener->id].count = plan_count_tables(listener);
			ret->listeners[listener->id].differs =
				calloc(plan_count_tables(listener), sizeof(bool *));
		}
		differs = calloc(table->size, sizeof(*differs));
		if (!differs || !ret->listeners[listener->id].differs) {
			free(differs);
			return -ENOMEM;
		}
		ret->listeners[listener->id].differs[plan_table_place(listener, table)] = differs;
	}
	return count;
}

int flows_differ(const struct object *object, const struct plan *plan, uint32_t now,
		 struct flows_differences *ret, struct err *err)
{
	_cleanup_(flows_differences_fini) struct flows_differences found = {};
	struct difference find = { .plan = plan, .ret = &found, .now = now };
	bool any = false;
	int r;

	found.listeners = calloc(WEIR_MAX_LISTENERS, sizeof(*found.listeners));
	if (!found.listeners)
		return err_set(err, -ENOMEM, "out of memory");
	vec_foreach(listener, &plan->listeners) {
		r = begin_differences(listener, &found);
		if (r < 0)
			return err_set(err, r, "out of memory");
		any |= r;
	}
	r = any ? for_each_batch(object, find_differences, &find, err) : 0;
	if (r < 0)
		return r;
	*ret = found;
	found = (struct flows_differences){};
	return 0;
}
