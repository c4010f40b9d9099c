// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "net/nl_internal.h"

/* An IPv4 route may lead over an IPv6 neighbour (RFC 5549): struct rtvia. */
static int parse_via(const struct nlattr *attribute, struct addr *ret)
{
	const struct rtvia *via = nla_data(attribute);
	size_t size = (size_t)nla_len(attribute);

	if (size < sizeof(*via))
		return -EINVAL;
	return addr_from_raw(via->rtvia_addr, size - sizeof(*via), ret);
}

static int parse_next_hop(struct nlattr **attributes, const struct addr *destination,
			  struct addr *ret)
{
	if (attributes[RTA_GATEWAY])
		return nl_attribute_addr(attributes[RTA_GATEWAY], ret);
	if (attributes[RTA_VIA])
		return parse_via(attributes[RTA_VIA], ret);
	*ret = *destination;
	return 0;
}

/* Of the metrics, which are attributes themselves. */
static uint32_t parse_mtu(const struct nlattr *metrics)
{
	struct nlattr *metric[RTAX_MAX + 1];

	if (!metrics || nla_parse_nested(metric, RTAX_MAX, (struct nlattr *)metrics, NULL) < 0)
		return 0;
	return nl_attribute_number(metric[RTAX_MTU], 0);
}

static int parse_route(const struct nlmsghdr *message, const struct addr *destination,
		       struct nl_route *ret, uint8_t *ret_type)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *attributes[RTA_MAX + 1];
	struct nl_route route = {};

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    nl_attributes(message, sizeof(*header), attributes, RTA_MAX) < 0 ||
	    parse_next_hop(attributes, destination, &route.next_hop) < 0)
		return -EPROTO;
	route.ifindex = (int)nl_attribute_number(attributes[RTA_OIF], 0);
	route.local = header->rtm_type == RTN_LOCAL || header->rtm_type == RTN_ANYCAST;
	nl_attribute_addr(attributes[RTA_PREFSRC], &route.source); /* may be absent */
	route.mtu = parse_mtu(attributes[RTA_METRICS]);
	*ret = route;
	*ret_type = header->rtm_type;
	return 0;
}

static int ask(struct nl *nl, const struct addr *destination, struct nl_answer *ret,
	       struct err *err)
{
	bool v4 = addr_family(destination) == AF_INET;
	struct rtmsg header = { .rtm_family = v4 ? AF_INET : AF_INET6,
				.rtm_dst_len = v4 ? 32 : 128 };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETROUTE, 0, &header, sizeof(header));

	if (!msg || nl_message_put_addr(msg, RTA_DST, destination) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return nl_request(nl, msg, ret, err);
}

int nl_route_get(struct nl *nl, const struct addr *destination, struct nl_route *ret,
		 struct err *err)
{
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	const struct nlmsghdr *message;
	char text[ADDR_TEXT_MAX];
	struct nl_route route;
	size_t offset = 0;
	uint8_t type;
	int r;

	addr_print(destination, text);
	r = ask(nl, destination, &answer, err);
	if (r < 0)
		return err_at(err, r, "no route to %s (see 'ip route get %s')", text, text);
	message = nl_answer_next(&answer, &offset);
	if (!message || parse_route(message, destination, &route, &type) < 0)
		return err_set(err, -EPROTO, "the kernel's route to %s makes no sense", text);
	if (type == RTN_BROADCAST || type == RTN_MULTICAST)
		return err_set(err, -EHOSTUNREACH, "%s is a %s address, not a host's", text,
			       type == RTN_BROADCAST ? "broadcast" : "multicast");
	*ret = route;
	return 0;
}
