// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/conflict.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "config/fields.h"

/* More cannot be put into the tables while the old generation is still in use. */
#define KEYS_MAX      (WEIR_MAX_CELLS / 4)
#define ENDPOINTS_MAX (WEIR_MAX_ENDPOINTS / 4)
#define SNAT_MAX      (WEIR_MAX_SNAT - 1)

/* Packets to these ports of an address are a listener's. */
struct claim {
	struct addr addr;
	uint8_t protocol; /* 0: of any, and of no port (has_address()) */
	struct port_range ports;
	uint16_t reach; /* last port of this and all before it of the same address and protocol */
	const struct tree_node *listener;
	struct tree_node *port;
};

struct conflict {
	struct report *report;
	struct node_list listeners;
	VEC(struct claim) claims;   /* sorted */
	VEC(struct addr) addresses; /* of all listeners; sorted */
};

static void conflict_fini(struct conflict *conflict)
{
	fields_items_fini(&conflict->listeners);
	vec_free(&conflict->claims);
	vec_free(&conflict->addresses);
}

/* Counts against a limit; the node at which the sum first exceeds it gets the error. */
struct count {
	size_t sum;
	size_t limit;
	struct tree_node *culprit;
};

static void count_add(struct count *count, size_t more, struct tree_node *node)
{
	count->sum += more;
	if (count->sum > count->limit && !count->culprit)
		count->culprit = node;
}

static void count_report(struct report *report, const struct count *count, const char *what)
{
	if (count->culprit)
		tree_error(report, count->culprit,
			   "the file has %zu %s; the data plane holds at most %zu", count->sum,
			   what, count->limit);
}

static void count_endpoints(const struct tree_node *listener, struct count *endpoints)
{
	const struct tree_node *groups = fields_get(listener, LISTENER_GROUPS);

	if (!groups)
		return;
	vec_foreach(group, &groups->items) {
		struct tree_node *list = NULL;

		if ((*group)->flags & TREE_GOOD)
			list = fields_get(*group, GROUP_ENDPOINTS);
		if (list)
			count_add(endpoints, list->items.count, list);
	}
}

