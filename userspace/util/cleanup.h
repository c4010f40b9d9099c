/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Scope-bound ownership: a variable marked _cleanup_(fn) is released when its scope is left;
 * ownership leaves the scope by take_ptr() or take_fd(). Never mixed with goto in one function.
 */
#ifndef WEIR_UTIL_CLEANUP_H
#define WEIR_UTIL_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Defines NAMEp(), which calls fn() on the pointer that a variable of pointer type holds. */
#define DEFINE_CLEANUP(type, fn)                                                                   \
	static inline void fn##p(type *variable)                                                   \
	{                                                                                          \
		if (*variable)                                                                     \
			fn(*variable);                                                             \
	}

/* The value of the variable, which is NULL afterwards. */
#define take_ptr(variable)                                                                         \
	({                                                                                         \
		__typeof__(variable) _taken = (variable);                                          \
		(variable) = NULL;                                                                 \
		_taken;                                                                            \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void freep(void *variable)
{
	free(*(void **)variable);
}

static inline void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

#endif
