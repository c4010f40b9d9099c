// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How packets find their way: routes, neighbours, addresses, ports, and who else has a say. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "cli/doctor.h"

#define FIX_MAX	   256
#define SNAT_PORTS 16384 /* fewer are soon used up */
#define CONNTRACK  "/proc/sys/net/netfilter/nf_conntrack_"
#define CONF4	   "/proc/sys/net/ipv4/conf/"

/* A setting of an interface that holds where that of all, or its own, is higher: the higher one. */
static long effective(const struct doctor *doctor, const char *interface, const char *key)
{
	long all = 0, own = 0;
	char path[128];

	snprintf(path, sizeof(path), CONF4 "all/%s", key);
	doctor_number(doctor, path, &all);
	snprintf(path, sizeof(path), CONF4 "%s/%s", interface, key);
	doctor_number(doctor, path, &own);
	return all > own ? all : own;
}

/* "sysctl -w ..." of an interface, whose name may have dots (those of sysctl are '/' then). */
static void print_sysctl(const char *interface, const char *key, int value, char fix[FIX_MAX])
{
	char name[IF_NAMESIZE];

	snprintf(name, sizeof(name), "%s", interface);
	for (char *dot = name; (dot = strchr(dot, '.'));)
		*dot = '/';
	snprintf(fix, FIX_MAX, "sysctl -w net.ipv4.conf.%s.%s=%d", name, key, value);
}

void doctor_rp_filter(struct doctor *doctor)
{
	vec_foreach(interface, &doctor->interfaces) {
		char fix[FIX_MAX];

		print_sysctl(interface->name, "rp_filter", 2, fix);
		if (effective(doctor, interface->name, "rp_filter") == 1)
			doctor_problem(doctor, DOCTOR_WARNING,
				       "what weir leaves to the kernel is dropped if the way back "
				       "is another interface: answers to health checks, pings",
				       fix, "%s: rp_filter is strict", interface->name);
		else
			doctor_ok(doctor, "%s: rp_filter lets packets in by any way",
				  interface->name);
	}
}

/* An address of a listener that only a route elsewhere leads to, or NULL. */
static const struct addr *foreign_address(const struct doctor *doctor)
{
	vec_foreach(listener, &doctor->model->listeners) {
		vec_foreach(address, &listener->addresses) {
			struct nl_route route;

			if (!listener->vip_route && addr_family(address) == AF_INET &&
			    !nl_route_get(doctor->nl, address, &route, NULL) && !route.local)
				return address;
		}
	}
	return NULL;
}

void doctor_forwarding(struct doctor *doctor)
{
	const struct addr *address = foreign_address(doctor);
	char text[ADDR_TEXT_MAX];
	long forward = 0;

	doctor_number(doctor, "/proc/sys/net/ipv4/ip_forward", &forward);
	if (address && forward)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "what weir leaves to the kernel of its packets goes back to the "
			       "router, and round and round until its TTL ends",
			       "sysctl -w net.ipv4.ip_forward=0",
			       "the host forwards, and %s (vip: none) is not its own",
			       addr_print(address, text));
	else
		doctor_ok(doctor, "weir needs no forwarding of the kernel's (it is %s)",
			  forward ? "on" : "off");
}

static bool is_known(const struct doctor *doctor, const char *interface)
{
	vec_foreach(known, &doctor->interfaces)
		if (!strcmp(known->name, interface))
			return true;
	return !doctor->interfaces.count;
}

void doctor_routes(struct doctor *doctor)
{
	unsigned good = 0;

	vec_foreach(target, &doctor->facts.targets) {
		char text[ADDR_TEXT_MAX], fix[FIX_MAX];

		addr_print(&target->address, text);
		if (target->local) {
			doctor_problem(doctor, DOCTOR_ERROR, "weir refuses it", "",
				       "endpoint %s is this host itself", text);
		} else if (!target->ifindex) {
			snprintf(fix, sizeof(fix), "ip route add %s dev %s", text,
				 doctor->interfaces.count ? doctor->interfaces.items[0].name
							  : "IF");
			doctor_problem(doctor, DOCTOR_ERROR, "it gets no connections", fix,
				       "there is no route to endpoint %s", text);
		} else if (!is_known(doctor, target->interface)) {
			doctor_problem(doctor, DOCTOR_ERROR,
				       "its answers do not pass through weir: name the interface "
				       "under 'interfaces', too",
				       "", "endpoint %s is behind %s, where weir is not", text,
				       target->interface);
		} else {
			good++;
		}
	}
	if (good)
		doctor_ok(doctor, "%u address%s of endpoints %s a way", good, good == 1 ? "" : "es",
			  good == 1 ? "has" : "have");
}

