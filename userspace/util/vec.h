/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A growing array of any type: VEC(struct thing) things = {}; the owner frees it with vec_free().
 * Pointers into it end with the next vec_push().
 */
#ifndef WEIR_UTIL_VEC_H
#define WEIR_UTIL_VEC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *items;                                                                       \
		size_t count;                                                                      \
		size_t capacity;                                                                   \
	}

/* Makes room for one more element; false without memory, and the vector is as it was. */
bool vec_reserve_one(void **items, size_t count, size_t *capacity, size_t size);

/* Appends a value: 0, or -ENOMEM with the vector unchanged. */
#define vec_push(vec, value)                                                                       \
	({                                                                                         \
		bool _room = vec_reserve_one((void **)&(vec)->items, (vec)->count,                 \
					     &(vec)->capacity, sizeof(*(vec)->items));             \
		if (_room)                                                                         \
			(vec)->items[(vec)->count++] = (value);                                    \
		_room ? 0 : -ENOMEM;                                                               \
	})

#define vec_foreach(item, vec)                                                                     \
	for (__typeof__(&*(vec)->items) item = (vec)->items;                                       \
	     item && item < (vec)->items + (vec)->count; item++)

/* Are two vectors of one type equal, by same(const type *, const type *)? */
#define vec_equal(a, b, same)                                                                      \
	({                                                                                         \
		bool _equal = (a)->count == (b)->count;                                            \
		for (size_t _i = 0; _equal && _i < (a)->count; _i++)                               \
			_equal = same(&(a)->items[_i], &(b)->items[_i]);                           \
		_equal;                                                                            \
	})

#define vec_free(vec)                                                                              \
	do {                                                                                       \
		free((vec)->items);                                                                \
		(vec)->items = NULL;                                                               \
		(vec)->count = (vec)->capacity = 0;                                                \
	} while (0)

#endif
