// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/stock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/stock_files.h"
#include "util/log.h"

#define LOOK_MS	     1000
#define EXPIRE_EVERY 60	  /* looks */
#define LEAVING	     3600 /* s that flows may stay with an address that is gone */
#define REPORTED     20	  /* instances, by name */

struct stock {
	struct stock_calls calls;
	struct loop_source *timer;
	unsigned looks;
	struct model *model; /* copy of the one that is followed, or NULL */
	struct names names;  /* of its instances */
	struct stock_files *files;
};

/* ---- instances ---- */

/* It has these addresses now, if it serves. True if anything has changed. */
static bool set_addresses(struct names_domain *domain, const struct instance *instance,
			  bool prefer_public)
{
	static const int families[INSTANCES_FAMILIES] = { AF_INET, AF_INET6 };
	bool changed = false;

	for (int i = 0; i < INSTANCES_FAMILIES; i++) {
		const struct addr *address = NULL;

		if (instance && instance->serves)
			address = instances_address(instance, i, prefer_public);
		changed |= names_set(domain, families[i], address, address != NULL, time(NULL));
	}
	return names_expire(domain, time(NULL) - LEAVING) || changed;
}

/* The entry of an endpoint, with what was known of it; *ret_fresh: there was none in `names`. */
static struct names_domain *enter(const struct stock *stock, const struct endpoint *endpoint,
				  struct names *names, bool *ret_fresh)
{
	char key[NAMES_KEY_MAX];
	const struct names_domain *before;
	struct names_domain *domain;

	names_key(endpoint, key);
	domain = names_find(names, key);
	*ret_fresh = !domain;
	if (domain)
		return domain;
	before = names_find(&stock->names, key);
	domain = names_get(names, key);
	if (!domain || !before)
		return domain;
	vec_foreach(known, &before->addresses)
		if (vec_push(&domain->addresses, *known))
			return NULL;
	return domain;
}

static int add_group(const struct stock *stock, const struct model *model,
		     const struct endpoint_group *group, struct names *ret)
{
	vec_foreach(endpoint, &group->endpoints) {
		const struct instance *instance;
		struct names_domain *domain;
		bool fresh, sure;

		if (!model_is_instance(endpoint))
			continue;
		domain = enter(stock, endpoint, ret, &fresh);
		if (!domain)
			return -ENOMEM;
		instance = stock_files_find(stock->files, model, endpoint, &sure);
		if (fresh && (instance || sure))
			set_addresses(domain, instance, model->inventory.prefer_public);
	}
	return 0;
}

static int collect(const struct stock *stock, const struct model *model, struct names *ret)
{
	_cleanup_(names_fini) struct names names = {};

	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			if (add_group(stock, model, group, &names) < 0)
				return -ENOMEM;
	*ret = names;
	names = (struct names){};
	return 0;
}

int stock_ready(struct stock *stock, const struct model *model)
{
	return stock_files_ready(stock->files, model);
}

int stock_names(struct stock *stock, const struct model *model, struct names *ret)
{
	return stock_files_open(stock->files, model) ?: collect(stock, model, ret);
}

/* Those that new flows go to: "10.0.0.1, fd00::1". */
static void print_addresses(const struct names_domain *domain, struct str *out)
{
	char one[ADDR_TEXT_MAX];

	vec_foreach(known, &domain->addresses)
		if (!known->left)
			str_add(out, "%s%s", out->size ? ", " : "",
				addr_print(&known->address, one));
}

/* "ecs/i-a: has the address 10.0.0.1", "...: is Stopped; it gets no new flows" */
static void say_one(const struct stock *stock, const struct names_domain *domain,
		    const char *addresses)
{
	const char *slash = strchr(domain->name, '/');
	struct endpoint endpoint = { .type = *domain->name == 'e' ? TYPE_ECS : TYPE_SLB };
	char text[STOCK_TROUBLE_MAX];

	if (addresses) {
		log_info("inventory: %s: has the address%s %s", domain->name,
			 strchr(addresses, ',') ? "es" : "", addresses);
		return;
	}
	endpoint.domain = (char *)slash + 1;
	log_warning("inventory: %s: %s; it gets no new flows", domain->name,
		    stock_trouble(stock, stock->model, &endpoint, text) ?: "has no address");
}

/* What has changed, and with `all` who gets no new flows anyway. */
static void say_names(const struct stock *stock, const struct names *before, bool all)
{
	size_t count = 0;

	vec_foreach(domain, &stock->names.list) {
		const struct names_domain *other = names_find(before, domain->name);
		_cleanup_(str_fini) struct str now = {}, then = {};

		print_addresses(domain, &now);
		if (other)
			print_addresses(other, &then);
		if (str_equal(now.text, then.text) && (!all || now.size))
			continue;
		if (++count <= REPORTED)
			say_one(stock, domain, now.text);
	}
	if (count > REPORTED)
		log_info("inventory: and %zu more instances; see: weir show endpoints",
			 count - REPORTED);
}

