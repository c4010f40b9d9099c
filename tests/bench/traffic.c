// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define PACKET_BYTES 128u
#define PORTS_BITS   14 /* client ports: 2^14 from PORT_FIRST on */
#define PORT_FIRST   1024

/* Offsets of the last words of the addresses, in Ethernet frames without tags. */
static size_t src_word(const struct traffic *traffic)
{
	return ETH_HLEN + (traffic->version == 4 ? 12 : 8 + 12);
}

static size_t dst_word(const struct traffic *traffic)
{
	return ETH_HLEN + (traffic->version == 4 ? 16 : 24 + 12);
}

static size_t check_field(const struct traffic *traffic)
{
	return traffic->packet.l4 + (traffic->protocol == IPPROTO_TCP ? 16 : 6);
}

static bool has_ports(const struct traffic *traffic)
{
	return traffic->protocol == IPPROTO_TCP || traffic->protocol == IPPROTO_UDP;
}

static void put_tuple(const struct traffic *traffic, const struct wrapper_flow *flow,
		      struct packet *packet)
{
	memcpy(packet->bytes + src_word(traffic), &flow->src, 4);
	memcpy(packet->bytes + dst_word(traffic), &flow->dst, 4);
	if (has_ports(traffic)) {
		memcpy(packet->bytes + packet->l4, &flow->sport, 2);
		memcpy(packet->bytes + packet->l4 + 2, &flow->dport, 2);
	}
}

void traffic_packet(const struct traffic *traffic, uint32_t index, struct packet *ret)
{
	const struct wrapper_flow *flow = &traffic->flows[index];

	*ret = traffic->packet;
	put_tuple(traffic, flow, ret);
	if (traffic->version == 4)
		memcpy(ret->bytes + ret->l3 + 10, &flow->ip_check, 2);
	if (has_ports(traffic))
		memcpy(ret->bytes + check_field(traffic), &flow->l4_check, 2);
}

/* RFC 792; the builder has no ICMP of its own. */
static void make_echo(struct packet *packet)
{
	uint8_t *icmp = packet->bytes + packet->l4;
	uint32_t sum = 0;

	memset(icmp, 0, 8);
	icmp[0] = 8;
	for (size_t i = packet->l4; i < packet->size; i += 2)
		sum += packet_get16(packet, i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	packet_set16(packet, packet->l4 + 2, (uint16_t)~sum);
}

static void make_template(const struct traffic_spec *spec, struct traffic *traffic)
{
	struct packet_spec packet = {
		.src = spec->src,
		.dst = spec->dst,
		.sport = PORT_FIRST,
		.dport = spec->dport,
		.protocol = spec->protocol,
		.flags = spec->flags,
	};

	packet.payload = (uint16_t)(PACKET_BYTES - packet_build(&packet).size);
	traffic->packet = packet_build(&packet);
	traffic->version = strchr(spec->dst, ':') ? 6 : 4;
	traffic->protocol = spec->protocol;
	if (spec->protocol == IPPROTO_ICMP)
		make_echo(&traffic->packet);
}

/* The checksums that belong to the tuples. */
static void sum_flows(struct traffic *traffic)
{
	struct packet packet = traffic->packet;

	for (uint32_t i = 0; i < traffic->count; i++) {
		struct wrapper_flow *flow = &traffic->flows[i];

		put_tuple(traffic, flow, &packet);
		if (has_ports(traffic))
			packet_sum(&packet);
		if (traffic->version == 4)
			memcpy(&flow->ip_check, packet.bytes + packet.l3 + 10, 2);
		if (has_ports(traffic))
			memcpy(&flow->l4_check, packet.bytes + check_field(traffic), 2);
	}
}

bool traffic_sums_good(const uint8_t *bytes, size_t size)
{
	struct packet_sums sums = packet_sums(bytes, size);
	uint8_t inner[PACKET_BYTES * 2];
	const size_t outer = 20;

	if (sums.ip == SUM_BAD || sums.l4 == SUM_BAD)
		return false;
	if (bytes[12] != 8 || bytes[ETH_HLEN + 9] != IPPROTO_IPIP || size > sizeof(inner) + outer)
		return true;
	memcpy(inner, bytes, ETH_HLEN);
	memcpy(inner + ETH_HLEN, bytes + ETH_HLEN + outer, size - ETH_HLEN - outer);
	return traffic_sums_good(inner, size - outer);
}

static int compare_tuples(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct wrapper_flow, ip_check));
}

