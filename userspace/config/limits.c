// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "config/cut.h"
#include "config/fields.h"

struct checker {
	struct report *report;
	const struct tree_node *map; /* limits: of the file, or NULL */
	bool profile_known;
	struct limits limits;
};

static const struct schema_key *key_of(enum limit limit)
{
	return &schema_root.object->keys[ROOT_LIMITS].object->keys[limit];
}

const char *limits_key(enum limit limit)
{
	return key_of(limit)->name;
}

void limits_fini(struct limits *limits)
{
	vec_free(&limits->reserved_udp_ports);
}

/* One value of a key that is no list, or one of a list. */
static int take(struct limits *limits, enum limit limit, const union value *value)
{
	struct limit_range *range = &limits->range[limit];

	switch (key_of(limit)->type) {
	case SCHEMA_PORTS:
		return vec_push(&limits->reserved_udp_ports, value->ports);
	case SCHEMA_SPAN:
		*range = (struct limit_range){ value->span.from / 1000, value->span.to / 1000 };
		return 0;
	default:
		if (key_of(limit)->flags & SCHEMA_LIST) /* a set */
			range->max |= value->number;
		else
			range->max = value->number;
		range->min = range->max;
		return 0;
	}
}

static int take_text(struct limits *limits, enum limit limit, const char *text)
{
	const struct schema_key *key = key_of(limit);
	struct cut_part part;
	size_t at = 0;

	while (*text && cut_port(text, &at, &part)) {
		char one[32] = "";
		union value value;

		snprintf(one, sizeof(one), "%.*s", (int)part.size, text + part.from);
		if (!value_read(key, one, &value, NULL) && take(limits, limit, &value) < 0)
			return -ENOMEM;
	}
	return 0;
}

int limits_of_profile(enum schema_profile profile, struct limits *ret)
{
	*ret = (struct limits){ .range[LIMIT_PROFILE] = { profile, profile } };
	for (enum limit limit = LIMIT_PROFILE + 1; limit < LIMIT_COUNT; limit++)
		if (take_text(ret, limit, key_of(limit)->profiles[profile]) < 0)
			return -ENOMEM;
	return 0;
}

static int take_list(struct limits *limits, enum limit limit, const struct tree_node *map)
{
	_cleanup_(fields_items_fini) struct node_list items = {};
	bool ports = key_of(limit)->type == SCHEMA_PORTS;

	if (ports)
		vec_free(&limits->reserved_udp_ports);
	else
		limits->range[limit] = (struct limit_range){};
	if ((ports ? fields_ports : fields_items)(map, limit, &items) < 0)
		return -ENOMEM;
	vec_foreach(item, &items.nodes)
		if (take(limits, limit, &(*item)->value) < 0)
			return -ENOMEM;
	return 0;
}

int limits_read(const struct tree_node *root, struct limits *ret)
{
	const struct tree_node *map = fields_get(root, ROOT_LIMITS);
	enum schema_profile profile = SCHEMA_PROFILE_DEFAULT;

	if (map)
		profile = fields_number(map, LIMIT_PROFILE);
	if (limits_of_profile(profile, ret) < 0)
		return -ENOMEM;
	for (enum limit limit = LIMIT_PROFILE + 1; map && limit < LIMIT_COUNT; limit++) {
		const struct tree_node *node = fields_get(map, limit);
		int r = 0;

		if (node)
			r = node->kind == TREE_LIST ? take_list(ret, limit, map)
						    : take(ret, limit, &node->value);
		if (r < 0)
			return r;
	}
	return 0;
}

static const char *choice_name(const struct schema_key *key, int value)
{
	const struct schema_choice *choice = key->choices;

	while (choice->name && choice->value != value)
		choice++;
	return choice->name ?: "?";
}

