// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <string.h>

#include <weir/abi.h>

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

bool nl_link_is(struct nlattr *const *attributes, const char *kind, struct nlattr **ret_data)
{
	struct nlattr *info[IFLA_INFO_MAX + 1];

	if (!attributes[IFLA_LINKINFO] ||
	    nla_parse_nested(info, IFLA_INFO_MAX, attributes[IFLA_LINKINFO], NULL) ||
	    !info[IFLA_INFO_KIND] || nla_strcmp(info[IFLA_INFO_KIND], kind))
		return false;
	if (ret_data)
		*ret_data = info[IFLA_INFO_DATA];
	return true;
}

/* Of a VLAN device on one that is in this namespace, too. */
static void parse_vlan(struct nlattr *const *attributes, struct nl_link *link)
{
	struct nlattr *vlan[IFLA_VLAN_MAX + 1], *data = NULL;

	if (attributes[IFLA_LINK_NETNSID] || !nl_link_is(attributes, "vlan", &data) || !data ||
	    nla_parse_nested(vlan, IFLA_VLAN_MAX, data, NULL))
		return;
	link->vlan = nl_attribute_number(vlan[IFLA_VLAN_ID], 0);
	if (nl_attribute_number(vlan[IFLA_VLAN_PROTOCOL], 0) == htons(ETH_P_8021AD))
		link->vlan |= WEIR_VLAN_8021AD;
	if (link->vlan & WEIR_VLAN_ID)
		link->lower = nl_attribute_number(attributes[IFLA_LINK], 0);
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
	parse_vlan(attributes, &link);
	*ret = link;
	return 0;
}

int nl_link_all(struct nl *nl, struct nl_links *ret, struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = link_request(NLM_F_DUMP, 0);
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	struct nl_links links = {};
	const struct nlmsghdr *message;
	struct nl_link link;
	size_t offset = 0;
	int r = msg ? nl_request(nl, msg, &answer, err) : -ENOMEM;

	if (r < 0)
		return r == -ENOMEM ? err_set(err, r, "out of memory") : r;
	while ((message = nl_answer_next(&answer, &offset))) {
		if (parse_link(message, &link) < 0 || !vec_push(&links.list, link))
			continue;
		vec_free(&links.list);
		return err_set(err, -ENOMEM, "out of memory");
	}
	*ret = links;
	return 0;
}

static int unknown_link(struct nl *nl, const char *name, struct err *err)
{
	_cleanup_(str_fini) struct str names = {};
	struct str_nearest nearest = { .word = name };
	struct nl_links links = {};
	char quoted[STR_QUOTE_MAX];

	nl_link_all(nl, &links, NULL); /* without them the error simply suggests less */
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
