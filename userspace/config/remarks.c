// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/remarks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/fields.h"
#include "config/load.h"
#include "config/read.h"
#include "config/schema.h"

void remarks_fini(struct remarks *remarks)
{
	vec_foreach(remark, &remarks->list)
		free(remark->message);
	vec_free(&remarks->list);
}

void remarks_add(struct remarks *remarks, const struct remark_place *place, const char *format, ...)
{
	struct remark remark = { .place = *place };
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vasprintf(&remark.message, format, arguments);
	va_end(arguments);
	if (size < 0) {
		remarks->failed = true;
	} else if (vec_push(&remarks->list, remark)) {
		free(remark.message);
		remarks->failed = true;
	}
}

/* NULL where there is no such item. */
static struct tree_node *item(const struct tree_node *map, unsigned id, size_t i)
{
	const struct tree_node *list = map ? fields_get(map, id) : NULL;

	return list && i < list->items.count ? list->items.items[i] : NULL;
}

static struct tree_node *inventory_file(const struct tree_node *inventory, size_t i)
{
	_cleanup_(fields_items_fini) struct node_list files = {};

	if (!inventory || fields_items(inventory, INVENTORY_FILES, &files) < 0)
		return NULL;
	return i < files.nodes.count ? files.nodes.items[i] : NULL;
}

static struct tree_node *find(struct tree_node *root, const struct remark_place *place)
{
	struct tree_node *clients = fields_get(root, ROOT_CLIENT_REGIONS);
	struct tree_node *inventory = fields_get(root, ROOT_INVENTORY);
	struct tree_node *node;

	switch (place->kind) {
	case REMARK_ENDPOINT:
		node = item(root, ROOT_LISTENERS, place->at[0]);
		node = item(node, LISTENER_GROUPS, place->at[1]);
		node = item(node, GROUP_ENDPOINTS, place->at[2]);
		return node ? fields_get(node, ENDPOINT_ADDRESS) ?: node : NULL;
	case REMARK_INVENTORY:
		return inventory;
	case REMARK_INVENTORY_FILE:
		return inventory_file(inventory, place->at[0]);
	case REMARK_CLIENTS_FILE:
		return clients ? fields_get(clients, CLIENT_REGIONS_FILE) : NULL;
	case REMARK_CLIENTS_MAXMIND:
		return clients ? fields_get(clients, CLIENT_REGIONS_MAXMIND) : NULL;
	}
	return NULL;
}

int remarks_place(const struct remarks *remarks, const char *text, size_t size,
		  struct findings *findings)
{
	struct findings own = {}; /* those of the text itself have been told */
	struct report report = { .text = text, .size = size, .findings = &own };
	_cleanup_(tree_fini) struct tree tree = {};

	if (remarks->failed)
		return -ENOMEM;
	if (!remarks->list.count)
		return 0;
	if (load_tree(&report, &tree) < 0 || !tree.root)
		return -ENOMEM; /* a valid text can be loaded */
	read_tree(&report, tree.root, &schema_root);
	findings_fini(&own);
	report.findings = findings;
	vec_foreach(remark, &remarks->list)
		tree_warning(&report, find(tree.root, &remark->place) ?: tree.root, "%s",
			     remark->message);
	report_place(&report);
	return report.error;
}
