// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "config/access.h"
#include "config/build.h"
#include "config/check.h"
#include "config/conflict.h"
#include "config/http_check.h"
#include "config/http_print.h"
#include "config/inventory.h"
#include "config/limits.h"
#include "config/load.h"
#include "config/read.h"
#include "config/regions.h"
#include "config/schema.h"
#include "config/syntax.h"
#include "util/str.h"

static bool is_nothing(const struct tree_node *root)
{
	return !root || (root->kind == TREE_TEXT && !*root->text && !(root->flags & TREE_QUOTED));
}

/* Everything that can be said about the text, and its tree. */
static void examine(struct report *report, struct tree *tree)
{
	int r;

	if (syntax_check_bytes(report) < 0)
		return;
	r = load_tree(report, tree);
	if (is_nothing(tree->root)) {
		if (!r)
			report_whole(report, "there is no configuration in it; the first key is "
					     "'version: 1'");
		return;
	}
	read_tree(report, tree->root, &schema_root);
	/* Half a file would look inconsistent. */
	if (r < 0 || !(tree->root->flags & TREE_GOOD))
		return;
	check_tree(report, tree->root);
	limits_check(report, tree->root);
	http_check(report, tree->root);
	access_check(report, tree->root);
	regions_check(report, tree->root);
	inventory_check(report, tree->root);
	conflict_check(report, tree->root);
}

int config_parse(const char *text, size_t size, struct model **ret, struct findings *findings)
{
	struct report report = { .text = text ? text : "", .size = size, .findings = findings };
	_cleanup_(tree_fini) struct tree tree = {};
	struct model *model;

	examine(&report, &tree);
	report_place(&report);
	if (!report.error && findings->errors)
		return -EINVAL;
	model = report.error ? NULL : build_model(tree.root);
	if (!model) {
		findings_fini(findings);
		return -ENOMEM;
	}
	*ret = model;
	return 0;
}

static void print_addresses(struct str *out, const struct addr *addresses, size_t count)
{
	char text[ADDR_TEXT_MAX];

	str_add(out, "[");
	for (size_t i = 0; i < count; i++)
		str_add(out, "%s\"%s\"", i ? ", " : "", addr_print(&addresses[i], text));
	str_add(out, "]\n");
}

static void print_tunnel_source(struct str *out, const char *indent,
				const struct tunnel_source *source)
{
	char text[ADDR_PREFIX_MAX];
	const char *comma = "";

	if (!source->list.count)
		return;
	str_add(out, "%stunnel_source: [", indent);
	vec_foreach(prefix, &source->list) {
		str_add(out, "%s\"%s\"", comma, addr_prefix_print(prefix, text));
		comma = ", ";
	}
	str_add(out, "]\n");
}

static void print_ports(struct str *out, const struct listener *listener)
{
	const char *comma = "";

	str_add(out, "    port: \"");
	vec_foreach(range, &listener->ports) {
		str_add(out, "%s%u", comma, range->first);
		if (range->last != range->first)
			str_add(out, "-%u", range->last);
		comma = ",";
	}
	str_add(out, "\"\n");
}

/* "allow: [office]" of a listener. */
static void print_access(struct str *out, const struct model *model,
			 const struct listener *listener)
{
	const char *comma = "";

	if (listener->access == WEIR_ACCESS_ALL)
		return;
	str_add(out, "    %s: [", listener->access == WEIR_ACCESS_ALLOW ? "allow" : "deny");
	vec_foreach(acl, &listener->acls) {
		str_add(out, "%s%s", comma, model->acls.items[*acl].name);
		comma = ", ";
	}
	str_add(out, "]\n");
	if (listener->allow_nobody)
		str_add(out, "    allow_nobody: true\n");
}

void config_print_acl(const struct acl *acl, struct str *out)
{
	char text[ADDR_PREFIX_MAX];
	const char *comma = "";

	str_add(out, "  - name: %s\n    prefixes: [", acl->name);
	vec_foreach(prefix, &acl->prefixes) {
		str_add(out, "%s\"%s\"", comma, addr_prefix_print(prefix, text));
		comma = ", ";
	}
	str_add(out, "]\n");
}