static int claim_ports(struct conflict *conflict, const struct tree_node *listener,
		       const struct tree_node *address, const struct node_list *ports)
{
	struct claim claim = {
		.addr = address->value.addr,
		.protocol = fields_transport(listener),
		.listener = listener,
	};

	if (vec_push(&conflict->addresses, claim.addr) < 0)
		return -ENOMEM;
	if (!claim.protocol)
		return 0;
	vec_foreach(port, &ports->nodes) {
		claim.ports = (*port)->value.ports;
		claim.port = *port;
		if (vec_push(&conflict->claims, claim) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The keys that a listener needs: one per address and port, or range of ports, and one per address.
 * Once there are too many, claims are no longer kept: a small file can name very many. */
static int add_listener(struct conflict *conflict, struct tree_node *listener, struct count *keys)
{
	_cleanup_(fields_items_fini) struct node_list addresses = {}, ports = {};
	struct tree_node *place = fields_get(listener, LISTENER_PORT);

	if (fields_items(listener, LISTENER_ADDRESS, &addresses) < 0 ||
	    fields_ports(listener, LISTENER_PORT, &ports) < 0)
		return -ENOMEM;
	count_add(keys, addresses.nodes.count * (ports.nodes.count + 1), place ? place : listener);
	if (conflict->claims.count + addresses.nodes.count * ports.nodes.count > KEYS_MAX)
		return 0;
	vec_foreach(address, &addresses.nodes)
		if (claim_ports(conflict, listener, *address, &ports) < 0)
			return -ENOMEM;
	return 0;
}

static int compare_addresses(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	int order = addr_compare(&a->addr, &b->addr);

	if (order)
		return order;
	if (a->protocol != b->protocol)
		return a->protocol - b->protocol;
	if (a->ports.first != b->ports.first)
		return a->ports.first - b->ports.first;
	return a->port->span.offset < b->port->span.offset ? -1 : 1;
}

static bool same_table(const struct claim *a, const struct claim *b)
{
	return addr_equal(&a->addr, &b->addr) && a->protocol == b->protocol;
}

static void sort_claims(struct conflict *conflict)
{
	struct claim *claims = conflict->claims.items;

	if (conflict->addresses.count)
		qsort(conflict->addresses.items, conflict->addresses.count, sizeof(struct addr),
		      compare_addresses);
	if (conflict->claims.count)
		qsort(claims, conflict->claims.count, sizeof(*claims), compare_claims);
	for (size_t i = 0; i < conflict->claims.count; i++) {
		claims[i].reach = claims[i].ports.last;
		if (i && same_table(&claims[i - 1], &claims[i]) &&
		    claims[i - 1].reach > claims[i].reach)
			claims[i].reach = claims[i - 1].reach;
	}
}

/* "listener 'web'", or where it begins if it has no valid name. */
static const char *listener_text(const struct tree_node *listener, char ret[WEIR_NAME_MAX + 32])
{
	const char *name = fields_text(listener, LISTENER_NAME);

	if (*name)
		snprintf(ret, WEIR_NAME_MAX + 32, "listener '%s'", name);
	else
		snprintf(ret, WEIR_NAME_MAX + 32, "the listener of line %u", listener->line);
	return ret;
}

static void report_shared(struct report *report, const struct claim *a, const struct claim *b)
{
	bool a_first = a->port->span.offset < b->port->span.offset;
	const struct claim *earlier = a_first ? a : b, *later = a_first ? b : a;
	char listener[WEIR_NAME_MAX + 32], addr[ADDR_TEXT_MAX];

	if (later->port->flags & TREE_CLASHES)
		return;
	later->port->flags |= TREE_CLASHES;
	tree_error(report, later->port, "%s port %u of %s belongs to %s",
		   later->protocol == IPPROTO_TCP ? "TCP" : "UDP", b->ports.first,
		   addr_print(&later->addr, addr), listener_text(earlier->listener, listener));
}

/* `widest` reaches furthest of the claims so far, so it overlaps if any does. */
static void check_shared(struct conflict *conflict)
{
	const struct claim *widest = NULL;

	vec_foreach(claim, &conflict->claims) {
		bool same = widest && same_table(widest, claim);

		if (same && claim->ports.first <= widest->ports.last &&
		    claim->listener != widest->listener)
			report_shared(conflict->report, widest, claim);
		if (!same || claim->ports.last > widest->ports.last)
			widest = claim;
	}
}

/* The claim that holds one of the ports, or NULL. */
static const struct claim *find_claim(const struct conflict *conflict, const struct claim *wanted)
{
	size_t low = 0, high = conflict->claims.count;
	const struct claim *found;

	/* The last claim that does not begin behind the wanted ports. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct claim *claim = &conflict->claims.items[middle];
		int order = addr_compare(&claim->addr, &wanted->addr);

		if (!order)
			order = claim->protocol - wanted->protocol;
		if (!order)
			order = claim->ports.first > wanted->ports.last;
		if (order > 0)
			high = middle;
		else
			low = middle + 1;
	}
	if (!low)
		return NULL;
	found = &conflict->claims.items[low - 1];
	if (!same_table(found, wanted) || found->reach < wanted->ports.first)
		return NULL;
	while (found->ports.last < wanted->ports.first)
		found--;
	return found;
}

static const struct claim *find_loop(const struct conflict *conflict,
				     const struct tree_node *endpoint,
				     const struct node_list *ports, struct claim wanted)
{
	const struct tree_node *port = fields_port(endpoint);
	const struct claim *found;

	if (!fields_port_known(endpoint))
		return NULL;
	if (port) {
		wanted.ports.first = wanted.ports.last = port->value.number;
		return find_claim(conflict, &wanted);
	}
	vec_foreach(own, &ports->nodes) {
		wanted.ports = (*own)->value.ports;
		found = find_claim(conflict, &wanted);
		if (found)
			return found;
	}
	return NULL;
}

static void check_endpoint(struct conflict *conflict, const struct tree_node *listener,
			   const struct node_list *ports, const struct tree_node *endpoint)
{
	struct tree_node *address = fields_get(endpoint, ENDPOINT_ADDRESS);
	struct claim wanted = { .protocol = fields_transport(listener) };
	unsigned modes = fields_modes(listener, endpoint);
	char text[WEIR_NAME_MAX + 32];
	const struct claim *loop;

	if (!address || !conflict->addresses.count ||
	    !bsearch(&address->value.addr, conflict->addresses.items, conflict->addresses.count,
		     sizeof(struct addr), compare_addresses))
		return;
	if (!(modes & FIELDS_NAT)) {
		tree_error(conflict->report, address,
			   "with mode %s an endpoint needs an address of its own; this one is a "
			   "listener's",
			   model_mode_name(__builtin_ctz(modes)));
		return;
	}
	wanted.addr = address->value.addr;
	loop = find_loop(conflict, endpoint, ports, wanted);
	if (loop)
		tree_error(conflict->report, address, "this endpoint is %s itself: a loop",
			   listener_text(loop->listener, text));
}

static int check_endpoints(struct conflict *conflict, const struct tree_node *listener)
{
	_cleanup_(fields_items_fini) struct node_list groups = {}, ports = {};

	if (fields_items(listener, LISTENER_GROUPS, &groups) < 0 ||
	    fields_ports(listener, LISTENER_PORT, &ports) < 0)
		return -ENOMEM;
	vec_foreach(group, &groups.nodes) {
		_cleanup_(fields_items_fini) struct node_list endpoints = {};

		if (fields_items(*group, GROUP_ENDPOINTS, &endpoints) < 0)
			return -ENOMEM;
		vec_foreach(endpoint, &endpoints.nodes)
			check_endpoint(conflict, listener, &ports, *endpoint);
	}
	return 0;
}

/* Endpoints have the listeners' addresses as their own: they drop what comes from there. */
static void check_tunnel_source(struct conflict *conflict, const struct tree_node *map, unsigned id)
{
	const struct tree_node *list = fields_get(map, id);

	if (!list)
		return;
	vec_foreach(item, &list->items) {
		const struct addr_prefix *prefix = &(*item)->value.prefix;
		size_t low = 0, high = conflict->addresses.count;
		char text[ADDR_TEXT_MAX];

		/* The first address that is not smaller, if any, is in the prefix. */
		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (addr_compare(&conflict->addresses.items[middle], &prefix->addr) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		if (((*item)->flags & TREE_GOOD) && low < conflict->addresses.count &&
		    addr_prefix_has(prefix, &conflict->addresses.items[low]))
			tree_error(conflict->report, *item,
				   "the endpoints have %s themselves, as it is a listener's, and "
				   "take nothing from it; name another tunnel_source",
				   addr_print(&conflict->addresses.items[low], text));
	}
}

static int compare_nodes(const void *left, const void *right)
{
	const struct tree_node *a = *(struct tree_node *const *)left;
	const struct tree_node *b = *(struct tree_node *const *)right;

	return addr_compare(&a->value.addr, &b->value.addr);
}

/* Listeners may share snat addresses, so the different ones count. */
static int count_snat(struct report *report, const struct tree_node *root,
		      const struct node_list *listeners)
{
	_cleanup_(fields_items_fini) struct node_list snat = {};
	struct tree_node **nodes, *last;
	size_t different = 1;

	if (fields_items(root, ROOT_SNAT, &snat) < 0)
		return -ENOMEM;
	vec_foreach(listener, &listeners->nodes)
		if (fields_items(*listener, LISTENER_SNAT, &snat) < 0)
			return -ENOMEM;
	if (snat.nodes.count <= SNAT_MAX)
		return 0;
	nodes = snat.nodes.items;
	last = nodes[snat.nodes.count - 1];
	qsort(nodes, snat.nodes.count, sizeof(*nodes), compare_nodes);
	for (size_t i = 1; i < snat.nodes.count; i++)
		different += compare_nodes(&nodes[i - 1], &nodes[i]) != 0;
	if (different > SNAT_MAX)
		tree_error(report, last,
			   "the file has %zu snat addresses; the data plane holds at most %u",
			   different, SNAT_MAX);
	return 0;
}

static int check_all(struct conflict *conflict, struct tree_node *root)
{
	struct count keys = { .limit = KEYS_MAX }, endpoints = { .limit = ENDPOINTS_MAX };

	if (fields_items(root, ROOT_LISTENERS, &conflict->listeners) < 0)
		return -ENOMEM;
	vec_foreach(listener, &conflict->listeners.nodes) {
		count_endpoints(*listener, &endpoints);
		if (add_listener(conflict, *listener, &keys) < 0)
			return -ENOMEM;
	}
	count_report(conflict->report, &endpoints, "endpoints");
	count_report(conflict->report, &keys,
		     "keys (addresses x ports + addresses; a range counts once)");
	sort_claims(conflict);
	check_shared(conflict);
	check_tunnel_source(conflict, root, ROOT_TUNNEL_SOURCE);
	vec_foreach(listener, &conflict->listeners.nodes) {
		check_tunnel_source(conflict, *listener, LISTENER_TUNNEL_SOURCE);
		if (check_endpoints(conflict, *listener) < 0)
			return -ENOMEM;
	}
	return count_snat(conflict->report, root, &conflict->listeners);
}

void conflict_check(struct report *report, struct tree_node *root)
{
	_cleanup_(conflict_fini) struct conflict conflict = { .report = report };

	if (check_all(&conflict, root) < 0)
		report->error = -ENOMEM;
}
