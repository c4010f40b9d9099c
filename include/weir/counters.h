/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one list of everything that can happen to a packet. A stage of the data plane returns one of
 * these, so a packet that ends without a name cannot be written; the same list names the counters,
 * the metrics and the hints that `weir show drops` prints.
 *
 * X(NAME, kind, "metric_name", "what happened", "what the operator can do")
 *   FORWARD  the packet went to an endpoint or back to a client
 *   PASS     the packet was left to the kernel's own stack, untouched
 *   DROP     the packet ended here
 *   ANSWER   the packet ended here, and its sender is told (bpf/answer.h), unless there is too much
 *            to tell: `answered` and `answers_limited` count which
 *   NOTE     something worth counting happened; the packet went on
 */
#ifndef WEIR_COUNTERS_H
#define WEIR_COUNTERS_H

/* clang-format off */
#define WEIR_REASONS(X)                                                                            \
	X(FORWARDED, FORWARD, "forwarded", "sent to an endpoint", "")                              \
	X(REPLIED, FORWARD, "replied", "an endpoint's answer, sent back to the client", "")        \
	X(COOKIE_SENT, FORWARD, "cookie_sent", "a SYN answered with a SYN cookie", "")             \
	X(LOCAL, PASS, "local", "for a listener that this host serves itself", "")                 \
	X(ICMP_ERROR, FORWARD, "icmp_error",                                                       \
	  "an ICMP error about a connection, sent on to the end whose packet it is about", "")     \
	X(NOT_IP, PASS, "not_ip", "not IPv4 or IPv6: ARP, LLDP and the like", "")                  \
	X(NOT_OURS, PASS, "not_ours", "for an address that no listener has", "")                   \
	X(NO_LISTENER, PASS, "no_listener",                                                        \
	  "for a listener's address, but no listener has this protocol and port",                  \
	  "add the port to a listener if clients should reach it")                                 \
	X(NOT_TCP_UDP, PASS, "not_tcp_udp",                                                        \
	  "for a listener's address, neither TCP nor UDP nor a ping", "")                          \
	X(MTU_LEARNED, PASS, "mtu_learned",                                                        \
	  "a router says that packets to an endpoint are too big: for 10 minutes they are smaller", \
	  "raise the MTU between balancer and endpoints")                                          \
	X(ICMP_UNKNOWN, PASS, "icmp_unknown",                                                      \
	  "an ICMP error for a listener's address, about no connection that weir knows", "")       \
	X(FRAGMENT_PASSED, PASS, "fragment_passed",                                                \
	  "a later fragment for a listener's address, which is the host's too, of no known packet", "") \
	X(NAT_UNKNOWN, PASS, "nat_unknown",                                                        \
	  "for a SNAT address and port range, but of no known flow: the kernel's own, or late", "") \
	X(TRUNCATED, DROP, "truncated", "shorter than its own headers say",                        \
	  "a broken sender or a scan; find it with tcpdump on the client's side")                  \
	X(BAD_HEADER, DROP, "bad_header", "IP version, header length or total length is a lie",    \
	  "a broken sender or a scan; find it with tcpdump on the client's side")                  \
	X(BAD_SOURCE, DROP, "bad_source",                                                          \
	  "source is the listener itself, loopback, multicast or unspecified",                     \
	  "spoofed packets: filter them at the network's edge (BCP 38)")                           \
	X(ACL_DENIED, DROP, "acl_denied",                                                          \
	  "from an address that the listener's 'allow' or 'deny' keeps out",                      \
	  "weir show listeners names the lists; the configuration has what is in them")            \
	X(SOURCE_LIMITED, DROP, "source_limited",                                                  \
	  "a new flow of a source that opens them faster than new_flows_per_source",               \
	  "raise it if many clients share the address; else the source is a flood or broken")      \
	X(FRAGMENT, DROP, "fragment",                                                              \
	  "a fragment whose first one was not seen in the last 30 s",                              \
	  "lost or overtaken on the way, or a flood; all fragments of a packet must come here")    \
	X(FRAGMENT_FAMILY, ANSWER, "fragment_family",                                              \
	  "a first fragment to an endpoint of the other family: fragments are not translated",     \
	  "let senders use path MTU discovery, or give the listener endpoints of their family")    \
	X(TOO_MANY_HEADERS, DROP, "too_many_headers", "more IPv6 extension headers than are walked", \
	  "no ordinary sender does this; a scan")                                                  \
	X(TTL_EXPIRED, ANSWER, "ttl_expired", "TTL or hop limit would reach zero",                   \
	  "traceroute does this; otherwise look for a routing loop")                               \
	X(NO_ENDPOINT, ANSWER, "no_endpoint", "the listener has no usable endpoint",                 \
	  "weir show endpoints: give one a weight, undrain it, or add one of the client's family") \
	X(ENDPOINT_GONE, ANSWER, "endpoint_gone",                                                    \
	  "of a connection to an endpoint that was removed, or that health checks found abnormal", \
	  "weir show checks; drain an endpoint before removing it: weir drain SELECTOR")           \
	X(NO_NEXT_HOP, DROP, "no_next_hop", "no way to the endpoint, or back to the client's VLAN", \
	  "ip neigh: is the endpoint (or its gateway) up and on this network? VLANs: weir doctor") \
	X(NO_FLOW, ANSWER, "no_flow", "TCP packet of no known connection, and not its first",        \
	  "the connection was idle longer than idle_timeout, or began before weir did")            \
	X(NAT_FULL, DROP, "nat_full", "the flow table is full: a new connection was refused",      \
	  "lower idle_timeout, or spread the load; established connections are not touched")       \
	X(NAT_NO_PORT, DROP, "nat_no_port", "no free SNAT port towards this endpoint",             \
	  "add addresses to snat:, or endpoints; each pair carries tens of thousands of flows")    \
	X(NAT_RACE, DROP, "nat_race", "two CPUs opened one flow at once: the retransmission heals it", \
	  "")                                                                                      \
	X(TOO_BIG, ANSWER, "too_big",                                                              \
	  "larger than the way to the endpoint, or back, takes, outer headers of its mode included", \
	  "raise the MTU between balancer and endpoints, or lower the clients'")                    \
	X(TOO_BIG_NO_DF, DROP, "too_big_no_df",                                                    \
	  "the same, and its sender did not ask to be told (IPv4 without DF)",                     \
	  "raise the MTU between balancer and endpoints, or lower the clients'")                    \
	X(NO_CHECKSUM, DROP, "no_checksum",                                                        \
	  "UDP without a checksum, to an endpoint of the other family: IPv6 needs one",            \
	  "give the listener endpoints of the clients' family, or switch the checksum on")         \
	X(NO_HEADROOM, DROP, "no_headroom", "the driver left no room for outer headers",           \
	  "attach in generic mode: weir attach --generic")                                         \
	X(ECHO, ANSWER, "echo", "a ping of a listener's address", "")                              \
	X(INTERNAL, DROP, "internal", "the tables contradict each other", "report this as a bug")  \
	X(FLOW_RECORDED, NOTE, "flow_recorded", "a flow was recorded to keep it on its endpoint", "") \
	X(EXCEPTIONS_FULL, NOTE, "exceptions_full",                                                \
	  "no room to record a flow during a change: it follows the previous choice",              \
	  "wait for the change to settle before making the next one")                              \
	X(SOURCES_FULL, NOTE, "sources_full",                                                      \
	  "no room to remember another source of new flows: an older one begins anew",             \
	  "a flood from very many addresses; limits per source cannot stop it")                    \
	X(FRAGMENTS_FULL, NOTE, "fragments_full",                                                  \
	  "no room to remember where a first fragment went: the later ones are lost",              \
	  "a flood of fragments; let senders use path MTU discovery, so that they send none")      \
	X(REFUSED_CURRENT, NOTE, "refused_current",                                                \
	  "a recorded flow's endpoint is gone or takes no new flows: selected anew", "")         \
	X(ANSWERED, NOTE, "answered", "the sender was told: reset, ICMP error or echo reply", "")  \
	X(ANSWERS_LIMITED, NOTE, "answers_limited",                                                \
	  "the sender was not told, since there were too many to tell",                            \
	  "see which reason of kind answer grows; answers_per_second is the limit")
/* clang-format on */

enum weir_reason {
#define X(name, kind, metric, help, hint) WEIR_R_##name,
	WEIR_REASONS(X)
#undef X
	WEIR_R_COUNT
};

#endif
