// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include <weir/clock.h>
#include <weir/names.h>

#include "dataplane/remains.h"
#include "dataplane/sets.h"
#include "dataplane/tables.h"
#include "util/file.h"

/* libbpf's print callback has no context to carry this in. */
static char kernel_message[1024];

struct map_place {
	const char *name;
	size_t offset; /* in struct object: of a pointer if `value_size`, else of a descriptor */
	size_t value_size; /* of a map to be mapped, else 0 */
	uint32_t entries;  /* of a map whose size is always the same, else 0 */
	bool flows;	   /* never copied: a record's place depends on the size */
	uint8_t counters;  /* their width, where workers count; else 0 */
};

#define MAPPED(field, count)                                                                       \
	{                                                                                          \
#field, offsetof(struct object, field), sizeof(*((struct object *)0)->field),      \
			count                                                                      \
	}
#define MAPPED_COUNTERS(field, width)                                                              \
	{                                                                                          \
		.name = #field, .offset = offsetof(struct object, field),                          \
		.value_size = sizeof(*((struct object *)0)->field), .counters = (width)            \
	}
#define MAPPED_FLOWS(field)                                                                        \
	{                                                                                          \
#field, offsetof(struct object, field), sizeof(*((struct object *)0)->field), 0,   \
			true                                                                       \
	}
#define OPENED(field)                                                                              \
	{                                                                                          \
#field, offsetof(struct object, field), 0, 0                                       \
	}

static const struct map_place map_places[] = {
	MAPPED(control, 1),
	MAPPED(listeners, 0),
	MAPPED(slots, 0),
	MAPPED(slots_previous, 0),
	MAPPED(guards, 0),
	MAPPED(bounds, 0),
	MAPPED(bound_regions, 0),
	MAPPED(clients, 0),
	MAPPED(endpoints, 0),
	MAPPED(egress, WEIR_MAX_EGRESS),
	MAPPED(snat, WEIR_MAX_SNAT),
	MAPPED(listener_info, 0),
	MAPPED(endpoint_info, 0),
	MAPPED(region_info, WEIR_MAX_REGIONS),
	MAPPED_COUNTERS(listener_http, 8),
	MAPPED_COUNTERS(endpoint_http, 8),
	MAPPED(steering, 1),
	MAPPED_COUNTERS(nat_latency, 4),
	MAPPED_FLOWS(sources),
	MAPPED_FLOWS(cookies_sent),
	MAPPED_FLOWS(nat_records),
	MAPPED_FLOWS(nat_tags),
	MAPPED_FLOWS(nat_replies),
	OPENED(stages),
	OPENED(tx_ports),
	OPENED(workers),
	OPENED(exceptions),
	OPENED(fragments),
	OPENED(learned_mtus),
	OPENED(answer_pace),
	OPENED(listener_stats),
	OPENED(endpoint_stats),
};

#define MAP_PLACES (sizeof(map_places) / sizeof(map_places[0]))

_Static_assert(MAP_PLACES <= OBJECT_MAPS, "room for every map");
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

static struct object *object_new(void)
{
	struct object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	object->program = -1;
	object->sweep = -1;
	object->steer = -1;
	for (size_t i = 0; i < MAP_PLACES; i++) {
		object->maps[i].fd = -1;
		if (!map_places[i].value_size)
			*(int *)((char *)object + map_places[i].offset) = -1;
	}
	return object;
}

void object_close(struct object *object)
{
	if (!object)
		return;
	for (size_t i = 0; i < MAP_PLACES; i++) {
		void *field = (char *)object + map_places[i].offset;

		if (!map_places[i].value_size)
			closep(field);
		else if (*(void **)field)
			munmap(*(void **)field, object->maps[i].bytes);
		closep(&object->maps[i].fd);
	}
	closep(&object->program);
	closep(&object->sweep);
	closep(&object->steer);
	vec_free(&object->idle_differs.list);
	tables_forget(object);
	remains_free(object->remains);
	free(object);
}

static int other_version(const char *directory, struct err *err)
{
	return err_set(err, -EPROTO,
		       "the data plane in %s was made by another version of weir; run: weir down",
		       directory);
}

/* What the kernel says of the map: its number, its size, and so the capacity. */
static int learn_map(struct object *object, size_t place, int fd, struct err *err)
{
	const struct map_place *expected = &map_places[place];
	struct bpf_map_info info = {};
	unsigned size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return err_set(err, -errno, "map %s: %s", expected->name, strerror(errno));
	if ((expected->value_size && info.value_size != expected->value_size) ||
	    (expected->entries && info.max_entries != expected->entries) ||
	    !capacity_learn(&object->capacity, expected->name, info.max_entries))
		return other_version(object->directory, err);
	object->maps[place].id = info.id;
	object->maps[place].bytes = info.value_size * (size_t)info.max_entries;
	return 0;
}

