// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/world.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/ways.h"
#include "net/cookies.h"
#include "net/ports.h"
#include "util/log.h"

static int gather_interfaces(struct nl *nl, const struct attachments *attachments,
			     struct facts *facts, struct err *err)
{
	VEC(uint32_t) attached = {};
	int r = 0;

	vec_foreach(attachment, &attachments->list)
		if (attachment->ifindex && vec_push(&attached, attachment->ifindex))
			r = err_set(err, -ENOMEM, "out of memory");
	r = r ?: ways_add(nl, attached.items, attached.count, facts, err);
	vec_free(&attached);
	return r;
}

/* No way there is a fact; a netlink that does not answer is not. */
static bool is_no_route(int error)
{
	return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -ENODEV ||
	       error == -EACCES || error == -EINVAL; /* prohibit and blackhole routes */
}

/* The smaller of what the route says and of what the interface carries. */
static uint16_t mtu_of(const struct facts *facts, const struct nl_route *route)
{
	const struct facts_interface *interface = facts_interface(facts, route->ifindex);
	uint16_t mtu = interface ? interface->mtu : 0;

	return route->mtu && (!mtu || route->mtu < mtu) ? route->mtu : mtu;
}

/* Routers that many endpoints are behind are asked for once. */
struct hops {
	const struct facts *facts;
	struct lookup by_address; /* targets by the next hop, one for each */
};

static uint32_t hash_of_hop(const struct facts_target *target)
{
	return lookup_hash(target->ifindex, target->next_hop.bytes, sizeof(target->next_hop.bytes));
}

/* Another target with the same next hop, or NULL. */
static const struct facts_target *same_hop(const struct hops *hops,
					   const struct facts_target *target)
{
	lookup_foreach(item, &hops->by_address, hash_of_hop(target)) {
		const struct facts_target *other = &hops->facts->targets.items[item];

		if (other->ifindex == target->ifindex &&
		    addr_equal(&other->next_hop, &target->next_hop))
			return other;
	}
	return NULL;
}

/* Notes the next hop of a target, by its place, unless it is known. 0 or -ENOMEM. */
static int add_hop(struct hops *hops, size_t place)
{
	const struct facts_target *target = &hops->facts->targets.items[place];

	if (!target->ifindex || same_hop(hops, target))
		return 0;
	return lookup_add(&hops->by_address, hash_of_hop(target), place);
}

static int gather_hop(struct nl *nl, bool manage, struct hops *hops, struct facts_target *target,
		      struct err *err)
{
	const struct facts_target *other = same_hop(hops, target);
	int r;

	if (other) {
		memcpy(target->mac, other->mac, sizeof(target->mac));
		memcpy(target->interface, other->interface, sizeof(target->interface));
		target->resolved = other->resolved;
		return 0;
	}
	if_indextoname(target->ifindex, target->interface);
	if (manage)
		nl_neighbour_manage(nl, target->ifindex, &target->next_hop, NULL);
	r = nl_neighbour_get(nl, target->ifindex, &target->next_hop, target->mac, err);
	if (r < 0)
		return r;
	target->resolved = !r;
	return 0;
}

int world_resolve(struct nl *nl, struct facts *facts, struct err *err)
{
	struct hops hops = { .facts = facts };
	int r = 0;

	for (size_t i = 0; !r && i < facts->targets.count; i++) {
		struct facts_target *target = &facts->targets.items[i];
		const struct facts_target *other;

		if (!target->ifindex || target->resolved)
			continue;
		other = same_hop(&hops, target);
		if (other) {
			memcpy(target->mac, other->mac, sizeof(target->mac));
			target->resolved = other->resolved;
			continue;
		}
		r = nl_neighbour_get(nl, target->ifindex, &target->next_hop, target->mac, err);
		if (r < 0)
			break;
		target->resolved = !r;
		r = add_hop(&hops, i);
	}
	lookup_fini(&hops.by_address);
	return r;
}

static int gather_target(struct nl *nl, const struct addr *address, bool manage, struct hops *hops,
			 struct facts *facts, struct err *err)
{
	struct facts_target target = { .address = *address };
	struct nl_route route;
	int r;

