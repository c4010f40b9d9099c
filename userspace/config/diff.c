// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/diff.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/load.h"
#include "util/lookup.h"
#include "util/str.h"

/* A key of an object with its value: a text, or a list of texts. */
struct field {
	char *key;
	char *text;		      /* NULL: it is a list */
	const struct tree_node *list; /* of the tree */
};

/* An object, in the order of the text; children come after their parent. */
struct thing {
	const char *object; /* a constant, or in the tree */
	char *path;
	VEC(struct field) fields;
	size_t place; /* among those of its kind in its parent, from 1 */
};

struct things {
	VEC(struct thing) list;
	struct lookup by_path;
	struct tree tree;
};

void diff_fini(struct diff *diff)
{
	vec_foreach(item, &diff->items) {
		free(item->object);
		free(item->path);
		free(item->key);
		free(item->before);
		free(item->after);
	}
	vec_free(&diff->items);
}

static void things_fini(struct things *things)
{
	vec_foreach(thing, &things->list) {
		vec_foreach(field, &thing->fields) {
			free(field->key);
			free(field->text);
		}
		vec_free(&thing->fields);
		free(thing->path);
	}
	vec_free(&things->list);
	lookup_fini(&things->by_path);
	tree_fini(&things->tree);
}

static const struct tree_node *item_of(const struct tree_node *map, const char *key)
{
	vec_foreach(item, &map->items)
		if (map->kind == TREE_MAP && !strcmp((*item)->key->text, key))
			return *item;
	return NULL;
}

static const char *text_of(const struct tree_node *map, const char *key)
{
	const struct tree_node *item = item_of(map, key);

	return item && item->kind == TREE_TEXT ? item->text : NULL;
}

/* "10.0.0.1:80", "[2001:db8::1]:80": an endpoint's address with its port, however it is printed. */
static char *host_of(const struct tree_node *endpoint)
{
	const char *address = text_of(endpoint, "address") ?: "", *port = text_of(endpoint, "port");
	struct str host = {};

	if (endpoint->kind == TREE_TEXT)
		str_add(&host, "%.*s", (int)strcspn(endpoint->text, " "), endpoint->text);
	else if (port)
		str_add(&host, strchr(address, ':') ? "[%s]:%s" : "%s:%s", address, port);
	else
		str_add(&host, "%s", address);
	return str_take(&host);
}

static bool is_endpoint(const struct thing *thing)
{
	return !strcmp(thing->object, "endpoint");
}

/* What tells an item of a list from its siblings. */
static char *identity_of(const struct thing *thing, const struct tree_node *node)
{
	struct str text = {};

	if (text_of(node, "name"))
		str_add(&text, "%s", text_of(node, "name"));
	else if (is_endpoint(thing))
		return host_of(node);
	else if (text_of(node, "region"))
		str_add(&text, "%s", text_of(node, "region"));
	else if (text_of(node, "priority"))
		str_add(&text, "priority %s", text_of(node, "priority"));
	else
		str_add(&text, "%zu", thing->place);
	return str_take(&text);
}

static uint32_t hash_of(const struct thing *thing)
{
	uint32_t hash = lookup_hash(0, thing->object, strlen(thing->object));

	return lookup_hash(hash, thing->path, strlen(thing->path));
}

static struct thing *find_thing(const struct things *things, const struct thing *wanted)
{
	lookup_foreach(item, &things->by_path, hash_of(wanted)) {
		struct thing *thing = &things->list.items[item];

		if (!strcmp(thing->object, wanted->object) && !strcmp(thing->path, wanted->path))
			return thing;
	}
	return NULL;
}

/* Takes the path. */
static int add_thing(struct things *things, struct thing thing)
{
	int r = thing.path ? lookup_add(&things->by_path, hash_of(&thing), things->list.count)
			   : -ENOMEM;

	r = r ?: vec_push(&things->list, thing);
	if (r)
		free(thing.path);
	return r;
}

/* Takes the text. */
static int add_field(struct thing *thing, const char *prefix, const char *key, char *text,
		     const struct tree_node *list)
{
	struct field field = { .text = text, .list = list };
	struct str name = {};

	str_add(&name, "%s%s%s", prefix, *prefix ? "." : "", key);
	field.key = str_take(&name);
	if (field.key && (text || list) && !vec_push(&thing->fields, field))
		return 0;
	free(field.key);
	free(text);
	return -ENOMEM;
}

