// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* disable, enable: listeners, groups and endpoints as if they were not in the file. */
#include <errno.h>
#include <string.h>

#include "config/selector.h"
#include "daemon/call.h"
#include "util/log.h"

/* One call. */
struct wish {
	struct call *call;
	struct selector selector;
	struct override_origin origin;
	bool disable;
	unsigned matched; /* objects that the selector names */
	struct overrides overrides;
};

static int note(struct wish *wish, const struct override *override)
{
	char path[OVERRIDE_PATH_MAX];
	json_t *one = json_pack("{s:s, s:b}", "path", override_path(override, path), "disabled",
				override->disabled);

	return json_array_append_new(json_object_get(wish->call->answer, "changed"), one) ? -ENOMEM
											  : 0;
}

/* An object that the selector names; of what has no group or endpoint, "". */
static int name_object(struct wish *wish, const char *listener, const char *group,
		       const char *endpoint)
{
	struct override *override;

	wish->matched++;
	if (!wish->disable)
		return 0;
	override = overrides_get(&wish->overrides, listener, group, endpoint);
	if (!override)
		return -ENOMEM;
	override->disabled = true;
	override->disable_origin = wish->origin;
	return note(wish, override);
}

static int name_in_group(struct wish *wish, const struct listener *listener,
			 const struct endpoint_group *group)
{
	int r = 0;

	if (wish->selector.parts == 2 &&
	    selector_matches(&wish->selector, listener->name, group->name, ""))
		return name_object(wish, listener->name, group->name, "");
	vec_foreach(endpoint, &group->endpoints)
		if (!r && wish->selector.parts == SELECTOR_PARTS &&
		    selector_matches(&wish->selector, listener->name, group->name, endpoint->name))
			r = name_object(wish, listener->name, group->name, endpoint->name);
	return r;
}

static int name_objects(struct wish *wish)
{
	int r = 0;

	vec_foreach(listener, &wish->call->daemon->model->listeners) {
		if (r || !selector_matches_listener(&wish->selector, listener->name))
			continue;
		if (wish->selector.parts == 1)
			r = name_object(wish, listener->name, "", "");
		vec_foreach(group, &listener->groups)
			r = r ?: name_in_group(wish, listener, group);
	}
	return r;
}

static int parts_of(const struct override *override)
{
	return 1 + (override->group[0] != '\0') + (override->endpoint[0] != '\0');
}

/* All that was disabled in the subtree; what is disabled above it is told of. */
static int enable(struct wish *wish)
{
	json_t *above = json_array();
	int r = 0;

	json_object_set_new(wish->call->answer, "above", above);
	vec_foreach(override, &wish->overrides.list) {
		struct selector selector = wish->selector;
		int parts = parts_of(override);
		char path[OVERRIDE_PATH_MAX];

		if (selector.parts > parts)
			selector.parts = parts;
		if (r || !override->disabled ||
		    !selector_matches(&selector, override->listener, override->group,
				      override->endpoint))
			continue;
		if (wish->selector.parts > parts) {
			json_array_append_new(above, json_string(override_path(override, path)));
			continue;
		}
		override->disabled = false;
		override->disable_origin = (struct override_origin){};
		r = note(wish, override);
	}
	return r;
}

static int carry_out(struct wish *wish, const char *text, struct err *err)
{
	_cleanup_(change_fini) struct change change = {};
	const struct change_listeners none = {};
	struct call *call = wish->call;
	int r = name_objects(wish);

	if (!r && !wish->disable)
		r = enable(wish);
	if (r < 0)
		return err_set(err, r, "out of memory");
	if (!wish->matched)
		return call_no_match(call->daemon->model, &wish->selector, text, err);
	overrides_prune(&wish->overrides, call->daemon->model);
	r = change_overrides(call->daemon, &wish->overrides, &none, &change, err);
	call_add_change(call, &change);
	call_add_refusing(call, &wish->selector);
	if (!r)
		log_info("%s: %s (by uid %u); %llu of %llu slots moved", text,
			 wish->disable ? "disabled" : "enabled", call->who,
			 (unsigned long long)change.moved, (unsigned long long)change.slots);
	return r;
}

static int change_objects(struct call *call, bool disable, struct err *err)
{
	const char *text = json_string_value(json_object_get(call->request, "selector"));
	struct wish wish = { .call = call, .disable = disable };
	int r;

	if (!text)
		return err_set(err, -EINVAL, "'selector' must be a string");
	r = selector_parse(text, &wish.selector, err);
	r = r ?: call_read_origin(call, &wish.origin, err);
	if (!r && overrides_copy(&call->daemon->state.overrides, &wish.overrides))
		r = err_set(err, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	json_object_set_new(call->answer, "changed", json_array());
	r = carry_out(&wish, text, err);
	overrides_fini(&wish.overrides);
	return r;
}

int call_disable(struct call *call, struct err *err)
{
	return change_objects(call, true, err);
}

int call_enable(struct call *call, struct err *err)
{
	return change_objects(call, false, err);
}
