// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/naming.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include <weir/names.h>

#include "daemon/change.h"
#include "daemon/checkup.h"
#include "daemon/stock.h"
#include "dns/resolver.h"
#include "util/log.h"
#include "util/str.h"

#define NAMES_FILE "names.json"
#define RETRY_MS   1000 /* after a change that was refused */

struct naming {
	struct daemon *daemon;
	struct resolver *resolver;
	struct stock *stock;
	bool saved;		   /* there is a file, and something in it */
	struct loop_source *timer; /* runs while something is to be put in force */
};

/* Of a domain, or of an instance: "ecs/i-a". */
static bool is_name(const char *name)
{
	const char *slash = strchr(name, '/');

	return addr_is_host_name(slash ? slash + 1 : name);
}

static int load_name(json_t *from, struct names *names)
{
	const char *name, *text;
	struct names_domain *domain;
	json_t *addresses, *item;
	json_int_t left;
	size_t i;

	if (json_unpack(from, "{s:s, s:o}", "domain", &name, "addresses", &addresses) ||
	    !is_name(name) || !json_is_array(addresses))
		return -EINVAL;
	domain = names_get(names, name);
	if (!domain)
		return -ENOMEM;
	json_array_foreach(addresses, i, item) {
		struct names_address known = {};

		left = 0;
		if (json_unpack(item, "{s:s, s?I}", "address", &text, "left", &left) || left < 0 ||
		    addr_parse(text, &known.address) || addr_is_martian(&known.address))
			return -EINVAL;
		known.left = left;
		if (vec_push(&domain->addresses, known))
			return -ENOMEM;
	}
	return 0;
}

/* What was known of domains and of instances. */
static int load_names(struct naming *naming, struct names *ret_domains, struct names *ret_instances,
		      struct err *err)
{
	const char *instance = naming->daemon->options->instance;
	_cleanup_(names_fini) struct names domains = {}, instances = {};
	_cleanup_(json_decrefp) json_t *root = NULL;
	json_t *item;
	int r = state_read_object(instance, NAMES_FILE, &root, err);
	size_t i;

	if (r < 0)
		return r;
	naming->saved = root;
	json_array_foreach(json_object_get(root, "names"), i, item)
		r = r ?: load_name(item, &domains);
	json_array_foreach(json_object_get(root, "instances"), i, item)
		r = r ?: load_name(item, &instances);
	if (r < 0)
		return err_set(err, r,
			       WEIR_STATE_DIR "/%s/" NAMES_FILE ": is damaged; repair or remove it",
			       instance);
	*ret_domains = domains;
	*ret_instances = instances;
	domains = instances = (struct names){};
	return 0;
}

static json_t *print_names(const struct names *names)
{
	json_t *list = json_array();
	char one[ADDR_TEXT_MAX];

	vec_foreach(domain, &names->list) {
		json_t *addresses = json_array();

		vec_foreach(known, &domain->addresses)
			json_array_append_new(addresses,
					      json_pack("{s:s, s:I}", "address",
							addr_print(&known->address, one), "left",
							(json_int_t)known->left));
		json_array_append_new(list, json_pack("{s:s, s:o}", "domain", domain->name,
						      "addresses", addresses));
	}
	return list;
}

/* Why an endpoint with a domain or instance has no address for new flows; NULL: it has. */
static const char *why_unresolved(const struct naming *naming, const struct endpoint *endpoint,
				  char text[STOCK_TROUBLE_MAX])
{
	const struct model *model = naming->daemon->model;
	const struct names_domain *known;

	if (model_is_instance(endpoint))
		return stock_trouble(naming->stock, model, endpoint, text);
	known = names_find(resolver_names(naming->resolver), endpoint->domain);
	return known && names_usable(known) ? NULL : "has no address in DNS";
}

/* Those that no row of the data plane stands for, for `weir show` to tell. */
static json_t *print_unresolved(const struct naming *naming)
{
	char text[STOCK_TROUBLE_MAX];
	json_t *list = json_array();

	vec_foreach(listener, &naming->daemon->model->listeners) {
		vec_foreach(group, &listener->groups) {
			vec_foreach(endpoint, &group->endpoints) {
				const char *why = endpoint->domain
							  ? why_unresolved(naming, endpoint, text)
							  : NULL;

				if (why)
					json_array_append_new(
						list,
						json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}",
							  "listener", listener->name, "group",
							  group->name, "endpoint", endpoint->name,
							  "type", model_type_name(endpoint->type),
							  "address", endpoint->domain, "why", why));
			}
		}
	}
	return list;
}