static bool is_list_of_objects(const struct tree_node *node)
{
	if (node->kind != TREE_LIST || !node->items.count)
		return false;
	return !strcmp(node->key->text, "endpoints") || node->items.items[0]->kind == TREE_MAP;
}

static int collect_list(struct things *things, const struct tree_node *list, const char *key,
			size_t parent);

/* All that is in an object; of which lists of objects come last, as they do in the text. */
static int collect_map(struct things *things, size_t at, const struct tree_node *map,
		       const char *prefix)
{
	int r = 0;

	vec_foreach(item, &map->items) {
		const char *key = (*item)->key->text;
		struct thing *thing = &things->list.items[at];

		if (r || (is_endpoint(thing) && (!strcmp(key, "address") || !strcmp(key, "port"))))
			continue;
		if (is_list_of_objects(*item)) {
			r = collect_list(things, *item, key, at);
		} else if ((*item)->kind == TREE_MAP) {
			struct str inner = {};
			_cleanup_(freep) char *name = NULL;

			str_add(&inner, "%s%s%s", prefix, *prefix ? "." : "", key);
			name = str_take(&inner);
			r = name ? collect_map(things, at, *item, name) : -ENOMEM;
		} else if ((*item)->kind == TREE_LIST) {
			r = add_field(thing, prefix, key, NULL, *item);
		} else if (*prefix || strcmp(key, "name")) {
			r = add_field(thing, prefix, key, strdup((*item)->text), NULL);
		}
	}
	return r;
}

/* "HOST weight N" */
static int collect_endpoint(struct things *things, size_t at, const struct tree_node *node)
{
	const char *weight;
	int r = add_field(&things->list.items[at], "", "address", host_of(node), NULL);

	if (r || node->kind == TREE_MAP)
		return r ?: collect_map(things, at, node, "");
	weight = strrchr(node->text, ' ');
	return add_field(&things->list.items[at], "", "weight", strdup(weight ? weight + 1 : ""),
			 NULL);
}

static const char *object_of(const char *key)
{
	static const struct {
		const char *list, *object;
	} names[] = {
		{ "listeners", "listener" }, { "endpoint_groups", "group" },
		{ "endpoints", "endpoint" }, { "forwarding_rules", "rule" },
		{ "acls", "acl" },	     { "regions", "region" },
		{ "latencies", "latency" },  { "more_certificates", "certificate" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i].list, key))
			return names[i].object;
	return key;
}

#define NO_PARENT SIZE_MAX

static int collect_list(struct things *things, const struct tree_node *list, const char *key,
			size_t parent)
{
	size_t place = 0;
	int r = 0;

	vec_foreach(item, &list->items) {
		struct thing thing = { .object = object_of(key), .place = ++place };
		const char *above = parent == NO_PARENT ? "" : things->list.items[parent].path;
		_cleanup_(freep) char *name = identity_of(&thing, *item);
		size_t at = things->list.count;
		struct str path = {};

		if (r)
			break;
		str_add(&path, "%s%s%s", above, *above ? "/" : "", name ?: "");
		thing.path = str_take(&path);
		r = name ? add_thing(things, thing) : -ENOMEM;
		if (!r && is_endpoint(&thing))
			r = collect_endpoint(things, at, *item);
		else if (!r)
			r = collect_map(things, at, *item, "");
	}
	return r;
}

/* Of a text that config_print() made: a mapping, or a list under `key`. NULL: of nothing. */
static int collect(const char *text, const char *key, struct things *ret)
{
	_cleanup_(findings_fini) struct findings findings = {};
	struct report report = { .text = text ?: "", .size = text ? strlen(text) : 0 };

	if (!text)
		return 0;
	report.findings = &findings;
	if (load_tree(&report, &ret->tree) < 0 || !ret->tree.root)
		return report.error ?: -EINVAL;
	if (ret->tree.root->kind == TREE_LIST)
		return collect_list(ret, ret->tree.root, key, NO_PARENT);
	return add_thing(ret, (struct thing){ .object = key, .path = strdup("") })
		       ?: collect_map(ret, 0, ret->tree.root, "");
}