static int open_map(struct object *object, size_t place, struct err *err)
{
	int protection = PROT_READ | (object->writable ? PROT_WRITE : 0);
	void *field = (char *)object + map_places[place].offset, *memory;
	char path[OBJECT_PATH_MAX + 64];
	_cleanup_(closep) int fd = -1;
	int r;

	sets_path(object->directory, object->set, map_places[place].name, path);
	/* Not BPF_F_RDONLY: the kernel maps no read-only descriptor, not even for reading. */
	fd = bpf_obj_get(path);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return file_denied(path, -errno, err);
	if (fd < 0)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	r = learn_map(object, place, fd, err);
	if (r < 0)
		return r;
	if (!map_places[place].value_size) {
		*(int *)field = take_fd(&fd);
		return 0;
	}
	memory = mmap(NULL, object->maps[place].bytes, protection, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return err_set(err, -errno, "cannot map %s: %s", path, strerror(errno));
	*(void **)field = memory;
	object->maps[place].fd = take_fd(&fd);
	return 0;
}

bool object_map(const struct object *object, size_t place, const char **ret_name, int *ret_fd)
{
	if (place >= MAP_PLACES)
		return false;
	*ret_name = map_places[place].name;
	*ret_fd = map_places[place].value_size
			  ? object->maps[place].fd
			  : *(const int *)((const char *)object + map_places[place].offset);
	return true;
}

static int open_program(const struct object *object, const char *name, int *ret, struct err *err)
{
	char path[OBJECT_PATH_MAX + 64];

	sets_path(object->directory, object->set, name, path);
	*ret = bpf_obj_get(path);
	return *ret < 0 ? err_set(err, -errno, "%s: %s", path, strerror(errno)) : 0;
}

static const char *type_name(uint32_t type)
{
	const char *name = libbpf_bpf_map_type_str(type);

	return name ?: "?";
}

/* "memlock: 4096" of what /proc says of a descriptor. */
static uint64_t memory_of(int map)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	if (file)
		fclose(file);
	return bytes;
}

int object_map_info(const struct object *object, size_t place, struct object_map_info *ret)
{
	struct bpf_map_info info = {};
	unsigned size = sizeof(info);
	const char *name;
	int fd;

	if (!object_map(object, place, &name, &fd))
		return -ENOENT;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*ret = (struct object_map_info){
		.name = name,
		.type = type_name(info.type),
		.id = info.id,
		.entries = info.max_entries,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.bytes = memory_of(fd),
	};
	return 0;
}

/* Which programs these are: what is in their place later can be compared. */
static int learn_programs(struct object *object, struct err *err)
{
	struct bpf_prog_info program = {};
	struct bpf_map_info stages = {};
	unsigned size = sizeof(program), map_size = sizeof(stages);

	if (bpf_obj_get_info_by_fd(object->program, &program, &size) ||
	    bpf_obj_get_info_by_fd(object->stages, &stages, &map_size))
		return err_set(err, -errno, "the programs: %s", strerror(errno));
	object->program_id = program.id;
	object->stage_count =
		stages.max_entries < OBJECT_STAGES ? stages.max_entries : OBJECT_STAGES;
	for (uint32_t i = 0; i < object->stage_count; i++)
		if (bpf_map_lookup_elem(object->stages, &i, &object->stage_programs[i]))
			object->stage_programs[i] = 0;
	return 0;
}

int object_open_set(const char *directory, uint32_t set, enum object_access access,
		    struct object **ret, struct err *err)
{
	_cleanup_(object_closep) struct object *object = object_new();
	int r = 0;

	if (!object)
		return err_set(err, -ENOMEM, "out of memory");
	snprintf(object->directory, sizeof(object->directory), "%s", directory);
	object->set = set;
	object->writable = access == OBJECT_WRITE;
	for (size_t place = 0; !r && place < MAP_PLACES; place++)
		r = open_map(object, place, err);
	if (!r && object->writable)
		r = open_program(object, WEIR_PIN_PROGRAM, &object->program, err);
	if (!r && object->writable)
		r = open_program(object, WEIR_PIN_SWEEP, &object->sweep, err);
	if (!r && object->writable)
		r = open_program(object, WEIR_PIN_STEER, &object->steer, err);
	if (!r && object->writable)
		r = learn_programs(object, err);
	if (r < 0)
		return r;
	*ret = take_ptr(object);
	return 0;
}

