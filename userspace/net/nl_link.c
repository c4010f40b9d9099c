// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>

#include "net/nl_internal.h"
#include "util/str.h"

#define NAMES_SHOWN 8 /* of the host's interfaces in an error */

static struct nl_msg *link_request(int flags, int ifindex)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = ifindex };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETLINK, flags, &header, sizeof(header));

	/* Counters of a link are long, and nobody asks for them. */
	if (!msg || nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0)
		return NULL;
	return take_ptr(msg);
}

static int parse_link(const struct nlmsghdr *message, struct nl_link *ret)
{
	const struct ifinfomsg *header = nlmsg_data(message);
	struct nlattr *attributes[IFLA_MAX + 1];
	struct nl_link link = {};

	if (message->nlmsg_type != RTM_NEWLINK ||
	    nl_attributes(message, sizeof(*header), attributes, IFLA_MAX) < 0 ||
	    !attributes[IFLA_IFNAME])
		return -EPROTO;
	link.ifindex = header->ifi_index;
	link.up = (header->ifi_flags & IFF_UP) && (header->ifi_flags & IFF_RUNNING);
	link.mtu = nl_attribute_number(attributes[IFLA_MTU], 0);
	nla_strlcpy(link.name, attributes[IFLA_IFNAME], sizeof(link.name));
	if (attributes[IFLA_ADDRESS] && nla_len(attributes[IFLA_ADDRESS]) == sizeof(link.mac))
		memcpy(link.mac, nla_data(attributes[IFLA_ADDRESS]), sizeof(link.mac));
	*ret = link;
	return 0;
}

struct link_list {
	VEC(struct nl_link) list;
};

/* As many as can be had: without them the error simply suggests less. */
static struct link_list all_links(struct nl *nl)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = link_request(NLM_F_DUMP, 0);
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	struct link_list links = {};
	const struct nlmsghdr *message;
	struct nl_link link;
	size_t offset = 0;

	if (msg)
		nl_request(nl, msg, &answer, NULL);
	while ((message = nl_answer_next(&answer, &offset)))
		if (parse_link(message, &link) == 0 && vec_push(&links.list, link) < 0)
			break;
	return links;
}

static int unknown_link(struct nl *nl, const char *name, struct err *err)
{
	_cleanup_(str_fini) struct str names = {};
	struct link_list links = all_links(nl);
	struct str_nearest nearest = { .word = name };
	char quoted[STR_QUOTE_MAX];

	str_quote(name, strlen(name), quoted);
	vec_foreach(link, &links.list) {
		size_t i = (size_t)(link - links.list.items);

		str_nearest_offer(&nearest, link->name);
		if (i < NAMES_SHOWN)
			str_add(&names, "%s%s", i ? ", " : "", link->name);
	}
	if (links.list.count > NAMES_SHOWN)
		str_add(&names, ", ...");
	if (nearest.best)
		err_set(err, -ENODEV, "no interface '%s'; did you mean '%s'?", quoted,
			nearest.best);
	else
		err_set(err, -ENODEV, "no interface '%s'; this host has %s", quoted,
			names.text ? names.text : "none");
	vec_free(&links.list);
	return -ENODEV;
}

int nl_link_get(struct nl *nl, const char *name, int ifindex, struct nl_link *ret, struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = link_request(0, name ? 0 : ifindex);
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	if (name && (name[0] == '\0' || strlen(name) >= IF_NAMESIZE))
		return unknown_link(nl, name, err);
	if (!name && ifindex <= 0)
		return err_set(err, -ENODEV, "no interface with index %d", ifindex);
	if (!msg || (name && nla_put_string(msg, IFLA_IFNAME, name) < 0))
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	if (r == -ENODEV && name)
		return unknown_link(nl, name, err);
	if (r == -ENODEV)
		return err_set(err, r, "no interface with index %d", ifindex);
	if (r < 0)
		return name ? err_at(err, r, "interface %s", name)
			    : err_at(err, r, "interface with index %d", ifindex);
	message = nl_answer_next(&answer, &offset);
	if (!message || parse_link(message, ret) < 0)
		return err_set(err, -EPROTO,
			       "the kernel's answer about an interface makes no sense");
	return 0;
}
