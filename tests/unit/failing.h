/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory that runs out at the n-th allocation: included by one file of a test program, whose
 * allocations all come through here, those of libraries and libc included. The sanitizer's own
 * entry is preferred, so that it goes on watching.
 */
#ifndef WEIR_TESTS_UNIT_FAILING_H
#define WEIR_TESTS_UNIT_FAILING_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool counting;
static unsigned until_failure; /* 0: never */
static bool has_failed;
static long live; /* blocks allocated while counting and not freed */

extern void *__interceptor_malloc(size_t size) __attribute__((weak));
extern void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *block, size_t size) __attribute__((weak));
extern void __interceptor_free(void *block) __attribute__((weak));
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

static bool must_fail(void)
{
	if (!counting || !until_failure)
		return false;
	/* Once memory is out, it stays so. */
	if (has_failed || !--until_failure) {
		until_failure = 1;
		has_failed = true;
		errno = ENOMEM;
		return true;
	}
	return false;
}

static void *count(void *block)
{
	live += counting && block;
	return block;
}

void *malloc(size_t size)
{
	if (must_fail())
		return NULL;
	return count(__interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	if (must_fail())
		return NULL;
	return count(__interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size));
}

void *realloc(void *block, size_t size)
{
	void *moved;

	if (must_fail())
		return NULL;
	moved = __interceptor_realloc ? __interceptor_realloc(block, size)
				      : __libc_realloc(block, size);
	return block ? moved : count(moved);
}

void *reallocarray(void *block, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return realloc(block, bytes);
}

/* The sanitizer's versions allocate behind our back. */
char *strndup(const char *text, size_t size)
{
	size_t length = strnlen(text, size);
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	copy[length] = '\0';
	return memcpy(copy, text, length);
}

char *strdup(const char *text)
{
	return strndup(text, strlen(text));
}

void free(void *block)
{
	live -= counting && block;
	if (__interceptor_free)
		__interceptor_free(block);
	else
		__libc_free(block);
}

#endif