static bool list_has(const struct tree_node *list, const struct lookup *index, const char *text)
{
	lookup_foreach(item, index, lookup_hash(0, text, strlen(text)))
		if (!strcmp(list->items.items[item]->text, text))
			return true;
	return false;
}

/* "[a, b]", but for what `without` has (NULL: nothing). */
static char *print_list(const struct tree_node *list, const struct tree_node *without)
{
	struct lookup index = {};
	struct str out = {};
	const char *comma = "";
	uint32_t place = 0;

	if (without)
		vec_foreach(item, &without->items)
			out.failed |=
				lookup_add(&index,
					   lookup_hash(0, (*item)->text, strlen((*item)->text)),
					   place++) < 0;
	str_add(&out, "[");
	vec_foreach(item, &list->items) {
		if (without && list_has(without, &index, (*item)->text))
			continue;
		str_add(&out, "%s%s", comma, (*item)->text);
		comma = ", ";
	}
	str_add(&out, "]");
	lookup_fini(&index);
	return str_take(&out);
}

static char *print_field(const struct field *field)
{
	return field->text ? strdup(field->text) : print_list(field->list, NULL);
}

/* Takes before and after. */
static int add_item(struct diff *diff, enum diff_kind kind, const struct thing *thing,
		    const char *key, char *before, char *after)
{
	struct diff_item item = { .kind = kind, .before = before, .after = after };

	item.object = strdup(thing->object);
	item.path = strdup(thing->path);
	item.key = key ? strdup(key) : NULL;
	if (item.object && item.path && (item.key || !key) && !vec_push(&diff->items, item))
		return 0;
	free(item.object);
	free(item.path);
	free(item.key);
	free(before);
	free(after);
	return -ENOMEM;
}

/* All that it says: "address 10.0.0.1:80, weight 100". */
static int add_whole(struct diff *diff, enum diff_kind kind, const struct thing *thing)
{
	struct str out = {};
	char *text;

	vec_foreach(field, &thing->fields) {
		_cleanup_(freep) char *value = print_field(field);

		str_add(&out, "%s%s %s", field == thing->fields.items ? "" : ", ", field->key,
			value ?: "");
		out.failed |= !value;
	}
	text = str_take(&out);
	if (!text)
		return -ENOMEM;
	return add_item(diff, kind, thing, NULL, kind == DIFF_REMOVED ? text : NULL,
			kind == DIFF_ADDED ? text : NULL);
}

static const struct field *find_field(const struct thing *thing, const char *key)
{
	vec_foreach(field, &thing->fields)
		if (!strcmp(field->key, key))
			return field;
	return NULL;
}

static int compare_lists(const struct thing *thing, const struct field *before,
			 const struct field *after, struct diff *diff)
{
	char *lost = print_list(before->list, after->list);
	char *got = print_list(after->list, before->list);
	bool same = lost && got && !strcmp(lost, "[]") && !strcmp(got, "[]");
	int r;

	if (same) { /* in another order, or nothing */
		free(lost);
		free(got);
		lost = print_list(before->list, NULL);
		got = print_list(after->list, NULL);
		if (lost && got && !strcmp(lost, got)) {
			free(lost);
			free(got);
			return 0;
		}
	}
	if (!lost || !got) {
		free(lost);
		free(got);
		return -ENOMEM;
	}
	r = add_item(diff, DIFF_CHANGED, thing, after->key, lost, got);
	if (!r)
		diff->items.items[diff->items.count - 1].list = !same;
	return r;
}

static int compare_fields(const struct thing *thing, const struct field *before,
			  const struct field *after, struct diff *diff)
{
	char *x, *y;

	if (before && after && before->list && after->list)
		return compare_lists(thing, before, after, diff);
	if (before && after && before->text && after->text && !strcmp(before->text, after->text))
		return 0;
	x = before ? print_field(before) : NULL;
	y = after ? print_field(after) : NULL;
	if ((before && !x) || (after && !y)) {
		free(x);
		free(y);
		return -ENOMEM;
	}
	return add_item(diff, DIFF_CHANGED, thing, (after ?: before)->key, x, y);
}

static int compare_places(const struct thing *before, const struct thing *after, struct diff *diff)
{
	struct str x = {}, y = {};

	str_add(&x, "%zu", before->place);
	str_add(&y, "%zu", after->place);
	if (x.failed || y.failed) {
		str_fini(&x);
		str_fini(&y);
		return -ENOMEM;
	}
	return add_item(diff, DIFF_CHANGED, after, "place in the file", str_take(&x), str_take(&y));
}

