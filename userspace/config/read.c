// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/read.h"

#include <string.h>

#include "config/cut.h"
#include "util/str.h"

/* Free keys of a mapping. */
#define MAP_MAX 32

static void read_node(struct report *report, struct tree_node *node, const struct schema_key *key);

static const struct schema_key *find_key(const struct schema_object *object, const char *name)
{
	for (size_t i = 0; i < object->count; i++)
		if (!strcmp(object->keys[i].name, name))
			return &object->keys[i];
	return NULL;
}

/* Makes a mapping one of the object's keys, of which none is read yet. false: out of memory, which
 * is in the report. */
static bool make_fields(struct report *report, struct tree_node *map,
			const struct schema_object *object)
{
	map->fields = arena_alloc(report->arena, object->count * sizeof(struct tree_node *));
	if (!map->fields) {
		report->error = -ENOMEM;
		return false;
	}
	map->flags |= TREE_GOOD;
	return true;
}

static struct tree_node **field_of(const struct tree_node *map, const struct schema_object *object,
				   const struct schema_key *key)
{
	return &map->fields[key - object->keys];
}

static void list_keys(const struct schema_object *object, struct str *ret)
{
	for (size_t i = 0; i < object->count; i++)
		str_add(ret, "%s%s", i ? ", " : "", object->keys[i].name);
}

static bool looks_like_address(const char *name)
{
	struct addr addr;

	return strchr(name, ':') || !addr_parse(name, &addr);
}

static void unknown_key(struct report *report, struct tree_node *node,
			const struct schema_object *object)
{
	const char *name = node->key->text;
	struct str_nearest nearest = { .word = name };
	_cleanup_(str_fini) struct str keys = {};
	struct tree_node **field;
	char quoted[STR_QUOTE_MAX];

	str_quote(name, strlen(name), quoted);
	if (looks_like_address(name)) {
		tree_error_at_key(report, node,
				  "'%s:' reads as a key; write HOST:PORT without a blank, and "
				  "quote a value that ends with ':'",
				  quoted);
		node->key->flags |= TREE_TAINTED;
		return;
	}
	for (size_t i = 0; i < object->count; i++)
		str_nearest_offer(&nearest, object->keys[i].name);
	if (nearest.best) {
		tree_error_at_key(report, node, "unknown key '%s'; did you mean '%s'?", quoted,
				  nearest.best);
		/* Meant, but not read: so nobody says that it is missing. */
		node->schema = find_key(object, nearest.best);
		field = field_of(node->parent, object, node->schema);
		*field = *field ?: node;
		return;
	}
	list_keys(object, &keys);
	tree_error_at_key(report, node, "unknown key '%s'; a%s %s has: %s", quoted,
			  strchr("aeiou", object->name[0]) ? "n" : "", object->name,
			  keys.text ? keys.text : "");
}

static void read_item(struct report *report, struct tree_node *map, size_t index,
		      const struct schema_object *object)
{
	struct tree_node *item = map->items.items[index], **field;
	const struct schema_key *key;

	if (item->key->kind != TREE_TEXT || (item->key->flags & TREE_TAINTED))
		return;
	key = find_key(object, item->key->text);
	if (!key) {
		unknown_key(report, item, object);
		return;
	}
	field = field_of(map, object, key);
	if (*field && !strcmp((*field)->key->text, key->name)) {
		tree_error_at_key(report, item, "key '%s' is given twice; first in line %u",
				  key->name, (*field)->key->line);
		return;
	}
	read_node(report, item, key);
	*field = map->items.items[index]; /* a list may be in its place now */
}

/* A key that YAML misunderstood: nobody knows what the mapping was meant to be. */
static bool has_bad_key(const struct tree_node *map)
{
	vec_foreach(item, &map->items)
		if ((*item)->key && ((*item)->key->flags & TREE_TAINTED))
			return true;
	return false;
}

static void miss_keys(struct report *report, struct tree_node *map,
		      const struct schema_object *object)
{
	if ((map->flags & TREE_OPEN) || has_bad_key(map))
		return;
	for (size_t i = 0; i < object->count; i++)
		if ((object->keys[i].flags & SCHEMA_REQUIRED) && !map->fields[i])
			tree_error(report, map, "missing key '%s' (%s)", object->keys[i].name,
				   object->keys[i].help);
}

