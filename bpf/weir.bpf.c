// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The data plane: parse, find the listener, select an endpoint, rewrite, forward. bpf/README.md
 * shows a packet's way in one picture.
 *
 * Two programs run the same stages. `weir` takes the plain packets that nearly all are, and calls
 * `weir_unusual` for the others: so the complete parser costs neither them nor its verification.
 * `weir_portless` takes what has no ports of its own: later fragments follow the first one, ICMP
 * errors the flow that they quote. All call `weir_answer` for a packet that ends here and whose
 * sender is told.
 */
#include "pkt.h"
#include "maps.h"
#include "parse.h"
#include "parse_all.h"
#include "listener.h"
#include "acl.h"
#include "limit.h"
#include "cookie.h"
#include "stats.h"
#include "select.h"
#include "nat.h"
#include "dsr.h"
#include "tunnel.h"
#include "icmp_error.h"
#include "fragment.h"
#include "answer.h"
#include "sweep.h"
#include "steer.h"

int weir_unusual(struct xdp_md *ctx);
int weir_cookie(struct xdp_md *ctx);
int weir_portless(struct xdp_md *ctx);
int weir_answer(struct xdp_md *ctx);

/* Who explains puts in those that it has loaded. */
#if EXPLAINING
#define STAGES                                                                                     \
	{                                                                                          \
	}
#else
#define STAGES                                                                                     \
	{                                                                                          \
		.values = {                                                                        \
			[WEIR_STAGE_UNUSUAL] = (void *)&weir_unusual,                              \
			[WEIR_STAGE_PORTLESS] = (void *)&weir_portless,                            \
			[WEIR_STAGE_ANSWER] = (void *)&weir_answer,                                \
			[WEIR_STAGE_COOKIE] = (void *)&weir_cookie,                                \
		},                                                                                 \
	}
#endif

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, WEIR_STAGES);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} stages SEC(".maps") = STAGES;

/* A flow that has no record: its slot chooses, and the chosen endpoint's mode says how. */
static __always_inline enum weir_reason to_selected(struct pkt *pkt,
						    const struct weir_listener *listener,
						    enum parsed parsed)
{
	const struct weir_endpoint *endpoint;
	enum weir_reason reason;

	reason = select_endpoint(pkt, listener, &pkt->endpoint);
	if (reason != GO_ON)
		return reason;
	endpoint = bpf_map_lookup_elem(&endpoints, &pkt->endpoint);
	EXPLAIN(ENDPOINT, pkt->endpoint, endpoint);
	if (!endpoint)
		return WEIR_R_INTERNAL;
	if (!has_stateless)
		return nat_open(pkt, endpoint);
	switch (endpoint->mode) {
	case WEIR_MODE_DSR:
		return dsr_forward(pkt, endpoint);
	case WEIR_MODE_IPIP:
		return tunnel_forward(pkt, endpoint, parsed, false);
	case WEIR_MODE_GUE:
		return tunnel_forward(pkt, endpoint, parsed, true);
	default:
		return nat_open(pkt, endpoint);
	}
}

/* What the listener demands of its clients, where it does: of every packet, so that a change of its
 * lists ends connections, too. *ret stays NULL where it demands nothing. */
static __always_inline enum weir_reason admit(const struct pkt *pkt,
					      const struct weir_listener *listener,
					      const struct weir_guard **ret)
{
	__u32 row = listener->guard;

	if (!row)
		return GO_ON;
	*ret = bpf_map_lookup_elem(&guards, &row);
	EXPLAIN(GUARD, row, *ret);
	return *ret ? acl_check(pkt, *ret) : WEIR_R_INTERNAL;
}

/* May the packet, which no record is of, open a flow? One that opens none may go on. */
static __always_inline enum weir_reason admit_flow(const struct pkt *pkt,
						   const struct weir_listener *listener,
						   const struct weir_guard *guard)
{
	int reason;

	if (!guard || !guard->limit_count)
		return GO_ON;
	if (!(pkt->flags & PKT_SYN) && pkt->flow.protocol != IPPROTO_UDP)
		return GO_ON;
	reason = limit_flow(&pkt->flow, guard, listener->id, pkt->version == 6);
	return reason == WEIR_R_SOURCE_LIMITED || reason == GO_ON ? reason : WEIR_R_INTERNAL;
}

