// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/fields.h"

#include <netinet/in.h>

struct tree_node *fields_get(const struct tree_node *map, unsigned id)
{
	struct tree_node *field = map->fields[id];

	return field && (field->flags & TREE_GOOD) ? field : NULL;
}

bool fields_known(const struct tree_node *map, unsigned id)
{
	const struct tree_node *field = map->fields[id];

	return !field || (field->flags & TREE_GOOD);
}

int64_t fields_number(const struct tree_node *map, unsigned id)
{
	const struct tree_node *node = fields_get(map, id);

	return node ? node->value.number : map->schema->object->keys[id].fallback;
}

const char *fields_text(const struct tree_node *map, unsigned id)
{
	const struct tree_node *node = fields_get(map, id);

	return node ? node->text : "";
}

/* An endpoint is an item of a list of its group. */
struct tree_node *fields_port(const struct tree_node *endpoint)
{
	return fields_get(endpoint, ENDPOINT_PORT)
		       ?: fields_get(endpoint->parent->parent, GROUP_PORT_OVERRIDE);
}

bool fields_port_known(const struct tree_node *endpoint)
{
	return fields_known(endpoint, ENDPOINT_PORT) &&
	       fields_known(endpoint->parent->parent, GROUP_PORT_OVERRIDE);
}

bool fields_is_http(const struct tree_node *listener)
{
	int64_t protocol = fields_number(listener, LISTENER_PROTOCOL);

	return protocol == SCHEMA_PROTOCOL_HTTP || protocol == SCHEMA_PROTOCOL_HTTPS;
}

uint8_t fields_transport(const struct tree_node *listener)
{
	return fields_is_http(listener) ? IPPROTO_TCP : fields_number(listener, LISTENER_PROTOCOL);
}

unsigned fields_modes(const struct tree_node *listener, const struct tree_node *endpoint)
{
	const struct tree_node *own = fields_get(endpoint, ENDPOINT_MODE);

	if (own)
		return 1u << own->value.number;
	if (!fields_known(endpoint, ENDPOINT_MODE) || !fields_known(listener, LISTENER_MODE))
		return (1u << WEIR_MODE_COUNT) - 1;
	return 1u << fields_number(listener, LISTENER_MODE);
}

int fields_items(const struct tree_node *map, unsigned id, struct node_list *ret)
{
	const struct tree_node *list = fields_get(map, id);

	if (!list)
		return 0;
	vec_foreach(item, &list->items)
		if (((*item)->flags & TREE_GOOD) && vec_push(&ret->nodes, *item) < 0)
			return -ENOMEM;
	return 0;
}

void fields_items_fini(struct node_list *list)
{
	vec_free(&list->nodes);
}

int fields_ports(const struct tree_node *map, unsigned id, struct node_list *ret)
{
	_cleanup_(fields_items_fini) struct node_list texts = {};
	int r = fields_items(map, id, &texts);

	if (r < 0)
		return r;
	vec_foreach(text, &texts.nodes)
		vec_foreach(port, &(*text)->items)
			if (((*port)->flags & TREE_GOOD) && vec_push(&ret->nodes, *port) < 0)
				return -ENOMEM;
	return 0;
}

bool fields_is_domain(const struct tree_node *address)
{
	static const struct addr none; /* which read.c stores of a name, and no host has */

	return addr_equal(&address->value.addr, &none);
}

uint8_t fields_type(const struct tree_node *endpoint)
{
	const struct tree_node *type = fields_get(endpoint, ENDPOINT_TYPE);
	const struct tree_node *address = fields_get(endpoint, ENDPOINT_ADDRESS);

	if (type)
		return type->value.number;
	return address && fields_is_domain(address) ? TYPE_CUSTOM_DOMAIN : TYPE_CUSTOM_IP;
}
