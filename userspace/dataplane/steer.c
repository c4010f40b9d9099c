// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/steer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <weir/names.h>

#include "dataplane/sets.h"

static void link_path(const struct object *object, char path[OBJECT_PATH_MAX + 32])
{
	snprintf(path, OBJECT_PATH_MAX + 32, "%s/" WEIR_PIN_STEERING, object->directory);
}

/* 0, or -ENOENT: there is no link; -ENOLINK: its namespace is gone. */
static int update(const char *path, int program)
{
	_cleanup_(closep) int link = bpf_obj_get(path);

	if (link < 0)
		return -errno;
	return bpf_link_update(link, program, NULL) ? -errno : 0;
}

int steer_replace(const struct object *object, struct err *err)
{
	char path[OBJECT_PATH_MAX + 32];
	int r;

	link_path(object, path);
	r = update(path, object->steer);
	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "cannot replace the program that steers to workers: %s",
			       strerror(-r));
	return 0;
}

/* Of this namespace? One that is left of another, which has ended, leads nobody. */
static bool is_here(int link)
{
	struct bpf_link_info info = {};
	unsigned size = sizeof(info);
	char path[64], target[64];
	unsigned long inode = 0;
	ssize_t length;

	if (bpf_obj_get_info_by_fd(link, &info, &size))
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/net");
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	return sscanf(target, "net:[%lu]", &inode) == 1 && info.netns.netns_ino == inode;
}

int steer_attach(const struct object *object, struct err *err)
{
	_cleanup_(closep) int space = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_(closep) int link = -1;
	char path[OBJECT_PATH_MAX + 32];

	if (space < 0)
		return err_set(err, -errno, "/proc/self/ns/net: %s", strerror(errno));
	link_path(object, path);
	link = bpf_obj_get(path);
	if (link >= 0 && is_here(link) && !bpf_link_update(link, object->steer, NULL))
		return 0;
	if (link >= 0) {
		close(take_fd(&link));
		unlink(path);
	}
	link = bpf_link_create(object->steer, space, BPF_SK_LOOKUP, NULL);
	if (link < 0)
		return err_set(err, -errno,
			       "the kernel refuses to steer connections to http listeners "
			       "(sk_lookup): %s",
			       strerror(errno));
	if (bpf_obj_pin(link, path))
		return err_set(err, -errno, "cannot pin %s: %s", path, strerror(errno));
	return 0;
}

int steer_detach(const struct object *object, struct err *err)
{
	char path[OBJECT_PATH_MAX + 32];

	link_path(object, path);
	if (unlink(path) && errno != ENOENT)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int steer_place(const struct object *object, uint32_t place, int socket, struct err *err)
{
	uint64_t value = socket;

	if (bpf_map_update_elem(object->workers, &place, &value, BPF_ANY))
		return err_set(err, -errno, "a worker's socket: %s", strerror(errno));
	return 0;
}

void steer_count(const struct object *object, uint32_t count)
{
	uint32_t before = object->steering->workers;

	__atomic_store_n(&object->steering->workers, count, __ATOMIC_RELEASE);
	for (uint32_t place = count; place < before && place < WEIR_MAX_WORKERS; place++)
		bpf_map_delete_elem(object->workers, &place);
}

static int open_map(const struct object *object, const char *name, int *ret, struct err *err)
{
	char path[OBJECT_PATH_MAX + 64];

	sets_path(object->directory, object->set, name, path);
	*ret = bpf_obj_get(path);
	return *ret < 0 ? err_set(err, -errno, "%s: %s", path, strerror(errno)) : 0;
}

void steer_close_counters(const int counters[STEER_COUNTERS])
{
	for (int i = 0; i < STEER_COUNTERS; i++)
		closep(&counters[i]);
}

int steer_open_counters(const struct object *object, int ret[STEER_COUNTERS], struct err *err)
{
	static const char *const names[STEER_COUNTERS] = {
		[STEER_LISTENER_HTTP] = "listener_http",
		[STEER_ENDPOINT_HTTP] = "endpoint_http",
		[STEER_LATENCY] = "nat_latency",
	};
	int fds[STEER_COUNTERS] = { -1, -1, -1 }, r = 0;

	for (int i = 0; !r && i < STEER_COUNTERS; i++)
		r = open_map(object, names[i], &fds[i], err);
	if (r < 0)
		steer_close_counters(fds);
	else
		memcpy(ret, fds, sizeof(fds));
	return r;
}
