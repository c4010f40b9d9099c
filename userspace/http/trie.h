/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Many patterns, matched at once by one walk down a tree: exact texts, and wildcards (http/glob.h),
 * each of which hangs where its text before the first `*` or `?` ends. Patterns are items 0, 1, ...
 * in the order in which they are added. Zeroed memory is an empty one.
 */
#ifndef WEIR_HTTP_TRIE_H
#define WEIR_HTTP_TRIE_H

#include "http/message.h"

struct trie {
	struct trie_node *root; /* owned */
	uint32_t count;
};

void trie_fini(struct trie *trie);

/* The item of a pattern, which is a new one if it is not there. 0, -ENOMEM, or -EINVAL: it is too
 * long. */
int trie_add(struct trie *trie, struct slice pattern, uint32_t *ret_item);

/* The items that match a text, one per call: begin with .node = trie->root and .text = the text.
 * false: there are no more. */
struct trie_walk {
	const struct trie_node *node;
	struct slice text; /* what has not been compared */
	uint32_t step;	   /* in the node */
	uint32_t item;
};

bool trie_next(struct trie_walk *walk);

#endif
