/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The nat mode: to the endpoint with its address and port as destination and one of the
 * balancer's as source; its answers come back here and are turned round. A flow is two records,
 * one per direction, each found by the packet as it is on the wire:
 *
 *   nat_flows     client → listener          to  SNAT address, port; endpoint
 *   nat_replies   endpoint → SNAT address    to  client; listener
 *
 * Inserting the reply record claims the SNAT port, so a port is unique per (SNAT address, port,
 * endpoint, protocol). Nothing is evicted: a full table refuses new flows only. The daemon ages.
 */
#ifndef WEIR_BPF_NAT_H
#define WEIR_BPF_NAT_H

#include "csum.h"
#include "forward.h"
#include "select.h"

#define NAT_PORT_PROBES 32
#define EEXIST		17

/* New addresses and ports of a packet; ports in host order. */
struct nat_rewrite {
	const __u8 *src;
	const __u8 *dst;
	__u16 sport;
	__u16 dport;
};

static __always_inline enum weir_reason nat_rewrite_ip(struct pkt *pkt,
						       const struct nat_rewrite *to)
{
	const void *end = (void *)(long)pkt->ctx->data_end;
	struct ipv6hdr *ip6 = pkt->ip6;
	struct iphdr *ip4 = pkt->ip4;
	__u64 delta;

	/* Bounds that parse() has checked: the verifier forgets which header it was. */
	if (pkt->version == 6) {
		if (!within(end, ip6, sizeof(*ip6)))
			return WEIR_R_TRUNCATED;
		if (ip6->hop_limit <= 1)
			return WEIR_R_TTL_EXPIRED;
		ip6->hop_limit--;
		__builtin_memcpy(&ip6->saddr, to->src, 16);
		__builtin_memcpy(&ip6->daddr, to->dst, 16);
		return GO_ON;
	}
	if (!within(end, ip4, sizeof(*ip4)))
		return WEIR_R_TRUNCATED;
	if (ip4->ttl <= 1)
		return WEIR_R_TTL_EXPIRED;
	ip4->ttl--;
	delta = csum_delta16(bpf_htons(0x0100), 0); /* the TTL is the word's first byte */
	delta += csum_delta32(ip4->saddr, addr_to_ip4(to->src));
	delta += csum_delta32(ip4->daddr, addr_to_ip4(to->dst));
	ip4->saddr = addr_to_ip4(to->src);
	ip4->daddr = addr_to_ip4(to->dst);
	ip4->check = csum_apply(ip4->check, delta);
	return GO_ON;
}

static __always_inline enum weir_reason nat_rewrite(struct pkt *pkt, const struct nat_rewrite *to)
{
	__be16 sport = bpf_htons(to->sport), dport = bpf_htons(to->dport);
	__u64 delta =
		csum_delta_addr(pkt->flow.src, to->src) + csum_delta_addr(pkt->flow.dst, to->dst);
	const void *end = (void *)(long)pkt->ctx->data_end;
	enum weir_reason reason = nat_rewrite_ip(pkt, to);

	if (reason != GO_ON)
		return reason;
	if (pkt->flow.protocol == IPPROTO_TCP) {
		if (!within(end, pkt->tcp, sizeof(*pkt->tcp)))
			return WEIR_R_TRUNCATED;
		delta += csum_delta16(pkt->tcp->source, sport);
		delta += csum_delta16(pkt->tcp->dest, dport);
		pkt->tcp->source = sport;
		pkt->tcp->dest = dport;
		pkt->tcp->check = csum_apply(pkt->tcp->check, delta);
		return GO_ON;
	}
	if (!within(end, pkt->udp, sizeof(*pkt->udp)))
		return WEIR_R_TRUNCATED;
	delta += csum_delta16(pkt->udp->source, sport);
	delta += csum_delta16(pkt->udp->dest, dport);
	pkt->udp->source = sport;
	pkt->udp->dest = dport;
	if (pkt->udp->check) /* zero: the sender left it out (RFC 768) */
		pkt->udp->check = csum_apply(pkt->udp->check, delta) ?: 0xffff;
	return GO_ON;
}

/* Port number k of those that weir may use on the address. */
static __always_inline __u16 nat_port(const struct weir_snat *from, __u32 k)
{
	for (__u32 i = 0; i < WEIR_SNAT_RANGES; i++) {
		__u32 size = from->range[i].last - from->range[i].first + 1;

		if (k < size)
			return from->range[i].first + k;
		k -= size;
	}
	return 0;
}

static __always_inline bool nat_port_is_ours(__u16 snat_index, __u16 port)
{
	__u32 index = snat_index;
	const struct weir_snat *own = bpf_map_lookup_elem(&snat, &index);

	if (!own)
		return false;
	for (__u32 i = 0; i < WEIR_SNAT_RANGES; i++)
		if (i < own->ranges && port >= own->range[i].first && port <= own->range[i].last)
			return true;
	return false;
}