static void print_ports(const struct limits *limits, struct str *out)
{
	const char *comma = "";

	str_add(out, "[");
	vec_foreach(ports, &limits->reserved_udp_ports) {
		str_add(out, "%s%u", comma, ports->first);
		if (ports->last != ports->first)
			str_add(out, "-%u", ports->last);
		comma = ", ";
	}
	str_add(out, "]");
}

/* "all", or the members. */
static void print_set(const struct schema_key *key, uint32_t set, struct str *out)
{
	const char *comma = "";

	str_add(out, "[");
	for (const struct schema_choice *choice = key->choices; set && choice->name; choice++) {
		if (((uint32_t)choice->value & set) != (uint32_t)choice->value)
			continue;
		str_add(out, "%s%s", comma, choice->name);
		comma = ", ";
		set &= ~choice->value;
	}
	str_add(out, "]");
}

void limits_print(const struct limits *limits, enum limit limit, struct str *out)
{
	const struct schema_key *key = key_of(limit);
	const struct limit_range *range = &limits->range[limit];

	switch (key->type) {
	case SCHEMA_PORTS:
		print_ports(limits, out);
		break;
	case SCHEMA_SPAN:
		str_add(out, "%us-%us", range->min, range->max);
		break;
	case SCHEMA_BOOL:
		str_add(out, "%s", range->max ? "true" : "false");
		break;
	case SCHEMA_CHOICE:
		if (key->flags & SCHEMA_LIST)
			print_set(key, range->max, out);
		else
			str_add(out, "%s", choice_name(key, range->max));
		break;
	default:
		str_add(out, "%u", range->max);
	}
}

/* What is asked for, and the value of the limit that would do. */
struct excess {
	enum limit limit;
	struct limit_range wanted;
	struct tree_node *node;
};

static bool is_known(const struct checker *checker, enum limit limit)
{
	if (checker->map && fields_get(checker->map, limit))
		return true;
	return checker->profile_known && (!checker->map || fields_known(checker->map, limit));
}

/* "; limit KEY is 4 (profile ga-2021); to raise it: limits: { KEY: 5 }" behind the message. */
static void add_limit(const struct checker *checker, const struct excess *excess, struct str *out)
{
	const struct schema_key *key = key_of(excess->limit);
	const struct limits *limits = &checker->limits;
	const struct tree_node *own = NULL;
	int64_t unit = key->type == SCHEMA_SPAN ? 1000 : 1;
	const char *change = key->type == SCHEMA_SPAN				      ? "widen"
			     : key->type == SCHEMA_CHOICE || key->type == SCHEMA_BOOL ? "change"
										      : "raise";

	if (checker->map)
		own = fields_get(checker->map, excess->limit);
	str_add(out, "; limit %s is ", key->name);
	limits_print(limits, excess->limit, out);
	if (own)
		str_add(out, " (line %u)", own->line);
	else
		str_add(out, " (profile %s)",
			choice_name(key_of(LIMIT_PROFILE), limits->range[LIMIT_PROFILE].max));
	if (key->type == SCHEMA_PORTS) {
		str_add(out, "; to use it, leave it out of limits: { %s: [...] }", key->name);
	} else if (key->type == SCHEMA_CHOICE || key->type == SCHEMA_BOOL ||
		   excess->wanted.max * unit <= key->max) {
		struct limits wanted = {};

		wanted.range[excess->limit] = excess->wanted;
		str_add(out, "; to %s it: limits: { %s: ", change, key->name);
		limits_print(&wanted, excess->limit, out);
		str_add(out, " }");
	} else {
		str_add(out, ", and can be at most %lld", (long long)(key->max / unit));
	}
}

static void refuse(const struct checker *checker, const struct excess *excess, const char *format,
		   ...) __attribute__((format(printf, 3, 4)));

static void refuse(const struct checker *checker, const struct excess *excess, const char *format,
		   ...)
{
	_cleanup_(str_fini) struct str text = {};
	va_list arguments;

	if (!is_known(checker, excess->limit))
		return;
	va_start(arguments, format);
	str_vadd(&text, format, arguments);
	va_end(arguments);
	add_limit(checker, excess, &text);
	if (text.failed)
		checker->report->error = -ENOMEM;
	else
		tree_error(checker->report, excess->node, "%s", text.text);
}

