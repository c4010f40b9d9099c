// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/build.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "config/fields.h"
#include "config/inventory.h"
#include "config/limits.h"
#include "config/regions.h"

/* Names have been measured by the schema; the default name of an endpoint is shorter. */
static void copy_name(char ret[WEIR_NAME_MAX], const char *name)
{
	memccpy(ret, name, '\0', WEIR_NAME_MAX);
}

static int compare_ranges(const void *left, const void *right)
{
	const struct port_range *a = left, *b = right;

	return a->first - b->first;
}

static int build_ports(const struct tree_node *map, struct listener *ret)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_ports(map, LISTENER_PORT, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes)
		if (vec_push(&ret->ports, (*node)->value.ports) < 0)
			return -ENOMEM;
	if (ret->ports.count)
		qsort(ret->ports.items, ret->ports.count, sizeof(struct port_range),
		      compare_ranges);
	return 0;
}

static int build_tunnel_source(const struct tree_node *map, unsigned id, struct tunnel_source *ret)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(map, id, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes)
		if (vec_push(&ret->list, (*node)->value.prefix) < 0)
			return -ENOMEM;
	return 0;
}

static int build_addresses(const struct tree_node *map, struct listener *ret)
{
	_cleanup_(fields_items_fini) struct node_list addresses = {}, snat = {};

	if (fields_items(map, LISTENER_ADDRESS, &addresses) < 0 ||
	    fields_items(map, LISTENER_SNAT, &snat) < 0)
		return -ENOMEM;
	vec_foreach(node, &addresses.nodes)
		if (vec_push(&ret->addresses, (*node)->value.addr) < 0)
			return -ENOMEM;
	vec_foreach(node, &snat.nodes)
		if (vec_push(&ret->snat, (*node)->value.addr) < 0)
			return -ENOMEM;
	return 0;
}

/* access_check() has found out which acls the names mean. */
static int build_access(const struct tree_node *map, struct listener *ret)
{
	bool allow = fields_get(map, LISTENER_ALLOW), deny = fields_get(map, LISTENER_DENY);
	_cleanup_(fields_items_fini) struct node_list names = {};

	ret->access = allow ? WEIR_ACCESS_ALLOW : deny ? WEIR_ACCESS_DENY : WEIR_ACCESS_ALL;
	ret->allow_nobody = allow && fields_number(map, LISTENER_ALLOW_NOBODY);
	if (fields_items(map, allow ? LISTENER_ALLOW : LISTENER_DENY, &names) < 0)
		return -ENOMEM;
	vec_foreach(name, &names.nodes)
		if (vec_push(&ret->acls, (*name)->value.number) < 0)
			return -ENOMEM;
	return 0;
}

static int build_endpoint(const struct tree_node *map, const struct tree_node *group,
			  const struct listener *listener, struct endpoint_group *ret)
{
	const struct tree_node *address = fields_get(map, ENDPOINT_ADDRESS);
	bool own_mode = fields_get(map, ENDPOINT_MODE);
	struct endpoint endpoint = {
		.address = address->value.addr,
		.type = fields_type(map),
		.port = fields_number(map, ENDPOINT_PORT)
				?: fields_number(group, GROUP_PORT_OVERRIDE),
		.weight = fields_number(map, ENDPOINT_WEIGHT),
		.mode = own_mode ? fields_number(map, ENDPOINT_MODE) : listener->mode,
		.proxy_protocol = fields_number(map, ENDPOINT_PROXY_PROTOCOL),
		.max_connections = fields_number(map, ENDPOINT_MAX_CONNECTIONS),
	};
	char host[MODEL_HOST_MAX];

	if (fields_is_domain(address)) {
		endpoint.domain = strdup(address->text);
		if (!endpoint.domain)
			return -ENOMEM;
	}
	if (fields_get(map, ENDPOINT_NAME))
		copy_name(endpoint.name, fields_text(map, ENDPOINT_NAME));
	else
		copy_name(endpoint.name, model_endpoint_host(&endpoint, host));
	if (vec_push(&ret->endpoints, endpoint) < 0) {
		free(endpoint.domain);
		return -ENOMEM;
	}
	return 0;
}

