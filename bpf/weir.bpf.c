// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The data plane: parse, find the listener, select an endpoint, rewrite, forward. bpf/README.md
 * shows a packet's way in one picture.
 */
#include "pkt.h"
#include "maps.h"
#include "parse.h"
#include "listener.h"
#include "stats.h"
#include "nat.h"
#include "dsr.h"

/* To an address that listeners have; *id is set once the listener is known. */
static __always_inline enum weir_reason request(struct pkt *pkt, const struct weir_half *half,
						const struct weir_listener *address,
						enum weir_reason fault, __u32 *id)
{
	const struct weir_listener *listener = address;

	if (fault != GO_ON)
		return fault;
	if (address->first_port != pkt->flow.dport || address->first_protocol != pkt->flow.protocol)
		listener = listener_cell(half, pkt->flow.dst, pkt->flow.dport, pkt->flow.protocol);
	if (!listener)
		return WEIR_R_NO_LISTENER;
	*id = listener->id;
	if (listener_bad_source(pkt))
		return WEIR_R_BAD_SOURCE;
	if (pkt->flags & PKT_FIRST_FRAGMENT)
		return WEIR_R_FRAGMENT;
	if (listener->mode == WEIR_MODE_DSR)
		return dsr_request(pkt, listener);
	return nat_request(pkt, listener);
}

static __always_inline enum weir_reason handle(struct pkt *pkt, __u32 *id)
{
	enum weir_reason fault = parse(pkt), reason;
	const struct weir_listener *address;
	const struct weir_half *half;

	if (!pkt->version) /* no destination: not IP, or too short to tell */
		return fault;
	half = listener_half(pkt->control);
	address = listener_cell(half, pkt->flow.dst, 0, 0);
	if (!address)
		return WEIR_R_NOT_OURS;
	if (fault == GO_ON && !(pkt->flags & PKT_FIRST_FRAGMENT) &&
	    pkt->flow.dport >= address->snat_first && pkt->flow.dport <= address->snat_last) {
		reason = nat_reply(pkt, id);
		if (reason != WEIR_R_NAT_UNKNOWN || !(address->flags & WEIR_CELL_HAS_LISTENERS))
			return reason;
	}
	if (!(address->flags & WEIR_CELL_HAS_LISTENERS))
		return WEIR_R_NOT_OURS;
	return request(pkt, half, address, fault, id);
}

/* The kind of each reason says what becomes of the packet. */
static __always_inline int verdict(const struct pkt *pkt, enum weir_reason reason)
{
	switch (reason) {
#define FORWARD pkt->action
#define PASS	XDP_PASS
#define DROP	XDP_DROP
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

SEC("xdp.frags")
int weir(struct xdp_md *ctx)
{
	struct pkt pkt = { .ctx = ctx };
	enum weir_reason reason;
	__u32 zero = 0, id = NO_LISTENER_ID;

	pkt.control = bpf_map_lookup_elem(&control, &zero);
	if (!pkt.control)
		return XDP_PASS;
	reason = handle(&pkt, &id);
	account(&pkt, id, reason);
	return verdict(&pkt, reason);
}

char _license[] SEC("license") = "Dual BSD/GPL";
