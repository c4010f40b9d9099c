// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/load.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "config/syntax.h"
#include "util/str.h"

#define DEPTH_MAX 32
#define NODES_MAX 4000000u

/* libyaml counts characters, weir bytes. Places come in order, so that one walk is enough. */
struct cursor {
	size_t index;
	size_t offset;
	unsigned line;
};

struct frame {
	struct tree_node *node;
	struct tree_node *key; /* of a mapping, while its value is still to come */
};

struct loader {
	struct report *report;
	yaml_parser_t parser;
	struct cursor cursor;
	struct tree *tree;
	unsigned documents;
	unsigned nodes;
	unsigned depth;
	struct frame frames[DEPTH_MAX];
};

static struct cursor cursor_begin(const struct report *report)
{
	bool mark = report->size >= 3 && !memcmp(report->text, "\xef\xbb\xbf", 3);

	return (struct cursor){ .offset = mark ? 3 : 0, .line = 1 };
}

static void cursor_move(struct cursor *cursor, const struct report *report, size_t index)
{
	while (cursor->index < index && cursor->offset < report->size) {
		cursor->line += report->text[cursor->offset] == '\n';
		cursor->offset += str_utf8(report->text + cursor->offset,
					   report->size - cursor->offset, NULL);
		cursor->index++;
	}
}

static int out_of_memory(struct loader *loader)
{
	loader->report->error = -ENOMEM;
	return -ENOMEM;
}

static struct tree_node *new_node(struct loader *loader, enum tree_kind kind,
				  const yaml_event_t *event)
{
	struct tree_node *node = arena_alloc(&loader->tree->arena, sizeof(*node));
	struct cursor end;

	if (!node)
		return NULL;
	cursor_move(&loader->cursor, loader->report, event->start_mark.index);
	end = loader->cursor;
	cursor_move(&end, loader->report, event->end_mark.index);
	node->kind = kind;
	node->span.offset = loader->cursor.offset;
	node->span.size = end.offset - loader->cursor.offset;
	node->line = loader->cursor.line;
	return node;
}

static void refuse_key(struct loader *loader, struct tree_node *key)
{
	bool brackets = key->kind == TREE_LIST && key->items.count == 1;

	if (brackets)
		tree_error(loader->report, key,
			   "a value that begins with '[' is a list in YAML; quote it, as in "
			   "\"[2001:db8::1]:80\"");
	else
		tree_error(loader->report, key,
			   "a key must be a word; quote a value that begins with ':', '?', '[' or "
			   "'{'");
}

/* Gives the node to its parent. */
static int place(struct loader *loader, struct tree_node *node)
{
	struct frame *frame = loader->depth ? &loader->frames[loader->depth - 1] : NULL;

	if (!frame) {
		loader->tree->root = node;
		return 0;
	}
	node->parent = frame->node;
	if (frame->node->kind == TREE_MAP && !frame->key) {
		frame->key = node;
		return 0;
	}
	node->index = frame->node->items.count;
	node->key = frame->key;
	frame->key = NULL;
	if (tree_add_item(&loader->tree->arena, frame->node, node) < 0)
		return -ENOMEM;
	if (node->key && node->key->kind != TREE_TEXT)
		refuse_key(loader, node->key);
	return 0;
}

static void refuse_properties(struct loader *loader, struct tree_node *node,
			      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	char quoted[STR_QUOTE_MAX];

	if (anchor)
		tree_error(loader->report, node,
			   "'&' begins an anchor, which is not supported; quote the value, or "
			   "write it without '&%s'",
			   str_quote((const char *)anchor, strlen((const char *)anchor), quoted));
	if (tag)
		tree_error(loader->report, node,
			   "'!' begins a tag, which is not supported; quote the value, or write it "
			   "without the tag");
}

/* A node with a text of its own. */
static struct tree_node *new_text(struct loader *loader, const yaml_event_t *event,
				  const char *text, size_t size)
{
	struct tree_node *node = new_node(loader, TREE_TEXT, event);

	if (node)
		node->text = arena_text(&loader->tree->arena, text, size);
	return node && node->text ? node : NULL;
}

static int add_text(struct loader *loader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t size = event->data.scalar.length;
	struct tree_node *node = new_text(loader, event, text, size);

	if (!node)
		return -ENOMEM;
	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		node->flags |= TREE_QUOTED;
	if (place(loader, node) < 0)
		return -ENOMEM;
	refuse_properties(loader, node, event->data.scalar.anchor, event->data.scalar.tag);
	if (strlen(text) != size)
		tree_error(loader->report, node, "the text has a NUL character in it");
	return 0;
}

