// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The interfaces that packets come and leave by. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "cli/doctor.h"
#include "net/ethtool.h"
#include "plan/plan_places.h"

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

static bool serves_http(const struct doctor *doctor)
{
	if (doctor->model)
		vec_foreach(listener, &doctor->model->listeners)
			if (listener->http)
				return true;
	return false;
}

/* A generic program runs behind GRO, a native one before it. */
static void judge_gro(struct doctor *doctor, const struct doctor_interface *interface, int gro)
{
	bool generic = interface->attachment.mode == ATTACH_GENERIC;
	char fix[FIX_MAX];

	snprintf(fix, sizeof(fix), "ethtool -K %s gro %s", interface->name, gro ? "off" : "on");
	if (gro > 0 && interface->attached && generic)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "in generic mode weir sees merged packets, which are copied "
			       "and too large to be forwarded",
			       fix, "%s merges packets before weir sees them (GRO)",
			       interface->name);
	else if (gro == 0 && interface->attached && !generic && serves_http(doctor))
		doctor_problem(doctor, DOCTOR_WARNING,
			       "bodies of http cost more: each frame goes up the stack by itself",
			       fix, "%s does not merge what weir leaves to this host (GRO)",
			       interface->name);
	else
		doctor_ok(doctor, "%s: weir sees every packet by itself", interface->name);
}

void doctor_merging(struct doctor *doctor)
{
	vec_foreach(interface, &doctor->interfaces) {
		char fix[FIX_MAX];

		snprintf(fix, sizeof(fix), "ethtool -K %s lro off", interface->name);
		if (doctor->feature(interface->name, ETHTOOL_FEATURE_LRO) > 0)
			doctor_problem(doctor, DOCTOR_ERROR,
				       "merged packets are larger than any MTU, and drivers refuse "
				       "XDP beside it",
				       fix, "%s merges packets in the device (LRO)",
				       interface->name);
		else
			judge_gro(doctor, interface,
				  doctor->feature(interface->name, ETHTOOL_FEATURE_GRO));
	}
}

#define TAGS_HIDDEN                                                                                \
	"what comes in a VLAN looks as if it came in none: clients there get no answers, and "     \
	"nothing counts them"

/* Who takes the tags out of frames that come in by a veth is its other end. */
static void judge_tags_of_veth(struct doctor *doctor, const char *name)
{
	char command[128], fix[FIX_MAX];
	struct nl_veth_peer peer;

	if (!nl_veth_leaves_tags(doctor->nl, name, &peer)) {
		doctor_ok(doctor, "%s: frames come with their VLAN tags", name);
		return;
	}
	if (!peer.name[0]) {
		doctor_unseen(doctor,
			      "%s: whether its other end leaves VLAN tags in frames cannot be "
			      "seen from here",
			      name);
		return;
	}
	snprintf(command, sizeof(command), "ethtool -K %s txvlan off tx-vlan-stag-hw-insert off",
		 peer.name);
	print_there(&peer, command, fix);
	doctor_problem(doctor, DOCTOR_ERROR, TAGS_HIDDEN, fix,
		       "%s: its other end, %s, sends VLAN tags beside frames, where XDP does not "
		       "see them",
		       name, peer.name);
}

static void judge_tags(struct doctor *doctor, const char *name)
{
	char fix[FIX_MAX];
	int r;

	if (nl_veth_is(doctor->nl, name)) {
		judge_tags_of_veth(doctor, name);
		return;
	}
	r = ethtool_tags_beside_received(name);
	snprintf(fix, sizeof(fix), "ethtool -K %s rxvlan off rx-vlan-stag-hw-parse off", name);
	if (r > 0)
		doctor_problem(doctor, DOCTOR_ERROR, TAGS_HIDDEN, fix,
			       "%s takes VLAN tags out of frames before XDP sees them", name);
	else if (r < 0)
		doctor_unseen(doctor, "%s: whether it leaves VLAN tags in frames: %s", name,
			      strerror(-r));
	else
		doctor_ok(doctor, "%s: frames come with their VLAN tags", name);
}

void doctor_vlans(struct doctor *doctor)
{
	struct nl_links links = {};
	struct err err = {};

	if (nl_link_all(doctor->nl, &links, &err) < 0) {
		doctor_unseen(doctor, "%s", err.text);
		return;
	}
	vec_foreach(interface, &doctor->interfaces) {
		int ifindex = (int)if_nametoindex(interface->name);
		size_t devices = 0;

		vec_foreach(link, &links.list)
			devices += ifindex && link->lower == ifindex;
		if (devices)
			judge_tags(doctor, interface->name);
		else
			doctor_ok(doctor, "%s: no VLAN device is on it", interface->name);
	}
	vec_free(&links.list);
}

#define ROOM (WEIR_MAX_EGRESS - 1)

/* Those that lead to endpoints must have a place in the data plane, others as long as there is any.
 */
void doctor_ways(struct doctor *doctor)
{
	const struct facts *facts = &doctor->facts;
	size_t count = facts->interfaces.count, needed = 0;

	vec_foreach(interface, &facts->interfaces)
		needed += plan_places_is_needed(facts, interface);
	if (needed > ROOM)
		doctor_problem(doctor, DOCTOR_ERROR,
			       "run and apply refuse them: reach endpoints by fewer, for example "
			       "through a router",
			       "",
			       "%zu interfaces and VLAN devices lead to endpoints; there is room "
			       "for %u",
			       needed, ROOM);
	else if (count > ROOM)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "clients in their VLANs open no connections of mode nat (weir show "
			       "drops: no_next_hop); remove VLAN devices that nobody is behind: ip "
			       "link delete IF",
			       "",
			       "%zu interfaces and VLAN devices, and room for %u: %zu that lead "
			       "to no endpoint have none",
			       count, ROOM, count - ROOM);
	else
		doctor_ok(doctor, "%zu way%s out, with VLAN devices; there is room for %u", count,
			  count == 1 ? "" : "s", ROOM);
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
