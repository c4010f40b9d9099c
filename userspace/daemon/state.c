// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <weir/names.h>

#include "util/file.h"

#define OVERRIDES_FILE "overrides.json"
#define ADDRESSES_FILE "addresses.json"
#define CONFIG_FILE    "running.yaml"

void state_fini(struct state *state)
{
	overrides_fini(&state->overrides);
	vec_free(&state->interfaces);
	vec_free(&state->addresses.list);
}

static void state_path(const char *instance, const char *file, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, WEIR_STATE_DIR "/%s/%s", instance, file);
}

static int make_folder(const char *path, struct err *err)
{
	if (mkdir(path, 0750) && errno != EEXIST)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* Where `file`, a name or FOLDER/NAME, lies, and its name there. */
static const char *split_path(const char *instance, const char *file, char directory[PATH_MAX])
{
	const char *slash = strchr(file, '/');

	state_path(instance, "", directory);
	if (!slash)
		return file;
	strncat(directory, file, slash - file);
	return slash + 1;
}

static int put_file(const char *instance, const char *file, const char *text,
		    int put(const char *directory, const char *name, const char *data, size_t size),
		    struct err *err)
{
	char directory[PATH_MAX];
	const char *name;
	int r;

	state_path(instance, "", directory);
	r = make_folder(directory, err);
	name = split_path(instance, file, directory);
	r = r ?: make_folder(directory, err);
	if (r < 0)
		return r;
	r = put(directory, name, text, strlen(text));
	if (r < 0)
		return err_set(err, r, "cannot write %s/%s: %s", directory, name, strerror(-r));
	return 0;
}

int state_write_text(const char *instance, const char *file, const char *text, struct err *err)
{
	return put_file(instance, file, text, file_replace, err);
}

static int stage_file(const char *instance, const char *file, const char *text, struct err *err)
{
	return put_file(instance, file, text, file_stage, err);
}

int state_write_object(const char *instance, const char *file, json_t *object, struct err *err)
{
	_cleanup_(freep) char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;

	return text ? state_write_text(instance, file, text, err)
		    : err_set(err, -ENOMEM, "out of memory");
}

int state_remove(const char *instance, const char *file, struct err *err)
{
	char directory[PATH_MAX];
	const char *name = split_path(instance, file, directory);
	int r = file_remove(directory, name);

	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "cannot remove %s/%s: %s", directory, name, strerror(-r));
	return 0;
}

/* Absent in what an older version has written: then nobody knows. */
static int load_origin(json_t *from, struct override_origin *ret)
{
	json_int_t who, since, until;
	const char *why;

	if (!from)
		return 0;
	if (json_unpack(from, "{s:I, s:I, s:I, s:s}", "who", &who, "since", &since, "until", &until,
			"why", &why) ||
	    who < 0 || who > UINT32_MAX || strlen(why) >= sizeof(ret->why))
		return -EINVAL;
	ret->who = who;
	ret->since = since;
	ret->until = until;
	strcpy(ret->why, why);
	return 0;
}

static json_t *origin_json(const struct override_origin *origin)
{
	return json_pack("{s:I, s:I, s:I, s:s}", "who", (json_int_t)origin->who, "since",
			 (json_int_t)origin->since, "until", (json_int_t)origin->until, "why",
			 origin->why);
}

static int load_override(json_t *from, struct overrides *ret)
{
	const char *listener, *group, *endpoint;
	json_int_t weight = -1, file_weight = 0;
	int drained = 0, disabled = 0;
	struct override *override;

	if (json_unpack(from, "{s:s, s:s, s:s, s?I, s?I, s?b, s?b}", "listener", &listener, "group",
			&group, "endpoint", &endpoint, "weight", &weight, "file_weight",
			&file_weight, "drained", &drained, "disabled", &disabled) ||
	    weight < -1 || weight > 255 || file_weight < 0 || file_weight > 255)
		return -EINVAL;
	override = overrides_get(ret, listener, group, endpoint);
	if (!override)
		return -ENOMEM;
	override->weight = weight;
	override->file_weight = file_weight;
	override->drained = drained;
	override->disabled = disabled;
	if (load_origin(json_object_get(from, "weight_origin"), &override->weight_origin) ||
	    load_origin(json_object_get(from, "disable_origin"), &override->disable_origin))
		return -EINVAL;
	return load_origin(json_object_get(from, "drain_origin"), &override->drain_origin);
}