/* Stands for its value, which is not known. */
static int add_alias(struct loader *loader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.alias.anchor;
	struct tree_node *node = new_text(loader, event, text, strlen(text));
	char quoted[STR_QUOTE_MAX];

	if (!node)
		return -ENOMEM;
	if (place(loader, node) < 0)
		return -ENOMEM;
	tree_error(loader->report, node,
		   "a value that begins with '*' is an alias in YAML, which is not supported; "
		   "quote it: \"*%s\"",
		   str_quote(text, strlen(text), quoted));
	return 0;
}

static int begin(struct loader *loader, enum tree_kind kind, const yaml_event_t *event)
{
	bool list = kind == TREE_LIST;
	struct tree_node *node = new_node(loader, kind, event);

	if (!node)
		return -ENOMEM;
	node->flags |= TREE_OPEN;
	if (place(loader, node) < 0)
		return -ENOMEM;
	refuse_properties(loader, node,
			  list ? event->data.sequence_start.anchor
			       : event->data.mapping_start.anchor,
			  list ? event->data.sequence_start.tag : event->data.mapping_start.tag);
	if (loader->depth == DEPTH_MAX) {
		tree_error(loader->report, node, "more than %d levels of lists and mappings",
			   DEPTH_MAX);
		return -EINVAL;
	}
	loader->frames[loader->depth++] = (struct frame){ .node = node };
	return 0;
}

static void end(struct loader *loader)
{
	loader->frames[--loader->depth].node->flags &= ~TREE_OPEN;
}

static int begin_document(struct loader *loader, const yaml_event_t *event)
{
	struct span span = { .size = 3 };

	if (!loader->documents++)
		return 0;
	cursor_move(&loader->cursor, loader->report, event->start_mark.index);
	span.offset = loader->cursor.offset;
	report_error(loader->report, span, "a second document begins here; weir reads only one");
	return -EINVAL;
}

/* 0, 1 at the end of the text, or -errno. */
static int take_event(struct loader *loader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return begin_document(loader, event);
	case YAML_SCALAR_EVENT:
		return add_text(loader, event);
	case YAML_ALIAS_EVENT:
		return add_alias(loader, event);
	case YAML_SEQUENCE_START_EVENT:
		return begin(loader, TREE_LIST, event);
	case YAML_MAPPING_START_EVENT:
		return begin(loader, TREE_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		end(loader);
		return 0;
	case YAML_STREAM_END_EVENT:
		return 1;
	default:
		return 0;
	}
}

static int report_syntax(struct loader *loader)
{
	const yaml_parser_t *parser = &loader->parser;
	struct cursor context = cursor_begin(loader->report), problem = context;
	struct syntax_problem what = {
		.context = parser->context,
		.problem = parser->problem ? parser->problem : "unreadable",
	};

	if (parser->error == YAML_MEMORY_ERROR)
		return out_of_memory(loader);
	cursor_move(&context, loader->report, parser->context_mark.index);
	cursor_move(&problem, loader->report, parser->problem_mark.index);
	what.context_at = context.offset;
	what.problem_at = problem.offset;
	syntax_report(loader->report, &what);
	return -EINVAL;
}

static int next_event(struct loader *loader)
{
	yaml_event_t event;
	int r;

	if (!yaml_parser_parse(&loader->parser, &event))
		return report_syntax(loader);
	if (++loader->nodes > NODES_MAX) {
		report_whole(loader->report, "the file has more than %u values", NODES_MAX);
		r = -EINVAL;
	} else {
		r = take_event(loader, &event);
	}
	yaml_event_delete(&event);
	return r == -ENOMEM ? out_of_memory(loader) : r;
}

/* What the text broke off in, or what ended just before, may be less than its author meant. */
static void open_last(struct tree_node *node)
{
	while (node) {
		node->flags |= TREE_OPEN;
		node = node->items.count ? node->items.items[node->items.count - 1] : NULL;
	}
}

int load_tree(struct report *report, struct tree *tree)
{
	struct loader loader = { .report = report, .cursor = cursor_begin(report), .tree = tree };
	size_t skip = loader.cursor.offset;
	int r;

	report->arena = &tree->arena;
	if (!yaml_parser_initialize(&loader.parser))
		return out_of_memory(&loader);
	yaml_parser_set_encoding(&loader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&loader.parser, (const unsigned char *)report->text + skip,
				     report->size - skip);
	do
		r = next_event(&loader);
	while (!r);
	yaml_parser_delete(&loader.parser);
	if (r < 0 && loader.depth)
		open_last(tree->root);
	return r < 0 ? r : 0;
}
