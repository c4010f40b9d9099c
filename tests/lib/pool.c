// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "pool.h"

#include <string.h>

#include "dataplane/sync.h"
#include "plan/maglev.h"
#include "random.h"
#include "util/str.h"

#define FIRST_HOST 11

static const char *address_of(unsigned member, bool ip6, char text[ADDR_TEXT_MAX])
{
	snprintf(text, ADDR_TEXT_MAX, ip6 ? "fd00::%x" : "10.0.0.%u", FIRST_HOST + member);
	return text;
}

uint8_t pool_member_of(const uint8_t mac[6])
{
	static const uint8_t prefix[5] = { 2 };

	return memcmp(mac, prefix, sizeof(prefix)) ? REFERENCE_NOBODY : mac[5] - FIRST_HOST;
}

static uint32_t undrained_weight(const struct pool_member *member)
{
	return member->set ?: member->weight;
}

uint32_t pool_weight(const struct pool_member *member)
{
	return !member->configured || member->drained ? 0 : undrained_weight(member);
}

uint32_t pool_share(const struct pool *pool, unsigned member)
{
	bool lives = false;

	for (unsigned i = 0; i < pool->count; i++)
		lives |= !pool->members[i].dead && pool_weight(&pool->members[i]);
	return lives && pool->members[member].dead ? 0 : pool_weight(&pool->members[member]);
}

unsigned pool_count_weighted(const struct pool *pool)
{
	unsigned count = 0;

	for (unsigned i = 0; i < pool->count; i++)
		count += pool_weight(&pool->members[i]) > 0;
	return count;
}

unsigned pool_count_configured(const struct pool *pool)
{
	unsigned count = 0;

	for (unsigned i = 0; i < pool->count; i++)
		count += pool->members[i].configured;
	return count;
}

void pool_set_reachable(const struct pool *pool, unsigned member)
{
	char address[ADDR_TEXT_MAX], mac[RIG_MAC_TEXT];

	for (int ip6 = 0; ip6 < 2; ip6++) {
		address_of(member, ip6, address);
		rig_target(address, pool->members[member].dead ? NULL : rig_mac(address, mac), 0);
	}
}

void pool_describe(const struct pool *pool, struct reference *ret)
{
	for (unsigned i = 0; i < pool->count; i++) {
		ret->endpoints[i].lives = pool->members[i].configured;
		ret->endpoints[i].takes_new = pool_weight(&pool->members[i]) > 0;
		ret->endpoints[i].reachable = !pool->members[i].dead;
	}
}

/* Small ones, so that tables are, with a large one now and then; hardly any in large pools. */
uint8_t pool_random_weight(const struct pool *pool, uint64_t *random)
{
	uint32_t limit = random_one_in(random, 40) ? 255 : 8;

	return (uint8_t)(1 + random_below(random, pool->count == POOL_MAX ? 3 : limit));
}

/* Its machine dies or comes back; the operator has not touched anything. */
static void kill_or_revive(struct pool *pool, unsigned number)
{
	pool->members[number].dead = !pool->members[number].dead;
	pool_set_reachable(pool, number);
	if (plan_resolve(rig.plan, &rig.facts))
		sync_nexthops(rig.object, rig.plan);
}

void pool_disturb(struct pool *pool, uint64_t *random, char ret_what[POOL_WHAT])
{
	unsigned number = random_below(random, pool->count);
	struct pool_member *member = &pool->members[number];
	const char *what;

	if (!member->configured) {
		*member = (struct pool_member){ .configured = true, .lives = member->lives };
		member->weight = pool_random_weight(pool, random);
		pool_set_reachable(pool, number);
		what = "add";
	} else if (random_one_in(random, 4)) {
		kill_or_revive(pool, number);
		what = member->dead ? "kill" : "revive";
	} else if (random_one_in(random, 4) && pool_count_configured(pool) > 1) {
		member->configured = member->dead = false;
		member->lives++;
		what = "remove";
	} else if (random_one_in(random, 3)) {
		member->drained = !member->drained;
		what = member->drained ? "drain" : "return";
	} else if (random_one_in(random, 3)) {
		member->set = member->set && random_one_in(random, 2)
				      ? 0
				      : pool_random_weight(pool, random);
		what = "set";
	} else {
		member->weight = random_one_in(random, 8) ? 0 : pool_random_weight(pool, random);
		what = "weight";
	}
	snprintf(ret_what, POOL_WHAT, "%s %u (%u)", what, number, pool_weight(member));
}

static bool has_family(const struct pool_listener *listener, bool ip6)
{
	return !listener->only || (listener->only == 6) == ip6;
}

enum plan_family pool_family(const struct pool_listener *listener, enum plan_family clients)
{
	return has_family(listener, clients == PLAN_IP6) ? clients : !clients;
}

static void add_listener(const struct pool *pool, const struct pool_listener *listener,
			 struct str *text)
{
	const char *comma = "";
	char address[ADDR_TEXT_MAX];

