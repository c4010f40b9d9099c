// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/nl.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "net/nl_internal.h"

#define EVENT_BUFFER_SIZE (1 << 20) /* bytes of the event socket; the kernel caps it */
#define EVENTS_AT_ONCE	  1024	    /* messages per nl_dispatch(), to keep the daemon responsive */
#define DUMP_ATTEMPTS	  8
#define ANSWER_TIMEOUT	  10	    /* s; the kernel answers at once, this is against a hang */
#define ANSWER_SIZE	  (1 << 18) /* bytes received at once; a link with 256 functions has most */

enum {
	ALL_EVENTS = NL_EVENT_LINK | NL_EVENT_ADDRESS | NL_EVENT_ROUTE | NL_EVENT_NEIGHBOUR,
};

/* One request on its way. */
struct exchange {
	uint32_t sequence;
	struct nl_answer answer;
	bool single; /* the one message that is asked for is the end, too: no ack comes */
	bool done;
	bool interrupted; /* a dump that saw a change underway: NLM_F_DUMP_INTR */
	int error;	  /* the kernel's, or 0 */
	char text[256];	  /* the kernel's sentence about it, or "" */
};

/* libnl's codes are its own: what can come from socket(), sendmsg() and recvmsg() is turned back.
 */
static int library_errno(int code)
{
	switch (-code) {
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_AGAIN:
		return -ETIMEDOUT;
	case NLE_MSG_TRUNC:
	case NLE_MSGSIZE:
		return -EMSGSIZE;
	case NLE_AF_NOSUPPORT:
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

static int set_option(struct nl_sock *socket, int option, struct err *err)
{
	int one = 1;

	if (setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, option, &one, sizeof(one)) < 0)
		return err_set(err, -errno, "netlink option %d: %s (Linux 6.1 or later is needed)",
			       option, strerror(errno));
	return 0;
}

static int open_request(struct nl_sock *socket, int protocol, struct err *err)
{
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT };
	int r;

	nl_socket_disable_auto_ack(socket);
	r = nl_connect(socket, protocol);
	if (r < 0)
		return err_set(err, library_errno(r), "cannot open netlink: %s", nl_geterror(r));
	r = set_option(socket, NETLINK_EXT_ACK, err);
	if (r == 0)
		r = set_option(socket, NETLINK_CAP_ACK, err);
	if (r == 0) /* the kernel obeys filters in dumps */
		r = set_option(socket, NETLINK_GET_STRICT_CHK, err);
	if (r < 0)
		return r;
	if (setsockopt(nl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &timeout,
		       sizeof(timeout)) < 0)
		return err_set(err, -errno, "netlink timeout: %s", strerror(errno));
	return 0;
}

static int open_events(struct nl_sock *socket, struct err *err)
{
	int r;

	nl_socket_disable_seq_check(socket);
	r = nl_connect(socket, NETLINK_ROUTE);
	if (r == 0)
		r = nl_socket_set_buffer_size(socket, EVENT_BUFFER_SIZE, 0);
	if (r == 0)
		r = nl_socket_set_nonblocking(socket);
	if (r == 0)
		r = nl_socket_add_memberships(
			socket, RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR,
			RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
			RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP, RTNLGRP_NONE);
	if (r < 0)
		return err_set(err, library_errno(r), "cannot subscribe to netlink events: %s",
			       nl_geterror(r));
	return 0;
}

int nl_new(struct nl **ret, struct err *err)
{
	_cleanup_(nl_freep) struct nl *nl = calloc(1, sizeof(*nl));
	int r;

	if (!nl)
		return err_set(err, -ENOMEM, "out of memory");
	nl->request = nl_socket_alloc();
	nl->events = nl_socket_alloc();
	nl->buffer = malloc(ANSWER_SIZE);
	if (!nl->request || !nl->events || !nl->buffer)
		return err_set(err, -ENOMEM, "out of memory");
	r = open_request(nl->request, NETLINK_ROUTE, err);
	if (r == 0)
		r = open_events(nl->events, err);
	if (r < 0)
		return r;
	*ret = take_ptr(nl);
	return 0;
}

int nl_new_requests(int protocol, struct nl **ret, struct err *err)
{
	_cleanup_(nl_freep) struct nl *nl = calloc(1, sizeof(*nl));
	int r;

	if (!nl)
		return err_set(err, -ENOMEM, "out of memory");
	nl->request = nl_socket_alloc();
	nl->buffer = malloc(ANSWER_SIZE);
	if (!nl->request || !nl->buffer)
		return err_set(err, -ENOMEM, "out of memory");
	r = open_request(nl->request, protocol, err);
	if (r < 0)
		return r;
	*ret = take_ptr(nl);
	return 0;
}

