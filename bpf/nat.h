/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The nat mode: to the endpoint with its address and port as destination and one of the
 * balancer's as source; its answers come back here and are turned round. A flow is one record
 * (nat_table.h), found by both directions:
 *
 *   nat_known    the record of a client's packet; nat_forward sends it on
 *   nat_open     a record for a new flow to the endpoint that was selected, and sends it on
 *   nat_reply    an endpoint's answer, back to the client
 *
 * Nothing is evicted: a full table refuses new flows only. A SNAT port is unique per (SNAT address,
 * port, endpoint, protocol). What is over is removed by new flows as they come, a few records each
 * time, and by the daemon when none come.
 */
#ifndef WEIR_BPF_NAT_H
#define WEIR_BPF_NAT_H

#include "explain.h"
#include "forward.h"
#include "nat_claim.h"
#include "nat_rewrite.h"
#include "select.h"

/* Where a flow's packets go and as whom. */
struct nat_flow {
	const struct weir_endpoint *to;
	__u32 endpoint; /* its row */
	__u32 snat;	/* row; 0: there is no flow */
	__u16 port;
};

/* Microseconds for nat_latency; never 0. */
static __always_inline __u32 nat_microseconds(void)
{
	return (__u32)(bpf_ktime_get_ns() / 1000) ?: 1;
}

static __always_inline struct weir_nexthop nat_nexthop(const struct weir_nat_client *client)
{
	struct weir_nexthop nexthop = { .egress = client->egress };

	mac_copy(nexthop.mac, client->mac);
	return nexthop;
}

/* Does a packet of a recorded flow begin another one in its place? */
static __always_inline bool nat_begins(const struct pkt *pkt, const struct weir_nat_record *record,
				       bool lives)
{
	if (pkt->flow.protocol == IPPROTO_UDP)
		return !lives;
	return (pkt->flags & PKT_SYN) && (!lives || record->client_state >= WEIR_FLOW_CLOSING ||
					  record->endpoint_state == WEIR_FLOW_RESET);
}

/* The client's packets come by another way than before: so must the answers go. */
static __always_inline void nat_client_moved(const struct pkt *pkt, struct weir_nat_record *record)
{
	struct weir_nat_client client = { .snat = record->client.snat };

	client.egress = egress_of_ingress(pkt);
	mac_copy(client.mac, pkt->eth->h_source);
	if (client.egress)
		*(volatile __u64 *)&record->client = *(__u64 *)&client;
}

/* By the router's MAC, and by the interface and VLAN, since routers may have one MAC on several. */
static __always_inline bool nat_client_is_where_it_was(const struct pkt *pkt,
						       struct weir_nat_client was)
{
	__u32 index = was.egress;
	const struct weir_egress *way = bpf_map_lookup_elem(&egress, &index);

	return mac_same(was.mac, pkt->eth->h_source) && way &&
	       way->ifindex == pkt->ctx->ingress_ifindex && vlan_of(way) == pkt->vlan;
}

static __always_inline void nat_touch(const struct pkt *pkt, struct weir_nat_record *record,
				      struct weir_nat_client client, __u32 now)
{
	__u8 state = flow_state(pkt, record->client_state);

	if (EXPLAINING)
		return;
	if (record->seen != now)
		record->seen = now;
	if (record->client_state != state)
		record->client_state = state;
	if (pkt->flags & PKT_SYN) /* sent again: an answer would be to which one? */
		record->opened = 0;
	if (!nat_client_is_where_it_was(pkt, client))
		nat_client_moved(pkt, record);
}

/*
 * The record of the packet's flow, touched, in *ret, which is left as it is where there is none, or
 * one that is over: then it is removed, to be opened anew. A retransmitted SYN is no new flow: it
 * may go to a draining endpoint.
 */
