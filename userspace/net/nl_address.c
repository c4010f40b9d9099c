// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <linux/if_addr.h>
#include <weir/names.h>

#include "net/nl_internal.h"

static int parse_address(const struct nlmsghdr *message, struct nl_host_address *ret)
{
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct nlattr *attributes[IFA_MAX + 1], *own;
	struct nl_host_address address = {};

	if (message->nlmsg_type != RTM_NEWADDR ||
	    nl_attributes(message, sizeof(*header), attributes, IFA_MAX) < 0)
		return -EPROTO;
	/* IFA_ADDRESS is the far end of a point-to-point link. */
	own = attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
	if (nl_attribute_addr(own, &address.addr) < 0)
		return -EPROTO;
	address.ifindex = (int)header->ifa_index;
	address.ours = nl_attribute_number(attributes[IFA_PROTO], 0) == WEIR_RTPROTO;
	*ret = address;
	return 0;
}

int nl_address_list(struct nl *nl, int family, struct nl_host_addresses *ret, struct err *err)
{
	struct ifaddrmsg header = { .ifa_family = (uint8_t)family };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	struct nl_host_addresses found = {};
	struct nl_host_address address;
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	if (r < 0)
		return err_at(err, r, "addresses of this host");
	while ((message = nl_answer_next(&answer, &offset))) {
		if (parse_address(message, &address) < 0)
			continue;
		if (vec_push(&found.list, address) < 0) {
			vec_free(&found.list);
			return err_set(err, -ENOMEM, "out of memory");
		}
	}
	*ret = found;
	return 0;
}

int nl_address_find(struct nl *nl, int ifindex, const struct addr *addr,
		    struct nl_host_address *ret, struct err *err)
{
	struct ifaddrmsg header = { .ifa_family = AF_INET6, .ifa_index = (uint32_t)ifindex };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETADDR, 0, &header, sizeof(header));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	if (!msg || nl_message_put_addr(msg, IFA_ADDRESS, addr) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	if (r == -EADDRNOTAVAIL)
		return 1;
	if (r < 0)
		return r;
	message = nl_answer_next(&answer, &offset);
	if (!message || parse_address(message, ret) < 0)
		return err_set(err, -EPROTO, "the kernel's answer about an address makes no sense");
	return 0;
}

int nl_addresses(struct nl *nl, struct addr_list *ret, struct err *err)
{
	struct nl_host_addresses all = {};
	struct addr_list found = {};
	int r = nl_address_list(nl, AF_UNSPEC, &all, err);

	if (r < 0)
		return r;
	vec_foreach(address, &all.list)
		if (r == 0 && !address->ours)
			r = vec_push(&found.list, address->addr);
	vec_free(&all.list);
	if (r < 0) {
		vec_free(&found.list);
		return err_set(err, r, "out of memory");
	}
	*ret = found;
	return 0;
}
