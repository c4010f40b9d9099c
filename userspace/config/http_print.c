// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/http_print.h"

static void print_prefixes(const struct addr_prefixes *prefixes, struct str *out)
{
	char text[ADDR_PREFIX_MAX];
	const char *comma = "";

	str_add(out, "[");
	vec_foreach(prefix, prefixes) {
		str_add(out, "%s\"%s\"", comma, addr_prefix_print(prefix, text));
		comma = ", ";
	}
	str_add(out, "]\n");
}

/* "KEY: "VALUE"" on a line of its own, if there is a value. */
static void print_text(struct str *out, const char *key, const char *value)
{
	if (!value)
		return;
	str_add(out, "%s: ", key);
	str_add_quoted(out, value);
	str_add(out, "\n");
}

static void print_x_forwarded(const struct http *http, struct str *out)
{
	if (!http->x_forwarded)
		return;
	str_add(out, "    x_forwarded:\n");
	if (http->x_forwarded & HTTP_X_FORWARDED_PROTO)
		str_add(out, "      - proto\n");
	if (http->x_forwarded & HTTP_X_FORWARDED_PORT)
		str_add(out, "      - port\n");
	if (http->x_forwarded & HTTP_X_REAL_IP)
		str_add(out, "      - real_ip\n");
}

static void print_tls(const struct http *http, struct str *out)
{
	const struct http_certificate *first = http->certificates.items;

	if (!http->tls)
		return;
	str_add(out, "    tls:\n");
	print_text(out, "      certificate", first->certificate);
	print_text(out, "      key", first->key);
	str_add(out, "      minimum_version: %s\n", http->tls_minimum == 13 ? "1.3" : "1.2");
	print_text(out, "      client_ca", http->client_ca);
	if (http->certificates.count > 1)
		str_add(out, "      more_certificates:\n");
	for (size_t i = 1; i < http->certificates.count; i++) {
		print_text(out, "        - certificate", first[i].certificate);
		print_text(out, "          key", first[i].key);
	}
}

void http_print(const struct http *http, struct str *out)
{
	static const char *const tunnels[] = {
		[HTTP_TUNNEL_AUTO] = "auto",
		[HTTP_TUNNEL_COPY] = "copy",
		[HTTP_TUNNEL_SPLICE] = "splice",
	};

	str_add(out, "    request_timeout: %us\n", http->request_timeout);
	str_add(out, "    upgrade_idle_timeout: %us\n", http->upgrade_idle_timeout);
	str_add(out, "    header_timeout: %us\n", http->header_timeout);
	str_add(out, "    connect_timeout: %ums\n", http->connect_timeout);
	str_add(out, "    head_limit: %u\n", http->head_limit);
	str_add(out, "    tunnel: %s\n", tunnels[http->tunnel]);
	str_add(out, "    syn_cookies: %s\n", http->syn_cookies ? "true" : "false");
	str_add(out, "    kernel_routing: %s\n", http->kernel_routing ? "true" : "false");
	str_add(out, "    rule_order: %s\n",
		http->rule_order == HTTP_PRIORITY ? "priority" : "domain_first");
	print_x_forwarded(http, out);
	if (http->trusted_proxies.count) {
		str_add(out, "    trusted_proxies: ");
		print_prefixes(&http->trusted_proxies, out);
	}
	if (http->proxy_sources.count) {
		str_add(out, "    proxy_protocol_in:\n      from: ");
		print_prefixes(&http->proxy_sources, out);
	}
	print_tls(http, out);
}

static void print_values(const struct http_condition *condition, struct str *out)
{
	const char *comma = "";

	if (condition->field == HTTP_SOURCE_IP) {
		print_prefixes(&condition->addresses, out);
		return;
	}
	str_add(out, "[");
	vec_foreach(value, &condition->values) {
		_cleanup_(str_fini) struct str text = {};

		str_add(&text, "%s%s", value->kind == PATTERN_REGEX ? "~" : "", value->text);
		str_add(out, "%s", comma);
		str_add_quoted(out, text.text ?: "");
		comma = ", ";
	}
	str_add(out, "]\n");
}

/* Conditions of one field follow each other. */
static void print_conditions(const struct http_rule *rule, struct str *out)
{
	static const char *const names[HTTP_FIELDS] = {
		[HTTP_HOST] = "host",		[HTTP_PATH] = "path",	  [HTTP_HEADER] = "header",
		[HTTP_QUERY] = "query",		[HTTP_METHOD] = "method", [HTTP_COOKIE] = "cookie",
		[HTTP_SOURCE_IP] = "source_ip",
	};
	int last = -1;

	vec_foreach(condition, &rule->conditions) {
		if (condition->field != last)
			str_add(out, "        %s:%s", names[condition->field],
				condition->key ? "\n" : " ");
		last = condition->field;
		if (condition->key) {
			str_add(out, "          ");
			str_add_quoted(out, condition->key);
			str_add(out, ": ");
		}
		print_values(condition, out);
	}
}

static void print_forward(const struct http_rule *rule, struct str *out)
{
	if (rule->host || rule->path || rule->query)
		str_add(out, "        rewrite:\n");
	print_text(out, "          host", rule->host);
	print_text(out, "          path", rule->path);
	print_text(out, "          query", rule->query);
	if (rule->add_headers.count)
		str_add(out, "        add_header:\n");
	vec_foreach(header, &rule->add_headers) {
		str_add(out, "          ");
		str_add_quoted(out, header->name);
		print_text(out, "", header->value);
	}
	if (rule->remove_headers.count)
		str_add(out, "        remove_header:\n");
	vec_foreach(name, &rule->remove_headers) {
		str_add(out, "          - ");
		str_add_quoted(out, *name);
		str_add(out, "\n");
	}
}

static void print_rule(const struct listener *listener, const struct http_rule *rule,
		       struct str *out)
{
	const char *group = listener->groups.items[rule->group].name;

	switch (rule->action) {
	case HTTP_FORWARD:
		str_add(out, "      - forward: %s\n", group);
		print_forward(rule, out);
		break;
	case HTTP_REDIRECT:
		str_add(out, "      - redirect:\n          code: %u\n", rule->code);
		print_text(out, "          url", rule->url);
		break;
	case HTTP_FIXED_RESPONSE:
		str_add(out, "      - fixed_response:\n          code: %u\n", rule->code);
		print_text(out, "          content_type", rule->content_type);
		print_text(out, "          body", rule->body);
		break;
	default:
		str_add(out, "      - drop: true\n");
	}
	if (*rule->name)
		str_add(out, "        name: %s\n", rule->name);
	if (rule->priority)
		str_add(out, "        priority: %u\n", rule->priority);
	print_conditions(rule, out);
}

void http_print_rules(const struct listener *listener, struct str *out)
{
	if (listener->http->rules.count)
		str_add(out, "    forwarding_rules:\n");
	vec_foreach(rule, &listener->http->rules)
		print_rule(listener, rule, out);
}
