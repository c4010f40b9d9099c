// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "config/fields.h"
#include "config/twice.h"
#include "util/str.h"

/* The names (key `name_id`) of the items of a list. */
void check_names(struct report *report, const struct tree_node *map, unsigned list_id,
		 unsigned name_id, const char *what)
{
	_cleanup_(twice_fini) struct twice entries = {};
	const struct tree_node *list = fields_get(map, list_id);

	if (!list)
		return;
	vec_foreach(item, &list->items) {
		struct tree_node *name = NULL;

		if ((*item)->flags & TREE_GOOD)
			name = fields_get(*item, name_id);
		if (name)
			twice_add(report, &entries,
				  (struct twice_entry){ .text = name->text, .node = name });
	}
	twice_report(report, &entries, what);
}

/* A list of addresses, or of texts. */
void check_items(struct report *report, const struct tree_node *map, unsigned list_id,
		 const char *what)
{
	_cleanup_(twice_fini) struct twice entries = {};
	const struct tree_node *list = fields_get(map, list_id);

	if (!list)
		return;
	vec_foreach(item, &list->items) {
		bool address = (*item)->schema && (*item)->schema->type == SCHEMA_ADDRESS;
		struct twice_entry entry = {
			.text = address ? NULL : (*item)->text,
			.addr = (*item)->value.addr,
			.node = *item,
		};

		if ((*item)->flags & TREE_GOOD)
			twice_add(report, &entries, entry);
	}
	twice_report(report, &entries, what);
}

static int compare_ports(const void *left, const void *right)
{
	const struct tree_node *a = *(struct tree_node *const *)left;
	const struct tree_node *b = *(struct tree_node *const *)right;

	if (a->value.ports.first != b->value.ports.first)
		return a->value.ports.first - b->value.ports.first;
	return a->span.offset < b->span.offset ? -1 : 1;
}

static void check_ports(struct report *report, struct node_list *ports)
{
	struct tree_node *widest = NULL;

	if (ports->nodes.count)
		qsort(ports->nodes.items, ports->nodes.count, sizeof(struct tree_node *),
		      compare_ports);
	vec_foreach(item, &ports->nodes) {
		struct tree_node *port = *item;

		if (widest && port->value.ports.first <= widest->value.ports.last) {
			bool later = port->span.offset > widest->span.offset;

			tree_error(report, later ? port : widest,
				   "port %u is given twice in this listener",
				   port->value.ports.first);
		}
		if (!widest || port->value.ports.last > widest->value.ports.last)
			widest = port;
	}
}

/* What the endpoints of a listener are checked against. */
struct context {
	struct report *report;
	struct tree_node *listener;
	bool ports_known;
	uint16_t only_port; /* 0: there are several, or not all are known */
};

/* Is there an endpoint whose mode keeps no records? Unknown modes are none. */
static bool is_stateless(const struct tree_node *listener, const struct node_list *groups)
{
	vec_foreach(group, &groups->nodes) {
		const struct tree_node *endpoints = fields_get(*group, GROUP_ENDPOINTS);

		if (!endpoints)
			continue;
		vec_foreach(endpoint, &endpoints->items)
			if (((*endpoint)->flags & TREE_GOOD) &&
			    !(fields_modes(listener, *endpoint) & FIELDS_NAT))
				return true;
	}
	return false;
}

/* Without records no packet is known to be a flow's first, but for a SYN. */
static void check_limit(struct report *report, const struct tree_node *listener,
			const struct node_list *groups)
{
	struct tree_node *limit = fields_get(listener, LISTENER_NEW_FLOWS_PER_SOURCE);

	if (limit && fields_transport(listener) == IPPROTO_UDP && is_stateless(listener, groups))
		tree_error(report, limit,
			   "new_flows_per_source cannot be kept here: UDP has no first packet, and "
			   "only mode nat has records to tell by; use mode: nat, or leave it out");
}

/* But for nat the packet arrives as the client sent it, so its port cannot change. */
static void check_port(const struct context *context, const struct tree_node *endpoint)
{
	unsigned modes = fields_modes(context->listener, endpoint);
	struct tree_node *port = fields_port(endpoint);
	const char *mode;

	if ((modes & FIELDS_NAT) || !context->ports_known || !port || (port->flags & TREE_CLASHES))
		return;
	port->flags |= TREE_CLASHES;
	mode = model_mode_name(__builtin_ctz(modes));
	if (!context->only_port)
		tree_error(context->report, port,
			   "with mode %s the endpoint gets the listener's port; leave the port "
			   "out",
			   mode);
	else if (port->value.number != context->only_port)
		tree_error(context->report, port,
			   "with mode %s the endpoint gets the listener's port %u; leave the port "
			   "out",
			   mode, context->only_port);
}

