// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/build.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "config/fields.h"

/* The text of a key, or NULL if it is absent. In what follows the model owns what has been built,
 * also on failure. */
static int build_text(const struct tree_node *map, unsigned id, char **ret)
{
	const struct tree_node *node = fields_get(map, id);

	*ret = node ? strdup(node->text) : NULL;
	return node && !*ret ? -ENOMEM : 0;
}

static int build_prefixes(const struct tree_node *map, unsigned id, struct addr_prefixes *ret)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(map, id, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes)
		if (vec_push(ret, (*node)->value.prefix) < 0)
			return -ENOMEM;
	return 0;
}

static int build_pattern(const char *text, bool any_case, struct http_condition *ret)
{
	struct pattern pattern;

	if (pattern_new(text, &pattern) < 0)
		return -ENOMEM;
	if (any_case && pattern.kind != PATTERN_REGEX)
		for (char *c = pattern.text; *c; c++)
			*c = tolower((unsigned char)*c);
	if (vec_push(&ret->values, pattern) < 0) {
		free(pattern.text);
		return -ENOMEM;
	}
	return 0;
}

/* A new condition of the rule; NULL without memory. */
static struct http_condition *add_condition(struct http_rule *rule, enum http_field field)
{
	if (vec_push(&rule->conditions, (struct http_condition){ .field = field }) < 0)
		return NULL;
	return &rule->conditions.items[rule->conditions.count - 1];
}

static int build_values(const struct tree_node *list, enum http_field field, const char *key,
			struct http_rule *ret)
{
	struct http_condition *condition = add_condition(ret, field);

	if (!condition)
		return -ENOMEM;
	condition->key = key ? strdup(key) : NULL;
	if (key && !condition->key)
		return -ENOMEM;
	vec_foreach(value, &list->items) {
		if (field == HTTP_SOURCE_IP
			    ? vec_push(&condition->addresses, (*value)->value.prefix)
			    : build_pattern((*value)->text, field == HTTP_HOST, condition))
			return -ENOMEM;
	}
	return 0;
}

