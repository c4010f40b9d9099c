// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/http_check.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "config/fields.h"
#include "config/limits.h"

/* Keys of a mapping that a listener of protocol tcp or udp has nothing to do with. */
static void refuse_keys(struct report *report, const struct tree_node *map)
{
	vec_foreach(item, &map->items)
		if ((*item)->flags & TREE_GOOD && (*item)->schema->flags & SCHEMA_HTTP)
			tree_error_at_key(report, *item,
					  "%s is for listeners of protocol http and https",
					  (*item)->schema->name);
}

static void check_plain(struct report *report, const struct tree_node *listener)
{
	_cleanup_(fields_items_fini) struct node_list groups = {};

	refuse_keys(report, listener);
	if (fields_items(listener, LISTENER_GROUPS, &groups) < 0)
		report->error = -ENOMEM;
	vec_foreach(group, &groups.nodes) {
		_cleanup_(fields_items_fini) struct node_list endpoints = {};

		refuse_keys(report, *group);
		if (fields_number(*group, GROUP_TYPE))
			tree_error(report, fields_get(*group, GROUP_TYPE),
				   "virtual groups are for listeners of protocol http and https");
		if (fields_items(*group, GROUP_ENDPOINTS, &endpoints) < 0)
			report->error = -ENOMEM;
		vec_foreach(endpoint, &endpoints.nodes)
			refuse_keys(report, *endpoint);
	}
}

/* A proxy has one way to its endpoints: a connection of its own. */
static void check_mode(struct report *report, const struct tree_node *map, unsigned id)
{
	struct tree_node *mode = fields_get(map, id);

	if (mode && mode->value.number != WEIR_MODE_NAT)
		tree_error(
			report, mode,
			"mode %s is for tcp and udp: requests go to endpoints over connections of "
			"weir's own; leave it out",
			mode->text);
}

static void check_one_port(struct report *report, const struct tree_node *listener)
{
	_cleanup_(fields_items_fini) struct node_list ports = {};
	struct tree_node *port = NULL;

	if (fields_ports(listener, LISTENER_PORT, &ports) < 0)
		report->error = -ENOMEM;
	if (ports.nodes.count > 1)
		port = ports.nodes.items[1];
	else if (ports.nodes.count &&
		 ports.nodes.items[0]->value.ports.first != ports.nodes.items[0]->value.ports.last)
		port = ports.nodes.items[0];
	if (port)
		tree_error(
			report, port,
			"a listener of protocol %s has exactly one port; make a listener for each",
			fields_text(listener, LISTENER_PROTOCOL));
}

static void check_tls(struct report *report, struct tree_node *listener)
{
	bool https = fields_number(listener, LISTENER_PROTOCOL) == SCHEMA_PROTOCOL_HTTPS;
	struct tree_node *tls = fields_get(listener, LISTENER_TLS);

	if (tls && !https)
		tree_error_at_key(report, tls, "tls is for protocol https; this listener is http");
	if (!tls && https && fields_known(listener, LISTENER_TLS) && !(listener->flags & TREE_OPEN))
		tree_error(
			report, listener,
			"missing key 'tls': protocol https needs { certificate: FILE, key: FILE }");
}

/* What of a rule the kernel does not look at, or NULL. */
static struct tree_node *find_deep_condition(const struct tree_node *listener)
{
	static const unsigned deep[] = { RULE_HEADER, RULE_QUERY, RULE_METHOD, RULE_COOKIE,
					 RULE_SOURCE_IP };
	const struct tree_node *rules = fields_get(listener, LISTENER_RULES);

	for (size_t i = 0; rules && i < rules->items.count; i++) {
		for (size_t k = 0; k < sizeof(deep) / sizeof(deep[0]); k++) {
			const struct tree_node *rule = rules->items.items[i];
			struct tree_node *condition =
				rule->flags & TREE_GOOD ? fields_get(rule, deep[k]) : NULL;

			if (condition)
				return condition;
		}
	}
	return NULL;
}