/* Has an earlier target the same next hop? */
static bool is_first(const struct doctor *doctor, const struct facts_target *target)
{
	vec_foreach(other, &doctor->facts.targets)
		if (other->ifindex == target->ifindex &&
		    addr_equal(&other->next_hop, &target->next_hop))
			return other == target;
	return true;
}

void doctor_neighbours(struct doctor *doctor)
{
	unsigned good = 0;

	vec_foreach(target, &doctor->facts.targets) {
		char text[ADDR_TEXT_MAX], fix[FIX_MAX];

		if (!target->ifindex || !is_first(doctor, target))
			continue;
		if (target->resolved) {
			good++;
			continue;
		}
		addr_print(&target->next_hop, text);
		snprintf(fix, sizeof(fix), "ip neighbour replace %s dev %s use", text,
			 target->interface);
		doctor_problem(doctor, doctor->daemon ? DOCTOR_ERROR : DOCTOR_WARNING,
			       "endpoints behind it get no connections until it answers to "
			       "ARP or neighbour discovery",
			       fix, "%s on %s: its MAC address is not known", text,
			       target->interface);
	}
	if (good)
		doctor_ok(doctor, "%u next hop%s answer%s", good, good == 1 ? "" : "s",
			  good == 1 ? "s" : "");
}

/* The host has the addresses as routes, not on an interface: with arp_ignore it keeps silent. */
static bool is_silent(struct doctor *doctor)
{
	bool silent = false;

	vec_foreach(interface, &doctor->interfaces) {
		const char *whose = interface->name;
		char fix[FIX_MAX];
		long all = 0;

		if (!effective(doctor, whose, "arp_ignore"))
			continue;
		doctor_number(doctor, CONF4 "all/arp_ignore", &all);
		print_sysctl(all ? "all" : whose, "arp_ignore", 0, fix);
		doctor_problem(doctor, DOCTOR_ERROR,
			       "clients and routers of the same network do not find the listeners",
			       fix, "%s does not answer ARP for them: arp_ignore of %s is on",
			       whose, all ? "all" : whose);
		silent = true;
	}
	return silent;
}

/* Listeners may share one: of the first that has it. */
static bool is_of_first(const struct doctor *doctor, const struct addr *address)
{
	vec_foreach(listener, &doctor->model->listeners)
		vec_foreach(other, &listener->addresses)
			if (addr_equal(other, address))
				return other == address;
	return true;
}

static bool answers(struct doctor *doctor, const struct addr *address)
{
	struct nl_route route;

	return !nl_route_get(doctor->nl, address, &route, NULL) && route.local;
}

void doctor_addresses(struct doctor *doctor)
{
	unsigned good = 0, waiting = 0;
	bool asked = false;

	vec_foreach(listener, &doctor->model->listeners) {
		vec_foreach(address, &listener->addresses) {
			char text[ADDR_TEXT_MAX];

			asked |= listener->vip_route && addr_family(address) == AF_INET;
			if (!is_of_first(doctor, address))
				continue;
			if (!listener->vip_route || answers(doctor, address))
				good++; /* or somebody else brings its packets here */
			else if (!doctor->daemon)
				waiting++;
			else
				doctor_problem(doctor, DOCTOR_ERROR,
					       "clients of the same network do not find it",
					       "weir apply",
					       "the host does not answer for %s of listener '%s'",
					       addr_print(address, text), listener->name);
		}
	}
	if (asked && is_silent(doctor))
		return;
	if (good)
		doctor_ok(doctor, "%u address%s of listeners %s in order", good,
			  good == 1 ? "" : "es", good == 1 ? "is" : "are");
	if (waiting)
		doctor_unseen(doctor,
			      "%u address%s of listeners: the host answers when a daemon "
			      "runs",
			      waiting, waiting == 1 ? "" : "es");
}

