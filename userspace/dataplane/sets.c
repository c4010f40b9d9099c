// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/sets.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/names.h>

#include "dataplane/attach.h"
#include "dataplane/counters.h"
#include "dataplane/program.h"

#define SET_PATH_MAX (OBJECT_PATH_MAX + 64)

void sets_path(const char *directory, uint32_t number, const char *name, char ret[SET_PATH_MAX])
{
	snprintf(ret, SET_PATH_MAX, "%s/" WEIR_PIN_SET_PREFIX "%u%s%s", directory, number,
		 name[0] ? "/" : "", name);
}

bool sets_number(const char *name, uint32_t *ret)
{
	const size_t prefix = strlen(WEIR_PIN_SET_PREFIX);
	unsigned number;
	int end = 0;

	if (strncmp(name, WEIR_PIN_SET_PREFIX, prefix) ||
	    sscanf(name + prefix, "%9u%n", &number, &end) != 1 || name[prefix + end])
		return false;
	*ret = number;
	return true;
}

int sets_current(const char *directory, uint32_t *ret)
{
	char path[SET_PATH_MAX], target[64];
	ssize_t length;

	snprintf(path, sizeof(path), "%s/" WEIR_PIN_CURRENT, directory);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	return sets_number(target, ret) ? 0 : -EPROTO;
}

int sets_remove(const char *directory, uint32_t number, struct err *err)
{
	char folder[SET_PATH_MAX], path[SET_PATH_MAX + 256];
	struct dirent *entry;
	DIR *pins;
	int r = 0;

	sets_path(directory, number, "", folder);
	pins = opendir(folder);
	if (!pins)
		return errno == ENOENT ? 0
				       : err_set(err, -errno, "%s: %s", folder, strerror(errno));
	while ((entry = readdir(pins))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.' && unlink(path) && !r)
			r = err_set(err, -errno, "%s: %s", path, strerror(errno));
	}
	closedir(pins);
	if (!r && rmdir(folder))
		r = err_set(err, -errno, "%s: %s", folder, strerror(errno));
	return r;
}

/* What there may be of this number is not in force: a daemon was killed while it made it. */
static int make_folder(const char *directory, uint32_t number, struct err *err)
{
	char folder[SET_PATH_MAX];
	int r = sets_remove(directory, number, err);

	if (r < 0)
		return r;
	sets_path(directory, number, "", folder);
	r = object_make_folder(folder);
	return r < 0 ? err_set(err, r, "cannot make %s: %s", folder, strerror(-r)) : 0;
}

int sets_make(const char *directory, const struct object *from, const struct capacity *capacity,
	      struct object **ret, struct err *err)
{
	uint32_t number = from ? from->set + 1 : 1;
	_cleanup_(object_closep) struct object *set = NULL;
	int r = make_folder(directory, number, err);

	r = r ?: program_load(directory, number, from, capacity, err);
	r = r ?: object_open_set(directory, number, OBJECT_WRITE, &set, err);
	if (r < 0) {
		sets_remove(directory, number, NULL);
		return r;
	}
	if (from)
		object_copy_contents(from, set);
	*ret = take_ptr(set);
	return 0;
}

/* DIRECTORY/MAP for everybody who looks for it there. */
static int link_pins(const struct object *set, struct err *err)
{
	char folder[SET_PATH_MAX], path[OBJECT_PATH_MAX + 257], target[256 + 16];
	struct dirent *entry;
	DIR *pins;
	int r = 0;

	sets_path(set->directory, set->set, "", folder);
	pins = opendir(folder);
	if (!pins)
		return err_set(err, -errno, "%s: %s", folder, strerror(errno));
	while (!r && (entry = readdir(pins))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", set->directory, entry->d_name);
		snprintf(target, sizeof(target), WEIR_PIN_CURRENT "/%s", entry->d_name);
		if (symlink(target, path) && errno != EEXIST)
			r = err_set(err, -errno, "%s: %s", path, strerror(errno));
	}
	closedir(pins);
	return r;
}

int sets_publish(const struct object *set, struct err *err)
{
	char current[SET_PATH_MAX], fresh[SET_PATH_MAX], target[32];

	snprintf(current, sizeof(current), "%s/" WEIR_PIN_CURRENT, set->directory);
	snprintf(fresh, sizeof(fresh), "%s/" WEIR_PIN_CURRENT "-new", set->directory);
	snprintf(target, sizeof(target), WEIR_PIN_SET_PREFIX "%u", set->set);
	unlink(fresh);
	if (symlink(target, fresh) || rename(fresh, current))
		return err_set(err, -errno, "%s: %s", current, strerror(errno));
	return link_pins(set, err);
}

static int carry_listeners(const struct object *from, struct object *to)
{
	int r = 0;

	for (uint32_t id = 0; !r && id < from->capacity.of[CAPACITY_LISTENERS]; id++)
		r = counters_reasons(from, id, &to->listener_info[id].carried);
	return r;
}