static bool same_family(const struct addr *a, const struct addr *b)
{
	return addr_family(a) == addr_family(b);
}

static bool has_family(const struct node_list *addresses, const struct addr *addr)
{
	vec_foreach(item, &addresses->nodes)
		if (same_family(&(*item)->value.addr, addr))
			return true;
	return false;
}

/*
 * Does an endpoint, whose address is the node, take clients of the other family, too? In a tunnel
 * always; with nat if the listener has none for them.
 */
static bool serves_others(const struct tree_node *listener, const struct tree_node *endpoint,
			  bool have_own)
{
	unsigned modes = fields_modes(listener, endpoint->parent);

	return modes & (have_own ? FIELDS_TUNNELS : ~FIELDS_DSR);
}

static const char *family_name(const struct addr *addr)
{
	return addr_family(addr) == AF_INET ? "IPv4" : "IPv6";
}

/* `endpoints`: the addresses of all endpoints, if all are known. */
static void check_families(struct report *report, const struct tree_node *listener,
			   const struct node_list *endpoints)
{
	_cleanup_(fields_items_fini) struct node_list addresses = {};
	const struct tree_node *list = fields_get(listener, LISTENER_ADDRESS);
	bool any = false, have_own = false;

	if (fields_items(listener, LISTENER_ADDRESS, &addresses) < 0) {
		report->error = -ENOMEM;
		return;
	}
	vec_foreach(endpoint, &endpoints->nodes)
		any |= serves_others(listener, *endpoint, false);
	vec_foreach(address, &addresses.nodes)
		if (!any && !has_family(endpoints, &(*address)->value.addr))
			tree_error(report, *address, "%s is %s, but no endpoint is",
				   (*address)->text, family_name(&(*address)->value.addr));
	if (!list || list->items.count != addresses.nodes.count)
		return;
	vec_foreach(endpoint, &endpoints->nodes)
		have_own |= has_family(&addresses, &(*endpoint)->value.addr);
	vec_foreach(endpoint, &endpoints->nodes)
		if (!serves_others(listener, *endpoint, have_own) &&
		    !has_family(&addresses, &(*endpoint)->value.addr))
			tree_warning(report, *endpoint,
				     "this endpoint gets no traffic: it is %s, but no address of "
				     "the listener is",
				     family_name(&(*endpoint)->value.addr));
}

static bool all_weights_zero(const struct tree_node *endpoints)
{
	vec_foreach(endpoint, &endpoints->items)
		if (!((*endpoint)->flags & TREE_GOOD) ||
		    !fields_known(*endpoint, ENDPOINT_WEIGHT) ||
		    fields_number(*endpoint, ENDPOINT_WEIGHT))
			return false;
	return endpoints->items.count;
}

/* The type says what the address is; the name that a domain gives its endpoint must be one. */
static void check_type(struct report *report, const struct tree_node *endpoint,
		       struct tree_node *address)
{
	const struct tree_node *type = fields_get(endpoint, ENDPOINT_TYPE);
	bool domain = fields_is_domain(address);
	uint8_t wanted = fields_type(endpoint);

	if (domain != (wanted >= TYPE_CUSTOM_DOMAIN))
		tree_error(report, address, "address '%s' is %s, but the type is %s", address->text,
			   domain ? "a name" : "an IP address", type->text);
	else if (wanted > TYPE_CUSTOM_DOMAIN && strchr(address->text, '.'))
		tree_error(report, address,
			   "address '%s' is a name in DNS, but the type is %s; write the id of the "
			   "instance",
			   address->text, type->text);
	else if (domain && strlen(address->text) + sizeof(":65535") > WEIR_NAME_MAX &&
		 !fields_get(endpoint, ENDPOINT_NAME))
		tree_error(report, address,
			   "the address is too long to be the endpoint's name; give it one, with "
			   "name:");
}