/* The text of a key, or what stands for an absent one; NULL: nothing does. */
static int build_text(const struct tree_node *map, unsigned id, const char *absent, char **ret)
{
	const struct tree_node *node = fields_get(map, id);
	const char *text = node ? node->text : absent;

	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static int build_health_check(const struct tree_node *map, struct endpoint_group *ret)
{
	struct health_check *check;

	if (!map)
		return 0;
	check = ret->health_check = malloc(sizeof(*check));
	if (!check)
		return -ENOMEM;
	*check = (struct health_check){
		.protocol = fields_number(map, HEALTH_CHECK_PROTOCOL),
		.threshold = fields_number(map, HEALTH_CHECK_THRESHOLD),
		.port = fields_number(map, HEALTH_CHECK_PORT),
		.interval = fields_number(map, HEALTH_CHECK_INTERVAL),
		.timeout = fields_number(map, HEALTH_CHECK_TIMEOUT),
	};
	if (check->protocol == HEALTH_TCP)
		return 0;
	if (build_text(map, HEALTH_CHECK_PATH, "/", &check->path) < 0 ||
	    build_text(map, HEALTH_CHECK_HOST, NULL, &check->host) < 0)
		return -ENOMEM;
	if (check->protocol == HEALTH_HTTP)
		return 0;
	check->verify = fields_number(map, HEALTH_CHECK_VERIFY);
	if (build_text(map, HEALTH_CHECK_SERVER_NAME, NULL, &check->server_name) < 0)
		return -ENOMEM;
	return check->verify ? build_text(map, HEALTH_CHECK_CA_FILE, NULL, &check->ca_file) : 0;
}

static struct passive_health passive_health_of(const struct tree_node *map)
{
	if (!map)
		return (struct passive_health){};
	return (struct passive_health){
		.failures = fields_number(map, PASSIVE_HEALTH_FAILURES),
		.duration = fields_number(map, PASSIVE_HEALTH_DURATION),
		.server_errors = fields_number(map, PASSIVE_HEALTH_SERVER_ERRORS),
	};
}

static int build_group(const struct tree_node *map, const struct model *model,
		       const struct listener *listener, struct endpoint_group *ret)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};
	const struct tree_node *region = fields_get(map, GROUP_REGION);

	copy_name(ret->name, fields_text(map, GROUP_NAME));
	copy_name(ret->region, region ? region->text : model->node_region);
	ret->is_virtual = fields_number(map, GROUP_TYPE);
	ret->backend_https = fields_number(map, GROUP_BACKEND_PROTOCOL);
	ret->traffic_percentage = fields_number(map, GROUP_TRAFFIC_PERCENTAGE);
	ret->passive_health = passive_health_of(fields_get(map, GROUP_PASSIVE_HEALTH));
	ret->slow_start = fields_number(map, GROUP_SLOW_START);
	if (build_health_check(fields_get(map, GROUP_HEALTH_CHECK), ret) < 0 ||
	    fields_items(map, GROUP_ENDPOINTS, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes)
		if (build_endpoint(*node, map, listener, ret) < 0)
			return -ENOMEM;
	return 0;
}

