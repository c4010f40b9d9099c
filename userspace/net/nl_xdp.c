// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which XDP program an interface runs, and whether its driver could (the netdev family of generic
 * netlink, since Linux 6.3; its header is younger than Debian 12's).
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <string.h>

#include "net/nl_internal.h"

#define FAMILY			  "netdev"
#define NETDEV_CMD_DEV_GET	  1
#define NETDEV_A_DEV_IFINDEX	  1
#define NETDEV_A_DEV_XDP_FEATURES 3
#define NETDEV_XDP_ACT_BASIC	  1

int nl_xdp_parse(const struct nlattr *attribute, struct nl_xdp *ret)
{
	struct nlattr *nested[IFLA_XDP_MAX + 1] = {};
	uint32_t mode;

	*ret = (struct nl_xdp){};
	if (!attribute)
		return 0;
	if (nla_parse_nested(nested, IFLA_XDP_MAX, (struct nlattr *)attribute, NULL) < 0)
		return -EPROTO;
	mode = nl_attribute_number(nested[IFLA_XDP_ATTACHED], XDP_ATTACHED_NONE);
	ret->attached = mode != XDP_ATTACHED_NONE;
	ret->generic = mode == XDP_ATTACHED_SKB;
	ret->program = nl_attribute_number(nested[IFLA_XDP_PROG_ID], 0);
	return 0;
}

int nl_xdp_get(struct nl *nl, const char *name, struct nl_xdp *ret, struct err *err)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETLINK, 0, &header, sizeof(header));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	struct nlattr *attributes[IFLA_MAX + 1];
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	if (!msg || nla_put_string(msg, IFLA_IFNAME, name) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	if (r < 0)
		return err_at(err, r, "interface %s", name);
	message = nl_answer_next(&answer, &offset);
	if (!message || nl_attributes(message, sizeof(header), attributes, IFLA_MAX) < 0 ||
	    nl_xdp_parse(attributes[IFLA_XDP], ret) < 0)
		return err_set(err, -EPROTO,
			       "the kernel's answer about an interface makes no sense");
	return 0;
}

/* One generic request with one attribute; what answers is in `ret`, after its header. */
static int ask(struct nl *nl, int family, uint8_t command, int attribute, const void *value,
	       size_t size, struct nl_answer *answer, struct nlattr **ret, int max)
{
	struct genlmsghdr header = { .cmd = command, .version = 1 };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(family, 0, &header, sizeof(header));
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	if (!msg || nla_put(msg, attribute, (int)size, value) < 0)
		return -ENOMEM;
	r = nl_request(nl, msg, answer, NULL);
	if (r < 0)
		return r;
	message = nl_answer_next(answer, &offset);
	if (!message || nl_attributes(message, sizeof(header), ret, max) < 0)
		return -EPROTO;
	return 0;
}

int nl_xdp_native(int ifindex)
{
	_cleanup_(nl_answer_fini) struct nl_answer family = {};
	_cleanup_(nl_answer_fini) struct nl_answer device = {};
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct nlattr *attributes[CTRL_ATTR_MAX + 1] = {};
	struct nlattr *features[NETDEV_A_DEV_XDP_FEATURES + 1] = {};
	uint32_t index = ifindex;
	uint64_t set = 0;
	int r = nl_new_requests(NETLINK_GENERIC, &nl, NULL);

	r = r
		    ?: ask(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, FAMILY,
			   sizeof(FAMILY), &family, attributes, CTRL_ATTR_MAX);
	if (r == -ENOENT)
		return -EOPNOTSUPP;
	r = r
		    ?: ask(nl, nl_attribute_number(attributes[CTRL_ATTR_FAMILY_ID], 0),
			   NETDEV_CMD_DEV_GET, NETDEV_A_DEV_IFINDEX, &index, sizeof(index), &device,
			   features, NETDEV_A_DEV_XDP_FEATURES);
	if (r < 0)
		return r;
	if (!features[NETDEV_A_DEV_XDP_FEATURES] ||
	    nla_len(features[NETDEV_A_DEV_XDP_FEATURES]) < (int)sizeof(set))
		return -EPROTO;
	memcpy(&set, nla_data(features[NETDEV_A_DEV_XDP_FEATURES]), sizeof(set));
	return !!(set & NETDEV_XDP_ACT_BASIC);
}
