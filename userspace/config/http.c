// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/http.h"

#include <string.h>

#include "util/str.h"

static void patterns_fini(struct http_condition *condition)
{
	vec_foreach(value, &condition->values)
		free(value->text);
	vec_free(&condition->values);
}

void http_condition_fini(struct http_condition *condition)
{
	patterns_fini(condition);
	vec_free(&condition->addresses);
	free(condition->key);
}

void http_rule_fini(struct http_rule *rule)
{
	vec_foreach(condition, &rule->conditions)
		http_condition_fini(condition);
	vec_foreach(header, &rule->add_headers) {
		free(header->name);
		free(header->value);
	}
	vec_foreach(name, &rule->remove_headers)
		free(*name);
	vec_free(&rule->conditions);
	vec_free(&rule->add_headers);
	vec_free(&rule->remove_headers);
	free(rule->url);
	free(rule->content_type);
	free(rule->body);
	free(rule->host);
	free(rule->path);
	free(rule->query);
}

void http_free(struct http *http)
{
	if (!http)
		return;
	vec_foreach(rule, &http->rules)
		http_rule_fini(rule);
	vec_foreach(pair, &http->certificates) {
		free(pair->certificate);
		free(pair->key);
	}
	vec_free(&http->rules);
	vec_free(&http->certificates);
	vec_free(&http->trusted_proxies);
	vec_free(&http->proxy_sources);
	free(http->client_ca);
	free(http);
}

static int copy_prefixes(const struct addr_prefixes *from, struct addr_prefixes *to)
{
	*to = (struct addr_prefixes){};
	vec_foreach(prefix, from)
		if (vec_push(to, *prefix) < 0)
			return -ENOMEM;
	return 0;
}