	if (facts_target(facts, address))
		return 0;
	r = nl_route_get(nl, address, &route, err);
	if (r < 0 && !is_no_route(r))
		return r;
	target.local = !r && route.local;
	if (!r && !route.local) {
		target.ifindex = route.ifindex;
		target.next_hop = route.next_hop;
		target.source = route.source;
		target.mtu = mtu_of(facts, &route);
		r = gather_hop(nl, manage, hops, &target, err);
		if (r < 0)
			return r;
	}
	if (facts_add_target(facts, &target) || add_hop(hops, facts->targets.count - 1))
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int gather_targets(struct nl *nl, const struct model *model, bool manage,
			  struct facts *facts, struct err *err)
{
	struct hops hops = { .facts = facts };
	int r = 0;

	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			vec_foreach(endpoint, &group->endpoints)
				r = r
					    ?: gather_target(nl, &endpoint->address, manage, &hops,
							     facts, err);
	lookup_fini(&hops.by_address);
	return r;
}

static bool list_has(const struct addr_list *addresses, const struct addr *address)
{
	vec_foreach(own, &addresses->list)
		if (addr_equal(own, address))
			return true;
	return false;
}

/* On an address of the host's own, the host's ports are left alone; any other is weir's alone. */
static int gather_ports(const struct addr_list *own, const struct addr *address,
			struct facts *facts, struct err *err)
{
	struct facts_ports ports = { .address = *address };
	struct ports_used used = {};
	int r = 0;

	if (facts_ports(facts, address))
		return 0;
	if (list_has(own, address)) {
		r = ports_reserved(&used, err);
		r = r ?: ports_listening(IPPROTO_TCP, address, &used, err);
		r = r ?: ports_listening(IPPROTO_UDP, address, &used, err);
		if (r < 0)
			return r;
	}
	ports.ranges = ports_ranges(&used, ports.range);
	if (vec_push(&facts->ports, ports))
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int gather_snat(const struct model *model, const struct addr_list *own, struct facts *facts,
		       struct err *err)
{
	int r = 0;

	vec_foreach(address, &model->snat)
		r = r ?: gather_ports(own, address, facts, err);
	vec_foreach(listener, &model->listeners)
		vec_foreach(address, &listener->snat)
			r = r ?: gather_ports(own, address, facts, err);
	vec_foreach(target, &facts->targets)
		if (target->ifindex && !addr_is_martian(&target->source))
			r = r ?: gather_ports(own, &target->source, facts, err);
	return r;
}

static struct facts_cookies gather_cookies(void)
{
	return (struct facts_cookies){
		.kind = cookies_have_times() ? WEIR_COOKIES_TIMES : WEIR_COOKIES_MSS,
		.wscale = cookies_wscale(),
	};
}

int world_gather(struct nl *nl, const struct model *model, const struct attachments *attachments,
		 bool manage, struct facts *ret, struct err *err)
{
	_cleanup_(facts_fini) struct facts facts = {};
	struct addr_list own = {};
	int r;

	r = gather_interfaces(nl, attachments, &facts, err);
	r = r ?: gather_targets(nl, model, manage, &facts, err);
	r = r ?: nl_addresses(nl, &own, err);
	r = r ?: gather_snat(model, &own, &facts, err);
	vec_free(&own.list);
	if (r < 0)
		return r;
	facts.cookies = gather_cookies();
	*ret = facts;
	facts = (struct facts){};
	return 0;
}

void world_forget(struct nl *nl, const struct facts *before, const struct facts *now)
{
	struct hops kept = { .facts = now }, gone = { .facts = before };

	for (size_t i = 0; i < now->targets.count; i++)
		if (add_hop(&kept, i))
			goto out; /* better a neighbour that nobody needs than one too few */
	for (size_t i = 0; i < before->targets.count; i++) {
		const struct facts_target *target = &before->targets.items[i];

		if (!target->ifindex || same_hop(&kept, target) || same_hop(&gone, target))
			continue;
		nl_neighbour_release(nl, target->ifindex, &target->next_hop, NULL);
		if (add_hop(&gone, i))
			break;
	}
out:
	lookup_fini(&kept.by_address);
	lookup_fini(&gone.by_address);
}

void world_remember(const struct facts *before, struct facts *now)
{
	vec_foreach(target, &now->targets) {
		const struct facts_target *known = facts_target(before, &target->address);

		if (target->resolved || !known || !known->resolved ||
		    known->ifindex != target->ifindex ||
		    !addr_equal(&known->next_hop, &target->next_hop))
			continue;
		memcpy(target->mac, known->mac, sizeof(target->mac));
		target->resolved = target->lost = true;
	}
}

bool world_is_resolved(const struct facts *facts)
{
	vec_foreach(target, &facts->targets)
		if (target->ifindex && (!target->resolved || target->lost))
			return false;
	return true;
}

bool world_news_are_resolved(const struct facts *before, const struct facts *now)
{
	vec_foreach(target, &now->targets)
		if (target->ifindex && !target->resolved && !facts_target(before, &target->address))
			return false;
	return true;
}

static int check_endpoints(const struct facts *facts, const struct listener *listener,
			   struct err *err)
{
	vec_foreach(group, &listener->groups) {
		vec_foreach(endpoint, &group->endpoints) {
			const struct facts_target *target = facts_target(facts, &endpoint->address);

			if (!target || !target->local)
				continue;
			return err_set(
				err, -EINVAL,
				"listener %s: endpoint %s is this host itself; packets to it "
				"cannot pass through its own XDP program: run it elsewhere",
				listener->name, endpoint->name);
		}
	}
	return 0;
}

/* What the host listens to, as it was asked last: thousands of listeners may share an address. */
struct listening {
	struct addr address;
	uint8_t protocol; /* 0: not asked yet */
	struct ports_used used;
};

static int check_ports(const struct listener *listener, const struct addr *address,
		       struct listening *last, struct err *err)
{
	char text[ADDR_PORT_TEXT_MAX];
	int r = 0;