static void instance_directory(const char *instance, char ret[OBJECT_PATH_MAX])
{
	snprintf(ret, OBJECT_PATH_MAX, "%s/%s", WEIR_BPFFS, instance);
}

/* Which set is in force. Versions before this one had none: their maps lay in the directory. */
static int find_current(const char *directory, uint32_t *ret, struct err *err)
{
	char path[OBJECT_PATH_MAX + 64];
	int r = sets_current(directory, ret);

	if (r == -EACCES)
		return file_denied(directory, r, err);
	snprintf(path, sizeof(path), "%s/control", directory);
	if (r == -EPROTO || (r < 0 && !access(path, F_OK)))
		return other_version(directory, err);
	return r < 0 ? err_set(err, r, "%s: %s", directory, strerror(-r)) : 0;
}

/* A set that is gone before it is open has been followed by another. */
#define OPEN_TRIES 10

static int open_current(const char *directory, enum object_access access, struct object **ret,
			struct err *err)
{
	_cleanup_(object_closep) struct object *object = NULL;
	int r = -ENOENT;

	for (int tries = 0; r == -ENOENT && tries < OPEN_TRIES; tries++) {
		uint32_t set;

		r = find_current(directory, &set, err);
		if (r < 0)
			return r;
		r = object_open_set(directory, set, access, &object, err);
	}
	if (r == -ENOENT)
		return other_version(directory, err);
	if (r < 0)
		return r;
	if (object->control->abi_version != WEIR_ABI_VERSION)
		return other_version(directory, err);
	*ret = take_ptr(object);
	return 0;
}

static int open_instance(const char *instance, enum object_access access, struct object **ret,
			 struct err *err)
{
	char directory[OBJECT_PATH_MAX];
	int r;

	instance_directory(instance, directory);
	r = open_current(directory, access, ret, err);
	if (r == -ENOENT)
		return err_set(err, r,
			       "no data plane of the name '%s' (%s); start it with: weir run -c "
			       "FILE",
			       instance, directory);
	return r;
}

int object_open(const char *instance, struct object **ret, struct err *err)
{
	return open_instance(instance, OBJECT_READ, ret, err);
}

int object_open_writable(const char *instance, struct object **ret, struct err *err)
{
	return open_instance(instance, OBJECT_WRITE, ret, err);
}

static void copy_map(const struct object *from, struct object *to, size_t i)
{
	const struct map_place *place = &map_places[i];
	const struct remains_map counted = { .fd = from->maps[i].fd,
					     .bytes = from->maps[i].bytes,
					     .width = place->counters,
					     .field = place->offset };
	const void *source = *(void *const *)((const char *)from + place->offset);
	void *target = *(void **)((char *)to + place->offset);

	if (place->counters)
		remains_copy(&to->remains, &counted, source, target);
	else
		memcpy(target, source, from->maps[i].bytes);
}

void object_copy_contents(const struct object *from, struct object *to)
{
	for (size_t i = 0; i < MAP_PLACES; i++)
		if (map_places[i].value_size && !map_places[i].flows &&
		    to->maps[i].id != from->maps[i].id)
			copy_map(from, to, i);
}

void object_settle(struct object *object)
{
	remains_settle(object->remains, object);
}

uint32_t object_map_id(const struct object *object, const char *name)
{
	for (size_t i = 0; i < MAP_PLACES; i++)
		if (!strcmp(map_places[i].name, name))
			return object->maps[i].id;
	return 0;
}

/* What root has just made belongs to the owner of the folder that it is in. */
static int give(const char *path, mode_t mode)
{
	_cleanup_(freep) char *folder = strdup(path);
	_cleanup_(closep) int above = -1;
	_cleanup_(closep) int fd = -1;

	if (!folder)
		return -ENOMEM;
	*strrchr(folder, '/') = '\0';
	above = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (above < 0 || fd < 0 || chmod(path, mode))
		return -errno;
	return file_give(fd, above);
}

int object_pin(int fd, const char *path)
{
	if (bpf_obj_pin(fd, path))
		return -errno;
	return give(path, 0660);
}

int object_make_folder(const char *path)
{
	if (mkdir(path, 0750))
		return -errno;
	return give(path, 0750);
}

int object_mount_bpffs(struct err *err)
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

