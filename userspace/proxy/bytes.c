// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 1024

int bytes_reserve(struct bytes *bytes, size_t room)
{
	size_t needed = bytes->size + room, larger = bytes->room ?: ROOM_MIN;
	char *memory;

	if (bytes->start + needed <= bytes->room)
		return 0;
	if (needed <= bytes->room) {
		memmove(bytes->memory, bytes_at(bytes), bytes->size);
		bytes->start = 0;
		return 0;
	}
	while (larger < needed)
		larger *= 2;
	if (larger > UINT32_MAX)
		return -ENOMEM;
	memory = malloc(larger);
	if (!memory)
		return -ENOMEM;
	if (bytes->size)
		memcpy(memory, bytes_at(bytes), bytes->size);
	free(bytes->memory);
	*bytes = (struct bytes){ .memory = memory, .size = bytes->size, .room = larger };
	return 0;
}

int bytes_add(struct bytes *bytes, const void *data, size_t size)
{
	if (!size)
		return 0;
	if (bytes_reserve(bytes, size))
		return -ENOMEM;
	memcpy(bytes_end(bytes), data, size);
	bytes->size += size;
	return 0;
}

void bytes_drop(struct bytes *bytes, size_t size)
{
	bytes->start += size;
	bytes->size -= size;
	if (!bytes->size)
		bytes_fini(bytes);
}

void bytes_fini(struct bytes *bytes)
{
	free(bytes->memory);
	*bytes = (struct bytes){};
}
