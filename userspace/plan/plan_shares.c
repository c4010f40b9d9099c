// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/plan_shares.h"

#include <string.h>

#include "plan/shares.h"

/* What 1 is to weights of several groups: far finer than slots are. */
#define WEIGHT_ONE (1u << 31)

/* Weights are so many times as fine where addresses of a domain share one: exact for up to ten. */
#define WEIGHT_FINE 2520

/* Whom to count: the first of these that finds somebody. */
enum who {
	WHO_REACHED, /* usable, and within reach */
	WHO_USABLE,
	WHO_ANY, /* with a weight */
	WHO_END,
};

/* A group while it is folded. */
struct group {
	uint64_t sum;	   /* of weights that take new flows */
	uint64_t whole;	   /* of weights as if nothing was drained or dead */
	uint32_t smallest; /* of these, above 0 */
	uint64_t share;	   /* of the new flows, in parts of fold.all */
	uint64_t undimmed; /* the same as if nothing was drained or dead, in parts of fold.most */
};

struct fold {
	const struct plan_listener *listener;
	enum plan_family family;
	const uint16_t *order;
	struct group *groups;	    /* by place */
	struct shares_group *asked; /* by distance */
	uint64_t *parts;	    /* by distance */
	enum who who;
	uint32_t fine; /* what weights are multiplied by */
	uint64_t all;
	uint64_t most;
};

static void fold_fini(struct fold *fold)
{
	free(fold->groups);
	free(fold->asked);
	free(fold->parts);
}

static int fold_init(struct fold *fold)
{
	size_t count = fold->listener->groups.count + 1;

	fold->groups = calloc(count, sizeof(*fold->groups));
	fold->asked = calloc(count, sizeof(*fold->asked));
	fold->parts = calloc(count, sizeof(*fold->parts));
	return fold->groups && fold->asked && fold->parts ? 0 : -ENOMEM;
}

/* Is it one of those that slots can name for the clients at all? */
static bool is_member(const struct fold *fold, const struct plan_endpoint *endpoint)
{
	return endpoint->state != WEIR_ENDPOINT_GONE &&
	       endpoint->group_place < fold->listener->groups.count &&
	       plan_in_block(fold->listener, endpoint->row) &&
	       plan_serves(fold->listener, endpoint, fold->family);
}

static bool takes(const struct fold *fold, const struct plan_endpoint *endpoint)
{
	if (!endpoint->weight || !is_member(fold, endpoint))
		return false;
	return fold->who == WHO_ANY ||
	       (plan_is_usable(endpoint) && (fold->who == WHO_USABLE || endpoint->reachable));
}

/* A weight of the endpoint's, of which addresses of a domain have a part each. */
static uint32_t fine_weight(const struct fold *fold, const struct plan_endpoint *endpoint,
			    uint32_t weight)
{
	return weight * fold->fine / (endpoint->sharers ?: 1);
}

/* Of the group at this distance. */
static uint16_t place_at(const struct fold *fold, size_t distance)
{
	return fold->order ? fold->order[distance] : distance;
}

static void sum_up(struct fold *fold)
{
	for (size_t i = 0; i < fold->listener->groups.count; i++)
		fold->groups[i] = (struct group){};
	vec_foreach(endpoint, &fold->listener->endpoints) {
		uint32_t whole = fine_weight(fold, endpoint, endpoint->undrained_weight);
		struct group *group;

		if (!is_member(fold, endpoint))
			continue;
		group = &fold->groups[endpoint->group_place];
		group->whole += whole;
		if (whole && (!group->smallest || whole < group->smallest))
			group->smallest = whole;
		if (takes(fold, endpoint))
			group->sum += fine_weight(fold, endpoint, endpoint->weight);
	}
}

/* All groups as they are, or as if nothing was drained or dead. Returns the sum of the parts. */
static uint64_t ask(struct fold *fold, bool undimmed)
{
	size_t count = fold->listener->groups.count;

	for (size_t i = 0; i < count; i++) {
		uint16_t place = place_at(fold, i);
		const struct group *group = &fold->groups[place];

		fold->asked[i] = (struct shares_group){
			.percentage = fold->listener->groups.items[place].traffic_percentage,
			.usable = undimmed ? group->whole : group->sum,
		};
	}
	return shares_of_groups(fold->asked, count, fold->parts);
}

/* The nearest group that has somebody takes everything. */
static void fail_open(struct fold *fold)
{
	for (size_t i = 0; i < fold->listener->groups.count && !fold->all; i++) {
		struct group *group = &fold->groups[place_at(fold, i)];

		if (!group->sum)
			continue;
		group->share = fold->all = SHARES_ALL;
	}
}

static bool has_any(const struct fold *fold)
{
	for (size_t i = 0; i < fold->listener->groups.count; i++)
		if (fold->groups[i].sum)
			return true;
	return false;
}

static void share_out(struct fold *fold)
{
	enum who end = fold->listener->fail_open ? WHO_END : WHO_ANY;

	for (fold->who = WHO_REACHED; fold->who < end; fold->who++) {
		sum_up(fold);
		if (has_any(fold))
			break;
	}
	fold->most = ask(fold, true);
	for (size_t i = 0; i < fold->listener->groups.count; i++)
		fold->groups[place_at(fold, i)].undimmed = fold->parts[i];
	if (fold->who == end)
		return;
	if (fold->who == WHO_ANY) {
		fail_open(fold);
		return;
	}
	fold->all = ask(fold, false);
	for (size_t i = 0; i < fold->listener->groups.count; i++)
		fold->groups[place_at(fold, i)].share = fold->parts[i];
}