	str_add(text,
		"- name: %s\n"
		"  protocol: %s\n"
		"  address: " POOL_VIPS "\n"
		"  port: %u\n"
		"  mode: %s\n"
		"  idle_timeout: %us\n"
		"%s"
		"  endpoint_groups:\n"
		"  - name: all\n"
		"    endpoints: [",
		listener->name, listener->protocol == IPPROTO_TCP ? "tcp" : "udp", listener->port,
		listener->mode, pool->idle_timeout,
		pool->affinity ? "  client_affinity: source_ip\n" : "");
	for (unsigned i = 0; i < pool->count; i++) {
		if (!pool->members[i].configured)
			continue;
		for (int ip6 = 0; ip6 < 2; ip6++) {
			if (!has_family(listener, ip6))
				continue;
			str_add(text, "%s'%s weight %u'", comma, address_of(i, ip6, address),
				pool->members[i].weight);
			comma = ", ";
		}
	}
	str_add(text, "]\n");
}

static void add_overrides(const char *listener, unsigned number, const struct pool_member *member)
{
	char address[ADDR_TEXT_MAX];

	for (int ip6 = 0; ip6 < 2; ip6++) {
		struct override *override = overrides_get(&rig.overrides, listener, "all",
							  address_of(number, ip6, address));

		cr_assert(override);
		override->drained = member->drained;
		override->weight = member->set ?: -1;
		override->file_weight = member->weight;
	}
}

void pool_configure(const struct pool *pool)
{
	struct str out = {};
	char *text;

	vec_free(&rig.overrides.list);
	str_add(&out, "version: 1\nlisteners:\n");
	for (size_t i = 0; i < pool->listener_count; i++) {
		add_listener(pool, &pool->listeners[i], &out);
		for (unsigned member = 0; member < pool->count; member++)
			if (pool->members[member].configured)
				add_overrides(pool->listeners[i].name, member,
					      &pool->members[member]);
	}
	text = str_take(&out);
	rig_configure("%s", text);
	free(text);
}

void pool_choose(const struct pool *pool, enum plan_family family, struct pool_table *ret)
{
	struct maglev_endpoint undrained[POOL_MAX] = {}, now[POOL_MAX] = {};
	static uint16_t table[REFERENCE_SLOTS];
	uint8_t members[POOL_MAX];
	char text[ADDR_TEXT_MAX];
	size_t count = 0;
	bool any;

	for (unsigned i = 0; i < pool->count; i++) {
		struct maglev_endpoint endpoint = { .weight = undrained_weight(&pool->members[i]) };

		if (!pool->members[i].configured)
			continue;
		cr_assert_eq(addr_parse(address_of(i, family == PLAN_IP6, text), &endpoint.address),
			     0);
		undrained[count] = endpoint;
		endpoint.weight = pool_share(pool, i);
		now[count] = endpoint;
		members[count++] = (uint8_t)i;
	}
	ret->size = maglev_size(undrained, count) ?: 1;
	ret->classes = maglev_classes(count);
	any = maglev_size(now, count) > 0;
	if (any)
		cr_assert_eq(maglev_fill(now, count, ret->size, table), 0);
	for (uint32_t i = 0; i < ret->size; i++)
		ret->slots[i] = any ? members[table[i]] : REFERENCE_NOBODY;
}

uint32_t pool_count_slots(const char *name, enum plan_family family, uint32_t ret[POOL_MAX])
{
	const struct plan_listener *listener = rig_listener(name);
	const struct plan_table *table = &listener->table[family];
	uint32_t *places = calloc(WEIR_SLOT_NONE + 1, sizeof(*places));

	cr_assert(places);
	for (uint32_t i = 0; i < table->size; i++)
		places[table->slots[i].current]++;
	memset(ret, 0, POOL_MAX * sizeof(*ret));
	vec_foreach(endpoint, &listener->endpoints)
		if (plan_in_block(listener, endpoint->row))
			ret[endpoint->address.bytes[15] - FIRST_HOST] +=
				places[endpoint->row - listener->block];
	free(places);
	return table->size;
}

double pool_needless(const struct pool *pool, const char *listener, enum plan_family family,
		     const uint32_t before[POOL_MAX], bool several)
{
	const struct plan_table *table = &rig_listener(listener)->table[family];
	uint32_t after[POOL_MAX], size = 0;
	double needed = 0;

	pool_count_slots(listener, family, after);
	for (unsigned i = 0; i < pool->count; i++)
		size += before[i];
	for (unsigned i = 0; size && i < pool->count; i++) {
		double gain = after[i] - (double)before[i] * table->size / size;

		needed += gain > 0 ? gain : 0;
	}
	needed /= table->size;
	if (several)
		needed = 2 * needed / (1 + needed);
	return 100 * ((double)table->change.moved / table->size - needed);
}

double pool_dealt_anew(const struct pool_table *before, const struct pool_table *after)
{
	uint32_t from = before->classes, to = after->classes;
	double part = 0;

	if (from > to) {
		from = after->classes;
		to = before->classes;
	}
	for (uint32_t class = from; class < to; class ++)
		part += 0.5 / (1u << (31 - __builtin_clz(class)));
	return 100 * part;
}

void pool_check_shares(const struct pool *pool, const char *listener, enum plan_family family,
		       const struct pool_table *table)
{
	uint32_t counts[POOL_MAX], slots = pool_count_slots(listener, family, counts), sum = 0;

	for (unsigned i = 0; i < pool->count; i++)
		sum += pool_share(pool, i);
	for (unsigned i = 0; sum && i < pool->count; i++) {
		double want = (double)table->size * pool_share(pool, i) / sum;
		double got = (double)counts[i] * table->size / slots;

		cr_assert(got > want - 1 && got < want + 1,
			  "%s: endpoint %u has %u of %u slots, with the weight %u of %u", listener,
			  i, counts[i], slots, pool_share(pool, i), sum);
	}
}
