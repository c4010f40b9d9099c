/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory that one process writes, once, and others read: handed over by its descriptor, and nobody
 * can change it any more. */
#ifndef WEIR_UTIL_SEALED_H
#define WEIR_UTIL_SEALED_H

#include <stddef.h>
#include <stdio.h>

/* As `write` has it, which need not look at errors. The descriptor is the caller's; -errno. */
int sealed_make(const char *name, void (*write)(FILE *file, const void *user), const void *user,
		int *ret);

/* All of it, until munmap(). -errno; of a process that has been lent the descriptor, which stays
 * its own. */
int sealed_map(int fd, void **ret, size_t *ret_size);

#endif
