// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The interfaces that packets come and leave by. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "cli/doctor.h"
#include "net/ethtool.h"

#define FIX_MAX	    256
#define CLIENTS_MTU 1500 /* bytes: what clients send at most, unless they are told */

void doctor_interfaces(struct doctor *doctor)
{
	vec_foreach(interface, &doctor->interfaces) {
		char fix[FIX_MAX] = "";
		struct nl_link link;
		struct err err = {};

		if (nl_link_get(doctor->nl, interface->name, 0, &link, &err) < 0) {
			doctor_problem(doctor, DOCTOR_ERROR, "nothing comes in or leaves by it",
				       "ip link", "%s", err.text);
			continue;
		}
		snprintf(fix, sizeof(fix), "ip link set dev %s up", interface->name);
		if (!link.up)
			doctor_problem(doctor, DOCTOR_ERROR, "nothing comes in or leaves by it",
				       fix, "%s is down, or has no carrier", interface->name);
		else if (!interface->attached && doctor->daemon) {
			snprintf(fix, sizeof(fix), "weir attach %s", interface->name);
			doctor_problem(doctor, DOCTOR_ERROR, "what comes in by it is not balanced",
				       fix, "%s: weir runs, and is not attached to it",
				       interface->name);
		} else {
			doctor_ok(doctor, "%s is up, MTU %u%s", interface->name, link.mtu,
				  interface->attached ? ", weir is on it" : "");
		}
	}
}

/* Of an interface that runs weir, or nothing yet. */
static void judge_mode(struct doctor *doctor, const char *name, const struct nl_xdp *xdp)
{
	char driver[ETHTOOL_DRIVER_MAX] = "unknown", fix[FIX_MAX];
	int native = nl_xdp_native(if_nametoindex(name));

	ethtool_driver(name, driver);
	snprintf(fix, sizeof(fix), "weir attach %s", name);
	if (xdp->attached && xdp->generic && native > 0)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "slower: every packet passes through the stack first", fix,
			       "%s: in generic mode, though its driver (%s) has native XDP", name,
			       driver);
	else if (xdp->attached)
		doctor_ok(doctor, "%s: %s mode, driver %s", name,
			  xdp->generic ? "generic" : "native", driver);
	else if (native == 0)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "weir does not attach to it, unless --generic says so: that works "
			       "everywhere, and is slower",
			       "", "%s: its driver (%s) has no native XDP", name, driver);
	else if (native < 0)
		doctor_unseen(doctor,
			      "%s: the kernel does not say whether the driver (%s) has "
			      "native XDP",
			      name, driver);
	else
		doctor_ok(doctor, "%s: its driver (%s) has native XDP", name, driver);
}

void doctor_xdp(struct doctor *doctor)
{
	vec_foreach(interface, &doctor->interfaces) {
		char fix[FIX_MAX];
		struct nl_xdp xdp;

		if (nl_xdp_get(doctor->nl, interface->name, &xdp, NULL) < 0)
			continue; /* is not there: said already */
		snprintf(fix, sizeof(fix), "ip link set dev %s xdp off", interface->name);
		if (!xdp.attached && interface->attached)
			doctor_unseen(doctor,
				      "%s: the kernel shows no program, though weir's is "
				      "pinned: it is of another network namespace",
				      interface->name);
		else if (xdp.attached && !interface->attached)
			doctor_problem(doctor, DOCTOR_ERROR,
				       "weir cannot attach: an interface runs one program", fix,
				       "%s: another XDP program is on it (id %u)", interface->name,
				       xdp.program);
		else
			judge_mode(doctor, interface->name, &xdp);
	}
}

/* COMMAND, where the other end of a veth is. Not by `ip netns exec`, which hides bpffs. */
static void print_there(const struct nl_veth_peer *peer, const char *command, char fix[FIX_MAX])
{
	snprintf(fix, FIX_MAX, "%s%s%s%s", peer->netns[0] ? "nsenter --net=/run/netns/" : "",
		 peer->netns, peer->netns[0] ? " " : "", command);
}

void doctor_veth(struct doctor *doctor)
{
	vec_foreach(interface, &doctor->interfaces) {
		char command[64], fix[FIX_MAX];
		struct nl_veth_peer peer;
		struct nl_xdp xdp;
		int r = nl_veth_peer_xdp(doctor->nl, interface->name, &peer, &xdp);

		if (r > 0) {
			doctor_ok(doctor, "%s is no veth", interface->name);
			continue;
		}
		if (r < 0) {
			doctor_unseen(doctor, "%s: its other end cannot be seen from here: %s",
				      interface->name, strerror(-r));
			continue;
		}
		snprintf(command, sizeof(command), "weir attach --decap %s", peer.name);
		print_there(&peer, command, fix);
		if (!xdp.attached)
			doctor_problem(doctor, DOCTOR_ERROR,
				       "whatever weir sends back by it is lost, and no counter "
				       "tells; any program that lets packets pass will do",
				       fix,
				       "%s is a veth, and its other end, %s, has no XDP program",
				       interface->name, peer.name);
		else
			doctor_ok(doctor, "%s: its other end, %s, takes what weir sends",
				  interface->name, peer.name);
	}
}

