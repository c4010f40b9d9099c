// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the rig's data plane holds, and has counted. */
#include <bpf/bpf.h>
#include <netinet/ether.h>
#include <string.h>

#include "dataplane/counters.h"
#include "dataplane/nat.h"
#include "rig.h"

struct plan_listener *rig_listener(const char *name)
{
	struct plan_listener *listener = plan_find_listener(rig.plan, name);

	cr_assert(listener, "no listener %s", name);
	return listener;
}

struct plan_endpoint *rig_endpoint(const char *listener_name, const char *name)
{
	struct plan_listener *listener = rig_listener(listener_name);

	vec_foreach(endpoint, &listener->endpoints) {
		char address[ADDR_TEXT_MAX];

		if (endpoint->row - listener->block < listener->block_size &&
		    (!strcmp(endpoint->name, name) ||
		     !strcmp(addr_print(&endpoint->address, address), name)))
			return endpoint;
	}
	cr_assert_fail("listener %s has no endpoint %s", listener_name, name);
	return NULL;
}

struct weir_traffic rig_traffic(const char *listener)
{
	struct counters stats = {};

	cr_assert_eq(counters_listener(rig.object, rig_listener(listener), &stats), 0);
	return stats.traffic;
}

struct weir_traffic rig_endpoint_traffic(const char *listener, const char *endpoint)
{
	struct weir_endpoint_stats stats = {};
	uint32_t row = rig_endpoint(listener, endpoint)->row;

	cr_assert_eq(counters_endpoint(rig.object, row, &stats), 0);
	return stats.traffic;
}

uint64_t rig_counted(const char *listener, enum weir_reason reason)
{
	struct counters stats = {};

	cr_assert_eq(
		counters_listener(rig.object, listener ? rig_listener(listener) : NULL, &stats), 0);
	return stats.reason[reason];
}

uint32_t rig_count_nat(void)
{
	uint32_t count = 0, size = nat_size(rig.object);

	for (uint32_t i = 0; i < size; i++)
		count += rig.object->nat_records[i].word.is.state == WEIR_NAT_LIVE;
	return count;
}

uint32_t rig_count_tags(void)
{
	uint32_t count = 0, size = nat_size(rig.object);

	for (uint32_t i = 0; i < size; i++)
		count += rig.object->nat_tags[i / WEIR_NAT_WAYS].tag[i % WEIR_NAT_WAYS] != 0;
	return count;
}

uint32_t rig_count_replies(void)
{
	uint32_t count = 0, size = nat_size(rig.object);

	for (uint32_t i = 0; i < size; i++)
		count += rig.object->nat_replies[i / WEIR_NAT_WAYS].entry[i % WEIR_NAT_WAYS] != 0;
	return count;
}

struct weir_nat_record *rig_nat_record(const struct weir_flow *flow)
{
	uint32_t size = nat_size(rig.object);

	for (uint32_t i = 0; i < size; i++) {
		struct weir_nat_record *record = &rig.object->nat_records[i];

		if (record->word.is.state == WEIR_NAT_LIVE &&
		    record->word.is.udp == (flow->protocol == IPPROTO_UDP) &&
		    record->client_port == flow->sport && record->listener_port == flow->dport &&
		    !memcmp(record->client_addr, flow->src, sizeof(flow->src)) &&
		    !memcmp(record->listener_addr, flow->dst, sizeof(flow->dst)))
			return record;
	}
	return NULL;
}

uint64_t rig_nat_open(void)
{
	uint64_t open = 0;

	for (uint32_t row = 0; row < rig.object->capacity.of[CAPACITY_ROWS]; row++) {
		struct weir_endpoint_stats stats;

		if (!rig.object->endpoints[row].generation)
			continue;
		cr_assert_eq(counters_endpoint(rig.object, row, &stats), 0);
		open += stats.nat_opened - stats.nat_closed;
	}
	return open;
}

uint32_t rig_count_records(int map)
{
	struct weir_flow key, next;
	void *from = NULL;
	uint32_t count = 0;

	while (!bpf_map_get_next_key(map, from, &next)) {
		key = next;
		from = &key;
		count++;
	}
	return count;
}

bool rig_went_to(const struct packet *out, const char *address)
{
	char mac[RIG_MAC_TEXT];

	return !memcmp(out->bytes, ether_aton(rig_mac(address, mac)), 6);
}

struct weir_flow rig_flow(const struct packet *packet)
{
	const uint8_t *ip = packet->bytes + packet->l3;
	bool ip4 = ip[0] >> 4 == 4;
	struct weir_flow flow = {
		.sport = packet_get16(packet, packet->l4),
		.dport = packet_get16(packet, packet->l4 + 2),
		.protocol = packet->protocol,
	};
	struct addr src, dst;

	cr_assert_eq(addr_from_raw(ip + (ip4 ? 12 : 8), ip4 ? 4 : 16, &src), 0);
	cr_assert_eq(addr_from_raw(ip + (ip4 ? 16 : 24), ip4 ? 4 : 16, &dst), 0);
	memcpy(flow.src, src.bytes, sizeof(flow.src));
	memcpy(flow.dst, dst.bytes, sizeof(flow.dst));
	return flow;
}