void nl_free(struct nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->request);
	nl_socket_free(nl->events);
	free(nl->buffer);
	free(nl);
}

int nl_fd(const struct nl *nl)
{
	return nl_socket_get_fd(nl->events);
}

static int event_of_type(int type)
{
	switch (type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return NL_EVENT_LINK;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return NL_EVENT_ADDRESS;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return NL_EVENT_NEIGHBOUR;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		return NL_EVENT_ROUTE;
	default:
		return 0;
	}
}

static int events_in(struct nlmsghdr *message, int size)
{
	int events = 0;

	for (; nlmsg_ok(message, size); message = nlmsg_next(message, &size))
		events |= event_of_type(message->nlmsg_type);
	return events;
}

int nl_dispatch(struct nl *nl)
{
	/* Only the types matter, so a cut message does no harm; what might follow it is unknown. */
	_Alignas(struct nlmsghdr) uint8_t buffer[8192];
	int events = 0;

	for (int i = 0; i < EVENTS_AT_ONCE; i++) {
		/* Not nl_recv(): it reports ENOBUFS as lack of memory. */
		ssize_t size = recv(nl_fd(nl), buffer, sizeof(buffer), MSG_DONTWAIT | MSG_TRUNC);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (size < 0 && errno != ENOBUFS)
			return -errno;
		if (size < 0 || (size_t)size > sizeof(buffer))
			events |= ALL_EVENTS;
		else
			events |= events_in((struct nlmsghdr *)buffer, (int)size);
	}
	return events;
}

struct nl_msg *nl_message_new(int type, int flags, const void *header, size_t size)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (!msg || nlmsg_append(msg, (void *)header, size, NLMSG_ALIGNTO) < 0)
		return NULL;
	return take_ptr(msg);
}

int nl_message_put_addr(struct nl_msg *msg, int attribute, const struct addr *addr)
{
	size_t size;
	const void *raw = addr_raw(addr, &size);

	return nla_put(msg, attribute, (int)size, raw) < 0 ? -ENOMEM : 0;
}

