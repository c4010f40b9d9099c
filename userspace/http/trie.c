// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "http/trie.h"

#include "http/glob.h"
#include "util/vec.h"

#define TRIE_END UINT32_MAX /* no item */

/* What a pattern has behind its plain beginning. */
struct rest {
	char *text;	   /* owned; ends in NUL */
	struct glob *glob; /* owned */
	uint32_t item;
};

struct trie_node {
	char *label;	 /* owned: the bytes from the parent's place to this one */
	size_t size;	 /* of it */
	uint32_t exact;	 /* item that ends here, or TRIE_END */
	uint32_t prefix; /* the same of one with a last `*` here */
	VEC(struct rest) rests;
	/* By the first byte of its label a child is found in `firsts`, and is at the same place. */
	VEC(char) firsts;
	VEC(struct trie_node *) children;
};

static void node_free(struct trie_node *node)
{
	if (!node)
		return;
	vec_foreach(child, &node->children)
		node_free(*child);
	vec_foreach(rest, &node->rests) {
		free(rest->text);
		glob_free(rest->glob);
	}
	vec_free(&node->children);
	vec_free(&node->firsts);
	vec_free(&node->rests);
	free(node->label);
	free(node);
}
DEFINE_CLEANUP(struct trie_node *, node_free)

void trie_fini(struct trie *trie)
{
	node_free(trie->root);
	*trie = (struct trie){};
}

static struct trie_node *node_new(const char *label, size_t size)
{
	_cleanup_(node_freep) struct trie_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->label = strndup(label, size);
	if (!node->label)
		return NULL;
	node->size = size;
	node->exact = node->prefix = TRIE_END;
	return take_ptr(node);
}

static int add_child(struct trie_node *node, struct trie_node *child)
{
	if (vec_push(&node->children, child) < 0)
		return -ENOMEM;
	if (vec_push(&node->firsts, child->label[0]) < 0) {
		node->children.count--;
		return -ENOMEM;
	}
	return 0;
}

static struct trie_node **find_child(const struct trie_node *node, char first)
{
	const char *firsts = node->firsts.items;
	const char *found = firsts ? memchr(firsts, first, node->firsts.count) : NULL;

	return found ? &node->children.items[found - firsts] : NULL;
}

/* Puts a node in between, where the label's first `size` bytes end. */
static int split(struct trie_node **place, size_t size)
{
	struct trie_node *below = *place;
	_cleanup_(node_freep) struct trie_node *between = node_new(below->label, size);
	_cleanup_(freep) char *label = strndup(below->label + size, below->size - size);

	if (!between || !label)
		return -ENOMEM;
	if (vec_push(&between->firsts, label[0]) < 0 || vec_push(&between->children, below) < 0) {
		between->children.count = 0;
		return -ENOMEM;
	}
	free(below->label);
	below->label = take_ptr(label);
	below->size -= size;
	*place = take_ptr(between);
	return 0;
}

/* The node of a plain text, made if it is not there. NULL without memory. */
static struct trie_node *reach(struct trie *trie, struct slice text)
{
	struct trie_node *node;

	trie->root = trie->root ?: node_new("", 0);
	node = trie->root;
	while (node && text.size) {
		struct trie_node **child = find_child(node, text.at[0]);
		size_t same = 0;

		if (!child) {
			_cleanup_(node_freep) struct trie_node *leaf = node_new(text.at, text.size);

			return leaf && add_child(node, leaf) == 0 ? take_ptr(leaf) : NULL;
		}
		while (same < text.size && same < (*child)->size &&
		       text.at[same] == (*child)->label[same])
			same++;
		if (same < (*child)->size && split(child, same) < 0)
			return NULL;
		node = *child;
		text = (struct slice){ text.at + same, text.size - same };
	}
	return node;
}

static int add_rest(struct trie_node *node, struct slice text, uint32_t next, uint32_t *ret_item)
{
	_cleanup_(glob_freep) struct glob *glob = NULL;
	_cleanup_(freep) char *copy = NULL;
	int r;

	vec_foreach(rest, &node->rests) {
		if (strlen(rest->text) != text.size || memcmp(rest->text, text.at, text.size))
			continue;
		*ret_item = rest->item;
		return 0;
	}
	copy = strndup(text.at, text.size);
	if (!copy)
		return -ENOMEM;
	r = glob_new(text, &glob);
	if (r < 0)
		return r;
	if (vec_push(&node->rests, ((struct rest){ copy, glob, next })) < 0)
		return -ENOMEM;
	take_ptr(copy);
	take_ptr(glob);
	*ret_item = next;
	return 0;
}

int trie_add(struct trie *trie, struct slice pattern, uint32_t *ret_item)
{
	size_t plain = 0;
	struct trie_node *node;
	struct slice rest;
	uint32_t item = TRIE_END;
	int r = 0;

	while (plain < pattern.size && pattern.at[plain] != '*' && pattern.at[plain] != '?')
		plain++;
	rest = (struct slice){ pattern.at + plain, pattern.size - plain };
	node = reach(trie, (struct slice){ pattern.at, plain });
	if (!node)
		return -ENOMEM;
	if (!rest.size)
		item = node->exact = node->exact == TRIE_END ? trie->count : node->exact;
	else if (slice_equal(rest, SLICE("*")))
		item = node->prefix = node->prefix == TRIE_END ? trie->count : node->prefix;
	else
		r = add_rest(node, rest, trie->count, &item);
	if (r < 0)
		return r;
	if (item == trie->count)
		trie->count++;
	*ret_item = item;
	return 0;
}

/* Down to the child that the text goes on with; false: there is none. */
static bool descend(struct trie_walk *walk)
{
	struct trie_node **place = find_child(walk->node, walk->text.at[0]);
	const struct trie_node *child = place ? *place : NULL;

	if (!child || child->size > walk->text.size ||
	    memcmp(child->label, walk->text.at, child->size))
		return false;
	walk->node = child;
	walk->text = (struct slice){ walk->text.at + child->size, walk->text.size - child->size };
	walk->step = 0;
	return true;
}

/* Step 0 is a node's prefix, step i + 1 its rest i; then comes what ends here, or a child. */
bool trie_next(struct trie_walk *walk)
{
	while (walk->node) {
		const struct trie_node *node = walk->node;

		if (walk->step == 0) {
			walk->step = 1;
			walk->item = node->prefix;
			if (node->prefix != TRIE_END)
				return true;
		}
		while (walk->step - 1 < node->rests.count) {
			const struct rest *rest = &node->rests.items[walk->step++ - 1];

			walk->item = rest->item;
			if (glob_match(rest->glob, walk->text))
				return true;
		}
		if (walk->text.size && descend(walk))
			continue;
		walk->node = NULL;
		walk->item = node->exact;
		return !walk->text.size && node->exact != TRIE_END;
	}
	return false;
}
