/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the nl*.c files share: a request and its whole answer as plain messages. libnl gives the
 * sockets, the message builder and the attribute parser; the exchange is ours, because libnl turns
 * the kernel's errno into fewer codes of its own and drops the kernel's sentence (extended ack).
 */
#ifndef WEIR_NET_NL_INTERNAL_H
#define WEIR_NET_NL_INTERNAL_H

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "net/nl.h"

struct nl {
	struct nl_sock *request;
	struct nl_sock *events;
	void *buffer; /* of what is received */
};

/* The messages that came back, each at an aligned place, without the final ack. */
struct nl_answer {
	uint8_t *bytes;
	size_t size;
	size_t capacity;
};

struct nl_host_address {
	int ifindex;
	struct addr addr;
	bool ours; /* carries WEIR_RTPROTO */
};

struct nl_host_addresses {
	VEC(struct nl_host_address) list;
};

DEFINE_CLEANUP(struct nl_msg *, nlmsg_free)

/* A socket for requests alone, of another protocol than rtnetlink: NETLINK_GENERIC, ... */
int nl_new_requests(int protocol, struct nl **ret, struct err *err);

/* Of a link's attributes: is it a device of this kind ("vlan", ...)? *ret_data, unless that is
 * NULL, is what it says of itself then, or NULL. */
bool nl_link_is(struct nlattr *const *attributes, const char *kind, struct nlattr **ret_data);

/* An IFLA_XDP, or NULL. 0 or -EPROTO. */
int nl_xdp_parse(const struct nlattr *attribute, struct nl_xdp *ret);

/* A request of a type (RTM_*) that begins with a family header (rtmsg, ...); NULL: no memory. */
struct nl_msg *nl_message_new(int type, int flags, const void *header, size_t size);

/* Appends an address in its own family's size. 0 or -ENOMEM. */
int nl_message_put_addr(struct nl_msg *msg, int attribute, const struct addr *addr);

/* Sends a request and waits for its end: the one message that answers, or the last of a dump; where
 * `ret` is NULL, the kernel's word that it is done. A dump that a change interrupted is repeated.
 * Fails with the kernel's errno and text; -EIO, -ETIMEDOUT, ... if the socket failed. */
int nl_request(struct nl *nl, struct nl_msg *msg, struct nl_answer *ret, struct err *err);

/* The message at *offset, which moves on to the next; NULL after the last one. */
const struct nlmsghdr *nl_answer_next(const struct nl_answer *answer, size_t *offset);
void nl_answer_fini(struct nl_answer *answer);

/* The attributes 0..max behind a family header of `size` bytes; absent ones are NULL. */
int nl_attributes(const struct nlmsghdr *message, size_t size, struct nlattr **ret, int max);

/* A number of 1, 2, 4 bytes in host order; `otherwise` if the attribute is absent or odd. */
uint32_t nl_attribute_number(const struct nlattr *attribute, uint32_t otherwise);

/* 0; -ENOENT if it is absent, -EINVAL if it is no address. */
int nl_attribute_addr(const struct nlattr *attribute, struct addr *ret);

/* All addresses of one family, or of both (AF_UNSPEC), weir's marked. Caller frees the list. */
int nl_address_list(struct nl *nl, int family, struct nl_host_addresses *ret, struct err *err);

/* One IPv6 address on an interface, or on any (0): 0, or 1 if it is not there. */
int nl_address_find(struct nl *nl, int ifindex, const struct addr *addr,
		    struct nl_host_address *ret, struct err *err);

#endif
