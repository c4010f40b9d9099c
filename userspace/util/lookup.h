/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An index of a list: by the hash of a key, where in the list it may be. Whoever asks compares the
 * keys. Zeroed memory is an empty index; the owner frees it with lookup_fini().
 */
#ifndef WEIR_UTIL_LOOKUP_H
#define WEIR_UTIL_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#define LOOKUP_END UINT32_MAX

struct lookup {
	struct lookup_entry *entries; /* open addressing, at most half full */
	uint32_t mask;		      /* entries - 1 */
	uint32_t count;
};

void lookup_fini(struct lookup *lookup);

/* 0 or -ENOMEM, and then it is as it was. */
int lookup_add(struct lookup *lookup, uint32_t hash, uint32_t item);

/* The next item under this hash, or LOOKUP_END. *position is 0 at first. */
uint32_t lookup_next(const struct lookup *lookup, uint32_t hash, uint32_t *position);

/* Of `size` bytes, beginning from another hash or 0. */
uint32_t lookup_hash(uint32_t seed, const void *bytes, size_t size);

#define lookup_foreach(item, lookup, hash)                                                         \
	for (uint32_t _position = 0, item = lookup_next(lookup, hash, &_position);                 \
	     item != LOOKUP_END; item = lookup_next(lookup, hash, &_position))

#endif