static void check_endpoint(const struct context *context, struct tree_node *endpoint,
			   struct node_list *addresses, struct twice *entries)
{
	struct tree_node *address = fields_get(endpoint, ENDPOINT_ADDRESS);
	const struct tree_node *port = fields_port(endpoint);
	bool domain = address && fields_is_domain(address);

	check_port(context, endpoint);
	if (!address)
		return;
	check_type(context->report, endpoint, address);
	if (!domain && addr_is_link_local(&address->value.addr))
		tree_error(context->report, address,
			   "address '%s' is link-local: it does not say on which interface; name "
			   "another one of the endpoint",
			   address->text);
	if (!domain && vec_push(&addresses->nodes, address) < 0)
		context->report->error = -ENOMEM;
	if (fields_port_known(endpoint))
		twice_add(context->report, entries,
			  (struct twice_entry){
				  .text = domain ? address->text : NULL,
				  .addr = address->value.addr,
				  .port = port ? port->value.number : context->only_port,
				  .node = endpoint,
			  });
}

/* Returns how many endpoints there are, or one more than are known. */
static size_t check_group(const struct context *context, const struct tree_node *group,
			  struct node_list *addresses, struct twice *entries)
{
	struct tree_node *endpoints = fields_get(group, GROUP_ENDPOINTS);

	if (!endpoints)
		return 1;
	vec_foreach(endpoint, &endpoints->items)
		if ((*endpoint)->flags & TREE_GOOD)
			check_endpoint(context, *endpoint, addresses, entries);
	check_names(context->report, group, GROUP_ENDPOINTS, ENDPOINT_NAME, "endpoint name");
	if (all_weights_zero(endpoints))
		tree_warning(context->report, endpoints,
			     "no endpoint has a weight above 0, so the group takes no new flows");
	return endpoints->items.count;
}

/* An endpoint is in one place, and so in one default group. */
static void check_groups(const struct context *context, const struct node_list *groups)
{
	_cleanup_(fields_items_fini) struct node_list addresses = {};
	_cleanup_(twice_fini) struct twice entries = {};
	const struct tree_node *list = fields_get(context->listener, LISTENER_GROUPS);
	bool all = list && list->items.count == groups->nodes.count;
	size_t count = 0;

	vec_foreach(group, &groups->nodes) {
		_cleanup_(twice_fini) struct twice own = {};
		bool is_virtual = fields_number(*group, GROUP_TYPE);

		count += check_group(context, *group, &addresses, is_virtual ? &own : &entries);
		twice_report(context->report, &own, "endpoint");
	}
	twice_report(context->report, &entries, "endpoint");
	/* A proxy's connections to endpoints are its own. */
	if (fields_is_http(context->listener))
		return;
	if (all && addresses.nodes.count && addresses.nodes.count == count)
		check_families(context->report, context->listener, &addresses);
}

static struct context listener_context(struct report *report, struct tree_node *listener,
				       const struct node_list *ports)
{
	const struct tree_node *list = fields_get(listener, LISTENER_PORT);
	struct context context = {
		.report = report,
		.listener = listener,
		.ports_known = list && !(list->flags & TREE_TAINTED),
	};
	const struct port_range *first;

	if (!context.ports_known || ports->nodes.count != 1)
		return context;
	first = &ports->nodes.items[0]->value.ports;
	if (first->first == first->last)
		context.only_port = first->first;
	return context;
}

/* What has an effect with some modes only, though no endpoint has one of them. */
static void check_effects(struct report *report, const struct tree_node *listener,
			  const struct node_list *groups)
{
	static const struct {
		unsigned id;
		unsigned modes;
		const char *text;
	} effects[] = {
		{ LISTENER_SNAT, FIELDS_NAT, "snat has no effect: no endpoint has mode nat" },
		{ LISTENER_TUNNEL_SOURCE, FIELDS_TUNNELS,
		  "tunnel_source has no effect: no endpoint has mode ipip or gue" },
		{ LISTENER_GUE_PORT, FIELDS_GUE,
		  "gue_port has no effect: no endpoint has mode gue" },
	};
	unsigned modes = 0;

	vec_foreach(group, &groups->nodes) {
		const struct tree_node *endpoints = fields_get(*group, GROUP_ENDPOINTS);

		if (!endpoints)
			return;
		vec_foreach(endpoint, &endpoints->items) {
			if (!((*endpoint)->flags & TREE_GOOD))
				return;
			modes |= fields_modes(listener, *endpoint);
		}
	}
	for (size_t i = 0; modes && i < sizeof(effects) / sizeof(effects[0]); i++) {
		struct tree_node *key = fields_get(listener, effects[i].id);

		if (key && !(modes & effects[i].modes))
			tree_warning(report, key, "%s", effects[i].text);
	}
}