/* A scrambled walk through all ports, so that neighbours do not collide. */
static __always_inline __u32 nat_random(void)
{
	__u32 zero = 0, *cursor = bpf_map_lookup_elem(&nat_cursor, &zero);

	if (!cursor)
		return 0;
	*cursor += 0x9e3779b9; /* 2^32 / golden ratio: fills the range evenly */
	return *cursor + bpf_get_smp_processor_id() * 0x3c6ef372;
}

/* Claims a SNAT port by inserting the reply's record; completes `flow` and `back`. */
static __always_inline enum weir_reason nat_claim(const struct weir_endpoint *endpoint,
						  struct weir_nat_flow *flow,
						  struct weir_flow *back,
						  const struct weir_nat_reply *reply)
{
	__u32 row = endpoint->snat;
	const struct weir_snat *from;

	if (endpoint->snat_rows > 1)
		row += ((__u64)nat_random() * endpoint->snat_rows) >> 32;
	from = bpf_map_lookup_elem(&snat, &row);
	if (!row || !from || !from->ports)
		return WEIR_R_NAT_NO_PORT;
	addr_copy(back->dst, from->addr);
	addr_copy(flow->snat_addr, from->addr);
	for (int i = 0; i < NAT_PORT_PROBES; i++) {
		long error;

		back->dport = nat_port(from, ((__u64)nat_random() * from->ports) >> 32);
		error = bpf_map_update_elem(&nat_replies, back, reply, BPF_NOEXIST);
		if (!error) {
			flow->snat_port = back->dport;
			return GO_ON;
		}
		if (error != -EEXIST)
			return WEIR_R_NAT_FULL;
	}
	return WEIR_R_NAT_NO_PORT;
}

/* Selects an endpoint for a new flow and records it in both directions; fills `flow`. */
static __always_inline enum weir_reason nat_open(struct pkt *pkt,
						 const struct weir_listener *listener, __u32 now,
						 struct weir_nat_flow *flow)
{
	struct weir_nat_reply reply = {};
	struct weir_flow back = {};
	const struct weir_endpoint *endpoint;
	enum weir_reason reason;
	__u32 row = 0;
	long error;

	reason = select_endpoint(pkt, listener, &row);
	if (reason != GO_ON)
		return reason;
	endpoint = bpf_map_lookup_elem(&endpoints, &row);
	if (!endpoint)
		return WEIR_R_INTERNAL;
	if (!endpoint->nexthop.egress)
		return WEIR_R_NO_NEXT_HOP;

	addr_copy(flow->endpoint_addr, endpoint->addr);
	flow->endpoint_port = endpoint->port ?: pkt->flow.dport;
	flow->endpoint = row;
	flow->generation = endpoint->generation;
	flow->listener = listener->id;
	flow->idle_timeout = listener->idle_timeout;
	flow->seen = now;
	flow->state = pkt->flow.protocol == IPPROTO_TCP ? WEIR_FLOW_SYN : WEIR_FLOW_OPEN;
	flow->client = nexthop_back(pkt, egress_of_ingress(pkt));

	addr_copy(reply.client_addr, pkt->flow.src);
	addr_copy(reply.listener_addr, pkt->flow.dst);
	reply.client_port = pkt->flow.sport;
	reply.listener_port = pkt->flow.dport;
	reply.nexthop = flow->client;
	reply.endpoint = row;
	reply.listener = listener->id;
	reply.seen = now;
	reply.state = WEIR_FLOW_SYN;

	addr_copy(back.src, endpoint->addr);
	back.sport = flow->endpoint_port;
	back.protocol = pkt->flow.protocol;
	reason = nat_claim(endpoint, flow, &back, &reply);
	if (reason != GO_ON)
		return reason;
	error = bpf_map_update_elem(&nat_flows, &pkt->flow, flow, BPF_NOEXIST);
	if (error) {
		bpf_map_delete_elem(&nat_replies, &back);
		return error == -EEXIST ? WEIR_R_NAT_RACE : WEIR_R_NAT_FULL;
	}
	return GO_ON;
}

/* The reply's key of a recorded flow. */
static __always_inline void nat_back(const struct pkt *pkt, const struct weir_nat_flow *flow,
				     struct weir_flow *back)
{
	__builtin_memset(back, 0, sizeof(*back));
	addr_copy(back->src, flow->endpoint_addr);
	addr_copy(back->dst, flow->snat_addr);
	back->sport = flow->endpoint_port;
	back->dport = flow->snat_port;
	back->protocol = pkt->flow.protocol;
}

