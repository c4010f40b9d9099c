// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Neighbours that the kernel keeps resolved by itself (NTF_EXT_MANAGED, Linux 5.16). An update of
 * an entry with the managed flag or with NTF_USE leaves its state and address as they are, except
 * that it strips NUD_PERMANENT; with the flag it joins the managed, without it leaves them
 * (__neigh_update() in net/core/neighbour.c).
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>

#include "net/nl_internal.h"

/* NUD_VALID of the kernel: the address is known, if perhaps not fresh. */
#define STATES_KNOWN (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)

struct neighbour {
	int ifindex;
	struct addr addr;
	uint16_t state; /* NUD_* */
	uint8_t flags;	/* NTF_* */
	bool managed;
	bool known; /* mac is set */
	uint8_t mac[6];
};

static int parse(const struct nlmsghdr *message, struct neighbour *ret)
{
	const struct ndmsg *header = nlmsg_data(message);
	struct neighbour neighbour = {};
	struct nlattr *attributes[NDA_MAX + 1], *mac;

	if (message->nlmsg_type != RTM_NEWNEIGH ||
	    nl_attributes(message, sizeof(*header), attributes, NDA_MAX) < 0 ||
	    nl_attribute_addr(attributes[NDA_DST], &neighbour.addr) < 0)
		return -EPROTO;
	neighbour.ifindex = header->ndm_ifindex;
	neighbour.state = header->ndm_state;
	neighbour.flags = header->ndm_flags;
	neighbour.managed = nl_attribute_number(attributes[NDA_FLAGS_EXT], 0) & NTF_EXT_MANAGED;
	mac = attributes[NDA_LLADDR];
	if ((neighbour.state & STATES_KNOWN) && mac && nla_len(mac) == sizeof(neighbour.mac)) {
		neighbour.known = true;
		memcpy(neighbour.mac, nla_data(mac), sizeof(neighbour.mac));
	}
	*ret = neighbour;
	return 0;
}

static struct nl_msg *message_about(int type, int flags, int ifindex, const struct addr *addr,
				    uint8_t neighbour_flags)
{
	struct ndmsg header = { .ndm_family = (uint8_t)addr_family(addr),
				.ndm_ifindex = ifindex,
				.ndm_flags = neighbour_flags };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(type, flags, &header, sizeof(header));

	if (!msg || nl_message_put_addr(msg, NDA_DST, addr) < 0)
		return NULL;
	return take_ptr(msg);
}

static int at_neighbour(struct err *err, int code, int ifindex, const struct addr *addr)
{
	char name[IF_NAMESIZE], text[ADDR_TEXT_MAX];

	addr_print(addr, text);
	if (if_indextoname((unsigned int)ifindex, name))
		return err_at(err, code, "neighbour %s on %s", text, name);
	return err_at(err, code, "neighbour %s on the interface with index %d", text, ifindex);
}

/* 0; 1 if there is no entry. */
static int find(struct nl *nl, int ifindex, const struct addr *addr, struct neighbour *ret,
		struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		message_about(RTM_GETNEIGH, 0, ifindex, addr, 0);
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	if (r == -ENOENT)
		return 1;
	if (r < 0)
		return at_neighbour(err, r, ifindex, addr);
	message = nl_answer_next(&answer, &offset);
	if (!message || parse(message, ret) < 0)
		return at_neighbour(err,
				    err_set(err, -EPROTO, "the kernel's answer makes no sense"),
				    ifindex, addr);
	return 0;
}

int nl_neighbour_get(struct nl *nl, int ifindex, const struct addr *addr, uint8_t ret_mac[6],
		     struct err *err)
{
	struct neighbour neighbour;
	int r = find(nl, ifindex, addr, &neighbour, err);

	if (r != 0)
		return r;
	if (!neighbour.known)
		return 1;
	memcpy(ret_mac, neighbour.mac, sizeof(neighbour.mac));
	return 0;
}

int nl_neighbour_manage(struct nl *nl, int ifindex, const struct addr *addr, struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
	struct neighbour old = {};
	int r = find(nl, ifindex, addr, &old, err);

	if (r < 0)
		return r;
	if (old.state & NUD_PERMANENT)
		return 0;
	/* The update would also clear the mark of a routing daemon or of a control plane. */
	msg = message_about(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, addr,
			    old.flags & NTF_EXT_LEARNED);
	if (!msg || nla_put_u32(msg, NDA_FLAGS_EXT, NTF_EXT_MANAGED) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, NULL, err);
	return r < 0 ? at_neighbour(err, r, ifindex, addr) : 0;
}

static int release(struct nl *nl, const struct neighbour *old, struct err *err)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
	int r;

	if (!old->managed)
		return 0;
	msg = message_about(RTM_NEWNEIGH, NLM_F_REPLACE, old->ifindex, &old->addr,
			    NTF_USE | (old->flags & NTF_EXT_LEARNED));
	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, NULL, err);
	if (r == -ENOENT || r == -ENODEV)
		return 0; /* has gone meanwhile */
	return r < 0 ? at_neighbour(err, r, old->ifindex, &old->addr) : 0;
}

int nl_neighbour_release(struct nl *nl, int ifindex, const struct addr *addr, struct err *err)
{
	struct neighbour old;
	int r = find(nl, ifindex, addr, &old, err);

	if (r == -ENODEV || r == 1)
		return 0;
	return r < 0 ? r : release(nl, &old, err);
}

int nl_neighbour_release_all(struct nl *nl, struct err *err)
{
	struct ndmsg header = { .ndm_family = AF_UNSPEC };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETNEIGH, NLM_F_DUMP, &header, sizeof(header));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	const struct nlmsghdr *message;
	struct neighbour neighbour;
	size_t offset = 0;
	int r;

	if (!msg)
		return err_set(err, -ENOMEM, "out of memory");
	r = nl_request(nl, msg, &answer, err);
	if (r < 0)
		return err_at(err, r, "neighbours");
	while ((message = nl_answer_next(&answer, &offset))) {
		int failed = parse(message, &neighbour) == 0 ? release(nl, &neighbour, err) : 0;

		r = r < 0 ? r : failed; /* one that resists does not keep the others */
	}
	return r;
}