/* Endpoints of a family have one place to be sent to from. */
static void check_tunnel_source(struct report *report, const struct tree_node *map, unsigned id)
{
	const struct tree_node *list = fields_get(map, id);
	const struct tree_node *seen[2] = {};

	if (!list)
		return;
	vec_foreach(item, &list->items) {
		const struct addr *addr = &(*item)->value.prefix.addr;
		const struct tree_node **first = &seen[addr_family(addr) == AF_INET6];

		if (!((*item)->flags & TREE_GOOD))
			continue;
		if (*first)
			tree_error(report, *item,
				   "tunnel_source has %s already, '%s'; it takes one per family, "
				   "a prefix where they are many",
				   family_name(addr), (*first)->text);
		else
			*first = *item;
	}
}

/* What says how to ask for something that is not asked. */
static void check_health(struct report *report, const struct node_list *groups)
{
	static const struct {
		unsigned id;
		enum health_protocol from;
	} keys[] = {
		{ HEALTH_CHECK_PATH, HEALTH_HTTP },	    { HEALTH_CHECK_HOST, HEALTH_HTTP },
		{ HEALTH_CHECK_VERIFY, HEALTH_HTTPS },	    { HEALTH_CHECK_CA_FILE, HEALTH_HTTPS },
		{ HEALTH_CHECK_SERVER_NAME, HEALTH_HTTPS },
	};

	vec_foreach(group, &groups->nodes) {
		const struct tree_node *check = fields_get(*group, GROUP_HEALTH_CHECK);
		struct tree_node *ca_file;
		enum health_protocol protocol;

		if (!check || !fields_known(check, HEALTH_CHECK_PROTOCOL))
			continue;
		protocol = fields_number(check, HEALTH_CHECK_PROTOCOL);
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			struct tree_node *key = fields_get(check, keys[i].id);

			if (key && protocol < keys[i].from)
				tree_warning(report, key,
					     "%s has no effect: the check's protocol is %s",
					     key->schema->name, model_health_name(protocol));
		}
		ca_file = fields_get(check, HEALTH_CHECK_CA_FILE);
		if (ca_file && protocol == HEALTH_HTTPS &&
		    !fields_number(check, HEALTH_CHECK_VERIFY))
			tree_warning(report, ca_file, "ca_file has no effect: verify is false");
	}
}

static void check_listener(struct report *report, struct tree_node *listener)
{
	_cleanup_(fields_items_fini) struct node_list ports = {}, groups = {};
	struct context context;

	if (fields_ports(listener, LISTENER_PORT, &ports) < 0 ||
	    fields_items(listener, LISTENER_GROUPS, &groups) < 0) {
		report->error = -ENOMEM;
		return;
	}
	context = listener_context(report, listener, &ports);
	check_ports(report, &ports);
	check_limit(report, listener, &groups);
	check_items(report, listener, LISTENER_ADDRESS, "address");
	check_items(report, listener, LISTENER_SNAT, "snat address");
	check_names(report, listener, LISTENER_GROUPS, GROUP_NAME, "endpoint group name");
	check_tunnel_source(report, listener, LISTENER_TUNNEL_SOURCE);
	check_effects(report, listener, &groups);
	check_health(report, &groups);
	check_groups(&context, &groups);
}

void check_tree(struct report *report, struct tree_node *root)
{
	_cleanup_(fields_items_fini) struct node_list listeners = {};

	check_items(report, root, ROOT_INTERFACES, "interface");
	check_items(report, root, ROOT_SNAT, "snat address");
	check_items(report, root, ROOT_NAMESERVERS, "nameserver");
	check_tunnel_source(report, root, ROOT_TUNNEL_SOURCE);
	check_names(report, root, ROOT_ACLS, ACL_NAME, "acl name");
	check_names(report, root, ROOT_LISTENERS, LISTENER_NAME, "listener name");
	if (fields_items(root, ROOT_LISTENERS, &listeners) < 0) {
		report->error = -ENOMEM;
		return;
	}
	vec_foreach(listener, &listeners.nodes)
		check_listener(report, *listener);
}