/* `last` is the farthest that a thing which stayed was found before: those that come after it have
 * kept their order. */
static int compare_things(const struct things *a, const struct thing *before,
			  const struct thing *after, size_t *last, struct diff *diff)
{
	size_t at = before - a->list.items;
	int r = 0;

	vec_foreach(field, &before->fields)
		if (!r && !find_field(after, field->key))
			r = compare_fields(after, field, NULL, diff);
	vec_foreach(field, &after->fields)
		r = r ?: compare_fields(after, find_field(before, field->key), field, diff);
	if (at < *last)
		return r ?: compare_places(before, after, diff);
	*last = at;
	return r;
}

/* Two texts of config_print(), of which one may be NULL. */
static int compare_texts(const char *before, const char *after, const char *key, struct diff *diff)
{
	_cleanup_(things_fini) struct things a = {}, b = {};
	size_t last = 0;
	int r;

	if (before && after && !strcmp(before, after))
		return 0;
	r = collect(before, key, &a);
	r = r ?: collect(after, key, &b);
	vec_foreach(thing, &a.list)
		if (!r && !find_thing(&b, thing))
			r = add_whole(diff, DIFF_REMOVED, thing);
	vec_foreach(thing, &b.list) {
		const struct thing *known = r ? NULL : find_thing(&a, thing);

		if (!r && !known)
			r = add_whole(diff, DIFF_ADDED, thing);
		else if (!r)
			r = compare_things(&a, known, thing, &last, diff);
	}
	return r;
}

static char *print_settings(const struct model *model)
{
	struct str out = {};

	config_print_settings(model, &out);
	return str_take(&out);
}

static char *print_acl(const struct acl *acl)
{
	struct str out = {};

	config_print_acl(acl, &out);
	return str_take(&out);
}

static char *print_listener(const struct model *model, const struct listener *listener)
{
	struct str out = {};

	config_print_listener(model, listener, &out);
	return str_take(&out);
}

static const struct acl *find_acl(const struct model *model, const char *name)
{
	vec_foreach(acl, &model->acls)
		if (!strcmp(acl->name, name))
			return acl;
	return NULL;
}

static int compare_acls(const struct model *before, const struct model *after,
			const struct acl *acl, struct diff *diff)
{
	const struct acl *a = find_acl(before, acl->name), *b = find_acl(after, acl->name);
	_cleanup_(freep) char *x = a ? print_acl(a) : NULL;
	_cleanup_(freep) char *y = b ? print_acl(b) : NULL;

	if ((a && !x) || (b && !y))
		return -ENOMEM;
	return compare_texts(x, y, "acls", diff);
}

static int compare_listeners(const struct model *before, const struct model *after,
			     const char *name, struct diff *diff)
{
	const struct listener *a = model_find_listener(before, name);
	const struct listener *b = model_find_listener(after, name);
	_cleanup_(freep) char *x = a ? print_listener(before, a) : NULL;
	_cleanup_(freep) char *y = b ? print_listener(after, b) : NULL;

	if ((a && !x) || (b && !y))
		return -ENOMEM;
	return compare_texts(x, y, "listeners", diff);
}

int diff_models(const struct model *before, const struct model *after, struct diff *ret)
{
	_cleanup_(diff_fini) struct diff diff = {};
	_cleanup_(freep) char *x = print_settings(before);
	_cleanup_(freep) char *y = print_settings(after);
	int r = x && y ? compare_texts(x, y, "settings", &diff) : -ENOMEM;

	vec_foreach(acl, &before->acls)
		if (!r && !find_acl(after, acl->name))
			r = compare_acls(before, after, acl, &diff);
	vec_foreach(acl, &after->acls)
		r = r ?: compare_acls(before, after, acl, &diff);
	vec_foreach(listener, &before->listeners)
		if (!r && !model_find_listener(after, listener->name))
			r = compare_listeners(before, after, listener->name, &diff);
	vec_foreach(listener, &after->listeners)
		r = r ?: compare_listeners(before, after, listener->name, &diff);
	if (r < 0)
		return -ENOMEM;
	*ret = diff;
	diff = (struct diff){};
	return 0;
}