static __always_inline void nat_forget(const struct pkt *pkt, const struct weir_nat_flow *flow)
{
	struct weir_flow back;

	nat_back(pkt, flow, &back);
	bpf_map_delete_elem(&nat_flows, &pkt->flow);
	bpf_map_delete_elem(&nat_replies, &back);
}

/* Is a recorded flow over, so that this packet begins a new one in its place? */
static __always_inline bool nat_is_over(const struct pkt *pkt, const struct weir_nat_flow *flow,
					bool keeps)
{
	if (pkt->flow.protocol == IPPROTO_UDP)
		return !keeps;
	if (!(pkt->flags & PKT_SYN))
		return false;
	return !keeps || flow->state >= WEIR_FLOW_CLOSING;
}

/* The client's packets come by another way than before: so must the answers go. */
static __always_inline void nat_client_moved(const struct pkt *pkt, struct weir_nat_flow *flow)
{
	struct weir_nexthop client = nexthop_back(pkt, egress_of_ingress(pkt));
	struct weir_nat_reply *reply;
	struct weir_flow back;

	nat_back(pkt, flow, &back);
	reply = bpf_map_lookup_elem(&nat_replies, &back);
	if (!reply || !client.egress)
		return;
	flow->client = client;
	reply->nexthop = client;
}

static __always_inline void nat_touch(const struct pkt *pkt, struct weir_nat_flow *flow, __u32 now)
{
	struct weir_nexthop client = nexthop_back(pkt, flow->client.egress);
	__u8 state = flow_state(pkt, flow->state);

	if (flow->seen != now)
		flow->seen = now;
	if (flow->state != state)
		flow->state = state;
	if (!nexthop_same(&client, &flow->client))
		nat_client_moved(pkt, flow);
}

/* From a client to a listener of mode nat. */
static __always_inline enum weir_reason nat_request(struct pkt *pkt,
						    const struct weir_listener *listener)
{
	struct weir_nat_flow *known = bpf_map_lookup_elem(&nat_flows, &pkt->flow);
	const struct weir_endpoint *endpoint;
	__u32 now = clock_now(pkt->control), row;
	struct weir_nat_flow flow = {};
	enum weir_reason reason;
	bool new_flow = false;

	if (known) {
		bool keeps;

		row = known->endpoint;
		endpoint = bpf_map_lookup_elem(&endpoints, &row);
		/* A retransmitted SYN is no new flow: it may go to a draining endpoint. */
		keeps = endpoint_keeps(endpoint, known->generation, false);
		if (nat_is_over(pkt, known, keeps)) {
			nat_forget(pkt, known);
			known = NULL;
		} else if (!keeps) {
			return WEIR_R_ENDPOINT_GONE;
		}
	}
	if (!known) {
		if (pkt->flow.protocol == IPPROTO_TCP && !(pkt->flags & PKT_SYN))
			return WEIR_R_NO_FLOW;
		reason = nat_open(pkt, listener, now, &flow);
		if (reason != GO_ON)
			return reason;
		new_flow = true;
		known = &flow;
	} else {
		nat_touch(pkt, known, now);
	}

	row = known->endpoint;
	endpoint = bpf_map_lookup_elem(&endpoints, &row);
	if (!endpoint)
		return WEIR_R_INTERNAL;
	reason = nat_rewrite(pkt, &(struct nat_rewrite){
					  .src = known->snat_addr,
					  .dst = known->endpoint_addr,
					  .sport = known->snat_port,
					  .dport = known->endpoint_port,
				  });
	if (reason != GO_ON)
		return reason;
	reason = forward(pkt, nexthop_read(&endpoint->nexthop));
	if (reason == GO_ON)
		count_request(listener->id, row, pkt->l3_length, new_flow);
	return reason;
}

/* From an endpoint to a SNAT address; *listener is set where the flow is known. */
static __always_inline enum weir_reason nat_reply(struct pkt *pkt, __u32 *listener)
{
	struct weir_nat_reply *known = bpf_map_lookup_elem(&nat_replies, &pkt->flow);
	__u32 now = clock_now(pkt->control);
	enum weir_reason reason;
	__u8 state;

	if (!known)
		return WEIR_R_NAT_UNKNOWN;
	*listener = known->listener;
	state = flow_state(pkt, known->state);
	if (known->seen != now)
		known->seen = now;
	if (known->state != state)
		known->state = state;
	reason = nat_rewrite(pkt, &(struct nat_rewrite){
					  .src = known->listener_addr,
					  .dst = known->client_addr,
					  .sport = known->listener_port,
					  .dport = known->client_port,
				  });
	if (reason != GO_ON)
		return reason;
	reason = forward(pkt, nexthop_read(&known->nexthop));
	if (reason != GO_ON)
		return reason;
	count_reply(known->listener, known->endpoint, pkt->l3_length);
	return WEIR_R_REPLIED;
}

#endif