/* Returns only if there is no such program. */
static __always_inline enum weir_reason call_cookie(struct xdp_md *ctx,
						    const struct weir_listener *listener)
{
	__u32 zero = 0;
	struct answer_order *order = bpf_map_lookup_elem(&answer_scratch, &zero);

	if (!order)
		return WEIR_R_INTERNAL;
	order->listener = listener->id;
	order->guard = listener->guard;
	bpf_tail_call(ctx, &stages, WEIR_STAGE_COOKIE);
	return WEIR_R_INTERNAL;
}

/* From a client to a listener. */
static __always_inline enum weir_reason request(struct pkt *pkt,
						const struct weir_listener *listener,
						enum parsed parsed)
{
	const struct weir_guard *guard = NULL;
	struct nat_flow flow = {};
	enum weir_reason reason;

	if (listener_bad_source(pkt))
		return WEIR_R_BAD_SOURCE;
	reason = admit(pkt, listener, &guard);
	if (reason != GO_ON)
		return reason;
	if (listener->flags & WEIR_CELL_NAT) {
		reason = nat_known(pkt, &flow);
		if (reason != GO_ON)
			return reason;
		if (flow.snat)
			return nat_forward(pkt, &flow);
	}
	reason = admit_flow(pkt, listener, guard);
	if (reason != GO_ON)
		return reason;
	if (guard && guard->cookies)
		return call_cookie(pkt->ctx, listener);
	if (listener->mode == WEIR_MODE_PROXY)
		return WEIR_R_LOCAL;
	return to_selected(pkt, listener, parsed);
}

/* To or from whom? *id is set once the listener is known; `fault` is what the parser found, and
 * `parsed`, a constant, which parser it was. */
static __always_inline enum weir_reason handle(struct pkt *pkt, enum parsed parsed,
					       enum weir_reason fault, __u32 *id)
{
	const struct weir_listener *address, *listener;
	const struct weir_half *half;
	enum weir_reason reason;

	half = listener_half(pkt->control);
	address = listener_cell(half, pkt->flow.dst, 0, 0);
	if (!address)
		return WEIR_R_NOT_OURS;
	if (fault == GO_ON && pkt->flow.dport >= address->snat_first &&
	    pkt->flow.dport <= address->snat_last) {
		reason = nat_reply(pkt, id);
		if (reason != WEIR_R_NAT_UNKNOWN || !(address->flags & WEIR_CELL_HAS_LISTENERS))
			return reason;
	}
	if (!(address->flags & WEIR_CELL_HAS_LISTENERS))
		return WEIR_R_NOT_OURS;
	if (fault != GO_ON)
		return fault;
	listener = listener_of(half, address, &pkt->flow);
	if (!listener)
		return WEIR_R_NO_LISTENER;
	*id = listener->id;
	return request(pkt, listener, parsed);
}

/* To an endpoint that answers the client itself. */
static __always_inline enum weir_reason direct(struct pkt *pkt,
					       const struct weir_endpoint *endpoint)
{
	if (!has_stateless)
		return WEIR_R_INTERNAL;
	if (endpoint->mode == WEIR_MODE_DSR)
		return dsr_forward(pkt, endpoint);
	if (endpoint->mode == WEIR_MODE_GUE)
		return tunnel_forward(pkt, endpoint, PARSED_UNUSUAL, true);
	return tunnel_forward(pkt, endpoint, PARSED_UNUSUAL, false);
}

