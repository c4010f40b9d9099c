/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whole small files, read with a bound and written so that a crash leaves the old or the new. */
#ifndef WEIR_UTIL_FILE_H
#define WEIR_UTIL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "util/err.h"

#define FILE_MAX (64u << 20) /* bytes; no file that weir reads is larger */

/*
 * Reads a file of at most `max` bytes; *ret gets a final NUL and is the caller's, *ret_size (may be
 * NULL) does not count it. -EFBIG: larger. -EINVAL: not a regular file, so that no pipe keeps the
 * caller waiting. -EISDIR and whatever open(2) and read(2) say.
 */
int file_read(const char *path, size_t max, char **ret, size_t *ret_size);

/* The same of whatever has an end, also a pipe, for which it waits: not for a daemon. */
int file_read_stream(const char *path, size_t max, char **ret, size_t *ret_size);

/* What tells one state of a file from the next. */
struct file_state {
	int error; /* of stat(2) */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct file_state file_look(const char *path);
bool file_same(const struct file_state *a, const struct file_state *b);

/* What file_read() has returned, in words. */
const char *file_error(int code);

/*
 * Sets a text for what this user may not do with a path (`code` is -EACCES or -EPERM), which names
 * the group whose members may. Returns `code`.
 */
int file_denied(const char *path, int code, struct err *err);

/* What root makes in the folder of another user becomes that user's, as if he had made it: 0, or
 * -errno. Nothing happens to what others make. */
int file_give(int fd, int folder);

/* Replaces directory/name by a new file of mode 0640: written, synced, renamed, synced. */
int file_replace(const char *directory, const char *name, const char *data, size_t size);

/* The same in two steps: what cannot be written is refused by the first, and a crash before the end
 * of the second leaves the old file. */
int file_stage(const char *directory, const char *name, const char *data, size_t size);
int file_publish(const char *directory, const char *name);

/* Removes directory/name, and syncs. -ENOENT: it was not there. */
int file_remove(const char *directory, const char *name);

#endif
