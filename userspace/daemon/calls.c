// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/calls.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "config/selector.h"
#include "daemon/call.h"
#include "daemon/confirm.h"
#include "daemon/interfaces.h"
#include "plan/plan_shares.h"
#include "util/log.h"
#include "util/str.h"

#define FOR_MAX (366 * 86400) /* s */

/* What a call does to the overrides of endpoints, or of groups. */
struct wish {
	const char *verb;
	bool of_groups; /* then the weight is a traffic_percentage */
	int weight;	/* -1: not this */
	int drain;	/* 1, 0; -1: not this */
	struct override_origin origin;
};

static void carry_out(const struct wish *wish, const struct endpoint *endpoint,
		      struct override *override)
{
	if (wish->weight >= 0) {
		override->weight = wish->weight == endpoint->weight ? -1 : wish->weight;
		override->file_weight = endpoint->weight;
		override->weight_origin =
			override->weight < 0 ? (struct override_origin){} : wish->origin;
	}
	if (wish->drain >= 0) {
		override->drained = wish->drain;
		override->drain_origin =
			override->drained ? wish->origin : (struct override_origin){};
	}
}

static int change_endpoint(struct call *call, const struct wish *wish,
			   const struct listener *listener, const struct endpoint_group *group,
			   const struct endpoint *endpoint, struct overrides *overrides)
{
	struct override *override =
		overrides_get(overrides, listener->name, group->name, endpoint->name);
	uint8_t before;
	json_t *path;

	if (!override)
		return -ENOMEM;
	before = overrides_weight(overrides, listener, group, endpoint);
	carry_out(wish, endpoint, override);
	path = json_sprintf("%s/%s/%s", listener->name, group->name, endpoint->name);
	json_array_append_new(json_object_get(call->answer, "changed"),
			      json_pack("{s:o, s:i, s:i}", "endpoint", path, "before", before,
					"weight",
					overrides_weight(overrides, listener, group, endpoint)));
	return 0;
}

static int change_group(struct call *call, const struct wish *wish, const struct listener *listener,
			const struct endpoint_group *group, struct overrides *overrides)
{
	struct override *override = overrides_get(overrides, listener->name, group->name, "");
	int before = overrides_percentage(overrides, listener, group);

	if (!override)
		return -ENOMEM;
	override->weight = wish->weight == group->traffic_percentage ? -1 : wish->weight;
	override->file_weight = group->traffic_percentage;
	override->weight_origin = override->weight < 0 ? (struct override_origin){} : wish->origin;
	json_array_append_new(json_object_get(call->answer, "changed"),
			      json_pack("{s:o, s:i, s:i}", "group",
					json_sprintf("%s/%s", listener->name, group->name),
					"before", before, "traffic_percentage", wish->weight));
	return 0;
}

int call_no_match(const struct model *model, const struct selector *selector, const char *text,
		  struct err *err)
{
	struct selector_search search = { .nearest.word = text };

	vec_foreach(listener, &model->listeners) {
		if (selector->parts == 1)
			selector_offer(&search, listener->name, "", "");
		vec_foreach(group, &listener->groups) {
			if (selector->parts == 2)
				selector_offer(&search, listener->name, group->name, "");
			vec_foreach(endpoint, &group->endpoints)
				if (selector->parts == SELECTOR_PARTS)
					selector_offer(&search, listener->name, group->name,
						       endpoint->name);
		}
	}
	return selector_no_match(&search, selector, err);
}

/* Once, however many of its endpoints change. */
static int touch(struct change_listeners *touched, const struct listener *listener)
{
	size_t count = touched->list.count;

	if (count && touched->list.items[count - 1] == listener)
		return 0;
	return vec_push(&touched->list, listener);
}

static int check_parts(const struct wish *wish, const struct selector *selector, struct err *err)
{
	if (wish->of_groups && selector->parts != SELECTOR_PARTS - 1)
		return err_set(err, -EINVAL,
			       "traffic_percentage= needs a group: LISTENER/GROUP, for example "
			       "%s/*",
			       selector->part[0]);
	if (!wish->of_groups && wish->weight >= 0 && selector->parts < SELECTOR_PARTS)
		return err_set(err, -EINVAL,
			       "weight= needs an endpoint: LISTENER/GROUP/ENDPOINT, "
			       "for example %s/*/*",
			       selector->part[0]);
	return 0;
}