/* A later fragment, to where the first one went. *to is set if only direct() is left to do. */
static __always_inline enum weir_reason follow(struct pkt *pkt, const struct weir_listener *address,
					       __u32 *id, const struct weir_endpoint **to)
{
	const struct fragment_way *way = fragment_find(pkt);
	const struct weir_endpoint *endpoint;
	enum weir_reason reason;

	if (!way && !(address->flags & WEIR_CELL_HAS_LISTENERS))
		return WEIR_R_NOT_OURS;
	if (!way)
		return fragment_is_for_others(pkt) ? WEIR_R_FRAGMENT : WEIR_R_FRAGMENT_PASSED;
	*id = way->listener;
	pkt->endpoint = way->endpoint;
	pkt->hash = way->hash;
	endpoint = bpf_map_lookup_elem(&endpoints, &pkt->endpoint);
	EXPLAIN(ENDPOINT, pkt->endpoint, endpoint);
	if (!fragment_goes_on(way, endpoint))
		return WEIR_R_FRAGMENT;
	if (!way->nat) {
		*to = endpoint;
		return GO_ON;
	}
	reason = fragment_rewrite(pkt, way);
	if (reason != GO_ON)
		return reason;
	/* The first one may have been smaller than this one is. */
	reason = forward_length(pkt, nexthop_read(way->reply ? &way->nexthop : &endpoint->nexthop),
				pkt->l3_length);
	return reason == GO_ON && way->reply ? WEIR_R_REPLIED : reason;
}

/* An ICMP error, on to the end whose packet it quotes. *to as of follow(). */
static __always_inline enum weir_reason icmp_error(struct pkt *pkt, const struct weir_half *half,
						   const struct weir_listener *address, __u32 *id,
						   struct icmp_turn *turn,
						   const struct weir_endpoint **to)
{
	const struct weir_guard *guard = NULL;
	const struct weir_listener *listener;
	bool has_listeners = address->flags & WEIR_CELL_HAS_LISTENERS;
	enum weir_reason reason;

	if (icmp_read_quote(pkt->ctx, &turn->quote) ||
	    !addr_same(turn->quote.flow.dst, pkt->flow.dst))
		return has_listeners ? WEIR_R_ICMP_UNKNOWN : WEIR_R_NOT_OURS;
	if (listener_bad_source(pkt))
		return has_listeners ? WEIR_R_BAD_SOURCE : WEIR_R_NOT_OURS;
	pkt->flow = turn->quote.flow;
	pkt->flags |= PKT_QUOTED;
	EXPLAIN(QUOTE, 0, &pkt->flow);
	if (pkt->flow.dport >= address->snat_first && pkt->flow.dport <= address->snat_last) {
		reason = icmp_nat_reply(pkt, turn, id);
		if (reason != WEIR_R_NAT_UNKNOWN || !has_listeners)
			return reason;
	}
	if (!has_listeners)
		return WEIR_R_NOT_OURS;
	listener = listener_of(half, address, &pkt->flow);
	if (!listener)
		return WEIR_R_ICMP_UNKNOWN;
	*id = listener->id;
	reason = admit(pkt, listener, &guard);
	if (reason != GO_ON)
		return reason;
	if (listener->mode == WEIR_MODE_PROXY || (guard && guard->cookies))
		return WEIR_R_LOCAL;
	if (listener->flags & WEIR_CELL_NAT) {
		reason = icmp_nat_request(pkt, turn);
		if (reason != WEIR_R_NAT_UNKNOWN)
			return reason;
	}
	*to = has_stateless ? icmp_selected(pkt, listener) : NULL;
	return *to ? GO_ON : WEIR_R_ICMP_UNKNOWN;
}

/* An ICMP error, whoever it is for. *to as of follow(). */
static __always_inline enum weir_reason handle_icmp_error(struct pkt *pkt,
							  const struct weir_half *half,
							  const struct weir_listener *address,
							  __u32 *id,
							  const struct weir_endpoint **to)
{
	struct icmp_turn *turn = icmp_begin(pkt);
	enum weir_reason reason;

	if (!turn)
		return WEIR_R_INTERNAL;
	reason = icmp_learn_mtu(pkt, half, turn, id);
	if (reason != GO_ON)
		return reason;
	return address ? icmp_error(pkt, half, address, id, turn, to) : WEIR_R_NOT_OURS;
}

