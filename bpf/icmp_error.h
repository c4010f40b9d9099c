/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An ICMP error quotes the packet that it is about, which one end of a connection has sent: it goes
 * on to that end, so that path MTU discovery works through weir.
 *
 *   dsr, ipip, gue   the endpoint has sent it to the client, from the listener's address: the
 *                    error goes to it as the client's packets do, as it is
 *   nat              weir has sent it, in either direction, for the other end: addresses and ports
 *                    are turned back outside and inside (icmp_turn.h), and where that end is of the
 *                    other family, so is the error (icmp_translate.h)
 *
 * The packet that goes the other way than the quoted one tells the flow: source and destination of
 * the quote are swapped, and looked up as those of any packet.
 *
 * One about an outer header of weir's own is for nobody else: the endpoint's MTU is learned of it
 * (mtu.h).
 */
#ifndef WEIR_BPF_ICMP_ERROR_H
#define WEIR_BPF_ICMP_ERROR_H

#include "icmp_translate.h"
#include "icmp_turn.h"
#include "listener.h"
#include "mtu.h"
#include "nat.h"
#include "select.h"
#include "tunnel.h"

/* Turned round, to the end that is the turn's `dst`. */
static __always_inline enum weir_reason icmp_send(struct pkt *pkt, struct icmp_turn *turn,
						  struct weir_nexthop nexthop)
{
	int done;

	if (turn->ttl <= 1)
		return WEIR_R_TTL_EXPIRED;
	if (!nexthop.egress)
		return WEIR_R_NO_NEXT_HOP;
	done = nat_translates(pkt, turn->dst) ? icmp_translate(pkt->ctx, turn)
					      : icmp_turn(pkt->ctx, turn);
	if (done == ICMP_UNTRANSLATABLE)
		return WEIR_R_ICMP_UNKNOWN;
	if (done == ICMP_NO_HEADROOM)
		return WEIR_R_NO_HEADROOM;
	if (done || !head_find(pkt))
		return WEIR_R_TRUNCATED;
	return forward(pkt, nexthop);
}

/* From the client's side, about an answer: as the endpoint's, to the endpoint. */
static __always_inline enum weir_reason icmp_nat_request(struct pkt *pkt, struct icmp_turn *turn)
{
	const struct weir_endpoint *endpoint;
	struct nat_flow flow = {};
	const struct weir_snat *from;
	__u32 snat_row;

	if (!nat_quoted(pkt, &flow))
		return WEIR_R_NAT_UNKNOWN;
	pkt->endpoint = flow.endpoint;
	snat_row = flow.snat;
	endpoint = flow.to;
	from = bpf_map_lookup_elem(&snat, &snat_row);
	if (!endpoint || !from)
		return WEIR_R_INTERNAL;
	addr_copy(turn->src, from->addr);
	addr_copy(turn->dst, endpoint->addr);
	turn->sport = flow.port;
	turn->dport = endpoint->port ?: pkt->flow.dport;
	return icmp_send(pkt, turn, nexthop_read(&endpoint->nexthop));
}

/* From the endpoint's side, about a request: as the listener's, to the client. */
static __always_inline enum weir_reason icmp_nat_reply(struct pkt *pkt, struct icmp_turn *turn,
						       __u32 *listener)
{
	const struct weir_endpoint *endpoint;
	struct nat_reply reply;

	if (!nat_quoted_reply(pkt, &reply))
		return WEIR_R_NAT_UNKNOWN;
	endpoint = bpf_map_lookup_elem(&endpoints, &pkt->endpoint);
	if (!endpoint)
		return WEIR_R_INTERNAL;
	*listener = endpoint->listener;
	addr_copy(turn->src, reply.listener_addr);
	addr_copy(turn->dst, reply.client_addr);
	turn->sport = reply.listener_port;
	turn->dport = reply.client_port;
	return icmp_send(pkt, turn, nat_nexthop(&reply.client));
}

/* The endpoint of a quoted flow whose mode records none, or NULL. */
static __always_inline const struct weir_endpoint *icmp_selected(
	struct pkt *pkt, const struct weir_listener *listener)
{
	const struct weir_endpoint *endpoint;

	if (select_endpoint(pkt, listener, &pkt->endpoint) != GO_ON)
		return NULL;
	endpoint = bpf_map_lookup_elem(&endpoints, &pkt->endpoint);
	EXPLAIN(ENDPOINT, pkt->endpoint, endpoint);
	return endpoint && endpoint->mode != WEIR_MODE_NAT ? endpoint : NULL;
}

