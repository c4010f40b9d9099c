// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"

static int read_all(int fd, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_(freep) char *data = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t count;

		if (size + 1 >= room) {
			char *grown = realloc(data, room = room ? room * 2 : 4096);

			if (!grown)
				return -ENOMEM;
			data = grown;
		}
		count = read(fd, data + size, room - size - 1);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (!count)
			break;
		size += count;
		if (size > max)
			return -EFBIG;
	}
	data[size] = '\0';
	*ret = take_ptr(data);
	if (ret_size)
		*ret_size = size;
	return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	return S_ISREG(status.st_mode) ? read_all(fd, max, ret, ret_size) : -EINVAL;
}

int file_read_stream(const char *path, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_all(fd, max, ret, ret_size);
}

struct file_state file_look(const char *path)
{
	struct file_state state;
	struct stat status;

	memset(&state, 0, sizeof(state)); /* no padding that differs */
	if (stat(path, &status)) {
		state.error = errno;
		return state;
	}
	state.device = status.st_dev;
	state.inode = status.st_ino;
	state.size = status.st_size;
	state.modified = status.st_mtim;
	state.changed = status.st_ctim;
	return state;
}

bool file_same(const struct file_state *a, const struct file_state *b)
{
	return !memcmp(a, b, sizeof(*a));
}

const char *file_error(int code)
{
	return code == -EINVAL ? "not a regular file" : strerror(-code);
}

/* The group of the nearest folder that can be seen from outside; NULL: it is root's own. */
static const struct group *group_of(const char *path)
{
	char folder[PATH_MAX], *slash;
	struct stat status;

	snprintf(folder, sizeof(folder), "%s", path);
	while (stat(folder, &status)) {
		slash = strrchr(folder, '/');
		if (!slash || slash == folder)
			return NULL;
		*slash = '\0';
	}
	return status.st_gid ? getgrgid(status.st_gid) : NULL;
}

int file_denied(const char *path, int code, struct err *err)
{
	const struct group *group = group_of(path);

	if (!group)
		return err_set(err, code, "%s: not permitted; run as root", path);
	return err_set(err, code,
		       "%s: not permitted; run as root, or be in the group '%s': sudo usermod -aG "
		       "%s USER, and log in again",
		       path, group->gr_name, group->gr_name);
}

int file_give(int fd, int folder)
{
	struct stat owner;

	if (geteuid() || fstat(folder, &owner) || !owner.st_uid)
		return 0;
	return fchownat(fd, "", owner.st_uid, owner.st_gid, AT_EMPTY_PATH) ? -errno : 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t count = write(fd, data, size);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		data += count;
		size -= count;
	}
	return 0;
}

static void staged_name(const char *name, char ret[NAME_MAX + 1])
{
	snprintf(ret, NAME_MAX + 1, ".%.200s.new", name);
}

int file_stage(const char *directory, const char *name, const char *data, size_t size)
{
	_cleanup_(closep) int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closep) int fd = -1;
	char fresh[NAME_MAX + 1];
	int r;

	if (folder < 0)
		return -errno;
	staged_name(name, fresh);
	fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	r = file_give(fd, folder);
	r = r ?: write_all(fd, data, size);
	if (r < 0)
		unlinkat(folder, fresh, 0);
	return r;
}

int file_publish(const char *directory, const char *name)
{
	_cleanup_(closep) int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closep) int fd = -1;
	char fresh[NAME_MAX + 1];
	int r = 0;

	if (folder < 0)
		return -errno;
	staged_name(name, fresh);
	fd = openat(folder, fresh, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) || renameat(folder, fresh, folder, name))
		r = -errno;
	if (r < 0) {
		unlinkat(folder, fresh, 0);
		return r;
	}
	return fsync(folder) ? -errno : 0;
}

int file_replace(const char *directory, const char *name, const char *data, size_t size)
{
	int r = file_stage(directory, name, data, size);

	return r ?: file_publish(directory, name);
}

int file_remove(const char *directory, const char *name)
{
	_cleanup_(closep) int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0 || unlinkat(folder, name, 0) || fsync(folder))
		return -errno;
	return 0;
}
