// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/tree.h"

#include <errno.h>
#include <string.h>

#include "util/str.h"

#define ITEMS_MIN 4

void tree_fini(struct tree *tree)
{
	arena_fini(&tree->arena);
	tree->root = NULL;
}

int tree_add_item(struct arena *arena, struct tree_node *parent, struct tree_node *item)
{
	size_t count = parent->items.count;

	if (count == parent->items.capacity) {
		size_t capacity = count ? 2 * count : ITEMS_MIN;
		struct tree_node **items =
			arena_alloc(arena, capacity * sizeof(struct tree_node *));

		if (!items)
			return -ENOMEM;
		if (count)
			memcpy(items, parent->items.items, count * sizeof(struct tree_node *));
		parent->items.items = items;
		parent->items.capacity = capacity;
	}
	parent->items.items[parent->items.count++] = item;
	return 0;
}

/* A derived node has the path of the node that it was made from. */
static void add_path(struct str *path, const struct tree_node *node)
{
	const struct tree_node *parent = node->parent;

	if (!parent)
		return;
	add_path(path, parent);
	if (node->flags & TREE_DERIVED)
		return;
	if (node->key && node->key->kind == TREE_TEXT)
		str_add(path, "%s%s", path->size ? "." : "", node->key->text);
	else if (parent->kind == TREE_LIST)
		str_add(path, "[%u]", node->index);
}

static char *path_of(const struct tree_node *node)
{
	struct str path = {};

	add_path(&path, node);
	return str_take(&path);
}

static struct span span_of(const struct report *report, const struct tree_node *node)
{
	bool braces = node->span.offset < report->size && report->text[node->span.offset] == '{';

	if (node->kind == TREE_MAP && node->items.count && !braces && node->items.items[0]->key)
		return node->items.items[0]->key->span;
	if (node->text && !node->span.size && node->key)
		return node->key->span;
	return node->span;
}

static void taint(struct tree_node *node)
{
	for (; node; node = node->parent)
		node->flags |= TREE_TAINTED;
}

void tree_error(struct report *report, struct tree_node *node, const char *format, ...)
{
	va_list arguments;

	taint(node);
	va_start(arguments, format);
	report_add(report, FINDING_ERROR, span_of(report, node), path_of(node), format, arguments);
	va_end(arguments);
}

void tree_warning(struct report *report, struct tree_node *node, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	report_add(report, FINDING_WARNING, span_of(report, node), path_of(node), format,
		   arguments);
	va_end(arguments);
}

void tree_error_at_key(struct report *report, struct tree_node *node, const char *format, ...)
{
	va_list arguments;

	taint(node);
	va_start(arguments, format);
	report_add(report, FINDING_ERROR, span_of(report, node->key), path_of(node->parent), format,
		   arguments);
	va_end(arguments);
}

/* The place of a part of a text. Escapes, folded lines and doubled quotes make the written text
 * differ from what it reads; then it is the place of the whole. */
static struct span part_span(const struct report *report, const struct tree_node *text, size_t from,
			     size_t size)
{
	unsigned quote = text->flags & TREE_QUOTED ? 1 : 0;
	size_t length = strlen(text->text);

	if (text->span.size != length + 2 * quote ||
	    memcmp(report->text + text->span.offset + quote, text->text, length))
		return text->span;
	return (struct span){ .offset = text->span.offset + quote + from, .size = size };
}

struct tree_node *tree_derive(struct report *report, const struct tree_node *text, size_t from,
			      size_t size, struct tree_node *parent)
{
	struct tree_node *node = arena_alloc(report->arena, sizeof(*node));

	if (node)
		node->text = arena_text(report->arena, text->text + from, size);
	if (!node || !node->text || tree_add_item(report->arena, parent, node) < 0) {
		report->error = -ENOMEM;
		return NULL;
	}
	node->kind = TREE_TEXT;
	node->flags = TREE_DERIVED;
	node->span = part_span(report, text, from, size);
	node->line = text->line;
	node->index = parent->items.count - 1;
	node->parent = parent;
	return node;
}

struct tree_node *tree_wrap(struct report *report, struct tree_node *node)
{
	struct tree_node *list = arena_alloc(report->arena, sizeof(*list));

	if (!list || tree_add_item(report->arena, list, node) < 0) {
		report->error = -ENOMEM;
		return NULL;
	}
	list->kind = TREE_LIST;
	list->flags = node->flags & (TREE_DERIVED | TREE_TAINTED);
	list->span = node->span;
	list->line = node->line;
	list->index = node->index;
	list->parent = node->parent;
	list->key = node->key;
	node->key = NULL;
	list->parent->items.items[list->index] = list;
	node->flags |= TREE_DERIVED;
	node->index = 0;
	node->parent = list;
	return list;
}