static void print_endpoint(struct str *out, const struct listener *listener,
			   const struct endpoint *endpoint)
{
	bool own_type = endpoint->type != (endpoint->domain ? TYPE_CUSTOM_DOMAIN : TYPE_CUSTOM_IP);
	bool own_mode = endpoint->mode != listener->mode, own_name;
	char text[MODEL_HOST_MAX];

	model_endpoint_host(endpoint, text);
	own_name = strcmp(text, endpoint->name);
	if (!own_name && !own_mode && !own_type && !endpoint->proxy_protocol &&
	    !endpoint->max_connections) {
		str_add(out, "          - \"%s weight %u\"\n", text, endpoint->weight);
		return;
	}
	str_add(out, "          - address: \"%s\"\n",
		endpoint->domain ? endpoint->domain : addr_print(&endpoint->address, text));
	if (own_type)
		str_add(out, "            type: %s\n", model_type_name(endpoint->type));
	if (own_name)
		str_add(out, "            name: %s\n", endpoint->name);
	if (endpoint->port)
		str_add(out, "            port: %u\n", endpoint->port);
	str_add(out, "            weight: %u\n", endpoint->weight);
	if (own_mode)
		str_add(out, "            mode: %s\n", model_mode_name(endpoint->mode));
	if (endpoint->proxy_protocol)
		str_add(out, "            proxy_protocol: v%u\n", endpoint->proxy_protocol);
	if (endpoint->max_connections)
		str_add(out, "            max_connections: %u\n", endpoint->max_connections);
}

static const char *protocol_name(const struct listener *listener)
{
	if (listener->http)
		return listener->http->tls ? "https" : "http";
	return listener->protocol == IPPROTO_UDP ? "udp" : "tcp";
}

/* The shortest text that means the same: durations are in ms. */
static const char *print_duration(uint32_t ms, char text[16])
{
	if (ms % 1000)
		snprintf(text, 16, "%ums", ms);
	else
		snprintf(text, 16, "%us", ms / 1000);
	return text;
}

static void print_health_check(struct str *out, const struct health_check *check)
{
	char text[16];

	if (!check)
		return;
	str_add(out, "        health_check:\n");
	str_add(out, "          protocol: %s\n", model_health_name(check->protocol));
	if (check->port)
		str_add(out, "          port: %u\n", check->port);
	str_add(out, "          interval: %s\n", print_duration(check->interval, text));
	str_add(out, "          threshold: %u\n", check->threshold);
	str_add(out, "          timeout: %s\n", print_duration(check->timeout, text));
	if (check->path) {
		str_add(out, "          path: ");
		str_add_quoted(out, check->path);
		str_add(out, "\n");
	}
	if (check->host)
		str_add(out, "          host: \"%s\"\n", check->host);
	if (check->protocol == HEALTH_HTTPS)
		str_add(out, "          verify: %s\n", check->verify ? "true" : "false");
	if (check->ca_file) {
		str_add(out, "          ca_file: ");
		str_add_quoted(out, check->ca_file);
		str_add(out, "\n");
	}
	if (check->server_name)
		str_add(out, "          server_name: \"%s\"\n", check->server_name);
}

static void print_passive_health(struct str *out, const struct passive_health *passive)
{
	char text[16];

	if (!passive->failures)
		return;
	str_add(out, "        passive_health:\n");
	str_add(out, "          failures: %u\n", passive->failures);
	str_add(out, "          duration: %s\n", print_duration(passive->duration, text));
	str_add(out, "          server_errors: %s\n", passive->server_errors ? "true" : "false");
}

static void print_group(struct str *out, const struct listener *listener,
			const struct endpoint_group *group)
{
	char text[16];

	str_add(out, "      - name: %s\n", group->name);
	if (group->is_virtual)
		str_add(out, "        type: virtual\n");
	str_add(out, "        region: %s\n", group->region);
	str_add(out, "        traffic_percentage: %u\n", group->traffic_percentage);
	if (group->backend_https)
		str_add(out, "        backend_protocol: https\n");
	print_health_check(out, group->health_check);
	print_passive_health(out, &group->passive_health);
	if (group->slow_start)
		str_add(out, "        slow_start: %s\n", print_duration(group->slow_start, text));
	str_add(out, "        endpoints:\n");
	vec_foreach(endpoint, &group->endpoints)
		print_endpoint(out, listener, endpoint);
}

void config_print_listener(const struct model *model, const struct listener *listener,
			   struct str *out)
{
	char rate[MODEL_RATE_MAX];

