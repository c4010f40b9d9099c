// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sockets of this host, by sock_diag: the kernel goes through those alone that are asked for, while
 * /proc/net/tcp shows its way through all connections of all network namespaces.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "net/nl_internal.h"

/* Of one family. An IPv6 socket that IPv4 comes to has a mapped address, or the wildcard. */
static int list(struct nl *nl, int family, int protocol, struct nl_sockets *ret, struct err *err)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = (uint8_t)family,
		.sdiag_protocol = (uint8_t)protocol,
		.idiag_states = protocol == IPPROTO_TCP ? 1u << TCP_LISTEN : UINT32_MAX,
	};
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, sizeof(request));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	if (r < 0)
		return r;
	while ((message = nl_answer_next(&answer, &offset))) {
		const struct inet_diag_msg *found = nlmsg_data(message);
		struct nl_socket socket = { .state = found->idiag_state };

		if (nlmsg_datalen(message) < (int)sizeof(*found) ||
		    addr_from_raw(found->id.idiag_src, family == AF_INET ? 4 : 16, &socket.local))
			return err_set(err, -EPROTO,
				       "the kernel's answer about sockets makes no sense");
		socket.port = ntohs(found->id.idiag_sport);
		if (vec_push(&ret->list, socket))
			return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

int nl_sockets(int protocol, struct nl_sockets *ret, struct err *err)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	struct nl_sockets found = {};
	int r = nl_new_requests(NETLINK_SOCK_DIAG, &nl, err);

	r = r ?: list(nl, AF_INET, protocol, &found, err);
	r = r ?: list(nl, AF_INET6, protocol, &found, err);
	if (r < 0)
		vec_free(&found.list);
	else
		*ret = found;
	return r;
}
