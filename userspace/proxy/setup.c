// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "proxy/setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "config/config.h"
#include "http/rules.h"
#include "proxy/upstream.h"
#include "proxy/whereabouts.h"

/* A model with compiled rules, shared by the setups of one text. */
struct setup_text {
	unsigned references;
	struct model *model;
	struct rules **rules; /* by listener; NULL where it is none of http */
};

static void text_unref(struct setup_text *text)
{
	if (!text || --text->references)
		return;
	for (size_t i = 0; text->rules && i < text->model->listeners.count; i++)
		rules_free(text->rules[i]);
	free(text->rules);
	model_free(text->model);
	free(text);
}
DEFINE_CLEANUP(struct setup_text *, text_unref)

static int text_new(const char *source, struct setup_text **ret, struct err *err)
{
	_cleanup_(text_unrefp) struct setup_text *text = calloc(1, sizeof(*text));
	struct findings findings = {};
	int r;

	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	text->references = 1;
	r = config_parse(source, strlen(source), &text->model, &findings);
	findings_fini(&findings);
	if (r < 0)
		return err_set(err, r, "a configuration of another version");
	text->rules = calloc(text->model->listeners.count + 1, sizeof(*text->rules));
	if (!text->rules)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < text->model->listeners.count; i++) {
		const struct listener *listener = &text->model->listeners.items[i];

		r = listener->http ? rules_new(listener, &text->rules[i], err) : 0;
		if (r < 0)
			return r;
	}
	*ret = take_ptr(text);
	return 0;
}

static void pool_fini(struct pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		upstreams_unref(pool->targets[i].upstreams);
	free(pool->targets);
	free(pool->table);
	free(pool->sample);
}

static void service_fini(struct service *service)
{
	for (size_t i = 0; i < service->count; i++)
		pool_fini(&service->pools[i]);
	free(service->pools);
	free(service->pool_of);
	free(service->rule_tallies);
}

void setup_unref(struct setup *setup)
{
	if (!setup || --setup->references)
		return;
	for (size_t i = 0; i < setup->count; i++)
		service_fini(&setup->services[i]);
	free(setup->services);
	lookup_fini(&setup->by_address);
	text_unref(setup->text);
	snapshot_free(setup->snapshot);
	free(setup);
}

struct setup *setup_ref(struct setup *setup)
{
	setup->references++;
	return setup;
}

/* Of a target that the text does not have. */
static const struct endpoint_group unknown;

static int fill_target(const struct snapshot_target *from, const struct listener *listener,
		       struct upstreams **upstreams, struct target *to)
{
	const struct endpoint_group *group = model_find_group(listener, from->group);
	const struct endpoint *endpoint = group ? model_find_endpoint(group, from->name) : NULL;

	to->endpoint = from;
	to->group = group ?: &unknown;
	to->most = endpoint ? endpoint->max_connections : 0;
	to->row = -ENOENT;
	to->upstreams = upstreams_get(upstreams, &from->address, from->port);
	return to->upstreams ? 0 : -ENOMEM;
}

static bool is_plain(const struct target *target)
{
	return !target->most && !target->group->passive_health.failures &&
	       !target->group->slow_start;
}

static int fill_pool(const struct snapshot_pool *from, const struct listener *listener,
		     struct upstreams **upstreams, struct pool *to)
{
	int r = 0;

	to->targets = calloc(from->targets.count + 1, sizeof(*to->targets));
	if (!to->targets)
		return -ENOMEM;
	to->from = from;
	to->slots = from->slots;
	to->plain = to->is_routable = true;
	if (getrandom(&to->turn, sizeof(to->turn), 0) < 0)
		to->turn = 0;
	for (size_t i = 0; !r && i < from->targets.count; i++) {
		struct target *target = &to->targets[i];

		r = fill_target(&from->targets.items[i], listener, upstreams, target);
		to->count += !r;
		to->plain &= !r && is_plain(target);
		to->is_routable &= !r && is_plain(target) && !target->endpoint->proxy_protocol;
	}
	return r;
}