/* Of the model that is followed, after files have been read or time has passed. */
static void refresh(struct stock *stock)
{
	struct names before = stock->names, names;

	if (!stock->model || collect(stock, stock->model, &names) < 0)
		return; /* the next look tries again */
	stock->names = names;
	say_names(stock, &before, false);
	names_fini(&before);
	stock->calls.changed(stock->calls.user);
}

static void on_look(void *user, uint32_t expirations)
{
	struct stock *stock = user;

	(void)expirations;
	stock_files_look(stock->files, stock->model);
	if (++stock->looks % EXPIRE_EVERY == 0)
		refresh(stock);
}

static void on_read(void *user)
{
	struct stock *stock = user;

	stock->calls.read(stock->calls.user);
	refresh(stock);
}

/* ---- lifetime ---- */

int stock_new(struct loop *loop, const struct stock_calls *calls, struct stock **ret)
{
	_cleanup_(stock_freep) struct stock *stock = calloc(1, sizeof(*stock));
	const struct stock_files_calls files_calls = { on_read, stock };
	int r;

	if (!stock)
		return -ENOMEM;
	r = stock_files_new(loop, &files_calls, &stock->files);
	if (!r && loop) {
		stock->calls = *calls;
		r = loop_add_timer(loop, (struct loop_call){ on_look, stock }, &stock->timer);
	}
	if (r < 0)
		return r;
	*ret = take_ptr(stock);
	return 0;
}

void stock_free(struct stock *stock)
{
	if (!stock)
		return;
	stock_files_free(stock->files);
	names_fini(&stock->names);
	model_free(stock->model);
	loop_remove(stock->timer);
	free(stock);
}

void stock_adopt(struct stock *stock, struct names *names)
{
	names_fini(&stock->names);
	stock->names = *names;
	*names = (struct names){};
}

int stock_follow(struct stock *stock, const struct model *model)
{
	struct model *copy = model->inventory.files.count ? model_copy(model) : NULL;
	struct names before = stock->names, names;

	if (model->inventory.files.count && !copy)
		return -ENOMEM;
	if (stock_names(stock, model, &names) < 0) {
		model_free(copy);
		return -ENOMEM;
	}
	stock_files_keep(stock->files, model);
	stock->names = names;
	model_free(stock->model);
	stock->model = copy;
	say_names(stock, &before, true);
	names_fini(&before);
	if (copy)
		loop_set_timer(stock->timer, LOOK_MS, LOOK_MS);
	else
		loop_stop_timer(stock->timer);
	return 0;
}

const struct names *stock_known(const struct stock *stock)
{
	return &stock->names;
}

/* ---- in words ---- */

const char *stock_trouble(const struct stock *stock, const struct model *model,
			  const struct endpoint *endpoint, char text[STOCK_TROUBLE_MAX])
{
	bool sure;
	const struct instance *instance = stock_files_find(stock->files, model, endpoint, &sure);

	if (!instance)
		snprintf(text, STOCK_TROUBLE_MAX, "%s",
			 sure ? "is not in the inventory" : "the inventory cannot be read");
	else if (!instance->serves)
		snprintf(text, STOCK_TROUBLE_MAX, "is %s", instance->status);
	else if (!instances_address(instance, INSTANCES_IP4, false) &&
		 !instances_address(instance, INSTANCES_IP6, false))
		snprintf(text, STOCK_TROUBLE_MAX, "has no address in the inventory");
	else
		return NULL;
	return text;
}

/* Those that get no traffic, the first of them; returns how many there are. */
static size_t report_group(const struct stock *stock, const struct model *model, const size_t at[2],
			   size_t count, struct remarks *remarks)
{
	const struct listener *listener = &model->listeners.items[at[0]];
	const struct endpoint_group *group = &listener->groups.items[at[1]];
	char text[STOCK_TROUBLE_MAX];

	for (size_t i = 0; i < group->endpoints.count; i++) {
		const struct remark_place place = { REMARK_ENDPOINT, { at[0], at[1], i } };
		const struct endpoint *endpoint = &group->endpoints.items[i];

		if (!model_is_instance(endpoint) || !stock_trouble(stock, model, endpoint, text))
			continue;
		if (++count <= REPORTED)
			remarks_add(remarks, &place, "%s/%s/%s: %s", listener->name, group->name,
				    endpoint->name, text);
	}
	return count;
}

void stock_report(struct stock *stock, const struct model *model, struct remarks *remarks)
{
	static const struct remark_place whole = { .kind = REMARK_INVENTORY };
	size_t count = 0;

	if (stock_files_open(stock->files, model) < 0) {
		remarks->failed = true;
		return;
	}
	stock_files_report(stock->files, model, remarks);
	for (size_t i = 0; i < model->listeners.count; i++)
		for (size_t j = 0; j < model->listeners.items[i].groups.count; j++)
			count = report_group(stock, model, (const size_t[]){ i, j }, count,
					     remarks);
	if (count > REPORTED)
		remarks_add(remarks, &whole, "and %zu more instances that get no traffic",
			    count - REPORTED);
}
