// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/listing.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include <weir/names.h>

#include "dataplane/sets.h"
#include "listing.skel.h"

/* The programs are compiled with all maps of the data plane, and use the arrays of rows. */
static int take(struct bpf_map *map, const char *directory, uint32_t set)
{
	enum bpf_map_type type = bpf_map__type(map);
	_cleanup_(closep) int known = -1;
	char path[OBJECT_PATH_MAX + 64];

	if (type != BPF_MAP_TYPE_ARRAY && type != BPF_MAP_TYPE_PERCPU_ARRAY)
		return bpf_map__set_autocreate(map, false);
	sets_path(directory, set, bpf_map__name(map), path);
	known = bpf_obj_get(path);
	return known < 0 ? -errno : bpf_map__reuse_fd(map, known);
}

/* The link holds the program and the maps; the pin holds the link. */
static int pin(const struct bpf_program *program, const struct bpf_map *map, const char *directory,
	       uint32_t set, const char *name)
{
	union bpf_iter_link_info info = { .map.map_fd = bpf_map__fd(map) };
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info,
		    .link_info_len = sizeof(info));
	char path[OBJECT_PATH_MAX + 64];
	struct bpf_link *link;
	int r;

	link = bpf_program__attach_iter(program, &options);
	if (!link)
		return -errno;
	sets_path(directory, set, name, path);
	r = object_pin(bpf_link__fd(link), path);
	bpf_link__destroy(link);
	return r;
}

int listing_load(const char *directory, uint32_t set, struct err *err)
{
	struct listing *skeleton;
	struct bpf_map *map;
	int r = 0;

	object_clear_kernel_message();
	skeleton = listing__open();
	if (!skeleton)
		return err_set(err, -errno, "%s", strerror(errno));
	bpf_object__for_each_map(map, skeleton->obj) if (!bpf_map__is_internal(map)) r =
		r ?: take(map, directory, set);
	r = r ?: listing__load(skeleton);
	r = r
		    ?: pin(skeleton->progs.show_listeners, skeleton->maps.listeners, directory, set,
			   WEIR_PIN_SHOW_LISTENERS);
	r = r
		    ?: pin(skeleton->progs.show_endpoints, skeleton->maps.endpoint_info, directory,
			   set, WEIR_PIN_SHOW_ENDPOINTS);
	listing__destroy(skeleton);
	return r < 0 ? err_set(err, r, "%s: %s", strerror(-r), object_kernel_message()) : 0;
}