/* `count` of something, of which `node` is the first that is too many. */
static void check_count(const struct checker *checker, enum limit limit, size_t count,
			struct tree_node *node, const char *what)
{
	struct excess excess = { limit, { count, count }, node };

	if (count > checker->limits.range[limit].max)
		refuse(checker, &excess, "%zu %s", count, what);
}

static void check_items(const struct checker *checker, enum limit limit,
			const struct tree_node *list, const char *what)
{
	uint32_t max = checker->limits.range[limit].max;

	if (list && list->items.count > max)
		check_count(checker, limit, list->items.count, list->items.items[max], what);
}

static void check_reserved(const struct checker *checker, struct tree_node *port)
{
	const struct port_range *wanted = &port->value.ports;
	struct excess excess = { .limit = LIMIT_RESERVED_UDP_PORTS, .node = port };

	vec_foreach(reserved, &checker->limits.reserved_udp_ports) {
		if (reserved->last < wanted->first || reserved->first > wanted->last)
			continue;
		refuse(checker, &excess, "UDP port %u is reserved",
		       wanted->first > reserved->first ? wanted->first : reserved->first);
		return;
	}
}

static void check_ports(const struct checker *checker, const struct tree_node *listener)
{
	_cleanup_(fields_items_fini) struct node_list ports = {};
	bool udp = fields_transport(listener) == IPPROTO_UDP;
	size_t count = 0;

	if (fields_ports(listener, LISTENER_PORT, &ports) < 0) {
		checker->report->error = -ENOMEM;
		return;
	}
	vec_foreach(port, &ports.nodes) {
		const struct port_range *range = &(*port)->value.ports;
		uint32_t last = range->last;
		struct excess excess = { LIMIT_PORT_MAX, { last, last }, *port };

		count += last - range->first + 1u;
		if (last > checker->limits.range[LIMIT_PORT_MAX].max)
			refuse(checker, &excess, "port %u", last);
		if (udp)
			check_reserved(checker, *port);
	}
	if (!fields_is_http(listener))
		check_count(checker, LIMIT_PORTS, count, fields_get(listener, LISTENER_PORT),
			    "ports in a listener");
}

enum limit limits_of_idle(int64_t protocol)
{
	return protocol == IPPROTO_UDP	 ? LIMIT_IDLE_UDP
	       : protocol == IPPROTO_TCP ? LIMIT_IDLE_TCP
					 : LIMIT_IDLE_HTTP;
}

static void check_idle_timeout(const struct checker *checker, const struct tree_node *listener)
{
	struct tree_node *node = fields_get(listener, LISTENER_IDLE_TIMEOUT);
	enum limit limit = limits_of_idle(fields_number(listener, LISTENER_PROTOCOL));
	struct excess excess = { limit, checker->limits.range[limit], node };
	uint32_t wanted = node ? node->value.number / 1000 : 0;

	if (!node || !fields_get(listener, LISTENER_PROTOCOL) ||
	    (wanted >= excess.wanted.min && wanted <= excess.wanted.max))
		return;
	if (wanted < excess.wanted.min)
		excess.wanted.min = wanted;
	else
		excess.wanted.max = wanted;
	refuse(checker, &excess, "idle_timeout '%s'", node->text);
}

static void check_groups(const struct checker *checker, const struct node_list *groups)
{
	static const struct {
		enum limit limit;
		const char *what;
	} types[] = { { LIMIT_DEFAULT_GROUPS, "default groups in a listener" },
		      { LIMIT_VIRTUAL_GROUPS, "virtual groups in a listener" } };

	for (int type = 0; type < 2; type++) {
		struct tree_node *culprit = NULL;
		size_t count = 0;

		vec_foreach(group, &groups->nodes) {
			if (!fields_known(*group, GROUP_TYPE) ||
			    fields_number(*group, GROUP_TYPE) != type)
				continue;
			if (++count == checker->limits.range[types[type].limit].max + 1u)
				culprit = *group;
		}
		if (culprit)
			check_count(checker, types[type].limit, count, culprit, types[type].what);
	}
}

