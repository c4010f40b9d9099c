// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/decap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <weir/names.h>

#include "dataplane/object.h"
#include "dataplane/program.h"
#include "decap.skel.h"
#include "util/cleanup.h"
#include "util/file.h"

#define INSTANCE_SUFFIX "-decap"

void decap_setup_fini(struct decap_setup *setup)
{
	vec_free(&setup->addresses);
	vec_free(&setup->prefixes);
}

static void directory_of(const char *instance, char directory[OBJECT_PATH_MAX])
{
	snprintf(directory, OBJECT_PATH_MAX, WEIR_BPFFS "/%s" INSTANCE_SUFFIX, instance);
}

static int map_error(int code, const struct bpf_map *map, struct err *err)
{
	if (code == -E2BIG || code == -ENOSPC)
		return err_set(err, -ENOSPC, "%s: too many; there is room for %u",
			       bpf_map__name(map), bpf_map__max_entries(map));
	return err_set(err, code, "%s: %s", bpf_map__name(map), strerror(-code));
}

/* Removes every key of a map that is not among those wanted. */
static void remove_others(const struct bpf_map *map, const void *wanted, size_t count)
{
	size_t size = bpf_map__key_size(map);
	int fd = bpf_map__fd(map);
	uint8_t key[32], next[32];
	bool more = !bpf_map_get_next_key(fd, NULL, next);

	while (more) {
		bool keep = false;

		memcpy(key, next, size);
		more = !bpf_map_get_next_key(fd, key, next);
		for (size_t i = 0; i < count; i++)
			keep |= !memcmp(key, (const uint8_t *)wanted + i * size, size);
		if (!keep)
			bpf_map_delete_elem(fd, key);
	}
}

static int write_addresses(const struct bpf_map *map, const struct decap_setup *setup,
			   struct err *err)
{
	uint32_t value = 1;

	/* A key is the address's bytes. */
	vec_foreach(address, &setup->addresses)
		if (bpf_map_update_elem(bpf_map__fd(map), address->bytes, &value, BPF_ANY))
			return map_error(-errno, map, err);
	remove_others(map, setup->addresses.items, setup->addresses.count);
	return 0;
}

static int write_prefixes(const struct bpf_map *map, const struct decap_setup *setup,
			  struct err *err)
{
	_cleanup_(freep) struct weir_decap_prefix *keys =
		calloc(setup->prefixes.count + 1, sizeof(*keys));

	if (!keys)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < setup->prefixes.count; i++) {
		const struct addr_prefix *prefix = &setup->prefixes.items[i];
		uint32_t version = addr_family(&prefix->addr) == AF_INET ? 4 : 6;

		keys[i].bits = prefix->bits;
		memcpy(keys[i].addr, prefix->addr.bytes, sizeof(keys[i].addr));
		if (bpf_map_update_elem(bpf_map__fd(map), &keys[i], &version, BPF_ANY))
			return map_error(-errno, map, err);
	}
	remove_others(map, keys, setup->prefixes.count);
	return 0;
}

/* While it changes, the program knows what is old and what is new. */
static int write_setup(const struct decap *skeleton, const struct decap_setup *setup,
		       struct err *err)
{
	struct weir_decap_config config = {
		.gue_port = setup->gue_port,
		.limited = setup->prefixes.count != 0,
	};
	uint32_t zero = 0;
	int r;

	r = write_addresses(skeleton->maps.decap_local, setup, err);
	r = r ?: write_prefixes(skeleton->maps.decap_from, setup, err);
	if (r < 0)
		return r;
	if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.decap_config), &zero, &config, BPF_ANY))
		return map_error(-errno, skeleton->maps.decap_config, err);
	return 0;
}

static int load(struct decap *skeleton, const char *directory, struct err *err)
{
	char path[OBJECT_PATH_MAX + 32];
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, skeleton->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, bpf_map__name(map));
		r = r ?: bpf_map__set_pin_path(map, path);
	}
	r = r ?: decap__load(skeleton);
	return r ? program_load_error(r, err) : 0;
}