/* The weight itself where its group takes everything. */
static uint32_t weight_of(const struct fold *fold, const struct plan_endpoint *endpoint)
{
	const struct group *group = &fold->groups[endpoint->group_place];
	uint32_t share, weight = fine_weight(fold, endpoint, endpoint->weight);

	if (!group->share || group->share == fold->all)
		return group->share ? weight : 0;
	share = shares_scale(group->share, fold->all, WEIGHT_ONE);
	weight = shares_scale(weight, group->sum, share);
	return weight ?: 1;
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* a / b < c / d? */
static bool is_less(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return (unsigned __int128)a * d < (unsigned __int128)c * b;
}

/*
 * Room for the smallest share that an endpoint can come to have: in its group, when that has the
 * smallest part of any group, since a group that takes another's place gets all of its part.
 */
static uint32_t wanted_slots(const struct fold *fold, size_t count)
{
	uint64_t part = 0, smallest = 1, sum = 1, divisor;

	for (size_t i = 0; i < fold->listener->groups.count; i++) {
		const struct group *group = &fold->groups[i];

		if (group->undimmed && (!part || group->undimmed < part))
			part = group->undimmed;
		if (group->whole && is_less(group->smallest, group->whole, smallest, sum)) {
			smallest = group->smallest;
			sum = group->whole;
		}
	}
	if (!part)
		return 0;
	divisor = greatest_common_divisor(part, fold->most);
	smallest *= part / divisor;
	sum *= fold->most / divisor;
	for (; smallest > UINT32_MAX; sum /= 2)
		smallest /= 2;
	return maglev_slots(count, sum, smallest);
}

static void list(const struct fold *fold, struct plan_shares *ret)
{
	const struct plan_listener *listener = fold->listener;

	for (size_t i = 0; i < listener->endpoints.count; i++) {
		const struct plan_endpoint *endpoint = &listener->endpoints.items[i];
		uint32_t weight =
			fold->all && takes(fold, endpoint) ? weight_of(fold, endpoint) : 0;

		if (!is_member(fold, endpoint))
			continue;
		ret->places[ret->count] = i;
		ret->endpoints[ret->count++] = (struct maglev_endpoint){
			.address = endpoint->address,
			.port = endpoint->port,
			.weight = weight,
		};
		ret->sum += weight;
	}
}

int plan_shares_fold(const struct plan_listener *listener, enum plan_family family,
		     const uint16_t *order, struct plan_shares *ret)
{
	_cleanup_(fold_fini) struct fold fold = {
		.listener = listener,
		.family = family,
		.order = order,
		.fine = 1,
	};
	size_t room = listener->endpoints.count + 1;
	_cleanup_(plan_shares_fini) struct plan_shares shares = {
		.endpoints = calloc(room, sizeof(*shares.endpoints)),
		.places = calloc(room, sizeof(*shares.places)),
	};

	if (fold_init(&fold) < 0 || !shares.endpoints || !shares.places)
		return -ENOMEM;
	vec_foreach(endpoint, &listener->endpoints)
		if (endpoint->sharers > 1)
			fold.fine = WEIGHT_FINE;
	share_out(&fold);
	list(&fold, &shares);
	shares.slots = wanted_slots(&fold, shares.count);
	*ret = shares;
	shares = (struct plan_shares){};
	return 0;
}

static bool is_in(const struct plan_listener *listener, const struct plan_endpoint *endpoint,
		  const char *group)
{
	return endpoint->state != WEIR_ENDPOINT_GONE && !strcmp(endpoint->group, group) &&
	       plan_in_block(listener, endpoint->row);
}

int plan_shares_group(const struct plan_listener *listener, const char *group,
		      struct plan_shares *ret)
{
	size_t room = listener->endpoints.count + 1;
	_cleanup_(plan_shares_fini) struct plan_shares shares = {
		.endpoints = calloc(room, sizeof(*shares.endpoints)),
		.places = calloc(room, sizeof(*shares.places)),
	};
	bool usable = false;

	if (!shares.endpoints || !shares.places)
		return -ENOMEM;
	vec_foreach(endpoint, &listener->endpoints)
		if (is_in(listener, endpoint, group))
			usable |= plan_is_usable(endpoint) && endpoint->weight;
	for (size_t i = 0; i < listener->endpoints.count; i++) {
		const struct plan_endpoint *endpoint = &listener->endpoints.items[i];
		bool takes = usable ? plan_is_usable(endpoint) : listener->fail_open;

		if (!is_in(listener, endpoint, group))
			continue;
		shares.places[shares.count] = i;
		shares.endpoints[shares.count] = (struct maglev_endpoint){
			.address = endpoint->address,
			.port = endpoint->port,
			.weight = takes ? endpoint->weight * WEIGHT_FINE / (endpoint->sharers ?: 1)
					: 0,
		};
		shares.sum += shares.endpoints[shares.count++].weight;
	}
	shares.slots = maglev_size(shares.endpoints, shares.count);
	*ret = shares;
	shares = (struct plan_shares){};
	return 0;
}

void plan_shares_fini(struct plan_shares *shares)
{
	free(shares->endpoints);
	free(shares->places);
	*shares = (struct plan_shares){};
}

bool plan_shares_nobody(const struct plan_listener *listener, enum plan_family family)
{
	struct plan_shares shares = {};
	bool nobody = false;

	vec_foreach(address, &listener->addresses)
		nobody |= plan_family_of(address) == family;
	if (!nobody || plan_shares_fold(listener, family, NULL, &shares))
		return false;
	nobody = !shares.sum;
	plan_shares_fini(&shares);
	return nobody;
}