int state_overrides_read(json_t *list, struct overrides *ret)
{
	_cleanup_(overrides_fini) struct overrides overrides = {};
	int r = !list || json_is_array(list) ? 0 : -EINVAL;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		r = r ?: load_override(item, &overrides);
	if (r < 0)
		return r;
	*ret = overrides;
	overrides = (struct overrides){};
	return 0;
}

static int load_interface(json_t *from, struct state *state)
{
	struct state_interface interface = {};
	int attached, generic = 0;
	const char *name;

	if (json_unpack(from, "{s:s, s:b, s?b}", "name", &name, "attached", &attached, "generic",
			&generic) ||
	    !*name || strlen(name) >= sizeof(interface.name))
		return -EINVAL;
	strcpy(interface.name, name);
	interface.attached = attached;
	interface.generic = generic;
	return vec_push(&state->interfaces, interface);
}

static int load_address(json_t *from, struct state *state)
{
	const char *text = json_string_value(from);
	struct addr address;

	if (!text || addr_parse(text, &address))
		return -EINVAL;
	return vec_push(&state->addresses.list, address);
}

/* Does every item of the list, which may be absent, load? */
static int load_list(json_t *root, const char *key, int load(json_t *item, struct state *state),
		     struct state *state)
{
	json_t *list = json_object_get(root, key), *item;
	size_t i;
	int r = !list || json_is_array(list) ? 0 : -EINVAL;

	json_array_foreach(list, i, item)
		r = r ?: load(item, state);
	return r;
}

int state_read_text(const char *instance, const char *file, char **ret, struct err *err)
{
	char path[PATH_MAX];
	int r;

	state_path(instance, file, path);
	r = file_read(path, FILE_MAX, ret, NULL);
	if (r == -EACCES)
		return file_denied(path, r, err);
	return r < 0 ? err_set(err, r, "%s: %s", path, file_error(r)) : 0;
}

static int damaged(const char *instance, const char *file, int code, struct err *err)
{
	char path[PATH_MAX];

	if (code == -ENOMEM)
		return err_set(err, code, "out of memory");
	state_path(instance, file, path);
	return err_set(err, code, "%s: is damaged; repair or remove it", path);
}

int state_read_object(const char *instance, const char *file, json_t **ret, struct err *err)
{
	_cleanup_(freep) char *text = NULL;
	int r = state_read_text(instance, file, &text, err);

	*ret = NULL;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	*ret = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*ret))
		return 0;
	json_decref(take_ptr(*ret));
	return damaged(instance, file, -EINVAL, err);
}

int state_load(const char *instance, struct state *ret, struct err *err)
{
	_cleanup_(state_fini) struct state state = {};
	_cleanup_(json_decrefp) json_t *root = NULL;
	_cleanup_(json_decrefp) json_t *addresses = NULL;
	int r;

	r = state_read_object(instance, OVERRIDES_FILE, &root, err);
	r = r ?: state_read_object(instance, ADDRESSES_FILE, &addresses, err);
	if (r < 0)
		return r;
	r = state_overrides_read(json_object_get(root, "overrides"), &state.overrides);
	r = r ?: load_list(root, "interfaces", load_interface, &state);
	if (r < 0)
		return damaged(instance, OVERRIDES_FILE, r, err);
	r = load_list(addresses, "addresses", load_address, &state);
	if (r < 0)
		return damaged(instance, ADDRESSES_FILE, r, err);
	*ret = state;
	state = (struct state){};
	return 0;
}

