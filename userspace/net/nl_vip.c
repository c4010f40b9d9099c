// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Listener addresses that weir makes the host answer for. An IPv4 one is a route (table local, on
 * the loopback), an IPv6 one an address, both marked with WEIR_RTPROTO.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>
#include <weir/names.h>

#include "net/nl_internal.h"

#define LOOPBACK_IFINDEX 1	    /* in every network namespace (kernel: LOOPBACK_IFINDEX) */
#define LIFETIME_FOREVER UINT32_MAX /* kernel: INFINITY_LIFE_TIME */

static int at_vip(struct err *err, int code, const char *verb, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	return err_at(err, code, "cannot %s listener address %s", verb, addr_print(addr, text));
}

/* What identifies weir's route to an IPv4 listener address. */
static struct nl_msg *route_message(int type, int flags, const struct addr *addr)
{
	struct rtmsg header = { .rtm_family = AF_INET,
				.rtm_dst_len = 32,
				.rtm_table = RT_TABLE_LOCAL,
				.rtm_protocol = WEIR_RTPROTO,
				.rtm_scope = RT_SCOPE_HOST,
				.rtm_type = RTN_LOCAL };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(type, flags, &header, sizeof(header));

	if (!msg || nl_message_put_addr(msg, RTA_DST, addr) < 0 ||
	    nla_put_u32(msg, RTA_OIF, LOOPBACK_IFINDEX) < 0)
		return NULL;
	return take_ptr(msg);
}

/* 0 if the entry of the FIB that matches an IPv4 address is weir's, 1 if not. */
static int route_owner(struct nl *nl, const struct addr *addr, struct err *err)
{
	struct rtmsg header = { .rtm_family = AF_INET,
				.rtm_dst_len = 32,
				.rtm_flags = RTM_F_FIB_MATCH };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETROUTE, 0, &header, sizeof(header));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	const struct nlmsghdr *message;
	const struct rtmsg *route;
	size_t offset = 0;
	int r;

	if (!msg || nl_message_put_addr(msg, RTA_DST, addr) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	if (r < 0)
		return r;
	message = nl_answer_next(&answer, &offset);
	if (!message || nlmsg_datalen(message) < (int)sizeof(*route))
		return err_set(err, -EPROTO, "the kernel's answer about a route makes no sense");
	route = nlmsg_data(message);
	if (route->rtm_type != RTN_LOCAL)
		return err_set(err, -EEXIST,
			       "a route of another type leads to it, as to a broadcast address");
	return route->rtm_protocol == WEIR_RTPROTO ? 0 : 1;
}

static int add_route(struct nl *nl, const struct addr *addr, struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, addr);
	int r;

	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, NULL, err);
	return r == -EEXIST ? route_owner(nl, addr, err) : r;
}

static struct nl_msg *address_message(int type, int flags, int ifindex, const struct addr *addr)
{
	struct ifaddrmsg header = { .ifa_family = AF_INET6,
				    .ifa_prefixlen = 128,
				    .ifa_index = (uint32_t)ifindex };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(type, flags, &header, sizeof(header));

	if (!msg || nl_message_put_addr(msg, IFA_LOCAL, addr) < 0)
		return NULL;
	return take_ptr(msg);
}

static int put_vip_attributes(struct nl_msg *msg)
{
	/* Preferred for 0 s is deprecated at once: RFC 6724, rule 3, then avoids it as a source. */
	struct ifa_cacheinfo lifetime = { .ifa_prefered = 0, .ifa_valid = LIFETIME_FOREVER };

	if (nla_put_u32(msg, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE) < 0 ||
	    nla_put(msg, IFA_CACHEINFO, sizeof(lifetime), &lifetime) < 0 ||
	    nla_put_u8(msg, IFA_PROTO, WEIR_RTPROTO) < 0)
		return -ENOMEM;
	return 0;
}

/* 0: it is there and weir's; 1: it is the host's own, here or on another interface. */
static int add_address(struct nl *nl, int ifindex, const struct addr *addr, struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, addr);
	struct nl_host_address present;
	int r;

	if (!msg || put_vip_attributes(msg) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_address_find(nl, 0, addr, &present, err);
	if (r < 0)
		return r;
	if (r == 0 && !present.ours)
		return 1;
	r = nl_request(nl, msg, NULL, err);
	if (r != -EEXIST)
		return r;
	r = nl_address_find(nl, ifindex, addr, &present, err);
	return r == 0 ? !present.ours : r;
}

int nl_vip_add(struct nl *nl, int ifindex, const struct addr *addr, struct err *err)
{
	int r = addr_family(addr) == AF_INET ? add_route(nl, addr, err)
					     : add_address(nl, ifindex, addr, err);

	return r < 0 ? at_vip(err, r, "add", addr) : r;
}