void doctor_checksums(struct doctor *doctor)
{
	vec_foreach(interface, &doctor->interfaces) {
		char command[64], fix[FIX_MAX];
		struct nl_veth_peer peer;

		if (!nl_veth_leaves_checksums(doctor->nl, interface->name, &peer)) {
			doctor_ok(doctor, "%s: packets come with their checksums", interface->name);
			continue;
		}
		if (!peer.name[0]) {
			doctor_unseen(doctor,
				      "%s: whether its other end computes checksums cannot "
				      "be seen from here",
				      interface->name);
			continue;
		}
		snprintf(command, sizeof(command), "ethtool -K %s tx off", peer.name);
		print_there(&peer, command, fix);
		doctor_problem(doctor, DOCTOR_ERROR,
			       "connections open and then stall: endpoints drop what has a wrong "
			       "checksum",
			       fix,
			       "%s: its other end, %s, leaves checksums to a device that is "
			       "none",
			       interface->name, peer.name);
	}
}

void doctor_merging(struct doctor *doctor)
{
	vec_foreach(interface, &doctor->interfaces) {
		int gro = ethtool_feature(interface->name, ETHTOOL_FEATURE_GRO);
		int lro = ethtool_feature(interface->name, ETHTOOL_FEATURE_LRO);
		char fix[FIX_MAX];

		snprintf(fix, sizeof(fix), "ethtool -K %s lro off", interface->name);
		if (lro > 0)
			doctor_problem(doctor, DOCTOR_ERROR,
				       "merged packets are larger than any MTU, and drivers refuse "
				       "XDP beside it",
				       fix, "%s merges packets in the device (LRO)",
				       interface->name);
		snprintf(fix, sizeof(fix), "ethtool -K %s gro off", interface->name);
		if (lro <= 0 && gro > 0 && interface->attached &&
		    interface->attachment.mode == ATTACH_GENERIC)
			doctor_problem(doctor, DOCTOR_WARNING,
				       "in generic mode weir sees merged packets, which are copied "
				       "and too large to be forwarded",
				       fix, "%s merges packets before weir sees them (GRO)",
				       interface->name);
		else if (lro <= 0)
			doctor_ok(doctor, "%s: every packet by itself", interface->name);
	}
}

/* What a mode adds in front of a packet, with an outer header of a family. */
static unsigned overhead(uint8_t mode, int family)
{
	unsigned header = family == AF_INET ? 20 : 40;

	if (mode != WEIR_MODE_IPIP && mode != WEIR_MODE_GUE)
		return 0;
	return header + (mode == WEIR_MODE_GUE ? 12 : 0);
}

/* The most that any endpoint behind the interface needs beyond a packet. */
static unsigned worst_overhead(const struct doctor *doctor, uint32_t ifindex)
{
	unsigned worst = 0;

	vec_foreach(listener, &doctor->model->listeners) {
		vec_foreach(group, &listener->groups) {
			vec_foreach(endpoint, &group->endpoints) {
				const struct facts_target *target =
					facts_target(&doctor->facts, &endpoint->address);
				unsigned more =
					overhead(endpoint->mode, addr_family(&endpoint->address));

				if (target && target->ifindex == ifindex && more > worst)
					worst = more;
			}
		}
	}
	return worst;
}

/* Has an earlier target left by the same interface? */
static bool is_first(const struct doctor *doctor, const struct facts_target *target)
{
	vec_foreach(other, &doctor->facts.targets)
		if (other->ifindex == target->ifindex)
			return other == target;
	return true;
}

void doctor_mtu(struct doctor *doctor)
{
	vec_foreach(target, &doctor->facts.targets) {
		unsigned more = worst_overhead(doctor, target->ifindex);
		char fix[FIX_MAX];
		struct nl_link link;

		if (!target->ifindex || !is_first(doctor, target) ||
		    nl_link_get(doctor->nl, NULL, target->ifindex, &link, NULL) < 0)
			continue;
		snprintf(fix, sizeof(fix), "ip link set dev %s mtu %u", link.name,
			 CLIENTS_MTU + more);
		if (more && link.mtu < CLIENTS_MTU + more)
			doctor_problem(doctor, DOCTOR_WARNING,
				       "full-sized packets of clients are answered with 'too big' "
				       "(and lost where ICMP is filtered); the whole way to the "
				       "endpoints has to carry them",
				       fix, "%s carries %u bytes, but tunnels need %u + %u",
				       link.name, link.mtu, CLIENTS_MTU, more);
		else
			doctor_ok(doctor, "%s: MTU %u, tunnels add %u", link.name, link.mtu, more);
	}
}
