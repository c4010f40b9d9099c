// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plan/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void names_fini(struct names *names)
{
	vec_foreach(domain, &names->list) {
		free(domain->name);
		vec_free(&domain->addresses);
	}
	vec_free(&names->list);
	lookup_fini(&names->by_name);
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 0;

	for (; *name; name++) {
		char low = tolower((unsigned char)*name);

		hash = lookup_hash(hash, &low, 1);
	}
	return hash;
}

struct names_domain *names_find(const struct names *names, const char *name)
{
	lookup_foreach(item, &names->by_name, hash_of(name)) {
		struct names_domain *domain = &names->list.items[item];

		if (!strcasecmp(domain->name, name))
			return domain;
	}
	return NULL;
}

struct names_domain *names_get(struct names *names, const char *name)
{
	struct names_domain *known = names_find(names, name);
	struct names_domain fresh = {};

	if (known)
		return known;
	fresh.name = strdup(name);
	if (!fresh.name || vec_push(&names->list, fresh)) {
		free(fresh.name);
		return NULL;
	}
	if (lookup_add(&names->by_name, hash_of(name), names->list.count - 1)) {
		names->list.count--;
		free(fresh.name);
		return NULL;
	}
	return &names->list.items[names->list.count - 1];
}

void names_keep(struct names *names, bool (*wanted)(void *user, const char *name), void *user)
{
	struct lookup by_name = {};
	size_t kept = 0;

	vec_foreach(domain, &names->list)
		if (wanted(user, domain->name) &&
		    lookup_add(&by_name, hash_of(domain->name), kept++)) {
			lookup_fini(&by_name);
			return;
		}
	kept = 0;
	vec_foreach(domain, &names->list) {
		if (wanted(user, domain->name)) {
			names->list.items[kept++] = *domain;
			continue;
		}
		free(domain->name);
		vec_free(&domain->addresses);
	}
	names->list.count = kept;
	lookup_fini(&names->by_name);
	names->by_name = by_name;
}

const char *names_key(const struct endpoint *endpoint, char text[NAMES_KEY_MAX])
{
	bool instance = model_is_instance(endpoint);

	snprintf(text, NAMES_KEY_MAX, "%s%s%s", instance ? model_type_name(endpoint->type) : "",
		 instance ? "/" : "", endpoint->domain);
	return text;
}

bool names_usable(const struct names_domain *domain)
{
	vec_foreach(known, &domain->addresses)
		if (!known->left)
			return true;
	return false;
}

static struct names_address *find_address(const struct names_domain *domain,
					  const struct addr *address)
{
	vec_foreach(known, &domain->addresses)
		if (addr_equal(&known->address, address))
			return known;
	return NULL;
}

static bool is_in(const struct addr *address, const struct addr *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (addr_equal(&addresses[i], address))
			return true;
	return false;
}

/* Those that have left first go first. */
static void limit_leaving(struct names_domain *domain)
{
	for (;;) {
		struct names_address *oldest = NULL;
		size_t leaving = 0;

		vec_foreach(known, &domain->addresses) {
			if (!known->left)
				continue;
			leaving++;
			if (!oldest || known->left < oldest->left)
				oldest = known;
		}
		if (leaving <= NAMES_LEAVING)
			return;
		*oldest = domain->addresses.items[--domain->addresses.count];
	}
}

static int compare(const void *a, const void *b)
{
	const struct names_address *x = a, *y = b;

	return addr_compare(&x->address, &y->address);
}

bool names_set(struct names_domain *domain, int family, const struct addr *addresses, size_t count,
	       uint64_t now)
{
	bool changed = false;

	vec_foreach(known, &domain->addresses) {
		bool has = is_in(&known->address, addresses, count);

		if (addr_family(&known->address) != family || has == !known->left)
			continue;
		known->left = has ? 0 : now;
		changed = true;
	}
	for (size_t i = 0; i < count; i++) {
		struct names_address fresh = { .address = addresses[i] };

		if (find_address(domain, &addresses[i]))
			continue;
		if (vec_push(&domain->addresses, fresh))
			break; /* it comes with the next answer */
		changed = true;
	}
	limit_leaving(domain);
	if (domain->addresses.count)
		qsort(domain->addresses.items, domain->addresses.count,
		      sizeof(*domain->addresses.items), compare);
	return changed;
}