static int find_address(struct nl *nl, int ifindex, const struct addr *addr, struct err *err)
{
	struct nl_host_address present;
	int r = nl_address_find(nl, 0, addr, &present, err);

	if (r || !present.ours)
		return r;
	return nl_address_find(nl, ifindex, addr, &present, err);
}

int nl_vip_find(struct nl *nl, int ifindex, const struct addr *addr, struct err *err)
{
	int r;

	if (addr_family(addr) != AF_INET)
		return find_address(nl, ifindex, addr, err);
	r = route_owner(nl, addr, err);
	if (r == -EEXIST || r == -ENETUNREACH || r == -EHOSTUNREACH)
		return 1;
	return r < 0 ? r : 0;
}

static int remove_route(struct nl *nl, const struct addr *addr, struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = route_message(RTM_DELROUTE, 0, addr);
	int r;

	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, NULL, err);
	return r == -ESRCH ? 0 : r;
}

static int remove_address(struct nl *nl, const struct nl_host_address *address, struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		address_message(RTM_DELADDR, 0, address->ifindex, &address->addr);
	int r;

	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, NULL, err);
	return r == -EADDRNOTAVAIL || r == -ENODEV ? 0 : r;
}

static bool is_among(int ifindex, const uint32_t *ifindexes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ifindexes[i] == (uint32_t)ifindex)
			return true;
	return false;
}

/* From every interface that has it, but for `count` of them. */
static int remove_addresses(struct nl *nl, const struct addr *addr, const uint32_t *kept,
			    size_t count, struct err *err)
{
	struct nl_host_addresses all = {};
	int r = nl_address_list(nl, AF_INET6, &all, err);

	vec_foreach(address, &all.list)
		if (r == 0 && address->ours && addr_equal(&address->addr, addr) &&
		    !is_among(address->ifindex, kept, count))
			r = remove_address(nl, address, err);
	vec_free(&all.list);
	return r;
}

int nl_vip_remove(struct nl *nl, const struct addr *addr, struct err *err)
{
	int r = addr_family(addr) == AF_INET ? remove_route(nl, addr, err)
					     : remove_addresses(nl, addr, NULL, 0, err);

	return r < 0 ? at_vip(err, r, "remove", addr) : 0;
}

int nl_vip_keep_on(struct nl *nl, const struct addr *addr, const uint32_t *ifindexes, size_t count,
		   struct err *err)
{
	int r = addr_family(addr) == AF_INET ? 0
					     : remove_addresses(nl, addr, ifindexes, count, err);

	return r < 0 ? at_vip(err, r, "remove", addr) : 0;
}

static int push_once(struct addr_list *list, const struct addr *addr)
{
	vec_foreach(known, &list->list)
		if (addr_equal(known, addr))
			return 0;
	return vec_push(&list->list, *addr);
}

static int push_route(struct addr_list *list, const struct nlmsghdr *message)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *attributes[RTA_MAX + 1];
	struct addr addr;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    nl_attributes(message, sizeof(*header), attributes, RTA_MAX) < 0 ||
	    header->rtm_protocol != WEIR_RTPROTO || header->rtm_type != RTN_LOCAL ||
	    nl_attribute_addr(attributes[RTA_DST], &addr) < 0)
		return 0;
	return push_once(list, &addr);
}

static int list_routes(struct nl *nl, struct addr_list *list, struct err *err)
{
	/* The kernel filters by these (NETLINK_GET_STRICT_CHK): a host may have a million routes.
	 */
	struct rtmsg header = { .rtm_family = AF_INET,
				.rtm_table = RT_TABLE_LOCAL,
				.rtm_protocol = WEIR_RTPROTO,
				.rtm_type = RTN_LOCAL };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	if (r == -ENOENT)
		return 0; /* a new namespace has no table yet */
	while (r == 0 && (message = nl_answer_next(&answer, &offset)))
		if (push_route(list, message) < 0)
			r = err_set(err, -ENOMEM, "out of memory");
	return r;
}

static int list_vip_addresses(struct nl *nl, struct addr_list *list, struct err *err)
{
	struct nl_host_addresses all = {};
	int r = nl_address_list(nl, AF_INET6, &all, err);

	vec_foreach(address, &all.list)
		if (r == 0 && address->ours && push_once(list, &address->addr) < 0)
			r = err_set(err, -ENOMEM, "out of memory");
	vec_free(&all.list);
	return r;
}

int nl_vips(struct nl *nl, struct addr_list *ret, struct err *err)
{
	struct addr_list found = {};
	int r = list_routes(nl, &found, err);

	if (r == 0)
		r = list_vip_addresses(nl, &found, err);
	if (r < 0) {
		vec_free(&found.list);
		return err_at(err, r, "listener addresses of this host");
	}
	*ret = found;
	return 0;
}
