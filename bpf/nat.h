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
#include "parse.h"
#include "select.h"

#define NAT_OWN_PROBES	32  /* in the CPU's own block of ports */
#define NAT_PORT_PROBES 128 /* in all: enough to find one among a hundred, nearly always */
#define EEXIST		17

/* Set before the program is loaded. */
const volatile __u32 nat_cpus = 1;

/* New addresses and ports of a packet; ports in host order. */
struct nat_rewrite {
	const __u8 *src;
	const __u8 *dst;
	__u16 sport;
	__u16 dport;
};

/* Asked first: a packet that goes no further must not open a flow. */
static __always_inline bool nat_ttl_expires(const struct pkt *pkt)
{
	const void *end = (void *)(long)pkt->ctx->data_end;

	if (!within(end, pkt->l3, sizeof(struct iphdr)))
		return true;
	return (pkt->version == 6 ? pkt->ip6->hop_limit : pkt->ip4->ttl) <= 1;
}

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
		ip6->hop_limit--;
		addr_copy_ip6(&ip6->saddr, to->src);
		addr_copy_ip6(&ip6->daddr, to->dst);
		return GO_ON;
	}
	if (!within(end, ip4, sizeof(*ip4)))
		return WEIR_R_TRUNCATED;
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

/*
 * The n-th port to try, as a number in [0, ports). Each CPU walks a block of its own, endpoint by
 * endpoint in a circle, so that a port rests as long as possible before it is used again: the
 * endpoint may keep the old connection in TIME_WAIT. A full block is left for any port.
 */
static __always_inline __u32 nat_candidate(__u32 *cursor, __u32 ports, __u32 n)
{
	__u32 block = ports / nat_cpus, start = bpf_get_smp_processor_id() % nat_cpus * block;

	if (!*cursor) /* anywhere: endpoints remember the ports of an instance before this one */
		*cursor = bpf_get_prandom_u32();
	if (!block || n >= NAT_OWN_PROBES)
		return ((__u64)bpf_get_prandom_u32() * ports) >> 32;
	return start + (*cursor)++ % block;
}

/*
 * Claims a SNAT port by inserting the reply's record; completes its key `back`. `first` and `rows`
 * are the endpoint's rows in snat. A function of its own, as parse_extensions(): the verifier
 * walks its loop once. Returns an enum weir_reason.
 */
__noinline int nat_claim(__u32 first, __u32 rows, struct weir_flow *back,
			 const struct weir_nat_reply *reply)
{
	const struct weir_snat *from;
	__u32 row = first, *cursor;

	if (!back || !reply)
		return WEIR_R_INTERNAL;
	cursor = bpf_map_lookup_elem(&nat_cursor, &reply->endpoint);
	if (!cursor)
		return WEIR_R_INTERNAL;
	if (rows > 1)
		row += ((__u64)bpf_get_prandom_u32() * rows) >> 32;
	from = bpf_map_lookup_elem(&snat, &row);
	if (!row || !from || !from->ports)
		return WEIR_R_NAT_NO_PORT;
	addr_copy(back->dst, from->addr);
	for (int i = 0; i < NAT_PORT_PROBES; i++) {
		long error;

		back->dport = nat_port(from, nat_candidate(cursor, from->ports, i));
		if (!back->dport)
			continue;
		error = bpf_map_update_elem(&nat_replies, back, reply, BPF_NOEXIST);
		if (!error)
			return GO_ON;
		if (error != -EEXIST)
			return WEIR_R_NAT_FULL;
	}
	return WEIR_R_NAT_NO_PORT;
}

/* Fills in the records of a new flow in both directions, but for the SNAT address and port. */
static __always_inline void nat_fill(const struct pkt *pkt, const struct weir_listener *listener,
				     const struct weir_endpoint *endpoint, struct nat_new *new)
{
	struct weir_nat_reply *reply = &new->reply;
	struct weir_nat_flow *flow = &new->flow;
	struct weir_flow *back = &new->back;

	addr_copy(flow->endpoint_addr, endpoint->addr);
	flow->endpoint_port = endpoint->port ?: pkt->flow.dport;
	flow->generation = endpoint->generation;
	flow->listener = listener->id;
	flow->idle_timeout = listener->idle_timeout;
	flow->state = pkt->flow.protocol == IPPROTO_TCP ? WEIR_FLOW_SYN : WEIR_FLOW_OPEN;

	addr_copy(back->src, endpoint->addr);
	back->sport = flow->endpoint_port;
	back->protocol = pkt->flow.protocol;

	addr_copy(reply->client_addr, pkt->flow.src);
	addr_copy(reply->listener_addr, pkt->flow.dst);
	reply->client_port = pkt->flow.sport;
	reply->listener_port = pkt->flow.dport;
	reply->nexthop = flow->client;
	reply->endpoint = flow->endpoint;
	reply->listener = listener->id;
	reply->seen = flow->seen;
	reply->state = WEIR_FLOW_SYN;
}

/* Records a new flow to an endpoint in both directions; *ret is the client's record. */
static __always_inline enum weir_reason nat_record(const struct pkt *pkt,
						   const struct weir_listener *listener,
						   const struct weir_endpoint *endpoint,
						   struct weir_nat_flow **ret)
{
	enum weir_reason reason;
	struct nat_new *new;
	__u32 zero = 0;
	long error;