/* In what follows `to` owns what has been copied, also on failure. */
static int copy_condition(const struct http_condition *from, struct http_condition *to)
{
	to->field = from->field;
	if (str_copy(from->key, &to->key) < 0 ||
	    copy_prefixes(&from->addresses, &to->addresses) < 0)
		return -ENOMEM;
	vec_foreach(value, &from->values) {
		struct pattern *copy;

		if (vec_push(&to->values, (struct pattern){ .kind = value->kind }) < 0)
			return -ENOMEM;
		copy = &to->values.items[to->values.count - 1];
		if (str_copy(value->text, &copy->text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int copy_headers(const struct http_rule *from, struct http_rule *to)
{
	vec_foreach(header, &from->add_headers) {
		struct http_header *copy;

		if (vec_push(&to->add_headers, (struct http_header){}) < 0)
			return -ENOMEM;
		copy = &to->add_headers.items[to->add_headers.count - 1];
		if (str_copy(header->name, &copy->name) < 0 ||
		    str_copy(header->value, &copy->value) < 0)
			return -ENOMEM;
	}
	vec_foreach(name, &from->remove_headers) {
		if (vec_push(&to->remove_headers, NULL) < 0 ||
		    str_copy(*name, &to->remove_headers.items[to->remove_headers.count - 1]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int copy_rule(const struct http_rule *from, struct http_rule *to)
{
	*to = (struct http_rule){
		.priority = from->priority,
		.action = from->action,
		.code = from->code,
		.group = from->group,
	};
	memcpy(to->name, from->name, sizeof(to->name));
	vec_foreach(condition, &from->conditions) {
		if (vec_push(&to->conditions, (struct http_condition){}) < 0 ||
		    copy_condition(condition, &to->conditions.items[to->conditions.count - 1]) < 0)
			return -ENOMEM;
	}
	if (str_copy(from->url, &to->url) < 0 ||
	    str_copy(from->content_type, &to->content_type) < 0 ||
	    str_copy(from->body, &to->body) < 0 || str_copy(from->host, &to->host) < 0 ||
	    str_copy(from->path, &to->path) < 0 || str_copy(from->query, &to->query) < 0)
		return -ENOMEM;
	return copy_headers(from, to);
}

static int copy_lists(const struct http *from, struct http *to)
{
	vec_foreach(pair, &from->certificates) {
		struct http_certificate *copy;

		if (vec_push(&to->certificates, (struct http_certificate){}) < 0)
			return -ENOMEM;
		copy = &to->certificates.items[to->certificates.count - 1];
		if (str_copy(pair->certificate, &copy->certificate) < 0 ||
		    str_copy(pair->key, &copy->key) < 0)
			return -ENOMEM;
	}
	vec_foreach(rule, &from->rules) {
		if (vec_push(&to->rules, (struct http_rule){}) < 0 ||
		    copy_rule(rule, &to->rules.items[to->rules.count - 1]) < 0)
			return -ENOMEM;
	}
	return 0;
}

struct http *http_copy(const struct http *http)
{
	_cleanup_(http_freep) struct http *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->tls = http->tls;
	copy->rule_order = http->rule_order;
	copy->x_forwarded = http->x_forwarded;
	copy->tunnel = http->tunnel;
	copy->tls_minimum = http->tls_minimum;
	copy->syn_cookies = http->syn_cookies;
	copy->kernel_routing = http->kernel_routing;
	copy->request_timeout = http->request_timeout;
	copy->header_timeout = http->header_timeout;
	copy->connect_timeout = http->connect_timeout;
	copy->head_limit = http->head_limit;
	copy->upgrade_idle_timeout = http->upgrade_idle_timeout;
	if (str_copy(http->client_ca, &copy->client_ca) < 0 ||
	    copy_prefixes(&http->trusted_proxies, &copy->trusted_proxies) < 0 ||
	    copy_prefixes(&http->proxy_sources, &copy->proxy_sources) < 0 ||
	    copy_lists(http, copy) < 0)
		return NULL;
	return take_ptr(copy);
}

static bool same_name(char *const *a, char *const *b)
{
	return str_equal(*a, *b);
}

static bool same_pattern(const struct pattern *a, const struct pattern *b)
{
	return a->kind == b->kind && str_equal(a->text, b->text);
}

static bool same_condition(const struct http_condition *a, const struct http_condition *b)
{
	return a->field == b->field && str_equal(a->key, b->key) &&
	       vec_equal(&a->values, &b->values, same_pattern) &&
	       vec_equal(&a->addresses, &b->addresses, addr_prefix_equal);
}

static bool same_header(const struct http_header *a, const struct http_header *b)
{
	return str_equal(a->name, b->name) && str_equal(a->value, b->value);
}

static bool same_rule(const struct http_rule *a, const struct http_rule *b)
{
	return !strcmp(a->name, b->name) && a->priority == b->priority && a->action == b->action &&
	       a->code == b->code && a->group == b->group && str_equal(a->url, b->url) &&
	       str_equal(a->content_type, b->content_type) && str_equal(a->body, b->body) &&
	       str_equal(a->host, b->host) && str_equal(a->path, b->path) &&
	       str_equal(a->query, b->query) &&
	       vec_equal(&a->conditions, &b->conditions, same_condition) &&
	       vec_equal(&a->add_headers, &b->add_headers, same_header) &&
	       vec_equal(&a->remove_headers, &b->remove_headers, same_name);
}

static bool same_certificate(const struct http_certificate *a, const struct http_certificate *b)
{
	return str_equal(a->certificate, b->certificate) && str_equal(a->key, b->key);
}

bool http_equal(const struct http *a, const struct http *b)
{
	if (!a || !b)
		return a == b;
	return a->tls == b->tls && a->rule_order == b->rule_order &&
	       a->x_forwarded == b->x_forwarded && a->tunnel == b->tunnel &&
	       a->syn_cookies == b->syn_cookies && a->kernel_routing == b->kernel_routing &&
	       a->tls_minimum == b->tls_minimum && a->header_timeout == b->header_timeout &&
	       a->connect_timeout == b->connect_timeout && a->head_limit == b->head_limit &&
	       a->request_timeout == b->request_timeout &&
	       a->upgrade_idle_timeout == b->upgrade_idle_timeout &&
	       str_equal(a->client_ca, b->client_ca) &&
	       vec_equal(&a->certificates, &b->certificates, same_certificate) &&
	       vec_equal(&a->trusted_proxies, &b->trusted_proxies, addr_prefix_equal) &&
	       vec_equal(&a->proxy_sources, &b->proxy_sources, addr_prefix_equal) &&
	       vec_equal(&a->rules, &b->rules, same_rule);
}
