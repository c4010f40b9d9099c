// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <weir/names.h>
#include <weir/nat.h>

#include "dataplane/listing.h"
#include "dataplane/sets.h"
#include "util/log.h"
#include "weir.skel.h"

#define KERNEL_MAJOR 6 /* the first that weir is made for: its major and its minor number */
#define KERNEL_MINOR 1

/* Distributions give an older one what it lacks, so this says only why something did not work. */
static bool is_old(const char *release)
{
	unsigned major, minor;

	return sscanf(release, "%u.%u", &major, &minor) == 2 &&
	       (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR));
}

int program_load_error(int code, struct err *err)
{
	const char *reason = object_kernel_message();
	struct utsname host = {};
	bool old;

	uname(&host);
	old = is_old(host.release);
	if (code == -EPERM && !old)
		return err_set(err, code,
			       "the kernel refuses to load BPF programs: run as root, or give the "
			       "process CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
	if (code == -EPERM) { /* no capability would help: there, memory is limited, too */
		code = -EOPNOTSUPP;
		reason = "";
	}
	return err_set(err, code,
		       "the kernel (%s; weir needs 6.1 or newer) refuses the data plane: %s%s%s",
		       host.release, strerror(-code), reason[0] ? ": " : "", reason);
}

static bool has_entries(int map, uint32_t entries)
{
	struct bpf_map_info info = {};
	unsigned size = sizeof(info);

	return !bpf_obj_get_info_by_fd(map, &info, &size) && info.max_entries == entries;
}

/* The map of `from`, if it is large enough, or else a new one. An array of programs belongs to the
 * programs that it was loaded with. */
static int take_or_size(struct bpf_map *map, const struct object *from,
			const struct capacity *capacity)
{
	uint32_t entries = capacity_entries(capacity, bpf_map__name(map));
	_cleanup_(closep) int known = -1;
	char path[OBJECT_PATH_MAX + 64];

	if (from && bpf_map__type(map) != BPF_MAP_TYPE_PROG_ARRAY) {
		sets_path(from->directory, from->set, bpf_map__name(map), path);
		known = bpf_obj_get(path);
	}
	if (known >= 0 && (!entries || has_entries(known, entries)))
		return bpf_map__reuse_fd(map, known);
	return entries ? bpf_map__set_max_entries(map, entries) : 0;
}

static int pin(int fd, const char *directory, uint32_t set, const char *name)
{
	char path[OBJECT_PATH_MAX + 64];

	sets_path(directory, set, name, path);
	return object_pin(fd, path);
}

struct program_constants program_constants(uint32_t buckets)
{
	struct program_constants constants = {
		.nat_cpus = libbpf_num_possible_cpus(),
		.nat_buckets = buckets,
		.nat_index_mask = 1,
	};

	while (constants.nat_index_mask <= buckets * WEIR_NAT_WAYS)
		constants.nat_index_mask = constants.nat_index_mask << 1 | 1;
	return constants;
}

int program_load(const char *directory, uint32_t set, const struct object *from,
		 const struct capacity *capacity, struct err *err)
{
	struct weir *skeleton;
	struct bpf_map *map;
	struct err listing = {};
	int r = 0;

	object_clear_kernel_message();
	skeleton = weir__open();
	if (!skeleton)
		return program_load_error(-errno, err);
	bpf_object__for_each_map(map, skeleton->obj) if (!bpf_map__is_internal(map)) r =
		r ?: take_or_size(map, from, capacity);
	PROGRAM_SET_CONSTANTS(skeleton);
	r = r ?: weir__load(skeleton);
	bpf_object__for_each_map(map, skeleton->obj) if (!bpf_map__is_internal(map)) r =
		r ?: pin(bpf_map__fd(map), directory, set, bpf_map__name(map));
	r = r ?: pin(bpf_program__fd(skeleton->progs.weir), directory, set, WEIR_PIN_PROGRAM);
	r = r ?: pin(bpf_program__fd(skeleton->progs.weir_sweep), directory, set, WEIR_PIN_SWEEP);
	r = r ?: pin(bpf_program__fd(skeleton->progs.weir_steer), directory, set, WEIR_PIN_STEER);
	weir__destroy(skeleton);
	if (r)
		return program_load_error(r, err);
	if (listing_load(directory, set, &listing) < 0)
		log_warning("%s/" WEIR_PIN_SHOW_LISTENERS " and -endpoints will not be there: %s; "
			    "use 'weir show'",
			    directory, listing.text);
	return 0;
}