static void read_object(struct report *report, struct tree_node *node, const struct schema_key *key)
{
	_cleanup_(str_fini) struct str keys = {};

	if (node->kind != TREE_MAP) {
		list_keys(key->object, &keys);
		tree_error(report, node, "expected a mapping with the keys of a%s %s: %s",
			   strchr("aeiou", key->object->name[0]) ? "n" : "", key->object->name,
			   keys.text ? keys.text : "");
		return;
	}
	if (!make_fields(report, node, key->object))
		return;
	for (size_t i = 0; i < node->items.count; i++)
		read_item(report, node, i, key->object);
	miss_keys(report, node, key->object);
}

static bool is_empty(const struct tree_node *node)
{
	return node->kind == TREE_TEXT && !*node->text && !(node->flags & TREE_QUOTED);
}

static void read_text(struct report *report, struct tree_node *node, const struct schema_key *key)
{
	struct err err = {};

	if (node->kind != TREE_TEXT) {
		tree_error(report, node, "expected one value for %s, not a %s", key->name,
			   node->kind == TREE_LIST ? "list" : "mapping");
		return;
	}
	if ((key->flags & SCHEMA_EMPTY) && is_empty(node))
		tree_error(report, node, "%s has no value; write \"\" for an empty one", key->name);
	else if (value_read(key, node->text, &node->value, &err) < 0)
		tree_error(report, node, "%s", err.text);
	else
		node->flags |= TREE_GOOD;
}

/* Makes a text a mapping whose items are parts of it. */
static bool become_map(struct report *report, struct tree_node *node,
		       const struct schema_object *object)
{
	node->kind = TREE_MAP;
	return make_fields(report, node, object);
}

static void read_port_texts(struct report *report, struct tree_node *node,
			    const struct schema_key *key)
{
	struct cut_part part;
	size_t at = 0;

	if (node->kind != TREE_TEXT) {
		read_text(report, node, key);
		return;
	}
	node->kind = TREE_LIST; /* of parts of it */
	node->flags |= TREE_GOOD;
	while (cut_port(node->text, &at, &part)) {
		struct tree_node *port = tree_derive(report, node, part.from, part.size, node);

		if (!port)
			return;
		port->schema = key;
		read_text(report, port, key);
	}
}

static void derive_key(struct report *report, struct tree_node *node, struct cut_part part,
		       const struct schema_object *object, unsigned id)
{
	struct tree_node *item = tree_derive(report, node, part.from, part.size, node);

	if (!item)
		return;
	read_node(report, item, &object->keys[id]);
	node->fields[id] = node->items.items[node->items.count - 1];
}

static void read_endpoint(struct report *report, struct tree_node *node,
			  const struct schema_key *key)
{
	struct cut_endpoint_parts parts;
	struct cut_part wrong;
	struct tree_node *place;
	struct err err = {};

	if (node->kind != TREE_TEXT) {
		read_object(report, node, key);
		return;
	}
	if (cut_endpoint(node->text, &parts, &wrong, &err) < 0) {
		place = tree_derive(report, node, wrong.from, wrong.size, node);
		if (place)
			tree_error(report, place, "%s", err.text);
		return;
	}
	if (!become_map(report, node, key->object))
		return;
	derive_key(report, node, parts.address, key->object, ENDPOINT_ADDRESS);
	if (parts.has_port)
		derive_key(report, node, parts.port, key->object, ENDPOINT_PORT);
	if (parts.has_weight)
		derive_key(report, node, parts.weight, key->object, ENDPOINT_WEIGHT);
}

/* A value where a mapping is due, of which it is one key. */
static void read_scalar(struct report *report, struct tree_node *node,
			const struct schema_object *object)
{
	struct cut_part all = { .size = strlen(node->text) };

	if (become_map(report, node, object))
		derive_key(report, node, all, object, object->scalar - object->keys);
}

/* The name of a free key: read like a value, and given once. */
static bool read_free_name(struct report *report, struct tree_node *item,
			   const struct tree_node *map, const struct schema_key *key)
{
	union value value;
	struct err err = {};

	if (item->key->kind != TREE_TEXT || (item->key->flags & TREE_TAINTED))
		return false;
	if (value_read(key, item->key->text, &value, &err) < 0) {
		tree_error_at_key(report, item, "%s", err.text);
		return false;
	}
	for (size_t i = 0; i < item->index; i++) {
		const struct tree_node *other = map->items.items[i];

		if (other->key->kind != TREE_TEXT || strcmp(other->key->text, item->key->text))
			continue;
		tree_error_at_key(report, item, "%s '%s' is given twice; first in line %u",
				  key->name, item->key->text, other->key->line);
		return false;
	}
	return true;
}

