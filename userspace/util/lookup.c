// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/lookup.h"

#include <errno.h>
#include <stdlib.h>

#define ENTRIES_MIN 16u

struct lookup_entry {
	uint32_t hash;
	uint32_t item; /* LOOKUP_END: free */
};

void lookup_fini(struct lookup *lookup)
{
	free(lookup->entries);
	*lookup = (struct lookup){};
}

static void put(struct lookup *lookup, uint32_t hash, uint32_t item)
{
	uint32_t i = hash & lookup->mask;

	while (lookup->entries[i].item != LOOKUP_END)
		i = (i + 1) & lookup->mask;
	lookup->entries[i] = (struct lookup_entry){ hash, item };
	lookup->count++;
}

static int grow(struct lookup *lookup)
{
	uint32_t before = lookup->entries ? lookup->mask + 1 : 0;
	uint32_t after = before ? before * 2 : ENTRIES_MIN;
	struct lookup larger = { .mask = after - 1 };

	larger.entries = malloc(after * sizeof(*larger.entries));
	if (!larger.entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < after; i++)
		larger.entries[i].item = LOOKUP_END;
	for (uint32_t i = 0; i < before; i++)
		if (lookup->entries[i].item != LOOKUP_END)
			put(&larger, lookup->entries[i].hash, lookup->entries[i].item);
	free(lookup->entries);
	*lookup = larger;
	return 0;
}

int lookup_add(struct lookup *lookup, uint32_t hash, uint32_t item)
{
	int r = !lookup->entries || lookup->count >= lookup->mask / 2 ? grow(lookup) : 0;

	if (!r)
		put(lookup, hash, item);
	return r;
}

uint32_t lookup_next(const struct lookup *lookup, uint32_t hash, uint32_t *position)
{
	if (!lookup->entries)
		return LOOKUP_END;
	for (;;) {
		const struct lookup_entry *entry =
			&lookup->entries[(hash + (*position)++) & lookup->mask];

		if (entry->item == LOOKUP_END || entry->hash == hash)
			return entry->item;
	}
}

/* FNV-1a, and a last mixing, since the low bits choose the entry. */
uint32_t lookup_hash(uint32_t seed, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;
	uint64_t hash = 0xcbf29ce484222325ull ^ seed;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3ull;
	return hash ^ (hash >> 32);
}
