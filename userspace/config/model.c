// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/model.h"

#include <stdio.h>
#include <string.h>

#include "config/inventory.h"
#include "config/regions.h"
#include "util/str.h"

static void group_fini(struct endpoint_group *group)
{
	vec_foreach(endpoint, &group->endpoints)
		free(endpoint->domain);
	vec_free(&group->endpoints);
	if (group->health_check) {
		free(group->health_check->path);
		free(group->health_check->host);
		free(group->health_check->ca_file);
		free(group->health_check->server_name);
	}
	free(group->health_check);
}

static void listener_fini(struct listener *listener)
{
	vec_foreach(group, &listener->groups)
		group_fini(group);
	vec_free(&listener->groups);
	vec_free(&listener->addresses);
	vec_free(&listener->ports);
	vec_free(&listener->snat);
	vec_free(&listener->acls);
	vec_free(&listener->tunnel_source.list);
	http_free(listener->http);
}

void model_free(struct model *model)
{
	if (!model)
		return;
	vec_foreach(listener, &model->listeners)
		listener_fini(listener);
	vec_foreach(interface, &model->interfaces)
		free(*interface);
	vec_foreach(acl, &model->acls)
		vec_free(&acl->prefixes);
	vec_free(&model->acls);
	regions_fini(model);
	inventory_fini(&model->inventory);
	vec_free(&model->listeners);
	vec_free(&model->interfaces);
	free(model->access_log);
	vec_free(&model->snat);
	vec_free(&model->nameservers);
	vec_free(&model->tunnel_source.list);
	vec_free(&model->limits.reserved_udp_ports);
	lookup_fini(&model->by_name);
	free(model);
}

static uint32_t hash_of(const char *name)
{
	return lookup_hash(0, name, strlen(name));
}

int model_index(struct model *model)
{
	struct lookup by_name = {};

	for (size_t i = 0; i < model->listeners.count; i++) {
		if (lookup_add(&by_name, hash_of(model->listeners.items[i].name), i)) {
			lookup_fini(&by_name);
			return -ENOMEM;
		}
	}
	lookup_fini(&model->by_name);
	model->by_name = by_name;
	return 0;
}

uint16_t model_health_port(const struct listener *listener, const struct endpoint_group *group,
			   const struct endpoint *endpoint)
{
	if (group->health_check && group->health_check->port)
		return group->health_check->port;
	return endpoint->port ? endpoint->port : listener->ports.items[0].first;
}

bool model_has_nat(const struct listener *listener)
{
	if (listener->http)
		return false;
	vec_foreach(group, &listener->groups)
		vec_foreach(endpoint, &group->endpoints)
			if (endpoint->mode == WEIR_MODE_NAT)
				return true;
	return false;
}

bool model_has_stateless(const struct listener *listener)
{
	if (listener->http)
		return false;
	vec_foreach(group, &listener->groups)
		vec_foreach(endpoint, &group->endpoints)
			if (endpoint->mode != WEIR_MODE_NAT)
				return true;
	return false;
}

const struct listener *model_find_listener(const struct model *model, const char *name)
{
	if (model->by_name.count == model->listeners.count) {
		lookup_foreach(item, &model->by_name, hash_of(name))
			if (!strcmp(model->listeners.items[item].name, name))
				return &model->listeners.items[item];
		return NULL;
	}
	vec_foreach(listener, &model->listeners)
		if (!strcmp(listener->name, name))
			return listener;
	return NULL;
}

const struct endpoint_group *model_find_group(const struct listener *listener, const char *name)
{
	vec_foreach(group, &listener->groups)
		if (!strcmp(group->name, name))
			return group;
	return NULL;
}

const struct endpoint *model_find_endpoint(const struct endpoint_group *group, const char *name)
{
	vec_foreach(endpoint, &group->endpoints)
		if (!strcmp(endpoint->name, name))
			return endpoint;
	return NULL;
}

/* Appends all elements of one vector to another of the same type: 0 or -ENOMEM. */
#define append_all(to, from)                                                                       \
	({                                                                                         \
		int _r = 0;                                                                        \
		vec_foreach(_item, from) {                                                         \
			_r = vec_push(to, *_item);                                                 \
			if (_r < 0)                                                                \
				break;                                                             \
		}                                                                                  \
		_r;                                                                                \
	})