void doctor_ports(struct doctor *doctor)
{
	bool nat = false;

	vec_foreach(listener, &doctor->model->listeners)
		nat |= model_has_nat(listener);
	vec_foreach(ports, &doctor->facts.ports) {
		char text[ADDR_TEXT_MAX];
		unsigned count = 0;

		for (uint32_t i = 0; i < ports->ranges; i++)
			count += ports->range[i].last - ports->range[i].first + 1;
		addr_print(&ports->address, text);
		if (nat && count < SNAT_PORTS)
			doctor_problem(doctor, DOCTOR_WARNING,
				       "mode nat runs out of them: so many connections to an "
				       "endpoint at once, from this address",
				       "sysctl -w net.ipv4.ip_local_port_range='50000 60999'",
				       "%s: the host's own range and sockets leave %u ports", text,
				       count);
		else
			doctor_ok(doctor, "%s: %u ports for mode nat", text, count);
	}
	if (!doctor->facts.ports.count)
		doctor_ok(doctor, "no address is shared with the host");
}

void doctor_conntrack(struct doctor *doctor)
{
	long count = 0, max = 0;
	char fix[FIX_MAX];

	if (doctor_number(doctor, CONNTRACK "count", &count) < 0 ||
	    doctor_number(doctor, CONNTRACK "max", &max) < 0) {
		doctor_ok(doctor, "the kernel tracks no connections here");
		return;
	}
	snprintf(fix, sizeof(fix), "sysctl -w net.netfilter.nf_conntrack_max=%ld", 4 * max);
	if (count >= max - max / 10)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "the host's own new connections are dropped, health checks "
			       "among them; forwarded packets do not pass it",
			       fix, "its table is nearly full: %ld of %ld", count, max);
	else
		doctor_ok(doctor, "%ld of %ld connections of the host's own", count, max);
}

/* What is forwarded never gets there; answers to the host itself do. */
void doctor_nftables(struct doctor *doctor)
{
	struct nl_dropping_list chains = {};
	bool good = true;
	int r = nl_dropping_chains(&chains, NULL);

	if (r == -EPERM) {
		doctor_unseen(doctor, "only root sees the rules of nftables");
		return;
	}
	vec_foreach(chain, &chains.list) {
		char fix[FIX_MAX];

		if (chain->tracks)
			continue;
		good = false;
		snprintf(fix, sizeof(fix),
			 "nft insert rule %s %s %s ct state established,related accept",
			 chain->family, chain->table, chain->chain);
		doctor_problem(doctor, DOCTOR_WARNING,
			       "answers to health checks and DNS are dropped unless a rule names "
			       "them; what weir forwards does not pass there",
			       fix,
			       "chain '%s' of table %s %s drops what no rule accepts, and none "
			       "knows connections",
			       chain->chain, chain->family, chain->table);
	}
	if (good)
		doctor_ok(doctor, r < 0 ? "the kernel has no nftables"
					: "no chain drops answers to the host itself");
	vec_free(&chains.list);
}

/* A listener that wants them, or NULL. */
static const struct listener *with_cookies(const struct doctor *doctor)
{
	vec_foreach(listener, &doctor->model->listeners)
		if (listener->http && listener->http->syn_cookies)
			return listener;
	return NULL;
}

void doctor_cookies(struct doctor *doctor)
{
	const struct listener *listener = with_cookies(doctor);
	long setting = 0;

	if (!listener)
		doctor_ok(doctor, "no listener wants SYN cookies");
	else if (doctor_number(doctor, "/proc/sys/net/ipv4/tcp_syncookies", &setting) < 0)
		doctor_unseen(doctor, "net.ipv4.tcp_syncookies cannot be read");
	else if (!setting)
		doctor_problem(doctor, DOCTOR_WARNING,
			       "a flood of SYNs keeps clients out, syn_cookies or not",
			       "sysctl -w net.ipv4.tcp_syncookies=1",
			       "net.ipv4.tcp_syncookies is 0: listener %s sends no SYN cookies",
			       listener->name);
	else
		doctor_ok(doctor, "SYN cookies are sent %s",
			  setting == 2 ? "always" : "while a queue is full");
}
