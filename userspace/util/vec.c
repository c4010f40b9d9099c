// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/vec.h"

bool vec_reserve_one(void **items, size_t count, size_t *capacity, size_t size)
{
	size_t more = *capacity ? *capacity * 2 : 8;
	void *grown;

	if (count < *capacity)
		return true;
	grown = reallocarray(*items, more, size);
	if (!grown)
		return false;
	*items = grown;
	*capacity = more;
	return true;
}
