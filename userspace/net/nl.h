/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host's links, routes, addresses and neighbours, over netlink: the only user of libnl.
 *
 * What weir adds carries WEIR_RTPROTO, so that `weir down` removes only what is its own and a
 * crashed daemon's additions are found again. Nothing here is undone when the process ends.
 */
#ifndef WEIR_NET_NL_H
#define WEIR_NET_NL_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/addr.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/vec.h"

struct nl;

struct nl_link {
	int ifindex;
	char name[IF_NAMESIZE];
	uint8_t mac[6];
	uint32_t mtu;  /* bytes, layer 3 */
	bool up;       /* by the administrator, and with carrier */
	int lower;     /* of a VLAN device: ifindex of what it is on; 0: it is none */
	uint16_t vlan; /* its frames' tag there, as in weir_egress */
};

struct nl_links {
	VEC(struct nl_link) list;
};

/* Where a packet to an address would leave. */
struct nl_route {
	int ifindex;
	struct addr next_hop; /* the gateway, or the destination itself on its own link */
	struct addr source;   /* the route's preferred source; :: if the host has none */
	uint32_t mtu;	      /* of the route or of what was learned of the path; 0: none is said */
	bool local;	      /* the destination is this host */
};

/* What has changed, for nl_dispatch(); a set. ROUTE includes rules and next hop objects. IPv4
 * routes that vanish with their link are announced as LINK only. */
enum nl_event {
	NL_EVENT_LINK = 1,
	NL_EVENT_ADDRESS = 2,
	NL_EVENT_ROUTE = 4,
	NL_EVENT_NEIGHBOUR = 8,
};

/* A request socket and one subscribed to the events above, in the caller's network namespace. Not
 * nl_open/nl_close: libnl owns the name nl_close. */
int nl_new(struct nl **ret, struct err *err);
void nl_free(struct nl *nl);
DEFINE_CLEANUP(struct nl *, nl_free)

/* The event socket, for poll(); readable: call nl_dispatch(). Owned by nl. */
int nl_fd(const struct nl *nl);

/* Drains the event socket without blocking, a bounded part of it at once; returns the set of events
 * seen (an overrun counts as all of them), or -errno. What weir changes itself comes back too. */
int nl_dispatch(struct nl *nl);

/* By name, or by index where name is NULL. -ENODEV with a text naming it and similar interfaces. */
int nl_link_get(struct nl *nl, const char *name, int ifindex, struct nl_link *ret, struct err *err);

/* All links. The caller frees the list. */
int nl_link_all(struct nl *nl, struct nl_links *ret, struct err *err);

#define NL_NETNS_MAX 64

/* The other end of a veth, as far as it is known. */
struct nl_veth_peer {
	char name[IF_NAMESIZE];
	char netns[NL_NETNS_MAX]; /* "": this one, or one without a name */
};

/*
 * May the other end of a veth send packets whose checksum it leaves to a device (tx checksum
 * offload, CHECKSUM_PARTIAL)? No device ever completes it for a packet that XDP forwards. Also
 * true, with an empty name, where the other end is in a namespace that has no name. False of what
 * is no veth. Enters the namespace of the other end for a moment: not for programs with threads.
 */
bool nl_veth_leaves_checksums(struct nl *nl, const char *name, struct nl_veth_peer *ret);

/* The same of VLAN tags: may they come beside frames, where no XDP program sees them? */
bool nl_veth_leaves_tags(struct nl *nl, const char *name, struct nl_veth_peer *ret);

bool nl_veth_is(struct nl *nl, const char *name);

/* What an interface runs by XDP. */
struct nl_xdp {
	bool attached;
	bool generic;	  /* in the stack, not in the driver */
	uint32_t program; /* the kernel's number; 0: none, or several */
};

int nl_xdp_get(struct nl *nl, const char *name, struct nl_xdp *ret, struct err *err);

/* Can the driver run a program itself: 1, 0; -EOPNOTSUPP: this kernel does not say (before 6.3). */
int nl_xdp_native(int ifindex);

/*
 * Of a veth: what its other end runs. Frames that a program sends back (XDP_TX) are taken only by
 * an end that runs one, too. 0; 1: it is no veth; -errno: it cannot be seen from here.
 */