static int change_in_group(struct call *call, const struct wish *wish,
			   const struct selector *selector, const struct listener *listener,
			   const struct endpoint_group *group, struct overrides *overrides,
			   struct change_listeners *touched)
{
	if (wish->of_groups) {
		if (!selector_matches(selector, listener->name, group->name, ""))
			return 0;
		return touch(touched, listener)
			       ?: change_group(call, wish, listener, group, overrides);
	}
	vec_foreach(endpoint, &group->endpoints) {
		if (!selector_matches(selector, listener->name, group->name, endpoint->name))
			continue;
		if (touch(touched, listener) ||
		    change_endpoint(call, wish, listener, group, endpoint, overrides))
			return -ENOMEM;
	}
	return 0;
}

static int change_matching(struct call *call, const struct wish *wish, const char *text,
			   struct selector *selector, struct overrides *overrides,
			   struct change_listeners *touched, struct err *err)
{
	const struct model *model = call->daemon->model;
	int r = selector_parse(text, selector, err);

	r = r ?: check_parts(wish, selector, err);
	if (r < 0)
		return r;
	vec_foreach(listener, &model->listeners) {
		if (!selector_matches_listener(selector, listener->name))
			continue;
		vec_foreach(group, &listener->groups)
			r = r
				    ?: change_in_group(call, wish, selector, listener, group,
						       overrides, touched);
	}
	if (r < 0)
		return err_set(err, r, "out of memory");
	if (!json_array_size(json_object_get(call->answer, "changed")))
		return call_no_match(model, selector, text, err);
	return 0;
}

int call_read_origin(struct call *call, struct override_origin *ret, struct err *err)
{
	json_t *seconds = json_object_get(call->request, "for");
	json_t *reason = json_object_get(call->request, "reason");

	*ret = (struct override_origin){ .who = call->who, .since = time(NULL) };
	if (seconds && (!json_is_integer(seconds) || json_integer_value(seconds) < 1 ||
			json_integer_value(seconds) > FOR_MAX))
		return err_set(err, -EINVAL, "'for' must be 1 to %d seconds", FOR_MAX);
	if (seconds)
		ret->until = ret->since + json_integer_value(seconds);
	if (reason && (!json_is_string(reason) || json_string_length(reason) >= sizeof(ret->why)))
		return err_set(err, -EINVAL, "'reason' must be a text of at most %zu bytes",
			       sizeof(ret->why) - 1);
	if (reason && !str_is_line(json_string_value(reason)))
		return err_set(err, -EINVAL,
			       "'reason' must be one line, without control characters");
	if (reason)
		strcpy(ret->why, json_string_value(reason));
	return 0;
}

void call_add_refusing(struct call *call, const struct selector *selector)
{
	static const char *const families[] = { "no", "IPv4", "IPv6", "all" };
	json_t *list = json_array();

	vec_foreach(listener, &call->daemon->plan->listeners) {
		unsigned clients = 0;

		if (!selector_matches_listener(selector, listener->name))
			continue;
		clients |= plan_shares_nobody(listener, PLAN_IP4) << 0;
		clients |= plan_shares_nobody(listener, PLAN_IP6) << 1;
		if (clients)
			json_array_append_new(list,
					      json_pack("{s:s, s:s}", "listener", listener->name,
							"clients", families[clients]));
	}
	json_object_set_new(call->answer, "refusing", list);
}

static int change_endpoints(struct call *call, struct wish *wish, struct err *err)
{
	const char *text = json_string_value(json_object_get(call->request, "selector"));
	_cleanup_(overrides_fini) struct overrides overrides = {};
	_cleanup_(change_listeners_fini) struct change_listeners touched = {};
	_cleanup_(change_fini) struct change change = {};
	struct selector selector;
	int r;

	if (!text)
		return err_set(err, -EINVAL, "%s: 'selector' must be a string", wish->verb);
	if (overrides_copy(&call->daemon->state.overrides, &overrides))
		return err_set(err, -ENOMEM, "out of memory");
	json_object_set_new(call->answer, "changed", json_array());
	r = call_read_origin(call, &wish->origin, err);
	r = r ?: change_matching(call, wish, text, &selector, &overrides, &touched, err);
	if (r < 0)
		return r;
	overrides_prune(&overrides, call->daemon->model);
	r = change_overrides(call->daemon, &overrides, &touched, &change, err);
	call_add_change(call, &change);
	call_add_refusing(call, &selector);
	if (!r)
		log_info("%s: %s (by uid %u); %llu of %llu slots moved", text, wish->verb,
			 call->who, (unsigned long long)change.moved,
			 (unsigned long long)change.slots);
	return r;
}