/* The keys RULE_HOST to RULE_SOURCE_IP are in the order of enum http_field. */
static int build_conditions(const struct tree_node *map, struct http_rule *ret)
{
	for (enum http_field field = 0; field < HTTP_FIELDS; field++) {
		const struct tree_node *node = fields_get(map, RULE_HOST + field);
		int r = 0;

		if (!node)
			continue;
		if (node->schema->type != SCHEMA_MAP)
			r = build_values(node, field, NULL, ret);
		else
			vec_foreach(values, &node->items)
				r = r ?: build_values(*values, field, (*values)->key->text, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

static int build_redirect(const struct tree_node *map, struct http_rule *ret)
{
	ret->action = HTTP_REDIRECT;
	ret->code = fields_number(map, REDIRECT_CODE);
	return build_text(map, REDIRECT_URL, &ret->url);
}

static int build_fixed_response(const struct tree_node *map, struct http_rule *ret)
{
	ret->action = HTTP_FIXED_RESPONSE;
	ret->code = fields_number(map, FIXED_RESPONSE_CODE);
	if (build_text(map, FIXED_RESPONSE_CONTENT_TYPE, &ret->content_type) < 0 ||
	    build_text(map, FIXED_RESPONSE_BODY, &ret->body) < 0)
		return -ENOMEM;
	if (ret->body && !*ret->body)
		free(take_ptr(ret->body));
	ret->content_type = ret->content_type ?: strdup("text/plain");
	return ret->content_type ? 0 : -ENOMEM;
}

static int build_headers(const struct tree_node *map, struct http_rule *ret)
{
	const struct tree_node *add = fields_get(map, RULE_ADD_HEADER);
	const struct tree_node *removed = fields_get(map, RULE_REMOVE_HEADER);

	for (size_t i = 0; add && i < add->items.count; i++) {
		const struct tree_node *item = add->items.items[i];
		struct http_header header = { strdup(item->key->text), strdup(item->text) };

		if (!header.name || !header.value || vec_push(&ret->add_headers, header) < 0) {
			free(header.name);
			free(header.value);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; removed && i < removed->items.count; i++) {
		_cleanup_(freep) char *name = strdup(removed->items.items[i]->text);

		if (!name || vec_push(&ret->remove_headers, name) < 0)
			return -ENOMEM;
		take_ptr(name);
	}
	return 0;
}

static int build_forward(const struct tree_node *map, struct http_rule *ret)
{
	const struct tree_node *rewrite = fields_get(map, RULE_REWRITE);

	ret->action = HTTP_FORWARD;
	ret->group = fields_number(map, RULE_FORWARD); /* as http_check_rules() found out */
	if (rewrite && (build_text(rewrite, REWRITE_HOST, &ret->host) < 0 ||
			build_text(rewrite, REWRITE_PATH, &ret->path) < 0 ||
			build_text(rewrite, REWRITE_QUERY, &ret->query) < 0))
		return -ENOMEM;
	return build_headers(map, ret);
}

static int build_rule(const struct tree_node *map, struct http_rule *ret)
{
	const struct tree_node *redirect = fields_get(map, RULE_REDIRECT);
	const struct tree_node *response = fields_get(map, RULE_FIXED_RESPONSE);

	memccpy(ret->name, fields_text(map, RULE_NAME), '\0', sizeof(ret->name));
	ret->priority = fields_number(map, RULE_PRIORITY);
	if (build_conditions(map, ret) < 0)
		return -ENOMEM;
	if (redirect)
		return build_redirect(redirect, ret);
	if (response)
		return build_fixed_response(response, ret);
	if (fields_get(map, RULE_FORWARD))
		return build_forward(map, ret);
	ret->action = HTTP_DROP;
	return 0;
}

static int build_rules(const struct tree_node *listener, struct http *ret)
{
	_cleanup_(fields_items_fini) struct node_list nodes = {};

	if (fields_items(listener, LISTENER_RULES, &nodes) < 0)
		return -ENOMEM;
	vec_foreach(node, &nodes.nodes) {
		if (vec_push(&ret->rules, (struct http_rule){}) < 0 ||
		    build_rule(*node, &ret->rules.items[ret->rules.count - 1]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A mapping with a file of a certificate, and one of its key. */
static int build_certificate(const struct tree_node *map, unsigned file, unsigned key,
			     struct http *ret)
{
	struct http_certificate *pair;

	if (vec_push(&ret->certificates, (struct http_certificate){}) < 0)
		return -ENOMEM;
	pair = &ret->certificates.items[ret->certificates.count - 1];
	if (build_text(map, file, &pair->certificate) < 0 || build_text(map, key, &pair->key) < 0)
		return -ENOMEM;
	return 0;
}

static int build_tls(const struct tree_node *map, struct http *ret)
{
	_cleanup_(fields_items_fini) struct node_list more = {};

	if (!map)
		return 0;
	ret->tls = true;
	ret->tls_minimum = fields_number(map, TLS_MINIMUM_VERSION);
	if (build_certificate(map, TLS_CERTIFICATE, TLS_KEY, ret) < 0 ||
	    build_text(map, TLS_CLIENT_CA, &ret->client_ca) < 0 ||
	    fields_items(map, TLS_MORE_CERTIFICATES, &more) < 0)
		return -ENOMEM;
	vec_foreach(node, &more.nodes)
		if (build_certificate(*node, CERTIFICATE_FILE, CERTIFICATE_KEY, ret) < 0)
			return -ENOMEM;
	return 0;
}

static int build_http(const struct tree_node *map, const struct model *model, struct http *ret)
{
	const struct tree_node *from = fields_get(map, LISTENER_PROXY_PROTOCOL_IN);
	_cleanup_(fields_items_fini) struct node_list forwarded = {};

	ret->request_timeout = fields_number(map, LISTENER_REQUEST_TIMEOUT) / 1000;
	ret->upgrade_idle_timeout = fields_number(map, LISTENER_UPGRADE_IDLE_TIMEOUT) / 1000;
	ret->header_timeout = fields_number(map, LISTENER_HEADER_TIMEOUT) / 1000;
	ret->connect_timeout = fields_number(map, LISTENER_CONNECT_TIMEOUT);
	ret->head_limit = fields_number(map, LISTENER_HEAD_LIMIT);
	ret->tunnel = fields_number(map, LISTENER_TUNNEL);
	ret->syn_cookies = fields_number(map, LISTENER_SYN_COOKIES);
	ret->kernel_routing = fields_number(map, LISTENER_KERNEL_ROUTING);
	ret->rule_order = fields_get(map, LISTENER_RULE_ORDER)
				  ? fields_number(map, LISTENER_RULE_ORDER)
				  : model->limits.range[LIMIT_RULE_ORDER].max;
	if (fields_items(map, LISTENER_X_FORWARDED, &forwarded) < 0)
		return -ENOMEM;
	vec_foreach(node, &forwarded.nodes)
		ret->x_forwarded |= (*node)->value.number;
	if (build_prefixes(map, LISTENER_TRUSTED_PROXIES, &ret->trusted_proxies) < 0 ||
	    (from && build_prefixes(from, PROXY_PROTOCOL_IN_FROM, &ret->proxy_sources) < 0) ||
	    build_tls(fields_get(map, LISTENER_TLS), ret) < 0)
		return -ENOMEM;
	return build_rules(map, ret);
}

int http_build(const struct tree_node *listener, const struct model *model, struct http **ret)
{
	_cleanup_(http_freep) struct http *http = NULL;

	if (!fields_is_http(listener))
		return 0;
	http = calloc(1, sizeof(*http));
	if (!http || build_http(listener, model, http) < 0)
		return -ENOMEM;
	*ret = take_ptr(http);
	return 0;
}