/* Which pool each group's requests go to. */
static void map_groups(const struct snapshot_listener *from, struct service *service)
{
	for (size_t i = 0; i < service->listener->groups.count; i++)
		for (size_t p = 1; p < from->pools.count; p++)
			if (!strcmp(from->pools.items[p].group,
				    service->listener->groups.items[i].name))
				service->pool_of[i] = p;
}

static uint32_t hash_of(const struct addr *address, uint16_t port)
{
	return lookup_hash(port, address->bytes, sizeof(address->bytes));
}

/* Does what becomes of a request follow from its host and path alone? */
static bool is_routable(const struct snapshot_listener *from, const struct listener *listener)
{
	if (!listener->http->kernel_routing || listener->http->tls || listener->client_affinity ||
	    from->near)
		return false;
	vec_foreach(rule, &listener->http->rules)
		vec_foreach(condition, &rule->conditions)
			if (condition->field != HTTP_HOST && condition->field != HTTP_PATH)
				return false;
	return true;
}

static int fill_service(const struct snapshot_listener *from, struct upstreams **upstreams,
			struct setup *setup)
{
	const struct model *model = setup->text->model;
	const struct listener *listener = model_find_listener(model, from->name);
	struct service *service = &setup->services[setup->count];
	int r = 0;

	if (!listener || !listener->http)
		return 0;
	service->listener = listener;
	service->id = from->id;
	service->near = from->near;
	service->is_routable = is_routable(from, listener);
	service->rules = setup->text->rules[listener - model->listeners.items];
	service->pools = calloc(from->pools.count, sizeof(*service->pools));
	service->pool_of = calloc(listener->groups.count, sizeof(*service->pool_of));
	setup->count++;
	if (!service->pools || !service->pool_of)
		return -ENOMEM;
	vec_foreach(pool, &from->pools) {
		r = r ?: fill_pool(pool, listener, upstreams, &service->pools[service->count]);
		service->count++;
	}
	map_groups(from, service);
	vec_foreach(address, &listener->addresses)
		r = r
			    ?: lookup_add(&setup->by_address,
					  hash_of(address, listener->ports.items[0].first),
					  setup->count - 1);
	return r;
}

int setup_new(struct snapshot *snapshot, const struct setup *before, struct upstreams **upstreams,
	      struct setup **ret, struct err *err)
{
	_cleanup_(setup_unrefp) struct setup *setup = calloc(1, sizeof(*setup));
	int r = 0;

	if (!setup) {
		snapshot_free(snapshot);
		return err_set(err, -ENOMEM, "out of memory");
	}
	setup->references = 1;
	setup->number = before ? before->number + 1 : 1;
	setup->snapshot = snapshot;
	if (before && !strcmp(before->snapshot->text, snapshot->text)) {
		setup->text = before->text;
		setup->text->references++;
	} else {
		r = text_new(snapshot->text, &setup->text, err);
	}
	if (r < 0)
		return r;
	setup->services = calloc(snapshot->listeners.count + 1, sizeof(*setup->services));
	if (!setup->services)
		return err_set(err, -ENOMEM, "out of memory");
	vec_foreach(listener, &snapshot->listeners)
		r = r ?: fill_service(listener, upstreams, setup);
	if (r < 0)
		return err_set(err, r, "out of memory");
	*ret = take_ptr(setup);
	return 0;
}

const struct service *setup_find(const struct setup *setup, const struct addr *address,
				 uint16_t port)
{
	lookup_foreach(item, &setup->by_address, hash_of(address, port)) {
		const struct service *service = &setup->services[item];

		if (service->listener->ports.items[0].first != port)
			continue;
		vec_foreach(known, &service->listener->addresses)
			if (addr_equal(known, address))
				return service;
	}
	return NULL;
}

uint8_t setup_region(const struct setup *setup, const struct service *service,
		     const struct addr *client)
{
	const struct whereabouts *whereabouts = setup->snapshot->whereabouts;

	return service->near && whereabouts ? whereabouts_region(whereabouts, client) : 0;
}

struct pool *setup_pool(const struct service *service, const struct rules_verdict *verdict,
			uint8_t region)
{
	uint16_t pool = verdict->kind == RULES_FORWARD ? service->pool_of[verdict->group] : 0;

	if (!pool && service->near)
		pool = service->near[region];
	return &service->pools[pool];
}