static json_t *override_json(const struct override *override)
{
	json_t *json = json_pack("{s:s, s:s, s:s}", "listener", override->listener, "group",
				 override->group, "endpoint", override->endpoint);

	if (override->weight >= 0) {
		json_object_set_new(json, "weight", json_integer(override->weight));
		json_object_set_new(json, "file_weight", json_integer(override->file_weight));
		json_object_set_new(json, "weight_origin", origin_json(&override->weight_origin));
	}
	if (override->drained) {
		json_object_set_new(json, "drained", json_true());
		json_object_set_new(json, "drain_origin", origin_json(&override->drain_origin));
	}
	if (override->disabled) {
		json_object_set_new(json, "disabled", json_true());
		json_object_set_new(json, "disable_origin", origin_json(&override->disable_origin));
	}
	return json;
}

json_t *state_overrides_json(const struct overrides *overrides)
{
	json_t *list = json_array();

	vec_foreach(override, &overrides->list)
		json_array_append_new(list, override_json(override));
	return list;
}

/* The overrides and interfaces as a text of the caller's; NULL without memory. */
static char *state_text(const struct state *state)
{
	_cleanup_(json_decrefp) json_t *root = json_pack(
		"{s:o, s:[]}", "overrides", state_overrides_json(&state->overrides), "interfaces");

	vec_foreach(interface, &state->interfaces)
		json_array_append_new(json_object_get(root, "interfaces"),
				      json_pack("{s:s, s:b, s:b}", "name", interface->name,
						"attached", interface->attached, "generic",
						interface->generic));
	return root ? json_dumps(root, JSON_INDENT(2)) : NULL;
}

static int put_state(const char *instance, const struct state *state,
		     int put(const char *instance, const char *file, const char *text,
			     struct err *err),
		     struct err *err)
{
	_cleanup_(freep) char *text = state_text(state);

	return text ? put(instance, OVERRIDES_FILE, text, err)
		    : err_set(err, -ENOMEM, "out of memory");
}

int state_save(const char *instance, const struct state *state, struct err *err)
{
	return put_state(instance, state, state_write_text, err);
}

int state_stage(const char *instance, const struct state *state, struct err *err)
{
	return put_state(instance, state, stage_file, err);
}

int state_publish(const char *instance, struct err *err)
{
	char directory[PATH_MAX];
	int r;

	state_path(instance, "", directory);
	r = file_publish(directory, OVERRIDES_FILE);
	return r < 0 ? err_set(err, r, "cannot write %s" OVERRIDES_FILE ": %s", directory,
			       strerror(-r))
		     : 0;
}

int state_save_addresses(const char *instance, const struct state *state, struct err *err)
{
	_cleanup_(json_decrefp) json_t *root = json_pack("{s:[]}", "addresses");
	char one[ADDR_TEXT_MAX];

	vec_foreach(address, &state->addresses.list)
		json_array_append_new(json_object_get(root, "addresses"),
				      json_string(addr_print(address, one)));
	return state_write_object(instance, ADDRESSES_FILE, root, err);
}

void state_forget_interface(struct state *state, const char *name)
{
	size_t kept = 0;

	vec_foreach(interface, &state->interfaces)
		if (strcmp(interface->name, name))
			state->interfaces.items[kept++] = *interface;
	state->interfaces.count = kept;
}

int state_set_interface(struct state *state, const struct state_interface *interface)
{
	state_forget_interface(state, interface->name);
	return vec_push(&state->interfaces, *interface);
}

int state_load_config(const char *instance, char **ret, struct err *err)
{
	return state_read_text(instance, CONFIG_FILE, ret, err);
}

int state_save_config(const char *instance, const char *text, struct err *err)
{
	return state_write_text(instance, CONFIG_FILE, text, err);
}
