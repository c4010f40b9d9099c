// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/stock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config/instances.h"
#include "daemon/privileges.h"
#include "util/file.h"
#include "util/log.h"

#define LOOK_MS	     1000
#define EXPIRE_EVERY 60	  /* looks */
#define LEAVING	     3600 /* s that flows may stay with an address that is gone */
#define REPORTED     20	  /* instances, by name */

struct source {
	char *path;		/* owned */
	struct file_state read; /* what was read, or could not be */
	struct file_state seen; /* at the last look */
	bool good;		/* has it been read, ever? */
	char *trouble;		/* owned, why it could not be last; NULL: it could */
	struct instances instances;
};

struct stock {
	struct stock_calls calls;
	struct loop_source *timer;
	unsigned looks;
	struct model *model; /* copy of the one that is followed, or NULL */
	struct names names;  /* of its instances */
	VEC(struct source *) sources;
};

static void source_free(struct source *source)
{
	if (!source)
		return;
	instances_fini(&source->instances);
	free(source->trouble);
	free(source->path);
	free(source);
}

/* ---- files ---- */

static void say(const struct source *source)
{
	const struct instances *instances = &source->instances;

	if (source->trouble) {
		log_error("inventory: %s: %s; what was known of its instances stays", source->path,
			  source->trouble);
		return;
	}
	log_info("inventory: %s: %zu instance%s", source->path, instances->list.count,
		 instances->list.count == 1 ? "" : "s");
	if (instances->missing)
		log_warning(
			"inventory: %s: is one page of several, %zu more are not in it; add the "
			"other pages, one behind the other",
			source->path, instances->missing);
}

/* Whatever becomes of it, the file is not read again before it changes. */
static void read_source(struct source *source)
{
	_cleanup_(freep) char *text = NULL;
	size_t size = 0, named = strlen(source->path) + strlen(": ");
	struct instances instances = {};
	struct err err = {};
	int r;

	source->read = source->seen = file_look(source->path);
	r = privileges_read(source->path, &text, &size, &err);
	if (!r) {
		named = 0;
		r = instances_parse(text, size, &instances, &err);
	}
	free(source->trouble);
	source->trouble = NULL;
	if (r < 0) {
		source->trouble = strdup(err.text + named); /* whoever shows it names the file */
		return;
	}
	instances_fini(&source->instances);
	source->instances = instances;
	source->good = true;
}

static struct source *find_source(const struct stock *stock, const char *path)
{
	vec_foreach(source, &stock->sources)
		if (!strcmp((*source)->path, path))
			return *source;
	return NULL;
}

/* Those of the model that have not been read. 0 or -ENOMEM. */
static int open_sources(struct stock *stock, const struct model *model)
{
	vec_foreach(path, &model->inventory.files) {
		struct source *source = find_source(stock, *path);

		if (source)
			continue;
		source = calloc(1, sizeof(*source));
		if (source)
			source->path = strdup(*path);
		if (!source || !source->path || vec_push(&stock->sources, source)) {
			source_free(source);
			return -ENOMEM;
		}
		read_source(source);
		if (stock->timer)
			say(source);
	}
	return 0;
}

static bool is_named(const struct model *model, const char *path)
{
	vec_foreach(file, &model->inventory.files)
		if (!strcmp(*file, path))
			return true;
	return false;
}

static void close_others(struct stock *stock, const struct model *model)
{
	size_t kept = 0;

	vec_foreach(source, &stock->sources) {
		if (is_named(model, (*source)->path))
			stock->sources.items[kept++] = *source;
		else
			source_free(*source);
	}
	stock->sources.count = kept;
}

/* ---- instances ---- */

/* In the order of the files: the first that has it. *ret_sure: no file that could have it has never
 * been read. */
static const struct instance *find_instance(const struct stock *stock, const struct model *model,
					    const struct endpoint *endpoint, bool *ret_sure)
{
	*ret_sure = true;
	vec_foreach(path, &model->inventory.files) {
		const struct source *source = find_source(stock, *path);
		const struct instance *instance =
			source ? instances_find(&source->instances, endpoint->type,
						endpoint->domain)
			       : NULL;

		if (instance)
			return instance;
		*ret_sure &= source && source->good;
	}
	return NULL;
}

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
		instance = find_instance(stock, model, endpoint, &sure);
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

int stock_names(struct stock *stock, const struct model *model, struct names *ret)
{
	return open_sources(stock, model) ?: collect(stock, model, ret);
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
	bool changed = false;

	(void)expirations;
	vec_foreach(item, &stock->sources) {
		struct source *source = *item;
		struct file_state now = file_look(source->path);
		bool settled = file_same(&now, &source->seen);

		source->seen = now;
		if (file_same(&now, &source->read) || !settled)
			continue;
		read_source(source);
		say(source);
		changed = true;
	}
	if (changed || ++stock->looks % EXPIRE_EVERY == 0)
		refresh(stock);
}

/* ---- lifetime ---- */

int stock_new(struct loop *loop, const struct stock_calls *calls, struct stock **ret)
{
	_cleanup_(stock_freep) struct stock *stock = calloc(1, sizeof(*stock));
	int r = 0;

	if (!stock)
		return -ENOMEM;
	if (loop) {
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
	vec_foreach(source, &stock->sources)
		source_free(*source);
	vec_free(&stock->sources);
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
	close_others(stock, model);
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
	const struct instance *instance = find_instance(stock, model, endpoint, &sure);

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

static void report_files(const struct stock *stock, const struct model *model, struct str *out)
{
	vec_foreach(path, &model->inventory.files) {
		const struct source *source = find_source(stock, *path);

		if (source && source->trouble)
			str_add(out, "warning: inventory: %s: %s\n", *path, source->trouble);
		else if (source && source->instances.missing)
			str_add(out,
				"warning: inventory: %s: is one page of several, %zu more are not "
				"in it; add the other pages, one behind the other\n",
				*path, source->instances.missing);
	}
}

void stock_report(struct stock *stock, const struct model *model, struct str *out)
{
	char text[STOCK_TROUBLE_MAX];
	size_t count = 0;

	if (open_sources(stock, model) < 0)
		return;
	report_files(stock, model, out);
	vec_foreach(listener, &model->listeners)
		vec_foreach(group, &listener->groups)
			vec_foreach(endpoint, &group->endpoints)
				if (model_is_instance(endpoint) &&
				    stock_trouble(stock, model, endpoint, text) &&
				    ++count <= REPORTED)
					str_add(out, "warning: %s/%s/%s: %s\n", listener->name,
						group->name, endpoint->name, text);
	if (count > REPORTED)
		str_add(out, "warning: and %zu more instances that get no traffic\n",
			count - REPORTED);
}
