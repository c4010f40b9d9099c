// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/ethtool.h"
#include "net/nl_internal.h"

#define NETNS_NAMES "/run/netns" /* where ip-netns(8) keeps them */
#define NO_NSID	    (-1)

struct veth {
	int peer; /* ifindex; 0: it is no veth */
	int nsid; /* of the peer's namespace; NO_NSID: it is in this one */
};

static struct veth find_peer(struct nl *nl, const char *name)
{
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETLINK, 0, &header, sizeof(header));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	struct nlattr *attributes[IFLA_MAX + 1];
	struct veth veth = { .nsid = NO_NSID };
	const struct nlmsghdr *message;
	size_t offset = 0;

	if (!msg || nla_put_string(msg, IFLA_IFNAME, name) < 0 ||
	    nl_request(nl, msg, &answer, NULL) < 0)
		return veth;
	message = nl_answer_next(&answer, &offset);
	if (!message || nl_attributes(message, sizeof(header), attributes, IFLA_MAX) < 0 ||
	    !nl_link_is(attributes, "veth", NULL))
		return veth;
	veth.peer = nl_attribute_number(attributes[IFLA_LINK], 0);
	veth.nsid = nl_attribute_number(attributes[IFLA_LINK_NETNSID], NO_NSID);
	return veth;
}

/* What this namespace calls the one that `fd` refers to. */
static int nsid_of(struct nl *nl, int fd)
{
	struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETNSID, 0, &header, sizeof(header));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	struct nlattr *attributes[NETNSA_MAX + 1];
	const struct nlmsghdr *message;
	size_t offset = 0;

	if (!msg || nla_put_u32(msg, NETNSA_FD, fd) < 0 || nl_request(nl, msg, &answer, NULL) < 0)
		return NO_NSID;
	message = nl_answer_next(&answer, &offset);
	if (!message || nl_attributes(message, sizeof(header), attributes, NETNSA_MAX) < 0)
		return NO_NSID;
	return nl_attribute_number(attributes[NETNSA_NSID], NO_NSID);
}

/* A descriptor of the namespace, and its name; -1: none of this number has a name. */
static int open_netns(struct nl *nl, int nsid, char ret_name[NL_NETNS_MAX])
{
	DIR *names = opendir(NETNS_NAMES);
	struct dirent *entry;
	int found = -1;

	while (names && found < 0 && (entry = readdir(names))) {
		_cleanup_(closep) int fd = -1;
		char path[sizeof(NETNS_NAMES) + 256];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), NETNS_NAMES "/%s", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || nsid_of(nl, fd) != nsid)
			continue;
		snprintf(ret_name, NL_NETNS_MAX, "%.*s", NL_NETNS_MAX - 1, entry->d_name);
		found = take_fd(&fd);
	}
	if (names)
		closedir(names);
	return found;
}

/* In the namespace at hand: is the interface's tx checksum offload on? */
static bool leaves_checksums(int ifindex, char ret_name[IF_NAMESIZE])
{
	struct ethtool_value offload = { .cmd = ETHTOOL_GTXCSUM };
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_data = (char *)&offload };

	if (fd < 0 || !if_indextoname(ifindex, ret_name))
		return false;
	memcpy(request.ifr_name, ret_name, IF_NAMESIZE);
	return !ioctl(fd, SIOCETHTOOL, &request) && offload.data;
}

static bool leaves_tags(int ifindex, char ret_name[IF_NAMESIZE])
{
	return if_indextoname(ifindex, ret_name) && ethtool_tags_beside_sent(ret_name) > 0;
}

/* What `has` says of the other end, where that is. True also where nobody can tell. */
static bool peer_has(struct nl *nl, const char *name,
		     bool has(int ifindex, char ret_name[IF_NAMESIZE]), struct nl_veth_peer *ret)
{
	struct veth veth = find_peer(nl, name);
	_cleanup_(closep) int there = -1;
	_cleanup_(closep) int here = -1;
	bool answer;

	*ret = (struct nl_veth_peer){};
	if (!veth.peer)
		return false;
	if (veth.nsid == NO_NSID)
		return has(veth.peer, ret->name);
	there = open_netns(nl, veth.nsid, ret->netns);
	here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (there < 0 || here < 0 || setns(there, CLONE_NEWNET))
		return true;
	answer = has(veth.peer, ret->name);
	if (setns(here, CLONE_NEWNET))
		abort(); /* in a namespace that is not its own it must not go on */
	return answer;
}

bool nl_veth_leaves_checksums(struct nl *nl, const char *name, struct nl_veth_peer *ret)
{
	return peer_has(nl, name, leaves_checksums, ret);
}

bool nl_veth_leaves_tags(struct nl *nl, const char *name, struct nl_veth_peer *ret)
{
	return peer_has(nl, name, leaves_tags, ret);
}

bool nl_veth_is(struct nl *nl, const char *name)
{
	return find_peer(nl, name).peer;
}

int nl_veth_peer_xdp(struct nl *nl, const char *name, struct nl_veth_peer *ret_peer,
		     struct nl_xdp *ret)
{
	struct veth veth = find_peer(nl, name);
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC, .ifi_index = veth.peer };
	_cleanup_(nlmsg_freep) struct nl_msg *msg =
		nl_message_new(RTM_GETLINK, 0, &header, sizeof(header));
	_cleanup_(nl_answer_fini) struct nl_answer answer = {};
	_cleanup_(closep) int there = -1;
	struct nlattr *attributes[IFLA_MAX + 1];
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r;

	*ret_peer = (struct nl_veth_peer){};
	if (!veth.peer)
		return 1;
	if (!msg || (veth.nsid != NO_NSID && nla_put_s32(msg, IFLA_TARGET_NETNSID, veth.nsid) < 0))
		return -ENOMEM;
	r = nl_request(nl, msg, &answer, NULL);
	if (r < 0)
		return r;
	message = nl_answer_next(&answer, &offset);
	if (!message || nl_attributes(message, sizeof(header), attributes, IFLA_MAX) < 0 ||
	    !attributes[IFLA_IFNAME])
		return -EPROTO;
	nla_strlcpy(ret_peer->name, attributes[IFLA_IFNAME], sizeof(ret_peer->name));
	if (veth.nsid != NO_NSID)
		there = open_netns(nl, veth.nsid, ret_peer->netns);
	return nl_xdp_parse(attributes[IFLA_XDP], ret);
}