/* Requests that the kernel routes are seen by no worker: bpf/README.md. */
static void check_kernel_routing(struct report *report, const struct tree_node *root,
				 const struct tree_node *listener)
{
	struct tree_node *asked = fields_get(listener, LISTENER_KERNEL_ROUTING), *condition;

	if (!asked || !fields_number(listener, LISTENER_KERNEL_ROUTING))
		return;
	condition = find_deep_condition(listener);
	if (fields_get(root, ROOT_ACCESS_LOG))
		tree_error(report, asked,
			   "requests that the kernel routes would be missing in the access log; "
			   "leave out kernel_routing or access_log");
	else if (fields_number(listener, LISTENER_CLIENT_AFFINITY))
		tree_error(report, asked,
			   "the kernel routes requests of all clients alike; leave out "
			   "kernel_routing or client_affinity");
	else if (fields_get(listener, LISTENER_X_FORWARDED))
		tree_error(report, asked,
			   "the kernel adds no fields to the requests that it routes; leave out "
			   "kernel_routing or x_forwarded");
	else if (condition)
		tree_warning(report, condition,
			     "the kernel routes no requests of this listener: it sees their host "
			     "and path alone, and this rule asks for more");
	else
		tree_warning(report, asked,
			     "requests that the kernel routes come to endpoints without "
			     "X-Forwarded-For: they see this host's address alone");
}

/* A virtual group that no rule forwards to is of no use. Afterwards of http_check_rules(). */
static void check_targets(struct report *report, const struct tree_node *listener,
			  const struct tree_node *groups)
{
	const struct tree_node *rules = fields_get(listener, LISTENER_RULES);
	_cleanup_(freep) bool *is_target = calloc(groups->items.count + 1, sizeof(*is_target));

	if (!is_target) {
		report->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; rules && i < rules->items.count; i++) {
		const struct tree_node *rule = rules->items.items[i], *forward;

		if (!(rule->flags & TREE_GOOD) || !fields_known(rule, RULE_FORWARD))
			return; /* it may be this one's */
		forward = fields_get(rule, RULE_FORWARD);
		if (forward && forward->value.number >= 0)
			is_target[forward->value.number] = true;
	}
	vec_foreach(group, &groups->items) {
		bool good = (*group)->flags & TREE_GOOD;
		struct tree_node *name = good ? fields_get(*group, GROUP_NAME) : NULL;

		if (name && fields_number(*group, GROUP_TYPE) && !is_target[(*group)->index])
			tree_warning(
				report, name,
				"no rule forwards to virtual group '%s', so it gets no requests",
				name->text);
	}
}

static void check_groups(struct report *report, const struct tree_node *listener)
{
	struct tree_node *list = fields_get(listener, LISTENER_GROUPS);
	bool any_default = false;

	if (!list || !list->items.count)
		return;
	vec_foreach(group, &list->items) {
		_cleanup_(fields_items_fini) struct node_list endpoints = {};

		any_default |= !((*group)->flags & TREE_GOOD) || !fields_number(*group, GROUP_TYPE);
		if (!((*group)->flags & TREE_GOOD))
			continue;
		if (fields_items(*group, GROUP_ENDPOINTS, &endpoints) < 0)
			report->error = -ENOMEM;
		vec_foreach(endpoint, &endpoints.nodes)
			check_mode(report, *endpoint, ENDPOINT_MODE);
	}
	if (!any_default)
		tree_error(report, list,
			   "a listener needs a default group, for requests that no rule is about");
	if (fields_known(listener, LISTENER_RULES))
		check_targets(report, listener, list);
}

static void check_http(struct report *report, const struct tree_node *root,
		       struct tree_node *listener, enum http_rule_order order)
{
	struct tree_node *protocol = fields_get(listener, LISTENER_PROTOCOL);

	if (!strcmp(protocol->text, "https"))
		tree_warning(report, protocol,
			     "this version does not serve https yet: weir run and weir apply "
			     "refuse the file");
	check_one_port(report, listener);
	check_mode(report, listener, LISTENER_MODE);
	check_tls(report, listener);
	check_kernel_routing(report, root, listener);
	if (fields_get(listener, LISTENER_RULE_ORDER))
		order = fields_number(listener, LISTENER_RULE_ORDER);
	http_check_rules(report, listener, order);
	check_groups(report, listener);
}

void http_check(struct report *report, struct tree_node *root)
{
	_cleanup_(fields_items_fini) struct node_list listeners = {};
	struct limits limits;

	if (limits_read(root, &limits) < 0 || fields_items(root, ROOT_LISTENERS, &listeners) < 0)
		report->error = -ENOMEM;
	vec_foreach(listener, &listeners.nodes) {
		if (!fields_get(*listener, LISTENER_PROTOCOL))
			continue;
		if (fields_is_http(*listener))
			check_http(report, root, *listener, limits.range[LIMIT_RULE_ORDER].max);
		else
			check_plain(report, *listener);
	}
	limits_fini(&limits);
}