/* The first set of an instance, or the next one with the same maps and this binary's program. */
static int load(const char *directory, const struct capacity *capacity, struct object **ret,
		bool *ret_fresh, struct err *err)
{
	_cleanup_(object_closep) struct object *current = NULL;
	_cleanup_(object_closep) struct object *next = NULL;
	int r = open_current(directory, OBJECT_WRITE, &current, err);

	if (r < 0 && r != -ENOENT)
		return r;
	r = current ? sets_finish(current, err) : 0;
	r = r ?: sets_make(directory, current, current ? &current->capacity : capacity, &next, err);
	if (r < 0)
		return r;
	if (!current && getrandom(next->control->nat_seed, sizeof(next->control->nat_seed), 0) < 0)
		return err_set(err, -errno, "getrandom: %s", strerror(errno));
	next->control->abi_version = WEIR_ABI_VERSION;
	r = sets_go_over(current, next, err);
	if (r < 0)
		return r;
	*ret_fresh = !current;
	*ret = take_ptr(next);
	return 0;
}

int object_load(const char *instance, const struct capacity *capacity, struct object **ret,
		bool *ret_fresh, struct err *err)
{
	char directory[OBJECT_PATH_MAX];
	int r = object_mount_bpffs(err);

	if (r < 0)
		return r;
	instance_directory(instance, directory);
	if (mkdir(directory, 0750) && errno != EEXIST)
		return err_set(err, -errno, "cannot make %s: %s", directory, strerror(errno));
	r = load(directory, capacity, ret, ret_fresh, err);
	if (r < 0)
		rmdir(directory); /* only where this call made it, and left it empty */
	return r;
}

static int check_flows(const struct object *object, const struct capacity *need,
		       enum capacity_of of, const char *key, struct err *err)
{
	uint32_t held = object->capacity.of[of];

	if (held <= WEIR_NAT_FLOWS_PER_BUCKET || need->of[of] <= held) /* one bucket: never used */
		return 0;
	return err_set(err, -EBUSY,
		       "%s: the table holds %u and cannot grow to %u while flows may be in it; "
		       "leave it as it is, or run 'weir down' first",
		       key, held, need->of[of]);
}

/* The next set, in the object's place. */
static int go_over(struct object *object, const struct capacity *capacity, struct err *err)
{
	_cleanup_(object_closep) struct object *next = NULL;
	struct object before;
	int r;

	r = sets_make(object->directory, object, capacity, &next, err);
	r = r ?: sets_go_over(object, next, err);
	if (r < 0)
		return r;
	remains_join(&next->remains, take_ptr(object->remains));
	before = *object;
	*object = *next;
	*next = before;
	return 0;
}

int object_grow(struct object *object, const struct capacity *need, struct err *err)
{
	struct capacity capacity = capacity_grown(&object->capacity, need);
	int r;

	r = check_flows(object, need, CAPACITY_EXCEPTIONS, "recorded_flows", err);
	r = r ?: check_flows(object, need, CAPACITY_NAT_FLOWS, "nat_flows", err);
	return r ?: go_over(object, &capacity, err);
}

int object_reload(struct object *object, struct err *err)
{
	return go_over(object, &object->capacity, err);
}

static int remove_pin(const char *directory, const char *name, struct err *err)
{
	char path[OBJECT_PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (unlink(path) && errno != ENOENT)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* Links first, so that no interface runs a program whose pins are half gone; then what says which
 * set is in force. */
static int removal_rank(const char *name)
{
	if (!strncmp(name, WEIR_PIN_LINK_PREFIX, strlen(WEIR_PIN_LINK_PREFIX)) ||
	    !strcmp(name, WEIR_PIN_STEERING))
		return 0;
	return strcmp(name, WEIR_PIN_CURRENT) ? 2 : 1;
}

int object_unpin(const char *instance, struct err *err)
{
	char directory[OBJECT_PATH_MAX];
	struct dirent **entries;
	int count, r = 0;

	instance_directory(instance, directory);
	count = scandir(directory, &entries, NULL, alphasort);
	if (count < 0)
		return errno == ENOENT ? 0
				       : err_set(err, -errno, "%s: %s", directory, strerror(errno));
	for (int rank = 0; rank < 3; rank++) {
		for (int i = 0; i < count; i++) {
			const char *name = entries[i]->d_name;
			uint32_t set;

			if (r || name[0] == '.' || removal_rank(name) != rank)
				continue;
			r = sets_number(name, &set) ? sets_remove(directory, set, err)
						    : remove_pin(directory, name, err);
		}
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
	/* Of a daemon that is no root only what is in the folder is its own. */
	if (!r && rmdir(directory) && errno != EACCES && errno != EPERM)
		r = err_set(err, -errno, "%s: %s", directory, strerror(errno));
	return r;
}

uint32_t object_now(const struct object *object)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return weir_seconds(now.tv_sec * 1000000000ull + now.tv_nsec) +
	       object->control->clock_offset;
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
