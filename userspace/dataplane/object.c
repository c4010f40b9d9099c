// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>

#include <weir/names.h>

#include "dataplane/attach.h"
#include "weir.skel.h"

/* libbpf's print callback has no context to carry this in. */
static char kernel_message[1024];

struct map_place {
	const char *name;
	size_t offset; /* in struct object: of a pointer if `size`, else of a descriptor */
	size_t size;   /* bytes to map; array values are multiples of 8 */
};

#define MAPPED(field, count)                                                                       \
	{                                                                                          \
#field, offsetof(struct object, field),                                            \
			(count) * ((sizeof(*((struct object *)0)->field) + 7) & ~7ul)              \
	}
#define OPENED(field)                                                                              \
	{                                                                                          \
#field, offsetof(struct object, field), 0                                          \
	}

static const struct map_place map_places[] = {
	MAPPED(control, 1),
	MAPPED(listeners, 2 * WEIR_MAX_CELLS),
	MAPPED(slots, WEIR_MAX_SLOT_LINES),
	MAPPED(slots_previous, WEIR_MAX_SLOT_LINES),
	MAPPED(endpoints, WEIR_MAX_ENDPOINTS),
	MAPPED(egress, WEIR_MAX_EGRESS),
	MAPPED(snat, WEIR_MAX_SNAT),
	MAPPED(listener_info, WEIR_MAX_LISTENERS),
	MAPPED(endpoint_info, WEIR_MAX_ENDPOINTS),
	OPENED(tx_ports),
	OPENED(exceptions),
	OPENED(nat_flows),
	OPENED(nat_replies),
	OPENED(listener_stats),
	OPENED(endpoint_stats),
};

#define MAP_PLACES (sizeof(map_places) / sizeof(map_places[0]))

_Static_assert(sizeof(struct weir_egress) % 8 == 0 && sizeof(struct weir_listener_info) % 8 == 0 &&
		       sizeof(struct weir_endpoint_info) % 8 == 0,
	       "an mmapped array has a stride of 8 bytes: values must be multiples of it");

static int keep_kernel_message(enum libbpf_print_level level, const char *format, va_list arguments)
{
	static const char extack[] = "Kernel error message: ";
	char line[sizeof(kernel_message)], *text;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	text = strstr(line, extack);
	/* The kernel's own sentence beats what libbpf says before and after it. */
	if (text)
		snprintf(kernel_message, sizeof(kernel_message), "%s", text + strlen(extack));
	else if (!kernel_message[0] && !strncmp(line, "libbpf: ", 8))
		snprintf(kernel_message, sizeof(kernel_message), "%s", line + 8);
	return 0;
}

const char *object_kernel_message(void)
{
	return kernel_message;
}

void object_clear_kernel_message(void)
{
	kernel_message[0] = '\0';
	libbpf_set_print(keep_kernel_message);
}

static struct object *object_new(const char *instance)
{
	struct object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	snprintf(object->directory, sizeof(object->directory), "%s/%s", WEIR_BPFFS, instance);
	object->program = -1;
	for (size_t i = 0; i < MAP_PLACES; i++)
		if (!map_places[i].size)
			*(int *)((char *)object + map_places[i].offset) = -1;
	return object;
}

void object_close(struct object *object)
{
	if (!object)
		return;
	for (size_t i = 0; i < MAP_PLACES; i++) {
		void *field = (char *)object + map_places[i].offset;

		if (!map_places[i].size)
			closep(field);
		else if (*(void **)field)
			munmap(*(void **)field, map_places[i].size);
	}
	closep(&object->program);
	free(object);
}

static int check_map(int fd, const struct map_place *place, struct err *err)
{
	struct bpf_map_info info = {};
	unsigned size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return err_set(err, -errno, "map %s: %s", place->name, strerror(errno));
	if (place->size && (size_t)((info.value_size + 7) & ~7u) * info.max_entries != place->size)
		return err_set(err, -EPROTO,
			       "map %s was made by another version of weir; run: weir down",
			       place->name);
	return 0;
}