int nl_veth_peer_xdp(struct nl *nl, const char *name, struct nl_veth_peer *ret_peer,
		     struct nl_xdp *ret);

/* A chain of nftables that packets to this host pass, and that drops what no rule accepts. */
struct nl_dropping {
	const char *family; /* "inet", "ip", "ip6" */
	char table[64];
	char chain[64];
	bool tracks; /* a rule of its table looks at the state of connections */
};

struct nl_dropping_list {
	VEC(struct nl_dropping) list;
};

/* The caller frees the list. -EPERM without CAP_NET_ADMIN; -EINVAL, -EPROTONOSUPPORT, ...: the
 * kernel has no nftables. */
int nl_dropping_chains(struct nl_dropping_list *ret, struct err *err);

/* A socket of this host; an IPv4 address that an IPv6 one has is IPv4 here, too. */
struct nl_socket {
	struct addr local; /* or a wildcard */
	uint16_t port;	   /* host order; 0: none */
	uint8_t state;	   /* TCP_LISTEN, ..., of UDP TCP_ESTABLISHED if it is connected */
};

struct nl_sockets {
	VEC(struct nl_socket) list;
};

/* Those of the caller's network namespace that listen (IPPROTO_TCP), or all (_UDP). The caller
 * frees the list. -ENOENT: the kernel has no module for it (tcp_diag, udp_diag). */
int nl_sockets(int protocol, struct nl_sockets *ret, struct err *err);

/* Asks the kernel's FIB. -ENETUNREACH (and -EHOSTUNREACH, ...) with a text if there is no way. */
int nl_route_get(struct nl *nl, const struct addr *destination, struct nl_route *ret,
		 struct err *err);

/* The MAC of a neighbour: 0; 1 if it is not known (yet). A stale entry counts as known. */
int nl_neighbour_get(struct nl *nl, int ifindex, const struct addr *addr, uint8_t ret_mac[6],
		     struct err *err);

/* Asks the kernel to keep the neighbour resolved for good (NTF_EXT_MANAGED), without a daemon.
 * Doing it again, also over an entry that exists, is fine. An entry that an operator made
 * permanent is left alone. The kernel forgets neighbours when the link loses its carrier: ask again
 * on NL_EVENT_LINK and NL_EVENT_NEIGHBOUR. */
int nl_neighbour_manage(struct nl *nl, int ifindex, const struct addr *addr, struct err *err);

/* Gives the managed flag back; the entry then ages like any other. Absent: 0. */
int nl_neighbour_release(struct nl *nl, int ifindex, const struct addr *addr, struct err *err);

/* Removes the managed flag from every neighbour that carries it (weir down). */
int nl_neighbour_release_all(struct nl *nl, struct err *err);

/* All addresses configured on this host's interfaces, without those weir added. Caller frees. */
struct addr_list {
	VEC(struct addr) list;
};
int nl_addresses(struct nl *nl, struct addr_list *ret, struct err *err);

/*
 * Makes the host answer for a listener's address: IPv4 by a `local` host route (ARP follows it);
 * IPv6 by a /128 address on `ifindex` without DAD and deprecated at once (never chosen as a
 * source), since a local route alone does not answer neighbour solicitation. Marked with
 * WEIR_RTPROTO. Again: 0. An address that the host has by itself is left alone: 1.
 *
 * Call it once per interface: IPv6 is answered on each of them apart, and is gone when the
 * interface goes down (ask again on NL_EVENT_LINK); IPv4 does not depend on the interface.
 */
int nl_vip_add(struct nl *nl, int ifindex, const struct addr *addr, struct err *err);

/* Does the host answer for it (an IPv6 one on that interface), by weir or by itself? 0; 1: no. */
int nl_vip_find(struct nl *nl, int ifindex, const struct addr *addr, struct err *err);

/* Removes it, from all interfaces, if it is weir's; absent: 0. */
int nl_vip_remove(struct nl *nl, const struct addr *addr, struct err *err);

/* Removes it from all interfaces but these, where it is weir's (IPv4 is on none). */
int nl_vip_keep_on(struct nl *nl, const struct addr *addr, const uint32_t *ifindexes, size_t count,
		   struct err *err);

/* The listener addresses that weir has added so far, by mark. Caller frees. */
int nl_vips(struct nl *nl, struct addr_list *ret, struct err *err);

#endif
