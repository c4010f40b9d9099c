// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: no file of the inventory makes its reader crash, leak or hang; what it refuses it can say
 * in one line; what it accepts is within the bounds, each instance is found under its id, and no
 * address is one that no host can have.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "config/instances.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void check_instance(const struct instances *instances, const struct instance *instance)
{
	require(*instance->id && strlen(instance->id) < sizeof(instance->id));
	require(strlen(instance->status) < sizeof(instance->status));
	require(instances_find(instances, instance->type, instance->id) == instance);
	for (int i = 0; i < 2 * INSTANCES_FAMILIES; i++) {
		const struct addr *addr = instances_address(instance, i / 2, i % 2);

		require(!addr || !addr_is_martian(addr));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct instances instances = {};
	struct err err = {};
	int r = instances_parse((const char *)data, size, &instances, &err);

	require(r == 0 || r == -EINVAL);
	if (r < 0) {
		require(*err.text);
		for (const char *c = err.text; *c; c++)
			require((unsigned char)*c >= ' ');
		return 0;
	}
	require(instances.list.count <= INSTANCES_MAX);
	vec_foreach(instance, &instances.list)
		check_instance(&instances, instance);
	instances_fini(&instances);
	return 0;
}