static __always_inline enum weir_reason nat_known(const struct pkt *pkt, struct nat_flow *ret)
{
	__u64 hash = weir_hash_nat(&pkt->flow, pkt->control->nat_seed);
	const struct weir_endpoint *endpoint;
	__u32 now = clock_now(pkt->control);
	struct weir_nat_record *record;
	struct weir_nat_client client;
	struct nat_match match;
	bool keeps, over;
	__u16 port;

	record = nat_find(&pkt->flow, hash, &match);
	if (!record) {
		EXPLAIN_MISS(FLOW);
		return GO_ON;
	}
	EXPLAIN(FLOW, match.index, record);
	*(__u64 *)&client = *(const volatile __u64 *)&record->client;
	port = record->snat_port;
	endpoint = nat_endpoint(match.word);
	EXPLAIN(ENDPOINT, match.word.is.endpoint, endpoint);
	keeps = endpoint && endpoint_keeps(endpoint, endpoint->generation, false);
	over = nat_is_over(record, match.word, endpoint, now);
	if (nat_begins(pkt, record, keeps && !over)) {
		EXPLAIN_WITHHELD(END, match.index);
		nat_remove(match.index, match.word.all);
		return GO_ON;
	}
	if (over)
		return GO_ON;
	if (!nat_is_still(record, &match))
		return WEIR_R_NAT_RACE;
	if (nat_ttl_expires(pkt))
		return WEIR_R_TTL_EXPIRED;
	if (!keeps)
		return WEIR_R_ENDPOINT_GONE;
	nat_touch(pkt, record, client, now);
	*ret = (struct nat_flow){ .to = endpoint,
				  .endpoint = match.word.is.endpoint,
				  .snat = client.snat,
				  .port = port };
	return GO_ON;
}

/* Of a recorded flow, to its endpoint. */
static __always_inline enum weir_reason nat_forward(struct pkt *pkt, const struct nat_flow *flow)
{
	const struct weir_endpoint *endpoint = flow->to;
	const struct weir_snat *from;
	struct weir_nexthop nexthop;
	__u32 snat_row = flow->snat;
	enum weir_reason reason;

	pkt->endpoint = flow->endpoint;
	from = bpf_map_lookup_elem(&snat, &snat_row);
	if (!endpoint || !from)
		return WEIR_R_INTERNAL;
	nexthop = nexthop_read(&endpoint->nexthop);
	reason = nat_rewrite(pkt, &(struct nat_rewrite){
					  .src = from->addr,
					  .dst = endpoint->addr,
					  .sport = flow->port,
					  .dport = endpoint->port ?: pkt->flow.dport,
					  .egress = nexthop.egress,
				  });
	return reason != GO_ON ? reason : forward(pkt, nexthop);
}

/* Fills in a new flow, but for what is claimed. */
static __always_inline void nat_prepare(const struct pkt *pkt, const struct weir_endpoint *endpoint,
					struct nat_new *new)
{
	__u64 hash = weir_hash_nat(&pkt->flow, pkt->control->nat_seed);

	new->flow = pkt->flow;
	new->at = nat_places(hash);
	new->mark = WEIR_NAT_MARK(hash);
	addr_copy(new->back.src, endpoint->addr);
	new->back.sport = endpoint->port ?: pkt->flow.dport;
	new->back.protocol = pkt->flow.protocol;
	mac_copy(new->client.mac, pkt->eth->h_source);
	new->client.egress = egress_of_ingress(pkt);
	new->endpoint = pkt->endpoint;
	new->endpoint_generation = endpoint->generation;
	new->first_snat = endpoint->snat;
	new->snat_rows = endpoint->snat_rows;
	new->now = clock_now(pkt->control);
	new->opened = nat_microseconds();
	new->client_state = pkt->flow.protocol == IPPROTO_TCP ? WEIR_FLOW_SYN : WEIR_FLOW_OPEN;
}

/* Another CPU has opened the flow meanwhile: where to. False: it is still about it. */
static __always_inline bool nat_opened_by_other(const struct nat_new *new, struct nat_flow *ret)
{
	struct weir_nat_record *record;
	struct nat_match match = {};

	if (!nat_search(&new->flow, nat_hash(&new->flow), &match))
		return false;
	record = nat_record(match.index);
	if (!record)
		return false;
	*ret = (struct nat_flow){ .to = nat_endpoint(match.word),
				  .endpoint = match.word.is.endpoint,
				  .snat = record->client.snat,
				  .port = record->snat_port };
	return nat_is_still(record, &match);
}