static int grow(struct nl_answer *answer, size_t more)
{
	size_t capacity = answer->capacity ? answer->capacity : 4096;
	uint8_t *bytes;

	if (answer->size + more <= answer->capacity)
		return 0;
	while (capacity < answer->size + more)
		capacity *= 2;
	bytes = realloc(answer->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	answer->bytes = bytes;
	answer->capacity = capacity;
	return 0;
}

static int append(struct nl_answer *answer, const struct nlmsghdr *message)
{
	size_t aligned = NLMSG_ALIGN(message->nlmsg_len);

	if (grow(answer, aligned) < 0)
		return -ENOMEM;
	memset(answer->bytes + answer->size, 0, aligned);
	memcpy(answer->bytes + answer->size, message, message->nlmsg_len);
	answer->size += aligned;
	return 0;
}

/* An ack or the end of a dump: an errno, and from `offset` in the payload on attributes about it.
 */
static void take_end(struct exchange *x, struct nlmsghdr *message, size_t offset)
{
	int size = nlmsg_datalen(message);
	struct nlattr *attribute = NULL;

	x->done = true;
	if (size < (int)sizeof(x->error))
		return;
	memcpy(&x->error, nlmsg_data(message), sizeof(x->error));
	if ((message->nlmsg_flags & NLM_F_ACK_TLVS) && size > (int)offset)
		attribute = nla_find((struct nlattr *)((uint8_t *)nlmsg_data(message) + offset),
				     size - (int)offset, NLMSGERR_ATTR_MSG);
	if (attribute)
		snprintf(x->text, sizeof(x->text), "%.*s", nla_len(attribute),
			 (char *)nla_data(attribute));
}

static int take_message(struct exchange *x, struct nlmsghdr *message)
{
	if (message->nlmsg_seq != x->sequence || x->done)
		return 0; /* of an earlier request that was given up */
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		x->interrupted = true;
	switch (message->nlmsg_type) {
	case NLMSG_NOOP:
	case NLMSG_OVERRUN:
		return 0;
	case NLMSG_ERROR: /* NETLINK_CAP_ACK: the request itself is not quoted */
		take_end(x, message, sizeof(struct nlmsgerr));
		return 0;
	case NLMSG_DONE:
		take_end(x, message, NLMSG_ALIGN(sizeof(int)));
		return 0;
	default:
		x->done = x->single;
		return append(&x->answer, message);
	}
}

/* Not nl_recv(): it asks for the size first, and allocates, which doubles what an answer costs. */
static int receive(struct nl *nl, struct exchange *x, struct err *err)
{
	while (!x->done) {
		struct nlmsghdr *message = (struct nlmsghdr *)nl->buffer;
		struct sockaddr_nl from = {};
		socklen_t from_size = sizeof(from);
		ssize_t received = recvfrom(nl_socket_get_fd(nl->request), nl->buffer, ANSWER_SIZE,
					    MSG_TRUNC, (struct sockaddr *)&from, &from_size);
		int size = (int)received;

		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0 || received > ANSWER_SIZE) {
			int error = received > 0 ? EMSGSIZE : errno == EAGAIN ? ETIMEDOUT : errno;

			return err_set(err, -error, "no answer from the kernel: %s",
				       strerror(error));
		}
		if (from.nl_pid != 0)
			continue; /* not the kernel */
		for (; nlmsg_ok(message, size); message = nlmsg_next(message, &size))
			if (take_message(x, message) < 0)
				return err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static int kernel_error(const struct exchange *x, struct err *err)
{
	const char *hint = x->error == -EPERM ? " (needs CAP_NET_ADMIN: run as root)" : "";

	if (x->text[0])
		return err_set(err, x->error, "%s: %s%s", strerror(-x->error), x->text, hint);
	return err_set(err, x->error, "%s%s", strerror(-x->error), hint);
}

/* 0, 1 if a dump was interrupted, or -errno. */
static int exchange(struct nl *nl, struct nl_msg *msg, struct exchange *x, struct err *err)
{
	int r;

	if (!x->single)
		nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_ACK;

	/* A new number for each attempt, so that no answer is taken for another's. */
	x->sequence = nl_socket_use_seq(nl->request);
	nlmsg_hdr(msg)->nlmsg_seq = x->sequence;
	r = nl_send_auto(nl->request, msg);
	if (r < 0)
		return err_set(err, library_errno(r), "cannot ask the kernel: %s", nl_geterror(r));
	r = receive(nl, x, err);
	if (r < 0)
		return r;
	if (x->error < 0)
		return kernel_error(x, err);
	return x->interrupted;
}

int nl_request(struct nl *nl, struct nl_msg *msg, struct nl_answer *ret, struct err *err)
{
	for (int i = 0; i < DUMP_ATTEMPTS; i++) {
		struct exchange x = {
			.single = ret && !(nlmsg_hdr(msg)->nlmsg_flags & NLM_F_DUMP),
		};
		int r = exchange(nl, msg, &x, err);

		if (r == 0 && ret)
			*ret = x.answer;
		else
			nl_answer_fini(&x.answer);
		if (r <= 0)
			return r;
	}
	return err_set(err, -EAGAIN,
		       "the kernel's table keeps changing while it is read; try again");
}

const struct nlmsghdr *nl_answer_next(const struct nl_answer *answer, size_t *offset)
{
	const struct nlmsghdr *message;

	if (*offset >= answer->size)
		return NULL;
	message = (const struct nlmsghdr *)(answer->bytes + *offset);
	*offset += NLMSG_ALIGN(message->nlmsg_len);
	return message;
}

void nl_answer_fini(struct nl_answer *answer)
{
	free(answer->bytes);
	*answer = (struct nl_answer){};
}

int nl_attributes(const struct nlmsghdr *message, size_t size, struct nlattr **ret, int max)
{
	/* libnl 3.7 takes the message without const, but only reads it. */
	int r = nlmsg_parse((struct nlmsghdr *)message, (int)size, ret, max, NULL);

	return r < 0 ? -EINVAL : 0;
}

uint32_t nl_attribute_number(const struct nlattr *attribute, uint32_t otherwise)
{
	if (!attribute)
		return otherwise;
	switch (nla_len(attribute)) {
	case 1:
		return nla_get_u8(attribute);
	case 2:
		return nla_get_u16(attribute);
	case 4:
		return nla_get_u32(attribute);
	default:
		return otherwise;
	}
}

int nl_attribute_addr(const struct nlattr *attribute, struct addr *ret)
{
	if (!attribute)
		return -ENOENT;
	return addr_from_raw(nla_data(attribute), (size_t)nla_len(attribute), ret);
}