/* pkt->flow becomes that of the packet inside, which a client has sent. */
static __always_inline void icmp_flow_inside(struct pkt *pkt, const struct icmp_quote *quote)
{
	addr_copy(pkt->flow.src, quote->flow.dst);
	addr_copy(pkt->flow.dst, quote->flow.src);
	pkt->flow.sport = quote->flow.dport;
	pkt->flow.dport = quote->flow.sport;
	pkt->flow.protocol = quote->flow.protocol;
	pkt->flags |= PKT_QUOTED;
}

/*
 * Is it the outer header that a packet of this flow gets? All of it is the endpoint's or the
 * flow's: so nobody who has not seen one can make it up.
 */
static __always_inline bool icmp_is_our_outer(const struct pkt *pkt,
					      const struct weir_endpoint *endpoint,
					      const struct icmp_outer *outer)
{
	const __be32 *source = (const __be32 *)endpoint->source;
	const __be32 *src = (const __be32 *)outer->src;

	if (endpoint->mode != (outer->gue ? WEIR_MODE_GUE : WEIR_MODE_IPIP) ||
	    !addr_same(endpoint->addr, outer->dst))
		return false;
	if (src[0] != source[0] || src[1] != source[1] || src[2] != source[2] ||
	    src[3] != tunnel_source(pkt, endpoint))
		return false;
	if (outer->gue && (outer->dport != endpoint->gue_port || outer->sport != tunnel_port(pkt)))
		return false;
	return outer->version == 4 || outer->label == tunnel_label(pkt);
}

/* The endpoint of the flow whose packet is quoted inside the outer header, or NULL: that is not of
 * ours. */
static __always_inline struct weir_endpoint *icmp_outer_endpoint(struct pkt *pkt,
								 const struct weir_half *half,
								 struct icmp_turn *turn, __u32 *id)
{
	const struct weir_listener *address, *listener;
	struct weir_endpoint *endpoint;

	turn->inner.icmp = turn->outer.inner - ICMP_HEADER;
	turn->inner.version = turn->outer.inner_version;
	if (icmp_read_quote(pkt->ctx, &turn->inner))
		return NULL;
	icmp_flow_inside(pkt, &turn->inner);
	address = listener_cell(half, pkt->flow.dst, 0, 0);
	if (!address || !(address->flags & WEIR_CELL_HAS_LISTENERS))
		return NULL;
	listener = listener_of(half, address, &pkt->flow);
	if (!listener || select_endpoint(pkt, listener, &pkt->endpoint) != GO_ON)
		return NULL;
	endpoint = bpf_map_lookup_elem(&endpoints, &pkt->endpoint);
	if (!endpoint || !icmp_is_our_outer(pkt, endpoint, &turn->outer))
		return NULL;
	EXPLAIN(QUOTE, 0, &pkt->flow);
	EXPLAIN(ENDPOINT, pkt->endpoint, endpoint);
	*id = listener->id;
	return endpoint;
}

/*
 * A too-big about an outer packet of ours, on the way to an endpoint: that has another MTU now. The
 * packet inside tells whose row it is: a quote that ends before its ports does not, but routers
 * quote so little only where they are older than RFC 1812. GO_ON: it is about no such packet, and
 * `pkt` is as it was.
 */
static __always_inline enum weir_reason icmp_learn_mtu(struct pkt *pkt,
						       const struct weir_half *half,
						       struct icmp_turn *turn, __u32 *id)
{
	struct weir_endpoint *endpoint;
	__u32 mtu = icmp_mtu(pkt);

	if (!has_stateless || !mtu || listener_bad_source(pkt) ||
	    icmp_read_outer(pkt->ctx, &turn->outer) || !addr_same(turn->outer.src, pkt->flow.dst))
		return GO_ON;
	endpoint = icmp_outer_endpoint(pkt, half, turn, id);
	if (!endpoint) {
		pkt->flow = turn->flow;
		pkt->flags &= ~PKT_QUOTED;
		pkt->endpoint = 0;
		return GO_ON;
	}
	return mtu_learn(pkt, endpoint, mtu) ? WEIR_R_MTU_LEARNED : WEIR_R_ICMP_UNKNOWN;
}

#endif
