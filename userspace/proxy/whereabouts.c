// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/whereabouts.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "util/sealed.h"

#define WHEREABOUTS_MAGIC   0x77656977u
#define WHEREABOUTS_VERSION 1u

/* Of a tree: behind it lie its lines, and then the regions of their bounds. */
struct tree_head {
	uint32_t levels; /* 0: there is none */
	uint32_t lines;
};

/* As it lies in memory: the head, and the trees that there are. */
struct head {
	uint32_t magic;
	uint32_t version;
	struct tree_head trees[PLAN_FAMILIES];
};

struct whereabouts {
	void *memory;
	size_t size;
	struct bounds trees[PLAN_FAMILIES]; /* in this memory; without lines: none */
};

static void write_all(FILE *file, const void *user)
{
	struct bounds *const *trees = user;
	struct head head = { .magic = WHEREABOUTS_MAGIC, .version = WHEREABOUTS_VERSION };

	for (int family = 0; family < PLAN_FAMILIES; family++)
		if (trees[family])
			head.trees[family] =
				(struct tree_head){ trees[family]->levels, trees[family]->count };
	fwrite(&head, sizeof(head), 1, file);
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		const struct bounds *tree = trees[family];

		if (!tree)
			continue;
		fwrite(tree->lines, sizeof(*tree->lines), tree->count, file);
		fwrite(tree->regions, sizeof(*tree->regions), tree->count, file);
	}
}

int whereabouts_seal(struct bounds *const trees[PLAN_FAMILIES], int *ret, struct err *err)
{
	int r = sealed_make("weir-whereabouts", write_all, trees, ret);

	return r < 0 ? err_set(err, r, "where clients are, for workers: %s", strerror(-r)) : 0;
}

/* False: there is less than the head says. */
static bool find_trees(struct whereabouts *whereabouts)
{
	const struct head *head = whereabouts->memory;
	size_t at = sizeof(*head);

	if (whereabouts->size < at || head->magic != WHEREABOUTS_MAGIC ||
	    head->version != WHEREABOUTS_VERSION)
		return false;
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		struct bounds *tree = &whereabouts->trees[family];
		uint32_t lines = head->trees[family].lines;

		if (lines > WEIR_MAX_BOUND_LINES ||
		    head->trees[family].levels > WEIR_BOUNDS_LEVELS ||
		    (lines && !head->trees[family].levels))
			return false;
		tree->ip6 = family == PLAN_IP6;
		tree->levels = head->trees[family].levels;
		tree->count = lines;
		tree->lines = whereabouts->memory + at;
		at += lines * sizeof(*tree->lines);
		tree->regions = whereabouts->memory + at;
		at += lines * sizeof(*tree->regions);
	}
	return at == whereabouts->size;
}

int whereabouts_read(int fd, struct whereabouts **ret, struct err *err)
{
	_cleanup_(whereabouts_freep) struct whereabouts *whereabouts =
		calloc(1, sizeof(*whereabouts));
	int r;

	if (!whereabouts)
		return err_set(err, -ENOMEM, "out of memory");
	r = sealed_map(fd, &whereabouts->memory, &whereabouts->size);
	if (r < 0)
		return err_set(err, r, "where clients are: %s", strerror(-r));
	if (!find_trees(whereabouts))
		return err_set(err, -EPROTO, "where clients are is of another version, or damaged");
	*ret = take_ptr(whereabouts);
	return 0;
}

void whereabouts_free(struct whereabouts *whereabouts)
{
	if (!whereabouts)
		return;
	if (whereabouts->memory)
		munmap(whereabouts->memory, whereabouts->size);
	free(whereabouts);
}

uint8_t whereabouts_region(const struct whereabouts *whereabouts, const struct addr *client)
{
	const struct bounds *tree = &whereabouts->trees[plan_family_of(client)];

	return tree->count ? bounds_region(tree, client) : 0;
}