bool names_expire(struct names_domain *domain, uint64_t before)
{
	size_t kept = 0, count = domain->addresses.count;

	vec_foreach(known, &domain->addresses)
		if (!known->left || known->left > before)
			domain->addresses.items[kept++] = *known;
	domain->addresses.count = kept;
	return kept != count;
}

bool names_needed(const struct model *model)
{
	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			vec_foreach(endpoint, &group->endpoints)
				if (endpoint->domain)
					return true;
	return false;
}

/* With whom an address shares the weight: all that serve the same clients. */
static uint8_t count_sharers(const struct names_domain *domain, const struct endpoint *one,
			     bool requests)
{
	bool both = requests || one->mode == WEIR_MODE_IPIP || one->mode == WEIR_MODE_GUE;
	size_t count = 0;

	vec_foreach(known, &domain->addresses)
		count += !known->left &&
			 (both || addr_family(&known->address) == addr_family(&one->address));
	return count < UINT8_MAX ? count : UINT8_MAX;
}

/* Is there an endpoint of the group with the address and port? Two domains may share one. */
static bool has_target(const struct endpoint_group *group, const struct endpoint *wanted)
{
	vec_foreach(endpoint, &group->endpoints)
		if (!endpoint->domain && endpoint->port == wanted->port &&
		    addr_equal(&endpoint->address, &wanted->address))
			return true;
	return false;
}

/* What is known of domains, and of instances. */
struct known {
	const struct names *domains, *instances;
	bool requests; /* of an http listener: clients of both families have all addresses */
};

/* Appends an endpoint for each address of another one's domain that it has, or has no more. */
static int add_addresses(const struct known *all, const struct endpoint *from, bool leaving,
			 struct endpoint_group *group)
{
	const struct names *names = model_is_instance(from) ? all->instances : all->domains;
	const struct names_domain *domain;
	char key[NAMES_KEY_MAX];

	domain = names_find(names, names_key(from, key));
	if (!domain)
		return 0;
	vec_foreach(known, &domain->addresses) {
		struct endpoint one = *from;

		if (!known->left == leaving)
			continue;
		one.domain = NULL;
		one.address = known->address;
		one.leaving = known->left;
		one.sharers = one.leaving ? 0 : count_sharers(domain, &one, all->requests);
		if (!has_target(group, &one) && vec_push(&group->endpoints, one))
			return -ENOMEM;
	}
	return 0;
}

/* Those with an address first: they keep their places whatever DNS says. Last what has been left:
 * an address that one instance has given back may be another's by now. */
static int expand_group(const struct known *known, struct endpoint_group *group)
{
	struct endpoint_group whole = { .endpoints = {} };
	int r = 0;

	vec_foreach(endpoint, &group->endpoints)
		if (!endpoint->domain)
			r = r ?: vec_push(&whole.endpoints, *endpoint);
	for (int leaving = false; leaving <= true; leaving++)
		vec_foreach(endpoint, &group->endpoints)
			if (endpoint->domain)
				r = r ?: add_addresses(known, endpoint, leaving, &whole);
	if (r < 0) {
		vec_free(&whole.endpoints);
		return r;
	}
	vec_foreach(endpoint, &group->endpoints)
		free(endpoint->domain);
	vec_free(&group->endpoints);
	memcpy(&group->endpoints, &whole.endpoints, sizeof(group->endpoints));
	return 0;
}

struct model *names_expand(const struct names *domains, const struct names *instances,
			   const struct model *model)
{
	_cleanup_(model_freep) struct model *copy = model_copy(model);

	if (!copy)
		return NULL;
	vec_foreach(listener, &copy->listeners) {
		const struct known known = { domains, instances, listener->http };

		vec_foreach(group, &listener->groups)
			if (expand_group(&known, group) < 0)
				return NULL;
	}
	return take_ptr(copy);
}