static int carry_endpoints(const struct object *from, struct object *to)
{
	int r = 0;

	for (uint32_t row = 0; !r && row < from->capacity.of[CAPACITY_ROWS]; row++)
		r = counters_packets(from, row, &to->endpoint_info[row].carried);
	return r;
}

int sets_carry(const struct object *from, struct object *to, struct err *err)
{
	int r = 0;

	if (object_map_id(from, "listener_stats") != object_map_id(to, "listener_stats"))
		r = carry_listeners(from, to);
	if (object_map_id(from, "endpoint_stats") != object_map_id(to, "endpoint_stats"))
		r = r ?: carry_endpoints(from, to);
	return r < 0 ? err_set(err, r, "cannot read counters: %s", strerror(-r)) : 0;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	unsigned size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {};
	unsigned size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

struct pin {
	const char *name;
	int fd;
	uint32_t (*id)(int fd);
};

/* NULL: it is as it should be. */
static const char *pin_trouble(const struct object *current, const struct pin *pin,
			       enum sets_action action)
{
	const char *trouble = "the pin is missing";
	char path[SET_PATH_MAX];
	_cleanup_(closep) int fd = -1;

	sets_path(current->directory, current->set, pin->name, path);
	fd = bpf_obj_get(path);
	if (fd >= 0 && pin->id(fd) == pin->id(pin->fd))
		return NULL;
	if (fd >= 0)
		trouble = "the pin is of something else";
	if (action == SETS_REPAIR) {
		unlink(path);
		if (bpf_obj_pin(pin->fd, path))
			trouble = "the pin is missing, and cannot be made again";
	}
	return trouble;
}

/* Is DIRECTORY/NAME the link to it? */
static bool has_link(const struct object *current, const char *name)
{
	char path[OBJECT_PATH_MAX + 257], target[256 + 16] = "", wanted[256 + 16];

	snprintf(path, sizeof(path), "%s/%s", current->directory, name);
	snprintf(wanted, sizeof(wanted), WEIR_PIN_CURRENT "/%s", name);
	return readlink(path, target, sizeof(target) - 1) > 0 && !strcmp(target, wanted);
}

void sets_check_pins(const struct object *current, enum sets_action action,
		     void each(void *user, const char *name, const char *why), void *user)
{
	struct pin pins[OBJECT_MAPS + 3];
	size_t count = 0;
	uint32_t set;
	bool links;

	while (object_map(current, count, &pins[count].name, &pins[count].fd))
		pins[count++].id = map_id;
	pins[count++] = (struct pin){ WEIR_PIN_PROGRAM, current->program, program_id };
	pins[count++] = (struct pin){ WEIR_PIN_SWEEP, current->sweep, program_id };
	pins[count++] = (struct pin){ WEIR_PIN_STEER, current->steer, program_id };
	links = !sets_current(current->directory, &set) && set == current->set;
	if (!links)
		each(user, WEIR_PIN_CURRENT, "is not the set in force");
	for (size_t i = 0; i < count; i++) {
		const char *trouble = pin_trouble(current, &pins[i], action);
		bool linked = has_link(current, pins[i].name);

		if (trouble || !linked)
			each(user, pins[i].name, trouble ?: "the link to it is missing");
		links &= linked;
	}
	if (!links && action == SETS_REPAIR)
		sets_publish(current, NULL);
}

int sets_go_over(const struct object *from, struct object *to, struct err *err)
{
	int r = sets_publish(to, err);

	r = r ?: attach_replace_all(to, err);
	if (r < 0) {
		if (from && !sets_publish(from, NULL) && !attach_replace_all(from, NULL))
			sets_remove(to->directory, to->set, NULL);
		return r;
	}
	if (!from)
		return 0;
	object_wait();
	r = sets_carry(from, to, err);
	return r ?: sets_remove(from->directory, from->set, err);
}

/* A set that lacks a pin was on its way to be removed: its counters have been carried over. */
static int finish_one(struct object *current, uint32_t number, struct err *err)
{
	_cleanup_(object_closep) struct object *before = NULL;
	int r = 0;

	if (number < current->set &&
	    !object_open_set(current->directory, number, OBJECT_READ, &before, NULL)) {
		r = attach_replace_all(current, err);
		if (r < 0)
			return r;
		object_wait();
		r = sets_carry(before, current, err);
	}
	return r ?: sets_remove(current->directory, number, err);
}

int sets_finish(struct object *current, struct err *err)
{
	struct dirent **entries;
	int count = scandir(current->directory, &entries, NULL, alphasort), r = 0;

	if (count < 0)
		return err_set(err, -errno, "%s: %s", current->directory, strerror(errno));
	for (int i = 0; i < count; i++) {
		uint32_t number;

		if (!r && sets_number(entries[i]->d_name, &number) && number != current->set)
			r = finish_one(current, number, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}
