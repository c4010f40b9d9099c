/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the stages of config_parse() put what they find. Running out of memory is remembered here,
 * so that a stage which has found something need not think about it.
 */
#ifndef WEIR_CONFIG_REPORT_H
#define WEIR_CONFIG_REPORT_H

#include <stdarg.h>
#include <stdint.h>

#include "config/config.h"
#include "util/arena.h"

/* A part of the text, in bytes. */
struct span {
	uint32_t offset;
	uint32_t size; /* 0 counts as 1 */
};

struct report {
	const char *text;
	size_t size;
	struct findings *findings; /* kept in the order of their place */
	struct arena *arena;	   /* of the tree that is made of the text */
	int error;		   /* 0, or -ENOMEM from then on */
};

/* Takes `path`, a heap string. */
void report_add(struct report *report, enum finding_severity severity, struct span span, char *path,
		const char *format, va_list arguments) __attribute__((format(printf, 5, 0)));

/* An error without a path. */
void report_error(struct report *report, struct span span, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* An error of the text as a whole. */
void report_whole(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Fills in line, column and length of all findings; call once, at the end. */
void report_place(struct report *report);

#endif
