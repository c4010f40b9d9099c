// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/plan_requests.h"

#include <errno.h>

#include "plan/plan_shares.h"

/* What an endpoint gets of a fold's whole. */
static double share_at(const struct plan_shares *shares, size_t i)
{
	return shares->sum ? (double)shares->endpoints[i].weight / shares->sum : 0;
}

/* By its place in the listener's list. */
static double *list_shares(const struct plan_listener *listener, const struct plan_shares *shares)
{
	double *list = calloc(listener->endpoints.count + 1, sizeof(*list));

	for (size_t i = 0; list && i < shares->count; i++)
		list[shares->places[i]] = share_at(shares, i);
	return list;
}

/* Endpoints keep their place in the list, unless those before them are released. */
static const struct plan_endpoint *find_same(const struct plan_listener *before, size_t place,
					     const struct plan_endpoint *endpoint)
{
	if (place < before->endpoints.count &&
	    plan_is_same(&before->endpoints.items[place], endpoint) &&
	    plan_in_block(before, before->endpoints.items[place].row))
		return &before->endpoints.items[place];
	vec_foreach(known, &before->endpoints)
		if (plan_is_same(known, endpoint) && plan_in_block(before, known->row))
			return known;
	return NULL;
}

/* What stays with those that have it, of both wholes. */
static double count_stay(const struct plan_listener *before, const double *had,
			 const struct plan_listener *now, const double *has)
{
	double stay = 0;

	for (size_t i = 0; i < now->endpoints.count; i++) {
		const struct plan_endpoint *same;
		double share;

		if (!has[i])
			continue;
		same = find_same(before, i, &now->endpoints.items[i]);
		share = same ? had[same - before->endpoints.items] : 0;
		stay += share < has[i] ? share : has[i];
	}
	return stay;
}

int plan_requests_moved(const struct plan_listener *before, const struct plan_listener *now,
			uint8_t region, double *ret)
{
	_cleanup_(plan_shares_fini) struct plan_shares old = {}, new = {};
	_cleanup_(freep) double *had = NULL, *has = NULL;
	int r = plan_shares_fold(before, PLAN_IP4, plan_order_of(before, region), &old);

	r = r ?: plan_shares_fold(now, PLAN_IP4, plan_order_of(now, region), &new);
	if (r < 0)
		return r;
	had = list_shares(before, &old);
	has = list_shares(now, &new);
	if (!had || !has)
		return -ENOMEM;
	*ret = old.sum || new.sum ? 1 - count_stay(before, had, now, has) : 0;
	return 0;
}
