// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/inventory.h"

#include <errno.h>
#include <string.h>

#include "config/check.h"
#include "config/fields.h"

void inventory_fini(struct inventory *inventory)
{
	vec_foreach(file, &inventory->files)
		free(*file);
	vec_free(&inventory->files);
}

static int add_file(struct inventory *inventory, const char *path)
{
	_cleanup_(freep) char *file = strdup(path);

	if (!file || vec_push(&inventory->files, file) < 0)
		return -ENOMEM;
	take_ptr(file);
	return 0;
}

int inventory_build(const struct tree_node *root, struct inventory *ret)
{
	const struct tree_node *map = fields_get(root, ROOT_INVENTORY);
	_cleanup_(fields_items_fini) struct node_list files = {};

	if (!map)
		return 0;
	ret->prefer_public = fields_number(map, INVENTORY_ADDRESSES);
	if (fields_items(map, INVENTORY_FILES, &files) < 0)
		return -ENOMEM;
	vec_foreach(file, &files.nodes)
		if (add_file(ret, (*file)->text) < 0)
			return -ENOMEM;
	return 0;
}

int inventory_copy(const struct inventory *from, struct inventory *to)
{
	to->prefer_public = from->prefer_public;
	vec_foreach(file, &from->files)
		if (add_file(to, *file) < 0)
			return -ENOMEM;
	return 0;
}

static bool same_file(char *const *a, char *const *b)
{
	return !strcmp(*a, *b);
}

bool inventory_equal(const struct inventory *a, const struct inventory *b)
{
	return a->prefer_public == b->prefer_public && vec_equal(&a->files, &b->files, same_file);
}

void inventory_print(const struct inventory *inventory, struct str *out)
{
	const char *comma = "";

	if (!inventory->files.count)
		return;
	str_add(out, "inventory:\n  files: [");
	vec_foreach(file, &inventory->files) {
		str_add(out, "%s", comma);
		str_add_quoted(out, *file);
		comma = ", ";
	}
	str_add(out, "]\n  addresses: %s\n", inventory->prefer_public ? "public" : "private");
}

/* What the check knows of the file. */
struct scan {
	struct report *report;
	bool has_inventory; /* or has a wrong one */
	bool any;	    /* endpoint that is an instance, or that nobody knows the type of */
};

static void check_endpoint(struct scan *scan, const struct tree_node *endpoint)
{
	bool known = (endpoint->flags & TREE_GOOD) && fields_known(endpoint, ENDPOINT_TYPE);
	struct tree_node *type = known ? fields_get(endpoint, ENDPOINT_TYPE) : NULL;

	if (known && (!type || type->value.number <= TYPE_CUSTOM_DOMAIN))
		return;
	scan->any = true;
	if (!known || scan->has_inventory)
		return;
	tree_error(scan->report, type,
		   "type %s needs an inventory to look the instance up in: inventory: "
		   "/etc/weir/FILE.json, as 'aliyun %s' prints it",
		   type->text,
		   type->value.number == TYPE_ECS ? "ecs DescribeInstances"
						  : "slb DescribeLoadBalancers");
}

/* Of listeners, groups or endpoints: each that is there, and nothing unknown beside them. */
static const struct tree_node *list_of(struct scan *scan, const struct tree_node *map, unsigned id)
{
	const struct tree_node *list = map->flags & TREE_GOOD ? fields_get(map, id) : NULL;

	scan->any |= !(map->flags & TREE_GOOD) || !fields_known(map, id);
	return list;
}

static void check_listener(struct scan *scan, const struct tree_node *listener)
{
	const struct tree_node *groups = list_of(scan, listener, LISTENER_GROUPS);

	for (size_t i = 0; groups && i < groups->items.count; i++) {
		const struct tree_node *group = groups->items.items[i];
		const struct tree_node *endpoints = list_of(scan, group, GROUP_ENDPOINTS);

		for (size_t j = 0; endpoints && j < endpoints->items.count; j++)
			check_endpoint(scan, endpoints->items.items[j]);
	}
}

void inventory_check(struct report *report, struct tree_node *root)
{
	struct tree_node *map = fields_get(root, ROOT_INVENTORY);
	struct scan scan = {
		.report = report,
		.has_inventory = map || !fields_known(root, ROOT_INVENTORY),
	};
	const struct tree_node *listeners = list_of(&scan, root, ROOT_LISTENERS);

	for (size_t i = 0; listeners && i < listeners->items.count; i++)
		check_listener(&scan, listeners->items.items[i]);
	if (map)
		check_items(report, map, INVENTORY_FILES, "inventory file");
	if (map && !scan.any)
		tree_warning(report, map,
			     "inventory has no effect: no endpoint is of type ecs or slb");
}