static int attach_all(const char *directory, int program, const char *const *names, size_t count,
		      enum attach_mode mode, struct err *err)
{
	struct attachments attachments = {};
	int r = attach_list(directory, &attachments, err);

	for (size_t i = 0; !r && i < count; i++)
		r = attach_interface(directory, program, names[i], mode, err);
	/* Those that have it from before get this binary's program, too. */
	vec_foreach(attachment, &attachments.list)
		if (!r && attachment->ifindex)
			r = attach_interface(directory, program, attachment->name, attachment->mode,
					     err);
	vec_free(&attachments.list);
	return r;
}

/* Is it on any interface? */
static bool is_attached(const char *directory)
{
	struct attachments attachments = {};
	bool any = attach_list(directory, &attachments, NULL) || attachments.list.count;

	vec_free(&attachments.list);
	return any;
}

int decap_attach(const char *instance, const struct decap_setup *setup, const char *const *names,
		 size_t count, enum attach_mode mode, struct err *err)
{
	char directory[OBJECT_PATH_MAX];
	struct decap *skeleton;
	int r = object_mount_bpffs(err);

	if (r < 0)
		return r;
	directory_of(instance, directory);
	if (mkdir(directory, 0750) && errno != EEXIST)
		return err_set(err, -errno, "cannot make %s: %s", directory, strerror(errno));
	object_clear_kernel_message();
	skeleton = decap__open();
	if (!skeleton)
		return program_load_error(-errno, err);
	r = load(skeleton, directory, err);
	r = r ?: write_setup(skeleton, setup, err);
	r = r
		    ?: attach_all(directory, bpf_program__fd(skeleton->progs.decap), names, count,
				  mode, err);
	decap__destroy(skeleton);
	if (!is_attached(directory))
		decap_unpin(instance, NULL);
	return r;
}

int decap_detach(const char *instance, const char *name, struct err *err)
{
	char directory[OBJECT_PATH_MAX];
	int r;

	directory_of(instance, directory);
	r = attach_detach(directory, name, err);
	if (r < 0 || is_attached(directory))
		return r;
	return decap_unpin(instance, err);
}

int decap_unpin(const char *instance, struct err *err)
{
	char name[OBJECT_PATH_MAX];

	snprintf(name, sizeof(name), "%s" INSTANCE_SUFFIX, instance);
	return object_unpin(name, err);
}

static int read_counts(const char *directory, uint64_t ret[WEIR_DECAP_COUNT], struct err *err)
{
	_cleanup_(freep) uint64_t *cpus = calloc(libbpf_num_possible_cpus(), sizeof(*cpus));
	char path[OBJECT_PATH_MAX + 32];
	_cleanup_(closep) int map = -1;

	if (!cpus)
		return err_set(err, -ENOMEM, "out of memory");
	snprintf(path, sizeof(path), "%s/decap_stats", directory);
	map = bpf_obj_get(path);
	if (map < 0 && (errno == EACCES || errno == EPERM))
		return file_denied(path, -errno, err);
	if (map < 0)
		return err_set(err, -errno,
			       "no decapsulation here (%s: %s); start it with: weir attach "
			       "--decap IF",
			       path, strerror(errno));
	for (uint32_t i = 0; i < WEIR_DECAP_COUNT; i++) {
		ret[i] = 0;
		if (bpf_map_lookup_elem(map, &i, cpus))
			return err_set(err, -errno, "%s: %s", path, strerror(errno));
		for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
			ret[i] += cpus[cpu];
	}
	return 0;
}

int decap_read(const char *instance, uint64_t ret_counts[WEIR_DECAP_COUNT],
	       struct attachments *ret_attachments, struct err *err)
{
	char directory[OBJECT_PATH_MAX];
	int r;

	directory_of(instance, directory);
	r = read_counts(directory, ret_counts, err);
	return r ?: attach_list(directory, ret_attachments, err);
}