static void check_rule_order(const struct checker *checker, const struct tree_node *listener)
{
	struct tree_node *node = fields_get(listener, LISTENER_RULE_ORDER);
	struct excess excess = { LIMIT_RULE_ORDER, { HTTP_PRIORITY, HTTP_PRIORITY }, node };

	if (node && node->value.number > checker->limits.range[LIMIT_RULE_ORDER].max)
		refuse(checker, &excess, "rule_order '%s'", node->text);
}

/* The keys RULE_HOST to RULE_SOURCE_IP are in the order of enum http_field. */
static void check_conditions(const struct checker *checker, const struct tree_node *rule)
{
	for (int field = 0; field < HTTP_FIELDS; field++) {
		struct tree_node *node = fields_get(rule, RULE_HOST + field);
		uint32_t allowed = checker->limits.range[LIMIT_RULE_CONDITIONS].max;
		uint32_t wanted = allowed | 1u << field;
		struct excess excess = { LIMIT_RULE_CONDITIONS, { wanted, wanted }, node };

		if (node && wanted != allowed)
			refuse(checker, &excess, "condition %s", node->schema->name);
	}
}

static void check_instances(const struct checker *checker, const struct tree_node *group)
{
	_cleanup_(fields_items_fini) struct node_list endpoints = {};

	if (checker->limits.range[LIMIT_INSTANCE_ENDPOINTS].max)
		return;
	if (fields_items(group, GROUP_ENDPOINTS, &endpoints) < 0)
		checker->report->error = -ENOMEM;
	vec_foreach(endpoint, &endpoints.nodes) {
		struct tree_node *type = fields_get(*endpoint, ENDPOINT_TYPE);
		struct excess excess = { LIMIT_INSTANCE_ENDPOINTS, { true, true }, type };

		if (type && type->value.number > TYPE_CUSTOM_DOMAIN)
			refuse(checker, &excess, "an endpoint of type %s", type->text);
	}
}

static void check_listener(const struct checker *checker, const struct tree_node *listener)
{
	_cleanup_(fields_items_fini) struct node_list groups = {}, rules = {};

	check_ports(checker, listener);
	check_idle_timeout(checker, listener);
	check_rule_order(checker, listener);
	if (fields_items(listener, LISTENER_GROUPS, &groups) < 0 ||
	    fields_items(listener, LISTENER_RULES, &rules) < 0) {
		checker->report->error = -ENOMEM;
		return;
	}
	check_groups(checker, &groups);
	vec_foreach(rule, &rules.nodes)
		check_conditions(checker, *rule);
	vec_foreach(group, &groups.nodes) {
		check_items(checker, LIMIT_ENDPOINTS, fields_get(*group, GROUP_ENDPOINTS),
			    "endpoints in a group");
		check_instances(checker, *group);
	}
}

void limits_check(struct report *report, struct tree_node *root)
{
	_cleanup_(fields_items_fini) struct node_list listeners = {};
	const struct tree_node *map = fields_get(root, ROOT_LIMITS);
	struct checker checker = {
		.report = report,
		.map = map,
		.profile_known = fields_known(root, ROOT_LIMITS) &&
				 (!map || fields_known(map, LIMIT_PROFILE)),
	};

	if (limits_read(root, &checker.limits) < 0 ||
	    fields_items(root, ROOT_LISTENERS, &listeners) < 0)
		report->error = -ENOMEM;
	check_items(&checker, LIMIT_LISTENERS, fields_get(root, ROOT_LISTENERS), "listeners");
	vec_foreach(listener, &listeners.nodes)
		check_listener(&checker, *listener);
	limits_fini(&checker.limits);
}
