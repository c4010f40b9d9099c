/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory for many small things that are freed all at once: struct arena arena = {}; the owner frees
 * it with arena_fini(). What comes from it in a row lies side by side.
 */
#ifndef WEIR_UTIL_ARENA_H
#define WEIR_UTIL_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* the newest first */
	size_t used;		    /* bytes of that one */
};

/* Zeros, aligned for any type; NULL without memory. */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy of a text of so many bytes, with a NUL behind it; NULL without memory. */
char *arena_text(struct arena *arena, const char *text, size_t size);

void arena_fini(struct arena *arena);

#endif