static void read_map(struct report *report, struct tree_node *node, const struct schema_key *key)
{
	const struct schema_key *keys = key->object->keys;

	if (node->kind != TREE_MAP) {
		tree_error(report, node, "expected a mapping for %s: { %s: %s }", key->name,
			   keys[FREE_NAME].name, keys[FREE_VALUE].name);
		return;
	}
	node->flags |= TREE_GOOD;
	if (node->items.count > MAP_MAX) {
		tree_error(report, node->items.items[MAP_MAX],
			   "%s has %zu keys; at most %u allowed", key->name, node->items.count,
			   MAP_MAX);
		return;
	}
	/* By index: reading an item can put a list in its place. */
	for (size_t i = 0; i < node->items.count; i++)
		if (read_free_name(report, node->items.items[i], node, &keys[FREE_NAME]))
			read_node(report, node->items.items[i], &keys[FREE_VALUE]);
	if (!node->items.count && !(node->flags & TREE_OPEN))
		tree_error(report, node, "%s is empty; at least one %s needed", key->name,
			   keys[FREE_NAME].name);
}

/* There is nothing to read, or an error about it already. */
static bool is_spoilt(const struct tree_node *node, const struct schema_key *key)
{
	bool map = key->type == SCHEMA_OBJECT || key->type == SCHEMA_ENDPOINT ||
		   key->type == SCHEMA_MAP;

	if (node->kind == TREE_TEXT)
		return node->flags & (TREE_TAINTED | TREE_OPEN);
	return (node->flags & TREE_OPEN) && !(map && node->kind == TREE_MAP);
}

static void read_one(struct report *report, struct tree_node *node, const struct schema_key *key)
{
	node->schema = key;
	if (is_spoilt(node, key))
		return;
	switch (key->type) {
	case SCHEMA_OBJECT:
		if (node->kind == TREE_TEXT && key->object->scalar && !is_empty(node))
			read_scalar(report, node, key->object);
		else
			read_object(report, node, key);
		break;
	case SCHEMA_MAP:
		read_map(report, node, key);
		break;
	case SCHEMA_ENDPOINT:
		read_endpoint(report, node, key);
		break;
	case SCHEMA_PORTS:
		read_port_texts(report, node, key);
		break;
	default:
		read_text(report, node, key);
	}
}

static void count_items(struct report *report, struct tree_node *list, const struct schema_key *key)
{
	unsigned min = key->min_items, max = key->max_items;

	if (list->items.count < min && !(list->flags & TREE_OPEN))
		tree_error(report, list, "%s is empty; at least %u needed", key->name, min);
	if (!max || list->items.count <= max)
		return;
	if (min == max)
		tree_error(report, list->items.items[max], "%s has %zu items; exactly %u allowed",
			   key->name, list->items.count, max);
	else
		tree_error(report, list->items.items[max], "%s has %zu items; at most %u allowed",
			   key->name, list->items.count, max);
}

static void read_list(struct report *report, struct tree_node *node, const struct schema_key *key)
{
	bool object = key->type == SCHEMA_OBJECT;
	struct tree_node *list = node;

	if (node->flags & TREE_OPEN && node->kind != TREE_LIST)
		return;
	if (node->kind == TREE_TEXT && (node->flags & TREE_TAINTED))
		return;
	if (node->kind == TREE_MAP || (node->kind == TREE_TEXT && object)) {
		tree_error(report, node, "expected a list for %s; begin each item with '- '",
			   key->name);
		return;
	}
	if (node->kind == TREE_TEXT)
		list = tree_wrap(report, node);
	if (!list)
		return;
	list->schema = key;
	list->flags |= TREE_GOOD;
	for (size_t i = 0; i < list->items.count; i++)
		read_one(report, list->items.items[i], key);
	count_items(report, list, key);
}

static void read_node(struct report *report, struct tree_node *node, const struct schema_key *key)
{
	node->schema = key;
	if ((key->flags & SCHEMA_LIST) && is_empty(node) && !(node->flags & TREE_OPEN))
		tree_error(report, node, "%s has no value; expected a list", key->name);
	else if (key->flags & SCHEMA_LIST)
		read_list(report, node, key);
	else
		read_one(report, node, key);
}

void read_tree(struct report *report, struct tree_node *root, const struct schema_key *schema)
{
	read_one(report, root, schema);
}