/* Nothing is written as long as there is nothing to say. */
static void save_names(struct naming *naming)
{
	const char *instance = naming->daemon->options->instance;
	bool needed = names_needed(naming->daemon->model);
	_cleanup_(json_decrefp) json_t *root = NULL;
	struct err err = {};

	if (!needed && !naming->saved)
		return;
	root = json_pack("{s:o, s:o, s:o}", "names", print_names(resolver_names(naming->resolver)),
			 "instances", print_names(stock_known(naming->stock)), "unresolved",
			 print_unresolved(naming));
	if (state_write_object(instance, NAMES_FILE, root, &err) < 0)
		log_warning("in force, but not remembered over a restart: %s", err.text);
	else
		naming->saved = needed;
}

static void on_changed(void *user, const struct names_domain *domain)
{
	struct naming *naming = user;
	struct str text = {};
	char one[ADDR_TEXT_MAX];
	_cleanup_(freep) char *list = NULL;

	vec_foreach(known, &domain->addresses)
		if (!known->left)
			str_add(&text, "%s%s", text.size ? ", " : "",
				addr_print(&known->address, one));
	list = str_take(&text);
	log_info("%s: has the address%s %s", domain->name, list && strchr(list, ',') ? "es" : "",
		 list ?: "?");
	loop_set_timer(naming->timer, 0, 0);
}

static void on_troubled(void *user, const char *domain, const char *reason)
{
	(void)user;
	if (reason)
		log_warning("%s: cannot be resolved, what is known of it stays: %s", domain,
			    reason);
	else
		log_info("%s: is resolved again", domain);
}

static void on_stock(void *user)
{
	struct naming *naming = user;

	loop_set_timer(naming->timer, 0, 0);
}

static void on_stock_read(void *user)
{
	struct naming *naming = user;

	daemon_go_on(naming->daemon);
}

/* The answers come into force, and are remembered. */
static void on_time(void *user, uint32_t expirations)
{
	struct naming *naming = user;
	struct daemon *daemon = naming->daemon;
	struct err err = {};

	(void)expirations;
	if (change_world(daemon, &err) < 0) {
		log_error("new addresses of endpoints are not in force yet: %s", err.text);
		loop_set_timer(naming->timer, RETRY_MS, 0);
		return;
	}
	checkup_follow(daemon->checkup);
	save_names(naming);
}

static int start(struct naming *naming, struct err *err)
{
	struct resolver_calls calls = { on_changed, on_troubled, naming };
	struct stock_calls stock_calls = { on_stock, on_stock_read, naming };
	struct daemon *daemon = naming->daemon;
	struct names domains = {}, instances = {};
	int r;

	r = loop_add_timer(daemon->loop, (struct loop_call){ on_time, naming }, &naming->timer);
	if (r < 0)
		return err_set(err, r, "event loop: %s", strerror(-r));
	r = stock_new(daemon->loop, &stock_calls, &naming->stock);
	if (r < 0)
		return err_set(err, r, "event loop: %s", strerror(-r));
	r = resolver_new(daemon->loop, &calls, &naming->resolver, err);
	r = r ?: load_names(naming, &domains, &instances, err);
	if (r < 0)
		return r;
	resolver_adopt(naming->resolver, &domains);
	stock_adopt(naming->stock, &instances);
	return 0;
}

int naming_start(struct daemon *daemon, struct err *err)
{
	struct naming *naming = calloc(1, sizeof(*naming));
	int r;

	if (!naming)
		return err_set(err, -ENOMEM, "out of memory");
	naming->daemon = daemon;
	r = start(naming, err);
	if (r < 0) {
		naming_stop(naming);
		return r;
	}
	daemon->naming = naming;
	return 0;
}

void naming_stop(struct naming *naming)
{
	if (!naming)
		return;
	resolver_free(naming->resolver);
	stock_free(naming->stock);
	loop_remove(naming->timer);
	free(naming);
}

int naming_ready(struct naming *naming, const struct model *model, struct err *err)
{
	int r = stock_ready(naming->stock, model);

	return r < 0 && r != -EINPROGRESS ? err_set(err, r, "inventory: %s", strerror(-r)) : r;
}

int naming_expand(struct naming *naming, const struct model *model, struct model **ret,
		  struct err *err)
{
	_cleanup_(names_fini) struct names instances = {};

	*ret = NULL;
	if (!names_needed(model))
		return 0;
	if (!stock_names(naming->stock, model, &instances))
		*ret = names_expand(resolver_names(naming->resolver), &instances, model);
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void naming_report(struct naming *naming, const struct model *model, struct remarks *remarks)
{
	stock_report(naming->stock, model, remarks);
}

void naming_follow(struct naming *naming)
{
	const struct model *model = naming->daemon->model;

	if (resolver_follow(naming->resolver, model) < 0 || stock_follow(naming->stock, model) < 0)
		log_error("domains: out of memory; not all are followed");
	save_names(naming);
}
