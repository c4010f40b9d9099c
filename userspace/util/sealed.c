// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "util/cleanup.h"

int sealed_make(const char *name, void (*write)(FILE *file, const void *user), const void *user,
		int *ret)
{
	_cleanup_(closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int copy = fd < 0 ? -1 : dup(fd);
	_cleanup_(fclosep) FILE *file = copy < 0 ? NULL : fdopen(copy, "w");

	if (!file) {
		int r = -errno;

		if (copy >= 0)
			close(copy);
		return r;
	}
	write(file, user);
	if (fflush(file) || ferror(file) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
		return -errno;
	*ret = take_fd(&fd);
	return 0;
}

/* A private mapping that is never written to has the pages of the file itself; a shared one of a
 * file that is sealed is refused before Linux 6.7. */
int sealed_map(int fd, void **ret, size_t *ret_size)
{
	struct stat file;
	void *memory;

	if (fstat(fd, &file))
		return -errno;
	memory = mmap(NULL, file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret = memory;
	*ret_size = file.st_size;
	return 0;
}