static int open_map(struct object *object, const struct map_place *place, struct err *err)
{
	void *field = (char *)object + place->offset;
	char path[OBJECT_PATH_MAX + 32];
	_cleanup_(closep) int fd = -1;
	void *memory;
	int r;

	snprintf(path, sizeof(path), "%s/%s", object->directory, place->name);
	/* Not BPF_F_RDONLY: the kernel maps no read-only descriptor, not even for reading. */
	fd = bpf_obj_get(path);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return err_set(err, -errno, "%s: not permitted; run as root", path);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	r = check_map(fd, place, err);
	if (r < 0)
		return r;
	if (!place->size) {
		*(int *)field = take_fd(&fd);
		return 0;
	}
	memory = mmap(NULL, place->size, PROT_READ | (object->writable ? PROT_WRITE : 0),
		      MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return err_set(err, -errno, "cannot map %s: %s", path, strerror(errno));
	*(void **)field = memory;
	return 0;
}

static int open_maps(struct object *object, struct err *err)
{
	for (size_t i = 0; i < MAP_PLACES; i++) {
		int r = open_map(object, &map_places[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int object_open(const char *instance, struct object **ret, struct err *err)
{
	_cleanup_(object_closep) struct object *object = object_new(instance);
	int r;

	if (!object)
		return err_set(err, -ENOMEM, "out of memory");
	if (access(object->directory, X_OK) && errno == EACCES)
		return err_set(err, -EACCES, "%s: not permitted; run as root", object->directory);
	if (access(object->directory, X_OK))
		return err_set(err, -errno,
			       "no data plane of the name '%s' (%s: %s); start it with: "
			       "weir run -c FILE",
			       instance, object->directory, strerror(errno));
	r = open_maps(object, err);
	if (r < 0)
		return r;
	if (object->control->abi_version != WEIR_ABI_VERSION)
		return err_set(err, -EPROTO,
			       "the data plane '%s' was made by another version of weir; run: weir "
			       "down",
			       instance);
	*ret = take_ptr(object);
	return 0;
}

static int mount_bpffs(struct err *err)
{
	struct statfs where;

	if (!statfs(WEIR_BPFFS, &where) && where.f_type == BPF_FS_MAGIC)
		return 0;
	if (mount("bpf", WEIR_BPFFS, "bpf", 0, NULL))
		return err_set(err, -errno,
			       "cannot mount bpffs on %s: %s; mount it with: mount -t "
			       "bpf bpf %s",
			       WEIR_BPFFS, strerror(errno), WEIR_BPFFS);
	return 0;
}

static int load_error(int code, struct err *err)
{
	struct utsname host = {};

	uname(&host);
	if (code == -EPERM)
		return err_set(err, code,
			       "the kernel refuses to load BPF programs: run as root, or give the "
			       "process CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
	return err_set(err, code,
		       "the kernel (%s; weir needs 6.1 or newer) refuses the data plane: %s%s%s",
		       host.release, strerror(-code), kernel_message[0] ? ": " : "",
		       kernel_message);
}

/*
 * Pins the map, or takes the one that is pinned. libbpf does both by the path alone, but refuses a
 * device map that it finds there: the kernel has added a flag to it (BPF_F_RDONLY_PROG).
 */
static int reuse_or_pin(struct bpf_map *map, const char *path)
{
	_cleanup_(closep) int pinned = -1;

	if (bpf_map__type(map) == BPF_MAP_TYPE_DEVMAP)
		pinned = bpf_obj_get(path);
	return pinned >= 0 ? bpf_map__reuse_fd(map, pinned) : bpf_map__set_pin_path(map, path);
}

/* Loads this binary's program onto the pinned maps, which libbpf creates where they are missing. */
static int load_program(struct object *object, struct err *err)
{
	char path[OBJECT_PATH_MAX + 32], fresh[OBJECT_PATH_MAX + 32];
	struct weir *skeleton;
	struct bpf_map *map;
	int r = 0;

	object_clear_kernel_message();
	skeleton = weir__open();
	if (!skeleton)
		return load_error(-errno, err);
	skeleton->rodata->nat_cpus = libbpf_num_possible_cpus();
	bpf_object__for_each_map(map, skeleton->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		snprintf(path, sizeof(path), "%s/%s", object->directory, bpf_map__name(map));
		r = r ?: reuse_or_pin(map, path);
	}
	r = r ?: weir__load(skeleton);
	if (!r) {
		/* A name of its own first, so that the pin is replaced in one step; bpffs allows no
		 * dots. */
		snprintf(path, sizeof(path), "%s/" WEIR_PIN_PROGRAM, object->directory);
		snprintf(fresh, sizeof(fresh), "%s/" WEIR_PIN_PROGRAM "-new", object->directory);
		unlink(fresh);
		object->program = dup(bpf_program__fd(skeleton->progs.weir));
		r = bpf_obj_pin(object->program, fresh) || rename(fresh, path) ? -errno : 0;
	}
	weir__destroy(skeleton);
	return r ? load_error(r, err) : 0;
}

/* Are the maps that are pinned this version's? To be asked before anything is replaced. */
static int check_version(const struct object *object, struct err *err)
{
	char path[OBJECT_PATH_MAX + 32];
	struct weir_control control;
	uint32_t zero = 0;
	int r = 0;

	for (size_t i = 0; !r && i < MAP_PLACES; i++) {
		_cleanup_(closep) int fd = -1;

		snprintf(path, sizeof(path), "%s/%s", object->directory, map_places[i].name);
		fd = bpf_obj_get(path);
		if (fd < 0)
			continue;
		r = check_map(fd, &map_places[i], err);
		/* control comes first, and is pinned zeroed before a version is in it */
		if (!r && !i && !bpf_map_lookup_elem(fd, &zero, &control) && control.abi_version &&
		    control.abi_version != WEIR_ABI_VERSION)
			r = err_set(
				err, -EPROTO,
				"the data plane in %s was made by another version of weir; run: "
				"weir down",
				object->directory);
	}
	return r;
}

int object_load(const char *instance, struct object **ret, bool *ret_fresh, struct err *err)
{
	_cleanup_(object_closep) struct object *object = object_new(instance);
	bool fresh;
	int r;

	if (!object)
		return err_set(err, -ENOMEM, "out of memory");
	object->writable = true;
	r = mount_bpffs(err);
	if (r < 0)
		return r;
	if (mkdir(object->directory, 0750) && errno != EEXIST)
		return err_set(err, -errno, "cannot make %s: %s", object->directory,
			       strerror(errno));
	r = check_version(object, err);
	r = r ?: load_program(object, err);
	r = r ?: open_maps(object, err);
	if (r < 0) {
		rmdir(object->directory); /* only where this call made it, and left it empty */
		return r;
	}
	fresh = !object->control->abi_version;
	object->control->abi_version = WEIR_ABI_VERSION;
	r = attach_replace_all(object, err);
	if (r < 0)
		return r;
	*ret_fresh = fresh;
	*ret = take_ptr(object);
	return 0;
}

int object_unpin(const char *instance, struct err *err)
{
	char directory[OBJECT_PATH_MAX], path[OBJECT_PATH_MAX + 256];
	struct dirent *entry;
	DIR *pins;
	int r = 0;

	snprintf(directory, sizeof(directory), "%s/%s", WEIR_BPFFS, instance);
	pins = opendir(directory);
	if (!pins)
		return errno == ENOENT ? 0
				       : err_set(err, -errno, "%s: %s", directory, strerror(errno));
	while ((entry = readdir(pins))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (unlink(path) && !r)
			r = err_set(err, -errno, "%s: %s", path, strerror(errno));
	}
	closedir(pins);
	if (!r && rmdir(directory))
		r = err_set(err, -errno, "%s: %s", directory, strerror(errno));
	return r;
}

uint32_t object_now(const struct object *object)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec + object->control->clock_offset;
}

/* Where membarrier(2) is refused (nohz_full, a seccomp filter): updating a map in a map from user
 * space waits for a grace period too. */
static int wait_by_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	_cleanup_(closep) int inner = -1;
	_cleanup_(closep) int outer = -1;
	uint32_t zero = 0;

	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "weir_grace", 4, 8, 1, NULL);
	options.inner_map_fd = inner;
	if (inner >= 0)
		outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "weir_graces", 4, 4, 1,
				       &options);
	return outer < 0 ? outer : bpf_map_update_elem(outer, &zero, &inner, BPF_ANY);
}

void object_wait(void)
{
	if (!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) || !wait_by_map())
		return;
	/* Both refused. A program runs for microseconds; this is the best that is left. */
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
}