	if (last->protocol != listener->protocol || !addr_equal(&last->address, address)) {
		*last = (struct listening){ *address, listener->protocol };
		r = ports_listening(listener->protocol, address, &last->used, err);
	}
	if (r < 0)
		return r;
	vec_foreach(range, &listener->ports)
		for (uint32_t port = range->first; port <= range->last; port++)
			if (ports_has(&last->used, port))
				return err_set(err, -EADDRINUSE,
					       "listener %s: this host itself listens on %s; move "
					       "one of them, or set steal_ports: true",
					       listener->name,
					       addr_print_port(address, port, text));
	return 0;
}

int world_check(struct nl *nl, const struct model *model, const struct facts *facts,
		struct err *err)
{
	struct addr_list own = {};
	struct listening last = {};
	int r = nl_addresses(nl, &own, err);

	vec_foreach(listener, &model->listeners) {
		if (!listener->http)
			r = r ?: check_endpoints(facts, listener, err);
		vec_foreach(address, &listener->addresses)
			if (!r && !model->steal_ports && list_has(&own, address))
				r = check_ports(listener, address, &last, err);
	}
	vec_free(&own.list);
	return r;
}

/* On all interfaces of the plan, and on no others. */
static void answer_one(struct nl *nl, const struct addr *address, const uint32_t *ifindexes,
		       size_t count)
{
	char text[ADDR_TEXT_MAX];
	struct err err = {};
	int r = 0;

	for (size_t i = 0; !r && i < count; i++)
		r = nl_vip_add(nl, ifindexes[i], address, &err) < 0;
	if (r || nl_vip_keep_on(nl, address, ifindexes, count, &err) < 0)
		log_warning("%s: clients may not reach it: %s", addr_print(address, text),
			    err.text);
}

void world_answer(struct nl *nl, const struct plan *plan)
{
	uint32_t ifindexes[WEIR_MAX_EGRESS];
	size_t count = 0;

	for (size_t i = 1; i < plan->egress.count; i++) {
		ifindexes[count] = plan->egress.items[i].device;
		count += ifindexes[count] != 0;
	}
	vec_foreach(listener, &plan->listeners)
		if (listener->vip_route)
			vec_foreach(address, &listener->addresses)
				answer_one(nl, address, ifindexes, count);
}

void world_unanswered(struct nl *nl, const struct plan *plan,
		      void each(void *user, const struct addr *address, const char *interface),
		      void *user)
{
	vec_foreach(listener, &plan->listeners) {
		if (!listener->vip_route)
			continue;
		vec_foreach(address, &listener->addresses) {
			bool ip4 = addr_family(address) == AF_INET;

			vec_foreach(egress, &plan->egress) {
				if (!egress->device)
					continue;
				if (nl_vip_find(nl, egress->device, address, NULL) > 0)
					each(user, address, ip4 ? NULL : egress->name);
				if (ip4)
					break;
			}
		}
	}
}

void world_unanswer(struct nl *nl, const struct addr_list *before, const struct addr_list *now)
{
	vec_foreach(address, &before->list)
		if (!list_has(now, address))
			nl_vip_remove(nl, address, NULL);
}

void world_leave(struct nl *nl, const struct plan *plan)
{
	vec_foreach(listener, &plan->listeners) {
		vec_foreach(endpoint, &listener->endpoints) {
			struct nl_route route;

			if (!nl_route_get(nl, &endpoint->address, &route, NULL))
				nl_neighbour_release(nl, route.ifindex, &route.next_hop, NULL);
		}
	}
}