static int call_set(struct call *call, struct err *err)
{
	json_t *percentage = json_object_get(call->request, "traffic_percentage");
	json_t *value = percentage ?: json_object_get(call->request, "weight");
	const char *what = percentage ? "traffic_percentage" : "weight";
	struct wish wish = { .of_groups = percentage, .drain = -1 };
	int most = percentage ? 100 : 255;
	char verb[32];

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > most)
		return err_set(err, -EINVAL, "set: '%s' must be a number from 0 to %d", what, most);
	wish.weight = json_integer_value(value);
	snprintf(verb, sizeof(verb), "%s %d", what, wish.weight);
	wish.verb = verb;
	return change_endpoints(call, &wish, err);
}

static int call_drain(struct call *call, struct err *err)
{
	return change_endpoints(call, &(struct wish){ "drained", false, -1, 1 }, err);
}

static int call_undrain(struct call *call, struct err *err)
{
	return change_endpoints(call, &(struct wish){ "undrained", false, -1, 0 }, err);
}

static int call_interface(struct call *call, bool attached, struct err *err)
{
	const char *name = json_string_value(json_object_get(call->request, "interface"));
	struct state_interface wanted = {
		.attached = attached,
		.generic = json_is_true(json_object_get(call->request, "generic")),
	};

	if (!name || !*name || strlen(name) >= sizeof(wanted.name))
		return err_set(err, -EINVAL, "'interface' must be the name of an interface");
	strcpy(wanted.name, name);
	return interfaces_change(call->daemon, &wanted, err);
}

static int call_attach(struct call *call, struct err *err)
{
	return call_interface(call, true, err);
}

static int call_detach(struct call *call, struct err *err)
{
	return call_interface(call, false, err);
}

static int call_status(struct call *call, struct err *err)
{
	(void)err;
	json_object_set_new(call->answer, "pid", json_integer(getpid()));
	json_object_set_new(call->answer, "config", json_string(call->daemon->options->config));
	json_object_set_new(call->answer, "unconfirmed", json_integer(confirm_left(call->daemon)));
	return 0;
}

static int call_stop(struct call *call, struct err *err)
{
	(void)err;
	daemon_stop(call->daemon);
	return 0;
}

static const struct {
	const char *name;
	int (*function)(struct call *call, struct err *err);
} calls[] = {
	{ "apply", call_apply },       { "set", call_set },	  { "drain", call_drain },
	{ "undrain", call_undrain },   { "attach", call_attach }, { "detach", call_detach },
	{ "status", call_status },     { "stop", call_stop },	  { "confirm", call_confirm },
	{ "rollback", call_rollback }, { "plan", call_plan },	  { "disable", call_disable },
	{ "enable", call_enable },
};

static int dispatch(struct call *call, struct err *err)
{
	const char *name = json_string_value(json_object_get(call->request, "call"));

	if (!name)
		return err_set(err, -EINVAL, "a request is an object with a 'call'");
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, name))
			return calls[i].function(call, err);
	return err_set(err, -ENOSYS, "unknown call '%.40s': is the daemon older than the command?",
		       name);
}

/* What a request was quoted from may end within a character, which JSON would not take. */
static json_t *text_json(struct err *err)
{
	json_t *text = json_string(err->text);

	if (text)
		return text;
	for (char *c = err->text; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(err->text);
}

int calls_answer(struct daemon *daemon, const char *line, size_t size, uid_t who, json_t **ret)
{
	_cleanup_(json_decrefp) json_t *request = NULL;
	_cleanup_(json_decrefp) json_t *answer = json_object();
	struct call call = { .daemon = daemon, .who = who, .answer = answer };
	json_error_t why = {};
	struct err err = {};
	int r;

	request = json_loadb(line, size, JSON_REJECT_DUPLICATES, &why);
	call.request = request;
	r = request ? dispatch(&call, &err)
		    : err_set(&err, -EINVAL, "not a JSON request: %s", why.text);
	if (r == -EINPROGRESS)
		return r;
	json_object_set_new(answer, "ok", json_boolean(!r));
	if (r < 0) {
		json_object_set_new(answer, "error", text_json(&err));
		json_object_set_new(answer, "code", json_integer(-r));
	}
	*ret = take_ptr(answer);
	return *ret ? 0 : -ENOMEM;
}