/* Is a packet without ports of no concern to weir_portless? `weir explain` has it called all the
 * same, so that the address is looked up in one place; it says the same of it. */
static __always_inline bool is_for_others(const struct pkt *pkt)
{
	const struct weir_half *half = listener_half(pkt->control);

	return !EXPLAINING && !icmp_is(pkt) && !listener_cell(half, pkt->flow.dst, 0, 0);
}

/* What has no ports: by the address alone it may be ours. */
static __always_inline enum weir_reason handle_portless(struct pkt *pkt, enum weir_reason fault,
							__u32 *id)
{
	const struct weir_half *half = listener_half(pkt->control);
	const struct weir_listener *address = listener_cell(half, pkt->flow.dst, 0, 0);
	bool icmp = fault == WEIR_R_NOT_TCP_UDP && icmp_is_whole(pkt);
	const struct weir_endpoint *to = NULL;
	enum weir_reason reason;

	if (icmp && icmp_is_error(pkt)) {
		reason = handle_icmp_error(pkt, half, address, id, &to);
	} else if (!address) {
		return WEIR_R_NOT_OURS;
	} else if (fault == WEIR_R_FRAGMENT_PASSED) {
		reason = follow(pkt, address, id, &to);
	} else if (!(address->flags & WEIR_CELL_HAS_LISTENERS)) {
		return WEIR_R_NOT_OURS;
	} else if (icmp && icmp_is_echo(pkt)) {
		return listener_bad_source(pkt) ? WEIR_R_BAD_SOURCE : WEIR_R_ECHO;
	} else {
		return fault;
	}
	if (reason == GO_ON && to)
		reason = direct(pkt, to);
	return reason == GO_ON && icmp ? WEIR_R_ICMP_ERROR : reason;
}

#define VERDICT_ANSWER (-1) /* no verdict of XDP's */

/* The kind of each reason says what becomes of the packet. */
static __always_inline int verdict(const struct pkt *pkt, enum weir_reason reason)
{
	switch (reason) {
#define FORWARD pkt->action
#define PASS	XDP_PASS
#define DROP	XDP_DROP
#define ANSWER	VERDICT_ANSWER
#define NOTE	XDP_DROP /* never a verdict */
#define X(name, kind, metric, help, hint)                                                          \
	case WEIR_R_##name:                                                                        \
		return kind;
		WEIR_REASONS(X)
#undef X
	default:
		return XDP_DROP;
	}
}

/* Returns only if there is no such program. */
static __always_inline void call_answer(const struct pkt *pkt, __u32 id, enum weir_reason reason)
{
	__u32 zero = 0;
	struct answer_order *order = bpf_map_lookup_elem(&answer_scratch, &zero);

	if (!order)
		return;
	order->reason = reason;
	order->listener = id;
	order->mtu = pkt->room;
	bpf_tail_call(pkt->ctx, &stages, WEIR_STAGE_ANSWER);
}

/* The end of every packet. */
static __always_inline int finish(struct pkt *pkt, __u32 id, enum weir_reason reason)
{
	const struct weir_step_verdict step = { .listener = id, .endpoint = pkt->endpoint };
	int end;

	EXPLAIN(VERDICT, reason, &step);
	if (reason <= WEIR_R_REPLIED) { /* nearly all: not by way of the others */
		count_traffic(pkt, reason == WEIR_R_REPLIED);
		return pkt->action;
	}
	count(id, reason);
	end = verdict(pkt, reason);
	if (end != VERDICT_ANSWER)
		return end;
	call_answer(pkt, id, reason);
	return XDP_DROP;
}

static __always_inline bool begin(struct pkt *pkt)
{
	__u32 zero = 0;

	pkt->control = bpf_map_lookup_elem(&control, &zero);
	return pkt->control;
}

