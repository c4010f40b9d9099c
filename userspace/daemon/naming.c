// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/naming.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include <weir/names.h>

#include "daemon/change.h"
#include "daemon/checkup.h"
#include "dns/resolver.h"
#include "util/log.h"
#include "util/str.h"

#define NAMES_FILE "names.json"
#define RETRY_MS   1000 /* after a change that was refused */

struct naming {
	struct daemon *daemon;
	struct resolver *resolver;
	struct loop_source *timer; /* runs while something is to be put in force */
};

static int load_name(json_t *from, struct names *names)
{
	const char *name, *text;
	struct names_domain *domain;
	json_t *addresses, *item;
	json_int_t left;
	size_t i;

	if (json_unpack(from, "{s:s, s:o}", "domain", &name, "addresses", &addresses) ||
	    !addr_is_host_name(name) || !json_is_array(addresses))
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

static int load_names(const char *instance, struct names *ret, struct err *err)
{
	_cleanup_(names_fini) struct names names = {};
	_cleanup_(json_decrefp) json_t *root = NULL;
	json_t *list, *item;
	int r = state_read_object(instance, NAMES_FILE, &root, err);
	size_t i;

	if (r < 0)
		return r;
	list = json_object_get(root, "names");
	json_array_foreach(list, i, item)
		r = r ?: load_name(item, &names);
	if (r < 0)
		return err_set(err, r,
			       WEIR_STATE_DIR "/%s/" NAMES_FILE ": is damaged; repair or remove it",
			       instance);
	*ret = names;
	names = (struct names){};
	return 0;
}

static int save_names(const char *instance, const struct names *names, struct err *err)
{
	_cleanup_(json_decrefp) json_t *root = json_pack("{s:[]}", "names");
	char one[ADDR_TEXT_MAX];

	vec_foreach(domain, &names->list) {
		json_t *addresses = json_array();

		vec_foreach(known, &domain->addresses)
			json_array_append_new(addresses,
					      json_pack("{s:s, s:I}", "address",
							addr_print(&known->address, one), "left",
							(json_int_t)known->left));
		json_array_append_new(
			json_object_get(root, "names"),
			json_pack("{s:s, s:o}", "domain", domain->name, "addresses", addresses));
	}
	return state_write_object(instance, NAMES_FILE, root, err);
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

/* The answers come into force, and are remembered. */
static void on_time(void *user, uint32_t expirations)
{
	struct naming *naming = user;
	struct daemon *daemon = naming->daemon;
	struct err err = {};

	(void)expirations;
	if (change_world(daemon, &err) < 0) {
		log_error("addresses of domains are not in force yet: %s", err.text);
		loop_set_timer(naming->timer, RETRY_MS, 0);
		return;
	}
	checkup_follow(daemon->checkup);
	if (save_names(daemon->options->instance, resolver_names(naming->resolver), &err) < 0)
		log_warning("in force, but not remembered over a restart: %s", err.text);
}

static int start(struct naming *naming, struct err *err)
{
	struct resolver_calls calls = { on_changed, on_troubled, naming };
	struct daemon *daemon = naming->daemon;
	struct names names = {};
	int r;

	r = loop_add_timer(daemon->loop, (struct loop_call){ on_time, naming }, &naming->timer);
	if (r < 0)
		return err_set(err, r, "event loop: %s", strerror(-r));
	r = resolver_new(daemon->loop, &calls, &naming->resolver, err);
	r = r ?: load_names(daemon->options->instance, &names, err);
	if (!r)
		resolver_adopt(naming->resolver, &names);
	return r;
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
	loop_remove(naming->timer);
	free(naming);
}

int naming_expand(const struct naming *naming, const struct model *model, struct model **ret,
		  struct err *err)
{
	*ret = NULL;
	if (!names_needed(model))
		return 0;
	*ret = names_expand(resolver_names(naming->resolver), model);
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void naming_follow(struct naming *naming)
{
	if (resolver_follow(naming->resolver, naming->daemon->model) < 0)
		log_error("domains: out of memory; not all are followed");
}
