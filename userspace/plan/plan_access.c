// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/plan_access.h"

#include <string.h>

#include "util/str.h"

/* A tree of 4^9 bounds, two for each range. */
#define RANGES_MAX 131071

void plan_access_fini(struct plan_access *access)
{
	vec_foreach(entry, &access->built)
		vec_free(&entry->acls);
	vec_free(&access->built);
}

static bool is_of(const struct acl *acl, bool ip6)
{
	return acl->prefixes.count &&
	       (addr_family(&acl->prefixes.items[0].addr) == AF_INET6) == ip6;
}

/* Those acls of a listener that have prefixes of the IP version. */
static int list_acls(const struct model *model, const struct listener *listener, bool ip6,
		     struct plan_access_acls *ret)
{
	vec_foreach(index, &listener->acls) {
		const struct acl *acl = &model->acls.items[*index];

		if (is_of(acl, ip6) && vec_push(ret, &acl->prefixes) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool same_acls(const struct plan_access_acls *a, const struct plan_access_acls *b)
{
	return a->count == b->count &&
	       (!a->count || !memcmp(a->items, b->items, a->count * sizeof(*a->items)));
}

/* A tree of the same ranges that the plan in force or this one has, or NULL. */
static struct bounds *find_equal(const struct plan_access *access, const struct bounds *bounds,
				 struct bounds *before)
{
	if (before && bounds_equal(before, bounds))
		return before;
	vec_foreach(entry, &access->built)
		if (bounds_equal(entry->bounds, bounds))
			return entry->bounds;
	vec_foreach(listener, &access->in_force->listeners)
		if (listener->ranges[bounds->ip6] && listener->ranges[bounds->ip6] != before &&
		    bounds_equal(listener->ranges[bounds->ip6], bounds))
			return listener->ranges[bounds->ip6];
	return NULL;
}

/* *ret is a new reference. */
static int tree_of(struct plan_access *access, const struct listener *from, bool ip6,
		   struct bounds *before, struct bounds **ret)
{
	_cleanup_(bounds_unrefp) struct bounds *bounds = NULL;
	struct plan_access_entry entry = { .ip6 = ip6 };
	struct bounds *equal;
	int r = list_acls(access->model, from, ip6, &entry.acls);

	vec_foreach(known, &access->built) {
		if (r || known->ip6 != ip6 || !same_acls(&known->acls, &entry.acls))
			continue;
		vec_free(&entry.acls);
		*ret = bounds_ref(known->bounds);
		return 0;
	}
	r = r ?: bounds_build(entry.acls.items, entry.acls.count, ip6, &bounds);
	if (!r) {
		equal = find_equal(access, bounds, before);
		if (equal) {
			bounds_unref(bounds);
			bounds = bounds_ref(equal);
		}
		entry.bounds = bounds;
		r = vec_push(&access->built, entry);
	}
	if (r < 0) {
		vec_free(&entry.acls);
		return r;
	}
	*ret = take_ptr(bounds);
	return 0;
}

/* "office, office6": as long as there is room. */
static int print_lists(const struct model *model, const struct listener *from,
		       char ret[WEIR_NAME_MAX])
{
	_cleanup_(str_fini) struct str text = {};
	const char *comma = "";

	vec_foreach(index, &from->acls) {
		str_add(&text, "%s%s", comma, model->acls.items[*index].name);
		comma = ", ";
	}
	if (text.failed)
		return -ENOMEM;
	memset(ret, 0, WEIR_NAME_MAX);
	if (text.size < WEIR_NAME_MAX)
		memcpy(ret, text.text ? text.text : "", text.size);
	else
		snprintf(ret, WEIR_NAME_MAX, "%.*s...", WEIR_NAME_MAX - 4, text.text);
	return 0;
}

int plan_access_listener(struct plan_access *access, const struct listener *from,
			 struct plan_listener *to, struct err *err)
{
	bool has[PLAN_FAMILIES] = {};

	if (from->access == WEIR_ACCESS_ALL) {
		plan_access_drop(to);
		return 0;
	}
	to->access = from->access;
	if (print_lists(access->model, from, to->lists) < 0)
		return -ENOMEM;
	vec_foreach(address, &from->addresses)
		has[plan_family_of(address)] = true;
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		struct bounds *before = to->ranges[family], *now = NULL;
		int r = has[family] ? tree_of(access, from, family == PLAN_IP6, before, &now) : 0;

		if (r == -E2BIG)
			return err_set(err, r,
				       "listener %s: its acls have too many separate ranges of "
				       "IPv6 addresses; at most %u",
				       from->name, RANGES_MAX);
		if (r < 0)
			return r;
		to->ranges[family] = now;
		bounds_unref(before);
	}
	return 0;
}

void plan_access_drop(struct plan_listener *listener)
{
	listener->access = WEIR_ACCESS_ALL;
	memset(listener->lists, 0, sizeof(listener->lists));
	for (int family = 0; family < PLAN_FAMILIES; family++) {
		bounds_unref(listener->ranges[family]);
		listener->ranges[family] = NULL;
	}
}
