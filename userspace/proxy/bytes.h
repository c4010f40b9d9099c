/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Bytes on their way; memory is only held while there are any. */
#ifndef WEIR_PROXY_BYTES_H
#define WEIR_PROXY_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
	char *memory;
	uint32_t start; /* of those that are left */
	uint32_t size;
	uint32_t room;
};

static inline const char *bytes_at(const struct bytes *bytes)
{
	return bytes->memory + bytes->start;
}

/* Appends; 0 or -ENOMEM. The bytes may be a part of these. */
int bytes_add(struct bytes *bytes, const void *data, size_t size);
/* Takes so many from the front. */
void bytes_drop(struct bytes *bytes, size_t size);
/* Room for at least so many more, behind bytes_end(); 0 or -ENOMEM. */
int bytes_reserve(struct bytes *bytes, size_t room);
void bytes_fini(struct bytes *bytes);

static inline char *bytes_end(const struct bytes *bytes)
{
	return bytes->memory + bytes->start + bytes->size;
}

#endif
