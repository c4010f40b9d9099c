// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/override.h"

#include <stdio.h>
#include <string.h>

void overrides_fini(struct overrides *overrides)
{
	vec_free(&overrides->list);
	lookup_fini(&overrides->by_name);
}

static uint32_t hash_of(const char *listener, const char *group, const char *endpoint)
{
	uint32_t hash = lookup_hash(0, listener, strlen(listener));

	hash = lookup_hash(hash, group, strlen(group));
	return lookup_hash(hash, endpoint, strlen(endpoint));
}

static int push(struct overrides *overrides, const struct override *override)
{
	uint32_t hash = hash_of(override->listener, override->group, override->endpoint);

	if (lookup_add(&overrides->by_name, hash, overrides->list.count))
		return -ENOMEM;
	return vec_push(&overrides->list, *override);
}

int overrides_copy(const struct overrides *overrides, struct overrides *ret)
{
	struct overrides copy = {};

	vec_foreach(override, &overrides->list) {
		if (push(&copy, override)) {
			overrides_fini(&copy);
			return -ENOMEM;
		}
	}
	*ret = copy;
	return 0;
}

static bool is(const struct override *override, const char *listener, const char *group,
	       const char *endpoint)
{
	return !strcmp(override->endpoint, endpoint) && !strcmp(override->group, group) &&
	       !strcmp(override->listener, listener);
}

struct override *overrides_find(const struct overrides *overrides, const char *listener,
				const char *group, const char *endpoint)
{
	if (overrides->by_name.count == overrides->list.count) {
		lookup_foreach(item, &overrides->by_name, hash_of(listener, group, endpoint))
			if (is(&overrides->list.items[item], listener, group, endpoint))
				return &overrides->list.items[item];
		return NULL;
	}
	vec_foreach(override, &overrides->list)
		if (is(override, listener, group, endpoint))
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
	if (push(overrides, &fresh))
		return NULL;
	return &overrides->list.items[overrides->list.count - 1];
}

/* What the file says in its place; -1: it does not have what the override is about. */
static int file_value(const struct model *model, const struct override *override)
{
	const struct listener *listener = model_find_listener(model, override->listener);

	if (!listener)
		return -1;
	if (!override->group[0])
		return 0;
	vec_foreach(group, &listener->groups) {
		if (strcmp(group->name, override->group))
			continue;
		if (!override->endpoint[0])
			return group->traffic_percentage;
		vec_foreach(endpoint, &group->endpoints)
			if (!strcmp(endpoint->name, override->endpoint))
				return endpoint->weight;
	}
	return -1;
}

/* The places of the list have changed; without memory, what is in it is found slowly. */
static void index_anew(struct overrides *overrides)
{
	lookup_fini(&overrides->by_name);
	for (size_t i = 0; i < overrides->list.count; i++) {
		const struct override *override = &overrides->list.items[i];

		if (lookup_add(&overrides->by_name,
			       hash_of(override->listener, override->group, override->endpoint), i))
			return;
	}
}

unsigned overrides_prune(struct overrides *overrides, const struct model *model)
{
	unsigned cleared = 0;
	size_t kept = 0;

	vec_foreach(override, &overrides->list) {
		int value = file_value(model, override);

		if (value < 0)
			continue;
		if (override->weight >= 0 && value != override->file_weight) {
			override->weight = -1;
			override->weight_origin = (struct override_origin){};
			cleared++;
		}
		if (override->weight >= 0 || override->drained || override->disabled)
			overrides->list.items[kept++] = *override;
	}
	overrides->list.count = kept;
	index_anew(overrides);
	return cleared;
}

static bool is_over(const struct override_origin *origin, int64_t now)
{
	return origin->until && origin->until <= now;
}

bool override_has_expired(const struct override *override, int64_t now)
{
	return is_over(&override->weight_origin, now) || is_over(&override->drain_origin, now) ||
	       is_over(&override->disable_origin, now);
}

unsigned overrides_expire(struct overrides *overrides, int64_t now)
{
	unsigned expired = 0;

	vec_foreach(override, &overrides->list) {
		if (is_over(&override->weight_origin, now)) {
			override->weight = -1;
			override->weight_origin = (struct override_origin){};
			expired++;
		}
		if (is_over(&override->drain_origin, now)) {
			override->drained = false;
			override->drain_origin = (struct override_origin){};
			expired++;
		}
		if (is_over(&override->disable_origin, now)) {
			override->disabled = false;
			override->disable_origin = (struct override_origin){};
			expired++;
		}
	}
	return expired;
}

int overrides_lost(const struct overrides *overrides, const struct model *model,
		   struct overrides *ret)
{
	_cleanup_(overrides_fini) struct overrides kept = {};
	_cleanup_(overrides_fini) struct overrides lost = {};

	if (overrides_copy(overrides, &kept))
		return -ENOMEM;
	overrides_prune(&kept, model);
	vec_foreach(override, &overrides->list) {
		const struct override *rest = overrides_find(&kept, override->listener,
							     override->group, override->endpoint);

		if (rest && rest->weight == override->weight)
			continue;
		if (push(&lost, override))
			return -ENOMEM;
	}
	*ret = lost;
	lost = (struct overrides){};
	return 0;
}

int overrides_restore(struct overrides *overrides, const struct overrides *lost)
{
	vec_foreach(override, &lost->list) {
		struct override *now = overrides_find(overrides, override->listener,
						      override->group, override->endpoint);

		if (!now && push(overrides, override))
			return -ENOMEM;
		if (now && now->weight < 0) {
			now->weight = override->weight;
			now->file_weight = override->file_weight;
			now->weight_origin = override->weight_origin;
		}
	}
	return 0;
}

static bool is_disabled(const struct overrides *overrides, const char *listener, const char *group,
			const char *endpoint)
{
	const struct override *override = overrides_find(overrides, listener, group, endpoint);

	return override && override->disabled;
}

static bool is_enabled(const void *user, const struct listener *listener,
		       const struct endpoint_group *group, const struct endpoint *endpoint)
{
	if (!group)
		return !is_disabled(user, listener->name, "", "");
	return !is_disabled(user, listener->name, group->name, "") &&
	       !is_disabled(user, listener->name, group->name, endpoint->name);
}

int overrides_enabled(const struct overrides *overrides, const struct model *model,
		      struct model **ret)
{
	const struct overrides none = {};

	*ret = NULL;
	if (overrides_same_enabled(overrides, &none))
		return 0;
	*ret = model_copy(model);
	if (!*ret)
		return -ENOMEM;
	model_keep(*ret, is_enabled, overrides);
	return 0;
}

static bool disables_all(const struct overrides *a, const struct overrides *b)
{
	vec_foreach(override, &b->list)
		if (override->disabled &&
		    !is_disabled(a, override->listener, override->group, override->endpoint))
			return false;
	return true;
}

bool overrides_same_enabled(const struct overrides *a, const struct overrides *b)
{
	return disables_all(a, b) && disables_all(b, a);
}

const char *override_path(const struct override *override, char *text)
{
	snprintf(text, OVERRIDE_PATH_MAX, "%s%s%s%s%s", override->listener,
		 override->group[0] ? "/" : "", override->group, override->endpoint[0] ? "/" : "",
		 override->endpoint);
	return text;
}

uint8_t overrides_percentage(const struct overrides *overrides, const struct listener *listener,
			     const struct endpoint_group *group)
{
	const struct override *override =
		overrides_find(overrides, listener->name, group->name, "");

	return override && override->weight >= 0 ? override->weight : group->traffic_percentage;
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
