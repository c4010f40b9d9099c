// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Both structures are nothing but u64 counters. */
static int read_sum(int map, uint32_t key, uint64_t *ret, size_t words)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_(freep) uint64_t *values = NULL;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus * words, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map, &key, values))
		return -errno;
	memset(ret, 0, words * sizeof(*ret));
	for (size_t i = 0; i < (size_t)cpus * words; i++)
		ret[i % words] += values[i];
	return 0;
}

static void add(uint64_t *to, const void *from, size_t words)
{
	for (size_t i = 0; i < words; i++)
		to[i] += ((const uint64_t *)from)[i];
}

#define WORDS(type) (sizeof(type) / sizeof(uint64_t))

int counters_reasons(const struct object *object, uint32_t id, struct weir_listener_stats *ret)
{
	int r = read_sum(object->listener_stats, id, (uint64_t *)ret, WORDS(*ret));

	if (!r)
		add((uint64_t *)ret, &object->listener_info[id].carried, WORDS(*ret));
	return r;
}

int counters_packets(const struct object *object, uint32_t row, struct weir_endpoint_stats *ret)
{
	int r = read_sum(object->endpoint_stats, row, (uint64_t *)ret, WORDS(*ret));

	if (!r)
		add((uint64_t *)ret, &object->endpoint_info[row].carried, WORDS(*ret));
	return r;
}

int counters_endpoint(const struct object *object, uint32_t row, struct weir_endpoint_stats *ret)
{
	const struct weir_http *http = &object->endpoint_http[row];
	int r = counters_packets(object, row, ret);

	if (r < 0)
		return r;
	ret->traffic.flows += http->requests;
	ret->traffic.bytes += http->request_bytes;
	ret->traffic.reply_bytes += http->answer_bytes;
	return 0;
}

void counters_add(struct weir_traffic *sum, const struct weir_traffic *traffic)
{
	sum->packets += traffic->packets;
	sum->bytes += traffic->bytes;
	sum->flows += traffic->flows;
	sum->reply_packets += traffic->reply_packets;
	sum->reply_bytes += traffic->reply_bytes;
}

void counters_add_http(struct weir_http *sum, const struct weir_http *http)
{
	add((uint64_t *)sum, http, WORDS(*sum));
}

int counters_listener(const struct object *object, const struct plan_listener *listener,
		      struct counters *ret)
{
	struct weir_listener_stats reasons;
	int r = counters_reasons(object, listener ? listener->id : 0, &reasons);

	if (r < 0)
		return r;
	*ret = (struct counters){};
	memcpy(ret->reason, reasons.reason, sizeof(ret->reason));
	if (!listener)
		return 0;
	ret->traffic = object->listener_info[listener->id].retired;
	vec_foreach(endpoint, &listener->endpoints) {
		struct weir_endpoint_stats stats;

		r = counters_endpoint(object, endpoint->row, &stats);
		if (r < 0)
			return r;
		counters_add(&ret->traffic, &stats.traffic);
	}
	ret->reason[WEIR_R_FORWARDED] = ret->traffic.packets;
	ret->reason[WEIR_R_REPLIED] = ret->traffic.reply_packets;
	return 0;
}
