// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/remains.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "util/cleanup.h"

#define PIECE 4096 /* bytes that are compared at once */

struct remains {
	struct remains *next;
	struct remains_map map;
	char *memory; /* the old map's */
	char *seen;   /* what of it the maps in force have */
};

void remains_free(struct remains *list)
{
	while (list) {
		struct remains *next = list->next;

		munmap(list->memory, list->map.bytes);
		free(list->seen);
		free(list);
		list = next;
	}
}

void remains_copy(struct remains **list, const struct remains_map *map, const void *from, void *to)
{
	_cleanup_(freep) struct remains *one = calloc(1, sizeof(*one));
	_cleanup_(freep) char *seen = malloc(map->bytes);
	void *memory = one && seen ? mmap(NULL, map->bytes, PROT_READ, MAP_SHARED, map->fd, 0)
				   : MAP_FAILED;

	if (memory == MAP_FAILED) {
		memcpy(to, from, map->bytes);
		return;
	}
	memcpy(seen, from, map->bytes);
	memcpy(to, seen, map->bytes);
	*one = (struct remains){ .next = *list, .map = *map, .memory = memory };
	one->seen = take_ptr(seen);
	*list = take_ptr(one);
}

void remains_join(struct remains **list, struct remains *more)
{
	while (*list)
		list = &(*list)->next;
	*list = more;
}

/* The one counter at `at` bytes, in a map in force that others add to as well. */
static void settle_one(const struct remains *one, size_t at, char *to)
{
	if (one->map.width == sizeof(uint64_t)) {
		uint64_t *seen = (uint64_t *)(one->seen + at);
		uint64_t now = __atomic_load_n((uint64_t *)(one->memory + at), __ATOMIC_RELAXED);

		__atomic_fetch_add((uint64_t *)(to + at), now - *seen, __ATOMIC_RELAXED);
		*seen = now;
	} else {
		uint32_t *seen = (uint32_t *)(one->seen + at);
		uint32_t now = __atomic_load_n((uint32_t *)(one->memory + at), __ATOMIC_RELAXED);

		__atomic_fetch_add((uint32_t *)(to + at), now - *seen, __ATOMIC_RELAXED);
		*seen = now;
	}
}

void remains_settle(struct remains *list, const void *base)
{
	for (struct remains *one = list; one; one = one->next) {
		char *to = *(char *const *)((const char *)base + one->map.field);

		for (size_t piece = 0; piece < one->map.bytes; piece += PIECE) {
			size_t rest = one->map.bytes - piece, size = rest < PIECE ? rest : PIECE;

			if (!memcmp(one->memory + piece, one->seen + piece, size))
				continue;
			for (size_t at = piece; at < piece + size; at += one->map.width)
				settle_one(one, at, to);
		}
	}
}