/* Opens a flow to the endpoint that was selected for it, in row pkt->endpoint. */
static __always_inline enum weir_reason nat_open(struct pkt *pkt,
						 const struct weir_endpoint *endpoint)
{
	struct nat_scratch *scratch;
	enum weir_reason reason;
	struct nat_flow flow;
	__u32 zero = 0;

	if (pkt->flow.protocol == IPPROTO_TCP && !(pkt->flags & PKT_SYN))
		return WEIR_R_NO_FLOW;
	if (nat_ttl_expires(pkt))
		return WEIR_R_TTL_EXPIRED;
	reason = nat_check(pkt, endpoint->addr, endpoint->nexthop.egress);
	if (reason != GO_ON)
		return reason;
	scratch = bpf_map_lookup_elem(&nat_scratch, &zero);
	if (!scratch)
		return WEIR_R_INTERNAL;
	nat_prepare(pkt, endpoint, &scratch->new);
	/* Without a way there and back there is no flow. */
	if (!endpoint->nexthop.egress || !scratch->new.client.egress)
		return WEIR_R_NO_NEXT_HOP;
	reason = nat_insert(&scratch->new);
	nat_age(scratch->new.now);
	flow = (struct nat_flow){ .to = endpoint,
				  .endpoint = pkt->endpoint,
				  .snat = scratch->new.client.snat,
				  .port = scratch->new.back.dport };
	EXPLAIN(SNAT, flow.snat, reason == GO_ON ? &flow.port : NULL);
	pkt->new_flow = reason == GO_ON;
	/* Spelled out: the verifier knows nothing of a function's result. */
	if (reason == WEIR_R_NAT_RACE)
		return nat_opened_by_other(&scratch->new, &flow) ? nat_forward(pkt, &flow)
								 : WEIR_R_NAT_RACE;
	if (reason != GO_ON)
		return reason == WEIR_R_NAT_FULL      ? WEIR_R_NAT_FULL
		       : reason == WEIR_R_NAT_NO_PORT ? WEIR_R_NAT_NO_PORT
						      : WEIR_R_INTERNAL;
	return nat_forward(pkt, &flow);
}

/* How long the endpoint took for its first answer. */
__noinline int nat_count_latency(__u32 row, __u32 opened)
{
	struct weir_nat_latency *latency = bpf_map_lookup_elem(&nat_latency, &row);
	__u32 took = (nat_microseconds() - opened) / WEIR_LATENCY_FIRST;

	for (__u32 i = 0; latency && i < WEIR_LATENCY_ENTRIES; i++) {
		if (took >> i && i < WEIR_LATENCY_ENTRIES - 1)
			continue;
		__sync_fetch_and_add(&latency->answers[i], 1);
		break;
	}
	return 0;
}

static __always_inline void nat_touch_reply(const struct pkt *pkt, struct weir_nat_record *record,
					    __u32 row, __u32 now)
{
	__u8 before = record->endpoint_state, state = flow_state(pkt, before);

	if (EXPLAINING)
		return;
	if (record->seen != now)
		record->seen = now;
	if (before == state)
		return;
	record->endpoint_state = state;
	if (before == WEIR_FLOW_SYN && state == WEIR_FLOW_OPEN && record->opened)
		nat_count_latency(row, record->opened);
}

/* What an answer needs of its record. */
struct nat_reply {
	__u8 client_addr[16];
	__u8 listener_addr[16];
	__u16 client_port;
	__u16 listener_port;
	struct weir_nat_client client;
} __attribute__((aligned(8))); /* for addr_copy() */

