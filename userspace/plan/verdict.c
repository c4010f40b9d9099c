// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/verdict.h"

#include <stdio.h>
#include <string.h>

void verdicts_fini(struct verdicts *verdicts)
{
	vec_free(&verdicts->list);
	lookup_fini(&verdicts->by_name);
}

static uint32_t hash_of(const char *listener, const char *group, const char *endpoint,
			const struct addr *address)
{
	uint32_t hash = lookup_hash(0, listener, strlen(listener));

	hash = lookup_hash(hash, group, strlen(group));
	hash = lookup_hash(hash, endpoint, strlen(endpoint));
	return lookup_hash(hash, address->bytes, sizeof(address->bytes));
}

int verdicts_add(struct verdicts *verdicts, const struct verdict *verdict)
{
	uint32_t hash =
		hash_of(verdict->listener, verdict->group, verdict->endpoint, &verdict->address);

	if (vec_push(&verdicts->list, *verdict))
		return -ENOMEM;
	if (lookup_add(&verdicts->by_name, hash, verdicts->list.count - 1)) {
		verdicts->list.count--;
		return -ENOMEM;
	}
	return 0;
}

struct verdict *verdicts_find(const struct verdicts *verdicts, const char *listener,
			      const char *group, const char *endpoint, const struct addr *address)
{
	lookup_foreach(item, &verdicts->by_name, hash_of(listener, group, endpoint, address)) {
		struct verdict *verdict = &verdicts->list.items[item];

		if (!strcmp(verdict->endpoint, endpoint) && !strcmp(verdict->group, group) &&
		    !strcmp(verdict->listener, listener) && addr_equal(&verdict->address, address))
			return verdict;
	}
	return NULL;
}

struct weir_health verdicts_health(const struct verdicts *verdicts, const struct listener *listener,
				   const struct endpoint_group *group,
				   const struct endpoint *endpoint)
{
	const struct verdict *verdict = NULL;

	if (!group->health_check)
		return (struct weir_health){ .state = WEIR_HEALTH_UNCHECKED };
	if (verdicts)
		verdict = verdicts_find(verdicts, listener->name, group->name, endpoint->name,
					&endpoint->address);
	return verdict ? verdict->health : (struct weir_health){ .state = WEIR_HEALTH_UNKNOWN };
}

void verdict_sum_add(struct verdict_sum *sum, const struct weir_health *health)
{
	sum->all++;
	sum->checked += health->state != WEIR_HEALTH_UNCHECKED;
	sum->abnormal += health->state == WEIR_HEALTH_ABNORMAL;
}

const char *verdict_sum_name(const struct verdict_sum *sum)
{
	if (!sum->checked)
		return "unchecked";
	if (!sum->abnormal)
		return "normal";
	return sum->abnormal < sum->all ? "partially_abnormal" : "abnormal";
}

const char *verdict_state(const struct weir_health *health)
{
	static const char *const names[] = {
		[WEIR_HEALTH_UNCHECKED] = "unchecked",
		[WEIR_HEALTH_UNKNOWN] = "unknown",
		[WEIR_HEALTH_NORMAL] = "normal",
		[WEIR_HEALTH_ABNORMAL] = "abnormal",
	};

	return health->state <= WEIR_HEALTH_ABNORMAL ? names[health->state] : "?";
}

static const struct {
	const char *name;
	const char *words;
} reasons[] = {
#define REASON(name, text, words) { text, words },
	WEIR_HEALTH_REASONS(REASON)
#undef REASON
};

const char *verdict_reason_name(const struct weir_health *health)
{
	return health->reason < WEIR_HEALTH_REASON_COUNT ? reasons[health->reason].name : "?";
}

const char *verdict_reason(const struct weir_health *health, char *text)
{
	const char *words =
		health->reason < WEIR_HEALTH_REASON_COUNT ? reasons[health->reason].words : "?";

	switch (health->reason) {
	case WEIR_HEALTH_UNREACHABLE:
	case WEIR_HEALTH_SOCKET:
		snprintf(text, VERDICT_REASON_MAX, "%s: %s", words, strerror(health->detail));
		break;
	case WEIR_HEALTH_STATUS:
	case WEIR_HEALTH_CERTIFICATE:
		snprintf(text, VERDICT_REASON_MAX, "%s %u", words, health->detail);
		break;
	default:
		snprintf(text, VERDICT_REASON_MAX, "%s", words);
	}
	return text;
}
