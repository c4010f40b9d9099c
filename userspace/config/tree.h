/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A YAML text as a tree whose nodes know their place. Every scalar is a text; what it means is the
 * schema's business (read.c), which stores the value in the node. Made by load.c.
 */
#ifndef WEIR_CONFIG_TREE_H
#define WEIR_CONFIG_TREE_H

#include "config/report.h"
#include "config/value.h"
#include "util/arena.h"
#include "util/vec.h"

enum tree_kind {
	TREE_TEXT,
	TREE_LIST,
	TREE_MAP,
};

enum tree_flags {
	TREE_QUOTED = 1,
	TREE_OPEN = 2, /* not known to be complete: there was a syntax error in it or behind it */
	TREE_DERIVED = 4,  /* not written as such: has no step of its own in paths */
	TREE_TAINTED = 8,  /* there is an error here or below */
	TREE_GOOD = 16,	   /* the kind fits its key and a scalar's value is valid */
	TREE_CLASHES = 32, /* reported as being in conflict with another one */
};

struct tree_node {
	enum tree_kind kind;
	unsigned flags; /* a set of enum tree_flags */
	struct span span;
	unsigned line;
	unsigned index; /* in the parent's items */
	struct tree_node *parent;
	struct tree_node *key;		 /* of a mapping's item */
	VEC(struct tree_node *) items;	 /* LIST; MAP: the values, with their keys */
	char *text;			 /* TEXT */
	const struct schema_key *schema; /* the key in the table; set by read.c */
	union {
		union value value;	   /* TEXT with TREE_GOOD; set by read.c */
		struct tree_node **fields; /* of a mapping with TREE_GOOD that is no SCHEMA_MAP:
					    * its items by the index of their key in the
					    * object, NULL for those that are absent; set by
					    * read.c */
	};
};

/* With all that its nodes point to, but for the schema. */
struct tree {
	struct tree_node *root; /* NULL: there is nothing in the text */
	struct arena arena;
};

void tree_fini(struct tree *tree);

/* Makes a node the last item of another one: 0 or -ENOMEM. */
int tree_add_item(struct arena *arena, struct tree_node *parent, struct tree_node *item);

/* An error or warning at the node's first character (of a mapping: at its first key; of an empty
 * value: at its key), with the node's path. An error taints the node and those above. */
void tree_error(struct report *report, struct tree_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void tree_warning(struct report *report, struct tree_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* An error at the key of a mapping's item, with the path of the mapping. */
void tree_error_at_key(struct report *report, struct tree_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Makes a part of a text node a node of its own, below `parent`, of which it becomes the last
 * item. Its place is exact where the text is written as it reads. NULL: out of memory, which is in
 * the report. */
struct tree_node *tree_derive(struct report *report, const struct tree_node *text, size_t from,
			      size_t size, struct tree_node *parent);

/* Puts a list in the node's place, which has the node as its only item. NULL as above. */
struct tree_node *tree_wrap(struct report *report, struct tree_node *node);

#endif