static __always_inline void nat_read_reply(const struct weir_nat_record *record,
					   struct nat_reply *ret)
{
	addr_copy(ret->client_addr, record->client_addr);
	addr_copy(ret->listener_addr, record->listener_addr);
	ret->client_port = record->client_port;
	ret->listener_port = record->listener_port;
	*(__u64 *)&ret->client = *(const volatile __u64 *)&record->client;
}

/* From an endpoint to a SNAT address; *listener is set where the flow is known. */
static __always_inline enum weir_reason nat_reply(struct pkt *pkt, __u32 *listener)
{
	__u64 hash = weir_hash_nat(&pkt->flow, pkt->control->nat_seed);
	const struct weir_endpoint *endpoint;
	__u32 now = clock_now(pkt->control);
	struct weir_nat_record *record;
	enum weir_reason reason;
	struct nat_match match;
	struct nat_reply reply;

	record = nat_find_reply(&pkt->flow, hash, &match);
	if (!record) {
		EXPLAIN_MISS(REPLY);
		return WEIR_R_NAT_UNKNOWN;
	}
	EXPLAIN(REPLY, match.index, record);
	endpoint = nat_endpoint(match.word);
	EXPLAIN(ENDPOINT, match.word.is.endpoint, endpoint);
	if (!endpoint || nat_is_over(record, match.word, endpoint, now))
		return WEIR_R_NAT_UNKNOWN;
	nat_read_reply(record, &reply);
	*listener = endpoint->listener;
	if (!nat_is_still(record, &match))
		return WEIR_R_NAT_RACE;
	if (nat_ttl_expires(pkt))
		return WEIR_R_TTL_EXPIRED;
	nat_touch_reply(pkt, record, match.word.is.endpoint, now);
	reason = nat_rewrite(pkt, &(struct nat_rewrite){
					  .src = reply.listener_addr,
					  .dst = reply.client_addr,
					  .sport = reply.listener_port,
					  .dport = reply.client_port,
					  .egress = reply.client.egress,
				  });
	if (reason != GO_ON)
		return reason;
	pkt->endpoint = match.word.is.endpoint;
	reason = forward(pkt, nat_nexthop(&reply.client));
	return reason == GO_ON ? WEIR_R_REPLIED : reason;
}

/*
 * The two below are of an ICMP error, whose flow is that of the packet which it quotes: it neither
 * touches the record nor begins another one. False: there is none, or its endpoint is gone.
 */
static __always_inline bool nat_quoted(const struct pkt *pkt, struct nat_flow *ret)
{
	__u64 hash = weir_hash_nat(&pkt->flow, pkt->control->nat_seed);
	const struct weir_nat_record *record;
	const struct weir_endpoint *endpoint;
	struct weir_nat_client client;
	struct nat_match match;

	record = nat_find(&pkt->flow, hash, &match);
	if (!record)
		return false;
	endpoint = nat_endpoint(match.word);
	if (!endpoint || !endpoint_keeps(endpoint, endpoint->generation, false) ||
	    nat_is_over(record, match.word, endpoint, clock_now(pkt->control)))
		return false;
	*(__u64 *)&client = *(const volatile __u64 *)&record->client;
	*ret = (struct nat_flow){ .to = endpoint,
				  .endpoint = match.word.is.endpoint,
				  .snat = client.snat,
				  .port = record->snat_port };
	return nat_is_still(record, &match);
}

/* The endpoint's row is in pkt->endpoint then. */
static __always_inline bool nat_quoted_reply(struct pkt *pkt, struct nat_reply *ret)
{
	__u64 hash = weir_hash_nat(&pkt->flow, pkt->control->nat_seed);
	const struct weir_nat_record *record;
	const struct weir_endpoint *endpoint;
	struct nat_match match;

	record = nat_find_reply(&pkt->flow, hash, &match);
	if (!record)
		return false;
	endpoint = nat_endpoint(match.word);
	if (!endpoint || nat_is_over(record, match.word, endpoint, clock_now(pkt->control)))
		return false;
	nat_read_reply(record, ret);
	pkt->endpoint = match.word.is.endpoint;
	return nat_is_still(record, &match);
}

#endif
