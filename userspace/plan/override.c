// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/override.h"

#include <string.h>

void overrides_fini(struct overrides *overrides)
{
	vec_free(&overrides->list);
}

int overrides_copy(const struct overrides *overrides, struct overrides *ret)
{
	struct overrides copy = {};

	vec_foreach(override, &overrides->list) {
		if (vec_push(&copy.list, *override)) {
			overrides_fini(&copy);
			return -ENOMEM;
		}
	}
	*ret = copy;
	return 0;
}

struct override *overrides_find(const struct overrides *overrides, const char *listener,
				const char *group, const char *endpoint)
{
	vec_foreach(override, &overrides->list)
		if (!strcmp(override->endpoint, endpoint) && !strcmp(override->group, group) &&
		    !strcmp(override->listener, listener))
			return override;
	return NULL;
}

struct override *overrides_get(struct overrides *overrides, const char *listener, const char *group,
			       const char *endpoint)
{
	struct override *found = overrides_find(overrides, listener, group, endpoint);
	struct override fresh = { .weight = -1 };

	if (found)
		return found;
	strncpy(fresh.listener, listener, sizeof(fresh.listener) - 1);
	strncpy(fresh.group, group, sizeof(fresh.group) - 1);
	strncpy(fresh.endpoint, endpoint, sizeof(fresh.endpoint) - 1);
	if (vec_push(&overrides->list, fresh))
		return NULL;
	return &overrides->list.items[overrides->list.count - 1];
}

static const struct endpoint *find_endpoint(const struct model *model,
					    const struct override *override)
{
	vec_foreach(listener, &model->listeners) {
		if (strcmp(listener->name, override->listener))
			continue;
		vec_foreach(group, &listener->groups) {
			if (strcmp(group->name, override->group))
				continue;
			vec_foreach(endpoint, &group->endpoints)
				if (!strcmp(endpoint->name, override->endpoint))
					return endpoint;
		}
	}
	return NULL;
}

unsigned overrides_prune(struct overrides *overrides, const struct model *model)
{
	unsigned cleared = 0;
	size_t kept = 0;

	vec_foreach(override, &overrides->list) {
		const struct endpoint *endpoint = find_endpoint(model, override);

		if (!endpoint)
			continue;
		if (override->weight >= 0 && endpoint->weight != override->file_weight) {
			override->weight = -1;
			cleared++;
		}
		if (override->weight >= 0 || override->drained)
			overrides->list.items[kept++] = *override;
	}
	overrides->list.count = kept;
	return cleared;
}

uint8_t overrides_weight(const struct overrides *overrides, const struct listener *listener,
			 const struct endpoint_group *group, const struct endpoint *endpoint)
{
	const struct override *override =
		overrides_find(overrides, listener->name, group->name, endpoint->name);

	if (override && override->drained)
		return 0;
	return overrides_undrained_weight(overrides, listener, group, endpoint);
}

uint8_t overrides_undrained_weight(const struct overrides *overrides,
				   const struct listener *listener,
				   const struct endpoint_group *group,
				   const struct endpoint *endpoint)
{
	const struct override *override =
		overrides_find(overrides, listener->name, group->name, endpoint->name);

	return override && override->weight >= 0 ? override->weight : endpoint->weight;
}
