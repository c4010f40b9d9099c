/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract of the decapsulation program (bpf/decap.bpf.c), which runs on the hosts of endpoints
 * and knows nothing of listeners: its maps' values, and what can happen to a packet there.
 *
 * Addresses and ports as in abi.h. All its maps are written by `weir attach --decap`, but for the
 * counters: decap_stats[enum weir_decap_reason], per CPU.
 *
 * X(NAME, kind, "name", "what happened", "what the operator can do")
 *   TAKE  the outer headers were removed, the inner packet goes up the kernel's stack
 *   PASS  left to the kernel, untouched: perhaps a tunnel of its own
 *   DROP  a damaged packet of a tunnel that is ours
 */
#ifndef WEIR_DECAP_H
#define WEIR_DECAP_H

#include <linux/types.h>

#define WEIR_GUE_PORT	     6080u /* IANA */
#define WEIR_DECAP_ADDRESSES 4096u
#define WEIR_DECAP_PREFIXES  1024u

/* clang-format off */
#define WEIR_DECAP_REASONS(X)                                                                      \
	X(IPIP, TAKE, "ipip", "IP in IP, decapsulated", "")                                        \
	X(GUE, TAKE, "gue", "IP in GUE, decapsulated", "")                                         \
	X(NOT_TUNNEL, PASS, "not_tunnel", "neither IP in IP nor to the GUE port", "")              \
	X(OUTER_NOT_LOCAL, PASS, "outer_not_local", "a tunnel to an address of another host",      \
	  "if the address was added to this host lately: weir attach --decap again")               \
	X(SOURCE, PASS, "source", "a tunnel from a source outside the prefixes of --from",         \
	  "name the balancer's tunnel_source in --from")                                           \
	X(OUTER_UNUSUAL, PASS, "outer_unusual", "a tunnel's packet that is a fragment, or has IP options", \
	  "raise the MTU between balancer and endpoints: a fragment of a tunnel is lost")          \
	X(GUE_UNKNOWN, PASS, "gue_unknown", "GUE of another version, a control message, or with options", "") \
	X(INNER_NOT_LOCAL, PASS, "inner_not_local", "the packet inside is for no address of this host", \
	  "ip address add VIP/32 dev lo, then weir attach --decap again")                          \
	X(TRUNCATED, DROP, "truncated", "shorter than its own headers say", "")                    \
	X(BAD_HEADER, DROP, "bad_header", "a version, a length or the outer checksum is a lie", "") \
	X(CONGESTED, DROP, "congested", "marked as congested around a packet that cannot be (RFC 6040)", "") \
	X(INTERNAL, DROP, "internal", "the headers could not be removed", "report this as a bug")
/* clang-format on */

enum weir_decap_reason {
#define X(name, kind, metric, help, hint) WEIR_DECAP_##name,
	WEIR_DECAP_REASONS(X)
#undef X
	WEIR_DECAP_COUNT
};

/* decap_config[0] */
struct weir_decap_config {
	__u16 gue_port;
	__u8 limited; /* decap_from names who may send; 0: anybody */
	__u8 pad[5];
};

/* The key of decap_local: an address of this host, network order, IPv4 as ::ffff:a.b.c.d. */
struct weir_decap_address {
	__u8 addr[16];
};

/* The key of decap_from (LPM): a prefix of the 16-byte form, so that 10.0.0.0/8 has 104 bits. The
 * value is 4 or 6. */
struct weir_decap_prefix {
	__u32 bits;
	__u8 addr[16];
};

#ifndef __cplusplus
_Static_assert(sizeof(struct weir_decap_config) == 8, "decap config");
_Static_assert(sizeof(struct weir_decap_prefix) == 20, "decap prefix");
#endif

#endif
