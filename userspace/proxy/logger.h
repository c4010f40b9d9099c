/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lines of a worker on their way to a file. The worker puts them into memory that it shares with a
 * process of its own, which alone writes to the file: a disk that is slow, full or gone holds up no
 * request, and what a worker has put there before it was killed is written all the same. A line
 * costs the worker no system call. Where there is no room, lines are dropped, and counted.
 */
#ifndef WEIR_PROXY_LOGGER_H
#define WEIR_PROXY_LOGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logger;

/* Before the two processes part. 0 or -errno. */
int logger_new(struct logger **ret);

/* In the process that writes: returns when the worker has ended and all is written. */
void logger_serve(struct logger *logger);

/* In the worker, once. */
void logger_begin(struct logger *logger);

/* The file that lines go to from now on, open for appending; it stays the caller's. -1: nowhere;
 * what is there goes to the one before. 0 or -errno. */
int logger_follow(struct logger *logger, int file);

/* Is there a file? */
bool logger_wants(const struct logger *logger);

/* A line, with its end. False: it is dropped. */
bool logger_add(struct logger *logger, const char *line, size_t size);

/* Lines that were dropped, or that the file did not take, so far. */
uint64_t logger_lost(const struct logger *logger);

/* Frees what the process that calls has of it. */
void logger_free(struct logger *logger);

#endif