static int copy_health_check(const struct health_check *from, struct endpoint_group *to)
{
	struct health_check *copy;

	if (!from)
		return 0;
	copy = to->health_check = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *from;
	copy->path = copy->host = copy->ca_file = copy->server_name = NULL;
	if (str_copy(from->path, &copy->path) < 0 || str_copy(from->host, &copy->host) < 0 ||
	    str_copy(from->ca_file, &copy->ca_file) < 0 ||
	    str_copy(from->server_name, &copy->server_name) < 0)
		return -ENOMEM;
	return 0;
}

static int copy_group(const struct endpoint_group *from, struct endpoint_group *to)
{
	*to = *from;
	memset(&to->endpoints, 0, sizeof(to->endpoints));
	to->health_check = NULL;
	if (copy_health_check(from->health_check, to) < 0)
		return -ENOMEM;
	vec_foreach(endpoint, &from->endpoints) {
		struct endpoint copy = *endpoint;

		if (str_copy(endpoint->domain, &copy.domain) < 0 ||
		    vec_push(&to->endpoints, copy) < 0) {
			free(copy.domain);
			return -ENOMEM;
		}
	}
	return 0;
}

/* `to` owns what has been copied, also on failure. */
static int copy_listener(const struct listener *from, struct listener *to)
{
	*to = *from;
	memset(&to->addresses, 0, sizeof(to->addresses));
	memset(&to->ports, 0, sizeof(to->ports));
	memset(&to->snat, 0, sizeof(to->snat));
	memset(&to->acls, 0, sizeof(to->acls));
	memset(&to->tunnel_source.list, 0, sizeof(to->tunnel_source.list));
	memset(&to->groups, 0, sizeof(to->groups));
	to->http = NULL;
	if (from->http) {
		to->http = http_copy(from->http);
		if (!to->http)
			return -ENOMEM;
	}
	if (append_all(&to->addresses, &from->addresses) < 0 ||
	    append_all(&to->ports, &from->ports) < 0 || append_all(&to->snat, &from->snat) < 0 ||
	    append_all(&to->acls, &from->acls) < 0 ||
	    append_all(&to->tunnel_source.list, &from->tunnel_source.list) < 0)
		return -ENOMEM;
	vec_foreach(group, &from->groups) {
		if (vec_push(&to->groups, (struct endpoint_group){}) < 0 ||
		    copy_group(group, &to->groups.items[to->groups.count - 1]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int copy_interfaces(const struct model *from, struct model *to)
{
	vec_foreach(interface, &from->interfaces) {
		_cleanup_(freep) char *name = strdup(*interface);

		if (!name || vec_push(&to->interfaces, name) < 0)
			return -ENOMEM;
		take_ptr(name);
	}
	return 0;
}

static int copy_acls(const struct model *from, struct model *to)
{
	vec_foreach(acl, &from->acls) {
		struct acl copy = *acl;

		copy.prefixes = (struct addr_prefixes){};
		if (append_all(&copy.prefixes, &acl->prefixes) < 0 ||
		    vec_push(&to->acls, copy) < 0) {
			vec_free(&copy.prefixes);
			return -ENOMEM;
		}
	}
	return 0;
}

struct model *model_copy(const struct model *model)
{
	_cleanup_(model_freep) struct model *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *model;
	memset(&copy->interfaces, 0, sizeof(copy->interfaces));
	memset(&copy->snat, 0, sizeof(copy->snat));
	memset(&copy->nameservers, 0, sizeof(copy->nameservers));
	memset(&copy->acls, 0, sizeof(copy->acls));
	memset(&copy->tunnel_source.list, 0, sizeof(copy->tunnel_source.list));
	memset(&copy->limits.reserved_udp_ports, 0, sizeof(copy->limits.reserved_udp_ports));
	memset(&copy->regions, 0, sizeof(copy->regions));
	copy->regions_by_name = (struct lookup){};
	memset(&copy->inventory, 0, sizeof(copy->inventory));
	copy->clients_file = copy->clients_maxmind = copy->access_log = NULL;
	memset(&copy->listeners, 0, sizeof(copy->listeners));
	copy->by_name = (struct lookup){};
	if (copy_interfaces(model, copy) < 0 || append_all(&copy->snat, &model->snat) < 0 ||
	    append_all(&copy->nameservers, &model->nameservers) < 0 ||
	    append_all(&copy->tunnel_source.list, &model->tunnel_source.list) < 0 ||
	    append_all(&copy->limits.reserved_udp_ports, &model->limits.reserved_udp_ports) < 0 ||
	    copy_acls(model, copy) < 0 || regions_copy(model, copy) < 0 ||
	    inventory_copy(&model->inventory, &copy->inventory) < 0 ||
	    str_copy(model->access_log, &copy->access_log) < 0)
		return NULL;
	vec_foreach(listener, &model->listeners) {
		if (vec_push(&copy->listeners, (struct listener){}) < 0 ||
		    copy_listener(listener, &copy->listeners.items[copy->listeners.count - 1]) < 0)
			return NULL;
	}
	if (model_index(copy))
		return NULL;
	return take_ptr(copy);
}

static void keep_endpoints(const struct listener *listener, struct endpoint_group *group,
			   bool keep(const void *user, const struct listener *listener,
				     const struct endpoint_group *group,
				     const struct endpoint *endpoint),
			   const void *user)
{
	size_t kept = 0;

	vec_foreach(endpoint, &group->endpoints) {
		if (keep(user, listener, group, endpoint))
			group->endpoints.items[kept++] = *endpoint;
		else
			free(endpoint->domain);
	}
	group->endpoints.count = kept;
}

void model_keep(struct model *model,
		bool keep(const void *user, const struct listener *listener,
			  const struct endpoint_group *group, const struct endpoint *endpoint),
		const void *user)
{
	size_t kept = 0;

	vec_foreach(listener, &model->listeners) {
		if (!keep(user, listener, NULL, NULL)) {
			listener_fini(listener);
			continue;
		}
		vec_foreach(group, &listener->groups)
			keep_endpoints(listener, group, keep, user);
		model->listeners.items[kept++] = *listener;
	}
	model->listeners.count = kept;
	model_index(model); /* without memory, listeners are found slowly */
}

const char *model_mode_name(uint8_t mode)
{
	static const char *const names[] = {
		[WEIR_MODE_NAT] = "nat", [WEIR_MODE_DSR] = "dsr",     [WEIR_MODE_IPIP] = "ipip",
		[WEIR_MODE_GUE] = "gue", [WEIR_MODE_PROXY] = "proxy",
	};

	return mode <= WEIR_MODE_PROXY ? names[mode] : "?";
}

const char *model_health_name(uint8_t protocol)
{
	static const char *const names[] = {
		[HEALTH_TCP] = "tcp",
		[HEALTH_HTTP] = "http",
		[HEALTH_HTTPS] = "https",
	};

	return protocol < sizeof(names) / sizeof(names[0]) ? names[protocol] : "?";
}

bool model_is_instance(const struct endpoint *endpoint)
{
	return endpoint->type == TYPE_ECS || endpoint->type == TYPE_SLB;
}

const char *model_type_name(uint8_t type)
{
	static const char *const names[] = {
		[TYPE_CUSTOM_IP] = "custom_ip",
		[TYPE_PUBLIC_IP] = "public_ip",
		[TYPE_CUSTOM_DOMAIN] = "custom_domain",
		[TYPE_ECS] = "ecs",
		[TYPE_SLB] = "slb",
	};

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "?";
}

const char *model_endpoint_host(const struct endpoint *endpoint, char *text)
{
	if (!endpoint->domain)
		return addr_print_port(&endpoint->address, endpoint->port, text);
	if (endpoint->port)
		snprintf(text, MODEL_HOST_MAX, "%s:%u", endpoint->domain, endpoint->port);
	else
		snprintf(text, MODEL_HOST_MAX, "%s", endpoint->domain);
	return text;
}

const char *model_rate_print(const struct rate *rate, char *text)
{
	const char *unit = rate->seconds == 1 ? "s" : "m";

	if (rate->burst == rate->count)
		snprintf(text, MODEL_RATE_MAX, "%u/%s", rate->count, unit);
	else
		snprintf(text, MODEL_RATE_MAX, "%u/%s burst %u", rate->count, unit, rate->burst);
	return text;
}

static bool same_text(char *const *a, char *const *b)
{
	return !strcmp(*a, *b);
}

static bool same_ports(const struct port_range *a, const struct port_range *b)
{
	return a->first == b->first && a->last == b->last;
}

static bool same_rate(const struct rate *a, const struct rate *b)
{
	return a->count == b->count && a->seconds == b->seconds && a->burst == b->burst;
}

static bool same_index(const uint32_t *a, const uint32_t *b)
{
	return *a == *b;
}

static bool same_acl(const struct acl *a, const struct acl *b)
{
	return !strcmp(a->name, b->name) &&
	       vec_equal(&a->prefixes, &b->prefixes, addr_prefix_equal);
}

/* NULL is only NULL. */
static int compare_texts(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : a != b;
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return !strcmp(a->name, b->name) && addr_equal(&a->address, &b->address) &&
	       a->port == b->port && a->weight == b->weight && a->mode == b->mode &&
	       a->proxy_protocol == b->proxy_protocol && a->type == b->type &&
	       a->max_connections == b->max_connections && !compare_texts(a->domain, b->domain);
}

static bool same_health_check(const struct health_check *a, const struct health_check *b)
{
	if (!a || !b)
		return a == b;
	return a->protocol == b->protocol && a->threshold == b->threshold && a->port == b->port &&
	       a->interval == b->interval && a->timeout == b->timeout &&
	       !compare_texts(a->path, b->path) && !compare_texts(a->host, b->host) &&
	       a->verify == b->verify && !compare_texts(a->ca_file, b->ca_file) &&
	       !compare_texts(a->server_name, b->server_name);
}

static bool same_passive_health(const struct passive_health *a, const struct passive_health *b)
{
	return a->failures == b->failures && a->duration == b->duration &&
	       a->server_errors == b->server_errors;
}

static bool same_group(const struct endpoint_group *a, const struct endpoint_group *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->region, b->region) &&
	       a->is_virtual == b->is_virtual && a->backend_https == b->backend_https &&
	       a->traffic_percentage == b->traffic_percentage &&
	       same_health_check(a->health_check, b->health_check) &&
	       same_passive_health(&a->passive_health, &b->passive_health) &&
	       a->slow_start == b->slow_start &&
	       vec_equal(&a->endpoints, &b->endpoints, same_endpoint);
}

static bool same_listener(const struct listener *a, const struct listener *b)
{
	return !strcmp(a->name, b->name) && a->protocol == b->protocol && a->mode == b->mode &&
	       a->vip_route == b->vip_route && a->client_affinity == b->client_affinity &&
	       a->idle_timeout == b->idle_timeout && a->gue_port == b->gue_port &&
	       a->access == b->access && a->allow_nobody == b->allow_nobody &&
	       a->fail_open == b->fail_open &&
	       same_rate(&a->new_flows_per_source, &b->new_flows_per_source) &&
	       http_equal(a->http, b->http) && vec_equal(&a->acls, &b->acls, same_index) &&
	       vec_equal(&a->addresses, &b->addresses, addr_equal) &&
	       vec_equal(&a->ports, &b->ports, same_ports) &&
	       vec_equal(&a->snat, &b->snat, addr_equal) &&
	       vec_equal(&a->tunnel_source.list, &b->tunnel_source.list, addr_prefix_equal) &&
	       vec_equal(&a->groups, &b->groups, same_group);
}

bool model_equal_limit(const struct limits *a, const struct limits *b, enum limit limit)
{
	const struct limit_range *left = &a->range[limit], *right = &b->range[limit];

	if (limit == LIMIT_RESERVED_UDP_PORTS)
		return vec_equal(&a->reserved_udp_ports, &b->reserved_udp_ports, same_ports);
	return left->min == right->min && left->max == right->max;
}

static bool same_limits(const struct limits *a, const struct limits *b)
{
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++)
		if (!model_equal_limit(a, b, limit))
			return false;
	return true;
}

bool model_equal(const struct model *a, const struct model *b)
{
	return !strcmp(a->node_name, b->node_name) && !strcmp(a->node_region, b->node_region) &&
	       a->steal_ports == b->steal_ports && a->hash_seed == b->hash_seed &&
	       a->nat_flows == b->nat_flows && a->recorded_flows == b->recorded_flows &&
	       a->answers_per_second == b->answers_per_second &&
	       vec_equal(&a->interfaces, &b->interfaces, same_text) &&
	       vec_equal(&a->nameservers, &b->nameservers, addr_equal) &&
	       addr_equal(&a->metrics.address, &b->metrics.address) &&
	       a->metrics.port == b->metrics.port && str_equal(a->access_log, b->access_log) &&
	       inventory_equal(&a->inventory, &b->inventory) &&
	       vec_equal(&a->snat, &b->snat, addr_equal) &&
	       vec_equal(&a->acls, &b->acls, same_acl) && regions_equal(a, b) &&
	       vec_equal(&a->tunnel_source.list, &b->tunnel_source.list, addr_prefix_equal) &&
	       same_limits(&a->limits, &b->limits) &&
	       vec_equal(&a->listeners, &b->listeners, same_listener);
}