/* After one of the others has counted the packet: it is unchanged, and parsed anew. */
SEC("xdp.frags")
int weir_answer(struct xdp_md *ctx)
{
	struct pkt pkt = { .ctx = ctx };
	const struct answer_order *order;
	enum weir_reason fault;
	__u32 zero = 0;

	order = bpf_map_lookup_elem(&answer_scratch, &zero);
	if (!order || !begin(&pkt))
		return XDP_DROP;
	fault = parse_all(&pkt);
	return fault == GO_ON || fault == WEIR_R_NOT_TCP_UDP ? answer(&pkt, order) : XDP_DROP;
}

/* For one of the others, which has found a listener that is served here; the packet is not counted
 * yet. Those that are not plain, but for tags, are the stack's. */
SEC("xdp.frags")
int weir_cookie(struct xdp_md *ctx)
{
	struct pkt pkt = { .ctx = ctx };
	const struct answer_order *order;
	enum weir_reason reason = WEIR_R_LOCAL;
	const struct weir_guard *guard;
	__u32 zero = 0, row;

	order = bpf_map_lookup_elem(&answer_scratch, &zero);
	if (!order || !begin(&pkt))
		return XDP_PASS;
	row = order->guard;
	guard = bpf_map_lookup_elem(&guards, &row);
	if (guard && cookie_parse(&pkt) && pkt.flow.protocol == IPPROTO_TCP)
		reason = cookie(&pkt, order->listener, guard);
	return finish(&pkt, order->listener, reason);
}

/* The packet is unchanged, and parsed anew. */
SEC("xdp.frags")
int weir_portless(struct xdp_md *ctx)
{
	struct pkt pkt = { .ctx = ctx };
	__u32 id = NO_LISTENER_ID;
	enum weir_reason reason;

	if (!begin(&pkt))
		return XDP_PASS;
	reason = parse_all(&pkt);
	explain_parsed(&pkt, reason, true);
	if (pkt.version)
		reason = handle_portless(&pkt, reason, &id);
	return finish(&pkt, id, reason);
}

SEC("xdp.frags")
int weir_unusual(struct xdp_md *ctx)
{
	struct pkt pkt = { .ctx = ctx };
	__u32 id = NO_LISTENER_ID;
	enum weir_reason reason;

	if (!begin(&pkt))
		return XDP_PASS;
	reason = parse_all(&pkt);
	if (reason == WEIR_R_FRAGMENT_PASSED || reason == WEIR_R_NOT_TCP_UDP) {
		if (is_for_others(&pkt))
			return finish(&pkt, id, WEIR_R_NOT_OURS);
		bpf_tail_call(ctx, &stages, WEIR_STAGE_PORTLESS);
		return XDP_PASS; /* there is no such program; Linux 6.12 has forgotten pkt */
	}
	explain_parsed(&pkt, reason, true);
	if (!pkt.version) /* there is no destination: not IP, or too short to tell */
		return finish(&pkt, id, reason);
	reason = handle(&pkt, PARSED_UNUSUAL, reason, &id);
	if (pkt.flags & PKT_FIRST_FRAGMENT && reason <= WEIR_R_REPLIED)
		fragment_remember(&pkt, id, reason);
	return finish(&pkt, id, reason);
}

SEC("xdp.frags")
int weir(struct xdp_md *ctx)
{
	enum weir_reason reason = WEIR_R_NOT_IP;
	__u32 id = NO_LISTENER_ID;
	enum parsed parsed;
	struct pkt pkt;

	if (EXPLAINING) /* which says what there is, also where it is nothing */
		__builtin_memset(&pkt, 0, sizeof(pkt));
	pkt_begin(&pkt, ctx);
	parsed = parse_plain(&pkt);
	if (parsed == PARSED_UNUSUAL)
		bpf_tail_call(ctx, &stages, WEIR_STAGE_UNUSUAL);
	if (!begin(&pkt))
		return XDP_PASS;
	explain_parsed(&pkt, parsed == PARSED_PLAIN ? GO_ON : WEIR_R_NOT_IP, false);
	if (parsed == PARSED_PLAIN)
		reason = handle(&pkt, PARSED_PLAIN, GO_ON, &id);
	return finish(&pkt, id, reason);
}

char _license[] SEC("license") = "Dual BSD/GPL";
