/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is counted in maps that larger ones have replaced: workers learn of these a moment later,
 * and those that a daemon before has left, never. Nobody else looks at the old maps any more, so
 * their counters are compared with what was copied from them, and what has come since is added to
 * the maps in force.
 */
#ifndef WEIR_DATAPLANE_REMAINS_H
#define WEIR_DATAPLANE_REMAINS_H

#include <stddef.h>

struct remains; /* a list; NULL: nothing */

/* A map of `bytes` of counters, each of `width` bytes, 8 or 4, that a larger one is about to
 * replace. `fd` and `field`: its descriptor, and where in struct object its memory is pointed to.
 */
struct remains_map {
	int fd;
	size_t bytes, width, field;
};

/* Copies its counters to `to`, and goes on watching it. Without memory it is only copied. */
void remains_copy(struct remains **list, const struct remains_map *map, const void *from, void *to);

/* The second list behind the first. */
void remains_join(struct remains **list, struct remains *more);

/* Adds what has come since to the maps of the object that `base` is, whose fields point to them. */
void remains_settle(struct remains *list, const void *base);

void remains_free(struct remains *list);

#endif