	str_add(out, "  - name: %s\n", listener->name);
	str_add(out, "    protocol: %s\n", protocol_name(listener));
	str_add(out, "    address: ");
	print_addresses(out, listener->addresses.items, listener->addresses.count);
	print_ports(out, listener);
	str_add(out, "    mode: %s\n", model_mode_name(listener->mode));
	str_add(out, "    vip: %s\n", listener->vip_route ? "route" : "none");
	str_add(out, "    client_affinity: %s\n", listener->client_affinity ? "source_ip" : "none");
	str_add(out, "    idle_timeout: %us\n", listener->idle_timeout);
	if (listener->snat.count) {
		str_add(out, "    snat: ");
		print_addresses(out, listener->snat.items, listener->snat.count);
	}
	print_tunnel_source(out, "    ", &listener->tunnel_source);
	str_add(out, "    gue_port: %u\n", listener->gue_port);
	print_access(out, model, listener);
	if (listener->new_flows_per_source.count)
		str_add(out, "    new_flows_per_source: %s\n",
			model_rate_print(&listener->new_flows_per_source, rate));
	str_add(out, "    fail_open: %s\n", listener->fail_open ? "true" : "false");
	if (listener->http)
		http_print(listener->http, out);
	str_add(out, "    endpoint_groups:\n");
	vec_foreach(group, &listener->groups)
		print_group(out, listener, group);
	if (listener->http)
		http_print_rules(listener, out);
}

static void print_node(struct str *out, const struct model *model)
{
	str_add(out, "node:\n");
	if (*model->node_name)
		str_add(out, "  name: %s\n", model->node_name);
	str_add(out, "  region: %s\n", model->node_region);
}

static void print_interfaces(struct str *out, const struct model *model)
{
	str_add(out, "interfaces:\n");
	vec_foreach(interface, &model->interfaces) {
		str_add(out, "  - ");
		str_add_quoted(out, *interface);
		str_add(out, "\n");
	}
}

/* The profile, and what differs from it. */
static void print_limits(struct str *out, const struct model *model)
{
	const struct limits *limits = &model->limits;
	struct limits profile = {};

	if (limits_of_profile(limits->range[LIMIT_PROFILE].max, &profile) < 0)
		out->failed = true;
	str_add(out, "limits:\n");
	for (enum limit limit = 0; limit < LIMIT_COUNT; limit++) {
		if (limit != LIMIT_PROFILE && model_equal_limit(limits, &profile, limit))
			continue;
		str_add(out, "  %s: ", limits_key(limit));
		limits_print(limits, limit, out);
		str_add(out, "\n");
	}
	limits_fini(&profile);
}

void config_print_settings(const struct model *model, struct str *out)
{
	char text[ADDR_PORT_TEXT_MAX];

	str_add(out, "version: 1\n");
	print_node(out, model);
	if (model->interfaces.count)
		print_interfaces(out, model);
	if (model->snat.count) {
		str_add(out, "snat: ");
		print_addresses(out, model->snat.items, model->snat.count);
	}
	if (model->nameservers.count) {
		str_add(out, "nameservers: ");
		print_addresses(out, model->nameservers.items, model->nameservers.count);
	}
	inventory_print(&model->inventory, out);
	print_tunnel_source(out, "", &model->tunnel_source);
	str_add(out, "steal_ports: %s\n", model->steal_ports ? "true" : "false");
	str_add(out, "hash_seed: %u\n", model->hash_seed);
	str_add(out, "nat_flows: %u\n", model->nat_flows);
	str_add(out, "recorded_flows: %u\n", model->recorded_flows);
	str_add(out, "answers_per_second: %u\n", model->answers_per_second);
	if (model->metrics.port)
		str_add(out, "metrics: { listen: \"%s\" }\n",
			addr_print_port(&model->metrics.address, model->metrics.port, text));
	if (model->access_log) {
		str_add(out, "access_log: ");
		str_add_quoted(out, model->access_log);
		str_add(out, "\n");
	}
	print_limits(out, model);
	regions_print(model, out);
}

char *config_print(const struct model *model)
{
	struct str out = {};

	config_print_settings(model, &out);
	if (model->acls.count)
		str_add(&out, "acls:\n");
	vec_foreach(acl, &model->acls)
		config_print_acl(acl, &out);
	if (model->listeners.count)
		str_add(&out, "listeners:\n");
	vec_foreach(listener, &model->listeners)
		config_print_listener(model, listener, &out);
	return str_take(&out);
}