static int build_groups(const struct tree_node *map, const struct model *model,
			struct listener *ret)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(map, LISTENER_GROUPS, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes) {
		/* Pushed empty, so that the model owns whatever is built of it. */
		if (vec_push(&ret->groups, (struct endpoint_group){}) < 0)
			return -ENOMEM;
		if (build_group(*node, model, ret, &ret->groups.items[ret->groups.count - 1]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* One that is not given keeps to the limits, too. */
static uint32_t idle_timeout(const struct tree_node *map, const struct model *model)
{
	enum limit limit = limits_of_idle(fields_number(map, LISTENER_PROTOCOL));
	const struct limit_range *range = &model->limits.range[limit];
	uint32_t fallback = limit == LIMIT_IDLE_UDP   ? SCHEMA_IDLE_UDP
			    : limit == LIMIT_IDLE_TCP ? SCHEMA_IDLE_TCP
						      : SCHEMA_IDLE_HTTP;

	if (fields_get(map, LISTENER_IDLE_TIMEOUT))
		return fields_number(map, LISTENER_IDLE_TIMEOUT) / 1000;
	return fallback < range->min ? range->min : fallback > range->max ? range->max : fallback;
}

static int build_listener(const struct tree_node *map, const struct model *model,
			  struct listener *ret)
{
	copy_name(ret->name, fields_text(map, LISTENER_NAME));
	ret->protocol = fields_transport(map);
	ret->mode = fields_number(map, LISTENER_MODE);
	ret->vip_route = fields_number(map, LISTENER_VIP);
	ret->client_affinity = fields_number(map, LISTENER_CLIENT_AFFINITY);
	ret->idle_timeout = idle_timeout(map, model);
	ret->gue_port = fields_number(map, LISTENER_GUE_PORT);
	ret->fail_open = fields_number(map, LISTENER_FAIL_OPEN);
	if (fields_get(map, LISTENER_NEW_FLOWS_PER_SOURCE))
		ret->new_flows_per_source =
			fields_get(map, LISTENER_NEW_FLOWS_PER_SOURCE)->value.rate;
	if (build_addresses(map, ret) < 0 || build_ports(map, ret) < 0 ||
	    build_tunnel_source(map, LISTENER_TUNNEL_SOURCE, &ret->tunnel_source) < 0 ||
	    build_access(map, ret) < 0 || http_build(map, model, &ret->http) < 0)
		return -ENOMEM;
	return build_groups(map, model, ret);
}

static int build_acl(const struct tree_node *map, struct acl *ret)
{
	_cleanup_(fields_items_fini) struct node_list prefixes = {};

	copy_name(ret->name, fields_text(map, ACL_NAME));
	if (fields_items(map, ACL_PREFIXES, &prefixes) < 0)
		return -ENOMEM;
	vec_foreach(node, &prefixes.nodes)
		if (vec_push(&ret->prefixes, (*node)->value.prefix) < 0)
			return -ENOMEM;
	return 0;
}

static int build_acls(const struct tree_node *root, struct model *model)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(root, ROOT_ACLS, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes) {
		if (vec_push(&model->acls, (struct acl){}) < 0 ||
		    build_acl(*node, &model->acls.items[model->acls.count - 1]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int build_listeners(const struct tree_node *root, struct model *model)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(root, ROOT_LISTENERS, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes) {
		if (vec_push(&model->listeners, (struct listener){}) < 0)
			return -ENOMEM;
		if (build_listener(*node, model,
				   &model->listeners.items[model->listeners.count - 1]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int build_interfaces(const struct tree_node *root, struct model *model)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(root, ROOT_INTERFACES, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes) {
		_cleanup_(freep) char *name = strdup((*node)->text);

		if (!name || vec_push(&model->interfaces, name) < 0)
			return -ENOMEM;
		take_ptr(name);
	}
	return 0;
}

static int build_nameservers(const struct tree_node *root, struct model *model)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(root, ROOT_NAMESERVERS, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes)
		if (vec_push(&model->nameservers, (*node)->value.addr) < 0)
			return -ENOMEM;
	return 0;
}

static int build_snat(const struct tree_node *root, struct model *model)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(root, ROOT_SNAT, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes)
		if (vec_push(&model->snat, (*node)->value.addr) < 0)
			return -ENOMEM;
	return 0;
}

struct model *build_model(const struct tree_node *root)
{
	_cleanup_(model_freep) struct model *model = calloc(1, sizeof(*model));
	const struct tree_node *node = fields_get(root, ROOT_NODE);
	const struct tree_node *metrics = fields_get(root, ROOT_METRICS);

	if (!model)
		return NULL;
	strcpy(model->node_region, SCHEMA_REGION);
	if (node)
		copy_name(model->node_name, fields_text(node, NODE_NAME));
	if (node && fields_get(node, NODE_REGION))
		copy_name(model->node_region, fields_text(node, NODE_REGION));
	if (metrics)
		model->metrics = fields_get(metrics, METRICS_LISTEN)->value.listen;
	if (fields_get(root, ROOT_ACCESS_LOG) &&
	    str_copy(fields_text(root, ROOT_ACCESS_LOG), &model->access_log) < 0)
		return NULL;
	model->steal_ports = fields_number(root, ROOT_STEAL_PORTS);
	model->hash_seed = fields_number(root, ROOT_HASH_SEED);
	model->nat_flows = fields_number(root, ROOT_NAT_FLOWS);
	model->recorded_flows = fields_number(root, ROOT_RECORDED_FLOWS);
	model->answers_per_second = fields_number(root, ROOT_ANSWERS_PER_SECOND);
	if (limits_read(root, &model->limits) < 0 || build_interfaces(root, model) < 0 ||
	    build_snat(root, model) < 0 || build_nameservers(root, model) < 0 ||
	    build_tunnel_source(root, ROOT_TUNNEL_SOURCE, &model->tunnel_source) < 0 ||
	    build_acls(root, model) < 0 || regions_build(root, model) < 0 ||
	    inventory_build(root, &model->inventory) < 0 || build_listeners(root, model) < 0 ||
	    model_index(model) < 0)
		return NULL;
	return take_ptr(model);
}