	new = bpf_map_lookup_elem(&nat_scratch, &zero);
	if (!new)
		return WEIR_R_INTERNAL;
	new->flow.endpoint = pkt->endpoint;
	new->flow.seen = clock_now(pkt->control);
	new->flow.client = nexthop_back(pkt, egress_of_ingress(pkt->ctx->ingress_ifindex));
	/* Without a way there and back there is no flow. */
	if (!endpoint->nexthop.egress || !new->flow.client.egress)
		return WEIR_R_NO_NEXT_HOP;
	nat_fill(pkt, listener, endpoint, new);
	reason = nat_claim(endpoint->snat, endpoint->snat_rows, &new->back, &new->reply);
	if (reason != GO_ON)
		return reason;
	addr_copy(new->flow.snat_addr, new->back.dst);
	new->flow.snat_port = new->back.dport;
	error = bpf_map_update_elem(&nat_flows, &pkt->flow, &new->flow, BPF_NOEXIST);
	if (error) {
		bpf_map_delete_elem(&nat_replies, &new->back);
		return error == -EEXIST ? WEIR_R_NAT_RACE : WEIR_R_NAT_FULL;
	}
	*ret = &new->flow;
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
	struct weir_nexthop client =
		nexthop_back(pkt, egress_of_ingress(pkt->ctx->ingress_ifindex));
	struct weir_nat_reply *reply;
	struct weir_flow back;

	nat_back(pkt, flow, &back);
	reply = bpf_map_lookup_elem(&nat_replies, &back);
	if (!reply || !client.egress)
		return;
	flow->client = client;
	reply->nexthop = client;
}

/* By the router's MAC, and by the interface, since routers may have one MAC on several. */
static __always_inline bool nat_client_is_where_it_was(const struct pkt *pkt,
						       const struct weir_nat_flow *flow)
{
	struct weir_nexthop client = nexthop_back(pkt, flow->client.egress);
	__u32 index = flow->client.egress;
	const struct weir_egress *way = bpf_map_lookup_elem(&egress, &index);

	return nexthop_same(&client, &flow->client) && way &&
	       way->ifindex == pkt->ctx->ingress_ifindex;
}

static __always_inline void nat_touch(const struct pkt *pkt, struct weir_nat_flow *flow, __u32 now)
{
	__u8 state = flow_state(pkt, flow->state);

	if (flow->seen != now)
		flow->seen = now;
	if (flow->state != state)
		flow->state = state;
	if (!nat_client_is_where_it_was(pkt, flow))
		nat_client_moved(pkt, flow);
}

/*
 * The record of the packet's flow in *ret, touched; NULL where it has none, or one that is over
 * and makes room for another. A retransmitted SYN is no new flow: it may go to a draining endpoint.
 */
static __always_inline enum weir_reason nat_known(const struct pkt *pkt, struct weir_nat_flow **ret)
{
	struct weir_nat_flow *known = bpf_map_lookup_elem(&nat_flows, &pkt->flow);
	__u32 row;
	bool keeps;

	*ret = NULL;
	if (!known)
		return GO_ON;
	if (nat_ttl_expires(pkt))
		return WEIR_R_TTL_EXPIRED;
	row = known->endpoint;
	keeps = endpoint_keeps(bpf_map_lookup_elem(&endpoints, &row), known->generation, false);
	if (nat_is_over(pkt, known, keeps)) {
		nat_forget(pkt, known);
		return GO_ON;
	}
	if (!keeps)
		return WEIR_R_ENDPOINT_GONE;
	nat_touch(pkt, known, clock_now(pkt->control));
	*ret = known;
	return GO_ON;
}

/* Of a recorded flow, to its endpoint. */
static __always_inline enum weir_reason nat_forward(struct pkt *pkt,
						    const struct weir_nat_flow *flow)
{
	const struct weir_endpoint *endpoint;
	enum weir_reason reason;

	pkt->endpoint = flow->endpoint;
	endpoint = bpf_map_lookup_elem(&endpoints, &pkt->endpoint);
	if (!endpoint)
		return WEIR_R_INTERNAL;
	reason = nat_rewrite(pkt, &(struct nat_rewrite){
					  .src = flow->snat_addr,
					  .dst = flow->endpoint_addr,
					  .sport = flow->snat_port,
					  .dport = flow->endpoint_port,
				  });
	return reason != GO_ON ? reason : forward(pkt, nexthop_read(&endpoint->nexthop));
}

/* Opens a flow to the endpoint that was selected for it. */
static __always_inline enum weir_reason nat_open(struct pkt *pkt,
						 const struct weir_listener *listener,
						 const struct weir_endpoint *endpoint)
{
	struct weir_nat_flow *flow = NULL;
	enum weir_reason reason;

	if (pkt->flow.protocol == IPPROTO_TCP && !(pkt->flags & PKT_SYN))
		return WEIR_R_NO_FLOW;
	if (nat_ttl_expires(pkt))
		return WEIR_R_TTL_EXPIRED;
	reason = nat_record(pkt, listener, endpoint, &flow);
	if (reason != GO_ON || !flow)
		return reason;
	pkt->new_flow = true;
	return nat_forward(pkt, flow);
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
	if (nat_ttl_expires(pkt))
		return WEIR_R_TTL_EXPIRED;
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
	pkt->endpoint = known->endpoint;
	reason = forward(pkt, nexthop_read(&known->nexthop));
	return reason == GO_ON ? WEIR_R_REPLIED : reason;
}

#endif