static int check(const struct traffic *traffic, struct err *err)
{
	_cleanup_(freep) struct wrapper_flow *sorted = calloc(traffic->count, sizeof(*sorted));
	struct packet packet = traffic->packet;

	if (!sorted)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(sorted, traffic->flows, traffic->count * sizeof(*sorted));
	qsort(sorted, traffic->count, sizeof(*sorted), compare_tuples);
	for (uint32_t i = 1; i < traffic->count; i++)
		if (!compare_tuples(&sorted[i - 1], &sorted[i]))
			return err_set(err, -EINVAL, "the flows are not distinct");
	for (uint32_t i = 0; i < traffic->count; i++) {
		put_tuple(traffic, &traffic->flows[i], &packet);
		if (traffic->version == 4)
			memcpy(packet.bytes + packet.l3 + 10, &traffic->flows[i].ip_check, 2);
		if (has_ports(traffic))
			memcpy(packet.bytes + check_field(traffic), &traffic->flows[i].l4_check, 2);
		if (!traffic_sums_good(packet.bytes, packet.size))
			return err_set(err, -EINVAL, "a packet has a wrong checksum");
	}
	return 0;
}

/* xorshift: the same order in every run. */
static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void shuffle(struct traffic *traffic)
{
	uint32_t random = 0x2545f491;

	for (uint32_t i = traffic->count - 1; i > 0; i--) {
		uint32_t other = (uint32_t)((uint64_t)next_random(&random) * (i + 1) >> 32);
		struct wrapper_flow kept = traffic->flows[i];

		traffic->flows[i] = traffic->flows[other];
		traffic->flows[other] = kept;
	}
}

static int take_room(struct traffic_room *room, struct traffic *traffic, uint32_t count,
		     struct err *err)
{
	if (count > WRAPPER_FLOWS - room->taken)
		return err_set(err, -ENOSPC, "the wrapper has no room for %u more flows", count);
	traffic->first = room->taken;
	traffic->flows = room->flows + room->taken;
	traffic->count = count;
	room->taken += count;
	return 0;
}

/* Flow i: another client address or port than any before. */
static void make_flow(const struct traffic_spec *spec, const struct traffic *traffic, uint32_t i,
		      struct wrapper_flow *ret)
{
	uint32_t src, dst, spread = spec->spread ?: 1;

	memcpy(&src, traffic->packet.bytes + src_word(traffic), sizeof(src));
	memcpy(&dst, traffic->packet.bytes + dst_word(traffic), sizeof(dst));
	*ret = (struct wrapper_flow){
		.src = htonl(ntohl(src) + (i >> PORTS_BITS) + (i << 4 & 0x3fff0)),
		.dst = htonl(ntohl(dst) + i % spread),
		.sport = htons((uint16_t)(PORT_FIRST + (i & ((1u << PORTS_BITS) - 1)))),
		.dport = htons(spec->dport),
	};
}

int traffic_make(struct traffic_room *room, const struct traffic_spec *spec, struct traffic *ret,
		 struct err *err)
{
	struct traffic traffic = {};
	int r = take_room(room, &traffic, spec->flows, err);

	if (r < 0)
		return r;
	make_template(spec, &traffic);
	for (uint32_t i = 0; i < traffic.count; i++)
		make_flow(spec, &traffic, i, &traffic.flows[i]);
	sum_flows(&traffic);
	shuffle(&traffic);
	*ret = traffic;
	return check(ret, err);
}

int traffic_with_flags(struct traffic_room *room, const struct traffic_spec *spec,
		       const struct traffic *flows, uint8_t flags, struct traffic *ret,
		       struct err *err)
{
	struct traffic_spec other = *spec;
	int r = take_room(room, ret, flows->count, err);

	if (r < 0)
		return r;
	other.flags = flags;
	make_template(&other, ret);
	memcpy(ret->flows, flows->flows, flows->count * sizeof(*flows->flows));
	sum_flows(ret);
	return check(ret, err);
}

int traffic_replies(struct traffic_room *room, const struct traffic *requests, struct traffic *ret,
		    struct err *err)
{
	return take_room(room, ret, requests->count, err);
}

int traffic_learned(const struct traffic_spec *spec, struct traffic *replies, struct err *err)
{
	make_template(spec, replies);
	sum_flows(replies);
	shuffle(replies);
	return check(replies, err);
}
